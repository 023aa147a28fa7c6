"""An answer that could not be read is asked for again on request, kept by itself, and lost by no crash."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset, DatasetDict

import hfclean
from hfclean.cleaning import clean, failed_rows, retry_failed
from hfclean.cli import main
from hfclean.errors import HfcleanError
from hfclean.layout import Layout
from hfclean.models import Answer, BackendError, Conversation, Generation, Limits, ModelSpec, ask, process, store
from hfclean.models.work import wait_for
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.testing import check_transform

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
QUICK = Limits(retries=0, backoff_s=0.001)
BABBLE = "I would rather talk about the sea."
GRADE = '{"reason": "True.", "score": 4.5}'


@pytest.fixture(autouse=True)
def _home(own_home: None) -> None:
    """Every test has answers of its own."""


def rows(count: int = 6) -> list[dict[str, Any]]:
    return [{"instruction": f"Name hill {k}.", "input": "", "output": f"hill {k} is steep"} for k in range(count)]


def number(content: str) -> int:
    return int(re.findall(r"hill (\d+)", content)[-1])


def revised(k: int) -> str:
    return encode(Pair(f"Name hill {k}.", "", f"Hill {k} is steep."))


class Server(ChatServer):
    """A server that babbles about some hills the first so many times, and revises else."""

    def __init__(self, babbles: dict[int, int]) -> None:
        self.babbles = babbles
        self.asked: list[int] = []
        super().__init__(default=self.answer)

    def answer(self, request: Received, _: int) -> Reply:
        k = number(request.content)
        self.asked.append(k)
        return Reply(BABBLE if self.asked.count(k) <= self.babbles.get(k, 0) else revised(k))


def coach(server: ChatServer, **settings: Any) -> hfclean.Reviser:
    return hfclean.Reviser("tiny", base_url=server.url, **{"limits": QUICK, **settings})


def edits(ds: Any) -> list[str]:
    return [reason if edit != "revised" else edit for edit, reason in zip(ds["edit"], ds["edit_reason"], strict=True)]


def data() -> DatasetDict:
    return DatasetDict(train=Dataset.from_list(rows()))


# ------------------------------------------------------------------------------------------------------------- the key


def test_an_attempt_is_part_of_the_key_and_the_first_is_as_it_always_was() -> None:
    assert Generation().canonical() == '{"max_new_tokens":1024,"temperature":0.0,"top_p":1.0}'
    assert Generation(attempt=2).settings()["attempt"] == 2
    backend_asked: list[int] = []

    def backend(conversations: list[Conversation], generation: Generation) -> list[Answer]:
        backend_asked.append(generation.attempt)
        return [Answer(f"attempt {generation.attempt}") for _ in conversations]

    spec = ModelSpec(backend, cache_as="own")  # type: ignore[arg-type]
    for attempt in (0, 1, 0, 1):
        assert ask(spec, ["a"], Generation(attempt=attempt))[0].text == f"attempt {attempt}"
    assert backend_asked == [0, 1]


def test_seeds_of_attempts_are_others_where_answers_are_sampled_and_not_else() -> None:
    assert Generation(seed=3, attempt=1).drawn_seed == 3
    assert Generation(attempt=1).drawn_seed is None
    seeds = {
        Generation(seed=3, temperature=0.7, candidate=c, attempt=a).drawn_seed for c in range(64) for a in range(9)
    }
    assert len(seeds) == 64 * 9
    assert Generation(temperature=0.7, attempt=1).drawn_seed is not None


# ------------------------------------------------------------------------------------------------------------ revisers


def test_rows_whose_answer_could_not_be_read_are_asked_again_and_no_others() -> None:
    with Server({2: 1, 4: 2}) as server:
        first = clean(data(), reviser=coach(server), show=False)
        assert edits(first.dataset["train"]) == ["revised", "revised", "unparsed", "revised", "unparsed", "revised"]
        assert failed_rows(first.dataset, Layout()) == {"train": [2, 4]}
        server.asked.clear()
        server.babbles = {4: 1}
        second = retry_failed(first.dataset, coach(server), transforms=first.transforms, show=False)
        assert (sorted(server.asked), failed_rows(second.dataset, Layout())) == ([2, 4], {"train": [4]})
        third = retry_failed(second.dataset, coach(server), transforms=second.transforms, show=False)
        assert sorted(server.asked) == [2, 4, 4]
    out = third.dataset["train"]
    assert edits(out) == ["revised"] * 6
    assert out["output"][:] == [f"Hill {k} is steep." for k in range(6)]
    assert hfclean.restore(out).to_list() == rows()
    assert [k for k in range(6) if out[k] != first.dataset["train"][k]] == [2, 4]
    told = third.transforms[0]
    assert (told["retried"], told["usage"]["asked"], len(third.transforms)) == (3, 9, len(first.transforms))
    assert told["settings"] == first.transforms[0]["settings"]
    assert store.stats().answers == 9  # what could not be read is still there


def test_without_a_request_nothing_is_asked_again() -> None:
    with Server({2: 1}) as server:
        first = clean(data(), reviser=coach(server), show=False)
        server.asked.clear()
        again = clean(first.dataset, reviser=coach(server), show=False)
        fresh = clean(data(), reviser=coach(server), show=False)
    assert server.asked == []
    assert edits(again.dataset["train"])[2] == edits(fresh.dataset["train"])[2] == "unparsed"
    assert again.dataset["train"]["edit_history"][2].count("unparsed") == 1


def test_a_run_from_the_start_finds_what_was_asked_later() -> None:
    with Server({2: 3}) as server:
        done = clean(data(), reviser=coach(server), show=False)
        for _ in range(3):
            done = retry_failed(done.dataset, coach(server), show=False)
        server.asked.clear()
        fresh = clean(data(), reviser=coach(server), show=False)
    assert server.asked == []
    assert edits(done.dataset["train"]) == edits(fresh.dataset["train"]) == ["revised"] * 6
    assert done.dataset["train"]["output"][:] == fresh.dataset["train"]["output"][:]


def test_a_retry_that_was_killed_goes_on_with_the_same_attempt() -> None:
    with Server({1: 2, 2: 1, 3: 1}) as server:
        first = clean(data(), reviser=coach(server), show=False)
        reviser = coach(server, limits=Limits(concurrency=1, start=1, retries=0), max_tokens_total=10**9)
        asked = replace(reviser, retry_unparsed=True)
        some = first.dataset["train"].select([1, 2])
        wait_for(asked.work(*asked._opened(some[:])[:2]))  # as far as it came
        server.asked.clear()
        server.babbles = {}
        again = retry_failed(first.dataset, reviser, show=False)
        assert server.asked == [3]
        assert edits(again.dataset["train"]) == ["revised", "unparsed", *["revised"] * 4]
        third = retry_failed(again.dataset, reviser, show=False)
        assert server.asked == [3, 1]
    assert edits(third.dataset["train"]) == ["revised"] * 6


def test_a_retry_of_a_dead_server_is_an_error_and_changes_nothing() -> None:
    with Server({2: 1}) as server:
        first = clean(data(), reviser=coach(server), show=False)
    process.close()
    with pytest.raises(BackendError, match="check base_url"):
        retry_failed(first.dataset, coach(server), show=False)
    assert edits(first.dataset["train"])[2] == "unparsed"


def test_an_attempt_that_failed_is_repeated_and_not_skipped() -> None:
    with Server({2: 1}) as server:
        first = clean(data(), reviser=coach(server), show=False)
        server.default = Reply("busy", status=400)
        failed = retry_failed(first.dataset, coach(server), show=False)
        assert edits(failed.dataset["train"])[2] == "refused_request"
        server.default = server.answer
        done = retry_failed(failed.dataset, coach(server), show=False)
    assert edits(done.dataset["train"]) == ["revised"] * 6
    with sqlite3.connect(store.default_path()) as db:
        generations = [json.loads(text) for (text,) in db.execute("SELECT generation FROM settings")]
    db.close()
    assert sorted(g.get("attempt", 0) for g in generations) == [0, 1]


def test_more_attempts_in_one_run() -> None:
    with Server({2: 1, 4: 2, 5: 9}) as server:
        done = clean(data(), reviser=coach(server, attempts=3), show=False)
        assert sorted(server.asked) == [0, 1, 2, 2, 3, 4, 4, 4, 5, 5, 5]
        assert edits(done.dataset["train"]) == [*["revised"] * 5, "unparsed"]
        server.asked.clear()
        retry_failed(done.dataset, coach(server, attempts=3), show=False)
        assert server.asked == [5]
    with pytest.raises(HfcleanError, match=r"Reviser\(attempts=0\): expected at least 1"):
        coach(server, attempts=0)


def test_attempts_are_no_setting_of_a_row_and_the_contract_holds(loops_of_datasets: None) -> None:
    with Server({2: 9}) as server:
        reviser = coach(server, attempts=2)
        assert reviser.settings() == coach(server).settings()
        check_transform(reviser, rows())


def test_several_candidates_are_each_asked_again() -> None:
    settings: dict[str, Any] = {"candidates": 2, "temperature": 0.7, "seed": 1}
    seeds: list[int] = []

    def answer(request: Received, _: int) -> Reply:
        seeds.append(request.body["seed"])
        return Reply(BABBLE if len(seeds) <= 2 else revised(0))

    with ChatServer(default=answer) as server:
        ds = DatasetDict(train=Dataset.from_list(rows(1)))
        first = clean(ds, reviser=coach(server, **settings), show=False)
        done = retry_failed(first.dataset, coach(server, **settings), show=False)
    assert edits(done.dataset["train"]) == ["revised"]
    assert len(set(seeds)) == 4


def test_a_reflection_is_asked_again_from_its_first_question() -> None:
    def reflected(request: Received, count: int) -> Reply:
        return Reply(BABBLE if len(server.received) <= 1 else revised(0))

    with ChatServer(default=reflected) as server:
        reviser = hfclean.Reflection("tiny", base_url=server.url, limits=QUICK, sides=("response",), structured=False)
        first = clean(DatasetDict(train=Dataset.from_list(rows(1))), reviser=reviser, show=False)
        assert edits(first.dataset["train"]) == ["response_refused unparsed"]
        assert failed_rows(first.dataset, Layout()) == {"train": [0]}
        retry_failed(first.dataset, reviser, show=False)
    assert len(server.received) == 2


def test_on_the_command_line(work: Path, capsys: Any) -> None:
    Dataset.from_list(rows()).to_json("hills.jsonl")
    with Server({2: 1, 4: 1}) as server:
        at = ["--model", "tiny", "--base-url", server.url, "--quiet"]
        assert main(["revise", "hills.jsonl", "--out", "out", *at]) == 0
        capsys.readouterr()
        server.asked.clear()
        server.babbles = {}
        assert main(["revise", "out", "--retry-failed", "--quiet"]) == 0
        assert sorted(server.asked) == [2, 4]
        out = capsys.readouterr().out
        assert "asked again for 2 rows that had failed or whose answer could not be read: 0 again" in out
        assert main(["revise", "out", "--retry-failed", "--quiet"]) == 0
        assert "nothing to ask again" in capsys.readouterr().out


# -------------------------------------------------------------------------------------------------------------- judges


def test_a_judge_asks_again_for_what_it_could_not_read_only() -> None:
    ds = Dataset.from_list(rows(4))
    babble = {1}

    def answer(request: Received, _: int) -> Reply:
        return Reply(BABBLE if number(request.content) in babble else GRADE)

    with ChatServer(default=answer) as server:
        judge = hfclean.Judge("tiny", base_url=server.url, limits=QUICK)
        first = ds.map(judge)
        assert first["judge_reason"][:] == ["", "unparsed", "", ""]
        babble.clear()
        assert first.map(judge)["judge_reason"][1] == "unparsed"
        assert len(server.received) == 4
        second = first.map(replace(judge, attempts=2))
        assert (second["judge"][:], len(server.received)) == ([4.5] * 4, 5)
        # and one that begins anew, with as few attempts as ever, finds it
        fresh = ds.map(replace(judge, name="again"))
        assert (fresh["again"][:], len(server.received)) == ([4.5] * 4, 5)


def test_pairs_are_judged_again_where_a_verdict_could_not_be_read() -> None:
    firsts = [{**row, "output": "one"} for row in rows(3)]
    seconds = [{**row, "output": "two"} for row in rows(3)]
    babble = {1}

    def answer(request: Received, _: int) -> Reply:
        return Reply(BABBLE if number(request.content) in babble else '{"better": "1"}')

    with ChatServer(default=answer) as server:
        judge = hfclean.Judge("tiny", base_url=server.url, limits=QUICK)
        assert dict(hfclean.scorers.judge_pairs(judge, firsts, seconds).unscored) == {"unparsed": 1}
        babble.clear()
        found = hfclean.scorers.judge_pairs(replace(judge, attempts=2), firsts, seconds)
        assert (dict(found.unscored), len(server.received)) == ({}, 8)
        assert not hfclean.scorers.judge_pairs(judge, firsts, seconds).unscored
    assert len(server.received) == 8
