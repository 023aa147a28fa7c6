"""A rule, scorer or check that raises costs a row a reason, never the run; with `strict` it stops it."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any, ClassVar

import pytest
from datasets import Dataset

import hfclean
from hfclean.checks import accept, check
from hfclean.cli import main
from hfclean.columns import Column
from hfclean.errors import StrictError
from hfclean.models import Answer
from hfclean.provenance import parse_history
from hfclean.report import Report
from hfclean.reviser.codec import encode
from hfclean.rules import RULES, all_defects, find_defects, mend
from hfclean.schema import Pair
from hfclean.scorers import Scorer

ROW = {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}
BAD = {"instruction": "Name a stone.", "input": "", "output": "A boom of granite.</s>"}


@hfclean.rule("fragile", severity="low", meaning="breaks where a text says boom")
def fragile(pair: Pair) -> bool:
    if "boom" in pair.response:
        raise ValueError("no\nbooms\tplease")
    return False


fragile = fragile.with_repair(lambda pair: pair)


@hfclean.scorer("shares")
def shares(pair: Pair) -> float:
    return 1 / (1 - pair.response.count("boom"))


def rows_of(*rows: dict[str, str]) -> dict[str, list[str]]:
    return {name: [row[name] for row in rows] for name in ROW}


# --------------------------------------------------------------------------------------------------------------- rules


def test_a_rule_that_raises_is_left_out_and_the_others_go_on() -> None:
    out = hfclean.RuleReviser(extra=(fragile,))(rows_of(ROW, BAD, ROW))
    assert out["output"] == ["An apple.", "A boom of granite.", "An apple."]
    assert out["edit"] == ["revised"] * 3
    assert out["edit_reason"] == ["chat_markers", "chat_markers rule_error", "chat_markers"]
    (step,) = parse_history(out["edit_history"][1]) or ()
    assert step.errors == {"fragile": "ValueError: no booms please"}
    assert parse_history(step.line()) == (step,)
    assert "errors" not in out["edit_history"][0]
    assert hfclean.restore({**BAD, **{name: column[1] for name, column in out.items()}}) == BAD


def test_a_row_on_which_nothing_else_is_changed_is_kept_with_the_reason() -> None:
    out = hfclean.RuleReviser(only=("fragile",), extra=(fragile,))(BAD)
    assert (out["edit"], out["edit_reason"], out["output"], out["original"]) == (
        "kept",
        "rule_error",
        BAD["output"],
        "",
    )


def test_a_repair_that_returns_no_pair_is_an_error_of_its_rule() -> None:
    broken = fragile.with_repair(lambda pair: "text")  # type: ignore[arg-type, return-value]
    broken = hfclean.rules.Rule("fragile", "low", "x", lambda pair: True, broken.repair)
    out = hfclean.RuleReviser(extra=(broken,))(ROW)
    assert out["output"] == "An apple."
    assert "TypeError: the repair returned str, expected a Pair" in out["edit_history"]


def test_a_strict_reviser_stops_and_names_rule_error_and_row() -> None:
    with pytest.raises(
        StrictError, match=r"rule 'fragile' raised ValueError: no booms please .*'Name a stone\.'"
    ) as e:
        hfclean.RuleReviser(extra=(fragile,), strict=True)(rows_of(ROW, BAD))
    assert isinstance(e.value.__cause__, ValueError)


def test_strict_is_no_part_of_the_history_and_at_its_default_of_no_pickle() -> None:
    usual, strict = hfclean.RuleReviser(), hfclean.RuleReviser(strict=True)
    assert strict(ROW) == usual(ROW)
    assert usual.settings() == strict.settings() == {}
    assert "strict" not in usual.__getstate__()["fields"]
    assert pickle.loads(pickle.dumps(strict)).strict
    assert not pickle.loads(pickle.dumps(usual)).strict


def test_errors_that_mean_misuse_stop_the_run_all_the_same() -> None:
    @hfclean.rule("misused", severity="low", meaning="x")
    def misused(pair: Pair) -> bool:
        raise hfclean.errors.ColumnError("no such column")

    reviser = hfclean.RuleReviser(extra=(misused.with_repair(lambda pair: pair),))
    with pytest.raises(hfclean.errors.ColumnError, match="no such column"):
        reviser(ROW)
    with pytest.raises(hfclean.errors.SchemaError):
        hfclean.RuleReviser(extra=(fragile,))({"nobody": "knows"})


def test_the_plain_functions_raise_unless_they_are_given_a_place_for_errors() -> None:
    pair = Pair("Name a stone.", "", "boom</s>")
    with pytest.raises(ValueError, match="booms"):
        mend(pair, (*RULES, fragile))
    with pytest.raises(ValueError, match="booms"):
        find_defects(pair, (fragile,))
    errors: dict[str, Exception] = {}
    assert mend(pair, (*RULES, fragile), errors=errors)[-1].after.response == "boom"
    assert list(errors) == ["fragile"]
    each: list[dict[str, Exception]] = [{}, {}]
    found = all_defects([pair, Pair("a", "", "b</s>")], (*RULES, fragile), [None, None], each)
    assert ["chat_markers" in ids for ids in found] == [True, True]
    assert [list(raised) for raised in each] == [["fragile"], []]


# ------------------------------------------------------------------------------------------------------------- scorers


def test_a_scorer_that_raises_gives_nan_and_says_why() -> None:
    out = shares(rows_of(ROW, BAD, ROW))
    assert out["shares"][0] == out["shares"][2] == 1.0
    assert math.isnan(out["shares"][1])
    (step,) = parse_history(out["edit_history"][1]) or ()
    assert step.errors == {"shares": "ZeroDivisionError: division by zero"}
    assert "errors" not in out["edit_history"][0]
    again = shares({**rows_of(ROW, BAD, ROW), **out})
    assert again["edit_history"] == out["edit_history"]  # one line, not two
    with pytest.raises(StrictError, match=r"scorer 'shares' raised ZeroDivisionError.*'Name a stone\.'"):
        hfclean.scorers.FunctionScorer("shares", shares.function, strict=True)(rows_of(ROW, BAD))


class Kinds(Scorer):
    """Text, a number and a reason; breaks on booms, and on a batch of more than one when told to."""

    adds: ClassVar[tuple[Column, ...]] = (
        Column("kind", kind="text"),
        Column("size"),
        Column("kind_reason", kind="text"),
    )
    whole: ClassVar[bool] = False

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        if self.whole and len(pairs) > 1:
            raise RuntimeError("one at a time")
        sizes = [1 / (1 - pair.response.count("boom")) for pair in pairs]
        return {"kind": ["fruit"] * len(pairs), "size": sizes, "kind_reason": [""] * len(pairs)}


def test_a_scorer_class_that_raises_costs_only_that_row_and_keeps_the_types() -> None:
    out = Kinds()(rows_of(ROW, BAD))
    assert out["kind"] == ["fruit", ""]
    assert out["kind_reason"] == ["", "scorer_error"]
    assert out["size"][0] == 1.0
    assert math.isnan(out["size"][1])
    ds = Dataset.from_dict(rows_of(BAD, BAD)).map(Kinds(), batched=True)
    assert ds.features["kind"].dtype == "string"


def test_what_fails_on_a_batch_only_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kinds, "whole", True)
    with pytest.raises(RuntimeError, match="one at a time"):
        Kinds()(rows_of(ROW, ROW))


def test_a_rule_of_ours_that_raises_costs_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    good = hfclean.score(rows_of(ROW, BAD))
    monkeypatch.setattr("hfclean.scorers.embedded.score.RULES", (*RULES, fragile))
    out = hfclean.score(rows_of(ROW, BAD))
    assert out["preference"] == good["preference"]
    assert out["defects"] == ["chat_markers", "chat_markers"]
    steps = [parse_history(line) or () for line in out["edit_history"]]
    assert [dict(step.errors) for (step,) in steps] == [{}, {"fragile": "ValueError: no booms please"}]
    with pytest.raises(StrictError, match="rule 'fragile'"):
        hfclean.Score(strict=True)(rows_of(ROW, BAD))


def test_an_indicator_that_raises_leaves_its_row_unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    import hfclean.scorers.embedded.score as embedded

    read = embedded.read
    monkeypatch.setattr(embedded, "read", lambda pair: read(pair) if "boom" not in pair.response else 1 / 0)
    out = hfclean.score(rows_of(ROW, BAD))
    assert out["rating"][0] > 0
    assert math.isnan(out["rating"][1])
    assert out["defects"] == ["chat_markers", ""]
    assert '"errors": {"Score": "ZeroDivisionError: division by zero"}' in out["edit_history"][1]


# -------------------------------------------------------------------------------------------------------------- checks


@check("fussy", meaning="breaks where a text says boom")
def fussy(before: Pair, after: Pair) -> bool:
    return 1 / (1 - after.response.count("boom")) < 0


BEFORE, AFTER = Pair("Name a stone.", "", "Granite"), Pair("Name a stone.", "", "A boom of granite is a stone.")


def test_a_check_that_raises_refuses() -> None:
    with pytest.warns(RuntimeWarning, match="fussy raised ZeroDivisionError: division by zero"):
        assert accept(BEFORE, AFTER, extra=(fussy,)) == ["check_error"]
    errors: dict[str, Exception] = {}
    assert accept(BEFORE, AFTER, extra=(fussy,), errors=errors) == ["check_error"]
    assert isinstance(errors["fussy"], ZeroDivisionError)
    assert accept(BEFORE, AFTER.replace(response="Granite is a stone."), extra=(fussy,), errors=errors) == []
    with pytest.raises(StrictError, match="check 'fussy' raised ZeroDivisionError"):
        accept(BEFORE, AFTER, extra=(fussy,), strict=True)


def test_other_checks_that_refuse_are_named_beside_it() -> None:
    errors: dict[str, Exception] = {}
    after = AFTER.replace(response="I'm sorry, but I can't help with that boom.")
    assert accept(BEFORE, after, extra=(fussy,), errors=errors) == ["refusal", "check_error"]


def answering(*answers: str) -> Any:
    def backend(conversations: Any, generation: Any) -> list[Answer]:
        pair = BEFORE.replace(response=answers[generation.candidate])
        return [Answer(encode(pair), "stop", model="made") for _ in conversations]

    return backend


STONE = {"instruction": "Name a stone.", "input": "", "output": "Granite"}


def test_a_revision_that_cannot_be_checked_is_not_taken() -> None:
    reviser = hfclean.Reviser(answering(AFTER.response), checks=(fussy,), store=False, cache_as="made")
    out = reviser(STONE)
    assert (out["edit"], out["edit_reason"], out["output"]) == ("reverted", "check_error", "Granite")
    assert '"errors": {"fussy": "ZeroDivisionError: division by zero"}' in out["edit_history"]
    strict = hfclean.Reviser(answering(AFTER.response), checks=(fussy,), store=False, cache_as="made", strict=True)
    assert strict.settings() == reviser.settings()
    with pytest.raises(StrictError, match="check 'fussy'"):
        strict(STONE)


def test_another_candidate_is_taken_where_one_cannot_be_checked() -> None:
    texts = (AFTER.response, "Granite is a hard stone.")
    reviser = hfclean.Reviser(
        answering(*texts), checks=(fussy,), store=False, cache_as="made", candidates=2, temperature=0.7
    )
    out = reviser(STONE)
    assert (out["edit"], out["output"]) == ("revised", texts[1])
    assert '"errors": {"fussy"' in out["edit_history"]


def test_a_grader_that_raises_leaves_the_row_as_it_was() -> None:
    texts = ("Granite is a hard stone.", "Granite is a very hard stone.")

    def choose(pairs: Any) -> list[float]:
        raise KeyError("grade")

    reviser = hfclean.Reviser(
        answering(*texts), choose=choose, store=False, cache_as="made", candidates=2, temperature=0.7
    )
    out = reviser(STONE)
    assert (out["edit"], out["edit_reason"], out["output"]) == ("reverted", "not_graded", "Granite")
    assert '"errors": {"choose": "KeyError: \'grade\'"}' in out["edit_history"]


# --------------------------------------------------------------------------------------------------- where it is shown


def test_the_report_counts_the_rows_and_quotes_the_first_error() -> None:
    raw = Dataset.from_list([ROW, BAD, {**BAD, "instruction": "Name a metal."}])
    cleaned = hfclean.clean(raw, reviser=hfclean.RuleReviser(extra=(fragile,)), scorers=(shares,))
    report = hfclean.compare(raw, cleaned.dataset, extra=(fragile,))
    assert [(each.by, each.name, each.rows) for each in report.failures] == [
        ("FunctionScorer", "shares", 2),
        ("RuleReviser", "fragile", 2),
    ]
    assert report.failures[1].error == "ValueError: no booms please"
    assert report.failures[1].row_id == cleaned.dataset["row_id"][1]
    summary = report.summary()
    assert "error: fragile (RuleReviser) raised on 2 rows and was left out there; first on " in summary
    assert "ValueError: no booms please" in summary
    assert "Errors that were raised" in report.to_html()
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    older = report.to_dict()
    del older["failures"]
    assert Report.from_dict(older).failures == ()
    with pytest.raises(StrictError):
        hfclean.clean(raw, reviser=hfclean.RuleReviser(extra=(fragile,)), strict=True)


def test_a_report_of_rows_without_errors_says_nothing_of_them() -> None:
    raw = Dataset.from_list([ROW])
    report = hfclean.compare(raw, raw.map(hfclean.revise))
    assert report.failures == ()
    assert "error" not in report.summary()
    assert "Errors that were raised" not in report.to_html()


MODULE = """
import hfclean

