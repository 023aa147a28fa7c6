"""Do what people decided about rows, and write the folder.

Do what people decided: accepted, edited and rejected rows get the texts that they stand for, excluded ones go to the
dropped rows with the reason, and history, ledger, report and card say so. Rows on which people disagree, or that
changed since, stay as they are and are named. hfclean undo takes all of it back. No name of a person is written unless
--names is given. Of a dataset that hfclean did not write, the rows that nobody decided about stay as they are.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from hfclean.cli import options
from hfclean.cli.reading import UsageError, layout_of, settle, tell, unpacked
from hfclean.errors import FolderError, SourceError
from hfclean.layout import Layout
from hfclean.records.common import ABOUT

if TYPE_CHECKING:
    from hfclean.source import Source
    from hfclean.verdicts import Applied

SHOWN = 10
LEFT = {
    "conflict": "people disagree",
    "flagged": "somebody should look",
    "stale": "changed since it was judged",
    "refused": "an edit that the checks refuse, without a reason",
}


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "dir", metavar="DIR", help="a folder that hfclean wrote, or a file or folder of rows (with --out)"
    )
    command.add_argument(
        "verdicts",
        metavar="FILE",
        nargs="*",
        default=[],
        help="files of verdicts, of one person or several (default: DIR.verdicts.jsonl, beside the folder)",
    )
    where = command.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="DIR2", help="write here and leave DIR as it is")
    where.add_argument("--in-place", action="store_true", help="replace DIR")
    command.add_argument(
        "--names",
        action="store_true",
        help="write in card, report and record who decided on how many rows (default: only how many people did)",
    )
    command.add_argument("--columns", metavar="MAP", help=f"of a file of rows: {options.SHAPE_HELP}")
    command.add_argument("--json", action="store_true", help="print JSON")
    options.quiet(command)


class _Given(NamedTuple):
    """What people decided about: a cleaned folder, or a dataset that nobody revised, with the columns of one."""

    dataset: Any
    removed: Any | None
    refused: Any | None
    layout: Layout
    steps: Sequence[Mapping[str, Any]]
    source: "Source"
    stated: Mapping[str, Any]
    is_ours: bool


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cleaned import Cleaned, as_it_came
    from hfclean.cli.terminal import columns_wide
    from hfclean.folder import check_target, write_folder
    from hfclean.reviser.refused import still_refused
    from hfclean.verdicts import apply_verdicts, read_verdicts

    if not (args.out or args.in_place):
        raise UsageError("say where the result goes: --out DIR2 writes another folder, --in-place replaces DIR")
    is_folder = (Path(args.dir).expanduser() / ABOUT).is_file()
    if args.in_place and not is_folder:
        raise FolderError(f"{args.dir!r} is not a folder that hfclean wrote, so it is not replaced; give --out DIR2")
    target = Path(args.out).expanduser() if args.out else Path(args.dir)
    if args.out and target.exists():
        raise FolderError(
            f"{args.out!r} already exists; name another folder, or give --in-place to replace {args.dir!r}"
        )
    check_target(target, overwrite=args.in_place)
    verdicts = read_verdicts(*_files(args))
    with unpacked(args, str(target)) as cache:
        given = _of_folder(args, cache) if is_folder else _of_dataset(args, err, cache)
        layout = given.layout
        applied = apply_verdicts(given.dataset, verdicts, layout=layout, removed=given.removed, names=args.names)
        before = as_it_came(applied.dataset, applied.removed, layout.prefix)
        report = write_folder(
            target,
            Cleaned(
                applied.dataset,
                applied.removed,
                _steps(given.steps, applied, names=args.names),
                refused=still_refused(given.refused, applied.dataset, layout),
            ),
            before=before,
            source=replace(given.source, dataset=before),
            layout=layout,
            overwrite=args.in_place,
            license=given.stated["license"],
            language=given.stated["language"],
            source_id=given.stated["source"],
            own=given.is_ours,
            scored=applied.dataset,
        )
    data = {
        "out": str(target),
        "people": len(applied.people),
        "states": applied.states,
        "left": applied.left,
        "findings": applied.findings,
        "report": report.to_dict(edits=False),
    }
    lines = [report.summary(columns_wide()), *_left(applied), f"\nwrote {target}"]
    tell(args, out, lambda: data, lambda: "\n".join(lines))


def _of_folder(args: argparse.Namespace, cache: Path) -> _Given:
    from hfclean.folder import read_folder
    from hfclean.ownership import is_own
    from hfclean.source import Source

    folder = read_folder(args.dir, cache_dir=cache)
    about = folder.about
    named = about["source"]
    source = Source(
        folder.dataset, named["name"], named["kind"], named["fingerprint"], folder.card, tuple(named["notes"])
    )
    return _Given(
        folder.dataset,
        folder.removed,
        folder.refused,
        folder.layout,
        about["transforms"],
        source,
        about["stated"],
        is_own(folder.path),
    )


def _of_dataset(args: argparse.Namespace, err: TextIO, cache: Path) -> _Given:
    """A dataset as it is, with the columns that say what happens to it."""
    from hfclean.cleaning import clean
    from hfclean.reviser import RuleReviser
    from hfclean.source import load

    source = load(args.dir, columns=layout_of(args).columns, cache_dir=cache)
    settle(args, source.dataset, err)
    layout = layout_of(args)
    cleaned = clean(
        source.dataset, reviser=RuleReviser(only=(), columns=layout.columns), score=False, show=not args.quiet
    )
    stated = dict.fromkeys(("license", "language", "source"))
    return _Given(cleaned.dataset, None, None, layout, cleaned.transforms, source, stated, True)


def _files(args: argparse.Namespace) -> list[Path]:
    """The files of verdicts.

    Raises:
        SourceError: none was given and none lies beside the folder; or one lies in the folder that is replaced.
    """
    from hfclean.verdicts import verdicts_path

    beside = verdicts_path(args.dir)
    if not args.verdicts and not beside.is_file():
        raise SourceError(
            f"no verdicts beside {args.dir!r} ({beside.name}); give the files in which people decided, or decide: "
            f"hfclean review {args.dir}"
        )
    files = [Path(name).expanduser() for name in args.verdicts] or [beside]
    folder = Path(args.dir).resolve()
    if inside := next((file for file in files if args.in_place and folder in file.resolve().parents), None):
        raise SourceError(
            f"{inside.name!r} lies in the folder that is replaced, and would be lost; move it to {beside.name!r}"
        )
    return files


def _steps(steps: Sequence[Mapping[str, Any]], applied: "Applied", *, names: bool) -> tuple[dict[str, Any], ...]:
    """What was done to the folder, with this; once, where the same was done before."""
    done: dict[str, Any] = {"by": "apply", "people": len(applied.people), "states": applied.states}
    if names:
        done["names"] = applied.people
    earlier = [{key: value for key, value in step.items() if names or key != "names"} for step in steps]
    return tuple(earlier if earlier and earlier[-1] == done else [*earlier, done])


def _left(applied: "Applied") -> list[str]:
    """The rows that stay as they are, and why; the first of each kind."""
    lines = []
    for state, ids in applied.left.items():
        shown = [
            f"{name} ({' '.join(applied.findings[name])})" if state == "refused" else name for name in ids[:SHOWN]
        ]
        more = " ..." if len(ids) > SHOWN else ""
        lines.append(f"left as it is, {state} ({LEFT[state]}): {' '.join(shown)}{more}")
    return ["", *lines] if lines else []
