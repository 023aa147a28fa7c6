"""What every subcommand needs: where data is unpacked, how options are read, how JSON is printed."""

from __future__ import annotations

import argparse
import ast
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hfclean.cli.mistyped import meant_word
from hfclean.durable import check_outside, recover, scratch_folder
from hfclean.errors import FolderError, RecordError, SourceError
from hfclean.layout import Layout
from hfclean.records.common import read_record
from hfclean.records.dataset import read_layout
from hfclean.schema.truths import FIRST_ROWS, MOST_WORDS

if TYPE_CHECKING:
    from hfclean.source import Source


_log = logging.getLogger(__name__)

# what commands read that take no dataset
TABLES = {
    "train": "a cleaned folder, ledger.parquet, or pairs.jsonl",
    "mine": "a table of experiments, .parquet or lines of JSON objects",
}


class UsageError(Exception):
    """The words of the command line are off: exit code 2."""


@contextmanager
def unpacked(args: argparse.Namespace, near: str | None = None) -> Iterator[Path]:
    """A folder for what `datasets` unpacks, gone afterwards; near the output, whose disk has to hold the data
    anyway. What killed processes left there goes as well."""
    from datasets.utils.logging import CRITICAL, disable_progress_bar, set_verbosity
    from huggingface_hub.utils.tqdm import disable_progress_bars

    from hfclean.outside_names import has_text_path

    if getattr(args, "quiet", args.verb == "why") or args.verb == "review":
        disable_progress_bar()
        disable_progress_bars()  # of the Hub, and of transformers, which looks here when it is loaded
        if "transformers" in sys.modules:
            sys.modules["transformers"].utils.logging.disable_progress_bar()
    set_verbosity(CRITICAL)  # our errors say what failed: the loaders' log lines would repeat it, less well
    parent = Path(near).expanduser().resolve().parent if near else None
    if parent is not None and not has_text_path(parent):
        parent = None  # what datasets unpacks needs a path that is text
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder("data", parent) as folder:
        yield folder


NAMED_PLACES = ("source", "parts", "dir", "before", "after", "files", "against", "out")


def check_places(args: argparse.Namespace) -> None:
    """Refuse empty names, which would be the current folder, and to write into a folder that a command
    reads. A card is for the folder that it describes.

    Raises:
        FolderError: it names both.
        UsageError: a name is empty.
    """
    for name in NAMED_PLACES:
        value = vars(args).get(name)
        if value == "" or (isinstance(value, list) and "" in value):
            option = f"--{name}: " if name in ("against", "out") else ""
            raise UsageError(f"{option}an empty name; expected a file or a folder ('.' is the current one)")
    if args.verb == "card":
        return
    names = [args.dir] if "dir" in args else []
    for value in (vars(args).get(name) or [] for name in ("source", "against", "eval", "clean", "parts")):
        names += [value] if isinstance(value, str) else value
    names += [where.partition("=")[2] for where in vars(args).get("variant", ())]
    for out in filter(None, (vars(args).get(name) for name in ("out", "report"))):
        for name in filter(None, names):
            check_outside(Path(out).expanduser(), Path(name).expanduser())


def check_sources(args: argparse.Namespace) -> None:
    """Refuse names of files and folders under which nothing is, before anything heavy is loaded.

    Raises:
        SourceError: it names what is similar.
        FolderError: the same for a folder that hfclean wrote.
    """
    given = vars(args)
    names = [given.get(name) for name in ("before", "after", "clean", "eval")]
    names += [where.partition("=")[2] for where in given.get("variant", ())]
    expected = TABLES.get(args.verb if given.get("action") != "predict" else "")
    if not expected:
        names.append(given.get("source"))
    from hfclean.source import check_there
    from hfclean.source.missing import meant, near_names

    for name in filter(None, names):
        check_there(name)
    if expected and not (path := Path(args.source).expanduser()).exists():
        raise SourceError(f"no file or folder {args.source!r}{meant(near_names(path))}; expected {expected}")
    if folder := given.get("dir"):
        path = Path(folder).expanduser()
        recover(path)
        if not path.exists():
            raise FolderError(f"no folder {folder!r}{meant(near_names(path))}; expected one that hfclean wrote")


def check_license(args: argparse.Namespace, err: TextIO) -> None:
    """Say before any work is done that a `--license` is none that the Hub knows."""
    if license := vars(args).get("license"):
        from hfclean.cards.licences import doubt_about

        if doubt := doubt_about(license):
            print(f"note: {doubt}", file=err)


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
            if recorded := _recorded(folder).get(name):
                setattr(args, name, recorded)
                shown = ",".join(f"{k}={v}" for k, v in recorded.items()) if isinstance(recorded, dict) else recorded
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
    stated = {name: value for name in ("columns", "prefix", "turns", "side") if (value := vars(args).get(name))}
    text = stated.get("columns")
    if isinstance(text, str) and "=" in text:
        pairs = [part.partition("=") for part in text.split(",")]
        if not all(role.strip() and column.strip() for role, _, column in pairs):
            raise UsageError(
                f"--columns {text!r}: expected ROLE=COLUMN pairs, such as instruction=question,response=answer"
            )
        stated["columns"] = {role.strip(): column.strip() for role, _, column in pairs}
    return Layout(**stated)


def given(layout: Layout) -> dict[str, Any]:
    """The settings of a layout that differ from their defaults: elsewhere, what was declared or recorded stands."""
    return {each.name: value for each in fields(layout) if (value := getattr(layout, each.name)) != each.default}


