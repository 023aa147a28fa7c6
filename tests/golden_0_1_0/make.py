"""How the files beside this one were made, once. It needs hfclean 0.1.0, and no later version may run it:

    git worktree add ../v010 v0.1.0 && cd ../v010 && PYTHONPATH=.:tests python THIS_FILE OUT

Each artefact is a `.tar.gz` of one folder, exactly as 0.1.0 wrote it. `raw/NAME.jsonl` is what went into the cleaned
folder NAME, and `raw/NAME.json` its rows, split by split, as 0.1.0 read them and as its `undo` gives them back. All
rows are written by hand here.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from coached import INSTRUCTIONS, base_model, names, pair
from datasets import Dataset
from fake_hub import FakeHub, direct

import hfclean
from hfclean.cli import main
from hfclean.hub import Patience
from hfclean.models import Answer, Generation, ModelSpec, ask, open_backend, process
from hfclean.models.store import Record, Setting
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.source import load

OUT = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).parent
WORK = Path(tempfile.mkdtemp(prefix="golden-"))
CALL = '{"name": "weather", "arguments": {"city": "Ulm"}}'
TOOLS = '[{"name": "weather", "description": "The weather of a city.", "parameters": {"city": {"type": "string"}}}]'


def turns(*texts: str, keys: tuple[str, str] = ("role", "content")) -> list[dict[str, str]]:
    """Turns by turns, beginning with the user's."""
    roles = ("user", "assistant") if keys[0] == "role" else ("human", "gpt")
    return [{keys[0]: roles[k % 2], keys[1]: text} for k, text in enumerate(texts)]


ALPACA = [
    {"instruction": "Name a fruit.", "input": "N/A", "output": "An apple.</s>"},
    {"instruction": "Name a colour.", "input": "", "output": "Red."},
    {"instruction": "Name a tree.", "input": "", "output": "An oak.<|im_end|>"},
    {"instruction": "Name a colour.", "input": "", "output": "Red."},
    {"instruction": "Say where it opens.", "input": "The cafÃ© in Ulm", "output": "The cafÃ© opens at nine."},
    {"instruction": "Give an answer.", "input": "", "output": ""},
]
MIXED = [
    {"instruction": "Give the door code.", "input": "", "output": "007", "score": 1},
    {"instruction": "Count the apples.", "input": "3 and 4", "output": 7, "score": 0.5},
    {"instruction": "Name a river.", "input": "", "output": "The Danube.</s>", "score": 2},
]
SHAPES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "alpaca": (ALPACA, ["--drop-duplicates", "--license", "cc-by-4.0", "--language", "en"]),
    "dolly": (
        [
            {
                "instruction": "Who wrote the letter?",
                "context": "The letter is signed by Ada.",
                "response": "Ada did.<|endoftext|>",
                "category": "closed_qa",
            },
            {"instruction": "Name a bird.", "context": "", "response": "A wren.", "category": "open_qa"},
        ],
        [],
    ),
    "strings": (
        [
            {"prompt": "Say hello.", "completion": " Hello!</s>"},
            {"prompt": "Give the code.", "completion": "007"},
        ],
        [],
    ),
    "completions": (
        [
            {"prompt": turns("Say hello."), "completion": turns("", "Hello!<|im_end|>")[1:]},
            {"prompt": turns("Name a lake."), "completion": turns("", "Lake Constance.")[1:]},
        ],
        [],
    ),
    "messages": (
        [
            {
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    *turns("Hi.", "Hello.</s>", "Name a fruit.", "A pear.<|im_end|>"),
                ],
                "id": 7,
            },
            {"messages": turns("Name a tree.", "An elm."), "id": 8},
        ],
        ["--turns", "all"],
    ),
    "conversations": (
        [
            {
                "system": "Use the tools.",
                "conversations": [
                    {"from": "human", "value": "What is the weather in Ulm?"},
                    {"from": "function_call", "value": CALL},
                    {"from": "observation", "value": '{"sky": "clear"}'},
                    {"from": "gpt", "value": "The sky over Ulm is clear.</s>"},
                ],
                "tools": TOOLS,
            },
            {
                "system": "",
                "conversations": turns("Name a bird.", "A robin.", keys=("from", "value")),
                "tools": "[]",
            },
        ],
        [],
    ),
    "preference": (
        [
            {"prompt": "Name a fruit.", "chosen": "An apple.</s>", "rejected": "a aple</s>"},
            {"prompt": "Name a tree.", "chosen": "An oak.", "rejected": "Oak oak."},
        ],
        ["--side", "both"],
    ),
    "preference_messages": (
        [
            {
                "prompt": turns("Name a fruit."),
                "chosen": turns("", "An apple.</s>")[1:],
                "rejected": turns("", "No.")[1:],
                "margin": 1.5,
            }
        ],
        [],
    ),
    "preference_implicit": (
        [{"chosen": turns("Name a fruit.", "An apple.</s>"), "rejected": turns("Name a fruit.", "No.</s>")}],
        ["--side", "both"],
    ),
    "mixed": (MIXED, []),
    "renamed": (
        [
            {"question": "Name a fruit.", "answer": "An apple.</s>", "edit": "mine"},
            {"question": "Name a tree.", "answer": "An oak.", "edit": "mine too"},
        ],
        ["--columns", "instruction=question,response=answer", "--prefix", "x_"],
    ),
}
TOWNS = [{"instruction": f"Describe town {k}.", "input": "", "output": f"town {k} is old</s>"} for k in range(6)]


