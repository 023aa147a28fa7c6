"""Another shape for the same rows: messages, prompt and completion, Alpaca columns, or chosen = revised / rejected =
original.

Other columns are kept, and so are the other keys of messages where the shape has messages. What a shape cannot hold
is counted by name. The columns that hfclean added are left out.
"""

import json
import warnings
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hfclean.errors import RestoreError, SchemaError
from hfclean.layout import Layout
from hfclean.mining.examples import prompt_of
from hfclean.passes import Spool, column_batches, filled, folder_of, iterate, stored_stream
from hfclean.provenance import HISTORY, added_columns, original_cells, parse_history
from hfclean.schema import ChatView, Columns, PreferenceView, PromptView, Target, View, plain
from hfclean.schema.messages import ROLE_KEYS, ROLES, TEXT_KEYS, TEXT_PARTS, key_of
from hfclean.schema.whole import dicts_of
from hfclean.selection.row_context import undecoded
from hfclean.transform import cached_elsewhere
from hfclean.values import exact_dataset

__all__ = ["FORMS", "Losses", "convert", "preference_pairs"]

FORMS = ("messages", "prompt_completion", "alpaca", "preference")
ROW_ID = "hfclean_pair_row_id"


class Losses(Counter[str]):
    """What a conversion left out or respelled: number of rows by name. Pass one to `convert` to find out."""

    def notes(self) -> list[str]:
        """Each in plain words."""
        return [f"{name}: {count:,} {'row' if count == 1 else 'rows'}" for name, count in sorted(self.items())]


def convert(ds: Any, to: str, *, columns: Columns = None, prefix: str = "", losses: Losses | None = None) -> Any:
    """The dataset in another shape.

    Args:
        ds: a `Dataset` or `DatasetDict` of any shape that hfclean reads. A streaming dataset is first read to its
            end, into the temporary folder of `datasets`.
        to: `messages` (role, content, and every other key that a message has), `prompt_completion` (strings; lists of
            messages where a row has earlier turns, a system prompt or other keys), `alpaca` (instruction, input,
            output; system and history where some row has them), or `preference` (prompt, chosen = the revised
            response, rejected = the original one; only rows whose response a reviser changed).
        columns, prefix: as every transform takes them.
        losses: records what the form cannot hold, by name and number of rows: keys of messages where the form has
            plain strings, pictures and other typed parts, calls kept as text, columns that give way to new ones. A
            warning says the same where none is passed.

    Raises:
        SchemaError: an unknown form, or rows that it cannot hold.
        RestoreError: `preference` of a dataset that hfclean did not revise.
    """
    if to not in FORMS:
        raise SchemaError(f"convert(to={to!r}): expected one of {', '.join(FORMS)}")
    layout, lost, ds = Layout(columns, prefix), Losses(), stored_stream(ds)
    if isinstance(ds, Mapping):
        converted = type(ds)({name: _converted(part, to, layout, lost) for name, part in ds.items()})  # type: ignore[call-arg]
    else:
        converted = _converted(ds, to, layout, lost)
    if losses is not None:
        losses.update(lost)
    elif lost:
        warnings.warn("convert left out or respelled " + "; ".join(lost.notes()), UserWarning, stacklevel=2)
    return converted


