"""Mentions of markup in any language: words that join two names of a kind."""

from __future__ import annotations

# "and", "or", "to", "then", "instead of", "with" and the like, as they stand between two tags or markers.
WORDS = """
and or to of nor & / + , ; - – — ... … .. then with und oder bis mit sowie et ou à avec puis y o e u
con a ed com en tot met og eller til och till med i oraz lub z do és vagy și si sau cu ve ile veya и
или до
с та і й або και ή 和 与 與 或 及 到 以及 と や か から または および 와 과 또는 및 و أو إلى और या से तथा ja tai và
hoặc dan atau
"""
CONNECTIVES = frozenset(WORDS.split())


def joins(between: str) -> bool:
    """Whether a stretch between two tags or markers holds nothing, or only a word that joins them."""
    bare = between.strip().strip("\"'`“”‘’„«»()").strip(" ,")
    return not bare or bare.lower() in CONNECTIVES
