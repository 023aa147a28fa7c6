"""The module `revision_quality` of hfclean, as `evaluate.load` reads it."""

from __future__ import annotations

from typing import Any

import evaluate

from hfclean.metrics.computing import revision_figures
from hfclean.metrics.modules import MODULES

ABOUT = MODULES["revision_quality"]


class RevisionQuality(evaluate.Metric):  # type: ignore[misc]
    """How much nearer revised texts come to an expert's."""

    def _info(self) -> Any:
        return ABOUT.info({"predictions": "string", "references": "string", "raw": "string"})

    def _compute(
        self, predictions: list[str], references: list[str], raw: list[str], **options: Any
    ) -> dict[str, float]:
        return dict(revision_figures(predictions, references, raw, **options))
