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

from hfclean.version import __version__

if TYPE_CHECKING:
    from hfclean import metrics, models, testing  # noqa: F401
    from hfclean.accessor import register
    from hfclean.checks import accept
    from hfclean.cleaning import clean
    from hfclean.conversion import convert, preference_pairs
    from hfclean.errors import (
        ColumnError,
        FolderError,
        HfcleanError,
        HubError,
        MissingExtraError,
        RestoreError,
        RuleError,
        SchemaError,
        SourceError,
        TrainingError,
    )
    from hfclean.evaluation.ab import AbTest, ab_test
    from hfclean.evaluation.agreement import Agreement, agreement
    from hfclean.evaluation.noise import Noise, NoiseReport, noise_report
    from hfclean.evaluation.revising import ReviserEvaluation, evaluate_reviser
    from hfclean.evaluation.winning import WinRate, win_rate
    from hfclean.hub import load_cleaned, push_benchmarks, push_dataset, push_metric, push_reviser, push_rule
    from hfclean.mining.experiments import Experiment, experiment
    from hfclean.mining.ranking import expected_loss, indicator_columns, instruct_mining, mine
    from hfclean.mining.search import SizeSearch, search_size
    from hfclean.report import Report, compare
    from hfclean.restoration import ledger, restore
    from hfclean.reviser import RuleReviser, revise
    from hfclean.reviser.coach import Reviser
    from hfclean.reviser.pii import MaskPII
    from hfclean.reviser.reflection import Reflection
    from hfclean.rules import Rule, rule
    from hfclean.rules.pii import find_pii, mask_pii
    from hfclean.schema import Pair
    from hfclean.scorers import scorer
    from hfclean.scorers.comparing import judge_pairs
    from hfclean.scorers.direction import Direction
    from hfclean.scorers.embedded.score import Score, score
    from hfclean.scorers.embedding import Embed
    from hfclean.scorers.expected_rating import RatingExpectation
    from hfclean.scorers.fitting import CollinearityWarning, Fit
    from hfclean.scorers.judge import Judge
    from hfclean.scorers.language import Language
    from hfclean.scorers.likelihood import IFD, IRA, Perplexity, ReverseIFD, SelectiveIFD
    from hfclean.scorers.linear_rule import LinearRule
    from hfclean.scorers.neighbours import neighbours
    from hfclean.scorers.personal import PII
    from hfclean.scorers.reward import Reward
    from hfclean.scorers.unieval import UniEval
    from hfclean.selection import keep, top
    from hfclean.selection.baselines import baselines
    from hfclean.selection.batches import DiverseBatches, diverse_batches
    from hfclean.selection.benchmarks import BenchmarkPack
    from hfclean.selection.decontamination import decontaminate
    from hfclean.selection.diversity import diverse
    from hfclean.selection.duplicates import dedupe, duplicate_groups
    from hfclean.selection.novelty import Novelty, novel
    from hfclean.selection.pre_experience import pre_experience
    from hfclean.training.coaching import train_reviser
    from hfclean.training.pairs import revision_pairs
    from hfclean.training.preexperience import tune_on_experience

