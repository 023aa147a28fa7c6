"""Two answers of one preference row of which a trainer that truncates rows sees the same tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hfclean.errors import VerifierError
from hfclean.schema import Pair, Whole
from hfclean.text.thoughts import with_thought
from hfclean.verifiers.verifier import Finding

TRUNCATED_ALIKE = "sides_equal_when_truncated"
SHOWN = 80
SLACK = 8  # bytes: one token may begin with what differs
Encode = Callable[[str], Sequence[Any]]


def encoder_of(tokenizer: Any) -> Encode:
    """The function from a text to its tokens.

    Raises:
        VerifierError: the tokenizer has no `encode`.
    """
    encode = getattr(tokenizer, "encode", None)
    if not callable(encode):
        raise VerifierError(
            f"tokenizer={tokenizer!r} has no encode(); expected a tokenizer of transformers or tokenizers, such as "
            "AutoTokenizer.from_pretrained(...)"
        )

    def tokens(text: str) -> Sequence[Any]:
        encoded = encode(text)
        found: Sequence[Any] = getattr(encoded, "ids", encoded)
        return found

    return tokens


def truncated_alike(row: Whole, encode: Encode, longest: int) -> Iterator[Finding]:
    """Sides that differ, though not in their first `longest` tokens, the prompt's among them."""
    if row.rejected is None:
        return
    chosen, rejected = _text(row.pair), _text(row.rejected)
    if chosen == rejected:
        return  # see `sides_identical`
    differs = (place for place, signs in enumerate(zip(chosen, rejected, strict=False)) if len(set(signs)) > 1)
    shared = chosen[: next(differs, len(chosen))]
    if len(shared.encode("utf-8", "surrogatepass")) + SLACK < longest:
        return  # a token is one byte at least
    tokens, others = list(encode(chosen)[:longest]), list(encode(rejected)[:longest])
    if tokens == others:
        found = row.rejected.response[:SHOWN]
        sentence = f"chosen and rejected are the same in the first {longest:,} tokens, and differ behind them alone"
        yield Finding(TRUNCATED_ALIKE, "rejected", 0, 0, found, "", sentence)


def _text(pair: Pair) -> str:
    """All that a trainer reads of a side, but the markers of a chat template."""
    parts = [pair.system, *(turn.text for turn in pair.history), pair.prompt, with_thought(pair)]
    return "\n".join(part for part in parts if part)
