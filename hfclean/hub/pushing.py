"""Pushing: checked files become one commit, or a folder that shows it. What datasets and models have in common."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hfclean.durable import new_folder
from hfclean.folder import check_target
from hfclean.hub.failures import Repo
from hfclean.hub.push_plan import PushPlan, check_files, new_problems, refuse, write_plan
from hfclean.hub.remote import Patience, Pushed, Remote, RepoChange, check_token, commit, hub_api, look
from hfclean.hub.secrets import mask_secrets

__all__ = ["Card", "Target", "push_files"]

README = "README.md"
BESIDE = "README.hfclean.md"
LARGEST_README = 5_000_000


@dataclass(frozen=True)
class Target:
    """Where and how to push.

    Attributes:
        repo: the repo and branch.
        token: of the Hub; the one of `hf auth login` or HF_TOKEN by default.
        private: of a repo that is made now.
        create_pr: open a pull request instead of committing to the branch.
        message: of the commit.
        allow_secrets: ids of secrets to let through.
        dry_run: push nothing and write the files into `folder`, a fresh one by default.
        patience: with failures that may pass.
    """

    repo: Repo
    message: str
    token: str | None = None
    private: bool | None = None
    create_pr: bool = False
    allow_secrets: Collection[str] = ()
    dry_run: bool = False
    folder: Path | None = None
    patience: Patience = field(default_factory=Patience)

    def __repr__(self) -> str:  # the token is nobody's business
        return f"Target({self.repo}, dry_run={self.dry_run})"


# the card on top of the one that is there; CardError where that one cannot be merged into
Card = Callable[[str | None], str]


def push_files(
    target: Target,
    files: Mapping[str, Path | bytes],
    card: Card,
    *,
    gone: Callable[[Remote], tuple[tuple[str, ...], tuple[str, ...]]] = lambda remote: ((), ()),
    notes: tuple[str, ...] = (),
) -> Pushed | PushPlan:
    """Push files with their card in one commit, or show what that would be.

    Args:
        files: path in the repo -> file.
        card: makes the card on top of the one that is there.
        gone: files of an earlier push that are to be taken away, and notes; it may refuse what is there.

    Raises:
        HubRefusal: something speaks against it.
        HubError: the Hub cannot be reached or does not let this happen.
    """
    card(None)  # what is wrong with the words that the caller gave is not the fault of the card that is there
    if target.dry_run and target.folder is not None:
        check_target(target.folder, overwrite=False)
    # the commit's message is read by everybody who looks at the repo
    said = {"the message of the commit": target.message.encode("utf-8", "replace")}
    static = [*check_files(files, target.allow_secrets), *check_files(said, target.allow_secrets)]
    if not target.dry_run:
        refuse(target.repo, static)
        check_token(hub_api(target.token), target.repo)
    problems: list[str] = []

    def make(remote: Remote) -> RepoChange:
        old, said = gone(remote)
        name, text, existing, why = _merged(remote, card)
        problems[:] = [*new_problems(text, existing), *check_files({name: text.encode()}, target.allow_secrets)]
        if not target.dry_run:
            refuse(target.repo, problems)
        content: dict[str, Path | bytes] = {**files, name: text.encode("utf-8")}
        return RepoChange(content, old, (*notes, *said, *why))

    api = hub_api(target.token)
    if not target.dry_run:
        return commit(
            api,
            target.repo,
            make,
            message=target.message,
            private=target.private,
            create_pr=target.create_pr,
            patience=target.patience,
        )
    remote, unread = look(api, target.repo, target.patience)
    change = make(remote)
    change = replace(change, notes=(*change.notes, *([unread] if unread else ())))
    every = [*static, *problems]
    shown = mask_secrets(target.message, target.allow_secrets)
    if target.folder is None:
        place = Path(tempfile.mkdtemp(prefix="hfclean-push-"))
        return write_plan(place, target.repo, change, remote, message=shown, problems=every)
    with new_folder(target.folder, overwrite=False) as place:
        plan = write_plan(place, target.repo, change, remote, message=shown, problems=every)
    return replace(plan, folder=target.folder)


def _merged(remote: Remote, card: Card) -> tuple[str, str, str | None, tuple[str, ...]]:
    """Name and text of the card, the text that is there, and what there is to say of it."""
    from hfclean.cards import CardError

    raw = remote.read(README, most=LARGEST_README)
    if raw is None:
        return README, card(None), None, ()
    try:
        existing = raw.decode("utf-8")
        return README, card(existing), existing, ()
    except (CardError, UnicodeDecodeError) as e:
        told = str(e) if isinstance(e, CardError) else f"it is not UTF-8 ({e})"
        note = (
            f"the README.md that is there cannot be merged into, so it was left as it is and ours was put beside it, "
            f"as {BESIDE}: {told}. Mend it, push again, and the two become one"
        )
        return BESIDE, card(None), None, (note,)
