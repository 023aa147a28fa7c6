"""The files of a local model and their exact content: a commit of the Hub, or the hash of a folder.

Only data is read: JSON, tokenizer files and safetensors. Code beside them is neither fetched nor run, and
weights in a format that can carry code are refused.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfclean.errors import require
from hfclean.hub_id import is_hub_id
from hfclean.limits import read_json as read_bounded
from hfclean.models.failures import ModelError
from hfclean.models.store import Store
from hfclean.ownership import file_hash

# what a model's answers depend on; training states, cards and notes are not part of it
PARTS = (
    *("config.json", "generation_config.json", "adapter_config.json", "*.safetensors", "*.safetensors.index.json"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "spiece.model"),
    "chat_template*",
)
# second copies of the same weights, for other programs
NOT_PARTS = ("*/*", "consolidated*", "original*", "*.py", "*.bin", "*.pt", "*.pth", "*.pickle", "*.pkl", "*.ckpt")
SENT_TOKEN = re.compile(r"Bearer\s[^'\"]*")  # a client that rejects it prints the header
# kinds that transformers does not know, and that are read here from configuration and weights alone
READ_HERE = ("gpt_neox_reward_model",)
# what every model that runs here is read with
READERS = ("torch", "transformers", "safetensors", "jinja2")


@dataclass(frozen=True)
class ModelFiles:
    """The location and identity of a model's files.

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
        MissingExtraError: it would have to be fetched, and what reads it is not installed.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ModelError(f"revision={revision!r} is for Hub ids, and {model!r} is a folder: leave it out")
        files = ModelFiles(folder.resolve(), f"sha256:{_content(folder, store)}")
    elif is_hub_id(model):
        files = _fetch(model, revision)
    else:
        raise ModelError(f"no folder {model!r}; expected a folder with config.json and *.safetensors, or a Hub id")
    named = _base(files.folder, model)
    if named is None:
        return files
    _require_peft(named[0])
    try:
        base = find_model(*named, store)
    except ModelError as e:
        raise ModelError(f"the base of the adapter {model!r} is gone or out of reach: {e}") from e
    return ModelFiles(files.folder, f"{files.identity} on {base.identity}", base)


def fetch_ahead(model: str, revision: str | None, token: str) -> None:
    """Fetch now, with a token that is not kept, the files that `find_model` needs later: those of a Hub id and, for an
    adapter, those of its base.

    Raises:
        ModelError: the Hub does not give them.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if not is_hub_id(model):
            return
        folder = _fetch(model, revision, token).folder
    named = _base(folder, model)
    if named is not None:
        _require_peft(named[0])
        fetch_ahead(*named, token)


def read_token(token: str | None) -> str | None:
    """The token without the line break of the file that it was read from.

    Raises:
        ModelError: it is not a token.
    """
    if token is None:
        return None
    if isinstance(token, str) and re.fullmatch(r"[!-~]+", token.strip()):
        return token.strip()
    raise ModelError(
        "token= is not a Hub token (it is not shown); expected one word such as hf_..., or None for that of hf auth "
        "login or HF_TOKEN"
    )


def _base(folder: Path, model: str) -> tuple[str, str | None] | None:
    """Folder or Hub id of an adapter's base, and its revision; None where the model is not an adapter."""
    about = _read_object(folder / "adapter_config.json")
    if about is None:
        return None
    name, revision = about.get("base_model_name_or_path"), about.get("revision")
    if not isinstance(name, str) or not name:
        raise ModelError(
            f"the adapter {model!r} names no base: base_model_name_or_path in adapter_config.json is {name!r}"
        )
    beside = folder / name
    local = beside if beside.is_dir() else Path(name).expanduser()
    return (str(local), None) if local.is_dir() else (name, revision)


