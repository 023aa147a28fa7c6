"""Forgetting: rows of a cleaned folder, purged from all that hfclean keeps of them on this machine."""

from __future__ import annotations

import json
import mmap
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hfclean import kept_parts
from hfclean.cleaned import Cleaned, as_it_came
from hfclean.durable import scratch_folder
from hfclean.errors import RecoveryWarning, SourceError
from hfclean.folder import LEDGER, CleanedFolder, read_folder, write_folder
from hfclean.layout import Layout
from hfclean.models.store import default_path, open_store
from hfclean.outside_names import has_text_path
from hfclean.ownership import is_own
from hfclean.passes import column_batches, iterate
from hfclean.provenance import HISTORY, added_columns, parse_history
from hfclean.report.formatting import plural
from hfclean.restoration import originals, restore
from hfclean.reviser.codec import FIELDS, encode
from hfclean.reviser.masked_texts import masked_file, open_masked
from hfclean.rules.row_texts import texts_of
from hfclean.schema import Pair
from hfclean.scorers.judge_prompt import frame
from hfclean.source import Source
from hfclean.verdicts import Event, read_events, verdicts_path
from hfclean.verdicts.purging import names_in, purge, unnamed_rows, unnamed_steps

LONG = 40  # characters: a text of as many that no other row has is known by itself, a shorter one with its neighbours
REASON = "removed_reason"
ESCAPES = re.compile(r"\\(?:[nrtbf\"\\/]|u[0-9A-Fa-f]{4})|\W+")
OUT_OF_REACH = (
    "the source of the folder, and other folders, files and caches of datasets made of the same rows",
    "the Hub, if the folder was pushed: push it again, and delete the history there (super_squash_history of "
    "huggingface_hub, or the repo)",
    "other files of answers (--store), what a model's server keeps, backups, and blocks that the disk has freed",
)


@dataclass(frozen=True)
class Forgotten:
    """What was purged.

    Attributes:
        folder: that was rewritten.
        rows: from the data.
        removed: from the rows that had been dropped.
        changes: from the ledger.
        refused: from the refused revisions.
        masked: entries from the file of masked texts.
        answers: from the file of answers.
        parts: files that stopped runs had left.
        verdicts: lines of files of verdicts, those of people with them.
        notes: what else is known of the texts here, one sentence each.
    """

    folder: Path
    rows: int
    removed: int
    changes: int
    refused: int
    masked: int
    answers: int
    parts: int
    notes: tuple[str, ...] = ()
    verdicts: int = 0


def forget(
    folder: str | Path,
    row_ids: str | Sequence[str] = (),
    *,
    store: str | Path | None = None,
    verdicts: str | Path | Sequence[str | Path] = (),
    people: str | Sequence[str] = (),
) -> Forgotten:
    """Purge rows, or people who decided, from a cleaned folder and from what hfclean keeps of them on this machine. It
    cannot be undone.

    They go from the data, the dropped rows, the ledger, the refused revisions, the report with its figures and
    pictures, and the card; from the file of masked texts; from the answers of models whose request or text holds a
    text of theirs; from the parts that stopped runs left; and from files of verdicts. All other rows keep their
    values. The folder is replaced as a whole, last of all: after a kill the same call goes on.

    The events of `people` go from the files of verdicts, and their names from other people's events and from the
    folder, where `hfclean apply --names` wrote them. What they decided stays in the rows: apply it first.

    A text of at least 40 characters that no other row of the folder has finds an answer by itself. Shorter ones find
    it together: instruction, input and response in one request. So does a pair that lacks its instruction or
    its response, in the forms in which revisers and judges show it to models.

    Args:
        folder: that hfclean wrote.
        row_ids: as in the column `row_id`; an id of several rows means all of them.
        store: the file of answers; by default the one in `HFCLEAN_HOME`.
        verdicts: files of verdicts, beside the one that lies beside the folder (`hfclean.verdicts.verdicts_path`).
        people: as they called themselves when they decided.

    Returns:
        what was purged. What cannot be reached from here is in `OUT_OF_REACH`.

    Raises:
        SourceError: no row, nor verdict, has the id or the name; no row would be left; or a file of verdicts cannot be
            read.
        FolderError: not a folder of hfclean's, or it cannot be written.
        StoreError, HfcleanError: answers or masked texts cannot be deleted; the folder is as it was.
    """
    path = Path(folder).expanduser()
    ids = tuple(dict.fromkeys([row_ids] if isinstance(row_ids, str) else row_ids))
    names = tuple(dict.fromkeys([people] if isinstance(people, str) else people))
    if not ids and not names:
        raise SourceError("nothing to forget: name rows by their ids, or people")
    files = _verdict_files(path, [verdicts] if isinstance(verdicts, (str, Path)) else verdicts)
    events = read_events(*files)
    parent = path.resolve().parent
    with scratch_folder("forget", parent if has_text_path(parent) else None) as cache:
        old = read_folder(path, cache_dir=cache)
        is_ours = is_own(path)
        _check_people(names, old, events)
        gone = _Gone.of(old, ids, {event.row_id for event in events}, names)
        answers, note = _purge_answers(gone, store) if gone.rows or gone.dropped else (0, "")
        parts = _purge_parts(gone)
        kept = open_masked(create=False) if gone.masked else None
        masked = kept.delete(gone.masked) if kept else 0
        deleted = sum(sum(purge(file, rows=ids, people=names)) for file in files)
        changes, ledger = _left_of_ledger(path / LEDGER, ids)
        if gone.rows or gone.dropped or gone.refusals or changes or gone.named:
            _rewrite(path, old, gone, ledger, is_ours)
    notes = tuple(filter(None, (note, _not_here(len(gone.masked) - masked), gone.note, _beside(path.resolve()))))
    return Forgotten(path, gone.rows, gone.dropped, changes, gone.refusals, masked, answers, parts, notes, deleted)


