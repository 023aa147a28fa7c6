"""How many broken tool calls are found, and whether a valid one ever is.

    python benchmarks/tool_calls.py
    python benchmarks/tool_calls.py --misses 3    # and rows of each kind that were missed

Rows are built from questions with schemas and allowed arguments (`tool_calls_bfcl.jsonl`), each in several spellings:
question, calls, results, answer. Every allowed value of every argument is used at least once in the valid ones. Then
one thing is broken at a time. `--without-library` measures the check that needs no package.
"""

import argparse
import copy
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import hfclean
from hfclean.verifiers import arguments
from hfclean.verifiers.tools import TOOL_VERIFIERS

Row = dict[str, Any]
IDS = [*(verifier.id for verifier in TOOL_VERIFIERS), "last_turn_unanswered"]
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


# ---------------------------------------------------------------------------------------------------- valid rows


def plain(value: Any) -> Any:
    """An allowed value: of an object, the first allowed one of each of its keys that is not left out."""
    if isinstance(value, dict):
        chosen = {key: next((v for v in allowed if v != ""), "") for key, allowed in value.items()}
        return {key: plain(v) for key, v in chosen.items() if v != "" and v is not None}
    return [plain(each) for each in value] if isinstance(value, list) else value


def calls_of(question: Row, n: int = 0) -> list[tuple[str, Row]]:
    """The calls with the n-th allowed value of each argument, or the last where there are fewer."""
    found = []
    for truth in question["ground_truth"]:
        for name, allowed in truth.items():
            declared = next(f for f in question["functions"] if f["name"] == name)["parameters"]
            values = {}
            for key, options in allowed.items():
                options = [v for v in options if v != "" and v is not None] if options else [[]]
                if options and not (n == 0 and "" in allowed[key] and key not in declared.get("required", [])):
                    values[key] = plain(options[min(n, len(options) - 1)])
            found.append((name, values))
    return found


def openai(question: Row, calls: list[tuple[str, Row]], text: bool = True) -> Row:
    """`tool_calls` with ids, their arguments as text or as objects."""
    tool_calls = [
        {"id": f"call_{k}", "type": "function", "function": {"name": name, "arguments": json.dumps(a) if text else a}}
        for k, (name, a) in enumerate(calls)
    ]
    results = [{"role": "tool", "tool_call_id": f"call_{k}", "content": "ok"} for k in range(len(calls))]
    return {
        "messages": [
            *question["question"][0],
            {"role": "assistant", "content": None, "tool_calls": tool_calls},
            *results,
            {"role": "assistant", "content": "That has been done."},
        ],
        "tools": json.dumps([{"type": "function", "function": f} for f in question["functions"]]),
    }


def typed(question: Row, calls: list[tuple[str, Row]]) -> Row:
    """Typed parts, and a list of tools."""
    uses = [{"type": "tool_use", "id": f"t{k}", "name": name, "input": a} for k, (name, a) in enumerate(calls)]
    results = [{"type": "tool_result", "tool_use_id": f"t{k}", "content": "ok"} for k in range(len(calls))]
    return {
        "messages": [
            *question["question"][0],
            {"role": "assistant", "content": uses},
            {"role": "user", "content": results},
            {"role": "assistant", "content": [{"type": "text", "text": "That has been done."}]},
        ],
        "tools": [{"name": f["name"], "input_schema": f["parameters"]} for f in question["functions"]],
    }


def sharegpt(question: Row, calls: list[tuple[str, Row]]) -> Row:
    """`function_call` and `observation`."""
    listed = [{"name": name, "arguments": a} for name, a in calls]
    return {
        "conversations": [
            *({"from": m["role"], "value": m["content"]} for m in question["question"][0]),
            {"from": "function_call", "value": json.dumps(listed if len(listed) > 1 else listed[0])},
            {"from": "observation", "value": json.dumps(["ok"] * len(listed))},
            {"from": "gpt", "value": "That has been done."},
        ],
        "tools": json.dumps(question["functions"]),
    }


def tagged(question: Row, calls: list[tuple[str, Row]]) -> Row:
    """Calls inside the text, as a template writes them."""
    text = "\n".join(f"<tool_call>\n{json.dumps({'name': name, 'arguments': a})}\n</tool_call>" for name, a in calls)
    answers = "\n".join("<tool_response>\nok\n</tool_response>" for _ in calls)
    return {
        "messages": [
            *question["question"][0],
            {"role": "assistant", "content": text},
            {"role": "user", "content": answers},
            {"role": "assistant", "content": "That has been done."},
        ],
        "tools": question["functions"],
    }


