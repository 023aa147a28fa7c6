"""Revisers and rules to the Hub: weights or an adapter with its base named by commit, the record, an honest card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from hfclean.cards import rule_card
from hfclean.durable import scratch_folder
from hfclean.hub.failures import HubRefusal, Repo
from hfclean.hub.push_plan import PushPlan
from hfclean.hub.pushing import PushKeywords, PushOptions, push_files
from hfclean.hub.remote import Pushed, Remote, hub_api
from hfclean.hub.reviser_files import (
    PreparedReviser,
    PreparedRules,
    Stated,
    prepare_reviser,
    prepare_rules,
    read_reviser_folder,
)
from hfclean.models.weights import is_part
from hfclean.records.common import ABOUT
from hfclean.reviser import RuleReviser
from hfclean.reviser.modelled import ModelReviser
from hfclean.scorers.linear_rule import LinearRule
from hfclean.version import __version__


def push_reviser(
    reviser: ModelReviser | RuleReviser | str | Path,
    repo_id: str,
    *,
    base_model: str | None = None,
    base_revision: str | None = None,
    datasets: str | Sequence[str] = (),
    training: Mapping[str, Any] | None = None,
    evaluation: Any = (),
    license: str | None = None,
    base_license: str | None = None,
    data_license: str | None = None,
    language: str | Sequence[str] | None = None,
    token: str | None = None,
    **keywords: Unpack[PushKeywords],
) -> Pushed | PushPlan:
    """Push a reviser to the Hub in one commit: weights or adapter, tokenizer, record, model card.

    A reviser whose model is a folder goes with its weights, as safetensors, or as an adapter that names its base by
    commit; one that asks a model of the Hub or of a server goes as prompt and settings; a `RuleReviser` as the names
    and versions of its rules. `hfclean.Reviser.from_pretrained(repo_id)` reads it. Never pushed: keys, names of
    variables that hold them, addresses of this machine, paths.

    Args:
        reviser: a `Reviser`, `Reflection` or `RuleReviser`, or a folder that `save_pretrained` wrote.
        repo_id: `NAMESPACE/NAME`; made if it is not there.
        base_model: what the model was tuned from; of an adapter by default what it says itself.
        base_revision: branch, tag or commit of it; the commit is looked up and named.
        datasets: Hub ids of what it was trained on.
        training: facts of the training, for the card.
        evaluation: what `hfclean.evaluate_reviser` gave (or its `to_dict`, which `hfclean evaluate --json` prints), or
            `{"dataset": ID, "metrics": {NAME: NUMBER}}`, or several; with `task`, also for that leaderboard.
        license: over what follows from base and data.
        base_license, data_license: where they are not on the Hub's cards.
        language: ISO 639 codes.
        token, keywords: as `push_dataset`.

    Raises:
        HubRefusal: unsafe or inconsistent: no safetensors, an adapter whose base is missing or local, a secret.
        HubError: the Hub cannot be reached, or refuses.
    """
    options = PushOptions(**keywords)
    repo = Repo(repo_id, "model", options.revision)
    if isinstance(reviser, (str, Path)):
        reviser = read_reviser_folder(Path(reviser).expanduser())
    if not isinstance(reviser, (ModelReviser, RuleReviser)):
        raise HubRefusal(
            f"{type(reviser).__name__} is not a reviser; expected a Reviser, Reflection, RuleReviser or its folder"
        )
    stated = Stated(
        *(base_model, base_revision, datasets, training, evaluation),
        *(license, base_license, data_license, language),
    )
    with scratch_folder("push") as place:
        api = hub_api(token)
        prepared = _prepared(reviser, repo_id, stated, place, api, dry_run=options.dry_run)

        def gone(remote: Remote) -> tuple[tuple[str, ...], tuple[str, ...]]:
            if ABOUT not in remote.files:  # somebody else's weights
                return (), ()
            return tuple(sorted(path for path in remote.files if is_part(path) and path not in prepared.files)), ()

        message = f"{type(reviser).__name__} for hfclean {__version__}"
        return push_files(
            repo, api, options, prepared.files, prepared.card, message=message, gone=gone, notes=prepared.notes
        )


def _prepared(
    reviser: ModelReviser | RuleReviser, repo_id: str, stated: Stated, place: Path, api: Any, *, dry_run: bool
) -> PreparedReviser | PreparedRules:
    if isinstance(reviser, RuleReviser):
        return prepare_rules(reviser, repo_id, stated, place)
    return prepare_reviser(reviser, repo_id, stated, place, api, dry_run=dry_run)


def push_rule(
    rule: LinearRule | str | Path,
    repo_id: str,
    *,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    limits: Sequence[str] = (),
    token: str | None = None,
    **keywords: Unpack[PushKeywords],
) -> Pushed | PushPlan:
    """Push a linear rule to the Hub in one commit: its file and a card with its weights and the figures of its fit.

    `hfclean.scorers.LinearRule.from_pretrained(repo_id)` reads it.

    Args:
        rule: the rule, or a folder that `save_pretrained` wrote.
        limits: what it cannot see, for the card.
        license, language, token, keywords: as `push_dataset`.

    Raises:
        HubError: see `push_dataset`.
    """
    options = PushOptions(**keywords)
    repo = Repo(repo_id, "model", options.revision)
    loaded = LinearRule.from_pretrained(Path(rule).expanduser()) if isinstance(rule, (str, Path)) else rule

    def card(existing: str | None) -> str:
        return card_of_rule(loaded, repo_id, existing=existing, license=license, language=language, limits=limits)

    message = f"Linear rule {loaded.name!r}, version {loaded.version}"
    files = {"linear_rule.json": loaded.to_json().encode()}
    return push_files(repo, hub_api(token), options, files, card, message=message)


def card_of_rule(
    rule: LinearRule | str | Path,
    name: str,
    *,
    existing: str | None = None,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    limits: Sequence[str] = (),
) -> str:
    """The card of a rule, as `push_rule` would render it."""
    loaded = LinearRule.from_pretrained(Path(rule).expanduser()) if isinstance(rule, (str, Path)) else rule
    return rule_card(
        loaded,
        name=name,
        existing=existing,
        license=license,
        language=language,
        hfclean=__version__,
        limits=limits,
    )


def card_of_reviser(
    folder: Path, name: str, *, license: str | None = None, language: str | Sequence[str] | None = None
) -> str:
    """The card of a reviser's folder, as `push_reviser` would render it without looking anything up."""
    stated = Stated(license=license, language=language)
    with scratch_folder("card") as scratch:
        return _prepared(read_reviser_folder(folder), name, stated, scratch, None, dry_run=True).card(None)
