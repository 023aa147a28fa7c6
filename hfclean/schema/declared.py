"""The row shapes, each declared once: its name, its columns, how it is read, what it is, rows of it.

Names, errors, the help of `--columns` and the table in the docs are made from here.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hfclean.schema.beyond_pairs import PromptOnlyView, RankedView, StepsView
from hfclean.schema.views import ChatView, FlatView, PreferenceView, PromptView, View

QUESTIONS = ("question", "problem", "query", "prompt")
WORKED = ("response", "solution", "rationale", "reasoning")  # beside which `answer` is the truth
ANSWERS = ("response", "solution", "output", "answer", "completion", "assistant", "target")
ANSWER = "answer"  # a response, or a truth: what stands beside it and how long it is decide
TRUTHS = ("ground_truth", "reward_model", "ground_truths")
RANKINGS = ("scores", "ranks", "rank", "ranking", "ratings", "rewards")
RANKED = ("responses", "ranked", "ranked_responses", "completions", "answers", "candidates", "generations", "outputs")

Row = Mapping[str, Any]


class Names:
    """The columns of a dataset."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = frozenset(columns)

    def has(self, *names: str) -> bool:
        return self._columns.issuperset(names)

    def first(self, *names: str) -> str | None:
        return next((name for name in names if name in self._columns), None)

    @property
    def system(self) -> str | None:
        return self.first("system", "system_prompt")


@dataclass(frozen=True)
class _Shape:
    """A row shape.

    Attributes:
        name: as `columns=` takes it.
        columns: for people, the columns by which it is known.
        meaning: for people, how it is read.
        read: the view of rows with columns of these names; None where they do not have it.
        level: a shape is looked for only where none of a lower level fits; of one level only one may fit.
        rows: some of it.
        writes: the columns of a row that is converted to it.
        may_write: further ones, for what only some rows have.
    """

    name: str
    columns: str
    meaning: str
    read: Callable[[Names], View | None]
    level: int
    rows: tuple[Row, ...]
    writes: tuple[str, ...]
    may_write: tuple[str, ...] = ()


def _alpaca(names: Names) -> View | None:
    if not names.has("instruction", "output"):
        return None
    text = names.first("input", "context")
    return FlatView("alpaca", "instruction", "output", text, names.system, names.first("history"))


def _dolly(names: Names) -> View | None:
    if not names.has("instruction", "response") or names.has("output"):
        return None
    text = names.first("context", "input")
    return FlatView("dolly", "instruction", "response", text, names.system, names.first("history"))


def _prompt_completion(names: Names) -> View | None:
    return PromptView("prompt_completion", "prompt", "completion") if names.has("prompt", "completion") else None


def _chat(column: str) -> Callable[[Names], View | None]:
    return lambda names: ChatView(column, column, names.system) if names.has(column) else None


def _preference(names: Names) -> View | None:
    if not names.has("chosen", "rejected"):
        return None
    prompt = names.first("prompt", "conversations", "messages", "instruction", "question")
    return PreferenceView(
        "preference", "chosen", "rejected", prompt, names.first("input") if prompt == "instruction" else None
    )


def _asked(question: str) -> Callable[[Names], View | None]:
    """A question and its answer: what is worked out, beside which `answer` is the truth, or else `answer` itself."""

    def read(names: Names) -> View | None:
        if not names.has(question):
            return None
        worked = names.first(*WORKED[:2]) or (names.has("answer") and names.first(*WORKED[2:]))
        response = worked or names.first("answer")
        if not response:
            return None
        thought = names.first("reasoning") if response in ("response", "solution") else None
        truth = "answer" if worked and names.has("answer") else None
        name = f"{question}_answer"
        return FlatView(name, question, response, names.first("context"), names.system, None, thought, truth=truth)

    return read


def _flat(name: str, question: str, response: str) -> Callable[[Names], View | None]:
    return lambda names: (
        FlatView(name, question, response, None, names.system) if names.has(question, response) else None
    )


