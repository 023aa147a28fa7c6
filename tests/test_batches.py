"""The novelty gate is the plain loop, only faster; batches of SeDi spread every cluster as far as can be."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.errors import ColumnError, HfcleanError
from hfclean.selection.batches import spread
from hfclean.selection.novelty import Dropped, rouge_l
from hfclean.text import words

# ---------------------------------------------------------------------------------------------------------- references


def plain_rouge_l(first: list[str], second: list[str]) -> tuple[int, int]:
    """Twice the longest common subsequence, and the words of both, by the textbook's table."""
    last = [0] * (len(second) + 1)
    for word in first:
        row = [0]
        for k, other in enumerate(second):
            row.append(last[k] + 1 if word == other else max(last[k + 1], row[k]))
        last = row
    return 2 * last[-1], len(first) + len(second)


def plain_gate(texts: list[str], percent: int) -> tuple[list[int], list[Dropped]]:
    """Every row against every kept row, in whole numbers."""
    split = [words(text.lower()) for text in texts]
    kept: list[int] = []
    dropped: list[Dropped] = []
    for k, text in enumerate(split):
        best, of = (0, 1), -1
        for other in kept:
            twice, both = plain_rouge_l(text, split[other])
            if text and split[other] and twice * best[1] > best[0] * both:
                best, of = (twice, both), other
        if of >= 0 and 100 * best[0] >= percent * best[1]:
            dropped.append(Dropped(k, of, best[0] / best[1]))
        else:
            kept.append(k)
    return kept, dropped


def rows_of(texts: list[str]) -> list[dict[str, str]]:
    return [{"prompt": text, "completion": "x"} for text in texts]


# -------------------------------------------------------------------------------------------------------- novelty gate

SENTENCES = st.lists(
    st.one_of(
        st.lists(st.sampled_from("a b c d e f".split()), max_size=9).map(" ".join),  # noqa: SIM905
        st.text(alphabet="ab 你好!", max_size=8),
    ),
    max_size=12,
)


@given(SENTENCES, st.sampled_from([1, 30, 50, 67, 70, 85, 100]))
def test_the_gate_is_the_plain_loop(texts: list[str], percent: int) -> None:
    found = hfclean.selection.novel(rows_of(texts), threshold=percent / 100)
    kept, dropped = plain_gate(texts, percent)
    assert list(found.kept) == kept
    assert list(found.dropped) == dropped
    assert found.wordless == sum(not words(text) for text in texts)


def test_the_gate_is_the_plain_loop_on_longer_texts_and_skips_most_pairs() -> None:
    chance = random.Random(3)
    vocabulary = [f"w{k}" for k in range(300)]
    texts: list[str] = []
    for _ in range(260):
        text = [chance.choice(vocabulary) for _ in range(chance.randint(4, 30))]
        if texts and chance.random() < 0.5:  # a variant of an earlier one
            text = words(chance.choice(texts))
            for _ in range(chance.randint(0, 4)):
                text[chance.randrange(len(text))] = chance.choice(vocabulary)
        texts.append(" ".join(text))
    for percent in (70, 85):
        found = hfclean.selection.novel(rows_of(texts), threshold=percent / 100)
        kept, dropped = plain_gate(texts, percent)
        assert (list(found.kept), list(found.dropped)) == (kept, dropped)
        assert len(dropped) > 30
        assert found.compared < 260 * 260 / 2 / 5


def test_rouge_l_is_twice_the_common_subsequence_over_both() -> None:
    assert rouge_l("The cat, sat!", "the dog sat") == pytest.approx(4 / 6)
    assert rouge_l("今天天气", "今天很热") == pytest.approx(4 / 8)
    assert rouge_l("", "") == rouge_l("a", "") == 0.0


