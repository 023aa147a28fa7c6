"""White space between a prompt and its response: a trainer joins both as they stand, so no repair takes it away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.schema import Pair

JOINED = [
    {"prompt": "The sky is", "completion": " blue."},
    {"prompt": "Q: What is 2 + 2?\nA:", "completion": " 4"},
    {"prompt": "Translate into German: Good day. ->", "completion": "\n\nGuten Tag."},
    {"prompt": "def add(a, b):\n", "completion": "    return a + b"},
    {"prompt": "def twice(a):\n", "completion": "return 2 * a"},
    {"prompt": "Name a fruit. ", "response": "An apple."},
    {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."},
]


@pytest.mark.parametrize("row", JOINED, ids=lambda row: next(iter(row.values())))
def test_white_space_between_prompt_and_response_stays_and_is_no_defect(row):
    assert hfclean.revise(row)["edit"] == "kept"
    assert hfclean.RuleReviser(side="both" if "chosen" in row else "chosen")(row)["edit"] == "kept"
    assert hfclean.score(row)["defects"] == ""


def test_what_a_repair_does_elsewhere_in_a_joined_row():
    row = {"prompt": " The sky is", "completion": " blue today.\n\n\n\nThe sea as well.</s> "}
    out = hfclean.revise(row)
    assert (out["prompt"], out["completion"]) == ("The sky is", " blue today.\n\nThe sea as well.")
    assert hfclean.restore({**row, **out}) == row


@pytest.mark.parametrize(
    ("columns", "after"),
    [(("instruction", "output"), ("The sky is", "blue.")), (("query", "response"), ("The sky is", "blue."))],
)
def test_it_goes_where_a_template_stands_between_them(columns, after):
    out = hfclean.revise(dict(zip(columns, ("The sky is ", " blue."), strict=True)))
    assert tuple(out[name] for name in columns) == after


BLANKS = st.text(alphabet=" \n\t", max_size=3)
WORDS = st.text(alphabet="ab <>/s&;.", min_size=1, max_size=20).map(str.strip).filter(bool)


@given(WORDS, BLANKS, BLANKS, WORDS)
def test_the_seam_is_what_it_was(asked, tail, head, answer):
    before = Pair(asked + tail, "", head + answer, joined=True)
    after = before.replace(instruction=f"{asked}?", response=f"So {answer}").with_seam_of(before)
    assert (after.instruction, after.response) == (f"{asked}?{tail}", f"{head}So {answer}")
