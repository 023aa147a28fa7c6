"""Rules about what was asked: merged tasks, missing or repeated inputs, gaps left open."""

from __future__ import annotations

import re
from itertools import islice

from hfclean.rules.answer import LONGEST_PLACEHOLDER, is_placeholder
from hfclean.rules.code import last_block
from hfclean.rules.glance import Glance, Possible
from hfclean.rules.requests import TASKS_WANTED
from hfclean.rules.rule import Rule, asked_about
from hfclean.schema import Pair
from hfclean.text import without_code
from hfclean.text.words import ALPHANUMERICS

# ---------------------------------------------------------------------------------------------------------- next_task

# A generator that was asked for many numbered tasks writes on: "11. Instruction: ... 11. Input: ... 11. Output: ...".
NEXT_TASK = re.compile(
    r"(?:^|\n)[ \t]*(?:#{2,5}|/{2,3}|-{3,}|={3,})?\s{0,4}(\d{1,3})[ \t]?[.)][ \t]?(?:Instruction|Task|Question)\s?:",
    re.IGNORECASE,
)
MOST_TASKS = 20
PARTS = r"\n\s{{0,3}}{number}[ \t]?[.)][ \t]?(?:Input|Output|Response)\s?:"


def _next_task(text: str) -> int:
    """Where the next task of a generated series begins in a text, or -1."""
    if "\n" not in text or ":" not in text:  # one character is found much faster than a word
        return -1
    if "nstruction" not in text and "Task" not in text and "Question" not in text:
        return -1
    for match in islice(NEXT_TASK.finditer(text), MOST_TASKS):
        if re.search(PARTS.format(number=match.group(1)), text[match.end() : match.end() + 4000], re.IGNORECASE):
            return match.start()
    return -1


def _runs_on(pair: Pair) -> bool:
    if _next_task(pair.response) >= 0 and not TASKS_WANTED.named_in(pair.instruction):
        return True
    return _next_task(pair.input) >= 0 or _next_task(pair.instruction) >= 0


# Lines that separate the tasks of a series, and what numbers or names the next one: "###", "7.", "Task 2", "-".
SEPARATOR = re.compile(r"[\s#/=*_~-]+")
LOOSE_END = re.compile(r"\s(?:[#=]{2,}|/{2,})\Z")
DEBRIS = re.compile(
    r"\W*(?:(?:tasks?|instructions?|questions?|inputs?|outputs?|responses?|answers?|examples?|exercises?|prompts?|no|"
    r"nr|"
    r"number|end)\b)?\W*\d*\W*|.*\s#+",
    re.IGNORECASE,
)


def _cut_next_task(pair: Pair) -> Pair:
    start = _next_task(pair.response)
    if start <= 0 or TASKS_WANTED.named_in(pair.instruction):
        return pair
    number = NEXT_TASK.match(pair.response, start)
    if number is None or int(number.group(1)) < 2:  # a series that begins here is the answer
        return pair
    kept = _without_separators(pair.response[:start])
    return pair.replace(response=kept) if kept and kept != pair.input.strip() else pair


def _without_separators(text: str) -> str:
    """The text before the next task without the separator, or "" if it has no clean end."""
    lines = text.rstrip().split("\n")
    while lines and SEPARATOR.fullmatch(lines[-1] or " "):
        lines.pop()
    kept = LOOSE_END.sub("", "\n".join(lines).rstrip()).rstrip()
    last = kept[kept.rfind("\n") + 1 :]
    if not kept or DEBRIS.fullmatch(last) or kept[-1] in ":：":
        return ""
    return "" if last.lstrip().startswith(("```", "~~~")) and last_block(kept) is None else kept


def _may_run_on(pair: Pair, glance: Glance) -> bool:
    return ord("\n") in glance.marks and ord(":") in glance.marks


next_task = Rule(
    "next_task",
    severity="high",
    meaning="two tasks merged: the text runs on into the next numbered instruction of a generated series",
    detect=_runs_on,
    possible=Possible(_may_run_on),
    repair=_cut_next_task,
    example=("An apple.\n###\n7. Instruction: Name a city.\n7. Input:\n<noinput>\n7. Output:\nRome", "An apple."),
    version=2,
)


# ------------------------------------------------------------------------------------------------------ missing_input

