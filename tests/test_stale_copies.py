"""Columns that repeat the text from before a revision are named."""

from __future__ import annotations

from datasets import Dataset

import hfclean
from hfclean.layout import Layout
from hfclean.report.stale_copies import stale_copies

OLD = "A ripe apple from the old orchard.</s>"


def test_a_rendered_copy_and_tokens_are_named_and_others_are_not() -> None:
    rows = [
        {
            "instruction": "Name a fruit.",
            "output": OLD,
            "text": f"Q: Name a fruit. A: {OLD}",
            "input_ids": [1],
            "n": "x",
        },
        {"instruction": "Name a tree.", "output": "A birch.", "text": "A birch.", "input_ids": [2], "n": "x"},
    ]
    ds = Dataset.from_list(rows)
    revised = ds.map(hfclean.revise)
    assert revised[0]["output"] == OLD[:-4]
    assert stale_copies(revised, Layout()) == {"text": 1, "input_ids": 1}
    (note,) = [each for each in hfclean.compare(ds, revised).notes if "from before the revision" in each]
    assert "'text' (1 row)" in note
    assert stale_copies(ds, Layout()) == {}
    again = revised.map(lambda row: {"text": row["text"].replace("</s>", "")})
    assert stale_copies(again, Layout()) == {"input_ids": 1}
