"""Code, patches, tables and drawings stay as they stand; a block of code that breaks off is closed and reported."""

from __future__ import annotations

import pytest

from hfclean.rules import RULES, Rule, find_defects, mend
from hfclean.rules.broken_code import code_breaks_off
from hfclean.rules.text_shapes import is_layout, is_patch, is_verse, looks_like_code, looks_like_prose
from hfclean.schema import Pair

BY_ID = {rule.id: rule for rule in RULES}


def after(pair: Pair) -> Pair:
    changes = mend(pair, RULES)
    return changes[-1].after if changes else pair


# ------------------------------------------------------------------------------------------------------- indentation

INDENTED = [
    "    return width * height",
    "\treturn width * height;",
    "    pass",
    "        self.count = count",
    "    yield from rows",
    '    raise KeyError("no such boat")',
    "    boats = []\n    for boat in harbour:\n        boats.append(boat)\n    return boats",
    "    total = 0\nprint(total)",
    "    if wind > 6:\n        stay()\nelse:\n    leave()",
    "\n    return width * height",
    "\n    \n    return width * height",
    "  console.log(boats.length);",
    "  where area w h = w * h",
    "    <li>Graz</li>",
    "  colour: red;\n  width: 10px;",
    "  - name: harbour\n    port: 80",
    '    """Count the boats."""\n    return len(boats)',
    "    # count the boats\n    return len(boats)",
    "    mov eax, 1",
    "\tgcc -o boats boats.c",
    "    elif wind > 3:\n        reef()",
    "    end",
    "      WHERE harbour = 'Graz'",
    "    })",
]


@pytest.mark.parametrize("code", INDENTED)
@pytest.mark.parametrize(
    "request_", ["Fill in the body of the function.", "Go on from here.", "Ergänze die Funktion."]
)
def test_the_indentation_of_a_completion_stays(request_: str, code: str) -> None:
    assert after(Pair(request_, "", code)).response == code
    assert after(Pair(request_, code, "It is fine.")).input == code


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("   The boats are in the harbour.", "The boats are in the harbour."),
        (" the boats are in the harbour", "the boats are in the harbour"),
        ("\n\n  They left at noon. They were back by night.\n", "They left at noon. They were back by night."),
        ("  Schiffe", "Schiffe"),
        ("　船は港にいます。".replace("　", "  "), "船は港にいます。"),
        (
            "   The boats left at noon, and nobody on the shore knew where they would be by the night.\nThey came "
            "back before dawn, and the town was still asleep when the ropes were made fast.",
            "The boats left at noon, and nobody on the shore knew where they would be by the night.\nThey came "
            "back before dawn, and the town was still asleep when the ropes were made fast.",
        ),
    ],
)
def test_the_indentation_of_prose_still_goes(before: str, wanted: str) -> None:
    assert after(Pair("Tell me something about boats.", "", before)).response == wanted


def test_blanks_after_a_completion_go_and_its_beginning_stays() -> None:
    pair = Pair("Fill in the body.", "", "\n    return width\r\n    \n")
    assert after(pair).response == "\n    return width"


# ------------------------------------------------------------------------------------------------- patches and tables

PATCHES = [
    "--- a/boat.py\n+++ b/boat.py\n@@ -1,3 +1,3 @@\n import os\n-wind = 3\n+wind = 4\n ",
    " import os\n-wind = 3\n+wind = 4\n print(wind)",
    " \n import os\n-wind = 3\n+wind = 4\n \n",
    "diff --git a/x b/x\nindex 1234567..89abcde 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a  b\n+a   b\n",
    "@@ -4,6 +4,7 @@\n The first line  of the text is here and it is long.\n"
    "+A line  that was added to the text today.\n ",
    " const a = 1;\n+const b = 2;\n ",
    "-removed\n kept",
]


@pytest.mark.parametrize("patch", PATCHES)
def test_a_patch_stays(patch: str) -> None:
    assert is_patch(patch)
    pair = Pair("Make the change.", "", patch)
    assert after(pair) == pair
    assert "whitespace" not in find_defects(pair, RULES)


@pytest.mark.parametrize(
    "text",
    ["- one\n- two", "One line\n+ another", "+1 555 0100", "- a\n  - b\n  - c", "Here:\n- one\n- two", " a\n b"],
)
def test_lists_are_not_patches(text: str) -> None:
    assert not is_patch(text)