SPELLINGS: dict[str, Callable[[Row, list[tuple[str, Row]]], Row]] = {
    "tool_calls": openai,
    "tool_calls, objects": lambda question, calls: openai(question, calls, text=False),
    "typed parts": typed,
    "function_call": sharegpt,
    "<tool_call>": tagged,
}


def valid_rows(questions: list[Row]) -> Iterator[tuple[str, Row]]:
    """Every question in every spelling, with each allowed value."""
    for question in questions:
        allowed = (o for truth in question["ground_truth"] for a in truth.values() for o in a.values())
        most = max((len(options) for options in allowed), default=1)
        for n in range(most):
            calls = calls_of(question, n)
            for name, spell in SPELLINGS.items():
                row = spell(question, calls)
                yield name, row
                if n == 0:
                    key = "messages" if "messages" in row else "conversations"
                    at = len(question["question"][0]) + 1
                    yield name, {**row, key: row[key][:at]}  # ends with the call, as rows that teach it do


# ----------------------------------------------------------------------------------------------------- mutations


def other_type(value: Any, declared: Row) -> Any:
    kind = declared.get("type")
    if kind == "string":
        return 12345
    if kind in ("integer", "float", "boolean"):
        return f"about {value}"
    return "one" if kind in ("array", "dict", "tuple") else None


def broken_calls(question: Row, calls: list[tuple[str, Row]], kind: str, rng: random.Random) -> Any:
    """The calls with one thing wrong in one of them; None where that cannot be."""
    k = rng.randrange(len(calls))
    name, given = calls[k]
    schema = next(f for f in question["functions"] if f["name"] == name)["parameters"]
    given = copy.deepcopy(given)
    if kind == "name":
        cut = rng.randrange(len(name))
        name = rng.choice([name + "_v2", name[:cut] + "x" + name[cut:], "do_" + name, name.upper() + "_"])
    elif kind == "required argument dropped":
        required = [key for key in schema.get("required", []) if key in given]
        if not required:
            return None
        del given[rng.choice(required)]
    elif kind == "type changed":
        able = [key for key in given if other_type(given[key], schema["properties"][key]) is not None]
        if not able:
            return None
        key = rng.choice(able)
        given[key] = other_type(given[key], schema["properties"][key])
    elif kind == "extra argument":
        given[rng.choice(["extra", "verbose_mode", "unit_x", "foo"])] = rng.choice([1, "yes", True, ["a"]])
    return [*calls[:k], (name, given), *calls[k + 1 :]]


def broken_json(text: str, rng: random.Random) -> str:
    places = [n for n, c in enumerate(text) if c in '{}":,']
    how = rng.randrange(4)
    if how == 0:
        return text[: rng.randrange(1, len(text))]
    if how == 1:
        n = rng.choice(places)
        return text[:n] + text[n + 1 :]
    return text[:-1] + ",}" if how == 2 else text.replace('"', "'")


def with_json_broken(row: Row, rng: random.Random) -> Row | None:
    row = copy.deepcopy(row)
    messages = row.get("messages") or row["conversations"]
    for message in messages:
        if message.get("from") == "function_call":
            message["value"] = broken_json(message["value"], rng)
        elif message.get("tool_calls"):
            function = rng.choice(message["tool_calls"])["function"]
            if not isinstance(function["arguments"], str):
                return None
            function["arguments"] = broken_json(function["arguments"], rng)
        elif "<tool_call>" in str(message.get("content")):
            head = message["content"].partition("{")[0]
            body, tail = message["content"][len(head) :].split("\n</tool_call>", 1)
            message["content"] = f"{head}{broken_json(body, rng)}\n</tool_call>{tail}"
        else:
            continue
        break
    else:
        return None
    return None if _still_valid(row) else row


def _still_valid(row: Row) -> bool:
    """Whether all JSON in it can still be read: one mutation in some leaves it so."""
    for message in row.get("messages") or row["conversations"]:
        texts = [c["function"]["arguments"] for c in message.get("tool_calls") or []]
        if message.get("from") == "function_call":
            texts = [message["value"]]
        elif "<tool_call>" in str(message.get("content")):
            texts = [t.split("</tool_call>")[0] for t in message["content"].split("<tool_call>")[1:]]
        for text in texts:
            try:
                json.loads(text)
            except ValueError:
                return False
    return True


