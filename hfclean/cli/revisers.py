"""The reviser that the options of a model describe, and what it is run for: a preview, or a whole folder."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from hfclean.cli.flags import in_flags
from hfclean.cli.prompt_files import read_text, read_yaml, reviser_criteria
from hfclean.cli.reading import UsageError, given, layout_of, opened, tell
from hfclean.cli.settings import parse_settings, settable
from hfclean.cli.shards import write_rows
from hfclean.layout import Layout
from hfclean.records.common import ABOUT

if TYPE_CHECKING:
    from hfclean.models import ModelTransform, Prices
    from hfclean.reviser.modelled import ModelReviser

T = TypeVar("T")

# fields of a reviser that have their own option, or that no command sets
FLAGS = ("base_url", "api_key_env", "store", "max_cost", "revise", "trust")
GIVEN_ELSEWHERE = {
    *(*FLAGS, "model", "prices", "limits", "columns", "prefix", "turns", "side", "strict"),
    *("trained_on", "retry_unparsed", "tests"),
}
WORDS = ("instructions", "criteria")  # of which settings have a digest; they stand beside them in hfclean.json


def store_of(args: argparse.Namespace) -> str | None:
    """`--store` as a full path, so that it means the same from every folder."""
    return str(Path(args.store).expanduser().resolve()) if args.store else None


def reviser_of(
    args: argparse.Namespace, step: Mapping[str, Any] | None = None, layout: Layout | None = None
) -> ModelTransform:
    """The reviser that the options describe.

    Args:
        args: the options.
        step: an entry of `transforms` in hfclean.json, whose settings hold where the options say nothing.
        layout: how rows are read; by default as the options say.

    Raises:
        UsageError: options that do not go together.
        FolderError: the folder of the model, or the entry, cannot be made a reviser of.
    """
    from hfclean.errors import FolderError, HfcleanError
    from hfclean.models import Limits

    step = step or {}
    kind = _kind(args, step)
    settings = {**_settings_of(step, kind), **stated(args, step), **given(layout or layout_of(args))}
    model = args.model or settings.pop("model", None)
    settings.pop("model", None)
    if not model:
        raise UsageError("--model is missing: with --base-url, the server's name for it; else a folder or a Hub id")
    _check(args, settings)
    if args.limit:
        settings["limits"] = made(Limits, parse_settings("--limit", args.limit, settable(Limits)))
    if args.prices:
        settings["prices"] = prices_of(args.prices, model)
    if kind.code == "reflection" and settings.pop("revise", "pair") == "response":
        settings["sides"] = ("response",)
    folder = Path(model).expanduser()
    try:
        if settings.get("base_url") is None and (folder / ABOUT).is_file():
            loaded: ModelTransform = kind.from_pretrained(folder, **settings)
            return loaded
        if missing := [name for name in WORDS if name in step.get("settings", {}) and name not in settings]:
            raise FolderError(
                f"the folder was revised with a custom prompt, which its hfclean.json does not hold; say it again: "
                f"--{missing[0]} FILE, or the folder of the reviser: --model FOLDER"
            )
        reviser: ModelTransform = kind(model, **settings)
        return reviser
    except FolderError:
        raise
    except HfcleanError as e:
        raise UsageError(e.in_flags or in_flags(str(e), set(vars(args)))) from e


def _kind(args: argparse.Namespace, step: Mapping[str, Any]) -> type[ModelReviser]:
    from hfclean.reviser.coach import Reviser
    from hfclean.reviser.reflection import Reflection

    method = args.method or {"Reflection": "reflection"}.get(str(step.get("by")), "coach")
    return Reflection if method == "reflection" else Reviser


def stated(args: argparse.Namespace, step: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a reviser that the command line states; `step` is an entry of hfclean.json, or empty."""
    hints = settable(_kind(args, step), GIVEN_ELSEWHERE)
    settings = parse_settings("--model-option", args.model_option, hints)
    settings |= {name: value for name in FLAGS if (value := getattr(args, name)) is not None}
    settings |= _words_of(args, step)
    if args.run_tests:
        settings["tests"] = args.run_tests
    if args.store:
        settings["store"] = store_of(args)
    return settings


