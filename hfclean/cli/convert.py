"""Write the rows in another shape.

Write the rows in another shape. preference, ranked and kto: of rows with several answers, or the revised response
against the original one. What the shape cannot hold is counted; --dry-run counts it beforehand.
"""

import argparse
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.reading import UsageError, given, opened, tell
from hfclean.cli.writing import check_file, tell_files, write_files
from hfclean.schema import SHAPES


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False)
    command.add_argument("--to", required=True, choices=[*SHAPES, "kto", "text"], help="the shape")
    command.add_argument(
        "--template",
        metavar="T",
        help="for --to text: the chat template that writes it, by its name in TRL (qwen3, llama3.1, gemma3, gpt-oss), "
        "as a .jinja file, or as the folder of a tokenizer",
    )
    command.add_argument(
        "--thoughts",
        choices=["content", "reasoning_content"],
        help="where what was thought before an answer goes: into its text, as <think>, or beside it (default: where "
        "it stands; into the text where the shape has texts alone)",
    )
    command.add_argument(
        "--out",
        metavar="FILE",
        help="a .jsonl, .parquet or .csv file (one per split where there are several); needed but for --dry-run",
    )
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    command.add_argument(
        "--dry-run", action="store_true", help="write nothing; count what would be left out or respelled"
    )
    options.formulas(command)
    options.processes(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.conversion import Losses, convert, losses_of
    from hfclean.report.formatting import count, plural

    if not args.out and not args.dry_run:
        raise UsageError("--out FILE is missing: where the rows go, or --dry-run to see what they would lose")
    check_file(args)
    with opened(args, err, args.out) as (source, layout):
        how = {"template": args.template, "thoughts": args.thoughts, "num_proc": args.num_proc, **given(layout)}
        if args.dry_run:
            losses = losses_of(source.dataset, args.to, **how)
            rows = sum(map(len, source.dataset.values()))
            outcome = "left out or respelled:" if losses else "nothing would be lost"
            lines = [
                f"{plural(rows, 'row')} to {args.to}, {outcome}",
                *(f"  {count(n):>{len(count(rows))}}  {name}" for name, n in sorted(losses.items())),
                *([f"the first row that does not fit: {losses.misfit}"] if losses.misfit else []),
                "nothing was written (--dry-run)",
            ]
            data = {"rows": rows, "losses": dict(sorted(losses.items())), "misfit": losses.misfit}
            tell(args, out, lambda: data, lambda: "\n".join(lines))
            return
        losses = Losses()
        converted = convert(source.dataset, args.to, **how, losses=losses)
        for note in losses.notes():
            print(f"note: left out or respelled: {note}", file=err)
        read, made = (sum(map(len, splits.values())) for splits in (source.dataset, converted))
        if args.to in ("preference", "ranked") and made < read:
            print(f"note: {count(read - made)} of {plural(read, 'row')} have no two answers to choose from", file=err)
        written = write_files(converted, args, err)
    tell_files(args, out, written, losses)
