"""The first rules: what each finds and mends, and the healthy text that it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfclean.errors import RuleError
from hfclean.rules import RULES, Rule, find_defects, mend, select_rules
from hfclean.schema import Pair, Turn, detect
from hfclean.verifiers import VERIFIERS

BY_ID = {rule.id: rule for rule in RULES}
ASKED = "Tell me something about rivers."


def answer(text: str, instruction: str = ASKED, text_input: str = "") -> Pair:
    return Pair(instruction, text_input, text)


def mended(rule_id: str, pair: Pair) -> Pair:
    rule = BY_ID[rule_id]
    assert rule.repair is not None
    return rule.repair(pair) if rule.detect(pair) else pair


# ------------------------------------------------------------------------------------- what each rule mends, and how

MENDED_ANSWERS = [
    ("broken_unicode", "Well done \ud83d\ude00!", "Well done \U0001f600!"),
    ("broken_unicode", "half \ud83d left", "half \ufffd left"),
    ("broken_unicode", "caf\udcc3\udca9", "café"),
    ("broken_unicode", "```\nprint('\udead')\n```", "```\nprint('\ufffd')\n```"),
    ("mojibake", "The cafÃ© isnâ€™t open.", "The café isn’t open."),
    ("mojibake", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚, Ð¼Ð¸Ñ€", "привет, мир"),
    ("mojibake", "Ã‰poque and â€œquotesâ€\x9d", "Époque and “quotes”"),
    ("mojibake", "Seen at https://x.org/cafÃ© in MÃ¼nchen.", "Seen at https://x.org/cafÃ© in München."),
    ("mojibake", "La rivière est à l’Ã©tÃ©.", "La rivière est à l’été."),
    ("control_characters", "one\x00 two\x08", "one two"),
    ("control_characters", "\x1b[1;31mred\x1b[0m text", "red text"),
    ("control_characters", "\x1b]0;title\x07text", "text"),
    ("control_characters", "first\x0bsecond\x0cthird", "first\nsecond\nthird"),
    ("control_characters", "line\u2028next\u2029paragraph", "line\nnext\n\nparagraph"),
    ("control_characters", "non\ufffecharacter\U0001ffff", "noncharacter"),
    ("control_characters", "a\x07 `b\x07` c", "a `b\x07` c"),
    ("invisible_characters", "\ufeffin\u00adstruc\u00adtion\u200b", "instruction"),
    ("invisible_characters", "word\u2060joiner and left\u200emark", "wordjoiner and leftmark"),
    ("invisible_characters", "plain\U000e0068\U000e0069 text", "plain text"),
    ("invisible_characters", "a\u200cb and c\u200dd", "ab and cd"),
    ("chat_markers", "<|im_start|>assistant\nAn apple.<|im_end|>", "An apple."),
    ("chat_markers", "An apple.</s>", "An apple."),
    ("chat_markers", "<s> An apple. </s>", "An apple."),
    ("chat_markers", "[/INST] An apple.", "An apple."),
    ("chat_markers", "An apple.<|endoftext|>\n<|endoftext|>", "An apple."),
    ("chat_markers", "<|start_header_id|>assistant<|end_header_id|>\n\nAn apple.<|eot_id|>", "An apple."),
    ("chat_markers", "<start_of_turn>model\nAn apple.<end_of_turn>", "An apple."),
    ("chat_markers", "<｜Assistant｜>An apple.<｜end▁of▁sentence｜>", "An apple."),
    ("chat_markers", "### Response:\nAn apple.", "An apple."),
    ("chat_markers", "An apple.\n\n### Instruction:", "An apple."),
    ("chat_markers", "An apple. \n// end of output //", "An apple."),
    ("chat_markers", "<|assistant|>\n    indented = 1\n    code = 2", "    indented = 1\n    code = 2"),
    ("chat_markers", "</s>" * 500, ""),
    ("whitespace", " An apple.\n\n", "An apple."),
    ("whitespace", "An apple. \nA pear.\t\nA plum. ", "An apple. \nA pear.\t\nA plum."),
    ("whitespace", "An apple.\r\nA pear.\rA plum.", "An apple.\nA pear.\nA plum."),
    ("whitespace", "An apple.\n\n\n\n\nA pear.", "An apple.\n\nA pear."),
    ("whitespace", "A short  walk helps more   than you think.", "A short walk helps more than you think."),
    ("whitespace", "Rivers rise in hills.  They end in seas.", "Rivers rise in hills. They end in seas."),
    ("whitespace", "\n\n   - a\n   - b\n", "   - a\n   - b"),
    (
        "whitespace",
        "One two three  four five.\n```\na  =  1 \n```\nSix. ",
        "One two three four five.\n```\na  =  1 \n```\nSix.",
    ),
    ("whitespace", "See `a  b`.  It is  a fine thing to know well.", "See `a  b`. It is a fine thing to know well."),
    ("instruction_echo", f"{ASKED}\n\nThey flow downhill.", "They flow downhill."),
    ("instruction_echo", f"**{ASKED}**\nThey flow downhill.", "They flow downhill."),
    ("instruction_echo", f"## {ASKED}\n\nThey flow downhill.", "They flow downhill."),
    ("instruction_echo", f"Question: {ASKED}\nAnswer: They flow downhill.", "They flow downhill."),
]


@pytest.mark.parametrize(("rule_id", "before", "after"), MENDED_ANSWERS)
def test_mends_the_answer(rule_id: str, before: str, after: str) -> None:
    pair = answer(before)
    assert BY_ID[rule_id].detect(pair) is True
    assert mended(rule_id, pair).response == after


@pytest.mark.parametrize(
    ("rule_id", "before", "after"),
    [
        (
            "chat_markers",
            Pair("### Instruction:\nName a fruit.\n\n### Response:", "", "Plum"),
            Pair("Name a fruit.", "", "Plum"),
        ),
        ("chat_markers", Pair("[INST] Name a fruit. [/INST]", "", "Plum"), Pair("Name a fruit.", "", "Plum")),
        ("chat_markers", Pair("<|user|>\nName a fruit.<|end|>", "", "Plum"), Pair("Name a fruit.", "", "Plum")),
        ("chat_markers", Pair("Sort.", "### Input:\nb, a", "a, b"), Pair("Sort.", "b, a", "a, b")),
        ("placeholder_input", Pair("Name a fruit.", "N/A", "Plum"), Pair("Name a fruit.", "", "Plum")),
        ("placeholder_input", Pair("Name a fruit.", "<noinput>", "Plum"), Pair("Name a fruit.", "", "Plum")),
        ("placeholder_input", Pair("Name a fruit.", "`< No Input. >`", "Plum"), Pair("Name a fruit.", "", "Plum")),
        (
            "placeholder_input",
            Pair("Name a fruit.", "No input is required.", "Plum"),
            Pair("Name a fruit.", "", "Plum"),
        ),
        ("placeholder_input", Pair("Name a fruit.", "none", "Plum"), Pair("Name a fruit.", "", "Plum")),
        ("placeholder_input", Pair("Name a fruit.", "-", "Plum"), Pair("Name a fruit.", "", "Plum")),
        ("placeholder_input", Pair("说出一种水果。", "无", "李子"), Pair("说出一种水果。", "", "李子")),
        ("placeholder_input", Pair("Nomme un fruit.", "Aucune entrée", "Prune"), Pair("Nomme un fruit.", "", "Prune")),
        (
            "placeholder_input",
            Pair("Write a letter.", "Jo Lee \n<noinput>", "Hi"),
            Pair("Write a letter.", "Jo Lee", "Hi"),
        ),
    ],
)
def test_mends_the_prompt(rule_id: str, before: Pair, after: Pair) -> None:
    assert mended(rule_id, before) == after


# ----------------------------------------------------------------------------------------- found, and left to people

LONG = "Rivers carry water from the hills to the sea. They shape the land as they go. " * 12

REPORTED = [
    ("broken_unicode", answer("The r\ufffdver is long.")),
    ("chat_markers", answer("An apple.\n<|im_start|>user\nAnd a pear?")),
    ("chat_markers", answer("An apple.\n### Human: And a pear?\nA pear.")),
    ("chat_markers", answer("It is subjective.</s> \nHow can I help?")),
    ("instruction_echo", answer(ASKED)),
    ("empty_output", answer("")),
    ("empty_output", answer(" \n\t")),
    ("empty_output", answer("<nooutput>")),
    ("empty_output", answer("<noinput>")),
    ("empty_output", answer("No output.")),
    ("empty_output", answer("...")),
    ("empty_output", answer("N/A", "Write a poem about rivers.")),
    (
        "truncated_output",
        answer("Rivers are long. They flow from the hills to the sea and bring with them sand and the"),
    ),
    (
        "truncated_output",
        answer("Rivers are long and they shape the land. They flow to the sea because of gravity. The"),
    ),
    ("truncated_output", answer("1. Rivers bring water to the fields.\n2. They carry boats and goods.\n3.")),
    ("truncated_output", answer("- Rivers bring water to the fields\n- They carry boats and goods\n-")),
    ("truncated_output", answer(LONG + "When the rains come, the water rises quickly and floods the low fields near")),
    ("truncated_output", answer(LONG + "When the rains come, the water rises quickly and flo")),
    ("truncated_output", answer("Rivers are long. They flow from the hills, through towns and fields,")),
]


@pytest.mark.parametrize(("rule_id", "pair"), REPORTED)
def test_reports_what_it_cannot_mend(rule_id: str, pair: Pair) -> None:
    assert BY_ID[rule_id].detect(pair) is True
    assert [change for change in mend(pair, [BY_ID[rule_id]]) if change.after.response != pair.response] == []


# ------------------------------------------------------------------------------- healthy text that looks suspicious

HEALTHY = [
    # any language, correctly decoded
    (
        "mojibake",
        answer("L'été, le cœur léger, Noël à Besançon — «déjà vu»… São Paulo, Ångström, Łódź, niño, Straße."),
    ),
    (
        "mojibake",
        answer("Привет, как дела? Ευχαριστώ πολύ. 日本語のテキスト。 한국어 문장. ภาษาไทย. हिन्दी. العربية. עברית"),
    ),
    ("mojibake", answer("5 × 3 ÷ 2 ± 1, 20 °C, £5, ½ cup, 10 µm, ¿Qué?, ™ ® ©")),
    ("mojibake", answer("PARCE QUE LES PLAQUES Y MARQUÉES À L'ÉTÉ")),
    ("mojibake", answer("It shows cafÃ© there.", "Why does the text show mojibake like cafÃ©?")),
    ("mojibake", answer("Try `cafÃ©` once.")),
    ("broken_unicode", answer("The replacement character \ufffd stands for a byte that could not be decoded.")),
    ("broken_unicode", answer("\ufffd", "Which character does U+FFFD look like?")),
    ("broken_unicode", answer("\U0001f469\U0001f3fd\u200d\U0001f4bb works")),
    ("control_characters", answer("a\tb\nc\r\n")),
    ("control_characters", answer("Use \\x1b[31m for red and \\x00 for the end.")),
    ("control_characters", answer("\x1b[31m", "Print the ANSI escape code for red.")),
    (
        "invisible_characters",
        answer(
            "A family \U0001f468\u200d\U0001f469\u200d\U0001f467 and \u2764\ufe0f\u200d\U0001f525 and "
            "\U0001f3f3\ufe0f\u200d\U0001f308"
        ),
    ),
    (
        "invisible_characters",
        answer("\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f is Scotland"),
    ),
    ("invisible_characters", answer("می\u200cخواهم کتاب\u200cها را بخوانم")),
    ("invisible_characters", answer("क\u094d\u200dष and क\u094d\u200cष")),
    ("invisible_characters", answer("שלום \u200f(hello)\u200f \u2067abc\u2069")),
    ("invisible_characters", answer("ภาษา\u200bไทย and ភាសា\u200bខ្មែរ")),
    ("invisible_characters", answer("Here: [\u200b]", "Show me a zero-width space.")),
    ("chat_markers", answer("Compare 3 < 4 and a[i] with x | y, F# has <| and |>.")),
    ("chat_markers", answer("Write `<|im_end|>` after each turn.")),
    ("chat_markers", answer('The string "</s>" ends a sequence.')),
    ("chat_markers", answer("```\n<s>[INST] Hi [/INST]\n```")),
    ("chat_markers", answer("It was <s>10</s> 8 euros.")),
    ("chat_markers", answer("It costs 8 euros, not <s>10</s>")),
    ("chat_markers", answer("<|im_end|>", "Which special token ends a turn in ChatML?")),
    ("chat_markers", answer("## Response\n\nThe firm answered within a day.")),
    (
        "chat_markers",
        answer("### Input:\na list\n\n### Output:\nits sum\n\n### Steps\n1. Add.", "Document the function."),
    ),
    ("chat_markers", answer("A C comment: // end of output, then more text.")),
    ("whitespace", answer("def f():\n    return 1\n\n\ndef g():\n    return  2")),
    ("whitespace", answer("Name     Age   City\nAnn      31    Bonn\nBob      25    Köln")),
    ("whitespace", answer("| a   | b  |\n|-----|----|\n| 1   | 2  |")),
    ("whitespace", answer("Roses are red,  \nViolets are blue.")),
    ("whitespace", answer("    x = 1\n    y = 2")),
    ("whitespace", answer("  *\n ***\n*****")),
    ("whitespace", answer("$a  +  b$ is a sum and `x  y` is code.")),
    ("whitespace", answer("Name:            Date:")),
    ("whitespace", answer("a  b  c", "Remove the extra spaces from the text.", "a   b    c")),
    ("whitespace", answer("x = 10          # the width of the box in which it is drawn")),
    ("placeholder_input", Pair("Translate the word into French.", "none", "aucun")),
    ("placeholder_input", Pair("What does N/A mean?", "N/A", "Not applicable.")),
    ("placeholder_input", Pair("Explain the error message 'no input'.", "no input", "A program got nothing to read.")),
    ("placeholder_input", Pair("Write about the movie.", "No Country for Old Men", "It is bleak.")),
    ("placeholder_input", Pair("Who wrote it?", "Nothing to Envy", "Barbara Demick.")),
    ("placeholder_input", Pair("Turn it into a question.", "No data was given to the police.", "Was data given?")),
    ("placeholder_input", Pair("Classify the number.", "0", "even")),
    ("placeholder_input", Pair("What punctuation mark is this?", "-", "A hyphen.")),
    (
        "instruction_echo",
        answer("The capital of France is Paris.\nIt lies on the Seine.", "What is the capital of France?"),
    ),
    (
        "instruction_echo",
        answer("The rain in Spain.\nIt stays mainly on the plain.", "Repeat this: The rain in Spain."),
    ),
    (
        "instruction_echo",
        answer(
            "Once upon a time there was a river.\nIt ran.", "Once upon a time there was a river. Continue the story."
        ),
    ),
    ("instruction_echo", answer("The history of river boats\n\nThey are old.", "The history of river boats")),
    ("instruction_echo", answer("List the steps for baking:\n1. Mix.\n2. Bake.", "List the steps for baking.")),
    (
        "instruction_echo",
        answer('"""\nSort a list of numbers.\n"""\nimport sys\nprint(sorted(x))', "Sort a list of numbers."),
    ),
    ("empty_output", answer("No.")),
    ("empty_output", answer("0")),
    ("empty_output", answer("None", "Which of these numbers is odd?", "2, 4")),
    ("empty_output", answer("N/A", "Fill in the missing cell.")),
    ("empty_output", answer(".", "Which punctuation mark ends a sentence?")),
    ("empty_output", answer("👍")),
    ("empty_output", answer("< >", "( < [ ] > <")),
    ("empty_output", answer("]", "Close all brackets.", "[ ( )")),
    ("empty_output", answer("無")),
    ("truncated_output", answer("Thank you for the boat. I had a wonderful time on the river.\n\nWith love,")),
    (
        "truncated_output",
        answer(
            "Books about rivers for the long evenings of winter\n1. Life on the Mississippi\n2. The Wind in the "
            "Willows"
        ),
    ),
    (
        "truncated_output",
        answer("The rivers of Europe are the Danube, the Rhine, the Loire, the Rhône, the Elbe and the Po"),
    ),
    (
        "truncated_output",
        answer(
            "O river, run down to the sea,\nO river, carry me,\nPast the willow and the tree,\nPast the house of the",
            "Write a poem about a river.",
        ),
    ),
    ("truncated_output", answer(LONG)),
    ("truncated_output", answer(LONG + "Read on at https://rivers.example.org/more")),
    (
        "truncated_output",
        answer(
            "def area(r):\n    # the area of a circle with the radius r\n    return 3.14 * r * "
            "r\n\nprint(area(2))\nx = y"
        ),
    ),
    ("truncated_output", answer("We met at the river. It was the best place to look for")),
    ("truncated_output", answer("Choose one.\nA. The Rhine\nB. The Rhône\nAnswer: B")),
]


@pytest.mark.parametrize(("rule_id", "pair"), HEALTHY)
def test_leaves_healthy_text_alone(rule_id: str, pair: Pair) -> None:
    assert BY_ID[rule_id].detect(pair) is False


@pytest.mark.parametrize("pair", [pair for _, pair in HEALTHY if not pair.response.startswith("    ")])
def test_no_rule_changes_a_healthy_looking_row_twice(pair: Pair) -> None:
    changes = mend(pair, RULES)
    after = changes[-1].after if changes else pair
    assert mend(after, RULES) == []


# ------------------------------------------------------------------------------------------------- what all rules keep


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_example_shows_the_rule(rule: Rule) -> None:
    before, after = rule.example
    assert before != ""
    field = EXAMPLE_FIELD.get(rule.id, "response")
    pair = EXAMPLE_PAIR.get(rule.id, Pair(ASKED, "", "They flow downhill.")).replace(**{field: before})
    assert rule.detect(pair) is True
    if after or rule.id in ("placeholder_input", "repeated_input"):
        assert rule.repair is not None
        assert getattr(rule.repair(pair), field) == after
    else:
        assert rule.repair is None or rule.repair(pair) == pair


EXAMPLE_FIELD = {
    "placeholder_input": "input",
    "repeated_input": "input",
    "missing_input": "instruction",
    "unknown_roles": "instruction",
}
EXAMPLE_PAIR = {
    "instruction_echo": Pair("Why is the sky blue?"),
    "option_disagrees": Pair("Which city is the capital of Norway?\nA) Oslo\nB) Bergen"),
    "count_missed": Pair("Write three sentences about rain."),
    "answer_is_input": Pair("Rewrite the sentence.", "The boat sails to Graz today."),
    "solved_input": Pair("Fill in the blank.", "The capital of France is Paris."),
    "repeated_input": Pair("Name three rivers in Asia."),
    "unknown_roles": Pair("", "", "", (Turn("instruction", "Name a fruit."), Turn("output", "Apple."))),
}

MARKS = "<|im_start|>assistant ,</s>,<s>,[INST],### Response:,### Human: x,N/A,<noinput>,<b>,&amp;,[insert name]"
OPENERS = "``` ~~~ ` $ $$ \\[ \\] \\( \\begin{a} \\end{a} | a|b| https://a.b/c { ( ) \" ' : - 1. - # ** * _"
ODD = "\u200b \u200d \u200c \u00ad \ufeff \u200f \u2028 \u2029 \x00 \x1b[1m \x85 \ud83d \ude00 \udcc3\udca9 \ufffd"
LETTERS = "Ã© â€™ Ã é 中文。 שלום می क् 👩 👩\u200d👩 🏴 \U000e0067 \U000e007f"
WORDS = "a word,The end. ,Tell me something about rivers.,def f(x):,    x = 1, A short  walk helps more than a ride."
BLANKS = [" ", "  ", "\t", "\n", "  \n", "\r", "\r\n", "\n\n\n\n", "x" * 40, "word " * 9, ", "]
FRAGMENTS = st.sampled_from(
    [*MARKS.split(","), *OPENERS.split(" "), *ODD.split(" "), *LETTERS.split(" "), *WORDS.split(","), *BLANKS]
)
TEXTS = st.one_of(st.lists(FRAGMENTS, max_size=9).map("".join), st.text(st.characters(), max_size=40))
PAIRS = st.builds(Pair, st.one_of(st.just(ASKED), TEXTS), st.one_of(st.just(""), TEXTS), TEXTS)


@settings(max_examples=400, deadline=None)
@given(PAIRS)
def test_each_rule_is_idempotent_and_never_raises(pair: Pair) -> None:
    for rule in RULES:
        assert rule.detect(pair) in (True, False)
        if rule.repair is not None:
            once = rule.repair(pair)
            assert rule.repair(once) == once, rule.id
            if not rule.detect(pair):
                assert once == pair, rule.id


@settings(max_examples=300, deadline=None)
@given(PAIRS)
def test_the_whole_list_is_idempotent(pair: Pair) -> None:
    changes = mend(pair, RULES)
    after = changes[-1].after if changes else pair
    assert mend(after, RULES) == []
    assert [change.before for change in changes[1:]] == [change.after for change in changes[:-1]]


@settings(max_examples=200, deadline=None)
@given(PAIRS, st.sampled_from([(), ("response",), ("instruction",), ("input", "response")]))
def test_read_only_fields_stay(pair: Pair, writable: tuple[str, ...]) -> None:
    changes = mend(pair, RULES, writable=writable)
    after = changes[-1].after if changes else pair
    for name in {"instruction", "input", "response"} - set(writable):
        assert getattr(after, name) == getattr(pair, name)


PROTECTED = [
    "```python\nx  =  [INST]\r\n\n\n\n\n  # cafÃ©\u200b\x07 \n```",
    "`a  b\u200b`",
    "https://example.org/a%20b?x=cafÃ©",
    "$$a  +  b \n$$",
    "\\begin{align}a  &= b \n\n\n\n c\\end{align}",
    "| a   | b\u200b  |",
]


@pytest.mark.parametrize("span", PROTECTED)
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.repair], ids=lambda rule: rule.id)
def test_code_urls_latex_and_tables_come_out_as_they_went_in(rule: Rule, span: str) -> None:
    pair = answer(f" Look here:\n{span}\nThat  was one of the things to see.\u200b isnâ€™t it \x07</s>")
    assert rule.repair is not None
    assert span in rule.repair(pair).response


# ------------------------------------------------------------------------------------------------- order and interplay


def test_order_is_characters_then_markup_then_layout_then_comparisons() -> None:
    first = [rule.id for rule in RULES]
    wanted = ["broken_unicode", "mojibake", "control_characters", "invisible_characters", "chat_markers", "whitespace"]
    assert [name for name in first if name in wanted] == wanted
    assert first.index("whitespace") < first.index("placeholder_input") < first.index("empty_output")


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        # wrongly decoded dashes hold a control character: decoding goes first, so that nothing is lost
        (answer("Rivers â\x80\x94 long ones"), answer("Rivers — long ones"), ["mojibake"]),
        # what stands before a marker is trimmed with it, and no second rule needs to
        (answer("An apple. </s>"), answer("An apple."), ["chat_markers"]),
        # a zero-width space hides the end of a marker
        (answer("An apple.</s\u200b>"), answer("An apple."), ["invisible_characters", "chat_markers"]),
        # a marker hides a placeholder
        (
            Pair("Name a fruit.", "N/A<|im_end|>", "Plum"),
            Pair("Name a fruit.", "", "Plum"),
            ["chat_markers", "placeholder_input"],
        ),
        # white space hides an echo
        (
            answer(f"{ASKED}  \n\nThey  flow downhill as all water does."),
            answer("They flow downhill as all water does."),
            ["whitespace", "instruction_echo"],
        ),
        # a marker between the echo and the answer
        (
            Pair(ASKED, "", f"<|assistant|>{ASKED}\n\nThey flow downhill.</s>"),
            answer("They flow downhill."),
            ["chat_markers", "instruction_echo"],
        ),
    ],
)
def test_rules_work_hand_in_hand(before: Pair, after: Pair, rules: list[str]) -> None:
    changes = mend(before, RULES)
    assert changes[-1].after == after
    assert [change.rule for change in changes] == rules


def test_an_answer_of_markers_alone_is_empty_afterwards() -> None:
    changes = mend(answer("<|im_start|>assistant\n<|im_end|>"), RULES)
    assert changes[-1].after.response == ""
    assert "empty_output" in find_defects(changes[-1].after, RULES)


def test_find_defects_names_rules_in_order() -> None:
    pair = Pair("Name a fruit. ", "N/A", "An apple.\u200b</s>")
    assert find_defects(pair, RULES) == ["invisible_characters", "chat_markers", "whitespace", "placeholder_input"]


def test_select_rules_keeps_the_order_and_refuses_unknown_names() -> None:
    assert [rule.id for rule in select_rules(only=["whitespace", "mojibake"])] == ["mojibake", "whitespace"]
    assert "mojibake" not in [rule.id for rule in select_rules(skip=["mojibake"])]
    with pytest.raises(RuleError, match="did you mean 'mojibake'"):
        select_rules(only=["mojibak"])


def test_every_rule_has_a_line_for_people() -> None:
    for rule in RULES:
        assert rule.meaning[0].islower()
        assert 20 <= len(rule.meaning) <= 120
        assert rule.severity in ("low", "medium", "high")


# ------------------------------------------------------------------------------------------------ long strings -------

HOSTILE = [
    "<",
    "</s>",
    "### ",
    "  a",
    " \n",
    "`",
    "$",
    "|",
    "https://a ",
    "(",
    "1. ",
    "\u200b",
    "\ud800",
    "Ã©",
    "中",
    "[a",
]
HOSTILE += ["&lt;", "a. A", "the the ", "- x y\n", "I can't ", "```\n", "1. Instruction: "]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_text_of_one_thing_comes_through(piece: str, long_text: Callable[[str], str]) -> None:
    text = long_text(piece)
    pair = Pair(ASKED, "", text)
    changes = mend(pair, RULES)
    after = changes[-1].after if changes else pair
    assert (after.instruction, after.input) == (ASKED, "")
    assert len(after.response) <= len(text) + 10


# ----------------------------------------------------------------------------------------------------------- real rows

SHAPED = ["alpaca_6k", "dolly_2k", "alpaca_zh", "sharegpt_preference_299", "messages_kto", "typed_messages_sft"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", SHAPED)
def test_mended_real_rows_need_no_more_mending(name: str, realdata: Callable[[str], Path]) -> None:
    with realdata(f"{name}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    view = detect(rows[0].keys())
    for row in rows:
        for target in view.targets(row):
            changes = mend(target.pair, RULES)
            if changes:
                assert mend(changes[-1].after, RULES) == []


# -------------------------------------------------------------------------------------------------- the rows that ship


def test_the_example_rows_hold_every_defect_and_many_healthy_rows() -> None:
    with (Path(__file__).parent.parent / "examples" / "messy.jsonl").open(encoding="utf-8") as lines:
        pairs = [Pair(row["instruction"], row["input"], row["output"]) for row in map(json.loads, lines)]
    found = [find_defects(pair, RULES) for pair in pairs]
    counts = {rule.id: sum(rule.id in ids for ids in found) for rule in RULES}
    proven = {verifier.id for verifier in VERIFIERS}  # of rows that reason, choose or calculate
    assert {name for name, count in counts.items() if count < 3} - proven == {
        "unknown_roles"
    }  # of conversations alone
    assert sum(not ids for ids in found) >= 80
    assert len(set(pairs)) < len(pairs)
