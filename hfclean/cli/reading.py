"""What every subcommand needs: where data is unpacked, how options are read, how JSON is printed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from hfclean.durable import scratch_folder
from hfclean.errors import RecordError, SourceError
from hfclean.records.common import read_record
from hfclean.records.dataset import reading_of


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


def as_cleaned(args: argparse.Namespace, err: TextIO, *where: str) -> None:
    """Read a folder that hfclean wrote as it was read when it was written: with the `--columns` and the `--prefix` of
    its hfclean.json, where the command has these options and they were not given. Of several folders the last that
    says so counts."""
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
        columns, prefix = reading_of(read_record(Path(folder).expanduser()))
    except (OSError, RecordError):  # whoever needs what it says reads it again and names what is wrong
        return {}
    return {"columns": columns, "prefix": prefix}


def columns_of(text: Any) -> Any:
    """`--columns`: a shape's name, or a mapping."""
    if not isinstance(text, str) or "=" not in text:
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    bad = [role for role, _, column in pairs if not role.strip() or not column.strip()]
    if bad:
        raise UsageError(f"--columns {text!r}: wanted ROLE=COLUMN pairs, such as instruction=question,response=answer")
    return {role.strip(): column.strip() for role, _, column in pairs}


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


def notes(source: Any, err: TextIO) -> None:
    """Print what had to be changed to read a dataset."""
    for note in source.notes:
        print(f"note: {note}", file=err)


def load_named(spec: str, kind: type, what: str) -> Any:
    """The object at a dotted path `package.module:name`."""
    module, _, name = spec.partition(":")
    if not name:
        raise UsageError(f"--with {spec!r}: wanted module:name, such as my_rules:shouting")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as e:
        raise UsageError(f"--with {spec!r} cannot be loaded: {e}") from e
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(found, kind):
        raise UsageError(f"--with {spec!r} is {type(found).__name__}, no {what}; declare it with @hfclean.{what}")
    return found


def only_split(splits: Any, name: str) -> Any:
    """The only split, or `train`, or `test`."""
    if len(splits) == 1:
        return next(iter(splits.values()))
    raise UsageError(f"{name} has the splits {', '.join(splits)}; name one: --split NAME")
