"""Cleaned datasets from the Hub: rows with their report, or the whole folder. What a repo says is checked."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hfclean.durable import new_folder
from hfclean.errors import FolderError, SourceError
from hfclean.folder import LEDGER, REFUSED, check_place, check_target, read_folder
from hfclean.hub.failures import Repo, RepoError, explained
from hfclean.hub.record import folder_of, read_about, with_edits, with_refused
from hfclean.hub.remote import Patience, Remote, hub_api, read_remote
from hfclean.hub_id import is_hub_id
from hfclean.limits import check_unpacked
from hfclean.ownership import file_hash
from hfclean.records.common import ABOUT, LARGEST_RECORD
from hfclean.records.dataset import About
from hfclean.report import Report


def load_cleaned(
    repo_id: str | Path,
    *,
    revision: str | None = None,
    config_name: str = "default",
    split: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    patience: Patience | None = None,
) -> tuple[Any, Report]:
    """A cleaned dataset of the Hub, or of a folder here, and its report; `hfclean.restore` works on it.

    Args:
        repo_id: what `push_dataset` pushed to, or a folder that `hfclean clean --out` or `Cleaned.save` wrote.
            Where both are there, the folder is read, as `load_dataset` does, unless a revision is given.
        revision: branch, tag or commit.
        config_name: as it was pushed.
        split: one split only: gives a `Dataset` instead of a `DatasetDict`. The report is that of all.
        token: of the Hub; by default that of `hf auth login` or HF_TOKEN.
        cache_dir: where rows are unpacked; the usual cache of `datasets` by default.

    Raises:
        RepoError: there is no such repo, or it holds nothing that hfclean pushed, or not as it was pushed.
        FolderError: the folder is not one that hfclean wrote, or damaged.
        HubError: the Hub cannot be reached, or refuses.
    """
    from datasets import load_dataset

    if revision is None and _is_here(repo_id):
        return _of_folder(Path(repo_id).expanduser(), split, cache_dir)
    repo_id = str(repo_id)
    remote, about, figures = _look(Repo(repo_id, "dataset", revision), config_name, token, patience)
    data = about.data_files()
    if split is not None and split not in data:
        raise RepoError(f"{remote.repo} has no split {split!r} that hfclean pushed; it has {', '.join(data)}")
    wanted = [name for s, names in data.items() if split in (None, s) for name in names]
    beside = [name for name in (LEDGER, REFUSED) if name in about.files]
    local = _fetch(remote, about, folder_of(config_name), [*wanted, *beside], patience)
    places = {s: [local[name] for name in names] for s, names in data.items() if split in (None, s)}
    ds = load_dataset(
        "parquet",
        data_files={s: [str(file) for file in files] for s, files in places.items()},
        cache_dir=str(cache_dir) if cache_dir else None,
    )
    counts = {s.split: s.after for s in figures.splits}
    for name, part in ds.items():
        if len(part) != counts.get(name):
            raise RepoError(
                f"{remote.repo}: the split {name!r} has {len(part):,} rows, its record says {counts.get(name)}; it "
                "was changed after it was pushed"
            )
    report = with_refused(with_edits(figures, local.get(LEDGER), places, about.layout), local.get(REFUSED))
    return (ds if split is None else ds[split]), report


def _is_here(name: str | Path) -> bool:
    folder = Path(name).expanduser()
    return isinstance(name, Path) or (folder / ABOUT).is_file() or (folder.is_dir() and not is_hub_id(name))


def _of_folder(folder: Path, split: str | None, cache_dir: str | Path | None) -> tuple[Any, Report]:
    from datasets.fingerprint import get_temporary_cache_files_directory

    read = read_folder(folder, cache_dir=Path(cache_dir or get_temporary_cache_files_directory()))
    if split is not None and split not in read.dataset:
        raise FolderError(f"{str(folder)!r} has no split {split!r}; it has {', '.join(read.dataset)}")
    _, figures = read_about(folder, f"{ABOUT} of {str(folder)!r}")
    places = {s: sorted(folder.glob(f"data/{s}-*.parquet")) for s in read.dataset if split in (None, s)}
    ledger, refused = (file if file.is_file() else None for file in (folder / LEDGER, folder / REFUSED))
    report = with_refused(with_edits(figures, ledger, places, read.layout), refused)
    return (read.dataset if split is None else read.dataset[split]), report


def pull_dataset(
    repo_id: str,
    out: str | Path,
    *,
    revision: str | None = None,
    config_name: str = "default",
    token: str | None = None,
    overwrite: bool = False,
    patience: Patience | None = None,
) -> Path:
    """Download a cleaned dataset as the folder that `hfclean why`, `undo` and `push` work on.

    Args:
        out: the folder; made, or replaced with `overwrite` if hfclean wrote it. It is written whole or not at all.

    Raises:
        RepoError: there is no such repo, or it holds nothing that hfclean pushed.
        FolderError: the folder already exists.
    """
    out = Path(out).expanduser()
    check_target(out, overwrite=overwrite)
    remote, about, _ = _look(Repo(repo_id, "dataset", revision), config_name, token, patience)
    below = folder_of(config_name)
    local = _fetch(remote, about, below, list(about.files), patience)
    with explained(remote.repo, "read", remote.api):
        card = (patience or Patience()).run(lambda: remote.read("README.md", most=LARGEST_RECORD))
        record = (patience or Patience()).run(lambda: remote.read(below + ABOUT, most=LARGEST_RECORD))
    with new_folder(out, overwrite=overwrite) as folder:
        for name, file in local.items():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(file, folder / name)
        (folder / ABOUT).write_bytes(record or b"")
        if card is not None:
            (folder / "README.md").write_bytes(card)
        check_place(out, overwrite=overwrite)
    return out


def _look(repo: Repo, config_name: str, token: str | None, patience: Patience | None) -> tuple[Remote, About, Report]:
    """A repo at one commit, and its record."""
    patience, api = patience or Patience(), hub_api(token)
    with explained(repo, "read", api):
        remote = patience.run(lambda: read_remote(api, repo))
        if not remote.exists:
            other = patience.run(lambda: api.repo_exists(repo.id, repo_type="model"))
            if other:
                raise RepoError(
                    f"{repo.id!r} is a model, not a dataset; a reviser is read with hfclean.Reviser.from_pretrained"
                )
            api.repo_info(repo.id, repo_type="dataset")  # its error says why
        if remote.commit is None:
            raise RepoError(f"{repo} is not there; look at its branches, tags and commits")
        raw = patience.run(lambda: remote.read(folder_of(config_name) + ABOUT, most=LARGEST_RECORD))
    if raw is None:
        raise RepoError(
            f"{repo} has no {folder_of(config_name)}{ABOUT}, so hfclean pushed nothing there"
            + ("" if config_name == "default" else f" as {config_name!r}")
            + f"; load_dataset({repo.id!r}) reads what it holds"
        )
    about, report = read_about(raw, f"{folder_of(config_name)}{ABOUT} of {repo}")
    if not about.data_files():
        raise RepoError(f"{repo}: its record names no data; push the dataset again")
    if not report.rows_changed and folder_of(config_name) + LEDGER not in remote.files:  # an empty one is not pushed
        about = replace(about, files={name: digest for name, digest in about.files.items() if name != LEDGER})
    return remote, about, report


def _fetch(
    remote: Remote, about: About, below: str, names: list[str], patience: Patience | None
) -> Mapping[str, Path]:
    """Files of a repo, downloaded and compared with their hashes."""
    missing = [name for name in names if below + name not in remote.files]
    if missing:
        raise RepoError(
            f"{remote.repo} has no {below}{missing[0]}, which its record names: something else was pushed there. "
            f"load_dataset({remote.repo.id!r}) reads what it holds"
        )
    with explained(remote.repo, "download", remote.api):
        folder = (patience or Patience()).run(
            lambda: remote.api.snapshot_download(
                remote.repo.id,
                repo_type=remote.repo.type,
                revision=remote.commit,
                allow_patterns=[below + name for name in names],
            )
        )
    paths = {name: Path(folder) / below / name for name in names}
    for name, file in paths.items():
        if file_hash(file) != about.files[name]:
            raise RepoError(
                f"{below}{name} of {remote.repo} is not what was pushed (its SHA-256 differs); it was changed after it"
            )
    try:
        check_unpacked(
            file for name, file in paths.items() if name.endswith(".parquet") and name not in (LEDGER, REFUSED)
        )
    except SourceError as e:
        raise RepoError(f"{remote.repo}: {e}") from e
    return paths
