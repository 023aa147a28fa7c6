"""Argilla 2: a folder that `rg.Dataset.from_disk` reads, and the records that `dataset.records.to_json` writes.

Source: https://docs.argilla.io/latest/how_to_guides/import_export.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hfclean.verdicts.exchange.answers import CHOICES, Answer
from hfclean.verdicts.exchange.json_files import list_of, mapping_of, objects_of, text_of
from hfclean.verdicts.exchange.tasks import NAMES, Task

RECORDS, SETTINGS, DATASET = "records.json", ".argilla/settings.json", ".argilla/dataset.json"
_EXPECTED = "the records of Argilla, as dataset.records.to_json writes them"
_WORDS = ("split", "before", "after")
_GUIDELINES = (
    "Decide whether the revision of each row is right. accept: it is. edit: it is with what you change in the texts "
    "below. reject: the row was better before. return: it has to be revised again. exclude: the row does not belong "
    "in the data; say why. skip: no opinion. flag: somebody should look."
)
_TITLES = {
    **{f"{name}_was": f"{name} before the revision" for name in NAMES},
    **{name: f"{name} after the revision" for name in NAMES},
}


def write(tasks: Iterable[Task], folder: Path) -> int:
    """Write records, settings and dataset into a folder; gives how many records."""
    (folder / ".argilla").mkdir()
    dataset = {"name": "hfclean-revisions", "guidelines": _GUIDELINES, "allow_extra_metadata": True}
    (folder / DATASET).write_text(json.dumps(dataset), encoding="utf-8")
    (folder / SETTINGS).write_text(json.dumps(_settings(), indent=1), encoding="utf-8")
    count = 0
    with (folder / RECORDS).open("w", encoding="utf-8", newline="\n") as f:
        for count, task in enumerate(tasks, start=1):
            f.write("[\n" if count == 1 else ",\n")
            f.write(json.dumps(_record(task), ensure_ascii=True))
        f.write("\n]\n" if count else "[]\n")
    return count


def _record(task: Task) -> dict[str, Any]:
    return {
        "id": task.row_id,
        "fields": {
            "context": task.context,
            **{key: text for name in NAMES for key, text in _texts(task, name).items()},
            "reasons": task.reasons,
        },
        "metadata": {name: getattr(task, name) for name in _WORDS},
        "suggestions": {
            f"new_{name}": {"value": task.now[name], "score": None, "agent": "hfclean"}
            for name in task.places
            if task.now[name]
        },
        "responses": {},
        "vectors": {},
    }


def _texts(task: Task, name: str) -> dict[str, str]:
    return {f"{name}_was": task.was.get(name, task.now[name]), name: task.now[name]}


def _settings() -> dict[str, Any]:
    def field(name: str, title: str) -> dict[str, Any]:
        return {
            "name": name,
            "title": title,
            "required": name == "response",
            "settings": {"type": "text", "use_markdown": False},
        }

    def question(name: str, title: str) -> dict[str, Any]:
        return {
            "name": name,
            "title": title,
            "required": False,
            "settings": {"type": "text", "use_markdown": False},
        }

    options = [{"value": verdict, "text": verdict, "description": None} for verdict in CHOICES]
    verdict = {
        "name": "verdict",
        "title": "verdict",
        "required": True,
        "settings": {"type": "label_selection", "options": options, "visible_options": len(options)},
    }
    return {
        "guidelines": _GUIDELINES,
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "fields": [
            field("context", "What stands before it"),
            *(field(key, _TITLES[key]) for name in NAMES for key in (f"{name}_was", name)),
            field("reasons", "Why it was changed"),
        ],
        "questions": [
            verdict,
            *(question(f"new_{name}", f"{name}, to edit") for name in NAMES),
            question("reason", "Reason"),
        ],
        "metadata": [],
        "vectors": [],
    }


def read(file: Path) -> Iterator[Answer]:
    """The answers of an export, one for each person who responded to a record.

    Raises:
        SourceError: it is not a list of records.
        OSError: it cannot be read.
    """
    for number, record in objects_of(file, _EXPECTED):
        responses = mapping_of(record, "responses")
        people: dict[str, dict[str, str]] = {}
        for question in responses:
            for response in list_of(responses, question):
                people.setdefault(text_of(response, "user_id"), {})[question] = text_of(response, "value")
        for person, answers in people.items():
            yield _answer(record, person, answers, f"record {number}")


def _answer(record: Mapping[str, Any], person: str, answers: Mapping[str, str], where: str) -> Answer:
    fields, metadata = mapping_of(record, "fields"), mapping_of(record, "metadata")
    return Answer(
        where,
        text_of(record, "id"),
        answers.get("verdict", ""),
        {name: answers[f"new_{name}"] for name in NAMES if answers.get(f"new_{name}")},
        shown={name: text_of(fields, name) for name in NAMES},
        reason=answers.get("reason", ""),
        who=person,
        before=text_of(metadata, "before"),
        after=text_of(metadata, "after"),
    )
