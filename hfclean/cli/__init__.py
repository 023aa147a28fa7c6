"""The command line: one subcommand per verb, no logic. Exit codes: 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from hfclean.cli import evaluation_commands, mining_commands, selection_commands
from hfclean.cli.hub_commands import add_commands
from hfclean.cli.model_options import add_model, add_preview
from hfclean.cli.training_commands import add_training
from hfclean.version import __version__

__all__ = ["main", "parser"]

EPILOG = """examples:
  hfclean clean alpaca.jsonl --out cleaned        mend, score and write a dataset folder with card and report
  hfclean clean tatsu-lab/alpaca --out cleaned    the same for a dataset of the Hub
  zcat rows.jsonl.gz | hfclean clean - --out cleaned      the same for what comes on the standard input
  hfclean revise cleaned --model qwen3 --base-url http://localhost:8000/v1 --preview 20
                                                  what a model would make of 20 rows, and what all would take
  hfclean revise cleaned --model qwen3 --base-url http://localhost:8000/v1 --out revised
                                                  have a model revise every row; may be stopped and run again
  hfclean why cleaned 12                          what happened to row 12, and why
  hfclean undo cleaned --rule whitespace          take back what one rule did
  hfclean push cleaned me/alpaca-cleaned --dry-run
                                                  what a push to the Hub would write; then the same without --dry-run
  hfclean rules                                   every rule, with an example
"""
REVISE_EPILOG = """the careful way:
  hfclean estimate IN --model M --base-url URL --price-input P --price-output P    asks nothing
  hfclean revise IN --model M --base-url URL --preview 20                          asks for 20 rows, writes nothing
  hfclean revise IN --model M --base-url URL --out DIR                             asks for the rest, writes DIR
  hfclean revise DIR --retry-failed                                                asks again for what failed
