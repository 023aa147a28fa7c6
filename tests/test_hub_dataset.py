"""Datasets to the Hub and back: what lands, what survives, what the card says, what comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict, load_dataset
from extras import needs_newer_client
from fake_hub import FakeHub, hub_fixture, hub_xet_fixture  # noqa: F401

import hfclean
from hfclean.cards import check_card, read_card
from hfclean.hub import HubRefusal, Patience, Pushed, PushPlan

ROWS = [
    {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"},
    {"instruction": "Name a colour.", "input": "", "output": "Red."},
    {"instruction": "Name a tree.", "input": "", "output": "An oak.<|im_end|>"},
    {"instruction": "Name a colour.", "input": "", "output": "Red."},
]
QUICK = Patience(sleep=lambda seconds: None)
CARD = """---
license: apache-2.0
language:
- no
my_key: {a: 1, b: yes}
version: 1.10
tags: fruit
configs:
- config_name: default
  data_files: old/*.parquet
- config_name: extra
  data_files: extra/*.parquet
dataset_info:
- config_name: extra
  features:
  - name: a
    dtype: string
- config_name: default
  features: []
---
# Fruit

My own words.
"""


def cleaned(rows: list[dict[str, str]] | None = None) -> tuple[Dataset, Dataset]:
    raw = Dataset.from_list(rows or ROWS)
    return raw, raw.map(hfclean.revise).map(hfclean.score)


def push(ds: Any, repo_id: str = "me/x", **how: Any) -> Pushed:
    done = hfclean.push_dataset(ds, repo_id, patience=QUICK, **how)
    assert isinstance(done, Pushed)
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `hfclean clean` writes, with rows removed."""
    from hfclean.cli import main

    place = tmp_path_factory.mktemp("cleaned")
    Dataset.from_list(ROWS).to_json(str(place / "rows.jsonl"))
    words = ["clean", str(place / "rows.jsonl"), "--out", str(place / "out"), "--drop-duplicates", "--quiet"]
    assert main([*words, "--license", "cc-by-4.0", "--language", "en"]) == 0
    return place / "out"


# ------------------------------------------------------------------------------------------------------- round trips


def test_one_row_is_counted_as_one(fake_hub: FakeHub) -> None:
    raw, ds = cleaned(ROWS[:1])
    push(ds, report=hfclean.compare(raw, ds))
    assert fake_hub.repo("me/x", "dataset").commits[-1].title == f"1 row, cleaned with hfclean {hfclean.__version__}"


def test_what_is_pushed_comes_back_with_its_report_and_can_be_undone(fake_hub: FakeHub) -> None:
    raw, ds = cleaned()
    report = hfclean.compare(raw, ds)
    done = push(ds, report=report, source="rows.jsonl", license="mit", language="en")
    repo = fake_hub.repo("me/x", "dataset")
    assert done.changed
    assert (len(repo.commits), repo.commits[-1].sha) == (2, done.commit)
    assert repo.commits[-1].title == f"4 rows, cleaned with hfclean {hfclean.__version__}"
    back, told = hfclean.load_cleaned("me/x")
    assert told == report
    assert back["train"].features == ds.features
    assert back["train"].to_list() == ds.to_list()
    assert hfclean.restore(back)["train"].to_list() == ROWS
    assert hfclean.load_cleaned("me/x", split="train")[0].to_list() == ds.to_list()
    assert load_dataset("me/x", split="train").to_list() == ds.to_list()


def test_a_folder_is_read_as_the_hub_s_copy_is(folder: Path, fake_hub: FakeHub, tmp_path: Path) -> None:
    push(folder)
    back, report = hfclean.load_cleaned(str(folder))
    theirs, told = hfclean.load_cleaned("me/x")
    assert (back["train"].to_list(), report) == (theirs["train"].to_list(), told)
    assert report.edits != ()
    assert hfclean.load_cleaned(folder, split="train")[0].to_list() == back["train"].to_list()
    for name, split, words in (
        (folder, "test", "has no split 'test'; it has train"),
        (str(tmp_path), None, "not a cleaned folder"),
        (tmp_path / "none", None, "not a cleaned folder"),
    ):
        with pytest.raises(hfclean.errors.FolderError, match=words):
            hfclean.load_cleaned(name, split=split)


def test_a_split_of_letters_beyond_ascii_comes_back(fake_hub: FakeHub) -> None:
    ds = DatasetDict({"prüfung": cleaned()[1]})
    push(ds)
    back, report = hfclean.load_cleaned("me/x")
    assert back["prüfung"].to_list() == ds["prüfung"].to_list()
    assert [split.split for split in report.splits] == ["prüfung"]


def test_the_ledger_and_the_counts_are_those_of_the_data(fake_hub: FakeHub) -> None:
    _, ds = cleaned()
    push(ds)
    ledger = load_dataset("me/x", "ledger", split="train")
    assert ledger["rule"][:] == ["chat_markers", "placeholder_input", "chat_markers"]
    assert ledger["row_id"][:] == [ds["row_id"][0], ds["row_id"][0], ds["row_id"][2]]
    card = fake_hub.repo("me/x", "dataset").text("README.md")
    assert "4 rows went in, 4 came out; the text of 2 (50.0%) changed" in card
    assert check_card(card) == []
    assert read_card(card)[0]["license"] == "unknown"
    assert "**License:** unknown" in card


def test_a_dataset_dict_keeps_its_splits_and_an_empty_one_is_left_out(fake_hub: FakeHub) -> None:
    _, ds = cleaned()
    done = push(DatasetDict({"train": ds, "test": ds.select([0]), "none": ds.select([])}))
    assert "the split 'none' is empty" in done.notes[0]
    back, report = hfclean.load_cleaned("me/x")
    assert {name: len(part) for name, part in back.items()} == {"train": 4, "test": 1}
    assert report.rows_after == 5
    assert [edit.split for edit in report.edits] == ["train"] * 3 + ["test"] * 2
    assert load_dataset("me/x")["test"].to_list() == ds.select([0]).to_list()


def test_a_folder_is_pushed_as_it_is(fake_hub: FakeHub, folder: Path) -> None:
    push(folder)
    repo = fake_hub.repo("me/x", "dataset")
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name != "README.md":
            assert repo.files[name] == file.read_bytes(), name
    data, body = read_card(repo.text("README.md"))
    assert (data["license"], data["language"]) == ("cc-by-4.0", ["en"])
    assert 'load_dataset("me/x", "removed")' in body
    assert "4 rows went in, 3 came out" in body
    gone = load_dataset("me/x", "removed", split="train")
    assert gone["removed_reason"][0] == "exact duplicate" or gone["removed_reason"][0]
    back, report = hfclean.load_cleaned("me/x")
    assert (len(back["train"]), report.rows_removed) == (3, 1)
    # the card beside the data says the same but for the name of the dataset
    assert (folder / "README.md").read_text().count("\n") == repo.text("README.md").count("\n")


def test_no_changes_means_no_ledger(fake_hub: FakeHub) -> None:
    _, ds = cleaned(ROWS[1:2])
    push(ds)
    repo = fake_hub.repo("me/x", "dataset")
    assert "ledger.parquet" not in repo.files
    assert [c["config_name"] for c in read_card(repo.text("README.md"))[0]["configs"]] == ["default"]
    assert hfclean.load_cleaned("me/x")[1].edits == ()


def test_a_folder_without_changes_is_read_and_pulled(fake_hub: FakeHub, tmp_path: Path) -> None:
    rows = [{"prompt": "Name a fruit that is red.", "completion": "An apple is a red fruit."}]
    hfclean.clean(rows, show=False).save(tmp_path / "out")
    hfclean.push_dataset(tmp_path / "out", "me/x")
    back, report = hfclean.load_cleaned("me/x")
    assert back["train"]["completion"][:] == ["An apple is a red fruit."]
    assert (report.rows_changed, report.edits) == (0, ())
    pulled = hfclean.hub.pull_dataset("me/x", tmp_path / "pulled")
    assert hfclean.load_cleaned(pulled)[0]["train"].to_list() == back["train"].to_list()


def test_rows_that_hfclean_never_saw_can_be_pushed_too(fake_hub: FakeHub) -> None:
    push(Dataset.from_list(ROWS))
    back, report = hfclean.load_cleaned("me/x")
    assert back["train"].to_list() == ROWS
    assert report.rows_changed == 0


def test_uploads_by_xet(fake_hub_xet: FakeHub) -> None:
    _, ds = cleaned()
    assert push(ds).changed
    assert hfclean.load_cleaned("me/x")[0]["train"].to_list() == ds.to_list()
    assert not push(ds).changed


# ------------------------------------------------------------------------------------------------- over what is there


def test_the_same_again_makes_no_commit(fake_hub: FakeHub, folder: Path) -> None:
    _, ds = cleaned()
    for data in (ds, folder):
        assert push(data).changed
        before = fake_hub.mark()
        again = push(data)
        assert (again.changed, again.files, again.deleted) == (False, (), ())
        assert {request.method for request in fake_hub.since(before)} == {"GET", "HEAD"}
    assert len(fake_hub.repo("me/x", "dataset").commits) == 3


def test_the_same_rows_in_another_process_make_no_commit(fake_hub: FakeHub) -> None:
    _, ds = cleaned()
    assert push(ds).changed
    code = (
        "import hfclean; from datasets import Dataset\n"
        f"ds = Dataset.from_list({ROWS!r}).map(hfclean.revise).map(hfclean.score)\n"
        "print(hfclean.push_dataset(ds, 'me/x').changed)"
    )
    env = {**os.environ, **fake_hub.env(), "PYTHONHASHSEED": "7"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert out.stdout == "False\n"


def test_a_rule_of_ones_own_is_in_the_ledger_by_name(fake_hub: FakeHub) -> None:
    @hfclean.rule("shouting", severity="low", meaning="the answer is all capitals")
    def shouting(pair: hfclean.Pair) -> bool:
        return pair.response.isupper()

    @shouting.with_repair
    def mended(pair: hfclean.Pair) -> hfclean.Pair:
        return pair.replace(response=pair.response.capitalize())

    rows = [{"instruction": "Greet me.", "input": "n/a", "output": "HELLO THERE."}]
    ds = Dataset.from_list(rows).map(hfclean.RuleReviser(extra=(mended,)))
    push(ds, extra=(mended,))
    assert set(load_dataset("me/x", "ledger", split="train")["rule"]) == {"placeholder_input", "shouting"}
    assert "shouting" in fake_hub.repo("me/x", "dataset").text("README.md")


def test_what_others_wrote_survives(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo(
        "me/x",
        "dataset",
        files={"README.md": CARD, "extra/a.parquet": b"theirs", "data/train-00000-of-00001.parquet": b"theirs"},
    )
    _, ds = cleaned()
    push(ds, source="org/fruit", license=None)
    data, body = read_card(repo.text("README.md"))
    assert data["my_key"] == {"a": 1, "b": "yes"}
    assert "version: 1.10" in repo.text("README.md")
    assert (data["license"], data["language"]) == ("apache-2.0", ["no"])
    assert [c["config_name"] for c in data["configs"]] == ["default", "ledger", "extra"]
    assert [info["config_name"] for info in data["dataset_info"]] == ["extra"]
    assert data["tags"][0] == "fruit"
    assert "My own words." in body
    assert repo.files["extra/a.parquet"] == repo.files["data/train-00000-of-00001.parquet"] == b"theirs"
    assert not push(ds, source="org/fruit").changed


def test_the_shards_of_an_earlier_push_go(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ds = cleaned()
    monkeypatch.setattr("hfclean.folder.SHARD_BYTES", 500)
    first = push(ds)
    shards = [path for path in first.files if path.startswith("data/")]
    assert len(shards) > 1
    assert hfclean.load_cleaned("me/x")[0]["train"].to_list() == ds.to_list()
    monkeypatch.undo()
    fake_hub.repo("me/x", "dataset").commit({"data/mine.parquet": b"theirs"})
    from fake_hub import direct

    direct(fake_hub, monkeypatch)
    second = push(ds.select([0, 1]))
    assert set(shards) <= set(second.deleted)
    left = [path for path in fake_hub.repo("me/x", "dataset").files if path.startswith("data/")]
    assert len(left) == 2
    assert "data/mine.parquet" in left
    assert load_dataset("me/x", split="train").num_rows == 2


def test_another_config_has_a_folder_and_a_section_of_its_own(fake_hub: FakeHub) -> None:
    _, ds = cleaned()
    push(ds)
    push(ds.select([0]), config_name="v2")
    repo = fake_hub.repo("me/x", "dataset")
    data, body = read_card(repo.text("README.md"))
    names = [c["config_name"] for c in data["configs"]]
    assert sorted(names) == ["default", "ledger", "v2", "v2-ledger"]
    assert next(c for c in data["configs"] if c.get("default"))["config_name"] == "default"
    assert ("4 rows went in" in body, "1 row went in" in body) == (True, True)
    assert 'load_dataset("me/x", "v2")' in body
    assert "](v2/plots/rating.svg)" in body
    assert load_dataset("me/x", split="train").num_rows == 4
    assert load_dataset("me/x", "v2", split="train").num_rows == 1
    assert load_dataset("me/x", "v2-ledger", split="train").num_rows == 2
    assert hfclean.load_cleaned("me/x", config_name="v2")[1].rows_after == 1
    assert not push(ds).changed
    assert not push(ds.select([0]), config_name="v2").changed


def test_a_config_of_our_name_that_is_not_ours_is_not_replaced(fake_hub: FakeHub) -> None:
    text = "---\nconfigs:\n- config_name: ledger\n  data_files: accounts.csv\n---\n"
    repo = fake_hub.add_repo("me/x", "dataset", files={"README.md": text, "accounts.csv": "a\n1\n"})
    _, ds = cleaned()
    with pytest.raises(HubRefusal, match=r"config 'ledger' that hfclean did not write.*config_name='cleaned'"):
        push(ds)
    assert len(repo.commits) == 2
    push(ds, config_name="cleaned")
    assert [c["config_name"] for c in read_card(repo.text("README.md"))[0]["configs"]][-1] == "ledger"


def test_a_broken_card_is_kept_and_ours_put_beside_it(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", "dataset", files={"README.md": "---\nlicense: [mit\n---\n# Mine\n"})
    _, ds = cleaned()
    done = push(ds)
    assert "YAML of the card is broken" in done.notes[0]
    assert repo.text("README.md") == "---\nlicense: [mit\n---\n# Mine\n"
    assert "4 rows went in" in repo.text("README.hfclean.md")
    assert hfclean.load_cleaned("me/x")[0]["train"].to_list() == ds.to_list()
    assert not push(ds).changed


def test_what_the_source_says_of_licence_and_language_is_said(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("org/fruit", "dataset", files={"README.md": "---\nlicense: cc-by-nc-4.0\nlanguage: de\n---\n"})
    _, ds = cleaned()
    push(ds, source="org/fruit")
    data = read_card(fake_hub.repo("me/x", "dataset").text("README.md"))[0]
    assert (data["license"], data["language"]) == ("cc-by-nc-4.0", ["de"])
    assert data["source_datasets"] == ["org/fruit"]
    done = push(ds, "me/y", source="org/gone")
    assert "could not be read" in done.notes[0]
    assert read_card(fake_hub.repo("me/y", "dataset").text("README.md"))[0]["license"] == "unknown"


# ------------------------------------------------------------------------------------------- branches, PRs, visibility


def test_a_branch_is_made_and_main_left_alone(fake_hub: FakeHub) -> None:
    _, ds = cleaned()
    push(ds, revision="v1")
    repo = fake_hub.repo("me/x", "dataset")
    assert (len(repo.history("main")), len(repo.history("v1"))) == (1, 2)
    assert hfclean.load_cleaned("me/x", revision="v1")[0]["train"].num_rows == 4
    assert not push(ds, revision="v1").changed


def test_a_pull_request_leaves_the_branch_alone(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("you/x", "dataset", author="you")
    _, ds = cleaned()
    done = push(ds, "you/x", create_pr=True, message="Cleaned rows")
    assert done.pull_request
    assert (len(repo.commits), repo.pull_requests[1].title) == (1, "Cleaned rows")
    assert hfclean.load_cleaned("you/x", revision="refs/pr/1")[0]["train"].num_rows == 4


def test_private_means_private(fake_hub: FakeHub) -> None:
    _, ds = cleaned()
    push(ds, "org/x", private=True)
    assert fake_hub.repo("org/x", "dataset").private
    fake_hub.add_repo("me/open", "dataset")
    with pytest.raises(HubRefusal, match="is public, and private=True"):
        push(ds, "me/open", private=True)
    assert len(fake_hub.repo("me/open", "dataset").commits) == 1


# ------------------------------------------------------------------------------------------------------------ races


def test_others_may_commit_meanwhile_and_nothing_is_lost(fake_hub: FakeHub) -> None:
    _, ds = cleaned()
    repo = fake_hub.add_repo("me/x", "dataset", files={"README.md": CARD})
    fake_hub.race(lambda repo: repo.commit({"README.md": CARD + "\nMore words.\n", "b.txt": "theirs"}), times=2)
    push(ds)
    assert repo.files["b.txt"] == b"theirs"
    body = repo.text("README.md")
    assert ("More words." in body, "4 rows went in" in body) == (True, True)


@needs_newer_client
def test_those_who_push_at_once_all_land(fake_hub: FakeHub) -> None:
    _, ds = cleaned()
    failed: list[BaseException] = []

    def one(name: str) -> None:
        try:
            push(ds, config_name=name)
        except BaseException as e:  # noqa: BLE001
            failed.append(e)

    names = ["default", "a", "b", "c"]
    threads = [threading.Thread(target=one, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    listed = [c["config_name"] for c in read_card(fake_hub.repo("me/x", "dataset").text("README.md"))[0]["configs"]]
    assert set(listed) == {"default", "ledger", *(f"{n}{end}" for n in "abc" for end in ("", "-ledger"))}
    for name in names:
        assert hfclean.load_cleaned("me/x", config_name=name)[0]["train"].num_rows == 4


# ---------------------------------------------------------------------------------------------------------- dry runs


def test_a_dry_run_writes_the_very_files_and_pushes_nothing(fake_hub: FakeHub, tmp_path: Path) -> None:
    _, ds = cleaned()
    plan = hfclean.push_dataset(ds, "me/x", dry_run=True, folder=tmp_path / "plan", license="mit", patience=QUICK)
    assert isinstance(plan, PushPlan)
    assert (plan.problems, plan.changed, fake_hub.repos) == ((), True, {})
    push(ds, license="mit")
    pushed = {name: data for name, data in fake_hub.repo("me/x", "dataset").files.items() if name != ".gitattributes"}
    written = {f.relative_to(plan.folder).as_posix(): f.read_bytes() for f in plan.folder.rglob("*") if f.is_file()}
    assert written == pushed
    assert {file.path: file.size for file in plan.files} == {name: len(data) for name, data in pushed.items()}
    again = hfclean.push_dataset(ds, "me/x", dry_run=True, license="mit", patience=QUICK)
    assert isinstance(again, PushPlan)
    assert (again.changed, again.message) == (False, "")
    assert "nothing would change" in str(again)


def test_a_dry_run_without_the_hub_says_so(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ds = cleaned()
    fake_hub.fail(status=503, times=None)
    plan = hfclean.push_dataset(ds, "me/x", dry_run=True, patience=QUICK)
    assert isinstance(plan, PushPlan)
    assert "was not read" in plan.notes[0]
    assert (plan.folder / "README.md").is_file()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"config_name": "data"}, "config_name='data' is not valid"),
        ({"config_name": "a-ledger"}, "is not valid"),
        ({"config_name": "../x"}, "is not valid"),
        ({"language": "English"}, "not a code that the Hub accepts"),
    ],
)
def test_words_that_cannot_be_are_refused_before_any_request(
    fake_hub: FakeHub, how: dict[str, Any], words: str
) -> None:
    _, ds = cleaned()
    with pytest.raises(hfclean.HfcleanError, match=words):
        push(ds, **how)
    assert fake_hub.log == []
