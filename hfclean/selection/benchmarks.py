"""Benchmark packs: what a test set is recognized by, without its text. Made once, kept in a folder, pushed, loaded.

A pack holds numbers that stand for runs of words. They hide the text from readers and from training, not from somebody
who has a guess of it: a guess can be hashed and compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np

from hfclean.durable import write_bytes
from hfclean.errors import ColumnError, FolderError, HfcleanError, SourceError
from hfclean.hub_id import is_hub_id
from hfclean.limits import check_parquet, read_json
from hfclean.selection.shingles import VERSION, runs, words

ABOUT = "hfclean_benchmarks.json"
DATA = "data/train-00000-of-00001.parquet"
LARGEST_ABOUT, LARGEST_DATA, MOST_VALUES = 10_000_000, 1_000_000_000, 400_000_000  # bytes, bytes, numbers
FORMAT = "hfclean.benchmarks"
FORMAT_VERSION = 1
RUNS = (3, 8, 13)  # words in the runs that are kept
SUFFIXES = (".jsonl", ".json", ".parquet")
QUESTIONS = ("instruction", "prompt", "question", "text", "turns", "conversations", "messages", "problem", "query")
CONTEXTS = ("input", "context")
ANSWERS = ("output", "answer", "response", "completion", "reference", "solution")
ITEMS = ("id", "question_id", "idx", "item", "name")
USERS = ("user", "human")
ASSISTANTS = ("assistant", "gpt")


@dataclass(frozen=True)
class Entry:
    """One text of a benchmark.

    Args:
        benchmark, item: whose it is.
        side: `prompt` or `answer`.
        words: how many it has.
        whole: of a text of fewer than 13 words, the number of them all; else 0.
        runs: of 3, 8 and 13 words: uint64 arrays in the order of the text.
    """

    benchmark: str
    item: str
    side: str
    words: int
    whole: int
    runs: Mapping[int, Any]


@dataclass(frozen=True)
class BenchmarkPack:
    """What `decontaminate` needs to know of benchmarks; see `make`, `save`, `load`.

    Args:
        entries: the texts, as numbers. `a + b` is the pack of both.
    """

    entries: tuple[Entry, ...]

    @property
    def items(self) -> dict[str, int]:
        """How many items each benchmark has."""
        return {
            name: len({entry.item for entry in self.entries if entry.benchmark == name})
            for name in dict.fromkeys(entry.benchmark for entry in self.entries)
        }

    def __add__(self, other: BenchmarkPack) -> BenchmarkPack:
        both = set(self.items) & set(other.items)
        if both:
            raise HfcleanError(f"both packs have a benchmark {sorted(both)[0]!r}; give one of them another name")
        return BenchmarkPack(self.entries + other.entries)

    @classmethod
    def make(
        cls,
        name: str,
        rows: Any,
        *,
        text: str | Sequence[str] | None = None,
        answer: str | None = None,
        item: str | None = None,
    ) -> Self:
        """The pack of one benchmark.

        Args:
            name: what hits are reported under.
            rows: a `Dataset`, a list of rows, or a .jsonl or .parquet file.
            text: the column of the question, or several that are joined; by default those of the usual names. A list
                of strings is taken as turns, each by itself; of messages, what users and assistants say.
            answer: the column of the reference answer, if there is one; by default of the usual names.
            item: the column that names the item; by default of the usual names, else its place from 0.

        Raises:
            ColumnError: no such column, or none of the usual names.
            SourceError: the file cannot be read.

        >>> BenchmarkPack.make("tiny", [{"question": "What is two and two?", "answer": "Four."}]).items
        {'tiny': 1}
        """
        entries = [
            (str(key), side, content)
            for place, row in enumerate(_read_rows(rows))
            for key, side, content in _texts(row, place, text, answer, item)
            if content.strip()
        ]
        return cls(tuple(_entries(name, entries)))

    def save(self, folder: str | Path) -> Path:
        """Write the pack as a folder that `load_dataset` reads as well: data, and what it is. No text is in it. What
        is broken off leaves the pack that was there, or one that `load` refuses.

        Raises:
            FolderError: the folder cannot be written.
        """
        path = Path(folder)
        try:
            for name, content in self.files().items():
                target = path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(target, content)
        except OSError as e:
            raise FolderError(f"{path} cannot be written: {e.strerror or e}; choose another folder") from e
        return path

    def files(self) -> dict[str, bytes]:
        """The files of the folder, the description last."""
        data = _parquet(self.entries)
        about = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "words_version": VERSION,
            "benchmarks": self.items,
            "sha256": sha256(data).hexdigest(),
        }
        return {DATA: data, ABOUT: (json.dumps(about, indent=1) + "\n").encode()}

    @classmethod
    def load(cls, folder: str | Path, *, revision: str | None = None) -> Self:
        """The pack in a folder, or of a Hub id, `NAMESPACE/NAME`, at a branch, tag or commit. The files are data: all
        of them is checked, nothing is executed.

        Raises:
            SourceError: there is no pack, it is damaged, or of another version.
            HfcleanError: the Hub gives no such repo.
        """
        path = Path(folder).expanduser()
        if not path.is_dir():
            path = _fetch(str(folder), revision)
        try:
            about = read_json(path / ABOUT, LARGEST_ABOUT)
            if (path / DATA).stat().st_size > LARGEST_DATA:
                raise ValueError(f"{DATA} has more than {LARGEST_DATA:,} bytes")
            data = (path / DATA).read_bytes()
        except (OSError, ValueError) as e:
            raise SourceError(f"{str(folder)!r} holds no benchmark pack ({e}); make one: BenchmarkPack.save") from e
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise SourceError(f"{str(folder)!r} holds no benchmark pack: {ABOUT} has no 'format': '{FORMAT}'")
        versions = (about.get("format_version"), about.get("words_version"))
        if versions != (FORMAT_VERSION, VERSION):
            raise SourceError(
                f"the pack in {str(folder)!r} has version {versions}, and this hfclean reads "
                f"{(FORMAT_VERSION, VERSION)}; make it again from the benchmark"
            )
        if sha256(data).hexdigest() != about.get("sha256"):
            raise SourceError(
                f"the pack in {str(folder)!r} is damaged: {DATA} is not what {ABOUT} says; save it again"
            )
        return cls(tuple(_read_parquet(data, str(folder))))


# ------------------------------------------------------------------------------------------------------------- reading


def _read_rows(rows: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of a dataset, a list, or a .jsonl, .json or .parquet file.

    Raises:
        SourceError: the file cannot be read, or holds something else than rows.
    """
    if isinstance(rows, (str, Path)):
        rows = _file_rows(Path(rows).expanduser())
    elif hasattr(rows, "with_format"):
        rows = rows.with_format(None)
    elif not isinstance(rows, Iterable):
        raise SourceError(f"a benchmark is {type(rows).__name__}; expected a Dataset, a list of rows or a file")
    for row in rows:
        if not isinstance(row, Mapping):
            raise SourceError(f"a benchmark's row is {type(row).__name__} ({str(row)[:40]!r}); expected a dict")
        yield row


