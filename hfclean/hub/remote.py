"""The remote side: what is in a repo now, and one commit on top of it that either lands whole or not at all.

Before every try the repo is read again, so that two who push at the same time both land; a push of what the
repo already holds makes no commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha1
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hfclean.hub.failures import HubAccessError, HubError, HubRefusal, HubUnreachable, Repo, explained, status_of
from hfclean.models.failures import ModelError
from hfclean.models.pace import retry_after
from hfclean.models.weights import read_token
from hfclean.ownership import file_hash
from hfclean.version import __version__

T = TypeVar("T")
PASSING = (408, 425, 429, 500, 502, 503, 504)
RACED = (409, 412)
MOST_LISTED = 200  # pull requests
OPEN = ("open", "draft")


@dataclass(frozen=True)
class Patience:
    """How long to keep retrying after a temporary failure.

    Args:
        tries: attempts before giving up; races with other writers are counted apart, up to five times as many.
        first_wait_s: seconds to wait before the second attempt; twice as long before the next, and so on.
        longest_wait_s: never wait longer; a server that asks for more ends the push.
        sleep: what waits.
    """

    tries: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 300.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def run(self, action: Callable[[], T], *, races: bool = False) -> T:
        """The action's result, tried again while that may help."""
        failed = raced = 0
        while True:
            try:
                return action()
            except Exception as e:  # `_may_pass` says what it is; all others are raised
                if races and status_of(e) in RACED:
                    raced += 1
                    if raced >= 5 * self.tries:
                        raise
                    self.sleep(min(self.first_wait_s * raced / 4, self.longest_wait_s))
                    continue
                failed += 1
                wait = _asked_to_wait(e)
                if failed >= self.tries or not _may_pass(e) or (wait or 0) > self.longest_wait_s:
                    raise
                self.sleep(wait if wait is not None else min(self.first_wait_s * 2 ** (failed - 1), 60.0))


def _asked_to_wait(error: BaseException) -> float | None:
    """The seconds that a server asks to be left alone, if it does."""
    headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", None) or {}
    if (seconds := retry_after(headers, datetime.now(UTC))) is not None:
        return seconds
    left = dict(part.strip().partition("=")[::2] for part in headers.get("RateLimit", "").split(";") if "=" in part)
    return float(left["t"]) if left.get("r") == "0" and left.get("t", "").isdigit() else None


