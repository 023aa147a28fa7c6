"""Rows into files: one for each split, whole or not at all."""

from __future__ import annotations

import argparse
import csv
import gc
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hfclean.cli.reading import UsageError, opened, tell, tokenizer_of
from hfclean.durable import new_file
from hfclean.errors import FolderError
from hfclean.layout import Layout
from hfclean.passes import ReleasingFile
from hfclean.values import decoded, has_json, has_media, loaded

if TYPE_CHECKING:
    from hfclean.cleaned import Cleaned
    from hfclean.processes import NumProc

BATCH_ROWS = 1000
# What a spreadsheet runs as a formula: how such a cell begins, and what begins so and is a mere number.
FORMULA = re.compile("[=+\\-@\\t\\r\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?\s?%?")
SUFFIXES = (".jsonl", ".parquet", ".csv")


def check_file(args: argparse.Namespace) -> None:
    """Refuse an `--out` for rows, if one is given, of a kind that cannot be written.

    Raises:
        UsageError: another kind of file, or `--escape-formulas` for one that has none.
    """
    name = Path(args.out or "").name
    if args.out and Path(name).suffix not in SUFFIXES:
        raise UsageError(f"--out {name!r}: expected a file that ends in {', '.join(SUFFIXES)}")
    if args.escape_formulas and Path(name).suffix != ".csv":
        raise UsageError(f"--escape-formulas is for .csv files, and --out is {args.out!r}: leave it out")


def write_files(splits: Mapping[str, Any], args: argparse.Namespace, err: TextIO) -> dict[str, int]:
    """Write every split into a file, named after it where there are several; the rows of each by its name.

    In a CSV file, cells that a spreadsheet would run as a formula get an apostrophe with `--escape-formulas`, and are
    counted on `err` without.

    Raises:
        FolderError: a file exists, without `--overwrite`.
    """
    target = Path(args.out).expanduser()
    files = {s: target if len(splits) == 1 else target.with_stem(f"{target.stem}-{s}") for s in splits}
    for file in files.values():
        if file.exists() and not args.overwrite:
            raise FolderError(f"the file {file.name!r} already exists; name another, or replace it with --overwrite")
    for part in splits.values():
        media = [name for name, feature in part.features.items() if has_media(feature)]
        if media and target.suffix != ".parquet":
            raise FolderError(
                f"the column {media[0]!r} holds pictures or sound, which {target.suffix} cannot hold; choose a "
                ".parquet file"
            )
    written = {}
    for split, part in splits.items():
        with new_file(files[split]) as partial:
            if target.suffix == ".parquet":
                with ReleasingFile(partial, part) as f:
                    decoded(part).to_parquet(f)
            elif target.suffix == ".jsonl":
                _json_lines(part, partial, target.name, vars(args).get("num_proc", 1))
            else:
                formulas = _csv(part, partial, target.name, escape=args.escape_formulas)
                if formulas and not args.escape_formulas:
                    print(
                        f"note: {formulas:,} cells begin as a formula does (=, +, -, @, a tab), and a spreadsheet may "
                        "run them; --escape-formulas puts an apostrophe before each, which stays when the file is "
                        "read again",
                        file=err,
                    )
        written[str(files[split])] = len(part)
    return written


def _json_lines(part: Any, file: Path, name: str, num_proc: NumProc) -> None:
    """JSON lines in which every number has all its digits; `to_json` of pandas rounds them."""
    from hfclean.processes import by_batch

    read = _reader(part)

    def lines(batch: range) -> str:
        return "".join(_line(row, name) + "\n" for row in read(batch))

    with file.open("w", encoding="utf-8", newline="\n") as f:
        f.writelines(by_batch(lines, len(part), "writing", num_proc))


def _csv(part: Any, file: Path, name: str, *, escape: bool) -> int:
    """A CSV file: strings as they stand, whole numbers as such beside blank cells, lists and objects as JSON; returns
    how many cells a spreadsheet would run as a formula."""
    formulas = 0
    with file.open("w", encoding="utf-8", newline="") as f:
        plain = csv.writer(f, lineterminator="\n")
        quoted = csv.writer(f, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        for cells in _table(part, name):
            run = [
                isinstance(cell, str) and bool(FORMULA.match(cell) and not NUMBER.fullmatch(cell)) for cell in cells
            ]
            formulas += sum(run)
            if escape and any(run):
                cells = [f"'{cell}" if runs else cell for cell, runs in zip(cells, run, strict=True)]
            # a lone carriage return gets no quotes by itself, and readers end a row there
            returns = any(isinstance(cell, str) and "\r" in cell for cell in cells)
            (quoted if returns else plain).writerow(cells)
    return formulas


def _table(part: Any, name: str) -> Iterator[list[Any]]:
    """The cells of a CSV file, its header first."""
    yield list(part.column_names)
    read = _reader(part)
    for start in range(0, len(part), BATCH_ROWS):
        for row in read(range(start, min(start + BATCH_ROWS, len(part)))):
            yield [_cell(value, name) for value in row.values()]


def _reader(part: Any) -> Callable[[range], Iterator[dict[str, Any]]]:
    """Reads rows as they are stored: neither rounded by the reader of `Json()` nor made into arrays."""
    stored = {name: feature for name, feature in part.features.items() if has_json(feature)}
    tables = part.with_format("arrow")

    def read(batch: range) -> Iterator[dict[str, Any]]:
        for row in tables[batch.start : batch.stop].to_pylist():
            yield row | {name: loaded(row[name], feature) for name, feature in stored.items()}

    return read


def _cell(value: Any, name: str) -> Any:
    if isinstance(value, (list, dict)):
        return _line(value, name)
    return value if value is None or isinstance(value, (str, int, float)) else _spelled_out(value, name)


def _line(value: Any, name: str) -> str:
    def other(part: Any) -> str:
        return _spelled_out(part, name)

    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=other)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=other)


