"""The reviser after CoachLM: a whole pair in, a whole pair out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, ClassVar

from hfclean.errors import HfcleanError
from hfclean.models import Answer, Asking, Conversation, Message, Work
from hfclean.reviser.codec import CODEC_VERSION, FIELDS, THOUGHT_FIELDS, CodecError, decode, encode, encode_context
from hfclean.reviser.modelled import ModelReviser
from hfclean.reviser.prompts import PROMPT_VERSION, READING, WORDINGS, Wording
from hfclean.reviser.proposals import Proposal, Task
from hfclean.transform import HUB


@dataclass(frozen=True)
class Reviser(ModelReviser):
    """Revises pairs with a model, as CoachLM does: the whole pair goes in and the whole pair comes out.

    Made for a model that was tuned on experts' revisions; a capable chat model does as well. What comes out must pass
    the gate (`hfclean.accept`) before it reaches a column; otherwise the original stays and the row says why.

    Adds the columns of `hfclean.revise`: `edit` is `kept`, `revised`, `reverted` (a revision came and was refused) or
    `failed` (none came); `edit_reason` holds `reviser`, ids of checks, `unparsed`, `unwritable`, or the kind of error.
    Mapped over its own output it asks again for the `failed` rows and leaves all others as they are.

    Source: CoachLM, arXiv 2311.13246. The form in which the model gets pairs is ours and loses nothing.

    Args:
        model: with `base_url`, the name that the server gives the model; without, a folder or a Hub id to run here
            through transformers; or your own function.
        instructions: the prompt before each pair, instead of ours. It has to ask for an
            answer in the form of the pair; see `hfclean.reviser.codec`.
        wording: `"full"`, our prompt with its criteria, or `"short"`, which is some 150 tokens shorter: enough for a
            model that was tuned with it, and too little for one that was not.

    Raises:
        BackendError: the model cannot be asked at all. Every answer so far is kept: run the same again.
        SchemaError: rows of no known shape.
        ColumnError: the dataset already has a column of one of these names.

    >>> import hfclean
    >>> from hfclean.testing_models import ScriptedBackend
    >>> model = ScriptedBackend(["[Response]\\nAn apple.\\n[End]"])
    >>> row = {"instruction": "Name a fruit.", "input": "", "output": "a aple"}
    >>> out = hfclean.Reviser(model, revise="response")(row)
    >>> out["output"], out["edit"], out["edit_reason"]
    ('An apple.', 'revised', 'reviser')
    """

    version: ClassVar[int] = 1
    code: ClassVar[str] = "reviser"

    instructions: str | None = field(default=None, kw_only=True, metadata=HUB)
    wording: Wording = field(default="full", kw_only=True, metadata={**HUB, "came_later": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.wording not in WORDINGS:
            raise HfcleanError(f"Reviser(wording={self.wording!r}): expected {' or '.join(map(repr, WORDINGS))}")
        if self.instructions and self.wording != "full":
            raise HfcleanError(
                f"Reviser(wording={self.wording!r}) chooses one of our prompts, and instructions= is your own; leave "
                "one out"
            )

    def prompt_version(self) -> str:
        return f"coach-{PROMPT_VERSION}.{CODEC_VERSION}"

    def prompt(self) -> str:
        return self.instructions or WORDINGS[self.wording].pair

    def propose(self, tasks: Sequence[Task], candidate: int) -> Work[list[Proposal]]:
        conversations = [coach_conversation(task, self.instructions, self.wording) for task in tasks]
        guesses = [encode(task.pair, FIELDS if task.whole else task.fields) for task in tasks]
        answers = yield Asking(
            self.spec(),
            conversations,
            self.generation(candidate),
            self.prompt_version(),
            guesses,
            may_follow=self._may_follow([task.pair for task in tasks], conversations, guesses)
            if candidate == 0
            else (),
        )
        return [self._read(*each) for each in zip(tasks, conversations, answers, strict=True)]

    def _read(self, task: Task, conversation: Conversation, answer: Answer) -> Proposal:
        """The proposal that an answer makes."""
        if answer.error:
            return Proposal(error=answer.error, model=answer.model)
        exchange = (*conversation, Message("assistant", answer.text)) if self.repair_refused else ()
        texts = _read_answer(task, answer)
        if texts is None:
            # an answer that was cut off is that first, and unreadable because of it
            reason = "unparsed" if answer.finish_reason in ("stop", "") else "unfinished"
            return Proposal(reason=reason, model=answer.model, exchange=exchange)
        pair = task.revised(texts)
        reason = "" if pair is not None else "unwritable"
        return Proposal(pair, reason, "", answer.finish_reason or None, answer.model, exchange=exchange)

    def _proposals(self, tasks: Sequence[Task]) -> Work[list[list[Proposal]]]:
        proposals = yield from super()._proposals(tasks)
        repaired = yield from self._repaired(
            dict(enumerate(proposals)),
            tell=lambda k, found: self._told(
                tasks[k].pair, found, partial(self.refused, tasks[k].pair, tests=tasks[k].tests)
            ),
            read=lambda k, conversation, answer: self._read(tasks[k], conversation, answer),
            generation=self.generation(),
        )
        for k, found in repaired.items():
            proposals[k] += found
        return proposals

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        if self.instructions is not None:  # every row's history has this: the words themselves are in hfclean.json
            found["instructions"] = blake2b(self.instructions.encode(), digest_size=8).hexdigest()
        return found

    def own_words(self) -> dict[str, Any]:
        return {} if self.instructions is None else {"instructions": self.instructions}

    def words(self) -> dict[str, Any]:
        return {**super().words(), "prompt": self.prompt()}

    @classmethod
    def read_words(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **super().read_words(about),
            "instructions": None if about["prompt"] in {each.pair for each in WORDINGS.values()} else about["prompt"],
        }


def _read_answer(task: Task, answer: Answer) -> dict[str, str] | None:
    """The fields that an answer gives; None where it cannot be read.

    A pair without an input may come back without the line for one, and a reviser that always writes whole pairs may do
    so where only the response was asked for.
    """
    if task.thinks:
        forms: list[tuple[str, ...]] = [THOUGHT_FIELDS]
    else:
        forms = [FIELDS] if task.whole else [("response",), FIELDS]
    if not task.pair.input and not task.thinks:
        forms.append(("instruction", "response"))
    for form in forms:
        try:
            return decode(answer.text, form, ended=answer.finish_reason != "stop")
        except CodecError:
            continue
    return None


def coach_conversation(task: Task, instructions: str | None = None, wording: Wording = "full") -> Conversation:
    """The question to the model about a pair."""
    ours = WORDINGS[wording]
    prompt = instructions or (ours.pair if task.whole else ours.thought if task.thinks else ours.response)
    pair = task.pair
    before = encode_context(pair.system, pair.history)
    fields = ("instruction", "input", *THOUGHT_FIELDS) if task.thinks else FIELDS
    parts = [prompt, f"{READING}{before}" if before else "", encode(pair, fields)]
    return (Message("user", "\n\n".join(filter(None, parts))),)
