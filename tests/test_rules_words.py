"""The rules about words: HTML, repetition, assistants, prompts, claims, brackets, languages."""

from __future__ import annotations

import pytest

from hfclean.rules import RULES, find_defects, mend
from hfclean.schema import Pair, Turn

BY_ID = {rule.id: rule for rule in RULES}
ASKED = "List some facts on rivers."
FACT = "Rivers carry water, sand and stones from the hills down to the sea, day and night."


def answer(text: str, instruction: str = ASKED, text_input: str = "") -> Pair:
    return Pair(instruction, text_input, text)


MENDED = [
    ("html_remnants", "Salt &amp; pepper.<br>Serve <b>warm</b>.", "Salt & pepper.\nServe warm."),
    ("html_remnants", "One.<br/><br />Two.", "One.\n\nTwo."),
    ("html_remnants", "<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
    ("html_remnants", "It costs 5&nbsp;&euro; &amp;amp; more, isn&#39;t it?", "It costs 5 € & more, isn't it?"),
    ("html_remnants", '<span style="color: red">Red</span> and <i>blue</i>', "Red and blue"),
    ("html_remnants", "See https://a.org/?x=1&amp;y=2 &amp; more.", "See https://a.org/?x=1&amp;y=2 & more."),
    ("doubled_word", "It lies in the the north.", "It lies in the north."),
    ("doubled_word", "A fjord is a a long arm of of the sea.", "A fjord is a long arm of the sea."),
    ("doubled_word", "from the the the source to to the sea", "from the source to the sea"),
    ("repeated_text", f"{FACT}\n{FACT}\nThey are old.", f"{FACT}\nThey are old."),
    ("repeated_text", f"{FACT}\n\n{FACT}\n\n{FACT}", FACT),
    ("unclosed_fence", "Run:\n```sh\nmake", "Run:\n```sh\nmake\n```"),
    ("unclosed_fence", "Run:\n~~~~\nmake\n```\n", "Run:\n~~~~\nmake\n```\n~~~~"),
    ("unclosed_fence", "```\na\n```\nand\n```py\nb = 1\n\n", "```\na\n```\nand\n```py\nb = 1\n```"),
    ("next_task", "The Nile.\n###\n7. Instruction: Name a city.\n7. Input:\n<noinput>\n7. Output:\nRome", "The Nile."),
    ("next_task", "The Nile.\n\n12. Instruction: Sort.\n12. Input:\n2, 1", "The Nile."),
    ("ai_boilerplate", "As an AI language model, I suggest the Nile.", "I suggest the Nile."),
    ("ai_boilerplate", "I'm sorry, but as an AI, I know few rivers.", "I'm sorry, but I know few rivers."),
    ("ai_boilerplate", "The Nile. As an AI assistant, I can add more.", "The Nile. I can add more."),
]


@pytest.mark.parametrize(("rule_id", "before", "after"), MENDED)
def test_mends_the_answer(rule_id: str, before: str, after: str) -> None:
    rule = BY_ID[rule_id]
    assert rule.detect(answer(before)) is True
    assert rule.repair is not None
    assert rule.repair(answer(before)).response == after


def test_an_input_that_is_the_instruction_is_emptied() -> None:
    rule = BY_ID["repeated_input"]
    assert rule.repair is not None
    pair = Pair("Name three rivers in Asia.", "name three rivers in Asia", "Ob, Lena, Amur")
    assert rule.repair(pair) == Pair("Name three rivers in Asia.", "", "Ob, Lena, Amur")


REPORTED = [
    # a list, a link or a table says more than its words: left as it is
    ("html_remnants", answer('Go to <a href="https://a.org">the list</a>.')),
    ("html_remnants", answer("<ol><li>First</li><li>Second</li></ol>")),
    ("html_remnants", answer("1 &lt; 2")),
    ("repeated_text", answer("It is sour and fruity " + "and sour and fruity " * 20)),
    ("repeated_text", answer("1. Bake a loaf\n2. Sort the photos\n" * 2 + "3. Bake a loaf\n4. Sort the photos\n" * 2)),
    (
        "repeated_text",
        answer("1. Communication\n2. Good teamwork\n3. Good teamwork\n4. Good teamwork\n5. Good teamwork" * 2),
    ),
    ("repeated_text", answer(f"{FACT} They also shape valleys. {FACT}")),
    ("unclosed_fence", answer("Here it ends.\n```")),
    ("next_task", answer("4. Instruction: Sort.\n4. Input:\n2, 1")),
    ("next_task", Pair("Sort.\n9. Instruction: Name a city.\n9. Output:\nRome", "", "Yes")),
    (
        "repeated_input",
        Pair('Translate "The lake is frozen" into Spanish.', "The lake is frozen", "El lago está helado."),
    ),
    ("missing_input", Pair("Describe the following painting in two sentences.", "", "It shows a harbour.")),
    ("missing_input", Pair("Summarize the given article.", "", "It is about farms.")),
    ("missing_input", Pair("Correct the grammar of this paragraph", "N/A", "No mistakes.")),
    ("missing_input", Pair("Classify the sentences below.", "", "Positive.")),
    ("leftover_fill_in", answer("Dear [insert name],\n\nthank you.")),
    ("leftover_fill_in", answer("Sincerely,\n[Your Name]")),
    ("leftover_fill_in", answer("Meet [Product Name], the umbrella!")),
    ("leftover_fill_in", answer("I am {{name}}, made by {{author}}.")),
    ("refusal", answer("I'm sorry, but I can't help with that.")),
    ("refusal", answer("Unfortunately, as an AI language model, I don't have the ability to draw maps.")),
    ("refusal", answer("I cannot answer this question.")),
    ("refusal", answer("Sorry, the task requires a visual output.")),
    ("refusal", answer("抱歉，我无法回答这个问题。", "推荐一条河。")),
    ("identity_leak", answer("I am ChatGPT, a large language model trained by OpenAI.", "Who are you?")),
    ("identity_leak", answer("My name is Claude.", "What is your name?")),
    ("identity_leak", answer("I was created by researchers at Meta AI.", "Who made you?")),
    ("stale_cutoff", answer("As of my last update in 2021, it was 6,650 km.")),
    ("stale_cutoff", answer("My knowledge cutoff is September 2021.")),
    ("stale_cutoff", answer("I was trained on data up to 2022.")),
    ("imagined_media", answer("As you can see in the image above, there are two rivers.")),
    ("imagined_media", answer("The map you shared shows the Nile.")),
    ("imagined_media", answer("[Image of a river]")),
    ("imagined_media", answer("![river](https://a.org/r.png)")),
    ("imagined_media", answer("The photo shows a bridge.", "Describe this photo.", "https://a.org/1.jpg")),
    ("imagined_access", answer("I searched the web and found three rivers.")),
    ("imagined_access", answer("Please find attached the list.")),
    ("imagined_access", answer("I have booked the flight.")),
    ("unclosed_bracket", answer("The Elbe (which rises in Bohemia flows into the North Sea.")),
    ("unclosed_bracket", answer("The Elbe [1094 km flows north.")),
    ("unclosed_bracket", answer("43. 锝（T", "生成化学元素列表。")),
    (
        "language_mismatch",
        answer("Los ríos llevan el agua de las montañas al mar y son muy importantes para los campos y las ciudades."),
    ),
    (
        "language_mismatch",
        answer("Rivers carry water to the sea, and that is why the fields are green.", "为什么河流很重要？"),
    ),
    (
        "language_mismatch",
        answer(
            "The trees lose their leaves because the soil gives them too little water for the winter.",
            "Pourquoi les feuilles tombent-elles ?",
        ),
    ),
]


@pytest.mark.parametrize(("rule_id", "pair"), REPORTED)
def test_reports_what_it_cannot_mend(rule_id: str, pair: Pair) -> None:
    rule = BY_ID[rule_id]
    assert rule.detect(pair) is True
    assert rule.repair is None or rule.repair(pair) == pair


HEALTHY = [
    ("html_remnants", answer("Use <b> for bold.", "How is text made bold in HTML?")),
    ("html_remnants", answer("5 < 7 and 8 > 3, R&D, AT&T, A&P; x<y>z")),
    ("html_remnants", answer("The tag `<br>` breaks a line.")),
    ("html_remnants", answer("List<String> names = new ArrayList<>();")),
    ("html_remnants", answer("<template>\n  <p>{{ name }}</p>\n</template>")),
    ("html_remnants", answer("public static <T> T first(List<T> list) { return list.get(0); }")),
    ("html_remnants", answer("```html\n<p>Hello</p>\n```")),
    ("doubled_word", answer("He had had enough, and I know that that road is closed. What it is is a river.")),
    ("doubled_word", answer("a a b b a")),
    ("doubled_word", answer("The The is a band; New York, New York; bye bye.")),
    ("doubled_word", answer("The word the the stands there twice.", "Find the mistake: I saw the the moon.")),
    ("repeated_text", answer("Row, row, row your boat\n" * 6, "Write a song for children.")),
    (
        "repeated_text",
        answer("Monday: run, stretch and rest.\nTuesday: run, stretch and rest.\nSunday: run, stretch and rest."),
    ),
    ("repeated_text", answer("```\n" + "print('hello world, here I am')\n" * 9 + "```")),
    ("repeated_text", answer("| river | long |\n" * 9)),
    ("repeated_text", answer("0\n" * 60)),
    ("repeated_text", answer("-" * 400 + "\nA line of text that ends the page")),
    ("unclosed_fence", answer("```\na\n```\n\n~~~\nb\n~~~")),
    ("unclosed_fence", answer("````\n```\nnested\n```\n````")),
    ("unclosed_fence", answer("Three backticks ``` open a block.")),
    ("next_task", answer("1. Instruction: Clap.\n2. Instruction: Hum.", "Write two exercises.")),
    ("next_task", answer("1. Input and output: how data moves.\n2. Memory: where it stays.")),
    ("repeated_input", Pair("Is the word 'lake' a noun?", "The lake is frozen.", "Yes.")),
    ("repeated_input", Pair("Translate the sentence.", "The lake is frozen.", "El lago está helado.")),
    ("missing_input", Pair("Translate the following sentence: The sea is calm.", "", "La mer est calme.")),
    ("missing_input", Pair("Is the following sentence true? Fish can sing.", "", "No.")),
    ("missing_input", Pair("Write a function that reverses a given string.", "", "def f(s): return s[::-1]")),
    ("missing_input", Pair("Summarize the following article.", "Rain, and more rain.", "Rain.")),
    ("missing_input", Pair("Summarize this article.", "", "Rain.", (Turn("user", "Here it is: rain."),))),
    ("missing_input", Pair("Describe the painting 'The Starry Night'.", "", "Stars over a village.")),
    ("leftover_fill_in", answer("Dear [name],", "Write a template for a letter.")),
    ("leftover_fill_in", answer("See [the list](https://a.org) or [1], array[index] and [sic].")),
    ("leftover_fill_in", answer("print(f'Hello {name}')")),
    ("leftover_fill_in", answer("[The door opens. Anna enters.]\nAnna: Good morning!")),
    ("refusal", answer("I can't recommend the Danube enough! It is lovely.")),
    ("refusal", answer("I cannot come on Friday.", "Write an excuse for my teacher.")),
    ("refusal", answer("Unfortunately, the Aral Sea has nearly dried up.")),
    ("refusal", answer("We can't cross the river here because the bridge is closed for the winter.")),
    ("ai_boilerplate", answer("No, I am an AI and have no body.", "Are you a human being?")),
    ("ai_boilerplate", answer('"As an AI, I feel nothing," said the robot.', "Write a story about a robot.")),
    ("ai_boilerplate", answer("Flood forecasts now use AI models and language models.")),
    ("identity_leak", answer("OpenAI trained ChatGPT with human feedback.")),
    ("identity_leak", answer("GPT-3 is a language model developed by OpenAI.", "What is GPT-3?")),
    ("identity_leak", answer("I am Claude Monet's neighbour.", "Write a story about a neighbour.")),
    ("stale_cutoff", answer("As of 2021, the Nile was said to be 6,650 km long.")),
    ("stale_cutoff", answer("My last name is Rivers.")),
    ("imagined_media", answer("The bar chart shows amounts side by side.")),
    ("imagined_media", answer("A brown dog on a sofa.", "Write alt text for a photo.")),
    ("imagined_media", answer("The painting shows a wave and Mount Fuji.", 'Describe the painting "The Great Wave".')),
    ("imagined_media", answer("I can't see the picture; please describe it.", "Describe this picture.")),
    ("imagined_access", answer("Dear Ms. Holm, please find attached my report.", "Write an e-mail to my boss.")),
    ("imagined_access", answer("You can search the web or look it up in an atlas.")),
    ("unclosed_bracket", answer("a) Rhine b) Elbe c) Oder (in the east) :(")),
    ("unclosed_bracket", answer("The interval is [0, 1) and the other is (2, 3].")),
    ("unclosed_bracket", answer("if (x > 1) {\n    y();", "Write a program.")),
    (
        "language_mismatch",
        answer(
            "La mer est calme et le ciel est bleu, et les bateaux sont dans le port.", "Translate into French: ..."
        ),
    ),
    ("language_mismatch", answer("def f(x):\n    return x", "写一个返回参数的函数。")),
    (
        "language_mismatch",
        answer("El lago está en la montaña y es muy frío.", "Resume el texto.", "El lago de la montaña es muy frío."),
    ),
    ("language_mismatch", answer("Rhine, Elbe, Oder, Main, Neckar, Weser, Donau, Isar, Inn, Lech, Spree, Havel")),
]


@pytest.mark.parametrize(("rule_id", "pair"), HEALTHY)
def test_leaves_healthy_text_alone(rule_id: str, pair: Pair) -> None:
    assert BY_ID[rule_id].detect(pair) is False


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        # what a cut task leaves at the end is trimmed by the same rule
        (
            answer("The Nile. \n\n###\n7. Instruction: Name a city.\n7. Input:\n<noinput>"),
            answer("The Nile."),
            ["next_task"],
        ),
        # a tag hides a doubled word, an entity a run of spaces
        (
            answer("It lies in the <b>the</b> north of the country."),
            answer("It lies in the north of the country."),
            ["html_remnants", "doubled_word"],
        ),
        (
            answer("The river is&nbsp; &nbsp;long and it flows to the sea."),
            answer("The river is long and it flows to the sea."),
            ["html_remnants", "whitespace"],
        ),
        # a marker inside an open block goes nowhere; the block is closed after it
        (answer("Run:\n```sh\nmake </s>"), answer("Run:\n```sh\nmake </s>\n```"), ["unclosed_fence"]),
    ],
)
def test_rules_work_hand_in_hand(before: Pair, after: Pair, rules: list[str]) -> None:
    changes = mend(before, RULES)
    assert changes[-1].after == after
    assert [change.rule for change in changes] == rules


def test_a_refusal_that_speaks_of_ai_is_both() -> None:
    found = find_defects(answer("I'm sorry, but as an AI, I can't draw maps."), RULES)
    assert found == ["ai_boilerplate", "refusal"]
