"""Forms of texts in columns: Alpaca, Dolly, prompt and completion, problems; and which form rows have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfclean.errors import SchemaError
from hfclean.generation.chats import chat_form, respoken
from hfclean.generation.forms import Field, Form, typed
from hfclean.rules.answer import is_placeholder
from hfclean.schema import ChatView, FlatView, PromptOnlyView, PromptView, View, truths_in
from hfclean.schema.slots import as_text


def form_of(view: View, rows: Sequence[Mapping[str, Any]], features: Any) -> Form:
    """How rows like these are made.

    Raises:
        SchemaError: rows of their shape cannot be made from one task.
    """
    from datasets import Value

    types = {name: features[name] for name in view.reads if name in features}
    # a column that is null in all seeds holds texts in the rows that are made
    types = {name: Value("string") if feature == Value("null") else feature for name, feature in types.items()}
    if isinstance(view, FlatView):
        return _flat(view, rows, types)
    if isinstance(view, PromptOnlyView) and view.truth:
        truth = Field("answer", "the right answer, as short as it can be, and nothing else")
        return _PromptForm(view, (truth,), types)
    if isinstance(view, ChatView) or (isinstance(view, PromptView) and _in_messages(view, rows)):
        return chat_form(view, rows, types)
    if isinstance(view, PromptView):
        return _TextForm(view, (_OUTPUT,), types)
    raise SchemaError(
        f"rows of the shape {view.shape!r} cannot be made from a task; expected instruction and output, prompt and "
        "completion, problem and answer, or messages. Convert the seeds first: hfclean.convert(seeds, 'messages')"
    )


def _in_messages(view: PromptView, rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(isinstance(view.laid_open(row)[view.prompt], (list, dict)) for row in rows)


_INPUT = Field(
    "input", "the text, data or case that the task is about; empty where the task needs none", optional=True
)
_OUTPUT = Field("output", "the answer to the task")
_THOUGHT = Field("reasoning", "the steps that lead to the answer")
_TRUTH = Field("answer", "the final answer alone, as short as it can be")


def _flat(view: FlatView, rows: Sequence[Mapping[str, Any]], types: Mapping[str, Any]) -> Form:
    fields = [_INPUT] if view.input and any(as_text(row[view.input]).strip() for row in rows) else []
    fields += [_THOUGHT] if view.thought else []
    fields += [_OUTPUT]
    fields += [_TRUTH] if view.truth and view.truth != view.response else []
    return _FlatForm(view, tuple(fields), types)


class _FlatForm(Form):
    """Texts in columns: Alpaca, Dolly, problems with their answers, and columns that the user names."""

    view: FlatView

    def task(self, row: Mapping[str, Any]) -> str:
        return as_text(row[self.view.instruction])

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        cells = {
            "input": self.view.input,
            "reasoning": self.view.thought,
            "output": self.view.response,
            "answer": self.view.truth,
        }
        return {field.name: as_text(row[str(cells[field.name])]) for field in self.fields}

    def row(self, task: str, answer: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
        view = self.view
        given = str(answer.get("input", ""))
        cells: dict[str, Any] = {name: like.get(name) for name in self.columns}
        cells |= {view.instruction: task, view.response: answer["output"]}
        if view.input:
            cells[view.input] = "" if is_placeholder(given, task) else given
        if view.thought:
            cells[view.thought] = answer["reasoning"]
        if view.history:
            cells[view.history] = []
        if view.truth and view.truth != view.response:
            cells[view.truth] = typed(answer["answer"], self.features[view.truth])
        return cells


class _TextForm(Form):
    """A prompt and a completion, both texts."""

    view: PromptView

    def task(self, row: Mapping[str, Any]) -> str:
        return as_text(row[self.view.prompt])

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"output": as_text(row[self.view.completion]).strip()}

    def row(self, task: str, answer: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
        cells = {name: like.get(name) for name in self.columns}
        before, after = as_text(like[self.view.prompt]), as_text(like[self.view.completion])
        seam = before[len(before.rstrip()) :], after[: len(after) - len(after.lstrip())]  # all that keeps them apart
        return {**cells, self.view.prompt: task + seam[0], self.view.completion: seam[1] + answer["output"]}


class _PromptForm(Form):
    """A prompt, as a text or as messages, and the answer that is known to be right."""

    view: PromptOnlyView

    def task(self, row: Mapping[str, Any]) -> str:
        return self.view.pairs(row)[0].instruction

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"answer": next(iter(truths_in(row[str(self.view.truth)])), "")}

    def row(self, task: str, answer: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
        view, truth = self.view, str(self.view.truth)
        cells = {name: like.get(name) for name in self.columns}
        if view.input:
            cells[view.input] = ""
        right: Any = answer["answer"]
        if isinstance(like[truth], Mapping) and "ground_truth" in like[truth]:
            right = {**like[truth], "ground_truth": right}
        return {
            **cells,
            view.prompt: respoken(like[view.prompt], [("user", task)]),
            truth: right if isinstance(right, Mapping) else typed(right, self.features[truth]),
        }