# public name -> the module that holds it; loaded when first used
_HOME = {
    "AbTest": "evaluation.ab",
    "Agreement": "evaluation.agreement",
    "BenchmarkPack": "selection.benchmarks",
    "CollinearityWarning": "scorers.fitting",
    "ColumnError": "errors",
    "Direction": "scorers.direction",
    "DiverseBatches": "selection.batches",
    "Embed": "scorers.embedding",
    "Experiment": "mining.experiments",
    "Fit": "scorers.fitting",
    "FolderError": "errors",
    "HfcleanError": "errors",
    "HubError": "errors",
    "IFD": "scorers.likelihood",
    "IRA": "scorers.likelihood",
    "Judge": "scorers.judge",
    "Language": "scorers.language",
    "LinearRule": "scorers.linear_rule",
    "MaskPII": "reviser.pii",
    "MissingExtraError": "errors",
    "Noise": "evaluation.noise",
    "NoiseReport": "evaluation.noise",
    "Novelty": "selection.novelty",
    "PII": "scorers.personal",
    "Pair": "schema",
    "Perplexity": "scorers.likelihood",
    "RatingExpectation": "scorers.expected_rating",
    "Reflection": "reviser.reflection",
    "Report": "report",
    "RestoreError": "errors",
    "ReverseIFD": "scorers.likelihood",
    "Reviser": "reviser.coach",
    "ReviserEvaluation": "evaluation.revising",
    "Reward": "scorers.reward",
    "Rule": "rules",
    "RuleError": "errors",
    "RuleReviser": "reviser",
    "SchemaError": "errors",
    "Score": "scorers.embedded.score",
    "SelectiveIFD": "scorers.likelihood",
    "SizeSearch": "mining.search",
    "SourceError": "errors",
    "TrainingError": "errors",
    "UniEval": "scorers.unieval",
    "WinRate": "evaluation.winning",
    "ab_test": "evaluation.ab",
    "accept": "checks",
    "agreement": "evaluation.agreement",
    "baselines": "selection.baselines",
    "clean": "cleaning",
    "compare": "report",
    "convert": "conversion",
    "decontaminate": "selection.decontamination",
    "dedupe": "selection.duplicates",
    "diverse": "selection.diversity",
    "duplicate_groups": "selection.duplicates",
    "evaluate_reviser": "evaluation.revising",
    "diverse_batches": "selection.batches",
    "expected_loss": "mining.ranking",
    "experiment": "mining.experiments",
    "find_pii": "rules.pii",
    "indicator_columns": "mining.ranking",
    "instruct_mining": "mining.ranking",
    "judge_pairs": "scorers.comparing",
    "keep": "selection",
    "ledger": "restoration",
    "load_cleaned": "hub",
    "mask_pii": "rules.pii",
    "mine": "mining.ranking",
    "neighbours": "scorers.neighbours",
    "noise_report": "evaluation.noise",
    "pre_experience": "selection.pre_experience",
    "push_benchmarks": "hub",
    "preference_pairs": "conversion",
    "novel": "selection.novelty",
    "push_dataset": "hub",
    "push_metric": "hub",
    "push_reviser": "hub",
    "push_rule": "hub",
    "register": "accessor",
    "restore": "restoration",
    "revise": "reviser",
    "revision_pairs": "training.pairs",
    "rule": "rules",
    "score": "scorers.embedded.score",
    "scorer": "scorers",
    "search_size": "mining.search",
    "top": "selection",
    "train_reviser": "training.coaching",
    "tune_on_experience": "training.preexperience",
    "win_rate": "evaluation.winning",
}

__all__ = [
    "IFD",
    "IRA",
    "PII",
    "AbTest",
    "Agreement",
    "BenchmarkPack",
    "CollinearityWarning",
    "ColumnError",
    "Direction",
    "DiverseBatches",
    "Embed",
    "Experiment",
    "Fit",
    "FolderError",
    "HfcleanError",
    "HubError",
    "Judge",
    "Language",
    "LinearRule",
    "MaskPII",
    "MissingExtraError",
    "Noise",
    "NoiseReport",
    "Novelty",
    "Pair",
    "Perplexity",
    "RatingExpectation",
    "Reflection",
    "Report",
    "RestoreError",
    "ReverseIFD",
    "Reviser",
    "ReviserEvaluation",
    "Reward",
    "Rule",
    "RuleError",
    "RuleReviser",
    "SchemaError",
    "Score",
    "SelectiveIFD",
    "SizeSearch",
    "SourceError",
    "TrainingError",
    "UniEval",
    "WinRate",
    "__version__",
    "ab_test",
    "accept",
    "agreement",
    "baselines",
    "clean",
    "compare",
    "convert",
    "decontaminate",
    "dedupe",
    "diverse",
    "diverse_batches",
    "duplicate_groups",
    "evaluate_reviser",
    "expected_loss",
    "experiment",
    "find_pii",
    "indicator_columns",
    "instruct_mining",
    "judge_pairs",
    "keep",
    "ledger",
    "load_cleaned",
    "mask_pii",
    "mine",
    "neighbours",
    "noise_report",
    "novel",
    "pre_experience",
    "preference_pairs",
    "push_benchmarks",
    "push_dataset",
    "push_metric",
    "push_reviser",
    "push_rule",
    "register",
    "restore",
    "revise",
    "revision_pairs",
    "rule",
    "score",
    "scorer",
    "search_size",
    "top",
    "train_reviser",
    "tune_on_experience",
    "win_rate",
]


# rooms that people reach by their name, loaded when they are asked for
_MODULES = ("metrics", "models", "testing")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"hfclean.{name}")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'hfclean' has no attribute {name!r}")
    value = getattr(import_module(f"hfclean.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
