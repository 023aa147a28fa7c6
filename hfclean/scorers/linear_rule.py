"""Linear rules: a score as a sum of named indicators, each with a weight that anybody can read.

A rule is data. It is saved as one JSON file, `linear_rule.json`, and loaded from one; nothing in that file is ever
executed. A rule knows its indicators and no more: with indicators of the text alone it knows no facts.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from numbers import Real
from operator import itemgetter, mul
from pathlib import Path
from typing import Any, Self, overload

from hfclean.durable import write_text
from hfclean.errors import FolderError, LinearRuleError
from hfclean.hub_id import names_hub
from hfclean.schema import Pair
from hfclean.scorers.fitting import Fit, fit_rule
from hfclean.scorers.indicators import INDICATOR_NAMES, indicator_values

FILE_NAME = "linear_rule.json"
FORMAT_VERSION = 1
LARGEST_FILE = 1_000_000  # bytes; the embedded rules have about 10,000
LINKS = ("logistic", "percentile", "identity")
READS = ("pair", "columns")
PLACE_OF = {name: place for place, name in enumerate(INDICATOR_NAMES)}


@dataclass(frozen=True)
class LinearRule:
    """A score that is a weighted sum of indicators, passed through a link.

    The sum is `intercept` plus, for each indicator, `coefficient * (value - center) / scale`. The link turns it into
    the score: `logistic` 1 / (1 + exp(-sum)), 0 to 1; `percentile` the share of a reference distribution below the
    sum, 0 to 1; `identity` the sum itself.

    Args:
        name: of the score and its column.
        indicators: their names, in the order of the numbers below.
        coefficients: one per indicator, on the scale after centering and scaling.
        intercept: the sum for a row whose indicators are all at their center.
        center: one per indicator; empty: all 0.
        scale: one per indicator, above 0; empty: all 1.
        link: `logistic`, `percentile` or `identity`.
        reference: for `percentile`, the sums at evenly spaced quantiles of the reference rows, from the smallest to
            the largest; empty for the other links.
        reads: `pair` when every indicator is one of `INDICATORS` and is computed from the text; `columns` when they
            are numbers from the caller (a reward, a perplexity).
        direction: which end is good, in words.
        target: what the score was fitted to, in words.
        fitted_on: facts and figures of the fit, as (name, value).
        version: raised whenever the same text gets another score.

    >>> rule = LinearRule("expected_loss", ("reward", "natural"), (-0.0078, -0.3212), intercept=0.0274)
    >>> round(rule.predict({"reward": 1.0, "natural": 0.9}), 4)
    -0.2695
    >>> rule.predict({"reward": 1.0})
    nan
    """

    name: str
    indicators: tuple[str, ...]
    coefficients: tuple[float, ...]
    intercept: float = 0.0
    center: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    link: str = "identity"
    reference: tuple[float, ...] = ()
    reads: str = "columns"
    direction: str = ""
    target: str = ""
    fitted_on: tuple[tuple[str, float | int | str], ...] = ()
    version: int = 1
    # derived from the above
    _terms: tuple[tuple[str, float, float, float], ...] = field(init=False, repr=False, compare=False, default=())
    _weights: tuple[float, ...] = field(init=False, repr=False, compare=False, default=())
    _pick: Callable[[Sequence[float]], Sequence[float]] = field(init=False, repr=False, compare=False, default=tuple)
    _offset: float = field(init=False, repr=False, compare=False, default=0.0)

    def __post_init__(self) -> None:
        for name in ("name", "link", "reads", "direction", "target"):
            if not isinstance(getattr(self, name), str):
                raise self._wrong(name, f"{getattr(self, name)!r}, which is not a string", "a string")
        for name in ("indicators", "coefficients", "center", "scale", "reference"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise self._wrong(name, f"{value!r}", "a list")
            object.__setattr__(self, name, tuple(value))
        self._check_names()
        self._check_numbers()
        facts = self.fitted_on.items() if isinstance(self.fitted_on, Mapping) else self.fitted_on
        object.__setattr__(self, "fitted_on", tuple((str(name), value) for name, value in facts))
        center = self.center or (0.0,) * len(self.indicators)
        scale = self.scale or (1.0,) * len(self.indicators)
        object.__setattr__(self, "_terms", tuple(zip(self.indicators, self.coefficients, center, scale, strict=True)))
        weights: dict[int, float] = {}
        offset = self.intercept
        if self.reads == "pair":
            for name, coefficient, middle, width in self._terms:
                weights[PLACE_OF[name]] = coefficient / width
                offset -= coefficient * middle / width
        if not all(map(math.isfinite, (*weights.values(), offset))):
            raise self._wrong("scale", "so small that a weight has no finite value", "larger numbers")
        # Only the indicators that the rule weighs are picked: about half of all. A getter of one place returns no
        # sequence, and none exists for no place.
        places = sorted(weights)
        object.__setattr__(self, "_weights", tuple(weights[place] for place in places))
        if len(places) > 1:
            object.__setattr__(self, "_pick", itemgetter(*places))
        elif places:
            object.__setattr__(self, "_pick", itemgetter(slice(places[0], places[0] + 1)))
        object.__setattr__(self, "_offset", offset)

    # ------------------------------------------------------------------------------------------------------- scores

    @overload
    def predict(self, rows: Pair | Mapping[str, Any]) -> float: ...

    @overload
    def predict(self, rows: Sequence[Pair | Mapping[str, Any]]) -> list[float]: ...

    def predict(self, rows: Pair | Mapping[str, Any] | Sequence[Pair | Mapping[str, Any]]) -> float | list[float]:
        """The score of a pair or of a mapping of indicators, or of a list of them.

        nan where an indicator is missing, None, nan or infinite: a score is never guessed.

        Raises:
            LinearRuleError: a pair is given to a rule that reads columns, or an indicator is not a number.
        """
        if isinstance(rows, Pair):
            return self.predict_values(self._values(rows))
        if isinstance(rows, Mapping):
            return self._linked(self.intercept + sum(self.contributions(rows).values()))
        return [self.predict(row) for row in rows]

    def predict_values(self, values: Sequence[float]) -> float:
        """The score of the numbers that `indicator_values(pair)` gave: several rules over one reading of the text."""
        return self._linked(self._offset + sum(map(mul, self._weights, self._pick(values))))

    def contributions(self, row: Pair | Mapping[str, Any]) -> dict[str, float]:
        """What each indicator adds to the sum, before the link; with the intercept they make the whole of it.

        0 means the same as in a row at the center. nan where the indicator is missing.
        """
        found = dict(zip(INDICATOR_NAMES, self._values(row), strict=True)) if isinstance(row, Pair) else row
        return {
            name: coefficient * (self._number(name, found.get(name)) - center) / scale
            for name, coefficient, center, scale in self._terms
        }

    def _values(self, pair: Pair) -> tuple[float, ...]:
        if self.reads != "pair":
            raise LinearRuleError(
                f"rule {self.name!r} reads the columns {', '.join(self.indicators)}, which a pair does not have; pass "
                f"a mapping of those names to numbers"
            )
        return indicator_values(pair)

    def _number(self, name: str, value: Any) -> float:
        if value is None:
            return math.nan
        if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
            raise LinearRuleError(f"rule {self.name!r}: indicator {name!r} is {value!r:.60}; expected a number")
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond any float
            return math.nan
        return number if math.isfinite(number) else math.nan

    def _linked(self, total: float) -> float:
        if math.isnan(total) or self.link == "identity":
            return total
        if self.link == "logistic":
            if total >= 0:
                return 1 / (1 + math.exp(-total))
            grown = math.exp(total)
            return grown / (1 + grown)
        first, after = bisect_left(self.reference, total), bisect_right(self.reference, total)
        steps = len(self.reference) - 1
        if after > first:  # on a quantile, or on several that are equal: their middle
            return (first + after - 1) / 2 / steps
        if not first:
            return 0.0
        if first > steps:
            return 1.0
        below, above = self.reference[first - 1], self.reference[first]
        return (first - 1 + (total - below) / (above - below)) / steps

    # ---------------------------------------------------------------------------------------------------------- fit

    @classmethod
    def fit(
        cls,
        table: Any,
        *,
        target: str = "log_loss",
        predictors: Sequence[str],
        name: str = "expected_loss",
        standardize: bool = False,
        confidence: float = 0.95,
        direction: str = "lower is better",
        fitted_on: Sequence[tuple[str, float | int | str]] = (),
    ) -> Self:
        """A rule fitted to a table by ordinary least squares (statsmodels): InstructMining's, with one row per
        training set, the means of its indicators and the log loss of the model that was tuned on it.

        `rule.fitted` has the figures to doubt it by: standard errors, t, p, intervals, variance inflation, R² and the
        leave-one-out error. They are saved with the rule. A sample is as large as its number of tunings, not of rows.

        Args:
            table: rows as mappings, columns as lists, a `Dataset`, a DataFrame, the result of
                `hfclean.mining.experiment`, or the path of a .jsonl or .parquet file. Rows with a number that is
                missing, nan or infinite are left out and counted.
            target: the column to be predicted.
            predictors: the columns to predict it from: the rule's indicators.
            name, direction: of the rule.
            standardize: give every predictor mean 0 and deviation 1 first; the rule stores both, so that it takes the
                same numbers. The predictions are the same, the weights can then be compared.
            confidence: of the intervals, 0 to 1.
            fitted_on: more facts to be kept with the rule, such as the base model.

        Raises:
            LinearRuleError: fewer observations than predictors and two, a constant column, predictors that follow
                exactly from each other, a column that is missing or holds no numbers.
            SourceError: no table.
            MissingExtraError: statsmodels is not installed: `pip install 'hfclean[mining]'`.

        >>> rows = [{"x": x, "log_loss": 1 - 0.5 * x + 0.01 * (-1) ** x} for x in range(8)]
        >>> rule = LinearRule.fit(rows, predictors=["x"])
        >>> round(rule.coefficients[0], 2), rule.fitted.observations
        (-0.5, 8)
        """
        fit, center, scale = fit_rule(
            table, target=target, predictors=predictors, standardize=standardize, confidence=confidence
        )
        intercept, *terms = fit.terms
        return cls(
            name,
            tuple(term.name for term in terms),
            tuple(term.coefficient for term in terms),
            intercept=intercept.coefficient,
            center=center,
            scale=scale,
            direction=direction,
            target=target,
            fitted_on=(*fit.facts(), *fitted_on),
        )

    @property
    def fitted(self) -> Fit | None:
        """The figures of the fit: standard errors, intervals, leave-one-out error; None where `fit` did not make
        the rule."""
        return Fit.of(self.indicators, dict(self.fitted_on))

    # -------------------------------------------------------------------------------------------------------- files

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the rule to `linear_rule.json` in a folder, which is created if necessary.

        Raises:
            FolderError: the folder cannot be written.
        """
        path = Path(folder) / FILE_NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, self.to_json())
        except OSError as e:
            raise FolderError(f"{path} cannot be written: {e.strerror or e}; choose another folder") from e
        return path

    @classmethod
    def from_pretrained(cls, folder: str | Path, *, revision: str | None = None, token: str | None = None) -> Self:
        """The rule in `linear_rule.json` of a folder, or of a Hub id, `NAMESPACE/NAME`, at a branch, tag or commit.

        The file is data: all of it is checked, nothing is executed.

        Args:
            folder: or a Hub id.
            revision: branch, tag or commit of the repo.
            token: of the Hub, for a private or gated repo; by default that of `hf auth login` or HF_TOKEN. Not kept.

        Raises:
            LinearRuleError: no such file, or it holds no rule that this version of hfclean can use.
            ModelError: the Hub gives no such repo.
        """
        from hfclean.models.weights import fetch_small

        name = str(folder)
        if names_hub(name, namespace=True):
            folder = fetch_small(name, revision, (FILE_NAME,), most=LARGEST_FILE, token=token)
        return cls.from_file(Path(folder).expanduser() / FILE_NAME)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The rule in a file that `to_json` made; see `from_pretrained`."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST_FILE + 1)
        except OSError as e:
            raise LinearRuleError(
                f"{path} cannot be read: {e.strerror or e}; expected the {FILE_NAME} that save_pretrained writes"
            ) from e
        if len(content) > LARGEST_FILE:
            raise LinearRuleError(f"{path} has more than {LARGEST_FILE:,} bytes, which no rule needs; check the file")
        try:
            found = json.loads(content.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError) as e:
            raise LinearRuleError(f"{path} holds no JSON that can be read: {e}; save the rule again") from e
        try:
            return cls._from_data(found)
        except LinearRuleError as e:
            raise LinearRuleError(f"{path}: {e}") from e

    def to_json(self) -> str:
        """The rule as JSON text, the same bytes for the same rule."""
        data: dict[str, Any] = {"format": "hfclean.linear_rule", "format_version": FORMAT_VERSION}
        for name in _settings(self):
            data[name] = getattr(self, name)
        data["fitted_on"] = dict(self.fitted_on)
        return json.dumps(data, indent=1, allow_nan=False) + "\n"

    @classmethod
    def _from_data(cls, found: Any) -> Self:
        if not isinstance(found, dict) or found.get("format") != "hfclean.linear_rule":
            raise LinearRuleError("no linear rule: expected an object whose 'format' is 'hfclean.linear_rule'")
        data = {key: value for key, value in found.items() if key not in ("format", "format_version")}
        stamp = found.get("format_version")
        if not isinstance(stamp, int) or isinstance(stamp, bool) or stamp < 1:
            raise LinearRuleError(f"format_version is {stamp!r:.60}; expected {FORMAT_VERSION}; save the rule again")
        if stamp > FORMAT_VERSION:
            raise LinearRuleError(
                f"format_version is {stamp}; this hfclean reads up to {FORMAT_VERSION}: pip install --upgrade hfclean"
            )
        known = _settings(cls)
        if (missing := [name for name in known if name not in data]) or (odd := sorted(set(data) - set(known))):
            what = f"lacks {', '.join(missing)}" if missing else f"has the unknown entries {', '.join(odd)[:200]}"
            raise LinearRuleError(f"the rule {what}; expected {', '.join(known)}; save the rule again")
        if not isinstance(data["fitted_on"], dict):
            raise LinearRuleError(
                "fitted_on is not an object; expected names with numbers or strings; save the rule again"
            )
        return cls(**data)

    # ------------------------------------------------------------------------------------------------------- checks

    def _wrong(self, name: str, found: str, wanted: str) -> LinearRuleError:
        return LinearRuleError(f"linear rule {self.name!r:.60}: {name} is {found[:200]}; expected {wanted}")

    def _check_names(self) -> None:
        if self.link not in LINKS:
            raise self._wrong("link", repr(self.link), " or ".join(LINKS))
        if self.reads not in READS:
            raise self._wrong("reads", repr(self.reads), " or ".join(READS))
        if not self.indicators or not all(isinstance(name, str) and name for name in self.indicators):
            raise self._wrong("indicators", repr(self.indicators), "names, at least one")
        if len(set(self.indicators)) < len(self.indicators):
            raise self._wrong("indicators", "a list with a name twice", "each name once")
        if self.reads == "pair" and (unknown := [name for name in self.indicators if name not in PLACE_OF]):
            near = get_close_matches(unknown[0], INDICATOR_NAMES, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise self._wrong(
                "indicators",
                f"a list with the unknown {', '.join(map(repr, unknown))}{hint}",
                "names of hfclean.scorers.indicators.INDICATORS, or reads='columns'",
            )

    def _check_numbers(self) -> None:
        for name in ("coefficients", "center", "scale", "reference"):
            numbers = getattr(self, name)
            if not all(_is_finite(number) for number in numbers):
                raise self._wrong(name, "a list with something that is not a finite number", "finite numbers")
            object.__setattr__(self, name, tuple(map(float, numbers)))
            if name != "reference" and len(numbers) != len(self.indicators) and (numbers or name == "coefficients"):
                raise self._wrong(name, f"{len(numbers)} numbers", f"{len(self.indicators)}, one per indicator")
        if not _is_finite(self.intercept):
            raise self._wrong("intercept", repr(self.intercept), "a finite number")
        object.__setattr__(self, "intercept", float(self.intercept))
        if isinstance(self.version, bool) or not isinstance(self.version, int) or self.version < 1:
            raise self._wrong("version", repr(self.version), "a whole number from 1 on")
        if not all(width > 0 for width in self.scale):
            raise self._wrong("scale", "a list with a number that is not above 0", "numbers above 0")
        if self.link == "percentile":
            if len(self.reference) < 2 or any(a > b for a, b in zip(self.reference, self.reference[1:], strict=False)):
                raise self._wrong(
                    "reference", "not a rising list of two or more", "the sums at the reference quantiles"
                )
        elif self.reference:
            raise self._wrong("reference", f"{len(self.reference)} numbers", f"none, since the link is {self.link}")
        for entry in self.fitted_on.items() if isinstance(self.fitted_on, Mapping) else self.fitted_on:
            if len(entry) != 2 or not (isinstance(entry[1], str) or _is_finite(entry[1])):
                raise self._wrong("fitted_on", repr(entry), "names with finite numbers or strings")


def _settings(rule: LinearRule | type[LinearRule]) -> list[str]:
    return [found.name for found in fields(rule) if found.init]


def _is_finite(number: Any) -> bool:
    if isinstance(number, bool) or not isinstance(number, Real):
        return False
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond any float
        return False


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a finite number")
