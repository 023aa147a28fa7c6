"""Count, export, merge or delete stored answers of models.

Answers of models are kept in one file, so that nothing is asked and paid for twice. stats counts them, export writes
them as lines of JSON (what was asked, how, and the answer), merge takes those of other files, of other machines for
example, clear deletes them. What stopped runs of clean and score
had finished is counted by stats as well, and clear deletes what of it is older than 14 days.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, emit, tell
from hfclean.cli.revisers import store_of
from hfclean.durable import new_file
from hfclean.errors import FolderError


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["stats", "export", "merge", "clear"], help="what to do")
    command.add_argument("files", metavar="FILE", nargs="*", help="merge: the files of answers to take, which stay")
    command.add_argument(
        "--store",
        metavar="FILE",
        help="file of answers (default: answers.sqlite3 in HFCLEAN_HOME or ~/.cache/hfclean)",
    )
    command.add_argument(
        "--model", metavar="NAME", help="of this model only: its name, or the whole line that stats shows"
    )
    command.add_argument("--out", metavar="FILE", help="export: write here instead of to the standard output")
    command.add_argument("--overwrite", action="store_true", help="export: replace FILE if it exists")
    command.add_argument("--yes", action="store_true", help="clear: do not ask")
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.render_models import describe_parts, describe_stats
    from hfclean.kept_parts import kept
    from hfclean.models import store

    where = store_of(args)
    if args.action == "merge":
        _merge(args, out, where)
        return
    if args.files:
        raise UsageError(f"{args.action} takes no files, but {args.files[0]!r}; name one with --store FILE")
    stats = store.stats(where)
    sources = store.matching(stats, args.model) if args.model else None
    if args.action == "stats":
        shown = {k: v for k, v in stats.by_source.items() if sources is None or k in sources}
        parts = kept()
        data = {**asdict(stats), "by_source": {k: asdict(v) for k, v in shown.items()}, "parts": parts._asdict()}
        tell(args, out, lambda: data, lambda: describe_stats(stats, shown) + describe_parts(parts))
    elif args.action == "export":
        _export(args, out, where, sources)
    else:
        _clear(args, out, err, stats, sources)


def _merge(args: argparse.Namespace, out: TextIO, where: str | None) -> None:
    from hfclean.models import store

    if not args.files:
        raise UsageError("merge needs the files of answers to take: hfclean cache merge FILE... [--store INTO]")
    taken = store.merge(args.files, where)
    total = store.stats(where)
    lines = [
        f"{file}  {each.added:,} answers more"
        + (f"; {each.differing:,} differ from those that are there, which stay" if each.differing else "")
        for file, each in taken.items()
    ]
    lines.append(f"{total.path}  {total.answers:,} answers in all")
    added, differing = ({file: each[k] for file, each in taken.items()} for k in range(2))
    data = {"file": total.path, "added": added, "differing": differing, "answers": total.answers}
    tell(args, out, lambda: data, lambda: "\n".join(lines))


def _export(args: argparse.Namespace, out: TextIO, where: str | None, sources: Sequence[str] | None) -> None:
    from hfclean.models import store

    if args.out is None:
        if args.json:
            raise UsageError("export --json needs --out FILE: the answers themselves are lines of JSON on the output")
        store.export(out, where, sources=sources)
        return
    target = Path(args.out).expanduser()
    if target.exists() and not args.overwrite:
        raise FolderError(f"the file {target.name!r} already exists; name another, or replace it with --overwrite")
    with new_file(target) as partial, partial.open("w", encoding="utf-8") as f:
        count = store.export(f, where, sources=sources)
    tell(args, out, lambda: {"file": str(target), "answers": count}, lambda: f"{target}  {count:,} answers")


def _clear(args: argparse.Namespace, out: TextIO, err: TextIO, stats: Any, sources: Sequence[str] | None) -> None:
    from hfclean.kept_parts import clear_stale
    from hfclean.models import store
    from hfclean.report.formatting import plural

    chosen = list(stats.sources if sources is None else sources)
    count = sum(stats.sources[source] for source in chosen)
    if count and not args.yes:
        names = ", ".join(chosen)
        print(
            f"delete {count:,} answers of {names} from {stats.path}? This cannot be undone. [y/N] ", end="", file=err
        )
        err.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("nothing was deleted", file=err)
            if args.json:
                emit({"file": stats.path, "deleted": {}}, out)
            return
    deleted = {source: store.clear(stats.path, source=source) for source in chosen}
    lines = [f"{number:,} answers of {source} deleted" for source, number in deleted.items()]
    stale = 0 if args.model else clear_stale()
    lines += [f"{plural(stale, 'part')} of stopped runs deleted"] if stale else []
    text = "\n".join(lines) or f"{stats.path}  holds no answers"
    tell(args, out, lambda: {"file": stats.path, "deleted": deleted, "parts": stale}, lambda: text)
