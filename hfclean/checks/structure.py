"""Checks of structure: what a text is made of, beside its words, has to be there afterwards.

Thoughts, places of pictures, gaps of templates, tags that were asked for, tool calls, languages of code, tables and
patches. Each compares the same field before and after, so that what was broken before is held against nobody.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

from hfclean.checks.check import Case, Check
from hfclean.checks.verified import parses_as_marked
from hfclean.text.thoughts import FORMS, HARMONY, INNER_TAGS, read_thought, split_thought

LONGEST_CALL = 100_000
CALLED_WITH = frozenset(("arguments", "parameters"))


def _texts(case: Case) -> Iterator[tuple[str, str]]:
    """Each field that changed, before and after."""
    for name in ("response", "instruction", "input"):
        old, new = getattr(case.before, name), getattr(case.after, name)
        if old != new:
            yield old, new


# ------------------------------------------------------------------------------------------------------- thought_lost

THOUGHT = re.compile(rf"<(/?)({'|'.join(INNER_TAGS)})>", re.IGNORECASE)
LEAST_THOUGHT = 0.25  # of the length of the old one


def _thoughts(text: str) -> Counter[str]:
    """How many thoughts of each kind a text holds; `odd` counts tags without their other half."""
    counts: Counter[str] = Counter()
    if "<" in text:
        depth: Counter[str] = Counter()
        for closes, name in THOUGHT.findall(text):
            name = name.lower()
            if not closes:
                depth[name] += 1
            elif depth[name]:
                depth[name] -= 1
                counts[name] += 1
            else:
                counts["odd"] += 1
        counts["odd"] += depth.total()
    for form in FORMS:
        if form.opening in text or form.closing in text:
            opened, closed = text.count(form.opening), text.count(form.closing)
            counts[form.opening] = min(opened, closed)
            # the end of a thought in harmony is that of every message
            counts["odd"] += max(0, opened - closed) if form is HARMONY else abs(opened - closed)
    return counts


def _length(thought: str) -> int:
    return len("".join(THOUGHT.sub("", thought).split()))


def _front_thought(text: str) -> str:
    parts = read_thought(text)
    return parts.thought if parts else ""


def _shortened(old: str, new: str) -> bool:
    return old != new and _length(new) < LEAST_THOUGHT * _length(old)


def _thought_lost(case: Case) -> bool:
    if _shortened(split_thought(case.before).thought, split_thought(case.after).thought):
        return True
    return any(
        (before := _thoughts(old)) - (after := _thoughts(new)) - Counter(odd=len(old)) != Counter()
        or after["odd"] > before["odd"]
        or _shortened(_front_thought(old), _front_thought(new))
        for old, new in _texts(case)
        if _may_hold(old) or _may_hold(new)
    )


def _may_hold(text: str) -> bool:
    return "<" in text or "◁" in text or "[THINK]" in text or "[/THINK]" in text


thought_lost = Check(
    "thought_lost",
    "a thought before the answer that is gone, nearly empty or without its end",
    _thought_lost,
    version=2,
)

# --------------------------------------------------------------------------------------------------- placeholder_lost

MEDIA = re.compile(
    r"<\|?(?:image|img|video|audio|speech|picture)(?:_?\d+|_(?:pad|token|start|end|placeholder))?\|?>"
    r"|<\|vision_(?:start|end)\|>|\[(?:IMG|IMAGE|VIDEO|AUDIO)\]|<ImageHere>|!\[[^\]\n]{0,200}\]\(([^)\n]{1,500})\)",
    re.IGNORECASE,
)
# [Your Name], where a template is asked for
BLANK = re.compile(r"\[[A-Z][\w'’ /-]{1,40}\](?![(\[:])")
# {name}, {{ name }}, ${name}, %(name)s and <<name>>: what a template leaves open.
GAP = re.compile(
    r"\{\{ ?[A-Za-z_][\w. ]{0,40}\}\}|\$?\{[A-Za-z_]\w{0,40}\}|%\([A-Za-z_]\w{0,40}\)[sdf]|<<[A-Za-z_][\w ]{0,40}>>"
)
NAMED_TAG = re.compile(r"<([a-z][a-z_]{2,30})>", re.IGNORECASE)
ASKS_TAG = re.compile(
    r"\b(?:tags?|inside|within|enclosed?|wrap\w*|between|surround\w*|format|put|place|delimit\w*)\b", re.IGNORECASE
)
TEMPLATE = re.compile(r"\b(?:template|placeholders?|variables?|f-strings?|format string|prompt)\b", re.IGNORECASE)


def _media(text: str) -> Counter[str]:
    """The places of pictures and sounds; of a link, where it leads, as its words may change."""
    return Counter(place[1] or place[0] for place in MEDIA.finditer(text))


def _placeholder_lost(case: Case) -> bool:
    for old, new in _texts(case):
        if MEDIA.search(old) and _media(old) - _media(new):
            return True
        if "{" in old or "%(" in old or "<<" in old:
            gaps = set(GAP.findall(old))
            lost = gaps - set(GAP.findall(new))
            in_question = old is not case.before.response
            if lost and (in_question or TEMPLATE.search(case.before.instruction[:3000])):
                return True
        if "[" in old and TEMPLATE.search(case.before.instruction[:3000]):
            blanks = set(BLANK.findall(old))
            if len(blanks - set(BLANK.findall(new))) > len(blanks) / 2:
                return True
    return _asked_tag_lost(case)


def _asked_tag_lost(case: Case) -> bool:
    """Whether a tag that the question names, and asks for, was around the old answer and is not around the new."""
    asked = f"{case.before.system}\n{case.before.prompt}"
    old, new = case.before.response, case.after.response
    if old == new or "<" not in old or "<" not in asked or not ASKS_TAG.search(asked[:20_000]):
        return False
    names = {name.lower() for name in NAMED_TAG.findall(asked)}
    return any(_stands(name, old) and not _stands(name, new) for name in names)


def _stands(name: str, text: str) -> bool:
    lower = text.lower()
    return 0 <= lower.find(f"<{name}>") < lower.rfind(f"</{name}>")


placeholder_lost = Check(
    "placeholder_lost",
    "the place of a picture, a gap of a template or a tag that was asked for, which is gone",
    _placeholder_lost,
)

# -------------------------------------------------------------------------------------------------- tool_call_changed

OPENERS = re.compile(
    r"<(tool_call|function_?call|tool_calls|tools_call|invoke|function)\b[^<>\n]{0,200}>|\[TOOL_CALLS\]"
    r"|<\|(?:python_tag|tool_call_begin|tool_calls_section_begin)\|>"
)
ACTION = re.compile(r"^Action(?: Input)?:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
PYTHON_CALLS = re.compile(r"\[[a-z_][\w.]*\((?:[a-z_]\w*=[^=\n]|\))")
UNCLOSED = "functioncall"  # the text ends with it
CALL_HINTS = ("_call", "<functioncall", "<invoke", "<function", "[TOOL_CALLS]", "<|python_tag|>", "<|tool_call")


def _calls(text: str) -> list[str]:
    """The tool calls of a text, each in one spelling: as canonical JSON where it is JSON."""
    if any(hint in text for hint in CALL_HINTS):
        return [_canonical(call) for call in _marked_calls(text)]
    if "Action Input:" in text:
        return ACTION.findall(text)
    if text.startswith("[") and PYTHON_CALLS.match(text):
        return ["".join(text.split())]
    stripped = text.strip()
    if stripped[:1] not in ("{", "[") or '"name"' not in stripped or len(stripped) > LONGEST_CALL:
        return []
    try:
        value = json.loads(stripped)
    except (ValueError, RecursionError):
        return []
    calls = value if isinstance(value, list) else [value]
    if all(isinstance(call, dict) and "name" in call and not CALLED_WITH.isdisjoint(call) for call in calls):
        return [_canonical(call) for call in calls]
    return []


def _marked_calls(text: str) -> Iterator[str]:
    """What stands between the marks of tool calls; linear, since an end that is nowhere ahead is looked for once."""
    absent: set[str] = set()
    start = 0
    while opened := OPENERS.search(text, start):
        start = opened.end()
        closing = f"</{opened[1]}>" if opened[1] else "<|" if opened[0].startswith("<|") else "\n\n"
        end = -1 if closing in absent else text.find(closing, start)
        if end < 0:
            absent.add(closing)
            if opened[1] and opened[1] != UNCLOSED:
                continue
            end = len(text)
        yield text[start:end]
        start = end


def _canonical(call: object) -> str:
    try:
        value = json.loads(call) if isinstance(call, str) else call
        if isinstance(value, dict) and isinstance(value.get("arguments"), str):
            value = {**value, "arguments": json.loads(value["arguments"])}
        return json.dumps(value, sort_keys=True)
    except (ValueError, RecursionError):
        return " ".join(str(call).split())


def _tool_call_changed(case: Case) -> bool:
    old, new = case.before.response, case.after.response
    if old == new:
        return False
    before = _calls(old)
    return bool(before) and bool(Counter(before) - Counter(_calls(new)))


tool_call_changed = Check(
    "tool_call_changed", "a tool call that is gone, or has another name or other arguments", _tool_call_changed
)

# --------------------------------------------------------------------------------------------- fence_language_changed

FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+#.-]*)", re.MULTILINE)
SAME_LANGUAGE = {
    "py": "python", "python3": "python", "pycon": "python", "js": "javascript", "jsx": "javascript",
    "node": "javascript", "ts": "typescript", "tsx": "typescript", "sh": "bash", "shell": "bash", "zsh": "bash",
    "console": "bash", "shell-session": "bash", "yml": "yaml", "c++": "cpp", "cc": "cpp", "cs": "csharp",
    "c#": "csharp", "rb": "ruby", "rs": "rust", "golang": "go", "md": "markdown", "htm": "html", "kt": "kotlin",
    "postgresql": "sql", "mysql": "sql", "jsonc": "json", "json5": "json", "tex": "latex", "text": "", "txt": "",
    "plaintext": "", "plain": "", "none": "",
}  # fmt: skip
PROVEN = frozenset(("python", "json"))  # read whole, by the parsers of the standard library
LANGUAGE_WORD = re.compile(r"[a-z][\w+#]*")


def _languages(text: str) -> Counter[str]:
    """The languages that the fences of a text name."""
    if "```" not in text and "~~~" not in text:
        return Counter()
    opened = ""
    found: Counter[str] = Counter()
    for fence, name in FENCE.findall(text):
        if opened:
            if fence.startswith(opened) and not name:
                opened = ""
            continue
        opened = fence
        name = name.lower().strip(".")
        name = SAME_LANGUAGE.get(name, name)
        if name:
            found[name] += 1
    return found


def _was_mislabelled(case: Case, names: Counter[str]) -> bool:
    """Whether the question asks for the new language, or the code did not parse as the old one and does as this."""
    asked = {SAME_LANGUAGE.get(word, word) for word in LANGUAGE_WORD.findall(case.before.prompt[:3000].lower())}
    return names.keys() <= asked or (names.keys() <= PROVEN and parses_as_marked(case))


def _fence_language_changed(case: Case) -> bool:
    for old, new in _texts(case):
        before = _languages(old)
        if before:
            after = _languages(new)
            if before - after and after - before and not _was_mislabelled(case, after - before):
                return True
    return False


fence_language_changed = Check(
    "fence_language_changed", "a block of code that is marked as another language than before", _fence_language_changed
)

# --------------------------------------------------------------------------------------------------------- table_lost

SEPARATOR = re.compile(r"^[ \t]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+\|?[ \t]*$", re.MULTILINE)
HTML_TABLE = re.compile(r"<table\b", re.IGNORECASE)
ROW = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)
LEAST_ROWS = 0.5


def _tables(text: str) -> int:
    if "|" not in text and "<" not in text:
        return 0
    return len(SEPARATOR.findall(text)) + len(HTML_TABLE.findall(text))


def _rows(text: str) -> int:
    """The rows of tables below their heads."""
    return max(0, len(ROW.findall(text)) - 2 * len(SEPARATOR.findall(text)))


def _table_lost(case: Case) -> bool:
    for old, new in _texts(case):
        tables = _tables(old)
        if tables and (_tables(new) < tables or _rows(new) < LEAST_ROWS * _rows(old)):
            return True
    return False


table_lost = Check("table_lost", "a table that became prose, or lost most of its rows", _table_lost)

# --------------------------------------------------------------------------------------------------------- patch_lost

PATCH = re.compile(
    r"^(?:@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@|diff --git \S|--- a/\S|\+\+\+ b/\S|\*\*\* (?:Begin|End|Update|Add|Delete)"
    r" (?:Patch|File)|<{7} (?:SEARCH|HEAD|ORIGINAL)|>{7} (?:REPLACE|UPDATED)\b)",
    re.MULTILINE,
)


def _patch_lost(case: Case) -> bool:
    for old, new in _texts(case):
        if ("@@" in old or "diff --git" in old or "+++" in old or "*** " in old or "<<<<<<<" in old) and Counter(
            PATCH.findall(old)
        ) - Counter(PATCH.findall(new)):
            return True
    return False


patch_lost = Check("patch_lost", "a patch, or a part of one, that became something else", _patch_lost)
