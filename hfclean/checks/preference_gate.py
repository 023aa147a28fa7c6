"""The check that asks a scorer: is the pair clearly worse than before?"""

import math

from hfclean.checks.check import Case, Check

PREFERENCE_MARGIN = 0.35


def _lower(case: Case) -> bool:
    if case.preference is None:
        return False
    before, after = case.preference(case.before), case.preference(case.after)
    # a score that could not be computed decides nothing
    return not math.isnan(before) and not math.isnan(after) and before - after > case.margin


preference_lower = Check("preference_lower", "a pair that the preference score puts clearly below the old one", _lower)
