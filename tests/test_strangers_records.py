"""Records, packs and ledgers that strangers wrote: checked before they are followed, and read within bounds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chat_server import ChatServer, Reply
from datasets import Dataset, DatasetDict

import hfclean
from hfclean import limits
from hfclean.cli import main
from hfclean.errors import FolderError, SourceError
from hfclean.folder import read_folder
from hfclean.hub import RepoError
from hfclean.hub.record import read_about, with_edits
from hfclean.hub_id import is_hub_id, names_hub
from hfclean.layout import Layout
from hfclean.limits import check_inside, check_parquet, read_json
from hfclean.records.dataset import read_layout
from hfclean.selection.benchmarks import BenchmarkPack
from hfclean.source import load
from hfclean.training.pairs import revision_pairs

DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was written here."""
    place = tmp_path_factory.mktemp("written")
    rows = place / "rows.jsonl"
    rows.write_text(json.dumps({"instruction": "Name a fruit.", "output": "Apple.</s>"}) + "\n")
    assert main(["clean", str(rows), "--out", str(place / "mine"), "--quiet"]) == 0
    return place / "mine"


@pytest.fixture
def cleaned(written: Path, tmp_path: Path) -> Path:
    """A folder as it comes by `git clone`: not written here."""
    for name in ("mine", "clone"):
        shutil.copytree(written, tmp_path / name)
    return tmp_path / "clone"


def change(folder: Path, **entries: Any) -> None:
    about = json.loads((folder / "hfclean.json").read_text())
    for name, value in entries.items():
        place, _, last = name.rpartition("__")
        target = about[place] if place else about
        if value is None:
            target.pop(last, None)
        else:
            target[last] = value
    (folder / "hfclean.json").write_text(json.dumps(about))


ABSURD: list[tuple[dict[str, Any], str]] = [
    ({"source__rows": {"../../../../etc/x": 1}}, "not the name of a split"),
    ({"source__rows": {"tr ain": 1}}, "not the name of a split"),
    ({"source__rows": {"a/b": 1}}, "not the name of a split"),
    ({"source__rows": ["train"]}, "source is not an object with rows"),
    ({"source": []}, "source is not an object with rows"),
    ({"source": None}, "source is not an object with rows"),
    ({"source__fingerprint": 3}, "no text for fingerprint"),
    ({"source__notes": "x"}, "notes of source"),
    ({"stated": []}, "stated is not an object"),
    ({"stated__license": None}, "stated is not an object"),
    ({"stated__license": 7}, "license in stated"),
    ({"transforms": {}}, "transforms is not a list"),
    ({"transforms": ["x"]}, "transforms is not a list of objects"),
    ({"transforms": [{"settings": 3}]}, "settings of a transform"),
    ({"prefix": "x" * 101}, "prefix is"),
    ({"prefix": 3}, "prefix is 3"),
    ({"prefix": "a\nb"}, "prefix is"),
    ({"prefix": "../a"}, "prefix is"),
    ({"columns": 3}, "columns is 3"),
    ({"columns": ["alpaca"]}, "columns is"),
    ({"columns": {"instruction": ["a"]}}, "columns is"),
    ({"columns": {"instruction": "x" * 1001}}, "columns is"),
    ({"columns": {f"role{k}": "x" for k in range(101)}}, "columns has 101 entries"),
]


@pytest.mark.parametrize(("entries", "words"), ABSURD)
def test_an_absurd_record_of_a_folder_is_refused_by_every_command_that_reads_it(
    cleaned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], entries: dict[str, Any], words: str
) -> None:
    change(cleaned, **entries)
    with pytest.raises(FolderError, match=words):
        read_folder(cleaned, cache_dir=tmp_path / "cache")
    for command in (["why", str(cleaned), "0"], ["undo", str(cleaned)], ["revise", str(cleaned), "--retry-failed"]):
        assert main([*command, "--quiet"] if command[0] == "revise" else command) == 1
        assert "is not as hfclean writes it" in capsys.readouterr().err


