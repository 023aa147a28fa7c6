"""Licenses: which of two binds more, for what is made of two things. A guide for people, not legal advice."""

import re
from collections.abc import Iterable
from typing import NamedTuple

# from what binds least to what binds most; the first family whose pattern matches
FAMILIES = (
    ("no derivatives", 4, r"cc-by(-nc)?-nd-.*"),
    ("non-commercial", 3, r"cc-by-nc-.*|fair-noncommercial-research-license|h-research|intel-research|apple-amlr"),
    ("rules for use", 2, r".*openrail.*|.*-rail-.*|llama.*|gemma|grok2-community|deepfloyd-if-license|apple-ascl"),
    ("share alike", 1, r"cc-by-sa-.*|[al]?gpl.*|lgpl-lr|gfdl|odbl|cdla-sharing-.*|mpl-.*|epl-.*|eupl-.*|osl-.*|cc"),
    ("unknown", 5, r"unknown|other|"),
)


class Derived(NamedTuple):
    """The license of what was made of several things: an id or name, and why."""

    license: str
    why: str


def _strictness(license: str | None) -> int:
    """0 (permissive) to 5 (unknown).

    >>> [_strictness(name) for name in ("mit", "cc-by-sa-4.0", "llama3", "cc-by-nc-4.0", None)]
    [0, 1, 2, 3, 5]
    """
    name = (license or "").strip().lower()
    return next((rank for _, rank, pattern in FAMILIES if re.fullmatch(pattern, name)), 0)


def derive_license(parts: Iterable[tuple[str, str | None]]) -> Derived:
    """The license that binds most among those of the parts, as (name of the part, license).

    >>> derive_license([("the base Qwen/Qwen3-0.6B", "apache-2.0"), ("the data me/pairs", "cc-by-nc-4.0")]).license
    'cc-by-nc-4.0'
    """
    stated = [(name, (license or "unknown").strip().lower()) for name, license in parts]
    if not stated:
        return Derived("unknown", "neither base nor data were named, so it is unknown what binds")
    listed = "; ".join(f"{name}: {license}" for name, license in stated)
    rank = max(_strictness(license) for _, license in stated)
    strictest = list(dict.fromkeys(license for _, license in stated if _strictness(license) == rank))
    if rank == 5:
        return Derived("unknown", f"{listed}. What is unknown may bind more than the rest: find out before you use it")
    if len(strictest) == 1 or rank == 0:
        same = len({license for _, license in stated}) == 1
        why = "" if same else "; the strictest of them is named, and the terms of the others hold as well"
        return Derived(strictest[0], listed + why)
    return Derived(" and ".join(strictest), f"{listed}; none is stricter than the others, and the terms of all hold")