def _words_of(args: argparse.Namespace, step: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's own prompt, as `--instructions` and `--criteria` say it."""
    reflects = _kind(args, step).code == "reflection"
    if args.instructions and reflects:
        raise UsageError(
            "--instructions with --method reflection: that method asks by criteria; give them with --criteria FILE, "
            "or use --method coach"
        )
    if args.criteria and not reflects:
        raise UsageError(
            "--criteria needs --method reflection, which criticizes by them; the words for --method coach are given "
            "with --instructions FILE"
        )
    words: dict[str, Any] = {}
    if args.instructions:
        words["instructions"] = read_text("--instructions", args.instructions)
    if args.criteria:
        words["criteria"] = reviser_criteria(args.criteria)
    return words


def spelled(name: str, value: str = "...") -> str:
    """How a setting of a reviser is said on the command line."""
    if name in WORDS:
        return f"--{name} FILE"
    flag = name == "model" or name in FLAGS
    return f"--{name.replace('_', '-')} {value}" if flag else f"--model-option {name}={value}"


def _settings_of(step: Mapping[str, Any], kind: type[ModelReviser]) -> dict[str, Any]:
    """The settings of an entry in hfclean.json, as the reviser takes them, with the words of its prompt."""
    from hfclean.errors import FolderError
    from hfclean.scorers.row_tests import RunTests

    settings = dict(step.get("settings", {}))
    code = [name for name in ("checks", "choose", "select") if name in settings and settings[name] != "ifd"]
    code += [name for name in ("scored_by",) if isinstance(settings.get(name), Mapping)]
    if code:
        raise FolderError(
            f"the folder was revised with custom code ({code[0]}=), which the command line cannot name; do it in "
            "Python: hfclean.cleaning.retry_failed(ds, reviser)"
        )
    for name in WORDS:
        settings.pop(name, None)
    if isinstance(settings.get("tests"), Mapping):
        settings["tests"] = RunTests(**settings["tests"])
    if words := step.get("words"):
        settings |= kind.read_own_words(words)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _check(args: argparse.Namespace, given: Mapping[str, Any]) -> None:
    """What does not go together, in the words of the command line."""
    if given.get("api_key_env") and not given.get("base_url"):
        raise UsageError("--api-key-env without --base-url: a key is sent to one named server only")
    if args.max_cost is not None and not args.prices:
        raise UsageError(
            "--max-cost needs prices, which hfclean does not know: --prices input=P,output=P (per million tokens), or "
            "--prices FILE"
        )
    if given.get("candidates", 1) > 1 and given.get("temperature", 0) == 0:
        raise UsageError(
            "--model-option candidates with temperature 0 would be the same revision each time; add --model-option "
            "temperature=0.7"
        )


def made(kind: type[T], settings: Mapping[str, Any]) -> T:
    from hfclean.errors import HfcleanError

    try:
        return kind(**settings)
    except HfcleanError as e:
        raise UsageError(str(e)) from e


def prices_of(text: str, model: str) -> Prices:
    """`--prices`: what is said on the command line, or the line of a file that is for the model."""
    from hfclean.errors import HfcleanError
    from hfclean.models import Prices

    hints = settable(Prices)
    if text.partition("=")[0] not in hints:
        try:
            return Prices.from_table(_table(text), model)
        except HfcleanError as e:
            raise UsageError(str(e)) from e
    settings = parse_settings("--prices", text.split(","), hints)
    if missing := [name for name in ("input", "output") if name not in settings]:
        raise UsageError(
            f"--prices {text}: {missing[0]} is missing; expected input=P,output=P, each per million tokens"
        )
    return made(Prices, settings)


def _table(path: str) -> Mapping[str, Any]:
    prices = read_yaml("--prices", path)
    if not isinstance(prices, Mapping):
        raise UsageError(
            f"--prices {Path(path).name!r} holds no table; expected lines such as MODEL: {{input: 1, output: 4}}"
        )
    return prices


def revised(
    args: argparse.Namespace, out: TextIO, err: TextIO, revisers: tuple[Any, ...], extra: tuple[Any, ...] = ()
) -> None:
    from hfclean.cleaning import strictly

    revisers[-1].check_access()
    if args.preview and args.shard:
        raise UsageError("--preview and --shard: one at a time; a preview is of rows of the whole")
    if args.preview:
        revisers = tuple(map(strictly, revisers)) if args.strict else revisers
        preview(args, out, err, revisers)
    else:
        write_rows(args, out, err, reviser=revisers, extra=extra)


def preview(args: argparse.Namespace, out: TextIO, err: TextIO, revisers: Sequence[Any]) -> None:
    """Show a few rows as they would become, and what the whole would take."""
    from hfclean.cli.render_models import describe_preview
    from hfclean.models import BackendError
    from hfclean.preview import preview as previewed

    with opened(args, err) as (source, _):
        preview = previewed(source.dataset, revisers, rows=args.preview, show=not args.quiet)
    tell(args, out, preview.to_dict, lambda: describe_preview(preview, revisers[-1].spec()))
    if preview.failure:
        out.flush()
        raise BackendError(f"{preview.failure}. Look at the model and at what it says to these rows")
