"""What a real model makes of the 175 seed tasks of Self-Instruct: kept share and reasons, as they are.

    export HFCLEAN_WEIGHTS=~/weights OMP_NUM_THREADS=1; python tests/weights.py
    python benchmarks/generating.py --folder made           200 tasks of SmolLM2-135M-Instruct, served by llama.cpp
    python benchmarks/generating.py --folder other --text   the same, asked for plain text instead of JSON

Answers and the round are kept as they come: a run that was stopped goes on. At the end stand ledger and some rows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from weights import VARIABLE, serving, weights_at

from hfclean.generation import Prompts, Rounds, generator_of
from hfclean.models import Limits, process

REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", Path(__file__).parent.parent.parent / "shared" / "data"))
SHOWN = 12


def main() -> None:
    parser = argparse.ArgumentParser(description="rows that a small real model makes after 175 seed tasks")
    parser.add_argument("--requests", type=int, default=25, help="for tasks, eight in each")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--text", action="store_true", help="ask for plain text instead of JSON")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-p", type=float, default=0.5)
    parser.add_argument("--tokens", type=int, default=256, help="the longest answer")
    args = parser.parse_args()
    made = weights_at(Path(os.environ[VARIABLE]))
    seeds = [json.loads(line) for line in (REALDATA / "seed_tasks_175.jsonl").read_text("utf-8").splitlines()]
    with serving(made.gguf) as url:
        generator = generator_of(
            "smollm2",
            base_url=url,
            cache_as=f"llama.cpp {made.gguf.name}",
            limits=Limits(concurrency=1, start=1),
            prompt=Prompts(structured=not args.text),
            temperature=args.temperature,
            top_p=args.top_p,
            max_new_tokens=args.tokens,
        )
        rounds = Rounds(generator, args.folder, against=[REALDATA / "benchmarks" / "sinstruct.jsonl"])
        rounds.generate_round(seeds, 8 * args.requests, requests=args.requests)
    process.close()
    print(json.dumps(rounds.ledger()[-1]))
    kept = rounds.kept
    for k in sorted(random.Random(0).sample(range(len(kept)), min(SHOWN, len(kept)))):
        print(json.dumps({name: kept[k][name] for name in ("instruction", "input", "output", "similarity")}))
    print(f"{time.process_time():.0f} CPU seconds")


if __name__ == "__main__":
    main()
