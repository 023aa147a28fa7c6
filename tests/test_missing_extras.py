"""What is not installed is named before anything is fetched for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from extras import needs

import hfclean
from hfclean.errors import MissingExtraError
from hfclean.models.weights import fetch_ahead, find_model
from hfclean.scorers.expected_rating import RatingExpectation
from hfclean.training.tuning import tune

# each is taken away in turn, beside all the others
needs("train", "accelerate", "peft", "torch", "transformers", "trl")

HUB_ID = "nobody/model-for-this-test"
ROW = {"instruction": "Name a fruit.", "input": "", "output": "An apple."}


@pytest.fixture(autouse=True)
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was fetched from the Hub, which gives a folder with an adapter on a base."""
    import huggingface_hub

    asked: list[str] = []

    def snapshot_download(repo_id: str, **_: Any) -> str:
        asked.append(repo_id)
        raise AssertionError(f"{repo_id} was fetched")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", snapshot_download)
    return asked


USES: dict[str, Callable[[], Any]] = {
    "Reviser": lambda: hfclean.Reviser(HUB_ID)(ROW),
    "Reflection": lambda: hfclean.Reflection(HUB_ID)(ROW),
    "Judge": lambda: hfclean.Judge(HUB_ID)(ROW),
    "Reward": lambda: hfclean.scorers.Reward(HUB_ID)(ROW),
    "Embed": lambda: hfclean.scorers.Embed(HUB_ID)(ROW),
    "IFD": lambda: hfclean.IFD(HUB_ID)(ROW),
    "Perplexity": lambda: hfclean.scorers.Perplexity(HUB_ID)(ROW),
    "RatingExpectation": lambda: RatingExpectation(HUB_ID)(ROW),
    "UniEval": lambda: hfclean.scorers.UniEval(HUB_ID)(ROW),
    "prefetch": lambda: hfclean.Reviser(HUB_ID).prefetch([ROW], show=False),
    "ahead": lambda: fetch_ahead(HUB_ID, None, "hf_a"),
}


@pytest.mark.parametrize("package", ["torch", "transformers", "safetensors"])
@pytest.mark.parametrize("use", USES)
def test_a_model_of_the_hub_is_not_fetched_where_nothing_could_read_it(
    use: str, package: str, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed.*hfclean\[models\]"):
        USES[use]()
    assert fetched == []


@pytest.mark.parametrize("package", ["torch", "transformers", "trl", "peft", "accelerate"])
def test_a_base_is_not_fetched_where_it_could_not_be_tuned(
    package: str, tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed.*hfclean\[train\]"):
        tune([{"prompt": "a", "completion": "b"}], HUB_ID, tmp_path / "out")
    assert fetched == []


def test_the_base_of_an_adapter_is_not_fetched_without_peft(
    tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": HUB_ID}))
    monkeypatch.setitem(sys.modules, "peft", None)  # type: ignore[arg-type]
    for use in (lambda: find_model(str(tmp_path), None), lambda: fetch_ahead(str(tmp_path), None, "hf_a")):
        with pytest.raises(MissingExtraError, match="peft is not installed"):
            use()
    assert fetched == []


def test_with_all_of_it_the_model_is_fetched(fetched: list[str]) -> None:
    with pytest.raises(AssertionError, match="was fetched"):
        hfclean.scorers.Reward(HUB_ID)(ROW)
    assert fetched == [HUB_ID]
