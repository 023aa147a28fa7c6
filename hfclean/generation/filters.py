"""Filters of made rows, as data: each has an id, a meaning and a test. A third party's is a function of a `Pair`.

Those of Self-Instruct (arXiv 2212.10560) look at a task before it is answered and at its examples afterwards; what a
program can prove wrong, the gate, and personal data come after them.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from hfclean.checks import accept
from hfclean.errors import HfcleanError
from hfclean.generation.drafts import Draft
from hfclean.rules import RULES, find_defects, find_pii
from hfclean.schema import Pair
from hfclean.text import words
from hfclean.verifiers import ROW_VERIFIERS, VERIFIERS, verify

Stage = Literal["task", "row", "examples"]

FEWEST_WORDS, MOST_WORDS = 4, 150
NOT_TEXT = re.compile(r"\b(?:images?|graphs?|pictures?|files?|maps?|draw|plot|go to)\b", re.IGNORECASE)
PROGRAM = "Write a program"
# "The answer to the task is blue.", where a text or the answer was asked for
OF_REQUEST = re.compile(
    r"\b(?:answer|solution|output|input) (?:to|of|for) (?:the|this) task\b|\A\W*(?:\d+\W+)?the task (?:is|was)\b",
    re.IGNORECASE,
)
GIVES_ANSWER = re.compile(
    r"\A\W*(?:the )?(?:correct |right |final )?answer(?: to (?:the|this|that|your)(?: \w+){1,3}(?: is\b|:)| is\b)",
    re.IGNORECASE,
)
CLAUSE = re.compile(r"[.!?:;\n]+\s*")
FEWEST_QUOTED = 8  # words of our request that are taken for a quotation of it
LEFT_OUT = 0.5  # a filter that drops this share of the seeds says nothing about rows like them
# of the gate, what shows without a text to compare with; and of that, what a text to work on cannot be either.
# `truncated` only where the server does not say that the teacher came to its end: of answers that did, it takes a
# query in SQL and a single word for cut off.
GATE_CHECKS = ("refusal", "echo", "repetition_loop", "rubric_leak", "meta_talk", "code_unclosed")
INPUT_CHECKS = ("rubric_leak", "meta_talk")
_SEVERITIES: dict[str, str] = {each.id: each.severity for each in VERIFIERS}
_SEVERITIES |= {each.id: each.severity for each in ROW_VERIFIERS}
# defects that no rule repairs and no verifier proves
_DEFECTS = tuple(
    rule
    for rule in RULES
    if rule.repair is None and rule.severity != "low" and rule.id not in (*_SEVERITIES, "empty_output")
)


@dataclass(frozen=True)
class Filter:
    """A test that drops made rows.

    Args:
        id: snake_case name: the reason in the table of dropped rows, and in the counts.
        meaning: one line for people.
        find: what is tested -> whether it is dropped, or the reasons where one filter has several. Of a `task`, and of
            a `row`, it gets the `Draft`; of `examples`, the drafts of one task, and gives a reason for each.
        stage: `task` before the row is asked for, so that nothing is paid for what is dropped; `row` when it is there;
            `examples` when all rows of its task are.
        english: whether it only makes sense for English. Every filter is tried on the seeds first; one that would drop
            half of them or more is left out, which the record says.
    """

    id: str
    meaning: str
    find: Callable[[Any], Any]
    stage: Stage = "row"
    english: bool = False

    def __post_init__(self) -> None:
        if not self.id.isidentifier() or self.id != self.id.lower():
            raise HfcleanError(f"filter id {self.id!r}: expected a snake_case name")
        if self.stage not in get_args(Stage):
            raise HfcleanError(f"filter {self.id!r} has the stage {self.stage!r}; expected one of {get_args(Stage)}")

    def reasons(self, tested: Any) -> list[str]:
        """Why a task or a row is dropped, none to keep it; of examples, one reason each, empty to keep it."""
        found = self.find(tested)
        if self.stage == "examples" or isinstance(found, (list, tuple)):
            return list(found)
        return [found] if isinstance(found, str) and found else [self.id] if found else []


# ------------------------------------------------------------------------------------------------------- Self-Instruct


def _no_words(draft: Draft) -> bool:
    return not draft.task.strip()


def _too_short(draft: Draft) -> bool:
    return len(words(draft.task)) < FEWEST_WORDS


def _too_long(draft: Draft) -> bool:
    return len(words(draft.task)) > MOST_WORDS


def _not_text(draft: Draft) -> bool:
    return NOT_TEXT.search(draft.task) is not None


def _program(draft: Draft) -> bool:
    return draft.task.startswith(PROGRAM)


def _punctuation(draft: Draft) -> bool:
    return draft.task[:1] in string.punctuation


def _not_ascii(draft: Draft) -> bool:
    return not draft.task[:1].isascii()


def _pair(draft: Draft) -> Pair:
    return cast(Pair, draft.pair)


def _input_is_output(draft: Draft) -> bool:
    given = _pair(draft).input.strip()
    return bool(given) and given == _pair(draft).response.strip()


def _no_output(draft: Draft) -> bool:
    return not _pair(draft).response.strip()


def _ends_with_colon(draft: Draft) -> bool:
    return _pair(draft).input.rstrip().endswith(":") or _pair(draft).response.rstrip().endswith(":")


def _conflicts(drafts: Sequence[Draft]) -> list[str]:
    """Every example of a task goes where the same input has two outputs."""
    outputs: dict[str, set[str]] = {}
    for draft in drafts:
        outputs.setdefault(_pair(draft).input.strip(), set()).add(_pair(draft).response.strip())
    clash = any(given and len(found) > 1 for given, found in outputs.items())
    return ["conflicting_outputs" if clash else ""] * len(drafts)


def _repeated(drafts: Sequence[Draft]) -> list[str]:
    seen: set[tuple[str, str]] = set()
    reasons = []
    for draft in drafts:
        key = (_pair(draft).input.strip(), _pair(draft).response.strip())
        reasons.append("repeated_example" if key in seen else "")
        seen.add(key)
    return reasons


SELF_INSTRUCT: tuple[Filter, ...] = (
    Filter("empty_task", "the task has no text", _no_words, "task"),
    Filter("task_too_short", f"the task has fewer than {FEWEST_WORDS} words", _too_short, "task"),
    Filter("task_too_long", f"the task has more than {MOST_WORDS} words", _too_long, "task"),
    Filter("needs_more_than_text", "the task names images, files, maps or the like", _not_text, "task", english=True),
    Filter("write_a_program", f"the task begins with {PROGRAM!r}", _program, "task", english=True),
    Filter("begins_with_punctuation", "the task begins with a punctuation mark", _punctuation, "task"),
    Filter("begins_not_in_ascii", "the task begins with a character beyond ASCII", _not_ascii, "task", english=True),
    Filter("empty_output", "the row has no answer", _no_output),
    Filter("input_is_output", "the answer is the input", _input_is_output),
    Filter("ends_with_colon", "the input or the answer ends with a colon", _ends_with_colon),
    Filter("conflicting_outputs", "one input of the task has two answers", _conflicts, "examples"),
    Filter("repeated_example", "the task has the same example twice", _repeated, "examples"),
)


# ----------------------------------------------------------------------------------------------------- what is our own


def _gated(draft: Draft) -> list[str]:
    pair = _pair(draft)
    asked = pair.replace(response="", thought="")
    checks = GATE_CHECKS if draft.finish_reason == "stop" else (*GATE_CHECKS, "truncated")
    found = accept(asked, pair, only=checks, finish_reason=draft.finish_reason, prompt=draft.words)
    if pair.input.strip():  # it was made as well
        found += accept(asked.replace(input=""), asked, only=INPUT_CHECKS, prompt=draft.words)
        found += accept(asked.replace(input=""), asked.replace(response=pair.input), only=("repetition_loop",))
    return list(dict.fromkeys(found))


def _of_request(draft: Draft) -> bool:
    pair = _pair(draft)
    if any(OF_REQUEST.search(text) for text in (pair.input, pair.response, pair.thought)):
        return True
    row = " ".join("\n".join([pair.prompt, pair.response, pair.thought]).lower().split())
    clauses = (" ".join(clause.lower().split()) for clause in CLAUSE.split(draft.words))
    return any(len(clause.split()) >= FEWEST_QUOTED and clause in row for clause in clauses)


def _input_gives_answer(draft: Draft) -> bool:
    return GIVES_ANSWER.match(_pair(draft).input) is not None


def _proved_wrong(draft: Draft) -> list[str]:
    findings = verify(draft.row, columns=draft.columns)
    return list(dict.fromkeys(each.check for each in findings if _SEVERITIES.get(each.check) != "low"))


def _defective(draft: Draft) -> list[str]:
    return find_defects(_pair(draft), _DEFECTS)


def _personal(draft: Draft) -> list[str]:
    pair = _pair(draft)
    found = find_pii("\n".join([pair.prompt, pair.thought, pair.response]))
    return list(dict.fromkeys(f"pii_{each.kind}" for each in found))


GATE = Filter("gate", "a check of the gate refuses the answer (`hfclean.accept`)", _gated)
VERIFIED = Filter("verified", "a program can prove the row wrong (`hfclean.verify`)", _proved_wrong)
DEFECTS = Filter("defects", "a rule finds what no rule repairs (`hfclean.rules`)", _defective)
PERSONAL = Filter("personal", "the row holds personal data (`hfclean.rules.find_pii`)", _personal)
SPEAKS_OF_REQUEST = Filter(
    "speaks_of_request", "the row speaks of the request for it, or quotes its words", _of_request
)
INPUT_GIVES_ANSWER = Filter(
    "input_gives_answer", "the input begins with the words 'The answer is'", _input_gives_answer, english=True
)
FILTERS: tuple[Filter, ...] = (
    *SELF_INSTRUCT,
    SPEAKS_OF_REQUEST,
    INPUT_GIVES_ANSWER,
    GATE,
    VERIFIED,
    DEFECTS,
    PERSONAL,
)


def made_filters(filters: Iterable[Filter | Callable[[Pair], Any]]) -> tuple[Filter, ...]:
    """Filters, of which some may be functions of a pair that say whether it is dropped, or why.

    Raises:
        HfcleanError: one is neither, or two have one id.
    """
    found = tuple(each if isinstance(each, Filter) else _of_function(each) for each in filters)
    twice = [name for name, count in Counter(each.id for each in found).items() if count > 1]
    if twice:
        raise HfcleanError(f"two filters have the id {twice[0]!r}; give yours another name")
    return found


class _OfPair:
    """A filter of a function of pairs."""

    def __init__(self, function: Callable[[Pair], Any]) -> None:
        self.function = function

    def __call__(self, draft: Draft) -> Any:
        return self.function(_pair(draft))


def _of_function(function: Any) -> Filter:
    if not callable(function):
        raise HfcleanError(
            f"filters= holds {function!r:.60}; expected generation.Filter, or functions of a Pair that say whether it "
            "is dropped"
        )
    meaning = " ".join((function.__doc__ or "your own").split())[:200]
    return Filter(getattr(function, "__name__", "own"), meaning, _OfPair(function))


def left_out(filters: Sequence[Filter], seeds: Sequence[Draft]) -> frozenset[str]:
    """The reasons for which half of the seeds or more would be dropped: they say nothing about rows like these.

    Args:
        filters: of the stages `task` and `row`.
        seeds: as if they had been made.
    """
    counts: Counter[str] = Counter()
    for draft in seeds:
        for each in filters:
            if each.stage != "examples":
                counts.update(set(each.reasons(draft)))
    return frozenset(reason for reason, count in counts.items() if count >= LEFT_OUT * len(seeds))
