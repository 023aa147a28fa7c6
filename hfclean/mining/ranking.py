"""InstructMining: rows ranked by the loss that a linear rule over their indicators predicts.

The published rules are here as presets. They were fitted to one family of base models with certain indicator models,
and carry over to others by luck only: `hfclean.mining.experiment` and `LinearRule.fit` make one for yours. What of
them does not come as published by itself stands in `rule.fitted_on` under "to compute it as published".
"""

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hfclean.errors import ColumnError, LinearRuleError
from hfclean.layout import Layout
from hfclean.schema import Columns, Pair
from hfclean.scorers.lexical import mtld
from hfclean.scorers.linear_rule import LinearRule
from hfclean.scorers.nearest import neighbours
from hfclean.selection.rows import check_count, check_dataset, is_number, numbers, pairs
from hfclean.text import words

# indicator -> (what it is, the column that holds it or "" where it is computed from the text)
INDICATORS: Mapping[str, tuple[str, str]] = {
    "length": ("words (with `tokenizer=`, tokens) of prompt and response", ""),
    "length_in": ("the same of the prompt", ""),
    "length_out": ("the same of the response", ""),
    "reward": ("score of a reward model: hfclean.scorers.Reward", "reward"),
    "perplexity": ("of the response under a language model: hfclean.scorers.Perplexity", "ppl"),
    "mtld": ("lexical diversity of the response: hfclean.scorers.lexical.mtld", ""),
    "knn_6": (
        "distance to the 6th nearest neighbour (knn_1, knn_2, ... likewise): hfclean.scorers.Embed",
        "embedding",
    ),
    "natural": ("how natural the response is: hfclean.scorers.UniEval", "unieval_natural"),
    "coherent": ("how coherent with what came before: hfclean.scorers.UniEval", "unieval_coherent"),
    "understandable": ("how understandable: hfclean.scorers.UniEval", "unieval_understandable"),
}
KNN = re.compile(r"knn_([1-9]\d{0,3})")

AS_PUBLISHED = "to compute it as published"

_V1 = LinearRule(
    "instruct_mining_v1",
    ("reward", "length", "knn_6"),
    (-0.1498, 8.257e-5, -0.9350),
    intercept=1.0694,
    direction="lower is better",
    target="log loss of the tuned model on an evaluation set",
    fitted_on=(
        ("source", "InstructMining, arXiv 2307.06290 version 1, as quoted by re-implementations"),
        ("base model", "LLaMA-7B"),
        ("indicator models", "reward-model-deberta-v3-large-v2; LLaMA tokens; all-MiniLM-L6-v2"),
        ("standard errors", "not published"),
        (
            AS_PUBLISHED,
            "length is in tokens of LLaMA's tokenizer, which cannot come with hfclean: give it as tokenizer=; without "
            "one, length counts words, and the predictions are on another scale",
        ),
    ),
)
_V2 = LinearRule(
    "instruct_mining_v2",
    ("reward", "understandable", "natural", "coherent"),
    (-0.0078, 0.4421, -0.3212, -0.1520),
    intercept=0.0274,
    direction="lower is better",
    target="log loss of the tuned model on an evaluation set",
    fitted_on=(
        ("source", "InstructMining, arXiv 2307.06290 versions 2 and 3"),
        ("published at", "COLM 2024"),
        ("base model", "LLaMA-2-7B, 129 tunings on subsets of 1,000 rows, 3 epochs each"),
        ("indicator models", "oasst-rm-2.1-pythia-1.4b-epoch-2.5; UniEval-dialog"),
        ("standard errors", "not published"),
        (
            AS_PUBLISHED,
            "the reward model is OpenAssistant/oasst-rm-2.1-pythia-1.4b-epoch-2.5, whose type transformers does not "
            "know: hfclean.scorers.Reward reads its config.json, tokenizer and weights, these in safetensors only; "
            "with any other reward model the predictions are on another scale",
        ),
        ("scaling of the indicators", "not published; taken as they are"),
    ),
)
_PRESETS = {"v1": _V1, "v2": _V2, "v3": _V2}


