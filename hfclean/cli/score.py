"""Score every row and change nothing.

Score every row and print how the scores are distributed, the most frequent defects with one row each, and the worst
rows; with --out, write the scored dataset. With --fail-on it is a check for CI: exit code 3 where a condition
holds. hfclean head shows more of the worst rows, or those with one defect.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.conditions import ConditionsMet, Outcome, bound_of, outcomes
from hfclean.cli.prompt_files import judge_rubric
from hfclean.cli.reading import UsageError, given, layout_of, load_scorer, opened, tell, tokenizer_of
from hfclean.cli.shards import check_near, write_shard
from hfclean.cli.writing import write_cleaned

WITH = (
    "another scorer: a custom one as module:name or module:Class(argument=...), or one of hfclean's, such as "
    "\"IFD(model='gpt2')\"; arguments are literals (may be given several times)"
)


def add(command: argparse.ArgumentParser) -> None:
    options.source(command)
    options.output(command, required=False)
    command.add_argument("--with", dest="extra", action="append", default=[], metavar="SCORER", help=WITH)
    command.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="WHAT",
        help="end with exit code 3 where rows have a defect (defect=whitespace; defect alone is any), a score "
        "(rating<0.3; <=, >, >=), a value (COLUMN=VALUE) or none (unscored=judge); up to 5 such rows pass with :5, "
        "up to 5%% of all with :5%% at the end. With --quiet nothing is printed but what failed (may be given several "
        "times)",
    )
    options.rubric(command)
    options.run_tests(command, "and add the share that passes (tests_passed)")
    options.strict(command)
    options.processes(command)
    options.shard(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cleaning import clean
    from hfclean.cli.render_scores import describe_scores
    from hfclean.cli.terminal import columns_wide
    from hfclean.kept_parts import KeptParts
    from hfclean.report import compare
    from hfclean.scorers.embedded.score import Score
    from hfclean.scorers.row_tests import RunTests

    bounds = [bound_of("--fail-on", text) for text in args.fail_on]
    shared, tokenizer = given(layout_of(args)), tokenizer_of(args.tokenizer)
    score = Score(**shared)
    # what a scorer was declared with stands where the command line says nothing
    scorers = [load_scorer(spec, **shared) for spec in args.extra]
    if args.run_tests:
        scorers.append(RunTests(args.run_tests, **shared))
    if args.criteria:
        scorers = _by_criteria(scorers, judge_rubric(args.criteria))
    check_near(args)
    if args.shard:
        if args.fail_on:
            raise UsageError(
                "--fail-on with --shard: it is about all rows; hfclean score DIR of what hfclean merge wrote"
            )
        write_shard(args, out, err, scorers=scorers, score=score)
        return
    if args.out:
        cleaned = write_cleaned(args, out, err, scorers=scorers, score=score)
        _fail_on(outcomes(bounds, cleaned.dataset, layout_of(args), "--fail-on"))
        return
    with KeptParts() as kept_parts, opened(args, err) as (source, layout):
        options: dict[str, Any] = {"strict": args.strict, "num_proc": args.num_proc, "kept_parts": kept_parts}
        scored = clean(source.dataset, reviser=None, score=score, scorers=scorers, **options).dataset
        told = {"tokenizer": tokenizer, "max_tokens": args.max_tokens, **shared, **given(layout)}
        report = compare(source.dataset, scored, **told)
        splits = scored if isinstance(scored, Mapping) else {"": scored}
        found = outcomes(bounds, splits, layout_of(args), "--fail-on")
        text = describe_scores(report, splits, layout_of(args), columns_wide())
    if args.json or not (bounds and args.quiet):
        data = report.to_dict() | ({"fail_on": [each.to_dict() for each in found]} if bounds else {})
        tell(args, out, lambda: data, lambda: text)
        out.flush()
    _fail_on(found)


def _fail_on(found: Sequence[Outcome]) -> None:
    """End with exit code 3 where a condition of `--fail-on` holds in too many rows.

    Raises:
        ConditionsMet: it names each.
    """
    if failed := [each.line() for each in found if each.failed]:
        raise ConditionsMet("\n".join(failed))


def _by_criteria(scorers: list[Any], rubric: Any) -> list[Any]:
    """The scorers, their judges with this rubric.

    Raises:
        UsageError: no scorer is a judge, or one has a rubric of its own.
    """
    from hfclean.scorers.judge import Judge

    judges = [each for each in scorers if isinstance(each, Judge)]
    if not judges:
        raise UsageError(
            "--criteria is for a judge; name one: --with \"Judge(model='M', base_url='http://localhost:8000/v1')\""
        )
    if any(each.rubric != Judge.rubric or each.dimension for each in judges):
        raise UsageError("--criteria beside a judge with a rubric or dimension of its own: say one of the two")
    return [replace(each, rubric=rubric) if isinstance(each, Judge) else each for each in scorers]