"""
SOURCE_HELP = (
    "a .jsonl, .json, .csv, .tsv or .parquet file, which may be compressed (.gz, .bz2, .xz, .zst, .zip); several of "
    "them or a pattern ('data/*.jsonl'), read one after the other; a folder of files, a save_to_disk folder or a Hub "
    "id; or - for the standard input (JSON lines, JSON, CSV with a header, or parquet: seen from how it begins)"
)
SHAPE_HELP = (
    "which columns hold what, where their names do not say it: a shape (alpaca, dolly, prompt_completion, messages, "
    "conversations, conversation, preference) or ROLE=COLUMN pairs, such as instruction=question,response=answer"
)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="hfclean",
        description="Make instruction-tuning data better instead of throwing it away. Every original is kept.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", title="commands")

    clean = verbs.add_parser(
        "clean",
        help="mend what rules can mend, score every row, and write a dataset folder",
        description="Mend what rules can mend, score every row, mark exact duplicates, and write a folder that "
        "load_dataset reads: parquet data, dataset card, report.html, ledger.parquet (one row per change), "
        "hfclean.json. "
        "As many rows come out as went in, in the same order. With --model, a model revises the rows after the rules "
        "in the same run; see hfclean revise.",
    )
    _source(clean)
    _output(clean, required=False, needed="; needed unless --preview is given")
    _rules(clean)
    _strict(clean)
    _drop(clean)
    add_preview(clean)
    add_model(clean, needed=" (default: rules only)")

    revise = verbs.add_parser(
        "revise",
        help="have a model revise every row, and write a dataset folder",
        description="Have a model revise every row, check each revision, and write the same folder as hfclean clean. "
        "A revision that fails a check is not taken: the original stays, and the row says why. Every answer is kept "
        "before it is used: stopped or killed, the same command asks for the rest only.",
        epilog=REVISE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _source(revise)
    _output(revise, required=False, needed="; needed unless --preview or --retry-failed is given")
    _strict(revise)
    _drop(revise)
    add_preview(revise)
    revise.add_argument(
        "--retry-failed",
        action="store_true",
        help="IN is a folder that this command wrote: ask again for the rows that failed or whose answer could not be "
        "read, and no others, with the model and settings that its hfclean.json names, and replace the folder (or "
        "write --out)",
    )
    add_model(revise, needed="; needed unless --retry-failed is given")

    estimate = verbs.add_parser(
        "estimate",
        help="say what a model's run would take: requests, tokens, price, hours; asks nothing",
        description="Say what hfclean revise would take: requests, tokens, price, hours. Reads a sample of the rows "
        "and asks nothing. How long answers will be nobody knows before they are asked; hfclean revise --preview "
        "shows it.",
    )
    _source(estimate)
    estimate.add_argument("--sample", type=int, default=100, metavar="N", help="rows to read (default: 100)")
    estimate.add_argument(
        "--growth",
        type=float,
        default=1.0,
        metavar="G",
        help="how many times longer answers are than the text that they revise (default: 1)",
    )
    estimate.add_argument(
        "--seconds-per-request", type=float, metavar="S", help="how long one answer takes, for the hours"
    )
    estimate.add_argument(
        "--tokenizer", metavar="PATH", help="count tokens with this tokenizer (default: an estimate)"
    )
    add_model(estimate)

    cache = verbs.add_parser(
        "cache",
        help="count, export or delete what models answered",
        description="What models answered is kept in one file, so that nothing is asked and paid for twice. stats "
        "counts it, export writes it out as lines of JSON (what was asked, how, and the answer), clear deletes it.",
    )
    cache.add_argument("action", choices=["stats", "export", "clear"], help="what to do")
    cache.add_argument(
        "--store",
        metavar="FILE",
        help="file of answers (default: answers.sqlite3 in HFCLEAN_HOME or ~/.cache/hfclean)",
    )
    cache.add_argument(
        "--model", metavar="NAME", help="of this model only: its name, or the whole line that stats shows"
    )
    cache.add_argument("--out", metavar="FILE", help="export: write here instead of to the standard output")
    cache.add_argument("--overwrite", action="store_true", help="export: replace FILE if it is there")
    cache.add_argument("--yes", action="store_true", help="clear: do not ask")
    cache.add_argument("--json", action="store_true", help="print JSON")

    score = verbs.add_parser(
        "score",
        help="score every row and change nothing",
        description="Score every row and print how the scores are distributed; with --out, write the scored dataset.",
    )
    _source(score)
    _output(score, required=False)
    score.add_argument("--with", dest="extra", action="append", default=[], metavar="PKG:NAME", help=_with("scorer"))
    _strict(score)

    rules = verbs.add_parser(
        "rules", help="list the rules: id, severity, meaning, example", description="List the rules."
    )
    rules.add_argument("--json", action="store_true", help="print JSON")

    why = verbs.add_parser(
        "why",
        help="say what happened to one row, and why",
        description="Say what happened to one row of a cleaned folder, rule by rule, and what is still wrong with it.",
    )
    why.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote")
    why.add_argument("row", metavar="ROW", help="a row id (or its beginning), a row number from 0, or SPLIT:NUMBER")
    why.add_argument("--json", action="store_true", help="print JSON")

    diff = verbs.add_parser(
        "diff",
        help="compare two versions of a dataset",
        description="Compare two versions of a dataset: what changed, what is gone, how the scores moved.",
    )
    diff.add_argument("before", metavar="A", help="the earlier version: a file, a folder or a Hub id")
    diff.add_argument("after", metavar="B", help="the later version")
    diff.add_argument("--limit", type=int, default=10, metavar="N", help="show the first N changes (default: 10)")
    diff.add_argument("--html", metavar="FILE", help="also write the whole report as one HTML file")
    _reading(diff)
    _prefix(diff)

    undo = verbs.add_parser(
        "undo",
        help="put originals back in a cleaned folder",
        description="Put the originals back: all of them, what one rule changed, or one row. The folder is replaced; "
        "with --out, another is written.",
    )
    undo.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote")
    what = undo.add_mutually_exclusive_group()
    what.add_argument("--rule", metavar="ID", help="only what this rule changed")
    what.add_argument("--row", metavar="ID", action="append", help="only this row (may be given several times)")
    undo.add_argument("--out", metavar="DIR2", help="write here and leave DIR as it is")
    undo.add_argument("--json", action="store_true", help="print JSON")

    convert = verbs.add_parser(
        "convert",
        help="write the rows in another shape",
        description="Write the rows in another shape. preference: chosen = revised response, rejected = original one.",
    )
    _source(convert, pairs=False)
    convert.add_argument(
        "--to", required=True, choices=["messages", "prompt_completion", "alpaca", "preference"], help="the shape"
    )
    convert.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="a .jsonl, .parquet or .csv file (one per split where there are several)",
    )
    convert.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    convert.add_argument(
        "--escape-formulas",
        action="store_true",
        help=".csv: put an apostrophe before cells that a spreadsheet would run as formulas",
    )
    selection_commands.add_commands(verbs, partial(_source, pairs=False, prefix=False))
    add_training(verbs)
    mining_commands.add_commands(verbs, partial(_source, pairs=False), _reading, _output)
    add_commands(verbs)
    evaluation_commands.add_commands(verbs)
    return top


class _OneOrMore(argparse.Action):
    """One word as it stands, several as a list."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, values[0] if len(values) == 1 else list(values))


