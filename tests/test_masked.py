"""What was masked stays masked: no file of a folder and nothing that reaches the Hub holds it."""

from __future__ import annotations

import io
import json
import sqlite3
import stat
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset, Features, Json, Value
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from keys_made import KEYS

import hfclean
from hfclean.cleaning import clean
from hfclean.cli import main
from hfclean.errors import RecoveryWarning
from hfclean.hub import HubRefusal, Patience
from hfclean.models import Limits, process
from hfclean.provenance import encode_original
from hfclean.reviser import MaskPII
from hfclean.reviser.codec import encode
from hfclean.reviser.masked_texts import masked_file, open_masked
from hfclean.schema import Pair

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
QUICK = Limits(retries=0, backoff_s=0.001)
PATIENCE = Patience(sleep=lambda seconds: None)
MAIL, PHONE, CARD, KEY = "zara.quill@canary-mail.org", "+49 170 4433221", "4539148803436467", KEYS["hf_token"]
CANARIES = ("zara.quill", "4433221", CARD, KEY)
ALL = f"{MAIL}, call {PHONE}, card {CARD}, key {KEY}"
CALL = {"id": "c1", "type": "function", "function": {"name": "mail", "arguments": json.dumps({"to": MAIL, "n": ALL})}}


def turn(role: str, content: str | None, calls: list[Any] | None = None) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": calls}


