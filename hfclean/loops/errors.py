"""LLM2LLM (arXiv 2403.15042): new rows after the seeds that a student, trained anew in every round, gets wrong."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from hfclean.errors import GenerationWarning, HfcleanError
from hfclean.generation.filters import FILTERS, Filter
from hfclean.generation.generating import ModelKeywords, doubts, generator_of
from hfclean.generation.generator import Generator
from hfclean.generation.prompts import Prompts
from hfclean.generation.repeats import Novelty
from hfclean.generation.terms import Terms
from hfclean.loops.correct import Correct
from hfclean.loops.error_questions import Questions
from hfclean.loops.error_report import ErrorRounds
from hfclean.loops.error_rounds import CONTROL, Arm, Loop
from hfclean.loops.error_words import ROWS, TASKS
from hfclean.loops.revising import Revising
from hfclean.loops.student import Student
from hfclean.models import Backend, ModelSpec, open_backend
from hfclean.models.api_key import read_key
from hfclean.schema import Columns, Pair

_log = logging.getLogger(__name__)


def augment_errors(
    seeds: Any,
    base_model: str | Path,
    teacher: str | Backend | ModelSpec | None,
    *,
    correct: str | Correct,
    folder: str | Path,
    rounds: int = 10,
    per_error: int = 1,
    novelty: float | Novelty | None = 0.95,
    against: Any = (),
    control: bool = False,
    revise: Any = None,
    test: Any = None,
    prompt: str | Prompts | None = None,
    show_answers: bool = True,
    filters: Iterable[Filter | Callable[[Pair], Any]] = FILTERS,
    temperature: float | None = 1.0,
    top_p: float = 1.0,
    max_new_tokens: int = 2149,
    extra_body: Mapping[str, Any] | None = None,
    args: Any = None,
    peft_config: Any = None,
    base_revision: str | None = None,
    base_template: str | None = "auto",
    answer_tokens: int = 512,
    seed: int = 0,
    keep_students: bool = False,
    seeds_license: str | None = None,
    teacher_license: str | None = None,
    columns: Columns = None,
    show: bool = True,
    **model_settings: Unpack[ModelKeywords],
) -> ErrorRounds:
    """New rows where a student needs them, after LLM2LLM (arXiv 2403.15042). Research grade.

    In every round the base is tuned from scratch on the seeds and the rows made so far, and answers the seeds. For
    each seed that it gets wrong the teacher writes new rows of its kind, which are filtered as those of
    `hfclean.generate`; no row is ever made after a made row. The last round tunes and tests, and makes nothing.
    `hfclean.loops.OPTIONS` says which of the numbers are the paper's and which are ours.

    With `revise=` a wrong row goes to the reviser first, once, with its gate. A row that was revised takes the place
    of its seed, and nothing is made after it in that round; the others go to the teacher, if there is one.

    Run the same again after any end: it goes on where it was, from the last checkpoint of a training, and asks for
    nothing that was answered.

    Args:
        seeds: a `Dataset` (one split) or a list of rows with answers, of any shape that `hfclean.generate` takes.
        base_model: a folder or a Hub id of a causal language model that is tuned and asked here.
        teacher: as `model` of `hfclean.generate`; None where wrong rows are only revised.
        correct: whether an answer is right: `"number"`, `"exact"`, `"choice"`, `"verified"`,
            `hfclean.loops.Judged(judge, at_least=...)`, or your own function of a row and an answer that returns True,
            False, or None where it cannot be told. Rows of which it cannot be told are counted, and no row is made
            after them.
        folder: where rounds and students are kept.
        rounds: how many.
        per_error: new rows for each wrong seed and round.
        novelty: the ROUGE-L above which a new question is dropped, compared with the wrong seeds and all made rows; or
            `hfclean.generation.Novelty`.
        against: benchmarks of which no row may hold an item, as `hfclean.decontaminate` takes them.
        control: run a second arm beside it, which makes the same number of rows from random seeds, and so shows
            whether errors are worth aiming at. It trains as often again.
        revise: a reviser that asks a model, such as `hfclean.Reviser`.
        test: held-out rows, on which every student is measured. Those whose question is among the seeds are left out,
            and no made row may hold one of them.
        prompt: how to write new tasks, instead of our words; or `generation.Prompts`.
        show_answers: show the teacher what the student said.
        filters, temperature, top_p, max_new_tokens, extra_body: as `hfclean.generate` takes them; of the teacher.
        args, peft_config: as `hfclean.training.tune` takes them; a dict of `args` stands on LLM2LLM's.
        base_revision, base_template: git ref and chat template of the base, as `tune` takes them.
        answer_tokens: the longest answer of a student.
        seed: of the tuning, the teacher and the choice of random seeds.
        keep_students: keep the weights of every round, and not of the last alone.
        seeds_license, teacher_license: as you state them, to be warned of what does not go together.
        columns: which columns of the rows hold what, as every transform takes it.
        show: whether to show a line for each round.
        model_settings: the way to the teacher, as `hfclean.generate` takes it.

    Raises:
        SchemaError: no seeds, or rows of a shape in which none can be made.
        HfcleanError: `correct` can tell of no seed, returns something else than True, False or None, or raises on all.
        BackendError: the teacher cannot be asked at all, or not within `max_cost`. What was done so far is kept.
        TrainingError: the base cannot be tuned on the rows, or the training stopped.
        FolderError: the folder holds a loop of other seeds or settings.
    """
    for name, value in (("rounds", rounds), ("per_error", per_error)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise HfcleanError(f"augment_errors({name}={value!r}): expected at least 1")
    if teacher is None and revise is None:
        raise HfcleanError("augment_errors(teacher=None): expected a teacher, a reviser (revise=), or both")
    revising = None if revise is None else Revising(revise)
    generator = None
    if teacher is not None:
        generator = error_generator(
            teacher,
            per_error=per_error,
            prompt=prompt,
            filters=filters,
            novelty=novelty,
            temperature=temperature,
            top_p=top_p,
            max_new_tokens=max_new_tokens,
            seed=seed,
            extra_body=extra_body,
            columns=columns,
            **model_settings,
        )
    for conflict in Terms(seeds_license, teacher_license).conflicts():
        warnings.warn(conflict, GenerationWarning, stacklevel=2)
    student = Student(str(base_model), args, peft_config, seed, answer_tokens, base_template, base_revision)
    questions = Questions.read(seeds, test, correct, columns)
    for note in questions.notes:
        _log.warning("%s", note)
    for doubt in doubts(questions.seeds, generator) if generator else ():
        warnings.warn(doubt, GenerationWarning, stacklevel=2)
    questions.try_out()
    if generator is not None:
        read_key(generator.spec.api_key_env)
        open_backend(generator.spec)
    if revising is not None:
        revising.reviser.check_access()
    loop = Loop(
        questions,
        student,
        generator,
        revising,
        against=against,
        rounds=rounds,
        per_error=per_error,
        show_answers=show_answers,
        keep_students=keep_students,
        show=show,
    )
    place = Path(folder).expanduser()
    main = Arm(loop, place)
    result = main.run(lambda number, wrong: (wrong, per_error * len(wrong)))
    if control:
        result = replace(result, control=Arm(loop, place / CONTROL, like=main).run(main.random_choice(seed)))
    return result


def error_generator(
    teacher: str | Backend | ModelSpec,
    *,
    per_error: int = 1,
    prompt: str | Prompts | None = None,
    novelty: float | Novelty | None = 0.95,
    **settings: Any,
) -> Generator:
    """How rows after errors are made: one seed is shown at a time, and a question is dropped above the threshold.

    Args:
        teacher, per_error, prompt, novelty: as `augment_errors` takes them.
        settings: as `hfclean.generation.generator_of` takes them.
    """
    prompts = prompt if isinstance(prompt, Prompts) else Prompts(tasks=prompt or TASKS, rows=ROWS)
    gate = novelty if isinstance(novelty, Novelty) else Novelty(novelty, boundary="above")
    return generator_of(teacher, prompt=prompts, novelty=gate, shown=(1, 0), per_request=per_error, **settings)
