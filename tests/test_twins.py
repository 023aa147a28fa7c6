"""Twins of the tests that read real rows: the same claims on rows that are made here or ship with the repository, so
that a machine without real rows sees them too."""

from __future__ import annotations

import ast
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

import hfclean
from hfclean.checks import accept
from hfclean.evaluation.choice_agreement import agreement
from hfclean.evaluation.revising import evaluate_reviser
from hfclean.evaluation.winning import win_rate
from hfclean.keys import find_secrets
from hfclean.metrics.computing import win_rate_figures
from hfclean.reviser.codec import decode, encode
from hfclean.reviser.pii import MaskPII
from hfclean.rules import RULES, find_defects, mend
from hfclean.rules.pii import find_pii
from hfclean.schema import Pair
from hfclean.scorers import Score
from hfclean.scorers.comparing import Counts, Verdict, Verdicts, merge_orders
from hfclean.scorers.embedded import preference_rule, rating_rule
from hfclean.scorers.personal import PII
from hfclean.selection.benchmarks import BenchmarkPack
from hfclean.selection.decontamination import decontaminate
from hfclean.selection.novelty import novel
from hfclean.training.choice import choose_pairs
from hfclean.training.pairs import COLUMNS, revision_distance

TESTS = Path(__file__).parent
ROWS: list[dict[str, str]] = [
    json.loads(line) for line in (TESTS.parent / "examples" / "messy.jsonl").read_text("utf-8").split("\n") if line
]
PAIRS = [Pair(row["instruction"], row["input"], row["output"]) for row in ROWS]
SOUND = [pair for pair in PAIRS if not find_defects(pair, RULES)]

# a test of real rows -> the test that makes the same claim without them
TWINS = {
    "test_a_published_selection_is_mostly_length": "test_a_selection_by_length_is_called_so",
    "test_the_gate_is_the_plain_loop_on_real_rows": "test_the_gate_of_novelty_drops_what_was_copied",
    "test_few_revisions_of_experts_are_refused": "test_answers_that_a_writer_completed_are_accepted",
    "test_rows_left_as_they_are_pass": "test_rows_left_as_they_are_pass_the_checks",
    "test_every_published_revision_survives": "test_every_pair_survives_the_codec",
    "test_no_clean_real_row_is_a_hit_and_every_planted_item_is": "test_no_row_is_a_hit_and_every_planted_item_is",
    "test_the_join_finds_every_pair_among_real_rows": "test_the_join_finds_exactly_the_pairs_of_the_definition",
    "test_experts_beat_the_rules_on_real_pairs": "test_a_writer_beats_the_rules",
    "test_published_review_logs_are_counted_as_published": "test_reviews_in_both_orders_are_counted",
    "test_published_rates_follow_from_published_counts": "test_rates_follow_from_counts",
    "test_no_false_alarm_in_the_real_rows": "test_the_rows_that_ship_hold_no_key",
    "test_preference_orders_pairs_as_experts_and_voters_did": "test_preference_puts_whole_answers_above_halves",
    "test_rating_finds_rows_that_the_judge_rated_high_and_halves_the_rows": "test_rating_puts_answers_above_excuses",
    "test_win_rates_of_the_published_logs": "test_reviews_in_both_orders_are_counted",
    "test_real_rows_have_hardly_any": "test_only_planted_personal_data_is_found",
    "test_real_calls_are_clean_after_masking": "test_calls_are_clean_after_masking",
    "test_real_rows": "test_a_report_counts_the_rows_that_ship",
    "test_mended_real_rows_need_no_more_mending": "test_repaired_rows_need_no_more_repairs",
    "test_real_rows_are_read_changed_and_written_back_exactly": "test_every_shape_is_written_back_exactly",
    "test_real_lines_that_are_not_changed_are_the_same_json": "test_rows_that_are_not_changed_are_the_same_json",
    "test_the_column_holds_what_the_rules_find_in_real_rows": "test_the_column_holds_what_the_rules_find",
    "test_no_repaired_real_row_falls": "test_no_repaired_row_of_the_example_falls_and_nearly_all_rise",
    "test_the_published_distances_come_out": "test_distances_count_the_edits_of_all_three_texts",
    "test_alpha_takes_the_most_revised_and_says_from_which_distance_on": "test_alpha_takes_the_most_revised_pairs",
    "test_the_published_table_is_reproduced": "test_rates_follow_from_counts",
    "test_the_first_wrong_step_of_marked_traces_is_found_where_people_marked_it": (
        "test_the_first_wrong_step_of_a_trace_is_found"
    ),
    "test_the_published_review_logs_are_reproduced": "test_reviews_in_both_orders_are_counted",
    "test_filler_beats_experts_in_nothing_but_preference": "test_filler_beats_a_writer_in_nothing_but_preference",
    "test_of_a_weak_models_harmful_answers_few_pass_at_low_trust": (
        "test_little_trust_stops_harm_and_takes_minimal_edits"
    ),
    "test_valid_calls_give_no_finding_and_broken_ones_are_found": "test_what_is_wrong_with_arguments_is_said",
    "test_real_rows_with_calls_have_the_one_defect_that_they_have": (
        "test_calls_and_results_that_belong_together_give_no_finding"
    ),
    "test_seeds_and_alpaca_as_self_instruct_counts_them": "test_what_a_naive_loop_keeps_is_kept",
    "test_the_samples_of_real_pairs": "test_drawn_pairs_do_not_depend_on_the_order_of_the_file",
    "test_real_traces_are_sound_and_what_is_planted_in_them_is_found": "test_a_faulty_thought_is_found",
}


