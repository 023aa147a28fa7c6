"""The key of a server: read from the variable that the user named when it is needed, and shown nowhere."""

import os
import re
from functools import lru_cache

from hfclean.models.failures import AccessError


def read_key(variable: str | None) -> str:
    """The key from the variable that the user named.

    Raises:
        AccessError: there is none, or it cannot be one. Its value is never shown.
    """
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise AccessError(f"the environment variable {variable} is empty; put the key in it: export {variable}=...")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise AccessError(f"the environment variable {variable} does not hold a key: it has spaces or odd characters")
    return key


def without_key(body: bytes, key: str) -> bytes:
    """A server's message, without the key: some echo what they were sent.

    The key is found as it is and with any of its characters escaped, as JSON, HTML and addresses escape them.
    """
    return _forms_of(key).sub(b"[key]", body) if key else body


@lru_cache(maxsize=8)
def _forms_of(key: str) -> re.Pattern[bytes]:
    """The key with each character as it is or escaped: `\\u0073`, `\\x73`, `\\/`, `%73`, `&#115;`, `&#x73;`."""
    characters = []
    for character in key:
        code = ord(character)
        forms = (
            rf"\\*{re.escape(character)}",
            rf"(?i:\\+(?:u00|x){code:02x})",
            rf"(?i:%{code:02x})",
            rf"(?i:&#0*{code};|&#x0*{code:x};)",
        )
        characters.append(f"(?:{'|'.join(forms)})")
    return re.compile("".join(characters).encode())
