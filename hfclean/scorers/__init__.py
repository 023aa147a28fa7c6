"""Scores: numbers about one pair, each in its own column. A score that cannot be computed is nan, never a
guess."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
