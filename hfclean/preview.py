"""What a model would do to a dataset, shown on a few rows before you pay for the rest. Writes nothing.

The answers are kept like all others: the run that follows does not ask for them again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import nan
from time import monotonic
from typing import Any

from hfclean.cleaning import in_order
from hfclean.errors import HfcleanError
from hfclean.models import Answer, Conversation, Estimate, ModelTransform, Usage, estimate
from hfclean.models.transform import Place, as_columns, spread
from hfclean.models.useless_answers import nothing_came
from hfclean.models.work import once
from hfclean.plain_values import to_plain
from hfclean.provenance import HISTORY, parse_history
from hfclean.report.row_changes import row_edits
from hfclean.reviser.modelled import ModelReviser
from hfclean.reviser.refused import refused_in
from hfclean.scorers import response_words
from hfclean.transform import Transform

LONGEST = 500  # characters of an unusable answer


@dataclass(frozen=True)
class PreviewedChange:
    """One changed text: which field, by which rule or reviser, before and after."""

    field: str
    rule: str
    before: str
    after: str


@dataclass(frozen=True)
class PreviewedRow:
    """The outcome of one row.

    `refused` is the model's revision of a row that the gate reverted, beside `changes`; `said` the beginning of its
    answer if it was unusable, or of the server's message if it gave none.
    """

    split: str
    index: int
    row_id: str
    edit: str
    reasons: tuple[str, ...]
    model: str
    changes: tuple[PreviewedChange, ...]
    refused: tuple[PreviewedChange, ...]
    said: str


@dataclass(frozen=True)
class Preview:
    """A few rows as a model would revise them, their cost, and the estimated cost of the whole dataset.

    Attributes:
        rows: the outcome of each row of the sample, in order.
        rows_total: rows of the whole dataset.
        usage: the requests for the sample.
        words_before, words_after: of the responses of all rows that the model answered for.
        changed_words_before, changed_words_after: of those that changed.
        estimate: the cost of the whole dataset, judged by these answers. Its hours assume that the server keeps up
            with all requests that may be in flight at once.
        hours_at_this_pace: hours for the whole dataset at the speed of the sample, which had few requests in flight;
            nan where nothing was asked.
        failure: the message if no row got a usable answer; otherwise empty.
    """

    rows: tuple[PreviewedRow, ...]
    rows_total: int
    usage: Usage
    words_before: int
    words_after: int
    changed_words_before: int
    changed_words_after: int
    estimate: Estimate
    hours_at_this_pace: float
    failure: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The preview as JSON can hold it; what is not known is null."""
        data = to_plain(self)
        data["usage"] |= {"failed": dict(self.usage.failed), "reused_on": dict(self.usage.reused_on)}
        return dict(data)


def preview(ds: Any, reviser: Transform | Sequence[Transform], *, rows: int = 20, show: bool = True) -> Preview:
    """Revise an evenly spread sample of a `Dataset` or `DatasetDict` and estimate the cost of the whole.

    Args:
        ds: the dataset; nothing is written to it or beside it.
        reviser: as for `hfclean.clean`: one that asks a model, or several in order of which one does.
        rows: how many rows.
        show: whether to show a live line while the model is asked.

    Raises:
        HfcleanError: none of the revisers asks a model, or several do.
        BackendError: the model cannot be asked at all.
    """
    revisers = in_order(reviser)
    models = [each for each in revisers if isinstance(each, ModelTransform)]
    if len(models) != 1:
        raise HfcleanError(f"preview got {len(models)} revisers that ask a model; expected one")
    model = models[0]
    model.check_access()
    parts = ds if isinstance(ds, Mapping) else {"": ds}
    places = spread(ds, rows)
    plain = {split: part.with_format(None) for split, part in parts.items()}
    raw = [dict(plain[place.split][place.row]) for place in places]
    at = revisers.index(model)
    ready = _applied(revisers[:at], raw)
    before, started = model.usage(), monotonic()
    with once():
        if model.keeps_answers:
            model.prefetch(ready, show=show)
        seconds, used = monotonic() - started, model.usage().since(before)
        done, conversations, answers = _heard(model, ready)
        if not model.keeps_answers:
            seconds, used = monotonic() - started, model.usage().since(before)
        names = (model.prefix + "edit", model.prefix + "edit_reason")
        failure = nothing_came(model.spec(), *model.uses({name: [row[name] for row in done] for name in names}))
        refused = _refused(model, ready, done)
        excerpts = [_excerpt(model, *each) for each in zip(ready, done, strict=True)]
    done = _applied(revisers[at + 1 :], done)
    outcomes = tuple(
        _row_preview(model, place, each, now, proposed, words)
        for place, each, now, proposed, words in zip(places, raw, done, refused, excerpts, strict=True)
    )
    answered = [k for k, row in enumerate(outcomes) if row.edit != "failed"]
    changed = [k for k in answered if outcomes[k].edit == "revised"]
    total = sum(len(part) for part in parts.values())
    requests = round(len(conversations) * total / len(raw)) if raw else 0
    return Preview(
        rows=outcomes,
        rows_total=total,
        usage=used,
        words_before=sum(_words(model, raw[k]) for k in answered),
        words_after=sum(_words(model, done[k]) for k in answered),
        changed_words_before=sum(_words(model, raw[k]) for k in changed),
        changed_words_after=sum(_words(model, done[k]) for k in changed),
        estimate=_estimate(model, conversations, answers, requests, _latency(model, used.asked, seconds)),
        hours_at_this_pace=requests * seconds / used.asked / 3600 if used.asked else nan,
        failure=failure,
    )


