"""Assignment: who gets which row, how it is shown, and what the owner looks at again.

Everything is drawn by hash of a row's id and a seed, so it is the same on any machine and in any order, and a row that
is added or decided changes nothing for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from hfclean.errors import HfcleanError

Arm = Literal["with", "without"]


def assigned(row_id: str, people: Sequence[str], *, doubled: float = 0.0, seed: int = 0) -> tuple[str, ...]:
    """Who gets a row: one person, or two where it is doubled and there are two.

    Everybody gets about as many. When somebody joins, rows only move to them; when somebody leaves, only theirs move.

    Args:
        row_id: of the row.
        people: everybody who revises, in any order, each once.
        doubled: the share of rows that two people get, 0 to 1.
        seed: of the draw.

    Raises:
        HfcleanError: nobody is named, somebody twice, or `doubled` is not a share.

    >>> assigned("5d41402abc4b2a76", ["ana", "ben", "eva"])
    ('eva',)
    >>> assigned("5d41402abc4b2a76", ["eva", "ben", "ana"], doubled=1)
    ('eva', 'ben')
    """
    if not people or len(set(people)) < len(people):
        raise HfcleanError(f"people={list(people)!r}: expected at least one name, and each once")
    ranked = sorted(people, key=lambda who: (drawn(row_id, f"person {who}", seed=seed), who))
    return tuple(ranked[: 2 if is_doubled(row_id, doubled, seed=seed) else 1])


def is_doubled(row_id: str, share: float, *, seed: int = 0) -> bool:
    """Whether two people get a row, without knowing of each other; true of this share of all rows.

    Raises:
        HfcleanError: `share` is not from 0 to 1.
    """
    return drawn(row_id, "doubled", seed=seed) < _share(share, "doubled")


def arm(row_id: str, *, without: float = 0.5, seed: int = 0) -> Arm:
    """Whether a row is shown with the model's proposal, or its original alone, to compare how long people take.

    Args:
        row_id: of the row.
        without: the share of rows that is shown without, 0 to 1.
        seed: of the draw.

    Raises:
        HfcleanError: `without` is not from 0 to 1.
    """
    return "without" if drawn(row_id, "arm", seed=seed) < _share(without, "without") else "with"


def owner_sample(rows: Iterable[str], who: str, share: float, *, seed: int = 0) -> list[str]:
    """Which of the rows that a person decided the owner looks at again, in their order.

    A row is in the sample or not whatever else was decided, so the sample only grows; about `share` of the rows are.

    Args:
        rows: ids of the rows that the person decided.
        who: the person.
        share: of the rows, 0 to 1.
        seed: of the draw.

    Raises:
        HfcleanError: `share` is not from 0 to 1.
    """
    share = _share(share, "share")
    return [row for row in rows if drawn(row, f"owner of {who}", seed=seed) < share]


class Control(NamedTuple):
    """One person's decision that the owner is to look at.

    Attributes:
        row_id: of the row.
        who: the person who decided.
    """

    row_id: str
    who: str


def to_control(decided: Mapping[str, Iterable[str]], owner: str, share: float, *, seed: int = 0) -> list[Control]:
    """The decisions that an owner is to look at: the sample of each person's, without the rows that the owner decided
    as a reviser, whoever else did.

    Args:
        decided: person -> ids of the rows that they decided as a reviser.
        owner: who controls.
        share: of each person's rows, 0 to 1.
        seed: of the draw.

    Raises:
        HfcleanError: `share` is not from 0 to 1.
    """
    own = set(decided.get(owner, ()))
    return [
        Control(row, who)
        for who, rows in decided.items()
        if who != owner
        for row in owner_sample(rows, who, share, seed=seed)
        if row not in own
    ]


@dataclass(frozen=True)
class GoldRow:
    """A revision that is wrong for certain, to be shown as if it had been accepted: right is who rejects it.

    Attributes:
        id: by which its events are known. It looks like the id of a row and is that of none, so the person who decides
            cannot tell; events on it say `gold`, and are never applied.
        row_id: of the row that was to be revised.
        split: of that row.
        texts: place, as in the ledger -> the refused text. `Event("", "edit", texts).edited(row, view)` is what to
            show.
        before: place -> the text that stands there.
        codes: why the revision was refused, as in `edit_reason`.
        findings: what a program proves wrong in it, a sentence each; at least one.
    """

    id: str
    row_id: str
    split: str
    texts: Mapping[str, str]
    before: Mapping[str, str]
    codes: str
    findings: tuple[str, ...]


def gold_rows(refused: Iterable[Mapping[str, Any]], count: int, *, seed: int = 0) -> list[GoldRow]:
    """Refused revisions to measure attention with: at most `count`, at most one a row, drawn by hash.

    Only those in which a verifier finds something wrong that the original does not have are sure: what was refused by
    a rule of thumb, such as a change of length, may be right.

    Args:
        refused: rows of `RefusedRevision`, as `refused_revisions` and the folder give them: one for each text that a
            revision changed, those of one revision after each other.
        count: how many to take; fewer come where fewer are sure.
        seed: of the draw.
    """
    chosen: dict[str, GoldRow] = {}
    for gold in _revisions(refused, seed):
        other = chosen.get(gold.row_id)
        if gold.findings and (other is None or gold.id < other.id):
            chosen[gold.row_id] = gold
    return sorted(chosen.values(), key=lambda gold: (drawn(gold.row_id, "gold", seed=seed), gold.id))[: max(count, 0)]


def planted(rows: Sequence[str], gold: Iterable[GoldRow], who: str, *, seed: int = 0) -> list[str]:
    """The ids of a person's rows in their order, with gold rows among them at places that differ from person to
    person, and without the rows that these are revisions of. No gold rows where nothing else is left.
    """
    gold = list(gold)
    under = {each.row_id for each in gold}
    names = [name for name in rows if name not in under]
    for each in gold if names else ():
        names.insert(int(drawn(each.id, f"place for {who}", seed=seed) * (len(names) + 1)), each.id)
    return names


def drawn(row_id: str, purpose: str, *, seed: int = 0) -> float:
    """A number from 0 to below 1 for a row, spread evenly, and independent for every purpose and seed."""
    return int(_digits(str(seed), purpose, row_id)[:13], 16) / 16**13


def _digits(*words: str) -> str:
    """16 hex digits."""
    data = b"".join(b"%d\0%b" % (len(word), word.encode("utf-8", "surrogatepass")) for word in words)
    return blake2b(data, digest_size=8).hexdigest()


def _share(share: float, name: str) -> float:
    if not 0 <= share <= 1:
        raise HfcleanError(f"{name}={share}: expected a share from 0 to 1")
    return share


def _revisions(refused: Iterable[Mapping[str, Any]], seed: int) -> Iterator[GoldRow]:
    """The texts of each revision together."""
    parts: list[Mapping[str, Any]] = []
    for row in refused:
        if parts and (_revision(row) != _revision(parts[0]) or row["field"] in {part["field"] for part in parts}):
            yield _gold(parts, seed)
            parts = []
        parts.append(row)
    if parts:
        yield _gold(parts, seed)


def _revision(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (*(row[name] for name in ("split", "row_id", "codes", "model")), *row["findings"])


def _gold(parts: Sequence[Mapping[str, Any]], seed: int) -> GoldRow:
    first = parts[0]
    texts = {str(part["field"]): str(part["proposed"]) for part in parts}
    words = (word for pair in texts.items() for word in pair)
    return GoldRow(
        _digits(str(seed), "gold row", str(first["row_id"]), *words),
        str(first["row_id"]),
        str(first["split"]),
        texts,
        {str(part["field"]): str(part["before"]) for part in parts},
        str(first["codes"]),
        tuple(first["findings"]),
    )
