"""Rows as the text that a chat template writes, in a process of its own; what the template leaves out is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from extras import needs
from rain import ASKED, CALL, CALLING, SAID, SYSTEM, TOOL, WET

from hfclean.conversion import Losses, convert, losses_of
from hfclean.errors import SchemaError
from hfclean.models import ModelError, template_trial
from hfclean.values import exact_dataset

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
DROPPED = "thoughts that the template drops"


def same(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: same(item) for key, item in value.items() if item is not None}
    return [same(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["qwen3", "Qwen2.5", "llama3", "llama3.1", "gemma3", "deepseekv3", "gpt-oss"])
def test_rows_are_rendered_and_read_back(name: str) -> None:
    needs("train", "trl")
    ds, losses = exact_dataset([{"messages": [ASKED, SAID]}, {"messages": [ASKED, SAID, ASKED, SAID]}]), Losses()
    there = convert(ds, "text", template=name, losses=losses)
    assert there.column_names == ["text"]
    back = convert(there, "messages", losses=Losses())
    turns = [[turn for turn in row["messages"] if turn["role"] != "system"] for row in back]
    assert turns == [row["messages"] for row in ds]
    assert losses == (
        {"turns that the template joins, drops or adds": 2} if name == "Qwen2.5" else {}
    )  # its own prompt


@pytest.mark.parametrize("name", ["qwen3", "llama3.1"])
def test_tools_and_calls_are_rendered_and_read_back(name: str) -> None:
    needs("train", "trl")
    messages = [SYSTEM, ASKED, CALLING, WET, SAID]
    ds, losses = exact_dataset([{"messages": messages, "tools": [TOOL]}]), Losses()
    there = convert(ds, "text", template=name, losses=losses)
    assert losses == {}
    back = convert(there.remove_columns("tools"), "messages", losses=losses)[0]
    assert ([same(turn) for turn in back["messages"]], back["tools"], losses) == (same(messages), [TOOL], {})


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("qwen3", {DROPPED: 1}),
        ("qwen3_training", {}),
        ("deepseekv3", {DROPPED: 1, "white space around texts": 1}),
        ("gpt-oss", {DROPPED: 1}),
    ],
)
def test_thoughts_that_a_template_drops_by_design_are_counted(name: str, lost: dict[str, int]) -> None:
    needs("train", "trl")
    thinking = {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nYes."}
    ds = exact_dataset([{"messages": [ASKED, thinking, ASKED, {**SAID, "reasoning_content": "Hm, hm."}]}])
    assert losses_of(ds, "text", template=name) == lost


def test_what_else_a_text_does_not_hold_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "chatml.jinja"
    file.write_text(CHATML)
    call = {**CALL, "id": "7"}
    rows = [
        {"messages": [ASKED, {**SAID, "weight": 1}]},
        {
            "messages": [
                ASKED,
                {**CALLING, "content": "Wait.", "tool_calls": [call]},
                {**WET, "tool_call_id": "7"},
                SAID,
            ]
        },
    ]
    assert losses_of(exact_dataset(rows), "text", template=file) == {
        "key 'weight' of messages": 1,
        "ids of tool calls": 1,
        "tool calls that the template drops or changes": 1,
    }
    file.write_text("{{ messages[0].content }}")
    assert losses_of(exact_dataset([{"messages": [ASKED, SAID]}]), "text", template=file) == {
        "texts that the template drops or changes": 1
    }


def test_a_tokenizer_and_its_folder_bring_their_template(tmp_path: Path) -> None:
    class Tokenizer:
        chat_template = CHATML + "{{ eos_token }}"
        special_tokens_map = {"eos_token": "</s>"}  # noqa: RUF012

    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": {"content": "</s>"}}')
    (tmp_path / "chat_template.jinja").write_text(Tokenizer.chat_template)
    ds = exact_dataset([{"instruction": "Hi", "output": "Ho"}])
    for given in (Tokenizer(), tmp_path):
        text = convert(ds, "text", template=given, losses=Losses())[0]["text"]
        assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n</s>"


def test_a_template_that_refuses_a_row_or_never_ends_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds, file = exact_dataset([{"messages": [ASKED, SAID]}]), tmp_path / "bad.jinja"
    file.write_text("{{ raise_exception('No turns on Sunday') }}")
    assert losses_of(ds, "text", template=file) == {"rows that do not fit, so that nothing is converted": 1}
    with pytest.raises(SchemaError, match=r"1 of 1 rows do not fit: the template refuses a row: .*No turns on Sunday"):
        convert(ds, "text", template=file)
    monkeypatch.setattr(template_trial, "CPU_SECONDS", 0.4)
    template_trial._stage.close()
    file.write_text("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
    with pytest.raises(ModelError, match=r"stopped: it takes over 0\.4 s"):
        convert(ds, "text", template=file)
    template_trial._stage.close()


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    ds = exact_dataset([{"messages": [ASKED, SAID]}])
    with pytest.raises(SchemaError, match=r"to='text' needs template=: a name such as 'qwen3'"):
        convert(ds, "text")
    with pytest.raises(SchemaError, match=r"template= is for to='text' alone"):
        losses_of(ds, "alpaca", template="qwen3")
    with pytest.raises(SchemaError, match=r"'gone\.jinja': there is no such file"):
        convert(ds, "text", template="gone.jinja")
    with pytest.raises(SchemaError, match="has no chat template"):
        convert(ds, "text", template=tmp_path)
    needs("train", "trl")
    with pytest.raises(SchemaError, match=r"template='qwen99': expected a file, .* or one of .*qwen3,"):
        convert(ds, "text", template="qwen99")
