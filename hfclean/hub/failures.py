"""Failures: what the Hub's answers mean, as one tree of errors that say what to do. No token is ever in a message.

HubError
├── RepoError        an id that is none, a repo that is not there, or one of another type
├── HubAccessError   no token, one that is no longer valid, no right to write, a gated repo
├── HubRefusal       the content is not pushed: a secret in it, a card the Hub would refuse, sizes, quota
└── HubUnreachable   offline mode, no network, a server that fails or wants to be left alone
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hfclean.errors import HubError as HubError
from hfclean.hub_id import is_hub_id

TYPES = {"dataset": "datasets/", "model": "", "space": "spaces/"}
SETTINGS = "https://huggingface.co/settings/tokens"
LOG_IN = f"make one: {SETTINGS}, then: hf auth login, or set HF_TOKEN"
TOKEN = re.compile(r"(hf|api_org|hf_oauth)_[A-Za-z0-9_.-]{8,}|Bearer\s[^'\"]*")


class RepoError(HubError):
    """No repo of this id, one of another type, or an id that can be none."""


class HubAccessError(HubError):
    """The Hub does not let this token, or nobody, do this."""


class HubRefusal(HubError, ValueError):
    """What was to be pushed is not, and why."""


class HubUnreachable(HubError):
    """The Hub cannot be reached, or not now."""


@dataclass(frozen=True)
class Repo:
    """A repo of the Hub and the branch that is meant; with `bare`, one to read, whose old id may lack a namespace.

    Raises:
        RepoError: an id that can be none.
    """

    id: str
    type: str = "dataset"
    revision: str | None = None
    bare: bool = False

    def __post_init__(self) -> None:
        if is_hub_id(self.id, namespace=not self.bare):
            return
        text = self.id
        for start in ("hf://", "https://huggingface.co/", "https://hf.co/", "datasets/", "models/", "spaces/"):
            if isinstance(text, str):
                text = text.removeprefix(start)
        better = "/".join(text.split("/")[:2]) if isinstance(text, str) and text != self.id else "me/alpaca-cleaned"
        raise RepoError(
            f"{self.id!r} is not a repo id; expected NAMESPACE/NAME with letters, digits, '-', '_' and '.', such as "
            f"{better!r}"
        )

    @property
    def url(self) -> str:
        from huggingface_hub import constants

        return f"{constants.ENDPOINT}/{TYPES[self.type]}{self.id}"

    def __str__(self) -> str:
        return f"{self.type} {self.id!r}" + (f" at {self.revision!r}" if self.revision else "")


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of huggingface_hub tells of."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _scrubbed(text: Any) -> str:
    """What a server said, on one line, without anything that looks like a token."""
    return TOKEN.sub("***", " ".join(str(text or "").split()))[:300]


@contextmanager
def explained(repo: Repo, doing: str, api: Any = None) -> Iterator[None]:
    """Turns what huggingface_hub raises into our errors.

    Args:
        doing: what was tried, such as `push`.
        api: the client, which knows whether a token was given.
    """
    from huggingface_hub import errors

    transport: Any = getattr(errors, "HTTPError", errors.HfHubHTTPError)
    try:
        yield
    except HubError:
        raise
    except errors.OfflineModeIsEnabled as e:
        raise HubUnreachable(
            f"cannot {doing} {repo}: offline mode is on (HF_HUB_OFFLINE). Unset it and run the same again"
        ) from e
    except errors.HfHubHTTPError as e:
        raise _explain(e, repo, doing, api) from e
    except errors.LocalEntryNotFoundError as e:
        raise HubUnreachable(
            f"cannot {doing} {repo}: the Hub was not reached ({_scrubbed(e)}). Look at the network and HF_ENDPOINT, "
            "and run the same again"
        ) from e
    except transport as e:
        raise HubUnreachable(
            f"cannot {doing} {repo}: no connection to the Hub ({type(e).__name__}: {_scrubbed(e)}). Look at the "
            "network and HF_ENDPOINT, and run the same again: what was uploaded is not uploaded twice"
        ) from e
    except OSError as e:
        if e.errno is not None and not isinstance(e, (ConnectionError, TimeoutError)):
            raise  # a full disk, a folder that may not be written
        raise HubUnreachable(
            f"cannot {doing} {repo}: the connection broke ({type(e).__name__}: {_scrubbed(e)}). Run the same again"
        ) from e
    except RuntimeError as e:  # what hf_xet raises: it has no exception class
        raise HubUnreachable(
            f"cannot {doing} {repo}: the transfer of a large file broke off ({_scrubbed(e)}). Run the same again, or "
            "with HF_HUB_DISABLE_XET=1"
        ) from e


def _explain(e: Any, repo: Repo, doing: str, api: Any) -> HubError:
    from huggingface_hub import errors

    status, message = status_of(e), _scrubbed(getattr(e, "server_message", None) or e)
    if isinstance(e, errors.GatedRepoError):
        return HubAccessError(
            f"cannot {doing} {repo}: it is gated. Open {repo.url}, accept its terms, and use a token of that account"
            + ("" if _has_token(api) else f". Now none is set; {LOG_IN}")
        )
    if status == 401 and not isinstance(e, errors.RepositoryNotFoundError):
        why = (
            f"the token is no longer valid; make another: {SETTINGS}, then: hf auth login, or set HF_TOKEN"
            if _has_token(api)
            else f"no token is set; {LOG_IN}"
        )
        return HubAccessError(f"cannot {doing} {repo}: {why} (the Hub said: {message})")
    if isinstance(e, errors.RevisionNotFoundError):
        return RepoError(f"cannot {doing} {repo}: it has no such revision; look at its branches, tags and commits")
    if isinstance(e, errors.RemoteEntryNotFoundError):
        return RepoError(f"cannot {doing} {repo}: a file is missing there ({message})")
    if isinstance(e, errors.RepositoryNotFoundError) or status == 404:
        return RepoError(f"cannot {doing} {repo}: there is none, or it is private and {unseen(api)}")
    quota = any(word in message.lower() for word in ("storage", "quota", "limit reached"))
    if status == 402 or (status == 403 and quota):
        return HubRefusal(
            f"cannot {doing} {repo}: the account has no room left for it ({message}). Delete old files, or get "
            "more storage: https://huggingface.co/settings/billing"
        )
    if status == 403:
        refusal = (
            f"cannot {doing} {repo}: the token may not do that ({message}). Make one with the role 'write', or with "
            f"write access to {repo.id.split('/')[0]!r}: {SETTINGS}"
        )
        if "create a" in message.lower() and "pull request" not in message.lower():  # there is no repo to open one on
            return HubAccessError(f"{refusal}; or push under your own name")
        return HubAccessError(f"{refusal}; create_pr=True (--create-pr) opens a pull request instead")
    if status == 413:
        return HubRefusal(
            f"cannot {doing} {repo}: it is too large for the Hub ({message}). Push fewer or smaller files"
        )
    if status in (400, 422):
        return HubRefusal(f"cannot {doing} {repo}: the Hub refuses it ({message}). Fix that and push again")
    if status in (409, 412):
        return HubUnreachable(
            f"cannot {doing} {repo}: others keep committing to it at the same time ({message}). Run the same again"
        )
    if status == 429:
        return HubUnreachable(f"cannot {doing} {repo}: too many requests ({message}). Wait and run the same again")
    return HubUnreachable(
        f"cannot {doing} {repo}: the Hub failed (status {status}: {message}). Run the same again later"
    )


def unseen(api: Any) -> str:
    """Why a private repo is not seen, and what to do."""
    if _has_token(api):
        return "your token may not see it. Look at the spelling, or use a token of an account that may: hf auth login"
    return f"no token is set. Look at the spelling, or log in: {LOG_IN}"


def _has_token(api: Any) -> bool:
    from huggingface_hub import get_token

    return bool(getattr(api, "token", None) or get_token())
