"""Tune a student, have new rows made where it errs, and begin anew (LLM2LLM; research-grade).

In every round the base is tuned from scratch on the seeds and the rows made so far, and answers the
seeds; after each one that it gets wrong the model writes new rows, and never after rows that were made. All of it is
kept in --folder: stopped or killed, the same command goes on from the last checkpoint, and repeats no request.
"""

import argparse
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.generate import (
    ELSEWHERE,
    check_spending,
    filters_of,
    lies_inside,
    list_filters,
    local,
    note_terms,
    saving,
    spec_settings,
    teacher,
    what_is_made,
    whole,
)
from hfclean.cli.prompt_files import read_text
from hfclean.cli.reading import UsageError, layout_of, only_split, reader, tell, tokenizer_of
from hfclean.cli.settings import training_settings

EPILOG = """the careful way:
  hfclean augment-errors SEEDS --base-model B --model M --base-url URL --correct number --folder DIR --estimate
                                                  asks and trains nothing
  hfclean augment-errors SEEDS --base-model B --model M --base-url URL --correct number --folder DIR --out OUT
                                                  all rounds, and a folder of the rows that were made
"""
TESTS = ("number", "exact", "choice", "verified", "judge")
# fields of a generator that are this command's own
FIXED = (*ELSEWHERE, "per_request", "examples", "stop_below", "seed")


def add(command: argparse.ArgumentParser) -> None:
    command.epilog, command.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    options.source(command, pairs=False, prefixed=False)
    command.add_argument(
        "--base-model", required=True, metavar="B", help="a folder or a Hub id: the base of the student"
    )
    command.add_argument(
        "--correct",
        required=True,
        choices=TESTS,
        help="whether an answer of the student is right: by its number, its text, the option that it chooses, what a "
        "program can prove, or a judge",
    )
    command.add_argument("--folder", required=True, metavar="DIR", help="where students and rounds are kept")
    options.output(command, required=False, needed=" with the rows that were made")
    options.processes(command)
    command.add_argument("--rounds", type=whole, default=10, metavar="N", help="how many rounds (default: 10)")
    command.add_argument(
        "--per-error", type=whole, default=1, metavar="N", help="new rows for each wrong seed and round (default: 1)"
    )
    command.add_argument(
        "--control", action="store_true", help="run a second arm that makes as many rows from random seeds"
    )
    command.add_argument("--eval", metavar="IN", help="held-out rows: every student is measured on them")
    command.add_argument(
        "--estimate", action="store_true", help="say what the model would take; ask and train nothing"
    )
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of tuning, model and random seeds (default: 0)"
    )
    student = command.add_argument_group("the student")
    student.add_argument("--epochs", type=float, metavar="N", help="passes over the rows (default: 3)")
    student.add_argument(
        "--train-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="lora_rank=R to tune an adapter of this rank (default: all weights), or a field of trl's SFTConfig, such "
        "as learning_rate=2e-5 (may be given several times)",
    )
    student.add_argument(
        "--answer-tokens", type=whole, default=512, metavar="N", help="the longest answer of a student (default: 512)"
    )
    made_of = what_is_made(command, 0.95, float, "drop a question above this ROUGE-L with a wrong seed or a made row")
    made_of.add_argument(
        "--reviser", metavar="DIR", help="revise wrong rows first, with this reviser: a folder or a Hub id"
    )
    command.add_argument(
        "--judge", metavar="M", help="with --correct judge: the model that grades answers, on the server of --base-url"
    )
    teacher(command, FIXED)
    options.spending(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.folder import check_target
    from hfclean.generation import save
    from hfclean.loops import augment_errors
    from hfclean.reviser import Reviser

    list_filters(args, out)
    _check(args)
    if args.out and not args.estimate:
        check_target(Path(args.out).expanduser(), overwrite=args.overwrite, source=local(args.source))
    correct = _correct(args)
    settings, fields = training_settings(args, {"lora_rank": int})
    asked = _asked(args)
    with reader(args, err, args.out) as read:
        source = read(args.source)
        seeds = only_split(source.dataset, "the source of the seeds")
        columns = layout_of(args).columns
        if args.estimate:
            _estimate(args, out, seeds, {**asked, "columns": columns})
            return
        note_terms(args, err)
        found = augment_errors(
            seeds,
            args.base_model,
            args.model,
            correct=correct,
            folder=args.folder,
            rounds=args.rounds,
            against=args.against,
            control=args.control,
            revise=Reviser.from_pretrained(args.reviser) if args.reviser else None,
            test=only_split(read(args.eval).dataset, args.eval) if args.eval else None,
            args=fields,
            peft_config={"r": settings["lora_rank"]} if "lora_rank" in settings else None,
            answer_tokens=args.answer_tokens,
            columns=columns,
            show=not args.quiet,
            **asked,
        )
        if args.out and (found.rounds is None or found.made is None):
            print(f"note: no row was made, and {args.out} is not written", file=err)
        elif args.out and found.rounds is not None:
            save(found.rounds, args.out, **saving(args, source))
    wrote = f"\nwrote {args.out}" if args.out and found.made is not None else ""
    rows = f"\nseeds and made rows: {Path(args.folder) / 'rows.parquet'}{wrote}"
    tell(args, out, found.to_dict, lambda: f"{found.summary()}{rows}")


def _check(args: argparse.Namespace) -> None:
    """What does not go together, in the words of the command line."""
    check_spending(args)
    if (args.correct == "judge") is not bool(args.judge):
        raise UsageError("--correct judge and --judge M: both or none")
    if args.estimate and args.rounds < 2:
        raise UsageError(f"--rounds {args.rounds}: the last round asks for nothing; expected 2 or more")
    if args.out and lies_inside(args.folder, args.out):
        raise UsageError(f"--folder {args.folder} lies in --out, which is written as a whole; name a folder beside it")


def _correct(args: argparse.Namespace) -> Any:
    from hfclean.loops import Judged
    from hfclean.scorers import Judge

    if args.correct != "judge":
        return args.correct
    return Judged(Judge(args.judge, base_url=args.base_url, api_key_env=args.api_key_env))


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    """How the model is asked, as `augment_errors` and `error_generator` both take it."""
    from hfclean.generation import Prompts
    from hfclean.loops.error_words import ROWS, TASKS

    settings, asking = spec_settings(args, FIXED)
    tasks = read_text("--instructions", args.instructions) if args.instructions else TASKS
    return {
        "per_error": args.per_error,
        "prompt": Prompts(**{"tasks": tasks, "rows": ROWS, **asking}),
        "filters": filters_of(args),
        "novelty": args.novelty,
        "seed": args.seed,
        **settings,
    }


def _estimate(args: argparse.Namespace, out: TextIO, seeds: Any, asked: dict[str, Any]) -> None:
    from hfclean.cli.render_models import describe_errors_estimate
    from hfclean.loops import error_generator, estimate_errors
    from hfclean.plain_values import to_plain

    tokenizer = tokenizer_of(args.tokenizer)
    generator = error_generator(args.model, **asked)
    found = estimate_errors(
        generator,
        seeds,
        args.rounds,
        control=args.control,
        tokenizer=None if tokenizer is None else tokenizer.encode,
    )
    counts = {"rounds": args.rounds, "seeds": len(seeds)}
    figures = to_plain(found)
    tell(args, out, lambda: counts | figures, lambda: describe_errors_estimate(found, generator.spec, **counts))