@pytest.mark.parametrize("entries", [each for each, words in ABSURD if words.startswith(("prefix", "columns"))])
def test_absurd_columns_and_prefixes_are_followed_by_nobody(
    cleaned: Path, capsys: pytest.CaptureFixture[str], entries: dict[str, Any]
) -> None:
    change(cleaned, **entries)
    with pytest.raises(SourceError, match="is not as hfclean writes it"):
        revision_pairs(cleaned)
    with pytest.raises(RepoError):
        read_about((cleaned / "hfclean.json").read_bytes(), "hfclean.json")
    main(["diff", str(cleaned), str(cleaned)])
    shown = capsys.readouterr().err
    assert "note: --columns" not in shown
    assert "note: --prefix" not in shown


def test_a_record_that_is_too_large_or_too_deep_is_a_sentence(cleaned: Path, tmp_path: Path) -> None:
    for text in (
        DEEP,
        '{"format": 1, "prefix": ' + DEEP,
        '{"format": ' + "9" * 5000 + "}",
        '{"format": NaN}',
        "\udcff",
    ):
        (cleaned / "hfclean.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(FolderError, match="is damaged"):
            read_folder(cleaned, cache_dir=tmp_path / "cache")
        with pytest.raises(SourceError, match="is not as hfclean writes it"):
            revision_pairs(cleaned)
    file = tmp_path / "large.json"
    file.write_text('"' + "x" * 100 + '"')
    with pytest.raises(ValueError, match="more than 50 bytes"):
        read_json(file, 50)
    assert read_json(file, 102) == "x" * 100


def test_layout_of_takes_what_hfclean_writes() -> None:
    for columns in (None, "alpaca", {"instruction": "frage", "response": "antwort"}):
        assert read_layout({"columns": columns, "prefix": "hf-é "}) == Layout(columns, "hf-é ")
    assert read_layout({}) == Layout()


def test_of_a_strangers_folder_no_key_store_or_device_is_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SOMEBODYS_SECRET", "do-not-send-this-0815")
    rows, mine, copy = tmp_path / "rows.jsonl", tmp_path / "mine", tmp_path / "copy"
    rows.write_text(json.dumps({"instruction": "Name a fruit.", "output": "Apple."}))
    with ChatServer(default=Reply("no", 400)) as server:
        asked = ["--model", "tiny", "--base-url", server.url]
        main(["revise", str(rows), *asked, "--out", str(mine), "--quiet"])
        shutil.copytree(mine, copy)
        about = json.loads((copy / "hfclean.json").read_text())
        step = next(step for step in about["transforms"] if "usage" in step)
        store = tmp_path / "elsewhere"
        step["settings"] |= {"api_key_env": "SOMEBODYS_SECRET", "store": str(store), "device": "cuda"}
        (copy / "hfclean.json").write_text(json.dumps(about))
        count = len(server.received)
        main(["revise", str(copy), "--retry-failed", *asked, "--quiet"])
        assert len(server.received) > count
        assert "do-not-send-this-0815" not in str([vars(request) for request in server.received])
        assert not store.exists()
        step["settings"]["max_new_tokens"] = 5_000_000
        (copy / "hfclean.json").write_text(json.dumps(about))
        capsys.readouterr()
        assert main(["revise", str(copy), "--retry-failed", *asked, "--quiet"]) == 1
        assert "max_new_tokens in hfclean.json is 5000000" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/v1", "http://localhost:9/v1", "http://[::1]:9/v1", "https://x.io/v1"]
)
def test_no_address_of_a_copied_reviser_is_followed_loopback_neither(tmp_path: Path, url: str) -> None:
    hfclean.Reviser("tiny", base_url=url, extra_body={"user": "x"}).save_pretrained(tmp_path / "mine")
    shutil.copytree(tmp_path / "mine", tmp_path / "copy")
    with pytest.raises(FolderError, match=r"extra_body|Only you may say"):
        hfclean.Reviser.from_pretrained(tmp_path / "copy")
    hfclean.Reviser("tiny", base_url=url).save_pretrained(tmp_path / "plain")
    (tmp_path / "plain").rename(tmp_path / "moved")
    with pytest.raises(FolderError, match=r"Only you may say.*yours again once it is saved again"):
        hfclean.Reviser.from_pretrained(tmp_path / "moved")
    own = hfclean.Reviser.from_pretrained(tmp_path / "moved", base_url=url)
    own.save_pretrained(tmp_path / "moved")
    assert hfclean.Reviser.from_pretrained(tmp_path / "moved").base_url == url


