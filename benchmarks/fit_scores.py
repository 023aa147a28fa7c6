"""Fit the two embedded rules, `preference` and `rating`, on real rows, and say how good they are.

    python benchmarks/fit_scores.py            fit, print the figures, write hfclean/scorers/embedded/*.json
    python benchmarks/fit_scores.py --check    fit, print, compare with the shipped files, write nothing

The rows are read where they lie (`HFCLEAN_REALDATA`, else ../shared/data); none is copied into the project. Every
figure is cross-validated with folds grouped by instruction, over several seeds; intervals are 95 % bootstrap intervals
over instructions. Running it twice writes the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hfclean.schema import Pair
from hfclean.scorers.agreement import counted, factor
from hfclean.scorers.embedded import FOLDER
from hfclean.scorers.indicators import INDICATOR_NAMES, indicator_values
from hfclean.scorers.linear_rule import LinearRule

ROOT = Path(__file__).resolve().parent.parent
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))
Array = NDArray[np.float64]

SEEDS = (0, 1, 2, 3, 4)
FOLDS = 10
DRAWS = 1000  # bootstrap
SOURCES = ("expert", "human", "judge")


def _names(text: str) -> list[str]:
    return text.split()


# The indicators of each rule. A sign says which way it may count: with few rows to learn from, a rule might else
# come to reward a fault. Without a sign the rows decide.
PREFERENCE = _names(
    """
    +distinct_bigrams +content_words -beyond_150 -empty +new_content +new_content_on_request new_content_fact
    -repeated_lines -repeated_clauses -repeated_trigrams +paragraphs +bullets -numbered introduced_list explained_items
    listed_items +bold table -untidy_spacing +capital_start -stock_phrases -hollow_sentences -non_answer +examples
    +instruction_coverage -off_topic -echo -inside_input -inside_instruction -copied_bigrams edited_length
    count_restated -word_count_gap -input_marker
    """
)
RATING = _names(
    """
    +about_mathematics +about_language +about_facts +about_kinds -about_fiction -about_issues -about_persons
    -open_wording +asks_fact +asks_choice +asks_computation -asks_creation -input_words -input_missing -sentences_asked
    -new_content new_content_choice -prepositions -auxiliaries -vague_words third_person second_person states_what
    introduced_list created_items -exclamations -placeholder +count_met -count_missed +count_restated +early_coverage
    +prompt_coverage -empty -non_answer -refusal -short_refusal -echo -repeated_lines -repeated_clauses
    -repeated_trigrams -unfinished
    """
)
# Faults that real rows seldom have: in `rating` their weight comes from damaged answers.
FAULTS = frozenset(
    _names("non_answer refusal short_refusal echo repeated_lines repeated_clauses repeated_trigrams unfinished")
)
# Set by hand: an empty response is below any other, and too few rows have one to teach that.
PINNED = {"empty": -30.0}
PREFERENCE_RIDGE, PREFERENCE_FLOOR = 5.0, 0.2
RATING_RIDGE, RATING_FLOOR, RATING_FAULT = 100.0, 0.35, 0.1
# Weight of one damaged answer beside one judgement of a person; a kind that is not here is measured, never fitted on.
# Refusals are not among them for `preference`: voters preferred every refusal that they saw to an answer made up.
PREFERENCE_DAMAGE = {"generic": 0.07, "looped": 0.1}
RATING_DAMAGE = {"refusal": 0.05, "looped": 0.05, "echo": 0.05}
DAMAGE_HEAD = "damaged answers that score lower   rows    rule   no damage in the fit   weight in the fit"
DAMAGED_PAIRS = 600  # sound pairs of which each kind of damage is made


# -------------------------------------------------------------------------------------------------------------- rows


@dataclass(frozen=True)
class Choice:
    """Two versions of one pair, and which was judged the better."""

    source: str
    group: str
    better: Pair
    worse: Pair


def read(name: str) -> list[dict[str, Any]]:
    with (REALDATA / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def expert_choices() -> Iterator[Choice]:
    for row in read("expert_revisions_1800.jsonl"):
        raw, revised = (
            Pair(row[f"{side}_instruction"], row[f"{side}_input"], row[f"{side}_output"])
            for side in ("raw", "revised")
        )
        yield Choice("expert", raw.instruction, revised, raw)


def human_choices() -> Iterator[Choice]:
    for row in read("human_preferences_499.jsonl"):
        vote, count = Counter(row["annotators"]).most_common(1)[0]
        if count > 1 and vote in (1, 2):
            pairs = [Pair(row["instruction"], row["input"], row[f"response{side}"]) for side in (vote, 3 - vote)]
            yield Choice("human", row["instruction"], *pairs)


def judge_choices() -> Iterator[Choice]:
    for row in read("judge_reviews_gpt4.jsonl"):
        verdicts = [(a > b) - (a < b) for a, b in (row["scores_ab"], row["scores_ba"])]
        if sum(verdicts):
            sides = "ab" if sum(verdicts) > 0 else "ba"
            yield Choice(
                "judge", row["question"], *(Pair(row["question"], "", row[f"answer_{side}"]) for side in sides)
            )


def chat_choices() -> Iterator[tuple[Pair, Pair]]:
    for row in read("sharegpt_preference_299.jsonl"):
        asked = [turn["value"] for turn in row["conversations"] if turn["from"] == "human"][-1]
        yield Pair(asked, "", row["chosen"]["value"]), Pair(asked, "", row["rejected"]["value"])


# ------------------------------------------------------------------------------------------------------------ damage

STOCK_PADDING = (
    "It is important to note that there are many different aspects to consider here.",
    "In conclusion, this is a very important topic and there are many things to think about.",
    "I hope this helps! Please let me know if you have any other questions.",
    "There are many factors that can play a role, and every situation is different.",
    "Overall, it is always a good idea to do your own research and consult with experts.",
)
PLAIN_PADDING = (
    "This is a subject that a lot of people care about.",
    "With time and effort, good results can usually be reached.",
    "It can be useful to look at this from more than one side.",
    "Different people may see this in different ways.",
    "As always, the details matter and the context makes a difference.",
    "Taking everything into account, this is something worth thinking about.",
    "Understanding this properly will make things easier later on.",
)
UNSEEN_PADDING = (  # never fitted on
    "The more you know about it, the better you will do.",
    "That being said, every case has its own story and should be seen that way.",
    "These are only some of the things that come to mind.",
    "Remember that practice makes perfect and small steps lead to big changes.",
    "It goes without saying that this deserves attention.",
    "Clearly, much more could be said about this matter.",
)
DECLINING = (
    "I'm sorry, but as an AI language model I am unable to complete this request.",
    "I'm sorry, I can't help with that.",
    "As an AI language model, I do not have access to the information needed to answer this question.",
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
DAMAGES = (
    "truncated",
    "swapped",
    "appended",
    "repeated",
    "doubled_sentences",
    "looped",
    "generic",
    "generic_unseen",
    "empty",
    "echo",
    "refusal",
    "shuffled_words",
    "dropped_words",
)


def damage(kind: str, pair: Pair, other: str, draw: random.Random) -> str | None:
    """The response of a pair, damaged; None where this damage does not apply to it."""
    text, words = pair.response, pair.response.split()
    between = draw.choice(("\n\n", " ", "\n"))
    match kind:
        case "truncated" if len(words) >= 12:
            cut = text.split(" ")
            return " ".join(cut[: max(1, int(len(cut) * draw.uniform(0.35, 0.65)))])
        case "swapped":
            return other
        case "appended":
            return text + between + other
        case "repeated":
            return text + between + text
        case "doubled_sentences" if len(words) >= 4:
            sentences = [part for part in SENTENCE_END.split(text) if part.strip()]
            return between[-1].join(part for part in sentences for _ in range(2))
        case "looped":
            tail = words[-draw.randint(4, 12) :]
            return text + (" " + " ".join(tail)) * draw.randint(4, 15)
        case "generic":
            return " ".join([text, *draw.sample(draw.choice((STOCK_PADDING, PLAIN_PADDING)), draw.randint(2, 4))])
        case "generic_unseen":
            return " ".join([text, *draw.sample(UNSEEN_PADDING, draw.randint(2, 4))])
        case "empty":
            return ""
        case "echo":
            return pair.input or pair.instruction
        case "refusal":
            return draw.choice(DECLINING)
        case "shuffled_words" if len(words) >= 6:
            return " ".join(draw.sample(words, len(words)))
        case "dropped_words" if len(words) >= 10:
            return " ".join(word for word in words if draw.random() > 0.3)
    return None


def damaged(pairs: Sequence[Pair], count: int, seed: int) -> list[Choice]:
    """Sound pairs beside damaged ones, every kind for `count` of the pairs; the kind is the source."""
    draw = random.Random(seed)
    pool = [pair for pair in pairs if pair.response.strip()]
    draw.shuffle(pool)
    found = []
    for place, pair in enumerate(pool[:count]):
        other = pool[(place + count) % len(pool)].response
        for kind in DAMAGES:
            text = damage(kind, pair, other, draw)
            if text is not None and text != pair.response:
                found.append(Choice(kind, pair.instruction, pair, pair.replace(response=text)))
    return found


# --------------------------------------------------------------------------------------------------------------- fit


@dataclass(frozen=True)
class Table:
    """Choices as numbers: differences of indicators (better minus worse), their source and their group."""

    differences: Array
    source: NDArray[np.str_]
    group: NDArray[np.str_]
    longer: Array  # difference in words

    def where(self, mask: NDArray[np.bool_]) -> Table:
        return Table(self.differences[mask], self.source[mask], self.group[mask], self.longer[mask])


def values(pairs: Sequence[Pair]) -> Array:
    return np.array([indicator_values(pair) for pair in pairs], dtype=np.float64)


def as_scored(pairs: Sequence[Pair]) -> tuple[Array, Array]:
    """What the columns are made of: the indicators of each pair as the rules would leave it, and the share of a score
    that its defects leave."""
    left, defects = zip(*map(counted, pairs), strict=True)
    return values(left), np.array([factor(ids) for ids in defects])


def table(choices: Sequence[Choice]) -> Table:
    return Table(
        values([c.better for c in choices]) - values([c.worse for c in choices]),
        np.array([c.source for c in choices]),
        np.array([c.group for c in choices]),
        np.array([len(c.better.response.split()) - len(c.worse.response.split()) for c in choices], dtype=np.float64),
    )


@dataclass(frozen=True)
class Shape:
    """The indicators of a rule: their places, the sign each may have (0: any), the scale each is fitted on."""

    places: list[int]
    signs: Array
    scale: Array

    @classmethod
    def of(cls, declared: Sequence[str], spread: Array, floor: float, faults: float = 0.0) -> Shape:
        declared = [name for name in declared if name.lstrip("+-") not in PINNED]
        names = [name.lstrip("+-") for name in declared]
        places = [INDICATOR_NAMES.index(name) for name in names]
        signs = np.array([{"+": 1.0, "-": -1.0}.get(name[0], 0.0) for name in declared])
        scale = np.maximum(spread[places], floor)
        # a fault is rare, so its spread says nothing of its weight: one scale for all of them
        scale = np.where([faults > 0 and name in FAULTS for name in names], faults, scale)
        return cls(places, signs, np.array([float(f"{value:.4g}") for value in scale]))


def logistic(z: Array) -> Array:
    return np.where(z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


def minimise(rows: Array, weight: Array, ridge: Array, signs: Array) -> Array:
    """Coefficients with the smallest weighted logistic loss of `rows @ b > 0`, ridge penalty and signs kept to.

    Projected Newton: coefficients that a sign holds at zero stand still, the others take a Newton step, halved until
    the loss falls.
    """

    def loss(b: Array) -> float:
        return float((weight * np.logaddexp(0, -(rows @ b))).sum() + 0.5 * (ridge * b * b).sum())

    def project(b: Array) -> Array:
        return np.where(signs * b < 0, 0.0, b)

    b = np.zeros(rows.shape[1])
    current = loss(b)
    for _ in range(200):
        p = logistic(-(rows @ b))
        gradient = -rows.T @ (weight * p) + ridge * b
        held = (signs != 0) & (b == 0) & (signs * gradient >= 0)
        free = ~held
        if np.abs(gradient[free]).max(initial=0.0) < 1e-7:
            break
        hessian = (rows[:, free] * (weight * p * (1 - p))[:, None]).T @ rows[:, free] + np.diag(ridge[free])
        step = np.zeros_like(b)
        step[free] = np.linalg.solve(hessian, gradient[free])
        size = 1.0
        while size > 1e-10:
            trial = project(b - size * step)
            value = loss(trial)
            if value < current:
                break
            size /= 2
        else:
            break
        b, current = trial, value
    return b


EMPTY = INDICATOR_NAMES.index("empty")


def fit_preference(shape: Shape, human: Table, broken: Table, weights: dict[str, float]) -> Array:
    """Coefficients of the rule, those that are pinned apart: pairs that these decide teach nothing else."""
    taught = human.where(human.differences[:, EMPTY] == 0)
    extra = np.array([weights.get(kind, 0.0) for kind in broken.source])
    rows = np.vstack([t[:, shape.places] for t in (taught.differences, broken.differences[extra > 0])]) / shape.scale
    weight = np.concatenate([np.ones(len(taught.source)), extra[extra > 0]])
    return minimise(rows, weight, np.full(len(shape.places), PREFERENCE_RIDGE), shape.signs)


def fit_rating(
    shape: Shape, rows: Array, flags: NDArray[np.bool_], center: Array, broken: Table, weights: dict[str, float]
) -> Array:
    """Coefficients, and the intercept last. Damaged answers enter as pairs, so that they say nothing about tasks."""
    extra = np.array([weights.get(kind, 0.0) for kind in broken.source])
    own = (rows[:, shape.places] - center[shape.places]) / shape.scale
    own = np.hstack([own, np.ones((len(own), 1))]) * np.where(flags, 1.0, -1.0)[:, None]
    beside = broken.differences[extra > 0][:, shape.places] / shape.scale
    beside = np.hstack([beside, np.zeros((len(beside), 1))])
    ridge = np.append(np.full(len(shape.places), RATING_RIDGE), 1e-6)
    weight = np.concatenate([np.ones(len(own)), extra[extra > 0]])
    return minimise(np.vstack([own, beside]), weight, ridge, np.append(shape.signs, 0.0))


def sums(rows: Array, shape: Shape, coefficients: Array) -> Array:
    """The weighted sums of rows or of differences, up to a constant."""
    total: Array = (rows[:, shape.places] / shape.scale) @ coefficients[: len(shape.places)]
    for name, weight in PINNED.items():
        total = total + weight * rows[:, INDICATOR_NAMES.index(name)]
    return total


# ------------------------------------------------------------------------------------------------------------ figures


def fold_of(groups: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    """A fold per row, the same for every row of one instruction."""
    return np.array(
        [int(hashlib.sha256(f"{seed}\n{g}".encode("utf-8", "replace")).hexdigest()[:8], 16) % FOLDS for g in groups]
    )


def right(z: Array) -> Array:
    return np.where(np.abs(z) < 1e-9, 0.5, (z > 0).astype(np.float64))


def percentiles(found: Array) -> tuple[float, float]:
    """The 2.5th and the 97.5th."""
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def interval(per_row: Array, groups: NDArray[np.str_], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of a mean, whole instructions drawn."""
    _, inverse = np.unique(groups, return_inverse=True)
    total, count = np.bincount(inverse, per_row), np.bincount(inverse)
    draw = np.random.default_rng(seed).integers(0, len(total), (DRAWS, len(total)))
    return percentiles(total[draw].sum(1) / count[draw].sum(1))


