"""The check for text of the revision process that leaked into the result: labels, prompts, rubrics."""

import re

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.rules.markers import chat_markers
from hfclean.text.numbers import NUMBER
from hfclean.text.words import word_set

# The labels of the forms in which a pair is shown to a model, and of the forms in which it answers. A word that is
# also prose ("Input:" in an example) counts only beside another of them.
LABEL = re.compile(
    r"^[ \t>*_#\[<`-]{0,6}(?P<label>(?:revised |improved |new |updated |original |rewritten |better |the |"
    r"current )?(?:instruction|input|response|output|answer|question|prompt|pair|user|assistant|human|system|"
    r"task))[ \t]?(?:\d|\(\w+\))?[ \t*_`]{0,3}[:：\]>][ \t*_`\]>]{0,4}(?=\S|$)",
    re.IGNORECASE | re.MULTILINE,
)
OURS = re.compile(r"\A(?:revised |improved |new |updated |original |rewritten |better |current |the )", re.IGNORECASE)
SURE_PAIRS = (
    ("instruction", "response"),
    ("instruction", "input"),
    ("instruction", "output"),
    ("instruction", "answer"),
)
PAIRS = (
    ("input", "response"),
    ("input", "output"),
    ("question", "answer"),
    ("user", "assistant"),
    ("human", "assistant"),
    ("system", "user"),
    ("task", "response"),
    ("prompt", "response"),
)
FIRST_LABELS = {
    "response": ("response", "instruction", "assistant", "output"),
    "instruction": ("instruction", "response", "prompt", "output", "input"),
    "input": ("instruction", "response", "prompt", "output", "input"),
}
OPENS = re.compile(r"\binstruction:", re.IGNORECASE)
GOES_ON = re.compile(r"\b(?:response|output|input):", re.IGNORECASE)
TAGS = re.compile(
    r"</?(?:revised_|improved_|new_|original_)?(?:instruction|response|input|output|answer|pair|prompt|rubric|"
    r"criteria|critique|revision|thinking|think|reasoning|analysis|scratchpad)s?>|\[/?(?:revised |improved |new |"
    r"end of )?(?:instruction|response|input|pair|prompt|revision|end|begin)s?\]|"
    r"\[/?(?:(?:revised|improved|new|original|final|end of|start of|begin) ){1,3}"
    r"(?:instruction|response|input|output|answer|pair|text|version)\]|"
    r"^(?:-{3,}|={3,}|\*{3,}|<{3,}|#{3,}) ?(?:begin|end|start)? ?(?:of )?(?:the )?(?:revised |new )?"
    r"(?:instruction|response|input|pair|prompt)\b|"
    r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|</s>|<(?:bos|eos|start_of_turn|end_of_turn|end_of_text)>|"
    r"\{\{? ?(?:instruction|input|response|output|prompt) ?\}\}?|\$\$\$ ?(?:instruction|input|response)",
    re.IGNORECASE | re.MULTILINE,
)
DIMENSION = (
    r"(?:readability|feasibility|contextuali[sz]ation|correctness|relevance|comprehensiveness|richness|"
    r"humani[sz]ation|safety|helpfulness|accuracy|clarity|coherence|conciseness|completeness|depth|level of detail|"
    r"factuality|harmlessness|complexity|specificity|creativity|engagement|tone|grammar|structure|quality|overall)"
)
SCORED = re.compile(
    rf"\b{DIMENSION}(?: score| rating)?(?:\*\*|__)?[ \t]*[:=\-–][ \t]*(?:\*\*|__)?\d{{1,3}}(?:\.\d+)?"
    r"(?:[ \t]?(?:/|out of)[ \t]?\d{1,3}|\b(?=[ \t]*(?:[,;.)\n]|$)))",
    re.IGNORECASE,
)
VERDICT = re.compile(
    r"^[ \t*_#>-]{0,5}(?:overall |total |final |my |quality )?(?:score|rating|grade|verdict|evaluation|critique|"
    r"assessment|feedback|criteria|criterion|rubric|reasoning|rationale|analysis of the (?:instruction|response|"
    r"answer|original))(?: of the (?:response|answer|instruction))?[ \t*_]{0,3}[:：]",
    re.IGNORECASE | re.MULTILINE,
)
REQUEST = re.compile(
    r"\bbelow is an instruction that\b|\bwrite a response that (?:appropriately|best|correctly) (?:completes|"
    r"answers)\b|\b(?:improve|revise|rewrite|refine|polish|edit|evaluate|rate|score|critici[sz]e|criti\w+|enhance|"
    r"correct) (?:the|this|these|that|my|both)(?: \w+){0,2} (?:instruction|response|answer|pair|"
    r"output)s?\b(?=.{0,80}\b(?:more|so that|specific|detailed|logical|grammatical\w*|criteria|following|below|pair|"
    r"input|response|instruction|quality|scale|score)\b)|\b(?:you are|act as) an? (?:\w+ ){0,3}(?:assistant|editor|"
    r"reviser|annotator|judge|evaluator|expert) (?:that|who|whose|tasked|and your|for revis\w+)\b|\b(?:do not|"
    r"don['’]t|only|just) (?:output|return|reply with|write|print|give|respond with) (?:only )?(?:anything|"
    r"any other|the revised|the improved|the rewritten)\b",
    re.IGNORECASE,
)
# A pair as an object, the form that some revisers are asked for.
AS_OBJECT = re.compile(
    r"\A\s*(?:```\w{0,20}\s{0,9})?\{\s{0,99}[\"'](?:\w{1,20}_)?"
    r"(?:instruction|input|response|output|answer|prompt|completion)[\"']\s{0,9}:",
    re.IGNORECASE,
)
# Headings of a form, alone on their line. "Instructions" and "Output" are also those of recipes and programs.
OURS_ONLY = r"(?:original|improved|revised|new|rewritten|updated|better|final)"
HEADED = re.compile(
    rf"^[ \t]{{0,3}}(?:#{{1,6}}[ \t]{{0,9}}|\*\*)(?:(?:{OURS_ONLY} )?(?:instruction|response)|"
    rf"{OURS_ONLY} (?:input|output|answer))\*{{0,2}}:?\*{{0,2}}[ \t]{{0,9}}$",
    re.IGNORECASE | re.MULTILINE,
)
# A mark alone on its line.
MARK = re.compile(
    r"^[ \t*_(]{0,4}(?:\[\[[\w.]{1,4}\]\]|\d{1,3}(?:\.\d)?[ \t]?(?:/|out of)[ \t]?(?:5|10|100)|[★⭐☆]{2,5})"
    r"[ \t*_).]{0,4}$",
    re.MULTILINE,
)
# The row itself is about such things.
ABOUT_PROMPTS = re.compile(
    r"\b(?:prompt|instruction-tuning|rubric|grading|chat ?bot|chatgpt|gpt|language model|template|dialogue|"
    r"conversation|interview|q ?& ?a|quiz|faq|script|chat|questions? and answers?|survey|exam|test cases?|function|"
    r"program|code|algorithm|api|html|xml|trivia|questionnaire)\b",
    re.IGNORECASE,
)
ABOUT_MARKS = re.compile(
    r"\b(?:rates?|ratings?|scor\w+|grad(?:e|es|ing)|assess\w*|rank\w*|rubrics?|criteri\w+|judg\w+|metrics?|"
    r"evaluat\w+ (?!the "
    r"(?:\w+ )?(?:expression|equation|integral|formula|sum|function)))\b",
    re.IGNORECASE,
)
ABOUT_SCORES = re.compile(
    rf"{ABOUT_MARKS.pattern}|\b(?:reviews?|scale|feedback|tests?|exams?|surveys?|report|statistics|points?)\b",
    re.IGNORECASE,
)
SHORTEST_LINE = 24
# Words of which a text must have one before a pattern is run over it.
FORM_WORDS = word_set("instruction response output assistant prompt revised improved updated rewritten original")
SCORE_WORDS = word_set(
    """
    score rating grade verdict evaluation critique assessment feedback criteria criterion rubric rationale reasoning
    analysis
    """
)
DIMENSION_WORDS = word_set(
    """
    readability feasibility contextualization contextualisation correctness relevance comprehensiveness richness
    humanization humanisation safety helpfulness accuracy clarity coherence conciseness completeness depth detail
    factuality harmlessness complexity specificity creativity engagement tone grammar structure quality overall
    """
)
# This many of these together belong to a rubric.
RUBRIC_WORDS = word_set(
    """
    readability feasibility contextualization contextualisation correctness relevance comprehensiveness richness
    humanization humanisation helpfulness accuracy coherence conciseness completeness factuality harmlessness clarity
    """
)
MOST_RUBRIC_WORDS = 4
PAIR_WORDS = word_set("instruction instructions response responses answer answers pair pairs output outputs")
REQUEST_VERBS = word_set(
    """
    below completes improve revise rewrite refine polish edit evaluate rate score criticize criticise critique enhance
    correct
    """
)
ROLES = word_set("assistant editor reviser annotator judge evaluator expert")
ORDERS = word_set("output return reply write print give respond")
EXCLUDING = frozenset(("only", "just", "don't", "don’t", "not"))


