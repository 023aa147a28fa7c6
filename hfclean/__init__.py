"""hfclean: instruction-tuning data made better instead of thrown away, as plain Hugging Face `datasets` transforms.

    ds = ds.map(hfclean.revise)          # mend what a program can mend; every original is kept
    ds = ds.map(hfclean.score)           # quality columns, embedded and offline
    ds = ds.filter(hfclean.keep("response_words", at_least=3))
    report = hfclean.compare(raw, ds)    # what changed and why
    ds = hfclean.restore(ds)             # exactly what went in

Importing this package loads none of torch, transformers and datasets.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfclean.accessor import register
    from hfclean.checks import accept
    from hfclean.cleaning import clean
    from hfclean.conversion import convert
    from hfclean.errors import (
        ColumnError,
        FolderError,
        HfcleanError,
        MissingExtraError,
        RestoreError,
        RuleError,
        SchemaError,
        SourceError,
    )
    from hfclean.report import Report, compare
    from hfclean.restoration import ledger, restore
    from hfclean.reviser import RuleReviser, revise
    from hfclean.reviser.coach import Reviser
    from hfclean.reviser.reflection import Reflection
    from hfclean.rules import Rule, rule
    from hfclean.schema import Pair
    from hfclean.scorers import Score, score, scorer
    from hfclean.scorers.comparing import judge_pairs
    from hfclean.scorers.judge import Judge
    from hfclean.scorers.linear_rule import LinearRule
    from hfclean.selection import keep, top

__version__ = "0.1.0"

# public name -> the module that holds it; loaded when first used
_HOME = {
    "ColumnError": "errors",
    "FolderError": "errors",
    "HfcleanError": "errors",
    "Judge": "scorers.judge",
    "MissingExtraError": "errors",
    "LinearRule": "scorers.linear_rule",
    "Pair": "schema",
    "Reflection": "reviser.reflection",
    "Report": "report",
    "RestoreError": "errors",
    "Reviser": "reviser.coach",
    "Rule": "rules",
    "RuleError": "errors",
    "RuleReviser": "reviser",
    "SchemaError": "errors",
    "Score": "scorers",
    "SourceError": "errors",
    "accept": "checks",
    "clean": "cleaning",
    "compare": "report",
    "convert": "conversion",
    "judge_pairs": "scorers.comparing",
    "keep": "selection",
    "ledger": "restoration",
    "register": "accessor",
    "restore": "restoration",
    "revise": "reviser",
    "rule": "rules",
    "score": "scorers",
    "scorer": "scorers",
    "top": "selection",
}

__all__ = [
    "ColumnError",
    "FolderError",
    "HfcleanError",
    "Judge",
    "LinearRule",
    "MissingExtraError",
    "Pair",
    "Reflection",
    "Report",
    "RestoreError",
    "Reviser",
    "Rule",
    "RuleError",
    "RuleReviser",
    "SchemaError",
    "Score",
    "SourceError",
    "__version__",
    "accept",
    "clean",
    "compare",
    "convert",
    "judge_pairs",
    "keep",
    "ledger",
    "register",
    "restore",
    "revise",
    "rule",
    "score",
    "scorer",
    "top",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'hfclean' has no attribute {name!r}")
    value = getattr(import_module(f"hfclean.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
