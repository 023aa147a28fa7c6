"""The module `agreement` of hfclean, as `evaluate.load` reads it."""

from __future__ import annotations

from typing import Any

import evaluate

from hfclean.metrics.computing import agreement_figures
from hfclean.metrics.modules import MODULES

ABOUT = MODULES["agreement"]


class Agreement(evaluate.Metric):  # type: ignore[misc]
    """How far two scores choose the same rows."""

    def _info(self) -> Any:
        return ABOUT.info({"predictions": "float64", "references": "float64"})

    def _compute(self, predictions: list[float], references: list[float], **options: Any) -> dict[str, float]:
        return dict(agreement_figures(predictions, references, **options))
