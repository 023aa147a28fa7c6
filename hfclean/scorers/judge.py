"""The scorer that asks a model: a judge grades the row's main pair by a rubric."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, ClassVar, NamedTuple

from hfclean.columns import Column
from hfclean.errors import ColumnError, SchemaError
from hfclean.models import Answer, Asking, Estimate, ModelTransform, Work
from hfclean.models.useless_answers import Use
from hfclean.models.work import NOT_KEPT, in_attempts
from hfclean.plain_values import to_plain
from hfclean.provenance import HISTORY, UNPARSED, Step, own_steps
from hfclean.schema import Pair, View
from hfclean.scorers.judge_answers import Grading, read_scores
from hfclean.scorers.judge_prompt import PROMPT_VERSION, grading, grading_schema, typical_grading
from hfclean.scorers.rubrics import Rubric, find_rubric
from hfclean.transform import Batch


class _Judged(NamedTuple):
    """A grading and who gave it."""

    grading: Grading
    model: str = ""


@dataclass(frozen=True)
class Judge(ModelTransform):
    """Asks a model to grade the row's main pair by a rubric: the last assistant turn of a conversation, the chosen
    answer of a preference row.

    Adds these columns, and a line to `edit_history` with the judge's settings and the model that answered:

    * `judge` (float, in the rubric's own range, higher = better; nan = not scored).
    * `judge_reason` (string): `""` where there is a score; else why there is none: the kind of error (`timeout`,
      `context_overflow`, ...; see `hfclean.codes.ERRORS`), `unfinished` (the answer was cut off), `unparsed` (it
      names no score), `several_scores` (it names different ones), `out_of_range` (one outside the range, or on another
      scale), `nothing_to_judge` (the row has no text).
    * with a rubric of several dimensions also `judge_<dimension>`, and `judge_instruction` and `judge_response` where
      it grades both (floats, like `judge`: each the worst of its dimensions, and `judge` the worst of all), and
      `judge_out_of_band` (string: the dimensions whose score lies outside its band, separated by spaces; a warning).

    Rubrics:

    * `"alpagasus"`: 0 to 5 for accuracy, or another `dimension`; 4.5 and more is high quality (arXiv 2307.08701).
    * `"coachlm"`: the nine dimensions of CoachLM on both sides, 0 to 100; 95 and more is accepted (arXiv 2311.13246).
    * `"ten"`: 1 to 10 for quality all in all, or another `dimension`.
    * your own `hfclean.scorers.rubrics.Rubric`.

    The progress of `prefetch` counts the rows that the rubric accepts: `hfclean.keep("judge", at_least=95)` keeps
    those of `coachlm`, and `judge.criteria().accepts(score)` says it of one.

    With `turns="all"` every assistant turn is judged, each with what came before it: one request a turn. Scores are
    then means over the turns; if one turn has no score the row has none, and `judge_reason` names every reason.

    All prompts are ours, so scores are not those of the papers. A judge has tastes and makes mistakes: compare a
    sample with people before you trust a threshold. Row and answer can try to talk to the judge; they are in a frame
    that they cannot close, but no frame makes a model immune.

    Mapped over its own output, it asks again for rows without a score and for rows whose text changed, and leaves all
    others as they are. An answer that cannot be read is kept like any other: for another one, allow more
    `attempts`, or change how the model answers (`max_new_tokens`, or `temperature` and `seed`).

    Args:
        model: with `base_url`, the name that the server gives the model; without, a folder or a Hub id to run here
            through transformers; or your own function. All settings of `hfclean.models.ModelTransform` apply.
        rubric: `"alpagasus"`, `"coachlm"`, `"ten"`, or a `Rubric`.
        dimension: what `alpagasus` and `ten` grade: `accuracy`, `helpfulness`, `relevance`, `completeness`,
            `clarity` or `quality`.
        name: of the column, and the beginning of the names of the others.

    Raises:
        BackendError: the model cannot be asked at all. Every answer so far is kept: run the same again.
        HfcleanError: an unknown rubric or dimension.
        SchemaError: rows of no known shape; or `side="both"`, which is not a score of one row.
        ColumnError: the dataset already has a column of one of these names.

    >>> import hfclean
    >>> from hfclean.testing_models import ScriptedBackend
    >>> judge = hfclean.Judge(ScriptedBackend(['{"reason": "True and brief.", "score": 4.5}']))
    >>> out = judge({"instruction": "Name a fruit.", "input": "", "output": "An apple."})
    >>> out["judge"], out["judge_reason"]
    (4.5, '')
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        Column("judge", "a model's grade, on the scale of its rubric; nan = not scored", better="higher"),
        Column("judge_reason", "why there is no grade", "text"),
        Column(
            "judge_out_of_band", "dimensions whose grade lies outside its band, separated by spaces: a warning", "text"
        ),
        Column(
            "judge_*", "a model's grade of this part, on the scale of its rubric; nan = not scored", better="higher"
        ),
    )

    rubric: str | Rubric = "alpagasus"
    dimension: str | None = field(default=None, kw_only=True)
    name: str = field(default="judge", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.criteria()
        if self.side == "both":
            raise SchemaError(
                "Judge(side='both'): a row gets one score; expected 'chosen' or 'rejected'. For both, judge twice, "
                "with another name= the second time"
            )
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ColumnError(f"Judge(name={self.name!r}): expected a column name in snake_case")

    def criteria(self) -> Rubric:
        """The rubric that the judge goes by."""
        return find_rubric(self.rubric, self.dimension)

    def names(self) -> tuple[str, ...]:
        """The columns that this judge adds, without prefix."""
        rubric = self.criteria()
        several = (
            [*rubric.sides, *(d.name for d in rubric.dimensions), "out_of_band"] if len(rubric.dimensions) > 1 else []
        )
        return (self.name, *(f"{self.name}_{what}" for what in (*several, "reason")))

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        if isinstance(self.rubric, Rubric):  # its words would stand in every row
            found["rubric"] = f"{self.rubric.name} {self.rubric.digest}"
        return found

    def own_words(self) -> dict[str, Any]:
        return {"rubric": to_plain(self.rubric)} if isinstance(self.rubric, Rubric) else {}

    def depends(self) -> dict[str, Any]:
        return {**super().depends(), "prompt_version": PROMPT_VERSION, "rubric": self.criteria().digest}

    # ------------------------------------------------------------------------------------------------ for datasets

    def work(self, batch: Batch, view: View) -> Work[dict[str, list[Any]]]:
        names = self.names()
        columns = (*names, HISTORY)
        rows = batch.rows([*view.columns, *(self.prefix + name for name in columns)])
        turns = [self.pairs(row, view) if self.turns == "all" else self.pairs(row, view)[-1:] for row in rows]
        steps = [own_steps(row, columns, self.prefix, type(self).__name__) for row in rows]
        current = [self._is_current(*each) for each in zip(rows, turns, steps, strict=True)]
        asked = [pair for pairs, is_so in zip(turns, current, strict=True) if not is_so for pair in pairs]
        ready = iter((yield from self._judge(asked)))
        out: dict[str, list[Any]] = {self.prefix + name: [] for name in columns}
        for row, pairs, before, is_so in zip(rows, turns, steps, current, strict=True):
            if is_so:
                cells = [row[self.prefix + name] for name in columns]
            else:
                cells = self._cells(pairs, before, [next(ready) for _ in pairs])
            for name, cell in zip(columns, cells, strict=True):
                out[self.prefix + name].append(cell)
        return out

    def grades(self, pairs: Sequence[Pair]) -> Work[list[float]]:
        """The score of each pair, nan where there is none; yields its requests, for use inside other work."""
        judged = yield from self._judge(pairs)
        return [self._merged(each.grading) for each in judged]

    def tally(self, columns: Mapping[str, list[Any]]) -> dict[str, int]:
        reasons = columns[f"{self.prefix}{self.name}_reason"]
        found = {"scored": reasons.count(""), "unscored": len(reasons) - reasons.count("")}
        rubric = self.criteria()
        if rubric.accept_at_least is not None:
            found["accepted"] = sum(map(bool, map(rubric.accepts, columns[f"{self.prefix}{self.name}"])))
        bands = columns.get(f"{self.prefix}{self.name}_out_of_band")
        return found if bands is None else {**found, "out_of_band": sum(map(bool, bands))}

    def uses(self, columns: Mapping[str, list[Any]]) -> tuple[list[Use], list[str]]:
        reasons = columns[f"{self.prefix}{self.name}_reason"]
        uses: dict[str, Use] = {"": "used", "nothing_to_judge": ""}
        return [uses.get(reason, "useless") for reason in reasons], list(reasons)

    def estimate(self, ds: Any, **options: Any) -> Estimate:
        """The estimated cost of a run; see `ModelTransform.estimate`. Answers are taken to be one sentence
        and the scores, times `growth`; a model that thinks first writes more."""
        found = super().estimate(ds, **options)
        if not found.requests:
            return found
        return replace(found, completion_basis=f"one sentence and the scores, times {options.get('growth', 1.0):g}")

    # ------------------------------------------------------------------------------------------------ one pair

    def _judge(self, pairs: Sequence[Pair]) -> Work[list[_Judged]]:
        rubric = self.criteria()
        asked = [pair for pair in pairs if _has_text(pair)]

        def graded(places: Sequence[int]) -> Work[list[_Judged]]:
            answers = yield Asking(
                self.spec(),
                [grading(asked[k], rubric) for k in places],
                self.generation(response_format=grading_schema(rubric)),
                PROMPT_VERSION,
                [typical_grading(rubric)] * len(places),
            )
            return [_read(answer, rubric) for answer in answers]

        limits = [self.attempts] * len(asked)
        judged = (yield from in_attempts(limits, graded, unread=_is_unread, lost=_is_lost)) if asked else []
        ready = iter(judged)
        return [next(ready) if _has_text(pair) else _Judged(Grading({}, "nothing_to_judge")) for pair in pairs]

    def _merged(self, grading: Grading) -> float:
        return math.nan if grading.reason else self.criteria().merge(grading.scores)

    def _cells(self, pairs: Sequence[Pair], before: Sequence[Step], judged: Sequence[_Judged]) -> list[Any]:
        """The row's new cells, in the order of `names` and then the history."""
        each = [self._graded(one.grading) for one in judged]
        cells = [_merged(list(values)) for values in zip(*each, strict=True)]
        lines = [step.line() for step in map(self._without_ours, before) if step is not None]
        model = next((one.model for one in reversed(judged) if one.model), "")
        return [*cells, "\n".join([*lines, self._step(pairs, model).line()])]

    def _graded(self, grading: Grading) -> list[Any]:
        """The cells of one pair, in the order of `names`."""
        rubric = self.criteria()
        cells: list[Any] = [self._merged(grading)]
        if len(rubric.dimensions) > 1:
            cells += [math.nan if grading.reason else rubric.merge(grading.scores, side) for side in rubric.sides]
            cells += [grading.scores.get(dimension.name, math.nan) for dimension in rubric.dimensions]
            cells.append("" if grading.reason else " ".join(rubric.out_of_band(grading.scores)))
        return [*cells, grading.reason]

    def _step(self, pairs: Sequence[Pair], model: str) -> Step:
        return Step(
            type(self).__name__, self.version, self.names(), {**self.settings(), "text": _digest(pairs)}, model=model
        )

    def _without_ours(self, step: Step) -> Step | None:
        """An earlier step once our columns are overwritten: its scores in them are gone."""
        if step.is_revision:
            return step
        columns = tuple(name for name in step.columns if name not in self.names())
        return replace(step, columns=columns) if columns else None

    def _is_current(self, row: Mapping[str, Any], pairs: Sequence[Pair], steps: Sequence[Step]) -> bool:
        """Whether the row has this judge's score of just this text."""
        score = row.get(self.prefix + self.name)
        if not isinstance(score, float) or math.isnan(score):
            return False
        mine = next((step for step in reversed(steps) if step.columns == self.names()), None)
        return mine is not None and mine.line() == self._step(pairs, mine.model).line()


def _read(answer: Answer, rubric: Rubric) -> _Judged:
    if answer.error:
        return _Judged(Grading({}, answer.error), answer.model)
    if answer.finish_reason == "length":
        return _Judged(Grading({}, "unfinished"), answer.model)
    return _Judged(read_scores(answer.text, rubric), answer.model)


def _is_unread(judged: _Judged) -> bool:
    return judged.grading.reason == UNPARSED


def _is_lost(judged: _Judged) -> bool:
    return judged.grading.reason == NOT_KEPT


def _has_text(pair: Pair) -> bool:
    return bool(pair.prompt.strip() or pair.response.strip())


def _merged(values: list[Any]) -> Any:
    """One cell of those of several turns: the mean, nan if one is; the words of all."""
    if len(values) == 1:
        return values[0]
    if isinstance(values[0], str):
        return " ".join(dict.fromkeys(word for value in values for word in value.split()))
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan


def _digest(pairs: Sequence[Pair]) -> str:
    """8 hex digits of the text that is judged, whoever changes it."""
    texts = [
        [pair.system, [[turn.role, turn.text] for turn in pair.history], pair.instruction, pair.input, pair.response]
        for pair in pairs
    ]
    text = json.dumps(texts[0] if len(texts) == 1 else texts)
    return blake2b(text.encode(), digest_size=4).hexdigest()
