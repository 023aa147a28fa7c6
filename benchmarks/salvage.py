"""Salvage (`Reviser(salvage=True)`) on experts' revisions with one planted fault each: how many are saved, and whether
what is saved is the expert's text without the fault.

    python benchmarks/salvage.py             the table
    python benchmarks/salvage.py --show      print what was saved and is not the expert's text

Only revisions that the gate takes as they are and refuses with the fault. The rows are read where they lie
(`HFCLEAN_REALDATA`, else ../shared/data). One core, about a minute.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

from gate import code_rows, expert_revisions
from gate_damage import FENCED, SEED, Revision, number_of_question, preface
from gate_wordings import HELD_BACK, SEEN

from hfclean.checks import accept
from hfclean.reviser.salvage import without_a_hunk
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule

# the pair before, the expert's pair, and the same with a fault; None where the fault does not apply
Plant = Callable[[Pair, Pair, random.Random], tuple[Pair, Pair, Pair] | None]


def _number(before: Pair, after: Pair, rng: random.Random) -> tuple[Pair, Pair, Pair] | None:
    bad = number_of_question(before, after, None, rng)  # type: ignore[arg-type]
    return bad and (before, after, bad)


def _preface(before: Pair, after: Pair, rng: random.Random) -> tuple[Pair, Pair, Pair]:
    return before, after, after.replace(response=preface(rng.choice([SEEN, HELD_BACK]), after, rng))


def _block(kept: Callable[[str], str]) -> Plant:
    """A block of code put at the end of both texts, of which the faulty one keeps this much."""
    blocks = [f"```\n{pair.response.strip()}\n```" for pair in code_rows() if not FENCED.search(pair.response)]

    def plant(before: Pair, after: Pair, rng: random.Random) -> tuple[Pair, Pair, Pair]:
        block = rng.choice(blocks)
        old, new = (pair.replace(response=f"{pair.response}\n\n{block}\n\nThat is all.") for pair in (before, after))
        return old, new, new.replace(response=new.response.replace(block, kept(block)))

    return plant


def main(*, show: bool) -> None:
    plants: dict[str, Plant] = {
        "a number of the question changed in the answer": _number,
        "a preface": _preface,
        "a block of code gone": _block(lambda block: ""),
        "the fence of a block gone": _block(lambda block: block[4:-4]),
    }
    prefer = preference_rule().predict
    print("| fault | refused | saved | the expert's text | the fault is still there | CPU ms each |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, plant in plants.items():
        refused: list[tuple[Pair, Pair, Pair]] = []
        for before, after in _good():
            planted = plant(before, after, random.Random(f"{SEED} {name} {after.instruction} {after.response}"))
            if (
                planted
                and not accept(*planted[:2], preference=prefer)
                and accept(planted[0], planted[2], preference=prefer)
            ):
                refused.append(planted)
        saved = same = faulty = 0
        start = time.process_time()
        results = [(case, _saved(case[0], case[2])) for case in refused]
        spent = time.process_time() - start
        for (before, after, bad), text in results:
            if text is None:
                continue
            saved += 1
            same += _lines(text) == _lines(after.response)
            put = bad.response[: len(bad.response) - len(after.response)].strip() if name == "a preface" else ""
            faulty += bool(put) and put[-15:] in text
            if show and _lines(text) != _lines(after.response):
                print("\n".join(["---", name, before.response, "--- expert", after.response, "--- saved", text]))
        print(
            f"| {name} | {len(refused):,} | {saved:,} ({saved / len(refused):.1%}) | {same:,} ({same / saved:.1%}) "
            f"| {faulty} | {1000 * spent / len(refused):.0f} |"
        )


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n") if line.strip()]


def _good() -> list[Revision]:
    return [(before, after) for before, after in expert_revisions() if after.response != before.response]


def _saved(before: Pair, bad: Pair) -> str | None:
    prefer = preference_rule().predict
    return without_a_hunk(
        before.response,
        bad.response,
        lambda text: not accept(before, bad.replace(response=text), preference=prefer),
        asked=before.prompt,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print what was saved and is not the expert's text")
    main(show=parser.parse_args().show)
