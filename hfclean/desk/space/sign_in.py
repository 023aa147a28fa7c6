"""Sign-in: who somebody is, as the Hub says by OAuth (authorization code, state, PKCE)."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from hfclean.desk.space.settings import Environment, Person
from hfclean.hub.failures import HubAccessError, HubUnreachable

CALLBACK = "/login/callback"
MOST_BYTES = 1 << 20
SECONDS = 20.0
UNMET = ("pendingSSO", "missingMFA", "securityRestrictions")  # what an organization still asks of a member


class Provider:
    """The Hub, as the one that knows people.

    Args:
        environment: of the Space.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def address(self, state: str, verifier: str) -> str:
        """Where a person says yes.

        Args:
            state: what comes back with the person.
            verifier: what `person` is given; only its hash is told before.

        Raises:
            HubUnreachable: the Hub does not answer, or not as it should.
        """
        from yarl import URL

        environment = self._environment
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        found = await self._endpoint("authorization_endpoint")
        query = {
            "client_id": environment.client_id,
            "redirect_uri": environment.origin + CALLBACK,
            "response_type": "code",
            "scope": environment.scopes,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return str(URL(found).update_query(query))

    async def person(self, code: str, verifier: str) -> Person:
        """Who came back.

        Args:
            code: what the person brought.
            verifier: as `address` was given it.

        Raises:
            HubAccessError: the code is not one that the Hub gave for this.
            HubUnreachable: see `address`.
        """
        environment = self._environment
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": environment.origin + CALLBACK,
            "client_id": environment.client_id,
            "code_verifier": verifier,
        }
        basic = b64encode(f"{environment.client_id}:{environment.client_secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        token = await _asked("POST", await self._endpoint("token_endpoint"), data=form, headers=headers)
        access = token.get("access_token")
        if not isinstance(access, str):
            raise HubUnreachable("the Hub gave no access token")
        headers = {"Authorization": f"Bearer {access}"}
        return _person(await _asked("GET", await self._endpoint("userinfo_endpoint"), headers=headers))

    async def _endpoint(self, name: str) -> str:
        found = await _asked("GET", f"{self._environment.provider}/.well-known/openid-configuration")
        address = found.get(name)
        if not isinstance(address, str) or not address.startswith(("https://", "http://")):
            raise HubUnreachable(f"the Hub does not say its {name}")
        return address


async def _asked(method: str, address: str, **more: Any) -> Mapping[str, Any]:
    """An object that an address answers with."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, address, allow_redirects=False, **more) as answer,
        ):
            raw = bytearray()
            async for piece in answer.content.iter_chunked(1 << 16):
                raw += piece
                if len(raw) > MOST_BYTES:
                    raise HubUnreachable(f"the Hub answered with more than {MOST_BYTES:,} bytes")
            status = answer.status
    except (aiohttp.ClientError, OSError, TimeoutError) as e:  # their texts may hold what was sent
        raise HubUnreachable(f"the Hub does not answer ({type(e).__name__})") from None
    if status in (400, 401, 403):
        raise HubAccessError(f"the Hub refuses the sign-in (status {status})")
    try:
        data = json.loads(raw) if status == 200 else None
    except ValueError:
        data = None
    if not isinstance(data, Mapping):
        raise HubUnreachable(f"the Hub answers with something else (status {status})")
    return data


def _person(data: Mapping[str, Any]) -> Person:
    """Who a userinfo is of. An organization that a member has still to prove something to does not count."""
    id, name, listed = data.get("sub"), data.get("preferred_username"), data.get("orgs")
    if not (isinstance(id, str) and id and isinstance(name, str) and name):
        raise HubUnreachable("the Hub does not say who signed in")
    organizations = [
        each.get("preferred_username")
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping) and not any(each.get(key) for key in UNMET)
    ]
    return Person(id, name, tuple(each for each in organizations if isinstance(each, str)))
