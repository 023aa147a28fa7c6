"""Rounds: the rows that a generation made so far, round by round, in a folder from which it goes on after any end.

    FOLDER/about.json                   the settings that all rounds share
    FOLDER/round-0001/kept.parquet      the new rows, with their lineage
    FOLDER/round-0001/dropped.parquet   everything else that came, with its reason
    FOLDER/round-0001/round.json        the counts, what it took, and what it was made of
    FOLDER/NAME.json                    what a loop keeps of its own; see `Rounds.once`

Each round is written whole or not at all. A program that drives rounds is simply run again: a finished round is
read, one that was begun asks only for answers that the store does not hold.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hfclean.durable import new_folder, recover, write_text
from hfclean.errors import FolderError, HfcleanError
from hfclean.generation.drafts import Draft
from hfclean.generation.filters import left_out
from hfclean.generation.generator import Generator
from hfclean.generation.making import Made, Pool, languages_of, make_round, same_matter
from hfclean.generation.repeats import Benchmarks, Known
from hfclean.generation.seeds import FIRST, Seed, Seeds, read_seeds
from hfclean.generation.tally import summed
from hfclean.limits import read_json
from hfclean.models.work import wait_for
from hfclean.provenance import row_id
from hfclean.schema import Columns
from hfclean.values import table_of

ABOUT, ROUND, KEPT, DROPPED = "about.json", "round.json", "kept.parquet", "dropped.parquet"
FORMAT = 1
# what every made row carries beside the columns of the seeds' shape
LINEAGE = ("made_id", "seed_ids", "parent_ids", "round", "made_by", "nearest", "similarity")
WHY = ("reason", "detail", "task", "answer")
COUNTED = {"seeds_count", "tasks", "new", "kept", "dropped", "left_out", "usage", "asked"}  # in ROUND


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        number: from 1.
        kept: a `Dataset` of the new rows.
        dropped: a `Dataset` of what was dropped, with `reason`, `detail`, the `task`, and the `answer` where it could
            not be read.
        about: its counts, and what it took, as `round.json` has them.
    """

    number: int
    kept: Any
    dropped: Any
    about: Mapping[str, Any]

    @property
    def share_new(self) -> float:
        """The share of the tasks that were new, 0 to 1; 0 where there was none."""
        return self.about["new"] / self.about["tasks"] if self.about["tasks"] else 0.0


