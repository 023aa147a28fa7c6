"""The script for GPUs runs whole with tiny shapes, and its table says what it measured."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from extras import needs

needs("train", "torch", "transformers", "trl", "accelerate", "peft")

from hfclean.models import process

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PARTS = ["IFD, tiny", "generation, tiny", "training step, tiny"]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path))
    yield importlib.import_module("gpu")
    process.close()


@pytest.mark.filterwarnings("ignore")
def test_each_part_runs_in_each_way(gpu: Any) -> None:
    found = list(gpu.lines(gpu.TINY, "cpu", 1e9))
    assert [line.why for line in found] == [""] * 9
    assert [(line.part, line.way.partition(" of ")[0]) for line in found] == [
        (part, way) for part in PARTS for way in ("one row at a time", "padded batch", "hfclean")
    ]
    for part in PARTS:
        alone, batch, ours = (line.run for line in found if line.part == part)
        assert batch[:2] == ours[:2]  # tokens and FLOP of a part are the same whichever way
        assert alone.flop / alone.tokens == pytest.approx(ours.flop / ours.tokens, rel=0.3)
    tokens = sum(2 * answer + prompt for prompt, answer in gpu.lengths(6))
    assert found[0].run.tokens == tokens
    assert found[4].run.tokens == 6 * 4


def test_a_part_that_fails_or_is_too_late_says_so(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: Any) -> Any:
        raise RuntimeError("CUDA out of memory")
        yield

    monkeypatch.setattr(gpu, "ifd", fails)
    monkeypatch.setattr(gpu, "saved", lambda shape, folder: folder)
    monkeypatch.setattr(gpu, "generation", lambda *given: iter([("hfclean", gpu.Run(10, 100, 2))]))
    monkeypatch.setattr(gpu, "training", fails)
    found = list(gpu.lines(gpu.TINY, "cpu", 1e9))
    assert [(line.way, line.why) for line in found] == [
        ("", "RuntimeError: CUDA out of memory"),
        ("hfclean", ""),
        ("", "RuntimeError: CUDA out of memory"),
    ]
    late = list(gpu.lines(gpu.TINY, "cpu", -1))
    assert [(line.part, line.why) for line in late] == [(part, "not run: out of time") for part in PARTS]


def test_the_table_has_rates_shares_and_gains(gpu: Any) -> None:
    found = [
        gpu.Line("IFD", "one row at a time", gpu.Run(100, 1e9, 2.0)),
        gpu.Line("IFD", "hfclean", gpu.Run(100, 1e9, 0.5)),
        gpu.Line("training", "", None, "not run: out of time"),
    ]
    assert gpu.table(found, 1e10).splitlines()[2:] == [
        "| IFD | one row at a time | 50 | 5.0% | 1.00 |",
        "| IFD | hfclean | 200 | 20.0% | 4.00 |",
        "| training | not run: out of time | | | |",
    ]
