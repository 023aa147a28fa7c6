"""The rule of Selective Reflection-Tuning: every branch, ties, missing scores; and what it makes of rows."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from datasets import Dataset
from extras import needs
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.errors import FolderError, HfcleanError
from hfclean.models import Answer
from hfclean.reviser.codec import encode
from hfclean.reviser.selective import Scores, Selection, count_branches, prefers_instruction, select_variant
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend

nan, inf = math.nan, math.inf

# (ifd, r_ifd) of original, Q*, A*, QA* -> branch, state
RULE: dict[str, tuple[Any, Any, Any, Any, str, str]] = {
    "both": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.9), (0.6, 0.4), "both", "selected"),
    "instruction only": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.1), (0.6, 0.6), "instruction", "selected"),
    "response only": ((0.5, 0.6), (0.4, 0.1), (0.6, 0.5), (0.6, 0.1), "response", "selected"),
    "the original": ((0.5, 0.6), (0.4, 0.1), (0.6, 0.7), (0.6, 0.1), "original", "selected"),
    # equal scores leave things as they are
    "equal IFD": ((0.5, 0.6), (0.5, 0.1), (0.6, 0.5), (0.6, 0.1), "response", "selected"),
    "equal r-IFD below Q*": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.1), (0.6, 0.5), "instruction", "selected"),
    "equal r-IFD below the original": ((0.5, 0.6), (0.4, 0.5), (0.6, 0.6), (0.6, 0.1), "original", "selected"),
    "all equal": ((0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5), "original", "selected"),
    # the limit
    "both, IFD at 1": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.9), (1.0, 0.4), "both", "not_selected"),
    "both, IFD above 1": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.9), (1.2, 0.4), "both", "not_selected"),
    "instruction, IFD above 1": ((0.5, 0.6), (1.1, 0.5), (0.6, 0.1), (0.6, 0.6), "instruction", "not_selected"),
    "instruction, r-IFD at 1": ((0.5, 0.6), (0.7, 1.0), (0.6, 0.1), (0.6, 1.0), "instruction", "not_selected"),
    "response, IFD above 1": ((0.5, 0.6), (0.4, 0.1), (1.1, 0.5), (0.6, 0.1), "response", "not_selected"),
    "response, r-IFD above 1": ((0.5, 1.6), (0.4, 0.1), (0.6, 1.5), (0.6, 0.1), "response", "not_selected"),
    "original, IFD above 1": ((1.5, 0.6), (1.4, 0.1), (0.6, 0.7), (0.6, 0.1), "original", "not_selected"),
    "original, r-IFD at 1": ((0.5, 1.0), (0.4, 0.1), (0.6, 1.0), (0.6, 0.1), "original", "not_selected"),
    # a variant that is not there
    "no Q*": ((0.5, 0.6), None, (0.6, 0.5), None, "response", "selected"),
    "no QA*": ((0.5, 0.6), (0.7, 0.5), None, None, "instruction", "selected"),
    "no A*": ((0.5, 0.6), (0.4, 0.1), None, None, "original", "selected"),
    "nothing": ((0.5, 0.6), None, None, None, "original", "selected"),
    "nothing, above 1": ((1.5, 0.6), None, None, None, "original", "not_selected"),
    # a score that is missing
    "no IFD of the original": ((nan, 0.6), (0.7, 0.5), (0.6, 0.5), (0.6, 0.4), "", "unscored"),
    "no IFD of Q*": ((0.5, 0.6), (nan, 0.5), (0.6, 0.5), (0.6, 0.4), "", "unscored"),
    "no r-IFD of Q*": ((0.5, 0.6), (0.7, nan), (0.6, 0.5), (0.6, 0.4), "", "unscored"),
    "no r-IFD of QA*": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.5), (0.6, nan), "", "unscored"),
    "no r-IFD of the original": ((0.5, nan), (0.4, 0.5), (0.6, 0.5), (0.6, 0.4), "", "unscored"),
    "no r-IFD of A*": ((0.5, 0.6), (0.4, 0.5), (0.6, nan), (0.6, 0.4), "", "unscored"),
    "no IFD of QA*": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.5), (nan, 0.4), "both", "unscored"),
    "no IFD of A*": ((0.5, 0.6), (0.4, 0.5), (nan, 0.5), (0.6, 0.4), "response", "unscored"),
    "nothing, no IFD": ((nan, 0.6), None, None, None, "original", "unscored"),
    "nothing, no r-IFD": ((0.5, nan), None, None, None, "original", "unscored"),
    # the released script takes a score that could not be computed for 0, and 0 passes every test
    "0 for the IFD of the original": ((0.0, 0.6), (0.7, 0.5), (0.6, 0.5), (0.6, 0.4), "", "unscored"),
    "0 for the r-IFD of QA*": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.5), (0.6, 0.0), "", "unscored"),
    "0 for the IFD of A*": ((0.5, 0.6), (0.4, 0.5), (0.0, 0.5), (0.6, 0.4), "response", "unscored"),
    "an infinite IFD of Q*": ((0.5, 0.6), (inf, 0.5), (0.6, 0.5), (0.6, 0.4), "", "unscored"),
    "below 0": ((0.5, 0.6), (0.7, 0.5), (0.6, 0.5), (0.6, -0.4), "", "unscored"),
    # a missing score that the rule does not come to does not matter
    "no scores of A* beside a better Q*": ((0.5, nan), (0.7, 0.5), (nan, nan), (0.6, 0.4), "both", "selected"),
    "no scores of QA* beside a worse Q*": ((0.5, 0.6), (0.4, nan), (0.6, 0.5), (nan, nan), "response", "selected"),
}


def scores(values: tuple[float, float] | None) -> Scores | None:
    return None if values is None else Scores(*values)


@pytest.mark.parametrize("case", RULE)
def test_every_branch_of_the_rule(case: str) -> None:
    *variants, branch, state = RULE[case]
    original, *others = map(scores, variants)
    assert original is not None
    assert select_variant(original, *others) == Selection(branch, state)  # type: ignore[arg-type]


def as_published(orig: Scores, q: Scores, a: Scores, qa: Scores) -> tuple[str, bool]:
    """The rule as section 2.4 of the methods has it, word by word."""
    if q.ifd > orig.ifd:
        name, kept = ("both", qa) if qa.r_ifd < q.r_ifd else ("instruction", q)
    else:
        name, kept = ("response", a) if a.r_ifd < orig.r_ifd else ("original", orig)
    return name, kept.ifd < 1 and kept.r_ifd < 1


VALUES = st.sampled_from([0.2, 0.5, 0.9, 1.0, 1.3])


@given(st.tuples(*[st.builds(Scores, VALUES, VALUES)] * 4))
def test_the_rule_is_the_published_one_where_all_scores_are_there(
    variants: tuple[Scores, Scores, Scores, Scores],
) -> None:
    branch, kept = as_published(*variants)
    assert select_variant(*variants) == Selection(branch, "selected" if kept else "not_selected")  # type: ignore[arg-type]


def test_no_missing_score_passes_a_comparison() -> None:
    for values in itertools.product((0.5, nan), repeat=8):
        variants = [Scores(*values[k : k + 2]) for k in range(0, 8, 2)]
        found = select_variant(*variants)
        if found.state != "unscored":
            kept = dict(zip(("original", "instruction", "response", "both"), variants, strict=True))[found.branch]
            assert not any(map(math.isnan, kept))


def test_the_first_half_of_the_rule_alone() -> None:
    assert prefers_instruction(Scores(0.5, nan), Scores(0.6, nan)) is True
    assert prefers_instruction(Scores(0.5, nan), Scores(0.5, nan)) is False
    assert prefers_instruction(Scores(nan, 0.5), None) is False
    assert prefers_instruction(Scores(0.5, 0.5), Scores(nan, 0.5)) is None


def test_the_branches_are_counted_none_left_out() -> None:
    found = [select_variant(*[scores(v) for v in case[:4]]) for case in RULE.values()]  # type: ignore[arg-type]
    counts = count_branches(found)
    assert sum(counts.values()) == len(RULE)
    assert counts == Counter(f"{case[4]} {case[5]}".strip() for case in RULE.values())
    assert min(counts[f"{branch} selected"] for branch in ("original", "instruction", "response", "both")) >= 2


# ------------------------------------------------------------------------------------------------------------ in rows

ROW = {"instruction": "Name a fruit.", "input": "", "output": "a aple"}
Q = Pair("Name a yellow fruit.", "", "A lemon.")
A, QA = "An apple.", "A lemon is a yellow fruit."


def answer(conversation: Any) -> str:
    text = conversation[-1].content
    if "write a better one" in text:
        return f"Too open.\n{encode(Q)}"
    return f"Too short.\n[Response]\n{QA if 'yellow' in text.rsplit('[Instruction]', 1)[-1] else A}\n[End]"


class Table:
    """Scores by response, and what was asked."""

    def __init__(self, original: Any, instruction: Any, response: Any, both: Any) -> None:
        self.scores = {"a aple": original, Q.response: instruction, A: response, QA: both}
        self.asked: list[Pair] = []

    def __call__(self, pairs: Sequence[Pair]) -> list[tuple[float, float]]:
        self.asked += pairs
        return [self.scores[pair.response] for pair in pairs]


def reflect(table: Any, script: Any = answer, **settings: Any) -> hfclean.Reflection:
    return hfclean.Reflection(ScriptedBackend(script), select=table, **settings)


ROWS = {
    "both": ("Name a yellow fruit.", QA, "revised", "reflection both_selected"),
    "instruction only": ("Name a yellow fruit.", "A lemon.", "revised", "reflection instruction_selected"),
    "response only": ("Name a fruit.", A, "revised", "reflection response_selected"),
    "the original": ("Name a fruit.", "a aple", "reverted", "original_selected"),
    "both, IFD above 1": ("Name a fruit.", "a aple", "reverted", "not_selected"),
    "instruction, IFD above 1": ("Name a fruit.", "a aple", "reverted", "not_selected"),
    "original, IFD above 1": ("Name a fruit.", "a aple", "reverted", "not_selected"),
    "no IFD of Q*": ("Name a fruit.", "a aple", "reverted", "unscored"),
    "no r-IFD of QA*": ("Name a fruit.", "a aple", "reverted", "unscored"),
    "0 for the IFD of A*": ("Name a fruit.", "a aple", "reverted", "unscored"),
}


@pytest.mark.parametrize("case", ROWS)
def test_what_becomes_of_a_row(case: str) -> None:
    instruction, output, edit, reason = ROWS[case]
    out = reflect(Table(*RULE[case][:4]))(ROW)
    assert (out["instruction"], out["output"], out["edit"], out["edit_reason"]) == (instruction, output, edit, reason)
    assert hfclean.restore({**ROW, **out}) == ROW


def test_no_more_is_asked_than_the_rule_comes_to() -> None:
    both = reflect(Table(*RULE["both"][:4]))
    both(ROW)
    assert len(both.model.asked) == 2  # type: ignore[union-attr]
    assert [pair.response for pair in both.select.asked] == ["A lemon.", "a aple", QA]  # type: ignore[union-attr]
    unscored = reflect(Table(*RULE["no IFD of Q*"][:4]))
    unscored(ROW)
    assert len(unscored.model.asked) == 1  # type: ignore[union-attr]


def test_many_rows_are_scored_together_and_as_one_by_one() -> None:
    table = Table(*RULE["both"][:4])
    out = Dataset.from_list([ROW] * 5).map(reflect(table), batched=True)
    one = reflect(Table(*RULE["both"][:4]))(ROW)
    assert [{name: row[name] for name in one} for row in out] == [one] * 5


def test_a_variant_that_the_gate_refuses_is_not_there() -> None:
    refusal = "[Response]\nI'm sorry, but I can't help with that.\n[End]"
    no_qa = reflect(
        Table(*RULE["both"][:4]), lambda c: answer(c) if "write a better one" in c[-1].content else refusal
    )
    out = no_qa(ROW)
    assert (out["output"], out["edit_reason"]) == (
        "A lemon.",
        "reflection instruction_selected response_refused refusal",
    )
    no_q = reflect(Table(*RULE["both"][:4]), lambda c: "junk" if "write a better one" in c[-1].content else answer(c))
    out = no_q(ROW)  # A* is worse than the original here
    assert (out["output"], out["edit"]) == ("a aple", "reverted")
    assert out["edit_reason"] == "original_selected instruction_refused unparsed"
    neither = reflect(Table(*RULE["both"][:4]), lambda _: "junk")(ROW)
    assert (neither["edit"], neither["edit_reason"]) == ("reverted", "instruction_refused unparsed response_refused")


def test_a_pair_that_the_model_leaves_alone_is_kept() -> None:
    same = encode(Pair("Name a fruit.", "", "a aple"))

    def alone(conversation: Any) -> str:
        return same if "write a better one" in conversation[-1].content else "[Response]\na aple\n[End]"

    out = reflect(Table(*RULE["both"][:4]), alone)(ROW)
    assert (out["edit"], out["edit_reason"]) == ("kept", "")
    above = reflect(Table((1.5, 0.5), None, None, None), alone)(ROW)
    assert (above["edit"], above["edit_reason"]) == ("kept", "not_selected")


def test_a_question_that_cannot_change_has_two_variants_only() -> None:
    row = {"prompt": "Name a fruit.", "chosen": "a aple", "rejected": "x"}
    out = reflect(Table((0.5, 0.6), None, (0.5, 0.5), None))(row)
    assert (out["chosen"], out["edit_reason"]) == (A, "reflection response_selected")


def test_a_failed_request_fails_the_row_whatever_the_scores() -> None:
    for kind in ("write a better one", "write a better response"):
        script = lambda c, kind=kind: Answer.failed("timeout") if kind in c[-1].content else answer(c)  # noqa: E731
        out = reflect(Table(*RULE["both"][:4]), script)(ROW)
        assert (out["output"], out["edit"], out["edit_reason"]) == ("a aple", "failed", "timeout")


def test_an_estimate_scores_nothing() -> None:
    table = Table(*RULE["both"][:4])
    found = reflect(table).estimate([ROW] * 10)
    assert (found.requests, table.asked) == (20, [])


def test_candidates_are_selected_each_for_itself_and_then_chosen_from() -> None:
    table = Table(*RULE["both"][:4])
    out = reflect(table, candidates=2, temperature=0.7)(ROW)
    assert (out["output"], out["edit_reason"]) == (QA, "reflection both_selected")


def _two(pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    return [(0.5, 0.5)] * 2


def test_settings_that_cannot_work_are_refused_with_the_next_move(tmp_path: Any) -> None:
    with pytest.raises(HfcleanError, match=r"select=f with f\(pairs\)"):
        reflect("perplexity")
    with pytest.raises(HfcleanError, match="is your own function, which gives none; name one: scored_by="):
        reflect("ifd")
    with pytest.raises(HfcleanError, match="expected a folder, a Hub id or an"):
        reflect("ifd", scored_by=3)
    with pytest.raises(HfcleanError, match="say select='ifd' too"):
        reflect(_two, scored_by="m")
    with pytest.raises(HfcleanError, match="chooses between both sides"):
        reflect(_two, sides=("response",))
    with pytest.raises(HfcleanError, match="2 scores for 3 pairs"):
        Dataset.from_list([{**ROW, "output": text} for text in ("a", "b", "c")]).map(
            reflect(_two, lambda _: "junk"), batched=True
        )
    with pytest.raises(FolderError, match="select= holds your own code"):
        hfclean.Reflection("m", select=_two).save_pretrained(tmp_path)
    assert '"select": "_two"' in reflect(_two, lambda _: Answer.failed("timeout"))(ROW)["edit_history"]


# ------------------------------------------------------------------------------------- scores of a model's own losses


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A language model by chance, and a file of answers of its own."""
    needs("models", "torch")
    from hfclean.models import process
    from hfclean.testing_models import tiny_model

    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path_factory.mktemp("home")))
    yield str(tiny_model(tmp_path_factory.mktemp("models") / "small"))
    process.close()


