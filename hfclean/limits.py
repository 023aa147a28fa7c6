"""How much is read of a file that somebody else may have written, and from where."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hfclean.errors import FolderError, SourceError

LARGEST_JSON = 50_000_000  # bytes
# what is compressed may become this many bytes, or this many times its size where that is more: rows of text hardly
# ever shrink to a fiftieth, and what is made to fill a disk shrinks to a thousandth
UNPACKED_BYTES = 1 << 32
UNPACKED_TIMES = 200
AT_ONCE, MOST_ROWS = 1 << 30, 1000  # bytes and rows of parquet that are unpacked together
# characters of instruction, input and response together, some two million tokens; rules and scores take 1.5 seconds
# and 55 MB for each million
LONGEST_PAIR = 10_000_000


# levels of lists and objects in one row of a file; what works on rows goes down level by level
DEEPEST_ROW = 200


def nested_deeply(value: Any, text: bytes | str) -> bool:
    """Whether JSON has more than `DEEPEST_ROW` levels; a look at the `text` that it was read from mostly does."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    if data.count(b"[") + data.count(b"{") <= DEEPEST_ROW:
        return False
    level: list[Any] = [value]
    for _ in range(DEEPEST_ROW + 1):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True


class TooLong(ValueError):
    """A row's text is longer than is read."""


def too_long(*texts: str) -> TooLong | None:
    """Why these texts of a pair are not read together; None where they are."""
    length = sum(map(len, texts))
    return TooLong(f"{length:,} characters; at most {LONGEST_PAIR:,} are read") if length > LONGEST_PAIR else None


def read_json(file: Path, most: int = LARGEST_JSON) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than `most` bytes, not UTF-8, not JSON, or nested too deeply.
    """
    with file.open("rb") as f:
        content = f.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes, and no file of its kind does")
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError as e:
        raise ValueError("it is nested deeper than anything that hfclean writes") from e


def check_inside(folder: Path, files: Iterable[Path]) -> None:
    """Refuse files of a folder that are links to somewhere else: a `git clone` or an archive may name any file of this
    machine, to have it read, shown in a card and published.

    A folder in the cache of the Hub, whose files are links to the blobs of the same repo, is inside.

    Raises:
        FolderError: it names the first such file.
    """
    whole = folder.resolve()
    blobs = [place.parent.parent / "blobs" for place in (whole, *whole.parents) if place.parent.name == "snapshots"]
    for file in files:
        target = file.resolve()
        if not any(target.is_relative_to(place) for place in (whole, *blobs)):
            name = file.relative_to(folder) if file.is_relative_to(folder) else file.name
            raise FolderError(
                f"{str(name)!r} in {whole.name!r} is a link to a file outside of that folder ({str(target)!r}), which "
                "is not read as part of it; if that file is meant, put a copy in the folder, or give it by its name"
            )


def most_unpacked(size: int) -> int:
    """How many bytes something compressed of this size may become."""
    return max(UNPACKED_BYTES, UNPACKED_TIMES * size)


def check_unpacked(files: Iterable[Path]) -> None:
    """Stop at parquet files that unpack to more than rows of text would, before they fill the disk.

    A footer may lie, and a file may repeat one long value a million times: the rows are read in small parts.

    Raises:
        SourceError: it names the file.
    """
    import pyarrow as pa

    for path in files:
        most = most_unpacked(path.stat().st_size)
        try:
            fits = _fits(path, most)
        except (pa.ArrowException, OSError) as e:
            if isinstance(e, OSError) and e.errno is not None:  # of the disk
                raise
            raise SourceError(
                f"{path.name!r} cannot be read as parquet: {str(e)[:200].rstrip('.')}; fetch it again, or give "
                "it the suffix of what it holds"
            ) from e
        if not fits:
            raise SourceError(
                f"{path.name!r} unpacks to more than {most:,} bytes, more than {UNPACKED_TIMES} times its size: rows "
                "of text do not shrink like that. If it is meant to, write its rows to a .jsonl file first"
            )


def _fits(path: Path, most: int) -> bool:
    import pyarrow.parquet as pq

    size = 0
    with pq.ParquetFile(path) as file:
        groups, stated = _row_groups(file)
        if stated > most:
            return False
        chunks = [group.column(k).total_uncompressed_size for group in groups for k in range(group.num_columns)]
        rows = max(1, min(MOST_ROWS, AT_ONCE // max([1, *chunks])))
        for batch in file.iter_batches(batch_size=rows, use_threads=False):
            size += batch.nbytes
            if size > most:
                return False
    return True


def _row_groups(file: Any) -> tuple[list[Any], int]:
    """What the footer of an open `ParquetFile` says of its row groups, and the bytes they unpack to together."""
    groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
    return groups, sum(max(group.total_byte_size, 0) for group in groups)


def check_parquet(file: Any, *, most_bytes: int, most_values: int) -> None:
    """Stop at an open `ParquetFile` whose own footer says that it unpacks to more than anybody reads at once.

    A small file may hold one value a billion times. What is read is bounded by the numbers of values and bytes that
    the footer states; a reader that finds others stops at them.

    Raises:
        ValueError: says how much it is.
    """
    groups, size = _row_groups(file)
    values = sum(max(group.column(k).num_values, 0) for group in groups for k in range(group.num_columns))
    if size > most_bytes or values > most_values:
        raise ValueError(
            f"it unpacks to {values:,} values and {size:,} bytes; at most {most_values:,} and {most_bytes:,} are read"
        )
