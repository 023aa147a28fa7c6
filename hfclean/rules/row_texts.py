"""Every text of a row, with its place: what a search for personal data reads, beyond the row's main pair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from hfclean.schema import Pair, Path, Target, View
from hfclean.schema.messages import ROLE_KEYS, ROLES
from hfclean.values import has_json, holds_text

# keys that give the kind of a part, name a picture, or tie a call to its result
NAMES = frozenset(("type", "id", "tool_call_id", "image_url"))
ARGUMENTS = frozenset(("arguments", "input", "parameters", "args", "result", "output"))
KEYS = ("id", "uuid", "hash", "sha", "sha1", "sha256", "md5", "url", "uri", "path", "file", "file_name", "filename")
ENDINGS = tuple(f"_{name}" for name in KEYS)
# what is personal in the name of a thing as well; a long number is no card there, and four numbers no address
IN_IDS = ("key", "email")


class Text(NamedTuple):
    """One string of a row; `is_name` where its key, outside of a call's arguments, says that it names a thing."""

    path: Path
    text: str
    is_name: bool = False


def texts_of(cells: Mapping[str, Any], columns: Iterable[str]) -> Iterator[Text]:
    """The strings in some columns of a row, however deep, in their order."""
    for column in columns:
        value = cells.get(column)
        if isinstance(value, str):
            if value:
                yield Text((column,), value)
        elif value is not None:
            yield from _walk((column,), value, False, False)


def _walk(path: Path, value: Any, inside: bool, is_name: bool) -> Iterator[Text]:
    """`inside` the arguments of a call every key is the caller's own: one called "id" or "from" holds text as well.
    Pictures that are part of a name (`data:image/png;base64,...`) are left out."""
    if isinstance(value, str):
        if value and not (is_name and value.startswith("data:")):
            yield Text(path, value, is_name)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if inside or not (key in ROLE_KEYS and _is_role(item)):
                named = not inside and (is_name or key in NAMES)
                yield from _walk((*path, str(key)), item, inside or key in ARGUMENTS, named)
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from _walk((*path, k), item, inside, is_name)


def objects_of(
    cells: Mapping[str, Any], columns: Iterable[str], features: Mapping[str, Any] | None = None
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The objects in some columns of a row whose keys are data, each before those that it holds, with their places.

    Args:
        cells: of a row.
        columns: where to look.
        features: the types of the columns, where they are known: keys that are part of a type are not data.
    """
    for column in columns:
        yield from _objects((column,), cells.get(column), features and features.get(column))


def _objects(path: Path, value: Any, feature: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    typed = isinstance(feature, Mapping)
    if isinstance(value, Mapping):
        if feature is None or (has_json(feature) and not typed):
            yield path, value
        for key, item in value.items():
            yield from _objects((*path, str(key)), item, feature.get(key) if typed else feature)
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from _objects((*path, k), item, getattr(feature, "feature", feature))


def names_of(cells: Mapping[str, Any], columns: Iterable[str]) -> Iterator[str]:
    """The keys of every object in some columns of a row."""
    held = (objects_of(cells, [column]) for column in columns if isinstance(cells.get(column), (Mapping, list, tuple)))
    for _, value in chain.from_iterable(held):
        yield from map(str, value)


def _is_role(value: Any) -> bool:
    """Whether a value says who speaks; "from" and "author" name people elsewhere."""
    return isinstance(value, str) and value.strip().lower() in ROLES


def beside(columns: Mapping[str, Any], known: Sequence[str], features: Mapping[str, Any] | None = None) -> list[str]:
    """The columns that may hold texts beside the known ones: raw traces, rendered copies, tools, notes, ids.

    Pictures and sounds are left out, and need not be decoded for this.

    Args:
        columns: of a batch or row.
        known: the columns of the row's shape, and those that hfclean added.
        features: the types of the columns, where they are known.
    """
    left = [name for name in columns if name not in known]
    return left if features is None else [name for name in left if name in features and holds_text(features[name])]


def names_a_thing(found: Text, shape: Collection[str]) -> bool:
    """Whether a text names a thing: by its key, or in a column of ids, hashes, addresses or paths beside those of the
    row's shape."""
    column = str(found.path[0])
    return found.is_name or (column not in shape and (column.lower() in KEYS or column.lower().endswith(ENDINGS)))


@dataclass(frozen=True)
class Wide(View):
    """A view of the columns beside those of the shape as well, all of which may be written."""

    inner: View
    others: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.inner.columns, *self.others)

    def targets(self, cells: Mapping[str, Any], *, turns: str = "last", side: str = "chosen") -> list[Target]:
        return self.inner.targets(cells, turns=turns, side=side)

    def pairs(self, cells: Mapping[str, Any], *, turns: str = "last", side: str = "chosen") -> list[Pair]:
        return self.inner.pairs(cells, turns=turns, side=side)
