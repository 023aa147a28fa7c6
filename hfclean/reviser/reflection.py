"""Reflection-Tuning: a model criticises a pair on named criteria before it rewrites it, one side after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import Any, ClassVar, Literal, cast

from hfclean.errors import HfcleanError
from hfclean.models import Answer, Asking, Conversation, Estimate, Message, ModelSpec, Work
from hfclean.reviser import criteria as form
from hfclean.reviser.answers import read_rewriting
from hfclean.reviser.codec import CODEC_VERSION
from hfclean.reviser.criteria import CRITERIA, SIDES, Criterion, Side
from hfclean.reviser.modelled import ModelReviser
from hfclean.reviser.proposals import Proposal, Task
from hfclean.reviser.selective import Scores, prefers_instruction, select_variant
from hfclean.schema import Pair, Target
from hfclean.scorers.likelihood import IFD, ReverseIFD
from hfclean.scorers.likelihood_scorer import LikelihoodScorer
from hfclean.transform import HUB

Select = Callable[[Sequence[Pair]], Sequence[tuple[float, float]]]
UNSCORED = Scores(math.nan, math.nan)
TEMPLATE = "vicuna"  # as the scripts of Selective Reflection-Tuning have it by default, both ways


class _Version:
    """Version 2 chooses by newer scores than version 1. Without these, rows are as version 1 made them, and a run over
    them has nothing to do again."""

    def __get__(self, reviser: Reflection | None, kind: type[Reflection]) -> int:
        return 2 if reviser is None or reviser.select == "ifd" else 1


@dataclass(frozen=True)
class Reflection(ModelReviser):
    """Has a model criticise each pair and then rewrite it, as Reflection-Tuning does; no tuned reviser is needed.

    First the instruction side: what is weak in the instruction and in the response, then a new instruction with its
    response. Then the response side: what is weak in the response, then a better one. That is two requests for a row,
    or one where its question cannot change (longer conversations, preference rows): those get the response side only.

    What a side wrote has to pass the gate (`hfclean.accept`), against the pair that it was asked about and against the
    original. Where it does not, it is dropped whole: the response side then works on the original pair, and where the
    response side fails, what the instruction side wrote stands. The row says why in both cases.

    Adds the columns of `hfclean.revise`: `edit` is `kept`, `revised`, `reverted` (something was written, and all of it
    refused) or `failed` (a request failed; the other one is not asked again). `edit_reason` holds `reflection` where
    text changed; `instruction_refused` or `response_refused`, each followed by why (a reason of both stands once): ids
    of checks, `unparsed`, `unfinished`, `placeholder`, `unwritable`; `nothing_to_revise`; or the kind of error. Mapped
    over its own output it asks again for the `failed` rows and leaves all others as they are.

    With `select`, the better one of the variants is taken by the rule of Selective Reflection-Tuning: see
    `hfclean.reviser.selective`. A variant that the gate refuses is not there for the rule. It asks no more than
    without: which response is rewritten follows from the first half of the rule. `edit_reason` then also holds
    `instruction_selected`, `response_selected`, `both_selected`; or, where the original stays, `original_selected`,
    `not_selected` (the paper drops such rows; drop them with `filter` if you want that) or `unscored` (a score is
    missing).

    With `repair_refused` a side is asked for once more before the other side has its turn; with `salvage` the rest of
    a refused side is taken only where it passes both comparisons.

    Sources: Reflection-Tuning, arXiv 2310.11716; Selective Reflection-Tuning, arXiv 2402.10110. The prompts and the
    form of the answers are ours. Both papers report answers three times as long: compare lengths, too.

    Args:
        model: with `base_url`, the name that the server gives the model; without, a folder or a Hub id to run here
            through transformers; or your own function.
        sides: `("instruction", "response")`, or one of them.
        criteria: what is criticised; see `hfclean.reviser.criteria`.
        structured: ask for JSON, and have the server enforce it if it can. Answers in either form are read
            in any case.
        select: `"ifd"`, to score the variants by the losses of a language model (`hfclean.IFD`,
            `hfclean.scorers.ReverseIFD`); or a function that gives `(ifd, r_ifd)` for each pair, nan where there is
            none. Called with many pairs at a time, by `prefetch` from several threads; not by `estimate`.
        scored_by: with `select="ifd"`, whose losses these are: a folder or a Hub id to run here, asked in Vicuna's
            form with its system sentence, as in the authors' scripts; or an `hfclean.IFD` with other settings
            (template, dtype, a server that returns the log-probabilities of prompts), which the reverse scores share.
            By default the model that revises. The paper takes the base model that is to be tuned. Only scores that
            the rule needs are computed.

    Raises:
        BackendError: the model cannot be asked at all, or gives no losses. Every answer so far is kept: run the same
            again.
        SchemaError: rows of no known shape.
        ColumnError: the dataset already has a column of one of these names.

    >>> import hfclean
    >>> from hfclean.testing_models import ScriptedBackend
    >>> model = ScriptedBackend([
    ...     "Ambiguity: which fruit?\\n[Instruction]\\nName a yellow fruit.\\n[Response]\\nA lemon.\\n[End]",
    ...     "Detail: one word only.\\n[Response]\\nA lemon is a yellow fruit.\\n[End]",
    ... ])
    >>> row = {"instruction": "Name a fruit.", "input": "", "output": "a aple"}
    >>> out = hfclean.Reflection(model)(row)
    >>> out["instruction"], out["output"], out["edit"], out["edit_reason"]
    ('Name a yellow fruit.', 'A lemon is a yellow fruit.', 'revised', 'reflection')
    """

    version: ClassVar[int] = cast(int, _Version())
    code: ClassVar[str] = "reflection"
    own_code: ClassVar[tuple[str, ...]] = (*ModelReviser.own_code, "select", "scored_by")

    sides: tuple[Side, ...] = field(default=SIDES, kw_only=True, metadata=HUB)
    criteria: tuple[Criterion, ...] = field(default=CRITERIA, kw_only=True, metadata={**HUB, "most": 100})
    structured: bool = field(default=False, kw_only=True, metadata=HUB)
    select: Select | Literal["ifd"] | None = field(default=None, kw_only=True, metadata=HUB)
    scored_by: str | IFD | None = field(default=None, kw_only=True, metadata=HUB)

    def __post_init__(self) -> None:
        sides = (self.sides,) if isinstance(self.sides, str) else tuple(self.sides)
        if not sides or not set(sides) <= set(SIDES):
            raise HfcleanError(f"Reflection(sides={self.sides!r}): expected 'instruction', 'response' or both")
        object.__setattr__(self, "sides", tuple(side for side in SIDES if side in sides))
        object.__setattr__(self, "criteria", tuple(self.criteria))
        super().__post_init__()
        form.check_criteria(self.criteria, self.sides)
        if self.revise != "pair":
            raise HfcleanError(f"Reflection(revise={self.revise!r}): say sides=('response',) to leave questions alone")
        self._check_select()

    def _check_select(self) -> None:
        if self.select is not None and self.select != "ifd" and not callable(self.select):
            raise HfcleanError(
                f"Reflection(select={self.select!r}): expected 'ifd', or your own function: "
                "select=f with f(pairs) -> [(ifd, r_ifd), ...]"
            )
        if self.select is not None and self.sides != SIDES:
            raise HfcleanError(f"Reflection(select=..., sides={self.sides}): the rule chooses between both sides")
        if self.scored_by is not None and self.select != "ifd":
            raise HfcleanError(
                "Reflection(scored_by=...) says whose losses select='ifd' goes by; say select='ifd' too"
            )
        if self.select == "ifd":
            forward_scorer(self.scored_by, self.spec())

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        if "criteria" in found:  # every row's history has this: the words themselves are in hfclean.json
            found["criteria"] = form.digest(self.criteria)
        if callable(self.select):
            name = getattr(self.select, "__qualname__", type(self.select).__qualname__)
            found["select"] = f"{name}()" if name == "ifd" else name  # must not be taken for ours
        if isinstance(self.scored_by, IFD):
            found["scored_by"] = self.scored_by.settings()
        elif self.scored_by is not None:
            found["scored_by"] = ModelSpec(self.scored_by).settings()["model"]
        return found

    def depends(self) -> dict[str, Any]:
        if self.select != "ifd":
            return super().depends()
        return {**super().depends(), "scored_by": forward_scorer(self.scored_by, self.spec()).depends()}

    def own_words(self) -> dict[str, Any]:
        return {} if self.criteria == CRITERIA else {"criteria": [asdict(one) for one in self.criteria]}

    def words(self) -> dict[str, Any]:
        return {**super().words(), "prompt": self.prompt(), "criteria": [asdict(one) for one in self.criteria]}

    @classmethod
    def read_own_words(cls, words: Mapping[str, Any]) -> dict[str, Any]:
        return {"criteria": tuple(Criterion(**one) for one in words["criteria"])}

    @classmethod
    def read_words(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        return {**super().read_words(about), "criteria": tuple(Criterion(**one) for one in about["criteria"])}

    def prompt_version(self) -> str:
        return f"reflection-{form.PROMPT_VERSION}.{CODEC_VERSION}"

    def prompt(self) -> str:
        return "\n\n".join(form.prompt(side, self.criteria, structured=self.structured) for side in self.sides)

    def estimate(self, ds: Any, **settings: Any) -> Estimate:
        """The estimated cost of a run, as `Reviser.estimate` gives it. Nothing is asked, and nothing scored."""
        if self.select is not None:  # chooses among answers, and makes none more or less
            return replace(self, select=None, scored_by=None).estimate(ds, **settings)
        return super().estimate(ds, **settings)

    def propose(self, tasks: Sequence[Task], candidate: int) -> Work[list[Proposal]]:
        rows = [_Row(task, Proposal(task.pair)) for task in tasks]
        for side in self.sides:
            asked = [row for row in rows if not row.over and (side == "response" or row.task.whole)]
            pairs = [row.best_pair for row in asked]
            words: dict[str, Any] = {"side": side, "criteria": self.criteria, "structured": self.structured}
            conversations = [form.reflection_conversation(pair, **words) for pair in pairs]
            guesses = [form.typical_answer(pair, **words) for pair in pairs]
            generation = self.generation(candidate, form.schema(side) if self.structured else None)
            answers = yield Asking(
                self.spec(),
                conversations,
                generation,
                self.prompt_version(),
                guesses,
                may_follow=self._may_follow(pairs, conversations, guesses),
            )
            read = partial(self._read, asked, side)
            products = [read(k, *each) for k, each in enumerate(zip(conversations, answers, strict=True))]
            repaired = yield from self._repaired(
                {k: [product] for k, product in enumerate(products)},
                tell=partial(self._ask_of, asked),
                read=read,
                generation=generation,
            )
            for k, row in enumerate(asked):
                self._take(row, side, [products[k], *repaired.get(k, ())])
            if self.select is not None:
                self._weigh([row for row in rows if not row.over], side)
        return [row.proposal() for row in rows]

    def _task(self, target: Target) -> Task:
        task = super()._task(target)
        return task if task.whole or "response" in self.sides else task._replace(fields=())

    def _take(self, row: _Row, side: Side, products: Sequence[Proposal]) -> None:
        """The result of the answers for a row, the last one after what was wrong with those before was told: a variant
        that passes the gate, or a note why not."""
        row.model = row.model or next((product.model for product in products if product.model), "")
        if error := next((product.error for product in products if product.error), ""):
            row.best, row.over = Proposal(error=error), True
            return
        before = row.best_pair
        codes: list[str] = []
        for product in products:
            if product.pair == before:
                row.notes += product.notes
                return
            refused = self._refused(row, product)
            if not refused:
                self._choose(row, side, product)
                return
            codes += refused
            if product.pair is not None:
                row.refused.append((product.pair, refused))
        row.wrote = True
        rests = (self._rest(before, product, partial(self._refused, row)) for product in reversed(products))
        if rest := next((rest for rest in rests if rest is not None), None):
            self._choose(row, side, rest)
            return
        row.notes += [f"{side}_refused", *codes, *products[-1].notes]

    def _choose(self, row: _Row, side: Side, product: Proposal) -> None:
        """Take a product that passes the gate as the variant of a side."""
        row.wrote = True
        row.notes += product.notes
        name = "both" if row.best is row.variants.get("instruction") else side
        row.best = row.variants[name] = product

    def _refused(self, row: _Row, product: Proposal) -> tuple[str, ...]:
        """Why a product may not be taken: held against the pair that was asked about, then against the original."""
        refused = self.refused(row.best_pair, product, row.errors, tests=row.task.tests)
        if not refused and row.best_pair != row.task.pair:
            refused = self.refused(row.task.pair, product, row.errors, tests=row.task.tests)
        return refused

    def _ask_of(self, rows: Sequence[_Row], k: int, products: Sequence[Proposal]) -> Conversation:
        """The conversation that asks for a refused product once more, or none."""
        return self._told(rows[k].best_pair, products, partial(self._refused, rows[k]))

    def _read(self, rows: Sequence[_Row], side: Side, k: int, conversation: Conversation, answer: Answer) -> Proposal:
        """The product that an answer makes."""
        if answer.error:
            return Proposal(error=answer.error, model=answer.model)
        exchange = (*conversation, Message("assistant", answer.text)) if self.repair_refused else ()
        product = self._product(rows[k].task, rows[k].best_pair, side, answer)
        return product._replace(model=answer.model, exchange=exchange)

    def _product(self, task: Task, before: Pair, side: Side, answer: Answer) -> Proposal:
        """The answer for a side, read strictly."""
        whole = side == "instruction"
        found = read_rewriting(answer.text, before, whole=whole, ended=answer.finish_reason != "stop")
        if found.reason:
            # an answer that was cut off is that first, and unreadable because of it
            reason = found.reason if answer.finish_reason in ("stop", "") else "unfinished"
            return Proposal(reason=reason)
        pair = Task(before, task.fields if whole else ("response",), task.target).revised(found.texts)
        return Proposal(pair, "" if pair is not None else "unwritable", "", answer.finish_reason or None)

    # ------------------------------------------------------------------------------------------------- the selection

    def _weigh(self, rows: Sequence[_Row], side: Side) -> None:
        """The half of the rule that follows a side."""
        if self.select == "ifd":
            self._measure(rows, side)
        else:
            self._look_up(rows)
        for row in rows:
            if side == "response":
                selection = select_variant(**row.scores)
                row.choose(selection.branch if selection.state == "selected" else "original", selection.reason)
                continue
            preferred = prefers_instruction(row.scores["original"], row.scores.get("instruction"))
            if preferred is None:
                row.choose("original", "unscored")
                row.over = True
            elif not preferred:
                row.best = Proposal(row.task.pair)

    def _look_up(self, rows: Sequence[_Row]) -> None:
        """The caller's scores, for every variant that has none."""
        new = [(row, name, pair) for row in rows for name, pair in row.pairs().items() if name not in row.scores]
        if not new or not callable(self.select):
            return
        given = [Scores(float(ifd), float(r_ifd)) for ifd, r_ifd in self.select([pair for _, _, pair in new])]
        if len(given) != len(new):
            raise HfcleanError(
                f"select= gave {len(given)} scores for {len(new)} pairs; expected (ifd, r_ifd) for each"
            )
        for (row, name, _), scores in zip(new, given, strict=True):
            row.scores[name] = scores

    def _measure(self, rows: Sequence[_Row], side: Side) -> None:
        """Scores from a model's losses: IFD where two instructions are compared, then both for the rest."""
        forward = forward_scorer(self.scored_by, self.spec())
        names = [row.compared(side) for row in rows]
        for scorer, which in ((forward, "ifd"), (reverse_scorer(forward), "r_ifd"))[: 1 if side != "response" else 2]:
            new = [
                (row, name, pair)
                for row, row_names in zip(rows, names, strict=True)
                for name, pair in row.pairs().items()
                if name in row_names and math.isnan(getattr(row.scores.get(name, UNSCORED), which))
            ]
            (column,) = scorer.scores()
            values = scorer.score_rows([[pair] for _, _, pair in new])[column] if new else []
            for (row, name, _), value in zip(new, values, strict=True):
                row.scores[name] = row.scores.get(name, UNSCORED)._replace(**{which: value})
        for row in rows:  # unused scores still need a place in the rule
            row.scores = {**dict.fromkeys(row.pairs(), UNSCORED), **row.scores}


