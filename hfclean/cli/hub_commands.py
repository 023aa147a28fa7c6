"""What `push`, `pull` and `card` do. The Hub is reached through `hfclean.hub` and nowhere else."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, emit, unpacked

__all__ = ["add_commands", "card", "pull", "push"]

ABOUT = "hfclean.json"
RULE = "linear_rule.json"
PACK = "hfclean_benchmarks.json"
DATA_ONLY = ("config", "mask_secrets")
MODEL_ONLY = ("base_model", "dataset")


def add_commands(verbs: Any) -> None:
    """The three subcommands."""
    push = verbs.add_parser(
        "push",
        help="push a cleaned folder or a reviser to the Hub, with its card, in one commit",
        description="Push a folder to the Hub in one commit: a dataset that hfclean cleaned, a reviser or a linear "
        "rule that save_pretrained wrote, or a pack of benchmarks. What is "
        "there already keeps its text, its own keys and its other configs; "
        "the same again makes no commit. Needs a token: hf auth login, or HF_TOKEN. Look first: --dry-run.",
    )
    push.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote")
    push.add_argument("repo", metavar="REPO", help="NAMESPACE/NAME on the Hub; made if it is not there")
    push.add_argument("--dry-run", action="store_true", help="push nothing; write the exact files and check them")
    push.add_argument("--out", metavar="FOLDER", help="where --dry-run writes (default: a folder for temporary files)")
    push.add_argument("--private", action="store_true", default=None, help="make the repo a private one")
    push.add_argument("--revision", metavar="BRANCH", help="push to this branch (default: main)")
    push.add_argument("--create-pr", action="store_true", help="open a pull request instead of committing")
    push.add_argument("--message", metavar="TEXT", help="of the commit")
    push.add_argument("--license", metavar="ID", help="licence for the card, e.g. cc-by-nc-4.0")
    push.add_argument("--language", metavar="CODE", action="append", help="language for the card, e.g. en")
    push.add_argument("--source", metavar="REPO", help="dataset: Hub id of what was cleaned")
    push.add_argument(
        "--config", metavar="NAME", default="default", help="dataset: name of its config (default: default)"
    )
    push.add_argument(
        "--allow-secret",
        metavar="ID",
        action="append",
        default=[],
        help="let this key through, a documented sample (may be given several times)",
    )
    push.add_argument("--mask-secrets", action="store_true", help="dataset: replace keys by their kind in brackets")
    push.add_argument("--base-model", metavar="ID", help="reviser: Hub id of the model that it was tuned from")
    push.add_argument(
        "--dataset", metavar="ID", action="append", default=[], help="reviser: Hub id of its training data"
    )
    push.add_argument("--json", action="store_true", help="print JSON")
    push.add_argument("--quiet", action="store_true", help="no progress bars")

    pull = verbs.add_parser(
        "pull",
        help="download a cleaned dataset or a reviser from the Hub as a folder",
        description="Download what hfclean pushed: a dataset, as the folder that hfclean why and undo work on, or a "
        "reviser or linear rule with all its files.",
    )
    pull.add_argument("repo", metavar="REPO", help="NAMESPACE/NAME on the Hub")
    pull.add_argument("--out", required=True, metavar="DIR", help="the folder to write")
    pull.add_argument("--revision", metavar="REF", help="branch, tag or commit (default: main)")
    pull.add_argument("--config", metavar="NAME", default="default", help="dataset: name of its config")
    pull.add_argument("--overwrite", action="store_true", help="replace DIR if hfclean wrote it")
    pull.add_argument("--json", action="store_true", help="print JSON")
    pull.add_argument("--quiet", action="store_true", help="no progress bars")

    card = verbs.add_parser(
        "card",
        help="render the card of a folder as a push would",
        description="Render the card of a cleaned folder, a reviser or a linear rule, and say what the Hub would "
        "refuse in it. Reaches no network.",
    )
    card.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote")
    card.add_argument("--repo", metavar="REPO", default="", help="NAMESPACE/NAME that the card speaks of")
    card.add_argument("--out", metavar="FILE", help="write here instead of to the standard output")
    card.add_argument("--license", metavar="ID", help="licence for the card")
    card.add_argument("--language", metavar="CODE", action="append", help="language for the card, e.g. en")


def push(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Push a folder, whatever it holds."""
    import hfclean.hub as hub

    if args.out and not args.dry_run:
        raise UsageError("--out is where --dry-run writes; without it, nothing is written here")
    folder, kind = Path(args.dir).expanduser(), _kind(args.dir)
    how: dict[str, Any] = {
        "license": args.license,
        "language": args.language,
        "private": args.private,
        "revision": args.revision,
        "create_pr": args.create_pr,
        "message": args.message,
        "dry_run": args.dry_run,
        "folder": args.out,
    }
    if kind != "dataset" and (args.config != "default" or args.mask_secrets or args.source):
        raise UsageError(f"--config, --source and --mask-secrets are for datasets, and {folder.name!r} is a {kind}")
    if kind != "reviser" and (args.base_model or args.dataset):
        raise UsageError(f"--base-model and --dataset are for revisers, and {folder.name!r} is a {kind}")
    with unpacked(args):
        if kind == "rule":
            done = hub.push_rule(folder, args.repo, **how)
        elif kind == "pack":
            done = hub.push_benchmarks(folder, args.repo, **how)
        elif kind == "reviser":
            done = hub.push_reviser(
                folder,
                args.repo,
                base_model=args.base_model,
                datasets=args.dataset,
                allow_secrets=args.allow_secret,
                **how,
            )
        else:
            done = hub.push_dataset(
                folder,
                args.repo,
                source=args.source,
                config_name=args.config,
                allow_secrets=args.allow_secret,
                mask_secrets=args.mask_secrets,
                **how,
            )
    if isinstance(done, hub.PushPlan):
        _show_plan(done, args, out)
    else:
        _show_pushed(done, kind, args, out, err)


