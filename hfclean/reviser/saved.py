"""Saved: what makes a reviser, as `hfclean.json` in a folder or a repo of the Hub.

A file from the Hub is a stranger's. It may say how a model is asked, but not whom data or keys are sent to, nor which
files of this machine are read: what of it reaches the reviser is listed here, and checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from hfclean.errors import FolderError, HfcleanError
from hfclean.models.weights import HUB_ID, fetch_small
from hfclean.reviser.codec import CODEC_VERSION

if TYPE_CHECKING:
    from hfclean.reviser.modelled import ModelReviser

__all__ = ["ABOUT", "about_reviser", "read_reviser", "write_reviser"]

ABOUT = "hfclean.json"
LARGEST_ABOUT = 2_000_000
LARGEST_WORDS = 200_000
WEIGHTS = ("config.json", "adapter_config.json")
# what a file from the Hub may settle: nothing that names a server, a key, a file or a limit of this machine
FROM_HUB = frozenset(
    {"model", "revision", "chat_template", "dtype", "max_new_tokens", "temperature", "top_p", "seed"}
    | {"revise", "candidates", "preference_margin", "skip_checks", "sides", "criteria", "structured"}
    | {"columns", "prefix", "turns", "side", "instructions"}
)

R = TypeVar("R", bound="ModelReviser")


class _Found(NamedTuple):
    """Where a reviser's record lies; of one of the Hub, its id and commit."""

    about: Mapping[str, Any]
    where: str
    folder: Path
    repo_id: str = ""
    commit: str = ""

    @property
    def has_weights(self) -> bool:
        return any((self.folder / name).is_file() for name in WEIGHTS)


def about_reviser(reviser: ModelReviser) -> dict[str, Any]:
    """What makes a reviser, as JSON can hold it.

    Raises:
        FolderError: the reviser holds code of the user's own.
    """
    told, words = reviser.settings(), reviser.words()
    own = [name for name in reviser.own_code if name in told]
    if own:
        raise FolderError(
            f"{own[0]}= holds code of your own or a judge, which no file can hold; save the reviser without it, "
            "and say it when you load"
        )
    if reviser.spec().kind == "function":
        raise FolderError(f"{told['model']} is a function of your own, which no file can hold; name a model instead")
    told = {name: value for name, value in told.items() if name not in type(reviser).read_words(words)}
    return {
        "reviser": type(reviser).__name__,
        "version": reviser.version,
        "codec": CODEC_VERSION,
        "prompt_version": reviser.prompt_version(),
        **words,
        "settings": told,
    }


def write_reviser(reviser: ModelReviser, folder: str | Path) -> Path:
    """Write `hfclean.json` into a folder, which is made if it is not there."""
    about = about_reviser(reviser)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder


def read_reviser(cls: type[R], where: str | Path, revision: str | None, settings: Mapping[str, Any]) -> R:
    """The reviser of a folder or of a repo of the Hub; see `ModelReviser.from_pretrained`."""
    found = _find(where, revision)
    about, own = found.about, dict(settings)
    try:
        kind, codec, told = about["reviser"], about["codec"], dict(about["settings"])
        if not isinstance(about.get("prompt", ""), str):
            raise TypeError("prompt")
        words = cls.read_words(about) if (kind, codec) == (cls.__name__, CODEC_VERSION) else {}
    except (ValueError, TypeError, KeyError, HfcleanError) as e:
        raise FolderError(
            f"{found.where}: no reviser here ({type(e).__name__} in {ABOUT}); wanted what save_pretrained wrote"
        ) from e
    if kind != cls.__name__:
        kind = kind if isinstance(kind, str) and kind.isidentifier() else "something else"
        raise FolderError(f"{found.where}: holds a {kind}; read it with hfclean.{kind}.from_pretrained")
    if codec != CODEC_VERSION:
        raise FolderError(
            f"{found.where}: pairs in form {codec!r:.20}, and this version of hfclean reads form {CODEC_VERSION}; "
            "install the version that the reviser's card names"
        )
    if found.repo_id:
        told, own = _from_stranger(found, told, own)
    elif found.has_weights:
        told["model"] = str(found.folder)
        told.pop("base_url", None)
    told = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    if not found.repo_id and revision is not None:
        own["revision"] = revision  # of the model that a folder names
    try:
        made = cls(**{**told, **words})
    except (TypeError, KeyError) as e:
        raise FolderError(f"{found.where}: {ABOUT} has settings that this version does not know ({e})") from e
    except (ValueError, HfcleanError) as e:
        raise FolderError(f"{found.where}: {ABOUT} has a setting that cannot be: {e}") from e
    if any(about.get(name) != said for name, said in made.words().items()):
        raise FolderError(
            f"{found.where}: made for other words than this version of hfclean asks with (prompt "
            f"{about.get('prompt_version')!r:.40}, here {made.prompt_version()}); install the version that the "
            "reviser's card names"
        )
    return replace(made, **own)


