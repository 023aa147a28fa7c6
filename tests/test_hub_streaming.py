"""What was pushed is read as a stream: the same rows, one by one, and every transform works on them."""

from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset, DatasetDict, load_dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.hub import Patience

ROWS = [
    {"instruction": f"Name fruit {k}.", "input": "n/a", "output": "An apple.</s>" if k % 2 else "A pear."}
    for k in range(7)
]


@pytest.fixture
def pushed(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A dataset of two splits and several shards, and its rows."""
    monkeypatch.setattr("hfclean.folder.SHARD_BYTES", 1500)
    raw = Dataset.from_list(ROWS)
    ds = DatasetDict({"train": raw, "test": raw.select([0, 1])}).map(hfclean.revise)
    hfclean.push_dataset(ds, "me/x", license="mit", patience=Patience(sleep=lambda seconds: None))
    assert sum(path.startswith("data/train") for path in fake_hub.repo("me/x", "dataset").files) > 1
    return ds


def test_streamed_rows_are_the_rows_that_were_pushed(fake_hub: FakeHub, pushed: Any) -> None:
    mark = fake_hub.mark()
    streams = load_dataset("me/x", streaming=True)
    assert {name: list(part) for name, part in streams.items()} == {n: part.to_list() for n, part in pushed.items()}
    assert streams["train"].features == pushed["train"].features
    ledger = list(load_dataset("me/x", "ledger", split="train", streaming=True))
    assert ledger == load_dataset("me/x", "ledger", split="train").to_list()
    assert {line["split"] for line in ledger} == {"train", "test"}
    assert any(request.headers.get("range") for request in fake_hub.since(mark))
    first = load_dataset("me/x", split="train", streaming=True)
    assert list(first.skip(5).take(1)) == pushed["train"].select([5]).to_list()


def test_transforms_work_on_the_stream_as_on_the_dataset(pushed: Any) -> None:
    stream = load_dataset("me/x", split="train", streaming=True)
    steps = (hfclean.RuleReviser(skip=("whitespace",)), hfclean.score)
    rows = pushed["train"]
    for step in steps:
        stream, rows = stream.map(step, batched=True, batch_size=3), rows.map(step)
    assert list(stream) == rows.to_list()
    kept = stream.filter(hfclean.keep("rating", at_least=0.0))
    assert len(list(kept)) == len(rows.filter(hfclean.keep("rating", at_least=0.0))) > 0
