"""One round: tasks are asked for, dropped or kept, and answered; written once as work that yields its requests."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import ceil
from types import MappingProxyType

from hfclean.generation.drafts import Draft
from hfclean.generation.filters import Filter
from hfclean.generation.forms import Unwritable, checked_row
from hfclean.generation.generator import Generator
from hfclean.generation.parsing import read_kind, read_rows, read_tasks
from hfclean.generation.prompts import in_order, row_schema, tasks_schema, written
from hfclean.generation.repeats import OVERLAP, Benchmarks, Known
from hfclean.generation.seeds import Seed, Seeds
from hfclean.generation.tally import Tally
from hfclean.models import Answer, Asking, Conversation, Work
from hfclean.models.wire import messages_json
from hfclean.provenance import row_id
from hfclean.schema import Pair
from hfclean.selection.decontamination import Hit
from hfclean.text import words
from hfclean.text.language import main_language, named_languages

ENDED = ("stop", "")  # why a model stops that has written all of it
LABEL_TOKENS = 16  # of an answer with one word
LONGEST_ANSWER = 2000  # characters of an answer that could not be read, in the table of what was dropped
FEWEST_COPIED = {"input": 4, "response": 10}  # words of a text that is taken for a copy; labels may well be equal
RUN, COPIED = OVERLAP[:2]  # runs of 8 words, more than half of them: as rows and benchmarks are compared
NOT_NEEDED = "not_needed"
# what is said of answers and rows beside the filters, by where it is found
REASONS: Mapping[str, str] = {
    "unfinished": "the teacher's answer was cut off; of a list of tasks, those before the cut are taken",
    "unparsed": "the teacher's answer is not in the requested form",
    "unwritable": "what the teacher wrote has no place in a row of the seeds' shape",
    "another_language": "the task is in a language that no seed is in, and names none",
    "benchmark": "the row holds an item of a benchmark",
    "not_new": "the task repeats a seed or another row",
    "duplicate": "the row, or its input with its answer, is that of another one, word for word",
    "copies_seed": "the input, or the answer, is for the most part that of a row which the teacher was shown",
    NOT_NEEDED: "enough rows were kept; the teacher was not asked to answer it",
}


@dataclass
class Pool:
    """What a round draws on, and what its rows are compared with.

    Attributes:
        seeds: the rows that are shown, and the form of a new one.
        kept: rows of earlier rounds, which are shown as well.
        known: the tasks of both.
        ids: of both, by which an equal row is recognised, and one with their input and answer.
        benchmarks: items that no row may hold.
        asked: how often each request for tasks was made before, by its digest.
        ignored: reasons for which half of the seeds would be dropped.
        languages: of the seeds' tasks; empty where most are too short to tell.
    """

    seeds: Seeds
    kept: list[Seed]
    known: Known
    ids: set[str]
    benchmarks: Benchmarks
    asked: Counter[str] = field(default_factory=Counter)
    ignored: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Made:
    """What a round gave.

    Attributes:
        kept: the new rows, each with its id and most similar predecessor.
        dropped: everything else, each with its reason.
        tally: what it took.
        tasks: tasks that could be read.
        new: those of them that no filter dropped and that repeat nothing.
        asked: digests of the requests for tasks.
    """

    kept: tuple[Draft, ...]
    dropped: tuple[Draft, ...]
    tally: Tally
    tasks: int
    new: int
    asked: tuple[str, ...]


def make_round(
    generator: Generator,
    pool: Pool,
    number: int,
    n: int,
    requests: int,
    *,
    each: bool = False,
    notes: Mapping[str, str] = MappingProxyType({}),
) -> Work[Made]:
    """At most `n` new rows from a number of requests for tasks.

    What is shown in a request depends on the round's number, the request's and the pool alone: a round that asks for
    more begins with the same requests.

    Args:
        number: of the round, from 1.
        each: show the seeds in turn, one in each request before the others, instead of drawing all.
        notes: what is shown beneath the task of a seed, by its id.
    """
    tally, dropped = Tally(), []
    showings = [_shown(generator, pool, number, k, each=each) for k in range(requests)]
    asked = [_ask_tasks(generator, pool, shown, notes) for shown in showings]
    digests = [blake2b(messages_json(each), digest_size=8).hexdigest() for each in asked]
    answers = yield from _answers_for_tasks(generator, pool, asked, digests, tally)
    drafts: list[Draft] = []
    for k, (shown, answer) in enumerate(zip(showings, answers, strict=True)):
        found, failed = _tasks_of(generator, pool, k, shown, answer)
        drafts += found
        dropped += failed
    new = _new_tasks(generator, pool, drafts)
    dropped += [draft for draft in drafts if draft.reason]
    kept: list[Draft] = []
    queue = list(new)
    by_id = {seed.id: seed for seed in (*pool.seeds.seeds, *pool.kept)}
    while queue and len(kept) < n:
        count = ceil((n - len(kept)) / generator.examples)
        part, queue = queue[:count], queue[count:]
        rows = yield from _answered(generator, pool, part, by_id, tally)
        for of_task in rows:
            for draft in of_task:
                if not draft.reason and len(kept) == n:
                    draft.drop(NOT_NEEDED)
                (dropped if draft.reason else kept).append(draft)
    for draft in queue:
        draft.drop(NOT_NEEDED)
    dropped += queue
    _place(pool.known.copy(), kept)
    return Made(tuple(kept), tuple(dropped), tally, len(drafts), len(new), tuple(digests))


# --------------------------------------------------------------------------------------------------------------- tasks


def _shown(generator: Generator, pool: Pool, number: int, k: int, *, each: bool) -> list[Seed]:
    """What is shown in a request; the first is the seed that a new row takes its other cells from."""
    chance = random.Random(f"{generator.seed} {number} {k}")  # noqa: S311 - a sample, no secret
    seeds, total = pool.seeds.seeds, sum(generator.shown)
    kept = chance.sample(pool.kept, min(generator.shown[1], len(pool.kept)))
    count = min(total - len(kept), len(seeds))
    if each:
        first = seeds[k % len(seeds)]
        others = [seed for seed in seeds if seed is not first]
        drawn = [first, *chance.sample(others, min(generator.shown[0] - 1, len(others)))]
    else:
        drawn = chance.sample(seeds, count)
    like, rest = drawn[0], [*drawn[1:], *kept]
    chance.shuffle(rest)
    tools = pool.seeds.form.tools(like.row)
    if tools:
        rest = [seed for seed in rest if pool.seeds.form.tools(seed.row) == tools]
    return [like, *rest]


def _ask_tasks(generator: Generator, pool: Pool, shown: Sequence[Seed], notes: Mapping[str, str]) -> Conversation:
    return generator.prompts.ask_tasks(
        [seed.task for seed in shown],
        generator.per_request,
        pool.seeds.form.tools(shown[0].row),
        structured=generator.structured,
        notes=[notes.get(seed.id, "") for seed in shown] if notes else (),
    )


def _answers_for_tasks(
    generator: Generator, pool: Pool, asked: Sequence[Conversation], digests: Sequence[str], tally: Tally
) -> Work[list[Answer]]:
    """The answers to requests for tasks; one that was made before is another candidate, with an answer of its own."""
    before = Counter(pool.asked)
    candidates: dict[int, list[int]] = {}
    for k, digest in enumerate(digests):
        candidates.setdefault(before[digest], []).append(k)
        before[digest] += 1
    schema = tasks_schema(generator.per_request) if generator.structured else None
    guess = _guessed_tasks(generator, pool.seeds)
    answers: dict[int, Answer] = {}
    for candidate, places in sorted(candidates.items()):
        asking = Asking(
            generator.spec,
            [asked[k] for k in places],
            generator.for_tasks(candidate, schema),
            generator.prompts.version,
            [guess] * len(places),
        )
        got = yield asking
        tally.add("tasks", asking, got)
        answers.update(zip(places, got, strict=True))
    return [answers[k] for k in range(len(asked))]


def _guessed_tasks(generator: Generator, seeds: Seeds) -> str:
    """A typical answer to a request for tasks, for an estimate: as long as the seeds' are."""
    some = [seeds.seeds[k % len(seeds.seeds)].task for k in range(generator.per_request)]
    if generator.structured:
        return json.dumps({"tasks": some}, ensure_ascii=False)
    return "\n".join(f"{number}. {task}" for number, task in enumerate(some, sum(generator.shown) + 1))


