"""What was thought before an answer: read in every spelling, never part of the response, written back to the byte."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean import Pair
from hfclean.checks import accept
from hfclean.reviser.answers import read_rewriting
from hfclean.reviser.codec import decode
from hfclean.rules.guard import allowed
from hfclean.schema import detect, write
from hfclean.scorers.judge_answers import read_scores
from hfclean.scorers.rubrics import RUBRICS
from hfclean.testing_models import ScriptedBackend
from hfclean.text.thoughts import read_thought, split_thought, with_thought, without_thought
from hfclean.verifiers import verify

INLINE = {
    "think": "<think>\nTwo and two.\n</think>\n\nFour.",
    "thinking": "<thinking>Two and two.</thinking>Four.",
    "thought": "  <thought>Two and two.</thought> Four.",
    "reasoning": "<REASONING>Two and two.</REASONING>\nFour.",
    "closed alone": "Two and two.\n</think>\n\nFour.",
    "closed at the end of a line": "Two and two.</think>\nFour.",
    "solution": "<|begin_of_thought|>\n\nTwo and two.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nFour.\n\n"
    "<|end_of_solution|>",
    "solution, opened in the prompt": "Two and two.<|end_of_thought|> <|begin_of_solution|>Four.<|end_of_solution|>",
    "harmony": "<|channel|>analysis<|message|>Two and two.<|end|><|start|>assistant<|channel|>final<|message|>Four."
    "<|return|>",
    "harmony, from the start": "<|start|>assistant<|channel|>analysis<|message|>Two and two.<|end|><|start|>assistant"
    "<|channel|>final<|message|>Four.<|end|>\n",
    "mistral": "[THINK]Two and two.[/THINK]Four.",
    "command": "<|START_THINKING|>Two and two.<|END_THINKING|><|START_RESPONSE|>Four.<|END_RESPONSE|>",
    "command, without marks of an answer": "<|START_THINKING|>Two and two.<|END_THINKING|>Four.",
    "kimi": "◁think▷Two and two.◁/think▷Four.",
    "kimi, opened in the prompt": "Two and two.\n◁/think▷\nFour.",
}
NONE = {
    "not closed": "<think>Two and two. Four.",
    "in the middle": "Four.<think>Two and two.</think>",
    "spoken of": "It writes </think> where the thought ends.",
    "closed twice": "Two.\n</think>\nAnd two.\n</think>\nFour.",
    "in a block of code": "Print this:\n```\na\n</think>\n```\nDone.",
    "another channel": "<|channel|>analysis<|message|>I call.<|end|><|start|>assistant<|channel|>commentary"
    "<|message|>{}<|call|>",
    "html": "<p>Four.</p>",
    "empty": "",
}


@pytest.mark.parametrize("text", INLINE.values(), ids=INLINE)
def test_every_spelling_is_parted_into_thought_and_answer(text: str) -> None:
    parts = read_thought(text)
    assert parts is not None
    assert (parts.thought, parts.answer) == ("Two and two.", "Four.")
    assert "".join(parts) == text


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_is_not_closed_in_front_of_the_answer_is_part_of_it(text: str) -> None:
    assert read_thought(text) is None
    (target,) = detect(("instruction", "output")).targets({"instruction": "Add.", "output": text})
    assert (target.pair.response, target.pair.thought, target.answer) == (text, "", text)


def _shapes(text: str) -> dict[str, dict[str, object]]:
    question = {"role": "user", "content": "Add."}
    answer = {"role": "assistant", "content": text}
    return {
        "alpaca": {"instruction": "Add.", "input": "", "output": text},
        "prompt_completion": {"prompt": "Add.", "completion": text},
        "conversational": {"prompt": [question], "completion": [answer]},
        "messages": {"messages": [question, answer]},
        "sharegpt": {"conversations": [{"from": "human", "value": "Add."}, {"from": "gpt", "value": text}]},
        "columns of messages": {"messages": {"role": ["user", "assistant"], "content": ["Add.", text]}},
        "one part": {"messages": [question, {"role": "assistant", "content": [{"type": "text", "text": text}]}]},
        "json": {"messages": json.dumps([question, answer])},
        "preference": {"prompt": "Add.", "chosen": text, "rejected": "Five."},
        "preference in messages": {"chosen": [question, answer], "rejected": [question, answer]},
    }


@pytest.mark.parametrize("text", INLINE.values(), ids=INLINE)
@pytest.mark.parametrize("shape", _shapes(""))
def test_each_shape_reads_the_answer_alone_and_writes_it_between_what_stands_around_it(shape: str, text: str) -> None:
    row = _shapes(text)[shape]
    view = detect(tuple(row))
    target = view.targets(row)[-1]
    assert (target.pair.instruction, target.pair.thought, target.pair.response) == ("Add.", "Two and two.", "Four.")
    assert view.pairs(row)[-1] == target.pair
    assert target.answer == text
    assert target.response is not None
    assert target.thought is not None
    (path,) = target.response.paths
    for slot, old, new in ((target.response, "Four.", "It is 4."), (target.thought, "Two and two.", "2 + 2.")):
        assert {**row, **write(row, {path: slot.whole(old)})} == row
        assert slot.whole(new) == text.replace(old, new)


BESIDE = [
    *({"role": "assistant", "content": "Four.", key: "Two and two."} for key in ("reasoning_content", "reasoning")),
    {"role": "assistant", "thinking": "Two and two.", "content": "Four."},
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "Two and two."}, "Four."]},
    {
        "role": "assistant",
        "content": [{"type": "reasoning", "text": "Two and two."}, {"type": "text", "text": "Four."}],
    },
    {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Two and two."}]}, "Four."],
    },
    {
        "role": "assistant",
        "content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Two and two."}]}, "Four."],
    },
]


@pytest.mark.parametrize("message", BESIDE)
def test_a_thought_beside_the_content_is_read_with_its_own_place(message: dict[str, object]) -> None:
    row = {"messages": [{"role": "user", "content": "Add."}, message]}
    (target,) = detect(("messages",)).targets(row)
    assert (target.pair.thought, target.pair.response) == ("Two and two.", "Four.")
    assert target.thought is not None
    (path,) = target.thought.paths
    changed = {**row, **write(row, {path: target.thought.whole("2 + 2.")})}
    assert json.dumps(changed) == json.dumps(row).replace("Two and two.", "2 + 2.")


def test_columns_of_messages_may_have_one_of_thoughts() -> None:
    row = {"messages": {"role": ["user", "assistant"], "content": ["Add.", "Four."], "reasoning": [None, "2 + 2."]}}
    (target,) = detect(("messages",)).targets(row)
    assert (target.pair.thought, target.pair.response) == ("2 + 2.", "Four.")
    assert target.thought is not None
    assert target.thought.paths == (("messages", "reasoning", 1),)


def test_the_same_thought_in_two_places_counts_once_and_another_is_put_before_it() -> None:
    def pair(beside: str) -> Pair:
        message = {"role": "assistant", "reasoning_content": beside, "content": "<think>So.</think>Four."}
        return detect(("messages",)).pairs({"messages": [{"role": "user", "content": "Add."}, message]})[-1]

    assert pair("So.").thought == "So."
    assert pair("First.").thought == "First.\n\nSo."


def test_an_empty_thought_is_none_and_its_tags_stay() -> None:
    row = {"instruction": "Add.", "input": "", "output": "<think>\n\n</think>\n\nFour.</s>"}
    out = hfclean.revise(row)
    assert out["output"] == "<think>\n\n</think>\n\nFour."
    assert hfclean.restore({**row, **out}) == row


def test_a_user_has_no_thoughts_and_history_keeps_its_turns_as_they_stand() -> None:
    text = INLINE["think"]
    turns = [("user", text), ("assistant", text), ("user", "And now?"), ("assistant", text)]
    row = {"messages": [{"role": role, "content": content} for role, content in turns]}
    (target,) = detect(("messages",)).targets(row)
    assert [turn.text for turn in target.pair.history] == [text, text]
    assert [turn.text for turn in target.turns] == [text, text, "And now?"]
    assert [t.pair.response for t in detect(("messages",)).targets(row, turns="all")] == ["Four.", "Four."]


def test_rules_repair_the_answer_and_leave_the_thought() -> None:
    thought = "<think>\nI  think  think that</s>\n</think>\n\n"
    row = {"instruction": "Name a fruit.", "input": "", "output": f"{thought}An apple.</s>"}
    out = hfclean.revise(row)
    assert (out["output"], out["edit_reason"]) == (f"{thought}An apple.", "chat_markers")
    assert hfclean.restore({**row, **out}) == row


def test_a_repair_that_alters_a_thought_is_undone() -> None:
    before = Pair("Add.", "", "Four</s>", thought="Two and two.")
    after = allowed(before, before.replace(response="Four", thought=""))
    assert after == before.replace(response="Four")


def test_scores_are_those_of_the_answer() -> None:
    row = {"instruction": "Name a fruit that grows on trees.", "input": "", "output": "An apple grows on trees."}
    thinking = {**row, "output": "<think>\nSome long thought about pears.\n</think>\n\n" + row["output"]}
    assert hfclean.score(thinking) == hfclean.score(row)


def test_verifiers_take_the_thought_from_the_pair_or_from_the_response() -> None:
    thought = "2 + 2 = 5, so the answer is 5."
    by_hand = Pair("Add 2 and 2.", "", f"<think>{thought}</think>\\boxed{{4}}")
    read = Pair("Add 2 and 2.", "", "\\boxed{4}", thought=thought)
    assert [(f.check, f.field, f.found) for f in verify(by_hand)] == [
        (f.check, f.field, f.found) for f in verify(read)
    ]
    assert {f.check for f in verify(read)} == {"wrong_sum", "answers_disagree"}
    assert split_thought(by_hand) == (thought, "\\boxed{4}", len(by_hand.response) - len("\\boxed{4}"))
    assert split_thought(read) == (thought, "\\boxed{4}", 0)


def test_the_gate_refuses_a_pair_without_its_thought() -> None:
    before = Pair("Add 2 and 2.", "", "It is four.", thought="Two and two make four, since one and one make two.")
    assert accept(before, before.replace(response="It is four, as 2 + 2 = 4.")) == []
    assert "thought_lost" in accept(before, before.replace(response="The sum is four.", thought=""))
    by_hand = before.replace(response=with_thought(before), thought="")
    assert "thought_lost" in accept(by_hand, by_hand.replace(response="The sum is four."))


def test_another_way_of_reading_is_another_fingerprint() -> None:
    state = hfclean.revise.__getstate__()
    assert state["reading"] == 3
    assert pickle.loads(pickle.dumps(hfclean.revise)) == hfclean.revise


TEXTS = st.text(alphabet="ab \n.<>/|", max_size=30)
MARKS = st.sampled_from(
    (
        *("<think>", "</think>", "[THINK]", "[/THINK]", "<|channel|>analysis<|message|>", "<|end|>", "<|return|>"),
        *("<|start|>assistant", "<|channel|>final<|message|>", "<|begin_of_thought|>", "<|end_of_thought|>"),
        *("<|begin_of_solution|>", "<|end_of_solution|>", "◁think▷", "◁/think▷", "```\n", "\n", " "),
    )
)


@given(st.lists(st.one_of(TEXTS, MARKS), max_size=9).map("".join))
def test_the_parts_of_any_text_put_together_are_the_text(text: str) -> None:
    parts = read_thought(text)
    if parts is not None:
        assert "".join(parts) == text
        assert parts.thought == parts.thought.strip()
    thought, answer, start = split_thought(Pair("", "", text))
    assert text[start : start + len(answer)] == answer
    assert parts is not None or thought == ""


@pytest.mark.parametrize("unit", ["<think>", "</think>\n", " ", "<|end|>", "\n", "<|begin_of_thought|>", "[THINK]"])
def test_a_megabyte_of_markers_is_read(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    parts = read_thought(text)
    assert parts is None or "".join(parts) == text


# --------------------------------------------------------------------------------------------------- revising thoughts

SUM = "<think>\nTwo and too make four, since one and one make two.\n</think>\n\nFour"
REVISION = "[Thought]\nTwo and two make four, since one and one make two.\n\\[Thought]\n[Response]\nIt is four.\n[End]"


def test_a_reviser_neither_sees_nor_changes_a_thought() -> None:
    model = ScriptedBackend(["[Response]\nIt is four.\n[End]"])
    row = {"instruction": "Add two and two.", "input": "", "output": SUM}
    out = hfclean.Reviser(model, revise="response")(row)
    assert out["output"] == SUM.replace("Four", "It is four.")
    assert "too make" not in "".join(message.content for message in model.asked[0])
    assert hfclean.restore({**row, **out}) == row


def test_a_thought_is_revised_with_its_response_on_request() -> None:
    rows: list[dict[str, Any]] = [
        {"instruction": "Add two and two.", "input": "", "output": SUM},
        {
            "messages": [
                {"role": "user", "content": "Add two and two."},
                {"role": "assistant", "content": "Four", "reasoning": SUM[8:-16]},
            ]
        },
    ]
    for row in rows:
        model = ScriptedBackend([REVISION])
        out = hfclean.Reviser(model, revise="thought")(row)
        assert (out["edit"], out["edit_reason"]) == ("revised", "reviser")
        (target,) = detect(tuple(row)).targets({**row, **out})
        assert target.pair.thought == "Two and two make four, since one and one make two.\n[Thought]"
        assert target.pair.response == "It is four."
        assert "too make" in model.asked[0][0].content
        assert hfclean.restore({**row, **out}) == row
    plain = {"instruction": "Add two and two.", "input": "", "output": "Four"}
    out = hfclean.Reviser(ScriptedBackend(["[Response]\nIt is four.\n[End]"]), revise="thought")(plain)
    assert out["output"] == "It is four."


def test_a_dropped_thought_is_refused() -> None:
    row = {"instruction": "Add two and two.", "input": "", "output": SUM}
    out = hfclean.Reviser(ScriptedBackend(["[Thought]\nSo.\n[Response]\nIt is four.\n[End]"]), revise="thought")(row)
    assert (out["edit"], out["edit_reason"]) == ("reverted", "thought_lost")


# ------------------------------------------------------------------------------------------------- answers of models

PLAIN = "[Response]\nFour.\n[End]"
MISSPELLED = ("<think>Two.</thinking>\nFour.", "<THINK>Two.</think>\nFour.", "<reasoning>Two.</Thought>Four.")


@pytest.mark.parametrize("text", [*INLINE.values(), *MISSPELLED])
def test_a_models_answer_is_read_without_its_thought_in_every_spelling(text: str) -> None:
    told = without_thought(text)
    assert told is not None
    assert told.strip() == "Four."
    graded = text.replace("Two and two.", "Score: 2\nI go on.").replace("Two.", "Score: 2\n").replace("Four.", "4.5")
    assert read_scores(graded, RUBRICS["alpagasus"]).scores == {"accuracy": 4.5}
    revised = text.replace("Two", "[Response]\nFive.\n[End]\nTwo").replace("Four.", PLAIN)
    pair = Pair("What is 2 + 2?", "", "4")
    assert read_rewriting(revised, pair, whole=False).texts == {"response": "Four."}
    if text.lstrip()[0] in "<[◁" and "opened" not in text:
        assert decode(revised, ("response",)) == {"response": "Four."}


@pytest.mark.parametrize("text", ["<think>Score: 2\n[Response]\nFour.\n[End]", "◁think▷Score: 2", "<think>"])
def test_an_answer_whose_thought_does_not_end_is_refused(text: str) -> None:
    assert without_thought(text) is None
    assert read_scores(text, RUBRICS["alpagasus"]).reason == "unparsed"
    assert read_rewriting(text, Pair("What is 2 + 2?", "", "4"), whole=False).reason == "unparsed"


def test_a_marker_that_the_model_was_shown_may_be_a_part_of_its_answer() -> None:
    text = "Draft:\n</think>\nFour."
    assert without_thought(text) == "Four."
    assert without_thought(text, "Explain </THINK> to me.") == text
    assert without_thought("Four.\n</think>\nFive.\n</think>\nSix.") == "Four.\n</think>\nFive.\n</think>\nSix."


@given(st.text(st.sampled_from("<>/think[]THINK◁▷\n a")))
def test_what_is_left_of_a_models_answer_is_its_end(text: str) -> None:
    told = without_thought(text)
    assert told is None or told in text
