"""The check for constraints that the instruction states: kept before, broken by the revision.

A constraint that the old answer already broke is not held against the revision. The kinds are data, in
`constraint_kinds`.
"""

import re

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.checks.constraint_kinds import KINDS, Kind

PLACES: dict[str, list[int]] = {}
for _place, _kind in enumerate(KINDS):
    for _word in _kind.hints:
        PLACES.setdefault(_word, []).append(_place)
HINTS = frozenset(PLACES)
LONGEST_TASK = 1500


def stated(instruction: TextFacts) -> list[tuple[Kind, re.Match[str]]]:
    """The constraints that an instruction states, with the words in which it does, in the order of the kinds."""
    hints = instruction.vocabulary & HINTS
    if not hints:
        return []
    text = instruction.text[:LONGEST_TASK]
    found = []
    for place in sorted({place for word in hints for place in PLACES[word]}):
        match = KINDS[place].asks.search(text)
        if match:
            found.append((KINDS[place], match))
    return found


def broken_constraints(case: Case) -> list[str]:
    """The ids of the kinds of constraint that the instruction states, the old answer kept and the new one breaks."""
    before, after = case.before, case.after
    if case.same_task and after.response == before.response:
        return []
    found = stated(case.instruction)
    if not found:
        return []
    was = (
        {}
        if case.same_task
        else {kind.id: match.group().lower() for kind, match in stated(TextFacts(before.instruction))}
    )
    broken = []
    for kind, match in found:
        if kind.met(after.response, match) is not False:
            continue
        is_old = case.same_task or was.get(kind.id) == match.group().lower()
        if not is_old or kind.met(before.response, match) is not False:
            broken.append(kind.id)
    return broken


def _broken(case: Case) -> bool:
    return bool(broken_constraints(case))


constraint_broken = Check(
    "constraint_broken", "a constraint that the instruction states, kept before and broken by the revision", _broken
)
