"""What token losses of a real model are worth on real rows: SmolLM2-135M-Instruct, made by `tests/weights.py`.

    export HFCLEAN_WEIGHTS=~/weights OMP_NUM_THREADS=1; python tests/weights.py
    python benchmarks/real_weights.py selection --rows 60    beside a published selection and length
    python benchmarks/real_weights.py ratings --rows 60      beside a strong judge's ratings
    python benchmarks/real_weights.py pairs --rows 40        LLMBar: which of two answers follows the instruction
    python benchmarks/real_weights.py noise --rows 36        which kinds of damage the scores find
    python benchmarks/real_weights.py served --rows 24       the same weights through transformers and llama.cpp

Losses and answers are kept in `HFCLEAN_HOME` as they come: a run that was stopped, or one with more `--rows`, asks for
the rest only. Rows are drawn in an order that a seed settles, from files in `HFCLEAN_REALDATA` (else
../shared/data). At the end stands the CPU time that this run took.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np
import torch
from weights import VARIABLE, Weights, serving, weights_at

import hfclean
from hfclean.evaluation.bootstrap import interval, wilson
from hfclean.evaluation.noise import noise_report
from hfclean.evaluation.ranking import auroc
from hfclean.models import Generation, ModelSpec, ask, process
from hfclean.models.fastest import processor
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule, rating_rule
from hfclean.scorers.likelihood import IFD, IRA, Perplexity

REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", Path(__file__).parent.parent.parent / "shared" / "data"))
KEPT = 8  # rows that are scored together: what a run that is stopped can lose


def rows_of(name: str) -> list[dict[str, Any]]:
    with (REALDATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def scores(model: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The scores of the model and, beside them, those that need none."""
    found: dict[str, list[float]] = {}
    for start in range(0, len(rows), KEPT):
        part = rows[start : start + KEPT]
        batch = {name: [row[name] for row in part] for name in ("instruction", "input", "output")}
        for scorer in (IFD(model), IFD(model, kind="loss"), IRA(model), Perplexity(model)):
            columns = scorer(batch)
            for name in scorer.scores():
                found.setdefault(name, []).extend(columns[name])
    pairs = [Pair(row["instruction"], row["input"], row["output"]) for row in rows]
    found["rating"] = [rating_rule().predict(pair) for pair in pairs]
    found["preference"] = [preference_rule().predict(pair) for pair in pairs]
    found["words"] = [float(len(pair.response.split())) for pair in pairs]
    return {name: np.array(column, dtype=float) for name, column in found.items()}


def _within_quarters(flags: Any, values: Any, lengths: Any) -> float:
    """The mean AUROC in quarters of about equal length, each weighed by how many pairs of rows it compares."""
    order, areas, weights = np.argsort(lengths, kind="stable"), [], []
    for part in np.array_split(order, 4):
        pairs = int(flags[part].sum() * (~flags[part]).sum())
        if pairs:
            areas.append(auroc(flags[part], values[part]))
            weights.append(pairs)
    return float(np.average(areas, weights=weights))


def _drawn(flags: Any, values: Any, draws: int = 1000) -> tuple[float, float]:
    """The 95 % interval of an AUROC, rows of either kind drawn by themselves."""
    rng = np.random.default_rng(0)
    kinds = [np.flatnonzero(flags), np.flatnonzero(~flags)]
    samples = [np.concatenate([rng.choice(kind, len(kind)) for kind in kinds]) for _ in range(draws)]
    return interval(np.array([auroc(flags[rows], values[rows]) for rows in samples]))


