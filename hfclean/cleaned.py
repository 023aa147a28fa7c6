"""Cleaned: a dataset after the whole cleaning, with what went in, so that it can be saved as the command line does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.folder import check_target, write_folder
from hfclean.layout import Layout
from hfclean.outside_names import is_split
from hfclean.passes import stored_stream
from hfclean.provenance import HISTORY
from hfclean.report import Report
from hfclean.restoration import originals
from hfclean.rules import Rule
from hfclean.source import Source, load, local_paths
from hfclean.source.memory import from_memory
from hfclean.verdicts.excluded import REMOVED_REASON


@dataclass(frozen=True)
class Origin:
    """What went into a cleaning.

    Attributes:
        rows: a `Dataset` or `DatasetDict`.
        source: where it came from.
        layout: the columns and the prefix that the transforms were given.
        paths: the files and folders on this machine that it was read from.
        extra: the user's own rules that took part.
        own: whether it was described on this machine, by this user.
    """

    rows: Any
    source: Source
    layout: Layout
    paths: tuple[Path, ...] = ()
    extra: tuple[Rule, ...] = ()
    own: bool = True


def origin_of(data: Any, layout: Layout) -> Origin:
    """What `hfclean.clean` is given, as rows: a name of files or of a dataset on the Hub, rows in memory, a dataset.

    Raises:
        SourceError: there is nothing of that name, or it cannot be read.
        HfcleanError: no rows in any of these forms, or a stream that fails.
    """
    from datasets import Dataset, DatasetDict
    from datasets.fingerprint import get_temporary_cache_files_directory

    layout = Layout(layout.columns, layout.prefix)
    names = data if isinstance(data, (list, tuple)) else [data]
    if names and all(isinstance(name, (str, Path)) for name in names):
        source = load(data, columns=layout.columns, cache_dir=Path(get_temporary_cache_files_directory()))
        return Origin(source.dataset, source, layout, tuple(local_paths(data)))
    ds = stored_stream(from_memory(data))
    if not isinstance(ds, (Dataset, DatasetDict)):
        raise HfcleanError(
            f"clean got {type(data).__name__}; expected a Dataset, a DatasetDict or a streaming one, the name of a "
            "file or folder, an id of the Hub, a list of dicts, or a frame of pandas or polars"
            + ("; one row: hfclean.revise(row); columns: Dataset.from_dict(...)" if isinstance(data, Mapping) else "")
        )
    return Origin(ds, Source(_as_splits(ds), "", "memory", ""), layout)


@dataclass(frozen=True, repr=False)
class Cleaned:
    """A dataset after the whole cleaning.

    Attributes:
        dataset: as many rows as went in, less the duplicates where they were to be dropped; `Dataset` or `DatasetDict`
            as it was passed in.
        removed: the dropped rows, with a column `removed_reason`; `None` when there are none.
        transforms: what was done, as JSON can hold it: class, version, settings and what they depend on. Where a model
            was asked, also `models`, the names or commits that answered, and `usage`, what this run took; see
            `hfclean.models.Usage`. `cost` is null where no prices were given; where a server was asked, `answers_of`
            is the name under which its answers are kept: host, port, path and model, or what `cache_as` says.
        refused: the revisions that the last reviser, a model's, proposed for rows that it left `reverted`: a `Dataset`
            as `hfclean.reviser.refused_revisions` gives it; `None` when there are none, or no answers are kept.
        failures: for each transform that asked a model about rows and got nothing usable for any of them, one line
            that says so. The rows stay all the same, and their columns say what was wrong.
        known: for speed alone, by split, what the rules' pass knew of its rows as they were; see `compare`.
        origin: what went in, for `save`.
    """

    dataset: Any
    removed: Any | None
    transforms: tuple[dict[str, Any], ...]
    failures: tuple[str, ...] = ()
    refused: Any | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = None

    def save(
        self,
        folder: str | Path,
        *,
        overwrite: bool = False,
        license: str | None = None,
        language: str | list[str] | None = None,
        source_id: str | None = None,
        tokenizer: Any = None,
        max_tokens: int = 2048,
    ) -> Report:
        """Write the folder that `hfclean clean --out` writes: rows, card, report, ledger; returns the report.

        `load_dataset(folder)` reads it, and `hfclean undo`, `why` and `push` take it. It is written whole or not at
        all.

        Args:
            folder: made, or replaced with `overwrite` if hfclean wrote it.
            license, language: for the card: an id of the Hub, ISO 639 codes.
            source_id: the Hub id of what went in, where it was not read from there.
            tokenizer, max_tokens: for the report's token lengths, as `hfclean.compare` takes them.

        Raises:
            FolderError: the folder exists and `overwrite` is off, hfclean did not write it, or it holds the source.
            HfcleanError: what went in is not known, since this does not come of `hfclean.clean`.
        """
        if self.origin is None:
            raise HfcleanError(
                "what went in is not known here, so no report can be made; save what hfclean.clean gave"
            )
        origin, out = self.origin, Path(folder).expanduser()
        for path in origin.paths:
            check_target(out, overwrite=overwrite, source=path)
        return write_folder(
            out,
            replace(self, dataset=_as_splits(self.dataset), removed=self.removed and _as_splits(self.removed)),
            before=_as_splits(origin.rows),
            source=origin.source,
            layout=origin.layout,
            overwrite=overwrite,
            license=license,
            language=language,
            source_id=source_id,
            extra=origin.extra,
            tokenizer=tokenizer,
            max_tokens=max_tokens,
            own=origin.own,
        )

    def __repr__(self) -> str:
        """One line: how many rows, what was done, and what is left."""
        facts = [f"{name} {count:,}" for name, count in self._counts().items()]
        return f"Cleaned({', '.join([*facts, 'by ' + ', '.join(self._done())])})"

    def _repr_html_(self) -> str:
        """The same as a table for a notebook's cell: numbers and the names of our own classes, everything escaped."""
        lines = [*((name, f"{count:,}") for name, count in self._counts().items()), ("by", ", ".join(self._done()))]
        lines += [("failed", failure) for failure in self.failures]
        cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in lines)
        return (
            f"<div><p><strong>Cleaned</strong></p><table><tbody>{cells}</tbody></table>"
            "<p><code>cleaned.save(folder)</code> writes it, with a report of what changed.</p></div>"
        )

    def _counts(self) -> dict[str, int]:
        """Rows by what became of them, what was none left out."""
        parts = {"removed": self.removed, "refused": self.refused}
        counts = {name: _rows_in(part) for name, part in parts.items() if part is not None}
        return {"rows": _rows_in(self.dataset), **counts}

    def _done(self) -> list[str]:
        return [str(entry.get("by", "")) for entry in self.transforms]