def _converted(ds: Any, to: str, layout: Layout, lost: Losses) -> Any:
    """One split in another shape."""
    from datasets import concatenate_datasets

    ds = cached_elsewhere(ds.with_format(None))
    view = layout.view(ds.column_names)
    history, original = layout.own(HISTORY), layout.own("original")
    lines = ds.unique(history) if history in ds.column_names else []
    ours = {name for line in lines for name in added_columns(parse_history(line) or (), layout.prefix)}
    if to == "preference":
        if original not in ours:
            raise RestoreError(
                "preference pairs are made of revised and original responses, and hfclean did not revise this "
                "dataset; revise it first: ds.map(hfclean.revise)"
            )
        ds = ds.select(filled(ds, original))
    plain_ds, ds = ds, undecoded(ds)
    if isinstance(view, ChatView) and to == "messages" and view.messages == "messages" and _is_spelled(ds):
        return plain_ds.remove_columns([name for name in ds.column_names if name in ours])
    rich = any(_is_rich(row, view, to) for rows in iterate(ds, view.columns) for row in rows)
    shared, kept = _Shared(view, layout, rich=rich), array("q")
    with Spool[dict[str, Any]](ds) as made:
        every = (row for rows in iterate(ds, ds.column_names) for row in rows)
        for k, row in enumerate(every):
            left_out: set[str] = set()
            new = _MAKERS[to](shared, row, view.targets(row)[-1], left_out)
            if new is not None:
                made.append(new)
                kept.append(k)
                lost.update(left_out)
        if to == "preference" and not kept:
            raise RestoreError("no row's response was revised, so there are no pairs of chosen and rejected to write")
        first: dict[str, Any] = next(iter(made), {})
        taken = {*ours, *view.columns, *first}
        others = [name for name in ds.column_names if name not in taken]
        for name in ds.column_names:
            if name not in ours and name not in view.columns and name in first:
                lost[f"column {name!r} gave way to the new one of that name"] += len(kept)
        converted = exact_dataset(made, folder_of(ds))
    beside = plain_ds if len(kept) == len(ds) else plain_ds.select(kept)
    return concatenate_datasets([converted, beside.select_columns(others)], axis=1) if others and kept else converted


def _is_rich(row: Mapping[str, Any], view: View, to: str) -> bool:
    """Whether a row holds more than a text that asks and one that answers."""
    pair = view.targets(row)[-1].pair
    if pair.history or pair.system:
        return True
    return to in ("prompt_completion", "preference") and _has_more(_turns_of(row, view))


def _is_spelled(ds: Any) -> bool:
    """Whether every conversation of the column messages is a list of messages with a usual role, and a content."""
    cells = (cell for batch in column_batches(ds, ["messages"]) for cell in batch["messages"])
    return all(cell is None or (isinstance(cell, list) and all(map(_is_usual, cell))) for cell in cells)


def _is_usual(message: Any) -> bool:
    if not isinstance(message, Mapping) or key_of(message, ROLE_KEYS) != "role":
        return False
    return key_of(message, TEXT_KEYS) in ("content", "") and _role(message["role"]) == message["role"]


def preference_pairs(
    ds: Any, *, conversational: bool = False, same_question: bool = False, columns: Columns = None, prefix: str = ""
) -> Any:
    """Preference pairs for trl's `DPOTrainer`: the revised response is chosen, the original one rejected.

    Rows whose response no reviser changed are left out. Where the question was revised as well, both answers stand
    below the revised one.

    Args:
        ds: a revised `Dataset`, `DatasetDict` or streaming dataset.
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
    layout, ds = Layout(columns, prefix), stored_stream(ds)
    if isinstance(ds, Mapping):
        parts = {name: _preference_pairs(part, layout, conversational, same_question) for name, part in ds.items()}
        return type(ds)(parts)  # type: ignore[call-arg]
    return _preference_pairs(ds, layout, conversational, same_question)


def _preference_pairs(ds: Any, layout: Layout, conversational: bool, same_question: bool) -> Any:
    ds = cached_elsewhere(ds)
    row_id = layout.own("row_id")
    if same_question and layout.own("original") in ds.column_names:
        view = layout.view(ds.column_names)
        plain_ds = ds.with_format(None)
        ds = plain_ds.select([k for k, row in enumerate(plain_ds) if _same_question(row, view, layout)])
        if not len(ds):
            raise RestoreError("every revision changed its question, so no two answers stand below the same one")
    wanted = ["prompt", "chosen", "rejected"]
    if row_id in ds.column_names:
        ds = ds.add_column(ROW_ID, list(ds.with_format(None)[row_id]))  # not one of ours: it goes along
        wanted.append(ROW_ID)
    pairs = convert(ds, "preference", columns=layout.columns, prefix=layout.prefix).select_columns(wanted)
    if ROW_ID in wanted:
        pairs = pairs.rename_column(ROW_ID, "row_id")
    if conversational and isinstance(pairs[0]["prompt"], str):
        pairs = pairs.map(_as_messages, desc="as messages")
    return pairs


def _same_question(row: Mapping[str, Any], view: View, layout: Layout) -> bool:
    now, then = (view.pairs(cells)[-1] for cells in (row, original_cells(row, layout.prefix)))
    return (now.instruction, now.input) == (then.instruction, then.input)


def _as_messages(row: Mapping[str, Any]) -> dict[str, Any]:
    roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return {name: [{"role": role, "content": row[name]}] for name, role in roles.items()}


@dataclass(frozen=True)
class _Shared:
    """What every row of a conversion shares."""

    view: View
    layout: Layout
    rich: bool


# -------------------------------------------------------------------------------------------------- messages of a row


class _Turns(NamedTuple):
    """The messages of a row as they stand, in their order; `asked` of them are the prompt's."""

    messages: list[dict[str, Any]]
    asked: int = 0


