"""The check for constraints that the instruction states: kept before, broken by the revision.

A constraint that the old answer already broke is not held against the revision. The kinds are data, in
`text/constraint_kinds`.
"""

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.text.constraint_kinds import stated


def broken_constraints(case: Case) -> list[str]:
    """The ids of the kinds of constraint that the instruction states, the old answer kept and the new one breaks."""
    before, after = case.before, case.after
    if case.same_task and after.response == before.response:
        return []
    found = stated(case.instruction.text, case.instruction.vocabulary)
    if not found:
        return []
    old = TextFacts(before.instruction)
    was = (
        {} if case.same_task else {kind.id: match.group().lower() for kind, match in stated(old.text, old.vocabulary)}
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
