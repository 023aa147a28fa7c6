"""What more than one room needs to know of texts: words, word lists, characters, languages, code. No row, no state."""

from __future__ import annotations

from hfclean.text.protected import outside_protected, protected_spans, without_code
from hfclean.text.words import CJK, is_cjk, words

__all__ = ["CJK", "is_cjk", "outside_protected", "protected_spans", "without_code", "words"]
