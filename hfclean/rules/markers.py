"""Rules about markup that belongs to a prompt template or a tokenizer, not to the text.

Markers are cut off at the two ends of a field, where no text can be lost; between two pieces of text they
are only reported, since the text around them may be a second conversation. One text goes with them: a turn of the user
that an answer makes up behind the marker of its own end (see `following_turns`), and what comes after it. Only turn
and end markers of the table (`marker_table`) are cut: content markers stay, unknown ones are reported. A text that
shows them on purpose (in code, in quotes, in a sentence about them) is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hfclean.rules.following_turns import following_turn
from hfclean.rules.glance import has_mark
from hfclean.rules.marker_table import REMOVABLE, kind_of
from hfclean.rules.markup_mentions import joins
from hfclean.rules.needed_words import found_in
from hfclean.rules.rule import Rule, asked_about
from hfclean.schema import Pair
from hfclean.text import without_code

ROLE = r"(?:system|user|assistant|model|human|gpt|tool|ipython|developer|available_tools)"
START = r"<\|(?:im_start|start_header_id|header_start|start_of_role|start)\|>|<\|?start_of_turn\|?>"
HEADER_END = r"<\|(?:end_header_id|header_end|end_of_role)\|>"
REST = "|".join(
    re.escape(text) for text in REMOVABLE if not re.fullmatch(rf"{START}|{HEADER_END}", text, re.IGNORECASE)
)
# Turn and end markers. The first alternative also takes the role that a start token announces.
TOKEN = (
    rf"(?:(?:{START})(?:\s?{ROLE}\b)?(?:{HEADER_END})?|{HEADER_END}|{REST}"
    r"|//\s?(?:end of (?:output|text|response|answer)|eom)\s?//|\[end of (?:text|output|response|answer)\])"
)
# Anything that looks like a marker, known or not.
MARKER = r"<\|/?[A-Za-z][\w.▁-]{0,40}\|>|<｜[^｜<>\n]{1,40}｜>"
# Headings of instruction templates: only with their colon, and only where the template puts them.
OPENS_PROMPT = r"#{2,3}\s?(?:Instruction|Human|User|Prompt)s?:"
OPENS_INPUT = r"#{2,3}\s?Input:"
OPENS_ANSWER = r"#{2,3}\s?(?:Response|Assistant|Output|Answer|Completion):"

INDENTED = re.compile(r"\n[ \t]+\S")
TURN = re.compile(TOKEN, re.IGNORECASE)
ANY_TOKEN = re.compile(rf"{TOKEN}|{MARKER}", re.IGNORECASE)
# The beginnings of these: a search for them alone is much faster.
OPENER = re.compile(r"[<\[/]")
OPENS = re.compile(r"\s*[<\[/#]")
# A text in one of these forms is entirely a template: channels, a gap to fill.
IN_FORM = re.compile(
    r"<\|channel\|>[\w ./=<|>-]{1,200}?<\|message\|>|<\|?fim_(?:prefix|suffix|middle)\|?>|<｜fim▁|"
    r"<\|code_(?:prefix|suffix|middle)\|>|<(?:PRE|SUF|MID)>|<\|startoftranscript\|>|"
    r"^USER: [^\n]{0,2000}\n*ASSISTANT:|^A chat[^\n]{0,200}\s+USER: ",
    re.MULTILINE,
)
FILLS_GAP = re.compile(
    r"<\|?fim_(?:prefix|suffix|middle)\|?>|<｜fim▁|<\|code_(?:prefix|suffix|middle)\|>|<(?:SUF|MID)>"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a sentence says before a marker that it mentions; "An apple <|im_end|>" does not mention one.
LEADS_IN = _words(
    "is are be was with as by to write writes written writing use uses used called named means mean token marker "
    "it end ends begins es ist sind heißt mit lautet steht schreibt c'est est sont avec par écrit utilise son "
    "está con usa escribe è sono scrive é são com escreve het met schrijft er med hedder skriver to jest są z "
    "pisze ez az van este sunt cu scrie bu şu это с такой пишет"
)
SENTENCE_END = ".!?。！？…:;：；)）]\"'”’»*_`~"
AFTER_MENTION = ",;:?)]、，。？：；）」』»”’"
END_OF_SEQUENCE = re.compile("</s>")
LEADING = re.compile(rf"\s*(?:{TOKEN}|<s>)", re.IGNORECASE)
# A run of them at once: degenerate answers end in thousands. Only ever searched in a short window.
TRAILING = re.compile(rf"(?:(?:{TOKEN}|</s>)\s*)+\Z", re.IGNORECASE)
HEADING_FIRST = {
    "instruction": re.compile(rf"\s*{OPENS_PROMPT}", re.IGNORECASE),
    "input": re.compile(rf"\s*{OPENS_INPUT}", re.IGNORECASE),
    "response": re.compile(rf"\s*{OPENS_ANSWER}", re.IGNORECASE),
}
HEADING_LAST = {
    "instruction": re.compile(rf"{OPENS_ANSWER}\s*\Z", re.IGNORECASE),
    "input": re.compile(rf"{OPENS_ANSWER}\s*\Z", re.IGNORECASE),
    "response": re.compile(rf"(?:{OPENS_PROMPT}|{OPENS_INPUT}|#{{3}}\s?End\b:?)\s*\Z", re.IGNORECASE),
}
# In an answer, a template's heading in the middle starts another conversation.
HEADING_INSIDE = re.compile(rf"^(?:{OPENS_PROMPT}|#{{2,3}}\s?Assistant:)", re.IGNORECASE | re.MULTILINE)
LONE_ANSWERS = frozenset(text for text in REMOVABLE if text[0] == "<" and ("end" in text or text == "<eos>")) | {
    "</s>"
}
ENDS_TURN = re.compile(r"end|eo[dmst]\b", re.IGNORECASE)
# A turn of the user: an answer that opens with it shows a template, or holds another speaker's turn.
ASKER = re.compile(r"user|human|\[inst\]|prompter", re.IGNORECASE)
# What is not a text by itself: the commas of a list of markers, the mark of a list, the lead-in of what is named.
NO_TEXT = re.compile(r"[\s,;/|&+•*–-]*|(?s:.*)(?:(?:^|\n)[ \t]*(?:[-*•+]|\(?\d{1,3}[.)])|[:：=|])[ \t]*\Z")
QUOTES = "\"'“”„‘’‚«»‹›「」『』`"
LONGEST_MARKER = 300

ABOUT_MARKERS = re.compile(
    r"\bchatml\b|\btokens?\b|(?:chat|prompt|instruction)[- ](?:template|format)|\btokeni[sz]|\bprompt engineering|"
    r"\bstr(?:ike|uck)\b|strike-?through|cross(?:ed)?\b.{0,30}\bout\b|durchgestrichen|durchstreich|\bbarr(?:é|"
    r"er|ez)|tachad|riscad|"
    r"doorgestreept|doorhal|overstreg|przekreśl|áthúz|üstü çizili|зач[её]рк|перечерк|删除线|刪除線|取り消し線|"
    r"취소선|<s>|\bhtml\b|\bmarkup\b|\btags?\b|\bmarkers?\b|\bdelimiters?\b|\bmean\b|"
    r"\bend of (?:a|the|each|every) (?:turn|sequence|utterance)\b|\bspecial ids?\b|\bvocabular|\bvicuna\b|\bgpt-?\d|"
    r"\bjetons?\b|\bbalises?\b|\bmarqueurs?\b|\bmarcador|\betiquetas?\b|\bmarcator|znacznik|markierung|"
    r"steuerzeichen|"
    r"токен|маркер|\bтег|标记|標記|标签|词元|トークン|タグ|마커|토큰|태그|وسم|رمز|टोकन|टैग",
    re.IGNORECASE,
)
ABOUT_TEMPLATES = re.compile(r"\bchatml\b|special tokens?\b|(?:chat|prompt)[- ]template|\btokeni[sz]", re.IGNORECASE)


def _hints(text: str) -> bool:
    # What each marker needs, looked for in C before any pattern runs.
    return (
        "<" in text
        or ("#" in text and "##" in text)  # one character is found much faster than two
        or ("/" in text and "//" in text)
        or (
            "[" in text
            and ("INST]" in text or "MASK]" in text or "[end of" in text or "SYSTEM_PROMPT]" in text or "TOOL" in text)
        )
    )


def _has_markers(pair: Pair) -> bool:
    if not (_hints(pair.response) or _hints(pair.instruction) or _hints(pair.input)):
        return False  # nearly every row ends here
    for name in ("instruction", "input", "response"):
        text = getattr(pair, name)
        if text and _hints(text) and (_inside(text, name) or _cut(text, name, hold=False) != text):
            return not _is_about(pair) and not found_in(ABOUT_TEMPLATES, text) and not found_in(IN_FORM, text)
    return False


def _without_markers(pair: Pair) -> Pair:
    if _is_about(pair):
        return pair
    changed = {}
    for name in ("instruction", "input", "response"):
        text = getattr(pair, name)
        if text and _hints(text) and not found_in(ABOUT_TEMPLATES, text) and not found_in(IN_FORM, text):
            cut = _cut(_without_following(text, pair) if name == "response" else text, name)
            if cut != text:
                changed[name] = cut
    return pair.replace(**changed) if changed else pair


def _without_following(text: str, pair: Pair) -> str:
    """An answer without the turn of the user that it makes up behind its own, where that is certain."""
    end = following_turn(text, pair.instruction)
    if end < 0:
        return text
    own = LEADING.match(text)
    start = own.end() if own else 0
    if ASKER.search(text, 0, start) or any(
        kind_of(m.group()) != "content" for m in _matches(ANY_TOKEN, text[start:end])
    ):
        return text  # more turns than its own are there
    return text[:end].rstrip()


def _is_about(pair: Pair) -> bool:
    """Whether the row speaks about markers, in its words or with one as a word of a sentence, or fills a gap."""
    if "<" in pair.instruction and FILLS_GAP.search(pair.instruction):
        return True
    return asked_about(ABOUT_MARKERS, pair.instruction) or any(
        _speaks(text) for text in (pair.instruction, pair.input, pair.response) if text and _hints(text)
    )


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The matches of TURN or ANY_TOKEN in a text, as `finditer` gives them."""
    start = 0
    while opener := OPENER.search(text, start):
        match = pattern.match(text, opener.start())
        start = match.end() if match else opener.end()
        if match:
            yield match


