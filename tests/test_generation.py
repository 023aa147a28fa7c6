"""Generation from seeds: what is asked, what is kept, what is dropped and why, and what a row carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from teachers import ASKS_TASKS, SEEDS, Teacher, asked_task, new_tasks, numbered, teacher

import hfclean
from hfclean.errors import GenerationWarning
from hfclean.generation import FILTERS, SELF_INSTRUCT, Filter, Novelty, Prompts, Rounds, generator_of
from hfclean.generation.making import REASONS
from hfclean.generation.rounds import LINEAGE
from hfclean.models import Answer, BackendError, ModelSpec, Prices
from hfclean.provenance import row_id
from hfclean.schema import detect
from hfclean.testing_models import ScriptedBackend


def rounds_of(model: ScriptedBackend, folder: Path | None = None, *, against: Any = (), **settings: Any) -> Rounds:
    return Rounds(generator_of(model, **settings), folder, against=against)


def reasons(rounds: Rounds) -> dict[str, int]:
    return dict(Counter(rounds.dropped["reason"]))


def test_rows_come_in_the_shape_of_the_seeds_with_their_lineage() -> None:
    model = teacher()
    rows = hfclean.generate(list(SEEDS), model, 25, show=False)
    assert rows.column_names == ["instruction", "input", "output", *LINEAGE]
    assert len(rows) == 25
    assert len(set(rows["made_id"])) == 25
    assert set(rows["round"]) == {1, 2}
    assert set(rows["made_by"]) == {"ScriptedBackend generate-1"}
    first, last = rows[0], rows[24]
    assert first["output"] == f"This is an answer to {first['instruction'].lower()}."
    assert (len(first["seed_ids"]), first["parent_ids"]) == (8, [])
    assert (len(last["seed_ids"]), len(last["parent_ids"])) == (6, 2)
    assert set(last["parent_ids"]) <= set(rows["made_id"][:20])
    assert all(0 < similarity < 0.7 for similarity in rows["similarity"])
    # 3 requests for the 20 rows of the first round and 1 for the other 5, and one for each row
    assert len(model.asked) == 4 + 25


def test_what_is_shown_is_drawn_from_seeds_and_kept_rows_and_listed() -> None:
    model = teacher()
    rows = hfclean.generate(list(SEEDS), model, 25, show=False)
    asked = [talk[0].content for talk in model.asked if ASKS_TASKS in talk[0].content]
    tasks = {seed["instruction"] for seed in SEEDS}
    listed = asked[0].partition(ASKS_TASKS)[2].split("\n\n")[0].split("\n")
    assert [line.split(". ")[0] for line in listed] == [str(n) for n in range(1, 9)]
    assert {line.split(". ", 1)[1] for line in listed} <= tasks
    later = {line.split(". ", 1)[1] for line in asked[3].partition(ASKS_TASKS)[2].split("\n\n")[0].split("\n")}
    assert len(later - tasks) == 2
    assert later - tasks <= set(rows["instruction"][:20])


# each with the one defect that Self-Instruct's filters drop before an answer is asked for
BAD_TASKS = {
    "empty_task": "",
    "task_too_short": "Name three birds",
    "task_too_long": "Tell me " + " ".join(f"why{n}" for n in range(149)),
    "needs_more_than_text": "Describe the picture that hangs in the hall",
    "write_a_program": "Write a program that sorts a shelf of books",
    "begins_with_punctuation": "(Hint) say which planet is the largest one",
    "begins_not_in_ascii": "Ändere den Satz so dass er kürzer wird",
    "not_new": "Name three fruits that grow on old trees",
}


def test_every_filter_of_tasks_drops_its_defect_and_is_counted() -> None:
    good = new_tasks("good", 2)
    answers = iter([numbered([*BAD_TASKS.values(), good[0]]), numbered([good[1]])])
    model = teacher(tasks=lambda _: next(answers))
    rounds = rounds_of(model, per_request=len(BAD_TASKS) + 1)
    made = rounds.generate_round(list(SEEDS), 2, requests=2)
    assert reasons(rounds) == dict.fromkeys(BAD_TASKS, 1)
    assert made.kept["instruction"][:] == good
    assert made.about["dropped"] == dict(sorted(dict.fromkeys(BAD_TASKS, 1).items()))
    assert (made.about["tasks"], made.about["new"]) == (len(BAD_TASKS) + 2, 2)
    assert len(model.asked) == 2 + 2  # nothing was paid for the dropped ones
    by_reason = {row["reason"]: row for row in rounds.dropped}
    assert by_reason["not_new"]["task"] == BAD_TASKS["not_new"]
    assert by_reason["not_new"]["similarity"] > 0.7
    assert by_reason["not_new"]["nearest"] == row_id(SEEDS[0], detect(SEEDS[0]))


# what the teacher adds to a task, each with one defect
BAD_ROWS: Mapping[str, str | Answer] = {
    "empty_output": "Input: some words\nOutput: ",
    "input_is_output": "Input: the same words\nOutput: the same words",
    "ends_with_colon": "Input: \nOutput: These are the three of them:",
    "refusal": "Input: \nOutput: I'm sorry, but I can't help with that.",
    "meta_talk": "Input: \nOutput: [insert more about wolves here]",
    "repetition_loop": "Input: \nOutput: " + "round and round " * 60,
    "code_unclosed": "Input: \nOutput: ```python\nx = 1",
    "wrong_sum": "Input: \nOutput: The sum is 2 + 2 = 5, so five wolves hunt together.",
    "pii_email": "Input: \nOutput: The museum of wolves opens at nine; ask jane.miller@gmail.com for tickets.",
    "unparsed": "I would rather talk about something else.",
    "unfinished": Answer("Input: \nOutput: An answer that never", finish_reason="length"),
    "timeout": Answer.failed("timeout"),
    "copies_seed": f"Input: {SEEDS[1]['input']}\nOutput: The dog slept by the stove all day.",
}


def test_every_defect_of_rows_is_dropped_and_counted() -> None:
    good, *tasks = new_tasks("rows", len(BAD_ROWS) + 1)
    script = dict(zip(tasks, BAD_ROWS.values(), strict=True))
    model = teacher(
        tasks=lambda _: numbered([*tasks, good]),
        row=lambda task: script.get(task, "Input: \nOutput: Wolves hunt in packs at night and rest by day."),
    )
    rounds = rounds_of(model, per_request=len(tasks) + 1, shown=(len(SEEDS), 0))
    made = rounds.generate_round(list(SEEDS), len(tasks) + 1)
    assert reasons(rounds) == dict.fromkeys(BAD_ROWS, 1)
    assert made.kept["instruction"][:] == [good]
    dropped = {row["reason"]: row for row in rounds.dropped}
    assert dropped["unparsed"]["answer"] == BAD_ROWS["unparsed"]
    assert dropped["input_is_output"]["output"] == "the same words"


def test_examples_of_one_task_are_tested_together() -> None:
    tasks = new_tasks("examples", 3)
    answers = {
        tasks[0]: "Example 1\nInput: a cat\nOutput: It meows.\nExample 2\nInput: a cat\nOutput: It barks.",
        tasks[1]: "Example 1\nInput: a dog\nOutput: It barks.\nExample 2\nInput: a dog\nOutput: It barks.",
        tasks[2]: "Example 1\nInput: a cow\nOutput: It moos.\nExample 2\nInput: a hen\nOutput: It clucks.",
    }
    rounds = rounds_of(teacher(tasks=lambda _: numbered(tasks), row=answers.__getitem__), examples=2)
    made = rounds.generate_round(list(SEEDS), 6, requests=1)
    assert reasons(rounds) == {"conflicting_outputs": 2, "repeated_example": 1}
    assert made.kept["input"][:] == ["a dog", "a cow", "a hen"]
    assert made.kept["similarity"][1] == made.kept["similarity"][2]  # one task, and not its own repetition


def test_a_whole_answer_that_is_no_list_or_is_cut_off_is_dropped() -> None:
    answers = iter([Answer("Of tasks there are man", finish_reason="length"), "No.", Answer.failed("server_error")])
    rounds = rounds_of(teacher(tasks=lambda _: next(answers)))
    made = rounds.generate_round(list(SEEDS), 20, requests=3)
    assert reasons(rounds) == {"unfinished": 1, "unparsed": 1, "server_error": 1}
    assert len(made.kept) == 0
    assert made.about["usage"]["failed"] == {"server_error": 1}
    assert made.share_new == 0


def test_what_a_benchmark_holds_is_caught_before_it_is_paid_for_and_before_it_is_kept() -> None:
    leaked = "How many apples remain when Maria gives four of her eleven apples to her brother Tom?"
    answer = "The seventh moon of the outermost planet was first seen from a ship in the southern sea."
    benchmark = [{"question": leaked, "answer": answer}]
    tasks = new_tasks("leak", 2)
    model = teacher(
        tasks=lambda _: numbered([leaked, *tasks]),
        row=lambda task: f"Input: \nOutput: {answer if task == tasks[0] else 'It depends on the weather.'}",
    )
    rounds = rounds_of(model, against={"apples": benchmark})
    made = rounds.generate_round(list(SEEDS), 3, requests=1)
    assert made.kept["instruction"][:] == [tasks[1]]
    found = [(row["task"], row["reason"], row["detail"].split(":")[0]) for row in rounds.dropped]
    assert found == [(leaked, "benchmark", "apples 0"), (tasks[0], "benchmark", "apples 0")]
    assert leaked not in [asked_task(talk[0].content) for talk in model.asked[1:]]
    assert made.about["dropped"] == {"benchmark": 2}


def test_filters_are_data() -> None:
    def dull(pair: hfclean.Pair) -> bool:
        """the answer is dull"""
        return "dull" in pair.response

    own = Filter("mentions_kings", "the task is about kings", lambda draft: "kings" in draft.task, "task")
    tasks = [*new_tasks("own", 2), "Explain why kings wore heavy crowns in summer"]
    model = teacher(
        tasks=lambda _: numbered(tasks),
        row=lambda task: "Input: \nOutput: " + ("a dull answer" if task == tasks[0] else "a bright answer"),
    )
    rounds = rounds_of(model, filters=[own, dull])
    made = rounds.generate_round(list(SEEDS), 3)
    assert reasons(rounds) == {"mentions_kings": 1, "dull": 1}
    assert made.kept["instruction"][:] == [tasks[1]]


def test_a_filter_that_would_drop_the_seeds_is_left_out() -> None:
    seeds = [
        {"instruction": f"为什么{a}会{b}？请说明原因。", "input": "", "output": "因为它很轻。"}
        for a, b in ("冰浮", "叶落", "鸟飞")
    ]
    tasks = ["请解释为什么月亮的形状每天都在变化。", "怎样在家里种出好吃的西红柿？请写出步骤。"]
    model = teacher(tasks=lambda _: numbered(tasks), row=lambda _: "这是一个清楚的回答。")
    made = rounds_of(model).generate_round(seeds, 2)
    assert made.kept["instruction"][:] == tasks
    assert made.about["left_out"] == ["begins_not_in_ascii"]


def test_labels_are_written_before_inputs_where_that_is_asked_for() -> None:
    task = new_tasks("label", 1)[0]

    def answer(conversation: Sequence[Any]) -> str:
        text = conversation[-1].content
        if ASKS_TASKS in text:
            return numbered([task])
        return "Yes." if "yes or no" in text else "Output: positive\nInput: I like it here."

    model = ScriptedBackend(answer)
    made = rounds_of(model, prompt=Prompts(classify=True)).generate_round(list(SEEDS), 1)
    assert [made.kept[0][name] for name in ("input", "output")] == ["I like it here.", "positive"]
    last = model.asked[-1][0].content
    assert last.index("Output: ...") < last.index("Input: ...")
    assert made.about["usage"]["requests"] == {"tasks": 1, "kinds": 1, "rows": 1}
    assert made.kept["made_by"][0].startswith("ScriptedBackend generate-1-")  # the words are another version


def test_json_is_asked_for_with_its_schema_and_read() -> None:
    tasks = new_tasks("json", 2)
    answers = iter(
        [
            '```json\n{"tasks": ["9. ' + '", "10) '.join(tasks) + '"]}\n```',
            '{"input": null, "output": "Forty two."}',
            'Here it is:\n{"input": "N/A", "output": 42}',
        ]
    )
    model = ScriptedBackend(lambda _: next(answers))
    made = rounds_of(model, prompt=Prompts(structured=True)).generate_round(list(SEEDS), 2)
    assert [made.kept[name][:] for name in ("instruction", "input", "output")] == [
        tasks,
        ["", ""],
        ["Forty two.", "42"],
    ]
    schemas: list[Any] = [generation.response_format for generation in model.generations]
    assert schemas[0]["properties"]["tasks"]["maxItems"] == 8
    assert list(schemas[1]["properties"]) == ["input", "output"]


def test_the_same_request_is_another_candidate() -> None:
    answers = count()
    model = teacher(tasks=lambda text: numbered(new_tasks(f"{text}{next(answers)}", 8)))
    rounds = rounds_of(model, shown=(1, 0))
    seed = [SEEDS[0]]
    rounds.generate_round(seed, 16, requests=2)
    rounds.generate_round(seed, 8, requests=1)
    tasks = [g for talk, g in zip(model.asked, model.generations, strict=True) if ASKS_TASKS in talk[0].content]
    assert [generation.candidate for generation in tasks] == [0, 1, 2]
    assert len(rounds.kept) == 24


def test_money_stops_with_novelty() -> None:
    once = new_tasks("once")
    model = teacher(tasks=lambda _: numbered(once))
    with pytest.warns(GenerationWarning, match=r"8 of 100 rows were made: round 2 kept none \(not_new"):
        with_log = hfclean.generate(list(SEEDS), model, 100, show=False)
    # the first round keeps 8 of 24, the second nothing: no third one is paid for
    assert len(with_log) == 8
    assert sum(ASKS_TASKS in talk[0].content for talk in model.asked) == 3 + 35
    assert len(model.asked) == 3 + 35 + 8


TEACHERS: Mapping[str, tuple[Callable[[], ScriptedBackend], str]] = {
    "copies seeds": (
        lambda: teacher(tasks=lambda _: numbered([seed["instruction"] for seed in SEEDS])),
        "made no row: 1 request, 8 tasks that could be read; dropped: not_new 8",
    ),
    "refuses": (
        lambda: teacher(tasks=lambda _: "I cannot do that."),
        "The first answer that could not be used: 'I cann",
    ),
    "says nothing": (lambda: teacher(tasks=lambda _: ""), "dropped: unparsed 1"),
    "gives no usable row": (lambda: teacher(row=lambda _: "Input: \nOutput: "), "dropped: empty_output 8"),
}


@pytest.mark.parametrize("name", TEACHERS)
def test_a_teacher_that_gives_nothing_is_told_in_one_line(name: str) -> None:
    make, expected = TEACHERS[name]
    with pytest.raises(hfclean.HfcleanError) as failure:
        hfclean.generate(list(SEEDS), make(), 8, show=False)
    assert expected in str(failure.value)
    assert "\n" not in str(failure.value)


BAD_CALLS: Mapping[str, tuple[Any, dict[str, Any], str]] = {
    "no seeds": ([], {}, "no seeds: expected at least one row"),
    "empty dataset": (Dataset.from_dict({"instruction": [], "output": []}), {}, "no seeds: the dataset is empty"),
    "seeds without text": ([{"instruction": " ", "output": "x"}], {}, "none of the 1 seeds asks for anything"),
    "a preference": ([{"prompt": "a", "chosen": "b", "rejected": "c"}], {}, "'preference' cannot be made from a task"),
    "novelty": (list(SEEDS), {"novelty": 1.5}, "novelty=1.5: expected above 0"),
    "shown": (list(SEEDS), {"shown": (0, 2)}, "shown=(0, 2): expected at least 1 seed"),
    "a filter": (list(SEEDS), {"filters": ["colon"]}, "filters= holds 'colon'; expected generation.Filter"),
    "twice": (list(SEEDS), {"filters": [*FILTERS, SELF_INSTRUCT[0]]}, "two filters have the id 'empty_task'"),
    "boundary": (list(SEEDS), {"novelty": Novelty(0.7)}, "generate(n=0): expected a number of rows"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls_are_told_in_one_line(name: str) -> None:
    seeds, settings, expected = BAD_CALLS[name]
    with pytest.raises(hfclean.HfcleanError, match=r".") as failure:
        hfclean.generate(seeds, teacher(), 0 if name == "boundary" else 5, show=False, **settings)
    assert expected in str(failure.value)


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([SEEDS[0]], "there is one seed"),
        ([{**SEEDS[0], "output": str(k)} for k in range(5)], "the 5 seeds are one task in other words"),
        ([*SEEDS, {**SEEDS[0], "instruction": ""}], "1 seed asks for nothing and is left out"),
    ],
)
def test_odd_seeds_are_warned_of(seeds: list[dict[str, str]], said: str) -> None:
    with pytest.warns(GenerationWarning, match=said) as warned:
        hfclean.generate(seeds, teacher(), 2, show=False)
    assert warned[0].filename == __file__


def test_a_budget_below_one_request_stops_before_it() -> None:
    asked = teacher()
    model = ModelSpec(asked, cache_as="poor", store=False, prices=Prices(1, 1), max_cost=0.0001)
    with pytest.raises(BackendError, match=r"max_cost=0.0001 is reached: 0.0000 USD used by 0 answers"):
        hfclean.generate(list(SEEDS), model, 5, show=False)
    assert asked.asked == []


def test_the_reasons_are_codes() -> None:
    ids = [*REASONS, *(each.id for each in FILTERS)]
    assert len(set(ids)) == len(ids)
    assert all(each.isidentifier() and each == each.lower() for each in ids)
    assert all(each.meaning and each.meaning[0].islower() for each in FILTERS)


def test_tasks_as_self_instruct_stores_them_are_seeds() -> None:
    stored = [
        {
            "id": f"seed_{k}",
            "instruction": seed["instruction"],
            "instances": [{"input": seed["input"], "output": seed["output"]}],
        }
        for k, seed in enumerate(SEEDS)
    ]
    rows = hfclean.generate(stored, ScriptedBackend(Teacher()), 3, show=False)
    assert rows.column_names[:3] == ["instruction", "input", "output"]
    assert set(rows["seed_ids"][0]) <= {f"seed_{k}" for k in range(len(SEEDS))}
