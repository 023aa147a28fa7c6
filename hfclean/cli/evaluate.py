"""Measure a reviser against expert revisions.

Compare a reviser with expert revisions that it has not seen: how many rows move closer to the expert's text and how
many away from it, what is mended that a program finds wrong, what is lost and refused, and which trust that earns;
beside the rules, the experts, a reviser that changes nothing, and controls that are worth nothing: the longer text, a
generic sentence everywhere, answers of other rows. Asks the model once for every pair; answers are kept. With
--verdicts, compare the gate with what people decided about a folder, and ask nothing. Writes nothing.
"""

import argparse
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.reading import UsageError, layout_of, only_split, reader, tell, unpacked
from hfclean.cli.revisers import reviser_of
from hfclean.layout import Layout

# so that pairs are read as rows of some shape; both sides are looked at by name
PAIR_COLUMNS = {"instruction": "raw_instruction", "response": "raw_output"}


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "source",
        metavar="PAIRS",
        help="held-out pairs: a .jsonl, .json, .csv or .parquet file, a folder or a Hub id, with the columns "
        "raw_instruction, raw_input, raw_output and the same three after revised_; with --verdicts, a folder that "
        "hfclean wrote",
    )
    command.add_argument(
        "--verdicts",
        metavar="FILE",
        action="append",
        help="measure the gate instead: how often people accept what a check refused, and reject what it let pass "
        "(may be given several times)",
    )
    command.add_argument("--split", help="one split only (needed where there are several)")
    command.add_argument("--config", metavar="NAME", help="the configuration of a Hub dataset")
    command.add_argument("--first", type=int, metavar="N", help="the first N pairs only")
    command.add_argument(
        "--clean", metavar="IN", help="a dataset whose rows need nothing, to see what is changed all the same"
    )
    command.add_argument("--columns", metavar="MAP", help="which columns of --clean hold what")
    command.add_argument(
        "--trained-on",
        choices=["skip", "keep"],
        help="pairs that trained the reviser: skip them and count them, or keep them, which the result then says "
        "(default: refuse to evaluate)",
    )
    command.add_argument("--draws", type=int, default=1000, metavar="N", help="bootstrap samples (default: 1000)")
    options.json_output(command)
    options.quiet(command)
    options.model(command, needed=" (default: the rules, which ask no model)")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.evaluation.revising import evaluate_reviser
    from hfclean.reviser import revise

    if args.verdicts:
        _gate(args, out)
        return
    columns = layout_of(args).columns  # of --clean, and not of the reviser
    reviser: Any = revise
    if args.model:
        reviser = reviser_of(args, layout=Layout())
        reviser.check_access()
    elif args.base_url or args.method:
        raise UsageError("model options without --model; name one, or leave them out to evaluate the rules")
    with reader(args, err) as read:
        source = read(args.source, columns=PAIR_COLUMNS)
        pairs = only_split(source.dataset, args.source)
        clean = None
        if args.clean:
            clean = only_split(read(args.clean, split=None, config=None).dataset, args.clean)
        evaluation = evaluate_reviser(
            reviser,
            pairs if args.first is None else pairs.select(range(min(args.first, len(pairs)))),
            clean=clean,
            columns=columns,
            dataset=source.name,
            split=args.split or "",
            force=args.trained_on == "keep",
            unseen=args.trained_on == "skip",
            draws=args.draws,
            show=not args.quiet,
        )
    tell(args, out, evaluation.to_dict, lambda: evaluation)


def _gate(args: argparse.Namespace, out: TextIO) -> None:
    """The gate beside people's decisions about a folder."""
    from hfclean.evaluation.gate_verdicts import gate_verdicts
    from hfclean.folder import read_folder
    from hfclean.verdicts import read_verdicts

    if other := next((flag for flag in ("model", "base_url", "clean", "first", "split") if vars(args)[flag]), None):
        raise UsageError(
            f"--verdicts measures the gate on a folder, and --{other.replace('_', '-')} says nothing there"
        )
    verdicts = read_verdicts(*args.verdicts)
    with unpacked(args) as cache:
        folder = read_folder(args.source, cache_dir=cache)
        found = gate_verdicts(folder.dataset, verdicts, refused=folder.refused, layout=folder.layout, draws=args.draws)
    tell(args, out, found.to_dict, lambda: found)