def _tasks_of(
    generator: Generator, pool: Pool, k: int, shown: Sequence[Seed], answer: Answer
) -> tuple[list[Draft], list[Draft]]:
    """The drafts of an answer, and what of it is none."""
    ids, like = tuple(seed.id for seed in shown), shown[0].id
    failed = Draft("", k, ids, like, model=answer.model)
    cut_off = answer.finish_reason == "length"
    tasks = None if answer.error else read_tasks(answer.text, generator.per_request, cut_off=cut_off)
    lost = _lost(failed, answer)
    if tasks is None and not lost:
        failed.drop("unparsed")
        failed.answer = answer.text[:LONGEST_ANSWER]
    if failed.reason and not cut_off:
        return [], [failed]
    # a list that was cut off behind the last task that was asked for lacks nothing
    whole = cut_off and tasks is not None and len(tasks) == generator.per_request
    drafts = [Draft(task, k, ids, like, columns=pool.seeds.columns, model=answer.model) for task in tasks or ()]
    return drafts, [] if whole or not failed.reason else [failed]


def _lost(draft: Draft, answer: Answer) -> bool:
    """Whether no answer came, or not the whole of it; the draft then says which."""
    if answer.error:
        draft.drop(answer.error, answer.detail)
    elif answer.finish_reason not in ENDED:
        draft.drop("unfinished", answer.finish_reason)
        draft.answer = answer.text[:LONGEST_ANSWER]
    return bool(draft.reason)


