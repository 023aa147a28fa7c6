"""A part: one shard of a dataset, cleaned as far as that goes without the other shards. `merging` does the rest.

    PART/before/<split>.arrow    the rows of the shard as they were
    PART/after/<split>.arrow     the same rows, revised and scored
    PART/known/<split>.arrow     for speed alone, what the rules' pass knew of the rows before
    PART/near/<split>.arrow      where it was asked for, hashes of the rows for `near_duplicates`
    PART/refused.arrow           revisions that the gate refused, where it did
    PART/hfclean.json            which shard of what, the settings, and the SHA-256 of each file

The files are Arrow streams, so that every type is what it was. A part is written whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hfclean.cleaned import Origin
from hfclean.cleaning import RowByRow, row_by_row
from hfclean.cleaning.asked import refused_of
from hfclean.cleaning.marks import unique_ids
from hfclean.durable import new_folder
from hfclean.errors import HfcleanError
from hfclean.folder import check_place, check_splits, check_target
from hfclean.kept_parts import KeptParts
from hfclean.layout import Layout
from hfclean.ownership import claim, file_hash
from hfclean.passes import BATCH, RELEASED, narrowed, release
from hfclean.processes import NumProc
from hfclean.records.common import ABOUT, record_text
from hfclean.records.part import MOST_SHARDS, AboutPart
from hfclean.reviser import revise as rules_reviser
from hfclean.selection.bands import NGRAM, bands_schema, row_bands, stored_bands
from hfclean.selection.duplicates import check_settings
from hfclean.source import Source
from hfclean.transform import Transform
from hfclean.version import __version__

SHARD = re.compile(r"(-?[0-9]{1,20})/([0-9]{1,20})")
COMMIT = re.compile(r"[0-9a-f]{40}")
COMPRESSION = "zstd"


@dataclass(frozen=True)
class Shard:
    """Which rows of a dataset: of each split the `number`-th of `count` pieces of equal size, from 1.

    Raises:
        HfcleanError: there is no such shard.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST_SHARDS:
            raise HfcleanError(
                f"shard {self}: expected K/N, the K-th of N shards, from 1/N to N/N, and N at most {MOST_SHARDS:,}"
            )

    @classmethod
    def of(cls, value: str | Sequence[int]) -> Shard:
        """Of `"3/16"`, or of `(3, 16)`.

        Raises:
            HfcleanError: it is none.
        """
        match = SHARD.fullmatch(value) if isinstance(value, str) else None
        numbers = [int(group) for group in match.groups()] if match else value
        if isinstance(numbers, str) or len(numbers) != 2:
            raise HfcleanError(f"shard {value!r}: expected K/N, such as 3/16, the third of 16 shards")
        return cls(*numbers)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def rows(self, count: int) -> range:
        """Which of this number of rows."""
        return range(count * (self.number - 1) // self.count, count * self.number // self.count)

    def __call__(self, part: Any) -> Any:
        """Its rows of a split."""
        return part.select(self.rows(len(part)))


def clean_shard(
    ds: Any,
    shard: str | Sequence[int],
    folder: str | Path,
    *,
    reviser: Transform | Sequence[Transform] | None = rules_reviser,
    score: bool | Transform = True,
    scorers: Sequence[Transform] = (),
    overwrite: bool = False,
    show: bool = True,
    strict: bool = False,
    num_proc: NumProc = "auto",
    near: float | None = None,
) -> dict[str, int]:
    """Clean one shard of a dataset into a part; `merge` makes of all parts what `hfclean.clean` makes of the dataset.

    Each machine reads the same dataset, with the same settings and the same version of hfclean, and takes its shard.

    Args:
        ds: as `hfclean.clean` takes it.
        shard: such as `"3/16"`, the third of 16 shards: of each split a sixteenth of the rows, in their order.
        folder: the part; made, or replaced with `overwrite` if hfclean wrote it.
        reviser, score, scorers, show, strict, num_proc: as `hfclean.clean` takes them.
        overwrite: replace `folder`.
        near: store also what `near_duplicates` needs to find near-duplicates from this Jaccard index on, across all
            parts, without reading every row again: 133 bytes a row at 0.7, hashes and no text.

    Returns:
        the rows of the part, by split.

    Raises:
        HfcleanError: there is no such shard; and what `hfclean.clean` raises.
        FolderError: the folder exists and `overwrite` is off, hfclean did not write it, or it holds the source.

    >>> import hfclean, tempfile
    >>> rows = [{"prompt": f"Name {k}.", "completion": "An apple.</s>"} for k in range(5)]
    >>> hfclean.engines.clean_shard(rows, "1/2", f"{tempfile.mkdtemp()}/part-1")
    {'train': 2}
    """
    which, out = Shard.of(shard), Path(folder).expanduser()
    if near is not None:
        check_settings("clean_shard", near, NGRAM, None)
    with KeptParts() as kept_parts:
        done = row_by_row(
            ds,
            reviser=reviser,
            score=score,
            scorers=scorers,
            show=show,
            strict=strict,
            num_proc=num_proc,
            kept_parts=kept_parts,
            chosen=which,
        )
        for path in done.origin.paths:
            check_target(out, overwrite=overwrite, source=path)
        return dict(write_part(out, done, which, overwrite=overwrite, near=near, num_proc=num_proc).rows)


def write_part(
    out: Path,
    done: RowByRow,
    shard: Shard,
    *,
    overwrite: bool = False,
    split: str | None = None,
    config: str | None = None,
    near: float | None = None,
    num_proc: NumProc = 1,
) -> AboutPart:
    """Write what was done to a shard.

    Args:
        out: the folder; made, or replaced with `overwrite` if hfclean wrote it.
        done: with the whole source as its origin.
        shard: whose rows it has.
        overwrite: replace `out`.
        split, config: how the source was read.
        near, num_proc: see `clean_shard`.

    Raises:
        FolderError: see `check_target`.
    """
    origin, whole = done.origin, done.origin.source.dataset
    after = {name or next(iter(whole)): part for name, part in done.splits.items()}
    known = {name or next(iter(whole)): part for name, part in done.known.items()}
    layout = done.layout or Layout(origin.layout.columns, origin.layout.prefix)
    check_splits(after)
    check_target(out, overwrite=overwrite)
    before = {name: shard(part) for name, part in whole.items()}
    with new_folder(out, overwrite=overwrite) as folder:
        for kind, splits in (("before", before), ("after", after), ("known", known)):
            for name, part in splits.items():
                _write_rows(folder / kind / f"{name}.arrow", part)
        if near is not None:
            for name, part in after.items():
                _write_bands(folder / "near" / f"{name}.arrow", part, layout, near, num_proc)
        if done.reviser is not None and done.layout is not None:
            refused = refused_of(unique_ids(after, done.layout.own("row_id")), done.reviser)
            if refused is not None:
                _write_rows(folder / "refused.arrow", refused)
        about = AboutPart(
            shard.number,
            shard.count,
            __version__,
            _described(origin, split, config),
            layout,
            done.layout is not None,
            done.transforms,
            done.failures,
            {name: len(part) for name, part in before.items()},
            {file.relative_to(folder).as_posix(): file_hash(file) for file in sorted(folder.rglob("*.arrow"))},
            near,
        )
        (folder / ABOUT).write_text(record_text(about.record()), encoding="utf-8", errors="replace")
        check_place(out, overwrite=overwrite)
    claim(out)
    return about


def _write_rows(file: Path, ds: Any) -> None:
    """Write the rows of a `Dataset` as a compressed Arrow stream."""
    import pyarrow as pa

    file.parent.mkdir(exist_ok=True)
    schema, options = ds.features.arrow_schema, pa.ipc.IpcWriteOptions(compression=COMPRESSION)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema, options=options) as writer:
        for number, table in enumerate(narrowed(ds, ds.column_names, "arrow").iter(BATCH), 1):
            writer.write_table(pa.Table.from_arrays(table.combine_chunks().columns, schema=schema))
            if number % RELEASED == 0:
                release(ds)


