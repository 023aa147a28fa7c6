"""Defects that only show in a row as a whole: between its messages, or between them and other columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from hfclean.errors import of_row
from hfclean.rules.rule import Rule
from hfclean.schema import Pair, View, Whole, whole_row
from hfclean.verifiers import ROW_VERIFIERS, RowVerifier, able_verifiers
from hfclean.verifiers.verifier import Finding


class _Proves:
    """Whether a verifier finds anything; a class, so that it pickles."""

    def __init__(self, verifier: RowVerifier) -> None:
        self.verifier = verifier

    def __call__(self, row: Whole) -> bool:
        return any(found.check == self.verifier.id for found in self.verifier.find(row))


ROW_RULES: tuple[Rule, ...] = tuple(
    Rule(
        verifier.id,
        severity=verifier.severity,
        meaning=verifier.meaning,
        detect=_Proves(verifier),
        example=(verifier.example, ""),
        scope="row",
        version=verifier.version,
    )
    for verifier in ROW_VERIFIERS
)


@lru_cache(maxsize=64)
def row_rules(view: View) -> tuple[Rule, ...]:
    """The rules that may find something in rows that are read in this way."""
    ids = {verifier.id for verifier in able_verifiers(view)}
    return tuple(rule for rule in ROW_RULES if rule.id in ids)


@lru_cache(maxsize=64)
def _families(verifiers: tuple[RowVerifier, ...]) -> dict[Callable[[Whole], Iterable[Finding]], str]:
    """How these verifiers look, each way once, with the id of the first that looks so."""
    return {verifier.find: verifier.id for verifier in reversed(verifiers)}


def row_defects(
    cells: Mapping[str, Any], view: View, pair: Pair, errors: dict[str, Exception] | None = None
) -> list[str]:
    """The ids of the rules of `ROW_RULES` whose defect is in the row, in their order.

    Args:
        cells: of the row.
        view: how it is read.
        pair: its main pair, which is known already.
        errors: receives the errors of rules, by their ids; such a rule counts as not found. Without it, the error is
            raised.
    """
    verifiers = able_verifiers(view)
    if not verifiers:
        return []
    found: set[str] = set()
    row: Whole | None = None
    for find, name in _families(verifiers).items():
        try:
            row = row or whole_row(cells, view, pair, rejected=any("rejected" in each.needs for each in verifiers))
            found.update(finding.check for finding in find(row))
        except Exception as e:
            if errors is None:
                raise
            errors[name] = of_row(e)
    return [verifier.id for verifier in verifiers if verifier.id in found]
