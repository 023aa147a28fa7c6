"""The requests of a transform, answered by `ray.data.llm`: its batch inference, and our prompts, store and gate."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from hfclean.engines.whole_rows import whole_rows
from hfclean.errors import HfcleanError, require
from hfclean.models import Answer, Asking, Conversation, Generation, ModelTransform, open_backend
from hfclean.models.asking import plan_for
from hfclean.models.protocol import tidy
from hfclean.models.spec import ModelSpec
from hfclean.models.store import Record, Setting, default_path, open_store
from hfclean.models.wire import OVERFLOW, Failure, Form, read_answer
from hfclean.schema import plain

# what goes through Ray of each request, all of it text
REQUEST = ("key", "prompt_version", "generation", "conversation")
ANSWER = ("text", "finish_reason", "prompt_tokens", "completion_tokens", "error", "model")
KEPT_TOGETHER = 256  # answers that go to the disk at once: what a crash can lose


@dataclass(frozen=True)
class EngineModel:
    """A model that hfclean does not ask itself: `ask_on_ray` has it asked, and keeps the answers.

    A transform with such a model reads what is kept. A row whose answer is not there is `failed` with the reason
    `not_asked`.

    Args:
        name: whose answers these are: model, commit and engine. They are kept under this name, and cards show it.
    """

    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise HfcleanError(
                "EngineModel(name=''): expected whose answers these are, such as 'Qwen3-8B on vLLM 0.20'"
            )
        object.__setattr__(self, "__qualname__", self.name)

    @property
    def cache_as(self) -> str:
        """The name under which answers are kept."""
        return self.name

    def __call__(self, conversations: Sequence[Conversation], generation: Generation) -> list[Answer]:
        """No answers: nobody is asked."""
        detail = f"no answer of {self.name!r} is kept; have it asked first: hfclean.engines.ask_on_ray(...)"
        return [Answer.failed("not_asked", detail)] * len(conversations)


class AskedOnRay(NamedTuple):
    """What `ask_on_ray` did.

    Attributes:
        answered: answers that came and were kept.
        failed: requests without an answer, by a key of `hfclean.models.ERRORS`.
        rounds: how often the model was asked: more than once where a request depends on an earlier answer.
    """

    answered: int
    failed: dict[str, int]
    rounds: int


def ask_on_ray(transform: ModelTransform, ds: Any, config: Any) -> AskedOnRay:
    """Have the requests of a transform answered by `ray.data.llm`, such as by vLLM on the GPUs of a cluster.

        coach = hfclean.Reviser(hfclean.engines.EngineModel("Qwen/Qwen3-8B on vLLM 0.20"))
        config = vLLMEngineProcessorConfig(model_source="Qwen/Qwen3-8B", concurrency=8)
        hfclean.engines.ask_on_ray(coach, ray.data.read_parquet("rows.parquet"), config)
        hfclean.clean("rows.parquet", reviser=coach)

    Prompts and sampling come from the transform. Every answer goes into its file of answers (`store=`), on the machine
    that calls this; any run of the transform that reads this file finds it there, and parses and checks it. Nothing is
    asked twice: not what is kept, nor for equal rows, nor after a run that was stopped. Where an answer leads to a
    further request (`attempts`, `repair_refused`, `Reflection`), the model is asked in rounds.

    Ray does not say why an answer of vLLM ended: one with as many tokens as `max_new_tokens` allows counts as cut off.
    Other models that the transform asks, such as a judge of candidates, are not asked here.

    Args:
        transform: a reviser or scorer whose model is an `EngineModel`, or a server.
        ds: the rows, a dataset of Ray.
        config: of `ray.data.llm`: a `vLLMEngineProcessorConfig` for an `EngineModel`; for a server an
            `HttpRequestProcessorConfig` with its address and key. With `should_continue_on_error=True` a request that
            fails is counted; otherwise Ray ends the run. Either way, what came before is kept.

    Raises:
        HfcleanError: the model is of another kind, keeps no answers, or has settings that Ray does not keep to.
        MissingExtraError: Ray is not installed.
    """
    spec = _checked(transform)
    ray = require("ray", extra="ray")
    llm = require("ray.data.llm", extra="ray")
    strategies = require("ray.util.scheduling_strategies", extra="ray")
    here = strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    path = str(Path(spec.store or default_path()).expanduser().resolve())
    source = open_backend(replace(spec, store=False)).source
    kept = ray.remote(_Kept).options(num_cpus=0, scheduling_strategy=here).remote(path, source, spec.name)
    # the name until Ray 2.50
    build = getattr(llm, "build_processor", None) or llm.build_llm_processor
    processor = build(config, preprocess=_Asked(spec))
    for rounds in count():
        ray.get(kept.begin.remote())
        requests = ds.map_batches(_Requests(transform, kept), batch_format="pyarrow").materialize()
        if not requests.count():
            answered, failed = ray.get(kept.counts.remote())
            return AskedOnRay(answered, failed, rounds)
        for batch in processor(requests).map(_answer).iter_batches(batch_format="pyarrow", batch_size=KEPT_TOGETHER):
            ray.get(kept.keep.remote(batch.to_pylist()))
    raise AssertionError  # there is always a next round


def _checked(transform: ModelTransform) -> ModelSpec:
    """The model of a transform.

    Raises:
        HfcleanError: Ray cannot ask it.
    """
    spec = transform.spec()
    if spec.kind != "server" and not isinstance(spec.model, EngineModel):
        raise HfcleanError(
            f"the model {spec.name!r} is not one that Ray asks; expected "
            f"model=hfclean.engines.EngineModel({f'{spec.name} on vLLM'!r}), or a server with base_url="
        )
    if spec.store is False:
        raise HfcleanError("store=False keeps no answers, and ask_on_ray does nothing else; name a file, store=FILE")
    bounds = [name for name in ("max_cost", "max_tokens_total") if getattr(spec, name) is not None]
    if bounds:
        raise HfcleanError(f"{bounds[0]}= is not kept to where Ray asks; leave it out, and ask for some rows first")
    if spec.kind != "server" and "chat_template_kwargs" in (transform.extra_body or {}):
        raise HfcleanError(
            "chat_template_kwargs are for the whole engine: say them in its config, "
            "chat_template_stage={'chat_template_kwargs': {...}}, and in the name of the EngineModel"
        )
    return spec


class _Kept:
    """An actor on the machine of the caller: the file of answers, for workers on any machine."""

    def __init__(self, path: str, source: str, name: str) -> None:
        self._store, self._source, self._name = open_store(path), source, name
        self._claimed: set[bytes] = set()
        self._lost: dict[bytes, Answer] = {}
        self._answered = 0

    def begin(self) -> None:
        """A new round: what was claimed and came to nothing, since its worker died, is open again."""
        self._claimed.clear()

    def look(self, keys: list[bytes], claim: bool) -> tuple[dict[bytes, Answer], set[bytes]]:
        """What is known of these requests, and which of the others the caller should have asked."""
        answers = {key: self._lost[key] for key in keys if key in self._lost} | self._store.get(keys)
        mine = {key for key in keys if key not in answers and key not in self._claimed} if claim else set()
        self._claimed |= mine
        return answers, mine

    def keep(self, rows: list[dict[str, Any]]) -> None:
        """Keep answers, each with its request."""
        records = []
        for row in rows:
            key = bytes.fromhex(row["key"])
            if row["error"]:
                self._lost[key] = Answer.failed(row["error"])
                continue
            answer = Answer(**{name: row[name] for name in ANSWER})
            answer = replace(answer, model=answer.model or self._name)
            setting = Setting.of(self._source, row["prompt_version"], row["generation"])
            tokens = (answer.prompt_tokens or 0) + (answer.completion_tokens or 0)
            records.append(Record(key, setting, row["conversation"].encode(), answer, tokens, 0.0))
        if records:
            self._store.put(records)
        self._answered += len(records)

    def counts(self) -> tuple[int, dict[str, int]]:
        """Answers kept, and failures by error."""
        return self._answered, dict(Counter(answer.error for answer in self._lost.values()))


@dataclass(frozen=True)
class _Requests:
    """A batch of rows as the requests that their transform makes, without those whose answer is known."""

    transform: ModelTransform
    kept: Any

    def __call__(self, table: Any) -> Any:
        import pyarrow as pa

        found: dict[str, list[str]] = {name: [] for name in REQUEST}
        self.transform.lacking(whole_rows(self.transform)._table(table), lambda wanted: self._known(wanted, found))
        return pa.table(found, schema=pa.schema([(name, pa.string()) for name in REQUEST]))

    def _known(self, wanted: Asking, found: dict[str, list[str]]) -> list[Answer | None]:
        """The known answers; requests that nobody has made are added to `found`."""
        if wanted.spec != self.transform.spec():
            return [None] * len(wanted.conversations)
        plan = plan_for(
            replace(wanted.spec, store=False), wanted.conversations, wanted.generation, wanted.prompt_version
        )
        keys = list(plan.messages)
        answers, mine = require("ray", extra="ray").get(self.kept.look.remote(keys, not wanted.kept_only))
        for key in keys:
            if key in mine:
                setting = plan.setting
                request = (key.hex(), setting.prompt_version, setting.generation, plan.messages[key].decode())
                for name, text in zip(REQUEST, request, strict=True):
                    found[name].append(text)
        return [answers.get(key) for key in plan.keys]


@dataclass(frozen=True)
class _Asked:
    """A request as the stages of Ray take it."""

    spec: ModelSpec

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        generation = Generation(**json.loads(row["generation"]))
        messages = [{**message, "content": tidy(message["content"])} for message in json.loads(row["conversation"])]
        if generation.prompt_logprobs:
            raise HfcleanError(
                "ray.data.llm writes answers, and this asks how likely a text is; ask a server for that"
            )
        if self.spec.kind == "server":
            return {"payload": {"messages": messages, **json.loads(b"{" + Form().tail(self.spec, generation)[1:])}}
        return {"messages": messages, "sampling_params": _sampling(generation)}


def _sampling(generation: Generation) -> dict[str, Any]:
    """The `SamplingParams` of vLLM."""
    found: dict[str, Any] = {"max_tokens": generation.max_new_tokens, "top_p": generation.top_p}
    if generation.temperature is not None:
        found["temperature"] = generation.temperature
    if generation.drawn_seed is not None:
        found["seed"] = generation.drawn_seed
    if generation.stop:
        found["stop"] = list(generation.stop)
    if generation.response_format is not None:
        # as text: Arrow would give all objects of a schema the same fields
        found["structured_outputs"] = {"json": json.dumps(generation.response_format)}
    return found | dict(generation.extra or {})


def _answer(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the stages of Ray made of a request, as an answer beside it."""
    error = row.get("__inference_error__") or ""
    if error:
        answer = Answer.failed("context_overflow" if OVERFLOW.search(error) else "server_error")
    elif "http_response" in row:
        reply = read_answer(json.dumps(plain(row["http_response"])).encode())
        answer = Answer.failed(reply.kind) if isinstance(reply, Failure) else reply
    elif "generated_text" in row:
        written = int(row["num_generated_tokens"])
        cut = written >= json.loads(row["generation"])["max_new_tokens"]
        read = int(row["num_input_tokens"])
        answer = Answer(tidy(row["generated_text"]), "length" if cut else "stop", read, written)
    else:
        raise HfcleanError(
            f"the processor gave the columns {', '.join(sorted(row))}; expected generated_text, as from a "
            "vLLMEngineProcessorConfig, or http_response, as from an HttpRequestProcessorConfig"
        )
    return {name: row[name] for name in REQUEST} | {name: getattr(answer, name) for name in ANSWER}
