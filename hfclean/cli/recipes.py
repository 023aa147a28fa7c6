"""Recipes: what a command line says, as TOML, and back. Keys are the long names of options, so there is no second
language to learn; values are read by the command's own parser."""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from hfclean.cli.mistyped import meant_word
from hfclean.cli.prompt_files import read_text
from hfclean.cli.reading import UsageError

COMMAND = "command"
UNSAID = ("help", "print_recipe", "verbose")
# what publishes, deletes or rewrites in place: nobody's file says that
TYPED = ("push", "forget", "undo", "cache", "run", "completion")
# what decides where rows and keys go, whose code runs, and what is replaced; options of a trainer can publish, and
# checkpoints hold more than numbers
GUARDED = (
    *("base-url", "api-key-env", "origin", "with", "run-tests", "overwrite", "in-place", "train-option", "resume"),
    *("space", "space-token-env", "reviewer", "owner", "requirement", "public-rows"),
)
PATHS = ("out", "store", "verdicts", "report", "html", "instructions", "criteria")
ParserOf = Callable[[str], argparse.ArgumentParser]
PAID = "extra_body"  # a model option that says what a server does


def recipe_text(args: argparse.Namespace, command: argparse.ArgumentParser, verb: str) -> str:
    """The recipe of a parsed command line: what differs from the defaults, positional arguments first.

    Raises:
        UsageError: a word that is not Unicode, which TOML cannot hold.
    """
    lines = [f"{COMMAND} = {_toml(verb)}"]
    known = _keys(command)
    for key, action in known.items():
        namesake = known.get(action.dest)
        if namesake is not None and namesake is not action and namesake.dest == action.dest:
            continue  # two options with one meaning: --concurrency 5 is --limit concurrency=5
        value = getattr(args, action.dest)
        if value == action.default and type(value) is type(action.default):
            continue
        if value is None:
            value = "none"
        lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def command_line(name: str, more: Sequence[str], parser_of: ParserOf, verbs: Sequence[str]) -> list[str]:
    """The words that a recipe stands for, with those that were typed after it in place of its own.

    Args:
        name: a TOML file, or a folder that hfclean wrote.
        more: what was typed: options of the recipe's command, and what its positional arguments are.
        parser_of: gives the parser of a command.
        verbs: the commands that there are.

    Raises:
        UsageError: it cannot be read, has an unknown key or a value of the wrong kind, or says what only the user
            may say.
    """
    path = Path(name).expanduser()
    if not path.is_dir():
        return words_of(name, _read(name, verbs), more, parser_of, strange=True)
    from hfclean.cli.recorded import recipe_of_folder
    from hfclean.ownership import is_own

    return words_of(name, recipe_of_folder(path, more), more, parser_of, strange=not is_own(path))


def words_of(
    name: str, recipe: Mapping[str, Any], more: Sequence[str], parser_of: ParserOf, *, strange: bool
) -> list[str]:
    """The same for what was read; `strange` is what may come from somebody else."""
    verb = recipe[COMMAND]
    command = parser_of(verb)
    typed, known = _typed(command, more), _keys(command)
    for key in recipe:
        if key not in known and key != COMMAND:
            raise UsageError(
                f"{name}: {verb} has no option {key[:80]!r}{meant_word(key, known)}; see hfclean {verb} --help"
            )
    left = {key: value for key, value in recipe.items() if key != COMMAND and known[key].dest not in typed}
    words = {key: _words(known[key], key, value, name) for key, value in left.items()}
    if strange and (guarded := [key for key, value in left.items() if _is_guarded(key, value)]):
        again = shown_line(word for key in guarded for word in words[key])
        raise UsageError(
            f"{name} may come from somebody else, and only you say where rows go, whose code runs, and what is "
            f"replaced or lies outside of this folder. If you agree, say it again: hfclean run {name} {again}"
        )
    options = [word for key in left if known[key].option_strings for word in words[key]]
    positional = [word for key in left if not known[key].option_strings for word in words[key]]
    if positional and more and not more[0].startswith("-"):
        raise UsageError(
            f"{name} names {positional[0]!r:.80} already, so {more[0]!r:.80} is too much; expected options after it"
        )
    return [verb, *options, *more, *(["--", *positional] if positional else [])]


