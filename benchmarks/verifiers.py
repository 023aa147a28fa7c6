"""What a program can prove wrong in rows: how often that is right, what it misses, and what it costs.

    python benchmarks/verifiers.py [syntax] [answers] [sums] [orders] [counts]

With no argument, all. Real rows are read from HFCLEAN_REALDATA, else from ../shared/data beside the project; none are
written. `verifier_verdicts.csv` holds what a reader said about findings: file, row (line number from 0), part (which
pair of that line), verifier, verdict (right or wrong), note.
"""

from __future__ import annotations

import csv
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from rules import Found, pairs_of, rows

from hfclean.checks.numbers import SUM, _comes_out
from hfclean.schema import Pair
from hfclean.text.constraint_kinds import HINTS, stated
from hfclean.verifiers import Finding, verify
from hfclean.verifiers.answers import CHOSEN, _stated
from hfclean.verifiers.options import offered
from hfclean.verifiers.syntax import Block, _blocks, _finding
from hfclean.verifiers.values import read_value

VERDICTS = Path(__file__).parent / "verifier_verdicts.csv"
FILES = (
    "alpaca_6k",
    "dolly_2k",
    "expert_revisions_1800",
    "coachlm150",
    "sharegpt_conversations",
    "sharegpt_toolcall_300",
    "sharegpt_preference_299",
    "messages_kto",
    "typed_messages_sft",
    "code_refinements",
    "alpaca_zh",
)
SEED = 20261129


@cache
def read_pairs() -> tuple[Found, ...]:
    """Every pair of the files whose findings are read: both sides of revisions and preferences, every turn."""
    return tuple(
        Found(name, number, part, pair)
        for name in FILES
        for number, row in enumerate(rows(name))
        for part, pair in enumerate(_sides(name, row))
    )


def _sides(name: str, row: dict[str, str]) -> list[Pair]:
    if name == "expert_revisions_1800":
        return [Pair(*(row[f"{side}_{key}"] for key in ("instruction", "input", "output"))) for side in SIDES]
    if name == "code_refinements":
        return [Pair(row["prompt"], "", row[f"{side}_completion"]) for side in SIDES]
    return pairs_of(name, row)


SIDES = ("raw", "revised")


def precision(ids: tuple[str, ...]) -> None:
    """What is found in the rows that were read, and what the reader said of it."""
    with VERDICTS.open(encoding="utf-8") as lines:
        verdicts = {
            (v["file"], int(v["row"]), int(v["part"]), v["verifier"]): v["verdict"] for v in csv.DictReader(lines)
        }
    print(f"\nFindings on {len(read_pairs()):,} real pairs, once for each pair and verifier")
    print(f"{'verifier':20}{'findings':>9}{'read':>6}{'right':>7}{'share':>7}   by file")
    for id in ids:
        found = [item for item in read_pairs() if verify(item.pair, only=[id])]
        said = Counter(verdicts.get((item.file, item.row, item.part, id), "unread") for item in found)
        read = said["right"] + said["wrong"]
        share = f"{said['right'] / read:.2f}" if read else "-"
        files = ", ".join(f"{name} {count}" for name, count in Counter(item.file for item in found).items())
        print(f"{id:20}{len(found):>9}{read:>6}{said['right']:>7}{share:>7}   {files}")


def speed(ids: tuple[str, ...]) -> None:
    pairs = [item.pair for item in read_pairs() if item.file == "alpaca_6k"]
    for id in ids:
        verify(pairs[0], only=[id])
        start = time.process_time()
        for pair in pairs:
            verify(pair, only=[id])
        print(f"{id:20}{(time.process_time() - start) / len(pairs) * 1e6:>8.1f} µs of CPU time per Alpaca row")


# -------------------------------------------------------------------------------------------------------------- syntax


def syntax() -> None:
    ids = ("syntax_error",)
    precision(ids)
    speed(ids)
    print(f"\nBlocks of those pairs that parse, one bracket taken out of each (seed {SEED})")
    print(f"{'language':20}{'planted':>8}{'found':>7}{'recall':>8}")
    planted, found = Counter[str](), Counter[str]()
    rng = random.Random(SEED)
    for language, code in sorted({(block.language, block.code) for block in _real_blocks()}):
        places = [at for at, sign in enumerate(code) if sign in "()[]{}"]
        if not places:
            continue
        at = rng.choice(places)
        planted[language] += 1
        found[language] += any(_faults(language, code[:at] + code[at + 1 :]))
    for language, count in planted.most_common():
        print(f"{language:20}{count:>8}{found[language]:>7}{found[language] / count:>8.2f}")
    print(f"{'all':20}{planted.total():>8}{found.total():>7}{found.total() / planted.total():>8.2f}")


def _real_blocks() -> Iterator[Block]:
    for item in read_pairs():
        if "```" in item.pair.response:
            yield from (block for block in _blocks(item.pair.response) if not any(_faults(*block[:2])))


def _faults(language: str, code: str) -> Iterator[Finding]:
    return _finding(Block(language, code, 0, 0, len(code)))


# ------------------------------------------------------------------------------------------------------------- answers


