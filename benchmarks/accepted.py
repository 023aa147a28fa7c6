"""Revisions of three kinds of revisers, what the gate accepts of them, and what a reader said of 100 accepted ones.

    python benchmarks/accepted.py                     the tables, from accepted_labels.csv
    python benchmarks/accepted.py --again [ANSWERS]   of what was read, what the gate as it is now takes
    python benchmarks/accepted.py --ask MODEL.gguf ANSWERS.jsonl    have SmolLM2-135M answer (needs `xllamacpp`)
    python benchmarks/accepted.py --offer ANSWERS.jsonl OFFERED.csv    all revisions with the gate's outcome, no labels

The revisers: `expert` (a seeded sample of `expert_revisions_1800`), `scripted` (`accepted_edits.jsonl`: edits of rows
of `alpaca_6k` written by hand, as places in the response and the words put there) and `smollm2` (its own answers, and
its rewrites, of rows that are not in `weak_answers.jsonl`). Each revision goes through `hfclean.Reviser` at the trust
with which such a reviser would run. Rows are read where they lie (`HFCLEAN_REALDATA`, else ../shared/data); the files
here hold numbers of lines, hashes, labels and the words of the edits, no text of a row.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from gate import _rows, expert_revisions

from hfclean.evaluation.bootstrap import wilson
from hfclean.models import Answer
from hfclean.reviser.coach import Reviser
from hfclean.reviser.codec import encode, settle
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend

HERE = Path(__file__).parent
LABELS, EDITS = HERE / "accepted_labels.csv", HERE / "accepted_edits.jsonl"
LABELLED = ("better", "same", "worse")
EXPERTS = 40  # offered
ASKED = 110  # rows of each source, in the order in which they are asked about
LONGEST = 1_500  # characters of a row that is asked about
REWRITE = (
    "Rewrite this answer so that it is correct, complete and clear. Write only the new answer.\n\n"
    "Question:\n{question}\n\nAnswer:\n{answer}"
)


@dataclass(frozen=True)
class Offered:
    """A revision that a reviser offers, and how it runs: `trust`, and why its model stopped."""

    reviser: str
    trust: str
    source: str
    line: int
    kind: str
    before: Pair
    after: Pair
    finish: str = "stop"


@dataclass(frozen=True)
class Line:
    """A line of the file of labels: no text, the revised pair by its hash.

    `edit` and `codes` are what the reviser did with it before anybody read it; `label` and `reason` are empty where it
    was not drawn.
    """

    reviser: str
    trust: str
    source: str
    line: str
    kind: str
    after: str
    edit: str
    codes: str
    label: str = ""
    reason: str = ""
    sure: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Which revision it is, of which text."""
        return self.reviser, self.trust, self.source, self.line, self.kind, self.after


@cache
def sources() -> dict[str, list[Pair]]:
    return {
        "expert_revisions_1800": [before for before, _ in expert_revisions()],
        "alpaca_6k": [Pair(row["instruction"], row["input"], row["output"]) for row in _rows("alpaca_6k")],
    }


def experts() -> Iterator[Offered]:
    """A sample of what experts changed, without the lines of `expert_labels.csv`."""
    with (HERE / "expert_labels.csv").open(encoding="utf-8") as lines:
        read = {int(one["line"]) for one in csv.DictReader(lines)}
    pairs = expert_revisions()
    changed = [k for k, (before, after) in enumerate(pairs) if before != after and k not in read]
    for k in random.Random(2026).sample(changed, EXPERTS):
        yield Offered("expert", "normal", "expert_revisions_1800", k, "", *pairs[k])


def scripted() -> Iterator[Offered]:
    """The edits that were written by hand."""
    for text in EDITS.read_bytes().splitlines():
        told = json.loads(text)
        before = sources()["alpaca_6k"][told["line"]]
        response = before.response
        for start, end, words in reversed(told["edits"]):
            response = response[:start] + words + response[end:]
        after = before.replace(response=response)
        yield Offered("scripted", "normal", "alpaca_6k", told["line"], told["kind"], before, after)


def smollm2(answers: Path) -> Iterator[Offered]:
    """The model's answers, at normal and at low trust."""
    for text in answers.read_bytes().splitlines():
        told = json.loads(text)
        before = sources()[told["source"]][told["line"]]
        after = before.replace(response=settle(before.response, told["answer"]))
        for trust in ("normal", "low"):
            yield Offered("smollm2", trust, told["source"], told["line"], told["kind"], before, after, told["finish"])


