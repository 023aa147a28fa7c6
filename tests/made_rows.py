"""Rows of every shape for hypothesis, odd ones among them, in the spelling in which conversions write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from hfclean.conversion import Losses, convert
from hfclean.schema import View
from hfclean.values import exact_dataset

texts = st.one_of(
    st.sampled_from(
        ["", "Name a fruit.", "<think>\nApples.\n</think>\n\nAn apple.", "[1,  2]", '{"name": "f"}', "null"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)
arguments = st.one_of(st.just({"city": "Oslo", "n": 7}), st.just('{"city": "Oslo"}'), st.just("{broken"), st.just({}))


@st.composite
def call(draw: st.DrawFn) -> dict[str, Any]:
    named = {"id": draw(st.sampled_from(["c1", "c2"]))} if draw(st.booleans()) else {}
    function = {"name": draw(st.sampled_from(["f", "rain"])), "arguments": draw(arguments)}
    return {**named, "type": "function", "function": function}


contents = st.one_of(texts, texts, st.just([{"type": "image"}, {"type": "text", "text": "What is it?"}]))


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    more: dict[str, Any] = draw(
        st.sampled_from([{}, {}, {"weight": 0}, {"reasoning_content": "Hm."}, {"thinking": "Hm."}, {"name": "Ann"}])
    )
    return {"role": "assistant", "content": draw(contents), **more}


@st.composite
def talks(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if draw(st.booleans()):
        found.append({"role": draw(st.sampled_from(["system", "developer"])), "content": draw(texts)})
    for _ in range(draw(st.integers(1, 2))):
        found.append({"role": "user", "content": draw(contents)})
        if draw(st.integers(0, 2)) == 0:
            calls = draw(st.lists(call(), min_size=1, max_size=2))
            found.append(
                {"role": "assistant", "content": draw(st.sampled_from([None, "", "Wait."])), "tool_calls": calls}
            )
            for n, each in enumerate(calls):
                named = {"tool_call_id": each["id"]} if "id" in each and draw(st.booleans()) else {}
                found.append({"role": "tool", "content": f"rain {n}", **named})
        found.append(draw(answers()))
    return found


BESIDE = {"tools": '[{"name":  "f"}]', "code": "007"}
TRUTHS = st.sampled_from(["4", "x = 1/2", "So it is four, as we know.", "", 7])


def asked(strings: bool) -> st.SearchStrategy[Any]:
    """A prompt, as a text or as messages that end before an answer."""
    return texts if strings else talks().map(lambda talk: talk[:-1])


@st.composite
def rows_of(draw: st.DrawFn, shape: str) -> list[dict[str, Any]]:
    """One or two rows of a shape, with the same columns."""
    strings, more, worked = (
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from(["", "answer", "reasoning"])),
    )
    found = [{**_row(draw, shape, strings, more, worked), **BESIDE} for _ in range(draw(st.integers(1, 2)))]
    if shape in ("messages", "conversations", "conversation"):
        ds = exact_dataset([{**row, "messages": draw(talks())} for row in found])
        return [dict(row) for row in convert(ds, shape, losses=Losses())]
    return found


def _row(draw: st.DrawFn, shape: str, strings: bool, more: bool, worked: str) -> dict[str, Any]:
    text, prompt, answer = draw(texts), draw(asked(strings)), draw(texts) if strings else [draw(answers())]
    system = {"system": draw(texts)} if more else {}
    history = {"history": draw(st.lists(st.tuples(texts, texts).map(list), max_size=2))} if more else {}
    given = draw(st.one_of(st.just(""), texts))
    if shape in ("messages", "conversations", "conversation"):
        return {"ground_truth": draw(TRUTHS)} if more else {}
    if shape == "alpaca":
        return {"instruction": text, "input": given, "output": draw(texts), **system, **history}
    if shape == "dolly":
        return {"instruction": text, "context": given, "response": draw(texts), **system, **history}
    if shape in ("prompt_completion", "prompt_response"):
        label = {"label": draw(st.booleans())} if more else {}
        return {"prompt": prompt, shape.partition("_")[2]: answer, **label}
    if shape in ("question_answer", "problem_answer"):
        question, said = shape.split("_")
        beside = {**system, **({"context": given} if more else {})}
        if not worked:
            return {question: text, said if strings or question == "question" else "solution": draw(texts), **beside}
        more_said = {worked: draw(TRUTHS.map(str)) if worked == "answer" else draw(texts)}
        return {
            question: text,
            "response" if question == "question" else "solution": draw(texts),
            **more_said,
            **beside,
        }
    if shape in ("query_response", "input_output"):
        question, said = shape.split("_")
        return {question: text, said: draw(texts), **system}
    if shape == "stepwise":
        steps = draw(st.lists(texts, max_size=3))
        labels = draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps) + more))
        return {"prompt": prompt, "completions": steps, "labels": labels}
    if shape == "ranked":
        said = draw(
            st.lists(st.one_of(texts, texts.map(lambda t: {"text": t, "n": 1}) if more else texts), max_size=3)
        )
        order = draw(st.permutations(range(1, len(said) + 1))) if worked else list(range(1, len(said) + 1))
        return {"prompt": prompt, "responses": said, "scores" if worked == "answer" else "ranks": order}
    if shape == "verl":
        kept = {"style": "rule", "ground_truth": draw(TRUTHS)}
        return {"prompt": draw(asked(False)), "reward_model": {**kept, "weight": 2} if more else kept}
    if shape == "prompt_only":
        return {"prompt": prompt, **({"ground_truth": draw(TRUTHS)} if more else {})}
    assert shape == "preference"
    chosen, rejected = answer, draw(texts) if strings else [draw(answers())]
    if more or strings:
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    return {"chosen": [*prompt, *chosen], "rejected": [*prompt, *rejected]}


def same(value: Any) -> Any:
    """A value without what Arrow fills in: keys that hold nothing."""
    if isinstance(value, dict):
        return {key: same(item) for key, item in value.items() if item is not None}
    return [same(item) for item in value] if isinstance(value, list) else value


def told(row: Mapping[str, Any], view: View) -> dict[str, Any]:
    """What a row says, by role: its columns may have other names, and lack what is empty."""
    roles = {each.name: getattr(view, each.name) for each in fields(view) if each.name not in ("shape", "tools")}
    found = {role: row.get(column) for role, column in roles.items() if column}
    found |= {name: cell for name, cell in row.items() if name not in roles.values()}
    for role, who in (
        ("prompt", "user"),
        ("completion", "assistant"),
        ("chosen", "assistant"),
        ("rejected", "assistant"),
    ):
        if isinstance(found.get(role), str):
            found[role] = [{"role": who, "content": found[role]}]
    optional = ("system", "history", "input", "thought")
    return {role: cell for role, cell in same(found).items() if cell or role not in optional}
