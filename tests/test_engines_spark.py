"""The recipe for Spark, on a session of this machine with two workers: the rows of one process. `.ci/engines` makes an
environment for it; elsewhere, and where there is no Java, these tests are left out and counted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import pyarrow as pa
import pytest

import hfclean
from hfclean.engines import finish, whole_rows
from hfclean.testing import shape_rows
from hfclean.values import exact_dataset

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(
        find_spec("pyspark") is None or which("java") is None, reason="needs Spark and a Java: see .ci/engines"
    ),
    pytest.mark.filterwarnings("ignore"),  # of Spark's own
]
ROWS = {shape: [row for row in rows if len(str(row)) < 1000] for shape, rows in shape_rows().items()}
COUNT = 300


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    here = os.pathsep.join([str(Path(hfclean.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    os.environ.update(PYTHONPATH=here, PYSPARK_PYTHON=sys.executable)
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "32").getOrCreate()
    yield spark
    spark.stop()


@pytest.mark.parametrize("shape", ROWS)
def test_spark_gives_the_rows_and_ids_of_one_process(shape: str, session: Any) -> None:
    from pyspark.sql.pandas.types import from_arrow_schema

    rows = ROWS[shape]
    raw = exact_dataset([rows[k % len(rows)] for k in range(COUNT)])
    table = raw.data.table.combine_chunks()
    steps = [whole_rows(hfclean.revise), whole_rows(hfclean.score)]

    def cleaned(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from steps[1](steps[0](batch)).to_batches()

    schema = from_arrow_schema(steps[1](steps[0](table.slice(0, 10))).schema)
    after = session.createDataFrame(table).coalesce(2).mapInArrow(cleaned, schema).toArrow()
    one = hfclean.clean(raw, show=False).dataset
    done = finish(raw, after).dataset
    assert json.dumps([repr(done.features), done.to_list()]) == json.dumps([repr(one.features), one.to_list()])
