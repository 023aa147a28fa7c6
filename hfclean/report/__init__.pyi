from .comparison import compare as compare
from .plots import draw_plots as draw_plots
from .record import UNRECORDED as UNRECORDED
from .record import Edit as Edit
from .report import Report as Report

__all__ = ["UNRECORDED", "Edit", "Report", "compare", "draw_plots"]
