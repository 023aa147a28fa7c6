"""Render the cards of what hfclean ships: the rule reviser and the two embedded rules, from code and measured figures.

    python model_cards/render.py            # writes them anew
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

FOLDER = Path(__file__).parent
FIGURES = FOLDER.parent / "benchmarks" / "README.md"
LICENSE = "apache-2.0"
SHARED = (
    "It cannot tell whether an answer belongs to its question when the words do not show it: see 'another row's "
    "answer' above."
)
LIMITS = {
    "preference": (
        "Only differences between two versions of one pair mean something; the level depends on what is asked.",
        "It follows length where length still says something, and does not see that an answer goes on too long.",
        "Between two long answers of strong chat models it is no better than chance.",
    ),
    "rating": (
        "The judge that it learned from gave its best marks to short answers of checkable tasks, so rows are ranked "
        "by their task as much as by their answer; two versions of one pair are for `preference`.",
    ),
}

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
Mends what a program can mend in instruction data: no model, no network, no money. `hfclean.revise` is an instance of
it; it comes with hfclean {version} and has no weights to download.

```python
import hfclean

ds = ds.map(hfclean.revise)  # every original is kept
raw = hfclean.restore(ds)  # exactly what went in
```

| | |
| --- | --- |
| kind | `RuleReviser`, version {reviser} |
| rules | {count}, of which {mending} mend and the others only mark |
| licence | `{license}` |

## Evaluation

Recall: each kind of defect injected into clean real rows. Precision: firings over real Alpaca and Dolly rows, read one
by one. The commands are in `benchmarks/README.md`.

| rule | severity | what it finds | recall on injected | of those mended | fires | read | right |
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
    lines = []
    for rule in RULES:
        meaning = rule.meaning.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
        lines.append(f"| `{rule.id}` | {rule.severity} | {meaning} | {' | '.join(measured[rule.id])} |")
    harm = re.search(r"\*\*(toward \d+, away \d+, neither \d+; toward/away [\d.]+)\*\*", figures)
    assert harm is not None
    return REVISER.format(
        license=LICENSE,
        begin=BEGIN,
        end=END,
        version=hfclean.__version__,
        reviser=hfclean.RuleReviser.version,
        count=len(RULES),
        mending=sum(rule.repair is not None for rule in RULES),
        table="\n".join(lines),
        harm=harm[1],
    )


def embedded(figures: str, name: str) -> str:
    """The card of one of the two embedded rules."""
    rule = {"preference": preference_rule, "rating": rating_rule}[name]()
    found = [row for row in table(figures, "| | rule | longer response") if row.name.startswith(f"`{name}`")]
    damage = table(figures, "| damage | `preference` | `rating` |")
    column = ("preference", "rating").index(name)
    lines = [
        "Cross-validated in ten folds grouped by instruction, five seeds, 95 % bootstrap intervals over instructions; "
        "`python benchmarks/fit_scores.py` prints it again.",
        "",
        "| | rule | longer response | random |",
        "| --- | --- | --- | --- |",
        *(f"| {row.name.removeprefix(f'`{name}`, ')} | {' | '.join(row.cells[:3])} |" for row in found),
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


def render() -> dict[str, str]:
    """Every card, by file name."""
    figures = FIGURES.read_text(encoding="utf-8")
    cards = {f"{name}.md": embedded(figures, name) for name in ("preference", "rating")}
    return {**cards, "rule_reviser.md": rule_reviser(figures)}


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
