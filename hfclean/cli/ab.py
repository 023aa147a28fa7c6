"""Fine-tune a small model on several versions of a dataset and compare held-out loss.

Fine-tune the same small model on several versions of a dataset, on as many random rows and on the longest ones, with
several seeds, and compare the loss on held-out rows. No difference is a result too. With --out, the tuned models are
kept, and a run that was stopped continues.
"""

import argparse
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.prompt_files import judge_rubric
from hfclean.cli.reading import UsageError, layout_of, only_split, reader, tell
from hfclean.cli.settings import training_settings


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--variant",
        action="append",
        required=True,
        metavar="NAME=IN",
        help="a version of the dataset: a file, a folder or a Hub id; the original first (given several times)",
    )
    command.add_argument("--base", required=True, metavar="M", help="a folder or Hub id of a small language model")
    command.add_argument("--eval", required=True, metavar="IN", help="held-out rows, which are in no variant")
    command.add_argument("--split", help="split of every dataset (default: train, or the only one)")
    command.add_argument("--columns", metavar="MAP", help="which columns hold what, in every dataset")
    command.add_argument(
        "--size", type=int, metavar="N", help="rows of every variant but the first (default: the fewest)"
    )
    command.add_argument("--seeds", type=int, default=3, metavar="N", help="how many seeds (default: 3)")
    command.add_argument("--epochs", type=float, metavar="N", help="passes over the rows (default: the trainer's)")
    command.add_argument(
        "--train-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="lora_rank=R to tune an adapter of this rank (default: all weights), or a field of trl's SFTConfig, such "
        "as max_steps=100 or learning_rate=2e-5 (may be given several times)",
    )
    command.add_argument("--out", metavar="DIR", help="keep the tuned models here, and continue a stopped run")
    judge = command.add_argument_group("the judge")
    judge.add_argument("--judge", metavar="M", help="have this model judge the answers to held-out rows as well")
    options.server(judge)
    options.rubric(judge)
    judge.add_argument("--sample", type=int, default=100, metavar="N", help="rows to answer and judge (default: 100)")
    options.json_output(command)
    options.quiet(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.evaluation.ab import ab_test
    from hfclean.scorers.judge import Judge

    named = [text.partition("=") for text in args.variant]
    if any(not name or not where for name, _, where in named) or len({name for name, _, _ in named}) < len(named):
        raise UsageError(f"--variant {' '.join(args.variant)}: expected NAME=IN, each name once")
    if args.judge is None and (args.base_url or args.api_key_env or args.criteria):
        raise UsageError("--base-url, --api-key-env and --criteria are for the judge; name it: --judge M")
    judge = None
    if args.judge:
        rubric = judge_rubric(args.criteria) if args.criteria else Judge.rubric
        judge = Judge(args.judge, rubric, base_url=args.base_url, api_key_env=args.api_key_env)
        judge.check_access()
    settings, fields = training_settings(args, {"lora_rank": int})
    with reader(args, err, args.out) as read:

        def rows(where: str) -> Any:
            return only_split(read(where).dataset, where)

        result = ab_test(
            {name: rows(where) for name, _, where in named},
            args.base,
            rows(args.eval),
            seeds=args.seeds,
            size=args.size,
            judge=judge,
            judged_rows=args.sample,
            args=fields,
            peft_config={"r": settings["lora_rank"]} if "lora_rank" in settings else None,
            folder=None if args.out is None else Path(args.out),
            columns=layout_of(args).columns,
            show=not args.quiet,
        )
    tell(args, out, result.to_dict, lambda: result)
