"""The module `agreement` of hfclean, as `evaluate.load` reads it."""

from hfclean.metrics.computing import agreement_figures
from hfclean.metrics.modules import MODULES

Agreement = MODULES["agreement"].metric(agreement_figures, {"predictions": "float64", "references": "float64"})
