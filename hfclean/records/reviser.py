"""The record of a reviser: its class, version and settings, in a folder or a repo of the Hub, as plain values.

What a record says is checked here before the class of the reviser sees it; see `trust` for what may come from a
stranger. The record of a `RuleReviser` names rules and their versions and holds no code: what a rule does is in
hfclean, and a record that was made with other rules than those here is refused, since it would give other results.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hfclean.durable import write_text
from hfclean.errors import FolderError, HfcleanError, RecordError
from hfclean.hub_id import is_hub_id
from hfclean.limits import check_inside
from hfclean.models.weights import fetch_small
from hfclean.ownership import claim, is_own
from hfclean.records.common import ABOUT, read_record, record_text
from hfclean.records.trust import (
    WEIGHTS,
    Record,
    Setting,
    check_forms,
    check_names,
    check_sizes,
    settings_for_stranger,
)

LARGEST_REVISER = 10_000_000  # bytes; mostly hashes of the pairs that taught it, 16 bytes each


def write_reviser(record: Mapping[str, Any], folder: str | Path) -> Path:
    """Write a record into a folder, which is created if it does not exist.

    Raises:
        FolderError: it is too large to be read back.
    """
    text = record_text(record)
    if len(text.encode("utf-8", "replace")) > LARGEST_REVISER:
        raise FolderError(
            f"the record of this reviser has {len(text):,} characters, and no more than {LARGEST_REVISER:,} bytes are "
            "read; most of it are hashes of the pairs that taught it: train on fewer, with alpha="
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / ABOUT, text)
    claim(folder)
    return folder


def find_record(where: str | Path, revision: str | None, token: str | None = None) -> Record:
    """The record of a folder or, where there is none of that name, of a repo of the Hub.

    Raises:
        FolderError: there is none that can be read.
        ModelError: the Hub gives no such repo, or the record is too large.
    """
    folder = Path(where).expanduser()
    repo_id = str(where)
    if folder.is_dir() or not is_hub_id(repo_id, namespace=True):
        if not is_own(folder):
            check_inside(folder, [folder / ABOUT])
        return Record(_read(folder, str(folder)), str(folder), folder)
    snapshot = fetch_small(repo_id, revision, (ABOUT, *WEIGHTS), most=LARGEST_REVISER, token=token)
    return Record(_read(snapshot, repo_id), repo_id, snapshot, repo_id, snapshot.name)


def _read(folder: Path, where: str) -> Mapping[str, Any]:
    try:
        return read_record(folder, LARGEST_REVISER)
    except (OSError, RecordError) as e:
        why = f"{ABOUT} {e}" if isinstance(e, RecordError) else f"{type(e).__name__} in {ABOUT}"
        why = f"there is no {ABOUT}" if isinstance(e, FileNotFoundError) else why
        raise FolderError(
            f"{where}: no reviser here ({why}); expected a folder that save_pretrained wrote, "
            "or a repo of the Hub that push_reviser pushed"
        ) from e


def training_beside(model: str) -> Mapping[str, Any]:
    """How a model was trained, where a record beside its weights says so."""
    folder = Path(model).expanduser()
    if not (folder / ABOUT).is_file():
        return {}
    training = _read(folder, str(folder)).get("training")
    return training if isinstance(training, dict) else {}


def check_kind(record: Record, name: str) -> None:
    """Refuse a record of another class.

    Raises:
        FolderError: it names the class that is stated.
    """
    kind = record.about.get("reviser")
    if kind is None:
        raise FolderError(
            f"{record.where}: no reviser here (its {ABOUT} describes none); a cleaned dataset is read with "
            "hfclean.load_cleaned or load_dataset"
        )
    if kind != name:
        kind = kind if isinstance(kind, str) and kind.isidentifier() else "something else"
        raise FolderError(f"{record.where}: holds a {kind:.40}; read it with hfclean.{kind:.40}.from_pretrained")


def check_version(record: Record, known: int) -> None:
    """Refuse a record of a reviser that this version of hfclean cannot reproduce.

    Raises:
        FolderError: it is newer, or names no version.
    """
    stated = record.about.get("version")
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < 1:
        raise FolderError(
            f"{record.where}: {ABOUT} names the version {stated!r:.40}; expected a whole number from 1 on"
        )
    if stated > known:
        raise FolderError(
            f"{record.where}: made with version {stated!r:.20} of its kind, and this hfclean knows up to {known}: "
            "pip install --upgrade hfclean"
        )


def read_words(record: Record, codec: int, read: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """The settings that a record holds beside `settings`, as `read` takes them from it.

    Args:
        codec: the form of pairs that this version reads.

    Raises:
        FolderError: there is none of them, or pairs are in another form.
    """
    about = record.about
    try:
        stated, _ = about["codec"], dict(about["settings"])
        if not isinstance(about.get("prompt", ""), str):
            raise TypeError("prompt")
        words = read(about) if stated == codec else {}
    except (ValueError, TypeError, KeyError, HfcleanError) as e:
        raise FolderError(
            f"{record.where}: no reviser here ({type(e).__name__} in {ABOUT}); expected what save_pretrained wrote"
        ) from e
    if stated != codec:
        raise FolderError(
            f"{record.where}: pairs in form {stated!r:.20}, and this version of hfclean reads form {codec}; install "
            "the version that the reviser's card names"
        )
    return words


def stated_settings(
    record: Record,
    known: Mapping[str, Setting],
    given: Mapping[str, Any],
    words: Mapping[str, Any],
) -> dict[str, Any]:
    """The settings that a record states, checked.

    Args:
        known: what a file may state; see `settings_of`.
        given: the caller's settings, which override the record's.
        words: what `read_words` gave.

    Raises:
        FolderError: a setting is never taken from such a file, is invalid, or is too long or too large.
    """
    stated = {name: value for name, value in record.about["settings"].items() if name not in given or name in known}
    followed = {name: value for name, value in stated.items() if name not in given}
    check_names(record, followed, known)
    check_forms(record, followed, known)
    if record.is_strange:
        check_sizes(record, followed, known, words)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stated.items()}


def model_settings(
    record: Record, stated: Mapping[str, Any], given: Mapping[str, Any], revision: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a reviser that asks a model: those of its record that are followed, and the caller's.

    Raises:
        FolderError: only the caller may say where rows are sent.
    """
    stated, given = dict(stated), dict(given)
    if record.is_strange:
        stated, given = settings_for_stranger(record, stated, given)
    elif record.has_weights:
        stated["model"] = str(record.folder)
        stated.pop("base_url", None)
    if not record.repo_id and revision is not None:
        given["revision"] = revision  # of the model that a folder names
    return stated, given


