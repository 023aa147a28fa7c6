"""Another shape for the same rows: messages, prompt and completion, Alpaca columns, or chosen = revised / rejected =
original.

Other columns travel along; the columns that hfclean added are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfclean.errors import RestoreError, SchemaError
from hfclean.provenance import HISTORY, added_columns, parse_history
from hfclean.restoration import original_cells
from hfclean.schema import ChatView, Columns, Pair, Target, View, detect, messages_of, plain
from hfclean.schema.views import ROLE_KEYS, ROLES, TEXT_KEYS, key_of

__all__ = ["FORMS", "convert", "preference_pairs"]

FORMS = ("messages", "prompt_completion", "alpaca", "preference")
ROW_ID = "hfclean_pair_row_id"


def convert(ds: Any, to: str, *, columns: Columns = None, prefix: str = "") -> Any:
    """The dataset in another shape.

    Args:
        ds: a `Dataset` or `DatasetDict` of any shape that hfclean reads.
        to: `messages` (role, content), `prompt_completion` (strings; lists of messages where a row has earlier turns
            or a system prompt), `alpaca` (instruction, input, output; system and history where some row has them), or
            `preference` (prompt, chosen = the revised response, rejected = the original one; only rows whose response
            a reviser changed).
        columns, prefix: as every transform takes them.

    Raises:
        SchemaError: an unknown form, or rows that it cannot hold.
        RestoreError: `preference` of a dataset that hfclean did not revise.
    """
    if to not in FORMS:
        raise SchemaError(f"convert(to={to!r}): wanted one of {', '.join(FORMS)}")
    if isinstance(ds, Mapping):
        parts = {name: convert(part, to, columns=columns, prefix=prefix) for name, part in ds.items()}
        return type(ds)(parts)  # type: ignore[call-arg]
    ds = ds.with_format(None)
    view = detect(tuple(ds.column_names), columns)
    history = prefix + HISTORY
    lines = ds.unique(history) if history in ds.column_names else []
    ours = {name for line in lines for name in added_columns(parse_history(line) or (), prefix)}
    if to == "preference":
        if prefix + "original" not in ours:
            raise RestoreError(
                "preference pairs are made of revised and original responses, and hfclean did not revise this "
                "dataset; "
                "revise it first: ds.map(hfclean.revise)"
            )
        ds = ds.select([k for k, original in enumerate(ds[prefix + "original"]) if original])
    targets = [view.targets(row)[-1] for row in ds.select_columns(list(view.columns))]
    maker = _MAKERS[to]
    made = _Made(view, prefix, rich=any(target.pair.history or target.pair.system for target in targets))
    rows, kept = [], []
    for k, (row, target) in enumerate(zip(ds, targets, strict=True)):
        new = maker(made, row, target)
        if new is not None:
            rows.append(new)
            kept.append(k)
    if to == "preference" and not rows:
        raise RestoreError("no row's response was revised, so there are no pairs of chosen and rejected to write")
    taken = {*ours, *view.columns, *(rows[0] if rows else ())}
    others = [name for name in ds.column_names if name not in taken]
    if isinstance(view, ChatView) and to == "messages" and view.messages == "messages":
        return ds.remove_columns([name for name in ds.column_names if name in ours])
    return _join(ds.select(kept).select_columns(others), rows)


def preference_pairs(
    ds: Any, *, conversational: bool = False, same_question: bool = False, columns: Columns = None, prefix: str = ""
) -> Any:
    """Preference pairs for trl's `DPOTrainer`: the revised response is chosen, the original one rejected.

    Rows whose response no reviser changed are left out. Where the question was revised as well, both answers stand
    below the revised one.

    Args:
        ds: a `Dataset` or `DatasetDict` that revisers went over.
        conversational: `prompt`, `chosen` and `rejected` as lists of messages, for models with a chat template; by
            default texts, unless a row has a system prompt or earlier turns.
        same_question: only rows whose question did not change.
        columns, prefix: as the revisers were given them.

    Returns:
        a dataset with the columns `prompt`, `chosen`, `rejected` alone, and `row_id`.

    Raises:
        RestoreError: hfclean did not revise this dataset, or revised no response.
        SchemaError: rows of no known shape.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> row = {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}
    >>> ds = Dataset.from_list([{**row, **hfclean.revise(row)}])
    >>> pair = preference_pairs(ds)[0]
    >>> pair["prompt"], pair["chosen"], pair["rejected"]
    ('Name a fruit.', 'An apple.', 'An apple.</s>')
    """
    if isinstance(ds, Mapping):
        how: dict[str, Any] = {"conversational": conversational, "same_question": same_question}
        parts = {name: preference_pairs(part, **how, columns=columns, prefix=prefix) for name, part in ds.items()}
        return type(ds)(parts)  # type: ignore[call-arg]
    if same_question and prefix + "original" in ds.column_names:
        view = detect(tuple(ds.column_names), columns)
        plain_ds = ds.with_format(None)
        ds = plain_ds.select([k for k, row in enumerate(plain_ds) if _same_question(row, view, prefix)])
        if not len(ds):
            raise RestoreError("every revision changed its question, so no two answers stand below the same one")
    wanted = ["prompt", "chosen", "rejected"]
    if prefix + "row_id" in ds.column_names:
        ds = ds.add_column(ROW_ID, list(ds.with_format(None)[prefix + "row_id"]))  # not one of ours: it goes along
        wanted.append(ROW_ID)
    made = convert(ds, "preference", columns=columns, prefix=prefix).select_columns(wanted)
    if ROW_ID in wanted:
        made = made.rename_column(ROW_ID, "row_id")
    if conversational and isinstance(made[0]["prompt"], str):
        made = made.map(_as_messages, desc="as messages")
    return made


def _same_question(row: Mapping[str, Any], view: View, prefix: str) -> bool:
    now, then = (view.pairs(cells)[-1] for cells in (row, original_cells(row, prefix)))
    return (now.instruction, now.input) == (then.instruction, then.input)


def _as_messages(row: Mapping[str, Any]) -> dict[str, Any]:
    said = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return {name: [{"role": role, "content": row[name]}] for name, role in said.items()}


@dataclass(frozen=True)
class _Made:
    """What every row of a conversion shares."""

    view: View
    prefix: str
    rich: bool


def _join(others: Any, rows: list[dict[str, Any]]) -> Any:
    from datasets import Dataset, concatenate_datasets

    made = Dataset.from_list(rows)
    return concatenate_datasets([made, others], axis=1) if others.column_names and rows else made


def _conversation(target: Target) -> list[dict[str, Any]]:
    """System, earlier turns and the question, as messages in their order."""
    pair = target.pair
    if target.turns:
        return [_openai({"role": turn.role, "content": turn.text}) for turn in target.turns]
    found: list[dict[str, Any]] = [{"role": "system", "content": pair.system}] if pair.system else []
    found += [{"role": turn.role, "content": turn.text} for turn in pair.history]
    return [*found, {"role": "user", "content": _joined(pair)}]


def _joined(pair: Pair) -> str:
    return f"{pair.instruction}\n\n{pair.input}" if pair.input else pair.instruction


def _messages(made: _Made, row: Mapping[str, Any], target: Target) -> dict[str, Any]:
    if isinstance(made.view, ChatView):
        return {"messages": [_openai(message) for message in messages_of(plain(row[made.view.messages])) or []]}
    return {"messages": [*_conversation(target), {"role": "assistant", "content": target.pair.response}]}


def _openai(message: Mapping[str, Any]) -> dict[str, Any]:
    """A ShareGPT message as role and content; a call becomes `tool_calls`, with its arguments as a JSON string."""
    said = str(message.get(key_of(message, ROLE_KEYS)))
    role = ROLES.get(said.lower(), said)
    text = message.get(key_of(message, TEXT_KEYS))
    call = None
    if role == "tool_call":
        role = "assistant"
        call = _call(text)
    return {"role": role, "content": None, "tool_calls": [call]} if call else {"role": role, "content": text}


def _call(text: Any) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except (TypeError, ValueError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        return None
    arguments = data.get("arguments", {})
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"type": "function", "function": {"name": data["name"], "arguments": arguments}}


def _prompt_completion(made: _Made, row: Mapping[str, Any], target: Target) -> dict[str, Any]:
    pair = target.pair
    if made.rich:
        return {"prompt": _conversation(target), "completion": [{"role": "assistant", "content": pair.response}]}
    return {"prompt": _joined(pair), "completion": pair.response}


def _alpaca(made: _Made, row: Mapping[str, Any], target: Target) -> dict[str, Any]:
    pair = target.pair
    new: dict[str, Any] = {"instruction": pair.instruction, "input": pair.input, "output": pair.response}
    if not made.rich:
        return new
    turns = pair.history
    if any(turn.role != ("user", "assistant")[k % 2] for k, turn in enumerate(turns)) or len(turns) % 2:
        raise SchemaError(
            f"a row has the earlier turns {[turn.role for turn in turns]}, which Alpaca's history of [question, "
            "answer] "
            "cannot hold; convert to messages instead"
        )
    exchanges = [[turns[k].text, turns[k + 1].text] for k in range(0, len(turns), 2)]
    return {**new, "system": pair.system, "history": exchanges}


def _preference(made: _Made, row: Mapping[str, Any], target: Target) -> dict[str, Any] | None:
    pair = target.pair
    old = made.view.pairs(original_cells(row, made.prefix), turns="last")[-1]
    if old.response == pair.response:
        return None  # only the instruction or the input changed: both answers are the same
    if made.rich:
        chosen, rejected = ([{"role": "assistant", "content": text}] for text in (pair.response, old.response))
        return {"prompt": _conversation(target), "chosen": chosen, "rejected": rejected}
    return {"prompt": _joined(pair), "chosen": pair.response, "rejected": old.response}


_MAKERS = {
    "messages": _messages,
    "prompt_completion": _prompt_completion,
    "alpaca": _alpaca,
    "preference": _preference,
}