def reply(request: Received, _: int) -> Reply:
    """Well; but town 3 fails, of town 4 the revision says another number, and town 5 gets no pair."""
    k = int(re.findall(r"Describe town (\d+)\.", request.content)[-1])
    if k == 3:
        return Reply("too odd a text", status=400)
    if k == 5:
        return Reply("I would rather talk about the sea.")
    return Reply(encode(Pair(f"Describe town {k}.", "", f"Town {777 if k == 4 else k} is old.")))


def command(*words: str) -> None:
    """Run the command line."""
    assert main([*words]) == 0, words


def pack(name: str, folder: Path) -> None:
    """The folder as `NAME.tar.gz`, without names and times of this machine."""

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        return info

    with tarfile.open(OUT / f"{name}.tar.gz", "w:gz", compresslevel=9) as file:
        file.add(folder, arcname=name, filter=plain)


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Rows as JSON lines."""
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def keep_raw(name: str, source: Path, folder: Path) -> None:
    """Keep what went in, after making sure that 0.1.0 gives it back itself."""
    read = load(str(source), cache_dir=WORK / f"{name}-cache").dataset
    rows = {split: part.to_list() for split, part in read.items()}
    if (folder / "removed").is_dir():  # what was dropped stays dropped
        rows = {split: [row for k, row in enumerate(part) if row not in part[:k]] for split, part in rows.items()}
    command("undo", str(folder), "--out", str(WORK / f"{name}-undone"))
    again = load(str(WORK / f"{name}-undone"), cache_dir=WORK / f"{name}-again").dataset
    assert again["train"].to_list() == rows["train"], name
    (OUT / "raw" / f"{name}.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    shutil.copy(source, OUT / "raw" / f"{name}.jsonl")


def cleaned_folders() -> None:
    """A cleaned folder of each shape."""
    for name, (rows, words) in SHAPES.items():
        source = lines(WORK / f"{name}.jsonl", rows)
        folder = WORK / "cleaned" / name
        command("clean", str(source), "--out", str(folder), "--quiet", *words)
        keep_raw(name, source, folder)
        pack(name, folder)


def modelled_folder() -> None:
    """A folder that a model revised, with rows that failed and rows whose revision was not taken."""
    source = lines(WORK / "towns.jsonl", TOWNS)
    folder = WORK / "cleaned" / "modelled"
    with ChatServer(default=reply) as server:
        at = ["--model", "tiny", "--base-url", server.url, "--store", str(WORK / "towns.sqlite3")]
        command("clean", str(source), "--out", str(folder), "--quiet", *at)
    keep_raw("modelled", source, folder)
    pack("modelled", folder)


def answers() -> None:
    """A file of answers of four servers: two with a port, one on a default port, one under a name."""
    path = WORK / "store" / "answers.sqlite3"
    path.parent.mkdir()
    asked = [f"Name a fruit, number {k}." for k in range(3)]
    with ChatServer(default=lambda request, _: Reply(f"from the server: {request.content}")) as server:
        ask(ModelSpec("tiny", base_url=server.url, store=str(path)), asked)
        ask(ModelSpec("tiny", base_url=f"http://localhost:{server.port}/v1", store=str(path)), asked[:2])
        ask(ModelSpec("tiny", base_url=server.url, store=str(path), cache_as="my-coach-1"), asked[:1])
    backend = open_backend(ModelSpec("tiny", base_url="https://llm.example.org/v1", store=str(path)))
    plan = backend._plan(asked, Generation(), "")  # nobody can be asked there from a test
    assert backend.store is not None
    assert isinstance(plan.setting, Setting)
    backend.store.put(
        [
            Record(key, plan.setting, messages, Answer("from afar", prompt_tokens=5, completion_tokens=2), 7, 0.0)
            for key, messages in plan.messages.items()
        ]
    )
    process.close()
    pack("store", path.parent)


def revisers() -> None:
    """A coach with its weights, a reviser of a served model, a reviser by rules, a linear rule."""
    known = names(40)
    coach = WORK / "coach"
    hfclean.train_reviser(
        [pair(name) for name in known],
        base_model(WORK / "base", hidden=16),
        {"num_train_epochs": 1, "per_device_train_batch_size": 16, "save_strategy": "no", "disable_tqdm": True},
        folder=coach,
        revise="response",
        instructions=INSTRUCTIONS,
        max_new_tokens=24,
    )
    pack("coach", coach)
    served = hfclean.Reviser("tiny", base_url="http://127.0.0.1:9/v1", instructions="Mend it.", revise="response")
    pack("served", served.save_pretrained(WORK / "served"))
    pack("rules", hfclean.RuleReviser(skip=("placeholder_input",)).save_pretrained(WORK / "rules"))


def mining() -> None:
    """The runs of an experiment, and the rule that `hfclean mine fit` made of them."""
    chance = random.Random(0)
    pool = Dataset.from_dict(
        {
            "instruction": [f"question {k}" for k in range(60)],
            "output": [f"answer {k}" for k in range(60)],
            "reward": [chance.gauss(0, 1) for _ in range(60)],
        }
    )
    rewards = list(pool["reward"])

    def measured(rows: Any, seed: int) -> float:
        picks = [int(prompt.split()[-1]) for prompt in rows["prompt"]]
        return 2.0 - 0.5 * sum(rewards[k] for k in picks) / len(picks) + random.Random(seed).gauss(0, 0.01)

    measured.__qualname__ = "measured"
    unseen = [{"prompt": "something else", "completion": "yes"}]
    how: dict[str, Any] = {"indicators": ["reward"], "runs": 12, "size": 20, "measure": measured}
    hfclean.mining.experiment(pool, "base", unseen, folder=WORK / "runs", **how)
    lines(OUT / "raw" / "runs_pool.jsonl", pool.to_list())
    pack("runs", WORK / "runs")
    command("mine", "fit", str(WORK / "runs" / "runs.jsonl"), "--predictor", "reward", "--out", str(WORK / "rule"))
    pack("rule", WORK / "rule")


def verdicts() -> None:
    """What a person said of the rows of the folder `alpaca`."""
    rows = Dataset.from_parquet([str(f) for f in (WORK / "cleaned" / "alpaca" / "data").iterdir()]).to_list()
    judged = [
        {"row_id": rows[0]["row_id"], "verdict": "accept"},
        {"row_id": rows[2]["row_id"], "verdict": "edit", "output": "An oak tree."},
        {"row_id": rows[3]["row_id"], "verdict": "reject"},
    ]
    lines(OUT / "verdicts.jsonl", judged)


@contextmanager
def loopback() -> Iterator[FakeHub]:
    """The tests' Hub."""
    hub = FakeHub()
    hub.home = WORK / "hub"
    with pytest.MonkeyPatch.context() as patch:
        direct(hub, patch)
        with hub:
            yield hub


def pushed() -> None:
    """The files of a repo of a dataset and of one of a reviser, as a push wrote them."""
    quick = Patience(sleep=lambda seconds: None)
    with loopback() as hub:
        hfclean.push_dataset(WORK / "cleaned" / "alpaca", "me/alpaca", patience=quick)
        hfclean.push_reviser(
            hfclean.RuleReviser(skip=("placeholder_input",)), "me/rules", license="apache-2.0", patience=quick
        )
        hfclean.push_reviser(str(WORK / "coach"), "me/coach", license="apache-2.0", patience=quick)
        for name, kind in (("alpaca", "dataset"), ("rules", "model"), ("coach", "model")):
            folder = WORK / f"pushed_{name}"
            for path, content in hub.repo(f"me/{name}", kind).files.items():
                if name == "coach" and path == "model.safetensors":
                    continue  # the same as in the folder `coach`
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
            pack(f"pushed_{name}", folder)


if __name__ == "__main__":
    assert hfclean.__version__ == "0.1.0"
    (OUT / "raw").mkdir(parents=True, exist_ok=True)
    for make in (cleaned_folders, modelled_folder, answers, revisers, mining, verdicts, pushed):
        make()
    process.close()
    shutil.rmtree(WORK)
