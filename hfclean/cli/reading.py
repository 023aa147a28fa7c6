"""What every subcommand needs: where data is unpacked, how options are read, how JSON is printed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hfclean.durable import scratch_folder
from hfclean.errors import RecordError, SourceError
from hfclean.layout import Layout
from hfclean.records.common import read_record
from hfclean.records.dataset import read_layout

if TYPE_CHECKING:
    from hfclean.source import Source


class UsageError(Exception):
    """The words of the command line are off: exit code 2."""


@contextmanager
def unpacked(args: argparse.Namespace, near: str | None = None) -> Iterator[Path]:
    """A folder for what `datasets` unpacks, gone afterwards; near the output, whose disk has to hold the data
    anyway. What killed processes left there goes as well."""
    from datasets.utils.logging import disable_progress_bar
    from huggingface_hub.utils.tqdm import disable_progress_bars

    from hfclean.outside_names import has_text_path

    if getattr(args, "quiet", args.verb == "why"):
        disable_progress_bar()
        disable_progress_bars()  # of the Hub, and of transformers, which looks here when it is loaded
        if "transformers" in sys.modules:
            sys.modules["transformers"].utils.logging.disable_progress_bar()
    _quiet_loaders()
    parent = Path(near).expanduser().resolve().parent if near else None
    if parent is not None and not has_text_path(parent):
        parent = None  # what datasets unpacks needs a path that is text
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder("data", parent) as folder:
        yield folder


def _quiet_loaders() -> None:
    """Our errors say what failed: the loaders' own log lines would only repeat it, less well."""
    from datasets.utils.logging import CRITICAL, set_verbosity

    set_verbosity(CRITICAL)


def as_cleaned(args: argparse.Namespace, err: TextIO) -> None:
    """Read a folder that hfclean wrote as it was read when it was written: with the `--columns` and the `--prefix` of
    its hfclean.json, where the command has these options and they were not given. Of several folders the last that
    says so counts; which arguments may be one says the `cleaned` of a command."""
    values = [vars(args)[name] for name in vars(args).get("cleaned", ())]
    where = [folder for value in values for folder in ([value] if isinstance(value, str) else value)]
    for name in ("columns", "prefix"):
        if getattr(args, name, "not offered"):
            continue
        for folder in reversed(where):
            if said := _recorded(folder).get(name):
                setattr(args, name, said)
                shown = ",".join(f"{k}={v}" for k, v in said.items()) if isinstance(said, dict) else said
                print(f"note: --{name} {shown}, as {Path(folder).name} was cleaned with it", file=err)
                break


def _recorded(folder: str) -> dict[str, Any]:
    """What hfclean.json of a folder holds; nothing where there is none that can be read."""
    try:
        layout = read_layout(read_record(Path(folder).expanduser()))
    except (OSError, RecordError):  # whoever needs what it says reads it again and names what is wrong
        return {}
    return {"columns": layout.columns, "prefix": layout.prefix}


def layout_of(args: argparse.Namespace) -> Layout:
    """How rows are read, as `--columns`, `--prefix`, `--turns` and `--side` say, of those that a command has."""
    said = {name: value for name in ("columns", "prefix", "turns", "side") if (value := vars(args).get(name))}
    text = said.get("columns")
    if isinstance(text, str) and "=" in text:
        pairs = [part.partition("=") for part in text.split(",")]
        if not all(role.strip() and column.strip() for role, _, column in pairs):
            raise UsageError(
                f"--columns {text!r}: expected ROLE=COLUMN pairs, such as instruction=question,response=answer"
            )
        said["columns"] = {role.strip(): column.strip() for role, _, column in pairs}
    return Layout(**said)


def given(layout: Layout) -> dict[str, Any]:
    """The settings of a layout that differ from their defaults: elsewhere, what was declared or recorded stands."""
    return {each.name: value for each in fields(layout) if (value := getattr(layout, each.name)) != each.default}


@contextmanager
def reader(args: argparse.Namespace, err: TextIO, near: str | None = None) -> Iterator[Callable[..., Source]]:
    """Reads the datasets of a command and prints what had to be changed to read them. What is unpacked is deleted."""
    from hfclean.source import load

    with unpacked(args, near) as cache:

        def read(where: str | list[str], **how: Any) -> Source:
            said = {name: vars(args).get(name) for name in ("split", "config")}
            source = load(where, **{"columns": layout_of(args).columns, **said, **how}, cache_dir=cache)
            for note in source.notes:
                print(f"note: {note}", file=err)
            return source

        yield read


@contextmanager
def opened(args: argparse.Namespace, err: TextIO, near: str | None = None) -> Iterator[tuple[Source, Layout]]:
    """The dataset that a command is about, and how its rows are read."""
    with reader(args, err, near) as read:
        yield read(args.source), layout_of(args)


def tokenizer_of(path: str | None) -> Any:
    """`--tokenizer`; None where it was not given."""
    if path is None:
        return None
    from hfclean.errors import require

    transformers = require("transformers", extra="models")
    try:
        return transformers.AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as e:
        raise SourceError(f"the tokenizer {path!r} cannot be loaded: {str(e).splitlines()[0]}") from e


def emit(data: Any, out: TextIO) -> None:
    """Print JSON."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    print(
        text.encode("utf-8", "backslashreplace").decode("utf-8"), file=out
    )  # a lone surrogate becomes its JSON escape


def tell(args: argparse.Namespace, out: TextIO, data: Callable[[], Any], text: Callable[[], object]) -> None:
    """Print what a command found: as JSON with `--json`, else as text."""
    if args.json:
        emit(data(), out)
    else:
        print(text(), file=out)


def load_named(spec: str, kind: type, what: str) -> Any:
    """The object at a dotted path `package.module:name`."""
    module, _, name = spec.partition(":")
    if not name:
        raise UsageError(f"--with {spec!r}: expected module:name, such as my_rules:shouting")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as e:
        raise UsageError(f"--with {spec!r} cannot be loaded: {e}") from e
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(found, kind):
        raise UsageError(
            f"--with {spec!r} is of type {type(found).__name__}, not a {what}; declare it with @hfclean.{what}"
        )
    return found


def only_split(splits: Any, name: str) -> Any:
    """The only split, or `train`, or `test`."""
    if len(splits) == 1:
        return next(iter(splits.values()))
    raise UsageError(f"{name} has the splits {', '.join(splits)}; name one: --split NAME")