def _verdict_files(folder: Path, given: Sequence[str | Path]) -> list[Path]:
    """The files of verdicts: those that were named, and the one beside the folder."""
    beside = verdicts_path(folder)
    files = [Path(file).expanduser() for file in given] + ([beside] if beside.is_file() else [])
    return list({file.resolve(): file for file in files}.values())


def _check_people(names: Sequence[str], old: CleanedFolder, events: Sequence[Event]) -> None:
    """Refuse names that nobody has who decided.

    Raises:
        SourceError: it names one of them.
    """
    known = {event.who for event in events}.union(*map(names_in, old.about["transforms"]))
    if missing := [name for name in names if name not in known]:
        raise SourceError(
            f"nobody called {missing[0]!r} decided about {old.path.name!r}; expected a name as it stands in the files "
            f"of verdicts, which hold {len(known):,}. Nothing was changed"
        )


@dataclass(frozen=True)
class _Gone:
    """The rows that are forgotten, and what is left."""

    data: Any
    removed: Any | None
    refused: Any | None
    rows: int
    dropped: int
    refusals: int
    texts: tuple[str, ...]
    pairs: tuple[tuple[str, ...], ...]
    alone: tuple[tuple[str, ...], ...]
    masked: frozenset[str]
    note: str
    steps: tuple[dict[str, Any], ...]
    named: bool

    @classmethod
    def of(cls, old: CleanedFolder, ids: Sequence[str], judged: Collection[str], people: Sequence[str]) -> _Gone:
        name, history = old.layout.own("row_id"), old.layout.own(HISTORY)
        wanted, known = set(ids), _ids_of(old, name).union(judged)
        if missing := [each for each in ids if each not in known]:
            raise SourceError(_unknown(missing, known, old.path.name))
        data, rows = _split(old.dataset, name, wanted)
        removed, dropped = _split(old.removed, name, wanted) if old.removed is not None else (None, None)
        refused, refusals = _split({"": old.refused}, "row_id", wanted) if old.refused is not None else (None, None)
        if not any(len(part) for part in data.values()):
            raise SourceError(f"these are all rows of {old.path.name!r}; delete the folder instead")
        left = [*data.values(), *(removed or {}).values()]
        states = [state for part in (*rows.values(), *(dropped or {}).values()) for state in _states(part, old.layout)]
        texts = {text for state in states for row in state for text in _texts(row, old.layout)}
        for row in (row for part in (refusals or {}).values() for row in part):
            texts |= {row["before"].strip(), row["proposed"].strip()}
        pairs: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        for pair in (pair for state in states for row in state for pair in _pairs(row, old.layout)):
            pairs.setdefault(_stripped(pair), set()).add(pair)
        names = _masked_names(rows.values(), history) | _masked_names((dropped or {}).values(), history)
        texts = {text for text in texts if len(text) >= LONG}
        for part in left:
            for each in iterate(part, part.column_names):
                for row in each:
                    texts.difference_update(_texts(row, old.layout))
                    for pair in _pairs(row, old.layout):
                        pairs.pop(_stripped(pair), None)
        kept = {split: unnamed_rows(part, people) for split, part in (removed or {}).items() if len(part)}
        steps = unnamed_steps(old.about["transforms"], people)
        is_named = [*steps] != [*old.about["transforms"]] or any(
            part is not (removed or {})[split] for split, part in kept.items()
        )
        return cls(
            type(old.dataset)(data),
            type(old.dataset)(kept) if kept else None,
            (refused[""] if len(refused[""]) else None) if refused else None,
            _count(rows),
            _count(dropped),
            _count(refusals),
            tuple(texts),
            tuple(tuple(filter(None, pair)) for pair in pairs if pair[0] and pair[2]),
            tuple(given for pair in pairs if not (pair[0] and pair[2]) for given in pairs[pair]),
            frozenset(names - _masked_names(left, history)),
            _twins(ids, known.difference(ids)),
            steps,
            is_named,
        )