def _spelled_out(value: Any, name: str) -> str:
    """What JSON and CSV have no type for, as text.

    Raises:
        FolderError: bytes that are not text.
    """
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as e:
            raise FolderError(
                f"{name!r}: a cell holds {len(value):,} bytes that are not text, which this file cannot hold; choose "
                "a .parquet file"
            ) from e
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _finite(value: Any) -> Any:
    """The value with null in the place of nan and infinity, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def tell_files(
    args: argparse.Namespace, out: TextIO, written: Mapping[str, int], losses: Mapping[str, int] | None = None
) -> None:
    """Print what `write_files` wrote, and for machines what was left out on the way."""
    data = {"files": dict(written)} | ({} if losses is None else {"losses": dict(sorted(losses.items()))})
    tell(args, out, lambda: data, lambda: "\n".join(f"{name}  {count:,} rows" for name, count in written.items()))


def write_cleaned(
    args: argparse.Namespace,
    out: TextIO,
    err: TextIO,
    *,
    reviser: Any = None,
    extra: tuple[Any, ...] = (),
    scorers: Sequence[Any] = (),
    score: Any = True,
) -> Cleaned:
    """Read what the options name, clean it, and write the folder; returns what was written."""
    from hfclean.cleaned import Origin
    from hfclean.cleaning import clean
    from hfclean.kept_parts import KeptParts

    check_out(args)
    tokenizer = tokenizer_of(args.tokenizer)
    with KeptParts() as kept_parts, opened(args, err, args.out) as (source, layout):
        gc.freeze()  # what was imported stays: it need not be searched for garbage over and over
        cleaned = clean(
            source.dataset,
            reviser=reviser,
            score=score,
            scorers=scorers,
            drop_duplicates=getattr(args, "drop_duplicates", False),
            show=not args.quiet,
            strict=getattr(args, "strict", False),
            num_proc=args.num_proc,
            kept_parts=kept_parts,
        )
        own = Layout(layout.columns, layout.prefix)
        cleaned = replace(cleaned, origin=Origin(source.dataset, source, own, extra=extra))
        save_and_tell(args, out, cleaned, tokenizer)
    return cleaned


def check_out(args: argparse.Namespace) -> Path:
    """The folder to write, before any work is done.

    Raises:
        UsageError: none is named.
        FolderError: see `check_target`.
    """
    from hfclean.folder import check_target
    from hfclean.source import local_paths

    if not args.out:
        raise UsageError("--out DIR is missing: the folder to write")
    target = Path(args.out).expanduser()
    check_target(target, overwrite=args.overwrite)
    for path in local_paths(args.source):
        check_target(target, overwrite=args.overwrite, source=path)
    return target


def save_and_tell(args: argparse.Namespace, out: TextIO, cleaned: Cleaned, tokenizer: Any) -> None:
    """Write the folder, and say what is in it.

    Raises:
        BackendError: the models that were asked gave nothing; the folder is written all the same.
    """
    from hfclean.cli.render_models import describe_refusals
    from hfclean.cli.terminal import columns_wide

    target = Path(args.out).expanduser()
    report = cleaned.save(
        target,
        overwrite=args.overwrite,
        license=args.license,
        language=args.language,
        source_id=args.source_id,
        tokenizer=tokenizer,
        max_tokens=args.max_tokens,
    )
    data = {"out": str(target), "transforms": list(cleaned.transforms), "report": report.to_dict(edits=False)}
    parts = [report.summary(columns_wide()), describe_refusals(report), f"{target}/report.html  what changed and why"]
    use = f"{target}  the dataset: load_dataset({str(target)!r})"
    tell(args, out, lambda: data, lambda: "\n\n".join(filter(None, parts)) + f"\n{use}")
    tell_failures(cleaned, target, out)


def tell_failures(cleaned: Any, target: Path, out: TextIO) -> None:
    """End a run whose models gave nothing, once its rows have been written.

    Raises:
        BackendError: nothing came.
    """
    if cleaned.failures:
        from hfclean.models import BackendError

        out.flush()
        raise BackendError(
            f"{'; '.join(cleaned.failures)}. {target} was written with these rows as they were, and every answer is "
            f"kept. Look at the model and at what it says (hfclean why {target} 0; --preview), then ask again: "
            f"hfclean revise {target} --retry-failed"
        )
