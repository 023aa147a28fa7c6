"""The command line as a person uses it: what it writes, prints and says when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets import Dataset, DatasetDict, load_dataset
from forked import Ended, forked

from hfclean import cleaning, folder
from hfclean.cli import main

ROOT = Path(__file__).parent.parent
ROWS = [
    {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>", "id": 1},
    {"instruction": "Name a colour.", "input": "", "output": "Red.", "id": 2},
    {"instruction": "Say hello", "input": None, "output": "It\u00e2\u20ac\u2122s nice to meet you.", "id": 3},
    {"instruction": "Name a colour.", "input": "", "output": "Red.", "id": 4},
    {"instruction": "Name a river.", "input": "", "output": "", "id": 5},
]


@pytest.fixture
def messy(work: Path) -> Path:
    """A small jsonl file in the working directory."""
    path = work / "messy.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS))
    return path


def run(*args: str, capsys: Any) -> tuple[int, str, str]:
    try:
        code = main([*args])
    except SystemExit as e:  # argparse's own way out
        code = int(e.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def reload(folder: Path, tmp: Path, **how: Any) -> Any:
    return load_dataset(str(folder), cache_dir=str(tmp / "reload"), **how)


def test_clean_writes_a_folder_that_load_dataset_reads(messy: Path, work: Path, capsys: Any) -> None:
    code, out, _ = run("clean", "messy.jsonl", "--out", "cleaned", capsys=capsys)
    assert code == 0
    files = {str(p.relative_to(work / "cleaned")) for p in (work / "cleaned").rglob("*") if p.is_file()}
    assert files >= {"README.md", "report.html", "ledger.parquet", "hfclean.json"}
    assert [name.rpartition("-")[0] for name in files if name.startswith("data/")] == ["data/train-00000-of-00001"]
    assert sorted(p.name for p in work.iterdir()) == ["cleaned", "messy.jsonl"]
    ds = reload(work / "cleaned", work)["train"]
    assert len(ds) == len(ROWS)
    assert ds["id"][:] == [1, 2, 3, 4, 5]
    assert ds["output"][:] == ["An apple.", "Red.", "It\u2019s nice to meet you.", "Red.", ""]
    assert ds["input"][:] == ["", "", None, "", ""]
    assert ds["edit"][:] == ["revised", "kept", "revised", "kept", "kept"]
    assert ds["defects"][4] == "empty_output"
    assert ds["duplicate_of"][:] == ["", "", "", ds["row_id"][1], ""]
    assert len(set(ds["row_id"])) == 5
    ledger = reload(work / "cleaned", work, name="ledger")["train"]
    assert {(row["row_id"], row["field"], row["rule"], row["before"], row["after"]) for row in ledger} == {
        (ds["row_id"][0], "input", "placeholder_input", "n/a", ""),
        (ds["row_id"][0], "output", "chat_markers", "An apple.</s>", "An apple."),
        (ds["row_id"][2], "output", "mojibake", ROWS[2]["output"], "It\u2019s nice to meet you."),
    }
    about = json.loads((work / "cleaned" / "hfclean.json").read_text())
    assert [step["by"] for step in about["transforms"]] == ["RuleReviser", "Score", "mark_duplicates"]
    assert about["source"]["rows"] == {"train": 5}
    assert "mojibake" in out
    assert "report.html" in out


def test_the_card_is_true_and_carries_no_path_of_this_machine(messy: Path, work: Path, capsys: Any) -> None:
    run("clean", "messy.jsonl", "--out", "cleaned", "--license", "cc-by-4.0", "--language", "en", capsys=capsys)
    text = (work / "cleaned" / "README.md").read_text()
    data = yaml.safe_load(text.split("---")[1])
    assert data["license"] == "cc-by-4.0"
    assert data["language"] in ("en", ["en"])
    assert data["size_categories"] == ["n<1K"]
    for file in ("README.md", "hfclean.json", "report.html"):
        assert str(work) not in (work / "cleaned" / file).read_text()


def test_the_same_input_gives_the_same_bytes(messy: Path, work: Path, capsys: Any) -> None:
    for name in ("a/cleaned", "b/cleaned"):
        assert run("clean", "messy.jsonl", "--out", name, capsys=capsys)[0] == 0
    files = [p.relative_to(work / "a") for p in (work / "a").rglob("*") if p.is_file()]
    assert len(files) >= 5
    assert [f for f in files if (work / "a" / f).read_bytes() != (work / "b" / f).read_bytes()] == []


def test_an_existing_folder_is_refused_and_replaced_only_if_it_is_ours(messy: Path, work: Path, capsys: Any) -> None:
    run("clean", "messy.jsonl", "--out", "cleaned", capsys=capsys)
    code, _, err = run("clean", "messy.jsonl", "--out", "cleaned", capsys=capsys)
    assert (code, "--overwrite" in err) == (1, True)
    assert run("clean", "messy.jsonl", "--out", "cleaned", "--overwrite", "--only", "mojibake", capsys=capsys)[0] == 0
    assert reload(work / "cleaned", work)["train"]["edit"][0] == "kept"
    (work / "mine").mkdir()
    (work / "mine" / "thesis.txt").write_text("precious")
    code, _, err = run("clean", "messy.jsonl", "--out", "mine", "--overwrite", capsys=capsys)
    assert (code, "was not written by hfclean" in err) == (1, True)
    assert (work / "mine" / "thesis.txt").read_text() == "precious"
    code, _, err = run("clean", "cleaned", "--out", "cleaned", "--overwrite", capsys=capsys)
    assert (code, "holds the source itself" in err) == (1, True)


def test_duplicates_are_dropped_only_when_asked_and_are_kept_aside(messy: Path, work: Path, capsys: Any) -> None:
    assert run("clean", "messy.jsonl", "--out", "cleaned", "--drop-duplicates", capsys=capsys)[0] == 0
    assert reload(work / "cleaned", work)["train"]["id"][:] == [1, 2, 3, 5]
    removed = reload(work / "cleaned", work, name="removed")["train"]
    assert removed["id"][:] == [4]
    assert removed["removed_reason"][0].startswith("exact duplicate of ")


def test_skip_and_only_and_rules_of_ones_own(messy: Path, work: Path, capsys: Any) -> None:
    (work / "my_rules.py").write_text(
        "import hfclean\n"
        "@hfclean.rule('red', severity='low', meaning='says red')\n"
        "def red(pair):\n    return 'Red' in pair.response\n"
        "@red.with_repair\n"
        "def red(pair):\n    return pair.replace(response=pair.response.replace('Red', 'Blue'))\n"
        "@hfclean.scorer('length')\n"
        "def length(pair):\n    return len(pair.response)\n"
    )
    assert run("clean", "messy.jsonl", "--out", "a", "--skip", "mojibake", capsys=capsys)[0] == 0
    assert reload(work / "a", work)["train"]["edit"][2] == "kept"
    assert run("clean", "messy.jsonl", "--out", "b", "--with", "my_rules:red", capsys=capsys)[0] == 0
    assert reload(work / "b", work)["train"]["output"][1] == "Blue."
    assert run("score", "messy.jsonl", "--out", "c", "--with", "my_rules:length", capsys=capsys)[0] == 0
    scored = reload(work / "c", work)["train"]
    assert scored["length"][1] == 4.0
    assert scored["output"][0] == ROWS[0]["output"]
    code, _, err = run("clean", "messy.jsonl", "--out", "d", "--with", "my_rules:length", capsys=capsys)
    assert (code, "not a rule" in err) == (2, True)
    code, _, err = run("clean", "messy.jsonl", "--out", "d", "--skip", "mojibak", capsys=capsys)
    assert (code, "did you mean 'mojibake'?" in err) == (2, True)
    assert not (work / "d").exists()


SCORERS = """
import hfclean
from dataclasses import dataclass
from typing import ClassVar
from hfclean.columns import Column
from hfclean.scorers import Scorer

