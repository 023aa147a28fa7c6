"""Thoughts, preference rows and truths: what is found of planted defects, what is said of real rows, what it costs.

    python benchmarks/traces.py [planted] [real] [speed]

With no argument, all. Real rows are read from HFCLEAN_REALDATA, else from ../shared/data beside the project; none are
written. Defects are planted with a seed: thoughts are the steps of `trace_mistakes` and long answers of `alpaca_6k`,
preference rows those of `sharegpt_preference_299`, truths the targets of `trace_mistakes` and fractions.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from datasets import Dataset
from rules import rows

import hfclean
from hfclean.rules import ROW_RULES, RULES
from hfclean.scorers.embedded import score as scoring
from hfclean.selection import contradictions
from hfclean.verifiers import verify
from hfclean.verifiers.preferences import PREFERENCE_VERIFIERS
from hfclean.verifiers.thoughts import THOUGHT_VERIFIERS
from hfclean.verifiers.truths import TRUTH_VERIFIERS

SEED = 20261130
THOUGHTS = (*(verifier.id for verifier in THOUGHT_VERIFIERS), "thought_empty", "answers_disagree")
SIDES = tuple(verifier.id for verifier in PREFERENCE_VERIFIERS)
TRUTHS = tuple(verifier.id for verifier in TRUTH_VERIFIERS)
NEW = frozenset((*THOUGHTS, *SIDES, *TRUTHS)) - {"answers_disagree"}

FORMULA = "What is it?"

Row = dict[str, Any]


class Case(NamedTuple):
    """A row, and the one defect that was planted in it; `""` where there is none."""

    planted: str
    row: Row


# --------------------------------------------------------------------------------------------------------------- rows


class Trace(NamedTuple):
    asked: str
    thought: str
    answer: str
    of: str


def traces() -> Iterator[Trace]:
    """Real steps before real answers, and real answers of many sentences before a last one."""
    for row in rows("trace_mistakes"):
        if str(row["answer"]).strip():
            yield Trace(row["input"], "\n".join(row["steps"]), str(row["answer"]), "trace_mistakes")
    for row in rows("alpaca_6k"):
        text = row["output"]
        head, _, last = text.rstrip().rpartition(". ")
        if len(head) > 600 and len(last) > 40 and not head[-1].isdigit():
            asked = f"{row['instruction']}\n{row['input']}".strip()
            yield Trace(asked, f"{head}.", last, "alpaca_6k")


def thinking(trace: Trace, thought: str | None = None, answer: str | None = None, form: str = "") -> Row:
    thought, answer = trace.thought if thought is None else thought, trace.answer if answer is None else answer
    text = form or f"<think>\n{thought}\n</think>\n\n{answer}"
    return {"prompt": trace.asked, "completion": text}


def thought_cases() -> Iterator[Case]:
    chance = random.Random(SEED)
    chinese = [row["output"] for row in rows("alpaca_zh") if len(row["output"]) > 100]
    for trace in traces():
        yield Case("", thinking(trace))
        yield Case("thought_unclosed", thinking(trace, form=f"<think>\n{trace.thought}\n\n{trace.answer}"))
        yield Case("thought_empty", thinking(trace, form=f"<think>\n\n</think>\n\n{trace.answer}"))
        yield Case("answer_missing_after_thought", thinking(trace, answer=""))
        end = chance.randrange(len(trace.thought) // 2, len(trace.thought) - 1)
        if trace.thought[end - 1].isalpha() and trace.of == "alpaca_6k":
            inside = trace.thought[end].isalpha()
            name = f"thought_cut, {'inside' if inside else 'behind'} a word"
            name += ", 900 characters or more" if end >= 900 else ""
            yield Case(name, thinking(trace, thought=trace.thought[:end]))
        sentences = [each for each in trace.thought.replace("\n", ". ").split(". ") if each.strip()]
        again = ". ".join(sentences[-chance.randint(1, 3) :])
        if len(again) > 60:
            looping = f"{trace.thought}\n" + f"{again}. " * chance.randint(5, 20)
            yield Case("thought_loops", thinking(trace, thought=looping))
        if trace.asked.isascii() and trace.answer.isascii() and sum(map(str.isalpha, trace.answer)) > 10:
            yield Case("thought_language, all", thinking(trace, thought=chance.choice(chinese)))
            mixed = f"{trace.thought}\n" + "\n".join(chance.choice(chinese) for _ in range(8))
            yield Case("thought_language, from the middle on", thinking(trace, thought=mixed))
        if trace.answer.lstrip("-").isdigit():
            yield Case("answers_disagree", thinking(trace, answer=str(int(trace.answer) + chance.randint(1, 9))))


def preference_cases() -> Iterator[Case]:
    chance = random.Random(SEED)
    for row in rows("sharegpt_preference_299"):
        asked = [{"role": "user", "content": turn["value"]} for turn in row["conversations"][-1:]]
        chosen, rejected = row["chosen"]["value"], row["rejected"]["value"]

        def pair(chosen: str, rejected: str, asked: list[Row] = asked) -> Row:
            sides = {"chosen": chosen, "rejected": rejected}
            return {"prompt": asked, **{k: [{"role": "assistant", "content": v}] for k, v in sides.items()}}

        yield Case("", pair(chosen, rejected))
        yield Case("sides_identical", pair(chosen, chosen))
        yield Case("sides_equal", pair(chosen, f" {chosen.upper()}\n"))
        yield Case("thought_on_one_side", pair(f"<think>\n{rejected}\n</think>\n\n{chosen}", rejected))
        if len(rejected) > 200:
            yield Case("side_cut", pair(chosen, rejected[: chance.randrange(100, len(rejected) - 20)]))


def truth_cases() -> Iterator[Case]:
    chance = random.Random(SEED)
    for trace in traces():
        if trace.of != "trace_mistakes":
            continue
        row = {"prompt": trace.asked, "completion": f"{trace.thought}", "ground_truth": trace.answer}
        yield Case("", row)
        yield Case("truth_empty", {**row, "ground_truth": ""})
        if trace.answer.lstrip("-").isdigit() or (len(trace.answer.strip("()")) == 1 and trace.answer.isupper()):
            other = str(int(trace.answer) + chance.randint(1, 9)) if trace.answer[-1].isdigit() else "A"
            if other != trace.answer.strip("()"):
                yield Case("truth_contradicted", {**row, "ground_truth": other})
    for _ in range(300):
        a, b, c = (chance.randint(2, 99) for _ in range(3))
        forms = (f"\\frac{{{a}}}{{{b}}}", f"\\sqrt{{{a}}}", f"\\frac{{{a}\\sqrt{{{b}}}}}{{{c}}}",
                 f"\\left({a}, \\frac{{{b}}}{{{c}}}\\right)", f"{a}\\pi", f"\\text{{{a} and {b}}}")  # fmt: skip
        truth = chance.choice(forms)
        row = {"prompt": FORMULA, "completion": "I do not know.", "ground_truth": truth}
        yield Case("", row)
        places = [at for at, sign in enumerate(truth) if sign in "{}"]
        if places:
            at = chance.choice(places)
            yield Case("truth_unparsable", {**row, "ground_truth": truth[:at] + truth[at + 1 :]})


# ------------------------------------------------------------------------------------------------------------- planted


def planted() -> None:
    print(f"\nPlanted defects (seed {SEED}); precision among all rows of the family, each with one defect or none")
    print(f"{'defect':40}{'planted':>8}{'found':>7}{'recall':>8}{'other rows':>12}{'false':>7}{'precision':>11}")
    for cases, ids in ((thought_cases, THOUGHTS), (preference_cases, SIDES), (truth_cases, TRUTHS)):
        count, hits, false = Counter[str](), Counter[str](), Counter[str]()
        total, by_id = 0, Counter[str]()
        for case in cases():
            total += 1
            count[case.planted] += 1
            mine = case.planted.partition(",")[0]
            by_id[mine] += 1
            found = {finding.check for finding in verify(case.row, ids)}
            hits[case.planted] += mine in found
            false.update(found - {mine, *ALSO.get(mine, ())})
        for name, planted_rows in count.items():
            if name:
                mine = name.partition(",")[0]
                right = sum(hits[each] for each in count if each.partition(",")[0] == mine)
                precision = f"{right / (right + false[mine]):.3f}" if right + false[mine] else "-"
                print(
                    f"{name:40}{planted_rows:>8}{hits[name]:>7}{hits[name] / planted_rows:>8.3f}"
                    f"{total - by_id[mine]:>12}{false[mine]:>7}{precision:>11}"
                )
    between_rows()


# What another planted defect brings along.
ALSO = {
    "thought_cut": ("answers_disagree",),
    "thought_loops": ("answers_disagree",),
    "sides_equal": ("side_cut",),
}


def between_rows() -> None:
    """Contradictions among rows of which some are given again with another answer, truth or the sides swapped."""
    chance = random.Random(SEED)
    numeric = [trace for trace in traces() if trace.answer.lstrip("-").isdigit()]
    closed = {
        trace.asked: {"prompt": trace.asked, "completion": trace.answer, "ground_truth": "1"} for trace in numeric
    }
    base = list(closed.values())
    other = [{**row, "completion": str(int(row["completion"]) + 1)} for row in chance.sample(base, 50)]
    found = contradictions(Dataset.from_list(base + other)).answers
    print(f"{'answers_differ (pairs of rows)':40}{50:>8}{len(found):>7}{len(found) / 50:>8.3f}")
    other = [{**row, "ground_truth": "2"} for row in chance.sample(base, 50)]
    found = contradictions(Dataset.from_list(base + other)).truths
    print(f"{'truths_differ (pairs of rows)':40}{50:>8}{len(found):>7}{len(found) / 50:>8.3f}")


# ---------------------------------------------------------------------------------------------------------------- real


def real() -> None:
    print("\nReal rows as they are: findings")
    truthful = [case.row for case in truth_cases() if not case.planted and case.row["prompt"] != FORMULA]
    for name, ids, cases in (
        ("trace_mistakes as thoughts", THOUGHTS, [thinking(trace) for trace in traces() if trace.of != "alpaca_6k"]),
        ("alpaca_6k, long answers as thoughts", THOUGHTS, [thinking(t) for t in traces() if t.of == "alpaca_6k"]),
        *((file, tuple(NEW), list(rows(file))) for file in ("alpaca_6k", "alpaca_zh", "dolly_2k")),
        ("sharegpt_preference_299", SIDES, list(rows("sharegpt_preference_299"))),
        ("trace_mistakes, answers as truths", TRUTHS, truthful),
    ):
        found: dict[str, list[str]] = defaultdict(list)
        for row in cases:
            for finding in verify(row, ids):
                found[finding.check].append(f"{finding.sentence}: {finding.found[-60:]!r}")
        print(f"{name:40}{len(cases):>6} rows  {({id: len(texts) for id, texts in found.items()}) or 'none'}")
        if "--show" in sys.argv:
            for texts in found.values():
                print(*(f"    {text}" for text in texts[:30]), sep="\n")


# --------------------------------------------------------------------------------------------------------------- speed


def speed() -> None:
    long = "".join(f"{trace.thought}\n" for trace in traces())
    chance = random.Random(SEED)
    starts = [chance.randrange(len(long) - 20_000) for _ in range(100)]
    thoughtful = [
        {"prompt": trace.asked, "completion": f"<think>\n{long[start : start + 20_000]}.\n</think>\n\n{trace.answer}"}
        for trace, start in zip(traces(), starts, strict=False)
    ]
    for name, data in (
        ("alpaca_6k", list(rows("alpaca_6k"))[:3000]),
        ("thoughts of 20,000 characters", thoughtful),
    ):
        with_new, without = _ratio(data)
        print(
            f"{name:40}{with_new / len(data) * 1e6:>9.0f} µs a row, without the new rules "
            f"{without / len(data) * 1e6:.0f}: ratio {with_new / without:.3f}"
        )


def _ratio(data: list[Row], rounds: int = 7) -> tuple[float, float]:
    """CPU seconds of `hfclean.score` with all rules and without the new ones, the least of passes in turns."""
    every, all_rows, find = scoring.RULES, scoring.row_rules, scoring.row_defects
    old = tuple(rule for rule in RULES if rule.id not in NEW)
    old_rows = tuple(rule for rule in ROW_RULES if rule.id not in NEW)
    batch = {key: [row[key] for row in data] for key in ("instruction", "input", "output", "prompt", "completion")
             if key in data[0]}  # fmt: skip
    took: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for new in (True, False):
            scoring.RULES = every if new else old
            if not new:
                scoring.row_rules = lambda view: tuple(r for r in all_rows(view) if r in old_rows)
            start = time.process_time()
            hfclean.score(batch)
            took[new].append(time.process_time() - start)
            scoring.RULES, scoring.row_rules, scoring.row_defects = every, all_rows, find
    return min(took[True]), min(took[False])


PARTS: dict[str, Callable[[], None]] = {"planted": planted, "real": real, "speed": speed}

if __name__ == "__main__":
    for part in [each for each in sys.argv[1:] if each in PARTS] or PARTS:
        PARTS[part]()
