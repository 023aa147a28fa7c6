"""The options that say which model, how it answers, how hard it is pushed and what it may cost; and their meaning as
settings of a reviser. Loads nothing heavy: help has to be quick."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfclean.cli.reading import UsageError, columns_of

if TYPE_CHECKING:
    from hfclean.models import Limits, ModelTransform, Prices

__all__ = ["add_model", "add_preview", "reviser_of", "store_of"]

ABOUT = "hfclean.json"
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


# --------------------------------------------------------------------------------------------------------- the options


def add_model(command: argparse.ArgumentParser, *, needed: str = "") -> None:
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


def add_preview(command: argparse.ArgumentParser) -> None:
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


# ------------------------------------------------------------------------------------------------------ what they mean


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
