"""Rules about an assistant that speaks of itself: refusals, disclaimers, borrowed identities, stale knowledge.

They look for a few openings and phrases in the first person, and stay silent where the row asks for somebody else's
words (a letter, a story, a translation) or asks the assistant about itself.
"""

from __future__ import annotations

import re

from hfclean.rules.glance import Glance, Possible, has_word
from hfclean.rules.rule import Rule, asked_about
from hfclean.schema import Pair
from hfclean.text.request_language import language_of_request

# Tasks where another person speaks, or that edit other people's words.
FOR_OTHERS = re.compile(
    r"\b(?:role-?play\w*|pretend|imagine|act as|point of view|perspective|story|stories|novel|fiction|poem|haiku|"
    r"dialog(?:ue)?s?|"
    r"conversation|script|speech|letter|e-?mails?|reply|respond|replies|response to|a response|scene|skit|character|"
    r"song|lyrics|"
    r"essay|article|tweet|post|message|note|apolog\w+|excuse|customer|complain\w*|translate|translation|paraphrase|"
    r"rephrase|"
    r"rewrite|reword|edit|summari[sz]e|classify|convert|change|transform|sentence|quote|review|diary|empath\w+|"
    r"monologue|joke)\b|"
    r"翻译|改写|故事|邮件|写信|对话|句子",
    re.IGNORECASE,
)
# Questions to the assistant itself, where an honest answer names what it is.
TO_ASSISTANT = re.compile(
    r"\b(?:are you|do you|did you|would you|have you|can you (?:feel|think|see|hear)|who (?:made|built|created|"
    r"trained|developed|"
    r"taught|designed) you|your (?:name|creators?|favou?rites?|opinions?|feelings?|thoughts?|identity|maker|"
    r"developers?)|"
    r"about you(?:rself)?|you are|you're an? (?:ai|chatbot|language)|chat-?gpt|gpt-?\d|language models?|"
    r"artificial intelligence|"
    r"\bai\b|chat-?bots?|assistant)\b|\b(?:you|your|yours|yourself)\b|你|您|人工智能|语言模型",
    re.IGNORECASE,
)


# "Could you list ..." asks for a list, not about the assistant.
POLITE = re.compile(
    r"\b(?:can|could|will|would|may i ask) you\b(?! (?:feel|think|see|hear|be|rather|like|prefer))|\bthank you\b", re.I
)


def _asks_assistant(instruction: str) -> bool:
    return asked_about(TO_ASSISTANT, POLITE.sub("", instruction[-2000:]))


def speaks_for_others(instruction: str) -> bool:
    """Whether the instruction asks for words that are not the assistant's own."""
    return asked_about(FOR_OTHERS, instruction)


# ------------------------------------------------------------------------------------------------------------ refusal

OPENING = 240
CANNOT = re.compile(
    r"\b(?:i|we) (?:currently |simply |really |am afraid i )?"
    r"(?:can ?not|can['’]t|(?:am|are) (?:currently )?(?:not able|unable|not capable)|won['’]t|will not (?:be able)?|"
    r"(?:must|have to) decline|(?:currently )?(?:do not|don['’]t) (?:currently )?(?:have|possess) (?:the |any |"
    r"direct |enough |"
    r"sufficient |real-time )?(?:capabilit\w+|ability|access|permission|information))\b"
    r"|\bi['’]m (?:currently )?(?:not able|unable|not capable)\b",
    re.IGNORECASE,
)
SORRY = re.compile(
    r"\b(?:sorry|apolog\w+|unfortunately|regret|afraid)\b|\bas an? (?:large )?(?:ai|artificial|language)\b", re.I
)
DECLINES = re.compile(
    r"\A\W*(?:(?:i['’]?m |i am )?sorry,? (?:but )?)?(?:the|this|that|your) (?:task|request|instruction|"
    r"prompt)\b[^.!?\n]{0,80}\b"
    r"(?:can ?not|can['’]t|not possible|impossible|involves|requires? (?:an? )?(?:visual|image|audio|graphic|"
    r"personal))\b"
    r"|\A\W*sorry,? (?:but )?(?:the|this) task\b"
    r"|\A\W*(?:很抱歉|抱歉|对不起)[,，]?(?:但|作为[^，。]{0,15}[，,])?我(?:无法|不能|没有办法|没办法)"
    r"|\A\W*作为(?:一个|一名|一款)?(?:AI|人工智能)[^，。]{0,15}[，,]我(?:无法|不能|没有|并不)",
    re.IGNORECASE,
)
# What a refusal declines to do; "I can't believe it" and "I cannot recommend it enough" refuse nothing.
SERVES = re.compile(
    r"\W{1,3}(?:(?:to|of) )?(?:\w+ly )?(?:help|assist|provide|answer|generat\w+|creat\w+|draw\w*|writ\w+|produc\w+|"
    r"perform\w*|complet\w+|"
    r"fulfil\w*|access|retriev\w+|brows\w+|search|open|view|see|hear|book\w*|order\w*|plac\w+|mak\w+|set|send|"
    r"display\w*|render|record|"
    r"determin\w+|predict|offer|giv\w+|do|comply|engage|support|continue|process|analy[sz]e|share|play|cook|"
    r"execut\w+|identify|"
    r"translate|summari[sz]e|verify|comment|discuss|tell|say|show|for|about|on|regarding)\b|\W{0,2}\Z|"
    r"\W{0,2}[.,;]"
    r"|\W{1,3}(?:to )?(?:external|any|real|current|personal|specific|your|that|this|the)\b",
    re.IGNORECASE,
)


