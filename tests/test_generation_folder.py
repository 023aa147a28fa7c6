"""What a generation costs, told before and counted after; the folder, its card, the Hub; and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import load_dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from teachers import ASKS_TASKS, SEEDS, Teacher, asked_task, numbered, teacher

import hfclean
from hfclean.cards import check_card
from hfclean.cli import main
from hfclean.generation import (
    Prompts,
    Rounds,
    Terms,
    estimate_generation,
    generator_of,
    preview_generation,
    save,
)
from hfclean.generation.generating import run
from hfclean.generation.rounds import LINEAGE
from hfclean.models import Answer, Conversation, ModelSpec, Prices, process
from hfclean.models.counting import TOKENS_PER_TURN
from hfclean.testing_models import ScriptedBackend


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def counted(text: str) -> int:
    return -(-len(text.encode()) // 4)


class AsAssumed:
    """A teacher that writes what an estimate assumes: tasks and answers as long as the seeds', all of them new."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, conversation: Conversation) -> Answer:
        text = conversation[-1].content
        self.asked += 1
        if ASKS_TASKS in text:
            answer = numbered(
                [f"Explain the {8 * self.asked + k:06}th word of {k + 10}{self.asked:05}." for k in range(8)]
            )
        else:
            answer = f"It is the {asked_task(text)[12:18]}th of the words."
        return Answer(answer, prompt_tokens=counted(text) + 2 * TOKENS_PER_TURN, completion_tokens=counted(answer))


@pytest.mark.parametrize("n", [5, 20, 100])
def test_the_price_before_is_the_ledger_after(n: int) -> None:
    seeds = [
        {"prompt": f"Explain the {k:06}th word of {k}{k:05}.", "completion": f"It is the {k:06}th of the words."}
        for k in range(10, 22)
    ]
    model = AsAssumed()
    spec = ModelSpec(ScriptedBackend(model), prices=Prices(2.0, 5.0))
    generator = generator_of(spec, novelty=None, filters=[], shown=(8, 0))
    told = estimate_generation(generator, seeds, n)
    assert model.asked == 0
    rounds = Rounds(generator)
    run(rounds, seeds, n, show=False)
    total = rounds.ledger()[-1]
    assert total["kept"] == n
    assert told.requests == sum(total["requests"].values()) == model.asked
    assert told.prompt_tokens == total["prompt_tokens"]
    assert told.completion_tokens == total["completion_tokens"]
    assert told.cost == pytest.approx(total["cost"])


def test_an_estimate_knows_shares_and_labels() -> None:
    generator = generator_of(teacher(), prompt=Prompts(classify=True))
    sure = estimate_generation(generator, list(SEEDS), 100)
    doubtful = estimate_generation(generator, list(SEEDS), 100, new=0.5, kept=0.5)
    assert sure.requests == 3 + 10 + 100 + 100
    assert doubtful.requests > 400


def test_a_preview_asks_for_a_few_rows_and_the_run_does_not_ask_again(tmp_path: Path) -> None:
    model = ScriptedBackend(Teacher())
    model.kept = True  # type: ignore[misc]
    spec = ModelSpec(model, cache_as="teacher-3", store=str(tmp_path / "a.sqlite3"), prices=Prices(1, 1))
    generator = generator_of(spec)
    found = preview_generation(generator, list(SEEDS), 20, 200, show=False)
    assert len(found.kept) == 20
    assert len(model.asked) == 3 + 20
    assert found.estimate.requests == 3 + 23 + 200
    assert found.estimate.cost == pytest.approx(found.ledger["cost"] * 10, rel=0.1)
    json.dumps(found.to_dict(), allow_nan=False)
    rounds = Rounds(generator)
    run(rounds, list(SEEDS), 30, show=False)
    assert len(model.asked) == (3 + 20) + (2 + 10)
    assert rounds.kept.to_list()[:20] == found.kept.to_list()


