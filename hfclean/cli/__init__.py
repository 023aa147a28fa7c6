"""The command line: one module a verb, no logic. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 what
`--fail-on` says."""

import argparse
import io
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from hfclean.cli.old_options import new_spelling
from hfclean.version import __version__

__all__ = ["VERBS", "main", "parser"]

# Each is a module of this folder: its docstring is the help, which begins with what is said here; `add` declares
# options, `run` does it. No module is loaded to list them.
VERBS: dict[str, str] = {
    "clean": "repair what rules can repair, score every row, and write a dataset folder",
    "revise": "have a model revise every row, and write a dataset folder",
    "merge": "put the parts of clean --shard together, and write a dataset folder",
    "generate": "have a model make new rows after the manner of seeds, and write a dataset folder",
    "augment-errors": "tune a student, have new rows made where it errs, and begin anew (LLM2LLM; research-grade)",
    "sedi": "have a model make rows for what a student finds hard, round by round, and write a dataset folder",
    "estimate": "estimate what a model's run would take: requests, tokens, price, hours; asks nothing",
    "cache": "count, export, merge or delete stored answers of models",
    "score": "score every row and change nothing",
    "head": "show a few rows: the first, the worst, or those with a defect",
    "verify": "list what a program can prove wrong, row by row",
    "rules": "list the rules: id, severity, meaning, example",
    "why": "explain what happened to one row",
    "diff": "compare two versions of a dataset",
    "review": "decide about revisions in a browser: accept, edit or reject each, one row a screen",
    "apply": "do what people decided about rows, and write the folder",
    "undo": "put originals back in a cleaned folder",
    "forget": "purge rows from a cleaned folder and from what is kept of them here",
    "convert": "write the rows in another shape",
    "dedupe": "find duplicate rows and keep one of each group",
    "decontaminate": "find rows that hold items of benchmarks, and leave them out",
    "select": "select N rows by score and diversity, with random/longest/shortest baselines",
    "train": "fine-tune a reviser on pairs of raw and revised text",
    "pii": "count, mask or drop e-mail addresses, phone numbers, keys, IP addresses and card numbers",
    "mine": "fit a linear rule to experiments, or rank rows by the loss that one predicts",
    "verdicts": "report on people's decisions about revisions, or exchange them with other tools",
    "push": "push a cleaned folder or a reviser to the Hub, with its card, in one commit",
    "pull": "download a cleaned dataset or a reviser from the Hub as a folder",
    "card": "render the card of a folder as a push would",
    "evaluate": "measure a reviser against expert revisions",
    "ab": "fine-tune a small model on several versions of a dataset and compare held-out loss",
    "run": "repeat a run that a recipe or a folder describes",
    "completion": "print a completion script for a shell",
}
EPILOG = """examples:
  hfclean clean alpaca.jsonl --out cleaned        repair, score and write a dataset folder with card and report
  hfclean clean tatsu-lab/alpaca --out cleaned    the same for a dataset of the Hub
  zcat rows.jsonl.gz | hfclean clean - --out cleaned      the same for what comes on the standard input
  hfclean revise cleaned --model qwen3 --base-url http://localhost:8000/v1 --preview 20
                                                  preview a model on 20 rows, with the cost of all
  hfclean revise cleaned --model qwen3 --base-url http://localhost:8000/v1 --out revised
                                                  have a model revise every row; may be stopped and run again
  hfclean why cleaned 12                          what happened to row 12, and why
  hfclean undo cleaned --rule whitespace          undo what one rule did
  hfclean push cleaned me/alpaca-cleaned --dry-run
                                                  what a push to the Hub would write; then the same without --dry-run
  hfclean rules                                   every rule, with an example
  hfclean run recipe.toml                         repeat what --print-recipe wrote of another command line
"""

NEGATIVE = re.compile(r"-[0-9]+([./][0-9]+)?$|-\.[0-9]+$")  # also -1/3