def auc(flags: NDArray[np.bool_], score: Array) -> float:
    """Chance that a flagged row scores above one that is not, ties half."""
    _, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[inverse]
    n = int(flags.sum())
    return float((rank[flags].sum() - n * (n + 1) / 2) / (n * (len(flags) - n)))


def auc_interval(flags: NDArray[np.bool_], score: Array, seed: int = 0) -> tuple[float, float]:
    draw = np.random.default_rng(seed)
    found = [
        auc(flags[pick], score[pick]) for pick in (draw.integers(0, len(flags), len(flags)) for _ in range(DRAWS))
    ]
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def spearman(a: Array, b: Array) -> float:
    def rank(x: Array) -> Array:
        _, inverse, count = np.unique(x, return_inverse=True, return_counts=True)
        ranks: Array = (np.cumsum(count) - (count - 1) / 2)[inverse]
        return ranks

    return float(np.corrcoef(rank(a), rank(b))[0, 1])


def line(name: str, mean: float, bounds: tuple[float, float], note: str = "") -> str:
    return f"  {name:34s} {mean:.3f}  [{bounds[0]:.3f}, {bounds[1]:.3f}]  {note}"


def damage_line(kind: str, rows: int, with_damage: float, without: float, weight: float) -> str:
    return f"  {kind:31s} {rows:5d} {with_damage:8.3f} {without:14.3f} {weight:21.2f}"


