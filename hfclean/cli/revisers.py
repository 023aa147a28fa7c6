"""The reviser that the options of a model describe, and what it is run for: a preview, or a whole folder."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hfclean.cli.reading import UsageError, columns_of, emit, notes, unpacked
from hfclean.cli.writing import write_cleaned
from hfclean.records.common import ABOUT

if TYPE_CHECKING:
    from hfclean.models import Limits, ModelTransform, Prices

# option -> field of the reviser, where the names differ
FIELDS = {"skip_check": "skip_checks"}
SETTINGS = (
    "base_url",
    "api_key_env",
    "revision",
    "chat_template",
    "device",
    "dtype",
    "cache_as",
    "store",
    "max_cost",
    "max_tokens_total",
    "max_new_tokens",
    "temperature",
    "top_p",
    "seed",
    "extra_body",
    "candidates",
    "revise",
    "skip_check",
)
WORDS = ("instructions", "criteria")  # of which hfclean.json holds a digest only
LIMITS = {
    "concurrency": "concurrency",
    "requests_per_minute": "requests_per_minute",
    "tokens_per_minute": "tokens_per_minute",
    "timeout": "timeout_s",
    "retries": "retries",
    "give_up_after": "give_up_after",
    "batch_size": "batch_size",
}


def store_of(args: argparse.Namespace) -> str | None:
    """`--store` as a full path, so that it means the same from every folder."""
    return str(Path(args.store).expanduser().resolve()) if args.store else None


def reviser_of(args: argparse.Namespace, told: Mapping[str, Any] | None = None) -> ModelTransform:
    """The reviser that the options describe.

    Args:
        args: the options.
        told: an entry of `transforms` in hfclean.json, whose settings hold where the options say nothing.

    Raises:
        UsageError: options that do not go together.
        FolderError: the folder of the model, or the entry, cannot be made a reviser of.
    """
    from hfclean.errors import FolderError, HfcleanError

    told = told or {}
    given = {**_settings_of(told), **_given(args)}
    model = args.model or given.pop("model", None)
    given.pop("model", None)
    if not model:
        raise UsageError("--model is missing: with --base-url, the server's name for it; else a folder or a Hub id")
    _check(args, given)
    if limits := _limits(args):
        given["limits"] = limits
    if prices := _prices(args, model):
        given["prices"] = prices
    method = args.method or {"Reflection": "reflection"}.get(str(told.get("by")), "coach")
    kind = _kind(method)
    if method == "reflection" and given.pop("revise", "pair") == "response":
        given["sides"] = ("response",)
    folder = Path(model).expanduser()
    try:
        if given.get("base_url") is None and (folder / ABOUT).is_file():
            found: ModelTransform = kind.from_pretrained(folder, **given)
            return found
        if any(name in told.get("settings", {}) for name in WORDS):
            raise FolderError(
                "the folder was revised with a prompt of its own, which hfclean.json does not hold; name the folder "
                "of the reviser: --model FOLDER"
            )
        made: ModelTransform = kind(model, **given)
        return made
    except FolderError:
        raise
    except HfcleanError as e:
        raise UsageError(str(e)) from e


def _kind(method: str) -> Any:
    if method == "coach":
        from hfclean.reviser.coach import Reviser

        return Reviser
    from importlib import import_module

    return import_module("hfclean.reviser.reflection").Reflection


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command line states."""
    found = {FIELDS.get(name, name): value for name in SETTINGS if (value := getattr(args, name)) is not None}
    if "skip_checks" in found:
        found["skip_checks"] = tuple(found["skip_checks"])
    if found.get("temperature") == "server":
        found["temperature"] = None
    if "store" in found:
        found["store"] = store_of(args)
    columns = {"columns": columns_of(getattr(args, "columns", None)), "prefix": getattr(args, "prefix", "")}
    shape = {"turns": getattr(args, "turns", "last"), "side": getattr(args, "side", "chosen")}
    return {**found, **{k: v for k, v in {**columns, **shape}.items() if v not in (None, "", "last", "chosen")}}


