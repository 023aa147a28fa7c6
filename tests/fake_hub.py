"""A Hub on loopback that speaks the protocol of the real one to the real clients, and fails as it is told.

    from fake_hub import FakeHub, hub_fixture, hub_xet_fixture  # noqa: F401  (for `fake_hub` and `fake_hub_xet`)

    def test_push(fake_hub: FakeHub) -> None:
        dataset.push_to_hub("me/x")                      # huggingface_hub, datasets and transformers all talk to it
        repo = fake_hub.repo("me/x", "dataset")
        assert "data/train-00000-of-00001.parquet" in repo.files

The fixture `fake_hub` gives a running hub, a token with the right to write ("hf_test_write", user "me", orgs "org" to
write and "club" to read), empty caches, retries that do not sleep (`fake_hub.slept` holds what they would have slept)
and uploads by LFS. `fake_hub_xet` is the same with uploads and downloads by xet, the clients' default, through the
compiled client to a store of this server (requests below /_cas). `fake_hub.env()` is the environment for a subprocess.
Without the fixture: `with FakeHub() as hub: HfApi(endpoint=hub.url, token=hub.token)`.

What it holds
    hub.repo("me/x", "dataset") -> Repo          the type is model unless given; KeyError where there is none
    hub.add_repo("me/x", "dataset", files={...}, private=, gated="auto", author=) -> Repo      without a request
    hub.repos                                    {(type, id): Repo}
    repo.files / repo.text(path)                 content at the head of main; text(path, revision)
    repo.commits                                 of main, oldest first; [0] is the Hub's own (.gitattributes)
    commit.sha .parent .title .description .author .files .paths .operations      (operations: the lines as posted)
    repo.at(revision) -> Commit                  of a branch, tag, "refs/pr/1" or sha; repo.history(revision)
    repo.head, repo.refs, repo.branches, repo.tags, repo.pull_requests[1].title / .status
    repo.commit({"a.txt": "new", "b.txt": None}) a concurrent writer: commits with no request and no check
    repo.private, repo.gated, repo.granted.add("you")            who may read, settable at any time

Who may do what
    hub.add_token("hf_x", user="you", role="read" | "write", orgs={"org": "write"})
    hub.expire("hf_x")                           401 from now on, as any unknown token
    tokens there from the start: hf_test_write and hf_test_read (both of "me"), hf_test_other (writes as "you")
    hub.storage_limit = 1000                     bytes of large files a namespace may hold; beyond it 403
    hub.multipart_over = 1000                    larger LFS files go up in parts of so many bytes
    hub.page_size = 2                            entries on a page of a tree or of a history

Faults (also usable mid-test; the n-th matching request is counted from the call on)
    fault = hub.fail("POST", "/commit/", status=503, headers={"Retry-After": "7"}, body="try later")
    hub.fail(nth=5, reset=True)                  the fifth request from here, whichever it is: connection reset
    hub.fail("GET", r"\\.parquet$", cut=0.5)      half of the real body, then the end
    hub.fail("POST", "/commit/", until=event)    held until the event is set (`fault.reached` says it has come),
                                                 then goes on as usual, or with the fault given beside it
    hub.fail("POST", "/commit/", reset=True, applied=True)       it is done, only the answer is lost
    hub.fail(..., times=None)                    from the n-th on, every one; times=3: three of them
    fault.struck                                 the requests it failed; hub.mend() removes all faults
    status 412 is a stale parent, 409 a conflict, 429/5xx to be retried, 403 + body a refusal (quota)

    for n in range(1, 1 + len(hub.log)): a sweep: fail the n-th request of a push in turn (see `hub.mark`)

Races
    hub.race(lambda repo: repo.commit({"b.txt": "theirs"}))      called just before the next commit is looked at
    hub.race(callback, times=3)                  and before the two after it (commits made by the callback excepted)

Log
    hub.log                                      every Request: .method .path .query .status .token .body .json
    hub.requests("POST", "/commit/")             those that match
    mark = hub.mark(); hub.since(mark)           the requests since

As on the Hub: 412 on a parent that is not the head; a commit without a change is made all the same; README.md with
invalid metadata is refused (400) by validate-yaml and by a commit; files that .gitattributes names, over 10 MB or no
text must be LFS; X-Error-Code RepoNotFound, GatedRepo, RevisionNotFound, EntryNotFound; a private repo of others is a
404 (401 with no token); a token that may only read can open a pull request (create_pr) on a repo that it sees.
Not as on the Hub: LFS files are served without a redirect; names of repos are case-sensitive; no size limits but those
above; a pull request is merged file by file. The client takes a 401 without an error code for a missing repo only over
https, so here it is a plain HfHubHTTPError where the real Hub may give RepositoryNotFoundError.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from fake_hub_access import Account
from fake_hub_api import Api
from fake_hub_repo import Commit, PullRequest, Refused, Repo
from fake_hub_wire import Fault, Request, Wire

__all__ = ["Commit", "FakeHub", "Fault", "PullRequest", "Refused", "Repo", "Request", "hub_fixture", "hub_xet_fixture"]

TOKEN = "hf_test_write"


class FakeHub(Api):
    """The server; a context manager that serves from threads of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.home: Path | None = None
        self.xet = False
        self.slept: list[float] = []
        self._wire = Wire(self.answer)
        self.url = self._wire.url
        self.add_token(TOKEN, orgs={"org": "write", "club": "read"})
        self.add_token("hf_test_read", role="read", orgs={"org": "read", "club": "read"})
        self.add_token("hf_test_other", user="you")

    def __enter__(self) -> Self:
        self._wire.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.stop()

    def repo(self, repo_id: str, repo_type: str = "model") -> Repo:
        """The repo of that name."""
        return self.repos[repo_type, repo_id]

    def add_repo(
        self,
        repo_id: str,
        repo_type: str = "model",
        *,
        files: Mapping[str, bytes | str] | None = None,
        private: bool = False,
        gated: str | bool = False,
        author: str = "me",
    ) -> Repo:
        """A repo that is there already."""
        with self.lock:
            repo = Repo(repo_id, repo_type, private=private, gated=gated, author=author, lock=self.lock)
            if files:
                repo.commit(files, "first files", author=author)
            self.repos[repo_type, repo_id] = repo
        return repo

    def add_token(
        self, token: str, *, user: str = "me", role: str = "write", orgs: Mapping[str, str] | None = None
    ) -> None:
        """A token of a user; what the user may do in an org is `orgs`, and what the token may do at most is `role`."""
        self.accounts[token] = Account(user, role, dict(orgs or {}))

    def expire(self, token: str) -> None:
        """The token is worth nothing from now on."""
        del self.accounts[token]

    def fail(
        self,
        method: str = ".*",
        path: str = "",
        *,
        nth: int = 1,
        times: int | None = 1,
        status: int | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        reset: bool = False,
        cut: float | None = None,
        until: threading.Event | None = None,
        applied: bool = False,
    ) -> Fault:
        """Fail the requests that match; see the top of this file.

        Args:
            method: a regular expression for all of it.
            path: a regular expression for any part of the unquoted path.
            nth: the first to fail, counted from now.
            times: how many from there on; None for all.
            status: to answer with, instead of the real answer.
            body: of that answer: bytes as they are, a string as the error's message, anything else as JSON.
            headers: to add to that answer, or to the real one.
            reset: drop the connection, with no answer.
            cut: send so much of the body, then drop the connection.
            until: hold the request until this is set.
            applied: do what is asked all the same, and only then answer wrongly.
        """
        fault = Fault(method, path, nth, times, status, body, headers or {}, reset, cut, until, applied)
        with self._wire.lock:
            self._wire.faults.append(fault)
        return fault

    def mend(self) -> None:
        """No faults and no races any more."""
        with self._wire.lock:
            self._wire.faults.clear()
        self.races.clear()

    def race(self, callback: Callable[[Repo], object], *, times: int = 1) -> None:
        """Call back with the repo just before the next commit to any repo is looked at."""
        self.races.extend([callback] * times)

    @property
    def log(self) -> list[Request]:
        """Every request so far, in the order they came."""
        with self._wire.lock:
            return list(self._wire.log)

    def requests(self, method: str = ".*", path: str = "") -> list[Request]:
        """The requests that match, as in `fail`."""
        return [r for r in self.log if re.fullmatch(method, r.method) and re.search(path, r.path)]

    def mark(self) -> int:
        """How many requests there have been."""
        return len(self.log)

    def since(self, mark: int) -> list[Request]:
        """The requests after a mark."""
        return self.log[mark:]

    def env(self) -> dict[str, str]:
        """The environment in which a subprocess talks to this hub, with this test's caches."""
        home = self.home
        found = {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HUB_DISABLE_XET": "0" if self.xet else "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "10ms",
            "HF_XET_TELEMETRY_ENABLED": "0",
        }
        if home is not None:
            found |= {"HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), "HF_XET_CACHE": str(home / "xet")}
            found |= {"HF_DATASETS_CACHE": str(home / "datasets"), "HF_MODULES_CACHE": str(home / "modules")}
        return found


@pytest.fixture(name="fake_hub")
def hub_fixture(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that every client in this process talks to; uploads go by LFS."""
    yield from _served(tmp_path_factory.mktemp("hub"), monkeypatch, xet=False)


@pytest.fixture(name="fake_hub_xet")
def hub_xet_fixture(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The same, and uploads go by xet."""
    yield from _served(tmp_path_factory.mktemp("hub"), monkeypatch, xet=True)


def _served(home: Path, monkeypatch: pytest.MonkeyPatch, *, xet: bool) -> Iterator[FakeHub]:
    # until the end of the test: huggingface_hub hands LFS files to httpx2 in a way that this deprecates
    warnings.filterwarnings("ignore", "Use 'content=<...>'", DeprecationWarning)
    hub = FakeHub()
    hub.home, hub.xet = home, xet
    direct(hub, monkeypatch)
    with hub:
        yield hub
        _forget()  # the clients hang up before the server does


def direct(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the clients of this process at a hub: they read the environment once, when they are imported."""
    import datasets.config
    import huggingface_hub.hf_api
    import huggingface_hub.utils._cache_manager
    from huggingface_hub import constants
    from huggingface_hub.utils import _http, _xet

    env = hub.env()
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    home = str(hub.home)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.setattr(constants, name, env["HF_HUB_CACHE"])
    monkeypatch.setattr(huggingface_hub.utils._cache_manager, "HF_HUB_CACHE", env["HF_HUB_CACHE"])
    monkeypatch.setattr(constants, "HF_HOME", home)
    monkeypatch.setattr(constants, "HF_ASSETS_CACHE", os.path.join(home, "assets"))
    monkeypatch.setattr(constants, "HF_XET_CACHE", env["HF_XET_CACHE"])
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", os.path.join(home, "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", os.path.join(home, "stored_tokens"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", not hub.xet)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)  # behind every plain function
    config = datasets.config
    monkeypatch.setattr(config, "HF_ENDPOINT", hub.url)
    monkeypatch.setattr(config, "HUB_DATASETS_URL", hub.url + "/datasets/{repo_id}/resolve/{revision}/{path}")
    monkeypatch.setattr(config, "HF_CACHE_HOME", home)
    cache = Path(env["HF_DATASETS_CACHE"])
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setattr(config, "DOWNLOADED_DATASETS_PATH", cache / "downloads")
    monkeypatch.setattr(config, "EXTRACTED_DATASETS_PATH", cache / "downloads" / "extracted")
    monkeypatch.setattr(config, "HF_MODULES_CACHE", Path(env["HF_MODULES_CACHE"]))
    monkeypatch.setattr(config, "HF_UPDATE_DOWNLOAD_COUNTS", False)
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(config, "HF_DATASETS_OFFLINE", False)
    # a session of its own reads the environment above, and knows of no chunk that another hub has
    monkeypatch.setattr(_xet, "_GLOBAL_XET_HOLDER", _xet.XetSessionHolder())
    clock = SimpleNamespace(**{**vars(time), "sleep": hub.slept.append})
    for module in (_http, huggingface_hub.file_download, huggingface_hub.hf_api):
        monkeypatch.setattr(module, "time", clock)
    for name in ("datasets.arrow_dataset", "datasets.dataset_dict", "datasets.utils.file_utils"):
        if loaded := sys.modules.get(name):
            monkeypatch.setattr(loaded, "time", clock)
    _forget()


def _forget() -> None:
    """Drop what the clients keep of a hub: its connections, and what it told them."""
    import huggingface_hub
    from huggingface_hub import hf_api
    from huggingface_hub.utils import _xet

    huggingface_hub.close_session()
    huggingface_hub.HfFileSystem.clear_instance_cache()
    hf_api.api._whoami_cache.clear()
    _xet.XET_CONNECTION_INFO_CACHE.clear()
