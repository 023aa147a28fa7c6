"""How likely a text is under a language model: the loss of each of its tokens, after one context or several.

    found = token_losses(spec, [Passage(("What is the capital of France?\n", ""), "Paris.")])
    given, alone = found[0].values          # the same tokens of "Paris.", with the question and without

Whatever went wrong is a status and a reason, never a number. Results are on disk before anybody gets them, so a
killed run computes nothing twice. Losses are negative natural-log probabilities, 0 and up, lower = likelier.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from hfclean.errors import require
from hfclean.models import process
from hfclean.models.asking import ask
from hfclean.models.chat_tokens import encode_text, lead_of
from hfclean.models.failures import BackendError, ModelError
from hfclean.models.likelihood import Backbone, Sequence_
from hfclean.models.local import load_causal
from hfclean.models.protocol import Answer, Generation
from hfclean.models.spec import ModelSpec
from hfclean.models.store import Record, Setting, Store, open_store
from hfclean.models.weights import ModelFiles, find_model, mark

STATUSES = {
    "ok": "every token of the text that has a token before it was scored",
    "truncated": "the end of the text lies beyond the longest length, and was not scored",
    "empty": "nothing to score: no text, only blanks or a model's own markers, or one token with none before it",
    "too_long": "the context alone fills the longest length",
    "error": "the model gave no finite numbers, or did not fit the memory",
}
VERSION = "losses-1"  # raised when values change: all are computed again
# since this version the first word after a blank is scored; contexts that end in none were right before, and stay
VERSION_BEHIND_BLANK = "losses-2"
WINDOW = 256  # passages that are worked on together, and all that a crash can lose


class Passage(NamedTuple):
    """A text and the contexts it may follow. Its tokens are those that it has after the first context.

    Tokenizers join a blank to the word after it. Where a context ends in white space, the token that holds its end and
    the beginning of the text is a token of the text, and follows every context with its blank.
    """

    contexts: tuple[str, ...]
    target: str


@dataclass(frozen=True)
class Tokenization:
    """How texts are cut into tokens for a score; part of what a loss is.

    Args:
        max_length: tokens of context and text together; None for what the model takes.
        separate: cut the text by itself behind every context, as the scripts of Superfiltering and Cherry do, so that
            what is scored may differ between them.
        offset: without a token before it, the first token of a text cannot be scored, and is left out behind every
            context; with `offset` only where it has none, as in Superfiltering's scripts.
    """

    max_length: int | None = None
    separate: bool = False
    offset: bool = False


@dataclass(frozen=True)
class TokenLosses:
    """The losses of a passage's tokens behind each of its contexts.

    Args:
        status: a key of `STATUSES`.
        values: one float32 array for each context, token by token; empty unless the status is ok or truncated.
        reason: more about the status.
    """

    status: str
    values: tuple[Any, ...] = ()
    reason: str = ""

    @property
    def scored(self) -> bool:
        """Whether there are values."""
        return self.status in ("ok", "truncated")


def token_losses(
    spec: ModelSpec, passages: Sequence[Passage], reading: Tokenization = Tokenization()
) -> list[TokenLosses]:
    """The token losses of every passage, in order.

    Args:
        spec: a model that runs here, or one on a server that returns the log-probabilities of prompts.
        passages: what to score.
        reading: how texts are cut into tokens.

    Raises:
        ModelError: the model cannot be used for this: no fast tokenizer, its own code, no such folder.
        BackendError: the server cannot be asked.
        StoreError: the file of answers cannot be read or written.
    """
    if spec.kind == "function":
        raise BackendError(f"{spec.name} is a custom function, which gives answers and no losses; name a model")
    if spec.kind == "server":
        return _served(spec, passages, reading)
    return _scorer(spec).losses(passages, reading)


def identity_of(spec: ModelSpec) -> str:
    """The commit or the hash of a model that runs here; empty where only a server knows."""
    return _scorer(spec).files.identity if spec.kind == "local" else ""


def _scorer(spec: ModelSpec) -> _Scorer:
    assert isinstance(spec.model, str)
    key = ("losses", spec, mark(spec.model))
    return process.once(key, lambda: _Scorer(spec))


class _Scorer:
    """A local model with the file in which its losses are kept."""

    def __init__(self, spec: ModelSpec) -> None:
        require("transformers", extra="models")
        assert isinstance(spec.model, str)
        self.spec = spec
        self.store: Store | None = None if spec.store is False else open_store(spec.store)
        self.files: ModelFiles = find_model(spec.model, spec.revision, self.store)
        self.source = spec.cache_as or " ".join(filter(None, ["local", self.files.identity, spec.dtype]))

    def losses(self, passages: Sequence[Passage], reading: Tokenization) -> list[TokenLosses]:
        """The losses of every passage; what the file holds is not computed again."""
        reading_json = json.dumps(asdict(reading))
        settings = {
            version: Setting.of(self.source, version, reading_json) for version in (VERSION, VERSION_BEHIND_BLANK)
        }
        found: list[TokenLosses] = []
        for start in range(0, len(passages), WINDOW):
            found += self._window(passages[start : start + WINDOW], reading, settings)
        return found

    def _window(
        self, passages: Sequence[Passage], reading: Tokenization, settings: Mapping[str, Setting]
    ) -> list[TokenLosses]:
        texts = [_messages(passage) for passage in passages]
        passage_settings = [settings[VERSION_BEHIND_BLANK if _end_in_blank(p, reading) else VERSION] for p in passages]
        keys = [setting.key(text) for setting, text in zip(passage_settings, texts, strict=True)]
        stored = self.store.get(list(dict.fromkeys(keys))) if self.store is not None else {}
        known = {key: _decode(answer.text) for key, answer in stored.items()}
        missing = {key: k for k, key in enumerate(keys) if key not in known}

        def compute(wanted: Sequence[bytes]) -> None:
            places = [missing[key] for key in wanted]
            new = self._compute([passages[k] for k in places], reading)
            records = []
            for k, losses in zip(places, new, strict=True):
                known[keys[k]] = losses
                if losses.status != "error":  # what failed may pass the next time
                    answer = Answer(_encode(losses), model=self.files.identity)
                    records.append(Record(keys[k], passage_settings[k], texts[k], answer, 0, 0.0))
            if self.store is not None and records:
                self.store.put(records)

        def hear(answers: Mapping[bytes, Answer]) -> None:
            known.update((key, _decode(answer.text)) for key, answer in answers.items())

        if self.store is not None:
            self.store.leases.share(list(missing), compute, hear)
        elif missing:
            compute(list(missing))
        return [known[key] for key in keys]

    def _compute(self, passages: Sequence[Passage], reading: Tokenization) -> list[TokenLosses]:
        model, tokenizer = load_causal(self.spec, self.files)
        backbone = process.once(("backbone", id(model)), lambda: Backbone(model, tokenizer))
        cut = _Cutter(tokenizer, backbone.context, reading)
        plans = [cut.plan(passage) for passage in passages]
        pool = [sequence for plan in plans for sequence in plan.sequences]
        done = iter(backbone.losses(pool))
        return [_gathered(plan, [next(done) for _ in plan.sequences]) for plan in plans]


class _Plan(NamedTuple):
    """The sequences of one passage, or why there are none."""

    sequences: tuple[Sequence_, ...]
    status: str
    reason: str = ""


class _Cutter:
    """Cuts passages into tokens, as a `Tokenization` says."""

    def __init__(self, tokenizer: Any, context: int | None, reading: Tokenization) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"{type(tokenizer).__name__} does not say which characters a token stands for, and guessing would "
                "give wrong scores; use a model with a fast tokenizer (tokenizer.json)"
            )
        self.tokenizer = tokenizer
        self.reading = reading
        limits = [limit for limit in (reading.max_length, context) if limit]
        self.longest = min(limits) if limits else None
        self.lead = lead_of(tokenizer)
        self.markers = [str(token) for token in tokenizer.all_special_tokens]

    def plan(self, passage: Passage) -> _Plan:
        """The sequences to run for a passage, one for each context."""
        target = passage.target
        if not self._says_something(target):
            return _Plan((), "empty", "no text")
        sequences = []
        tokens: list[int] = []
        for n, context in enumerate(passage.contexts):
            if n == 0 or self.reading.separate:
                ids, tokens = self._cut(context, target)
                left = ids
            else:
                left = [*self.lead, *encode_text(self.tokenizer, context)]
            if not tokens:
                return _Plan((), "empty", "no token lies wholly in the text")
            sequences.append((left, tokens))
        return self._fit(sequences)

    def _says_something(self, text: str) -> bool:
        for marker in self.markers:
            text = text.replace(marker, "")
        return bool(text.strip())

    def _cut(self, context: str, target: str) -> tuple[list[int], list[int]]:
        """The tokens before the text, and those that lie in it, the first with a blank that stands before the text."""
        coded = self.tokenizer(
            context + target,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            split_special_tokens=True,
        )
        ids, offsets, marks = coded["input_ids"], coded["offset_mapping"], coded["special_tokens_mask"]
        inside = [
            k
            for k, ((begin, end), special) in enumerate(zip(offsets, marks, strict=True))
            if not special
            and end > len(context)
            and (begin >= len(context) or _is_blank_then_text(context[begin:], target[: end - len(context)]))
        ]
        if not inside:
            return list(ids), []
        first, last = inside[0], inside[-1]
        return list(ids[:first]), list(ids[first : last + 1])

    def _fit(self, sequences: list[tuple[list[int], list[int]]]) -> _Plan:
        status = "ok"
        if self.longest is not None:
            room = self.longest - max(len(left) for left, _ in sequences)
            if room < 1:
                return _Plan((), "too_long", f"the context alone has {self.longest - room} tokens of {self.longest}")
            if any(len(tokens) > room for _, tokens in sequences):
                status = "truncated"
                sequences = [(left, tokens[:room]) for left, tokens in sequences]
        bare = any(not left for left, _ in sequences)
        found = []
        for left, tokens in sequences:
            skip = int(bare and not (left and self.reading.offset))
            if len(tokens) <= skip:
                return _Plan((), "empty", "one token, with none before it")
            found.append(Sequence_([*left, *tokens], len(left) + skip))
        return _Plan(tuple(found), status)


def _is_blank_then_text(before: str, after: str) -> bool:
    """Whether of a token that straddles the border only white space lies before it, and more than that behind. What
    is white space on both sides stays with the context, as the published scripts have it."""
    return before.isspace() and not after.isspace()


def _end_in_blank(passage: Passage, reading: Tokenization) -> bool:
    """Whether a text is cut behind a context that ends in a blank, which tokenizers join to the word behind it. They
    join no line break to it."""
    cut = passage.contexts if reading.separate else passage.contexts[:1]
    return any(context[-1:].isspace() and context[-1] not in "\r\n" for context in cut)


def _gathered(plan: _Plan, losses: Sequence[Any]) -> TokenLosses:
    if not plan.sequences:
        return TokenLosses(plan.status, (), plan.reason)
    error = next((each.error for each in losses if each.error), "")
    if error:
        return TokenLosses("error", (), error)
    return TokenLosses(plan.status, tuple(each.values for each in losses), plan.reason)


def _messages(passage: Passage) -> bytes:
    """A passage as it enters the key, and as it can be read in an export."""
    turns = [{"role": "context", "content": context} for context in passage.contexts]
    return json.dumps([*turns, {"role": "target", "content": passage.target}], separators=(",", ":")).encode()


def _encode(losses: TokenLosses) -> str:
    values = [base64.b64encode(v.astype("<f4").tobytes()).decode() for v in losses.values]
    return json.dumps({"status": losses.status, "reason": losses.reason, "float32": values})


def _decode(text: str) -> TokenLosses:
    import numpy as np

    data = json.loads(text)
    values = tuple(np.frombuffer(base64.b64decode(v), "<f4") for v in data["float32"])
    return TokenLosses(data["status"], values, data["reason"])


def _served(spec: ModelSpec, passages: Sequence[Passage], reading: Tokenization) -> list[TokenLosses]:
    """The same from a server: tokens are told apart by their places in the text, and only those count that stand
    behind every context. Blanks that end the first context are put before the text behind every other one, so that
    its first word is the same token there.

    Raises:
        BackendError: a custom length, which a server does not take.
    """
    if reading.max_length is not None:
        raise BackendError(f"max_length={reading.max_length}: a server goes by its own length; leave it out")
    wanted = [p for p in passages if p.target.strip()]
    prompts = [context + p.target for p in map(_with_blank, wanted) for context in p.contexts]
    answers = iter(ask(spec, prompts, Generation(max_new_tokens=1, prompt_logprobs=True), prompt_version=VERSION))
    found = []
    for passage in passages:
        if not passage.target.strip():
            found.append(TokenLosses("empty", (), "no text"))
            continue
        found.append(_read_served(passage, [next(answers) for _ in passage.contexts]))
    return found


def _with_blank(passage: Passage) -> Passage:
    """The passage with the blanks that end its first context at the end of every other one, too."""
    first, *others = passage.contexts
    blank = first[len(first.rstrip(" \t\u00a0\u3000")) :]
    if not blank or first == blank:
        return passage
    return passage._replace(contexts=(first, *(c if c.endswith(blank) else c + blank for c in others)))


def _read_served(passage: Passage, answers: Sequence[Answer]) -> TokenLosses:
    import numpy as np

    failed = next((answer.error for answer in answers if answer.error), "")
    if failed:
        return TokenLosses("too_long" if failed == "context_overflow" else "error", (), failed)
    tables = []
    for context, answer in zip(_with_blank(passage).contexts, answers, strict=True):
        reply = json.loads(answer.text)
        border = len(context)
        ends = [*reply["offsets"][1:], border + len(passage.target)]
        tables.append(
            {
                (begin - border, end - border): -value
                for begin, end, value in zip(reply["offsets"], ends, reply["logprobs"], strict=True)
                if value is not None
                and end > border
                and (begin >= border or _is_blank_then_text(context[begin:], passage.target[: end - border]))
            }
        )
    common = [span for span in tables[0] if all(span in table for table in tables[1:])]
    if not common:
        return TokenLosses("empty", (), "no token is the same behind every context")
    values = tuple(np.array([table[span] for span in common], np.float32) for table in tables)
    if not all(math.isfinite(v) for array in values for v in array):
        return TokenLosses("error", (), "not_finite")
    return TokenLosses("ok", values)
