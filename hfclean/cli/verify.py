"""List what a program can prove wrong, row by row.

List what a program can prove wrong: wrong sums, code that does not parse, answers that disagree, counts that are
missed. Changes nothing, and asks no model. Every answer of a conversation is looked at. No finding does not say that
all is right.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.reading import layout_of, opened, tell, tokenizer_of


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False, prefixed=False)
    command.add_argument(
        "--only", action="append", metavar="VERIFIER", help="run only this verifier (may be given several times)"
    )
    command.add_argument(
        "--tokenizer",
        metavar="PATH",
        help="look for preference rows whose sides are the same when this tokenizer truncates them (a folder or a Hub "
        "id)",
    )
    command.add_argument(
        "--max-tokens", type=int, default=2048, metavar="N", help="the tokens of prompt and answer that are left"
    )
    options.run_tests(command, "and list where they do not pass (tests_failed)")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    with opened(args, err) as (source, _):
        rows = sum(len(part) for part in source.dataset.values())
        findings = list(_findings(args, source.dataset))

    def text() -> str:
        from hfclean.cli.terminal import visible
        from hfclean.report.formatting import plural

        lines = [
            f"{each['split']} {each['row']}  {each['field']}, line {each['line'] + 1}"
            + (f" of answer {each['turn'] + 1}" if each["turn"] else "")
            + f"  {each['check']}: {visible(' '.join(each['sentence'].split()), 300)}"
            for each in findings
        ]
        found_in = len({(each["split"], each["row"]) for each in findings})
        kinds = ", ".join(f"{name} {n:,}" for name, n in Counter(each["check"] for each in findings).most_common())
        total = f"{plural(len(findings), 'finding')} in {found_in:,} of {plural(rows, 'row')}"
        return "\n".join([*lines, f"{total}: {kinds}" if kinds else total])

    tell(args, out, lambda: {"rows": rows, "findings": findings}, text)


def _findings(args: argparse.Namespace, dataset: Any) -> Iterator[dict[str, Any]]:
    """Each finding with its split and row number; `line` from 0, as in `hfclean.verify`."""
    from hfclean.passes import iterate
    from hfclean.scorers.row_tests import RunTests
    from hfclean.verifiers import verify

    columns, tokenizer = layout_of(args).columns, tokenizer_of(args.tokenizer)
    tests = RunTests(args.run_tests) if args.run_tests else None
    options: dict[str, Any] = {
        "columns": columns,
        "tokenizer": tokenizer,
        "max_tokens": args.max_tokens,
        "tests": tests,
    }
    for split, part in dataset.items():
        rows = chain.from_iterable(iterate(part, part.column_names))
        for number, row in enumerate(rows):
            for finding in verify(row, args.only, **options):
                yield {"split": split, "row": number, **asdict(finding)}
