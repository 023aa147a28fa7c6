"""Rows go to other tools and decisions come back: the same events as from a desk, whatever the texts hold."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.errors import FolderError, SourceError
from hfclean.layout import Layout
from hfclean.verdicts import Event, apply_verdicts, describe, read_events, row_verdicts
from hfclean.verdicts.exchange import Answer, add_events, events_of, export_tasks, read_answers, tasks_of
from hfclean.verdicts.exchange.spreadsheet import escaped, unescaped

END = "<|im_end|>"  # a rule takes it away, so that every row is revised
HOSTILE = [
    '=HYPERLINK("http://x";"y")',
    "+1, -1 and @a",
    "'=quoted",
    "tabs\tand\nlines\r\nand 'quotes' \"twice\", <b>bold</b> ]]> &amp;",
    "水 é \u202e right \u2028 to left 👩‍👩‍👧",
    "http://localhost/never-loaded",
    "[empty]",
    "  blanks at its ends  ",
]
FLAT = [{"instruction": f"Repeat: {text}", "input": text, "output": f"{text} it is.{END}"} for text in HOSTILE]
CHAT = [
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi."},
            {"role": "assistant", "content": f"Hello!{END}"},
            {"role": "user", "content": f"Repeat: {text}"},
            {"role": "assistant", "content": f"{text} it is.{END}"},
        ]
    }
    for text in HOSTILE
]
VERDICTS = ["accept", "edit", "reject", "return", "exclude", "skip", "flag", "edit"]
TOLD = {"exclude": "=it needs, a picture", "return": "no\nidea"}
WHEN = "2026-01-31T12:00:00.123Z"


@pytest.fixture(scope="module", params=[FLAT, CHAT], ids=["flat", "chat"])
def revised(request: pytest.FixtureRequest) -> Dataset:
    return Dataset.from_list(request.param).map(hfclean.revise, batched=True)


def written(k: int, now: str, more: bool) -> dict[str, str]:
    """The texts that a person writes of a row; of more than the response, where that can be written."""
    if VERDICTS[k] != "edit":
        return {}
    return (
        {"response": f"{now}\n=1+1"} if k > 3 else {"response": HOSTILE[k], **({"input": "[empty]"} if more else {})}
    )


def of_csv(folder: Path, delimiter: str = ",", strip: bool = False, encoding: str = "utf-8-sig") -> Path:
    """What a spreadsheet saves once a person has filled in what was exported."""
    with (folder / "tasks.csv").open(encoding="utf-8-sig", newline="") as f:
        rows = list(csv.DictReader(f))
    for k, row in enumerate(rows):
        row["verdict"], row["reason"] = VERDICTS[k].upper(), TOLD.get(VERDICTS[k], "")
        row |= {
            f"new_{name}": text for name, text in written(k, unescaped(row["response"]), row["context"] == "").items()
        }
        row["response"] = "what is only shown is not read"
        if strip:
            row |= {name: cell[1:] for name, cell in row.items() if cell.startswith("'=")}
    done = folder / "done.csv"
    with done.open("w", encoding=encoding, newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return done


def of_label_studio(folder: Path, **person: Any) -> Path:
    """What Label Studio exports: prefilled areas come back with what they held."""
    tasks = json.loads((folder / "label-studio" / "tasks.json").read_bytes())
    for k, task in enumerate(tasks):
        texts = {name: task["data"][name] for name in ("instruction", "input", "response")}
        texts |= written(k, texts["response"], task["data"]["context"] == "")
        whole = {"to_name": "response", "origin": "manual"}
        result = [{"from_name": "verdict", "type": "choices", "value": {"choices": [VERDICTS[k]]}} | whole]
        for name, text in {
            **{f"new_{name}": text for name, text in texts.items()},
            "reason": TOLD.get(VERDICTS[k]),
        }.items():
            if text:
                place = name.removeprefix("new_") if name != "reason" else "response"
                result.append({"from_name": name, "type": "textarea", "value": {"text": [text]}, "to_name": place})
        annotation = {
            "result": result,
            "lead_time": 7.5,
            "updated_at": WHEN,
            "completed_by": 3,
            "was_cancelled": False,
        }
        if VERDICTS[k] == "skip":
            annotation |= {"result": [], "was_cancelled": True}
        task |= {"id": k + 1, "annotations": [annotation | person], "predictions": []}
    done = folder / "export.json"
    done.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return done


def of_argilla(folder: Path) -> Path:
    """What Argilla exports: suggestions that nobody changed come back as responses."""
    records = json.loads((folder / "argilla" / "records.json").read_bytes())
    for k, record in enumerate(records):
        texts = {name: each["value"] for name, each in record["suggestions"].items()}
        texts |= {
            f"new_{name}": text
            for name, text in written(k, record["fields"]["response"], record["fields"]["context"] == "").items()
        }
        texts |= {"verdict": VERDICTS[k], "reason": TOLD.get(VERDICTS[k], "")}
        record["responses"] = {name: [{"value": text, "user_id": "u-1"}] for name, text in texts.items() if text}
        record |= {"_server_id": "s", "vectors": {}}
    done = folder / "records.json"
    done.write_text(json.dumps(records), encoding="utf-8")
    return done


def expected(ds: Dataset, who: str, **more: Any) -> list[Event]:
    events = []
    is_flat = "output" in ds.column_names
    place = {"response": "output" if is_flat else "messages/4/content", "input": "input"}
    for k, row in enumerate(ds):
        now = row["output"] if is_flat else row["messages"][4]["content"]
        texts = {place[name]: "" if text == "[empty]" else text for name, text in written(k, now, is_flat).items()}
        event = describe(row, VERDICTS[k], Layout(), texts=texts, reason=TOLD.get(VERDICTS[k], ""), **more)
        events.append(replace(event, who=who))
    return events


CASES: dict[str, tuple[str, Callable[[Path], Path], dict[str, Any]]] = {
    "csv": ("csv", of_csv, {}),
    "csv of another place": ("csv", lambda folder: of_csv(folder, ";", encoding="utf-8"), {}),
    "csv without apostrophes": ("csv", lambda folder: of_csv(folder, "\t", strip=True), {}),
    "label-studio": ("label-studio", of_label_studio, {"who": "3", "seconds": 7.5, "when": WHEN}),
    "argilla": ("argilla", of_argilla, {"who": "u-1"}),
}


@pytest.mark.parametrize("case", CASES)
def test_decisions_come_back_as_the_events_of_a_desk(revised: Dataset, case: str, tmp_path: Path) -> None:
    tool, fill_in, told = CASES[case]
    out = tmp_path / ("tasks.csv" if tool == "csv" else tool)
    assert export_tasks(tasks_of(revised), tool, out).rows == len(HOSTILE)
    found = events_of(read_answers(fill_in(tmp_path), tool), DatasetDict(train=revised))
    assert found.left_out == {}
    seconds = {"seconds": told["seconds"]} if "seconds" in told else {}
    wanted = [replace(event, when=told.get("when", "")) for event in expected(revised, told.get("who", ""), **seconds)]
    assert list(found.events) == wanted
    file = tmp_path / "v.jsonl"
    who = "" if "who" in told else "ana"
    assert add_events(file, found.events, who=who) == (len(wanted), 0)
    assert add_events(file, found.events, who=who) == (0, len(wanted))
    kept = read_events(file)
    assert [replace(event, number=0, when="", who="") for event in kept] == [
        replace(event, when="", who="") for event in wanted
    ]
    assert [event.number for event in kept] == [*range(1, len(wanted) + 1)]
    assert {event.when for event in kept} == {WHEN} or "when" not in told
    applied = apply_verdicts(revised, row_verdicts(kept))
    assert applied.states["accepted"] == 1
    assert sum(applied.states.values()) == len(wanted)


def test_nothing_that_is_shown_is_run_or_loaded(revised: Dataset, tmp_path: Path) -> None:
    for tool, out in (("csv", tmp_path / "t.csv"), ("label-studio", tmp_path / "ls"), ("argilla", tmp_path / "ar")):
        export_tasks(tasks_of(revised), tool, out)
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as f:
        cells = [cell for row in csv.reader(f) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]
    interface = xml.parse(tmp_path / "ls" / "labeling_interface.xml").getroot()
    shown = [tag.attrib for tag in interface.iter("Text")]
    assert len(shown) == 7
    assert {tag["valueType"] for tag in shown} == {"text"}
    assert not [*interface.iter("HyperText")]
    data = json.loads((tmp_path / "ls" / "tasks.json").read_bytes())[0]["data"]
    names = {tag.attrib["value"][1:] for tag in interface.iter() if tag.attrib.get("value", "").startswith("$")}
    assert names <= set(data)
    settings = json.loads((tmp_path / "ar" / ".argilla" / "settings.json").read_bytes())
    record = json.loads((tmp_path / "ar" / "records.json").read_bytes())[0]
    assert [field["name"] for field in settings["fields"]] == list(record["fields"])
    assert set(record["suggestions"]) <= {question["name"] for question in settings["questions"]}
    assert not any(field["settings"]["use_markdown"] for field in settings["fields"])


TEXT = st.lists(st.sampled_from(["'", "=", "+", "@", "-", "\t", "\r", "＝", "a", " ", "\n"]), max_size=6).map("".join)


@given(TEXT)
def test_a_cell_is_never_a_formula_and_comes_back(text: str) -> None:
    assert escaped(text)[:1] not in tuple("=+-@\t\r＝")
    assert unescaped(escaped(text)) == text


def test_a_task_shows_what_was_and_what_is(revised: Dataset) -> None:
    task = next(tasks_of(revised))
    assert task.now["response"] == f"{HOSTILE[0]} it is."
    assert task.was == {"response": f"{HOSTILE[0]} it is.{END}"}
    assert (task.row_id, task.split, task.reasons) == (revised[0]["row_id"], "train", "chat_markers")
    if "messages" in revised.column_names:
        assert task.context.split("\n\n") == [
            "system: Be brief.",
            "user: Hi.",
            f"assistant: Hello!{END}",
        ]
        assert task.places == {"response": ("messages/4/content",)}
    kept = Dataset.from_list([{"instruction": "Go on.", "input": "", "output": "On it goes."}]).map(hfclean.revise)
    assert [*tasks_of(kept)] == []
    assert [each.was for each in tasks_of(kept, unchanged=True)] == [{}]


def answer(row: Mapping[str, Any], verdict: str, **more: Any) -> Answer:
    return Answer("row 2", row["row_id"], verdict, **more)


def test_what_is_no_decision_is_counted_with_its_place(revised: Dataset) -> None:
    row = revised[0]
    shown = {"instruction": "i", "input": "", "response": "r"}
    answers = [
        answer(row, ""),
        answer(row, "", texts={"response": "x"}),
        answer(row, "edit"),
        answer(row, "exclude", reason=" "),
        answer({"row_id": "gone"}, "accept"),
        answer(row, "reject", texts={"response": "x"}),
        answer(row, " Accept ", texts={"response": " r\r\n"}, shown=shown),
        answer(row, "edit", texts={"response": "r"}, shown=shown),
        answer(row, "accept", texts={"response": "x"}, shown=shown),
    ]
    found = events_of(answers, revised)
    assert found.left_out == {
        "undecided": 1,
        "text without a verdict": 1,
        "edit without a text": 1,
        "exclude without a reason": 1,
        "no such row": 1,
        "text beside a verdict that takes none": 1,
    }
    assert set(found.first.values()) == {"row 2"}
    assert [event.verdict for event in found.events] == ["reject", "accept", "accept", "edit"]
    with pytest.raises(SourceError, match="row 2 has the verdict 'maybe'; expected accept, edit"):
        events_of([answer(row, "maybe")], revised)
    with pytest.raises(SourceError, match="none of 1 answers is on a row of this dataset"):
        events_of([answer({"row_id": "gone"}, "accept")], revised)


def test_a_row_that_changed_since_is_stale(revised: Dataset) -> None:
    task = next(tasks_of(revised))
    old = answer(revised[0], "accept", before=task.before, after="f" * 16)
    (event,) = events_of([old], revised).events
    assert (event.after, event.result) == ("f" * 16, "")
    assert apply_verdicts(revised, row_verdicts([event])).states == {"stale": 1}
    (event,) = events_of([replace(old, after=task.after)], revised).events
    assert apply_verdicts(revised, row_verdicts([event])).states == {"accepted": 1}


def test_who_and_when_come_from_the_tool_or_are_given(revised: Dataset, tmp_path: Path) -> None:
    export_tasks(tasks_of(revised), "label-studio", tmp_path / "label-studio")
    for person, who in (
        ({"completed_by": {"id": 4, "email": "ana@example.org"}}, "ana@example.org"),
        ({"completed_by": {"id": 4}}, "4"),
    ):
        answers = read_answers(of_label_studio(tmp_path, **person), "label-studio")
        assert {each.who for each in answers} == {who}
    later = [replace(event, verdict="reject", texts={}) for event in events_of(answers[:1], revised).events]
    file = tmp_path / "v.jsonl"
    for events, new in ((later, 1), (events_of(answers[:1], revised).events, 1), (later, 0)):
        assert add_events(file, events, who="ana").new == new
    bare = [replace(event, when="") for event in later]
    assert [add_events(file, [*bare, *bare], who="ana").new for _ in range(2)] == [1, 0]
    with pytest.raises(SourceError, match="does not say who"):
        add_events(file, [replace(later[0], who="")])
    with pytest.raises(SourceError, match="2 people decided"):
        add_events(file, [*later, replace(later[0], who="ben")], who="ana")


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "another table": ("csv", b"a,b\n1,2\n", "begins with 'a,b.*expected columns row_id and verdict"),
    "another encoding": ("csv", b"row_id,verdict\n1,\xff\n", "save it as 'CSV UTF-8'"),
    "an open quote": ("csv", b'row_id,verdict\n1,"', "cannot be read as CSV"),
    "no JSON": ("label-studio", b"[", "expected the export 'JSON' of Label Studio"),
    "no list": ("argilla", b"{}", "holds dict; expected the records of Argilla"),
    "no objects": ("argilla", b"[3]", "entry 1 of .* is '3'"),
    "too deep": ("label-studio", b"[" * 100_000, "nested deeper"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_of_something_else_is_refused(case: str, tmp_path: Path) -> None:
    tool, content, said = BROKEN[case]
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(SourceError, match=said):
        read_answers(tmp_path / "f", tool)
    with pytest.raises(SourceError, match="'none' cannot be read"):
        read_answers(tmp_path / "none", tool)


def test_what_a_stranger_wrote_into_an_export_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(
        json.dumps(
            [{"data": 3, "annotations": [{"result": [{"from_name": 3, "value": []}, 4], "lead_time": True}, 5]}]
        )
    )
    (found,) = read_answers(tmp_path / "f", "label-studio")
    assert (found.verdict, found.texts, found.seconds, found.who, found.row_id) == ("", {}, None, "", "")
    (tmp_path / "f").write_text(json.dumps([{"id": 7, "responses": {"verdict": [{"value": ["x"]}, 3], "other": 3}}]))
    (found,) = read_answers(tmp_path / "f", "argilla")
    assert (found.verdict, found.row_id, found.who) == ("", "7", "")


def test_what_exists_is_not_replaced_unasked(revised: Dataset, tmp_path: Path) -> None:
    for tool in ("csv", "argilla"):
        place = tmp_path / tool
        export_tasks(tasks_of(revised), tool, place)
        with pytest.raises(FolderError, match="already exists"):
            export_tasks(tasks_of(revised), tool, place)
    assert export_tasks(tasks_of(revised), "csv", tmp_path / "csv", overwrite=True).cut == 0
    with pytest.raises(FolderError, match="already exists"):
        export_tasks(tasks_of(revised), "argilla", tmp_path / "argilla", overwrite=True)
    long = Dataset.from_list(
        [{"instruction": "Go.", "input": "", "output": " ".join(map(str, range(9_000))) + END}]
    ).map(hfclean.revise)
    assert export_tasks(tasks_of(long), "csv", tmp_path / "long.csv").cut == 1
    for wrong in (lambda: export_tasks([], "word", tmp_path / "w"), lambda: read_answers(tmp_path, "word")):
        with pytest.raises(SourceError, match="no tool 'word'"):
            wrong()
