"""What shards cost a row, and what that makes of many rows on many machines: the table of docs/scale.md.

    python benchmarks/shards.py [--rows 10000 80000] [--many 100000000] [--machines 16] [--cores 8]

Rows as those of scale.py, cleaned in one process as a shard of nearly nothing (which reads the source), as the only
shard, and merged; a run on one machine does the work of the merge as well. Each figure is the difference of two
sizes, so that starting up is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

from near_shards import ALONE, ran, size_of
from scale import rows_of


def seconds(count: int, place: Path) -> dict[str, float]:
    """CPU seconds of each step, and the bytes of the part and of the source."""
    place.mkdir()
    source, part = place / "rows.jsonl", place / "part"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows_of(count)), encoding="utf-8")
    read = ran("clean", str(source), "--shard", f"1/{count}", "--out", str(place / "one"), *ALONE)[0]
    whole = ran("clean", str(source), "--shard", "1/1", "--out", str(part), *ALONE)[0]
    merged = ran("merge", str(part), "--out", str(place / "whole"), "--quiet")[0]
    return {
        "read": read,
        "clean": whole - read,
        "merge": merged,
        "part": size_of(part),
        "source": source.stat().st_size,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, nargs=2, default=[10_000, 80_000])
    options.add_argument("--many", type=int, default=100_000_000)
    options.add_argument("--machines", type=int, default=16)
    options.add_argument("--cores", type=int, default=8)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, more = (seconds(count, Path(folder) / str(count)) for count in given.rows)
    each = {name: (more[name] - few[name]) / (given.rows[1] - given.rows[0]) for name in more}
    hours = {name: each[name] * given.many / 3600 for name in ("read", "clean", "merge")}
    machine = platform.processor() or platform.machine()
    print(f"{machine}, load {os.getloadavg()[0]:.1f}, {each['source']:.0f} bytes a row")
    for name, total in hours.items():
        print(f"{name:<6} {each[name] * 1e6:7.1f} us a row  {total:6.2f} h of one core for {given.many:,} rows")
    print(f"part   {each['part']:7.0f} bytes a row, {each['part'] * given.many / 1e9:.0f} GB")
    for machines in (1, given.machines):
        wall = hours["read"] + hours["clean"] / (machines * given.cores) + hours["merge"]
        print(f"{machines} machines of {given.cores} cores: {wall:.1f} h")


if __name__ == "__main__":
    main()
