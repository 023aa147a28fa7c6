"""Words: the report of a desk for a terminal. A figure that was not measured is not mentioned."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hfclean.evaluation.bootstrap import Figure
from hfclean.quality_control.figures import FEWEST
from hfclean.quality_control.results import AgreementReport, ArmsReport, BlindReport, PersonReport, ProposalsReport
from hfclean.report.formatting import one_line, plural, quantity
from hfclean.report.tables import table

MOST_REASONS = 10
LONGEST_REASON = 60
# columns of people, and what they are shares of
MEANINGS = {
    "gold": "planted wrong revisions that were rejected",
    "agreed": "rows on which a second person decided the same",
    "returned": "controlled rows that an owner returned",
}
NAMES = {"gold": "attention"}


def fitted(lines: Iterable[str], width: int) -> str:
    """Lines of at most `width` characters; tables, which end in a line feed, as they are."""
    return "\n".join(line if line.endswith("\n") else _wrapped(line, width) for line in lines)


def _wrapped(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)


def people(reports: Sequence[PersonReport], width: int) -> Iterator[str]:
    """Each person in a line, and what the columns mean."""
    if not reports:
        return
    shares = {name: [getattr(report, name) for report in reports] for name in MEANINGS}
    measured = {name: figures for name, figures in shares.items() if any(figure.count for figure in figures)}
    columns = {
        "person": [one_line(report.name, 24) for report in reports],
        "rows": [f"{report.decided:,}" for report in reports],
        "undecided": [f"{report.undecided:,}" for report in reports],
        "rows/hour": [
            "" if math.isnan(report.rows_per_hour) else quantity(report.rows_per_hour) for report in reports
        ],
        **{NAMES.get(name, name): [*map(_cell, figures)] for name, figures in measured.items()},
    }
    if not any(columns["rows/hour"]):
        del columns["rows/hour"]
    yield table([[*columns], *map(list, zip(*columns.values(), strict=True))], width=width, cut=0) + "\n"
    for name in measured:
        yield f"{NAMES.get(name, name)}: share of {MEANINGS[name]}, in %"


def time(arms: ArmsReport, longest_look_s: float) -> Iterator[str]:
    """Seconds with and without a proposal."""
    if not (arms.proposal.rows or arms.alone.rows):
        return
    yield "Seconds for a row"
    for name, arm in (("with a proposal", arms.proposal), ("without", arms.alone)):
        more = [
            *([f"{plural(arm.undecided, 'row')} more not decided"] if arm.undecided else []),
            *([f"{plural(arm.untimed, 'row')} not timed"] if arm.untimed else []),
        ]
        beside = f" ({', '.join(more)})" if more else ""
        if arm.mean.count < FEWEST:
            yield f"  {name}: {_few(arm.mean)}{beside}"
        else:
            figures = f"mean {arm.mean.number(1)}, median {arm.median.number(1)}"
            yield f"  {name}: {figures}, {plural(arm.rows, 'row')}{beside}"
    less = arms.less
    if not math.isnan(less.mean.value):
        yield f"  less with a proposal: mean {less.mean.number(1)}, median {less.median.number(1)}"
        verdict = "takes less time" if less.mean.low > 0 else "takes more time" if less.mean.high < 0 else ""
        share = "" if math.isnan(less.saved.value) else f" ({less.saved.percent()} % less)"
        yield f"  A row with a proposal {verdict}{share}." if verdict else f"  No difference beyond chance{share}."
    cut = arms.proposal.cut + arms.alone.cut
    yield f"  A look of more than {quantity(longest_look_s)} s counts as one of that: {plural(cut, 'look')}."


def proposals(proposals: ProposalsReport) -> Iterator[str]:
    """What became of them."""
    if not proposals.judged:
        return
    if proposals.judged < FEWEST:
        yield f"Proposals: {_few(Figure(math.nan, count=proposals.judged))}"
        return
    yield f"Proposals that people judged: {proposals.judged:,}, of them in %"
    kinds = ("unchanged", "edited", "rejected", "returned", "excluded")
    shares = {kind: getattr(proposals, kind) for kind in kinds}
    names = {"unchanged": "taken unchanged"}
    yield "  " + ", ".join(f"{names.get(kind, kind)} {each.percent()}" for kind, each in shares.items() if each.value)
    if proposals.distance.count:
        yield f"  characters from an edited proposal to what it became: mean {_number(proposals.distance)}"


def blind(blind: BlindReport) -> Iterator[str]:
    """Choices of people who were not told which text is the revision."""
    if not blind.chosen:
        return
    if blind.chosen < FEWEST:
        yield f"Blind choices: {_few(Figure(math.nan, count=blind.chosen))}"
        return
    yield f"Blind choices between original and revision: {blind.chosen:,}, of them in %"
    yield f"  revision chosen {blind.revision.percent()}, the first text chosen {blind.first.percent()}"


def agreement(agreement: AgreementReport) -> Iterator[str]:
    """Of two people on the same rows."""
    if not agreement.rows:
        return
    if agreement.rows < FEWEST:
        yield f"Rows that two people decided: {_few(Figure(math.nan, count=agreement.rows))}"
        return
    yield f"Rows that two people decided: {agreement.rows:,}, the same on {agreement.same.percent()} %"
    if math.isnan(agreement.kappa.value):
        yield "  kappa: everybody always decided the same, so that it says nothing"
    else:
        yield f"  kappa {agreement.kappa.number(2)}: 1 = always the same, 0 = as often as chance alone would"
    yield "  " + "; ".join(f"{pair}: {rows:,}" for pair, rows in agreement.decisions.items())
    if agreement.distance.count:
        yield f"  characters between both final texts: mean {_number(agreement.distance)}"
    for name, each in agreement.scores.items():
        yield f"  points for {one_line(name, LONGEST_REASON)}: mean difference {_number(each, 2)}"


def exclusions(exclusions: Mapping[str, int]) -> Iterator[str]:
    """Rows by reason."""
    if not exclusions:
        return
    yield "Excluded rows by reason"
    shown = list(exclusions.items())[:MOST_REASONS]
    for reason, rows in shown:
        yield f"  {rows:,}  {one_line(reason, LONGEST_REASON)}"
    others = list(exclusions.values())[MOST_REASONS:]
    if others:
        yield f"  {sum(others):,}  for {plural(len(others), 'other reason')}"


def _cell(figure: Figure) -> str:
    return "" if not figure.count else figure.percent(0) if figure.count >= FEWEST else f"n = {figure.count}"


def _number(figure: Figure, digits: int = 1) -> str:
    return figure.number(digits) if figure.count >= FEWEST else _few(figure)


def _few(figure: Figure) -> str:
    return f"n = {figure.count}: too few to say"
