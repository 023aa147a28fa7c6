"""Another shape for the same rows: any of those that hfclean reads, KTO's labels, or the text of a chat template.

Other columns are kept, and so are the other keys of messages where the shape has messages. What a shape cannot hold
is counted by name. The columns that hfclean added are left out.
"""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from hfclean.conversion.conversations import Thoughts, is_usual
from hfclean.conversion.forms import KTO, TEXT, maker_of
from hfclean.conversion.losses import Losses
from hfclean.conversion.plans import CONVERTING, Plan, Source, plans
from hfclean.conversion.rendered import read_rendered
from hfclean.conversion.several import LABEL
from hfclean.conversion.templates import template_of
from hfclean.conversion.texts import CannotHold
from hfclean.errors import RestoreError, SchemaError
from hfclean.layout import Layout
from hfclean.passes import Spool, column_batches, filled, folder_of, narrowed, stored_stream
from hfclean.processes import NumProc, by_batch
from hfclean.provenance import HISTORY, added_columns, parse_history
from hfclean.schema import (
    SHAPES,
    ChatView,
    Columns,
    FlatView,
    PreferenceView,
    RankedView,
    StepsView,
    detect,
    written_view,
)
from hfclean.selection.row_context import undecoded
from hfclean.transform import cached_elsewhere
from hfclean.values import exact_dataset

FORMS = (*SHAPES, KTO, TEXT)
CHOICES = ("preference", "ranked", KTO)  # forms with an answer that is better than another
RESPELLED = ("alpaca", "prompt_completion", "conversations", KTO, TEXT)  # forms that respell rows of their own shape


def convert(
    ds: Any,
    to: str,
    *,
    template: Any = None,
    thoughts: Thoughts = None,
    columns: Columns = None,
    prefix: str = "",
    losses: Losses | None = None,
    num_proc: NumProc = "auto",
) -> Any:
    """The dataset in another shape.

    Args:
        ds: a `Dataset` or `DatasetDict` of any shape that hfclean reads, or whose column `text` holds what a chat
            template wrote (Qwen and other ChatML, Llama 3, Gemma, DeepSeek, gpt-oss), with calls, tools and thoughts
            where the template has them. A streaming dataset is first read to its end, into the temporary folder of
            `datasets`.
        to: a shape by its name (`hfclean.schema.SHAPES`), `kto` or `text` (what a chat template writes).
            `messages` and `conversation` are lists of role and content with every other key that a message has,
            `conversations` the same as ShareGPT spells it. `prompt_completion`, `prompt_response`, `kto`,
            `preference` and `prompt_only` have texts, or lists of messages where some row has more than one question
            and one answer in plain text. `alpaca`, `dolly`, `question_answer`, `problem_answer`, `query_response` and
            `input_output` have texts alone, and the columns for system prompts, earlier turns, inputs, thoughts and
            truths that the shape has and some row needs. `verl` has prompts as messages, and the truth in
            `reward_model`: from its column, or else the final answer that a response states (in a box, or behind
            ####). `stepwise` needs a list of `labels`, one for each line of the answer. `preference`, `ranked` and
            `kto` are made of rows with several answers (chosen and rejected, or ranked), and of datasets that hfclean
            revised: there the revised response is the better one and the original the worse, and rows whose response
            no reviser changed are left out. `kto` also takes rows with a `label` that is true or false.
        template: for `text`: the name of a template that TRL has (`qwen3`, `llama3.1`, `gemma3`, `deepseekv3`,
            `gpt-oss`, and those that end in `_training`, which keep every thought), a `.jinja` file, a tokenizer, or
            the folder of one. It is rendered in a process of its own, bounded in time and memory; the token that
            begins a text is left to the tokenizer.
        thoughts: where what was thought before an answer stands afterwards, in whatever spelling it was: `content`
            (before the answer, as `<think>`) or `reasoning_content` (a key of the message). By default where and as
            it stands; before the answer where the form has texts alone.
        columns, prefix: as every transform takes them.
        losses: records what the form cannot hold, by name and number of rows: keys of messages where the form has
            plain strings, pictures and other typed parts, calls kept as text, columns that give way to new ones. A
            warning says the same where none is passed. `losses_of` tells it beforehand.
        num_proc: how many processes read and convert rows, as `hfclean.clean` takes it; the rows are the same.

    Raises:
        SchemaError: an unknown form, or rows that it cannot hold.
        RestoreError: `preference`, `ranked` or `kto` of rows with one answer each that hfclean did not revise.

    A truth goes where the form has it: `answer` beside a worked-out one, `reward_model`, else `ground_truth`.

    >>> from datasets import Dataset
    >>> ds = Dataset.from_list([{"problem": "What is 2 + 2?", "solution": "2 + 2 = 4.", "answer": "4"}])
    >>> convert(ds, "verl", losses=Losses())[0]["reward_model"]
    {'style': 'rule', 'ground_truth': '4'}
    >>> answer = {"role": "assistant", "content": "42", "reasoning_content": "7 * 6 = 42"}
    >>> ds = Dataset.from_list([{"messages": [{"role": "user", "content": "Seven times six?"}, answer]}])
    >>> convert(ds, "messages", thoughts="content")[0]["messages"][1]
    {'role': 'assistant', 'content': '<think>\\n7 * 6 = 42\\n</think>\\n\\n42'}
    """
    lost = Losses()
    how = {"template": template, "thoughts": thoughts, "columns": columns, "prefix": prefix, "num_proc": num_proc}
    converted = converted_as(ds, to, lost, **how)
    if losses is not None:
        losses.update(lost)
    else:
        warn_of(lost)
    return converted