class Rounds:
    """The rounds of one generation.

    Args:
        generator: how rows are made.
        folder: where rounds are kept, made if it is not there; None to keep them in memory only.
        against: benchmarks of which no row may hold an item, as `hfclean.decontaminate` takes them.

    Raises:
        FolderError: the folder holds rounds of other settings, or is damaged.

    A loop with feedback, such as one that changes its seeds after every round, is a plain program over rounds:

        rounds = hfclean.generation.Rounds(generator, folder)
        for _ in range(10):
            made = rounds.generate_round(seeds, 100)
            seeds = rounds.once(f"seeds-{made.number}", lambda: chosen(seeds, made.kept))
    """

    def __init__(self, generator: Generator, folder: str | Path | None = None, *, against: Any = ()) -> None:
        self.generator = generator
        self.folder = None if folder is None else Path(folder).expanduser()
        self.done: list[Round] = []
        self._benchmarks = Benchmarks(against)
        self._kept: list[Seed] = []
        self._seeds: dict[str, Seed] = {}  # of all rounds: what repeats a seed that left is not new either
        self._form: Any = None
        self.columns: Columns = generator.columns  # the first seeds decide what is not clear from names alone
        self._next = 1
        if self.folder is not None:
            _check_about(self.folder, self._about())

    def _about(self) -> dict[str, Any]:
        packs = [(entry.benchmark, entry.item, entry.side, entry.words) for entry in self._benchmarks.entries]
        settings = self.generator.settings()
        if self.generator.spec.cache_as:  # whose answers these are, on whatever host and port
            settings.pop("base_url", None)
        return {
            "format": FORMAT,
            "generator": settings,
            "benchmarks": self._benchmarks.items,
            "benchmarks_digest": _digest(packs) if packs else "",
        }

    # ---------------------------------------------------------------------------------------------------- one round

    def generate_round(
        self,
        seeds: Any,
        n: int,
        *,
        requests: int | None = None,
        each: bool = False,
        notes: Mapping[str, str] = MappingProxyType({}),
        number: int | None = None,
        heard: Callable[..., None] = lambda _, __: None,
    ) -> Round:
        """The next round: at most `n` new rows that were made after these seeds and the rows kept so far.

        Args:
            seeds: a `Dataset` or a list of rows, the same shape in all rounds.
            n: most rows to keep.
            requests: requests for tasks; by default as many as give `n` tasks, if all of them are new.
            each: show the seeds in turn, one in each request, instead of drawing from all.
            notes: what is shown beneath the task of a seed, by its id.
            number: of the round, by default the next; a loop that makes nothing in some of its rounds names it.
            heard: is called with each step's requests and answers.

        Raises:
            BackendError: no further request could succeed; every answer so far is kept.
            FolderError: the folder has this round, of other seeds or for another number of rows.
            SchemaError: no seeds, or rows of a shape in which none can be made.
        """
        if n < 1 or (requests is not None and requests < 1):
            raise HfcleanError(f"generate_round(n={n}, requests={requests}): expected at least 1")
        read = self._read(seeds)
        tasks = self.generator.per_request * self.generator.examples
        asked = requests or -(-n // tasks)
        inputs = {"n": n, "requests": asked, "each": each, "seeds": _digest([(s.id, s.row) for s in read.seeds])}
        if notes:
            inputs["notes"] = _digest(dict(notes))
        number = self._next if number is None else number
        if number < self._next:
            raise HfcleanError(f"generate_round(number={number}): expected {self._next} or more")
        found = self._stored(number, inputs)
        if found is None:
            pool = self.pool(read)
            made = wait_for(make_round(self.generator, pool, number, n, asked, each=each, notes=notes), heard)
            found = self._finished(number, inputs, made, read, pool.ignored)
        self._take(found)
        return found

    def adopt(self, seeds: Any) -> None:
        """Take the rounds that the folder has, whatever was asked for in them.

        Raises:
            FolderError: one of them was made of other seeds.
        """
        read = self._read(seeds)
        digest = _digest([(s.id, s.row) for s in read.seeds])
        while (found := self._stored(self._next, {"seeds": digest})) is not None:
            self._take(found)

    def _read(self, seeds: Any) -> Seeds:
        read = seeds if isinstance(seeds, Seeds) else read_seeds(seeds, self.columns, self._form)
        self._form, self.columns = read.form, read.columns
        self._seeds |= {seed.id: seed for seed in read.seeds}
        return read

    def pool(self, read: Seeds) -> Pool:
        """What the next round draws on, and what its rows are compared with."""
        known = Known(self.generator.novelty)
        seeds = {seed.id for seed in read.seeds}
        kept = [seed for seed in self._kept if seed.id not in seeds]
        there = seeds | {seed.id for seed in kept}
        left = [seed for name, seed in self._seeds.items() if name not in there]
        every = (*read.seeds, *left, *kept)
        for seed in every:
            known.add(seed.id, seed.task)
        asked = Counter(digest for done in self.done for digest in done.about["asked"])
        view = read.view
        ids = {row_id(seed.row, view) for seed in every}
        ids |= {same_matter(seed.pair) for seed in every} - {""}
        tried = [as_draft(seed, read.columns) for seed in read.seeds[:FIRST]]
        ignored = left_out(self.generator.filters, tried)
        languages = languages_of([seed.task for seed in read.seeds[:FIRST]])
        return Pool(read, kept, known, ids, self._benchmarks, asked, ignored, languages)

    def _take(self, found: Round) -> None:
        self.done.append(found)
        self._next = found.number + 1
        if len(found.kept):
            self._kept += read_seeds(found.kept, self.columns, self._form).seeds

    # ------------------------------------------------------------------------------------------------- what there is

    @property
    def benchmarks(self) -> Mapping[str, int]:
        """The benchmarks of which no row holds an item, with how many each has."""
        return self._benchmarks.items

    @property
    def kept(self) -> Any:
        """A `Dataset` of all rows so far; None before the first round."""
        return _joined([each.kept for each in self.done])

    @property
    def dropped(self) -> Any:
        """A `Dataset` of all that was dropped so far; None before the first round."""
        return _joined([each.dropped for each in self.done])

    @property
    def first_seeds(self) -> int:
        """How many seeds all rounds had that were not made in them."""
        return len(self._seeds.keys() - {seed.id for seed in self._kept})

    def ledger(self) -> list[dict[str, Any]]:
        """Calls, tokens, money, rows kept and dropped by reason: a line for each round, and the last for them all,
        whose `round` is 0."""
        lines = [
            {
                "round": each.number,
                "seeds": each.about["seeds_count"],
                "tasks": each.about["tasks"],
                "new": each.about["new"],
                "kept": len(each.kept),
                "dropped": dict(each.about["dropped"]),
                **each.about["usage"],
            }
            for each in self.done
        ]
        dropped: Counter[str] = Counter()
        for line in lines:
            dropped.update(line["dropped"])
        counts = {name: sum(line[name] for line in lines) for name in ("tasks", "new", "kept")}
        total = {"round": 0, "seeds": max((line["seeds"] for line in lines), default=0), **counts}
        return [
            *lines,
            {**total, "dropped": dict(sorted(dropped.items())), **summed([each.about["usage"] for each in self.done])},
        ]

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """A value that a loop works out between two rounds: made once, kept in the folder, and read when the program
        is run again.

        Args:
            name: of the value, unique in the loop: letters, digits, `-` and `_`.
            make: gives it, as JSON can hold it.
        """
        return made_once(self.folder, name, make)

    # -------------------------------------------------------------------------------------------------------- folder

    def _stored(self, number: int, inputs: Mapping[str, Any]) -> Round | None:
        """The round of this number, if the folder has it."""
        place = None if self.folder is None else self.folder / f"round-{number:04d}"
        if place is None:
            return None
        recover(place)
        if not place.exists():
            return None
        about = _json(place / ROUND)
        known = about.get("inputs") if isinstance(about, dict) else None
        if not isinstance(known, dict) or not about.keys() >= COUNTED:
            raise FolderError(
                f"{place} is damaged ({ROUND} is not as hfclean writes it); delete it to make the round again"
            )
        odd = [name for name, value in inputs.items() if known.get(name) != value]
        if odd:
            raise FolderError(
                f"{place} was made with other {' and '.join(odd)}; give the same as when it was made, or begin with "
                "another folder"
            )
        try:
            return Round(number, _read_table(place / KEPT), _read_table(place / DROPPED), about)
        except (OSError, ValueError, KeyError) as e:
            raise FolderError(f"{place} is damaged ({e}); delete it to make the round again") from e

    def _finished(
        self, number: int, inputs: Mapping[str, Any], made: Made, read: Seeds, ignored: frozenset[str]
    ) -> Round:
        """The round of what was made, on the disk."""
        ours = {seed.id for seed in read.seeds if seed.made} | {seed.id for seed in self._kept}
        by = self.generator.made_by
        kept = dataset_of([_line(draft, ours, number, by) for draft in made.kept], features_of(read))
        dropped = dataset_of(
            [_line(draft, ours, number, by, why=True) for draft in made.dropped], features_of(read, why=True)
        )
        about = {
            "round": number,
            "inputs": dict(inputs),
            "seeds_count": len(read.seeds),
            "tasks": made.tasks,
            "new": made.new,
            "kept": len(made.kept),
            "dropped": dict(sorted(Counter(draft.reason for draft in made.dropped).items())),
            "left_out": sorted(ignored),
            "usage": made.tally.plain(self.generator.spec.prices),
            "asked": list(made.asked),
        }
        if self.folder is not None:
            import pyarrow.parquet as pq

            with new_folder(self.folder / f"round-{number:04d}", overwrite=False) as place:
                pq.write_table(kept.data.table, place / KEPT)
                pq.write_table(dropped.data.table, place / DROPPED)
                (place / ROUND).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return Round(number, kept, dropped, about)


def made_once(folder: Path | None, name: str, make: Callable[[], Any]) -> Any:
    """A value as `Rounds.once` keeps it in a folder; made anew where there is none."""
    if folder is None:
        return json.loads(json.dumps(make()))
    if not name.replace("-", "").replace("_", "").isalnum() or name == "about":
        raise HfcleanError(f"once({name!r:.60}): expected letters, digits, '-' and '_', and not 'about'")
    file = folder / f"{name}.json"
    recover(file)
    if not file.exists():
        write_text(file, json.dumps(make(), ensure_ascii=False, sort_keys=True) + "\n")
    return _json(file)


def as_draft(seed: Seed, columns: Columns, words: str = "") -> Draft:
    """A seed as if it had been made, in answer to a request with these words."""
    return Draft(seed.task, 0, row=dict(seed.row), pair=seed.pair, columns=columns, words=words)


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _json(file: Path) -> Any:
    try:
        return read_json(file)
    except (OSError, ValueError) as e:
        raise FolderError(f"{file} cannot be read ({e}); delete it, or begin with another folder") from e


def _check_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write what all rounds share, or make sure that it is the same.

    Raises:
        FolderError: it is not, or the folder is none of ours.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        recover(folder / ABOUT)
        others = [each for each in folder.iterdir() if not each.name.startswith(".") and each.name != ABOUT]
        if others and not (folder / ABOUT).exists():
            raise FolderError(f"{folder} has no {ABOUT}, and is not empty; choose another folder for the rounds")
    except (FileExistsError, NotADirectoryError) as e:
        raise FolderError(f"{folder} is a file; choose a folder for the rounds") from e
    wanted = json.loads(json.dumps(about, default=str))
    known = _json(folder / ABOUT) if (folder / ABOUT).exists() else None
    if known is not None and not (isinstance(known, dict) and isinstance(known.get("generator"), dict)):
        raise FolderError(f"{folder / ABOUT} is not as hfclean writes it; choose another folder for the rounds")
    if known is None or not others:  # a run that ended before its first round binds no other
        if known != wanted:
            write_text(folder / ABOUT, json.dumps(wanted, indent=1, sort_keys=True) + "\n")
        return
    odd = sorted(_different(known["generator"], wanted["generator"]))
    odd += [name for name in wanted if name != "generator" and known.get(name) != wanted[name]]
    if odd:
        raise FolderError(
            f"{folder} holds rounds that were made with other settings ({', '.join(odd[:5])}); give the same, or "
            "begin with another folder"
        )


def _different(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in {**known, **wanted} if known.get(name) != wanted.get(name))


# ---------------------------------------------------------------------------------------------------------------- rows


def features_of(read: Seeds, *, why: bool = False) -> Any:
    """The features of made rows: the columns of the seeds' shape, the lineage, and of dropped ones the reason."""
    from datasets import Features, List, Value

    text, ids = Value("string"), List(Value("string"))
    lineage = dict.fromkeys(LINEAGE, text)
    lineage |= {"seed_ids": ids, "parent_ids": ids, "round": Value("int64"), "similarity": Value("float64")}
    return Features({**read.form.features, **lineage, **(dict.fromkeys(WHY, text) if why else {})})


def _line(draft: Draft, ours: set[str], number: int, by: str, *, why: bool = False) -> dict[str, Any]:
    """A row as it is kept, with its lineage."""
    lineage = {
        "made_id": draft.id,
        "seed_ids": [name for name in draft.shown if name not in ours],
        "parent_ids": [name for name in draft.shown if name in ours],
        "round": number,
        "made_by": by,
        "nearest": draft.nearest,
        "similarity": round(draft.similarity, 6),
    }
    reason = {"reason": draft.reason, "detail": draft.detail, "task": draft.task, "answer": draft.answer}
    return {**draft.row, **lineage, **(reason if why else {})}


def dataset_of(rows: Sequence[Mapping[str, Any]], features: Any) -> Any:
    """A `Dataset` in memory, whose table says its features."""
    from datasets import Dataset, DatasetInfo
    from datasets.table import InMemoryTable

    table = table_of(rows, features)
    return Dataset(InMemoryTable(table), info=DatasetInfo(features=features))


def _read_table(file: Path) -> Any:
    import pyarrow.parquet as pq
    from datasets import Dataset
    from datasets.table import InMemoryTable

    return Dataset(InMemoryTable(pq.read_table(file)))


def _joined(parts: Sequence[Any]) -> Any:
    from datasets import concatenate_datasets

    if not parts:
        return None
    filled = [part for part in parts if len(part)] or [parts[0]]
    return filled[0] if len(filled) == 1 else concatenate_datasets(filled)
