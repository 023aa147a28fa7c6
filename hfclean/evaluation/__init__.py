"""Evaluation: how far a score can be trusted, measured on the user's own rows. Nothing here changes a row."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
