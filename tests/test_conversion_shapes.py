"""Every shape to every form: what is lost is counted beforehand, and where nothing is, it comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datasets import DatasetDict, disable_progress_bars
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_rows import rows_of, same, told

import hfclean
from hfclean.conversion import FORMS, Losses, convert, losses_of
from hfclean.errors import RestoreError, SchemaError
from hfclean.layout import Layout
from hfclean.schema import SHAPE_TABLE, SHAPES, detect, written_view
from hfclean.values import exact_dataset

disable_progress_bars()
REFUSED = "rows that do not fit, so that nothing is converted"


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_any_shape_goes_to_any_form_and_comes_back_or_says_what_it_loses(shape: str, data: st.DataObject) -> None:
    rows, to = data.draw(rows_of(shape)), data.draw(st.sampled_from([form for form in FORMS if form != "text"]))
    ds, losses = exact_dataset(rows), Losses()
    try:
        foreseen = losses_of(ds, to)
        there = convert(ds, to, losses=losses)
    except RestoreError:
        assert to in ("preference", "ranked", "kto")
        return
    except SchemaError:
        assert REFUSED in foreseen
        return
    assert foreseen == losses
    if to in SHAPES and not any(name.startswith("other columns") for name in losses):
        assert Layout().view(there.column_names).shape == to
    if not losses:
        back = convert(there, shape, losses=Losses())
        views = [Layout().settled(each).view(each.column_names) for each in (ds, back)]
        assert [told(row, views[1]) for row in back] == [told(row, views[0]) for row in ds]


SAID = {"role": "assistant", "content": "An apple."}
ASKED = {"role": "user", "content": "Name a fruit.", "name": "Ann"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
}
TOLD = {"role": "tool", "content": "007", "tool_call_id": "1"}
VERL = {"prompt": [ASKED, CALLED, TOLD], "reward_model": {"style": "rule", "ground_truth": "4"}, "data_source": "own"}


@pytest.mark.parametrize("shape", SHAPE_TABLE, ids=lambda shape: shape.name)
def test_what_a_conversion_writes_is_read_as_that_shape(shape: Any) -> None:
    assert detect(shape.writes).shape == shape.name
    assert written_view(shape.name, shape.may_write).shape == shape.name
    assert set(written_view(shape.name).columns) <= set(shape.writes)


def of(*rows: dict[str, Any], to: str, **how: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The converted rows, and what was lost."""
    ds, losses = exact_dataset(rows), Losses()
    made = [same(row) for row in convert(ds, to, losses=losses, **how)]
    assert losses_of(ds, to, **how) == losses
    return made, dict(losses)


@pytest.mark.parametrize("to", ["messages", "conversation", "prompt_completion"])
def test_prompts_keep_the_keys_of_their_messages(to: str) -> None:
    [row], losses = of(VERL, to=to)
    kept = row["prompt" if to == "prompt_completion" else to]
    assert [kept[0], kept[2]] == [ASKED, TOLD]
    assert kept[1]["tool_calls"] == CALLED["tool_calls"]
    assert (row["reward_model"], row["data_source"]) == (VERL["reward_model"], "own")
    ends = "where the prompt ends: the last answer in it is read as that of the row"
    assert losses == {"no answer: an empty one was added" if to == "prompt_completion" else ends: 1}


def test_keys_of_a_prompt_that_texts_cannot_hold_are_counted() -> None:
    [row], losses = of({"prompt": [ASKED], "ground_truth": "4"}, to="alpaca")
    assert row == {"instruction": "Name a fruit.", "input": "", "output": "", "ground_truth": "4"}
    assert losses == {"key 'name' of messages": 1, "no answer: an empty one was added": 1}


RANKED = {"prompt": "Name a fruit.", "responses": ["A carrot.", "An apple.", "A pear."], "ranks": [3, 1, 2]}
BETWEEN = "answers between the best and the worst"
ORDER = "the order of the answers, now the best first"
ORDER_ALONE = "column 'ranks', of which at most the order is kept"
SPLIT = "rows of several answers, now a row for the best and one for the worst"


def test_of_several_answers_the_best_and_the_worst_are_chosen_and_labeled() -> None:
    rows, losses = of(RANKED, to="preference")
    assert rows == [{"prompt": "Name a fruit.", "chosen": "An apple.", "rejected": "A carrot."}]
    assert losses == {BETWEEN: 1, ORDER: 1, ORDER_ALONE: 1}
    rows, losses = of({**RANKED, "id": 7}, to="kto")
    assert [(row["completion"], row["label"], row["id"]) for row in rows] == [
        ("An apple.", True, 7),
        ("A carrot.", False, 7),
    ]
    assert losses == {BETWEEN: 1, ORDER: 1, ORDER_ALONE: 1, SPLIT: 1}
    rows, _ = of({"chosen": [ASKED, SAID], "rejected": [ASKED, CALLED, TOLD, SAID]}, to="kto")
    assert [(row["prompt"], len(row["completion"])) for row in rows] == [([ASKED], 1), ([ASKED], 3)]


