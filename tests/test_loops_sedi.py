"""SeDi-Instruct's loop: what a student finds hard is written more, a kill costs nothing, and files tell the seeds."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_dataset
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from loop_teachers import (
    HARD,
    ROUNDS,
    TOPICS,
    Pretended,
    TopicTeacher,
    a_loop,
    seeds,
    topic_of,
    topic_teacher,
)
from teachers import ASKS_TASKS

import hfclean
from hfclean.cards import check_card
from hfclean.errors import FolderError, GenerationWarning, HfcleanError, SchemaError, TrainingError
from hfclean.generation import Rounds, Terms, generator_of
from hfclean.loops import Feedback, Iteration, Pool, Row, Sedi, first_seeds, update_seeds
from hfclean.models import Answer, BudgetError, Conversation, ModelError, Prices, process
from hfclean.scorers import Embed
from hfclean.testing_models import ScriptedBackend, tiny_model
from hfclean.training.signal import normalised, read_signal


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sedi:
    return a_loop(tmp_path_factory.mktemp("made") / "loop", prices=Prices(1, 3), store=False)


def hard_share(found: Sedi) -> float:
    topics = Counter(map(topic_of, found.seeds["prompt"]))
    return topics[HARD] / topics.total()


# ------------------------------------------------------------------------------------------------------------ the loop


def test_the_hard_topic_gets_more_seeds_by_its_gradient_and_not_at_random(tmp_path: Path) -> None:
    grew = {"grad_norm": 0, "random": 0}
    for kind in grew:
        for seed in range(7):
            found = a_loop(tmp_path / f"{kind}-{seed}", signal=kind, seed=seed, store=False)
            assert len(found.rows) > 70
            grew[kind] += hard_share(found) > 1 / len(TOPICS)
    chances = {kind: sum(math.comb(7, k) for k in range(more, 8)) / 2**7 for kind, more in grew.items()}
    assert chances["grad_norm"] < 0.01
    assert chances["random"] > 0.1


def test_the_files_of_a_loop_tell_its_seeds_without_teacher_and_student(made: Sedi) -> None:
    folder = made.generation.folder
    assert folder is not None
    first = [each.id for each in made.pool if not each.made]
    rows = {each: Row(seed["prompt"]) for each, seed in zip(_ids(folder), seeds(), strict=True)}
    pool, steps, donated = Pool.of(list(rows)), [], 0
    for number in range(1, ROUNDS + 1):
        kept = load_dataset("parquet", data_files=str(folder / f"round-{number:04d}" / "kept.parquet"), split="train")
        rows |= {row["made_id"]: Row(row["prompt"], (*row["seed_ids"], *row["parent_ids"])) for row in kept}
        batches = json.loads((folder / f"round-{number:04d}-batches.json").read_text())["batches"]
        lines = read_signal(folder / f"round-{number:04d}-signal.jsonl", known=set(kept["made_id"]))
        assert [list(line.row_ids or ()) for line in lines] == batches
        assert sorted(name for batch in batches for name in batch) == sorted(kept["made_id"])
        before, steps = len(steps), [*steps, *lines]
        values = normalised(steps)[before:]
        iterations = [Iteration(before + k, line.row_ids or (), values[k - 1]) for k, line in enumerate(lines, 1)]
        pool, updates = update_seeds(pool, iterations, rows, Feedback())
        donated += sum(len(update.donated) for update in updates)
    assert [each.id for each in pool.seeds] == [each.id for each in made.pool]
    assert donated == sum(len(each.donated) for each in made.rounds) == 2 * ROUNDS
    assert set(first) <= set(rows)


def _ids(folder: Path) -> list[str]:
    """The ids of the first seeds: those that the first round was shown, in their order."""
    feedback = json.loads((folder / "round-0001-feedback.json").read_text())["pool"]
    ids = [each["id"] for each in feedback["seeds"]]
    return [
        seed.id for seed in hfclean.generation.seeds.read_seeds(seeds()).seeds if seed.id in {*ids, *feedback["gone"]}
    ]


def test_every_row_goes_back_to_first_seeds(made: Sedi) -> None:
    first = {seed.id for seed in hfclean.generation.seeds.read_seeds(seeds()).seeds}
    found = first_seeds(made.rows)
    assert len(found) == len(made.rows)
    assert all(names and set(names) <= first for names in found)
    later = made.rows.filter(lambda row: row["round"] == ROUNDS)
    assert any(later["parent_ids"][:])
    assert {name for names in later["parent_ids"][:] for name in names} <= set(made.rows["made_id"])


def test_each_round_goes_on_from_the_student_before_and_only_the_last_one_stays(tmp_path: Path) -> None:
    student = Pretended()
    found = a_loop(tmp_path / "loop", tuned_by=student, rounds=3, store=False)
    places = [tmp_path / "loop" / f"round-{number:04d}-student" for number in (1, 2, 3)]
    assert [call["folder"] for call in student.calls] == places
    assert [call["base"] for call in student.calls] == ["student", str(places[0]), str(places[1])]
    assert [place.exists() for place in places] == [False, False, True]
    assert found.student == places[2]
    again = a_loop(tmp_path / "loop", tuned_by=student, rounds=4, store=False)
    assert [call["folder"].name for call in student.calls[3:]] == ["round-0004-student"]
    assert again.rounds[:3] == found.rounds
    fewer = a_loop(tmp_path / "loop", tuned_by=student, rounds=2, store=False)
    assert (fewer.student, fewer.rounds) == (None, found.rounds[:2])


class Untidy(TopicTeacher):
    """Answers with what a rule repairs, where the topic is hard."""

    def __call__(self, conversation: Conversation) -> str | Answer:
        answer = super().__call__(conversation)
        assert isinstance(answer, str)
        return answer if ASKS_TASKS in conversation[-1].content else answer.replace(" codes.", "<br> codes.")


def test_a_row_that_a_rule_would_repair_becomes_no_seed_and_is_counted(tmp_path: Path) -> None:
    found = a_loop(tmp_path, ScriptedBackend(Untidy()), rounds=2, store=False)
    refused: Counter[str] = Counter()
    for each in found.rounds:
        refused.update(each.refused)
    assert refused["html_remnants"] >= 2
    assert not any("<br>" in text for text in found.seeds["completion"])
    assert f"{refused.total():,} (" in found.report()
    assert found.ledger()[-1]["donors_refused"] == dict(refused)


def test_a_seed_that_left_is_still_known(tmp_path: Path) -> None:
    teacher = ScriptedBackend(["2. Name a bird that cannot fly.", "A penguin.", "2. Name a red fruit, please!"])
    rounds = Rounds(generator_of(teacher, shown=(1, 0)), tmp_path)
    fruit = {"prompt": "Name a red fruit, please.", "completion": "An apple."}
    rounds.generate_round([fruit], 1, requests=1)
    rounds.generate_round([{"prompt": "Sing of rain at night.", "completion": "La."}], 1, requests=1)
    assert rounds.dropped["reason"][:] == ["not_new"]


# ---------------------------------------------------------------------------------------------------------- the report


@pytest.mark.filterwarnings("ignore:there is one seed")
def test_the_report_tells_what_each_round_took_and_what_another_gate_had_taken(tmp_path: Path) -> None:
    tasks = iter(
        [
            [
                "Name five birds that live by the sea.",
                "Name five birds that live by the river.",
                "Why is the sky blue?",
            ],
            ["Name five birds that live by the lake.", "Who painted the ceiling of that chapel?", "Name a tree."],
        ]
    )

    def teacher(conversation: Conversation) -> Answer:
        text = conversation[-1].content
        said = (
            "\n".join(f"{k}. {task}" for k, task in enumerate(next(tasks), 2)) if ASKS_TASKS in text else "It is so."
        )
        return Answer(said, prompt_tokens=100, completion_tokens=10)

    found = a_loop(
        tmp_path,
        ScriptedBackend(teacher),
        seeds=[{"prompt": "Sing a song of the rain.", "completion": "La."}],
        rounds=2,
        every=2,
        per_round=3,
        batch_size=3,
        shown=(1, 0),
        per_request=3,
        embed=lambda prompts: [[1.0, float(len(prompt))] for prompt in prompts],
        tuned_by=Named(),
        prices=Prices(10_000, 0),
        store=False,
    )
    first, second = found.rounds
    # the birds by the river and the lake are 0.875 like those by the sea: all pass 0.9, one of three passes 0.7
    assert (first.tasks, first.kept, first.requests, first.cost) == (3, 2, 3, 3.0)
    assert found.generation.dropped["reason"][:] == ["not_new", "not_new", "task_too_short"]
    assert (first.requests_stricter, first.cost_stricter) == (3.0, 3.0)
    assert (second.tasks, second.kept, second.steps, first.untrained) == (3, 1, 1, 0)
    text = found.report()
    assert "ended: rounds=2 was asked for" in text
    assert "research-grade" in text
    assert "equal" not in text


class Named:
    """A student whose signal is the number of a step."""

    def __call__(self, *, batches: Sequence[Sequence[int]], row_ids: Sequence[str], signal: Path, **_: Any) -> None:
        lines = [
            {"step": k, "row_ids": [row_ids[place] for place in batch], "loss": 2.0, "grad_norm": float(k)}
            for k, batch in enumerate(batches, 1)
        ]
        signal.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_figures_of_a_round_add_up(made: Sedi) -> None:
    *lines, total = made.ledger()
    assert [line["kept"] for line in lines] == [each.kept for each in made.rounds] == [20] * ROUNDS
    assert total["donated"] == total["left"] == 2 * ROUNDS
    assert total["cost"] == pytest.approx(sum(each.cost for each in made.rounds))
    for each in made.rounds:
        assert each.seeds_after == each.seeds_before + len(each.donated) - len(each.left)
        assert (each.steps, each.untrained) == (10, 0)
        assert 2 <= each.clusters <= 5
        assert each.cost_stricter >= each.cost
        assert each.requests_stricter >= each.requests
        assert each.diverse >= each.shuffled
        assert -1 <= each.signal_length <= 1
        assert each.signal_loss > 0.5  # both grow with the hard rows


def test_the_saved_folder_says_what_is_ours(made: Sedi, tmp_path: Path) -> None:
    report = made.save(tmp_path / "out", terms=Terms("mit", "apache-2.0", "mit"), language="en")
    rows = load_dataset(str(tmp_path / "out"), split="train")
    assert rows["made_id"][:] == made.rows["made_id"][:]
    card = (tmp_path / "out" / "README.md").read_text()
    assert check_card(card) == []
    for words in ("2502.04774", "research-grade", "seeds were chosen by the gradient norm", "when a seed is weak"):
        assert words in card
    assert report.generated is not None
    assert "when a seed is weak" in " ".join(report.generated.choices)
    assert hfclean.restore(rows).to_list() == made.rows.to_list()


@pytest.mark.parametrize("pushed", ["rows", "folder"])
def test_lineage_survives_a_push_a_pull_and_an_undo(
    made: Sedi, pushed: str, fake_hub: FakeHub, tmp_path: Path
) -> None:
    made.save(tmp_path / "out", terms=Terms("mit", "apache-2.0", "mit"), language="en")
    hfclean.push_dataset(tmp_path / "out" if pushed == "folder" else made.rows, "me/loop")
    rows, report = hfclean.load_cleaned("me/loop", split="train")
    assert first_seeds(rows) == first_seeds(made.rows)
    assert report.generated is not None
    rows = hfclean.restore(rows) if pushed == "folder" else rows  # a folder's rows were cleaned
    assert rows.to_list() == made.rows.to_list()


# --------------------------------------------------------------------------------------------------- embeddings, money


def counted_letters(prompts: Sequence[str]) -> list[list[float]]:
    return [[float(prompt.count(letter)) for letter in "aeiou"] for prompt in prompts]


@pytest.mark.parametrize(
    ("embed", "named"), [(None, "word_counts"), (counted_letters, "counted_letters"), ("model", "Embed(")]
)
def test_rows_are_clustered_by_words_a_function_or_a_model(embed: Any, named: str, tmp_path: Path) -> None:
    if embed == "model":
        needs("models", "torch", "transformers")
        embed = Embed(str(tiny_model(tmp_path / "encoder")), text="prompt")
    found = a_loop(tmp_path / "loop", embed=embed, clusters=3, rounds=1, batch_size=8, store=False)
    assert str(found.settings["embed"]).startswith(named)
    (told,) = found.rounds
    assert (told.clusters, told.steps, told.untrained) == (3, 10, 0)  # clusters fewer than the rows of a batch
    assert told.diverse > 0
    assert ("no embedding was given" in found.report()) is (embed is None)


def test_money_ends_the_loop_before_a_round_that_would_not_fit(tmp_path: Path) -> None:
    prices = Prices(1000, 0)

    def teacher(conversation: Conversation) -> Answer:
        answer = TopicTeacher()(conversation)
        assert isinstance(answer, str)
        return Answer(answer, prompt_tokens=1000, completion_tokens=1)  # one a request

    found = a_loop(tmp_path / "loop", ScriptedBackend(teacher), rounds=None, prices=prices, max_cost=60, store=False)
    assert [each.cost for each in found.rounds] == [23.0, 23.0]
    assert found.ended == "46 of max_cost=60 is spent, and the last round took 23"
    with pytest.raises(BudgetError, match=r"max_cost=0\.5 is reached"):
        a_loop(tmp_path / "less", ScriptedBackend(teacher), rounds=1, prices=prices, max_cost=0.5, store=False)


# ----------------------------------------------------------------------------------------------------------- bad input

SEED = {"prompt": "Name a red fruit, please.", "completion": "An apple is a red fruit."}
BAD: Mapping[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no end": ({"rounds": None}, HfcleanError, "Give rounds=, or max_cost= with prices="),
    "no seeds": ({"seeds": []}, SchemaError, "no seeds"),
    "no answers": (
        {"seeds": [{"prompt": "Why?", "ground_truth": "4"}]},
        SchemaError,
        "no answer that a student could",
    ),
    "no signal of this name": ({"signal": "entropy"}, HfcleanError, "expected 'grad_norm', 'loss', 'random'"),
    "no rounds": ({"rounds": 0}, HfcleanError, r"sedi\(rounds=0\): expected a whole number"),
    "no batch": ({"batch_size": 0}, HfcleanError, "0"),
    "no clusters": ({"clusters": 0}, HfcleanError, r"sedi\(clusters=0\)"),
    "no embedding": ({"embed": 7}, HfcleanError, "embed=7: expected None, a model"),
    "no vectors": ({"embed": lambda prompts: [[1.0]]}, HfcleanError, "gave 1 vectors of 1 lengths for 20 prompts"),
    "no settings of a training": ({"train": "fast"}, HfcleanError, r"sedi\(train=str\)"),
    "a teacher that refuses": (
        {"model": ScriptedBackend(lambda _: "I am sorry, but I cannot help with that.")},
        HfcleanError,
        "made no row",
    ),
    "a teacher that copies": (
        {"model": ScriptedBackend(lambda _: f"1. {seeds()[0]['prompt']}"), "rounds": 2},
        HfcleanError,
        "not_new",
    ),
    "a signal with other rows": (
        {"tuned_by": lambda **what: what["signal"].write_text('{"step": 1, "row_ids": ["x"], "loss": 1.0}\n')},
        TrainingError,
        "x",
    ),
    "a signal without rows": (
        {"tuned_by": lambda **what: what["signal"].write_text('{"step": 1, "loss": 1.0}\n')},
        TrainingError,
        "names no rows",
    ),
    "a signal without steps": ({"tuned_by": lambda **what: what["signal"].write_text("")}, TrainingError, "no step"),
    "no signal at all": ({"tuned_by": lambda **_: None}, TrainingError, "signal"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_gives_no_loop_says_why(what: str, tmp_path: Path) -> None:
    settings, error, said = BAD[what]
    with pytest.raises(error, match=said):
        a_loop(tmp_path / "loop", **{"store": False, **settings})


@pytest.mark.parametrize(
    ("given", "said"), [([SEED], "there is one seed"), ([SEED] * 3, "the 3 seeds are one task in other words")]
)
def test_seeds_that_are_one_are_warned_of_and_kept_at_half(
    given: list[dict[str, str]], said: str, tmp_path: Path
) -> None:
    topics = ScriptedBackend(
        lambda c: (
            TopicTeacher()((c[0].__class__("user", f"{ASKS_TASKS}of songs {c[-1].content}"),))
            if ASKS_TASKS in c[-1].content
            else "A song of the sea."
        )
    )
    with pytest.warns(GenerationWarning, match=said):
        found = a_loop(tmp_path, topics, seeds=given, rounds=2, store=False, tuned_by=Named(), embed=None)
    assert len(found.seeds) >= math.ceil(len(given) / 2)


def test_a_student_that_is_not_there_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    teacher = topic_teacher()
    with pytest.raises(ModelError, match=r"no folder '\./gone'"):
        hfclean.sedi(seeds(), teacher, "./gone", folder=tmp_path / "loop", rounds=1, show=False)
    assert (teacher.asked, (tmp_path / "loop").exists()) == ([], False)


def test_a_teacher_that_runs_dry_ends_the_loop_and_not_its_rows(tmp_path: Path) -> None:
    first = TopicTeacher()
    answers: list[str] = []

    def dry(conversation: Conversation) -> str | Answer:
        if ASKS_TASKS not in conversation[-1].content:
            return first(conversation)
        if len(answers) < 3:
            answers.append(str(first(conversation)))
        return answers[len(answers) - 1]

    found = a_loop(tmp_path, ScriptedBackend(dry), rounds=9, store=False)
    assert "kept none" in found.ended
    assert len(found.rounds) < 9
    assert len(found.rows) == sum(each.kept for each in found.rounds) > 0
    assert found.student is not None
    assert found.student.exists()


def test_a_folder_of_other_settings_is_refused(tmp_path: Path) -> None:
    a_loop(tmp_path, rounds=1, store=False)
    with pytest.raises(FolderError, match=r"a loop with other settings \(signal\)"):
        a_loop(tmp_path, rounds=1, signal="loss", store=False)
    with pytest.raises(FolderError, match="other settings"):
        a_loop(tmp_path, rounds=1, novelty=0.7, store=False)
    (tmp_path / "sedi.json").write_text("[")
    with pytest.raises(FolderError, match="cannot be read"):
        a_loop(tmp_path, rounds=1, store=False)


@pytest.mark.parametrize(
    ("file", "text"), [("batches", "[]"), ("batches", "{}"), ("feedback", '{"pool": 3, "updates": []}')]
)
def test_a_file_that_another_hand_changed_is_named(file: str, text: str, tmp_path: Path) -> None:
    a_loop(tmp_path, rounds=1, store=False)
    (tmp_path / f"round-0001-{file}.json").write_text(text)
    with pytest.raises(FolderError, match=f"round-0001-{file}.json is not as hfclean writes it"):
        a_loop(tmp_path, rounds=1, store=False)


def test_a_signal_that_is_gone_is_named(tmp_path: Path) -> None:
    a_loop(tmp_path, rounds=1, store=False)
    (tmp_path / "round-0001-signal.jsonl").unlink()
    with pytest.raises(FolderError, match=r"round-0001-signal.jsonl is gone, and later rounds need it"):
        a_loop(tmp_path, rounds=1, store=False)


def test_seeds_of_another_loop_are_refused(tmp_path: Path) -> None:
    a_loop(tmp_path, rounds=1, store=False)
    with pytest.raises(FolderError, match="was made with other seeds"):
        a_loop(tmp_path, seeds=seeds()[1:], rounds=1, store=False)


def test_seeds_may_be_a_dataset_with_ids(tmp_path: Path) -> None:
    rows = Dataset.from_list([{**seed, "id": f"s{k}"} for k, seed in enumerate(seeds())])
    found = a_loop(tmp_path, seeds=rows, rounds=1, store=False)
    assert {name for names in first_seeds(found.rows) for name in names} <= {f"s{k}" for k in range(10)}
