"""The settings of a generation, as one value: which teacher, what it is asked, what is dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, ClassVar

from hfclean.errors import HfcleanError
from hfclean.generation.filters import FILTERS, Filter
from hfclean.generation.prompts import Prompts
from hfclean.generation.repeats import Novelty
from hfclean.models import Generation, ModelSpec
from hfclean.schema import Columns


@dataclass(frozen=True)
class Generator:
    """How rows are made.

    Args:
        spec: the teacher, and the way to it.
        prompts: what it is asked.
        filters: what is dropped, in order.
        novelty: when a task counts as new.
        shown: tasks of seeds and of kept rows in the list that the teacher goes on with: Self-Instruct shows 8, up to
            2 of them kept rows.
        per_request: new tasks that one request asks for.
        examples: rows for each new task, with different inputs.
        temperature: of the requests for tasks, 0.7 as in Self-Instruct; rows are asked for with temperature 0.
        top_p: of the same requests, 0.5 as in Self-Instruct.
        max_new_tokens: the longest list of tasks, and the longest row.
        seed: of the sampling of what is shown, and of the teacher where it takes one.
        extra_body: further fields for the server's request body, such as `{"presence_penalty": 2}`.
        stop_below: end when a smaller share of a round's tasks is new, 0 to 1.
        columns: which columns of the seeds hold what, as every transform takes it.
    """

    version: ClassVar[int] = 1

    spec: ModelSpec
    prompts: Prompts = field(default_factory=Prompts)
    filters: tuple[Filter, ...] = FILTERS
    novelty: Novelty = field(default_factory=Novelty)
    shown: tuple[int, int] = (6, 2)
    per_request: int = 8
    examples: int = 1
    temperature: float | None = 0.7
    top_p: float = 0.5
    max_new_tokens: int = 1024
    seed: int = 0
    extra_body: Mapping[str, Any] | None = field(default=None, hash=False)
    stop_below: float = 0.05
    columns: Columns = field(default=None, hash=False)

    def __post_init__(self) -> None:
        seeds, kept = self.shown
        if seeds < 1 or kept < 0:
            raise HfcleanError(f"shown={self.shown}: expected at least 1 seed and 0 kept rows, such as (6, 2)")
        for name in ("per_request", "examples"):
            if getattr(self, name) < 1:
                raise HfcleanError(f"{name}={getattr(self, name)}: expected at least 1")
        if not 0 <= self.stop_below <= 1:
            raise HfcleanError(f"stop_below={self.stop_below!r}: expected a share, 0 to 1")
        self.for_tasks()

    @property
    def structured(self) -> bool:
        """Whether JSON is asked for."""
        wanted = self.prompts.structured
        return self.spec.kind == "server" if wanted is None else wanted

    @property
    def made_by(self) -> str:
        """The teacher and the version of its prompts, as rows carry them."""
        return f"{self.spec.settings()['model']} {self.prompts.version}"

    def for_tasks(self, candidate: int = 0, schema: Mapping[str, Any] | None = None) -> Generation:
        """How tasks are asked for; `candidate` is how often the same was asked before."""
        return Generation(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            candidate=candidate,
            response_format=schema,
            extra=self.extra_body,
        )

    def for_rows(self, schema: Mapping[str, Any] | None = None, *, max_new_tokens: int | None = None) -> Generation:
        """How rows are asked for."""
        return Generation(
            max_new_tokens=max_new_tokens or self.max_new_tokens,
            temperature=None if self.temperature is None else 0.0,  # some models take no temperature at all
            response_format=schema,
            extra=self.extra_body,
        )

    def settings(self) -> dict[str, Any]:
        """What a record says of the generation, as JSON can hold it: nothing about keys, files or money."""
        prompts = self.prompts
        own = {name: _digest(getattr(prompts, name)) for name in ("tasks", "rows") if _is_own(prompts, name)}
        return {
            **self.spec.settings(),
            "prompt_version": prompts.version,
            **({"own_words": own} if own else {}),
            "classify": prompts.classify,
            "structured": self.structured,
            "demonstrations": prompts.demonstrations,
            "filters": [each.id for each in self.filters],
            "novelty": self.novelty.threshold,
            "boundary": self.novelty.boundary,
            "tokens": self.novelty.tokens,
            "shown": list(self.shown),
            "per_request": self.per_request,
            "examples": self.examples,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_new_tokens": self.max_new_tokens,
            "seed": self.seed,
            **({"extra_body": dict(self.extra_body)} if self.extra_body else {}),
            **({"columns": self.columns} if self.columns else {}),
        }


def _is_own(prompts: Prompts, name: str) -> bool:
    return bool(getattr(prompts, name) != getattr(Prompts(), name))


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