def made_folder(out: Path, **settings: Any) -> Rounds:
    def row(task: str) -> str:
        if task.endswith("1"):
            return "Input: \nOutput: "
        return f"Input: \nOutput: This is an  answer to {task.lower()}."

    model = ModelSpec(teacher(row=row), store=False, prices=Prices(1, 1))
    rounds = Rounds(generator_of(model), against=settings.pop("against", ()))
    run(rounds, list(SEEDS), 12, show=False)
    save(rounds, out, n=12, **settings)
    return rounds


def test_the_folder_is_cleaned_and_its_card_says_whose_the_rows_are(tmp_path: Path) -> None:
    out = tmp_path / "made"
    benchmark = {"facts": [{"question": "Who was the first person to sail around the southern cape of Africa?"}]}
    terms = Terms("cc-by-sa-4.0", None, "cc-by-sa-4.0")
    rounds = made_folder(out, terms=terms, seeds="me/seeds", seeds_is_hub=True, language="en", against=benchmark)
    rows = load_dataset(str(out), split="train")
    assert len(rows) == 12
    assert rows[0]["output"].startswith("This is an answer to")  # where the teacher wrote two spaces
    assert hfclean.restore(rows).to_list() == rounds.kept.select(range(12)).to_list()
    card = (out / "README.md").read_text()
    assert check_card(card) == []
    assert "None of it is the work of the seeds' authors." in card
    for line in (
        "| seeds | 10 rows of me/seeds |",
        "| license of the seeds | cc-by-sa-4.0 |",
        "| license or terms of the model | not stated |",
        "| holds nothing of | facts |",
        "| prompt | the words of hfclean |",
    ):
        assert line in card
    assert "- synthetic" in card
    removed = load_dataset(str(out), "removed", split="train")
    assert set(removed["removed_reason"]) == {"empty_output"}
    about = json.loads((out / "hfclean.json").read_text())
    assert [step["by"] for step in about["transforms"]][:2] == ["Generator", "RuleReviser"]
    assert main(["why", str(out), rows[0]["row_id"]]) == 0


def test_lineage_survives_push_pull_and_restore(tmp_path: Path, fake_hub: FakeHub) -> None:
    made_folder(tmp_path / "made", terms=Terms("mit", "apache-2.0", "mit"))
    hfclean.push_dataset(tmp_path / "made", "me/made")
    pulled, _ = hfclean.load_cleaned("me/made")
    before = load_dataset(str(tmp_path / "made"), split="train")
    after = pulled["train"]
    for name in LINEAGE:
        assert after[name][:] == before[name][:]
        assert hfclean.restore(after)[name][:] == before[name][:]
    assert "None of it is the work of the seeds' authors." in fake_hub.repo("me/made", "dataset").text("README.md")


def test_rows_without_their_folder_still_say_who_made_them(fake_hub: FakeHub) -> None:
    rows = hfclean.generate(list(SEEDS), teacher(), 25, show=False)
    hfclean.push_dataset(rows, "me/plain")
    card = fake_hub.repo("me/plain", "dataset").text("README.md")
    for line in (
        "25 rows made by a model after the manner of 10 seeds, with hfclean",
        "None of it is the work of the seeds' authors.",
        "| made by | ScriptedBackend generate-1 |",
        "| license or terms of the model | not recorded in the rows |",
        "| rows | 25 in 2 rounds |",
        "- synthetic",
    ):
        assert line in card
    hfclean.push_dataset(rows.remove_columns(["nearest"]), "me/own")  # the columns of somebody else
    assert "made by a model" not in fake_hub.repo("me/own", "dataset").text("README.md")


CONFLICTS = [
    (Terms("cc-by-nd-4.0", "mit", None), "allows no derived works"),
    (Terms("cc-by-nc-4.0", "mit", "mit"), "binds more"),
    (Terms("mit", "llama3", "llama3"), "has rules for use"),
]


@pytest.mark.parametrize(("terms", "expected"), CONFLICTS)
def test_what_does_not_go_together_is_told(terms: Terms, expected: str) -> None:
    assert [expected in sentence for sentence in terms.conflicts()] == [True]


def test_what_is_stated_and_fits_is_not_warned_of() -> None:
    assert (Terms("mit", "apache-2.0", "mit").conflicts(), Terms("mit", "apache-2.0").unstated()) == ([], [])
    assert len(Terms().unstated()) == 2
    assert Terms().conflicts() == []


