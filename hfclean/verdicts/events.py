"""Events: one decision of one person about one row, as a line of JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

from hfclean.layout import Layout
from hfclean.limits import nested_deeply
from hfclean.provenance import decode_original, original_cells, pointer, row_id
from hfclean.schema import Path, View, read_at, write

# accept: the text is right. edit: the given texts are. reject: the original stands. return: it is to be revised again.
# skip: no opinion. flag: somebody should look before anything is done. undo: the person's last decision is withdrawn.
VERDICTS = ("accept", "edit", "reject", "return", "skip", "flag", "undo")
FIELDS = {"instruction": "instruction", "input": "input", "output": "response", "response": "response"}
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Hashes(NamedTuple):
    """What a row is now: the hash of its original text, and those of the texts that a verdict may speak of."""

    before: str
    after: frozenset[str]


@dataclass(frozen=True)
class Event:
    """What a person decided about a row.

    Args:
        row_id: of the row.
        verdict: one of `VERDICTS`.
        texts: of an edit: place, as in the ledger -> text.
        fields: of an edit: `instruction`, `input` or `response` of a row with one answer -> text.
        hunks: of an edit that takes a part of a revision: place -> numbers of the hunks that were taken, from 0. The
            texts say the same; this says how they came about.
        reason: in words.
        who: the person, as they call themselves.
        when: UTC, as ISO 8601 writes it.
        number: how many events this person had written, with this one; 0 where nobody counted.
        seconds: how long the person looked at the row.
        before: the hash of the row's original text, as `row_id` makes it; `""` for unknown.
        after: the hash of the text that was judged.
        result: the hash of the text that the row has if the verdict is followed.
    """

    row_id: str
    verdict: str
    texts: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    hunks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    reason: str = ""
    who: str = ""
    when: str = ""
    number: int = 0
    seconds: float | None = None
    before: str = ""
    after: str = ""
    result: str = ""

    def line(self) -> str:
        """The event as one line of ASCII, without what is empty."""
        data: dict[str, Any] = {"row_id": self.row_id, "verdict": self.verdict}
        for name in ("texts", "hunks"):
            if value := getattr(self, name):
                data[name] = dict(value)
        data |= {"output" if name == "response" else name: text for name, text in self.fields.items()}
        for name in ("reason", "before", "after", "result", "who", "when", "number"):
            if value := getattr(self, name):
                data[name] = value
        if self.seconds is not None:
            data["seconds"] = self.seconds
        return json.dumps(data, ensure_ascii=True)

    @property
    def key(self) -> str:
        """The hash of the event: events of equal content are one."""
        return blake2b(self.line().encode(), digest_size=16).hexdigest()

    def places(self, cells: Mapping[str, Any], view: View) -> dict[Path, str]:
        """The texts of an edit by their paths in the row.

        Raises:
            ValueError: the row has no such place.
        """
        texts: dict[Path, str] = {}
        targets = view.targets(cells)
        for name, text in self.fields.items():
            slot = getattr(targets[0], name) if len(targets) == 1 else None
            if slot is None:
                raise ValueError(f"the row has no {name!r} that can be written")
            texts |= {path: slot.whole(text) for path in slot.places()}
        for place, text in self.texts.items():
            (path,) = decode_original(json.dumps({place: None}))
            texts[path] = text
        for path in texts:
            try:
                read_at(cells, path)
            except (KeyError, IndexError, TypeError, ValueError) as e:
                raise ValueError(f"the row has no place {pointer(path)!r:.80}") from e
        return texts

    def edited(self, cells: Mapping[str, Any], view: View) -> dict[str, Any]:
        """The row with the texts of an edit in their places.

        Raises:
            ValueError: the row has no such place.
        """
        places = self.places(cells, view)
        try:
            return {**cells, **write(cells, places)}
        except (KeyError, IndexError, TypeError, ValueError) as e:
            raise ValueError(f"the row has no place {pointer(next(iter(places)))!r:.80}") from e

    def fits(self, now: Hashes) -> bool:
        """Whether the row still is what was judged, or what following the verdict made of it."""
        return self.before in ("", now.before) and (not self.after or bool({self.after, self.result} & now.after))


def parsed(data: Any) -> Event:
    """An event of what a line of JSON holds. What it does not know is left out.

    Raises:
        ValueError: it is not an event; the message says what is wrong.
    """
    name = (data.get("row_id") or data.get("id")) if isinstance(data, Mapping) else None
    verdict = data.get("verdict") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or verdict not in VERDICTS:
        raise ValueError(f"{str(data)[:80]!r}; expected row_id, a text, and verdict, one of {', '.join(VERDICTS)}")
    fields = {"response": data["text"]} if isinstance(data.get("text"), str) else {}
    fields |= {FIELDS[key]: data[key] for key in FIELDS if isinstance(data.get(key), str)}
    texts = _mapping(data, "texts", str)
    if verdict == "edit" and not fields and not texts:
        raise ValueError(f"on {name!r} edits nothing; expected instruction, input, output or texts")
    cut = {place: tuple(numbers) for place, numbers in _mapping(data, "hunks", list).items()}
    if not all(type(number) is int and number >= 0 for numbers in cut.values() for number in numbers):
        raise ValueError(f"on {name!r} has hunks {str(data['hunks'])[:80]}; expected numbers from 0")
    words = {key: data.get(key) or "" for key in ("reason", "who", "when", "before", "after", "result")}
    odd = next((key for key, value in words.items() if not isinstance(value, str)), None)
    if odd:
        raise ValueError(f"on {name!r} has {odd} {str(words[odd])[:40]!r}; expected a text")
    number, seconds = data.get("number", 0), data.get("seconds")
    if type(number) is not int or number < 0:
        raise ValueError(f"on {name!r} has number {str(number)[:40]!r}; expected 1, 2, ...")
    if seconds is not None and (type(seconds) not in (int, float) or not math.isfinite(seconds) or seconds < 0):
        raise ValueError(f"on {name!r} has seconds {str(seconds)[:40]!r}; expected a number from 0")
    if words["when"]:
        try:
            datetime.fromisoformat(words["when"])
        except ValueError:
            raise ValueError(f"on {name!r} has when {words['when'][:40]!r}; expected 2026-01-31T12:00:00Z") from None
    is_edit = verdict == "edit"
    return Event(
        name,
        verdict,
        texts if is_edit else {},
        fields if is_edit else {},
        cut if is_edit else {},
        number=number,
        seconds=seconds,
        **words,
    )


def read_line(line: bytes) -> Event:
    """The event of a line.

    Raises:
        ValueError: it holds none; the message says what is wrong.
    """
    try:
        data = json.loads(line)
        if nested_deeply(data, line):
            raise RecursionError
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as e:
        raise ValueError(f"cannot be read ({e}); expected one JSON object a line") from e
    return parsed(data)


def _mapping(data: Mapping[str, Any], key: str, kind: type) -> dict[str, Any]:
    value = data.get(key) or {}
    if not isinstance(value, Mapping) or not all(isinstance(each, kind) for each in value.values()):
        expected = "texts" if kind is str else "lists of numbers"
        raise ValueError(f"has {key} {str(value)[:80]!r}; expected places with {expected}")
    return dict(value)


def hashes(row: Mapping[str, Any], view: View, layout: Layout) -> Hashes:
    """What a revised row is now."""
    return Hashes(row_id(original_cells(row, layout.prefix), view), frozenset([row_id(row, view)]))


def describe(
    row: Mapping[str, Any],
    verdict: str,
    layout: Layout,
    *,
    texts: Mapping[str, str] = _NOTHING,
    hunks: Mapping[str, tuple[int, ...]] = _NOTHING,
    proposed: Mapping[str, str] = _NOTHING,
    reason: str = "",
    seconds: float | None = None,
) -> Event:
    """The event of a decision about a row, with the hashes that say which texts were judged.

    Args:
        row: as it is in the dataset.
        verdict: one of `VERDICTS`.
        layout: how the row is read.
        texts, hunks, reason, seconds: see `Event`.
        proposed: of a revision that the gate refused, place -> proposed text: that is what is judged.

    Raises:
        ValueError: no such verdict, an edit of nothing, or one of a place that the row does not have.
    """
    view = layout.view(tuple(row))
    first = original_cells(row, layout.prefix)
    judged = Event("", "edit", proposed).edited(row, view) if proposed else row
    event = parsed({"row_id": row[layout.own("row_id")], "verdict": verdict, "texts": dict(texts), "reason": reason})
    result = first if verdict == "reject" else event.edited(row, view) if verdict == "edit" else judged
    return Event(
        event.row_id,
        verdict,
        event.texts,
        hunks=hunks if verdict == "edit" else {},
        reason=reason,
        seconds=seconds,
        before=row_id(first, view),
        after=row_id(judged, view),
        result=row_id(result, view),
    )
