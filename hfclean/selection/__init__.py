"""Selection: which rows stay. `keep` goes into `filter`; what needs the whole column returns indices for `select`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
