"""Frozen dataclasses to what JSON can hold, and back with every type checked. No pickle, no guessing."""

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hfclean.errors import SourceError

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Dataclasses and mappings as dicts, tuples as lists, numbers that are not finite as None."""
    if is_dataclass(value):
        return {spec.name: to_plain(getattr(value, spec.name)) for spec in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(kind: type[T], data: Any, where: str = "report") -> T:
    """The dataclass that `to_plain` described: exactly its fields, each of its type. What reports of
    earlier versions do not have (metadata `later`) may be missing.

    Raises:
        SourceError: an entry is missing, unknown or of another type; the message names it.
    """
    value: T = _read(kind, data, where)
    return value


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, data: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _read_dataclass(kind, data, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Mapping:
        if not isinstance(data, dict):
            raise _wrong(where, "an object", data)
        return {key: _read(inner[1], item, f"{where}.{key}") for key, item in data.items()}
    if origin is tuple:
        if not isinstance(data, list):
            raise _wrong(where, "a list", data)
        return tuple(_read(inner[0], item, f"{where}[{n}]") for n, item in enumerate(data))
    if origin in (types.UnionType, Union):
        return None if data is None else _read(inner[0], data, where)
    if kind is float:
        return _read_number(data, where)
    if isinstance(data, bool) is not (kind is bool) or not isinstance(data, kind):
        raise _wrong(where, {int: "a whole number", str: "a string", bool: "true or false"}[kind], data)
    return data


def _read_number(data: Any, where: str) -> float:
    if data is None:
        return math.nan
    try:
        number = math.nan if isinstance(data, (bool, str)) else float(data)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise _wrong(where, "a number or null", data)
    return number


def _read_dataclass(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise _wrong(where, "an object", data)
    hints = _hints(kind)
    names = [spec.name for spec in fields(kind)]
    unknown = [key for key in data if key not in names]
    missing = [spec.name for spec in fields(kind) if spec.name not in data and not spec.metadata.get("later")]
    if unknown or missing:
        raise SourceError(
            f"{where} has "
            + (f"the unknown entry {unknown[0]!r}" if unknown else f"no entry {missing[0]!r}")
            + "; it was not written by this version of hfclean"
        )
    return kind(**{name: _read(hints[name], data[name], f"{where}.{name}") for name in names if name in data})


def _wrong(where: str, wanted: str, value: Any) -> SourceError:
    return SourceError(f"{where} is {type(value).__name__} {str(value)[:40]!r}; expected {wanted}")
