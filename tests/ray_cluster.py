"""A real cluster of Ray on this machine, with two workers, for the tests that need one; elsewhere those are left out
and counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

BLOCKS = 5
needs_ray = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'hfclean[ray]', or .ci/engines"),
    pytest.mark.filterwarnings("ignore"),  # of Ray's own
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two workers, and rows in the order in which they came."""
    import ray

    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", PYTHONPATH=here)  # workers have to find this module
    for tries_left in (2, 1, 0):  # on a busy machine the first start takes longer than Ray waits
        try:
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, address="local")
            break
        except Exception as e:  # noqa: BLE001  # whatever a system lacks: memory, ports, shared memory
            ray.shutdown()
            if not tries_left:
                pytest.skip(f"needs Ray to start: {e}")
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order, context.enable_progress_bars = True, False
    yield
    ray.shutdown()


def blocks(ds: Dataset) -> Any:
    """The rows in Ray's hands."""
    import ray

    size = -(-len(ds) // BLOCKS)
    return ray.data.from_arrow([ds.data.table.slice(k, size).combine_chunks() for k in range(0, len(ds), size)])
