"""What a new task repeats: a seed, a kept row, or an item of a benchmark; asked before its answer is paid for.

ROUGE-L is that of `hfclean.selection.novel`, and so is the verdict: exact at the threshold. Beside the verdict every
task gets its most similar predecessor, so all of them are looked at, some ten million a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, NamedTuple, get_args

from hfclean.errors import HfcleanError
from hfclean.schema import Pair
from hfclean.selection.benchmarks import Entry
from hfclean.selection.decontamination import Hit, hits_in, pack_of
from hfclean.selection.novelty import LARGEST_CODE, splitter
from hfclean.selection.rows import is_number

OVERLAP = (8, 0.5, 0.8)  # runs of 8 words, more than half of them, or 0.8 of the runs of 3: as `decontaminate` looks
Boundary = Literal["from", "above"]
Words = Literal["hfclean", "rouge_score"]


class Nearest(NamedTuple):
    """The most similar of earlier texts: its name, its ROUGE-L, and whether that makes the text a repetition."""

    name: str
    rouge_l: float
    repeats: bool


@dataclass(frozen=True)
class Novelty:
    """When a task counts as new.

    Args:
        threshold: of ROUGE-L, above 0, up to 1: Self-Instruct takes 0.7, SeDi-Instruct 0.85; None for no gate.
        boundary: drop `"from"` the threshold on, or only `"above"` it, as Self-Instruct's script does.
        tokens: what the words are, `"hfclean"` for every script or `"rouge_score"`; see `hfclean.selection.novelty`.
    """

    threshold: float | None = 0.7
    boundary: Boundary = "from"
    tokens: Words = "hfclean"

    def __post_init__(self) -> None:
        if self.threshold is not None and (not is_number(self.threshold) or not 0 < self.threshold <= 1):
            expected = "expected above 0 and up to 1, such as 0.7 (Self-Instruct) or 0.85 (SeDi-Instruct)"
            raise HfcleanError(f"novelty={self.threshold!r}: {expected}, or None for no gate").with_flags(
                f"--novelty {self.threshold}: {expected}, or 'none' for no gate"
            )
        for name, known in (("boundary", Boundary), ("tokens", Words)):
            if getattr(self, name) not in get_args(known):
                raise HfcleanError(
                    f"novelty {name} {getattr(self, name)!r}: expected {' or '.join(map(repr, get_args(known)))}"
                )


class Known:
    """Texts with their names, among which the most similar is found."""

    def __init__(self, novelty: Novelty) -> None:
        self.novelty = novelty
        self._split = splitter(novelty.tokens, "novelty")
        self._threshold = None if novelty.threshold is None else Fraction(str(novelty.threshold))
        self._codes: dict[str, str] = {}
        self._names: list[str] = []
        self._texts: list[str] = []

    def copy(self) -> Known:
        """The same texts, to which others may be added."""
        other = Known(self.novelty)
        other._codes = self._codes  # only grows
        other._names, other._texts = [*self._names], [*self._texts]
        return other

    def add(self, name: str, text: str) -> None:
        """From now on this text is known; one without words is never similar to anything."""
        if coded := self._coded(text):
            self._names.append(name)
            self._texts.append(coded)

    def nearest(self, text: str) -> Nearest:
        """The most similar of the known texts, the first of equals."""
        from rapidfuzz.distance import Indel, LCSseq
        from rapidfuzz.process import extractOne

        coded = self._coded(text)
        # ROUGE-L is the normalised similarity of insertions and deletions: 2c / (a + b)
        found = extractOne(coded, self._texts, scorer=Indel.normalized_similarity) if coded else None
        if found is None:
            return Nearest("", 0.0, False)
        other, _, place = found
        common, both = LCSseq.similarity(coded, other), len(coded) + len(other)
        if common == 0:
            return Nearest("", 0.0, False)
        alike = Fraction(2 * common, both)
        limit = self._threshold
        repeats = limit is not None and (alike > limit if self.novelty.boundary == "above" else alike >= limit)
        return Nearest(self._names[place], 2 * common / both, repeats)

    def _coded(self, text: str) -> str:
        """A text with a character for each word."""
        codes = self._codes
        return "".join(codes.setdefault(word, _character(len(codes))) for word in self._split(text))


def _character(number: int) -> str:
    if number > LARGEST_CODE:
        raise HfcleanError(f"more than {LARGEST_CODE:,} different words in tasks; begin with another folder")
    return chr(number)


class Benchmarks:
    """Items of benchmarks that no made row may hold."""

    def __init__(self, against: Any) -> None:
        self.pack = (
            None if against is None or (isinstance(against, (tuple, list, dict)) and not against) else pack_of(against)
        )

    @property
    def items(self) -> dict[str, int]:
        """How many items each benchmark has."""
        return {} if self.pack is None else self.pack.items

    @property
    def entries(self) -> Sequence[Entry]:
        """Their texts, as numbers."""
        return () if self.pack is None else self.pack.entries

    def found(self, pairs: Sequence[Pair]) -> dict[int, Hit]:
        """The first item that each of these holds, by place."""
        if self.pack is None or not pairs:
            return {}
        hits: dict[int, Hit] = {}
        for hit in hits_in(pairs, 0, self.pack, OVERLAP):
            hits.setdefault(hit.row, hit)
        return hits
