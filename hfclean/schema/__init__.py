"""Row shapes: any known one is read as `Pair`s and written back exactly."""

from hfclean.schema.messages import KNOWN_ROLES, messages_of
from hfclean.schema.pair import Pair, Turn
from hfclean.schema.roles import nobody_answers, refuse_unknown_roles, unknown_roles
from hfclean.schema.shapes import SHAPES, Columns, detect, is_batch, plain
from hfclean.schema.slots import Path, Slot, Target, read_at, recorded_at, write
from hfclean.schema.views import ChatView, FlatView, PreferenceView, PromptView, View

__all__ = [
    "KNOWN_ROLES",
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
    "messages_of",
    "nobody_answers",
    "plain",
    "read_at",
    "recorded_at",
    "refuse_unknown_roles",
    "unknown_roles",
    "write",
]
