"""Every declared shape: detected, read, written back and restored exactly; truths stay as they are."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_rows import rows_of

import hfclean
from hfclean.cleaning import clean
from hfclean.cli import main
from hfclean.errors import SchemaError
from hfclean.layout import Layout
from hfclean.records.dataset import read_layout
from hfclean.rules import text_rule
from hfclean.rules.guard import allowed
from hfclean.schema import (
    SHAPE_TABLE,
    SHAPES,
    Pair,
    answer_columns,
    detect,
    read_at,
    stated_truths,
    truths_in,
    write,
)
from hfclean.schema.truths import is_bare
from hfclean.selection.benchmarks import BenchmarkPack
from hfclean.verifiers import verify

UPPER = text_rule(
    "upper",
    severity="low",
    meaning="not upper case",
    detect=lambda text: not text.isupper() and text.upper().isupper(),
    repair=str.upper,
)
EVERY = hfclean.RuleReviser(only=["upper"], extra=(UPPER,))
ROWS = [(shape.name, row) for shape in SHAPE_TABLE for row in shape.rows]


def test_names_are_given_once() -> None:
    assert len(set(SHAPES)) == len(SHAPE_TABLE)


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_each_row_of_the_table_has_its_shape_by_columns_and_by_name(name: str, row: dict[str, Any]) -> None:
    view = detect(tuple(row))
    assert view.shape == name
    assert detect(tuple(row), name) == view
    pair = view.pairs(row)[-1]
    assert (pair.instruction in ("Name a fruit.", "What is 2 + 2?"), bool(pair.response)) == (
        True,
        view.answers and (name != "messages" or "ground_truth" not in row),
    )


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], str]]:
    if isinstance(value, str):
        return [(path, value)]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [leaf for key, item in items for leaf in _leaves(item, (*path, key))]


def _filled(value: Any, texts: dict[str, str]) -> Any:
    if isinstance(value, str):
        return texts.get(value, value)
    if isinstance(value, dict):
        return {key: _filled(item, texts) for key, item in value.items()}
    return [_filled(item, texts) for item in value] if isinstance(value, list) else value


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
THINKING = st.sampled_from(["", "<think>So be it.</think>\n\n", "So be it.\n</think>\n", "[THINK]So be it.[/THINK]"])


@settings(max_examples=60)
@given(st.sampled_from(ROWS), WORDS, WORDS, WORDS, THINKING)
def test_any_row_of_any_shape_is_read_changed_and_restored(
    shaped: tuple[str, dict[str, Any]], asked: str, said: str, other: str, thought: str
) -> None:
    name, row = shaped
    texts = {"Name a fruit.": asked, "What is 2 + 2?": asked, "An apple.": thought + said, "It is 4.": thought + said}
    row = _filled(row, {**texts, "A carrot.": other, "2 + 2 = 4.": other})
    before = json.dumps(row)
    view = detect(tuple(row), name)
    for target in view.targets(row, side="both"):
        for _, slot in target.slots():
            if len(slot.paths) == 1 and not slot.prefix:
                assert slot.texts[0] in asked + thought + said + other + "Two and two."
    for side in ("chosen", "both"):
        reviser = hfclean.RuleReviser(only=["upper"], extra=(UPPER,), side=side, columns=name)  # type: ignore[arg-type]
        out = reviser(row)
        assert json.dumps(row) == before
        assert hfclean.restore({**row, **out}) == row
        for column in view.columns:  # nothing but letters that are capitals now
            was = [(path, text.upper()) for path, text in _leaves(row[column])]
            assert [(path, text.upper()) for path, text in _leaves(out.get(column, row[column]))] == was


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_odd_rows_of_every_shape_are_written_back_and_restored(shape: str, data: st.DataObject) -> None:
    for row in data.draw(rows_of(shape)):
        before, view = json.dumps(row), detect(tuple(row))
        for target in view.targets(row, turns="all", side="both"):
            for slot in filter(None, (target.instruction, target.input, target.response, target.thought)):
                paths = [path for part in range(len(slot.paths)) for path in slot.places(part)]
                assert write(row, {path: read_at(row, path) for path in paths}) == {
                    path[0]: row[path[0]] for path in paths
                }
        for side in ("chosen", "both"):
            reviser = hfclean.RuleReviser(only=["upper"], extra=(UPPER,), side=side, turns="all")  # type: ignore[arg-type]
            out = reviser(row)
            assert json.dumps(row) == before
            assert json.dumps(hfclean.restore({**row, **out})) == before


def test_a_step_of_several_is_written_in_its_place() -> None:
    row = {"prompt": "Add.", "completions": ["one  ", "two"], "labels": [True, False]}
    out = EVERY(row)
    assert (out["completions"], "labels" in out) == (["ONE  ", "TWO"], False)
    view = detect(tuple(row))
    assert view.pairs(row)[-1].response == "one  \ntwo"
    talk = {"prompt": [{"role": "user", "content": "Add."}], "completions": ["one"], "labels": [True]}
    assert EVERY(talk)["prompt"] == [{"role": "user", "content": "ADD."}]


RANKED = [
    ({"prompt": "q", "responses": ["a", "b", "c"], "scores": [2, 3, 1]}, "c b", ["c", "a", "b"]),
    ({"prompt": "q", "responses": ["a", "b", "c"], "ranks": [2, 1, 3]}, "c b", ["c", "a", "b"]),
    ({"prompt": "q", "responses": ["a", "b", "c"], "scores": [None, "x", 1]}, "b c", ["b", "a", "c"]),
    ({"question": "q", "answers": [{"answer": "a", "x": 1}, {"answer": "b"}], "rank": [2, 1]}, "a b", ["a", "b"]),
    ({"prompt": "q", "responses": [{"text": "a", "rank": 2}, {"text": "b", "rank": 1}]}, "a b", ["a", "b"]),
    ({"prompt": "q", "responses": [{"text": "a", "score": 2}, {"text": "b", "score": 1}]}, "b a", ["b", "a"]),
    ({"prompt": "q", "responses": ["a", "b"]}, "b a", ["b", "a"]),
    ({"prompt": "q", "responses": ["a"]}, "a a", ["a"]),
]


@pytest.mark.parametrize(("row", "ends", "every"), RANKED)
def test_of_ranked_answers_the_best_is_the_response(row: dict[str, Any], ends: str, every: list[str]) -> None:
    view = detect(tuple(row))
    worst, best = (view.targets(row, side=side)[-1] for side in ("rejected", "chosen"))
    assert f"{worst.pair.response} {best.pair.response}" == ends
    assert [target.pair.response for target in view.targets(row, side="both")] == every
    assert best.instruction is None


def test_ranked_answers_that_are_missing_are_an_empty_response() -> None:
    for cell in (None, [], "text"):
        row = {"prompt": "q", "responses": cell, "scores": None}
        assert detect(tuple(row)).pairs(row) == [Pair("q")]


AMBIGUOUS = [
    (("question", "problem", "answer"), "question_answer"),
    (("messages", "prompt", "completion"), "fit more than one shape"),
    (("prompt", "solution"), "--columns instruction=prompt,response=solution"),
    (("instruction", "completions"), "--columns prompt=instruction,responses=completions"),
    (("user", "assistant"), "--columns instruction=user,response=assistant"),
    (("interactions",), "--columns messages=interactions"),
    (("query", "positive"), "instruction"),
]


@pytest.mark.parametrize(("columns", "words"), AMBIGUOUS)
def test_where_columns_do_not_tell_the_error_proposes_them(columns: tuple[str, ...], words: str) -> None:
    with pytest.raises(SchemaError) as raised:
        detect(columns)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("roles", "row", "pair"),
    [
        ({"prompt": "q", "truth": "t"}, {"q": "Add.", "t": "4"}, Pair("Add.")),
        ({"instruction": "q", "truth": "t"}, {"q": "Add.", "t": "4"}, Pair("Add.")),
        ({"prompt": "q"}, {"q": "Add."}, Pair("Add.")),
        ({"prompt": "q", "steps": "s"}, {"q": "Add.", "s": ["1", "2"]}, Pair("Add.", "", "1\n2")),
        (
            {"prompt": "q", "responses": "s", "scores": "n"},
            {"q": "A", "s": ["1", "2"], "n": [2, 1]},
            Pair("A", "", "1"),
        ),
        (
            {"instruction": "q", "response": "a", "thought": "t"},
            {"q": "Add.", "a": "4", "t": "2 + 2"},
            Pair("Add.", "", "4", thought="2 + 2"),
        ),
    ],
)
def test_roles_name_columns(roles: dict[str, str], row: dict[str, Any], pair: Pair) -> None:
    view = detect(tuple(row), roles)
    assert view.pairs(row)[-1] == pair
    assert view.truth == roles.get("truth")


@pytest.mark.parametrize("how", [str.capitalize, str.upper, str.title])
@pytest.mark.parametrize(("name", "row"), ROWS)
def test_columns_may_have_capitals_and_keep_them(name: str, row: dict[str, Any], how: Any) -> None:
    small = detect(tuple(row))
    row = {how(column): cell for column, cell in row.items()}
    view = detect(tuple(row))
    assert (view.shape, detect(tuple(row), name)) == (name, view)
    assert view.columns == tuple(map(how, small.columns))
    assert (view.truth, view.tools) == (small.truth and how(small.truth), None)
    out = EVERY(row)
    assert {column for column in out if column in row} <= set(view.writable)
    assert hfclean.restore({**row, **out}) == row


def test_of_columns_that_differ_in_capitals_alone_the_one_without_counts() -> None:
    view = detect(("Instruction", "instruction", "OUTPUT", "Input", "Tools"))
    assert view.columns == ("instruction", "Input", "OUTPUT")
    assert view.tools == "Tools"
    with pytest.raises(SchemaError, match="instruction=INSTRUCTION,response=Output"):
        detect(("Instruction", "INSTRUCTION", "Output"))


def test_bare_answers_are_the_truth_whatever_the_capitals() -> None:
    assert answer_columns(("Question", "Answer"), {"Answer": ["4"]}) == {"prompt": "Question", "truth": "Answer"}
    ds = Dataset.from_list([{"Question": "What is 2 + 2?", "Answer": "4"}])
    assert Layout().settled(ds).columns == {"prompt": "Question", "truth": "Answer"}


def test_the_command_line_reads_columns_with_capitals_and_writes_them_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"Instruction": "Name a fruit.", "Output": "An apple.</s>", "Id": 1}\n')
    assert main(["clean", str(file), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    again = tmp_path / "again.jsonl"
    assert main(["undo", str(tmp_path / "out"), "--out", str(tmp_path / "undone")]) == 0
    assert main(["convert", str(tmp_path / "out"), "--to", "messages", "--out", str(again), "--quiet"]) == 0
    row = json.loads(again.read_text())
    assert (row["messages"][1]["content"], row["Id"]) == ("An apple.", 1)
    capsys.readouterr()


def test_the_command_line_speaks_of_its_options_where_no_conversation_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"messages": "[see above]"}\n')
    assert main(["score", str(file), "--quiet"]) == 1
    told = capsys.readouterr().err
    assert told.endswith("If it is plain text, say so: --columns instruction=...,response=messages\n")
    assert "columns={" not in told


def test_personal_data_are_counted_in_rows_that_are_read_as_the_note_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"Question": "Who is jo@hfclean.dev?", "Answer": "4"}\n')
    assert main(["pii", str(file), "--quiet"]) == 0
    told = capsys.readouterr()
    assert "--columns prompt=Question,truth=Answer" in told.err
    assert told.out.startswith("1 of 1 rows contain personal data (1 matches)")


# ------------------------------------------------------------------------------------------------------------- truths


@pytest.mark.parametrize("answer", ["4", 4, "4.5 %", "(B)", "A red fox", r"\frac{1}{2}+\sqrt{x}", "yes"])
def test_a_bare_answer(answer: Any) -> None:
    assert is_bare(answer)


@pytest.mark.parametrize("answer", ["It is four, I think.", "床前明月光", "x" + " 1" * 200, "so it is 4"])
def test_an_answer_with_words(answer: str) -> None:
    assert not is_bare(answer)


def test_bare_answers_are_the_truth_unless_one_is_not() -> None:
    names = ("question", "answer", "id")
    assert answer_columns(names, {"answer": ["4", "", None, "no"]}) == {"prompt": "question", "truth": "answer"}
    assert answer_columns(names, {"answer": ["4", "It is a red fox."]}) is None
    assert answer_columns(names, {"answer": ["", None]}) is None
    assert answer_columns(("question", "solution", "answer"), {"answer": ["4"]}) is None
    assert answer_columns(("prompt", "completion", "answer"), {"answer": ["4"]}) is None


def test_a_solution_that_no_row_has_makes_no_truth_of_the_answer() -> None:
    names = ("problem", "solution", "answer")
    told = ["It is four.", "Five apples are left over."]
    assert answer_columns(names, {"answer": told, "solution": [None, ""]}) == {
        "instruction": "problem",
        "response": "answer",
    }
    assert answer_columns(names, {"answer": ["4"], "solution": [None]}) == {"prompt": "problem", "truth": "answer"}
    assert answer_columns(names, {"answer": told, "solution": [None, "2 + 2 = 4"]}) is None
    rows = [{"problem": "What is 2 + 2?", "solution": None, "answer": "It is four, as everybody knows.</s>"}] * 3
    cleaned = clean(Dataset.from_list(rows), show=False, num_proc=1).dataset
    assert set(cleaned["answer"]) == {"It is four, as everybody knows."}


def test_the_command_line_says_that_a_solution_is_in_no_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"problem": "What is 2 + 2?", "solution": None, "answer": "It is four, as everybody knows.</s>"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert main(["score", str(tmp_path / "rows.jsonl"), "--quiet"]) == 0
    told = capsys.readouterr()
    assert "'answer', so that is the response: --columns instruction=problem,response=answer" in told.err
    assert "chat_markers: 1 row" in told.out


def test_clean_decides_once_for_all_batches() -> None:
    rows = [{"question": f"What is {k} + 1?</s>", "answer": str(k + 1)} for k in range(1200)]
    rows[1100]["answer"] = "It is one thousand one hundred and one.</s>"  # behind the first 1,000 rows
    cleaned = clean(Dataset.from_list(rows), show=False, num_proc=1)
    out = cleaned.dataset
    assert out["answer"] == [row["answer"] for row in rows]
    assert set(out["edit"]) == {"revised"}
    assert all(map(math.isnan, out["rating"]))
    assert {json.loads(line.split("\n")[1])["reasons"][0] for line in out["edit_history"]} == {"no_answer"}
    assert hfclean.restore(out)["question"] == [row["question"] for row in rows]
    assert Layout().settled(Dataset.from_list(rows)).columns == {"prompt": "question", "truth": "answer"}
    assert Layout("question_answer").settled(Dataset.from_list(rows)).columns == "question_answer"


def test_the_command_line_decides_once_and_the_folder_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"question": "What is 2 + 2?</s>", "answer": "4"}\n')
    assert main(["clean", str(file), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert "--columns prompt=question,truth=answer" in capsys.readouterr().err
    record = json.loads((tmp_path / "out" / "hfclean.json").read_text())
    assert read_layout(record).columns == {"prompt": "question", "truth": "answer"}
    assert main(["score", str(file), "--json"]) == 0
    assert main(["undo", str(tmp_path / "out")]) == 0


def test_truths_of_every_spelling_are_read() -> None:
    assert truths_in({"style": "rule", "ground_truth": "4"}) == ("4",)
    assert truths_in('{"ground_truth": "4"}') == ("4",)
    assert truths_in(["4", None, "four"]) == ("4", "four")
    assert truths_in(4) == ("4",)
    assert truths_in(None) == ()
    assert truths_in("[1") == ("[1",)


TRUTHS = [
    {"prompt": "Add.</s>", "reward_model": {"ground_truth": "4</s>  "}},
    {"prompt": "Add.</s>", "reward_model": '{"ground_truth": "4</s>  "}'},
    {
        "messages": [{"role": "user", "content": "Add.</s>"}, {"role": "assistant", "content": "4</s>"}],
        "ground_truth": "4</s>",
    },
    {"question": "Add.</s>", "solution": "Four.</s>", "answer": "4</s>"},
    {"question": "Add.</s>", "ground_truth": "4</s>"},
]


@pytest.mark.parametrize("row", TRUTHS)
def test_no_rule_changes_a_truth(row: dict[str, Any]) -> None:
    out = hfclean.revise(row)
    truth = detect(tuple(row)).truth
    assert truth is not None
    assert out["edit"] == "revised"
    assert truth not in out


def test_final_answers_are_what_stands_in_boxes_and_behind_one_line_of_hashes() -> None:
    assert list(stated_truths("So \\boxed{\\frac{1}{2}}.\n#### 0.5 ")) == ["\\frac{1}{2}", "0.5"]
    assert list(stated_truths("#### One\n#### Two")) == []
    assert list(stated_truths("#### One\nand more")) == []
    assert list(stated_truths("\\boxed{" * 3)) == []


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("It is 4.\n#### 4", "It is 4.\n#### 5", True),
        ("It is 4.\n#### 4", "It is 4.", True),
        ("It  is \\boxed{4}.", "It is \\boxed{4 }.", False),
        ("It  is \\boxed{4}.", "It is \\boxed{5}.", True),
        ("It is 4.\n#### 4</s>", "It is 4.\n#### 4", False),
        ("#### Head\nIt  is.", "#### Heading\nIt is.", False),
    ],
)
def test_the_guard_of_rules_holds_final_answers(old: str, new: str, kept: bool) -> None:
    after = allowed(Pair("Add.", "", old), Pair("Add.", "", new))
    assert after.response == (old if kept else new)


# ------------------------------------------------------------------------------------------------------- prompts alone

PROMPTS = [
    {"prompt": "Name a fruit.</s>"},
    {"prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Name a fruit.</s>"}]},
    {"prompt": json.dumps([{"role": "user", "content": "Name a fruit.</s>"}])},
    {"question": "Name a fruit.</s>", "ground_truth": "apple"},
]


@pytest.mark.parametrize("row", PROMPTS)
def test_a_prompt_alone_is_mended_and_not_scored(row: dict[str, Any]) -> None:
    scores = hfclean.score(row)
    assert scores["defects"] == "chat_markers"
    assert all(math.isnan(scores[name]) for name in ("preference", "rating", "response_words", "lexical_diversity"))
    assert json.loads(scores["edit_history"])["reasons"] == ["no_answer"]
    out = hfclean.revise(row)
    assert out["edit_reason"] == "chat_markers"
    assert "</s>" not in json.dumps({name: out.get(name, row[name]) for name in row})
    assert hfclean.restore({**row, **out}) == row
    assert [finding.check for finding in verify(row)] == []


def test_prompts_that_end_with_an_answer_keep_their_question() -> None:
    turns = [("user", "Name a fruit.</s>"), ("assistant", "An apple.")]
    row = {"prompt": [{"role": role, "content": text} for role, text in turns]}
    assert hfclean.revise(row)["edit"] == "kept"


def test_prompts_alone_are_deduplicated_and_decontaminated() -> None:
    asked = ["Name a fruit.", "Name a river of this country.", "Name a fruit."]
    ds = Dataset.from_list([{"prompt": [{"role": "user", "content": text}]} for text in asked])
    assert list(hfclean.dedupe(ds)) == [0, 1]
    question = "What is the capital of the country in which the longest river of all flows into the sea?"
    ds = Dataset.from_list([{"prompt": question}, {"prompt": "Name a fruit."}])
    assert list(hfclean.decontaminate(ds, BenchmarkPack.make("planted", [{"question": question}]))) == [1]


# --------------------------------------------------------------------------------------------------- bounded and whole


def _deep(depth: int) -> str:
    return '{"ground_truth": ' * depth + "1" + "}" * depth


LARGE: list[dict[str, Any]] = [
    {"question": "word " * 200_000, "answer": "An apple.</s>"},
    {"prompt": "Add.", "reward_model": _deep(10_000)},
    {"messages": _deep(10_000)},
    {"messages": [{"role": ("user", "assistant")[k % 2], "content": f"Turn {k}.</s>"} for k in range(1000)]},
    {
        "messages": [{"role": "user", "content": "Call."}, {"role": "assistant", "content": "Done.</s>"}],
        "tools": json.dumps(
            [{"type": "function", "function": {"name": f"f{k}", "parameters": {}}} for k in range(500)]
        ),
    },
    {"prompt": "Add.", "completions": [f"Step {k}.</s>" for k in range(1000)], "labels": [True] * 1000},
]


@pytest.mark.parametrize("row", LARGE, ids=["long", "deep truth", "deep messages", "turns", "tools", "steps"])
def test_large_and_deep_rows_are_read_and_restored(row: dict[str, Any]) -> None:
    out = hfclean.revise(row)
    assert out["edit_reason"] == ("unreadable" if isinstance(row.get("messages"), str) else out["edit_reason"])
    assert hfclean.restore({**row, **out}) == row
    assert isinstance(hfclean.score(row)["defects"], str)
