"""Text that chat templates wrote is read back as messages; the templates are those of TRL's wheel."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jinja2
import pytest
from datasets import Dataset
from extras import needs
from jinja2.ext import Extension
from rain import ASKED, CALL, CALLING, SAID, SYSTEM, TOOL, WET

from hfclean.conversion import Losses, convert, losses_of
from hfclean.conversion.rendered import read_rendered
from hfclean.errors import SchemaError
from hfclean.values import exact_dataset

QWEN = ("qwen3", "qwen3_training", "qwen2_5")
DEEPSEEK = ("deepseekv3", "deepseekv3_training", "deepseek_r1_distill")


class Generation(Extension):
    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@cache
def template(name: str) -> jinja2.Template:
    needs("train", "trl")
    spec = find_spec("trl")
    assert spec is not None
    folder = Path((spec.submodule_search_locations or [""])[0]) / "chat_templates"
    env = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation], autoescape=False)
    env.filters["tojson"] = lambda value, **how: json.dumps(value, ensure_ascii=False, **how)
    env.globals["strftime_now"] = lambda form: "2026-01-01"
    return env.from_string((folder / f"{name}.jinja").read_text(encoding="utf-8"))


def rendered(name: str, messages: list[dict[str, Any]], tools: Any = None, **values: Any) -> str:
    return template(name).render(
        messages=messages, tools=tools, **{"bos_token": "", "add_generation_prompt": False} | values
    )


@pytest.mark.parametrize("name", [*QWEN, "llama3", "llama3_1", *DEEPSEEK, "gptoss"])
@pytest.mark.parametrize("messages", [[SYSTEM, ASKED, SAID], [SYSTEM, ASKED, SAID, ASKED, SAID]])
def test_turns_come_back(name: str, messages: list[dict[str, Any]]) -> None:
    for bos in ("", {"l": "<|begin_of_text|>", "d": "<\uff5cbegin\u2581of\u2581sentence\uff5c>"}.get(name[0], "")):
        read = read_rendered(rendered(name, messages, bos_token=bos))
        assert read is not None
        assert (read.messages, read.tools) == (messages, None)


@pytest.mark.parametrize("name", ["gemma", "gemma3"])
def test_turns_of_gemma_come_back_with_the_system_prompt_in_the_question(name: str) -> None:
    read = read_rendered(rendered(name, [ASKED, SAID, ASKED, SAID], bos_token="<bos>"))
    assert read is not None
    assert read.messages == [ASKED, SAID, ASKED, SAID]
    read = read_rendered(rendered("gemma3", [SYSTEM, ASKED, SAID]))
    assert read is not None
    assert read.messages == [{"role": "user", "content": "Be brief.\n\nRain in Oslo?"}, SAID]


@pytest.mark.parametrize("name", ["qwen3", "qwen3_training", "gptoss"])
def test_a_thought_comes_back(name: str) -> None:
    read = read_rendered(rendered(name, [ASKED, {**SAID, "reasoning_content": "Hm.", "thinking": "Hm."}]))
    assert read is not None
    assert read.messages == [ASKED, {**SAID, "reasoning_content": "Hm."}]


@pytest.mark.parametrize("name", ["qwen3", "qwen3_training", "llama3_1"])
def test_tools_calls_and_results_come_back(name: str) -> None:
    messages = [SYSTEM, ASKED, CALLING, WET, SAID]
    read = read_rendered(rendered(name, messages, [TOOL]))
    assert read is not None
    assert (read.messages, read.tools) == (messages, [TOOL])


def test_parallel_calls_and_results_of_qwen_come_back() -> None:
    other = {"type": "function", "function": {"name": "snow", "arguments": {}}}
    messages = [
        ASKED,
        {"role": "assistant", "content": "Wait.", "tool_calls": [CALL, other]},
        WET,
        {**WET, "content": ""},
    ]
    read = read_rendered(rendered("qwen3", [*messages, SAID], [TOOL]))
    assert read is not None
    assert read.messages == [*messages, SAID]


def test_calls_of_deepseek_and_gpt_oss_come_back() -> None:
    text = {**CALL, "function": {"name": "rain", "arguments": '{"city": "Oslo"}'}}
    messages = [SYSTEM, ASKED, {**CALLING, "tool_calls": [text]}, WET, SAID]
    read = read_rendered(rendered("deepseekv3", messages))
    assert read is not None
    assert read.messages == messages
    asked = [ASKED, {**CALLING, "content": ""}, WET, SAID]
    read = read_rendered(rendered("gptoss", asked, [TOOL]))
    assert read is not None
    assert read.messages[1:] == [ASKED, CALLING, {**WET, "name": "rain"}, SAID]
    assert read.messages[0]["role"] == "developer"
    assert "type rain" in read.messages[0]["content"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "Some prose.", "<|im_start|>", "<|im_start|>user\nHi<|im_end|>, she wrote.", "<|im_start|>user\nHi"),
        *("<|im_start|>user\nHi<|im_start|>assistant\nHo<|im_end|>", "<start_of_turn>queen\nHi<end_of_turn>"),
        *("<|start|>assistant<|channel|>analysis<|message|>Hm.<|end|>", "<|start|>user<|message|>Hi"),
        *("<\uff5cUser\uff5c>Hi<\uff5cnobody\uff5c>", "The marker <\uff5cUser\uff5c> begins a question."),
    ],
)
def test_other_text_is_not_read(text: str) -> None:
    assert read_rendered(text) is None


def test_a_prompt_that_begins_an_answer_is_read_without_one() -> None:
    read = read_rendered("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert read is not None
    assert read.messages == [{"role": "user", "content": "Hi"}]


HI = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\nHm.\n</think>\n\nHello!<|im_end|>\n"


def test_a_column_of_rendered_text_becomes_any_form() -> None:
    ds, losses = Dataset.from_list([{"text": HI, "source": "a"}]), Losses()
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!", "reasoning_content": "Hm."},
    ]
    row = convert(ds, "messages", losses=losses)[0]
    assert ([{k: v for k, v in m.items() if v is not None} for m in row.pop("messages")], row) == (
        messages,
        {"source": "a"},
    )
    assert losses == {}
    row = convert(ds, "alpaca", losses=losses)[0]
    assert row == {"instruction": "Hi", "input": "", "output": "<think>\nHm.\n</think>\n\nHello!", "source": "a"}


def test_texts_that_cannot_be_read_stay_and_are_counted() -> None:
    ds, losses = Dataset.from_list([{"text": HI}, {"text": "Prose."}, {"text": None}]), Losses()
    made = convert(ds, "messages", losses=losses)
    assert (made["text"][:], [len(each) for each in made["messages"]]) == ([HI, "Prose.", None], [2, 0, 0])
    assert losses == losses_of(ds, "messages")
    assert losses == {"texts that no known chat template wrote, kept in the column 'text' beside no messages": 2}
    with pytest.raises(
        SchemaError, match=r"hfclean.convert\(ds, 'messages'\).*No row's text is what a known chat template"
    ):
        convert(exact_dataset([{"text": "Prose."}]), "messages")
