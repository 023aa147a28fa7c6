"""Made rows: what rows that a model made after seeds tell of that themselves, where no record of the generation is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hfclean.passes import iterate
from hfclean.report.record import Generated

# the lineage that a generation writes; other datasets have columns of one of these names, hardly of all
ID, BY, ROUND, SEEDS = "made_id", "made_by", "round", "seed_ids"
LINEAGE = (ID, BY, ROUND, SEEDS, "parent_ids", "nearest", "similarity")
MOST_NAMES = 5  # of models, which are a stranger's words
LONGEST_NAME = 200


def remembered(splits: Mapping[str, Any]) -> Generated | None:
    """How a model made the rows, as their own columns say: who, in how many rounds, after how many seeds. What it took
    and what was dropped they do not say, and `requests` is 0. None if no row says that it was made."""
    makers: Counter[str] = Counter()
    seeds: set[str] = set()
    rounds = 0
    for ds in splits.values():
        if not set(LINEAGE) <= set(ds.column_names):
            continue
        for rows in iterate(ds, [ID, BY, ROUND, SEEDS]):
            for row in rows:
                if isinstance(row[ID], str) and row[ID]:
                    makers[str(row[BY])[:LONGEST_NAME]] += 1
                    rounds = max(rounds, row[ROUND]) if isinstance(row[ROUND], int) else rounds
                    seeds.update(name for name in row[SEEDS] or () if isinstance(name, str))
    if not makers:
        return None
    names = [name for name, _ in sorted(makers.items(), key=lambda item: (-item[1], item[0]))]
    more = [f"and {len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    return Generated(
        made_by=", ".join([*names[:MOST_NAMES], *more]),
        server="",
        answered_by=(),
        own_words=False,
        seeds="",
        seeds_rows=len(seeds),
        seeds_license="",
        teacher_license="",
        rounds=rounds,
        requests=0,
        tasks=0,
        new=0,
        kept=makers.total(),
        dropped=(),
        left_out=(),
        novelty=math.nan,
        benchmarks=(),
        prompt_tokens=0,
        completion_tokens=0,
        estimated=False,
        cost=math.nan,
        currency="",
    )
