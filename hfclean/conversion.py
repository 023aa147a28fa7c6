"""Another shape for the same rows: messages, prompt and completion, Alpaca columns, or chosen = revised / rejected =
original.

Other columns travel along, and so do the other keys of messages where the shape has messages. What a shape cannot hold
is counted by name. The columns that hfclean added are left out.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hfclean.errors import RestoreError, SchemaError
from hfclean.provenance import HISTORY, added_columns, parse_history
from hfclean.restoration import original_cells
from hfclean.schema import (
    ChatView,
    Columns,
    Pair,
    PreferenceView,
    PromptView,
    Target,
    View,
    detect,
    messages_of,
    plain,
)
from hfclean.schema.views import ROLE_KEYS, ROLES, TEXT_KEYS, TEXT_PARTS, key_of
from hfclean.selection.context import undecoded
from hfclean.transform import elsewhere

__all__ = ["FORMS", "Losses", "convert", "preference_pairs"]

FORMS = ("messages", "prompt_completion", "alpaca", "preference")
ROW_ID = "hfclean_pair_row_id"


class Losses(Counter[str]):
    """What a conversion left out or respelled: how many rows by name. Hand one to `convert` to know."""

    def notes(self) -> list[str]:
        """Each in plain words."""
        return [f"{name}: {count:,} {'row' if count == 1 else 'rows'}" for name, count in sorted(self.items())]


def convert(ds: Any, to: str, *, columns: Columns = None, prefix: str = "", losses: Losses | None = None) -> Any:
    """The dataset in another shape.

    Args:
        ds: a `Dataset` or `DatasetDict` of any shape that hfclean reads.
        to: `messages` (role, content), `prompt_completion` (strings; lists of messages where a row has earlier turns
            or a system prompt), `alpaca` (instruction, input, output; system and history where some row has them), or
            `preference` (prompt, chosen = the revised response, rejected = the original one; only rows whose response
            a reviser changed).
        columns, prefix: as every transform takes them.
        losses: takes down what the form cannot hold, by name and number of rows: keys of messages where the form has
            plain strings, pictures and other typed parts, calls kept as text, columns that give way to new ones. A
            warning says the same where none is handed over.

    Raises:
        SchemaError: an unknown form, or rows that it cannot hold.
        RestoreError: `preference` of a dataset that hfclean did not revise.
    """
    if to not in FORMS:
        raise SchemaError(f"convert(to={to!r}): wanted one of {', '.join(FORMS)}")
    if isinstance(ds, Mapping):
        lost = Losses() if losses is None else losses
        how: dict[str, Any] = {"columns": columns, "prefix": prefix, "losses": lost}
        parts = {name: convert(part, to, **how) for name, part in ds.items()}
        if losses is None:
            _warn(lost)
        return type(ds)(parts)  # type: ignore[call-arg]
    lost = Losses()
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
    plain_ds, ds = ds, undecoded(ds)
    targets = [view.targets(row)[-1] for row in ds.select_columns(list(view.columns))]
    maker = _MAKERS[to]
    rich = any(target.pair.history or target.pair.system for target in targets)
    if to in ("prompt_completion", "preference") and not rich:
        rich = any(_has_more(_cells_of(row, view)) for row in ds.select_columns(list(view.columns)))
    made = _Made(view, prefix, rich=rich, lost=lost)
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
    for name in ds.column_names:
        if name not in ours and name not in view.columns and rows and name in rows[0]:
            lost[f"column {name!r} gave way to the new one of that name"] += len(rows)
    if losses is None:
        _warn(lost)
    else:
        losses.update(lost)
    if isinstance(view, ChatView) and to == "messages" and view.messages == "messages" and not _sharegpt(ds):
        return plain_ds.remove_columns([name for name in ds.column_names if name in ours])
    return _join(plain_ds.select(kept).select_columns(others), rows)


def _sharegpt(ds: Any) -> bool:
    """Whether the column messages is spelled from and value."""
    first = ds.select_columns(["messages"])[0]["messages"] if len(ds) else None
    return isinstance(first, list) and any(isinstance(message, Mapping) and "from" in message for message in first)


def _warn(lost: Losses) -> None:
    if lost:
        warnings.warn("convert left out or respelled " + "; ".join(lost.notes()), UserWarning, stacklevel=3)


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
        made = made.map(_as_messages, desc="as messages", **elsewhere(made))
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
    lost: Losses = field(default_factory=Losses, hash=False, compare=False)


def _join(others: Any, rows: list[dict[str, Any]]) -> Any:
    from datasets import Dataset, concatenate_datasets

    made = Dataset.from_list(rows)
    return concatenate_datasets([made, others], axis=1) if others.column_names and rows else made


def _cells_of(row: Mapping[str, Any], view: View) -> list[dict[str, Any]]:
    """The messages of a row as they stand, in their order: those of its prompt, then those of its answer."""
    names: Sequence[str | None] = ()
    if isinstance(view, ChatView):
        names = (view.messages,)
    elif isinstance(view, PromptView):
        names = (view.prompt, view.completion)
    elif isinstance(view, PreferenceView):
        names = (view.prompt, view.chosen)
    found: list[dict[str, Any]] = []
    for name in names:
        cell = plain(messages_of(row[name])) if name else None
        if isinstance(cell, dict):
            values = list(cell.values())
            if values and all(
                isinstance(value, list) for value in values
            ):  # how datasets shows Sequence({...}) features
                cell = [dict(zip(cell, each, strict=True)) for each in zip(*values, strict=True)]
            else:
                cell = [cell]
        if isinstance(cell, list):
            found += [dict(message) for message in cell if isinstance(message, Mapping)]
    return found


def _has_more(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether messages hold more than a role and a text."""
    return any(True for message in messages for _ in _more(message))


