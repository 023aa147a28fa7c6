"""The gate (`hfclean.checks`) on real rows: what it refuses of experts' revisions, and what damage it lets through.

    python benchmarks/gate.py                the tables
    python benchmarks/gate.py --fit          fit the weights of the checks that weigh signs, and print them
    python benchmarks/gate.py --show CHECK   print the refused expert revisions of one check (or `all`), to read them

The rows are read where they lie (`HFCLEAN_REALDATA`, else ../shared/data); none is copied into the project. Damaged
revisions are made from the experts' texts, seeded: what was good becomes bad in one known way. Fitted figures are
cross-validated, with folds by instruction. It runs on one core in one or two minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from gate_damage import KINDS, SEED, WORDED, Pool, Revision, damaged, without_code
from numpy.typing import NDArray

from hfclean.checks import CHECKS, PREFERENCE_MARGIN, Case, accept
from hfclean.checks.ending import ENDING_LIMIT, ending_signs
from hfclean.checks.meta_phrases import aside_signs, edges
from hfclean.checks.non_answers import nothing_signs
from hfclean.checks.numbers import KEPT_LEVELS, LEVELS
from hfclean.checks.topic import TOPIC_LIMIT, topic_signs
from hfclean.checks.topic_drift import DRIFT_LIMIT, drift_signs
from hfclean.schema import Pair

ROOT = Path(__file__).resolve().parent.parent
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))
FOLDS = 10
# The points chosen on the trade-off curves: shares of experts' revisions that each fitted check may refuse. A model
# that was cut off says so in `finish_reason`; the check of endings is for what no server reported.
SHARES = {"ENDING": 0.0075, "TOPIC": 0.005, "DRIFT": 0.005, "ASIDE": 0.003, "NOTHING": 0.003}


# --------------------------------------------------------------------------------------------------------------- rows


def _rows(name: str) -> list[dict[str, str]]:
    with (REALDATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def expert_revisions() -> list[Revision]:
    """Raw and expert-revised pairs."""
    return [
        (
            Pair(row["raw_instruction"], row["raw_input"], row["raw_output"]),
            Pair(row["revised_instruction"], row["revised_input"], row["revised_output"]),
        )
        for row in _rows("expert_revisions_1800")
    ]


def code_rows() -> list[Pair]:
    """Alpaca rows whose task asks for code and whose answer is that: the experts' rows have hardly any."""
    pairs = [Pair(row["instruction"], row["input"], row["output"]) for row in _rows("alpaca_6k")]
    return [pair for pair in pairs if ASKS_CODE.search(pair.instruction) and CODE_SIGN.search(pair.response)]


ASKS_CODE = re.compile(
    r"\b(?:write|create|generate|construct|develop|implement|build|design|code|refactor|debug|convert|"
    r"rewrite)\b.*\b(?:code|function|"
    r"program|script|sql|query|html|css|python|java|javascript|regex|c\+\+|class|loop|algorithm|page)\b",
    re.IGNORECASE,
)
CODE_SIGN = re.compile(
    r"```|\bdef \w+\(|;\s*$|\{\s*$|</?\w+>|\bSELECT\b|\bfunction ?\w*\(|\bprint ?\(|\w+\(\w*\)\s*$", re.MULTILINE
)


# ------------------------------------------------------------------------------------------------------------- fitting

Signs = Callable[[Case], dict[str, float]]
Array = NDArray[np.float64]


def _matrix(cases: Sequence[Case], signs: Signs, names: Sequence[str]) -> Array:
    found = [signs(case) for case in cases]
    return np.array([[values.get(name, 0.0) for name in names] for values in found])


