"""The options that several commands share, in groups. Loads nothing heavy: help has to be quick."""

import argparse
from collections.abc import Collection
from typing import Any

from hfclean.cli.settings import SettingAction
from hfclean.schema import SHAPES

SOURCE_HELP = (
    "a .jsonl, .json, .csv, .tsv or .parquet file, which may be compressed (.gz, .bz2, .xz, .zst, .zip); several of "
    "them or a pattern ('data/*.jsonl'), read one after the other; a folder of files, a save_to_disk folder or a Hub "
    "id; or - for the standard input (JSON lines, JSON, CSV with a header, or parquet: seen from how it begins)"
)
SHAPE_HELP = (
    f"which columns hold what, where their names do not say it: a shape ({', '.join(SHAPES)}) or ROLE=COLUMN pairs, "
    "such as instruction=question,response=answer"
)


class _OneOrMore(argparse.Action):
    """One word as it stands, several as a list."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, values[0] if len(values) == 1 else list(values))


def json_output(command: argparse.ArgumentParser) -> None:
    """`--json`."""
    command.add_argument("--json", action="store_true", help="print JSON instead of text; progress goes to stderr")


def quiet(command: argparse.ArgumentParser) -> None:
    """`--quiet`."""
    command.add_argument("-q", "--quiet", action="store_true", help="no progress bars")


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
        help="prefix for added columns, to avoid clashes with yours (default: as the folder was cleaned)",
    )


def source(command: argparse.ArgumentParser, *, pairs: bool = True, prefixed: bool = True) -> None:
    """What is read: with `pairs`, of every row the turns and the side that are worked on."""
    command.add_argument("source", metavar="IN", nargs="+", action=_OneOrMore, help=SOURCE_HELP)
    command.set_defaults(cleaned=("source",))
    reading(command)
    if pairs:
        command.add_argument(
            "--turns", choices=["last", "all"], default="last", help="which assistant turns of a conversation"
        )
        command.add_argument(
            "--side", choices=["chosen", "rejected", "both"], default="chosen", help="which answers of preference rows"
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


def shard(command: argparse.ArgumentParser) -> None:
    """`--shard`, and `--near` beside it."""
    command.add_argument(
        "--shard",
        type=_shard,
        metavar="K/N",
        help="the K-th of N shards only, such as 3/16: write a part to DIR, from which hfclean merge makes the whole "
        "with the others. Every machine is given the same IN and the same options",
    )
    command.add_argument(
        "--near",
        type=float,
        metavar="T",
        help="with --shard: store also what hfclean dedupe PART... --threshold T needs to find near-duplicates across "
        "all parts, such as 0.7: some 133 bytes a row, hashes and no text",
    )


def processes(command: argparse.ArgumentParser) -> None:
    """`--num-proc`."""
    command.add_argument(
        "--num-proc",
        type=_processes,
        default="auto",
        metavar="N",
        help="work on the rows in N processes (rules, embedded scores, searches; never models); files have the same "
        "bytes for any number (default: HFCLEAN_NUM_PROC, else auto: one for each core from 20,000 rows on)",
    )


def output(command: argparse.ArgumentParser, *, required: bool = True, needed: str = "") -> None:
    command.add_argument("--out", required=required, metavar="DIR", help=f"the folder to write{needed}")
    command.add_argument("--overwrite", action="store_true", help="replace DIR if hfclean wrote it")
    license_and_language(command, " (default: the source's)")
    command.add_argument(
        "--source", dest="source_id", metavar="REPO", help="Hub id of the dataset that the rows come from"
    )
    command.add_argument("--max-tokens", type=int, default=2048, metavar="N", help="report the share of longer rows")
    command.add_argument("--tokenizer", metavar="PATH", help="count tokens with this tokenizer (default: an estimate)")


def license_and_language(command: argparse.ArgumentParser, default: str = "") -> None:
    """`--license` and `--language`: what the card says because the user does."""
    command.add_argument("--license", metavar="ID", help=f"license for the card, e.g. cc-by-nc-4.0{default}")
    command.add_argument("--language", metavar="CODE", action="append", help="language for the card, e.g. en")


def rules(command: argparse.ArgumentParser) -> None:
    choice = command.add_mutually_exclusive_group()
    choice.add_argument(
        "--only", action="append", metavar="RULE", help="run only this rule (may be given several times)"
    )
    choice.add_argument(
        "--skip", action="append", metavar="RULE", help="do not run this rule (may be given several times)"
    )
    command.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="REPAIR",
        help="a repair on request: canonical_arguments writes the JSON of tool arguments in one way, "
        "last_turn_unanswered drops a last turn of the user that nobody answers, thought_unclosed closes a thought "
        "where the answer certainly begins (may be given several times)",
    )
    command.add_argument(
        "--with",
        dest="extra",
        action="append",
        default=[],
        metavar="PKG:NAME",
        help="a custom rule, as module:name (may be given several times)",
    )


def preview(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--preview",
        type=positive,
        metavar="N",
        help="ask for N evenly spread rows only, show what would change and what the whole would take, and write no "
        "folder. The answers are kept: the run that follows does not ask for them again",
    )


def run_tests(command: Any, effect: str) -> None:
    """The column of the rows' own tests; without it no code is run."""
    command.add_argument(
        "--run-tests",
        metavar="COLUMN",
        help=f"run the code of each row with the tests that this column holds, apart from this system, {effect}",
    )


