"""A real model through transformers and through a real server: estimate, preview, revise, judge, one store."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from extras import needs

needs("models", "torch", "transformers")
needs("test", "xllamacpp")

from datasets import Dataset
from weights import Weights, serving

import hfclean
from hfclean.cli import main
from hfclean.models import Generation, ModelSpec, ask, look
from hfclean.models import store as answers

pytestmark = [pytest.mark.weights, pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")]
NAME = "smollm2"
QUESTIONS = ["Name three fruits.", "What is the capital of France?", 'Translate "good morning" into Spanish.']
SHORT = Generation(max_new_tokens=12)
ROWS = [
    {"instruction": "Give a synonym of 'big'.", "input": "", "output": "large"},
    {"instruction": "Name the capital of France.", "input": "", "output": "the capital of France is is Paris"},
    {"instruction": "Write one sentence about autumn.", "input": "", "output": "The leaves turned red overnight"},
]
# in hfclean's own words a model of this size puts no answer into the form that was asked for
INSTRUCTIONS = """Correct the spelling of the response.

Example:
[Instruction]
Name a lake.
[Input]

[Response]
a laek
[End]

Answer:
[Response]
A lake.
[End]

Now the same for this. Begin with [Response]:
"""


@pytest.fixture(autouse=True)
def _home(own_home: None) -> None:
    """Every test has answers of its own."""


@pytest.fixture(scope="module")
def url(smollm: Weights) -> Iterator[str]:
    with serving(smollm.gguf) as address:
        yield address


def _source(url: str) -> str:
    return f"{url.removeprefix('http://')} {NAME}"


def test_answers_of_server_and_folder_stand_apart_in_one_store(smollm: Weights, url: str) -> None:
    swapped = "{% for m in messages %}Q: {{ m.content }}\nA:{% endfor %}"
    with serving(smollm.gguf, chat_template=swapped) as other:
        specs = [ModelSpec(NAME, base_url=url), ModelSpec(NAME, base_url=other), ModelSpec(str(smollm.folder))]
        given = []
        for spec in specs:
            assert look(spec, QUESTIONS, SHORT) == [None] * 3  # however many answers of the others lie there
            given.append(ask(spec, QUESTIONS, SHORT))
        for spec, fresh in zip(specs, given, strict=True):
            again = ask(spec, QUESTIONS, SHORT)
            assert not any(answer.cached for answer in fresh)
            assert all(answer.cached for answer in again)
            assert [answer.text for answer in again] == [answer.text for answer in fresh]
    served, elsewhere, local = given
    stored = answers.stats()
    assert list(stored.sources.values()) == [3, 3, 3]
    assert list(stored.sources)[:2] == sorted([_source(url), _source(other)])
    assert re.fullmatch(r"local sha256:[0-9a-f]{64}", list(stored.sources)[2])
    rows = list(answers.open_store().rows())
    assert len({row["key"] for row in rows}) == 9
    for source, mine in ((_source(url), served), (list(stored.sources)[2], local)):
        assert {row["text"] for row in rows if row["source"] == source} == {answer.text for answer in mine}
    # the same prompt, token for token; the weights are those of one file, the sums are not
    assert [answer.prompt_tokens for answer in served] == [answer.prompt_tokens for answer in local]
    assert served[0].text == local[0].text
    assert "Paris" in local[1].text
    assert [answer.prompt_tokens for answer in elsewhere] != [answer.prompt_tokens for answer in served]
    assert elsewhere[0].text != served[0].text


@pytest.mark.parametrize("way", ["server", "folder"])
def test_estimate_preview_revise_and_judge(smollm: Weights, url: str, way: str, work: Path, capsys: Any) -> None:
    Dataset.from_list(ROWS).to_json("rows.jsonl")
    Path("words.txt").write_text(INSTRUCTIONS, encoding="utf-8")
    model = ["--model", NAME, "--base-url", url] if way == "server" else ["--model", str(smollm.folder)]
    words = ["rows.jsonl", *model, "--revise", "response", "--instructions", "words.txt"]
    words += ["--model-option", "max_new_tokens=24", "--json"]

    def run(*command: str) -> dict[str, Any]:
        assert main([*command]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    estimate = run("estimate", *words)
    assert estimate["requests"] == 3
    assert answers.stats().answers == 0
    preview = run("revise", *words, "--preview", "2", "--quiet")
    assert (preview["usage"]["asked"], len(preview["rows"]), answers.stats().answers) == (2, 2, 2)
    read = preview["usage"]["prompt_tokens"] / 2
    assert read / 2 < estimate["prompt_tokens"] / 3 < read  # by bytes, and without what the chat template adds
    run("revise", *words, "--out", "revised", "--quiet")
    assert answers.stats().answers == 3
    told = json.loads(Path("revised", "hfclean.json").read_text(encoding="utf-8"))["transforms"][0]
    assert (told["usage"]["asked"], told["usage"]["reused"]) == (1, 2)
    dataset = Dataset.from_parquet([str(f) for f in Path("revised", "data").iterdir()], cache_dir="reload")
    for before, after in zip(ROWS, dataset, strict=True):
        assert (after["edit"] == "revised") == (after["output"] != before["output"])
        assert after["edit"] == "kept" or after["edit_reason"]
    assert "kept" in dataset["edit"] or "revised" in dataset["edit"]
    assert [{name: row[name] for name in ROWS[0]} for row in hfclean.restore(dataset)] == ROWS

    spec = {"model": NAME, "base_url": url} if way == "server" else {"model": str(smollm.folder)}
    judged = Dataset.from_list(ROWS[:2]).map(hfclean.Judge(**spec, rubric="ten", max_new_tokens=48), batched=True)
    for row in judged:
        assert (math.isnan(row["judge"]), 1 <= row["judge"] <= 10) == (
            (True, False) if row["judge_reason"] else (False, True)
        )
        assert row["judge_reason"] in ("", "unfinished", "unparsed", "several_scores", "out_of_range")
    assert set(answers.stats().sources.values()) == {5}


def test_a_server_without_log_probabilities_of_prompts_says_so(url: str) -> None:
    with pytest.raises(hfclean.models.BackendError, match="without the log-probabilities of the prompt"):
        hfclean.scorers.Perplexity(NAME, base_url=url)(ROWS[0])
