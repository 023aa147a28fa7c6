"""Examples: rows of any shape as prompt and completion to tune on, and which of them an evaluation set has too."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Literal

from hfclean.errors import HfcleanError
from hfclean.layout import Layout
from hfclean.schema import Pair, Target
from hfclean.text import words

Overlap = Literal["drop", "refuse"]


def _targets(rows: Any, layout: Layout) -> list[Target]:
    if isinstance(rows, (str, Mapping)) or not isinstance(rows, Iterable):
        raise HfcleanError(
            f"got a {type(rows).__name__}; expected one split, a Dataset or a list of rows, such as ds['train']"
        )
    plain = rows.with_format(None) if hasattr(rows, "with_format") else rows
    return [layout.view(row).targets(row)[-1] for row in plain]


def prompt_rows(rows: Any, layout: Layout) -> list[dict[str, Any]]:
    """Every row's main pair as `prompt` and `completion`: strings, or lists of messages where some row has earlier
    turns or a system text."""
    targets = _targets(rows, layout)
    if not any(target.pair.history or target.pair.system for target in targets):
        return [{"prompt": prompt_of(target.pair), "completion": target.answer} for target in targets]
    return [{"prompt": _conversation(t), "completion": [{"role": "assistant", "content": t.answer}]} for t in targets]


def prompt_of(pair: Pair) -> str:
    """Instruction and input as one prompt, with an empty line between them."""
    return f"{pair.instruction}\n\n{pair.input}" if pair.input else pair.instruction


def _conversation(target: Target) -> list[dict[str, str]]:
    pair = target.pair
    if target.turns:
        return [{"role": turn.role, "content": turn.text} for turn in target.turns]
    messages = [{"role": "system", "content": pair.system}] if pair.system else []
    messages += [{"role": turn.role, "content": turn.text} for turn in pair.history]
    return [*messages, {"role": "user", "content": prompt_of(pair)}]


def _key(pair: Pair) -> str:
    """The words of the prompt, or of the response where there is no prompt."""
    return " ".join(words(pair.prompt.lower())) or "\0" + " ".join(words(pair.response.lower()))


def overlapping(pool: Any, against: Any, layout: Layout) -> list[int]:
    """Indices of the rows whose prompt (without one, whose response) some row of `against` has too, whatever the case
    and the punctuation."""
    known = {_key(target.pair) for target in _targets(against, layout)} - {"\0"}
    return [k for k, target in enumerate(_targets(pool, layout)) if _key(target.pair) in known]


def text_digest(rows: Any, layout: Layout) -> str:
    """16 hex digits that name the texts of some rows in their order."""
    hasher = blake2b(digest_size=8)
    for target in _targets(rows, layout):
        for text in (target.pair.system, *(turn.text for turn in target.pair.history), target.pair.prompt):
            hasher.update(text.encode("utf-8", "surrogatepass") + b"\0")
        hasher.update(target.answer.encode("utf-8", "surrogatepass") + b"\1")
    return hasher.hexdigest()
