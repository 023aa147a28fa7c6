"""Token losses of a real model: a plain float64 loop gives the same, and IRA finds swapped answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from extras import needs

needs("models", "torch", "transformers")

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from weights import Weights

from hfclean.evaluation.noise import noise_report
from hfclean.models import process
from hfclean.scorers.likelihood import IFD, IRA, Perplexity

pytestmark = [pytest.mark.weights, pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")]
EXAMPLES = Path(__file__).parent.parent / "examples" / "messy.jsonl"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.fixture(scope="module")
def tokenizer(smollm: Weights) -> Any:
    return AutoTokenizer.from_pretrained(smollm.folder)


def short_rows(tokenizer: Any, count: int, *, at_least: int) -> list[dict[str, str]]:
    """The first rows of the example with at most 60 tokens in question and answer together and at least so many in
    the answer, each answer once."""
    found: dict[str, dict[str, str]] = {}
    for line in EXAMPLES.read_text(encoding="utf-8").strip().split("\n"):
        row = json.loads(line)
        sizes = [len(tokenizer(text).input_ids) for text in (f"{row['instruction']}\n{row['input']}", row["output"])]
        if sum(sizes) <= 60 and sizes[1] >= at_least and len(found) < count:
            found.setdefault(row["output"], row)
    assert len(found) == count
    return list(found.values())


def batch_of(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def losses_of(model: Any, ids: list[int], start: int) -> Any:
    """One row, one forward, every logit, in float64."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return np.array([-logits[k - 1, ids[k]].item() for k in range(start, len(ids))])


def test_ifd_ira_and_perplexity_are_those_of_a_plain_float64_loop(smollm: Weights, tokenizer: Any) -> None:
    rows = short_rows(tokenizer, 12, at_least=4)
    folder = str(smollm.folder)
    found: dict[str, list[Any]] = {}
    for scorer in (IFD(folder), IFD(folder, kind="loss"), IRA(folder), Perplexity(folder)):
        found |= scorer(batch_of(rows))
    model = AutoModelForCausalLM.from_pretrained(smollm.folder, dtype=torch.float64).eval()
    expected: dict[str, list[float]] = {name: [] for name in ("ifd_ppl", "ifd_loss", "ira", "ira_mean", "ppl")}
    for row in rows:
        prompt = "\n".join(filter(None, [row["instruction"], row["input"]])) + "\n"
        coded = tokenizer(prompt + row["output"], return_offsets_mapping=True)
        ids, start = coded.input_ids, sum(end <= len(prompt) for _, end in coded.offset_mapping)
        behind = losses_of(model, ids, start)
        alone = losses_of(model, ids[start:], 1)  # nothing stands before the first token of a bare answer
        given = behind[1:]
        expected["ifd_ppl"].append(math.exp(given.mean() - alone.mean()))
        expected["ifd_loss"].append(given.mean() / alone.mean())
        expected["ira"].append((alone - given).sum())
        expected["ira_mean"].append((alone - given).mean())
        expected["ppl"].append(math.exp(behind.mean()))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-4, atol=2e-4, err_msg=name)


def test_ira_finds_swapped_answers(smollm: Weights, tokenizer: Any) -> None:
    rows = short_rows(tokenizer, 36, at_least=8)
    report = noise_report(IRA(str(smollm.folder)), rows, noises=["swapped"], draws=200)
    found = report.of("swapped", "ira")
    assert found.rows == 36
    assert found.auroc > 0.85
    assert found.beats_length
