"""Under every format of `datasets` a transform gives what it gives without one: values, nulls and feature types."""

from __future__ import annotations

import datetime
import decimal
import math
from dataclasses import replace
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, LargeList, List, Value

import hfclean

# a feature, and a value of it that survives a frame; every second row has a null instead
KINDS: dict[str, tuple[Any, Any]] = {
    "whole": (Value("int64"), 2**40 + 1),
    "byte": (Value("int8"), -3),
    "unsigned": (Value("uint32"), 7),
    "half": (Value("float32"), 0.1),
    "real": (Value("float64"), 1.25),
    "truth": (Value("bool"), True),
    "moment": (Value("timestamp[ns]"), datetime.datetime(2020, 1, 2, 3, 4, 5, 678901)),
    "instant": (Value("timestamp[us, tz=UTC]"), datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)),
    "day": (Value("date32"), datetime.date(2020, 1, 2)),
    "hour": (Value("time64[us]"), datetime.time(1, 2, 3)),
    "span": (Value("duration[ms]"), datetime.timedelta(milliseconds=5)),
    "raw": (Value("binary"), b"a\x00"),
    "large_raw": (Value("large_binary"), b"b \x00"),
    "text": (Value("string"), "007 \n"),
    "ending": (Value("string"), "ends in a nul\x00"),
    "large_text": (Value("large_string"), " long\t"),
    "price": (Value("decimal128(10, 2)"), decimal.Decimal("1.50")),
    "numbers": (List(Value("int32")), [1, None, 3]),
    "large_list": (LargeList(Value("string")), ["a ", None]),
    "named": ({"a": Value("int64"), "b": Value("string")}, {"a": None, "b": "x "}),
    "many": (List({"k": Value("string"), "n": Value("int16")}), [{"k": "a", "n": None}, {"k": None, "n": 3}]),
    "label": (ClassLabel(names=["no", "yes"]), 1),
    "nothing": (Value("null"), None),
}
POLARS = pytest.param("polars", marks=pytest.mark.needs_extra("polars", "polars"))
FORMATS = ["numpy", "pandas", POLARS, "arrow"]


def rows(kinds: dict[str, tuple[Any, Any]], count: int = 5) -> Dataset:
    answers = ["An apple.</s>", " A pear. \n", "A fig.", "Three  plums.", "A quince.<|im_end|>"]
    features: dict[str, Any] = {name: Value("string") for name in ("instruction", "input", "output")}
    features |= {name: kind for name, (kind, _) in kinds.items()}
    made = [
        {
            "instruction": f"Name fruit {k}. ",
            "input": [None, "N/A", "\tred \n"][k % 3],
            "output": answers[k % len(answers)],
            **{name: None if k % 2 else value for name, (_, value) in kinds.items()},
        }
        for k in range(count)
    ]
    return Dataset.from_list(
        made, features=Features({**features, **{name: kind for name, (kind, _) in kinds.items()}})
    )


def alike(a: Any, b: Any) -> bool:
    """Equal, nan equal to nan, and of the same types."""
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(alike(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(alike, a, b))
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


def handed_out(ds: Dataset, kind: str) -> None:
    """Skip where this version of datasets cannot hand out such columns in a format, whoever asks for them."""
    try:
        ds.with_format(kind)[:]
    except ValueError as e:
        pytest.skip(f"datasets cannot hand out these rows as {kind}: {e}")


@pytest.mark.parametrize("transform", [hfclean.revise, hfclean.score], ids=["revise", "score"])
@pytest.mark.parametrize("batch_size", [1000, 2])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_changes_neither_values_nor_types(transform: Any, batch_size: int, kind: str) -> None:
    ds = rows(KINDS)
    handed_out(ds, kind)
    plain = ds.map(transform, batched=True)
    out = ds.with_format(kind).map(transform, batched=True, batch_size=batch_size).with_format(None)
    assert out.features == plain.features
    assert list(out.features) == list(plain.features)
    for name in plain.column_names:
        assert alike(out[:][name], plain[:][name]), name


@pytest.mark.parametrize("kind", FORMATS)
def test_a_last_batch_of_one_row_has_the_types_of_those_before(kind: str) -> None:
    ds = rows(KINDS, 6).select([0, 1, 2, 3, 5])  # the last row has nulls only
    handed_out(ds, kind)
    out = ds.with_format(kind).map(hfclean.revise, batched=True, batch_size=2).with_format(None)
    plain = ds.map(hfclean.revise, batched=True)
    assert out.features == plain.features
    assert out[4] == plain[4]


@pytest.mark.parametrize("kind", FORMATS)
def test_scores_that_are_nan_stay_nan_and_nulls_stay_nulls(kind: str) -> None:
    ds = Dataset.from_list(
        [
            {"prompt": "Say nothing.", "completion": "", "mine": None},
            {"prompt": "Say it.", "completion": "It, then.</s>", "mine": 1.5},
        ]
    )
    scored = ds.map(hfclean.score, batched=True)
    assert math.isnan(scored["lexical_diversity"][0])
    again = scored.with_format(kind).map(hfclean.revise, batched=True).with_format(None)
    assert math.isnan(again["lexical_diversity"][0])
    assert list(again["mine"]) == [None, 1.5]
    assert again["completion"][1] == "It, then."


@pytest.mark.parametrize("kind", FORMATS)
def test_messages_keep_their_types_and_what_stands_at_the_end(kind: str) -> None:
    talk = [{"role": "user", "content": "Hi \n"}, {"role": "assistant", "content": "Hello.</s>"}]
    talk += [{"role": "user", "content": "And a fruit? \x00\t"}, {"role": "assistant", "content": "An apple."}]
    features = Features(
        {"messages": List({"role": Value("string"), "content": Value("large_string")}), "n": Value("int32")}
    )
    ds = Dataset.from_dict({"messages": [talk, talk, talk[:1]], "n": [1, None, 3]}, features=features)
    out = ds.with_format(kind).map(replace(hfclean.revise, turns="all"), batched=True).with_format(None)
    assert {name: out.features[name] for name in features} == features
    assert [m["content"] for m in out[0]["messages"]] == ["Hi \n", "Hello.", "And a fruit? \x00\t", "An apple."]
    assert list(out["n"]) == [1, None, 3]
    back = hfclean.restore(out)
    assert (back.features, back.to_list()) == (ds.features, ds.to_list())


@pytest.mark.parametrize("kind", ["pandas", POLARS])
def test_a_frame_by_itself_gives_columns_of_its_own_length(kind: str) -> None:
    ds = rows({"n": (Value("int64"), 3)})
    frame = ds.with_format(kind)[:]
    out = hfclean.revise(frame)
    assert [len(column) for column in out.values()] == [5] * len(out)
    assert (out["n"], out["output"][0]) == ([3, None, 3, None, 3], "An apple.")
    one = hfclean.revise(frame[:1])
    assert (one.num_rows, one.column("n").to_pylist()) == (1, [3])
