"""Rows as other engines hand them over: no column is lost in any form, and what came of one run comes of batches."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset, DatasetDict

import hfclean
from hfclean.cli import main
from hfclean.engines import EngineModel, OwnStore, ask_on_ray, finish, whole_rows
from hfclean.errors import ColumnError, HfcleanError
from hfclean.models import BackendError, ModelSpec, Prices, StoreError, process, store
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.testing import shape_rows
from hfclean.values import exact_dataset

ROWS = {shape: [row for row in rows if len(str(row)) < 1000] for shape, rows in shape_rows().items()}
CALLED = [
    {"messages": [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": text, "tool_calls": calls}]}
    for text, calls in [("Wait.  ", [{"function": {"name": "f", "arguments": {"n": 7}}}]), ("No.</s>", None)]
]
ROWS["tool calls"] = [
    {**row, "tools": [{"name": "f", "n": 1}], "n": n} for row, n in zip(CALLED, (1, None), strict=True)
]
FORMS = ("numpy", "pandas", "arrow")


def batches(ds: Dataset, form: str, size: int = 5) -> list[Any]:
    """The rows as an engine hands them over, which knows nothing of `datasets`."""
    tables = [ds.data.table.slice(k, size).combine_chunks() for k in range(0, len(ds), size)]
    if form == "arrow":
        return tables
    storage = [pa.table({n: _storage(t.column(n)) for n in t.column_names}) for t in tables]
    if form == "pandas":
        return [table.to_pandas() for table in storage]
    return [{name: table.to_pandas()[name].to_numpy() for name in table.column_names} for table in storage]


def _storage(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def same(one: Dataset, other: Dataset) -> bool:
    """Whether rows and types are the same; nan is nan."""
    return json.dumps([repr(one.features), one.to_list()]) == json.dumps([repr(other.features), other.to_list()])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", ROWS)
def test_batches_of_any_form_give_what_one_run_gives(shape: str, form: str, tmp_path: Path) -> None:
    raw = exact_dataset(ROWS[shape] * 2)
    one = hfclean.clean(raw, show=False)
    revised, scored = (whole_rows(step, raw.features.arrow_schema) for step in (hfclean.revise, hfclean.score))
    done = pa.concat_tables([scored(revised(batch)) for batch in batches(raw, form)], promote_options="permissive")
    cleaned = finish(raw, done)
    assert same(cleaned.dataset, one.dataset)
    assert cleaned.transforms == one.transforms
    if form == "numpy":
        assert hfclean.compare(raw, cleaned.dataset) == hfclean.compare(raw, one.dataset)
        assert same(hfclean.restore(cleaned.dataset), raw)


def test_steps_in_numpy_keep_scores_that_are_not_there_apart_from_nulls() -> None:
    raw = Dataset.from_dict(
        {"prompt": ["Name a fruit.", None], "completion": [None, "Yes, of course."], "rank": [3, None]}
    )
    schema = raw.features.arrow_schema
    table = whole_rows(hfclean.score, schema)(batches(raw, "numpy")[0])
    again = whole_rows(hfclean.revise, schema)(table.to_pandas())
    assert again["rank"].to_pylist() == [3, None]
    assert again["rank"].type == pa.int64()
    assert [cell != cell for cell in again["lexical_diversity"].to_pylist()] == [True, False]
    without = whole_rows(hfclean.score)(batches(raw, "numpy")[0])
    assert (without["rank"].to_pylist(), without["rank"].type) == ([3.0, None], pa.float64())


@pytest.mark.parametrize("shape", ["alpaca", "messages", "tool calls"])
def test_an_engine_that_has_large_types_alone_changes_no_type(shape: str) -> None:
    raw = exact_dataset(ROWS[shape])
    done = whole_rows(hfclean.score)(whole_rows(hfclean.revise)(raw.data.table.combine_chunks()))
    large = [field.with_type(_large(field.type)) for field in done.schema]
    assert [field.type for field in large] != done.schema.types
    assert same(finish(raw, done.cast(pa.schema(large))).dataset, hfclean.clean(raw, show=False).dataset)


def _large(kind: pa.DataType) -> pa.DataType:
    """The type as engines without small strings and lists have it."""
    if pa.types.is_string(kind):
        return pa.large_string()
    if pa.types.is_list(kind) and not isinstance(kind.value_type, pa.BaseExtensionType):
        return pa.large_list(_large(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_large(field.type)) for field in kind])
    return kind


def test_other_things_than_batches_and_rows_that_do_not_fit_are_named() -> None:
    raw = Dataset.from_list(ROWS["prompt_completion"])
    table = raw.data.table
    done = whole_rows(hfclean.score)(whole_rows(hfclean.revise)(table))
    for wrong, after, error in [
        (
            "'prompt' is gone, since the engine takes what a transform returns",
            done.drop_columns("prompt"),
            ColumnError,
        ),
        (f"{len(raw)} rows went in and 2 came out", done.slice(0, 2), HfcleanError),
        ("row 1 came out as another row than went in", done.take(list(range(len(raw)))[::-1]), HfcleanError),
        ("no row has a 'row_id', so no reviser ran", table, ColumnError),
        ("before has the splits train, and after test", {"test": done}, HfcleanError),
    ]:
        with pytest.raises(error, match=wrong):
            finish(DatasetDict(train=raw) if isinstance(after, dict) else raw, after)
    with pytest.raises(HfcleanError, match="whole_rows got a list; expected a batch"):
        whole_rows(hfclean.revise)([1])


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Name it", "completion": "A pear."},  # as many letters in both
        {"prompt": ["Name it"], "completion": ["A pear."], "rank": 7},
        {"chosen": {"from": "gpt", "value": "Yes."}, "conversations": []},
        {"messages": [], "rank": None},
    ],
)
def test_one_row_is_not_taken_for_a_batch(row: dict[str, Any]) -> None:
    for schema in (None, pa.schema({name: pa.string() for name in row})):
        with pytest.raises(HfcleanError, match=r"whole_rows got one row \('.*map_batches in place of map"):
            whole_rows(hfclean.revise, schema)(row)


def test_a_call_by_ray_itself_is_refused_and_one_by_a_function_of_the_user_is_not() -> None:
    rays = {"__name__": "ray.data._internal.planner.plan_udf_map_op", "score": hfclean.score}
    batch = {"prompt": ["Name a fruit."], "completion": ["An apple."]}
    with pytest.raises(HfcleanError, match="Score was passed to Ray Data as it is"):
        eval("score(batch)", rays, {"batch": batch})
    assert "completion" not in eval("merged(batch)", rays, {"batch": batch, "merged": lambda b: hfclean.score(b)})
    assert "completion" in eval("rows(batch)", rays, {"batch": batch, "rows": whole_rows(hfclean.score)}).column_names


def test_splits_and_scores_alone_and_duplicates_that_are_dropped(tmp_path: Path) -> None:
    raw = DatasetDict(train=Dataset.from_list(ROWS["messages"]), test=Dataset.from_list(ROWS["messages"][:2]))
    revised, scored = whole_rows(hfclean.revise), whole_rows(hfclean.score)
    done = {name: scored(revised(part.data.table)) for name, part in raw.items()}
    cleaned, one = finish(raw, done, drop_duplicates=True), hfclean.clean(raw, show=False, drop_duplicates=True)
    assert all(same(cleaned.dataset[name], part) for name, part in one.dataset.items())
    assert cleaned.save(tmp_path / "a") == one.save(tmp_path / "b")
    alone = finish(raw["train"], scored(raw["train"].data.table), reviser=None)
    assert same(alone.dataset, hfclean.clean(raw["train"], reviser=None, show=False).dataset)


# ------------------------------------------------------------------------------------------------------ models, stores


def test_an_actor_has_a_file_of_answers_of_its_own_and_files_are_merged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = Dataset.from_list(ROWS["alpaca"][:6])
    with ChatServer() as server:
        spec = ModelSpec("tiny", base_url=server.url)
        for model in (hfclean.Reviser("tiny", base_url=server.url), hfclean.Reviser(spec)):
            actors = [OwnStore(model, tmp_path / "answers") for _ in range(2)]
            assert len({actor.path for actor in actors}) == 2
            done = [actor(raw.data.table.slice(k, 3)) for actor, k in zip(actors, (0, 3), strict=True)]
            paths = [actor.path for actor in actors]
            del actors  # both are gone, and those that come next take their files
        asked = server.counts.total()
        assert done[0].column_names[:5] == raw.column_names
        counts = [store.stats(path).answers for path in paths]
        whole = tmp_path / "whole.sqlite3"
        words = ["cache", "merge", *map(str, paths), "--store", str(whole)]
        assert main([*words, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["answers"] == store.stats(whole).answers > 0
        assert next(iter(told["added"].values())) == counts[0]
        assert main(words) == 0
        assert "0 answers more" in capsys.readouterr().out
        again = whole_rows(hfclean.Reviser("tiny", base_url=server.url, store=str(whole)))(raw.data.table)
        assert server.counts.total() == asked
        assert again.to_pylist() == pa.concat_tables(done).to_pylist()
    process.close()


def farms(count: int) -> Dataset:
    """Rows that differ, of which a model is asked, and for every third gives an answer that the gate refuses."""
    return Dataset.from_list(
        [
            {"instruction": f"How many cows has farm {k}?", "input": "", "output": f"farm {k} has 12 + 7 = 19 cows"}
            for k in range(count)
        ]
    )


def counted(request: Received, _: int = 0) -> Reply:
    k = int(re.findall(r"farm (\d+)\?", request.content)[-1])
    answer = f"Farm {k} has 12 + 7 = {19 if k % 3 else 21} cows."
    return Reply(encode(Pair(f"How many cows has farm {k}?", "", answer)))


def test_what_models_were_asked_and_what_it_cost_is_that_of_one_process(tmp_path: Path) -> None:
    raw, answers, prices = farms(12), tmp_path / "answers", Prices(input=1.0, output=2.0, currency="EUR")
    with ChatServer(default=counted) as server:

        def coach(store: str) -> hfclean.Reviser:
            return hfclean.Reviser("tiny", base_url=server.url, prices=prices, store=str(tmp_path / store))

        one = hfclean.clean(raw, reviser=(hfclean.revise, coach("one.sqlite3")), show=False)
        repaired = whole_rows(hfclean.revise)(raw.data.table)
        actors = [OwnStore(coach("unused.sqlite3"), answers) for _ in range(2)]
        done = [actors[k // 3 % 2](repaired.slice(k, 3)) for k in range(0, 9, 3)]
        actors[0] = OwnStore(coach("unused.sqlite3"), answers / "other")  # of another machine
        done.append(actors[0](repaired.slice(9, 3)))
        files = sorted(answers.rglob("*.sqlite3"))
        store.merge(files, tmp_path / "whole.sqlite3")
        after = whole_rows(hfclean.score)(pa.concat_tables(done))
        steps = (hfclean.revise, coach("whole.sqlite3"))
        cleaned = finish(raw, after, reviser=steps, answers=[answers, answers / "other"])
        assert cleaned.transforms == one.transforms
        usage = cleaned.transforms[1]["usage"]
        assert (usage["asked"], usage["cached"], usage["currency"]) == (12, 0, "EUR")
        assert usage["cost"] > 0
        assert cleaned.transforms[1]["models"] == ["tiny"]
        assert same(cleaned.dataset, one.dataset)
        assert same(cleaned.refused, one.refused)
        assert len(one.refused) == 4
        for name, each in (("a", one), ("b", cleaned)):
            each.save(tmp_path / name / "rows")
        written = [{f.name: f.read_bytes() for f in (tmp_path / name / "rows").glob("*.*")} for name in "ab"]
        assert written[0] == written[1]
        # an actor that takes the place of another goes on counting, and finds the answers
        del actors
        OwnStore(coach("unused.sqlite3"), answers)(repaired.slice(0, 3))
        again = finish(raw, after, reviser=steps, answers=[answers, answers / "other"]).transforms[1]["usage"]
        assert (again["asked"], again["cached"], again["cost"]) == (12, 3, usage["cost"])
        assert "usage" not in finish(raw, after, reviser=steps).transforms[1]
        other = (hfclean.revise, hfclean.Reviser("tiny", base_url=server.url, trust="low"))
        for wrong, expected in (
            (other, "nothing says what Reviser was asked: none of the 2 files"),
            (steps, "delete it"),
        ):
            with pytest.raises(HfcleanError, match=expected):
                finish(raw, after, reviser=wrong, answers=answers)
            (answers / "a.usage.json").write_text('{"steps": [{"usage": {"asked": -1}}]}')
    process.close()


def test_the_first_of_two_answers_counts_and_the_others_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def city(word: str) -> Callable[..., Reply]:
        return lambda request, _=0: Reply(encode(Pair(re.findall(r"Name city \d\.", request.content)[-1], "", word)))

    rows, files = [{"prompt": f"Name city {k}.", "completion": "Rome"} for k in range(4)], []
    for word, count in (("Rome, Italy.", 3), ("Rome in Italy.", 4)):
        files.append(str(tmp_path / f"{count}.sqlite3"))
        with ChatServer(default=city(word)) as server:
            coach = hfclean.Reviser("tiny", base_url=server.url, cache_as="tiny", store=files[-1])
            hfclean.clean(rows[:count], reviser=coach, score=False, show=False)
    twice = [files[0], f"{tmp_path}/./3.sqlite3", *files]
    whole = str(tmp_path / "whole.sqlite3")
    assert main(["cache", "merge", *twice, "--store", whole, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [told[name][file] for file in files for name in ("added", "differing")] == [3, 0, 1, 3]
    assert told["answers"] == 4
    texts = [row["text"] for row in store.open_store(whole).rows()]
    assert ["Rome, Italy." in text for text in texts] == [True, True, True, False]
    assert main(["cache", "merge", files[1], "--store", whole]) == 0
    assert "0 answers more; 3 differ from those that are there, which stay" in capsys.readouterr().out
    assert main(["cache", "merge", str(tmp_path / "none"), "--store", str(tmp_path / "new.sqlite3")]) == 1
    assert not (tmp_path / "new.sqlite3").exists()
    process.close()


def test_files_that_cannot_be_merged_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.sqlite3").write_text("none")
    store.open_store(tmp_path / "own.sqlite3")
    for words, code, expected in [
        (["merge", "none.sqlite3"], 1, "no file of answers"),
        (["merge", "text.sqlite3"], 1, "is not a file of answers"),
        (["merge", "own.sqlite3"], 1, "is the file into which the answers go"),
        (["merge"], 2, "merge needs the files of answers to take"),
        (["stats", "own.sqlite3"], 2, "stats takes no files"),
    ]:
        words = [str(tmp_path / word) if "." in word else word for word in words]
        assert main(["cache", *words, "--store", str(tmp_path / "own.sqlite3")]) == code
        assert expected in capsys.readouterr().err
    bad = store.open_store(tmp_path / "bad.sqlite3")
    with process.sqlite_lock:
        bad._db.execute("INSERT INTO answers VALUES (x'00', x'00', '[]', 'text', 'stop', 1, 1, 'm', 7, NULL)")
    with pytest.raises(StoreError, match="damaged"):
        store.merge([bad.path], tmp_path / "good.sqlite3")
    process.close()


def test_a_model_that_an_engine_asks_is_not_asked_here(tmp_path: Path) -> None:
    coach = hfclean.Reviser(EngineModel("tiny on vLLM"), store=str(tmp_path / "a.sqlite3"))
    row = {"prompt": "Name a fruit.", "completion": "An apple."}
    done = coach(row)
    assert (done["completion"], done["edit"], done["edit_reason"]) == ("An apple.", "failed", "not_asked")
    assert coach.settings()["model"] == "tiny on vLLM"
    raw = Dataset.from_list([{**row, "prompt": f"Name fruit {k}."} for k in range(40)])
    with pytest.raises(BackendError, match=r"no answer of 'tiny on vLLM' is kept; have it asked first"):
        hfclean.clean(raw, reviser=coach, show=False)
    process.close()


@pytest.mark.parametrize(
    ("model", "settings", "error"),
    [
        (
            "org/tiny",
            {},
            r"'org/tiny' is not one that Ray asks; expected model=hfclean.engines.EngineModel\('org/tiny on",
        ),
        (EngineModel("tiny"), {"store": False}, "store=False keeps no answers"),
        (EngineModel("tiny"), {"max_tokens_total": 9}, "max_tokens_total= is not kept to where Ray asks"),
        (
            EngineModel("tiny"),
            {"extra_body": {"chat_template_kwargs": {"x": 1}}},
            "chat_template_kwargs are for the whole",
        ),
    ],
)
def test_what_ray_cannot_ask_is_refused_before_ray_is_loaded(model: Any, settings: Any, error: str) -> None:
    with pytest.raises(HfcleanError, match=error):
        ask_on_ray(hfclean.Reviser(model, **settings), None, None)
    with pytest.raises(HfcleanError, match="expected whose answers these are"):
        EngineModel("")
