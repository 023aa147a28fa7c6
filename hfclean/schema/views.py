"""Views: how each row shape is read as pairs.

A view never changes the row that it reads. It hands out `Target`s: a pair plus the slots (paths into the row) through
which `write` puts changed text back.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hfclean.schema.messages import (
    Message,
    from_text,
    messages_of,
    read_answer,
    read_messages,
    read_prompt,
    unreadable,
)
from hfclean.schema.pair import Pair, Turn
from hfclean.schema.slots import Answer, Cells, Slot, Target, as_text, parted, read_answer_cell, read_cell
from hfclean.text.thoughts import may_think


@dataclass(frozen=True)
class View(ABC):
    """How one row shape is read. `columns` are all columns with its pairs; `writable` those it may change; `tools`,
    `truth` and `trace` those beside them that say which tools may be called, which answer is known to be right, and
    by which steps it was reached."""

    answers: ClassVar[bool] = True  # whether the rows have any

    shape: str
    tools: str | None = field(default=None, kw_only=True)
    truth: str | None = field(default=None, kw_only=True)
    trace: str | None = field(default=None, kw_only=True)

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column that says something about the row as a whole: `columns`, and those beside them."""
        beside = (name for name in (self.tools, self.truth, self.trace) if name and name not in self.columns)
        return (*self.columns, *beside)

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Every column that this view reads."""

    @property
    def writable(self) -> tuple[str, ...]:
        return self.columns

    def laid_open(self, cells: Cells) -> Cells:
        """The row with conversations where it holds their JSON as strings; the row itself where it holds none.

        Paths into it are paths into the row as well.
        """
        return cells

    @abstractmethod
    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        """The pairs of one row, oldest first; the last one is the row's main pair. Never empty."""

    def pairs(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Pair]:
        """The same for those who only read: without the places where the texts live."""
        return [target.pair for target in self.targets(cells, turns=turns, side=side)]


@dataclass(frozen=True)
class FlatView(View):
    """Alpaca, Dolly, and any columns that the user names as instruction, input and response."""

    instruction: str
    response: str
    input: str | None = None
    system: str | None = None
    history: str | None = None
    thought: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        names = (self.instruction, self.input, self.response, self.system, self.history, self.thought)
        return tuple(name for name in names if name)

    @property
    def writable(self) -> tuple[str, ...]:
        names = (self.instruction, self.input, self.response, self.history, self.thought)
        return tuple(name for name in names if name)

    def pairs(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Pair]:
        if self.thought or (self.history and cells[self.history]):
            return super().pairs(cells, turns=turns, side=side)
        given = as_text(cells[self.input]) if self.input else ""
        system = as_text(cells[self.system]) if self.system else ""
        response, thought = as_text(cells[self.response]), ""
        if may_think(response):
            answer = parted(response, None)
            response, thought = answer.text, answer.thought
        return [Pair(as_text(cells[self.instruction]), given, response, (), system, thought)]

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        instruction, instruction_slot = read_cell((self.instruction,), cells[self.instruction])
        cell = cells[self.response]
        if type(cell) is str and not (self.history or self.thought or may_think(cell)):  # as most rows are
            text, input_slot = read_cell((self.input,), cells[self.input]) if self.input else ("", None)
            pair = Pair(instruction, text, cell, (), as_text(cells[self.system]) if self.system else "")
            return [Target(pair, instruction_slot, input_slot, Slot(((self.response,),), (cell,)))]
        answer = read_answer_cell((self.response,), cell)
        if self.thought:
            answer = answer.after(*read_cell((self.thought,), cells[self.thought]))
        text, input_slot = read_cell((self.input,), cells[self.input]) if self.input else ("", None)
        system = as_text(cells[self.system]) if self.system else ""
        earlier = cells[self.history] if self.history else None
        if not earlier:
            return [answered(Pair(instruction, text, "", (), system), answer, instruction_slot, input_slot)]
        found: list[Target] = []
        history: list[Turn] = []
        for n, exchange in enumerate(earlier if isinstance(earlier, (list, tuple)) else [earlier]):
            if not isinstance(exchange, (list, tuple)) or len(exchange) != 2:
                said = unreadable("pair of question and answer", exchange)
                history.append(Turn(said.role, said.text))
                continue
            question, said = as_text(exchange[0]), exchange[1]
            if turns == "all" and isinstance(said, str):
                earlier_answer = read_answer_cell((str(self.history), n, 1), said)
                found.append(answered(Pair(question, "", "", tuple(history), system), earlier_answer))
            history += [Turn("user", question), Turn("assistant", as_text(said))]
        pair = Pair(instruction, text, "", tuple(history), system)
        return [*found, answered(pair, answer, instruction_slot, input_slot)]


