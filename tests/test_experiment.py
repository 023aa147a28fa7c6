"""Runs on disk, the experiment behind InstructMining's rule, and the search for a size."""

from __future__ import annotations

import gc
import json
import math
import random
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

import hfclean
from hfclean.errors import ColumnError, FolderError, HfcleanError
from hfclean.layout import Layout
from hfclean.mining.examples import overlapping, prompt_rows
from hfclean.mining.runs import Runs
from hfclean.mining.sampling import sample_subset
from hfclean.mining.search import SizePoint, SizeSearch, _moves

# ---------------------------------------------------------------------------------------------------------------- runs

WORKER = """
import os, signal, sys
from hfclean.mining.runs import Runs
folder, log, last = sys.argv[1:]
def run(key):
    if key == last:
        os.kill(os.getpid(), signal.SIGKILL)
    with open(log, "a") as file:
        file.write(key + "\\n")
    return {"value": int(key) ** 2, "loss": float("nan")}
done = Runs(folder, {"kind": "test"}).work([str(k) for k in range(30)], run)
print(sum(row["value"] for row in done.values()))
"""


def worker(folder: Path, log: Path, last: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(log), last], stdout=subprocess.PIPE, text=True
    )


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    log = tmp_path / "log"
    killed = worker(tmp_path / "runs", log, last="7")
    assert killed.communicate()[0] == ""
    assert killed.returncode == -signal.SIGKILL
    # what a kill in the middle of a write leaves behind
    with (tmp_path / "runs" / "runs.jsonl").open("a") as file:
        file.write('{"key": "7", "val')
    again = worker(tmp_path / "runs", log)
    assert again.communicate()[0] == f"{sum(k * k for k in range(30))}\n"
    assert log.read_text().split() == [str(k) for k in range(30)]


def test_two_writers_share_the_runs_and_do_none_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [worker(tmp_path / "runs", log), worker(tmp_path / "runs", log)]
    assert [each.communicate()[0] for each in both] == [f"{sum(k * k for k in range(30))}\n"] * 2
    assert sorted(log.read_text().split(), key=int) == [str(k) for k in range(30)]
    lines = (tmp_path / "runs" / "runs.jsonl").read_text().splitlines()
    assert sorted(int(json.loads(line)["key"]) for line in lines) == list(range(30))


def test_runs_of_something_else_are_refused(tmp_path: Path) -> None:
    Runs(tmp_path, {"seed": 1, "kind": "a"})
    Runs(tmp_path, {"seed": 1, "kind": "a"})
    with pytest.raises(FolderError, match="holds runs of something else: seed differs"):
        Runs(tmp_path, {"seed": 2, "kind": "a"})
    (tmp_path / "about.json").write_text("{")
    with pytest.raises(FolderError, match="is damaged"):
        Runs(tmp_path, {"seed": 1})
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be written"):
        Runs(tmp_path / "file" / "folder", {})


# ------------------------------------------------------------------------------------------------------------ sampling


def test_tilted_samples_differ_in_every_indicator_and_uniform_ones_hardly() -> None:
    chance = np.random.default_rng(0)
    values = {"a": chance.normal(size=2000).tolist(), "b": (5 + 0.1 * chance.normal(size=2000)).tolist()}

    def spread(tilt: float) -> list[float]:
        picks = [sample_subset(values, 200, seed=1, run=run, tilt=tilt) for run in range(30)]
        assert all(len(set(pick)) == 200 and pick == sorted(pick) for pick in picks)
        return [float(np.std([np.mean(np.array(values[name])[pick]) for pick in picks])) for name in values]

    assert all(far > 4 * near for far, near in zip(spread(1.0), spread(0.0), strict=True))
    assert sample_subset(values, 9, seed=1, run=2) == sample_subset(values, 9, seed=1, run=2)
    assert sample_subset(values, 9, seed=1, run=2) != sample_subset(values, 9, seed=1, run=3)
    holes = {"a": [math.nan, 1.0, math.inf, 2.0], "b": [1.0] * 4}
    assert sample_subset(holes, 4, seed=0, run=0) == [0, 1, 2, 3]


