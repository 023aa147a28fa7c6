"""What the evaluation of a reviser found: figures beside baselines, in words, as a table, and for the card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfclean.checks import Trust
from hfclean.errors import HfcleanError, SourceError
from hfclean.evaluation.bootstrap import Figure
from hfclean.evaluation.earned_trust import earned_trust
from hfclean.plain_values import from_plain, to_plain

REVISER, IDENTITY, RULES, LONGEST, EXPERT = "reviser", "identity", "rules", "longest", "expert"
FILLER, SHUFFLED = "filler", "shuffled"
SENTENCE = "This can help people to save time, avoid mistakes and reach their goals more easily."  # says nothing
BASELINES: Mapping[str, str] = {
    IDENTITY: "leaves every pair as it is",
    RULES: "hfclean.revise, which asks no model",
    LONGEST: "the reviser's pair or the old one, whichever has the longer response: what length alone would choose",
    FILLER: "the old pair with one generic sentence after each response, of a kind that `preference` likes",
    SHUFFLED: "the reviser's responses, each given to another row, seeded",
    EXPERT: "the experts themselves, a ceiling, not a baseline",
}
# figure -> what it says; all are of rows that the expert changed, but `unchanged`. First what length cannot buy, last
# what it can
MEANINGS: Mapping[str, str] = {
    "closer": "share of pairs that come nearer to the expert's text, 0 to 1, higher = better",
    "farther": "share of pairs that go away from it, 0 to 1, lower = better",
    "net_closer": "`closer` less `farther`, -1 to 1, higher = better",
    "findings_mended": "share of pairs that lose something that `hfclean.verify` finds wrong, 0 to 1, higher = better",
    "unchanged": "share of rows that need nothing and stay as they are, 0 to 1, higher = better",
    "findings_made": "share of pairs that get something that `hfclean.verify` finds wrong, 0 to 1, lower = better",
    "structure_lost": "share of pairs whose revision, taken or refused, loses structure: a thought, a box, a table, a "
    "tool call, a placeholder, ...; 0 to 1, lower = better",
    "refused": "share of pairs whose revision the gate refuses (of baselines: would refuse), 0 to 1, lower = better",
    "failed": "share of pairs for which no answer came, 0 to 1, lower = better",
    "exact": "share of pairs that equal the expert's but for outer white space, 0 to 1, higher = better",
    "distance": "mean number of words and marks to put in or take out to reach the expert's text, lower = better",
    "distance_left": "all distances after over all distances before, 0 and up; below 1 = nearer on the whole",
    "length_ratio": "characters of all responses after over before, 0 and up; 1 = as long",
    "improved": "share of pairs whose `preference` rises, which follows length, 0 to 1",
    "worsened": "share of pairs whose `preference` falls, 0 to 1",
    "preference_gain": "mean change of `preference`, -1 to 1",
}
# what length does not buy; the costs after it are nil for whoever does nothing, and so no merit
HEADLINE = ("closer", "farther", "net_closer", "findings_mended", "unchanged")
DERIVED = ("warning", "trust", "trust_sentence")  # told with the figures, never read back
COMPARED = ("closer", "distance", "exact", "improved", "preference_gain")
PERCENT = (
    "closer", "farther", "net_closer", "findings_mended", "unchanged", "findings_made", "structure_lost", "refused",
    "failed", "exact", "improved", "worsened",
)  # fmt: skip


@dataclass(frozen=True)
class System:
    """What one reviser or baseline does to the held-out pairs.

    Attributes:
        name: `reviser`, a key of `BASELINES`.
        figures: a figure for every key of `MEANINGS`.
        refusals: check, or other reason -> share of pairs whose revision it refused; of those that have no gate of
            their own, would refuse.
        failures: kind of error -> pairs without an answer.
        gated: whether the refusals are its own, and its refused revisions were not taken.
    """

    name: str
    figures: Mapping[str, Figure]
    refusals: Mapping[str, Figure]
    failures: Mapping[str, int]
    gated: bool = False


@dataclass(frozen=True)
class AddedSentence:
    """The sentence that a reviser added to the most rows.

    Attributes:
        sentence: as it stands.
        rows: to how many responses it was added.
        changed: how many responses were changed.
    """

    sentence: str
    rows: int
    changed: int

    def __str__(self) -> str:
        share = self.rows / self.changed
        return f"added to {self.rows:,} of {self.changed:,} changed responses ({share:.0%}): {self.sentence[:200]!r}"


@dataclass(frozen=True)
class ReviserEvaluation:
    """How good a reviser is on held-out pairs; see `evaluate_reviser`.

    Attributes:
        reviser: what was evaluated, in words.
        dataset, split: on what, where that was said.
        pairs: how many pairs the expert changed; all figures but `unchanged` are of these.
        clean: how many rows need nothing: those given, and the pairs that the expert left as they were.
        left_out: unusable pairs, by reason.
        trained_on: how many of the pairs the reviser was trained on; above 0 only where that was forced.
        measured_at: how far the reviser was trusted meanwhile, which decides what its gate let through; empty where
            it has no gate.
        added: the sentence that was added to the most rows; None where that is fewer than one in 20 changed ones.
        systems: the reviser first, then the baselines.
        beyond: baseline -> figure -> the reviser's figure less the baseline's, paired by row.
        preference: version of the rule behind `preference`.
        seed, draws: of the intervals.
    """

    reviser: str
    dataset: str
    split: str
    pairs: int
    clean: int
    left_out: Mapping[str, int]
    trained_on: int
    measured_at: str
    added: AddedSentence | None
    systems: tuple[System, ...]
    beyond: Mapping[str, Mapping[str, Figure]]
    preference: int
    seed: int
    draws: int

    def of(self, system: str) -> System:
        """The reviser's figures, or a baseline's.

        Raises:
            HfcleanError: there is none of this name.
        """
        for found in self.systems:
            if found.name == system:
                return found
        raise HfcleanError(f"no figures of {system!r}; expected one of {', '.join(s.name for s in self.systems)}")

    @property
    def figures(self) -> Mapping[str, Figure]:
        """The reviser's own."""
        return self.systems[0].figures

    @property
    def warning(self) -> str:
        """What makes the figures worthless, in a sentence; empty where nothing does."""
        if not self.trained_on:
            return ""
        return (
            f"measured on its own training rows: {self.trained_on:,} of {self.pairs + self.clean:,} pairs trained "
            "this reviser, so the figures say nothing about rows that it has not seen"
        )

    @property
    def trust(self) -> Trust:
        """How far the figures say that this reviser can be trusted; see `hfclean.evaluation.earned_trust`."""
        return earned_trust(self).level

    @property
    def trust_sentence(self) -> str:
        """What trust the reviser has earned, and why no more."""
        return str(earned_trust(self))

    def table(self) -> list[list[str]]:
        """The figures as rows of cells: a head, then one row per figure, one column per system; the reviser's own with
        their intervals."""
        rows = [["", *(system.name for system in self.systems)]]
        for name in MEANINGS:
            own, *others = (system.figures[name] for system in self.systems)
            rows.append([name, _cell(name, own), *(_cell(name, Figure(figure.value)) for figure in others)])
        return rows

    def for_card(self) -> list[dict[str, Any]]:
        """The reviser's figures as `push_reviser(evaluation=...)` and a model-index take them."""
        where = {"dataset": self.dataset or "held-out pairs", **({"split": self.split} if self.split else {})}
        lines = []
        for name, figure in self.figures.items():
            if math.isnan(figure.value):
                continue
            notes = [f"{figure.count:,} rows"]
            if not math.isnan(figure.low):
                notes.append(f"95 % interval {figure.low:.4g} to {figure.high:.4g}")
            others = [f"{s.name} {s.figures[name].value:.4g}" for s in self.systems[1:]]
            notes.append(f"beside it: {', '.join(others)}")
            if self.trained_on:
                notes.insert(0, self.warning)
            lines.append({**where, "metrics": {name: round(figure.value, 6)}, "notes": "; ".join(notes)})
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON; what is nan is None."""
        data = to_plain(self)
        derived = {"warning": self.warning, "trust": self.trust, "trust_sentence": self.trust_sentence}
        return {**data, **derived, "systems": {one.pop("name"): one for one in data["systems"]}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReviserEvaluation:
        """What `to_dict` gave, such as the JSON of `hfclean evaluate --json`.

        Raises:
            HfcleanError: something is missing, or is not what `to_dict` gives.
        """
        try:
            systems = [{"name": name, **one} for name, one in data["systems"].items()]
            entries = {name: value for name, value in data.items() if name not in DERIVED}
            evaluation = from_plain(cls, {**entries, "systems": systems}, "evaluation")
            if not all(MEANINGS.keys() <= system.figures.keys() for system in evaluation.systems):
                raise KeyError("figures")
            return evaluation
        except (KeyError, TypeError, AttributeError, SourceError) as e:
            raise HfcleanError(
                f"this is not an evaluation of a reviser ({type(e).__name__}: {e}); expected what to_dict or hfclean "
                "evaluate --json gave"
            ) from e

    def __str__(self) -> str:
        lines = [f"{self.reviser}: {self.pairs:,} pairs that an expert changed, {self.clean:,} rows that need nothing"]
        if self.warning:
            lines.append(f"WARNING: {self.warning}")
        if self.left_out:
            lines.append("left out: " + ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items()))
        lines.append(self.trust_sentence)
        table = self.table()
        widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
        for row in table:
            lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        lines += self._beyond() + self._refusals()
        if self.added:
            lines.append(str(self.added))
        lines.append(
            "shares in %; 95 % bootstrap intervals over rows. Findings made, structure lost and refusals are costs: "
            "whoever does nothing has none. The last three are by `preference`, which sees form and length, not "
            "truth: see them beside longest, filler and shuffled"
        )
        return "\n".join(lines)

    def _beyond(self) -> list[str]:
        lines = []
        for other, figures in self.beyond.items():
            differences = [
                _difference(name, figure) for name, figure in figures.items() if not math.isnan(figure.value)
            ]
            if differences:
                lines.append(f"less {other}: {', '.join(differences)}")
        return lines

    def _refusals(self) -> list[str]:
        first = self.systems[0]
        lines = []
        if first.refusals:
            refusals = ", ".join(f"{name} {figure.percent()} %" for name, figure in first.refusals.items())
            lines.append(f"{'refused by' if first.gated else 'the gate would refuse'}: {refusals}")
        if first.failures:
            lines.append("failed: " + ", ".join(f"{name} {count:,}" for name, count in first.failures.items()))
        return lines


def _cell(name: str, figure: Figure) -> str:
    if name in PERCENT:
        return figure.percent()
    return figure.number({"distance": 1, "preference_gain": 3}.get(name, 2))


def _difference(name: str, figure: Figure) -> str:
    sure = "" if figure.excludes(0.0) else " (no difference)"
    text = figure.percent() if name in PERCENT else _cell(name, figure)
    return f"{name} {'+' if figure.value > 0 else ''}{text}{sure}"
