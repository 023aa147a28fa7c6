"""Agreement: how the embedded scores and the rules come to say the same of a row.

A rule that repairs a defect can cut words, lines or a whole further task, and the indicators count words and lines: on
the text as it stands, a repair could lower a score. So both scores are computed on the pair as the rules would leave
it, and then lowered a little for each defect: for those that a repair would take away, which only the row as it stands
has, and for those that would stay. A repaired row therefore scores above the row that it was made of, whatever the
defect, and a row without any has the score of its text.

How much a defect costs goes by its severity. The shares are small on purpose: they decide between a row and its
repaired form, hardly ever between two answers (`benchmarks/README.md` has the figures).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hfclean.rules import RULES, Change, Glance, all_defects, mend
from hfclean.schema import Pair

__all__ = ["SHARES", "as_repaired", "factor", "repairs"]

# What part of a score a defect takes away.
SHARES = {"low": 0.002, "medium": 0.005, "high": 0.01}
SHARE_OF = {rule.id: SHARES[rule.severity] for rule in RULES}
REPAIRABLE = frozenset(rule.id for rule in RULES if rule.repair is not None)


def factor(defects: Iterable[str]) -> float:
    """What is left of a score of 1 after these defects, above 0 and up to 1."""
    left = 1.0
    for name in defects:
        left *= 1 - SHARE_OF[name]
    return left


def repairs(pair: Pair, defects: Iterable[str], errors: dict[str, Exception] | None = None) -> list[Change]:
    """What the rules would change in a pair that has these defects; nothing is run where none can be repaired."""
    return [] if REPAIRABLE.isdisjoint(defects) else mend(pair, RULES, errors=errors)


def as_repaired(pair: Pair) -> Pair:
    """The pair as the rules would leave it: what the embedded scores are computed on."""
    changes = mend(pair, RULES, errors={})
    return changes[-1].after if changes else pair
