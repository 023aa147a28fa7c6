"""Comparisons in both orders: the rule that merges them, the rates, and what is no verdict."""

from __future__ import annotations

import asyncio
import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chat_server import PATIENCE_S, ChatServer, Received, Reply
from datasets import Dataset

import hfclean
from hfclean.errors import HfcleanError
from hfclean.models import Answer, Conversation, Limits, process
from hfclean.scorers.comparing import Counts, Verdict, Verdicts, ajudge_pairs, judge_pairs, merge_orders
from hfclean.scorers.rubrics import Dimension, Rubric
from hfclean.testing_models import ScriptedBackend

QUICK = Limits(backoff_s=0.001, retries=0, timeout_s=PATIENCE_S, connect_timeout_s=PATIENCE_S)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def pairs(*responses: str) -> list[hfclean.Pair]:
    return [hfclean.Pair("Name a fruit.", "", response) for response in responses]


@pytest.mark.parametrize(
    ("shown_first", "shown_second", "merged"),
    [
        ("first", "first", "first"),
        ("second", "second", "second"),
        ("tie", "tie", "tie"),
        ("first", "second", "tie"),
        ("second", "first", "tie"),
        ("first", "tie", "first"),
        ("tie", "first", "first"),
        ("second", "tie", "second"),
        ("tie", "second", "second"),
        ("", "first", ""),
        ("tie", "", ""),
        ("", "", ""),
    ],
)
def test_two_orders_make_one_verdict(shown_first: str, shown_second: str, merged: str) -> None:
    assert merge_orders(shown_first, shown_second) == merged  # type: ignore[arg-type]


def test_pandalms_rule_takes_the_first_order_where_one_of_them_is_a_tie() -> None:
    known = ("first", "second", "tie", "")
    differ = {(a, b) for a in known for b in known if merge_orders(a, b) != merge_orders(a, b, "pandalm")}  # type: ignore[arg-type]
    assert differ == {("tie", "first"), ("tie", "second")}
    assert merge_orders("tie", "first", "pandalm") == merge_orders("tie", "second", "pandalm") == "tie"
    assert merge_orders("second", "tie", "pandalm") == "second"
    answers = ["tie", "2", "1", "tie"]  # a tie and then the first response; the first and then a tie
    for merging, counted in (("cherry", Counts(2, 0, 0)), ("pandalm", Counts(1, 1, 0))):
        judge = hfclean.Judge(ScriptedBackend(list(answers)))
        assert judge_pairs(judge, pairs("a", "b"), pairs("x", "y"), merging=merging).first == counted  # type: ignore[arg-type]
    untouched = ScriptedBackend([])
    with pytest.raises(HfcleanError, match="merging='mean': expected 'cherry' or 'pandalm'"):
        judge_pairs(hfclean.Judge(untouched), pairs("a"), pairs("b"), merging="mean")  # type: ignore[arg-type]
    assert untouched.asked == []


@pytest.mark.realdata
def test_published_review_logs_are_counted_as_published(realdata: Callable[[str], Path]) -> None:
    def better(scores: list[float]) -> str:
        a, b = scores
        return "first" if a > b else "second" if b > a else "tie"

    found: dict[str, list[Verdict]] = {}
    for line in realdata("judge_reviews_gpt4.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        one, two = better(row["scores_ab"]), better(row["scores_ba"])
        found.setdefault(row["benchmark"], []).append(Verdict(merge_orders(one, two), one, two))  # type: ignore[arg-type]
    counts = {name: Verdicts(tuple(each)).first for name, each in found.items()}
    assert counts == {"vicuna": Counts(44, 15, 21), "koala": Counts(85, 36, 59), "lima": Counts(165, 59, 76)}
    every = Verdicts(tuple(verdict for each in found.values() for verdict in each))
    assert every.first.total == 560
    assert every.flip_rate == Counter(v.flipped for v in every.each)[True] / 560
    assert 0.05 < every.flip_rate < 0.25


@pytest.mark.realdata
def test_published_rates_follow_from_published_counts(realdata: Callable[[str], Path]) -> None:
    with realdata("coachlm_win_tie_lose.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    for row in rows:
        counts = Counts(int(row["win"]), int(row["tie"]), int(row["lose"]))
        rates = {"wr1": counts.win_rate, "wr2": counts.win_rate_without_ties, "qs": counts.quality_score}
        for name, rate in rates.items():
            assert 100 * rate == pytest.approx(float(row[f"{name}_percent"]), abs=0.0501), row


def test_both_orders_are_asked_and_the_places_are_turned_back() -> None:
    model = ScriptedBackend(['{"better": "1"}', '{"better": "2"}', "1", "1", "Tie", "2", "2", "1"])
    found = judge_pairs(hfclean.Judge(model), pairs("a", "b", "c", "d"), pairs("w", "x", "y", "z"))
    assert [v.better for v in found.each] == ["first", "tie", "first", "second"]
    assert [(v.shown_first, v.shown_second) for v in found.each] == [
        ("first", "first"), ("first", "second"), ("tie", "first"), ("second", "second"),
    ]  # fmt: skip
    assert [v.flipped for v in found.each] == [False, True, False, False]
    assert found.flip_rate == 0.25
    assert found.first == Counts(2, 1, 1)
    assert found.second == Counts(1, 1, 2)
    assert found.first.win_rate == 2.5 / 4
    assert found.first.win_rate_without_ties == 2 / 3
    assert found.first.quality_score == 3 / 4
    shown = [[c[0].content.split(f"<<<Response {k}>>>\n")[1][0] for k in (1, 2)] for c in model.asked]
    assert shown[:4] == [["a", "w"], ["w", "a"], ["b", "x"], ["x", "b"]]
    schema = model.generations[0].response_format
    assert schema is not None
    assert schema["properties"]["better"]["enum"] == ["1", "2", "tie"]


def test_a_judge_that_always_takes_the_first_place_decides_nothing() -> None:
    found = judge_pairs(hfclean.Judge(ScriptedBackend(lambda _: "1")), pairs("a", "b"), pairs("x", "y"))
    assert (found.first, found.flip_rate) == (Counts(0, 2, 0), 1.0)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (["1", Answer.failed("timeout")], "timeout"),
        ([Answer.failed("rate_limited"), "1"], "rate_limited"),
        (["1", Answer('{"better": "2"}', finish_reason="length")], "unfinished"),
        (["I like both.", "1"], "unparsed"),
        (["1", "1\nVerdict: 2"], "several_verdicts"),
        (["", ""], "unparsed"),
    ],
)
def test_an_order_that_failed_is_no_verdict_and_no_tie(answers: list[str | Answer], reason: str) -> None:
    found = judge_pairs(hfclean.Judge(ScriptedBackend([*answers, "1", "2"])), pairs("a", "b"), pairs("x", "y"))
    assert [(v.better, v.reason) for v in found.each] == [("", reason), ("first", "")]
    assert found.unscored == {reason: 1}
    assert found.first == Counts(1, 0, 0)
    assert found.flip_rate == 0.0


