"""Words: what counts as one, for each purpose, and the words of a text."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")  # "well-known" and "don't" are one
CONTRACTION = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # "don't" is one, "well-known" two
ASCII_CONTRACTION = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)?")  # the same of lower-case ASCII text, a third faster
LETTERS_OR_CONTRACTION = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")  # the same without digits
ALPHANUMERICS = re.compile(r"[^\W_]+")
LETTERS = re.compile(r"[^\W\d_]+")
NOT_IN_WORDS = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))  # turned into spaces
# Scripts written without spaces: each character counts as a word of its own.
CJK = re.compile("[぀-ヿ㐀-䶿一-鿿豈-﫿ｦ-ﾟ가-힣฀-๿຀-໿ក-៿က-႟]")

# One pass turns every mark into a space, the end of a sentence into a line feed and a comma into a vertical tab.
MARKS = str.maketrans(
    {
        **dict.fromkeys('"#$%&()*+/:<=>@[\\]^_`{|}~-“”„«»–—…•·、（）「」‘¿¡\t', " "),
        **dict.fromkeys(".!?;\r\n。！？；", "\n"),
        **dict.fromkeys(",，", "\v"),
        "’": "'",
    }
)
# The same for bytes of UTF-8, which need a tenth of the time; it lowers ASCII letters too. Marks beyond ASCII are few,
# and replaced one by one before.
ASCII_MARKS = bytes(ord(MARKS.get(code, chr(code))) if code < 128 else code for code in range(256)).lower()
OTHER_MARKS = {chr(code): turned for code, turned in MARKS.items() if code > 127}


def word_set(words: str) -> frozenset[str]:
    """The words of a list that is written as one text."""
    return frozenset(words.split())


def words(text: str) -> list[str]:
    """The words of a text as they stand; in scripts without spaces, each character."""
    if text.isascii() or not CJK.search(text):
        return WORD.findall(text)
    return WORD.findall(CJK.sub(r" \g<0> ", text))


def contractions(lower: str) -> list[str]:
    """The words of a text in lower case, "don't" as one and "well-known" as two."""
    if not lower.isascii():
        return CONTRACTION.findall(lower)
    if "'" in lower:
        return ASCII_CONTRACTION.findall(lower)
    return lower.encode().translate(NOT_IN_WORDS).decode("ascii").split()


def is_cjk(text: str) -> bool:
    """Whether the text is mainly in a script written without spaces."""
    if text.isascii():
        return False
    found = len(CJK.findall(text))
    return found > 0 and 2 * found > sum(map(str.isalpha, text))


def lower_words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation; in scripts without spaces, each character."""
    if not text.isascii() and is_cjk(text):
        return words(text.lower())
    return mark_sentences(text).split()


def mark_sentences(text: str) -> str:
    """The text in lower case with its marks turned into white space; see `MARKS`."""
    if text.isascii():
        return text.encode().translate(ASCII_MARKS).decode("ascii")
    text = text.lower()
    for mark, turned in OTHER_MARKS.items():
        if mark in text:
            text = text.replace(mark, turned)
    return text.encode("utf-8", "surrogatepass").translate(ASCII_MARKS).decode("utf-8", "surrogatepass")