@pytest.mark.parametrize(
    ("text", "is_id", "is_named"),
    [
        *[(text, True, True) for text in ("org/model", "_me/x", "o/a.b-c_1", "0/0", "o/" + "x" * 96)],
        *[(text, True, False) for text in ("gpt2", "x" * 96)],
        *[
            (text, False, False)
            for text in ("", ".", "..", "../x", "./x", ".a/x", "-a/x", "a/.x", "a/x.", "a/x-", "/a/x")
        ],
        *[(text, False, False) for text in ("a/b/c", "a/", "mé/x", "a/b c", "a/b\n", "a/b--c", "a/b..c", "a/b.git")],
        *[(text, False, False) for text in ("~/x", "C:\\x", "o/" + "x" * 97, 3, None, ["a/b"])],
    ],
)
def test_what_may_be_an_id_of_the_hub_is_said_once(text: object, is_id: bool, is_named: bool) -> None:
    assert is_hub_id(text) is is_id
    assert is_hub_id(text, namespace=True) is is_named


def test_what_lies_here_names_nothing_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert names_hub("org/model")
    assert names_hub("gpt2")
    assert not names_hub("gpt2", namespace=True)
    (tmp_path / "org" / "model").mkdir(parents=True)
    (tmp_path / "gpt2").touch()
    assert not names_hub("org/model")
    assert not names_hub("gpt2")
    assert not names_hub({"a": "b"})


# ---------------------------------------------------------------------------------------------------- parquet


def test_a_footer_that_claims_too_much_is_not_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["x" * 1000] * 50_000, "b": [[1, 2]] * 50_000}), file)
    assert file.stat().st_size < 200_000
    with pq.ParquetFile(file) as opened:
        check_parquet(opened, most_bytes=10**9, most_values=150_000)
        with pytest.raises(ValueError, match=r"150,000 values.*at most 149,999"):
            check_parquet(opened, most_bytes=10**9, most_values=149_999)
        with pytest.raises(ValueError, match="bytes"):
            check_parquet(opened, most_bytes=10, most_values=10**9)


def test_a_ledger_of_one_long_text_again_and_again_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hfclean.hub import record

    rows = Dataset.from_list([{"instruction": "a", "output": "b"}])
    report = hfclean.compare(rows, rows)
    text = "x" * 50_000
    columns = {"split": ["train"], "row_id": ["1"], "field": ["f"], "rule": ["r"], "before": [text], "after": [""]}
    pq.write_table(pa.table({name: value * 1000 for name, value in columns.items()}), tmp_path / "ledger.parquet")
    assert (tmp_path / "ledger.parquet").stat().st_size < 500_000
    monkeypatch.setattr(record, "MOST_UNPACKED", 20_000_000)
    with pytest.raises(RepoError, match="unpacks to more than 20,000,000 bytes"):
        with_edits(report, tmp_path / "ledger.parquet", {}, Layout())


def test_a_pack_of_benchmarks_is_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hfclean.selection import benchmarks

    pack = BenchmarkPack.make("b", [{"question": "What is the capital of France and why is it so?"}])
    pack.save(tmp_path / "pack")
    assert len(BenchmarkPack.load(tmp_path / "pack").entries) == len(pack.entries)
    monkeypatch.setattr(benchmarks, "MOST_VALUES", 5)
    with pytest.raises(SourceError, match="it unpacks to"):
        BenchmarkPack.load(tmp_path / "pack")
    monkeypatch.setattr(benchmarks, "LARGEST_DATA", 5)
    with pytest.raises(SourceError, match="more than 5 bytes"):
        BenchmarkPack.load(tmp_path / "pack")
    (tmp_path / "pack" / benchmarks.ABOUT).write_text(DEEP)
    with pytest.raises(SourceError, match="nested deeper"):
        BenchmarkPack.load(tmp_path / "pack")


