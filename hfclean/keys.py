"""Keys and tokens that look real, by the form that their issuers gave them, or by the name before them.

What documentation prints as an example (few characters, runs of them, words such as EXAMPLE) is let through.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256
from math import log2

from hfclean.key_forms import HINT, KINDS, LAST, MARKS, NAMED, UUID, Form

__all__ = ["HINT", "KINDS", "NAMED", "find_secrets"]

SAMPLE = re.compile(
    r"example|sample|dummy|placeholder|your|changeme|redacted|secret(?![_-][a-zA-Z0-9]{16})|insert|fake|(.)\1{4}|0123456|"
    r"1234567|abcdefg|x{4}|\*{3}|deadbeef|"
    # the hashes of no text, of "password", "admin", "test" and "123456"
    r"d41d8cd98f00b204|5f4dcc3b5aa765d6|21232f297a57a5a7|098f6bcd4621d373|e10adc3949ba59ab|da39a3ee5e6b4b0d|e3b0c44298fc1c14",
    re.IGNORECASE,
)
# Placeholders for a password in an address that only shows where one goes.
SAMPLE_PASSWORD = re.compile(
    r"pass(?:word|wd|w)?\d{0,4}!?|pwd\d*|my_?pass\w*|user\w*|admin\w*|root\w*|guest|test\w*|db_?pass\w*|hunter2|"
    r"postgres\w*|mysql\w*|mongo\w*|letmein|qwerty\w*|[x*.]+|\d{1,6}|[a-z]{1,9}",
    re.IGNORECASE,
)
SIGNS = "_-.:=/+~"
LONG_RUN = re.compile(r"[\w+/=~%-]{20}")
# Names of things that are not secret, though the last word is "key" or "token".
OPEN_NAME = re.compile(
    r"(?:publish(?:able)?|public|pub|pk|cache|primary|foreign|partition|sort|range|idempotency|(?:next|prev|previous|page|"
    r"continuation|sync|resume|delta)[\s_.-]?(?:page)?|cursor|object|s3|storage|row|record|lookup|hash|group|index|bucket|"
    r"tracking|order|site|dedup\w*|routing|map|dict|json|message|msg|event|file|image|folder|node|trace|span|request|commit|"
    r"translation|i18n|locale|host|fingerprint|csrf|xsrf|csrfmiddleware|antiforgery|eos|bos|pad|unk|mask|sep|special|contract|"
    r"nft|erc20|state|join|unique|composite|natural|surrogate|shard|document|product|license|licence|serial|activation|"
    r"fivem|asset|blob|sha\d{1,3}|md5|checksum|widget|component|react|element|track|song|item|data|schema|registry)"
    r"[\s_.-]{0,2}(?:key[\s_-]?)?(?:api_?)?",
    re.IGNORECASE,
)
# A value that is clearly public, or not a secret: keys of Stripe's tests, addresses, certificates, files.
OPEN_VALUE = re.compile(
    r"(?:[sr]k_test|pk_(?:test|live))_.*|0x[0-9a-fA-F]{40}|AAAA[BCE][23]N.*|MII(?:BIjAN|BCgKC|CIjAN)Bgkqh?.*|M(?:FkwEwY|HYwEAY|"
    r"CowBQYDK2V|IGfMA0G).*|(?:https?|s3|gs|file|arn)[:/].*|.*\.[A-Za-z]{2,8}\d?",
)
WORD = re.compile(r"[A-Za-z]?[a-z]{0,20}\d{0,4}[a-z]?")
# A text in code that continues in the next line or literal.
JOINT = re.compile(
    r"(?:\\(?<=[\w-]\\)\r?\n[ \t]*|[\"'](?<=[\w-][\"'])(?:[ \t]*\\?\r?\n[ \t]*|"
    r"\s{0,20}(?:\+|\.|&|\.\.|<>)\s{0,20})[\"'])(?=[\w-])"
)


def find_secrets(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, id, start and end of every key in a text that looks real, in the order of the text.

    >>> [kind for kind, *_ in find_secrets("token = hf_%s" % "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x")]
    ['hf_token']
    >>> list(find_secrets("token = hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
    []
    """
    if not (any(mark in text for mark in MARKS) or LONG_RUN.search(text)):
        return
    found = _found(text)
    if JOINT.search(text):
        found += _joined(text, [(start, end) for start, end, *_ in found])
    for start, end, kind, whole in sorted(found):
        yield kind, f"{kind}-{sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}", start, end


def _found(text: str) -> list[tuple[int, int, str, str]]:
    """Start, end, kind and key of what looks real, without overlaps."""
    taken: list[tuple[int, int]] = []
    found = []
    for kind, form in _in_order("".join([sign for sign in SIGNS if sign in text])):
        for hint in form.hints:
            if hint in text:
                break
        else:
            continue
        if form.needs and not re.search(form.needs, text):
            continue
        for match in _pattern(kind).finditer(text):
            random_part = match.group(match.lastindex or 0)
            start, end = match.span(match.lastindex or 0) if kind in NAMED else match.span()
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            if _looks_real(kind, form, random_part) and not (kind == "named_key" and _is_open(text, match)):
                taken.append((start, end))
                found.append((start, end, kind, text[start:end]))
    return found


