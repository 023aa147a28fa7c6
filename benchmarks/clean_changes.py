"""What `clean` changes in real rows of every shape, beside what a reader said of each change.

    python benchmarks/clean_changes.py            compares the changes with the stored list: new, gone, by verdict
    python benchmarks/clean_changes.py list       prints the changes as CSV, without verdicts
    python benchmarks/clean_changes.py show       prints the changes that the list lacks, with the texts around them

Real rows are read from HFCLEAN_REALDATA, else from ../shared/data beside the project; none are written, and the list
holds no text of theirs. `clean_changes.csv` has one line a changed field: file, row (from 0; of `seed_tasks_175` the
instances and of `benchmarks` the questions are counted through), field, rule
(those that changed it, in order), verdict (right, harmless, harmful, miss), note. `alpaca_6k` and `dolly_2k` are left
out: `rules.py` measures them.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

import datasets

import hfclean

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HFCLEAN_REALDATA", HERE.parent.parent / "shared" / "data"))
STORED = HERE / "clean_changes.csv"
AROUND = 40


class Change(NamedTuple):
    """One field of one row that came out otherwise than it went in."""

    file: str
    row: int
    field: str
    rule: str
    before: str
    after: str

    @property
    def key(self) -> tuple[str, int, str]:
        return self.file, self.row, self.field


def lines(name: str) -> list[dict[str, Any]]:
    with (DATA / name).open(encoding="utf-8") as rows:
        return [json.loads(line) for line in rows]


def flat(instruction: str, answer: str, given: str = "") -> dict[str, str]:
    return {"instruction": instruction, "input": given, "output": answer}


# Flat files by other names: the file, and the columns of question, matter and answer, once for each answer.
FLAT = (
    ("expert_revisions_1800", "raw_instruction", "raw_input", "raw_output"),
    ("expert_revisions_1800", "revised_instruction", "revised_input", "revised_output"),
    ("human_preferences_499", "instruction", "input", "response1"),
    ("human_preferences_499", "instruction", "input", "response2"),
    ("judge_reviews_gpt4", "question", "", "answer_a"),
    ("judge_reviews_gpt4", "question", "", "answer_b"),
    ("llmbar_pairs", "instruction", "", "output_1"),
    ("llmbar_pairs", "instruction", "", "output_2"),
    ("qa_corrections", "question", "", "raw_answer"),
    ("qa_corrections", "question", "", "corrected_answer"),
    ("code_refinements", "prompt", "", "raw_completion"),
    ("code_refinements", "prompt", "", "revised_completion"),
)


def flat_rows() -> Iterator[tuple[str, datasets.Dataset, dict[str, str]]]:
    for name, asked, given, answer in FLAT:
        columns = {"instruction": asked, "input": given, "response": answer}
        columns = {part: column for part, column in columns.items() if column}
        ds = datasets.Dataset.from_list(lines(f"{name}.jsonl")).select_columns(list(columns.values()))
        yield f"{name}:{answer}", ds, columns


def built_rows() -> Iterator[tuple[str, datasets.Dataset]]:
    """Files whose answers must be put together first."""
    seeds = lines("seed_tasks_175.jsonl")
    traces = lines("trace_mistakes.jsonl")
    calls = lines("tool_calls_bfcl.jsonl")
    sources = {name: lines(f"{name}.jsonl") for name in ("expert_revisions_1800", "alpaca_6k")}
    weak = []
    for row in lines("weak_answers.jsonl"):
        source = sources[row["source"]][row["line"]]
        asked, given = (source.get(key, source.get(f"raw_{key}")) for key in ("instruction", "input"))
        weak.append(flat(asked, row["answer"], given))
    built = {
        "seed_tasks_175": [
            flat(r["instruction"], case["output"], case["input"]) for r in seeds for case in r["instances"]
        ],
        "trace_mistakes": [flat(row["input"], "\n".join(row["steps"])) for row in traces],
        "tool_calls_bfcl": [
            flat(row["question"][0][-1]["content"], json.dumps(row["ground_truth"], ensure_ascii=False))
            for row in calls
        ],
        "weak_answers": weak,
    }
    for name, rows in built.items():
        yield name, datasets.Dataset.from_list(rows)


SHAPED = (
    "alpaca_zh",
    "coachlm150",
    "sharegpt_conversations",
    "sharegpt_toolcall_300",
    "sharegpt_preference_299",
    "messages_kto",
    "typed_messages_sft",
)


def shaped_rows() -> Iterator[tuple[str, datasets.Dataset]]:
    """Files of a shape that is read as it is, with every turn and both sides of a preference."""
    for name in SHAPED:
        yield name, datasets.Dataset.from_list(lines(f"{name}.jsonl"))
    for path in sorted((DATA / "benchmarks").glob("*.jsonl")):
        rows = [{"instruction": text, "input": "", "output": ""} for text in questions(path)]
        yield f"benchmarks/{path.stem}", datasets.Dataset.from_list(rows)


def questions(path: Path) -> Iterator[str]:
    for line in path.open(encoding="utf-8"):
        row = json.loads(line)
        for key in ("text", "turns", "instruction", "question", "prompt", "Instruction"):
            if value := row.get(key):
                yield from [value] if isinstance(value, str) else value
                break


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value of a row, with the way to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from leaves(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(value):
            yield from leaves(part, f"{path}[{number}]")


def changes() -> Iterator[Change]:
    everything = hfclean.RuleReviser(turns="all", side="both")
    for name, ds in shaped_rows():
        cleaned = hfclean.clean(ds, reviser=everything, score=False, show=False).dataset
        yield from compared(name, ds, cleaned)
    for name, ds, columns in flat_rows():
        yield from compared(name, ds, ds.map(hfclean.RuleReviser(columns=columns), batched=True))
    for name, ds in built_rows():
        yield from compared(name, ds, ds.map(hfclean.revise, batched=True))


def compared(name: str, ds: datasets.Dataset, cleaned: datasets.Dataset) -> Iterator[Change]:
    for number, (before, after) in enumerate(zip(ds, cleaned, strict=True)):
        old = dict(leaves(before))
        new = dict(leaves({key: after[key] for key in before}))
        for field, text in old.items():
            if new.get(field) != text:
                yield Change(name, number, field, after["edit_reason"], text, new.get(field, ""))


def difference(before: str, after: str) -> str:
    """The pieces that changed, each with what stands around it."""
    parts = []
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            parts.append(
                f"{before[max(0, a - AROUND) : a]!r} -{before[a:b]!r} +{after[c:d]!r} {before[b : b + AROUND]!r}"
            )
    return " | ".join(parts)


def stored() -> dict[tuple[str, int, str], dict[str, str]]:
    if not STORED.exists():
        return {}
    with STORED.open(encoding="utf-8", newline="") as rows:
        return {(line["file"], int(line["row"]), line["field"]): line for line in csv.DictReader(rows)}


def compare() -> int:
    found = {change.key: change for change in changes()}
    known = stored()
    new = [change for key, change in found.items() if key not in known or known[key]["rule"] != change.rule]
    gone = [line for key, line in known.items() if key not in found and line["verdict"] != "miss"]
    print(f"{len(found)} changes: {dict(Counter(known[key]['verdict'] for key in found if key in known))}")
    for change in new:
        print(f"new: {change.file} {change.row} {change.field} {change.rule}")
    for line in gone:
        print(f"gone: {line['file']} {line['row']} {line['field']} {line['rule']} ({line['verdict']})")
    return 1 if new or gone or any(known[key]["verdict"] == "harmful" for key in found if key in known) else 0


def listed() -> int:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("file", "row", "field", "rule", "verdict", "note"))
    writer.writerows((change.file, change.row, change.field, change.rule, "", "") for change in changes())
    return 0


def show() -> int:
    known = stored()
    for change in changes():
        if change.key not in known or known[change.key]["rule"] != change.rule:
            print(
                f"{change.file} {change.row} {change.field} {change.rule}: {difference(change.before, change.after)}"
            )
    return 0


if __name__ == "__main__":
    datasets.disable_progress_bars()
    parts = {"list": listed, "show": show, "compare": compare}
    sys.exit(parts[sys.argv[1] if len(sys.argv) > 1 else "compare"]())
