"""The subcommands that ask a model, or say what asking would take, or what was kept of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.model_options import reviser_of, store_of
from hfclean.cli.reading import UsageError, columns_of, emit, notes, tokenizer_of, unpacked
from hfclean.cli.render_models import describe_estimate, describe_preview, describe_stats
from hfclean.durable import new_file
from hfclean.errors import FolderError
from hfclean.models import BackendError
from hfclean.report.figures import plural

__all__ = ["cache", "estimate", "preview", "retry", "tell_failures"]


def preview(args: argparse.Namespace, out: TextIO, err: TextIO, revisers: Sequence[Any]) -> None:
    """Show a few rows as they would become, and what the whole would take."""
    from hfclean.preview import preview as previewed
    from hfclean.source import load

    with unpacked(args) as cache_dir:
        source = load(
            args.source, split=args.split, config=args.config, columns=columns_of(args.columns), cache_dir=cache_dir
        )
        notes(source, err)
        found = previewed(source.dataset, revisers, rows=args.preview, show=not args.quiet)
    if args.json:
        emit(found.to_dict(), out)
    else:
        print(describe_preview(found, revisers[-1].spec()), file=out)


def estimate(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Say what a run would take; asks nothing."""
    from hfclean.source import load

    reviser = reviser_of(args)
    tokenizer = tokenizer_of(args.tokenizer)
    with unpacked(args) as cache_dir:
        source = load(
            args.source, split=args.split, config=args.config, columns=columns_of(args.columns), cache_dir=cache_dir
        )
        notes(source, err)
        found = reviser.estimate(
            source.dataset,
            sample=args.sample,
            seconds_per_request=args.seconds_per_request,
            growth=args.growth,
            tokenizer=None if tokenizer is None else tokenizer.encode,
        )
        total = sum(len(part) for part in source.dataset.values())
    if args.json:
        told = {name: None if value != value else value for name, value in asdict(found).items()}
        emit({"rows": total, "sampled": min(args.sample, total), **told}, out)
    else:
        print(describe_estimate(found, reviser.spec(), rows=total, sampled=min(args.sample, total)), file=out)


