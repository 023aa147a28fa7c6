"""Datasets of the Hub; `datasets` downloads their files into its own cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hfclean.errors import SchemaError, SourceError
from hfclean.limits import check_unpacked
from hfclean.schema import Columns
from hfclean.source.files import read_texts
from hfclean.source.folders import check_addresses, is_plain, rows_elsewhere, separator_of
from hfclean.source.missing import ask_for
from hfclean.source.opening import LOADERS, opened
from hfclean.source.source import Source, as_dict, fingerprint_of, reason_of


def read_hub(repo_id: str, split: str | None, config: str | None, columns: Columns) -> Source:
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    ask_for(repo_id)
    try:
        _check_card(repo_id)
        builder = load_dataset_builder(repo_id, config)
        _check_hub_files(builder, repo_id)
        if is_plain(builder):
            notes, dataset = _downloaded(builder, repo_id, columns)
        else:
            builder.download_and_prepare()
            notes, dataset = (), as_dict(builder.as_dataset(split), split)
    except DatasetNotFoundError as e:
        raise SourceError(
            f"no file, folder or Hub dataset {repo_id!r} that can be read from here ({reason_of(e)}). A local file "
            f"needs its suffix ({', '.join(LOADERS)}); a private or gated dataset needs a login: hf auth login"
        ) from e
    except (ConnectionError, OSError) as e:
        raise SourceError(
            f"the Hub cannot be reached for {repo_id!r} ({reason_of(e)}), and no local file has that name"
        ) from e
    except (SchemaError, SourceError):
        raise
    except (DatasetGenerationError, ValueError) as e:
        raise SourceError(f"the Hub dataset {repo_id!r} cannot be read: {reason_of(e)}") from e
    try:
        commit = str(HfApi().dataset_info(repo_id).sha)
        card = Path(hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=commit)).read_text("utf-8")
    except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError) as e:
        note = (
            f"the card of {repo_id} could not be fetched ({type(e).__name__}); license and language are unknown here"
        )
        return Source(dataset, repo_id, "hub", fingerprint_of(dataset), None, (*notes, note))
    return Source(dataset, repo_id, "hub", commit, card, notes)


def _check_card(repo_id: str) -> None:
    """Refuse a Hub dataset whose card says that its rows are elsewhere, before `datasets` asks there.

    Raises:
        SourceError: it names the address.
    """
    from datasets.config import REPOCARD_FILENAME, REPOYAML_FILENAME
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    for name in (REPOCARD_FILENAME, REPOYAML_FILENAME):
        try:
            file = hf_hub_download(repo_id, name, repo_type="dataset")
        except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError):
            continue  # it has none, or cannot be reached, of which `datasets` says why
        check_addresses(Path(file).parent, repo_id)


def _check_hub_files(builder: Any, repo_id: str) -> None:
    """Refuse a Hub dataset with files that are not in it, or with parquet that unpacks to more than rows would.

    Raises:
        SourceError: it names the file.
    """
    from datasets.config import DATASET_INFO_FILENAME

    files = builder.config.data_files or {}
    for url in (str(url) for found in files.values() for url in found):
        if not url.startswith(f"hf://datasets/{repo_id}@") or ".." in url.split("/"):
            raise rows_elsewhere(repo_id, url)
    is_prepared = (Path(builder.cache_dir) / DATASET_INFO_FILENAME).is_file()
    if type(builder.config).__name__ == "ParquetConfig" and not is_prepared:
        for local in _fetched(builder).values():
            check_unpacked(local)


def _fetched(builder: Any) -> dict[str, list[Path]]:
    """The files of a Hub dataset by split, downloaded into the usual cache."""
    from datasets import DownloadConfig, DownloadManager

    download = DownloadConfig(cache_dir=str(Path(builder.cache_dir) / "downloads"), token=builder.token)
    manager = DownloadManager(dataset_name=builder.dataset_name, download_config=download, base_path=builder.base_path)
    return {
        str(split): [Path(file) for file in manager.download(list(urls))]
        for split, urls in (builder.config.data_files or {}).items()
    }


def _downloaded(builder: Any, name: str, columns: Columns) -> tuple[tuple[str, ...], Any]:
    """The JSON or CSV files of a Hub dataset, read here; they stay in the cache of `datasets`."""
    parts, local = {}, _fetched(builder)
    for split, urls in builder.config.data_files.items():
        names = [str(url).rpartition("/")[2] for url in urls]
        paths = zip(local[str(split)], names, strict=True)
        parts[str(split)] = [file for path, each in paths for file in opened(path, each)]
    read = read_texts(parts, name, columns, Path(builder.cache_dir), separator_of(builder))
    return read.notes, read.dataset
