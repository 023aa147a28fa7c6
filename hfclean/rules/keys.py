"""The keys of `hfclean.keys`, under their former module name."""

from __future__ import annotations

from hfclean.keys import HINT, KINDS, find_secrets

__all__ = ["HINT", "KINDS", "find_secrets"]
