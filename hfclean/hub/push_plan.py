"""The plan: what a push would write, as a dry run shows it, and the reasons not to push."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hfclean.cards import check_card
from hfclean.hub.failures import HubRefusal, Repo
from hfclean.hub.remote import Remote, RepoChange
from hfclean.hub.secrets import UNSCANNED, Secret, scan_files
from hfclean.processes import NumProc

# What the Hub takes: hub docs, "Repository limitations and recommendations".
LARGEST_FILE = 50_000_000_000
MOST_IN_FOLDER = 10_000
LARGEST_CARD = 1_000_000


class PlannedFile(NamedTuple):
    """A file of a push: its path in the repo, its bytes, and whether the repo already has it."""

    path: str
    size: int
    there: bool


@dataclass(frozen=True)
class PushPlan:
    """What a push would do. Nothing was pushed.

    Attributes:
        repo_id, repo_type: where to.
        folder: holds the exact files, the card as it would be.
        files: what would be in the repo; those that it already has are not sent again.
        deleted: files of an earlier push that would be deleted.
        message: of the commit; empty where none is needed.
        problems: what stops the push, one sentence each.
        notes: further notes.
    """

    repo_id: str
    repo_type: str
    folder: Path
    files: tuple[PlannedFile, ...]
    deleted: tuple[str, ...]
    message: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether a push would make a commit."""
        return bool(self.deleted) or not all(file.there for file in self.files)

    def __str__(self) -> str:
        width = max((len(f"{file.size:,}") for file in self.files), default=0)
        lines = [f"{self.repo_type} {self.repo_id}: {self.message or 'nothing would change, no commit'}"]
        lines += [
            f"  {file.size:>{width},}  {file.path}{'  (already there)' if file.there else ''}" for file in self.files
        ]
        lines += [f"  {'-':>{width}}  {path}  (of an earlier push, removed)" for path in self.deleted]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"problem: {problem}" for problem in self.problems]
        lines.append(f"{self.folder}  the files as they would be; nothing was pushed")
        return "\n".join(lines)


def check_files(files: Mapping[str, Path | bytes], allowed: Collection[str] = (), num_proc: NumProc = 1) -> list[str]:
    """Reasons not to push these files: secrets, for which tables are read in this number of processes, and sizes."""
    problems = [_told(secret) for secret in scan_files(files, allowed=allowed, num_proc=num_proc)]
    folders: dict[str, int] = {}
    for path, content in files.items():
        folder = path.rpartition("/")[0]
        folders[folder] = folders.get(folder, 0) + 1
        size = _size(content)
        if size > LARGEST_FILE:
            problems.append(f"{path} has {size:,} bytes, and the Hub takes {LARGEST_FILE:,}; write smaller shards")
        if path.endswith(".md") and size > LARGEST_CARD:
            problems.append(f"{path} has {size:,} bytes; expected a card of at most {LARGEST_CARD:,}. Shorten it")
    problems += [
        f"the folder {folder or '/'} would hold {count:,} files, and the Hub takes {MOST_IN_FOLDER:,}"
        for folder, count in folders.items()
        if count > MOST_IN_FOLDER
    ]
    return problems


def _told(secret: Secret) -> str:
    if secret.kind == UNSCANNED:
        return (
            f"what cannot be looked into for keys: {secret}. Unpack it and push what it holds, or let it through with "
            f"allow_secrets=[{secret.id!r}] (--allow-secret {secret.id})"
        )
    return (
        f"a {secret.kind.replace('_', ' ')} that looks real: {secret}. Take it out (and revoke it), mask it with "
        f"mask_secrets=True, or let it through as a documented sample with allow_secrets=[{secret.id!r}] "
        f"(--mask-secrets, --allow-secret {secret.id})"
    )


def new_problems(card: str, existing: str | None) -> list[str]:
    """What the Hub would refuse in a card, less what was already wrong in the existing card."""
    known = check_card(existing) if existing else []
    return [f"the card: {problem}" for problem in check_card(card) if problem not in known]


def refuse(repo: Repo, problems: Collection[str]) -> None:
    """Stop if there are reasons not to push.

    Raises:
        HubRefusal: with all of it.
    """
    if problems:
        listed = "\n".join(f"  {problem}" for problem in list(problems)[:20])
        more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise HubRefusal(f"nothing was pushed to {repo}:\n{listed}{more}")


def write_plan(
    folder: Path, repo: Repo, change: RepoChange, remote: Remote, *, message: str, problems: Collection[str]
) -> PushPlan:
    """Write the files as they would be in the repo, and say what a push would do."""
    todo = change.less(remote)
    for path, content in change.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            shutil.copyfile(content, target)
    files = tuple(PlannedFile(path, _size(content), path not in todo.files) for path, content in change.files.items())
    needed = bool(todo.files or todo.gone)
    return PushPlan(
        repo.id, repo.type, folder, files, todo.gone, message if needed else "", tuple(problems), change.notes
    )


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