# A disclaimer before an answer is not a refusal.
ANSWERS_ANYWAY = re.compile(
    r"\b(?:however|but|nevertheless),? here(?: is| are|['’]s)\b|[，。；](?:但|不过|然而)", re.IGNORECASE
)
ANSWER_LENGTH = 90


def _refuses(pair: Pair) -> bool:
    head = pair.response[:OPENING]
    if not (
        "can" in head
        or "able" in head
        or "won" in head
        or "decline" in head
        or "have" in head
        or "orry" in head
        or "我" in head
    ):
        return False
    declines = DECLINES.match(head)
    match = None if declines else CANNOT.search(head)
    if not declines and match is None:
        return False
    if len(pair.response) >= ANSWER_LENGTH and ANSWERS_ANYWAY.search(head):
        return False
    if match is None:
        return not speaks_for_others(pair.instruction)
    before = head[: match.start()]
    sorry = SORRY.search(before) is not None
    if not sorry and (len(before.strip(" \"'*->\n")) > 3 or match.group()[0] in "wW"):
        return False
    if sorry and (len(before) > 130 or " can " in before):
        return False
    if not SERVES.match(head, match.end()) or (not sorry and not _short(pair.response)):
        return False
    return not speaks_for_others(pair.instruction)


def _short(text: str) -> bool:
    return len(text) < 400


def _may_refuse(pair: Pair, glance: Glance) -> bool:
    words = glance.words
    return not TASKS.isdisjoint(words) or not (SPEAKERS.isdisjoint(words) or DENIALS.isdisjoint(words))


# One of these is in every alternative of DECLINES that is English, ...
TASKS = frozenset(("task", "request", "instruction", "prompt"))
# ... and one of each in every alternative of CANNOT.
SPEAKERS = frozenset(("i", "we"))
DENIALS = frozenset(("can", "cannot", "not", "unable", "won", "decline", "don"))


refusal = Rule(
    "refusal",
    severity="medium",
    meaning="an answer that declines the task",
    detect=_refuses,
    possible=Possible(_may_refuse, TASKS | SPEAKERS | DENIALS),
    example=("I'm sorry, but I can't help with that.", ""),
)


# ----------------------------------------------------------------------------------------------------- ai_boilerplate

KIND = (
    r"(?:(?:large |advanced |text-based |helpful |virtual )?(?:ai|artificial intelligence|language model|llm)"
    r"(?: ?\(?(?:language model|language|assistant|model|chatbot|bot|program|system|llm|ai)\)?){0,3})"
)
AS_AN_AI = re.compile(
    rf"\bas an? {KIND}\b|\bi(?:['’]m| am) (?:just |only |merely |simply )?an? (?:large )?(?:ai|"
    rf"artificial intelligence|language)"
    r"(?: language)?(?: model| assistant| chatbot| program)?\b"
    r"|作为(?:一个|一名|一款)?(?:AI|人工智能)(?:语言模型|助手|模型|机器人)?[，,]\s?我",
    re.IGNORECASE,
)
# The clause alone, before "I": without it the sentence says the same.
CLAUSE_FIRST = re.compile(
    rf"(?:(?<=\A)|(?<=[.!?] )|(?<=\n))as an? {KIND}(?: (?:developed|created|trained|made|"
    rf"built) by [A-Z]\w{{1,20}})?, (?=I\b)",
    re.IGNORECASE,
)
CLAUSE_INSIDE = re.compile(rf"(?<=\b(?:but|and),? )as an? {KIND}, (?=I\b)".replace(",? ", " "), re.IGNORECASE)


