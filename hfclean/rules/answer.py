"""Rules that compare an answer, or an input, with what was asked."""

from __future__ import annotations

import re

from hfclean.rules.broken_code import code_breaks_off
from hfclean.rules.code import last_block
from hfclean.rules.needed_words import found_in
from hfclean.rules.requests import COVERED, SAID_AGAIN, SAME_WORDS_ABROAD, WORDS_AS_MATTER
from hfclean.rules.rule import Rule, asked_about
from hfclean.schema import Pair, unknown_roles
from hfclean.text.endings import breaks_off, may_break_off
from hfclean.text.request_language import language_of_request
from hfclean.text.words import ALPHANUMERICS

# -------------------------------------------------------------------------------------------------- placeholder_input

LONGEST_PLACEHOLDER = 40
SHORT_PLACEHOLDER, SHORT_TASK = 9, 60
# What generators write for an empty input, letters only: "<No input.>", "(no input)", "N/A".
SAYS_NO_INPUT = re.compile(
    r"(?:there is |there s |has |with )?(?:no|not?|without|non|zero|empty|blank|null|any) ?"
    r"(?:additional |further |extra |specific |other )?(?:inputs?|context|data|information)"
    r"(?: ?(?:is |was |are )?(?:required|needed|necessary|provided|given|available|specified|supplied|"
    r"applicable|here|field))?(?: for this (?:task|instruction|question|prompt))?"
    r"|(?:input )?(?:is )?(?:not (?:applicable|required|needed|provided|available|specified|given)|unavailable)"
    r"|n a|no inputs?|noinputs?|nan|无输入|没有输入|无需输入|不需要输入|输入为空|なし|入力なし|입력 없음|нет ввода"
    r"|aucune entrée|pas d entrée|sin entrada|ninguna entrada|no hay entrada|keine eingabe|nessun input|sem entrada"
)
PAIRED = (("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"))
NOT_ENGLISH = re.compile(r"[^\x00-\x7f]|aucune|pas d|sin |ningun|no hay|keine|nessun|sem ")
WORD_ALONE = re.compile(
    r"none|null|nil|nothing|empty|blank|void|ningun[oa]|keine?|aucune?|nada|nenhum|无|没有|空|not? any"
)
# Instructions for which one word may be the thing to work on, and those that bring their own.
NEEDS_INPUT = re.compile(
    r"\b(?:this|these|that|following|given|below|above|provided|the (?:words?|phrases?|sentences?|text|string|"
    r"values?|"
    r"list|input|expression|term|answer|statement|name|number|variable|message|item)|translate|define|synonyms?|"
    r"antonyms?|"
    r"opposite|spell|pronounce|rhymes?)\b|以下|下列|给定|单词|词语|翻译|这个",
    re.IGNORECASE,
)
HOLDS_MATTER = re.compile(r"[:：\n]\s*\S|[\"“「]|'\w+'")
ABOUT_ERRORS = re.compile(r"\b(?:error|warning|exception|traceback)\b", re.IGNORECASE)
TRAILING_TOKEN = re.compile(r"\s*\n\s*[\\`\"'<(\[]{0,4}<? ?no ?input ?\\?>[\\`\"')\].]{0,4}\s*\Z", re.IGNORECASE)


# Tasks about the letters of the input.
OF_LETTERS = re.compile(
    r"\bmean(?:s|ing|t)?\b|\bstands? for\b|\babbreviat|\bacronym|\breverse|\bspell|\bcharacters?\b|\bletters?\b|"
    r"\bcount\b|\bexpand\b|\b(?:upper|lower)case\b|\bstatus\b|\bis it\b|\bparse\b|\bconvert it\b|\bhow many\b|"
    r"\bpalindrom|\bmorse\b|\bein wort\b|\ba word\?|\bprintout\b|\bcell\b|\bsensor|\bmissing\b|\bevaluate\b|"
    r"\btype of\b|"
    r"\bdata ?type|\A\W*(?:sort|translate|classify|rewrite|correct|define|pronounce)\W*\Z",
    re.IGNORECASE,
)


def is_placeholder(text: str, instruction: str) -> bool:
    """Whether an input only says that there is none."""
    if not text or len(text) > LONGEST_PLACEHOLDER:
        return False
    words = " ".join(ALPHANUMERICS.findall(text.lower()))
    short = len(words) < SHORT_PLACEHOLDER and "put" not in words and len(instruction) < SHORT_TASK
    if short and found_in(OF_LETTERS, instruction):
        return False
    if not words:  # "-", "...", "<>"
        bare = text.strip(" \t\r\n-–—._…<>()[]{}\"'`/\\") == "" and not _needs_input(instruction)
        return bare and all(text.count(opener) == text.count(closer) for opener, closer in PAIRED)  # else it is code
    if SAYS_NO_INPUT.fullmatch(words):
        if asked_about(ABOUT_ERRORS, instruction):
            return False
        if (
            NOT_ENGLISH.match(words)
            and WORDS_AS_MATTER.named_in(instruction, "")
            and not HOLDS_MATTER.search(instruction)
        ):
            return False  # "sin entrada" may be what is to be translated
        return words not in " ".join(ALPHANUMERICS.findall(instruction.lower()))
    if WORD_ALONE.fullmatch(words):
        return not _needs_input(instruction)
    return False


