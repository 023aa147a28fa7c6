"""Contradictions: rows that ask the same and are told different things, and thoughts on some rows only.

Rows are joined by a hash of what they ask; only those that share one are read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hfclean.layout import Layout
from hfclean.passes import column_batches, numbers, parts
from hfclean.schema import Columns, Pair, PreferenceView, View
from hfclean.schema.truths import truths_in
from hfclean.selection.row_context import context_keys, undecoded
from hfclean.selection.rows import check_dataset
from hfclean.text.thoughts import split_thought
from hfclean.verifiers.answers import SEVERAL, final_answer
from hfclean.verifiers.truths import final_value
from hfclean.verifiers.values import LONGEST, differ, one_spelling, read_value

T = TypeVar("T", bound=Hashable)

MOST_VALUES = 20  # of one question that are compared
# Answers that contradict each other, as far as words go.
OPPOSITES = {
    word: number
    for number, words in enumerate(
        (("yes", "no"), ("true", "false"), ("correct", "incorrect"), ("positive", "negative"), ("valid", "invalid"))
    )
    for word in words
}
# Questions with more than one right answer.
OPEN = re.compile(
    r"\b(?:random|any|some|an? (?:number|example|value|digit|integer)|examples?|generate|create|invent|guess|pick|"
    r"choose|think of|come up|imagine|suggest|name an?|give (?:me )?an?|write|roll|flip|estimate|approximat\w+|"
    r"your|you|favou?rite)\b",
    re.IGNORECASE,
)
KINDS = ("truths_differ", "answers_differ", "sides_swapped")


@dataclass(frozen=True)
class Contradictions:
    """Which rows of a dataset are told different things though they ask the same; see `contradictions`.

    Attributes:
        rows: rows of the dataset.
        truths: groups of rows that ask the same and whose truths differ, each in dataset order.
        answers: groups of rows that ask the same and whose final answers contradict each other.
        sides: groups of preference rows that ask the same, one with the answer chosen that another one rejects, and
            the other way round.
        thoughtful: rows with a thought before the answer.
        thoughtless: rows with an answer and no thought.
    """

    rows: int
    truths: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[int, ...], ...]
    sides: tuple[tuple[int, ...], ...]
    thoughtful: int
    thoughtless: int

    @property
    def groups(self) -> Mapping[str, tuple[tuple[int, ...], ...]]:
        """The groups by kind: `truths_differ`, `answers_differ`, `sides_swapped`."""
        return dict(zip(KINDS, (self.truths, self.answers, self.sides), strict=True))

    def column(self) -> list[str]:
        """For each row the kinds of contradiction that it is part of, separated by spaces; `""` for most."""
        found = [""] * self.rows
        for kind, groups in self.groups.items():
            for group in groups:
                for row in group:
                    found[row] = f"{found[row]} {kind}".strip()
        return found

    def notes(self) -> list[str]:
        """One line for each thing that was found."""
        said = {
            "truths_differ": "ask what other rows ask, with another truth",
            "answers_differ": "ask what other rows ask, with an answer that contradicts theirs",
            "sides_swapped": "choose an answer that another row rejects, and the other way round",
        }
        lines = [
            f"{_rows(sum(map(len, groups)))} in {len(groups):,} group{'s'[: len(groups) - 1]} {said[kind]} ({kind})"
            for kind, groups in self.groups.items()
            if groups
        ]
        if self.thoughtful and self.thoughtless:
            lines.append(
                f"thoughts on some rows only: before the answer of {_rows(self.thoughtful)}, and not of "
                f"{_rows(self.thoughtless)}"
            )
        return lines

    def summary(self) -> str:
        """The figures in plain words."""
        return "\n".join([_rows(self.rows), *(self.notes() or ["no contradictions"])])


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def contradictions(ds: Any, *, columns: Columns = None) -> Contradictions:
    """Rows that ask the same and are told different things: truths, final answers, swapped sides; and how many rows
    have a thought before their answer.

    Two rows ask the same when instruction, input, system prompt and earlier turns are equal but for case and white
    space, and so are pictures and tools. Truths differ where they are other values, or other words of which neither
    holds the other. Answers contradict each other where both state a number, an option or yes and no, and the question
    has one right answer. Where that is not certain, nothing is said.

    Takes 9 bytes a row, in a file where they are many, and more only for rows that share a question.

    Args:
        ds: a `Dataset`.
        columns: which columns hold what, as for `hfclean.score`.

    Raises:
        HfcleanError: not one whole `Dataset`.
        SchemaError: rows of no known shape.

    >>> from datasets import Dataset
    >>> rows = [{"prompt": "What is 6 * 7?", "completion": text} for text in ("42", "It is \\\\boxed{42}.", "48")]
    >>> found = contradictions(Dataset.from_list(rows))
    >>> found.answers, found.column()[0]
    (((0, 1, 2),), 'answers_differ')
    """
    check_dataset(ds, "contradictions")
    return found_in(ds, Layout(columns).settled(ds))


def found_in(ds: Any, layout: Layout) -> Contradictions:
    """The same for a dataset that is read in this way."""
    count = len(ds)
    if not count:
        return Contradictions(0, (), (), (), 0, 0)
    view = layout.view(ds.column_names)
    keys = numbers(count, np.uint64, ds)
    asked = numbers(count, np.bool_, ds)
    thoughtful = thoughtless = 0
    for row, (_, pair) in enumerate(_read(ds, view)):
        digest = _asks(pair)
        keys[row], asked[row] = int.from_bytes(digest[:8], "big"), bool(pair.prompt.strip())
        if pair.thought or split_thought(pair).thought:
            thoughtful += 1
        elif pair.response.strip():
            thoughtless += 1
    shared = _shared(keys, asked)
    found: dict[bytes, list[_Told]] = {}
    if len(shared):
        beside = context_keys(ds, layout)
        for row, (cells, pair) in zip(shared.tolist(), _read(ds, view, shared), strict=True):
            context = b"" if beside is None else int(beside[row]).to_bytes(8, "big")
            found.setdefault(_asks(pair) + context, []).append(_told(row, cells, pair, view))
    groups = [group for group in found.values() if len(group) > 1]
    return Contradictions(
        count,
        tuple(_differing(groups, lambda told: told.truth, _truths_differ)),
        tuple(_differing(groups, lambda told: told.answer or None, _answers_differ)),
        tuple(_differing(groups, lambda told: told.sides, lambda one, other: one == other[::-1])),
        thoughtful,
        thoughtless,
    )


def _read(ds: Any, view: View, rows: Any = None) -> Iterator[tuple[dict[str, Any], Pair]]:
    names = list(view.reads if rows is not None else view.columns)
    for batch in column_batches(undecoded(ds), names, rows):
        for values in zip(*(batch[name] for name in names), strict=True):
            cells = dict(zip(names, values, strict=True))
            yield cells, view.pairs(cells)[-1]


def _asks(pair: Pair) -> bytes:
    """A hash of what a pair asks, without case and the kind of white space."""
    earlier = (text for turn in pair.history for text in turn)
    texts = (pair.system, *earlier, pair.instruction, pair.input)
    text = "\0".join(" ".join(text.casefold().split()) for text in texts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _shared(keys: Any, asked: Any) -> Any:
    """The rows whose key another row has as well, in dataset order."""
    found = []
    for (rows,) in parts(keys):
        order = rows[np.argsort(keys[rows], kind="stable")]
        same = keys[order[1:]] == keys[order[:-1]]
        found.append(np.unique(np.concatenate([order[1:][same], order[:-1][same]])))
    shared = np.sort(np.concatenate(found))
    return shared[asked[shared]]


class _Told(NamedTuple):
    """What a row is told; None where it is nothing that can be compared."""

    row: int
    truth: tuple[str, ...] | None
    answer: str
    sides: tuple[bytes, bytes] | None


def _told(row: int, cells: Mapping[str, Any], pair: Pair, view: View) -> _Told:
    truths = truths_in(cells.get(view.truth)) if view.truth else ()
    truth = tuple(dict.fromkeys(final_value(each.strip())[:1000] for each in truths if each.strip())) or None
    sides = None
    if isinstance(view, PreferenceView):
        rejected = view.pairs(dict(cells), side="rejected")[-1]
        sides = (_digest(pair.response), _digest(rejected.response))
    return _Told(row, truth, "" if sides else _closed_answer(pair), sides)


def _digest(text: str) -> bytes:
    return blake2b(" ".join(text.split()).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _closed_answer(pair: Pair) -> str:
    """The number, option or yes or no that a pair is answered with; "" where it may be one of many."""
    _, final, _ = split_thought(pair)
    answer = final.strip(" \n\t.!*").lower()
    if answer not in OPPOSITES:  # few answers are closed, and the question takes longer to look through
        stated = final_answer(final)
        if stated is None or len(stated.value) > LONGEST:
            return ""
        answer = stated.value
    asked = pair.prompt
    return "" if asked.count("?") > 1 or SEVERAL.search(asked[:5000]) or OPEN.search(asked[:5000]) else answer


def _differing(
    groups: Iterable[list[_Told]], of: Callable[[_Told], T | None], differs: Callable[[T, T], bool]
) -> Iterator[tuple[int, ...]]:
    """Of each group the rows that are told something from which what another one is told differs."""
    for group in groups:
        values: dict[T, list[int]] = {}
        for told in group:
            value = of(told)
            if value is not None and (value in values or len(values) < MOST_VALUES):
                values.setdefault(value, []).append(told.row)
        apart = {value for pair in combinations(values, 2) if differs(*pair) for value in pair}
        if apart:
            yield tuple(sorted(row for value in apart for row in values[value]))


def _answers_differ(one: str, other: str) -> bool:
    if one in OPPOSITES or other in OPPOSITES:
        return one != other and OPPOSITES.get(one, -1) == OPPOSITES.get(other, -2)
    return differ(one, other)


def _truths_differ(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return all(_truth_differs(a, b) for a in one for b in other)


def _truth_differs(one: str, other: str) -> bool:
    a, b = one_spelling(one).casefold(), one_spelling(other).casefold()
    if a == b:
        return False
    if (read_value(one) and read_value(other)) or "\\" in one + other:
        return differ(one, other)
    return a not in b and b not in a
