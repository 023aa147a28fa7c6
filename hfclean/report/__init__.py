"""Report: what changed between two datasets and why, as figures, a table, JSON, and one HTML page."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
