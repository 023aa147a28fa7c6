"""What a real model makes of the 175 seed tasks of Self-Instruct: kept share and reasons, as they are.

    export HFCLEAN_WEIGHTS=~/weights OMP_NUM_THREADS=1; python tests/weights.py
    python benchmarks/generating.py --rows 200 --folder made        SmolLM2-135M-Instruct, served by llama.cpp
    python benchmarks/generating.py --rows 200 --folder made --text the same, asked for plain text instead of JSON

Answers and rounds are kept as they come: a run that was stopped goes on. At the end stand the ledger and some rows.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from weights import VARIABLE, serving, weights_at

from hfclean.errors import HfcleanError
from hfclean.generation import Prompts, Rounds, generator_of
from hfclean.generation.generating import run
from hfclean.models import Limits, process

REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", Path(__file__).parent.parent.parent / "shared" / "data"))
SHOWN = 12


def main() -> None:
    parser = argparse.ArgumentParser(description="rows that a small real model makes after 175 seed tasks")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--text", action="store_true", help="ask for plain text instead of JSON")
    parser.add_argument("--tokens", type=int, default=256, help="the longest answer")
    args = parser.parse_args()
    logging.basicConfig(format="note: %(message)s")
    made = weights_at(Path(os.environ[VARIABLE]))
    seeds = [json.loads(line) for line in (REALDATA / "seed_tasks_175.jsonl").read_text("utf-8").splitlines()]
    began = time.process_time()
    with serving(made.gguf) as url:
        generator = generator_of(
            "smollm2",
            base_url=url,
            cache_as=f"llama.cpp {made.gguf.name}",
            limits=Limits(concurrency=1, start=1),
            prompt=Prompts(structured=not args.text),
            max_new_tokens=args.tokens,
        )
        benchmarks = [
            str(file) for file in sorted((REALDATA / "benchmarks").glob("*.jsonl")) if "sinstruct" in file.name
        ]
        rounds = Rounds(generator, args.folder, against=benchmarks)
        try:
            run(rounds, seeds, args.rows)
        except HfcleanError as e:
            print(e)
    process.close()
    for line in rounds.ledger():
        print(json.dumps(line))
    kept = rounds.kept if rounds.done else []
    for k in sorted(random.Random(0).sample(range(len(kept)), min(SHOWN, len(kept)))):
        row = kept[k]
        print(json.dumps({name: row[name] for name in ("instruction", "input", "output", "similarity")}))
    print(f"{time.process_time() - began:.0f} CPU seconds")


if __name__ == "__main__":
    main()