def _not_here(count: int) -> str:
    """What was masked of these rows and is kept elsewhere: the texts by which answers are found are then unknown."""
    return (
        f"{plural(count, 'masked text')} of these rows {'is' if count == 1 else 'are'} not in {masked_file()}: run "
        "this where they were masked, for what is kept there; answers that hold them were not found here"
        if count
        else ""
    )


def _beside(path: Path) -> str:
    """What interrupted runs left of the folder, under names that people see."""
    found = sorted(
        each.name for kind in ("replaced", "unfinished") for each in path.parent.glob(f"{path.name}.{kind}-*")
    )
    return (
        f"{', '.join(map(repr, found))} lies beside the folder, where an interrupted run left it: delete it"
        if found
        else ""
    )


def _count(parts: Mapping[str, Any] | None) -> int:
    return sum(map(len, (parts or {}).values()))


def _ids_of(old: CleanedFolder, name: str) -> set[str]:
    parts = [*old.dataset.values(), *(old.removed or {}).values()]
    parts = [part for part in parts if name in part.column_names]
    if not parts:
        raise SourceError(
            f"the rows of {old.path.name!r} have no ids, since no reviser went over them: clean it first"
        )
    return {str(cell) for part in parts for batch in column_batches(part, [name]) for cell in batch[name]}


def _unknown(missing: Sequence[str], known: Collection[str], folder: str) -> str:
    nearest = get_close_matches(missing[0], list(known)[:50_000], 1, 0.75) if len(known) <= 50_000 else []
    hint = f"the nearest is {nearest[0]!r}" if nearest else f"{len(known):,} ids stand in the column row_id"
    more = f" (nor {len(missing) - 1:,} others)" if missing[1:] else ""
    return f"no row of {folder!r} has the id {missing[0]!r}{more}; {hint}. Nothing was changed"


