"""The rows of `form_coach.py`: what teaches a form coach, what sets its threshold, and what judges it.

Fixed before anything was trained. All rows that share an instruction, directly or through others, stand on one side.

* people's pairs: experts' revisions of `expert_revisions_1800` whose response changed, of which a coach may touch the
  response only. `minimal` ones changed at most 30 % of the pair or of the response, in characters; `larger` ones more.
* clean rows: Alpaca rows that a judge gave 4.5 of 5 or more and that the rules leave as they are.
* synthetic pairs: Dolly's answers damaged in a known way, mostly as the rules' injectors do it; the answer as it was
  is the revision.

The rows are read where they lie (`HFCLEAN_REALDATA`, else ../shared/data).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from gate import _rows
from rapidfuzz.distance import Levenshtein
from rule_injectors import INJECTORS

from hfclean.reviser.rules import revise
from hfclean.schema import Pair
from hfclean.training.choice import _groups
from hfclean.training.pairs import COLUMNS, Sides, pair_of, revision_distance

MINIMAL = 0.3  # of the pair's characters, or of the response's
PEOPLE = {"test": {"minimal": 150, "larger": 150}, "validation": {"minimal": 60, "larger": 200}}
CLEAN = {"test": 300, "validation": 100}
SYNTHETIC = {"test": 300, "validation": 100}
PARTS = ("test", "validation", "train")
SHORTEST, LONGEST = 40, 1500  # characters of an answer that is damaged

Damage = Callable[[Pair, random.Random], Pair | None]


@dataclass(frozen=True)
class Part:
    """Rows of one use.

    Attributes:
        minimal, larger: pairs that people revised, by how much.
        synthetic: pairs that were damaged, and as they were.
        clean: rows that need nothing.
    """

    minimal: list[Sides] = field(default_factory=list)
    larger: list[Sides] = field(default_factory=list)
    synthetic: list[Sides] = field(default_factory=list)
    clean: list[Pair] = field(default_factory=list)

    def people(self) -> list[Sides]:
        return [*self.minimal, *self.larger]


def chance(text: str) -> str:
    """A random order that depends on each text alone."""
    return blake2b(f"form\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def stratum(sides: Sides) -> str:
    """`minimal`, `larger`, or empty where the response stayed."""
    raw, revised = sides
    if raw.response.strip() == revised.response.strip():
        return ""
    whole = revision_distance(as_row(sides)) / max(1, len(raw.instruction + raw.input + raw.response))
    alone = Levenshtein.distance(raw.response, revised.response) / max(1, len(raw.response))
    return "minimal" if min(whole, alone) <= MINIMAL else "larger"


def as_row(sides: Sides) -> dict[str, str]:
    """The row of a pair, in the columns that experts' revisions are published in."""
    texts = (text for pair in sides for text in (pair.instruction, pair.input, pair.response))
    return dict(zip(COLUMNS, texts, strict=True))


def split_people(pairs: Sequence[Sides], quota: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, list[Sides]]]:
    """Pairs by part and stratum: as many as each quota says, the rest to train on; a group never on two sides."""
    groups: dict[str, list[Sides]] = {}
    for name, sides in zip(_groups(pairs), pairs, strict=True):
        groups.setdefault(name, []).append(sides)
    found: dict[str, dict[str, list[Sides]]] = {part: {"minimal": [], "larger": []} for part in PARTS}
    for name in sorted(groups, key=chance):
        kinds = {kind for sides in groups[name] if (kind := stratum(sides))}
        part = next(
            (part for part, most in quota.items() if any(len(found[part][kind]) < most[kind] for kind in kinds)),
            "train",
        )
        for sides in groups[name]:
            kind = stratum(sides)
            if kind and (part == "train" or len(found[part][kind]) < quota[part][kind]):
                found[part][kind].append(sides)
    return found


def split_rows(rows: Iterable[Pair], quota: Mapping[str, int]) -> dict[str, list[Pair]]:
    """Rows by part, one an instruction: as many as each quota says, the rest to train on."""
    once = {" ".join(row.instruction.casefold().split()): row for row in rows}
    ordered = [once[key] for key in sorted(once, key=chance)]
    found: dict[str, list[Pair]] = {}
    for part, most in quota.items():
        found[part], ordered = ordered[:most], ordered[most:]
    return {**found, "train": ordered}


