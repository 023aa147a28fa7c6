"""The record of a tuning in its folder: its settings, its results, and how to go on after a stop."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from hfclean.durable import sync_tree, write_text
from hfclean.errors import TrainingError, require
from hfclean.models.local import is_out_of_memory
from hfclean.models.weights import ModelFiles
from hfclean.training.tokens import Encoded
from hfclean.training.trainer import CHECKPOINTS, last_checkpoint, quiet
from hfclean.version import __version__

T = TypeVar("T")

RECORD = "training.json"
# settings of a run that change its result; the others (where it logs, how often it saves) may differ when it goes on
DECISIVE = (
    *("learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps"),
    *("lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "weight_decay", "optim", "max_grad_norm"),
    *("adam_beta1", "adam_beta2", "adam_epsilon", "max_length", "packing", "completion_only_loss", "loss_type"),
    *("neftune_noise_alpha", "bf16", "fp16", "seed"),
)


def is_main_process() -> bool:
    """Whether this is the process that writes, of those that a launcher started."""
    return int(os.environ.get("RANK", "0")) == 0


@dataclass(frozen=True)
class Tuned:
    """The result of a tuning.

    Attributes:
        folder: of the model; `from_pretrained` of transformers (of peft, if it is an adapter) reads it.
        steps: of the optimizer, those before an interruption with them.
        train_loss: mean over the steps of the loss per completion token, in nats; lower is better.
        heldout_loss: mean loss per completion token on the held-out rows; nan without such rows.
        seconds: of training in this run, without the time before an interruption.
        tokens: of prompts and completions that were trained on, in all passes.
        resumed: whether it continued from a checkpoint, or was already finished.
        facts: data, settings and versions, as JSON can hold them: `rows`, `left_out` (reason -> rows), `base`,
            `settings`, `peft`, `versions`, `device` and more.
    """

    folder: Path
    steps: int
    train_loss: float
    heldout_loss: float
    seconds: float
    tokens: int
    resumed: bool
    facts: dict[str, Any]


COMPARED = ("base_identity", "rows_digest", "heldout_digest", "settings", "peft")


class Run:
    """The record of a run in its folder: its settings and its results."""

    def __init__(self, folder: Path, facts: Mapping[str, Any], writes: bool) -> None:
        self.folder = folder
        self.facts = facts
        self.writes = writes

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other trainings out of the folder; the lock ends with its process, however that ends."""
        if not self.writes:  # the main process holds the lock
            yield
            return
        try:
            import fcntl
        except ImportError:  # Windows can neither open nor lock a folder, but a file in it
            with self._alone_by_file():
                yield
            return
        with self._writable():
            place = os.open(self.folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # a disk without locks
                try:
                    fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise self._taken() from None
            yield
        finally:
            os.close(place)

    @contextmanager
    def _alone_by_file(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / ".lock")
        with self._writable():
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise self._taken() from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """Creates the folder, and explains why if it cannot be used."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except (FileExistsError, NotADirectoryError):
            raise TrainingError(f"{str(self.folder)!r} is a file; name a folder") from None
        except OSError as e:
            raise TrainingError(
                f"{str(self.folder)!r} cannot be written ({e.strerror or e}); name another folder"
            ) from e

    def _taken(self) -> TrainingError:
        return TrainingError(
            f"another process is training in {str(self.folder)!r} right now; wait for it, or name another folder"
        )

    def begin(self, resume: bool) -> Tuned | None:
        """Create the folder; returns the finished result there, if `resume` asks for it."""
        record = self._read()
        begun = record is not None and ("done" in record or last_checkpoint(self.folder) is not None)
        if record is None or not begun:
            self._note()
            return None
        if not resume:
            if not self.writes:  # the main process reports it
                return None
            raise TrainingError(
                f"{str(self.folder)!r} already holds a training; go on with it: resume=True, or name another folder"
            )
        before = record.get("started", {})
        other = [key for key in COMPARED if before.get(key) != self.facts[key]]
        if other:
            raise TrainingError(
                f"{str(self.folder)!r} holds a training of another kind: {self._difference(before, other[0])}. It "
                "cannot go on with this; use the same settings, or name another folder"
            )
        done = record.get("done")
        return Tuned(**{**done, "folder": self.folder, "resumed": True}) if done else None

    def _difference(self, before: Mapping[str, Any], key: str) -> str:
        old, new = before.get(key), self.facts[key]
        if isinstance(old, dict) and isinstance(new, dict):
            names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
            if names == ["batches"]:
                return "other batches"
            return f"{key}: " + ", ".join(f"{n} was {old.get(n)!r}, is {new.get(n)!r}" for n in names[:3])
        return {"rows_digest": "other rows", "heldout_digest": "other held-out rows"}.get(key, f"{old!r}, not {new!r}")

    def guard(self, work: Callable[[], T]) -> T:
        """The result of the work; an error that stops it is raised with advice how to go on."""
        torch = require("torch", extra="train")
        try:
            with quiet():
                return work()
        except TrainingError as e:
            raise TrainingError(f"{e}; {self._way_back()}") from e
        except (RuntimeError, MemoryError, OSError, ValueError, TypeError) as e:
            reason = " ".join(str(e).split())[:300]
            if is_out_of_memory(torch, e):
                raise TrainingError(
                    f"not enough memory ({reason}); take a smaller per_device_train_batch_size with more "
                    f"gradient_accumulation_steps, a smaller max_length, or LoRA: peft_config. {self._way_back()}"
                ) from e
            raise TrainingError(f"the training stopped ({type(e).__name__}: {reason}); {self._way_back()}") from e

    def _way_back(self) -> str:
        good = last_checkpoint(self.folder)
        if good is None:
            return "no checkpoint was written before"
        return f"{CHECKPOINTS}/{good.name} is intact: fix the cause, then pass resume=True"

    def finish(self, tuned: Tuned) -> None:
        """Record the results."""
        self._note(done={**asdict(tuned), "folder": ""})

    def _read(self) -> dict[str, Any] | None:
        file = self.folder / RECORD
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            if self.folder.is_dir() and any(self.folder.glob("*.safetensors")):
                raise TrainingError(
                    f"{str(self.folder)!r} holds a model that was not tuned here; name another folder"
                ) from None
            return None
        except (OSError, ValueError) as e:
            raise TrainingError(f"{RECORD} of {self.folder.name!r} is damaged ({e}); name another folder") from e
        return record if isinstance(record, dict) else {}

    def _note(self, **more: Any) -> None:
        """Write the record, from the main process, whole or not at all."""
        if not self.writes:
            return
        content = {"started": {key: self.facts[key] for key in COMPARED}, **more}
        self.folder.mkdir(parents=True, exist_ok=True)
        sync_tree(self.folder)  # the record names files: they are on the disk before it is written
        write_text(self.folder / RECORD, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def facts_of(
    name: str, files: ModelFiles, config: Any, adapter: Any, train: Encoded, held: Encoded | None
) -> dict[str, Any]:
    """Data, settings and versions of a tuning, as JSON can hold them."""
    config_values = config.to_dict()
    settings = {key: config_values[key] for key in DECISIVE if key in config_values}
    peft = {key: _plain(value) for key, value in adapter.to_dict().items() if value is not None} if adapter else {}
    packages = ("torch", "transformers", "trl", "peft", "accelerate")
    return {
        "base": name,
        "base_identity": files.identity,
        "rows": len(train.rows),
        "rows_digest": _digest(train.rows),
        "tokens_per_pass": train.tokens,
        "longest_row": train.longest,
        "left_out": train.left_out,
        "heldout_rows": len(held.rows) if held else 0,
        "heldout_digest": _digest(held.rows) if held else "",
        "heldout_left_out": held.left_out if held else {},
        "settings": json.loads(json.dumps(settings, default=str)),
        "peft": peft,
        "versions": {"hfclean": __version__}
        | {package: str(require(package, extra="train").__version__) for package in packages},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return json.loads(json.dumps(value, default=str))


def _digest(rows: Iterable[Mapping[str, Any]]) -> str:
    found = blake2b(digest_size=16)
    for row in rows:
        found.update(repr((row["input_ids"], row["labels"])).encode())
    return found.hexdigest()


def best_of(state: Any, patience: int | None) -> dict[str, Any]:
    """When the held-out loss was lowest, if it was measured."""
    if patience is None:
        return {}
    curve = [[entry["step"], entry["eval_loss"]] for entry in state.log_history if "eval_loss" in entry]
    stopped = state.global_step < state.max_steps
    return {"stopped_early": stopped, "best_step": state.best_global_step, "heldout_curve": curve}
