"""What each subcommand does: read, call the library, print."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from hfclean.checks import CheckError
from hfclean.cli import (
    evaluation_commands,
    hub_commands,
    mining_commands,
    model_commands,
    selection_commands,
    training_commands,
)
from hfclean.cli.model_options import reviser_of
from hfclean.cli.reading import (
    UsageError,
    as_cleaned,
    columns_of,
    emit,
    notes,
    notes_on,
    tokenizer_of,
    unpacked,
)
from hfclean.cli.render import describe_change, describe_row, rules_table
from hfclean.cli.render_models import describe_refusals
from hfclean.cli.writing import check_file, tell_files, write_files
from hfclean.errors import HfcleanError, RestoreError, RuleError, SourceError

__all__ = ["run"]

# how the loader of libraries says that there is not enough memory for one
UNMAPPED = ("failed to map segment", "annot allocate memory", "cannot create shared object")
# those whose IN may be a folder that hfclean wrote
READERS = ("clean", "revise", "estimate", "score", "convert", "dedupe", "decontaminate", "select", "pii", "mine")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run one subcommand; returns the exit code. Expected failures are one line on `err`."""
    before = _written(args)
    try:
        with notes_on(err), _interruptible():
            if args.verb in READERS and not getattr(args, "retry_failed", False):
                as_cleaned(args, err, *([args.source] if isinstance(args.source, str) else args.source))
            _COMMANDS[args.verb](args, out, err)
    except (UsageError, RuleError, CheckError) as e:
        print(f"hfclean {args.verb}: {e}", file=err)
        return 2
    except HfcleanError as e:
        print(f"hfclean {args.verb}: {e}", file=err)
        return 1
    except KeyboardInterrupt:
        print(f"\nhfclean {args.verb}: stopped; {_what_is_kept(args, before)}", file=err)
        return 1
    except PermissionError as e:
        print(f"hfclean {args.verb}: not allowed: {e.filename or e}; choose a place that you may write to", file=err)
        return 1
    except (MemoryError, ImportError) as e:
        if isinstance(e, ImportError) and not any(word in str(e) for word in UNMAPPED):
            raise
        print(f"hfclean {args.verb}: not enough memory; {_what_is_kept(args, before)}", file=err)
        return 1
    except BrokenPipeError:  # the reader of our output went away: `hfclean rules | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as e:  # a full disk, above all
        print(f"hfclean {args.verb}: {e.strerror or e}; {_what_is_kept(args, before)}", file=err)
        return 1
    return 0


def _written(args: argparse.Namespace) -> object:
    """What tells the folder or file that a command writes from another one in its place."""
    name = getattr(args, "out", None) or getattr(args, "dir", None)
    try:
        return os.stat(os.path.expanduser(name)).st_ino if name else None
    except OSError:
        return None


