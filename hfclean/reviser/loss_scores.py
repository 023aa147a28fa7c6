"""The scores of the selective rule as a language model's own losses give them; the rule is in `selective`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.models import ModelSpec
from hfclean.scorers.likelihood import IFD, ReverseIFD
from hfclean.scorers.likelihood_scorer import LikelihoodScorer

TEMPLATE = "vicuna"  # as the scripts of Selective Reflection-Tuning have it by default, both ways


def forward_scorer(named: str | IFD | None, reviser: ModelSpec) -> IFD:
    """The scorer that gives the IFD of a variant.

    Args:
        named: a model that runs here, or a scorer; None for the model that revises.
        reviser: that model.

    Raises:
        HfcleanError: neither is a model that gives losses.
    """
    if isinstance(named, IFD):
        return named
    if isinstance(named, str) and named:
        return IFD(named, template=TEMPLATE, store=reviser.store)
    if named is not None:
        raise HfcleanError(f"scored_by={named!r}: expected a folder, a Hub id or an hfclean.IFD")
    if not isinstance(reviser.model, str):
        raise HfcleanError(
            f"select='ifd' goes by the losses of a language model, and {reviser.name} is your own function, "
            "which gives none; name one: scored_by='a folder or a Hub id'"
        )
    reached: dict[str, Any] = {
        name: getattr(reviser, name)
        for name in ("base_url", "api_key_env", "revision", "device", "cache_as", "store", "limits")
    }
    return IFD(reviser.model, template=TEMPLATE, dtype=reviser.dtype or "auto", **reached)


def reverse_scorer(forward: IFD) -> ReverseIFD:
    """The scorer that gives the r-IFD, by the same model, formula, template and length."""
    shared = {field.name for field in fields(LikelihoodScorer)} | {"kind"}
    return ReverseIFD(**{name: getattr(forward, name) for name in sorted(shared)})