def parts() -> dict[str, Part]:
    """All rows, by use."""
    pairs = [pair_of(row) for row in _rows("expert_revisions_1800")]
    known = {" ".join(pair.instruction.casefold().split()) for sides in pairs for pair in sides}
    people = split_people(pairs, PEOPLE)
    good = [
        Pair(row["instruction"], row["input"], row["output"]) for row in _rows("alpaca_6k") if row["claude_ge_4_5"]
    ]
    clean = split_rows((row for row in good if _new(row, known) and kept_by_rules(row)), CLEAN)
    known |= {" ".join(row.instruction.casefold().split()) for row in good}
    dolly = [Pair(row["instruction"], row["context"], row["response"]) for row in _rows("dolly_2k")]
    usable = (row for row in dolly if _new(row, known) and SHORTEST <= len(row.response) <= LONGEST)
    bases = split_rows((row for row in usable if kept_by_rules(row)), SYNTHETIC)
    synthetic = {part: [sides for row in bases[part] if (sides := damaged(row)) is not None] for part in PARTS}
    return {part: Part(**people[part], synthetic=synthetic[part], clean=clean[part]) for part in PARTS}


def kept_by_rules(row: Pair) -> bool:
    """Whether the rules leave it as it is."""
    cells = revise({"instruction": row.instruction, "input": row.input, "output": row.response})
    return bool(cells["edit"] == "kept")


def _new(row: Pair, known: set[str]) -> bool:
    return " ".join(row.instruction.casefold().split()) not in known


# ------------------------------------------------------------------------------------------------------------- damage


def _no_full_stop(pair: Pair, rng: random.Random) -> Pair | None:
    return pair.replace(response=pair.response[:-1]) if re.search(r"[a-z]\.\Z", pair.response) else None


def _lower_start(pair: Pair, rng: random.Random) -> Pair | None:
    text = pair.response
    spots = [found.end() - 1 for found in re.finditer(r"(?:\A|[.!?]\s+)[A-Z](?=[a-z])", text)]
    if not spots:
        return None
    spot = rng.choice(spots)
    return pair.replace(response=text[:spot] + text[spot].lower() + text[spot + 1 :])


def _replaced(pattern: str, by: str) -> Damage:
    """One place that matches, replaced."""

    def damage(pair: Pair, rng: random.Random) -> Pair | None:
        spots = list(re.finditer(pattern, pair.response))
        if not spots:
            return None
        spot = rng.choice(spots)
        return pair.replace(response=pair.response[: spot.start()] + spot.expand(by) + pair.response[spot.end() :])

    return damage


DAMAGES: dict[str, Damage] = {
    **{
        name: INJECTORS[name]
        for name in (
            *("control_characters", "invisible_characters", "chat_markers", "html_remnants", "scrape_remnants"),
            *("whitespace", "doubled_word", "ai_boilerplate", "unclosed_fence", "next_task"),
        )
    },
    "no_full_stop": _no_full_stop,
    "lower_start": _lower_start,
    "space_before_mark": _replaced(r"(?<=[a-z])([,.])(?=\s)", r" \1"),
    "no_space_after_comma": _replaced(r"(?<=[a-z]), (?=[a-z])", ","),
    "comma_lost": _replaced(r"(?<=[a-z]), (?=and |but |or |which )", " "),
    "doubled_mark": _replaced(r"(?<=[a-z])([,.])(?=\s)", r"\1\1"),
    "small_i": _replaced(r"(?<=\s)I(?=\s)", "i"),
    "apostrophe_lost": _replaced(r"(?<=n)'t\b", "t"),
}


def damaged(row: Pair) -> Sides | None:
    """The row with one or two kinds of damage to its response, and as it was; None if none applies."""
    rng = random.Random(chance(row.instruction))
    names = sorted(DAMAGES)
    rng.shuffle(names)
    wanted, hurt = rng.choice((1, 1, 2)), row
    for name in names:
        worse = DAMAGES[name](hurt, rng)
        if worse is None or (worse.instruction, worse.input) != (row.instruction, row.input):
            continue
        if worse.response != hurt.response and (
            Levenshtein.distance(worse.response, row.response) <= MINIMAL * len(worse.response)
        ):
            hurt, wanted = worse, wanted - 1
        if not wanted:
            break
    return Sides(hurt, row) if hurt.response.strip() != row.response.strip() else None