MATTER = (
    r"(?:sentences?|text|article|passage|paragraph|story|poem|essay|e-?mail|letter|document|snippet|data ?set|data|"
    r"table|list|"
    r"image|picture|photo(?:graph)?|painting|chart|graph|diagram|figure|video|audio|clip|song|words?|phrases?|"
    r"quotes?|statements?|"
    r"equations?|conversation|dialogue|tweet|headline|transcript|sketch|drawing|sculpture|artwork|map|screenshot|"
    r"recording|report|"
    r"speech|review|paper|abstract|code|lyrics|comic|logo)"
)
# What can be given, beside matter: only "the following problem", never "this problem", which may be any.
GIVEN = (
    r"(?:numbers?|items?|input|information|facts?|ingredients|questions?|problem|scenario|situation|description|"
    r"prompt|"
    r"sequence|string|array|values|options|examples?|message|character|product|plot|novel|book|movie|film|object|"
    r"animal|"
    r"criteria|attributes?|adjectives?|nouns?|verbs?|symptoms|argument|claim|opinion|elements|events?|points|"
    r"concepts?|"
    r"date|location|address|recipe|blog post|website|link|url|post|title|quotation|expression|set of \w+|piece of \w+)"
)
POINTS_AT = re.compile(
    rf"\b(?:the|these|this) (?:following|given|provided|attached|supplied|shown|above|"
    rf"below)(?: [\w-]+){{0,2}} (?:{MATTER}|{GIVEN})\b"
    rf"|\b(?:the )?(?:following|provided|attached|supplied) (?:{MATTER}|{GIVEN})\b|\bgiven (?:{MATTER})\b"
    rf"|\b(?:this|these) (?:\w+ )?{MATTER}\b|\b{MATTER} (?:below|above|provided|in the link)\b"
    r"|\bthe attached (?:file|document|image|picture)\b",
    re.IGNORECASE,
)
# The matter itself: after a colon, in quotes, on the next line, as a number, in a second sentence.
HOLDS_MATTER = re.compile(
    r"[:\"“”‘`{}<>=;(\d\n]|(?<![a-z])'\w|\w'(?!\w)|[.?!]\s*\S|\w, \w[^,]{0,30}, |[a-z][A-Z][a-z]| - |https?|www"
)
# Tasks in which "the given string" is a parameter, and things that are pointed at but not given.
GENERAL = re.compile(
    r"\b(?:program|function|algorithm|class|query|regex|regular expression|macro|method|model|app|application|"
    r"system|formula|"
    r"database|api|tool|website that|a given|any given|every given|each given|neural|classifier|previous|"
    r"earlier|last|"
    r"next|own|template|using this|in this way|this list of|given that|given the fact|sentence structure|python|java|"
    r"game|quiz|experiment|survey)\b",
    re.IGNORECASE,
)
SHORTEST_POINTER, LONGEST_POINTER = 12, 220


def _may_point(asked: str) -> bool:
    # A chain of "in", not any(): nearly every row without an input comes here.
    return (
        "ollowing" in asked
        or "given" in asked
        or "Given" in asked
        or "rovided" in asked
        or "ttached" in asked
        or "upplied" in asked
        or "shown" in asked
        or "below" in asked
        or "above" in asked
        or "this " in asked
        or "This " in asked
        or "these " in asked
        or "in the link" in asked
    )


def _lacks_input(pair: Pair) -> bool:
    asked = pair.instruction
    if pair.history or pair.system or not SHORTEST_POINTER < len(asked) < LONGEST_POINTER:
        return False
    if pair.input and not is_placeholder(pair.input, asked):
        return False
    if not _may_point(asked):
        return False
    asked = asked.strip()
    match = POINTS_AT.search(asked)
    if match is None or HOLDS_MATTER.search(asked.rstrip(".?!: ")) or GENERAL.search(asked):
        return False
    # What comes after the pointer must be the rest of the request, not the thing itself.
    return len(asked) - match.end() < 90


def _may_lack_input(pair: Pair, glance: Glance) -> bool:
    return len(pair.input) <= LONGEST_PLACEHOLDER and not POINTERS.isdisjoint(glance.asked)


# One of these is in every alternative of POINTS_AT.
POINTERS = frozenset(
    ("following", "given", "provided", "attached", "supplied", "shown", "above", "below", "this", "these", "link")
)


missing_input = Rule(
    "missing_input",
    severity="high",
    meaning="an instruction about something given, with nothing given",
    detect=_lacks_input,
    possible=Possible(_may_lack_input, POINTERS),
    example=("Describe the following painting in two sentences.", ""),
)


# ----------------------------------------------------------------------------------------------------- repeated_input

SHORTEST_REPEAT = 12


def _flat(text: str) -> str:
    return " ".join(ALPHANUMERICS.findall(text.lower()))


def _repeats_input(pair: Pair) -> bool:
    given = pair.input
    if len(given) < SHORTEST_REPEAT or len(given) > 4 * len(pair.instruction) + SHORTEST_REPEAT:
        return False
    middle = given[
        len(given) // 3 : len(given) // 3 + 5
    ]  # five letters that both must hold, before anything is folded
    if middle not in pair.instruction and middle.lower() not in pair.instruction.lower():
        return False
    flat_input, asked = _flat(given), _flat(pair.instruction)
    if len(flat_input) < SHORTEST_REPEAT:
        return False
    if flat_input == asked:
        return True
    return flat_input.count(" ") >= 2 and (
        f" {flat_input} " in f" {asked} " or (asked.count(" ") >= 3 and flat_input.startswith(asked + " "))
    )


