"""Which shape a set of columns has, and whether a mapping is one example or a batch of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from hfclean.errors import SchemaError
from hfclean.schema.beyond_pairs import PromptOnlyView, RankedView, StepsView
from hfclean.schema.declared import ANSWERS, QUESTIONS, RANKED, SHAPE_TABLE, TRUTHS, Names, shapes_of
from hfclean.schema.messages import ROLE_KEYS
from hfclean.schema.views import ChatView, FlatView, PreferenceView, PromptView, View

Columns = str | Mapping[str, str] | None

SHAPES = tuple(shape.name for shape in SHAPE_TABLE)
KNOWN = "; ".join(shape.columns for shape in SHAPE_TABLE)
# columns that often hold conversations, and often something else
TALKS = (
    *("dialog", "dialogue", "dialogs", "dialogues", "chat", "chats", "turns", "interactions", "conv", "convs"),
    "trace",
)
TOOLS = ("tools", "functions")
TRACES = ("trace", "trajectory")
_KEYS = (
    *("instruction", "input", "response", "system", "history", "thought", "truth"),
    *("prompt", "completion", "messages", "chosen", "rejected", "steps", "responses", "scores"),
)


def detect(columns: Iterable[str], override: Columns = None) -> View:
    """The view for rows with these columns, whichever of their letters are capitals.

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
    if override is not None:
        if override not in SHAPES:
            expected = f"is not a known shape{_meant(override, SHAPES)}; expected one of {', '.join(SHAPES)}"
            raise SchemaError(f"columns={override!r} {expected}").with_flags(
                f"--columns {override} {expected}, or ROLE=COLUMN pairs such as instruction=question,response=answer"
            )
        names = in_small_letters(columns)
        view = SHAPE_TABLE[SHAPES.index(override)].read(Names(tuple(names)))
        if view is None:
            asked = f"was asked for, but the columns are {list(columns)}; name them instead:"
            raise SchemaError(
                f"columns={override!r} {asked} columns={{'instruction': '...', 'response': '...'}}"
            ).with_flags(f"--columns {override} {asked} --columns instruction=...,response=...")
        return _with_beside(_spelled(view, names), columns)
    names = in_small_letters(columns)
    found = {name: _with_beside(_spelled(view, names), columns) for name, view in shapes_of(tuple(names)).items()}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        fitting = ", ".join(f"{shape} ({' + '.join(view.columns)})" for shape, view in found.items())
        first = next(iter(found))
        said = f"the columns {list(columns)} fit more than one shape: {fitting}. Say which one to read, for example"
        raise SchemaError(f"{said} columns={first!r} (on the command line: --columns {first})").with_flags(
            f"{said} --columns {first}"
        )
    raise _nothing_found(columns)


