"""The module `win_rate` of hfclean, as `evaluate.load` reads it."""

from hfclean.metrics.computing import win_rate_figures
from hfclean.metrics.modules import MODULES

WinRate = MODULES["win_rate"].metric(win_rate_figures, {"predictions": "float64", "references": "float64"})
