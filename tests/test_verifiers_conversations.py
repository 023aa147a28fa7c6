"""Conversations whose turns do not follow each other as those of people and assistants do."""

from typing import Any

import pytest

import hfclean
from hfclean.verifiers.conversations import CONVERSATION_VERIFIERS

IDS = [verifier.id for verifier in CONVERSATION_VERIFIERS]
ROLES = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}


def found(*turns: Any) -> list[str]:
    """The findings in turns such as `"u Hi"`, or in whole messages."""
    messages = [{"role": ROLES[turn[0]], "content": turn[2:]} if isinstance(turn, str) else turn for turn in turns]
    return [finding.check for finding in hfclean.verify({"messages": messages}, only=IDS)]


@pytest.mark.parametrize(
    ("turns", "ids"),
    [
        (("u Hi", "a Hello!"), []),
        (("s Be brief.", "s Be kind.", "u Hi", "a Hello!"), []),
        (("a Hello!", "u Hi", "a How are you?"), []),
        (("u ", "a Hello!"), ["first_turn_empty"]),
        (("s Be brief.", "u  \n", "a Hello!", "u Hi", "a Yes?"), ["first_turn_empty"]),
        (("u Hi", "a Hello!", "u ", "a Yes?"), []),
        (("u Hi", "a Hello!", "u Are you there?"), ["last_turn_unanswered"]),
        (("u Hi",), []),
        (("u Hi", "u Are you there?", "a Yes."), ["same_role_twice"]),
        (("u Hi", "a Hello!", "a How are you?"), ["same_role_twice"]),
        (("u Hi", "a Hello!", "a How?", "a And why?"), ["same_role_twice"]),
        (("u Hi", "a Hello!", "s Be brief.", "u Why?", "a So."), ["system_in_middle"]),
        (("u Hi", "s Be brief.", "a Hello!"), ["system_in_middle"]),
    ],
)
def test_what_is_wrong_with_the_turns_is_named(turns: tuple[str, ...], ids: list[str]) -> None:
    assert found(*turns) == ids


CALL = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "{}"}}]}


def test_a_result_that_nobody_answers_is_one_too() -> None:
    result = {"role": "tool", "tool_call_id": "1", "content": "rain"}
    assert found("u Rain?", CALL, result) == ["last_turn_unanswered"]
    assert found("u Rain?", CALL, result, "a Yes.") == []
    part = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "rain"}]}
    assert found("u Rain?", CALL, part) == ["last_turn_unanswered"]
    row = {"messages": [{"role": "user", "content": "Rain?"}, CALL, result]}
    (finding,) = hfclean.verify(row, only=IDS)
    assert (finding.turn, finding.sentence) == (2, "the last turn is the result of a tool: no answer comes of it")


def test_results_pictures_and_people_with_names_are_not_turns_of_one_role() -> None:
    result = {"role": "tool", "tool_call_id": "1", "content": "rain"}
    assert found("u Rain?", CALL, result, result, "a Yes.") == []
    assert found("u Rain?", "a I look.", CALL, result, "a Yes.") == []
    picture = {"role": "user", "content": [{"type": "image"}]}
    assert found(picture, "a A cat.") == []
    assert found(picture, "u What is it?", "a A cat.") == []
    ann, ben = ({"role": "user", "name": name, "content": f"I am {name}."} for name in ("Ann", "Ben"))
    assert found(ann, ben, "a Hello both!") == []
    thought = {"role": "assistant", "content": "", "reasoning_content": "A greeting."}
    assert found("u Hi", thought, "a Hello!") == []


def test_columns_of_text_and_prompts_with_nobody_to_answer_have_no_such_defects() -> None:
    assert hfclean.verify({"instruction": "", "input": "", "output": "Hello!"}, only=IDS) == []
    prompt = [{"role": "user", "content": "2+2?"}]
    row = {"prompt": prompt, "chosen": [{"role": "assistant", "content": "4"}]}
    assert hfclean.verify({**row, "rejected": [{"role": "assistant", "content": "5"}]}, only=IDS) == []


def test_what_is_said_of_two_turns_of_one_role() -> None:
    def sentences(*turns: str) -> list[str]:
        messages = [{"role": ROLES[turn[0]], "content": turn[2:]} for turn in turns]
        return [finding.sentence for finding in hfclean.verify({"messages": messages}, only=IDS)]

    assert sentences("u Hi", "u Why?", "a So.") == ["two turns of the user follow each other"]
    assert sentences("u Hi", "a So.", "a And so.") == ["two turns of the assistant follow each other"]


def test_calls_results_and_pictures_may_stand_before_or_behind_the_text_of_their_turn() -> None:
    result = {"role": "tool", "tool_call_id": "1", "content": "rain"}
    spoken = {**CALL, "content": "I look."}
    assert found("u Rain?", spoken, "a Wait.", result, "a Yes.") == []
    assert found("u Rain?", "a Wait.", spoken, result, "a Yes.") == []
    picture = {"role": "user", "content": [{"type": "image"}]}
    assert found("u What is it?", picture, "a A cat.") == []
    returned = {"type": "tool_result", "tool_use_id": "1", "content": "rain"}
    blank, asked = ({"role": "user", "content": [returned, {"type": "text", "text": text}]} for text in (" ", "So?"))
    assert found(blank, "a Hello!") == []
    (finding,) = hfclean.verify({"messages": [{"role": "user", "content": "Rain?"}, CALL, asked]}, only=IDS)
    assert finding.sentence == "the last turn is the result of a tool: no answer comes of it"


def test_what_is_found_differently_than_before_has_another_version() -> None:
    assert {each.id: each.version for each in CONVERSATION_VERIFIERS} == {
        "first_turn_empty": 1,
        "last_turn_unanswered": 2,
        "same_role_twice": 2,
        "system_in_middle": 2,
    }


def test_an_empty_message_of_the_system_in_the_middle_is_none() -> None:
    assert found("u Hi", "s ", "a Hello!") == []


def test_a_first_turn_that_is_a_result_is_not_empty() -> None:
    part = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": ""}]}
    assert found(part, "a Hello!") == []
