"""Whether a model's answers are usable, judged by the first rows: nobody should pay for a whole run of useless ones.

A sign-in page, a model that answers in prose where a form was asked for, or the same sentence to everything: each
answer looks fine by itself, and no request fails. The sign is that none of the first rows got a usable answer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from hfclean.models.failures import BackendError
from hfclean.models.protocol import Answer, Conversation
from hfclean.models.spec import ModelSpec

# of the answers for one row: used; read, and refused by a check; or useless, since none came or none could be read;
# "" where nothing was asked
Use = Literal["used", "refused", "useless", ""]

ROWS = 4  # rows checked for each tolerated failure: one readable answer in five is enough
LONGEST = 200  # characters shown of an answer


class _Window(NamedTuple):
    uses: Sequence[Use]
    reasons: Sequence[str]
    heard: Sequence[tuple[Conversation, Answer]]


def first_rows(spec: ModelSpec) -> int:
    """How many first rows without one usable answer end a run."""
    return ROWS * spec.limits.give_up_after


class UselessWatch:
    """Checks the windows of a run in order, whichever returns first, until enough rows were asked about."""

    def __init__(self, spec: ModelSpec, *, kept: bool = True) -> None:
        self._spec, self._bound, self._kept = spec, first_rows(spec), kept
        self._ahead: dict[int, _Window] = {}
        self._seen: list[_Window] = []
        self.over = False

    def add(
        self,
        place: int,
        uses: Sequence[Use],
        reasons: Sequence[str],
        heard: Sequence[tuple[Conversation, Answer]],
    ) -> None:
        """Count the results of a window.

        Raises:
            BackendError: enough rows were asked about, and none got a usable answer.
        """
        if self.over:
            return
        self._ahead[place] = _Window(uses, reasons, heard)
        while (window := self._ahead.pop(len(self._seen), None)) is not None and not self.over:
            self._seen.append(window)
            self._judge()

    def _judge(self) -> None:
        uses = Counter(use for window in self._seen for use in window.uses)
        asked = uses.total() - uses[""]
        if uses["used"]:
            self.over = True
        elif asked >= self._bound:
            self.over = True
            heard = [each for window in self._seen for each in window.heard]
            alike = (
                len({answer.text for _, answer in heard}) == 1
                and len({conversation for conversation, _ in heard}) >= self._bound
            )
            if not uses["refused"] or alike:
                raise BackendError(self._story(asked, heard, refused=bool(uses["refused"])))
        if self.over:
            self._ahead, self._seen = {}, []

    def _story(self, asked: int, heard: Sequence[tuple[Conversation, Answer]], *, refused: bool) -> str:
        reasons = Counter(
            reason for window in self._seen for use, reason in zip(window.uses, window.reasons, strict=True) if use
        )
        first = next((answer for _, answer in heard if answer.text or answer.detail), Answer())
        excerpt = first.text or first.detail
        shown = repr(excerpt[:LONGEST]) + ("..." if len(excerpt) > LONGEST else "")
        what = f"{self._spec.name} gave the same answer to each of the first {asked:,} rows, and it was refused"
        if not refused:
            what = f"none of the first {asked:,} rows got an answer of {self._spec.name} that can be used"
        kept = (
            "Every answer so far is kept and is not asked for again: once the model is fixed, delete them "
            "(hfclean cache clear --model NAME). "
            if self._kept
            else ""
        )
        return (
            f"{what} ({_counted(reasons)}). The first answer: {shown}. Check whether this is the intended model, "
            f"and whether it can follow the prompt. {kept}To go on all the same, raise give_up_after "
            "(--limit give_up_after=N)"
        )


def nothing_came(spec: ModelSpec, uses: Sequence[Use], reasons: Sequence[str]) -> str:
    """The message about a finished run without a usable answer; empty where there was one, or nothing was asked."""
    counts = Counter(uses)
    if not counts["useless"] or counts["used"] or counts["refused"]:
        return ""
    useless_reasons = Counter(reason for use, reason in zip(uses, reasons, strict=True) if use)
    rows = "the only row" if counts["useless"] == 1 else f"none of the {counts['useless']:,} rows"
    verb = "did not get" if counts["useless"] == 1 else "got"
    return f"{rows} that {spec.name} was asked about {verb} an answer that can be used ({_counted(useless_reasons)})"


def _counted(reasons: Mapping[str, int]) -> str:
    common = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:5]
    return ", ".join(f"{reason or 'no reason'}: {count:,}" for reason, count in common)