def _speaks(text: str) -> bool:
    first = LEADING.match(text)
    turns = first is not None and ENDS_TURN.search(first.group()) is None
    last = -1
    for count, match in enumerate(_matches(ANY_TOKEN, text)):
        if count > 200:  # a degenerate answer, no sentence
            return False
        between = text[last : match.start()] if last >= 0 else ""
        if (between.strip() and "\n" not in between and joins(between)) or _spoken(text, match, turns=turns):
            return True
        last = match.end()
    return False


def _spoken(text: str, match: re.Match[str], *, turns: bool) -> bool:
    """Whether the marker is a word of a sentence: the text around it continues as if it were one."""
    if _quoted(text, match):
        return True
    start, end = match.span()
    if turns:  # "[INST] name a fruit [/INST] a plum"
        return False
    before, after = text[start - 1 : start], text[end : end + 1]
    if not after:
        return False
    if not before or before == "\n":
        # "<|im_end|> closes a turn": as a leak, a marker at the start opens a turn.
        ends = ENDS_TURN.search(match.group()) is not None and "text" not in match.group().lower()
        return ends and (_is_caseless(after) or (after in " -" and _goes_on(text[end + 1 : end + 2])))
    if after in AFTER_MENTION and (before.isspace() or before.isalpha()):
        return True
    if (
        after in ".!"
        and before == " "
        and text[start - 2 : start - 1].isalpha()
        and not text[end + 1 : end + 2].isalpha()
    ):
        return True
    if before in " (" and text[start - 2 : start - 1] not in SENTENCE_END:
        follows = text[end + 1 : end + 2]
        return (after == " " and _goes_on(follows)) or (after == "-" and follows.isalpha()) or _is_caseless(after)
    return _is_caseless(before) and (_is_caseless(after) or (after == " " and _is_caseless(text[end + 1 : end + 2])))


