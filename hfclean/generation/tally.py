"""What was asked of a teacher: requests, tokens and money, counted by the answers, whoever asked for them and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hfclean.models import Answer, Asking, Prices
from hfclean.models.budget import tokens_of
from hfclean.models.wire import messages_json

STAGES = ("tasks", "kinds", "rows")


@dataclass
class Tally:
    """What some requests took: the same for a run that was stopped and run again, whose answers were kept.

    Attributes:
        requests: conversations by stage, `tasks`, `kinds` or `rows`.
        failed: conversations without an answer, by error; they cost nothing that is known.
        prompt_tokens, completion_tokens: read and written; estimated for servers that do not say.
        estimated: answers whose tokens are estimated.
        models: who answered, as the server or the weights are called.
    """

    requests: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    models: set[str] = field(default_factory=set)

    def add(self, stage: str, asked: Asking, answers: Sequence[Answer]) -> None:
        """Count one step."""
        for conversation, answer in zip(asked.conversations, answers, strict=True):
            self.requests[stage] += 1
            if answer.error:
                self.failed[answer.error] += 1
                continue
            read, written = tokens_of(answer, len(messages_json(conversation)))
            self.prompt_tokens += read
            self.completion_tokens += written
            self.estimated += answer.prompt_tokens is None or answer.completion_tokens is None
            if answer.model:
                self.models.add(answer.model)

    def plain(self, prices: Prices | None) -> dict[str, Any]:
        """The counts, as JSON can hold them; the cost is null without prices."""
        return {
            "requests": {stage: self.requests[stage] for stage in STAGES if self.requests[stage]},
            "failed": dict(sorted(self.failed.items())),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "estimated": self.estimated,
            "cost": prices.cost(self.prompt_tokens, self.completion_tokens) if prices else None,
            "currency": prices.currency if prices else "",
            "models": sorted(self.models),
        }


def summed(usages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sum of such counts; the cost is null where one of them is."""
    requests: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for usage in usages:
        requests.update(usage["requests"])
        failed.update(usage["failed"])
    costs = [usage["cost"] for usage in usages]
    return {
        "requests": {stage: requests[stage] for stage in STAGES if requests[stage]},
        "failed": dict(sorted(failed.items())),
        **{name: sum(usage[name] for usage in usages) for name in ("prompt_tokens", "completion_tokens", "estimated")},
        "cost": None if None in costs else sum(costs),
        "currency": next((usage["currency"] for usage in usages if usage["currency"]), ""),
        "models": sorted({model for usage in usages for model in usage["models"]}),
    }