def ask(model: Path, answers: Path) -> None:
    """Greedy answers of at most 160 tokens to rows that were not asked about before, appended to a file."""
    import xllamacpp

    settings: Any = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.n_parallel, settings.cpuparams.n_threads = str(model), 2048, 1, 1
    server = xllamacpp.Server(settings)
    before = {(row["source"], row["line"]) for row in _rows("weak_answers")}
    chance, picked = random.Random(2026), []
    for source in ("alpaca_6k", "expert_revisions_1800"):
        rows = sources()[source]
        fit = [
            k
            for k, pair in enumerate(rows)
            if (source, k) not in before
            and pair.response.strip()
            and len(pair.instruction + pair.input + pair.response) < LONGEST
        ]
        picked += [(source, k) for k in chance.sample(fit, ASKED)]
    chance.shuffle(picked)
    with answers.open("a", encoding="utf-8") as file:
        for source, k in picked:
            pair = sources()[source][k]
            question = f"{pair.instruction}\n\n{pair.input}" if pair.input else pair.instruction
            for kind, text in (
                ("fresh", question),
                ("rewrite", REWRITE.format(question=question, answer=pair.response)),
            ):
                asked = {"messages": [{"role": "user", "content": text}], "max_tokens": 160, "temperature": 0}
                (choice,) = server.handle_chat_completions(asked)["choices"]
                said = {"answer": choice["message"]["content"], "finish": choice["finish_reason"]}
                file.write(json.dumps({"source": source, "line": k, "kind": kind, **said}) + "\n")
                file.flush()


def outcome(one: Offered) -> tuple[str, str]:
    """`edit` and the codes of a reviser that offers this revision."""
    revise = "pair" if one.reviser == "expert" else "response"
    fields = ("instruction", "input", "response") if revise == "pair" else ("response",)
    backend = ScriptedBackend([Answer(encode(one.after, fields), finish_reason=one.finish)])
    reviser = Reviser(backend, revise=revise, trust=one.trust)  # type: ignore[arg-type]
    row = {"instruction": one.before.instruction, "input": one.before.input, "output": one.before.response}
    out = reviser(row)
    return out["edit"], out["edit_reason"]


def line_of(one: Offered) -> Line:
    text = json.dumps([one.after.instruction, one.after.input, one.after.response])
    after = blake2b(text.encode(), digest_size=8).hexdigest()
    return Line(one.reviser, one.trust, one.source, str(one.line), one.kind, after, *outcome(one))


def read_labels() -> list[Line]:
    with LABELS.open(encoding="utf-8") as lines:
        return [Line(**one) for one in csv.DictReader(lines)]


def share(count: int, of: int) -> str:
    """A count with its share and Wilson's interval."""
    if not of:
        return "0 of 0"
    low, high = wilson(count, of)
    return f"{count}, {count / of:.0%} [{low:.0%}, {high:.0%}]"


def write(lines: Sequence[Line], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(asdict(lines[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in lines)


def groups(lines: Sequence[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(f"{line.reviser}, {line.trust}", []).append(line)
    return found


def tables(lines: Sequence[Line]) -> None:
    """What was accepted, what the reader said of it, and what was refused."""
    print("| reviser, trust | offered | accepted | copies | read | better | same | worse |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, mine in groups(lines).items():
        edits, read = Counter(line.edit for line in mine), [line.label for line in mine if line.label]
        cells = " | ".join(share(read.count(label), len(read)) for label in LABELLED)
        print(f"| {name} | {len(mine)} | {edits['revised']} | {edits['kept']} | {len(read)} | {cells} |")
    print()
    for name, mine in groups(lines).items():
        codes = Counter(code for line in mine if line.edit == "reverted" for code in line.codes.split())
        print(
            f"{name}, refused for:", ", ".join(f"{code} {count}" for code, count in codes.most_common()) or "nothing"
        )
    print()
    for name, mine in groups(lines).items():
        why = Counter(line.reason for line in mine if line.label == "worse")
        print(f"{name}, worse because of:", ", ".join(f"{reason} {count}" for reason, count in why.most_common()))


def again(lines: Sequence[Line], answers: Path | None) -> None:
    """Of the revisions that were read, how many the gate takes today; the model's only where its answers are given."""
    offers = [*experts(), *scripted(), *(smollm2(answers) if answers else ())]
    now = {line.key: line for line in map(line_of, offers)}
    print("\n| reviser, trust |" + "".join(f" {label}: taken then, now |" for label in LABELLED))
    print("| --- |" + " ---: |" * len(LABELLED))
    for name, mine in groups(lines).items():
        known = [line for line in mine if line.label and line.key in now]
        cells = []
        for label in LABELLED if known else ():
            these = [now[line.key] for line in known if line.label == label]
            cells.append(f"{len(these)}, {sum(line.edit == 'revised' for line in these)}")
        if cells:
            print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description="what the gate accepts, read")
    parser.add_argument("--ask", nargs=2, type=Path, metavar=("MODEL", "ANSWERS"))
    parser.add_argument("--offer", nargs=2, type=Path, metavar=("ANSWERS", "OFFERED"))
    parser.add_argument("--again", nargs="?", type=Path, const=False, metavar="ANSWERS")
    options = parser.parse_args()
    if options.ask:
        ask(*options.ask)
    elif options.offer:
        answers, file = options.offer
        write([line_of(one) for one in (*experts(), *scripted(), *smollm2(answers))], file)
    else:
        tables(read_labels())
        if options.again is not None:
            again(read_labels(), options.again or None)


if __name__ == "__main__":
    main()
