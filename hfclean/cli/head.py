"""Show a few rows: the first, the worst, or those with a defect.

Show a few rows of a dataset: the first, with --worst those whose score is worst, with --where those that have a
defect or a value. Rows that have no such score yet are scored, and nothing is written.
"""

import argparse
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.mistyped import meant_word
from hfclean.cli.reading import UsageError, given, layout_of, opened, tell

DEFECT = "defect"


def add(command: argparse.ArgumentParser) -> None:
    options.source(command)
    command.add_argument("-n", "--n", type=int, default=10, metavar="N", help="how many rows (default: 10)")
    command.add_argument(
        "--worst", metavar="COLUMN", help="the rows whose score in this column is worst, such as rating, worst first"
    )
    command.add_argument(
        "--where",
        metavar="WHAT",
        help="only rows with a defect (defect=whitespace; hfclean rules lists them) or with a value (COLUMN=VALUE)",
    )


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.render import columns_wide
    from hfclean.cli.rows_shown import lowest, places_where, shown_rows

    if args.n < 1:
        raise UsageError(f"-n {args.n}: expected at least 1")
    what, equals, value = (args.where or "").partition("=")
    if args.where and not (what and equals and value):
        raise UsageError(f"--where {args.where!r}: expected defect=RULE or COLUMN=VALUE")
    with opened(args, err) as (source, _):
        layout = layout_of(args)
        if what == DEFECT:
            _check_defect(value)
        splits, better = _scored(source.dataset, args, what)
        column = layout.own("defects") if what == DEFECT else what
        for name in filter(None, (column, args.worst)):
            _check_column(name, splits, "--worst" if name == args.worst else "--where")
        keep = None
        if args.where:

            def matches(cell: Any) -> bool:
                return value in str(cell or "").split() if what == DEFECT else str(cell) == value

            keep = dict.fromkeys(places_where(splits, column, matches))
        if args.worst:
            places = lowest(splits, args.worst, args.n, keep, highest=better.get(args.worst) == "lower")
        else:
            every = keep if keep is not None else ((s, k) for s, part in splits.items() for k in range(len(part)))
            places = [place for place, _ in zip(every, range(args.n), strict=False)]
        noted = (args.worst or "", column, layout.own("defects"), layout.own("edit"))
        rows = shown_rows(splits, places, layout, tuple(dict.fromkeys(filter(None, noted))))
    width = columns_wide()
    tell(
        args,
        out,
        lambda: [{"split": r.split, "row": r.index, **r.notes, **r.texts} for r in rows],
        lambda: "\n".join(row.text(width) for row in rows) or "no such row",
    )


def _scored(ds: Any, args: argparse.Namespace, what: str) -> tuple[Any, dict[str, str]]:
    """The splits, scored where what is asked for is not in them; and which numbers of a column are better."""
    from hfclean.cleaning import clean
    from hfclean.scorers.embedded.score import Score

    score = Score(**given(layout_of(args)))
    better: dict[str, str] = {score.layout.own(column.name): column.better for column in score.adds}
    wanted = {args.worst, score.layout.own("defects") if what == DEFECT else what} & set(better)
    if any(not wanted <= set(part.column_names) for part in ds.values()):
        ds = clean(ds, reviser=None, score=score, show=not args.quiet).dataset
    return ds, better


def _check_defect(name: str) -> None:
    from hfclean.rules import ROW_RULES, RULES
    from hfclean.verifiers import ROW_VERIFIERS, VERIFIERS

    known = [rule.id for rule in (*RULES, *ROW_RULES)] + [one.id for one in VERIFIERS]
    known += [one.id for one in ROW_VERIFIERS]
    if name not in known:
        raise UsageError(f"--where defect={name}: no such defect{meant_word(name, known)}; hfclean rules lists them")


def _check_column(name: str, splits: Any, option: str) -> None:
    columns = next(iter(splits.values())).column_names
    if name not in columns:
        raise UsageError(f"{option} {name}: no such column{meant_word(name, columns)}; there are {', '.join(columns)}")
