"""What models were asked and what that cost, in processes that know nothing of one another, added up."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfclean.cleaning.asked import described, used
from hfclean.durable import write_text
from hfclean.errors import HfcleanError
from hfclean.models import ModelTransform, Usage, open_backend
from hfclean.transform import Transform

ENDING = ".usage.json"
LARGEST = 10_000_000  # bytes of a file
STEP = ("by", "version", "settings")
NUMBERS = (
    "asked",
    "cached",
    "prompt_tokens",
    "completion_tokens",
    "estimated",
    "reused",
    "reused_prompt_tokens",
    "reused_completion_tokens",
)
COUNTS = ("failed", "reused_on")


def added(uses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of the `usage` of several runs."""
    last = uses[-1]
    total: dict[str, Any] = {**last}
    for name, value in last.items():
        if isinstance(value, int):
            total[name] = sum(usage.get(name, 0) for usage in uses)
    for name in COUNTS:
        counts: Counter[str] = sum((Counter(usage.get(name, {})) for usage in uses), Counter())
        total[name] = dict(sorted(counts.items()))
    currencies = {usage["currency"] for usage in uses if usage["currency"]}
    costs = [usage["cost"] for usage in uses if usage["cost"] is not None]
    priced = len(costs) == len(uses) and len(currencies) == 1
    total["cost"] = round(sum(costs), 6) if priced else None
    total["currency"] = next(iter(currencies)) if priced else ""
    total["notes"] = list(dict.fromkeys(note for usage in uses for note in usage["notes"]))
    return total


class KeptUsage:
    """What one process has asked for a step, in a file beside its answers: one that takes its place goes on there.

    Args:
        store: the file of answers.
        step: the transform as it was given.
        asking: the same, with that file.
    """

    def __init__(self, store: Path, step: Transform, asking: ModelTransform) -> None:
        self.path = store.with_suffix(ENDING)
        self.step, self.asking = _name(step), asking
        there = _read(self.path) if self.path.exists() else []
        self.others = [each for each in there if not _is(each, self.step)]
        self.earlier = [each["usage"] for each in there if _is(each, self.step)]
        self.start: Usage | None = None

    def begin(self) -> None:
        """Count from here on."""
        self.start = self.start or self.asking.usage()

    def keep(self) -> None:
        """Write what was asked so far."""
        assert self.start is not None
        usage = self.asking.usage().since(self.start)
        entry = used(usage, cached=usage.cached)
        if self.asking.spec().kind == "server" and self.asking.keeps_answers:
            entry["answers_of"] = open_backend(self.asking.spec()).source
        steps = [*self.others, {**self.step, "usage": added([*self.earlier, entry])}]
        write_text(self.path, json.dumps({"steps": steps}, indent=1) + "\n")


def usage_of(folders: Iterable[str | Path], step: Transform) -> dict[str, Any]:
    """What was asked for a step in all processes that wrote into these folders.

    Raises:
        HfcleanError: nothing is known of it, or a file is damaged.
    """
    files = [file for folder in folders for file in sorted(Path(folder).expanduser().glob(f"*{ENDING}"))]
    wanted = _name(step)
    found = [each["usage"] for file in files for each in _read(file) if _is(each, wanted)]
    if not found:
        places = ", ".join(map(str, folders)) or "no folder"
        raise HfcleanError(
            f"nothing says what {wanted['by']} was asked: none of the {len(files)} files *{ENDING} in {places} is of "
            "it; expected the folder that hfclean.engines.OwnStore was given, with the same settings"
        )
    return added(found)


def _name(step: Transform) -> dict[str, Any]:
    """What tells a step from others, as JSON gives it back."""
    entry = described(step)
    name: dict[str, Any] = json.loads(json.dumps({key: entry[key] for key in STEP}))
    return name


def _is(entry: Mapping[str, Any], step: Mapping[str, Any]) -> bool:
    return all(entry.get(key) == step[key] for key in STEP)


def _read(file: Path) -> list[dict[str, Any]]:
    """The steps of a file.

    Raises:
        HfcleanError: it is not as hfclean writes it.
    """
    try:
        with file.open("rb") as stored:
            steps = json.loads(stored.read(LARGEST))["steps"]
        if not all(_is_usage(step["usage"]) for step in steps):
            raise ValueError("an entry is of another type")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise HfcleanError(
            f"{file.name} does not say what models were asked ({e}): delete it, and what it counted is left out"
        ) from e
    return list(steps)


def _is_usage(usage: Any) -> bool:
    numbers = all(_is_count(usage[name]) for name in NUMBERS)
    counts = all(isinstance(usage[name], dict) and all(map(_is_count, usage[name].values())) for name in COUNTS)
    cost, notes = usage["cost"], usage["notes"]
    priced = cost is None or (isinstance(cost, (int, float)) and math.isfinite(cost) and cost >= 0)
    texts = isinstance(notes, list) and all(isinstance(note, str) for note in (*notes, usage["currency"]))
    return bool(numbers and counts and priced and texts)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
