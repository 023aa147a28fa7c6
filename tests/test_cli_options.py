"""--columns, --prefix, --turns and --side: every command that offers one of them does something with it.
NAME=VALUE: what it sets, and what is refused. How many options there are, and what became of those that went."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Reply
from datasets import Dataset

import hfclean
from hfclean.cli import main, parser
from hfclean.cli.old_options import OLD_OPTIONS
from hfclean.cli.options import _limits, _revisers
from hfclean.cli.reading import UsageError
from hfclean.cli.revisers import stated
from hfclean.cli.settings import meanings, parse_settings, settable
from hfclean.reviser.codec import encode
from hfclean.reviser.reflection import Reflection
from hfclean.schema import Pair
from hfclean.scorers.linear_rule import LinearRule

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

OPTIONS = ("--columns", "--prefix", "--turns", "--side")
OWN = [{"question": f"Name fruit {k}.", "target": f"It is fruit {k}.</s>", "length": k} for k in range(12)]
TAKEN = [
    {"instruction": f"Name {k}.", "output": "An apple.</s>", "rating": k, "original": "mine", "edit": "x", "pii": "no"}
    for k in range(3)
]
TALK = [
    {
        "messages": [
            {"role": "user", "content": f"Greet {k}."},
            {"role": "assistant", "content": "Hello there.</s>"},
            {"role": "user", "content": "Name a fruit."},
            {"role": "assistant", "content": "An apple, which grows on trees."},
        ]
    }
    for k in range(3)
]
SIDES = [
    {"prompt": f"Name a tree {k}.", "chosen": "An oak, as found in the north.", "rejected": "No tree at all</s>"}
    for k in range(3)
]
EXPERTS = [
    {
        "raw_instruction": f"Name {k}.",
        "raw_input": "",
        "raw_output": "It is   right .</s>",
        "revised_instruction": f"Name {k}.",
        "revised_input": "",
        "revised_output": "It is right.",
    }
    for k in range(4)
]
MAP = "instruction=question,response=target"


@pytest.fixture(autouse=True)
def _home(own_home: None) -> None:
    """Every test has answers of its own."""


@pytest.fixture
def files(work: Path) -> Path:
    """The files that the commands below read."""
    for name, rows in (("own", OWN), ("taken", TAKEN), ("talk", TALK), ("sides", SIDES), ("experts", EXPERTS)):
        (work / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (work / "bench.jsonl").write_text(json.dumps({"question": "What is the capital of the country of France?"}) + "\n")
    LinearRule("loss", ("length_in",), (-1.0,)).save_pretrained(work / "rule")
    done = Dataset.from_list(TAKEN).map(hfclean.RuleReviser(prefix="h_"), batched=True)
    done.to_parquet(str(work / "done.parquet"))
    return work


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str
    asked: int
    words: str
    given: dict[str, Any]

    @property
    def told(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def ran(files: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run a command; tuning is not done, but what it would have been given is kept."""
    given: dict[str, Any] = {}

    class Enough(Exception):
        pass

    def keep(*_: Any, **options: Any) -> None:
        given.update(options)
        raise Enough

    monkeypatch.setattr("hfclean.evaluation.ab.ab_test", keep)
    monkeypatch.setattr("hfclean.training.pairs.revision_pairs", keep)

    def run(*words: str) -> Ran:
        given.clear()
        shutil.rmtree(files / "out", ignore_errors=True)
        with ChatServer(default=lambda request, _=0: Reply(encode(Pair("Name a fruit.", "", "An apple.")))) as server:
            model = ["--model", "tiny", "--base-url", server.url] if words[0] in ("revise", "estimate") else []
            try:
                code = main([*words, *model, *([] if words[0] == "train" else ["--json"]), "--quiet"])
            except Enough:
                code = 0
            out, err = capsys.readouterr()
            said = "".join(request.content for request in server.received)
            return Ran(code, out, err, len(server.received), said, dict(given))

    return run


def written(ran: Ran) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Dataset.from_parquet([str(f) for f in Path("out/data").iterdir()]).to_list()
    assert ran.code == 0, ran.err
    return rows


def commands(option: str) -> set[str]:
    """The commands that offer an option."""
    verbs = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {name for name, verb in verbs.choices.items() if option in verb._option_string_actions}