# ------------------------------------------------------------------------------------------------------- preference


def cross_validate_preference(
    shape: Shape, human: Table, broken: Table, weights: dict[str, float]
) -> tuple[Array, Array]:
    """Per choice, how often it was ordered right over the seeds by a rule that had not seen its instruction."""
    people, machine = np.zeros(len(human.source)), np.zeros(len(broken.source))
    for seed in SEEDS:
        fold, other = fold_of(human.group, seed), fold_of(broken.group, seed)
        for k in range(FOLDS):
            b = fit_preference(shape, human.where(fold != k), broken.where(other != k), weights)
            people[fold == k] += right(sums(human.differences[fold == k], shape, b))
            machine[other == k] += right(sums(broken.differences[other == k], shape, b))
    return people / len(SEEDS), machine / len(SEEDS)


def cross_validate_column(shape: Shape, choices: Sequence[Choice], broken: Table, rows: Array) -> Array:
    """The same for the column `preference`, which reads pairs as the rules would leave them."""
    human = table(choices)
    sides = [as_scored([getattr(choice, side) for choice in choices]) for side in ("better", "worse")]
    found = np.zeros(len(human.source))
    for seed in SEEDS:
        fold, other = fold_of(human.group, seed), fold_of(broken.group, seed)
        for k in range(FOLDS):
            b = fit_preference(shape, human.where(fold != k), broken.where(other != k), PREFERENCE_DAMAGE)
            middle = float(np.median(sums(rows, shape, b)))
            better, worse = (
                logistic(sums(left[fold == k], shape, b) - middle) * shares[fold == k] for left, shares in sides
            )
            found[fold == k] += right(better - worse)
    return found / len(SEEDS)


