"""Tune a small model on several versions of a dataset, and say which makes it better, if any.

Tune the same small model on several versions of a dataset, on as many random rows and on the longest ones, with
several seeds, and compare the loss on held-out rows. That there is no difference is an answer too. With --out, what is
tuned is kept, and a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, columns_of, emit, notes, only_split, unpacked


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--variant",
        action="append",
        required=True,
        metavar="NAME=IN",
        help="a version of the dataset: a file, a folder or a Hub id; the original first (given several times)",
    )
    command.add_argument(
        "--base-model", required=True, metavar="M", help="a folder or Hub id of a small language model"
    )
    command.add_argument("--eval", required=True, metavar="IN", help="held-out rows, which are in no variant")
    command.add_argument("--split", help="of every dataset (default: train, or the only one)")
    command.add_argument("--columns", metavar="MAP", help="which columns hold what, in every dataset")
    command.add_argument(
        "--size", type=int, metavar="N", help="rows of every variant but the first (default: the fewest)"
    )
    command.add_argument("--seeds", type=int, default=3, metavar="N", help="how many seeds (default: 3)")
    command.add_argument("--epochs", type=float, metavar="N", help="passes over the rows (default: the trainer's)")
    command.add_argument("--max-steps", type=int, metavar="N", help="steps of every run, whatever its rows")
    command.add_argument("--batch-size", type=int, metavar="N", help="rows per step and device")
    command.add_argument("--learning-rate", type=float, metavar="R", help="the highest (default: the trainer's)")
    command.add_argument(
        "--lora-rank", type=int, metavar="R", help="tune an adapter of this rank (default: all weights)"
    )
    command.add_argument("--out", metavar="DIR", help="keep the tuned models here, and go on where a run was stopped")
    command.add_argument(
        "--judge-model", metavar="M", help="have this model judge the answers to held-out rows as well"
    )
    command.add_argument("--judge-base-url", metavar="URL", help="of the judge's server")
    command.add_argument("--judge-api-key-env", metavar="NAME", help="the variable that holds its key: its name")
    command.add_argument(
        "--judged-rows", type=int, default=100, metavar="N", help="rows to answer and judge (default: 100)"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.evaluation.ab import ab_test
    from hfclean.scorers.judge import Judge
    from hfclean.source import load

    named = [text.partition("=") for text in args.variant]
    if any(not name or not where for name, _, where in named) or len({name for name, _, _ in named}) < len(named):
        raise UsageError(f"--variant {' '.join(args.variant)}: wanted NAME=IN, each name once")
    if args.judge_model is None and (args.judge_base_url or args.judge_api_key_env):
        raise UsageError("--judge-base-url and --judge-api-key-env are of a judge; name it: --judge-model M")
    judge = None
    if args.judge_model:
        judge = Judge(args.judge_model, base_url=args.judge_base_url, api_key_env=args.judge_api_key_env)
        judge.check_access()
    settings = {
        "num_train_epochs": args.epochs,
        "max_steps": args.max_steps,
        "per_device_train_batch_size": args.batch_size,
        "learning_rate": args.learning_rate,
    }
    columns = columns_of(args.columns)
    with unpacked(args, args.out) as cache:

        def rows(where: str) -> Any:
            source = load(where, split=args.split, columns=columns, cache_dir=cache)
            notes(source, err)
            return only_split(source.dataset, where)

        found = ab_test(
            {name: rows(where) for name, _, where in named},
            args.base_model,
            rows(args.eval),
            seeds=args.seeds,
            size=args.size,
            judge=judge,
            judged_rows=args.judged_rows,
            args={name: value for name, value in settings.items() if value is not None},
            peft_config=None if args.lora_rank is None else {"r": args.lora_rank},
            folder=None if args.out is None else Path(args.out),
            columns=columns,
            show=not args.quiet,
        )
    if args.json:
        emit(found.to_dict(), out)
    else:
        print(found, file=out)
