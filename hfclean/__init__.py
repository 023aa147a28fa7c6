"""hfclean: instruction-tuning data made better instead of thrown away, as plain Hugging Face `datasets` transforms.

    ds = ds.map(hfclean.revise)          # repair what a program can repair; every original is kept
    ds = ds.map(hfclean.score)           # quality columns, embedded and offline
    ds = ds.filter(hfclean.keep("response_words", at_least=3))
    report = hfclean.compare(raw, ds)    # what changed and why
    ds = hfclean.restore(ds)             # exactly what went in

The public names are in `__init__.pyi`, and each is loaded when it is first used: importing this package loads none of
torch, transformers and datasets.
"""

from __future__ import annotations

import logging
from pkgutil import iter_modules
from typing import Any

import lazy_loader

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who wants to read it sets up logging

_load, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
_ROOMS = {module.name for module in iter_modules(__path__)}
__all__ = [name for name in _names if name not in _ROOMS]

# names that were here until 0.1.0, by the room that has them
_MOVED = {
    name: room
    for room, names in {
        "accessor": "register",
        "conversion": "preference_pairs",
        "errors": (
            "ColumnError FolderError HubError MissingExtraError RestoreError RuleError SchemaError "
            "SourceError TrainingError"
        ),
        "evaluation": (
            "AbTest Agreement Noise NoiseReport ReviserEvaluation WinRate ab_test agreement noise_report win_rate"
        ),
        "hub": "push_benchmarks push_metric push_rule",
        "mining": (
            "Experiment SizeSearch expected_loss experiment indicator_columns instruct_mining mine search_size"
        ),
        "reviser": "MaskPII",
        "rules": "Rule find_pii mask_pii",
        "scorers": (
            "CollinearityWarning Direction Embed Fit IRA Language LinearRule PII Perplexity "
            "RatingExpectation ReverseIFD Reward SelectiveIFD UniEval judge_pairs neighbours"
        ),
        "selection": (
            "BenchmarkPack DiverseBatches Novelty baselines diverse_batches duplicate_groups novel pre_experience"
        ),
        "training": "tune_on_experience",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name in _MOVED:
        raise AttributeError(f"hfclean.{name} moved to hfclean.{_MOVED[name]}.{name}")
    if name not in _names:
        raise AttributeError(f"module 'hfclean' has no attribute {name!r}")
    return _load(name)
