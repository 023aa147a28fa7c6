"""Generate: rounds until there are enough new rows, or until hardly any is new."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from hfclean.errors import GenerationWarning, HfcleanError
from hfclean.generation.filters import FILTERS, Filter, made_filters
from hfclean.generation.generator import Generator
from hfclean.generation.making import NOT_NEEDED
from hfclean.generation.prompts import Prompts
from hfclean.generation.repeats import Known, Novelty
from hfclean.generation.rounds import Round, Rounds
from hfclean.generation.seeds import FIRST, Seeds, read_seeds
from hfclean.generation.terms import Terms
from hfclean.models import Answer, Asking, Backend, Limits, ModelSpec, Prices, open_backend
from hfclean.models.api_key import read_key
from hfclean.models.budget import progress
from hfclean.report.formatting import plural
from hfclean.schema import Columns, Pair

PILOT = 20  # rows of the first round: nobody should pay for thousands of useless ones
MOST_REQUESTS = 64  # for tasks, in one round
LEAST_YIELD = 0.05


class ModelKeywords(TypedDict, total=False):
    """The way to a model, as `hfclean.models.ModelSpec` has it."""

    base_url: str | None
    api_key_env: str | None
    revision: str | None
    chat_template: str | None
    dtype: str | None
    device: str | None
    cache_as: str | None
    store: str | Literal[False] | None
    prices: Prices | None
    max_cost: float | None
    max_tokens_total: int | None
    limits: Limits


def generate(
    seeds: Any,
    model: str | Backend | ModelSpec,
    n: int,
    *,
    prompt: str | Prompts | None = None,
    filters: Iterable[Filter | Callable[[Pair], Any]] = FILTERS,
    novelty: float | Novelty | None = 0.7,
    against: Any = (),
    folder: str | Path | None = None,
    shown: tuple[int, int] = (6, 2),
    per_request: int = 8,
    examples: int = 1,
    temperature: float | None = 0.7,
    top_p: float = 0.5,
    max_new_tokens: int = 1024,
    seed: int = 0,
    extra_body: Mapping[str, Any] | None = None,
    stop_below: float = 0.05,
    seeds_license: str | None = None,
    teacher_license: str | None = None,
    columns: Columns = None,
    show: bool = True,
    **model_settings: Unpack[ModelKeywords],
) -> Any:
    """New rows after the manner of seeds, in their shape, as a plain `Dataset`; Self-Instruct (arXiv 2212.10560).

    Round by round the teacher goes on with a list of tasks, most of them seeds and some rows that were kept before.
    What a filter drops, what repeats a seed or a row, and what holds an item of a benchmark is dropped before its
    answer is asked for, so that money stops with novelty. Then the rest of each row is asked for, in the seeds' shape,
    and tested: Self-Instruct's filters, the gate, verifiers, rules, personal data.

    Beside the columns of the seeds' shape every row carries `made_id`; `seed_ids` and `parent_ids`, the seeds and the
    made rows that the teacher was shown; `round`, from 1; `made_by`, the model and the version of its prompts;
    `nearest`, the id of the most similar seed or earlier row, and `similarity`, its ROUGE-L, 0 to 1. What was dropped
    stays in the folder with its reason; `hfclean.generation.Rounds` has it as a `Dataset`, with the ledger.

    Every answer is kept before it is used, and every round is written whole: run the same again after any end, and
    nothing that was answered is asked twice.

    Args:
        seeds: a `Dataset` (one split) or a list of rows: texts in columns (Alpaca, Dolly, prompt and completion,
            problem and answer), conversations, or calls of tools; or tasks as Self-Instruct stores them.
        model: with `base_url`, the name that the server gives the model; without, a folder or a Hub id to run here
            through transformers; or your own function; or a `ModelSpec`.
        n: how many rows.
        prompt: how to write new tasks, instead of our words; or `generation.Prompts`, for all that is asked.
        filters: what is dropped: `generation.SELF_INSTRUCT`, `generation.FILTERS` (it, and our own), or any list of
            `generation.Filter` and of functions of a `Pair` that say whether it is dropped, or why. What would drop
            half of the seeds is left out.
        novelty: the ROUGE-L from which on a task is a repetition: 0.7 as in Self-Instruct, 0.85 as in SeDi-Instruct
            (arXiv 2502.04774), None for no gate; or `generation.Novelty`, for the boundary and the words.
        against: benchmarks, as `hfclean.decontaminate` takes them.
        folder: where rounds are kept; by default in memory only, and answers in the store alone.
        shown: most seeds, and most kept rows, in a list that the teacher goes on with; seeds fill it where there are
            no kept rows yet.
        per_request: new tasks that one request asks for.
        examples: rows for each task, with different inputs.
        temperature, top_p: for tasks; rows are asked for with temperature 0.
        max_new_tokens: the longest list of tasks, and the longest row.
        seed: of the sampling.
        extra_body: further fields for the server's request body, such as `{"presence_penalty": 2}`.
        stop_below: end when a smaller share of a round's tasks is new, 0 to 1.
        seeds_license, teacher_license: as you state them, to be warned of what does not go together.
        columns: which columns of the seeds hold what, as every transform takes it.
        show: whether to show a live line.
        model_settings: `base_url`, `api_key_env`, `cache_as`, `store`, `prices`, `max_cost`, `limits` and so on, as
            `hfclean.models.ModelSpec` has them.

    Returns:
        the rows in the order in which they were made; fewer than `n` where hardly any was new any more, of which a
        `GenerationWarning` says why. Of seeds that are one task, or that ask for nothing, it warns as well.

    Raises:
        SchemaError: no seeds, or rows of a shape in which none can be made.
        BackendError: the teacher cannot be asked at all, or not within `max_cost`. Every answer so far is kept.
        HfcleanError: no row was kept; the message says why, by reason.
        FolderError: the folder holds rounds of other settings or seeds.

    >>> from hfclean.testing_models import ScriptedBackend
    >>> teacher = ScriptedBackend(["3. Name a bird that cannot fly.", "The penguin cannot fly."])
    >>> seeds = [
    ...     {"prompt": "Name a red fruit, please.", "completion": "An apple is a red fruit."},
    ...     {"prompt": "Which river runs through Paris?", "completion": "The Seine."},
    ... ]
    >>> rows = generate(seeds, teacher, 1, show=False)
    >>> rows[0]["prompt"], rows[0]["completion"], rows[0]["round"]
    ('Name a bird that cannot fly.', 'The penguin cannot fly.', 1)
    """
    generator = generator_of(
        model,
        prompt=prompt,
        filters=filters,
        novelty=novelty,
        shown=shown,
        per_request=per_request,
        examples=examples,
        temperature=temperature,
        top_p=top_p,
        max_new_tokens=max_new_tokens,
        seed=seed,
        extra_body=extra_body,
        stop_below=stop_below,
        columns=columns,
        **model_settings,
    )
    for conflict in Terms(seeds_license, teacher_license).conflicts():
        warnings.warn(conflict, GenerationWarning, stacklevel=2)
    rounds = Rounds(generator, folder, against=against)
    run(rounds, seeds, n, show=show)
    kept = rounds.kept
    return kept.select(range(min(n, len(kept))))


def generator_of(
    model: str | Backend | ModelSpec,
    *,
    prompt: str | Prompts | None = None,
    filters: Iterable[Filter | Callable[[Pair], Any]] = FILTERS,
    novelty: float | Novelty | None = 0.7,
    **settings: Any,
) -> Generator:
    """The generator that the arguments of `generate` describe.

    Raises:
        HfcleanError: settings that make none.
    """
    names = ModelKeywords.__annotations__
    way = {name: settings.pop(name) for name in list(settings) if name in names}
    if isinstance(model, ModelSpec):
        if way:
            raise HfcleanError(f"generate: {', '.join(way)} beside a ModelSpec; say it in the ModelSpec")
        spec = model
    else:
        spec = ModelSpec(model, **way)
    return Generator(
        spec,
        prompts=prompt if isinstance(prompt, Prompts) else Prompts() if prompt is None else Prompts(tasks=prompt),
        filters=made_filters(filters),
        novelty=novelty if isinstance(novelty, Novelty) else Novelty(novelty),
        **settings,
    )


def run(rounds: Rounds, seeds: Any, n: int, *, show: bool = True) -> None:
    """Rounds until `n` rows are kept; those that the folder has count.

    Raises:
        HfcleanError: no row was kept at all, or an argument is out of range.
        BackendError: no further request could succeed; every answer so far is kept.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise HfcleanError(f"generate(n={n!r}): expected a number of rows, at least 1")
    generator, spec = rounds.generator, rounds.generator.spec
    read = read_seeds(seeds, generator.columns)
    for note in doubts(read, generator):
        warnings.warn(note, GenerationWarning, stacklevel=3)
    read_key(spec.api_key_env)
    ledger = open_backend(spec).ledger
    rounds.adopt(read)
    with progress(ledger, n, show=show, label=spec.name) as update:
        update(min(n, _kept(rounds)))

        def heard(_asked: Asking, _answers: Sequence[Answer]) -> None:
            update(0, kept=_kept(rounds), rounds=len(rounds.done))

        while (missing := n - _kept(rounds)) > 0 and not (ended := why_ended(rounds)):
            rows, requests = next_round(generator, missing, _share_kept(rounds), first=not rounds.done)
            found = rounds.generate_round(read, rows, requests=requests, heard=heard)
            update(min(len(found.kept), missing), kept=_kept(rounds), rounds=len(rounds.done))
    if not _kept(rounds):
        raise nothing_made(rounds)
    if missing > 0:
        warnings.warn(f"{_kept(rounds):,} of {n:,} rows were made: {ended}", GenerationWarning, stacklevel=3)