def warn_of(lost: Losses) -> None:
    """Warn of what a conversion left out or respelled, if there is any."""
    if lost:
        warnings.warn("convert left out or respelled " + "; ".join(lost.notes()), UserWarning, stacklevel=3)


def losses_of(
    ds: Any,
    to: str,
    *,
    template: Any = None,
    thoughts: Thoughts = None,
    columns: Columns = None,
    prefix: str = "",
    num_proc: NumProc = "auto",
) -> Losses:
    """What `convert` would leave out or respell, by name and number of rows; nothing is made.

    Rows that the form cannot hold, for which `convert` raises, are counted as well, and `misfit` says why the
    first is one.

    Args:
        ds, to, template, thoughts, columns, prefix, num_proc: as for `convert`.

    Raises:
        SchemaError: an unknown form.
        RestoreError: `preference`, `ranked` or `kto` of rows with one answer each that hfclean did not revise.

    >>> from datasets import Dataset
    >>> ds = Dataset.from_list([{"instruction": "Add.", "input": "1, 2", "output": "3"}])
    >>> losses_of(ds, "messages").notes()
    ['inputs, now part of the question: 1 row']
    >>> losses_of(ds, "alpaca")
    Losses()
    """
    lost, ds = Losses(), stored_stream(ds)
    layout, write = _checked(to, thoughts, columns, prefix).settled(ds), _writer(to, template)
    parts = list(ds.values()) if isinstance(ds, Mapping) else [ds]
    sources = [_source(_read_back(part, layout, lost, num_proc), to, layout) for part in parts]
    for source, plan in _with_plans(sources, to, thoughts, write, num_proc):
        if plan is None:
            continue
        refused: list[str] = []
        names: dict[str, None] = {}
        rows = 0
        for _, new in _made(source, plan, lost, refused, num_proc):
            names.update(dict.fromkeys(new))
            rows += 1
        if refused:
            lost["rows that do not fit, so that nothing is converted"] += len(refused)
            lost.misfit = lost.misfit or refused[0]
        _count_columns(source, plan, names, rows, lost)
    return lost


def converted_as(
    ds: Any,
    to: str,
    lost: Losses,
    *,
    template: Any = None,
    thoughts: Thoughts = None,
    columns: Columns = None,
    prefix: str = "",
    num_proc: NumProc = "auto",
    revisions: bool = False,
) -> Any:
    """The same as `convert`; with `revisions`, answers to choose from are the revised and the original one, even
    where rows have several of their own."""
    layout, ds = _checked(to, thoughts, columns, prefix), stored_stream(ds)
    layout, write = layout.settled(ds), _writer(to, template)
    parts = dict(ds) if isinstance(ds, Mapping) else {None: ds}
    sources = [_source(_read_back(part, layout, lost, num_proc), to, layout, revisions) for part in parts.values()]
    new = [
        _converted(source, plan, lost, num_proc) if plan else source.plain.remove_columns(sorted(source.ours))
        for source, plan in _with_plans(sources, to, thoughts, write, num_proc)
    ]
    if not isinstance(ds, Mapping):
        return new[0]
    return type(ds)(dict(zip(parts, new, strict=True)))  # type: ignore[call-arg]


