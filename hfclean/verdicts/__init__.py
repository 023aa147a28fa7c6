"""Verdicts: what people decided about revisions, as events in files of JSON lines, and what follows from them."""

from hfclean.verdicts.applying import Applied, apply_verdicts
from hfclean.verdicts.events import Event, Hashes, describe
from hfclean.verdicts.excluded import with_excluded
from hfclean.verdicts.hunks import Hunk, hunks, taken
from hfclean.verdicts.log import VerdictLog, read_events, read_verdicts, verdicts_path
from hfclean.verdicts.states import RowVerdicts, row_verdicts

__all__ = [
    "Applied",
    "Event",
    "Hashes",
    "Hunk",
    "RowVerdicts",
    "VerdictLog",
    "apply_verdicts",
    "describe",
    "hunks",
    "read_events",
    "read_verdicts",
    "row_verdicts",
    "taken",
    "verdicts_path",
    "with_excluded",
]
