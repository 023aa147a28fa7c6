"""The training signal: what every step of an optimizer said about its batch, as a file of JSON lines.

SeDi-Instruct (arXiv 2502.04774) lets the batches with the largest gradient norm choose the seeds of the next rows.
This room keeps that record and reads it back; it trains nothing and needs no torch. `training_signal` writes the file.
"""

import json
import math
import os
import statistics
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hfclean.durable import flush, write_bytes
from hfclean.errors import TrainingError

LONGEST_LINE = 4 * 2**20  # bytes; a batch of 10,000 rows with names of 100 characters is a quarter of it
LARGEST_STATE = 512 * 2**20  # bytes of a trainer_state.json, which is read as one
MOST_STEPS = 10_000_000
FIELDS = ("grad_norm", "loss")


@dataclass(frozen=True)
class Step:
    """One step of an optimizer.

    Attributes:
        step: from 1.
        batch_id: place of the batch in an epoch, from 0; None where it is not known.
        row_ids: names of its rows; None where they are not known.
        loss: of the whole step, 0 and up; lower is better.
        grad_norm: global L2 norm of the accumulated gradient before it was clipped, 0 and up.
        lr: the learning rate of the step.
        tokens: of prompts and completions, without padding.
    """

    step: int
    batch_id: int | None = None
    row_ids: tuple[str, ...] | None = None
    loss: float | None = None
    grad_norm: float | None = None
    lr: float | None = None
    tokens: int | None = None


def read_signal(file: str | Path, *, known: Collection[str] | None = None) -> list[Step]:
    """The steps of a signal file, or of the log of another trainer.

    Reads what `hfclean.training.training_signal` writes; a JSONL of any other trainer, with at least `step` and one of
    `loss` and `grad_norm` (`learning_rate` is read as `lr`; lines of evaluations are passed over); and the
    `trainer_state.json` of a checkpoint, in which numbers that are not finite are read as missing. Steps may have
    gaps, as with `logging_steps=10`. A last line that was cut off in writing is ignored.

    Args:
        file: the path.
        known: the names that rows can have.

    Raises:
        TrainingError: the file cannot be read or has no step; a line is broken, too long, has a step that does not
            follow the one before, or a number that is negative or not finite; a row that is not known.
    """
    file = Path(file)
    steps = [step for _, step in _steps(file)]
    if not steps:
        raise TrainingError(
            f"{_name(file)} has no step; expected a line of JSON for each: the training has not come to its first, or "
            "this is another file"
        )
    if known is not None:
        _check_known(file, steps, known)
    return steps


def unseen_rows(steps: Iterable[Step], known: Iterable[str]) -> list[str]:
    """The names, in their order, that no step has: rows that did not fit, or that the training did not come to."""
    seen = {name for step in steps for name in step.row_ids or ()}
    return [name for name in known if name not in seen]


def normalised(steps: Sequence[Step], window: int = 50, field: str = "grad_norm") -> list[float]:
    """The signal of every step, over the median of the last values: what SeDi-Instruct compares batches by.

    Early steps have large gradients whatever their rows are, so a norm counts beside its neighbours. 1 is a step like
    those before it, more is a batch that teaches more. nan where the step has no value or the median is 0: leave it
    out of a comparison, `max` does not.

    Args:
        steps: in their order.
        window: how many values the median takes, 1 and up: those of the step itself and before it.
        field: `grad_norm` or `loss`.

    Raises:
        TrainingError: an unknown field, or a window below 1.

    >>> [round(value, 2) for value in normalised([Step(1, grad_norm=2.0), Step(2, grad_norm=1.0), Step(3)])]
    [1.0, 0.67, nan]
    """
    if field not in FIELDS:
        raise TrainingError(f"field={field!r}; expected one of {', '.join(map(repr, FIELDS))}")
    if isinstance(window, bool) or not isinstance(window, int) or window < 1:
        raise TrainingError(f"window={window!r}; expected a number of steps, 1 and up")
    last: deque[float] = deque(maxlen=window)
    found = []
    for step in steps:
        value: float | None = getattr(step, field)
        if value is None or not math.isfinite(value):
            found.append(math.nan)
            continue
        last.append(value)
        middle = statistics.median(last)
        found.append(value / middle if middle else math.nan)
    return found


