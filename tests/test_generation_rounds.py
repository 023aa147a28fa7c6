"""Rounds in a folder: what is there is read, a kill costs nothing that was answered, and one ledger counts it all."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from crash_states import tree_of
from forked import forked
from teachers import ASKS_TASKS, SEEDS, Teacher, asked_task, new_tasks, numbered, teacher

import hfclean
from hfclean import durable
from hfclean.errors import FolderError
from hfclean.generation import FILTERS, Generator, Novelty, Rounds, generator_of
from hfclean.generation.making import REASONS
from hfclean.generation.rounds import LINEAGE
from hfclean.models import Answer, BudgetError, Conversation, Generation, Limits, ModelSpec, Prices, process
from hfclean.testing_models import ScriptedBackend

ROUNDS = 3


class Logged:
    """A teacher that writes down what it is asked, and whose process may end at a request before that."""

    def __init__(self, log: Path, end_at: int = -1) -> None:
        self.log, self.end_at, self.numbers, self.teacher = log, end_at, count(), Teacher()

    def __call__(self, conversations: Sequence[Conversation], _: Generation) -> list[Answer]:
        answers = []
        for conversation in conversations:
            if next(self.numbers) == self.end_at:
                os.kill(os.getpid(), signal.SIGKILL)
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(conversation[-1].content) + "\n")
            answer = self.teacher(conversation)
            assert isinstance(answer, str)
            answers.append(Answer(answer, prompt_tokens=len(conversation[-1].content), completion_tokens=len(answer)))
        return answers


def generator(model: Any, place: Path) -> Generator:
    spec = ModelSpec(
        model,
        cache_as="teacher-1",
        store=str(place / "answers.sqlite3"),
        prices=Prices(1.0, 3.0),
        limits=Limits(batch_size=1),
    )
    return generator_of(spec)


def loop(place: Path, end_at: int = -1, end_in: str = "") -> int:
    """A loop with feedback: after each round two of its rows become seeds."""
    rounds = Rounds(generator(Logged(place / "log.jsonl", end_at), place), place / "rounds")
    seeds: list[Mapping[str, Any]] = list(SEEDS)
    for number in range(1, ROUNDS + 1):
        made = rounds.generate_round(seeds, 4)

        def chosen(made: Any = made, number: int = number) -> list[str]:
            names: list[str] = sorted(made.kept["made_id"])[:2]
            if end_in == f"update {number}":
                os.kill(os.getpid(), signal.SIGKILL)
            return names

        names = rounds.once(f"seeds-{number}", chosen)
        seeds = [*seeds, *(row for row in made.kept if row["made_id"] in names)]
    (place / "kept.json").write_text(json.dumps(rounds.kept.to_list()))
    (place / "ledger.json").write_text(json.dumps(rounds.ledger()))
    return 0


def ended_at_write(place: Path, number: int) -> int:
    """The loop, whose process ends when a round is whole and about to be put in its place."""
    real, writes = durable.sync_tree, count(1)

    def sync_tree(folder: Path) -> None:
        real(folder)
        if next(writes) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    durable.sync_tree = sync_tree
    return loop(place)


ENDS: Mapping[str, Callable[[Path], int]] = {
    "at the first request": lambda place: loop(place, end_at=0),
    "at the first row": lambda place: loop(place, end_at=1),
    "amid the rows of round 1": lambda place: loop(place, end_at=3),
    "at the tasks of round 2": lambda place: loop(place, end_at=5),
    "amid the rows of round 3": lambda place: loop(place, end_at=13),
    "amid an update": lambda place: loop(place, end_in="update 2"),
    "before a round is written": lambda place: ended_at_write(place, 2),
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hfclean.generate(list(SEEDS), teacher(), 1, show=False)  # what it loads is there for every process that is forked
    place = tmp_path_factory.mktemp("unbroken")
    ended = forked(lambda: loop(place))
    assert (ended.returncode, ended.stderr) == (0, "")
    return place


@pytest.mark.parametrize("when", ENDS)
def test_a_kill_costs_no_answer_and_changes_no_byte(when: str, unbroken: Path, tmp_path: Path) -> None:
    assert forked(lambda: ENDS[when](tmp_path)).returncode == -signal.SIGKILL
    ended = forked(lambda: loop(tmp_path))
    assert ended.returncode == 0, ended.stderr
    for name in ("kept.json", "ledger.json"):
        assert (tmp_path / name).read_bytes() == (unbroken / name).read_bytes()
    assert tree_of(tmp_path / "rounds") == tree_of(unbroken / "rounds")
    asked = Counter((tmp_path / "log.jsonl").read_text().splitlines())
    assert asked == Counter((unbroken / "log.jsonl").read_text().splitlines())
    assert set(asked.values()) == {1}


def test_the_ledger_counts_what_was_asked(unbroken: Path) -> None:
    asked = [json.loads(line) for line in (unbroken / "log.jsonl").read_text().splitlines()]
    *lines, total = json.loads((unbroken / "ledger.json").read_text())
    assert [line["round"] for line in lines] == [1, 2, 3]
    assert [line["seeds"] for line in lines] == [10, 12, 14]
    assert total["requests"] == {"tasks": ROUNDS, "rows": len(asked) - ROUNDS}
    assert total["prompt_tokens"] == sum(map(len, asked))
    assert total["cost"] == pytest.approx((total["prompt_tokens"] + 3 * total["completion_tokens"]) / 1e6)
    assert total["kept"] == sum(line["kept"] for line in lines) == 4 * ROUNDS
    assert total["dropped"] == {"not_needed": 4 * ROUNDS}


def test_the_same_call_again_asks_nothing_and_more_rows_go_on(tmp_path: Path) -> None:
    first = teacher()
    rows = hfclean.generate(list(SEEDS), first, 25, folder=tmp_path / "r", show=False)
    nobody = ScriptedBackend([])
    again = hfclean.generate(list(SEEDS), nobody, 25, folder=tmp_path / "r", show=False)
    assert again.to_list() == rows.to_list()
    assert hfclean.generate(list(SEEDS), nobody, 7, folder=tmp_path / "r", show=False).to_list() == rows.to_list()[:7]
    more = teacher()
    longer = hfclean.generate(list(SEEDS), more, 30, folder=tmp_path / "r", show=False)
    assert longer.to_list()[:25] == rows.to_list()
    assert sum(ASKS_TASKS in talk[0].content for talk in more.asked) == 1
    assert len(more.asked) == 1 + 5


def test_every_row_leads_to_its_first_seeds() -> None:
    rounds = Rounds(generator_of(teacher()))
    for _ in range(3):
        rounds.generate_round(list(SEEDS), 6)
    rows = {row["made_id"]: row for row in rounds.kept}
    assert len(rows) == 18

    def first_seeds(name: str) -> set[str]:
        return {*rows[name]["seed_ids"]}.union(*(first_seeds(parent) for parent in rows[name]["parent_ids"]))

    last = [name for name, row in rows.items() if row["round"] == 3]
    assert all(len(rows[name]["parent_ids"]) == 2 for name in last)
    assert all(len(first_seeds(name)) >= 6 for name in last)


def test_seeds_in_turn_are_each_shown_alone() -> None:
    model = teacher()
    rounds = Rounds(generator_of(model, shown=(1, 0), per_request=1))
    made = rounds.generate_round(list(SEEDS), len(SEEDS), requests=len(SEEDS), each=True)
    ids = [row["seed_ids"] for row in made.kept]
    assert [len(each) for each in ids] == [1] * len(SEEDS)
    assert len({name for (name,) in ids}) == len(SEEDS)
    shown = [talk[0].content.partition(ASKS_TASKS)[2].split("\n")[0] for talk in model.asked[: len(SEEDS)]]
    assert shown == [f"1. {seed['instruction'].removesuffix(':')}" for seed in SEEDS]


MISUSES: Mapping[str, tuple[Callable[[Path], Any], str]] = {
    "other settings": (
        lambda place: hfclean.generate(list(SEEDS), teacher(), 5, folder=place, seed=7, show=False),
        "rounds that were made with other settings (seed)",
    ),
    "other benchmarks": (
        lambda place: Rounds(generator_of(teacher()), place, against={"b": [{"question": "What is it, and why so?"}]}),
        "other settings (benchmarks, benchmarks_digest)",
    ),
    "other seeds": (
        lambda place: hfclean.generate(list(SEEDS[1:]), teacher(), 5, folder=place, show=False),
        "round-0001 was made with other seeds",
    ),
    "another number": (
        lambda place: Rounds(generator_of(teacher()), place).generate_round(list(SEEDS), 6),
        "round-0001 was made with other n",
    ),
    "a name": (lambda place: Rounds(generator_of(teacher()), place).once("../x", dict), "expected letters, digits"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_a_folder_of_something_else_is_refused(name: str, tmp_path: Path) -> None:
    hfclean.generate(list(SEEDS), teacher(), 5, folder=tmp_path / "r", show=False)
    before = tree_of(tmp_path / "r")
    misuse, expected = MISUSES[name]
    with pytest.raises(hfclean.HfcleanError) as failure:
        misuse(tmp_path / "r")
    assert expected in str(failure.value)
    assert tree_of(tmp_path / "r") == before


def test_a_folder_with_other_files_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for place, expected in ((tmp_path / "mine", "is not empty"), (tmp_path / "mine" / "notes.txt", "is a file")):
        with pytest.raises(FolderError, match=expected):
            Rounds(generator_of(teacher()), place)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "about.json").write_text('{"by": "me"}')
    with pytest.raises(FolderError, match="is not as hfclean writes it"):
        Rounds(generator_of(teacher()), tmp_path / "page")
    assert (tmp_path / "page" / "about.json").read_text() == '{"by": "me"}'


def test_a_folder_without_a_round_takes_other_settings(tmp_path: Path) -> None:
    Rounds(generator_of(teacher(), novelty=0.5), tmp_path / "r")
    rounds = Rounds(generator_of(teacher()), tmp_path / "r")
    rounds.once("loop", lambda: 1)
    with pytest.raises(FolderError, match=r"other settings \(novelty\)"):
        Rounds(generator_of(teacher(), novelty=0.5), tmp_path / "r")


def test_a_server_that_moves_is_the_same_where_its_answers_have_a_name(tmp_path: Path) -> None:
    for port in (8001, 8002):
        Rounds(generator_of("m", base_url=f"http://localhost:{port}/v1", cache_as="ours"), tmp_path / "named")
    Rounds(generator_of("m", base_url="http://localhost:8001/v1"), tmp_path / "unnamed").once("loop", dict)
    with pytest.raises(FolderError, match=r"other settings \(base_url\)"):
        Rounds(generator_of("m", base_url="http://localhost:8002/v1"), tmp_path / "unnamed")


@pytest.mark.parametrize(
    ("file", "held"), [("kept.parquet", b"PAR1"), ("round.json", b"[]"), ("round.json", b'{"inputs": {}}')]
)
def test_a_damaged_round_is_told(file: str, held: bytes, tmp_path: Path) -> None:
    hfclean.generate(list(SEEDS), teacher(), 5, folder=tmp_path / "r", show=False)
    (tmp_path / "r" / "round-0001" / file).write_bytes(held)
    with pytest.raises(FolderError, match="round-0001 is damaged"):
        hfclean.generate(list(SEEDS), teacher(), 5, folder=tmp_path / "r", show=False)


def test_when_money_ends_the_rounds_before_stay_and_the_rest_is_asked_once(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"

    def spec(max_cost: float) -> ModelSpec:
        return ModelSpec(
            Logged(log),
            cache_as="teacher-2",
            store=str(tmp_path / "answers.sqlite3"),
            prices=Prices(1000.0, 1000.0),
            max_cost=max_cost,
            limits=Limits(batch_size=1),
        )

    with pytest.raises(BudgetError, match=r"max_cost=30 is reached"):
        hfclean.generate(list(SEEDS), spec(30), 40, folder=tmp_path / "r", show=False)
    paid = len(log.read_text().splitlines())
    assert 20 < paid < 43
    assert (tmp_path / "r" / "round-0001").is_dir()
    process.close()
    rows = hfclean.generate(list(SEEDS), spec(5000), 40, folder=tmp_path / "r", show=False)
    process.close()
    assert len(rows) == 40
    assert set(Counter(log.read_text().splitlines()).values()) == {1}


def test_what_a_naive_loop_keeps_is_kept() -> None:
    """The gate of Self-Instruct's script, over tasks that come one by one."""
    from hfclean.generation.repeats import Known
    from hfclean.selection.novelty import ROUGE_SCORE

    def common(first: list[str], second: list[str]) -> int:
        lengths = [0] * (len(second) + 1)
        for word in first:
            before = 0
            for k, other in enumerate(second, 1):
                before, lengths[k] = lengths[k], before + 1 if word == other else max(lengths[k], lengths[k - 1])
        return lengths[-1]

    texts = [f"{a} the {b} of {c} in a {d}" for a in "ab" for b in ("x", "y-z", "don't") for c in "cde" for d in "fg"]
    kept: list[list[str]] = []
    expected = []
    for text in texts:
        split = ROUGE_SCORE.findall(text.lower())
        best = max((2 * common(split, each) / (len(split) + len(each)) for each in kept), default=0.0)
        expected.append((best, best > 0.75))
        if best <= 0.75:
            kept.append(split)
    known = Known(Novelty(0.75, "above", "rouge_score"))
    found = []
    for text in texts:
        nearest = known.nearest(text)
        found.append((nearest.rouge_l, nearest.repeats))
        if not nearest.repeats:
            known.add(text, text)
    assert found == expected
    assert 0 < len(kept) < len(texts)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("novelty", "kept"),
    [
        (Novelty(0.7, "above", "rouge_score"), 1200),
        (Novelty(0.7, "from", "rouge_score"), 1198),
        (Novelty(0.7), 1197),
    ],
)
def test_seeds_and_alpaca_as_self_instruct_counts_them(
    novelty: Novelty, kept: int, realdata: Callable[[str], Path]
) -> None:
    from hfclean.generation.repeats import Known

    known = Known(novelty)
    for line in realdata("seed_tasks_175.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        known.add(row["id"], row["instruction"])
    new = 0
    for line in realdata("alpaca_6k.jsonl").read_text(encoding="utf-8").splitlines()[:1200]:
        task = json.loads(line)["instruction"]
        if not known.nearest(task).repeats:
            new += 1
            known.add(task, task)
    assert new == kept


def test_lineage_is_what_the_docs_say(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "generating.md").read_text(encoding="utf-8")
    assert [name for name in LINEAGE if f"`{name}`" not in page] == []
    meanings = {**REASONS, **{each.id: each.meaning for each in FILTERS}}
    assert [name for name, meaning in meanings.items() if f"| `{name}` | {meaning} |" not in page] == []
    assert asked_task('Task:\n"""\na\n"""') == "a"
    assert numbered(new_tasks("x", 1)).startswith("9. ")