@hfclean.rule("fragile", severity="low", meaning="breaks")
def fragile(pair):
    return 1 / (1 - pair.response.count("boom")) < 0

fragile = fragile.with_repair(lambda pair: pair)

@hfclean.scorer("shares")
def shares(pair):
    return 1 / (1 - pair.response.count("boom"))
"""


def test_the_command_line_goes_on_says_so_and_stops_when_strict(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("contained_rules.py").write_text(MODULE)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (ROW, BAD)))
    rule, scorer = ["--with", "contained_rules:fragile"], ["--with", "contained_rules:shares"]
    assert main(["clean", "rows.jsonl", "--out", "cleaned", "--quiet", *rule]) == 0
    assert "error: fragile (RuleReviser) raised on 1 row" in capsys.readouterr().out
    assert main(["why", "cleaned", "1"]) == 0
    shown = capsys.readouterr().out
    assert "fragile raised ZeroDivisionError: division by zero" in shown
    assert main(["clean", "rows.jsonl", "--out", "strictly", "--quiet", "--strict", *rule]) == 1
    assert "the rule 'fragile' raised ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert not Path("strictly").exists()
    assert main(["score", "rows.jsonl", "--quiet", *scorer]) == 0
    assert "error: shares (FunctionScorer) raised on 1 row" in capsys.readouterr().out
    assert main(["score", "rows.jsonl", "--quiet", "--strict", *scorer]) == 1


# ------------------------------------------------------------------------------------------------------------- columns


def test_a_misspelt_column_is_put_right() -> None:
    with pytest.raises(hfclean.errors.ColumnError, match=r"no such column in .*\. Did you mean 'rating'\?$"):
        hfclean.keep("ratign", at_least=0.5)({"rating": 0.7, "output": "x"})
    with pytest.raises(hfclean.errors.ColumnError, match=r"Did you mean 'rating'\? Score the dataset first"):
        hfclean.keep("ratign", at_least=0.5)({"output": "x"})
    with pytest.raises(hfclean.errors.ColumnError, match=r"Did you mean 'Grade'\?$"):
        hfclean.top(Dataset.from_dict({"Grade": [1.0]}), by="garde", n=1)
    with pytest.raises(hfclean.errors.ColumnError, match=r"'o'\]\. Score the dataset first"):
        hfclean.keep("rating", at_least=0.5)({"o": "x"})
