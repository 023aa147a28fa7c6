"""Markers of templates: what leaks is cut, what is part of the text or spoken of stays, and no pair is torn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfclean.rules import RULES, Rule, find_defects, mend
from hfclean.rules.characters import control_characters
from hfclean.rules.guard import allowed, halves
from hfclean.rules.marker_table import MARKERS, kind_of
from hfclean.rules.markers import ANY_TOKEN, TURN, _matches, chat_markers
from hfclean.schema import Pair

ASKED = "Tell me about the moon."

LEAKS = [
    ("<|header_start|>assistant<|header_end|>\n\nIt is round.<|eot|>", "It is round."),
    ("<|start_of_role|>assistant<|end_of_role|>It is round.<|end_of_text|>", "It is round."),
    ("<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>It is round.<|END_OF_TURN_TOKEN|>", "It is round."),
    ("[gMASK]<sop><|assistant|>\nIt is round.<|user|>", "It is round."),
    ("It is round.<|im_start|>", "It is round."),
    ("It is round.<|return|>", "It is round."),
    ("It is round. <|end_of_turn|>", "It is round."),
    ("<|begin_of_text|>It is round.", "It is round."),
    ("Er ist rund.<｜end▁of▁sentence｜>", "Er ist rund."),
    ("它是圆的。<|endoftext|>", "它是圆的。"),
    ("Rund </s>", "Rund"),
    # what a text says with markers of its own stays, what leaks behind it goes
    ("<think>Hm.</think>It is round.<|im_end|>", "<think>Hm.</think>It is round."),
    (
        "<|object_ref_start|>moon<|object_ref_end|><|box_start|>(1,2)<|box_end|><|im_end|>",
        "<|object_ref_start|>moon<|object_ref_end|><|box_start|>(1,2)<|box_end|>",
    ),
    (
        "<｜tool▁calls▁begin｜>moon()<｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
        "<｜tool▁calls▁begin｜>moon()<｜tool▁calls▁end｜>",
    ),
]


@pytest.mark.parametrize(("before", "after"), LEAKS)
def test_a_leaking_marker_is_cut(before: str, after: str) -> None:
    pair = Pair(ASKED, "", before)
    assert chat_markers.detect(pair)
    assert mend(pair, RULES)[-1].after == Pair(ASKED, "", after)


CONTENT = [
    "<|begin_of_thought|>\n\nA sphere.\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nRound.\n\n<|end_of_solution|>",
    "<|start|>assistant<|channel|>final<|message|>Round.<|return|>",
    "<|channel|>commentary to=functions.moon <|constrain|>json<|message|>{}<|call|>",
    "<|START_THINKING|>A sphere.<|END_THINKING|><|START_RESPONSE|>Round.<|END_RESPONSE|>",
    '<|python_tag|>moon.call(query="shape")<|eom_id|>',
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.moon:0<|tool_call_argument_begin|>{"a": 1}'
    "<|tool_call_end|><|tool_calls_section_end|>",
    '<|tool_call|>[{"name": "moon"}]<|/tool_call|>',
    '[TOOL_CALLS] [{"name": "moon", "arguments": {}}]',
    "<|vision_start|><|image_pad|><|vision_end|>Round.",
    "<|image_2|> and <|image_3|> both show it.",
    "<|audio_bos|><|AUDIO|><|audio_eos|>",
    "<|ref|>the moon<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>",
    "<|fim_prefix|>def f(<|fim_suffix|>):<|fim_middle|>x<|endoftext|>",
    "<｜fim▁begin｜>a = <｜fim▁hole｜>\n<｜fim▁end｜>",
    "<PRE> a = <SUF>\n <MID>1 <EOT>",
    "<|laugh|> Oh, that moon! <|sigh|>",
    "<|startoftranscript|><|de|><|transcribe|>Der Mond.",
    "<|begin_of_plan|>Look up.<|end_of_plan|>Round.",
]


@pytest.mark.parametrize("text", CONTENT)
@pytest.mark.parametrize("field", ["instruction", "response"])
def test_a_content_marker_stays_and_is_no_defect(text: str, field: str) -> None:
    pair = Pair(ASKED, "", "It is round.").replace(**{field: text})
    assert mend(pair, RULES) == []
    assert not chat_markers.detect(pair)


SPOKEN = [
    "What is <|im_end|> for?",
    "Was bedeutet <|im_end|>?",
    "Wofür steht [/INST] bei Llama?",
    "À quoi sert <|eot_id|> dans ce texte ?",
    "¿Qué hace <|endoftext|> en este texto?",
    "Explica <|im_start|> y <|im_end|>.",
    "A cosa serve <start_of_turn>, e perché?",
    "Wat doet <|user|> in deze tekst?",
    "Co robi <|eot_id|> w tym tekście?",
    "Mit jelent a <|im_end|> itt?",
    "Bu metinde <|im_end|> ne yapar?",
    "Что делает <|im_end|> в этом тексте?",
    "什么是<|im_end|>？",
    "<|im_end|>とは何ですか",
    "이 글에서 <|im_end|>은 무엇인가요?",
    "ما معنى <|im_end|> في هذا النص؟",
    "यहाँ <|im_end|> का क्या अर्थ है?",
]


@pytest.mark.parametrize("text", SPOKEN)
def test_a_marker_that_is_a_word_of_the_sentence_stays(text: str) -> None:
    # neither the question nor an answer that is the marker changes
    for pair in (Pair(text, "", "It closes a turn."), Pair(text, "", "See: <|im_end|>"), Pair(ASKED, "", text)):
        assert mend(pair, RULES) == []
        assert not chat_markers.detect(pair)


@pytest.mark.parametrize(
    "pair",
    [
        # may be a word of the text
        Pair("Erkläre <|endoftext|>", "", "Ein Ende."),
        Pair(ASKED, "", "Die Runde endet mit <|im_end|>"),
        Pair(ASKED, "", "<|im_end|>"),
        # unknown
        Pair(ASKED, "", "<|foo_bar|> It is round."),
        Pair(ASKED, "", "<|reserved_special_token_7|>It is round."),
        # the halves of other turns would be left
        Pair(
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
            "",
            "Hi!",
        ),
        Pair(ASKED, "", "[INST] Which moon? [/INST] Ours.</s>"),
    ],
)
def test_what_may_belong_to_the_text_is_reported_and_left(pair: Pair) -> None:
    assert mend(pair, [chat_markers]) == []
    assert "chat_markers" in find_defects(pair, RULES)


FOLLOWED = [
    "Round.<|im_end|>\n<|im_start|>user\nReally?",
    "Round.<|im_end|>\n<|im_start|>user\nReally?<|im_end|>\n<|im_start|>assistant\nYes, it is.<|im_end|>",
    "<|im_start|>assistant\nRound.<|im_end|>\n<|im_start|>user\nReally?",
    "<|assistant|>Round.<|end|>\n<|user|>Really?",
    "Round.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nReally?<|eot_id|>",
    "Round.<end_of_turn>\n<start_of_turn>user\nReally?<end_of_turn>\n<start_of_turn>model\nYes.",
    "Round. </s><s>[INST] Really? [/INST] Yes.</s>",
    "Round.<｜end▁of▁sentence｜><｜User｜>Really?<｜Assistant｜>Yes.",
]


@pytest.mark.parametrize("text", FOLLOWED)
def test_a_turn_of_the_user_that_an_answer_makes_up_behind_its_own_is_cut(text: str) -> None:
    assert mend(Pair(ASKED, "", text), RULES)[-1].after == Pair(ASKED, "", "Round.")
    assert find_defects(Pair(ASKED, "", "Round."), RULES) == []


@pytest.mark.parametrize(
    "pair",
    [
        # turns may be what was asked for
        Pair("Write a short chat about the moon.", "", FOLLOWED[1]),
        Pair("Show me an example of how a model is asked about the moon.", "", FOLLOWED[1]),
        Pair("写一段关于月亮的对话", "", FOLLOWED[1]),
        # there are other turns before it, or another speaker's
        Pair(ASKED, "", f"Round.<|im_end|>\n<|im_start|>assistant\nAnd bright.{FOLLOWED[0][6:]}"),
        Pair(ASKED, "", "[INST] Which moon? [/INST] Ours.</s><s>[INST] Really? [/INST]"),
        # nothing would be left, or half a block of code
        Pair(ASKED, "", "<|im_end|>\n<|im_start|>user\nReally?"),
        Pair(ASKED, "", f"```\n{FOLLOWED[0]}\n```\nThat is it.<|im_end|>x"),
        # the answer would not state what it states now, or lose a call
        Pair(ASKED, "", f"It is \\boxed{{1}}.{FOLLOWED[0][6:]}<|im_end|>\n<|im_start|>assistant\n\\boxed{{2}}"),
        Pair(ASKED, "", f"{FOLLOWED[1]}<tool_call>\n{{}}\n</tool_call>"),
        # no end before it
        Pair(ASKED, "", "Round.\n<|im_start|>user\nReally?"),
    ],
)
def test_a_following_turn_is_left_where_it_may_be_wanted_or_more_would_be_lost(pair: Pair) -> None:
    assert mend(pair, [chat_markers]) == []


def test_the_table_knows_each_marker_once_and_says_where_it_comes_from() -> None:
    assert all(marker.source and marker.text.strip() == marker.text for marker in MARKERS)
    assert {marker.kind for marker in MARKERS} == {"turn", "end", "content"}
    assert kind_of("<|IM_END|>") == "turn"
    assert kind_of("<|image_12|>") == kind_of("<|begin_of_plan|>") == kind_of("<|zh|>") == "content"
    assert kind_of("<|foo_bar|>") is None
    assert kind_of("<|reserved_special_token_7|>") is None
    removable = {marker.text.lower() for marker in MARKERS if marker.kind != "content"}
    content = {marker.text.lower() for marker in MARKERS if marker.kind == "content"}
    assert removable & content <= {"<eot>"}


# -------------------------------------------------------------------------------------------------- terminal sequences


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\x1b]8;;https://a.org/b\x1b\\the list\x1b]8;;\x1b\\ is here", "the list is here"),
        ("\x1b]8;;https://a.org/" + "b" * 900 + "\x07the list\x1b]8;;\x07 is here", "the list is here"),
        ("\x1b]2;a title\x1b\\Done", "Done"),
        ("\x1bP1$r0m\x1b\\Done", "Done"),
        ("\x1b_Gf=100;AAAA\x1b\\Done", "Done"),
        ("\x1b^a note\x1b\\Done", "Done"),
        ("\x9d0;a title\x9cDone", "Done"),
        ("\x9b31mDone\x9b0m", "Done"),
        ("\x1b[38;2;1;2;3mDone\x1b[0m", "Done"),
        ("\x1b(BDone\x1b[?25h", "Done"),
        ("See \x1b[4mhttps://a.org/b\x1b[0m now", "See https://a.org/b now"),
        ("a\x1b b", "a b"),
        # broken off: nobody knows where the text begins
        ("\x1b]8;;https://a.org/b the list", "\x1b]8;;https://a.org/b the list"),
        ("\x1b[1mDone\x1b[0m \x1b]0;a title", "\x1b[1mDone\x1b[0m \x1b]0;a title"),
        ("Done\x1b[38;5", "Done\x1b[38;5"),
        ("Done\x1b\\", "Done\x1b\\"),
        ("\x1bHello there", "\x1bHello there"),
        ("\x1b]0;one\ntwo\x07 three", "\x1b]0;one\ntwo\x07 three"),
    ],
)
def test_a_terminal_sequence_goes_whole_or_not_at_all(before: str, after: str) -> None:
    pair = Pair(ASKED, "", before)
    assert control_characters.detect(pair)
    assert control_characters.repair is not None
    assert control_characters.repair(pair).response == after


# ---------------------------------------------------------------------------------------------------- pairs stay pairs


def cutting(what: str) -> Rule:
    return Rule(
        "cutting",
        severity="low",
        meaning="a rule that cuts one thing out",
        detect=lambda pair: what in pair.response,
        repair=lambda pair: pair.replace(response=pair.response.replace(what, "", 1)),
    )


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("<think>a</think>b", "</think>"),
        ("<answer>a</answer>", "<answer>"),
        ("<tool_call>{}</tool_call>", "</tool_call>"),
        ("<|begin_of_thought|>a<|end_of_thought|>", "<|end_of_thought|>"),
        ("<|vision_start|>a<|vision_end|>", "<|vision_start|>"),
        ("<｜tool▁calls▁begin｜>a<｜tool▁calls▁end｜>", "<｜tool▁calls▁end｜>"),
        ("<|ref|>a<|/ref|>", "<|/ref|>"),
        ("[THINK]a[/THINK]", "[/THINK]"),
        ("```\na\n```", "\n```"),
        ("It is \\boxed{4}.", "}"),
        ("It is \\(4\\).", "\\)"),
        ("It is \\[4\\].", "\\["),
        ("$$4$$", "$$"),
        ("\\begin{align}4\\end{align}", "\\end{align}"),
        ("A <b>word</b>.", "</b>"),
    ],
)
def test_the_change_that_tears_a_pair_is_not_made(text: str, half: str) -> None:
    pair = Pair(ASKED, "", text)
    assert not halves(text).total()
    assert mend(pair, [cutting(half)]) == []
    # where the pair is torn already, the rest may go
    rest = text.replace(half, "", 1)
    other = next((piece for piece in re.findall(r"<[^<>]+>|```|\[/?THINK\]", rest)), None)
    if other:
        assert mend(Pair(ASKED, "", rest), [cutting(other)]) != []


def test_a_change_in_another_field_is_made_all_the_same() -> None:
    before = Pair("Hi </s>", "", "<think>a</think>")
    after = Pair("Hi", "", "<think>a")
    assert allowed(before, after) == Pair("Hi", "", "<think>a</think>")


def test_no_repair_makes_the_answer_the_input() -> None:
    for pair in (
        Pair("Do it.", "A cat sat.", "A cat sat.</s>"),
        Pair("Do it.", "Wash your hands.", "Wash your <em>hands</em>."),
        Pair("Do it.", "A cat &amp; a dog", "A cat & a dog"),
    ):
        changes = mend(pair, RULES)
        after = changes[-1].after if changes else pair
        assert after.response.strip() != after.input.strip()
    # equal before, equal after
    assert mend(Pair("Copy.", "A cat sat.</s>", "A cat sat.</s>"), RULES)[-1].after.response == "A cat sat."


PAIRED = [
    ("<think>", "</think>"),
    ("<answer>", "</answer>"),
    ("<tool_call>", "</tool_call>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|vision_start|>", "<|vision_end|>"),
    ("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
    ("[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
    ("```\n", "\n```"),
    ("\\boxed{", "}"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("<b>", "</b>"),
    ("<p>", "</p>"),
    ("<|im_start|>assistant\n", "<|im_end|>"),
    ("[INST] ", " [/INST]"),
]
SEPARATED = (
    "The moon is round.~The moon is round.~a<b and b>c~12. Instruction: Name a river.~Copy code~python~x = 1~&amp;~"
    "</s>~<|endoftext|>~<|foo|>~  ~word word~### Instruction:~As an AI language model, I think so.~- one~- one~"
    "\x1b[1mred\x1b[0m~Regenerate response~N/A~<br>~1. two~<|im_end|>~Was heißt <b> hier?~\x1b]8;;x\x1b\\"
)
LINES = st.sampled_from(SEPARATED.split("~"))
BLOCKS = st.recursive(
    LINES,
    lambda inner: st.tuples(
        st.sampled_from(PAIRED), st.lists(inner, max_size=3), st.sampled_from(["", "\n", " "])
    ).map(lambda made: made[0][0] + made[2].join(made[1]) + made[0][1]),
    max_leaves=8,
)
STRUCTURED = st.lists(BLOCKS, max_size=6).flatmap(
    lambda parts: st.sampled_from(["\n", " ", "\n\n", ""]).map(lambda j: j.join(parts))
)


@settings(max_examples=400, deadline=None)
@given(st.builds(Pair, st.one_of(st.just(ASKED), STRUCTURED), st.one_of(st.just(""), STRUCTURED), STRUCTURED))
def test_no_repair_of_any_rule_leaves_half_a_pair(pair: Pair) -> None:
    for change in mend(pair, RULES):
        for name in ("instruction", "input", "response"):
            before, after = halves(getattr(change.before, name)), halves(getattr(change.after, name))
            assert all(count <= before[half] for half, count in after.items()), (change.rule, change)
        answer = change.after.response.strip()
        if answer and answer == change.after.input.strip():
            assert change.before.response.strip() == change.before.input.strip()


@given(
    st.lists(st.sampled_from([*(m.text for m in MARKERS), "<|", "[", "/", "//", " // EOM //", "a", "<<|end|>", " "]))
)
@settings(deadline=None, max_examples=300)
def test_markers_are_found_from_their_first_character_as_by_the_pattern_alone(pieces: list[str]) -> None:
    text = "".join(pieces)
    for pattern in (ANY_TOKEN, TURN):
        assert [m.span() for m in _matches(pattern, text)] == [m.span() for m in pattern.finditer(text)]
