"""Dataset cards: what they say, what they keep of other cards, what cannot break out of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets import Dataset, DatasetDict, load_dataset
from hypothesis import example, given, settings
from hypothesis import strategies as st

import hfclean
from hfclean.cards import BEGIN, END, LICENSES, CardError, check_card, dataset_card, read_card
from hfclean.errors import HfcleanError
from hfclean.report import Report

ROWS = [
    {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"},
    {"instruction": "Name a colour.", "input": "", "output": "Red."},
]


@pytest.fixture(scope="module")
def report() -> Report:
    raw = Dataset.from_list(ROWS)
    return hfclean.compare(raw, raw.map(hfclean.revise).map(hfclean.score))


@pytest.fixture(scope="module")
def unchanged() -> Report:
    raw = Dataset.from_list(ROWS[1:])
    return hfclean.compare(raw, raw)


# ------------------------------------------------------------------------------------------------------ what it says


def test_what_nobody_stated_is_unknown(report: Report) -> None:
    text = dataset_card(report, source="rows file.jsonl")
    data, body = read_card(text)
    assert data["license"] == "unknown"
    assert "language" not in data
    assert "**License:** unknown: neither the source" in body
    assert "**Language:** unknown" in body
    assert data["size_categories"] == ["n<1K"]
    assert data["source_datasets"] == ["extended|other-rows-file"]
    assert data["task_categories"] == ["text-generation"]
    assert data["configs"] == [
        {
            "config_name": "default",
            "default": True,
            "data_files": [{"split": "train", "path": "data/train-*.parquet"}],
        },
        {"config_name": "ledger", "data_files": "ledger.parquet"},
    ]
    assert check_card(text) == []


def test_the_counts_are_those_of_the_report(report: Report) -> None:
    body = read_card(dataset_card(report, plots=["response_words"]))[1]
    assert "2 rows went in, 2 came out; the text of 1 (50.0%) changed" in body
    row = next(line for line in body.splitlines() if line.startswith("| `chat_markers`"))
    assert row.endswith("| high | 1 | 1 | 0 |")
    assert "![response\\_words before and after](plots/response_words.svg)" in body
    assert "| `row_id` | Names the row in the ledger and the report. |" in body
    assert 'ds = load_dataset("PATH")' in body
    assert "hfclean.restore(ds)" in body
    assert "They do not see whether an answer is true" in body


def test_the_card_begins_with_what_a_reader_wants_and_names_only_rules_that_fired() -> None:
    raw = Dataset.from_list([*ROWS, {"instruction": "Name a tree.", "input": "", "output": ""}])
    report = hfclean.compare(raw, raw.map(hfclean.revise).map(hfclean.score))
    body = read_card(
        dataset_card(report, plots=["rating", "tokens"], removed_files={"train": "removed/train.parquet"})
    )[1]
    parts = ["| rows before |", "**License:**", "### Load and undo", "### Limits", "### What changed", "### Scores"]
    places = [body.index(part) for part in [*parts, "### Columns that were added"]]
    assert places == sorted(places)
    assert "| 3 | 3 | 1 | 0 | 2 | 1 |" in body
    rows = [line.split("`")[1] for line in body[places[4] : places[5]].splitlines() if line.startswith("| `")]
    assert rows == ["chat_markers", "placeholder_input"]
    assert "Found and left as it was: `empty_output` in 1 row." in body
    pictures = [line for line in body.splitlines() if line.startswith("![")]
    assert pictures == ["![rating before and after](plots/rating.svg) ![tokens before and after](plots/tokens.svg)"]


def test_a_dataset_that_nothing_changed_has_nothing_to_undo(unchanged: Report) -> None:
    body = read_card(dataset_card(unchanged, name="me/fruit"))[1]
    assert "restore" not in body
    assert 'load_dataset("me/fruit")' in body


@pytest.mark.parametrize(
    ("rows", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**12, "n>1T"), (10**11, "100B<n<1T")],
)
def test_sizes_are_the_words_of_the_hub(report: Report, rows: int, category: str) -> None:
    from hfclean.cards.metadata import size_category

    assert size_category(rows) == category


@pytest.mark.parametrize(
    ("source", "is_hub", "entry", "shown"),
    [
        ("tatsu-lab/alpaca", None, "tatsu-lab/alpaca", "https://huggingface.co/datasets/tatsu-lab/alpaca"),
        ("hf://datasets/squad", None, "squad", "https://huggingface.co/datasets/squad"),
        ("squad", True, "squad", "https://huggingface.co/datasets/squad"),
        ("data/rows.jsonl", None, "extended|other-rows", "`rows.jsonl`"),
        ("/home/me/secret/My rows.csv", None, "extended|other-my-rows", "`My rows.csv`"),
        ("C:\\Users\\me\\secret\\rows.json", None, "extended|other-rows", "`rows.json`"),
        ("../secret/folder", None, "extended|other-folder", "`folder`"),
    ],
)
def test_a_source_is_a_hub_id_or_a_base_name(
    report: Report, source: str, is_hub: bool | None, entry: str, shown: str
) -> None:
    text = dataset_card(report, source=source, source_is_hub=is_hub, name="/home/me/secret/cleaned")
    assert read_card(text)[0]["source_datasets"] == [entry]
    assert shown in text
    assert "secret" not in text
    assert check_card(text) == []


# ---------------------------------------------------------------------------------------------- what others have said

EXISTING = """---
license: apache-2.0
language:
- no
my_key: {a: 1, b: yes}
version: 1.10
date: 2024-01-01
tags: fruit
source_datasets: [original]
configs:
- config_name: default
  data_files: old/*.parquet
- config_name: extra
  default: true
  data_files: extra/*.parquet
dataset_info:
- config_name: extra
  features: []
- config_name: default
  features: []
---
# Fruit

My own words.
"""


def test_what_is_stated_wins_over_what_the_card_says(report: Report) -> None:
    assert read_card(dataset_card(report, existing=EXISTING))[0]["license"] == "apache-2.0"
    text = dataset_card(report, existing=EXISTING, license="CC-BY-4.0", language=["en", "fr"])
    data, body = read_card(text)
    assert (data["license"], data["language"]) == ("cc-by-4.0", ["en", "fr"])
    assert "**License:** `cc-by-4.0`" in body
    assert "**Language:** `en`, `fr`" in body


def test_a_licence_that_the_hub_does_not_know_is_named(report: Report) -> None:
    text = dataset_card(report, license="My Own Licence, v2")
    data, body = read_card(text)
    assert (data["license"], data["license_name"]) == ("other", "my-own-licence-v2")
    assert "**License:** `my-own-licence-v2`" in body
    assert check_card(text) == []
    again = read_card(dataset_card(report, existing=text, license="mit"))[0]
    assert again["license"] == "mit"
    assert "license_name" not in again


def test_a_language_that_is_no_code_is_refused(report: Report) -> None:
    with pytest.raises(CardError, match="language 'english' is not a code that the Hub accepts; expected ISO 639"):
        dataset_card(report, language="English")


def test_another_card_keeps_its_body_keys_and_configs(report: Report) -> None:
    text = dataset_card(report, existing=EXISTING, source="me/fruit")
    data, body = read_card(text)
    assert data["my_key"] == {"a": 1, "b": "yes"}
    assert data["language"] == ["no"]
    assert "\nversion: 1.10\n" in text
    assert data["date"] == "2024-01-01"
    assert data["tags"] == ["fruit", "hfclean", "instruction-tuning", "data-cleaning"]
    assert data["source_datasets"] == ["me/fruit"]
    assert [config["config_name"] for config in data["configs"]] == ["default", "ledger", "extra"]
    assert [config.get("default") for config in data["configs"]] == [True, None, None]
    assert data["dataset_info"] == [{"config_name": "extra", "features": []}]
    assert body.startswith("# Fruit\n\n" + BEGIN)
    assert body.endswith(END + "\n\nMy own words.\n")
    assert check_card(text) == []


def test_the_configs_of_files_that_are_elsewhere_can_be_left_out(report: Report) -> None:
    data = read_card(dataset_card(report, existing=EXISTING, keep_configs=False))[0]
    assert [config["config_name"] for config in data["configs"]] == ["default", "ledger"]
    assert "dataset_info" not in data


@pytest.mark.parametrize("existing", [EXISTING, EXISTING.replace("\n", "\r\n"), "words, no heading", "", None])
def test_a_second_run_replaces_our_section_and_nothing_else(report: Report, existing: str | None) -> None:
    once = dataset_card(report, existing=existing, source="a b.csv", name="x") + "\nA last word.\n"
    assert dataset_card(report, existing=once, source="a b.csv", name="x") == once
    assert once.count(BEGIN) == once.count(END) == 1
    stale = once.replace("2 rows went in", "9 rows went in")
    assert dataset_card(report, existing=stale, source="a b.csv", name="x") == once


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ("a: [", "broken"),
        ("- a list", "not a mapping"),
        ("a: 1\na: 2", "'a' appears twice"),
        ("1: one", "not a mapping of names"),
        ("a: !!python/object/apply:os.system ['true']", "broken"),
        ("a: \x00", "broken"),
        ("? [a]\n: b", "broken|no mapping"),
    ],
)
def test_a_broken_card_is_refused_and_not_lost(report: Report, front: str, told: str) -> None:
    with pytest.raises(CardError, match=told) as refused:
        dataset_card(report, existing=f"---\n{front}\n---\nwords\n")
    assert isinstance(refused.value, HfcleanError)


@pytest.mark.parametrize("body", [f"a {BEGIN} b", f"a {END} b", f"{END} x {BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_marks_that_do_not_pair_are_refused(report: Report, body: str) -> None:
    with pytest.raises(CardError, match="marks"):
        dataset_card(report, existing=body)


def test_yaml_that_never_ends_is_refused(report: Report) -> None:
    with pytest.raises(CardError, match="never ends"):
        dataset_card(report, existing="---\nlicense: mit\n# Words\n")


def test_nested_aliases_do_not_explode(report: Report) -> None:
    bomb = "\n".join(
        ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)), "license: mit"]
    )
    text = dataset_card(report, existing=f"---\n{bomb}\n---\n")
    assert len(text) < 20_000
    assert read_card(text)[0]["license"] == "mit"


# --------------------------------------------------------------------------------------------- what cannot break out


@settings(max_examples=25, deadline=None)
@example("0E0")
@given(st.text(min_size=1, max_size=60))
def test_no_name_breaks_out_of_the_card(unchanged: Report, name: str) -> None:
    text = dataset_card(unchanged, name=name, source=name, license="mit")
    data, body = read_card(text)
    assert data["license"] == "mit"
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "mit"
    assert body.count("\n## ") == 1
    assert body.count("```") == 2
    assert check_card(text) == []
    assert dataset_card(unchanged, existing=text, name=name, source=name, license="mit") == text


HOSTILE = "x | y\n---\n<script>alert(1)</script> [a](javascript:b) `c` --> \u202e"


def test_names_from_a_dataset_stay_text() -> None:
    @hfclean.scorer("points")
    def points(pair: Any) -> float:
        return 1.0

    raw = Dataset.from_list(ROWS)
    done = raw.map(hfclean.revise).map(points)
    reason = [HOSTILE, ""]
    marked = raw.add_column("removed_reason", reason)
    made = hfclean.compare(DatasetDict({"train": marked}), DatasetDict({"train": done.select([1])}))
    text = dataset_card(made, source=HOSTILE, name=HOSTILE, plots=[HOSTILE, "points"])
    assert "<script" not in text
    assert re.search(r"(?<!\\)\]\(javascript", text) is None
    assert "\u202e" not in text
    assert text.count("\n---\n") == 1
    assert text.count(END) == 1
    assert "plots/points.svg" in text
    assert check_card(text) == []


# ------------------------------------------------------------------------------------------------------------ the Hub


def test_load_dataset_reads_the_folder_by_its_card(report: Report, work: Path) -> None:
    raw = Dataset.from_list(ROWS)
    done = raw.map(hfclean.revise).map(hfclean.score)
    (work / "out" / "data").mkdir(parents=True)
    done.to_parquet(str(work / "out" / "data" / "train-00000-of-00001.parquet"))
    Dataset.from_dict({"row_id": ["a"]}).to_parquet(str(work / "out" / "ledger.parquet"))
    stale = EXISTING.replace("- config_name: default\n  features: []", "- config_name: default\n  features: [{a: b}]")
    (work / "out" / "README.md").write_text(dataset_card(report, existing=stale), encoding="utf-8")
    cache = str(work / "cache")
    assert load_dataset(os.fspath(work / "out"), cache_dir=cache)["train"].column_names == done.column_names
    assert len(load_dataset(os.fspath(work / "out"), "ledger", cache_dir=cache)["train"]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no yaml", ["the card has no YAML block between two lines '---'"]),
        ("---\nlicense: My Own\n---\n", ["license 'My Own' is not one of the Hub's ids"]),
        ("---\nlicense: other\n---\n", ["license 'other' needs a license_name"]),
        ("---\nlicense: [mit, apache-2.0]\n---\n", []),
        ("---\nlanguage: English\n---\n", ["language 'English' is not an ISO 639 code"]),
        ("---\nlanguage: [en, no, code, gsw]\n---\n", []),
        ("---\nsize_categories: [small]\n---\n", ["size_categories 'small' is not one of"]),
        ("---\ntags: fruit\n---\n", ["tags is str; expected a list of strings"]),
        ("---\nsource_datasets: [1]\n---\n", ["source_datasets holds 1; expected a string"]),
        ("---\ntask_categories: [Text Generation]\n---\n", ["task_categories 'Text Generation' is not a task id"]),
        ("---\npretty_name: [a]\n---\n", ["pretty_name is list"]),
        ("---\nconfigs: {a: b}\n---\n", ["configs is dict; expected a list"]),
        ("---\nconfigs: [{data_files: x}]\n---\n", ["a config has the config_name None"]),
        ("---\nconfigs: [{config_name: a}, {config_name: a}]\n---\n", ["two configs are called 'a'"]),
        ("---\nconfigs: [{config_name: a/b}]\n---\n", ["config_name 'a/b' has a character that datasets refuses"]),
        (
            "---\nconfigs: [{config_name: a, data_files: [{split: a-b, path: x}]}]\n---\n",
            ["config 'a' has the split 'a-b'"],
        ),
        (
            "---\nconfigs: [{config_name: a, data_files: [{split: a}]}]\n---\n",
            ["data_files of config 'a' holds {'split': 'a'}"],
        ),
        (
            "---\nconfigs: [{config_name: a, default: true}, {config_name: b, default: true}]\n---\n",
            ["more than one config is the default"],
        ),
        ("---\ndataset_info: 3\n---\n", ["dataset_info holds int"]),
        ("---\na: [\n---\n", ["the YAML of the card is broken"]),
    ],
)
def test_what_the_hub_would_refuse_is_found(text: str, said: list[str]) -> None:
    found = check_card(text)
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))


def test_unknown_is_a_licence_of_the_hub() -> None:
    assert {"unknown", "other", "apache-2.0", "cc-by-nc-4.0", "odbl"} <= LICENSES