def _labels(text: TextFacts) -> frozenset[str]:
    words = text.vocabulary
    if words.isdisjoint(FORM_WORDS) and not ("question" in words and "answer" in words):
        return frozenset()
    return frozenset(match.group("label").lower() for match in LABEL.finditer(text.text))


def _leaks(case: Case) -> bool:
    before, after = case.before, case.after
    if after.response != before.response and _leaks_into(case.new, case.old, case, "response"):
        return True
    if not case.same_task:
        for name in ("instruction", "input"):
            text, old = getattr(after, name), getattr(before, name)
            if text != old and _leaks_into(TextFacts(text), TextFacts(old), case, name):
                return True
    return chat_markers.detect(after) and not chat_markers.detect(before)


def _leaks_into(new: TextFacts, old: TextFacts, case: Case, name: str) -> bool:
    text, before, asked = new.text, old.text, case.asked.text[:3000]
    labels = _labels(new)
    if labels:
        labels -= _labels(old)
        if labels and _is_form(labels, text, name, asked):
            return True
    if _may_be_tagged(text) and TAGS.search(text) and not TAGS.search(before + "\n" + asked):
        return True
    if name == "response" and _is_wrapped(text, before, asked):
        return True
    if "instruction" in new.vocabulary and _runs_on(text) and not _runs_on(before):
        return True
    if _marks(new) and not _marks(old) and not ABOUT_MARKS.search(asked):
        return True
    if _judges(new) and not _judges(old) and not ABOUT_SCORES.search(asked):
        return True
    if _requests(new, before, asked, name):
        return True
    return case.prompt != "" and _quotes(case.prompt, text, before, case)