# what each command is run with, but for the option itself
COLUMNS = {
    "clean": "own.jsonl --out out",
    "revise": "own.jsonl --out out",
    "estimate": "own.jsonl",
    "generate": "own.jsonl -n 2 --estimate --model tiny --base-url http://127.0.0.1:9/v1",
    "augment-errors": "own.jsonl --estimate --base-model b --model tiny --base-url http://127.0.0.1:9/v1 "
    "--correct exact --folder f",
    "sedi": "own.jsonl --rounds 2 --estimate --base-model tiny --model tiny --base-url http://127.0.0.1:9/v1",
    "score": "own.jsonl",
    "head": "own.jsonl",
    "verify": "own.jsonl",
    "diff": "own.jsonl own.jsonl",
    "convert": "own.jsonl --to messages --out out/rows.jsonl",
    "dedupe": "own.jsonl",
    "decontaminate": "own.jsonl --against bench.jsonl",
    "select": "own.jsonl -n 2 --method top --by length",
    "pii": "own.jsonl",
    "mine": "predict own.jsonl --rule rule",
    "evaluate": "experts.jsonl --clean own.jsonl --draws 10",
}
PREFIX = {
    "clean": "taken.jsonl --out out",
    "revise": "taken.jsonl --out out",
    "estimate": "taken.jsonl",
    "score": "taken.jsonl",
    "head": "taken.jsonl --where defect=chat_markers",
    "pii": "taken.jsonl",
}
PAIRS = {
    "clean": "--out out",
    "revise": "--out out",
    "estimate": "",
    "score": "",
    "head": "",
}


def test_no_command_offers_an_option_that_no_case_here_tries() -> None:
    assert commands("--columns") == {*COLUMNS, "ab", "apply", "review", "train"}
    assert commands("--prefix") == {*PREFIX, "convert", "diff", "train"}
    assert commands("--turns") == commands("--side") == set(PAIRS)


@pytest.mark.parametrize("verb", COLUMNS)
def test_columns_name_what_no_name_says(verb: str, ran: Callable[..., Ran]) -> None:
    words = [verb, *COLUMNS[verb].split()]
    refused = ran(*words)
    assert (refused.code, "question" in refused.err) == (1, True), refused.out
    assert (done := ran(*words, "--columns", MAP)).code == 0, done.err


@pytest.mark.parametrize("verb", PREFIX)
def test_a_prefix_leaves_columns_of_the_same_name_alone(verb: str, ran: Callable[..., Ran]) -> None:
    words = [verb, *PREFIX[verb].split()]
    refused = ran(*words)
    assert (refused.code, "already has a column" in refused.err) == (1, True), refused.out
    done = ran(*words, "--prefix", "h_")
    assert done.code == 0, done.err
    if "--out" in words:
        assert [(row["rating"], row["original"], row["edit"]) for row in written(done)] == [
            (k, "mine", "x") for k in range(3)
        ]


def test_convert_leaves_out_the_columns_of_the_prefix(ran: Callable[..., Ran]) -> None:
    words = ["convert", "done.parquet", "--to", "messages", "--out", "rows.jsonl", "--overwrite"]
    assert ran(*words).code == 0
    assert "h_original" in json.loads(Path("rows.jsonl").read_text().split("\n")[0])
    assert ran(*words, "--prefix", "h_").code == 0
    assert set(json.loads(Path("rows.jsonl").read_text().split("\n")[0])) == {
        *("messages", "rating", "original", "edit", "pii")
    }


def test_diff_joins_on_the_ids_of_the_prefix(ran: Callable[..., Ran]) -> None:
    plain = ran("diff", "taken.jsonl", "done.parquet").told["rules"]
    assert [(rule["id"], rule["rows"]) for rule in plain] == [("chat_markers", 0), ("unrecorded", 3)]
    rules = ran("diff", "taken.jsonl", "done.parquet", "--prefix", "h_").told["rules"]
    assert [(rule["id"], rule["rows"]) for rule in rules] == [("chat_markers", 3)]


def test_what_tunes_a_model_is_given_columns_and_prefix(ran: Callable[..., Ran]) -> None:
    mapped = {"instruction": "question", "response": "target"}
    pairs = ran("train", "own.jsonl", "--base", "m", "--out", "r", "--columns", MAP, "--prefix", "h_").given
    assert (pairs["columns"], pairs["prefix"]) == (mapped, "h_")
    words = ["ab", "--variant", "a=own.jsonl", "--variant", "b=own.jsonl", "--base", "m", "--eval", "own.jsonl"]
    assert ran(*words, "--columns", MAP).given["columns"] == mapped


def test_clean_takes_turns_and_side(ran: Callable[..., Ran]) -> None:
    def first(*more: str, file: str = "talk.jsonl") -> dict[str, Any]:
        return written(ran("clean", file, "--out", "out", *more))[0]

    assert [m["content"] for m in first()["messages"]][1] == "Hello there.</s>"
    done = first("--turns", "all")
    assert ([m["content"] for m in done["messages"]][1], done["response_words"]) == ("Hello there.", 8.0)
    assert first(file="sides.jsonl")["rejected"] == "No tree at all</s>"
    for side in ("rejected", "both"):
        row = first("--side", side, file="sides.jsonl")
        assert (row["chosen"], row["rejected"]) == (SIDES[0]["chosen"], "No tree at all")
        assert row["response_words"] == (4.0 if side == "rejected" else 7.0)


