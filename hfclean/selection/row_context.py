"""What tells rows of equal words apart: pictures and sounds, tools, system prompts, typed parts, calls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np

from hfclean.layout import Layout
from hfclean.passes import iterate, narrowed, numbers
from hfclean.processes import NumProc, by_batch
from hfclean.provenance import HISTORY, added_columns, parse_history
from hfclean.schema import ChatView, FlatView, PreferenceView, View
from hfclean.schema.messages import ROLE_KEYS, TEXT_KEYS, key_of

MEDIA = (
    "image",
    "images",
    "audio",
    "audios",
    "video",
    "videos",
    "picture",
    "pictures",
    "photo",
    "img",
    "pixel_values",
)
BESIDE = ("tools", "functions", "system", "system_prompt", "history")
BINARY = ("Image", "Audio", "Video", "Pdf", "Nifti", "Mesh")
NO_MARK = ("weight", "loss", "train", "id", "name")
TEXT_PARTS = ("text", "input_text", "output_text")
AT_ONCE = 8_000  # rows that are read at once
NO_CONTEXT = int.from_bytes(blake2b(digest_size=8).digest(), "little")


def _context_columns(ds: Any, view: View, layout: Layout) -> list[str]:
    """The columns beside the shape's that belong to what a row asks: pictures, sounds, tools, system, history."""
    ours: set[str] = set()
    history = layout.own(HISTORY)
    if history in ds.column_names and len(ds):
        first = narrowed(ds, [history])[0][history]
        ours = set(added_columns(parse_history(first) or (), layout.prefix))
    others = [name for name in ds.column_names if name not in view.columns and name not in ours]
    return [name for name in others if name.lower() in (*MEDIA, *BESIDE) or _binary(ds.features.get(name))]


def _binary(feature: Any) -> bool:
    if isinstance(feature, Mapping):
        return any(_binary(item) for item in feature.values())
    if isinstance(feature, (list, tuple)):
        return any(_binary(item) for item in feature)
    inner = getattr(feature, "feature", None)
    return _binary(inner) if inner is not None else type(feature).__name__ in BINARY


def undecoded(ds: Any) -> Any:
    """The dataset with its pictures and sounds as the bytes and paths that are stored: nothing has to be decoded."""
    if not any(_binary(feature) for feature in ds.features.values()):
        return ds
    copy = ds.with_format(None)
    copy.info.features = _raw(ds.features)  # the stored table is the same for both: nothing is cast or written
    return copy


def _raw(feature: Any) -> Any:
    """The same types, with pictures and sounds that are not decoded."""
    from datasets import Features, LargeList, List

    if isinstance(feature, Features):
        return Features({name: _raw(item) for name, item in feature.items()})
    if isinstance(feature, Mapping):
        return {name: _raw(item) for name, item in feature.items()}
    if isinstance(feature, (List, LargeList)):
        return type(feature)(_raw(feature.feature))
    if isinstance(feature, (list, tuple)):
        return [_raw(item) for item in feature]
    return type(feature)(decode=False) if type(feature).__name__ in BINARY else feature


def context_keys(
    ds: Any, layout: Layout, *, whole: bool = True, exact: bool = False, num_proc: NumProc = 1
) -> Any | None:
    """For each row a number, a uint64: equal where everything but the words of the turns is equal. None where that is
    all rows. The number of a row does not depend on the others, and `NO_CONTEXT` is that of one that has nothing else.

    Args:
        ds: a `Dataset`.
        layout: how its rows are read.
        whole: with the shape's own messages, system and history; else only the columns beside them.
        exact: the rejected answer of a preference row counts as well.
        num_proc: how many processes read the rows.
    """
    keys = own_context_keys(ds, layout, whole=whole, exact=exact, num_proc=num_proc)
    return None if keys is None or (keys[:1] == keys).all() else keys


