"""SeDi-Instruct: a teacher writes rows after seeds, a student learns them, and what it finds hard becomes seeds.

    FOLDER/about.json, round-NNNN/          the generation; see `hfclean.generation.Rounds`
    FOLDER/sedi.json                        the settings of the loop
    FOLDER/round-NNNN-batches.json          the rows of the round in batches of different clusters
    FOLDER/round-NNNN-signal.jsonl          what every step of the student said about its batch
    FOLDER/round-NNNN-feedback.json         the seeds afterwards, and each change on the way
    FOLDER/round-NNNN-student/              the student after the newest round

Every one of them is written whole or not at all. The same call after any end goes on: no request is repeated whose
answer came, and no step of a training behind its last checkpoint.
"""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Literal, Unpack, get_args

from hfclean.durable import recover, write_text
from hfclean.errors import FolderError, GenerationWarning, HfcleanError, SchemaError
from hfclean.evaluation.ab_runs import tuning_row
from hfclean.generation.generating import ModelKeywords, doubts, generator_of, nothing_made, why_ended
from hfclean.generation.generator import Generator
from hfclean.generation.prompts import Prompts
from hfclean.generation.repeats import Novelty
from hfclean.generation.rounds import Round, Rounds
from hfclean.generation.seeds import Seed, Seeds, read_seeds
from hfclean.limits import read_json
from hfclean.loops.clustering import Embedder
from hfclean.loops.donors import Fitness
from hfclean.loops.feedback import Feedback, Iteration, Pool, Row, Update, update_seeds
from hfclean.loops.sedi_report import Sedi, SediRound, round_of
from hfclean.models import Backend, BudgetError, ModelSpec, open_backend
from hfclean.models.budget import progress
from hfclean.schema import Columns
from hfclean.training.signal import Step, normalised, read_signal
from hfclean.training.trainer import no_bars
from hfclean.training.tuning import find_base, tune

Signal = Literal["grad_norm", "loss", "random"]
ABOUT = "sedi.json"
# one pass over every row at a constant rate; the paper's settings are not known
TRAINING = {
    "num_train_epochs": 1,
    "learning_rate": 1e-5,
    "lr_scheduler_type": "constant",
    "warmup_steps": 0,
    "save_strategy": "steps",
    "save_steps": 50,
    "save_total_limit": 1,
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loop:
    """The settings of a loop, beside those of its generation.

    Args:
        base_model: of the student: a folder or a Hub id.
        rounds: how many; None for as many as `max_cost` of the generation pays for.
        per_round: most new rows of a round.
        batch_size: rows of a batch, each a step of the student.
        signal: by what batches are compared.
        feedback: how seeds change.
        embed: what makes the vectors that are clustered; see `sedi`.
        clusters: how many clusters a round has; None for as many as a batch has rows.
        train: fields of `trl.SFTConfig` over ours.
        student_template: for a student without a chat template; see `sedi`.
        tuned_by: your own training instead of ours; see `sedi`.
        seed: of clusters, batches, training, and of `signal="random"`.
    """

    base_model: str
    rounds: int | None = None
    per_round: int = 80
    batch_size: int = 8
    signal: Signal = "grad_norm"
    feedback: Feedback = field(default_factory=Feedback)
    embed: str | Callable[..., Any] | None = None
    clusters: int | None = None
    train: Mapping[str, Any] | None = None
    student_template: str | None = "auto"
    tuned_by: Callable[..., Any] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "batch_size", "per_round", "clusters"):
            value = getattr(self, name)
            if value is None and name in ("rounds", "clusters"):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise HfcleanError(f"sedi({name}={value!r}): expected a whole number, at least 1")
        if self.signal not in get_args(Signal):
            raise HfcleanError(
                f"sedi(signal={self.signal!r}): expected {', '.join(map(repr, get_args(Signal)))}; the last one is "
                "the control that shows whether the other two help"
            )
        if self.train is not None and not isinstance(self.train, Mapping):
            raise HfcleanError(f"sedi(train={type(self.train).__name__}): expected a dict of fields of trl.SFTConfig")
        Embedder(self.embed)

    def settings(self) -> dict[str, Any]:
        """What a record says of the loop, as JSON can hold it."""
        names = ("base_model", "per_round", "batch_size", "signal", "clusters", "student_template", "seed")
        found = {name: getattr(self, name) for name in names}
        found |= {"feedback": asdict(self.feedback), "embed": Embedder(self.embed).name}
        found |= {"train": {**TRAINING, **(self.train or {})} if self.tuned_by is None else "the user's own"}
        plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
        return plain


