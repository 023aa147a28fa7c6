"""The module `ifd_summary` of hfclean, as `evaluate.load` reads it."""

from __future__ import annotations

from typing import Any

import evaluate

from hfclean.metrics.computing import ifd_figures
from hfclean.metrics.modules import MODULES

ABOUT = MODULES["ifd_summary"]


class IfdSummary(evaluate.Metric):  # type: ignore[misc]
    """The distribution of IFD scores."""

    def _info(self) -> Any:
        return ABOUT.info({"predictions": "float64"})

    def _compute(self, predictions: list[float], **options: Any) -> dict[str, float]:
        return dict(ifd_figures(predictions, **options))
