"""What was asked of a teacher: requests, tokens and money, counted by the answers, whoever asked for them and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hfclean.models import Answer, Asking, Prices
from hfclean.models.budget import tokens_of
from hfclean.models.wire import messages_json

STAGES = ("tasks", "kinds", "rows", "revised", "judged")


@dataclass
class Tally:
    """What some requests took: the same for a run that was stopped and run again, whose answers were kept.

    Attributes:
        requests: conversations by stage: `tasks`, `kinds`, `rows` of a generation, `revised`, `judged` of a loop.
        failed: conversations without an answer, by error; they cost nothing that is known.
        read, written: tokens by stage; estimated for servers that do not say.
        estimated: answers whose tokens are estimated.
        models: who answered, as the server or the weights are called.
    """

    requests: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
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
            self.read[stage] += read
            self.written[stage] += written
            self.estimated += answer.prompt_tokens is None or answer.completion_tokens is None
            if answer.model:
                self.models.add(answer.model)

    def plain(self, prices: Prices | None) -> dict[str, Any]:
        """The counts, as JSON can hold them; the cost is null without prices."""
        read, written = self.read.total(), self.written.total()
        return {
            "requests": _by_stage(self.requests),
            "failed": dict(sorted(self.failed.items())),
            "prompt_tokens": read,
            "completion_tokens": written,
            "read": _by_stage(self.read),
            "written": _by_stage(self.written),
            "estimated": self.estimated,
            "cost": prices.cost(read, written) if prices else None,
            "currency": prices.currency if prices else "",
            "models": sorted(self.models),
        }


def summed(usages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sum of such counts; the cost is null where one of them is."""
    sums: dict[str, Counter[str]] = {name: Counter() for name in ("requests", "failed", "read", "written")}
    for usage in usages:
        for name, counts in sums.items():
            counts.update(usage[name])
    costs = [usage["cost"] for usage in usages]
    return {
        "requests": _by_stage(sums["requests"]),
        "failed": dict(sorted(sums["failed"].items())),
        **{name: sum(usage[name] for usage in usages) for name in ("prompt_tokens", "completion_tokens")},
        "read": _by_stage(sums["read"]),
        "written": _by_stage(sums["written"]),
        "estimated": sum(usage["estimated"] for usage in usages),
        "cost": None if None in costs else sum(costs),
        "currency": next((usage["currency"] for usage in usages if usage["currency"]), ""),
        "models": sorted({model for usage in usages for model in usage["models"]}),
    }


def _by_stage(counts: Counter[str]) -> dict[str, int]:
    return {stage: counts[stage] for stage in STAGES if counts[stage]}
