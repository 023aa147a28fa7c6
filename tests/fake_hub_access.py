"""Who may do what on the loopback Hub, and what it holds; the answers are in `fake_hub_api` and `fake_hub_writes`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fake_hub_repo import Refused, Repo
from fake_hub_wire import Request

NO_CREDENTIALS = "Invalid credentials in Authorization header"
READ_ONLY = "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request"


@dataclass
class Account:
    """A token: whose it is, and what it may do at most."""

    user: str
    role: str = "write"
    orgs: dict[str, str] = field(default_factory=dict)

    def may_read(self, namespace: str) -> bool:
        return namespace == self.user or namespace in self.orgs

    def may_write(self, namespace: str) -> bool:
        return self.role == "write" and (namespace == self.user or self.orgs.get(namespace) in ("write", "admin"))


class Access:
    """The accounts and the repos. One lock is held while a request is worked on, but not while a race is called."""

    url: str

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.accounts: dict[str, Account] = {}
        self.stored: dict[str, bytes] = {}  # LFS objects by sha256
        self.parts: dict[str, dict[int, bytes]] = {}
        self.races: list[Callable[[Repo], object]] = []
        self.lock = threading.RLock()
        self.storage_limit: int | None = None
        self.multipart_over: int | None = None
        self.page_size = 1000

    def account(self, request: Request) -> Account | None:
        """Who asks; None for nobody."""
        if "authorization" not in request.headers:
            return None
        if request.token not in self.accounts:
            raise Refused(401, NO_CREDENTIALS)
        return self.accounts[request.token]

    def _seen(self, request: Request, kind: str, repo_id: str) -> Repo:
        """The repo, if whoever asks may know of it."""
        account = self.account(request)
        repo = self.repos.get((kind, repo_id))
        hidden = repo is not None and repo.private and not (account and account.may_read(repo_id.split("/")[0]))
        if repo is None or hidden:
            if account is None:
                raise Refused(401, "Invalid username or password.", "RepoNotFound")
            raise Refused(404, "Repository not found", "RepoNotFound")
        if repo.disabled:
            raise Refused(403, "Access to this resource is disabled.")
        return repo

    def _readable(self, request: Request, repo: Repo) -> None:
        """Refuse who may not read the files of a repo."""
        account = self.account(request)
        owner = repo.repo_id.split("/")[0]
        if not repo.gated or (account and (account.may_read(owner) or account.user in repo.granted)):
            return
        what = f"Access to {repo.repo_type} {repo.repo_id} is restricted"
        if account is None:
            raise Refused(
                401,
                f"{what}. You must have access to it and be authenticated to access it. Please log in.",
                "GatedRepo",
            )
        raise Refused(
            403,
            f"{what} and you are not in the authorized list. Visit {self.url}/{repo.url_path} to ask for access.",
            "GatedRepo",
        )

    def _owned(self, request: Request, repo: Repo) -> Account:
        account = self.account(request)
        if account is None:
            raise Refused(401, "Invalid username or password.")
        if not account.may_write(repo.repo_id.split("/")[0]):
            raise Refused(403, READ_ONLY)
        return account

    def _writable(self, request: Request, repo: Repo, revision: str = "main") -> Account:
        """Refuse who may not write to a revision; with create_pr anyone may who is known."""
        account = self.account(request)
        opened = re.fullmatch(r"refs/pr/(\d+)", revision)
        request_of = repo.pull_requests.get(int(opened[1])) if opened else None
        if account and (request.flag("create_pr") or (request_of and request_of.author == account.user)):
            return account
        return self._owned(request, repo)