def _with(kind: str) -> str:
    return f"a {kind} of your own, as module:name (may be given several times)"


def _reading(command: argparse.ArgumentParser) -> None:
    command.add_argument("--split", help="one split only (default: all)")
    command.add_argument("--config", metavar="NAME", help="the configuration of a Hub dataset")
    command.add_argument("--columns", metavar="MAP", help=SHAPE_HELP)
    command.add_argument("--json", action="store_true", help="print JSON instead of text; progress goes to stderr")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def _prefix(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--prefix",
        default="",
        help="put before the names of added columns, if yours has one of them (default: as the folder was cleaned)",
    )


def _source(command: argparse.ArgumentParser, *, pairs: bool = True, prefix: bool = True) -> None:
    """What is read: with `pairs`, of every row the turns and the side that are worked on."""
    command.add_argument("source", metavar="IN", nargs="+", action=_OneOrMore, help=SOURCE_HELP)
    _reading(command)
    if pairs:
        command.add_argument(
            "--turns", choices=["last", "all"], default="last", help="which assistant turns of a conversation"
        )
        command.add_argument(
            "--side",
            choices=["chosen", "rejected", "both"],
            default="chosen",
            help="which answers of preference rows",
        )
    if prefix:
        _prefix(command)


def _strict(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first row on which a rule, scorer or check raises an error (default: leave it out on that "
        "row, and count such rows)",
    )


def _drop(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--drop-duplicates",
        action="store_true",
        help="drop exact duplicates; they are kept in the folder's 'removed' part (default: only mark them)",
    )


def _output(command: argparse.ArgumentParser, *, required: bool = True, needed: str = "") -> None:
    command.add_argument("--out", required=required, metavar="DIR", help=f"the folder to write{needed}")
    command.add_argument("--overwrite", action="store_true", help="replace DIR if hfclean wrote it")
    command.add_argument(
        "--license", metavar="ID", help="licence for the card, e.g. cc-by-nc-4.0 (default: the source's)"
    )
    command.add_argument("--language", metavar="CODE", action="append", help="language for the card, e.g. en")
    command.add_argument(
        "--source", dest="source_id", metavar="REPO", help="Hub id of the dataset that the rows come from"
    )
    command.add_argument("--max-tokens", type=int, default=2048, metavar="N", help="report the share of longer rows")
    command.add_argument("--tokenizer", metavar="PATH", help="count tokens with this tokenizer (default: an estimate)")


def _rules(command: argparse.ArgumentParser) -> None:
    some = command.add_mutually_exclusive_group()
    some.add_argument(
        "--only", action="append", metavar="RULE", help="run only this rule (may be given several times)"
    )
    some.add_argument(
        "--skip", action="append", metavar="RULE", help="do not run this rule (may be given several times)"
    )
    command.add_argument("--with", dest="extra", action="append", default=[], metavar="PKG:NAME", help=_with("rule"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = parser().parse_args(argv)
    if args.version:
        print(f"hfclean {__version__}")
        return 0
    if args.verb is None:
        parser().print_help()
        return 2
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a terminal that cannot show a character gets its escape, not a crash
            stream.reconfigure(errors="backslashreplace")
    from hfclean.cli import commands

    return commands.run(args, sys.stdout, sys.stderr)
