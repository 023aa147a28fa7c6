"""The gate knows structure: what a text is made of stays, and a label is not put in another one's place."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hfclean.checks import CheckError, accept
from hfclean.checks.closed_answers import boxes
from hfclean.schema import Pair
from hfclean.verifiers.boxes import boxes_in

THOUGHT = "<think>\n17 * 3: 17 * 2 = 34, plus 17 is 51.\n</think>\n\n"
PYTHON = "def add(a, b):\n    return a + b\n"
TABLE = "| city | people |\n| --- | ---: |\n| Bonn | 330,000 |\n| Ulm | 128,000 |\n"
PATCH = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n"
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}\n</tool_call>'

LANGUAGES = [
    *("python", "javascript", "typescript", "java", "go", "rust", "c", "cpp", "csharp", "ruby", "php", "sql", "bash"),
    *("yaml", "json", "html", "css", "kotlin", "swift", "lua", "toml"),
]
FINALS = [
    *("4", "5", "-4", r"\frac{1}{2}", r"\frac{1}{3}", "x+1", "x-1", "0.5", "0.25", "1,000", "100", "(2,3)", "[2,3]"),
    *(r"2\pi", r"\pi"),
]

# question, old answer, new answer
LOST: dict[str, list[tuple[str, str, str]]] = {
    "thought_lost": [
        ("What is 17*3?", THOUGHT + "It is 51.", "<think>\n</think>\nIt is 51."),
        ("What is 17*3?", THOUGHT + "It is 51.", "<think>OK</think>\nIt is 51."),
        ("What is 17*3?", THOUGHT + "It is 51.", "It is 51."),
        ("What is 17*3?", THOUGHT + "It is 51.", THOUGHT.replace("</think>", "") + "It is 51."),
        ("What is 17*3?", THOUGHT + "It is 51.", THOUGHT.replace("<think>", "") + "It is 51."),
        ("What is 17*3?", "It is 51.", "<think>\nIt is 51, since 17 * 3 is 51."),
        ("What is 17*3?", "It is 51.", "So it is.</think>\n\nIt is 51."),
        ("What is 17*3?", THOUGHT + "It is 51.", "17 * 3: 17 * 2 = 34, plus 17 is 51.\n\nIt is 51."),
        ("What is 17*3?", THOUGHT + "It is 51.", THOUGHT.replace("</think>", "<think>") + "It is 51."),
        ("What is 17*3?", THOUGHT.replace("think", "thinking") + "It is 51.", "The product of 17 and 3 is 51."),
        ("What is 17*3?", THOUGHT.replace("think", "reasoning") + "It is 51.", "The product of 17 and 3 is 51."),
        ("What is 17*3?", THOUGHT.replace("think", "thought") + "It is 51.", THOUGHT + "It is 51."),
        ("What is 17*3?", THOUGHT.replace("think", "scratchpad") + "It is 51.", "It is 51, as 17 * 3 = 51."),
        ("What is 17*3?", THOUGHT.replace("think", "THINK") + "It is 51.", "It is 51, as 17 * 3 = 51."),
        ("What is 17*3?", THOUGHT + "It is 51.", THOUGHT + THOUGHT.replace("</think>", "") + "It is 51."),
        ("What is 17*3?", "[THINK]17 * 3 is 51.[/THINK]It is 51.", "It is 51."),
        ("What is 17*3?", "[THINK]17 * 3 is 51.[/THINK]It is 51.", "[THINK]17 * 3 is 51. It is 51."),
        ("What is 17*3?", "<|START_THINKING|>51.<|END_THINKING|>It is 51.", "It is 51."),
        ("What is 17*3?", "◁think▷17 * 3 is 51.◁/think▷It is 51.", "It is 51."),
        ("What is 17*3?", "<|channel|>analysis<|message|>17 * 3 is 51.<|end|>It is 51.", "It is 51."),
        ("What is 17*3?", THOUGHT + THOUGHT + "It is 51.", THOUGHT + "It is 51."),
        ("Why?", "<reflection>It rained.</reflection>Because it rained.", "Because it rained all day."),
        ("Why?", "<think></think>\nBecause it rained.", "Because it rained all day."),
    ],
    "placeholder_lost": [
        ("Describe it.", f"{place}\nThe picture shows a cat on a mat.", "The picture shows a cat on a mat.")
        for place in (
            "<image>",
            "<Image>",
            "<image_1>",
            "<|image|>",
            "<|image_1|>",
            "<|image_pad|>",
            "<video>",
            "<audio>",
            "<|vision_start|>",
            "[IMG]",
            "[IMAGE]",
            "<ImageHere>",
            "<speech>",
            "![a cat](cat.png)",
            "<img>",
        )
    ]
    + [
        ("Write a template for a letter.", "Dear {name}, your order is here.", "Dear Anna, your order is here."),
        ("Write a prompt template.", "Sum up: {{ text }} in one line.", "Sum up the text in one line."),
        ("Write an f-string in Python.", 'f"Hello {user}!"', 'f"Hello Bob!"'),
        ("Write a format string.", "Hello %(name)s, welcome.", "Hello Bob, welcome."),
        ("Reason, then put the result in <answer> tags.", "<answer>51</answer>", "The answer is 51."),
        ("Put it inside <summary> tags.", "<summary>Rain.</summary>", "<summary>It rains."),
        ("Two pictures.", "<image> and <image>: a cat and a dog.", "<image>: a cat and a dog."),
    ],
    "tool_call_changed": [
        ("Weather?", '<functioncall> {"name": "f", "x": 1}', '<functioncall> {"name": "f", "x": 2}'),
        ("Weather?", '[f(city="Paris")]', '[f(city="London")]'),
        ("Weather?", "Action: search\nAction Input: Paris", "Action: search\nAction Input: London"),
        ("What will the weather be in Paris?", CALL, "The weather in Paris will be fine for the next 3 days."),
        ("Weather?", CALL, CALL.replace("Paris", "Lyon")),
        ("Weather?", CALL, CALL.replace("3", "5")),
        ("Weather?", CALL, CALL.replace("get_weather", "weather")),
        ("Weather?", CALL, CALL.replace(', "days": 3', "")),
        ("Weather?", CALL, CALL.replace('"days": 3', '"days": "3"')),
        ("Weather?", CALL, CALL.replace('"days": 3', '"days": 3, "unit": "C"')),
        ("Weather?", CALL, CALL.replace('"days"', '"day"')),
        ("Weather?", CALL + "\n" + CALL.replace("Paris", "Lyon"), CALL),
        ("Weather?", CALL, CALL.replace("<tool_call>", "").replace("</tool_call>", "").strip() + "."),
        ("Weather?", CALL.replace("tool_call", "function_call"), "I would call get_weather for Paris."),
        ("Weather?", '[TOOL_CALLS][{"name": "w", "arguments": {"c": "Paris"}}]', "It will be fine in Paris."),
        ("Weather?", '<|python_tag|>{"name": "w", "parameters": {"c": "Paris"}}', "It will be fine in Paris."),
        ("Weather?", '{"name": "w", "arguments": {"c": "Paris"}}', '{"name": "w", "arguments": {"c": "Rome"}}'),
        ("Weather?", '{"name": "w", "parameters": {"c": "Paris"}}', "It will be fine in Paris."),
        (
            "Weather?",
            '[{"name": "w", "arguments": {}}, {"name": "v", "arguments": {}}]',
            '[{"name": "w", "arguments": {}}]',
        ),
        ("Weather?", '{"name": "w", "arguments": "{\\"c\\": 1}"}', '{"name": "w", "arguments": "{\\"c\\": 2}"}'),
        ("Weather?", '<function name="w">{"c": 1}</function>', '<function name="w">{"c": 2}</function>'),
        ("Weather?", "<invoke>w(c=1)</invoke>", "<invoke>w(c=2)</invoke>"),
        ("Weather?", "<tool_calls>w(c=1)</tool_calls>", "It is fine in Paris, with sun all day."),
    ],
    "fence_language_changed": [
        ("Write code that adds.", f"```{old}\n{PYTHON}```", f"```{new}\n{PYTHON}```")
        for old, new in pairwise(LANGUAGES)
    ],
    "table_lost": [
        ("List cities.", TABLE, new)
        for new in (
            "Bonn has 330,000 people and Ulm has 128,000 people.",
            "- Bonn: 330,000 people\n- Ulm: 128,000 people",
            "1. city Bonn, people 330,000\n2. city Ulm, people 128,000",
            "city, people\nBonn, 330,000\nUlm, 128,000",
            TABLE.replace("| --- | ---: |\n", ""),
            "city people\n---- ----\nBonn 330,000\nUlm 128,000",
            "**Bonn**: 330,000 people; **Ulm**: 128,000 people",
            "<ul><li>Bonn: 330,000 people</li><li>Ulm: 128,000 people</li></ul>",
            '{"Bonn": "330,000 people", "Ulm": "128,000 people"}',
            "Among the cities are Bonn (330,000 people) and Ulm (128,000 people).",
        )
    ]
    + [
        ("List cities.", f"Here:\n\n{TABLE}\n{TABLE}", f"Here:\n\n{TABLE}"),
        ("List cities.", TABLE + "| Kiel | 247,000 |\n" * 6, TABLE.replace("| Ulm | 128,000 |\n", "")),
        ("List cities.", "a | b\n--- | ---\n1 | 2", "a is 1 and b is 2"),
        ("List cities.", "|a|b|\n|:-:|:-:|\n|1|2|", "a is 1 and b is 2"),
        ("List cities.", "<table><tr><td>Bonn</td></tr></table>", "Bonn is a city with many people."),
        ("List cities.", "<TABLE border=1><tr><td>Bonn</td></tr></TABLE>", "Bonn is a city with many people."),
        ("List cities.", TABLE, TABLE.replace("|", " ")),
        ("List cities.", TABLE, TABLE.replace("---", "")),
        ("List cities.", "  " + TABLE.replace("\n", "\n  "), "Bonn has 330,000 people, Ulm has 128,000."),
        ("List cities.", f"Cities:\n{TABLE}That is all.", "Cities: Bonn, 330,000; Ulm, 128,000. That is all."),
    ],
    "patch_lost": [
        ("Mend the function.", PATCH, new)
        for new in (
            "Change the minus in the function to a plus: def add(a, b): return a + b.",
            PYTHON,
            f"```python\n{PYTHON}```",
            PATCH.replace("@@ -1,2 +1,2 @@\n", ""),
            PATCH.replace("--- a/x.py\n", ""),
            PATCH.replace("+++ b/x.py\n", ""),
            PATCH.replace("@@ -1,2 +1,2 @@", "@@"),
            PATCH.replace("@@ -1,2 +1,2 @@", "@@ -1,2 +1,3 @@"),
            PATCH.replace("x.py", "y.py").replace("a/", "old/"),
            "In x.py, def add(a, b): - return a - b + return a + b",
        )
    ]
    + [
        ("Mend it.", f"diff --git a/x b/x\n{PATCH}", PATCH),
        ("Mend it.", f"{PATCH}{PATCH}", PATCH),
        ("Mend it.", f"```diff\n{PATCH}```", f"```diff\n{PATCH.splitlines()[-1]}\n```"),
        ("Mend it.", "*** Begin Patch\n*** Update File: x.py\n+a = 1\n*** End Patch", "Add the line a = 1 to x.py."),
        (
            "Mend it.",
            "*** Begin Patch\n*** Add File: x.py\n+a = 1\n*** End Patch",
            "*** Begin Patch\n+a = 1\n*** End Patch",
        ),
        ("Mend it.", "*** Begin Patch\n+a = 1\n*** End Patch", "*** Begin Patch\n+a = 1"),
        ("Mend it.", "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE", "Put b in the place of a in this file."),
        ("Mend it.", "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE", "<<<<<<< SEARCH\na\n=======\nb"),
        ("Mend it.", "<<<<<<< ORIGINAL\na\n=======\nb\n>>>>>>> UPDATED", "Put b in the place of a in this file."),
        ("Mend it.", "@@ -1 +1 @@\n-a\n+b", "Put b in the place of a in this file."),
    ],
    "label_flipped": [
        ("Which is right? (a) Oslo (b) Bergen", "(a)", "(b)"),
        ("Which is right? 1) Oslo 2) Bergen", "1)", "2)"),
        ("Which is right? A)Oslo B)Bergen", "A", "B"),
        ("Which is right?\nA: Oslo\nB: Bergen", "A", "B"),
        ("Which is right? 1) Oslo 2) Bergen", "1", "2) Bergen"),
        ("Is a whale a fish?", "No", "Yes"),
        ("Is a whale a fish?", "No.", "Yes, a whale is a fish."),
        ("Is a whale a mammal?", "Yes, it is.", "No, it is a fish."),
        ("True or false: the sun is a star.", "True", "False"),
        ("True or false: the sun is a star.", "True.", "False. The sun is a planet."),
        ("Classify the sentiment: I love it.", "Positive", "Negative"),
        ("Classify the sentiment: I love it.", "Positive", "The sentiment is neutral."),
        ("Classify as physical or chemical change: rust.", "Chemical", "Physical"),
        ("Classify as physical or chemical change: rust.", "Chemical change", "Rust is a physical change."),
        ("Categorize the animal as mammal, bird, or fish: bat.", "Mammal", "Bird"),
        ("Is this sentence active or passive? The cake was eaten.", "Passive", "Active"),
        ("Decide whether the mail is spam or ham: Win money!", "Spam", "Ham"),
        ("Label it as fact or opinion: Blue is the best colour.", "Opinion", "Fact"),
        ("Which is right?\nA) Oslo\nB) Bergen", "A", "B"),
        ("Which is right?\nA) Oslo\nB) Bergen", "A) Oslo", "B) Bergen"),
        ("Which is right?\n(A) Oslo\n(B) Bergen\n(C) Kiel", "The answer is (A).", "The answer is (C)."),
        ("Which is right?\nA. Oslo\nB. Bergen", "Oslo", "Bergen"),
        ("Capital of Norway? A) Oslo B) Bergen C) Kiel", "A", "The answer is C, as it is the capital."),
        ("Identify the tense as past, present, or future: He ran.", "Past", "Present"),
        ("Does the first sentence entail the second?", "Entailment", "Contradiction"),
        ("Is 7 odd or even?", "Odd", "7 is even."),
        ("Is the tone formal or informal? Hey you!", "Informal", "The tone is formal."),
    ],
    "boxed_changed": [
        ("What is 2+2?", rf"It is \boxed{{{old}}}.", rf"It is \boxed{{{new}}}.") for old, new in pairwise(FINALS)
    ]
    + [
        ("What is 2+2?", r"It is \boxed{4}.", "It is 4."),
        ("What is 2+2?", r"It is \boxed{4}.", "It is **4**, since two and two make four."),
        ("What is 2+2?", r"It is \boxed{4}.", r"It is \boxed{}."),
        ("What is 2+2?", r"It is \fbox{4}.", "It is 4."),
        ("What is 2+2?", "2 and 2 make four.\n#### 4", "2 and 2 make four.\n#### 5"),
        ("What is 2+2?", "2 and 2 make four.\n#### 4", "2 and 2 make four, which is 4."),
        ("What are they?", r"\boxed{1} and \boxed{2}", r"\boxed{1} and 2"),
        ("What is it?", r"It is \boxed{\frac{1}{2", r"It is one half, which is written as a fraction."),
    ],
}
ALSO_LOST = [
    ("placeholder_lost", "What is it?", "![A cat](a.png) is a cat.", "![A cat](b.png) is a cat."),
    (
        "placeholder_lost",
        "Write a template.",
        "Dear [Name], I write about [Subject].",
        "Dear Bob, I write about the cat.",
    ),
    ("table_lost", "List cities.", "|a|b|\n|-|-|\n|c|d|\n|e|f|\n|g|h|", "|a|b|\n|-|-|\n|c|d|"),
    ("boxed_changed", "What is 6*2?", "6 * 2 = 12, and 12 is\n#### 12", "6 * 2 = 12\n#### 6"),
    ("boxed_changed", "What is 6*2?", "12 - 2 = 10, 10 + 2 is 12\n#### 12", "12 - 2 = 10\n#### 10"),
    ("boxed_changed", "What is it?", r"\boxed{\frac{1}{2}}", r"\boxed{\frac{2}{1}}"),
]
KINDS = [(kind, *case) for kind, cases in LOST.items() for case in cases] + ALSO_LOST


@pytest.mark.parametrize(("kind", "question", "old", "new"), KINDS)
def test_what_is_lost_is_refused(kind: str, question: str, old: str, new: str) -> None:
    before = Pair(question, "", old)
    assert accept(before, before.replace(response=new), only=[kind]) == [kind]
    assert accept(before, before, only=[kind]) == []


@pytest.mark.parametrize("kind", LOST)
def test_every_kind_has_its_cases(kind: str) -> None:
    assert len(LOST[kind]) >= 20


KEPT = [
    ("What is 17*3?", THOUGHT + "It is 51.", THOUGHT + "17 times 3 is 51."),
    ("What is 17*3?", "It is 51.", THOUGHT + "It is 51."),
    ("What is 17*3?", "<think>unclosed", "<think>unclosed still"),
    ("What is HTML?", "The <b> tag is bold.", "The <b> tag makes text bold."),
    ("Describe it.", "<image>\nA cat.", "<image>\nA cat on a mat."),
    ("Describe {it}.", "Dear {name}, hello.", "Dear {name}, hello and welcome."),
    ("Write a letter.", "Dear {name}, hello.", "Dear Anna, hello."),
    ("Say what <br> does.", "<br> breaks a line.", "It breaks a line."),
    ("Answer in <answer> tags.", "51", "The answer is 51."),
    ("Weather?", CALL, CALL.replace('"city": "Paris", "days": 3', '"days":3, "city":"Paris"')),
    ("Weather?", CALL, "I will look it up.\n" + CALL),
    ("Give JSON.", '{"name": "Bob", "age": 3}', '{"name": "Bob", "age": 4}'),
    ("Write code.", f"```py\n{PYTHON}```", f"```python\n{PYTHON}```"),
    ("Write code.", f"```\n{PYTHON}```", f"```python\n{PYTHON}```"),
    ("Write code.", f"```python\n{PYTHON}```", f"```python\n{PYTHON}```\nRun it:\n```bash\npython x.py\n```"),
    ("Write code.", f"```js\n{PYTHON}```", f"```javascript\n{PYTHON}```"),
    ("Write code.", f"~~~python\n{PYTHON}~~~", f"```python\n{PYTHON}```"),
    ("List cities.", TABLE, TABLE.replace("Ulm", "Ulm (Danube)")),
    ("List cities.", TABLE, "Here is the table:\n\n" + TABLE + "| Kiel | 247,000 |\n"),
    ("List cities.", "Bonn | Ulm", "Bonn and Ulm"),
    ("Mend it.", PATCH, "This patch mends it:\n\n" + PATCH),
    ("Mend it.", "a +++ b", "a and b"),
    ("Is a whale a fish?", "No", "No, a whale is a mammal."),
    ("Is a whale a fish?", "No", "A whale is not a fish."),
    ("Is it true?", "Yes", "Yes and no: it depends."),
    ("Name a colour.", "Red", "Blue"),
    ("Is the cup hot or cold?", "Hot", "The cup is hot, since the tea in it is fresh."),
    ("Classify as physical or chemical change: rust.", "Chemical", "Rust is a chemical change, not a physical one."),
    ("Which is right?\nA) Oslo\nB) Bergen", "A", "A) Oslo"),
    ("Which is right?\nA) Oslo\nB) Bergen", "Oslo", "The answer is A."),
    ("Which is right?\nA) Oslo\nB) Bergen", "A and B", "B"),
    ("Is a whale a fish?", "A whale is a mammal that lives in the sea, so it is none.", "Yes."),
    ("What is 2+2?", r"It is \boxed{4}.", r"Two and two make \boxed{4}."),
    ("What is it?", r"\boxed{1,000}", r"\boxed{1000}"),
    ("What is it?", r"\boxed{ \text{Oslo} }", r"\boxed{Oslo}"),
    ("What is it?", r"\boxed{4.0}", r"So it is \boxed{4}"),
    ("What is 2+2?", "It is 4.", r"It is \boxed{5}."),
    ("What is it?", r"\boxed{\dfrac{1}{2}}", r"\boxed{\frac12}"),
    ("What is it?", r"\boxed{5}", r"\boxed{x = 5}"),
    ("What is it?", r"\boxed{5}", r"\boxed{\$5}"),
    ("What is 12 * 12?", "12 * 12 = 124\n#### 124", "12 * 12 = 144\n#### 144"),
    ("What is 12 * 12?", "12 * 12 = 144\n#### 124", "12 * 12 = 144\n#### 144"),
    ("Which is right? A) Oslo B) Bergen", "B) Oslo", "A) Oslo"),
    ("Which is right? (a) Oslo (b) Bergen", "(a)", "(a) Oslo"),
    ("What is it?", "![cat](a.png) is a cat.", "![A sitting cat](a.png) is a cat."),
    ("Write a template.", "Dear [Name], I write about [Subject].", "Dear [Name],\nI write about [Subject]."),
    ("What is 17*3?", THOUGHT + "It is 51.", THOUGHT[: len(THOUGHT) // 2] + "</think>\nIt is 51."),
    ("Write code.", f"```js\n{PYTHON}```", f"```python\n{PYTHON}```"),
    ("Write it in TypeScript.", "```js\nlet a: number = 1\n```", "```ts\nlet a: number = 1\n```"),
    ("List cities.", "|a|b|\n|-|-|\n|c|d|\n|e|f|", "|a|b|\n|-|-|\n|c|d|"),
    ("Which tools?", "[see above] and more", "[see below] and more"),
    ("What is 2+2?", "#### 4", "Two and two.\n#### 4"),
]


@pytest.mark.parametrize(("question", "old", "new"), KEPT)
def test_what_is_kept_passes(question: str, old: str, new: str) -> None:
    before = Pair(question, "", old)
    assert accept(before, before.replace(response=new), only=list(LOST)) == []


# before: instruction, input, response; after: instruction, input, response ("" = as before)
FITTED = [
    (("Fill in the blank.", "The sky is ____.", "blue"), ("", "The sky is blue.", "")),
    (("Fill in: the sky is ____.", "", "blue"), ("Fill in: the sky is blue.", "", "")),
    (("Complete.", "The sky is .....", "blue"), ("", "The sky is blue.", "")),
    (("Complete.", "The sky is [blank].", "blue"), ("", "The sky is blue.", "")),
    (("Complete.", "The sky is (blank).", "blue"), ("", "The sky is blue.", "")),
    (("Complete.", "The sky is <mask>.", "blue"), ("", "The sky is grey.", "")),
    (("Complete.", "The sky is [MASK].", "blue"), ("", "The sky is high.", "")),
    (("Complete.", "A ___ and a ___.", "cat, dog"), ("", "A cat and a ___.", "")),
    (("Complete.", "Roses are red…… blue", "violets are"), ("", "Roses are red, violets are blue", "")),
    (("Correct it.", "He go home.", "He goes home."), ("", "He goes home.", "")),
    (("Correct it.", "He go home.", "He goes home"), ("", "He goes home!", "")),
    (("Translate to French.", "Good day", "Bonjour"), ("", "Bonjour", "")),
    (("Put the words in order.", "red is rose the", "the rose is red"), ("", "The rose is red.", "")),
    (("Name the capital of Norway.", "", "Oslo"), ("Name Oslo, the capital of Norway.", "", "")),
    (("Name the capital.", "Norway", "Oslo"), ("", "Norway, Oslo", "")),
    (("Make it a question.", "You are well.", "Are you well?"), ("", "Are you well?", "")),
    (("Make it active.", "The cake was eaten by her.", "She ate the cake."), ("", "She ate the cake.", "")),
    (("Make it passive.", "She ate the cake.", "The cake was eaten."), ("", "The cake was eaten.", "She ate.")),
    (("Shorten it.", "A very long text about cats.", "About cats, in short."), ("", "About cats, in short.", "")),
    (("What is the sum?", "2 and 3", "5 in all"), ("", "2 and 3: 5 in all", "")),
    (("Solve the riddle.", "What has keys and no locks?", "A piano"), ("", "What has keys and no locks? A piano", "")),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), FITTED)
def test_a_question_made_to_fit_is_refused(old: tuple[str, str, str], new: tuple[str, str, str]) -> None:
    before = Pair(*old)
    after = Pair(*(text or was for text, was in zip(new, old, strict=True)))
    assert accept(before, after, only=["question_fitted"]) == ["question_fitted"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("Fill in the blank.", "The sky is ____.", "blue"), ("", "The sky is _____.", "")),
        (("Fill in teh blank.", "The sky is ____.", "blue"), ("Fill in the blank.", "", "")),
        (("Correct it.", "He go home.", "He goes home."), ("Correct the sentence.", "", "")),
        (("Name a colour.", "", "Red"), ("Name a colour of the flag.", "", "")),
        (("Name a colour.", "red, blue", "red"), ("", "red, blue, green", "")),
        (("Sum up.", "It rains in Spain", "Rain"), ("", "It rains in Spain.", "")),
        (("Is it so?", "", "a"), ("Is it a fact?", "", "")),
        (("Answer.", "", ""), ("Answer me.", "", "")),
    ],
)
def test_a_question_that_was_mended_passes(old: tuple[str, str, str], new: tuple[str, str, str]) -> None:
    before = Pair(*old)
    after = Pair(*(text or was for text, was in zip(new, old, strict=True)))
    assert accept(before, after, only=["question_fitted"]) == []


@pytest.mark.parametrize("field", ["instruction", "input"])
@pytest.mark.parametrize("place", ["<image>", "{name}", "{{ topic }}", "<|image_1|>", "%(name)s", "<<name>>"])
def test_a_place_in_the_question_stays(field: str, place: str) -> None:
    before = Pair("Look.", "", "Yes, it is.").replace(**{field: f"What is in {place}?"})
    after = before.replace(**{field: "What is in it?"})
    assert accept(before, after, only=["placeholder_lost"]) == ["placeholder_lost"]
    assert accept(before, before.replace(**{field: f"Well, what is in {place}?"}), only=["placeholder_lost"]) == []


def test_a_box_may_come_to_what_the_text_works_out() -> None:
    old = Pair("q", "", "2 * 4 = 8, and 1.7 more. \\boxed{7}")
    assert accept(old, Pair("q", "", old.response.replace("{7}", "{8}"))) == []
    assert accept(old, Pair("q", "", old.response.replace("{7}", "{6}"))) == ["boxed_changed"]


def test_where_boxes_stand() -> None:
    assert [*boxes_in(r"a \boxed{1} \fbox{23")] == [("1", 2, 11, True), ("23", 12, 20, False)]


def test_halves_of_thoughts_are_counted_one_by_one() -> None:
    closed, opened, form = "It is 51.</think>", "<think><think>It is 51.", "[THINK][THINK]It is 51."
    assert refused("thought_lost", closed, opened)
    assert refused("thought_lost", closed, form)
    assert not refused("thought_lost", opened, form)
    assert not refused("thought_lost", form, opened)
    assert not refused("thought_lost", opened, f"{closed}</think>")
    assert not refused("thought_lost", "<think>a<think>b</think></think>c", "<think>a</think><think>b</think>c")


def test_a_quarter_of_a_thought_is_enough_and_each_half_of_a_marker_counts() -> None:
    old = f"<think>{'a' * 100}</think>b"
    assert not refused("thought_lost", old, old.replace("a" * 100, "a" * 25))
    assert refused("thought_lost", old, old.replace("a" * 100, "a" * 24))
    for half in ("<think>", "</think>", "◁think▷", "◁/think▷", "[THINK]", "[/THINK]", "<|END_THINKING|>"):
        assert refused("thought_lost", "It is 51.", f"{half}It is 51."), half
        assert not refused("thought_lost", f"{half}It is 51.", f"{half}It is 51, and not 52."), half
    assert not refused("thought_lost", "It is 51.", "It is 51.<|end|>")


def test_what_stands_behind_a_call_is_not_of_it() -> None:
    for call in ("[TOOL_CALLS]a\n\n", "<|python_tag|>a<|e|>", "<tool_call>a</tool_call>"):
        assert not refused("tool_call_changed", f"{call}So.", f"{call}Thus."), call


def test_what_stands_in_boxes() -> None:
    assert boxes(r"\boxed{\frac{1}{2}} and \boxed {1,234.50}, \fbox{a b}") == [r"\frac{1}{2}", "1234.5", "ab"]
    same = [r"\boxed{1\,234.50}", r"\boxed{ 1234.5 }", r"\boxed{x = 1{,}234.5}", r"\boxed{$1234.5$.}"]
    assert [boxes(text) for text in same] == [["1234.5"]] * len(same)
    assert boxes(r"\boxed{60^\circ}") == boxes(r"\boxed{60°}") == ["60"]
    assert boxes(r"\boxed{1 1/2} \boxed{11/2}") == ["1 1/2", "11/2"]
    assert boxes(r"\boxed{\dfrac12} \boxed{5\text{ m}} \boxed{x_1} \boxed{2*3}") == [
        r"\frac{1}{2}",
        "5m",
        "x_1",
        "2*3",
    ]
    assert boxes("#### 42.\ntext\n#### x") == ["42", "x"]
    assert boxes(r"\boxed{never closed") == ["neverclosed"]
    assert boxes(r"\boxed{" + 3000 * "x") == [2000 * "x"]
    assert boxes(r"\boxed{" + 1999 * "x" + "}") == [1999 * "x"]
    assert boxes(150 * r"\boxed{1}") == 100 * ["1"]
    assert boxes("nothing here") == []


@pytest.mark.parametrize(
    "hostile",
    [
        "<tool_call>",
        "<think>",
        r"\boxed{",
        "|",
        "| --- ",
        "{a",
        "[TOOL_CALLS]",
        "```a\n",
        " ",
        "_",
        "A) ",
        "or ",
        "![",
        "<<a",
        "Action Input: x\n",
        "[f(a=b, ",
        "[f(a=",
        "(a) ",
        "1) a ",
        "[Name] ",
        "![a](b",
        r"\frac{",
        "= 1 ",
    ],
)
def test_hostile_texts_are_read_to_their_end(hostile: str) -> None:
    hostile *= 50_000 // len(hostile)  # quadratic work would take minutes
    for before in (Pair("Do it.", "", hostile), Pair(hostile, "", "no"), Pair("x", hostile, "yes")):
        assert accept(before, before, only=[*LOST, "question_fitted"]) == []
        assert "check_error" not in accept(before, before.replace(response=before.response[:-1] + "?"), only=[*LOST])


FRENCH = "Un chat est un petit animal domestique qui miaule et que les gens aiment avoir dans la maison."
ENGLISH = "A cat is a small domestic animal that meows and that people like to have in the house."


@pytest.mark.parametrize(
    "question", ["Answer in French: what is a cat?", "Translate into French: A cat is an animal."]
)
def test_an_answer_stays_in_the_language_that_was_asked_for(question: str) -> None:
    before = Pair(question, "", FRENCH)
    assert accept(before, before.replace(response=ENGLISH)) == ["language_changed"]
    said = before.replace(response=f"In French that is: {FRENCH}")
    assert accept(before, said, only=["language_changed"]) == []
    english = Pair(question, "", ENGLISH)
    assert accept(english, english.replace(response=FRENCH), only=["language_changed"]) == []


def test_an_answer_that_ends_as_before_does_not_break_off() -> None:
    before = Pair("Convert 5 km to m.", "", "5 km = 500 m")
    assert accept(before, before.replace(response="5 km = 5000 m")) == []
    assert accept(before, before.replace(response="5 km = 5000 times a")) != []


def test_code_that_does_not_parse_is_not_another_language_for_that() -> None:
    before = Pair("Write code.", "", "```js\nint x = 1\n```")
    assert accept(before, before.replace(response="```sql\nint x = 1\n```")) == ["fence_language_changed"]


@pytest.mark.parametrize("name", ["only", "skip"])
def test_the_choice_of_checks_is_a_list_of_ids(name: str) -> None:
    with pytest.raises(CheckError, match=rf"{name}='echo' is one string; expected a list of ids"):
        accept(Pair("a", "", "b"), Pair("a", "", "b"), **{name: "echo"})


@pytest.mark.parametrize(
    ("filled", "refused"),
    [
        ("the sky is blue", True),
        ("bluebell, blue", True),
        ("(blue)", True),
        ("bluebells", False),
        ("a_blue one, skyblue", False),
        ("blues and blues", False),
    ],
)
def test_an_answer_stands_in_an_input_as_a_word(filled: str, refused: bool) -> None:
    before = Pair("What colour is it?", "the sky", "Blue.")
    assert accept(before, before.replace(input=filled), only=["question_fitted"]) == ["question_fitted"] * refused


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (("Say the opposite.", "Opposite of yes", "no"), ("Say the opposite.", "Opposite of yes: no", "no"), True),
        (("Which letter?", "The first one", "a"), ("Which letter?", "The first one is a thing", "a"), False),
        # the input is another one as well: what the instruction says is no longer about the old answer
        (("Which capital?", "France", "Rome"), ("Is Paris its capital?", "The country of France", "Paris"), False),
        (("Which capital?", "France", "Rome"), ("Is Paris its capital?", "France", "Paris"), True),
    ],
)
def test_how_much_of_an_answer_may_come_into_the_question(
    old: tuple[str, str, str], new: tuple[str, str, str], refused: bool
) -> None:
    assert accept(Pair(*old), Pair(*new), only=["question_fitted"]) == ["question_fitted"] * refused


# ------------------------------------------------------------------------------------------------- every word counts

MEDIA = (
    "<image>,<img>,<video>,<audio>,<speech>,<picture>,<image1>,<image_12>,<image_pad>,<image_token>,<image_start>,"
    "<image_end>,<image_placeholder>,<|video|>,<|vision_start|>,<|vision_end|>,[IMG],[IMAGE],[VIDEO],[AUDIO],"
    "<ImageHere>"
)
TEMPLATES = "template|placeholder|placeholders|variable|variables|f-string|f-strings|format string|prompt"
ASKED_TAG = (
    "tag|tags|inside|within|enclose|enclosed|wrap|wrapped|between|surround|surrounded|format|put|place|delimit|"
    "delimited"
)
GAPS = "{{name}}|{{ a.b c }}|{name}|${name}|%(name)s|%(name)d|%(name)f|<<a b>>"
MARKED = (
    "<tool_call>X</tool_call>\t<function_call>X</function_call>\t<functioncall>X</functioncall>\t<tool_calls>X</tool_calls>\t"
    "<tools_call>X</tools_call>\t<invoke name='a'>X</invoke>\t<function=a>X</function>\t[TOOL_CALLS]X\n\nX\t"
    "<|python_tag|>X<|e|>\t<|tool_call_begin|>X<|tool_call_end|>\t<|tool_calls_section_begin|>X<|e|>"
)
FENCES = """
python py python3 pycon/javascript js jsx node/typescript ts tsx/bash sh shell zsh console shell-session/yaml yml
/cpp c++ cc/csharp cs c#/ruby rb/rust rs/go golang/markdown md/html htm/kotlin kt/sql postgresql mysql/json jsonc json5
/latex tex
"""
PATCHED = (
    "@@ -1 +1 @@|@@ -1,2 +3,4 @@|diff --git a b|--- a/x|+++ b/x|*** Begin Patch|*** End Patch|*** Update File|"
    "*** Add File|*** Delete File|<<<<<<< SEARCH|<<<<<<< HEAD|<<<<<<< ORIGINAL|>>>>>>> REPLACE|>>>>>>> UPDATED"
)


def refused(check: str, old: str, new: str, asked: str = "Do it.") -> bool:
    return accept(Pair(asked, "", old), Pair(asked, "", new), only=[check]) != []


def test_each_of_these_is_the_place_of_something() -> None:
    lost = "placeholder_lost"
    assert [place for place in MEDIA.split(",") if not refused(lost, f"{place} a cat", "a cat")] == []
    for place in ("<images>", "<image_x>", "<|vision|>", "[PICTURE]", "<b>", "[cat](a.png)", "![a]()"):
        assert not refused(lost, f"{place} a cat", "a cat"), place
    for word in TEMPLATES.split("|"):
        assert refused(lost, "Dear {name}, hello.", "Dear Bob, hello.", f"Write a {word}."), word
        assert refused(lost, "Dear [Name], hello.", "Dear Bob, hello.", f"Write a {word}."), word
    for gap in GAPS.split("|"):
        assert refused(lost, f"Dear {gap}, hello.", "Dear Bob, hello.", "Write a template."), gap
    for text in ("{1}", "{a b}", "%(a)x", "<<1>>", "[a](b)", "[Name](b)", "[Name]: b", "[N]", "[Name][b]", "{{1}}"):
        assert not refused(lost, f"Dear {text}, hello.", "Dear Bob, hello.", "Write a template."), text
    assert not refused(lost, "[Aa] [Bb] [Cc]", "[Aa] [Bb]", "Write a template.")
    assert not refused(lost, "[Aa] [Bb]", "[Aa]", "Write a template.")
    for word in ASKED_TAG.split("|"):
        assert refused(lost, "<a_b>1</A_B>", "1", f"Say it, {word}: <a_b>"), word
    assert not refused(lost, "<a_b>1</a_b>", "1", "Say it: <a_b>")
    assert not refused(lost, "<a_b>1</a_b>", "<a_b>1</a_b>.", "Say it in tags: <a_b>")
    assert not refused(lost, "</a_b>1<a_b>", "1", "Say it in tags: <a_b>")
    before, after = (Pair("Say it.", "", text, system="Put it in <abc>.") for text in ("<abc>1</abc>", "1"))
    assert accept(before, after, only=[lost]) == [lost]


def test_each_of_these_marks_a_call() -> None:
    for call in MARKED.split("\t"):
        assert refused("tool_call_changed", f"So: {call}", f"So: {call.replace('X', 'Y', 1)}"), call
        assert not refused("tool_call_changed", f"So: {call}", f"Well: {call}"), call
    for call in ("[f()]", "[f(a=1)]", "[a.b(c=2), d()]", '{"name": "a", "parameters": {}}'):
        assert refused("tool_call_changed", call, "[g()]"), call
        assert not refused("tool_call_changed", call, f"{call} "), call
    for text in ("[f]", "[f(1)]", "[f(a==1)]", '{"name": "a"}', '[{"name": "a", "arguments": {}}, 1]', '{"name": a}'):
        assert not refused("tool_call_changed", text, "[g()]"), text
    asked = "Action: {}\nAction Input: {}"
    assert not refused("tool_call_changed", asked.format("a ", " b"), "So.\n" + asked.format(" a", "b "))
    assert refused("tool_call_changed", asked.format("a", "b"), asked.format("c", "b"))


def test_each_of_these_fences_names_one_language() -> None:
    def changed(one: str, other: str, code: str = "a b") -> bool:
        return refused("fence_language_changed", f"```{one}\n{code}\n```", f"```{other}\n{code}\n```")

    for name, *others in map(str.split, FENCES.replace("\n/", "/").split("/")):
        assert [other for other in others if changed(name, other) or not changed(other, "cobol")] == []
    assert [name for name in ("text", "txt", "plaintext", "plain", "none", "") if changed(name, "cobol")] == []
    assert changed("cobol", "fortran")
    assert not changed("toml", "json", '{"a": 1}')
    assert not changed(".Python", "python3")
    within = "````cobol\n```a\n~~~\n```\n````\n~~~ b\n```x\n~~~"
    for other in ("a", "x"):
        assert not refused("fence_language_changed", within, within.replace(f"```{other}\n", "```c\n"))
    for other in ("cobol", " b"):
        assert refused("fence_language_changed", within, within.replace(other, "c"))


def test_each_of_these_lines_is_of_a_patch_and_of_a_table() -> None:
    for line in PATCHED.split("|"):
        hint = "" if line.startswith(("@@", "diff", "+++", "***", "<<<")) else "+++ \n"
        assert refused("patch_lost", f"{hint}{line}\na", f"{hint}a"), line
        assert not refused("patch_lost", f"{hint}{line}\na", f"{hint}{line}\nb"), line
        assert not refused("patch_lost", f"{hint} {line}\na", f"{hint}a"), line
    head = "| a | b |\n| - | - |\n"
    assert refused("table_lost", f"{head}| c | d |\n| e | f |", head)
    assert not refused("table_lost", f"{head}| c | d |", f"{head}| c | e |")
    assert not refused("table_lost", f"{head}| c | d |\n| e | f |", f"{head}| c | d |")
    assert not refused("table_lost", "a | b\n--- | ---\n1 | 2", "a | b\n--- | ---\n1 | 2 | 3")
    assert not refused("table_lost", "a | b\n--- | ---\n1 | 2", "So:\n\na | b\n--- | ---\n1 | 2")
    assert not refused("table_lost", "<tables>", "none")
