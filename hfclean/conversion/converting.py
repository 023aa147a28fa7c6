"""Another shape for the same rows: messages, ShareGPT's conversations, prompt and completion, Alpaca columns, or pairs
of chosen = revised and rejected = original.

Other columns are kept, and so are the other keys of messages where the shape has messages. What a shape cannot hold
is counted by name. The columns that hfclean added are left out.
"""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from hfclean.conversion.conversations import Shared, Thoughts, is_usual
from hfclean.conversion.forms import MAKERS, CannotHold, is_rich
from hfclean.conversion.losses import Losses
from hfclean.conversion.rendered import read_rendered
from hfclean.conversion.templates import template_of
from hfclean.errors import RestoreError, SchemaError
from hfclean.layout import Layout
from hfclean.passes import RELEASED, Spool, column_batches, filled, folder_of, release, rows_of, stored_stream
from hfclean.processes import BATCH, NumProc, by_batch
from hfclean.provenance import HISTORY, added_columns, parse_history
from hfclean.schema import ChatView, Columns, View
from hfclean.selection.row_context import undecoded
from hfclean.transform import cached_elsewhere
from hfclean.values import exact_dataset

FORMS = tuple(MAKERS)
TEXT = "text"  # the column that may hold what a chat template wrote
LABEL = "converting"


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
        to: `messages` (role, content, and every other key that a message has), `conversations` (the same as ShareGPT
            spells it: from, value), `prompt_completion` (strings; lists of messages where some row has more than one
            question and one answer in plain text), `alpaca` (instruction, input, output; system and history where
            some row has them), `preference` (prompt, chosen = the revised response, rejected = the original one; only
            rows whose response a reviser changed), or `text` (what a chat template writes).
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
        RestoreError: `preference` of a dataset that hfclean did not revise.

    >>> from datasets import Dataset
    >>> answer = {"role": "assistant", "content": "42", "reasoning_content": "7 * 6 = 42"}
    >>> ds = Dataset.from_list([{"messages": [{"role": "user", "content": "Seven times six?"}, answer]}])
    >>> convert(ds, "messages", thoughts="content")[0]["messages"][1]
    {'role': 'assistant', 'content': '<think>\\n7 * 6 = 42\\n</think>\\n\\n42'}
    """
    layout, lost, ds = _checked(to, thoughts, columns, prefix), Losses(), stored_stream(ds)
    write = _writer(to, template)
    if isinstance(ds, Mapping):
        converted = type(ds)(  # type: ignore[call-arg]
            {name: _converted(part, to, layout, thoughts, lost, write, num_proc) for name, part in ds.items()}
        )
    else:
        converted = _converted(ds, to, layout, thoughts, lost, write, num_proc)
    if losses is not None:
        losses.update(lost)
    elif lost:
        warnings.warn("convert left out or respelled " + "; ".join(lost.notes()), UserWarning, stacklevel=2)
    return converted


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

    Rows that the form cannot hold, for which `convert` raises, are counted as well.

    Args:
        ds, to, template, thoughts, columns, prefix, num_proc: as for `convert`.

    Raises:
        SchemaError: an unknown form.
        RestoreError: `preference` of a dataset that hfclean did not revise.

    >>> from datasets import Dataset
    >>> ds = Dataset.from_list([{"instruction": "Add.", "input": "1, 2", "output": "3"}])
    >>> losses_of(ds, "messages").notes()
    ['inputs, now part of the question: 1 row']
    >>> losses_of(ds, "alpaca")
    Losses()
    """
    layout, lost, ds = _checked(to, thoughts, columns, prefix), Losses(), stored_stream(ds)
    write = _writer(to, template)
    for part in ds.values() if isinstance(ds, Mapping) else (ds,):
        source = _Source.of(_read_back(part, layout, lost, num_proc), to, layout)
        if source.stays(to, thoughts):
            continue
        refused: list[str] = []
        names: set[str] = set()
        for _, new in source.made(to, thoughts, lost, refused, write, num_proc):
            names.update(new)
        if refused:
            lost["rows that do not fit, so that nothing is converted"] += len(refused)
        source.count_columns(names, len(source.ds), lost)
    return lost


def _checked(to: str, thoughts: Thoughts, columns: Columns, prefix: str) -> Layout:
    if to not in FORMS:
        raise SchemaError(f"convert(to={to!r}): expected one of {', '.join(FORMS)}")
    expected = [name for each in get_args(Thoughts) for name in get_args(each)]
    if thoughts is not None and thoughts not in expected:
        raise SchemaError(f"convert(thoughts={thoughts!r}): expected {' or '.join(map(repr, expected))}")
    if to == "alpaca" and thoughts == "reasoning_content":
        raise SchemaError(
            "convert(to='alpaca', thoughts='reasoning_content'): Alpaca rows have texts alone; leave thoughts "
            "out, and they stand before the answers"
        )
    return Layout(columns, prefix)