def _same_input(pair: Pair) -> Pair:
    # Repeated word for word, the input adds nothing. Quoted inside the instruction it may be where it belongs.
    if pair.response.strip() == pair.input.strip():  # "Repeat the following."
        return pair
    if _repeats_input(pair) and _flat(pair.input) == _flat(pair.instruction):
        return pair.replace(input="")
    return pair


repeated_input = Rule(
    "repeated_input",
    severity="low",
    meaning="an input that says again what the instruction says",
    detect=_repeats_input,
    repair=_same_input,
    example=("Name three rivers in Asia.", ""),
    version=2,
)


# --------------------------------------------------------------------------------------------------- leftover_fill_in

NAMED = (
    r"(?:insert|enter|add|fill in|your|my|his|her|their|our|name|names|company|date|recipient|sender|address|"
    r"city|state|position|"
    r"job|title|product|customer|client|employer|manager|boss|professor|teacher|friend|phone|e-?mail|contact|"
    r"organi[sz]ation|"
    r"university|school|college|department|industry|location|amount|number|event|topic|reason|website|business|team|"
    r"order|"
    r"first|last|full|hiring|first name|occupation|hobby|place|link|link to|signature|brand|service|project|venue|"
    r"time|day|month|year)"
)
FILL_IN = re.compile(
    rf"\[(?:{NAMED})(?:['’]s)?(?:[ /_-][\w'’/ .,&-]{{0,50}})?\](?![(\[:=])"
    r"|<(?:insert|your|enter) [\w'’ -]{1,40}>|<(?:name|company name|date|your_name)>"
    r"|\{\{ ?(?:name|author|your|company|date|insert|customer|recipient|state|city)(?:[ _][\w ]{0,30})?\}\}"
    r"|(?<![\w}$])(?-i:\{(?:Your|Company|Name|Date|Insert|Customer|Recipient)(?: \w{1,20}){0,3}\})"
    r"|\((?:insert|your name|enter your) ?[\w'’ -]{0,40}\)|\bINSERT [A-Z]{3,}(?: [A-Z]+)* HERE\b",
    re.IGNORECASE,
)
OPENER = re.compile(r"[\[<{(]")
WANTED = re.compile(
    r"template|placeholder|\bforms?\b|fill[- ]?in|blank|mad[- ]?libs?|\bformat\b|\bcode\b|\bprogram|function|"
    r"\bscript\b|query|"
    r"\bbrackets?\b|\bregex|syntax|command|\bhtml|\bjson\b|\bsql\b|\bapi\b|\bpython\b|\bjava|variables?\b|"
    r"\bcontract\b|boilerplate|"
    r"sample\b|yaml|config|\bpattern|模板",
    re.IGNORECASE,
)


def _gap(text: str) -> re.Match[str] | None:
    """The first match of `FILL_IN`; its openers are searched for much faster than all of it."""
    if not text.isascii() or "insert" in text.lower():
        return FILL_IN.search(text)
    for opener in OPENER.finditer(text):
        if match := FILL_IN.match(text, opener.start()):
            return match
    return None


def _has_fill_in(pair: Pair) -> bool:
    text = pair.response
    if not ("[" in text or "<" in text or "{" in text or "nsert " in text or "INSERT" in text):
        return False
    match = _gap(text)
    if match is None or asked_about(WANTED, pair.instruction):
        return False
    found = match.group().lower()
    if found in pair.instruction.lower() or found in pair.input.lower():
        return False
    if "`" in text or "{" in found:
        plain = without_code(text)
        return FILL_IN.search(plain) is not None and not (
            "{" in found and (";" in plain or "${" in plain or "=" in plain)
        )
    return True


def _may_have_fill_in(pair: Pair, glance: Glance) -> bool:
    marks, text = glance.marks, pair.response
    return (
        not OPENERS.isdisjoint(marks)
        or not INSERT.isdisjoint(glance.words)
        or (ord("(") in marks and ("nsert " in text or "INSERT" in text))
    )


# What FILL_IN matches opens with one of these, but for "INSERT NAME HERE" and what stands in parentheses.
OPENERS = frozenset(b"[<{")
INSERT = frozenset(("insert",))


leftover_fill_in = Rule(
    "leftover_fill_in",
    severity="low",
    meaning="a gap that nobody filled in, where no template was asked for",
    detect=_has_fill_in,
    possible=Possible(_may_have_fill_in, INSERT),
    example=("Dear [insert name], thank you for coming.", ""),
)
