"""Which pairs teach: no empty ones, the most revised ones if asked, none on both sides of the split."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from statistics import mean, median
from typing import Any, Literal

from hfclean.errors import TrainingError
from hfclean.schema import Pair
from hfclean.training.pairs import Sides, pair_of, revision_distance

ALPHAS = (0.1, 0.2, 0.3, 0.5, 0.75)


@dataclass(frozen=True)
class Chosen:
    """Pairs for training, pairs that are held out, and how they were chosen.

    Attributes:
        train: before and after, in the order of the source; pairs of equal sides at the end.
        heldout: of other instructions.
        facts: `given`, `left_out` (reason -> rows), `distance` (least, median, mean, most), `thresholds` (share ->
            distance from which on a pair is among the most revised), `alpha` and `alpha_threshold`,
            `distance_at_most`, `near_identity` and `near_identity_rows`, `train`, `heldout`, `instructions_heldout`.
    """

    train: tuple[Sides, ...]
    heldout: tuple[Sides, ...]
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Known:
    sides: Sides
    distance: int
    group: str


def choose_pairs(
    pairs: Iterable[Mapping[str, Any]],
    *,
    alpha: float | None = None,
    distance_at_most: float | None = None,
    near_identity: float = 0.0,
    heldout: float = 0.0,
    seed: int = 0,
    revise: Literal["pair", "response"] = "pair",
) -> Chosen:
    """Choose the pairs that teach a reviser.

    Left out and counted: `empty_raw` (neither instruction nor input), `empty_revised` (no instruction or no response),
    `duplicate` (the same pair again), `same_raw` (another revision of the same row; the first counts), `identical`
    (equal sides, unless `near_identity` takes them), `above_distance`, `below_alpha`.

    Args:
        pairs: rows as `revision_pairs` gives them.
        alpha: the share of the training pairs to take, the most revised first, above 0 and up to 1; CoachLM advises
            about 0.3. By default all.
        distance_at_most: leave out pairs that were revised more than this: the distance as a share of the raw text, in
            characters, above 0. By default none.
        near_identity: the share of training pairs, below 1, that leave a text as it is. Where the data has too few
            pairs of equal sides, revised texts are used, as raw and as revised.
        heldout: the share of pairs to hold out. Pairs that share an instruction, raw or revised, go to one side.
        seed: random seed of the held-out split and of the choice of near-identity pairs.
        revise: `"response"` to look at the responses alone: a pair whose response stayed is one of equal sides, and
            distances are those of the responses.

    Raises:
        TrainingError: a share out of its range, or no pair is left.
        ColumnError: rows that are not pairs.

    Source: CoachLM, arXiv 2311.13246, for alpha.
    """
    if alpha is not None and not (_is_number(alpha) and 0 < alpha <= 1):
        raise TrainingError(f"alpha={alpha!r}: expected a share above 0 and up to 1, such as 0.3")
    if distance_at_most is not None and not (_is_number(distance_at_most) and distance_at_most > 0):
        raise TrainingError(f"distance_at_most={distance_at_most!r}: expected a share above 0, such as 0.3")
    for name, share in (("near_identity", near_identity), ("heldout", heldout)):
        if not (_is_number(share) and 0 <= share < 1):
            raise TrainingError(f"{name}={share!r}: expected a share of at least 0 and below 1")
    left_out: Counter[str] = Counter()
    known, same, given = _read(pairs, left_out, revise)
    if distance_at_most is not None:
        small = [one for one in known if one.distance <= distance_at_most * max(1, _size(one.sides.raw, revise))]
        left_out["above_distance"] = len(known) - len(small)
        known = small
    if not known:
        left_out += Counter({"identical": len(same)})
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none were given"
        raise TrainingError(f"no pair to learn from ({why}); expected raw and revised text that differ")
    held_groups = _held(known, heldout, seed)
    held = [one for one in known if one.group in held_groups]
    rest = [one for one in known if one.group not in held_groups]
    taken, threshold = _most_revised(rest, alpha)
    left_out["below_alpha"] = len(rest) - len(taken)
    still = _still(taken, [one for one in same if one.group not in held_groups], near_identity, seed)
    given_still = {id(one) for one in still}
    left_out["identical"] = sum(id(one) not in given_still for one in same)
    distances = sorted((one.distance for one in known), reverse=True)
    facts = {
        "given": given,
        "left_out": {reason: count for reason, count in sorted(left_out.items()) if count},
        "distance": {
            "least": distances[-1],
            "median": median(distances),
            "mean": round(mean(distances), 1),
            "most": distances[0],
        },
        "thresholds": {str(share): distances[_count(len(known), share) - 1] for share in ALPHAS},
        "alpha": alpha,
        "alpha_threshold": threshold,
        "distance_at_most": distance_at_most,
        "near_identity": near_identity,
        "near_identity_rows": len(still),
        "train": len(taken) + len(still),
        "heldout": len(held),
        "instructions_heldout": len({one.sides.raw.instruction for one in held}),
        "seed": seed,
    }
    return Chosen(tuple(one.sides for one in [*taken, *still]), tuple(one.sides for one in held), facts)


def _is_number(share: Any) -> bool:
    return isinstance(share, (int, float)) and not isinstance(share, bool)


def _read(
    pairs: Iterable[Mapping[str, Any]], left_out: Counter[str], revise: str
) -> tuple[list[_Known], list[_Known], int]:
    """Pairs that differ, pairs of equal sides, and how many were given."""
    rows = []
    given = 0
    once: set[tuple[str, ...]] = set()
    for row in pairs:
        given += 1
        sides = pair_of(row)
        raw, revised = (tuple(" ".join(t.split()) for t in (p.instruction, p.input, p.response)) for p in sides)
        if not (raw[0] or raw[1]):
            left_out["empty_raw"] += 1
        elif not (revised[0] or revised[1]) or not revised[2]:
            left_out["empty_revised"] += 1
        elif (*raw, *revised) in once:
            left_out["duplicate"] += 1
        elif raw in once:
            left_out["same_raw"] += 1
        else:
            once |= {raw, (*raw, *revised)}
            rows.append((sides, _revised(sides, row, revise)))
    groups = _groups([sides for sides, _ in rows])
    found = [_Known(sides, distance, group) for (sides, distance), group in zip(rows, groups, strict=True)]
    return [one for one in found if one.distance], [one for one in found if not one.distance], given


def _revised(sides: Sides, row: Mapping[str, Any], revise: str) -> int:
    """How much of what is taught was revised, in characters."""
    from rapidfuzz.distance import Levenshtein

    names = ("response",) if revise == "response" else ("instruction", "input", "response")
    raw, revised = ([getattr(pair, name).strip() for name in names] for pair in sides)
    if raw == revised:
        return 0
    return Levenshtein.distance(raw[0], revised[0]) if revise == "response" else revision_distance(row)


def _size(pair: Pair, revise: str) -> int:
    return len(pair.response) + (0 if revise == "response" else len(pair.instruction) + len(pair.input))


def _groups(rows: Sequence[Sides]) -> list[str]:
    """A name for each pair, equal where pairs share an instruction, directly or through others."""
    parent: dict[str, str] = {}

    def top(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    keys = [[" ".join(pair.instruction.casefold().split()) for pair in sides] for sides in rows]
    for first, second in keys:
        low, high = sorted((top(first), top(second)))
        parent[high] = low
    return [top(first) for first, _ in keys]


def _held(known: Sequence[_Known], share: float, seed: int) -> frozenset[str]:
    """Groups to hold out: as many as the share has room for, at random, whatever the order of rows."""
    sizes = Counter(one.group for one in known)
    room = share * len(known)
    chosen: set[str] = set()
    for group in sorted(sizes, key=lambda key: _chance(seed, key)):
        if len(chosen) < len(sizes) - 1 and sizes[group] <= room + 0.5:
            chosen.add(group)
            room -= sizes[group]
        if room < 0.5:
            break
    return frozenset(chosen)


def _chance(seed: int, text: str) -> bytes:
    return blake2b(f"{seed}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _most_revised(rest: Sequence[_Known], alpha: float | None) -> tuple[list[_Known], int | None]:
    """The share of pairs with the largest distance, in their order, and the distance of the last of them."""
    if alpha is None:
        return list(rest), None
    count = _count(len(rest), alpha)
    best = sorted(range(len(rest)), key=lambda k: (-rest[k].distance, k))[:count]
    return [rest[k] for k in sorted(best)], rest[best[-1]].distance


def _count(rows: int, share: float) -> int:
    return max(1, math.floor(rows * share + 1e-9))


def _still(taken: Sequence[_Known], same: Sequence[_Known], share: float, seed: int) -> list[_Known]:
    """Pairs that leave a text as it is: those of the data first, then revised texts as they came out."""
    wanted = round(share / (1 - share) * len(taken))
    unchanged = [_Known(Sides(one.sides.revised, one.sides.revised), 0, one.group) for one in taken]
    pool = [*_shuffled(same, seed), *_shuffled(unchanged, seed)]
    seen: dict[str, list[Sides]] = defaultdict(list)
    found: list[_Known] = []
    for one in pool:
        if len(found) < wanted and one.sides not in seen[one.sides.raw.response]:
            seen[one.sides.raw.response].append(one.sides)
            found.append(one)
    return found


def _shuffled(pairs: Iterable[_Known], seed: int) -> list[_Known]:
    """A random order that depends on each text alone and not on its neighbours."""
    return sorted(pairs, key=lambda one: _chance(seed, f"{one.sides.raw.prompt}\0{one.sides.raw.response}"))