# The languages of NEEDS_INPUT; of others `requests` knows words.
KNOWN_WELL = ("en", "zh")


def _needs_input(instruction: str) -> bool:
    if HOLDS_MATTER.search(instruction):
        return False
    if asked_about(NEEDS_INPUT, instruction):
        return True
    language = language_of_request(instruction)
    if language in KNOWN_WELL:
        return False
    return language not in COVERED or WORDS_AS_MATTER.named_in(instruction, language)


def _has_placeholder(pair: Pair) -> bool:
    return pair.input != "" and _without_placeholder(pair) is not pair


def _without_placeholder(pair: Pair) -> Pair:
    text = pair.input
    end = len(text)
    if "\n" in text and ">" in text[-LONGEST_PLACEHOLDER:]:
        while match := TRAILING_TOKEN.search(text, max(0, end - LONGEST_PLACEHOLDER), end):
            end = match.start()
    if is_placeholder(text[:end], pair.instruction):
        return pair.replace(input="")
    return pair if end == len(text) else pair.replace(input=text[:end])


placeholder_input = Rule(
    "placeholder_input",
    severity="medium",
    meaning='an input that only says there is none ("N/A", "<noinput>")',
    detect=_has_placeholder,
    repair=_without_placeholder,
    example=("<No input>", ""),
    version=2,
)


# --------------------------------------------------------------------------------------------------- instruction_echo

SHORTEST_ECHO = 12
FEWEST_ECHO_WORDS = 3
LONGEST_ECHO = 2000
LABEL = re.compile(r"(?:instruction|question|task|prompt|q)\s?:\s*", re.IGNORECASE)
ANSWER_LABEL = re.compile(r"\s*(?:\*\*)?(?:answer|response|output|a)\s?:(?:\*\*)?\s*", re.IGNORECASE)
DRESS = " \t*_#>\"'“”`"
CODE_BELOW = re.compile(r"[;{}=]|\b(?:def|import|print|function|class|SELECT)\b")
# Tasks whose answer is made from the instruction's own words.
SAME_WORDS = re.compile(
    r"\b(?:repeat|rewrite|re-write|copy|echo|say|quote|recite|complete|continue|finish|fill|translate|edit|correct|"
    r"proofread|rephrase|paraphrase|reword|transcribe|spell|capitali[sz]e|convert|transform|reverse|headline|title|"
    r"poem|story|song|lyrics|begins? with|starts? with|starting with|beginning with)\b|重复|续写|翻译|改写|完成",
    re.IGNORECASE,
)


def _bare(line: str) -> str:
    return line.strip(DRESS).rstrip(".:?!。：？！*_ ")


def _echo_end(pair: Pair) -> int:
    """Where the repeated instruction ends in the answer, or 0 when the answer does not repeat it.

    Only a verbatim repeat on its own lines counts, label and Markdown dress apart: an answer that takes up the
    words of the question in its first sentence is good style.
    """
    asked, answer = pair.instruction.strip(), pair.response
    if len(asked) < SHORTEST_ECHO or len(asked) > LONGEST_ECHO or len(answer) < len(asked) - 1:
        return 0
    begin = len(answer) - len(answer.lstrip(" \t\r\n*_#>\"'“”`"))
    label = LABEL.match(answer, begin)
    begin = label.end() if label else begin
    bare = _bare(asked)
    if not bare or not answer.startswith(bare, begin):
        return 0
    end = answer.find("\n", begin + len(bare))
    end = len(answer) if end < 0 else end
    if _bare(answer[begin:end]) != bare or (len(bare.split()) < FEWEST_ECHO_WORDS and bare.isascii()):
        return 0
    if asked[-1] not in ".?!:。？！：" and not label:  # a phrase without an end is a topic, and its repeat a title
        return 0
    if answer[begin:end].rstrip("* \t_")[-1:] == ":" != asked[-1]:  # the words of the task as the lead-in of a list
        return 0
    heading = answer[:begin].strip()
    if heading.startswith(('"""', "'''", "#")) and CODE_BELOW.search(answer, end, end + 200):
        return 0  # the task as a comment over a program
    return end


def _takes_up_words(instruction: str) -> bool:
    """Whether a task is answered in its own words, in any known language."""
    if asked_about(SAME_WORDS, instruction):
        return True
    if language_of_request(instruction) == "en":
        return False
    return SAME_WORDS_ABROAD.named_in(instruction, "") or SAID_AGAIN.named_in(instruction, "")


