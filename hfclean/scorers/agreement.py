"""Agreement: how the embedded scores and the rules come to agree on a row.

A rule that repairs a defect can cut words, lines or a whole further task, and the indicators count words and lines: on
the text as it stands, a repair could lower a score. So both scores are computed on the pair as the rules would leave
it, and then lowered a little for each defect: for those that a repair would take away, which only the row as it stands
has, and for those that would stay. A repaired row therefore scores above the original row, whatever the
defect, and a row without any has the score of its text.

How much a defect costs goes by its severity. The shares are small: they decide between a row and its repaired form,
hardly ever between two answers. Cross-validation on people's judgements does not tell shares from none to four times
these apart (`benchmarks/README.md` has the figures).
"""

from __future__ import annotations

from collections.abc import Iterable

from hfclean.rules import ROW_RULES, RULES, find_defects, mend
from hfclean.schema import Pair

# What part of a score a defect takes away.
SHARES = {"low": 0.02, "medium": 0.05, "high": 0.1}
SHARE_OF = {rule.id: SHARES[rule.severity] for rule in (*RULES, *ROW_RULES)}
WITH_REPAIR = tuple(rule for rule in RULES if rule.repair is not None)
REPAIRABLE = frozenset(rule.id for rule in WITH_REPAIR)


def factor(defects: Iterable[str]) -> float:
    """What is left of a score of 1 after these defects, above 0 and up to 1."""
    left = 1.0
    for name in defects:
        left *= 1 - SHARE_OF[name]
    return left


def counted(pair: Pair) -> tuple[Pair, tuple[str, ...]]:
    """The pair as the rules would leave it, which is what the embedded scores are computed on, and the defects that
    count against it as it stands: those that a repair takes away, and those that stay."""
    changes = mend(pair, WITH_REPAIR)
    left = changes[-1].after if changes else pair
    return left, (*dict.fromkeys(change.rule for change in changes), *find_defects(left, RULES))
