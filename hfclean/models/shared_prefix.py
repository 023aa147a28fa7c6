"""The beginning that many sequences share, through the backbone once: the others continue from its keys and values."""

import copy
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from hfclean.errors import require

FROM = 24  # tokens from which on a shared beginning is worth its own forward pass
SHARERS = 4  # sequences that must share it
# where a layer looks back only so far, or turns positions otherwise beyond
BOUND = re.compile(r"window(_size)?$|chunk_size$|^local_attention$|^original_max_position_embeddings$")


class Prefix(NamedTuple):
    """The keys and values of a number of tokens, as the model itself keeps them."""

    length: int
    cache: Any

    def behind(self, sizes: Sequence[int], like: Any) -> dict[str, Any]:
        """The arguments of a forward for sequences of these sizes in one row, each after the prefix and no other.

        Args:
            sizes: tokens of each, without the prefix.
            like: a tensor of the model's, whose dtype and device the mask has.
        """
        import torch

        owner = torch.repeat_interleave(torch.tensor(list(sizes), device=like.device))
        seen = (owner[:, None] == owner[None, :]).tril_()
        mask = torch.zeros(1, 1, len(owner), self.length + len(owner), dtype=like.dtype, device=like.device)
        mask[..., self.length :].masked_fill_(~seen, torch.finfo(like.dtype).min)
        # a copy: a forward adds to the cache that it is given
        return {"past_key_values": copy.deepcopy(self.cache), "attention_mask": mask}

    def before(self, rows: int) -> Any:
        """A copy of the cache for this many rows, each behind the prefix, to which tokens are added in place."""
        found = copy.deepcopy(self.cache)
        found.batch_repeat_interleave(rows)
        for layer in getattr(found, "layers", ()):
            if type(layer) is _roomy().__base__:
                layer.__class__ = _roomy()
        return found


@cache
def _roomy() -> Any:
    plain: Any = require("transformers.cache_utils", extra="models").DynamicLayer

    class Roomy(plain):  # type: ignore[misc]
        """Keys and values with room behind them, which a token goes into: otherwise each step copies all of them."""

        def update(self, key_states: Any, value_states: Any, *args: Any, **more: Any) -> tuple[Any, Any]:
            self.keys = self._behind("keys", key_states)
            self.values = self._behind("values", value_states)
            return self.keys, self.values

        def _behind(self, name: str, new: Any) -> Any:
            old, room = getattr(self, name), self.__dict__.get(f"_{name}")
            count = old.shape[-2]
            end = count + new.shape[-2]
            if room is None or room.data_ptr() != old.data_ptr() or room.shape[-2] < end:
                room = old.new_empty((*old.shape[:-2], end + max(64, end // 4), old.shape[-1]))
                room[..., :count, :] = old
                setattr(self, f"_{name}", room)
            room[..., count:end, :] = new
            return room[..., :end, :]

    return Roomy


def generates_behind(model: Any) -> bool:
    """Whether rows behind a prefix, filled up between that and their own tokens, give what they give by themselves."""
    import torch

    size = model.get_input_embeddings().num_embeddings
    prefix, long, short = ([(7 * k + n) % size for k in range(count)] for n, count in ((1, 8), (2, 6), (3, 3)))
    limit = 1e-4 if model.dtype in (torch.float32, torch.float64) else 0.06

    def last(rows: list[list[int]], **more: Any) -> Any:
        return model(input_ids=torch.tensor(rows, device=model.device), **more).logits[:, -1].float().log_softmax(-1)

    with torch.inference_mode():
        alone = torch.cat([last([prefix + rest], use_cache=False) for rest in (long, short)])
        try:
            begun = model(input_ids=torch.tensor([prefix], device=model.device), use_cache=True, logits_to_keep=1)
            gap = len(long) - len(short)
            mask = torch.tensor([[1] * 14, [1] * 8 + [0] * gap + [1] * 3], device=model.device)
            places = (mask.cumsum(-1) - 1)[:, 8:]
            found = last(
                [long, [0] * gap + short],
                past_key_values=Prefix(8, begun.past_key_values).before(2),
                attention_mask=mask,
                position_ids=places,
            )
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):  # not made for this at all
            return False
    return bool((found - alone).abs().max() <= limit)


def common_prefix(sequences: Sequence[Any], longest: float = math.inf) -> tuple[int, list[int]]:
    """The number of tokens that most sequences begin with, and the places of those; (0, []) where it does not pay.

    Args:
        sequences: with `ids`, and `start`, before which the prefix ends.
        longest: a sequence of more tokens shares nothing.
    """
    able = [k for k, s in enumerate(sequences) if s.start > FROM and len(s.ids) <= longest]
    starts = {k: tuple(sequences[k].ids[:FROM]) for k in able}
    ((most, count),) = Counter(starts.values()).most_common(1) or [((), 0)]
    if count < SHARERS:
        return 0, []
    places = [k for k in able if starts[k] == most]
    heads = [list(sequences[k].ids[: sequences[k].start - 1]) for k in places]
    low, high = min(heads), max(heads)  # whatever these two share, those between them do as well
    return next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low)), places


def reach(config: Any) -> float:
    """The longest sequence in which every token of a model sees all before it, and positions mean the same."""

    def bounds(settings: dict[str, Any]) -> Iterable[float]:
        for name, value in settings.items():
            if isinstance(value, dict):
                yield from bounds(value)
            elif BOUND.search(str(name)) and type(value) in (int, float) and value:
                yield value

    return min(bounds(config.to_dict()), default=math.inf)
