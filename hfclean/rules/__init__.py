"""Defects that a program can see: each has an id, a severity, a detection and, where one is safe, a repair.

The order of `RULES` is the order in which repairs run: characters first, then markup, then layout, then words, then
what compares one field with another. A rule that looks at words sees them as they will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache

from hfclean.errors import RuleError
from hfclean.rules import (
    answer,
    assistant,
    characters,
    claims,
    code,
    html,
    language,
    markers,
    prompts,
    proven,
    repetition,
    roles,
    scrape,
)
from hfclean.rules import whitespace as layout
from hfclean.rules.glance import Glance, Watched, take_glance
from hfclean.rules.of_rows import ROW_RULES, row_defects, row_rules
from hfclean.rules.pii import find_pii, mask_pii
from hfclean.rules.rule import SEVERITIES, Change, Rule, all_defects, find_defects, mend, rule, text_rule

__all__ = [
    "ROW_RULES",
    "RULES",
    "SEVERITIES",
    "WATCHED",
    "Change",
    "Glance",
    "Rule",
    "all_defects",
    "find_defects",
    "find_pii",
    "mask_pii",
    "mend",
    "row_defects",
    "row_rules",
    "rule",
    "select_rules",
    "take_glance",
    "text_rule",
]

RULES: tuple[Rule, ...] = (
    characters.broken_unicode,
    characters.mojibake,
    characters.control_characters,
    characters.invisible_characters,
    markers.chat_markers,
    prompts.next_task,
    scrape.scrape_remnants,
    html.html_remnants,
    layout.whitespace,
    repetition.doubled_word,
    repetition.repeated_text,
    code.unclosed_fence,
    answer.placeholder_input,
    prompts.repeated_input,
    answer.instruction_echo,
    assistant.ai_boilerplate,
    # From here on nothing is repaired: what these find is for people, models and filters.
    answer.empty_output,
    roles.unknown_role,
    answer.truncated_output,
    prompts.missing_input,
    prompts.leftover_fill_in,
    assistant.refusal,
    assistant.identity_leak,
    assistant.stale_cutoff,
    claims.imagined_media,
    claims.imagined_access,
    code.unclosed_bracket,
    language.language_mismatch,
    *proven.PROVEN,
)
# the words and marks that they look up in a `Glance`
WATCHED = Watched.by([rule.possible for rule in RULES])


def select_rules(
    only: Iterable[str] | None = None, skip: Iterable[str] = (), extra: Sequence[Rule] = ()
) -> tuple[Rule, ...]:
    """The rules to run, in their fixed order; a third party's come last.

    Raises:
        RuleError: an id in `only` or `skip` does not name a rule, or `extra` holds something that is not a rule.
    """
    return _select(None if only is None else tuple(only), tuple(skip), tuple(extra))


@lru_cache(maxsize=64)
def _select(only: tuple[str, ...] | None, skip: tuple[str, ...], extra: tuple[Rule, ...]) -> tuple[Rule, ...]:
    for item in extra:
        if not isinstance(item, Rule):
            raise RuleError(f"extra= holds {item!r}, which is not a rule; declare it with @hfclean.rule('id', ...)")
    every = (*RULES, *extra)
    known = [rule.id for rule in every]
    for name in (*(only or ()), *skip):
        if name not in known:
            near = get_close_matches(name, known, 1)
            if not near:
                raise RuleError(f"unknown rule {name!r}; there are {len(known)}, which hfclean rules lists")
            raise RuleError(f"unknown rule {name!r}; did you mean {near[0]!r}? Known: {', '.join(known)}")
    twice = [name for name in known if known.count(name) > 1]
    if twice:
        raise RuleError(f"two rules have the id {twice[0]!r}; give yours another")
    return tuple(rule for rule in every if (only is None or rule.id in only) and rule.id not in skip)
