"""Does a score see damage? Answers are damaged on purpose, and scores have to tell them from the sound ones.

A score that does no better than length does not measure what it claims to. Nothing is written to the rows.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import ColumnError, HfcleanError
from hfclean.evaluation.bootstrap import interval
from hfclean.evaluation.injectors import NOISES, Noise
from hfclean.evaluation.ranking import auroc, auroc_draws, pairs_of
from hfclean.layout import Layout
from hfclean.plain_values import to_plain
from hfclean.schema import Columns, Pair
from hfclean.scorers import Scorer, response_words

__all__ = ["BASELINES", "HIGHER_IS_DAMAGE", "NOISES", "Noise", "NoiseReport", "Separation", "inject", "noise_report"]

# What a high value of a known column says: damage or soundness. Fixed before any row is seen.
HIGHER_IS_DAMAGE: Mapping[str, bool] = {
    **dict.fromkeys(("ifd_ppl", "ifd_loss", "r_ifd_ppl", "r_ifd_loss", "s_ifd", "ppl", "ppl_alone"), True),
    **dict.fromkeys(("ira", "ira_mean", "preference", "rating", "lexical_diversity", "response_words"), False),
    **dict.fromkeys(("judge", "reward", "expected_rating", "direction"), False),
    **dict.fromkeys(("unieval_natural", "unieval_coherent", "unieval_understandable"), False),
}
LENGTHS: Mapping[str, Callable[[Pair], float]] = {
    "length_words": response_words,
    "length_characters": lambda pair: float(len(pair.response)),
}
RANDOM = "random"
BASELINES = (*LENGTHS, RANDOM)


@dataclass(frozen=True)
class Separation:
    """How well one score tells answers with one kind of damage from the same rows without it.

    Args:
        noise: id of the kind.
        column: the score, or one of `BASELINES`.
        higher_is_damage: the direction that was assumed.
        auroc: 0 to 1: the chance that a damaged answer looks more damaged than a sound one, ties half; 0.5 is chance,
            nan where no row has a score on both sides.
        low, high: its 95 % bootstrap interval, whole rows drawn.
        rows: how many were damaged and have the score both ways.
        unscored: how many were damaged and lack it on either side; they are left out, here and in `length`.
        length: AUROC of length on the same rows: words or characters, longer or shorter, whichever is best there.
        beyond_length: `auroc - length`; with `beyond_low` and `beyond_high`, its paired 95 % interval.
    """

    noise: str
    column: str
    higher_is_damage: bool
    auroc: float
    low: float
    high: float
    rows: int
    unscored: int
    length: float
    beyond_length: float
    beyond_low: float
    beyond_high: float

    @property
    def found(self) -> bool:
        """Whether the score finds this damage: the lower bound is above chance."""
        return self.low > 0.5

    @property
    def beats_length(self) -> bool:
        """Whether it finds it better than length does: the lower bound of the difference is above zero."""
        return self.found and self.beyond_low > 0


@dataclass(frozen=True)
class NoiseReport:
    """What scores make of damaged answers; see `noise_report`.

    Args:
        rows: the rows given.
        seed: of the damage and of the draws.
        applied: for each kind, how many rows it could be done to.
        separations: kinds by columns, baselines last.
    """

    rows: int
    seed: int
    applied: Mapping[str, int]
    separations: tuple[Separation, ...]

    def of(self, noise: str, column: str) -> Separation:
        """One figure.

        Raises:
            ColumnError: there is none of these names.
        """
        for found in self.separations:
            if (found.noise, found.column) == (noise, column):
                return found
        columns = list(dict.fromkeys(each.column for each in self.separations))
        raise ColumnError(f"no figure for ({noise!r}, {column!r}); noises: {list(self.applied)}, columns: {columns}")

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON; what is nan is None."""
        each = [{**to_plain(one), "found": one.found, "beats_length": one.beats_length} for one in self.separations]
        return {**to_plain(self), "separations": each}

    def summary(self) -> str:
        """A table for people, and what it says of each kind in a sentence."""
        meanings = {noise.id: noise.meaning for noise in NOISES}
        lines = [f"{self.rows:,} rows; AUROC with 95 % intervals; 0.5 is chance"]
        for noise, count in self.applied.items():
            about = f": {meanings[noise]}" if noise in meanings else ""
            lines += ["", f"{noise}{about} ({count:,} rows)"]
            if not count:
                lines.append("  could be done to no row")
                continue
            lines.append(f"  {'score':20} {'AUROC':^20}  {'better than length by':^23}  unscored")
            found = [each for each in self.separations if each.noise == noise]
            lines += [_line(each) for each in found]
            lines.append(f"  {_verdict(found)}")
        return "\n".join(lines)