def _goes_on(letter: str) -> bool:
    return letter.isalpha() and not letter.isupper()


def _is_caseless(letter: str) -> bool:
    return letter.isalpha() and letter.lower() == letter.upper()


def _cut(text: str, name: str, *, hold: bool = True) -> str:
    """The field without the markers at its ends; a field that holds nothing else becomes empty.

    With `hold`, what may be a word of the text stays, and so do all when other turns are left between them.
    """
    struck = _has_struck(text)
    start, end = 0, len(text)
    while OPENS.match(text, start) and (match := LEADING.match(text, start) or HEADING_FIRST[name].match(text, start)):
        if _quoted(text, match) or (struck and match.group().lstrip().lower() == "<s>"):
            break
        start = match.end()
    fenced = text.count("```") % 2 == 1  # in a fence that nothing closes, the end of the text is code
    while not fenced:
        last = _before_space(text, start, end)
        window = max(start, last - LONGEST_MARKER)
        match = _trailing(text, window, last) or (
            HEADING_LAST[name].search(text, window, last) if "##" in text[window:last] else None
        )
        if match is None or _quoted(text, match) or (struck and "</s>" in match.group().lower()):
            break
        end = match.start()
    if start == 0 and end == len(text):
        return text
    if hold and _may_belong(text, name, start, end):
        return text
    kept = text[start : _before_space(text, start, end) if end < len(text) else end]
    if start:
        # The space after a marker goes with it; the indentation of a first line that is code stays.
        kept = kept.lstrip("\r\n")
        kept = kept if INDENTED.search(kept) else kept.lstrip(" ")
    return kept


