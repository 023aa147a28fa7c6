"""What a real model makes of the 175 seed tasks of Self-Instruct: kept share and reasons, as they are.

    export HFCLEAN_WEIGHTS=~/weights OMP_NUM_THREADS=1; python tests/weights.py
    python benchmarks/generating.py --folder made           200 rows of SmolLM2-135M-Instruct, served by llama.cpp
    python benchmarks/generating.py --folder other --text   the same, asked for plain text instead of JSON
    python benchmarks/generating.py --folder third --local  the same weights through transformers, in plain text
    python benchmarks/generating.py --folder made --show    every row that was written, kept and dropped, to be read
    python benchmarks/generating.py --real                  what the filters say of rows that are there already

Answers and rounds are kept as they come: a run that was stopped goes on. At the end stands the ledger.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from weights import VARIABLE, Weights, serving, weights_at

from hfclean.generation import FILTERS, Draft, Generator, Prompts, Rounds, generator_of
from hfclean.models import Limits, process
from hfclean.schema import Pair

REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", Path(__file__).parent.parent.parent / "shared" / "data"))
FIELDS = ("instruction", "input", "output", "task", "answer", "reason", "detail", "similarity")


def main() -> None:
    parser = argparse.ArgumentParser(description="rows that a small real model makes after 175 seed tasks")
    parser.add_argument("--rows", type=int, default=200, help="that the teacher was asked for, kept or not")
    parser.add_argument("--requests", type=int, default=10, help="for tasks in a round, eight in each")
    parser.add_argument("--folder", help="where the rounds are kept")
    parser.add_argument("--real", action="store_true", help="run the filters over rows of Alpaca, Dolly and the seeds")
    parser.add_argument("--text", action="store_true", help="ask the server for plain text instead of JSON")
    parser.add_argument("--local", action="store_true", help="run the model through transformers")
    parser.add_argument("--gguf", type=Path, help="another model for the server")
    parser.add_argument("--template", default="", help="the chat template of such a model, as llama.cpp names it")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-p", type=float, default=0.5)
    parser.add_argument("--tokens", type=int, default=256, help="the longest answer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print what the folder has")
    args = parser.parse_args()
    if args.real:
        print_real()
        return
    if not args.folder:
        parser.error("--folder is missing")
    seeds = [json.loads(line) for line in (REALDATA / "seed_tasks_175.jsonl").read_text("utf-8").splitlines()]
    with teacher(args, weights_at(Path(os.environ[VARIABLE]))) as generator:
        rounds = Rounds(generator, args.folder, against=[REALDATA / "benchmarks" / "sinstruct.jsonl"])
        rounds.adopt(seeds)
        while not args.show and asked(rounds) < args.rows:
            rounds.generate_round(seeds, 8 * args.requests, requests=args.requests)
            print(json.dumps(rounds.ledger()[-2]), flush=True)
    process.close()
    for part in (rounds.kept, rounds.dropped) if args.show else ():
        for row in part:
            print(json.dumps({name: row[name] for name in FIELDS if row.get(name)}, ensure_ascii=False))
    print(json.dumps(rounds.ledger()[-1]))
    print(f"{time.process_time():.0f} CPU seconds")


def print_real() -> None:
    """Print how many rows of other people each filter of rows would have dropped."""
    rows = [
        *lines_of("alpaca_6k.jsonl", ("instruction", "input", "output"))[::3],
        *lines_of("dolly_2k.jsonl", ("instruction", "context", "response"))[::2],
    ]
    counts: Counter[str] = Counter()
    dropped = 0
    for pair in rows:
        row = {"instruction": pair.instruction, "input": pair.input, "output": pair.response}
        draft = Draft(pair.instruction, 0, row=row, pair=pair, finish_reason="stop", words=Prompts().words())
        reasons = {reason for each in FILTERS if each.stage == "row" for reason in each.reasons(draft)}
        counts.update(reasons)
        dropped += bool(reasons)
    print(f"{dropped} of {len(rows)} rows are dropped: {counts.most_common()}")


def lines_of(name: str, columns: tuple[str, str, str]) -> list[Pair]:
    """The rows of a file as pairs."""
    rows = [json.loads(line) for line in (REALDATA / name).read_text("utf-8").splitlines()]
    return [Pair(*(row[column] for column in columns)) for row in rows]


def asked(rounds: Rounds) -> int:
    """Rows that the teacher was asked to write."""
    return int(rounds.ledger()[-1]["requests"].get("rows", 0))


@contextmanager
def teacher(args: argparse.Namespace, made: Weights) -> Iterator[Generator]:
    """How the rows are made, as long as the server runs."""
    settings: dict[str, Any] = {
        "temperature": args.temperature,
        "top_p": args.top_p,
        "max_new_tokens": args.tokens,
        "seed": args.seed,
    }
    if args.local:
        yield generator_of(str(made.folder), limits=Limits(batch_size=4), **settings)
        return
    gguf = args.gguf or made.gguf
    with serving(gguf, chat_template=args.template) as url:
        yield generator_of(
            gguf.stem,
            base_url=url,
            cache_as=f"llama.cpp {gguf.name}",
            limits=Limits(concurrency=1, start=1),
            prompt=Prompts(structured=not args.text),
            **settings,
        )


if __name__ == "__main__":
    main()
