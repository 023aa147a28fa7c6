"""Rules about markup that belongs to a prompt template or a tokenizer, not to the text.

Markers are cut off at the two ends of a field, where nothing of the text can be lost; between two pieces of text they
are only reported, since what stands around them may be a second conversation. A text that shows them on purpose (in
code, in quotes, or because the row is about them) is left alone.
"""

from __future__ import annotations

import re

from hfclean.rules.rule import Rule, asked_about, has_mark
from hfclean.schema import Pair
from hfclean.text import without_code

__all__ = ["chat_markers"]

ROLE = r"(?:system|user|assistant|model|human|gpt|tool|ipython|developer)"
# Tokens that no prose contains. The first alternative also takes the role that a start token announces.
TOKEN = (
    rf"(?:<\|(?:im_start|start_header_id|start)\|>(?:\s?{ROLE}\b)?(?:<\|end_header_id\|>)?"
    rf"|<start_of_turn>(?:\s?{ROLE}\b)?"
    r"|<\|[A-Za-z][\w.-]{0,40}\|>|<｜[^｜<>\n]{1,40}｜>"
    r"|<end_of_turn>|\[/?INST\]|<</?SYS>>|\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS)\]"
    r"|<(?:bos|eos|eom|eot|eod|sop|eop|endoftext|end_of_text)>|\[(?:gMASK|sMASK)\]"
    r"|//\s?(?:end of (?:output|text|response|answer)|eom)\s?//|\[end of (?:text|output|response|answer)\])"
)
# Headings of instruction templates: only with their colon, and only where the template puts them.
OPENS_PROMPT = r"#{2,3}\s?(?:Instruction|Human|User|Prompt)s?:"
OPENS_INPUT = r"#{2,3}\s?Input:"
OPENS_ANSWER = r"#{2,3}\s?(?:Response|Assistant|Output|Answer|Completion):"

INDENTED = re.compile(r"\n[ \t]+\S")
ANY_TOKEN = re.compile(TOKEN, re.IGNORECASE)
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
QUOTES = "\"'“”‘’«»`"
LONGEST_MARKER = 300

ABOUT_MARKERS = re.compile(
    r"\bchatml\b|\btokens?\b|(?:chat|prompt|instruction)[- ](?:template|format)|\btokeni[sz]|\bprompt engineering|"
    r"strike-?through|<s>|\bhtml\b|\bmarkup\b|\btags?\b|\bmarkers?\b|\bdelimiters?\b|\bmean\b",
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
    for name in ("instruction", "input", "response"):
        text = getattr(pair, name)
        if text and _hints(text) and (_inside(text, name) or _cut(text, name) != text):
            return not asked_about(ABOUT_MARKERS, pair.instruction) and not ABOUT_TEMPLATES.search(text)
    return False


def _without_markers(pair: Pair) -> Pair:
    if asked_about(ABOUT_MARKERS, pair.instruction):
        return pair
    changed = {}
    for name in ("instruction", "input", "response"):
        text = getattr(pair, name)
        if text and _hints(text) and not ABOUT_TEMPLATES.search(text):
            cut = _cut(text, name)
            if cut != text:
                changed[name] = cut
    return pair.replace(**changed) if changed else pair


def _cut(text: str, name: str) -> str:
    """The field without the markers at its ends; a field that holds nothing else becomes empty."""
    struck = _has_struck(text)
    start, end = 0, len(text)
    while match := LEADING.match(text, start) or HEADING_FIRST[name].match(text, start):
        if _quoted(text, match) or (struck and match.group().lstrip().lower() == "<s>"):
            break
        start = match.end()
    fenced = text.count("```") % 2 == 1  # in a fence that nothing closes, the end of the text is code
    while not fenced:
        last = _before_space(text, start, end)
        window = max(start, last - LONGEST_MARKER)
        match = TRAILING.search(text, window, last) or HEADING_LAST[name].search(text, window, last)
        if match is None or _quoted(text, match) or (struck and "</s>" in match.group().lower()):
            break
        end = match.start()
    if start == 0 and end == len(text):
        return text
    kept = text[start : _before_space(text, start, end) if end < len(text) else end]
    if start:
        # The space after a marker goes with it; the indentation of a first line that is code stays.
        kept = kept.lstrip("\r\n")
        kept = kept if INDENTED.search(kept) else kept.lstrip(" ")
    return kept


def _before_space(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def _has_struck(text: str) -> bool:
    """Whether the text strikes words through with `<s>` and `</s>`, which also begin and end sequences."""
    if "<s>" not in text or "</s>" not in text:
        return False
    bare = ANY_TOKEN.sub("", text).strip()
    return text.count("<s>") > 1 or not (
        bare.startswith("<s>") and bare.index("</s>") + 4 * text.count("</s>") == len(bare)
    )


def _quoted(text: str, match: re.Match[str]) -> bool:
    start, end = match.span()
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return before != "" and after != "" and before in QUOTES and after in QUOTES


def _inside(text: str, name: str) -> bool:
    plain = without_code(text)
    if any(not _quoted(plain, match) for match in ANY_TOKEN.finditer(plain)):
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
)
