"""Cards: a report becomes the README.md of a dataset, a reviser or a rule that of a model; `check_card` reads one as
the Hub would."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
