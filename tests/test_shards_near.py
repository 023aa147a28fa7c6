"""Near-duplicates across parts: bands that shards exchange give the groups and the kept rows of one run."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

import hfclean
from hfclean import durable, engines
from hfclean.cli import main
from hfclean.engines import near
from hfclean.errors import ColumnError, FolderError, HfcleanError
from hfclean.layout import Layout
from hfclean.ownership import file_hash
from hfclean.records.part import record_digest
from hfclean.selection import duplicate_groups, near_duplicates
from hfclean.selection.bands import bands_schema, read_bands, row_bands, stored_bands
from hfclean.testing import shape_rows

SHAPES = shape_rows()
COUNTS = (1, 2, 3, 7)
WORDS = "the river ran past a mill where seven grey cats slept under old oak trees until rain came from northern hills"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likely pairs are looked at from a few rows on; and what a disk does is tested elsewhere."""
    monkeypatch.setattr(near_duplicates, "EXACT_UP_TO", 10)
    monkeypatch.setattr(durable, "_sync", lambda path: None)


def varied(value: Any, words: str) -> Any:
    """A row whose texts go on with these words."""
    if isinstance(value, str):
        return f"{value} {words}" if " " in value else value
    if isinstance(value, list):
        return [varied(item, words) for item in value]
    return {key: varied(item, words) for key, item in value.items()} if isinstance(value, dict) else value


def alike(shape: str, count: int = 60) -> list[dict[str, Any]]:
    """Rows of a shape, some of them equal, some with a word or two changed, spread over all shards."""
    rng, rows = random.Random(shape), [row for row in SHAPES[shape] if len(str(row)) < 1000]
    made = []
    for k in range(count):
        words = WORDS.split()
        for _ in range(rng.choice([0, 1, 2, 5, 19])):
            words[rng.randrange(len(words))] = rng.choice(["one", "two", "Three", "über", "今天"])
        made.append(varied(rows[k % 3 % len(rows)], " ".join(words)))
    return made


def parts(data: Any, count: int, place: Path, **how: Any) -> list[Path]:
    folders = [place / f"part-{number}" for number in range(count, 0, -1)]
    for number, folder in zip(range(count, 0, -1), folders, strict=True):
        engines.clean_shard(data, (number, count), folder, show=False, **{"near": 0.7, **how})
    return folders


def sealed(part: Path) -> None:
    """Let a record be that of the files that are there."""
    record = json.loads((part / "hfclean.json").read_text())
    record["files"] = {name: file_hash(part / name) for name in record["files"] if (part / name).exists()}
    record["sha256"] = record_digest(record)
    (part / "hfclean.json").write_text(json.dumps(record))


@pytest.mark.parametrize("shape", SHAPES)
def test_any_number_of_shards_gives_the_groups_of_one_run(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in alike(shape)))
    cleaned = hfclean.clean(file, show=False)
    one = cleaned.dataset["train"]
    expected = duplicate_groups(one)
    assert not expected.complete
    assert len(expected.kept) < len(one)
    monkeypatch.setattr(near, "_by_rows", None)  # no part is read whole
    for count in COUNTS:
        assert engines.near_duplicates(parts(file, count, tmp_path / str(count))) == {"train": expected}


def splits() -> DatasetDict:
    """Twins of another context, rows without text, more shards than rows, and a split without any."""
    rows = alike("messages", 40)
    rows = [{**row, "tools": "[]" if k % 5 else '[{"name": "f"}]', "rank": k % 7} for k, row in enumerate(rows)]
    blank: dict[str, Any] = {"messages": [], "tools": "[]", "rank": None}
    train = Dataset.from_list([*rows, blank, blank])
    return DatasetDict(train=train, test=train.select(range(12, 25)), few=train.select([1, 1]), none=train.select([]))


@pytest.mark.parametrize(
    "asked", [{}, {"best": "rank"}, {"threshold": 0.5}, {"threshold": 0.5, "best": "rank", "complete": False}]
)
def test_settings_contexts_and_splits_are_those_of_one_run(asked: dict[str, Any], tmp_path: Path) -> None:
    one = hfclean.clean(splits(), show=False).dataset
    told = parts(splits(), 3, tmp_path, near=asked.get("threshold", 0.7), num_proc=1)
    found = engines.near_duplicates(told, **asked)
    assert found == {name: duplicate_groups(part, **asked) for name, part in one.items()}
    assert len(found["train"].groups) > 3
    assert found["train"].notes[0] == "15 rows have no text: they are duplicates of one another"


def test_parts_without_the_bands_are_read_by_their_rows(tmp_path: Path) -> None:
    one = hfclean.clean(splits(), show=False).dataset
    told = parts(splits(), 2, tmp_path / "a")
    for how in ({"threshold": 0.6}, {"ngram": 2}, {"complete": True}):
        assert engines.near_duplicates(told, **how)["train"] == duplicate_groups(one["train"], **how)
    without = parts(splits(), 2, tmp_path / "b", near=None)
    expected = duplicate_groups(one["train"])
    assert engines.near_duplicates([told[0], without[1]])["train"] == expected
    assert engines.near_duplicates(without, cache_dir=tmp_path)["train"] == expected


