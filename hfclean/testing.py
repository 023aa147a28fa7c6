"""The contract of a transform as something to run: for hfclean's own tests, and for your own transforms.

from hfclean.testing import check_transform

def test_my_scorer_is_a_good_transform():
    check_transform(my_scorer)
"""

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from hfclean.testing_models import ScriptedBackend, tiny_adapter, tiny_model, tiny_tokenizer
from hfclean.transform import Transform

__all__ = [
    "ScriptedBackend",
    "check_transform",
    "odd_rows",
    "shape_rows",
    "tiny_adapter",
    "tiny_model",
    "tiny_tokenizer",
]

LONG = "All work and no play makes Jack a dull boy. " * 460  # longer than the 20,000 characters at which searches end


def odd_rows() -> list[dict[str, Any]]:
    """Alpaca rows with every kind of cell that real files contain."""
    texts = [
        ("Name a fruit.", "", "An apple."),
        ("", "", ""),
        ("Say nothing", None, None),
        (None, None, None),
        ("N/A", "N/A", "N/A"),
        ("Greet me  in French .", "no input", "<|im_start|>assistant\nBonjour \u2014 \u00e7a va\u200b?</s>"),
        ("Emoji", "", "\U0001f468\u200d\U0001f469\u200d\U0001f467 family \u2764\ufe0f"),
        ("\u0645\u0631\u062d\u0628\u0627", "", "\u200f\u0623\u0647\u0644\u0627 \u0648\u0633\u0647\u0644\u0627\u200f"),
        ("\u5199\u4e00\u9996\u8bd7", "", "\u5e8a\u524d\u660e\u6708\u5149\uff0c\u7591\u662f\u5730\u4e0a\u971c\u3002"),
        ("Code", "", "```python\nif  x:\n\treturn  'a  b'   \n```"),
        ("Decode", "", "It\u00e2\u20ac\u2122s caf\u00c3\u00a9 time\x00\x07"),
        ("Long", "", LONG),
        ("Name a fruit.", "", "An apple."),
    ]
    return [
        {"instruction": instruction, "input": text, "output": output, "id": k, "weight": k / 3}
        for k, (instruction, text, output) in enumerate(texts)
    ]


def shape_rows() -> dict[str, list[dict[str, Any]]]:
    """Odd rows in every shape that hfclean reads, by shape."""
    alpaca = odd_rows()
    texts = [(row["instruction"], row["input"], row["output"], row["id"]) for row in alpaca]

    def chat(role: str, text: str, roles: tuple[str, str]) -> list[list[dict[str, Any]]]:
        return [[{role: roles[0], text: q}, {role: roles[1], text: a}] for q, _, a, _ in texts]

    messages = chat("role", "content", ("user", "assistant"))
    sharegpt = chat("from", "value", ("human", "gpt"))
    call = [{"from": "function_call", "value": '{"name": "f"}'}, {"from": "observation", "value": "1  "}]
    typed = [
        [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in conversation]
        for conversation in messages
    ]
    return {
        "alpaca": alpaca,
        "dolly": [{"instruction": q, "context": x, "response": a, "category": "qa"} for q, x, a, _ in texts],
        "prompt_completion": [{"prompt": q, "completion": a} for q, _, a, _ in texts],
        "prompt_completion_messages": [{"prompt": c[:1], "completion": c[1:]} for c in messages],
        "messages": [{"messages": c + c, "id": k} for k, c in enumerate(messages)],
        "typed_messages": [{"messages": c} for c in typed],
        "conversations": [{"conversations": [c[0], *call, c[1]], "tools": "[]"} for c in sharegpt],
        "preference": [{"prompt": q, "chosen": a, "rejected": "No.  "} for q, _, a, _ in texts],
        "preference_messages": [{"prompt": c[:1], "chosen": c[1:], "rejected": c[1:]} for c in messages],
        "preference_turns": [{"conversations": c[:1], "chosen": c[1], "rejected": c[1]} for c in sharegpt],
        "preference_implicit": [{"chosen": c, "rejected": [c[0], c[0]]} for c in messages],
        "question_answer": [{"question": q, "solution": a, "answer": "4", "reasoning": "So."} for q, _, a, _ in texts],
        "prompt_response": [{"prompt": q, "response": a} for q, _, a, _ in texts],
        "stepwise": [{"prompt": q, "completions": [a, "So  "], "labels": [True, False]} for q, _, a, _ in texts],
        "ranked": [{"prompt": q, "responses": ["No.", a], "scores": [1.0, 2.0]} for q, _, a, _ in texts],
        "verl": [{"prompt": c[:1], "reward_model": {"ground_truth": "4"}} for c in messages],
        "prompt_only": [{"prompt": q, "id": k} for q, _, _, k in texts],
    }


