"""Benchmark packs to the Hub: numbers that a test set is recognized by, without its text, as a dataset repo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from hfclean.cards.card import place_section
from hfclean.cards.metadata import open_card, size_category
from hfclean.hub.failures import Repo
from hfclean.hub.push_plan import PushPlan
from hfclean.hub.pushing import PushKeywords, PushOptions, push_files
from hfclean.hub.remote import Pushed, hub_api
from hfclean.report.formatting import count, one_line
from hfclean.selection.benchmarks import DATA, BenchmarkPack


def push_benchmarks(
    pack: BenchmarkPack | str | Path,
    repo_id: str,
    *,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    token: str | None = None,
    **keywords: Unpack[PushKeywords],
) -> Pushed | PushPlan:
    """Push a benchmark pack to the Hub as a dataset, in one commit: its numbers, what they are, and a card.

    No text of the benchmark is pushed. `hfclean.decontaminate(ds, against=[repo_id])` takes it, and
    `hfclean.selection.BenchmarkPack.load(repo_id)` reads it.

    Args:
        pack: the pack, or a folder that `save` wrote.
        repo_id: `NAMESPACE/NAME`; made if it is not there.
        license, language, token, keywords: as `push_dataset`.

    Raises:
        SourceError: the folder holds no pack.
        HubError: see `push_dataset`.
    """
    options = PushOptions(**keywords)
    repo = Repo(repo_id, "dataset", options.revision)
    loaded = pack if isinstance(pack, BenchmarkPack) else BenchmarkPack.load(Path(pack).expanduser())

    def card(existing: str | None) -> str:
        return card_of_benchmarks(loaded, repo_id, existing=existing, license=license, language=language)

    message = f"Benchmark pack of {', '.join(loaded.items)}"[:200]
    return push_files(repo, hub_api(token), options, dict(loaded.files()), card, message=message)


def card_of_benchmarks(
    pack: BenchmarkPack,
    name: str,
    *,
    existing: str | None = None,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
) -> str:
    """The card of a pack, as `push_benchmarks` would render it."""
    data, body = open_card(existing, license, language)
    data.extend("tags", ("hfclean", "decontamination"))
    data["size_categories"] = [size_category(len(pack.entries))]
    data["configs"] = [{"config_name": "default", "data_files": [{"split": "train", "path": DATA}]}]
    table = "\n".join(f"| {_cell(each)} | {count(items)} |" for each, items in pack.items.items())
    text = f"""Numbers by which hfclean recognizes the items of benchmarks in \
training data. Each stands for a run of 3, 8 or 13 words; the text itself is not here.

| benchmark | items |
| --- | ---: |
{table}

```python
import hfclean

ds = ds.select(hfclean.decontaminate(ds, against=["{name}"]))
```

The numbers hide the text from readers and from training. They do not hide it from somebody who has a guess of it:
a guess can be hashed and compared; short items are the easiest to guess."""
    return f"---\n{data.text()}---\n{place_section(body, text, name)}"


def _cell(text: str) -> str:
    line = one_line(text, 80)
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-!|~&" else c for c in line)
