"""Checks of whether there is an answer at all: nothing, a refusal, or the question again."""

import re

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.checks.non_answers import NOTHING_LIMIT, says_nothing
from hfclean.rules.answer import empty_output
from hfclean.rules.assistant import speaks_for_others
from hfclean.text.code_lines import code_lines
from hfclean.text.words import word_set

# What servers report when the model itself finished.
FINISHED = frozenset(("stop", "eos", "eos_token", "end_turn", "stop_sequence"))


def _unfinished(case: Case) -> bool:
    return case.finish_reason is not None and case.finish_reason not in FINISHED


unfinished = Check(
    "unfinished", "the model did not come to an end: a length limit, a filter or an error cut it off", _unfinished
)

LETTER = re.compile(r"\w")
# What a program prints for a missing value.
NO_VALUE = frozenset(
    ("null", "none", "nan", "undefined", "nil", "n/a", "[empty]", "(empty)", "<empty>", "(blank)", "not applicable")
)
BRACKETS = ".()[]<> "
# These alone are not an answer, only the place for one; the ambiguous ones may be an answer.
STAND_INS = word_set(
    """
    response answer output input result text content here insert your the a my to be go goes placeholder todo tbd none
    null nil nan empty blank n na no not nothing given provided available applicable missing value undefined example
    revised improved new final end of answered yet added follow follows pending
    """
)
AMBIGUOUS = word_set("a n no not none nothing the to be my your here yet new final of empty blank example missing")


def _empty_response(case: Case) -> bool:
    text = case.after.response
    if text == case.before.response:
        return False
    if not LETTER.search(text):
        return not text.strip() or not case.before.response.strip() or bool(LETTER.search(case.before.response))
    if len(text) > 40:
        return False
    if empty_output.detect(case.after) and not empty_output.detect(case.before):
        return True
    stripped = text.strip().lower()
    if stripped in NO_VALUE or stripped.strip(BRACKETS) in NO_VALUE:
        return (
            case.old.lower.strip(BRACKETS) != stripped.strip(BRACKETS)
            and stripped.strip(BRACKETS) not in case.asks.lower
        )
    words = case.new.vocabulary
    if not words <= STAND_INS or words <= AMBIGUOUS or not words.isdisjoint(case.asks.vocabulary):
        return False
    return not case.old.vocabulary <= STAND_INS


empty_response = Check("empty_response", "an answer that is empty, blank or a placeholder", _empty_response, 3)


def _empty_instruction(case: Case) -> bool:
    if case.same_task:
        return False
    before, after = case.before, case.after
    return bool(
        (LETTER.search(before.instruction) and not LETTER.search(after.instruction))
        or (LETTER.search(before.prompt) and not LETTER.search(after.prompt))
    )


empty_instruction = Check("empty_instruction", "an instruction that is gone", _empty_instruction)

