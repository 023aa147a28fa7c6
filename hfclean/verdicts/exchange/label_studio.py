"""Label Studio: a file of tasks to import, the labeling interface of the project, and its export "JSON".

Source: https://labelstud.io/guide/task_format, https://labelstud.io/tags/textarea.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

from hfclean.verdicts.exchange.answers import CHOICES, Answer
from hfclean.verdicts.exchange.json_files import list_of, mapping_of, objects_of, seconds_of, text_of, time_of
from hfclean.verdicts.exchange.tasks import NAMES, Task

TASKS, INTERFACE = "tasks.json", "labeling_interface.xml"
_EXPECTED = "the export 'JSON' of Label Studio, a list of tasks with data and annotations"
_WORDS = ("row_id", "split", "reasons", "before", "after")


def write(tasks: Iterable[Task], folder: Path) -> int:
    """Write tasks and interface into a folder; gives how many tasks."""
    count = 0
    with (folder / TASKS).open("w", encoding="utf-8", newline="\n") as f:
        for count, task in enumerate(tasks, start=1):
            f.write("[\n" if count == 1 else ",\n")
            f.write(json.dumps({"data": _data(task)}, ensure_ascii=True))
        f.write("\n]\n" if count else "[]\n")
    (folder / INTERFACE).write_bytes(_interface().encode("utf-8"))
    return count


def _data(task: Task) -> dict[str, str]:
    texts = {**task.now, **{f"{name}_was": task.was.get(name, task.now[name]) for name in NAMES}}
    return {**texts, "context": task.context, **{name: getattr(task, name) for name in _WORDS}}


def _interface() -> str:
    """What a person sees of a task. Every text is shown as text, never as HTML and never as an address to load."""
    view = xml.Element("View")
    xml.SubElement(view, "Style").text = ".htx-text{ white-space: pre-wrap; }"

    def shown(title: str, name: str) -> None:
        xml.SubElement(view, "Header", value=title)
        xml.SubElement(view, "Text", name=name, value=f"${name}", valueType="text", selectionEnabled="false")

    shown("What stands before it", "context")
    for name in NAMES:
        shown(f"{name} before the revision", f"{name}_was")
        shown(f"{name} after the revision", name)
    choices = xml.SubElement(
        view, "Choices", name="verdict", toName="response", choice="single", required="true", showInline="true"
    )
    for number, verdict in enumerate(CHOICES, start=1):
        xml.SubElement(choices, "Choice", value=verdict, hotkey=str(number))
    for name in NAMES:
        xml.SubElement(view, "Header", value=f"{name}, to edit")
        area = {"name": f"new_{name}", "toName": name, "value": f"${name}"}
        xml.SubElement(view, "TextArea", {**area, "rows": "6", "editable": "true", "maxSubmissions": "1"})
    xml.SubElement(view, "Header", value="Reason")
    xml.SubElement(view, "TextArea", name="reason", toName="response", rows="2", maxSubmissions="1")
    xml.indent(view)
    return xml.tostring(view, encoding="unicode") + "\n"


def read(file: Path) -> Iterator[Answer]:
    """The answers of an export, one for each annotation; one that was skipped is a `skip`.

    Raises:
        SourceError: it is not a list of tasks.
        OSError: it cannot be read.
    """
    for number, task in objects_of(file, _EXPECTED):
        data = mapping_of(task, "data")
        for annotation in list_of(task, "annotations"):
            yield _answer(data, annotation, f"task {text_of(task, 'id') or number}")


def _answer(data: Mapping[str, Any], annotation: Mapping[str, Any], where: str) -> Answer:
    results = {text_of(result, "from_name"): mapping_of(result, "value") for result in list_of(annotation, "result")}
    written = {name: _written(results[f"new_{name}"]) for name in NAMES if f"new_{name}" in results}
    chosen = results.get("verdict", {}).get("choices")
    verdict = chosen[0] if isinstance(chosen, list) and chosen and isinstance(chosen[0], str) else ""
    return Answer(
        where,
        text_of(data, "row_id"),
        "skip" if annotation.get("was_cancelled") is True else verdict,
        written,
        shown={name: text_of(data, name) for name in NAMES},
        reason=_written(results.get("reason", {})),
        who=_person(annotation),
        when=time_of(annotation, "updated_at", "created_at"),
        seconds=seconds_of(annotation, "lead_time"),
        before=text_of(data, "before"),
        after=text_of(data, "after"),
    )


def _written(value: Mapping[str, Any]) -> str:
    """The last text of an area: where a person may give several, the last one stands."""
    texts = value.get("text")
    texts = [texts] if isinstance(texts, str) else texts if isinstance(texts, list) else []
    return next((text for text in reversed(texts) if isinstance(text, str)), "")


def _person(annotation: Mapping[str, Any]) -> str:
    """The address of the person who made an annotation, or the number."""
    person = mapping_of(annotation, "completed_by")
    return text_of(person, "email") or text_of(person, "id") or text_of(annotation, "completed_by")