def sedi(
    seeds: Any,
    model: str | Backend | ModelSpec,
    base_model: str | Path,
    *,
    folder: str | Path,
    rounds: int | None = None,
    per_round: int | None = None,
    batch_size: int = 8,
    signal: Signal = "grad_norm",
    every: int = 10,
    donated: int = 2,
    embed: Any = None,
    clusters: int | None = None,
    train: Mapping[str, Any] | None = None,
    student_template: str | None = "auto",
    tuned_by: Callable[..., Any] | None = None,
    prompt: str | Prompts | None = None,
    novelty: float | Novelty = 0.85,
    against: Any = (),
    shown: tuple[int, int] = (8, 0),
    per_request: int = 8,
    seed: int = 0,
    columns: Columns = None,
    show: bool = True,
    **model_settings: Unpack[ModelKeywords],
) -> Sedi:
    """Rows for what a student has not learnt yet, in the loop of SeDi-Instruct (arXiv 2502.04774). Research-grade.

    In every round the teacher writes new rows after the seeds; what is not new by ROUGE-L 0.85 is dropped before it is
    paid for. The rows are dealt out into batches of different clusters, and the student is trained on each batch once.
    Every ten steps the batch with the greatest signal, over the median of the last 50, gives rows to the seeds, and
    weak seeds leave.

    The paper states the loop, ten iterations, and the threshold. It does not state the embedding, the clusters, the
    size of a batch, how many rows are given, when a seed is weak, or which norm is meant: those are our choices, and
    no figure of the paper is claimed for them. `signal="random"` is the control: run it beside.

    Args:
        seeds: as `hfclean.generate` takes them; rows with answers.
        model: the teacher, as `hfclean.generate` takes it.
        base_model: the student: a folder or a Hub id. Each round goes on from the student of the one before, with a
            new optimizer. All weights are trained.
        folder: where all of it is kept, and from which a run goes on.
        rounds: how many; or give `max_cost` with `prices`, and it ends before a round that would go beyond, judged by
            the one before.
        per_round: most new rows of a round; by default as many as one change of the seeds takes.
        batch_size: rows of a batch; every batch is one step.
        signal: `"grad_norm"`, the global L2 norm of the gradient before it is clipped; `"loss"`; or `"random"`.
        every: steps from one change of the seeds to the next.
        donated: rows that become seeds at a change, and seeds that leave, at most.
        embed: what is clustered: None for the words of prompts, counted; a model, as `hfclean.scorers.Embed` takes it;
            such an `Embed`; or a function from a list of prompts to as many vectors.
        clusters: how many a round has; by default as many as a batch has rows.
        train: fields of `trl.SFTConfig`, such as `{"learning_rate": 2e-5}`, over ours: one epoch, a constant rate.
        student_template: for a student without a chat template: a Jinja template, or `"plain"` for a simple one of
            ours; by default that, where it has none.
        tuned_by: your own training instead of ours: a function that is called with `rows` (dicts of prompt and
            completion), `base`, `folder`, `batches` (lists of indices into rows), `row_ids` and `signal`. It trains
            from `base`, leaves what the next round takes as base in `folder`, and writes the signal file as
            `hfclean.training.training_signal` does. It is called again for a round that did not end.
        prompt, against, per_request, columns: as for `hfclean.generate`.
        novelty: the ROUGE-L from which on a task is a repetition.
        shown: most seeds, and most kept rows, in a list that the teacher goes on with.
        seed: of all that is drawn at random.
        show: whether to show live lines.
        model_settings: `base_url`, `prices`, `max_cost` and so on, as `hfclean.models.ModelSpec` has them.

    Raises:
        SchemaError: no seeds, or rows of a shape in which none can be made or learnt.
        BackendError: the teacher cannot be asked at all, or not once within `max_cost`. Every answer so far is kept.
        TrainingError: the student cannot be trained.
        HfcleanError: no row was kept; the message says why. Or neither `rounds` nor `max_cost` was given.
        FolderError: the folder holds a loop of other settings or seeds.
    """
    novel = novelty if isinstance(novelty, Novelty) else Novelty(novelty)
    generator = generator_of(
        model,
        prompt=prompt,
        novelty=novel,
        shown=shown,
        per_request=per_request,
        seed=seed,
        columns=columns,
        **model_settings,
    )
    loop = Loop(
        str(base_model),
        rounds,
        every * batch_size if per_round is None else per_round,
        batch_size,
        signal,
        Feedback(every, donated, novel),
        embed,
        clusters,
        train,
        student_template,
        tuned_by,
        seed,
    )
    return run_sedi(generator, loop, seeds, folder, against=against, show=show)


