"""Whether the embedded scores agree with the repairs: of the rows that the rules change, how many scores rise.

    python benchmarks/agreement_with_repairs.py [--show]

Every row of the README's example and of the real rows (`HFCLEAN_REALDATA`, else ../shared/data) goes through
`hfclean.revise` and is scored before and after; only rows whose scored pair changed are counted. `--show` names the
rows whose score falls. Beside each score stands what the bare rule, without what `hfclean.scorers.agreement` does,
would have said.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hfclean
from hfclean.schema import detect
from hfclean.scorers.embedded import preference_rule, rating_rule

ROOT = Path(__file__).resolve().parent.parent
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))
SCORES = ("preference", "rating")


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def count(path: Path, show: bool) -> Counter[tuple[str, str]]:
    """How many scores of changed rows rise, stay and fall."""
    found: Counter[tuple[str, str]] = Counter()
    for number, row in enumerate(rows_of(path)):
        try:
            view = detect(tuple(row))
        except hfclean.errors.SchemaError:  # benchmarks and verdicts have no rows to repair
            return found
        after = {**row, **hfclean.revise(row)}
        old, new = view.pairs(row)[-1], view.pairs(after)[-1]
        if old == new:
            continue
        found["rows", ""] += 1
        (before, now), _ = zip(*(hfclean.Score().scored([[pair]]) for pair in (old, new)), strict=True)
        for name in SCORES:
            found[name, "+-"[now[name][0] < before[name][0]] if now[name][0] != before[name][0] else "="] += 1
            if show and now[name][0] < before[name][0]:
                print(f"  {path.name}:{number} {name} {before[name][0]:.4f} -> {now[name][0]:.4f}")
        for name, rule in (("bare preference", preference_rule()), ("bare rating", rating_rule())):
            low, high = rule.predict(old), rule.predict(new)
            found[name, "=" if low == high else "-" if high < low else "+"] += 1
    return found


def main() -> None:
    options = argparse.ArgumentParser(description="Whether scores rise where rules repair.")
    options.add_argument("--show", action="store_true", help="name the rows whose score falls")
    args = options.parse_args()
    real: Counter[tuple[str, str]] = Counter()
    paths = sorted(REALDATA.glob("*.jsonl")) if REALDATA.is_dir() else []
    for path in paths:
        real += count(path, args.show)
    for name, found in (
        ("examples/messy.jsonl", count(ROOT / "examples/messy.jsonl", args.show)),
        ("real rows", real),
    ):
        print(f"{name}: {found['rows', '']} rows whose scored pair the rules change; risen, equal, fallen")
        for score in (*SCORES, *(f"bare {score}" for score in SCORES)):
            print(f"  {score:16}", *(f"{found[score, sign]:6d}" for sign in "+=-"))


if __name__ == "__main__":
    main()
