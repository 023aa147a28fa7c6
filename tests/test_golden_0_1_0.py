"""What version 0.1.0 wrote, this version opens, explains, undoes, converts and pushes, or names the way out.

The artefacts lie in `golden_0_1_0` (see `make.py` there). Rules and rows may have changed since: nothing here depends
on what a rule finds today, only on what stands in the folders.
"""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import load_dataset
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cards import check_card
from hfclean.cli import main
from hfclean.errors import FolderError
from hfclean.hub import Patience, PushPlan, pull
from hfclean.models import Answer, ModelSpec, look, store
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.scorers.linear_rule import LinearRule

GOLDEN = Path(__file__).parent / "golden_0_1_0"
FOLDERS = sorted(path.stem for path in (GOLDEN / "raw").glob("*.json"))
ROWS_OF = {name: json.loads((GOLDEN / "raw" / f"{name}.json").read_text()) for name in FOLDERS}
QUICK = Patience(sleep=lambda seconds: None)
# the shape whose rows each shape can become; all of them have questions and answers
ANOTHER = {"alpaca": "messages", "messages": "alpaca"}

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def _alone(own_home: None) -> None:
    """Every test has answers of its own."""


def unpack(name: str, place: Path) -> Path:
    """A fresh copy of an artefact."""
    with tarfile.open(GOLDEN / f"{name}.tar.gz") as file:
        file.extractall(place, filter="data")
    return place / name


@pytest.fixture(params=FOLDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(name: str, work: Path) -> Path:
    return unpack(name, work)


def run(*args: str, capsys: Any) -> tuple[int, str, str]:
    code = main([*args])
    return code, *capsys.readouterr()


def about(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "hfclean.json").read_text(encoding="utf-8"))
    return found


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return list(load_dataset(str(folder), split="train", cache_dir=f"{folder}-cache"))


# ----------------------------------------------------------------------------------------------------- cleaned folders


def test_there_is_a_folder_of_every_shape() -> None:
    assert {"alpaca", "dolly", "strings", "completions", "messages", "conversations", "mixed", "renamed"} < {*FOLDERS}
    assert {"preference", "preference_messages", "preference_implicit", "modelled"} < {*FOLDERS}


def test_every_row_of_a_folder_is_explained(folder: Path, capsys: Any) -> None:
    rows = rows_of(folder)
    prefix = about(folder)["prefix"]
    for k, row in enumerate(rows):
        code, out, err = run("why", str(folder), f"train:{k}", "--json", capsys=capsys)
        assert (code, err) == (0, "")
        told = json.loads(out)
        assert told["row_id"] == row[f"{prefix}row_id"]
        assert run("why", str(folder), row[f"{prefix}row_id"], capsys=capsys)[0] == 0


def test_undo_gives_back_exactly_what_went_in(name: str, folder: Path, capsys: Any) -> None:
    code, _, err = run("undo", str(folder), "--out", "undone", capsys=capsys)
    assert (code, err) == (0, "")
    assert rows_of(Path("undone")) == ROWS_OF[name]["train"]
    assert json.dumps(rows_of(Path("undone"))) == json.dumps(ROWS_OF[name]["train"])  # 7 and 7.0 are not the same


def test_restore_gives_back_what_went_in_from_the_columns_alone(name: str, folder: Path) -> None:
    ds = load_dataset(str(folder), split="train", cache_dir="cache")
    assert list(hfclean.restore(ds, prefix=about(folder)["prefix"])) == ROWS_OF[name]["train"]


def test_what_one_rule_did_is_taken_back_alone(work: Path, capsys: Any) -> None:
    folder = unpack("alpaca", work)
    code, _, err = run("undo", str(folder), "--rule", "chat_markers", "--out", "partly", capsys=capsys)
    assert (code, err) == (0, "")
    rows = rows_of(Path("partly"))
    assert [row["output"] for row in rows[:3]] == ["An apple.</s>", "Red.", "An oak.<|im_end|>"]
    assert rows[0]["input"] == ""


