"""A dataset that was read, and what is known of where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any


@dataclass(frozen=True)
class Source:
    """A loaded dataset and what is known of where it came from.

    Attributes:
        dataset: a `DatasetDict`, one entry per split.
        name: a Hub id, or the base name of a file or folder; never a full path.
        kind: `file`, `folder`, `disk` or `hub`.
        fingerprint: SHA-256 of a file or files, the commit of a Hub dataset, else the fingerprint that `datasets`
            gives.
        card: the text of the README.md that came with it, or `None`.
        notes: what had to be changed to read it, for people.
    """

    dataset: Any
    name: str
    kind: str
    fingerprint: str
    card: str | None = None
    notes: tuple[str, ...] = ()


def as_dict(dataset: Any, split: str | None = None) -> Any:
    from datasets import Dataset, DatasetDict

    return DatasetDict({split or str(dataset.split or "train"): dataset}) if isinstance(dataset, Dataset) else dataset


def fingerprint_of(dataset: Any) -> str:
    digest = sha256()
    for split, part in sorted(dataset.items()):
        digest.update(f"{split}\0{part._fingerprint}\0".encode())
    return digest.hexdigest()


def reason_of(error: BaseException) -> str:
    """The first line of the innermost error, which is the informative one."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else 'no message'}"
