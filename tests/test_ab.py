"""A/B tests: what is tuned on what, that nothing is tuned twice, and that no difference is an answer."""

from __future__ import annotations

import fcntl
import json
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cards import read_card
from hfclean.cli import main
from hfclean.errors import FolderError, HfcleanError
from hfclean.evaluation import ab_runs
from hfclean.evaluation.ab import ab_test
from hfclean.evaluation.ab_report import AbTest, Arm, Wins
from hfclean.hub import Patience
from hfclean.models import process
from hfclean.scorers.comparing import Counts
from hfclean.testing_models import ScriptedBackend, tiny_model
from hfclean.training import tuning

RAW = [
    {"instruction": f"Say {k}", "input": "", "output": f"number {k} is said" + " again" * (k % 5)} for k in range(24)
]
CLEANED = [{**row, "output": f"{row['output'].capitalize()}."} for row in RAW]
HELD_OUT = [{"instruction": f"Say {k}", "input": "", "output": f"Number {k} is said."} for k in range(20, 40)]


class FakeTuner:
    """Stands in for the tuning: remembers the rows, and has the loss that a test wants."""

    def __init__(self, loss: Callable[[Sequence[Mapping[str, Any]], int], float] = lambda rows, seed: 2.0) -> None:
        self.loss = loss
        self.calls: list[tuple[list[str], int]] = []
        self.kept: dict[str, Any] = {}

    def __call__(self, rows: Any, base_model: Any, folder: Path, *, seed: int, heldout: Any, **kept: Any) -> Any:
        assert kept["resume"] is True
        self.kept = kept
        folder.mkdir(parents=True, exist_ok=True)
        self.calls.append(([row["completion"] for row in rows], seed))
        facts = {"rows": len(rows), "left_out": {}, "heldout_left_out": {}}
        return tuning.Tuned(folder, 7, 1.0, self.loss(rows, seed), 0.1, 100, False, facts)


@pytest.fixture
def tuner(monkeypatch: pytest.MonkeyPatch) -> FakeTuner:
    made = FakeTuner()
    monkeypatch.setattr(tuning, "tune", made)
    return made


# --------------------------------------------------------------------------------------------------- what is tuned on


def test_the_original_whole_the_others_on_as_many_rows(tuner: FakeTuner) -> None:
    found = ab_test({"original": RAW, "cleaned": Dataset.from_list(CLEANED)}, "org/base", HELD_OUT, size=6, seeds=2)
    assert [(arm.name, arm.given, arm.rows) for arm in found.arms] == [
        ("original", 24, 24), ("cleaned", 24, 6), ("random", 24, 6), ("longest", 24, 6),
    ]  # fmt: skip
    rows = {(name, seed): tuner.calls[4 * seed + k][0] for seed in (0, 1) for k, name in enumerate("ocrl")}
    assert rows["o", 0] == rows["o", 1] == [row["output"] for row in RAW]
    assert set(rows["r", 0]) < set(rows["o", 0])
    assert rows["r", 0] != rows["r", 1]
    assert set(rows["c", 0]) < {row["output"] for row in CLEANED}
    # the longest six, in the order of the dataset; of equals the earlier
    longest = sorted(range(24), key=lambda k: (-len(RAW[k]["output"]), k))[:6]
    assert rows["l", 0] == rows["l", 1] == [RAW[k]["output"] for k in sorted(longest)]
    assert (found.eval_rows, found.dropped, found.tuned) == (16, {"in_training": 4}, 8)
    assert "cleaned has 24 rows, of which 6 random ones were taken for each seed" in found.notes


