"""What the columns of a scorer's step mean: as our own classes declare it, else as the step itself says."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from hfclean import scorers
from hfclean.columns import DUPLICATE_OF, REVISION, Column, column_of, read_columns
from hfclean.provenance import Step
from hfclean.transform import Transform


def explained(step: Step) -> dict[str, Column]:
    """The columns of a scorer's step that are declared, by name and without prefix."""
    if step.meanings:
        return {column.name: column for column in read_columns(step.meanings)}
    return dict(_ours(step.by, step.columns, str(step.settings.get("name", ""))))


def explained_columns(steps: Iterable[Step]) -> dict[str, Column]:
    """Every column that these steps added and `clean` may have added beside them, as far as it is declared."""
    found = {column.name: column for column in (*REVISION, DUPLICATE_OF)}
    for step in steps:
        if not step.is_revision:
            found |= explained(step)
    return found


@lru_cache(maxsize=256)
def _ours(by: str, names: tuple[str, ...], called: str) -> tuple[tuple[str, Column], ...]:
    kind = getattr(scorers, by) if by in dir(scorers) else None
    if not isinstance(kind, type) or not issubclass(kind, Transform) or not kind.adds:
        return ()
    usual = kind.adds[0].name  # scorers whose columns can be renamed begin them with the name of the first
    found = ((name, column_of(usual + name.removeprefix(called) if called else name, kind.adds)) for name in names)
    return tuple((name, Column(**{**vars(column), "name": name})) for name, column in found if column is not None)