def _may_pass(error: BaseException) -> bool:
    from huggingface_hub import errors

    if isinstance(error, (errors.OfflineModeIsEnabled, HubError)):
        return False
    status = status_of(error)
    if status is not None:
        return status in PASSING
    transport: Any = getattr(errors, "HTTPError", ConnectionError)
    if isinstance(error, (transport, ConnectionError, TimeoutError)):
        return True
    # hf_xet raises a bare RuntimeError when a transfer breaks off, a download that came short a bare OSError
    return type(error) is RuntimeError or (type(error) is OSError and error.errno is None)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repo: its size and what tells its content, a git hash or, of a large one, a SHA-256."""

    size: int
    blob: str
    sha256: str | None = None

    def holds(self, content: Path | bytes) -> bool:
        """Whether it is the same as this."""
        if isinstance(content, Path):
            if content.stat().st_size != self.size:
                return False
            if self.sha256 is not None:
                return file_hash(content) == self.sha256
            content = content.read_bytes()
        if self.sha256 is not None:
            from hashlib import sha256

            return sha256(content).hexdigest() == self.sha256
        return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == self.blob


@dataclass(frozen=True)
class Remote:
    """A repo as it is now.

    Attributes:
        repo: which.
        api: the client.
        commit: what its branch points to; `None` where there is no repo yet, or no such branch.
        files: path -> file.
        exists: whether the repo exists.
        private: whether it is; `None` where it does not exist.
    """

    repo: Repo
    api: Any = field(repr=False)
    commit: str | None = None
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    exists: bool = False
    private: bool | None = None

    def read(self, path: str, *, most: int) -> bytes | None:
        """The content of a small file; `None` where there is none.

        Raises:
            HubRefusal: it has more than `most` bytes.
        """
        file = self.files.get(path)
        if file is None:
            return None
        if file.size > most:
            raise HubRefusal(f"{path} of {self.repo} has {file.size:,} bytes; nothing of more than {most:,} is read")
        local = self.api.hf_hub_download(self.repo.id, path, repo_type=self.repo.type, revision=self.commit)
        return Path(local).read_bytes()


def hub_api(token: str | None) -> Any:
    """The client of huggingface_hub; the token stays in it.

    Raises:
        HubAccessError: what was given is not a token.
    """
    from huggingface_hub import HfApi

    try:
        token = read_token(token)
    except ModelError as e:
        raise HubAccessError(str(e)) from None
    return HfApi(token=token, library_name="hfclean", library_version=__version__)


def read_remote(api: Any, repo: Repo) -> Remote:
    """What is in a repo now. A repo or branch that does not exist is empty."""
    from huggingface_hub import errors
    from huggingface_hub.hf_api import RepoFile

    try:
        info = api.repo_info(repo.id, repo_type=repo.type)
    except errors.GatedRepoError:
        raise
    except errors.RepositoryNotFoundError as e:
        if status_of(e) == 401 and api.token:
            raise
        return Remote(repo, api)
    private = bool(info.private)
    try:
        if repo.revision is not None:
            info = api.repo_info(repo.id, repo_type=repo.type, revision=repo.revision)
        entries = list(api.list_repo_tree(repo.id, repo_type=repo.type, revision=info.sha, recursive=True))
    except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError):
        return Remote(repo, api, None if repo.revision else info.sha, {}, True, private)
    files = {
        entry.path: RemoteFile(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
        for entry in entries
        if isinstance(entry, RepoFile)
    }
    return Remote(repo, api, info.sha, files, True, private)


@dataclass(frozen=True)
class RepoChange:
    """What a commit does to a repo: files that it writes, and files of ours that it deletes."""

    files: Mapping[str, Path | bytes]
    gone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def less(self, remote: Remote) -> RepoChange:
        """Without what is already there, or already deleted."""
        files = {
            path: content
            for path, content in self.files.items()
            if path not in remote.files or not remote.files[path].holds(content)
        }
        gone = tuple(path for path in self.gone if path in remote.files and path not in self.files)
        return RepoChange(files, gone, self.notes)


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        repo_id, repo_type: where to.
        url: the commit, or the repo where no commit was needed.
        commit: what the branch (or the pull request) points to.
        changed: whether a commit was made; False if the repo or our open pull request already held all.
        pull_request: its address, if one was opened or was there.
        files: the paths that were written.
        deleted: the paths that were deleted.
        notes: further notes.
    """

    repo_id: str
    repo_type: str
    url: str
    commit: str
    changed: bool
    pull_request: str | None = None
    files: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def commit(
    api: Any,
    repo: Repo,
    make: Callable[[Remote], RepoChange],
    *,
    message: str,
    private: bool | None,
    create_pr: bool,
    patience: Patience,
) -> Pushed:
    """One commit that makes a repo hold what `make` says, on top of its content at that moment.

    Args:
        make: called again before every try, with the repo as it is then.
        private: for a new repo; for an existing one, `True` refuses to push if it is public.
    """
    sent: list[RepoChange] = []
    with explained(repo, "push to", api):
        return patience.run(lambda: _commit_once(api, repo, make, message, private, create_pr, sent), races=True)