class _Parts(NamedTuple):
    """The messages of a row before its answer, the answer, where there is one, and what comes after it; respelled."""

    before: list[dict[str, Any]]
    answer: dict[str, Any] | None
    after: list[dict[str, Any]]


def _turns_of(row: Mapping[str, Any], view: View) -> _Turns:
    """The messages that `Target.turns` of this row counts; none where it has no messages."""
    cells = view.laid_open(row)
    if isinstance(view, ChatView):
        messages = dicts_of(cells[view.messages])
        if view.system:  # an empty one counts as well
            messages = [{"role": "system", "content": cells[view.system]}, *messages]
        return _Turns(messages)
    if isinstance(view, PromptView):
        asked, answered = cells[view.prompt], cells[view.completion]
    elif isinstance(view, PreferenceView):
        asked, answered = cells[view.prompt] if view.prompt else None, cells[view.chosen]
    else:
        return _Turns([])
    if not isinstance(asked, (list, Mapping)) and not isinstance(answered, (list, Mapping)):
        return _Turns([])
    if isinstance(view, PreferenceView) and view.answer_repeats_prompt(cells, view.chosen):
        asked = None
    before = dicts_of(asked, "user") if asked else []
    return _Turns([*before, *dicts_of(answered, "assistant")], len(before))


def _has_more(turns: _Turns) -> bool:
    """Whether messages hold more than a role and a text."""
    return any(True for message in turns.messages for _ in _more(message))


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


def _parts(shared: _Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> _Parts:
    """The messages of a row, with all that they hold, whatever its shape."""
    turns = _turns_of(row, shared.view)
    pair = target.pair
    if not turns.messages:
        before: list[dict[str, Any]] = [{"role": "system", "content": pair.system}] if pair.system else []
        before += [{"role": turn.role, "content": turn.text} for turn in pair.history]
        question = {"role": "user", "content": prompt_of(pair)}
        if not shared.view.answers:
            return _Parts([*before, question], None, [])
        answer = None if isinstance(shared.view, ChatView) else {"role": "assistant", "content": target.answer}
        return _Parts([*before, question] if answer else before, answer, [])
    place = len(target.turns)
    first = turns.messages[0]
    if not place and _role(first.get(key_of(first, ROLE_KEYS))) not in ("assistant", "tool_call"):
        place = len(turns.messages)  # nobody answers
    messages = _respelled(turns.messages, lost)
    if pair.input and isinstance(shared.view, PreferenceView):
        last = max((k for k, message in enumerate(messages[:place]) if message["role"] == "user"), default=None)
        if last is not None and isinstance(messages[last]["content"], str):
            messages[last] = {**messages[last], "content": prompt_of(pair)}
    if isinstance(shared.view, ChatView) and shared.view.system and not messages[0]["content"]:
        messages, place = messages[1:], place - 1
    return _Parts(messages[:place], next(iter(messages[place:]), None), messages[place + 1 :])


def _answer(parts: _Parts, text: str, lost: set[str]) -> list[dict[str, Any]]:
    """The answer alone, an empty one where a row has none; what comes after it is not part of it, and is counted."""
    if parts.after:
        lost.add("messages after the answer")
    return [{"role": "assistant", "content": text} if parts.answer is None else parts.answer]


def _role(role: Any) -> str:
    """A role as OpenAI spells it; a developer is not a system to every template."""
    name = str(role).strip().lower()
    return name if name == "developer" else ROLES.get(name, str(role))


def _respelled(messages: list[dict[str, Any]], lost: set[str]) -> list[dict[str, Any]]:
    """Messages as role and content, with their other keys. What a tool returned gets the id of the call before it,
    where exactly one is open."""
    found: list[dict[str, Any]] = []
    opened: list[Any] = []
    for message in messages:
        new = _openai(message, lost)
        if new.get("tool_calls"):
            opened = [call.get("id") if isinstance(call, Mapping) else None for call in plain(new["tool_calls"])]
        elif new["role"] != "tool":
            opened = []
        elif "tool_call_id" in new:
            opened = [name for name in opened if name != new["tool_call_id"]]
        elif len(opened) == 1 and not _is_usual(message):
            name = opened.pop()
            new |= {"tool_call_id": name} if name is not None else {}
        found.append(new)
    return found


def _openai(message: Mapping[str, Any], lost: set[str]) -> dict[str, Any]:
    """A message as role and content, with its other keys; a call of ShareGPT becomes `tool_calls`, with its arguments
    as a JSON string. A call that does not parse stays the text of the assistant, and is counted."""
    role_key, text_key = key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS)
    role = _role(message.get(role_key))
    text = message.get(text_key)
    rest = {key: value for key, value in message.items() if key not in (role_key, text_key) and value is not None}
    if role == "tool_call":
        role = "assistant"
        calls = None if "tool_calls" in rest else _calls(text)
        if calls:
            text, rest["tool_calls"] = None, calls
        elif "tool_calls" not in rest:
            lost.add("tool calls that do not parse, kept as text")
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


