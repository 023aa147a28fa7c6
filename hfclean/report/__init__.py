"""Report: what changed between two datasets and why, as figures, a table, JSON, and one HTML page."""

from hfclean.report.comparison import compare
from hfclean.report.plots import draw_plots
from hfclean.report.record import UNRECORDED, Edit
from hfclean.report.report import Report

__all__ = ["UNRECORDED", "Edit", "Report", "compare", "draw_plots"]
