"""Directions in hidden states: where the right one is known, and on a small model by chance."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from extras import needs

needs("models", "torch", "transformers")

import numpy as np
import torch
import transformers
from datasets import Dataset
from datasets.fingerprint import Hasher

import hfclean
from hfclean.models import ModelError, process
from hfclean.scorers.direction import Direction, components_of, pair_accuracy, spearman
from hfclean.testing_models import tiny_model

GOOD = ["An apple is a fruit.", "Paris is the capital of France.", "The sea is deep and blue.", "Guten Morgen!"]
BAD = ["x", "no no no", "???", "the the"]
HELD = (["The capital of France is Paris.", "A poem about the sea."], ["zz", "is is"])


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_model(tmp_path_factory.mktemp("models") / "tiny", layers=3))


def states(model: str, text: str, layer: int) -> np.ndarray:
    """The last token's hidden state, one text at a time and by the model's own forward."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    backbone = transformers.AutoModel.from_pretrained(model).eval()
    with torch.no_grad():
        return backbone(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[layer][0, -1]


# ----------------------------------------------------------------------------------------------------------- formulas


def test_what_all_pairs_have_in_common_is_the_first_component() -> None:
    # centred, these differences would lose just what makes the good texts good
    differences = np.array([[3.0, 0.2, 0.0], [3.0, -0.2, 0.0], [3.0, 0.2, 0.1], [3.0, -0.2, -0.1]])
    first, second, third = components_of(differences, 9)
    assert first.vector == pytest.approx([1, 0, 0], abs=1e-9)
    assert np.abs(second.vector[1]) > 0.9
    assert np.linalg.norm(third.vector) == pytest.approx(1)
    assert len(components_of(differences, 2)) == 2
    assert len(components_of(differences[:1], 4)) == 1
    assert components_of(np.zeros((3, 4)), 4) == []


def test_a_component_is_turned_towards_the_majority_and_not_by_the_order_of_a_pair() -> None:
    differences = np.array([[2.0, 0.0], [2.0, 0.0], [-9.0, 0.0]])
    (found,) = components_of(differences, 4)
    assert found.vector == pytest.approx([1, 0])
    assert components_of(-differences, 1)[0].vector == pytest.approx([-1, 0])
    (even,) = components_of(np.array([[1.0, 0.0], [-5.0, 0.0]]), 1)
    assert even.vector == pytest.approx([-1, 0])  # as many for as against: the mean decides


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0),
        ([1, 2, 3], [30, 20, 10], -1.0),
        ([1, 2, 3], [10, 30, 20], 0.5),
        ([1, 1, 2, 3], [1, 2, 3, 4], 4.5 / math.sqrt(4.5 * 5)),
        ([1, 1, 1], [1, 2, 3], math.nan),
    ],
)
def test_the_rank_correlation(first: list[float], second: list[float], wanted: float) -> None:
    assert spearman(first, second) == pytest.approx(wanted, nan_ok=True)


def test_equal_scores_are_no_agreement() -> None:
    assert pair_accuracy([2.0, 1.0, 3.0, 5.0], [1.0, 1.0, 4.0, 0.0]) == 0.5


# ---------------------------------------------------------------------------------------------------------------- fit


def test_the_score_is_the_product_with_the_hidden_state_of_the_last_token(tiny: str) -> None:
    for layer, at in ((2, 2), (-1, 3), (1, 1)):
        direction = Direction.fit(tiny, GOOD, BAD, layer=layer)
        assert direction.layer == at
        vector = np.array(direction.vector)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        out = direction.score_batch([hfclean.Pair("", "", text) for text in [*GOOD, *BAD]])
        wanted = [float(states(tiny, f"\n\n{text}", at) @ torch.tensor(direction.vector)) for text in [*GOOD, *BAD]]
        assert out["direction"] == pytest.approx(wanted, abs=1e-4)
        agreement = pair_accuracy(wanted[:4], wanted[4:])
        assert direction.found is not None
        assert (direction.found.agreement, direction.found.pairs) == (agreement, 4)
        assert agreement >= 0.5


def test_the_direction_is_the_main_one_of_the_differences(tiny: str) -> None:
    differences = np.stack(
        [states(tiny, f"\n\n{a}", 3) - states(tiny, f"\n\n{b}", 3) for a, b in zip(GOOD, BAD, strict=True)]
    )
    _, vectors = np.linalg.eigh(differences.T.astype(np.float64) @ differences)
    found = np.array(Direction.fit(tiny, GOOD, BAD).vector)
    assert abs(found @ vectors[:, -1]) == pytest.approx(1, abs=1e-5)
    assert (differences @ found > 0).sum() >= 2


def test_held_out_pairs_choose_layer_and_component(tiny: str) -> None:
    direction = Direction.fit(tiny, GOOD, BAD, validation=HELD, components=3)
    assert direction.found is not None
    tried = {}
    for layer in (1, 2, 3):
        one = Direction.fit(tiny, GOOD, BAD, layer=layer, components=3, validation=HELD)
        assert one.found is not None
        tried[layer] = (-(one.found.held_out or 0), one.found.component)
        scores = one.score_batch([hfclean.Pair("", "", text) for side in HELD for text in side])["direction"]
        assert one.found.held_out == pair_accuracy(scores[:2], scores[2:])
    best = min(tried, key=lambda layer: (*tried[layer], layer))
    assert direction.layer == best
    assert direction.found.measure == "pair_accuracy"
    assert Direction.fit(tiny, GOOD, BAD, layer=[best], components=3, validation=HELD) == direction


