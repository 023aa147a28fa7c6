"""How good and how fast the rules are, measured on real rows.

    python benchmarks/rules.py [recall] [firings] [precision] [harm] [speed]

With no argument, all five. Real rows are read from HFCLEAN_REALDATA, else from ../shared/data beside the project; none
are written. `rule_verdicts.csv` holds what a reader said about firings: file, row (line number from 0), rule, verdict
(right, wrong; missed where a rule should have fired; read where a row was read for misses), note.
"""

from __future__ import annotations

import csv
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein
from rule_injectors import INJECTORS

from hfclean.rules import RULES, find_defects, mend
from hfclean.schema import Pair, detect

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HFCLEAN_REALDATA", HERE.parent.parent / "shared" / "data"))
VERDICTS = HERE / "rule_verdicts.csv"
FILES = (
    "alpaca_6k",
    "expert_revisions_1800",
    "coachlm150",
    "human_preferences_499",
    "judge_reviews_gpt4",
    "dolly_2k",
    "seed_tasks_175",
    "sharegpt_conversations",
    "sharegpt_toolcall_300",
    "sharegpt_preference_299",
    "messages_kto",
    "typed_messages_sft",
    "alpaca_zh",
)
SEED = 20240607
INJECTED = 400


class Found(NamedTuple):
    """One real pair: the file, the line number, and which pair of that line (a row can hold several)."""

    file: str
    row: int
    part: int
    pair: Pair


