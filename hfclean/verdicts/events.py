"""Events: one decision of one person about one row, as a line of JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

from hfclean.layout import Layout
from hfclean.limits import nested_deeply
from hfclean.provenance import decode_original, original_cells, pointer, row_id
from hfclean.schema import Path, View, read_at, write

# accept: the text is right. edit: the given texts are. reject: the revision is not right. return: it is to be revised
# again. exclude: the row does not belong in the data. skip: no opinion. flag: somebody should look before anything is
# done. undo: the person's last decision is withdrawn. claim: the person works on the row, which decides nothing.
VERDICTS = ("accept", "edit", "reject", "return", "exclude", "skip", "flag", "undo", "claim")
ROLES = ("reviser", "owner")
ARMS = ("with", "without")
FIRSTS = ("original", "revision")
WITH_TEXTS = ("accept", "edit")
FIELDS = {"instruction": "instruction", "input": "input", "output": "response", "response": "response"}
_WORDS = ("reason", "refused", "before", "after", "result", "arm", "first", "role", "to", "who", "when")
_NUMBERS = ("of", "number")
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
        texts: of an edit, or of an accepted text that is not the row's, such as a revision that the gate had refused:
            place, as in the ledger -> text.
        fields: of an edit: `instruction`, `input` or `response` of a row with one answer -> text.
        hunks: of an edit that takes a part of a revision: place -> numbers of the hunks that were taken, from 0. The
            texts say the same; this says how they came about.
        reason: in words.
        who: the person, as they call themselves.
        when: UTC, as ISO 8601 writes it.
        number: how many events this person had written, with this one and without claims; 0 where nobody counted.
        seconds: how long the person looked at the row.
        before: the hash of the row's original text, as `row_id` makes it; `""` for unknown.
        after: the hash of the text that the row had when it was judged.
        result: the hash of the text that the row has if the verdict is followed.
        role: `"owner"` of a person who controls what others decided; `"reviser"`, or `""`, of the others.
        to: of an owner's `return`: the person who is to decide again.
        of: the number of that person's decision that was controlled; 0 for unknown.
        refused: the codes by which the gate had refused the revision that was judged, as in `edit_reason`; `""` where
            it had not.
        arm: `"with"` where the person was shown a model's revision, `"without"` where not, `""` for unknown.
        first: of a choice between two texts of which the person was not told which is the revision, the one that
            stood first: `"original"` or `"revision"`; `""` where the person knew.
        gold: the row was planted, and its right answer known: the event measures the person and decides nothing.
        scores: dimension -> points that the person gave.
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
    role: str = ""
    to: str = ""
    of: int = 0
    refused: str = ""
    arm: str = ""
    first: str = ""
    gold: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)

    def line(self) -> str:
        """The event as one line of ASCII, without what is empty."""
        data: dict[str, Any] = {"row_id": self.row_id, "verdict": self.verdict}
        for name in ("texts", "hunks"):
            if value := getattr(self, name):
                data[name] = dict(value)
        data |= {"output" if name == "response" else name: text for name, text in self.fields.items()}
        for name in (*_WORDS, *_NUMBERS, "gold"):
            if value := getattr(self, name):
                data[name] = value
        if self.scores:
            data["scores"] = dict(self.scores)
        if self.seconds is not None:
            data["seconds"] = self.seconds
        return json.dumps(data, ensure_ascii=True)

    @property
    def is_owners(self) -> bool:
        """Whether an owner wrote it, who outranks revisers."""
        return self.role == "owner"

    @property
    def keeps_text(self) -> bool:
        """Whether the row's text stays as it was judged: with all that writes none, and where a revision is rejected
        that was never in the row."""
        if self.verdict == "reject":
            return bool(self.result) and self.result == self.after
        return not (self.texts or self.fields)

    @cached_property
    def key(self) -> str:
        """The hash of the event: events of equal content are one."""
        return blake2b(self.line().encode(), digest_size=16).hexdigest()

    def places(self, cells: Mapping[str, Any], view: View) -> dict[Path, str]:
        """The texts that the verdict writes by their paths in the row.

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
        """The row with the texts that the verdict writes in their places.

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
    if not isinstance(name, str) or not _is_text(name) or verdict not in VERDICTS:
        raise ValueError(f"{str(data)[:80]!r}; expected row_id, a text, and verdict, one of {', '.join(VERDICTS)}")
    fields = {"response": data["text"]} if isinstance(data.get("text"), str) else {}
    fields |= {FIELDS[key]: data[key] for key in FIELDS if isinstance(data.get(key), str)}
    texts = _mapping(data, "texts", str)
    for text in (*texts.values(), *fields.values()):
        if not _is_text(text):
            raise ValueError(f"on {name!r} writes half a surrogate pair, which is not text; take it out")
    if verdict == "edit" and not fields and not texts:
        raise ValueError(f"on {name!r} edits nothing; expected instruction, input, output or texts")
    cut = {place: tuple(numbers) for place, numbers in _mapping(data, "hunks", list).items()}
    if not all(type(number) is int and number >= 0 for numbers in cut.values() for number in numbers):
        raise ValueError(f"on {name!r} has hunks {str(data['hunks'])[:80]}; expected numbers from 0")
    words: dict[str, Any] = {key: data.get(key) or "" for key in _WORDS}
    odd = next((key for key, value in words.items() if not isinstance(value, str) or not _is_text(value)), None)
    if odd:
        raise ValueError(f"on {name!r} has {odd} {str(words[odd])[:40]!r}; expected a text")
    for key, known in (("role", ROLES), ("arm", ARMS), ("first", FIRSTS)):
        if words[key] not in ("", *known):
            raise ValueError(f"on {name!r} has {key} {words[key][:40]!r}; expected {' or '.join(known)}")
    if verdict == "exclude" and not words["reason"].strip():
        raise ValueError(f"on {name!r} excludes without a reason; expected reason, such as 'needs a picture'")
    numbers: dict[str, Any] = {key: data.get(key, 0) for key in _NUMBERS}
    if odd := next((key for key, value in numbers.items() if type(value) is not int or value < 0), None):
        raise ValueError(f"on {name!r} has {odd} {str(numbers[odd])[:40]!r}; expected 1, 2, ...")
    seconds, gold = data.get("seconds"), data.get("gold", False)
    if seconds is not None and (not _is_finite(seconds) or seconds < 0):
        raise ValueError(f"on {name!r} has seconds {str(seconds)[:40]!r}; expected a number from 0")
    if type(gold) is not bool:
        raise ValueError(f"on {name!r} has gold {str(gold)[:40]!r}; expected true or false")
    scores = data.get("scores") or {}
    if not isinstance(scores, Mapping) or not all(map(_is_finite, scores.values())):
        raise ValueError(f"on {name!r} has scores {str(scores)[:80]!r}; expected dimensions with numbers")
    if words["when"]:
        try:
            datetime.fromisoformat(words["when"])
        except ValueError:
            raise ValueError(f"on {name!r} has when {words['when'][:40]!r}; expected 2026-01-31T12:00:00Z") from None
    is_edit = verdict == "edit"
    return Event(
        name,
        verdict,
        texts if verdict in WITH_TEXTS else {},
        fields if is_edit else {},
        cut if is_edit else {},
        seconds=seconds,
        gold=gold,
        scores=dict(scores),
        **numbers,
        **words,
    )


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


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
        proposed: of a revision that is not in the row, such as one that the gate refused, place -> proposed text: that
            is what is judged. Accepted, its texts are in the event; rejected, the row stays as it is.

    Who decided, in which role, why the gate had refused it, and so on: `dataclasses.replace` of what this gives.

    Raises:
        ValueError: no such verdict, an edit of nothing, an exclusion without a reason, or a place that the row does
            not have.
    """
    view = layout.view(tuple(row))
    first = original_cells(row, layout.prefix)
    written = proposed if verdict == "accept" else texts
    event = parsed({"row_id": row[layout.own("row_id")], "verdict": verdict, "texts": dict(written), "reason": reason})
    if proposed:
        Event("", "edit", proposed).places(row, view)
    put_back = verdict == "reject" and not proposed
    result = first if put_back else event.edited(row, view) if event.texts else row
    return replace(
        event,
        hunks=hunks if verdict == "edit" else {},
        seconds=seconds,
        before=row_id(first, view),
        after=row_id(row, view),
        result=row_id(result, view),
    )
