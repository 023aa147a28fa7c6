"""Training: which pairs teach a reviser, the tuning itself, and what a reviser was taught. Loaded on first use."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
