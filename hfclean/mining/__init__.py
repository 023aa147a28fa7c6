"""InstructMining: rows ranked by the loss that a linear rule predicts, the experiments that fit such a rule, and the
search for how many of the best rows to keep."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
