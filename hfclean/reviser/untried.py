"""Who revises with more trust than an evaluation has earned is told so, once per process and model.

An evaluation lies beside a model's weights, or beside the record of a reviser in a folder, as `evaluation.json`: what
`hfclean evaluate --json` printed. It keeps this quiet and nothing else; no trust is taken from it. What a repo of the
Hub says of itself does not count, and of a function of the user's own there is no folder to look in.
"""

import logging
from pathlib import Path
from typing import get_args

from hfclean.checks import Trust
from hfclean.limits import read_json
from hfclean.models import ModelSpec
from hfclean.models.process import once, worker_number

EVALUATION = "evaluation.json"
LARGEST = 1_000_000  # bytes; an evaluation has a few thousand
LEVELS: tuple[Trust, ...] = get_args(Trust)

_log = logging.getLogger("hfclean")


def earned_beside(folder: Path) -> Trust | None:
    """The trust that the evaluation in a folder gives its reviser; None where there is none that can be read."""
    try:
        found = read_json(folder / EVALUATION, LARGEST)
    except (OSError, ValueError):
        return None
    level = found.get("trust") if isinstance(found, dict) else None
    return level if level in LEVELS else None


def note_evaluation(spec: ModelSpec, folder: Path) -> None:
    """Remember in this process what the evaluation beside a reviser's record gives the model that it names."""
    if (level := earned_beside(folder)) is not None:
        once((__name__, "earned", *_key(spec)), lambda: level)


def note_measured(spec: ModelSpec) -> None:
    """Say nothing of a model in this process: it is being measured."""
    once((__name__, "told", *_key(spec)), lambda: True)


def tell_untried(spec: ModelSpec, trust: Trust) -> None:
    """Warn if a model is trusted with more than an evaluation beside it gives it; of workers the first does."""
    if trust != "low" and spec.kind != "function" and worker_number() == 0:
        once((__name__, "told", *_key(spec)), lambda: _tell(spec, trust))


def _key(spec: ModelSpec) -> tuple[str, str, str]:
    return spec.name, spec.base_url or "", spec.revision or ""


def _tell(spec: ModelSpec, trust: Trust) -> bool:
    earned: Trust | None = once((__name__, "earned", *_key(spec)), lambda: _earned(spec))
    if earned is not None and LEVELS.index(earned) >= LEVELS.index(trust):
        return True
    why = f"its {EVALUATION} gives it {earned!r}" if earned else f"there is no {EVALUATION} beside it"
    where = " --base-url URL" if spec.kind == "server" else ""
    _log.warning(
        "%s revises with trust %r, and %s. Measure it on pairs that an expert revised: hfclean evaluate PAIRS --model "
        "%s%s --json > FOLDER/%s; or let only small edits pass: trust='low' (--trust low)",
        spec.name, trust, why, spec.name, where, EVALUATION,
    )  # fmt: skip
    return True


def _earned(spec: ModelSpec) -> Trust | None:
    return earned_beside(Path(spec.name).expanduser()) if spec.kind == "local" else None
