"""The files of a rule reviser's push: the record of its rules, and its card. There are no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfclean.cards import Evaluation, read_evaluation, rule_reviser_card
from hfclean.hub.failures import HubRefusal
from hfclean.hub.reviser_files import Stated, eval_results
from hfclean.records.common import ABOUT, read_record
from hfclean.reviser import RuleReviser

OF_MODELS = ("base_model", "base_revision", "base_license", "datasets", "data_license", "training")


@dataclass(frozen=True)
class PreparedRules:
    """The files of a push, and what the card says."""

    files: Mapping[str, Path | bytes]
    name: str
    about: Mapping[str, Any]
    evaluation: Sequence[Evaluation]
    license: str | None
    language: str | Sequence[str] | None
    notes: tuple[str, ...] = ()

    def card(self, existing: str | None) -> str:
        """The card, on top of the existing one."""
        return rule_reviser_card(
            self.about,
            name=self.name,
            existing=existing,
            license=self.license,
            language=self.language,
            evaluation=self.evaluation,
        )


def prepare_rules(reviser: RuleReviser, repo_id: str, stated: Stated, place: Path) -> PreparedRules:
    """The files of a rule reviser, written into a fresh folder.

    Raises:
        HubRefusal: something was said that only a model has.
        FolderError: the reviser has rules of the user's own.
    """
    odd = [name for name in OF_MODELS if getattr(stated, name)]
    if odd:
        raise HubRefusal(f"{odd[0]}= is for revisers with a model, and a RuleReviser has none: leave it out")
    folder = reviser.save_pretrained(place)
    figures = read_evaluation(stated.evaluation)
    about = read_record(folder)
    return PreparedRules(
        {ABOUT: folder / ABOUT, **eval_results(figures)}, repo_id, about, figures, stated.license, stated.language
    )