@dataclass
class _Row:
    """The state of one pair.

    `best` is what the next side works on, and in the end what is proposed; `wrote` says that the model wrote anything
    new, taken or not; `over`, that nothing more is asked.
    """

    task: Task
    best: Proposal
    variants: dict[str, Proposal] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    refused: list[tuple[Pair, tuple[str, ...]]] = field(default_factory=list)
    model: str = ""
    wrote: bool = False
    over: bool = False

    @property
    def best_pair(self) -> Pair:
        return cast(Pair, self.best.pair)

    def pairs(self) -> dict[str, Pair]:
        """The variants by name, the original last."""
        return {**{name: cast(Pair, one.pair) for name, one in self.variants.items()}, "original": self.task.pair}

    def compared(self, side: Side) -> tuple[str, ...]:
        """The variants that the half of the rule behind a side looks at."""
        if side == "instruction":
            return ("original", "instruction") if "instruction" in self.variants else ()
        kept = prefers_instruction(self.scores.get("original", UNSCORED), self.scores.get("instruction"))
        return ("instruction", "both") if kept else ("original", "response")

    def choose(self, name: str, reason: str) -> None:
        """Take a variant, and say why; an original without any rewriting needs no reason."""
        self.best = self.variants.get(name, Proposal(self.task.pair))
        if reason != "original_selected" or self.variants:
            self.notes.insert(0, reason)

    def proposal(self) -> Proposal:
        """The outcome: refused if the model wrote something and nothing of it was taken."""
        known: dict[str, Any] = {"model": self.model, "errors": self.errors, "refused": tuple(self.refused)}
        if self.best.error:
            return self.best._replace(**known)
        if self.wrote and self.best.pair == self.task.pair and self.notes:
            return Proposal(reason=self.notes[0], notes=tuple(self.notes[1:]), **known)
        return self.best._replace(notes=tuple(self.notes), **known)


