"""What all rows of a conversion share, as some of them ask: which columns are written, texts or messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hfclean.conversion.conversations import Shared, Thoughts, Write, parts_of
from hfclean.conversion.flat import beside_text
from hfclean.conversion.forms import KTO, is_rich
from hfclean.conversion.truth_places import TruthPlace, has_reward, place_of_truth
from hfclean.layout import Layout
from hfclean.passes import RELEASED, narrowed, release, rows_of
from hfclean.processes import BATCH, NumProc, by_batch
from hfclean.schema import SHAPE_TABLE, ChatView, FlatView, Target, View, written_view
from hfclean.schema.declared import ANSWER
from hfclean.schema.truths import FIRST_ROWS, is_bare

CONVERTING = "converting"  # what is done, for errors
SYSTEM, HISTORY, CONTEXT, REASONING, RESPONSE = "system", "history", "context", "reasoning", "response"


@dataclass(frozen=True)
class Source:
    """One split that is converted: with and without decoded pictures, how it is read, which columns are ours."""

    plain: Any
    ds: Any
    view: View
    layout: Layout
    ours: frozenset[str]
    revisions: bool = False

    def rows(self, batch: range, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Some rows, with these of their columns."""
        present = [name for name in dict.fromkeys(columns) if name in self.ds.column_names]
        cells = narrowed(self.ds, present)[batch.start : batch.stop]
        if batch.start % (RELEASED * BATCH) == 0:
            release(self.ds)
        return rows_of(cells, present)

    def read(self, batch: range) -> Iterator[tuple[dict[str, Any], Target]]:
        """Some rows, as far as they are read, with the main pair of each."""
        return ((row, self.view.targets(row)[-1]) for row in self.rows(batch, self.view.reads))


@dataclass(frozen=True)
class Plan:
    """How the rows of a split are converted."""

    shared: Shared
    truth: TruthPlace | None


def plans(
    sources: Sequence[Source], to: str, thoughts: Thoughts, write: Write | None, num_proc: NumProc
) -> list[Plan]:
    """How the rows of each split are converted, to the same columns in all."""
    shape = next((shape for shape in SHAPE_TABLE if shape.name == to), None)
    shared = [
        Shared(
            each.view,
            each.layout,
            to,
            written_view(to) if shape else None,
            thoughts,
            write=write,
            revisions=each.revisions,
        )
        for each in sources
    ]
    into = shared[0].into if shared else None
    alone = False
    if shape and isinstance(into, FlatView):
        more = set[str]().union(*(_found(*each, num_proc) for each in zip(sources, shared, strict=True)))
        truth = any(each.view.truth for each in sources)
        may_be_alone = ANSWER in (*shape.writes, *shape.may_write)
        alone = may_be_alone and truth and not any(_is_answered(each, num_proc) for each in sources)
        more |= {ANSWER} if truth else set()
        if not alone and (truth or REASONING in more or _bare(sources)):
            more.add(RESPONSE)
        into = written_view(to, more)
    rich = has_reward(into)
    if not rich and not isinstance(into, ChatView) and (into or to == KTO):
        rich = any(_rich(*each, num_proc) for each in zip(sources, shared, strict=True))
    return [
        Plan(
            replace(one, into=into, rich=rich, truth_answers=alone),
            place_of_truth(one.view, written_view("prompt_completion") if to == KTO else into, alone),
        )
        for one in shared
    ]


def _rich(source: Source, shared: Shared, num_proc: NumProc) -> bool:
    def holds_more(batch: range) -> bool:
        return any(is_rich(shared, row) for row in source.rows(batch, source.view.reads))

    return any(by_batch(holds_more, len(source.ds), CONVERTING, num_proc))


def _is_answered(source: Source, num_proc: NumProc) -> bool:
    def has_answers(batch: range) -> bool:
        return any(target.answer.strip() for _, target in source.read(batch))

    return source.view.answers and any(by_batch(has_answers, len(source.ds), CONVERTING, num_proc))


def _found(source: Source, shared: Shared, num_proc: NumProc) -> set[str]:
    """The columns of texts that some row needs beside question and answer."""

    def needed(batch: range) -> set[str]:
        found: set[str] = set()
        for row, target in source.read(batch):
            pair = target.pair
            found |= {SYSTEM, HISTORY} if pair.system or pair.history else set()
            found |= {CONTEXT} if pair.input else set()
            if pair.thought and REASONING not in found:
                answer = parts_of(shared, row, target, set()).answer
                found |= {REASONING} if answer and beside_text(answer) else set()
        return found

    return set[str]().union(*by_batch(needed, len(source.ds), CONVERTING, num_proc))


def _bare(sources: Sequence[Source]) -> bool:
    """Whether answers would be taken for truths: each of the first is a number, an option or a few words."""
    first = next((each for each in sources if len(each.ds)), None)
    few = first.read(range(min(FIRST_ROWS, len(first.ds)))) if first else ()
    answers = [target.answer for _, target in few if target.answer.strip()]
    return bool(answers) and all(map(is_bare, answers))