def _file_rows(path: Path) -> Iterable[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix not in SUFFIXES:
        raise SourceError(
            f"{path.name!r}: expected a .jsonl, .json or .parquet file, or a pack's folder; load others with "
            "load_dataset and pass the Dataset"
        )
    try:
        if path.suffix == ".parquet":
            return list(pq.read_table(path).to_pylist())
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        return list(json.loads(text))
    except (OSError, ValueError, TypeError, RecursionError, pa.ArrowException) as e:
        raise SourceError(f"the benchmark {path.name!r} cannot be read: {e}") from e


def _texts(
    row: Mapping[str, Any], place: int, text: str | Sequence[str] | None, answer: str | None, item: str | None
) -> Iterator[tuple[str, str, str]]:
    """Item, side and text of everything that a row of a benchmark says."""
    names = {str(key).lower(): key for key in reversed(list(row))}
    wanted = [text] if isinstance(text, str) else list(text or ())
    missing = [name for name in [*wanted, *([answer] if answer else []), *([item] if item else [])] if name not in row]
    if missing:
        raise ColumnError(f"a benchmark's row has no {missing[0]!r}, only {list(row)}")
    if not wanted:
        first = next((names[name] for name in QUESTIONS if name in names), None)
        first = names.get("input") if first is None else first
        if first is None:
            raise ColumnError(f"no question found in a benchmark's row of {list(row)}; name it: text='...'")
        wanted = [first, *(names[name] for name in CONTEXTS if name in names and names[name] != first)]
    key = item or next((names[name] for name in ITEMS if name in names), None)
    named = str(row[key]) if key is not None else str(place)
    question = row[wanted[0]]
    if isinstance(question, list):
        for side, content in _turns(question):
            yield named, side, content
    else:
        parts = [str(row[name]) for name in wanted if row[name] not in (None, "")]
        instances = row.get("instances") if text is None else None
        if isinstance(instances, list) and instances and all(isinstance(each, Mapping) for each in instances):
            for each in instances:
                yield named, "prompt", "\n".join([*parts, str(each.get("input") or "")]).strip()
                yield named, "answer", str(each.get("output") or "")
        else:
            yield named, "prompt", "\n".join(parts)
    given = answer or next((names[name] for name in ANSWERS if name in names and names[name] not in wanted), None)
    if given is not None:
        for content in row[given] if isinstance(row[given], list) else [row[given]]:
            yield named, "answer", content if isinstance(content, str) else ""


def _turns(turns: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for turn in turns:
        if isinstance(turn, Mapping):
            role = str(turn.get("role", turn.get("from", "user"))).lower()
            content = str(turn.get("content", turn.get("value", "")) or "")
            if role in USERS or role in ASSISTANTS:
                yield "answer" if role in ASSISTANTS else "prompt", content
        elif turn is not None:
            yield "prompt", str(turn)


def _entries(name: str, texts: Sequence[tuple[str, str, str]]) -> Iterator[Entry]:
    word_ids = words([content for _, _, content in texts])
    hashed = runs(word_ids, range(1, max(RUNS) + 1))
    for k, (item, side, _) in enumerate(texts):
        start, stop = int(word_ids.starts[k]), int(word_ids.starts[k + 1])
        count = stop - start
        if count:
            whole = int(hashed[count][start]) if count < max(RUNS) else 0
            kept = {n: hashed[n][start : max(start, stop - n + 1)].copy() for n in RUNS}
            yield Entry(name, item, side, count, whole, kept)


# --------------------------------------------------------------------------------------------------------------- files


def _parquet(entries: Sequence[Entry]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = pa.list_(pa.uint64())
    columns: dict[str, Any] = {
        "benchmark": pa.array([entry.benchmark for entry in entries], pa.string()),
        "item": pa.array([entry.item for entry in entries], pa.string()),
        "side": pa.array([entry.side for entry in entries], pa.string()),
        "words": pa.array([entry.words for entry in entries], pa.int32()),
        "whole": pa.array([entry.whole for entry in entries], pa.uint64()),
        **{f"runs_{n}": pa.array([entry.runs[n] for entry in entries], numbers) for n in RUNS},
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def _read_parquet(data: bytes, where: str) -> Iterator[Entry]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            check_parquet(file, most_bytes=4 * LARGEST_DATA, most_values=MOST_VALUES)
            rows = file.read().to_pydict()
        for k, count in enumerate(rows["words"]):
            kept = {n: np.array(rows[f"runs_{n}"][k], np.uint64) for n in RUNS}
            if any(len(kept[n]) != max(count - n + 1, 0) for n in RUNS):
                raise ValueError(f"entry {k} does not have the runs of {count} words")
            yield Entry(
                rows["benchmark"][k], rows["item"][k], rows["side"][k], int(count), int(rows["whole"][k]), kept
            )
    except (KeyError, TypeError, ValueError, pa.ArrowException) as e:
        raise SourceError(f"the pack in {where!r} cannot be read: {e}") from e


def _fetch(name: str, revision: str | None) -> Path:
    if not is_hub_id(name, namespace=True):
        raise SourceError(f"{name!r} is neither a folder nor a Hub id; expected a pack's folder or NAMESPACE/NAME")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        about = Path(hf_hub_download(name, ABOUT, repo_type="dataset", revision=revision))
        hf_hub_download(name, DATA, repo_type="dataset", revision=about.parent.name)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as e:
        raise HfcleanError(
            f"the Hub gives no benchmark pack {name!r}: {str(e).splitlines()[0] if str(e) else type(e).__name__}"
        ) from e
    return about.parent