BESIDE = {
    "trace": {"steps": [{"arguments": {MAIL: ALL}}]},
    "text": f"rendered {ALL}",
    "user_id": MAIL,
    "notes": [ALL],
}
SHAPES: dict[str, dict[str, Any]] = {
    "alpaca": {"instruction": f"Ask {ALL}", "input": f"N/A {ALL}", "output": f"{ALL} done</s>"},
    "prompt": {"prompt": f"Ask {ALL}", "completion": f"{ALL} done</s>"},
    "messages": {
        "messages": [
            turn("system", f"You are {ALL}"),
            turn("user", f"Ask {ALL}"),
            turn("assistant", None, [CALL]),
            turn("tool", json.dumps({"sent": ALL})),
            turn("assistant", f"{ALL} done</s>"),
        ]
    },
    "conversations": {"conversations": [{"from": "human", "value": ALL}, {"from": "gpt", "value": f"{ALL} done</s>"}]},
    "preference": {"prompt": ALL, "chosen": f"{ALL} done</s>", "rejected": f"no {ALL}"},
    "text": {
        "messages": json.dumps([{"role": "user", "content": ALL}, {"role": "assistant", "content": f"{ALL}</s>"}])
    },
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def rows(shape: str) -> Dataset:
    """One row of a shape, with a raw trace as `Json()`, and one in which nothing is personal."""
    row = {**BESIDE, **SHAPES[shape]}
    types = Dataset.from_list([row]).features
    harmless = json.loads(json.dumps(row).replace(ALL, "it").replace(MAIL, "u1"))
    return Dataset.from_list([row, harmless], features=Features({**types, "trace": Json()}))


def found(content: bytes) -> list[str]:
    return [each for each in CANARIES if each.encode() in content]


def leaks(folder: Path) -> dict[str, list[str]]:
    """The canaries in the files of a folder, parquet files raw and decoded."""
    held = {}
    for file in folder.rglob("*"):
        if file.is_file():
            contents = [file.read_bytes()]
            if file.suffix == ".parquet":
                contents.append(str(pq.read_table(file).to_pylist()).encode())
            if here := [each for content in contents for each in found(content)]:
                held[file.name] = here
    return held


def sent(hub: FakeHub) -> dict[str, list[str]]:
    repo = hub.repo("me/x", "dataset")
    held = {name: found(content) for name, content in repo.files.items()}
    for name, content in repo.files.items():
        if name.endswith(".parquet"):
            held[name] += found(str(pq.read_table(io.BytesIO(content)).to_pylist()).encode())
    return {name: here for name, here in held.items() if here}


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("order", ["mask", "clean mask", "mask clean"])
def test_no_file_and_nothing_that_is_pushed_holds_what_was_masked(
    fake_hub: FakeHub, tmp_path: Path, shape: str, order: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder, more = (str(tmp_path / name) for name in ("rows.jsonl", "one", "two"))
    ds = rows(shape)
    with open(source, "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in ds.to_list())
    commands = {"mask": ["pii", "--mask"], "clean": ["clean"]}
    words = order.split()
    assert main([*commands[words[0]], source, "--out", folder, "--quiet"]) == 0
    if words[1:]:
        assert leaks(Path(folder)) == {} if words[0] == "mask" else leaks(Path(folder)) != {}
        assert main([*commands[words[1]], folder, "--out", more, "--quiet"]) == 0
        folder = more
    assert leaks(Path(folder)) == {}
    assert main(["push", folder, "me/x", "--quiet"]) == 0
    assert sent(fake_hub) == {}
    assert found("".join(capsys.readouterr()).encode()) == []


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("order", ["mask", "revise mask", "mask revise", "revise mask revise"])
def test_in_python_restore_gives_everything_back_and_a_push_nothing(fake_hub: FakeHub, shape: str, order: str) -> None:
    raw = rows(shape)
    steps = {"mask": MaskPII(), "revise": hfclean.revise}
    ds = raw
    for word in order.split():
        ds = ds.map(steps[word], batched=True)
    assert found(str(ds.to_list()).encode()) == []
    hfclean.push_dataset(ds, "me/x", report=hfclean.compare(raw, ds), patience=PATIENCE)
    assert sent(fake_hub) == {}
    assert hfclean.restore(ds).to_list() == raw.to_list()
    one = hfclean.restore(ds, rows=[ds["row_id"][0]])
    assert [one[0][name] for name in raw.column_names] == [raw[0][name] for name in raw.column_names]


def test_without_the_file_all_other_steps_are_undone_and_one_line_says_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = rows("alpaca").map(hfclean.revise, batched=True).map(MaskPII(), batched=True)
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "elsewhere"))
    with pytest.warns(RecoveryWarning, match="stays masked in every masked row") as told:
        back = hfclean.restore(ds)
    assert len(told) == 1
    assert back["output"][0] == "[EMAIL], call [PHONE], card [CARD], key [KEY] done</s>"
    assert back.column_names == rows("alpaca").column_names
    assert not masked_file().exists()


def test_one_rule_is_undone_below_a_mask_and_what_is_masked_stays_so() -> None:
    row = {"instruction": "Say it.", "input": "N/A", "output": f"Mail {MAIL}.</s>"}
    ds = Dataset.from_list([row]).map(hfclean.revise, batched=True).map(MaskPII(), batched=True)
    back = hfclean.restore(ds, rule="placeholder_input")
    assert (back["input"][0], back["output"][0]) == ("N/A", "Mail [EMAIL].")
    assert found(str(back.to_list()).encode()) == []
    assert hfclean.restore(back).to_list() == [row]


def test_what_other_steps_removed_is_masked_where_it_is_kept() -> None:
    row = {"instruction": "Say it.", "input": "", "output": "Done."}
    history = '{"by": "Reviser", "version": 1, "edit": "revised", "reasons": ["revised"]}'
    was = encode_original({("output",): f"Done by {MAIL}."})
    ours = {"edit": "revised", "edit_reason": "revised", "edit_history": history, "original": was, "row_id": "0" * 16}
    ds = Dataset.from_list([{**row, **ours}]).map(MaskPII(), batched=True)
    assert json.loads(ds["original"][0]) == {"output": "Done by [EMAIL]."}
    assert ds["row_id"][0] != "0" * 16
    assert hfclean.restore(ds).to_list() == [{**row, "output": f"Done by {MAIL}."}]


def test_the_id_of_a_masked_row_is_that_of_the_masked_text() -> None:
    a, b = ({"prompt": "Who?", "completion": f"{name}@canary-mail.org"} for name in ("ann", "bob"))
    ds = Dataset.from_list([a, b, {"prompt": "Who?", "completion": "[EMAIL]"}]).map(MaskPII(), batched=True)
    assert len(set(ds["row_id"][:])) == 1
    assert len({json.loads(line)["masked"] for line in ds["edit_history"][:2]}) == 2
    assert hfclean.restore(ds.shuffle(seed=1)).to_list() != ds.to_list()
    assert sorted(hfclean.restore(ds.shuffle(seed=1))["completion"][:2])[0] in ("[EMAIL]", a["completion"])
    assert set(hfclean.restore(ds.shuffle(seed=1))["completion"][:]) == {a["completion"], b["completion"], "[EMAIL]"}


def test_the_file_is_this_users_alone_and_not_needed_without_keep(tmp_path: Path) -> None:
    MaskPII(keep=False)({"prompt": "Who?", "completion": MAIL})
    assert not masked_file().exists()
    out = MaskPII()({"prompt": "Who?", "completion": MAIL})
    assert stat.S_IMODE(masked_file().stat().st_mode) == 0o600
    assert found(masked_file().read_bytes()) == ["zara.quill"]
    kept = open_masked(create=False)
    assert kept is not None
    name = json.loads(out["edit_history"])["masked"]
    assert list(kept.get([name]).values()) == [encode_original({("completion",): MAIL})]
    assert kept.delete([name, name, "x"]) == 1
    assert found(masked_file().read_bytes()) == []


def test_a_push_refuses_a_folder_in_which_the_file_lies(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean(rows("alpaca"), reviser=MaskPII())
    source, folder = tmp_path / "rows.jsonl", tmp_path / "out"
    source.write_text(json.dumps(SHAPES["alpaca"]) + "\n")
    assert main(["pii", str(source), "--mask", "--out", str(folder), "--quiet"]) == 0
    (folder / "data" / "copy.bin").write_bytes(masked_file().read_bytes())
    with pytest.raises(HubRefusal, match=r"'data/copy\.bin' in 'out' holds texts that were masked"):
        hfclean.push_dataset(folder, "me/x", patience=PATIENCE)
    assert fake_hub.log == []


OLD = '{"by": "MaskPII", "version": 2, "edit": "revised", "reasons": ["pii_email"]}'


def old_rows() -> Dataset:
    """As version 0.1.0 masked them."""
    was = encode_original({("output",): f"Done by {MAIL}."})
    ours = {"edit": "revised", "edit_reason": "pii_email", "edit_history": OLD, "original": was, "row_id": "0" * 16}
    return Dataset.from_list([{"instruction": "Say it.", "input": "", "output": "Done by [EMAIL].", **ours}])


def test_rows_masked_by_an_earlier_version_are_restored_but_not_pushed_until_masked_again(fake_hub: FakeHub) -> None:
    ds = old_rows()
    raw = [{"instruction": "Say it.", "input": "", "output": f"Done by {MAIL}."}]
    assert hfclean.restore(ds).to_list() == raw
    with pytest.raises(HubRefusal, match="an earlier version of hfclean kept it; mask the rows again"):
        hfclean.push_dataset(ds, "me/x", patience=PATIENCE)
    assert fake_hub.log == []
    hfclean.push_dataset(ds.remove_columns("original"), "me/y", report=hfclean.compare(ds, ds), patience=PATIENCE)
    again = ds.map(MaskPII(), batched=True)
    hfclean.push_dataset(again, "me/x", patience=PATIENCE)
    assert sent(fake_hub) == {}
    assert hfclean.restore(again).to_list() == raw
    phones = ds.map(MaskPII(kinds=("phone",)), batched=True)
    with pytest.raises(HubRefusal, match="mask the rows again"):
        hfclean.push_dataset(phones, "me/x", patience=PATIENCE)


def test_refused_and_removed_rows_and_a_report_from_before_are_masked_with_the_rows(
    fake_hub: FakeHub, tmp_path: Path
) -> None:
    row = {"instruction": f"Who has 12 and 7 cows, {MAIL}?", "input": "", "output": f"{MAIL} has 12 + 7 = 19 cows."}

    def reply(_: Received, __: int = 0) -> Reply:
        return Reply(encode(Pair(row["instruction"], "", f"{MAIL} has 12 + 7 = 21 cows.")))

    raw = Dataset.from_list([row, row])
    with ChatServer(default=reply) as server:
        coach = hfclean.Reviser("tiny", base_url=server.url, limits=QUICK)
        done = clean(raw, reviser=coach, drop_duplicates=True, show=False)
    assert done.refused is not None
    report = hfclean.compare(raw, done.dataset, refused=done.refused, removed=done.removed)
    assert "zara.quill" in report.to_html()
    ds = done.dataset.map(MaskPII(), batched=True)
    more = {"removed": done.removed, "refused": done.refused, "report": report}
    hfclean.push_dataset(ds, "me/x", patience=PATIENCE, **more)
    assert sent(fake_hub) == {}
    assert "removed/train.parquet" in fake_hub.repo("me/x", "dataset").files
    masked = hfclean.compare(raw, ds, refused=done.refused, removed=done.removed)
    assert found(masked.to_html().encode()) == []
    assert [(each.id, each.rows) for each in masked.rules if each.id == "pii_email"] == [("pii_email", 1)]
    assert masked.removed[0].rows == 1


def test_errors_that_quote_a_row_and_texts_of_scorers_are_masked() -> None:
    row = {"instruction": "Say it.", "input": "", "output": "Done."}
    line = json.dumps({"by": "Judge", "version": 1, "errors": {"x": f"bad {MAIL}"}, "columns": ["judge_reason"]})
    ds = Dataset.from_list([{**row, "edit_history": line, "judge_reason": f"{MAIL} is rude"}])
    masked = ds.map(MaskPII(), batched=True)
    assert found(str(masked.to_list()).encode()) == []
    assert masked["judge_reason"][0] == "[EMAIL] is rude"


def test_the_card_of_the_source_keeps_its_authors_and_not_those_in_the_rows(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "rows.jsonl").write_text(json.dumps({"instruction": f"Ask {MAIL}", "output": "x"}) + "\n")
    (source / "README.md").write_text(f"---\nlicense: mit\n---\nFor example, ask {MAIL}. By author@canary-mail.org.\n")
    folder = tmp_path / "out"
    assert main(["pii", str(source), "--mask", "--out", str(folder), "--quiet"]) == 0
    assert leaks(folder) == {}
    assert "author@canary-mail.org" in (folder / "README.md").read_text()
    record = json.loads((folder / "hfclean.json").read_text())
    kept = open_masked(create=False)
    assert kept is not None
    assert (record["transforms"][0]["masked"], record["source"]["fingerprint"]) == (kept.id, "")


def test_undo_of_a_folder_says_what_it_cannot_restore_and_restores_it_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = tmp_path / "rows.jsonl", tmp_path / "out"
    source.write_text(json.dumps(SHAPES["alpaca"]) + "\n")
    assert main(["pii", str(source), "--mask", "--out", str(folder), "--quiet"]) == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setenv("HFCLEAN_HOME", str(tmp_path / "elsewhere"))
        assert main(["undo", str(folder), "--out", str(tmp_path / "there")]) == 0
        assert capsys.readouterr().err.count("note: personal data stays masked in every masked row") == 1
        assert leaks(tmp_path / "there") == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["undo", str(folder), "--out", str(tmp_path / "here")]) == 0
    [row] = pq.read_table(next((tmp_path / "here").glob("data/*.parquet"))).to_pylist()
    assert row == SHAPES["alpaca"]


def test_streams_and_single_rows_are_restored_and_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = Dataset.from_list([SHAPES["prompt"]])
    ds = raw.map(MaskPII(), batched=True)
    assert list(hfclean.restore(ds.to_iterable_dataset())) == raw.to_list()
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "elsewhere"))
    with pytest.warns(RecoveryWarning, match="stays masked"):
        assert "[EMAIL]" in hfclean.restore(ds[0])["completion"]
    with pytest.warns(RecoveryWarning, match="stays masked"):
        list(hfclean.restore(ds.to_iterable_dataset()))


