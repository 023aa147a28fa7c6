"""Render the cards of what hfclean ships: the rule reviser, the two embedded rules and the recipe of a trained one,
from code and measured figures.

    python model_cards/render.py            # writes them again
    python model_cards/render.py --check    # says whether they are as they would be rendered

The figures are read from `benchmarks/README.md`, where the command beside each gives it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

import hfclean
from hfclean.cards import BEGIN, END, rule_card
from hfclean.rules import RULES
from hfclean.scorers.embedded import preference_rule, rating_rule
from hfclean.training.presets import PRESETS

FOLDER = Path(__file__).parent
FIGURES = FOLDER.parent / "benchmarks" / "README.md"
LICENSE = "apache-2.0"
SHARED = (
    "It cannot tell whether an answer belongs to its question when the words do not show it: see 'another row's "
    "answer' above."
)
AGREES = (
    "The column of this name that `hfclean.score` adds is this rule on the pair as the rules of hfclean would leave "
    "it, less a small share for each defect of the row as it stands, so that repairing a row raises it."
)
LIMITS = {
    "preference": (
        "Only differences between two versions of one pair mean something; the level depends on what is asked.",
        "It follows length where length still says something, and does not see that an answer goes on too long.",
        "Between two long answers of strong chat models it is no better than chance.",
        AGREES,
    ),
    "rating": (
        "The judge that it learned from gave its best marks to short answers of checkable tasks, so rows are ranked "
        "by their task as much as by their answer; two versions of one pair are for `preference`.",
        AGREES,
    ),
}

SHOWN = (
    ("LoRA rank", "peft", "r"),
    ("LoRA alpha", "peft", "lora_alpha"),
    ("LoRA dropout", "peft", "lora_dropout"),
    ("modules", "peft", "target_modules"),
    ("learning rate", "args", "learning_rate"),
    ("schedule", "args", "lr_scheduler_type"),
    ("passes", "args", "num_train_epochs"),
    ("pairs a device and step", "args", "per_device_train_batch_size"),
    ("steps that are added up", "args", "gradient_accumulation_steps"),
    ("share of the most revised pairs (alpha)", "", "alpha"),
    ("most that a pair may be revised, as a share of its text", "", "distance_at_most"),
    ("share of near-identity pairs", "", "near_identity"),
    ("what is revised", "", "revise"),
    ("wording of the prompt", "", "wording"),
)

REVISER = """---
license: {license}
language:
- en
library_name: hfclean
tags:
- hfclean
- reviser
- rules
- data-cleaning
- instruction-tuning
---

# The rule reviser

{begin}
Repairs what a program can repair in instruction data: no model, no network, no cost. `hfclean.revise` is an instance
of it; it comes with hfclean {version} and has no weights to download.

```python
import hfclean

ds = ds.map(hfclean.revise)  # every original is kept
raw = hfclean.restore(ds)  # exactly what went in
```

| | |
| --- | --- |
| kind | `RuleReviser`, version {reviser} |
| rules | {count}, of which {repairing} repair and the others only mark |
| license | `{license}` |

## Evaluation

Recall: each kind of defect injected into clean real rows. Precision: firings over real Alpaca and Dolly rows, read one
by one. The commands are in `benchmarks/README.md`.

| rule | severity | what it finds | recall on injected | of those repaired | fires | read | right |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
{table}

Among 1,800 raw rows that experts revised, those that the rules change move towards the expert's text or away from
it: {harm}.

## Intended use

As the first step on any instruction data, before a score, a person or a model looks at it.

## Limits

- The rules see form: encoding, markup, white space, missing and broken-off answers. They do not see whether an answer
  is true, safe or useful.
- They were measured on English rows and on the kinds of defect above; a rule that fires rarely has a precision that is
  known loosely.
- What they change is not always what an expert would: every change is in the ledger, each rule can be undone alone.
{end}
"""


RECIPE = """---
license: {license}
language:
- en
library_name: hfclean
tags:
- hfclean
- reviser
- coachlm
- data-cleaning
- instruction-tuning
---

# The recipe of a trained reviser

{begin}
How a reviser is made of experts' edits with hfclean {version}: the settings as data, and what they were seen to do.
There are no weights here; a reviser that was trained this way has its own card, with its own figures.

```python
import hfclean

coach = hfclean.train_reviser("pairs.jsonl", "org/base", folder="coach", preset="modern")
ds = ds.map(coach, batched=True)  # every original is kept
hfclean.push_reviser(coach, "me/coach", datasets=["me/expert-pairs"])
```

| | {names} |
| --- | {lines} |
{table}

{sources}

## Evaluation

A tiny model, taught from scratch to fix names that occur nowhere in its training; `python benchmarks/coach.py` prints
it again. Without pairs that leave a text as it is, a reviser rewrites what was right already.