def _find(where: str | Path, revision: str | None) -> _Found:
    folder = Path(where).expanduser()
    repo_id = str(where)
    if folder.is_dir() or not ("/" in repo_id and HUB_ID.fullmatch(repo_id)) or repo_id.startswith("."):
        return _Found(_read(folder / ABOUT, str(folder)), str(folder), folder)
    snapshot = fetch_small(repo_id, revision, (ABOUT, *WEIGHTS), most=LARGEST_ABOUT)
    return _Found(_read(snapshot / ABOUT, repo_id), repo_id, snapshot, repo_id, snapshot.name)


def _read(file: Path, where: str) -> Mapping[str, Any]:
    try:
        with file.open("rb") as f:
            about = json.loads(f.read(LARGEST_ABOUT).decode("utf-8"))
        if not isinstance(about, dict):
            raise TypeError(f"{type(about).__name__} where an object was wanted")
    except (OSError, ValueError, TypeError, RecursionError) as e:
        raise FolderError(
            f"{where}: no reviser here ({type(e).__name__} in {ABOUT}); wanted a folder that save_pretrained wrote, "
            "or a repo of the Hub that push_reviser pushed"
        ) from e
    return about


def _from_stranger(found: _Found, told: dict[str, Any], own: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a file of the Hub that may be followed, and the caller's."""
    url = told.pop("base_url", None)
    unknown = sorted(set(told) - FROM_HUB)
    if unknown:
        raise FolderError(
            f"{found.where}: {ABOUT} settles {', '.join(map(repr, unknown))[:200]}, which is not taken from the Hub "
            "(or this version does not know it: pip install --upgrade hfclean); say it yourself when you load"
        )
    for name, value in told.items():
        if len(json.dumps(value)) > LARGEST_WORDS:
            raise FolderError(f"{found.where}: {name} of {ABOUT} is longer than anything that hfclean writes")
    if found.has_weights:
        return {**told, "model": found.repo_id, "revision": found.commit}, own
    model = told.get("model")
    if not isinstance(model, str) or not model:
        raise FolderError(f"{found.where}: {ABOUT} names no model, and there are no weights beside it")
    if url is not None or "base_url" in own:
        if "base_url" not in own:
            raise FolderError(
                f"{found.where}: made for the model {model!r:.80} on a server of its own. Whom your rows are sent to "
                f"is yours to say: from_pretrained({found.where!r}, base_url=..., model=...)"
            )
        return told, own
    if not HUB_ID.fullmatch(model) or "/" not in model or model.startswith(".") or Path(model).exists():
        if "model" not in own:
            raise FolderError(
                f"{found.where}: {ABOUT} names the model {model!r:.80}, which is no Hub id; say which one to use: "
                f"from_pretrained({found.where!r}, model=...)"
            )
        return {**told, "model": own["model"]}, own
    return told, own
