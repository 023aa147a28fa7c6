"""What happened to a row, as columns: their names, how hfclean recognizes its own, row ids, history lines, originals.

Nothing here changes text; it records and reads records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from hfclean.columns import DUPLICATE_OF, REVISION
from hfclean.errors import ColumnError, RestoreError
from hfclean.schema import Path, View, plain, write

HISTORY = "edit_history"
REVISION_COLUMNS = tuple(column.name for column in REVISION)
DUPLICATE_COLUMN = DUPLICATE_OF.name
EDITS = ("kept", "revised", "reverted", "failed")
UNPARSED = "unparsed"  # the reason for an answer that could not be read


@dataclass(frozen=True)
class Step:
    """One line of `edit_history`: which step did what to the row.

    `by` is the class of the transform, `settings` its fields that differ from the defaults, `columns` the columns that
    the step added beside the history itself. A reviser's step has `edit` and `reasons`; a scorer's has neither.
    `model` is the name of the model that was asked: the server's name for it, or the commit of a local one.
    `errors` says which rules, scorers or checks raised on the row, and what. `meanings` describes the columns of a
    third party's scorer as `columns.Column.plain` does. `masked` is the name under which the machine that masked
    personal data keeps what was masked here (`reviser.masked_texts`); the name says nothing of it.
    """

    by: str
    version: int
    columns: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    edit: str = ""
    reasons: tuple[str, ...] = ()
    model: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[str, Any] = field(default_factory=dict)
    masked: str = ""

    def line(self) -> str:
        """The step as one line of JSON, without what is empty."""
        data: dict[str, Any] = {"by": self.by, "version": self.version}
        if self.settings:
            data["settings"] = dict(self.settings)
        if self.model:
            data["model"] = self.model
        if self.edit:
            data["edit"] = self.edit
        if self.reasons:
            data["reasons"] = list(self.reasons)
        if self.errors:
            data["errors"] = dict(self.errors)
        if self.masked:
            data["masked"] = self.masked
        if self.columns and not self.edit:
            data["columns"] = dict(self.meanings) if self.meanings else list(self.columns)
        return json.dumps(data, ensure_ascii=True, sort_keys=False)

    @property
    def is_revision(self) -> bool:
        """Whether this step could change text (a reviser's step, not a scorer's)."""
        return bool(self.edit)


@lru_cache(maxsize=4096)
def parse_history(text: Any) -> tuple[Step, ...] | None:
    """The steps of an `edit_history` cell, oldest first; `None` when hfclean did not write it."""
    if not isinstance(text, str) or not text.startswith('{"by": '):
        return None
    steps = []
    for line in text.split("\n"):
        try:
            data = json.loads(line)
        except ValueError:
            return None
        if not isinstance(data, dict) or not isinstance(data.get("version"), int):
            return None
        edit, columns = str(data.get("edit", "")), data.get("columns", ())
        steps.append(
            Step(
                by=str(data["by"]),
                version=data["version"],
                columns=tuple(columns),
                settings=data.get("settings", {}),
                edit=edit,
                reasons=tuple(data.get("reasons", ())),
                model=str(data.get("model", "")),
                errors={str(name): str(text) for name, text in dict(data.get("errors") or {}).items()},
                meanings=columns if isinstance(columns, dict) else {},
                masked=str(data.get("masked", "")),
            )
        )
    return tuple(steps)


def is_unread(step: Step) -> bool:
    """Whether the step left its row as it was because a model's answer could not be read."""
    return step.edit == "reverted" and UNPARSED in step.reasons


def added_columns(steps: Iterable[Step], prefix: str = "") -> list[str]:
    """Every column that these steps added, with the history's own."""
    names: list[str] = []
    for step in steps:
        names += [prefix + name for name in (REVISION_COLUMNS if step.is_revision else (*step.columns, HISTORY))]
    return list(dict.fromkeys(names))


def own_columns(batch: Mapping[str, Any], prefix: str) -> list[str]:
    """The columns of a batch that hfclean may have written: the revisers' names, and what the history speaks of."""
    names = [prefix + name for name in REVISION_COLUMNS if prefix + name in batch]
    if prefix + HISTORY in batch:
        for line in set(filter(None, batch[prefix + HISTORY])):
            names += [name for name in added_columns(parse_history(line) or (), prefix) if name in batch]
    return list(dict.fromkeys(names))