def test_a_threshold_that_is_met_exactly_drops() -> None:
    texts = ["a b c d e f g h i j", "a b c d e f g x y z"]  # 14 of 20: seven tenths, which no float is
    assert hfclean.selection.novel(rows_of(texts), threshold=0.7).dropped == (Dropped(1, 0, 0.7),)
    assert hfclean.selection.novel(rows_of(texts), threshold=0.71).dropped == ()
    halves = [
        " ".join("abcdefghijklmnopqrst"),
        " ".join("abcdefghijk123456789"),
    ]  # 22 of 40: 0.55, whose float is more
    assert hfclean.selection.novel(rows_of(halves), threshold=0.55).dropped == (Dropped(1, 0, 0.55),)
    # as like the one as the other: the first of them
    assert hfclean.selection.novel(rows_of(["a b c d", "e f g h", "a b e f"]), threshold=0.5).dropped == (
        Dropped(2, 0, 0.5),
    )
    assert hfclean.selection.novel(rows_of(["a b", "A, B!", "b a"]), threshold=1).kept == (0, 2)


def test_at_the_threshold_itself_a_row_is_dropped_or_kept_as_is_asked() -> None:
    texts = ["a b c d e f g h i j", "a b c d e f g x y z", "a b c d e f g h y z"]  # .7, .8 and .9 of an earlier one
    found = hfclean.selection.novel(rows_of(texts), threshold=0.7, boundary="above")
    assert (found.kept, found.dropped) == ((0, 1), (Dropped(2, 1, 0.9),))
    assert "1 (33.3 %) dropped above ROUGE-L 0.7;" in found.summary()
    same = hfclean.selection.novel(rows_of(["a b", "a b", "b a"]), threshold=1, boundary="above")
    assert (same.kept, same.dropped) == ((0, 1, 2), ())
    again = hfclean.selection.novel(rows_of(texts), threshold=0.7)
    assert (again.kept, again.boundary) == ((0,), "from")
    assert "dropped at ROUGE-L 0.7 or more;" in again.summary()


@given(SENTENCES, st.sampled_from([30, 50, 67, 85, 100]))
def test_the_gate_above_a_threshold_is_the_plain_loop(texts: list[str], percent: int) -> None:
    kept: list[int] = []
    for index, text in enumerate(texts):
        # rounded, since a share that is a hundredth exactly may be a little more or less as a float
        if not any(round(rouge_l(text, texts[other]), 9) > percent / 100 for other in kept):
            kept.append(index)
    assert list(hfclean.selection.novel(rows_of(texts), threshold=percent / 100, boundary="above").kept) == kept


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ("A two-day trip", "a two day trip", 1.0),  # two, day
        ("It's Ann's", "it s ann s!", 1.0),
        ("don't stop", "dont stop", 2 * 1 / 5),  # don, t, stop | dont, stop
        ("naïve café", "na ve caf", 1.0),  # letters with accents part words
        ("今天 3 km", "昨天 3 km", 1.0),
        ("snake_case", "snake case", 1.0),
        ("", "...", 0.0),
    ],
)
def test_words_are_those_of_rouge_score_where_that_is_asked(first: str, second: str, wanted: float) -> None:
    assert rouge_l(first, second, tokens="rouge_score") == pytest.approx(wanted)
    rows = rows_of([first, second])
    for threshold in (0.99, 0.4):
        found = hfclean.selection.novel(rows, threshold=threshold, tokens="rouge_score")
        assert (len(found.dropped) == 1) == (wanted >= threshold)


def test_rows_that_are_alike_go_to_the_first_and_nothing_else_of_it_counts() -> None:
    texts = ["sing a song", "sing a song", "sing a song now", "", "", "other words here"]
    found = hfclean.selection.novel(rows_of(texts), threshold=0.85)
    assert found.kept == (0, 3, 4, 5)
    assert [each.of for each in found.dropped] == [0, 0]
    assert found.drop_rate == pytest.approx(2 / 6)
    assert "4 of 6 rows kept, 2 (33.3 %) dropped at ROUGE-L 0.85 or more; 2 without words" in found.summary()
    assert hfclean.selection.novel([]).kept == ()
    assert math.isnan(hfclean.selection.novel([]).drop_rate)
    assert "0 of 0 rows" in hfclean.selection.novel([]).summary()