class _Words(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line, and which option may have been meant."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._negative_number_matcher = NEGATIVE  # a value of an option, and no option

    def error(self, message: str) -> NoReturn:
        from hfclean.cli.mistyped import meant_option

        self.exit(2, f"{self.prog}: {message}{meant_option(message, self._option_string_actions)}; see --help\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Names the choice that may have been meant."""
        if action.choices is not None and value not in action.choices:
            from hfclean.cli.mistyped import meant_word

            known = [str(each) for each in action.choices]
            hint = meant_word(str(value), known)
            raise argparse.ArgumentError(
                action, f"invalid choice: {str(value)[:80]!r}{hint}; expected {' or '.join(known)}"
            )

    def parse_known_args(self, *args: Any, **more: Any) -> Any:
        """As the verb's parser would refuse them: it knows its options, and the one above it does not. What may be
        given several times or not at all is also taken from behind the options."""
        space, unknown = super().parse_known_args(*args, **more)
        if unknown and any(word.startswith("-") for word in unknown):
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        if unknown and (several := [each.dest for each in self._get_positional_actions() if each.nargs == "*"]):
            setattr(space, several[-1], [*getattr(space, several[-1]), *unknown])
            unknown = []
        return space, unknown


def module_of(verb: str) -> str:
    """The module of this folder that a command is."""
    return verb.replace("-", "_")


def parser(verbs: Iterable[str] = VERBS, *, overview: bool = False) -> argparse.ArgumentParser:
    """The command line with these verbs; of an `overview`, their names and what they are for alone."""
    top = _Words(
        prog="hfclean",
        description="Make instruction-tuning data better instead of throwing it away. Every original is kept.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="verb", metavar="COMMAND", title="commands")
    for verb in verbs:
        if overview:
            commands.add_parser(verb, help=VERBS[verb])
            continue
        module = import_module(f"hfclean.cli.{module_of(verb)}")
        summary, _, description = (module.__doc__ or "").partition("\n\n")
        command = commands.add_parser(verb, help=VERBS[verb], description=description or summary)
        module.add(command)
        if verb not in ("run", "completion"):
            command.add_argument(
                "--print-recipe",
                action="store_true",
                help="print these options as a recipe in TOML, for hfclean run, and do nothing else",
            )
            command.add_argument(
                "-v", "--verbose", action="store_true", help="say what is done, and where an error came from"
            )
    return top


def _command(verb: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    (commands,) = (each for each in parser([verb])._actions if isinstance(each, argparse._SubParsersAction))
    found: argparse.ArgumentParser = commands.choices[verb]
    return found


def _completion(shell: str) -> int:
    """Print the completion script of a shell; returns the exit code."""
    from hfclean.errors import MissingExtraError, require

    try:
        print(require("shtab", extra="completion").complete(parser(), shell))
    except MissingExtraError as e:
        print(f"hfclean completion: {e}", file=sys.stderr)
        return 1
    return 0


def _of_recipe(args: argparse.Namespace) -> int:
    """Print the recipe of a command line, or run that of a file; returns the exit code."""
    from hfclean.cli.reading import UsageError
    from hfclean.cli.recipes import command_line, recipe_text, shown_line

    try:
        if args.verb != "run":
            print(recipe_text(args, _command(args.verb), args.verb), end="")
            return 0
        words = command_line(args.recipe, args.more, _command, tuple(VERBS))
    except UsageError as e:
        print(f"hfclean {args.verb}: {e}", file=sys.stderr)
        return 2
    if "--print-recipe" not in words:
        print(f"note: hfclean {shown_line(words)}", file=sys.stderr)
    return main(words)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    if argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C shows no traceback before and after a command either
    words = sys.argv[1:] if argv is None else argv
    if renamed := new_spelling(words):
        print(f"hfclean {words[0]}: {renamed}", file=sys.stderr)
        return 2
    if words and words[0] not in VERBS and not words[0].startswith("-"):
        from hfclean.cli.mistyped import meant_word

        print(f"hfclean: no command {words[0]!r}{meant_word(words[0], VERBS)}; see hfclean --help", file=sys.stderr)
        return 2
    is_overview = not words or words[0] not in VERBS
    args = parser(VERBS if is_overview else words[:1], overview=is_overview).parse_args(words)
    if args.version:
        print(f"hfclean {__version__}")
        return 0
    if args.verb is None:
        parser(overview=True).print_help()
        return 2
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that cannot show a character gets its escape, not a crash
            stream.reconfigure(errors="backslashreplace")
    if args.verb == "completion":
        return _completion(args.shell)
    if args.verb == "run" or args.print_recipe:
        return _of_recipe(args)
    from hfclean.cli.running import run

    return run(args, sys.stdout, sys.stderr)
