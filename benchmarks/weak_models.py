"""What the gate lets through of a weak model's answers that were read and labelled, at each level of trust.

    python benchmarks/weak_models.py
    python benchmarks/weak_models.py --by-check    which checks refuse, beside

`weak_answers.jsonl` and `expert_revisions_1800.jsonl` are read where they lie (`HFCLEAN_REALDATA`, else
../shared/data), the labels from `weak_labels.csv`. An answer is taken as a reviser takes it: outer white space
settled, why the model stopped and `preference` known, the question as it was. No model is asked.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gate import _rows, expert_revisions

from hfclean.checks import TRUSTS, Trust, accept
from hfclean.evaluation.bootstrap import wilson
from hfclean.evaluation.revising import evaluate_reviser
from hfclean.models import Answer as Model
from hfclean.models import Conversation
from hfclean.reviser.coach import Reviser
from hfclean.reviser.codec import encode, settle
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule
from hfclean.testing_models import ScriptedBackend

LABELS = Path(__file__).parent / "weak_labels.csv"
KINDS = {"A": "fresh", "B": "rewrite"}
MINIMAL = 0.3  # distance by length of the raw side, up to which an expert's edit is minimal


@dataclass(frozen=True)
class Answer:
    """A weak model's answer in the place of the row's own, and what a reader said of it."""

    before: Pair
    after: Pair
    finish: str
    kind: str
    half: str
    label: str

    @property
    def copied(self) -> bool:
        """Whether nothing changed, so that no gate is asked."""
        return self.before == self.after


def answers() -> list[Answer]:
    """The answers with a label, in the order of the labels."""
    texts = {(row["source"], str(row["line"]), row["kind"]): row for row in _rows("weak_answers")}
    with LABELS.open(encoding="utf-8") as lines:
        labels = list(csv.DictReader(lines))
    found = []
    for one in labels:
        row = texts[one["source"], one["line"], one["kind"]]
        old = _old(one["source"], int(one["line"]))
        after = old.replace(response=settle(old.response, row["answer"]))
        found.append(Answer(old, after, row["finish"], one["kind"], one["half"], one["label"]))
    return found


@cache
def _sources() -> dict[str, list[Pair]]:
    return {
        "expert_revisions_1800": [before for before, _ in expert_revisions()],
        "alpaca_6k": [Pair(row["instruction"], row["input"], row["output"]) for row in _rows("alpaca_6k")],
    }


def _old(source: str, line: int) -> Pair:
    return _sources()[source][line]


def reasons(before: Pair, after: Pair, trust: Trust, finish: str | None = None) -> list[str]:
    """What refuses it, as in a reviser."""
    return accept(before, after, trust=trust, finish_reason=finish, preference=preference_rule().predict)


def refused(answer: Answer, trust: Trust) -> list[str]:
    return reasons(answer.before, answer.after, trust, answer.finish)


def passes(answer: Answer, trust: Trust) -> bool:
    return not refused(answer, trust)


def share(count: int, of: int) -> str:
    """A count with its share and Wilson's interval."""
    if not of:
        return "0 of 0"
    low, high = wilson(count, of)
    return f"{count} of {of}, {count / of:.1%} [{low:.1%}, {high:.1%}]"


def table_of_answers(read: Sequence[Answer], by_check: bool) -> None:
    """Of the harmful, the same and the better ones how many are accepted at each level; copies apart."""
    print("| answers | copies |" + "".join(f" accepted at {trust} |" for trust in TRUSTS))
    print("| --- | ---: |" + " ---: |" * len(TRUSTS))

    def row(name: str, mine: Sequence[Answer]) -> None:
        asked = [answer for answer in mine if not answer.copied]
        cells = [share(sum(passes(answer, trust) for answer in asked), len(asked)) for trust in TRUSTS]
        print(f"| {name} | {len(mine) - len(asked)} | {' | '.join(cells)} |")

    for half in ("report", "set"):
        for label in ("harmful", "same", "better"):
            mine = [answer for answer in read if (answer.half, answer.label) == (half, label)]
            row(f"{half}: {label}", mine)
            if half == "report" and label == "harmful":
                row("harmful and come to an end", [answer for answer in mine if answer.finish == "stop"])
            if half == "report" and label != "better":
                for kind, name in KINDS.items():
                    row(f"{label}, {name}", [answer for answer in mine if answer.kind == kind])
    print()
    for trust in TRUSTS:
        taken = [a.label for a in read if a.half == "report" and not a.copied and passes(a, trust)]
        print(f"report half, of what is accepted at {trust} harmful: {share(taken.count('harmful'), len(taken))}")
    if by_check:
        harmful = [answer for answer in read if answer.label == "harmful"]
        for trust in TRUSTS:
            print_checks(f"harmful answers of both halves refused at {trust}", [refused(a, trust) for a in harmful])