def _meant(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def in_small_letters(columns: Iterable[str]) -> dict[str, str]:
    """The columns by their names in small letters; of those that differ in capitals alone the one without any, or
    none."""
    columns = tuple(columns)
    several = Counter(map(str.lower, columns))
    return {name.lower(): name for name in columns if several[name.lower()] == 1 or name == name.lower()}


def _spelled(view: View, names: Mapping[str, str]) -> View:
    """A view of columns in small letters, with the columns as they are spelled."""
    said = {each.name: getattr(view, each.name) for each in fields(view) if each.name != "shape"}
    return replace(view, **{key: names[name] for key, name in said.items() if names.get(name, name) != name})


def _with_beside(view: View, columns: tuple[str, ...]) -> View:
    """The view, with the columns beside its own that say something about the row as a whole."""
    left = in_small_letters(name for name in columns if name not in view.columns)
    tools, truth, trace = (
        next((left[name] for name in names if name in left), None) for names in (TOOLS, TRUTHS, TRACES)
    )
    if not (tools or truth or trace):
        return view
    return replace(view, tools=tools, truth=view.truth or truth, trace=trace)


def _named(columns: tuple[str, ...], roles: dict[str, str]) -> View:
    unknown = [role for role in roles if role not in _KEYS]
    if unknown:
        said = f"the unknown role {unknown[0]!r}{_meant(unknown[0], _KEYS)}; expected some of {', '.join(_KEYS)}"
        raise SchemaError(f"columns= names {said}").with_flags(f"--columns names {said}")
    missing = [name for name in roles.values() if name not in columns]
    if missing:
        said = f"names {missing[0]!r}, but the columns are {list(columns)}{_meant(missing[0], columns)}"
        raise SchemaError(f"columns= {said}").with_flags(f"--columns {said}")
    view = _view_of(roles)
    if view is None:
        said = (
            "is not enough; expected instruction and response, prompt and completion, messages, "
            "chosen and rejected, prompt and steps, prompt and responses, or prompt and truth"
        )
        raise SchemaError(f"columns={roles} {said}").with_flags(f"--columns {_flag(roles)} {said}")
    return replace(view, truth=roles["truth"]) if "truth" in roles else view


def _view_of(roles: dict[str, str]) -> View | None:
    """The view that roles ask for; None where they do not say enough."""
    if "chosen" in roles and "rejected" in roles:
        prompt = roles.get("prompt", roles.get("instruction", roles.get("messages")))
        return PreferenceView("preference", roles["chosen"], roles["rejected"], prompt, roles.get("input"))
    if "messages" in roles:
        return ChatView("messages", roles["messages"], roles.get("system"))
    asked = roles.get("prompt", roles.get("instruction"))
    if asked and "steps" in roles:
        return StepsView("stepwise", asked, roles["steps"])
    if asked and "responses" in roles:
        return RankedView("ranked", asked, roles["responses"], roles.get("scores"))
    if "prompt" in roles and "completion" in roles:
        return PromptView("prompt_completion", roles["prompt"], roles["completion"])
    if "instruction" in roles and "response" in roles:
        view = {key: roles.get(key) for key in ("input", "system", "history", "thought")}
        return FlatView("alpaca", roles["instruction"], roles["response"], **view)
    if "prompt" in roles or (asked and "truth" in roles):
        return PromptOnlyView("prompt_only", str(asked), roles.get("system"), roles.get("input"))
    return None


def _nothing_found(columns: tuple[str, ...]) -> SchemaError:
    lowered = {name.lower(): name for name in columns}
    if set(lowered) == {"text"}:
        return SchemaError(
            "the only column is 'text': plain text has no instruction and no response to repair or score. hfclean "
            f"works on pairs; known columns: {KNOWN}. Where a chat template wrote the text, convert it back first: "
            "hfclean.convert(ds, 'messages') (on the command line: hfclean convert IN --to messages --out FILE); "
            "split other text into such columns"
        )
    questions = [lowered[name] for name in ("instruction", *QUESTIONS, "user") if name in lowered]
    answers = [lowered[name] for name in ANSWERS if name in lowered]
    several = next((lowered[name] for name in RANKED if name in lowered), None)
    nothing = f"no known row shape in the columns {list(columns)}; known: {KNOWN}."
    if questions and several and not answers:
        roles = {"prompt": questions[0], "responses": several}
        said = f"{nothing} If {several!r} holds several answers to each {questions[0]!r}, say so:"
        ranked = ", with scores=COLUMN where they are ranked"
        return SchemaError(
            f"{said} columns={roles} (on the command line: --columns {_flag(roles)}){ranked}"
        ).with_flags(f"{said} --columns {_flag(roles)}{ranked}")
    talks = [lowered[name] for name in TALKS if name in lowered]
    if talks and not (questions and answers):
        roles = {"messages": talks[0]}
        said = f"{nothing} If {talks[0]!r} holds conversations (lists of messages), say so:"
        return SchemaError(
            f"{said} columns={roles} (on the command line: --columns {_flag(roles)}), or rename it: "
            f"ds.rename_column({talks[0]!r}, 'messages')"
        ).with_flags(f"{said} --columns {_flag(roles)}")
    names = {"instruction": questions[0] if questions else "...", "response": answers[0] if answers else "..."}
    return SchemaError(
        f"{nothing} Name yours: columns={names} (on the command line: --columns {_flag(names)}), or rename them: "
        "ds.rename_columns(...)"
    ).with_flags(f"{nothing} Name yours: --columns {_flag(names)}")


def _flag(roles: Mapping[str, str]) -> str:
    """Roles and columns as `--columns` takes them."""
    return ",".join(f"{role}={column}" for role, column in roles.items())


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
    """A value with arrays, Series and numpy scalars turned into lists and Python scalars, all the way down; one that
    is nested too deeply for that comes from JSON, which has none of them."""
    try:
        return _plain(value)
    except RecursionError:
        return [plain(item) for item in value] if isinstance(value, list) and len(value) > 1 else value


def _plain(value: Any) -> Any:
    if type(value) in (str, int, float, bool, type(None)):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    for method in ("tolist", "to_list", "to_pylist"):  # numpy and pandas, polars, pyarrow
        if hasattr(value, method):
            return _plain(getattr(value, method)())
    return value
