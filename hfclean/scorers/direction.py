"""A direction in a model's hidden states along which texts get better, found from a few pairs of good and bad ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from hfclean.columns import Column
from hfclean.durable import sync_tree, write_text
from hfclean.errors import HfcleanError, require
from hfclean.hub_id import names_hub
from hfclean.models import ModelError
from hfclean.models.heads import Head, Rows
from hfclean.models.tokenizing import Tokens, fill, placeholders
from hfclean.models.weights import fetch, read_json
from hfclean.schema import Pair
from hfclean.scorers.headed import HeadScorer, number, texts_of

TEMPLATE = "{instruction}\n\n{response}"
WEIGHTS, ABOUT = "direction.safetensors", "direction.json"
FORMAT = 1
LONGEST_TEXT = 50_000  # characters of a setting in a file


@dataclass(frozen=True)
class Fit:
    """How a direction was found.

    Args:
        pairs: of good and bad texts.
        component: which of the directions in which the pairs differ, 0 for the one in which they differ most.
        sign: 1, or -1 where the component had to be turned round.
        agreement: share of the pairs in which the good text scores higher.
        held_out: the same for pairs that were held out, or the rank correlation with held-out ratings; None without.
        measure: `pair_accuracy` or `spearman`.
    """

    pairs: int
    component: int
    sign: int
    agreement: float
    held_out: float | None = None
    measure: str = ""


@dataclass(frozen=True)
class Direction(HeadScorer):
    """Where a text is along a direction in a model's hidden states: `sign * <h, component>`, with `h` the hidden
    state of its last token at one layer (RepEval, arXiv 2404.19563).

    Made by `Direction.fit` or `Direction.from_pretrained`. Adds these columns, and a line to `edit_history`:

    * `direction` (float, any sign, higher = more like the good texts; nan = not scored). Zero and scale mean nothing:
      compare scores of one direction with each other.
    * `direction_reason` (string): `""` where there is a score; else `empty`, `too_long`, `out_of_memory` or
      `not_finite`.

    It knows what set the good texts apart from the bad ones, which may be length or form: hold out pairs to see.

    Args:
        model: any encoder or causal model, as a folder or a Hub id. Settings of the base class apply.
        template: what the model reads, with `{instruction}` (with its input; or without, where `{input}` stands too),
            `{response}` and `{history}` in it.
        name: of the column, for several directions.

    Raises:
        ModelError: the model cannot be loaded, or is not the one that the direction was found in.

    >>> direction = Direction.fit("Qwen/Qwen3-0.6B", good, bad)  # doctest: +SKIP
    >>> ds = ds.map(direction, batched=True)  # doctest: +SKIP
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        Column(
            "direction",
            "where the text lies along a direction in a model's hidden states, higher = more like the good texts; "
            "only scores along the same direction are comparable, nan = not scored",
            better="higher",
        ),
        Column("direction_reason", "why there is no score", "text"),
    )

    template: str = field(default=TEMPLATE, kw_only=True)
    name: str = field(default="direction", kw_only=True)
    layer: int = field(default=-1, kw_only=True)
    vector: tuple[float, ...] = field(default=(), kw_only=True, repr=False)
    found_in: str = field(default="", kw_only=True, repr=False)
    found: Fit | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not placeholders(self.template) & {"instruction", "prompt", "response", "output"}:
            raise HfcleanError(
                f"Direction(template={self.template[:60]!r}): no place for a row's text; expected {{instruction}}, "
                "{response} or both in it"
            )
        if not self.name.isidentifier():
            raise HfcleanError(f"Direction(name={self.name!r}): expected a column name in snake_case")
        super().__post_init__()

    def names(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}_reason")

    def settings(self) -> dict[str, Any]:
        found = {name: value for name, value in super().settings().items() if name not in ("found", "found_in")}
        if self.vector:
            found["vector"] = blake2b(repr(self.vector).encode(), digest_size=6).hexdigest()
        return {**found, "layer": self.layer}

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        if not self.vector:
            raise ModelError(
                "this Direction has none yet: Direction.fit(model, good, bad), or Direction.from_pretrained"
            )
        head = self.head()
        if self.found_in and head.files.identity != self.found_in:
            raise ModelError(
                f"the direction was found in the model {self.found_in}, and {head.name} is {head.files.identity} now: "
                "its hidden states differ. Name the original model (model=, revision=), or fit again"
            )
        import torch

        vector = torch.tensor(self.vector, device=head.device)
        vector_hash = blake2b(repr(self.vector).encode(), digest_size=16).hexdigest()
        outputs = head.run(
            [self._tokens(head, pair) for pair in pairs],
            lambda rows: _states(head, rows, [self.layer])[:, 0] @ vector,
            self.kept(head, layer=self.layer, vector=vector_hash),
        )
        return {self.name: [number(o) for o in outputs], f"{self.name}_reason": [o.reason for o in outputs]}

    def _tokens(self, head: Head, pair: Pair) -> Tokens | str:
        named = placeholders(self.template)
        judged = pair.response if named & {"response", "output"} else pair.prompt
        if not judged.strip():
            return "empty"
        return head.fitting(head.coder.text(fill(self.template, texts_of(pair, named))), self.max_length)

    # ------------------------------------------------------------------------------------------------ fit

    @classmethod
    def fit(
        cls,
        model: str,
        good: Iterable[Any],
        bad: Iterable[Any],
        *,
        layer: int | Sequence[int] | None = None,
        components: int = 4,
        validation: Any = None,
        ratings: Sequence[float] | None = None,
        **settings: Any,
    ) -> Self:
        """Find the direction from good texts to bad ones.

        The differences of the last tokens' hidden states, pair by pair, are split into the components in which they
        are largest (a PCA of the differences taken both ways round, so that it does not matter which text comes
        first); each is turned so that it agrees with most of the pairs. RepEval takes differences of differences of
        shuffled pairs; this does not depend on a shuffle.

        Args:
            model: any encoder or causal model, as a folder or a Hub id.
            good: rows of any known shape, `Pair`s, or texts (responses without an instruction).
            bad: the same, in the same order: each the worse side of a pair. Eight pairs are enough in the paper.
            layer: which layer, from 1, or from -1 backwards; or the layers to choose from. By default the last, or
                with `validation` all of them.
            components: number of components to choose from, with `validation`; without, the first is taken.
            validation: what decides: a pair of good and bad texts, in the same order, that are not among those above
                (by how often the good one scores higher); or texts of any quality, with `ratings`.
            ratings: of the texts in `validation`, higher = better (by rank correlation).
            settings: of the scorer: `template`, `name`, `revision`, `dtype`, `device`, `max_length`, `columns`.

        Raises:
            HfcleanError: a different number of good and bad texts, none at all, no difference between them, or a text
                that has no hidden state.
        """
        import numpy as np

        scorer = cls(model, **settings)
        head = scorer.head()
        above, below = scorer._texts(good), scorer._texts(bad)
        if len(above) != len(below) or not above:
            raise HfcleanError(
                f"Direction.fit got {len(above)} good and {len(below)} bad texts; expected equally many, in pairs"
            )
        layers = _layers(layer, head, every=validation is not None)
        higher = scorer._read(head, above, layers, "good")
        differences = higher - scorer._read(head, below, layers, "bad")
        judge = scorer._judge(head, layers, validation, ratings)
        best: tuple[tuple[float, ...], Self] | None = None
        for at, number_ in enumerate(layers):
            found = components_of(differences[:, at], components if judge else 1)
            for which, component in enumerate(found):
                agreeing = float(np.mean(component.vector @ differences[:, at].T > 0))
                held_out = judge.measure(component.vector, at) if judge else None
                about = Fit(len(above), which, component.sign, agreeing, held_out, judge.name if judge else "")
                vector = tuple(float(x) for x in component.vector.astype(np.float32))
                # of equals the larger component, and then the lower layer
                rank = (-(held_out if held_out is not None and not math.isnan(held_out) else -2.0), which, at)
                if best is None or rank < best[0]:
                    best = (rank, replace(scorer, layer=number_, vector=vector, found=about))
        if best is None:
            raise HfcleanError("Direction.fit: the good and the bad texts have the same hidden states")
        kind, _, commit = head.files.identity.partition(":")
        # a branch may move on; the direction may not
        return replace(best[1], found_in=head.files.identity, revision=commit if kind == "commit" else None)

    def _texts(self, rows: Iterable[Any]) -> list[Pair]:
        found = []
        for row in rows:
            if isinstance(row, str):
                row = Pair("", response=row)
            elif isinstance(row, Mapping):
                batch, view, _ = self._opened(row)
                (cells,) = batch.rows(view.columns)
                row = self.pairs(cells, view)[-1]
            if not isinstance(row, Pair):
                raise HfcleanError(f"Direction.fit got a {type(row).__name__}; expected rows, Pairs or texts")
            found.append(row)
        return found

    def _read(self, head: Head, pairs: Sequence[Pair], layers: Sequence[int], what: str) -> Any:
        """The last tokens' hidden states: a float64 array (texts, layers, width)."""
        import numpy as np

        outputs = head.run([self._tokens(head, pair) for pair in pairs], lambda rows: _states(head, rows, layers))
        for k, output in enumerate(outputs):
            if output.reason:
                raise HfcleanError(f"Direction.fit: the {what} text {k} has no hidden state ({output.reason})")
        return np.stack([output.values for output in outputs]).astype(np.float64)

    def _judge(
        self, head: Head, layers: Sequence[int], validation: Any, ratings: Sequence[float] | None
    ) -> _Judge | None:
        """The measure that ranks directions."""
        if validation is None:
            return None
        if ratings is not None:
            texts = self._texts(validation)
            if len(texts) != len(ratings) or len(texts) < 2:
                raise HfcleanError(
                    f"Direction.fit got {len(texts)} texts and {len(ratings)} ratings; expected the same number"
                )
            return _Judge("spearman", self._read(head, texts, layers, "validation"), None, list(ratings))
        try:
            good, bad = map(self._texts, validation)
        except ValueError as e:
            raise HfcleanError("Direction.fit(validation=): expected (good, bad), or texts and ratings=") from e
        if len(good) != len(bad) or not good:
            raise HfcleanError(f"Direction.fit(validation=) has {len(good)} good and {len(bad)} bad texts")
        higher = self._read(head, good, layers, "validation")
        return _Judge("pair_accuracy", higher, self._read(head, bad, layers, "validation"), [])

    # ------------------------------------------------------------------------------------------------ files

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the direction into a folder: `direction.safetensors`, and `direction.json` with model and settings."""
        numpy = require("safetensors.numpy", extra="models")
        import numpy as np

        if not self.vector:
            raise ModelError("this Direction has none yet: Direction.fit(model, good, bad)")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        saved = {name: getattr(self, name) for name in _SAVED}
        about = {"format": FORMAT, **saved, "found": asdict(self.found) if self.found else None}
        numpy.save_file({"direction": np.array(self.vector, np.float32)}, folder / WEIGHTS)
        sync_tree(folder)
        write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")
        return folder

    @classmethod
    def from_pretrained(cls, folder: str | Path, *, hub_revision: str | None = None, **settings: Any) -> Self:
        """The direction in a folder or a Hub repository that `save_pretrained` wrote.

        Args:
            folder: or a Hub id.
            hub_revision: git ref of that Hub id.
            settings: of the scorer, such as `device`, or `model` if the model is elsewhere now.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        numpy = require("safetensors.numpy", extra="models")
        safetensors = require("safetensors", extra="models")
        place = Path(folder).expanduser()
        is_fetched = not place.is_dir()
        if is_fetched:
            place = fetch(str(folder), hub_revision, (WEIGHTS, ABOUT))
        about = read_json(place / ABOUT)
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise ModelError(
                f"{place.name!r} holds no direction of this format ({ABOUT}); expected what save_pretrained wrote"
            )
        try:
            vector = numpy.load_file(place / WEIGHTS)["direction"]
        except (OSError, KeyError, safetensors.SafetensorError) as e:
            raise ModelError(f"{WEIGHTS} of {place.name!r} cannot be read ({e}); get the file again") from e
        saved = {name: about[name] for name in _SAVED if name in about}
        odd = [name for name in saved if not _fits(name, saved[name])]
        if odd:
            raise ModelError(f"{ABOUT} of {place.name!r}: {odd[0]} is {saved[odd[0]]!r:.60}; save the direction again")
        named = saved.get("model")
        if is_fetched and "model" not in settings and not names_hub(named, namespace=True):
            raise ModelError(
                f"{folder}: the direction was found in the model {named!r:.80}, which is not a Hub id; say which to "
                f"use: Direction.from_pretrained({str(folder)!r}, model=...)"
            )
        fit = about.get("found")
        known = {each.name for each in fields(Fit)}
        found = Fit(**{name: value for name, value in fit.items() if name in known}) if fit else None
        return cls(**{**saved, "vector": tuple(map(float, vector)), "found": found, **settings})


