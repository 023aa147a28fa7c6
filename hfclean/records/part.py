"""The record of a part: what one machine did to its shard of a dataset, read as if a stranger wrote it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from hfclean.errors import RecordError, SchemaError
from hfclean.layout import Layout
from hfclean.outside_names import SPLIT, is_split
from hfclean.records.common import PART, read_record
from hfclean.records.dataset import read_layout

PART_FORMAT = 1
MOST_SHARDS = 100_000
PLACE = re.compile(rf"(?P<kind>before|after|known|near)/(?P<split>{SPLIT})\.arrow|refused\.arrow")
DIGEST = re.compile(r"[0-9a-f]{64}")
DIGEST_OF_RECORD = "sha256"


@dataclass(frozen=True)
class AboutPart:
    """What the record of a part says.

    Attributes:
        number: which shard it is of, from 1.
        count: how many shards there are.
        version: of hfclean.
        source: `name`, `kind`, `fingerprint`, `rows` by split, `notes` and `card` of the whole source; `identity`,
            which is the same for the same rows; `split` and `config` as they were given.
        layout: how the revisers read rows, and what the columns are called that they add.
        revised: whether there were revisers; else the rows were only scored.
        transforms, failures: as in `hfclean.cleaned.Cleaned`.
        rows: of the part, by split.
        files: path -> SHA-256.
        near: the threshold for which the rows have bands (`hfclean.selection.bands`); None where they have none.
    """

    number: int
    count: int
    version: str
    source: Mapping[str, Any]
    layout: Layout
    revised: bool
    transforms: tuple[Mapping[str, Any], ...]
    failures: tuple[str, ...]
    rows: Mapping[str, int]
    files: Mapping[str, str]
    near: float | None = None

    @property
    def name(self) -> str:
        """The shard, as the command line takes it."""
        return f"{self.number}/{self.count}"

    def record(self) -> dict[str, Any]:
        """As it is written."""
        layout = self.layout
        record: dict[str, Any] = {
            PART: {"format": PART_FORMAT, "number": self.number, "of": self.count, "rows": dict(self.rows)},
            "hfclean": self.version,
            "source": dict(self.source),
            "columns": dict(layout.columns) if isinstance(layout.columns, Mapping) else layout.columns,
            "prefix": layout.prefix,
            "turns": layout.turns,
            "side": layout.side,
            "revised": self.revised,
            "transforms": list(self.transforms),
            "failures": list(self.failures),
            "near": self.near,
            "files": dict(self.files),
        }
        return {**record, DIGEST_OF_RECORD: record_digest(record)}


def record_digest(record: Mapping[str, Any]) -> str:
    """The SHA-256 of a record but for this entry, however it is laid out."""
    rest = {key: value for key, value in record.items() if key != DIGEST_OF_RECORD}
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def is_part(folder: Path) -> bool:
    """Whether a folder is one that `hfclean clean --shard` wrote."""
    try:
        return PART in read_record(folder)
    except (OSError, RecordError):  # whoever needs what it says reads it again and names what is wrong
        return False


def read_about_part(folder: Path) -> AboutPart:
    """What the record of a folder says of a part.

    Raises:
        OSError: there is no record, or it cannot be read.
        RecordError: it is damaged, of another version, does not describe a part, or differs from what hfclean writes.
            Its message goes on after the name of the record.
    """
    try:
        record = read_record(folder)
    except RecordError as e:
        raise RecordError(f"{e}: copy it anew, or run its shard again") from e
    if PART not in record:
        raise RecordError("describes no part; expected a folder that hfclean clean --shard K/N wrote")
    part = record[PART]
    if not isinstance(part, dict) or part.get("format") != PART_FORMAT:
        version = part.get("format") if isinstance(part, dict) else part
        raise RecordError(f"has the format {version!r:.20} of parts, and this version reads {PART_FORMAT}")
    if wrong := _wrong(record, part):
        raise RecordError(f"is not as hfclean writes it ({wrong}): copy it anew, or run its shard again")
    if record.get(DIGEST_OF_RECORD) != record_digest(record):
        raise RecordError(
            "was changed after it was written: its entries do not give its SHA-256. Copy it anew, or run hfclean "
            f"clean --shard {part['number']}/{part['of']} again"
        )
    try:
        layout = replace(read_layout(record), turns=record["turns"], side=record["side"])
    except SchemaError as e:
        raise RecordError(f"is not as hfclean writes it ({e})") from None
    return AboutPart(
        part["number"],
        part["of"],
        record["hfclean"],
        record["source"],
        layout,
        record["revised"],
        tuple(record["transforms"]),
        tuple(record["failures"]),
        part["rows"],
        record["files"],
        record["near"],
    )


def _wrong(record: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """The first entry that hfclean would not write; empty where there is none."""
    number, count, source, files = part.get("number"), part.get("of"), record.get("source"), record.get("files")
    if not (_is_count(number) and _is_count(count) and 1 <= number <= count <= MOST_SHARDS):  # type: ignore[operator]
        return f"{number!r:.20} of {count!r:.20} is not a shard"
    if not isinstance(source, dict) or not isinstance(files, dict):
        return "source or files is not an object"
    for rows in (part.get("rows"), source.get("rows")):
        if not isinstance(rows, dict) or not all(is_split(s) and _is_count(n) for s, n in rows.items()):
            return "rows are not numbers by split"
    if list(part["rows"]) != list(source["rows"]):
        return "the part and its source have other splits"
    if odd := [key for key in ("name", "kind", "fingerprint", "identity") if not isinstance(source.get(key), str)]:
        return f"source has no text for {odd[0]}"
    if odd := [key for key in ("split", "config", "card") if not isinstance(source.get(key), (str, type(None)))]:
        return f"{odd[0]} of source is neither a text nor null"
    for texts in (source.get("notes"), record.get("failures")):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return "notes or failures are not lists of texts"
    if not isinstance(record.get("hfclean"), str) or not isinstance(record.get("revised"), bool):
        return "hfclean is not a version, or revised neither true nor false"
    if not {"turns", "side"} <= record.keys():
        return "turns or side is missing"
    steps = record.get("transforms")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return "transforms is not a list of objects"
    for path, digest in files.items():
        if not PLACE.fullmatch(path) or not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            return f"files has {path[:80]!r}, which hfclean would not write"
    near = record.get("near", "missing")
    if near is not None and (isinstance(near, bool) or not isinstance(near, (int, float)) or not 0 < near <= 1):
        return f"near is {near!r:.20}, neither a threshold nor null"
    kinds = ("before", "after") if near is None else ("before", "after", "near")
    needed = [f"{kind}/{split}.arrow" for split in source["rows"] for kind in kinds]
    missing = [path for path in needed if path not in files]
    return f"files lacks {missing[0]}" if missing else ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
