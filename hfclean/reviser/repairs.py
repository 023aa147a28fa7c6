"""What a model is told of a revision of its own that was refused, so that it can repair it."""

from __future__ import annotations

from collections.abc import Sequence

from hfclean.checks import Check
from hfclean.checks.verified import VERIFIED, new_findings
from hfclean.models import Conversation, Message
from hfclean.reviser.proposals import Proposal, Task
from hfclean.verifiers import Finding

REPAIR_VERSION = 1  # of the words below; part of the key under which answers to them are kept
# what a model that is told of it can mend
REPAIRABLE = frozenset((
    "unfinished", "truncated", "too_long", "too_short", "repetition_loop", "constraint_broken", "thought_lost",
    "placeholder_lost", "fence_language_changed", "code_dropped", "code_unclosed", "table_lost", "patch_lost",
    *(check.id for check in VERIFIED),
))  # fmt: skip
# with these there is nothing of its revision that is worth mending
BEYOND = frozenset(("refusal", "echo", "empty_response", "off_topic", "instruction_swapped", "check_error"))
TYPICAL = ("unfinished", "table_lost", "number_changed")  # for an estimate: about as much as is told
MOST_TOLD = 20  # findings
HEAD = "A program compared your answer with the pair that you were given, and found this wrong with it:"
TAIL = "Answer once more, in the same form: mend what is named here, and keep the rest of your answer as it was."


def is_repairable(codes: Sequence[str]) -> bool:
    """Whether a model that is told why its revision was refused may well mend it."""
    return not REPAIRABLE.isdisjoint(codes) and BEYOND.isdisjoint(codes)


def repair_conversation(task: Task, proposal: Proposal, codes: Sequence[str], checks: Sequence[Check]) -> Conversation:
    """The conversation so far, and what was wrong with the model's answer, finding by finding, then code by code."""
    findings = new_findings(task.pair, proposal.pair) if proposal.pair is not None else []
    found = {finding.check for finding in findings}
    told = [_line(finding) for finding in findings[:MOST_TOLD]]
    meanings = {check.id: check.meaning for check in checks}
    told += [meanings.get(code, code) for code in codes if code not in found]
    return (*proposal.exchange, Message("user", "\n".join([HEAD, *(f"- {line}" for line in told), "", TAIL])))


def _line(finding: Finding) -> str:
    return f"in the {finding.field}, line {finding.line + 1}: {finding.sentence}"
