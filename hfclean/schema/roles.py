"""Conversations with unknown roles or keys: reported as such, and never taken for empty answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from hfclean.errors import SchemaError
from hfclean.schema.messages import KNOWN_ROLES, NOT_A, ROLE_KEYS, ROLES, TEXT_KEYS
from hfclean.schema.pair import Pair
from hfclean.schema.views import FlatView, View

SHOWN = 6


def unknown_roles(pair: Pair) -> list[str]:
    """The unknown roles of a conversation that seems to have no answer; none where it has one."""
    if pair.response or not pair.history:
        return []
    return list(dict.fromkeys(turn.role for turn in pair.history if turn.role not in KNOWN_ROLES))


def is_unreadable(pair: Pair) -> bool:
    """Whether the conversation of a row cannot be read."""
    return any(role.startswith(NOT_A) for role in unknown_roles(pair))


def nobody_answers(rows: Iterable[Mapping[str, Any]], view: View) -> SchemaError | None:
    """What to say of rows in which nobody has a role that is known; None as soon as one row has."""
    if isinstance(view, FlatView):
        return None
    found: dict[str, None] = {}
    for row in rows:
        roles = unknown_roles(view.pairs(row)[-1])
        if not roles:
            return None
        found.update(dict.fromkeys(roles))
    if not found:
        return None
    roles = list(found)[:SHOWN]
    if roles[0].startswith(NOT_A):
        column = view.columns[-1]
        said = (
            f"no row of the column {column!r} can be read as a conversation: it holds what is {roles[0]}. "
            "Expected are lists such as [{'role': ..., 'content': ...}, ...] or [{'from': ..., 'value': ...}, ...]. "
            "If it is plain text, say so:"
        )
        return SchemaError(f"{said} columns={{'instruction': '...', 'response': {column!r}}}").with_flags(
            f"{said} --columns instruction=...,response={column}"
        )
    keys = [role for role in roles if role.startswith("keys: ")]
    what = f"messages with the {keys[0]}" if keys else f"the roles {', '.join(map(repr, roles))}"
    names = {kind: [name for name, known in ROLES.items() if known == kind] for kind in ("user", "assistant")}
    return SchemaError(
        f"the column {view.columns[-1]!r} has {what}, which nobody knows, so no answer is found in any row. Known are "
        f"the keys {', '.join(ROLE_KEYS)} with {', '.join(TEXT_KEYS)}, and the roles {', '.join(names['user'])} (who "
        f"asks), {', '.join(names['assistant'])} (who answers), system, tool. Rename yours first"
    )


def refuse_unknown_roles(rows: Iterable[Mapping[str, Any]], view: View) -> None:
    """Make sure that at least one row has roles that are known; looks no further than that row.

    Raises:
        SchemaError: none has; the message says which roles were found.
    """
    if problem := nobody_answers(rows, view):
        raise problem