def _trailing(text: str, start: int, end: int) -> re.Match[str] | None:
    """The first match of TRAILING, which begins with an opener."""
    openers = (opener.start() for opener in OPENER.finditer(text, start, end))
    return next(filter(None, (TRAILING.match(text, place, end) for place in openers)), None)


def _may_belong(text: str, name: str, start: int, end: int) -> bool:
    """Whether a marker that would be cut may be a word of the text or the half of something that stays."""
    kept = text[start:end]
    if "<" in kept or "[" in kept:
        # Several turns in one text: without its edges nobody could tell where they begin.
        plain = without_code(kept)
        if any("endoftext" not in match.group() for match in _matches(TURN, plain)):
            return True
    if name == "response" and start and ASKER.search(text, 0, start):
        return True
    if not kept.strip():  # an answer that is one end marker may be the answer; a run of them is none
        return name == "response" and text.strip().lower() in LONE_ANSWERS
    if NO_TEXT.fullmatch(kept[-LONGEST_MARKER:]) and "\n" not in text[_before_space(text, 0, end) : end]:
        return True
    last, cut = _before_space(text, 0, end), text[end:].strip()
    if start or not cut or "\n" in text[last:end]:
        return False
    word, spaced = text[last - 1], last < end
    words = kept.split()
    about_words = len(words) > 2 or name == "instruction" or _is_caseless(word) or words[-1].lower() in LEADS_IN
    return spaced and word.isalnum() and about_words and TURN.fullmatch(cut) is not None


def _before_space(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def _has_struck(text: str) -> bool:
    """Whether the text strikes words through with `<s>` and `</s>`, which also begin and end sequences."""
    if "<s>" not in text or "</s>" not in text:
        return False
    bare = TURN.sub("", text).strip()
    return text.count("<s>") > 1 or not (
        bare.startswith("<s>") and bare.index("</s>") + 4 * text.count("</s>") == len(bare)
    )


def _quoted(text: str, match: re.Match[str]) -> bool:
    start, end = match.span()
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return before != "" and after != "" and before in QUOTES and after in QUOTES


def _inside(text: str, name: str) -> bool:
    plain = without_code(text)
    for match in _matches(ANY_TOKEN, plain):
        if kind_of(match.group()) != "content" and not _quoted(plain, match):
            return True
    if name == "response" and "##" in plain and HEADING_INSIDE.search(plain):
        return True
    if "</s>" not in plain or "<s>" in plain or "<" in plain.replace("</s>", ""):
        return False
    return any(not _quoted(plain, match) for match in END_OF_SEQUENCE.finditer(plain))


chat_markers = Rule(
    "chat_markers",
    severity="high",
    meaning="markers of a chat template, a prompt or a tokenizer that leaked into the text",
    detect=_has_markers,
    possible=has_mark("<#/["),
    repair=_without_markers,
    example=("<|im_start|>assistant\nAn apple.<|im_end|>", "An apple."),
    scope="text",
    version=3,
)