def _has_echo(pair: Pair) -> bool:
    return _echo_end(pair) > 0 and not _takes_up_words(pair.instruction)


def _without_echo(pair: Pair) -> Pair:
    end = _echo_end(pair)
    if not end or _takes_up_words(pair.instruction) or not language_of_request(pair.instruction):
        return pair
    rest = pair.response[end:]
    label = ANSWER_LABEL.match(rest)
    rest = rest[label.end() :] if label else rest.lstrip("\r\n")
    if not rest.strip() or rest.strip() == pair.input.strip():
        return pair
    after = pair.replace(response=rest)
    return pair if _echo_end(after) else after  # several repeats are a loop, not a preface


instruction_echo = Rule(
    "instruction_echo",
    severity="medium",
    meaning="an answer that first repeats the instruction word for word",
    detect=_has_echo,
    repair=_without_echo,
    example=(
        "Why is the sky blue?\n\nAir scatters blue light more than red light.",
        "Air scatters blue light more than red light.",
    ),
    version=2,
)


# ------------------------------------------------------------------------------------------------------- empty_output

LONGEST_EMPTY = 40
SAYS_NO_OUTPUT = re.compile(
    r"no ?(?:out ?put|response|answer)(?: (?:is )?(?:required|needed|provided|available|given|generated|possible))?"
    r"|no ?input|output not (?:available|provided|possible)"
)
GENERATIVE = re.compile(
    r"\s*(?:please )?(?:design|write|create|generate|compose|describe|explain|draft|develop|outline|summari[sz]e|"
    r"discuss|tell)\b",
    re.IGNORECASE,
)
ABOUT_SIGNS = re.compile(
    r"punctuat|symbol|character|bracket|parenthes|\bbraces?\b|\bsigns?\b|\bmarks?\b|morse|operator|emoji|ellips|dash|dots?\b",
    re.IGNORECASE,
)


def _is_empty(pair: Pair) -> bool:
    text = pair.response
    if len(text) > LONGEST_EMPTY:
        return text.isspace()
    text = text.strip()
    if not text:
        return not (pair.history and unknown_roles(pair))  # then the answer may be there, under another name
    if text[0] not in "<([{nN-.…_`\"'\\":
        return False
    words = " ".join(ALPHANUMERICS.findall(text.lower()))
    if not words:
        if text.strip(" -–—.…_<>()[]{}`\"'\\") or asked_about(ABOUT_SIGNS, pair.instruction):
            return False
        # a task of nothing but brackets is answered by some
        return bool(text.strip("<>()[]{} ")) or any(map(str.isalpha, pair.prompt))
    if words == "n a":
        return GENERATIVE.match(pair.instruction) is not None
    return SAYS_NO_OUTPUT.fullmatch(words) is not None and words not in pair.instruction.lower()


empty_output = Rule(
    "empty_output",
    severity="high",
    meaning="an answer that is empty, blank or a placeholder",
    detect=_is_empty,
    example=("<nooutput>", ""),
    version=3,
)


# --------------------------------------------------------------------------------------------------- truncated_output

NOT_SENTENCES = re.compile(
    r"\b(?:poem|song|lyrics?|haiku|verse|rhyme|limerick|sonnet|code|sql|query|regex|complete the|fill in|keywords?|"
    r"hashtags?|tags|first (?:part|half|line)|beginning of|opening line|word search|template|form|"
    r"questionnaire|title|"
    r"headline|slogan)\b",
    re.IGNORECASE,
)


# Tasks whose answer may be code that is not whole.
PARTS_OF_CODE = re.compile(
    r"\b(?:complete the|fill in|first (?:part|half|lines?)|beginning of|snippet|skeleton|stub|excerpt|fragment|"
    r"incomplete|"
    r"unfinished|partial|brackets?|parenthes[ie]s|syntax error|missing|one-?liner)\b",
    re.IGNORECASE,
)


def _has_broken_code(pair: Pair) -> bool:
    block = last_block(pair.response)
    return block is not None and code_breaks_off(*block) and not asked_about(PARTS_OF_CODE, pair.instruction)


def _is_truncated(pair: Pair) -> bool:
    text = pair.response
    if (("`" in text and "```" in text) or ("~" in text and "~~~" in text)) and _has_broken_code(pair):
        return True
    if text[-1:].isspace():
        text = text.rstrip()
    return may_break_off(text) and not asked_about(NOT_SENTENCES, pair.instruction) and breaks_off(text)


truncated_output = Rule(
    "truncated_output",
    severity="medium",
    meaning="an answer that breaks off in the middle of a sentence, a list or a block of code",
    detect=_is_truncated,
    example=("1. Wash the rice until the water is clear.\n2. Boil it with twice as much water and then let the", ""),
    version=2,
)
