"""The recipe that the record of a folder amounts to: what was done to its rows, as options of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hfclean.cli.reading import UsageError
from hfclean.cli.revisers import FLAGS, WORDS
from hfclean.errors import RecordError
from hfclean.records.common import ABOUT
from hfclean.records.dataset import About, read_about

RULES, SCORE, MARK = "RuleReviser", "Score", "mark_duplicates"
MODELS = {"Reviser": "coach", "Reflection": "reflection"}
STATED = ("license", "language", "source")
SHARED = ("columns", "prefix", "turns", "side")
BY_HAND = {"restore": "undo", "apply": "apply"}  # what people did to a folder


def recipe_of_folder(path: Path, more: Sequence[str] = ()) -> dict[str, Any]:
    """The recipe of a folder that `hfclean clean`, `revise` or `score` wrote.

    Args:
        path: the folder.
        more: what was typed after it: may name what the record does not hold.

    Raises:
        UsageError: it has no record of a dataset, or one of steps that no command line can name.
    """
    try:
        about = read_about(path)
    except OSError as e:
        raise UsageError(
            f"{path.name!r} is a folder without {ABOUT}: expected a recipe (hfclean COMMAND ... --print-recipe writes "
            "one), or a folder that hfclean wrote"
        ) from e
    except RecordError as e:
        raise UsageError(f"{path.name}/{ABOUT} {e}") from e
    steps = [step for step in about.transforms if isinstance(step.get("by"), str)]
    names = {step["by"] for step in steps}
    if by_hand := [BY_HAND[name] for name in BY_HAND if name in names]:
        raise UsageError(
            f"{path.name} was changed by hfclean {' and '.join(by_hand)} after it was made, which no recipe repeats: "
            "run the recipe of the first command, then those"
        )
    recipe: dict[str, Any] = {"command": _command(names)}
    if not more or more[0].startswith("-"):
        recipe["in"] = _source(path, about)
    for step in steps:
        recipe |= _layout(step.get("settings", {}))
    if columns := about.layout.columns:
        recipe["columns"] = (
            ",".join(f"{k}={v}" for k, v in columns.items()) if isinstance(columns, Mapping) else columns
        )
    if about.layout.prefix:
        recipe["prefix"] = about.layout.prefix
    typed = {word.partition("=")[0] for word in more}
    for step in steps:
        if step["by"] == RULES:
            recipe |= _rules(path, step, typed)
        elif step["by"] in MODELS:
            recipe |= _model(path, step, typed)
        elif step["by"] == "RunTests" and "--run-tests" in typed:
            continue
        elif step["by"] not in (SCORE, MARK) and "--with" not in typed:
            recipe["with"] = [*recipe.get("with", ()), _scorer(path, step)]
    if (path / "removed").is_dir():
        recipe["drop-duplicates"] = True
    stated = {
        "license": about.stated["license"],
        "language": about.stated["language"],
        "source": about.stated["source"],
    }
    return recipe | {key: value for key, value in stated.items() if value}


def _command(names: set[str]) -> str:
    if RULES in names:
        return "clean"
    return "revise" if names & set(MODELS) else "score"


def _source(path: Path, about: About) -> str:
    """What was read, where it is still known: records hold no paths.

    Raises:
        UsageError: it has to be named.
    """
    name, kind = about.source["name"], about.source["kind"]
    if kind == "hub" or Path(name).exists():
        return str(name)
    raise UsageError(
        f"{path.name} was made of {name!r:.80}, which is not in this folder, and {ABOUT} holds no path; name it: "
        f"hfclean run {path} IN --out DIR"
    )


def _layout(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("turns", "side") if isinstance(settings.get(name), str)}


def _rules(path: Path, step: Mapping[str, Any], typed: set[str]) -> dict[str, Any]:
    settings = step.get("settings", {})
    if settings.get("extra") and "--with" not in typed:
        raise UsageError(
            f"{path.name} was cleaned with custom rules ({', '.join(map(str, settings['extra']))[:80]}), which "
            f"{ABOUT} does not hold; name them: --with module:name"
        )
    return {key: settings[key] for key in ("only", "skip", "also") if settings.get(key)}


def _model(path: Path, step: Mapping[str, Any], typed: set[str]) -> dict[str, Any]:
    """The options of a reviser that asked a model.

    Raises:
        UsageError: it had code, or words of its own, that have to be named.
    """
    recipe: dict[str, Any] = {} if step["by"] == "Reviser" else {"method": MODELS[step["by"]]}
    options = []
    own_folder = (Path(str(step.get("settings", {}).get("model", ""))).expanduser() / ABOUT).is_file()
    for name, value in step.get("settings", {}).items():
        if name in WORDS or name == "trained_on":
            if not own_folder and name in WORDS and f"--{name}" not in typed:
                raise UsageError(f"{path.name} was revised with a custom prompt; name its file: --{name} FILE")
        elif name in ("checks", "choose") or (isinstance(value, Mapping) and name == "scored_by"):
            raise UsageError(f"{path.name} was revised with custom code ({name}=), which no command line can name")
        elif name == "tests":  # no file has code run
            if "--run-tests" not in typed:
                raise UsageError(
                    f"{path.name} was revised with the rows' tests, which run code: say --run-tests COLUMN"
                )
        elif name == "sides":
            recipe["revise"] = "response"
        elif name == "model" or name in FLAGS:
            recipe[name.replace("_", "-")] = value
        elif name not in SHARED:
            options.append(f"{name}={_text(value)}")
    return recipe | ({"model-option": options} if options else {})


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    if value is None or isinstance(value, (bool, Mapping)):
        return "none" if value is None else json.dumps(value)
    return str(value)


def _scorer(path: Path, step: Mapping[str, Any]) -> str:
    from hfclean import scorers

    name = step["by"]
    if name not in dir(scorers):
        raise UsageError(
            f"{path.name} was scored with {name!r:.80}, a custom scorer, which {ABOUT} does not hold; name it: --with "
            "module:name"
        )
    if name == "RunTests":  # no file has code run
        raise UsageError(f"{path.name} was scored with the rows' tests, which run code: say --run-tests COLUMN")
    settings = {key: value for key, value in step.get("settings", {}).items() if key not in SHARED}
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"