def test_answers_of_equal_worth_make_no_pair() -> None:
    tied = {"prompt": "a", "responses": ["x", "y"], "scores": [1, 1]}
    rows, losses = of(tied, {**tied, "scores": [1, 2]}, to="preference")
    assert [(row["chosen"], row["rejected"]) for row in rows] == [("y", "x")]
    assert losses["rows without two answers of different worth, left out"] == 1
    with pytest.raises(RestoreError, match="no row has two answers of different worth"):
        convert(exact_dataset([tied]), "kto")


def test_revised_rows_become_ranks_and_labels() -> None:
    ds = exact_dataset([{"messages": [ASKED, {**SAID, "content": "An apple.</s>"}]}]).map(hfclean.revise)
    [row] = convert(ds, "ranked", losses=Losses())
    assert (row["responses"], row["ranks"]) == (["An apple.", "An apple.</s>"], [1, 2])
    assert [row["label"] for row in convert(ds, "kto", losses=Losses())] == [True, False]
    with pytest.raises(RestoreError, match="one answer each, nor a column 'label', and hfclean did not revise"):
        convert(exact_dataset([{"prompt": "a", "completion": "b"}]), "kto")


def test_labels_that_are_neither_true_nor_false_do_not_fit() -> None:
    rows, losses = of({"messages": [ASKED, SAID], "label": False}, to="kto")
    assert (rows[0]["label"], rows[0]["completion"], losses) == (False, [SAID], {})
    with pytest.raises(SchemaError, match=r"1 of 1 rows do not fit: a row has the label 1; expected true or false"):
        convert(exact_dataset([{"prompt": "a", "completion": "b", "label": 1}]), "kto")


@pytest.mark.parametrize(
    ("row", "truth"),
    [
        ({"question": "Add.", "answer": "So it is four.\n#### 4"}, "4"),
        ({"problem": "Add.", "solution": "So it is \\boxed{4}."}, "4"),
        ({"Problem": "Add.", "Solution": "Four.", "Answer": "4"}, "4"),
        ({"question": "Add.", "response": "Four.", "answer": ["4", "four"]}, ["4", "four"]),
    ],
)
def test_verl_has_the_truth_of_the_row(row: dict[str, Any], truth: Any) -> None:
    rows, losses = of(row, to="verl")
    asked = [{"role": "user", "content": "Add."}]
    assert rows == [{"prompt": asked, "reward_model": {"style": "rule", "ground_truth": truth}}]
    assert losses == {"answers, for which the form has no place": 1}


def test_bare_answers_stay_answers() -> None:
    rows, losses = of({"messages": [ASKED, {**SAID, "content": "4"}]}, to="question_answer")
    assert (rows, losses) == ([{"question": "Name a fruit.", "response": "4"}], {"key 'name' of messages": 1})
    rows, _ = of(VERL | {"prompt": [ASKED]}, to="problem_answer")
    assert rows == [{"problem": "Name a fruit.", "answer": "4", "data_source": "own"}]


def test_a_thought_beside_an_answer_has_a_column_where_there_is_one() -> None:
    row = {"messages": [ASKED, {**SAID, "reasoning_content": "Hm."}], "ground_truth": "apple"}
    rows, losses = of(row, to="problem_answer")
    assert rows == [{"problem": "Name a fruit.", "reasoning": "Hm.", "solution": "An apple.", "answer": "apple"}]
    assert losses == {"key 'name' of messages": 1}
    with pytest.raises(SchemaError, match="texts alone"):
        convert(exact_dataset([row]), "dolly", thoughts="reasoning_content")


ODD: list[tuple[dict[str, Any], str]] = [
    ({"messages": json.dumps([SAID])}, "conversations as JSON in a string, now as lists"),
    ({"messages": [{"speaker": "bot", "text": "b"}]}, "other keys and roles of messages, now the usual ones"),
    ({"messages": ["a", SAID]}, "entries of conversations that cannot be read"),
    ({"messages": "[see above]"}, "conversations that cannot be read, left empty"),
    ({"messages": None}, "null cells, as empty ones"),
    ({"conversations": [SAID], "system": "Be kind."}, "column 'system', now the first message"),
    ({"prompt": SAID, "completion": SAID}, "single messages or columns of them, now lists of messages"),
    ({"instruction": "a", "output": "b", "history": [["c"]]}, "entries of the history that are not two texts"),
]


@pytest.mark.parametrize(("row", "loss"), ODD)
def test_odd_rows_are_counted(row: dict[str, Any], loss: str) -> None:
    _, losses = of(row, to="conversation")
    assert [count for name, count in losses.items() if name.startswith(loss)] == [1]


def test_the_splits_of_a_dataset_get_the_same_columns() -> None:
    plain, more = exact_dataset([{"messages": [SAID]}]), exact_dataset([{"messages": [ASKED, CALLED, TOLD, SAID]}])
    made = convert(DatasetDict(train=plain, test=more), "prompt_completion", losses=Losses())
    assert [part[0]["completion"] for part in made.values()] == [[SAID], [SAID]]


def test_columns_beside_which_the_shape_has_to_be_named_are_counted() -> None:
    rows, losses = of({"messages": [{**ASKED, "name": None}, SAID], "prompt": "x"}, to="query_response")
    assert rows == [{"query": "Name a fruit.", "response": "An apple.", "prompt": "x"}]
    named = "other columns, beside which the shape has to be named where the rows are read: query_response"
    assert losses == {named: 1}
