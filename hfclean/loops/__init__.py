"""Loops of generation and training: what a student finds hard decides what is written next. Loaded on first use."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
