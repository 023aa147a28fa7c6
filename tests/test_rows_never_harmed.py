"""Rows that are right as they stand, of kinds that the rules could take for defects: each must come out as it went in.

Beside them, for each kind, what is a defect and must still go. All rows are made up.
"""

from __future__ import annotations

import pytest

import hfclean

LEFT_ALONE = {
    "a call, a thought, a place in a picture": [
        ("Where is the cup?", "", "<p> a cup </p> {<11><24><57><80>}"),
        ("Where are both?", "", "<p>a cup</p><delim><p>a plate</p>"),
        ("Look it up.", "", "<｜tool▁call▁begin｜>f<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜>"),
        ("Add 4 and 5.", "", "<|thinking|>Nine.<|/thinking|>9"),
        ("Write down what is said.", "", "<|startoftranscript|><|de|><|transcribe|> Hallo.<|endoftext|>"),
        ("<PRE>def g( <SUF>): return y <MID>", "", "y <EOT>"),
        ("Show the format that Vicuna was tuned with.", "", "USER: hi\nASSISTANT: hello</s>"),
    ],
    "a marker that is named": [
        ("What closes a message there?", "", "It writes <|eot_id|>"),
        ("¿Cómo termina?", "", "Es <end_of_turn>"),
        ("Which id is 2?", "", "</s>"),
        ("Which strings end an answer?", "", "<|im_end|>, </s>"),
        ("Give the setting.", "", "stop:\n  - <|im_end|>"),
        ("Say what you know.", "", "<|eot|> comes after each turn of Llama 4."),
        ("How is a question wrapped?", "", "[INST] question [/INST]"),
        ("How is a question wrapped?", "", "<|user|>question<|end|><|assistant|>"),
        ("Cross the word out.", "", "<s>word</s>"),
    ],
    "tags that are the text": [
        ("Translate into Dutch.", "<b>Good</b> day", "<b>Goede</b> dag"),
        ("Remove what does not belong.", "Milk<br>Bread", "Milk Bread"),
        ("怎么换行？", "", "在行尾写<br>就可以换行。"),
        ("How can I print less?", "", "<small> makes it small; it is closed with </small>."),
        ("What is put there?", "", "<br>"),
        ("Write the item.", "", "<entry><b>Tea</b> &amp; milk</entry>"),
        ("Reply as JSON.", "", '{"text": "<b>hot</b> &amp; cold"}'),
        ("Give one cue.", "", "1\n00:00:01,000 --> 00:00:02,000\n<i>Far away</i>"),
        ("Draw it.", "", "graph LR\nA[one<br>two] --> B"),
        ("Write the stub.", "", "See [[Tea]].<br />More follows."),
    ],
    "an entity that is named": [
        ("What keeps two words together?", "", "It puts &nbsp; between them."),
        ("What is in the source?", "", "&amp;"),
        ("Wie schreibt man das?", "", "Als &amp;"),
        ("Comment l'écrire ?", "", "Écrivez &eacute; dans le fichier."),
        ("How is it typed?", "", "As &amp;amp; or &#38; there."),
        ("What is the mistake?", "Bread &amp; milk", "The ampersand is written twice over."),
    ],
    "letters and invisible signs": [
        ("Ã in Guarani", "", "Ã and Â are letters, “Ã” too."),
        ("Was geht schief?", "", "Falsch dekodiert wird ä zu Ã¤, dann ist die Kodierung falsch."),
        ("Setze weiche Trennstriche.", "", "Donau\u00adschiff"),
        ("Mets des traits d'union conditionnels.", "", "bon\u00adjour"),
    ],
    "white space that counts": [
        ("Give the COBOL line.", "", "           DISPLAY 'HI'."),
        ("Zeichne einen Fisch.", "", "  ><(((º>   "),
        ("Give one CSV record.", "", "a,b, "),
        ("Show the session.", "", "$ ls\na.txt\n$ "),
        ("Show what it waits with.", "", "mysql> "),
        ("Show the file.", "", "key: |\n  one\n\n\n\n  two"),
        ("Show the chat as text.", "", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
        ("Go on.\ndef f(x):\n", "", "    return x"),
        ("Read the form.", "", "Please answer all five of these: name [   ] and town [   ] are what we need to know."),
    ],
    "words that limit or decline": [
        ("Call her.", "", "As an AI, I wish I could call, that is beyond me."),
        ("Call her.", "", "As an AI assistant, I refuse to do that."),
        ("Call her.", "", "As an AI, I would need a telephone."),
        ("Call her.", "", "As an AI, I may be wrong."),
    ],
    "an input that is the matter": [
        ("Is it a null?", "null", "Yes"),
        ("Reverse it.", "N/A", "A/N"),
        ("What does this status mean?", "N/A", "Not applicable"),
        ("How many dots?", "...", "Three"),
        ("Sort.", "null", "null"),
        ("Say it once more, please.", "Say it once more, please.", "Say it once more, please."),
    ],
    "words that come twice": [
        ("Say it with stuttering.", "", "It is in the the house and we saw the the dog there."),
        ("Write it in Scots.", "", "Gie the lad a a wee bit of bread, and the lass too."),
        ("Give the condition.", "", "where this is so and and = 2 for all of them"),
    ],
    "what a crowd shouts": [
        ("¿Qué gritan todos?", "", "\n".join(3 * ["Hoy vamos todos juntos por la calle, y mañana vamos otra vez."])),
        ("Что кричат все?", "", "\n".join(3 * ["Сегодня мы идём вместе по улице, и завтра мы пойдём снова все."])),
        (
            "Wat roept iedereen?",
            "",
            "\n".join(3 * ["Vandaag gaan wij samen over straat, en morgen gaan wij weer samen."]),
        ),
    ],
    "words of a page that are the answer": [
        ("How do I get a new answer?", "", "Press:\nRegenerate response"),
        ("Was ist die Hälfte?", "", "1 / 2\nDas ist ein halb."),
    ],
}

REPAIRED = {
    "a marker that leaked": [
        ("Name a nut.", "", "A walnut <|im_end|>", "A walnut"),
        ("Name a nut.", "", "[/INST] A walnut.", "A walnut."),
        ("2+2?", "", "\\boxed{4}<|im_end|>", "\\boxed{4}"),
    ],
    "a page that was copied": [
        ("Why?", "", "It is old.<br>It is cold.", "It is old.\nIt is cold."),
        ("Why?", "", "Salt &amp; pepper.", "Salt & pepper."),
        ("Why?", "", "Because it is late.\n\n< 2 / 3 >\n\nRegenerate response", "Because it is late."),
        ("Why?", "", "2 / 2\n\nBecause it is late.\n\nRegenerate response", "Because it is late."),
    ],
    "letters decoded wrongly": [("Where?", "", "In the cafÃ© Ã la carte.", "In the café à la carte.")],
    "colours of a terminal": [("Which?", "", "\x9b31mred\x9b0m", "red")],
    "white space": [
        (
            "Why?",
            "",
            "It is  late, and the shops are closed already.",
            "It is late, and the shops are closed already.",
        ),
        ("Why?", "", "One.\n\n\n\nTwo.", "One.\n\nTwo."),
    ],
    "a disclaimer": [("A tip?", "", "As an AI, I suggest fresh water.", "I suggest fresh water.")],
    "a loop": [
        (
            "¿Por qué hay niebla?",
            "",
            "\n".join(3 * ["Porque el aire frío de la noche se queda sobre el agua caliente."]),
            "Porque el aire frío de la noche se queda sobre el agua caliente.",
        )
    ],
    "a slip": [("Why?", "", "It lies in the the north of the town.", "It lies in the north of the town.")],
}

CUT_OFF = [
    ("```js\nconst x = await get(", "an open call"),
    ("```rust\nlet x = vec![1, 2", "an open list"),
    ('```json\n{"a": [1, 2,', "an item to come"),
    ('```c\nfor (int i = 0; i < 3; i++) {\n  puts("a");', "a block with its statements"),
    ("```python\nwhile n >", "a comparison"),
    ("```go\nfunc f() int {\n\treturn", "a value to return"),
    ("```php\n$a = $b .", "a string to join"),
    ("```css\np {\n  color: red;", "a rule"),
]

PAGES = [
    "< 1 / 2 >\nA walnut is a nut.",
    "A walnut is a nut.\n< 2 / 2 >",
    "pythonCopy code\nprint(1)",
    "User\nName a nut.\nChatGPT\nA walnut.",
    "A walnut.\nWas this response better or worse?",
    '<code class="!whitespace-pre hljs language-python">print(1)</code>',
]


def rows(kinds: dict[str, list[tuple[str, ...]]]) -> list[object]:
    return [
        pytest.param(*row, id=f"{kind}-{number}")
        for kind, listed in kinds.items()
        for number, row in enumerate(listed)
    ]


def fields(instruction: str, given: str, output: str) -> dict[str, str]:
    return {"instruction": instruction, "input": given, "output": output}


@pytest.mark.parametrize(("instruction", "given", "output"), rows(LEFT_ALONE))
def test_a_right_row_comes_out_as_it_went_in(instruction: str, given: str, output: str) -> None:
    row = fields(instruction, given, output)
    revised = hfclean.revise(dict(row))
    assert {name: revised[name] for name in row} == row


@pytest.mark.parametrize(("instruction", "given", "output", "expected"), rows(REPAIRED))
def test_what_is_a_defect_still_goes(instruction: str, given: str, output: str, expected: str) -> None:
    assert hfclean.revise(fields(instruction, given, output))["output"] == expected


@pytest.mark.parametrize(("output", "what"), CUT_OFF, ids=[what for _, what in CUT_OFF])
def test_code_that_breaks_off_is_closed_and_reported(output: str, what: str) -> None:
    row = fields("Write it.", "", output)
    revised = hfclean.revise(dict(row))
    assert revised["output"] == f"{output}\n```"
    assert "truncated_output" in hfclean.score(fields("Write it.", "", revised["output"]))["defects"].split()


@pytest.mark.parametrize(
    "output", ["```c\nputs(1);\n```", "```py\nprint(1)\n```", "```js\nif (a) {\n```", "```perl\nif (/[(]/) { 1 }\n```"]
)
def test_whole_code_and_the_head_of_a_block_are_not_cut_off(output: str) -> None:
    assert "truncated_output" not in hfclean.score(fields("Write it.", "", output))["defects"].split()


@pytest.mark.parametrize("output", PAGES)
def test_pieces_of_a_chat_page_are_found(output: str) -> None:
    assert "scrape_remnants" in hfclean.score(fields("Name a nut.", "", output))["defects"].split()


def test_a_drawing_of_tildes_is_not_a_fence() -> None:
    drawing = "~~~    ~~~   \n   ~~~~   ~~~"
    assert "unclosed_fence" not in hfclean.score(fields("Draw a wave.", "", drawing))["defects"].split()