def test_groups_are_mixed_in_shares_by_chance() -> None:
    groups = ["a"] * 900 + ["b"] * 100
    values = {"x": [0.0] * 1000}
    shares = [sum(k < 900 for k in sample_subset(values, 50, seed=0, run=run, groups=groups)) for run in range(40)]
    assert min(shares) < 15
    assert max(shares) > 35


# ---------------------------------------------------------------------------------------------------------- experiment


def pool(count: int = 400) -> Dataset:
    chance = random.Random(0)
    return Dataset.from_dict(
        {
            "instruction": [f"question {k}" for k in range(count)],
            "output": [f"answer {k}" for k in range(count)],
            "reward": [chance.gauss(0, 1) for _ in range(count)],
            "natural": [chance.random() for _ in range(count)],
        }
    )


POOL = pool()
REWARD, NATURAL = POOL["reward"][:], POOL["natural"][:]
EVAL = [{"prompt": "something else", "completion": "yes"}]


def simulated(rows: Any, seed: int) -> float:
    """A tuning that takes no time: the loss that known weights and some noise give."""
    picks = [int(prompt.split()[-1]) for prompt in rows["prompt"]]
    reward, natural = (sum(column[k] for k in picks) / len(picks) for column in (REWARD, NATURAL))
    return math.exp(0.2 - 0.3 * reward - 0.6 * natural + random.Random(seed).gauss(0, 0.01))


@pytest.mark.needs_extra("mining", "statsmodels")
def test_the_experiment_finds_the_weights_that_made_its_losses(tmp_path: Path) -> None:
    how: dict[str, Any] = {"indicators": ["reward", "natural"], "folder": tmp_path, "size": 40, "measure": simulated}
    done = hfclean.mining.experiment(POOL, "base", EVAL, runs=40, **how)
    rule = done.fit()
    fit = rule.fitted
    assert fit is not None
    for term, truth in zip(fit.terms, (0.2, -0.3, -0.6), strict=True):
        assert abs(term.coefficient - truth) < 4 * term.standard_error < 0.12
    assert dict(rule.fitted_on)["base model"] == "base"
    first = done.runs[0]
    assert first["log_loss"] == math.log(first["loss"])
    assert (first["run"], first["seed"], first["size"], first["reward_missing"], first["reason"]) == (0, 0, 40, 0, "")
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert len(lines) == 40
    assert (
        hfclean.scorers.LinearRule.fit(tmp_path / "runs.jsonl", predictors=["reward", "natural"]).coefficients
        == rule.coefficients
    )

    def never(rows: Any, seed: int) -> float:
        raise AssertionError("done before")

    never.__qualname__ = simulated.__qualname__
    again = hfclean.mining.experiment(POOL, "base", EVAL, runs=40, **{**how, "measure": never})
    assert again == done


def test_a_loss_that_is_none_is_a_row_with_a_reason_and_missing_indicators_are_counted(tmp_path: Path) -> None:
    ds = POOL.remove_columns("natural").add_column("natural", [None if k % 2 else v for k, v in enumerate(NATURAL)])

    def sometimes(rows: Any, seed: int) -> dict[str, Any]:
        return {"loss": [math.nan, math.inf, 0.0, 1.5][seed % 4], "steps": 7, "note": "text"}

    done = hfclean.mining.experiment(
        ds, "base", EVAL, indicators=["natural"], folder=tmp_path, runs=4, size=[20, 30], measure=sometimes
    )
    assert [run["reason"] for run in done.runs] == ["not_finite"] * 3 + [""]
    assert [math.isnan(run["log_loss"]) for run in done.runs] == [True, True, True, False]
    assert done.without_loss == 3
    assert [run["size"] for run in done.runs] == [20, 30, 20, 30]
    assert all(0 < run["natural_missing"] < run["size"] and run["steps"] == 7 for run in done.runs)
    with pytest.raises(hfclean.HfcleanError, match=r"1 observations \(3 more have a number that is missing\)"):
        done.fit()