def _commit_once(
    api: Any,
    repo: Repo,
    make: Callable[[Remote], RepoChange],
    message: str,
    private: bool | None,
    create_pr: bool,
    sent: list[RepoChange],
) -> Pushed:
    """One try; `sent` holds the change of an earlier one whose answer did not come."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    remote = read_remote(api, repo)
    if private and remote.private is False:
        raise HubRefusal(
            f"{repo} is public, and private=True (--private) was asked for; make it private first, or name another"
        )
    wanted = make(remote)
    if not remote.exists:
        sdk = {"space_sdk": "gradio"} if repo.type == "space" else {}
        api.create_repo(repo.id, repo_type=repo.type, private=private, exist_ok=True, **sdk)
    if remote.commit is None and repo.revision is not None:
        api.create_branch(repo.id, repo_type=repo.type, branch=repo.revision, exist_ok=True)
    if not remote.exists or remote.commit is None:
        remote = read_remote(api, repo)
        wanted = make(remote)
    change = wanted.less(remote)
    if not change.files and not change.gone:
        if sent:
            return _landed(repo, sent[0], remote.commit or "", wanted.notes)
        return Pushed(repo.id, repo.type, repo.url, remote.commit or "", False, notes=wanted.notes)
    if create_pr and (found := _opened(api, repo, message, [*sent, change])):
        if sent:
            return replace(_landed(repo, sent[0], found.commit, wanted.notes), pull_request=found.url)
        return Pushed(repo.id, repo.type, found.url, found.commit, False, found.url, notes=wanted.notes)
    operations = [
        *(CommitOperationAdd(p, str(c) if isinstance(c, Path) else c) for p, c in change.files.items()),
        *(CommitOperationDelete(path, is_folder=False) for path in change.gone),
    ]
    sent[:] = [change]
    try:
        info = api.create_commit(
            repo.id,
            operations,
            commit_message=message,
            repo_type=repo.type,
            revision=repo.revision,
            create_pr=create_pr,
            parent_commit=remote.commit,
        )
    except Exception as e:
        if status_of(e) in RACED:
            sent.clear()  # it was looked at and not taken
        if status_of(e) is not None or not isinstance(e, ValueError) or "README.md" not in str(e):
            raise
        problem = " ".join(str(e).split())[:400]
        raise HubRefusal(f"the Hub does not take the card for {repo}: {problem}. Fix the existing card") from e
    return Pushed(
        repo.id,
        repo.type,
        info.commit_url,
        info.oid,
        True,
        info.pr_url,
        tuple(change.files),
        change.gone,
        wanted.notes,
    )


def _landed(repo: Repo, sent: RepoChange, at: str, notes: tuple[str, ...]) -> Pushed:
    """What a try did whose answer was lost."""
    url = f"{repo.url}/commit/{at}"
    return Pushed(repo.id, repo.type, url, at, True, None, tuple(sent.files), sent.gone, notes)


class _OpenRequest(NamedTuple):
    """A pull request that is open: its address, and the commit that it ends at."""

    url: str
    commit: str


def _opened(api: Any, repo: Repo, title: str, changes: Sequence[RepoChange]) -> _OpenRequest | None:
    """The newest open pull request of this title by the same account that holds one of these changes.

    The answer to a commit may be lost after the Hub took it: the content tells whether it did.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        listed = api.get_repo_discussions(
            repo.id, repo_type=repo.type, discussion_type="pull_request", discussion_status="open"
        )
        ours = [
            request
            for request in islice(listed, MOST_LISTED)
            if request.is_pull_request and request.status in OPEN and request.title.strip() == title.strip()
        ]
        name = api.whoami()["name"] if ours else ""
    except HfHubHTTPError as e:
        if status_of(e) in (401, 403, 404):  # failing to list them is not a reason not to try
            return None
        raise
    for request in sorted(ours, key=lambda request: -int(request.num)):
        if request.author == name:
            remote = read_remote(api, Repo(repo.id, repo.type, f"refs/pr/{request.num}"))
            left = [change.less(remote) for change in changes]
            if remote.commit is not None and any(not each.files and not each.gone for each in left):
                return _OpenRequest(f"{repo.url}/discussions/{request.num}", remote.commit)
    return None


def check_token(api: Any, repo: Repo) -> None:
    """Say early that a push needs a token.

    Raises:
        HubAccessError: none is set.
    """
    from huggingface_hub import get_token

    if not (api.token or get_token()):
        raise HubAccessError(
            f"cannot push to {repo}: no token is set; make one with the role 'write' "
            "(https://huggingface.co/settings/tokens), then: hf auth login, or set HF_TOKEN"
        )


def look(api: Any, repo: Repo, patience: Patience) -> tuple[Remote, str]:
    """The repo as it is, for a dry run: as a new one where it cannot be read, and why."""
    quick = replace(patience, tries=min(2, patience.tries))
    try:
        with explained(repo, "read", api):
            return quick.run(lambda: read_remote(api, repo)), ""
    except (HubUnreachable, HubAccessError) as e:
        return Remote(repo, api), f"the repo was not read, so everything is shown as for a new one: {e}"