def preference(choices: Sequence[Choice], rows: Array) -> LinearRule:
    human = table(choices)
    broken = table(damaged([c.better for c in choices if c.source == "expert"], DAMAGED_PAIRS, seed=1))
    shape = Shape.of(PREFERENCE, np.sqrt((human.differences**2).mean(0)), PREFERENCE_FLOOR)
    people, machine = cross_validate_preference(shape, human, broken, PREFERENCE_DAMAGE)
    people_only, machine_only = cross_validate_preference(shape, human, broken, {})
    column = cross_validate_column(shape, choices, broken, rows)

    count = len(shape.places) + len(PINNED)
    print(f"\npreference: {count} indicators, {len(human.source)} choices, {FOLDS} folds by instruction")
    print("pair accuracy                         mean   95 % interval")
    facts: dict[str, float | int | str] = {"folds": FOLDS, "seeds": len(SEEDS)}
    for source in SOURCES:
        mask = human.source == source
        group = human.group[mask]
        print(f" {source}: {mask.sum()} choices, {len(set(group))} instructions")
        for name, per_row in (
            ("rule", people[mask]),
            ("column: rule as repaired, defects", column[mask]),
            ("rule, no damaged answers in the fit", people_only[mask]),
            ("longer response", right(human.longer[mask])),
        ):
            print(line(name, per_row.mean(), interval(per_row, group)))
        coins = np.random.default_rng(0).integers(0, 2, (DRAWS, int(mask.sum()))).mean(1)
        print(line("random", coins.mean(), percentiles(coins)))
        facts[f"{source}_choices"] = int(mask.sum())
        facts[f"{source}_accuracy"] = round(float(people[mask].mean()), 3)
        facts[f"{source}_accuracy_of_length"] = round(float(right(human.longer[mask]).mean()), 3)
    print(
        "what a source adds: accuracy on it when the rule is fitted on the other two, or on it alone (cross-validated)"
    )
    for source in SOURCES:
        own = human.where(human.source == source)
        b = fit_preference(shape, human.where(human.source != source), broken, PREFERENCE_DAMAGE)
        alone, _ = cross_validate_preference(shape, own, broken, PREFERENCE_DAMAGE)
        print(f"  {source:34s} {right(sums(own.differences, shape, b)).mean():.3f}  {alone.mean():.3f}")
    print(DAMAGE_HEAD)
    for kind in DAMAGES:
        mask = broken.source == kind
        weight = PREFERENCE_DAMAGE.get(kind, 0.0)
        print(damage_line(kind, int(mask.sum()), machine[mask].mean(), machine_only[mask].mean(), weight))

    b = fit_preference(shape, human, broken, PREFERENCE_DAMAGE)
    rule = assemble(
        "preference",
        shape,
        np.round(b, 3) + 0.0,  # no negative zeros
        rows,
        link="logistic",
        direction="higher is better; only differences between versions of one pair mean something",
        target="the better of two versions of one pair, as experts, voters and a judge chose",
        fitted_on=tuple(facts.items()),
    )
    # the level is arbitrary: a middling Alpaca row is put at 0.5
    middle = float(np.median([rule_sum(rule, row) for row in rows]))
    return replace(rule, intercept=round(-middle, 3))