def instruct_mining(version: str = "v2") -> LinearRule:
    """A published rule of InstructMining (arXiv 2307.06290), as `hfclean.mining.mine` takes it. Lower = better.

    `v1` weighs `reward`, `length` and `knn_6`; `v2` and `v3`, which are the same, `reward`, `understandable`,
    `natural` and `coherent`. Both were fitted for LLaMA-7B (v2: LLaMA-2-7B) with the indicator models that
    `rule.fitted_on` names. With other models the predictions are on no known scale, and even the ranking is a guess:
    v2's positive weight on understandable text is a sign of indicators that follow from each other.

    Neither can be computed as published with what comes with hfclean: the length of v1 is in tokens of LLaMA's
    tokenizer, which `hfclean.mining.mine` takes as `tokenizer=`, where it counts words without one; the reward of v2
    is that of oasst-rm-2.1-pythia-1.4b-epoch-2.5, which `hfclean.scorers.Reward` reads where its weights are in
    safetensors. The paper was published at COLM 2024; v2 was fitted to 129 tunings on subsets of 1,000 rows, of 3
    epochs each.

    Raises:
        LinearRuleError: no such version.

    >>> rule = instruct_mining("v2")
    >>> round(rule.predict({"reward": 1.0, "understandable": 0.9, "natural": 0.8, "coherent": 0.7}), 4)
    0.0541
    """
    if version not in _PRESETS:
        raise LinearRuleError(f"instruct_mining({version!r}): expected one of {', '.join(_PRESETS)}")
    return _PRESETS[version]


def indicator_columns(
    ds: Any,
    names: Sequence[str],
    *,
    columns: Columns = None,
    renamed: Mapping[str, str] | None = None,
    tokenizer: Callable[[str], Sequence[Any]] | None = None,
) -> dict[str, list[float]]:
    """The indicators of every row, one list per name; nan where a row has none, or an infinite one.

    A column of the name is taken as it is. Else the names in `INDICATORS` say which column of hfclean's scorers is
    read, or that the text itself is.

    Args:
        ds: a `Dataset` (one split).
        names: such as `reward`, `length`, `mtld`, `knn_6`, or any column of numbers.
        columns: which columns hold what, as every transform takes it.
        renamed: indicator -> column, where yours is called otherwise.
        tokenizer: text -> its tokens, for the lengths; a tokenizer's `encode`. Words are counted without one.

    Raises:
        ColumnError: the column is missing or holds no numbers.
    """
    check_dataset(ds, "indicator_columns")
    ds = ds.with_format(None)
    renamed = dict(renamed or {})
    indicators: dict[str, list[float]] = {}
    texts: list[Pair] | None = None
    for name in names:
        column = renamed.get(name, name)
        if column in ds.column_names and (name in renamed or not KNN.fullmatch(name)):
            indicators[name] = _numbers(ds, column)
        elif name in renamed and not KNN.fullmatch(name):
            raise ColumnError(f"indicator {name!r}: no column {column!r} in {ds.column_names}")
        elif name in _TEXT:
            texts = list(pairs(ds, Layout(columns))) if texts is None else texts
            indicators[name] = [_TEXT[name](pair, tokenizer or words) for pair in texts]
        elif match := KNN.fullmatch(name):
            indicators[name] = _lonely(ds, name, renamed.get(name, "embedding"), int(match[1]))
        else:
            indicators[name] = _numbers(ds, _column(ds, name))
    return indicators


def _column(ds: Any, name: str) -> str:
    what, column = INDICATORS.get(name, ("", name))
    if column in ds.column_names:
        return column
    hint = f" {name!r} is the {what}; add it with ds.map" if what else f" Known by name: {', '.join(INDICATORS)}"
    raise ColumnError(f"indicator {name!r}: no column {column!r} in {ds.column_names}.{hint}")


def _lonely(ds: Any, name: str, column: str, k: int) -> list[float]:
    """Distances to the k-th neighbour: a column of them, or computed from a column of vectors."""
    if name in ds.column_names:
        return _numbers(ds, name)
    if column in ds.column_names and type(ds.features[column]).__name__ == "Value":
        return _numbers(ds, column)
    return neighbours(ds, k=k, column=column)


def _numbers(ds: Any, column: str) -> list[float]:
    values: list[float] = numbers(ds, column, "indicators").tolist()
    return values