def run_sedi(
    generator: Generator, loop: Loop, seeds: Any, folder: str | Path, *, against: Any = (), show: bool = True
) -> Sedi:
    """The loop of `sedi`, for settings that were made before."""
    if loop.rounds is None and generator.spec.max_cost is None:
        raise HfcleanError("sedi: when is it to end? Give rounds=, or max_cost= with prices=, or both")
    first = read_seeds(seeds, generator.columns)
    if not first.view.answers:
        raise SchemaError(
            f"seeds of the shape {first.view.shape!r} have no answer that a student could learn; expected instruction "
            "and output, prompt and completion, or messages"
        )
    if loop.tuned_by is None:
        find_base(loop.base_model)  # before anything is paid for
    for note in doubts(first, generator):
        warnings.warn(note, GenerationWarning, stacklevel=3)
    return _Run(generator, loop, first, Path(folder).expanduser(), against, show=show).made()


class _Run:
    """One run of a loop."""

    def __init__(
        self, generator: Generator, loop: Loop, first: Seeds, folder: Path, against: Any, *, show: bool
    ) -> None:
        self.loop, self.first, self.folder, self.show = loop, first, folder, show
        self.known = _known(folder / ABOUT, loop.settings())
        self.rounds = Rounds(generator, folder, against=against)
        self.fitness = Fitness(first, generator.prompts.words())
        self.seeds: dict[str, Seed] = {seed.id: seed for seed in first.seeds}
        self.rows: dict[str, Row] = {seed.id: Row(seed.task) for seed in first.seeds}
        self.pool = Pool.of([seed.id for seed in first.seeds])
        self.steps: list[Step] = []
        self.told: list[SediRound] = []

    def made(self) -> Sedi:
        """The loop to its end."""
        while not (ended := self._ended()):
            try:
                self._round(self._generated(len(self.told) + 1))
            except BudgetError as e:
                if not self.told:
                    raise
                ended = str(e)
                break
        if not any(len(each.kept) for each in self.rounds.done):
            raise nothing_made(self.rounds)
        if len(self.told) != self.loop.rounds:
            _log.warning("the loop ended after %s rounds: %s", len(self.told), ended)
        now = [self.seeds[each.id] for each in self.pool.seeds]
        return Sedi(self.rounds, tuple(self.told), self.loop.settings(), tuple(now), self._student(), ended)

    def _ended(self) -> str:
        """Why there is no further round; empty where there is one."""
        if len(self.told) == self.loop.rounds:
            return f"rounds={self.loop.rounds} was asked for"
        if ended := why_ended(self.rounds):
            return ended
        allowed, done = self.rounds.generator.spec.max_cost, self.rounds.done
        if allowed is not None and done:
            spent, last = self.rounds.ledger()[-1]["cost"], done[-1].about["usage"]["cost"]
            if spent + last > allowed:
                return f"{spent:.4g} of max_cost={allowed:g} is spent, and the last round took {last:.4g}"
        return ""

    def _generated(self, number: int) -> Round:
        seeds = replace(self.first, seeds=tuple(self.seeds[each.id] for each in self.pool.seeds))
        spec, show = self.rounds.generator.spec, self.show and not (self.folder / f"round-{number:04d}").exists()
        ledger = open_backend(spec).ledger
        with progress(ledger, None, show=show, label=f"round {number}: {spec.name}") as update:
            made = self.rounds.generate_round(
                seeds, self.loop.per_round, heard=lambda asked, _: update(len(asked.conversations))
            )
        if not self.known:
            write_text(self.folder / ABOUT, json.dumps(self.loop.settings(), indent=1, sort_keys=True) + "\n")
            self.known = True
        return made

    def _round(self, made: Round) -> None:
        """A student learns the rows of a round, and the seeds change."""
        number, before = made.number, self.pool
        new = read_seeds(made.kept, self.rounds.columns, self.first.form).seeds if len(made.kept) else ()
        self.seeds |= {seed.id: seed for seed in new}
        refused = self.fitness.refusals(new)
        shown = {row["made_id"]: (*row["seed_ids"], *row["parent_ids"]) for row in made.kept}
        for seed, reason in zip(new, refused, strict=True):
            self.rows[seed.id] = Row(seed.task, shown[seed.id], reason)
        batches: Mapping[str, Any] = {}
        steps: list[Step] = []
        updates: tuple[Update, ...] = ()
        if new:
            batches = self.rounds.once(f"round-{number:04d}-batches", partial(self._batched, new))
            with _as_written(self._place(number, "batches.json")):
                dealt = [[str(name) for name in batch] for batch in batches["batches"]]
            feedback = self.rounds.once(f"round-{number:04d}-feedback", partial(self._taught, number, new, dealt))
            self._tidy(number)
            steps = self._read(number, new)
            with _as_written(self._place(number, "feedback.json")):
                self.pool = Pool.read(feedback["pool"])
                updates = tuple(Update.read(each) for each in feedback["updates"])
        values = self._values(steps)
        self.steps += steps
        told = round_of(self.rounds, made, batches, steps, values, updates, self.seeds, (before, self.pool))
        self.told.append(told)

    def _batched(self, new: Sequence[Seed]) -> dict[str, Any]:
        loop = self.loop
        found = Embedder(loop.embed).batches([seed.pair for seed in new], loop.batch_size, loop.clusters, loop.seed)
        return found.plain([seed.id for seed in new])

    def _taught(self, number: int, new: Sequence[Seed], batches: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Train the student of a round, and work out the seeds after it."""
        places = {seed.id: place for place, seed in enumerate(new)}
        before = self._place(number - 1, "student")
        if self.steps and self.loop.tuned_by is None and not before.is_dir():
            raise FolderError(
                f"{before} is gone, and round {number} goes on from it; begin with another folder (answers that the "
                "store holds are not asked for again)"
            )
        self._tune(
            rows=[tuning_row(seed.pair) for seed in new],
            base=str(before) if self.steps else self.loop.base_model,
            folder=self._place(number, "student"),
            batches=[[places[name] for name in batch] for batch in batches],
            row_ids=list(places),
            signal=self._place(number, "signal.jsonl"),
        )
        steps = self._read(number, new)
        iterations = [
            Iteration(step.step, step.row_ids or (), value)
            for step, value in zip(steps, self._values(steps), strict=True)
        ]
        pool, updates = update_seeds(self.pool, iterations, self.rows, self.loop.feedback)
        return {"pool": pool.plain(), "updates": [asdict(update) for update in updates]}

    def _tune(self, **what: Any) -> None:
        if self.loop.tuned_by is not None:
            self.loop.tuned_by(**what)
            return
        args = {**TRAINING, **(self.loop.train or {}), "disable_tqdm": not self.show}
        rows, base, folder = what.pop("rows"), what.pop("base"), what.pop("folder")
        settings: dict[str, Any] = {"seed": self.loop.seed, "chat_template": self.loop.student_template}
        with no_bars(when=not self.show):
            tune(rows, base, folder, args=args, resume=True, **settings, **what)

    def _read(self, number: int, new: Sequence[Seed]) -> list[Step]:
        """The steps of a round, numbered on from those before."""
        file = self._place(number, "signal.jsonl")
        if not file.exists() and self._place(number, "feedback.json").exists():
            raise FolderError(f"{file} is gone, and later rounds need it; put it back, or begin with another folder")
        steps = read_signal(file, known={seed.id for seed in new})
        if any(step.row_ids is None for step in steps):
            raise HfcleanError(
                f"{file.name} does not say which rows a step was trained on; expected row_ids in a line"
            )
        return [replace(step, step=len(self.steps) + place) for place, step in enumerate(steps, 1)]

    def _values(self, steps: Sequence[Step]) -> list[float]:
        """The signal of new steps, over the median of the last 50."""
        every = [*self.steps, *steps]
        kind = self.loop.signal
        if kind == "random":
            every = [replace(each, grad_norm=_drawn(self.loop.seed, each.step)) for each in every]
        return normalised(every, field="loss" if kind == "loss" else "grad_norm")[len(self.steps) :]

    def _tidy(self, number: int) -> None:
        """What no later round needs: the student before this one, and checkpoints."""
        from hfclean.training.trainer import CHECKPOINTS

        shutil.rmtree(self._place(number - 1, "student"), ignore_errors=True)
        shutil.rmtree(self._place(number, "student") / CHECKPOINTS, ignore_errors=True)

    def _student(self) -> Path | None:
        place = self._place(max(each.number for each in self.rounds.done if len(each.kept)), "student")
        return place if place.exists() else None

    def _place(self, number: int, what: str) -> Path:
        return self.folder / f"round-{number:04d}-{what}"


@contextmanager
def _as_written(file: Path) -> Iterator[None]:
    """A file of the folder that was changed by another hand is an error that names it."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as e:
        raise FolderError(f"{file} is not as hfclean writes it ({e!r:.100}); put it back, or delete it") from e


def _drawn(seed: int, step: int) -> float:
    """The signal of a step that knows nothing, 0.5 to 1.5."""
    return 0.5 + Random(f"{seed} signal {step}").random()  # noqa: S311 - a control, no secret


def _known(file: Path, settings: Mapping[str, Any]) -> bool:
    """Whether the folder holds a loop of these settings; False where it holds none.

    Raises:
        FolderError: it holds one of other settings.
    """
    if not file.parent.is_dir():
        return False
    recover(file)
    if not file.exists():
        return False
    try:
        known = read_json(file)
    except (OSError, ValueError) as e:
        raise FolderError(f"{file} cannot be read ({e}); begin with another folder") from e
    odd = sorted(name for name in settings if not isinstance(known, dict) or known.get(name) != settings[name])
    if odd:
        raise FolderError(
            f"{file.parent} holds a loop with other settings ({', '.join(odd[:5])}); give the same, or begin with "
            "another folder"
        )
    return True