def mark(model: str) -> tuple[object, ...]:
    """A mark that changes with a folder's files; empty for a Hub id, whose commit stays."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return ()
    parts = sorted((f.name, f.stat()) for f in folder.iterdir() if is_part(f.name))
    return tuple((name, about.st_size, about.st_mtime_ns, about.st_ino) for name, about in parts)


def fingerprint(model: str) -> str:
    """`mark` in a few digits, for what a cached result depends on: a folder trained further is another model."""
    return hashlib.blake2b(repr(mark(model)).encode(), digest_size=8).hexdigest()


def refuse_unsafe(files: ModelFiles) -> None:
    """Refuse a model that would need its own code, or weights in a format that can carry code.

    Raises:
        ModelError: says what was found and what to do.
    """
    folder = files.folder
    weights = "adapter_model.safetensors" if files.base else "*.safetensors"
    if not list(folder.glob(weights)):
        served = sorted(f.name for f in folder.glob("*.gguf"))
        if served:
            raise ModelError(
                f"{folder.name!r} has no weights in safetensors ({', '.join(served)}). A GGUF is not read here: "
                "serve it with a program that does, such as the server of llama.cpp, and give base_url"
            )
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
    config = _read_object(folder / "config.json")
    if config is None:
        raise ModelError(f"{folder.name!r} has no config.json; expected a folder that save_pretrained wrote")
    if "auto_map" in config:
        transformers = require("transformers", extra="models")
        kind = config.get("model_type")
        if kind not in transformers.CONFIG_MAPPING and kind not in READ_HERE:
            raise ModelError(
                f"{folder.name!r} is of the type {config.get('model_type')!r}, which transformers does not know: it "
                "would need code from its own folder, and hfclean runs none. Serve it with a program you trust, and "
                "give base_url"
            )


def fetch_small(
    model: str, revision: str | None, names: Sequence[str], *, most: int, token: str | None = None
) -> Path:
    """Those of some small files that a Hub id has, fetched into a folder whose name is the commit.

    Raises:
        ModelError: the Hub gives no model of this id, or a file has more than `most` bytes.
    """
    hub, token = require("huggingface_hub", extra="models"), read_token(token)
    with _named(model, revision, token):
        api = hub.HfApi(token=token)
        commit = api.model_info(model, revision=revision).sha
        found = api.get_paths_info(model, list(names), revision=commit)
        large = [info.path for info in found if getattr(info, "size", 0) > most]
        if large:
            raise ModelError(f"{large[0]} of {model!r} has more than {most:,} bytes, and no file of its kind does")
        folder = hub.snapshot_download(model, revision=commit, allow_patterns=list(names), token=token)
    return Path(folder)


def fetch(model: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """The folder with some files of a Hub id.

    Raises:
        ModelError: the Hub does not give them.
    """
    hub = require("huggingface_hub", extra="models")
    with _named(model, revision):
        return Path(hub.snapshot_download(model, revision=revision, allow_patterns=list(patterns)))


def _require_peft(base: str) -> None:
    """Checked before the base of an adapter is fetched: it is useless if peft is missing."""
    if not Path(base).expanduser().is_dir():
        require("peft", extra="models")


def _fetch(model: str, revision: str | None, token: str | None = None) -> ModelFiles:
    for name in READERS:  # report missing packages before fetching gigabytes that nothing here could read
        require(name, extra="models")
    hub, token = require("huggingface_hub", extra="models"), read_token(token)
    with _named(model, revision, token):
        folder = hub.snapshot_download(
            model, revision=revision, allow_patterns=PARTS, ignore_patterns=NOT_PARTS, token=token
        )
    return ModelFiles(Path(folder), f"commit:{Path(folder).name}")


@contextmanager
def _named(model: str, revision: str | None, token: str | None = None) -> Iterator[None]:
    """Turns what huggingface_hub raises into an error that names the model and what to do."""
    errors = require("huggingface_hub.errors", extra="models")
    transport = getattr(errors, "HTTPError", OSError)
    try:
        yield
    except ModelError:
        raise
    except (errors.HfHubHTTPError, errors.HFValidationError, transport, OSError, ValueError) as e:
        at = f" at {revision!r}" if revision else ""
        raise ModelError(
            f"no folder {model!r} here, and the Hub gives no model of this id{at}: {_why(e, model, token)}"
        ) from e


def _why(e: Exception, model: str, token: str | None) -> str:
    """Why the Hub did not give a model, and what to do."""
    from huggingface_hub import constants, errors, get_token

    status = getattr(getattr(e, "response", None), "status_code", None)
    login = "hf auth login, set HF_TOKEN, or say token="
    if isinstance(e, errors.GatedRepoError):
        page = f"{constants.ENDPOINT}/{model}"
        return f"it is gated. Open {page}, accept its terms, and use a token of that account: {login}"
    if isinstance(e, errors.RevisionNotFoundError):
        return "it has no such revision; check its branches, tags and commits"
    if status == 401 and not isinstance(e, errors.RepositoryNotFoundError):
        return f"the token is no longer valid; make another (https://huggingface.co/settings/tokens), then: {login}"
    if isinstance(e, errors.RepositoryNotFoundError) or status in (403, 404):
        if _is_dataset(model, token):
            return "it is a dataset; read it with load_dataset, or with hfclean.load_cleaned if hfclean pushed it"
        if token or get_token():
            return (
                "there is none, or it is private and your token may not see it. Check the "
                f"spelling, or use another token: {login}"
            )
        return f"there is none, or it is private and no token is set. Check the spelling, or log in: {login}"
    reason = f"{type(e).__name__}: {' '.join(SENT_TOKEN.sub('Bearer ***', str(e)).split())[:300]}"
    if constants.HF_HUB_OFFLINE or isinstance(e, errors.OfflineModeIsEnabled):
        return (
            f"offline mode is on (HF_HUB_OFFLINE), and it is not in the cache ({reason}). Unset it, or fetch it first"
        )
    if isinstance(e, errors.HFValidationError):
        return f"it is not a Hub id ({reason}); expected a folder, or NAMESPACE/NAME"
    if status is not None:
        return f"the Hub failed (status {status}: {reason}). Run the same again later"
    return f"the Hub was not reached ({reason}). Check the network and HF_ENDPOINT, and run the same again"


def _is_dataset(name: str, token: str | None) -> bool:
    from huggingface_hub import HfApi, errors

    with suppress(errors.HfHubHTTPError, errors.HFValidationError, OSError):
        return bool(HfApi(token=token).repo_exists(name, repo_type="dataset"))
    return False


def _content(folder: Path, store: Store | None) -> str:
    """A hash over the names and contents of the parts. Large files are read once as long as they do not change."""
    names = sorted(f.name for f in folder.iterdir() if f.is_file() and is_part(f.name))
    found = hashlib.sha256()
    for name in names:
        file = (folder / name).resolve()
        digest = store.file_digest(file) if store is not None else file_hash(file)
        found.update(f"{name}\0{digest}\n".encode())
    return found.hexdigest()


def is_part(name: str) -> bool:
    """Whether a file of a model's folder is one that its answers depend on."""
    return any(fnmatch.fnmatchcase(name, part) for part in PARTS)


def read_json(file: Path) -> Any:
    """What a JSON file of a model holds; None where there is none.

    Raises:
        ModelError: it is damaged.
    """
    try:
        return read_bounded(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as e:
        raise ModelError(f"{file.name} of {file.parent.name!r} is damaged ({e}); get the file again") from e


def _read_object(file: Path) -> dict[str, Any] | None:
    value = read_json(file)
    if value is not None and not isinstance(value, dict):
        raise ModelError(f"{file.name} of {file.parent.name!r} holds a {type(value).__name__}; expected an object")
    return value
