"""Saving: what was made as a folder, cleaned, with its card, report and ledger, as `hfclean clean` writes one."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from hfclean.cleaned import Cleaned
from hfclean.cleaning import clean
from hfclean.errors import HfcleanError
from hfclean.folder import check_target, write_folder
from hfclean.generation.generator import Generator
from hfclean.generation.making import NOT_NEEDED
from hfclean.generation.prompts import Prompts
from hfclean.generation.rounds import WHY, Rounds
from hfclean.generation.terms import Terms
from hfclean.layout import Layout
from hfclean.plain_values import to_plain
from hfclean.processes import NumProc
from hfclean.report import Report
from hfclean.report.record import GENERATOR, Count, Generated
from hfclean.reviser import RuleReviser
from hfclean.source import Source

SPLIT = "train"


def save(
    rounds: Rounds,
    out: str | Path,
    *,
    n: int | None = None,
    terms: Terms | None = None,
    seeds: str = "",
    seeds_is_hub: bool = False,
    method: str = "",
    choices: tuple[str, ...] = (),
    overwrite: bool = False,
    language: str | list[str] | None = None,
    tokenizer: Any = None,
    max_tokens: int = 2048,
    num_proc: NumProc = "auto",
) -> Report:
    """Write the rows of a generation as a folder that `load_dataset` reads and `hfclean push` takes.

    The rules repair what they can, and every text as the teacher wrote it stays in the row; rows that were written
    and dropped are the folder's `removed` part, with their reason. The card says who made the rows, with which words,
    after which seeds, under which terms, and that none of them is the work of the seeds' authors.

    Args:
        rounds: what was made.
        out: the folder; made, or replaced with `overwrite` if hfclean wrote it.
        n: write the first rows alone.
        terms: the licences of seeds, teacher and rows as you state them; what is not stated is unknown on the card.
        seeds: where the seeds are from, a name of a file or an id of the Hub.
        seeds_is_hub: whether it is such an id.
        method: for the card, the loop that chose the seeds of each round.
        choices: what its paper leaves open and was chosen here.
        language: for the card, ISO 639 codes.
        tokenizer, max_tokens: for the report's token lengths.
        num_proc: how many processes clean, as `hfclean.clean` takes it.

    Raises:
        FolderError: the folder exists and `overwrite` is off, or hfclean did not write it.
        HfcleanError: nothing was made.
    """
    from datasets import DatasetDict, concatenate_datasets

    out, terms = Path(out).expanduser(), terms or Terms()
    check_target(out, overwrite=overwrite)
    kept = rounds.kept
    if kept is None or not len(kept):
        raise HfcleanError("nothing was made, so there is no row to write")
    kept = kept.select(range(min(n or len(kept), len(kept))))
    layout = Layout(rounds.columns)
    reviser = RuleReviser(columns=layout.columns)
    cleaned = clean(DatasetDict({SPLIT: kept}), reviser=reviser, show=False, num_proc=num_proc)
    written = rounds.dropped
    places = [k for k, name in enumerate(written["made_id"]) if name and written["reason"][k] != "duplicate"]
    written = written.select(places)
    before, removed = kept, None
    if len(written):
        reasons = written["reason"][:]
        written = written.remove_columns(list(WHY)).cast(kept.features)
        before = concatenate_datasets([kept, written])
        untouched = clean(written, reviser=RuleReviser(only=(), columns=layout.columns), show=False, num_proc=num_proc)
        removed = DatasetDict({SPLIT: untouched.dataset.add_column("removed_reason", reasons)})
    made = replace(_generated(rounds, len(kept), terms, seeds), method=method, choices=choices)
    entry = {
        "by": GENERATOR,
        "version": Generator.version,
        "settings": rounds.generator.settings(),
        "generated": to_plain(made),
    }
    before = DatasetDict({SPLIT: before})
    return write_folder(
        out,
        Cleaned(cleaned.dataset, removed, (entry, *cleaned.transforms)),
        before=before,
        source=Source(before, seeds, "hub" if seeds_is_hub else "memory", ""),
        layout=layout,
        overwrite=overwrite,
        license=terms.rows,
        language=language,
        tokenizer=tokenizer,
        max_tokens=max_tokens,
    )


def _generated(rounds: Rounds, kept: int, terms: Terms, seeds: str) -> Generated:
    """What a report says of the rows of a generation."""
    total, spec = rounds.ledger()[-1], rounds.generator.spec
    left_out = sorted({reason for each in rounds.done for reason in each.about["left_out"]})
    prompts, ours = rounds.generator.prompts, Prompts()
    novelty, dropped = rounds.generator.novelty.threshold, Counter(total["dropped"])
    if more := total["kept"] - kept:
        dropped[NOT_NEEDED] += more
    return Generated(
        made_by=rounds.generator.made_by,
        server=str(spec.settings().get("base_url", "")),
        answered_by=tuple(total["models"]),
        own_words=(prompts.tasks, prompts.rows) != (ours.tasks, ours.rows),
        seeds=seeds,
        seeds_rows=rounds.first_seeds,
        seeds_license=terms.seeds or "",
        teacher_license=terms.teacher or "",
        rounds=len(rounds.done),
        requests=sum(total["requests"].values()),
        tasks=total["tasks"],
        new=total["new"],
        kept=kept,
        dropped=tuple(
            Count(name, rows) for name, rows in sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
        ),
        left_out=tuple(left_out),
        novelty=math.nan if novelty is None else novelty,
        benchmarks=tuple(rounds.benchmarks),
        prompt_tokens=total["prompt_tokens"],
        completion_tokens=total["completion_tokens"],
        estimated=bool(total["estimated"]),
        cost=math.nan if total["cost"] is None else total["cost"],
        currency=total["currency"],
    )