def fit(good: Array, bad: Array, ridge: float = 1.0) -> tuple[Array, float]:
    """Weights and offset of a logistic rule that tells bad from good, both weighing the same."""
    x = np.vstack([good, bad])
    x = np.hstack([x, np.ones((len(x), 1))])
    y = np.r_[np.zeros(len(good)), np.ones(len(bad))]
    share = np.r_[np.full(len(good), 0.5 / len(good)), np.full(len(bad), 0.5 / len(bad))] * len(y)
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 1e-6
    w = np.zeros(x.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        gradient = x.T @ (share * (p - y)) + penalty * w
        hessian = (x * (share * p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    return w[:-1], float(w[-1])


def folds(revisions: Sequence[Revision]) -> NDArray[np.int64]:
    """A fold for every revision: rows with the same instruction share one."""
    order = sorted({before.instruction for before, _ in revisions})
    random.Random(SEED).shuffle(order)
    place = {instruction: k % FOLDS for k, instruction in enumerate(order)}
    return np.array([place[before.instruction] for before, _ in revisions])


def sweep(
    name: str,
    good: Sequence[Revision],
    bads: dict[str, list[Revision]],
    signs: Signs,
    teach: Sequence[str],
    share: float,
) -> None:
    """Print, cross-validated, the share of damage let through at several shares of experts' revisions refused.

    And what the rule does to rows it has not seen, when its limit, too, is set on the others, for `share` of experts.
    """
    good_cases = [Case(*pair) for pair in good]
    bad_cases = {kind: [Case(*pair) for pair in pairs] for kind, pairs in bads.items()}
    names = sorted({n for case in (*good_cases, *(c for k in teach for c in bad_cases[k])) for n in signs(case)})
    x, places = _matrix(good_cases, signs, names), folds(good)
    xs = {kind: _matrix(cases, signs, names) for kind, cases in bad_cases.items()}
    places_of = {kind: folds_like(bads[kind], good, places) for kind in bads}
    scores, bad_scores = np.zeros(len(x)), {kind: np.zeros(len(m)) for kind, m in xs.items()}
    refused, passed = np.zeros(len(x), bool), {kind: np.zeros(len(m), bool) for kind, m in xs.items()}
    for k in range(FOLDS):
        w, b = fit(x[places != k], np.vstack([xs[kind][places_of[kind] != k] for kind in teach]))
        scores[places == k] = x[places == k] @ w + b
        limit = np.quantile(x[places != k] @ w + b, 1 - share)
        refused[places == k] = scores[places == k] > limit
        for kind in bads:
            mine = places_of[kind] == k
            bad_scores[kind][mine] = xs[kind][mine] @ w + b
            passed[kind][mine] = bad_scores[kind][mine] <= limit
    print(f"\n{name}: share of damage let through, by share of experts' revisions refused (10 folds by instruction)")
    shares = (0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05)
    print(f"  {'experts refused':34}" + "".join(f"{share:8.2%}" for share in shares))
    for kind in bads:
        limits = [np.quantile(scores, 1 - share) for share in shares]
        print(f"  {kind:34}" + "".join(f"{np.mean(bad_scores[kind] <= limit):8.1%}" for limit in limits))
    through = ", ".join(f"{kind} {passed[kind].mean():.1%}" for kind in bads)
    print(f"  limit set on the other folds for {share:.2%}: {refused.mean():.2%} refused; let through: {through}")


def folds_like(pairs: Sequence[Revision], good: Sequence[Revision], places: NDArray[np.int64]) -> NDArray[np.int64]:
    of = {before.instruction: place for (before, _), place in zip(good, places, strict=True)}
    return np.array([of[before.instruction] for before, _ in pairs])


def print_fit(name: str, good: Sequence[Revision], bad: Sequence[Revision], signs: Signs, share: float) -> None:
    """Print the weights of a rule fitted to all rows, and the limit at which that share of experts' "
    "revisions is refused."""
    cases, bad_cases = [Case(*pair) for pair in good], [Case(*pair) for pair in bad]
    names = sorted({n for case in (*cases, *bad_cases) for n in signs(case)})
    x, z = _matrix(cases, signs, names), _matrix(bad_cases, signs, names)
    w, b = fit(x, z)
    w, b = np.round(w, 1), round(b, 1)
    limit = float(np.quantile(x @ w + b, 1 - share))
    print_rule(name, dict(zip(names, w, strict=True)), b, limit, float(np.mean(z @ w + b <= limit)))


# ------------------------------------------------------------------------------------------- fitting to what is rare

# What one case shows: the signs of each of its sentences, or of the whole. The surest of them counts.
Shown = list[dict[str, float]]
ROUNDS, HARD, HARD_AGAIN, RIDGE = 5, 8, 4, 5.0


def ordinary_rows() -> list[Pair]:
    """Rows as they are, of people and of generators."""
    rows = [Pair(row["instruction"], row["input"], row["output"]) for row in _rows("alpaca_6k")]
    return rows + [Pair(row["instruction"], row["context"] or "", row["response"]) for row in _rows("dolly_2k")]


def shown_asides(revision: Revision, known: str = "") -> Shown:
    """The signs of the sentences at the ends that are in neither the old answer nor `known`."""
    before, after = revision
    case = Case(before, after)
    new = (unit for unit in edges(after.response) if unit not in before.response and unit not in known)
    return [signs for unit in new if (signs := aside_signs(unit, case))]


def shown_nothing(revision: Revision) -> Shown:
    signs = nothing_signs(Case(*revision))
    return [signs] if signs else []


def fit_rare(name: str, good: Sequence[Shown], bad: Sequence[Shown], share: float) -> None:
    """Print a rule that tells the surest sentence of bad cases from that of good ones, and its limit.

    The good ones that look worst weigh more: only they matter where the rule may hardly ever be wrong.
    """
    names = sorted({n for shown in (*good, *bad) for signs in shown for n in signs})
    place = {n: k for k, n in enumerate(names)}

    def matrix(cases: Sequence[Shown]) -> list[Array]:
        found = []
        for shown in cases:
            x = np.zeros((len(shown), len(names)))
            for row, signs in enumerate(shown):
                for n, value in signs.items():
                    x[row, place[n]] = value
            found.append(x)
        return found

    goods, bads = matrix([shown for shown in good if shown]), matrix([shown for shown in bad if shown])
    w, b = fit(np.vstack(goods), np.vstack(bads), RIDGE)
    for _ in range(ROUNDS):
        x = np.array([one[np.argmax(one @ w)] for one in goods])
        z = np.array([one[np.argmax(one @ w)] for one in bads])
        hard = x[np.argsort(-(x @ w), kind="stable")[: len(x) // HARD]]
        w, b = fit(np.vstack([x, *[hard] * HARD_AGAIN]), z, RIDGE)
    w, b = np.round(w, 1), round(b, 1)
    scores = np.array([max(one @ w) + b for one in goods])
    idle = len(good) - len(goods)
    limit = float(np.quantile(np.r_[scores, np.full(idle, -99.0)], 1 - share))
    passed = np.mean([not len(one) or max(one @ w) + b <= limit for one in matrix(bad)])
    print_rule(name, dict(zip(names, w, strict=True)), b, limit, passed)


def print_rule(name: str, weights: dict[str, float], offset: float, limit: float, passed: float) -> None:
    print(f"{name}_WEIGHTS: dict[str, float] = {{")
    for n, value in weights.items():
        print(f'    "{n}": {value:.1f},')
    print(f"}}  # fmt: skip\n{name}_OFFSET = {offset}\n{name}_LIMIT = {limit:.2f}  # {passed:.1%} let through")


def fit_words(revisions: Sequence[Revision], made: dict[str, list[Revision]]) -> None:
    """Fit the two rules that read words, to experts and ordinary rows on one side, the seen wordings on the other."""
    rows = ordinary_rows()
    good = [shown_asides(revision) for revision in revisions]
    for row in rows:
        body = row.response
        for unit in edges(row.response):
            body = body.replace(unit, "")
        good.append(shown_asides((row.replace(response=body), row)))
    afters = dict(revisions)
    bad = [
        shown_asides(revision, afters[revision[0]].response)
        for id in WORDED
        if id.startswith("prompt leak")
        for revision in made[id]
    ]
    fit_rare("ASIDE", good, bad, SHARES["ASIDE"])
    halved = [(row.replace(response=" ".join(row.response.split()[::2])), row) for row in rows]
    good = [shown_nothing(one) for one in (*revisions, *((after, before) for before, after in revisions), *halved)]
    bad = [shown_nothing(one) for id in WORDED if id.startswith("refusal") for one in made[id]]
    fit_rare("NOTHING", good, bad, SHARES["NOTHING"])


# -------------------------------------------------------------------------------------------------------------- tables


def table_of_experts(revisions: Sequence[Revision], preference: Callable[[Pair], float] | None) -> None:
    """Print the share of experts' revisions refused, in all and by each check."""
    counts: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    refused = 0
    for before, after in revisions:
        reasons = accept(before, after, preference=preference)
        refused += bool(reasons)
        counts.update(reasons)
        if len(reasons) == 1:
            alone.update(reasons)
    print(f"experts' revisions refused: {refused} of {len(revisions)} = {refused / len(revisions):.2%}")
    print(f"  {'check':24}{'refuses':>9}{'share':>9}{'alone':>7}")
    for check in CHECKS:
        print(f"  {check.id:24}{counts[check.id]:9}{counts[check.id] / len(revisions):9.2%}{alone[check.id]:7}")


def table_of_damage(made: dict[str, list[Revision]]) -> None:
    """Print the share of each kind of damage let through, and the checks that refuse most of it."""
    print(f"\ndamage let through\n  {'kind':38}{'rows':>6}{'through':>9}  {'aim':6}refused by")
    aims = {kind.id: kind.at_most for kind in KINDS} | {"code dropped": 0.02}
    for kind, pairs in made.items():
        counts: Counter[str] = Counter()
        through = 0
        for before, after in pairs:
            reasons = accept(before, after)
            through += not reasons
            counts.update(reasons)
        aim = aims[kind]
        by = ", ".join(f"{id} {n / len(pairs):.0%}" for id, n in counts.most_common(4))
        print(f"  {kind:38}{len(pairs):6}{through / len(pairs):9.1%}  {'' if aim != aim else f'<{aim:.0%}':6}{by}")


def table_of_levels(revisions: Sequence[Revision], made: dict[str, list[Revision]]) -> None:
    """Print the trade-off of the check of numbers, level by level."""
    print("\nnumbers: each level refuses what those before it refuse, and more")
    print(f"  {'level':24}{'experts':>9}" + "".join(f"{kind[:34]:>38}" for kind in made))
    for count in range(1, len(LEVELS) + 1):
        levels = [level for _, level in LEVELS[:count]]

        def share(pairs: Sequence[Revision], levels: list[Callable[[Case], bool]] = levels) -> float:
            return sum(any(level(case) for level in levels) for case in (Case(*pair) for pair in pairs)) / len(pairs)

        mark = "  <- the gate" if count == KEPT_LEVELS else ""
        through = "".join(f"{1 - share(pairs):38.1%}" for pairs in made.values())
        print(f"  {LEVELS[count - 1][0]:24}{share(revisions):9.2%}{through}{mark}")


def table_of_margins(revisions: Sequence[Revision], preference: Callable[[Pair], float]) -> None:
    """Print the share of experts' revisions, and of some damage, that `preference` puts lower by more "
    "than a margin."""
    falls = np.array([preference(before) - preference(after) for before, after in revisions])
    back = -falls
    print("\npreference_lower: share refused by margin (experts as they are; experts the wrong way round)")
    for margin in (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5):
        mark = "  <- the gate" if margin == PREFERENCE_MARGIN else ""
        print(f"  {margin:5.2f}{np.mean(falls > margin):9.2%}{np.mean(back > margin):9.1%}{mark}")


def show(revisions: Sequence[Revision], check: str, size: int = 600) -> None:
    """Print refused expert revisions, to be read."""
    for before, after in revisions:
        reasons = accept(before, after)
        if check in reasons or (check == "all" and reasons):
            print("=" * 20, *reasons)
            for name in ("instruction", "input", "response"):
                old, new = getattr(before, name), getattr(after, name)
                print(f"{name}: {old[:size]}" + (f"\n  -> {new[:size]}" if new != old else ""))


def embedded_preference() -> Callable[[Pair], float] | None:
    """The embedded preference score, where this version of hfclean has it."""
    try:
        from hfclean.scorers.embedded import preference_rule
    except ImportError:
        return None
    return preference_rule().predict


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the gate on real rows")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--show", metavar="CHECK")
    options = parser.parse_args()
    revisions = expert_revisions()
    if options.show:
        show(revisions, options.show)
        return
    pool = Pool(
        [after.response for _, after in revisions],
        [after.instruction for _, after in revisions],
        [row["output"] for row in _rows("alpaca_zh") if len(row["output"]) > 8],
    )
    made = {kind.id: damaged(revisions, kind, pool) for kind in KINDS}
    made["code dropped"] = without_code(code_rows(), revisions, pool)
    cuts = ("truncated: anywhere", "truncated: at a word", "truncated: at a sentence")
    longs = ("over-long: x5", "over-long: x3")
    if options.fit:
        good = [(before, after) for before, after in revisions if after.response.strip()]
        print_fit("ENDING", good, [*made[cuts[0]], *made[cuts[1]]], ending_signs, SHARES["ENDING"])
        print_fit("TOPIC", good, made["swapped answer"], topic_signs, SHARES["TOPIC"])
        print_fit("DRIFT", good, [*made[longs[0]], *made[longs[1]]], drift_signs, SHARES["DRIFT"])
        fit_words(good, made)
        return
    preference = embedded_preference()
    table_of_experts(revisions, None)
    if preference:
        print("\nwith the embedded preference score:")
        table_of_experts(revisions, preference)
    table_of_damage(made)
    good = [(before, after) for before, after in revisions if after.response.strip()]
    sweep(
        f"truncated (limit {ENDING_LIMIT})",
        good,
        {kind: made[kind] for kind in cuts},
        ending_signs,
        cuts[:2],
        SHARES["ENDING"],
    )
    sweep(
        f"swapped answer (limit {TOPIC_LIMIT})",
        good,
        {"swapped answer": made["swapped answer"]},
        topic_signs,
        ["swapped answer"],
        SHARES["TOPIC"],
    )
    sweep(
        f"over-long (limit {DRIFT_LIMIT})",
        good,
        {kind: made[kind] for kind in longs},
        drift_signs,
        longs,
        SHARES["DRIFT"],
    )
    table_of_levels(revisions, {kind: pairs for kind, pairs in made.items() if kind.startswith("number")})
    if preference:
        table_of_margins(revisions, preference)
    start = time.process_time()
    for before, after in revisions:
        accept(before, after)
    print(f"\n{len(revisions) / (time.process_time() - start):,.0f} revisions checked per CPU second")


if __name__ == "__main__":
    main()