def _has_boilerplate(pair: Pair) -> bool:
    text = pair.response
    if "AI" not in text and "anguage model" not in text and "rtificial" not in text and "人工智能" not in text:
        return False
    if not AS_AN_AI.search(text):
        return False
    return not _asks_assistant(pair.instruction) and not speaks_for_others(pair.instruction)


# What a sentence says that declines, or states a limit: without the clause it would only be shorter.
DECLINES_OR_LIMITS = re.compile(
    r"\b(?:not|cannot|no|never|nor|neither|unable|incapable|lacks?|without|limited|only|unfortunately|wish|would|could|"
    r"need|refuse|decline|afraid|beyond|outside|sorry|apologi[sz]e|regret|however|but|though|although|must|solely|merely|"
    r"rather|may|might|rely|depend|exist|trained|designed|programmed|made|built|created|developed)\b|n['’]t\b",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"[.!?](?:\s|\Z)|\n")
GUARDED = (
    "en",
    "zh",
    "",
)  # languages with word lists for other speakers and for questions to the assistant


def _without_clause(pair: Pair) -> Pair:
    """The answer without its disclaimer, whole or not at all: a refusal or a limit stays as it is."""
    if not _has_boilerplate(pair) or language_of_request(pair.instruction) not in GUARDED:
        return pair
    text = pair.response
    for clause in (CLAUSE_FIRST, CLAUSE_INSIDE):
        for match in clause.finditer(text):
            end = SENTENCE_END.search(text, match.end())
            if DECLINES_OR_LIMITS.search(text, match.end(), end.start() if end else len(text)):
                return pair
    text = CLAUSE_INSIDE.sub("", CLAUSE_FIRST.sub("", text))
    if text == pair.response or not text.strip() or text.strip() == pair.input.strip():
        return pair
    shortened = pair.replace(response=text)
    return pair if AS_AN_AI.search(text) or _refuses(shortened) else shortened


ai_boilerplate = Rule(
    "ai_boilerplate",
    severity="low",
    meaning='an answer that says "as an AI" though nobody asked',
    detect=_has_boilerplate,
    possible=has_word("as", "i"),  # what AS_AN_AI matches starts with one of these
    repair=_without_clause,
    example=(
        "As an AI language model, I suggest starting with the basics.",
        "I suggest starting with the basics.",
    ),
    version=2,
)


# ------------------------------------------------------------------------------------------------------ identity_leak

MAKERS = (
    r"(?:open ?ai|anthropic|google(?: ai| deepmind)?|deepmind|meta(?: ai)?|microsoft|lmsys|"
    r"large model systems org\w*|stability ai|"
    r"alibaba(?: cloud)?|baidu|mistral(?: ai)?|cohere|deepseek|hugging ?face|databricks|stanford|berkeley|tencent|"
    r"bytedance|zhipu)"
)
MODELS = (
    r"(?:chat-?gpt|gpt-?[2345]\w*|text-davinci\w*|davinci|claude|bard|gemini|llama[- ]?\d?|vicuna|koala|alpaca|"
    r"bing chat|copilot|"
    r"palm ?2|lamda|qwen|ernie(?: bot)?|mistral|mixtral|deepseek|dolly|falcon|openassistant|open assistant|chatglm|"
    r"guanaco)"
)
IS_MODEL = re.compile(
    rf"\b(?:i am|i['’]m|my name is|call me|you can call me|i['’]m called|i am called) (?:known as |called |"
    rf"named )?{MODELS}\b"
    rf"|\b(?:i am|i['’]m|i was|i['’]ve been|i have been|me) [^.!?\n]{{0,80}}?\b(?:trained|developed|created|made|"
    rf"built|designed|"
    rf"powered|called) (?:by )?(?:the )?(?:researchers (?:from|at) |a team (?:from|at) )?(?:{MAKERS}|{MODELS})\b"
    r"|我是(?:由)?\s?(?:ChatGPT|OpenAI|文心一言|通义千问)|我是[^。\n]{0,20}由\s?OpenAI\s?(?:开发|训练|创建)",
    re.IGNORECASE,
)
NAMES = (
    "openai", "open ai", "gpt", "google", "anthropic", "claude", "deepmind", "meta", "microsoft", "lmsys",
    "large model", "llama", "vicuna", "bard", "gemini", "alibaba", "qwen", "baidu", "ernie", "mixtral", "cohere",
    "deepseek", "hugging", "databricks", "dolly", "stanford", "alpaca", "berkeley", "koala", "davinci", "copilot",
    "mistral", "bing", "palm", "lamda", "falcon", "openassistant", "open assistant", "chatglm", "guanaco", "tencent",
    "bytedance", "zhipu", "stability", "文心一言", "通义千问",
)  # fmt: skip
SAYS_I = ("I am ", "I'm ", "I’m ", "I was ", " me ", "name is ", "我是")