def _line(each: Separation) -> str:
    if math.isnan(each.auroc):
        return f"  {each.column:20} {'–':^20}  {'':23}  {each.unscored:8,}"
    interval = f"{each.auroc:.3f} [{each.low:.3f}, {each.high:.3f}]"
    beyond = f"{each.beyond_length:+.3f} [{each.beyond_low:+.3f}, {each.beyond_high:+.3f}]"
    if each.column in BASELINES:
        beyond = ""
    return f"  {each.column:20} {interval:20}  {beyond:23}  {each.unscored:8,}"


def _verdict(separations: Sequence[Separation]) -> str:
    seen = [each.column for each in separations if each.found and each.column not in BASELINES]
    better = [each.column for each in separations if each.beats_length and each.column not in BASELINES]
    if not seen:
        return "found by none"
    return f"found by {', '.join(seen)}; better than length: {', '.join(better) or 'none'}"


def inject(pairs: Sequence[Pair], noise: Noise, *, foreign: Sequence[Pair] = (), seed: int = 0) -> list[Pair | None]:
    """Every pair with one kind of damage done to its answer; None where the kind does not apply.

    What happens to a pair depends on the seed, on the pair and on which other pairs there are, not on their order. An
    answer that is blank, or that the damage leaves as it was or without a word, counts as one it does not apply to.

    Args:
        pairs: sound ones; the others that an injector may borrow from are among them.
        foreign: pairs in another language, which the kind `foreign` borrows from.
        seed: another seed, other damage.
    """
    source = foreign if noise.needs == "foreign" else pairs
    others = [pair for key, pair in sorted({_key(pair): pair for pair in source}.items()) if pair.response.strip()]
    damaged_pairs: list[Pair | None] = []
    for pair in pairs:
        damaged = None
        if pair.response.strip():
            damaged = noise.function(pair, others, _chance(seed, noise.id, pair))
        if damaged is not None and damaged.response.strip() in ("", pair.response.strip()):
            damaged = None
        damaged_pairs.append(damaged)
    return damaged_pairs


def _key(pair: Pair) -> bytes:
    texts = (pair.system, *(turn.text for turn in pair.history), pair.instruction, pair.input, pair.response)
    return b"\0".join(text.encode("utf-8", "surrogatepass") for text in texts)


def _chance(seed: int, name: str, pair: Pair) -> random.Random:
    """The random numbers of a row: the same wherever the row is."""
    digest = hashlib.sha256(f"{seed}\0{name}\0".encode() + _key(pair)).digest()
    return random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - no secret


def noise_report(
    scorers: Scorer | Sequence[Scorer],
    rows: Iterable[Any],
    *,
    noises: Iterable[str | Noise] | None = None,
    foreign: Iterable[Any] = (),
    higher_is_damage: Mapping[str, bool] | None = None,
    columns: Columns = None,
    seed: int = 0,
    draws: int = 1000,
) -> NoiseReport:
    """Damage the answers of sound rows, and say which scores tell the damaged ones from the sound ones.

    For every numeric column of the scorers and every kind of damage: AUROC between the damaged answers and the same
    rows undamaged, its 95 % bootstrap interval, and how much it is above what length alone reaches on the same rows.
    Length is given the better of its two directions, and the better of words and characters, on these very rows: an
    advantage over the scores, whose direction is fixed beforehand. A random number is the third baseline. The damage
    is artificial, and real faults may look different (after the noise study of FedDQC, arXiv 2410.11540). With many
    figures in a table, one in forty that mean nothing still lies above chance, from noise alone.

    Args:
        scorers: one or several, such as `hfclean.score` or `hfclean.IFD("Qwen/Qwen3-0.6B")`. Two with a column in
            common need a `prefix`.
        rows: a `Dataset`, or a list of rows or pairs, taken to be sound; blank answers are never damaged.
        noises: ids of `NOISES` or custom `Noise`s; all by default.
        foreign: rows in another language; without them the kind `foreign` applies to no row.
        higher_is_damage: for custom columns, whether a high value means damage; also goes before
            `HIGHER_IS_DAMAGE`, which knows those of hfclean. A direction is never taken from these rows: the better of
            two directions is above 0.5 by itself. To learn it, use other rows.
        columns: which columns hold what, as in a transform.
        seed: of the damage and of the draws.
        draws: bootstrap samples.

    Raises:
        ColumnError: a column has no direction, or two scorers have one in common.
        HfcleanError: a noise that does not exist, or something other than rows.

    >>> import hfclean
    >>> rows = [{"instruction": f"Count to {n}.", "output": " ".join(map(str, range(1, n)))} for n in range(9, 60)]
    >>> report = hfclean.evaluation.noise_report(hfclean.score, rows, noises=["truncated"], draws=100)
    >>> report.of("truncated", "length_words").found
    True
    """
    scorers = [scorers] if isinstance(scorers, Scorer) else list(scorers)
    pairs, others = pairs_of(rows, Layout(columns)), pairs_of(foreign, Layout())
    if not pairs:
        raise HfcleanError("noise_report got no rows; expected sound ones, a few hundred or more")
    sound = _scored(scorers, pairs)
    directions = {name: _direction(name, scorers, higher_is_damage or {}) for name in sound if name not in BASELINES}
    separations: list[Separation] = []
    applied = {}
    for kind in _kinds(NOISES if noises is None else noises):
        damaged = {k: pair for k, pair in enumerate(inject(pairs, kind, foreign=others, seed=seed)) if pair}
        applied[kind.id] = len(damaged)
        if damaged:
            bad = _scored(scorers, list(damaged.values()))
            table = {name: _Sides.of(bad[name], [sound[name][k] for k in damaged]) for name in sound}
            chances = [_chance(seed, f"{RANDOM} {kind.id}", pairs[k]) for k in damaged]
            table[RANDOM] = _Sides.of([each.random() for each in chances], [each.random() for each in chances])
            separations += [
                _separation(kind.id, name, table, directions.get(name), draws, seed)
                for name in [*directions, *BASELINES]
            ]
    return NoiseReport(len(pairs), seed, applied, tuple(separations))