def test_texts_that_are_there_already_count_as_kept() -> None:
    rows = rows_of(["sing a song", "tell a joke"])
    for against in (
        ["x", "Sing a song!"],
        rows_of(["x", "Sing a song!"]),
        Dataset.from_list(rows_of(["x", "sing a song"])),
    ):
        found = hfclean.selection.novel(rows, against=against)
        assert found.kept == (1,)
        assert found.dropped == (Dropped(0, -2, 1.0),)


def test_the_field_says_what_is_compared() -> None:
    rows = [
        {"instruction": "Translate this", "input": "good day", "output": "guten Tag", "topic": "a b"},
        {"instruction": "Translate this", "input": "two red apples", "output": "guten Tag", "topic": "c d"},
    ]
    kept = {
        field: len(hfclean.selection.novel(rows, field=field).kept)
        for field in ("instruction", "prompt", "response", "topic")
    }
    assert kept == {"instruction": 1, "prompt": 2, "response": 1, "topic": 2}
    assert hfclean.selection.novel(Dataset.from_list(rows), field="topic").kept == (0, 1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"threshold": 0}, "threshold=0"),
        ({"threshold": 1.01}, "threshold=1.01"),
        ({"threshold": math.nan}, "threshold=nan"),
        ({"threshold": True}, "threshold=True"),
        ({"threshold": "0.7"}, "threshold='0.7'"),
        ({"field": "titel"}, "field='titel': no such column; expected one, or instruction"),
        ({"against": "a text"}, "got a str"),
        ({"boundary": "below"}, "boundary='below'.: expected 'from' or 'above'"),
        ({"tokens": "bpe"}, r"novel\(tokens='bpe'\): expected 'hfclean' or 'rouge_score'"),
    ],
)
def test_a_gate_that_cannot_be_says_why(how: dict[str, Any], message: str) -> None:
    with pytest.raises(HfcleanError, match=message):
        hfclean.selection.novel(rows_of(["a", "b"]), **how)