# ------------------------------------------------------------------------------------------------------------ rating


def rating(pairs: Sequence[Pair], flags: NDArray[np.bool_], rows: Array) -> LinearRule:
    groups = np.array([pair.instruction for pair in pairs])
    broken = table(damaged(pairs, DAMAGED_PAIRS, seed=2))
    shape = Shape.of(RATING, rows.std(0), RATING_FLOOR, RATING_FAULT)
    center = rows.mean(0)
    words = np.array([len(pair.response.split()) for pair in pairs], dtype=np.float64)
    count = len(shape.places) + len(PINNED)
    print(f"\nrating: {count} indicators, {len(pairs)} rows, {flags.sum()} flagged, {FOLDS} folds")
    print("AUC                                   mean   95 % interval")
    left, shares = as_scored(pairs)
    lower: dict[str, Array] = {}
    found = 0.0
    for name, weights in (("rule", RATING_DAMAGE), ("rule, no damaged answers in the fit", dict[str, float]())):
        each, mean_rank, machine = [], np.zeros(len(pairs)), np.zeros(len(broken.source))
        as_column, column_rank = [], np.zeros(len(pairs))
        for seed in SEEDS:
            fold, other = fold_of(groups, seed), fold_of(broken.group, seed)
            z, column = np.zeros(len(pairs)), np.zeros(len(pairs))
            for k in range(FOLDS):
                b = fit_rating(shape, rows[fold != k], flags[fold != k], center, broken.where(other != k), weights)
                z[fold == k] = sums(rows[fold == k] - center, shape, b) + b[-1]
                known = np.quantile(sums(rows[fold != k] - center, shape, b) + b[-1], np.linspace(0, 1, 201))
                repaired = sums(left[fold == k] - center, shape, b) + b[-1]
                column[fold == k] = np.interp(repaired, known, np.linspace(0, 1, 201)) * shares[fold == k]
                machine[other == k] += right(sums(broken.differences[other == k], shape, b))
            each.append(auc(flags, z))
            mean_rank += z / len(SEEDS)
            as_column.append(auc(flags, column))
            column_rank += column / len(SEEDS)
        print(
            line(
                name, float(np.mean(each)), auc_interval(flags, mean_rank), f"seeds {min(each):.3f} to {max(each):.3f}"
            )
        )
        if weights:
            bounds = auc_interval(flags, column_rank)
            note = f"seeds {min(as_column):.3f} to {max(as_column):.3f}"
            print(line("column: rule as repaired, defects", float(np.mean(as_column)), bounds, note))
        lower[name] = machine / len(SEEDS)
        found = found or float(np.mean(each))
    for name, score in (("longer response", words), ("shorter response", -words)):
        print(line(name, auc(flags, score), auc_interval(flags, score)))
    draw = np.random.default_rng(0)
    coins = np.array([auc(flags, draw.random(len(flags))) for _ in range(DRAWS)])
    print(line("random", coins.mean(), percentiles(coins)))
    print(DAMAGE_HEAD)
    for kind in DAMAGES:
        mask = broken.source == kind
        first, second = (per_row[mask].mean() for per_row in lower.values())
        print(damage_line(kind, int(mask.sum()), first, second, RATING_DAMAGE.get(kind, 0.0)))

    b = fit_rating(shape, rows, flags, center, broken, RATING_DAMAGE)
    facts: dict[str, float | int | str] = {
        "rows": len(pairs),
        "flagged": int(flags.sum()),
        "folds": FOLDS,
        "seeds": len(SEEDS),
        "auc": round(found, 3),
        "auc_of_shorter_response": round(auc(flags, -words), 3),
    }
    rule = assemble(
        "rating",
        shape,
        np.round(b[:-1], 3) + 0.0,
        rows,
        intercept=round(float(b[-1]), 3),
        link="percentile",
        reference=(0.0, 1.0),
        direction="higher is better; 0.5 is the middle of Alpaca rows",
        target="rows that a strong judge rated 4.5 or more of 5",
        fitted_on=tuple(facts.items()),
    )
    quantiles = np.quantile([rule_sum(rule, row) for row in rows], np.linspace(0, 1, 201))
    return replace(rule, reference=tuple(np.round(quantiles, 4).tolist()))


