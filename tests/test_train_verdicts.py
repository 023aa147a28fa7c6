"""From people's decisions to a reviser: what teaches it, what never does, and what it leaves alone afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

import hfclean
from hfclean.cli import main
from hfclean.errors import SourceError
from hfclean.layout import Layout
from hfclean.models import process
from hfclean.reviser.taught_pairs import pair_hash, trained_on
from hfclean.testing_models import tiny_model
from hfclean.verdicts import VerdictLog, describe

ROWS = [{"instruction": f"Name {n} fruits.", "input": "", "output": f"{n} ripe pears.</s>"} for n in range(2, 10)]
RIPE = {"output": "Some ripe figs."}
ONE_STEP = ["max_steps=1", "heldout=0", "per_device_train_batch_size=2", "disable_tqdm=true"]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def data(folder: str) -> Any:
    files = sorted(map(str, Path(folder, "data").glob("*.parquet")))
    return load_dataset("parquet", data_files=files, split="train", cache_dir="cache")


@pytest.fixture
def judged(work: Path) -> Any:
    """The rows of the folder `d`; `d.verdicts.jsonl` beside it."""
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    assert main(["clean", "rows.jsonl", "--out", "d"]) == 0
    ds, layout = data("d"), Layout()
    log = VerdictLog("d.verdicts.jsonl", "ana")
    log.append(describe(ds[0], "edit", layout, texts=RIPE))
    log.append(replace(describe(ds[1], "accept", layout, proposed=RIPE), refused="numbers_changed"))
    log.append(describe(ds[2], "accept", layout))
    log.append(describe(ds[3], "exclude", layout, reason="no task"))
    log.append(replace(describe(ds[4], "edit", layout, texts=RIPE), gold=True))
    log.append(describe(ds[5], "return", layout))
    log.append(describe(ds[6], "reject", layout, proposed=RIPE))
    return ds


def pairs(source: Any, **more: Any) -> tuple[dict[str, str], dict[str, int]]:
    found = hfclean.revision_pairs(source, **more)
    return {row["raw_output"]: row["revised_output"] for row in found.rows}, found.left_out


def test_what_people_decided_gives_the_same_pairs_before_and_after_it_is_applied(judged: Any) -> None:
    assert main(["apply", "d", "--out", "d2"]) == 0
    wanted = {
        ROWS[0]["output"]: RIPE["output"],
        ROWS[1]["output"]: RIPE["output"],
        ROWS[2]["output"]: judged[2]["output"],
    }
    for folder in ("d", "d2"):
        found, left_out = pairs(folder, verdicts="d.verdicts.jsonl")
        assert found == wanted
        assert left_out == {"excluded": 1, "returned": 1, "rejected": 1, "unjudged": 2}
    found, left_out = pairs("d2")
    others = {ROWS[k]["output"]: judged[k]["output"] for k in (4, 6, 7)}  # as the rules revised them
    assert (found, left_out) == (wanted | others, {"returned": 1})


def test_verdicts_on_rows_that_were_dropped_give_no_pair(work: Path) -> None:
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, [ROWS[0], ROWS[0], ROWS[1]])))
    assert main(["clean", "rows.jsonl", "--out", "d", "--drop-duplicates"]) == 0
    kept = data("d")
    (twin,) = pq.read_table("d/removed/train.parquet").column("row_id").to_pylist()
    events = [{"row_id": name, "verdict": "accept"} for name in (twin, kept[0]["row_id"])]
    for source in ("d", "d/ledger.parquet"):
        found, left_out = pairs(source, verdicts=events)
        assert found == {ROWS[0]["output"]: kept[0]["output"]}
        assert left_out == {"removed": 1, "unjudged": 1}
    with pytest.raises(SourceError, match="rows that do not exist, such as 'gone'"):
        hfclean.revision_pairs("d", verdicts=[{"row_id": "gone", "verdict": "accept"}])


@pytest.mark.needs_extra("train", "torch", "transformers", "accelerate", "trl")
def test_rows_that_taught_a_reviser_are_not_proposed_again(
    judged: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    base = str(tiny_model(tmp_path / "base", context=1024))
    command = ["train", "d", "--base", base, "--out", "coach", "--verdicts", "d.verdicts.jsonl", "--quiet", "--json"]
    assert main([*command, *(word for each in ONE_STEP for word in ("--train-option", each))]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["pairs"]["train"] == 3
    assert said["sources_left_out"] == {"excluded": 1, "returned": 1, "rejected": 1, "unjudged": 2}
    coach = hfclean.Reviser.from_pretrained("coach", max_new_tokens=4)
    taught = {pair_hash(hfclean.Pair(row["instruction"], "", row["output"])) for row in ROWS[:3]}
    assert trained_on(coach) == taught
    assert main(["apply", "d", "--out", "d2"]) == 0
    for folder, asked in (("d", [3, 4, 5, 6, 7]), ("d2", [4, 5, 6, 7])):
        out = data(folder).map(coach, batched=True)
        reasons = {row["instruction"]: row["edit_reason"] for row in out}
        assert [reasons[row["instruction"]] for row in ROWS[:3]] == ["trained_on"] * 3
        rest = [row["instruction"] for row in ROWS if reasons.get(row["instruction"], "trained_on") != "trained_on"]
        assert rest == [ROWS[k]["instruction"] for k in asked]
