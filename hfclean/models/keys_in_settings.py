"""Keys in settings, where they would be written down: refused before anything is asked, and never repeated.

Settings enter the key of every answer, the history of every row, records and cards. A key has one place: the
environment variable whose name is `api_key_env`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from hfclean.keys import find_secrets
from hfclean.models.failures import AccessError

MOVE = (
    "It would be written into histories, records and the file of answers. Leave it out, put the key into an "
    "environment variable and give its name: api_key_env='MY_SERVER_KEY'"
)
# names of fields whose text is a secret, without case and signs, and how longer names of such fields end
SECRET = {"bearer", "cookie", "passwd", "pwd", "token"}
SECRET_ENDS = (
    *("accesskey", "apikey", "authkey", "licensekey", "privatekey", "secretkey", "servicekey", "signingkey"),
    *("accesstoken", "apitoken", "authtoken", "bearertoken", "hftoken", "idtoken", "refreshtoken", "securitytoken"),
    *("sessiontoken", "usertoken", "subscriptionkey", "clientsecret", "secret", "authorization", "password"),
    *("credential", "credentials"),
)
IN_PATH = {"key", "keys", "apikey", "api-key", "api_key", "token", "secret"}  # what stands before a key in a path


def refuse_keys(fields: Mapping[str, Any], name: str) -> None:
    """Refuse extra fields of a request that hold a key; `name` is that of the setting, for the message.

    Raises:
        AccessError: a field has the name of a key's field and holds text, or a text looks like a key.
    """
    for place, field, text in _texts(fields, ()):
        if not text.strip():
            continue
        if _is_secret(field):
            raise AccessError(f"{name} has a field for a key, {_shown(place)} (its value is not shown). {MOVE}")
        if holds_key(text) or holds_key(json.dumps({field: text}, ensure_ascii=False)):
            raise AccessError(f"{name} holds what looks like a key in {_shown(place)} (not shown). {MOVE}")


def refuse_keys_in_path(path: str, where: str) -> None:
    """Refuse an address whose path holds a key; `where` says what it is the path of, for the message.

    Raises:
        AccessError: a part of the path looks like a key, or gives one a name.
    """
    plain = unquote(unquote(path))
    segments = re.split(r"[/;,&]", plain)
    named = [segment.split("=", 1) for segment in segments if "=" in segment]
    behind_a_name = [f"api_key={segment}" for before, segment in pairwise(segments) if before.lower() in IN_PATH]
    if (
        any(_is_secret(field) and value for field, value in named)
        or any(map(holds_key, (plain, *segments, *behind_a_name)))
        or any(holds_key(f"api_key={value}") for field, value in named if field.lower() in IN_PATH)
    ):
        raise AccessError(f"{where} holds what looks like a key in its path (not shown). {MOVE}")


def holds_key(text: str) -> bool:
    """Whether a text holds what looks like a real key."""
    return next(find_secrets(text), None) is not None


def _is_secret(field: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", field.lower())
    return plain in SECRET or plain.endswith(SECRET_ENDS)


def _texts(value: Any, place: tuple[str, ...], field: str = "") -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Every text in a value: its place, the name of the field that it is in, and the text."""
    header = any("header" in name.lower() for name in place)  # where names and values may stand in other forms
    if isinstance(value, Mapping):
        called = next((value[n] for n in ("name", "key", "header") if header and isinstance(value.get(n), str)), None)
        for name, inner in value.items():
            yield (*place, "..."), "", str(name)
            inner_field = called if name == "value" and called is not None else str(name)
            yield from _texts(inner, (*place, str(name)), inner_field)
    elif isinstance(value, (list, tuple)):
        if header and len(value) == 2 and all(isinstance(each, str) for each in value):
            yield (*place, value[0]), value[0], value[1]
        for inner in value:
            yield from _texts(inner, place, field)
    elif isinstance(value, str):
        name, colon, rest = value.partition(":")
        yield (place, name, rest) if header and colon and _is_secret(name) else (place, field, value)


def _shown(place: tuple[str, ...]) -> str:
    """A place in words; names that may be keys themselves are not shown."""
    return repr(".".join("..." if holds_key(name) or len(name) > 40 else name for name in place))