def test_what_the_evaluation_set_has_is_not_trained_on(tmp_path: Path) -> None:
    seen: list[str] = []

    def noted(rows: Any, seed: int) -> float:
        seen.extend(rows["prompt"])
        return 1.0 + seed

    both = [{"prompt": "Question 3!", "completion": "x"}, {"instruction": "QUESTION 5", "input": "", "output": "y"}]
    how: dict[str, Any] = {"indicators": ["reward"], "folder": tmp_path, "runs": 1, "measure": noted}
    done = hfclean.mining.experiment(POOL, "base", both, size=398, **how)
    assert done.overlap == 2
    assert len(seen) == 398
    assert not {"question 3", "question 5"} & set(seen)
    with pytest.raises(HfcleanError, match=r"2 rows of the pool have a prompt that is in eval_set .* row 3"):
        hfclean.mining.experiment(POOL, "base", both, size=9, overlap="refuse", **how)
    with pytest.raises(ColumnError, match="the pool has 398 rows"):
        hfclean.mining.experiment(POOL, "base", both, size=400, **how)
    with pytest.raises(HfcleanError, match="all 400 rows of the pool are in eval_set"):
        hfclean.mining.experiment(POOL, "base", POOL, size=4, **how)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"indicators": []}, ColumnError, "expected one or more"),
        ({"indicators": ["loss"]}, ColumnError, "none of them called key"),
        ({"indicators": ["nowhere"]}, ColumnError, "no column 'nowhere'"),
        ({"runs": 0}, HfcleanError, "runs=0"),
        ({"size": 0}, HfcleanError, "size=0"),
        ({"size": 10**6}, ColumnError, "the pool has"),
        ({"size": 1.5}, HfcleanError, "size=1.5"),
        ({"tilt": math.nan}, HfcleanError, "tilt=nan"),
        ({"size": []}, ColumnError, "expected 1 to that many"),
        ({"group": "nowhere"}, ColumnError, "group='nowhere'"),
        ({"overlap": "keep"}, HfcleanError, "expected 'drop' or 'refuse'"),
        ({"ds": {"train": POOL}}, HfcleanError, "one split at a time"),
        ({"eval_set": [], "measure": None}, HfcleanError, "the evaluation set has no rows"),
    ],
)
def test_an_experiment_that_cannot_be_says_why(change: Any, error: Any, message: str, tmp_path: Path) -> None:
    how = {"ds": POOL, "base_model": "b", "eval_set": EVAL, "indicators": ["reward"], "folder": tmp_path, "size": 9}
    with pytest.raises(error, match=message):
        hfclean.mining.experiment(**{**how, "measure": simulated, **change})  # type: ignore[arg-type]


def test_another_experiment_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    how: dict[str, Any] = {"indicators": ["reward"], "folder": tmp_path, "runs": 1, "measure": simulated}
    hfclean.mining.experiment(POOL, "base", EVAL, size=9, **how)
    with pytest.raises(FolderError, match="sizes differs"):
        hfclean.mining.experiment(POOL, "base", EVAL, size=10, **how)
    with pytest.raises(FolderError, match="pool, values differ"):
        hfclean.mining.experiment(POOL.select(range(300)), "base", EVAL, size=9, **how)
    with pytest.raises(FolderError, match="training differs"):
        hfclean.mining.experiment(POOL, "base", EVAL, size=9, args={"max_steps": 3}, **how)
    hfclean.mining.experiment(POOL, "base", EVAL, size=9, **{**how, "runs": 2})


def test_rows_of_every_shape_are_prompts_and_completions() -> None:
    flat = [{"instruction": "Add", "input": "1 2", "output": "3"}, {"prompt": "Sing", "completion": "la"}]
    assert prompt_rows(flat, Layout()) == [
        {"prompt": "Add\n\n1 2", "completion": "3"},
        {"prompt": "Sing", "completion": "la"},
    ]
    talk = [{"role": role, "content": role} for role in ("system", "user", "assistant")]
    told = prompt_rows([*flat, {"messages": talk}], Layout())
    assert told[0] == {
        "prompt": [{"role": "user", "content": "Add\n\n1 2"}],
        "completion": [{"role": "assistant", "content": "3"}],
    }
    assert told[2] == {"prompt": talk[:2], "completion": talk[2:]}
    empty = [{"prompt": "", "completion": ""}]
    assert overlapping(empty, empty, Layout()) == []


# -------------------------------------------------------------------------------------------------------------- search


def curve(*losses: float) -> Any:
    """A measure with these losses at 5, 10, 20, ... rows, and a little noise that the seed decides."""

    def measure(rows: Any, seed: int) -> float:
        return losses[round(math.log2(len(rows) / 5))] + random.Random(f"{seed} {len(rows)}").gauss(0, 0.01)

    return measure


ONE_DIP = curve(3.0, 2.0, 1.0, 2.0, 3.0, 4.0)
BIG = Dataset.from_dict({"prompt": [f"q {k}" for k in range(300)], "completion": ["a"] * 300})
SIZES = [5, 10, 20, 40, 80, 160]


def test_a_grid_gives_the_whole_curve_with_its_noise(tmp_path: Path) -> None:
    final = curve(13.0, 12.0, 11.0, 12.0, 13.0, 14.0)
    found = hfclean.mining.search_size(BIG, measure=ONE_DIP, final=final, sizes=SIZES[::-1], folder=tmp_path)
    assert [point.rows for point in found.points] == SIZES
    assert found.best is found.points[2]
    assert all(len(point.losses) == 3 and 0 < point.standard_error < 0.03 for point in found.points)
    assert (found.moves, found.double_descent) == (("falls", "rises"), False)
    assert {name: point.rows for name, point in found.final.items()} == {"best": 20, "random": 20}
    assert all(point.mean == pytest.approx(11.0, abs=0.1) for point in found.final.values())
    assert "double descent: not seen" in found.summary()
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 6 * 3 + 2 * 3
    picture = ET.fromstring(found.plot(tmp_path / "curve.svg"))
    assert len(picture.findall(".//{*}circle")) == 18
    assert "lowest loss at 20 rows" in picture.findtext("{*}title", "")
    assert (tmp_path / "curve.svg").read_text() == found.plot()


def test_double_descent_is_seen_where_it_is_and_unknown_without_repeats() -> None:
    how: dict[str, Any] = {"measure": curve(3.0, 2.0, 2.5, 3.0, 2.0, 1.0), "method": "grid", "budget": 6}
    found = hfclean.mining.search_size(BIG, **how, at_least=5, at_most=160)
    assert [point.rows for point in found.points] == SIZES
    assert (found.moves, found.double_descent) == (("falls", "rises", "falls"), True)
    once = hfclean.mining.search_size(BIG, **how, at_least=5, at_most=160, repeats=1)
    assert (once.moves, once.double_descent) == (None, None)
    assert "one repeat a size" in once.summary()
    assert math.isnan(once.points[0].standard_error)


def test_a_flat_curve_with_noise_has_no_moves() -> None:
    flat = hfclean.mining.search_size(BIG, measure=curve(*[1.0] * 6), sizes=SIZES)
    assert (flat.moves, flat.double_descent) == ((), False)
    assert "beyond noise it stays as it is" in flat.summary()
    chance = np.random.default_rng(0)
    moved = 0
    for _ in range(400):
        points = tuple(SizePoint(rows, tuple(chance.normal(size=5).tolist())) for rows in range(1, 11))
        moved += bool(SizeSearch(points, {}, 0, "grid", 0).moves)
    assert moved / 400 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.needs_extra("mining", "flaml", "optuna")
def test_blend_search_finds_the_dip_and_does_the_same_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def measure(rows: Any, seed: int) -> float:
        calls.append(len(rows))
        return (math.log(len(rows)) - math.log(40)) ** 2

    how: dict[str, Any] = {"measure": measure, "budget": 9, "repeats": 1, "folder": tmp_path, "at_least": 5}
    found = hfclean.mining.search_size(BIG, **how)
    assert len(found.points) == 9
    assert {5, 300} <= {point.rows for point in found.points}
    assert found.best is not None
    assert 25 < found.best.rows < 60
    assert len(calls) == 9
    assert hfclean.mining.search_size(BIG, **how) == found
    assert len(calls) == 9


@pytest.mark.needs_extra("mining", "flaml", "optuna")
def test_losses_that_are_none_are_never_the_best() -> None:
    def broken(rows: Any, seed: int) -> float:
        return math.nan if len(rows) < 100 else 1.0

    found = hfclean.mining.search_size(BIG, measure=broken, sizes=[10, 50, 200, 290])
    assert found.best is not None
    assert found.best.rows == 200
    nothing = hfclean.mining.search_size(
        BIG, measure=broken, final=broken, budget=3, at_most=60, at_least=30, repeats=1
    )
    assert nothing.best is None
    assert nothing.final == {}
    assert "<circle" not in nothing.plot()
    assert hfclean.mining.search_size(BIG.select([0]), measure=broken, repeats=1).points[0].rows == 1


def test_the_ranking_says_which_rows_and_the_sets_are_kept_apart() -> None:
    seen: list[list[str]] = []

    def noted(rows: Any, seed: int) -> float:
        seen.append(list(rows["prompt"]))
        return 1.0

    sets = {"search_set": [{"prompt": "Q 9", "completion": "a"}], "final_set": [{"prompt": "q 7", "completion": "a"}]}
    found = hfclean.mining.search_size(BIG, [9, 8, 7, 6, 5], measure=noted, final=noted, sizes=[2], repeats=1, **sets)
    assert found.overlap == 2
    assert seen[:2] == [["q 8", "q 6"]] * 2
    assert set(seen[2]) < {"q 8", "q 6", "q 5"}
    with pytest.raises(HfcleanError, match="1 prompts of final_set are in search_set too"):
        hfclean.mining.search_size(BIG, measure=noted, search_set=sets["search_set"], final_set=sets["search_set"])
    with pytest.raises(HfcleanError, match="row 0"):
        hfclean.mining.search_size(BIG, [9, 8], measure=noted, overlap="refuse", **sets)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"measure": None}, "base_model= and search_set=, or a custom measure="),
        ({"method": "luck"}, "expected 'blend' or 'grid'"),
        ({"budget": 0}, "budget=0"),
        ({"repeats": 0}, "repeats=0"),
        ({"at_least": 0}, "at_least=0"),
        ({"at_most": 301}, "expected 1 to 300"),
        ({"sizes": [0]}, r"sizes=\[0\]"),
        ({"sizes": [9999]}, "expected whole numbers from 1 to 300"),
        ({"ranking": [1, 1]}, "an index twice"),
        ({"ranking": [300]}, "not in the 300 rows"),
        ({"ranking": []}, "the ranking has no rows"),
    ],
)
def test_a_search_that_cannot_be_says_why(how: dict[str, Any], message: str) -> None:
    with pytest.raises(HfcleanError, match=message):
        hfclean.mining.search_size(BIG, **{"measure": ONE_DIP, **how})


@pytest.mark.parametrize(
    ("values", "moves"),
    [
        ([5, 4, 3, 4, 5, 2], ("falls", "rises", "falls")),
        ([5, 4.6, 5, 4.7], ()),
        ([1, 1.5, 2.2, 2.1], ("rises",)),
        ([3, 2, 2.4, 1], ("falls",)),
        ([], ()),
    ],
)
def test_moves_are_the_turns_beyond_noise(values: list[float], moves: tuple[str, ...]) -> None:
    assert _moves(values, 0.6) == moves


def test_noise_is_pooled_over_the_sizes() -> None:
    points = (SizePoint(1, (1.0, 3.0)), SizePoint(2, (2.0, 2.0)), SizePoint(3, (math.nan, 5.0)))
    found = SizeSearch(points, {}, 0, "grid", 0)
    assert found.noise == pytest.approx(math.sqrt((1.0 + 0.0) / 2))
    assert found.best == points[0]
    assert [row["rows"] for row in found.table()] == [1, 2, 3]


# ---------------------------------------------------------------------------------------------------------- end to end


@pytest.fixture
def _frozen() -> Iterator[None]:
    """Every tuning collects garbage several times: what was there before is not looked through again."""
    from trl import SFTTrainer  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_frozen")
@pytest.mark.needs_extra("train", "torch", "transformers", "accelerate", "trl")
def test_from_rows_to_a_rule_with_a_tiny_model(tmp_path: Path) -> None:
    from hfclean.testing_models import tiny_model, tiny_tokenizer

    chance = random.Random(0)
    nouns, verbs = ("king", "baker", "sailor", "singer"), ("sleeps", "waits", "sings", "reads")
    good = [(f"Who {verb}? Say {noun}.", f"The {noun} {verb}.") for noun in nouns for verb in verbs]
    rows = [{"prompt": q, "completion": a, "wrong": 0.0} for q, a in good * 3]
    rows += [{"prompt": q, "completion": chance.choice(good)[1][::-1], "wrong": 1.0} for q, _ in good * 3]
    texts = [f"{row['prompt']} {row['completion']}" for row in rows]
    base = tiny_model(tmp_path / "base", tokenizer=tiny_tokenizer(texts, 300), hidden=32, context=128, spread=0.02)
    heldout = [
        {"prompt": f"Who {verb}? Tell me: {noun}.", "completion": f"The {noun} {verb}."}
        for noun, verb in zip(nouns, verbs, strict=True)
    ]
    args = {"max_steps": 10, "per_device_train_batch_size": 8, "learning_rate": 5e-3, "save_strategy": "no"}
    args |= {"use_cpu": True, "disable_tqdm": True}
    how: dict[str, Any] = {"args": args, "folder": tmp_path / "runs"}
    done = hfclean.mining.experiment(
        Dataset.from_list(rows), base, heldout, indicators=["wrong"], runs=4, size=24, tilt=2.0, **how
    )
    assert [run["steps"] for run in done.runs] == [10.0] * 4
    assert not list((tmp_path / "runs" / "models").iterdir())  # the models themselves are not kept
    wild = {**args, "learning_rate": 1e30, "max_grad_norm": 0}
    burst = hfclean.mining.experiment(
        Dataset.from_list(rows),
        base,
        heldout,
        indicators=["wrong"],
        folder=tmp_path / "wild",
        runs=1,
        size=24,
        args=wild,
    )
    assert (burst.without_loss, burst.runs[0]["reason"]) == (1, "not_finite")
    rule = done.fit()
    assert rule.coefficients[0] > 0  # wrong answers raise the loss
    assert rule.fitted is not None
    assert rule.fitted.r_squared > 0.5
    ranking = hfclean.mining.mine(Dataset.from_list(rows), rule)
    assert ranking[:48] == list(range(48))
    search = hfclean.mining.search_size(
        Dataset.from_list(rows),
        ranking,
        base_model=base,
        search_set=heldout[:2],
        final_set=heldout[2:],
        sizes=[48],
        repeats=1,
        args=args,
    )
    assert search.final["best"].mean < search.final["random"].mean
    assert re.search(r"final set, best: 48 rows", search.summary())