_Rows = list[dict[str, Any]]


def _batches(rows: _Rows) -> Iterator[_Rows]:
    """Rows of the same columns together; those of another split may have others."""
    for _, batch in groupby(rows, key=tuple):
        yield list(batch)


def _merged(rows: _Rows, columns: Mapping[str, list[Any]]) -> _Rows:
    return [{**row, **{name: column[k] for name, column in columns.items()}} for k, row in enumerate(rows)]


def _applied(transforms: Sequence[Transform], rows: _Rows) -> _Rows:
    for each in transforms:
        rows = [row for batch in _batches(rows) for row in _merged(batch, each(as_columns(batch)))]
    return rows


def _heard(model: ModelTransform, rows: _Rows) -> tuple[_Rows, list[Conversation], list[Answer]]:
    done: _Rows = []
    conversations: list[Conversation] = []
    answers: list[Answer] = []
    for batch in _batches(rows):
        heard = model.hear(as_columns(batch))
        done += _merged(batch, heard.columns)
        conversations += heard.conversations
        answers += heard.answers
    return done, conversations, answers


def _refused(model: ModelTransform, ready: _Rows, done: _Rows) -> list[tuple[PreviewedChange, ...]]:
    """What the model proposed for the rows that the gate reverted, from the answers that are kept."""
    found: list[tuple[PreviewedChange, ...]] = [()] * len(ready)
    wanted = [k for k, row in enumerate(done) if row[model.prefix + "edit"] == "reverted"]
    if isinstance(model, ModelReviser) and model.keeps_answers:
        for k in wanted:
            (revisions,) = refused_in(model, as_columns([ready[k]]))
            found[k] = tuple(PreviewedChange(each.field, model.code, each.before, each.proposed) for each in revisions)
    return found


def _row_preview(
    model: ModelTransform,
    place: Place,
    raw: dict[str, Any],
    done: dict[str, Any],
    refused: tuple[PreviewedChange, ...],
    excerpt: str,
) -> PreviewedRow:
    name = str(done[model.prefix + "row_id"])
    edits = row_edits(raw, done, model.layout.view(raw), model.layout, name=name, split=place.split, index=place.row)
    steps = parse_history(done[model.prefix + HISTORY]) or ()
    edit = str(done[model.prefix + "edit"])
    return PreviewedRow(
        split=place.split,
        index=place.row,
        row_id=name,
        edit=edit,
        reasons=tuple(str(done[model.prefix + "edit_reason"]).split()),
        model=next((step.model for step in reversed(steps) if step.model), ""),
        changes=tuple(PreviewedChange(each.field, each.rule, each.before, each.after) for each in edits),
        refused=refused,
        said="" if refused else excerpt,
    )


def _excerpt(model: ModelTransform, ready: dict[str, Any], done: dict[str, Any]) -> str:
    """The model's last answer to a row without result, or the server's message."""
    if done[model.prefix + "edit"] not in ("reverted", "failed") or not model.keeps_answers:
        return ""
    answers = model.hear(as_columns([ready])).answers
    last = next((answer for answer in reversed(answers) if answer.text or answer.detail), Answer())
    return (last.detail or last.text)[:LONGEST]


def _words(model: ModelTransform, row: Mapping[str, Any]) -> int:
    return int(response_words(model.pairs(row, model.layout.view(row))[-1]))


def _latency(model: ModelTransform, asked: int, seconds: float) -> float | None:
    """About how long one answer takes, with as many on their way as the limits let out at first."""
    spec = model.spec()
    if not asked or spec.kind != "server":
        return None
    rounds, width = 0, min(spec.limits.start, spec.limits.concurrency)
    while asked > 0:
        rounds, asked, width = rounds + 1, asked - width, min(2 * width, spec.limits.concurrency)
    return seconds / rounds


def _estimate(
    model: ModelTransform,
    conversations: list[Conversation],
    answers: list[Answer],
    requests: int,
    seconds_per_request: float | None,
) -> Estimate:
    spec = model.spec()
    if not conversations:
        return Estimate(0, 0, 0, 0.0, spec.prices.currency if spec.prices else "", 0.0, "no rows", "no rows")
    return estimate(
        conversations,
        model.generation(),
        requests=requests,
        prices=spec.prices,
        answers=answers,
        seconds_per_request=seconds_per_request,
        limits=spec.limits,
    )