def test_a_folder_is_compared_with_its_source(name: str, folder: Path, capsys: Any) -> None:
    columns = about(folder)["columns"] or {}
    words = ["--columns", ",".join(f"{k}={v}" for k, v in columns.items())] if columns else []
    code, out, err = run("diff", str(GOLDEN / "raw" / f"{name}.jsonl"), str(folder), "--json", *words, capsys=capsys)
    assert code == 0, err
    (split,) = json.loads(out)["splits"]
    assert split["after"] == len(ROWS_OF[name]["train"])


def test_a_folder_converts_into_another_shape(name: str, folder: Path, capsys: Any) -> None:
    columns, prefix = about(folder)["columns"] or {}, about(folder)["prefix"]
    words = ["--columns", ",".join(f"{k}={v}" for k, v in columns.items())] if columns else []
    to = ANOTHER.get(name, "messages")
    code, _, err = run(
        "convert", str(folder), "--to", to, "--out", "out.jsonl", "--prefix", prefix, *words, capsys=capsys
    )
    assert code == 0, err
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert len(lines) == len(ROWS_OF[name]["train"])
    assert all(("messages" if to == "messages" else "instruction") in line for line in lines)


def test_the_card_of_a_folder_is_rendered_and_valid(folder: Path, capsys: Any) -> None:
    code, out, err = run("card", str(folder), "me/x", "--license", "cc-by-4.0", capsys=capsys)
    assert code == 0, err
    assert check_card(out) == []


def test_a_folder_is_pushed_and_loads_again(name: str, folder: Path, fake_hub: FakeHub, capsys: Any) -> None:
    code, _, err = run("push", str(folder), "me/x", "--dry-run", "--out", "plan", "--json", capsys=capsys)
    assert code == 0, err
    assert not fake_hub.repos
    assert (Path("plan") / "hfclean.json").is_file()
    pushed = hfclean.push_dataset(folder, "me/x", patience=QUICK)
    assert not isinstance(pushed, PushPlan)
    ds, report = hfclean.load_cleaned("me/x")
    prefix = about(folder)["prefix"]
    assert list(hfclean.restore(ds["train"], prefix=prefix)) == ROWS_OF[name]["train"]
    assert report is not None
    assert not hfclean.push_dataset(folder, "me/x", patience=QUICK).changed  # type: ignore[union-attr]


# ------------------------------------------------------------------------------------------------------- with a model


def test_the_rows_of_a_model_say_what_became_of_them(work: Path, capsys: Any) -> None:
    folder = unpack("modelled", work)
    rows = rows_of(folder)
    assert Counter(row["edit"] for row in rows) == {"revised": 3, "failed": 1, "reverted": 2}
    assert [row["edit_reason"] for row in rows[3:]] == ["refused_request", "number_changed", "unparsed"]
    code, out, _ = run("why", str(folder), "4", capsys=capsys)
    assert code == 0
    assert "number_changed" in out


def test_the_failed_rows_of_a_model_are_asked_again_of_a_server_of_today(work: Path, capsys: Any) -> None:
    folder = unpack("modelled", work)

    def good(request: Received, _: int) -> Reply:
        k = next(k for k in range(6) if f"Describe town {k}." in request.content)
        return Reply(encode(Pair(f"Describe town {k}.", "", f"Town {k} is old.")))

    with ChatServer(default=good) as server:
        code, out, err = run(
            "revise", str(folder), "--retry-failed", "--base-url", server.url, "--quiet", "--json", capsys=capsys
        )
    assert code == 0, err
    assert json.loads(out)["failed"] == 0
    rows = rows_of(folder)
    assert rows[3]["output"] == "Town 3 is old."
    assert rows[4]["edit_reason"] == "number_changed"
    run("undo", str(folder), "--out", "undone", capsys=capsys)
    assert rows_of(Path("undone")) == ROWS_OF["modelled"]["train"]


