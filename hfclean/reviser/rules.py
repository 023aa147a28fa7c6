"""The reviser that asks no model: rules only."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from hfclean.errors import FolderError, RuleError, stop_at
from hfclean.limits import too_long
from hfclean.provenance import own_columns
from hfclean.records import reviser as saved
from hfclean.records.common import ABOUT
from hfclean.records.trust import settings_of
from hfclean.reviser.record import FieldChange, Outcome, record
from hfclean.reviser.row_repairs import ROW_REPAIRS, row_changes
from hfclean.rules import Rule, mend, select_rules
from hfclean.rules.rule import FIELDS
from hfclean.schema import Pair, Target, View, is_unreadable, write
from hfclean.scorers.agreement import WITH_REPAIR
from hfclean.scorers.embedded.score import defects_now, known_defects, look_ahead, looks_are_shared, shared_repairs
from hfclean.transform import HUB, STRICT, Batch, Transform

UNREAD = "all rules"  # what is left out on a row that is too long


@dataclass(frozen=True)
class RuleReviser(Transform):
    """Repairs what a program can repair: no model, no network, no money. `hfclean.revise` is an instance of it.

    Adds `edit` (`revised` or `kept`), `edit_reason` (ids of the rules that changed something), `edit_history`,
    `original` and `row_id`; changes the text columns in place. `hfclean.restore` gives back what went in.

    A rule that raises on a row is left out there and the others go on: the row has the reason `rule_error`, its line
    in `edit_history` says which rule raised what, and reports count such rows. A row whose text is longer than
    `hfclean.limits.LONGEST_PAIR` characters is left as it is in the same way, with the reason `too_long_to_read`. One
    that cannot be read as a conversation has the reason `unreadable`.

    Args:
        only: ids of the rules to run, and no others.
        skip: ids of rules not to run.
        extra: your own rules, declared with `@hfclean.rule`; they run after the others.
        strict: stop at the first row on which a rule raises.
        also: repairs that are done on request alone. In rows of messages, `canonical_arguments` writes the JSON of
            tool arguments in one way (blanks and escapes; order and numbers stay), `last_turn_unanswered` drops a last
            turn of the user that nobody answers. In all rows, `thought_unclosed` closes a thought where the answer
            certainly begins: before a marker of answers (`<answer>`, `<|begin_of_solution|>`, Harmony's final
            channel), or at the only closing marker, which is spelled in another way.

    Raises:
        RuleError: an id that names no rule, or no such repair.
        StrictError: a rule raised, and `strict` is set.
        SchemaError: rows of no known shape.
        ColumnError: the dataset already has a column of one of these names.

    >>> import hfclean
    >>> row = {"instruction": "Name a fruit.", "input": "N/A", "output": "An apple.</s>"}
    >>> out = hfclean.revise(row)
    >>> out["input"], out["output"], out["edit"], out["edit_reason"]
    ('', 'An apple.', 'revised', 'chat_markers placeholder_input')
    """

    version: ClassVar[int] = 2

    only: tuple[str, ...] | None = field(default=None, metadata=HUB)
    skip: tuple[str, ...] = field(default=(), metadata=HUB)
    extra: tuple[Rule, ...] = ()
    strict: bool = field(default=False, kw_only=True, metadata=STRICT)
    also: tuple[str, ...] = field(default=(), kw_only=True, metadata={**HUB, "came_later": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("only", "skip", "extra", "also"):  # people write lists; tuples can be hashed
            value = getattr(self, name)
            if value is not None and not isinstance(value, tuple):
                object.__setattr__(self, name, (value,) if isinstance(value, (str, Rule)) else tuple(value))
        self.rules()
        for name in self.also:
            if name not in ROW_REPAIRS:
                raise RuleError(f"also={name!r} is not a repair on request; expected {' or '.join(ROW_REPAIRS)}")

    def rules(self) -> tuple[Rule, ...]:
        """The rules that run, in order."""
        skip = tuple(name for name in self.skip if name not in self.also)
        return select_rules(self.only, skip, self.extra)

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        if self.extra:
            found["extra"] = [rule.id for rule in self.extra]
        return found

    def depends(self) -> dict[str, Any]:
        found: dict[str, Any] = {"rules": {rule.id: rule.version for rule in self.rules()}}
        if self.also:
            found["row_repairs"] = {name: ROW_REPAIRS[name].version for name in self.also}
        return {**found, "shared_turns": 1} if self.turns == "all" else found

    # ------------------------------------------------------------------------------------------------ in a folder

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write which rules run, their versions and the settings, as `hfclean.json` in a folder.

        Raises:
            FolderError: the reviser has custom rules, which are code.
        """
        if self.extra:
            raise FolderError(
                f"extra= holds your own rule {self.extra[0].id!r}, which is code that no file can hold; save "
                "the reviser without it, and say it when you load: RuleReviser.from_pretrained(..., extra=...)"
            )
        about = {"reviser": type(self).__name__, "version": self.version, "rules": self.depends()["rules"]}
        return saved.write_reviser({**about, "settings": self.settings()}, folder)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, revision: str | None = None, token: str | None = None, **settings: Any
    ) -> Self:
        """The rule reviser of a folder or of a repo of the Hub, with exactly the rules that it was saved with.

        Args:
            folder: with the `hfclean.json` that `save_pretrained` wrote; or a Hub id, `NAMESPACE/NAME`.
            revision: branch, tag or commit of the repo.
            token: of the Hub, for a private or gated repo; by default that of `hf auth login` or HF_TOKEN. Not kept.
            settings: used instead of those in the file, such as `extra`.

        Raises:
            FolderError: there is no rule reviser, or one that was made with other versions of the rules.
            ModelError: the Hub gives no such repo.
        """
        recorded = saved.find_record(folder, revision, token)
        saved.check_kind(recorded, cls.__name__)
        saved.check_version(recorded, cls.version)
        rules, where = recorded.about.get("rules"), recorded.where
        if not isinstance(rules, dict) or not isinstance(recorded.about.get("settings"), dict):
            raise FolderError(f"{where}: no rules and settings in {ABOUT}; expected what save_pretrained wrote")
        stated = saved.stated_settings(recorded, settings_of(cls), {}, {})
        with saved.building(recorded):
            reviser = cls(**stated)
        saved.check_rules(recorded, rules, reviser.depends()["rules"], stated)
        return replace(reviser, **settings)

    # ------------------------------------------------------------------------------------------------ for datasets

    def changes(
        self, cells: Mapping[str, Any], view: View, *, among: Container[str] | None = None
    ) -> list[FieldChange]:
        """What the rules change in one row, rule by rule, in order; the row itself is left as it is.

        `among` are the ids of those that are known to change it, where that is known: no others are run.
        """
        rules = [rule for rule in self._repairing() if among is None or rule.id in among]
        changes = list(self._outcome(self.targets(cells, view), rules).changes)
        return [*changes, *self._on_request(cells, view, changes, among)]

    def _on_request(
        self,
        cells: Mapping[str, Any],
        view: View,
        changes: Sequence[FieldChange],
        among: Container[str] | None = None,
    ) -> list[FieldChange]:
        """What the repairs on request change in the row that the rules leave."""
        names = tuple(name for name in self.also if name not in self.skip and (among is None or name in among))
        if not names:
            return []
        after = {**cells, **write(cells, {change.path: change.after for change in changes})} if changes else cells
        return row_changes(after, view, self.targets(after, view), names)

    def _repairing(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules() if rule.repair is not None)

    def _outcome(self, targets: Sequence[Target], rules: Sequence[Rule]) -> Outcome:
        changes: list[FieldChange] = []
        errors: dict[str, Exception] = {}
        for target in targets:
            pair = target.pair
            if unread := too_long(pair.instruction, pair.input, pair.response):
                errors[UNREAD] = unread
            else:
                changes += _mend_target(target, rules, errors, ours=not self.extra)
            if errors and self.strict:
                stop_at(errors, "rule", pair.instruction)
        reasons = ("too_long_to_read",) if UNREAD in errors else ("rule_error",)
        if errors:
            return Outcome(changes, reasons=reasons, errors=errors)
        pair = targets[-1].pair
        return Outcome(changes, reasons=("unreadable",) if not pair.response and is_unreadable(pair) else ())

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        return self.revised(batch, view)[0]

    def revised(self, batch: Batch, view: View) -> tuple[dict[str, list[Any]], list[Outcome]]:
        """The result of `apply`, and what the rules did to each row."""
        rows = batch.rows([*view.reads, *own_columns(batch, self.prefix)])
        rules, targets = self._repairing(), [self.targets(row, view) for row in rows]
        if looks_are_shared():
            look_ahead([target.pair for each in targets for target in each])
        outcomes = [self._outcome(each, rules) for each in targets]
        if self.also:
            outcomes = [
                outcome._replace(changes=[*outcome.changes, *self._on_request(row, view, outcome.changes)])
                for row, outcome in zip(rows, outcomes, strict=True)
            ]
        return record(self, rows, view, outcomes), outcomes


