"""Baselines: what plain choices of the same size would have taken, beside a selection. They often win."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.layout import Layout
from hfclean.plain_values import to_plain
from hfclean.schema import Columns

SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Baseline:
    """One way to choose as many rows, and how long the responses are that it chooses.

    Args:
        name: `selection` (what was chosen), `all` rows, `random` (with its `seed`), `longest`, `shortest`, `first`.
        seed: of a random choice, else -1.
        rows: rows chosen.
        shared: rows of them that the selection chose as well.
        overlap: `shared` as a share of `rows`, 0 to 1; nan where it chooses none.
        mean, p5, p50, p95: words of the responses chosen; nan where there are none.
    """

    name: str
    seed: int
    rows: int
    shared: int
    overlap: float
    mean: float
    p5: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Baselines:
    """A selection beside plain choices of the same size; see `baselines`.

    Args:
        rows, chosen: rows of the dataset, and of the selection.
        choices: the selection first, then all rows, then the others.
    """

    rows: int
    chosen: int
    choices: tuple[Baseline, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON; what is nan is None."""
        return dict(to_plain(self))

    def summary(self) -> str:
        """The figures as a table."""
        lines = [f"{self.chosen:,} of {self.rows:,} rows chosen; words of the responses:"]
        lines.append(f"{'':<12}{'rows':>8}{'overlap':>9}{'mean':>9}{'5%':>8}{'median':>8}{'95%':>8}")
        for each in self.choices:
            name = f"{each.name} {each.seed}" if each.seed >= 0 else each.name
            numbers = f"{_number(each.mean):>9}" + "".join(f"{_number(n):>8}" for n in (each.p5, each.p50, each.p95))
            share = "–" if math.isnan(each.overlap) else f"{each.overlap:.1%}"
            lines.append(f"{name:<12}{each.rows:>8,}{share:>9}{numbers}")
        return "\n".join(lines)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f}"


def baselines(ds: Any, chosen: Iterable[int], *, seeds: Sequence[int] = SEEDS, columns: Columns = None) -> Baselines:
    """What plain choices of the same size share with a selection, and how long the responses of each are.

    A selection is worth its price only if it beats these: random rows (once for each seed), the rows with the longest
    and with the shortest responses (of equals the earlier row), the first rows.

    Args:
        ds: the `Dataset` that was selected from.
        chosen: the indices of the rows that were chosen, such as `top`, `diverse` and `dedupe` give.
        seeds: of the random choices.
        columns: which columns hold what, as in a transform.

    Raises:
        HfcleanError: not one `Dataset`, or an index that it does not have.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> ds = Dataset.from_list([{"prompt": "Count", "completion": "one " * n} for n in range(1, 11)])
    >>> found = hfclean.selection.baselines(ds, hfclean.dedupe(ds, "exact")[5:])
    >>> [each.overlap for each in found.choices if each.name in ("longest", "first")]
    [1.0, 0.0]
    """
    from hfclean.scorers import response_words
    from hfclean.selection.rows import check_dataset, pairs

    check_dataset(ds, "baselines")
    picked = sorted({int(index) for index in chosen})
    if picked and not 0 <= picked[0] <= picked[-1] < len(ds):
        wrong = picked[0] if picked[0] < 0 else picked[-1]
        raise HfcleanError(f"baselines: the index {wrong} is not in a dataset of {len(ds):,} rows; expected its own")
    words = [response_words(pair) for pair in pairs(ds, Layout(columns))]
    return Baselines(len(words), len(picked), compare_choices(words, picked, seeds))


def compare_choices(
    words: Sequence[float], chosen: Sequence[int], seeds: Sequence[int] = SEEDS
) -> tuple[Baseline, ...]:
    """The selection, all rows, and the plain choices of as many rows.

    Args:
        words: of the response of every row; nan counts as 0.
        chosen: indices of the rows chosen.
        seeds: of the random choices.
    """
    words = [0.0 if value != value else value for value in words]
    count, size = len(words), len(chosen)
    by_length = sorted(range(count), key=lambda row: -words[row])
    choices: list[tuple[str, int, Sequence[int]]] = [("selection", -1, chosen), ("all", -1, range(count))]
    choices += [("random", seed, random.Random(seed).sample(range(count), size)) for seed in seeds]  # noqa: S311
    shortest = sorted(range(count), key=lambda row: words[row])
    choices += [("longest", -1, by_length[:size]), ("shortest", -1, shortest[:size]), ("first", -1, range(size))]
    kept = set(chosen)
    return tuple(_baseline(name, seed, rows, kept, words) for name, seed, rows in choices)


def _baseline(name: str, seed: int, rows: Sequence[int], kept: set[int], words: Sequence[float]) -> Baseline:
    lengths = sorted(words[row] for row in rows)
    shared = sum(row in kept for row in rows)
    if not lengths:
        return Baseline(name, seed, 0, 0, math.nan, math.nan, math.nan, math.nan, math.nan)
    last = len(lengths) - 1
    p5, p50, p95 = (float(lengths[round(share * last)]) for share in (0.05, 0.5, 0.95))
    return Baseline(name, seed, len(rows), shared, shared / len(rows), math.fsum(lengths) / len(lengths), p5, p50, p95)
