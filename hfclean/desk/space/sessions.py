"""Sessions: what a browser is given to keep and gives back, signed, with an end; nothing is kept here."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

LONGEST = 4_000  # characters of a cookie


class Signer:
    """Signs with a key that is made of a secret: whoever knows one of both can sign.

    Args:
        secret: of the Space; another one, and everybody signs in again.
    """

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"hfclean desk", sha256)

    def name(self, purpose: str, text: str) -> str:
        """43 letters that nobody can guess who does not know the secret; always the same for the same text."""
        return _spelled(hmac.digest(self._key, f"{purpose}\n{text}".encode("utf-8", "surrogatepass"), sha256))

    def seal(self, purpose: str, data: Mapping[str, Any], until: float) -> str:
        """Data for a browser to keep.

        Args:
            purpose: what it is good for, and for nothing else.
            data: what JSON can say; the browser can read it.
            until: the second of the epoch at which it ends.
        """
        text = _spelled(json.dumps([until, dict(data)]).encode())
        return f"{text}.{self.name(purpose, text)}"

    def opened(self, purpose: str, sealed: str, now: float) -> dict[str, Any] | None:
        """What `seal` was given; None for anything else, and for what has ended."""
        text, _, tag = sealed.partition(".")
        if len(sealed) > LONGEST or not same(tag, self.name(purpose, text)):
            return None
        try:
            until, data = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except ValueError:
            return None
        return data if now < until else None


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not say how far they are."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def _spelled(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