def retry(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Ask again for the rows of a folder that failed, and write the folder anew."""
    from hfclean.cleaning import Cleaned, failed_rows, retry_failed
    from hfclean.folder import check_target, read_folder, write_folder
    from hfclean.ownership import is_own
    from hfclean.restoration import restore
    from hfclean.source import Source

    for name, usual in (("columns", None), ("prefix", ""), ("turns", "last"), ("side", "chosen")):
        if getattr(args, name) != usual:
            raise UsageError(
                f"--{name} with --retry-failed: rows are read as they were when the folder was revised, which its "
                f"hfclean.json says; leave --{name} out"
            )
    if args.split or args.config:
        raise UsageError("--split and --config with --retry-failed: all splits of the folder are gone through")
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
        told = next((each for each in reversed(about["transforms"]) if "usage" in each), None)
        if told is None:
            raise FolderError(f"{args.source}: no model was asked for it, so nothing of it can have failed")
        prefix, columns = about.get("prefix", ""), about.get("columns")
        own = is_own(folder.path)
        if not own:
            told = _check_stranger(args, told)
        reviser = replace(reviser_of(args, told), columns=columns, prefix=prefix)
        count = sum(map(len, failed_rows(folder.dataset, prefix).values()))
        if not count:
            if args.json:
                emit({"out": str(source_dir), "rows": 0}, out)
            else:
                print(f"{source_dir}  no row failed, and every answer could be read; nothing to ask again", file=out)
            return
        done = retry_failed(folder.dataset, reviser, transforms=about["transforms"], show=not args.quiet)
        stated = {name: value for name, value in _stated(args).items() if value}
        origin, before = about["source"], restore(folder.dataset, prefix=prefix)
        report = write_folder(
            target,
            Cleaned(done.dataset, folder.removed, done.transforms),
            before=before,
            source=Source(
                before, origin["name"], origin["kind"], origin["fingerprint"], folder.card, tuple(origin["notes"])
            ),
            overwrite=args.overwrite or not elsewhere,
            **{"license": None, "language": None, "source_id": None, **_earlier(about), **stated},
            columns=columns,
            prefix=prefix,
            tokenizer=tokenizer_of(args.tokenizer),
            max_tokens=args.max_tokens,
            own=own,
        )
        left = sum(map(len, failed_rows(done.dataset, prefix).values()))
    if args.json:
        told = {"out": str(target), "rows": count, "failed": left, "transforms": list(done.transforms)}
        emit({**told, "report": report.to_dict(edits=False)}, out)
    else:
        print(report.summary(), file=out)
        print(
            f"\nasked again for {plural(count, 'row')} that had failed or whose answer could not be read: {left:,} "
            "again without a revision",
            file=out,
        )
        print(f"\n{target}  written anew", file=out)
    tell_failures(done, target, out)


def tell_failures(cleaned: Any, target: Path, out: TextIO) -> None:
    """End a run from whose models nothing came, once what there is has been written.

    Raises:
        BackendError: nothing came.
    """
    if cleaned.failures:
        out.flush()
        raise BackendError(
            f"{'; '.join(cleaned.failures)}. {target} was written with these rows as they were, and every answer is "
            f"kept. Look at the model and at what it says (hfclean why {target} 0; --preview), then ask again: "
            f"hfclean revise {target} --retry-failed"
        )


def _check_stranger(args: argparse.Namespace, step: dict[str, Any]) -> dict[str, Any]:
    """Refuse to follow the record of a folder that was not written here to a server, a model or a key; gives what of
    it is followed.

    Raises:
        FolderError: it names what has to be said on the command line.
    """
    from hfclean.reviser.saved import FROM_HUB, MOST

    settings = step.get("settings", {})
    for name, most in MOST.items():
        value = settings.get(name) if getattr(args, name, None) is None else None
        if isinstance(value, (int, float)) and value > most:
            raise FolderError(
                f"{args.source}: {name} in hfclean.json is {value!r:.40}, and no more than {most:,} is taken from "
                f"others, since you pay for it: --{name.replace('_', '-')} N"
            )
    followed = {**step, "settings": {name: value for name, value in settings.items() if name in FROM_HUB}}
    stated = {"base_url": args.base_url, "extra_body": args.extra_body}
    if args.base_url is None:  # a server's name for a model says nothing of where rows go
        stated["model"] = args.model
    named = [name for name, value in stated.items() if value is None and settings.get(name)]
    if not named:
        return followed
    values = ", ".join(f"{name.replace('_', ' ')} {str(settings[name])[:80]!r}" for name in named)
    options = " ".join(f"--{name.replace('_', '-')} ..." for name in named)
    raise FolderError(
        f"{args.source} was not written here (or was moved, copied or changed since), and its hfclean.json names the "
        f"{values}. Whom your rows are sent to is yours to say: repeat what you agree to, {options}"
    )


def _stated(args: argparse.Namespace) -> dict[str, Any]:
    return {"license": args.license, "language": args.language, "source_id": args.source_id}


def _earlier(about: dict[str, Any]) -> dict[str, Any]:
    stated = about["stated"]
    return {"license": stated["license"], "language": stated["language"], "source_id": stated["source"]}


# --------------------------------------------------------------------------------------------------------------- cache


def cache(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """What is kept of what models said: count it, write it out, delete it."""
    from hfclean.models import store

    where = store_of(args)
    found = store.stats(where)
    sources = store.matching(found, args.model) if args.model else None
    if args.action == "stats":
        shown = {k: v for k, v in found.by_source.items() if sources is None or k in sources}
        if args.json:
            emit({**asdict(found), "by_source": {k: asdict(v) for k, v in shown.items()}}, out)
        else:
            print(describe_stats(found, shown), file=out)
    elif args.action == "export":
        _export(args, out, where, sources)
    else:
        _clear(args, out, err, found, sources)


def _export(args: argparse.Namespace, out: TextIO, where: str | None, sources: Sequence[str] | None) -> None:
    from hfclean.models import store

    if args.out is None:
        if args.json:
            raise UsageError("export --json needs --out FILE: the answers themselves are lines of JSON on the output")
        store.export(out, where, sources=sources)
        return
    target = Path(args.out).expanduser()
    if target.exists() and not args.overwrite:
        raise FolderError(f"the file {target.name!r} is there already; name another, or replace it with --overwrite")
    with new_file(target) as partial, partial.open("w", encoding="utf-8") as f:
        count = store.export(f, where, sources=sources)
    if args.json:
        emit({"file": str(target), "answers": count}, out)
    else:
        print(f"{target}  {count:,} answers", file=out)


def _clear(args: argparse.Namespace, out: TextIO, err: TextIO, found: Any, sources: Sequence[str] | None) -> None:
    from hfclean.models import store

    chosen = list(found.sources if sources is None else sources)
    count = sum(found.sources[source] for source in chosen)
    if count and not args.yes:
        names = ", ".join(chosen)
        print(
            f"delete {count:,} answers of {names} from {found.path}? They cannot be had back. [y/N] ", end="", file=err
        )
        err.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("nothing was deleted", file=err)
            if args.json:
                emit({"file": found.path, "deleted": {}}, out)
            return
    gone = {source: store.clear(found.path, source=source) for source in chosen}
    if args.json:
        emit({"file": found.path, "deleted": gone}, out)
        return
    for source, number in gone.items():
        print(f"{number:,} answers of {source} deleted", file=out)
    if not gone:
        print(f"{found.path}  holds no answers", file=out)
