"""A conversation as a model's tokens, in its own chat template. The text of a turn can never end the turn."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from hfclean.errors import require
from hfclean.models.failures import ModelError
from hfclean.models.protocol import Conversation, Message, tidy
from hfclean.models.template_trial import rehearse

SLOT = "\ue000{}\ue001"  # private characters, which no template touches


def encode_turns(
    tokenizer: Any, conversation: Conversation, settings: Mapping[str, Any] | None = None, *, name: str
) -> list[int]:
    """The tokens of a conversation, as far as the place where the model answers; `name` is for messages.

    Raises:
        ModelError: the template takes no such turns.
    """
    contents = [tidy(m.content) for m in conversation]
    if not _spells_markers(tokenizer, contents):
        text = render_turns(tokenizer, conversation, contents, settings, name=name)
        return _ids(tokenizer, text)
    # A text that spells the model's own markers could end its turn and begin another: it is tokenized as plain text.
    slots = [SLOT.format(k) for k in range(len(contents))]
    rest = render_turns(tokenizer, conversation, slots, settings, name=name)
    ids: list[int] = []
    for k, content in enumerate(contents):
        before, slot, rest = rest.partition(slots[k])
        ids += _ids(tokenizer, before)
        if slot:
            ids += encode_text(tokenizer, content)
    return [*ids, *_ids(tokenizer, rest)]


def lead_of(tokenizer: Any) -> list[int]:
    """The tokens that a tokenizer itself puts before a text."""
    probe = tokenizer("a", return_special_tokens_mask=True)
    marks = probe["special_tokens_mask"]
    lead: list[int] = probe["input_ids"][: next((k for k, mark in enumerate(marks) if not mark), 0)]
    return lead


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text alone: markers of the model in it are read as plain text."""
    ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return ids


def render_turns(
    tokenizer: Any,
    conversation: Conversation,
    contents: Sequence[str],
    settings: Mapping[str, Any] | None = None,
    *,
    name: str,
    answering: bool = True,
) -> str:
    """The text of a conversation in the model's template, with other contents in its turns."""
    jinja2 = require("jinja2", extra="models")
    turns = [Message(m.role, content) for m, content in zip(conversation, contents, strict=True)]

    def render(turns: Sequence[Message]) -> str:
        return render_messages(tokenizer, [m.as_dict() for m in turns], settings, answering=answering, name=name)

    try:
        return render(turns)
    except jinja2.TemplateError as e:
        if len(turns) > 1 and turns[0].role == "system" and turns[1].role == "user":
            # several model families have no system turn; its text comes first in the user's
            with suppress(jinja2.TemplateError):
                first = Message("user", f"{turns[0].content}\n\n{turns[1].content}")
                return render([first, *turns[2:]])
        roles = ", ".join(m.role for m in turns)
        raise ModelError(f"the chat template of {name} takes no turns of {roles}: {e}") from e


def render_messages(
    tokenizer: Any,
    messages: Sequence[Mapping[str, str]],
    settings: Mapping[str, Any] | None = None,
    *,
    answering: bool,
    name: str,
) -> str:
    """The text of messages in a chat template, which is tried elsewhere first."""
    options = dict(settings or {})
    rehearse(tokenizer, messages, options, answering=answering, name=name)
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answering, **options)
    return text


def _spells_markers(tokenizer: Any, contents: Sequence[str]) -> bool:
    markers = [str(t) for t in tokenizer.added_tokens_decoder.values() if t.special]
    return any(marker in content for content in contents for marker in markers)


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