def _what_is_kept(args: argparse.Namespace, before: object) -> str:
    if args.verb not in ("ab", "train") and _written(args) != before:
        return f"{args.out or args.dir} had been written by then, and is whole"
    if args.verb == "ab" and args.out:
        return "what was tuned is kept: run the same command again"
    if args.verb == "train":
        return "the checkpoints stay: --resume goes on"
    kept = "; every answer so far is kept: run the same command again" if getattr(args, "model", None) else ""
    return f"nothing was written{kept}"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP end what was begun as Ctrl-C does, so that it is cleaned away.

    Afterwards they mean what they meant before: a process forked later would hear of them in any of its threads, and
    might never wake up to end.
    """
    kinds = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {kind: signal.getsignal(kind) for kind in kinds}
    changed = [kind for kind in kinds if before[kind] is not signal.SIG_IGN]  # nohup
    if threading.current_thread() is not threading.main_thread():
        changed = []
    for kind in changed:
        signal.signal(kind, _interrupt)
    try:
        yield
    finally:
        for kind in changed:
            signal.signal(kind, before[kind])


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


# ------------------------------------------------------------------------------------------------------------- helpers


def _named(spec: str, kind: type, what: str) -> Any:
    """The object at a dotted path `package.module:name`."""
    module, _, name = spec.partition(":")
    if not name:
        raise UsageError(f"--with {spec!r}: wanted module:name, such as my_rules:shouting")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as e:
        raise UsageError(f"--with {spec!r} cannot be loaded: {e}") from e
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(found, kind):
        raise UsageError(f"--with {spec!r} is {type(found).__name__}, no {what}; declare it with @hfclean.{what}")
    return found


# ------------------------------------------------------------------------------------------------------------ commands


def _clean(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.reviser import RuleReviser
    from hfclean.rules import Rule

    extra = tuple(_named(spec, Rule, "rule") for spec in args.extra)
    reviser = RuleReviser(
        args.only,
        args.skip or (),
        extra,
        columns=columns_of(args.columns),
        prefix=args.prefix,
        turns=args.turns,
        side=args.side,
    )
    if args.model:
        _revised(args, out, err, (reviser, reviser_of(args)), extra)
    elif args.preview or args.method or args.base_url:
        raise UsageError("options of a model without --model; name one, or leave them out to mend by rules only")
    else:
        _write(args, out, err, reviser=reviser, extra=extra)


def _revise(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    if args.retry_failed:
        if args.preview:
            raise UsageError("--preview and --retry-failed: one at a time")
        model_commands.retry(args, out, err)
    else:
        _revised(args, out, err, (reviser_of(args),))


def _revised(
    args: argparse.Namespace, out: TextIO, err: TextIO, revisers: tuple[Any, ...], extra: tuple[Any, ...] = ()
) -> None:
    from hfclean.cleaning import strictly

    revisers[-1].check_access()
    if args.preview:
        revisers = tuple(map(strictly, revisers)) if args.strict else revisers
        model_commands.preview(args, out, err, revisers)
    else:
        _write(args, out, err, reviser=revisers, extra=extra)


def _write(
    args: argparse.Namespace,
    out: TextIO,
    err: TextIO,
    *,
    reviser: Any = None,
    extra: tuple[Any, ...] = (),
    scorers: Sequence[Any] = (),
    score: Any = True,
) -> None:
    from hfclean.cleaning import clean
    from hfclean.folder import check_target, write_folder
    from hfclean.source import load, local_paths

    if not args.out:
        raise UsageError("--out DIR is missing: the folder to write")
    target = Path(args.out).expanduser()
    check_target(target, overwrite=args.overwrite)
    for path in local_paths(args.source):
        check_target(target, overwrite=args.overwrite, source=path)
    columns, tokenizer = columns_of(args.columns), tokenizer_of(args.tokenizer)
    with unpacked(args, args.out) as cache:
        source = load(args.source, split=args.split, config=args.config, columns=columns, cache_dir=cache)
        notes(source, err)
        drop = getattr(args, "drop_duplicates", False)
        how: dict[str, Any] = {
            "drop_duplicates": drop,
            "show": not args.quiet,
            "strict": getattr(args, "strict", False),
        }
        cleaned = clean(source.dataset, reviser=reviser, score=score, scorers=scorers, **how)
        report = write_folder(
            target,
            cleaned,
            before=source.dataset,
            source=source,
            overwrite=args.overwrite,
            license=args.license,
            language=args.language,
            source_id=args.source_id,
            columns=columns,
            prefix=args.prefix,
            extra=extra,
            tokenizer=tokenizer,
            max_tokens=args.max_tokens,
        )
    if args.json:
        emit({"out": str(target), "transforms": list(cleaned.transforms), "report": report.to_dict(edits=False)}, out)
    else:
        print(report.summary(), file=out)
        if refused := describe_refusals(report):
            print(f"\n{refused}", file=out)
        print(f"\n{target}/report.html  what changed and why", file=out)
        print(f"{target}  the dataset: load_dataset({str(target)!r})", file=out)
    model_commands.tell_failures(cleaned, target, out)


def _score(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cleaning import clean
    from hfclean.report import compare
    from hfclean.scorers import Scorer
    from hfclean.scorers.embedded.score import Score
    from hfclean.source import load

    columns, tokenizer = columns_of(args.columns), tokenizer_of(args.tokenizer)
    how = {"columns": columns, "prefix": args.prefix, "turns": args.turns, "side": args.side}
    score = Score(**how)
    # what a scorer was declared with stands where the command line says nothing
    said = {name: value for name, value in how.items() if value not in (None, "", "last", "chosen")}
    scorers = [replace(_named(spec, Scorer, "scorer"), **said) for spec in args.extra]
    if args.out:
        _write(args, out, err, scorers=scorers, score=score)
        return
    with unpacked(args) as cache:
        source = load(args.source, split=args.split, config=args.config, columns=columns, cache_dir=cache)
        notes(source, err)
        scored = clean(source.dataset, reviser=None, score=score, scorers=scorers, strict=args.strict).dataset
        report = compare(
            source.dataset,
            scored,
            columns=columns,
            tokenizer=tokenizer,
            max_tokens=args.max_tokens,
            prefix=args.prefix,
            turns=args.turns,
            side=args.side,
        )
    if args.json:
        emit(report.to_dict(), out)
    else:
        print(report.summary(), file=out)


def _rules(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.rules import RULES

    if args.json:
        emit(
            [
                {
                    "id": rule.id,
                    "severity": rule.severity,
                    "meaning": rule.meaning,
                    "mends": rule.repair is not None,
                    "example": {"before": rule.example[0], "after": rule.example[1]},
                }
                for rule in RULES
            ],
            out,
        )
    else:
        print(rules_table(RULES), file=out)


def _why(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.folder import read_folder

    with unpacked(args) as cache:
        folder = read_folder(args.dir, cache_dir=cache)
        split, index = _find(folder, args.row)
        told = describe_row(folder, split, index)
    if args.json:
        emit(told.to_dict(), out)
    else:
        print(told.text(), file=out)


def _find(folder: Any, row: str) -> tuple[str, int]:
    """The split and index of a row that is named by id, beginning of an id, number, or split:number."""
    dataset, name = folder.dataset, folder.about.get("prefix", "") + "row_id"
    split, _, number = row.rpartition(":")
    if number.isdigit() and len(number) < 12:
        splits = [split] if split else [s for s in dataset if len(dataset[s])]
        if split and split not in dataset:
            raise SourceError(f"no split {split!r}; there are {', '.join(dataset)}")
        if int(number) < len(dataset[splits[0]]):
            return splits[0], int(number)
        if split:
            raise SourceError(f"no row {number} in {splits[0]}: it has {len(dataset[splits[0]])} rows, counted from 0")
    found = [
        (s, k)
        for s, part in dataset.items()
        if name in part.column_names
        for k, row_id in enumerate(part[name])
        if row_id == row or row_id.startswith(row)
    ]
    exact = [(s, k) for s, k in found if dataset[s][k][name] == row]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    if found:
        raise SourceError(f"{len(found)} rows have an id that begins with {row!r}; give more of it")
    raise SourceError(
        f"no row {row!r}; wanted a row id (column row_id, or the report), a number from 0, or SPLIT:NUMBER"
    )


def _diff(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.report import compare
    from hfclean.source import load

    as_cleaned(args, err, args.before, args.after)
    columns = columns_of(args.columns)
    with unpacked(args) as cache:
        before, after = (
            load(where, split=args.split, config=args.config, columns=columns, cache_dir=cache)
            for where in (args.before, args.after)
        )
        report = compare(before.dataset, after.dataset, columns=columns, prefix=args.prefix)
        if args.html:
            report.save_html(args.html)
    if args.json:
        emit(report.to_dict(), out)
        return
    print(report.summary(), file=out)
    for edit in report.edits[: max(args.limit, 0)]:
        print("\n" + describe_change(edit), file=out)
    if len(report.edits) > args.limit:
        print(f"\n... {len(report.edits) - args.limit} more changes (--limit, or --html FILE for all)", file=out)


def _undo(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cleaning import Cleaned
    from hfclean.folder import check_target, read_folder, write_folder
    from hfclean.ownership import is_own
    from hfclean.restoration import restore
    from hfclean.source import Source

    target = Path(args.out).expanduser() if args.out else Path(args.dir)
    if args.out:
        check_target(target, overwrite=False)
    with unpacked(args, str(target)) as cache:
        folder = read_folder(args.dir, cache_dir=cache)
        about, own = folder.about, is_own(folder.path)
        prefix, columns = about.get("prefix", ""), about.get("columns")
        if not any(prefix + "edit_history" in part.column_names for part in folder.dataset.values()):
            raise RestoreError(f"{args.dir}: everything was put back before; nothing is left to undo")
        rows = [_row_id(folder, row) for row in args.row] if args.row else None
        if args.rule is not None:
            from hfclean.rules import select_rules

            select_rules(only=(args.rule,))
        before = restore(folder.dataset, prefix=prefix)
        after = restore(folder.dataset, rule=args.rule, rows=rows, prefix=prefix)
        done = {"by": "restore", **({"rule": args.rule} if args.rule else {}), **({"rows": rows} if rows else {})}
        source = Source(
            before, about["source"]["name"], about["source"]["kind"], about["source"]["fingerprint"], folder.card
        )
        stated = about["stated"]
        report = write_folder(
            target,
            Cleaned(after, folder.removed, (*about["transforms"], done)),
            before=before,
            source=source,
            overwrite=not args.out,
            license=stated["license"],
            language=stated["language"],
            source_id=stated["source"],
            columns=columns,
            prefix=prefix,
            own=own,
        )
    if args.json:
        emit({"out": str(target), "report": report.to_dict(edits=False)}, out)
    else:
        print(report.summary(), file=out)
        print(f"\n{target}  written anew", file=out)


def _row_id(folder: Any, row: str) -> str:
    split, index = _find(folder, row)
    return str(folder.dataset[split][index][folder.about.get("prefix", "") + "row_id"])


def _convert(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.conversion import Losses, convert
    from hfclean.source import load

    if check_file(args.out).suffix != ".csv" and args.escape_formulas:
        raise UsageError(f"--escape-formulas is for .csv files, and --out is {args.out!r}: leave it out")
    columns = columns_of(args.columns)
    with unpacked(args, args.out) as cache:
        source = load(args.source, split=args.split, config=args.config, columns=columns, cache_dir=cache)
        notes(source, err)
        losses = Losses()
        made = convert(source.dataset, args.to, columns=columns, prefix=args.prefix, losses=losses)
        for note in losses.notes():
            print(f"note: left out or respelled: {note}", file=err)
        written = write_files(made, args.out, overwrite=args.overwrite, escape=args.escape_formulas, err=err)
    tell_files(args, out, written, losses)


def _pii(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.reviser.pii import MaskPII

    if args.mask and args.drop:
        raise UsageError("--mask and --drop: one at a time")
    if args.mask:
        reviser = MaskPII(tuple(args.kind or MaskPII.kinds), columns=columns_of(args.columns), prefix=args.prefix)
        _write(args, out, err, reviser=reviser)
    else:
        mining_commands.pii(args, out, err)


_COMMANDS = {
    "clean": _clean,
    "revise": _revise,
    "estimate": model_commands.estimate,
    "cache": model_commands.cache,
    "score": _score,
    "rules": _rules,
    "why": _why,
    "diff": _diff,
    "undo": _undo,
    "convert": _convert,
    "dedupe": selection_commands.dedupe,
    "decontaminate": selection_commands.decontaminate,
    "select": selection_commands.select,
    "pii": _pii,
    "mine": mining_commands.mine,
    "push": hub_commands.push,
    "train": training_commands.train,
    "pull": hub_commands.pull,
    "card": hub_commands.card,
    "evaluate": evaluation_commands.evaluate,
    "ab": evaluation_commands.ab,
}