# ------------------------------------------------------------------------------------------------------------- command


@pytest.fixture
def server() -> Iterator[ChatServer]:
    script = Teacher()

    def reply(request: Received, _: int) -> Reply:
        text = script([type("M", (), {"content": request.content})()])  # type: ignore[list-item]
        return Reply(text if isinstance(text, str) else text.text)

    with ChatServer(default=reply) as server:
        yield server


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    file = tmp_path / "seeds.jsonl"
    file.write_text("".join(json.dumps(seed) + "\n" for seed in SEEDS))
    return file


def test_the_command_estimates_previews_and_makes(
    server: ChatServer, seeds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", str(seeds), "--model", "tiny", "--base-url", server.url, "-n", "25", "-q"]
    words += ["--prices", "input=1,output=2"]
    assert main([*words, "--estimate", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert server.counts.total() == 0
    assert main([*words, "--preview", "4"]) == 0
    shown = capsys.readouterr().out
    assert "4 rows of 8 tasks, 8 of them new; dropped: not_needed 4" in shown
    assert server.counts.total() == 1 + 4
    out = tmp_path / "made"
    assert main([*words, "--out", str(out), "--license", "mit", "--seeds-license", "cc-by-nc-4.0"]) == 0
    said = capsys.readouterr()
    assert server.counts.total() == told["requests"] == 3 + 1 + 25
    assert max(server.counts.values()) == 1
    assert "note: the rows are to be 'mit', and 'cc-by-nc-4.0' of the seeds binds more" in said.err
    assert "note: the terms of the teacher are not stated" in said.err
    assert f"what was dropped, and why: {out}-rounds" in said.out
    assert len(load_dataset(str(out), split="train")) == 25
    assert main([*words, "--out", str(out), "--overwrite"]) == 0  # all of it is there
    assert server.counts.total() == told["requests"]


MISUSES = {
    "no folder": ([], "--out is missing"),
    "both": (["--estimate", "--preview", "2"], "--estimate and --preview: one at a time"),
    "no prices": (["--max-cost", "1", "--out", "x"], "--max-cost needs prices"),
    "a filter": (["--skip", "colon", "--out", "x"], "--skip colon: no filter of this name"),
    "novelty": (["--novelty", "2", "--out", "x"], "--novelty 2.0: expected above 0 and up to 1"),
    "no gate": (["--novelty", "2", "--out", "x"], "or 'none' for no gate"),
    "rounds in the folder": (["--out", "x", "--rounds", "y/../x/rounds"], "--rounds y/../x/rounds lies in --out"),
    "an option": (["--model-option", "temprature=1", "--out", "x"], "did you mean 'temperature'?"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_a_wrong_command_is_told_in_one_line(
    name: str, seeds: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more, expected = MISUSES[name]
    assert main(["generate", str(seeds), "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "-n", "5", *more]) == 2
    assert expected in capsys.readouterr().err


def test_the_gate_may_be_left_out(seeds: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", str(seeds), "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "-n", "5", "--estimate"]
    assert main([*words, "--novelty", "none"]) == 0
    with pytest.raises(SystemExit):
        main([*words, "--novelty", "off"])
    assert "invalid share: 'off'; expected a number, or 'none'" in capsys.readouterr().err


def test_a_poor_purse_and_a_dull_teacher_are_told(
    server: ChatServer, seeds: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", str(seeds), "--model", "tiny", "--base-url", server.url, "-n", "5", "-q", "--out", "made"]
    assert main([*words, "--prices", "input=1,output=2", "--max-cost", "0.000001"]) == 1
    assert "is reached: 0.0000 USD used by 0 answers" in capsys.readouterr().err
    with ChatServer(default=Reply("I cannot help with that.")) as dull:
        words[words.index(server.url)] = dull.url
        assert main([*words, "--rounds", "others"]) == 1
    told = capsys.readouterr().err
    assert "tiny made no row: 1 request, 0 tasks that could be read; dropped: unparsed 1" in told
    assert "--model-option structured=false. Its answers are kept, and --model-option seed=N" in told
    assert not (work / "made").exists()
