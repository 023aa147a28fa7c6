"""Estimate what a model's run would take: requests, tokens, price, hours; asks nothing.

Estimate what hfclean revise would take: requests, tokens, price, hours. Reads a sample of the rows and asks nothing.
How long the answers will be is unknown until the model is asked; hfclean revise --preview shows it.
"""

import argparse
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.reading import opened, tell, tokenizer_of
from hfclean.cli.revisers import reviser_of
from hfclean.plain_values import to_plain


def add(command: argparse.ArgumentParser) -> None:
    options.source(command)
    command.add_argument("--sample", type=int, default=100, metavar="N", help="rows to read (default: 100)")
    command.add_argument(
        "--growth",
        type=float,
        default=1.0,
        metavar="G",
        help="how many times longer answers are than the text that they revise (default: 1)",
    )
    command.add_argument(
        "--seconds-per-request", type=float, metavar="S", help="how long one answer takes, for the hours"
    )
    command.add_argument("--tokenizer", metavar="PATH", help="count tokens with this tokenizer (default: an estimate)")
    options.model(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.render_models import describe_estimate

    reviser = reviser_of(args)
    with opened(args, err) as (source, _):
        estimate = reviser.estimate(
            source.dataset,
            sample=args.sample,
            seconds_per_request=args.seconds_per_request,
            growth=args.growth,
            tokenizer=tokenizer_of(args.tokenizer),
        )
        total = sum(len(part) for part in source.dataset.values())
    counts = {"rows": total, "sampled": min(args.sample, total)}
    figures = to_plain(estimate)
    tell(args, out, lambda: counts | figures, lambda: describe_estimate(estimate, reviser.spec(), **counts))
