"""A small edit of a text as tags of its tokens: keep, delete, change case, replace, insert before, other white space.

Tags are what a tagger learns and gives. `tags_of` reads them off a text and its revision, `apply_tags` makes them
again; where every tag is known the one undoes the other, but for white space around the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

TOKEN = re.compile(r"(\s*)([^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]|_)")
GAPS = ("", " ", "\n", "\n\n")
KEEP, DELETE, UPPER, LOWER = "", "delete", "upper", "lower"
MOST_INSERTED = 2  # tokens before one token
UNKNOWN = -100  # the tag of an edit that no tag of the vocabulary says; not learned


class Token(NamedTuple):
    """A word, number or mark with the white space before it; the last token of a text is its end, which is empty."""

    gap: str
    text: str


class Tags(NamedTuple):
    """What becomes of a token: `own` of its text, `before` the tokens put in before it, `gap` its white space; None
    for what is not to be learned, or cannot be said."""

    own: str | None = KEEP
    before: tuple[Token, ...] | None = ()
    gap: str | None = KEEP


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text without the white space around it, and its end."""
    return [*(Token(*found) for found in TOKEN.findall(text.strip())), Token("", "")]


def text_of(tokens: Iterable[Token]) -> str:
    return "".join(gap + text for gap, text in tokens).strip()


def tags_of(raw: Sequence[Token], revised: Sequence[Token]) -> list[Tags]:
    """The tags that make the revised tokens of the raw ones."""
    source, target = ([token.text.casefold() for token in side[:-1]] for side in (raw, revised))
    before: dict[int, list[Token]] = {}
    partner: dict[int, int | None] = {}
    j = 0
    for op in Levenshtein.opcodes(source, target):
        for k in range(op.src_start, op.src_end):
            partner[k] = op.dest_start + k - op.src_start if op.tag in ("equal", "replace") else None
        if op.tag == "insert":
            before[op.src_start] = list(revised[op.dest_start : op.dest_end])
    found = []
    for k, token in enumerate(raw):
        put = tuple(before.get(k, ()))
        known = put if len(put) <= MOST_INSERTED and all(one.gap in GAPS for one in put) else None
        j = len(revised) - 1 if k == len(raw) - 1 else partner[k]
        if j is None:
            found.append(Tags(DELETE, known, None))
            continue
        own = _own(token.text, revised[j].text)
        found.append(Tags(own, known, KEEP if revised[j].gap == token.gap else _gap(revised[j].gap)))
    return found


def _own(old: str, new: str) -> str:
    if old == new:
        return KEEP
    if old[:1].upper() + old[1:] == new:
        return UPPER
    return LOWER if old[:1].lower() + old[1:] == new else f"={new}"


def _gap(gap: str) -> str | None:
    return f"={gap}" if gap in GAPS else None


def apply_tags(raw: Sequence[Token], tags: Sequence[Tags]) -> str:
    """The text that the tags make of the tokens."""
    made: list[Token] = []
    for token, (own, before, gap) in zip(raw, tags, strict=True):
        made += before or ()
        if own == DELETE:
            continue
        text = token.text
        if own == UPPER:
            text = text[:1].upper() + text[1:]
        elif own == LOWER:
            text = text[:1].lower() + text[1:]
        elif own:
            text = own[1:]
        made.append(Token(gap[1:] if gap else token.gap, text))
    return text_of(made)


@dataclass(frozen=True)
class Vocabulary:
    """The tags that are learned: the frequent ones, each kind by number, 0 for what leaves a token as it is."""

    own: tuple[str, ...]
    before: tuple[tuple[Token, ...], ...]
    gap: tuple[str, ...] = field(default=(KEEP, *(f"={gap}" for gap in GAPS)))

    @classmethod
    def of(cls, tagged: Iterable[Sequence[Tags]], *, least: int, most: int) -> Vocabulary:
        """The tags that come `least` times or more, at most `most` of a kind."""
        own: Counter[str] = Counter()
        before: Counter[tuple[Token, ...]] = Counter()
        for tags in tagged:
            own.update(one.own for one in tags if one.own and one.own.startswith("="))
            before.update(one.before for one in tags if one.before)
        return cls(
            (KEEP, DELETE, UPPER, LOWER, *(tag for tag, count in own.most_common(most) if count >= least)),
            ((), *(put for put, count in before.most_common(most) if count >= least)),
        )

    def numbers(self, tags: Sequence[Tags]) -> list[tuple[int, int, int]]:
        """The numbers of tags; `UNKNOWN` for one that is not learned."""
        kinds = [{tag: k for k, tag in enumerate(kind)} for kind in (self.own, self.before, self.gap)]
        found = ([kind.get(tag, UNKNOWN) for kind, tag in zip(kinds, one, strict=True)] for one in tags)
        return [(own, before, gap) for own, before, gap in found]

    def tags(self, numbers: Iterable[tuple[int, int, int]]) -> list[Tags]:
        return [Tags(self.own[own], self.before[before], self.gap[gap]) for own, before, gap in numbers]

    def as_json(self) -> dict[str, list[object]]:
        return {"own": [*self.own], "before": [[[*token] for token in put] for put in self.before]}

    @classmethod
    def from_json(cls, about: dict[str, list[list[list[str]]]]) -> Vocabulary:
        own = tuple(str(tag) for tag in about["own"])
        return cls(own, tuple(tuple(Token(*token) for token in put) for put in about["before"]))
