"""Rows into files: one for each split, whole or not at all."""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, emit
from hfclean.durable import new_file
from hfclean.errors import FolderError
from hfclean.values import decoded, has_json, has_media, loaded

__all__ = ["check_file", "tell_files", "write_files"]

BATCH_ROWS = 1000
# What a spreadsheet reads as a formula: how such a cell begins, and what begins so and is a mere number. For Arrow.
FORMULA = r"^[=+\-@\t\r\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"
NUMBER = r"^[+-]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?\s?%?$"
SUFFIXES = (".jsonl", ".parquet", ".csv")


def check_file(name: str) -> Path:
    """`--out` where rows go into a file.

    Raises:
        UsageError: no file of a kind that can be written.
    """
    target = Path(name).expanduser()
    if target.suffix not in SUFFIXES:
        raise UsageError(f"--out {target.name!r}: wanted a file that ends in {', '.join(SUFFIXES)}")
    return target


def write_files(
    made: Mapping[str, Any], name: str, *, overwrite: bool, escape: bool = False, err: TextIO | None = None
) -> dict[str, int]:
    """Write every split into a file, named after it where there are several; the rows of each by its name.

    Args:
        made: the splits.
        name: of the file.
        overwrite: whether files that are there are replaced.
        escape: whether cells of a CSV file that a spreadsheet would run get an apostrophe in front.
        err: where it is noted that there are some and `escape` is off.

    Raises:
        FolderError: a file is there already, and `overwrite` is off.
    """
    target = check_file(name)
    files = {s: target if len(made) == 1 else target.with_stem(f"{target.stem}-{s}") for s in made}
    for file in files.values():
        if file.exists() and not overwrite:
            raise FolderError(f"the file {file.name!r} is there already; name another, or replace it with --overwrite")
    for part in made.values():
        media = [name for name, feature in part.features.items() if has_media(feature)]
        if media and target.suffix != ".parquet":
            raise FolderError(
                f"the column {media[0]!r} holds pictures or sound, which {target.suffix} cannot hold; choose a "
                ".parquet file"
            )
    written = {}
    for split, part in made.items():
        with new_file(files[split]) as partial:
            if target.suffix == ".jsonl":
                _json_lines(part.with_format(None), partial)
            else:
                part = decoded(part) if target.suffix == ".parquet" else _as_text(part.with_format(None))
                if target.suffix == ".csv":
                    part = _without_formulas(part, escape, err)
                    # the writer below puts no quotes around a lone carriage return, and readers end a row there
                    part.to_csv(
                        str(partial), quoting=csv.QUOTE_NONNUMERIC if _has_returns(part) else csv.QUOTE_MINIMAL
                    )
                else:
                    part.to_parquet(str(partial))
        written[str(files[split])] = len(part)
    return written


def _without_formulas(part: Any, escape: bool, err: TextIO | None) -> Any:
    """The rows with an apostrophe before every text that a spreadsheet would run as a formula, or as they are, with a
    note that counts them."""
    from datasets import Value

    names = [n for n, f in part.features.items() if isinstance(f, Value) and f.dtype in ("string", "large_string")]
    headed = {name: f"'{name}" for name in part.column_names if _is_formula(name)}
    count = len(headed)
    for batch in part.with_format("arrow").iter(BATCH_ROWS):
        count += sum(_formulas(batch.column(name)).true_count for name in names)
    if not count:
        return part
    if escape:
        rows = part.with_format("arrow").map(
            _escaped, batched=True, batch_size=BATCH_ROWS, fn_kwargs={"names": names}, load_from_cache_file=False
        )
        return rows.with_format(None).rename_columns(headed)
    if err is not None:
        print(
            f"note: {count:,} cells begin as a formula does (=, +, -, @, a tab), and a spreadsheet may run them; "
            "--escape-formulas puts an apostrophe before each, which stays when the file is read again",
            file=err,
        )
    return part


def _has_returns(part: Any) -> bool:
    import pyarrow.compute as pc

    names = [name for name, feature in part.features.items() if getattr(feature, "dtype", "") == "string"]
    return any(
        pc.any(pc.match_substring(batch.column(name), "\r")).as_py()
        for batch in part.with_format("arrow").iter(BATCH_ROWS)
        for name in names
    )


def _formulas(column: Any) -> Any:
    """Which texts of an Arrow column a spreadsheet would run, as an array of booleans without null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    begins = pc.and_not(pc.match_substring_regex(column, FORMULA), pc.match_substring_regex(column, NUMBER))
    found = pc.fill_null(begins, False)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _is_formula(text: str) -> bool:
    import pyarrow as pa

    return bool(_formulas(pa.array([text]))[0].as_py())


def _escaped(table: Any, names: list[str]) -> Any:
    import pyarrow.compute as pc

    for name in names:
        column = table.column(name)
        with_mark = pc.binary_join_element_wise("'", column, "").cast(column.type)
        table = table.set_column(
            table.schema.get_field_index(name), name, pc.if_else(_formulas(column), with_mark, column)
        )
    return table


def _json_lines(part: Any, file: Path) -> None:
    """JSON lines in which every number has all its digits; `to_json` of pandas rounds them."""
    if not all(map(_is_json, part.features.values())):
        part.to_json(str(file), force_ascii=False)
        return
    stored = [name for name, feature in part.features.items() if has_json(feature)]
    with file.open("w", encoding="utf-8", newline="\n") as f:
        for batch in part.with_format("arrow").iter(BATCH_ROWS):
            for row in batch.to_pylist():
                row |= {name: loaded(row[name], part.features[name]) for name in stored}
                f.write(_line(row) + "\n")


def _line(row: Any) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(row), ensure_ascii=False)


def _finite(value: Any) -> Any:
    """The value with null in the place of nan and infinity, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def _is_json(feature: Any) -> bool:
    """Whether JSON has this type as Arrow hands it out."""
    from datasets import Json, Value

    if isinstance(feature, Mapping):
        return all(map(_is_json, feature.values()))
    if hasattr(feature, "feature"):
        return _is_json(feature.feature)
    if isinstance(feature, Value):
        return feature.dtype in ("string", "large_string", "bool", "float64", "null") or "int" in feature.dtype
    return isinstance(feature, Json)


def _as_text(part: Any) -> Any:
    """The rows for a CSV file: cells of several types as their text, strings among them without quotes."""
    from datasets import Json, Value

    names = [name for name, feature in part.features.items() if isinstance(feature, Json)]
    for name in names:
        cells = [loaded(cell, Json()) for cell in part.with_format("arrow")[:][name].to_pylist()]
        told = [
            cell if cell is None or isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells
        ]
        order = part.column_names
        part = part.remove_columns(name).add_column(name, told, feature=Value("string")).select_columns(order)
    return part


def tell_files(args: argparse.Namespace, out: TextIO, written: Mapping[str, int]) -> None:
    """Print what `write_files` wrote."""
    if args.json:
        emit({"files": dict(written)}, out)
    else:
        for name, count in written.items():
            print(f"{name}  {count:,} rows", file=out)
