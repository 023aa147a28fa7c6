"""Tool calls: what is called, with which arguments, and whether each call and each result has its other half."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from extras import needs

import hfclean
from hfclean.schema import Call, detect, whole_row
from hfclean.verifiers import arguments
from hfclean.verifiers.tools import TOOL_VERIFIERS

IDS = [verifier.id for verifier in TOOL_VERIFIERS]
WEATHER = {
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
        },
        "required": ["city"],
    },
}
NEWS = {"name": "news", "parameters": {"type": "object", "properties": {}}}
GOOD = {"city": "Graz", "days": 2}
BAD = {"city": 7}


def user(text: Any = "Will it rain in Graz?") -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str = "It rains.") -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def calls(*given: Any, name: str = "weather", first: int = 1) -> dict[str, Any]:
    listed = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": each}}
        for n, each in enumerate(given, first)
    ]
    return {"role": "assistant", "content": None, "tool_calls": listed}


def result(ident: str = "c1", **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": ident, "content": "rain", **more}


def found(*messages: dict[str, Any], tools: Any = (WEATHER, NEWS), column: str = "messages") -> list[str]:
    row = {column: list(messages), "tools": list(tools) if isinstance(tools, tuple) else tools}
    return [finding.check for finding in hfclean.verify(row, only=IDS)]


def whole(*messages: dict[str, Any], tools: Any = None) -> Any:
    row = {"messages": list(messages), "tools": tools}
    view = detect(row)
    return whole_row(row, view, view.pairs(row)[-1])


# ------------------------------------------------------------------------------------------------------- spellings

AS_TEXT = {
    "hermes": '<tool_call>\n{"name": "weather", "arguments": %s}\n</tool_call>',
    "hermes, unclosed": 'I look it up.\n<tool_call>{"name": "weather", "arguments": %s}',
    "llama": '<|python_tag|>{"type": "function", "name": "weather", "parameters": %s}<|eom_id|>',
    "llama 3.2": '{"name": "weather", "parameters": %s}',
    "function tag": "<function=weather>%s</function>",
    "mistral": '[TOOL_CALLS] [{"name": "weather", "arguments": %s}]</s>',
    "mistral, later": "[TOOL_CALLS]weather[CALL_ID]a1b2c3d4e[ARGS]%s",
    "harmony": "<|channel|>commentary to=functions.weather <|constrain|>json<|message|>%s<|call|>",
    "harmony, in the header": "<|start|>assistant to=functions.weather<|channel|>commentary json<|message|>%s<|call|>",
    "deepseek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n%s\n```"
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "deepseek, later": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>%s<｜tool▁call▁end｜>",
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>%s"
    "<|tool_call_end|><|tool_calls_section_end|>",
}
AS_PART = {
    "tool_use": lambda given: {"type": "tool_use", "id": "c1", "name": "weather", "input": given},
    "tool_call": lambda given: {"type": "tool_call", "id": "c1", "name": "weather", "arguments": given},
    "tool_call in value": lambda given: {
        "type": "tool_call",
        "value": json.dumps({"name": "weather", "arguments": given}),
    },
    "tool_call inside": lambda given: {
        "type": "tool_call",
        "tool_call": {"id": "c1", "function": {"name": "weather", "arguments": json.dumps(given)}},
    },
    "toolCall": lambda given: {"type": "toolCall", "id": "c1", "name": "weather", "arguments": given},
    "functionCall": lambda given: {"functionCall": {"name": "weather", "args": given}},
    "responses": lambda given: {
        "type": "function_call",
        "id": "fc_9",
        "call_id": "c1",
        "name": "weather",
        "arguments": json.dumps(given),
    },
}


@pytest.mark.parametrize("form", AS_TEXT)
def test_a_call_inside_a_text_is_read_in_every_template(form: str) -> None:
    (call,) = whole(user(), says(AS_TEXT[form] % json.dumps(GOOD))).messages[1].calls
    given = json.loads(call.arguments) if isinstance(call.arguments, str) else call.arguments
    assert (call.name, given, call.kind) == ("weather", GOOD, "text")
    assert found(user(), says(AS_TEXT[form] % json.dumps(GOOD)), result(""), says()) == []
    assert found(user(), says(AS_TEXT[form] % json.dumps(BAD)), result(""), says()) == ["tool_arguments_invalid"]
    assert found(user(), says(AS_TEXT[form] % '{"city": Graz}'), result(""), says())[:1] == (
        [] if form == "llama 3.2" else ["tool_arguments_invalid"]
    )


@pytest.mark.parametrize("form", AS_PART)
def test_a_typed_part_is_read_in_every_spelling(form: str) -> None:
    part = AS_PART[form]
    (call,) = whole(user(), {"role": "assistant", "content": [part(GOOD)]}).messages[1].calls
    given = json.loads(call.arguments) if isinstance(call.arguments, str) else call.arguments
    assert (call.name, given, call.kind) == ("weather", GOOD, "structured")
    assert call.id == ("" if form in ("tool_call in value", "functionCall") else "c1")
    turn = {"role": "assistant", "content": [{"type": "text", "text": "One moment."}, part(BAD)]}
    assert found(user(), turn, result(), says()) == ["tool_arguments_invalid"]


def test_calls_in_xml_are_known_by_name_and_their_values_are_not_judged() -> None:
    coder = "<tool_call>\n<function=weather>\n<parameter=city>\nGraz\n</parameter>\n<parameter=days>\n2\n</parameter>"
    coder += "\n</function>\n</tool_call>"
    glm = "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Graz</arg_value>\n</tool_call>"
    for text, given in ((coder, {"city": "Graz", "days": "2"}), (glm, {"city": "Graz"})):
        assert whole(user(), says(text)).messages[1].calls == (Call("weather", given, kind="strings"),)
        assert found(user(), says(text), result(""), says()) == []
        assert found(user(), says(text.replace("city", "town")), result(""), says()) == ["tool_arguments_invalid"] * 2


def test_calls_in_a_thought_in_code_or_in_talk_about_them_are_none() -> None:
    call = AS_TEXT["hermes"] % '{"town": 1}'
    for text in (
        f"<think>Shall I write {call}?</think>Yes.",
        f"Write it like this:\n```\n{call}\n```\n",
        "Calls stand in `<tool_call>` tags.",
        'The form is <tool_call>{"name": <function-name>, "arguments": <args>}</tool_call>.',
        "<tool_call>...</tool_call>",
    ):
        assert whole(user(), says(text)).messages[1].calls == (), text
        assert found(user(), says(text)) == [], text


def test_sharegpt_calls_are_read_alone_in_lists_and_one_after_another() -> None:
    one, other = ({"name": "weather", "arguments": {"city": city}} for city in ("Graz", "Linz"))
    for value in (json.dumps([one, other]), f"{json.dumps(one)}\n{json.dumps(other)}"):
        turns = [
            {"from": "human", "value": "Rain?"},
            {"from": "function_call", "value": value},
            {"from": "observation", "value": '["rain", "sun"]'},
            {"from": "gpt", "value": "In Graz."},
        ]
        assert found(*turns, column="conversations") == []
        assert found(*turns[:2], turns[3], column="conversations") == ["tool_call_unanswered"] * 2
        assert found(*turns[:1], *turns[2:], column="conversations") == ["tool_result_unmatched"]
        turns[1] = {**turns[1], "value": value.replace('"Graz"', '"Graz')}
        assert found(*turns, column="conversations") == ["tool_arguments_invalid"]
    action = {"from": "function_call", "value": "Action: weather\nAction Input: Graz"}  # spelled as nobody knows
    assert found(turns[0], action, *turns[2:], column="conversations") == []


# ------------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ('{"city": "Graz"', "the arguments of 'weather' are not JSON: Expecting ',' delimiter at character 15"),
        ("{'city': 'Graz'}", "the arguments of 'weather' are not JSON: Expecting property name enclosed in double"),
        ('["Graz"]', "the arguments of 'weather' are a list; expected an object"),
        ('"{}"', "the arguments of 'weather' are a string; expected an object"),
        ("", "'weather': the required argument 'city' is missing"),
        ({"days": 2}, "'weather': the required argument 'city' is missing"),
        ({"city": "Graz", "town": 1}, "'weather': the argument 'town' is not declared"),
        ({"city": "Graz", "days": "2"}, "'weather': 'days' is '2'; expected integer"),
        ({"city": "Graz", "days": 2.5}, "'weather': 'days' is 2.5; expected integer"),
        ({"city": "Graz", "days": True}, "'weather': 'days' is True; expected integer"),
        ({"city": "Graz", "unit": "K"}, "'weather': 'unit' is 'K'; expected one of 'celsius', 'kelvin'"),
    ],
)
def test_what_is_wrong_with_arguments_is_said(given: Any, sentence: str) -> None:
    row = {"messages": [user(), calls(given), result(), says()], "tools": [WEATHER]}
    (finding,) = hfclean.verify(row, only=IDS)
    assert (finding.check, finding.field, finding.turn, finding.line) == ("tool_arguments_invalid", "messages", 1, 0)
    assert finding.sentence.replace("Illegal trailing comma", "Expecting").startswith(sentence)


def test_what_the_library_adds() -> None:
    needs("verify", "jsonschema")
    bounded = {"properties": {"days": {"type": "integer", "minimum": 1, "maximum": 9}}}
    tools = [{"name": "weather", "parameters": bounded}]
    assert found(user(), calls({"days": 10}), result(), says(), tools=tools) == ["tool_arguments_invalid"]
    assert found(user(), calls({"days": 9}), result(), says(), tools=tools) == []
    either = {"properties": {"day": {"anyOf": [{"type": "integer"}, {"enum": ["today"]}]}}}
    tools = [{"name": "weather", "parameters": either}]
    assert found(user(), calls({"day": 1}), calls({"day": "today"}), tools=tools) == []
    assert found(user(), calls({"day": "soon"}), tools=tools) == ["tool_arguments_invalid"]


@pytest.mark.parametrize("library", [True, False])
@pytest.mark.parametrize(
    "given",
    [
        {"city": "Graz", "days": 2.0},
        {"city": "Graz", "days": None, "other": None},
        {"city": "Graz", "unit": "Celsius"},
        '{"city": "Graz"}',
    ],
)
def test_arguments_that_will_do_give_no_finding(given: Any, library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if library:
        needs("verify", "jsonschema")
    else:
        monkeypatch.setattr(arguments, "_validator", lambda: None)
    assert found(user(), calls(given), result(), says()) == []


@pytest.mark.parametrize("library", [True, False])
def test_types_are_read_in_the_words_of_any_language(library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if library:
        needs("verify", "jsonschema")
    else:
        monkeypatch.setattr(arguments, "_validator", lambda: None)
    right: dict[str, list[Any]] = {
        "float": [1, 1.5],
        "dict": [{"a": 1}],
        "tuple": [[1, 2]],
        "any": [1, "a", [1], {}],
        "List[int]": [[1]],
        "str, optional": ["a"],
        "Optional[int]": [1],
        "int | string": [1, "a"],
        "STRING": ["a"],
        "Callable[[float], float]": ["x", 1],
        "no such type": ["x", 1],
    }
    wrong: dict[str, list[Any]] = {
        "float": ["1", True, [1]],
        "dict": ["a", [1]],
        "tuple": ["(1, 2)", {"a": 1}],
        "List[int]": ["[1]", 1],
        "str, optional": [1],
        "int | string": [[1]],
        "STRING": [1],
    }
    for kind, values in right.items():
        schema = arguments.read_schema({"type": "dict", "properties": {"x": {"type": kind}}})
        assert [list(arguments.faults({"x": value}, schema)) for value in values] == [[]] * len(values), kind
    for kind, values in wrong.items():
        schema = arguments.read_schema({"type": "dict", "properties": {"x": {"type": kind}}})
        assert [len(list(arguments.faults({"x": value}, schema))) for value in values] == [1] * len(values), kind


def test_a_schema_is_judged_no_more_strictly_than_it_says() -> None:
    def ok(given: dict[str, Any], **schema: Any) -> bool:
        return not list(arguments.faults(given, arguments.read_schema(schema)))

    x = {"x": {"type": "integer"}}
    assert not ok({"y": 1}, properties=x)
    assert ok({"y": 1}, properties=x, additionalProperties=True)
    assert ok({"y": 1}, properties=x, patternProperties={"(a+)+$": {}})
    assert ok({"y": 1}, properties=x, allOf=[{"properties": {"y": {}}}])
    assert ok({"y": 1}, type="object")
    assert not ok({"y": 1}, type="object", properties={})
    assert ok({"x": 1}, properties=x, required=["x", "gone"])  # what is declared nowhere nobody can give
    assert ok(
        {"x": 7}, properties={"x": {"type": "integer", "enum": ["1", "2"]}}
    )  # an enumeration that Arrow made text
    assert ok({"x": "N/A"}, properties={"x": {"type": "string", "enum": ["a"], "default": "N/A"}})
    assert ok({"x": "zz"}, properties={"x": {"type": "string", "pattern": "^a$", "format": "date"}})
    assert ok({"x": "zz"}, properties={"x": {"not": {"pattern": "z"}}})
    assert ok({"x": "zz"}, properties={"x": {"oneOf": [{"pattern": "z"}, {"type": "string"}]}})
    assert ok({"x": {"y": 1}}, properties={"x": {"type": "object", "properties": {"z": {}}}})
    assert ok({"x": 1}, properties={"x": {"$ref": "https://example.com/schema.json"}})
    assert ok({"x": 1}, properties={"x": {"$ref": "#/$defs/gone"}})
    assert ok({"x": 1}, properties={"x": {"type": "integer", "enum": None, "minimum": None}}, required=None)


def test_references_inside_a_schema_are_followed_and_end() -> None:
    schema = {
        "properties": {"tree": {"$ref": "#/$defs/tree"}},
        "$defs": {"tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}}}},
    }
    read = arguments.read_schema(schema)
    assert list(arguments.faults({"tree": {"next": {"next": {}}}}, read)) == []
    assert len(list(arguments.faults({"tree": {"next": {"next": 1}}}, read))) == 1
    loop = {"properties": {"x": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert list(arguments.faults({"x": 1}, arguments.read_schema(loop))) == []


# ---------------------------------------------------------------------------------------------------- names of tools


def test_tools_are_read_in_every_spelling() -> None:
    bare = [WEATHER, NEWS]
    wrapped = [{"type": "function", "function": tool} for tool in bare]
    filled = [{**tool, "strict": None, "parameters": {**tool["parameters"], "items": None}} for tool in bare]
    for tools in (
        bare,
        wrapped,
        filled,
        json.dumps(bare),
        json.dumps(wrapped),
        [json.dumps(tool) for tool in wrapped],
        [{**tool, "parameters": json.dumps(tool["parameters"])} for tool in bare],
        [{"name": tool["name"], "input_schema": tool["parameters"]} for tool in bare],
        [{"name": tool["name"], "inputSchema": tool["parameters"]} for tool in bare],
        [{"functionDeclarations": bare}],
        {"functions": bare},
        [{"name": "weather", "parameters": WEATHER["parameters"]["properties"]}, NEWS],  # no `properties` around them
    ):
        assert found(user(), calls(GOOD), result(), says(), tools=tools) == [], tools
        assert found(user(), calls(BAD), result(), says(), tools=tools)[:1] == ["tool_arguments_invalid"], tools
        assert found(user(), calls({}, name="wether"), result(), says(), tools=tools) == ["tool_unknown"], tools


def test_tools_of_the_system_message_count_where_no_column_has_them() -> None:
    for system in (
        {"role": "system", "content": f"Call these: <tools>\n{json.dumps(WEATHER)}\n{json.dumps(NEWS)}\n</tools>"},
        {"role": "system", "content": "Call tools.", "tools": [WEATHER, NEWS]},
        {"role": "system", "content": [{"type": "tools", "value": json.dumps([WEATHER, NEWS])}]},
    ):
        assert found(system, user(), calls(GOOD), result(), says(), tools=None) == []
        assert found(system, user(), calls(BAD), result(), says(), tools=None) == ["tool_arguments_invalid"]
        assert found(system, user(), calls({}, name="wether"), result(), says(), tools=None) == ["tool_unknown"]


def test_a_tool_is_unknown_only_where_all_tools_are_known() -> None:
    call = calls({}, name="wether")
    for tools in ([], "", None, "weather and news", [WEATHER, {"type": "web_search"}], [WEATHER, "and others"]):
        assert found(user(), call, result(), says(), tools=tools) == [], tools
    named = {"role": "system", "content": "There is a tool wether as well."}
    assert found(named, user(), call, result(), says()) == []
    for name in ("math.hypot", "math_hypot", "functions.math.hypot"):  # templates write other characters for dots
        tools = [{"name": "math.hypot", "parameters": {}}]
        assert found(user(), calls({}, name=name), result(), says(), tools=tools) == []


# ---------------------------------------------------------------------------------------------------------- order


def test_calls_and_results_that_belong_together_give_no_finding() -> None:
    given = json.dumps(GOOD)
    assert found(user(), calls(given), result(), says()) == []
    assert found(user(), calls(given)) == []  # what is to be learned is the call
    assert found(user(), calls(given, given), result("c2"), result("c1"), says()) == []
    assert found(user(), calls(given), calls(given, first=2), result("c1"), result("c2"), says()) == []
    assert found(user(), calls(given), says("I look it up."), result(), says()) == []
    assert found(user(), calls(given), result(), says(), user(), calls(given), result(), says()) == []  # ids anew
    assert found(user(), calls(given), result(""), says()) == []
    both = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"c{n}"} for n in (1, 2)]}
    assert found(user(), calls(given, given), both, says()) == []
    several = {"role": "tool", "content": json.dumps([{"tool_call_id": f"c{n}", "output": "rain"} for n in (1, 2)])}
    assert found(user(), calls(given, given), several, says()) == []
    text = says(AS_TEXT["hermes"] % given)
    assert found(user(), text, user("<tool_response>\nrain\n</tool_response>"), says()) == []
    assert found(user(), text, user("OBSERVATION: rain"), says()) == []  # calls as text, results as turns


def test_calls_without_a_result_are_found() -> None:
    given = json.dumps(GOOD)
    assert found(user(), calls(given), says()) == ["tool_call_unanswered"]
    assert found(user(), calls(given), user("And Linz?"), says()) == ["tool_call_unanswered"]
    picture = user([{"type": "image_url", "image_url": {"url": "https://example.org/graz.png"}}])
    assert found(user(), calls(given), picture) == ["tool_call_unanswered"]
    assert found(user(), calls(given, given), result("c1"), says()) == ["tool_call_unanswered"]
    assert found(user(), calls(given, given), result("c1")) == ["tool_call_unanswered"]
    row = {"messages": [user(), calls(given, given), result("c1"), says()], "tools": [WEATHER]}
    (finding,) = hfclean.verify(row, only=IDS)
    assert (finding.turn, finding.found) == (1, "weather")
    assert finding.sentence == "the call of 'weather' has no result, and the conversation goes on"


def test_results_without_a_call_are_found() -> None:
    given = json.dumps(GOOD)
    assert found(user(), result("c1"), says()) == ["tool_result_unmatched"]
    assert found(result("c1"), says()) == ["tool_result_unmatched"]
    assert found(user(), calls(given), result("c9"), says()) == ["tool_call_unanswered", "tool_result_unmatched"]
    assert found(user(), calls(given), result("c1"), result("c2"), says()) == ["tool_result_unmatched"]
    assert found(user(), result("c1"), calls(given), says()) == ["tool_result_unmatched"]
    assert found(user(), {"role": "assistant", "content": ""}, result("c1"), says()) == ["tool_result_unmatched"]
    react = says("Action: weather[Graz]")
    assert found(user(), react, {"role": "tool", "content": "rain"}, says()) == []  # a call that nobody can read


def test_a_call_after_the_answer_is_found_and_one_after_an_announcement_is_not() -> None:
    given = json.dumps(GOOD)
    start = (user(), calls(given), result())
    again = calls(given, first=2)
    assert found(*start, says(), again) == ["tool_call_after_answer"]
    assert found(*start, says(), again, result("c2"), says()) == ["tool_call_after_answer"]
    for text in ("Let me look at Linz, too.", "I'll check Linz:", "Now I need to look at Linz", "接下来查一下林茨"):
        assert found(*start, says(text), again, result("c2"), says()) == [], text
    assert found(user(), says("Gladly."), calls(given), result(), says()) == []
    assert found(*start, says(), user("And Linz?"), again, result("c2"), says()) == []
    third = calls(given, first=3)  # who does it twice speaks between calls
    assert found(*start, says(), again, result("c2"), says(), third, result("c3"), says()) == []


# --------------------------------------------------------------------------------------------- bounds and failures


def test_hostile_rows_end_and_nothing_is_fetched_or_run() -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = {"a": deep}
    nested = "[" * 10_000 + "]" * 10_000
    assert found(user(), calls('{"city": ' + nested + "}"), result(), says()) == []
    assert found(user(), calls('{"city": ' + "1" * 6_000 + "}"), result(), says()) == []
    assert found(user(), calls(GOOD), result(), says(), tools="[" * 10_000 + "]" * 10_000) == []
    bomb = {"type": "object", "properties": {"city": {"type": "string", "pattern": "^(a+)+$"}}}
    tools = [{"name": "weather", "parameters": bomb}]
    assert found(user(), calls({"city": "a" * 60 + "!"}), result(), says(), tools=tools) == []
    doubling = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    doubling["d40"] = {"type": "integer"}
    schema = arguments.read_schema({"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": doubling})
    assert list(arguments.faults({"x": "a"}, schema)) == []  # larger than what is judged
    assert arguments.read_schema({"properties": {"x": deep}}).size <= arguments.LARGEST
    wide = {"properties": {f"p{n}": {"type": "string"} for n in range(10_000)}}
    assert arguments.read_schema(wide) == arguments.Schema({}, 1)


def test_many_tools_turns_and_markers_take_linear_time() -> None:
    tools = [{**WEATHER, "name": f"weather_{n}"} for n in range(500)]
    turns = [user()]
    for n in range(1_000):
        turns += [calls(json.dumps(GOOD), name=f"weather_{n % 500}", first=n), result(f"c{n}")]
    assert found(*turns, says(), tools=tools) == []
    assert found(*turns[:-1], says(), tools=tools) == ["tool_call_unanswered"]
    for text in ("<tool_call>" * 50_000, "<function=a" * 50_000, "to=x" * 50_000, "[TOOL_CALLS]" * 50_000):
        assert found(user(), says(text)) == []


def test_score_names_the_findings_and_lowers_its_ratings() -> None:
    row = {"messages": [user(), calls(BAD, name="wether"), says()], "tools": [WEATHER]}
    scored = hfclean.score(row)
    assert scored["defects"] == "tool_unknown tool_call_unanswered"
    right = hfclean.score({**row, "messages": [user(), calls(GOOD), result(), says()]})
    assert right["defects"] == ""
    bare = hfclean.score({"messages": row["messages"]})  # without tools, nobody can say that one is unknown
    assert bare["defects"] == "tool_call_unanswered"
    assert scored["rating"] == pytest.approx(bare["rating"] * 0.9)


# ------------------------------------------------------------------------------------------------------- real rows


@pytest.mark.realdata
def test_valid_calls_give_no_finding_and_broken_ones_are_found(realdata: Callable[[str], Path]) -> None:
    needs("verify", "jsonschema")
    bench = _benchmark()
    lines = realdata("tool_calls_bfcl.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines][::8]  # the benchmark has all
    alarms, table = bench.measure(questions)
    assert alarms.pop("rows") > 700
    assert not alarms
    assert all(hits >= 0.98 * total for hits, total in table.values()), table
    assert sum(total for _, total in table.values()) > 2_000


@pytest.mark.realdata
def test_real_rows_with_calls_have_the_one_defect_that_they_have(realdata: Callable[[str], Path]) -> None:
    lines = realdata("sharegpt_toolcall_300.jsonl").read_text(encoding="utf-8").splitlines()
    found = [(n, finding) for n, line in enumerate(lines) for finding in hfclean.verify(json.loads(line), only=IDS)]
    assert [(n, finding.sentence) for n, finding in found] == [
        (259, "'track_calories': 'calories_per_item' is list; expected number")
    ]


def _benchmark() -> Any:
    import importlib.util

    path = Path(__file__).parent.parent / "benchmarks" / "tool_calls.py"
    spec = importlib.util.spec_from_file_location("tool_calls", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------------------- every word counts

TYPES = {
    "string": "string str text char character varchar",
    "integer": "integer int long short int32 int64 bigint",
    "number": "number float double decimal numeric real float32 float64",
    "boolean": "boolean bool",
    "object": "object dict dictionary map hashmap hashtable mapping",
    "array": "array list tuple arraylist set sequence vector",
    "null": "null none nonetype",
}
VALUES = {"string": "a", "integer": 1, "number": 1.5, "boolean": True, "object": {}, "array": [], "null": None}
NOTES = (
    "title description default examples example $schema $id $comment $defs definitions deprecated readOnly writeOnly "
    "optional nullable name id strict"
)
OPEN = (
    "allOf anyOf oneOf if then else not $ref $dynamicRef patternProperties dependentSchemas unevaluatedProperties "
    "propertyNames extends dependencies"
)
ANNOUNCED = (
    "I look:|I look...|I look…|我看：|So let me see|Well, let's see|I'll see|I’ll see|Then I will see|"
    "I'm going to see|I’m going to see|I am going to see|I need to see|I should see|now I see|now, I see|"
    "next I see|next, I see|one moment|hold on|please wait|checking it|让我看|我来看|我将看|接下来看|稍等|正在看"
)


def kept(**schema: Any) -> Any:
    """What is left of the schema of an argument."""
    return arguments.read_schema({"properties": {"x": schema}}).tree["properties"]["x"]


def test_each_of_these_types_has_one_meaning() -> None:
    for kind, names in TYPES.items():
        assert [name for name in names.split() if kept(type=name) != {"type": kind}] == []
        assert [other for other, value in VALUES.items() if arguments._is(value, kind)] == (
            [kind] if kind != "number" else ["integer", "number"]
        )
    assert (arguments._is(5.0, "integer"), arguments._is(5.5, "integer"), arguments._is((), "array")) == (1, 0, 1)
    assert kept(type=["int", "null"]) == {"type": ["integer", "null"]}
    assert kept(type="int", nullable=True) == {"type": ["integer", "null"]}
    assert kept(type=["int", "thing"]) == kept(type=[7]) == kept(type="x" * 201) == {}
    read = {"typing.list[str]": ("array",), "optional[str]": ("string", "null"), "optional": (), "str[int]": ()}
    read |= {"int, optional": ("integer",), "int | thing": (), "list[int | str]": ("array",), "optional[x]": ()}
    read |= {"dict[str, int]": ("object",), "int|str": ("integer", "string"), "optional [int]": ("integer", "null")}
    assert {name: arguments._type_names(name) for name in read} == read


def test_each_of_these_keywords_is_a_note_and_each_of_those_leaves_a_schema_open() -> None:
    others = {"oneOf": [{"type": "integer"}, {"type": "string"}]}
    assert kept(oneOf=[{"type": "integer", "format": "x"}, {"type": "string"}]) == {"anyOf": others["oneOf"]}
    noted = {name: kept(oneOf=[{"type": "integer", name: 1}, {"type": "string"}]) for name in NOTES.split()}
    assert noted == dict.fromkeys(NOTES.split(), others)
    declared = {"properties": {"x": {"type": "integer"}}}
    assert arguments.read_schema({**declared, "format": {}}).tree["additionalProperties"] is False
    for name in OPEN.split():
        assert "additionalProperties" not in arguments.read_schema({**declared, name: {}}).tree, name
        assert "properties" not in arguments.read_schema({"a": {"type": "x"}, name: {"type": "x"}}).tree, name
    assert arguments.read_schema({"a": {"type": "int"}, "b": {"description": "x"}}).tree["properties"] == {
        "a": {"type": "integer"},
        "b": {},
    }
    several = ({"type": "string", "enum": None}, {"type": "integer"})
    assert kept(anyOf=several) == kept(anyOf=list(several)) == {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    for odd in ({"a": {"type": "int"}, "b": {}}, {"a": {"type": "int"}, "b": 1}, {}, {"type": ["object"]}):
        assert "properties" not in arguments.read_schema(odd).tree, odd


def test_bounds_and_counts_are_kept_where_they_are_some() -> None:
    for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        assert [kept(**{name: value}) for value in (-1, 2.5, True, "2")] == [{name: -1}, {name: 2.5}, {}, {}]
    for name in ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"):
        values = [kept(**{name: value}) for value in (0, 2.0, 2.5, -1, True, "2")]
        assert values == [{name: 0}, {name: 2.0}, {}, {}, {}, {}]


def test_a_schema_is_simple_where_the_library_adds_nothing() -> None:
    whole: dict[str, Any] = {
        "type": "object",
        "properties": {"y": {}},
        "required": ["y"],
        "additionalProperties": False,
    }
    whole |= {"items": {"type": "string"}, "enum": [{}]}
    assert kept(**whole) == whole
    assert arguments.read_schema({"properties": {"x": whole}}).simple
    for more in ({"minimum": 1}, {"additionalProperties": {"type": "string"}}, {"prefixItems": [{}]}, {"not": {}}):
        schema = arguments.read_schema({"properties": {"x": {**whole, **more}}})
        assert schema.simple is (more == {"not": {}}), more
    assert kept(items=[{"type": "int"}, True]) == {"prefixItems": [{"type": "integer"}, {}]}
    assert kept(contains={"type": "int"}) == {"contains": {"type": "integer"}}
    assert kept(contains={"type": "int", "format": "x"}) == {}
    assert kept(additionalProperties=True, patternProperties={"a": {}}) == {}
    assert kept(anyOf=[{"type": "int"}, {"format": "x"}], allOf=[]) == {"anyOf": [{"type": "integer"}, {}]}
    assert kept(anyOf=[{}], oneOf=[{"format": "x"}]) == {"anyOf": [{}]}
    assert kept(allOf=[{"type": "int", "format": "x"}]) == {"allOf": [{"type": "integer"}]}
    assert kept(properties={"y": False}) == {"properties": {"y": {"not": {}}}}
    assert kept(const=3) == {"enum": [3]}
    assert kept(enum=[1, 2], default=5) == {"enum": [1, 2, 5]}
    assert kept(properties={"y": {}}, required=["y", "z", 3])["required"] == ["y"]
    assert kept(required=["y"]) == {}


def test_references_are_read_as_pointers() -> None:
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(8)} | {"d7": {"type": "int"}}
    read = arguments.read_schema({"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": chain})
    assert read.tree["properties"]["x"] == {"type": "integer"}
    chain |= {"d7": {"$ref": "#/$defs/d8"}, "d8": {"type": "int"}}
    read = arguments.read_schema({"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": chain})
    assert read.tree["properties"]["x"] == {}
    schema = {"properties": {"x": {"$ref": "#/$defs/a~1b~0c", "enum": [1]}}, "$defs": {"a/b~c": {"type": "int"}}}
    assert arguments.read_schema(schema).tree["properties"]["x"] == {"type": "integer", "enum": [1]}
    root = arguments.read_schema({"properties": {"x": {"$ref": "#"}, "y": {"$ref": "#x"}, "z": {"$ref": "#/$defs"}}})
    assert (root.tree["properties"]["y"], root.tree["properties"]["z"]) == ({}, {})
    assert set(root.tree["properties"]["x"]["properties"]) == {"x", "y", "z"}


def test_a_value_of_an_enumeration_may_be_written_otherwise() -> None:
    same = [
        ("New York", "new-york"),
        ("NY", "New York"),
        ("a", "A."),
        ("", ""),
        (1, 1),
        (1, 1.0),
        (True, True),
        ("+", "+"),
    ]
    other = [("N", "New York"), ("n", "New"), ("", "+"), ("+", "-"), (1, True), (True, 1), (1, "1"), ("Yorks", "York")]
    assert [pair for pair in same if not arguments._same(*pair)] == []
    assert [pair for pair in other if arguments._same(*pair)] == []


@pytest.mark.parametrize("library", [True, False])
def test_a_sentence_names_the_place_and_what_is_expected(library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = {"type": "object", "properties": {"b": {"type": ["int", "str"]}, "c": {}}, "required": ["c"]}
    inner["additionalProperties"] = False
    schema: dict[str, Any] = {"properties": {"a": {"type": "array", "items": inner}, "e": {"enum": list("abcdefghi")}}}
    if library:
        needs("verify", "jsonschema")
        schema["properties"]["more"] = {"maximum": 3}
    given: dict[str, Any] = {"a": [{"c": 1, "b": []}, {"d": 2}], "e": "x" * 70}
    found = sorted(arguments.faults(given, arguments.read_schema(schema)))
    assert found == [
        "'a[0].b' is list; expected integer or string",
        f"'e' is '{'x' * 59}...; expected one of 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'",
        "the argument 'd' is not declared in 'a[1]'",
        "the required argument 'c' is missing in 'a[1]'",
    ]
    if library:
        assert list(arguments.faults({"more": 4}, arguments.read_schema(schema))) == [
            "'more' is 4; expected maximum 3"
        ]


def test_each_of_these_texts_announces_more() -> None:
    start = (user(), calls(json.dumps(GOOD)), result())
    again = calls(json.dumps(GOOD), first=2)
    late = ["tool_call_after_answer"]
    assert [text for text in ANNOUNCED.split("|") if found(*start, says(f"{text}"), again) != []] == []
    for text in ("Let me know.", "I'll be there.", "I will be there.", "So: it rains", f"one moment {'x' * 300}"):
        assert found(*start, says(text), again) == late, text


def test_what_hosts_offer_is_no_unknown_tool() -> None:
    built_in = "multi_tool_use.parallel python ipython code_interpreter browser web_search"
    assert [name for name in built_in.split() if found(user(), calls({}, name=name))] == []
    assert found(user(), calls({}, name="cobol")) == ["tool_unknown"]
    tools = [{"name": f"t{n}", "parameters": {}} for n in range(9)]
    said = [
        hfclean.verify({"messages": [user(), calls({}, name=name)], "tools": tools[:most]}, IDS)[0].sentence
        for name, most in (("x" * 90, 8), ("x", 9), ("", 1))
    ]
    assert said == [
        f"'{'x' * 80}' is called, and the tools of the row are t0, t1, t2, t3, t4, t5, t6, t7",
        "'x' is called, and the tools of the row are t0, t1, t2, t3, t4, t5, t6, t7, ...",
        "a call names no tool, and the tools of the row are t0",
    ]


def test_calls_that_cannot_be_read_are_not_counted() -> None:
    broken = {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Graz}}'}
    asked, answer = {"from": "human", "value": "Rain?"}, {"from": "gpt", "value": "In Graz."}
    observed = {"from": "observation", "value": "rain"}
    for results in ([], [observed], [observed, observed]):
        assert found(asked, broken, *results, answer, column="conversations") == ["tool_arguments_invalid"]


def test_what_is_said_beside_a_result_does_not_end_the_turn() -> None:
    asked = [{"function": {"name": name, "arguments": given}} for name, given in (("weather", GOOD), ("news", {}))]
    turn = {"role": "assistant", "content": "", "tool_calls": asked}
    part = {"type": "tool_result", "content": "rain"}
    first, second = (user([part, {"type": "text", "text": text}]) for text in ("This one.", "And that."))
    assert found(user(), turn, first, second, says()) == []


@pytest.mark.parametrize("library", [True, False])
def test_each_argument_that_is_missing_is_named_once(library: bool) -> None:
    if library:
        needs("verify", "jsonschema")
    more = {"allOf": [{"maximum": 3}]} if library else {}
    inner = {"properties": {"d": more, "e": {}}, "required": ["d", "e"]}
    schema = {"properties": {"a": {}, "b": {}, "c": {}, "in": inner}, "required": ["a", "b", "c"]}
    assert sorted(arguments.faults({"b": 1, "in": {"d": 1}}, arguments.read_schema(schema))) == [
        "the required argument 'a' is missing",
        "the required argument 'c' is missing",
        "the required argument 'e' is missing in 'in'",
    ]


def test_what_is_found_differently_than_before_has_another_version() -> None:
    versions = {each.id: each.version for each in TOOL_VERIFIERS}
    assert versions == {**dict.fromkeys(IDS, 2), "tool_arguments_invalid": 3}


def test_each_kind_of_what_is_no_object_is_named() -> None:
    kinds = {'"a"': "a string", "[]": "a list", "1": "a number", "1.5": "a number", "true": "a boolean"}
    for given, kind in kinds.items():
        (finding,) = hfclean.verify({"messages": [user(), calls(given)], "tools": [WEATHER]}, IDS)
        assert finding.sentence == f"the arguments of 'weather' are {kind}; expected an object"
        assert finding.found == given
    for nothing in (None, " ", "null"):
        assert found(user(), calls(nothing, name="news")) == []
        assert found(user(), calls(nothing)) == ["tool_arguments_invalid"]


def test_results_without_ids_go_to_the_call_of_their_name_then_to_the_first() -> None:
    def both(*names: str, first: str = "weather", second: str = "news") -> list[str]:
        asked = [
            {"function": {"name": name, "arguments": GOOD if name == "weather" else {}}} for name in (first, second)
        ]
        turn = {"role": "assistant", "content": "", "tool_calls": asked}
        answers = [{"role": "tool", "name": name, "content": "rain"} for name in names]
        row = {"messages": [user(), turn, *answers, says()], "tools": [WEATHER, NEWS]}
        return [f"{each.check[5:]} {each.found}" for each in hfclean.verify(row, IDS)]

    assert both("weather", "news") == both("news", "weather") == both("", "") == both("x", "news") == []
    assert both() == ["call_unanswered weather", "call_unanswered news"]
    assert both("news") == both("") == []  # one result may be that of all
    assert both("news", "news", "x") == ["result_unmatched rain"]
