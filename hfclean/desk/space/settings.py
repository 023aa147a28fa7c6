"""Settings: what a Space is told. They name people and private repos, so they are a secret and not a file."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, NamedTuple

from hfclean.desk.desk import Seat
from hfclean.desk.queue import Order, Selection
from hfclean.errors import HfcleanError, SourceError

SETTINGS = "HFCLEAN_DESK"
PEOPLE_KEY = "HFCLEAN_PEOPLE_KEY"
TOKEN = "HF_TOKEN"  # noqa: S105  the name of a variable
ORDERS = ("revised", "all", "refused", "uncertain")
GIVEN = {  # what the Hub puts into the environment of a container -> where it comes from
    "SPACE_HOST": "the Hub gives it to every Space",
    "OPENID_PROVIDER_URL": "hf_oauth: true in the README.md of the Space brings it",
    "OAUTH_CLIENT_ID": "hf_oauth: true in the README.md of the Space brings it",
    "OAUTH_CLIENT_SECRET": "hf_oauth: true in the README.md of the Space brings it",
    SETTINGS: "hfclean review DIR --space sets it as a secret",
    PEOPLE_KEY: "hfclean review DIR --space sets it as a secret",
    TOKEN: "add it as a secret: a token that reads the rows and writes the verdicts",
}


class Person(NamedTuple):
    """Somebody whom the Hub knows.

    Attributes:
        id: of the account, which stays when it is renamed.
        name: of the account.
        organizations: names of those that the person is a member of.
    """

    id: str
    name: str
    organizations: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpaceSettings:
    """What a Space is told.

    Args:
        rows: dataset of the Hub that holds the rows.
        verdicts: private dataset that the decisions go to.
        reviewers: Hub names of those who may review: people, and organizations whose members may. The Hub gives a name
            to one of both alone.
        owners: the same of those who settle what others decided.
        named: whether decisions carry Hub names; else a name that says nothing, the same for a person each time.
        order, sample, rule: see `Selection`.
        blind, controlled, doubled, without: see `Seat`.
        gold: the share of planted rows.
    """

    rows: str
    verdicts: str
    reviewers: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    named: bool = False
    order: Order = "revised"
    sample: float = 0.0
    rule: str = ""
    blind: bool = False
    controlled: float = 0.1
    doubled: float = 0.0
    without: float = 0.0
    gold: float = 0.0

    def text(self) -> str:
        """The settings as the secret holds them."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, text: str) -> SpaceSettings:
        """The settings of a secret.

        Raises:
            SourceError: it holds something else; nothing of it is said, since it names people.
        """
        try:
            data = json.loads(text)
        except ValueError:
            data = None
        kinds = {each.name: each.type for each in fields(cls)}
        if not isinstance(data, Mapping) or not {"rows", "verdicts"} <= set(data) <= set(kinds):
            raise SourceError(f"the secret {SETTINGS} holds no settings of a desk; push the Space again")
        found: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        wrong = [name for name, value in found.items() if not _fits(value, str(kinds[name]))]
        if wrong:
            raise SourceError(f"{wrong[0]} in the secret {SETTINGS} is not what it should be; push the Space again")
        return cls(**found)

    @property
    def selection(self) -> Selection:
        """The rows that are gone through."""
        return Selection(self.order, self.sample, self.rule)

    def role(self, person: Person) -> Literal["", "reviser", "owner"]:
        """As what a person may review; empty for not at all."""
        if self.counted(person, self.owners):
            return "owner"
        return "reviser" if self.counted(person, self.reviewers) else ""

    def counted(self, person: Person, names: Collection[str]) -> tuple[str, ...]:
        """The names of a person, and of the person's organizations, that are among some, in whatever case."""
        known = {name.lower() for name in names}
        return tuple(name for name in (person.name, *person.organizations) if name.lower() in known)

    def seat(self, role: str, *, is_revised: bool) -> Seat:
        """How a person of that role works."""
        kind: Any = "refused" if self.order == "refused" else "revision" if is_revised else "row"
        return Seat(kind, self.blind, role == "owner", self.controlled, self.doubled, self.without)


@dataclass(frozen=True)
class Environment:
    """What the Hub gives to the container of a Space.

    Attributes:
        hosts: the names under which browsers reach the Space; people sign in under the first.
        provider: the address of who says who somebody is.
        client_id, client_secret: of the Space, at the provider.
        scopes: what the provider is asked for.
        token: of the Hub: reads the rows and writes the verdicts.
        people_key: what names that say nothing are made with.
        settings: of the desk.
    """

    hosts: tuple[str, ...]
    provider: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    token: str = field(repr=False)
    people_key: str = field(repr=False)
    settings: SpaceSettings = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Environment:
        """What there is in an environment.

        Raises:
            HfcleanError: something is missing; the message says where it comes from.
        """
        for name, source in GIVEN.items():
            if not environment.get(name, "").strip():
                raise HfcleanError(f"{name} is not set: {source}")
        return cls(
            hosts=tuple(host for part in environment["SPACE_HOST"].lower().split(",") if (host := part.strip())),
            provider=environment["OPENID_PROVIDER_URL"].strip().rstrip("/"),
            client_id=environment["OAUTH_CLIENT_ID"],
            client_secret=environment["OAUTH_CLIENT_SECRET"],
            scopes=environment.get("OAUTH_SCOPES", "").strip() or "openid profile",
            token=environment[TOKEN],
            people_key=environment[PEOPLE_KEY],
            settings=SpaceSettings.of(environment[SETTINGS]),
        )

    @property
    def origin(self) -> str:
        """What browsers call the Space."""
        return self.origins[0]

    @property
    def origins(self) -> tuple[str, ...]:
        """The same for each of its names: the Hub's own, and a domain of its owner's."""
        return tuple(f"https://{host}" for host in self.hosts)


def _fits(value: Any, kind: str) -> bool:
    if kind.startswith("tuple"):
        return isinstance(value, tuple) and all(isinstance(each, str) for each in value)
    if kind == "float":
        return type(value) in (int, float) and value >= 0
    if kind == "bool":
        return type(value) is bool
    return isinstance(value, str) and (kind != "Order" or value in ORDERS)
