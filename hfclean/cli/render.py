"""Text for the terminal about one row: what happened to it, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.cli.terminal import before_after, head, indent, put_in, taken_out, visible
from hfclean.limits import too_long
from hfclean.plain_values import to_plain
from hfclean.provenance import Step, parse_history
from hfclean.report.meanings import meaning
from hfclean.report.refused import as_refused
from hfclean.report.rows import recorded_layout
from hfclean.restoration import LedgerEntry, ledger_entries
from hfclean.reviser.refused import RefusedRevision
from hfclean.verdicts.applying import CODES
from hfclean.verdicts.excluded import REMOVED_REASON
from hfclean.verifiers import Finding, verify

PLAIN = (("revised", "reviser"), ("revised", "reflection"))  # a reason that says no more than the edit does


def describe_change(entry: LedgerEntry) -> str:
    """One change: where, by what, and what it did."""
    head = f"{entry.row_id}  {entry.field}  {entry.rule}"
    return f"{head}\n{before_after(entry.before, entry.after)}"


def _word_diff_text(before: str, after: str, context: int = 60) -> str:
    """What a text was and what it is, word by word: `[-taken out-]`, `{+put in+}`, and some of what stayed."""
    from hfclean.text.worddiff import readable_diff

    stretches = readable_diff(before, after)
    parts = []
    for n, (kind, text) in enumerate(stretches):
        if kind == "same":
            head = text[:context] if n else ""
            tail = text[-context:] if n + 1 < len(stretches) else ""
            text = visible(text if len(text) <= 2 * context else f"{head}...{tail}")
        else:
            text = taken_out(f"[-{visible(text)}-]") if kind == "out" else put_in(f"{{+{visible(text)}+}}")
        parts.append(text)
    return "".join(parts)


@dataclass(frozen=True)
class StepStory:
    """One step of a row's history: who, what it did, and why, each reason with its meaning."""

    by: str
    version: int
    model: str
    edit: str
    reasons: dict[str, str]
    errors: dict[str, str]

    @classmethod
    def of(cls, step: Step) -> StepStory:
        """The step of a history, with the model that answered, else the one that was asked."""
        model = step.model or str(step.settings.get("model", ""))
        return cls(
            step.by, step.version, model, step.edit, {code: meaning(code) for code in step.reasons}, dict(step.errors)
        )

    def text(self) -> str:
        """The step for people."""
        raised = [f"    {visible(name, 80)} raised {visible(error, 300)}" for name, error in self.errors.items()]
        return "\n".join([self._done(), *raised])

    def _done(self) -> str:
        head = f"{self.by} v{self.version}" + (f", model {visible(self.model, 80)}" if self.model else "")
        if not self.edit:
            return head
        if not self.model:
            return " ".join([f"{head}: {self.edit}", *self.reasons])
        because = " because" if self.edit in ("reverted", "failed") and self.reasons else ""
        lines = [f"{head}: {self.edit}{because}"]
        meanings = {code: text for code, text in self.reasons.items() if (self.edit, code) not in PLAIN}
        lines += [f"    {code}" + (f": {text}" if text else "") for code, text in meanings.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class RowStory:
    """What is known of one row of a cleaned folder."""

    split: str
    index: int
    row_id: str
    edit: str
    steps: tuple[StepStory, ...]
    changes: tuple[LedgerEntry, ...]
    refused: tuple[RefusedRevision, ...]
    defects: tuple[str, ...]
    findings: tuple[Finding, ...]
    duplicate_of: str
    decided: dict[str, str]
    removed: str
    scores: dict[str, float]
    meanings: dict[str, str]
    moved_by: dict[str, dict[str, float]]
    texts: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The story as JSON can hold it; a score that was not computed is null."""
        return dict(to_plain(self))

    def text(self) -> str:
        """The story for people."""
        lines = [head(f"row {self.split}:{self.index}  id {self.row_id}  {self.edit}")]
        lines += [f"  {name}: {indent(visible(text, 300))}" for name, text in self.texts.items() if text]
        if self.changes:
            lines.append("\nwhat changed, in order:")
        for change in self.changes:
            reason = "; ".join(meaning(rule) or rule for rule in change.rule.split())
            lines += [f"\n{change.rule} in {change.field}: {reason}", before_after(change.before, change.after)]
        if not self.changes:
            lines.append("\nnothing was changed")
        for refused in self.refused:
            codes = [code + (f": {text}" if (text := meaning(code)) else "") for code in refused.codes.split()]
            lines += [f"\nrefused revision of {refused.field}:", *(f"  {code}" for code in codes)]
            lines += [f"  {visible(sentence, 300)}" for sentence in refused.findings]
            lines.append(f"    {indent(_word_diff_text(refused.before, refused.proposed))}")
        if self.defects:
            lines.append("\nstill wrong:")
        for name in self.defects:
            lines.append(f"  {name}: {meaning(name)}")
            proven = [finding for finding in self.findings if finding.check == name]
            lines += [f"    line {one.line + 1} of the {one.field}: {visible(one.sentence, 300)}" for one in proven]
        if self.decided:
            lines += ["\npeople decided:", *(f"  {code}: {text}" for code, text in self.decided.items())]
        if self.removed:
            lines.append(f"\nremoved from the data: {visible(self.removed, 300)}")
        if self.duplicate_of:
            lines.append(f"\nsame text as row {self.duplicate_of}")
        if self.scores:
            lines.append("\nscores:")
        for name, value in self.scores.items():
            moved = ", ".join(f"{by} {weight:+.2f}" for by, weight in self.moved_by.get(name, {}).items())
            lines.append(f"  {name}: {value:.4g}" + (f"  (moved most by {moved})" if moved else ""))
            if self.meanings.get(name):
                lines.append(f"      {visible(self.meanings[name], 300)}")
        lines += ["\nsteps:", *(f"  {indent(step.text(), 2)}" for step in self.steps)]
        return "\n".join(lines)


def describe_row(folder: Any, split: str, index: int) -> RowStory:
    """The story of one row of a cleaned folder."""
    from hfclean.scorers.embedded import preference_rule, rating_rule
    from hfclean.scorers.explained import explained_columns

    row = folder.dataset[split][index]
    prefix = folder.layout.prefix
    steps = parse_history(row.get(prefix + "edit_history")) or ()
    names = [name for step in steps if not step.is_revision for name in step.columns]
    known = explained_columns(steps)
    layout = recorded_layout(steps, prefix=prefix, columns=folder.layout.columns)
    pairs = layout.pairs(row, layout.view(row))
    pair = pairs[-1]
    pairs = [each for each in pairs if not too_long(each.instruction, each.input, each.response)]
    scored = pairs if layout.turns == "all" and layout.side != "both" else pairs[-1:] if pair in pairs else []
    linear = (preference_rule(), rating_rule())
    return RowStory(
        split=split,
        index=index,
        row_id=str(row.get(prefix + "row_id", "")),
        edit=str(row.get(prefix + "edit", "")),
        steps=tuple(map(StepStory.of, steps)),
        changes=tuple(ledger_entries(row, layout)),
        refused=_refused_of(folder.refused, str(row.get(prefix + "row_id", ""))),
        defects=tuple(str(row.get(prefix + "defects", "")).split()),
        findings=tuple(finding for each in pairs for finding in verify(each)),
        duplicate_of=str(row.get(prefix + "duplicate_of", "")),
        decided=_decided(steps),
        removed=str(row.get(REMOVED_REASON, "")),
        moved_by={rule.name: _strongest(_mean([rule.contributions(each) for each in scored])) for rule in linear}
        if scored
        else {},
        scores={n: row[prefix + n] for n in names if isinstance(row.get(prefix + n), float)},
        meanings={n: known[n].sentence() for n in names if n in known},
        texts={"instruction": pair.instruction, "input": pair.input, "response": pair.response},
    )


def _decided(steps: Sequence[Step]) -> dict[str, str]:
    """What people decided about the text as it is, each code with its meaning."""
    last = next((step for step in reversed(steps) if step.is_revision), None)
    reasons = last.reasons if last is not None and not {*CODES.values()}.isdisjoint(last.reasons) else ()
    return {code: meaning(code) for code in reasons}


def _refused_of(refused: Any | None, row_id: str) -> tuple[RefusedRevision, ...]:
    """The refused revisions of a row."""
    if refused is None:
        return ()
    places = [k for k, name in enumerate(refused["row_id"][:]) if name == row_id]
    return tuple(map(as_refused, refused.select(places)))


def _mean(each: Sequence[dict[str, float]]) -> dict[str, float]:
    """What each indicator gave to a score that is the mean over several turns."""
    return {name: sum(figures[name] for figures in each) / len(each) for name in each[0]}


def _strongest(contributions: dict[str, float], count: int = 3) -> dict[str, float]:
    """The indicators that moved a score most, up or down."""
    ranked = sorted(contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
    return {name: weight for name, weight in ranked[:count] if weight}
