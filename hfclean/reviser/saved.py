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

from hfclean.durable import write_text
from hfclean.errors import FolderError, HfcleanError
from hfclean.models.weights import HUB_ID, fetch_ahead, fetch_small
from hfclean.ownership import claim, is_own
from hfclean.reviser.codec import CODEC_VERSION

if TYPE_CHECKING:
    from hfclean.reviser.modelled import ModelReviser

__all__ = [
    "ABOUT",
    "PULLED",
    "Record",
    "about_reviser",
    "find_record",
    "read_reviser",
    "write_record",
    "write_reviser",
]

ABOUT = "hfclean.json"
LARGEST_ABOUT = 10_000_000  # most of it hashes of the pairs that taught it, 16 bytes each
PULLED = "pulled_from"
LONGEST_PROMPT = 50_000  # characters; the longest of ours has 3,400
LONGEST_TEMPLATE = 100_000
LONGEST_SETTING = 4_000
MOST_CRITERIA = 100
MOST = {"max_new_tokens": 1_000_000, "candidates": 64}
WEIGHTS = ("config.json", "adapter_config.json")
# what a file from the Hub may settle: nothing that names a server, a key, a file or a limit of this machine
FROM_HUB = frozenset(
    {"model", "revision", "chat_template", "dtype", "max_new_tokens", "temperature", "top_p", "seed"}
    | {"revise", "candidates", "preference_margin", "skip_checks", "sides", "criteria", "structured"}
    | {"columns", "prefix", "turns", "side", "instructions", "select", "scored_by"}
)
TEXT, NUMBER, COUNT, FLAG, NAMES = "a string", "a number", "a whole number", "true or false", "a list of strings"
FORMS = {
    **dict.fromkeys(
        ("model", "revision", "chat_template", "dtype", "revise", "prefix", "turns", "side", "select", "scored_by"),
        TEXT,
    ),
    **dict.fromkeys(("temperature", "top_p", "preference_margin"), NUMBER),
    **dict.fromkeys(("max_new_tokens", "candidates", "seed"), COUNT),
    **dict.fromkeys(("skip_checks", "sides", "only", "skip"), NAMES),
    "structured": FLAG,
    "instructions": TEXT,
}
# what save_pretrained writes into a folder besides
FROM_FOLDER = FROM_HUB | {"base_url", "cache_as", "extra_body"}

R = TypeVar("R", bound="ModelReviser")


class Record(NamedTuple):
    """Where a reviser's record lies; of one of the Hub, its id and commit."""

    about: Mapping[str, Any]
    where: str
    folder: Path
    repo_id: str = ""
    commit: str = ""

    @property
    def is_strange(self) -> bool:
        """Whether somebody else may have written it."""
        return bool(self.repo_id) or not is_own(self.folder)

    @property
    def origin(self) -> str:
        """Where it comes from, for errors."""
        if self.repo_id or PULLED in self.about:
            return "the Hub"
        return (
            "a folder that was not written here, or was moved, copied or changed since"
            if self.is_strange
            else "a file"
        )

    @property
    def has_weights(self) -> bool:
        return any((self.folder / name).is_file() for name in WEIGHTS)