def turned(row: Row, kind: str, rng: random.Random) -> Row | None:
    """The row with its turns in disorder; None where its spelling has no such thing."""
    row = copy.deepcopy(row)
    key = "messages" if "messages" in row else "conversations"
    turns = row[key]
    results = [n for n, m in enumerate(turns) if _is_result(m)]
    call = results[0] - 1
    if kind == "id mismatch":
        turn = turns[rng.choice(results)]
        if "tool_call_id" in turn:
            turn["tool_call_id"] += "9"
        elif isinstance(turn.get("content"), list):
            rng.choice(turn["content"])["tool_use_id"] += "9"
        else:
            return None
    elif kind == "result dropped":
        n = rng.choice(results)
        if isinstance(turns[n].get("content"), list) and len(turns[n]["content"]) > 1:
            turns[n]["content"].pop(rng.randrange(len(turns[n]["content"])))
        else:
            del turns[n]
    elif kind == "result without a call":
        del turns[call]
    elif kind == "call after the answer":
        turns += [turns[call], *(copy.deepcopy(turns[n]) for n in results)][: rng.choice([1, 1 + len(results)])]
    return row


def _is_result(turn: Row) -> bool:
    return turn.get("role") == "tool" or turn.get("from") == "observation" or "tool_re" in str(turn.get("content"))


CALLS = ("name", "required argument dropped", "type changed", "extra argument")
TURNS = ("id mismatch", "result dropped", "result without a call", "call after the answer")
EXPECTED = {
    "name": "tool_unknown",
    **dict.fromkeys((*CALLS[1:], "broken JSON"), "tool_arguments_invalid"),
    "id mismatch": "tool_result_unmatched",
    "result dropped": "tool_call_unanswered",
    "result without a call": "tool_result_unmatched",
    "call after the answer": "tool_call_after_answer",
}


def mutated(question: Row, spelling: str, kind: str, rng: random.Random) -> Row | None:
    calls = calls_of(question)
    if kind in CALLS:
        wrong = broken_calls(question, calls, kind, rng)
        return None if wrong is None else SPELLINGS[spelling](question, wrong)
    row = SPELLINGS[spelling](question, calls)
    return with_json_broken(row, rng) if kind == "broken JSON" else turned(row, kind, rng)


# ----------------------------------------------------------------------------------------------------- measuring


def found_in(row: Row) -> set[str]:
    return {finding.check for finding in hfclean.verify(row, only=IDS)}


def measure(questions: list[Row], misses: int = 0) -> tuple[Counter[str], dict[tuple[str, str], tuple[int, int]]]:
    """False alarms on valid rows by id, with their number under `rows`; found and all by kind and spelling."""
    alarms: Counter[str] = Counter()
    for _, row in valid_rows(questions):
        alarms["rows"] += 1
        for name in found_in(row):
            alarms[name] += 1
            if misses and alarms[name] <= misses:
                print(name, json.dumps(row)[:1500], hfclean.verify(row, only=IDS))
    table = {}
    for kind, expected in EXPECTED.items():
        for spelling in SPELLINGS:
            rng, found, total = random.Random(f"{kind} {spelling}"), 0, 0
            for question in questions:
                row = mutated(question, spelling, kind, rng)
                if row is None:
                    continue
                total += 1
                found += expected in (ids := found_in(row))
                if expected not in ids and total - found <= misses:
                    print(kind, spelling, ids, json.dumps(row)[:1500])
            table[kind, spelling] = (found, total)
    return alarms, table


def read_questions() -> list[Row]:
    lines = (REALDATA / "tool_calls_bfcl.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misses", type=int, default=0, help="rows of each kind to print that were missed")
    parser.add_argument("--without-library", action="store_true", help="check without the package jsonschema")
    args = parser.parse_args()
    if args.without_library:
        arguments._validator = lambda: None
    alarms, table = measure(read_questions(), args.misses)
    print(f"valid rows: {alarms.pop('rows'):,}; findings: {dict(alarms) or 'none'}\n")
    print("| broken | " + " | ".join(f"`{name}`" for name in SPELLINGS) + " |")
    print("| --- |" + " ---: |" * len(SPELLINGS))
    for kind in EXPECTED:
        cells = []
        for spelling in SPELLINGS:
            found, total = table[kind, spelling]
            cells.append(f"{found} of {total}" if total else "-")
        print(f"| {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
