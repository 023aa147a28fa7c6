"""What a model is told of a revision of its own that was refused, so that it can repair it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hfclean.checks import CHECKS, Check
from hfclean.checks.verified import VERIFIED, new_findings
from hfclean.models import Answer, Asking, Conversation, Message, Work
from hfclean.reviser.proposals import Proposal
from hfclean.schema import Pair
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
ASKED_AGAIN = "asked_again"  # noted of a revision that was
HEAD = "A program compared your answer with the pair that you were given, and found this wrong with it:"
TAIL = "Answer once more, in the same form: mend what is named here, and keep the rest of your answer as it was."


def is_repairable(codes: Sequence[str]) -> bool:
    """Whether a model that is told why its revision was refused may well mend it."""
    return not REPAIRABLE.isdisjoint(codes) and BEYOND.isdisjoint(codes)


def repair_conversation(
    before: Pair, proposal: Proposal, codes: Sequence[str], checks: Sequence[Check]
) -> Conversation:
    """The conversation so far, and what was wrong with the model's answer, finding by finding, then code by code."""
    findings = new_findings(before, proposal.pair) if proposal.pair is not None else []
    found = {finding.check for finding in findings}
    told = [_line(finding) for finding in findings[:MOST_TOLD]]
    meanings = {check.id: check.meaning for check in checks}
    told += [meanings.get(code, code) for code in codes if code not in found]
    return (*proposal.exchange, Message("user", "\n".join([HEAD, *(f"- {line}" for line in told), "", TAIL])))


def may_follow(before: Pair, conversation: Conversation, guess: str, times: int) -> list[Conversation]:
    """The conversations with which a revision would be asked for once more, `times` times, for an estimate."""
    found: list[Conversation] = []
    for _ in range(times):
        exchange = (*conversation, Message("assistant", guess))
        conversation = repair_conversation(before, Proposal(exchange=exchange), TYPICAL, CHECKS)
        found.append(conversation)
    return found


def ask_again(
    proposals: Mapping[int, Sequence[Proposal]],
    times: int,
    *,
    tell: Callable[[int, Sequence[Proposal]], Conversation],
    asking: Callable[[list[Conversation]], Asking],
    read: Callable[[int, Conversation, Answer], Proposal],
) -> Work[dict[int, list[Proposal]]]:
    """What a model makes of its refused revisions when it is told what was wrong with them.

    Args:
        proposals: the proposals for each pair, by any number.
        times: how often each is asked for once more, the second time with what was wrong with its repair.
        tell: the conversation that asks for a pair once more; empty where none is to be had or needed.
        asking: the request of these conversations.
        read: the proposal that an answer makes.

    Returns:
        by number the further proposals, those that can be read or failed; no number where there is none.
    """
    found: dict[int, list[Proposal]] = {}
    last = dict(proposals)
    for _ in range(times):
        wanted = {k: tell(k, mine) for k, mine in last.items()}
        asked = {k: conversation for k, conversation in wanted.items() if conversation}
        if not asked:
            break
        answers = yield asking(list(asked.values()))
        last = {}
        for (k, conversation), answer in zip(asked.items(), answers, strict=True):
            repaired = read(k, conversation, answer)._replace(notes=(ASKED_AGAIN,))
            if repaired.pair is not None or repaired.error:
                found.setdefault(k, []).append(repaired)
                last[k] = [repaired]
    return found


def _line(finding: Finding) -> str:
    return f"in the {finding.field}, line {finding.line + 1}: {finding.sentence}"