def _as_splits(ds: Any) -> Any:
    """A dataset by split; of a `Dataset`, the one that it says it is, or `train`."""
    from datasets import DatasetDict

    if isinstance(ds, Mapping):
        return ds
    return DatasetDict({str(ds.split) if is_split(str(ds.split)) and ds.split else "train": ds})


def as_it_came(dataset: Mapping[str, Any], removed: Mapping[str, Any] | None, prefix: str) -> Any:
    """The rows of a cleaned folder as they came in, by split, its dropped rows with them; what is masked left so, and
    rows that no reviser went over as they are."""
    from datasets import concatenate_datasets

    before = {}
    for split, part in dataset.items():
        parts = [_first(part, prefix)]
        dropped = (removed or {}).get(split)
        if dropped is not None:
            first = _first(dropped.remove_columns(REMOVED_REASON), prefix)
            parts = [first] if not len(part) else [*parts, first] if first.features == parts[0].features else parts
        before[split] = concatenate_datasets(parts) if parts[1:] else parts[0]
    return type(dataset)(before)  # type: ignore[call-arg]


def _first(part: Any, prefix: str) -> Any:
    return originals(part, prefix=prefix) if len(part) and prefix + HISTORY in part.column_names else part


def _rows_in(data: Any) -> int:
    """The rows of a dataset, of all its splits."""
    return sum(map(len, data.values())) if isinstance(data, Mapping) else len(data)