def flagged(made: Weights, count: int, flag: str, meaning: str) -> None:
    """AUROC of every score for a flag of Alpaca's rows, which half of the rows have."""
    drawn: list[dict[str, Any]] = []
    for chosen in (True, False):
        rows = [row for row in rows_of("alpaca_6k") if row[flag] == chosen and row["output"].strip()]
        drawn += random.Random(0).sample(rows, len(rows))[: count // 2]
    table = scores(str(made.folder), drawn)
    known = ~np.isnan(table["ifd_ppl"])
    flags = np.array([row[flag] for row in drawn])[known]
    print(f"| {meaning}: {int(flags.sum())} of {len(flags)} | AUROC | within quarters of equal length |")
    print("| --- | ---: | ---: |")
    for name, column in table.items():
        values = column[known]
        low, high = _drawn(flags, values)
        within = _within_quarters(flags, values, table["words"][known])
        print(f"| `{name}` | {auroc(flags, values):.3f} [{low:.3f}, {high:.3f}] | {within:.3f} |")


def selection(made: Weights, count: int) -> None:
    """Beside the published selection of a tuned LLaMA-7B by IFD."""
    flagged(made, count, "llama7b_ifd_top", "in the published selection")


def ratings(made: Weights, count: int) -> None:
    """Beside a strong judge's ratings."""
    flagged(made, count, "claude_ge_4_5", "rated 4.5 or more")


def pairs(made: Weights, count: int) -> None:
    """The share of adversarial pairs of LLMBar that each score puts into the right order; ties count half."""
    rows = [row for row in rows_of("llmbar_pairs") if row["subset"] != "Natural"]
    rows = random.Random(0).sample(rows, len(rows))[:count]
    sides = [
        scores(
            str(made.folder),
            [{"instruction": row["instruction"], "input": "", "output": row[f"output_{side}"]} for row in rows],
        )
        for side in (1, 2)
    ]
    first = np.array([row["label"] == 1 for row in rows])
    print(f"| {len(rows)} pairs | ordered right |\n| --- | ---: |")
    for name in sides[0]:
        gain = np.where(first, sides[0][name] - sides[1][name], sides[1][name] - sides[0][name])
        gain = gain[~np.isnan(gain)]
        right = float((gain > 0).sum() + (gain == 0).sum() / 2)
        low, high = wilson(round(right), len(gain))
        print(f"| `{name}`, the higher | {right / len(gain):.2f} [{low:.2f}, {high:.2f}] |")


def noise(made: Weights, count: int) -> None:
    """`noise_report` on short rows that a strong judge rated 4.5 or more."""
    rows = [row for row in rows_of("alpaca_6k") if row["claude_ge_4_5"] and 5 <= len(row["output"].split()) <= 60]
    drawn = random.Random(0).sample(rows, len(rows))[:count]
    model = str(made.folder)
    kinds = ["swapped", "corrupted_facts"]
    print(noise_report([IRA(model), IFD(model), Perplexity(model)], drawn, noises=kinds).summary())


def served(made: Weights, count: int) -> None:
    """Greedy answers to the same instructions both ways: how many are the same, and where they part."""
    rows = [row for row in rows_of("alpaca_6k") if not row["input"] and len(row["instruction"]) <= 200]
    asked = [row["instruction"] for row in random.Random(0).sample(rows, len(rows))[:count]]
    generation = Generation(max_new_tokens=32)
    with serving(made.gguf) as url:
        there = ask(ModelSpec("smollm2", base_url=url, cache_as=f"llama.cpp {made.gguf.name}"), asked, generation)
    here = ask(ModelSpec(str(made.folder)), asked, generation)
    both = [(a.text.split(), b.text.split()) for a, b in zip(there, here, strict=True)]
    same = sum(a == b for a, b in both)
    low, high = wilson(same, len(both))
    parted = [len(_alike(a, b)) for a, b in both if a != b]
    tokens = sum(a.prompt_tokens == b.prompt_tokens for a, b in zip(there, here, strict=True))
    print(f"{tokens} of {len(both)} prompts have the same number of tokens")
    share = f"{same / len(both):.0%} [{low:.0%}, {high:.0%}]"
    print(f"{same} of {len(both)} answers of at most 32 tokens are the same, {share}")
    if parted:
        print(f"the others part after {np.median(parted):.0f} words (median; {min(parted)} to {max(parted)})")


def _alike(a: Sequence[str], b: Sequence[str]) -> list[str]:
    found = []
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        found.append(left)
    return found


WAYS: dict[str, Callable[[Weights, int], None]] = {
    "selection": selection,
    "ratings": ratings,
    "pairs": pairs,
    "noise": noise,
    "served": served,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="token losses of a real model on real rows")
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--rows", type=int, default=36)
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = time.process_time()
    WAYS[options.way](weights_at(Path(os.environ[VARIABLE])), options.rows)
    process.close()
    print(f"{time.process_time() - before:.0f} CPU seconds, {processor()}, hfclean {hfclean.__version__}")


if __name__ == "__main__":
    main()
