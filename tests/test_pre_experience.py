"""Which rows a model sees before it scores the others: clusters of instructions, and the middle of each."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
from extras import needs

needs("embed", "sklearn")

import numpy as np
from datasets import Dataset, DatasetDict

import hfclean
from hfclean.errors import ColumnError, HfcleanError, MissingExtraError
from hfclean.selection import experience as room

nan = math.nan
GROUPS, EACH = 4, 20


def dataset(*, groups: int = GROUPS, each: int = EACH) -> Dataset:
    """Groups of vectors far from each other, each with the perplexities 0, 1, 2, ... shuffled."""
    chance = np.random.default_rng(0)
    vectors = [[100.0 * g, 0.0, float(chance.normal())] for g in range(groups) for _ in range(each)]
    values = [float(v) for _ in range(groups) for v in chance.permutation(each)]
    order = chance.permutation(len(vectors))
    return Dataset.from_dict(
        {
            "group": [int(k) // each for k in order],
            "embedding": [vectors[k] for k in order],
            "ppl_prompt": [values[k] for k in order],
        }
    )


@pytest.mark.parametrize("count", [1, 3, 5, 10, 20, 50])
def test_every_cluster_gives_its_share_from_the_middle_of_its_perplexities(count: int) -> None:
    ds = dataset()
    found = hfclean.selection.pre_experience(ds, clusters=GROUPS, per_cluster=count, ppl="ppl_prompt")
    assert found == sorted(set(found))
    # of 0 to 19, the 25th percentile is 4.75 and the 75th 14.25: from 5 to 14, in the order of the dataset, every
    # third or so from the first one on
    for group in range(GROUPS):
        rows = [k for k in range(len(ds)) if ds[k]["group"] == group]
        middle = [k for k in rows if 5 <= ds[k]["ppl_prompt"] <= 14]
        wanted = {1: [0], 3: [0, 3, 6], 5: [0, 2, 4, 6, 8]}.get(count, list(range(10)))
        assert [k for k in found if k in rows] == ([middle[n] for n in wanted] if count <= 20 else rows)


@pytest.mark.parametrize("count", [1, 3, 5, 10, 19, 50])
def test_the_steps_go_up_the_perplexities_where_that_is_asked(count: int) -> None:
    ds = dataset()
    found = hfclean.selection.pre_experience(
        ds, clusters=GROUPS, per_cluster=count, ppl="ppl_prompt", order="perplexity"
    )
    wanted = {1: [5], 3: [5, 8, 11], 5: [5, 7, 9, 11, 13]}.get(count, list(range(5, 15) if count < 20 else range(20)))
    for group in range(GROUPS):
        assert sorted(ds[k]["ppl_prompt"] for k in found if ds[k]["group"] == group) == wanted


def test_without_perplexities_the_nearest_to_the_middle_are_taken() -> None:
    ds = dataset()
    found = hfclean.selection.pre_experience(ds, clusters=GROUPS, per_cluster=3)
    for group in range(GROUPS):
        members = [k for k in range(len(ds)) if ds[k]["group"] == group]
        places = np.array([ds[k]["embedding"] for k in members])
        far = np.linalg.norm(places - places.mean(0), axis=1)
        assert sorted(k for k in found if k in members) == sorted(members[n] for n in np.argsort(far)[:3])


def test_the_same_seed_gives_the_same_rows_whatever_the_format() -> None:
    ds = dataset()
    chance = np.random.default_rng(1)
    ds = ds.remove_columns("embedding").add_column("mine", chance.normal(size=(len(ds), 8)).tolist())
    found = hfclean.selection.pre_experience(ds, clusters=7, per_cluster=2, by="mine", ppl="ppl_prompt")
    for kind in ("numpy", "pandas", "arrow"):
        again = hfclean.selection.pre_experience(
            ds.with_format(kind), clusters=7, per_cluster=2, by="mine", ppl="ppl_prompt"
        )
        assert again == found
    assert hfclean.selection.pre_experience(
        ds, clusters=7, per_cluster=2, by="mine", seed=1
    ) != hfclean.selection.pre_experience(ds, clusters=7, per_cluster=2, by="mine")
    assert all(type(k) is int for k in found)


def test_rows_without_a_vector_or_a_perplexity_are_never_taken() -> None:
    vectors = [[0.0, 0.0], [nan, nan], [0.0, 1.0], None, [9.0, 9.0], [9.0, 8.0]]
    ds = Dataset.from_dict({"embedding": vectors, "ppl_prompt": [1.0, 2.0, None, 4.0, nan, 6.0]})
    assert hfclean.selection.pre_experience(ds, clusters=2, per_cluster=9) == [0, 2, 4, 5]
    assert hfclean.selection.pre_experience(ds, clusters=2, per_cluster=9, ppl="ppl_prompt") == [0, 5]
    with pytest.raises(HfcleanError, match="only 2 of 6 rows have a vector and a finite perplexity; take fewer"):
        hfclean.selection.pre_experience(ds, clusters=3, ppl="ppl_prompt")


def test_a_cluster_with_nothing_in_its_middle_gives_the_row_next_to_its_median() -> None:
    ds = Dataset.from_dict({"embedding": [[0.0], [0.1], [9.0], [9.1]], "ppl_prompt": [8, 5, 1, 2]})
    assert hfclean.selection.pre_experience(ds, clusters=2, per_cluster=1, ppl="ppl_prompt") == [1, 2]


def test_equal_rows_leave_clusters_empty_and_nothing_twice() -> None:
    ds = Dataset.from_dict({"embedding": [[1.0, 1.0]] * 6})
    assert hfclean.selection.pre_experience(ds, clusters=3, per_cluster=2) == [0, 1]


def test_vectors_that_are_not_there_are_computed_from_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"instruction": text, "input": "", "output": "x"} for text in ("a", "aa", "b" * 50, "b" * 51)]
    seen: list[Any] = []

    class Lengths:
        def __init__(self, **settings: Any) -> None:
            assert settings == {"text": "prompt"}

        def __call__(self, batch: Any) -> dict[str, Any]:
            seen.append(len(batch["instruction"]))
            return {"embedding": [[float(len(text))] for text in batch["instruction"]]}

    monkeypatch.setattr(room, "Embed", Lengths)
    monkeypatch.setattr(room, "AT_ONCE", 3)
    found = hfclean.selection.pre_experience(Dataset.from_list(rows), clusters=2, per_cluster=1)
    assert (found, seen) == ([0, 2], [3, 1])


def test_what_cannot_be_picked_from_is_refused_with_the_next_move(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = dataset(groups=1, each=3)
    pick = hfclean.selection.pre_experience
    for settings in ({"clusters": 0}, {"clusters": True}, {"per_cluster": 0}, {"per_cluster": 1.5}):
        with pytest.raises(HfcleanError, match="expected 1 or more"):
            pick(ds, **settings)  # type: ignore[arg-type]
    with pytest.raises(HfcleanError, match=r"order='random'.: expected 'dataset' or 'perplexity'"):
        pick(ds, order="random")  # type: ignore[arg-type]
    with pytest.raises(HfcleanError, match="one split at a time"):
        pick(DatasetDict({"train": ds}))
    with pytest.raises(HfcleanError, match="only 3 of 3 rows have a vector; take fewer clusters"):
        pick(ds)
    with pytest.raises(ColumnError, match=r"no column 'x' in .*ds.map\(hfclean.scorers.Embed\(text='prompt'\)"):
        pick(ds, by="x")
    with pytest.raises(ColumnError, match=r"no column 'x' in .*Perplexity\(model, of='prompt'\)"):
        pick(ds, clusters=1, ppl="x")
    with pytest.raises(ColumnError, match="holds int64; expected one list of numbers"):
        pick(ds, clusters=1, by="group")
    odd = Dataset.from_dict({"embedding": [[1.0], [1.0, 2.0]], "ppl_prompt": ["a", "b"]})
    with pytest.raises(ColumnError, match="different lengths; expected one length"):
        pick(odd, clusters=1)
    with pytest.raises(ColumnError, match="holds no numbers"):
        pick(ds.remove_columns("ppl_prompt").add_column("ppl_prompt", ["a"] * 3), clusters=1, ppl="ppl_prompt")
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hfclean\[embed\]'"):
        pick(ds, clusters=1)


def test_the_perplexity_of_an_instruction_is_that_of_its_text_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("models", "torch")
    from hfclean.models import process
    from hfclean.testing_models import tiny_model

    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    folder = str(tiny_model(tmp_path / "m"))
    row = {"instruction": "Name a fruit.", "input": "An apple", "output": "x"}
    out = hfclean.scorers.Perplexity(folder, of="prompt")(row)
    alone = hfclean.scorers.Perplexity(folder, given=False)({"prompt": "", "completion": "Name a fruit.\nAn apple"})
    assert out["ppl_prompt"] == pytest.approx(alone["ppl_alone"], rel=1e-6)
    assert out["ppl_prompt_reason"] == ""
    assert (
        hfclean.scorers.Perplexity(folder, of="prompt")({**row, "instruction": "", "input": ""})["ppl_prompt_reason"]
        == "empty"
    )
    with pytest.raises(HfcleanError, match="expected 'response' or 'prompt'"):
        hfclean.scorers.Perplexity(folder, of="answer")  # type: ignore[arg-type]
    process.close()