def own_steps(cells: Mapping[str, Any], writes: Sequence[str], prefix: str, transform: str) -> list[Step]:
    """The steps that hfclean already took on a row, after making sure that `writes` would overwrite nobody else's
    column.

    Args:
        cells: the row's cells; only the columns that hfclean may have written are read.
        writes: the names, without prefix, that the transform is about to write.
        prefix: what the transform puts before its column names.
        transform: how the error names the transform.

    Raises:
        ColumnError: a column of one of these names exists and hfclean did not write it.
    """
    present = [name for name in writes if prefix + name in cells]
    if not present:
        return []
    steps = list(parse_history(cells.get(prefix + HISTORY)) or ())
    ours = set(added_columns(steps))
    for name in present:
        if name not in ours and cells[prefix + name] is not None:
            full = prefix + name
            raise ColumnError(
                f"the dataset already has a column {full!r}, and {transform} would overwrite it. Rename yours: "
                f"ds.rename_column({full!r}, 'my_{full}'); or choose another name for ours: "
                f"{transform}(prefix='hfclean_'), on the command line --prefix hfclean_"
            )
    return steps


# ------------------------------------------------------------------------------------------------------------- row ids


def row_id(cells: Mapping[str, Any], view: View) -> str:
    """16 hex digits that name a row by its own text columns, the same in every format, split and process.

    Empty and missing cells count alike, so the same row read from CSV and from JSON has the same id. Rows of equal
    text have equal ids: `number_rows` tells them apart where the whole dataset is seen.
    """
    return blake2b(b"".join(_hashed(name, [cells[name]])[0] for name in view.columns), digest_size=8).hexdigest()


def row_ids(columns: Mapping[str, Sequence[Any]], view: View) -> list[str]:
    """`row_id` of every row of some columns."""
    parts = zip(*(_hashed(name, columns[name]) for name in view.columns), strict=True)
    return [blake2b(b"".join(row), digest_size=8).hexdigest() for row in parts]


def _hashed(name: str, cells: Sequence[Any]) -> list[bytes]:
    """What of each cell of a column goes into the id of its row; nothing of an empty one."""
    column, found = name.encode(), []
    for value in cells:
        if value is None or value == "":
            found.append(b"")
            continue
        text = value if isinstance(value, str) else _canonical(value)
        data = text.encode("utf-8", "surrogatepass")
        found.append(b"%b\0%d\0%b" % (column, len(data), data))
    return found


def _canonical(value: Any) -> str:
    """A value as JSON; of one that is nested too deeply for that, its type alone."""
    try:
        return json.dumps(_without_nulls(value), sort_keys=True, default=str)
    except RecursionError:
        return type(value).__name__


def _without_nulls(value: Any) -> Any:
    """Arrow fills the keys that only some messages have with nulls: they say nothing about the row."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_nulls(item) for item in value]
    return plain(value)


def number_rows(ids: Iterable[str]) -> list[str]:
    """The ids made unique: the second row of the same id gets the suffix `-2`, the third `-3`; unique ids stay."""
    taken: set[str] = set()
    numbered = []
    for name in ids:
        base, count, unique = name.split("-", 1)[0], 2, name
        while unique in taken:
            unique, count = f"{base}-{count}", count + 1
        taken.add(unique)
        numbered.append(unique)
    return numbered


# ----------------------------------------------------------------------------------------------------------- originals


def encode_original(values: Mapping[Path, Any]) -> str:
    """The original values of the places that changed, as JSON; `""` when none did.

    Keys are JSON pointers without the leading slash (RFC 6901), values strings or null. ASCII only, so that text which
    Arrow cannot hold (a lone surrogate) still comes back.
    """
    if not values:
        return ""
    return json.dumps({pointer(path): value for path, value in values.items()}, ensure_ascii=True)


def decode_original(text: Any) -> dict[Path, Any]:
    """The inverse of `encode_original`; an empty or missing cell means no change.

    Raises:
        RestoreError: hfclean did not write it.
    """
    if not text:
        return {}
    try:
        return {_path(key): value for key, value in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as e:
        raise RestoreError(
            f"'original' holds {text!r:.60}, which hfclean did not write; rename that column: "
            "ds.rename_column('original', 'my_original')"
        ) from e


def original_cells(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The row with the text that it had before any reviser; the columns that hfclean added are left in."""
    original = decode_original(row.get(prefix + "original"))
    original = {path: value for path, value in original.items() if path[0] in row}
    return {**row, **write(row, original)} if original else dict(row)


def pointer(path: Path) -> str:
    """A path as the ledger and `original` spell it: `output`, or `messages/3/content`."""
    return "/".join(str(key).replace("~", "~0").replace("/", "~1") for key in path)


def _path(text: str) -> Path:
    column, *rest = (key.replace("~1", "/").replace("~0", "~") for key in text.split("/"))
    return (column, *(int(key) if key.isdigit() else key for key in rest))
