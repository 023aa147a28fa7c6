"""Have a model revise every row, and write a dataset folder.

Have a model revise every row, check each revision, and write the same folder as hfclean clean. A revision that fails a
check is not taken: the original stays, and the row says why. Every answer is kept before it is used: stopped or
killed, the same command asks for the rest only.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.reading import UsageError, tell, tokenizer_of, unpacked
from hfclean.cli.revisers import revised, reviser_of, spelled, stated
from hfclean.cli.writing import tell_failures
from hfclean.errors import FolderError

EPILOG = """the careful way:
  hfclean estimate IN --model M --base-url URL --prices input=P,output=P    asks nothing
  hfclean revise IN --model M --base-url URL --preview 20                         asks for 20 rows, writes nothing
  hfclean revise IN --model M --base-url URL --out DIR                            asks for the rest, writes DIR
  hfclean revise DIR --retry-failed                                               asks again for what failed
"""


def add(command: argparse.ArgumentParser) -> None:
    command.epilog, command.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    options.source(command)
    options.output(command, required=False, needed="; needed unless --preview or --retry-failed is given")
    options.strict(command)
    options.processes(command)
    options.shard(command)
    options.drop(command)
    options.preview(command)
    command.add_argument(
        "--retry-failed",
        action="store_true",
        help="IN is a folder that this command wrote: ask again for the rows that failed or whose answer could not be "
        "read, and no others, with the model and settings that its hfclean.json names, and replace the folder (or "
        "write --out)",
    )
    options.model(command, needed="; needed unless --retry-failed is given")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    if args.retry_failed:
        if args.preview:
            raise UsageError("--preview and --retry-failed: one at a time")
        if args.shard:
            raise UsageError("--shard and --retry-failed: ask again once the parts are merged")
        _retry(args, out, err)
    else:
        revised(args, out, err, (reviser_of(args),))


def _retry(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Ask again for the rows of a folder that failed, and rewrite the folder."""
    from hfclean.cleaned import Cleaned
    from hfclean.cleaning import failed_rows, retry_failed
    from hfclean.cli.terminal import columns_wide
    from hfclean.folder import check_target, read_folder, write_folder
    from hfclean.ownership import is_own
    from hfclean.report.formatting import plural
    from hfclean.restoration import originals
    from hfclean.source import Source

    for name, usual in (("columns", None), ("prefix", ""), ("turns", "last"), ("side", "chosen")):
        if getattr(args, name) != usual:
            raise UsageError(
                f"--{name} with --retry-failed: rows are read as they were when the folder was revised, which its "
                f"hfclean.json says; leave --{name} out"
            )
    if args.split or args.config:
        raise UsageError("--split and --config with --retry-failed: all splits of the folder are read")
    if not isinstance(args.source, str):
        raise UsageError("--retry-failed: expected one folder that hfclean wrote, not several files")
    source_dir = Path(args.source).expanduser()
    target = Path(args.out).expanduser() if args.out else source_dir
    elsewhere = target.resolve() != source_dir.resolve()
    if elsewhere:
        check_target(target, overwrite=args.overwrite, source=source_dir)
    with unpacked(args, str(target)) as cache_dir:
        folder = read_folder(source_dir, cache_dir=cache_dir)
        about = folder.about
        last = next((each for each in reversed(about["transforms"]) if "usage" in each), None)
        if last is None:
            raise FolderError(f"{args.source}: no model was asked for it, so nothing of it can have failed")
        is_ours = is_own(folder.path)
        if not is_ours:
            last = _check_stranger(args, last)
        layout = folder.layout
        reviser = replace(reviser_of(args, last), columns=layout.columns, prefix=layout.prefix)
        count = sum(map(len, failed_rows(folder.dataset, layout).values()))
        if not count:
            text = f"{source_dir}  no row failed, and every answer could be read; nothing to ask again"
            tell(args, out, lambda: {"out": str(source_dir), "rows": 0}, lambda: text)
            return
        done = retry_failed(
            folder.dataset, reviser, transforms=about["transforms"], show=not args.quiet, refused=folder.refused
        )
        origin, before = about["source"], originals(folder.dataset, prefix=layout.prefix)
        report = write_folder(
            target,
            Cleaned(done.dataset, folder.removed, done.transforms, refused=done.refused),
            before=before,
            source=Source(
                before, origin["name"], origin["kind"], origin["fingerprint"], folder.card, tuple(origin["notes"])
            ),
            overwrite=args.overwrite or not elsewhere,
            license=args.license or about["stated"]["license"],
            language=args.language or about["stated"]["language"],
            source_id=args.source_id or about["stated"]["source"],
            layout=layout,
            tokenizer=tokenizer_of(args.tokenizer),
            max_tokens=args.max_tokens,
            own=is_ours,
        )
        left = sum(map(len, failed_rows(done.dataset, layout).values()))
    data = {"out": str(target), "rows": count, "failed": left, "transforms": list(done.transforms)}
    text = (
        f"asked again for {plural(count, 'row')} that had failed or whose answer could not be read: {left:,} again "
        f"without a revision\n\nrewrote {target}"
    )
    data |= {"report": report.to_dict(edits=False)}
    tell(args, out, lambda: data, lambda: f"{report.summary(columns_wide())}\n\n{text}")
    tell_failures(done, target, out)


def _check_stranger(args: argparse.Namespace, step: dict[str, Any]) -> dict[str, Any]:
    """Refuse to follow the record of a folder that was not written here to a server, a model or a key; gives what of
    it is followed.

    Raises:
        FolderError: it names what has to be said on the command line.
    """
    from hfclean.records.trust import settings_of
    from hfclean.reviser.coach import Reviser
    from hfclean.reviser.reflection import Reflection

    settings = step.get("settings", {})
    known = settings_of(Reflection if step.get("by") == "Reflection" else Reviser)
    chosen = {"model": args.model, **stated(args, step)}
    for name, most in ((name, setting.most) for name, setting in known.items() if setting.most is not None):
        value = settings.get(name) if name not in chosen else None
        if isinstance(value, (int, float)) and value > most:
            raise FolderError(
                f"{args.source}: {name} in hfclean.json is {value!r:.40}, and no more than {most:,} is taken from "
                f"others, since you pay for it: {spelled(name, 'N')}"
            )
    taken = {name: value for name, value in settings.items() if name in known and known[name].hub}
    followed = {**step, "settings": taken, "words": {}}
    names = ["base_url", "extra_body"]
    if args.base_url is None:  # a server's name for a model says nothing of where rows go
        names.append("model")
    named = [name for name in names if chosen.get(name) is None and settings.get(name)]
    if not named:
        return followed
    values = ", ".join(f"{name.replace('_', ' ')} {str(settings[name])[:80]!r}" for name in named)
    repeated = " ".join(map(spelled, named))
    raise FolderError(
        f"{args.source} was not written here (or was moved, copied or changed since), and its hfclean.json names the "
        f"{values}. You decide where your rows are sent: repeat what you agree to, {repeated}"
    )
