"""The gate beside people: each share by hand, what says nothing of it, and a margin that was planted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

import hfclean
from hfclean.cli import main
from hfclean.evaluation.bootstrap import wilson
from hfclean.evaluation.gate_verdicts import gate_verdicts
from hfclean.layout import Layout
from hfclean.provenance import Step
from hfclean.scorers.embedded import preference_rule
from hfclean.verdicts import Event, describe, row_verdicts

ROW = {"instruction": "Name a fruit.", "input": "", "output": "An apple is a fruit."}
WORSE = "apple apple apple apple apple apple"


def revised(count: int, edit: str = "revised", *, model: str = "m") -> Dataset:
    """Rows that a model's step went over: the text of those that it revised has another last word."""
    rows = []
    for k in range(count):
        row: dict[str, Any] = {**ROW, "instruction": f"Name fruit {k}."}
        row |= hfclean.revise(row)
        if edit == "revised":
            row |= {"original": json.dumps({"output": ROW["output"]}), "output": f"An apple is a fruit, number {k}."}
        step = Step("Reviser", 1, settings={"model": model} if model else {}, edit=edit)
        rows.append({**row, "edit": edit, "edit_history": f"{row['edit_history']}\n{step.line()}"})
    return Dataset.from_list(rows)


def decided(ds: Dataset, *decisions: tuple[int, str, dict[str, Any]]) -> dict[str, Any]:
    events = []
    for k, verdict, more in decisions:
        proposed = {"output": WORSE} if "refused" in more else {}
        texts = {"output": "A pear."} if verdict == "edit" else {}
        event = describe(ds[k], verdict, Layout(), proposed=proposed, texts=texts, reason="so")
        events.append(replace(event, who="ana", number=k + 1, **more))
    return row_verdicts(events)


def test_each_share_is_what_people_said() -> None:
    ds = revised(10, "reverted")
    codes = ["number_changed", "number_changed off_topic", "off_topic", "number_changed", "number_changed"]
    kinds = ["accept", "accept", "reject", "edit", "return"]
    found = gate_verdicts(
        ds,
        decided(ds, *((k, kind, {"refused": code}) for k, (kind, code) in enumerate(zip(kinds, codes, strict=True)))),
    )
    assert (found.accepted.value, found.accepted.count) == (0.4, 5)
    assert (found.accepted.low, found.accepted.high) == wilson(2, 5)
    assert (found.rejected.count, found.margin, found.left_out) == (0, None, {})
    number, topic = found.checks
    assert (number.id, number.accepted.value, number.accepted.count, number.edited) == ("number_changed", 0.5, 4, 1)
    assert (number.alone.value, number.alone.count) == (1 / 3, 3)
    assert (number.rejected.value, number.rejected.count) == (1, 1)
    assert (topic.id, topic.accepted.value, topic.alone.value, topic.edited) == ("off_topic", 0.5, 0, 0)
    assert (topic.rejected.value, topic.rejected.count) == (1 / 3, 3)
    assert "number_changed: refused 4, accepted 50.0 [15.0, 85.0] %, edited 1" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["checks"][0]["accepted"]["count"] == 4


def test_what_says_nothing_of_the_gate_is_left_out() -> None:
    ds = revised(8)
    verdicts = decided(
        ds,
        (0, "accept", {}),
        (1, "reject", {}),
        (2, "return", {}),
        (3, "edit", {}),
        (4, "accept", {"arm": "without"}),
        (5, "exclude", {}),
        (6, "skip", {}),
    )
    dispute = [Event(ds[7]["row_id"], verdict, who=verdict, number=1) for verdict in ("accept", "reject")]
    found = gate_verdicts(ds, verdicts | row_verdicts(dispute))
    assert (found.rejected.value, found.rejected.count) == (0.5, 4)
    assert found.left_out == {"conflict": 1, "excluded": 1, "undecided": 1, "without": 1}
    for other in (revised(8, "reverted"), revised(8, model="")):
        assert gate_verdicts(other, decided(other, (0, "accept", {}))).left_out == {"no_model": 1}
    assert gate_verdicts(Dataset.from_list([ROW]), verdicts).rejected.count == 0


def test_a_margin_that_was_planted_is_found() -> None:
    ds = revised(80)
    view = Layout().view(ds.column_names)
    ds = ds.map(lambda row, k: {"output": WORSE if k % 2 else row["output"]}, with_indices=True)
    verdicts = decided(ds, *((k, "reject" if k % 2 else "accept", {}) for k in range(80)))
    found = gate_verdicts(ds, verdicts, draws=50)
    assert found.margin is not None
    before, bad, good = (
        preference_rule().predict(view.pairs({**ds[k], "output": text})[0])
        for k, text in ((1, ROW["output"]), (1, WORSE), (0, ds[0]["output"]))
    )
    assert before - good <= found.margin.margin + 0.01 < before - bad
    assert (found.margin.accepted, found.margin.rejected) == (40, 40)
    assert found.margin.separation.value == 1
    assert found.margin.low <= found.margin.margin <= found.margin.high
    judged = decided(ds, *((k, "reject" if k % 2 else "accept", {"refused": "off_topic"}) for k in range(80)))
    texts = {name: [""] * 80 for name in ("split", "before", "model")} | {"field": ["output"] * 80}
    refused = Dataset.from_dict(
        {**texts, "row_id": ds["row_id"], "proposed": [WORSE] * 80, "codes": ["off_topic"] * 80}
    )
    both = gate_verdicts(ds, judged, refused=refused, draws=50)
    assert both.margin is not None
    assert (both.margin.rejected, both.margin.separation.value) == (40, 0)  # all of them are the same text
    assert "no better than today's: leave it" in str(both)
    assert gate_verdicts(ds, judged, draws=50).margin is None  # the texts of rejected ones are not at hand
    few = gate_verdicts(ds.select(range(50)), verdicts)
    assert few.margin is None
    assert "25 accepted and 25 rejected revisions have their texts at hand, and 30 of each are needed" in str(few)


def test_the_command_reads_a_folder_and_its_verdicts(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = revised(4)
    from hfclean.cleaned import Cleaned, Origin
    from hfclean.source import Source

    source = Source(ds, "rows", "memory", "")
    Cleaned(ds, None, (), origin=Origin(ds, source, Layout())).save("e")
    verdicts = decided(ds, (0, "accept", {}), (1, "reject", {}))
    Path("v.jsonl").write_text("".join(f"{each.standing[0].line()}\n" for each in verdicts.values()))
    capsys.readouterr()
    assert main(["evaluate", "e", "--verdicts", "v.jsonl", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rejected"]["value"], found["rejected"]["count"], found["margin"]) == (0.5, 2, None)
    assert main(["evaluate", "e", "--verdicts", "v.jsonl"]) == 0
    assert "let pass and judged: 2; people rejected 50.0 [9.5, 90.5] %" in capsys.readouterr().out
    assert main(["evaluate", "e", "--verdicts", "v.jsonl", "--first", "3"]) == 2
    assert "--first says nothing there" in capsys.readouterr().err
