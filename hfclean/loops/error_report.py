"""What a loop over a student's errors gave: the rows, a line for each round, and why it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfclean.generation.rounds import Rounds
from hfclean.generation.tally import summed
from hfclean.plain_values import to_plain

ENDED: Mapping[str, str] = {
    "rounds": "all rounds were made",
    "no_errors": "the student got no seed wrong any more",
    "nothing_new": "nothing new came of a round: no row was kept and none was revised",
}
USED = ("requests", "failed", "prompt_tokens", "completion_tokens", "cost", "currency")


@dataclass(frozen=True)
class ErrorRounds:
    """What a loop gave.

    Attributes:
        rows: a `Dataset` of what the last student was trained on and what was made after it: first the seeds, as they
            are after revisions, then the made rows. Beside the columns of the seeds' shape each has those of
            `hfclean.generate`: `made_id`, `seed_ids` (of a seed its own id), `parent_ids`, `round` (0 for a seed),
            `made_by`, `nearest`, `similarity`; with a reviser also those of a revision, so that `hfclean.restore`
            gives back the seeds.
        made: a `Dataset` of the made rows alone; None where there is none.
        lines: the ledger, a line for each round; see `ledger`.
        ended: why the loop ended, a key of `ENDED`.
        student: the folder of the last student; None where it is gone: a loop keeps the newest alone (unless
            `keep_students`), so fewer rounds than the folder has leave none.
        rounds: what the teacher made, for `hfclean.generation.save`; None without a teacher.
        control: the same of the arm with random seeds; None where none was asked for.
    """

    rows: Any
    made: Any
    lines: tuple[Mapping[str, Any], ...]
    ended: str
    student: Path | None
    rounds: Rounds | None = None
    control: ErrorRounds | None = None

    def ledger(self) -> list[dict[str, Any]]:
        """A line for each round, and the last, whose `round` is 0, for them all.

        Of each: `rows` that the student was trained on, `steps`, `model` (a digest of its weights), `right`, `errors`
        and `cannot_tell` among the seeds, `accuracy` (right of right and wrong, 0 to 1; null where there is neither)
        and the same on the test set (`test_accuracy`, `test_rows`, `test_cannot_tell`); how many of the seeds went to
        the reviser (`asked_to_revise`) and were `revised`; `requests`, `failed`, tokens and `cost` of teacher, reviser
        and judge; rows `kept`, and `dropped` by reason.
        """
        lines = [dict(line) for line in self.lines]
        last, dropped = lines[-1], dict[str, int]()
        for line in lines:
            for reason, count in line["dropped"].items():
                dropped[reason] = dropped.get(reason, 0) + count
        spent = summed([{**line, "read": {}, "written": {}, "estimated": 0, "models": []} for line in lines])
        total = {
            **last,
            "round": 0,
            **{name: sum(line[name] for line in lines) for name in ("steps", "asked_to_revise", "revised", "kept")},
            "dropped": dict(sorted(dropped.items())),
            **{name: spent[name] for name in USED},
        }
        return [*lines, total]

    def children(self) -> dict[str, list[tuple[str, int]]]:
        """The made rows of each seed, by its id: their `made_id` and round."""
        found: dict[str, list[tuple[str, int]]] = {}
        for row in self.made or ():
            for name in (*row["seed_ids"], *row["parent_ids"]):
                found.setdefault(name, []).append((row["made_id"], row["round"]))
        return found

    def summary(self) -> str:
        """The rounds as a table for people, those of the control arm beside them."""
        texts = [_table(self.lines), f"ended: {ENDED[self.ended]}"]
        if self.control is not None:
            texts += ["control, as many rows from random seeds:", _table(self.control.lines)]
            if short := sum(line["kept"] for line in self.lines) - sum(line["kept"] for line in self.control.lines):
                texts.append(f"the control has {short:,} rows less: random seeds did not bring more")
        return "\n".join(texts)

    __str__ = summary

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it, without the rows."""
        control = None if self.control is None else self.control.to_dict()
        found = {"ledger": to_plain(self.ledger()), "ended": self.ended, "children": to_plain(self.children())}
        return {
            **found,
            "rows": len(self.rows),
            "student": None if self.student is None else str(self.student),
            "control": control,
        }


HEAD = (
    *("round", "rows", "errors", "cannot tell", "accuracy", "on test"),
    *("revised", "kept", "dropped", "requests", "cost"),
)


def _table(lines: Sequence[Mapping[str, Any]]) -> str:
    cells = [HEAD, *(tuple(_cells(line)) for line in lines)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(HEAD))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def _cells(line: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{line[name]:,}" for name in ("round", "rows", "errors", "cannot_tell"))
    for name in ("accuracy", "test_accuracy"):
        yield "-" if line[name] is None else f"{line[name]:.1%}"
    yield from (f"{line['revised']:,}", f"{line['kept']:,}", f"{sum(line['dropped'].values()):,}")
    yield f"{sum(line['requests'].values()):,}"
    yield "-" if line["cost"] is None else f"{line['cost']:.4f} {line['currency']}".strip()


def told(line: Mapping[str, Any], arm: str) -> str:
    """One round in a line for people."""
    parts = [f"{line['rows']:,} rows", f"{line['errors']:,} seeds wrong, {line['right']:,} right"]
    if line["cannot_tell"]:
        parts.append(f"{line['cannot_tell']:,} cannot be told")
    if line["test_accuracy"] is not None:
        parts.append(f"test {line['test_accuracy']:.1%}")
    if line["asked_to_revise"]:
        parts.append(f"{line['revised']:,} of {line['asked_to_revise']:,} revised")
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in line["dropped"].items())
    parts.append(f"{line['kept']:,} new rows" + (f" (dropped: {dropped})" if dropped else ""))
    return f"{arm}round {line['round']}: {'; '.join(parts)}"
