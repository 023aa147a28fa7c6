"""The rule about HTML that was left in prose when a page was turned into text."""

from __future__ import annotations

import re
from html import unescape

from hfclean.rules.rule import Rule, asked_about, has_mark, settled
from hfclean.schema import Pair
from hfclean.text import outside_protected, protected_spans

__all__ = ["html_remnants"]

# Tags that only lay text out: without them the text says the same.
LAYOUT = r"(?:b|i|u|em|strong|span|font|small|big|center|p|div|br)"
OTHER = (
    r"(?:a(?=\s[^<>]{0,300}=|\s?>)|img|ul|ol|li|table|tbody|thead|tr|td|th|h[1-6]|hr|pre|code|"
    r"blockquote|dl|dt|dd|tt|cite|iframe|section)"
)
ATTRIBUTES = r"(?:\s+[\w:-]{1,30}(?:\s?=\s?(?:\"[^\"<>]{0,300}\"|'[^'<>]{0,300}'|[^\s\"'<>]{1,100}))?){0,12}\s?/?"
TAG = re.compile(rf"<(?:/(?:{LAYOUT}|{OTHER})\s?|(?:{LAYOUT}|{OTHER}){ATTRIBUTES})>", re.IGNORECASE)
OTHER_TAG = re.compile(rf"</?{OTHER}\b[^<>]{{0,300}}>", re.IGNORECASE)
ENTITY = re.compile(
    r"&(?:nbsp|amp|quot|apos|mdash|ndash|rsquo|lsquo|ldquo|rdquo|hellip|bull|middot|copy|reg|trade|deg|euro|pound|"
    r"laquo|raquo|times|eacute|egrave|agrave|aacute|oacute|iacute|uacute|ntilde|ccedil|auml|ouml|uuml|szlig|"
    r"lt|gt|#\d{2,6}|#[xX][0-9a-fA-F]{2,5});"
)
# Each is split at, never matched with the blanks before it: a search for those would be quadratic on a run of blanks.
BREAK = re.compile(r"<br\s?/?>[ \t]*\n?", re.IGNORECASE)
BLOCK = re.compile(r"(?:</?(?:p|div|center)\b[^<>]{0,300}>\s*)+", re.IGNORECASE)
INLINE = re.compile(r"</?(?:b|i|u|em|strong|span|font|small|big)\b[^<>]{0,300}>", re.IGNORECASE)

ABOUT_HTML = re.compile(
    r"html|\bcss\b|\bxml\b|\bsvg\b|\bphp\b|\bjsp?x?\b|javascript|typescript|react|\bvue\b|angular|web ?pages?\b|"
    r"websites?\b|"
    r"web ?sites?|web develop|front-?end|markup|markdown|\btags?\b|\bcode\b|\bscript|\bprogram|snippet|\bentit(?:y|"
    r"ies)\b|"
    r"escap(?:e|ing)|\bformat\b|\bparse|\bdom\b|\bbrowser|\bjava\b|\bpython\b|\bregex|\bform\b|\bbutton|网页|代码|标签",
    re.IGNORECASE,
)
# A text that is a program or a whole page, whoever asked for it.
IS_PROGRAM = re.compile(
    r"<(?:!doctype|html|head|body|script|style|template|form|input|button|svg|\?php|\?xml)\b|=>|\{\{|\bimport \w|"
    r"\bpublic \w|\bfunction\b ?\w*\(|</?T>|#include",
    re.IGNORECASE,
)


def _remnants(text: str) -> bool:
    """Whether a tag or an entity stands in the prose of a text that is no program."""
    if not (("<" in text and TAG.search(text)) or ("&" in text and ENTITY.search(text))) or IS_PROGRAM.search(text):
        return False
    return any(TAG.search(part) or ENTITY.search(part) for part in _prose(text))


def _prose(text: str) -> list[str]:
    parts, start = [], 0
    for begin, end in protected_spans(text):
        parts.append(text[start:begin])
        start = end
    return [*parts, text[start:]]


def _has_html(pair: Pair) -> bool:
    for text in (pair.instruction, pair.input, pair.response):
        if ("<" in text or "&" in text) and _remnants(text):
            return not asked_about(ABOUT_HTML, pair.instruction)
    return False


def _without_html(pair: Pair) -> Pair:
    if asked_about(ABOUT_HTML, pair.instruction):
        return pair
    changed = {}
    for name in ("instruction", "input", "response"):
        text = getattr(pair, name)
        if ("<" in text or "&" in text) and _remnants(text):
            plain = settled(_plain, text)
            if plain != text:
                changed[name] = plain
    return pair.replace(**changed) if changed else pair


def _plain(text: str) -> str:
    # A link, a list or a table says more than its text: where one is left, people decide about the whole.
    if any(OTHER_TAG.search(part) for part in _prose(text)):
        return text
    spans = protected_spans(text)
    if not spans:
        return _plain_stretch(text)
    # A block tag beside code or a table would need to know what stands on the other side.
    return text if BLOCK.search(text) else outside_protected(text, _plain_stretch)


def _plain_stretch(text: str) -> str:
    if "<" in text and TAG.search(text):
        *lines, last = BREAK.split(text)
        text = "\n".join([*(line.rstrip(" \t") for line in lines), last])
        if BLOCK.search(text):
            text = "\n\n".join(part for part in map(str.strip, BLOCK.split(text)) if part)
        text = INLINE.sub("", text)
    for _ in range(3):  # "&amp;amp;" was escaped twice
        if "&" not in text:
            break
        text = ENTITY.sub(_character, text)
    return text


def _character(match: re.Match[str]) -> str:
    entity = match.group()
    character = unescape(entity)
    # "<" and ">" stay escaped: bare, they could turn text into tags.
    if character in "<>" or not (character.isprintable() or character == "\xa0"):
        return entity
    return " " if character == "\xa0" else character


html_remnants = Rule(
    "html_remnants",
    severity="medium",
    meaning="tags or entities of HTML left in prose",
    detect=_has_html,
    possible=has_mark("<&"),
    repair=_without_html,
    example=("Salt &amp; pepper.<br>Serve <b>warm</b>.", "Salt & pepper.\nServe warm."),
    scope="text",
)
