"""Rows as a whole: what only shows between messages, or between them and other columns."""

import json

import pytest

import hfclean
from hfclean.schema import Call, Result, detect, whole_row

TOOLS = '[{"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]'


def _whole(row):
    view = detect(row)
    return whole_row(row, view, view.pairs(row)[-1])


def test_calls_and_results_are_read_in_every_spelling():
    call = Call("weather", '{"city": "Graz"}', "c1")
    function = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Graz"}'}}
    part = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Graz"}}
    turns = {
        "openai": {"role": "assistant", "content": None, "tool_calls": [function]},
        "parts": {"role": "assistant", "content": [part]},
        "text": {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Graz"}}'},
    }
    found = {}
    for name, turn in turns.items():
        column = "conversations" if "from" in turn else "messages"
        (said,) = _whole({column: [turn], "tools": TOOLS}).messages
        assert said.role == "assistant"
        found[name] = said.calls
    assert found["openai"] == (call,)
    assert found["parts"] == (call._replace(arguments={"city": "Graz"}),)
    assert found["text"] == (Call("weather", {"city": "Graz"}),)
    result = {"role": "tool", "content": "rain", "tool_call_id": "c1", "name": "weather"}
    whole = _whole({"messages": [turns["openai"], result], "tools": TOOLS})
    assert whole.tools == TOOLS
    assert (whole.messages[1].role, whole.messages[1].results) == ("tool", (Result("c1", "weather"),))


def test_both_sides_of_a_preference_row_and_its_truth():
    row = {
        "prompt": [{"role": "user", "content": "2+2?"}],
        "chosen": [{"role": "assistant", "content": "4"}],
        "rejected": [{"role": "assistant", "content": "5"}],
        "ground_truth": "4",
    }
    whole = _whole(row)
    assert [said.text for said in whole.messages] == ["2+2?", "4"]
    assert [said.text for said in whole.other] == ["2+2?", "5"]
    assert (whole.rejected.response, whole.truths) == ("5", ("4",))


def test_a_conversation_that_ends_with_the_user_is_found_and_lowers_its_scores():
    turns = [("user", "Hi"), ("assistant", "Hello!"), ("user", "How are you?")]
    messages = [{"role": role, "content": text} for role, text in turns]
    (finding,) = hfclean.verify({"messages": messages}, only=["last_turn_unanswered"])
    assert (finding.field, finding.turn, finding.found) == ("messages", 2, "How are you?")
    ended = hfclean.score({"messages": messages[:2]})
    open_end = hfclean.score({"messages": messages})
    assert (ended["defects"], open_end["defects"]) == ("", "last_turn_unanswered")
    assert open_end["rating"] == ended["rating"] * 0.95


ASKED = [{"role": "user", "content": "Does it rain in Graz?"}, {"role": "assistant", "content": "It rains."}]
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": 7}'}}
STEPS = [{"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": "rain"}]


@pytest.mark.parametrize("name", ["trace", "trajectory"])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_trace_of_messages_is_checked_as_messages_are(name, as_json):
    trace = json.dumps(STEPS) if as_json else STEPS
    rows = (
        {"messages": ASKED, "tools": TOOLS, name: trace},
        {"prompt": "Does it rain in Graz?", "completion": "It rains.", "tools": TOOLS, name: trace},
        {"instruction": "Does it rain in Graz?", "output": "It rains.", "tools": TOOLS, name: trace},
    )
    for row in rows:
        found = [(each.check, each.field, each.turn) for each in hfclean.verify(row)]
        assert found == [("tool_arguments_invalid", "trace", 0)]
        assert hfclean.score(row)["defects"] == "tool_arguments_invalid"
        assert hfclean.verify({key: value for key, value in row.items() if key != name}) == []


def test_findings_in_a_trace_are_those_of_the_order_of_its_turns():
    twice = [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Hello?"}]
    thought = [{"role": "assistant", "content": "<think>\n\n</think>\n\nIt rains."}]
    late = [*ASKED, {"role": "system", "content": "Be brief."}]
    stray = [ASKED[0], {"role": "tool", "content": "rain", "tool_call_id": "c9"}]
    for trace, check in (
        (twice, "same_role_twice"), (thought, "thought_empty"), (late, "system_in_middle"),
        (stray, "tool_result_unmatched"),
    ):  # fmt: skip
        found = hfclean.verify({"messages": ASKED, "trace": trace})
        assert [(each.check, each.field) for each in found] == [(check, "trace")]


@pytest.mark.parametrize(
    "trace",
    [
        None, [], "", "I looked it up.", ["step"], [STEPS[0], "step"], {"role": "tool"}, 7, "[" * 5000,
        [{"type": "user", "message": STEPS[1]}], [{"role": "planner", "content": "x"}], [{**STEPS[1], "role": 3}],
        [{"role": "user", "content": "Does it rain in Graz?"}], ASKED,
    ],
)  # fmt: skip
def test_a_trace_in_another_form_or_a_part_of_a_conversation_is_left_alone(trace):
    row = {"messages": ASKED, "tools": TOOLS, "trace": trace}
    assert hfclean.verify(row) == []
    assert hfclean.score(row)["defects"] == ""


def test_a_trace_that_repeats_the_messages_has_no_finding_twice():
    messages = [*ASKED[:1], *STEPS, ASKED[1]]
    found = hfclean.verify({"messages": messages, "trace": messages, "tools": TOOLS})
    assert [(each.check, each.field) for each in found] == [("tool_arguments_invalid", "messages")]
