"""What a report says of models that were asked and of plain choices of rows, in words for every form of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hfclean.models.budget import days_of
from hfclean.report.formatting import money, plural
from hfclean.report.record import Decisions, Generated, ModelUse
from hfclean.selection.plain_choices import Baseline


def model_facts(use: ModelUse) -> list[tuple[str, str]]:
    """Facts about a model that was asked, as (name, words); the words are partly from the dataset."""
    total = use.kept + use.revised + use.reverted + use.failed
    edits = [f"{getattr(use, name):,} {name}" for name in ("revised", "kept", "reverted", "failed")]
    facts = [
        ("model", use.model + (f" at {use.server}" if use.server else ", run locally")),
        ("calls itself", ", ".join(use.answered_by)),
        (
            "reviser",
            f"{use.by} version {use.version}" + (f", prompt {use.prompt_version}" if use.prompt_version else ""),
        ),
        ("trust", use.trust),
        ("rows", f"{total:,}: " + ", ".join(edits)),
        ("revisions not taken", ", ".join(f"{reason.name} {reason.rows:,}" for reason in use.reasons)),
    ]
    if use.recorded:
        tokens = f"{use.prompt_tokens:,} read, {use.completion_tokens:,} written"
        facts += [
            ("answers", _answers(use)),
            ("tokens", tokens + (" (estimated in part: the server does not say)" if use.estimated else "")),
            (
                "cost of this run",
                money(use.cost, use.currency) if math.isfinite(use.cost) else "no prices were given",
            ),
        ]
    return [(name, words) for name, words in facts if words]


def generation_facts(made: Generated) -> list[tuple[str, str]]:
    """Facts about rows that a model made, as (name, words); the words are partly from the dataset."""
    if not made.requests:
        return [
            ("made by", made.made_by),
            ("seeds", f"{plural(made.seeds_rows, 'row')} shown to the model"),
            ("rows", f"{made.kept:,} in {plural(made.rounds, 'round')}"),
            ("license of the seeds", "not recorded in the rows"),
            ("license or terms of the model", "not recorded in the rows"),
            ("what was dropped, and what it took", "not recorded in the rows"),
        ]
    share = f", {made.new / made.tasks:.0%} of the tasks" if made.tasks else ""
    gate = "no gate" if math.isnan(made.novelty) else f"a ROUGE-L of {made.novelty:g} or more counts as a repetition"
    facts = [
        ("made by", made.made_by + (f" at {made.server}" if made.server else ", run locally")),
        ("calls itself", ", ".join(made.answered_by)),
        ("method", made.method),
        ("chosen here, as the paper does not say", "; ".join(made.choices)),
        ("prompt", "the user's own words" if made.own_words else "the words of hfclean"),
        ("seeds", f"{plural(made.seeds_rows, 'row')}{f' of {made.seeds}' if made.seeds else ''}"),
        ("license of the seeds", made.seeds_license or "not stated"),
        ("license or terms of the model", made.teacher_license or "not stated"),
        ("rows", f"{made.kept:,} kept, of {plural(made.tasks, 'task')} in {plural(made.rounds, 'round')}"),
        ("new", f"{made.new:,}{share}; {gate}"),
        ("dropped", ", ".join(f"{reason.name} {reason.rows:,}" for reason in made.dropped)),
        ("tests left out, since the seeds do not pass them", ", ".join(made.left_out)),
        ("holds nothing of", ", ".join(made.benchmarks)),
        ("requests", f"{made.requests:,}"),
        (
            "tokens",
            f"{made.prompt_tokens:,} read, {made.completion_tokens:,} written"
            + (" (estimated in part: the server does not say)" if made.estimated else ""),
        ),
        ("cost", money(made.cost, made.currency) if math.isfinite(made.cost) else "no prices were given"),
    ]
    return [(name, words) for name, words in facts if words]


def decision_words(decisions: Decisions) -> str:
    """How many people decided, and how many rows have each state; who they are, where that was asked for."""
    states = ", ".join(f"{each.rows:,} {each.name}" for each in decisions.states)
    names = ", ".join(f"{each.name or 'unnamed'} {each.rows:,}" for each in decisions.names)
    people = "1 person" if decisions.people == 1 else f"{decisions.people:,} people"
    return f"decided by {people}: {states or 'no row'}" + (f" (by person: {names})" if names else "")


def _answers(use: ModelUse) -> str:
    """How many answers were asked for, how many came from the file of answers, and from when those are."""
    when = days_of([(day.name, day.rows) for day in use.reused_on])
    of = f", of {use.answers_of}" if use.answers_of and when else ""
    if when and not use.asked:
        return (
            f"nothing was asked now: {use.reused:,} of {use.reused:,} answers are from the file of answers, {when}{of}"
        )
    kept = f" ({when}{of})" if when else ""
    return f"{use.asked:,} asked for in this run, {use.reused:,} already stored{kept}"


def random_as_one(choices: Sequence[Baseline]) -> list[Baseline]:
    """The choices, with the mean of the random ones in place of the first of them."""
    chance = [each for each in choices if each.name == "random"]
    others = [each for each in choices if each.name != "random"]
    if chance:
        seeds = plural(len(chance), "seed")
        shared = round(sum(each.shared for each in chance) / len(chance))
        means = {
            name: sum(getattr(each, name) for each in chance) / len(chance)
            for name in ("overlap", "mean", "p5", "p50", "p95")
        }
        first = choices.index(chance[0])
        others.insert(first, replace(chance[0], name=f"random (mean of {seeds})", shared=shared, **means))
    return others