def test_every_test_of_real_rows_has_a_twin() -> None:
    of_real_rows, every = set(), set()
    for file in TESTS.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                every.add(node.name)
                if any(ast.unparse(mark) == "pytest.mark.realdata" for mark in node.decorator_list):
                    of_real_rows.add(node.name)
    assert of_real_rows == set(TWINS)
    assert set(TWINS.values()) <= every - of_real_rows


def expert_rows(count: int = 60) -> list[dict[str, Any]]:
    """Raw and revised answers as an expert's file holds them; every ninth row was left as it is."""
    chance = random.Random(3)
    rows = []
    for k in range(count):
        topic = f"{chance.choice(('rivers', 'lamps', 'bread', 'trees', 'bridges'))} {k}"
        raw = f"{topic} are good.</s>" if k % 3 else f"{topic} are good"
        reasons = [f"{n}. They last for {n + k} years when they are cared for." for n in range(1, 2 + k % 5)]
        revised = f"There are several reasons to like {topic}:\n\n" + "\n".join(reasons)
        rows.append(
            dict(
                zip(
                    COLUMNS,
                    (f"Why {topic}?", "", raw, f"Why {topic}?", "", raw if k % 9 == 0 else revised),
                    strict=True,
                )
            )
        )
    return rows


# ---------------------------------------------------------------------------------------------- measuring and choosing


def test_a_selection_by_length_is_called_so() -> None:
    chance = random.Random(0)
    ds = [{"instruction": "Name trees.", "output": "oak " * chance.randrange(3, 300)} for _ in range(500)]
    by_length = [len(row["output"]) + chance.gauss(0, 40) for row in ds]
    found = agreement(ds, by_length, [chance.random() for _ in ds], share=0.1)
    assert 0.98 < found.first.length_auc < 1
    assert (found.first.mostly_length, found.second.mostly_length) == (True, False)
    assert found.first.rows == 50


def test_the_gate_of_novelty_drops_what_was_copied() -> None:
    asked = list(dict.fromkeys(pair.instruction for pair in SOUND))[:60]
    rows = [{"instruction": text, "output": "Yes."} for text in asked]
    alone = novel(rows, threshold=0.85)
    copies = [{"instruction": text.upper(), "output": "No."} for text in asked[:20]]
    found = novel(rows + copies, threshold=0.85)
    assert list(found.kept) == list(alone.kept)
    assert {each.index for each in found.dropped} == {each.index for each in alone.dropped} | set(range(60, 80))


def test_no_row_is_a_hit_and_every_planted_item_is() -> None:
    chance = random.Random(5)
    words = [first + second for first in "bdfgklmnprst" for second in ("abo", "eli", "imu", "oran", "ust")]
    items = [{"id": str(k), "question": " ".join(chance.sample(words, 14)) + "?"} for k in range(40)]
    pack = BenchmarkPack.make("made", items)
    texts = [{**row, "input": f"{item['question'].upper()} Thanks!"} for row, item in zip(ROWS, items, strict=False)]
    assert decontaminate(Dataset.from_list(ROWS), [pack]) == list(range(len(ROWS)))
    found = decontaminate(Dataset.from_list(texts), [pack])
    assert {(hit.row, hit.item) for hit in found.report.hits} == {(k, str(k)) for k in range(40)}


def test_a_writer_beats_the_rules() -> None:
    found = evaluate_reviser(hfclean.revise, expert_rows(), draws=100)
    expert = found.of("expert").figures
    assert found.pairs + found.clean == 60
    assert expert["improved"].low > 0.9 > found.figures["improved"].high
    assert expert["length_ratio"].value > 1.4
    assert expert["refused"].value == 0