def _messages(shared: _Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any]:
    parts = _parts(shared, row, target, lost)
    _count_rejected(shared, lost)
    return {"messages": [*parts.before, *([parts.answer] if parts.answer else ()), *parts.after]}


def _prompt_completion(shared: _Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any]:
    pair = target.pair
    _count_rejected(shared, lost)
    parts = _parts(shared, row, target, lost)
    if not shared.rich:
        _answer(parts, target.answer, lost)
        return {"prompt": prompt_of(pair), "completion": target.answer}
    if isinstance(shared.view, PromptView) and (turns := _turns_of(row, shared.view)).messages:
        messages = [*parts.before, *([parts.answer] if parts.answer else ()), *parts.after]
        return {"prompt": messages[: turns.asked], "completion": messages[turns.asked :]}
    return {"prompt": parts.before, "completion": _answer(parts, target.answer, lost)}


def _alpaca(shared: _Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any]:
    pair = target.pair
    new: dict[str, Any] = {"instruction": pair.instruction, "input": pair.input, "output": target.answer}
    _count_rejected(shared, lost)
    lost.update(name for message in _turns_of(row, shared.view).messages for name in _more(message))
    _answer(_parts(shared, row, target, set()), target.answer, lost)
    if not shared.rich:
        return new
    turns = pair.history
    if any(turn.role != ("user", "assistant")[k % 2] for k, turn in enumerate(turns)) or len(turns) % 2:
        raise SchemaError(
            f"a row has the earlier turns {[turn.role for turn in turns]}, which Alpaca's history of [question, "
            "answer] cannot hold; convert to messages instead"
        )
    exchanges = [[turns[k].text, turns[k + 1].text] for k in range(0, len(turns), 2)]
    return {**new, "system": pair.system, "history": exchanges}


def _preference(shared: _Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any] | None:
    pair = target.pair
    before = original_cells(row, shared.layout.prefix)
    old = shared.view.targets(before)[-1]
    if old.answer == target.answer:
        return None  # only the instruction or the input changed: both answers are the same
    _count_rejected(shared, lost)
    parts = _parts(shared, row, target, lost)
    chosen = _answer(parts, target.answer, lost)
    if shared.rich:
        rejected = _answer(_parts(shared, before, old, set()), old.answer, set())
        return {"prompt": parts.before, "chosen": chosen, "rejected": rejected}
    return {"prompt": prompt_of(pair), "chosen": target.answer, "rejected": old.answer}


def _count_rejected(shared: _Shared, lost: set[str]) -> None:
    if isinstance(shared.view, PreferenceView):
        lost.add(f"column {shared.view.rejected!r}, the answer that was rejected")


_MAKERS = {
    "messages": _messages,
    "prompt_completion": _prompt_completion,
    "alpaca": _alpaca,
    "preference": _preference,
}
