"""The reviser after CoachLM: a whole pair in, a whole pair out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, ClassVar

from hfclean.checks import CHECKS, select_checks
from hfclean.errors import HfcleanError
from hfclean.models import Answer, Asking, Conversation, Message, Work
from hfclean.reviser.codec import CODEC_VERSION, FIELDS, CodecError, decode, encode, encode_context
from hfclean.reviser.modelled import ModelReviser
from hfclean.reviser.prompts import COACH, COACH_RESPONSE, PROMPT_VERSION, READING
from hfclean.reviser.proposals import Proposal, Rivals, Task, Verdict
from hfclean.reviser.repairs import REPAIR_VERSION, TYPICAL, is_repairable, repair_conversation
from hfclean.reviser.salvage import SALVAGE_VERSION, without_a_hunk
from hfclean.schema import Pair
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
        repair_refused: how often a refused revision is asked for once more where the model can mend it (a wrong sum or
            other finding of `hfclean.verify`; a tag, thought, table or fence that is gone; a broken constraint; an
            answer too long, too short or cut off). The conversation goes on with what was wrong, line by line;
            `edit_reason` then has `asked_again`.
        salvage: where a revision is refused for one part of the response (a number, a preface, a block of code that is
            gone), take the rest of it if the rest passes everything; see `hfclean.reviser.salvage.without_a_hunk`.
            `edit_reason` then has `salvaged` and what the whole was refused for.

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
    repair_refused: int = field(default=0, kw_only=True, metadata={**HUB, "most": 3, "came_later": True})

    salvage: bool = field(default=False, kw_only=True, metadata={**HUB, "came_later": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repair_refused < 0:
            raise HfcleanError(f"Reviser(repair_refused={self.repair_refused}): expected 0 or more")

    def prompt_version(self) -> str:
        return f"coach-{PROMPT_VERSION}.{CODEC_VERSION}"

    def prompt(self) -> str:
        return self.instructions or COACH

    def propose(self, tasks: Sequence[Task], candidate: int) -> Work[list[Proposal]]:
        conversations = [coach_conversation(task, self.instructions) for task in tasks]
        guesses = [encode(task.pair, FIELDS if task.whole else ("response",)) for task in tasks]
        answers = yield Asking(
            self.spec(),
            conversations,
            self.generation(candidate),
            self.prompt_version(),
            guesses,
            may_follow=self._may_follow(tasks, conversations, guesses) if candidate == 0 else (),
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
        last = dict(enumerate(proposals))
        for _ in range(self.repair_refused):
            wanted = {k: self._repair(tasks[k], found) for k, found in last.items()}
            asked = {k: conversation for k, conversation in wanted.items() if conversation}
            if not asked:
                break
            answers = yield Asking(
                self.spec(),
                list(asked.values()),
                self.generation(),
                f"{self.prompt_version()}.repair-{REPAIR_VERSION}",
                [conversation[-2].content for conversation in asked.values()],
            )
            last = {}
            for (k, conversation), answer in zip(asked.items(), answers, strict=True):
                repaired = self._read(tasks[k], conversation, answer)._replace(notes=("asked_again",))
                if repaired.pair is not None or repaired.error:
                    proposals[k].append(repaired)
                    last[k] = [repaired]
        return proposals

    def _may_follow(
        self, tasks: Sequence[Task], conversations: Sequence[Conversation], guesses: Sequence[str]
    ) -> list[Conversation]:
        """The conversations with which all revisions would be asked for once more, as often as that is allowed."""
        found: list[Conversation] = []
        for task, conversation, guess in zip(tasks, conversations, guesses, strict=True):
            for _ in range(self.repair_refused):
                exchange = (*conversation, Message("assistant", guess))
                conversation = repair_conversation(task, Proposal(exchange=exchange), TYPICAL, CHECKS)
                found.append(conversation)
        return found

    def _repair(self, task: Task, proposals: Sequence[Proposal]) -> Conversation:
        """The conversation that asks for a refused revision once more; empty where none is to be had or needed."""
        if any(proposal.error for proposal in proposals):
            return ()
        refused = [() if p.pair == task.pair else self.refused(task.pair, p, {}) for p in proposals]
        if not all(refused):
            return ()
        checks = select_checks(None, self.skip_checks, self.checks, trust=self.trust)
        for proposal, codes in reversed(list(zip(proposals, refused, strict=True))):
            if proposal.exchange[-1].content and is_repairable(codes):
                return repair_conversation(task, proposal, codes, checks)
        return ()

    def _judged(self, before: Pair, proposals: Sequence[Proposal]) -> Verdict | Rivals:
        verdict = super()._judged(before, proposals)
        if not self.salvage or isinstance(verdict, Rivals) or verdict.edit != "reverted":
            return verdict
        salvaged = [rest for proposal in proposals if (rest := self._rest(before, proposal)) is not None]
        return Rivals(salvaged, verdict.errors) if salvaged else verdict

    def _rest(self, before: Pair, proposal: Proposal) -> Proposal | None:
        """A refused proposal without the part for which it was refused; None where that is not to be had."""
        if proposal.pair is None:
            return None
        pair = proposal.pair

        def passes(response: str) -> bool:
            return not self.refused(before, proposal._replace(pair=pair.replace(response=response)), {})

        rest = without_a_hunk(before.response, pair.response, passes, asked=before.prompt)
        if rest is None:
            return None
        notes = (*proposal.notes, "salvaged", *self.refused(before, proposal, {}))
        return proposal._replace(pair=pair.replace(response=rest), notes=notes)

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        if self.instructions is not None:  # every row's history has this: the words themselves are in hfclean.json
            found["instructions"] = blake2b(self.instructions.encode(), digest_size=8).hexdigest()
        return found

    def depends(self) -> dict[str, Any]:
        repair = {"repair_version": REPAIR_VERSION} if self.repair_refused else {}
        salvage = {"salvage_version": SALVAGE_VERSION} if self.salvage else {}
        return {**super().depends(), **repair, **salvage}

    def words(self) -> dict[str, Any]:
        return {**super().words(), "prompt": self.prompt()}

    @classmethod
    def read_words(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **super().read_words(about),
            "instructions": None if about["prompt"] == COACH else about["prompt"],
        }


def _read_answer(task: Task, answer: Answer) -> dict[str, str] | None:
    """The fields that an answer gives; None where it cannot be read.

    A pair without an input may come back without the line for one, and a reviser that always writes whole pairs may do
    so where only the response was asked for.
    """
    forms: list[tuple[str, ...]] = [FIELDS] if task.whole else [("response",), FIELDS]
    if not task.pair.input:
        forms.append(("instruction", "response"))
    for form in forms:
        try:
            return decode(answer.text, form, ended=answer.finish_reason != "stop")
        except CodecError:
            continue
    return None


def coach_conversation(task: Task, instructions: str | None = None) -> Conversation:
    """The question to the model about a pair."""
    prompt = instructions or (COACH if task.whole else COACH_RESPONSE)
    pair = task.pair
    before = encode_context(pair.system, pair.history)
    parts = [prompt, f"{READING}{before}" if before else "", encode(pair)]
    return (Message("user", "\n\n".join(filter(None, parts))),)
