"""Exchange: rows to decide about as files of other tools, and what people decided there as events."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
