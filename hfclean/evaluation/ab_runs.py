"""The runs of an A/B test: rows as a small model is tuned on them, and what is tuned already.

Each run has its own folder, named by what went into it: rows, base, settings, seed, held-out rows.
`run.json` is written last, so that a folder with it is finished, and one without is not.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfclean.durable import sync_tree, write_text
from hfclean.errors import FolderError
from hfclean.models import Message
from hfclean.models.weights import find_model
from hfclean.plain_values import to_plain
from hfclean.schema import Pair
from hfclean.text.thoughts import with_thought

VERSION = 1
DONE = "run.json"
MODEL = "model"
TEMPLATE = "plain"  # the same for every base, tuned for chat or not
KEPT = ("rows", "steps", "loss", "left_out", "unmeasured")
# of the settings of a trainer, what says where things go and not what is learned
ELSEWHERE = ("output_dir", "logging_dir", "run_name", "report_to", "disable_tqdm", "hub_token", "push_to_hub_token")


def conversation(pair: Pair) -> tuple[Message, ...]:
    """What a tuned model is asked: all that comes before the response."""
    before = [Message("system", pair.system)] if pair.system else []
    return (*before, *(Message(turn.role, turn.text) for turn in pair.history), Message("user", pair.prompt))


def tuning_row(pair: Pair) -> dict[str, Any]:
    """A pair as prompt and completion, with what was thought before the answer."""
    return {"prompt": [turn.as_dict() for turn in conversation(pair)], "completion": with_thought(pair)}


def prompt_key(pair: Pair) -> str:
    """What two pairs that ask the same have in common: the prompt without case and spacing."""
    return " ".join(pair.prompt.casefold().split())


@dataclass(frozen=True)
class Recipe:
    """How every run of a test is tuned, the rows and the seed aside."""

    base_model: str
    args: Any
    peft_config: Any
    heldout: Sequence[Mapping[str, Any]]

    def key(self, rows: Sequence[Mapping[str, Any]], seed: int) -> str:
        """A digest of all that the outcome depends on."""
        base = self.base_model
        identity = {
            "version": VERSION,
            "base": find_model(base, None).identity if Path(base).expanduser().is_dir() else base,
            "args": _settings(self.args),
            "peft": _settings(self.peft_config),
            "seed": seed,
        }
        digest = hashlib.blake2b(json.dumps(identity, sort_keys=True, default=_shown).encode(), digest_size=8)
        for part in (rows, self.heldout):
            for row in part:
                text = json.dumps([row["prompt"], row["completion"]])
                digest.update(text.encode())
            digest.update(b"\0")
        return digest.hexdigest()


def _settings(given: Any) -> Any:
    plain_args = given.to_dict() if hasattr(given, "to_dict") else given
    if isinstance(plain_args, Mapping):
        return {str(key): value for key, value in plain_args.items() if key not in ELSEWHERE}
    return plain_args


def _shown(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)


@dataclass(frozen=True)
class Run:
    """One tuned model.

    Attributes:
        folder: where it lies.
        rows: what it was tuned on.
        steps: steps of the optimizer.
        loss: mean loss per token of the held-out completions, in nats; nan where it is not a number.
        left_out: reason -> rows that it could not be tuned on, such as those that are too long.
        unmeasured: reason -> held-out rows that the loss is not of.
        fresh: whether it was tuned now; else it was found finished.
    """

    folder: Path
    rows: int
    steps: int
    loss: float
    left_out: Mapping[str, int]
    unmeasured: Mapping[str, int]
    fresh: bool


def tuned_run(place: Path, name: str, rows: Sequence[Mapping[str, Any]], recipe: Recipe, seed: int) -> Run:
    """The run of these rows and this seed: found finished, or tuned now.

    Two processes that need the same run do it once: the second waits. A run killed half-way continues where its last
    checkpoint is.

    Raises:
        FolderError: the folder cannot be written.
    """
    from hfclean.training.trainer import CHECKPOINTS
    from hfclean.training.tuning import tune

    folder = place / f"{_slug(name)}-{seed}-{recipe.key(rows, seed)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise FolderError(f"the folder {place} cannot be written ({e.strerror or e}); name another") from e
    with _alone(folder):
        if (finished := _finished(folder)) is not None:
            return finished
        tuned = tune(
            rows,
            recipe.base_model,
            folder / MODEL,
            args=recipe.args,
            peft_config=recipe.peft_config,
            heldout=recipe.heldout,
            seed=seed,
            resume=True,
            chat_template=TEMPLATE,
        )
        run = Run(
            folder / MODEL,
            tuned.facts["rows"],
            tuned.steps,
            tuned.heldout_loss,
            dict(tuned.facts["left_out"]),
            dict(tuned.facts["heldout_left_out"]),
            fresh=True,
        )
        figures = {name: to_plain(getattr(run, name)) for name in KEPT}
        sync_tree(folder)
        write_text(folder / DONE, json.dumps(figures) + "\n")
        shutil.rmtree(folder / MODEL / CHECKPOINTS, ignore_errors=True)
    return run


def _finished(folder: Path) -> Run | None:
    try:
        figures = json.loads((folder / DONE).read_text(encoding="utf-8"))
        rows, steps, loss, left_out, unmeasured = (figures[name] for name in KEPT)
        loss = float("nan") if loss is None else float(loss)
        return Run(folder / MODEL, int(rows), int(steps), loss, dict(left_out), dict(unmeasured), fresh=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as e:
        raise FolderError(
            f"{folder / DONE} cannot be read ({type(e).__name__}), so it is unknown whether this run is finished; "
            f"delete the folder {folder.name}, and it is tuned again"
        ) from e


def _alone(folder: Path) -> Any:
    """No other process within; a lock that goes with its process, however that ends."""
    from filelock import FileLock

    return FileLock(folder / ".lock")


def _slug(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)[:40] or "variant"
