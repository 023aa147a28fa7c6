"""What rows' own tests say about people's fixes of faulty code, what the gate makes of it, and rows per second.

    python benchmarks/row_tests.py FILE [--timeout 5]

FILE: one JSON object a line with `prompt`, `test`, `raw_completion` and `revised_completion`, such as those of
nyu-mll/ILF-for-code-generation. Results are kept nowhere, so that every run is a run.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import hfclean
from hfclean.models import process
from hfclean.scorers import preference_rule


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--timeout", type=float, default=5.0)
    args = parser.parse_args()
    lines = [json.loads(line) for line in args.file.read_bytes().splitlines()]
    with tempfile.TemporaryDirectory() as home:
        os.environ["HFCLEAN_HOME"] = home
        _measure(lines, hfclean.scorers.RunTests(timeout_s=args.timeout))


def _measure(lines: list[dict[str, Any]], tests: hfclean.scorers.RunTests) -> None:
    raw, fixed = ([_row(each, f"{side}_completion") for each in lines] for side in ("raw", "revised"))
    tests(raw[0])  # start the launcher
    started = time.perf_counter()
    columns = {name: [row[name] for row in (*raw, *fixed)] for name in raw[0]}
    found = tests(columns)["tests_passed_reason"]
    took = time.perf_counter() - started
    before, after = found[: len(raw)], found[len(raw) :]
    print(f"rows {len(raw)}; raw: {_counted(before)}; fixed: {_counted(after)}")
    known = sum(one != "" and other == "" for one, other in zip(before, after, strict=True))
    print(f"raw fails and fixed passes: {known} of {len(raw)}")
    process.close()  # the launchers end, and what they used is known
    used = os.times()
    each = 1000 * (used.children_user + used.children_system) / len(found)
    speed, load = len(found) / took, os.getloadavg()[0]
    print(f"{speed:.1f} rows a second ({took:.1f} s, load {load:.1f}), {each:.0f} ms of CPU each")
    for name, given in (("without tests", None), ("with tests", tests)):
        for what, pairs in (("fixes", (raw, fixed)), ("fixes undone", (fixed, raw))):
            reasons = [
                hfclean.accept(*pair, tests=given, preference=preference_rule().predict)
                for pair in zip(*pairs, strict=True)
            ]
            refused = Counter(reason for each in reasons for reason in each)
            why = ", ".join(f"{reason} {count}" for reason, count in refused.most_common(5))
            print(f"gate {name}: {sum(not each for each in reasons)} of {len(reasons)} {what} accepted ({why})")


def _row(line: dict[str, Any], side: str) -> dict[str, str]:
    return {"prompt": line["prompt"], "completion": line[side], "test": line["test"]}


def _counted(reasons: list[str]) -> str:
    return ", ".join(f"{reason or 'passed'} {count}" for reason, count in Counter(reasons).most_common())


if __name__ == "__main__":
    main()
