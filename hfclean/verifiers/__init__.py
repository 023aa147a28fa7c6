"""What a program can prove wrong inside one row: sums, syntax, answers, counts; each family in a file of its own.

for finding in hfclean.verify(row):
    print(finding.line, finding.sentence)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from hfclean.errors import VerifierError
from hfclean.layout import Layout
from hfclean.schema import Pair, View, Whole, whole_row
from hfclean.verifiers.answers import answers_disagree, option_disagrees
from hfclean.verifiers.conversations import CONVERSATION_VERIFIERS
from hfclean.verifiers.counts import answer_is_input, count_missed, item_twice, solved_input
from hfclean.verifiers.orders import brackets_broken, order_broken
from hfclean.verifiers.preferences import PREFERENCE_VERIFIERS
from hfclean.verifiers.row_tests import TESTS_FAILED, RunsTests, findings_of_tests
from hfclean.verifiers.sums import wrong_sum
from hfclean.verifiers.syntax import syntax_error
from hfclean.verifiers.thoughts import THOUGHT_VERIFIERS, thought_empty
from hfclean.verifiers.tools import TOOL_VERIFIERS
from hfclean.verifiers.truncation import TRUNCATED_ALIKE, Encode, encoder_of, truncated_alike
from hfclean.verifiers.truths import TRUTH_VERIFIERS
from hfclean.verifiers.verifier import Finding, RowVerifier, Verifier, parts_of

__all__ = [
    "ROW_VERIFIERS",
    "VERIFIERS",
    "Finding",
    "RowVerifier",
    "Verifier",
    "VerifierError",
    "able_verifiers",
    "select_verifiers",
    "verify",
]

VERIFIERS: tuple[Verifier, ...] = (
    wrong_sum,
    order_broken,
    brackets_broken,
    syntax_error,
    answers_disagree,
    option_disagrees,
    count_missed,
    item_twice,
    answer_is_input,
    solved_input,
    *THOUGHT_VERIFIERS,
)
# what only shows in a row as a whole
ROW_VERIFIERS: tuple[RowVerifier, ...] = (
    *TOOL_VERIFIERS,
    *CONVERSATION_VERIFIERS,
    thought_empty,
    *PREFERENCE_VERIFIERS,
    *TRUTH_VERIFIERS,
)


def verify(
    row: Pair | Mapping[str, Any],
    only: Iterable[str] | None = None,
    *,
    columns: str | Mapping[str, str] | None = None,
    tokenizer: Any = None,
    max_tokens: int = 2048,
    tests: RunsTests | None = None,
) -> list[Finding]:
    """What a program can prove wrong in a row; offline, without a model.

    Args:
        row: a pair, or a row of any shape that `hfclean.score` reads. Of a conversation every answer is looked at, and
            then the row as a whole, with the tools and the truths beside it.
        only: ids of the verifiers to run, and no others.
        columns: which columns of a row hold what, where their names do not say it, as for `hfclean.score`.
        tokenizer: anything with `encode`, such as a tokenizer of `transformers`. With it, preference rows are also
            looked at as a trainer truncates them: `sides_equal_when_truncated` says that the first `max_tokens` tokens
            of prompt and answer are the same on both sides. What a chat template adds is not counted, so that such
            rows are certain, and some more are missed.
        max_tokens: the length to which the trainer truncates.
        tests: `scorers.RunTests(...)`, to run the row's own tests: `tests_failed` says that they ran and did not pass.

    Returns:
        The findings, by turn, then in the order of `VERIFIERS`, then in that of the text; those of the row as a whole
        come last. Empty where nothing can be proved wrong, which does not say that all is right.

    Raises:
        VerifierError: an id in `only` does not name a verifier, or one that needs a tokenizer, which is not given; a
            tokenizer without `encode`; `max_tokens` below 1; `tests` and a pair, which has no columns.
        SchemaError: a row of no known shape.
        ColumnError: a row without the column of `tests`.
        IsolationError: `tests` cannot be run apart from this system.

    >>> from hfclean.schema import Pair
    >>> verify(Pair("Name a colour.", "", "Red."))
    []
    """
    pair_verifiers, row_verifiers = _selected(only)
    encode = _truncating(only, tokenizer, max_tokens)
    if isinstance(row, Pair):
        if tests is not None:
            raise VerifierError("tests= are looked for in a row, and a Pair has no columns; give the row")
        return _in_pairs([row], pair_verifiers)
    layout = Layout(turns="all", columns=columns)
    view = layout.view(row)
    pairs = layout.pairs(row, view)
    found = [*_in_pairs(pairs, pair_verifiers), *_in_row(row, view, pairs[-1], row_verifiers)]
    if encode is not None and "rejected" in parts_of(view):
        found += truncated_alike(whole_row(row, view, pairs[-1]), encode, max_tokens)
    if tests is not None and (only is None or TESTS_FAILED in only):
        (result,) = tests.results([(pairs[-1], tests.row_test(row))])
        found += findings_of_tests(len(pairs) - 1, result)
    return found


def _truncating(only: Iterable[str] | None, tokenizer: Any, max_tokens: int) -> Encode | None:
    """What tokenizes the sides of preference rows; None where nobody asks for it."""
    named = only is not None and TRUNCATED_ALIKE in only
    if max_tokens < 1:
        raise VerifierError(f"max_tokens={max_tokens}; expected 1 or more")
    if named and tokenizer is None:
        raise VerifierError(
            f"{TRUNCATED_ALIKE} needs a tokenizer; name one: tokenizer=AutoTokenizer.from_pretrained(...), on the "
            "command line --tokenizer PATH"
        )
    return encoder_of(tokenizer) if tokenizer is not None and (named or only is None) else None


def _in_pairs(pairs: Sequence[Pair], verifiers: Iterable[Verifier]) -> list[Finding]:
    return [
        found if turn == 0 else replace(found, turn=turn)
        for turn, pair in enumerate(pairs)
        for verifier in verifiers
        for found in verifier.find(pair)
    ]


def _in_row(row: Mapping[str, Any], view: View, pair: Pair, verifiers: tuple[RowVerifier, ...]) -> Iterator[Finding]:
    if able := able_verifiers(view, verifiers):
        rejected = any("rejected" in verifier.needs for verifier in able)
        yield from _findings_of(whole_row(row, view, pair, rejected=rejected), able)


@lru_cache(maxsize=64)
def able_verifiers(view: View, verifiers: tuple[RowVerifier, ...] = ROW_VERIFIERS) -> tuple[RowVerifier, ...]:
    """Those that may find something in rows that are read in this way."""
    there = parts_of(view)
    return tuple(verifier for verifier in verifiers if verifier.needs <= there)


def _findings_of(row: Whole, verifiers: Iterable[RowVerifier]) -> list[Finding]:
    """What these verifiers find in a row, in their order; those of one family look together, once."""
    families: dict[Callable[[Whole], Iterable[Finding]], list[Finding]] = {}
    found: list[Finding] = []
    for verifier in verifiers:
        if verifier.find not in families:
            families[verifier.find] = list(verifier.find(row))
        found += [each for each in families[verifier.find] if each.check == verifier.id]
    return found


def select_verifiers(only: Iterable[str] | None = None) -> tuple[Verifier, ...]:
    """Those of `VERIFIERS` that run, in their fixed order.

    Raises:
        VerifierError: an id in `only` names neither one of them nor one of `ROW_VERIFIERS`, or `only` is a string.
    """
    return _selected(only)[0]


def _selected(only: Iterable[str] | None) -> tuple[tuple[Verifier, ...], tuple[RowVerifier, ...]]:
    if isinstance(only, str):
        raise VerifierError(f"only={only!r} is one string; expected a list of ids, as in only=[{only!r}]")
    return (VERIFIERS, ROW_VERIFIERS) if only is None else _select(tuple(only))


@lru_cache(maxsize=64)
def _select(only: tuple[str, ...]) -> tuple[tuple[Verifier, ...], tuple[RowVerifier, ...]]:
    known = [*(each.id for each in VERIFIERS), *(each.id for each in ROW_VERIFIERS), TRUNCATED_ALIKE, TESTS_FAILED]
    for name in only:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise VerifierError(f"unknown verifier {name!r}{hint or '.'} Known: {', '.join(known)}")
    return (
        tuple(verifier for verifier in VERIFIERS if verifier.id in only),
        tuple(verifier for verifier in ROW_VERIFIERS if verifier.id in only),
    )
