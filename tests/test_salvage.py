"""Salvage: of a refused revision all but the part for which it was refused is taken, if that passes everything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.models import Answer
from hfclean.records.trust import settings_of
from hfclean.reviser.codec import encode
from hfclean.reviser.salvage import MOST_HUNKS, without_a_hunk
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend

QUESTION = "A baker sells 12 loaves a day. How many loaves does he sell in 5 days?"
OLD = "he sells 12 loaves on each day, wich makes 60 loaves."
GOOD = "He sells 12 loaves on each day, which makes 60 loaves in 5 days."
CODE = "```python\nprint(12 * 5)\nprint('loaves')\n```"


def revised(old: str, new: str | Answer, **settings: Any) -> dict[str, Any]:
    answer = new if isinstance(new, Answer) else encode(Pair(QUESTION, "", new))
    row = {"instruction": QUESTION, "input": "", "output": old}
    return hfclean.Reviser(ScriptedBackend([answer]), **{"salvage": True, **settings})(row)


@pytest.mark.parametrize(
    ("old", "new", "kept", "code"),
    [
        (OLD, GOOD.replace("12", "17"), GOOD, "number_changed"),
        (OLD, f"Sure! Here is an improved version of the answer:\n\n{GOOD}", GOOD, "meta_talk"),
        (OLD, f"Sure, I can improve that for you! {GOOD}", GOOD, "meta_talk"),
        (f"{OLD}\n\n{CODE}", GOOD, f"{GOOD}\n\n{CODE}", "code_dropped"),
        (f"{OLD}\n\n{CODE}\n\nDone.", f"{GOOD}\n\nDone.", f"{GOOD}\n\n{CODE}\n\nDone.", "code_dropped"),
    ],
)
def test_one_fault_is_left_out(old: str, new: str, kept: str, code: str) -> None:
    before = revised(old, new, salvage=False)
    assert before["edit"] == "reverted"
    assert code in before["edit_reason"].split()
    out = revised(old, new)
    assert (out["output"], out["edit"]) == (kept, "revised")
    assert out["edit_reason"] == f"reviser salvaged {before['edit_reason']}"
    assert json.loads(out["edit_history"])["settings"]["salvage"] is True


def test_two_faults_or_nothing_but_the_fault_are_refused_as_before() -> None:
    for new in (
        f"Sure, I can improve that for you! {GOOD.replace('12', '17')}",
        OLD.replace("12", "17"),
        "I'm sorry, but I can't help with that.",
    ):
        once, out = revised(OLD, new, salvage=False), revised(OLD, new)
        assert (out["edit"], out["edit_reason"], out["output"]) == ("reverted", once["edit_reason"], OLD)


def test_what_passes_is_taken_whole_and_what_was_cut_off_is_not_salvaged() -> None:
    assert revised(OLD, GOOD)["edit_reason"] == "reviser"
    cut = Answer(encode(Pair(QUESTION, "", GOOD.replace("12", "17"))), "length")
    assert revised(OLD, cut)["edit"] == "reverted"


def test_what_is_salvaged_comes_after_what_is_asked_again() -> None:
    texts = [encode(Pair(QUESTION, "", f"{GOOD}\n\n12 * 5 = {number}")) for number in (61, 62)]
    row = {"instruction": QUESTION, "input": "", "output": OLD}
    backend = ScriptedBackend(texts)
    out = hfclean.Reviser(backend, repair_refused=1, salvage=True)(row)
    assert len(backend.asked) == 2
    assert out["edit"] == "revised"
    assert out["output"].startswith(GOOD)
    assert "62" not in out["output"]
    assert {"salvaged", "wrong_sum"} <= {*out["edit_reason"].split()}


def test_sentences_stay_whole() -> None:
    old, new = "Cats sleep. Dogs bark at night.", "Cats sleep a lot. Dogs bark at 4 o'clock every night."
    assert without_a_hunk(old, new, lambda text: "4" not in text) is None  # they are one difference: nothing is left
    old, new = f"{old} Cows eat.", f"{new} Cows eat."
    assert without_a_hunk(old, new, lambda text: "4" not in text) is None
    old, new = "Cats sleep. Owls fly. Dogs bark.", "Cats sleep a lot. Owls fly. Dogs bark at 4."
    assert without_a_hunk(old, new, lambda text: "4" not in text) == "Cats sleep a lot. Owls fly. Dogs bark."


def test_what_shares_a_word_with_the_text_is_no_preface() -> None:
    new = "Loaves are what a baker sells. He sells 60 loaves."
    assert without_a_hunk("He sell 60.", new, lambda text: "what" not in text, asked="How many loaves?") is None


def test_the_smallest_part_is_left_out_and_never_all_of_it() -> None:
    old = "One.\nTwo.\nThree.\nFour.\n"
    new = "One.\nTwo and a half, at length.\nThree.\nFour x.\n"
    taken: list[str] = []

    def none(text: str) -> bool:
        taken.append(text)
        return False

    assert without_a_hunk(old, new, none) is None
    assert taken[0] == "One.\nTwo and a half, at length.\nThree.\nFour.\n"
    assert old not in taken
    assert new not in taken


def test_another_text_is_not_taken_apart() -> None:
    old, new = ("\n".join(f"{word} {k}" for k in range(100)) for word in ("old", "new"))
    lines = new.splitlines()
    lines[::3] = old.splitlines()[::3]
    assert without_a_hunk(old, "\n".join(lines), lambda text: True) is None
    assert MOST_HUNKS < 100 / 3


def test_texts_of_very_many_pieces_are_left_alone() -> None:
    old, new = ("\n".join([f"{word}. It is."] * 40_000) for word in ("a", "b"))
    assert without_a_hunk(old, new, lambda text: True) is None


@given(st.text(alphabet="ab1. \n`"), st.text(alphabet="ab2. \n`"))
def test_it_holds_for_any_text(old: str, new: str) -> None:
    seen: list[str] = []
    assert without_a_hunk(old, new, lambda text: bool(seen.append(text))) is None
    assert {old, new}.isdisjoint(seen)
    assert len(seen) == len(set(seen))
    assert len(seen) <= 4 * (MOST_HUNKS + 5)


def test_a_record_may_state_it() -> None:
    setting = settings_of(hfclean.Reviser)["salvage"]
    assert (setting.hub, setting.form) == (True, "true or false")