def test_reviews_in_both_orders_are_counted() -> None:
    first = [(9, 7)] * 5 + [(7, 7)] * 2 + [(8, 9)] * 3  # the scores of A and B, A shown first
    swapped = [(9, 7)] * 3 + [(6, 9)] * 2 + [(7, 7)] + [(8, 6)] + [(6, 9)] * 3  # and shown second
    sides = [*zip(*first, strict=True), *zip(*swapped, strict=True)]
    found = win_rate_figures(*sides, draws=50)
    # 3 wins, 2 flips that count as ties, a tie, a tie and then A, 3 losses
    assert [found[name] for name in ("wins", "ties", "losses")] == [4, 3, 3]
    assert found["winning_score"] == pytest.approx(1 + (4 - 3) / 10)

    def better(a: int, b: int) -> Any:
        return "first" if a > b else "second" if b > a else "tie"

    each = [
        Verdict(merge_orders(better(*one), better(*two)), better(*one), better(*two))
        for one, two in zip(first, swapped, strict=True)
    ]
    counted = Verdicts(tuple(each))
    assert counted.first == Counts(4, 3, 3)
    assert counted.flip_rate == 0.2
    ds = Dataset.from_dict(
        {
            "ab": [list(s) for s in first],
            "ba": [list(s) for s in swapped],
            "a": ["long answer"] * 10,
            "b": ["short"] * 10,
        }
    )
    from_rows = win_rate(ds, scores="ab", scores_swapped="ba", texts=("a", "b"), draws=50)
    assert (from_rows.counts, from_rows.flip_rate.value) == (Counts(4, 3, 3), pytest.approx(0.2))


@pytest.mark.parametrize(
    ("counts", "rates"),
    [((10, 5, 5), (62.5, 66.67, 75.0)), ((0, 4, 0), (50.0, None, 100.0)), ((3, 0, 1), (75.0, 75.0, 75.0))],
)
def test_rates_follow_from_counts(counts: tuple[int, int, int], rates: tuple[float | None, ...]) -> None:
    wins, ties, losses = counts
    found = win_rate(verdict=["win"] * wins + ["tie"] * ties + ["lose"] * losses, draws=1)
    for figure, plain, expected in zip(
        (found.win_rate, found.win_rate_without_ties, found.quality_score),
        (Counts(*counts).win_rate, Counts(*counts).win_rate_without_ties, Counts(*counts).quality_score),
        rates,
        strict=True,
    ):
        if expected is not None:
            assert 100 * figure.value == pytest.approx(expected, abs=0.01)
            assert 100 * plain == pytest.approx(expected, abs=0.01)


def test_distances_count_the_edits_of_all_three_texts() -> None:
    row = dict(zip(COLUMNS, ("Name trees", "", "oak", "Name a tree", "", "an oak"), strict=True))
    assert revision_distance(row) == 3 + 3  # "a " in, "s" out; "an " in
    assert revision_distance({**row, "raw_input": "ham", "revised_input": "hams"}) == 3 + 1 + 3


def test_alpha_takes_the_most_revised_pairs() -> None:
    rows = [
        dict(zip(COLUMNS, (f"Name {k}.", "", "x", f"Name {k}.", "", "x" + "y" * k), strict=True)) for k in range(1, 21)
    ]
    chosen = choose_pairs(rows, alpha=0.3)
    assert sorted(len(sides.revised.response) - 1 for sides in chosen.train) == [15, 16, 17, 18, 19, 20]
    assert chosen.facts["alpha_threshold"] == chosen.facts["thresholds"]["0.3"] == 15
    assert chosen.facts["left_out"] == {"below_alpha": 14}


# ---------------------------------------------------------------------------------------------- rows and scores


def test_answers_that_a_writer_completed_are_accepted() -> None:
    more = " In other words, it is worth a second look, because what seems plain at first has its reasons."
    refused = [
        pair
        for pair in SOUND
        if pair.response[-1:] in ".!" and accept(pair, pair.replace(response=pair.response + more))
    ]
    assert len(refused) <= 0.045 * len(SOUND)


def test_rows_left_as_they_are_pass_the_checks() -> None:
    assert len(PAIRS) == 260
    for pair in PAIRS:
        if pair.response.strip(" ."):
            assert set(accept(pair, pair)) <= {"empty_response"}


def test_every_pair_survives_the_codec() -> None:
    for pair in PAIRS:
        assert decode(encode(pair)) == {
            "instruction": pair.instruction,
            "input": pair.input,
            "response": pair.response,
        }


def test_the_rows_that_ship_hold_no_key() -> None:
    assert [list(find_secrets(json.dumps(row))) for row in ROWS] == [[]] * len(ROWS)