def _checked(to: str, thoughts: Thoughts, columns: Columns, prefix: str) -> Layout:
    if to not in FORMS:
        raise SchemaError(f"convert(to={to!r}): expected one of {', '.join(FORMS)}")
    expected = [name for each in get_args(Thoughts) for name in get_args(each)]
    if thoughts is not None and thoughts not in expected:
        raise SchemaError(f"convert(thoughts={thoughts!r}): expected {' or '.join(map(repr, expected))}")
    if _texts_alone(to) and thoughts == "reasoning_content":
        raise SchemaError(
            f"convert(to={to!r}, thoughts='reasoning_content'): such rows have texts alone; leave thoughts out, and "
            "they stand before the answers"
        ).with_flags(
            f"--to {to} --thoughts reasoning_content: such rows have texts alone; leave --thoughts out, and they "
            "stand before the answers"
        )
    return Layout(columns, prefix)


def _source(ds: Any, to: str, layout: Layout, revisions: bool = False) -> Source:
    ds = cached_elsewhere(ds.with_format(None))
    view = layout.view(ds.column_names)
    history, original = layout.own(HISTORY), layout.own("original")
    lines = ds.unique(history) if history in ds.column_names else []
    ours = {name for line in lines for name in added_columns(parse_history(line) or (), layout.prefix)}
    revised = original in ours
    if to in CHOICES and (revisions or not isinstance(view, (PreferenceView, RankedView))):
        if not revised and not (to == KTO and LABEL in ds.column_names):
            raise _nothing_to_choose(to)
        revisions = not (to == KTO and LABEL in ds.column_names)
        ds = ds.select(filled(ds, original)) if revisions else ds
    else:
        revisions = False
    return Source(ds, undecoded(ds), view, layout, frozenset(ours), revisions)


def _nothing_to_choose(to: str) -> RestoreError:
    labeled = f", nor a column {LABEL!r}" if to == KTO else ""
    said = (
        f"{to} rows are made of rows with several answers, or of revised and original responses; these rows have one "
        f"answer each{labeled}, and hfclean did not revise this dataset; revise it first:"
    )
    return RestoreError(f"{said} ds.map(hfclean.revise)").with_flags(f"{said} hfclean clean IN --out DIR")


def _stays(source: Source, to: str, thoughts: Thoughts) -> bool:
    """Whether the rows have the form already."""
    view = source.view
    if thoughts or source.revisions:
        return False
    if to == "messages":
        named = isinstance(view, ChatView) and view.messages == to and not view.system
        return named and _is_spelled(source.ds)
    return to not in RESPELLED and _shape_of(name for name in source.ds.column_names if name not in source.ours) == to


def _shape_of(names: Iterable[str]) -> str:
    """The shape of columns by their names alone; `""` where they have none, or two."""
    try:
        return detect(tuple(names)).shape
    except SchemaError:
        return ""


def _with_plans(
    sources: list[Source], to: str, thoughts: Thoughts, write: Any, num_proc: NumProc
) -> Iterator[tuple[Source, Plan | None]]:
    """Each split with the plan for it; None where its rows have the form already, as all have."""
    if all(_stays(source, to, thoughts) for source in sources):
        yield from ((source, None) for source in sources)
    else:
        yield from zip(sources, plans(sources, to, thoughts, write, num_proc), strict=True)


