"""Have a model make new rows after the manner of seeds, and write a dataset folder.

Have a model make new rows after the manner of seeds, in their shape: round by round it goes on with a list of tasks;
what repeats a seed, a row or a benchmark is dropped before its answer is paid for. The rows are tested, cleaned, and
written as hfclean clean writes a folder. Every answer is kept before it is used, and every round is written whole:
stopped or killed, the same command goes on.
"""

import argparse
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.flags import in_flags
from hfclean.cli.prompt_files import read_text
from hfclean.cli.reading import UsageError, layout_of, only_split, reader, tell, tokenizer_of
from hfclean.cli.revisers import made, prices_of, store_of
from hfclean.cli.settings import SettingAction, parse_settings, settable

EPILOG = """the careful way:
  hfclean generate SEEDS --model M --base-url URL -n 1000 --prices input=P,output=P --estimate     asks nothing
  hfclean generate SEEDS --model M --base-url URL -n 1000 --preview 20           makes 20 rows, writes nothing
  hfclean generate SEEDS --model M --base-url URL -n 1000 --out DIR              makes the rest, writes DIR
"""
# fields of a generator and of its model that have their own option, or that no command sets
SPEC_ELSEWHERE = ("model", "base_url", "api_key_env", "store", "prices", "max_cost", "limits")
ELSEWHERE = ("spec", "prompts", "filters", "novelty", "shown", "columns")
WORDS = ("tasks", "rows")
NOVELTY = (
    "drop a task from this ROUGE-L on with a seed or another row: 0.7 (Self-Instruct), 0.85 (SeDi-Instruct), 'none' "
    "to drop no task for that"
)


def add(command: argparse.ArgumentParser) -> None:
    command.epilog, command.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    options.source(command, pairs=False, prefixed=False)
    command.add_argument(
        "-n", "--rows", dest="n", type=whole, required=True, metavar="N", help="how many rows to make"
    )
    options.output(command, required=False, needed="; needed unless --preview or --estimate is given")
    options.processes(command)
    command.add_argument(
        "--rounds",
        metavar="DIR",
        help="where rounds are kept, each with what it dropped and why (default: --out with -rounds behind it)",
    )
    command.add_argument("--estimate", action="store_true", help="say what it would take, from the seeds; ask nothing")
    command.add_argument(
        "--preview",
        type=whole,
        metavar="N",
        help="make N rows only, show them and what all would take, and write no folder. The answers are kept: the run "
        "that follows does not ask for them again",
    )
    what_is_made(command, 0.7)
    teacher(command)
    options.spending(command)


def what_is_made(
    command: argparse.ArgumentParser,
    novelty: float,
    novelty_type: Callable[[str], float | None] = options.share,
    novelty_help: str = NOVELTY,
) -> Any:
    """How tasks are asked for, what is dropped, and whose terms bind the rows; gives the group of these options."""
    made_of = command.add_argument_group("what is made, and what is dropped")
    made_of.add_argument(
        "--instructions",
        metavar="FILE",
        help="a text file that says how to write new tasks, instead of the words of hfclean",
    )
    made_of.add_argument(
        "--novelty",
        type=novelty_type,
        default=novelty,
        metavar="S",
        help=f"{novelty_help} (default: {novelty})",
    )
    made_of.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="WHAT",
        help="no row may hold an item of this: a .jsonl, .json or .parquet file of questions, the folder of a "
        "benchmark pack, or its Hub id (may be given several times)",
    )
    made_of.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="FILTER",
        help="do not run this filter (may be given several times); --skip help lists them",
    )
    made_of.add_argument("--seeds-license", metavar="ID", help="the license of the seeds, for the card")
    made_of.add_argument(
        "--teacher-license", metavar="ID", help="the license or the terms of use of the model, for the card"
    )
    return made_of


