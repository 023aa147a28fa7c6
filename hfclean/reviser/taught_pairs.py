"""Which pairs taught a reviser: their hashes travel in its `hfclean.json`, so that no row that taught it measures it
or is revised by it."""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from hfclean.schema import Pair

DIGITS = 16
_HASHES = re.compile(rf"(?:[0-9a-f]{{{DIGITS}}})*")


def pair_hash(pair: Pair | Mapping[str, Any]) -> str:
    """The hash that identifies a row that taught a reviser: 16 hexadecimal digits of its text before revision.

    It is of the words alone: white space and the shape of the row do not count.

    Args:
        pair: a `Pair` before revision; or a dict with `raw_instruction`, `raw_input`, `raw_output`.

    >>> from hfclean import Pair
    >>> row = {"raw_instruction": "Name a fruit.", "raw_input": "", "raw_output": "a aple"}
    >>> pair_hash(row) == pair_hash(Pair("Name a fruit.", "", "a aple "))
    True
    """
    if isinstance(pair, Mapping):
        texts = [pair["raw_instruction"], pair.get("raw_input"), pair["raw_output"]]
    else:
        texts = [pair.instruction, pair.input, pair.response]
    words = " ".join(text or "" for text in texts).split()
    return blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=DIGITS // 2).hexdigest()


def join_hashes(hashes: Iterable[str]) -> str:
    """Hashes as one text, sorted."""
    return "".join(sorted(set(hashes)))


def split_hashes(text: Any) -> tuple[str, ...]:
    """The hashes in such a text.

    Raises:
        TypeError: it is not such a text.
    """
    if not isinstance(text, str) or not _HASHES.fullmatch(text):
        raise TypeError("trained_on")
    return tuple(text[k : k + DIGITS] for k in range(0, len(text), DIGITS))


def trained_on(reviser: Any) -> frozenset[str]:
    """The hashes of the pairs that a reviser's model was tuned on, as its `hfclean.json` says; empty if it names none.

    Args:
        reviser: a `Reviser` that `from_pretrained` or `train_reviser` gave; any other object has none.
    """
    hashes = getattr(reviser, "trained_on", ())
    return frozenset(hashes) if isinstance(hashes, (tuple, frozenset)) else frozenset()