def _fits(name: str, value: Any) -> bool:
    """Whether a setting in a file is of the kind that `save_pretrained` writes, and of a sensible size."""
    if name in ("layer", "max_length"):
        return value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**7)
    return value is None or (isinstance(value, str) and len(value) <= LONGEST_TEXT)


_SAVED = ("model", "revision", "template", "name", "layer", "max_length", "found_in")


class _Component(NamedTuple):
    """A direction of length one, turned towards the good texts, and whether it had to be turned round."""

    vector: Any
    sign: int


def components_of(differences: Any, count: int) -> list[_Component]:
    """The directions in which good texts differ most from bad ones, largest first; fewer if there are fewer.

    The PCA of the differences and their opposites, whose mean is 0: what all pairs have in common is not removed. A
    component gets the sign that agrees with most of the pairs; where as many disagree, that of the mean difference.

    Args:
        differences: float64 array (pairs, width), good less bad.
        count: most of them.
    """
    import numpy as np

    _, sizes, axes = np.linalg.svd(differences, full_matrices=False)
    found = []
    for size, axis in list(zip(sizes, axes, strict=True))[:count]:
        if size <= 1e-6 * max(sizes[0], 1e-12):
            break
        along = differences @ axis
        agreeing = int((along > 0).sum()) - int((along < 0).sum())
        sign = -1 if (agreeing or along.sum()) < 0 else 1
        found.append(_Component(sign * axis, sign))
    return found