def own_context_keys(
    ds: Any, layout: Layout, *, whole: bool = True, exact: bool = False, num_proc: NumProc = 1
) -> Any | None:
    """The same, also where all rows have the same number; None where it is `NO_CONTEXT` for want of columns."""
    if not len(ds):
        return None
    view = layout.view(ds.column_names)
    beside = _context_columns(ds, view, layout)
    inside = _inside(view) if whole else []
    names = [*beside, *(name for name in inside if not _flat(ds.features[name]) or _may_be_json(ds, name, view))]
    words = [name for name in inside if name not in names and name in _words(view, exact)]
    if not names and not words:
        return None
    given = {*beside, *(() if not isinstance(view, FlatView) or not view.history else (view.history,))}
    texts = any(name in inside and _flat(ds.features[name]) for name in names)  # conversations as JSON strings
    wanted = list(dict.fromkeys([*names, *words, *(view.columns if texts else ())]))

    def digests(rows: range) -> Any:
        found = []
        for cells in chain.from_iterable(iterate(undecoded(ds.select(rows)), wanted)):
            if texts:
                cells = dict(view.laid_open(cells))
            digest = blake2b(digest_size=8)
            for name in names:
                marks = _plain(cells[name]) if name in given else list(_marks(cells[name]))
                if marks not in (None, "", [], {}):
                    digest.update(
                        f"{name}\0{json.dumps(marks, sort_keys=True, default=str)}\0".encode("utf-8", "replace")
                    )
            for name in words:
                if cells[name]:
                    digest.update(f"{name}\0{_plain(cells[name])}\0".encode("utf-8", "surrogatepass"))
            found.append(digest.digest())
        return np.frombuffer(b"".join(found), "<u8")

    keys, start = numbers(len(ds), np.uint64, ds), 0
    for found in by_batch(digests, len(ds), "looking for duplicates", num_proc, AT_ONCE):
        keys[start : start + len(found)] = found
        start += len(found)
    return keys


def _flat(feature: Any) -> bool:
    return type(feature).__name__ == "Value"


def _may_be_json(ds: Any, name: str, view: View) -> bool:
    """Whether a column of strings that are read as conversations may hold the JSON of some."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(view, FlatView) or name not in _talks(view):
        return False
    cells = narrowed(ds, [name], "arrow")[:][name]
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        return False
    return bool(pc.any(pc.match_substring_regex(cells, r"^[ \t\r\n]*[\[{]")).as_py())


def _talks(view: View) -> tuple[str, ...]:
    """The columns of a view that may hold conversations."""
    system = view.system if isinstance(view, ChatView) else None
    return tuple(name for name in view.columns if name != system)


def _inside(view: View) -> list[str]:
    if isinstance(view, FlatView):
        return [name for name in (view.system, view.history) if name]
    return list(view.columns)


def _words(view: View, exact: bool) -> tuple[str | None, ...]:
    """The columns of strings that have to be equal, though they are not turns that are compared."""
    if isinstance(view, PreferenceView):
        return (view.rejected,) if exact else ()
    return (view.system,) if isinstance(view, (ChatView, FlatView)) else ()


def _plain(value: Any) -> Any:
    """A cell as JSON can hold it, without nulls: bytes by their hash, a picture with bytes by them alone."""
    if isinstance(value, Mapping):
        data = value.get("bytes")
        if isinstance(data, (bytes, bytearray)):
            return _plain(data)
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return "bytes:" + blake2b(value, digest_size=16).hexdigest()
    return value


def _marks(value: Any) -> Iterator[Any]:
    """What a conversation holds beside its words: system prompts, calls, typed parts that are not text, thoughts."""
    for message in _messages(value):
        role_key, text_key = key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS)
        content = message.get(text_key)
        if str(message.get(role_key)) in ("system", "developer"):
            yield ["system", _plain(content)]
        for key, item in message.items():
            if key not in (role_key, text_key, *NO_MARK) and item not in (None, "", [], {}):
                yield [key, _plain(item)]
        if isinstance(content, (list, tuple)):
            for part in content:
                if isinstance(part, Mapping) and part.get("type", "text") not in TEXT_PARTS:
                    yield _plain(part)


def _messages(value: Any) -> Iterator[Mapping[str, Any]]:
    """The messages of a cell: a list of them, one, or columns of them."""
    if isinstance(value, Mapping):
        columns = [cell for cell in value.values() if isinstance(cell, (list, tuple))]
        if len(columns) == len(value):
            yield from (dict(zip(value, cells, strict=False)) for cells in zip(*columns, strict=False))
        else:
            yield value
    elif isinstance(value, (list, tuple)):
        yield from (message for message in value if isinstance(message, Mapping))
