"""InstructMining: known weights are recovered, what cannot be known is refused, rows are ranked by the prediction."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

import hfclean
from hfclean.errors import ColumnError, HfcleanError, LinearRuleError, SourceError
from hfclean.schema import Pair
from hfclean.scorers.lexical import mtld

WEIGHTS = {"reward": -0.4, "natural": -0.3, "mtld": 0.002}
INTERCEPT = 0.25


def table(count: int, *, noise: float = 0.05, seed: int = 0, weights: dict[str, float] = WEIGHTS) -> dict[str, Any]:
    """Set-level means of indicators, and the log loss that known weights and normal noise give."""
    chance = np.random.default_rng(seed)
    spread = {"reward": 1.0, "natural": 0.2, "mtld": 20.0}
    means = {name: chance.normal(size=count) * spread.get(name, 1.0) for name in weights}
    loss = (
        INTERCEPT + sum(weight * means[name] for name, weight in weights.items()) + noise * chance.normal(size=count)
    )
    return {**means, "log_loss": loss}


# ----------------------------------------------------------------------------------------------------------------- fit


@pytest.mark.needs_extra("mining", "statsmodels")
def test_known_weights_are_recovered_and_their_errors_are_those_of_the_textbook() -> None:
    data = table(129)
    rule = hfclean.scorers.LinearRule.fit(data, predictors=list(WEIGHTS))
    fit = rule.fitted
    assert fit is not None
    x = np.column_stack([np.ones(129), *(data[name] for name in WEIGHTS)])
    inverse = np.linalg.inv(x.T @ x)
    weights = inverse @ x.T @ data["log_loss"]
    rest = data["log_loss"] - x @ weights
    errors = np.sqrt(np.diag(inverse) * (rest @ rest) / (129 - 4))
    assert [term.coefficient for term in fit.terms] == pytest.approx(weights.tolist())
    assert [term.standard_error for term in fit.terms] == pytest.approx(errors.tolist())
    assert (rule.intercept, *rule.coefficients) == pytest.approx(weights.tolist())
    spread = ((data["log_loss"] - data["log_loss"].mean()) ** 2).sum()
    assert fit.r_squared == pytest.approx(1 - rest @ rest / spread)
    left_out = []
    for k in range(129):
        others = np.arange(129) != k
        guess = np.linalg.lstsq(x[others], data["log_loss"][others], rcond=None)[0]
        left_out.append(data["log_loss"][k] - x[k] @ guess)
    assert fit.loo_rmse == pytest.approx(math.sqrt(np.mean(np.square(left_out))))
    assert fit.loo_r_squared == pytest.approx(1 - np.square(left_out).sum() / spread)
    assert all(term.p < 1e-9 for term in fit.terms)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.needs_extra("mining", "statsmodels")
def test_intervals_hold_the_true_weights_as_often_as_they_say(confidence: float) -> None:
    runs, held = 300, dict.fromkeys(("intercept", *WEIGHTS), 0)
    truth = {"intercept": INTERCEPT, **WEIGHTS}
    for seed in range(runs):
        rule = hfclean.scorers.LinearRule.fit(table(24, seed=seed), predictors=list(WEIGHTS), confidence=confidence)
        assert rule.fitted is not None
        for term in rule.fitted.terms:
            held[term.name] += term.low <= truth[term.name] <= term.high
    # four standard deviations of a share of so many runs
    slack = 4 * math.sqrt(confidence * (1 - confidence) / runs)
    assert {name: count / runs for name, count in held.items()} == pytest.approx(
        dict.fromkeys(held, confidence), abs=slack
    )


@pytest.mark.needs_extra("mining", "statsmodels")
def test_a_predictor_that_does_nothing_is_called_significant_as_often_as_chance_says() -> None:
    runs, called = 300, 0
    for seed in range(runs):
        data = table(20, seed=seed)
        data["idle"] = np.random.default_rng(10_000 + seed).normal(size=20)
        fit = hfclean.scorers.LinearRule.fit(data, predictors=[*WEIGHTS, "idle"]).fitted
        assert fit is not None
        called += fit.terms[-1].p < 0.05
    assert called / runs == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / runs))


@pytest.mark.needs_extra("mining", "statsmodels")
def test_standardised_predictors_give_the_same_predictions() -> None:
    data = table(40)
    plain = hfclean.scorers.LinearRule.fit(data, predictors=list(WEIGHTS))
    scaled = hfclean.scorers.LinearRule.fit(data, predictors=list(WEIGHTS), standardize=True)
    rows = [{name: float(data[name][k]) for name in WEIGHTS} for k in range(40)]
    assert scaled.predict(rows) == pytest.approx(plain.predict(rows))
    assert scaled.coefficients[2] == pytest.approx(plain.coefficients[2] * np.std(data["mtld"], ddof=1))


@pytest.mark.needs_extra("mining", "statsmodels")
def test_a_fit_is_saved_with_its_rule(tmp_path: Path) -> None:
    facts = [("base model", "org/base")]
    rule = hfclean.scorers.LinearRule.fit(table(30), predictors=list(WEIGHTS), fitted_on=facts)
    rule.save_pretrained(tmp_path)
    again = hfclean.scorers.LinearRule.from_pretrained(tmp_path)
    assert again == rule
    assert dict(again.fitted_on)["base model"] == "org/base"
    # nan is not itself: the intercept has no variance inflation
    assert repr(again.fitted) == repr(rule.fitted)
    text = again.fitted.summary()  # type: ignore[union-attr]
    assert "30 observations, 0 left out" in text
    assert "reward" in text
    assert hfclean.mining.instruct_mining("v2").fitted is None


@pytest.mark.needs_extra("mining", "statsmodels")
def test_numbers_that_are_missing_are_left_out_and_counted() -> None:
    rows = [{name: float(column[k]) for name, column in table(30).items()} for k in range(30)]
    whole = hfclean.scorers.LinearRule.fit(rows, predictors=list(WEIGHTS))
    spoiled = [*rows, {**rows[0], "log_loss": math.nan}, {**rows[1], "reward": None}, {**rows[2], "mtld": math.inf}]
    rule = hfclean.scorers.LinearRule.fit(spoiled, predictors=list(WEIGHTS))
    assert rule.coefficients == whole.coefficients
    assert (rule.fitted.observations, rule.fitted.left_out) == (30, 3)  # type: ignore[union-attr]


@pytest.mark.needs_extra("mining", "statsmodels")
def test_every_kind_of_table_gives_the_same_rule(tmp_path: Path) -> None:
    columns = {name: column.tolist() for name, column in table(12).items()}
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ds = Dataset.from_list(rows)
    ds.to_parquet(str(tmp_path / "t.parquet"))
    kinds = [columns, rows, ds, ds.to_pandas(), tmp_path / "t.jsonl", str(tmp_path / "t.parquet")]
    made = [hfclean.scorers.LinearRule.fit(kind, predictors=["reward"]) for kind in kinds]
    assert made == [made[0]] * len(kinds)


@pytest.mark.needs_extra("mining", "statsmodels")
def test_collinear_predictors_are_warned_of_and_exact_ones_refused() -> None:
    data = table(40)
    data["reward"] += 50  # how far from 0 is no matter
    data["natural"] += 50
    data["twin"] = data["reward"] + 0.05 * np.random.default_rng(5).normal(size=40)
    with pytest.warns(hfclean.scorers.CollinearityWarning, match=r"reward \d+, twin \d+"):
        rule = hfclean.scorers.LinearRule.fit(data, predictors=["reward", "twin", "natural"])
    vif = {term.name: term.vif for term in rule.fitted.terms}  # type: ignore[union-attr]
    assert vif["twin"] == pytest.approx(1 / (1 - np.corrcoef(data["reward"], data["twin"])[0, 1] ** 2), rel=0.2)
    assert vif["natural"] < 2
    data["sum"] = data["reward"] * 2 - data["natural"]
    with pytest.raises(LinearRuleError, match="reward, natural, sum follow exactly from each other"):
        hfclean.scorers.LinearRule.fit(data, predictors=["reward", "natural", "sum", "mtld"])


@pytest.mark.parametrize(
    ("rows", "predictors", "error", "message"),
    [
        ([{"a": 1.0, "log_loss": 1.0}], ["a"], LinearRuleError, "1 observations for 1 predictors .*; expected 3"),
        ([], ["a"], LinearRuleError, "0 observations"),
        ([{"a": float(k), "log_loss": k % 3} for k in range(2)], ["a"], LinearRuleError, "expected 3 or more"),
        ([{"a": 7, "log_loss": k} for k in range(9)], ["a"], LinearRuleError, "a has the same value in all 9"),
        ([{"a": k, "log_loss": 1} for k in range(9)], ["a"], LinearRuleError, "target is the same in all 9"),
        ([{"a": math.nan, "log_loss": k} for k in range(9)], ["a"], LinearRuleError, r"0 observations \(9 more"),
        ([{"a": "high", "log_loss": 1}], ["a"], LinearRuleError, "'a' holds 'high'; expected numbers"),
        ([{"b": 1, "log_loss": 1}], ["a"], LinearRuleError, "no column 'a' in the table; it has b, log_loss"),
        ([{"a": 1}], ["a"], LinearRuleError, "no column 'log_loss'"),
        ([{"a": 1, "log_loss": 1}], [], LinearRuleError, "expected one predictor or more"),
        ([{"a": 1, "log_loss": 1}], ["a", "a"], LinearRuleError, "each once"),
        ([{"a": 1, "log_loss": 1}], ["log_loss"], LinearRuleError, "none of them the target"),
        ([1, 2], ["a"], SourceError, "no table: list"),
        ("nowhere.jsonl", ["a"], SourceError, "nowhere.jsonl cannot be read as a table"),
        ({"a": [1, 2], "log_loss": [1]}, ["a"], SourceError, "not lists of one length"),
    ],
)
def test_a_table_that_says_nothing_is_refused(rows: Any, predictors: list[str], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        hfclean.scorers.LinearRule.fit(rows, predictors=predictors)


@pytest.mark.needs_extra("mining", "statsmodels")
def test_a_row_that_alone_decides_a_weight_has_no_leave_one_out_error() -> None:
    rows = [{"a": float(k), "once": float(k == 0), "log_loss": math.sin(k)} for k in range(12)]
    fit = hfclean.scorers.LinearRule.fit(rows, predictors=["a", "once"]).fitted
    assert fit is not None
    assert math.isnan(fit.loo_rmse)
    assert fit.r_squared < 1


# ------------------------------------------------------------------------------------------------------------- presets


def test_the_published_rules_say_what_they_were_fitted_to() -> None:
    v1, v2 = hfclean.mining.instruct_mining("v1"), hfclean.mining.instruct_mining()
    assert v2 is hfclean.mining.instruct_mining("v3")
    assert v1.predict({"reward": 1.0, "length": 100.0, "knn_6": 0.5}) == pytest.approx(
        1.0694 - 0.1498 + 0.008257 - 0.4675
    )
    assert dict(zip(v2.indicators, v2.coefficients, strict=True))["understandable"] == 0.4421
    for rule in (v1, v2):
        assert "LLaMA" in str(dict(rule.fitted_on)["base model"])
        assert dict(rule.fitted_on)["indicator models"]
        assert rule.direction == "lower is better"
        assert dict(rule.fitted_on)["to compute it as published"]
    assert "tokenizer=" in dict(v1.fitted_on)["to compute it as published"]
    about = dict(v2.fitted_on)
    assert "oasst-rm-2.1-pythia-1.4b-epoch-2.5" in str(about["indicator models"])
    assert "safetensors" in str(about["to compute it as published"])
    assert ("1,000 rows, 3 epochs" in str(about["base model"]), about["published at"]) == (True, "COLM 2024")
    with pytest.raises(LinearRuleError, match="expected one of v1, v2, v3"):
        hfclean.mining.instruct_mining("v4")


# ------------------------------------------------------------------------------------------------------------- ranking

ROWS = {
    "prompt": ["Name a colour", "Sing", "Say it", "Count"],
    "completion": ["red", "la la la la", "it", ""],
    "reward": [0.5, 2.0, None, -1.0],
    "unieval_natural": [0.9, 0.5, 0.5, 0.1],
    "embedding": [[0.0, 1.0], [0.0, 1.1], [5.0, 5.0], [0.1, 1.0]],
}


def test_indicators_are_found_by_name_in_the_columns_of_the_scorers() -> None:
    ds = Dataset.from_dict({**ROWS, "own": [1, 2, 3, 4]})
    found = hfclean.mining.indicator_columns(ds, ["length", "length_out", "reward", "natural", "knn_1", "own"])
    assert found["length"] == [4.0, 5.0, 3.0, 1.0]
    assert found["length_out"] == [1.0, 4.0, 1.0, 0.0]
    assert found["reward"][:2] == [0.5, 2.0]
    assert math.isnan(found["reward"][2])
    assert found["natural"] == [0.9, 0.5, 0.5, 0.1]
    assert found["knn_1"][0] == pytest.approx(0.1)
    assert found["own"] == [1.0, 2.0, 3.0, 4.0]
    without = Dataset.from_dict({**ROWS, "embedding": [None, [0.0, 1.0], [0.0, 2.0], [0.0, 5.0]]})
    assert str(hfclean.mining.indicator_columns(without, ["knn_2"])["knn_2"]) == "[nan, 4.0, 3.0, 4.0]"
    tokens = hfclean.mining.indicator_columns(ds, ["length_in"], tokenizer=list)
    assert tokens["length_in"] == [13.0, 4.0, 6.0, 5.0]
    assert hfclean.mining.indicator_columns(ds, ["reward"], renamed={"reward": "own"})["reward"] == [
        1.0,
        2.0,
        3.0,
        4.0,
    ]


def test_rows_are_ranked_by_predicted_loss_and_those_without_one_are_counted() -> None:
    ds = Dataset.from_dict({**ROWS, "reward": [2.0, 0.5, None, 2.0]})
    rule = hfclean.scorers.LinearRule("loss", ("reward",), (-1.0,))
    with pytest.warns(UserWarning, match="1 of 4 rows have no prediction"):
        assert hfclean.mining.mine(ds, rule) == [0, 3, 1]
    known = ds.select([0, 1, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hfclean.mining.mine(known, rule, n=2) == [0, 2]
        assert hfclean.mining.mine(known, rule, n=99) == [0, 2, 1]
        assert hfclean.mining.mine(known, rule, fraction=0.34) == [0]
        assert hfclean.mining.mine(known, rule, n=1, lowest=False) == [1]
    assert hfclean.mining.expected_loss(known, rule) == [-2.0, -0.5, -2.0]
    assert hfclean.mining.mine(known.select([]), rule) == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda ds: hfclean.mining.mine(ds, "v1"), ColumnError, "no column 'reward'.*ds.map"),
        (lambda ds: hfclean.mining.mine(ds, "v9"), LinearRuleError, "expected one of"),
        (lambda ds: hfclean.mining.indicator_columns(ds, ["prompt"]), ColumnError, "holds str, not numbers"),
        (lambda ds: hfclean.mining.indicator_columns(ds, ["nothing"]), ColumnError, "Known by name: length"),
        (
            lambda ds: hfclean.mining.indicator_columns(ds, ["reward"], renamed={"reward": "r"}),
            ColumnError,
            "no column 'r'",
        ),
        (lambda ds: hfclean.mining.indicator_columns({"train": ds}, ["length"]), HfcleanError, "one split at a time"),
        (lambda ds: hfclean.mining.mine(ds, "v1", n=1, fraction=0.5), ColumnError, "not both"),
        (lambda ds: hfclean.mining.mine(ds, "v1", n=-1), HfcleanError, "whole number of 0 or more"),
        (lambda ds: hfclean.mining.mine(ds, "v1", n=1.5), HfcleanError, r"mine\(n=1.5\): expected a whole"),
        (lambda ds: hfclean.mining.mine(ds, "v1", fraction=1.5), ColumnError, "a share from 0 to 1"),
        (
            lambda ds: hfclean.mining.mine(
                ds.add_column("reward", [math.nan] * 4), hfclean.scorers.LinearRule("x", ("reward",), (1.0,))
            ),
            LinearRuleError,
            "has a prediction for none of 4 rows",
        ),
    ],
)
def test_a_ranking_that_cannot_be_made_says_why(call: Any, error: Any, message: str) -> None:
    ds = Dataset.from_dict({name: ROWS[name] for name in ("prompt", "completion")})
    with pytest.raises(error, match=message):
        call(ds)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a b c d e f", 6.0),  # never below: one run
        ("a a a a", 2.0),  # 1, 0.5: a run of two, twice
        ("a b a b", 4.0),  # 1, 1, 0.67: a run of three, and one word that repeats nothing
        ("红 红 红 红", 2.0),
    ],
)
def test_mtld_is_the_mean_length_of_runs(text: str, value: float) -> None:
    assert mtld(Pair("", "", text)) == pytest.approx(value)


def test_a_run_ends_where_its_ratio_is_met_exactly() -> None:
    first = [f"w{k}" for k in range(18)]  # 18 of 25 words differ: 0.72
    text = [*first, *first[:7]]
    assert mtld(Pair("", "", " ".join([*text, "new"]))) == pytest.approx(
        # forward: one run of 25, and one word that repeats nothing; backward, 19 of 26 words differ at the end
        (26 / 1 + 26 / ((1 - 19 / 26) / 0.28)) / 2
    )


def test_mtld_counts_the_part_of_the_last_run_and_reads_both_ways() -> None:
    # forward: run a a | b c b a: 1, 1, 2/3: run | a; backward: a b c b a: 1, 1, 1, 0.75, 0.6: run | a
    assert mtld(Pair("", "", "a a b c b a")) == pytest.approx((6 / 2 + 6 / 1) / 2)
    # the last run stands at 0.75: a share of (1 - 0.75) / (1 - 0.72) of one
    assert mtld(Pair("", "", "a b c a")) == pytest.approx(4 / (0.25 / 0.28))
    assert math.isnan(mtld(Pair("", "", "...")))