def answered(pair: Pair, answer: Answer, instruction: Slot | None = None, given: Slot | None = None) -> Target:
    """The target of a pair that lacks only its answer."""
    text, slot, thought, thought_slot, written = answer
    pair = Pair(pair.instruction, pair.input, text, pair.history, pair.system, thought, pair.joined)
    return Target(pair, instruction, given, slot, (), thought_slot, written)


def conversation_targets(messages: list[Message], *, turns: str, first: int = 0) -> list[Target]:
    """Pairs of a conversation: every assistant turn from `first` on, with the user turn that it answers.

    The user turn can be written only when the conversation is one question and one answer; in a longer one an altered
    question could stop fitting what comes after it.
    """
    answers = [n for n, m in enumerate(messages) if m.role == "assistant" and n >= first]
    if not answers:  # a call is an answer too, though not one to be altered
        answers = [n for n, m in enumerate(messages) if m.role == "tool_call" and n >= first][-1:]
    if turns == "last":
        answers = answers[-1:]
    asked = [n for n, m in enumerate(messages) if m.role == "user"]
    single = [m.role for m in messages if m.role != "system"] == ["user", "assistant"]
    found = []
    system = "\n".join(m.text for m in messages if m.role == "system")
    for n in answers:
        question = max((k for k in asked if k < n), default=None)
        history = tuple(
            Turn(m.role, m.whole) for k, m in enumerate(messages[:n]) if k != question and m.role != "system"
        )
        instruction = "" if question is None else messages[question].text
        answer = messages[n]
        pair = Pair(instruction, "", answer.text, history, system, answer.thought)
        asked_slot = messages[question].slot if single and question is not None else None
        before = tuple(Turn(m.role, m.whole) for m in messages[:n])
        found.append(Target(pair, asked_slot, None, answer.slot, before, answer.thought_slot, answer.written))
    if not found:  # nothing was answered: the row still has a question, and an empty response that nobody can write
        question = asked[-1] if asked else None
        history = tuple(Turn(m.role, m.whole) for k, m in enumerate(messages) if k != question and m.role != "system")
        found.append(Target(Pair("" if question is None else messages[question].text, "", "", history, system)))
    return found


@dataclass(frozen=True)
class ChatView(View):
    """`messages` (role, content) or ShareGPT `conversations` (from, value)."""

    messages: str
    system: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.messages, self.system) if self.system else (self.messages,)

    @property
    def writable(self) -> tuple[str, ...]:
        return (self.messages,)

    def laid_open(self, cells: Cells) -> Cells:
        cell = cells[self.messages]
        return {**cells, self.messages: messages_of(cell)} if isinstance(cell, str) else cells

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        messages = read_messages(self.messages, cells[self.messages])
        if self.system:
            messages = [Message("system", as_text(cells[self.system]), None), *messages]
        return conversation_targets(messages, turns=turns)


@dataclass(frozen=True)
class PromptView(View):
    """Prompt and completion: two strings, or two lists of messages, which may be JSON in a string each."""

    prompt: str
    completion: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.prompt, self.completion)

    def laid_open(self, cells: Cells) -> Cells:
        prompt = from_text(cells[self.prompt])
        if prompt is cells[self.prompt]:
            return cells  # beside a prompt that is text, JSON is what was asked for
        return {**cells, self.prompt: prompt, self.completion: from_text(cells[self.completion])}

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        cells = self.laid_open(cells)
        prompt, completion = cells[self.prompt], cells[self.completion]
        if not isinstance(completion, (list, dict)) and not isinstance(prompt, (list, dict)):
            instruction, instruction_slot = read_cell((self.prompt,), prompt)
            answer = read_answer_cell((self.completion,), completion)
            return [answered(Pair(instruction, joined=True), answer, instruction_slot)]
        before = read_prompt(self.prompt, prompt)
        after = read_answer(self.completion, completion)
        return conversation_targets([*before, *after], turns=turns, first=len(before))