def pair_accuracy(good: Any, bad: Any) -> float:
    """How often the first of two numbers is the larger; equal ones count as wrong.

    >>> pair_accuracy([2.0, 1.0, 3.0], [1.0, 1.0, 4.0]) == 1 / 3
    True
    """
    return float(sum(a > b for a, b in zip(good, bad, strict=True)) / len(good))


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation, equal values at their mean rank; nan where one side is all the same.

    >>> spearman([1, 2, 3], [10, 30, 20])
    0.5
    """
    a, b = _ranks(first), _ranks(second)
    middle = (len(a) + 1) / 2
    both = math.fsum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True))
    spread = math.fsum((x - middle) ** 2 for x in a) * math.fsum((y - middle) ** 2 for y in b)
    return both / math.sqrt(spread) if spread else math.nan


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(values)
    return [(2 * order.index(v) + order.count(v) + 1) / 2 for v in values]


@dataclass(frozen=True)
class _Judge:
    """Texts that are held out."""

    name: str
    states: Any
    worse: Any
    ratings: Sequence[float]

    def measure(self, vector: Any, layer: int) -> float:
        scores = self.states[:, layer] @ vector
        if self.worse is None:
            return spearman(scores.tolist(), self.ratings)
        return pair_accuracy(scores, self.worse[:, layer] @ vector)


def _layers(wanted: int | Sequence[int] | None, head: Head, *, every: bool) -> list[int]:
    """Layers by their number from 1."""
    count = int(head.config.num_hidden_layers)
    if wanted is None:
        return list(range(1, count + 1)) if every else [count]
    given = [wanted] if isinstance(wanted, int) else list(wanted)
    for layer in given:
        if not 1 <= abs(layer) <= count:
            raise HfcleanError(
                f"layer={layer}: {head.name} has the layers 1 to {count}, or -1 to -{count} from the end"
            )
    if len(given) > 1 and not every:
        raise HfcleanError(f"layer={given}: to choose among several, validation= is needed")
    return [layer if layer > 0 else count + 1 + layer for layer in given]


def _states(head: Head, rows: Rows, layers: Sequence[int]) -> Any:
    """The hidden states of the last tokens at some layers: a float32 tensor (rows, layers, width)."""
    import torch

    states = head.model(**rows.inputs, output_hidden_states=True).hidden_states
    return torch.stack([rows.at_last(states[layer]).float() for layer in layers], 1)
