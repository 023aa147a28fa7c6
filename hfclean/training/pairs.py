"""Pairs that teach a reviser: raw and revised text in one form, from any source of revisions by people or models.

A pair is a row of `raw_instruction`, `raw_input`, `raw_output`, `revised_instruction`, `revised_input` and
`revised_output`, the columns in which CoachLM's experts' revisions are published. It may come from

* a revised dataset that `hfclean.restore` could put back: its original text and today's;
* a cleaned folder, or its `ledger.parquet` with the data beside it: the same;
* verdicts on such rows, as JSON lines of `row_id`, `verdict` and, where a person wrote a better text, that text;
* a preference set: the rejected answer and the chosen one to the same question.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hfclean.errors import ColumnError, RecordError, SourceError
from hfclean.layout import Layout
from hfclean.provenance import HISTORY, Step, original_cells, parse_history
from hfclean.records.common import ABOUT, read_record
from hfclean.records.dataset import read_layout
from hfclean.schema import Columns, Pair, PreferenceView, View
from hfclean.verdicts import Event, RowVerdicts, read_events, row_verdicts
from hfclean.verdicts.events import hashes, parsed

COLUMNS = (
    *("raw_instruction", "raw_input", "raw_output"),
    *("revised_instruction", "revised_input", "revised_output"),
)
LEDGER = "ledger.parquet"
_Given = str | Path | Iterable[str | Path | Mapping[str, Any]] | None


class Sides(NamedTuple):
    """A pair before and after."""

    raw: Pair
    revised: Pair


def pair_of(row: Mapping[str, Any]) -> Sides:
    """The two sides of a row in the form of pairs.

    Raises:
        ColumnError: it is not a row, or a column is missing or holds no text.
    """
    if not isinstance(row, Mapping):
        raise ColumnError(f"a pair is a {type(row).__name__}; expected a row with the columns {', '.join(COLUMNS)}")
    missing = [name for name in COLUMNS if name not in row and not name.endswith("_input")]
    if missing:
        raise ColumnError(
            f"no column {missing[0]!r} (found: {', '.join(map(str, row))[:200]}); expected the rows before and after "
            f"an expert revised them, {', '.join(COLUMNS)}; hfclean.revision_pairs makes them"
        )
    cells: dict[str, Any] = {name: row.get(name) for name in COLUMNS}
    texts = {name: "" if text is None else text for name, text in cells.items()}
    odd = next((name for name, text in texts.items() if not isinstance(text, str)), None)
    if odd:
        raise ColumnError(f"column {odd!r} holds {type(texts[odd]).__name__} {str(texts[odd])[:40]!r}; expected text")
    return Sides(
        Pair(texts["raw_instruction"], texts["raw_input"], texts["raw_output"]),
        Pair(texts["revised_instruction"], texts["revised_input"], texts["revised_output"]),
    )


def revision_distance(row: Mapping[str, Any]) -> int:
    """How much a pair was revised: the Levenshtein distance between its two sides, in characters, 0 and up.

    The sides are written as CoachLM writes them, `Instruction: ... Input: ... Response: ...`, without the input where
    there is none, so that its published distances come out.

    Source: CoachLM, arXiv 2311.13246.
    """
    from rapidfuzz.distance import Levenshtein

    raw, revised = pair_of(row)
    return Levenshtein.distance(_flat(raw), _flat(revised))


def _flat(pair: Pair) -> str:
    parts = [f"Instruction: {pair.instruction}"]
    if pair.input:
        parts.append(f"Input: {pair.input}")
    return " ".join([*parts, f"Response: {pair.response}"])


@dataclass(frozen=True)
class Revisions:
    """Pairs, and the rows that could not become one.

    Attributes:
        rows: a `Dataset` with the columns of pairs, and `row_id` where the source has ids.
        left_out: reason -> rows: `no_single_turn` (a conversation of several turns, or with a system prompt),
            `not_revised`, `rejected`, `unjudged`, `failed`, `returned`; by people's verdicts also `excluded`,
            `flagged`, `conflict` (two people disagree), `stale` (the row is not what was judged), and `removed` (it
            was dropped).
    """

    rows: Any
    left_out: dict[str, int]


def revision_pairs(
    source: Any,
    *,
    verdicts: _Given = None,
    unchanged: bool = False,
    columns: Columns = None,
    prefix: str = "",
) -> Revisions:
    """Pairs for `train_reviser`, from revised data.

    Args:
        source: a `Dataset` or `DatasetDict` that was revised, that holds preferences (chosen, rejected), or that holds
            pairs already; or the folder of `hfclean clean`, its `ledger.parquet` (only the rows that it names), or a
            file of pairs, as JSON lines or parquet.
        verdicts: of people, as files of JSON lines, or as dicts: `row_id`, `verdict` (`accept`: the revision is right,
            or the text in `texts`; `reject`: it is not, the original stands; `edit`: the texts given are right), and
            for `edit` one or more of `instruction`, `input`, `output`, or `text`, which is the output; or what
            `hfclean.verdicts.VerdictLog` writes. With verdicts, only judged rows are taken. The last verdict of a
            person on a row counts, an owner's over all others, and rows on which people disagree are left out.
        unchanged: also give the rows that a reviser or a person found right as they were, as pairs of equal sides.
            They teach a reviser to leave good rows alone; see `near_identity` of `train_reviser`.
        columns, prefix: as the revisers were given them.

    Raises:
        SourceError: no such file, a verdict that cannot be read, or one on a missing row.
        ColumnError: rows that hold neither revisions nor preferences nor pairs.
        SchemaError: rows of no known shape.

    >>> row = {"prompt": "Name a fruit.", "chosen": "An apple.", "rejected": "a aple"}
    >>> import hfclean
    >>> from datasets import Dataset
    >>> hfclean.revision_pairs(Dataset.from_list([row])).rows[0]["revised_output"]
    'An apple.'
    """
    from datasets import Dataset

    judged = _verdicts(verdicts)
    found: list[dict[str, str]] = []
    left_out: Counter[str] = Counter()
    seen: set[str] = set()
    for source_part in _parts(source, _Reading(judged, unchanged, Layout(columns, prefix))):
        part, reading = source_part.rows.with_format(None), source_part.reading
        if source_part.only is not None:
            names = part[reading.layout.own("row_id")]
            part = part.select([k for k, name in enumerate(names) if name in source_part.only])
        for pair, reason in _read(part, reading, seen):
            if pair is None:
                left_out[reason] += 1
            else:
                found.append(pair)
    gone = set(judged or ()) - seen
    excluded = {name for name in gone if judged and judged[name].state() == "excluded"}
    dropped = _dropped(source, gone - excluded, prefix)
    left_out.update({"excluded": len(excluded), "removed": len(dropped)})
    left_out = +left_out
    lost = sorted(gone - excluded - dropped)
    if lost:
        raise SourceError(
            f"{len(lost)} verdicts are on rows that do not exist, such as {lost[0]!r}; give the dataset that was "
            "judged, with its column row_id"
        )
    if not found:
        return Revisions(Dataset.from_dict({name: [] for name in COLUMNS}), dict(left_out))
    return Revisions(Dataset.from_list(found), dict(left_out))


class _Reading(NamedTuple):
    """How rows are read: people's verdicts on them, and where hfclean's columns are."""

    verdicts: Mapping[str, RowVerdicts] | None
    unchanged: bool
    layout: Layout


class _Part(NamedTuple):
    """A dataset of a source, how to read it, and which of its rows to use; None for all."""

    rows: Any
    reading: _Reading
    only: frozenset[str] | None = None


def _parts(source: Any, reading: _Reading) -> Iterator[_Part]:
    if isinstance(source, (str, Path)):
        yield _file(Path(source).expanduser(), reading)
    elif isinstance(source, Mapping):
        yield from (_Part(part, reading) for part in source.values())
    elif hasattr(source, "select"):
        yield _Part(source, reading)
    else:
        from datasets import Dataset

        rows = list(source) if isinstance(source, Iterable) else [source]
        odd = next((row for row in rows if not isinstance(row, Mapping)), None)
        if odd is not None or source is None:
            raise SourceError(
                f"pairs of {type(odd).__name__}: expected a Dataset, a list of dicts, a folder of hfclean clean, or a "
                "file of pairs"
            )
        try:
            dataset = Dataset.from_list(rows) if rows else None
        except UnicodeEncodeError as e:
            raise SourceError(f"a pair holds half a surrogate pair, which is not text ({e}); take it out") from e
        if dataset is not None:
            yield _Part(dataset, reading)


def _file(path: Path, reading: _Reading) -> _Part:
    if not path.exists():
        raise SourceError(
            f"no file or folder {str(path)!r}; expected a cleaned folder, ledger.parquet, or pairs.jsonl"
        )
    if path.is_dir() or path.name == LEDGER:
        folder = path if path.is_dir() else path.parent
        files = [str(file) for file in sorted((folder / "data").glob("*.parquet"))]
        if not files:
            raise SourceError(f"{str(folder)!r} has no data/*.parquet; expected a folder that hfclean clean wrote")
        only = None
        if path.name == LEDGER:
            only = frozenset(_loaded("parquet", path, [str(path)])["row_id"])
        return _Part(_loaded("parquet", folder, files), _as_cleaned(folder, reading), only)
    kind = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}.get(path.suffix)
    if kind is None:
        raise SourceError(f"{path.name!r}: pairs come as .jsonl, .json or .parquet; convert it, or load it yourself")
    return _Part(_loaded(kind, path, [str(path)]), reading)


def _dropped(source: Any, wanted: Collection[str], prefix: str) -> set[str]:
    """Those of some ids that are of rows which were dropped from a cleaned folder."""
    if not wanted or not isinstance(source, (str, Path)):
        return set()
    path = Path(source).expanduser()
    folder = path if path.is_dir() else path.parent
    files = [str(file) for file in sorted((folder / "removed").glob("*.parquet"))]
    name = _as_cleaned(folder, _Reading(None, False, Layout(prefix=prefix))).layout.own("row_id")
    names = _loaded("parquet", folder, files) if files else None
    return set() if names is None or name not in names.column_names else {*wanted}.intersection(names[name])


def _loaded(kind: str, path: Path, files: list[str]) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    try:
        return load_dataset(kind, data_files=files, split="train")
    except (DatasetGenerationError, StopIteration, OSError, ValueError) as e:
        cause = " ".join(str(e.__cause__ or e).split())[:200] or "it is empty"
        raise SourceError(f"{path.name!r} cannot be read: {cause}; repair or delete what is wrong") from e


def _as_cleaned(folder: Path, reading: _Reading) -> _Reading:
    """With the columns and the prefix that the folder was cleaned with, if none were given."""
    try:
        recorded = read_layout(read_record(folder))
    except OSError:
        return reading
    except RecordError as e:
        raise SourceError(f"{ABOUT} of {folder.name!r} is not as hfclean writes it: it {e}") from e
    columns = recorded.columns if reading.layout.columns is None else reading.layout.columns
    return reading._replace(layout=Layout(columns, reading.layout.prefix or recorded.prefix))


def _verdicts(given: _Given) -> dict[str, RowVerdicts] | None:
    """row id -> what people say of the row."""
    if given is None:
        return None
    events: list[Event] = []
    for number, entry in enumerate([given] if isinstance(given, (str, Path)) else given, start=1):
        if isinstance(entry, (str, Path)):
            events += read_events(entry)
            continue
        try:
            events.append(parsed(entry))
        except ValueError as e:
            raise SourceError(f"verdict {number} {e}") from e
    return row_verdicts(events)


def _read(part: Any, reading: _Reading, seen: set[str]) -> Iterator[tuple[dict[str, str] | None, str]]:
    """The pair of each row, or why there is none."""
    names = tuple(part.column_names)
    if set(COLUMNS) - {"raw_input", "revised_input"} <= set(names):
        for row in part:
            yield _row(*pair_of(row), row.get("row_id")), ""
        return
    history = reading.layout.own(HISTORY)
    view = reading.layout.view(names)
    if history in names:
        for row in part:
            seen.add(str(row.get(reading.layout.own("row_id"))))
            yield _revised(row, view, reading)
        return
    if not isinstance(view, PreferenceView):
        raise ColumnError(
            f"rows with {', '.join(names)[:200]} hold neither revisions nor preferences; expected a dataset that "
            f"hfclean revised (with {history!r}), chosen and rejected, or pairs with {', '.join(COLUMNS)}"
        )
    for row in part:
        yield _preferred(row, view)


def _preferred(row: Mapping[str, Any], view: View) -> tuple[dict[str, str] | None, str]:
    chosen = view.targets(row, side="chosen")
    rejected = view.targets(row, side="rejected")
    if not chosen or not rejected or not (_is_plain(chosen[-1].pair) and _is_plain(rejected[-1].pair)):
        return None, "no_single_turn"
    return _row(rejected[-1].pair, chosen[-1].pair), ""


def _revised(row: Mapping[str, Any], view: View, reading: _Reading) -> tuple[dict[str, str] | None, str]:
    name = str(row.get(reading.layout.own("row_id")))
    judged = reading.verdicts.get(name) if reading.verdicts is not None else None
    if reading.verdicts is not None and judged is None:
        return None, "unjudged"
    now = hashes(row, view, reading.layout)
    decision = judged.decision(now) if judged else None
    if judged and (decision is None or decision.verdict in ("return", "exclude")):
        state = judged.state(now)
        return None, "unjudged" if state in ("todo", "skipped") else state
    cells = _decided(row, view, decision)
    targets, first = view.targets(cells), view.targets(original_cells(row, reading.layout.prefix))
    if len(targets) != 1 or len(first) != 1 or not _is_plain(targets[0].pair):
        return None, "no_single_turn"
    raw, revised = first[0].pair, targets[0].pair
    if decision is not None and decision.verdict == "reject":
        stands = raw == revised or not decision.keeps_text
        return (_row(raw, raw, name), "") if reading.unchanged and stands else (None, "rejected")
    if decision is None:
        last = (parse_history(row[reading.layout.own(HISTORY)]) or ())[-1:]
        if any(step.edit == "failed" for step in last):
            return None, "failed"
        if any(step.by == "Verdict" and "returned" in step.reasons for step in _revisions(row, reading)[-1:]):
            return None, "returned"
    if raw == revised and not reading.unchanged:
        return None, "not_revised"
    return _row(raw, revised, name), ""


def _revisions(row: Mapping[str, Any], reading: _Reading) -> list[Step]:
    """The steps of a row that could change its text."""
    return [step for step in parse_history(row[reading.layout.own(HISTORY)]) or () if step.is_revision]


def _decided(row: Mapping[str, Any], view: View, decision: Event | None) -> Mapping[str, Any]:
    """The row with the texts of a person's decision."""
    if decision is None:
        return row
    try:
        return decision.edited(row, view)
    except ValueError as e:
        raise SourceError(
            f"the {decision.verdict} of {decision.row_id!r} cannot be applied: {e}; correct or delete it"
        ) from e


def _is_plain(pair: Pair) -> bool:
    return not pair.history and not pair.system


def _row(raw: Pair, revised: Pair, name: Any = None) -> dict[str, str]:
    texts: Sequence[str] = (
        *(raw.instruction, raw.input, raw.response),
        *(revised.instruction, revised.input, revised.response),
    )
    found = dict(zip(COLUMNS, texts, strict=True))
    return {**found, "row_id": name} if isinstance(name, str) else found