# ---------------------------------------------------------------------------------------------------- models


def test_every_tokenizer_and_model_is_read_without_code_and_every_model_as_safetensors() -> None:
    """Reads the source: each `from_pretrained` of transformers says so itself, or takes it from settings that do."""
    import ast

    package = Path(hfclean.__file__).parent
    calls = []
    for file in package.rglob("*.py"):
        if file.name == "testing_models.py":  # models that it wrote itself, a line before
            continue
        text = file.read_text()
        assert "trust_remote_code=True" not in text
        assert '"trust_remote_code": True' not in text
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_pretrained":
                source = ast.unparse(node)
                if "transformers" in source or "Auto" in source:
                    calls.append(source)
                    assert "trust_remote_code=False" in source or "**safely" in source, source
                    if "Model" in ast.unparse(node.func):
                        assert "use_safetensors=True" in source, source
    assert len(calls) >= 5
    settings = [
        line
        for f in package.rglob("*.py")
        for line in f.read_text().split("\n")
        if "safely = {" in line or "safely:" in line
    ]
    assert settings
    assert [line for line in settings if '"trust_remote_code": False' not in line] == []


@pytest.mark.needs_extra("models", "transformers")
def test_code_that_a_tokenizer_names_is_not_run(tmp_path: Path) -> None:
    from hfclean.cli.reading import tokenizer_of

    folder, ran = tmp_path / "tokenizer", tmp_path / "ran"
    folder.mkdir()
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass T:\n    pass\n")
    for auto in ({"AutoTokenizer": ["evil.T", None]}, {"AutoTokenizer": ["evil.T", "evil.T"], "AutoConfig": "evil.T"}):
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T", "auto_map": auto}))
        (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
        with pytest.raises(SourceError, match="cannot be loaded"):
            tokenizer_of(str(folder))
    assert not ran.exists()


@pytest.mark.needs_extra("models", "safetensors")
def test_a_direction_of_somebody_else_names_a_model_of_the_hub_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    from safetensors import numpy

    from hfclean.models import ModelError
    from hfclean.scorers import direction

    about: dict[str, Any] = {
        "format": 1,
        "model": "/home/you/private",
        "layer": -1,
        "template": "{response}",
        "found": None,
    }
    numpy.save_file({"direction": np.ones(4, np.float32)}, tmp_path / direction.WEIGHTS)
    file = tmp_path / direction.ABOUT
    monkeypatch.setattr(direction, "fetch", lambda *args: tmp_path)
    file.write_text(json.dumps(about))
    with pytest.raises(ModelError, match="which is not a Hub id; say which"):
        direction.Direction.from_pretrained("you/direction")
    assert direction.Direction.from_pretrained("you/direction", model="org/m").model == "org/m"
    assert direction.Direction.from_pretrained(tmp_path).model == "/home/you/private"
    file.write_text(json.dumps({**about, "model": "org/m"}))
    assert direction.Direction.from_pretrained("you/direction").model == "org/m"
    for name, value in (
        ("layer", "x"),
        ("layer", 10**9),
        ("template", "x" * 60_000),
        ("max_length", True),
        ("model", []),
    ):
        file.write_text(json.dumps({**about, "model": "org/m", name: value}))
        with pytest.raises(ModelError, match=f"{name} is"):
            direction.Direction.from_pretrained("you/direction")
    file.write_text(DEEP)
    with pytest.raises(ModelError, match="is damaged"):
        direction.Direction.from_pretrained(tmp_path)


# ---------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize("name", ["README.md", "hfclean.json", "data", "data/*.parquet"])
@pytest.mark.parametrize("command", ["undo DIR --out new", "clean DIR --out new", "push DIR me/fruit --dry-run"])
def test_a_file_that_leads_out_of_a_strangers_folder_is_not_read(
    cleaned: Path, name: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(cleaned.parent)
    file = next(cleaned.glob(name))
    file.unlink() if file.is_file() else shutil.rmtree(file)
    file.symlink_to(cleaned.parent / "mine" / file.relative_to(cleaned))
    assert main(command.replace("DIR", "clone").split()) == 1
    assert "in 'clone' is a link to a file outside of that folder" in capsys.readouterr().err.splitlines()[-1]
    assert not Path("new").exists()


def test_links_within_a_folder_and_to_the_blobs_of_a_snapshot_are_inside(tmp_path: Path) -> None:
    repo = tmp_path / "datasets--me--fruit"
    snapshot = repo / "snapshots" / "0123"
    (snapshot / "data").mkdir(parents=True)
    (repo / "blobs").mkdir()
    (repo / "blobs" / "ab").write_text("a blob")
    (snapshot / "data" / "a.parquet").symlink_to(Path("../../../blobs/ab"))
    (snapshot / "b.parquet").symlink_to(Path("data/a.parquet"))
    check_inside(snapshot, [snapshot / "data" / "a.parquet", snapshot / "b.parquet", snapshot / "absent"])
    (tmp_path / "blobs").mkdir()
    (snapshot / "c.parquet").symlink_to(tmp_path / "blobs")
    with pytest.raises(FolderError, match=r"'c.parquet' in '0123' is a link"):
        check_inside(snapshot, [snapshot / "c.parquet"])
    (repo / "blobs").rename(repo / "moved")
    (repo / "blobs").symlink_to(tmp_path)
    with pytest.raises(FolderError, match="outside"):
        check_inside(snapshot, [snapshot / "b.parquet"])


def test_a_saved_folder_may_not_lead_out_of_itself(tmp_path: Path) -> None:
    rows = Dataset.from_list([{"instruction": "a", "output": "b"}])
    DatasetDict({"train": rows}).save_to_disk(tmp_path / "elsewhere")
    DatasetDict({"train": rows}).save_to_disk(tmp_path / "saved")
    assert len(load(tmp_path / "saved", cache_dir=tmp_path / "cache").dataset["train"]) == 1
    shutil.rmtree(tmp_path / "saved" / "train")
    (tmp_path / "saved" / "train").symlink_to(tmp_path / "elsewhere" / "train")
    with pytest.raises(FolderError, match=r"'train/state.json' in 'saved' is a link"):
        load(tmp_path / "saved", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("lies", [False, True], ids=["footer says it", "footer says nothing"])
@pytest.mark.parametrize("place", ["rows.parquet", "folder/rows.parquet", "clone/data/train-x.parquet"])
def test_parquet_that_unpacks_to_far_more_than_rows_do_is_refused(
    cleaned: Path, place: str, lies: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(cleaned.parent)
    for old in cleaned.glob("data/*"):
        old.unlink()
    file = Path(place)
    file.parent.mkdir(exist_ok=True)
    table = pa.table({"instruction": ["Say it again. " + "x" * 20_000] * 300, "output": ["No."] * 300})
    pq.write_table(table, file, use_dictionary=lies, compression="zstd")  # a dictionary holds the text once
    assert file.stat().st_size < 100_000
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 2_000_000)
    monkeypatch.setattr(limits, "UNPACKED_TIMES", 5)
    verb, what = ("undo", "clone") if place.startswith("clone") else ("clean", place.partition("/rows")[0])
    assert main([verb, what, "--out", "new"]) == 1
    assert f"'{file.name}' unpacks to more than 2,000,000 bytes" in capsys.readouterr().err
    assert not Path("new").exists()
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 1 << 32)
    if verb == "clean":
        assert main([verb, what, "--out", "new", "--quiet"]) == 0
