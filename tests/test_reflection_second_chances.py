"""What Reflection makes of a side that the gate refused: asked for once more with what was wrong told, or salvaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset

import hfclean
from hfclean.cleaning import clean
from hfclean.models import Answer, Conversation, Limits, Message, Prices, process
from hfclean.records.trust import settings_of
from hfclean.reviser.codec import encode
from hfclean.reviser.criteria import schema
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
QUICK = Limits(retries=0, backoff_s=0.001)
QUESTION = "How many cows have both farms?"
ASKED = "How many cows do both farms have together?"
OLD = "one farm has 12 and one has 7 cows, so\n12 + 7 = 19"
GOOD = "One farm has 12 and one has 7 cows, so\n12 + 7 = 19."
BAD = "One farm has 12 and one has 7 cows, so\n12 + 7 = 18, or 19 by count."
ROW = {"instruction": QUESTION, "input": "", "output": OLD}
PREFACE = "Sure! Here is an improved version of the answer:\n\n"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def side(response: str, instruction: str = "") -> str:
    """An answer of the response side, or with an instruction one of the instruction side."""
    fields = ("instruction", "input", "response") if instruction else ("response",)
    return f"Too short.\n{encode(Pair(instruction, '', response), fields)}"


def revised(*script: str | Answer, row: dict[str, str] = ROW, **settings: Any) -> tuple[dict[str, Any], Any]:
    backend = ScriptedBackend(script)
    return hfclean.Reflection(backend, **settings)(row), backend


def test_each_side_is_asked_once_more_in_its_own_conversation() -> None:
    answers = side(BAD, ASKED), side(GOOD, ASKED), side(BAD), side(f"{GOOD} They share them.")
    out, backend = revised(*answers, repair_refused=1)
    assert (out["instruction"], out["output"], out["edit"]) == (ASKED, f"{GOOD} They share them.", "revised")
    assert out["edit_reason"] == "reflection asked_again"
    assert [len(conversation) for conversation in backend.asked] == [1, 3, 1, 3]
    first, again = backend.asked[:2]
    assert again[:2] == (first[0], Message("assistant", answers[0]))
    assert again[2].content.splitlines()[1].startswith("- in the response, line 2: ")
    assert GOOD in backend.asked[2][0].content  # the response side works on what came the second time
    assert BAD not in backend.asked[2][0].content
    assert json.loads(out["edit_history"])["settings"]["repair_refused"] == 1


def test_without_it_nothing_is_asked_again_or_salvaged() -> None:
    out, backend = revised(side(BAD), sides=("response",))
    assert (out["edit"], len(backend.asked)) == ("reverted", 1)
    assert out["edit_reason"].startswith("response_refused wrong_sum")
    assert "repair_refused" not in out["edit_history"]
    assert "salvage" not in out["edit_history"]


def test_a_repair_that_is_refused_leaves_the_other_side_its_turn() -> None:
    out, backend = revised(side(BAD, ASKED), side(BAD, ASKED), side(GOOD), repair_refused=1)
    assert [len(conversation) for conversation in backend.asked] == [1, 3, 1]
    assert (out["instruction"], out["output"], out["edit"]) == (QUESTION, GOOD, "revised")
    assert {"instruction_refused", "wrong_sum", "asked_again"} <= {*out["edit_reason"].split()}


@pytest.mark.parametrize("second", [OLD, "unreadable"])
def test_what_comes_the_second_time_may_be_the_pair_as_it_was_or_nothing(second: str) -> None:
    answer = side(OLD) if second == OLD else "Sure, here you are!"
    out, backend = revised(side(BAD), answer, sides=("response",), repair_refused=2)
    once, _ = revised(side(BAD), sides=("response",))
    expected = ("kept", "asked_again") if second == OLD else ("reverted", once["edit_reason"])
    assert len(backend.asked) == 2
    assert (out["output"], out["edit"], out["edit_reason"]) == (OLD, *expected)


def test_what_telling_does_not_mend_is_not_asked_again() -> None:
    for answer in (side("I'm sorry, but I can't help with that."), "no pair", side(GOOD), side(OLD)):
        assert len(revised(answer, sides=("response",), repair_refused=3)[1].asked) == 1


def test_the_schema_goes_with_the_second_request() -> None:
    answers = [json.dumps({"critique": "Short.", "response": text}) for text in (BAD, GOOD)]
    out, backend = revised(*answers, sides=("response",), repair_refused=1, structured=True)
    assert out["output"] == GOOD
    assert [one.response_format for one in backend.generations] == [schema("response")] * 2


def test_words_of_what_was_told_are_a_leak() -> None:
    def script(conversation: Conversation) -> str:
        return side(BAD if len(conversation) == 1 else f"{GOOD}\n{conversation[2].content.splitlines()[-1]}")

    out = hfclean.Reflection(ScriptedBackend(script), sides=("response",), repair_refused=1)(ROW)
    assert (out["edit"], "rubric_leak" in out["edit_reason"].split()) == ("reverted", True)


def test_the_better_side_is_chosen_among_repaired_ones() -> None:
    def longer(pairs: Any) -> list[tuple[float, float]]:
        return [(len(pair.instruction) / 100, 10 / len(pair.response)) for pair in pairs]

    answers = side(BAD, ASKED), side(GOOD, ASKED), side(f"{GOOD} They share them.")
    out, _ = revised(*answers, repair_refused=1, select=longer)
    assert (out["instruction"], out["output"]) == (ASKED, f"{GOOD} They share them.")
    assert {"asked_again", "both_selected"} <= {*out["edit_reason"].split()}


def reply(request: Received, time: int) -> Reply:
    return Reply(side(GOOD if "A program compared" in request.content else BAD), usage=(70, 30))


def reflection(server: ChatServer, **settings: Any) -> hfclean.Reflection:
    said: dict[str, Any] = {"limits": QUICK, "repair_refused": 1, "sides": ("response",), **settings}
    return hfclean.Reflection("tiny", base_url=server.url, **said)


def test_both_answers_are_kept_and_counted() -> None:
    ds = Dataset.from_list([ROW])
    with ChatServer(default=reply) as server:
        first = clean(ds, reviser=reflection(server, prices=Prices(1.0, 2.0)), score=False, show=False)
        again = clean(ds, reviser=reflection(server), score=False, show=False)
        assert server.counts.total() == 2
    assert first.dataset["edit_reason"][:] == again.dataset["edit_reason"][:] == ["reflection asked_again"]
    told = first.transforms[0]["usage"]
    assert (told["asked"], told["prompt_tokens"], told["cost"]) == (2, 140, 0.00026)
    assert again.transforms[0]["usage"]["reused"] == 2


def test_a_request_that_fails_leaves_the_row_for_the_next_run_which_asks_for_that_alone() -> None:
    def failing(request: Received, time: int) -> Reply:
        lost = "A program compared" in request.content and time == 1
        return Reply("too odd a text", status=400) if lost else reply(request, time)

    with ChatServer(default=failing) as server:
        ds = Dataset.from_list([ROW]).map(reflection(server), batched=True)
        assert (ds[0]["edit"], ds[0]["edit_reason"]) == ("failed", "refused_request")
        done = clean(ds, reviser=reflection(server), score=False, show=False)
        assert sorted(server.counts.values()) == [1, 2]
    assert done.dataset[0]["edit_reason"] == "reflection asked_again"


def test_both_revisions_are_among_the_refused() -> None:
    worse = side(BAD.replace("18", "17"))

    def bad(request: Received, time: int) -> Reply:
        return Reply(worse if "A program compared" in request.content else side(BAD))

    with ChatServer(default=bad) as server:
        done = clean(Dataset.from_list([ROW]), reviser=reflection(server), score=False, show=False)
    assert done.refused["proposed"][:] == [BAD, BAD.replace("18", "17")]


def test_an_estimate_counts_both_sides_as_often_as_they_may_be_asked() -> None:
    ds = Dataset.from_list([ROW] * 4)
    found = [
        hfclean.Reflection("tiny", base_url="http://127.0.0.1:9/v1", prices=Prices(1.0, 1.0), repair_refused=n)
        for n in (0, 1, 2)
    ]
    costs = [reviser.estimate(ds) for reviser in found]
    assert [cost.requests for cost in costs] == [8, 16, 24]
    assert [cost.completion_tokens for cost in costs] == [n * costs[0].completion_tokens for n in (1, 2, 3)]
    assert costs[1].prompt_tokens > 2 * costs[0].prompt_tokens


@pytest.mark.parametrize("sides", [("response",), ("instruction",)])
def test_a_part_that_was_wrong_is_left_out(sides: tuple[str, ...]) -> None:
    instruction = "" if sides == ("response",) else ASKED
    answer = side(f"{PREFACE}{GOOD}", instruction)
    refused, _ = revised(answer, sides=sides)
    out, backend = revised(answer, sides=sides, salvage=True)
    assert (refused["edit"], len(backend.asked)) == ("reverted", 1)
    assert (out["instruction"], out["output"], out["edit"]) == (instruction or QUESTION, GOOD, "revised")
    codes = refused["edit_reason"].split()[1:]
    assert "meta_talk" in codes
    assert out["edit_reason"] == " ".join(["reflection salvaged", *codes])
    assert json.loads(out["edit_history"])["settings"]["salvage"] is True


def test_what_is_salvaged_has_to_pass_against_the_original_too() -> None:
    @hfclean.check(id="no_sheep", version=1, meaning="the response speaks of sheep")
    def no_sheep(before: Pair, after: Pair) -> bool:
        return "sheep" in after.response and before.instruction == QUESTION

    answers = side(GOOD, ASKED), side(f"{PREFACE}{GOOD} No sheep are there.")
    out, _ = revised(*answers, salvage=True, checks=(no_sheep,))
    assert (out["instruction"], out["output"]) == (ASKED, GOOD)
    assert "salvaged" not in out["edit_reason"].split()
    assert {"response_refused", "meta_talk"} <= {*out["edit_reason"].split()}


def test_what_is_salvaged_comes_after_what_is_asked_again() -> None:
    texts = [side(f"{GOOD}\n\n12 + 12 = {number}") for number in (25, 26)]
    out, backend = revised(*texts, sides=("response",), repair_refused=1, salvage=True)
    assert (len(backend.asked), out["output"], out["edit"]) == (2, GOOD, "revised")
    assert out["edit_reason"].split()[:3] == ["reflection", "asked_again", "salvaged"]


def test_a_record_may_state_both() -> None:
    known = settings_of(hfclean.Reflection)
    assert (known["repair_refused"].hub, known["repair_refused"].most) == (True, 3)
    assert (known["salvage"].hub, known["salvage"].form) == (True, "true or false")