def _show_plan(plan: Any, args: argparse.Namespace, out: TextIO) -> None:
    from hfclean.hub import HubRefusal

    if args.json:
        emit(
            {
                "repo": plan.repo_id,
                "type": plan.repo_type,
                "folder": str(plan.folder),
                "files": [file._asdict() for file in plan.files],
                "deleted": list(plan.deleted),
                "message": plan.message,
                "problems": list(plan.problems),
                "notes": list(plan.notes),
            },
            out,
        )
    else:
        print(plan, file=out)
    if plan.problems:
        raise HubRefusal(f"{len(plan.problems)} problems would stop the push; they are named above")


def _show_pushed(done: Any, kind: str, args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    if args.json:
        emit(
            {
                "repo": done.repo_id,
                "type": done.repo_type,
                "changed": done.changed,
                "commit": done.commit,
                "url": done.url,
                "pull_request": done.pull_request,
                "files": list(done.files),
                "deleted": list(done.deleted),
                "notes": list(done.notes),
            },
            out,
        )
        return
    for note in done.notes:
        print(f"note: {note}", file=err)
    if not done.changed:
        print(f"{done.url}  holds all of it already; no commit was needed", file=out)
        return
    print(f"{done.pull_request or done.url}  {len(done.files)} files in one commit", file=out)
    if kind == "pack":
        print(f"hfclean decontaminate IN --against {done.repo_id}", file=out)
    elif done.repo_type == "dataset":
        print(f"load_dataset({done.repo_id!r}), or hfclean.load_cleaned({done.repo_id!r})", file=out)


def pull(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Download a dataset, or a model of ours of that name."""
    import hfclean.hub as hub

    with unpacked(args, args.out):
        where = hub.pull(
            args.repo, args.out, revision=args.revision, config_name=args.config, overwrite=args.overwrite
        )
    kind = _kind(str(where))
    if args.json:
        emit({"repo": args.repo, "out": str(where), "kind": kind}, out)
        return
    uses = {
        "dataset": f"the dataset: load_dataset({str(where)!r})",
        "reviser": f"the reviser: from_pretrained({str(where)!r})",
        "rule": f"the rule: hfclean.LinearRule.from_pretrained({str(where)!r})",
    }
    print(f"{where}  {uses[kind]}", file=out)


def card(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Render a card."""
    import hfclean.hub as hub
    from hfclean.cards import check_card

    text = hub.render_card(
        Path(args.dir).expanduser(), args.repo, kind=_kind(args.dir), license=args.license, language=args.language
    )
    if args.out:
        Path(args.out).expanduser().write_text(text, encoding="utf-8")
        print(f"{args.out}  the card", file=out)
    else:
        print(text, end="", file=out)
    for problem in check_card(text):
        print(f"problem: {problem}", file=err)


def _kind(folder: str) -> str:
    """What a folder holds: `dataset`, `reviser`, `rule` or `pack`."""
    from hfclean.errors import FolderError

    path = Path(folder).expanduser()
    for name, kind in ((RULE, "rule"), (PACK, "pack")):
        if (path / name).is_file():
            return kind
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise FolderError(
            f"{folder!r} holds nothing that hfclean wrote (no {ABOUT} that can be read); make one: hfclean clean IN "
            "--out DIR, or reviser.save_pretrained(DIR)"
        ) from e
    return "reviser" if isinstance(about, dict) and "reviser" in about else "dataset"