def test_a_model_is_asked_about_the_turns_and_the_side(ran: Callable[..., Ran]) -> None:
    def ask(file: str, *more: str) -> Ran:
        return ran("revise", file, "--out", "out", "--store", f"{len(more)}{more[-1:]}.sqlite3", *more)

    assert [ask("talk.jsonl", *more).asked for more in ([], ["--turns", "all"])] == [3, 6]
    asked = {side: ask("sides.jsonl", "--side", side) for side in ("chosen", "rejected", "both")}
    assert [one.asked for one in asked.values()] == [3, 3, 6]
    assert ["No tree at all" in one.words for one in asked.values()] == [False, True, True]


def test_an_estimate_is_of_the_turns_and_the_side(ran: Callable[..., Ran]) -> None:
    assert [ran("estimate", "talk.jsonl", *m).told["requests"] for m in ([], ["--turns", "all"])] == [3, 6]
    found = {s: ran("estimate", "sides.jsonl", "--side", s).told for s in ("chosen", "rejected", "both")}
    assert [found[side]["requests"] for side in found] == [3, 3, 6]
    assert found["chosen"]["prompt_tokens"] != found["rejected"]["prompt_tokens"]


def words_of(told: Any) -> tuple[float, int]:
    (score,) = (score for score in told["scores"] if score["name"] == "response_words")
    return score["after"]["mean"], told["rows_with_defects_after"]


def test_score_takes_turns_and_side(ran: Callable[..., Ran]) -> None:
    assert words_of(ran("score", "talk.jsonl").told) == (6.0, 0)
    assert words_of(ran("score", "talk.jsonl", "--turns", "all").told) == (9.0, 3)
    found = {side: words_of(ran("score", "sides.jsonl", "--side", side).told) for side in ("chosen", "rejected")}
    assert found == {"chosen": (7.0, 0), "rejected": (5.0, 3)}
    assert words_of(ran("score", "sides.jsonl", "--side", "both").told) == (7.0, 3)
    row = written(ran("score", "sides.jsonl", "--side", "rejected", "--prefix", "h_", "--out", "out"))[0]
    assert (row["h_response_words"], row["h_defects"]) == (5.0, "chat_markers")


def test_scorers_of_ones_own_read_as_the_command_says(ran: Callable[..., Ran]) -> None:
    Path("mine.py").write_text(
        "import hfclean\n@hfclean.scorer('ends')\ndef ends(pair):\n    return float(pair.response.endswith('</s>'))\n"
    )
    words = ["score", "talk.jsonl", "--with", "mine:ends", "--out", "out"]
    assert written(ran(*words))[0]["ends"] == 0.0
    assert written(ran(*words, "--turns", "all", "--prefix", "h_"))[0]["h_ends"] == 0.5
    refused = ran("score", "sides.jsonl", "--with", "mine:ends", "--side", "both")
    assert (refused.code, "--side 'both'" in refused.err) == (1, True)


# ------------------------------------------------------------------------------------------- cleaned folders


