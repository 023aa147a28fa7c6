"""A planted key goes through every place of a push and of what it writes: no refusal shows it, no mask leaves it."""

from __future__ import annotations

import json
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Json, List, Value
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from keys_made import KEYS, made

import hfclean
from hfclean.cli import main
from hfclean.hub import HubRefusal, Patience
from hfclean.hub.secrets import mask_all, masked_rows, names_of

QUICK = Patience(sleep=lambda seconds: None)
KEY = KEYS["hf_token"]
OTHER = made("hf" + "_", 34, seed=8)


def rows(label: str = "b", column: str = "note", inner: str = "x", cell: str = "") -> Dataset:
    features = Features(
        {
            "instruction": Value("string"),
            "output": Value("string"),
            "label": ClassLabel(names=["a", label]),
            "labels": List(ClassLabel(names=["a", label])),
            column: Value("string"),
            "deep": [{inner: Value("string")}],
        }
    )
    row = {"instruction": "Name a fruit.", "output": f"An apple.{cell}</s>", "label": 1, "labels": [0, 1]}
    ds = Dataset.from_list([{**row, column: "n", "deep": [{inner: "q"}]}] * 2, features=features)
    ds.info.description, ds.info.citation, ds.info.homepage = (f"by {KEY}" for _ in range(3))
    return ds.map(hfclean.revise)


def removed(**cells: str) -> Dataset:
    return Dataset.from_list([{"instruction": "i", "output": "o", "row_id": "1", "removed_reason": "r", **cells}])


# how each kind of place is planted: the dataset, and what else the push is told
PLACES: Mapping[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "a cell": lambda: (rows(cell=f" Use {KEY}."), {}),
    "the name of a class": lambda: (rows(label=KEY), {}),
    "the name of a column": lambda: (rows(column=KEY), {}),
    "the name of a field": lambda: (rows(inner=KEY), {}),
    "the name of a split": lambda: (DatasetDict({KEY: rows()}), {}),
    "the name of a config": lambda: (rows(), {"config_name": KEY}),
    "the source": lambda: (rows(), {"source": f"https://x.org/{KEY}"}),
    "the licence": lambda: (rows(), {"license": KEY}),
    "the message": lambda: (rows(), {"message": f"with {KEY}"}),
    "a removed cell": lambda: (rows(), {"removed": removed(output=KEY)}),
    "the reason of a removal": lambda: (rows(), {"removed": removed(removed_reason=KEY)}),
    "a removed column": lambda: (rows(), {"removed": removed(**{KEY: "x"})}),
    "a setting": lambda: (rows(), {"transforms": [{"by": "Reviser", "settings": {"instructions": f"say {KEY}"}}]}),
    "the name of a setting": lambda: (rows(), {"transforms": [{"by": "Reviser", "settings": {KEY: 1}}]}),
}
NAMES = {
    *("the name of a column", "the name of a field", "the name of a split", "the name of a config"),
    "a removed column",
}


@pytest.mark.parametrize("place", list(PLACES))
def test_a_key_stops_the_push_and_is_not_shown(fake_hub: FakeHub, tmp_path: Path, place: str) -> None:
    ds, told = PLACES[place]()
    with pytest.raises(HubRefusal, match=r"hf_token-[0-9a-f]{8}") as refusal:
        hfclean.push_dataset(ds, "me/x", patience=QUICK, **told)
    assert KEY not in "".join(traceback.format_exception(refusal.value))
    assert fake_hub.log == []
    try:
        plan = hfclean.push_dataset(ds, "me/x", dry_run=True, folder=tmp_path / "plan", patience=QUICK, **told)
    except HubRefusal:
        assert place in NAMES
    else:
        assert plan.problems  # type: ignore[union-attr]
        assert KEY not in str(plan) + repr(plan)


