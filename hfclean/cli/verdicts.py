"""Report on people's decisions about revisions, or exchange them with other tools.

What people decided about revisions. report measures it: agreement of two people on the same row, attention on planted
rows, what owners returned, seconds with and without a proposal, what became of proposals, exclusions. export writes
the revised rows for a spreadsheet, Label Studio or Argilla; import reads what people decided there, and adds it to a
file of decisions as if it had been made at hfclean's desk.
"""

import argparse
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, tell, unpacked
from hfclean.errors import SourceError

TOOLS = ("csv", "label-studio", "argilla")


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["report", "export", "import"], help="what to do")
    command.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="report: files of decisions, or the cleaned folder beside which they lie; export: the cleaned folder; "
        "import: what another tool wrote",
    )
    command.add_argument(
        "--folder",
        metavar="DIR",
        help="the cleaned folder that was judged (needed for import; report: to compare texts as well)",
    )
    report = command.add_argument_group("report")
    report.add_argument("--names", action="store_true", help="name people, instead of A, B, ...")
    report.add_argument(
        "--longest-look-s",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="a longer look at a row counts as one of that many seconds (default: 600)",
    )
    exchange = command.add_argument_group("export and import")
    exchange.add_argument("--to", choices=TOOLS, help="export: for which tool")
    exchange.add_argument("--all", action="store_true", help="export: also rows that were not revised")
    exchange.add_argument("--of", choices=TOOLS, help="import: of which tool (default: csv for a .csv file)")
    exchange.add_argument("--as", dest="who", metavar="NAME", help="import: who decided, where the file does not say")
    exchange.add_argument(
        "--out",
        metavar="PLACE",
        help="export: the .csv file, or the folder for another tool; import: the file of decisions that is added to "
        "(default: DIR.verdicts.jsonl beside DIR)",
    )
    exchange.add_argument("--overwrite", action="store_true", help="export: replace a .csv file that exists")
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    if args.action != "report" and len(args.files) > 1:
        raise UsageError(f"{args.action} takes one place, and {len(args.files)} are given")
    {"report": _report, "export": _export, "import": _import}[args.action](args, out, err)


def _report(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.terminal import columns_wide
    from hfclean.quality_control import desk_report
    from hfclean.verdicts import read_events, verdicts_path

    places = [Path(each).expanduser() for each in args.files]
    folders = [place for place in places if place.is_dir()]
    if len(folders) > 1:
        raise UsageError(f"{len(folders)} folders are given; expected files of decisions, and at most one folder")
    for place in places:
        if place.is_dir() and not (beside := verdicts_path(place)).is_file():
            raise SourceError(f"no verdicts beside {str(place)!r} ({beside.name}); decide: hfclean review {place}")
    events = read_events(*(verdicts_path(place) if place.is_dir() else place for place in places))
    folder = args.folder or (str(folders[0]) if folders else None)
    options = {"names": args.names, "longest_look_s": args.longest_look_s}
    if folder is None:
        report = desk_report(events, **options)
    else:
        with unpacked(args) as cache:
            judged = _folder(folder, cache)
            report = desk_report(events, judged.dataset, layout=judged.layout, **options)
    tell(args, out, report.to_dict, lambda: report.summary(columns_wide()))


def _export(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.durable import check_outside
    from hfclean.report.formatting import plural
    from hfclean.verdicts.exchange import export_tasks, tasks_of

    if not args.to or not args.out:
        raise UsageError("export needs --to and --out")
    target, source = Path(args.out).expanduser(), Path(args.files[0]).expanduser()
    check_outside(target, source)
    with unpacked(args) as cache:
        folder = _folder(str(source), cache)
        tasks = tasks_of(folder.dataset, folder.layout, unchanged=args.all)
        if (first := next(tasks, None)) is None:
            raise SourceError(f"{source.name!r} has no row that was revised; --all exports the others")
        written = export_tasks(_chained(first, tasks), args.to, target, overwrite=args.overwrite)
    if written.cut:
        print(
            f"note: {plural(written.cut, 'row')} with a text of more than 32,766 characters, of which a spreadsheet "
            "shows the beginning; only what stands in new_ columns is read back",
            file=err,
        )
    data = {"out": str(target), "to": args.to, "rows": written.rows}
    tell(args, out, lambda: data, lambda: f"{target}  {plural(written.rows, 'row')} for {args.to}")


def _chained(first: Any, others: Any) -> Any:
    yield first
    yield from others


def _import(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.report.formatting import plural
    from hfclean.verdicts import verdicts_path
    from hfclean.verdicts.exchange import add_events, events_of, read_answers

    file = Path(args.files[0]).expanduser()
    tool = args.of or ("csv" if file.suffix.lower() == ".csv" else None)
    if not tool or not args.folder:
        raise UsageError(f"import needs {'--folder DIR, the folder that was exported' if tool else '--of TOOL'}")
    answers = read_answers(file, tool)
    if not args.who and any(not answer.who for answer in answers):
        raise UsageError(f"{file.name!r} does not say who decided: --as NAME")
    with unpacked(args) as cache:
        folder = _folder(args.folder, cache)
        imported = events_of(answers, folder.dataset, folder.layout)
    target = Path(args.out).expanduser() if args.out else verdicts_path(args.folder)
    added = add_events(target, imported.events, who=args.who or "")
    for reason, count in imported.left_out.items():
        if reason != "undecided":
            print(f"note: {count:,} {reason} (first: {imported.first[reason]})", file=err)
    undecided = imported.left_out.get("undecided", 0)
    data = {
        "file": str(target),
        "added": added.new,
        "known": added.known,
        "left_out": dict(imported.left_out),
    }
    known = f", {added.known:,} known" if added.known else ""
    rest = f", {plural(undecided, 'row')} undecided" if undecided else ""
    tell(args, out, lambda: data, lambda: f"{target}  {plural(added.new, 'decision')} added{known}{rest}")


def _folder(place: str, cache: Path) -> Any:
    from hfclean.folder import read_folder

    return read_folder(place, cache_dir=cache)
