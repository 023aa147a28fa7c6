"""The module `win_rate` of hfclean, as `evaluate.load` reads it."""

from __future__ import annotations

from typing import Any

import evaluate

from hfclean.metrics.computing import win_rate_figures
from hfclean.metrics.modules import MODULES

ABOUT = MODULES["win_rate"]


class WinRate(evaluate.Metric):  # type: ignore[misc]
    """How often one side's responses are better than another's."""

    def _info(self) -> Any:
        return ABOUT.info({"predictions": "float64", "references": "float64"})

    def _compute(self, predictions: list[float], references: list[float], **options: Any) -> dict[str, float]:
        return dict(win_rate_figures(predictions, references, **options))