@pytest.mark.parametrize("place", [place for place in PLACES if place not in NAMES])
def test_a_masked_key_is_in_nothing_that_is_pushed_or_left_here(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    ds, told = PLACES[place]()
    hfclean.push_dataset(ds, "me/x", mask_secrets=True, patience=QUICK, **told)
    repo = fake_hub.repo("me/x", "dataset")
    for name, content in repo.files.items():
        assert KEY.encode() not in content, name
        assert KEY not in name
    assert KEY not in str([vars(commit) for commit in repo.commits])
    left = [file for file in (tmp_path / "temporary").rglob("*") if file.is_file()]
    assert [file for file in left if KEY.encode() in file.read_bytes()] == []
    back = hfclean.load_cleaned("me/x")[0]["train"]
    assert back.num_rows == 2


def test_a_name_that_holds_a_key_is_refused_with_a_mask_as_well(fake_hub: FakeHub) -> None:
    for place in sorted(NAMES):
        ds, told = PLACES[place]()
        with pytest.raises(HubRefusal, match="Rename it") as refusal:
            hfclean.push_dataset(ds, "me/x", mask_secrets=True, patience=QUICK, **told)
        assert KEY not in str(refusal.value)
    assert fake_hub.log == []


def test_the_names_of_classes_are_masked_wherever_they_are_and_their_numbers_stay() -> None:
    features = Features(
        {
            "one": ClassLabel(names=["a", KEY, OTHER]),
            "many": List(ClassLabel(names=[KEY, "b"])),
            "deep": {"list": [{"label": ClassLabel(names=[f"use {KEY}"])}]},
            "text": Value("string"),
        }
    )
    ds = Dataset.from_dict(
        {"one": [1, 2], "many": [[0], [1, 0]], "deep": [{"list": [{"label": 0}]}] * 2, "text": ["x", KEY]},
        features=features,
    )
    masked = masked_rows(ds)
    assert masked.features["one"].names == ["a", "[hf_token removed]", "[hf_token removed] 2"]
    assert KEY not in str(masked.features)
    assert masked["one"][:] == [1, 2]
    assert masked["many"][:] == [[0], [1, 0]]
    assert masked["text"][:] == ["x", "[hf_token removed]"]
    assert masked_rows(rows()).features == rows().features
    assert list(names_of(features)) == ["one", "many", "deep", "list", "label", "text"]
    assert mask_all({KEY: [KEY, 1, None]}) == {"[hf_token removed]": ["[hf_token removed]", 1, None]}


def test_a_folder_with_a_key_in_its_rows_and_card_goes_through_the_command_line(
    fake_hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, folder = tmp_path / "rows.jsonl", tmp_path / "out"
    lines = [{"instruction": "Log in.", "output": f"Use {KEY}.</s>"}, {"instruction": "Log in.", "output": "No.</s>"}]
    raw.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["clean", str(raw), "--out", str(folder), "--quiet"]) == 0
    card = folder / "README.md"
    card.write_text(card.read_text() + f"\nWritten by {KEY}\n")
    capsys.readouterr()
    code = main(["push", str(folder), "me/x", "--dry-run", "--json", "--out", str(tmp_path / "plan")])
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert (code, KEY in text, "hf_token-" in text) == (1, False, True)
    assert main(["push", str(folder), "me/x"]) == 1
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err
    assert [request for request in fake_hub.log if request.method != "GET"] == []
    assert main(["push", str(folder), "me/x", "--mask-secrets", "--json"]) == 0
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err
    for name, content in fake_hub.repo("me/x", "dataset").files.items():
        assert KEY.encode() not in content, name


def test_masking_loses_nothing_beside_the_key() -> None:
    features = Features({"text": Value("string"), "at": Value("timestamp[ns]"), "call": Json()})
    table = {"text": [f"use {KEY}"], "at": [1_700_000_000_123_456_789], "call": [{KEY: 1, OTHER: 2}]}
    masked = masked_rows(Dataset.from_dict(table, features=features))
    assert masked.features == features
    assert masked.with_format("arrow")[:]["at"].cast("int64").to_pylist() == table["at"]
    assert masked["text"][:] == ["use [hf_token removed]"]
    assert sorted(masked["call"][0].values()) == [1, 2]
    assert not {KEY, OTHER} & set(masked["call"][0])