def test_a_name_of_another_row_writes_nothing_into_a_row_that_it_does_not_fit() -> None:
    deep = MaskPII()({"messages": [{"role": "user", "content": MAIL}, {"role": "assistant", "content": "x"}]})
    row = {"messages": [], "edit_history": deep["edit_history"]}
    assert hfclean.restore(row)["messages"] == []


def test_values_of_types_are_kept() -> None:
    features = Features({"prompt": Value("large_string"), "completion": Value("string"), "n": Value("int16")})
    raw = Dataset.from_list([{"prompt": MAIL, "completion": PHONE, "n": 3}], features=features)
    ds = raw.map(MaskPII(), batched=True)
    assert {name: ds.features[name] for name in features} == dict(features)
    assert hfclean.restore(ds).features == features


def test_ids_kinds_and_addresses_within_messages_are_masked_and_pictures_stay(tmp_path: Path) -> None:
    picture = "data:image/png;base64,AAAA@canary-mail.org"
    content = [{"type": "image_url", "image_url": {"url": f"https://x.org/?u={MAIL}"}}, {"image_url": picture}]
    row = {
        "messages": [
            {"role": "user", "content": content},
            {"role": "assistant", "content": "x", "tool_calls": [{"id": f"c-{MAIL}", "type": MAIL}]},
            {"role": "tool", "tool_call_id": f"c-{MAIL}", "content": {"id": KEY, "type": CARD}},
        ],
        "trace": {"id": MAIL, "type": {"name": f"f {MAIL}"}},
    }
    ds = Dataset.from_list([row], features=Features({"messages": Json(), "trace": Json()}))
    assert hfclean.scorers.PII()(row)["pii_count"] == 7
    masked = ds.map(MaskPII(), batched=True)
    assert found(str(masked.to_list()).encode()) == [CARD]  # in a name, a long number is no card
    asked, called, given = masked["messages"][0]
    assert asked["content"][0]["image_url"] == {"url": "https://x.org/?u=[EMAIL]"}
    assert asked["content"][1]["image_url"] == picture
    assert called["tool_calls"][0]["id"] == given["tool_call_id"] == "[EMAIL]"
    assert hfclean.scorers.PII()(masked[0])["pii_count"] == 0
    assert hfclean.restore(masked).to_list() == ds.to_list()


