"""What no repair may do, whichever rule made it: split delimiters, answer with the input, alter thoughts or truths."""

from __future__ import annotations

import re
from collections import Counter

from hfclean.rules.sealed import resealed, without_markers
from hfclean.schema import Pair, stated_truths

FIELDS = ("instruction", "input", "response")
TAG = re.compile(r"<(/?)([A-Za-z][\w.:-]{0,60})(?:\s[^<>]{0,400})?(/?)>")
MARKER = re.compile(r"<[|｜]([^|｜<>\n]{1,60})[|｜]>")
BRACKETED = re.compile(r"\[(/?)([A-Z][A-Z_]{2,30})\]")
ENVIRONMENT = re.compile(r"\\(begin|end)\{(\w{1,40}\*?)\}")
LATEX = re.compile(r"\\[()\[\]]")
BRACE = re.compile(r"\\[{}]|(\\boxed\s?\{)|[{}]")
FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)
VOID = frozenset(("br", "hr", "img", "input", "meta", "link", "wbr", "s"))
BEGINS = re.compile(r"(?:\b|_)(?:begin|start|bos|prefix)(?:\b|_)")
ENDS = re.compile(r"(?:\b|_)(?:end|eos|suffix)(?:\b|_)")


def allowed(before: Pair, after: Pair) -> Pair:
    """`after` with every field reset whose change splits a pair of delimiters or turns the answer into the input; the
    thought is as it was, and so are thoughts and calls inside a text, and a final answer in a box or behind `####`."""
    kept = {} if after.thought == before.thought else {"thought": before.thought}
    for name in FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new and (whole := resealed(old, new)) != new:
            after = after.replace(**{name: whole})
    for name in FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new and _tears(old, new):
            kept[name] = old
    if kept:
        after = after.replace(**kept)
    for name in FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new and _changes_truth(old, new):
            after = after.replace(**{name: old})
    after = after.with_seam_of(before)
    answer = after.response.strip()
    if answer and answer == after.input.strip() and before.response.strip() != before.input.strip():
        after = after.replace(input=before.input, response=before.response)
    return after


def _changes_truth(old: str, new: str) -> bool:
    """Whether a final answer, in a box or behind `####`, is gone or another; a marker that leaked behind it does not
    count."""
    before = {without_markers(truth) for truth in stated_truths(old)}
    return bool(before) and before != {without_markers(truth) for truth in stated_truths(new)}


def _tears(old: str, new: str) -> bool:
    if not any(mark in old for mark in ("<", "[", "\\", "```", "~~~", "$$")):
        return False
    earlier = halves(old)
    return any(count > earlier[name] for name, count in halves(new).items())


def halves(text: str) -> Counter[str]:
    """How many delimiters of each pair stand without their other half."""
    events: list[tuple[int, str, bool]] = []  # where, which pair, whether it opens
    if "<" in text:
        for match in TAG.finditer(text):
            if not match[3] and match[2].lower() not in VOID:
                events.append((match.start(), f"<{match[2].lower()}>", not match[1]))
        for match in MARKER.finditer(text):
            name = match[1].replace("▁", "_").lower()
            if name.startswith("/"):
                events.append((match.start(), f"<|{name[1:]}|>", False))
            elif BEGINS.search(name):
                events.append((match.start(), f"<|{BEGINS.sub('_', name)}|>", True))
            elif ENDS.search(name) and ENDS.sub("", name):
                events.append((match.start(), f"<|{ENDS.sub('_', name)}|>", False))
            else:  # "<|ref|>", closed by "<|/ref|>" if at all
                events.append((match.start(), f"<|{name}|>", True))
    if "[" in text:
        events += [(m.start(), f"[{m[2]}]", not m[1]) for m in BRACKETED.finditer(text)]
    odd: Counter[str] = Counter()
    if "\\" in text:
        events += [(m.start(), f"\\{m[2]}", m[1] == "begin") for m in ENVIRONMENT.finditer(text)]
        events += [(m.start(), "\\(" if m[0] in "\\(\\)" else "\\[", m[0][1] in "([") for m in LATEX.finditer(text)]
        if "\\boxed" in text:
            events += [(m.start(), "\\boxed", m[0] != "}") for m in BRACE.finditer(text) if m[0] not in ("\\{", "\\}")]
    if "$$" in text and text.count("$$") % 2:
        odd["$$"] += 1
    if "```" in text or "~~~" in text:
        for fence, count in Counter(m[1] for m in FENCE.finditer(text)).items():
            odd[fence] += count % 2
    depth: Counter[str] = Counter()
    for _, name, opens in sorted(events):
        if opens:
            depth[name] += 1
        elif depth[name]:
            depth[name] -= 1
        else:
            odd[name] += 1
    odd.update(depth)
    return odd
