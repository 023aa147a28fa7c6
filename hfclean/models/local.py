"""A model that runs here, through transformers: batches by length, and by default the likeliest token every time.

What most prompts of a call begin with, the instructions to a reviser, goes through the model once, and the answers
continue from its keys and values, where a trial with the loaded model shows that this gives the same.

The weights are loaded when the first conversation needs them, once per process, and never sit on a transform.
"""

from __future__ import annotations

import gc
import hashlib
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hfclean.errors import HfcleanError, require
from hfclean.models import process
from hfclean.models.chat_tokens import encode_turns
from hfclean.models.failures import BackendError, ModelError
from hfclean.models.protocol import Answer, Conversation, Generation, tidy
from hfclean.models.shared_prefix import Prefix, common_prefix, generates_behind, reach
from hfclean.models.spec import ModelSpec
from hfclean.models.store import Store
from hfclean.models.weights import ModelFiles, find_model, refuse_unsafe

T = TypeVar("T")

# for base models: what `chat_template="plain"` means
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'] | capitalize + ':\n' + message['content'] + '\n\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)
NEAR = 16  # tokens by which a shared beginning may be longer than the kept one and still not be worth a new one
BATCH = {"cuda": 64, "mps": 16, "xpu": 64, "cpu": 16}


def open_local(spec: ModelSpec, store: Store | None = None) -> LocalModel:
    """The model of this spec. Finds its files and what they are; loads nothing yet.

    Raises:
        ModelError: there is no such model.
    """
    require("transformers", extra="models")
    assert isinstance(spec.model, str)
    files = find_model(spec.model, spec.revision, store)
    return LocalModel(spec, files)


def forget(spec: ModelSpec) -> None:
    """Release a local model's weights, for callers that use many models in a process; they load again when needed."""
    assert isinstance(spec.model, str)
    files = find_model(spec.model, spec.revision)
    process.drop_shared(_weights_key(spec, files, device_of(ready_torch(), spec.device)))


def _weights_key(spec: ModelSpec, files: ModelFiles, device: str) -> tuple[object, ...]:
    return ("weights", files.folder, spec.dtype, device, spec.chat_template, spec.limits.batch_size)


def load_causal(spec: ModelSpec, files: ModelFiles) -> tuple[Any, Any]:
    """A causal language model and its tokenizer, loaded once in a process; the workers of its pools share the weights.

    Raises:
        ModelError: it cannot be loaded, or only with its own code.
    """
    torch = ready_torch()
    device = device_of(torch, spec.device)
    key = ("causal", files.folder, files.identity, spec.dtype, device)
    return process.keep_across_fork(key, lambda: read_causal(spec, files, device))


def read_causal(spec: ModelSpec, files: ModelFiles, device: str) -> tuple[Any, Any]:
    """Read weights and tokenizer from a folder: data only, never code.

    Raises:
        ModelError: see `load_causal`.
    """
    torch = require("torch", extra="models")
    transformers = require("transformers", extra="models")
    base = files.base or files
    for each in (base, files):
        refuse_unsafe(each)
    kind = "cpu" if device == "auto" and not torch.cuda.is_available() else device.partition(":")[0]
    where: dict[str, Any] = {"device_map": "auto"} if device == "auto" else {}
    safely = {"trust_remote_code": False, "local_files_only": True}
    tokenizer_config = files.folder / "tokenizer_config.json"
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            files.folder if tokenizer_config.is_file() else base.folder, **safely
        )
        dtype = dtype_of(torch, spec.dtype, "cuda" if kind == "auto" else kind)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            base.folder, dtype=dtype, use_safetensors=True, **safely, **where
        )
        if files.base is not None:
            model = _adapt(model, tokenizer, files)
    except HfcleanError:
        raise
    except Exception as e:
        reason = " ".join(str(e).split())[:400]
        raise ModelError(f"{spec.name} cannot be loaded ({type(e).__name__}: {reason})") from e
    if not where:
        model = model.to(device)
    return model.eval(), tokenizer


def _adapt(model: Any, tokenizer: Any, files: ModelFiles) -> Any:
    peft = require("peft", extra="models")
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft calls transformers by names on their way out
        adapted = peft.PeftModel.from_pretrained(model, str(files.folder), is_trainable=False)
        return adapted.merge_and_unload(safe_merge=True)  # one matrix to multiply by instead of three


