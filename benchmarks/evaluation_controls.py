"""What `preference` and `rating` say where length says the opposite, and how distances look upon filler.

    OMP_NUM_THREADS=1 python benchmarks/evaluation_controls.py

Pairs of answers of which people said which is the better, read where they lie (`HFCLEAN_REALDATA`, else
../shared/data); beside both scores the longer answer, the shorter one, a coin and, where the better answer is a
revision of the other, leaving all as it was. A score of two answers is worth something only where it beats both
lengths on every set. Experts and votes taught `preference`: there it is cross-validated, as in fit_scores.py. Then
what a judge says of the rows that IFD selects, and which distances filler shortens. No model is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from fit_scores import (
    DAMAGED_PAIRS,
    DRAWS,
    PREFERENCE,
    PREFERENCE_DAMAGE,
    PREFERENCE_FLOOR,
    Array,
    Choice,
    Shape,
    cross_validate_preference,
    damaged,
    expert_choices,
    human_choices,
    interval,
    judge_choices,
    percentiles,
    read,
    right,
    table,
)
from rapidfuzz.distance import Indel, Levenshtein

from hfclean.evaluation.bootstrap import wilson
from hfclean.evaluation.revising import PIECES
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule, rating_rule

REVISED = ("corrections", "code", "expert")  # sets in which the better answer is a revision of the other
FILLERS = (
    "This can help people to save time, avoid mistakes and reach their goals more easily.",
    "It is important to note that there are many different aspects to consider here.",
    "I hope this helps! Please let me know if you have any other questions.",
    "This is a subject that a lot of people care about.",
    "There are many factors that can play a role, and every situation is different.",
)


def llmbar(natural: bool) -> list[Choice]:
    """Two outputs, of which one follows the instruction; in the adversarial subsets the other looks better."""
    found = []
    for row in read("llmbar_pairs.jsonl"):
        if (row["subset"] == "Natural") is natural:
            first, second = (Pair(row["instruction"], "", row[f"output_{k}"]) for k in (1, 2))
            better, worse = (first, second) if int(row["label"]) == 1 else (second, first)
            found.append(Choice("llmbar", row["instruction"], better, worse))
    return found


def corrections() -> list[Choice]:
    """A model's answers, and what people made of them with as few changes as could be."""
    return [
        Choice("corrections", row["question"], *(Pair(row["question"], "", row[f"{side}_answer"]) for side in SIDES))
        for row in read("qa_corrections.jsonl")
    ]


SIDES = ("corrected", "raw")


def code(stripped: bool) -> list[Choice]:
    """Faulty code and people's fix; the faulty completions repeat the whole prompt, which `stripped` takes off."""
    found = []
    for row in read("code_refinements.jsonl"):
        raw = row["raw_completion"].removeprefix(row["prompt"]) if stripped else row["raw_completion"]
        pairs = (Pair(row["prompt"], "", text) for text in (row["revised_completion"], raw))
        found.append(Choice("code", row["prompt"], *pairs))
    return found


def scored(rule: Callable[[list[Pair]], Sequence[float]], choices: Sequence[Choice]) -> Array:
    better, worse = (np.array(rule([getattr(choice, side) for choice in choices])) for side in ("better", "worse"))
    return right(better - worse)


def line(name: str, choices: Sequence[Choice], preference: Array | None = None) -> None:
    """A row of the table: shares ordered right, ties half, with intervals over instructions."""
    found = table(choices)
    longer = right(found.longer)
    columns = (
        scored(preference_rule().predict, choices) if preference is None else preference,
        scored(rating_rule().predict, choices),
        longer,
        1 - longer,
    )
    cells = []
    for column in columns:
        low, high = interval(column, found.group)
        cells.append(f"{column.mean():.3f} [{low:.3f}, {high:.3f}]")
    coins = np.random.default_rng(0).integers(0, 2, (DRAWS, len(choices))).mean(1)
    low, high = percentiles(coins)
    cells.append(f"{coins.mean():.3f} [{low:.3f}, {high:.3f}]")
    cells.append("0.000" if choices[0].source in REVISED else "")
    print(f"| {name}, {len(choices)} | {' | '.join(cells)} |")


def taught() -> dict[str, tuple[list[Choice], Array]]:
    """Experts and votes, with how often a rule that had not seen the instruction orders each right."""
    choices = [*expert_choices(), *human_choices(), *judge_choices()]
    human = table(choices)
    broken = table(damaged([c.better for c in choices if c.source == "expert"], DAMAGED_PAIRS, seed=1))
    shape = Shape.of(PREFERENCE, np.sqrt((human.differences**2).mean(0)), PREFERENCE_FLOOR)
    each, _ = cross_validate_preference(shape, human, broken, PREFERENCE_DAMAGE)
    found = {}
    for source in ("expert", "human"):
        places = [k for k, choice in enumerate(choices) if choice.source == source]
        found[source] = [choices[k] for k in places], each[places]
    return found


def difficulty() -> None:
    """How many rows of a published selection by IFD a strong judge rated 4.5 of 5 or more, and of the others."""
    rows = read("alpaca_6k.jsonl")
    print(f"\n{len(rows)} Alpaca rows: share that a judge rated 4.5 of 5 or more")
    for name, top in (("in the IFD selection of a tuned LLaMA-7B", True), ("not in it", False)):
        flags = [bool(row["claude_ge_4_5"]) for row in rows if bool(row["llama7b_ifd_top"]) is top]
        low, high = wilson(sum(flags), len(flags))
        print(f"  {name:42}{sum(flags)} of {len(flags)}, {np.mean(flags):.1%} [{low:.1%}, {high:.1%}]")


def filler() -> None:
    """By which distances a generic sentence after the raw answer comes nearer to the expert's."""
    pairs = [(choice.worse.response, choice.better.response) for choice in expert_choices()]
    distances: dict[str, Callable[[str, str], float]] = {
        "characters, one may replace another": Levenshtein.distance,
        "characters put in and taken out": Indel.distance,
        "words, one may replace another": lambda a, b: Levenshtein.distance(PIECES.findall(a), PIECES.findall(b)),
        "words put in and taken out": lambda a, b: Indel.distance(PIECES.findall(a), PIECES.findall(b)),
    }
    print(f"\nresponses of {len(pairs)} expert pairs: share that {len(FILLERS)} generic sentences bring nearer, each")
    for name, distance in distances.items():
        before = np.array([distance(old, new) for old, new in pairs])
        shares = [
            np.mean(np.array([distance(f"{old} {sentence}".strip(), new) for old, new in pairs]) < before)
            for sentence in FILLERS
        ]
        print(f"  {name:40}{min(shares):7.1%} to {max(shares):.1%}")


def main() -> None:
    print("| set | preference | rating | longer answer | shorter answer | random | unchanged |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    line("LLMBar adversarial", llmbar(natural=False))
    line("LLMBar natural", llmbar(natural=True))
    line("corrections of answers", corrections())
    line("fixes of code, as they lie", code(stripped=False))
    line("fixes of code, without the repeated prompt", code(stripped=True))
    for name, (choices, preference) in taught().items():
        line(f"{name}, cross-validated", choices, preference)
    difficulty()
    filler()


if __name__ == "__main__":
    main()
