"""Row shapes: any known one is read as `Pair`s and written back exactly."""

from hfclean.schema.pair import Pair, Turn
from hfclean.schema.shapes import SHAPES, Columns, detect, is_batch, plain
from hfclean.schema.views import (
    ChatView,
    FlatView,
    Path,
    PreferenceView,
    PromptView,
    Slot,
    Target,
    View,
    read_at,
    write,
)

__all__ = [
    "SHAPES",
    "ChatView",
    "Columns",
    "FlatView",
    "Pair",
    "Path",
    "PreferenceView",
    "PromptView",
    "Slot",
    "Target",
    "Turn",
    "View",
    "detect",
    "is_batch",
    "plain",
    "read_at",
    "write",
]
