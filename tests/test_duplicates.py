"""Duplicates: the same pairs as the plain definition, one of every group kept, odd rows where they belong."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

import hfclean
from hfclean import passes
from hfclean.errors import ColumnError, HfcleanError
from hfclean.selection import duplicates, minhash, near_duplicates, shingle_joins, shingles, vector_cells
from hfclean.selection.duplicates import duplicate_groups
from hfclean.selection.near_duplicates import near_pairs
from hfclean.text import CJK

TEXT = "the a of apples pears red green is are was Ein Haus café NAÏVE नमस्ते दुनिया 7 don't 今 天 気 ไทย"
WORDS = TEXT.split()
ODD = [
    "",
    " \n",
    "?!",
    "?!",
    "...",
    "hi",
    "Hi!",
    "HI there",
    "hi, there",
    "你好世界今天天气",
    "你好世界今天天气很好",
    "ＡＢＣ",
    "abc",
]


def plain_words(text: str) -> list[str]:
    """The words of a text, one character at a time."""
    found, word = [], ""
    for character in shingles.fold(text) + "\n":
        alone = bool(CJK.match(character))
        if not alone and (character.isalnum() or unicodedata.category(character)[0] == "M"):
            word += character
            continue
        found += [word] * bool(word) + [character] * alone
        word = ""
    return found


def plain_set(text: str, n: int) -> set[Any]:
    words = plain_words(text)
    return (
        {tuple(words[k : k + n]) for k in range(max(1, len(words) - n + 1))}
        if words
        else {shingles.fold(text).strip()}
    )


def plain_pairs(texts: list[str], threshold: float, n: int) -> dict[tuple[int, int], float]:
    sets = [plain_set(text, n) for text in texts]
    every = {(a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for b in range(len(sets)) for a in range(b)}
    return {pair: share for pair, share in every.items() if share >= threshold}


def random_texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = list(ODD)
    while len(texts) < count:
        words = rng.choices(WORDS, k=rng.choice([1, 2, 3, 5, 8, 20, 60]))
        texts.append(" ".join(words))
        for _ in range(rng.choice([0, 0, 1, 3])):
            words[rng.randrange(len(words))] = rng.choice(WORDS)
            texts.append(rng.choice([" ", ", "]).join(words).upper())
    rng.shuffle(texts)
    return texts[:count]


def rows_of(texts: list[str], **columns: Any) -> Dataset:
    return Dataset.from_dict({"prompt": texts, "completion": [""] * len(texts), **columns})


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("n", [1, 3, 5])
def test_the_join_finds_exactly_the_pairs_of_the_definition(threshold: float, n: int) -> None:
    texts = random_texts(160, n)
    found = near_pairs(texts, threshold, n)
    wanted = plain_pairs(texts, threshold, n)
    assert len(wanted) > 3
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == sorted(wanted)
    assert found.similarity.tolist() == pytest.approx([wanted[pair] for pair in sorted(wanted)])


@pytest.mark.realdata
def test_the_join_finds_every_pair_among_real_rows(realdata: Callable[[str], Path]) -> None:
    rows = [json.loads(line) for line in realdata("expert_revisions_1800.jsonl").read_text().splitlines()[:400]]
    texts = [f"{row[side + '_instruction']}\n{row[side + '_output']}" for row in rows for side in ("raw", "revised")]
    sets = [plain_set(text, 3) for text in texts]
    holders: dict[Any, list[int]] = {}
    for k, own in enumerate(sets):
        for each in own:
            holders.setdefault(each, []).append(k)
    pairs = {(a, b) for found in holders.values() for n, b in enumerate(found) for a in found[:n]}
    wanted = {(a, b) for a, b in pairs if len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= 0.7}
    found = near_pairs(texts)
    assert len(wanted) > 20
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == wanted


def test_minhash_has_no_false_pair_and_few_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = random_texts(300, 5)
    wanted = set(plain_pairs(texts, 0.7, 2))
    monkeypatch.setattr(near_duplicates, "EXACT_UP_TO", 10)
    found = near_pairs(texts, 0.7, 2)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs <= wanted
    assert len(pairs) >= 0.97 * len(wanted)
    report = hfclean.dedupe(rows_of(texts), ngram=2).report
    assert not report.complete
    assert hfclean.dedupe(rows_of(texts), ngram=2, complete=True).report.complete
    assert "MinHash" in report.summary()


def test_rows_of_few_different_texts_are_compared_completely_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "EXACT_UP_TO", 10)
    for different, complete in ((10, True), (11, False)):
        found = duplicate_groups(rows_of([f"row {k % different} of them" for k in range(40)]), ngram=2)
        assert (found.complete, "MinHash" in found.summary()) == (complete, not complete)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_the_bands_see_nearly_every_pair_at_the_threshold(threshold: float) -> None:
    bands, rows = minhash.BANDS if threshold == 0.7 else minhash.bands_for(threshold)
    assert minhash.chance(threshold, bands, rows) >= 0.98
    assert bands * rows <= 260


def test_rows_of_one_kind_do_not_take_the_square_of_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"Please add the numbers of this list and explain each of the steps to a child {k}" for k in range(6000)]
    made, expand = [], shingle_joins.expand

    def counted(starts: Any, counts: Any) -> Any:
        made.append(int(counts.sum()))
        return expand(starts, counts)

    monkeypatch.setattr(shingle_joins, "expand", counted)
    assert hfclean.dedupe(rows_of(texts)) == [0]
    assert sum(made) < 100 * len(texts)


def test_long_words_and_rare_characters_are_read() -> None:
    long = "x" * 3000
    assert near_pairs(
        [long, long + "y", long, "𠀀𠀁", "𠀀𠀁𠀂", "𝐀bc 👍", "Abc", "a\u200bbc"], 0.9, 3
    ).first.tolist() == [0, 5, 5, 6]


def test_the_numbers_of_a_text_never_change() -> None:
    found = shingles.words(["Hello, wörld 今天!"])
    assert found.starts.tolist() == [0, 4]
    assert [hex(int(each)) for each in found.hashes] == [
        "0x2d2f3469e2111831",
        "0x4671ceac971fadb4",
        "0xa317eae12bb690e0",
        "0x971587f14d657b6",
    ]


# ------------------------------------------------------------------------------------------------------------- groups


def test_a_group_keeps_its_best_row_and_never_loses_all() -> None:
    texts = ["one two three four", "One, two, three, four!", "something else", "ONE TWO THREE FOUR"]
    ds = rows_of(texts, score=[1.0, 3.0, None, 3.0])
    found = duplicate_groups(ds, best="score")
    assert (found.groups, found.best, found.kept, found.dropped) == (((0, 1, 3),), (1,), (1, 2), (0, 3))
    assert found.duplicate_of() == {0: 1, 3: 1}
    assert hfclean.dedupe(ds) == [0, 2]
    assert ds.select(hfclean.dedupe(ds, best="score"))["prompt"][:] == [texts[1], texts[2]]
    assert "1 rows have no 'score'" in found.summary()
    assert json.loads(json.dumps(found.to_dict()))["groups"] == [[0, 1, 3]]


def test_rows_without_a_score_lose_to_those_with_one() -> None:
    nan = float("nan")
    ds = rows_of(["a b c"] * 3, score=[nan, -5.0, nan], none=[nan] * 3)
    assert hfclean.dedupe(ds, best="score") == [1]
    assert hfclean.dedupe(ds, best="none") == [0]


@pytest.mark.parametrize("method", ["exact", "near"])
def test_odd_rows(method: Any) -> None:
    assert hfclean.dedupe(rows_of([]), method) == []
    assert hfclean.dedupe(rows_of(["x"]), method) == [0]
    assert hfclean.dedupe(rows_of(["same words here"] * 50), method) == [0]
    found = hfclean.dedupe(rows_of(["", "", "?!", "hi"]), method)
    assert found == [0, 2, 3]
    assert "2 rows have no text" in found.report.summary()


def test_short_rows_are_not_all_one() -> None:
    texts = [f"w{k}" for k in range(436)]
    assert len(hfclean.dedupe(rows_of(texts), ngram=5)) == 436


def test_exact_minds_every_letter_and_every_turn() -> None:
    chat = [
        [{"role": "user", "content": q}, {"role": "assistant", "content": "Yes."}] * 2
        for q in ("Go", "Go", "go", "Run")
    ]
    ds = Dataset.from_dict({"messages": [*chat, [{"role": "system", "content": "s"}, *chat[0]]]})
    assert hfclean.dedupe(ds, "exact") == [0, 2, 3, 4]
    assert hfclean.dedupe(ds, "near") == [0, 3, 4]  # another system prompt asks for another answer


def test_fields_are_columns_or_parts_of_the_pair() -> None:
    rows = [{"instruction": "a b c", "input": "", "output": str(k), "tag": "t t t"} for k in range(3)]
    ds = Dataset.from_list(rows)
    assert hfclean.dedupe(ds, fields="instruction") == hfclean.dedupe(ds, fields=["tag"]) == [0]
    assert hfclean.dedupe(ds, "exact", fields=["instruction", "response"]) == [0, 1, 2]
    with pytest.raises(ColumnError, match="no such field"):
        hfclean.dedupe(ds, fields="nope")


def test_semantic_duplicates_are_those_of_the_definition() -> None:
    generator = np.random.default_rng(3)
    points = generator.normal(size=(8, 6))[generator.integers(8, size=120)] + 0.2 * generator.normal(size=(120, 6))
    points[7] = 0
    points[9] = np.nan
    points[11] = points[10] * 1e30
    ds = rows_of(["x"] * 120, embedding=[None if k == 5 else row for k, row in enumerate(points.tolist())])
    with np.errstate(invalid="ignore"):
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    labels = list(range(120))
    for b in range(120):
        for a in range(b):
            if not {a, b} & {5, 7, 9} and round(float(unit[a] @ unit[b]), 9) >= 0.97:
                low, high = sorted((labels[a], labels[b]))
                labels = [low if label == high else label for label in labels]
    found = hfclean.dedupe(ds, "semantic", 0.97)
    assert found == [k for k in range(120) if labels[k] == k]
    assert 10 < len(found) < 110
    assert "2 rows have no vector" in found.report.summary()
    assert "1 rows have a vector of zeros" in found.report.summary()


def near_copies(count: int, width: int) -> Any:
    """Points of length one in twenty clusters, every third close to the one before it."""
    generator = np.random.default_rng(5)
    points = generator.normal(size=(20, width))[generator.integers(20, size=count)]
    points = points + 0.7 * generator.normal(size=(count, width))
    points[2::3] = points[1::3][: len(points[2::3])] + 0.25 * generator.normal(size=(len(points[2::3]), width))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_cells_find_nearly_all_similar_vectors_and_no_others() -> None:
    points = near_copies(900, 48)
    ds = rows_of(["x"] * 901, embedding=[None, *points.tolist()])
    whole = hfclean.selection.duplicate_groups(ds, "semantic", 0.9)
    cells = hfclean.selection.duplicate_groups(ds, "semantic", 0.9, complete=False)
    assert whole.complete
    assert not cells.complete
    assert "nearest cells" in cells.summary()
    assert "nearest cells" not in whole.summary()
    assert cells.notes == whole.notes == ("1 rows have no vector, or nan in it: compared with nobody, and kept",)
    home = {row: group for group in whole.groups for row in group}
    for group in cells.groups:
        assert {home.get(row) for row in group} == {home[group[0]]}
    assert len(whole.dropped) > 250
    assert 0.98 * len(whole.dropped) <= len(cells.dropped) <= len(whole.dropped)


def test_cells_compare_equal_vectors_once(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.tile(near_copies(4, 8)[[0, 3]], (500, 1)).astype(np.float32)
    sizes, nearest = [], vector_cells._nearest
    monkeypatch.setattr(vector_cells, "_nearest", lambda some, *rest: sizes.append(len(some)) or nearest(some, *rest))
    together = shingle_joins.Components(len(points))
    for first, second in vector_cells.likely(points, 0.999, together):
        together.join(first, second)
    assert together.labels.tolist() == [0, 1] * 500
    assert max(sizes) == 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_cells_take_few_vectors(count: int) -> None:
    ds = rows_of(["x"] * count, embedding=[[1.0, 0.0]] * count)
    if count:
        assert hfclean.dedupe(ds, "semantic", 0.9, complete=False) == [0]
    assert list(vector_cells.likely(np.empty((0, 0), np.float32), 0.9, shingle_joins.Components(0))) == []


@pytest.mark.parametrize(("threshold", "kept"), [(0.6, [0]), (0.6 + 2e-9, [0, 1]), (0.8, [0, 1])])
def test_a_cosine_equal_to_the_threshold_is_a_duplicate(threshold: float, kept: list[int]) -> None:
    ds = rows_of(["x"] * 2, embedding=[[1.0, 0.0], [0.6, 0.8]])
    assert hfclean.dedupe(ds, "semantic", threshold) == kept


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "fuzzy"}, "exact, near, semantic"),
        ({"threshold": 0}, "above 0, at most 1"),
        ({"threshold": 1.01}, "above 0, at most 1"),
        ({"threshold": float("nan")}, "above 0, at most 1"),
        ({"ngram": 0}, "1 or more"),
        ({"ngram": 33}, "1 to 32"),
        ({"best": "nope"}, "no column 'nope'"),
        ({"best": "prompt"}, "not numbers"),
        ({"complete": "yes"}, "True, False or None"),
        ({"method": "semantic"}, "hfclean.scorers.Embed"),
        ({"method": "semantic", "complete": False}, "hfclean.scorers.Embed"),
        ({"method": "semantic", "column": "uneven", "complete": False}, "different lengths"),
        ({"method": "semantic", "column": "prompt"}, "list of numbers"),
        ({"method": "semantic", "column": "uneven"}, "different lengths"),
    ],
)
def test_wrong_settings_say_what_was_wanted(settings: dict[str, Any], said: str) -> None:
    ds = rows_of(["a", "b"], uneven=[[1.0], [1.0, 2.0]])
    with pytest.raises(HfcleanError, match=said):
        hfclean.dedupe(ds, **settings)


def test_only_one_whole_dataset_will_do() -> None:
    with pytest.raises(HfcleanError, match="ds\\['train'\\]"):
        hfclean.dedupe(DatasetDict({"train": rows_of(["a"])}))


def test_pairs_of_very_many_rows_are_counted_by_whole_sets_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'one two three four five ' * (k % 4)}row {k % 9} has {k % 5} words" for k in range(60)]
    runs = shingles.shingles(texts, 2)
    monkeypatch.setattr(shingle_joins, "MEMBERS_AT_ONCE", 50)
    monkeypatch.setattr(passes, "IN_MEMORY", 0)
    ranked, whole = shingle_joins.sets_of(runs), shingle_joins.whole_sets_of(runs)
    first, second = np.triu_indices(60, 1)
    by_rank, by_hash = (shingle_joins.verified(sets, first, second, 0.5) for sets in (ranked, whole))
    assert len(by_rank.first) > 100
    for name in ("first", "second", "similarity"):
        assert getattr(by_rank, name).tolist() == getattr(by_hash, name).tolist()
    assert whole.sizes.tolist() == ranked.sizes.tolist()


def test_groups_of_rows_read_in_several_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"Ask {k % 7} of them"}, {"role": "assistant", "content": "Yes."}]}
        for k in range(40)
    ]
    rows[8]["tools"] = "[{}]"
    ds = Dataset.from_list(rows)
    found = [duplicate_groups(ds, method) for method in ("near", "exact")]
    assert [len(each.groups) for each in found] == [7, 7]
    for module in (duplicates, near_duplicates):
        monkeypatch.setattr(module, "AT_ONCE", 3)
    monkeypatch.setattr(passes, "BATCH", 4)
    assert [duplicate_groups(ds, method) for method in ("near", "exact")] == found