def _split(parts: Mapping[str, Any], name: str, wanted: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows that stay, and those that go."""
    stay, go = {}, {}
    for split, part in parts.items():
        cells = [cell for batch in column_batches(part, [name]) for cell in batch.get(name, [])]
        hits = [k for k, cell in enumerate(cells) if cell in wanted]
        if hits:
            others = sorted(set(range(len(part))).difference(hits))
            stay[split], go[split] = part.select(others), part.select(hits)
        else:
            stay[split] = part
    return stay, go


def _states(part: Any, layout: Layout) -> Iterator[list[dict[str, Any]]]:
    """The rows as they are, as they were before all steps, and as they were before they were masked."""
    part = part.remove_columns([name for name in (REASON,) if name in part.column_names]).with_format(None)
    yield part.to_list()
    if layout.own(HISTORY) in part.column_names:
        yield originals(part, prefix=layout.prefix).to_list()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecoveryWarning)  # what is not here need not be found here
            yield restore(part, prefix=layout.prefix).to_list()


def _texts(row: Mapping[str, Any], layout: Layout) -> set[str]:
    steps = parse_history(row.get(layout.own(HISTORY))) or ()
    ours = set(added_columns(steps, layout.prefix))
    return {found.text.strip() for found in texts_of(row, [name for name in row if name not in ours])}


def _pairs(row: Mapping[str, Any], layout: Layout) -> Iterator[tuple[str, ...]]:
    """Instruction, input and response of each pair in which there is any text."""
    view = layout.view(tuple(row))
    for pair in view.pairs(row, turns="all", side="both"):
        texts = (pair.instruction, pair.input, pair.response)
        if any(map(str.strip, texts)):
            yield texts


def _stripped(pair: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(str.strip, pair))


def _masked_names(parts: Collection[Any], history: str) -> set[str]:
    return {
        step.masked
        for part in parts
        for batch in (column_batches(part, [history]) if history in part.column_names else ())
        for text in batch[history]
        for step in parse_history(text) or ()
        if step.masked
    }


def _twins(ids: Sequence[str], others: Collection[str]) -> str:
    bases = {each.partition("-")[0] for each in ids}
    found = sorted(each for each in others if each.partition("-")[0] in bases)
    if not found:
        return ""
    return (
        f"{plural(len(found), 'other row')} of the same text stays in the folder, with what is kept of it: "
        f"{' '.join(found[:5])}{' ...' if found[5:] else ''}"
    )


# ------------------------------------------------------------------------------------------------------ what is kept


def _purge_answers(gone: _Gone, store: str | Path | None) -> tuple[int, str]:
    place = Path(store).expanduser() if store is not None else default_path()
    if not place.exists():
        return 0, ""
    opened = open_store(place)
    plain = [text for text in map(_bare, gone.texts) if len(text) >= LONG // 2]  # nothing is left of a line of dashes
    whole = [[re.compile(rf"(?<!\w){re.escape(part)}(?!\w)") for part in pair] for pair in gone.pairs]
    shown = [form for pair in gone.alone for form in _shown(pair)]
    keys = []
    for answer in opened.rows():
        asked = "\n".join(_strings(answer["messages"]))
        both = _bare(f"{asked}\n{answer['text']}")
        if (
            any(text in both for text in plain)
            or any(form in asked for form in shown)
            or any(all(part.search(asked) for part in pair) for pair in whole)
        ):
            keys.append(bytes.fromhex(str(answer["key"])))
    deleted, is_clear = opened.delete(keys)
    note = "another process has the file of answers open: its log holds them until that ends; run this again then"
    return deleted, "" if is_clear else note


def _shown(pair: tuple[str, ...]) -> tuple[str, ...]:
    """A pair as revisers and judges show it to models, its empty fields with it, by which one short text is known."""
    instruction, given, response = pair
    judged = [(name.capitalize(), text) for name, text in zip(FIELDS, pair, strict=True) if text or name != "input"]
    as_json = json.dumps(dict(zip(FIELDS, pair, strict=True)), ensure_ascii=False)
    return encode(Pair(instruction, given, response)), as_json, frame(judged)


def _bare(text: str) -> str:
    """A text without what quoting and layout change in it."""
    return ESCAPES.sub("", text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _purge_parts(gone: _Gone) -> int:
    """Delete the parts that stopped runs left in which a row is; the same command makes them again."""
    wanted = (*gone.texts, *(max(pair, key=len).strip() for pair in (*gone.pairs, *gone.alone)))
    texts = [text.encode("utf-8", "surrogatepass") for text in wanted]
    count = 0
    for file in kept_parts.files():
        if file.stat().st_size:
            with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                holds = any(content.find(text) >= 0 for text in texts)
            if holds:
                file.unlink(missing_ok=True)
                count += 1
    return count


# -------------------------------------------------------------------------------------------------------- the folder


def _left_of_ledger(file: Path, ids: Sequence[str]) -> tuple[int, Any]:
    """How many changes go, and the others."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not file.is_file():
        return 0, None
    table = pq.read_table(file)
    goes = pc.is_in(table.column("row_id"), value_set=pa.array(list(ids), table.schema.field("row_id").type))
    return pc.sum(goes).as_py() or 0, table.filter(pc.invert(goes))


def _rewrite(path: Path, old: CleanedFolder, gone: _Gone, ledger: Any, is_ours: bool) -> None:
    about = old.about
    source, stated = about["source"], about["stated"]
    whole = as_it_came(gone.data, gone.removed, old.layout.prefix)
    write_folder(
        path,
        Cleaned(gone.data, gone.removed, gone.steps, refused=gone.refused),
        before=whole,
        source=Source(
            whole,
            source["name"],
            source["kind"],
            "" if gone.rows or gone.dropped else source["fingerprint"],
            old.card,
            tuple(source["notes"]),
        ),
        layout=old.layout,
        overwrite=True,
        license=stated["license"],
        language=stated["language"],
        source_id=stated["source"],
        own=is_ours,
        scored=gone.data,
        ledger=ledger,
    )
