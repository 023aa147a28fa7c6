"""hfclean verdicts: rows out to a spreadsheet, decisions back in, and what they come to."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from hfclean.cli import main
from hfclean.verdicts import read_events

ROWS = [
    {"instruction": f"Name {n} fruits.", "input": "", "output": f"Here are {n} pears.<|im_end|>"} for n in range(12)
]


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verdicts")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert main(["clean", str(folder / "rows.jsonl"), "--out", str(folder / "cleaned"), "--quiet"]) == 0
    return folder / "cleaned"


def filled_in(file: Path, verdicts: list[str]) -> None:
    with file.open(encoding="utf-8-sig", newline="") as f:
        rows = list(csv.DictReader(f))
    for row, verdict in zip(rows, verdicts, strict=False):
        row |= {"verdict": verdict, "new_response": "Pears." if verdict == "edit" else ""}
    with file.open("w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_spreadsheet_goes_out_and_comes_back(
    cleaned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for who, verdicts in (("ana", ["accept"] * 10 + ["edit"]), ("ben", ["accept"] * 9 + ["reject", "exclude", ""])):
        file = tmp_path / f"{who}.csv"
        assert main(["verdicts", "export", str(cleaned), "--to", "csv", "--out", str(file)]) == 0
        assert "12 rows for csv" in capsys.readouterr().out
        filled_in(file, verdicts)
        assert main(["verdicts", "import", str(file), "--folder", str(cleaned), "--as", who]) == 0
        told = capsys.readouterr()
        assert told.out.endswith(f"{11 if who == 'ana' else 10} decisions added, 1 row undecided\n")
        assert ("1 exclude without a reason (first: row 12)" in told.err) is (who == "ben")
    assert main(["verdicts", "import", str(file), "--folder", str(cleaned), "--as", "ben", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    log = Path(f"{cleaned}.verdicts.jsonl")
    assert data == {
        "file": str(log),
        "added": 0,
        "known": 10,
        "left_out": {"exclude without a reason": 1, "undecided": 1},
    }
    assert [event.number for event in read_events(log)] == [*range(1, 12), *range(1, 11)]

    assert main(["verdicts", "report", str(cleaned), "--names"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("21 events of 2 people on 11 rows\n  9 accepted, 1 conflict, 1 edited")
    assert "Rows that two people decided: 10, the same on 90.0" in told
    assert "characters between both final texts: mean 1.0 [0.0, 3.0]" in told
    assert "ana" in told
    assert main(["verdicts", "report", str(log), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [person["name"] for person in data["people"]] == ["A", "B"]
    assert data["agreement"]["same"]["value"] == 0.9
    assert data["agreement"]["distance"]["count"] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["export", "DIR", "--to", "csv"], 2, "export needs --to and --out"),
        (["export", "DIR", "DIR", "--to", "csv", "--out", "x.csv"], 2, "export takes one place, and 2 are given"),
        (["export", "DIR", "--to", "csv", "--out", "DIR/x.csv"], 1, "would lie in the folder"),
        (["export", "FILE", "--to", "csv", "--out", "OUT"], 1, "is not a cleaned folder"),
        (["import", "FILE", "--folder", "DIR"], 2, "import needs --of TOOL"),
        (["import", "FILE.csv"], 2, "import needs --folder DIR"),
        (["import", "FILE.csv", "--folder", "DIR"], 2, "does not say who decided: --as NAME"),
        (["report", "DIR", "DIR"], 2, "2 folders are given"),
        (["report", "FILE", "--longest-look-s", "0"], 1, "--longest-look-s 0.0: expected"),
        (["report", "NEW"], 1, "no verdicts beside"),
        (["report", "OUT"], 1, "the verdicts 'out' cannot be read"),
    ],
)
def test_what_is_missing_is_named(
    cleaned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "file.csv").write_text("row_id,verdict\n1,accept\n")
    (tmp_path / "new").mkdir()
    places = {"DIR": str(cleaned), "FILE": str(tmp_path / "file"), "OUT": str(tmp_path / "out")}
    places["NEW"] = str(tmp_path / "new")
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    assert main(["verdicts", *words]) == code
    assert said in capsys.readouterr().err
