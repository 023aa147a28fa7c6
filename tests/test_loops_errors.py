"""LLM2LLM's loop: new rows after wrong seeds and nothing else, beside a control, whatever ends it on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from crash_states import tree_of
from pupils import ASKED, NEEDED, SEEDS, TEST, Sums, pupils, terms_of

import hfclean
from hfclean.errors import FolderError, GenerationWarning, HfcleanError
from hfclean.loops import ErrorRounds, Judged, augment_errors
from hfclean.models import BudgetError, Prices, process
from hfclean.testing_models import ScriptedBackend

Row = Mapping[str, Any]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder that counts as a model; no pupil looks into it."""
    place = tmp_path / "base"
    place.mkdir()
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_bytes(b"weights")
    return place


def loop(base: Path, place: Path, teacher: Any = None, seeds: Any = SEEDS, **how: Any) -> ErrorRounds:
    settings: dict[str, Any] = {"correct": "number", "rounds": 4, "show": False, **how}
    return augment_errors(seeds, base, teacher or Sums(), folder=place, store=False, **settings)


def test_rows_are_made_after_wrong_seeds_alone(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, teacher = pupils(monkeypatch), Sums()
    found = loop(base, tmp_path / "loop", teacher, test=TEST)
    assert [line["errors"] for line in found.lines] == [5, 3, 0]  # a ten needs three rows
    assert found.ended == "no_errors"
    assert [len(rows) for rows in trained] == [8, 8 + found.lines[0]["kept"], len(found.rows)]
    made, seeds = found.made.to_list(), {row["id"]: row for row in SEEDS}
    for row in made:
        (parent,) = row["seed_ids"]
        assert row["parent_ids"] == []
        wrong = json.loads((tmp_path / "loop" / f"tested-{row['round']:04d}.json").read_text())["seeds"]
        assert [right for name, right, *_ in wrong if name == parent] == [False]
        assert terms_of(row["prompt"])[0] // 10 == terms_of(seeds[parent]["prompt"])[0] // 10
        assert int(row["completion"]) == sum(terms_of(row["prompt"]))
    shown = {"{}+{}".format(*ASKED.findall(text)[0]) for text in teacher.asked if "\n\nTasks:\n" in text}
    assert shown == {"21+33", "22+44", "35+15", "47+24", "58+39"}
    assert (
        sum('Its answer:\n"""\n54\n"""\nWhat the model answers, which is wrong:\n"""\n7' in t for t in teacher.asked)
        == 1
    )
    assert found.children()["21+33"] == [
        (row["made_id"], row["round"]) for row in made if row["seed_ids"] == ["21+33"]
    ]
    assert found.rows["seed_ids"][:8] == [[row["id"]] for row in SEEDS]
    assert found.rows["round"][:] == [0] * 8 + [row["round"] for row in made]
    assert {name: found.rows[name][:8] for name in ("prompt", "completion")} == {
        name: [row[name] for row in SEEDS] for name in ("prompt", "completion")
    }


def test_the_ledger_adds_up(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pupils(monkeypatch)
    teacher = Sums()
    found = loop(base, tmp_path / "loop", teacher, test=TEST, prices=Prices(1.0, 3.0))
    *lines, total = found.ledger()
    assert total["requests"] == {
        "tasks": sum("\n\nTasks:\n" in text for text in teacher.asked),
        "rows": sum("\n\nTasks:\n" not in text for text in teacher.asked),
    }
    assert total["prompt_tokens"] == sum(map(len, teacher.asked)) == sum(line["prompt_tokens"] for line in lines)
    assert total["cost"] == pytest.approx((total["prompt_tokens"] + 3 * total["completion_tokens"]) / 1e6)
    assert total["kept"] == len(found.made) == sum(line["kept"] for line in lines)
    assert [line["rows"] for line in lines] == [8, 8 + lines[0]["kept"], 8 + total["kept"]]
    assert [line["accuracy"] for line in lines] == [3 / 8, 5 / 8, 1.0]
    assert [line["test_accuracy"] for line in lines] == [1 / 3, 1 / 3, 1.0]
    assert len({line["model"] for line in lines}) == 3
    assert lines[-1]["requests"] == {}
    assert total["accuracy"] == 1.0
    report = found.to_dict()
    assert json.loads(json.dumps(report)) == report
    assert "ended: the student got no seed wrong any more" in str(found)


def test_the_control_makes_as_many_rows_from_random_seeds(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = pupils(monkeypatch)
    found = loop(base, tmp_path / "loop", control=True)
    control = found.control
    assert control is not None
    assert [line["kept"] for line in control.lines] == [line["kept"] for line in found.lines]
    assert len(trained) == 2 * len(found.lines) - 1  # the first students are one
    assert control.lines[0]["model"] == found.lines[0]["model"]
    parents = {name for row in control.made for name in row["seed_ids"]}
    assert not parents <= {"21+33", "22+44", "35+15", "47+24", "58+39"}
    assert parents <= {row["id"] for row in SEEDS}
    assert sum(line["errors"] for line in control.lines) > sum(line["errors"] for line in found.lines)
    assert "control, as many rows from random seeds:" in str(found)


class SumsAgain(Sums):
    """A teacher that repeats the first half of the sums when it is first asked."""

    def task(self, text: str, candidate: int) -> str:
        first, second = ASKED.findall(text)[0]
        same = candidate == 0 and int(first) < 30
        return f"2. What is {first} plus {second}?" if same else super().task(text, candidate)


def test_the_control_asks_more_where_random_seeds_bring_less(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupils(monkeypatch)
    found = loop(base, tmp_path / "loop", SumsAgain(), control=True, rounds=2)
    assert found.control is not None
    first, control = found.lines[0], found.control.lines[0]
    assert (first["kept"], first["dropped"]) == (3, {"not_new": 2})
    assert (first["requests"]["tasks"], control["requests"]["tasks"]) == (5, 10)
    assert control["kept"] == 3


def test_aiming_at_errors_leaves_fewer_of_them_than_the_control(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupils(monkeypatch)
    found = [loop(base, tmp_path / str(seed), control=True, seed=seed, test=TEST) for seed in range(3)]
    aimed = [[line["errors"] for line in each.lines] for each in found]
    random = [[line["errors"] for line in each.control.lines] for each in found if each.control]
    assert all(curve == sorted(curve, reverse=True) and curve[-1] == 0 for curve in aimed)
    assert [len(curve) for curve in random] == [len(curve) for curve in aimed]
    assert sum(curve[-1] for curve in random) / 3 >= 1


@pytest.mark.parametrize(
    ("rounds", "seeds", "ended", "requests"),
    [(1, SEEDS, "rounds", 0), (2, SEEDS, "rounds", 10), (4, SEEDS[:NEEDED], "no_errors", 0)],
)
def test_when_it_ends(
    rounds: int, seeds: Any, ended: str, requests: int, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupils(monkeypatch)
    teacher = Sums()
    found = loop(base, tmp_path / "loop", teacher, seeds, rounds=rounds)
    assert (found.ended, len(teacher.asked)) == (ended, requests)
    students = [place.name for place in (tmp_path / "loop").glob("*-student")]
    assert found.student is not None
    assert students == [found.student.name]  # of the others the weights are gone, of all the checkpoints
    assert not (found.student / "checkpoints").exists()


class Says(Sums):
    """A teacher that says one thing to requests for tasks."""

    def __init__(self, said: str, row: str = "") -> None:
        super().__init__()
        self.said, self.answer = said, row

    def task(self, text: str, candidate: int) -> str:
        return self.said or f"2. What is {' plus '.join(ASKED.findall(text)[0])}?"

    def row(self, a: int, b: int) -> str:
        return self.answer or super().row(a, b)


@pytest.mark.parametrize(
    ("teacher", "dropped"),
    [
        (Says(""), {"not_new": 5}),
        (Says("2. What is 21 plus 33 ?"), {"not_new": 5}),
        (
            Says("2. What is 77 plus 11?", "I'm sorry, but I cannot help with that request."),
            {"not_new": 4, "refusal": 1},
        ),
        (Says("2. What is 49 plus 36?"), {"benchmark": 5}),
    ],
    ids=["copies the seed", "copies another", "refuses", "leaks a test row"],
)
def test_a_teacher_that_brings_nothing_new_ends_it(
    teacher: Says,
    dropped: Mapping[str, int],
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pupils(monkeypatch)
    with pytest.warns(GenerationWarning, match="round 1 brought nothing new"):
        found = loop(base, tmp_path / "loop", teacher, test=TEST)
    assert (found.ended, found.made, len(found.lines)) == ("nothing_new", None, 1)
    assert found.lines[0]["dropped"] == dropped
    if "benchmark" in dropped:
        assert not [text for text in teacher.asked if "\n\nTasks:\n" not in text]  # no answer was paid for


SHAPES: Mapping[str, Callable[[Row], dict[str, Any]]] = {
    "alpaca": lambda row: {"instruction": row["prompt"], "input": "", "output": row["completion"]},
    "problem and answer": lambda row: {"problem": row["prompt"], "answer": row["completion"]},
    "problem, solution and answer": lambda row: {
        "problem": row["prompt"],
        "solution": f"It is {row['completion']}.",
        "answer": row["completion"],
    },
    "prompt and truth": lambda row: {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "ground_truth": row["completion"],
    },
    "messages": lambda row: {
        "messages": [
            {"role": "user", "content": row["prompt"]},
            {"role": "assistant", "content": row["completion"]},
        ]
    },
}


class SumsOf(Sums):
    """A teacher of sums in a shape with two fields."""

    def row(self, a: int, b: int) -> str:
        return json.dumps({"output": f"It is {a + b}.", "answer": str(a + b)})


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_augmented_in_its_own(
    shape: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupils(monkeypatch)
    seeds = [SHAPES[shape](row) for row in SEEDS]
    teacher = SumsOf() if shape == "problem, solution and answer" else Sums()
    found = loop(base, tmp_path / "loop", teacher, seeds, rounds=2, keep_students=True)
    assert found.lines[0]["kept"] == 5, found.lines[0]["dropped"]
    made = found.made[0]
    assert {name: type(made[name]) for name in seeds[0]} == {name: type(cell) for name, cell in seeds[0].items()}
    assert found.rows.select_columns(list(seeds[0])).select(range(8)).to_list() == seeds
    assert len(list((tmp_path / "loop").glob("*-student"))) == 2


def unsure(row: Row, answer: str) -> bool | None:
    return None if row["id"] in ("35+15", "58+39") else answer == row["completion"]


def fails_on_some(row: Row, answer: str) -> bool:
    if row["id"] in ("35+15", "58+39"):
        raise KeyError(row["id"])
    return answer == row["completion"]


@pytest.mark.parametrize("correct", [unsure, fails_on_some])
def test_no_row_is_made_where_it_cannot_be_told(
    correct: Callable[[Row, str], bool | None], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupils(monkeypatch)
    found = loop(base, tmp_path / "loop", correct=correct)
    assert [line["cannot_tell"] for line in found.lines] == [2] * len(found.lines)
    assert {name for row in found.made for name in row["seed_ids"]} == {"21+33", "22+44", "47+24"}
    why = {name: reason for name, right, reason, _ in outcomes(tmp_path / "loop", 1) if right is None}
    expected = "" if correct is unsure else "correct_error KeyError: "
    assert {name: reason.partition("'")[0] for name, reason in why.items()} == {"35+15": expected, "58+39": expected}


def outcomes(place: Path, number: int) -> list[list[Any]]:
    found: list[list[Any]] = json.loads((place / f"tested-{number:04d}.json").read_text())["seeds"]
    return found


def raises(_row: Row, _answer: str) -> bool:
    raise ValueError("no such key")


TEXTS = [{"prompt": f"Name {what}.", "completion": f"I name {what}."} for what in ("a tree", "a bird", "a fish")]
MISUSES: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "no seeds": ({"seeds": []}, "no seeds"),
    "a name": ({"correct": "numbers"}, "expected 'number', 'exact', 'choice', 'verified', or a function"),
    "a judge without a model": ({"correct": "judge"}, r"hfclean.loops.Judged\(hfclean.Judge"),
    "no function": ({"correct": 3}, "expected a name, or a function"),
    "it raises": ({"correct": raises}, "raised on each of 8 answers .ValueError: no such key"),
    "a strange value": ({"correct": lambda *_: "yes"}, "correct= returned 'yes'.*expected True, False, or None"),
    "a test that can tell nothing": ({"seeds": TEXTS}, "own answers of 3 seeds right .0 wrong, 3 cannot be told"),
    "no rounds": ({"rounds": 0}, "rounds=0.: expected at least 1"),
    "nobody who makes rows": ({"teacher": None}, "expected a teacher, a reviser"),
    "a reviser of rules": ({"revise": hfclean.revise}, "another reviser that asks a model"),
    "a test set of seeds": ({"test": SEEDS[:3]}, "all 3 rows are among the seeds"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_told_before_anything_is_trained(
    name: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = pupils(monkeypatch)
    how, said = MISUSES[name]
    settings = {"seeds": SEEDS, "teacher": Sums(), "correct": "number", "store": False, **how}
    with pytest.raises(HfcleanError, match=said):
        augment_errors(settings.pop("seeds"), base, settings.pop("teacher"), folder=tmp_path / "loop", **settings)
    assert trained == []


@pytest.mark.parametrize(
    ("how", "other"),
    [
        ({"correct": "exact"}, "correct"),
        ({"seeds": SEEDS[:7]}, "seeds"),
        ({"per_error": 2}, "per_error"),
        ({"test": [{"prompt": "What is 90 and 9?", "completion": "#### 99"}]}, "test"),
        ({"temperature": 0.5}, r"settings \(temperature\)"),
    ],
)
def test_a_folder_of_another_loop_is_refused(
    how: Mapping[str, Any], other: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupils(monkeypatch)
    loop(base, tmp_path / "loop")
    before = tree_of(tmp_path / "loop")
    with pytest.raises(FolderError, match=f"other {other}"):
        loop(base, tmp_path / "loop", **how)
    assert tree_of(tmp_path / "loop") == before


def test_more_rounds_go_on(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pupils(monkeypatch)
    loop(base, tmp_path / "two", rounds=2)
    whole = loop(base, tmp_path / "whole", rounds=4)
    assert [row["round"] for row in whole.made].count(2) > 0
    more = loop(base, tmp_path / "two", rounds=4)
    assert (more.rows.to_list(), more.ledger()) == (whole.rows.to_list(), whole.ledger())


@pytest.mark.parametrize("seeds", [SEEDS[4:5], [SEEDS[4]] * 4], ids=["one", "all alike"])
def test_seeds_that_are_one(seeds: Any, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pupils(monkeypatch)
    seeds = [{"prompt": row["prompt"], "completion": row["completion"]} for row in seeds]
    with pytest.warns(GenerationWarning, match="all rows will be like it"):
        found = loop(base, tmp_path / "loop", seeds=seeds)
    assert found.ended == "no_errors"


def test_a_budget_below_one_request_stops_it_and_a_larger_one_goes_on(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = pupils(monkeypatch)
    with pytest.raises(BudgetError):
        loop(base, tmp_path / "loop", prices=Prices(1.0, 1.0), max_cost=1e-9)
    process.close()
    found = loop(base, tmp_path / "loop", prices=Prices(1.0, 1.0), max_cost=5)
    assert len(trained) == len(found.lines) == 3


def test_a_judge_is_asked_about_every_answer_and_counted(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupils(monkeypatch)
    bad, good = (json.dumps({"reason": "", "score": score}) for score in (1, 5))
    grader = ScriptedBackend(lambda talk: bad if "7" in talk[-1].content.splitlines() else good)
    judge = hfclean.Judge(grader, store=False, prices=Prices(1.0, 1.0))
    found = loop(base, tmp_path / "loop", correct=Judged(judge), test=TEST, prices=Prices(0, 0))
    assert [line["requests"]["judged"] for line in found.lines] == [11] * 3 == [len(grader.asked) // 3] * 3
    assert [line["errors"] for line in found.lines] == [5, 3, 0]
    assert all(line["cost"] > 0 for line in found.lines)


# ------------------------------------------------------------------------------------------------------------ revising


def revised(conversation: Any) -> str:
    """Revises sums of the twenties into sums of the tens, which pupils know, and leaves the others."""
    text = conversation[-1].content
    a, b = terms_of(text.partition("What is ")[2])
    return f"[Response]\n{a + b}, that is.\n[End]" if a // 10 == 2 else f"[Response]\n{a + b}\n[End]"


def test_wrong_rows_are_revised_first_and_the_rest_go_to_the_teacher(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupils(monkeypatch)
    model = ScriptedBackend(revised)
    reviser = hfclean.Reviser(model, revise="response", store=False)
    teacher = Sums()
    found = loop(base, tmp_path / "loop", teacher, revise=reviser)
    first = found.lines[0]
    assert (first["errors"], first["asked_to_revise"], first["revised"], first["kept"]) == (5, 5, 2, 3)
    assert first["requests"] == {"tasks": 3, "rows": 3, "revised": 5}
    rows = {row["seed_ids"][0]: row for row in found.rows if row["round"] == 0}
    assert rows["21+33"]["completion"] == "54, that is."
    assert (rows["21+33"]["edit"], rows["21+33"]["edit_reason"]) == ("revised", "reviser")
    assert (rows["35+15"]["edit"], rows["35+15"]["completion"]) == ("kept", "50")
    assert {name for row in found.made if row["round"] == 1 for name in row["seed_ids"]} == {"35+15", "47+24", "58+39"}
    asked_again = [line["asked_to_revise"] for line in found.lines[1:]]
    assert asked_again == [3 if line["errors"] else 0 for line in found.lines[1:]]  # what was revised is not asked for
    before = hfclean.restore(found.rows)
    assert before["completion"][:8] == [row["completion"] for row in SEEDS]


def test_revising_alone_needs_no_teacher(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pupils(monkeypatch)
    reviser = hfclean.Reviser(ScriptedBackend(revised), revise="response", store=False)
    with pytest.warns(GenerationWarning, match="round 2 brought nothing new"):
        found = augment_errors(SEEDS, base, None, correct="number", folder=tmp_path / "l", revise=reviser, show=False)
    assert [line["revised"] for line in found.lines] == [2, 0]
    assert (found.ended, found.made, len(found.rows)) == ("nothing_new", None, 8)
    assert sorted(place.name for place in (tmp_path / "l").glob("*.json")) == [
        "loop.json",
        *(f"{name}-000{number}.json" for name in ("revised", "tested") for number in (1, 2)),
    ]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(FolderError, match="is not empty"):
        augment_errors(SEEDS, base, None, correct="number", folder=tmp_path / "other", revise=reviser, show=False)