HEAD = 320
# "I can't", and what an assistant cannot or will not do. Somebody in a story cannot do other things.
NOT_ABLE = (
    r"(?:can ?not|can['’]?t|could ?n[o'’]?t|(?:am|['’]m|are) (?:currently |really |simply )?(?:not able|unable|"
    r"not capable|not allowed|not permitted|not in a position|not comfortable|not programmed)|wo(?:n['’]t|"
    r"uldn['’]t)(?: be able)?|will not(?: be able)?|(?:must|have to|need to|will have to) (?:respectfully |"
    r"politely )?(?:decline|refuse|abstain)|(?:do not|don['’]t) (?:currently |actually )?(?:have|possess) (?:the |"
    r"any |direct |enough |sufficient |real-time )?(?:capabilit\w+|ability|abilities|access|permission|information|"
    r"means)|refuse|decline|am not going to|['’]m not going to)"
)
SERVICE = (
    r"(?:assist|help|fulfil\w*|comply|compl\w+ with|provide|answer|generate|create|draw|write|produce|perform|"
    r"complete|access|browse|do (?:that|this|it|so)|process|respond|continue|engage|discuss|support|offer|give|"
    r"tell you|share|determine|predict|execute|translate|summari[sz]e|carry out|participate|accommodate|revise|"
    r"rewrite|improve|edit|identify|analy[sz]e|with (?:that|this|your|the) )"
)
CANNOT = re.compile(
    rf"\b(?:i|we|it)(?: am afraid| regret|"
    rf" feel)?(?: (?:that )?i)?,? ?(?:\w+ly )?{NOT_ABLE}\b(?P<rest>[^.!?\n]{{0,60}})",
)
SERVES = re.compile(
    rf"\A\W{{0,3}}(?:(?:to|in|with|from|of) )?(?:\w+ly )?(?:{SERVICE}|\Z)|\A\W*\Z|\A (?:to|about|for|on|regarding|"
    rf"needed|required)\b",
    re.IGNORECASE,
)
SORRY = re.compile(r"\b(?:sorry|apologi[sz]e|apologies|unfortunately|i regret|afraid|forgive me)\b", re.IGNORECASE)
AS_AI = re.compile(
    r"\b(?:as|i am|i['’]m|being) (?:only |just )?an? (?:large |text-based |responsible |helpful )?(?:ai|artificial|"
    r"language|virtual|digital)\b",
    re.IGNORECASE,
)
AGAINST = re.compile(
    r"\b(?:against|violat\w+|goes against|outside(?: of)?|beyond) (?:my|our|the|openai['’]s|its) (?:\w+ ){0,3}"
    r"(?:polic\w+|guidelines?|programming|principles|capabilit\w+|scope|abilities|rules)\b"
    r"|\b(?:this|that|your|the) (?:request|task|instruction|prompt|question) (?:is |was )?(?:can ?not|can['’]t|"
    r"not possible|impossible|declined|inappropriate|violates|goes against|harmful)\b"
    r"|\b(?:unable|not able) to (?:assist|help|comply|fulfil\w*|complete|process|answer|provide|respond)\b"
    r"|\b(?:request|task) (?:has been |was |is )?(?:declined|denied|rejected|refused)\b"
    r"|(?:很抱歉|抱歉|对不起)[,，]?[^。\n]{0,30}(?:无法|不能|没有办法|没办法)"
    r"|作为(?:一个|一名|一款)?(?:AI|人工智能)[^。\n]{0,20}(?:无法|不能|没有|并不)"
    r"|\A\W*我(?:无法|不能)(?:回答|提供|协助|帮助|满足)"
    r"|\b(?:lo siento|désolée?|tut mir leid|desculpe|sinto muito|mi dispiace)\b",
    re.IGNORECASE,
)
# Answers that give nothing without declining outright: they begin with this and say little more.
NO_ANSWER = re.compile(
    r"\A\W*(?:(?:i['’]?m |i am )?(?:very |so )?(?:sorry|afraid)[,.!]? (?:but )?(?:that )?|"
    r"i apologi[sz]e[,.]? (?:but )?|unfortunately,? )?(?:as an? (?:ai|artificial|language|"
    r"virtual)[^,.\n]{0,40}, )?(?:i (?:really )?(?:don['’]?t|do not) (?:actually )?know\b|i(?:['’]m|"
    r" am) (?:not sure|uncertain) (?:how|what|which|about)\b|i (?:don['’]?t|do not) (?:feel comfortable|"
    r"have (?:any )?(?:personal |real |human )?(?:feelings|opinions?|preferences|emotions|beliefs))|i(?:['’]m|"
    r" am) (?:just |only )?an? (?:ai|language model|chat ?bot)\b|i (?:can|may) only (?:help|assist|answer|"
    r"discuss)\b|(?:that|this|it)(?:['’]s| is|) (?:not|isn['’]?t) (?:something|anything|possible|a (?:task|"
    r"thing))[^.\n]{0,20}\b(?:i|me|we)\b|(?:that|this|it|(?:your|the|this) (?:question|request|task))(?:['’]s| is| "
    r"falls) (?:out of|outside|outside of|beyond) (?:the |my |our )?scope(?=\W*\Z|[.!,;]| for (?:me|us)\b| of (?:what|"
    r"my|our)\b)|(?:the|this) (?:assistant|model|ai|chat ?bot) (?:can ?not|can['’]?t|"
    r"is (?:unable|not able)|does not|will not)|(?:(?:error: )?(?:cannot|can['’]?t|can not|unable to|"
    r"not able to) (?:answer|assist|help|process|comply|generate|"
    r"complete|provide|fulfil\w*|perform|do)\b|request denied|no answer\b))",
    re.IGNORECASE,
)
ASKS_BACK = re.compile(
    r"\A\W*(?:(?:i['’]?m |i am )?sorry[,.!]? (?:but )?|i apologi[sz]e[,.]? (?:but )?|"
    r"unfortunately,? )?(?:i (?:would |will )?(?:need|require) (?:some |a bit |a little )?(?:more|further|"
    r"additional) (?:information|context|details?)|(?:could|can|would|will) you (?:please |kindly )?(?:provide|"
    r"share|clarify|specify|give|tell|paste|rephrase)\b|please (?:provide|share|specify|clarify|paste|upload|enter|"
    r"give|rephrase)\b|there (?:is|was) no \w+ (?:provided|given|attached)|(?:it (?:seems|looks|appears) (?:that |"
    r"like )?)?(?:you (?:have|had|did|were)(?: not|n['’]?t)|no \w+ (?:has|have|was|were|is|had)) (?:been )?"
    r"(?:provided?|given?|"
    r"attach(?:ed)?|included?|specif(?:ied|y))\b)",
    re.IGNORECASE,
)
SAYS_LITTLE = 240
SOMEBODY_ELSE = 1.5  # extra certainty needed if the words may be those of a character in a story
LETTER_HEAD = re.compile(r"\s*(?:dear|subject:) ?\S", re.IGNORECASE)
# A refusal that then helps anyway: an answer follows.
TURNS = re.compile(
    r"\b(?:however|but|that said|instead|nevertheless|in this context|here (?:is|are)|here['’]s|according to)\b",
    re.IGNORECASE,
)
ENOUGH_AFTER, LONG_ANSWER = 200, 700
NEGATIONS = word_set(
    """
    cannot can't cant not couldn couldn't couldnt won't wouldn't don't unable decline declined declines refuse refused
    rejected denied abstain impossible inappropriate violates violate against beyond outside harmful leid siento
    desculpe sinto dispiace desolee
    """
)
DECLINING = (
    "can't,cannot,can not,can’t, cant ,could not,couldn,won't,won’t,wouldn,will not,unable,not able,not capable,not "
    "allowed,not permitted,not in a,not comfortable,not programmed,not going,don't have,don’t have,do not have,don't "
    "possess,do not possess,currently have,currently possess,actually have,actually possess,declin,refus,reject,"
    "denied,abstain,"
    "not possible,impossible,inappropriate,violat,against,beyond m,beyond the scope,outside m,outside of m,"
    "outside the scope,outside of the scope,harmful,désol,leid,siento,desculpe,sinto,dispiace,"
    "无法,不能,没有,没办法,并不"
)
HINTS = tuple(DECLINING.split(","))


