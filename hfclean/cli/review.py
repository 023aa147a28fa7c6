"""Decide about revisions in a browser: accept, edit or reject each, one row a screen.

Decide about revisions in a browser, one row a screen, by single keys: accept, reject, edit, one change alone, undo. The desk runs on this machine alone, and the address that it prints is the key to it. Each decision is one line of a file beside the folder, on the disk before the next row is shown; several people may share that file. A dataset that hfclean did not revise can be judged and edited as well, and of preference rows which answer is better.
"""  # noqa: E501

import argparse
import getpass
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options, review_space
from hfclean.cli.reading import UsageError, opened, tell, unpacked
from hfclean.errors import SourceError
from hfclean.records.common import ABOUT

LONGEST_NAME = 100


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False, prefixed=False)
    command.add_argument(
        "--as", dest="who", metavar="NAME", help="who decides, by any name (default: that of the user on this machine)"
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--uncertain",
        action="store_true",
        help="revised rows, those first of which the scores say least; every one is scored before the first is shown",
    )
    which.add_argument("--refused", action="store_true", help="the revisions that the gate refused")
    which.add_argument("--all", action="store_true", help="every row (default: those that were revised)")
    command.add_argument(
        "--sample",
        type=_amount,
        metavar="N",
        help="N of these rows, or a share of them below 1, the same ones for everybody; for an owner, the share of "
        "each person's decisions to look at (default: 0.1)",
    )
    command.add_argument("--rule", metavar="ID", help="only rows that this rule, check or reason is recorded of")
    command.add_argument(
        "--role",
        choices=["reviser", "owner"],
        default="reviser",
        help="an owner looks at every conflict and flag and at a sample of what the others decided, and settles it",
    )
    command.add_argument(
        "--double",
        type=_part,
        default=0.0,
        metavar="SHARE",
        help="the share of rows that two people decide, neither seeing what the other did, such as 0.1",
    )
    command.add_argument(
        "--people",
        metavar="NAMES",
        help="divide the rows among these people by their ids, such as ana,ben,eva, and go through those of --as: for "
        "people who do not share a file; the same rows for everybody who names the same people",
    )
    command.add_argument(
        "--without",
        type=_part,
        default=0.0,
        metavar="SHARE",
        help="the share of revised rows that is shown without the revision, to compare how long people take",
    )
    command.add_argument(
        "--gold",
        type=_part,
        default=0.0,
        metavar="SHARE",
        help="plant wrong revisions among the rows, such as 0.05 for one to twenty rows; nobody is told which. "
        "What is decided about them measures attention and is never applied",
    )
    command.add_argument(
        "--blind",
        action="store_true",
        help="show original and revision as texts A and B, without saying which is which, why, or what others decided",
    )
    command.add_argument(
        "--verdicts", metavar="FILE", help="the file of decisions (default: NAME.verdicts.jsonl beside IN)"
    )
    command.add_argument(
        "--port", type=_port, default=0, metavar="N", help="the port on 127.0.0.1 (default: any free one)"
    )
    command.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="an origin under which a proxy shows the desk, such as https://example.org (may be given several times)",
    )
    command.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    review_space.add(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    import secrets

    from hfclean.desk import Desk, Queue, Seat, desk_app, plant
    from hfclean.errors import require
    from hfclean.report.formatting import plural
    from hfclean.verdicts import VerdictLog, verdicts_path

    if args.space:
        _check_gold(args)
        _check_blind(args)
        review_space.run(args, _selection(args), out)
        return
    review_space.check(args)
    require("starlette", extra="review")
    require("uvicorn", extra="review")
    _check_gold(args)
    _check_blind(args)
    who, path = _name_of(args), Path(args.verdicts or verdicts_path(_place(args))).expanduser()
    if path.is_dir():
        raise UsageError(
            f"--verdicts {str(path)!r} is a folder; expected the name of a file, such as {path.name}.jsonl"
        )
    with _rows(args, err) as (name, rows, price):
        kind: Any = "refused" if args.refused else "revision" if rows.is_revised else "row"
        if args.without and kind == "row":
            raise UsageError("--without: no row here has a revision to leave out; give a folder that hfclean wrote")
        queue = Queue(rows, replace(_selection(args), **_division(args, who)))
        if args.gold:
            rows = plant(rows, queue, args.gold, who)
        seat = Seat(kind, args.blind, args.role == "owner", _controlled(args), args.double, args.without)
        desk = Desk(rows, queue, VerdictLog(path, who), who, seat)
        token = secrets.token_urlsafe(18)
        app = desk_app(desk, name=name, token=token, origins=args.origin, price=price, record=_record(args))
        with _listening(args.port) as listening:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/"
            begun = {"address": address, "rows": len(queue), "open": desk.left, "verdicts": str(path)}
            tell(args, out, lambda: begun, lambda: f"{address}\n{_facts(begun)}; Ctrl-C ends the desk")
            out.flush()
            if not args.no_browser:
                webbrowser.open(address)
            _serve(app, listening)
        made = f"{plural(desk.written, 'decision')} {'was made and is' if desk.written == 1 else 'were made and are'}"
        print(f"{made} in {path}; {plural(desk.left, 'row is', 'rows are')} open", file=err)


def _facts(begun: dict[str, Any]) -> str:
    return f"{begun['rows']:,} rows, {begun['open']:,} of them open; decisions go to {begun['verdicts']}"


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket on this machine alone."""
    # of a socket that names its protocol, asyncio sends what it writes at once: each page comes 40 ms earlier
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        if sys.platform != "win32":  # there it would let two have the same port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as e:
            raise SourceError(f"port {port} cannot be used ({e.strerror}); leave out --port, or name another") from e
        listening.listen()
        yield listening


def _serve(app: Any, listening: socket.socket) -> None:
    """Answer until Ctrl-C or another signal to end."""
    import uvicorn

    settings = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=2
    )
    try:
        uvicorn.Server(settings).run(sockets=[listening])
    except KeyboardInterrupt:  # the server ended, and sent itself the signal once more
        return


@contextmanager
def _rows(args: argparse.Namespace, err: TextIO) -> Iterator[tuple[str, Any, str]]:
    """What the dataset is called, its rows, and what a revision took, in words."""
    from hfclean.desk import Rows, price_of
    from hfclean.folder import read_folder

    folder = Path(args.source).expanduser() if isinstance(args.source, str) else None
    if folder is None or not (folder / ABOUT).is_file():
        if args.refused:
            raise UsageError("--refused: give a folder that hfclean wrote; it keeps what was refused")
        with opened(args, err) as (source, layout):
            yield source.name, Rows(source.dataset, layout), ""
        return
    with unpacked(args) as cache:
        cleaned = read_folder(folder, cache_dir=cache)
        splits = dict(cleaned.dataset)
        if args.split:
            if args.split not in splits:
                raise SourceError(f"no split {args.split!r} in {folder.name}; it has {', '.join(splits)}")
            splits = {args.split: splits[args.split]}
        yield folder.resolve().name, Rows(splits, cleaned.layout, refused=cleaned.refused), price_of(cleaned.about)


def _record(args: argparse.Namespace) -> Path | None:
    """The record of a folder that hfclean wrote, or the file that is read."""
    if not isinstance(args.source, str):
        return None
    place = Path(args.source).expanduser()
    return next((path for path in (place / ABOUT, place) if path.exists()), None)


def _selection(args: argparse.Namespace) -> Any:
    from hfclean.desk import Selection

    order: Any = next((name for name in ("refused", "uncertain", "all") if getattr(args, name)), "revised")
    return Selection(order, args.sample or 0 if args.role == "reviser" else 0, args.rule or "")


def _division(args: argparse.Namespace, who: str) -> dict[str, Any]:
    """Whose rows are gone through, where they are divided among people."""
    if args.people is None:
        return {}
    people = tuple(name.strip() for name in args.people.split(","))
    if len(set(people)) < len(people) or not all(people):
        raise UsageError(f"--people {args.people!r}: expected names with commas between them, each once")
    if args.role == "owner" or who not in people:
        raise UsageError(f"--people {args.people}: {who!r} gets no rows; name one of them as a reviser: --as NAME")
    return {"people": people, "who": who, "doubled": args.double}


def _controlled(args: argparse.Namespace) -> float:
    """The share of each person's decisions that an owner looks at."""
    if args.role == "owner" and (args.sample or 0) > 1:
        raise UsageError(
            f"--sample {args.sample:g}: an owner looks at a share of each person's decisions, such as 0.1"
        )
    return args.sample if args.role == "owner" and args.sample else 0.1


def _check_blind(args: argparse.Namespace) -> None:
    if args.blind and args.without:
        raise UsageError("--blind shows two texts, and --without one of them; leave out one")
    if args.blind and args.role == "owner":
        raise UsageError("--blind: an owner has to see what others decided; leave it out")


def _check_gold(args: argparse.Namespace) -> None:
    if args.gold and args.role == "owner":
        raise UsageError("--gold: an owner is shown no planted rows; leave it out")
    if args.gold and args.refused:
        raise UsageError("--gold: with --refused every revision was refused, so none can be planted; leave out one")


def _name_of(args: argparse.Namespace) -> str:
    name = args.who if args.who is not None else getpass.getuser()
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"--as {name[:40]!r}: expected a name of at most {LONGEST_NAME} printable characters")
    return str(name)


def _place(args: argparse.Namespace) -> str:
    """The file or folder beside which the decisions are."""
    where = args.source if isinstance(args.source, str) else ""
    if where and where != "-" and not Path(where).expanduser().exists():
        raise UsageError(
            f"{where!r} is not here; name a file or folder that is, or of a dataset on the Hub also --verdicts FILE"
        )
    if not where or where == "-":
        raise UsageError("--verdicts FILE is needed, since this is not one file or folder beside which they could be")
    return where


def _part(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a share from 0 to 1")
    return share


def _amount(text: str) -> float:
    """A number of rows, or a share of them below 1."""
    return options.positive(text) if text.isdecimal() else _part(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number up to 65535")
    return int(text)
