"""Saved rules: which rules a `RuleReviser` runs and how, as `hfclean.json` in a folder or a repo of the Hub.

The record names rules and their versions and holds no code: what a rule does is in hfclean, and a record that was made
with other rules than those that are here is refused, since it would give other results.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hfclean.errors import FolderError, HfcleanError
from hfclean.reviser.saved import ABOUT, LONGEST_SETTING, Record, check_forms, check_kind, check_version, find_record

if TYPE_CHECKING:
    from hfclean.reviser.rules import RuleReviser

__all__ = ["about_rules", "read_rules"]

SETTINGS = frozenset({"only", "skip", "columns", "prefix", "turns", "side"})

R = TypeVar("R", bound="RuleReviser")


def about_rules(reviser: RuleReviser) -> dict[str, Any]:
    """What makes a rule reviser, as JSON can hold it.

    Raises:
        FolderError: it has rules of the user's own.
    """
    if reviser.extra:
        raise FolderError(
            f"extra= holds the rule {reviser.extra[0].id!r} of your own, which is code that no file can hold; save "
            "the reviser without it, and say it when you load: RuleReviser.from_pretrained(..., extra=...)"
        )
    return {
        "reviser": type(reviser).__name__,
        "version": reviser.version,
        "rules": reviser.depends()["rules"],
        "settings": reviser.settings(),
    }


def read_rules(
    cls: type[R], where: str | Path, revision: str | None, settings: Mapping[str, Any], token: str | None
) -> R:
    """The rule reviser of a folder or of a repo of the Hub; see `RuleReviser.from_pretrained`."""
    found = find_record(where, revision, token)
    about = found.about
    check_kind(found, cls)
    check_version(found, cls.version)
    rules, told = about.get("rules"), about.get("settings")
    if not isinstance(rules, dict) or not isinstance(told, dict):
        raise FolderError(f"{found.where}: no rules and settings in {ABOUT}; wanted what save_pretrained wrote")
    _check(found, told)
    check_forms(found, told)
    told = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    try:
        made = cls(**told)
    except (TypeError, ValueError, HfcleanError) as e:
        raise FolderError(f"{found.where}: {ABOUT} has a setting that cannot be: {str(e)[:300]}") from e
    _compare(found, rules, made.depends()["rules"], told)
    return replace(made, **settings)


def _check(found: Record, told: Mapping[str, Any]) -> None:
    unknown = sorted(set(told) - SETTINGS)
    if unknown:
        raise FolderError(
            f"{found.where}: {ABOUT} settles {', '.join(map(repr, unknown))[:200]}, which this version does not know: "
            "pip install --upgrade hfclean"
        )
    for name, value in told.items():
        size = len(json.dumps(value, ensure_ascii=False))
        if size > LONGEST_SETTING:
            raise FolderError(
                f"{found.where}: {name} of {ABOUT} has {size:,} characters, longer than anything that hfclean writes "
                f"(at most {LONGEST_SETTING:,}); make a reviser of your own: hfclean.RuleReviser(...)"
            )


def _compare(found: Record, said: Mapping[str, Any], here: Mapping[str, int], settings: Mapping[str, Any]) -> None:
    """Refuse a record of other rules than those that would run here."""
    if dict(said) == dict(here):
        return
    names = sorted({*said, *here}, key=str)
    odd = [name for name in names if said.get(name) != here.get(name)]
    told = "; ".join(f"{name!r:.40}: there {said.get(name)!r:.20}, here {here.get(name)!r}" for name in odd[:3])
    raise FolderError(
        f"{found.where}: made with other versions of {len(odd):,} rules than this hfclean has ({told}), so it would "
        "give other results. Install the version that its card names, or make it anew with the rules of this version: "
        f"hfclean.RuleReviser({', '.join(f'{name}={value!r}' for name, value in settings.items())})"
    )