@contextmanager
def reader(args: argparse.Namespace, err: TextIO, near: str | None = None) -> Iterator[Callable[..., Source]]:
    """Reads the datasets of a command and prints what had to be changed to read them. What is unpacked is deleted."""
    from hfclean.source import load

    with unpacked(args, near) as cache:

        def read(where: str | list[str], **options: Any) -> Source:
            choice = {name: vars(args).get(name) for name in ("split", "config")}
            source = load(where, **{"columns": layout_of(args).columns, **choice, **options}, cache_dir=cache)
            rows = ", ".join(f"{len(part):,} in {split}" for split, part in source.dataset.items())
            _log.info("read %s (%s): %s rows", source.name, source.kind, rows)
            for note in source.notes:
                print(f"note: {note}", file=err)
            settle(args, source.dataset, err)
            return source

        yield read


def settle(args: argparse.Namespace, ds: Any, err: TextIO) -> None:
    """Decide once, for all that a command does, what is not clear from the names of the columns; and say so."""
    if "columns" not in args or args.columns:
        return
    columns = Layout().settled(ds).columns
    if not isinstance(columns, Mapping):
        return
    args.columns = ",".join(f"{role}={column}" for role, column in columns.items())
    if "truth" not in columns:
        print(
            f"note: no row of the first {FIRST_ROWS:,} has a text beside {columns['response']!r}, so that is the "
            f"response: --columns {args.columns}",
            file=err,
        )
    else:
        print(
            f"note: every {columns['truth']!r} of the first {FIRST_ROWS:,} rows is a number, an option or at most "
            f"{MOST_WORDS} words, so it is the truth and the rows are prompts: --columns {args.columns}. To read it "
            f"as the response: --columns instruction={columns['prompt']},response={columns['truth']}",
            file=err,
        )


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
    # a lone surrogate becomes its JSON escape
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"), file=out)


def tell(args: argparse.Namespace, out: TextIO, data: Callable[[], Any], text: Callable[[], object]) -> None:
    """Print what a command found: as JSON with `--json`, else as text."""
    if args.json:
        emit(data(), out)
    else:
        print(text(), file=out)


def load_named(spec: str, kind: type, what: str) -> Any:
    """The object at a dotted path `package.module:name`."""
    loaded = _import_named(spec, spec, f"module:name, such as my_{what}s:mine")
    if not isinstance(loaded, kind):
        raise UsageError(f"--with {spec!r} is {_kind_of(loaded)}, not a {what}; declare it with @hfclean.{what}")
    return loaded


def load_scorer(spec: str, **layout: Any) -> Any:
    """A scorer at a dotted path, or one that a class makes of literal arguments: `my_scorers:Ease(model='x')`, and
    hfclean's own by their names alone, `IFD(model='x')`; with a `layout` that the command line states."""
    from hfclean import scorers

    path, call, rest = spec.partition("(")
    arguments = _literal_arguments(spec, f"_({rest}") if call else {}
    if ":" not in path:
        if path not in dir(scorers):
            ours = [name for name in sorted(dir(scorers)) if _makes_scorers(getattr(scorers, name))]
            near = meant_word(path, ours)
            raise UsageError(
                f"--with {spec!r}: expected module:name, module:Class(argument=...), or one of {', '.join(ours)}{near}"
            )
        path = f"hfclean.scorers:{path}"
    loaded = _import_named(spec, path, "module:name, or module:Class(argument=...)")
    if _makes_scorers(loaded):
        try:
            return loaded(**{**layout, **arguments})
        except (TypeError, ValueError, AttributeError) as e:
            raise UsageError(f"--with {spec!r}: no {loaded.__name__} can be made of these arguments: {e}") from e
    if not (_makes_scorers(type(loaded)) or isinstance(loaded, scorers.FunctionScorer)):
        raise UsageError(
            f"--with {spec!r} is {_kind_of(loaded)}, not a scorer; expected one declared with @hfclean.scorer, or a "
            "class that declares its columns in `adds`"
        )
    if call:
        raise UsageError(f"--with {spec!r}: {path} is already made; leave out the arguments")
    return replace(loaded, **layout)


def _makes_scorers(kind: Any) -> bool:
    """Whether this is a class of scorers that can be made."""
    from hfclean.scorers import FunctionScorer, Scorer
    from hfclean.transform import Transform

    if not isinstance(kind, type) or not issubclass(kind, Transform):
        return False
    return bool(kind.adds) or (issubclass(kind, Scorer) and kind not in (Scorer, FunctionScorer))


def _kind_of(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"


def _import_named(spec: str, path: str, expected: str) -> Any:
    module, _, name = path.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise UsageError(f"--with {spec!r}: expected {expected}")
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as e:
        raise UsageError(f"--with {spec!r} cannot be loaded: {e}") from e
    finally:
        sys.path.remove(os.getcwd())


def _literal_arguments(spec: str, call: str) -> dict[str, Any]:
    """The keyword arguments of a call, each a literal: nothing is run."""
    expected = "NAME(argument=value, ...), each value a literal: 'text', 3, 0.5, True, None, or a list or dict of them"
    try:
        node = ast.parse(call, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise UsageError(f"--with {spec!r} is not valid ({e}); expected {expected}") from e
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.args:
        raise UsageError(f"--with {spec!r}: expected {expected}")
    arguments: dict[str, Any] = {}
    for word in node.keywords:
        try:
            if word.arg is None:
                raise ValueError
            arguments[word.arg] = ast.literal_eval(word.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            text = ast.unparse(word.value)
            raise UsageError(
                f"--with {spec!r}: {word.arg or '**'}={text:.80} is not a literal; expected {expected}"
            ) from None
    return arguments


def only_split(splits: Any, name: str) -> Any:
    """The only split, or `train`, or `test`."""
    if len(splits) == 1:
        return next(iter(splits.values()))
    raise UsageError(f"{name} has the splits {', '.join(splits)}; name one: --split NAME")