class SignalFile:
    """The file as it is written: whole lines, each step once.

    Raises:
        TrainingError: another kind of file lies there, or it cannot be written.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file).expanduser()

    def begin(self, step: int) -> None:
        """Drop the lines behind a step, that of a checkpoint or 0, and write on from there."""
        keep = [line for line, found in self._before() if found.step <= step]
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self.file, b"".join(keep))
        except OSError as e:
            raise self._unwritable(e) from e

    def check(self, step: int) -> None:
        """See that every step up to this one stands there.

        Raises:
            TrainingError: one is missing.
        """
        there = [found.step for _, found in self._before() if found.step <= step]
        if there != list(range(1, step + 1)):
            raise TrainingError(
                f"{_name(self.file)} has {len(there):,} of the {step:,} steps that were trained already; name the "
                "file that the training began with, or train into another folder from the start"
            )

    def write(self, step: Step, *, lasting: bool) -> None:
        """Add a line; `lasting` has it on the disk before this returns."""
        numbers = {key: None if _is_lost(value) else value for key, value in asdict(step).items()}
        line = json.dumps(numbers, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        if len(line) > LONGEST_LINE:
            raise TrainingError(
                f"the names of the {len(step.row_ids or ()):,} rows of step {step.step} take {len(line):,} bytes; "
                f"expected at most {LONGEST_LINE:,}: use shorter names or smaller batches"
            )
        try:
            with self.file.open("ab") as out:
                out.write(line)
        except OSError as e:
            raise self._unwritable(e) from e
        if lasting:
            self.settle()

    def settle(self) -> None:
        """Have all lines on the disk."""
        with self.file.open("ab") as out:
            flush(out.fileno())

    def _unwritable(self, e: OSError) -> TrainingError:
        return TrainingError(
            f"{_name(self.file)} cannot be written ({e.strerror or e}); name another file for the signal"
        )

    def _before(self) -> list[tuple[bytes, Step]]:
        if not self.file.exists():
            return []
        try:
            return list(_lines(self.file))
        except TrainingError as e:
            raise TrainingError(
                f"the signal would replace a file that holds something else: {e}; name another file"
            ) from e


def _steps(file: Path) -> Iterator[tuple[bytes, Step]]:
    """The steps of a file of either kind, with their lines."""
    state = _state(file)
    if state is None:
        yield from _lines(file)
        return
    last = 0
    for number, entry in enumerate(state, 1):
        where = f"log_history of {_name(file)}, entry {number}"
        if not isinstance(entry, Mapping):
            raise TrainingError(f"{where} is {type(entry).__name__}; expected an object with step and loss")
        if "loss" in entry or "grad_norm" in entry:
            found = _step({key: None if _is_lost(value) else value for key, value in entry.items()}, where, last)
            last = found.step
            yield b"", found


def _state(file: Path) -> list[Any] | None:
    """The log in a trainer_state.json; None where the file is none."""
    if file.suffix != ".json":
        return None
    try:
        with file.open("rb") as source:
            content = source.read(LARGEST_STATE + 1)
        if len(content) > LARGEST_STATE:
            raise TrainingError(f"{_name(file)} has more than {LARGEST_STATE:,} bytes; expected a trainer_state.json")
        state = json.loads(content)
    except OSError as e:
        raise _unreadable(file, e) from e
    except (ValueError, RecursionError):
        return None
    if not isinstance(state, Mapping) or "step" in state:
        return None  # one line of JSON lines
    if not isinstance(log := state.get("log_history"), list):
        raise TrainingError(
            f"{_name(file)} has no log_history; expected a trainer_state.json, or JSON lines with step and loss or "
            "grad_norm"
        )
    return log


def _lines(file: Path) -> Iterator[tuple[bytes, Step]]:
    """The lines of a JSONL with their steps; the last may be cut off."""
    last = 0
    try:
        with file.open("rb") as source:
            number = 0
            while line := source.readline(LONGEST_LINE + 1):
                number += 1
                where = f"line {number:,} of {_name(file)}"
                if len(line) > LONGEST_LINE:
                    raise TrainingError(
                        f"{where} has more than {LONGEST_LINE:,} bytes; expected one step a line: this is another file"
                    )
                if number > MOST_STEPS:
                    raise TrainingError(f"{_name(file)} has more than {MOST_STEPS:,} lines; split it into its runs")
                entry = _entry(line, where)
                if entry is None:
                    continue
                found = _step(entry, where, last)
                last = found.step
                yield line if line.endswith(b"\n") else line + b"\n", found
    except OSError as e:
        raise _unreadable(file, e) from e


def _entry(line: bytes, where: str) -> Mapping[str, Any] | None:
    """What stands in a line; None if it is empty, cut off, or of an evaluation."""
    if not line.strip():
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        if not line.endswith(b"\n"):
            return None
        raise TrainingError(
            f"{where} is not JSON: {line[:60]!r}; expected an object such as "
            '{"step": 1, "loss": 2.5, "grad_norm": 0.7}'
        ) from None
    if not isinstance(entry, Mapping):
        raise TrainingError(f"{where} is {type(entry).__name__}; expected an object with step and loss or grad_norm")
    if "loss" in entry or "grad_norm" in entry:
        return entry
    if any(key.startswith(("eval_", "train_")) for key in entry):
        return None
    raise TrainingError(
        f"{where} has neither loss nor grad_norm (found: {', '.join(map(repr, list(entry)[:6])) or 'nothing'}); "
        "rename what your trainer calls them"
    )


def _step(entry: Mapping[str, Any], where: str, last: int) -> Step:
    number: Any = entry.get("step")
    if not _is_count(number) or number == 0:
        raise TrainingError(f"{where}: step is {shown(number)}; expected a whole number from 1")
    if number <= last:
        raise TrainingError(
            f"{where}: step {number:,} comes after step {last:,}; expected every step once, in order: keep the lines "
            "of one run"
        )
    names = entry.get("row_ids")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise TrainingError(f"{where}: row_ids is {shown(names)}; expected a list of texts, or null")
    for key in ("batch_id", "tokens"):
        if entry.get(key) is not None and not _is_count(entry[key]):
            raise TrainingError(f"{where}: {key} is {shown(entry[key])}; expected a whole number from 0, or null")
    return Step(
        number,
        entry.get("batch_id"),
        None if names is None else tuple(names),
        _number(entry, "loss", where),
        _number(entry, "grad_norm", where),
        _number(entry, "lr" if entry.get("lr") is not None else "learning_rate", where),
        entry.get("tokens"),
    )


def _number(entry: Mapping[str, Any], key: str, where: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found) and found >= 0:
            return found
    raise TrainingError(f"{where}: {key} is {shown(value)}; expected a number of 0 and up, or null if it is not known")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_lost(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _check_known(file: Path, steps: Iterable[Step], known: Collection[str]) -> None:
    names = frozenset(known)
    unknown: dict[str, int] = {}
    named = False
    for step in steps:
        named = named or step.row_ids is not None
        for name in step.row_ids or ():
            if name not in names:
                unknown.setdefault(name, step.step)
    if not named:
        raise TrainingError(
            f"{_name(file)} names no rows, so nothing says which rows its steps had; train with batches= of "
            "hfclean.training.tune, or in order with training_signal(file, row_ids=...)"
        )
    if unknown:
        some = ", ".join(f"{shown(name)} (step {at:,})" for name, at in list(unknown.items())[:3])
        raise TrainingError(
            f"{_name(file)} names rows that are not among the {len(names):,} known ones ({len(unknown):,} in all): "
            f"{some}; is it the file of this training?"
        )


def _name(file: Path) -> str:
    return repr(os.fspath(file))


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."


def _unreadable(file: Path, e: OSError) -> TrainingError:
    return TrainingError(
        f"{_name(file)} cannot be read ({e.strerror or e}); expected a signal file, a JSONL with step and loss or "
        "grad_norm, or a trainer_state.json"
    )
