"""Metrics to the Hub: a module of `hfclean.metrics` as a Space, which `evaluate.load` reads."""

from __future__ import annotations

from pathlib import Path

from hfclean.hub.failures import Repo
from hfclean.hub.push_plan import PushPlan
from hfclean.hub.pushing import Target, push_files
from hfclean.hub.remote import Patience, Pushed
from hfclean.metrics.modules import REQUIREMENT, space_files

__all__ = ["push_metric"]

README = "README.md"


def push_metric(
    name: str,
    repo_id: str,
    *,
    requirement: str = REQUIREMENT,
    license: str = "apache-2.0",
    private: bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    token: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
    folder: str | Path | None = None,
    patience: Patience | None = None,
) -> Pushed | PushPlan:
    """Push a metric to the Hub as a Space in one commit: script, demo, requirements and README.

    `evaluate.load(repo_id)` reads it. The README of a Space that is there already is replaced.

    Args:
        name: a key of `hfclean.metrics.MODULES`: `win_rate`, `revision_quality`, `ifd_summary` or `agreement`.
        repo_id: `NAMESPACE/NAME`; made as a Space if it is not there.
        requirement: how pip gets hfclean in the Space: a version, or the address of a repository.
        license: of the Space.
        private, revision, create_pr, token, message, dry_run, folder, patience: as `push_dataset`.

    Raises:
        HfcleanError: there is no such metric.
        HubError: see `push_dataset`.
    """
    repo = Repo(repo_id, "space", revision)
    files: dict[str, Path | bytes] = dict(space_files(name, repo_id, requirement=requirement, license=license))
    readme = files.pop(README)
    assert isinstance(readme, bytes)
    text = readme.decode("utf-8")
    target = Target(
        repo,
        message or f"The metric {name} of hfclean",
        token,
        private,
        create_pr,
        (),
        dry_run,
        Path(folder).expanduser() if folder else None,
        patience or Patience(),
    )
    return push_files(target, files, lambda existing: text)
