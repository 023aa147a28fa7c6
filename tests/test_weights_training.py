"""A real model tuned for two steps on one pair: stopped, resumed, evaluated, pushed, loaded from the Hub."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from extras import needs

needs("train", "torch", "transformers", "accelerate", "peft", "trl")

from fake_hub import FakeHub, hub_fixture  # noqa: F401
from weights import Weights

import hfclean
from hfclean.cards import check_card
from hfclean.models import process

pytestmark = [pytest.mark.weights, pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")]
PAIR = {
    "raw_instruction": "Name a fruit.",
    "raw_input": "",
    "raw_output": "a aple",
    "revised_instruction": "Name a fruit.",
    "revised_input": "",
    "revised_output": "An apple.",
}
OTHER = {
    name: text.replace("fruit", "lake").replace("aple", "laek").replace("An apple", "A lake")
    for name, text in PAIR.items()
}
SETTINGS: dict[str, Any] = {
    "args": {
        "max_steps": 2,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 1,
        "save_strategy": "steps",
        "save_steps": 1,
        "disable_tqdm": True,
    },
    "peft_config": {"r": 4, "lora_alpha": 8},
    "heldout": 0,
    "revise": "response",
    "instructions": "Mend the response.",
    "max_new_tokens": 12,
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def adapter(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(folder / "adapter_model.safetensors")
    return found


def test_two_steps_stopped_resumed_evaluated_pushed_and_loaded(
    smollm: Weights, work: Path, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hfclean.training import trainer

    guarded = trainer._class()[0]
    step = guarded.training_step

    def stopped(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == 1:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(guarded, "training_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            hfclean.train_reviser([PAIR], smollm.folder, folder=work / "coach", **SETTINGS)
    assert [file.name for file in (work / "coach" / "checkpoints").iterdir()] == ["checkpoint-1"]
    coach = hfclean.train_reviser([PAIR], smollm.folder, folder=work / "coach", resume=True, **SETTINGS)
    hfclean.train_reviser([PAIR], smollm.folder, folder=work / "whole", **SETTINGS)
    tuned, whole = adapter(work / "coach"), adapter(work / "whole")
    assert tuned.keys() == whole.keys()
    assert all(bool((tuned[name] == whole[name]).all()) for name in tuned)
    assert max(float(value.abs().max()) for name, value in tuned.items() if "lora_B" in name) > 0
    told = json.loads((work / "coach" / "hfclean.json").read_text(encoding="utf-8"))["training"]
    assert (told["pairs"]["train"], told["steps"]) == (1, 2)
    assert 0 < told["train_loss"] < math.inf

    evaluation = hfclean.evaluate_reviser(coach, [OTHER], draws=20)
    assert (evaluation.pairs, evaluation.trained_on) == (1, 0)
    assert evaluation.figures["closer"].value in (0, 1)

    fake_hub.add_repo("org/base", files={"README.md": "---\nlicense: apache-2.0\n---\n"})
    hfclean.push_reviser(coach, "me/coach", base_model="org/base", license="apache-2.0")
    repo = fake_hub.repo("me/coach")
    assert check_card(repo.text("README.md")) == []
    assert "model.safetensors" not in repo.files
    Path("org").mkdir()
    Path("org", "base").symlink_to(
        smollm.folder
    )  # what the adapter names is found here: the Hub of the tests has no weights
    loaded = hfclean.Reviser.from_pretrained("me/coach")
    row = {"instruction": OTHER["raw_instruction"], "input": "", "output": OTHER["raw_output"]}
    here, there = coach(row), loaded(row)
    assert [there[name] for name in ("output", "edit", "edit_reason")] == [
        here[name] for name in ("output", "edit", "edit_reason")
    ]
    models = [json.loads(out["edit_history"])["model"] for out in (here, there)]
    assert models[0].startswith("sha256:")
    assert models[1].startswith(f"commit:{repo.head} on sha256:")
    taught = coach({"instruction": PAIR["raw_instruction"], "input": "", "output": PAIR["raw_output"]})
    assert (taught["edit"], taught["edit_reason"]) == ("kept", "trained_on")