# ------------------------------------------------------------------------------------------------------------- rules


def assemble(name: str, shape: Shape, coefficients: Array, rows: Array, **settings: Any) -> LinearRule:
    places = [*shape.places, *(INDICATOR_NAMES.index(pinned) for pinned in PINNED)]
    center = np.round(rows.mean(0), 4)
    return LinearRule(
        name=name,
        indicators=tuple(INDICATOR_NAMES[place] for place in places),
        coefficients=(*coefficients.tolist(), *PINNED.values()),
        center=(*center[shape.places].tolist(), *(0.0 for _ in PINNED)),
        scale=(*shape.scale.tolist(), *(1.0 for _ in PINNED)),
        reads="pair",
        **settings,
    )


def rule_sum(rule: LinearRule, row: Array) -> float:
    """The sum before the link."""
    return rule.intercept + sum(rule.contributions(dict(zip(INDICATOR_NAMES, row.tolist(), strict=True))).values())


def describe(rule: LinearRule) -> None:
    print(f"\n{rule.name}: coefficient per scaled indicator, and per unit of the indicator")
    for name, coefficient, scale in sorted(
        zip(rule.indicators, rule.coefficients, rule.scale, strict=True), key=lambda row: -abs(row[1])
    ):
        print(f"  {name:26s} {coefficient:8.3f} {coefficient / scale:9.3f}")


