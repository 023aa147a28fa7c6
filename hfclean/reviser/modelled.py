"""Base of all revisers that ask a model: which pairs, the gate, the choice, the record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, ClassVar, Literal

from hfclean.checks import PREFERENCE_MARGIN, Check, Trust, accept, select_checks
from hfclean.errors import HfcleanError
from hfclean.models import Answer, Asking, Conversation, Generation, Work, open_backend
from hfclean.models.useless_answers import Use
from hfclean.models.work import NOT_KEPT, in_attempts
from hfclean.provenance import REVISION_COLUMNS, UNPARSED, Step, is_unread, original_cells, own_columns, own_steps
from hfclean.reviser.proposals import CHOICES, Proposal, Rivals, Task, Verdict, best_of
from hfclean.reviser.record import FieldChange, Outcome, record
from hfclean.reviser.repairs import REPAIR_VERSION, ask_again, is_repairable, may_follow, repair_conversation
from hfclean.reviser.salvage import SALVAGE_VERSION, Refused, salvaged
from hfclean.reviser.saved import SavedReviser
from hfclean.reviser.taught_pairs import join_hashes, pair_hash, split_hashes
from hfclean.reviser.untried import tell_untried
from hfclean.schema import Pair, Target, View
from hfclean.schema import Path as Place
from hfclean.scorers.embedded import preference_rule
from hfclean.scorers.row_tests import RunTests
from hfclean.transform import HUB, STRICT, UNSAID, Batch
from hfclean.verifiers.row_tests import RUN_VERSION, BoundTests

# reasons of a row left as it was because its answer was unusable
NOT_READ = frozenset((UNPARSED, "unfinished", "placeholder", "empty_instruction", "empty_response"))
SIDES_REFUSED = frozenset(("instruction_refused", "response_refused"))


@dataclass(frozen=True)
class ModelReviser(SavedReviser):
    """Base of the revisers that ask a model; see `Reviser` and `Reflection`.

    A subclass says what it proposes for each pair; this room ensures that nothing reaches a column without
    passing the gate, that finished rows are not asked for again, and that every row says what happened to it.

    Args:
        revise: `"pair"` to revise instruction, input and response together, `"response"` to leave the question alone.
            Where a row's question cannot change (longer conversations, preference rows) only the response does.
            `"thought"` revises the response with what was thought before it, where there is such; otherwise models
            neither see thoughts nor change them.
        candidates: how many revisions to ask for; the best that passes the gate is taken.
        choose: how the best is found: `"findings"` for the one with the fewest findings of `hfclean.verify`, and of
            these the one that changes least; `"preference"`, which follows length; a `Judge`; or a function of pairs
            that gives a number for each, higher = better.
        trust: how far the model is trusted, `"low"`, `"normal"` or `"high"`; see `hfclean.accept`. With `"low"` only
            responses are revised. It is said in the call: no record of a reviser holds it. Where it is more than an
            evaluation beside the model has earned, the logger `hfclean` warns of it once; see
            `hfclean.reviser.untried`.
        skip_checks: ids of checks of the gate not to run.
        checks: your own checks, declared with `@hfclean.check`; they run after the others.
        preference_margin: how much lower `preference` may be after than before.
        trained_on: hashes of the pairs that taught the model (`hfclean.reviser.taught_pairs`). Rows with the text of
            such a pair stay as they are, `kept` with the reason `trained_on`: the model has seen the expert's answer.
        revise_trained_on: revise the rows that taught the model as well.
        retry_unparsed: take up again the rows that this reviser left as they were because the answer could not be
            read, with one attempt more than were made for them; see `hfclean.cleaning.retry_failed`.
        repair_refused: how often a refused revision is asked for once more where the model can mend it (a wrong sum or
            other finding of `hfclean.verify`; a tag, thought, table or fence that is gone; a broken constraint; an
            answer too long, too short or cut off). The conversation goes on with what was wrong, line by line;
            `edit_reason` then has `asked_again`.
        salvage: where a revision is refused for one part of the response (a number, a preface, a block of code that is
            gone), take the rest of it if the rest passes everything; see `hfclean.reviser.salvage.without_a_hunk`.
            `edit_reason` then has `salvaged` and what the whole was refused for.
        tests: the column of the rows' own tests, or `scorers.RunTests(...)`: code is run before and after, apart from
            this system; see `hfclean.accept`. As with `trust`, no record of a reviser holds it.
        strict: stop at the first row on which a check, or `choose`, raises. By default a revision that cannot be
            checked is refused with the reason `check_error`, one that cannot be graded is not chosen, and the row's
            line in `edit_history` says what was raised.
    """

    code: ClassVar[str] = "reviser"
    own_code: ClassVar[tuple[str, ...]] = ("checks", "choose")

    revise: Literal["pair", "response", "thought"] = field(default="pair", kw_only=True, metadata=HUB)
    candidates: int = field(default=1, kw_only=True, metadata={**HUB, "most": 64})
    choose: Any = field(default="findings", kw_only=True)
    trust: Trust = field(default="normal", kw_only=True, metadata={"came_later": True})
    skip_checks: tuple[str, ...] = field(default=(), kw_only=True, metadata={"folder": True})
    checks: tuple[Check, ...] = field(default=(), kw_only=True)
    preference_margin: float = field(default=PREFERENCE_MARGIN, kw_only=True, metadata=HUB)
    trained_on: tuple[str, ...] = field(default=(), kw_only=True, repr=False)
    revise_trained_on: bool = field(default=False, kw_only=True)
    retry_unparsed: bool = field(default=False, kw_only=True, metadata=UNSAID)
    tests: RunTests | str | None = field(default=None, kw_only=True, metadata={"came_later": True})
    strict: bool = field(default=False, kw_only=True, metadata=STRICT)
    repair_refused: int = field(default=0, kw_only=True, metadata={**HUB, "most": 3, "came_later": True})
    salvage: bool = field(default=False, kw_only=True, metadata={**HUB, "came_later": True})

    def __post_init__(self) -> None:
        name = type(self).__name__
        for setting in ("skip_checks", "checks"):
            value = getattr(self, setting)
            if not isinstance(value, tuple):
                object.__setattr__(self, setting, (value,) if isinstance(value, (str, Check)) else tuple(value))
        if isinstance(self.tests, str):
            object.__setattr__(self, "tests", RunTests(self.tests))
        if not isinstance(self.tests, RunTests | None):
            raise HfcleanError(
                f"{name}(tests={self.tests!r:.60}): expected the name of a column with tests, or scorers.RunTests(...)"
            )
        super().__post_init__()
        select_checks(None, self.skip_checks, self.checks, trust=self.trust)
        if self.revise not in ("pair", "response", "thought"):
            raise HfcleanError(f"{name}(revise={self.revise!r}): expected 'pair', 'response' or 'thought'")
        if self.repair_refused < 0:
            raise HfcleanError(f"{name}(repair_refused={self.repair_refused}): expected 0 or more")
        if self.candidates < 1:
            raise HfcleanError(f"{name}(candidates={self.candidates}): expected at least 1")
        if self.candidates > 1 and self.temperature == 0:
            raise HfcleanError(
                f"{name}(candidates={self.candidates}): with temperature=0 they would all be the same; "
                "say temperature=0.7, and seed= for repeatable results"
            )
        if self.choose not in CHOICES and not callable(getattr(self.choose, "grades", self.choose)):
            raise HfcleanError(
                f"{name}(choose={self.choose!r}): expected 'findings', 'preference', a Judge or a function of pairs"
            )

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        if self.trained_on:  # as with prompts, every row's history has the digest and hfclean.json the whole
            found["trained_on"] = blake2b(join_hashes(self.trained_on).encode(), digest_size=8).hexdigest()
        if self.checks:
            found["checks"] = [check.id for check in self.checks]
        if isinstance(self.tests, RunTests):
            told = {"tests": self.tests.tests, **self.tests.settings()}
            found["tests"] = told if len(told) > 1 else self.tests.tests
        if self.choose == "preference":
            found["choose"] = self.choose
        elif self.choose != "findings":
            settings = getattr(self.choose, "settings", None)
            found["choose"] = settings() if settings else getattr(self.choose, "__qualname__", repr(self.choose))
        return found

    def depends(self) -> dict[str, Any]:
        selected = select_checks(None, self.skip_checks, self.checks, trust=self.trust)
        checks = {check.id: check.version for check in selected}
        shared = {"shared_turns": 1} if self.turns == "all" else {}
        repair = {"repair_version": REPAIR_VERSION} if self.repair_refused else {}
        salvage = {"salvage_version": SALVAGE_VERSION} if self.salvage else {}
        known = {"prompt_version": self.prompt_version(), "checks": checks}
        tested = {"run_version": RUN_VERSION} if self.tests is not None else {}
        return {**super().depends(), **known, **shared, **repair, **salvage, **tested}

    # ------------------------------------------------------------------------------------------------ for subclasses

    def prompt(self) -> str:
        """The prompt, so that the gate recognizes it in an answer."""
        raise HfcleanError(f"{type(self).__name__} defines no prompt()")

    def propose(self, tasks: Sequence[Task], candidate: int) -> Work[list[Proposal]]:
        """One proposal for each task; yields the requests that it needs."""
        raise HfcleanError(f"{type(self).__name__} defines no propose(tasks, candidate)")

    def refused(
        self,
        before: Pair,
        proposal: Proposal,
        errors: dict[str, Exception] | None = None,
        *,
        tests: BoundTests | None = None,
    ) -> tuple[str, ...]:
        """Why a proposal may not be taken; empty if it may. Errors of checks are noted in `errors`; `tests` are those
        of the row."""
        if proposal.pair is None:
            return (proposal.reason or UNPARSED,)
        return tuple(
            accept(
                before,
                proposal.pair,
                trust=self.trust,
                skip=self.skip_checks,
                extra=self.checks,
                finish_reason=proposal.finish_reason,
                preference=preference_rule().predict,
                preference_margin=self.preference_margin,
                prompt="\n".join([self.prompt(), *(turn.content for turn in proposal.exchange[2::2])]),
                tests=tests,
                strict=self.strict,
                errors=errors,
            )
        )

    def words(self) -> dict[str, Any]:
        return {"trained_on": join_hashes(self.trained_on)} if self.trained_on else {}

    @classmethod
    def read_words(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        return {"trained_on": split_hashes(about["trained_on"])} if "trained_on" in about else {}

    # ------------------------------------------------------------------------------------------------ for datasets

    def work(self, batch: Batch, view: View) -> Work[dict[str, list[Any]]]:
        tell_untried(self.spec(), self.trust)
        rows = batch.rows(list(dict.fromkeys([*view.reads, *self.beside(), *own_columns(batch, self.prefix)])))
        histories = [own_steps(row, REVISION_COLUMNS, self.prefix, type(self).__name__) for row in rows]
        done = self._done(histories)
        tasks: list[list[Task]] = [
            [] if finished else [task._replace(unread=self._unread(steps)) for task in self._tasks(row, view)]
            for row, steps, finished in zip(rows, histories, done, strict=True)
        ]
        asked = [task for row_tasks in tasks for task in row_tasks if task.fields]
        verdicts = yield from self._decide(asked)
        ready = iter(verdicts)
        outcomes = [
            Outcome(done=True)
            if finished
            else self._outcome([(task, next(ready) if task.fields else None) for task in row_tasks])
            for row_tasks, finished in zip(tasks, done, strict=True)
        ]
        return record(self, rows, view, outcomes)

    def proposed(self, batch: Batch, view: View) -> Work[list[list[tuple[Task, list[Proposal]]]]]:
        """What the model proposes for each pair of each row, whether the gate takes it or not."""
        rows = batch.rows(list(dict.fromkeys([*view.reads, *self.beside(), *own_columns(batch, self.prefix)])))
        tasks = [[task for task in self._tasks(row, view) if task.fields] for row in rows]
        proposals = iter((yield from self._proposals([task for row_tasks in tasks for task in row_tasks])))
        return [[(task, next(proposals)) for task in row_tasks] for row_tasks in tasks]

    def changes(self, task: Task, after: Pair) -> list[FieldChange]:
        """The changes that would make a pair of a revision of it, at every place where its texts stand."""
        found = []
        for name, slot in task.target.slots():
            old, new = getattr(task.pair, name), getattr(after, name)
            if name in task.fields and old != new:
                old, new = slot.whole(old), slot.whole(new)
                found += [FieldChange(self.code, path, old, new) for path in slot.places()]
        thought = task.target.thought
        if thought is not None and "thought" in task.fields and after.thought != task.pair.thought:
            (path,) = thought.places()
            old = thought.whole(task.pair.thought)
            # a response that changed in the same cell stands behind the thought
            old = next((str(change.after) for change in found if change.path == path), old)
            behind = old[len(thought.prefix) + len(task.pair.thought) :]
            found.append(FieldChange(self.code, path, old, f"{thought.prefix}{after.thought}{behind}"))
        return found

    def tally(self, columns: Mapping[str, list[Any]]) -> dict[str, int]:
        edits = columns[self.prefix + "edit"]
        return {name: edits.count(name) for name in ("revised", "reverted", "failed")}

    def uses(self, columns: Mapping[str, list[Any]]) -> tuple[list[Use], list[str]]:
        edits, reasons = columns[self.prefix + "edit"], columns[self.prefix + "edit_reason"]
        return [_use(*each) for each in zip(edits, reasons, strict=True)], list(reasons)

    def beside(self) -> tuple[str, ...]:
        """The columns that are read besides the texts."""
        return self.tests.beside() if isinstance(self.tests, RunTests) else ()

    def _unread(self, steps: Sequence[Step]) -> int:
        """How often a row was left as it was because the answer could not be read; 0 unless that is retried."""
        if not self.retry_unparsed:
            return 0
        return sum(step.by == type(self).__name__ and is_unread(step) for step in steps)

    def _done(self, histories: Sequence[Sequence[Step]]) -> list[bool]:
        """Which rows' last revision is this reviser's own, by the same model, and did not fail."""
        last = [next((step for step in reversed(steps) if step.is_revision), None) for steps in histories]
        if not any(last):
            return [False] * len(histories)
        mine = Step(type(self).__name__, self.version, settings=self.settings()).line()
        identity = open_backend(self.spec()).identity
        return [
            step is not None
            and step.edit != "failed"
            and not (self.retry_unparsed and is_unread(step))
            and Step(step.by, step.version, settings=step.settings).line() == mine
            and (not identity or step.model in ("", identity))
            for step in last
        ]

    def _tasks(self, row: Mapping[str, Any], view: View) -> list[Task]:
        """What to revise in a row; nothing of pairs that taught the model, in their present or original text."""
        taught = frozenset() if self.revise_trained_on else frozenset(self.trained_on)
        targets = self.targets(row, view)
        if isinstance(self.tests, RunTests) and targets:
            tests = BoundTests(self.tests, self.tests.row_test(row))
            last = len(targets) - 1 if self.side != "both" else 0  # the tests are for the chosen answer
            tested = [self._task(each)._replace(tests=tests if k == last else None) for k, each in enumerate(targets)]
        else:
            tested = [self._task(target) for target in targets]
        if not taught:
            return tested
        first = original_cells(row, self.prefix)
        # by place, since sides that share a turn now may not have shared it before
        before = {} if first == row else {_place(target): target.pair for target in self.targets(first, view)}
        return [
            Task(target.pair, (), target, taught=True)
            if not taught.isdisjoint(map(pair_hash, (target.pair, before.get(_place(target), target.pair))))
            else task
            for target, task in zip(targets, tested, strict=True)
        ]

    def _task(self, target: Target) -> Task:
        fields = tuple(name for name, slot in target.slots() if len(slot.paths) == 1)
        if "response" not in fields or not (target.pair.prompt.strip() or target.pair.response.strip()):
            return Task(target.pair, (), target)
        if self.revise == "thought" and self.trust != "low" and target.thought is not None and target.pair.thought:
            fields = ("thought", "response")
        elif self.revise != "pair" or self.trust == "low" or "instruction" not in fields:
            fields = ("response",)
        return Task(target.pair, fields, target)

    def _decide(self, tasks: Sequence[Task]) -> Work[list[Verdict]]:
        """For each task the best proposal that passes the gate, or why there is none."""
        proposals = yield from self._proposals(tasks)
        verdicts: list[Verdict | Rivals] = [
            self._judged(task, found) for task, found in zip(tasks, proposals, strict=True)
        ]
        open_ones = [(task.pair, v) for task, v in zip(tasks, verdicts, strict=True) if isinstance(v, Rivals)]
        chosen = iter((yield from best_of(open_ones, self.choose, strict=self.strict)))
        return [next(chosen) if isinstance(verdict, Rivals) else verdict for verdict in verdicts]

    def _proposals(self, tasks: Sequence[Task]) -> Work[list[list[Proposal]]]:
        """All proposals for each task."""
        proposals: list[list[Proposal]] = [[] for _ in tasks]
        for candidate in range(self.candidates):
            for found, proposal in zip(proposals, (yield from self._candidates(tasks, candidate)), strict=True):
                found.append(proposal)
        return proposals

    def _candidates(self, tasks: Sequence[Task], candidate: int) -> Work[list[Proposal]]:
        """One proposal for each task; unreadable answers are asked for again as often as allowed."""
        return in_attempts(
            [self.attempts + task.unread for task in tasks],
            lambda places: self.propose([tasks[k] for k in places], candidate),
            unread=lambda proposal: proposal.pair is None and UNPARSED in (proposal.reason, *proposal.notes),
            lost=lambda proposal: proposal.error == NOT_KEPT,
        )

    def _repaired(
        self,
        proposals: Mapping[int, Sequence[Proposal]],
        *,
        tell: Callable[[int, Sequence[Proposal]], Conversation],
        read: Callable[[int, Conversation, Answer], Proposal],
        generation: Generation,
    ) -> Work[dict[int, list[Proposal]]]:
        """What the model makes of its refused revisions, told what was wrong, as often as allowed; see `ask_again`."""

        def asking(conversations: list[Conversation]) -> Asking:
            version = f"{self.prompt_version()}.repair-{REPAIR_VERSION}"
            guesses = [conversation[-2].content for conversation in conversations]
            return Asking(self.spec(), conversations, generation, version, guesses)

        return ask_again(proposals, self.repair_refused, tell=tell, asking=asking, read=read)

    def _told(self, before: Pair, proposals: Sequence[Proposal], refused: Refused) -> Conversation:
        """The conversation that asks for a refused revision once more; empty where none is to be had or needed."""
        if any(proposal.error for proposal in proposals):
            return ()
        codes = [() if proposal.pair == before else refused(proposal) for proposal in proposals]
        if not all(codes):
            return ()
        checks = select_checks(None, self.skip_checks, self.checks, trust=self.trust)
        for proposal, why in reversed(list(zip(proposals, codes, strict=True))):
            if proposal.exchange[-1].content and is_repairable(why):
                return repair_conversation(before, proposal, why, checks)
        return ()

    def _may_follow(
        self, pairs: Sequence[Pair], conversations: Sequence[Conversation], guesses: Sequence[str]
    ) -> list[Conversation]:
        """The conversations with which all revisions would be asked for once more, as often as that is allowed."""
        told = zip(pairs, conversations, guesses, strict=True)
        return [each for one in told for each in may_follow(*one, self.repair_refused)]

    def _judged(self, task: Task, proposals: Sequence[Proposal]) -> Verdict | Rivals:
        """The verdict on a pair, or the proposals among which to choose."""
        before = task.pair
        model = next((p.model for p in proposals if p.model), "")
        error = next((p.error for p in proposals if p.error), "")
        if error:  # all or nothing: the outcome of a row must not depend on which of its requests happened to fail
            return Verdict("failed", before, (error,), model)
        good: list[Proposal] = []
        reasons: list[str] = []
        errors: dict[str, Exception] = {}
        for proposal in proposals:
            errors |= proposal.errors
            refused = () if proposal.pair == before else self.refused(before, proposal, errors, tests=task.tests)
            reasons += refused
            if not refused:
                good.append(proposal)
        if not good:
            notes = tuple(note for proposal in proposals for note in proposal.notes)
            rests = (
                self._rest(before, proposal, partial(self.refused, before, tests=task.tests)) for proposal in proposals
            )
            if found := [rest for rest in rests if rest is not None]:
                return Rivals(found, errors)
            return Verdict("reverted", before, tuple(dict.fromkeys([*reasons, *notes])), model, errors)
        return Rivals(good, errors)

    def _rest(self, before: Pair, proposal: Proposal, refused: Refused) -> Proposal | None:
        """A refused proposal without the part for which it was refused; None if there is none or none is asked for."""
        return salvaged(before, proposal, refused) if self.salvage else None

    def _outcome(self, judged: Sequence[tuple[Task, Verdict | None]]) -> Outcome:
        """The outcome of a row whose pairs are judged: one failure leaves all of the row as it was."""
        verdicts = [verdict for _, verdict in judged if verdict is not None]
        model = next((v.model for v in verdicts if v.model), "")
        taught = ("trained_on",) if any(task.taught for task, _ in judged) else ()
        if not verdicts:
            return Outcome(reasons=taught or ("nothing_to_revise",))
        errors = {name: error for verdict in verdicts for name, error in verdict.errors.items()}
        failed = [v for v in verdicts if v.edit == "failed"]
        if failed:
            return Outcome((), "failed", failed[0].reasons, model, errors=errors)
        changes = [
            change for task, verdict in judged if verdict is not None for change in self.changes(task, verdict.pair)
        ]
        reasons = (*(reason for v in verdicts for reason in v.reasons), *taught)
        reverted = any(v.edit == "reverted" for v in verdicts)
        return Outcome(changes, "reverted" if reverted and not changes else "", reasons, model, errors=errors)


def _use(edit: str, reason: str) -> Use:
    """The outcome of the answers for a row."""
    if edit == "failed":
        return "useless"
    if edit == "reverted":
        found = {*reason.split()} - SIDES_REFUSED
        return "useless" if found and found <= NOT_READ else "refused"
    return "" if reason in ("nothing_to_revise", "trained_on") else "used"


def _place(target: Target) -> Place | None:
    """Where the response of a target lives; None where it has no place."""
    return target.response.paths[0] if target.response else None