def _more(message: Mapping[str, Any]) -> Iterator[str]:
    """What a message holds beside role and text, by name."""
    named = (key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS))
    for key, value in message.items():
        if key not in named and value is not None:
            yield f"key {key!r} of messages"
    content = message.get(named[1])
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and part.get("type", "text") not in TEXT_PARTS:
            yield f"parts of type {part.get('type')!r}"


def _conversation(made: _Made, row: Mapping[str, Any], target: Target) -> list[dict[str, Any]]:
    """System, earlier turns and the question, as messages in their order, with all that they hold."""
    messages, answer = _split(made, row, target)
    if answer is not None:
        return [_openai(message, made.lost) for message in messages]
    pair = target.pair
    if target.turns:
        return [_openai({"role": turn.role, "content": turn.text}, made.lost) for turn in target.turns]
    found: list[dict[str, Any]] = [{"role": "system", "content": pair.system}] if pair.system else []
    found += [{"role": turn.role, "content": turn.text} for turn in pair.history]
    return [*found, {"role": "user", "content": _joined(pair)}]


def _split(made: _Made, row: Mapping[str, Any], target: Target) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The messages before the answer, and the message that is the answer; None where the row has no messages.

    What comes after the answer is no part of a question and its answer, and is counted.
    """
    messages = _cells_of(row, made.view)
    if isinstance(made.view, ChatView) and made.view.system and row[made.view.system]:
        messages = [{"role": "system", "content": row[made.view.system]}, *messages]
    place = len(target.turns)
    if not target.turns or place >= len(messages):
        return messages, None
    if messages[place + 1 :]:
        made.lost["messages after the answer"] += 1
    return messages[:place], messages[place]


def _answer(made: _Made, row: Mapping[str, Any], target: Target, text: str) -> dict[str, Any]:
    """The answer as a message: the row's own where it stands there, `text` in place of its text where that differs."""
    _, message = _split(made, row, target)
    if message is None:
        return {"role": "assistant", "content": text}
    new = _openai(message, None)
    if text != target.pair.response:
        new["content"] = text
    return new


def _joined(pair: Pair) -> str:
    return f"{pair.instruction}\n\n{pair.input}" if pair.input else pair.instruction


def _messages(made: _Made, row: Mapping[str, Any], target: Target) -> dict[str, Any]:
    view = made.view
    if not isinstance(view, ChatView):
        answer = _answer(made, row, target, target.pair.response)
        return {"messages": [*_conversation(made, row, target), answer]}
    messages = [_openai(message, made.lost) for message in _cells_of(row, view)]
    if view.system and row[view.system]:
        messages.insert(0, {"role": "system", "content": row[view.system]})
    return {"messages": messages}


def _openai(message: Mapping[str, Any], lost: Losses | None) -> dict[str, Any]:
    """A ShareGPT message as role and content, with its other keys; a call becomes `tool_calls`, with its arguments as
    a JSON string. A call that does not parse stays the text of the assistant, and is counted."""
    role_key, text_key = key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS)
    said = str(message.get(role_key))
    role = ROLES.get(said.strip().lower(), said)
    text = message.get(text_key)
    rest = {key: value for key, value in message.items() if key not in (role_key, text_key) and value is not None}
    if role == "tool_call":
        role = "assistant"
        calls = None if "tool_calls" in rest else _calls(text)
        if calls:
            text, rest["tool_calls"] = None, calls
        elif "tool_calls" not in rest and lost is not None:
            lost["tool calls that do not parse, kept as text"] += 1
    return {"role": role, "content": text, **rest}


def _calls(text: Any) -> list[dict[str, Any]] | None:
    """The calls of a ShareGPT turn: one, or several in a list."""
    data = text
    if isinstance(text, str):
        try:
            data = json.loads(text)
        except ValueError:
            return None
    found = [_call(each) for each in (data if isinstance(data, list) else [data])]
    return [call for call in found if call] if found and all(found) else None


def _call(data: Any) -> dict[str, Any] | None:
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        return None
    arguments = data.get("arguments", data.get("parameters", {}))
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    named = {"id": data["id"]} if isinstance(data.get("id"), str) else {}
    return {**named, "type": "function", "function": {"name": data["name"], "arguments": arguments}}


def _count_lost(made: _Made, row: Mapping[str, Any]) -> None:
    """Takes down what plain strings cannot hold of a row's messages."""
    made.lost.update({name for message in _cells_of(row, made.view) for name in _more(message)})


def _prompt_completion(made: _Made, row: Mapping[str, Any], target: Target) -> dict[str, Any]:
    pair = target.pair
    if made.rich:
        return {
            "prompt": _conversation(made, row, target),
            "completion": [_answer(made, row, target, pair.response)],
        }
    return {"prompt": _joined(pair), "completion": pair.response}


def _alpaca(made: _Made, row: Mapping[str, Any], target: Target) -> dict[str, Any]:
    pair = target.pair
    new: dict[str, Any] = {"instruction": pair.instruction, "input": pair.input, "output": pair.response}
    _count_lost(made, row)
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
        chosen, rejected = ([_answer(made, row, target, text)] for text in (pair.response, old.response))
        return {"prompt": _conversation(made, row, target), "chosen": chosen, "rejected": rejected}
    return {"prompt": _joined(pair), "chosen": pair.response, "rejected": old.response}


_MAKERS = {
    "messages": _messages,
    "prompt_completion": _prompt_completion,
    "alpaca": _alpaca,
    "preference": _preference,
}
