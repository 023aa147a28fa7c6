"""The modules for `evaluate`: loaded from their folders, combined, and as Spaces; without `evaluate`, none."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean import metrics
from hfclean.cards import read_card
from hfclean.errors import ColumnError, FolderError, HfcleanError, MissingExtraError
from hfclean.hub import Patience, PushPlan
from hfclean.metrics.computing import agreement_figures, ifd_figures, revision_figures, win_rate_figures
from hfclean.metrics.modules import MODULES, space_files

FEW = {"draws": 50}


@pytest.fixture(scope="module")
def evaluate() -> Any:
    needs("metrics", "evaluate")
    import evaluate

    return evaluate


# ------------------------------------------------------------------------------------------------------ the figures


@pytest.mark.realdata
def test_win_rates_of_the_published_logs(realdata: Callable[[str], Path]) -> None:
    rows = [json.loads(line) for line in realdata("judge_reviews_gpt4.jsonl").read_text("utf-8").splitlines()]
    some = [row for row in rows if row["benchmark"] == "vicuna"]
    sides = {name: list(zip(*(row[name] for row in some), strict=True)) for name in ("scores_ab", "scores_ba")}
    found = win_rate_figures(*sides["scores_ab"], *sides["scores_ba"], **FEW)
    assert [found[name] for name in ("wins", "ties", "losses")] == [44, 15, 21]
    assert found["winning_score"] == pytest.approx(1 + 23 / 80)


def test_figures_of_a_few_rows() -> None:
    won = win_rate_figures([9, 7, math.nan], [8, 7, 1], lengths=["a b", "c", "d"], reference_lengths=[2, 1, 1], **FEW)
    assert (won["wins"], won["ties"], won["unscored"], won["matched_win_rate"]) == (1, 1, 1, 0.75)
    revised = revision_figures(["An apple.", "A fig."], ["An apple.", "A fig."], ["a aple", "A fig."], **FEW)
    assert (revised["pairs"], revised["clean"], revised["exact"], revised["unchanged"]) == (1, 1, 1.0, 1.0)
    ifd = ifd_figures([0.5, 1.5, math.nan], **FEW)
    assert (ifd["count"], ifd["unscored"], ifd["median"], ifd["above_one"]) == (2, 1, 1.0, 0.5)
    assert math.isnan(ifd_figures([math.nan])["mean"])
    both = agreement_figures([1, 2, 3, 4], [1, 3, 2, 4], share=0.5)
    assert (both["spearman"], both["overlap"]) == (pytest.approx(0.8), 0.5)
    assert math.isnan(both["length_auc"])
    assert agreement_figures([1, 2], [1, 2], texts=["a", "b c"], share=0.5)["length_auc"] == 1.0
    for wrong in (lambda: win_rate_figures([1], [1, 2]), lambda: win_rate_figures([1], [1], [1])):
        with pytest.raises(ColumnError, match=r"expected as many|one side without the other"):
            wrong()
    with pytest.raises(ColumnError, match="2 predictions, 1 references"):
        revision_figures(["a", "b"], ["a"], ["a"])


# ------------------------------------------------------------------------------------------------------ the modules


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_loads_and_its_example_runs(name: str, evaluate: Any) -> None:
    metric = metrics.load(name)
    assert isinstance(metric, evaluate.Metric)
    assert metric.description.startswith(MODULES[name].meaning)
    found = eval(MODULES[name].example, {"metric": metric})
    assert found
    assert all(isinstance(value, (int, float)) for value in found.values())
    told = {one for names in MODULES[name].outputs for one in names.split(", ")} - {"...", "preference_gain"}
    assert told <= set(found)
    assert set(metric.features) <= set(MODULES[name].inputs)


def test_modules_are_combined_and_fed_in_batches(evaluate: Any) -> None:
    both = evaluate.combine([metrics.path("win_rate"), metrics.path("agreement")])
    found = both.compute(predictions=[1.0, 2.0, 3.0], references=[0.0, 2.0, 4.0])
    assert (found["wins"], found["spearman"]) == (1, 1.0)
    metric = metrics.load("win_rate", keep_in_memory=True)
    metric.add(predictions=2, references=1)
    metric.add_batch(predictions=[1.0, 1.0], references=[1.0, 3.0])
    found = metric.compute(predictions_swapped=[1, 1, 1], references_swapped=[1, 1, 1], draws=10)
    assert (found["wins"], found["ties"], found["losses"]) == (1, 1, 1)


def test_evaluate_is_loaded_only_when_needed_and_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, hfclean.metrics, hfclean.metrics.computing\n"
        "print('evaluate' in sys.modules, 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "False False\n"
    monkeypatch.setitem(sys.modules, "evaluate", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hfclean\[metrics\]'"):
        metrics.load("win_rate")
    with pytest.raises(HfcleanError, match="no metric 'best'; expected one of win_rate"):
        metrics.path("best")


# ------------------------------------------------------------------------------------------------------ the Spaces


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_space_has_all_that_it_needs(name: str, tmp_path: Path) -> None:
    folder = metrics.write_space(
        name, tmp_path / "my_metric", repo_id="me/my_metric", requirement="hfclean[metrics]>=0.1"
    )
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md",
        "app.py",
        "my_metric.py",
        "requirements.txt",
    ]
    data, body = read_card((folder / "README.md").read_text("utf-8"))
    assert (data["sdk"], data["app_file"], data["tags"][:2]) == ("gradio", "app.py", ["evaluate", "metric"])
    assert 'evaluate.load("me/my_metric")' in body
    for file in ("app.py", "my_metric.py"):
        compile((folder / file).read_text("utf-8"), file, "exec")
    assert (folder / "requirements.txt").read_text() == "hfclean[metrics]>=0.1\n"
    with pytest.raises(FolderError, match="not empty"):
        metrics.write_space(name, folder)


def test_the_folder_of_a_space_loads(evaluate: Any, tmp_path: Path) -> None:
    folder = metrics.write_space("ifd_summary", tmp_path / "ifd-of-mine", repo_id="me/ifd-of-mine")
    assert evaluate.load(str(folder)).compute(predictions=[1.0, 3.0], draws=10)["mean"] == 2.0


def test_a_space_is_pushed_in_one_commit_and_loads_from_there(
    fake_hub: FakeHub, evaluate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = Patience(sleep=lambda seconds: None)
    plan = hfclean.hub.push_metric("win_rate", "me/win_rate", dry_run=True)
    assert isinstance(plan, PushPlan)
    assert plan.problems == ()
    assert fake_hub.repos == {}
    done = hfclean.hub.push_metric("win_rate", "me/win_rate", patience=patience)
    assert (done.repo_type, done.changed) == ("space", True)
    assert "/spaces/me/win_rate" in done.url
    repo = fake_hub.repo("me/win_rate", "space")
    assert set(repo.files) >= {"README.md", "app.py", "win_rate.py", "requirements.txt"}
    assert repo.text("win_rate.py") == space_files("win_rate", "me/win_rate")["win_rate.py"].decode()
    assert not hfclean.hub.push_metric("win_rate", "me/win_rate", patience=patience).changed
    monkeypatch.setattr(evaluate.config, "HUB_EVALUATE_URL", fake_hub.url + "/spaces/{path}/resolve/{revision}/{name}")
    monkeypatch.setattr(evaluate.config, "HF_UPDATE_DOWNLOAD_COUNTS", False)  # it would count the load, on the network
    loaded = evaluate.load("me/win_rate", revision="main")
    assert loaded.compute(predictions=[2.0], references=[1.0], draws=10)["wins"] == 1
    with pytest.raises(HfcleanError, match="no metric 'best'"):
        hfclean.hub.push_metric("best", "me/best")
    with pytest.raises(HfcleanError, match="expected NAMESPACE/NAME"):
        space_files("win_rate", 'me/"; import os')