def next_round(generator: Generator, missing: int, share: float, *, first: bool) -> tuple[int, int]:
    """How many rows the next round may keep at most, and how many requests for tasks it makes.

    Args:
        generator: how rows are made.
        missing: rows that are still to be made.
        share: of the rows that tasks so far could have given, how many were kept, 0 to 1.
        first: whether it is the first round.
    """
    per_request = generator.per_request * generator.examples
    if first:
        rows = min(missing, PILOT)
        return rows, ceil(rows / per_request)
    return missing, min(MOST_REQUESTS, ceil(missing / (per_request * max(LEAST_YIELD, min(1.0, share)))))


def _share_kept(rounds: Rounds) -> float:
    tasks = sum(each.about["tasks"] - each.about["dropped"].get(NOT_NEEDED, 0) for each in rounds.done)
    return _kept(rounds) / (tasks * rounds.generator.examples) if tasks else 0.0


def _kept(rounds: Rounds) -> int:
    return sum(len(each.kept) for each in rounds.done)


def why_ended(rounds: Rounds) -> str:
    """Why no further round is worth its price; empty where one is."""
    if not rounds.done:
        return ""
    last: Round = rounds.done[-1]
    if not len(last.kept):
        return f"round {last.number} kept none ({_reasons(last.about['dropped'])})"
    stop_below = rounds.generator.stop_below
    if last.share_new < stop_below:
        return (
            f"of the {last.about['tasks']:,} tasks of round {last.number} only {last.share_new:.1%} were new, and "
            f"stop_below={stop_below:g} ends it there. More seeds, or another teacher, would bring more"
        )
    return ""


