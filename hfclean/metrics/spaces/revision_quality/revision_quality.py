"""The module `revision_quality` of hfclean, as `evaluate.load` reads it."""

from hfclean.metrics.computing import revision_figures
from hfclean.metrics.modules import MODULES

RevisionQuality = MODULES["revision_quality"].metric(
    revision_figures, {"predictions": "string", "references": "string", "raw": "string"}
)
