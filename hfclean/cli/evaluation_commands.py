"""What `evaluate` and `ab` do: read, measure, print."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.model_options import add_model, reviser_of
from hfclean.cli.reading import UsageError, columns_of, emit, notes, unpacked

__all__ = ["ab", "add_commands", "evaluate"]


def add_commands(verbs: Any) -> None:
    """The two subcommands."""
    evaluate = verbs.add_parser(
        "evaluate",
        help="say how good a reviser is on pairs that experts revised",
        description="Hold a reviser against pairs that experts revised and it has not seen: how many come nearer to "
        "the expert's text, equal it, read better, and what the checks refuse; beside the rules, a reviser that "
        "changes nothing, and length alone. Asks the model once for every pair; answers are kept. Writes nothing.",
    )
    evaluate.add_argument(
        "source",
        metavar="PAIRS",
        help="held-out pairs: a .jsonl, .json, .csv or .parquet file, a folder or a Hub id, with the columns "
        "raw_instruction, raw_input, raw_output and the same three after revised_",
    )
    evaluate.add_argument("--split", help="one split only (needed where there are several)")
    evaluate.add_argument("--config", metavar="NAME", help="the configuration of a Hub dataset")
    evaluate.add_argument("--limit", type=int, metavar="N", help="the first N pairs only")
    evaluate.add_argument(
        "--clean", metavar="IN", help="a dataset whose rows need nothing, to see what is changed all the same"
    )
    evaluate.add_argument("--columns", metavar="MAP", help="which columns of --clean hold what")
    evaluate.add_argument(
        "--unseen", action="store_true", help="leave out the pairs that trained the reviser, and count them"
    )
    evaluate.add_argument(
        "--force", action="store_true", help="evaluate although the pairs trained the reviser; the result says so"
    )
    _drawing(evaluate)
    add_model(evaluate, needed=" (default: the rules, which ask no model)")

    ab = verbs.add_parser(
        "ab",
        help="tune a small model on several versions of a dataset, and say which makes it better, if any",
        description="Tune the same small model on several versions of a dataset, on as many random rows and on the "
        "longest ones, with several seeds, and compare the loss on held-out rows. That there is no difference is an "
        "answer too. With --out, what is tuned is kept, and a run that was stopped goes on.",
    )
    ab.add_argument(
        "--variant",
        action="append",
        required=True,
        metavar="NAME=IN",
        help="a version of the dataset: a file, a folder or a Hub id; the original first (given several times)",
    )
    ab.add_argument("--base-model", required=True, metavar="M", help="a folder or Hub id of a small language model")
    ab.add_argument("--eval", required=True, metavar="IN", help="held-out rows, which are in no variant")
    ab.add_argument("--split", help="of every dataset (default: train, or the only one)")
    ab.add_argument("--columns", metavar="MAP", help="which columns hold what, in every dataset")
    ab.add_argument("--size", type=int, metavar="N", help="rows of every variant but the first (default: the fewest)")
    ab.add_argument("--seeds", type=int, default=3, metavar="N", help="how many seeds (default: 3)")
    ab.add_argument("--epochs", type=float, metavar="N", help="passes over the rows (default: the trainer's)")
    ab.add_argument("--max-steps", type=int, metavar="N", help="steps of every run, whatever its rows")
    ab.add_argument("--batch-size", type=int, metavar="N", help="rows per step and device")
    ab.add_argument("--learning-rate", type=float, metavar="R", help="the highest (default: the trainer's)")
    ab.add_argument("--lora-rank", type=int, metavar="R", help="tune an adapter of this rank (default: all weights)")
    ab.add_argument("--out", metavar="DIR", help="keep the tuned models here, and go on where a run was stopped")
    ab.add_argument("--judge-model", metavar="M", help="have this model judge the answers to held-out rows as well")
    ab.add_argument("--judge-base-url", metavar="URL", help="of the judge's server")
    ab.add_argument("--judge-api-key-env", metavar="NAME", help="the variable that holds its key: its name")
    ab.add_argument(
        "--judged-rows", type=int, default=100, metavar="N", help="rows to answer and judge (default: 100)"
    )
    ab.add_argument("--json", action="store_true", help="print JSON")
    ab.add_argument("--quiet", action="store_true", help="no progress bars")


def _drawing(command: argparse.ArgumentParser) -> None:
    command.add_argument("--draws", type=int, default=1000, metavar="N", help="bootstrap samples (default: 1000)")
    command.add_argument("--json", action="store_true", help="print JSON instead of text; progress goes to stderr")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def evaluate(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Hold a reviser against experts."""
    from hfclean.evaluation.revising import evaluate_reviser
    from hfclean.reviser import revise
    from hfclean.source import load

    columns = columns_of(args.columns)
    args.columns = None  # of --clean, and not of the reviser
    reviser: Any = revise
    if args.model:
        reviser = reviser_of(args)
        reviser.check_access()
    elif args.base_url or args.method:
        raise UsageError("options of a model without --model; name one, or leave them out to evaluate the rules")
    with unpacked(args) as cache:
        source = load(args.source, split=args.split, config=args.config, cache_dir=cache, columns=PAIR_COLUMNS)
        notes(source, err)
        pairs = _one(source.dataset, args.source)
        clean = None
        if args.clean:
            clean = _one(load(args.clean, columns=columns, cache_dir=cache).dataset, args.clean)
        found = evaluate_reviser(
            reviser,
            pairs if args.limit is None else pairs.select(range(min(args.limit, len(pairs)))),
            clean=clean,
            columns=columns,
            dataset=source.name,
            split=args.split or "",
            force=args.force,
            unseen=args.unseen,
            draws=args.draws,
            show=not args.quiet,
        )
    if args.json:
        emit(found.to_dict(), out)
    else:
        print(found, file=out)


# so that pairs are read as rows of some shape; both sides are looked at by name
PAIR_COLUMNS = {"instruction": "raw_instruction", "response": "raw_output"}


def _one(splits: Any, name: str) -> Any:
    """The only split, or `train`, or `test`."""
    if len(splits) == 1:
        return next(iter(splits.values()))
    raise UsageError(f"{name} has the splits {', '.join(splits)}; name one: --split NAME")


def ab(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Tune a small model on every version, and compare."""
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
            return _one(source.dataset, where)

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
