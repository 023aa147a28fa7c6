"""The gate that every model's revision passes before it reaches a column: checks of a pair before and after.

    reasons = hfclean.accept(before, after)        # [] = accepted, else the ids of the checks that refuse it

A revision is taken or refused whole: never an old instruction with a new answer.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal

from hfclean.checks import (
    addresses,
    answers,
    caution,
    claims,
    closed_answers,
    code,
    constraints,
    ending,
    language,
    lengths,
    loops,
    meta_commentary,
    numbers,
    preference_gate,
    prompt_leaks,
    question,
    structure,
    tested,
    topic,
    topic_drift,
    verified,
)
from hfclean.checks.check import Case, Check, check
from hfclean.checks.preference_gate import PREFERENCE_MARGIN
from hfclean.errors import CheckError, describe_error, of_row, stop_at
from hfclean.layout import Layout
from hfclean.schema import Pair, Turn
from hfclean.verifiers.row_tests import RunsTests

__all__ = [
    "CAUTIOUS",
    "CHECKS",
    "PREFERENCE_MARGIN",
    "TRUSTS",
    "Case",
    "Check",
    "CheckError",
    "Trust",
    "accept",
    "check",
    "select_checks",
]

Trust = Literal["low", "normal", "high"]
TRUSTS: tuple[Trust, ...] = ("low", "normal", "high")
TURNS_CHANGED = "turns_changed"  # the reason if answers, tool calls or their results are not as many, or not the same
CHECK_ERROR = "check_error"  # the reason if a check raised: a revision that cannot be checked does not pass
CHECKS: tuple[Check, ...] = (
    answers.unfinished,
    answers.empty_response,
    answers.empty_instruction,
    answers.refusal,
    answers.echo,
    loops.repetition_loop,
    prompt_leaks.rubric_leak,
    meta_commentary.meta_talk,
    language.language_changed,
    code.code_dropped,
    code.code_unclosed,
    structure.thought_lost,
    structure.placeholder_lost,
    structure.tool_call_changed,
    structure.fence_language_changed,
    structure.table_lost,
    structure.patch_lost,
    question.question_fitted,
    closed_answers.label_flipped,
    closed_answers.boxed_changed,
    claims.claim_reversed,
    *verified.VERIFIED,
    tested.tests_failed,
    numbers.number_changed,
    addresses.url_changed,
    lengths.too_long,
    lengths.too_short,
    ending.truncated,
    constraints.constraint_broken,
    topic.instruction_swapped,
    topic.off_topic,
    topic_drift.drifts,
    preference_gate.preference_lower,
)
# checks that a model of little trust has to pass as well, unless its revision mends what a verifier finds wrong
CAUTIOUS: tuple[Check, ...] = (caution.question_touched, caution.facts_touched, caution.largely_rewritten)
# what does not stand against such a revision
WAIVED = frozenset((caution.facts_touched.id, caution.largely_rewritten.id))
# checks that weigh signs, or refuse what only might be wrong: a model of high trust is not asked
_WEIGHED = frozenset((
    "label_flipped", "boxed_changed", "claim_reversed", "number_changed", "too_long", "too_short", "truncated",
    "off_topic", "drifts", "preference_lower",
))  # fmt: skip


def accept(
    before: Pair | Mapping[str, Any],
    after: Pair | Mapping[str, Any],
    *,
    trust: Trust = "normal",
    skip: Iterable[str] = (),
    only: Iterable[str] | None = None,
    extra: Sequence[Check] = (),
    finish_reason: str | None = None,
    preference: Callable[[Pair], float] | None = None,
    preference_margin: float = PREFERENCE_MARGIN,
    prompt: str = "",
    tests: RunsTests | None = None,
    strict: bool = False,
    errors: dict[str, Exception] | None = None,
) -> list[str]:
    """Why a revision is refused: ids of the refusing checks, in their fixed order; empty when it is accepted.

    A check that raises never lets a revision pass: the last reason is then `check_error`.

    Args:
        before: the pair as it was, or a row of any shape that `hfclean.score` reads.
        after: the revised pair, or row. Of a conversation every answer is compared; `turns_changed` says that there
            are not as many as before.
        trust: how far the model is trusted. `"low"`, for small, local or untried ones: the question stays, bare
            answers, numbers and names stay, and so do most words, unless something is mended that
            `hfclean.verify` finds wrong. `"high"`: without the checks that weigh signs.
        skip: ids of checks not to run.
        only: ids of the checks to run, and no others.
        extra: your own checks, declared with `@check`; they run after the others.
        finish_reason: why the model stopped, as the server gave it; None if unknown.
        preference: pair -> how good it is, higher = better; without it `preference_lower` refuses nothing.
        preference_margin: how much lower `preference` may be after than before.
        prompt: the reviser's own prompt; a line of it in the text is a leak.
        tests: `scorers.RunTests(...)`, to run the tests that stand beside the row, on the answer before and after.
            Code that passed and does not any more is refused (`tests_failed`). If it did not pass before and does
            now, checks that only weigh signs (numbers, length, topic, preference) do not stand against it.
        strict: let a check that raises stop the run instead.
        errors: receives raised errors, by the id of the check; without it, they give a RuntimeWarning.

    Raises:
        CheckError: an id that does not name a check, or a trust that is none.
        SchemaError: a row of no known shape.
        ColumnError: rows without the column of `tests`.
        IsolationError: `tests` cannot be run apart from this system.
        StrictError: a check raised, and `strict` is set.

    >>> from hfclean.schema import Pair
    >>> before = Pair("Name three rivers.", "", "Elbe, Oder, Rhine")
    >>> accept(before, Pair("Name three rivers.", "", "Three rivers are the Elbe, the Oder and the Rhine."))
    []
    >>> accept(before, Pair("Name three rivers.", "", "I'm sorry, but I can't help with that."))
    ['refusal']
    """
    every = select_checks(only, skip, extra, trust=trust)
    old, new = _pairs_of(before), _pairs_of(after)
    if [_tools(pair) for pair in old] != [_tools(pair) for pair in new]:
        return [TURNS_CHANGED]
    results = tested.tested_cases(tests, before, old, new)
    cases = [
        Case(one, other, finish_reason, preference, preference_margin, prompt, results.get(place))
        for place, (one, other) in enumerate(zip(old, new, strict=True))
    ]
    reasons: list[str] = []
    raised: dict[str, Exception] = {}
    for each in every:
        try:
            for case in cases:
                if each.refuses(case):
                    reasons.append(each.id)
                    break
        except Exception as e:  # noqa: BLE001  # whatever it is, it is kept and shown
            raised[each.id] = of_row(e)
    if results and all(case.unchanged or tested.proves(case) for case in cases):
        reasons = [each for each in reasons if each not in tested.OUTWEIGHED]
    if reasons and trust == "low" and WAIVED.issuperset(reasons) and all(map(verified.mends, cases)):
        reasons = []
    if not raised:
        return reasons
    if strict:
        stop_at(raised, "check", cases[0].before.instruction)
    if errors is None:
        listed = "; ".join(f"{name} raised {describe_error(error)}" for name, error in raised.items())
        warnings.warn(
            f"the revision is refused, since not every check could run: {listed}", RuntimeWarning, stacklevel=2
        )
    else:
        errors.update(raised)
    return [*reasons, CHECK_ERROR]


def _pairs_of(row: Pair | Mapping[str, Any]) -> list[Pair]:
    if isinstance(row, Pair):
        return [row]
    layout = Layout(turns="all", side="both")
    return layout.pairs(row, layout.view(row))


def _tools(pair: Pair) -> list[Turn]:
    """The turns before an answer that a revision has to leave alone."""
    return [turn for turn in pair.history if turn.role in ("tool", "tool_call")]


def select_checks(
    only: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    extra: Sequence[Check] = (),
    *,
    trust: Trust = "normal",
) -> tuple[Check, ...]:
    """The checks to run, in their fixed order; a third party's come last.

    Raises:
        CheckError: an id in `only` or `skip` does not name a check, `extra` holds something that is not a check, or
            `trust` is none of `TRUSTS`.
    """
    for name, ids in (("only", only), ("skip", skip)):
        if isinstance(ids, str):
            raise CheckError(f"{name}={ids!r} is one string; expected a list of ids, as in {name}=[{ids!r}]")
    return _select(None if only is None else tuple(only), tuple(skip), tuple(extra), trust)


@lru_cache(maxsize=64)
def _select(
    only: tuple[str, ...] | None, skip: tuple[str, ...], extra: tuple[Check, ...], trust: Trust
) -> tuple[Check, ...]:
    if trust not in TRUSTS:
        raise CheckError(f"trust={trust!r}: expected one of {', '.join(map(repr, TRUSTS))}")
    for item in extra:
        if not isinstance(item, Check):
            raise CheckError(
                f"extra= holds {item!r}, which is not a check; declare it with "
                "@hfclean.checks.check('id', meaning='...')"
            )
    known = [check.id for check in (*CHECKS, *CAUTIOUS, *extra)]
    for name in (*(only or ()), *skip):
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CheckError(f"unknown check {name!r}{hint or '.'} Known: {', '.join(known)}")
    twice = [name for name in known if known.count(name) > 1]
    if twice:
        raise CheckError(f"two checks have the id {twice[0]!r}; give yours another")
    left_out = _WEIGHED.union(skip) if trust == "high" else skip
    every = (*CHECKS, *(CAUTIOUS if trust == "low" or only is not None else ()))
    selected = [check for check in every if (only is None or check.id in only) and check.id not in left_out]
    return (*selected, *(check for check in extra if check.id not in left_out))