def _settings_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an entry in hfclean.json, as the reviser takes them."""
    from hfclean.errors import FolderError

    settings = dict(told.get("settings", {}))
    own = [name for name in ("checks", "choose", "select") if name in settings and settings[name] != "ifd"]
    own += [name for name in ("scored_by",) if isinstance(settings.get(name), Mapping)]
    if own:
        raise FolderError(
            f"the folder was revised with code of your own ({own[0]}=), which the command line cannot name; do it in "
            "Python: hfclean.cleaning.retry_failed(ds, reviser)"
        )
    for name in WORDS:
        settings.pop(name, None)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _check(args: argparse.Namespace, given: Mapping[str, Any]) -> None:
    """What does not go together, in the words of the command line."""
    if given.get("api_key_env") and not given.get("base_url"):
        raise UsageError("--api-key-env without --base-url: a key is sent to one named server only")
    if (args.price_input is None) != (args.price_output is None):
        raise UsageError("--price-input and --price-output go together, each per million tokens")
    if args.prices and args.price_input is not None:
        raise UsageError("--prices FILE beside --price-input; give one of them")
    if args.max_cost is not None and args.price_input is None and not args.prices:
        raise UsageError(
            "--max-cost needs prices, which hfclean does not know: --price-input P --price-output P (per million "
            "tokens), or --prices FILE"
        )
    if given.get("candidates", 1) > 1 and given.get("temperature", 0) == 0:
        raise UsageError("--candidates with temperature 0 would be the same revision each time; add --temperature 0.7")


def _limits(args: argparse.Namespace) -> Limits | None:
    from hfclean.errors import HfcleanError
    from hfclean.models import Limits

    given = {name: value for option, name in LIMITS.items() if (value := getattr(args, option)) is not None}
    if not given:
        return None
    try:
        return Limits(**given)
    except HfcleanError as e:
        raise UsageError(str(e)) from e


def _prices(args: argparse.Namespace, model: str) -> Prices | None:
    from hfclean.errors import HfcleanError
    from hfclean.models import Prices

    try:
        if args.price_input is not None:
            return Prices(args.price_input, args.price_output, args.currency or "USD")
        if args.prices:
            return Prices.from_table(_table(Path(args.prices).expanduser()), model)
    except HfcleanError as e:
        raise UsageError(str(e)) from e
    return None


def _table(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML
    except OSError as e:
        raise UsageError(f"--prices {path.name!r} cannot be read: {e.strerror or e}") from e
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise UsageError(f"--prices {path.name!r} is neither yaml nor json: {str(e).splitlines()[0]}") from e
    if not isinstance(found, Mapping):
        raise UsageError(f"--prices {path.name!r} holds no table; wanted lines such as MODEL: {{input: 1, output: 4}}")
    return found


def revised(
    args: argparse.Namespace, out: TextIO, err: TextIO, revisers: tuple[Any, ...], extra: tuple[Any, ...] = ()
) -> None:
    from hfclean.cleaning import strictly

    revisers[-1].check_access()
    if args.preview:
        revisers = tuple(map(strictly, revisers)) if args.strict else revisers
        preview(args, out, err, revisers)
    else:
        write_cleaned(args, out, err, reviser=revisers, extra=extra)


def preview(args: argparse.Namespace, out: TextIO, err: TextIO, revisers: Sequence[Any]) -> None:
    """Show a few rows as they would become, and what the whole would take."""
    from hfclean.cli.render_models import describe_preview
    from hfclean.preview import preview as previewed
    from hfclean.source import load

    with unpacked(args) as cache_dir:
        source = load(
            args.source, split=args.split, config=args.config, columns=columns_of(args.columns), cache_dir=cache_dir
        )
        notes(source, err)
        found = previewed(source.dataset, revisers, rows=args.preview, show=not args.quiet)
    if args.json:
        emit(found.to_dict(), out)
    else:
        print(describe_preview(found, revisers[-1].spec()), file=out)
