"""Runs in which no answer is of any use end early, or end badly; those in which some are, go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset

import hfclean
from hfclean.checks import check
from hfclean.cli import main
from hfclean.models import Answer, BackendError, Limits, ModelSpec
from hfclean.models.useless_answers import Use, UselessWatch, first_rows, nothing_came
from hfclean.testing_models import ScriptedBackend

NAMES = count()
PROSE = "Certainly! I would be glad to help you with that."
SAME = "[Instruction]\nTell me more.\n[Input]\n\n[Response]\nI cannot help with that.\n[End]"


def rows(length: int) -> list[dict[str, str]]:
    return [
        {"instruction": f"Name fruit number {n} of the list.", "output": f"Apple {n} it is."} for n in range(length)
    ]


def number(content: str) -> int:
    return int(content.split("Name fruit number ")[-1].split()[0])


def better(content: str) -> str:
    n = number(content)
    return f"[Instruction]\nName fruit number {n} of the list.\n[Input]\n\n[Response]\nIt is apple {n}.\n[End]"


class Kept(ScriptedBackend):
    """A backend whose answers go into the store."""

    kept = True


def answering(script: Callable[[str], str], **how: Any) -> hfclean.Reviser:
    backend = Kept(lambda conversation: script(conversation[-1].content))
    return hfclean.Reviser(backend, cache_as=f"scripted-{next(NAMES)}", **how)


# ------------------------------------------------------------------------------------------------- from the first rows


@pytest.mark.parametrize("length", [32, 33, 1000])
def test_prose_for_every_row_ends_the_run_with_the_first_answer(length: int) -> None:
    with pytest.raises(BackendError) as stopped:
        hfclean.clean(Dataset.from_list(rows(length)), reviser=answering(lambda _: PROSE), show=False)
    said = str(stopped.value)
    assert said.startswith("none of the first 32 rows got an answer of ")
    assert f"(unparsed: 32). The first answer: {PROSE!r}. Check whether" in said
    assert "Every answer so far is kept" in said
    assert "cache clear" in said


def test_as_many_are_asked_as_the_bound_says_and_what_they_answered_is_kept() -> None:
    reviser = answering(lambda _: PROSE, limits=Limits(give_up_after=2))
    with pytest.raises(BackendError, match="none of the first 8 rows"):
        reviser.prefetch(Dataset.from_list(rows(500)), show=False)
    assert reviser.usage().asked == 8
    assert reviser.keeps_answers


def test_one_answer_that_can_be_read_among_the_first_lets_the_run_go_on() -> None:
    reviser = answering(lambda content: better(content) if number(content) == 31 else PROSE)
    cleaned = hfclean.clean(Dataset.from_list(rows(100)), reviser=reviser, show=False)
    assert cleaned.dataset["edit"].count("reverted") == 99
    assert cleaned.failures == ()


def test_revisions_that_are_all_refused_for_reasons_of_their_own_let_the_run_go_on() -> None:
    @check("never", meaning="nothing passes")
    def never(before: Any, after: Any) -> bool:
        return True

    cleaned = hfclean.clean(Dataset.from_list(rows(100)), reviser=answering(better, checks=(never,)), show=False)
    assert cleaned.dataset["edit"].count("reverted") == 100
    assert cleaned.failures == ()


def test_the_same_revision_for_every_row_that_is_refused_each_time_ends_the_run() -> None:
    with pytest.raises(BackendError, match="gave the same answer to each of the first 32 rows, and it was refused"):
        hfclean.clean(Dataset.from_list(rows(100)), reviser=answering(lambda _: SAME), show=False)


def test_rows_that_are_all_alike_may_well_get_the_same_answer() -> None:
    alike = [rows(1)[0]] * 100
    cleaned = hfclean.clean(Dataset.from_list(alike), reviser=answering(lambda _: SAME), show=False)
    assert cleaned.dataset["edit"].count("reverted") == 100


def test_a_judge_whose_answers_hold_no_score_ends_the_run() -> None:
    judge = hfclean.Judge(Kept(lambda _: PROSE), cache_as=f"scripted-{next(NAMES)}")
    with pytest.raises(BackendError, match=r"\(unparsed: 32\)"):
        hfclean.clean(Dataset.from_list(rows(50)), reviser=None, scorers=(judge,), show=False)


def test_answers_that_nobody_keeps_end_the_run_as_early() -> None:
    backend = ScriptedBackend(lambda _: PROSE)
    with pytest.raises(BackendError, match="none of the first 32 rows") as stopped:
        hfclean.clean(Dataset.from_list(rows(2100)), reviser=hfclean.Reviser(backend), show=False)
    assert PROSE in str(stopped.value)
    assert "kept" not in str(stopped.value)
    assert len(backend.asked) == 32


def test_answers_that_nobody_keeps_are_all_there_where_some_can_be_used() -> None:
    backend = ScriptedBackend(lambda said: better(said[-1].content) if number(said[-1].content) % 40 == 31 else PROSE)
    ds = Dataset.from_list([{**row, "extra": {"n": n}} for n, row in enumerate(rows(1100))])
    cleaned = hfclean.clean(ds, reviser=hfclean.Reviser(backend), score=False, show=False)
    assert [k for k, edit in enumerate(cleaned.dataset["edit"]) if edit == "revised"] == [*range(31, 1100, 40)]
    assert cleaned.dataset["extra"][:] == ds["extra"][:]
    assert len(backend.asked) == 1100


def test_a_server_is_asked_for_a_bounded_number_whatever_comes_back_first(tmp_path: Path) -> None:
    def reply(request: Received, n: int) -> Reply:
        return Reply(PROSE) if number(request.content) < 200 else Reply(better(request.content))

    with ChatServer(default=reply) as server:
        reviser = hfclean.Reviser("tiny", base_url=server.url, limits=Limits(concurrency=4, start=4))
        with pytest.raises(BackendError, match="none of the first 32 rows"):
            reviser.prefetch(Dataset.from_list(rows(2000)), show=False)
        assert sum(server.counts.values()) < 400


# --------------------------------------------------------------------------------------------------------- the windows


def window(*uses: Use) -> tuple[list[Use], list[str], list[Any]]:
    return list(uses), ["unparsed" if use == "useless" else "" for use in uses], []


def test_windows_are_judged_in_their_order_and_not_in_that_of_their_answers() -> None:
    watch = UselessWatch(ModelSpec("m", base_url="http://localhost/v1", limits=Limits(give_up_after=1)))
    watch.add(1, *window("useless", "useless", "useless", "useless"))
    watch.add(0, *window("used"))
    assert watch.over
    watch = UselessWatch(ModelSpec("m", base_url="http://localhost/v1", limits=Limits(give_up_after=1)))
    watch.add(1, *window("used"))
    with pytest.raises(BackendError, match="first 4 rows"):
        watch.add(0, *window("useless", "useless", "useless", "useless"))


def test_rows_that_are_not_asked_about_do_not_count() -> None:
    watch = UselessWatch(ModelSpec("m", base_url="http://localhost/v1", limits=Limits(give_up_after=1)))
    watch.add(0, *window("", "", "", "", "useless", "useless", "useless"))
    assert not watch.over
    with pytest.raises(BackendError, match="first 4 rows"):
        watch.add(1, *window("", "useless"))


def test_a_long_answer_is_shown_in_part() -> None:
    spec = ModelSpec("m", base_url="http://localhost/v1", limits=Limits(give_up_after=1))
    watch = UselessWatch(spec)
    uses, reasons, _ = window(*(["useless"] * first_rows(spec)))
    with pytest.raises(BackendError) as stopped:
        watch.add(0, uses, reasons, [((), Answer("la " * 500))])
    assert len(str(stopped.value)) < 900


@pytest.mark.parametrize(
    ("uses", "words"),
    [
        (["useless"] * 3, "none of the 3 rows that m was asked about got an answer"),
        (["useless", ""], "the only row that m was asked about did not get an answer"),
        (["useless", "used"], ""),
        (["useless", "refused"], ""),
        (["refused", "refused"], ""),
        (["", ""], ""),
        ([], ""),
    ],
)
def test_what_is_said_of_a_run_that_is_over(uses: list[Use], words: str) -> None:
    told = nothing_came(ModelSpec("m", base_url="http://localhost/v1"), uses, ["timeout"] * len(uses))
    assert told.startswith(words)
    assert bool(told) == bool(words)


# -------------------------------------------------------------------------------------------------- few rows, all lost


@pytest.mark.parametrize(
    ("reply", "reason"), [(Reply(PROSE), "unparsed"), (Reply("too long", status=422), "refused_request")]
)
@pytest.mark.parametrize("command", [["revise"], ["clean"], ["revise", "--json"]], ids=" ".join)
def test_few_rows_of_which_none_got_an_answer_are_written_and_the_run_fails(
    command: list[str],
    reply: Reply,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows(3))))
    with ChatServer(default=reply) as server:
        model = ["--model", "tiny", "--base-url", server.url, "--quiet"]
        verb, *more = command
        assert main([verb, "rows.jsonl", "--out", "out", *model, *more]) == 1
        out, err = capsys.readouterr()
        said = f"none of the 3 rows that tiny was asked about got an answer that can be used ({reason}: 3)"
        assert err.splitlines()[-1].startswith(f"hfclean {verb}: {said}")
        assert "revise out --retry-failed" in err
        if more:
            assert json.loads(out)["out"] == "out"
        assert main(["why", "out", "0"]) == 0
        assert reason in capsys.readouterr().out
        assert main(["revise", "out", "--retry-failed", *model]) == 1
        assert "none of the 3 rows" in capsys.readouterr().err
    with ChatServer(default=lambda request, n: Reply(better(request.content))) as server:
        model = ["--model", "tiny", "--base-url", server.url, "--quiet"]
        assert main(["revise", "out", "--retry-failed", *model]) == 0
        assert main(["estimate", "rows.jsonl", *model]) == 0


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["words", "json"])
def test_a_preview_of_which_every_row_failed_fails(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows(3))))
    for reply, code, said in (
        (Reply("too long", status=422), 1, "(refused_request: 3)"),
        (Reply(PROSE), 1, "(unparsed: 3)"),
        (Reply(SAME), 0, ""),
    ):
        with ChatServer(default=reply) as server:
            command = ["revise", "rows.jsonl", "--preview", "3", "--model", "tiny", "--base-url", server.url, *more]
            assert main([*command, "--quiet"]) == code
        out, err = capsys.readouterr()
        assert said in err
        assert len(json.loads(out)["rows"]) == 3 if more else "No folder was written" in out


def test_from_python_the_rows_come_back_and_say_so() -> None:
    cleaned = hfclean.clean(Dataset.from_list(rows(3)), reviser=answering(lambda _: PROSE), show=False)
    assert cleaned.dataset["edit"] == ["reverted"] * 3
    assert len(cleaned.failures) == 1
    assert "(unparsed: 3)" in cleaned.failures[0]