def about_reviser(reviser: ModelReviser, training: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What makes a reviser, as JSON can hold it.

    Args:
        reviser: whose settings and words go in.
        training: how its model was trained; by default what the record beside its weights says.

    Raises:
        FolderError: the reviser holds code of the user's own.
    """
    told, words = reviser.settings(), reviser.words()
    own = [name for name in reviser.own_code if name in told and not isinstance(getattr(reviser, name), str)]
    if own:
        raise FolderError(
            f"{own[0]}= holds code of your own or a judge, which no file can hold; save the reviser without it, "
            "and say it when you load"
        )
    if reviser.spec().kind == "function":
        raise FolderError(f"{told['model']} is a function of your own, which no file can hold; name a model instead")
    told = {name: value for name, value in told.items() if name not in type(reviser).read_words(words)}
    training = _training_of(reviser) if training is None else training
    return {
        "reviser": type(reviser).__name__,
        "version": reviser.version,
        "codec": CODEC_VERSION,
        "prompt_version": reviser.prompt_version(),
        **words,
        "settings": told,
        **({"training": dict(training)} if training else {}),
    }


def _training_of(reviser: ModelReviser) -> Mapping[str, Any]:
    """How the model was trained, where a record beside its weights says so."""
    spec = reviser.spec()
    if spec.kind != "local" or not isinstance(spec.model, str):
        return {}
    folder = Path(spec.model).expanduser()
    if not folder.is_dir() or not (folder / ABOUT).is_file():
        return {}
    found = _read(folder / ABOUT, str(folder)).get("training")
    return found if isinstance(found, dict) else {}


def write_reviser(reviser: ModelReviser, folder: str | Path, *, training: Mapping[str, Any] | None = None) -> Path:
    """Write `hfclean.json` into a folder, which is made if it is not there."""
    return write_record(about_reviser(reviser, training), folder)


def write_record(about: Mapping[str, Any], folder: str | Path) -> Path:
    """Write a record into a folder, which is made if it is not there.

    Raises:
        FolderError: it is larger than what is read of one.
    """
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    if len(text.encode("utf-8", "replace")) > LARGEST_ABOUT:
        raise FolderError(
            f"the record of this reviser has {len(text):,} characters, and nobody would read more than "
            f"{LARGEST_ABOUT:,} bytes of it; most of it are the hashes of the pairs that taught it: train on fewer, "
            "with alpha="
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / ABOUT, text)
    claim(folder)
    return folder


def read_reviser(
    cls: type[R], where: str | Path, revision: str | None, settings: Mapping[str, Any], token: str | None = None
) -> R:
    """The reviser of a folder or of a repo of the Hub; see `ModelReviser.from_pretrained`."""
    found = find_record(where, revision, token)
    made = _made(cls, found, revision, settings)
    spec = made.spec()
    if token and spec.kind == "local":
        fetch_ahead(spec.name, spec.revision, token)
    return made


def _made(cls: type[R], found: Record, revision: str | None, settings: Mapping[str, Any]) -> R:
    check_kind(found, cls)
    about, own = found.about, dict(settings)
    try:
        codec, told = about["codec"], dict(about["settings"])
        if not isinstance(about.get("prompt", ""), str):
            raise TypeError("prompt")
        words = cls.read_words(about) if codec == CODEC_VERSION else {}
    except (ValueError, TypeError, KeyError, HfcleanError) as e:
        raise FolderError(
            f"{found.where}: no reviser here ({type(e).__name__} in {ABOUT}); wanted what save_pretrained wrote"
        ) from e
    if codec != CODEC_VERSION:
        raise FolderError(
            f"{found.where}: pairs in form {codec!r:.20}, and this version of hfclean reads form {CODEC_VERSION}; "
            "install the version that the reviser's card names"
        )
    check_version(found, cls.version)
    told = {name: value for name, value in told.items() if name not in own or name in FROM_FOLDER}
    followed = {name: value for name, value in told.items() if name not in own}
    _check_names(found, followed)
    check_forms(found, followed)
    if found.is_strange:
        _check_sizes(found, followed, words)
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


def check_kind(found: Record, cls: type) -> None:
    """Refuse a record of another kind.

    Raises:
        FolderError: it names the kind that is there.
    """
    kind = found.about.get("reviser")
    if kind is None:
        raise FolderError(
            f"{found.where}: no reviser here (its {ABOUT} describes none); a cleaned dataset is read with "
            "hfclean.load_cleaned or load_dataset"
        )
    if kind != cls.__name__:
        kind = kind if isinstance(kind, str) and kind.isidentifier() else "something else"
        raise FolderError(f"{found.where}: holds a {kind:.40}; read it with hfclean.{kind:.40}.from_pretrained")


def check_version(found: Record, known: int) -> None:
    """Refuse a record of a reviser that behaves as none of this version of hfclean does.

    Raises:
        FolderError: it is newer, or names no version.
    """
    said = found.about.get("version")
    if isinstance(said, bool) or not isinstance(said, int) or said < 1:
        raise FolderError(f"{found.where}: {ABOUT} names the version {said!r:.40}; wanted a whole number from 1 on")
    if said > known:
        raise FolderError(
            f"{found.where}: made with version {said!r:.20} of its kind, and this hfclean knows up to {known}: "
            "pip install --upgrade hfclean"
        )


def check_forms(found: Record, told: Mapping[str, Any]) -> None:
    """Refuse settings that are something else than what such a setting holds.

    Raises:
        FolderError: it names the setting and what was wanted.
    """
    for name, value in told.items():
        if name == "columns":
            fits = isinstance(value, str) or (
                isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
            )
            wanted = "a string, or an object of strings"
        else:
            wanted = FORMS.get(name, "")
            fits = not wanted or _fits(value, wanted)
        if not fits and value is not None:
            raise FolderError(
                f"{found.where}: {ABOUT} has a setting that cannot be: {name} is {value!r:.60}; wanted {wanted}"
            )


def _fits(value: Any, wanted: str) -> bool:
    if wanted in (NUMBER, COUNT):
        kinds = (int, float) if wanted == NUMBER else int
        return isinstance(value, kinds) and not isinstance(value, bool)
    if wanted == NAMES:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, bool if wanted == FLAG else str)


def find_record(where: str | Path, revision: str | None, token: str | None = None) -> Record:
    """The record of a folder or, where there is none of that name, of a repo of the Hub.

    Raises:
        FolderError: there is none that can be read.
        ModelError: the Hub gives no such repo, or the record is too large.
    """
    folder = Path(where).expanduser()
    repo_id = str(where)
    if folder.is_dir() or not ("/" in repo_id and HUB_ID.fullmatch(repo_id)) or repo_id.startswith("."):
        return Record(_read(folder / ABOUT, str(folder)), str(folder), folder)
    snapshot = fetch_small(repo_id, revision, (ABOUT, *WEIGHTS), most=LARGEST_ABOUT, token=token)
    return Record(_read(snapshot / ABOUT, repo_id), repo_id, snapshot, repo_id, snapshot.name)


def _read(file: Path, where: str) -> Mapping[str, Any]:
    try:
        with file.open("rb") as f:
            about = json.loads(f.read(LARGEST_ABOUT).decode("utf-8"))
        if not isinstance(about, dict):
            raise TypeError(f"{type(about).__name__} where an object was wanted")
    except (OSError, ValueError, TypeError, RecursionError) as e:
        why = f"there is no {ABOUT}" if isinstance(e, FileNotFoundError) else f"{type(e).__name__} in {ABOUT}"
        raise FolderError(
            f"{where}: no reviser here ({why}); wanted a folder that save_pretrained wrote, "
            "or a repo of the Hub that push_reviser pushed"
        ) from e
    return about


def _check_names(found: Record, told: Mapping[str, Any]) -> None:
    """Refuse a record that settles what is never taken from a file."""
    taken = FROM_HUB | {"base_url"} if found.is_strange else FROM_FOLDER
    unknown = sorted(set(told) - taken)
    if unknown:
        raise FolderError(
            f"{found.where}: {ABOUT} settles {', '.join(map(repr, unknown))[:200]}, which is not taken from "
            f"{found.origin} (or this version does not know it: pip install --upgrade "
            "hfclean); say it yourself when you load"
        )


def _check_sizes(found: Record, told: Mapping[str, Any], words: Mapping[str, Any]) -> None:
    """Refuse what is longer or larger than anything that a reviser needs: every row would pay for it."""
    sizes = {name: (len(json.dumps(value, ensure_ascii=False)), LONGEST_SETTING) for name, value in told.items()}
    template = told.get("chat_template")
    sizes["chat_template"] = (len(template) if isinstance(template, str) else 0, LONGEST_TEMPLATE)
    sizes["prompt"] = (len(found.about.get("prompt", "")), LONGEST_PROMPT)
    sizes |= {f"prompt {k}": (len(str(one)), LONGEST_SETTING) for k, one in enumerate(words.get("criteria", ()))}
    for name, (size, most) in sizes.items():
        if size > most:
            name = "a criterion" if name.startswith("prompt ") else name
            raise FolderError(
                f"{found.where}: {name} of {ABOUT} has {size:,} characters, longer than anything that hfclean "
                f"follows from others (at most {most:,}); make a reviser of your own with what you want of it"
            )
    if len(words.get("criteria", ())) > MOST_CRITERIA:
        raise FolderError(
            f"{found.where}: {ABOUT} has {len(words['criteria']):,} criteria; wanted at most {MOST_CRITERIA}"
        )
    for name, most in MOST.items():
        value = told.get(name)
        if isinstance(value, (int, float)) and value > most:
            raise FolderError(
                f"{found.where}: {name} of {ABOUT} is {value!r:.40}, and no more than {most:,} is taken from others, "
                "since you pay for it; say it yourself when you load"
            )


def _from_stranger(found: Record, told: dict[str, Any], own: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a file of the Hub that may be followed, and the caller's."""
    url = told.pop("base_url", None)
    scorer = told.get("scored_by")
    if scorer is not None and "scored_by" not in own and not _is_hub_id(scorer):
        raise FolderError(
            f"{found.where}: {ABOUT} has its variants scored by {scorer!r:.80}, which is no Hub id; say which model "
            f"to use: from_pretrained({found.where!r}, scored_by=...)"
        )
    if found.has_weights:
        if not found.repo_id:
            return {**{name: told[name] for name in told if name != "revision"}, "model": str(found.folder)}, own
        return {**told, "model": found.repo_id, "revision": found.commit}, own
    model = told.get("model")
    if not isinstance(model, str) or not model:
        raise FolderError(f"{found.where}: {ABOUT} names no model, and there are no weights beside it")
    if url is not None or "base_url" in own:
        if "base_url" not in own:
            raise FolderError(
                f"{found.where}: made for the model {model!r:.80} on a server of its own. Whom your rows are sent to "
                f"is yours to say: from_pretrained({found.where!r}, base_url=..., model=...)"
                + (
                    ""
                    if found.repo_id
                    else ". A folder of your own that was moved is yours again once it is saved "
                    "anew: that reviser's save_pretrained(FOLDER)"
                )
            )
        return told, own
    if not _is_hub_id(model):
        if "model" not in own:
            raise FolderError(
                f"{found.where}: {ABOUT} names the model {model!r:.80}, which is no Hub id; say which one to use: "
                f"from_pretrained({found.where!r}, model=...)"
            )
        return {**told, "model": own["model"]}, own
    return told, own


def _is_hub_id(name: Any) -> bool:
    """Whether a stranger's word for a model can mean one of the Hub only, and nothing that lies here."""
    if not isinstance(name, str) or not HUB_ID.fullmatch(name):
        return False
    return "/" in name and not name.startswith(".") and not Path(name).exists()
