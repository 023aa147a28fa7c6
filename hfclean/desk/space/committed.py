"""Committed: a file of decisions here and its copy in a private dataset, of which neither loses a line.

Only whole lines are sent. A line counts as sent once the commit that holds it was made on top of what the dataset held
then; where somebody else committed meanwhile, both are joined line by line, and the next try is made on top of that.
"""

from __future__ import annotations

from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from hfclean.durable import write_bytes
from hfclean.errors import HfcleanError
from hfclean.hub.failures import HubRefusal, Repo, RepoError, explained
from hfclean.hub.remote import Patience, Remote, RepoChange, commit, read_remote
from hfclean.report.formatting import plural
from hfclean.verdicts.log import VerdictLog, lines_with_events

FILE = "verdicts.jsonl"
MOST_BYTES = 1 << 30
CLAIM = b'"verdict": "claim"'  # as such a line holds it, and in no text of one: there quotes are escaped
PATIENCE = Patience(tries=2)  # the next time comes anyway, and a container that ends has seconds


class CommittedVerdicts:
    """The file of decisions of a Space.

    Args:
        path: of the file here.
        repo_id: of the dataset.
        api: the client of huggingface_hub, with the token.
        patience: with failures that may pass.

    Attributes:
        trouble: why the last try failed; empty where it did not.
    """

    def __init__(self, path: Path, repo_id: str, api: Any, patience: Patience = PATIENCE) -> None:
        self.path, self.trouble = path, ""
        self._repo, self._api, self._patience = Repo(repo_id), api, patience
        self._sent: frozenset[bytes] = frozenset()
        self._content: bytes | None = None  # of the file there, when it was last seen
        self._lock = Lock()

    def begin(self) -> None:
        """Bring back what the dataset holds; what is only here, as after a crash, stays and is sent next.

        Raises:
            HubError: the dataset cannot be read, or not be written to, or is public.
            SourceError: a line there or here is not a verdict.
        """
        with explained(self._repo, "commit to", self._api):
            self._patience.run(lambda: self._api.auth_check(self._repo.id, repo_type="dataset", write=True))
        with explained(self._repo, "read", self._api):
            remote = self._patience.run(lambda: read_remote(self._api, self._repo))
            _check(remote)
            theirs = self._patience.run(lambda: self._theirs(remote))
        copy = self.path.with_name(f"there.{self.path.name}")
        write_bytes(copy, b"".join(theirs))
        lines = [line for line, _ in lines_with_events(copy)]
        mine = [line for line, _ in lines_with_events(self.path)] if self.path.exists() else []
        copy.unlink()
        self._sent = frozenset(lines)
        write_bytes(self.path, b"".join([*lines, *(line for line in mine if line not in self._sent)]))

    def waiting(self) -> int:
        """How many lines are only here."""
        return sum(line not in self._sent for line in _whole_lines(self.path))

    @property
    def notice(self) -> str:
        """What people should know; empty where all is well."""
        if not self.trouble:
            return ""
        waiting = plural(self.waiting(), "decision")
        return f"{waiting} could not be sent to {self._repo.id} yet, and will be tried again: {self.trouble}"

    def commit(self) -> int:
        """Send what is only here; gives how many lines that were, 0 where nothing was or where it failed."""
        with self._lock:
            waiting = self.waiting()
            try:
                self._commit(waiting)
            except (HfcleanError, OSError) as e:
                self.trouble = str(e)
                return 0
            self.trouble = ""
            return waiting

    def _commit(self, waiting: int) -> None:
        if not waiting:
            return
        made: list[bytes] = []

        def joined(remote: Remote) -> RepoChange:
            _check(remote)
            theirs, mine = self._theirs(remote), _whole_lines(self.path)
            known = frozenset(mine)
            if new := [line for line in theirs if line not in known]:
                VerdictLog(self.path, "another container").adopt(new)
            there = frozenset(theirs)
            made[:] = [*theirs, *(line for line in mine if line not in there)]
            return RepoChange({FILE: b"".join(made)})

        commit(
            self._api,
            self._repo,
            joined,
            message=f"{plural(waiting, 'decision')} of people at the desk",
            private=True,
            create_pr=False,
            patience=self._patience,
        )
        self._sent, self._content = frozenset(made), b"".join(made)

    def _theirs(self, remote: Remote) -> list[bytes]:
        """The lines that the dataset holds, each with its end."""
        file = remote.files.get(FILE)
        if self._content is None or file is None or not file.holds(self._content):
            self._content = remote.read(FILE, most=MOST_BYTES) or b""
        return _lines(self._content + b"\n")


class Committer(Thread):
    """Sends what was decided, every so often and at the end.

    Args:
        verdicts: what is sent.
        every_s: seconds between two tries.
    """

    def __init__(self, verdicts: CommittedVerdicts, every_s: float) -> None:
        super().__init__(name="commits of verdicts", daemon=True)
        self._verdicts, self._every_s, self._end = verdicts, every_s, Event()

    def run(self) -> None:
        while not self._end.wait(self._every_s):
            self._verdicts.commit()

    def close(self) -> int:
        """Stop, and send the rest; gives how many lines are still only here."""
        self._end.set()
        if self.is_alive():
            self.join()
        self._verdicts.commit()
        return self._verdicts.waiting()


def _check(remote: Remote) -> None:
    if not remote.exists:
        raise RepoError(f"{remote.repo} is not there, or its token may not see it; push the Space again")
    if not remote.private:
        raise HubRefusal(f"{remote.repo} is public, and verdicts are not for everybody: make it private")


def _whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that have their end, but claims, which are of use for minutes; a last one without its end is
    not written yet."""
    try:
        return [line for line in _lines(path.read_bytes()) if CLAIM not in line]
    except FileNotFoundError:
        return []


def _lines(content: bytes) -> list[bytes]:
    return [line + b"\n" for line in content.split(b"\n")[:-1] if line.strip()]
