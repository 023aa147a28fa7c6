"""Push a cleaned folder or a reviser to the Hub, with its card, in one commit.

Push a folder to the Hub in one commit: a dataset that hfclean cleaned, a reviser or a linear rule that save_pretrained
wrote, or a pack of benchmarks. An existing card keeps its text, custom keys and other configs; pushing the
same again makes no commit. Needs a token: hf auth login, or HF_TOKEN. Try --dry-run first.
"""

import argparse
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.folders import kind_of
from hfclean.cli.reading import UsageError, emit, tell, unpacked


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote")
    command.add_argument("repo", metavar="REPO", help="NAMESPACE/NAME on the Hub; created if it does not exist")
    command.add_argument("--dry-run", action="store_true", help="push nothing; write the exact files and check them")
    command.add_argument(
        "--out", metavar="FOLDER", help="where --dry-run writes (default: a folder for temporary files)"
    )
    command.add_argument("--private", action="store_true", default=None, help="create the repo as private")
    command.add_argument("--revision", metavar="BRANCH", help="push to this branch (default: main)")
    command.add_argument("--create-pr", action="store_true", help="open a pull request instead of committing")
    command.add_argument("--message", metavar="TEXT", help="commit message")
    options.license_and_language(command)
    command.add_argument(
        "--source",
        metavar="REPO",
        action="append",
        default=[],
        help="dataset: Hub id of what was cleaned; reviser: of its training data (may be given several times)",
    )
    command.add_argument(
        "--config", metavar="NAME", default="default", help="dataset: name of its config (default: default)"
    )
    command.add_argument(
        "--allow-secret",
        metavar="ID",
        action="append",
        default=[],
        help="let this key through, a documented sample (may be given several times)",
    )
    command.add_argument("--mask-secrets", action="store_true", help="dataset: replace keys by their kind in brackets")
    options.processes(command)
    command.add_argument("--base", metavar="ID", help="reviser: Hub id of the model that it was tuned from")
    options.json_output(command)
    options.quiet(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    import hfclean.hub as hub

    if args.out and not args.dry_run:
        raise UsageError("--out is where --dry-run writes; without it, nothing is written here")
    folder, kind = Path(args.dir).expanduser(), kind_of(args.dir)
    keywords: dict[str, Any] = {
        "license": args.license,
        "language": args.language,
        "private": args.private,
        "revision": args.revision,
        "create_pr": args.create_pr,
        "message": args.message,
        "dry_run": args.dry_run,
        "folder": args.out,
        "num_proc": args.num_proc,
    }
    if kind != "dataset" and (args.config != "default" or args.mask_secrets):
        raise UsageError(f"--config and --mask-secrets are for datasets, and {folder.name!r} is a {kind}")
    if kind != "reviser" and args.base:
        raise UsageError(f"--base is for revisers, and {folder.name!r} is a {kind}")
    if args.source and kind not in ("dataset", "reviser"):
        raise UsageError(f"--source is for datasets and revisers, and {folder.name!r} is a {kind}")
    if kind == "dataset" and len(args.source) > 1:
        raise UsageError(f"--source {' --source '.join(args.source)}: expected one, which was cleaned to this dataset")
    with unpacked(args):
        if kind == "rule":
            done = hub.push_rule(folder, args.repo, **keywords)
        elif kind == "pack":
            done = hub.push_benchmarks(folder, args.repo, **keywords)
        elif kind == "reviser":
            done = hub.push_reviser(
                folder,
                args.repo,
                base_model=args.base,
                datasets=args.source,
                allow_secrets=args.allow_secret,
                **keywords,
            )
        else:
            done = hub.push_dataset(
                folder,
                args.repo,
                source=args.source[0] if args.source else None,
                config_name=args.config,
                allow_secrets=args.allow_secret,
                mask_secrets=args.mask_secrets,
                **keywords,
            )
    if isinstance(done, hub.PushPlan):
        _show_plan(done, args, out)
    else:
        _show_pushed(done, kind, args, out, err)


def _show_plan(plan: Any, args: argparse.Namespace, out: TextIO) -> None:
    from hfclean.hub import HubRefusal

    parts = ("deleted", "message", "problems", "notes")
    data = {"repo": plan.repo_id, "type": plan.repo_type, "folder": str(plan.folder)}
    data |= {"files": [file._asdict() for file in plan.files], **{name: getattr(plan, name) for name in parts}}
    tell(args, out, lambda: data, lambda: plan)
    if plan.problems:
        raise HubRefusal(f"{len(plan.problems)} problems would stop the push; they are named above")


def _show_pushed(done: Any, kind: str, args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    if args.json:
        parts = ("changed", "commit", "url", "pull_request", "files", "deleted", "notes")
        emit({"repo": done.repo_id, "type": done.repo_type} | {name: getattr(done, name) for name in parts}, out)
        return
    for note in done.notes:
        print(f"note: {note}", file=err)
    if not done.changed:
        print(f"{done.url}  already up to date; no commit was needed", file=out)
        return
    print(f"{done.pull_request or done.url}  {len(done.files)} files in one commit", file=out)
    if kind == "pack":
        print(f"hfclean decontaminate IN --against {done.repo_id}", file=out)
    elif done.repo_type == "dataset":
        print(f"load_dataset({done.repo_id!r}), or hfclean.load_cleaned({done.repo_id!r})", file=out)