def _read(name: str, verbs: Sequence[str]) -> dict[str, Any]:
    text = read_text("the recipe", name)
    try:
        recipe = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as e:
        raise UsageError(f"{name} is not a recipe in TOML: {e}"[:300]) from e
    verb = recipe.get(COMMAND)
    if not isinstance(verb, str):
        raise UsageError(
            f"{name} names no command, such as command = {'clean'!r}; hfclean COMMAND ... --print-recipe writes a "
            "recipe"
        )
    if verb in TYPED:
        raise UsageError(
            f"{name}: a recipe does not say {verb!r}, which publishes, deletes or replaces what is there; type it: "
            f"hfclean {verb} --help"
        )
    if verb not in verbs:
        raise UsageError(f"{name}: no command {verb[:80]!r}{meant_word(verb, verbs)}; see hfclean --help")
    return recipe


def _keys(command: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The arguments of a command by their names in a recipe, positional ones first."""
    found = {_key(action): action for action in command._actions if action.dest not in UNSAID}
    return dict(sorted(found.items(), key=lambda item: bool(item[1].option_strings)))


def _key(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest).lower()
    return next(word for word in action.option_strings if word.startswith("--"))[2:]


def _typed(command: argparse.ArgumentParser, more: Sequence[str]) -> set[str]:
    """The destinations of what was typed."""
    names = command._option_string_actions
    typed = set()
    for word in more:
        if word == "--":
            break
        name = word.partition("=")[0]
        matches = [name] if name in names else [each for each in names if name[:2] == "--" and each.startswith(name)]
        typed |= {names[each].dest for each in matches}
    return typed


def _is_guarded(key: str, value: Any) -> bool:
    """Whether a file from elsewhere may not say this."""
    if key in GUARDED:
        return value is not False
    values = value if isinstance(value, list) else [value]
    if key == "model-option":
        return any(str(each).startswith(PAID) for each in values)
    return key in PATHS and any(_is_outside(str(each)) for each in values)


def _is_outside(name: str) -> bool:
    here = Path.cwd().resolve()
    try:
        place = Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        return True
    return here not in place.parents


def _words(action: argparse.Action, key: str, value: Any, name: str) -> list[str]:
    """A value as the words of a command line.

    Raises:
        UsageError: a value of another kind than the option takes.
    """
    where = f"{name}: {key}"
    if isinstance(action, argparse.BooleanOptionalAction):
        if not isinstance(value, bool):
            raise UsageError(f"{where} is true or false, not {_kind(value)}")
        return [f"--{key}" if value else f"--no-{key}"]
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{where} is true or false, not {_kind(value)}")
        return [f"--{key}"] if value else []
    values = value if isinstance(value, list) else [value]
    several = action.nargs in ("+", "*") or isinstance(action, argparse._AppendAction) or action.default == []
    if isinstance(value, list) and not (several and value):
        raise UsageError(f"{where} is one value, not a list" if value else f"{where} is an empty list; leave it out")
    for each in values:
        if isinstance(each, bool) or not isinstance(each, (str, int, float)):
            raise UsageError(f"{where} is text or a number{' or a list of them' * several}, not {_kind(each)}")
    texts = [_word(each) for each in values]
    return [f"--{key}={text}" for text in texts] if action.option_strings else texts


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", dict: "a table", list: "a list", str: "text", int: "a number", float: "a number"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def _word(value: str | int | float) -> str:
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    text = f"{Decimal(repr(value)):f}"  # some options tell shares from numbers by the point
    return text if "." in text else f"{text}.0"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise UsageError(
                f"{os.fsencode(value)!r} is not Unicode, and TOML holds nothing else; rename it"
            ) from None
        return text
    if isinstance(value, float) and math.isfinite(value):
        return _word(value)
    return str(value)


def shown_line(words: Iterable[str]) -> str:
    """A command line as it can be pasted into a shell, control characters as escapes."""
    from hfclean.cli.terminal import visible

    return visible(shlex.join(words), 2000)
