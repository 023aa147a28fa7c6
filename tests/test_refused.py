"""Refused revisions are kept: in the folder and its card, on the Hub, in `why` and the report; nothing masked is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset, DatasetDict, load_dataset, load_from_disk
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from keys_made import KEYS

import hfclean
from hfclean.cards import read_card
from hfclean.cleaning import clean
from hfclean.cli import main
from hfclean.folder import read_folder
from hfclean.hub import HubRefusal, Patience
from hfclean.hub.failures import RepoError
from hfclean.hub.record import with_refused
from hfclean.layout import Layout
from hfclean.models import Limits, process
from hfclean.report.refused import sampled
from hfclean.reviser import MaskPII, Reflection, refused_revisions
from hfclean.reviser.codec import encode
from hfclean.reviser.refused import NOT_KEPT, REFUSED_COLUMNS, still_refused
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
COUNT = 6
QUICK = Limits(retries=0, backoff_s=0.001)
PATIENCE = Patience(sleep=lambda seconds: None)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def rows(count: int = COUNT) -> list[dict[str, Any]]:
    return [
        {"instruction": f"How many cows has farm {k}?", "input": "", "output": f"farm {k} has 12 + 7 = 19 cows</s>"}
        for k in range(count)
    ]


def number(content: str) -> int:
    return int(re.findall(r"farm (\d+)\?", content)[-1])


def answered(response: str) -> Callable[..., Reply]:
    """A wrong sum for every third row, beginning with the second; `{k}` stands for the row."""

    def reply(request: Received, _: int = 0) -> Reply:
        k = number(request.content)
        text = response if k % 3 == 1 else "Farm {k} has 12 + 7 = 19 cows."
        return Reply(encode(Pair(f"How many cows has farm {k}?", "", text.format(k=k))))

    return reply


WRONG = answered("Farm {k} has 12 + 7 = 21 cows.")


def coach(server: ChatServer, **settings: Any) -> hfclean.Reviser:
    return hfclean.Reviser("tiny", base_url=server.url, **{"limits": QUICK, **settings})


def run(*args: str, capsys: Any) -> tuple[int, str, str]:
    code = main([*args])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def folder(work: Path, capsys: Any) -> Path:
    """A cleaned folder of six rows, of which the second and the fifth are reverted."""
    (work / "farms.jsonl").write_text("\n".join(map(json.dumps, rows())))
    with ChatServer(default=WRONG) as server:
        code, _, err = run(
            *("clean", "farms.jsonl", "--out", "farms", "--model", "tiny", "--base-url", server.url, "--quiet"),
            capsys=capsys,
        )
    assert code == 0, err
    return work / "farms"


def test_what_was_refused_is_a_table_and_no_column_has_it() -> None:
    ds = DatasetDict(train=Dataset.from_list(rows()), test=Dataset.from_list(rows(3)))
    with ChatServer(default=WRONG, model="tiny-2026") as server:
        done = clean(ds, reviser=(hfclean.revise, coach(server)), show=False)
        asked = server.counts.total()
        again = refused_revisions(done.dataset, coach(server))
        assert server.counts.total() == asked
    found = done.refused.to_list()
    assert done.refused.column_names == list(REFUSED_COLUMNS)
    assert found == again.to_list()
    assert [(row["split"], row["row_id"]) for row in found] == [
        *(("train", done.dataset["train"][k]["row_id"]) for k in (1, 4)),
        ("test", done.dataset["test"][1]["row_id"]),
    ]
    first = found[0]
    assert first["before"] == "farm 1 has 12 + 7 = 19 cows"
    assert (first["field"], first["proposed"]) == ("output", "Farm 1 has 12 + 7 = 21 cows.")
    assert first["codes"] == done.dataset["train"][1]["edit_reason"]
    assert first["codes"].split()[:1] == ["wrong_sum"]
    assert first["model"] == "tiny-2026"
    assert len(first["findings"]) == 1
    assert "19" in first["findings"][0]
    assert not any("= 21" in str(cell) for part in done.dataset.values() for row in part for cell in row.values())


def test_of_several_candidates_each_is_there_with_its_own_reasons() -> None:
    texts = ["Farm 0 has 12 + 7 = 21 cows.", "I'm sorry, but I can't help with that."]

    def reply(request: Received, time: int) -> Reply:
        return Reply(encode(Pair("How many cows has farm 0?", "", texts[time - 1])))

    with ChatServer(default=reply) as server:
        model = coach(server, candidates=2, temperature=0.7)
        done = clean(Dataset.from_list(rows(1)), reviser=model, score=False, show=False)
    found = done.refused.to_list()
    assert [row["proposed"] for row in found] == texts
    assert {row["split"] for row in found} == {"train"}
    assert "wrong_sum" in found[0]["codes"].split()
    assert "wrong_sum" not in found[1]["codes"].split()
    assert "refusal" in found[1]["codes"].split()


def test_both_sides_of_a_reflection_are_there() -> None:
    def reply(request: Received, time: int) -> Reply:
        head = "Weak.\n"
        if "[Instruction]" in request.content.split("How many")[0]:
            head += "[Instruction]\nHow many cows has farm 0?\n"
        return Reply(f"{head}[Response]\nFarm 0 has 12 + 7 = {21 + time} cows.\n[End]")

    with ChatServer(default=reply) as server:
        model = Reflection("tiny", base_url=server.url, limits=QUICK)
        done = clean(Dataset.from_list(rows(1)), reviser=model, score=False, show=False)
    assert done.dataset[0]["edit"] == "reverted"
    assert {row["field"] for row in done.refused} == {"output"}
    assert len(done.refused) == 2
    assert all(row["codes"].split()[0] == "wrong_sum" for row in done.refused)


def test_without_kept_answers_one_line_says_so_and_there_is_no_table() -> None:
    wrong = encode(Pair("How many cows has farm 0?", "", "Farm 0 has 12 + 7 = 21 cows."))
    ds = Dataset.from_list(rows(1))
    done = clean(ds, reviser=hfclean.Reviser(ScriptedBackend([wrong])), show=False)
    assert done.dataset[0]["edit"] == "reverted"
    assert done.refused is None
    assert done.transforms[0]["usage"]["notes"] == [NOT_KEPT]
    assert hfclean.compare(ds, done.dataset, transforms=done.transforms).notes == (NOT_KEPT,)


def test_an_answer_that_was_lost_leaves_its_revision_out(tmp_path: Path) -> None:
    with ChatServer(default=WRONG) as server:
        done = clean(Dataset.from_list(rows(2)), reviser=coach(server), score=False, show=False)
        other = coach(server, store=str(tmp_path / "other.sqlite"))
        done.dataset.save_to_disk(str(tmp_path / "saved"))
        assert refused_revisions(load_from_disk(str(tmp_path / "saved")), other) is None
        assert not list((tmp_path / "saved").glob("cache-*"))
        assert server.counts.total() == 2
        assert len(refused_revisions(done.dataset, coach(server))) == 1


def test_a_folder_has_them_as_a_config_and_its_record_and_report_name_them(folder: Path, work: Path) -> None:
    configs = read_card((folder / "README.md").read_text())[0]["configs"]
    assert configs[-1] == {"config_name": "refused", "data_files": "refused.parquet"}
    loaded = load_dataset(str(folder), "refused", split="train", cache_dir=str(work / "cache"))
    assert loaded.column_names == list(REFUSED_COLUMNS)
    assert loaded["proposed"][:] == [f"Farm {k} has 12 + 7 = 21 cows." for k in (1, 4)]
    assert len(load_dataset(str(folder), split="train", cache_dir=str(work / "cache"))) == COUNT
    about = json.loads((folder / "hfclean.json").read_text())
    assert "refused.parquet" in about["files"]
    assert "refused" not in about["report"]
    page = (folder / "report.html").read_text()
    assert "<code>wrong_sum</code></a> in 2 rows" in page
    cards = re.findall(r'<article class="row refused".*?</article>', page, re.DOTALL)
    assert len(cards) == 2
    assert all(re.search(r"<ins>[^<]*21[^<]*</ins>", card) for card in cards)
    assert read_folder(folder, cache_dir=work / "cache").refused.to_list() == loaded.to_list()


def test_a_run_without_refusals_has_no_such_file(work: Path, capsys: Any) -> None:
    (work / "farms.jsonl").write_text("\n".join(map(json.dumps, rows(1))))
    with ChatServer(default=WRONG) as server:
        run(
            *("revise", "farms.jsonl", "--out", "farms", "--model", "tiny", "--base-url", server.url, "--quiet"),
            capsys=capsys,
        )
    assert not (work / "farms" / "refused.parquet").exists()
    assert '"refused")' not in (work / "farms" / "README.md").read_text()
    assert '"refused"' not in (work / "farms" / "hfclean.json").read_text()
    assert read_folder(work / "farms", cache_dir=work / "cache").refused is None


def test_why_shows_the_words_and_the_reasons(folder: Path, capsys: Any) -> None:
    _, out, _ = run("why", str(folder), "1", capsys=capsys)
    lines = out.splitlines()
    start = lines.index("refused revision of output:")
    assert lines[start + 1].startswith("  wrong_sum: ")
    assert "[-19-]{+21+}" in out[out.index("refused revision") :]
    assert "refused revision" not in run("why", str(folder), "0", capsys=capsys)[1]
    told = json.loads(run("why", str(folder), "4", "--json", capsys=capsys)[1])
    assert [each["proposed"] for each in told["refused"]] == ["Farm 4 has 12 + 7 = 21 cows."]


def test_what_is_put_back_takes_its_refused_revision_with_it(folder: Path, work: Path, capsys: Any) -> None:
    assert run("undo", str(folder), "--row", "1", capsys=capsys)[0] == 0
    left = read_folder(folder, cache_dir=work / "one").refused
    assert left["proposed"][:] == ["Farm 4 has 12 + 7 = 21 cows."]
    assert run("undo", str(folder), capsys=capsys)[0] == 0
    assert not (folder / "refused.parquet").exists()
    assert read_folder(folder, cache_dir=work / "all").dataset["train"].to_list() == rows()


def test_a_row_that_is_asked_again_has_its_new_revision_only(work: Path, capsys: Any) -> None:
    (work / "farms.jsonl").write_text("\n".join(map(json.dumps, rows(5))))

    def reply(request: Received, time: int) -> Reply:
        return Reply("too odd a text", status=400) if number(request.content) == 1 and time == 1 else WRONG(request)

    with ChatServer(default=reply) as server:
        at = ("--model", "tiny", "--base-url", server.url, "--quiet")
        run("revise", "farms.jsonl", "--out", "farms", *at, capsys=capsys)
        first = read_folder(work / "farms", cache_dir=work / "one").refused["proposed"][:]
        assert run("revise", "farms", "--retry-failed", "--quiet", capsys=capsys)[0] == 0
    both = read_folder(work / "farms", cache_dir=work / "two").refused["proposed"][:]
    assert first == ["Farm 4 has 12 + 7 = 21 cows."]
    assert both == [*first, "Farm 1 has 12 + 7 = 21 cows."]


def test_a_folder_is_pushed_with_them_and_they_come_back(folder: Path, fake_hub: FakeHub, work: Path) -> None:
    hfclean.push_dataset(folder, "me/x", patience=PATIENCE)
    pushed = load_dataset("me/x", "refused", split="train")
    assert pushed.to_list() == read_folder(folder, cache_dir=work / "cache").refused.to_list()
    ds, report = hfclean.load_cleaned("me/x")
    assert [each.proposed for each in report.refused] == pushed["proposed"][:]
    assert report.refused[0].findings == tuple(pushed["findings"][0])
    hfclean.push_dataset(ds, "me/x", report=report, patience=PATIENCE)  # without them: their file goes
    assert "refused.parquet" not in fake_hub.repo("me/x", "dataset").files
    names = [
        config["config_name"] for config in read_card(fake_hub.repo("me/x", "dataset").text("README.md"))[0]["configs"]
    ]
    assert names == ["default", "ledger"]


def test_a_dataset_is_pushed_with_those_of_rows_that_are_still_reverted(fake_hub: FakeHub) -> None:
    with ChatServer(default=WRONG) as server:
        done = clean(Dataset.from_list(rows()), reviser=coach(server), show=False)
    few = done.dataset.filter(lambda row: "farm 4" not in row["instruction"])
    how: dict[str, Any] = {"refused": done.refused, "transforms": done.transforms, "patience": PATIENCE}
    hfclean.push_dataset(few, "me/x", config_name="v2", **how)
    assert load_dataset("me/x", "v2-refused", split="train")["proposed"][:] == ["Farm 1 has 12 + 7 = 21 cows."]
    with pytest.raises(HubRefusal, match="is not valid"):
        hfclean.push_dataset(few, "me/x", config_name="a-refused", **how)


def test_nothing_that_was_masked_gets_out(fake_hub: FakeHub) -> None:
    mail = answered("Farm {k} has 12 + 7 = 21 cows. Ask jo@hfclean.dev.")
    told = [{**row, "output": f"{row['output']} Ask jo@hfclean.dev."} for row in rows(2)]
    with ChatServer(default=mail) as server:
        before = clean(Dataset.from_list(told), reviser=(MaskPII(), coach(server)), show=False)
        after = clean(Dataset.from_list(told), reviser=(coach(server), MaskPII()), show=False)
    assert [row["before"] for row in before.refused] == ["farm 1 has 12 + 7 = 19 cows</s> Ask [EMAIL]."]
    assert after.refused is None
    only = clean(Dataset.from_list(told), reviser=coach(server), show=False)
    masked = only.dataset.map(MaskPII(), batched=True)
    assert "jo@" in only.refused[0]["before"]
    assert still_refused(only.refused, {"train": masked}, Layout()) is None
    hfclean.push_dataset(masked.remove_columns("original"), "me/x", refused=only.refused, patience=PATIENCE)
    assert "refused.parquet" not in fake_hub.repo("me/x", "dataset").files


@pytest.mark.parametrize("mask", [False, True])
def test_a_key_that_a_model_wrote_stops_a_push_or_is_masked(mask: bool, fake_hub: FakeHub) -> None:
    token = KEYS["hf_token"]
    with ChatServer(default=answered("Farm {k} has 12 + 7 = 21 cows. " + token)) as server:
        done = clean(Dataset.from_list(rows(2)), reviser=coach(server), show=False)
    how: dict[str, Any] = {"refused": done.refused, "transforms": done.transforms, "patience": PATIENCE}
    if not mask:
        with pytest.raises(HubRefusal, match=r"refused\.parquet, row 0, column proposed") as refused:
            hfclean.push_dataset(done.dataset, "me/x", **how)
        assert token not in str(refused.value)
        return
    hfclean.push_dataset(done.dataset, "me/x", mask_secrets=True, **how)
    assert load_dataset("me/x", "refused", split="train")["proposed"][:] == [
        "Farm 1 has 12 + 7 = 21 cows. [hf_token removed]"
    ]
    assert token not in fake_hub.repo("me/x", "dataset").text("report.html")


def test_a_file_of_other_columns_is_not_taken_for_ours(folder: Path, capsys: Any) -> None:
    Dataset.from_dict({"row_id": ["a"]}).to_parquet(str(folder / "refused.parquet"))
    code, _, err = run("why", str(folder), "1", capsys=capsys)
    assert code == 1
    assert "refused.parquet has the columns ['row_id']" in err
    report = hfclean.compare(Dataset.from_list(rows(1)), Dataset.from_list(rows(1)))
    with pytest.raises(RepoError, match=r"refused\.parquet has the columns \['row_id'\]"):
        with_refused(report, folder / "refused.parquet")
    (folder / "refused.parquet").write_bytes(b"PAR1")
    with pytest.raises(RepoError, match="is damaged"):
        with_refused(report, folder / "refused.parquet")


def test_a_report_shows_evenly_spaced_ones() -> None:
    assert (sampled(0), sampled(3), len(sampled(1000)), sampled(1000)[:3]) == ([], [0, 1, 2], 50, [0, 20, 40])
