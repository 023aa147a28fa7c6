"""Pushing: checked files become one commit, or a folder that shows it. What datasets and models have in common."""

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from hfclean.durable import new_folder
from hfclean.folder import check_target
from hfclean.hub.failures import Repo
from hfclean.hub.push_plan import PushPlan, check_files, new_problems, refuse, write_plan
from hfclean.hub.remote import Patience, Pushed, Remote, RepoChange, check_token, commit, look
from hfclean.hub.secrets import mask_secrets
from hfclean.processes import NumProc

README = "README.md"
BESIDE = "README.hfclean.md"
LARGEST_README = 5_000_000


@dataclass(frozen=True)
class PushOptions:
    """How a push goes, whatever is pushed. The token is not among it: it stays in the client of huggingface_hub.

    Args:
        private: for a new repo. `True` refuses to push to a public one.
        revision: the branch; made if it does not exist.
        create_pr: open a pull request instead.
        message: of the commit.
        dry_run: push nothing; write the exact files and say what a push would do.
        folder: where a dry run writes; a fresh folder for temporary files by default.
        allow_secrets: ids of keys that may stay, as the refusal names them.
        patience: with failures that may pass.
        num_proc: how many processes look for keys in tables, and mask them, as `hfclean.clean` takes it.
    """

    private: bool | None = None
    revision: str | None = None
    create_pr: bool = False
    message: str | None = None
    dry_run: bool = False
    folder: str | Path | None = None
    allow_secrets: Collection[str] = ()
    patience: Patience | None = None
    num_proc: NumProc = "auto"


class PushKeywords(TypedDict, total=False):
    """The same as keywords of the functions that push."""

    private: bool | None
    revision: str | None
    create_pr: bool
    message: str | None
    dry_run: bool
    folder: str | Path | None
    allow_secrets: Collection[str]
    patience: Patience | None
    num_proc: NumProc


# the card on top of the existing one; CardError where that one cannot be merged into
Card = Callable[[str | None], str]


def push_files(
    repo: Repo,
    api: Any,
    options: PushOptions,
    files: Mapping[str, Path | bytes],
    card: Card,
    *,
    message: str,
    gone: Callable[[Remote], tuple[tuple[str, ...], tuple[str, ...]]] = lambda remote: ((), ()),
    notes: tuple[str, ...] = (),
) -> Pushed | PushPlan:
    """Push files with their card in one commit, or show what that would be.

    Args:
        api: the client of huggingface_hub, with the token.
        files: path in the repo -> file.
        card: makes the card on top of the existing one.
        message: of the commit, where the options have none.
        gone: files of an earlier push that are to be removed, and notes; it may refuse what the repo holds.

    Raises:
        HubRefusal: the push is unsafe or inconsistent.
        HubError: the Hub cannot be reached, or refuses.
    """
    card(None)  # so that errors in what the caller gave are not blamed on the existing card
    message, allowed, patience = options.message or message, options.allow_secrets, options.patience or Patience()
    folder = Path(options.folder).expanduser() if options.folder else None
    if options.dry_run and folder is not None:
        check_target(folder, overwrite=False)
    # the commit's message is read by everybody who looks at the repo
    message_as_file = {"the message of the commit": message.encode("utf-8", "replace")}
    static = [*check_files(files, allowed, options.num_proc), *check_files(message_as_file, allowed)]
    if not options.dry_run:
        refuse(repo, static)
        check_token(api, repo)
    problems: list[str] = []

    def make(remote: Remote) -> RepoChange:
        old, old_notes = gone(remote)
        name, text, existing, why = _merged(remote, card)
        problems[:] = [*new_problems(text, existing), *check_files({name: text.encode()}, allowed)]
        if not options.dry_run:
            refuse(repo, problems)
        content: dict[str, Path | bytes] = {**files, name: text.encode("utf-8")}
        return RepoChange(content, old, (*notes, *old_notes, *why))

    if not options.dry_run:
        return commit(
            api,
            repo,
            make,
            message=message,
            private=options.private,
            create_pr=options.create_pr,
            patience=patience,
        )
    remote, unread = look(api, repo, patience)
    change = make(remote)
    change = replace(change, notes=(*change.notes, *([unread] if unread else ())))
    every = [*static, *problems]
    shown = mask_secrets(message, allowed)
    if folder is None:
        place = Path(tempfile.mkdtemp(prefix="hfclean-push-"))
        return write_plan(place, repo, change, remote, message=shown, problems=every)
    with new_folder(folder, overwrite=False) as place:
        plan = write_plan(place, repo, change, remote, message=shown, problems=every)
    return replace(plan, folder=folder)


def _merged(remote: Remote, card: Card) -> tuple[str, str, str | None, tuple[str, ...]]:
    """Name and text of the card, the existing text, and notes about it."""
    from hfclean.cards import CardError

    raw = remote.read(README, most=LARGEST_README)
    if raw is None:
        return README, card(None), None, ()
    try:
        existing = raw.decode("utf-8")
        return README, card(existing), existing, ()
    except (CardError, UnicodeDecodeError) as e:
        problem = str(e) if isinstance(e, CardError) else f"it is not UTF-8 ({e})"
        note = (
            f"the existing README.md cannot be merged into, so it was left as it is and ours was put beside it, "
            f"as {BESIDE}: {problem}. Fix it, push again, and the two become one"
        )
        return BESIDE, card(None), None, (note,)