def forward_scorer(named: str | IFD | None, reviser: ModelSpec) -> IFD:
    """The scorer that gives the IFD of a variant.

    Args:
        named: a model that runs here, or a scorer; None for the model that revises.
        reviser: that model.

    Raises:
        HfcleanError: neither is a model that gives losses.
    """
    if isinstance(named, IFD):
        return named
    if isinstance(named, str) and named:
        return IFD(named, template=TEMPLATE, store=reviser.store)
    if named is not None:
        raise HfcleanError(f"scored_by={named!r}: expected a folder, a Hub id or an hfclean.IFD")
    if not isinstance(reviser.model, str):
        raise HfcleanError(
            f"select='ifd' goes by the losses of a language model, and {reviser.name} is your own function, "
            "which gives none; name one: scored_by='a folder or a Hub id'"
        )
    reached: dict[str, Any] = {
        name: getattr(reviser, name)
        for name in ("base_url", "api_key_env", "revision", "device", "cache_as", "store", "limits")
    }
    return IFD(reviser.model, template=TEMPLATE, dtype=reviser.dtype or "auto", **reached)


def reverse_scorer(forward: IFD) -> ReverseIFD:
    """The scorer that gives the r-IFD, by the same model, formula, template and length."""
    shared = {field.name for field in fields(LikelihoodScorer)} | {"kind"}
    return ReverseIFD(**{name: getattr(forward, name) for name in sorted(shared)})