def _prompt_response(names: Names) -> View | None:
    return PromptView("prompt_response", "prompt", "response") if names.has("prompt", "response") else None


def _stepwise(names: Names) -> View | None:
    return StepsView("stepwise", "prompt", "completions") if names.has("prompt", "completions", "labels") else None


def _ranked(names: Names) -> View | None:
    question, scores = names.first("prompt", "instruction", *QUESTIONS), names.first(*RANKINGS)
    answers = names.first(*(RANKED if scores else RANKED[:3]))
    if not question or not answers or names.has("prompt", "completions", "labels"):
        return None
    return RankedView("ranked", question, answers, scores)


def _verl(names: Names) -> View | None:
    if not names.has("prompt", "reward_model") or names.first(*ANSWERS):
        return None
    return PromptOnlyView("verl", "prompt", truth="reward_model")


def _prompt_only(names: Names) -> View | None:
    if names.first(*ANSWERS, *RANKED) or names.has("reward_model"):
        return None
    asked = [name for name in QUESTIONS if names.has(name)]
    if len(asked) != 1 or not (asked[0] == "prompt" or names.first(*TRUTHS)):
        return None
    return PromptOnlyView("prompt_only", asked[0], names.system)


_ASKED, _SAID = {"role": "user", "content": "Name a fruit."}, {"role": "assistant", "content": "An apple."}
SHAPE_TABLE = (
    _Shape(
        "preference",
        "chosen and rejected (+ prompt)",
        "two answers: strings, messages or single turns, also as JSON in strings; the prompt in a column or implicit",
        _preference,
        0,
        (
            {"prompt": "Name a fruit.", "chosen": "An apple.", "rejected": "A carrot."},
            {"chosen": [_ASKED, _SAID], "rejected": [_ASKED, {"role": "assistant", "content": "A carrot."}]},
        ),
        ("prompt", "chosen", "rejected"),
    ),
    _Shape(
        "alpaca",
        "instruction (+ input or context) and output",
        "texts; also `system` and `history`",
        _alpaca,
        1,
        ({"instruction": "Name a fruit.", "input": "", "output": "An apple."},),
        ("instruction", "input", "output"),
        ("system", "history"),
    ),
    _Shape(
        "dolly",
        "instruction (+ context or input) and response",
        "texts",
        _dolly,
        1,
        ({"instruction": "Name a fruit.", "context": "", "response": "An apple."},),
        ("instruction", "context", "response"),
        ("system", "history"),
    ),
    _Shape(
        "prompt_completion",
        "prompt and completion",
        "strings or lists of messages; with `label`, as KTO has it, the label is left alone",
        _prompt_completion,
        1,
        (
            {"prompt": "Name a fruit.", "completion": "An apple."},
            {"prompt": [_ASKED], "completion": [_SAID], "label": True},
        ),
        ("prompt", "completion"),
    ),
    _Shape(
        "messages",
        "messages",
        "a list of `role` and `content` (a string or typed parts), with calls and thoughts; also as one JSON string, "
        "and with other keys (`speaker`, `sender`, `author`; `text`, `message`, `utterance`)",
        _chat("messages"),
        1,
        (
            {"messages": [_ASKED, _SAID]},
            {"messages": [_ASKED, _SAID], "label": False},
            {"messages": [_ASKED], "ground_truth": "An apple."},
        ),
        ("messages",),
    ),
    _Shape(
        "conversations",
        "conversations",
        "ShareGPT: a list of `from` and `value`; all that is said of messages",
        _chat("conversations"),
        1,
        ({"conversations": [{"from": "human", "value": "Name a fruit."}, {"from": "gpt", "value": "An apple."}]},),
        ("conversations",),
    ),
    _Shape(
        "conversation",
        "conversation",
        "the same, where no other shape fits",
        _chat("conversation"),
        2,
        ({"conversation": [_ASKED, _SAID]},),
        ("conversation",),
    ),
    _Shape(
        "question_answer",
        "question and answer",
        "`answer` is the response; beside `response`, `solution`, `rationale` or `reasoning` it is the truth",
        _asked("question"),
        3,
        (
            {"question": "Name a fruit.", "answer": "An apple."},
            {"question": "What is 2 + 2?", "response": "2 + 2 = 4.", "answer": "4"},
        ),
        ("question", "answer"),
        ("response", "reasoning", "context", "system"),
    ),
    _Shape(
        "problem_answer",
        "problem and solution or answer",
        "the same; `reasoning` beside a solution is the thought",
        _asked("problem"),
        3,
        (
            {"problem": "What is 2 + 2?", "solution": "2 + 2 = 4.", "answer": "4"},
            {"problem": "What is 2 + 2?", "reasoning": "Two and two.", "solution": "It is 4."},
        ),
        ("problem", "solution"),
        ("answer", "reasoning", "context", "system"),
    ),
    _Shape(
        "query_response",
        "query and response",
        "texts",
        _flat("query_response", "query", "response"),
        3,
        ({"query": "Name a fruit.", "response": "An apple."},),
        ("query", "response"),
        ("system",),
    ),
    _Shape(
        "prompt_response",
        "prompt and response",
        "as prompt and completion",
        _prompt_response,
        3,
        ({"prompt": "Name a fruit.", "response": "An apple."},),
        ("prompt", "response"),
    ),
    _Shape(
        "input_output",
        "input and output",
        "texts",
        _flat("input_output", "input", "output"),
        3,
        ({"input": "Name a fruit.", "output": "An apple."},),
        ("input", "output"),
        ("system",),
    ),
    _Shape(
        "stepwise",
        "prompt, completions and labels",
        "an answer in steps, each with a label; the response is the steps, line by line",
        _stepwise,
        3,
        ({"prompt": "What is 2 + 2?", "completions": ["2 + 2 = 4.", "It is 4."], "labels": [True, True]},),
        ("prompt", "completions", "labels"),
    ),
    _Shape(
        "ranked",
        "prompt and responses (+ scores or ranks)",
        'several answers, texts or objects; the best is the response, with side="rejected" the worst, with "both" all',
        _ranked,
        3,
        ({"prompt": "Name a fruit.", "responses": ["A carrot.", "An apple."], "scores": [1.0, 5.0]},),
        ("prompt", "responses", "ranks"),
    ),
    _Shape(
        "verl",
        "prompt and reward_model",
        "a prompt without an answer; the truth is `reward_model.ground_truth`, in a struct or JSON",
        _verl,
        3,
        ({"prompt": [_ASKED], "reward_model": {"style": "rule", "ground_truth": "An apple."}},),
        ("prompt", "reward_model"),
    ),
    _Shape(
        "prompt_only",
        "prompt, or question and ground_truth",
        "a prompt without an answer, as a string or messages",
        _prompt_only,
        4,
        ({"prompt": "Name a fruit."}, {"question": "Name a fruit.", "ground_truth": "An apple."}),
        ("prompt",),
        ("ground_truth",),
    ),
)


def shapes_of(columns: tuple[str, ...]) -> dict[str, View]:
    """The views that rows with these columns may have, by shape, of the lowest level that has one."""
    names = Names(columns)
    for level in sorted({shape.level for shape in SHAPE_TABLE}):
        found = {shape.name: view for shape in SHAPE_TABLE if shape.level == level and (view := shape.read(names))}
        if found:
            return found
    return {}


def written_view(name: str, more: Collection[str] = ()) -> View:
    """The view of rows that are converted to a shape, with those of the columns `more` that it may have."""
    shape = next(shape for shape in SHAPE_TABLE if shape.name == name)
    view = shape.read(Names((*shape.writes, *(column for column in shape.may_write if column in more))))
    assert view is not None
    return view


def shapes_page() -> str:
    """The table of shapes, as Markdown."""
    lines = [f"| `{shape.name}` | {shape.columns} | {shape.meaning} |" for shape in SHAPE_TABLE]
    return "\n".join(["| shape | columns | how it is read |", "| --- | --- | --- |", *lines])