def test_the_file_of_answers_is_counted_and_read(work: Path, capsys: Any) -> None:
    path = unpack("store", work) / "answers.sqlite3"
    code, out, _ = run("cache", "stats", "--store", str(path), "--json", capsys=capsys)
    assert code == 0
    assert json.loads(out)["sources"] == {
        "127.0.0.1/v1 tiny": 3,
        "llm.example.org/v1 tiny": 3,
        "localhost/v1 tiny": 2,
        "my-coach-1": 1,
    }
    assert run("cache", "export", "--store", str(path), "--out", "all.jsonl", capsys=capsys)[0] == 0
    lines = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    assert Counter(line["source"] for line in lines)["localhost/v1 tiny"] == 2
    assert lines[0]["text"] == "from the server: Name a fruit, number 0."


def test_answers_of_a_default_port_and_of_a_name_are_found_as_before(work: Path) -> None:
    path = str(unpack("store", work) / "answers.sqlite3")
    asked = [f"Name a fruit, number {k}." for k in range(3)]
    for url in ("https://llm.example.org/v1", "https://llm.example.org:443/v1", "http://llm.example.org:80/v1"):
        found = look(ModelSpec("tiny", base_url=url, store=path), asked)
        assert [answer.text for answer in found if isinstance(answer, Answer)] == ["from afar"] * 3
    named = ModelSpec("tiny", base_url="http://127.0.0.1:9/v1", store=path, cache_as="my-coach-1")
    assert [answer is not None for answer in look(named, asked)] == [True, False, False]
    assert store.stats(path).answers == 9


# ---------------------------------------------------------------------------------------------------------- revisers


def test_a_coach_opens_asks_its_own_model_and_is_pushed(work: Path, fake_hub: FakeHub) -> None:
    needs("models", "transformers")
    folder = unpack("coach", work)
    coach = hfclean.Reviser.from_pretrained(folder)
    assert (coach.revise, coach.max_new_tokens, len(coach.trained_on)) == ("response", 24, 36)
    row = coach({"instruction": "Name a fruit.", "input": "", "output": "a aple"})
    assert row["edit"] in ("revised", "kept", "reverted")
    pushed = hfclean.push_reviser(str(folder), "me/coach", license="apache-2.0", patience=QUICK)
    assert "model.safetensors" in pushed.files  # type: ignore[union-attr]
    back = hfclean.Reviser.from_pretrained("me/coach")
    assert (back.instructions, back.trained_on) == (coach.instructions, coach.trained_on)


def test_a_reviser_of_a_served_model_opens(work: Path) -> None:
    folder = unpack("served", work)
    with pytest.raises(FolderError, match=r"your rows are sent: from_pretrained\(.*, base_url=..., model=...\)"):
        hfclean.Reviser.from_pretrained(folder)
    served = hfclean.Reviser.from_pretrained(folder, base_url="http://127.0.0.1:9/v1")
    assert (served.model, served.base_url, served.instructions) == ("tiny", "http://127.0.0.1:9/v1", "Mend it.")


def rules_then(folder: Path) -> dict[str, int]:
    found: dict[str, int] = about(folder)["rules"]
    return found


def check_rules(where: str | Path, then: dict[str, int]) -> None:
    """The reviser of these rules opens; or, where rules have changed since, one line says what to do."""
    if then == hfclean.RuleReviser(skip=("placeholder_input",)).depends()["rules"]:
        assert hfclean.RuleReviser.from_pretrained(where).skip == ("placeholder_input",)
        return
    with pytest.raises(FolderError) as caught:
        hfclean.RuleReviser.from_pretrained(where)
    message = str(caught.value)
    assert "made with other versions" in message
    assert message.endswith("with the rules of this version: hfclean.RuleReviser(skip=('placeholder_input',))")
    assert "\n" not in message


def test_a_reviser_by_rules_opens_or_says_that_the_rules_have_changed(work: Path) -> None:
    folder = unpack("rules", work)
    then = rules_then(folder)
    assert len(then) == 25
    check_rules(folder, then)
    changed = {**about(folder), "rules": {**then, "mojibake": 0}}
    (folder / "hfclean.json").write_text(json.dumps(changed))
    check_rules(folder, changed["rules"])