_TEXT: dict[str, Callable[[Pair, Callable[[str], Sequence[Any]]], float]] = {
    "length": lambda pair, split: float(len(split(pair.prompt)) + len(split(pair.response))),
    "length_in": lambda pair, split: float(len(split(pair.prompt))),
    "length_out": lambda pair, split: float(len(split(pair.response))),
    "mtld": lambda pair, split: mtld(pair),
}


def expected_loss(
    ds: Any,
    rule: LinearRule,
    *,
    columns: Columns = None,
    renamed: Mapping[str, str] | None = None,
    tokenizer: Callable[[str], Sequence[Any]] | None = None,
) -> list[float]:
    """What a rule predicts for every row, as a column for `ds.add_column`; nan where an indicator is missing.

    Args:
        ds: a `Dataset` (one split).
        rule: of `instruct_mining` or `LinearRule.fit`, or any other that reads columns.
        columns, renamed, tokenizer: as `indicator_columns` takes them.

    Raises:
        ColumnError: an indicator's column is missing.

    >>> from datasets import Dataset
    >>> ds = Dataset.from_dict({"prompt": ["Hi", "Hello"], "completion": ["Hello!", "Hi!"], "reward": [1.0, -1.0]})
    >>> expected_loss(ds, LinearRule("loss", ("reward",), (-0.5,)))
    [-0.5, 0.5]
    """
    if rule.reads == "pair":
        return rule.predict(list(pairs(ds, Layout(columns))))
    columns_by_name = indicator_columns(ds, rule.indicators, columns=columns, renamed=renamed, tokenizer=tokenizer)
    return rule.predict(
        [dict(zip(columns_by_name, values, strict=True)) for values in zip(*columns_by_name.values(), strict=True)]
    )


def mine(
    ds: Any,
    rule: LinearRule | str = "v2",
    *,
    n: int | None = None,
    fraction: float | None = None,
    lowest: bool = True,
    columns: Columns = None,
    renamed: Mapping[str, str] | None = None,
    tokenizer: Callable[[str], Sequence[Any]] | None = None,
) -> list[int]:
    """Indices of the rows with the lowest predicted loss, lowest first, for `ds.select`: InstructMining's choice.

    The first `k` of these are the choice for `n=k`, so that `hfclean.mining.search_size` can look for the best `k`.

    Args:
        ds: a `Dataset` (one split).
        rule: a rule, or the version of a published one (`"v1"`, `"v2"`, `"v3"`).
        n, fraction: how many rows, or which share of all (rounded down); all that can be ranked by default.
        lowest: `False` for a rule whose direction is the other way. Equal predictions: the earlier row first.
        columns, renamed, tokenizer: as `indicator_columns` takes them.

    Returns:
        indices; rows without a prediction are never among them, and a warning says how many those are.

    Raises:
        ColumnError: an indicator's column is missing, `n` and `fraction` are both given, or `fraction` is not a share.
        HfcleanError: not one `Dataset`, or `n` is not a whole number of 0 or more.
        LinearRuleError: no such published rule, or no row has a prediction.
    """
    if n is not None and fraction is not None:
        raise ColumnError("mine takes n= (rows) or fraction= (0 to 1), not both")
    if n is not None:
        check_count(n, "mine(n")
    if fraction is not None and (not is_number(fraction) or not 0 <= fraction <= 1):
        raise ColumnError(f"mine(fraction={fraction!r}): expected a share from 0 to 1")
    rule = instruct_mining(rule) if isinstance(rule, str) else rule
    values = expected_loss(ds, rule, columns=columns, renamed=renamed, tokenizer=tokenizer)
    ranked = [k for k, value in enumerate(values) if value == value]
    if values and not ranked:
        raise LinearRuleError(
            f"rule {rule.name!r} has a prediction for none of {len(values):,} rows: each lacks one of "
            f"{', '.join(rule.indicators)} or more"
        )
    if len(ranked) < len(values):
        warnings.warn(
            f"{len(values) - len(ranked):,} of {len(values):,} rows have no prediction, since an indicator is missing "
            "or nan; they are not among those chosen",
            stacklevel=2,
        )
    ranked.sort(key=lambda k: values[k] if lowest else -values[k])
    wanted = len(values) if n is None and fraction is None else n
    return ranked[: math.floor(fraction * len(values) + 1e-9) if fraction is not None else wanted]
