"""Damage on purpose, and whether scores see it."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.errors import ColumnError, HfcleanError
from hfclean.evaluation.noise import BASELINES, HIGHER_IS_DAMAGE, NOISES, Noise, inject
from hfclean.evaluation.ranking import auroc, auroc_draws, ranks, spearman
from hfclean.schema import Pair
from hfclean.scorers import Scorer
from hfclean.scorers.likelihood import IFD, IRA, Perplexity, ReverseIFD, SelectiveIFD

KINDS = {noise.id: noise for noise in NOISES}
SUBJECTS = ("river", "king", "garden", "engine", "poem", "market", "island", "teacher")
VERBS = ("crosses", "likes", "builds", "remembers", "follows", "paints")
FOREIGN = [Pair(f"问题 {n}", "", f"这是第 {n} 个回答，很短。") for n in range(8)]


def answer(chance: random.Random) -> str:
    sentences = [
        f"The {chance.choice(SUBJECTS)} {chance.choice(VERBS)} {chance.randint(10, 99)} {chance.choice(SUBJECTS)}s."
        for _ in range(chance.randint(3, 8))
    ]
    return " ".join(sentences)


def sound(count: int, seed: int = 0) -> list[Pair]:
    chance = random.Random(seed)
    return [Pair(f"Task number {n}", "", answer(chance)) for n in range(count)]


# ------------------------------------------------------------------------------------------------------------- ranking

NUMBERS = st.integers(-3, 3).map(float) | st.floats(-5, 5) | st.sampled_from([math.inf, -math.inf])


@given(st.lists(st.tuples(st.booleans(), NUMBERS), min_size=2, max_size=40))
def test_auroc_is_the_share_of_pairs_with_ties_half(rows: list[tuple[bool, float]]) -> None:
    flags, values = [flag for flag, _ in rows], [value for _, value in rows]
    above = [value for flag, value in rows if flag]
    below = [value for flag, value in rows if not flag]
    found = auroc(flags, np.array(values))
    if not above or not below:
        assert math.isnan(found)
        return
    wins = sum((a > b) + 0.5 * (a == b) for a in above for b in below)
    assert found == pytest.approx(wins / (len(above) * len(below)))
    assert auroc(flags, -np.array(values)) == pytest.approx(1 - found)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=25), st.integers(0, 3))
def test_a_bootstrap_sample_has_the_auroc_of_the_rows_drawn(rows: list[tuple[float, float]], seed: int) -> None:
    bad, good = (np.array(side) for side in zip(*rows, strict=True))
    found = auroc_draws([(bad, good), (-bad, -good)], 7, seed)
    picks = np.random.default_rng(seed).integers(0, len(rows), (7, len(rows)))
    for pick, (value, turned) in zip(picks, found, strict=True):
        flags = np.arange(2 * len(rows)) < len(rows)
        assert value == pytest.approx(auroc(flags, np.concatenate([bad[pick], good[pick]])))
        assert turned == pytest.approx(1 - value)


def test_draws_do_not_depend_on_how_many_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(3)
    columns = [(chance.random(50), chance.random(50))]
    whole = auroc_draws(columns, 30, 1)
    monkeypatch.setattr("hfclean.evaluation.bootstrap.CELLS", 150)
    np.testing.assert_array_equal(auroc_draws(columns, 30, 1), whole)


def test_ranks_and_rank_correlation_average_ties() -> None:
    assert list(ranks([3.0, 1.0, 3.0, 2.0])) == [3.5, 1.0, 3.5, 2.0]
    assert spearman([1, 2, 3, 4], [1, 4, 9, 16]) == 1.0
    assert spearman([1, 2, 2, 4], [4, 3, 3, 1]) == -1.0
    assert spearman([1.0, 2, 3, 4, 5], [2.0, 1, 4, 3, 5]) == pytest.approx(0.8)
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))
    assert math.isnan(spearman([1], [1]))


# -------------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.id)
def test_damage_depends_on_the_row_and_not_on_its_place(noise: Noise) -> None:
    pairs = sound(60)
    first = inject(pairs, noise, foreign=FOREIGN)
    assert all(first)
    assert inject(pairs[::-1], noise, foreign=FOREIGN[::-1])[::-1] == first
    assert inject(pairs, noise, foreign=FOREIGN) == first
    assert inject(pairs, noise, foreign=FOREIGN, seed=1) != first
    for pair, damaged in zip(pairs, first, strict=True):
        assert damaged is not None
        assert damaged.replace(response=pair.response) == pair
        assert damaged.response.strip() not in ("", pair.response.strip())


def test_each_kind_does_what_it_says() -> None:
    pairs = sound(200)
    answers = {pair.response for pair in pairs}
    found = {name: inject(pairs, noise, foreign=FOREIGN) for name, noise in KINDS.items()}
    for k, pair in enumerate(pairs):
        text, words = pair.response, pair.response.split()
        after = {name: damaged[k].response for name, damaged in found.items()}  # type: ignore[union-attr]
        assert after["swapped"] in answers - {text}
        assert text.startswith(after["truncated"])
        assert 0.25 * len(text) < len(after["truncated"]) <= 0.7 * len(text)
        left = iter(words)
        assert all(word in left for word in after["deleted"].split())
        assert len(after["deleted"].split()) < len(words)
        changed = sum(a != b for a, b in zip(words, after["token_noise"].split(), strict=True))
        assert 0 < changed <= 0.3 * len(words) + 1
        assert after["foreign"] in {pair.response for pair in FOREIGN}
        assert len(after["repeated"]) > len(text)
        assert set(after["repeated"].split()) == set(words)
        assert len(after["corrupted_facts"]) == len(text)
        assert [a.isdigit() for a in after["corrupted_facts"]] == [a.isdigit() for a in text]
        for was, now in zip(words, after["corrupted_facts"].split(), strict=True):
            assert was == now or (was.isdigit() and now.isdigit() and now[0] != "0")


FACTS = {
    "It rose by 4.5 % in 1999.": True,
    "Use v2, mp3 and utf8.": False,
    "1. Eggs\n2. Milk\n 3) Flour": False,
    "1. Take 2 eggs": True,
    "Nothing to count": False,
    "0": True,
}


@pytest.mark.parametrize("text", FACTS)
def test_numbers_that_state_something_are_changed_and_markers_are_not(text: str) -> None:
    for seed in range(20):
        (damaged,) = inject([Pair("a", "", text)], KINDS["corrupted_facts"], seed=seed)
        assert (damaged is not None) == FACTS[text]
        if damaged:
            assert damaged.response.startswith("1. ") == text.startswith("1. ")
            assert len(damaged.response) == len(text)


def test_a_kind_that_has_nothing_to_borrow_from_does_not_apply() -> None:
    (pair,) = sound(1)
    assert inject([pair], KINDS["swapped"]) == [None]
    assert inject([pair, pair.replace(response="other")], KINDS["swapped"]) == [None, None]  # the same question
    alike = [Pair(f"Row {n}", "", "the same answer" if n else "another answer") for n in range(4)]
    assert all(inject(alike, KINDS["swapped"], seed=seed)[1] for seed in range(20))
    assert inject(sound(3), KINDS["foreign"]) == [None] * 3
    (noisy,) = inject([pair], KINDS["token_noise"])
    assert noisy is not None


HOSTILE = [
    "",
    " \n\t ",
    "a",
    "Paris",
    "a b",
    "...",
    "1.",
    "日本語の文章です。とても短い。",
    "\U0001f600" * 30,
    "مرحبا بالعالم هذا نص",
    "\udc80 lone \ud83d surrogates 12",
    "e\u0301" * 40,
    "\x00 \x1b[31m 7",
    "x" * 300,
    "- 1\n" * 50,
]


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.id)
def test_odd_answers_are_damaged_or_left_out(noise: Noise) -> None:
    pairs = [Pair(f"Row {n}", "", text) for n, text in enumerate(HOSTILE)]
    for pair, damaged in zip(pairs, inject(pairs, noise, foreign=FOREIGN), strict=True):
        if not pair.response.strip():
            assert damaged is None
        if damaged is not None:
            assert damaged.response.strip() not in ("", pair.response.strip())


@given(st.lists(st.text(max_size=60), min_size=1, max_size=6), st.integers(0, 5))
def test_any_text_is_damaged_or_left_out(texts: list[str], seed: int) -> None:
    pairs = [Pair(f"Row {n}", "", text) for n, text in enumerate(texts)]
    for noise in NOISES:
        for pair, damaged in zip(pairs, inject(pairs, noise, foreign=FOREIGN, seed=seed), strict=True):
            assert damaged is None or damaged.response.strip() not in ("", pair.response.strip())


LONG = [
    "word 12 " * 15_000,
    "x" * 100_000,
    "1 " * 50_000,
    "\n1. " * 25_000,
    "a\t" * 50_000,
    ". " * 50_000,
    "1,1" * 33_333,
    " " * 50_000 + "1" + " " * 50_000 + "2",
]


@pytest.mark.usefixtures("ending")
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.id)
def test_long_answers_are_damaged_in_linear_time(noise: Noise) -> None:
    pairs = [Pair(f"Row {n}", "", text) for n, text in enumerate(LONG)]
    damage = inject(pairs, noise, foreign=FOREIGN)
    assert len(damage) == len(LONG)
    assert all(damaged is None or damaged.response != text for damaged, text in zip(damage, LONG, strict=True))


# -------------------------------------------------------------------------------------------------------------- report

MARK = Noise("marked", "a mark at the end", lambda pair, others, chance: pair.replace(response=f"{pair.response}#"))
DISTANCE = 1.0


def gauss(pair: Pair) -> float:
    """A number by chance for each row and side, larger by `DISTANCE` where the answer has the mark."""
    digest = hashlib.sha256(f"{pair.instruction}{pair.response}".encode()).digest()
    share = (int.from_bytes(digest[:8], "big") + 0.5) / 2**64
    return NormalDist().inv_cdf(share) + DISTANCE * pair.response.endswith("#")


SEES = hfclean.scorer("sees")(gauss)
BLIND = hfclean.scorer("blind")(lambda pair: gauss(pair.replace(response=pair.response.strip("#"))))
LENGTH = hfclean.scorer("size")(lambda pair: len(pair.response))
HIGH = {"sees": True, "blind": True, "size": True, "some": True}


def test_a_known_separation_is_measured() -> None:
    report = hfclean.evaluation.noise_report([SEES, BLIND, LENGTH], sound(800), noises=[MARK], higher_is_damage=HIGH)
    truth = NormalDist().cdf(DISTANCE / math.sqrt(2))
    seen = report.of("marked", "sees")
    assert seen.auroc == pytest.approx(truth, abs=0.03)
    assert seen.low < truth < seen.high
    assert 0.02 < seen.high - seen.low < 0.08
    assert (seen.rows, seen.unscored, seen.found, seen.beats_length) == (800, 0, True, True)
    assert seen.length == max(report.of("marked", name).auroc for name in ("length_words", "length_characters"))
    assert seen.beyond_length == pytest.approx(seen.auroc - seen.length)
    assert seen.beyond_low < seen.beyond_length < seen.beyond_high
    blind = report.of("marked", "blind")  # the same number on both sides
    assert (blind.auroc, blind.found, blind.beats_length) == (0.5, False, False)
    size = report.of("marked", "size")
    assert size.auroc == report.of("marked", "length_characters").auroc == size.length
    assert (size.beyond_low, size.beyond_high, size.beats_length) == (0.0, 0.0, False)
    by_chance = report.of("marked", "random")
    assert by_chance.auroc == pytest.approx(0.5, abs=0.05)


def test_the_direction_is_never_taken_from_the_rows() -> None:
    report = hfclean.evaluation.noise_report(SEES, sound(300), noises=[MARK], higher_is_damage={"sees": False})
    assert report.of("marked", "sees").auroc < 0.3
    assert not report.of("marked", "sees").found
    with pytest.raises(ColumnError, match=r"higher_is_damage=\{'sees': True or False\}"):
        hfclean.evaluation.noise_report(SEES, sound(3), noises=[MARK])


def test_length_has_the_better_of_its_directions() -> None:
    report = hfclean.evaluation.noise_report(hfclean.score, sound(200), noises=["truncated", "repeated"], draws=200)
    for noise, longer in (("truncated", False), ("repeated", True)):
        for name in ("length_words", "length_characters"):
            found = report.of(noise, name)
            assert (found.found, found.higher_is_damage) == (True, longer)


def test_rows_without_a_score_are_left_out_on_both_sides_and_counted() -> None:
    def some(pair: Pair) -> float:
        number = int(pair.instruction.split()[-1])
        if number % 4 == 0 or number % 4 == 1 + pair.response.endswith("#"):  # neither side, or one of the two
            return math.nan
        return gauss(pair)

    report = hfclean.evaluation.noise_report(
        hfclean.scorer("some")(some), sound(400), noises=[MARK], higher_is_damage=HIGH
    )
    found = report.of("marked", "some")
    assert (found.rows, found.unscored) == (100, 300)
    left = [pair for pair in sound(400) if int(pair.instruction.split()[-1]) % 4 == 3]
    alone = hfclean.evaluation.noise_report(SEES, left, noises=[MARK], higher_is_damage=HIGH).of("marked", "sees")
    assert found.auroc == alone.auroc
    assert found.length == alone.length
    none = hfclean.evaluation.noise_report(
        hfclean.scorer("some")(lambda pair: math.nan), sound(5), noises=[MARK], higher_is_damage=HIGH
    )
    assert (none.of("marked", "some").rows, none.of("marked", "some").unscored) == (0, 5)
    assert math.isnan(none.of("marked", "some").auroc)
    assert not none.of("marked", "some").found
    assert "some                          –" in none.summary()


def test_the_order_of_the_rows_changes_no_figure() -> None:
    forth = hfclean.evaluation.noise_report(hfclean.score, sound(80), foreign=FOREIGN, draws=20)
    back = hfclean.evaluation.noise_report(hfclean.score, sound(80)[::-1], foreign=FOREIGN, draws=20)
    for one, other in zip(forth.separations, back.separations, strict=True):
        assert (one.noise, one.column, one.rows) == (other.noise, other.column, other.rows)
        assert one.auroc == pytest.approx(other.auroc, abs=1e-12)
    assert forth == hfclean.evaluation.noise_report(hfclean.score, sound(80), foreign=FOREIGN, draws=20)


def test_the_report_is_plain_values_and_a_table() -> None:
    report = hfclean.evaluation.noise_report(hfclean.score, sound(50), draws=50)
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (told["rows"], told["applied"]["swapped"], told["applied"]["foreign"]) == (50, 50, 0)
    columns = [name for name in hfclean.score.names() if name != "defects"]
    assert [(each["noise"], each["column"]) for each in told["separations"]] == [
        (noise.id, column) for noise in NOISES if noise.id != "foreign" for column in [*columns, *BASELINES]
    ]
    table = report.summary()
    assert "swapped: the answer of another row (50 rows)" in table
    assert "could be done to no row" in table
    assert "better than length: " in table
    with pytest.raises(ColumnError, match="no figure for"):
        report.of("swapped", "nothing")


def test_rows_of_any_shape_and_errors_that_say_what_to_do() -> None:
    rows = Dataset.from_list(
        [
            {"messages": [{"role": "user", "content": p.instruction}, {"role": "assistant", "content": p.response}]}
            for p in sound(30)
        ]
    )
    shaped = hfclean.evaluation.noise_report(hfclean.score, rows.with_format("numpy"), noises="truncated", draws=20)
    assert shaped == hfclean.evaluation.noise_report(hfclean.score, sound(30), noises="truncated", draws=20)
    with pytest.raises(HfcleanError, match="expected one split"):
        hfclean.evaluation.noise_report(hfclean.score, DatasetDict(train=rows))
    with pytest.raises(HfcleanError, match="got no rows"):
        hfclean.evaluation.noise_report(hfclean.score, [])
    with pytest.raises(HfcleanError, match="no noise 'swap'; expected one of swapped"):
        hfclean.evaluation.noise_report(hfclean.score, sound(2), noises=["swap"])
    with pytest.raises(ColumnError, match="give one of them a prefix"):
        hfclean.evaluation.noise_report([hfclean.score, hfclean.score], sound(2))
    both = [hfclean.score, hfclean.scorers.Score(prefix="again_")]
    report = hfclean.evaluation.noise_report(both, sound(20), noises=["truncated"], draws=20)
    assert report.of("truncated", "again_rating").auroc == report.of("truncated", "rating").auroc


def test_every_likelihood_score_has_a_direction(tmp_path: Path) -> None:
    made: Sequence[Scorer] = [
        IFD("m"),
        IFD("m", kind="loss"),
        IRA("m"),
        Perplexity("m"),
        Perplexity("m", given=False),
        ReverseIFD("m"),
        ReverseIFD("m", kind="loss"),
        SelectiveIFD("m"),
    ]
    scores: list[Any] = [name for scorer in made for name in scorer.scores()]  # type: ignore[attr-defined]
    assert set(scores) <= set(HIGHER_IS_DAMAGE)
    assert not HIGHER_IS_DAMAGE["ira"]
    assert HIGHER_IS_DAMAGE["ifd_ppl"]