def by_hand(model: str) -> Any:
    """The scores of Selective Reflection-Tuning from the two scorers, each pair alone."""
    ifd = hfclean.IFD(model, template="vicuna", store=False)
    r_ifd = hfclean.scorers.ReverseIFD(model, template="vicuna", store=False)

    def scored(pairs: Sequence[Pair]) -> list[tuple[float, float]]:
        rows = [{"prompt": pair.prompt, "completion": pair.response} for pair in pairs]
        return [(ifd(row)["ifd_ppl"], r_ifd(row)["r_ifd_ppl"]) for row in rows]

    return scored


@pytest.fixture
def passages(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every passage whose losses are asked for."""
    from hfclean.scorers import likelihood_scorer

    seen: list[Any] = []
    ask = likelihood_scorer.token_losses
    monkeypatch.setattr(
        likelihood_scorer, "token_losses", lambda spec, some, *more: seen.extend(some) or ask(spec, some, *more)
    )
    return seen


def test_the_losses_of_a_model_decide_as_given_scores_do(small: str, passages: list[Any]) -> None:
    rows = [{**ROW, "output": text} for text in ("a aple", "Fruit of the sea, deep.", "x", "Paris is blue. " * 4, "")]
    ds = Dataset.from_list([*rows, {**ROW, "output": "w" * 9000}])
    given = ds.map(reflect(by_hand(small)), batched=True)
    del passages[:]
    own = ds.map(reflect("ifd", scored_by=small), batched=True)
    columns = ["instruction", "output", "edit", "edit_reason"]
    assert own.select_columns(columns)[:] == given.select_columns(columns)[:]
    assert len({reason.split()[-1] for reason in own["edit_reason"]}) >= 3
    assert own["edit_reason"][5].startswith("unscored")  # longer than the model takes
    assert '"select": "ifd"' in own[0]["edit_history"]
    assert small not in own[0]["edit_history"]  # of a folder, its name only


def test_only_what_the_rule_comes_to_is_computed(small: str, passages: list[Any]) -> None:
    given = reflect(by_hand(small))(ROW)
    del passages[:]
    own = reflect("ifd", scored_by=small)(ROW)
    assert own["output"] == given["output"]
    assert all(p.contexts[0].startswith("A chat between") and p.contexts[0].endswith(" ASSISTANT:") for p in passages)
    forward = [p for p in passages if "instruction is:" not in p.contexts[0]]
    assert sorted(p.target for p in forward[:2]) == ["A lemon.", "a aple"]
    # two instructions first, then both scores of the two variants that are left: one forward score is there already
    assert (len(forward), len(passages) - len(forward)) == (3, 2)
    del passages[:]
    same = reflect("ifd", lambda _: "[Response]\na aple\n[End]", scored_by=small)
    same({"prompt": "Name a fruit.", "chosen": "a aple", "rejected": "x"})
    assert len(passages) == 2  # the question cannot change, and nothing was written: the original alone


def test_the_model_that_revises_scores_unless_another_one_is_named(small: str) -> None:
    from hfclean.reviser.reflection import forward_scorer, reverse_scorer

    served = hfclean.Reflection("m", base_url="http://localhost:1/v1", api_key_env="K", store=False, select="ifd")
    scorer = forward_scorer(served.scored_by, served.spec())
    assert (scorer.model, scorer.base_url, scorer.api_key_env, scorer.store) == ("m", served.base_url, "K", False)
    mine = hfclean.IFD(small, template="alpaca", kind="loss", max_length=99, dtype="bfloat16")
    reverse = reverse_scorer(forward_scorer(mine, served.spec()))
    assert (reverse.model, reverse.kind, reverse.max_length, reverse.dtype) == (small, "loss", 99, "bfloat16")
    assert reflect("ifd", scored_by=mine).settings()["scored_by"]["kind"] == "loss"


def test_a_scoring_model_is_saved_by_name_and_a_scorer_is_not(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reviser = hfclean.Reflection("m/m", select="ifd", scored_by="s/s")
    reviser.save_pretrained(tmp_path)
    assert hfclean.Reflection.from_pretrained(tmp_path) == reviser
    with pytest.raises(FolderError, match="scored_by= holds your own code"):
        hfclean.Reflection("m/m", select="ifd", scored_by=hfclean.IFD("s")).save_pretrained(tmp_path)


def test_rows_chosen_by_older_scores_are_chosen_again_and_no_others(small: str) -> None:
    assert hfclean.Reflection.version == 2
    for settings, again in (({}, 0), ({"table": "ifd", "scored_by": small}, 2)):
        reviser = reflect(script=answer, **{"table": None, **settings})
        backend: Any = reviser.model
        row = reviser(ROW)
        del backend.asked[:]
        assert reviser(row)["output"] == row["output"]
        assert backend.asked == []
        older = {**row, "edit_history": row["edit_history"].replace('"version": 2', '"version": 1')}
        reviser(older)
        assert len(backend.asked) == again


@pytest.mark.parametrize("named", ["/etc", "./s", "s", {"model": "s/s"}, ["s/s"]])
def test_a_record_of_the_hub_names_scorers_of_the_hub_only(named: Any, tmp_path: Any) -> None:
    from hfclean.records.trust import Record, settings_for_stranger

    told = {"model": "m/m", "select": "ifd", "scored_by": named}
    found = Record({}, "a/b", tmp_path, "a/b", "c" * 40)
    with pytest.raises(FolderError, match=r"which is not a Hub id; say which model to use: .*scored_by="):
        settings_for_stranger(found, dict(told), {})
    assert settings_for_stranger(found, {**told, "scored_by": "s/s"}, {})[0]["scored_by"] == "s/s"
    assert settings_for_stranger(found, told, {"scored_by": "mine"})[1] == {"scored_by": "mine"}
