"""Scores with linear layers in eight bits: near the exact ones, each row's own, and kept apart from them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from extras import needs

needs("models", "torch", "transformers")

import numpy as np
import torch
import transformers

from hfclean.models import ModelError, ModelSpec, process
from hfclean.models.int8 import in_eight_bits, is_in_eight_bits
from hfclean.models.likelihood import Backbone, Sequence_
from hfclean.models.losses import Passage, token_losses
from hfclean.scorers.likelihood import IFD
from hfclean.testing_models import tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
SIZES = {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
ROWS = [Passage(("Name a fruit.\n", ""), "An apple is a fruit."), Passage(("Sea?\n", ""), "The sea is deep.")]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_losses_are_near_the_exact_ones_and_each_sequences_own(name: str) -> None:
    torch.manual_seed(0)
    config: Any = transformers.AutoConfig.for_model(name, **SIZES, initializer_range=0.2)
    exact = transformers.AutoModelForCausalLM.from_config(config).eval()
    model = in_eight_bits(copy.deepcopy(exact), "it")
    replaced = [m for m in model.modules() if isinstance(m, torch.ao.nn.quantized.dynamic.Linear)]
    assert len(replaced) == {"gpt2": 8, "llama": 14}[name]
    assert type(model.get_output_embeddings()) is torch.nn.Linear
    assert (is_in_eight_bits(model), is_in_eight_bits(exact)) == (True, False)
    chance = torch.Generator().manual_seed(1)
    some = [Sequence_(torch.randint(320, (n,), generator=chance).tolist(), 1) for n in (40, 9, 30, 40, 2)]
    backbone = Backbone(model, None)
    found = [losses.values for losses in backbone.losses(some)]
    for sequence, values in zip(some, found, strict=True):
        assert np.array_equal(backbone.losses([sequence])[0].values, values)
    wanted = np.concatenate([losses.values for losses in Backbone(exact, None).losses(some)])
    error = abs(np.concatenate(found) - wanted)
    assert 1e-4 < error.mean() < 0.2


def test_a_model_that_has_nothing_to_replace_or_is_elsewhere_is_refused() -> None:
    config: Any = transformers.AutoConfig.for_model("llama", **SIZES)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.model.layers = torch.nn.ModuleList()
    with pytest.raises(ModelError, match="dtype='int8': it has no linear layers beside its head; leave dtype out"):
        in_eight_bits(model, "it")
    with pytest.raises(ModelError, match="runs on a processor, and it is on meta; add device='cpu'"):
        in_eight_bits(model.to("meta"), "it")


def test_scores_say_that_they_are_in_int8_and_are_kept_apart(tmp_path: Path) -> None:
    folder = str(tiny_model(tmp_path / "tiny", spread=0.1))
    found = {}
    for dtype in ("float32", "int8", "float32"):
        found[dtype] = np.concatenate(
            [v for each in token_losses(ModelSpec(folder, dtype=dtype), ROWS) for v in each.values]
        )
    error = abs(found["int8"] - found["float32"])
    assert 0 < error.max() < 0.5
    assert IFD(folder, dtype="int8").settings()["dtype"] == "int8"
    row = {"instruction": "Name a fruit.", "input": "", "output": "An apple is a fruit."}
    scores = {dtype: IFD(folder, dtype=dtype)(dict(row))["ifd_ppl"] for dtype in ("auto", "float32", "int8")}
    assert scores["auto"] == scores["float32"] != scores["int8"]
    assert scores["int8"] == pytest.approx(scores["auto"], rel=0.3)