def answers() -> None:
    ids = ("answers_disagree", "option_disagrees")
    precision(ids)
    speed(ids)
    print("\nReal traces and choices, with their own answer and with another one")
    right, wrong = [], []
    for row in rows("trace_mistakes"):
        thought = "\n".join(row["steps"])
        said = [stated.value for stated in _stated(thought) if stated.way == "said"]
        value = read_value(said[-1]) if said else None
        if value is not None and (value.number is not None or value.letter):
            other = ("B" if value.letter == "A" else "A") if value.letter else str((value.number or 0) + 1)
            for texts, answer in ((right, said[-1]), (wrong, other)):
                texts.append(Pair("Solve it.", "", f"<think>{thought}</think>\n\\boxed{{{answer}}}"))
    report("answers_disagree", right, wrong)
    right, wrong = [], []
    for item in read_pairs():
        options = offered(item.pair.prompt)
        chosen = CHOSEN.search(item.pair.response) if options else None
        if chosen is not None and chosen["letter"] in options:
            at = chosen.start("letter")
            letters = [letter for letter in options if letter != chosen["letter"]]
            right.append(item.pair)
            wrong += [
                item.pair.replace(response=item.pair.response[:at] + letter + item.pair.response[at + 1 :])
                for letter in (letters[0], chr(ord(max(options)) + 1))
            ]
    report("option_disagrees", right, wrong)


def report(id: str, right: list[Pair], wrong: list[Pair]) -> None:
    false, found = (sum(bool(verify(pair, only=[id])) for pair in pairs) for pairs in (right, wrong))
    print(f"{id:20}{false:>5} of {len(right)} right ones found, {found} of {len(wrong)} wrong ones")


# ------------------------------------------------------------------------------------------------- sums and orders


def sums() -> None:
    ids = ("wrong_sum",)
    precision(ids)
    speed(ids)
    draw = random.Random(SEED)
    planted = found = 0
    for item in read_pairs():
        response = item.pair.response
        right = [match for match in SUM.finditer(response) if _comes_out(match.group())]
        for match in right if right and not verify(item.pair, only=ids) else ():
            at = draw.randrange(match.end() - len(match.group().rpartition("=")[2].strip(" $£€")), match.end())
            if response[at].isdigit():
                digit = str((int(response[at]) + draw.randrange(2, 8)) % 10)
                planted += 1
                wrong = item.pair.replace(response=response[:at] + digit + response[at + 1 :])
                found += bool(verify(wrong, only=ids))
    print(f"right sums of those pairs, a digit of the result changed (seed {SEED}): {found} of {planted} found")
    prose = " ".join(item.pair.response for item in read_pairs()).replace("=", " ")
    for text, of in ((prose, "prose"), (SUMS, "sums alone")):
        start = time.process_time()
        verify(Pair("", "", text), only=ids)
        print(f"{len(text) / 1e6 / (time.process_time() - start):.2f} MB of {of} per CPU second")
    traces("multistep_arithmetic", "wrong_sum")


SUMS = "12 + 11 = 23, " * 70_000


def orders() -> None:
    ids = ("order_broken", "brackets_broken")
    precision(ids)
    speed(ids)
    traces("word_sorting", "order_broken")
    traces("dyck_languages", "brackets_broken")


def traces(task: str, check: str) -> None:
    """Where the first finding of a trace stands, beside the step that people marked as the first wrong one."""
    where: Counter[str] = Counter()
    for row in rows("trace_mistakes"):
        if row["task"] == task:
            found = verify(Pair(row["input"], "", "\n".join(row["steps"])), only=[check])
            marked = row["mistake_index"]
            if marked is None:
                where["unmarked, a finding" if found else "unmarked, none"] += 1
            elif not found:
                where["marked, none"] += 1
            else:
                line = found[0].line
                where["marked, exact" if line == marked else f"marked, {'before' if line < marked else 'after'}"] += 1
    print(f"{task}: {check}: {dict(sorted(where.items()))}")


# -------------------------------------------------------------------------------------------------------------- counts


def counts() -> None:
    ids = ("count_missed", "item_twice", "answer_is_input", "solved_input")
    precision(ids)
    speed(ids)
    print("\nAlpaca rows with one fault planted in each")
    for id, plant in PLANTED.items():
        pairs = [item.pair for item in read_pairs() if item.file == "alpaca_6k" and not verify(item.pair, only=[id])]
        wrong = [planted for pair in pairs if (planted := plant(pair)) is not None and planted != pair]
        report(id, [], wrong)


def _list(pair: Pair) -> list[str]:
    lines = pair.response.strip().split("\n")
    return lines if len(lines) > 2 and all(re.match(r"\d+\. ", line) for line in lines) else []


def _item_fewer(pair: Pair) -> Pair | None:
    lines = _list(pair)
    asked = lines and any(kind.id == "items" for kind, _ in stated(pair.instruction, HINTS))
    return pair.replace(response="\n".join(lines[:-1])) if asked else None


def _item_again(pair: Pair) -> Pair | None:
    lines = _list(pair)
    if not lines or len(lines[0].split()) < 4:
        return None
    again = f"{len(lines) + 1}. {lines[0].partition('. ')[2]}"
    return pair.replace(response="\n".join([*lines, again]))


def _input_back(pair: Pair) -> Pair | None:
    changes = re.match(r"(?:rewrite|rephrase|paraphrase|translate|summarize|convert)\b", pair.instruction.lower())
    return pair.replace(response=pair.input) if changes and len(pair.input.split()) > 2 else None


def _gap_filled(pair: Pair) -> Pair | None:
    before, gap, after = re.split("(_{2,})", pair.input, maxsplit=1) if "__" in pair.input else ("", "", "")
    whole = pair.response.startswith(before.strip())
    return pair.replace(input=pair.response if whole else before + pair.response + after) if gap else None


PLANTED = {
    "count_missed": _item_fewer,
    "item_twice": _item_again,
    "answer_is_input": _input_back,
    "solved_input": _gap_filled,
}
FAMILIES: dict[str, Callable[[], None]] = {
    "syntax": syntax,
    "answers": answers,
    "sums": sums,
    "orders": orders,
    "counts": counts,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or FAMILIES:
        FAMILIES[name]()
