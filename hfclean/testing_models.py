"""Stand-ins for models, for tests that need no network: a backend that answers from a script, and tiny models to load.

from hfclean.models import Message, ModelSpec, ask
from hfclean.testing_models import ScriptedBackend

def test_my_reviser_asks_once_a_row():
    backend = ScriptedBackend(["An apple.", Answer.failed("timeout")])
    ...
    assert [c[-1].content for c in backend.asked] == ["Name a fruit.", "Name a tree."]
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfclean.errors import require
from hfclean.models import Answer, Conversation, Generation

__all__ = ["ScriptedBackend", "tiny_adapter", "tiny_model", "tiny_tokenizer"]

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WORDS = (
    "Name a fruit. An apple is a fruit. Write a poem about the sea. The sea is deep and blue. "
    "What is the capital of France? The capital of France is Paris. Translate to German: good morning. Guten Morgen! "
)

_Scripted = str | Answer


class ScriptedBackend:
    """A backend that answers from a script and remembers what it was asked.

    Args:
        script: answers in the order of asking; or by the text of the last message; or a function of the conversation.
            Texts stand for answers that ended well.
        default: the answer where a mapping has none; without one, that is an error.

    Attributes:
        asked: the conversations so far.
        generations: the settings that came with each.
    """

    kept = False  # a test's answers do not go into anybody's store

    def __init__(
        self,
        script: Sequence[_Scripted] | Mapping[str, _Scripted] | Callable[[Conversation], _Scripted],
        *,
        default: _Scripted | None = None,
    ) -> None:
        self.script = script
        self.default = default
        self.asked: list[Conversation] = []
        self.generations: list[Generation] = []

    def __call__(self, conversations: Sequence[Conversation], generation: Generation) -> list[Answer]:
        """The next answers of the script.

        Raises:
            AssertionError: the script has no answer to this.
        """
        answers = []
        for conversation in conversations:
            found = self._next(conversation)
            self.asked.append(conversation)
            self.generations.append(generation)
            answers.append(Answer(found) if isinstance(found, str) else found)
        return answers

    def _next(self, conversation: Conversation) -> _Scripted:
        if callable(self.script):
            return self.script(conversation)
        if isinstance(self.script, Mapping):
            found = self.script.get(conversation[-1].content, self.default)
            if found is None:
                raise AssertionError(f"the script has no answer to {conversation[-1].content!r:.200}")
            return found
        place = len(self.asked)
        if place >= len(self.script):
            raise AssertionError(
                f"the script has {len(self.script)} answers, and this is question {place + 1}: "
                f"{conversation[-1].content!r:.200}"
            )
        return self.script[place]

    def __getstate__(self) -> dict[str, Any]:
        # what it was asked is not what it is: the fingerprint of a transform stays as it was
        return {"script": self.script, "default": self.default}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["script"], default=state["default"])  # type: ignore[misc]


def tiny_tokenizer(texts: Sequence[str] = (WORDS,), size: int = 320, *, chat_template: str | None = CHATML) -> Any:
    """A byte-level tokenizer trained on a few texts, which can spell any text; with the markers of ChatML."""
    tokenizers = require("tokenizers", extra="models")
    transformers = require("transformers", extra="models")
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    markers = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=markers,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",  # noqa: S106 - no password
        pad_token="<|endoftext|>",  # noqa: S106
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = chat_template
    return tokenizer


def tiny_model(
    folder: str | Path,
    *,
    tokenizer: Any = None,
    seed: int = 0,
    hidden: int = 32,
    layers: int = 2,
    context: int = 512,
    spread: float = 0.4,
    chat_template: str | None = CHATML,
) -> Path:
    """Write a two-layer language model with random weights into a folder, as `save_pretrained` does. No network.

    With the usual `spread` of 0.02 such a small model repeats one token forever; a model to be trained needs that
    value.
    """
    torch = require("torch", extra="models")
    transformers = require("transformers", extra="models")
    tokenizer = tokenizer or tiny_tokenizer(chat_template=chat_template)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=context,
        initializer_range=spread,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.Qwen3ForCausalLM(config)
    folder = Path(folder)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_adapter(folder: str | Path, base: str | Path, *, seed: int = 1, rank: int = 4) -> Path:
    """Write a LoRA adapter with random weights for a model in a folder."""
    torch = require("torch", extra="models")
    transformers = require("transformers", extra="models")
    peft = require("peft", extra="models")
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    settings = peft.LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft calls transformers by names on their way out
        torch.manual_seed(seed)
        adapted = peft.get_peft_model(model, settings)
        adapted.save_pretrained(folder)
    return Path(folder)
