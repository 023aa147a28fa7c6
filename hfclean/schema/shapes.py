"""Which shape a set of columns has, and whether a mapping is one example or a batch of them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from hfclean.errors import SchemaError
from hfclean.schema.messages import ROLE_KEYS
from hfclean.schema.views import ChatView, FlatView, PreferenceView, PromptView, View

Columns = str | Mapping[str, str] | None

SHAPES = ("alpaca", "dolly", "prompt_completion", "messages", "conversations", "conversation", "preference")
KNOWN = (
    "instruction (+ input or context) and output or response; prompt and completion; messages; conversations; "
    "conversation; chosen and rejected"
)
# columns that often hold conversations, and often something else
TALKS = (
    *("dialog", "dialogue", "dialogs", "dialogues", "chat", "chats", "turns", "interactions", "conv", "convs"),
    "trace",
)
TOOLS = ("tools", "functions")
TRUTHS = ("ground_truth", "reward_model", "ground_truths")
_KEYS = (
    *("instruction", "input", "response", "system", "history"),
    *("prompt", "completion", "messages", "chosen", "rejected"),
)


def detect(columns: Iterable[str], override: Columns = None) -> View:
    """The view for rows with these columns.

    Args:
        columns: the column names that the rows have; the columns that hfclean adds may be among them.
        override: a shape's name (one of `SHAPES`), or a mapping of roles to column names such as
            `{"instruction": "question", "response": "answer"}`; roles are instruction, input, response, system,
            history; or prompt, completion; or messages; or chosen, rejected, prompt.

    Raises:
        SchemaError: no known shape, two of them at once, or the override names something that is not there.
    """
    if isinstance(override, Mapping):
        override = tuple(sorted(override.items()))  # type: ignore[assignment]
    return _detect(tuple(columns), override)


@lru_cache(maxsize=256)
def _detect(columns: tuple[str, ...], override: str | tuple[tuple[str, str], ...] | None) -> View:
    if isinstance(override, tuple):
        return _with_beside(_named(columns, dict(override)), columns)
    found = {view.shape: _with_beside(view, columns) for view in _candidates(columns)}
    if override is not None:
        if override not in SHAPES:
            raise SchemaError(f"columns={override!r} is not a known shape; expected one of {', '.join(SHAPES)}")
        if override not in found:
            raise SchemaError(
                f"columns={override!r} was asked for, but the columns are {list(columns)}; "
                f"name them instead: columns={{'instruction': '...', 'response': '...'}}"
            )
        return found[override]
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        names = ", ".join(f"{shape} ({' + '.join(view.columns)})" for shape, view in found.items())
        raise SchemaError(
            f"the columns {list(columns)} fit more than one shape: {names}. Say which one to read, for example "
            f"columns={next(iter(found))!r} (on the command line: --columns {next(iter(found))})"
        )
    raise SchemaError(_nothing_found(columns))


def _with_beside(view: View, columns: tuple[str, ...]) -> View:
    """The view, with the columns beside its own that say something about the row as a whole."""
    left = [name for name in columns if name not in view.columns]
    tools, truth = (next((name for name in names if name in left), None) for names in (TOOLS, TRUTHS))
    return replace(view, tools=tools, truth=truth) if tools or truth else view


def _candidates(columns: tuple[str, ...]) -> list[View]:
    has = set(columns).__contains__

    def first(*names: str) -> str | None:
        return next((name for name in names if has(name)), None)

    system, history = first("system", "system_prompt"), first("history")
    chat = first("messages", "conversations")
    if has("chosen") and has("rejected"):
        prompt = first("prompt", "conversations", "messages", "instruction", "question")
        text = first("input") if prompt == "instruction" else None
        return [PreferenceView("preference", "chosen", "rejected", prompt, text)]
    found: list[View] = []
    if has("instruction") and has("output"):
        text = first("input", "context")
        found.append(FlatView("alpaca", "instruction", "output", text, system, history))
    elif has("instruction") and has("response"):
        text = first("context", "input")
        found.append(FlatView("dolly", "instruction", "response", text, system, history))
    if has("prompt") and has("completion"):
        found.append(PromptView("prompt_completion", "prompt", "completion"))
    if has("messages") and has("conversations"):
        found += [ChatView("messages", "messages", system), ChatView("conversations", "conversations", system)]
    elif chat:
        found.append(ChatView(chat, chat, system))
    if not found and has("conversation"):  # a name that other columns have too: only where no other is
        found.append(ChatView("conversation", "conversation", system))
    return found


def _named(columns: tuple[str, ...], roles: dict[str, str]) -> View:
    unknown = [role for role in roles if role not in _KEYS]
    if unknown:
        raise SchemaError(f"columns= names the unknown role {unknown[0]!r}; expected some of {', '.join(_KEYS)}")
    missing = [name for name in roles.values() if name not in columns]
    if missing:
        raise SchemaError(f"columns= names {missing[0]!r}, but the columns are {list(columns)}")
    if "chosen" in roles and "rejected" in roles:
        prompt = roles.get("prompt", roles.get("instruction", roles.get("messages")))
        return PreferenceView("preference", roles["chosen"], roles["rejected"], prompt, roles.get("input"))
    if "messages" in roles:
        return ChatView("messages", roles["messages"], roles.get("system"))
    if "prompt" in roles and "completion" in roles:
        return PromptView("prompt_completion", roles["prompt"], roles["completion"])
    if "instruction" in roles and "response" in roles:
        view = {key: roles.get(key) for key in ("input", "system", "history")}
        return FlatView("alpaca", roles["instruction"], roles["response"], **view)
    raise SchemaError(
        f"columns={roles} is not enough; expected instruction and response, prompt and completion, messages, "
        "or chosen and rejected"
    )


def _nothing_found(columns: tuple[str, ...]) -> str:
    lowered = {name.lower(): name for name in columns}
    if set(lowered) == {"text"}:
        return (
            "the only column is 'text': plain text has no instruction and no response to repair or score. hfclean "
            f"works on pairs; known columns: {KNOWN}. Split the text into such columns first"
        )
    questions = [lowered[k] for k in ("instruction", "question", "query", "prompt", "user", "problem") if k in lowered]
    answers = [
        lowered[k]
        for k in ("output", "response", "answer", "completion", "solution", "assistant", "target")
        if k in lowered
    ]
    talks = [lowered[name] for name in TALKS if name in lowered]
    if talks and not (questions and answers):
        return (
            f"no known row shape in the columns {list(columns)}; known: {KNOWN}. If {talks[0]!r} holds conversations "
            f"(lists of messages), say so: columns={{'messages': {talks[0]!r}}} (on the command line: --columns "
            f"messages={talks[0]}), or rename it: ds.rename_column({talks[0]!r}, 'messages')"
        )
    names = {"instruction": questions[0] if questions else "...", "response": answers[0] if answers else "..."}
    return (
        f"no known row shape in the columns {list(columns)}; known: {KNOWN}. Name yours: columns={names} (on the "
        f"command line: --columns instruction={names['instruction']},response={names['response']}), or rename them: "
        "ds.rename_columns(...)"
    )


def is_batch(data: Mapping[str, Any], view: View) -> bool:
    """Whether a mapping is a batch (dict of lists) rather than one example.

    Decided from the columns of the view, never from the container alone: `datasets` hands out `LazyRow`, `LazyBatch`,
    plain dicts and dicts of arrays, and one example's chat column is a list too.
    """
    kind = type(data).__name__
    if kind in ("LazyRow", "LazyBatch"):
        return kind == "LazyBatch"
    for name in view.columns:
        verdict = _batched(data[name], chat=not isinstance(view, FlatView) or name == view.history)
        if verdict is not None:
            return verdict
    return not any(value is None or isinstance(value, (str, bytes, int, float)) for value in data.values()) and all(
        hasattr(value, "__len__") and len(value) == 0 and not isinstance(value, Mapping) for value in data.values()
    )


def _batched(value: Any, *, chat: bool) -> bool | None:
    """True for a column of cells, False for one cell, None where the value alone cannot tell."""
    if value is None or isinstance(value, (str, bytes, int, float, Mapping)):
        return False
    if getattr(value, "ndim", 1) == 0:
        return False
    if len(value) == 0:
        return None
    if not chat:
        return True
    cell = next((item for item in value if item is not None), None)
    if cell is None or isinstance(cell, (str, bytes)):
        return True
    if isinstance(cell, Mapping):  # a message of one conversation, or (dict of lists) a whole conversation
        roles = next((cell[key] for key in ROLE_KEYS if cell.get(key) is not None), None)
        if isinstance(roles, (list, tuple)) or hasattr(roles, "tolist"):
            return True
        return None if "value" in cell and len(cell) == 2 else False
    return True


def plain(value: Any) -> Any:
    """A value with arrays, Series and numpy scalars turned into lists and Python scalars, all the way down."""
    if type(value) in (str, int, float, bool, type(None)):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    for method in ("tolist", "to_list", "to_pylist"):  # numpy and pandas, polars, pyarrow
        if hasattr(value, method):
            return plain(getattr(value, method)())
    return value
