"""Shards that add up: their parts give the folder of one run, and parts that do not fit together give none."""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset, DatasetDict

import hfclean
from hfclean import durable, engines, passes
from hfclean import folder as folder_room
from hfclean.cleaned import Cleaned
from hfclean.cli import main
from hfclean.engines import parts as parts_room
from hfclean.engines import reading
from hfclean.engines.parts import Shard
from hfclean.errors import HfcleanError
from hfclean.models import Prices, process
from hfclean.ownership import file_hash, is_own
from hfclean.records.part import record_digest
from hfclean.reviser import MaskPII
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.testing import shape_rows

ROWS = {shape: [row for row in rows if len(str(row)) < 1000] for shape, rows in shape_rows().items()}
COUNTS = (1, 2, 3, 7)


@pytest.fixture(autouse=True)
def _unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of small folders: what a disk does with them is tested elsewhere."""
    monkeypatch.setattr(durable, "_sync", lambda path: None)


@hfclean.rule("shouts", severity="low", meaning="the response is in capitals")
def shouts(pair: hfclean.Pair) -> bool:
    return pair.response.isupper()


@shouts.with_repair
def quieter(pair: hfclean.Pair) -> hfclean.Pair:
    return pair._replace(response=pair.response.lower())


@hfclean.scorer("letters")
def lengthy(pair: hfclean.Pair) -> float:
    return float(len(pair.response))


def contents(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): sha256(file.read_bytes()).hexdigest() for file in files}


def parts(data: Any, count: int, place: Path, **how: Any) -> list[Path]:
    """The parts of all shards, the last one first."""
    folders = [place / f"part-{number}" for number in range(count, 0, -1)]
    for number, folder in zip(range(count, 0, -1), folders, strict=True):
        engines.clean_shard(data, (number, count), folder, show=False, **how)
    return folders


def rows_of(ds: Any) -> str:
    """The rows of all splits, and their types; nan is nan."""
    by_split = ds.items() if isinstance(ds, DatasetDict) else [("train", ds)]
    return json.dumps({name: [repr(part.features), part.to_list()] for name, part in by_split if len(part)})


def saved(cleaned: Cleaned, place: Path, name: str = "rows") -> dict[str, str]:
    """What `save` writes; the card names the folder."""
    cleaned.save(place / name)
    return contents(place / name)


@pytest.mark.parametrize("shape", ROWS)
def test_the_folder_of_any_number_of_shards_is_that_of_one_run(shape: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS[shape]))
    one = hfclean.clean(file, show=False)
    expected = saved(one, tmp_path / "one")
    for count in COUNTS:
        merged = engines.merge(parts(file, count, tmp_path / str(count)))
        assert merged.transforms == one.transforms
        assert rows_of(merged.dataset) == rows_of(one.dataset)
        assert saved(merged, tmp_path / f"{count}" / "whole") == expected


def splits() -> DatasetDict:
    """Twins within a split and across splits, a split with fewer rows than there are shards, and one without any."""
    rows = [{"prompt": f"Name city {k % 11}.", "completion": f"City {k % 11}</s>  "} for k in range(40)]
    rows += [{"prompt": "Shout.", "completion": "HELLO"}, {"prompt": None, "completion": None}]
    train = Dataset.from_list(rows)
    return DatasetDict(train=train, test=train.select([3, 7]), none=train.select([]))


REVISED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dropped": ({}, {"drop_duplicates": True}),
    "scored alone": ({"reviser": None}, {}),
    "a rule of one's own": ({"reviser": hfclean.RuleReviser(extra=(shouts,))}, {"extra": (shouts,)}),
    "two revisers": ({"reviser": (hfclean.revise, hfclean.RuleReviser(only=("whitespace",)))}, {}),
    "masked": ({"reviser": MaskPII()}, {}),
    "another prefix": ({"reviser": hfclean.RuleReviser(prefix="my_"), "scorers": (lengthy,)}, {}),
}


@pytest.mark.parametrize("case", REVISED)
def test_settings_and_splits_are_those_of_one_run(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how, end = REVISED[case]
    for module in (parts_room, reading, passes):
        monkeypatch.setattr(module, "BATCH", 4)
    one = hfclean.clean(splits(), show=False, drop_duplicates=end.get("drop_duplicates", False), **how)
    merged = engines.merge(parts(splits(), 3, tmp_path, **how), **end)
    assert merged.transforms == one.transforms
    assert rows_of(merged.dataset) == rows_of(one.dataset)
    assert rows_of(merged.removed or DatasetDict()) == rows_of(one.removed or DatasetDict())
    assert bool(one.removed) == bool(end.get("drop_duplicates"))
    report = one.save(tmp_path / "a" / "rows")
    assert merged.save(tmp_path / "b" / "rows") == report
    ledgers = [(tmp_path / side / "rows" / "ledger.parquet").read_bytes() for side in "ab"]
    assert ledgers[0] == ledgers[1]


def test_a_cleaned_dataset_is_cleaned_again_in_shards(tmp_path: Path) -> None:
    once = hfclean.clean(splits(), show=False).dataset
    one = hfclean.clean(once, show=False)
    merged = engines.merge(parts(once, 3, tmp_path))
    assert rows_of(merged.dataset) == rows_of(one.dataset)
    assert hfclean.restore(merged.dataset["train"]).to_list() == splits()["train"].to_list()
    assert merged.save(tmp_path / "b") == one.save(tmp_path / "a")


def test_what_models_refused_cost_and_could_not_do_is_added_up(tmp_path: Path) -> None:
    texts = [f"farm {k % 4} has 12 + 7 = 19 cows" for k in range(9)]
    rows = [
        {"instruction": f"How many cows has farm {k % 4}?", "input": "", "output": text}
        for k, text in enumerate(texts)
    ]

    def answered(request: Received, _: int = 0) -> Reply:
        k = re.findall(r"farm (\d)\?", request.content)[-1]
        total = 21 if k in "13" else 19
        return Reply(encode(Pair(f"How many cows has farm {k}?", "", f"Farm {k} has 12 + 7 = {total} cows.")))

    def coach(server: ChatServer, store: str) -> hfclean.Reviser:
        prices = Prices(input=1.0, output=2.0, currency="EUR")
        return hfclean.Reviser(
            "tiny", base_url=server.url, prices=prices, cache_as="tiny", store=str(tmp_path / f"{store}.sqlite3")
        )

    with ChatServer(default=answered) as server:
        one = hfclean.clean(rows, reviser=coach(server, "one"), show=False)
        folders = []
        for number in (1, 2):
            folders.append(tmp_path / f"part-{number}")
            how = {"reviser": coach(server, str(number)), "show": False}
            engines.clean_shard(rows, (number, 2), folders[-1], **how)
        merged = engines.merge(folders)
        process.close()
    assert rows_of(merged.dataset) == rows_of(one.dataset)
    assert merged.refused.to_list() == one.refused.to_list()
    assert [row["row_id"][16:] for row in merged.refused] == ["", "", "-2", "-2"]
    used, alone = merged.transforms[0]["usage"], one.transforms[0]["usage"]
    # the shards know nothing of each other's answers: four rows of each differ
    assert (alone["asked"], alone["cached"], used["asked"], used["cached"]) == (4, 5, 8, 1)
    assert used["cost"] == pytest.approx(2 * alone["cost"])
    assert used["currency"] == "EUR"
    assert merged.transforms[0]["models"] == one.transforms[0]["models"]


# ----------------------------------------------------------------------------------------------------------- bad input


def test_a_shard_is_a_piece_of_each_split() -> None:
    for rows, count in [(0, 3), (2, 7), (10, 3), (7, 7)]:
        pieces = [Shard(number, count).rows(rows) for number in range(1, count + 1)]
        assert [k for piece in pieces for k in piece] == list(range(rows))
        assert max(map(len, pieces)) - min(map(len, pieces)) <= 1
    assert Shard.of("3/16") == Shard.of((3, 16)) == Shard(3, 16)
    for wrong in ("0/3", "4/3", "3", "1/0", "a/b", "-1/3", (1, 2, 3), "1/1000000000"):
        with pytest.raises(HfcleanError, match="expected K/N"):
            Shard.of(wrong)


def damaged(part: Path) -> None:
    file = part / "after" / "train.arrow"
    file.write_bytes(file.read_bytes()[:-100])


def recorded(*, seal: bool = True, **changes: Any) -> Callable[[Path], None]:
    """Changes what the record of a part says, as dotted names say where; its SHA-256 as well if it is sealed."""

    def change(part: Path) -> None:
        record = json.loads((part / "hfclean.json").read_text())
        for name, value in changes.items():
            *places, last = name.split("__")
            entry = record
            for place in places:
                entry = entry[int(place) if place.isdecimal() else place]
            entry[last] = value
        if seal:
            record["sha256"] = record_digest(record)
        (part / "hfclean.json").write_text(json.dumps(record))

    return change


def emptied(part: Path) -> None:
    (part / "hfclean.json").unlink()


def unlisted(part: Path) -> None:
    (part / "known" / "train.arrow").unlink()


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "damaged": (damaged, "after/train.arrow of 'part-2' is damaged: copy it anew, or run hfclean clean --shard 2/3"),
    "a file less": (unlisted, "known/train.arrow of 'part-2' is missing"),
    "no record": (emptied, "'part-2' is not a part"),
    "another version": (recorded(hfclean="0.0.9"), "different versions of hfclean: .* and '0.0.9'"),
    "another source": (
        recorded(source__identity="f" * 64),
        "different sources: 'content .*' and 'content ffffffffffff'",
    ),
    "another file": (recorded(source__name="b.jsonl"), "different sources: 'rows.jsonl' and 'b.jsonl'"),
    "other rows": (recorded(source__rows={"train": 4}), "different sources"),
    "another split": (recorded(source__split="train[:9]"), "different splits: None and 'train"),
    "another setting": (recorded(transforms__0__settings={"only": ["x"]}), "different settings of RuleReviser"),
    "another rule": (
        recorded(transforms__0__rules__whitespace=99),
        "rules of RuleReviser: {'whitespace': .} and {'whitespace': 99}",
    ),
    "no object": (
        lambda part: (part / "hfclean.json").write_text("{"),
        "is damaged .*: copy it anew, or run its shard",
    ),
    "a step less": (recorded(transforms=[]), "different steps: 'RuleReviser, Score' and 'none'"),
    "another prefix": (recorded(prefix="my_"), "different prefix: '' and 'my_'"),
    "another kind": (recorded(source__kind="folder"), "different kinds of source: 'file' and 'folder'"),
    "another print": (recorded(source__fingerprint="f" * 64), "different fingerprints: '.*' and 'ffff"),
    "another card": (recorded(source__card="# A\nb"), r"different cards of the source: None and '# A\\nb'"),
    "another note": (recorded(source__notes=["n"]), r"different notes on the source: \[\] and \['n'\]"),
    "scored alone": (recorded(revised=False), "different steps: 'revised' and 'scored'"),
    "an edited kind": (recorded(seal=False, source__kind="folder"), "of 'part-2' was changed after it was written"),
    "an edited rate": (recorded(seal=False, failures=["x"]), "changed after .* run hfclean clean --shard 2/3 again"),
    "no seal": (recorded(seal=False, sha256=None), "changed after it was written"),
    "no threshold": (recorded(near="0.7"), "near is '0.7', neither a threshold nor null"),
    "bands missing": (recorded(near=0.7), "files lacks near/train.arrow"),
    "another number": (recorded(part__of=5), "different numbers of shards: '3/3' and '2/5'"),
    "twice": (recorded(part__number=1), "shard 1/3 comes twice: .*leave one out"),
    "missing rows": (recorded(part__rows={"train": 1}), "the parts have .* rows of the split 'train', and"),
    "no shard": (recorded(part__number=9), "9 of 3 is not a shard"),
    "a place outside": (recorded(files={"../after/train.arrow": "0" * 64}), "hfclean would not write"),
    "a later form": (recorded(part__format=2), "has the format 2 of parts, and this version reads 1"),
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("three")
    file = place / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS["prompt_completion"]))
    return parts(file, 3, place)


@pytest.mark.parametrize("case", WRONG)
def test_parts_that_do_not_fit_are_refused_in_one_line(
    case: str, three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, expected = WRONG[case]
    copies = [Path(shutil.copytree(part, tmp_path / part.name)) for part in three]
    change(copies[1])
    assert main(["merge", *map(str, copies), "--out", str(tmp_path / "out"), "--quiet"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(expected, line), line
    assert not (tmp_path / "out").exists()


def ended(words: list[str]) -> int:
    """The exit code of a command, also where the words are refused."""
    try:
        return main(words)
    except SystemExit as e:
        return int(e.code or 0)


def test_missing_shards_and_wrong_places_are_named(
    three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out = [str(part) for part in three], ["--out", str(tmp_path / "out"), "--quiet"]
    source = str(three[0].parent / "rows.jsonl")
    lines = {
        "2 of 3 shards are missing (1/3, 2/3): name their parts": ["merge", given[0], *out],
        "shard 3/3 comes twice": ["merge", *given, given[0], *out],
        "no folder": ["merge", str(tmp_path / "none"), *out],
        "'part-3' is a part of a dataset, not all of it; put the parts together": ["clean", given[0], *out],
        "hfclean.json of 'part-3' describes a part": ["why", given[0], "0"],
        "holds the source itself": ["merge", *given, "--out", given[0], "--overwrite"],
        "would lie in the folder 'part-3'": ["merge", *given, "--out", f"{given[0]}/out"],
        "already exists; name another, or replace it with --overwrite": [
            *("clean", source, "--shard", "1/3", "--out", given[2], "--quiet")
        ],
        "--license with --shard: it is about the whole; say it to hfclean merge": [
            *("clean", source, "--shard", "1/3", "--license", "mit", *out)
        ],
        "--fail-on with --shard": ["score", source, "--shard", "1/3", "--fail-on", "defect", *out],
        "is a file; expected a folder that hfclean clean": ["merge", *given[:2], source, *out],
        "is not a part (no hfclean.json in it)": ["merge", *given[:2], f"{given[2]}/after", *out],
        "part-1 is one; expected a folder": ["merge", *given[:2], str(three[0].parent), *out],
    }
    shards = ("0/3", "4/3", "1/0", "a/b", "-1/3", "3", "", "1.5/3", "1/2/3", "٣/٤")
    lines |= {f"--shard: {shard!r}; expected K/N": ["clean", source, "--shard", shard, *out] for shard in shards}
    lines["'1/1000000000'; expected at most 100,000 shards"] = ["clean", source, "--shard", "1/1000000000", *out]
    for expected, words in lines.items():
        assert ended(words) in (1, 2)
        assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_rules_of_ones_own_are_named_again(tmp_path: Path) -> None:
    folders = parts(splits(), 2, tmp_path, reviser=hfclean.RuleReviser(extra=(shouts,)))
    with pytest.raises(HfcleanError, match="your own rule 'shouts', whose code is not in them") as raised:
        engines.merge(folders)
    assert "--with PKG:NAME" in raised.value.in_flags


def test_columns_that_differ_between_shards_are_named(tmp_path: Path) -> None:
    folders = parts(splits(), 2, tmp_path / "a", scorers=(lengthy,))
    other = parts(splits().map(lambda row: {"more": 1}), 2, tmp_path / "b", scorers=(lengthy,))
    for name in ("before", "after", "known"):
        shutil.copy(other[0] / name / "train.arrow", folders[0] / name / "train.arrow")
    files = {f"{n}/train.arrow": file_hash(folders[0] / n / "train.arrow") for n in ("before", "after", "known")}
    record = json.loads((folders[0] / "hfclean.json").read_text())
    recorded(files={**record["files"], **files})(folders[0])
    with pytest.raises(HfcleanError, match=r"part-1 and part-2 have different columns \(more\)"):
        engines.merge(folders)


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(parts_room, "file_hash", full)
        with pytest.raises(OSError, match="No space left"):
            engines.clean_shard(splits(), "1/2", tmp_path / "part", show=False)
    assert list(tmp_path.iterdir()) == []
    folders = parts(splits(), 2, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(folder_room, "file_hash", full)
        with pytest.raises(OSError, match="No space left"):
            engines.merge(folders).save(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-1", "part-2"]


def test_the_command_line_gives_the_folder_of_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS["messages"]))
    (tmp_path / "b").mkdir()
    end = ["--drop-duplicates", "--license", "mit", "--quiet"]
    assert main(["clean", str(file), "--out", str(tmp_path / "a" / "rows"), *end]) == 0
    for number in (1, 2):
        part = ["--shard", f"{number}/2", "--out", str(tmp_path / f"part-{number}"), "--quiet", "--json"]
        capsys.readouterr()
        assert main(["clean", str(file), *part]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["shard"], told["rows"]) == (f"{number}/2", {"train": len(ROWS["messages"]) // 2})
    folders = [str(tmp_path / f"part-{number}") for number in (1, 2)]
    assert main(["merge", *folders, "--out", str(tmp_path / "b" / "rows"), *end]) == 0
    assert contents(tmp_path / "a" / "rows") == contents(tmp_path / "b" / "rows")


def test_a_part_from_elsewhere_names_no_server_that_is_followed(tmp_path: Path) -> None:
    folders = parts(splits(), 2, tmp_path)
    engines.merge(folders).save(tmp_path / "own")
    assert is_own(tmp_path / "own")
    moved = [part.rename(tmp_path / f"moved-{part.name}") for part in folders]
    engines.merge(moved).save(tmp_path / "other")
    assert not is_own(tmp_path / "other")
