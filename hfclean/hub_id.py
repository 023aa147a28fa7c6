"""What may be the id of a repo on the Hub, `NAMESPACE/NAME` or, for a few old ones, `NAME`."""

import re
from pathlib import Path

PART = r"\w(?:[\w.-]{0,94}\w)?"  # as huggingface_hub checks it, and ASCII, as the Hub does
ID = re.compile(rf"(?P<namespace>{PART}/)?{PART}", re.ASCII)


def is_hub_id(text: object, *, namespace: bool = False) -> bool:
    """Whether a text has the form of a Hub id; with `namespace`, of one that names a user or an organization too."""
    match = ID.fullmatch(text) if isinstance(text, str) and "--" not in text and ".." not in text else None
    return match is not None and (match["namespace"] is not None or not namespace) and not match[0].endswith(".git")


def names_hub(text: object, *, namespace: bool = False) -> bool:
    """Whether a text can mean a repo of the Hub only: it has the form of an id, and nothing of that name is here."""
    return isinstance(text, str) and is_hub_id(text, namespace=namespace) and not Path(text).expanduser().exists()
