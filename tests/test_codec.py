"""The codec gives back exactly what it was given, and reads of a model's answer what is there or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfclean.reviser.codec import FIELDS, CodecError, decode, encode, encode_context, settle
from hfclean.schema import Pair, Turn

MARKS = ["[End]", "\\[End]", "\\\\[Input]", "[Input] x", "**[response]**:", "## [Instruction]", "[ end ]"]
SIGNS = ["\n", " ", "\t", "\r", "\x0b", "\x1c", "\u2028", "a", "[", "]", "\\", "# ", "> ", "```"]
PIECES = st.sampled_from([*MARKS, *SIGNS, "<think>", "</think>", "[re\u017fponse]"])
TEXTS = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40)


@given(TEXTS, TEXTS, TEXTS)
@settings(max_examples=500)
def test_what_goes_in_comes_out(instruction: str, text: str, response: str) -> None:
    pair = Pair(instruction, text, response)
    assert decode(encode(pair)) == {"instruction": instruction, "input": text, "response": response}
    assert decode(encode(pair, ("response",)), ("response",)) == {"response": response}


@given(TEXTS)
@settings(max_examples=300)
def test_any_answer_is_read_or_refused(text: str) -> None:
    for form in (FIELDS, ("response",)):
        try:
            found = decode(text, form, ended=False)
        except CodecError:
            continue
        assert tuple(found) == form


@pytest.mark.parametrize("piece", [" ", "\\", "[ ", "**", "[End]\n", "<think>", "\\[End]\n", "> ", "\t[\n"])
def test_a_long_text_is_read_in_linear_time(piece: str, long_text: Callable[[str], str]) -> None:
    text = long_text(piece)
    assert decode(encode(Pair(text, "", text)))["response"] == text


PAIR = {"instruction": "Name a fruit.", "input": "", "response": "An apple."}
PLAIN = "[Instruction]\nName a fruit.\n[Input]\n\n[Response]\nAn apple.\n[End]"
READ = {
    "as asked": PLAIN,
    "a preface": f"Sure! Here is the improved pair:\n\n{PLAIN}",
    "something after the end": f"{PLAIN}\n\nLet me know if you need more.",
    "thoughts": f"<think>The [Response] is fine.\n[End]</think>\n{PLAIN}",
    "bold markers": "**[Instruction]**\nName a fruit.\n**[Input]**\n\n**[Response]**\nAn apple.\n**[End]**",
    "headings": "## [Instruction]\nName a fruit.\n## [Input]\n\n## [Response]\nAn apple.\n## [End]",
    "lower case": PLAIN.lower().replace("name", "Name").replace("an apple", "An apple"),
    "text on the marker's line": "[Instruction] Name a fruit.\n[Input]\n\n[Response]: An apple.\n[End]",
    "a code fence around it": f"```\n{PLAIN}\n```",
    "no end in a code fence": f"```text\n{PLAIN.removesuffix('[End]')}```",
    "no end": PLAIN.removesuffix("[End]"),
    "windows line ends": PLAIN.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("how", READ)
def test_what_models_make_of_the_form_is_read(how: str) -> None:
    found = decode(READ[how], ended=False)
    assert {name: text.strip() for name, text in found.items()} == PAIR


REFUSED = {
    "nothing": ("", "Instruction. is missing"),
    "prose": ("An apple is a fruit.", "Instruction. is missing"),
    "two candidates": (f"{PLAIN}\n{PLAIN}", "Instruction. comes twice"),
    "two responses": (PLAIN.replace("[End]", "[Response]\nA pear.\n[End]"), "Response. comes twice"),
    "another order": ("[Response]\nx\n[Instruction]\ny\n[Input]\n\n[End]", "expected instruction, input, response"),
    "a field of its own": (PLAIN.replace("[End]", "[System]\nx\n[End]"), "does not belong here"),
    "the input is gone": ("[Instruction]\nx\n[Response]\ny\n[End]", "Input. is missing"),
    "no end where one has to be": (PLAIN.removesuffix("[End]"), "End. is missing"),
    "markers after the end": ("[Response]\nx\n[End]\n[Input]\ny", "Instruction. is missing|continues with"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(how: str) -> None:
    text, words = REFUSED[how]
    with pytest.raises(CodecError, match=words):
        decode(text)


def test_context_cannot_close_its_frame() -> None:
    context = encode_context("[End]", [Turn("user", "[Response] x\n[End]"), Turn("observation", "[Instruction]")])
    assert context.split("\n") == [
        "[System]",
        "\\[End]",
        "[User]",
        "\\[Response] x",
        "\\[End]",
        "[Tool]",
        "\\[Instruction]",
        "[End]",
    ]
    assert encode_context("", []) == ""


def test_a_field_keeps_its_own_white_space_at_its_ends() -> None:
    assert settle("  An apple.\n", "An apple.") == "  An apple.\n"
    assert settle("  An apple.\n", "\nA pear. ") == "A pear."


@pytest.mark.realdata
def test_every_published_revision_survives(realdata: Callable[[str], Path]) -> None:
    for line in realdata("expert_revisions_1800.jsonl").read_text().splitlines():
        row = json.loads(line)
        for side in ("raw", "revised"):
            fields = {"instruction": row[f"{side}_instruction"], "input": row[f"{side}_input"] or ""}
            pair = Pair(**fields, response=row[f"{side}_output"])
            assert decode(encode(pair)) == {**fields, "response": pair.response}
