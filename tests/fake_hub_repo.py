"""What the loopback Hub keeps of a repo: blobs, commits, branches, tags, pull requests; all of it in memory.

Object ids are those that git and git-lfs would give, since the clients compare them with their own. There is no clock:
the dates of commits are counted from a fixed day.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import posixpath
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

import yaml

REGULAR_AT_MOST = 10 * 1024 * 1024
MAIN = "refs/heads/main"
ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in (
        *("*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gz", "*.h5", "*.joblib", "*.lz4", "*.mds"),
        *("*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet", "*.pb", "*.pickle", "*.pkl"),
        *("*.pt", "*.pth", "*.rar", "*.safetensors", "*.tar.*", "*.tar", "*.tflite", "*.tgz", "*.wasm", "*.xz"),
        *("*.zip", "*.zst", "*tfevents*", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp"),
    )
).encode()


class Refused(Exception):
    """A request that the Hub refuses, with the status and the error code that the clients read."""

    def __init__(self, status: int, message: str, code: str = "", **body: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.body = body


@dataclass(frozen=True)
class Blob:
    """The content of one file."""

    data: bytes = field(repr=False)
    lfs: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git keeps of a large file."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @cached_property
    def oid(self) -> str:
        """The id of the blob in git."""
        return git_oid(self.pointer if self.lfs else self.data)

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Commit:
    """One commit: `files` is the whole tree at it, `operations` the lines that were posted, without the header."""

    sha: str
    parent: str | None
    title: str
    description: str
    author: str
    date: str
    operations: tuple[Mapping[str, Any], ...] = field(repr=False)
    blobs: Mapping[str, Blob] = field(repr=False)

    @property
    def files(self) -> dict[str, bytes]:
        return {path: blob.data for path, blob in self.blobs.items()}

    @property
    def paths(self) -> list[str]:
        """The paths of its operations, as they were posted."""
        return [operation["value"]["path"] for operation in self.operations]


@dataclass
class PullRequest:
    """A pull request; its commits are under `refs/pr/<number>`."""

    number: int
    title: str
    author: str
    status: str = "open"
    base: str = MAIN
    merge: str | None = None


class Repo:
    """One repo. `files`, `commits` and `head` are those of main.

    Args:
        repo_id: with its namespace.
        repo_type: model, dataset or space.
        private: hidden from those without a right to it.
        gated: False, "auto" or "manual"; who may read it is in `granted`.
        author: of the first commit.
        lock: held while it changes.
    """

    def __init__(
        self,
        repo_id: str,
        repo_type: str,
        *,
        private: bool = False,
        gated: str | bool = False,
        author: str = "me",
        lock: threading.RLock | None = None,
    ) -> None:
        self.lock = lock or threading.RLock()
        self.repo_id = repo_id
        self.repo_type = repo_type
        self.private = private
        self.gated = gated
        self.granted: set[str] = set()
        self.disabled = False
        self.refs: dict[str, str] = {}
        self.pull_requests: dict[int, PullRequest] = {}
        self.objects: dict[str, Commit] = {}
        first = self._keep(None, {".gitattributes": Blob(ATTRIBUTES)}, "initial commit", "", author, ())
        self.refs[MAIN] = first.sha

    @property
    def url_path(self) -> str:
        """Its place on the Hub: `datasets/me/x`, or `me/x` of a model."""
        return self.repo_id if self.repo_type == "model" else f"{self.repo_type}s/{self.repo_id}"

    @property
    def head(self) -> str:
        return self.refs[MAIN]

    @property
    def files(self) -> dict[str, bytes]:
        return self.at().files

    @property
    def commits(self) -> list[Commit]:
        """Those of main, the oldest first; the first of them is the Hub's own."""
        return self.history()[::-1]

    @property
    def tags(self) -> dict[str, str]:
        return {ref.removeprefix("refs/tags/"): sha for ref, sha in self.refs.items() if ref.startswith("refs/tags/")}

    @property
    def branches(self) -> dict[str, str]:
        return {ref.removeprefix("refs/heads/"): sha for ref, sha in self.refs.items() if ref.startswith("refs/heads")}

    def ref(self, revision: str) -> str | None:
        """The full name of a branch, tag or pull request; None where there is none of that name."""
        names = (f"refs/heads/{revision}", f"refs/tags/{revision}", revision)
        return next((name for name in names if name in self.refs), None)

    def at(self, revision: str = "main") -> Commit:
        """The commit that a branch, a tag, a pull request or a (shortened) sha names."""
        if ref := self.ref(revision):
            return self.objects[self.refs[ref]]
        if re.fullmatch("[0-9a-f]{7,40}", revision):
            found = [commit for sha, commit in self.objects.items() if sha.startswith(revision)]
            if len(found) == 1:
                return found[0]
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def history(self, revision: str = "main") -> list[Commit]:
        """The commits that lead to a revision, the newest first."""
        commits = [self.at(revision)]
        while (parent := commits[-1].parent) is not None:
            commits.append(self.objects[parent])
        return commits

    def text(self, path: str, revision: str = "main") -> str:
        return self.at(revision).blobs[path].data.decode()

    def commit(
        self,
        changes: Mapping[str, bytes | str | None],
        title: str = "a change by someone else",
        *,
        revision: str = "main",
        author: str = "someone",
    ) -> Commit:
        """Commit past every check and without a request, as a concurrent writer would: None deletes a file."""
        with self.lock:
            operations: list[dict[str, Any]] = []
            blobs = dict(self.at(revision).blobs)
            for path, content in changes.items():
                if content is None:
                    del blobs[path]
                    operations.append({"key": "deletedFile", "value": {"path": path}})
                else:
                    data = content.encode() if isinstance(content, str) else content
                    blobs[path] = Blob(data, self.is_large(path, data[:512], len(data), revision))
                    operations.append({"key": "lfsFile" if blobs[path].lfs else "file", "value": {"path": path}})
            ref = self.ref(revision)
            assert ref is not None, revision
            return self.advance(ref, blobs, title, "", author, operations)

    def advance(
        self,
        ref: str,
        blobs: Mapping[str, Blob],
        title: str,
        description: str,
        author: str,
        operations: Iterable[Mapping[str, Any]],
        start: str | None = None,
    ) -> Commit:
        """Put one commit onto a ref, which is made where it is not there yet."""
        parent = self.refs.get(ref, start)
        commit = self._keep(parent, blobs, title, description, author, tuple(operations))
        self.refs[ref] = commit.sha
        return commit

    def _keep(
        self,
        parent: str | None,
        blobs: Mapping[str, Blob],
        title: str,
        description: str,
        author: str,
        operations: tuple[Mapping[str, Any], ...],
    ) -> Commit:
        number = len(self.objects)
        tree = sorted((path, blob.oid) for path, blob in blobs.items())
        name = json.dumps([self.repo_type, self.repo_id, number, parent, tree, title])
        commit = Commit(
            hashlib.sha1(name.encode()).hexdigest(),
            parent,
            title,
            description,
            author,
            stamp(number),
            operations,
            dict(sorted(blobs.items())),
        )
        self.objects[commit.sha] = commit
        return commit

    def is_large(self, path: str, sample: bytes, size: int, revision: str = "main") -> bool:
        """Whether the Hub wants a file as LFS: by .gitattributes, by size, or since it is no text."""
        attributes = self.at(revision).blobs.get(".gitattributes")
        for line in attributes.data.decode().splitlines() if attributes else ():
            pattern, *rest = line.split() or [""]
            name = path if "/" in pattern else posixpath.basename(path)
            if "filter=lfs" in rest and fnmatch.fnmatchcase(name, pattern):
                return True
        return size > REGULAR_AT_MOST or b"\0" in sample or not _is_text(sample)

    def card_data(self, revision: str = "main") -> dict[str, Any] | None:
        """The metadata of the card, None where there is none or it cannot be read."""
        card = self.at(revision).blobs.get("README.md")
        if card is None:
            return None
        found = front_matter(card.data.decode(errors="replace"))
        try:
            data = yaml.safe_load(found) if found is not None else None
        except yaml.YAMLError:
            return None
        return _plain(data) if isinstance(data, dict) else None

    def folders(self, revision: str) -> Iterator[str]:
        """Every folder of a revision."""
        seen: set[str] = set()
        for path in self.at(revision).blobs:
            folder = posixpath.dirname(path)
            while folder and folder not in seen:
                seen.add(folder)
                folder = posixpath.dirname(folder)
        yield from sorted(seen)

    def last_change(self, path: str, revision: str) -> Commit:
        """The commit that gave a file, or a file of a folder, its content."""
        history = self.history(revision)

        def state(commit: Commit) -> list[tuple[str, str]]:
            return [(p, b.oid) for p, b in commit.blobs.items() if p == path or p.startswith(f"{path}/")]

        for commit, before in pairwise(history):
            if state(commit) != state(before):
                return commit
        return history[-1]


def git_oid(data: bytes, kind: str = "blob") -> str:
    """The id that git gives to an object."""
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


def stamp(number: int) -> str:
    """The date of the n-th event."""
    return (datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def front_matter(card: str) -> str | None:
    """The metadata block of a card; None where it has none."""
    found = re.match(r"^\s*---[^\S\n]*\r?\n(.*?)(?:\r?\n)?---[^\S\n]*(?:\r?\n|$)", card, re.DOTALL)
    return found[1] if found else None


def _is_text(sample: bytes) -> bool:
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(sample) - 3  # a character that the end of the sample cuts
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value
