"""Glance: what a scorer knows about a pair after splitting it into words, so that few rules have to search the text.

For speed alone: a rule says in `Rule.possible` what is true of every pair with its defect, and which words it looks up
for that. A pair for which it is false has no such defect; a pair without a glance is searched.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from operator import eq
from typing import NamedTuple, Protocol

from hfclean.schema import Pair
from hfclean.text.words import ALPHANUMERICS, LETTERS

# What a plain text may have, see `Glance`, in an encoding of bytes that holds all of it: a search for anything else
# would take ten times as long. Beyond ASCII, each is a letter both to the rules and where words are split, or to
# neither.
PLAIN = (
    "\n",
    *map(chr, range(32, 127)),
    *(chr(code) for code in range(0xC0, 0x100) if chr(code).isalpha()),
    *"‘’“”–—•…",
)
PLAIN_BYTES = "".join(PLAIN).encode("cp1252")
# The control characters that a plain text does not have: all but the line feed.
CONTROLS = frozenset((*range(10), *range(11, 32), 127))
NO_SIGNS = (string.ascii_letters + string.digits + " ").encode()


class Glance(NamedTuple):
    """What a scorer knows about a pair that it has read anyway; for rules, a cheap look before searching the text.

    Every text of the pair is plain: printable ASCII, line feeds, accented letters of Latin-1, and the quotation marks,
    dashes, bullets and ellipses of typeset prose.

    `words` and `asked` hold those words that some rule looks up (see `Watched`): of the response the runs of letters
    and digits, of the instruction also the runs of letters alone, and maybe more. `marks` holds the code of every
    ASCII character of the pair that is not a letter, digit or blank. `repeats` counts the words of the response that
    came before. `doubled` is true when a word of response or instruction comes twice in a row that a rule looks for,
    and maybe otherwise; `gaps` when the response has two blanks in a row between its ends, and maybe otherwise;
    `ascii` when all texts are ASCII.
    """

    words: AbstractSet[str]
    asked: AbstractSet[str]
    marks: AbstractSet[int]
    repeats: int
    doubled: bool
    gaps: bool
    ascii: bool


class Possible(NamedTuple):
    """When a pair with this glance can have a rule's defect: `holds` is true for every such pair.

    `words` are those, in lower case, that `holds` looks up in the glance, and `doubled` those that it looks for twice
    in a row: a word that is not named here is in no glance.
    """

    holds: Callable[[Pair, Glance], bool]
    words: AbstractSet[str] = frozenset()
    doubled: AbstractSet[str] = frozenset()


class Watched(NamedTuple):
    """The words that rules look up, and those that they look for twice in a row, as pairs of neighbours."""

    words: frozenset[str]
    doubled: frozenset[tuple[str, str]]

    @classmethod
    def by(cls, conditions: Collection[Possible | None]) -> Watched:
        """What these conditions look up together."""
        named = [possible for possible in conditions if possible is not None]
        return cls(
            frozenset(word for possible in named for word in possible.words),
            frozenset((word, word) for possible in named for word in possible.doubled),
        )


def has_word(*words: str) -> Possible:
    """One of these words, in lower case, is in the response."""
    any_of = frozenset(words)
    return Possible(lambda pair, glance: not any_of.isdisjoint(glance.words), any_of)


def has_mark(marks: str) -> Possible:
    """One of these marks is somewhere in the pair."""
    any_of = frozenset(marks.encode())
    return Possible(lambda pair, glance: not any_of.isdisjoint(glance.marks))


# Some character is not plain, and then there is no glance.
not_plain = Possible(lambda pair, glance: False)


def signs_of(text: str) -> bytes:
    """The ASCII characters of a text that are not letters, digits or blanks."""
    return text.encode("ascii", "ignore").translate(None, NO_SIGNS)


class _SplitPair(Protocol):
    """A pair split into words: those of the response, the different ones, the pairs of neighbours, its signs (see
    `signs_of`) and whether it may have two blanks in a row; those of the instruction, and the different ones."""

    @property
    def words(self) -> Sequence[str]: ...
    @property
    def vocabulary(self) -> set[str]: ...
    @property
    def bigrams(self) -> AbstractSet[tuple[str, str]]: ...
    @property
    def signs(self) -> bytes: ...
    @property
    def untidy(self) -> bool: ...
    @property
    def asked(self) -> Sequence[str]: ...
    @property
    def asked_vocabulary(self) -> set[str]: ...


def take_glance(pair: Pair, split: _SplitPair, watched: Watched) -> Glance | None:
    """What the rules may know about a pair beforehand, since its words are already split.

    None where a text is not plain: scripts, white space and controls beyond the usual ones can stick to words here and
    end words there.
    """
    response = pair.response
    prompt = pair.instruction + pair.input if pair.input else pair.instruction
    is_ascii = response.isascii() and prompt.isascii()
    if not is_ascii and not (_is_plain(response) and _is_plain(prompt)):
        return None
    marks = set(split.signs + signs_of(prompt))
    if not CONTROLS.isdisjoint(marks):
        return None
    looked_up = watched.words
    vocabulary, asked_vocabulary, task = split.vocabulary, split.asked_vocabulary, split.asked
    words, asked = vocabulary & looked_up, asked_vocabulary & looked_up
    if "'" in response or "’" in response:  # the one mark that stays with its word
        for word in vocabulary:
            if "'" in word:
                words.update(looked_up.intersection(word.split("'")))
    if not "".join(task).isalpha():
        for word in asked_vocabulary:
            if not (word.isalpha() or word.isdigit()):
                asked.update(
                    looked_up.intersection(ALPHANUMERICS.findall(word)), looked_up.intersection(LETTERS.findall(word))
                )
    repeats = len(split.words) - len(vocabulary)
    doubled = repeats > 0 and not watched.doubled.isdisjoint(split.bigrams)
    if not doubled and len(task) > len(asked_vocabulary):
        doubled = True in map(eq, task, task[1:])
    return Glance(words, asked, marks, repeats, doubled, split.untidy, is_ascii)


def _is_plain(text: str) -> bool:
    try:
        return not text.encode("cp1252").translate(None, PLAIN_BYTES)
    except UnicodeEncodeError:
        return False
