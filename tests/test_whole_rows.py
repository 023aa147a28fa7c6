"""Rows as a whole: what only shows between messages, or between them and other columns."""

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
