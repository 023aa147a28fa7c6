"""The options that several commands share, in groups. Loads nothing heavy: help has to be quick."""

from __future__ import annotations

import argparse
import json
from typing import Any

SOURCE_HELP = (
    "a .jsonl, .json, .csv, .tsv or .parquet file, which may be compressed (.gz, .bz2, .xz, .zst, .zip); several of "
    "them or a pattern ('data/*.jsonl'), read one after the other; a folder of files, a save_to_disk folder or a Hub "
    "id; or - for the standard input (JSON lines, JSON, CSV with a header, or parquet: seen from how it begins)"
)
SHAPE_HELP = (
    "which columns hold what, where their names do not say it: a shape (alpaca, dolly, prompt_completion, messages, "
    "conversations, conversation, preference) or ROLE=COLUMN pairs, such as instruction=question,response=answer"
)


class _OneOrMore(argparse.Action):
    """One word as it stands, several as a list."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, values[0] if len(values) == 1 else list(values))


def custom(kind: str) -> str:
    return f"a {kind} of your own, as module:name (may be given several times)"


def json_output(command: argparse.ArgumentParser) -> None:
    """`--json`."""
    command.add_argument("--json", action="store_true", help="print JSON instead of text; progress goes to stderr")


def quiet(command: argparse.ArgumentParser) -> None:
    """`--quiet`."""
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def reading(command: argparse.ArgumentParser) -> None:
    command.add_argument("--split", help="one split only (default: all)")
    command.add_argument("--config", metavar="NAME", help="the configuration of a Hub dataset")
    command.add_argument("--columns", metavar="MAP", help=SHAPE_HELP)
    json_output(command)
    quiet(command)


def prefix(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--prefix",
        default="",
        help="put before the names of added columns, if yours has one of them (default: as the folder was cleaned)",
    )


def source(command: argparse.ArgumentParser, *, pairs: bool = True, prefixed: bool = True) -> None:
    """What is read: with `pairs`, of every row the turns and the side that are worked on."""
    command.add_argument("source", metavar="IN", nargs="+", action=_OneOrMore, help=SOURCE_HELP)
    reading(command)
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
    if prefixed:
        prefix(command)


def strict(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first row on which a rule, scorer or check raises an error (default: leave it out on that "
        "row, and count such rows)",
    )


def drop(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--drop-duplicates",
        action="store_true",
        help="drop exact duplicates; they are kept in the folder's 'removed' part (default: only mark them)",
    )


def output(command: argparse.ArgumentParser, *, required: bool = True, needed: str = "") -> None:
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


def rules(command: argparse.ArgumentParser) -> None:
    some = command.add_mutually_exclusive_group()
    some.add_argument(
        "--only", action="append", metavar="RULE", help="run only this rule (may be given several times)"
    )
    some.add_argument(
        "--skip", action="append", metavar="RULE", help="do not run this rule (may be given several times)"
    )
    command.add_argument("--with", dest="extra", action="append", default=[], metavar="PKG:NAME", help=custom("rule"))


def model(command: argparse.ArgumentParser, *, needed: str = "") -> None:
    """Add everything that is said of a model. `needed` is said of --model."""
    model = command.add_argument_group("the model")
    model.add_argument(
        "--model",
        metavar="M",
        help="with --base-url, the name that the server gives it; without, a folder or a Hub id to run here through "
        "transformers. A folder that a reviser was saved in brings its own prompt and settings" + needed,
    )
    model.add_argument(
        "--base-url", metavar="URL", help="an OpenAI-compatible server, for example http://localhost:8000/v1"
    )
    model.add_argument(
        "--api-key-env",
        metavar="NAME",
        help="the environment variable that holds the server's key: its name, never the key (default: no key)",
    )
    model.add_argument("--method", choices=["coach", "reflection"], help="how the model is asked (default: coach)")
    model.add_argument("--revision", metavar="R", help="git ref of a Hub id: a branch, a tag or a commit")
    model.add_argument(
        "--chat-template", metavar="JINJA", help="for a local model without one; 'plain' for a simple one"
    )
    model.add_argument("--device", help="of a local model, such as cuda:1 (default: a GPU if there is one)")
    model.add_argument("--dtype", help="weights of a local model, such as bfloat16")

    answers = command.add_argument_group("the answers")
    answers.add_argument(
        "--revise",
        choices=["pair", "response"],
        help="instruction, input and response together, or the response only (default: pair)",
    )
    answers.add_argument("--max-new-tokens", type=int, metavar="N", help="the longest answer (default: 2048)")
    answers.add_argument(
        "--temperature",
        type=_temperature,
        metavar="T",
        help="0 takes the likeliest token every time; 'server' leaves it to the server (default: 0)",
    )
    answers.add_argument(
        "--top-p", type=float, metavar="P", help="sample from the likeliest tokens of this probability"
    )
    answers.add_argument("--seed", type=int, metavar="N", help="of what is drawn by chance")
    answers.add_argument(
        "--candidates",
        type=int,
        metavar="N",
        help="ask for so many revisions of each row and take the best (default: 1)",
    )
    answers.add_argument(
        "--skip-check",
        action="append",
        metavar="ID",
        help="a check that a revision need not pass, such as too_long (may be given several times)",
    )
    answers.add_argument(
        "--extra-body",
        type=_json_object,
        metavar="JSON",
        help="""further fields for the server's request body, such as '{"reasoning_effort": "low"}'""",
    )

    pace = command.add_argument_group("pace")
    pace.add_argument("--concurrency", type=int, metavar="N", help="most requests in flight (default: 64)")
    pace.add_argument("--requests-per-minute", type=float, metavar="N", help="at most so many (default: no limit)")
    pace.add_argument(
        "--tokens-per-minute", type=float, metavar="N", help="at most so many, read and written (default: no limit)"
    )
    pace.add_argument("--timeout", type=float, metavar="S", help="seconds to wait for one answer (default: 600)")
    pace.add_argument("--retries", type=int, metavar="N", help="after a failure that may pass (default: 5)")
    pace.add_argument(
        "--give-up-after", type=int, metavar="N", help="stop when so many requests in a row failed (default: 8)"
    )
    pace.add_argument("--batch-size", type=int, metavar="N", help="conversations that a local model gets at once")

    money = command.add_argument_group("money and answers kept")
    money.add_argument("--price-input", type=float, metavar="P", help="price of a million tokens read")
    money.add_argument("--price-output", type=float, metavar="P", help="price of a million tokens written")
    money.add_argument("--currency", metavar="CODE", help="of these prices (default: USD)")
    money.add_argument(
        "--prices", metavar="FILE", help="a table of prices instead, yaml or json: MODEL: {input: P, output: P}"
    )
    money.add_argument("--max-cost", type=float, metavar="X", help="stop before this run has cost more")
    money.add_argument("--max-tokens-total", type=int, metavar="N", help="stop before this run has used more tokens")
    money.add_argument(
        "--store",
        metavar="FILE",
        help="file of answers (default: answers.sqlite3 in HFCLEAN_HOME or ~/.cache/hfclean)",
    )
    money.add_argument(
        "--cache-as",
        metavar="NAME",
        help="keep answers under this name instead of server (host, port, path) and model, so that they are found "
        "again when the same model moves to another host or port",
    )


def preview(command: argparse.ArgumentParser) -> None:
    """Add `--preview`."""
    command.add_argument(
        "--preview",
        type=_positive,
        metavar="N",
        help="ask for N evenly spread rows only, show what would change and what the whole would take, and write no "
        "folder. The answers are kept: the run that follows does not ask for them again",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} rows; wanted at least 1")
    return number


def _temperature(text: str) -> float | str:
    if text == "server":
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; wanted a number, or 'server' to leave it to the server") from None


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"not JSON ({e})") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"a JSON {type(found).__name__}; wanted an object")
    return found