def test_ratings_choose_by_rank(tiny: str) -> None:
    texts = [*HELD[0], *HELD[1], "Name a fruit."]
    direction = Direction.fit(tiny, GOOD, BAD, validation=texts, ratings=[5, 4, 1, 1, 3])
    assert direction.found is not None
    scores = direction.score_batch([hfclean.Pair("", "", text) for text in texts])["direction"]
    assert direction.found.held_out == pytest.approx(spearman(scores, [5, 4, 1, 1, 3]))
    assert direction.found.measure == "spearman"


def test_rows_pairs_and_texts_are_taken_and_odd_ones_are_named(tiny: str) -> None:
    rows = [{"instruction": "", "output": text} for text in GOOD]
    pairs = [hfclean.Pair("", "", text) for text in BAD]
    assert Direction.fit(tiny, Dataset.from_list(rows), pairs) == Direction.fit(tiny, GOOD, BAD)
    chat = [{"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": text}]} for text in GOOD]
    assert Direction.fit(tiny, chat, BAD) == Direction.fit(tiny, GOOD, BAD)
    for good, bad, more, said in (
        (GOOD, BAD[:3], {}, "4 good and 3 bad texts"),
        ([], [], {}, "0 good"),
        (GOOD, GOOD, {}, "the same hidden states"),
        (["a", " "], ["b", "c"], {}, r"the good text 1 has no hidden state \(empty\)"),
        ([7], ["b"], {}, "got a int; expected rows, Pairs or texts"),
        (GOOD, BAD, {"layer": 4}, "layer=4: .* has the layers 1 to 3"),
        (GOOD, BAD, {"layer": (1, 2)}, "validation= is needed"),
        (GOOD, BAD, {"validation": (GOOD, BAD[:1])}, "4 good and 1 bad"),
        (GOOD, BAD, {"validation": GOOD[:3]}, r"expected \(good, bad\), or texts and ratings="),
        (GOOD, BAD, {"validation": GOOD, "ratings": [1]}, "4 texts and 1 ratings"),
        (GOOD, BAD, {"template": "x"}, "no place for a row's text"),
        (GOOD, BAD, {"name": "a b"}, "column name"),
    ):
        with pytest.raises(hfclean.HfcleanError, match=said):
            Direction.fit(tiny, good, bad, **more)
    with pytest.raises(ModelError, match=r"none yet: Direction\.fit"):
        Direction(tiny)(rows[0])


# ------------------------------------------------------------------------------------------------------- the transform


def test_it_maps_and_is_steady(tiny: str) -> None:
    direction = Direction.fit(tiny, GOOD, BAD, name="likeness")
    key = Hasher.hash(direction)
    rows = [{"instruction": f"Say {k}", "output": text * (k + 1)} for k, text in enumerate([*GOOD, "", *BAD])]
    alone = [direction(row)["likeness"] for row in rows]
    assert math.isnan(alone[4])
    ds = Dataset.from_list(rows)
    for size in (1, 3, 100):
        mapped = ds.map(direction, batched=True, batch_size=size)
        assert mapped["likeness"][:] == pytest.approx(alone, abs=1e-4, nan_ok=True)
        assert mapped["likeness_reason"][:] == ["", "", "", "", "empty", "", "", "", ""]
    few = replace(direction, batch_tokens=1, store=False)
    assert few.score_batch([hfclean.Pair("", "", "x")])["likeness"]
    assert Hasher.hash(direction) == key == Hasher.hash(pickle.loads(pickle.dumps(direction)))
    assert Hasher.hash(replace(direction, vector=direction.vector[::-1])) != key
    told = json.loads(direction(rows[0])["edit_history"])
    assert set(told["settings"]) == {"model", "dtype", "name", "layer", "vector"}
    assert len(told["settings"]["vector"]) == 12
    assert told["model"].startswith("sha256:")
    assert len(repr(direction)) < 600
    assert direction({"instruction": "Long", "output": "word " * 2000})["likeness_reason"] == "too_long"


def test_it_comes_back_from_a_folder(tiny: str, tmp_path: Path) -> None:
    direction = Direction.fit(tiny, GOOD, BAD, validation=HELD, template="{response}", name="likeness")
    folder = direction.save_pretrained(tmp_path / "direction")
    assert sorted(file.name for file in folder.iterdir()) == ["direction.json", "direction.safetensors"]
    back = Direction.from_pretrained(folder)
    assert back == direction
    assert Hasher.hash(back) == Hasher.hash(direction)
    assert Direction.from_pretrained(folder, name="other").name == "other"
    (folder / "direction.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"direction\.safetensors of 'direction' cannot be read"):
        Direction.from_pretrained(folder)
    (folder / "direction.json").write_text('{"format": 99}')
    with pytest.raises(ModelError, match="no direction of this format"):
        Direction.from_pretrained(folder)


def test_another_model_is_refused(tiny: str, tmp_path: Path) -> None:
    own = shutil.copytree(tiny, tmp_path / "own")
    direction = Direction.fit(str(own), GOOD, BAD)
    assert replace(direction, model=tiny)({"instruction": "", "output": "x"})["direction_reason"] == ""
    tiny_model(own, layers=3, seed=5)
    with pytest.raises(ModelError, match="its hidden states differ"):
        direction({"instruction": "", "output": "x"})