def _made(
    source: Source, plan: Plan, lost: Losses, refused: list[str], num_proc: NumProc
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows in the new form, with the number of the one they are made of; what that loses is counted, and why rows
    are refused told."""
    maker = maker_of(plan.shared)

    def make(batch: range) -> tuple[list[tuple[int, dict[str, Any]]], Losses, list[str]]:
        made, lost_here, refused_here = [], Losses(), list[str]()
        for k, row in zip(batch, source.rows(batch, source.ds.column_names), strict=True):
            left_out: set[str] = set()
            target = source.view.targets(row)[-1]
            try:
                new = list(maker(plan.shared, row, target, left_out))
                if plan.truth and new:
                    truth = {plan.truth.to: plan.truth.cell(row, target, left_out)}
                    new = [{**each, **truth} for each in new]
            except CannotHold as e:
                refused_here.append(str(e) if not refused_here else "")
                continue
            lost_here.update(left_out)
            made += [(k, each) for each in new]
        return made, lost_here, refused_here

    for made, lost_here, refused_here in by_batch(make, len(source.ds), CONVERTING, num_proc):
        lost.update(lost_here)
        refused += refused_here
        yield from made


def _count_columns(source: Source, plan: Plan, names: Iterable[str], rows: int, lost: Losses) -> None:
    """Count the columns that give way to new ones of their name, and rows that could be read in another way."""
    new, others = tuple(names), _others(source, plan, names)
    read = {*source.view.columns, *(each for each in (_truth_column(plan),) if each)}
    for name in source.ds.column_names:
        if name not in source.ours and name not in read and name in new:
            lost[f"column {name!r} gave way to the new one of that name"] += rows
    shape = {KTO: "prompt_completion"}.get(plan.shared.to, plan.shared.to)
    if rows and shape in SHAPES and _shape_of((*new, *others)) != shape:
        lost[f"other columns, beside which the shape has to be named where the rows are read: {shape}"] += rows


def _truth_column(plan: Plan) -> str | None:
    return plan.truth.column if plan.truth else None


def _others(source: Source, plan: Plan, new: Iterable[str]) -> list[str]:
    """The columns that come along as they are."""
    taken = {*source.ours, *source.view.columns, *new, _truth_column(plan)}
    return [name for name in source.ds.column_names if name not in taken]


def _texts_alone(to: str) -> bool:
    """Whether a form has no place for a thought beside its answer."""
    view = written_view(to, ("answer", "response", "reasoning")) if to in SHAPES else None
    return isinstance(view, (RankedView, StepsView)) or (isinstance(view, FlatView) and not view.thought)


def _writer(to: str, template: Any) -> Any:
    """What writes messages as one text; None for the other forms."""
    if (to == "text") != (template is not None):
        wrong = "template= is for to='text' alone" if template is not None else "to='text' needs template="
        raise SchemaError(f"convert(to={to!r}): {wrong}: a name such as 'qwen3', a .jinja file, or a tokenizer")
    return None if template is None else template_of(template).write


def _converted(source: Source, plan: Plan, lost: Losses, num_proc: NumProc) -> Any:
    """One split in another shape."""
    from datasets import concatenate_datasets

    ds, plain, to = source.ds, source.plain, plan.shared.to
    kept, refused = array("q"), list[str]()
    with Spool[dict[str, Any]](ds) as made:
        for k, new in _made(source, plan, lost, refused, num_proc):
            made.append(new)
            kept.append(k)
        if refused:
            raise SchemaError(f"convert(to={to!r}): {len(refused):,} of {len(ds):,} rows do not fit: {refused[0]}")
        if to in CHOICES and not kept:
            raise RestoreError(
                f"no row's response was revised, so there are no {to} pairs to write"
                if source.revisions
                else f"no row has two answers of different worth, so there are no {to} rows to write"
            )
        first: dict[str, Any] = next(iter(made), {})
        _count_columns(source, plan, first, len(kept), lost)
        converted = exact_dataset(made, folder_of(ds))
    others = _others(source, plan, first)
    if not others or not kept:
        return converted
    beside = plain if kept == array("q", range(len(ds))) else plain.select(kept)
    return concatenate_datasets([converted, beside.select_columns(others)], axis=1)


def _read_back(ds: Any, layout: Layout, lost: Losses, num_proc: NumProc) -> Any:
    """The rows with messages in place of the column `text`, where that holds what a chat template wrote, and no other
    column holds pairs. Texts that cannot be read are kept beside messages that are empty, and are counted."""
    from datasets import concatenate_datasets

    names = ds.column_names
    if layout.columns is not None or TEXT not in names or "messages" in names:
        return ds
    try:
        layout.view(names)
    except SchemaError as e:
        problem = e
    else:
        return ds
    ds, unread, tools = ds.with_format(None), 0, "tools" not in names

    def read(batch: range) -> list[dict[str, Any] | None]:
        texts = narrowed(ds, [TEXT])[batch.start : batch.stop][TEXT]
        found = [read_rendered(text) if isinstance(text, str) else None for text in texts]
        return [known and {"messages": known.messages, **({"tools": known.tools} if tools else {})} for known in found]

    with Spool[dict[str, Any]](ds) as made:
        for rows in by_batch(read, len(ds), CONVERTING, num_proc):
            unread += rows.count(None)
            for row in rows:
                made.append(row or {"messages": [], **({"tools": None} if tools else {})})
        if unread == len(made):
            raise SchemaError(f"{problem}. No row's text is what a known chat template writes") from None
        converted = exact_dataset(made, folder_of(ds))
    if tools and str(getattr(converted.features["tools"], "dtype", "")) == "null":
        converted = converted.remove_columns("tools")
    if unread:
        lost["texts that no known chat template wrote, kept in the column 'text' beside no messages"] += unread
    others = [name for name in names if name != TEXT or unread]
    return concatenate_datasets([converted, ds.select_columns(others)], axis=1) if others else converted


def _is_spelled(ds: Any) -> bool:
    """Whether every conversation of the column messages is a list of messages with a usual role, and a content."""
    cells = (cell for batch in column_batches(ds, ["messages"]) for cell in batch["messages"])
    return all(cell is None or (isinstance(cell, list) and all(map(is_usual, cell))) for cell in cells)
