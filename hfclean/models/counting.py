"""How many tokens a request takes before it is made: counted with a tokenizer and its chat template, or estimated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.models.protocol import Conversation

BYTES_PER_TOKEN = 4  # English prose in the tokenizers of 2024 and 2025; other scripts and code are denser
TOKENS_PER_TURN = 4  # role and separators of a chat template; the turn that is to be written has them as well
Tokenizer = Callable[[str], Sequence[Any]] | Any


def estimate_tokens(size: int) -> int:
    """About how many tokens this many bytes of UTF-8 make. An estimate: call it one wherever it is shown."""
    return -(-size // BYTES_PER_TOKEN)


@dataclass(frozen=True)
class TokenCount:
    """Counts tokens.

    Args:
        tokenizer: one of transformers or tokenizers, or a function, text to tokens; None to count four bytes as one.
            The chat template of a tokenizer is used if it has one, also where its `encode` is given; where there is
            none, its tokens are estimated, without the system text that some templates add.
        template_settings: what the template is given beside the turns, such as `{"enable_thinking": False}`.
    """

    tokenizer: Tokenizer | None = None
    template_settings: Mapping[str, Any] | None = None

    @property
    def basis(self) -> str:
        """How tokens are counted, in words."""
        if self.tokenizer is None:
            return f"{BYTES_PER_TOKEN} bytes a token"
        return "tokenizer" if self._templated is None else "tokenizer and chat template"

    @property
    def _templated(self) -> Any:
        """The tokenizer, if it has a chat template."""
        owner = getattr(self.tokenizer, "__self__", self.tokenizer)  # of `tokenizer.encode`
        return owner if getattr(owner, "chat_template", None) and hasattr(owner, "apply_chat_template") else None

    def text(self, text: str) -> int:
        """The tokens of a text alone."""
        if self.tokenizer is None:
            return estimate_tokens(len(text.encode("utf-8", "replace")))
        if self._templated is not None:
            return len(self._templated.encode(text, add_special_tokens=False))
        return len(getattr(self.tokenizer, "encode", self.tokenizer)(text))

    def conversation(self, conversation: Conversation) -> int:
        """The tokens that a model reads of a conversation, as far as the place where it answers.

        Raises:
            ModelError: the chat template takes no such turns.
        """
        if self._templated is None:
            return sum(self.text(m.content) + TOKENS_PER_TURN for m in conversation) + TOKENS_PER_TURN
        from hfclean.models.chat_tokens import encode_turns

        name = str(getattr(self._templated, "name_or_path", "") or "the tokenizer")
        return len(encode_turns(self._templated, conversation, self.template_settings, name=name))
