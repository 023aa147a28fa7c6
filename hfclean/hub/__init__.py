"""The Hub: the only door to it. Cleaned datasets and revisers go there whole, with honest cards, and come back.

Nothing is uploaded that was not asked for, nothing is asked interactively, and no token is shown or kept.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
