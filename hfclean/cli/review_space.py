"""`hfclean review DIR --space ME/DESK`: the desk as a Space, at which several people decide."""

import argparse
import os
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, emit, unpacked
from hfclean.records.common import ABOUT

# not of a Space
HERE_ALONE = ("who", "people", "verdicts", "port", "origin", "no_browser", "split", "config", "columns")
OF_SPACE = ("reviewer", "owner", "names", "requirement", "public_rows", "space_token_env", "dry_run")


def add(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("as a Space of the Hub")
    group.add_argument(
        "--space",
        metavar="REPO",
        help="push the desk to this Docker Space instead, at which people sign in with the Hub; the rows go to the "
        "private dataset REPO-rows, what people decide to REPO-verdicts. Try --dry-run first",
    )
    group.add_argument(
        "--reviewer",
        action="append",
        default=[],
        metavar="NAME",
        help="who may review: the Hub name of a person, or of an organization for all its members (may be given "
        "several times; default: you alone)",
    )
    group.add_argument(
        "--owner",
        action="append",
        default=[],
        metavar="NAME",
        help="the same of who settles what the others decided, see --role (may be given several times)",
    )
    group.add_argument(
        "--names",
        action="store_true",
        help="decisions carry Hub names (default: names that say nothing, the same for a person each time)",
    )
    group.add_argument(
        "--requirement",
        metavar="TEXT",
        help="how pip gets hfclean in the Space: a wheel here, a git address, or a version (default: this version)",
    )
    group.add_argument("--public-rows", action="store_true", help="the dataset of the rows may be a public one")
    group.add_argument(
        "--space-token-env",
        metavar="VAR",
        help="variable that holds a token for the Space, which reads the rows and writes the verdicts (default: none, "
        "and you add it as the secret HF_TOKEN)",
    )
    group.add_argument("--dry-run", action="store_true", help="push nothing; say what would be made, and check it")


def check(args: argparse.Namespace) -> None:
    """Refuse what goes with a Space alone, where there is none.

    Raises:
        UsageError: it was given.
    """
    given = [name for name in OF_SPACE if getattr(args, name)]
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')} goes with --space; name one, such as --space me/desk")


def run(args: argparse.Namespace, selection: Any, out: TextIO) -> None:
    from hfclean.desk.space.pushing import REQUIREMENT, DeskSpace
    from hfclean.desk.space.settings import SpaceSettings
    from hfclean.hub import HubRefusal

    folder = _folder(args)
    reviewers = args.reviewer or ([] if args.owner else [_own_name(args)])
    settings = SpaceSettings(
        f"{args.space}-rows",
        f"{args.space}-verdicts",
        tuple(reviewers),
        tuple(args.owner),
        named=args.names,
        order=selection.order,
        sample=selection.sample,
        rule=selection.rule,
        blind=args.blind,
        doubled=args.double,
        without=args.without,
        gold=args.gold,
    )
    desk = DeskSpace(
        folder, args.space, settings, args.requirement or REQUIREMENT, args.public_rows, _space_token(args)
    )
    with unpacked(args) as cache:
        _check_rows(folder, settings, cache)
        plan = desk.plan() if args.dry_run else desk.push()
    data = {
        "space": plan.space.id,
        "rows": plan.rows.id,
        "verdicts": plan.verdicts.id,
        "pushed": not args.dry_run,
        "url": plan.space.url,
        "files": plan.files,
        "secrets": plan.secrets,
        "reviewers": settings.reviewers,
        "owners": settings.owners,
        "notes": plan.notes,
        "problems": plan.problems,
    }
    if args.json:
        emit(data, out)
    else:
        print(_in_words(plan, settings, dry_run=args.dry_run), file=out)
    if plan.problems:
        raise HubRefusal(f"{len(plan.problems)} problems would stop the push; they are named above")


def _in_words(plan: Any, settings: Any, *, dry_run: bool) -> str:
    begin = "would be pushed" if dry_run else "pushed"
    people = [*settings.reviewers, *(f"{name} as owner" for name in settings.owners)]
    lines = [
        f"{plan.space.url}  {begin}: {', '.join(plan.files)}",
        f"{plan.rows.url}  {begin}: the rows",
        f"{plan.verdicts.url}  decisions go here",
        f"may review: {', '.join(people)}",
        f"secrets of the Space: {', '.join(plan.secrets)}",
        *(f"note: {note}" for note in plan.notes),
        *(f"problem: {problem}" for problem in plan.problems),
    ]
    return "\n".join(lines)


def _folder(args: argparse.Namespace) -> Path:
    """The folder whose rows people decide about."""
    from hfclean.hub_id import is_hub_id

    given = [name for name in HERE_ALONE if getattr(args, name)] + (["role"] if args.role != "reviser" else [])
    if given:
        option = {"who": "as"}.get(given[0], given[0].replace("_", "-"))
        raise UsageError(f"--{option} is for a desk on this machine, and --space pushes one; leave out one of both")
    if not is_hub_id(args.space, namespace=True):
        raise UsageError(f"--space {args.space!r}: expected NAMESPACE/NAME, such as me/desk")
    for option in ("reviewer", "owner"):
        for name in getattr(args, option):
            if "/" in name or not is_hub_id(name):
                raise UsageError(f"--{option} {name!r}: expected a name of the Hub, such as ana")
    folder = Path(args.source).expanduser() if isinstance(args.source, str) else None
    if folder is None or not (folder / ABOUT).is_file():
        raise UsageError("--space: give one folder that hfclean wrote; make it: hfclean clean IN --out DIR")
    return folder


def _check_rows(folder: Path, settings: Any, cache: Path) -> None:
    """Say here what the container would otherwise say in its log when it begins.

    Raises:
        SourceError: no row is selected, or the share of planted rows is of none.
    """
    from hfclean.desk import Queue, Rows, plant
    from hfclean.folder import read_folder

    cleaned = read_folder(folder, cache_dir=cache)
    rows = Rows(dict(cleaned.dataset), cleaned.layout, refused=cleaned.refused)
    queue = Queue(rows, settings.selection)
    if settings.gold:
        plant(rows, queue, settings.gold, "")


def _own_name(args: argparse.Namespace) -> str:
    """Whose token it is; where there is none, whose Space."""
    from huggingface_hub import get_token

    from hfclean.hub.failures import Repo, explained
    from hfclean.hub.remote import hub_api

    api, namespace = hub_api(None), str(args.space).partition("/")[0]
    if not get_token():
        return namespace
    with explained(Repo(args.space, "space"), "push to", api):
        return str(api.whoami()["name"])


def _space_token(args: argparse.Namespace) -> str | None:
    if not args.space_token_env:
        return None
    token = os.environ.get(args.space_token_env, "").strip()
    if not token:
        raise UsageError(
            f"--space-token-env {args.space_token_env}: the variable is empty; put a token of the Hub in it"
        )
    return token