def test_what_needs_no_asking_is_not_asked() -> None:
    model = ScriptedBackend([])
    other = hfclean.Pair("Name a tree.", "", "An oak.")
    found = judge_pairs(hfclean.Judge(model), pairs("a", "b"), [*pairs("a"), other])
    assert [(v.better, v.reason) for v in found.each] == [("tie", ""), ("", "other_prompt")]
    assert found.first == Counts(0, 1, 0)
    assert math.isnan(found.flip_rate)
    empty = judge_pairs(hfclean.Judge(model), [], [])
    assert empty.unscored == {}
    assert math.isnan(empty.first.win_rate)
    assert math.isnan(empty.first.win_rate_without_ties)
    assert math.isnan(empty.first.quality_score)
    assert model.asked == []


def test_rows_and_datasets_will_do() -> None:
    def longer(conversation: Conversation) -> str:
        one, two = conversation[0].content.split("<<<Response 1>>>\n")[1].split("\n<<<Response 2>>>\n")
        two = two.split("\n<<<End>>>")[0]
        return json.dumps({"better": "1" if len(one) > len(two) else "2"})

    judge = hfclean.Judge(ScriptedBackend(longer))
    before = Dataset.from_list([{"instruction": "Go", "input": "x", "output": "a" * (k + 1)} for k in range(3)])
    after = before.map(lambda row: {"output": row["output"] + "b"})
    assert hfclean.scorers.judge_pairs(judge, before, after).second == Counts(3, 0, 0)
    assert hfclean.scorers.judge_pairs(judge, list(after), before.to_iterable_dataset()).first == Counts(3, 0, 0)
    with pytest.raises(hfclean.HfcleanError, match="3 first and 2 second"):
        judge_pairs(judge, before, after.select([0, 1]))
    with pytest.raises(hfclean.HfcleanError, match="got a str"):
        judge_pairs(judge, ["a"], ["b"])
    of_questions = Rubric("q", (Dimension("clear", "Is it clear?", "instruction"),), 0, 1)
    with pytest.raises(hfclean.HfcleanError, match="about the instruction only"):
        judge_pairs(hfclean.Judge(ScriptedBackend([]), of_questions), before, after)


def test_a_server_is_asked_once_and_for_what_failed_again() -> None:
    def flaky(request: Received, count: int) -> Reply:
        first_is_good = "<<<Response 1>>>\ngood" in request.content
        return Reply("oops", 500) if first_is_good and count == 1 else Reply("1" if first_is_good else "2")

    with ChatServer(default=flaky) as server:
        judge = hfclean.Judge("tiny", base_url=server.url, limits=QUICK)
        once = judge_pairs(judge, pairs("good"), pairs("bad"))
        assert once.unscored == {"server_error": 1}

        async def in_a_loop() -> Verdicts:
            return await ajudge_pairs(judge, pairs("good"), pairs("bad"))

        assert asyncio.run(in_a_loop()).first == Counts(1, 0, 0)
        assert judge_pairs(judge, pairs("good"), pairs("bad")).first == Counts(1, 0, 0)
        assert sorted(server.counts.values()) == [1, 2]
