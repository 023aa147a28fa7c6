"""A refused revision is asked for once more with what was wrong told: the words, the store, the counts, the price."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset

import hfclean
from hfclean.checks import CHECK_ERROR, CHECKS
from hfclean.cleaning import clean
from hfclean.cli import main
from hfclean.errors import HfcleanError
from hfclean.models import Answer, Conversation, Limits, Message, Prices, process
from hfclean.records.trust import settings_of
from hfclean.reviser.codec import encode
from hfclean.reviser.repairs import BEYOND, REPAIRABLE
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
QUICK = Limits(retries=0, backoff_s=0.001)
QUESTION = "How many cows have both farms?"
ROW = {"instruction": QUESTION, "input": "", "output": "one farm has 12 and one has 7 cows, so\n12 + 7 = 19"}
WRONG = encode(Pair(QUESTION, "", "One farm has 12 and one has 7 cows, so\n12 + 7 = 18, or 19 by count."))
RIGHT = encode(Pair(QUESTION, "", "One farm has 12 and one has 7 cows, so\n12 + 7 = 19."))
SORRY = encode(Pair(QUESTION, "", "I'm sorry, but I can't help with that."))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def revised(*script: str | Answer, **settings: Any) -> tuple[dict[str, Any], list[Conversation]]:
    backend = ScriptedBackend(script)
    return hfclean.Reviser(backend, **settings)(ROW), backend.asked


def test_the_conversation_goes_on_with_what_was_wrong_by_line() -> None:
    out, asked = revised(WRONG, RIGHT, repair_refused=1)
    assert (out["output"], out["edit"]) == ("One farm has 12 and one has 7 cows, so\n12 + 7 = 19.", "revised")
    assert out["edit_reason"] == "reviser asked_again"
    assert [len(conversation) for conversation in asked] == [1, 3]
    assert asked[1][:2] == (asked[0][0], Message("assistant", WRONG))
    told = asked[1][2].content.splitlines()
    assert asked[1][2].role == "user"
    assert told[1].startswith("- in the response, line 2: ")
    assert "19" in told[1]
    assert not any(check.meaning in told[1] for check in CHECKS if check.id == "wrong_sum")
    assert json.loads(out["edit_history"])["settings"]["repair_refused"] == 1


def test_without_it_nothing_is_asked_again() -> None:
    out, asked = revised(WRONG)
    assert (out["edit"], len(asked)) == ("reverted", 1)
    assert "asked_again" not in out["edit_reason"]
    assert "repair_refused" not in out["edit_history"]


def test_what_telling_does_not_mend_is_not_asked_again() -> None:
    assert len(revised(SORRY, repair_refused=1)[1]) == 1
    assert len(revised("no pair", repair_refused=1)[1]) == 1
    assert len(revised(RIGHT, repair_refused=3)[1]) == 1
    assert {"label_flipped", "number_changed", "preference_lower"}.isdisjoint(REPAIRABLE)
    assert {check.id for check in CHECKS} | {CHECK_ERROR} >= REPAIRABLE | BEYOND


@pytest.mark.parametrize(
    ("lost", "code"),
    [
        (Answer(RIGHT[: RIGHT.index("=")], "length"), "unfinished"),
        (
            encode(Pair(QUESTION, "", "Both farms have cows, so " + "they have many cows, and " * 90 + "19.")),
            "too_long",
        ),
    ],
)
def test_codes_are_told_where_there_is_no_finding(lost: str | Answer, code: str) -> None:
    out, asked = revised(lost, RIGHT, repair_refused=1)
    assert out["edit_reason"] == "reviser asked_again"
    meaning = next(check.meaning for check in CHECKS if check.id == code)
    assert f"- {meaning}" in asked[1][2].content.splitlines()


def test_it_is_asked_as_often_as_said_and_each_time_with_the_last_answer() -> None:
    worse = WRONG.replace("18", "17")
    out, asked = revised(WRONG, worse, RIGHT, repair_refused=2)
    assert (out["edit_reason"], len(asked)) == ("reviser asked_again", 3)
    assert [turn.role for turn in asked[2]] == ["user", "assistant", "user", "assistant", "user"]
    assert asked[2][3].content == worse
    out, asked = revised(WRONG, worse, repair_refused=1)
    assert (out["edit"], len(asked)) == ("reverted", 2)
    assert {"wrong_sum", "asked_again"} <= {*out["edit_reason"].split()}


def test_an_answer_that_cannot_be_read_changes_nothing() -> None:
    out, asked = revised(WRONG, "Sure, here you are!", repair_refused=2)
    once, _ = revised(WRONG)
    assert len(asked) == 2
    assert (out["edit"], out["edit_reason"]) == ("reverted", once["edit_reason"])


def test_words_of_what_was_told_are_a_leak() -> None:
    def script(conversation: Conversation) -> str:
        if len(conversation) == 1:
            return WRONG
        line = conversation[2].content.splitlines()[-1]
        return encode(Pair(QUESTION, "", f"One farm has 12 and one has 7 cows, so\n12 + 7 = 19.\n{line}"))

    out = hfclean.Reviser(ScriptedBackend(script), repair_refused=1)(ROW)
    assert "rubric_leak" in out["edit_reason"].split()


def reply(request: Received, time: int) -> Reply:
    return Reply(RIGHT if "A program compared" in request.content else WRONG, usage=(70, 30))


def coach(server: ChatServer, **settings: Any) -> hfclean.Reviser:
    return hfclean.Reviser("tiny", base_url=server.url, **{"limits": QUICK, "repair_refused": 1, **settings})


def test_both_answers_are_kept_and_counted() -> None:
    ds = Dataset.from_list([ROW])
    with ChatServer(default=reply) as server:
        first = clean(ds, reviser=coach(server, prices=Prices(1.0, 2.0)), score=False, show=False)
        again = clean(ds, reviser=coach(server), score=False, show=False)
        assert server.counts.total() == 2
    assert first.dataset["edit_reason"][:] == again.dataset["edit_reason"][:] == ["reviser asked_again"]
    told = first.transforms[0]["usage"]
    assert (told["asked"], told["prompt_tokens"], told["cost"]) == (2, 140, 0.00026)
    assert again.transforms[0]["usage"]["reused"] == 2


def test_a_request_that_fails_leaves_the_row_for_the_next_run_which_asks_for_that_alone() -> None:
    def failing(request: Received, time: int) -> Reply:
        lost = "A program compared" in request.content and time == 1
        return Reply("too odd a text", status=400) if lost else reply(request, time)

    with ChatServer(default=failing) as server:
        ds = Dataset.from_list([ROW]).map(coach(server), batched=True)
        assert (ds[0]["edit"], ds[0]["edit_reason"]) == ("failed", "refused_request")
        done = clean(ds, reviser=coach(server), score=False, show=False)
        assert sorted(server.counts.values()) == [1, 2]
    assert done.dataset[0]["edit_reason"] == "reviser asked_again"


def test_the_first_revision_is_among_the_refused_where_the_second_is_refused_too() -> None:
    with ChatServer(default=Reply(WRONG)) as server:
        done = clean(Dataset.from_list([ROW]), reviser=coach(server), score=False, show=False)
    assert len(done.refused) == 2
    assert set(done.refused["field"]) == {"output"}


def test_an_estimate_counts_every_request_that_may_come(work: Path, capsys: Any) -> None:
    ds = Dataset.from_list([ROW] * 4)
    model = hfclean.Reviser("tiny", base_url="http://127.0.0.1:9/v1", prices=Prices(1.0, 1.0))
    costs = [
        hfclean.Reviser(model.model, base_url=model.base_url, prices=model.prices, repair_refused=n).estimate(ds)
        for n in (0, 1, 2)
    ]
    assert [found.requests for found in costs] == [4, 8, 12]
    assert [found.completion_tokens for found in costs] == [n * costs[0].completion_tokens for n in (1, 2, 3)]
    grown = [
        costs[0].prompt_tokens,
        *(b.prompt_tokens - a.prompt_tokens for a, b in pairwise(costs)),
    ]
    assert grown[0] < grown[1] < grown[2]
    (work / "cows.jsonl").write_text("\n".join([json.dumps(ROW)] * 4))
    ask = ("estimate", "cows.jsonl", "--model", "tiny", "--base-url", "http://127.0.0.1:9/v1")
    assert main([*ask, "--model-option", "repair_refused=1"]) == 0
    assert "requests        8" in capsys.readouterr().out


def test_a_record_may_state_it_up_to_three() -> None:
    setting = settings_of(hfclean.Reviser)["repair_refused"]
    assert (setting.hub, setting.most) == (True, 3)
    with pytest.raises(HfcleanError, match=r"repair_refused=-1\): expected 0 or more"):
        hfclean.Reviser("tiny", repair_refused=-1)
