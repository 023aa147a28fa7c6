"""Have a model make rows for what a student finds hard, round by round, and write a dataset folder.

Have a model make rows for what a student finds hard, round by round, as SeDi-Instruct does: a student is trained on
the rows of a round, and every ten steps the batch with the greatest signal gives rows to the seeds of the next.
Research-grade: much of it is not in the paper, and the card lists what is ours. The rows are cleaned and written as
hfclean generate writes a folder. Stopped or killed, the same command goes on.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.generate import (
    check_spending,
    estimate,
    generator_from,
    lies_inside,
    list_filters,
    local,
    note_terms,
    saving,
    teacher,
    what_is_made,
    whole,
)
from hfclean.cli.reading import UsageError, layout_of, only_split, reader, tell
from hfclean.cli.settings import SettingAction, parse_settings, settable, training_settings

EPILOG = """the careful way:
  hfclean sedi SEEDS --model M --base-url URL --base-model B --rounds 10 --prices input=P,output=P --estimate
  hfclean sedi SEEDS --model M --base-url URL --base-model B --rounds 10 --out DIR
  hfclean sedi SEEDS --model M --base-url URL --base-model B --rounds 10 --out CONTROL --signal random
"""
# fields that have their own option, or that no command sets
LOOP_ELSEWHERE = ("base_model", "rounds", "signal", "feedback", "train", "tuned_by")
FEEDBACK_ELSEWHERE = ("novelty",)
LATER = "gone: a loop keeps that of its newest round alone"


def add(command: argparse.ArgumentParser) -> None:
    command.epilog, command.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    options.source(command, pairs=False, prefixed=False)
    options.output(command, required=False, needed="; needed unless --estimate is given")
    options.processes(command)
    command.add_argument(
        "--folder", metavar="DIR", help="where the loop is kept (default: --out with -loop behind it)"
    )
    command.add_argument("--estimate", action="store_true", help="say what the teacher would take; ask nothing")
    loop = command.add_argument_group("the loop")
    loop.add_argument("--rounds", type=whole, metavar="N", help="how many; without it, as many as --max-cost pays for")
    loop.add_argument(
        "--signal",
        choices=("grad_norm", "loss", "random"),
        default="grad_norm",
        help="by what batches are compared; random is the control (default: grad_norm)",
    )
    loop.add_argument(
        "--loop-option",
        action=SettingAction,
        kinds=_kinds,
        help="how rows are dealt out and seeds change, such as batch_size=16, per_round=160, embed=MODEL or donated=4 "
        "(may be given several times); --loop-option help lists the names",
    )
    student = command.add_argument_group("the student")
    student.add_argument("--base-model", required=True, metavar="B", help="a folder or Hub id of the model to train")
    student.add_argument("--epochs", type=float, metavar="N", help="passes over the rows of a round (default: 1)")
    student.add_argument(
        "--train-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of trl's SFTConfig, such as learning_rate=2e-5 or save_steps=10 (may be given several times)",
    )
    what_is_made(command, 0.85)
    teacher(command)
    options.spending(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.folder import check_target
    from hfclean.loops import run_sedi

    list_filters(args, out)
    _check(args)
    loop = _loop(args)
    if not args.estimate:
        check_target(Path(args.out).expanduser(), overwrite=args.overwrite, source=local(args.source))
    with reader(args, err, args.out) as read:
        source = read(args.source)
        generator = replace(generator_from(args, shown=(8, 0)), columns=layout_of(args).columns)
        seeds = only_split(source.dataset, "the source of the seeds")
        if args.estimate:
            estimate(args, out, generator, seeds, loop.per_round * loop.rounds)
            return
        note_terms(args, err)
        folder = args.folder or f"{args.out.rstrip('/')}-loop"
        found = run_sedi(generator, loop, seeds, folder, against=args.against, show=not args.quiet)
        report = found.save(args.out, **saving(args, source))
    data = {
        "out": args.out,
        "folder": folder,
        "student": None if found.student is None else str(found.student),
        "ledger": found.ledger(),
    }
    tell(
        args,
        out,
        lambda: data | {"ended": found.ended, "report": report.to_dict(edits=False)},
        lambda: f"{found.report()}\n\nwrote {args.out}; the loop: {folder}; the student: {found.student or LATER}",
    )


def _check(args: argparse.Namespace) -> None:
    if not (args.estimate or args.out):
        raise UsageError("--out is missing; or --estimate asks nothing")
    if args.rounds is None and (args.estimate or args.max_cost is None):
        raise UsageError("--rounds is missing; without it, --max-cost and --prices say when the loop ends")
    if args.out and args.folder and lies_inside(args.folder, args.out):
        raise UsageError(f"--folder {args.folder} lies in --out, which is written as a whole; name one beside it")
    check_spending(args)


def _loop(args: argparse.Namespace) -> Any:
    from hfclean.errors import HfcleanError
    from hfclean.generation import Novelty
    from hfclean.loops import Feedback, Loop

    _, train = training_settings(args, {})
    of_seeds = settable(Feedback, FEEDBACK_ELSEWHERE)
    settings = parse_settings("--loop-option", args.loop_option, settable(Loop, LOOP_ELSEWHERE) | of_seeds)
    changes = {name: settings.pop(name) for name in of_seeds if name in settings}
    try:
        feedback = Feedback(novelty=Novelty(args.novelty), **changes)
        size = settings.get("batch_size", Loop.batch_size)
        settings.setdefault("per_round", feedback.every * size)
        return Loop(args.base_model, args.rounds, signal=args.signal, feedback=feedback, train=train, **settings)
    except HfcleanError as e:
        raise UsageError(f"--loop-option: {e}") from e


def _kinds() -> list[tuple[type, tuple[str, ...]]]:
    from hfclean.loops import Feedback, Loop

    return [(Loop, LOOP_ELSEWHERE), (Feedback, FEEDBACK_ELSEWHERE)]
