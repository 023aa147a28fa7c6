"""The module `ifd_summary` of hfclean, as `evaluate.load` reads it."""

from hfclean.metrics.computing import ifd_figures
from hfclean.metrics.modules import MODULES

IfdSummary = MODULES["ifd_summary"].metric(ifd_figures, {"predictions": "float64"})