@pytest.mark.needs_extra("mining", "statsmodels")
def test_a_linear_rule_and_the_runs_that_it_was_fitted_to(work: Path, fake_hub: FakeHub, capsys: Any) -> None:
    rule = LinearRule.from_pretrained(unpack("rule", work))
    assert rule.indicators == ("reward",)
    assert rule.coefficients[0] == pytest.approx(-0.25, abs=0.02)
    runs = unpack("runs", work) / "runs.jsonl"
    code, _, err = run("mine", "fit", str(runs), "--predictor", "reward", "--out", "again", capsys=capsys)
    assert code == 0, err
    assert LinearRule.from_pretrained("again").coefficients == pytest.approx(rule.coefficients)
    assert run("push", "rule", "me/rule", "--license", "mit", "--quiet", capsys=capsys)[0] == 0
    assert LinearRule.from_pretrained("me/rule").coefficients == rule.coefficients


def test_an_experiment_goes_on_in_its_folder_and_repeats_no_run(work: Path) -> None:
    pool = load_dataset("json", data_files=str(GOLDEN / "raw" / "runs_pool.jsonl"), cache_dir="cache")["train"]

    def never(rows: Any, seed: int) -> float:
        raise AssertionError("this run was done before")

    never.__qualname__ = "measured"
    unseen = [{"prompt": "something else", "completion": "yes"}]
    how: dict[str, Any] = {"indicators": ["reward"], "runs": 12, "size": 20, "measure": never}
    done = hfclean.mining.experiment(pool, "base", unseen, folder=unpack("runs", work), **how)
    assert (len(done.runs), done.without_loss) == (12, 0)


def test_pairs_for_training_come_from_a_folder_its_ledger_and_its_verdicts(work: Path) -> None:
    folder = unpack("alpaca", work)
    every = hfclean.revision_pairs(folder)
    assert [row["revised_output"] for row in every.rows] == ["An apple.", "An oak.", "The café opens at nine."]
    assert hfclean.revision_pairs(folder / "ledger.parquet").rows.to_list() == every.rows.to_list()
    judged = hfclean.revision_pairs(folder, verdicts=GOLDEN / "verdicts.jsonl")
    assert [(row["raw_output"], row["revised_output"]) for row in judged.rows] == [
        ("An apple.</s>", "An apple."),
        ("An oak.<|im_end|>", "An oak tree."),
    ]
    assert judged.left_out == {"unjudged": 2, "rejected": 1}


# ----------------------------------------------------------------------------------------------------------- the Hub


def published(hub: FakeHub, name: str, kind: str, place: Path) -> Path:
    """The repo as 0.1.0 left it."""
    folder = unpack(f"pushed_{name}", place)
    files = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    hub.add_repo(f"me/{name}", kind, files=files)
    return folder


def test_a_pushed_dataset_loads_undoes_and_takes_another_push(work: Path, fake_hub: FakeHub, capsys: Any) -> None:
    published(fake_hub, "alpaca", "dataset", work)
    ds, report = hfclean.load_cleaned("me/alpaca")
    assert report is not None
    assert len(report.edits) == 5
    assert hfclean.restore(ds["train"]).to_list() == ROWS_OF["alpaca"]["train"]
    assert run("pull", "me/alpaca", "--out", "pulled", "--quiet", capsys=capsys)[0] == 0
    assert run("why", "pulled", "0", capsys=capsys)[0] == 0
    assert run("undo", "pulled", "--out", "undone", capsys=capsys)[0] == 0
    assert rows_of(Path("undone")) == ROWS_OF["alpaca"]["train"]
    hfclean.push_dataset(unpack("alpaca", work), "me/alpaca", patience=QUICK)
    assert hfclean.restore(hfclean.load_cleaned("me/alpaca")[0]["train"]).to_list() == ROWS_OF["alpaca"]["train"]


def test_pushed_revisers_open(work: Path, fake_hub: FakeHub) -> None:
    folder = published(fake_hub, "rules", "model", work)
    check_rules("me/rules", rules_then(folder))
    published(fake_hub, "coach", "model", work)
    coach = hfclean.Reviser.from_pretrained("me/coach")
    assert (coach.max_new_tokens, len(coach.trained_on)) == (24, 36)
    pulled = pull("me/rules", work / "again", patience=QUICK)
    check_rules(pulled, rules_then(folder))
