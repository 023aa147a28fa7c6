"""What `hfclean.clean` takes, and what its result gives: the folder of the command line, a line in a notebook."""

from __future__ import annotations

import json
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict, Value, load_dataset
from extras import needs

import hfclean
from hfclean.cleaned import Cleaned
from hfclean.cli import main
from hfclean.errors import FolderError, SourceError

ROWS = [
    {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>", "rank": 1},
    {"instruction": "Name a river.", "input": None, "output": "The Rhine.", "rank": 2},
    {"instruction": "Name a river.", "input": None, "output": "The Rhine.", "rank": 2},
]
OUTPUTS = ["An apple.", "The Rhine.", "The Rhine."]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


def contents(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


# ------------------------------------------------------------------------------------------------------- what is taken


def test_rows_in_memory_become_one_dataset() -> None:
    needs("polars", "polars")
    import pandas
    import polars
    import pyarrow as arrow

    given: list[Any] = [
        ROWS,
        tuple(ROWS),
        pandas.DataFrame(ROWS, index=[7, 8, 9]),
        polars.DataFrame(ROWS),
        arrow.Table.from_pylist(ROWS),
        Dataset.from_list(ROWS),
        Dataset.from_list(ROWS).to_iterable_dataset(),
    ]
    for data in given:
        cleaned = hfclean.clean(data, show=False)
        assert cleaned.dataset["output"][:] == OUTPUTS
        assert cleaned.dataset["input"][:] == ["", None, None]
        assert cleaned.dataset["duplicate_of"][2] == cleaned.dataset["row_id"][1]
        assert cleaned.dataset.features["output"] == Value("string")
        assert "index" not in "".join(cleaned.dataset.column_names)
        assert hfclean.restore(cleaned.dataset).to_list() == ROWS


def test_frames_keep_what_their_columns_hold() -> None:
    needs("polars", "polars")
    import pandas
    import polars

    messages = [[{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello.</s>"}]]
    for frame in (pandas.DataFrame({"messages": messages}), polars.DataFrame({"messages": messages})):
        cleaned = hfclean.clean(frame, show=False).dataset
        assert cleaned[0]["messages"][1]["content"] == "Hello."
        assert "large" not in str(cleaned.features["messages"])
    frame = pandas.DataFrame(ROWS).astype({"output": "category"})
    assert hfclean.clean(frame, show=False).dataset["output"][:] == OUTPUTS


def test_names_of_files_become_splits(source: Path) -> None:
    for name in (source, str(source), [source]):
        cleaned = hfclean.clean(name, drop_duplicates=True, show=False)
        assert isinstance(cleaned.dataset, DatasetDict)
        assert cleaned.dataset["train"]["output"][:] == OUTPUTS[:2]
        assert cleaned.removed is not None


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (
            {"output": ["a"]},
            hfclean.HfcleanError,
            "clean got dict; expected a Dataset, a DatasetDict.*columns: Dataset",
        ),
        (7, hfclean.HfcleanError, "clean got int; expected"),
        ([], SourceError, "an empty list; expected rows as dicts"),
        ([ROWS[0], 3], SourceError, "a list with int in it; expected rows as dicts"),
        ("nowhere.jsonl", SourceError, "nowhere.jsonl"),
    ],
)
def test_what_is_not_taken_is_refused_in_words(data: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        hfclean.clean(data, show=False)


def test_a_frame_with_a_column_of_several_types_is_refused_in_words() -> None:
    needs("polars", "polars")
    import pandas
    import polars

    frame = pandas.DataFrame({"instruction": ["a", "b"], "output": ["x", {"y": 1}]})
    with pytest.raises(SourceError, match=r"a column that is of no one type .*to_dict\('records'\)"):
        hfclean.clean(frame, show=False)
    with pytest.raises(SourceError, match=r"polars LazyFrame; expected a frame with its rows: .collect\(\)"):
        hfclean.clean(polars.DataFrame(ROWS).lazy(), show=False)


# ------------------------------------------------------------------------------------------------------- what is saved


def test_a_saved_result_is_the_folder_of_the_command_line(source: Path, tmp_path: Path, capsys: Any) -> None:
    ours, theirs = tmp_path / "a" / "cleaned", tmp_path / "b" / "cleaned"
    assert main(["clean", str(source), "--out", str(theirs), "--drop-duplicates", "--license", "mit", "--quiet"]) == 0
    cleaned = hfclean.clean(str(source), drop_duplicates=True, show=False)
    report = cleaned.save(ours, license="mit")
    assert contents(ours) == contents(theirs)
    assert report.rows_removed == 1
    assert load_dataset(str(ours), split="train", cache_dir=str(tmp_path / "cache"))["output"][:] == OUTPUTS[:2]
    capsys.readouterr()
    assert main(["undo", str(ours), "--rule", "chat_markers"]) == 0
    with pytest.raises(FolderError, match="already exists; name another, or replace it with overwrite=True"):
        cleaned.save(ours)
    cleaned.save(ours, license="mit", overwrite=True)
    assert contents(ours) == contents(theirs)


def test_rows_in_memory_are_saved_with_the_rules_that_took_part(tmp_path: Path) -> None:
    @hfclean.rule("shouts", severity="low", meaning="a text in capitals")
    def shouted(pair: hfclean.Pair) -> bool:
        return pair.response.isupper()

    @shouted.with_repair
    def shouts(pair: hfclean.Pair) -> hfclean.Pair:
        return pair.replace(response=pair.response.capitalize())

    rows = [{**ROWS[0], "output": "APPLE.</s>"}]
    cleaned = hfclean.clean(rows, reviser=hfclean.RuleReviser(extra=(shouts,)), show=False)
    report = cleaned.save(tmp_path / "cleaned")
    assert {rule.id for rule in report.rules} >= {"chat_markers", "shouts"}
    about = json.loads((tmp_path / "cleaned" / "hfclean.json").read_text())
    assert (about["source"]["kind"], about["source"]["name"], about["source"]["rows"]) == ("memory", "", {"train": 1})
    card = (tmp_path / "cleaned" / "README.md").read_text()
    assert "source_datasets" not in card


def test_what_cannot_be_saved_says_why(source: Path) -> None:
    cleaned = hfclean.clean(source, show=False)
    with pytest.raises(FolderError, match="holds the source itself"):
        cleaned.save(source.parent, overwrite=True)
    with pytest.raises(hfclean.HfcleanError, match=r"save what hfclean\.clean gave"):
        Cleaned(cleaned.dataset, None, ()).save(source.parent / "new")


# ------------------------------------------------------------------------------------------------------- in a notebook


class _Nested(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_notebook_shows_a_few_lines_however_large_the_result(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script></table>"
    rows = [{"instruction": f"{hostile} {k}", "input": "", "output": f"Row {k} {hostile}</s>"} for k in range(300)]
    cleaned = hfclean.clean(rows, show=False)
    report = hfclean.compare(Dataset.from_list(rows), cleaned.dataset)
    assert repr(cleaned) == "Cleaned(rows 300, by RuleReviser, Score, mark_duplicates)"
    assert repr(report).count("\n") == 0
    for shown in (cleaned._repr_html_(), report._repr_html_()):
        assert len(shown) < 5000
        assert _Nested(shown).tags <= {"div", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td"}
        assert "alert" not in shown
