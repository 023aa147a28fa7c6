"""Pushing: a cleaned folder becomes a private dataset, and a Docker Space at which people decide about its rows.

The rows are not put into the Space: people who may review must be able to open it, so its files are for everybody.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from hfclean.desk.pages import render
from hfclean.desk.space.committed import FILE
from hfclean.desk.space.settings import PEOPLE_KEY, SETTINGS, TOKEN, SpaceSettings
from hfclean.durable import scratch_folder
from hfclean.errors import HfcleanError
from hfclean.hub.dataset import push_dataset
from hfclean.hub.failures import SETTINGS as SETTINGS_OF_TOKENS
from hfclean.hub.failures import HubAccessError, HubError, HubRefusal, Repo, explained
from hfclean.hub.push_plan import PushPlan
from hfclean.hub.pushing import PushOptions, push_files
from hfclean.hub.remote import Patience, Remote, RepoChange, check_token, commit, hub_api, look, read_remote
from hfclean.version import __version__

REQUIREMENT = f"hfclean[review]=={__version__}"
PORT = 7860
DOCKERFILE, README = "Dockerfile", "README.md"
COMMAND = ["python", "-m", "hfclean.desk.space", "--port", str(PORT), "--every", "60"]
OF_ANY = {README, ".gitattributes"}  # what a new Space has
WANTED = re.compile(r"(?!-)[ -~]+\[([\w,-]+,)?review[],][ -~]*", re.ASCII)
WHEEL = re.compile(r"hfclean-[\w.+!-]+\.whl", re.ASCII)
LARGEST_DOCKERFILE = 100_000
VERDICTS_CARD = """---
viewer: false
---