def _mend_target(
    target: Target, rules: Sequence[Rule], errors: dict[str, Exception], *, ours: bool
) -> list[FieldChange]:
    """What the rules change in one pair; where all are `ours`, their defects may be known already."""
    slots = dict(target.slots())
    whole = [name for name, slot in slots.items() if len(slot.paths) == 1]
    found = []
    if ours and rules == WITH_REPAIR and all(name in whole or not getattr(target.pair, name) for name in FIELDS):
        changes = shared_repairs(target.pair, errors)  # no rule of ours writes into a field that is empty
    else:
        known, look = (known_defects(target.pair), defects_now) if ours else (None, None)
        changes = mend(target.pair, rules, writable=whole, errors=errors, found=known, look=look)
    for change in changes:
        for name in whole:
            before, after = getattr(change.before, name), getattr(change.after, name)
            if before != after:
                slot = slots[name]
                before, after = slot.whole(before), slot.whole(after)
                found += [FieldChange(change.rule, path, before, after) for path in slot.places()]
    for name, slot in slots.items():
        if len(slot.paths) > 1:  # several text parts: each by itself, by the rules that need no context
            for n, text in enumerate(slot.texts):
                part = Pair("").replace(**{name: text})
                alone = [rule for rule in rules if rule.scope == "text"]
                for change in mend(part, alone, writable=(name,), errors=errors):
                    before, after = getattr(change.before, name), getattr(change.after, name)
                    found += [FieldChange(change.rule, path, before, after) for path in slot.places(n)]
    return found


revise = RuleReviser()
