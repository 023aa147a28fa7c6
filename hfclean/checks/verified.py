"""The verifiers as checks: a revision may hold nothing that a program proves wrong and that was not there before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hfclean.checks.check import Case, Check
from hfclean.schema import Pair
from hfclean.verifiers import VERIFIERS, Finding, Verifier, verify
from hfclean.verifiers.counts import item_twice, items_twice
from hfclean.verifiers.syntax import syntax_error


def _key(finding: Finding) -> tuple[str, str, str]:
    """Verifier, field, and what stands there."""
    return finding.check, finding.field, finding.found


@dataclass(frozen=True)
class _Worse:
    """Whether a verifier finds something in the new pair that it did not find in the old one; a class that pickles."""

    verifier: Verifier

    def __call__(self, case: Case) -> bool:
        if case.unchanged:
            return False
        after = list(self.verifier.find(case.after))
        return bool(after) and bool(Counter(map(_key, after)) - Counter(map(_key, self.verifier.find(case.before))))


class _ItemTwice(_Worse):
    """Also a step that comes again, where the old answer has it once."""

    def __call__(self, case: Case) -> bool:
        if case.unchanged:
            return False
        twice = list(items_twice(case.after, steps=True))
        return bool(twice) and (
            super().__call__(case) or any(case.before.response.count(finding.found) == 1 for finding in twice)
        )


VERIFIED = tuple(
    Check(
        verifier.id,
        f"{verifier.meaning}, which was not there before",
        (_ItemTwice if verifier is item_twice else _Worse)(verifier),
        verifier.version,
    )
    for verifier in VERIFIERS
)


def new_findings(before: Pair, after: Pair) -> list[Finding]:
    """What the verifiers find in the new pair and did not find in the old one."""
    known = Counter(map(_key, verify(before)))
    found = []
    for finding in verify(after):
        if known[_key(finding)] > 0:
            known[_key(finding)] -= 1
        else:
            found.append(finding)
    return found


def parses_as_marked(case: Case) -> bool:
    """Whether code that did not parse as the language of its fence stands unchanged, and parses as the new one."""
    before, after = (list(syntax_error.find(pair)) for pair in (case.before, case.after))
    return bool(before) and not after and all(fault.found in case.after.response for fault in before)


def mends(case: Case, *only: str) -> bool:
    """Whether a revision takes away something that a verifier (of those named, if any are) found wrong, and adds
    nothing of the kind.

    What was found must be gone from the text: words beside it that only keep a verifier silent mend nothing.
    """
    before, after = (Counter(map(_key, verify(pair, only or None))) for pair in (case.before, case.after))
    gone = before - after
    return (
        bool(gone)
        and not after - before
        and not any(wrong and wrong in _text(case.after, field) for _, field, wrong in gone)
    )


def _text(pair: Pair, field: str) -> str:
    """A field of a pair; its thought may stand in the response."""
    return f"{pair.thought}\n{pair.response}" if field == "thought" else str(getattr(pair, field))
