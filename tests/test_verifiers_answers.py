"""Final answers and chosen options that do not agree are found; other ways to write one value are not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from extras import needs
from hypothesis import given
from hypothesis import strategies as st

from hfclean import verify
from hfclean.schema import Pair
from hfclean.verifiers import VERIFIERS, Finding
from hfclean.verifiers.answers import SAID, _sayings, conclusion_agrees
from hfclean.verifiers.options import offered, offered_anyhow
from hfclean.verifiers.units import factors
from hfclean.verifiers.values import agree, differ, one_spelling, read_value

TASK = "How many boats lie in the harbour?"


def found(response: str, instruction: str = TASK, input: str = "") -> list[Finding]:
    return verify(Pair(instruction, input, response), only=["answers_disagree", "option_disagrees"])


# ------------------------------------------------------------------------------------------------------- final answers

DISAGREE = [
    ("<think>3 * 4, so the answer is 12.</think>\n\\boxed{15}", "15", "12", 1),
    ("<think>So the answer is 12.</think>\nThe answer is 15.", "15", "12", 1),
    ("<think>So the answer is 12.</think>\n15", "15", "12", 1),
    ("<think>So \\boxed{12}</think>\n\n\nAll in all: \\boxed{15}.", "15", "12", 3),
    ("<thinking>The final answer is 1/2.</thinking>\n#### 0.25", "0.25", "1/2", 1),
    ("<think>The answer must be (B).</think>\nThe answer is (C).", "(C)", "(B)", 1),
    ("<think>The answer is 40%.</think>\n\\boxed{60\\%}", "60\\%", "40%", 1),
    ("<think>The answer is 7. But it may be 8. The answer is 8.</think>\n\\boxed{7}", "7", "8", 1),
    ("<think>Then the answer is $\\frac{1}{3}$</think>\\boxed{\\frac{2}{3}}", "\\frac{2}{3}", "\\frac{1}{3}", 0),
    ("<think>The answer is 1,200.</think>\n\\boxed{12000}", "12000", "1,200", 1),
    ("<think>The answer is -4.</think>\n\\boxed{4}", "4", "-4", 1),
    ("She sells 9 * 2 = 18.\nIt is \\boxed{20}.\n#### 18", "20", "18", 1),
    ("\\boxed{20} dollars\n#### $18", "20", "18", 0),
    ("The answer is 20.\n#### 18", "20", "18", 0),
    ("FINAL ANSWER: 12\n\\boxed{15}", "15", "12", 1),
    ("The answer is **12**.\n\\boxed{15}", "15", "12", 1),
    ("The answer is 12.\n\\boxed{15}\nBut do check it.", "15", "12", 1),
    ("The answer is 12.\n\\fbox{15}", "15", "12", 1),
    ("\\fbox{15}\n#### 12", "15", "12", 0),
    ("The answer is 12.\n\\boxed{15}\n\\boxed{16", "15", "12", 1),
    ("<think>The answer is 9. The answer is 10.</think>\n\\boxed{9}", "9", "10", 1),
    ("Answer: \\boxed{12}\nAnswer: \\boxed{12}\nAnswer: \\boxed{15}", "15", "12", 2),
    ("The answer is 2.\n" + "\\boxed{1}" * 100, "1", "2", 1),
    ("\n\nThe answer is 20.\n#### 18", "20", "18", 2),
    ("<think>The answer is 12.</think>\nThe answer is $15$.", "15", "12", 1),
    ("The final answer is 12.\n\nSo: \\boxed{15}", "15", "12", 2),
    ("Answer: 12\n\\boxed{15}", "15", "12", 1),
    ("**Answer:** 12\n\\boxed{15}", "15", "12", 1),
    ("The correct answer is B.\n\\boxed{C}", "C", "B", 1),
    ("The answer is $\\boxed{12}$. All in all, the final answer is $\\boxed{15}$.", "15", "12", 0),
    ("Answer: \\boxed{12}\nAnswer: \\boxed{15}", "15", "12", 1),
    ("The answer is 3.14.\n\\boxed{3.24}", "3.24", "3.14", 1),
    ("The answer is 5 km.\n\\boxed{6\\text{ km}}", "6\\text{ km}", "5 km", 1),
    ("The answer is 5 boats.\n\\boxed{500}", "500", "5", 1),
    ("The answer is 5 m.\n\\boxed{501}", "501", "5 m", 1),
    ("The answer to this question is 12.\n\\boxed{15}", "15", "12", 1),
]


@pytest.mark.parametrize(("response", "value", "other", "line"), DISAGREE)
def test_answers_that_disagree_are_found(response: str, value: str, other: str, line: int) -> None:
    assert found(response) == [
        Finding(
            "answers_disagree", "response", 0, line, value, other, f"the answer is given as {value} and as {other}"
        )
    ]


AGREE = [
    "<think>So the answer is 12.</think>\n\\boxed{12}",
    "<think>So the answer is 12.</think>\n\\boxed{12.00}",
    "<think>So the answer is 0.5.</think>\n\\boxed{\\frac{1}{2}}",
    "<think>So the answer is 1/3.</think>\n\\boxed{0.33}",
    "<think>So the answer is 1200.</think>\n\\boxed{1{,}200}",
    "<think>So the answer is 12.</think>\n\\boxed{12\\text{ boats}}",
    "<think>So the answer is 90.</think>\n\\boxed{90^\\circ}",
    "<think>So the answer is 0.5.</think>\n\\boxed{50\\%}",
    "<think>So the answer is $5.</think>\n\\boxed{\\$5.00}",
    # taken back
    "<think>So the answer is 12. Wait, that is wrong: 15.</think>\n\\boxed{15}",
    "<think>The answer is 12. Hmm, no. So it is 15.</think>\n15",
    "The answer is 12. Let me check: actually it is \\boxed{15}.",
    "The answer is 12.346, which rounds to \\boxed{12.3}",
    "The answer is 12 if it rains. Then \\boxed{15}.",
    # not yet the answer
    "<think>The answer is 12 + 3.</think>\n\\boxed{15}",
    "<think>The answer is 12 or 15.</think>\n\\boxed{15}",
    "<think>The answer is 3 times 5.</think>\n\\boxed{15}",
    "<think>The answer is 2:30.</think>\n\\boxed{14}",
    "<think>The answer is 12th.</think>\n\\boxed{15}",
    "<think>The answer is 2x.</think>\n\\boxed{15}",
    "<think>The answer is 3, 5.</think>\n\\boxed{15}",
    "<think>The answer is a boat.</think>\n\\boxed{B}",
    "The answer is 5!\n\\boxed{120}",
    "The answer is 10_2.\n\\boxed{2}",
    "The answer is 9 squared.\n\\boxed{81}",
    "The answer is 2 dozen.\n\\boxed{24}",
    "The answer is 15 thousand.\n\\boxed{15000}",
    "The answer is 7 more than 3.\n\\boxed{10}",
    "The answer is 20% of 50.\n\\boxed{10}",
    "The answer is 12 divided by 4.\n\\boxed{3}",
    "The answer is 180 degrees.\n\\boxed{\\pi}",
    "The answer is 180° - 60°.\n\\boxed{120}",
    "<think>The answer is 5 per pack, and there are 2.</think>10",
    # somebody else's answer
    "The first answer is 3. The second is 4.\n\\boxed{4}",
    "One student's answer is 3.\n\\boxed{4}",
    "The naive answer is 3.\n\\boxed{4}",
    "<think>The expected answer is 5.</think>6",
    "<think>Let me see if the answer is 5.</think>6",
    # headings
    "#### 1\nadd\n\nThe answer is 5.",
    "#### 2024\n\nThe answer is 42.",
    # other units, forms that cannot be compared
    "\\boxed{90\\text{ minutes}}\n#### 1.5 hours",
    "<think>So the answer is 5 m.</think>\nIt is \\boxed{500 \\text{ cm}}.",
    "The answer is 5 m, so we write \\boxed{500}",
    "The answer is 2 hours.\n\\boxed{120}",
    "The answer is 2kg.\n\\boxed{2000 \\mathrm{g}}",
    "The answer is 12.\n\\boxed{x + 3}",
    "The answer is 12.\n\\boxed{12 \\text{ or } 15}",
    "The answer is B.\n\\boxed{12}",
    # several answers
    "(a) The answer is 12.\n(b) \\boxed{15}",
    "1) The answer is 12.\n2) \\boxed{15}",
    "For the two parts: the answer is 12 and \\boxed{15}",
    "x = \\boxed{12}, y = \\boxed{15}",
    "#### 12\n#### 15",
    "\\boxed{12}\n#### 12\n#### 15",
    "Answer: \\boxed{12}",
    "The answer is 9. Wait: \\boxed{10}",
    "The answer is 2.\n" + "\\boxed{1}" * 101,
    # nothing to compare
    "<think>So the answer is 12.</think>\nThere are boats.",
    "<think>So the answer is 12.</think>",
    "The answer is 12. The answer is 15.",
    "\\boxed{12",
    "#### Notes\n\\boxed{12}",
    "",
]


@pytest.mark.parametrize("response", AGREE)
def test_answers_that_agree_or_cannot_be_compared_are_not(response: str) -> None:
    assert found(response) == []


@pytest.mark.parametrize(
    "instruction", ["How many boats? How many ships?", "Find both numbers.", "(a) Add. (b) Take.", "1. Add.\n2. Take."]
)
def test_a_task_of_several_parts_has_several_answers(instruction: str) -> None:
    assert found("The answer is 12.\n\\boxed{15}", instruction) == []


@pytest.mark.parametrize(
    "instruction", ["Grade it: 3 + 4 = 7.", "Score the answer from 0 to 5.", "How many are wrong?"]
)
def test_a_thought_about_an_answer_that_is_graded_ends_in_a_grade(instruction: str) -> None:
    assert found("<think>The correct answer is 7.</think>0", instruction) == []
    assert len(found("<think>The correct answer is 7.</think>0", "What is 3 + 4?")) == 1


# -------------------------------------------------------------------------------------------------------------- values

SAME = [
    ("€5", "6 pounds"),
    ("\\displaystyle 5", "5"),
    ("5\\quad", "5"),
    ("1.000", "1000"),
    ("1.234.567", "1234567"),
    ("\\pi", "3.14"),
    ("3.1416", "\\pi"),
    ("12", "12.0"),
    ("1/2", "0.5"),
    ("\\frac{1}{2}", "\\dfrac{2}{4}"),
    ("1 \\frac{1}{2}", "1.5"),
    ("1,000,000", "1000000"),
    ("$12$", "12"),
    ("\\(12\\)", "12"),
    ("**12**", "12"),
    ("12.", "12"),
    ("\\text{12}", "12"),
    ("\\$12", "$12"),
    ("£12", "12"),
    ("50%", "0.5"),
    ("50\\%", "50"),
    ("50 percent", "50%"),
    ("33.3%", "1/3"),
    ("0.33", "1/3"),
    ("0.66", "2/3"),
    ("0.67", "2/3"),
    ("3.1", "3.14"),
    ("3.2", "3.15"),
    ("3.2", "3.151"),
    ("-3", "−3"),
    ("+3", "3"),
    (".5", "0.5"),
    ("90^\\circ", "90"),
    ("90°", "90 degrees"),
    ("5 apples", "5"),
    ("5 apples", "5 apple"),
    ("5 km", "5000 m"),
    ("(B)", "B"),
    ("B.", "B"),
    ("x", "y"),
    ("12", "B"),
    ("12", "12 to 15"),
    ("1/0", "2"),
    ("2\\sqrt{2}", "\\sqrt{8}"),
    ("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}"),
    ("2^{10}", "1024"),
    ("\\sqrt{-1}", "1"),
    ("\\frac{\\sqrt{4}}{40}", "0.0"),
    ("9^{9^{9}}", "1"),
    ("9^{999}", "1"),
    ("9^999", "1"),
    ("2^{3^{2}}", "1"),
    ("9^9^9", "8^8^8"),
    ("10!", "11!"),
    ("\\pi", "\\pi r"),
    ("1" * 70, "2" * 70),
    ("12", "12.5"),
    ("12", "12.6"),
    ("13", "12.6"),
    ("-3.1", "-3.14"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_values_that_are_the_same_or_beyond_a_program(one: str, other: str) -> None:
    assert not differ(one, other)
    assert not differ(other, one)


DIFFERENT = [
    ("1.2345", "12345"),
    ("1234.500", "1234500"),
    ("1.500.1", "15001"),
    ("1.000", "1001"),
    ("1.0", "10"),
    ("12", "15"),
    ("14", "12.6"),
    ("1/2", "1/3"),
    ("0.34", "1/3"),
    ("\\frac{1}{2}", "0.6"),
    ("1 1/2", "1.6"),
    ("-3", "3"),
    ("50%", "0.6"),
    ("50%", "60%"),
    ("5 apples", "6 apples"),
    ("5 apples", "6 apple"),
    ("5 apples", "6"),
    ("$12", "$13"),
    ("1,000", "10000"),
    ("3.15", "3.1416"),
    ("A", "B"),
    ("(A)", "B."),
    ("90°", "91°"),
    ("0", "1"),
    ("3", "4.1"),
    ("-3.2", "-3.1"),
    ("3.1", "-3.14"),
    (".5", ".6"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_that_certainly_differ(one: str, other: str) -> None:
    assert differ(one, other)
    assert differ(other, one)


CLOSED_FORMS = [
    ("2\\sqrt{2}", "\\sqrt{7}"),
    ("\\sqrt{2}", "1.5"),
    ("\\frac{\\sqrt{4}}{40}", "0.2"),
    ("\\pi", "3"),
    ("\\frac{\\pi}{2}", "\\frac{\\pi}{3}"),
    ("2^{10}", "1000"),
    ("$\\sqrt{2}$", "2"),
]


@pytest.mark.parametrize(("one", "other"), CLOSED_FORMS)
def test_closed_forms_differ_in_any_thread(one: str, other: str) -> None:
    needs("verify", "math_verify")
    with ThreadPoolExecutor(1) as other_thread:
        assert differ(one, other)
        assert other_thread.submit(differ, one, other).result()


def test_what_is_found_differently_than_before_has_another_version() -> None:
    expected = {"answers_disagree": (2, "high"), "option_disagrees": (1, "high")}
    assert {each.id: (each.version, each.severity) for each in VERIFIERS if each.id in expected} == expected


def test_only_groups_of_three_digits_lose_their_commas() -> None:
    idle = "\\, \\; \\: \\! \\left \\right \\displaystyle \\quad $ \\( \\) \\[ \\] ^\\circ ^{\\circ} ° ~"
    assert [mark for mark in idle.split() if one_spelling(f"a{mark}2") != "a2"] == []
    assert one_spelling("\\quadx 2") == "\\quadx2"
    wrapped = "text textbf mathrm mathbf operatorname mbox"
    assert [name for name in wrapped.split() if one_spelling(f"2\\{name}{{ m}}") != "2m"] == []
    assert one_spelling("2\\emph{ m}") == "2\\emph{m}"
    assert one_spelling("x = 5") == "5"
    assert one_spelling("x = y = 5") == "x=y=5"
    assert [one_spelling(text) for text in ("2.50", "007", "2.50 m")] == ["2.5", "7", "2.50m"]
    texts = ["1,234", "1,2345", "12,34", "1{,}234", "1\\,234"]
    assert [one_spelling(text) for text in texts] == ["1234", "1,2345", "12,34", "1234", "1234"]


def test_a_value_is_read_with_its_unit() -> None:
    value = read_value("$-1{,}250.50\\text{ km}$")
    assert value is not None
    assert (value.number, value.places, value.unit, value.letter) == (-1250.5, 2, "km", "")


# ------------------------------------------------------------------------------------------------------------- options

CITIES = "What is the capital of France?\nA) Berlin\nB) London\nC) Paris\nD) Rome"
WRONG_OPTION = [
    ("The answer is (B) Paris.", CITIES, "C Paris"),
    ("B) Paris", CITIES, "C Paris"),
    ("The answer is option B) Paris", CITIES, "C Paris"),
    ("The answer is choice B) Paris", CITIES, "C Paris"),
    ("B. Paris", CITIES, "C Paris"),
    ("(B) Paris", CITIES, "C Paris"),
    ("Answer: B) Paris", CITIES, "C Paris"),
    ("Answer: **B) Paris**", CITIES, "C Paris"),
    ("The correct option is B. Paris is the capital of France.", CITIES, "C Paris"),
    ("The right choice is A: Rome", CITIES, "D Rome"),
    ("The right choice is A: Rome", f"{CITIES}\nAnswer with a letter.", "D Rome"),
    ("<think>It is Paris.</think>\nB) Paris", CITIES, "C Paris"),
    ("A) paris", "Which is a city? A) Rhine B) Paris", "B Paris"),
    ("(A) 7", "What is 3 + 4? (A) 6 (B) 7 (C) 8", "B 7"),
    ("The answer is (A) 7", "What is 3 + 4? (A) 6, (B) 7, (C) 8", "B 7"),
    ("C. The red boat", "Choose.\nA. The red boat\nB. The blue boat\nC. The green boat", "A The red boat"),
    ("The answer is E.", CITIES, ""),
    ("E", CITIES, ""),
    ("E) Madrid", CITIES, ""),
    ("Answer: (F)", CITIES, ""),
    ("The correct answer is E) Madrid", CITIES, ""),
    ("**E**", CITIES, ""),
    ("The option is H.", CITIES, ""),
    ("C", "Choose. A) Yes B) No", ""),
]


@pytest.mark.parametrize(("response", "task", "expected"), WRONG_OPTION)
def test_an_option_that_is_not_offered_or_has_the_text_of_another_is_found(
    response: str, task: str, expected: str
) -> None:
    for pair in (Pair(task, "", response), Pair("Choose.", task, response)):
        (finding,) = verify(pair, only=["option_disagrees"])
        assert (finding.field, finding.line, finding.expected) == ("response", response.count("\n"), expected)


def test_a_finding_says_which_option_is_meant() -> None:
    one, other = (found(response, CITIES)[0] for response in ("B) Paris", "E) Madrid"))
    assert one.sentence == "the chosen option B is 'London' in the task; what is said is option C"
    assert (one.found, one.expected) == ("B Paris", "C Paris")
    assert other.sentence == "the chosen option E is not among those offered, A, B, C, D"
    assert (other.found, other.expected) == ("E Madrid", "")


RIGHT_OPTION = [
    ("A)", "Pick.\nA) x\nB) /\nC) y"),
    ("C) Paris", CITIES),
    ("C", CITIES),
    ("The answer is (C).", CITIES),
    ("The answer is (C) Paris, as B) London is not in France.", CITIES),
    ("C) It lies on the Seine.", CITIES),
    ("B) Paris or London", CITIES),
    ("Paris", CITIES),
    ("", CITIES),
    ("E. coli is a bacterium.", "What is it?"),
    ("The answer is E coli.", CITIES),
    ("B) Paris", "What is the capital of France?"),
    ("B) Paris", "Name A. Lincoln's wife, and B. Paris."),
    ("B) Paris", "1. A) Rome B) London C) Paris\n2. A) Bonn B) Paris"),
    ("B) Paris", "A) Paris B) London C) Paris"),
    ("B) Paris", "B) London C) Paris"),
    ("E) Madrid", "Add an option. A) Rome B) London"),
    ("C. Open-source", "Suggest another option.\nA. Free\nB. Paid"),
    ("B) The red boat sails", "Choose. A) The red B) The red boat"),
    ("D) Neither", "Choose. A) x B) y C) z D) Neither"),
    ("A dog is an animal.", "Choose. A) Cat B) Dog"),
    ("As A) shows, B", "Choose. A) Cat B) Dog"),
    ("A) Dog\nB) Cat", "Rank them:\nA) Cat\nB) Dog"),
    ("A. Apple\nB. Pear", "Sort these:\nA. Pear\nB. Apple"),
    ("C. is too", "Vitamins A. and B. are important. Why?"),
    ("C) is the best plan", "Is plan A) good or plan B) bad?"),
    ("E) None of the above", "Choose. A) Cat B) Dog C) Fish"),
]


@pytest.mark.parametrize(("response", "task"), RIGHT_OPTION)
def test_an_option_that_may_be_right_is_not(response: str, task: str) -> None:
    assert found(response, task) == []


@pytest.mark.usefixtures("ending")
@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 100_000,
        "The answer is " * 50_000,
        "A) B) " * 100_000,
        "A) " + "a" * 500_000 + " B) b",
        "#### 1 " * 100_000,
        "<think>" + "\\boxed{1}" * 50_000 + "</think>1",
        "answer" + ":" * 300_000,
        "answer is" + " *" * 300_000,
    ],
)
def test_hostile_texts_are_read_in_linear_time(text: str) -> None:
    assert found(text) == []
    assert found("B", text) == []


@pytest.mark.usefixtures("ending")
def test_among_very_many_answers_the_one_that_disagrees_is_found() -> None:
    text = "The answer is 1\n" * 30_000 + "\\boxed{2}"
    assert [(f.check, f.found, f.expected, f.line) for f in found(text)] == [("answers_disagree", "2", "1", 30_000)]
    assert found("B", text) == []


# ------------------------------------------------------------------------------------------------- every word counts

# In the place of *: whose answer it is, what goes on behind a number, what takes it back, and what a task is about.
NOT_FINAL = [
    (
        "<think>So the * answer is 5.</think>\nThe answer is 6.",
        "good",
        "first|second|third|one|other|another|naive|initial|expected|user|users|given|reference|old|"
        "previous|wrong|obvious|tempting|intuitive|guessed|his|her|their|your|if the|suppose an|whether my|"
        "if our|Tom's|Tom’s",
    ),
    (
        "<think>So the answer is 5*</think>\nThe answer is 6.",
        " boats",
        "+ 1|- 1|× 2|x 2|* 2|/ 2|= 4|^2|: 1|– 5|~ 4|< 4|> 4|≈ 4|(a|!|_1|°|\\cdot 2| or 5| and 5| to 5|"
        " times 2| plus 2| minus 2|th|st|nd|rd| of 5| per 5| squared| cubed| dozen| hundred| thousand|"
        " million| billion| more| less| fewer| divided by 2| multiplied by 2| degrees| o'clock| o’clock|"
        ", or 5|, 5|.5.5",
    ),
    (
        "<think>So the answer is 5. There: *</think>\nThe answer is 6.",
        "good",
        "wait|hmm|actually|however|but|no, 6|mistake|wrong|incorrect|not correct|recheck|re-check|"
        "double-check|let me|corrected|correction|instead|alternatively|approximately|about|rounded|"
        "converted|in terms of|otherwise|if|≈",
    ),
]
TASKS = [
    (
        "Count the boats, *.",
        "<think>So the answer is 5.</think>\nThe answer is 6.",
        "grade|grades|graded|grading|score|scores|scored|scoring|mark|marks|rate|rates|rated|rating|"
        "evaluate|assess|judge|judging|verify|check|student|students|how many are|how many were|"
        "how many of|(a)|(i)|\na) this|\nb. this|\n1) this|\n3. this|\ni) this|both|each|respectively|questions|"
        "problems|parts|following equations|all solutions|all values|all roots|all possible ones|part 1|"
        "part a|question 1|question 2",
    ),
    (
        CITIES.replace("capital", "capital, *,"),
        "B) Paris",
        "sort|order|rank|arrange|shuffle|reverse|swap|re-order|reorder|rearrange|rewrite|rephrase|match|"
        "permute|translate",
    ),
    (
        CITIES.replace("capital", "capital, *,"),
        "F) Oslo",
        "add|new|another|more|create|generate|write|suggest|additional|missing",
    ),
]


@pytest.mark.parametrize(("response", "other", "words"), NOT_FINAL)
def test_each_of_these_words_makes_it_another_answer(response: str, other: str, words: str) -> None:
    assert found(response.replace("*", other)) != []
    assert [word for word in words.split("|") if found(response.replace("*", word))] == []


@pytest.mark.parametrize(("task", "response", "words"), TASKS)
def test_each_of_these_words_makes_it_another_task(task: str, response: str, words: str) -> None:
    assert found(response, task.replace("*", "ok")) != []
    assert [word for word in words.split("|") if found(response, task.replace("*", word))] == []


def test_a_letter_before_such_a_word_is_no_option() -> None:
    words = "is|was|are|can|has|would|should|will|none|all|neither|both|other|others"
    assert found("F) Oslo", CITIES) != []
    assert [word for word in words.split("|") if found(f"F) {word} of them", CITIES)] == []


WORDS = ("final ", "Final ", "correct ", "answer", "Answer", "ANSWER", " is", ":", " 5", " (B)", "x", "\n")


@given(st.lists(st.sampled_from(WORDS)))
def test_answers_in_words_are_those_that_the_whole_pattern_finds(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert [said.span() for said in _sayings(text)] == [said.span() for said in SAID.finditer(text)]


def test_options_are_read_by_their_marks() -> None:
    two = {"A": "x", "B": "y"}
    for text in ("A) x B) y", "(A) x (B) y", "A. x, B. y;", "A: x\nB: y\nNow.", "Go. A)  x / B) y"):
        assert offered(text) == offered_anyhow(text) == two, text
    for text in (
        "A)x B)y",
        "(A)x B) y",
        "A) x C) y",
        "B) y A) x",
        "A) x",
        "A) x B) y A) z",
        "AA) x B) y",
        ".A) x B) y",
    ):
        assert offered(text) == {}, text
    assert offered_anyhow("A)x B)y") == two
    assert offered_anyhow("a)x (b) y") == {"a": "x", "b": "y"}
    assert offered_anyhow("1) x 2)y") == {"1": "x", "2": "y"}
    assert offered_anyhow("B) y A) x") == {"B": "y", "A": "x"}
    assert offered_anyhow("A) x B) y A) z") == {"A": "z", "B": "y"}
    assert offered_anyhow("A. x B. y") == offered_anyhow("A: x B: y") == two
    for text in ("a. x b. y", "A) x C) y", "f(a) of (b)", "a)", "i) x j) y", "9) x 10) y", "2) x 3) y"):
        assert offered_anyhow(text) == {}, text
    letters = "".join(f"{letter}) x " for letter in "ABCDEFGHI")
    assert [*offered(letters)] == list("ABCDEFGH")
    assert offered("A) x" + " " * 4993 + "B) y") == {}
    assert offered("A) x" + " " * 4992 + "B) y") == two


UNITS = {
    "sec second min minute hr hour h day week month year": "60 3600 24 1440 86400 7 168 12 30 31 52 365 366 10 100",
    "mm cm m meter metre km kilometer kilometre": "10 100 1000 100000 1000000",
    "inch in foot feet ft yard yd mile mi": "12 3 36 1760 5280 144 9",
    "mg g gram kg kilogram ton tonne ml l liter litre": "1000 1000000",
    "oz ounce lb pound cup pint quart gallon tablespoon teaspoon tbsp tsp": "2 3 4 8 16 128 32 2000",
    "cent ¢ pence penny dollar pound euro": "100",
    "hundred thousand million billion trillion k dozen": "12 100 1000 1000000 1000000000 1000000000000",
    "kb mb gb tb kib mib gib tib byte bit": "8 1000 1024 1000000 1048576",
    "bp bps": "10000",
}


def test_each_of_these_units_may_be_another_by_one_of_these_factors() -> None:
    for units, numbers in UNITS.items():
        for unit in units.split():
            money = "100 2 3 4 8 16 128 32 2000" if unit == "pound" else ""  # it is a weight as well
            expected = {int(number) for number in f"{numbers} {money}".split()}
            assert factors(unit) == expected, unit
    assert factors("inches") == factors("IN.") == factors("inch")
    assert factors("\\text{ hours}") == factors("\\text{hour}") == factors("hour")
    assert factors("boats") == frozenset()
    for one, other, different in (("5 km", "5000", 0), ("5000", "5 km", 0), ("0 km", "5000", 1), ("5 km", "5001", 1)):
        assert differ(one, other) is bool(different), (one, other)


def test_answers_agree_where_they_certainly_are_the_same() -> None:
    same = [
        ("12", "12.0"),
        ("1/2", "0.5"),
        ("(B)", "B"),
        ("5 km", "5"),
        ("50%", "50 percent"),
        ("x + 1", "x+1"),
        ("5 kms", "5 km"),
    ]
    other = [("12", "13"), ("A", "B"), ("5 km", "5 m"), ("x", "y"), ("x", "5"), ("12", "A"), ("5%", "0.05")]
    assert [pair for pair in same if not agree(*pair)] == []
    assert [pair for pair in other if agree(*pair)] == []
    sure = Pair("How many?", "", "<think>The answer is 12.</think>\n12")
    assert conclusion_agrees(sure) is True
    assert conclusion_agrees(sure.replace(response="<think>The answer is 12.</think>\n\\boxed{13}")) is False
    for unsure in (
        sure.replace(instruction="How many? And how long?"),
        sure.replace(instruction="Grade it."),
        sure.replace(instruction="Find both."),
        sure.replace(response="<think>It is so.</think>\n12"),
        sure.replace(response="<think>The answer is 12.</think>\nSo."),
        sure.replace(response="<think>The answer is 12. Wait.</think>\n12"),
        sure.replace(response="<think>The answer is 5%.</think>\n0.05"),
    ):
        assert conclusion_agrees(unsure) is None, unsure


def test_a_value_has_the_places_and_the_unit_that_it_is_written_with() -> None:
    written = {
        "12": (12, 0, ""), "1.50": (1.5, 2, ""), "1/4": (0.25, None, ""), "1 1/2": (1.5, None, ""), ".5": (0.5, 1, ""),
        "-3": (-3, 0, ""), "−3": (-3, 0, ""), "+3": (3, 0, ""), "$5": (5, 0, ""), "£5": (5, 0, "£"), "¥5": (5, 0, "¥"),
        "€5": (5, 0, "€"), "USD 5": (5, 0, "usd"), "5 Km": (5, 0, "km"), "5%": (5, 0, "%"), "5\\%.": (5, 0, "%"),
        "\\frac{3}{4}": (0.75, None, ""), "\\dfrac34": (0.75, None, ""), "**5**": (5, 0, ""), "5^\\circ": (5, 0, ""),
        "\\left(5\\right)": None, "\\text{5}": (5, 0, ""), "5 / 2": (2.5, None, ""), "1/0": None, "1 2": None,
        "": None, "5" * 18: (float("5" * 18), 0, ""), "5" * 19: None,
        "0." + "5" * 18: (float("0." + "5" * 18), 18, ""),
    }  # fmt: skip
    for text, expected in written.items():
        value = read_value(text)
        assert (value and (float(value.number or 0), value.places, value.unit)) == expected, text
    assert read_value("1" + " " * 58 + "a") is not None
    assert read_value("1" + " " * 59 + "a") is None


def test_where_an_answer_in_words_begins_and_what_a_heading_without_words_is() -> None:
    starts = {lead: [said.start() for said in _sayings(f"So the {lead} answer is 5")] for lead in ("final", "true")}
    assert starts == {"final": [7], "true": [12]}
    for lead in ("correct", "right", "Final"):
        assert [said.start() for said in _sayings(f"The {lead} answer is 5")] == [4], lead
    assert found("<think>So the answer is 12.</think>\n####") == []
