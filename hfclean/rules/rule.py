"""What a rule is, how one is declared, and how a list of them repairs a pair.

A rule sees a pair and says whether its defect is present; where a safe repair exists, it also gives the repaired pair.
It never sees the dataset, a model or the network, and it never raises because of what a text contains.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from hfclean.errors import RuleError, of_row
from hfclean.rules.glance import Glance, Possible, not_plain
from hfclean.rules.guard import allowed
from hfclean.rules.needed_words import found_in, may_match
from hfclean.schema import Pair

_Severity = Literal["low", "medium", "high"]
SEVERITIES: tuple[_Severity, ...] = ("low", "medium", "high")
FIELDS = ("instruction", "input", "response")
MAX_PASSES = 4
TASK_HEAD, TASK_TAIL = 1500, 500


@dataclass(frozen=True)
class Rule:
    """A defect that a program can see.

    Attributes:
        id: snake_case name, as it stands in `edit_reason` and `defects`.
        severity: `low` (cosmetic), `medium` (a model would learn a bad habit), `high` (the row teaches something
            wrong).
        meaning: one line for people.
        detect: pair -> whether the defect is present.
        repair: pair -> the repaired pair, or `None` when no safe repair exists. A repair that cannot fix a case
            returns the pair as it was; the defect then stays reported.
        example: (before, after) texts that show the rule; after is `""` where nothing is repaired.
        scope: `text` when the rule looks at one field at a time and needs no context, `pair` when it compares fields,
            `row` when it looks at a whole row (`hfclean.schema.Whole`), which is what `detect` then takes.
        version: raised when what the rule finds or repairs changes.
        possible: for speed alone, a condition that holds for every pair with the defect and can be read from a
            `Glance`.
    """

    id: str
    severity: _Severity
    meaning: str
    detect: Callable[[Any], bool]
    repair: Callable[[Pair], Pair] | None = None
    example: tuple[str, str] = ("", "")
    scope: Literal["text", "pair", "row"] = "pair"
    version: int = 1
    possible: Possible | None = None

    def __post_init__(self) -> None:
        if not self.id.isidentifier() or self.id != self.id.lower():
            raise RuleError(f"rule id {self.id!r}: expected a snake_case name, as ids are stored separated by spaces")
        if self.severity not in SEVERITIES:
            raise RuleError(
                f"rule {self.id!r} has severity {self.severity!r}; expected one of {', '.join(SEVERITIES)}"
            )

    def __call__(self, pair: Pair) -> bool:
        """Whether the defect is present, so that a declared rule is still the function it was."""
        return self.detect(pair)

    def with_repair(self, repair: Callable[[Pair], Pair]) -> Rule:
        """The same rule with a repair; usable as a decorator on the repairing function."""
        return replace(self, repair=repair)


class Change(NamedTuple):
    """What one rule did to a pair: only fields that differ between `before` and `after` changed."""

    rule: str
    before: Pair
    after: Pair


def rule(
    id: str, *, severity: _Severity, meaning: str, example: tuple[str, str] = ("", ""), version: int = 1
) -> Callable[[Callable[[Pair], bool]], Rule]:
    """Declare a rule from a function `pair -> bool`.

    >>> import hfclean
    >>> @hfclean.rule("shouting", severity="low", meaning="the answer is all capitals")
    ... def shouting(pair):
    ...     return pair.response.isupper()
    >>> @shouting.with_repair
    ... def shouting(pair):
    ...     return pair.replace(response=pair.response.capitalize())
    >>> row = {"instruction": "Greet me", "input": "", "output": "HELLO THERE"}
    >>> hfclean.RuleReviser(extra=(shouting,))(row)["output"]
    'Hello there'
    """

    def declare(detect: Callable[[Pair], bool]) -> Rule:
        return Rule(id, severity, meaning, detect, example=example, version=version)

    return declare


def text_rule(
    id: str,
    *,
    severity: _Severity,
    meaning: str,
    detect: Callable[[str], bool],
    repair: Callable[[str], str] | None = None,
    example: tuple[str, str] = ("", ""),
    fields: Sequence[str] = FIELDS,
    unless: re.Pattern[str] | None = None,
    version: int = 1,
    possible: Possible | None = None,
) -> Rule:
    """A rule that looks at each of `fields` by itself.

    `unless` matches instructions that are about the very thing ("remove the extra spaces"), whose row then shows it on
    purpose: the rule leaves such a row alone.
    """

    whole = tuple(fields) == FIELDS

    def detect_pair(pair: Pair) -> bool:
        if whole:  # the same without names that have to be looked up
            found = (
                (pair.response and detect(pair.response))
                or (pair.instruction and detect(pair.instruction))
                or (pair.input and detect(pair.input))
            )
            return bool(found) and (unless is None or not asked_about(unless, pair.instruction))
        for name in fields:
            text = getattr(pair, name)
            if text and detect(text):
                return unless is None or not asked_about(unless, pair.instruction)
        return False

    def repair_pair(pair: Pair) -> Pair:
        assert repair is not None
        changed = {}
        if unless is not None and asked_about(unless, pair.instruction):
            return pair
        for name in fields:
            text = getattr(pair, name)
            if text and detect(text):
                repaired = settled(repair, text)
                if repaired != text:
                    changed[name] = repaired
        return pair.replace(**changed) if changed else pair

    repair_of_pair = repair_pair if repair else None
    return Rule(id, severity, meaning, detect_pair, repair_of_pair, example, "text", version, possible)


def settled(repair: Callable[[str], str], text: str) -> str:
    """The text repaired until nothing changes: a removed part may have kept a URL or a fence from its neighbours."""
    for _ in range(MAX_PASSES):
        before, text = text, repair(text)
        if text == before:
            break
    return text


def asked_about(subject: re.Pattern[str], instruction: str) -> bool:
    """Whether the instruction names the subject where a task is stated: at its beginning or end, not in matter."""
    if len(instruction) <= TASK_HEAD + TASK_TAIL:
        return found_in(subject, instruction)
    return may_match(subject, f"{instruction[:TASK_HEAD]}\n{instruction[-TASK_TAIL:]}") and bool(
        subject.search(instruction, 0, TASK_HEAD) or subject.search(instruction, len(instruction) - TASK_TAIL)
    )


def find_defects(pair: Pair, rules: Sequence[Rule]) -> list[str]:
    """The ids of the rules whose defect is in the pair, in the order of the rules."""
    return [rule.id for rule in rules if rule.detect(pair)]


def glanced_defects(
    pair: Pair, rules: Sequence[Rule], glance: Glance | None, errors: dict[str, Exception] | None = None
) -> list[str]:
    """The result of `find_defects`, faster where there is a glance; see `all_defects`."""
    found = []
    for rule in rules:
        possible = rule.possible
        if glance is not None and possible is not None and not possible.holds(pair, glance):
            continue
        if rule.detect(pair) if errors is None else _detected(rule, pair, errors):
            found.append(rule.id)
    return found


def all_defects(
    pairs: Sequence[Pair],
    rules: Sequence[Rule],
    glances: Sequence[Glance | None],
    errors: Sequence[dict[str, Exception]] | None = None,
) -> list[list[str]]:
    """The result of `find_defects` for each pair, faster: rule by rule, and a rule that a glance rules out is not run.

    With `errors`, one mapping a pair, a rule that raises on a pair is noted there and counts as not found in it.
    """
    found: list[list[str]] = [[] for _ in pairs]
    rows = list(zip(pairs, glances, found, strict=True))
    unseen = [(pair, ids) for pair, glance, ids in rows if glance is None]
    seen = [(pair, glance, ids) for pair, glance, ids in rows if glance is not None]
    for rule in rules:
        detect, possible = rule.detect, rule.possible
        try:
            hits = [ids for pair, ids in unseen if detect(pair)]
            if possible is None:
                hits += [ids for pair, _, ids in seen if detect(pair)]
            elif possible is not not_plain:
                holds = possible.holds
                hits += [ids for pair, glance, ids in seen if holds(pair, glance) and detect(pair)]
        except Exception as e:
            if errors is None:
                raise
            of_row(e)
            hits = [
                ids for pair, ids, raised in zip(pairs, found, errors, strict=True) if _detected(rule, pair, raised)
            ]
        for ids in hits:
            ids.append(rule.id)
    return found


def _detected(rule: Rule, pair: Pair, errors: dict[str, Exception]) -> bool:
    """Whether the defect is present; an error of the rule is noted, and counts as absent."""
    try:
        return bool(rule.detect(pair))
    except Exception as e:  # noqa: BLE001  # whatever it is, it is kept and shown
        errors[rule.id] = of_row(e)
        return False


def mend(
    pair: Pair,
    rules: Sequence[Rule],
    *,
    writable: Sequence[str] = FIELDS,
    errors: dict[str, Exception] | None = None,
    found: Collection[str] | None = None,
    look: Callable[[Pair], Collection[str] | None] | None = None,
) -> list[Change]:
    """The changes that the rules make, one entry per rule and pass, in order; empty when there are none.

    Rules run in the order given. Repairing one defect can expose another, so the list is run again until each rule has
    seen the pair as it is and changed nothing; that makes repairs idempotent. A change that touches a field which is
    not `writable` is not made.

    Args:
        pair: the pair to repair.
        rules: the rules to run.
        writable: the fields that may change.
        errors: receives the errors of rules, by their ids. Such a rule is not run again on this pair, and the others
            go on; without it, the error is raised.
        found: for speed alone, the ids of the rules whose defect is known to be in the pair, when all were tried.
        look: for speed alone, a function that finds them in a changed pair, or gives None where it does not know.
    """
    if found is not None and not found:
        return []
    first = _first_hit(pair, rules, errors, found)
    if first < 0:
        return []
    changes: list[Change] = []
    known = True  # whether the rule at hand is known to be detected
    looked = first  # rules that have seen the pair as it is and changed nothing
    for rule in (MAX_PASSES * tuple(rules))[first:]:
        if looked == len(rules):
            break
        looked += 1
        if rule.repair is None or (errors and rule.id in errors) or (found is not None and rule.id not in found):
            continue
        try:
            if not known and found is None and not rule.detect(pair):
                continue
            known = False
            after = rule.repair(pair)
            if not isinstance(after, Pair):
                raise TypeError(f"the repair returned {type(after).__name__}, expected a Pair")
            if after is not pair:
                after = allowed(pair, after)
        except Exception as e:
            if errors is None:
                raise
            errors[rule.id] = of_row(e)
            continue
        if after is pair or after == pair:
            continue
        locked = {name: getattr(pair, name) for name in FIELDS if name not in writable}
        if any(getattr(after, name) != text for name, text in locked.items()):
            after = after.replace(**locked)
            if after == pair:
                continue
        changes.append(Change(rule.id, pair, after))
        pair, looked, found = after, 0, None if look is None else look(after)
    return changes


def _first_hit(
    pair: Pair, rules: Sequence[Rule], errors: dict[str, Exception] | None, found: Collection[str] | None
) -> int:
    """The place of the first rule with a repair whose defect is in the pair, or -1: most pairs end here."""
    if not errors and found is None:
        try:
            for place, rule in enumerate(rules):
                if rule.repair is not None and rule.detect(pair):
                    return place
            return -1
        except Exception:
            if errors is None:
                raise
            # which rule it was, and what the others find, is seen rule by rule
    for place, rule in enumerate(rules):
        if rule.repair is None or (errors and rule.id in errors):
            continue
        if found is not None:
            if rule.id in found:
                return place
            continue
        try:
            if rule.detect(pair):
                return place
        except Exception as e:
            if errors is None:
                raise
            errors[rule.id] = of_row(e)
    return -1