def _new_tasks(generator: Generator, pool: Pool, drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts whose task passes the filters and repeats nothing; the others get their reason."""
    _filtered(generator.filters, "task", drafts, pool.ignored)
    for draft in drafts:
        language = main_language(draft.task) if pool.languages and not draft.reason else ""
        if language and language not in pool.languages and not named_languages(draft.task):
            draft.drop("another_language", language)
    left = [draft for draft in drafts if not draft.reason]
    for place, hit in pool.benchmarks.found([Pair(draft.task) for draft in left]).items():
        left[place].drop("benchmark", _told(hit))
    known, new = pool.known.copy(), []
    named: dict[str, Draft] = {}
    for draft in left:
        if draft.reason:
            continue
        found = known.nearest(draft.task)
        other = named.get(found.name)  # one of this round has no id yet
        draft.nearest, draft.similarity = "" if other else found.name, found.rouge_l
        if found.repeats:
            draft.drop("not_new", f"as {other.task[:200]!r}" if other else "")
            continue
        name = f"\0{len(named)}"
        named[name] = draft
        new.append(draft)
        known.add(name, draft.task)
    return new


def _told(hit: Hit) -> str:
    return f"{hit.benchmark} {hit.item}: its {hit.side} in the {hit.found_in} ({hit.check}, {hit.overlap:.0%})"


def _filtered(filters: Sequence[Filter], stage: str, drafts: Sequence[Draft], ignored: frozenset[str]) -> None:
    for draft in drafts:
        for each in filters if not draft.reason else ():
            if each.stage == stage:
                reason = next((reason for reason in each.reasons(draft) if reason not in ignored), "")
                if reason:
                    draft.drop(reason)
                    break


# ---------------------------------------------------------------------------------------------------------------- rows


def _answered(
    generator: Generator, pool: Pool, drafts: Sequence[Draft], seeds: Mapping[str, Seed], tally: Tally
) -> Work[list[list[Draft]]]:
    """The rows of each of these tasks, dropped ones among them."""
    labels = [False] * len(drafts)
    if generator.prompts.classify:
        asking = Asking(
            generator.spec,
            [generator.prompts.ask_kind(draft.task) for draft in drafts],
            generator.for_rows(max_new_tokens=LABEL_TOKENS),
            generator.prompts.version,
            ["no"] * len(drafts),
        )
        got = yield asking
        tally.add("kinds", asking, got)
        labels = [not answer.error and read_kind(answer.text) for answer in got]
    answers: dict[int, Answer] = {}
    for label in sorted(set(labels)):
        places = [k for k, each in enumerate(labels) if each is label]
        asking = _ask_rows(generator, pool, [drafts[k] for k in places], seeds, label=label)
        got = yield asking
        tally.add("rows", asking, got)
        answers.update(zip(places, got, strict=True))
    rows = [list(_rows_of(generator, pool, draft, seeds, answers[k])) for k, draft in enumerate(drafts)]
    every = [draft for of_task in rows for draft in of_task if not draft.reason]
    for place, hit in pool.benchmarks.found([draft.pair for draft in every if draft.pair]).items():
        every[place].drop("benchmark", _told(hit))
    for of_task in rows:
        _judged(generator.filters, pool, of_task)
    return rows


def _ask_rows(
    generator: Generator, pool: Pool, drafts: Sequence[Draft], seeds: Mapping[str, Seed], *, label: bool
) -> Asking:
    form, prompts = pool.seeds.form, generator.prompts
    fields = in_order(form.fields, label=label)
    conversations, guesses = [], []
    for draft in drafts:
        like = seeds[draft.like]
        shown = [seeds[name] for name in draft.shown]
        conversations.append(
            prompts.ask_row(
                draft.task, form, like, shown, generator.examples, structured=generator.structured, label=label
            )
        )
        guess = written(like.answer, fields, structured=generator.structured)
        guesses.append("\n".join([guess] * generator.examples))
    schema = row_schema(fields, generator.examples) if generator.structured else None
    return Asking(generator.spec, conversations, generator.for_rows(schema), prompts.version, guesses)


def _rows_of(
    generator: Generator, pool: Pool, draft: Draft, seeds: Mapping[str, Seed], answer: Answer
) -> Iterator[Draft]:
    """The rows that an answer makes of a task."""
    draft = replace(draft, model=answer.model or draft.model)
    if _lost(draft, answer):
        yield draft
        return
    form = pool.seeds.form
    found = read_rows(answer.text, form.fields, generator.examples)
    if found is None:
        draft.drop("unparsed")
        yield replace(draft, answer=answer.text[:LONGEST_ANSWER])
        return
    words_asked = "\n".join([generator.prompts.words(), *(field.meaning for field in form.fields)])
    for each in found:
        made = replace(draft, finish_reason=answer.finish_reason, words=words_asked)
        try:
            made.row = checked_row(form.row(draft.task, each, seeds[draft.like].row), form.features)
        except Unwritable as e:
            made.drop("unwritable", str(e))
            made.answer = answer.text[:LONGEST_ANSWER]
        else:
            made.pair, made.id = form.view.pairs(made.row)[-1], row_id(made.row, form.view)
            # calls of one tool are alike as they are
            names = [name for name in FEWEST_COPIED if name == "input" or form.fields[0].kind == "text"]
            if copied := _copied(made, [seeds[name] for name in draft.shown], names):
                made.drop("copies_seed", copied)
        yield made


def _copied(draft: Draft, shown: Sequence[Seed], names: Sequence[str]) -> str:
    """Which text of which shown row a text of the made row is, or is for the most part; empty if there is none."""
    for name in names:
        text = _words(draft.pair, name)
        if len(text) < FEWEST_COPIED[name]:
            continue
        for seed in shown:
            other = _words(seed.pair, name)
            if text == other or _share_in(text, other) > COPIED:
                return f"the {name} of {seed.id}"
    return ""


def _words(pair: Pair | None, name: str) -> list[str]:
    return words(getattr(pair, name).lower())


def _share_in(text: Sequence[str], other: Sequence[str]) -> float:
    """The share of a text's runs of words that another text has, 0 to 1; 0 where it has none."""
    runs = [tuple(text[k : k + RUN]) for k in range(len(text) - RUN + 1)]
    known = {tuple(other[k : k + RUN]) for k in range(len(other) - RUN + 1)}
    return sum(run in known for run in runs) / len(runs) if runs else 0.0


def languages_of(tasks: Sequence[str]) -> frozenset[str]:
    """The languages that tasks are in; empty where most of them are too short to tell."""
    found = Counter(main_language(task) for task in tasks)
    return frozenset() if 2 * found.pop("", 0) > len(tasks) else frozenset(found)


def same_matter(pair: Pair) -> str:
    """By what a row is recognised that has input and answer of another under another task; empty where the input is
    short, as for labels of names."""
    given, answer = pair.input.split(), pair.response.split()
    return "\0".join([" ".join(given), " ".join(answer)]) if len(given) >= FEWEST_COPIED["input"] and answer else ""


def _judged(filters: Sequence[Filter], pool: Pool, drafts: Sequence[Draft]) -> None:
    """What is wrong with the rows of one task."""
    _filtered(filters, "row", [draft for draft in drafts if draft.row], pool.ignored)
    left = [draft for draft in drafts if draft.row and not draft.reason]
    for each in filters:
        if each.stage == "examples":
            for draft, reason in zip(left, each.reasons(left), strict=True):
                if reason and reason not in pool.ignored:
                    draft.drop(reason)
            left = [draft for draft in left if not draft.reason]
    for draft in left:
        matter = same_matter(draft.pair) if draft.pair else ""
        if draft.id in pool.ids:
            draft.drop("duplicate", f"as the row {draft.id}")
        elif matter in pool.ids:
            draft.drop("duplicate", "input and answer of another row")
        pool.ids |= {draft.id, *([matter] if matter else [])}


def _place(known: Known, kept: Sequence[Draft]) -> None:
    """The most similar of the seeds and of the rows kept before, for each kept row; those of one task are one."""
    tasks: dict[str, tuple[str, float]] = {}
    for draft in kept:
        if draft.task not in tasks:
            nearest, similarity, _ = known.nearest(draft.task)
            tasks[draft.task] = (nearest, similarity)
            known.add(draft.id, draft.task)
        draft.nearest, draft.similarity = tasks[draft.task]
