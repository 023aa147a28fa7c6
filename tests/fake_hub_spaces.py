"""What the loopback Hub does for Spaces: variables and secrets, and telling them by OAuth who somebody is.

A browser is signed in on the Hub by the cookie `hub=NAME` of one of its `people`, and says yes to every Space.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fake_hub_access import Access
from fake_hub_repo import Refused, Repo
from fake_hub_wire import Request, Response


@dataclass
class Space:
    """What is set for a Space, apart from its files."""

    sdk: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    client_id: str = field(default_factory=lambda: secrets.token_hex(8))
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def host(self) -> str:
        return f"{self.client_id}.hf.space"


class Spaces(Access):
    """Every endpoint that is about Spaces alone."""

    def __init__(self) -> None:
        super().__init__()
        self.spaces: dict[str, Space] = {}
        self.people: dict[str, dict[str, Any]] = {}  # name -> organizations, each with what is said of the membership
        self.codes: dict[str, dict[str, str]] = {}
        self.sessions: dict[str, str] = {}  # access token -> name

    def container(self, space_id: str) -> dict[str, str]:
        """What the Hub adds to the environment of the container of a Space with `hf_oauth: true`."""
        space = self.spaces[space_id]
        card = self.repos["space", space_id].card_data("main") or {}
        assert card.get("hf_oauth") is True
        return {
            "SPACE_ID": space_id,
            "SPACE_HOST": space.host,
            "SPACE_AUTHOR_NAME": space_id.partition("/")[0],
            "OPENID_PROVIDER_URL": self.url,
            "OAUTH_CLIENT_ID": space.client_id,
            "OAUTH_CLIENT_SECRET": space.client_secret,
            "OAUTH_SCOPES": "openid profile",
            **space.variables,
            **space.secrets,
        }

    def _settings(self, request: Request, repo: Repo, kind: str) -> Response:
        """Variables, which are read back, and secrets, of which the names are."""
        self._owned(request, repo)
        space = self.spaces.setdefault(repo.repo_id, Space())
        held = space.secrets if kind == "secrets" else space.variables
        if request.method == "POST":
            held[request.json["key"]] = request.json["value"]
        if request.method == "DELETE":
            held.pop(request.json["key"], None)
        answer = {key: {"key": key} | ({} if kind == "secrets" else {"value": held[key]}) for key in held}
        return Response.of(answer)

    def _openid(self) -> Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo"}
        endpoints = {key: f"{self.url}/oauth/{name}" for key, name in names.items()}
        return Response.of({"issuer": self.url, "code_challenge_methods_supported": ["S256"], **endpoints})

    def _authorize(self, request: Request) -> Response:
        query = {name: values[0] for name, values in request.query.items()}
        space = next((each for each in self.spaces.values() if each.client_id == query.get("client_id")), None)
        where = urlsplit(query.get("redirect_uri", ""))
        if space is None or (where.scheme, where.netloc) != ("https", space.host):
            raise Refused(400, "Invalid client or redirect_uri")
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            raise Refused(400, "Invalid response_type or code_challenge_method")
        name = dict(part.strip().partition("=")[::2] for part in request.headers.get("cookie", "").split(";")).get(
            "hub"
        )
        if name not in self.people:
            answer = {"error": "access_denied", "state": query["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = {**query, "name": name}
            answer = {"code": code, "state": query["state"]}
        return Response(303, b"", {"Location": f"{query['redirect_uri']}?{urlencode(answer)}"})

    def _exchange(self, request: Request) -> Response:
        posted = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        given = self.codes.pop(posted.get("code", ""), None)
        space = next((each for each in self.spaces.values() if each.client_id == posted.get("client_id")), None)
        if given is None or space is None or posted.get("grant_type") != "authorization_code":
            raise Refused(400, "invalid_grant")
        basic = base64.b64encode(f"{space.client_id}:{space.client_secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            raise Refused(401, "invalid_client")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(posted["code_verifier"].encode()).digest())
        fits = challenge.rstrip(b"=").decode() == given["code_challenge"]
        if not fits or posted["redirect_uri"] != given["redirect_uri"] or given["client_id"] != space.client_id:
            raise Refused(400, "invalid_grant")
        token = f"hf_oauth_{secrets.token_urlsafe(24)}"
        self.sessions[token] = given["name"]
        return Response.of({"access_token": token, "token_type": "bearer", "expires_in": 28800, "scope": "openid"})

    def _userinfo(self, request: Request) -> Response:
        name = self.sessions.get(request.token or "")
        if name is None:
            raise Refused(401, "invalid_token")
        orgs = [{"sub": f"{org:0<24}", "preferred_username": org, **more} for org, more in self.people[name].items()]
        return Response.of({"sub": f"{name:0<24}", "preferred_username": name, "name": name.title(), "orgs": orgs})
