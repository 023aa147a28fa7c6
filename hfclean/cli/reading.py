"""What every subcommand needs: where data is unpacked, how options are read, how JSON is printed."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from hfclean.durable import scratch_folder
from hfclean.errors import RecoveryWarning, SourceError

__all__ = ["UsageError", "columns_of", "emit", "notes", "notes_on", "tokenizer_of", "unpacked"]


class UsageError(Exception):
    """The words of the command line are off: exit code 2."""


@contextmanager
def unpacked(args: argparse.Namespace, near: str | None = None) -> Iterator[Path]:
    """A folder for what `datasets` unpacks, gone afterwards; near the output, whose disk has to hold the data
    anyway. What killed processes left there goes as well."""
    from datasets.utils.logging import disable_progress_bar
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if getattr(args, "quiet", args.verb == "why"):
        disable_progress_bar()
        disable_progress_bars()  # of the Hub, and of transformers, which looks here when it is loaded
        if "transformers" in sys.modules:
            sys.modules["transformers"].utils.logging.disable_progress_bar()
    _quiet_loaders()
    parent = Path(near).expanduser().resolve().parent if near else None
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder("data", parent) as folder:
        yield folder


def _quiet_loaders() -> None:
    """Our errors say what failed: the loaders' own log lines would only repeat it, less well."""
    from datasets.utils.logging import CRITICAL, set_verbosity

    set_verbosity(CRITICAL)


def columns_of(text: str | None) -> Any:
    """`--columns`: a shape's name, or a mapping."""
    if text is None or "=" not in text:
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
        return transformers.AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as e:
        raise SourceError(f"the tokenizer {path!r} cannot be loaded: {str(e).splitlines()[0]}") from e


def emit(data: Any, out: TextIO) -> None:
    """Print JSON."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    print(
        text.encode("utf-8", "backslashreplace").decode("utf-8"), file=out
    )  # a lone surrogate becomes its JSON escape


@contextmanager
def notes_on(err: TextIO) -> Iterator[None]:
    """What was found of an interrupted run is told in a line of its own, as every note."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", RecoveryWarning)
        show = warnings.showwarning

        def tell(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, RecoveryWarning):
                print(f"note: {message}", file=err)
            else:
                show(message, category, *rest, **more)

        warnings.showwarning = tell
        yield


def notes(source: Any, err: TextIO) -> None:
    """Print what had to be changed to read a dataset."""
    for note in source.notes:
        print(f"note: {note}", file=err)