LAYOUTS = [
    "00000000  47 72 61 7a 20 69 73 20  61 20 74 6f 77 6e 2e 0a  |Graz is a town..|\n"
    "00000010  0a 0a                   ",
    "00000010  0a 0a                        ",
    "      Mon  Tue\nAnna    3    4\nBert   12    0",
    "Town      Boats   \nGraz      12      \nLinz      3       ",
    "town\tboats\tnote\nGraz\t12\t",
    "\tMon\tTue\nAnna\t3\t4",
    "    *    \n   ***   \n  *****  ",
    "  /\\_/\\  \n ( o.o ) \n  > ^ <  ",
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blanks_at_the_edges_of_a_layout_stay(layout: str) -> None:
    assert is_layout(layout)
    pair = Pair("Show it.", "", layout)
    assert after(pair) == pair


@pytest.mark.parametrize("prose", ["One. \nTwo three. ", "A line.  Another.\nMore.  And more. ", "1.\tOne\n2.\tTwo "])
def test_prose_is_not_a_layout(prose: str) -> None:
    assert not is_layout(prose)
    assert after(Pair("Tell me.", "", prose)).response[-1] != " "


POEM = "      The tide is out,\nthe boats are dry,\n      the gulls about,\nthe moon is high,"


def test_indented_verse_stays() -> None:
    assert after(Pair("Go on.", "", POEM)).response == POEM
    first_only = POEM.replace("\n      ", "\n")
    assert after(Pair("Go on.", "", first_only)).response == first_only


def test_gaps_inside_verse_stay() -> None:
    verse = "The tide is out    and the boats are dry,\nthe gulls are about,\nthe moon is high"
    assert after(Pair("Go on.", "", verse)).response == verse


# --------------------------------------------------------------------------------------------------- blocks of code

CUT = [
    ("lua", "for k = 1, n do\n  sum[k] = sum[k] +"),
    ("python", "def area(w, h):\n    return w *"),
    ("python", "boats = [\n    'one',\n    'two',"),
    ("python", "import os\nfrom"),
    ("python", "while wind > 3 and"),
    ("python", "x = 1\nif x == 1:"),
    ("python", 'text = """\nThe boats'),
    ("js", 'function go() {\n  console.log("the boats'),
    ("js", "const boat = {\n  name: 'x',\n  port:"),
    ("js", "boats.map((b) =>"),
    ("ts", "const n: number ="),
    ("java", "public class Boat {\n  int n = 1;\n  void go() {\n    if (n > 0) {"),
    ("cpp", "for (int i = 0; i < n; i++) {\n  sum += a[i];\n  if (sum > 3) {\n    sta"),
    ("c", "/* the boats\n * are"),
    ("sql", "SELECT name FROM boats WHERE"),
    ("go", "if err !="),
    ("sh", "cat boats.txt |"),
    ("html", '<div>\n  <a href="https'),
    ("json", '{\n  "boats": [\n    {"name": "x"},'),
    ("", "def area(w, h):\n    total = w\n    total = total +"),
]


@pytest.mark.parametrize(("language", "code"), CUT)
@pytest.mark.parametrize("mark", ["```", "~~~"])
def test_a_block_that_breaks_off_is_closed_and_reported(language: str, code: str, mark: str) -> None:
    opened = f"Here it is:\n\n{mark}{language}\n{code}"
    pair = after(Pair("Write a program.", "", opened))
    assert pair.response == f"{opened}\n{mark}"
    assert "truncated_output" in find_defects(pair, RULES)
    assert "unclosed_fence" not in find_defects(pair, RULES)


WHOLE = [
    ("python", "x = 1"),
    ("python", "boats = a[::-1]\ncount += 1"),
    ("python", "def go():\n    ..."),
    ("python", "s = 'he said \"'"),
    ("python", 's = """\na "quotation\n"""'),
    ("python", '# the (brackets of a comment\nx = 3  # a "quotation'),
    ("python", "half = len(boats) // 2\nreturn boats[half]"),
    ("json", '"port": 80,'),
    ("js", "go(() => {\n  stay();\n});"),
    ("js", 'const wanted = /[("]/g;'),
    ("java", "public void go() {"),
    ("c", "i++;\nchar quote = '\"';"),
    ("c", '#include <stdio.h>\nint main(void) { puts("a // b"); return 0; }'),
    ("rust", "fn first<'a>(x: &'a str) -> &'a str { x }"),
    ("sh", "rm -rf *\ncd boats/\nls -"),
    ("bash", "case $x in\n  1) echo one;;\nesac"),
    ("sql", "SELECT COUNT(*)\nFROM boats"),
    ("sql", "SELECT *"),
    ("haskell", "area w h = w * h -- the (area"),
    ("lisp", "(defun area (w h) (* w h))"),
    ("css", "a { color: #fff; }"),
    ("latex", "\\frac{a}{b} ="),
    ("regex", "^[a-z(]"),
    ("yaml", "boats:\n  - name:"),
    ("text", "Dear Ms. Holm,\nI am,"),
    ("", "Dear Ms. Holm,\nI write to"),
    ("", "+-----+\n| Graz |\n+-----+"),
    ("", "1 + 1 ="),
    ("html", '<span style="color: #000;">Graz</span>'),
    ("python", ">>> area(\n... 2)"),
    ("kotlin", 'fun main() { println("Graz") }'),
    ("makefile", "all:\n\tgcc -o a a.c"),
]


@pytest.mark.parametrize(("language", "code"), WHOLE)
def test_whole_code_is_not_taken_for_cut(language: str, code: str) -> None:
    assert not code_breaks_off(code, language)
    pair = Pair("Write a program.", "", f"Here it is:\n\n```{language}\n{code}\n```")
    assert find_defects(pair, RULES) == []


@pytest.mark.parametrize("more", ["\n\nThat is all.", "\n\n```sh\nls\n```"])
def test_only_code_at_the_end_is_judged(more: str) -> None:
    pair = Pair("Write a program.", "", f"Like this:\n```python\nx = x +\n```{more}")
    assert "truncated_output" not in find_defects(pair, RULES)


def test_a_part_of_code_that_was_asked_for_is_not_cut_off() -> None:
    pair = Pair("Write the first line of a loop.", "", "```python\nfor boat in boats +\n```")
    assert "truncated_output" not in find_defects(pair, RULES)


CLOSERS = [
    "Here it is:\n\nfor boat in boats:\n    print(boat)\n```\nThis prints each boat. It stops after the last one.",
    "for boat in boats:\n    print(boat)\n```\nDas gibt alle Boote aus. Danach ist die Schleife zu Ende.",
    "for boat in boats:\n    print(boat)\n```\n这会打印所有的船，然后循环就结束了。",
    "x = boats[0];\n~~~\nThat is the first of the boats in the list.",
    "x = boats[0];\n```\nEnjoy!",
    "Run it:\n```python\nprint(boats)```\n\nThis prints each of the boats, and it ends after that.",
    "print(boats)\n```\n- It prints the boats\n- Then it ends",
    "print(boats)\n```",
]


@pytest.mark.parametrize("text", CLOSERS)
def test_a_fence_that_closes_is_not_closed_again(text: str) -> None:
    pair = Pair("Print the boats.", "", text)
    assert after(pair) == pair
    assert "unclosed_fence" in find_defects(pair, RULES)


@pytest.mark.parametrize(
    "text",
    [
        "Run:\n```sh\nmake harbour",
        "You can call go() when you are ready to leave.\n```\ngo()\nstay()",
        "The table:\n```\n1x1=1 | 2x1=2\n1x2=2 | 2x2=4",
        "```\nprint(boats)\n```\nand\n```\nprint(boats[0])",
        "解答：\n```\n █ █\n███ 1",
    ],
)
def test_a_fence_that_opens_is_closed(text: str) -> None:
    assert after(Pair("Show it.", "", text)).response == f"{text}\n```"


@pytest.mark.parametrize(
    "request_", ["Wie öffnet man in Markdown einen Codeblock?", "¿Cómo abro un bloque de código?", "代码块怎么写？"]
)
def test_an_answer_about_fences_is_left_alone(request_: str) -> None:
    pair = Pair(request_, "", "So:\n```python\nx = 1")
    assert after(pair) == pair


# ------------------------------------------------------------------------------------------------------------ shapes


@pytest.mark.parametrize(
    "line",
    ["return a + b", "x = 1", "foo(bar)", "if x:", "};", "pass", "@decorator", "#include <x>", "a->b", "i += 1"],
)
def test_code_looks_like_code(line: str) -> None:
    assert looks_like_code(line)
    assert not looks_like_prose(line)


@pytest.mark.parametrize(
    "line",
    ["The boats are home.", "If it rains, stay.", "Boats", "we go to the harbour by the old road", "船は港にいます。"],
)
def test_prose_looks_like_prose(line: str) -> None:
    assert looks_like_prose(line)
    assert not looks_like_code(line)


def test_verse_is_told_from_lists_and_paragraphs() -> None:
    assert is_verse(POEM)
    assert not is_verse("- one\n- two\n- three\n- four")
    assert not is_verse("The boats are home.\nThe gulls are gone.\nThe town is still.")
    assert not is_verse("One line")


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.repair], ids=lambda rule: rule.id)
def test_repairs_of_layout_are_idempotent(rule: Rule) -> None:
    for text in [*INDENTED, *PATCHES, *LAYOUTS, *CLOSERS, POEM]:
        pair = Pair("Go on from here.", text, text)
        assert rule.repair is not None
        once = rule.repair(pair)
        assert rule.repair(once) == once
        assert after(after(pair)) == after(pair)
