"""Pulling: whatever hfclean pushed, as a folder; and the card of a folder as a push would render it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from hfclean.durable import new_folder, scratch_folder
from hfclean.errors import RecordError
from hfclean.folder import check_place, check_target
from hfclean.hub.benchmarks import card_of_benchmarks
from hfclean.hub.dataset import card_of
from hfclean.hub.failures import Repo, RepoError, explained, unseen
from hfclean.hub.loading import pull_dataset
from hfclean.hub.model import card_of_reviser, card_of_rule
from hfclean.hub.preparing import prepare_folder
from hfclean.hub.remote import Patience, hub_api, read_remote
from hfclean.models.weights import is_part
from hfclean.outside_names import as_text
from hfclean.records.common import ABOUT, read_record, record_text
from hfclean.records.reviser import LARGEST_REVISER
from hfclean.records.trust import PULLED
from hfclean.selection.benchmarks import BenchmarkPack

MODEL_FILES = (ABOUT, "linear_rule.json", "README.md")


def pull(
    repo_id: str,
    out: str | Path,
    *,
    revision: str | None = None,
    config_name: str = "default",
    token: str | None = None,
    overwrite: bool = False,
    patience: Patience | None = None,
) -> Path:
    """Download a cleaned dataset, a reviser or a linear rule as a folder; a dataset if there are both of that name.

    Of a model only data is taken: JSON, tokenizer files, safetensors, the card. The record of a reviser says where it
    came from, and is read as strictly from the folder as from the Hub.

    Raises:
        RepoError: there is nothing of this name that hfclean pushed.
        FolderError: the folder already exists.
    """
    patience, api = patience or Patience(), hub_api(token)
    repo = Repo(repo_id, "model", revision)
    with explained(Repo(repo_id), "look for", api):
        is_dataset = patience.run(lambda: read_remote(api, Repo(repo_id))).exists
    if is_dataset:
        return pull_dataset(
            repo_id,
            out,
            revision=revision,
            config_name=config_name,
            token=token,
            overwrite=overwrite,
            patience=patience,
        )
    out = Path(out).expanduser()
    check_target(out, overwrite=overwrite)
    with explained(repo, "download", api):
        remote = patience.run(lambda: read_remote(api, repo))
        names = sorted(path for path in remote.files if path in MODEL_FILES or is_part(path))
        if not remote.exists:
            raise RepoError(
                f"cannot download {repo_id!r}: there is no such dataset and no such model, or it is private and "
                f"{unseen(api)}"
            )
        if not {ABOUT, "linear_rule.json"} & set(names):
            raise RepoError(
                f"{repo} holds no reviser and no rule of hfclean; hf download {repo_id} gets what it holds"
            )
        if ABOUT in names and remote.files[ABOUT].size > LARGEST_REVISER:
            raise RepoError(f"{ABOUT} of {repo} has more than {LARGEST_REVISER:,} bytes, and no reviser's has")
        folder = patience.run(lambda: api.snapshot_download(repo_id, revision=remote.commit, allow_patterns=names))
    with new_folder(out, overwrite=overwrite) as place:
        for name in names:
            shutil.copyfile(Path(folder) / name, place / name)
        if ABOUT in names:
            _mark(place, f"{repo_id}@{remote.commit}")
        check_place(out, overwrite=overwrite)
    return out


def _mark(folder: Path, where: str) -> None:
    """Say in the record of a reviser where it came from."""
    try:
        record = read_record(folder)
    except RecordError as e:
        raise RepoError(f"{ABOUT} of {where} {e}; push the reviser again") from e
    (folder / ABOUT).write_text(record_text({**record, PULLED: where}), encoding="utf-8")


def render_card(
    folder: Path,
    repo_id: str = "",
    *,
    kind: str,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
) -> str:
    """The card of a folder as a push to a new repo would render it. Reaches no network.

    Args:
        kind: `dataset`, `reviser`, `rule` or `pack` (of benchmarks).
    """
    name = repo_id or as_text(folder.resolve().name)
    if kind == "rule":
        return card_of_rule(folder, name, license=license, language=language)
    if kind == "pack":
        return card_of_benchmarks(BenchmarkPack.load(folder), name, license=license, language=language)
    if kind == "reviser":
        return card_of_reviser(folder, name, license=license, language=language)
    with scratch_folder("card") as scratch:
        prepared = prepare_folder(folder, scratch, False, ())
        return card_of(prepared, None, name, "default", license, language)
