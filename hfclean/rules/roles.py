"""Unreadable conversations: their roles or keys are unknown."""

from __future__ import annotations

from hfclean.rules.glance import Glance, Possible
from hfclean.rules.rule import Rule
from hfclean.schema import Pair, unknown_roles


def _is_unknown(pair: Pair) -> bool:
    return not pair.response and bool(pair.history) and bool(unknown_roles(pair))


def _may_be_unknown(pair: Pair, glance: Glance) -> bool:
    return not pair.response


unknown_role = Rule(
    "unknown_roles",
    severity="high",
    meaning="a conversation without an answer, in which someone speaks whose role or keys are unknown",
    detect=_is_unknown,
    possible=Possible(_may_be_unknown),
    example=('[{"from": "instruction", "value": "Name a fruit."}, {"from": "output", "value": "Apple."}]', ""),
)
