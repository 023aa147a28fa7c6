"""Which files a local model is made of, and which content exactly: a commit of the Hub, or the hash of a folder.

Only data is taken: JSON, tokenizer files and safetensors. Code that lies beside them is neither fetched nor run, and
weights in a format that can carry code are refused.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfclean.errors import require
from hfclean.models.failures import ModelError
from hfclean.models.store import Store

__all__ = ["HUB_ID", "ModelFiles", "fetch_small", "find_model", "fingerprint", "is_part", "mark", "refuse_unsafe"]

# what a model's answers depend on; training states, cards and notes are not among it
PARTS = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "spiece.model",
    "chat_template*",
    "*.safetensors",
    "*.safetensors.index.json",
)
# second copies of the same weights, for other programs
NOT_PARTS = ("*/*", "consolidated*", "original*", "*.py", "*.bin", "*.pt", "*.pth", "*.pickle", "*.pkl", "*.ckpt")
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class ModelFiles:
    """Where a model's files lie and what they are.

    Args:
        folder: with the files.
        identity: `commit` or `sha256`, a colon and the hash; of an adapter, with that of its base.
        base: the model that this one is an adapter for.
    """

    folder: Path
    identity: str
    base: ModelFiles | None = None


def find_model(model: str, revision: str | None, store: Store | None = None) -> ModelFiles:
    """The files of a folder or of a Hub id, fetched if need be, with those of the base if it is an adapter.

    Raises:
        ModelError: there is no such model, or no such base.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ModelError(f"revision={revision!r} is for Hub ids, and {model!r} is a folder: leave it out")
        files = ModelFiles(folder.resolve(), f"sha256:{_content(folder, store)}")
    elif HUB_ID.fullmatch(model) and not model.startswith("."):
        files = _fetch(model, revision)
    else:
        raise ModelError(f"no folder {model!r}; wanted a folder with config.json and *.safetensors, or a Hub id")
    about = _json(files.folder / "adapter_config.json")
    if about is None:
        return files
    name = about.get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise ModelError(
            f"the adapter {model!r} names no base: base_model_name_or_path in adapter_config.json is {name!r}"
        )
    beside = files.folder / name
    base_revision = about.get("revision")
    local = beside if beside.is_dir() else Path(name).expanduser()
    base = find_model(str(local) if local.is_dir() else name, None if local.is_dir() else base_revision, store)
    return ModelFiles(files.folder, f"{files.identity} on {base.identity}", base)


def mark(model: str) -> tuple[object, ...]:
    """What shows that a folder's files changed since it was last looked at; empty for a Hub id, whose commit stays."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return ()
    parts = sorted((f.name, f.stat()) for f in folder.iterdir() if is_part(f.name))
    return tuple((name, about.st_size, about.st_mtime_ns, about.st_ino) for name, about in parts)


def fingerprint(model: str) -> str:
    """`mark` in a few digits, for what a cached result depends on: a folder trained further is another model."""
    return hashlib.blake2b(repr(mark(model)).encode(), digest_size=8).hexdigest()


def refuse_unsafe(files: ModelFiles) -> None:
    """Stop at what would need code of the model's own, or weights in a format that can carry code.

    Raises:
        ModelError: says what was found and what to do.
    """
    folder = files.folder
    weights = "adapter_model.safetensors" if files.base else "*.safetensors"
    if not list(folder.glob(weights)):
        found = sorted(
            f.name for f in folder.iterdir() if fnmatch.fnmatch(f.name, "*.bin") or f.suffix in (".pt", ".pth")
        )
        raise ModelError(
            f"{folder.name!r} has no weights in safetensors (found: {', '.join(found) or 'none at all'}); other "
            "formats can carry code and are not read. Convert: model.save_pretrained(folder) of transformers writes "
            "safetensors"
        )
    if files.base is not None:
        return
    config = _json(folder / "config.json")
    if config is None:
        raise ModelError(f"{folder.name!r} has no config.json; wanted a folder that save_pretrained wrote")
    if "auto_map" in config:
        transformers = require("transformers", extra="models")
        if config.get("model_type") not in transformers.CONFIG_MAPPING:
            raise ModelError(
                f"{folder.name!r} is of the type {config.get('model_type')!r}, which transformers does not know: it "
                "would need code from its own folder, and hfclean runs none. Serve it with a program you trust, and "
                "give base_url"
            )


def fetch_small(model: str, revision: str | None, names: Sequence[str], *, most: int) -> Path:
    """Those of some small files that a Hub id has, fetched into a folder whose name is the commit.

    Raises:
        ModelError: the Hub gives no model of this id, or a file has more than `most` bytes.
    """
    hub = require("huggingface_hub", extra="models")
    with _named(model, revision):
        api = hub.HfApi()
        commit = api.model_info(model, revision=revision).sha
        found = api.get_paths_info(model, list(names), revision=commit)
        large = [info.path for info in found if getattr(info, "size", 0) > most]
        if large:
            raise ModelError(f"{large[0]} of {model!r} has more than {most:,} bytes, and no file of its kind does")
        folder = hub.snapshot_download(model, revision=commit, allow_patterns=list(names))
    return Path(folder)


def _fetch(model: str, revision: str | None) -> ModelFiles:
    hub = require("huggingface_hub", extra="models")
    with _named(model, revision):
        folder = hub.snapshot_download(model, revision=revision, allow_patterns=PARTS, ignore_patterns=NOT_PARTS)
    return ModelFiles(Path(folder), f"commit:{Path(folder).name}")


@contextmanager
def _named(model: str, revision: str | None) -> Iterator[None]:
    """Turns what huggingface_hub raises into an error that names the model."""
    errors = require("huggingface_hub.errors", extra="models")
    transport = getattr(errors, "HTTPError", OSError)
    try:
        yield
    except ModelError:
        raise
    except (errors.HfHubHTTPError, errors.HFValidationError, transport, OSError, ValueError) as e:
        said, at = " ".join(str(e).split())[:300], f" at {revision!r}" if revision else ""
        raise ModelError(
            f"no folder {model!r} here, and the Hub gives no model of this id{at} ({type(e).__name__}: {said}); look "
            "at the spelling, the revision, and your access"
        ) from e


def _content(folder: Path, store: Store | None) -> str:
    """A hash over the names and contents of the parts. Large files are read once as long as they do not change."""
    names = sorted(f.name for f in folder.iterdir() if f.is_file() and is_part(f.name))
    found = hashlib.sha256()
    for name in names:
        file = (folder / name).resolve()
        if store is not None:
            digest = store.file_digest(file)
        else:
            with file.open("rb") as f:
                digest = hashlib.file_digest(f, "sha256").hexdigest()
        found.update(f"{name}\0{digest}\n".encode())
    return found.hexdigest()


def is_part(name: str) -> bool:
    """Whether a file of a model's folder is one that its answers depend on."""
    return any(fnmatch.fnmatchcase(name, part) for part in PARTS)


def _json(file: Path) -> dict[str, Any] | None:
    """What a JSON file holds; None where there is none.

    Raises:
        ModelError: it is damaged.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as e:
        raise ModelError(f"{file.name} of {file.parent.name!r} is damaged ({e}); get the file again") from e
    if not isinstance(value, dict):
        raise ModelError(f"{file.name} of {file.parent.name!r} holds a {type(value).__name__}; wanted an object")
    return value
