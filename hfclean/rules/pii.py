"""Personal data that has a form: e-mail addresses, phone numbers, keys, IP addresses, payment card numbers.

Names, addresses and anything else that only a reader recognizes are not found. What cannot be a secret passes:

* addresses at domains that are reserved for documentation (example.com, example.org, *.test, *.invalid, *.localhost),
  `git@host`, and file names such as icon@2x.png;
* phone numbers of the exchange or area 555, which fiction uses, and of the area 123;
* addresses of networks that are not public (10.0.0.1, 192.168.0.1, the documentation ranges), those of public name
  servers (8.8.8.8), the placeholders 1.2.3.4 and the like; four numbers after "version", "v", "section" or a name and
  a slash are a version;
* card numbers whose check digit or issuer does not fit, and the test numbers that payment services publish;
* keys that look like samples.

Every search is linear in the length of the text.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from hfclean.errors import RuleError
from hfclean.keys import find_secrets


class Personal(NamedTuple):
    """One match: `kind` is one of `PII_KINDS`, the text is `text[start:end]`."""

    kind: str
    start: int
    end: int


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PASSES = 4  # a masked part may have hidden its neighbour
KEY = re.compile(r"\s*:")  # what follows a string that is the key of an object
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*+)"|-?\d[\d.eE+-]*')  # the strings and numbers of a JSON text
ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|.)", re.DOTALL)
MAY_HOLD = re.compile(r"[\d@\uff20_-]")  # every match has one of these
# letters of scripts that put no space between words: a match may stand beside one
UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff01-\uff1f"
    r"\uff21-\uffef\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
AT = re.compile(r"[@\uff20]|%40|&#(?:64|x40);|\\u0040")  # as addresses, HTML and programs spell it, too
LOCAL = re.compile(r"[\w.+%-]+\Z")
DOMAIN = re.compile(
    r"((?:[^\W_](?:[\w-]{0,62})\.){1,8}(?:xn--[A-Za-z0-9-]{2,59}|[A-Za-z]{2,24}))(?![A-Za-z0-9]|-[A-Za-z0-9])"
)
RESERVED = re.compile(r"(?:\A|\.)(?:example(?:\.(?:com|org|net|edu))?|test|invalid|localhost|local)\Z", re.IGNORECASE)
FILES = _words("png jpg jpeg gif svg webp bmp ico pdf css js ts py json html htm txt md")

# a phone number by its own look: with a plus, or as North America writes it
PLUS = re.compile(r"(?<![\w+])(?<![\d)] )\+[1-9][\d ().\-/]{6,22}\d(?![\w])")
NORTH_AMERICAN = re.compile(
    r"(?<![\w.+/-])(?:1[ .-])?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)[.-])([2-9]\d\d)[ .-]\d{4}(?![\w-])(?!\.\d)"
)
# and by the words before it
CALLED = re.compile(
    r"(?:\b(?:tele?(?:phone)?|phone|mobile|cell|fax|call|whats ?app|telefono|teléfono|telefon|handy|tél)|电话|手机|"
    r"電話|手機|联系方式)(?:[ .]?(?:number|no|nr|num|is|at|me|us|on|号码|号)\b){0,2}[ .:：#=]{0,4}"
    r"(\(?\d[\d ().\-/]{5,20}\d)(?!\w)",
    re.IGNORECASE,
)
DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4}")

IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
IS_VERSION = re.compile(
    r"(?:(?:\b(?:v|ver|vers|version|release|rev|revision|build|section|chapter)|(?:版本|バージョン|버전)[号號]?)\W{0,3}|\w/)\Z",
    re.IGNORECASE,
)
UNICAST = ipaddress.ip_network("2000::/3")
KNOWN_ADDRESSES = _words(
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 208.67.222.222 208.67.220.220 1.2.3.4 5.6.7.8 12.34.56.78 123.45.67.89 "
    "123.123.123.123"
)

# looked for at every place, since a number before it may look like the beginning of it
CARD = re.compile(
    r"(?<![\w.,-])(?=(\d{13,19}|\d{4}([ -])\d{4}\2\d{4}\2\d{1,4}(?:\2\d{1,3})?|\d{4}([ -])\d{6}\3\d{4,5})"
    r"(?!\w|-\d|[.,]\d))"
)
ISSUER = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"6(?:011|4[4-9]\d|5\d\d)\d{12,15}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17}"
)
TEST_CARDS = _words(
    "4111111111111111 4242424242424242 4012888888881881 4000056655665556 4222222222222 5555555555554444 "
    "5105105105105100 2223003122003222 5200828282828210 378282246310005 371449635398431 6011111111111117 "
    "6011000990139424 30569309025904 38520000023237 3056930009020004 3530111333300000 3566002020360505 "
    "6200000000000005 4000000000000002"
)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    if not ("@" in text or "\uff20" in text or "%40" in text or "&#" in text or "u0040" in text):
        return
    plain = _spaced(text)
    for sign in AT.finditer(text):
        start = max(0, sign.start() - 65)
        before = LOCAL.search(plain[start : sign.start()]) or LOCAL.search(text[start : sign.start()])
        found = before and (DOMAIN.match(plain, sign.end()) or DOMAIN.match(text, sign.end()))
        if not before or not found or len(before[0]) > 64:
            continue
        domain, end = found[1].lower(), found.end()
        if RESERVED.search(domain) or domain.rpartition(".")[2] in FILES or before[0] == "git":
            continue
        local = before[0].lstrip("._-" if text[end : end + 1] == "_" else ".-")
        if local:
            yield sign.start() - len(local), end


@lru_cache(maxsize=1)
def _spaced(text: str) -> str:
    """The text with a sign that ends words in place of each letter of a script without spaces."""
    return text if text.isascii() else UNSPACED.sub("|", text)


def _phones(text: str) -> Iterator[tuple[int, int]]:
    plain = _spaced(text)
    if "+" in text:
        for found in PLUS.finditer(plain):
            groups = re.findall(r"\d+", found[0])
            lone = sum(len(group) == 1 for group in groups)
            decimal = len(groups) == 2 and "." in found[0]
            if 8 <= sum(map(len, groups)) <= 15 and lone <= 2 and not decimal and not _fictional("".join(groups)):
                yield found.span()
    for found in NORTH_AMERICAN.finditer(plain):
        if "555" not in (found[1] or found[2], found[3]):
            yield found.span()
    for found in CALLED.finditer(text):
        digits = re.sub(r"\D", "", found[1])
        if 7 <= len(digits) <= 15 and not DATE.fullmatch(found[1]) and not _fictional(digits):
            yield found.span(1)


def _fictional(digits: str) -> bool:
    digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    if len(digits) == 10:
        return "555" in (digits[:3], digits[3:6]) or digits[:3] == "123"
    return (digits.startswith("555") and len(digits) == 7) or digits in "12345678901234567890"


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    plain = _spaced(text)
    for found in IPV4.finditer(plain):
        if found[0] in KNOWN_ADDRESSES or IS_VERSION.search(text[max(0, found.start() - 12) : found.start()]):
            continue
        if _is_public(found[0]):
            yield found.span()
    for found in IPV6.finditer(plain):
        if _is_public(found[0]):
            yield found.span()


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in UNICAST:
        return False
    return address.is_global and not address.is_multicast


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for found in CARD.finditer(_spaced(text)):
        groups = re.split("[ -]", found[1])
        # a number after it may look like the end of it
        for whole in (found[1], found[1][: -len(groups[-1]) - 1]) if len(groups) == 5 else (found[1],):
            digits = re.sub(r"\D", "", whole)
            if digits not in TEST_CARDS and ISSUER.fullmatch(digits) and luhn(digits) and len(set(digits)) > 2:
                yield found.start(1), found.start(1) + len(whole)
                break


def luhn(digits: str) -> bool:
    """Whether the last of some digits is their check digit.

    >>> luhn("79927398713"), luhn("79927398714")
    (True, False)
    """
    total = 0
    for k, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + k % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _keys(text: str) -> Iterator[tuple[int, int]]:
    for _, _, start, end in find_secrets(text):
        yield start, end


# in this order: matches of an earlier kind are not searched again
_FINDERS: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "key": _keys,
    "email": _emails,
    "card": _cards,
    "ip": _addresses,
    "phone": _phones,
}
PII_KINDS: tuple[str, ...] = tuple(_FINDERS)


def check_kinds(kinds: Collection[str]) -> tuple[str, ...]:
    """The kinds as a tuple.

    Raises:
        RuleError: one of them is unknown.
    """
    names = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for name in names:
        if name not in _FINDERS:
            raise RuleError(f"unknown kind {name!r} of personal data; known: {', '.join(PII_KINDS)}")
    return names


def find_pii(text: str, kinds: Collection[str] = PII_KINDS) -> list[Personal]:
    """Personal data in a text, in order; matches do not overlap.

    Args:
        text: any.
        kinds: which of `PII_KINDS` to look for: `key`, `email`, `card`, `ip`, `phone`.

    >>> [found.kind for found in find_pii("Mail jo@hfclean.dev or call (212) 867-5309, not help@example.com.")]
    ['email', 'phone']
    """
    kinds = check_kinds(kinds)
    if not MAY_HOLD.search(text):
        return []
    found: list[Personal] = []
    taken: set[int] = set()
    for kind, find in _FINDERS.items():
        if kind not in kinds:
            continue
        for start, end in find(text):
            if taken.isdisjoint(range(start, end)):
                found.append(Personal(kind, start, end))
                taken.update(range(start, end))
    return sorted(found, key=lambda each: each.start)


def mask_pii(text: str, kinds: Collection[str] = PII_KINDS) -> str:
    """The text with every match replaced by its kind in brackets.

    >>> mask_pii("Write to jo@hfclean.dev.")
    'Write to [EMAIL].'
    """
    for _ in range(PASSES):
        found = find_pii(text, kinds)
        if not found:
            break
        parts, start = [], 0
        for each in found:
            parts += [text[start : each.start], f"[{each.kind.upper()}]"]
            start = each.end
        text = "".join([*parts, text[start:]])
    return text


# --------------------------------------------------------------------------------------------------- texts of programs


def mask_in(text: str, kinds: Collection[str] = PII_KINDS) -> tuple[str, list[str]]:
    """The text with every match masked, and the kind of each; text that is JSON stays JSON.

    The arguments and results of tool calls are often JSON in a string, which may hold JSON again. There every string
    is searched as the program would read it, and written back with its escapes; all else stays exactly as it is. A
    number that matches becomes a string; of keys that would become equal, the second is `[EMAIL]-2`.

    >>> mask_in('{"to": "jo\\\\u0040hfclean.dev", "card": 4539148803436467}')
    ('{"to": "[EMAIL]", "card": "[CARD]"}', ['email', 'card'])
    """
    kinds = check_kinds(kinds)
    if not (MAY_HOLD.search(text) or "\\" in text):
        return text, []
    seen: list[str] = []
    json_text = _is_json(text)
    if json_text:
        names = {each[1]: each[1] for each in LITERAL.finditer(text) if _is_key(each) and "[" in each[1]}
        text = LITERAL.sub(lambda literal: _masked_literal(literal, kinds, seen, names), text)
    for _ in range(PASSES):
        found = find_pii(text, kinds)
        if not found:
            break
        seen += [each.kind for each in found]
        text = _replace(text, found, json_text)
    return text, seen


def count_in(text: str, kinds: Collection[str] = PII_KINDS) -> list[str]:
    """The kind of each match that `mask_in` would mask."""
    return mask_in(text, kinds)[1]


def _is_json(text: str) -> bool:
    bare = text.strip()
    if bare[:1] + bare[-1:] not in ("{}", "[]"):
        return False
    try:
        json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return True


def mask_names(value: Any, kinds: Collection[str] = PII_KINDS) -> tuple[Any, list[str]]:
    """A value with the keys of all objects in it masked, and the kind of each match; no two keys become equal.

    >>> mask_names({"jo@hfclean.dev": 1, "ann@hfclean.dev": [{"bo@hfclean.dev": 2}]})
    ({'[EMAIL]': 1, '[EMAIL]-2': [{'[EMAIL]': 2}]}, ['email', 'email', 'email'])
    """
    seen: list[str] = []
    if isinstance(value, (list, tuple)):
        parts = [mask_names(item, kinds) for item in value]
        return [part for part, _ in parts], [kind for _, found in parts for kind in found]
    if not isinstance(value, Mapping):
        return value, seen
    names = {str(name): str(name) for name in value if not _in_name(str(name), tuple(kinds))}
    renamed = {}
    for name, item in value.items():
        seen += _in_name(str(name), tuple(kinds))
        inner, found = mask_names(item, kinds)
        seen += found
        renamed[_masked_name(str(name), kinds, names)] = inner
    return renamed, seen


def mask_value(value: Any, kinds: Collection[str] = PII_KINDS) -> Any:
    """Any value as JSON has them, with all texts and keys in it masked.

    >>> mask_value({"jo@hfclean.dev": ["Write to ann@hfclean.dev.", 1]})
    {'[EMAIL]': ['Write to [EMAIL].', 1]}
    """
    if isinstance(value, str):
        return mask_in(value, kinds)[0]
    if isinstance(value, Mapping):
        return mask_names({name: mask_value(item, kinds) for name, item in value.items()}, kinds)[0]
    return [mask_value(item, kinds) for item in value] if isinstance(value, (list, tuple)) else value


@lru_cache(maxsize=10_000)
def _in_name(name: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each.kind for each in find_pii(name, kinds))


def _masked_name(name: str, kinds: Collection[str], names: dict[str, str]) -> str:
    """A unique name for a key; `names` holds the given ones, by the keys that they replace."""
    if name not in names:
        masked, count = mask_pii(name, kinds), 1
        found = masked
        while found in names.values():
            count += 1
            found = f"{masked}-{count}"
        names[name] = found
    return names[name]


def _is_key(literal: re.Match[str]) -> bool:
    return literal[1] is not None and KEY.match(literal.string, literal.end()) is not None


def _masked_literal(literal: re.Match[str], kinds: Collection[str], seen: list[str], names: dict[str, str]) -> str:
    """One string of a JSON text, masked by its meaning rather than its spelling."""
    raw = literal[0]
    if literal[1] is None or not (MAY_HOLD.search(raw) or "\\" in raw):
        return raw
    value = json.loads(raw, strict=False)
    masked, kinds_found = mask_in(value, kinds)
    seen += kinds_found
    if masked != value and _is_key(literal):
        masked = _masked_name(value, kinds, names)
    return raw if masked == value else json.dumps(masked, ensure_ascii=raw.isascii())


def _replace(text: str, found: list[Personal], json_text: bool) -> str:
    """Each match replaced by its kind. In JSON, only matches within strings and numbers; elsewhere an escape before a
    match (the two characters of a line break) stays whole."""
    spans = _within(text, found) if json_text else [(_after_escape(text, f.start), f.end, f.kind, "") for f in found]
    parts, start = [], 0
    for a, b, kind, quote in spans:
        parts += [text[start:a], f"{quote}[{kind.upper()}]{quote}"]
        start = b
    return "".join([*parts, text[start:]])


def _after_escape(text: str, start: int) -> int:
    before = len(text[:start]) - len(text[:start].rstrip("\\")) if start and text[start - 1] == "\\" else 0
    return start + 1 if before % 2 and text[start] in "nrtbf" and '"' in text else start


def _within(text: str, found: list[Personal]) -> list[tuple[int, int, str, str]]:
    """Where matches are in the strings and numbers of a JSON text, widened to whole escapes and whole numbers."""
    spans: list[tuple[int, int, str, str]] = []
    literals = list(LITERAL.finditer(text))
    for each in found:
        for literal in literals:
            if literal.end() <= each.start or literal.start() >= each.end:
                continue
            if literal[1] is None:
                spans.append((*literal.span(), each.kind, '"'))
                continue
            a, b = max(each.start, literal.start(1)), min(each.end, literal.end(1))
            for escape in ESCAPE.finditer(text, literal.start(1), literal.end(1)):
                if escape.start() < a < escape.end():
                    a = escape.end()
                if escape.start() < b < escape.end():
                    b = escape.end()
            if a < b:
                spans.append((a, b, each.kind, ""))
    return _apart(spans)


def _apart(spans: list[tuple[int, int, str, str]]) -> list[tuple[int, int, str, str]]:
    """Spans in order, without those that begin in one before them."""
    kept: list[tuple[int, int, str, str]] = []
    for span in sorted(spans):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept
