"""The seeds of a loop: a pure function of signals and rows, by the rules of SeDi-Instruct and ours."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hfclean.errors import HfcleanError
from hfclean.generation import Novelty
from hfclean.loops import Feedback, Iteration, Pool, Row, update_seeds
from hfclean.loops.feedback import Refused, Standing
from hfclean.selection.novelty import rouge_l

WORDS = "ash bay cup dew elm fig gum hay ink jam kit log mud net oak pea rye sap tin urn".split()  # noqa: SIM905
TOPICS = ("sums", "words", "dates", "names", "noise")


def a_loop(seed: int, steps: int = 60, size: int = 3) -> tuple[dict[str, Row], list[Iteration]]:
    """Ten seeds, batches of rows that were made after three of them, and signals."""
    chance = random.Random(seed)
    rows = {f"s{k}": Row(" ".join(chance.sample(WORDS, 5))) for k in range(10)}
    names = list(rows)
    iterations = []
    for step in range(1, steps + 1):
        batch = [f"r{step}-{k}" for k in range(size)]
        for name in batch:
            reason = chance.choice(["", "", "", "gate"])
            rows[name] = Row(" ".join(chance.choices(WORDS, k=5)), tuple(chance.sample(names, 3)), reason)
        iterations.append(Iteration(step, tuple(batch), math.nan if step % 7 == 0 else chance.uniform(0.5, 2)))
    return rows, iterations


def plainly(rows: Mapping[str, Row], iterations: list[Iteration], feedback: Feedback) -> list[str]:
    """The same, written as the method is told."""
    first = [name for name in rows if name.startswith("s")]
    seeds, ever = list(first), set(first)
    credit: dict[str, float] = {}
    uses = dict.fromkeys(rows, 0)
    for begin in range(0, len(iterations) - feedback.every + 1, feedback.every):
        window = [each for each in iterations[begin : begin + feedback.every] if not math.isnan(each.value)]
        members = list(seeds)
        best = max(window, key=lambda each: (each.value, -each.step))
        left = [name for name in best.row_ids if name not in ever and not rows[name].refused]
        for _ in range(feedback.donated):
            alike = {name: max(rouge_l(rows[name].task, rows[s].task) for s in seeds) for name in left}
            fit = [name for name in left if alike[name] < 0.85]
            if fit:
                new = min(fit, key=alike.__getitem__)
                seeds.append(new)
                ever.add(new)
                left.remove(new)
        for name in members:
            values = [each.value for each in window if any(name in rows[row].shown for row in each.row_ids)]
            if values:
                mean = sum(values) / len(values)
                credit[name] = mean if name not in credit else feedback.memory * credit[name] + 0.1 * mean
                uses[name] += len(values)
        weak = sorted((n for n in seeds if uses[n] >= feedback.least_uses and n in credit), key=credit.__getitem__)
        for name in weak[: feedback.donated]:
            if len(seeds) - 1 >= len(first) * feedback.least_share:
                seeds.remove(name)
    return seeds


@pytest.mark.parametrize("seed", range(5))
def test_the_seeds_are_those_of_the_method_as_it_is_told(seed: int) -> None:
    rows, iterations = a_loop(seed)
    feedback = Feedback()
    pool, updates = update_seeds(Pool.of([f"s{k}" for k in range(10)]), iterations, rows, feedback)
    assert [each.id for each in pool.seeds] == plainly(rows, iterations, feedback)
    assert [each.step for each in updates] == [10, 20, 30, 40, 50, 60]
    assert pool.pending == ()


@pytest.mark.parametrize("parts", [(60,), (25, 35), (7, 3, 1, 49), (1,) * 60])
def test_rounds_of_any_length_and_a_stay_on_the_disk_change_nothing(parts: tuple[int, ...]) -> None:
    rows, iterations = a_loop(1)
    whole, all_updates = update_seeds(Pool.of([f"s{k}" for k in range(10)]), iterations, rows, Feedback())
    pool, updates, begin = Pool.of([f"s{k}" for k in range(10)]), [], 0
    for part in parts:
        pool = Pool.read(json.loads(json.dumps(pool.plain(), allow_nan=False)))
        pool, more = update_seeds(pool, iterations[begin : begin + part], rows, Feedback())
        updates += more
        begin += part
    assert (pool, tuple(updates)) == (whole, all_updates)


def test_the_row_least_like_the_seeds_comes_first_and_what_is_not_fit_is_said() -> None:
    rows = {
        "s": Row("Name a fruit that is red."),
        "copy": Row("Name a fruit that is red!", ("s",)),
        "near": Row("Name a fruit that is blue.", ("s",)),
        "far": Row("Why do tides turn twice a day?", ("s",)),
        "twin": Row("Why do tides turn twice a day", ("s",)),
        "bad": Row("Sing of the sea at night.", ("s",), "gate"),
    }
    batch = Iteration(1, tuple(rows)[1:], 1.0)
    pool, (update,) = update_seeds(Pool.of(["s"]), [batch], rows, Feedback(every=1))
    assert update.donated == ("far", "near")
    assert update.refused == (Refused("bad", "gate"), Refused("copy", "not_new"), Refused("twin", "not_new"))
    again, (second,) = update_seeds(pool, [replace(batch, step=2)], rows, Feedback(every=1))
    assert second.donated == ()
    assert [each.id for each in again.seeds] == ["s", "far", "near"]
    loose = Feedback(every=1, donated=9, novelty=Novelty(1.0, boundary="above"))
    assert update_seeds(Pool.of(["s"]), [batch], rows, loose)[1][0].donated == ("far", "near", "copy", "twin")


def test_weak_seeds_leave_and_half_of_the_first_stay() -> None:
    rows = {f"s{k}": Row(f"{WORDS[k]} one two") for k in range(4)}
    rows |= {f"r{k}": Row("never new", (f"s{k}",), "gate") for k in range(4)}
    values = {"r0": 0.5, "r1": 2.0, "r2": 0.7, "r3": 1.0}
    steps = [Iteration(k, (name,), value) for k, (name, value) in enumerate([*values.items()] * 9, 1)]
    pool, updates = update_seeds(Pool.of(["s0", "s1", "s2", "s3"]), steps, rows, Feedback(every=4))
    assert [each.left for each in updates] == [(), (), ("s0", "s2"), (), (), (), (), (), ()]
    assert [(each.id, each.uses) for each in pool.seeds] == [("s1", 9), ("s3", 9)]
    assert pool.gone == ("s0", "s2")
    assert pool.seeds[0].credit == pytest.approx(2.0)
    assert pool.seeds[1].credit == pytest.approx(1.0)


def test_credit_fades_and_a_signal_that_is_not_there_counts_for_nothing() -> None:
    rows = {"s": Row("ash bay cup"), "r": Row("dew elm fig", ("s",), "gate")}
    steps = [Iteration(1, ("r",), 1.0), Iteration(2, ("r",), 2.0), Iteration(3, ("r",), math.nan)]
    pool, updates = update_seeds(Pool.of(["s"]), steps, rows, Feedback(every=1))
    assert pool.seeds == (Standing("s", pytest.approx(1.1), 2),)
    assert (updates[2].won, updates[2].value, updates[2].refused) == (0, None, ())


@pytest.mark.parametrize(("signal", "grows"), [("hard", True), ("random", False)])
def test_the_hard_topic_gets_more_seeds_where_the_signal_shows_it(signal: str, grows: bool) -> None:
    """Twenty loops: the signal of a batch grows with its rows of one topic, or does not; a sign test of its share."""
    more = 0
    for seed in range(20):
        share = _share_after(seed, signal)
        more += share > 1 / len(TOPICS)
    at_least = sum(math.comb(20, k) for k in range(more, 21)) / 2**20
    assert (at_least < 0.001) is grows, more


def _share_after(seed: int, signal: str) -> float:
    """The share of seeds of the topic `noise` after five changes; the teacher writes what it is shown."""
    chance = random.Random(seed)
    rows = {f"{topic}-{k}": Row(_task(chance, topic)) for topic in TOPICS for k in range(2)}
    pool = Pool.of(list(rows))
    for step in range(1, 51):
        shown = [chance.choice(pool.seeds).id for _ in range(3)]
        batch = []
        for each in shown:
            name = f"{each.split('-')[0]}-r{step}-{len(batch)}"
            rows[name] = Row(_task(chance, name.split("-")[0]), (each,))
            batch.append(name)
        hard = sum(name.startswith("noise") for name in batch)
        value = chance.gauss(1, 0.1) + (0.3 * hard if signal == "hard" else 0)
        pool, _ = update_seeds(pool, [Iteration(step, tuple(batch), value)], rows, Feedback())
    return sum(each.id.startswith("noise") for each in pool.seeds) / len(pool.seeds)


def _task(chance: random.Random, topic: str) -> str:
    return f"{topic} " + " ".join(chance.choices(WORDS, k=6))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"every": 0}, "every=0: expected a whole number, at least 1"),
        ({"donated": -1}, "donated=-1: expected a whole number, at least 0"),
        ({"least_uses": 1.5}, "least_uses=1.5: expected a whole number, at least 0"),
        ({"memory": 2}, "memory=2: expected a share, 0 to 1"),
        ({"least_share": -0.5}, "least_share=-0.5: expected a share, 0 to 1"),
    ],
)
def test_settings_that_make_no_feedback_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(HfcleanError, match=said):
        Feedback(**settings)
