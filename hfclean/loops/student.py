"""The student of a loop: a base that is tuned from scratch on some rows, and what it answers then."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfclean.evaluation.ab_runs import ELSEWHERE, conversation
from hfclean.generation.seeds import Seed
from hfclean.loops.error_words import ARGS
from hfclean.models import Answer, Generation, ModelSpec, ask
from hfclean.models.local import forget
from hfclean.schema import View, truths_in
from hfclean.text.thoughts import with_thought
from hfclean.training.tuning import find_base, tune


@dataclass(frozen=True)
class Student:
    """How a student is tuned and asked.

    Args:
        base: a folder or a Hub id of a causal language model.
        args: of the trainer, as `hfclean.training.tune` takes them; a dict stands on those of LLM2LLM.
        peft_config: of an adapter; None to tune all weights.
        seed: of the tuning.
        answer_tokens: the longest answer.
        chat_template, revision: as `tune` takes them.
    """

    base: str
    args: Any = field(default=None, hash=False)
    peft_config: Any = field(default=None, hash=False)
    seed: int = 0
    answer_tokens: int = 512
    chat_template: str | None = "auto"
    revision: str | None = None

    def tuning(self) -> Any:
        """The settings of the trainer."""
        if self.args is not None and not isinstance(self.args, Mapping):
            return self.args
        return {**ARGS, "disable_tqdm": True, **(self.args or {})}

    def settings(self) -> dict[str, Any]:
        """What a record says of the student."""
        args, peft = (
            each.to_dict() if hasattr(each, "to_dict") else each for each in (self.tuning(), self.peft_config)
        )
        return {
            "base": find_base(self.base, self.revision).identity,
            "args": _shown({key: value for key, value in dict(args).items() if key not in ELSEWHERE}),
            "peft_config": _shown(peft),
            "seed": self.seed,
            "answer_tokens": self.answer_tokens,
            "chat_template": self.chat_template,
        }

    def train(self, rows: Sequence[tuple[Seed, View]], folder: Path) -> Any:
        """Tune the base on these rows; goes on where an earlier call ended.

        Raises:
            TrainingError: it cannot be tuned on them, or the training stopped.
        """
        examples = [
            {"prompt": [turn.as_dict() for turn in conversation(seed.pair)], "completion": completion_of(seed, view)}
            for seed, view in rows
        ]
        return tune(
            examples,
            self.base,
            folder,
            args=self.tuning(),
            peft_config=self.peft_config,
            seed=self.seed,
            resume=True,
            revision=self.revision,
            chat_template=self.chat_template,
        )

    def answers(self, folder: Path, groups: Sequence[Sequence[Seed]], store: Path) -> list[list[Answer]]:
        """What the tuned model answers to the questions of each group, the likeliest token every time."""
        spec = ModelSpec(str(folder), store=str(store))
        try:
            return [
                ask(spec, [conversation(seed.pair) for seed in seeds], Generation(max_new_tokens=self.answer_tokens))
                if seeds
                else []
                for seeds in groups
            ]
        finally:
            forget(spec)


def _shown(settings: Any) -> Any:
    def plain(value: Any) -> Any:
        return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)

    return json.loads(json.dumps(settings, default=plain))


def completion_of(seed: Seed, view: View) -> str:
    """What a student learns to answer: the row's response with its thought, or the truth of a row that has none."""
    if seed.pair.response:
        return with_thought(seed.pair)
    return next(iter(truths_in(seed.row.get(view.truth))), "") if view.truth else ""


def forget_student(folder: Path, *, whole: bool) -> None:
    """Delete the checkpoints of a student that has answered, or all of it."""
    from hfclean.training.trainer import CHECKPOINTS

    shutil.rmtree(folder if whole else folder / CHECKPOINTS, ignore_errors=True)