@pytest.mark.realdata
def test_the_gate_is_the_plain_loop_on_real_rows(realdata: Callable[[str], Path]) -> None:
    with realdata("alpaca_6k.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(250), lines, strict=False)]
    rows += [{**row, "instruction": row["instruction"].upper() + " please"} for row in rows[:60]]
    found = hfclean.selection.novel(rows, threshold=0.85)
    kept, dropped = plain_gate([row["instruction"] for row in rows], 85)
    assert (list(found.kept), list(found.dropped)) == (kept, dropped)
    assert dropped


# ------------------------------------------------------------------------------------------------------------- batches


def vectors(count: int, groups: int, *, seed: int = 0) -> tuple[list[list[float]], list[int]]:
    """Points around well separated centers, group after group."""
    chance = random.Random(seed)
    labels = sorted(chance.randrange(groups) for _ in range(count))
    return [[10.0 * (k == label) + chance.gauss(0, 0.3) for k in range(groups)] for label in labels], labels


def dataset(points: list[Any], **more: Any) -> Dataset:
    texts = [f"topic{k} line{k}" for k in range(len(points))]
    return Dataset.from_dict({"prompt": texts, "completion": texts, "embedding": points, **more})


def test_batches_take_one_of_each_cluster_in_turn_and_are_more_varied() -> None:
    points, labels = vectors(203, 8)
    ds = dataset(points)
    found = hfclean.selection.diverse_batches(ds, 8)
    assert [len(batch) for batch in found.batches] == [8] * 25 + [3]
    assert sorted(found.order) == list(range(203))
    assert len({*zip(found.labels, labels, strict=True)}) == 8  # the clusters are those that were made
    sizes = Counter(labels)
    for batch in found.batches[:-1]:
        for label, count in Counter(labels[index] for index in batch).items():
            assert count in (sizes[label] // 25 - 1, sizes[label] // 25, -(-sizes[label] // 25))
    assert found.after > found.before_shuffled > found.before
    assert found.after > 0.93
    assert found.before < 0.3
    assert hfclean.selection.diverse_batches(ds, 8) == found
    assert hfclean.selection.diverse_batches(ds, 8, seed=1).order != found.order


def test_the_figure_is_the_mean_distance_of_two_rows_of_a_batch() -> None:
    points, _ = vectors(30, 3)
    found = hfclean.selection.diverse_batches(dataset(points), 4)
    units = [[x / math.hypot(*point) for x in point] for point in points]

    def distance(batches: list[list[int]]) -> float:
        means = []
        for batch in batches:
            pairs = [(a, b) for k, a in enumerate(batch) for b in batch[:k]]
            means.append(sum(1 - sum(map(lambda x, y: x * y, units[a], units[b])) for a, b in pairs) / len(pairs))
        return sum(means) / len(means)

    assert found.after == pytest.approx(distance([list(batch) for batch in found.batches]))
    assert found.before == pytest.approx(distance([list(range(k, min(k + 4, 30))) for k in range(0, 30, 4)]))


@given(st.lists(st.integers(-1, 4), max_size=60), st.integers(1, 9), st.integers(0, 3))
def test_spread_deals_every_label_out_evenly(labels: list[int], size: int, seed: int) -> None:
    batches = spread(labels, size, seed)
    full, left = divmod(len(labels), size)
    assert [len(batch) for batch in batches] == [size] * full + ([left] if left else [])
    assert sorted(place for batch in batches for place in batch) == list(range(len(labels)))
    for label in set(labels):
        counts = [sum(labels[place] == label for place in batch) for batch in batches[:full]]
        assert not counts or max(counts) - min(counts) <= 1
        if left:
            share = sum(labels[place] == label for place in batches[-1])
            assert abs(share - left * labels.count(label) / len(labels)) <= 1


def test_repeated_rows_are_dropped_and_rows_without_a_vector_come_anyway() -> None:
    points: list[Any] = [[1.0, 0.0], [0.0, 1.0], None, [math.nan, 1.0], [0.0, 0.0], [1.0, 0.1], [0.1, 1.0]]
    ds = dataset(points)
    ds = ds.add_column("instruction_copy", ["x"] * 7)
    found = hfclean.selection.diverse_batches(ds, 2)
    assert found.unplaced == 3
    assert [found.labels[k] for k in (2, 3, 4)] == [-1, -1, -1]
    assert sorted(found.order) == list(range(7))
    repeated = Dataset.from_list([*ds.to_list(), {**ds[0], "prompt": "Topic0, line0!"}])
    again = hfclean.selection.diverse_batches(repeated, 2)
    assert again.novelty.dropped == (Dropped(7, 0, 1.0),)
    assert again.labels[7] == -1
    assert again.order_column()[7] == -1
    assert 7 not in again.order
    assert 7 in hfclean.selection.diverse_batches(repeated, 2, threshold=None).order
    assert "7 of 8 rows kept" in again.summary()
    assert "3 rows without a vector" in again.summary()


def test_order_and_its_column_agree() -> None:
    points, _ = vectors(20, 4)
    ds = dataset(points)
    found = hfclean.selection.diverse_batches(ds, 4)
    column = found.order_column()
    assert [found.order[place] for place in column] == list(range(20))
    assert ds.select(found.order)["prompt"][3] == ds["prompt"][column.index(3)]


def test_labels_of_ones_own_need_no_vectors() -> None:
    ds = Dataset.from_dict(
        {"prompt": list("abcdef"), "completion": list("abcdef"), "kind": ["m", "m", "m", "s", "s", None]}
    )
    found = hfclean.selection.diverse_batches(ds, 2, clusters="kind")
    assert found.labels == (0, 0, 0, 1, 1, -1)
    assert found.unplaced == 1
    # three batches; every one has an m, and its other is no m
    assert all(sum(k < 3 for k in batch) == 1 for batch in found.batches)
    assert (found.before, found.after) == (0.5, 1.0)


@pytest.mark.parametrize("count", [0, 1])
def test_few_rows_are_no_error(count: int) -> None:
    ds = dataset([[1.0, 0.0]]).select(range(count))
    found = hfclean.selection.diverse_batches(ds, 3)
    assert found.order == list(range(count))
    assert math.isnan(found.after)
    assert list(found.batch_sampler()) == [[0]] * count


def test_rows_that_are_all_equal_make_one_cluster() -> None:
    found = hfclean.selection.diverse_batches(dataset([[1.0, 2.0]] * 9), 4)
    assert set(found.labels) == {0}
    assert found.after == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "how", "error", "message"),
    [
        (None, {"batch_size": 0}, HfcleanError, "batch_size=0"),
        (None, {"batch_size": 2, "clusters": 0}, HfcleanError, "clusters=0"),
        (None, {"batch_size": 2, "clusters": "kind"}, ColumnError, "no such column"),
        (None, {"batch_size": 2, "clusters": "embedding"}, ColumnError, "holds lists, not labels"),
        (None, {"batch_size": 2, "embedding": "vector"}, ColumnError, "Add it first"),
        (None, {"batch_size": 2, "embedding": "prompt"}, ColumnError, "holds string; expected one list of numbers"),
        (None, {"batch_size": 2, "clusters": 1.5}, HfcleanError, r"clusters=1.5\): expected a whole number"),
        (None, {"batch_size": 2, "seed": "a"}, HfcleanError, "seed='a'"),
        ([[1.0], [1.0, 2.0]], {"batch_size": 2}, ColumnError, "different lengths"),
        (None, {"batch_size": 2, "threshold": 2}, HfcleanError, "threshold=2"),
    ],
)
def test_batches_that_cannot_be_say_why(change: Any, how: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        hfclean.selection.diverse_batches(dataset(change or [[1.0, 0.0], [0.0, 1.0]]), **how)
    with pytest.raises(HfcleanError, match="one split at a time"):
        hfclean.selection.diverse_batches({"train": 1}, 2)


# ------------------------------------------------------------------------------------------------------------ samplers


@pytest.mark.needs_extra("models", "torch")
def test_samplers_feed_a_loader_batch_by_batch_and_reshuffle_batches_only() -> None:
    from torch.utils.data import DataLoader

    points, _ = vectors(22, 4)
    ds = dataset(points).add_column("id", list(range(22))).select_columns(["id"])
    found = hfclean.selection.diverse_batches(dataset(points), 4)
    wanted = [sorted(batch) for batch in found.batches]
    batch_sampler = found.batch_sampler()
    loaded = [sorted(batch["id"].tolist()) for batch in DataLoader(ds, batch_sampler=batch_sampler)]
    assert loaded == wanted
    one_by_one = DataLoader(ds, sampler=found.sampler(), batch_size=4)
    assert [sorted(batch["id"].tolist()) for batch in one_by_one] == wanted
    second = [sorted(batch["id"].tolist()) for batch in one_by_one]
    assert second != wanted
    assert sorted(second) == sorted(wanted)
    assert second[-1] == wanted[-1]  # the one that is not full stays where it cuts nothing
    assert (len(batch_sampler), len(found.sampler())) == (6, 22)
    batch_sampler.set_epoch(1)
    assert [sorted(batch) for batch in batch_sampler] == second
    batch_sampler.set_epoch(0)
    assert [sorted(batch) for batch in batch_sampler] == wanted


def test_no_rows_are_no_batches_in_every_epoch() -> None:
    sampler = hfclean.selection.diverse_batches(dataset([[1.0, 0.0]]).select([]), 4).sampler()
    assert [list(sampler), list(sampler)] == [[], []]


def test_vectors_of_any_length_are_compared_by_direction() -> None:
    found = hfclean.selection.diverse_batches(dataset([[1e200, 0.0], [0.0, 1e-200]]), 2, threshold=None)
    assert (found.after, found.unplaced) == (1.0, 0)
    assert found.summary().startswith("2 of 2 rows kept: no gate")
