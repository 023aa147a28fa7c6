"""Decontamination: rows that hold a question or an answer of a benchmark, found by runs of words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hfclean.errors import HfcleanError
from hfclean.layout import Layout
from hfclean.plain_values import to_plain
from hfclean.processes import NumProc, by_batch
from hfclean.schema import Columns, Pair
from hfclean.selection.benchmarks import SUFFIXES, BenchmarkPack, Entry
from hfclean.selection.rows import Picks, check_dataset, is_number, pairs
from hfclean.selection.shingle_joins import expand
from hfclean.selection.shingles import Words, runs, words
from hfclean.text.thoughts import with_thought

AT_ONCE = 20_000  # rows
FILTER = 1 << 22  # places of the table that passes over most runs at once
EMBEDDED = 2  # a shorter question must be the whole prompt, not stand somewhere in it
FUZZY_PROMPT = 4  # different runs of 3 words that a question needs for the fuzzy check
FUZZY_ANSWER = 10
CONTAMINATED = 0.02
SHOWN = 5  # hits that a summary names


@dataclass(frozen=True)
class Hit:
    """One text of a benchmark that is in a row.

    Args:
        row: its index.
        benchmark, item: what was found.
        side: `prompt` or `answer` of the item.
        found_in: `prompt` or `response` of the row; an earlier turn of the assistant is part of both.
        check: `ngram` (runs of 8 or 13 words), `whole` (all words of a short text), or `fuzzy` (runs of 3 words).
        overlap: which share of the item's words (`fuzzy`: of its runs) is present, 0 to 1.
    """

    row: int
    benchmark: str
    item: str
    side: str
    found_in: str
    check: str
    overlap: float


@dataclass(frozen=True)
class BenchmarkCount:
    """What was found of one benchmark: `items` that it has, how many of them, and in how many rows."""

    name: str
    items: int
    items_hit: int
    rows_hit: int

    @property
    def share(self) -> float:
        """The share of its items that were found."""
        return self.items_hit / self.items if self.items else 0.0

    @property
    def contaminated(self) -> bool:
        """Whether that is more than 2 %, at which Tulu 3 drops a training set."""
        return self.share > CONTAMINATED


@dataclass(frozen=True)
class Decontamination:
    """What was found; see `decontaminate`.

    Args:
        rows: rows of the dataset.
        hits: in the order of the rows.
        benchmarks: each that was looked for.
        ngram, overlap, fuzzy: as asked for.
        notes: about rows without text.
    """

    rows: int
    hits: tuple[Hit, ...]
    benchmarks: tuple[BenchmarkCount, ...]
    ngram: int
    overlap: float
    fuzzy: float | None
    notes: tuple[str, ...]

    @property
    def rows_hit(self) -> tuple[int, ...]:
        """The rows with a hit, in dataset order."""
        return tuple(sorted({hit.row for hit in self.hits}))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        counts = [
            {**to_plain(each), "share": each.share, "contaminated": each.contaminated} for each in self.benchmarks
        ]
        return {**to_plain(self), "benchmarks": counts}

    def summary(self) -> str:
        """The figures in plain words."""
        fuzzy = "" if self.fuzzy is None else f", or of their runs of 3 words {self.fuzzy:.0%} or more"
        lines = [
            f"{self.rows:,} rows against {len(self.benchmarks):,} benchmark{'s' * (len(self.benchmarks) != 1)}: "
            f"{len(self.rows_hit):,} rows hold an "
            f"item (more than {self.overlap:.0%} of its words in runs of {self.ngram}{fuzzy})"
        ]
        for each in self.benchmarks:
            mark = "  (over 2 %: Tulu 3 would drop the set)" if each.contaminated else ""
            lines.append(
                f"{each.name}: {each.items_hit:,} of {each.items:,} items ({each.share:.1%}) in {each.rows_hit:,} "
                f"rows{mark}"
            )
        for hit in self.hits[:SHOWN]:
            lines.append(
                f"  row {hit.row}: {hit.benchmark} {hit.item}, its {hit.side} in the {hit.found_in} "
                f"({hit.check}, {hit.overlap:.0%})"
            )
        if len(self.hits) > SHOWN:
            lines.append(f"  and {len(self.hits) - SHOWN:,} more hits")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def decontaminate(
    ds: Any,
    against: Any,
    *,
    ngram: int = 8,
    overlap: float = 0.5,
    fuzzy: float | None = 0.8,
    columns: Columns = None,
    num_proc: NumProc = "auto",
) -> Picks:
    """Indices of the rows that hold nothing of these benchmarks: `ds.select(hfclean.decontaminate(ds, [...]))`.

    Words are compared without case and punctuation. Three checks, each of one text of a benchmark with one row:

    * `ngram`, the rule of Tulu 3: more than `overlap` of the text's words lie in runs of `ngram` words that the row
      has as well. Questions are looked for in the row's prompt, with it the system text and earlier turns, and in its
      responses; answers in its responses, those of earlier turns among them.
    * `whole`: a text of fewer words than `ngram` stands in the prompt as it is; a single word must be all of the
      prompt. Answers that short prove nothing and are not looked for.
    * `fuzzy`: `fuzzy` or more of the text's different runs of 3 words are in the row, in any order; questions of 4
      such runs or more in the prompt, answers of 10 or more in the response.

    Args:
        ds: a `Dataset` (one split).
        against: benchmarks, as a list or as a dict with their names: a `BenchmarkPack`, the folder of one or its Hub
            id, a .jsonl, .json or .parquet file of questions, a `Dataset`, or a list of rows.
        ngram: 8 (Tulu 3) or 13 (GPT-3).
        overlap: 0 to 1, itself excluded.
        fuzzy: above 0, at most 1; None leaves that check out.
        columns: which columns of `ds` hold what, as in a transform.
        num_proc: how many processes look for them, as `hfclean.clean` takes it; what is found is the same.

    Returns:
        the indices of the clean rows; their `report` is a `Decontamination` with all hits.

    Raises:
        HfcleanError: not one `Dataset`, nothing to look for, or a setting out of range.
        ColumnError, SourceError: a benchmark cannot be read.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> asked = "Please tell me: HOW can I improve my time-management skills at work?"
    >>> ds = Dataset.from_list([{"prompt": asked, "completion": "Plan."}, {"prompt": "Hi", "completion": "Hello."}])
    >>> found = hfclean.decontaminate(ds, {"tips": [{"question": "How can I improve my time management skills?"}]})
    >>> found, found.report.hits[0].item
    ([1], '0')
    """
    check_dataset(ds, "decontaminate")
    if ngram not in (8, 13):
        raise HfcleanError(f"decontaminate(ngram={ngram!r}): expected 8 or 13")
    if not is_number(overlap) or not 0 <= overlap < 1:
        raise HfcleanError(f"decontaminate(overlap={overlap!r}): expected 0 or more, below 1")
    if fuzzy is not None and (not is_number(fuzzy) or not 0 < fuzzy <= 1):
        raise HfcleanError(f"decontaminate(fuzzy={fuzzy!r}): expected a share above 0, at most 1, or None")
    pack = pack_of(against)
    found: list[Hit] = []
    empty = 0

    def look(batch: range) -> tuple[list[Hit], int]:
        rows = list(pairs(ds.select(batch), Layout(columns)))
        hits = list(hits_in(rows, batch.start, pack, (ngram, overlap, fuzzy)))
        return hits, sum(not pair.prompt.strip() and not pair.response.strip() for pair in rows)

    for hits_here, empty_here in by_batch(look, len(ds), "looking for benchmarks", num_proc, AT_ONCE):
        found += hits_here
        empty += empty_here
    hits = tuple(sorted(found, key=lambda h: (h.row, h.benchmark, h.item, h.side, h.found_in, h.check)))
    notes = (f"{empty:,} rows have no text, and nothing can be found in them",) if empty else ()
    report = Decontamination(len(ds), hits, _counts(pack, hits), ngram, overlap, fuzzy, notes)
    excluded = set(report.rows_hit)
    return Picks([k for k in range(len(ds)) if k not in excluded], report)


def hits_in(
    rows: Sequence[Pair], start: int, pack: BenchmarkPack, settings: tuple[int, float, float | None]
) -> Iterable[Hit]:
    """The hits in some rows, of which the first has the index `start`; of each text in each place the first check."""
    read = {
        "prompt": words(
            ["\n".join([pair.system, *(turn.text for turn in pair.history), pair.prompt]) for pair in rows]
        ),
        "response": words(
            [
                "\n".join([*(turn.text for turn in pair.history if turn.role == "assistant"), with_thought(pair)])
                for pair in rows
            ]
        ),
    }
    found: dict[tuple[int, int, str], Hit] = {}
    for side, place in (("prompt", "prompt"), ("prompt", "response"), ("answer", "response")):
        entries = [entry for entry in pack.entries if entry.side == side]
        for check, seen in _checks(read[place], entries, side, place, settings) if entries else ():
            for row, number, share in zip(*(column.tolist() for column in seen), strict=True):
                entry, index = entries[number], start + row
                hit = Hit(index, entry.benchmark, entry.item, side, place, check, min(1.0, round(share, 6)))
                found.setdefault((index, id(entry), place), hit)
    return found.values()


def _checks(
    read: Words, entries: Sequence[Entry], side: str, place: str, settings: tuple[int, float, float | None]
) -> Iterator[tuple[str, tuple[Any, Any, Any]]]:
    ngram, overlap, fuzzy = settings
    finder = _Finder(read, entries, ngram, whole=place == "prompt")
    yield "ngram", finder.by_runs(overlap)
    if place == "prompt":
        yield "whole", finder.by_whole()
    if fuzzy is not None and (side, place) != ("prompt", "response"):
        yield "fuzzy", finder.by_short_runs(fuzzy, FUZZY_PROMPT if side == "prompt" else FUZZY_ANSWER)


def _counts(pack: BenchmarkPack, hits: Sequence[Hit]) -> tuple[BenchmarkCount, ...]:
    items: dict[str, set[str]] = {}
    rows: dict[str, set[int]] = {}
    for hit in hits:
        items.setdefault(hit.benchmark, set()).add(hit.item)
        rows.setdefault(hit.benchmark, set()).add(hit.row)
    return tuple(
        BenchmarkCount(name, count, len(items.get(name, ())), len(rows.get(name, ())))
        for name, count in pack.items.items()
    )


def pack_of(against: Any) -> BenchmarkPack:
    """All benchmarks as one pack."""
    if isinstance(against, Mapping):  # a DatasetDict too: each split is one
        named = list(against.items())
    else:
        if isinstance(against, (str, Path, BenchmarkPack)) or hasattr(against, "with_format"):
            against = [against]
        if not isinstance(against, Iterable):
            raise HfcleanError(f"decontaminate(against={against!r}): expected a list or a dict of benchmarks")
        given = list(against)
        if given and isinstance(given[0], Mapping):
            given = [given]  # the rows of one benchmark
        named = [("", each) for each in given]
    if not named:
        raise HfcleanError("decontaminate(against=[]): name a benchmark, such as a .jsonl file of its questions")
    whole = BenchmarkPack(())
    for k, (name, each) in enumerate(named):
        if isinstance(each, BenchmarkPack):
            pack = each
        elif isinstance(each, (str, Path)) and Path(each).suffix not in SUFFIXES:
            pack = BenchmarkPack.load(each)
        else:
            stem = Path(each).stem if isinstance(each, (str, Path)) else f"benchmark {k + 1}"
            pack = BenchmarkPack.make(str(name or stem), each)
        whole = whole + pack
    if not whole.entries:
        raise HfcleanError("decontaminate: these benchmarks hold no text, so there is nothing to look for")
    return whole


class _Finder:
    """Texts of benchmarks in the texts of rows; every method gives rows, entries and shares, three equal arrays."""

    def __init__(self, read: Words, entries: Sequence[Entry], ngram: int, *, whole: bool) -> None:
        self.read, self.entries, self.ngram = read, entries, ngram
        self.words = np.array([entry.words for entry in entries], np.int64)
        self.short = [k for k, entry in enumerate(entries) if entry.words < ngram] if whole else []
        lengths = sorted({3, ngram, *(entries[k].words for k in self.short)})
        self.hashed = runs(read, lengths)
        self.left = read.left()
        self.owner = read.texts()

    def _seen(self, n: int, wanted: Any) -> tuple[Any, Any]:
        """Which words of the rows begin a run of n words that is looked for, and its number among these, which are
        in order."""
        table = np.zeros(FILTER, bool)
        table[wanted & np.uint64(FILTER - 1)] = True
        hashes = self.hashed[n]
        maybe = np.flatnonzero(table[hashes & np.uint64(FILTER - 1)])
        maybe = maybe[self.left[maybe] >= n]
        if not len(wanted):
            return maybe[:0], maybe[:0]
        place = np.minimum(np.searchsorted(wanted, hashes[maybe]), len(wanted) - 1)
        same = wanted[place] == hashes[maybe]
        return maybe[same], place[same]

    def by_runs(self, overlap: float) -> tuple[Any, Any, Any]:
        """Texts of which more than this share of the words is covered by runs that the row has too."""
        n = self.ngram
        sizes = np.fromiter((len(entry.runs[n]) for entry in self.entries), np.int64, len(self.entries))
        every = np.concatenate([entry.runs[n] for entry in self.entries])
        owner, starts = np.repeat(np.arange(len(sizes)), sizes), np.cumsum(sizes) - sizes
        wanted, group = np.unique(every, return_inverse=True)
        where, place = self._seen(n, wanted)
        order = np.argsort(group, kind="stable")
        counts = np.bincount(group, minlength=len(wanted))
        begin = np.cumsum(counts) - counts
        rows, place = _once(self.owner[where], place)
        entry_run = order[expand(begin[place], counts[place])]
        rows = np.repeat(rows, counts[place])
        entry = owner[entry_run]
        position = entry_run - starts[entry]
        order = np.lexsort((position, entry, rows))
        rows, entry, position = rows[order], entry[order], position[order]
        if not len(rows):
            return rows, entry, np.empty(0)
        begins = np.ones(len(rows), bool)
        begins[1:] = (rows[1:] != rows[:-1]) | (entry[1:] != entry[:-1])
        step = np.full(len(rows), n)
        step[:-1] = np.where(begins[1:], n, np.minimum(n, position[1:] - position[:-1]))
        first = np.flatnonzero(begins)
        share = np.add.reduceat(step, first) / self.words[entry[first]]
        good = share > overlap
        return rows[first][good], entry[first][good], share[good]

    def by_whole(self) -> tuple[Any, Any, Any]:
        """Short texts that stand in a row word for word."""
        rows, entries = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        counts = self.read.counts
        for length in sorted({self.entries[k].words for k in self.short}):
            these = [k for k in self.short if self.entries[k].words == length]
            for k in these:
                where, _ = self._seen(length, np.array([self.entries[k].whole], np.uint64))
                found = np.unique(self.owner[where])
                if length < EMBEDDED:
                    found = found[counts[found] == length]
                rows.append(found)
                entries.append(np.full(len(found), k))
        row = np.concatenate(rows).astype(np.int64)
        return row, np.concatenate(entries).astype(np.int64), np.ones(len(row))

    def by_short_runs(self, least: float, fewest: int) -> tuple[Any, Any, Any]:
        """Texts of whose different runs of 3 words this share or more is in the row."""
        rare_runs = [np.unique(entry.runs[3]) for entry in self.entries]
        rare_runs = [runs_of if len(runs_of) >= fewest else runs_of[:0] for runs_of in rare_runs]
        sizes = np.fromiter(map(len, rare_runs), np.int64, len(rare_runs))
        wanted, group = np.unique(np.concatenate(rare_runs), return_inverse=True)
        where, place = self._seen(3, wanted)
        rows, place = _once(self.owner[where], place)
        often = np.bincount(place, minlength=len(wanted))
        # a text that occurs shares one of its rarest few runs: only these are followed up
        starts = np.cumsum(sizes) - sizes
        owner = np.repeat(np.arange(len(rare_runs)), sizes)
        rare = np.lexsort((often[group], owner))
        rank = np.arange(len(rare)) - starts[owner]
        followed = rare[rank < (sizes - np.ceil(least * sizes - 1e-9) + 1)[owner]]
        by_run = followed[np.argsort(group[followed], kind="stable")]
        counts = np.bincount(group[followed], minlength=len(wanted))
        begin = np.cumsum(counts) - counts
        row, entry = _once(np.repeat(rows, counts[place]), owner[by_run[expand(begin[place], counts[place])]])
        known = (rows.astype(np.int64) << 32) | place  # in order
        asked = expand(starts[entry], sizes[entry])
        key = (np.repeat(row.astype(np.int64), sizes[entry]) << 32) | group[asked]
        at = np.minimum(np.searchsorted(known, key), max(len(known) - 1, 0))
        there = known[at] == key if len(known) else np.zeros(len(key), bool)
        share = np.bincount(np.repeat(np.arange(len(row)), sizes[entry]), there, len(row)) / np.maximum(
            sizes[entry], 1
        )
        good = share >= least - 1e-9
        return row[good], entry[good], share[good]


def _once(rows: Any, places: Any) -> tuple[Any, Any]:
    """Each pair of row and place once, in order."""
    key = (rows.astype(np.int64) << 32) | places
    key.sort()
    fresh = np.ones(len(key), bool)
    fresh[1:] = key[1:] != key[:-1]
    key = key[fresh]
    return key >> 32, key & 0xFFFFFFFF