def test_a_smaller_variant_sets_the_size_and_whole_ones_leave_no_baseline(tuner: FakeTuner) -> None:
    few = ab_test({"original": RAW, "kept": CLEANED[:5]}, "org/base", HELD_OUT, seeds=1)
    assert [(arm.name, arm.rows) for arm in few.arms] == [
        ("original", 24), ("kept", 5), ("random", 5), ("longest", 5),
    ]  # fmt: skip
    assert any("one seed" in note for note in few.notes)
    assert few.verdict("kept", "random") == "not known"
    same = ab_test({"original": RAW, "cleaned": CLEANED}, "org/base", HELD_OUT, seeds=2)
    assert [arm.name for arm in same.arms] == ["original", "cleaned"]
    assert "no random or longest rows: 24 of 24 would be original itself" in same.notes
    own = ab_test({"original": RAW, "random": CLEANED}, "org/base", HELD_OUT, size=4, seeds=1, baselines=["random"])
    assert [arm.name for arm in own.arms] == ["original", "random"]


@pytest.mark.parametrize(
    ("variants", "how", "message"),
    [
        ({}, {}, "got no variants"),
        ([RAW], {}, "got no variants"),
        ({"a": RAW, "b": CLEANED[:3]}, {"size": 4}, "size=4: variant 'b' has 3 rows"),
        ({"a": RAW, "b": CLEANED}, {"size": 0}, "size=0"),
        ({"a": RAW}, {}, "only 'a' is left to tune on"),
        ({"a": RAW, "b": [{"instruction": "x", "output": " "}]}, {}, "'b' has no row with a response"),
        ({"a": RAW, "b": []}, {}, "'b' has no row with a response"),
        ({"a": RAW, "b": CLEANED}, {"seeds": 0}, "seeds=0"),
        ({"a": RAW, "b": CLEANED}, {"baselines": ["best"]}, "no baseline 'best'"),
        ({"a": RAW, "b": CLEANED, "c": HELD_OUT}, {}, r"no held-out row is left .* \(20 in_training\)"),
    ],
)
def test_what_says_nothing_is_refused(tuner: FakeTuner, variants: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(HfcleanError, match=message):
        ab_test(variants, "org/base", HELD_OUT, **how)
    assert tuner.calls == []


def test_held_out_rows_that_are_known_or_empty_are_dropped(tuner: FakeTuner) -> None:
    held = [*HELD_OUT, {"instruction": "  SAY   3 ", "output": "three"}, {"instruction": "New", "output": ""}]
    found = ab_test({"a": RAW, "b": CLEANED}, "org/base", held, seeds=1)
    assert (found.eval_rows, found.dropped) == (16, {"in_training": 5, "no_response": 1})
    with pytest.raises(HfcleanError, match="there were none"):
        ab_test({"a": RAW, "b": CLEANED}, "org/base", [], seeds=1)


# ------------------------------------------------------------------------------------------------- what it says


def losses(name: str, *values: float, wins: Wins | None = None) -> Arm:
    return Arm(name, 10, 10, (7,) * len(values), values, wins)


def made(*arms: Arm) -> AbTest:
    return AbTest("base", tuple(range(len(arms[0].losses))), 10, 20, 0, {}, arms)


def test_differences_are_paired_by_seed() -> None:
    # seeds differ more than variants do: unpaired, nothing could be said
    clear = made(
        losses("original", 2.0, 3.0, 4.0), losses("cleaned", 1.9, 2.91, 3.89), losses("random", 2.3, 2.6, 4.4)
    )
    assert clear.verdict("cleaned", "original") == "better"
    assert clear.verdict("original", "cleaned") == "worse"
    assert clear.verdict("cleaned", "random") == "no difference"
    assert clear.difference("cleaned", "original").value == pytest.approx(-0.1)
    text = str(clear)
    assert "cleaned is better than original: held-out loss -0.1000" in text
    assert "cleaned makes no difference to random" in text
    assert "original" not in clear.sentences()[-1].split()[0]
    json.dumps(clear.to_dict(), allow_nan=False)
    with pytest.raises(HfcleanError, match="no variant 'best'"):
        clear.of("best")


def test_a_run_without_a_number_is_not_counted_as_one() -> None:
    broken = made(losses("original", 2.0, 3.0), losses("cleaned", math.nan, 2.9))
    assert broken.verdict("cleaned", "original") == "not known"
    assert broken.to_dict()["arms"][1]["losses"] == [None, 2.9]
    assert broken.of("cleaned").loss.count == 1


def test_judged_wins_need_more_than_a_lucky_few() -> None:
    few = Wins(Counts(4, 0, 0), (1.0, 1.0), (0.0, 0.0), {"no_answer": 2})
    many = Wins(Counts(40, 0, 5), (0.9, 0.87), (0.1, 0.0), {})
    none = Wins(Counts(0, 0, 0), (math.nan, math.nan), (math.nan, math.nan), {"timeout": 4})
    arms = [losses(name, 1, 1, wins=wins) for name, wins in (("b", few), ("c", many), ("d", none))]
    found = made(losses("a", 1, 1), *arms)
    b, c, d = (sentence for sentence in found.sentences() if "judged" in sentence)
    assert "judged: no difference; 4 wins" in b
    assert "(no verdict: 2 no_answer)" in b
    assert "judged: better; 40 wins" in c
    assert "nothing was compared" in d
    assert found.table()[0][-1] == "wins (WR1, %)"


# -------------------------------------------------------------------------------------------------- resumed


def test_nothing_is_tuned_twice_unless_something_changed(tuner: FakeTuner, tmp_path: Path) -> None:
    variants = {"original": RAW, "cleaned": CLEANED}

    def run(**how: Any) -> int:
        before = len(tuner.calls)
        settings = {"seeds": 2, "folder": tmp_path / "ab", "args": {"max_steps": 3}, **how}
        found = ab_test(variants, "org/base", HELD_OUT, **settings)
        assert found.tuned == len(tuner.calls) - before
        return found.tuned

    assert run() == 4
    assert run() == 0
    assert run(seeds=3) == 2
    assert run(args={"max_steps": 4}) == 4
    assert run(args={"max_steps": 3, "output_dir": "elsewhere"}) == 0
    assert run(peft_config={"r": 2}) == 4
    assert run(size=23) == 2 + 4  # cleaned is another one now, and there are baselines; the original is the same
    one = next((tmp_path / "ab").glob("original-0-*/run.json"))
    one.write_text("{")
    with pytest.raises(FolderError, match=r"run.json cannot be read .* delete the folder original-0-"):
        [run() for _ in range(2)]


def test_without_a_folder_nothing_stays(tuner: FakeTuner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ab_test({"a": RAW, "b": CLEANED}, "org/base", HELD_OUT, seeds=1)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be written"):
        ab_test({"a": RAW, "b": CLEANED}, "org/base", HELD_OUT, seeds=1, folder=tmp_path / "file")


def _slowly(place: Path, entered: Any, go: Any) -> None:
    def tune(rows: Any, base: Any, folder: Path, **how: Any) -> Any:
        entered.set()
        go.wait(30)
        return FakeTuner()(rows, base, folder, **how)

    tuning.tune = tune  # type: ignore[assignment]
    recipe = ab_runs.Recipe("org/base", None, None, [{"prompt": "a", "completion": "b"}])
    run = ab_runs.tuned_run(place, "a", [{"prompt": "a", "completion": "b"}], recipe, 0)
    (place / f"{os.getpid()}.{run.fresh}").touch()


def _is_locked(place: Path) -> bool:
    (lock,) = place.glob("*/.lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_run_is_tuned_by_one_process_at_a_time_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")

    def started() -> tuple[Any, Any]:
        entered, go = fork.Event(), fork.Event()  # of its own: the state of an event dies with a killed process
        one = fork.Process(target=_slowly, args=(tmp_path, entered, go))
        one.start()
        return one, (entered, go)

    dead, (entered, _) = started()
    assert entered.wait(30)
    assert _is_locked(tmp_path)
    os.kill(dead.pid, signal.SIGKILL)
    dead.join()
    assert not _is_locked(tmp_path)
    assert list(tmp_path.glob("*/run.json")) == []
    first, (entered, go) = started()
    assert entered.wait(30)
    assert _is_locked(tmp_path)
    second, _ = started()  # waits, and finds it finished
    go.set()
    for one in (first, second):
        one.join(30)
        assert one.exitcode == 0
    assert sorted(file.suffix for file in tmp_path.glob("*.*") if file.is_file()) == [".False", ".True"]


# ------------------------------------------------------------------------------------------------- with a real model


def test_real_models_are_tuned_judged_and_shown_on_the_card(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loops_of_datasets: None
) -> None:
    needs("train", "trl")
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    base = tiny_model(tmp_path / "base", spread=0.02)
    judge = hfclean.Judge(ScriptedBackend(lambda conversation: '{"better": "1"}'))
    how: dict[str, Any] = {
        "seeds": 2,
        "size": 12,
        "baselines": [],
        "args": {"max_steps": 8, "per_device_train_batch_size": 4, "learning_rate": 1e-2},
        "folder": tmp_path / "ab",
        "judge": judge,
        "judged_rows": 2,
        "max_new_tokens": 4,
    }
    variants = {"original": RAW[:12], "cleaned": CLEANED}
    found = ab_test(variants, str(base), HELD_OUT, **how)
    assert found.tuned == 4
    again = ab_test(variants, str(base), HELD_OUT, **how)
    assert again.tuned == 0
    assert again.arms == found.arms
    process.close()
    assert found.base_model == "base"
    # held-out rows are written as cleaned ones are: a model tuned on those expects them more
    assert found.of("cleaned").loss.value < found.of("original").loss.value
    wins = found.of("cleaned").wins
    assert wins is not None
    assert wins.counts.total + sum(wins.unscored.values()) == 4
    assert wins.counts.ties == wins.counts.total  # the judge takes whatever stands first
    assert not list((tmp_path / "ab").glob("*/model/checkpoints"))

    ds = Dataset.from_list(RAW).map(hfclean.revise)
    patience = Patience(sleep=lambda seconds: None)
    hfclean.push_dataset(ds, "me/said", ab_test=found, patience=patience)
    _, body = read_card(fake_hub.repo("me/said", "dataset").text("README.md"))
    assert "### What a small model makes of it" in body
    assert "| variant | rows | steps | held-out loss | less original | wins (WR1, %) |" in body
    assert "- cleaned against original, judged: no difference" in body.replace("\\", "")
    hfclean.push_dataset(ds, "me/said", patience=patience)
    assert "What a small model" not in fake_hub.repo("me/said", "dataset").text("README.md")


# ------------------------------------------------------------------------------------------------- command line


def test_on_the_command_line(tuner: FakeTuner, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, rows in (("raw", RAW), ("cleaned", CLEANED), ("held", HELD_OUT)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["ab", "--variant", "raw=raw.jsonl", "--variant", "cleaned=cleaned.jsonl", "--base", "org/base"]
    command += ["--eval", "held.jsonl", "--size", "4", "--quiet"]
    assert main([*command, "--epochs", "2", "--train-option", "lora_rank=4", "--out", "ab"]) == 0
    assert "cleaned makes no difference to raw" in capsys.readouterr().out
    assert tuner.kept["args"] == {"num_train_epochs": 2.0, "disable_tqdm": True}
    assert tuner.kept["peft_config"] == {"r": 4}
    assert len(list(Path("ab").glob("*/run.json"))) == 12
    assert main([*command, "--seeds", "2", "--json"]) == 0
    assert [arm["name"] for arm in json.loads(capsys.readouterr().out)["arms"]] == [
        "raw",
        "cleaned",
        "random",
        "longest",
    ]
    assert main([*command, "--variant", "raw=raw.jsonl"]) == 2
    assert main([*command, "--base-url", "http://localhost:1/v1"]) == 2
    assert "--judge M" in capsys.readouterr().err

    def stopped(*given: Any, **how: Any) -> Any:
        raise KeyboardInterrupt

    tuning.tune = stopped
    assert main([*command, "--out", "other"]) == 1
    assert "what was tuned is kept: run the same command again" in capsys.readouterr().err
