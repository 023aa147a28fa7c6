"""The keys of `hfclean.keys`, at the place where they were first."""

from __future__ import annotations

from hfclean.keys import HINT, KINDS, find_secrets

__all__ = ["HINT", "KINDS", "find_secrets"]
