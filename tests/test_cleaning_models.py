"""Cleaning with a model: what is asked and what is not, what is told of it, asking again, and looking first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset, DatasetDict, load_dataset

import hfclean
from hfclean.cleaning import clean, failed_rows, retry_failed
from hfclean.errors import HfcleanError
from hfclean.layout import Layout
from hfclean.models import AccessError, Answer, BackendError, Conversation, Limits, Prices, process
from hfclean.models.budget import Ledger
from hfclean.preview import preview
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
COUNT = 30
ONE_BY_ONE = Limits(concurrency=1, start=1, retries=0, backoff_s=0.001)
QUICK = Limits(retries=0, backoff_s=0.001)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def rows(count: int = COUNT) -> list[dict[str, Any]]:
    return [{"instruction": f"Name city {k}.", "input": "", "output": f"city {k} is large</s>"} for k in range(count)]


def number(content: str) -> int:
    """Which row was asked for: the pair comes last in what is asked."""
    return int(re.findall(r"Name city (\d+)\.", content)[-1])


def better(k: int) -> str:
    return encode(Pair(f"Name city {k}.", "", f"City {k} is large."))


def good(request: Received, _: int = 0) -> Reply:
    return Reply(better(number(request.content)), usage=(70, 30))


def coach(server: ChatServer, **settings: Any) -> hfclean.Reviser:
    return hfclean.Reviser("tiny", base_url=server.url, **{"limits": QUICK, **settings})


def test_rules_and_then_a_model_in_one_go() -> None:
    ds = DatasetDict(train=Dataset.from_list(rows()))
    with ChatServer(default=good, model="tiny-2026") as server:
        model = coach(server, prices=Prices(1.0, 2.0, "EUR"))
        done = hfclean.clean(ds, reviser=(hfclean.revise, model), show=False)
    out = done.dataset["train"]
    assert out["output"][:] == [f"City {k} is large." for k in range(COUNT)]
    assert all("</s>" not in request.content for request in server.received)
    entries = list(hfclean.ledger(out))
    assert [(e.rule, e.before, e.after) for e in entries[:2]] == [
        ("chat_markers", "city 0 is large</s>", "city 0 is large"),
        ("reviser", "city 0 is large", "City 0 is large."),
    ]
    assert hfclean.restore(out).to_list() == ds["train"].to_list()
    assert [told["by"] for told in done.transforms] == ["RuleReviser", "Reviser", "Score", "mark_duplicates"]
    told = done.transforms[1]
    assert told["settings"] == {"model": "tiny", "base_url": server.url}
    assert (told["models"], told["prompt_version"]) == (["tiny-2026"], model.prompt_version())
    assert told["usage"] == {
        "asked": COUNT,
        "cached": 0,
        "failed": {},
        "prompt_tokens": 70 * COUNT,
        "completion_tokens": 30 * COUNT,
        "estimated": 0,
        "cost": round((70 + 2 * 30) * COUNT / 1e6, 6),
        "currency": "EUR",
        "reused": 0,
        "reused_prompt_tokens": 0,
        "reused_completion_tokens": 0,
        "reused_on": {},
        "answers_of": f"127.0.0.1:{server.port}/v1 tiny",
        "notes": [],
    }
    assert "usage" not in done.transforms[0]


def test_a_run_that_was_done_before_asks_nothing_and_says_what_it_took_then() -> None:
    ds = Dataset.from_list([*rows(10), *rows(10)])  # every question twice: asked once, and its tokens told once
    with ChatServer(default=good) as server:
        first = clean(ds, reviser=coach(server), show=False).transforms[0]["usage"]
        second = clean(ds, reviser=coach(server), show=False).transforms[0]["usage"]
        assert server.counts.total() == 10
    assert (first["asked"], first["cached"], first["prompt_tokens"], first["reused"]) == (10, 10, 700, 0)
    assert (second["asked"], second["cached"], second["prompt_tokens"]) == (0, 20, 0)
    assert (second["reused"], second["reused_prompt_tokens"], second["reused_completion_tokens"]) == (10, 700, 300)
    assert second["cost"] is None


def test_an_answer_of_this_run_is_not_told_as_one_from_before_when_it_is_met_again() -> None:
    ledger = Ledger()
    new, old = Answer("x", "stop", 7, 3), Answer("y", "stop", 5, None)
    ledger.reused([(b"before!!", 40, old)])
    with ledger.following():
        ledger.answered(new, 40, b"new-----")
        for _ in range(2):
            ledger.reused([(b"new-----", 40, new), (b"old-----", 40, old)])
    found = ledger.usage()
    assert (found.asked, found.reused, found.reused_prompt_tokens, found.reused_completion_tokens) == (1, 1, 5, 1)


def test_hopeless_rows_are_waited_for_once_and_do_not_look_like_a_dead_server() -> None:
    def answer(request: Received, _: int) -> Reply:
        return Reply(reset=True) if number(request.content) % 3 == 1 else good(request)

    with ChatServer(default=answer) as server:  # ten in all, and eight in a row would end a run
        done = clean(Dataset.from_list(rows()), reviser=coach(server, limits=ONE_BY_ONE), show=False)
        assert set(server.counts.values()) == {1}
    assert done.dataset["edit"][:] == ["failed" if k % 3 == 1 else "revised" for k in range(COUNT)]
    assert done.transforms[0]["usage"]["failed"] == {"connection": 10}


def test_what_datasets_cached_does_not_keep_rows_failed_for_ever(tmp_path: Path) -> None:
    Dataset.from_list(rows(5)).to_json(str(tmp_path / "rows.jsonl"))
    ds = load_dataset("json", data_files=str(tmp_path / "rows.jsonl"), cache_dir=str(tmp_path), split="train")
    with ChatServer(default=Reply("no", status=400)) as server:
        reviser = coach(server)
        assert clean(ds, reviser=reviser, show=False).dataset["edit"][:] == ["failed"] * 5
        server.default = good
        assert clean(ds, reviser=reviser, show=False).dataset["edit"][:] == ["revised"] * 5


def test_a_model_whose_answers_are_not_kept_is_asked_once_a_row() -> None:
    backend = ScriptedBackend(lambda c: better(number(c[-1].content)))
    done = clean(Dataset.from_list(rows()), reviser=hfclean.Reviser(backend), show=False)
    assert (len(backend.asked), done.dataset["edit"][0]) == (COUNT, "revised")
    assert done.transforms[0]["usage"]["asked"] == COUNT


def test_a_missing_key_is_found_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    called: list[int] = []
    backend = ScriptedBackend(lambda c: called.append(1) or better(0))
    with ChatServer(default=good) as server, pytest.raises(AccessError, match="NO_SUCH_KEY is empty"):
        clean(
            Dataset.from_list(rows()),
            reviser=(hfclean.Reviser(backend), coach(server, api_key_env="NO_SUCH_KEY")),
            show=False,
        )
    assert called == []


def test_revisers_of_one_run_agree_on_how_rows_are_read() -> None:
    with ChatServer() as server, pytest.raises(HfcleanError, match=r"agree on prefix.*Reviser.prefix='x_'"):
        clean(Dataset.from_list(rows()), reviser=(hfclean.revise, coach(server, prefix="x_")))


# -------------------------------------------------------------------------------------------------------- asking again


def test_asking_again_for_the_failed_rows_only() -> None:
    ds = DatasetDict(train=Dataset.from_list(rows(20)), test=Dataset.from_list(rows(3)))
    down = {3, 11, 12}

    def answer(request: Received, _: int) -> Reply:
        return Reply("no", status=400) if number(request.content) in down else good(request)

    with ChatServer(default=answer) as server:
        first = clean(ds, reviser=(hfclean.revise, coach(server)), show=False)
        assert failed_rows(first.dataset, Layout()) == {"train": [3, 11, 12], "test": []}
        server.counts.clear()
        down.discard(11)
        again = retry_failed(first.dataset, coach(server), transforms=first.transforms, show=False)
    assert sorted(map(number, server.counts)) == [3, 11, 12]
    old, new = first.dataset["train"], again.dataset["train"]
    assert (new.column_names, new.features) == (old.column_names, old.features)
    assert [k for k in range(20) if new[k] != old[k]] == [3, 11, 12]  # one line more in the history
    assert failed_rows(again.dataset, Layout()) == {"train": [3, 12], "test": []}
    assert (new["output"][11], new["edit"][11], new["row_id"][11]) == (
        "City 11 is large.",
        "revised",
        old["row_id"][11],
    )
    assert (new["preference"][11] != old["preference"][11], new["preference"][3]) == (True, old["preference"][3])
    assert hfclean.restore(again.dataset)["train"].to_list() == ds["train"].to_list()
    assert again.dataset["test"].to_list() == first.dataset["test"].to_list()
    assert [told["by"] for told in again.transforms] == [told["by"] for told in first.transforms]
    told = again.transforms[1]
    assert (told["retried"], told["usage"]["asked"], told["usage"]["failed"]) == (3, 18, {"refused_request": 2})
    assert told["usage"]["prompt_tokens"] == 70 * 18


def test_another_reviser_may_try_what_failed_and_is_told_of_by_itself() -> None:
    ds = DatasetDict(train=Dataset.from_list(rows(4)))
    with ChatServer(default=Reply("no", status=400)) as server:
        first = clean(ds, reviser=coach(server), show=False)
        server.default = good
        again = retry_failed(first.dataset, coach(server, max_new_tokens=99), transforms=first.transforms, show=False)
    assert again.dataset["train"]["edit"][:] == ["revised"] * 4
    assert [told.get("retried") for told in again.transforms] == [None, None, None, 4]
    assert again.transforms[-1]["settings"]["max_new_tokens"] == 99


def test_what_comes_the_second_time_is_not_thrown_away_with_what_is_hopeless() -> None:
    ds = DatasetDict(train=Dataset.from_list(rows(12)))
    with ChatServer(default=Reply("no", status=400)) as server:
        first = clean(ds, reviser=coach(server, limits=ONE_BY_ONE), show=False)
        server.default = lambda r, _: good(r) if number(r.content) == 0 else Reply(reset=True)
        again = retry_failed(first.dataset, coach(server, limits=ONE_BY_ONE), show=False)
    assert again.dataset["train"]["edit"][:] == ["revised", *["failed"] * 11]


# ------------------------------------------------------------------------------------------------------- looking first


def test_a_preview_shows_what_would_come_and_is_not_asked_again() -> None:
    wrong = {6: encode(Pair("Name city 6.", "", "City 7 is large.")), 9: "what?"}

    def answer(request: Received, _: int) -> Reply:
        k = number(request.content)
        if k == 3:
            return Reply("too odd a text", status=400)
        return Reply(wrong.get(k, better(k)), usage=(70, 30))

    ds = DatasetDict(train=Dataset.from_list(rows(27)), test=Dataset.from_list(rows(COUNT)[27:]))
    with ChatServer(default=answer) as server:
        reviser = coach(server, prices=Prices(1.0, 2.0))
        found = preview(ds, (hfclean.revise, reviser), rows=10, show=False)
        assert sorted(map(number, server.counts)) == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
        assert set(server.counts.values()) == {1}
        server.default = good
        clean(ds, reviser=(hfclean.revise, reviser), show=False)
        assert sorted(number(c) for c, n in server.counts.items() if n > 1) == [3]  # what failed has no answer
    assert [(row.split, row.index) for row in found.rows[8:]] == [("train", 24), ("test", 0)]
    by_number = dict(zip(range(0, COUNT, 3), found.rows, strict=True))
    first, failed, refused, unread = (by_number[k] for k in (0, 3, 6, 9))
    assert (first.edit, first.model) == ("revised", "tiny")
    assert [(c.rule, c.after) for c in first.changes] == [
        ("chat_markers", "city 0 is large"),
        ("reviser", "City 0 is large."),
    ]
    assert (failed.edit, failed.reasons, failed.said) == ("failed", ("refused_request",), "too odd a text")
    assert (refused.edit, refused.reasons[0]) == ("reverted", "number_changed")
    assert [c.rule for c in refused.changes] == ["chat_markers"]
    assert refused.refused[-1].after == "City 7 is large."
    assert (unread.reasons, unread.refused, unread.said) == (("unparsed",), (), "what?")
    assert (found.rows_total, found.usage.asked, dict(found.usage.failed)) == (COUNT, 9, {"refused_request": 1})
    assert (found.words_before, found.changed_words_before, found.changed_words_after) == (9 * 5, 7 * 5, 7 * 4)
    guess = found.estimate
    assert (guess.requests, guess.prompt_tokens, guess.completion_tokens) == (COUNT, 70 * COUNT, 30 * COUNT)
    assert (guess.prompt_basis, guess.completion_basis) == ("server", "answers")
    assert guess.cost == pytest.approx(130 * COUNT / 1e6)
    assert guess.hours > 0
    assert found.hours_at_this_pace > 0
    assert found.to_dict()["rows"][0]["changes"][1]["rule"] == "reviser"


def test_a_second_preview_knows_tokens_and_says_that_it_knows_no_time() -> None:
    ds = Dataset.from_list(rows())
    with ChatServer(default=good) as server:
        preview(ds, coach(server), rows=5, show=False)
        found = preview(ds, coach(server), rows=5, show=False)
    assert (found.usage.asked, found.usage.reused, found.usage.reused_prompt_tokens) == (0, 5, 350)
    assert (found.estimate.prompt_tokens, found.to_dict()["hours_at_this_pace"]) == (70 * COUNT, None)
    assert found.to_dict()["estimate"]["hours"] is None


def test_a_preview_of_a_model_whose_answers_are_not_kept_asks_once() -> None:
    backend = ScriptedBackend(lambda c: better(number(c[-1].content)))
    found = preview(Dataset.from_list(rows()), hfclean.Reviser(backend), rows=4, show=False)
    assert (len(backend.asked), [row.edit for row in found.rows]) == (4, ["revised"] * 4)
    assert found.rows[1].split == ""


def test_a_preview_of_a_reviser_whose_gate_steers_what_is_asked_asks_no_more_than_the_run() -> None:
    def answer(conversation: Conversation) -> str:
        k = number(conversation[-1].content)
        return f"Weak.\n{encode(Pair(f'Name city {k + 1}.', '', f'City {k + 1} is large.'))}"

    class Kept:
        cache_as = "kept"
        inner = ScriptedBackend(answer)

        def __call__(self, conversations: Any, generation: Any) -> Any:
            return self.inner(conversations, generation)

    from hfclean.reviser.reflection import Reflection

    backend = Kept()
    found = preview(Dataset.from_list(rows(2)), Reflection(backend), rows=2, show=False)
    assert [row.edit for row in found.rows] == ["reverted"] * 2
    asked = len(backend.inner.asked)
    clean(Dataset.from_list(rows(2)), reviser=Reflection(backend), show=False)
    assert len(backend.inner.asked) == asked == 4


def test_a_preview_needs_one_model() -> None:
    ds = Dataset.from_list(rows(2))
    with pytest.raises(HfcleanError, match="got 0 revisers that ask a model"):
        preview(ds, hfclean.revise)


def test_an_estimate_reads_all_splits_and_asks_nothing() -> None:
    ds = DatasetDict(train=Dataset.from_list(rows(20)), test=Dataset.from_list(rows(10)))
    with ChatServer() as server:
        found = coach(server, prices=Prices(1.0, 1.0)).estimate(ds, sample=6)
        assert server.received == []
    assert found.requests == 30
    assert found.cost == pytest.approx((found.prompt_tokens + found.completion_tokens) / 1e6)


def test_a_dead_server_ends_the_run_with_what_to_do() -> None:
    with ChatServer() as server:
        url = server.url
    reviser = hfclean.Reviser("tiny", base_url=url, limits=QUICK)
    with pytest.raises(BackendError, match="Every answer so far is kept"):
        clean(Dataset.from_list(rows()), reviser=reviser, show=False)