def compare(rule: LinearRule) -> bool:
    """Whether the shipped rule is the fitted one; says where it is not."""
    path = FOLDER / f"{rule.name}.json"
    if not path.is_file():
        print(f"{rule.name}: nothing is shipped yet")
        return False
    shipped = LinearRule.from_file(path)
    if shipped.to_json() == rule.to_json():
        print(f"{rule.name}: the shipped rule is the fitted one, byte for byte")
        return True
    apart = [
        f"{name} {old} -> {new}"
        for name, old, new in zip(shipped.indicators, shipped.coefficients, rule.coefficients, strict=False)
        if not math.isclose(old, new, abs_tol=0.002)
    ]
    same = shipped.indicators == rule.indicators and not apart
    print(f"{rule.name}: {'coefficients agree within 0.002' if same else 'differs'} {'; '.join(apart)}")
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the embedded rules, print their figures, write them.")
    parser.add_argument("--check", action="store_true", help="compare with the shipped rules; write nothing")
    arguments = parser.parse_args()
    if not REALDATA.is_dir():
        sys.exit(f"no real rows at {REALDATA}; set HFCLEAN_REALDATA to their folder")

    alpaca = read("alpaca_6k.jsonl")
    pairs = [Pair(row["instruction"], row["input"], row["output"]) for row in alpaca]
    rows = values(pairs)
    choices = [*expert_choices(), *human_choices(), *judge_choices()]
    rules = [
        preference(choices, rows),
        rating(pairs, np.array([bool(row["claude_ge_4_5"]) for row in alpaca]), rows),
    ]
    for rule in rules:
        describe(rule)

    dolly = [Pair(row["instruction"], row["context"], row["response"]) for row in read("dolly_2k.jsonl")]
    print("\nrows at 0.5 or more, and rank correlation with the words of the response")
    for rule in rules:
        for name, some in (("alpaca_6k", pairs), ("dolly_2k", dolly)):
            scores = np.array(rule.predict(some))
            length = np.array([len(pair.response.split()) for pair in some], dtype=np.float64)
            print(f"  {rule.name:12s} {name:10s} {np.mean(scores >= 0.5):.3f} {spearman(scores, length):7.3f}")

    outside = [Choice("outside", "", better, worse) for better, worse in chat_choices()]
    z = np.array([rules[0].predict(c.better) - rules[0].predict(c.worse) for c in outside])
    longer = np.array(
        [len(c.better.response.split()) - len(c.worse.response.split()) for c in outside], dtype=np.float64
    )
    print(f"\nnever fitted on: {len(outside)} choices between two long answers in a chat")
    for name, per_row in (("preference", right(z)), ("longer response", right(longer))):
        print(line(name, per_row.mean(), interval(per_row, np.arange(len(outside)).astype(str))))

    print()
    if arguments.check:
        sys.exit(sum(not compare(rule) for rule in rules))
    for rule in rules:
        path = FOLDER / f"{rule.name}.json"
        path.write_text(rule.to_json(), encoding="utf-8", newline="\n")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
