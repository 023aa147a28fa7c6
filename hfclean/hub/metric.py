"""Metrics to the Hub: a module of `hfclean.metrics` as a Space, which `evaluate.load` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from hfclean.hub.failures import Repo
from hfclean.hub.push_plan import PushPlan
from hfclean.hub.pushing import PushKeywords, PushOptions, push_files
from hfclean.hub.remote import Pushed, hub_api
from hfclean.metrics.modules import REQUIREMENT, space_files

README = "README.md"


def push_metric(
    name: str,
    repo_id: str,
    *,
    requirement: str = REQUIREMENT,
    license: str = "apache-2.0",
    token: str | None = None,
    **keywords: Unpack[PushKeywords],
) -> Pushed | PushPlan:
    """Push a metric to the Hub as a Space in one commit: script, demo, requirements and README.

    `evaluate.load(repo_id)` reads it. The README of an existing Space is replaced.

    Args:
        name: a key of `hfclean.metrics.MODULES`: `win_rate`, `revision_quality`, `ifd_summary` or `agreement`.
        repo_id: `NAMESPACE/NAME`; made as a Space if it is not there.
        requirement: how pip gets hfclean in the Space: a version, or the address of a repository.
        license: of the Space.
        token, keywords: as `push_dataset`.

    Raises:
        HfcleanError: there is no such metric.
        HubError: see `push_dataset`.
    """
    options = PushOptions(**keywords)
    repo = Repo(repo_id, "space", options.revision)
    files: dict[str, Path | bytes] = dict(space_files(name, repo_id, requirement=requirement, license=license))
    readme = files.pop(README)
    assert isinstance(readme, bytes)
    text, message = readme.decode("utf-8"), f"The metric {name} of hfclean"
    return push_files(repo, hub_api(token), options, files, lambda existing: text, message=message)
