"""The whole way with a model that really learnt to revise: here, over a real server, and after a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from datasets import Dataset
from taught import INSTRUCTIONS, UNKNOWN, right, row

import hfclean
from hfclean.models import Limits, process

COUNT = 60
SENTENCES = UNKNOWN[:COUNT]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def raw() -> Dataset:
    return Dataset.from_list([row(text) for text in SENTENCES])


def coach(model: Path | str, **settings: object) -> hfclean.Reviser:
    return hfclean.Reviser(str(model), instructions=INSTRUCTIONS, max_new_tokens=64, **settings)  # type: ignore[arg-type]


def rightness(ds: Dataset) -> float:
    """The share of responses that are the right sentence."""
    return sum(out == right(text) for out, text in zip(ds["output"], SENTENCES, strict=True)) / COUNT


def test_a_trained_coach_makes_rows_better_and_every_original_comes_back(taught: Path) -> None:
    ds = raw()
    revised = ds.map(coach(taught), batched=True)
    assert rightness(ds) == 0
    assert rightness(revised) >= 0.8
    assert set(revised["instruction"]) == {"Write a sentence."}
    assert hfclean.restore(revised)[:] == ds[:]
    models = {json.loads(line)["model"] for line in revised["edit_history"]}
    assert len(models) == 1
    assert models.pop().startswith("sha256:")
    one_by_one = ds.select(range(5)).map(coach(taught, store=False))
    assert one_by_one["output"] == revised["output"][:5]
    report = hfclean.compare(ds, revised)
    assert report.splits[0].revised == COUNT - report.splits[0].kept - report.splits[0].reverted


def test_what_it_did_not_learn_stays_as_it_was(taught: Path) -> None:
    other = {"instruction": "Name three rivers.", "input": "Austria", "output": "Danube, Inn, Mur"}
    out = coach(taught)(other)
    assert {name: out[name] for name in other} == other
    assert out["edit"] in ("reverted", "kept")


def test_it_is_saved_and_loaded_with_its_prompt(taught: Path, tmp_path: Path) -> None:
    released = tmp_path / "released"
    released.mkdir()
    for file in taught.iterdir():
        (released / file.name).symlink_to(file)
    coach(taught).save_pretrained(released)
    text = (released / "hfclean.json").read_text()
    assert str(taught.parent) not in text
    loaded = hfclean.Reviser.from_pretrained(released)
    assert (loaded.instructions, loaded.max_new_tokens) == (INSTRUCTIONS, 64)
    few = raw().select(range(8))
    assert few.map(loaded, batched=True)["output"] == few.map(coach(taught), batched=True)["output"]


@pytest.fixture
def server(taught: Path, tmp_path: Path) -> Iterator[str]:
    """`transformers serve` on the taught model; its base URL."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    code = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"
    options = ["--device", "cpu", "--host", "127.0.0.1", "--port", "0", "--log-level", "info"]
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", str(taught), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        cwd=tmp_path,
    ) as child:
        assert child.stdout is not None
        told = []
        for line in child.stdout:
            told.append(line)
            if "running on http://" in line:
                break
        else:
            pytest.fail("transformers serve did not start: " + "".join(told)[-2000:])
        yield line.split("running on ")[1].split()[0] + "/v1"
        child.terminate()
        child.stdout.read()


def test_a_real_server_gives_what_the_model_gives_here(taught: Path, server: str) -> None:
    few = raw().select(range(12))
    here = few.map(coach(taught, store=False), batched=True)
    served = coach(taught, base_url=server, limits=Limits(concurrency=2), chat_template=None)
    usage = served.prefetch(few, show=False)
    assert (usage.asked, usage.failed) == (12, ())
    assert usage.estimated == 0  # the server says how many tokens it took
    there = few.map(served, batched=True)
    assert there["output"] == here["output"]
    assert there["edit"] == here["edit"]