def teacher(command: argparse.ArgumentParser, elsewhere: Collection[str] = ELSEWHERE) -> None:
    """The model that writes the rows, and the way to it; `elsewhere` are fields of a generator that `--model-option`
    may not set."""
    group = command.add_argument_group("the model")
    group.add_argument(
        "--model",
        required=True,
        metavar="M",
        help="with --base-url, the name that the server gives it; without, a folder or a Hub id to run here through "
        "transformers",
    )
    options.server(group)
    group.add_argument(
        "--model-option",
        action=SettingAction,
        kinds=partial(_kinds, elsewhere),
        help="how the model is loaded, asked and answers, such as temperature=0.7, classify=true or structured=false "
        "(may be given several times); --model-option help lists the names",
    )


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.folder import check_target
    from hfclean.generation import Rounds, save
    from hfclean.generation.generating import run as make

    list_filters(args, out)
    _check(args)
    if not (args.estimate or args.preview):
        check_target(Path(args.out).expanduser(), overwrite=args.overwrite, source=local(args.source))
    with reader(args, err, args.out) as read:
        source = read(args.source)
        generator = replace(generator_from(args), columns=layout_of(args).columns)
        seeds = only_split(source.dataset, "the source of the seeds")
        if args.estimate:
            estimate(args, out, generator, seeds, args.n)
            return
        if args.preview:
            _preview(args, out, generator, seeds)
            return
        note_terms(args, err)
        rounds = Rounds(generator, args.rounds or f"{args.out.rstrip('/')}-rounds", against=args.against)
        make(rounds, seeds, args.n, show=not args.quiet)
        report = save(rounds, args.out, n=args.n, **saving(args, source))
    _tell(args, out, report, rounds)


def _terms(args: argparse.Namespace) -> Any:
    """Whose terms bind the rows, as the options say."""
    from hfclean.generation import Terms

    return Terms(args.seeds_license, args.teacher_license, args.license)


def note_terms(args: argparse.Namespace, err: TextIO) -> None:
    """Say which terms conflict, and which are not stated."""
    terms = _terms(args)
    for sentence in (*terms.conflicts(), *terms.unstated()):
        print(f"note: {sentence}", file=err)


def saving(args: argparse.Namespace, source: Any) -> dict[str, Any]:
    """How the folder of made rows is written, as `hfclean.generation.save` takes it."""
    from hfclean.hub_id import is_hub_id

    return {
        "terms": _terms(args),
        "seeds": args.source_id or source.name,
        "seeds_is_hub": source.kind == "hub" or bool(args.source_id and is_hub_id(args.source_id)),
        "overwrite": args.overwrite,
        "language": args.language,
        "tokenizer": tokenizer_of(args.tokenizer),
        "max_tokens": args.max_tokens,
        "num_proc": args.num_proc,
    }


def list_filters(args: argparse.Namespace, out: TextIO) -> None:
    """What `--skip help` prints; it ends there."""
    if "help" in args.skip:
        from hfclean.generation import FILTERS

        print("\n".join(f"{each.id}  {each.meaning}" for each in FILTERS), file=out)
        raise SystemExit(0)


def _check(args: argparse.Namespace) -> None:
    """What does not go together, in the words of the command line."""
    if args.estimate and args.preview:
        raise UsageError("--estimate and --preview: one at a time")
    if not (args.estimate or args.preview or args.out):
        raise UsageError("--out is missing; or --preview N makes a few rows, and --estimate asks nothing")
    if args.out and args.rounds and lies_inside(args.rounds, args.out):
        raise UsageError(f"--rounds {args.rounds} lies in --out, which is written as a whole; name a folder beside it")
    check_spending(args)


def check_spending(args: argparse.Namespace) -> None:
    """What of keys and money does not go together."""
    if args.api_key_env and not args.base_url:
        raise UsageError("--api-key-env without --base-url: a key is sent to one named server only")
    if args.max_cost is not None and not args.prices:
        raise UsageError(
            "--max-cost needs prices, which hfclean does not know: --prices input=P,output=P (per million tokens), or "
            "--prices FILE"
        )


def lies_inside(rounds: str, out: str) -> bool:
    """Whether the rounds would lie in the folder that is written, or be it."""
    return Path(rounds).expanduser().resolve().is_relative_to(Path(out).expanduser().resolve())


def local(source: Any) -> Path | None:
    """The folder or file that the seeds are read from, where they lie here."""
    path = Path(source).expanduser() if isinstance(source, str) else None
    return path if path is not None and path.exists() else None


