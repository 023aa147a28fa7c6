"""Licenses: which of two binds more, for what is made of two things. A guide for people, not legal advice."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

# from what binds least to what binds most; the first family whose pattern matches
FAMILIES = (
    ("no derivatives", 4, r"cc-by(-nc)?-nd-.*"),
    ("non-commercial", 3, r"cc-by-nc-.*|fair-noncommercial-research-license|h-research|intel-research|apple-amlr"),
    ("rules for use", 2, r".*openrail.*|.*-rail-.*|llama.*|gemma|grok2-community|deepfloyd-if-license|apple-ascl"),
    ("share alike", 1, r"cc-by-sa-.*|[al]?gpl.*|lgpl-lr|gfdl|odbl|cdla-sharing-.*|mpl-.*|epl-.*|eupl-.*|osl-.*|cc"),
    ("unknown", 5, r"unknown|other|"),
)

# As the Hub's documentation lists them (docs/hub/repositories-licenses), with those added since.
LICENSES = frozenset(
    """apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
    bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0
    cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0
    cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl
    gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr
    mpl-2.0 odc-by odbl openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
    deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
    grok2-community gemma unknown other""".split()  # noqa: SIM905
)


def doubt_about(license: str) -> str:
    """What is to be said of a license that is none of the Hub's ids, and which a card states as `other` with a name;
    empty for one of them.

    >>> doubt_about("Apache 2.0")
    "the license 'Apache 2.0' is not an id of the Hub (did you mean 'apache-2.0'?): the card says 'other' and the name"
    """
    name = license.strip().lower()
    if not name or name in LICENSES:
        return ""
    near = get_close_matches(re.sub(r"[\s_]+", "-", name[:80]), sorted(LICENSES), 1, 0.75)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"the license {license[:80]!r} is not an id of the Hub{hint}: the card says 'other' and the name"


class Derived(NamedTuple):
    """The license of what was made of several things: an id or name, and why."""

    license: str
    why: str


def strictness(license: str | None) -> int:
    """0 (permissive) to 5 (unknown).

    >>> [strictness(name) for name in ("mit", "cc-by-sa-4.0", "llama3", "cc-by-nc-4.0", None)]
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
    rank = max(strictness(license) for _, license in stated)
    strictest = list(dict.fromkeys(license for _, license in stated if strictness(license) == rank))
    if rank == 5:
        return Derived("unknown", f"{listed}. What is unknown may bind more than the rest: find out before you use it")
    if len(strictest) == 1 or rank == 0:
        same = len({license for _, license in stated}) == 1
        why = "" if same else "; the strictest of them is named, and the terms of the others hold as well"
        return Derived(strictest[0], listed + why)
    return Derived(" and ".join(strictest), f"{listed}; none is stricter than the others, and the terms of all hold")