def _joined(text: str, taken: list[tuple[int, int]]) -> list[tuple[int, int, str, str]]:
    """The keys that span the end of a line or of a literal, in a form that their issuers gave them."""
    pieces, begins, place, length = [], [], 0, 0
    for joint in JOINT.finditer(text):
        begins.append((length, place))
        pieces.append(text[place : joint.start()])
        length += len(pieces[-1])
        place = joint.end()
    begins.append((length, place))
    whole = "".join([*pieces, text[place:]])
    found = []
    for start, end, kind, key in _found(whole):
        first, last = _place(begins, start), _place(begins, end - 1) + 1
        if kind not in LAST and last - first > end - start and not any(first < e and s < last for s, e in taken):
            found.append((first, last, kind, key))
    return found


def _place(begins: list[tuple[int, int]], index: int) -> int:
    """Where in a text a character of its joined pieces is."""
    joined, original = begins[bisect_right(begins, index, key=lambda pair: pair[0]) - 1]
    return original + index - joined


@lru_cache(maxsize=256)
def _in_order(signs: str) -> tuple[tuple[str, Form], ...]:
    """The forms that a text with only these of `SIGNS` can hold."""
    first = [(kind, form) for kind, form in KINDS.items() if kind not in LAST]
    every = (*first, *((kind, KINDS[kind]) for kind in LAST))
    return tuple(
        (kind, form) for kind, form in every if any(set(hint) & set(SIGNS) <= set(signs) for hint in form.hints)
    )


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    return re.compile(KINDS[kind].pattern)


def _looks_real(kind: str, form: Form, random_part: str) -> bool:
    has_digit = any(map(str.isdigit, random_part))
    classes = has_digit + any(map(str.islower, random_part)) + any(map(str.isupper, random_part))
    if kind in ("url_password", "connection_password", "command_password"):
        if SAMPLE_PASSWORD.fullmatch(random_part) or SAMPLE.search(random_part) or random_part[0] in "$%{<[(":
            return False
        if kind == "command_password" and classes + any(not c.isalnum() for c in random_part) < 3:
            return False
    elif kind == "jwt":
        if _is_sample_jwt(random_part):
            return False
    elif kind == "basic_auth":
        if not _is_login(random_part):
            return False
    elif kind == "encoded_private_key":
        return b"PRIVATE KEY" in _decoded(f"LS0tLS1CRUdJTi{random_part}")[:100] and len(set(random_part)) > 30
    elif SAMPLE.search(random_part if kind not in ("private_key", "putty_key") else random_part[:40]):
        return False
    elif kind == "secret_key":
        # with signs in between, or `named_key` would have it; a pattern or a template has them too
        if classes < 2 or not has_digit or re.search(r"\(\?|\{\{|\$\{|^\^|://|\]\[|\)\.|\(\)", random_part):
            return False
    elif _is_words(random_part):
        return False
    if kind in ("named_key", "command_key", "bearer_token") and not _is_one_random_run(random_part):
        return False
    counts = Counter(random_part)
    bits = -sum(n / len(random_part) * log2(n / len(random_part)) for n in counts.values())
    return (classes >= 2 or form.one_class) and bits >= form.least_bits


def _is_open(text: str, match: re.Match[str]) -> bool:
    """Whether a name or the value after it shows that it is not a secret."""
    value, begin = match[match.lastindex or 0], match.start()
    if OPEN_VALUE.fullmatch(value):
        return True
    before = re.search(r"[A-Za-z][\w.-]{0,40}[\s-]?$", text[max(0, begin - 40) : begin])
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", before[0]) if before else ""
    if any(OPEN_NAME.fullmatch(words, place) for place in _word_starts(words)):
        return True
    if match["name"].lower() == "key" and not re.search(r"[A-Za-z0-9][_.-]?$", words):
        # a mere "key" is that of a mapping more often than one of a lock: hexadecimal digits say nothing then
        return sum(any(map(test, value)) for test in (str.isdigit, str.islower, str.isupper)) < 3 or "/" in value
    return False


def _word_starts(words: str) -> list[int]:
    return [m.start() for m in re.finditer(r"(?<![A-Za-z0-9])[A-Za-z]", words.replace("_", " "))]


def _is_words(text: str) -> bool:
    """Whether a text is a name made of words and numbers."""
    pieces = [piece for piece in re.split(r"[_-]", text) if piece]
    return len(pieces) >= 3 and all(WORD.fullmatch(piece) for piece in pieces)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        return b""


def _is_login(text: str) -> bool:
    """Whether a text is a name and a password as HTTP sends them, and not those of documentation."""
    name, colon, password = _decoded(text).decode("utf-8", "replace").partition(":")
    if not colon or not name.isprintable() or not password.isprintable() or len(password) < 6:
        return False
    return not (SAMPLE_PASSWORD.fullmatch(password) or SAMPLE.search(password) or "\ufffd" in name + password)


def _is_one_random_run(text: str) -> bool:
    """Whether letters and digits are mixed at random, and not as in a name made of words and a number."""
    runs = [run for run in re.split(r"[_.~/-]", text) if len(run) >= 16]
    mixed = any(any(map(str.isdigit, run)) and any(map(str.isalpha, run)) for run in runs)
    return mixed or re.fullmatch(UUID, text) is not None


def _is_sample_jwt(token: str) -> bool:
    """Whether a token names people that documentation uses as examples."""
    payload = token.split(".")[1]
    try:
        claims = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return True
    return re.search(r"1234567890|John Doe|Jane Doe|example|\"(?:test|user|admin)\"", claims) is not None
