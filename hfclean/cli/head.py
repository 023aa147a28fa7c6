"""Show a few rows: the first, the worst, or those with a defect.

Show a few rows of a dataset: the first, with --worst those whose score is worst, with --where those that have a
defect or a value. Rows that have no such score yet are scored, and nothing is written.
"""

import argparse
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.conditions import Condition, condition_of, places_matching
from hfclean.cli.reading import UsageError, given, layout_of, opened, tell


def add(command: argparse.ArgumentParser) -> None:
    options.source(command)
    command.add_argument("-n", "--n", type=int, default=10, metavar="N", help="how many rows (default: 10)")
    command.add_argument(
        "--worst", metavar="COLUMN", help="the rows whose score in this column is worst, such as rating, worst first"
    )
    command.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="WHAT",
        help="only rows with a defect (defect=whitespace; hfclean rules lists them; defect alone is any), a score "
        "(rating<0.3) or a value (COLUMN=VALUE); given several times, all have to hold",
    )


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.rows_shown import lowest, shown_rows
    from hfclean.cli.terminal import columns_wide

    if args.n < 1:
        raise UsageError(f"-n {args.n}: expected at least 1")
    conditions = [condition_of("--where", text) for text in args.where]
    with opened(args, err) as (source, _):
        layout = layout_of(args)
        splits, better = _scored(source.dataset, args, {each.wants() for each in conditions} | {args.worst})
        names = list(dict.fromkeys([*next(iter(splits.values())).column_names, *better]))
        columns = [each.column(layout, names, "--where") for each in conditions]
        worst = args.worst and Condition(args.worst, args.worst).column(layout, names, "--worst")
        keep = None
        if conditions:
            keep = dict.fromkeys(places_matching(splits, conditions, layout, "--where"))
        if worst:
            places = lowest(splits, worst, args.n, keep, highest=better.get(worst) == "lower")
        else:
            every = keep if keep is not None else ((s, k) for s, part in splits.items() for k in range(len(part)))
            places = [place for place, _ in zip(every, range(args.n), strict=False)]
        noted = (worst or "", *columns, layout.own("defects"), layout.own("edit"))
        rows = shown_rows(splits, places, layout, tuple(dict.fromkeys(filter(None, noted))))
    width = columns_wide()
    tell(
        args,
        out,
        lambda: [{"split": r.split, "row": r.index, **r.notes, **r.texts} for r in rows],
        lambda: "\n".join(row.text(width) for row in rows) or "no such row",
    )


def _scored(ds: Any, args: argparse.Namespace, wanted: set[str | None]) -> tuple[Any, dict[str, str]]:
    """The splits, scored where what is asked for is not in them; and which numbers of a column are better."""
    from hfclean.cleaning import clean
    from hfclean.scorers.embedded.score import Score

    score = Score(**given(layout_of(args)))
    own = score.layout.own
    better: dict[str, str] = {own(column.name): column.better for column in score.adds}
    added = {own(column.name) for column in score.adds if {column.name, own(column.name)} & wanted}
    if any(not added <= set(part.column_names) for part in ds.values()):
        ds = clean(ds, reviser=None, score=score, show=not args.quiet).dataset
    return ds, better