@pytest.mark.parametrize("value", ["[1]", "no JSON", '{"completion": "planted"}', 7])
def test_an_entry_that_was_changed_is_not_put_back(tmp_path: Path, value: Any) -> None:
    ds = Dataset.from_list([SHAPES["prompt"]]).map(MaskPII(), batched=True)
    process.close()
    with closing(sqlite3.connect(masked_file())) as db, db:
        db.execute("UPDATE texts SET value = ?", (value,))
    with pytest.warns(RecoveryWarning, match="stays masked in every masked row"):
        assert hfclean.restore(ds)["completion"][0] == "[EMAIL], call [PHONE], card [CARD], key [KEY] done</s>"


def test_the_card_says_what_was_masked(tmp_path: Path) -> None:
    source, folder = tmp_path / "rows.jsonl", tmp_path / "out"
    source.write_text(json.dumps({"prompt": "Who?", "completion": MAIL}) + "\n")
    for command, says in ((["pii", "--mask"], True), (["clean"], False)):
        assert main([*command, str(source), "--out", str(folder), "--overwrite", "--quiet"]) == 0
        card = (folder / "README.md").read_text()
        assert ("| `pii_email`: an e-mail address was masked |" in card) is says
        assert ("were masked where their form tells them" in card) is says
        assert ("changes nothing about the license of the source, or about personal data" in card) is not says
