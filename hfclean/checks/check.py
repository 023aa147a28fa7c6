"""What a check is, how one is declared, and what it gets to see: a pair before and after a revision.

A check says whether it refuses a revision. It compares: defects of the original are not held against the revision. It
never changes a text, never sees the dataset, a model or the network, and never raises because of what a text contains.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from hfclean.errors import CheckError
from hfclean.schema import Pair
from hfclean.text.language import main_language
from hfclean.text.numbers import numbers_in
from hfclean.text.vocabulary import HOLLOW
from hfclean.text.words import CONTRACTION, contractions

if TYPE_CHECKING:
    from hfclean.verifiers.row_tests import RowTestResult

SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]*]{0,3}(?=\s)|[。！？]|\n")
STEM = 5
LAST_TURNS, LONGEST_TURN = 6, 20_000
FIRST_WITHOUT_SPACES = "\u2e80"  # the scripts of East Asia begin here


T = TypeVar("T")


class _lazy(Generic[T]):
    """A property computed once; `functools.cached_property` takes a lock for each, which costs more than most."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value = instance.__dict__[self.function.__name__] = self.function(instance)
        return value


class TextFacts:
    """A text, and facts about it for several checks, each computed once and only when needed."""

    def __init__(self, text: str) -> None:
        self.text = text

    @_lazy
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @_lazy
    def language(self) -> str:
        """The language that most of the text is in, or `""`."""
        return main_language(self.text)

    @_lazy
    def words(self) -> list[str]:
        """The words in lower case; in scripts without spaces, each run of them."""
        return contractions(self.lower)

    @_lazy
    def vocabulary(self) -> frozenset[str]:
        """The different words."""
        return frozenset(self.words)

    @_lazy
    def stems(self) -> list[str]:
        """Beginnings of the words that say what the text is about, in order; of scripts without spaces, character
        pairs."""
        if self.text.isascii():
            return [word[:STEM] for word in self.words if len(word) > 2 and word not in HOLLOW]
        found: list[str] = []
        for word in self.words:
            if len(word) > 1 and word[0] >= FIRST_WITHOUT_SPACES:
                found += map("".join, pairwise(word))
            elif len(word) > 2 and word not in HOLLOW:
                found.append(word[:STEM])
        return found

    @_lazy
    def terms(self) -> frozenset[str]:
        """The different stems."""
        return frozenset(self.stems)

    @_lazy
    def numbers(self) -> frozenset[str]:
        """The different numbers written in digits."""
        return frozenset(numbers_in(self.text))

    @_lazy
    def sentences(self) -> list[str]:
        """The sentences and lines that hold a word."""
        return [part for part in SENTENCE_END.split(self.text) if part and CONTRACTION.search(part)]


@dataclass(frozen=True)
class Case:
    """A pair before and after a revision, with what the caller knows about how the revision was made.

    Attributes:
        before: the pair as it was.
        after: the revised pair.
        finish_reason: why the model stopped, `None` if unknown.
        preference: pair -> how good it is, higher = better; only the difference of two versions is used.
        margin: how much lower `preference` may be after than before.
        prompt: the reviser's own prompt, which must not turn up in a text.
        tested: what the row's own tests say about the pair before and after; `None` where none are run.
    """

    before: Pair
    after: Pair
    finish_reason: str | None = None
    preference: Callable[[Pair], float] | None = None
    margin: float = 0.0
    prompt: str = ""
    tested: tuple[RowTestResult, RowTestResult] | None = None

    @_lazy
    def asked(self) -> TextFacts:
        """Instruction and input as they were."""
        return TextFacts(self.before.prompt)

    @_lazy
    def asked_stems(self) -> frozenset[str]:
        """Beginnings of all words of the question, as it was."""
        return frozenset([word[:STEM] for word in self.asked.words])

    @_lazy
    def given(self) -> frozenset[str]:
        """The terms of the question and of the turns before it."""
        if not self.before.history:
            return self.asked.terms
        turns = " ".join(turn.text[:LONGEST_TURN] for turn in self.before.history[-LAST_TURNS:])
        return self.asked.terms | TextFacts(turns).terms

    @_lazy
    def known(self) -> frozenset[str]:
        """The terms of the question, of the turns before it and of the answer as it was."""
        return self.given | self.old.terms

    @_lazy
    def asks(self) -> TextFacts:
        """Instruction and input as they would be."""
        return self.asked if self.same_task else TextFacts(self.after.prompt)

    @_lazy
    def instruction(self) -> TextFacts:
        """The instruction as it would be."""
        return TextFacts(self.after.instruction)

    @_lazy
    def old(self) -> TextFacts:
        """The response as it was."""
        return TextFacts(self.before.response)

    @_lazy
    def new(self) -> TextFacts:
        """The response as it would be."""
        return TextFacts(self.after.response)

    @_lazy
    def as_it_was(self) -> Case:
        """The old answer as if it revised an empty one, for defects that are not held against the new one."""
        return Case(self.before.replace(response=""), self.before)

    @_lazy
    def same_task(self) -> bool:
        """Whether instruction and input stay as they were."""
        return self.before.instruction == self.after.instruction and self.before.input == self.after.input

    @_lazy
    def unchanged(self) -> bool:
        """Whether nothing at all is changed."""
        return self.before == self.after


@dataclass(frozen=True)
class Check:
    """A reason to refuse a revision.

    Attributes:
        id: snake_case name, as it stands in `edit_reason`.
        meaning: one line for people.
        refuses: case -> whether the revision is refused.
        version: raised when what the check refuses changes.
    """

    id: str
    meaning: str
    refuses: Callable[[Case], bool]
    version: int = 1

    def __post_init__(self) -> None:
        if not self.id.isidentifier() or self.id != self.id.lower():
            raise CheckError(
                f"check id {self.id!r}: expected a snake_case name, since ids are stored separated by spaces"
            )

    def __call__(self, before: Pair, after: Pair) -> str:
        """The id of the check when it refuses the revision, else `""`."""
        return self.id if self.refuses(Case(before, after)) else ""


@dataclass(frozen=True)
class OfPairs:
    """A function of two pairs as a function of a case; a class, so that it pickles."""

    function: Callable[[Pair, Pair], bool]

    def __call__(self, case: Case) -> bool:
        return bool(self.function(case.before, case.after))


def check(id: str, *, meaning: str, version: int = 1) -> Callable[[Callable[[Pair, Pair], bool]], Check]:
    """Declare a check from a function `(before, after) -> bool`, which says whether the revision is refused.

    >>> from hfclean.checks import accept, check
    >>> from hfclean.schema import Pair
    >>> @check("shouts", meaning="an answer in capitals that was not")
    ... def shouts(before, after):
    ...     return after.response.isupper() and not before.response.isupper()
    >>> accept(Pair("Greet me", "", "Hello there"), Pair("Greet me", "", "HELLO THERE"), only=(), extra=(shouts,))
    ['shouts']
    """

    def declare(function: Callable[[Pair, Pair], bool]) -> Check:
        return Check(id, meaning, OfPairs(function), version)

    return declare
