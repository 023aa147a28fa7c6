"""The key of a server: read from the variable that the user named when it is needed, and shown nowhere."""

from __future__ import annotations

import os

from hfclean.models.failures import AccessError

__all__ = ["read_key", "without_key"]


def read_key(variable: str | None) -> str:
    """The key from the variable that the user named.

    Raises:
        AccessError: there is none, or it cannot be one. What it holds is never shown.
    """
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise AccessError(f"the environment variable {variable} is empty; put the key in it: export {variable}=...")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise AccessError(f"what the environment variable {variable} holds is no key: it has spaces or odd characters")
    return key


def without_key(body: bytes, key: str) -> bytes:
    """What a server said, without the key: some say back what they were sent."""
    return body.replace(key.encode(), b"[key]") if key and key.encode() in body else body
