"""Options NAME=VALUE that set the fields of a dataclass: read by their types, explained by its docstring. A field that
is added to the class needs no line here."""

import argparse
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hfclean.cli.reading import UsageError

FORMS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", NoneType: "none"}
FLAGS = {"true": True, "false": False}


# dataclasses whose fields can be set, each without some of them; asked for late, since to import them takes time
_Kinds = Callable[[], Sequence[tuple[type, Collection[str]]]]


class SettingAction(argparse.Action):
    """Collects NAME=VALUE; the word `help` lists what can be set."""

    def __init__(self, option_strings: Sequence[str], dest: str, kinds: _Kinds, help: str) -> None:
        super().__init__(option_strings, dest, default=[], metavar="NAME=VALUE", help=help)
        self.kinds = kinds

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        if values == "help":
            print(_listing(self.kinds()))
            parser.exit()
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), values])


def settable(kind: type, without: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a dataclass that a word can set, with their types."""
    hints = get_type_hints(kind)
    return {
        each.name: hints[each.name] for each in fields(kind) if each.name not in without and _forms(hints[each.name])
    }


def parse_settings(option: str, words: Sequence[str], hints: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that words such as `seed=3` stand for; the last one of a name counts.

    Raises:
        UsageError: a word without `=`, a name that is unknown, or a value of another type.
    """
    settings = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f"{option}: expected NAME=VALUE; {option} help lists the names")
        if name not in hints:
            near = get_close_matches(name, hints, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; {option} help lists the names"
            raise UsageError(f"{option} {name}: unknown name{hint}")
        settings[name] = _value(f"{option} {name}", hints[name], text)
    return settings


def training_settings(args: argparse.Namespace, hints: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `--epochs` and `--train-option` say: settings of these names, and fields of trl's SFTConfig."""
    words = args.train_option
    settings = parse_settings("--train-option", [word for word in words if word.partition("=")[0] in hints], hints)
    config: dict[str, Any] = {} if args.epochs is None else {"num_train_epochs": args.epochs}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f"--train-option {word!r}: expected NAME=VALUE, such as save_steps=100")
        if name not in hints:
            try:
                config[name] = json.loads(text)
            except ValueError:
                config[name] = text
    return settings, config


def meanings(kind: type) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each field, in the lines below `Args:`."""
    types: dict[str, str] = {}
    for each in inspect.getmro(kind):
        _, _, args = inspect.cleandoc(each.__doc__ or "").partition("\nArgs:\n")
        for name, text in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", args, re.MULTILINE):
            types.setdefault(name, " ".join(text.split()))
    return types


def _forms(hint: Any) -> list[str]:
    """What a value of a type looks like as a word, in the order in which a word is tried; empty for one that no word
    can stand for."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return [form for each in get_args(hint) for form in _forms(each)]
    if origin is Literal:
        return [repr(each) for each in get_args(hint) if isinstance(each, str)]
    if origin is tuple:
        return ["NAME,NAME,..."] if get_args(hint)[0] is str or get_origin(get_args(hint)[0]) is Literal else []
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return ["a JSON object"]
    return [FORMS[hint]] if hint in FORMS else []


def _value(setting: str, hint: Any, text: str) -> Any:
    forms = _forms(hint)
    if text == "none" and "none" in forms:
        return None
    for form in forms:
        try:
            if form == "a whole number":
                return int(text)
            if form == "a number":
                return float(text)
            if form == "true or false":
                return FLAGS[text]
            if form == "a JSON object" and isinstance(value := json.loads(text), dict):
                return value
        except (ValueError, KeyError):
            continue
        if form == "text" or form == repr(text):
            return text
        if form == "NAME,NAME,...":
            return tuple(text.split(","))
    raise UsageError(f"{setting}: expected {' or '.join(forms)}")


def _listing(kinds: Sequence[tuple[type, Collection[str]]]) -> str:
    """Every name that can be set, what its value looks like, and what it means."""
    lines: dict[str, None] = {}
    for kind, without in kinds:
        explained = meanings(kind)
        for name, hint in settable(kind, without).items():
            text = textwrap.fill(explained[name], 100, initial_indent="    ", subsequent_indent="    ")
            lines[f"{name}={' | '.join(_forms(hint))}\n{text}"] = None
    return "\n".join(lines)
