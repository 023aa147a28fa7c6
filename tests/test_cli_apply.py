"""`hfclean apply`: what people decided becomes the folder, once, without names, and goes back with `hfclean undo`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_dataset

from hfclean.cli import main
from hfclean.layout import Layout
from hfclean.provenance import number_rows, row_id
from hfclean.report.findings import decisions
from hfclean.report.record import Count, Decisions
from hfclean.verdicts import Event, VerdictLog, describe

ROWS = [
    {"instruction": f"Name {n} fruits.", "input": "", "output": f"Here are {n} apples and {n} ripe pears.</s>"}
    for n in range(2, 9)
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: Any) -> Run:
    def _run(*words: str) -> tuple[int, str, str]:
        code = main([*words])
        return (code, *capsys.readouterr())

    return _run


@pytest.fixture
def rows(work: Path, run: Run) -> list[dict[str, Any]]:
    """The rows of a cleaned folder `d`, in the working directory."""
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    assert run("clean", "rows.jsonl", "--out", "d")[0] == 0
    return data("d")


def data(folder: str, part: str = "data") -> list[dict[str, Any]]:
    files = sorted(map(str, Path(folder, part).glob("*.parquet")))
    return [dict(row) for row in load_dataset("parquet", data_files=files, split="train", cache_dir="cache")]


def decide(rows: list[dict[str, Any]], path: str = "d.verdicts.jsonl", who: str = "Anabel") -> list[Event]:
    """One decision of each kind, and one that the gate had refused."""
    log = VerdictLog(path, who)
    layout = Layout()
    return [
        log.append(describe(rows[0], "accept", layout, reason=f"so says {who}")),
        log.append(describe(rows[1], "reject", layout)),
        log.append(describe(rows[2], "edit", layout, texts={"output": "Here are 4 apples and 4 green pears."})),
        log.append(describe(rows[3], "return", layout)),
        log.append(describe(rows[4], "exclude", layout, reason=f"{who} cannot see a task")),
        log.append(
            replace(describe(rows[5], "accept", layout, proposed={"output": "Seven."}), refused="numbers_changed")
        ),
    ]


def every_byte(folder: str) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(Path(folder).rglob("*")) if file.is_file()}


def test_verdicts_become_the_folder(rows: list[dict[str, Any]], run: Run) -> None:
    decide(rows)
    before = every_byte("d")
    code, out, _ = run("apply", "d", "--out", "d2")
    assert code == 0
    assert "decided by 1 person: 2 accepted, 1 edited, 1 rejected, 1 returned, 1 excluded" in out
    assert every_byte("d") == before
    after = data("d2")
    assert [row["output"] for row in after] == [
        rows[0]["output"],
        ROWS[1]["output"],
        "Here are 4 apples and 4 green pears.",
        rows[3]["output"],
        "Seven.",
        rows[6]["output"],
    ]
    assert [row["edit_reason"].split()[-1] for row in after] == [
        *("accepted", "rejected", "edited", "returned", "overruled", "chat_markers")
    ]
    assert [row["removed_reason"] for row in data("d2", "removed")] == ["excluded: a person cannot see a task"]
    text = Path("d2/README.md").read_text()
    assert "- **People:** decided by 1 person: 2 accepted" in text
    assert "Decided by 1 person: 2 accepted" in Path("d2/report.html").read_text()
    about = json.loads(Path("d2/hfclean.json").read_text())
    assert about["report"]["decisions"]["names"] == []
    assert about["source"]["rows"] == {"train": 7}
    for name, content in every_byte("d2").items():
        assert b"anabel" not in content.lower(), name
    for part in ("data", "removed"):
        assert "anabel" not in str(data("d2", part)).lower()
    code, out, _ = run("diff", "d", "d2", "--json")
    assert {split["changed"] for split in json.loads(out)["splits"]} == {3}


def test_names_are_written_only_where_that_is_asked_for(rows: list[dict[str, Any]], run: Run) -> None:
    decide(rows)
    assert run("apply", "d", "--out", "d2", "--names")[0] == 0
    assert "(by person: Anabel 6)" in Path("d2/README.md").read_text()
    assert [row["removed_reason"] for row in data("d2", "removed")] == ["excluded: Anabel cannot see a task"]
    assert run("apply", "d2", "d.verdicts.jsonl", "--in-place")[0] == 0
    assert [name for name, content in every_byte("d2").items() if b"anabel" in content.lower()] == []
    assert [row["removed_reason"] for row in data("d2", "removed")] == ["excluded: a person cannot see a task"]


def test_applied_twice_is_applied_once_and_undo_gives_the_first_rows(rows: list[dict[str, Any]], run: Run) -> None:
    decide(rows)
    kept = Path("d.verdicts.jsonl").read_bytes()
    assert run("apply", "d", "--in-place")[0] == 0
    once = every_byte("d")
    assert run("apply", "d", "d.verdicts.jsonl", "--in-place")[0] == 0
    assert every_byte("d") == once
    assert Path("d.verdicts.jsonl").read_bytes() == kept
    code, _, err = run("run", "d", "rows.jsonl", "--out", "again")
    assert code == 2
    assert "d was changed by hfclean apply after it was made" in err
    assert run("undo", "d")[0] == 0
    assert data("d") == [dict(row) for row in Dataset.from_list(ROWS)]
    assert not Path("d/removed").exists()
    assert "People" not in Path("d/README.md").read_text()


def test_one_excluded_row_comes_back(rows: list[dict[str, Any]], run: Run) -> None:
    decide(rows)
    run("apply", "d", "--in-place")
    assert run("undo", "d", "--rule", "chat_markers")[0] == 1  # a person's edit stands on it
    name = rows[4]["row_id"]
    code, out, _ = run("why", "d", name)
    assert code == 0
    assert "people decided:\n  excluded: a person took the row out of the data" in out
    assert "removed from the data: excluded: a person cannot see a task" in out
    assert run("undo", "d", "--row", name[:10])[0] == 0
    after = data("d")
    assert [row["row_id"] for row in after] == [row["row_id"] for row in rows]
    assert (after[4]["output"], after[4]["edit_reason"]) == (ROWS[4]["output"], "restored")
    assert not Path("d/removed").exists()


def test_why_says_what_people_decided(rows: list[dict[str, Any]], run: Run) -> None:
    decide(rows)
    run("apply", "d", "--in-place")
    _, out, _ = run("why", "d", rows[5]["row_id"], "--json")
    assert list(json.loads(out)["decided"]) == ["accepted", "overruled"]
    _, out, _ = run("why", "d", rows[1]["row_id"])
    assert "people decided:\n  rejected: a person found the revision wrong" in out
    _, out, _ = run("why", "d", rows[6]["row_id"])
    assert "people decided" not in out
    assert run("why", "d", "gone")[0] == 1


def test_what_stays_as_it_is_is_named(rows: list[dict[str, Any]], run: Run) -> None:
    ana, ben = VerdictLog("ana.jsonl", "ana"), VerdictLog("ben.jsonl", "ben")
    layout = Layout()
    ana.append(describe(rows[0], "accept", layout))
    ben.append(describe(rows[0], "reject", layout))
    ana.append(describe(rows[1], "flag", layout))
    ana.append(describe({**rows[2], "output": "Other."}, "accept", layout))
    ana.append(describe(rows[3], "edit", layout, texts={"output": ""}))
    for files in (["ana.jsonl", "ben.jsonl"], ["ben.jsonl", "ana.jsonl"]):
        code, out, _ = run("apply", "d", *files, "--out", f"d-{files[0]}", "--json")
        assert code == 0
        found = json.loads(out)
        assert found["states"] == {"conflict": 1, "flagged": 1, "stale": 1, "refused": 1}
        ids = dict(zip(["conflict", "flagged", "stale", "refused"], ([row["row_id"]] for row in rows), strict=False))
        assert found["left"] == ids
        assert "empty_response" in found["findings"][rows[3]["row_id"]]
        assert data(f"d-{files[0]}") == rows
    _, out, _ = run("apply", "d", "ana.jsonl", "ben.jsonl", "--out", "d2")
    assert f"left as it is, conflict (people disagree): {rows[0]['row_id']}\n" in out
    assert f"without a reason): {rows[3]['row_id']} (" in out


def test_an_owner_settles_it(rows: list[dict[str, Any]], run: Run) -> None:
    layout = Layout()
    for who, verdict, role in (("ana", "accept", ""), ("ben", "reject", ""), ("oda", "reject", "owner")):
        VerdictLog("d.verdicts.jsonl", who).append(replace(describe(rows[0], verdict, layout), role=role))
    _, out, _ = run("apply", "d", "--out", "d2", "--json")
    assert json.loads(out)["states"] == {"rejected": 1}
    assert json.loads(out)["people"] == 3
    assert data("d2")[0]["output"] == ROWS[0]["output"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["d", "--out", "d2"], "no verdicts beside 'd' (d.verdicts.jsonl); give the files"),
        (["d", "none.jsonl", "--out", "d2"], "the verdicts 'none.jsonl' cannot be read"),
        (["d", "broken.jsonl", "--out", "d2"], "verdict 2 of 'broken.jsonl' cannot be read"),
        (["d", "gone.jsonl", "--out", "d2"], "1 verdicts are on rows that do not exist, such as 'gone'"),
        (["d", "d/inside.jsonl", "--in-place"], "'inside.jsonl' lies in the folder that is replaced"),
        (
            ["d", "ok.jsonl", "--out", "d"],
            "'d' already exists; name another folder, or give --in-place to replace 'd'",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    rows: list[dict[str, Any]], run: Run, words: list[str], said: str
) -> None:
    good = Event(rows[0]["row_id"], "accept").line()
    Path("broken.jsonl").write_text(f"{good}\n{{nothing\n{good}\n")
    Path("gone.jsonl").write_text(Event("gone", "accept").line())
    for name in ("d/inside.jsonl", "ok.jsonl"):
        Path(name).write_text(good)
    before = every_byte("d")
    code, _, err = run("apply", *words)
    assert code == 1
    assert said in err
    assert err.count("\n") == 1
    assert every_byte("d") == before
    assert not Path("d2").exists()
    code, _, err = run("apply", "d")
    assert (code, "--out DIR2 writes another folder, --in-place replaces DIR" in err) == (2, True)


def test_a_push_and_a_card_say_it_too(rows: list[dict[str, Any]], run: Run) -> None:
    decide(rows)
    run("apply", "d", "--in-place")
    _, out, _ = run("card", "d")
    assert "- **People:** decided by 1 person: 2 accepted" in out
    assert run("push", "d", "me/data", "--dry-run", "--out", "plan")[0] == 0
    assert "- **People:** decided by 1 person: 2 accepted" in Path("plan/README.md").read_text()
    assert [file.name for file in Path("plan").rglob("*") if file.suffix == ".jsonl"] == []


def test_reasons_without_number_do_not_fill_a_card(rows: list[dict[str, Any]], work: Path, run: Run) -> None:
    many = [{**ROWS[0], "instruction": f"Name fruit {n}."} for n in range(30)]
    Path("many.jsonl").write_text("\n".join(map(json.dumps, many)))
    run("clean", "many.jsonl", "--out", "m")
    log = VerdictLog("m.verdicts.jsonl", "ana")
    for k, row in enumerate(data("m")[:28]):
        log.append(describe(row, "exclude", Layout(), reason="empty" if k < 3 else f"reason {k}"))
    _, out, _ = run("apply", "m", "--out", "m2", "--json")
    groups = {group["reason"]: group["rows"] for group in json.loads(out)["report"]["removed"]}
    assert (len(groups), groups["excluded: empty"], groups["excluded: another reason"]) == (21, 3, 6)
    assert sum(groups.values()) == 28
    assert len({row["removed_reason"] for row in data("m2", "removed")}) == 26


@pytest.mark.parametrize(
    ("transforms", "people", "states"),
    [
        ([{"by": "apply", "people": "3", "states": ["accepted"], "names": "ana"}], 0, ()),
        (
            [{"by": "apply", "people": 2, "states": {"accepted": True, "edited": 3, "odd": 4}}],
            2,
            (Count("edited", 3),),
        ),
        ([{"by": "apply", "people": 2, "states": {"edited": 3}}, {"by": "restore"}], None, ()),
        ([{"by": "apply", "people": 1, "states": {}}, {"by": "restore", "rule": "whitespace"}], 1, ()),
    ],
)
def test_what_a_strangers_record_says_of_people_is_checked(
    transforms: list[dict[str, Any]], people: int | None, states: tuple[Count, ...]
) -> None:
    found = decisions(transforms)
    assert found == (None if people is None else Decisions(people, states, ()))


def test_rows_that_nobody_revised_are_judged_as_they_are(work: Path, run: Run) -> None:
    raw = [*ROWS[:3], ROWS[0]]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, raw)))
    layout = Layout()
    view = layout.view(tuple(raw[0]))
    named = [
        {**row, "row_id": name} for row, name in zip(raw, number_rows(row_id(row, view) for row in raw), strict=True)
    ]
    log = VerdictLog("rows.jsonl.verdicts.jsonl", "ana")
    log.append(describe(named[0], "edit", layout, texts={"output": "Here are 2 apples."}))
    log.append(describe(named[1], "accept", layout))
    log.append(describe(named[3], "exclude", layout, reason="a duplicate"))
    code, out, _ = run("apply", "rows.jsonl", "--out", "d", "--columns", "alpaca", "--json")
    assert code == 0
    assert json.loads(out)["states"] == {"edited": 1, "accepted": 1, "excluded": 1}
    after = data("d")
    assert [row["output"] for row in after] == ["Here are 2 apples.", raw[1]["output"], raw[2]["output"]]
    assert [row["edit_reason"] for row in after] == ["edited", "accepted", ""]
    assert run("undo", "d")[0] == 0
    assert data("d") == raw
    code, _, err = run("apply", "rows.jsonl", "--in-place")
    assert code == 1
    assert "'rows.jsonl' is not a folder that hfclean wrote, so it is not replaced" in err
