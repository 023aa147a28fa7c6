"""What the figures of `hfclean.evaluate_reviser` say of revisers that are known: rules, experts, and length alone.

    python benchmarks/revisers.py
    python benchmarks/revisers.py --rows 300

The 1,800 pairs of real experts (`HFCLEAN_REALDATA`, else ../shared/data) are taken twice: by the rules, and by a
reviser that gives exactly the experts' answers, so that what its gate refuses, and what "the longer of both" would
make of them, is seen. Rows that a strong judge rated 4.5 of 5 or more stand for those that need nothing. Then the
published review logs are counted, with and without length. No model is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import hfclean
from hfclean.evaluation.revised_pairs import read_pairs
from hfclean.evaluation.revising import ReviserEvaluation
from hfclean.reviser.codec import encode
from hfclean.testing_models import ScriptedBackend

ROOT = Path(__file__).resolve().parent.parent
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))


def rows_of(name: str) -> Iterator[dict[str, Any]]:
    with (REALDATA / name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def untouched(pairs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows that a judge rated highly, less those that the experts found something in all the same."""
    revised = {(row["raw_instruction"], row["raw_input"]) for row in pairs}
    for row in rows_of("alpaca_6k.jsonl"):
        if row["claude_ge_4_5"] and (row["instruction"], row["input"]) not in revised:
            yield row


def experts(pairs: list[dict[str, Any]]) -> hfclean.Reviser:
    """A reviser that answers what the experts wrote, and all else with what it was shown."""
    read = read_pairs(pairs)
    known = {encode(raw): encode(expert) for raw, expert in zip(read.raw, read.expert, strict=True)}

    def answer(conversation: Any) -> str:
        shown = conversation[-1].content
        shown = shown[shown.rindex("\n[Instruction]\n") + 1 :]
        return known.get(shown, shown)

    return hfclean.Reviser(ScriptedBackend(answer))


def markdown(found: ReviserEvaluation, name: str) -> str:
    head, *rows = found.table()
    head[1] = name
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join([f"`{row[0]}`", *row[1:]]) + " |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description="what the figures of a reviser say of revisers that are known")
    parser.add_argument("--rows", type=int, default=1800, help="pairs to read")
    parser.add_argument("--clean", type=int, default=500, help="rows that need nothing")
    options = parser.parse_args()
    pairs = list(islice(rows_of("expert_revisions_1800.jsonl"), options.rows))
    clean = list(islice(untouched(pairs), options.clean))
    for name, reviser in (("rules", hfclean.revise), ("experts through the gate", experts(pairs))):
        start = time.process_time()
        found = hfclean.evaluate_reviser(reviser, pairs, clean=clean)
        print(f"{name}\n{found}\n{time.process_time() - start:.1f} CPU seconds\n\n{markdown(found, name)}\n")

    reviews = list(rows_of("judge_reviews_gpt4.jsonl"))
    for name in dict.fromkeys(row["benchmark"] for row in reviews):
        some = [row for row in reviews if row["benchmark"] == name]
        counted = hfclean.evaluation.win_rate(
            some, scores="scores_ab", scores_swapped="scores_ba", texts=("answer_a", "answer_b")
        )
        print(f"{name}\n{counted}\n")


if __name__ == "__main__":
    main()