@dataclass(frozen=True)
class Ease(Scorer):
    adds: ClassVar[tuple[Column, ...]] = (Column("ease", "how easy it is"),)
    weight: float = 1.0

    def score_batch(self, pairs):
        return {"ease": [self.weight * len(pair.response) for pair in pairs]}

easy = Ease(3.0)

def plain(pair):
    return 0.0
"""


@pytest.mark.parametrize(
    ("spec", "column", "value"),
    [
        ("my_scorers:Ease", "ease", 4.0),
        ("my_scorers:Ease(weight=2.5)", "ease", 10.0),
        ("my_scorers:easy", "ease", 12.0),
        ("PII(kinds=('email',))", "pii", ""),
        ("hfclean.scorers:PII()", "pii_count", 0.0),
    ],
)
def test_score_with_classes_of_literal_arguments(
    spec: str, column: str, value: Any, messy: Path, work: Path, capsys: Any
) -> None:
    (work / "my_scorers.py").write_text(SCORERS)
    assert run("score", "messy.jsonl", "--out", "out", "--with", spec, capsys=capsys)[0] == 0
    assert reload(work / "out", work)["train"][column][1] == value


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("IFD", "missing 1 required positional argument: 'model'"),
        ("IFDD(model='x')", "expected module:name, module:Class(argument=...), or one of Direction, Embed, IFD"),
        ("IFD(model=__import__('os').mkdir('ran'))", "model=__import__('os').mkdir('ran') is not a literal"),
        ("IFD(**{'model': 'x'})", "is not a literal"),
        ("IFD('x')", "expected NAME(argument=value, ...)"),
        ("IFD(model='x'", "is not valid"),
        ("IFD(model='x').model", "expected NAME(argument=value, ...)"),
        ("PII(colour='red')", "unexpected keyword argument 'colour'"),
        ("my_scorers:easy(weight=1)", "is already made"),
        ("my_scorers:plain", "is of type function, not a scorer; expected one declared with @hfclean.scorer"),
        ("hfclean:RuleReviser()", "is the class RuleReviser, not a scorer"),
        ("os:system('x')", "expected NAME(argument=value, ...)"),
        ("my-scorers:Ease", "expected module:name"),
        ("no_such_module:Ease", "cannot be loaded"),
    ],
)
def test_score_with_what_makes_no_scorer_is_refused(
    spec: str, words: str, messy: Path, work: Path, capsys: Any
) -> None:
    (work / "my_scorers.py").write_text(SCORERS)
    code, _, err = run("score", "messy.jsonl", "--out", "out", "--with", spec, capsys=capsys)
    assert code == 2
    assert words in err
    assert sorted(path.name for path in work.iterdir() if path.name != "__pycache__") == [
        "messy.jsonl",
        "my_scorers.py",
    ]


def test_score_prints_and_changes_nothing(messy: Path, work: Path, capsys: Any) -> None:
    code, out, _ = run("score", "messy.jsonl", capsys=capsys)
    assert code == 0
    assert "response_words" in out
    assert [p.name for p in work.iterdir()] == ["messy.jsonl"]


def test_json_is_for_machines(messy: Path, work: Path, capsys: Any) -> None:
    _, out, _ = run("clean", "messy.jsonl", "--out", "cleaned", "--json", capsys=capsys)
    assert json.loads(out)["out"] == "cleaned"
    row_id = reload(work / "cleaned", work)["train"]["row_id"][0]
    for args in (["score", "messy.jsonl"], ["rules"], ["why", "cleaned", row_id], ["diff", "messy.jsonl", "cleaned"]):
        code, out, _ = run(*args, "--json", capsys=capsys)
        assert code == 0, args
        assert json.loads(out)


def test_why_says_where_something_is_wrong_and_what(work: Path, capsys: Any) -> None:
    row = {"instruction": "What is 12 * 12?", "output": "Let me see.\n12 * 12 = 124"}
    (work / "sums.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    run("clean", "sums.jsonl", "--out", "cleaned", capsys=capsys)
    out = run("why", "cleaned", "0", capsys=capsys)[1]
    assert "\n    line 2 of the response: 12 * 12 comes to 144, not 124\n" in out
    (finding,) = json.loads(run("why", "cleaned", "0", "--json", capsys=capsys)[1])["findings"]
    assert (finding["check"], finding["line"], finding["expected"]) == ("wrong_sum", 1, "144")


def test_why_tells_the_story_of_a_row(messy: Path, work: Path, capsys: Any) -> None:
    run("clean", "messy.jsonl", "--out", "cleaned", capsys=capsys)
    row_id = reload(work / "cleaned", work)["train"]["row_id"][0]
    for name in ("0", "train:0", row_id, row_id[:6]):
        code, out, _ = run("why", "cleaned", name, capsys=capsys)
        assert code == 0
        assert "chat_markers" in out
        assert "- An apple.</s>" in out
        assert "+ An apple." in out
    assert "still wrong:\n  empty_output" in run("why", "cleaned", "4", capsys=capsys)[1]
    assert "same text as row" in run("why", "cleaned", "3", capsys=capsys)[1]
    code, _, err = run("why", "cleaned", "99", capsys=capsys)
    assert (code, "no row 99: train has 5 rows" in err) == (1, True)
    code, _, err = run("why", "messy.jsonl", "0", capsys=capsys)
    assert (code, "hfclean clean IN --out DIR" in err) == (1, True)


def test_diff_of_two_versions(messy: Path, work: Path, capsys: Any) -> None:
    run("clean", "messy.jsonl", "--out", "cleaned", capsys=capsys)
    code, out, _ = run("diff", "messy.jsonl", "cleaned", "--first", "1", "--html", "diff.html", capsys=capsys)
    assert code == 0
    assert "2 more changes" in out
    assert "An apple." in (work / "diff.html").read_text()


def test_undo_of_a_rule_a_row_and_everything(messy: Path, work: Path, capsys: Any) -> None:
    run("clean", "messy.jsonl", "--out", "cleaned", "--license", "mit", capsys=capsys)
    ids = reload(work / "cleaned", work)["train"]["row_id"][:]
    assert run("undo", "cleaned", "--rule", "chat_markers", capsys=capsys)[0] == 0
    ds = reload(work / "cleaned", work)["train"]
    assert (ds["output"][0], ds["input"][0], ds["row_id"][:]) == ("An apple.</s>", "", ids)
    assert len(reload(work / "cleaned", work, name="ledger")["train"]) == 2
    code, out, _ = run("undo", "cleaned", "--row", ids[2], "--out", "other", capsys=capsys)
    assert (code, out.splitlines()[-1]) == (0, "wrote other")
    assert reload(work / "other", work)["train"]["output"][2] == ROWS[2]["output"]
    assert reload(work / "cleaned", work)["train"]["output"][2] != ROWS[2]["output"]
    code, _, err = run("undo", "cleaned", "--out", "other", capsys=capsys)
    assert (code, "'other' already exists; name another, or leave out --out" in err, "--overwrite" in err) == (
        1,
        True,
        False,
    )
    assert run("undo", "cleaned", capsys=capsys)[0] == 0
    back = reload(work / "cleaned", work)["train"]
    assert back.to_list() == ROWS
    assert yaml.safe_load((work / "cleaned" / "README.md").read_text().split("---")[1])["license"] == "mit"
    code, _, err = run("undo", "cleaned", capsys=capsys)
    assert (code, "nothing is left to undo" in err) == (1, True)
    code, _, err = run("undo", "other", "--rule", "nonsense", capsys=capsys)
    assert (code, "unknown rule 'nonsense'" in err) == (2, True)


def test_convert_to_every_shape(messy: Path, work: Path, capsys: Any) -> None:
    run("clean", "messy.jsonl", "--out", "cleaned", capsys=capsys)

    def converted(to: str) -> list[dict[str, Any]]:
        assert run("convert", "cleaned", "--to", to, "--out", f"{to}.jsonl", capsys=capsys)[0] == 0
        return [json.loads(line) for line in (work / f"{to}.jsonl").read_text().splitlines()]

    assert converted("messages")[0] == {
        "messages": [{"role": "user", "content": "Name a fruit."}, {"role": "assistant", "content": "An apple."}],
        "id": 1,
    }
    assert converted("prompt_completion")[1] == {"prompt": "Name a colour.", "completion": "Red.", "id": 2}
    assert converted("alpaca")[0] == {"instruction": "Name a fruit.", "input": "", "output": "An apple.", "id": 1}
    assert converted("preference") == [
        {"prompt": "Name a fruit.", "chosen": "An apple.", "rejected": "An apple.</s>", "id": 1},
        {
            "prompt": "Say hello",
            "chosen": "It\u2019s nice to meet you.",
            "rejected": "It\u00e2\u20ac\u2122s nice to meet you.",
            "id": 3,
        },
    ]
    _, _, err = run("convert", "cleaned", "--to", "preference", "--out", "two.jsonl", capsys=capsys)
    assert "have no two answers to choose from" in err
    code, _, err = run("convert", "messy.jsonl", "--to", "preference", "--out", "p.jsonl", capsys=capsys)
    assert (code, "did not revise this dataset" in err) == (1, True)
    code, _, err = run("convert", "cleaned", "--to", "alpaca", "--out", "alpaca.jsonl", capsys=capsys)
    assert (code, "--overwrite" in err) == (1, True)
    code, _, err = run("convert", "cleaned", "--to", "alpaca", "--out", "alpaca.xml", capsys=capsys)
    assert (code, ".jsonl" in err) == (2, True)
    code, _, err = run("convert", "cleaned", "--to", "alpaca", capsys=capsys)
    assert (code, "--dry-run" in err) == (2, True)


def test_convert_says_beforehand_which_rows_do_not_fit(work: Path, capsys: Any) -> None:
    turns = [{"role": role, "content": "Go on."} for role in ("user", "assistant", "tool", "assistant")]
    rows = [{"messages": turns[:2]}, {"messages": turns}]
    (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    turned = "['user', 'assistant', 'tool'] before its answer, and columns of texts have no place for them"
    code, out, _ = run("convert", "rows.jsonl", "--to", "alpaca", "--dry-run", capsys=capsys)
    assert code == 0
    assert out.splitlines()[1:] == [
        "  1  rows that do not fit, so that nothing is converted",
        f"the first row that does not fit: a row has the turns {turned}; convert to messages instead",
        "nothing was written (--dry-run)",
    ]


def test_convert_counts_beforehand_what_would_be_lost(work: Path, capsys: Any) -> None:
    asked = {"role": "user", "content": "Seven times six?"}
    turns = [asked, {"role": "assistant", "content": "42", "reasoning_content": "7 * 6", "weight": 1}]
    (work / "rows.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    code, out, _ = run("convert", "rows.jsonl", "--to", "alpaca", "--dry-run", capsys=capsys)
    assert (code, out) == (
        0,
        "1 row to alpaca, left out or respelled:\n"
        "  1  key 'weight' of messages\n"
        "  1  thoughts beside an answer, now before it as <think>\n"
        "nothing was written (--dry-run)\n",
    )
    code, out, _ = run("convert", "rows.jsonl", "--to", "messages", "--dry-run", "--json", capsys=capsys)
    assert (code, json.loads(out)) == (0, {"rows": 1, "losses": {}, "misfit": ""})
    words = ["--to", "conversations", "--thoughts", "content", "--out", "o.jsonl"]
    assert run("convert", "rows.jsonl", *words, capsys=capsys)[0] == 0
    assert json.loads((work / "o.jsonl").read_text())["conversations"][1] == {
        "from": "gpt",
        "value": "<think>\n7 * 6\n</think>\n\n42",
        "weight": 1,
    }


def test_a_dataset_with_splits_and_its_card(work: Path, capsys: Any) -> None:
    ds = Dataset.from_list(ROWS)
    (work / "source").mkdir()
    ds.to_json(str(work / "source" / "train.jsonl"))
    ds.select([0, 2]).to_json(str(work / "source" / "test.jsonl"))
    (work / "source" / "README.md").write_text("---\nlicense: apache-2.0\nmine: 7\n---\n# Fruit\n\nMy own words.\n")
    assert run("clean", "source", "--out", "cleaned", capsys=capsys)[0] == 0
    out = reload(work / "cleaned", work)
    assert {name: len(part) for name, part in out.items()} == {"train": 5, "test": 2}
    ids = [*out["train"]["row_id"], *out["test"]["row_id"]]
    assert len(set(ids)) == 7
    text = (work / "cleaned" / "README.md").read_text()
    data = yaml.safe_load(text.split("---")[1])
    assert (data["license"], data["mine"]) == ("apache-2.0", 7)
    assert "My own words." in text
    assert run("clean", "source", "--out", "one", "--split", "test", capsys=capsys)[0] == 0
    assert list(reload(work / "one", work)) == ["test"]


def test_cleaning_a_cleaned_folder_again_changes_nothing(messy: Path, work: Path, capsys: Any) -> None:
    run("clean", "messy.jsonl", "--out", "once", capsys=capsys)
    assert run("clean", "once", "--out", "twice", capsys=capsys)[0] == 0
    once, twice = (reload(work / name, work)["train"] for name in ("once", "twice"))
    assert twice.column_names == once.column_names
    for name in ("instruction", "input", "output", "original", "row_id", "defects", "duplicate_of"):
        assert twice[name][:] == once[name][:]
    assert twice["edit"][:] == ["kept"] * 5


def test_a_save_to_disk_folder_with_an_empty_split(work: Path, capsys: Any) -> None:
    ds = Dataset.from_list(ROWS)
    DatasetDict(train=ds, test=ds.select([])).save_to_disk(str(work / "disk"))
    assert run("clean", "disk", "--out", "cleaned", capsys=capsys)[0] == 0
    assert {name: len(part) for name, part in reload(work / "cleaned", work).items()} == {"train": 5}
    assert json.loads((work / "cleaned" / "hfclean.json").read_text())["source"]["notes"] == ["split test is empty"]
    assert run("undo", "cleaned", capsys=capsys)[0] == 0
    assert reload(work / "cleaned", work)["train"].to_list() == ROWS


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"text": "hello"}], "plain text has no instruction"),
        ([{"a": "x", "b": "y"}], "--columns instruction="),
        ([{"instruction": "a", "output": "b", "original": "mine"}], "--prefix"),
        ([{"instruction": "a", "output": "b", "duplicate_of": "mine"}], "already has a column 'duplicate_of'"),
    ],
)
def test_rows_that_cannot_be_cleaned_leave_nothing_behind(rows: Any, said: str, work: Path, capsys: Any) -> None:
    (work / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    code, out, err = run("clean", "rows.jsonl", "--out", "cleaned", capsys=capsys)
    assert (code, out) == (1, "")
    assert said in err
    assert "Traceback" not in err
    assert [p.name for p in work.iterdir()] == ["rows.jsonl"]


def test_usage_errors_and_help(capsys: Any) -> None:
    assert run(capsys=capsys)[0] == 2
    assert run("clean", capsys=capsys)[0] == 2
    assert run("nonsense", capsys=capsys)[0] == 2
    for verb in ("clean", "score", "rules", "why", "diff", "undo", "convert"):
        code, out, _ = run(verb, "--help", capsys=capsys)
        assert (code, out.startswith(f"usage: hfclean {verb}")) == (0, True)
    assert run("--version", capsys=capsys)[1].startswith("hfclean 0.")


def stopped_in(module: types.ModuleType, function: str, name: str) -> Ended:
    """The end of a `clean` that is sent this signal when it calls the function."""
    real = getattr(module, function)

    def stop(*args: Any, **how: Any) -> Any:
        os.kill(os.getpid(), getattr(signal, name))
        return real(*args, **how)

    def work() -> int:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may have it ignored
        setattr(module, function, stop)
        return main(["clean", "messy.jsonl", "--out", "cleaned"])

    return forked(work)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_leaves_nothing_behind(name: str, messy: Path, work: Path) -> None:
    done = stopped_in(cleaning, "mark_duplicates", name)
    assert (done.returncode, "stopped; nothing was written" in done.stderr) == (1, True)
    assert [p.name for p in work.iterdir()] == ["messy.jsonl"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_kill_leaves_no_half_written_folder_and_the_next_run_tidies_up(messy: Path, work: Path, capsys: Any) -> None:
    done = stopped_in(folder, "write_ledger", "SIGKILL")
    assert done.returncode == -signal.SIGKILL
    assert not (work / "cleaned").exists()
    assert any(p.name.startswith(".cleaned.partial-") for p in work.iterdir())
    assert run("clean", "messy.jsonl", "--out", "cleaned", capsys=capsys)[0] == 0
    assert not any(p.name.startswith(".cleaned.partial-") for p in work.iterdir())
    assert len(reload(work / "cleaned", work)["train"]) == 5


def test_the_console_script_is_installed(work: Path) -> None:
    script = Path(sys.executable).parent / "hfclean"
    if not script.exists():
        pytest.skip("hfclean is not installed in this environment")
    done = subprocess.run([script, "rules"], capture_output=True, text=True, check=True, env={**os.environ})
    assert "mojibake" in done.stdout


def test_convert_keeps_the_order_of_turns_and_spells_tool_calls_as_openai_does(work: Path, capsys: Any) -> None:
    turns = [
        {"from": "human", "value": "weather?"},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Oslo"}}'},
        {"from": "observation", "value": "rain"},
        {"from": "gpt", "value": "It rains.</s>"},
    ]
    (work / "calls.jsonl").write_text(json.dumps({"conversations": turns, "tools": "[]"}))
    run("clean", "calls.jsonl", "--out", "cleaned", capsys=capsys)
    call = {"type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    asked = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "rain"},
    ]
    for to in ("messages", "preference"):
        assert run("convert", "cleaned", "--to", to, "--out", f"{to}.jsonl", capsys=capsys)[0] == 0
    row = json.loads((work / "messages.jsonl").read_text())
    assert row["messages"] == [*asked, {"role": "assistant", "content": "It rains."}]
    row = json.loads((work / "preference.jsonl").read_text())
    assert (row["prompt"], row["tools"]) == (asked, "[]")
    assert row["chosen"] == [{"role": "assistant", "content": "It rains."}]
    assert row["rejected"] == [{"role": "assistant", "content": "It rains.</s>"}]