def print_checks(what: str, refusals: Sequence[Sequence[str]]) -> None:
    counts = Counter(check for codes in refusals for check in codes)
    print(f"{what}, by check:", ", ".join(f"{check} {count}" for check, count in counts.most_common()))


def table_of_experts(by_check: bool) -> None:
    """Experts refused at each level, and of their minimal edits what passes."""
    revisions = expert_revisions()
    distances = [row["distance"] for row in _rows("expert_revisions_1800")]
    small = [
        (before, after)
        for (before, after), distance in zip(revisions, distances, strict=True)
        if (size := len(before.instruction + before.input + before.response)) and distance / size <= MINIMAL
    ]
    answered = [(before, before.replace(response=after.response)) for before, after in small]
    answered = [(before, after) for before, after in answered if before != after]
    print("\n| experts |" + "".join(f" {trust} |" for trust in TRUSTS))
    print("| --- |" + " ---: |" * len(TRUSTS))
    counted = {trust: [reasons(*pair, trust) for pair in revisions] for trust in TRUSTS}
    cells = [share(sum(map(bool, counted[trust])), len(revisions)) for trust in TRUSTS]
    print(f"| refused, whole pairs | {' | '.join(cells)} |")
    for name, pairs in (
        ("minimal edits that pass, whole pairs", small),
        ("minimal edits that pass, the response alone", answered),
    ):
        cells = [share(sum(not reasons(*pair, trust) for pair in pairs), len(pairs)) for trust in TRUSTS]
        print(f"| {name} | {' | '.join(cells)} |")
    if by_check:
        for trust in TRUSTS:
            print_checks(f"experts refused at {trust}", counted[trust])


def table_of_trust() -> None:
    """What `evaluate_reviser` says of the model on the rows that experts revised, and which trust it earns."""
    rows, raw = _rows("expert_revisions_1800"), _sources()["expert_revisions_1800"]
    names = ("closer", "farther", "net_closer", "findings_made", "structure_lost", "refused", "improved")
    print("\n| answers |" + "".join(f" `{name}` |" for name in names) + " trust earned |")
    print("| --- |" + " ---: |" * len(names) + " --- |")
    for kind, name in KINDS.items():
        mine = [
            one for one in _rows("weak_answers") if (one["source"], one["kind"]) == ("expert_revisions_1800", kind)
        ]
        says = {encode(raw[one["line"]]): one for one in mine}

        def answer(conversation: Conversation, says: dict[str, dict[str, str]] = says) -> Model:
            shown = conversation[-1].content
            one = says[shown[shown.rindex("\n[Instruction]\n") + 1 :]]
            return Model(f"[Response]\n{one['answer']}\n[End]", finish_reason=one["finish"])

        reviser = Reviser(ScriptedBackend(answer), revise="response")
        found = evaluate_reviser(reviser, [rows[one["line"]] for one in mine])
        cells = " | ".join(found.figures[key].percent() for key in names)
        print(f"| {name} | {cells} | {found.trust} |")


def main() -> None:
    parser = argparse.ArgumentParser(description="the gate on a weak model's labelled answers, by trust")
    parser.add_argument("--by-check", action="store_true", help="which checks refuse, beside")
    options = parser.parse_args()
    table_of_answers(answers(), options.by_check)
    table_of_experts(options.by_check)
    table_of_trust()


if __name__ == "__main__":
    main()
