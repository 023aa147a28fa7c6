"""Characters that a reader does not see, in three classes, each for what is done with them."""

from __future__ import annotations

import re

CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"  # all but tab and line feed
REORDERING = "\u2028-\u202e\u2060-\u206f\ufeff"  # and separators of lines, joiners without width
BROKEN = "\ud800-\udfff"

# What a terminal would obey or not show.
UNPRINTABLE = re.compile(f"[{CONTROLS}\xad\u061c\u200b-\u200f{REORDERING}{BROKEN}]")
# What a page labels wherever it stands: what cannot be shown, and what would reorder or hide the text around it.
# Joiners, direction marks and variation selectors belong to scripts and emoji, and are not in here.
HARMFUL = re.compile(f"[{CONTROLS}\u200b{REORDERING}\ufff0-\ufffb\ufffe\uffff{BROKEN}\U000e0000-\U000e0fff]")
# All that a reader cannot see: also odd spaces, marks without width, tags and variation selectors.
INVISIBLE = re.compile(
    f"[{CONTROLS}\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u202f\u205f"
    f"{REORDERING}\u3000\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufffb\ufffe\uffff{BROKEN}\U000e0000-\U000e0fff]"
)
