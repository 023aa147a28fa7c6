"""A real cluster of Ray on this machine, with two workers: the rows, ids and report of one process, also where a
worker is killed. `.ci/engines` makes an environment for it; elsewhere these tests are left out and counted."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset
from ray_cluster import blocks, cluster, needs_ray  # noqa: F401

import hfclean
from hfclean.engines import OwnStore, finish, whole_rows
from hfclean.models import process, store
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.testing import shape_rows
from hfclean.values import exact_dataset

pytestmark = needs_ray
ROWS = {shape: [row for row in rows if len(str(row)) < 1000] for shape, rows in shape_rows().items()}
FORMS = ("numpy", "pandas", "pyarrow")
COUNT, BATCH = 300, 32


def rows_of(shape: str) -> Dataset:
    """Three hundred rows, most of which have twins in other blocks."""
    rows = ROWS[shape]
    return exact_dataset([rows[k % len(rows)] for k in range(COUNT)])


def gathered(ds: Any) -> pa.Table:
    """The rows back from Ray."""
    import ray

    return pa.concat_tables(ray.get(ds.to_arrow_refs()), promote_options="permissive")


def same(one: Dataset, other: Dataset) -> bool:
    """Whether rows and types are the same; nan is nan."""
    return json.dumps([repr(one.features), one.to_list()]) == json.dumps([repr(other.features), other.to_list()])


@pytest.mark.parametrize(("shape", "form"), [(shape, FORMS[k % 3]) for k, shape in enumerate(ROWS)])
def test_two_workers_give_the_rows_ids_and_report_of_one_process(shape: str, form: str) -> None:
    raw = rows_of(shape)
    ds = blocks(raw)
    for step in (hfclean.revise, hfclean.score):
        ds = ds.map_batches(whole_rows(step, raw.features.arrow_schema), batch_format=form, batch_size=BATCH)
    cleaned, one = finish(raw, gathered(ds)), hfclean.clean(raw, show=False)
    assert same(cleaned.dataset, one.dataset)
    assert hfclean.compare(raw, cleaned.dataset) == hfclean.compare(raw, one.dataset)


@pytest.mark.parametrize("step", [hfclean.revise, hfclean.score], ids=["revise", "score"])
def test_a_transform_without_whole_rows_is_refused_before_it_loses_text(step: Any) -> None:
    import ray

    rows = [{"prompt": "Name a fruit.", "completion": "An apple.", "rank": 1}] * 3
    for call in ("map_batches", "map"):
        ds = getattr(ray.data.from_items(rows), call)(step)
        with pytest.raises(Exception, match=r"in place of the row: columns that nobody changed would be lost"):
            ds.take_all()
    merged = ray.data.from_items(rows).map_batches(lambda batch: {**batch, **step(batch)}).take(1)[0]
    assert (merged["completion"], merged["rank"]) == ("An apple.", 1)


class Mortal:
    """Kills the worker that it is called in, the first time."""

    def __init__(self, rows: Any, mark: Path) -> None:
        self.rows, self.mark = rows, mark

    def __call__(self, batch: Any) -> Any:
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.rows(batch)


def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    raw, mark = rows_of("messages"), tmp_path / "killed"
    mortal = Mortal(whole_rows(hfclean.revise, raw.features.arrow_schema), mark)
    ds = blocks(raw).map_batches(mortal.__call__, batch_size=BATCH)
    scored = ds.map_batches(whole_rows(hfclean.score, raw.features.arrow_schema), batch_size=BATCH)
    cleaned = finish(raw, gathered(scored))
    one = hfclean.clean(raw, show=False)
    assert mark.exists()
    assert same(cleaned.dataset, one.dataset)
    assert hfclean.compare(raw, cleaned.dataset) == hfclean.compare(raw, one.dataset)


def test_models_are_actors_with_their_own_answers_which_are_merged(tmp_path: Path) -> None:
    raw = Dataset.from_list([{"prompt": f"Name city {k}.", "completion": f"City {k}"} for k in range(40)])

    def answered(request: Received, _: int) -> Reply:
        k = re.findall(r"city (\d+)\.", request.content)[-1]
        return Reply(encode(Pair(f"Name city {k}.", "", f"City {k} is a large one.")))

    with ChatServer(default=answered) as server:
        coach = hfclean.Reviser("tiny", base_url=server.url, store=str(tmp_path / "one.sqlite3"))
        alone = hfclean.clean(raw, reviser=coach, show=False)
        one = alone.dataset
        ds = blocks(raw).map_batches(
            OwnStore, fn_constructor_args=(coach, tmp_path / "answers"), concurrency=2, batch_size=8
        )
        ds = ds.map_batches(whole_rows(hfclean.score, raw.features.arrow_schema), batch_size=BATCH)
        cleaned = finish(raw, gathered(ds), reviser=coach, answers=tmp_path / "answers")
        assert cleaned.transforms == alone.transforms
        assert cleaned.transforms[0]["usage"]["asked"] == 40
        assert same(cleaned.dataset, one)
        assert set(one["edit"]) == {"revised"}
        files = sorted((tmp_path / "answers").glob("*.sqlite3"))
        store.merge(files, tmp_path / "merged.sqlite3")
        keys = [{row["key"] for row in store.open_store(tmp_path / f"{n}.sqlite3").rows()} for n in ("one", "merged")]
        assert keys[0] == keys[1]
        assert len(keys[0]) == 40
    process.close()