@dataclass(frozen=True)
class _Source:
    """One split that is converted: with and without decoded pictures, how it is read, which columns are ours."""

    plain: Any
    ds: Any
    view: View
    layout: Layout
    ours: frozenset[str]

    @classmethod
    def of(cls, ds: Any, to: str, layout: Layout) -> _Source:
        ds = cached_elsewhere(ds.with_format(None))
        view = layout.view(ds.column_names)
        history, original = layout.own(HISTORY), layout.own("original")
        lines = ds.unique(history) if history in ds.column_names else []
        ours = {name for line in lines for name in added_columns(parse_history(line) or (), layout.prefix)}
        if to == "preference":
            if original not in ours:
                raise RestoreError(
                    "preference pairs are made of revised and original responses, and hfclean did not revise this "
                    "dataset; revise it first: ds.map(hfclean.revise)"
                )
            ds = ds.select(filled(ds, original))
        return cls(ds, undecoded(ds), view, layout, frozenset(ours))

    def stays(self, to: str, thoughts: Thoughts) -> bool:
        """Whether the rows have the form already."""
        if thoughts or not isinstance(self.view, ChatView):
            return False
        return to == "messages" == self.view.messages and not self.view.system and _is_spelled(self.ds)

    def made(
        self, to: str, thoughts: Thoughts, lost: Losses, refused: list[str], write: Any, num_proc: NumProc
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each row in the new form, with its number; what it loses is counted, and why rows are refused told."""
        shared = Shared(self.view, self.layout, thoughts, write=write)

        def holds_more(batch: range) -> bool:
            return any(is_rich(shared, row, to) for row in self._rows(batch, self.view.columns))

        if any(by_batch(holds_more, len(self.ds), LABEL, num_proc)):
            shared = replace(shared, rich=True)

        def make(batch: range) -> tuple[list[tuple[int, dict[str, Any]]], Losses, list[str]]:
            made, lost_here, refused_here = [], Losses(), list[str]()
            for k, row in zip(batch, self._rows(batch, self.ds.column_names), strict=True):
                left_out: set[str] = set()
                try:
                    new = MAKERS[to](shared, row, self.view.targets(row)[-1], left_out)
                except CannotHold as e:
                    refused_here.append(str(e) if not refused_here else "")
                    continue
                lost_here.update(left_out)
                if new is not None:
                    made.append((k, new))
            return made, lost_here, refused_here

        for made, lost_here, refused_here in by_batch(make, len(self.ds), LABEL, num_proc):
            lost.update(lost_here)
            refused += refused_here
            yield from made

    def _rows(self, batch: range, columns: Sequence[str]) -> list[dict[str, Any]]:
        present = [name for name in dict.fromkeys(columns) if name in self.ds.column_names]
        cells = self.ds.select_columns(present)[batch.start : batch.stop]
        if batch.start % (RELEASED * BATCH) == 0:
            release(self.ds)
        return rows_of(cells, present)

    def count_columns(self, names: set[str] | Mapping[str, Any], rows: int, lost: Losses) -> None:
        """Count the columns that give way to new ones of their name."""
        for name in self.ds.column_names:
            if name not in self.ours and name not in self.view.columns and name in names:
                lost[f"column {name!r} gave way to the new one of that name"] += rows


def _writer(to: str, template: Any) -> Any:
    """What writes messages as one text; None for the other forms."""
    if (to == "text") != (template is not None):
        wrong = "template= is for to='text' alone" if template is not None else "to='text' needs template="
        raise SchemaError(f"convert(to={to!r}): {wrong}: a name such as 'qwen3', a .jinja file, or a tokenizer")
    return None if template is None else template_of(template).write


def _converted(
    ds: Any, to: str, layout: Layout, thoughts: Thoughts, lost: Losses, write: Any, num_proc: NumProc
) -> Any:
    """One split in another shape."""
    from datasets import concatenate_datasets

    source = _Source.of(_read_back(ds, layout, lost, num_proc), to, layout)
    ds, plain, view = source.ds, source.plain, source.view
    if source.stays(to, thoughts):
        return plain.remove_columns([name for name in ds.column_names if name in source.ours])
    kept, refused = array("q"), list[str]()
    with Spool[dict[str, Any]](ds) as made:
        for k, new in source.made(to, thoughts, lost, refused, write, num_proc):
            made.append(new)
            kept.append(k)
        if refused:
            raise SchemaError(f"convert(to={to!r}): {len(refused):,} of {len(ds):,} rows do not fit: {refused[0]}")
        if to == "preference" and not kept:
            raise RestoreError("no row's response was revised, so there are no pairs of chosen and rejected to write")
        first: dict[str, Any] = next(iter(made), {})
        taken = {*source.ours, *view.columns, *first}
        others = [name for name in ds.column_names if name not in taken]
        source.count_columns(first, len(kept), lost)
        converted = exact_dataset(made, folder_of(ds))
    beside = plain if len(kept) == len(ds) else plain.select(kept)
    return concatenate_datasets([converted, beside.select_columns(others)], axis=1) if others and kept else converted


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
        texts = ds.select_columns([TEXT])[batch.start : batch.stop][TEXT]
        found = [read_rendered(text) if isinstance(text, str) else None for text in texts]
        return [known and {"messages": known.messages, **({"tools": known.tools} if tools else {})} for known in found]

    with Spool[dict[str, Any]](ds) as made:
        for rows in by_batch(read, len(ds), LABEL, num_proc):
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