@dataclass
class _Loaded:
    """Weights and tokenizer, with what their configuration says."""

    identity: str
    model: Any
    tokenizer: Any
    device: Any
    context: int | None
    stops: list[int]
    pad: int
    most: int
    continues: bool | None = None  # whether it gives the same behind a prefix; None until tried
    begun: tuple[list[int], Prefix | None] = ([], None)


@dataclass(frozen=True)
class _Prompt:
    """One conversation in tokens, and how many may follow."""

    place: int
    ids: list[int]
    room: int
    seed: int
    prefix: Prefix | None = None

    @property
    def start(self) -> int:
        """Where the answer begins."""
        return len(self.ids)


class LocalModel:
    """A local model, as a backend."""

    def __init__(self, spec: ModelSpec, files: ModelFiles) -> None:
        self.spec = spec
        self.files = files
        template = hashlib.sha256(self._template().encode()).hexdigest()[:12] if spec.chat_template else ""
        #: whose answers these are: model, and what of the spec changes them
        self.source = " ".join(filter(None, ["local", files.identity, spec.dtype, template]))

    def __call__(self, conversations: Sequence[Conversation], generation: Generation) -> list[Answer]:
        """Ask for all of them, without looking in any store."""
        found: dict[int, Answer] = {}
        for places, answers in self.batches(conversations, generation):
            found.update(zip(places, answers, strict=True))
        return [found[k] for k in range(len(conversations))]

    def batches(
        self,
        conversations: Sequence[Conversation],
        generation: Generation,
        before: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[Sequence[int], list[Answer]]]:
        """The answers as they become ready, with the places of their conversations; longest conversations first.
        `before` is called before each batch.

        Raises:
            ModelError: the model cannot be used as asked.
        """
        if not conversations:
            return
        if generation.temperature is None:
            raise ModelError(
                "temperature=None leaves it to a server; a model that runs here needs a number: 0 for greedy"
            )
        unknown = sorted(set(generation.extra or ()) - {"chat_template_kwargs"})
        if unknown:
            raise ModelError(
                f"extra={unknown}: a model that runs here takes chat_template_kwargs only; leave them out"
            )
        loaded = self._load()
        lock = process.once(("lock", id(loaded)), threading.Lock)  # not on the loaded model: that may cross a fork
        prompts = []
        for place, conversation in enumerate(conversations):
            with lock:
                prompt = self._prompt(loaded, place, conversation, generation)
            if prompt.room < 1:
                detail = f"{len(prompt.ids)} tokens, the model takes {loaded.context} with its answer"
                yield (place,), [Answer.failed("context_overflow", detail)]
            else:
                prompts.append(prompt)
        with lock:
            prompts = self._begun(loaded, prompts)
        prompts.sort(key=lambda p: (p.room, p.prefix is None, -len(p.ids), p.place))
        while prompts:
            first = prompts[0]
            batch = [p for p in prompts[: loaded.most] if p.room == first.room and p.prefix is first.prefix]
            before()
            with lock:
                answers = self._answer(loaded, batch, generation)
            if answers is None and len(batch) > 1:  # too large for the memory, and so will be the next ones
                loaded.most = max(1, len(batch) // 2)
                continue
            del prompts[: len(batch)]
            yield (
                [p.place for p in batch],
                answers or [Answer.failed("out_of_memory", f"{len(batch[0].ids)} tokens alone")],
            )

    def _template(self) -> str:
        given = self.spec.chat_template or ""
        return PLAIN_TEMPLATE if given == "plain" else given

    def _load(self) -> _Loaded:
        torch = ready_torch()
        device = device_of(torch, self.spec.device)
        spec = self.spec
        key = _weights_key(spec, self.files, device)
        loaded = process.keep_across_fork(key, lambda: self._read(torch, device))
        if loaded.identity != self.files.identity:  # the folder holds another model by now
            process.drop_shared(key)
            loaded = process.keep_across_fork(key, lambda: self._read(torch, device))
        return loaded

    def _read(self, torch: Any, device: str) -> _Loaded:
        transformers = require("transformers", extra="models")
        model, tokenizer = read_causal(self.spec, self.files, device)
        if self.spec.chat_template:
            tokenizer.chat_template = self._template()
        if not tokenizer.chat_template:
            raise ModelError(
                f"{self.spec.name} has no chat template, so how it takes turns is unknown; if it was trained for "
                "chat, give its template: chat_template='{% for message in messages %}...'; for a base model, "
                "chat_template='plain'"
            )
        kind = model.device.type
        stops = sorted({*_ids(model.generation_config.eos_token_id), *_ids(tokenizer.eos_token_id)})
        pad = next(iter([*_ids(tokenizer.pad_token_id), *stops, 0]))
        # generate() reads what we leave open from here: nobody asked for a model's own top_k or repetition_penalty
        model.generation_config = transformers.GenerationConfig(eos_token_id=stops or None, pad_token_id=pad)
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        most = self.spec.limits.batch_size or BATCH.get(kind, 16)
        return _Loaded(self.files.identity, model, tokenizer, model.device, context, stops, pad, most)

    def _prompt(self, loaded: _Loaded, place: int, conversation: Conversation, generation: Generation) -> _Prompt:
        ids = self._encode(loaded.tokenizer, conversation, generation)
        room = generation.max_new_tokens
        if loaded.context is not None:
            room = min(room, loaded.context - len(ids))
        content = "\0".join(m.role + "\0" + m.content for m in conversation).encode("utf-8", "replace")
        drawn = f"{generation.drawn_seed or 0}\0".encode() + content
        return _Prompt(place, ids, room, int.from_bytes(hashlib.sha256(drawn).digest()[:7]))

    def _encode(self, tokenizer: Any, conversation: Conversation, generation: Generation) -> list[int]:
        settings = (generation.extra or {}).get("chat_template_kwargs", {})
        return encode_turns(tokenizer, conversation, settings, name=self.spec.name)

    def _begun(self, loaded: _Loaded, prompts: list[_Prompt]) -> list[_Prompt]:
        """The prompts, those that begin alike with what has gone through the model of them."""
        import torch

        near = reach(loaded.model.config)  # a batch is as wide as its longest prompt, however it is filled up
        able = [p for p in prompts if len(p.ids) + p.room <= near]
        length, sharing = common_prefix(able)
        if length and loaded.continues is None:
            loaded.continues = generates_behind(loaded.model)
        if not length or not loaded.continues:
            return prompts
        ids = able[sharing[0]].ids[:length]
        known, prefix = loaded.begun
        if prefix is None or ids[: len(known)] != known or length - len(known) > NEAR:

            def run() -> Prefix:
                begin = torch.tensor([ids], device=loaded.device)
                return Prefix(length, loaded.model(input_ids=begin, use_cache=True, logits_to_keep=1).past_key_values)

            prefix = unless_out_of_memory(run)
            if prefix is None:
                return prompts
            loaded.begun = (ids, prefix)
        places = {able[k].place for k in sharing}
        return [replace(p, prefix=prefix) if p.place in places else p for p in prompts]

    def _answer(self, loaded: _Loaded, batch: Sequence[_Prompt], generation: Generation) -> list[Answer] | None:
        """Answers to a batch; None where it does not fit the memory."""
        rows = unless_out_of_memory(lambda: self._generate(loaded, batch, generation))
        if rows is None:
            return None
        return [self._read_row(loaded, prompt, row, generation) for prompt, row in zip(batch, rows, strict=True)]

    def _generate(self, loaded: _Loaded, batch: Sequence[_Prompt], generation: Generation) -> list[list[int]]:
        import torch

        transformers: Any = require("transformers", extra="models")
        width = max(len(p.ids) for p in batch)
        prefix = batch[0].prefix
        skip = prefix.length if prefix else 0  # filled up between the prefix and what is a row's own
        gaps = [width - len(p.ids) for p in batch]
        filled = [[*p.ids[:skip], *[loaded.pad] * gap, *p.ids[skip:]] for p, gap in zip(batch, gaps, strict=True)]
        ids = torch.tensor(filled)
        mask = torch.tensor([[1] * skip + [0] * gap + [1] * (width - skip - gap) for gap in gaps])
        settings = transformers.GenerationConfig(
            max_new_tokens=batch[0].room,
            do_sample=False,
            num_beams=1,
            use_cache=True,
            eos_token_id=loaded.stops or None,
            pad_token_id=loaded.pad,
            stop_strings=list(generation.stop) or None,
        )
        out = loaded.model.generate(
            input_ids=ids.to(loaded.device),
            attention_mask=mask.to(loaded.device),
            generation_config=settings,
            tokenizer=loaded.tokenizer if generation.stop else None,
            logits_processor=[_Draw(batch, generation)] if generation.sampled else None,
            **({"past_key_values": prefix.before(len(batch))} if prefix else {}),
        )
        rows: list[list[int]] = out[:, width:].tolist()
        return rows

    def _read_row(self, loaded: _Loaded, prompt: _Prompt, row: list[int], generation: Generation) -> Answer:
        ends = [k for k, token in enumerate(row) if token in loaded.stops]
        written = ends[0] + 1 if ends else len(row)
        while not ends and written and row[written - 1] == loaded.pad:
            written -= 1  # filled up after a stop text, until the longest of the batch was done
        text = loaded.tokenizer.decode(row[: ends[0] if ends else written], skip_special_tokens=True)
        finish = "stop" if ends else "length"
        cuts = [at for stop in generation.stop if (at := text.find(stop)) >= 0]
        if cuts:
            text, finish = text[: min(cuts)], "stop"
        return Answer(tidy(text), finish, len(prompt.ids), written, model=self.files.identity)


class _Draw:
    """Sampling whose chance depends on the conversation and its seed alone, not on the batch that it is in.

    Adding Gumbel noise to the scores and taking the largest draws from their softmax.
    """

    def __init__(self, batch: Sequence[_Prompt], generation: Generation) -> None:
        import torch

        self._chances = [torch.Generator().manual_seed(p.seed) for p in batch]
        self._temperature = generation.temperature or 1.0
        self._top_p = generation.top_p

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        scores = scores.float() / self._temperature
        if self._top_p < 1:
            ordered, order = scores.sort(dim=-1, descending=True)
            before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
            scores = scores.masked_fill((before >= self._top_p).scatter(-1, order, before >= self._top_p), -torch.inf)
        noise = torch.stack([torch.empty(scores.shape[-1]).exponential_(generator=c) for c in self._chances])
        return scores - noise.log().to(scores.device)


def ready_torch() -> Any:
    """torch, fit for this process.

    Raises:
        MissingExtraError: it is not installed.
    """
    torch = require("torch", extra="models")
    if process.in_worker() and torch.get_num_threads() != 1:
        torch.set_num_threads(1)  # before the first operation: a fork of a process with warm threads hangs in it
    return torch


def device_of(torch: Any, wanted: str | None) -> str:
    """The device to use; in the workers of a pool, each its own GPU in turn."""
    found = wanted
    if found is None:
        if torch.cuda.is_available():
            found = f"cuda:{process.worker_number() % torch.cuda.device_count()}"
        else:
            found = "mps" if torch.backends.mps.is_available() else "cpu"
    if found.startswith("cuda") and torch.cuda._is_in_bad_fork():
        raise BackendError(
            "a GPU that the parent process has used cannot be used in a forked worker; before map: "
            "multiprocess.set_start_method('spawn'), or no num_proc"
        )
    return found


def dtype_of(torch: Any, wanted: str | None, kind: str) -> Any:
    """The dtype of weights: the named one, by default half precision on devices of kinds that compute in it.

    Raises:
        ModelError: torch has no floating type of this name.
    """
    if wanted is None:
        if kind == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.float16 if kind == "mps" else torch.float32
    found = getattr(torch, wanted, None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ModelError(
            f"dtype={wanted!r} is not one of torch's floating types; expected 'bfloat16', 'float16' or 'float32'"
        )
    return found


def _ids(value: Any) -> list[int]:
    """Token ids from what a configuration holds: none, one or several."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [int(value)]


def unless_out_of_memory(work: Callable[[], T]) -> T | None:
    """The result of the work, without gradients; None where it does not fit the memory, which is then freed."""
    import torch

    try:
        with torch.inference_mode():
            return work()
    except (RuntimeError, MemoryError) as e:
        if not is_out_of_memory(torch, e):
            raise
    gc.collect()  # outside the handler: the traceback holds on to the tensors
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def is_out_of_memory(torch: Any, error: BaseException) -> bool:
    message = str(error).lower()
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or "out of memory" in message
        or "allocate memory" in message
    )
