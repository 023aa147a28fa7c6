"""Fitting: the weights of a linear rule from a table, by ordinary least squares, with figures to doubt them by."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hfclean.errors import LinearRuleError, SourceError, require

HIGH_VIF = 10.0
METHOD = "ordinary least squares"
SPENT = 1e-10  # weight of an observation in its own prediction from which on nothing is left for the others


class CollinearityWarning(UserWarning):
    """Predictors that follow from each other: their weights can have any sign, and mean little one by one."""


@dataclass(frozen=True)
class Term:
    """One weight of a fit, with how far it can be trusted.

    Attributes:
        name: the predictor; `intercept` for the constant.
        coefficient: on the scale of the rule (after centering and scaling, where that was asked for).
        standard_error: of it; nan where it is not finite, as are the next four.
        t: coefficient over standard error.
        p: two-sided p-value of t, 0 to 1.
        low, high: the confidence interval.
        vif: variance inflation factor, 1 and up: how much the other predictors blow up this variance; nan for the
            intercept. From 10 on a warning is given.
    """

    name: str
    coefficient: float
    standard_error: float
    t: float
    p: float
    low: float
    high: float
    vif: float


@dataclass(frozen=True)
class Fit:
    """The figures of a fit; `LinearRule.fitted` reads them from a rule's file.

    Attributes:
        terms: the intercept and every predictor.
        observations: rows of the table used for the fit.
        left_out: rows that were not, because target or a predictor is missing, nan or infinite.
        r_squared, adjusted: share of the target's variance that is explained, as it is and corrected for chance.
        residual: standard error of the residuals, in units of the target.
        loo_rmse: root mean square error of predicting each row from all others.
        loo_r_squared: 1 less that error's variance over the target's; below 0 the mean predicts better. Both are nan
            where some row alone decides a weight.
        confidence: of the intervals.
    """

    terms: tuple[Term, ...]
    observations: int
    left_out: int
    r_squared: float
    adjusted: float
    residual: float
    loo_rmse: float
    loo_r_squared: float
    confidence: float

    def facts(self) -> tuple[tuple[str, float | int | str], ...]:
        """The fit as names and numbers, for `LinearRule.fitted_on`; values that are not finite as words."""
        found: list[tuple[str, Any]] = [("method", METHOD)]
        found += [(name, getattr(self, name)) for name in _WHOLE]
        for term in self.terms:
            found += [(f"{name} {term.name}", value) for name, value in asdict(term).items() if name != "name"]
        return tuple(
            (name, str(value) if isinstance(value, float) and not math.isfinite(value) else value)
            for name, value in found
        )

    @classmethod
    def of(cls, names: Iterable[str], facts: Mapping[str, Any]) -> Fit | None:
        """The fit that the facts of a rule with these indicators hold; None where `LinearRule.fit` did not make it."""
        if facts.get("method") != METHOD:
            return None
        columns = [field for field in Term.__dataclass_fields__ if field != "name"]
        try:
            terms = tuple(
                Term(name, *(float(facts[f"{column} {name}"]) for column in columns)) for name in ("intercept", *names)
            )
            whole = {name: float(facts[name]) for name in _WHOLE}
        except (KeyError, ValueError):
            return None
        counts = {name: int(whole[name]) for name in ("observations", "left_out")}
        return cls(terms, **{**whole, **counts})  # type: ignore[arg-type]

    def summary(self) -> str:
        """The fit as a table for people."""
        share = f"{100 * self.confidence:g} % interval"
        lines = [f"{'':24} {'weight':>11} {'std. error':>11} {'t':>8} {'p':>8}  {share:^25} {'VIF':>7}"]
        for term in self.terms:
            interval = f"[{term.low:.4g}, {term.high:.4g}]"
            vif = "" if math.isnan(term.vif) else f"{term.vif:.1f}"
            lines.append(
                f"{term.name:24.24} {term.coefficient:>11.4g} {term.standard_error:>11.3g} {term.t:>8.2f} "
                f"{term.p:>8.2g}  {interval:^25} {vif:>7}"
            )
        lines.append(
            f"{self.observations:,} observations, {self.left_out:,} left out (a number is missing); "
            f"R² {self.r_squared:.3f}, adjusted {self.adjusted:.3f}; "
            f"leave-one-out: error {self.loo_rmse:.4g}, R² {self.loo_r_squared:.3f}"
        )
        return "\n".join(lines)


_WHOLE = ("observations", "left_out", "r_squared", "adjusted", "residual", "loo_rmse", "loo_r_squared", "confidence")


def _table_rows(table: Any) -> list[Mapping[str, Any]]:
    """A table as a list of rows: a list of mappings, a mapping of columns, a `Dataset`, a DataFrame, the
    result of `hfclean.mining.experiment`, or the path of a JSON-lines or parquet file.

    Raises:
        SourceError: it is something else, or cannot be read.
    """
    if isinstance(table, (str, Path)):
        return _file_rows(Path(table).expanduser())
    if hasattr(table, "runs"):
        table = table.runs
    if hasattr(table, "to_dict") and hasattr(table, "columns"):  # pandas
        table = table.to_dict("list")
    if hasattr(table, "with_format"):
        table = table.with_format(None)
    if isinstance(table, Mapping):
        sizes = {len(column) for column in table.values() if hasattr(column, "__len__")}
        if len(sizes) > 1 or not all(hasattr(column, "__len__") for column in table.values()):
            raise SourceError(
                "the table's columns are not lists of one length; expected a mapping of equally long lists"
            )
        return [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]
    if isinstance(table, Iterable) and not isinstance(table, bytes):
        rows = list(table)
        if all(isinstance(row, Mapping) for row in rows):
            return rows
    raise SourceError(
        f"no table: {type(table).__name__}; expected rows as mappings, columns as lists, a Dataset, or the path of a "
        ".jsonl or .parquet file"
    )


def _file_rows(path: Path) -> list[Mapping[str, Any]]:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            found: list[Mapping[str, Any]] = pq.read_table(path).to_pylist()
            return found
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as e:
        raise SourceError(f"{path} cannot be read as a table ({e}); expected .parquet or lines of JSON objects") from e
    if not all(isinstance(row, Mapping) for row in rows):
        raise SourceError(f"{path} has a line that is not a JSON object; expected one object per line")
    return rows


class Fitted(NamedTuple):
    """A fit, and the means and deviations by which the predictors were centered and scaled; empty where they were
    not."""

    fit: Fit
    center: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()


def fit_rule(table: Any, *, target: str, predictors: Sequence[str], standardize: bool, confidence: float) -> Fitted:
    """The numbers of a rule; see `LinearRule.fit`."""
    np: Any = require("numpy", extra="mining")
    names = _checked(predictors, target, confidence)
    y, x, left_out = _numbers(np, _table_rows(table), target, names)
    _check_table(np, y, x, names, left_out)
    center = x.mean(0) if standardize else np.zeros(len(names))
    scale = x.std(0, ddof=1) if standardize else np.ones(len(names))
    x = (x - center) / scale
    fit = _least_squares(np, y, x, names, confidence, left_out)
    high = [f"{term.name} {term.vif:.0f}" for term in fit.terms if term.vif >= HIGH_VIF]
    if high:
        warnings.warn(
            f"the predictors follow from each other (variance inflation {', '.join(high)}; from {HIGH_VIF:g} on a "
            "weight may have any sign): read the prediction, not the single weights, or leave some out",
            CollinearityWarning,
            stacklevel=3,
        )
    return Fitted(fit, tuple(center.tolist()), tuple(scale.tolist())) if standardize else Fitted(fit)


def _checked(predictors: Sequence[str], target: str, confidence: float) -> list[str]:
    if isinstance(predictors, str):
        predictors = [predictors]
    names = list(predictors)
    if not names or len(set(names)) < len(names) or target in names or "intercept" in names:
        raise LinearRuleError(
            f"fit(target={target!r}, predictors={names}): expected one predictor or more, each once, none of them the "
            "target or called 'intercept'"
        )
    if not 0 < confidence < 1:
        raise LinearRuleError(f"fit(confidence={confidence}): expected a share between 0 and 1, such as 0.95")
    return names


def _numbers(np: Any, rows: Sequence[Mapping[str, Any]], target: str, names: Sequence[str]) -> tuple[Any, Any, int]:
    """Target, predictors, and how many rows were left out."""
    for column in (target, *names):
        if rows and not any(column in row for row in rows):
            known = ", ".join(sorted({str(key) for row in rows for key in row}))
            raise LinearRuleError(f"fit: no column {column!r} in the table; it has {known[:300]}")
    found = []
    for row in rows:
        numbers = [_number(row.get(column), column) for column in (target, *names)]
        if all(map(math.isfinite, numbers)):
            found.append(numbers)
    kept = np.array(found, dtype=float).reshape(len(found), 1 + len(names))
    return kept[:, 0], kept[:, 1:], len(rows) - len(found)


def _number(value: Any, column: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, (str, bytes, bool)) or not hasattr(value, "__float__"):
        raise LinearRuleError(f"fit: {column!r} holds {value!r:.60}; expected numbers")
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _check_table(np: Any, y: Any, x: Any, names: Sequence[str], left_out: int) -> None:
    """Raise where the table cannot say what the weights are."""
    count, wanted = len(y), len(names) + 2
    note = f" ({left_out} more have a number that is missing)" if left_out else ""
    if count < wanted:
        raise LinearRuleError(
            f"fit: {count} observations{note} for {len(names)} predictors and an intercept; expected {wanted} or more "
            "and ten for each predictor to say something: run more experiments, or name fewer predictors"
        )
    constant = [name for name, low, high in zip(names, x.min(0), x.max(0), strict=True) if low == high]
    if constant:
        raise LinearRuleError(
            f"fit: {', '.join(constant)} has the same value in all {count} observations, so nothing can be said about "
            "its weight: leave it out, or sample subsets that differ in it"
        )
    if y.min() == y.max():
        raise LinearRuleError(f"fit: the target is the same in all {count} observations; there is nothing to explain")
    scaled = (x - x.mean(0)) / x.std(0)
    if np.linalg.matrix_rank(scaled, tol=1e-8 * math.sqrt(count)) < len(names):
        tied = [name for k, name in enumerate(names) if _vif(np, scaled, k) > 1e12]
        raise LinearRuleError(
            f"fit: {', '.join(tied or names)} follow exactly from each other, so no weights are better than any "
            "others: leave one of them out"
        )


def _vif(np: Any, x: Any, k: int) -> float:
    """The variance inflation factor of a column of centered numbers: its variance over what the others leave of it."""
    others = np.delete(x, k, axis=1)
    if not others.shape[1]:
        return 1.0
    column = x[:, k]
    rest = column - others @ np.linalg.lstsq(others, column, rcond=None)[0]
    left = float(rest @ rest)
    return float(column @ column) / left if left > 0 else math.inf


def _least_squares(np: Any, y: Any, x: Any, names: Sequence[str], confidence: float, left_out: int) -> Fit:
    models: Any = require("statsmodels.regression.linear_model", extra="mining")
    design = np.column_stack([np.ones(len(y)), x])
    with warnings.catch_warnings():
        # on residuals of exactly 0 the divisions have no value, which the figures then say themselves
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        done = models.OLS(y, design).fit()
        intervals = done.conf_int(alpha=1 - confidence)
        residuals = y - design @ done.params
        leverage = np.einsum("ij,ji->i", design, np.linalg.pinv(design))
        figures = np.column_stack([done.params, done.bse, done.tvalues, done.pvalues, intervals])
        adjusted, residual = float(done.rsquared_adj), math.sqrt(max(float(done.mse_resid), 0.0))
    centered = x - x.mean(0)
    vifs = [math.nan, *(_vif(np, centered, k) for k in range(len(names)))]
    terms = []
    for name, row, vif in zip(("intercept", *names), figures.tolist(), vifs, strict=True):
        weight, error, t, p, low, high = map(_finite, row)
        terms.append(Term(name, weight, error, t, p, low, high, vif))
    loo = loo_r = math.nan
    if (1 - leverage).min() > SPENT:
        errors = residuals / (1 - leverage)
        loo = math.sqrt(float(errors @ errors) / len(y))
        loo_r = 1 - float(errors @ errors) / float(((y - y.mean()) ** 2).sum())
    return Fit(tuple(terms), len(y), left_out, float(done.rsquared), adjusted, residual, loo, loo_r, confidence)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