def check_rules(
    record: Record, stated: Mapping[str, Any], here: Mapping[str, int], settings: Mapping[str, Any]
) -> None:
    """Refuse a record of other rules than those that would run here.

    Raises:
        FolderError: it names some of the rules that differ.
    """
    if dict(stated) == dict(here):
        return
    names = sorted({*stated, *here}, key=str)
    odd = [name for name in names if stated.get(name) != here.get(name)]
    listed = "; ".join(f"{name!r:.40}: there {stated.get(name)!r:.20}, here {here.get(name)!r}" for name in odd[:3])
    raise FolderError(
        f"{record.where}: made with other versions of {len(odd):,} rules than this hfclean has ({listed}), so it "
        "would give other results. Install the version that its card names, or make it again with the rules of this "
        f"version: hfclean.RuleReviser({', '.join(f'{name}={value!r}' for name, value in settings.items())})"
    )


@contextmanager
def building(record: Record) -> Iterator[None]:
    """Within the block, errors of a reviser's class about the settings of a record become a `FolderError`."""
    try:
        yield
    except (TypeError, KeyError) as e:
        raise FolderError(f"{record.where}: {ABOUT} has settings that this version does not know ({e})") from e
    except (ValueError, HfcleanError) as e:
        raise FolderError(f"{record.where}: {ABOUT} has an invalid setting: {str(e)[:300]}") from e
