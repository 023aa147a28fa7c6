"""Pull requests of ours that are open: one that holds what is to be pushed is not opened a second time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from hfclean.hub.failures import Repo, status_of

MOST_LISTED = 200
OPEN = ("open", "draft")


class OpenRequest(NamedTuple):
    """A pull request that is open: its address, and the commit that it ends at."""

    url: str
    commit: str


def find_open_request(api: Any, repo: Repo, title: str, holds: Callable[[Repo], str | None]) -> OpenRequest | None:
    """The newest open pull request of this title by the same account that holds what is to be pushed.

    The answer to a commit may be lost after the Hub took it: the content tells whether it did.

    Args:
        holds: the commit of a repo at a revision if it holds everything that is to be pushed, else None.
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
        commit = holds(Repo(repo.id, repo.type, f"refs/pr/{request.num}")) if request.author == name else None
        if commit is not None:
            return OpenRequest(f"{repo.url}/discussions/{request.num}", commit)
    return None
