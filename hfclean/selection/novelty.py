"""Novelty: which rows say something that no kept row said before, by ROUGE-L, without comparing all with all.

The gate of Self-Instruct (0.7) and of SeDi-Instruct (0.85). Two texts can only be that alike when they share enough of
their words, and then they share one of their rarest: an index of those finds every pair that counts, and the rest is
never compared. The result is that of the plain loop over all pairs.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from hfclean.errors import HfcleanError
from hfclean.layout import Layout
from hfclean.schema import Columns, Pair
from hfclean.selection.rows import is_number
from hfclean.text import words

_Field = Literal["instruction", "prompt", "response", "both"]
_Boundary = Literal["from", "above"]
_Words = Literal["hfclean", "rouge_score"]
_FIELDS: Mapping[str, Callable[[Pair], str]] = {
    "instruction": lambda pair: pair.instruction,
    "prompt": lambda pair: pair.prompt,
    "response": lambda pair: pair.response,
    "both": lambda pair: f"{pair.prompt}\n{pair.response}",
}
LARGEST_CODE = 0x10FFFF
ROUGE_SCORE = re.compile("[a-z0-9]+")  # the words of the package rouge_score: every other character parts them


@dataclass(frozen=True)
class Dropped:
    """A row that is not new.

    Attributes:
        index: of the row.
        of: index of the kept row that it is most like, the first of equals; for a text of `against`, -1 less its
            place there.
        rouge_l: how much, threshold to 1.
    """

    index: int
    of: int
    rouge_l: float


@dataclass(frozen=True)
class Novelty:
    """What the gate let through.

    Attributes:
        kept: indices for `ds.select`, in dataset order.
        dropped: the others, each with the row that it repeats.
        threshold: from which ROUGE-L on, or above which, a row counts as repeated; nan where no row was compared.
        wordless: rows without a word; they are compared with nothing and kept.
        compared: pairs whose longest common subsequence was computed, of `len(ds)` squared over two.
        boundary: `from` where a row at the threshold itself was dropped, `above` where it was kept.
    """

    kept: tuple[int, ...]
    dropped: tuple[Dropped, ...]
    threshold: float
    wordless: int
    compared: int
    boundary: _Boundary = "from"

    @property
    def drop_rate(self) -> float:
        """The share of rows that were dropped, 0 to 1; nan without rows."""
        total = len(self.kept) + len(self.dropped)
        return len(self.dropped) / total if total else math.nan

    def summary(self) -> str:
        """The figures in a line for people."""
        total = len(self.kept) + len(self.dropped)
        if math.isnan(self.threshold):
            return f"{len(self.kept):,} of {total:,} rows kept: no gate was asked for"
        share = f" ({100 * self.drop_rate:.1f} %)" if total else ""
        where = f"above ROUGE-L {self.threshold:g}"
        if self.boundary == "from":
            where = f"at ROUGE-L {self.threshold:g} or more"
        return (
            f"{len(self.kept):,} of {total:,} rows kept, {len(self.dropped):,}{share} dropped {where}; "
            f"{self.wordless:,} without words"
        )


def rouge_l(first: str, second: str, *, tokens: _Words = "hfclean") -> float:
    """ROUGE-L of two texts: twice the longest common subsequence of their words over the words of both, 0 to 1.

    Words are lower-cased, and single characters in scripts without spaces; 0 where one text has none. With
    `tokens="rouge_score"` they are those of that package without stemming, runs of a to z and 0 to 9: `don't` and
    `two-day` are two words each, and a script without such letters has none.

    >>> rouge_l("Name a red fruit.", "Name a fruit")
    0.8571428571428571
    >>> rouge_l("don't", "don"), round(rouge_l("don't", "don", tokens="rouge_score"), 4)
    (0.0, 0.6667)
    """
    from rapidfuzz.distance import LCSseq

    split = splitter(tokens, "rouge_l")
    a, b = split(first), split(second)
    return 2 * LCSseq.similarity(a, b) / (len(a) + len(b)) if a and b else 0.0


def novel(
    ds: Any,
    *,
    threshold: float = 0.85,
    field: _Field | str = "instruction",
    against: Iterable[Any] = (),
    columns: Columns = None,
    boundary: _Boundary = "from",
    tokens: _Words = "hfclean",
) -> Novelty:
    """Rows whose ROUGE-L with every row kept before them, and with every text of `against`, is below a threshold.

    The first of rows that are alike stays. SeDi-Instruct (arXiv 2502.04774) relaxes the threshold to 0.85, which keeps
    about four in five of generated rows, where Self-Instruct (arXiv 2212.10560) takes 0.7 and loses more than half.
    Self-Instruct's paper keeps what is below 0.7, its script what is not above: `boundary="above"` and
    `tokens="rouge_score"` follow the script.

    Args:
        ds: a `Dataset` (one split) or a list of rows.
        threshold: above 0, up to 1 (only equal sequences of words).
        field: what is compared: `instruction` as in both papers, `prompt` (with its input), `response`, `both`, or
            the name of any other column of text.
        against: texts, or rows, that count as kept already: seeds, earlier generations.
        columns: which columns hold what, as every transform takes it.
        boundary: whether a row is dropped `"from"` the threshold on or only `"above"` it.
        tokens: what the words are, `"hfclean"` for every script or `"rouge_score"`; see `rouge_l`.

    Raises:
        HfcleanError: the threshold is out of range, `field` is neither field nor column, or an option is unknown.

    >>> rows = [{"prompt": p, "completion": "x"} for p in ("Name a red fruit", "Name a red fruit!", "Sing")]
    >>> novel(rows).kept
    (0, 2)
    """
    if not is_number(threshold) or not 0 < threshold <= 1:
        raise HfcleanError(f"novel(threshold={threshold!r}): expected above 0 and up to 1; SeDi takes 0.85")
    if boundary not in get_args(_Boundary):
        raise HfcleanError(f"novel(boundary={boundary!r}): expected 'from' or 'above'")
    split = splitter(tokens, "novel")
    layout = Layout(columns)
    given = [split(text) for text in _texts(against, field, layout)]
    rows = [split(text) for text in _texts(ds, field, layout)]
    gate = _Gate(threshold, [*given, *rows], above=boundary == "above")
    for place in range(len(given)):
        gate.add(place)
    kept, dropped = [], []
    for index in range(len(rows)):
        place = index + len(given)
        best, of = gate.nearest(place)
        if of < 0:
            gate.add(place)
            kept.append(index)
        else:
            dropped.append(Dropped(index, of - len(given) if of >= len(given) else -1 - of, best))
    wordless = sum(not row for row in rows)
    return Novelty(tuple(kept), tuple(dropped), threshold, wordless, gate.compared, boundary)


def splitter(tokens: str, asked_by: str) -> Callable[[str], list[str]]:
    """What splits a text into lower-case words.

    Raises:
        HfcleanError: there is none of this name.
    """
    if tokens == "rouge_score":
        return lambda text: ROUGE_SCORE.findall(text.lower())
    if tokens == "hfclean":
        return lambda text: words(text.lower())
    raise HfcleanError(f"{asked_by}(tokens={tokens!r}): expected 'hfclean' or 'rouge_score'")


def _texts(rows: Any, field: str, layout: Layout) -> list[str]:
    """The text of every row that is compared."""
    if isinstance(rows, (Mapping, str)):
        raise HfcleanError(
            f"got a {type(rows).__name__}; expected one split, a Dataset or a list of rows, such as ds['train']"
        )
    plain = rows.with_format(None) if hasattr(rows, "with_format") else rows
    if field not in _FIELDS and hasattr(plain, "column_names") and field in plain.column_names:
        plain = [{field: cell} for cell in plain[field]]
    texts = []
    for row in plain:
        if isinstance(row, str):
            texts.append(row)
        elif isinstance(row, Pair):
            texts.append(_of_pair(row, field))
        elif field not in _FIELDS and field in row:
            texts.append(str(row[field] or ""))
        else:
            _of_pair(Pair(""), field)  # an unknown field first: it says more than an unknown shape
            texts.append(_of_pair(layout.view(row).pairs(row)[-1], field))
    return texts


def _of_pair(pair: Pair, field: str) -> str:
    if field not in _FIELDS:
        raise HfcleanError(f"field={field!r}: no such column; expected one, or {', '.join(_FIELDS)}")
    return _FIELDS[field](pair)


class _Gate:
    """Texts that were added, found again by their rarest words.

    Of two texts with a and b words and a common subsequence of c, ROUGE-L is 2c / (a + b). For it to reach t, c must
    be t (a + b) / 2 or more, so b is at least a t / (2 - t), and c at least that as well. Two texts that share c words
    share one among the `a - c + 1` rarest of the first and as many of the second, whatever order "rarest" is, as long
    as it is the same for all; a word that comes twice counts twice.
    """

    def __init__(self, threshold: float, texts: Sequence[Sequence[str]], *, above: bool = False) -> None:
        self.above = above
        # exact, from the decimal that was asked for: 0.7 as a float is less than seven tenths
        self.threshold = Fraction(str(threshold))
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        order = {word: n for n, (word, _) in enumerate(sorted(counts.items(), key=lambda item: (item[1], item[0])))}
        self.ranked = [sorted(order[word] for word in text) for text in texts]
        self.sequences = _coded(texts)
        self.index: dict[int, list[int]] = {}
        self.compared = 0

    def _prefix(self, place: int) -> Sequence[int]:
        words = self.ranked[place]
        least = math.ceil(len(words) * self.threshold / (2 - self.threshold))
        return words[: len(words) - least + 1]

    def add(self, place: int) -> None:
        """From now on this text counts."""
        for word in set(self._prefix(place)):
            self.index.setdefault(word, []).append(place)

    def nearest(self, place: int) -> tuple[float, int]:
        """The ROUGE-L and the place of the most alike of the texts that count, the first of equals; -1 for none."""
        from rapidfuzz.distance import LCSseq

        known = self.sequences[place]
        if not known:
            return 0.0, -1
        size, index, sequences = len(known), self.index, self.sequences
        # c words in common are enough where c / (a + b) is `up / down` or more: whole numbers, so that nothing rounds
        up, down = self.threshold.numerator, 2 * self.threshold.denominator
        of = -1
        for other in sorted({other for word in self._prefix(place) for other in index.get(word, ())}):
            sequence = sequences[other]
            both = size + len(sequence)
            least = -(-up * both // down)
            if size < least or len(sequence) < least:
                continue
            self.compared += 1
            common = LCSseq.similarity(known, sequence, score_cutoff=least)
            if common >= least and ((of < 0 and not self.above) or common * down > up * both):
                up, down, of = common, both, other
        return (2 * up / down if of >= 0 else 0.0), of


def _coded(texts: Sequence[Sequence[str]]) -> list[Any]:
    """Each text with a character for each word, which is compared fastest; numbers where there are too many words."""
    numbers: dict[str, int] = {}
    sequences = [[numbers.setdefault(word, len(numbers)) for word in text] for text in texts]
    return ["".join(map(chr, text)) for text in sequences] if len(numbers) <= LARGEST_CODE else sequences
