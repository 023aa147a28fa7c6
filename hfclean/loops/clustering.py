"""Clustering: the rows of a round in batches, each made of different clusters, by any vectors of their prompts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from hfclean.errors import HfcleanError, require
from hfclean.plain_values import to_plain
from hfclean.schema import Pair
from hfclean.selection.batches import diverse_batches
from hfclean.text import words

WIDTH = 1024  # of vectors of word counts
WORD_COUNTS = "word_counts"


@dataclass(frozen=True)
class Batched:
    """Rows in batches.

    Attributes:
        batches: places of the rows, batch by batch.
        clusters: how many there are.
        unplaced: rows without a vector.
        shuffled, diverse: the mean distance of two rows of a batch, 0 to 2, if rows were dealt out at random, and in
            these batches; nan where no batch has two rows.
    """

    batches: tuple[tuple[int, ...], ...]
    clusters: int
    unplaced: int
    shuffled: float
    diverse: float

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        """The batches by the names of rows, as JSON can hold them."""
        found: dict[str, Any] = to_plain(self)
        return {**found, "batches": [[names[place] for place in batch] for batch in self.batches]}


class Embedder:
    """Vectors of rows.

    Args:
        embed: None for the words of a prompt, counted; a model, as `hfclean.scorers.Embed` takes it; a scorer that
            adds a column `embedding`, such as `Embed`; or your own function from a list of prompts to as many vectors.
    """

    def __init__(self, embed: Any) -> None:
        if not (embed is None or isinstance(embed, str) or callable(embed)):
            raise HfcleanError(
                f"embed={embed!r:.60}: expected None, a model, hfclean.scorers.Embed(...), or a function from a list "
                "of texts to vectors"
            )
        self._embed = embed

    @property
    def name(self) -> str:
        """What makes the vectors, for the record."""
        from hfclean.transform import Transform

        embed = self._embed
        if embed is None or isinstance(embed, str):
            return embed or WORD_COUNTS
        if isinstance(embed, Transform):
            return f"{type(embed).__name__}({embed.settings().get('model', '')})"
        return str(getattr(embed, "__name__", type(embed).__name__))

    def batches(self, pairs: Sequence[Pair], batch_size: int, clusters: int | None, seed: int) -> Batched:
        """The rows in batches of different clusters; the last batch has what is left."""
        from datasets import Dataset

        vectors = self._vectors(pairs)
        ds = Dataset.from_dict({"prompt": [pair.prompt for pair in pairs], "embedding": vectors})
        found = diverse_batches(ds, batch_size, threshold=None, clusters=clusters, seed=seed)
        count = len(set(found.labels) - {-1})
        return Batched(found.batches, count, found.unplaced, found.before_shuffled, found.after)

    def _vectors(self, pairs: Sequence[Pair]) -> list[list[float]]:
        from datasets import Dataset

        from hfclean.scorers import Embed
        from hfclean.transform import Transform

        embed = Embed(self._embed, text="prompt") if isinstance(self._embed, str) else self._embed
        prompts = [pair.prompt for pair in pairs]
        if embed is None:
            return _counted(prompts)
        if isinstance(embed, Transform):
            rows = Dataset.from_dict({"prompt": prompts, "completion": [pair.response for pair in pairs]})
            scored = rows.map(embed, batched=True)
            if "embedding" not in scored.column_names:
                raise HfcleanError(f"embed={embed!r:.60} adds no column 'embedding'; expected hfclean.scorers.Embed")
            return list(scored["embedding"])
        found = [[float(number) for number in vector] for vector in embed(prompts)]
        if len(found) != len(prompts) or len({len(vector) for vector in found}) > 1:
            raise HfcleanError(
                f"{self.name} gave {len(found):,} vectors of {len({len(v) for v in found}):,} lengths for "
                f"{len(prompts):,} prompts; expected one for each, all equally long"
            )
        return found


def _counted(texts: Sequence[str]) -> list[list[float]]:
    """Each text as the words that it has, rare ones most, in a fixed number of places: near where words are shared."""
    np: Any = require("numpy", extra="models")
    counts = [Counter(_place(word) for word in words(text.lower())) for text in texts]
    texts_with = Counter(place for count in counts for place in count)
    points = np.zeros((len(texts), WIDTH))
    for point, count in zip(points, counts, strict=True):
        for place, number in count.items():
            point[place] = (1 + math.log(number)) * math.log((1 + len(texts)) / texts_with[place])
    found: list[list[float]] = points.tolist()
    return found


def _place(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=4).digest()) % WIDTH
