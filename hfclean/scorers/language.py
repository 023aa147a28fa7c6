"""The language of a text, by py3langid: 97 languages, no model to download, a few thousand rows a second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal

from hfclean.columns import Column
from hfclean.errors import ColumnError, require
from hfclean.schema import Pair
from hfclean.scorers.scoring import Scorer
from hfclean.text import CJK, outside_protected, without_code

LETTERS = 20
LONGEST = 5000  # characters that are looked at


@dataclass(frozen=True)
class Language(Scorer):
    """Which language a row is in.

    Adds these columns, and a line to `edit_history`:

    * `language` (string): ISO 639-1 code, such as `en` or `zh`; `""` if uncertain.
    * `language_confidence` (float, 0 to 1, higher = surer; nan if uncertain): the score of that language as a
      share of the scores of all known languages; not a probability of being right.
    * `language_reason` (string): `""`; `empty`; `too_short` (fewer letters than `at_least`, or none); `unsure` (less
      confidence than `sure`).

    With `turns="all"` all assistant turns are read as one text, and so are the prompts.

    Code, addresses and formulas are not looked at, and of a long text only the first 5,000 characters. After a text
    was changed, confidence is nan until it is looked at again.

    Args:
        text: `"response"`, `"prompt"` or `"both"`.
        at_least: letters that a text needs; in scripts without spaces a quarter of them is enough.
        sure: the least confidence that is believed, 0 to 1.

    Raises:
        MissingExtraError: `pip install 'hfclean[language]'`.

    >>> Language()({"prompt": "Hi", "completion": "Ja."})["language_reason"]
    'too_short'
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        Column("language", "the language of the text, as an ISO 639-1 code; empty if uncertain", "text"),
        Column(
            "language_confidence",
            "the score of that language as a share of the scores of all known languages; nan if uncertain",
            low=0,
            high=1,
        ),
        Column("language_reason", "why there is no language: empty, too_short or unsure", "text"),
    )

    text: Literal["response", "prompt", "both"] = field(default="response", kw_only=True)
    at_least: int = field(default=LETTERS, kw_only=True)
    sure: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text not in ("response", "prompt", "both"):
            raise ColumnError(f"Language(text={self.text!r}): expected 'response', 'prompt' or 'both'")
        if self.at_least < 1 or not 0 <= self.sure <= 1:
            raise ColumnError(
                f"Language(at_least={self.at_least}, sure={self.sure}): expected 1 letter or more, and 0 to 1"
            )

    def score_rows(self, rows: Sequence[Sequence[Pair]]) -> dict[str, list[Any]]:
        if self.turns == "all":
            return self.score_batch([_whole(pairs) for pairs in rows])
        return super().score_rows(rows)

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {name: [] for name in self.names()}
        for pair in pairs:
            for name, value in zip(self.names(), self._told(self._chosen(pair)), strict=True):
                columns[name].append(value)
        return columns

    def _chosen(self, pair: Pair) -> str:
        if self.text == "both":
            return f"{pair.prompt}\n{pair.response}"
        return pair.prompt if self.text == "prompt" else pair.response

    def _told(self, text: str) -> tuple[str, float, str]:
        if not text.strip():
            return "", math.nan, "empty"
        prose = _only_prose(without_code(text[:LONGEST]))
        letters = sum(map(str.isalpha, prose))
        dense = len(CJK.findall(prose)) if not prose.isascii() else 0
        if letters + 3 * dense < self.at_least:
            return "", math.nan, "too_short"
        code, confidence = _identifier().classify(prose.encode("utf-8", "replace").decode("utf-8"))
        if not confidence >= self.sure:
            return "", math.nan, "unsure"
        return str(code), float(confidence), ""


def _whole(pairs: Sequence[Pair]) -> Pair:
    """Several turns as one pair: all prompts, and all responses."""
    if len(pairs) == 1:
        return pairs[0]
    return Pair("\n".join(pair.prompt for pair in pairs), "", "\n".join(pair.response for pair in pairs))


def _only_prose(text: str) -> str:
    """The stretches that are not code, addresses, formulas or tables."""
    kept: list[str] = []

    def note(part: str) -> str:
        kept.append(part)
        return part

    outside_protected(text, note)
    return " ".join(kept)


@cache
def _identifier() -> Any:
    module: Any = require("py3langid.langid", extra="language")
    identifier = module.LanguageIdentifier
    load = (
        getattr(identifier, "from_model_file", None) or identifier.from_pickled_model
    )  # the older one reads its own package
    return load(module.MODEL_FILE, norm_probs=True)
