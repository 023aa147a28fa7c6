"""Files that hold words for a model: instructions as text, criteria as YAML or JSON. Read within bounds, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hfclean.cli.mistyped import meant_word
from hfclean.cli.reading import UsageError

if TYPE_CHECKING:
    from hfclean.reviser.criteria import Criterion
    from hfclean.scorers.rubrics import Rubric

MOST_BYTES = 200_000  # the longest prompt of hfclean has 3,400 characters, and each request pays for it
REVISER_FORM = "a list of criteria, each with name, meaning and side (instruction or response)"
JUDGE_FORM = "a rubric: name, low, high, and dimensions, a list of which each has name and meaning"

T = TypeVar("T")


def read_text(option: str, name: str) -> str:
    """The text of a file that an option names.

    Raises:
        UsageError: it cannot be read, is empty or too long, or is not text in UTF-8.
    """
    where = f"{option} {name!r}"
    try:
        with Path(name).expanduser().open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as e:
        raise UsageError(f"{where} cannot be read: {getattr(e, 'strerror', None) or e}") from e
    if len(content) > MOST_BYTES:
        raise UsageError(f"{where} has more than {MOST_BYTES:,} bytes: it would be part of every request; shorten it")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as e:
        raise UsageError(f"{where} is not text in UTF-8 (byte {e.start:,}); save it as UTF-8") from e
    if not text:
        raise UsageError(f"{where} is empty; write into it what the model is to be told, or leave the option out")
    if "\0" in text:
        raise UsageError(f"{where} is not text: it has a byte 0; expected a text file in UTF-8")
    return text


def read_yaml(option: str, name: str) -> Any:
    """What a YAML or JSON file holds.

    Raises:
        UsageError: see `read_text`; or it is neither.
    """
    import yaml

    text = read_text(option, name)
    try:
        return yaml.safe_load(text)  # JSON is YAML
    except (yaml.YAMLError, RecursionError, ValueError) as e:
        why = str(e).splitlines()[0]
        raise UsageError(f"{option} {Path(name).name!r} is neither yaml nor json: {why}") from e


def reviser_criteria(name: str) -> tuple[Criterion, ...]:
    """The criteria of a `Reflection`.

    Raises:
        UsageError: the file holds something else.
    """
    from hfclean.reviser.criteria import Criterion

    found = read_yaml("--criteria", name)
    where = f"--criteria {name!r}"
    if not isinstance(found, list) or not found:
        hint = (
            "; this is a rubric, which is for judges" if isinstance(found, Mapping) and "dimensions" in found else ""
        )
        raise UsageError(f"{where}: expected {REVISER_FORM}{hint}")
    return tuple(_made(Criterion, one, f"{where}, criterion {k}", REVISER_FORM) for k, one in enumerate(found, 1))


def judge_rubric(name: str) -> Rubric:
    """The rubric of a `Judge`.

    Raises:
        UsageError: the file holds something else, or what it holds is not a rubric.
    """
    from hfclean.errors import HfcleanError
    from hfclean.scorers.rubrics import Dimension, Rubric

    found = read_yaml("--criteria", name)
    where = f"--criteria {name!r}"
    listed = found.get("dimensions") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(listed, list):
        raise UsageError(f"{where}: expected {JUDGE_FORM}")
    dimensions = tuple(_made(Dimension, one, f"{where}, dimension {k}", JUDGE_FORM) for k, one in enumerate(listed, 1))
    try:
        return _made(Rubric, {**found, "dimensions": dimensions}, where, JUDGE_FORM)
    except HfcleanError as e:
        raise UsageError(f"{where}: {e}") from e


def _made(kind: type[T], found: Any, where: str, expected: str) -> T:
    """The dataclass of these fields, each of the type that its annotation has."""
    if not isinstance(found, Mapping):
        raise UsageError(f"{where} is {type(found).__name__}; expected {expected}")
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    for key in found:
        if key not in known:
            raise UsageError(
                f"{where}: unknown key {str(key)[:80]!r}{meant_word(str(key), known)}; expected {expected}"
            )
    for key, each in known.items():
        if key not in found and each.default is MISSING:
            raise UsageError(f"{where}: {key} is missing; expected {expected}")
    values = {key: _value(value, str(known[key].type), f"{where}: {key}") for key, value in found.items()}
    return kind(**values)


def _value(value: Any, annotation: str, where: str) -> Any:
    """A value as a field of this type takes it; dimensions are made already."""
    if isinstance(value, tuple) or (value is None and "None" in annotation):
        return value
    if "tuple[float" in annotation:
        if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)):
            raise UsageError(f"{where}: expected two numbers, the lowest and the highest")
        return tuple(value)
    if "float" in annotation:
        if not _is_number(value):
            raise UsageError(f"{where}: expected a number")
    elif not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where}: expected text; put it in quotes")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