def _leaks_identity(pair: Pair) -> bool:
    text = pair.response
    if not ("I" in text or " me " in text or "name is " in text or not text.isascii()):
        return False
    if not any(hint in text for hint in SAYS_I):
        return False
    lowered = text[:4000].lower()
    if not any(name in lowered for name in NAMES):
        return False
    return IS_MODEL.search(text[:4000]) is not None and not speaks_for_others(pair.instruction)


def _may_leak_identity(pair: Pair, glance: Glance) -> bool:
    words = glance.words
    return not NAMING_ONESELF.isdisjoint(words) and not SAID_OF_ONESELF.isdisjoint(words)


# One of each is in every alternative of IS_MODEL; "I'm" counts as two words.
NAMING_ONESELF = frozenset(("i", "me", "name"))
SAID_OF_ONESELF = frozenset(("am", "m", "was", "ve", "been", "me", "is", "call", "called"))


identity_leak = Rule(
    "identity_leak",
    severity="high",
    meaning="an answer in which the assistant says that it is some vendor's model",
    detect=_leaks_identity,
    possible=Possible(_may_leak_identity, NAMING_ONESELF | SAID_OF_ONESELF),
    example=("I am ChatGPT, a language model trained by OpenAI.", ""),
)


# ------------------------------------------------------------------------------------------------------- stale_cutoff

CUTOFF = re.compile(
    r"\b(?:as of|up to|until|prior to|since|at the time of) my (?:last|latest|most recent|current|final|knowledge|"
    r"training)\b"
    r"|\bmy (?:last|latest|most recent) (?:knowledge |training |data )?(?:update|training)\b"
    r"|\bmy (?:knowledge|training|training data|data|information|database)(?: base)? (?:cut-?off|(?:only )?(?:goes|"
    r"extends|ends|stops|runs|"
    r"reaches|is limited|is (?:only )?(?:current|up[- ]to[- ]date|accurate)|was last updated|has (?:a|not been)))\b"
    r"|\bknowledge cut-?off\b|\bmy cut-?off date\b"
    r"|\bi (?:was|have been|am) (?:last |only )?(?:trained|updated) (?:on (?:data|information) )?(?:up )?(?:to|"
    r"until|through|in|as of) "
    r"(?:\w+ )?20\d\d\b|我的(?:知识|训练数据|数据)(?:截止|更新)(?:至|到|于)?",
    re.IGNORECASE,
)


def _is_stale(pair: Pair) -> bool:
    text = pair.response
    if not (
        "my " in text or "My " in text or "cutoff" in text or "cut-off" in text or "trained" in text or "我的" in text
    ):
        return False
    return (
        CUTOFF.search(text) is not None
        and not _asks_assistant(pair.instruction)
        and not speaks_for_others(pair.instruction)
    )


def _may_be_stale(pair: Pair, glance: Glance) -> bool:
    words = glance.words
    return (
        ("my" in words and not DATED.isdisjoint(words))
        or ("knowledge" in words and ("cutoff" in words or "cut" in words))
        or ("i" in words and ("trained" in words or "updated" in words))
    )


# One of these comes after "my" in every alternative of CUTOFF.
DATED = frozenset((
    "last", "latest", "recent", "current", "final", "knowledge", "training", "data", "information", "database", "cut",
    "cutoff",
))  # fmt: skip
SAID_WITH_DATES = frozenset(("my", "i", "trained", "updated"))


# Younger answers are full of it; the sets read here were written before models learned to say it, so that it hardly
# ever fires on them.
stale_cutoff = Rule(
    "stale_cutoff",
    severity="medium",
    meaning="an answer that speaks of the end of its training data",
    detect=_is_stale,
    possible=Possible(_may_be_stale, DATED | SAID_WITH_DATES),
    example=("As of my last update in September 2021, the record stands at 9.58 seconds.", ""),
)
