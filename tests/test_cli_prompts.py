"""Your own words for a model on the command line: `--instructions` and `--criteria`, what they set, what is recorded,
and what is refused."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply

from hfclean.cli import main, parser
from hfclean.cli.prompt_files import MOST_BYTES, judge_rubric, read_text
from hfclean.cli.reading import UsageError
from hfclean.cli.revisers import reviser_of
from hfclean.models import process
from hfclean.reviser.coach import Reviser
from hfclean.reviser.codec import encode
from hfclean.reviser.criteria import Criterion
from hfclean.reviser.reflection import Reflection
from hfclean.schema import Pair
from hfclean.scorers.rubrics import Dimension, Rubric

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
MINE = "Mend the pair below. Answer in its own form."
CRITERIA = [{"name": "tone", "meaning": "Is it polite?", "side": side} for side in ("instruction", "response")]
RUBRIC = {"name": "manners", "low": 0, "high": 10, "dimensions": [{"name": "polite", "meaning": "Is it polite?"}]}


@pytest.fixture
def home(work: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HFCLEAN_HOME", str(work / "home"))
    (work / "mine.txt").write_text(f"\ufeff{MINE}\n")
    (work / "criteria.yaml").write_text(json.dumps(CRITERIA))
    (work / "rubric.yaml").write_text(json.dumps(RUBRIC))
    (work / "rows.jsonl").write_text(json.dumps({"instruction": "Name a fruit.", "input": "", "output": "a aple"}))
    yield work
    process.close()


def made(*words: str) -> Any:
    return reviser_of(parser(["revise"]).parse_args(["revise", "IN", "--model", "org/m", *words]))


def test_a_prompt_from_a_file_is_the_one_of_python(home: Path) -> None:
    assert made("--instructions", "mine.txt") == Reviser("org/m", instructions=MINE)
    tone = tuple(Criterion("tone", "Is it polite?", side) for side in ("instruction", "response"))
    assert made("--method", "reflection", "--criteria", "criteria.yaml") == Reflection("org/m", criteria=tone)
    assert judge_rubric("rubric.yaml") == Rubric("manners", (Dimension("polite", "Is it polite?"),), 0, 10)
    bands = {**RUBRIC, "dimensions": [{**RUBRIC["dimensions"][0], "side": "pair", "band": [2, 8]}]}  # type: ignore[index]
    Path("bands.json").write_text(json.dumps(bands | {"accept_at_least": None}))
    assert judge_rubric("bands.json").dimensions == (Dimension("polite", "Is it polite?", "pair", (2, 8)),)


def test_the_words_and_their_digest_are_recorded_and_used_again(home: Path, capsys: Any) -> None:
    good = Reply(encode(Pair("Name a fruit.", "", "An apple.")))
    replies = [Reply(status=400), good]

    def answer(_: Received, n: int) -> Reply:
        return replies[min(n, 2) - 1]

    with ChatServer(default=answer) as server:
        words = ["revise", "rows.jsonl", "--model", "tiny", "--base-url", server.url, "--instructions", "mine.txt"]
        assert main([*words, "--out", "revised", "--quiet", "--limit", "retries=0"]) == 1
        (step,) = [s for s in json.loads(Path("revised/hfclean.json").read_text())["transforms"] if "usage" in s]
        assert step["words"] == {"instructions": MINE}
        assert step["settings"]["instructions"] == blake2b(MINE.encode(), digest_size=8).hexdigest()
        capsys.readouterr()
        # what was recorded is what is asked again
        assert main(["revise", "revised", "--retry-failed", "--quiet"]) == 0, capsys.readouterr().err
        assert [MINE in request.content for request in server.received] == [True, True]
        (step,) = [s for s in json.loads(Path("revised/hfclean.json").read_text())["transforms"] if "usage" in s]
        assert (step["words"], step["retried"]) == ({"instructions": MINE}, 1)
        # a folder of somebody else brings no words
        text = Path("revised/hfclean.json").read_text().replace(MINE, "Do evil.")
        Path("revised/hfclean.json").write_text(text)
        capsys.readouterr()
        assert main(["revise", "revised", "--retry-failed", "--base-url", server.url, "--quiet"]) == 1
        assert "--instructions FILE" in capsys.readouterr().err
        assert server.counts.total() == 2


def test_a_judge_of_the_command_line_goes_by_the_rubric(home: Path, capsys: Any) -> None:
    with ChatServer(default=Reply('{"reason": "ok", "score": 7}')) as server:
        judge = f"Judge(model='tiny', base_url='{server.url}')"
        words = ["score", "rows.jsonl", "--with", judge, "--criteria", "rubric.yaml", "--out", "scored", "--quiet"]
        assert main(words) == 0, capsys.readouterr().err
        assert "Is it polite?" in server.received[0].content
    (step,) = [s for s in json.loads(Path("scored/hfclean.json").read_text())["transforms"] if s["by"] == "Judge"]
    assert step["words"]["rubric"]["dimensions"][0]["name"] == "polite"
    assert step["settings"]["rubric"] == f"manners {judge_rubric('rubric.yaml').digest}"
    assert main(["score", "rows.jsonl", "--criteria", "rubric.yaml"]) == 2
    assert "--criteria is for a judge" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"x" * (MOST_BYTES + 1), "has more than 200,000 bytes"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"a\0b", "byte 0"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused(content: bytes | None, said: str, work: Path) -> None:
    if content is not None:
        (work / "p.txt").write_bytes(content)
    with pytest.raises(UsageError, match=f"--instructions 'p.txt'.*{said}"):
        read_text("--instructions", "p.txt")


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        (["--instructions", "f", "--method", "reflection"], "x", "give them with --criteria FILE"),
        (["--criteria", "f"], "[]", "--criteria needs --method reflection"),
        (["--criteria", "f", "--method", "reflection"], "{a: 1}", "expected a list of criteria"),
        (["--criteria", "f", "--method", "reflection"], json.dumps(RUBRIC), "this is a rubric, which is for judges"),
        (["--criteria", "f", "--method", "reflection"], "[{nmae: x}]", "unknown key 'nmae' .did you mean 'name'"),
        (["--criteria", "f", "--method", "reflection"], "[{name: x, side: response}]", "meaning is missing"),
        (["--criteria", "f", "--method", "reflection"], "[{name: 1, meaning: a, side: b}]", "expected text"),
        (["--criteria", "f", "--method", "reflection"], "!!python/name:os.system", "neither yaml nor json"),
        (["--criteria", "f", "--method", "reflection"], "[" * 9000, "neither yaml nor json"),
    ],
)
def test_words_that_do_not_go_with_the_method_are_refused(
    words: list[str], content: str, said: str, work: Path
) -> None:
    (work / "f").write_text(content)
    with pytest.raises(UsageError, match=said):
        made(*words)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"low": "0"}, "low: expected a number"),
        ({"high": True}, "high: expected a number"),
        ({"dimensions": "x"}, "expected a rubric"),
        ({"dimensions": [{"name": "a b", "meaning": "m"}]}, "snake_case"),
        ({"dimensions": [{"name": "a", "meaning": "m", "band": [1]}]}, "band: expected two numbers"),
        ({"hihg": 3}, "did you mean 'high'"),
    ],
)
def test_a_rubric_that_is_off_is_named(change: dict[str, Any], said: str, work: Path) -> None:
    (work / "r.yaml").write_text(json.dumps(RUBRIC | change))
    with pytest.raises(UsageError, match=said):
        judge_rubric("r.yaml")