def nothing_made(rounds: Rounds) -> HfcleanError:
    """Why no row was kept, and what to do."""
    requests = sum(sum(each.about["usage"]["requests"].values()) for each in rounds.done)
    tasks = sum(each.about["tasks"] for each in rounds.done)
    dropped: Counter[str] = Counter()
    for each in rounds.done:
        dropped.update(each.about["dropped"])
    texts = rounds.dropped["answer"][:] if rounds.done else []
    first = next((text for text in texts if text), "")
    shown = f" The first answer that could not be used: {first[:200]!r}." if first else ""
    name = rounds.generator.spec.name
    found = (
        f"{name} made no row: {plural(requests, 'request')}, {plural(tasks, 'task')} that could be read; dropped: "
        f"{_reasons(dropped)}.{shown}"
    )
    move = flags = "Look at what was dropped, and at whether this is the teacher that was meant"
    if dropped.get("not_new", 0) > sum(dropped.values()) / 2:
        move = "The teacher repeats what it is shown: give more seeds, raise temperature or novelty, or ask another"
        flags = (
            "The teacher repeats what it is shown: give more seeds, raise --model-option temperature=T or --novelty, "
            "or ask another"
        )
    elif tasks == 0:
        move = "Check whether the teacher can follow the prompt; to leave out JSON: prompt=Prompts(structured=False)"
        flags = "Check whether the teacher can follow the prompt; to leave out JSON: --model-option structured=false"
    move, flags = f"{move}.", f"{flags}."
    if rounds.generator.spec.store is not False:
        move += " Its answers are kept, and another seed= asks anew."
        flags += " Its answers are kept, and --model-option seed=N, another N than before, asks anew."
    return HfcleanError(f"{found} {move}").with_flags(f"{found} {flags}")


def _reasons(counts: Mapping[str, int]) -> str:
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:8]
    return ", ".join(f"{reason} {count:,}" for reason, count in common) or "nothing"


def doubts(seeds: Seeds, generator: Generator) -> list[str]:
    """What is odd about seeds, one sentence each."""
    found = []
    if seeds.without_task:
        ask = "seed asks for nothing and is" if seeds.without_task == 1 else "seeds ask for nothing and are"
        found.append(f"{seeds.without_task:,} {ask} left out")
    known, different = Known(Novelty(generator.novelty.threshold or 1)), 0
    for seed in seeds.seeds[:FIRST]:
        if not known.nearest(seed.task).repeats:
            different += 1
            known.add(seed.id, seed.task)
    count = len(seeds.seeds)
    if count == 1:
        more = max(2, sum(generator.shown))
        found.append(f"there is one seed, and all rows will be like it; {more} or more show more")
    elif different == 1:
        found.append(f"the {count:,} seeds are one task in other words, and all rows will be like it")
    return found
