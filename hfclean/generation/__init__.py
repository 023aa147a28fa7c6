"""New rows from a few seeds, round by round: Self-Instruct's sampling, parsing and filters, in the seeds' own shape,
with the lineage of every row and one ledger of what it took."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
