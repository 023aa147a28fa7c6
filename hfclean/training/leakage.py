"""Pairs that taught a reviser neither measure it nor are revised by it: the hashes of its pairs say which they are."""

from __future__ import annotations

from typing import Any

from hfclean.reviser.taught_pairs import pair_hash

__all__ = ["pair_hash", "trained_on"]


def trained_on(reviser: Any) -> frozenset[str]:
    """The hashes of the pairs that a reviser's model was tuned on, as its `hfclean.json` says; empty if it names none.

    Args:
        reviser: a `Reviser` that `from_pretrained` or `train_reviser` gave; any other object has none.
    """
    found = getattr(reviser, "trained_on", ())
    return frozenset(found) if isinstance(found, (tuple, frozenset)) else frozenset()