def _is_wrapped(text: str, before: str, asked: str) -> bool:
    """Whether the answer is put as an object or under headings of a form, or given a mark."""
    if AS_OBJECT.match(text) and not AS_OBJECT.match(before):
        return "json" not in asked.lower() and "dictionary" not in asked.lower()
    if ("#" in text or "**" in text) and HEADED.search(text) and not HEADED.search(before):
        return HEADED.search(asked) is None and not ABOUT_PROMPTS.search(asked)
    if ("[[" in text or "/" in text or "out of" in text or "★" in text or "⭐" in text) and MARK.search(text):
        return not MARK.search(before) and not NUMBER.search(asked) and not ABOUT_SCORES.search(asked)
    return False


def _may_be_tagged(text: str) -> bool:
    return (
        "<" in text or "[" in text or "{{" in text or "$$$" in text or "---" in text or "===" in text or "***" in text
    )


def _may_request(words: frozenset[str]) -> bool:
    return (
        (not words.isdisjoint(PAIR_WORDS) and not words.isdisjoint(REQUEST_VERBS))
        or (not words.isdisjoint(ROLES) and ("you" in words or "act" in words))
        or (not words.isdisjoint(ORDERS) and not words.isdisjoint(EXCLUDING))
    )


def _requests(new: TextFacts, before: str, asked: str, name: str) -> bool:
    """Whether the text holds the instructions of a model that revises pairs."""
    if not _may_request(new.vocabulary):
        return False
    text = new.text
    asks = REQUEST.search(text)
    if not asks or REQUEST.search(before) or REQUEST.search(asked):
        return False
    whole_pair = "nstruction" in text[asks.start() : asks.end() + 80] and "instruction" not in asked.lower()
    return whole_pair or name != "response" or not ABOUT_PROMPTS.search(asked)


def _is_form(labels: frozenset[str], text: str, name: str, asked: str) -> bool:
    """Whether new labels in the text are those of a form, not of its content."""
    asked = asked.lower()
    if any(label in OWN_FORMS and label not in asked for label in labels):
        return True
    bare = {OURS.sub("", label) for label in labels}
    if any(one in bare and other in bare for one, other in SURE_PAIRS):
        return True
    if any(one in bare and other in bare for one, other in PAIRS):
        return not ABOUT_PROMPTS.search(asked)
    first = LABEL.match(text.lstrip())
    label = OURS.sub("", first.group("label").lower()) if first else ""
    if label not in bare or label in asked:
        return False
    return label in FIRST_LABELS[name]


OWN_FORMS = frozenset(
    f"{how} {what}"
    for how in ("revised", "improved", "updated", "rewritten", "better", "original", "new", "current")
    for what in ("instruction", "response", "input", "output", "answer", "pair", "prompt")
)


def _runs_on(text: str) -> bool:
    """Whether a whole form is in one line, as in "Instruction: ... Response: ..."."""
    opened = OPENS.search(text)
    return opened is not None and GOES_ON.search(text, opened.end()) is not None


def _marks(text: TextFacts) -> bool:
    """Whether the text gives several dimensions a number each, or lists those of a rubric."""
    words = text.vocabulary
    if len(words & RUBRIC_WORDS) >= MOST_RUBRIC_WORDS:
        return True
    if words.isdisjoint(DIMENSION_WORDS) or not text.numbers:
        return False
    return len({match.group().lower() for match in SCORED.finditer(text.text)}) >= 2


def _judges(text: TextFacts) -> bool:
    """Whether a line of the text starts with a verdict and a number."""
    if text.vocabulary.isdisjoint(SCORE_WORDS):
        return False
    verdict = VERDICT.search(text.text)
    return verdict is not None and NUMBER.search(text.text, verdict.end(), verdict.end() + 24) is not None


def _quotes(prompt: str, text: str, before: str, case: Case) -> bool:
    """Whether a line of the reviser's own prompt stands in the text, and not in the row."""
    for line in prompt.splitlines():
        line = line.strip()
        if len(line) >= SHORTEST_LINE and line in text and line not in before and line not in case.asked.text:
            return True
    return False


rubric_leak = Check("rubric_leak", "labels, criteria or scores of the revising that got into the text", _leaks, 2)