def _refuses(text: TextFacts, *, asked: str = "") -> bool:
    """Whether an answer declines the task, or asks back, and leaves it at that."""
    whole = text.text
    if LETTER_HEAD.match(whole):
        return False  # its writer is another person
    if len(whole) <= SAYS_LITTLE:
        nothing = NO_ANSWER.match(whole) or (None if speaks_for_others(asked) else ASKS_BACK.match(whole))
        if nothing:
            return TURNS.search(whole, nothing.end()) is None
    if whole.isascii() and text.vocabulary.isdisjoint(NEGATIONS):
        return False  # nearly every answer ends here
    head = whole[:HEAD].lower()
    if not any(hint in head for hint in HINTS):
        return False
    found = _declining(head)
    if found < 0 or len(whole) - found > LONG_ANSWER:
        return False
    turn = TURNS.search(whole, found, found + HEAD)
    return turn is None or len(whole) - turn.end() < ENOUGH_AFTER


def _declining(head: str) -> int:
    """Where the head of an answer has declined, or -1."""
    against = AGAINST.search(head)
    if against:
        return against.end()
    excused = SORRY.search(head) or AS_AI.search(head)
    for match in CANNOT.finditer(head):
        opening = len(head[: match.start()].strip(" \"'*->\n")) <= 3
        if not (excused and excused.start() < match.end()) and not opening:
            continue
        if SERVES.match(match.group("rest")):
            return match.start("rest")
    return -1


