"""Views of rows that are not one question and one answer: prompts alone, answers in steps, several ranked answers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hfclean.schema.messages import Message, from_text, read_answer, read_prompt
from hfclean.schema.pair import Pair, Turn
from hfclean.schema.slots import Cells, Slot, Target, as_text, parted, read_answer_cell
from hfclean.schema.views import View, answered, conversation_targets

TEXT_KEYS = ("response", "answer", "completion", "output", "text", "content", "generated_text")
RANK_KEYS = ("rank", "ranking")  # 1 is the best
SCORE_KEYS = ("score", "overall_score", "rating", "reward")  # the highest is the best


def _laid_open(view: "PromptOnlyView | StepsView | RankedView", cells: Cells) -> Cells:
    prompt = from_text(cells[view.prompt])
    return cells if prompt is cells[view.prompt] else {**cells, view.prompt: prompt}


@dataclass(frozen=True)
class PromptOnlyView(View):
    """A question without an answer: a string, or messages, which may be JSON in a string. What is known to be right is
    in the column `truth`; nobody changes that."""

    answers: ClassVar[bool] = False

    prompt: str
    system: str | None = None
    input: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.prompt, self.input, self.system) if name)

    @property
    def writable(self) -> tuple[str, ...]:
        return (self.prompt,)

    def laid_open(self, cells: Cells) -> Cells:
        return _laid_open(self, cells)

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        cells = self.laid_open(cells)
        messages = read_prompt(self.prompt, cells[self.prompt])
        given = as_text(cells[self.input]) if self.input else ""
        stated = [as_text(cells[self.system])] if self.system and cells[self.system] else []
        system = "\n".join([*stated, *(m.text for m in messages if m.role == "system")])
        last = max((n for n, m in enumerate(messages) if m.role == "user"), default=None)
        history = tuple(Turn(m.role, m.whole) for n, m in enumerate(messages) if n != last and m.role != "system")
        if last is None:
            return [Target(Pair("", given, "", history, system))]
        asked = messages[last]
        slot = asked.slot if last == len(messages) - 1 else None  # what comes after it stands on it
        before = tuple(Turn(m.role, m.whole) for m in messages) if isinstance(cells[self.prompt], list) else ()
        return [Target(Pair(asked.text, given, "", history, system), slot, turns=before)]


@dataclass(frozen=True)
class StepsView(View):
    """An answer in steps, each of which has a label in a column beside: the response is the steps, line by line."""

    prompt: str
    steps: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.prompt, self.steps)

    def laid_open(self, cells: Cells) -> Cells:
        return _laid_open(self, cells)

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        cells = self.laid_open(cells)
        before, steps = read_prompt(self.prompt, cells[self.prompt]), cells[self.steps]
        if not isinstance(steps, list):
            message = Message("assistant", *read_answer_cell((self.steps,), steps))
        else:
            texts = tuple(as_text(step) for step in steps)
            paths = tuple((self.steps, n) for n in range(len(steps)))
            whole = bool(steps) and all(isinstance(step, str) for step in steps)
            message = Message("assistant", *parted("\n".join(texts), Slot(paths, texts) if whole else None))
        return conversation_targets([*before, message], turns=turns, first=len(before))


@dataclass(frozen=True)
class RankedView(View):
    """Several answers to one question, texts or objects with one, ranked by numbers in them or in a column beside.

    The best is the row's main pair, with `side="rejected"` the worst, with `"both"` all are pairs, the best last. The
    question is read-only, since all answers stand on it.
    """

    prompt: str
    responses: str
    scores: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.prompt, self.responses, self.scores) if name)

    @property
    def writable(self) -> tuple[str, ...]:
        return (self.responses,)

    def laid_open(self, cells: Cells) -> Cells:
        return _laid_open(self, cells)

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        cells = self.laid_open(cells)
        before, every = read_prompt(self.prompt, cells[self.prompt]), self.answers_in(cells)
        if not every:
            return conversation_targets([*before, *read_answer(self.responses, None)], turns="last", first=len(before))
        worths = self.worths(cells)
        ranked = sorted(range(len(every)), key=lambda n: (worths[n], -n))  # the best last
        wanted = {"chosen": ranked[-1:], "rejected": ranked[:1]}.get(side, ranked)
        return [self._target(before, every[n], n) for n in wanted]

    def answers_in(self, cells: Cells) -> list[Any]:
        """The answers of a row, as they stand."""
        found = cells[self.responses]
        return list(found) if isinstance(found, list) else []

    def worths(self, cells: Cells) -> list[float]:
        """How good each answer of a row is said to be: higher = better; lowest where nothing is said of it."""
        return [self._worth(cells, answer, n) for n, answer in enumerate(self.answers_in(cells))]

    def _target(self, before: list[Message], answer: Any, place: int) -> Target:
        key = next((k for k in TEXT_KEYS if answer.get(k) is not None), None) if isinstance(answer, Mapping) else None
        path = (self.responses, place) if key is None else (self.responses, place, key)
        text = answer if key is None else answer[key]
        (target,) = conversation_targets([*before], turns="last", first=len(before))
        pair, turns = target.pair, target.turns or tuple(Turn(m.role, m.whole) for m in before)
        return answered(pair, read_answer_cell(path, text))._replace(turns=turns)

    def _worth(self, cells: Cells, answer: Any, place: int) -> float:
        if self.scores:
            beside = cells[self.scores]
            value = beside[place] if isinstance(beside, list) and place < len(beside) else None
            return _number(value, falls=self.scores.lower().startswith("rank"))
        if isinstance(answer, Mapping):
            for keys, falls in ((RANK_KEYS, True), (SCORE_KEYS, False)):
                value = next((answer[key] for key in keys if answer.get(key) is not None), None)
                if value is not None:
                    return _number(value, falls=falls)
        return -math.inf


def _number(value: Any, *, falls: bool) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return -math.inf
    return -math.inf if math.isnan(number) else -number if falls else number