def filters_of(args: argparse.Namespace) -> list[Any]:
    """The filters that `--skip` leaves."""
    from hfclean.generation import FILTERS

    known = [each.id for each in FILTERS]
    if unknown := [name for name in args.skip if name not in known]:
        raise UsageError(f"--skip {unknown[0]}: no filter of this name; --skip help lists them")
    return [each for each in FILTERS if each.id not in args.skip]


def spec_settings(
    args: argparse.Namespace, elsewhere: Collection[str] = ELSEWHERE
) -> tuple[dict[str, Any], dict[str, Any]]:
    """How the model is reached and asked, as `generator_of` takes it, and the fields of `Prompts` that are stated.

    Args:
        args: the options.
        elsewhere: fields of a generator that `--model-option` may not set.
    """
    from hfclean.generation import Generator, Prompts
    from hfclean.models import Limits, ModelSpec

    of_prompts = settable(Prompts, WORDS)
    hints = settable(ModelSpec, SPEC_ELSEWHERE) | settable(Generator, elsewhere) | of_prompts
    settings = parse_settings("--model-option", args.model_option, hints)
    asking: dict[str, Any] = {name: settings.pop(name) for name in of_prompts if name in settings}
    for name in ("base_url", "api_key_env", "max_cost"):
        if (value := getattr(args, name)) is not None:
            settings[name] = value
    if args.store:
        settings["store"] = store_of(args)
    if args.limit:
        settings["limits"] = made(Limits, parse_settings("--limit", args.limit, settable(Limits)))
    if args.prices:
        settings["prices"] = prices_of(args.prices, args.model)
    return settings, asking


def generator_from(args: argparse.Namespace, **more: Any) -> Any:
    """The generator that the options describe."""
    from hfclean.errors import HfcleanError
    from hfclean.generation import Prompts, generator_of

    filters = filters_of(args)
    settings, asking = spec_settings(args)
    settings |= more
    if args.instructions:
        asking["tasks"] = read_text("--instructions", args.instructions)
    try:
        return generator_of(args.model, prompt=Prompts(**asking), filters=filters, novelty=args.novelty, **settings)
    except HfcleanError as e:
        raise UsageError(e.in_flags or in_flags(str(e), set(vars(args)))) from e


def estimate(args: argparse.Namespace, out: TextIO, generator: Any, seeds: Any, rows: int) -> None:
    """Say what this number of rows would take of the model."""
    from hfclean.cli.render_models import describe_generation_estimate
    from hfclean.generation import estimate_generation
    from hfclean.plain_values import to_plain

    found = estimate_generation(generator, seeds, rows, tokenizer=tokenizer_of(args.tokenizer))
    counts = {"rows": rows, "seeds": len(seeds)}
    figures = to_plain(found)
    tell(args, out, lambda: counts | figures, lambda: describe_generation_estimate(found, generator.spec, **counts))


def _preview(args: argparse.Namespace, out: TextIO, generator: Any, seeds: Any) -> None:
    from hfclean.cli.render_models import describe_generation_preview
    from hfclean.generation import preview_generation

    found = preview_generation(generator, seeds, args.preview, args.n, against=args.against, show=not args.quiet)
    tell(args, out, found.to_dict, lambda: describe_generation_preview(found, generator))


def _tell(args: argparse.Namespace, out: TextIO, report: Any, rounds: Any) -> None:
    from hfclean.cli.terminal import columns_wide

    text = f"\n\nwrote {args.out}; what was dropped, and why: {rounds.folder}"
    data = {"out": args.out, "rounds": str(rounds.folder), "ledger": rounds.ledger()}
    tell(
        args,
        out,
        lambda: data | {"report": report.to_dict(edits=False)},
        lambda: f"{report.summary(columns_wide())}{text}",
    )


def whole(text: str) -> int:
    """A number of rows or rounds."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number, at least 1")
    return int(text)


def _kinds(elsewhere: Collection[str]) -> list[tuple[type, tuple[str, ...]]]:
    from hfclean.generation import Generator, Prompts
    from hfclean.models import ModelSpec

    return [(ModelSpec, SPEC_ELSEWHERE), (Generator, tuple(elsewhere)), (Prompts, WORDS)]