def test_bands_are_compact_and_tell_no_text(tmp_path: Path) -> None:
    ds = splits()["train"]
    (rows,) = row_bands(ds, Layout(), 0.7)
    table = stored_bands(rows, bands_schema(0.7))
    assert table.nbytes <= len(ds) * (8 + 8 + 25 * 5 + 1)
    (batch,) = table.slice(3, 10).to_batches()
    read = read_bands(batch)
    for name in ("texts", "contexts", "blank", "bands"):
        assert getattr(read, name).tolist() == getattr(rows, name)[3:13].tolist()
    one_by_one = [row_bands(ds.select([k]), Layout(), 0.7) for k in range(len(ds))]
    assert [next(each).bands[0].tolist() for each in one_by_one] == rows.bands.tolist()
    assert len(set(rows.contexts.tolist())) == 2
    (folder,) = parts(splits(), 1, tmp_path)
    assert b"river" not in b"".join(file.read_bytes() for file in (folder / "near").iterdir())


def test_a_part_has_the_same_bytes_for_any_number_of_processes(tmp_path: Path) -> None:
    rows = [{"prompt": f"Name city {k % 900}.", "completion": f"It is {k}."} for k in range(2100)]
    (one,), (two,) = (parts(rows, 1, tmp_path / str(count), num_proc=count) for count in (1, 2))
    files = [{file.name: file.read_bytes() for file in (part / "near").iterdir()} for part in (one, two)]
    assert files[0] == files[1]


def test_bad_bands_and_settings_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HfcleanError, match=r"clean_shard\(threshold=0\): expected a number above 0, at most 1"):
        parts(splits(), 2, tmp_path / "a", near=0)
    told = parts(splits(), 2, tmp_path / "b")
    for wrong, error in (({"threshold": 2}, HfcleanError), ({"best": "size"}, ColumnError)):
        with pytest.raises(error, match="near_duplicates"):
            engines.near_duplicates(told, **wrong)
    with pytest.raises(ColumnError, match="'prompt' holds str"):
        engines.near_duplicates(parts([{"prompt": "a", "completion": "b"}] * 20, 2, tmp_path / "c"), best="prompt")
    file = told[0] / "near" / "train.arrow"
    whole = file.read_bytes()
    file.write_bytes(whole[:-8])
    with pytest.raises(FolderError, match=r"near/train.arrow of 'part-2' is damaged"):
        engines.near_duplicates(told)
    file.write_bytes((told[0] / "after" / "train.arrow").read_bytes())
    sealed(told[0])
    with pytest.raises(FolderError, match=r"near/train.arrow of 'part-2' is not of bands"):
        engines.near_duplicates(told)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_command_line_writes_the_rows_that_it_writes_of_the_whole(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in alike("alpaca")))
    for number in (1, 2, 3):
        words = ["--shard", f"{number}/3", "--near", "0.7", "--out", str(tmp_path / f"part-{number}"), "--quiet"]
        assert main(["clean", str(file), *words]) == 0
    told = [str(tmp_path / f"part-{number}") for number in (3, 1, 2)]
    assert main(["merge", *told, "--out", str(tmp_path / "whole"), "--quiet"]) == 0
    written = []
    for name, sources in (("a", [str(tmp_path / "whole")]), ("b", told)):
        (tmp_path / name).mkdir()
        out = [str(tmp_path / name / file) for file in (f"kept.{form}", "found.json")]
        capsys.readouterr()
        assert main(["dedupe", *sources, "--by", "rating", "--out", out[0], "--report", out[1], "--quiet"]) == 0
        said = capsys.readouterr()
        written.append([*(Path(each).read_bytes() for each in out), said.out.replace(out[0], ""), said.err])
    assert written[0] == written[1]
    assert "found by MinHash" in written[0][2]
    assert main(["dedupe", *told, "--threshold", "0.8", "--json", "--quiet"]) == 0
    said = capsys.readouterr()
    assert "note: not all parts were made with --near 0.8" in said.err
    by_rows = json.loads(said.out)["splits"]
    assert main(["dedupe", str(tmp_path / "whole"), "--threshold", "0.8", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"] == by_rows
    for words, expected in (
        (["dedupe", *told[:2]], "1 of 3 shards are missing (2/3)"),
        (["dedupe", *told, str(tmp_path / "whole")], "describes no part"),
        (["dedupe", *told, "--config", "x"], "--config with parts"),
        (["dedupe", *told, "--split", "test"], "no split 'test' in rows.jsonl; it has train"),
        (["clean", str(file), "--near", "0.7", "--out", str(tmp_path / "x")], "--near without --shard"),
        (["score", str(file), "--near", "0.7"], "--near without --shard"),
        (["clean", str(file), "--near", "7", "--shard", "1/2", "--out", str(tmp_path / "x")], "at most 1"),
    ):
        assert main(words) in (1, 2)
        assert expected in capsys.readouterr().err


def test_what_parts_give_by_other_methods_is_that_of_the_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [str(part) for part in parts(splits(), 2, tmp_path)]
    engines.merge(told).save(tmp_path / "whole")
    for words in (["--method", "exact"], ["--split", "train[:20]"], ["--field", "response"], ["--split", "test"]):
        found = []
        for sources in (told, [str(tmp_path / "whole")]):
            assert main(["dedupe", *sources, *words, "--json", "--quiet"]) == 0
            found.append(list(json.loads(capsys.readouterr().out)["splits"].values()))
        assert found[0] == found[1]