def _refusal(case: Case) -> bool:
    if case.after.response == case.before.response:
        return False
    asked = case.asked.text
    return _declines(case, asked) and not _declines(case.as_it_was, asked)


def _declines(case: Case, asked: str) -> bool:
    if _refuses(case.new, asked=asked):
        return True
    surely = says_nothing(case) - NOTHING_LIMIT
    if surely <= 0 or LETTER_HEAD.match(case.new.text):
        return False
    return surely > SOMEBODY_ELSE or not speaks_for_others(asked)


refusal = Check("refusal", "an answer that declines the task, which the original did not", _refusal, 4)

SHORTEST_ECHO, FEWEST_SPACES = 16, 2
LONGEST_ECHO = 6000
EDGES = " \t\r\n*_#>\"'“”‘’`-.:;,!?。：？！"
COMMENTS = ('"""', "'''", "#", "//", "/*", "<!-", "--")
# What follows the repeat of a question that is complete, not the beginning of a longer sentence.
STANDS_ALONE = re.compile(r"[\"'”’*_`]{0,3}(?:[.?!:。？！：][\"'”’*_`]{0,3}(?:\s|\Z)|[ \t]*(?:\n|\Z))")
LABEL_BEFORE = re.compile(r"(?:\A|\n)[^\n]{0,40}[:：>\]][ \t*\"“'`]*\Z|(?:\A|\n)[\s*#>\"“'`-]*\Z")


def _echo(case: Case) -> bool:
    after, before = case.after, case.before
    answer = after.response
    if answer == before.response and case.same_task:
        return False
    for asked in dict.fromkeys((after.instruction, before.instruction)):
        question = asked[:LONGEST_ECHO].strip(EDGES)
        if len(question) < SHORTEST_ECHO or question.count(" ") < FEWEST_SPACES or question not in answer:
            continue
        if _stands_alone(question, answer) and not _stands_alone(question, before.response):
            return True
    for given in (after.input, after.prompt):
        given = given[:LONGEST_ECHO].strip()
        if len(given) >= SHORTEST_ECHO and answer.strip() == given != before.response.strip():
            return True
    return (
        after.instruction != before.instruction
        and len(answer) >= 60
        and answer in after.instruction
        and before.response not in before.instruction
    )


def _stands_alone(question: str, answer: str) -> bool:
    """Whether the answer has the question in it, on its own and not within a sentence."""
    if answer.lstrip()[:3].startswith(COMMENTS) and code_lines(answer):
        return False  # the task as a comment over a program
    at = answer.find(question)
    while at >= 0:
        if STANDS_ALONE.match(answer, at + len(question)) and LABEL_BEFORE.search(answer[max(0, at - 60) : at]):
            return True
        at = answer.find(question, at + len(question))
    return False


echo = Check("echo", "an answer that repeats the question, or a question that holds the answer", _echo)
