"""What is said of a name under which nothing is found: a path with a typo, or a dataset that the Hub does not have."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from hfclean.errors import SourceError
from hfclean.hub_id import is_hub_id
from hfclean.outside_names import as_text
from hfclean.source.opening import COMPRESSIONS, LOADERS

EXPECTED = f"a {', '.join(LOADERS)} file (which may be compressed: {', '.join(COMPRESSIONS)}), a folder or a Hub id"
# what a file with data may end in beside what is read here; ids of the Hub end in versions, such as .1
OTHERS = (
    *(".arrow", ".avro", ".db", ".feather", ".jsonlines", ".log", ".md", ".orc", ".pkl", ".rar", ".sqlite", ".tar"),
    *(".tgz", ".txt", ".xls", ".xlsx", ".yaml", ".yml"),
)
LISTED = 2000  # entries of a folder that are looked at
NEAR = 0.75
ASK_S = 10


def refuse_path(where: str) -> None:
    """Refuse a name that can only be meant as a path on this machine, where nothing is; the Hub is not asked.

    That is what has no form of a Hub id (`./rows`, `a/b/c`, `~/rows`), ends as files with data do, or would lie in a
    folder of this machine that holds something of a similar name.

    Raises:
        SourceError: it names what is similar.
    """
    path = Path(where).expanduser()
    near = near_names(path)
    suffix = path.suffix.lower()
    data = suffix in (*COMPRESSIONS, *OTHERS) or get_close_matches(suffix, LOADERS, 1, NEAR)
    if data or not is_hub_id(where):
        raise SourceError(f"no file or folder {where!r}{meant(near)}; expected {EXPECTED}")
    if "/" in where and near:
        raise SourceError(
            f"no file or folder {where!r}, and {path.parent.name!r} is a folder here{meant(near)}. If the dataset of "
            "the Hub is meant, run this in another folder"
        )


def near_names(path: Path) -> list[str]:
    """What there is of a similar name where a path leads: beside it, or beside the first folder that is missing."""
    while not path.parent.is_dir() and path.parent != path:
        path = path.parent
    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), LISTED) if not entry.name.startswith(".")]
    except OSError:
        return []
    known = {key: name for name in sorted(names) for key in (name.lower(), name.lower().partition(".")[0])}
    found = dict.fromkeys(known[key] for key in get_close_matches(path.name.lower(), known, 3, NEAR))
    return [as_text(str(path.parent / name)) for name in found]


def meant(near: list[str]) -> str:
    """` (did you mean 'rows.jsonl'?)`, or nothing."""
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


def ask_for(repo_id: str) -> None:
    """Ask the Hub once whether it has a dataset, before `datasets` asks for its parts again and again.

    Where the Hub is out of reach, what was loaded before can still be read.

    Raises:
        SourceError: the Hub has none, or is out of reach and nothing of that dataset is on this machine.
    """
    from datasets import config
    from huggingface_hub import HfApi, errors

    transport: Any = getattr(errors, "HTTPError", errors.HfHubHTTPError)
    near = meant(near_names(Path(repo_id)))
    try:
        HfApi(endpoint=config.HF_ENDPOINT).dataset_info(repo_id, timeout=ASK_S)
    except errors.GatedRepoError:
        return  # it is there; what may not be read is said later
    except errors.RepositoryNotFoundError as e:
        raise SourceError(
            f"no file, folder or Hub dataset {repo_id!r} that can be read from here{near}. A local file needs its "
            f"suffix ({', '.join(LOADERS)}); a private or gated dataset needs a login: hf auth login"
        ) from e
    except errors.HfHubHTTPError:
        return  # it may be a passing one: whoever loads it tries again
    except (OSError, transport) as e:
        if not _is_here(repo_id):
            raise SourceError(
                f"the Hub cannot be reached for {repo_id!r} ({type(e).__name__}), and no local file has that "
                f"name{near}"
            ) from e


def _is_here(repo_id: str) -> bool:
    """Whether something of a dataset of the Hub is in one of the caches."""
    from datasets import config
    from datasets.naming import camelcase_to_snakecase
    from huggingface_hub.constants import HF_HUB_CACHE

    namespace, _, name = repo_id.rpartition("/")
    prepared = "___".join(filter(None, (namespace, camelcase_to_snakecase(name))))
    files = "--".join(("datasets", *filter(None, (namespace, name))))
    return Path(config.HF_DATASETS_CACHE, prepared).is_dir() or Path(HF_HUB_CACHE, files).is_dir()