| share of near-identity pairs | exactly right | clean rows changed |
| ---: | ---: | ---: |
{figures}

This shows that the way works from end to end. It says nothing about a large model on real edits: measure yours on
pairs that were held out, beside the rule reviser and the rows as they are.

## Intended use

To tune a model on pairs of raw and revised text, so that it revises instruction data as the editors of those did.

## Limits

- No preset was run by us on a full-sized base; `coachlm` repeats what was published, `modern` and `form` are starts.
- A reviser learns the taste of whoever edited the pairs, their habits of length and layout with it.
- Rows that taught it are known by hash and left alone; rows much like them are not.
{end}
"""


class Row(NamedTuple):
    """A row of a table of figures."""

    name: str
    cells: tuple[str, ...]


def table(text: str, header: str) -> list[Row]:
    """The rows of the table whose header begins like this."""
    lines = text[text.index(header) :].split("\n")[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows.append(Row(first, tuple(cells)))
    return rows


def rule_reviser(figures: str) -> str:
    """The card of the rule reviser."""
    measured = {row.name.strip("`"): row.cells for row in table(figures, "| rule | recall on injected")}
    unmeasured = ["not measured"] + [""] * (len(next(iter(measured.values()))) - 1)
    lines = []
    for rule in RULES:
        meaning = rule.meaning.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
        lines.append(
            f"| `{rule.id}` | {rule.severity} | {meaning} | {' | '.join(measured.get(rule.id, unmeasured))} |"
        )
    harm = re.search(r"\*\*(toward \d+, away \d+, neither \d+; toward/away [\d.]+)\*\*", figures)
    assert harm is not None
    return REVISER.format(
        license=LICENSE,
        begin=BEGIN,
        end=END,
        version=hfclean.__version__,
        reviser=hfclean.RuleReviser.version,
        count=len(RULES),
        repairing=sum(rule.repair is not None for rule in RULES),
        table="\n".join(lines),
        harm=harm[1],
    )


def embedded(figures: str, name: str) -> str:
    """The card of one of the two embedded rules."""
    rule = {"preference": preference_rule, "rating": rating_rule}[name]()
    rows = [row for row in table(figures, "| | rule | longer response") if row.name.startswith(f"`{name}`")]
    damage = table(figures, "| damage | `preference` | `rating` |")
    column = ("preference", "rating").index(name)
    lines = [
        "Cross-validated in ten folds grouped by instruction, five seeds, 95 % bootstrap intervals over instructions; "
        "`python benchmarks/fit_scores.py` prints it again.",
        "",
        "| | rule | longer response | random |",
        "| --- | --- | --- | --- |",
        *(f"| {row.name.removeprefix(f'`{name}`, ')} | {' | '.join(row.cells[:3])} |" for row in rows),
        "",
        "Share of damaged answers that score lower, on instructions that were not fitted:",
        "",
        "| damage | |",
        "| --- | ---: |",
        *(f"| {row.name} | {row.cells[column]} |" for row in damage),
    ]
    return rule_card(
        rule,
        name=name,
        license=LICENSE,
        language="en",
        hfclean=hfclean.__version__,
        limits=(SHARED, *(limit.replace("`", "'") for limit in LIMITS[name])),
        module="hfclean.scorers.embedded",
        load=f"hfclean.scorers.embedded.{name}_rule()",
        figures="\n".join(lines),
    )


def recipe(figures: str) -> str:
    """The card of how a reviser is trained."""
    presets = list(PRESETS.values())
    lines = []
    for title, group, name in SHOWN:
        cells = [_setting({"args": p.args, "peft": p.peft or {}, "": vars(p)}[group].get(name)) for p in presets]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    measured = table(figures, "| near_identity | exactly right")
    return RECIPE.format(
        license=LICENSE,
        begin=BEGIN,
        end=END,
        version=hfclean.__version__,
        names=" | ".join(f"`{preset.name}`" for preset in presets),
        lines=" | ".join("---" for _ in presets),
        table="\n".join(lines),
        sources="\n".join(f"- `{preset.name}`: {preset.source}" for preset in presets),
        figures="\n".join(f"| {row.name} | {' | '.join(row.cells[:2])} |" for row in measured),
    )


def _setting(value: object) -> str:
    return "all" if value is None else str(value)


def render() -> dict[str, str]:
    """Every card, by file name."""
    figures = FIGURES.read_text(encoding="utf-8")
    cards = {f"{name}.md": embedded(figures, name) for name in ("preference", "rating")}
    return {**cards, "rule_reviser.md": rule_reviser(figures), "trained_reviser.md": recipe(figures)}


def main() -> int:
    """Write the cards, or compare them."""
    stale = []
    for name, text in render().items():
        path = FOLDER / name
        if "--check" in sys.argv[1:]:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        sys.stderr.write(f"{name} is not as it would be rendered: python model_cards/render.py\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
