"""Metrics: the figures of `hfclean.evaluation` as modules of `evaluate`, to load, to combine and to publish as Spaces.

    metric = hfclean.metrics.load("win_rate")
    metric.compute(predictions=[8, 7, 9], references=[7, 7, 5])

Needs `evaluate` (the extra `metrics`), which is imported when a module is loaded and not before. The modules lie in
folders, so `evaluate.load(hfclean.metrics.path("win_rate"))` is the same; no network is reached by either. When
`evaluate.load("org/name")` reads a Space, `evaluate` has the load counted on a server; HF_UPDATE_DOWNLOAD_COUNTS=0
turns that off.
"""

from hfclean.metrics.modules import MODULES, Module, load, path, space_files, write_space

__all__ = ["MODULES", "Module", "load", "path", "space_files", "write_space"]