def model(command: argparse.ArgumentParser, *, needed: str = "") -> None:
    """Everything about a model that is asked to revise. `needed` is added to the help of --model."""
    group = command.add_argument_group("the model")
    group.add_argument(
        "--model",
        metavar="M",
        help="with --base-url, the name that the server gives it; without, a folder or a Hub id to run here through "
        "transformers. A folder that a reviser was saved in brings its own prompt and settings" + needed,
    )
    server(group)
    group.add_argument("--method", choices=["coach", "reflection"], help="how the model is asked (default: coach)")
    group.add_argument(
        "--revise",
        choices=["pair", "response", "thought"],
        help="instruction, input and response together, the response only, or it and the thought before it (default: "
        "pair)",
    )
    group.add_argument(
        "--trust",
        choices=["low", "normal", "high"],
        help="how far the model is trusted: low, for small or untried ones, lets only small edits of responses pass "
        "(default: normal)",
    )
    run_tests(
        group, "before and after: code that passed and fails then is not taken, and code that is proved right is"
    )
    group.add_argument(
        "--instructions",
        metavar="FILE",
        help="a text file with your own prompt before each pair, instead of that of hfclean; it has to ask for an "
        "answer in the form of the pair (--method coach)",
    )
    group.add_argument(
        "--criteria",
        metavar="FILE",
        help="a yaml or json file with your own criteria, a list of name, meaning and side: instruction or response "
        "(--method reflection)",
    )
    group.add_argument(
        "--model-option",
        action=SettingAction,
        kinds=_revisers,
        help="how the model is loaded and how it answers, such as temperature=0.7 or max_new_tokens=512 (may be given "
        "several times); --model-option help lists the names",
    )

    spending(command)


def spending(command: argparse.ArgumentParser) -> None:
    """Limits, prices and the file of answers of a model."""
    limits = command.add_argument_group("limits, cost and stored answers")
    limits.add_argument(
        "--concurrency",
        action="append",
        dest="limit",
        default=[],
        type=_concurrency,
        metavar="N",
        help="maximum number of requests in flight (default: 64)",
    )
    limits.add_argument(
        "--limit",
        action=SettingAction,
        kinds=_limits,
        help="rate limits, retries and timeouts, such as requests_per_minute=60 (may be given several times); "
        "--limit help lists the names",
    )
    limits.add_argument(
        "--prices",
        metavar="FILE",
        help="prices per million tokens: input=P,output=P[,currency=CODE], or a yaml or json file with lines "
        "MODEL: {input: P, output: P}",
    )
    limits.add_argument("--max-cost", type=float, metavar="X", help="stop before this run has cost more")
    store(limits)


def server(command: Any) -> None:
    """The server that a model is asked on."""
    command.add_argument(
        "--base-url", metavar="URL", help="an OpenAI-compatible server, for example http://localhost:8000/v1"
    )
    command.add_argument(
        "--api-key-env",
        metavar="NAME",
        help="the environment variable that holds the server's key: its name, never the key (default: no key)",
    )


def rubric(command: Any) -> None:
    """The criteria of a judge."""
    command.add_argument(
        "--criteria",
        metavar="FILE",
        help="a yaml or json file with the rubric that the judge grades by: name, low, high, and dimensions, a list "
        "of name and meaning (default: that of alpagasus, 0 to 5 for accuracy)",
    )


def store(command: Any) -> None:
    command.add_argument(
        "--store",
        metavar="FILE",
        help="file of answers (default: answers.sqlite3 in HFCLEAN_HOME or ~/.cache/hfclean)",
    )


def _revisers() -> list[tuple[type, Collection[str]]]:
    from hfclean.cli.revisers import GIVEN_ELSEWHERE
    from hfclean.reviser.coach import Reviser
    from hfclean.reviser.reflection import Reflection

    return [(Reviser, GIVEN_ELSEWHERE), (Reflection, GIVEN_ELSEWHERE)]


def _limits() -> list[tuple[type, Collection[str]]]:
    from hfclean.models import Limits

    return [(Limits, ())]


def _concurrency(text: str) -> str:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"invalid number of requests: {text!r}")
    return f"concurrency={text}"


def _shard(text: str) -> str:
    from hfclean.records.part import MOST_SHARDS

    number, _, count = text.partition("/")
    if not (
        text.isascii()
        and number.isdecimal()
        and count.isdecimal()
        and len(text) < 30
        and 1 <= int(number) <= int(count)
    ):
        raise argparse.ArgumentTypeError(f"{text!r:.40}; expected K/N, from 1/N to N/N, such as 3/16")
    if int(count) > MOST_SHARDS:
        raise argparse.ArgumentTypeError(f"{text!r}; expected at most {MOST_SHARDS:,} shards")
    return f"{int(number)}/{int(count)}"


def _processes(text: str) -> int | str:
    if text != "auto" and (not text.isdecimal() or int(text) < 1):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number of processes, at least 1, or auto")
    return text if text == "auto" else int(text)


def positive(text: str) -> int:
    """A number of rows."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} rows; expected at least 1")
    return number


def formulas(command: argparse.ArgumentParser) -> None:
    """Add `--escape-formulas`."""
    command.add_argument(
        "--escape-formulas",
        action="store_true",
        help=".csv: put an apostrophe before cells that a spreadsheet would run as formulas",
    )


def share(text: str) -> float | None:
    """The value of an option that is a number, or `none` for leaving out what it is about."""
    try:
        return None if text == "none" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid share: {text!r}; expected a number, or 'none'") from None