def _kinds(noises: Iterable[str | Noise]) -> list[Noise]:
    known = {noise.id: noise for noise in NOISES}
    noise_by_id = {}
    for noise in [noises] if isinstance(noises, (str, Noise)) else noises:
        if isinstance(noise, str) and noise not in known:
            raise HfcleanError(f"no noise {noise!r}; expected one of {', '.join(known)}, or a custom Noise")
        kind = known[noise] if isinstance(noise, str) else noise
        noise_by_id[kind.id] = kind
    return list(noise_by_id.values())


def _direction(name: str, scorers: Sequence[Scorer], stated: Mapping[str, bool]) -> bool:
    bare = next((name.removeprefix(s.prefix) for s in scorers if name.removeprefix(s.prefix) in s.names()), name)
    for key, table in ((name, stated), (bare, stated), (bare, HIGHER_IS_DAMAGE)):
        if key in table:
            return table[key]
    raise ColumnError(
        f"{name!r}: does a high value mean damage or soundness? Say so: higher_is_damage={{{name!r}: True or False}}. "
        "It is not taken from the rows, since the better of two directions is above chance by itself"
    )


def _scored(scorers: Sequence[Scorer], pairs: Sequence[Pair]) -> dict[str, list[float]]:
    """The numeric columns of the scorers, and the lengths; None as nan."""
    columns: dict[str, list[float]] = {}
    for each in scorers:
        for name, values in each.score_rows([[pair] for pair in pairs]).items():
            if not all(value is None or type(value) in (int, float) for value in values):
                continue
            if each.prefix + name in columns:
                raise ColumnError(f"two scorers have a column {each.prefix + name!r}; give one of them a prefix")
            columns[each.prefix + name] = [math.nan if value is None else float(value) for value in values]
    for name, length in LENGTHS.items():
        columns[name] = [length(pair) for pair in pairs]
    return columns


@dataclass(frozen=True)
class _Sides:
    """One column on damaged rows and on the same rows undamaged."""

    bad: Any
    good: Any

    @classmethod
    def of(cls, bad: Sequence[float], good: Sequence[float]) -> _Sides:
        import numpy as np

        return cls(np.array(bad, float), np.array(good, float))

    def there(self) -> Any:
        """Which rows have the score on both sides."""
        import numpy as np

        return ~(np.isnan(self.bad) | np.isnan(self.good))

    def towards_damage(self, rows: Any, higher: bool) -> _Sides:
        """These rows, turned so that a high value means damage."""
        sign = 1.0 if higher else -1.0
        return _Sides(sign * self.bad[rows], sign * self.good[rows])

    def auroc(self) -> float:
        import numpy as np

        return auroc(np.arange(2 * len(self.bad)) < len(self.bad), np.concatenate([self.bad, self.good]))


def _separation(
    noise: str, name: str, table: Mapping[str, _Sides], higher: bool | None, draws: int, seed: int
) -> Separation:
    rows = table[name].there()
    count, left_out = int(rows.sum()), int((~rows).sum())
    if not count:
        return Separation(noise, name, bool(higher), math.nan, *(math.nan,) * 2, 0, left_out, *(math.nan,) * 4)
    lengths = {(key, way): table[key].towards_damage(rows, way) for key in LENGTHS for way in (True, False)}
    reached = {key: sides.auroc() for key, sides in lengths.items()}
    best = max(reached, key=lambda key: reached[key])  # of equals the first
    if higher is None:  # a baseline: length has the better of its directions, a random number has none
        higher = name not in LENGTHS or reached[name, True] >= reached[name, False]
    sides = table[name].towards_damage(rows, higher)
    value = sides.auroc()
    areas = auroc_draws([(each.bad, each.good) for each in (sides, lengths[best])], draws, seed)
    beyond = interval(areas[:, 0] - areas[:, 1])
    return Separation(
        noise,
        name,
        higher,
        value,
        *interval(areas[:, 0]),
        count,
        left_out,
        reached[best],
        value - reached[best],
        *beyond,
    )