@pytest.fixture
def cleaned(files: Path) -> Path:
    """A folder of rows with columns of names of their own, two of which hfclean uses too."""
    rows = [{**row, "rating": 3, "original": "mine"} for row in OWN]
    (files / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["clean", "rows.jsonl", "--columns", MAP, "--prefix", "h_", "--out", "cleaned", "--quiet"]
    assert main(words) == 0
    return files / "cleaned"


def test_a_cleaned_folder_says_itself_how_it_is_read(cleaned: Path, ran: Callable[..., Ran], capsys: Any) -> None:
    capsys.readouterr()
    assert main(["why", "cleaned", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["edit"], [change["rule"] for change in told["changes"]]) == ("revised", ["chat_markers"])
    assert told["texts"]["response"] == "It is fruit 0."
    rules = ran("diff", "rows.jsonl", "cleaned").told["rules"]
    assert [(rule["id"], rule["rows"]) for rule in rules] == [("chat_markers", 12)]
    again = ran("score", "cleaned")
    assert (again.code, "--prefix h_, as cleaned was cleaned" in again.err) == (0, True), again.err
    assert ran("convert", "cleaned", "--to", "alpaca", "--out", "plain.jsonl").code == 0
    assert json.loads(Path("plain.jsonl").read_text().split("\n")[0]) == {
        "instruction": "Name fruit 0.",
        "input": "",
        "output": "It is fruit 0.",
        "length": 0,
        "rating": 3,
        "original": "mine",
    }


@pytest.mark.parametrize("more", [[], ["--rule", "chat_markers"], ["--row", "0"]])
def test_undo_reads_the_columns_that_the_folder_was_cleaned_with(cleaned: Path, more: list[str], capsys: Any) -> None:
    assert main(["undo", "cleaned", *more, "--out", "out"]) == 0
    capsys.readouterr()
    rows = Dataset.from_parquet([str(f) for f in Path("out/data").iterdir()]).to_list()
    back = 1 if "--row" in more else len(OWN)
    assert [row["target"] for row in rows[:back]] == [row["target"] for row in OWN[:back]]
    assert all(not row["target"].endswith("</s>") for row in rows[back:])
    assert {row["original"] for row in rows} == {"mine"}


def test_asking_again_reads_rows_as_before(cleaned: Path, ran: Callable[..., Ran]) -> None:
    for option, value in (("columns", MAP), ("prefix", "h_"), ("turns", "all"), ("side", "both")):
        refused = ran("revise", "cleaned", "--retry-failed", f"--{option}", value)
        assert (refused.code, f"--{option} with --retry-failed" in refused.err) == (2, True)


def test_fitting_a_rule_reads_no_dataset(ran: Callable[..., Ran]) -> None:
    for option in ("--columns", "--split", "--config"):
        refused = ran("mine", "fit", "own.jsonl", "--predictor", "length", option, "x")
        assert (refused.code, f"{option} is for predict" in refused.err) == (2, True)


# ------------------------------------------------------------------------------------------- NAME=VALUE


def options_of() -> dict[str, set[str]]:
    """The options of each verb, but for --help."""
    verbs = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {
        name: {a.option_strings[-1] for a in verb._actions if a.option_strings and a.dest != "help"}
        for name, verb in verbs.choices.items()
    }


def test_there_are_no_more_options_than_people_can_find_their_way_in() -> None:
    options = options_of()
    assert len(set().union(*options.values())) <= 139
    assert len(options["clean"]) <= 42


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("seed=3", 3),
        ("seed=none", None),
        ("temperature=0.5", 0.5),
        ("structured=true", True),
        ("skip_checks=too_long,off_topic", ("too_long", "off_topic")),
        ('extra_body={"a": {"b": "c=d"}}', {"a": {"b": "c=d"}}),
        ("chat_template={{ a == b }}", "{{ a == b }}"),
        ("select=ifd", "ifd"),
        ("sides=response", ("response",)),
    ],
)
def test_a_word_becomes_a_value_of_the_type_of_the_field(word: str, value: object) -> None:
    assert parse_settings("--model-option", ["seed=1", word], settable(Reflection))[word.partition("=")[0]] == value


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seed=sk-canary", "--model-option seed: expected a whole number or none"),
        ("structured=yes", "expected true or false"),
        ("select=sk-canary", "expected 'ifd' or none"),
        ("extra_body=[1]", "expected a JSON object or none"),
        ("extra_body={sk-canary", "expected a JSON object or none"),
        ("temperatur=1", "--model-option temperatur: unknown name; did you mean 'temperature'?"),
        ("sk-canary", "--model-option: expected NAME=VALUE; --model-option help lists the names"),
        ("checks=x", "unknown name"),
        ("choose=x", "unknown name"),
    ],
)
def test_a_word_that_is_off_is_named_without_its_value(word: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings("--model-option", [word], settable(Reflection))
    assert said in str(caught.value)
    assert "sk-canary" not in str(caught.value)


def test_every_name_that_can_be_set_is_explained(capsys: Any) -> None:
    for kind, without in [*_revisers(), *_limits()]:
        assert {name for name in settable(kind, without) if not meanings(kind).get(name)} == set()
    for option, line in (("--model-option", "top_p=a number\n    sample from the likeliest"), ("--limit", "retries=")):
        with pytest.raises(SystemExit):
            main(["revise", option, "help"])
        assert line in capsys.readouterr().out


@pytest.mark.parametrize("verb", OLD_OPTIONS)
def test_an_option_that_went_is_refused_with_its_new_spelling(verb: str, capsys: Any) -> None:
    options = options_of()[verb]
    for old, new in OLD_OPTIONS[verb].items():
        assert old not in options
        assert {word for word in new.split() if word.startswith("--")} <= options
        assert main([verb, "IN", f"{old}=1"]) == main([verb, "IN", old, "1"]) == 2
        assert capsys.readouterr().err == f"hfclean {verb}: {old} is now {new}\n" * 2


def test_the_first_pairs_of_an_evaluation_are_no_limit(capsys: Any) -> None:
    assert main(["evaluate", "PAIRS", "--limit", "5"]) == 2
    assert "--limit N is now --first N" in capsys.readouterr().err


def test_the_names_are_those_of_the_reviser_that_a_folder_was_made_with() -> None:
    args = parser().parse_args(["revise", "DIR", "--retry-failed", "--model-option", "structured=true"])
    assert stated(args, {"by": "Reflection"}) == {"structured": True}
    with pytest.raises(UsageError, match="structured: unknown name"):
        stated(args, {"by": "Reviser"})