What people decided at the desk of hfclean, a line each, in `{file}`; `hfclean apply` and `hfclean train --verdicts`
read it. Keep this dataset private: it says when each person worked.
"""


@dataclass(frozen=True)
class DeskPlan:
    """What a push makes of three repos, or made.

    Attributes:
        space, rows, verdicts: the repos.
        files: paths in the Space.
        secrets: names of the secrets that are set.
        notes: what else there is to know, and to do.
        problems: what stops the push, one sentence each.
    """

    space: Repo
    rows: Repo
    verdicts: Repo
    files: tuple[str, ...]
    secrets: tuple[str, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeskSpace:
    """A desk that is to be a Space.

    Args:
        folder: that hfclean wrote, with the rows.
        space_id: `NAMESPACE/NAME`, made if it is not there.
        settings: of the desk.
        requirement: how pip gets hfclean in the container: a version, the address of a repository, or a wheel here,
            which is pushed with it.
        public_rows: whether the dataset of the rows may be public.
        space_token: what the Space reads the rows and writes the verdicts with; by default one that is set by hand.
        patience: with failures that may pass.
    """

    folder: Path
    space_id: str
    settings: SpaceSettings
    requirement: str = REQUIREMENT
    public_rows: bool = False
    space_token: str | None = field(default=None, repr=False)
    patience: Patience = field(default_factory=Patience)

    def plan(self, token: str | None = None) -> DeskPlan:
        """What `push` would do. Nothing is pushed.

        Raises:
            HubError: an id that can be none, or a Space or dataset that is not to be touched.
            HfcleanError: the folder or the wheel is not one.
        """
        api, space, rows, verdicts = hub_api(token), *self._repos()
        notes = []
        for repo in (space, rows, verdicts):
            remote, unread = look(api, repo, self.patience)
            self._check(remote)
            notes += [unread] if unread else [] if remote.exists else [f"{repo} is made, {self._visibility(repo)}"]
        with scratch_folder("desk") as scratch:
            shown = push_dataset(
                self.folder,
                rows.id,
                token=token,
                dry_run=True,
                folder=scratch / "rows",
                patience=self.patience,
            )
        problems = shown.problems if isinstance(shown, PushPlan) else ()
        return DeskPlan(space, rows, verdicts, tuple(self.files()), self._secrets(()), tuple(notes), tuple(problems))

    def push(self, token: str | None = None) -> DeskPlan:
        """Push the rows, then the Space with its secrets. After any failure the same may be run again.

        Raises:
            HubError: see `plan`; or the Hub cannot be reached, or refuses.
        """
        api, space, rows, verdicts = hub_api(token), *self._repos()
        contents = self.files()
        check_token(api, space)
        for repo in (space, rows, verdicts):
            with explained(repo, "push to", api):
                self._check_ours(api, repo)
        push_dataset(
            self.folder, rows.id, private=None if self.public_rows else True, token=token, patience=self.patience
        )
        commit(
            api,
            verdicts,
            _with_card,
            message="What people decide",
            private=True,
            create_pr=False,
            patience=self.patience,
        )
        if self.space_token is not None:
            self._check_token()
        with explained(space, "set up", api):
            api.create_repo(space.id, repo_type="space", space_sdk="docker", exist_ok=True)
            held = tuple(api.get_space_secrets(space.id))
            for name in self._secrets(held):
                api.add_space_secret(space.id, name, self._secret(name))
        readme = contents.pop(README)
        assert isinstance(readme, bytes)
        text = readme.decode()
        push_files(
            space,
            api,
            PushOptions(patience=self.patience),
            contents,
            lambda existing: text,
            message=f"The desk of hfclean {__version__}",
            gone=lambda remote: (tuple(p for p in remote.files if WHEEL.fullmatch(p) and p not in contents), ()),
        )
        notes = () if self.space_token or TOKEN in held else (self._to_do(),)
        return DeskPlan(space, rows, verdicts, (README, *contents), self._secrets(held), notes)

    def files(self) -> dict[str, Path | bytes]:
        """The files of the Space by their paths.

        Raises:
            HfcleanError: the requirement is not one, or the wheel is not here.
        """
        wheel = Path(self.requirement).expanduser() if self.requirement.endswith(".whl") else None
        if wheel is not None and not (wheel.is_file() and WHEEL.fullmatch(wheel.name)):
            raise HfcleanError(f"{self.requirement!r} is not a wheel of hfclean that is here; expected hfclean-*.whl")
        wanted = f"./{wheel.name}[review]" if wheel else self.requirement
        if not WANTED.fullmatch(wanted):
            raise HfcleanError(
                f"{wanted[:80]!r} does not bring hfclean with what a desk needs; expected {REQUIREMENT!r}, a wheel "
                "that is here, or 'hfclean[review] @ git+https://...'"
            )
        install = ["pip", "install", "--no-cache-dir", "--user", wanted]
        dockerfile = render(
            "space/Dockerfile.jinja",
            git="git+" in wanted,
            install=_words(install),
            command=_words(COMMAND),
        )
        found: dict[str, Path | bytes] = {README: self._readme(), DOCKERFILE: dockerfile.encode()}
        return found | ({wheel.name: wheel} if wheel else {})

    def _readme(self) -> bytes:
        from yaml import safe_dump

        metadata = {
            "title": "People decide",
            "emoji": "📝",
            "colorFrom": "indigo",
            "colorTo": "green",
            "sdk": "docker",
            "app_port": PORT,
            "hf_oauth": True,
            "hf_oauth_expiration_minutes": 480,
            "pinned": False,
            "tags": ["hfclean"],
            "short_description": "People decide about revised rows",
        }
        content = {
            "metadata": _plain(safe_dump(metadata, sort_keys=False, allow_unicode=True)),
            "named": self.settings.named,
            "space": self.space_id,
        }
        return render("space/README.md.jinja", **content).encode()

    def _repos(self) -> tuple[Repo, Repo, Repo]:
        return Repo(self.space_id, "space"), Repo(self.settings.rows), Repo(self.settings.verdicts)

    def _visibility(self, repo: Repo) -> str:
        if repo.type == "space":
            return (
                "open to everybody: it holds no rows and no names, and only who may review comes behind its first page"
            )
        return "private"

    def _check(self, remote: Remote) -> None:
        """Refuse a repo that is not to be touched."""
        repo = remote.repo
        if repo.type != "space":
            is_rows = repo.id == self.settings.rows
            if remote.private is False and not (is_rows and self.public_rows):
                hint = ", or say --public-rows" if is_rows else ""
                raise HubRefusal(f"{repo} is public; make it private, or name another Space{hint}")
            return
        raw = remote.read(DOCKERFILE, most=LARGEST_DOCKERFILE) or b""
        foreign = sorted(set(remote.files) - OF_ANY)
        if foreign and b"hfclean.desk.space" not in raw:
            raise HubRefusal(f"{repo} exists and is not a desk of hfclean (it has {foreign[0]}); name another Space")

    def _check_ours(self, api: Any, repo: Repo) -> None:
        """Refuse a repo that is not to be touched, or that the token may not write to."""
        remote = self.patience.run(lambda: read_remote(api, repo))
        self._check(remote)
        if remote.exists:
            api.auth_check(repo.id, repo_type=repo.type, write=True)

    def _check_token(self) -> None:
        """Refuse a token with which the Space could not do its work."""
        api = hub_api(self.space_token)
        for repo_id, write in ((self.settings.rows, False), (self.settings.verdicts, True)):
            try:
                with explained(Repo(repo_id), "use", api):
                    api.auth_check(repo_id, repo_type="dataset", write=write)
            except HubError as e:
                may = "write to" if write else "read"
                raise HubAccessError(f"the token for the Space cannot {may} dataset {repo_id!r}: {e}") from e

    def _secrets(self, held: tuple[str, ...]) -> tuple[str, ...]:
        """The names of those that are set; the key of people's names stays what it is, and so do the names."""
        key = () if PEOPLE_KEY in held else (PEOPLE_KEY,)
        return (SETTINGS, *key, *((TOKEN,) if self.space_token else ()))

    def _secret(self, name: str) -> str:
        if name == SETTINGS:
            return self.settings.text()
        return token_hex(32) if name == PEOPLE_KEY else self.space_token or ""

    def _to_do(self) -> str:
        return (
            f"the desk opens once the Space has a secret {TOKEN}, a fine-grained token that reads "
            f"{self.settings.rows} and writes {self.settings.verdicts}: make it at {SETTINGS_OF_TOKENS}, and add it "
            f"at {Repo(self.space_id, 'space').url}/settings; or give it with --space-token-env"
        )


def _with_card(remote: Remote) -> RepoChange:
    """A new dataset of verdicts says what it is; an existing one stays."""
    return RepoChange({} if README in remote.files else {README: VERDICTS_CARD.format(file=FILE).encode()})


def _words(words: list[str]) -> Any:
    """A command as a Dockerfile writes it, which no shell reads."""
    return _plain(json.dumps(words))


def _plain(text: str) -> Any:
    """Text in which nothing is to be escaped."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704  of a file that no browser reads