def test_preference_puts_whole_answers_above_halves() -> None:
    rule = preference_rule()
    long = [pair for pair in SOUND if len(pair.response.split()) > 12]
    halves = [pair.replace(response=pair.response[: len(pair.response) // 2]) for pair in long]
    above = [a > b for a, b in zip(rule.predict(long), rule.predict(halves), strict=True)]
    assert len(long) > 40
    assert sum(above) >= 0.88 * len(long)


def test_rating_puts_answers_above_excuses() -> None:
    answered = [pair for pair in SOUND if len(pair.response.split()) > 12]
    excuses = [pair.replace(response="I cannot answer that.") for pair in answered]
    high, low = rating_rule().predict(answered), rating_rule().predict(excuses)
    assert sum(a > b for a in high for b in low) >= 0.67 * len(answered) ** 2
    assert max(low) < 0.5


def test_only_planted_personal_data_is_found() -> None:
    assert {
        find.kind for pair in SOUND for find in find_pii(f"{pair.instruction}\n{pair.input}\n{pair.response}")
    } == set()
    assert [find.kind for find in find_pii("Call 0171 234 5678 or write to jo@hf.co.")][-1] == "email"


def test_calls_are_clean_after_masking() -> None:
    call = {"name": "send", "arguments": {"to": "jo@hf.co", "cc": ["ann@hf.co"], "card": 4539148803436467}}
    row = {
        "conversations": [
            {"from": "human", "value": "Send it to jo@hf.co."},
            {"from": "function_call", "value": json.dumps(call)},
            {"from": "observation", "value": '{"sent": "jo@hf.co"}'},
            {"from": "gpt", "value": "Sent."},
        ]
    }
    assert PII()(row)["pii_count"] > 0
    masked = {**row, **MaskPII()(row)}
    assert PII()(masked)["pii_count"] == 0
    assert hfclean.restore(masked) == row


def test_a_report_counts_the_rows_that_ship(work: Path) -> None:
    raw = Dataset.from_list(ROWS)
    done = raw.map(hfclean.revise, batched=True).map(hfclean.score, batched=True)
    report = hfclean.compare(raw, done)
    assert (report.rows_before, report.rows_after, report.rows_removed) == (260, 260, 0)
    assert report.rows_changed == sum(map(bool, done["original"]))
    assert hfclean.Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.to_html().count('<article class="row" data-r') == report.rows_changed


def test_repaired_rows_need_no_more_repairs() -> None:
    last = [changes[-1].after for changes in (mend(pair, RULES) for pair in PAIRS) if changes]
    assert len(last) > 60
    assert [mend(pair, RULES) for pair in last] == [[]] * len(last)


def shapes() -> dict[str, list[dict[str, Any]]]:
    """The rows that ship, in shapes that `detect` knows."""

    def turns(row: dict[str, str], asker: str, answerer: str, role: str, text: str) -> list[dict[str, str]]:
        asked = row["instruction"] + (f"\n\n{row['input']}" if row["input"] else "")
        return [{role: asker, text: asked}, {role: answerer, text: row["output"]}]

    some = ROWS[:160]
    return {
        "alpaca": some,
        "dolly": [
            {"instruction": r["instruction"], "context": r["input"], "response": r["output"], "category": "qa"}
            for r in some
        ],
        "messages": [{"messages": turns(r, "user", "assistant", "role", "content")} for r in some],
        "conversations": [{"conversations": turns(r, "human", "gpt", "from", "value")} for r in some],
        "preference": [
            {"prompt": a["instruction"], "chosen": a["output"], "rejected": b["output"]} for a, b in pairwise(some)
        ],
    }


@pytest.mark.parametrize("shape", shapes())
def test_every_shape_is_written_back_exactly(shape: str, work: Path) -> None:
    ds = Dataset.from_list(shapes()[shape])
    out = ds.map(hfclean.revise, batched=True)
    assert {name: out.features[name] for name in ds.column_names} == ds.features
    assert sum(edit == "revised" for edit in out["edit"]) >= 20
    assert hfclean.restore(out).to_list() == ds.to_list()


def test_rows_that_are_not_changed_are_the_same_json() -> None:
    kept = 0
    for rows in shapes().values():
        for row in rows:
            out = hfclean.revise(row)
            if out["edit"] == "kept":
                kept += 1
                assert json.dumps({name: out.get(name, row[name]) for name in row}) == json.dumps(row)
    assert kept > 100


def test_the_column_holds_what_the_rules_find() -> None:
    assert Score().score_batch(PAIRS)["defects"] == [" ".join(find_defects(pair, RULES)) for pair in PAIRS]
