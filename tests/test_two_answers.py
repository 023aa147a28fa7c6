"""Two answers judged beside length: which pairs, fits that never see what they speak about, the verdict."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hfclean.evaluation.bootstrap import Figure
from hfclean.schema import Pair


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    return importlib.import_module("two_answers_fit")


def choice(fit: Any, better: str, worse: str, instruction: str = "Name a fruit.", other: str | None = None) -> Any:
    return fit.Choice("s", instruction, Pair(instruction, "", better), Pair(other or instruction, "", worse))


def test_all_pairs_of_an_instruction_are_in_one_half(fit: Any) -> None:
    halves = [fit.half_of(choice(fit, "a", "b", f"Question {k}.")) for k in range(200)]
    assert 80 < sum(halves) < 120
    for k in range(20):
        assert fit.half_of(choice(fit, f"{k}", "c", f" question {k}. ")) == halves[k]


def test_drawn_pairs_do_not_depend_on_the_order_of_the_file(fit: Any) -> None:
    some = [choice(fit, f"Answer {k}.", "No.") for k in range(30)]
    first = fit.drawn(some, 10)
    assert first == fit.drawn(some[::-1], 10)
    assert len(first) == 10
    assert first != some[:10]
    assert first == fit.drawn(some, 20)[:10]


def test_answers_to_other_prompts_and_equal_ones_are_not_drawn(fit: Any) -> None:
    kept = choice(fit, "An apple.", "A stone.")
    others = [choice(fit, "An apple.", "A stone.", other="Name a tree."), choice(fit, "Yes. ", "Yes.")]
    assert fit.drawn([*others, kept], 10) == [kept]


@pytest.mark.parametrize(
    ("better", "worse", "instruction", "is_short"),
    [
        (150, 150, 100, True),
        (151, 1, 1, False),
        (1, 151, 1, False),
        (1, 2, 101, False),
    ],
)
def test_pairs_are_short(fit: Any, better: int, worse: int, instruction: int, is_short: bool) -> None:
    assert fit.short(choice(fit, *("w " * n for n in (better, worse, instruction)))) is is_short


def test_words_are_counted_better_less_worse(fit: Any) -> None:
    some = [choice(fit, "one two three", "one"), choice(fit, "", "one two")]
    assert fit.words(some).tolist() == [2, -2]
    assert fit.words(some, lambda count: count**2).tolist() == [8, -4]


def test_what_length_explains_is_taken_off_and_nothing_else(fit: Any) -> None:
    longer = np.array([4.0, -3.0, 1.0, -2.0])
    other = np.array([1.0, 2.0, 4.0, 1.0])
    assert longer @ other == 0
    half = fit.Half(np.stack([3 * longer + other, longer], 1), longer, np.array(["a"] * 4))
    coefficients = fit.less_length(half)
    assert coefficients == pytest.approx([1, -3])
    assert half.features @ coefficients == pytest.approx(other)


def test_sources_of_many_pairs_explain_no_more_than_others(fit: Any) -> None:
    longer = np.ones(10)
    source = np.array(["many"] * 9 + ["one"])
    half = fit.Half(np.stack([np.where(source == "many", 1.0, 3.0), longer], 1), longer, source)
    assert fit.less_length(half) == pytest.approx([1, -2])


def test_weights_make_longer_and_shorter_alike_in_each_source(fit: Any) -> None:
    longer = np.array([5, 2, 1, -1, 3, -4, 0, 7, 9])
    source = np.array(["a", "a", "a", "a", "b", "b", "b", "c", "c"])
    weights = fit.balanced(longer, source)
    assert weights.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2, 1, 1, 1, 1, 1])


def test_a_balanced_fit_learns_the_signal_and_not_that_the_longer_one_wins(fit: Any) -> None:
    longer = np.array([1.0] * 8 + [-1.0] * 2)
    half = fit.Half(np.stack([np.ones(10), longer], 1), longer, np.array(["a"] * 10))
    signal, length = fit.by_judgement(half)
    assert signal > 1
    assert length == pytest.approx(0, abs=1e-6)


def test_a_feature_that_is_always_zero_counts_nothing(fit: Any) -> None:
    half = fit.Half(np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([1.0, -1.0]), np.array(["a", "a"]))
    assert fit.by_judgement(half)[1] == 0


def test_batches_hold_every_pair_once_and_are_the_same_for_a_seed(fit: Any) -> None:
    script = importlib.import_module("two_answers")
    some = [choice(fit, "word " * (k * 37 % 50), "No.") for k in range(150)]
    first, again, other = (
        [batch.tolist() for batch in script.batches(some, np.random.default_rng(seed))] for seed in (0, 0, 1)
    )
    assert first == again != other
    assert sorted(k for batch in first for k in batch) == list(range(150))
    assert {len(batch) for batch in first} == {script.BATCH, 150 % script.BATCH}


def memorise(half: Any) -> Any:
    """Knows each pair that it saw, each of which is a feature of its own."""
    return half.features.sum(0)


def test_what_is_fitted_never_saw_the_pairs_that_it_orders(fit: Any) -> None:
    names = (*fit.FITTED, "fixes of code")
    each = np.eye(4 * len(names))
    features = {name: each[4 * k : 4 * k + 4] for k, name in enumerate(names)}
    halves = {name: np.array([0, 1, 0, 1]) for name in names}
    longer = {name: np.zeros(4) for name in names}
    found = fit.crosswise(memorise, features, longer, halves)
    assert {name: column.tolist() for name, column in found.items()} == {name: [0.5] * 4 for name in names}
    swapped = {name: 1 - half for name, half in halves.items()}
    crossed = {**features, "experts": features["experts"][[1, 0, 3, 2]]}
    assert fit.crosswise(memorise, crossed, longer, swapped)["experts"].tolist() == [0.5] * 4


def test_each_fit_sees_one_half_of_the_fitted_sets(fit: Any) -> None:
    seen = []

    def spy(half: Any) -> Any:
        seen.append((half.features[:, 0].tolist(), half.longer.tolist(), half.source.tolist()))
        return np.ones(1)

    features = {name: 10.0 * k + np.arange(2.0)[:, None] for k, name in enumerate((*fit.FITTED, "other"))}
    fit.crosswise(
        spy,
        features,
        {name: column[:, 0] + 100 for name, column in features.items()},
        {name: np.array([0, 1]) for name in features},
    )
    assert seen == [
        ([0, 10, 20, 30], [100, 110, 120, 130], list(fit.FITTED)),
        ([1, 11, 21, 31], [101, 111, 121, 131], list(fit.FITTED)),
    ]


@pytest.mark.parametrize(
    ("name", "shares"),
    [("experts", [0, 1, 1, 0.5]), ("fixes of code", [0.5, 0.5, 1, 0.25])],
)
def test_two_models_speak_about_the_half_that_they_did_not_see(fit: Any, name: str, shares: list[float]) -> None:
    first, second = np.array([1.0, 1.0, 2.0, np.nan]), np.array([-1.0, -1.0, 0.5, -3.0])
    half = np.array([0, 1, 0, 1])
    assert fit.combined(name, first, second, half).tolist() == shares


def table(fit: Any, **gains: tuple[tuple[float, float], ...]) -> Any:
    """Sets in which each method gains this much, with these lower bounds, over the better of both lengths."""
    count = len(next(iter(gains.values())))
    return {
        f"set {k}": {
            "shorter answer": fit.Result(Figure(0.4), Figure(-0.2, -0.3)),
            "longer answer": fit.Result(Figure(0.6), Figure(0.0, 0.0)),
            **{name: fit.Result(Figure(0.7), Figure(*of[k])) for name, of in gains.items()},
        }
        for k in range(count)
    }


@pytest.mark.parametrize(
    ("gains", "line"),
    [
        ({"a": ((0.1, 0.02), (0.2, 0.1)), "b": ((0.3, 0.2), (0.0, -0.1))}, "yes: a"),
        ({"a": ((0.1, 0.02), (0.2, 0.1)), "b": ((0.3, 0.2), (0.1, 0.01))}, "yes: a, b"),
        ({"a": ((0.1, -0.02), (0.2, 0.1))}, "yes, within chance: a"),
        ({"a": ((0.3, 0.2), (-0.1, -0.2)), "b": ((-0.1, -0.2), (0.3, 0.2))}, "no"),
        ({"a": ((0.3, 0.2), (0.0, 0.0))}, "no"),
    ],
)
def test_the_verdict_asks_for_more_than_both_lengths_on_every_set(fit: Any, gains: Any, line: str) -> None:
    assert fit.verdict(table(fit, **gains)) == f"beats both on all sets: {line}"


def test_results_are_held_against_the_better_length_and_drawn_by_instruction(fit: Any) -> None:
    shares = {
        "shorter answer": np.array([1.0, 1.0, 1.0, 0.0]),
        "longer answer": np.array([0.0, 0.0, 0.0, 1.0]),
        "perfect": np.ones(4),
    }
    found = fit.results(shares, ["a", "a", "b", "c"])
    assert found["perfect"].share.value == 1
    assert found["perfect"].share.low == pytest.approx(3 / (3 + 1.96**2))  # Wilson's, of three instructions
    assert [found[name].gain.value for name in shares] == [0.0, -0.5, 0.25]
    assert (found["perfect"].gain.low, found["perfect"].gain.high) == (0, 1)
    assert fit.beats(found["perfect"])
    assert not fit.beats(found["perfect"], clearly=True)
    assert not fit.beats(found["shorter answer"])


def test_a_method_that_knows_the_first_pairs_only_is_held_against_length_on_these(fit: Any) -> None:
    shares = {
        "shorter answer": np.array([0.0, 0.5, 1.0, 1.0, 1.0]),
        "longer answer": np.array([1.0, 0.5, 0.0, 0.0, 0.0]),
        "two": np.array([1.0, 1.0]),
    }
    found = fit.results(shares, list("abcde"))
    assert (found["two"].share.value, found["two"].share.count) == (1.0, 2)
    assert found["two"].gain.value == 0.25  # over the longer one, which is the better of both on these
    assert found["longer answer"].gain.value == pytest.approx(-0.4)


@pytest.mark.realdata
def test_the_samples_of_real_pairs(fit: Any, realdata: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = realdata("llmbar_pairs.jsonl").parent
    monkeypatch.setattr(importlib.import_module("fit_scores"), "REALDATA", folder)
    found = fit.samples()
    assert {name: len(pairs) for name, pairs in found.items()} == {
        "LLMBar adversarial": 100,
        "LLMBar natural": 40,
        "corrections of answers": 40,
        "fixes of code": 40,
        "experts": 40,
        "human votes": 40,
    }
    assert set(fit.FITTED) < set(found)
    for pairs in found.values():
        assert 0.3 < np.mean([fit.half_of(pair) for pair in pairs]) < 0.6