@cache
def rows(name: str) -> list[dict[str, Any]]:
    with (DATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def pairs_of(name: str, row: dict[str, Any]) -> list[Pair]:
    """Every pair of a row, every assistant turn and both sides of a preference."""
    if name == "expert_revisions_1800":
        return [Pair(row["raw_instruction"], row["raw_input"], row["raw_output"])]
    if name == "human_preferences_499":
        return [Pair(row["instruction"], row["input"], row[key]) for key in ("response1", "response2")]
    if name == "judge_reviews_gpt4":
        return [Pair(row["question"], "", row[key]) for key in ("answer_a", "answer_b")]
    if name == "seed_tasks_175":
        return [Pair(row["instruction"], case["input"], case["output"]) for case in row["instances"]]
    view = detect(row.keys())
    return [target.pair for target in view.targets(row, turns="all", side="both")]


def real_pairs() -> Iterator[Found]:
    for name in FILES:
        for number, row in enumerate(rows(name)):
            for part, pair in enumerate(pairs_of(name, row)):
                yield Found(name, number, part, pair)


@cache
def firings() -> dict[str, list[Found]]:
    """Where each rule fires, once per row."""
    found: dict[str, list[Found]] = {rule.id: [] for rule in RULES}
    for item in real_pairs():
        for rule in find_defects(item.pair, RULES):
            last = found[rule][-1:] or [Found("", -1, 0, item.pair)]
            if (last[0].file, last[0].row) != (item.file, item.row):
                found[rule].append(item)
    return found


# --------------------------------------------------------------------------------------------------------------- parts


def recall() -> None:
    """Each kind of defect injected into clean real rows: how many does its rule find, how many of those are mended?"""
    clean = [item.pair for item in real_pairs() if not find_defects(item.pair, RULES)]
    print(f"\nRecall on injected defects ({len(clean)} clean rows, at most {INJECTED} injections a rule, seed {SEED})")
    print(f"{'rule':24}{'injected':>9}{'found':>7}{'recall':>8}{'mended':>8}")
    for rule in RULES:
        rng = random.Random(f"{SEED} {rule.id}")
        order = clean[:]
        rng.shuffle(order)
        injected = found = mended = 0
        for pair in order:
            dirty = INJECTORS[rule.id](pair, rng)
            if dirty is None or dirty == pair:
                continue
            injected += 1
            if rule.detect(dirty):
                found += 1
                changes = mend(dirty, RULES)
                mended += bool(changes) and not rule.detect(changes[-1].after)
            if injected == INJECTED:
                break
        share = f"{mended / injected:.2f}" if rule.repair and injected else "-"
        print(f"{rule.id:24}{injected:>9}{found:>7}{found / max(1, injected):>8.3f}{share:>8}")


def show_firings() -> None:
    found = firings()
    print("\nRows in which each rule fires, per file")
    print(f"{'rule':24}" + "".join(f"{name[:9]:>10}" for name in FILES) + f"{'all':>7}")
    for rule in RULES:
        counts = Counter(item.file for item in found[rule.id])
        print(f"{rule.id:24}" + "".join(f"{counts[name] or '':>10}" for name in FILES) + f"{len(found[rule.id]):>7}")


def precision() -> None:
    """What a reader said of the firings. A verdict on a row where the rule no longer fires is counted apart."""
    fires = {(rule, item.file, item.row) for rule, items in firings().items() for item in items}
    totals = Counter(rule for rule, _, _ in fires)
    counts: dict[str, Counter[str]] = {rule.id: Counter() for rule in RULES}
    with VERDICTS.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            verdict = line["verdict"]
            if verdict in ("right", "wrong") and (line["rule"], line["file"], int(line["row"])) not in fires:
                verdict = "gone"
            counts.setdefault(line["rule"], Counter())[verdict] += 1
    print("\nPrecision on real firings (verdicts of a reader)")
    print(f"{'rule':24}{'fires':>7}{'read':>6}{'right':>7}{'precision':>11}{'missed':>8}{'gone':>6}")
    for rule in RULES:
        count = counts[rule.id]
        read = count["right"] + count["wrong"]
        share = f"{count['right'] / read:.2f}" if read else "-"
        print(
            f"{rule.id:24}{totals[rule.id]:>7}{read:>6}{count['right']:>7}{share:>11}{count['missed']:>8}{count['gone']:>6}"
        )
    print(f"rows read once for misses: {counts.get('', Counter())['read']}")


def texts(pair: Pair) -> tuple[str, str, str]:
    return pair.instruction, pair.input, pair.response


def distance(pair: Pair, wanted: Pair) -> int:
    """Character edits between two pairs, field by field."""
    return sum(Levenshtein.distance(a, b) for a, b in zip(texts(pair), texts(wanted), strict=True))


def visible_distance(pair: Pair, wanted: Pair) -> int:
    """The same with runs of white space counted as one blank: experts neither saw nor removed blanks at line ends."""
    seen = [[" ".join(text.split()) for text in texts(one)] for one in (pair, wanted)]
    return sum(Levenshtein.distance(a, b) for a, b in zip(*seen, strict=True))


def way(before: int, after: int) -> str:
    return "toward" if after < before else "away" if after > before else "neither"


def harm() -> None:
    """Of the raw rows that experts revised: do the rules move them toward the experts' text, or away from it?"""
    print("\nDo no harm: rows of expert_revisions_1800 that the rules change, against the experts' revision")
    changed = []
    for number, row in enumerate(rows("expert_revisions_1800")):
        raw = Pair(row["raw_instruction"], row["raw_input"], row["raw_output"])
        wanted = Pair(row["revised_instruction"], row["revised_input"], row["revised_output"])
        changes = mend(raw, RULES)
        if changes:
            changed.append((number, wanted, changes))
    measures = {"as written": distance, "white space apart": visible_distance}
    for name, measure in measures.items():
        moves: Counter[str] = Counter()
        by_rule: dict[str, Counter[str]] = {}
        away = []
        for number, wanted, changes in changed:
            move = way(measure(changes[0].before, wanted), measure(changes[-1].after, wanted))
            moves[move] += 1
            away += [number] if move == "away" else []
            for change in changes:
                step = way(measure(change.before, wanted), measure(change.after, wanted))
                by_rule.setdefault(change.rule, Counter())[step] += 1
        ratio = moves["toward"] / max(1, moves["away"])
        print(
            f"{name}: toward {moves['toward']}, away {moves['away']}, neither {moves['neither']}; "
            f"toward/away {ratio:.1f}"
        )
        for rule, count in sorted(by_rule.items()):
            print(f"  {rule:24}toward {count['toward']:>4}  away {count['away']:>4}  neither {count['neither']:>4}")
        print(f"  rows that moved away: {away if len(away) < 20 else len(away)}")
    rated = [row for row in rows("alpaca_6k") if row["claude_ge_4_5"]]
    touched = [mend(Pair(row["instruction"], row["input"], row["output"]), RULES) for row in rated]
    counts = Counter(rule for changes in touched for rule in {change.rule for change in changes})
    print(f"changed among {len(rated)} rows of alpaca_6k rated 4.5 or more: {sum(map(bool, touched))} {dict(counts)}")


def speed() -> None:
    """Pairs per CPU-second in one thread, and what each rule costs: best of five, detection alone."""
    pairs = [pair for row in rows("alpaca_6k") for pair in pairs_of("alpaca_6k", row)]
    print("\nSpeed on alpaca_6k (CPU time, one thread, best of 5)")
    for name, work in (("find_defects", find_defects), ("mend", mend)):
        seconds = best_of(5, lambda work=work: [work(pair, RULES) for pair in pairs])  # type: ignore[misc]
        print(f"{name:24}{len(pairs) / seconds:>9,.0f} pairs per CPU-second")
    costs = {rule.id: best_of(5, lambda rule=rule: [rule.detect(pair) for pair in pairs]) for rule in RULES}  # type: ignore[misc]
    for name, seconds in sorted(costs.items(), key=lambda cost: -cost[1]):
        print(f"  {name:22}{1e6 * seconds / len(pairs):>7.2f} us {seconds / sum(costs.values()):>6.1%}")


def best_of(times: int, work: Callable[[], object]) -> float:
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


PARTS = {"recall": recall, "firings": show_firings, "precision": precision, "harm": harm, "speed": speed}

if __name__ == "__main__":
    for part_name in sys.argv[1:] or PARTS:
        PARTS[part_name]()