@dataclass(frozen=True)
class PreferenceView(View):
    """Chosen and rejected answers: strings, message lists or single turns (also as JSON in strings); the prompt in a
    column of its own or implicit.

    The prompt is read-only: both answers stand on it. With `turns="all"`, an earlier turn that both sides have is one
    target, and what is written to it goes to both sides (and to the prompt column, where that repeats it).
    """

    chosen: str
    rejected: str
    prompt: str | None = None
    input: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.prompt, self.input, self.chosen, self.rejected) if name)

    @property
    def writable(self) -> tuple[str, ...]:
        return tuple(name for name in (self.prompt, self.chosen, self.rejected) if name)

    def laid_open(self, cells: Cells) -> Cells:
        found = {}
        if self.prompt and not isinstance(prompt := from_text(cells[self.prompt]), str):
            found[self.prompt] = prompt
        if isinstance(cells[self.chosen], str) and isinstance(cells[self.rejected], str):
            chosen, rejected = from_text(cells[self.chosen]), from_text(cells[self.rejected])
            if not isinstance(chosen, str) and not isinstance(rejected, str):
                found |= {self.chosen: chosen, self.rejected: rejected}
        return {**cells, **found} if found else cells

    def answer_repeats_prompt(self, cells: Cells, name: str) -> bool:
        """Whether the messages of one side begin with those of the prompt, as implicit-prompt sets have it."""
        if not self.prompt:
            return False
        before = read_prompt(self.prompt, cells[self.prompt])
        return _repeats(cells[name], before, read_answer(name, cells[name]))

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        cells = self.laid_open(cells)
        if side != "both":
            return self._side(cells, getattr(self, side), turns)[0]
        chosen, shared = self._side(cells, self.chosen, turns)
        rejected, _ = self._side(cells, self.rejected, turns)
        if not shared:
            return [*rejected, *chosen]
        # what both share is one target: it comes first, and the main pair of the row stays the last
        return [*chosen[:-1][:shared], *rejected[shared:], *chosen[:-1][shared:], chosen[-1]]

    def _side(self, cells: Cells, name: str, turns: str) -> tuple[list[Target], int]:
        """The targets of one side, and how many of them, the first ones, the other side has as well."""
        cell = cells[name]
        if self.prompt is None and isinstance(cell, str):
            return [self._implicit(cells, name, cell)], 0
        before = read_prompt(self.prompt, cells[self.prompt]) if self.prompt else []
        after = read_answer(name, cell)
        shared = 0
        if turns == "all":
            after, shared = self._mirrored(cells, name, after)
        if _repeats(cell, before, after):
            if turns == "all":
                after = [*map(_mirror, after[: len(before)], before), *after[len(before) :]]
            before = []
        first = len(before) if turns == "all" else 0
        found = conversation_targets([*before, *after], turns=turns, first=first)
        text = as_text(cells[self.input]) if self.input else ""
        joined = isinstance(cell, str) and isinstance(cells[str(self.prompt)], str)
        if text or joined:
            found = [t._replace(pair=t.pair.replace(input=text, joined=joined)) for t in found]
        targets = [t._replace(instruction=None, input=None) for t in found]
        return targets, sum(message.role == "assistant" for message in after[:shared])

    def _mirrored(self, cells: Cells, name: str, after: list[Message]) -> tuple[list[Message], int]:
        """The messages of one side, those that the other side begins with too tied to it, and how many these are."""
        other = self.rejected if name == self.chosen else self.chosen
        if len(after) < 2 or not isinstance(cells[other], (list, dict)):  # an answer alone is a side's own
            return after, 0
        others = read_answer(other, cells[other])
        shared = 0
        for mine, theirs in zip(after, others, strict=False):
            if (mine.role, mine.whole) != (theirs.role, theirs.whole):
                break
            shared += 1
        return [*map(_mirror, after[:shared], others[:shared]), *after[shared:]], shared

    def _implicit(self, cells: Cells, name: str, cell: str) -> Target:
        """Two strings that begin alike: what they share, up to the last space, is the prompt."""
        other = cells[self.rejected if name == self.chosen else self.chosen]
        shared = _common_prefix(cell, other) if isinstance(other, str) and other != cell else ""
        text = cell[len(shared) :]
        return answered(Pair(shared, joined=True), parted(text, Slot(((name,),), (text,), shared), shared))


def _mirror(message: Message, other: Message) -> Message:
    """A message whose text is written to another one's place as well; to neither where that cannot be done part by
    part."""
    slot, theirs = message.slot, other.slot
    if slot is None or theirs is None or slot.texts != theirs.texts:
        return message._replace(slot=None, thought_slot=None)
    return message._replace(slot=slot._replace(mirrors=(*slot.mirrors, theirs.paths)), thought_slot=None)


def _repeats(cell: Any, before: list[Message], after: list[Message]) -> bool:
    """Whether an answer repeats the whole conversation before it."""
    return isinstance(cell, list) and len(after) > len(before) and _texts(after[: len(before)]) == _texts(before)


def _texts(messages: list[Message]) -> list[tuple[str, str]]:
    return [(m.role, m.whole) for m in messages]


def _common_prefix(a: str, b: str) -> str:
    low, high = 0, min(len(a), len(b))
    while low < high:  # bisection: the longest length at which both begin alike
        middle = (low + high + 1) // 2
        if a.startswith(b[:middle]):
            low = middle
        else:
            high = middle - 1
    shared = a[:low]
    return shared[: max(shared.rfind(" "), shared.rfind("\n")) + 1]