def _write_bands(file: Path, ds: Any, layout: Layout, threshold: float, num_proc: NumProc) -> None:
    """Write what is said of the rows of a `Dataset` for `near_duplicates`."""
    import pyarrow as pa

    file.parent.mkdir(exist_ok=True)
    schema, options = bands_schema(threshold), pa.ipc.IpcWriteOptions(compression=COMPRESSION)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema, options=options) as writer:
        for rows in row_bands(ds, layout, threshold, num_proc):
            writer.write_table(stored_bands(rows, schema))
            release(ds)


def _described(origin: Origin, split: str | None, config: str | None) -> dict[str, Any]:
    """The source of a part, as its record has it."""
    source: Source = origin.source
    return {
        "name": source.name,
        "kind": source.kind,
        "fingerprint": source.fingerprint,
        "identity": _identity(source),
        "rows": {name: len(part) for name, part in source.dataset.items()},
        "notes": list(source.notes),
        "card": source.card,
        "split": split,
        "config": config,
    }


def _identity(source: Source) -> str:
    """What is the same on every machine that reads the same rows: the fingerprint of files and of a commit, and else a
    hash of the rows."""
    if source.kind == "file" or (source.kind == "hub" and COMMIT.fullmatch(source.fingerprint)):
        return source.fingerprint
    import numpy as np

    digest = sha256()
    for name, part in source.dataset.items():
        digest.update(f"{name} {len(part)} {part.features!r}".encode())
        for number, table in enumerate(narrowed(part, part.column_names, "arrow").iter(BATCH), 1):
            # a copy, as what is serialized of a slice has some bytes of its neighbours
            for batch in table.take(np.arange(len(table))).to_batches():
                digest.update(batch.serialize())
            if number % RELEASED == 0:
                release(part)
    return digest.hexdigest()