def check_transform(
    transform: Transform, rows: list[dict[str, Any]] | None = None, *, processes: bool = False
) -> None:
    """Assert that a transform keeps the contract on these rows.

    The same result for one example, a batch of any size, a streaming dataset, every format (those whose package is
    installed), and, with `processes`, two worker processes; the input left unchanged; the same columns and column
    types every time; nothing added is null; the fingerprint steady after use and after pickling; nothing lost on the
    way.

    Args:
        transform: the transform.
        rows: rows of one shape; by default Alpaca rows with odd cells in them.
        processes: also check `num_proc=2`, which takes about a second.

    Raises:
        AssertionError: says which promise was broken, and where.
    """
    from datasets import Dataset
    from datasets.fingerprint import Hasher

    rows = odd_rows() if rows is None else rows
    key = Hasher.hash(transform)
    given = copy.deepcopy(rows)
    expected = [transform(row) for row in rows]
    _assert(rows == given, "the input rows were changed")
    keys = [sorted(new) for new in expected]
    _assert(all(k == keys[0] for k in keys), f"not the same columns for every row: {keys}")
    added = [name for name in keys[0] if name not in rows[0]]
    empty = [(k, name) for k, new in enumerate(expected) for name in added if new[name] is None]
    _assert(not empty, f"added cells are null: {empty[:3]}")
    whole = [{**row, **new} for row, new in zip(rows, expected, strict=True)]

    ds = Dataset.from_list(rows)
    features = None
    for label, mapped in _ways(ds, transform, len(rows), processes):
        _assert(len(mapped) == len(rows), f"{label}: {len(rows)} rows in, {len(mapped)} out")
        for k, (got, wanted) in enumerate(zip(mapped, whole, strict=True)):
            different = [name for name in wanted if not _same(got.get(name), wanted[name])]
            _assert(
                not different and len(got) == len(wanted),
                f"{label}: row {k} differs from the plain example in {different or sorted(set(got) ^ set(wanted))}: "
                f"{[(str(got.get(n))[:80], str(wanted[n])[:80]) for n in different[:2]]}",
            )
        if features is None and hasattr(mapped, "features"):
            features = mapped.features
        if hasattr(mapped, "features") and "streaming" not in label:
            _assert(mapped.features == features, f"{label}: the column types differ: {mapped.features} and {features}")
    for name, feature in ds.features.items():
        _assert(features is None or features[name] == feature, f"the type of {name!r} changed from {feature}")
    nothing = ds.select([])
    _assert(len(nothing.map(transform, batched=True)) == 0, "an empty dataset did not stay empty")
    _assert(Hasher.hash(transform) == key, "the fingerprint changed with use: something is stored on the object")
    _assert(Hasher.hash(copy.deepcopy(transform)) == key, "a copy has another fingerprint")


def _ways(ds: Any, transform: Transform, count: int, processes: bool) -> Iterator[tuple[str, Any]]:
    """Every way in which `datasets` can apply a transform, as (what it is, the rows that come out)."""
    from importlib.util import find_spec

    options: dict[str, Any] = {"load_from_cache_file": False, "keep_in_memory": True}
    yield "map", ds.map(transform, **options)
    for size in (1, 3, count + 1):
        yield f"map(batched, batch_size={size})", ds.map(transform, batched=True, batch_size=size, **options)
    for kind in ("numpy", "pandas", "arrow", "polars"):
        if find_spec("pyarrow" if kind == "arrow" else kind):
            for batched in (False, True):
                mapped = ds.with_format(kind).map(transform, batched=batched, batch_size=5, **options)
                yield f"map(format={kind}, batched={batched})", mapped.with_format(None)
    yield "streaming", list(ds.to_iterable_dataset().map(transform))
    yield "streaming, batched", list(ds.to_iterable_dataset().map(transform, batched=True, batch_size=4))
    if processes:
        yield "map(num_proc=2)", ds.map(transform, batched=True, batch_size=2, num_proc=2)


def _same(a: Any, b: Any) -> bool:
    """Equality in which nan equals nan, and the nulls that Arrow fills in equal keys that are not there."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return all(_same(a.get(key), b.get(key)) for key in {*a, *b})
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _assert(fact: bool, otherwise: str) -> None:
    if not fact:
        raise AssertionError(otherwise)
