"""compare: which row is which, what changed, what is gone, and the numbers of both sides."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict, Features, IterableDataset, Value
from hypothesis import given, settings
from hypothesis import strategies as st

import hfclean
from hfclean.cards import dataset_card
from hfclean.cleaning import clean
from hfclean.errors import ColumnError, HfcleanError, SchemaError
from hfclean.provenance import own_columns
from hfclean.report import UNRECORDED, Report, compare
from hfclean.reviser.record import FieldChange, Outcome, record
from hfclean.schema import View
from hfclean.transform import Batch, Transform

ROWS = [
    {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"},
    {"instruction": "Name a colour.", "input": "", "output": "Red."},
    {"instruction": "Name a tree.", "input": "", "output": "An oak, for example.</s>"},
    {"instruction": "Name a bird.", "input": "", "output": ""},
    {"instruction": "Name a river.", "input": "", "output": "The long river Nile."},
]


def rows(*texts: tuple[str, str]) -> Dataset:
    return Dataset.from_list([{"instruction": a, "input": "", "output": b} for a, b in texts])


@pytest.fixture(scope="module")
def raw() -> Dataset:
    return Dataset.from_list(ROWS)


@pytest.fixture(scope="module")
def cleaned(raw: Dataset) -> Dataset:
    return raw.map(hfclean.revise).map(hfclean.score)


def rule(report: Report, name: str) -> Any:
    return next(found for found in report.rules if found.id == name)


def score(report: Report, name: str) -> Any:
    return next(found for found in report.scores if found.name == name)


# ------------------------------------------------------------------------------------------------------- what changed


def test_counts_rules_and_edits_of_a_revised_dataset(raw: Dataset, cleaned: Dataset) -> None:
    report = compare(raw, cleaned)
    assert (report.rows_before, report.rows_after, report.rows_changed) == (5, 5, 2)
    assert (report.rows_removed, report.rows_added, report.joined_on, report.shape) == (0, 0, "row_id", "alpaca")
    split = report.splits[0]
    assert (split.split, split.kept, split.revised, split.reverted, split.failed) == ("train", 3, 2, 0, 0)
    markers = rule(report, "chat_markers")
    assert (markers.rows, markers.severity, markers.defects_before, markers.defects_after) == (2, "high", 2, 0)
    assert [(field.name, field.rows) for field in markers.fields] == [("output", 2)]
    assert rule(report, "placeholder_input").rows == 1
    assert (rule(report, "empty_output").rows, rule(report, "empty_output").defects_after) == (0, 1)
    assert [(e.rule, e.field, e.before, e.after, e.index) for e in report.edits] == [
        ("chat_markers", "output", "An apple.</s>", "An apple.", 0),
        ("placeholder_input", "input", "n/a", "", 0),
        ("chat_markers", "output", "An oak, for example.</s>", "An oak, for example.", 2),
    ]
    assert report.edits[0].row_id == cleaned[0]["row_id"]
    assert report.columns_added == tuple(name for name in cleaned.column_names if name not in raw.column_names)
    assert (report.rows_with_defects_before, report.rows_with_defects_after) == (3, 1)


def test_a_dataset_with_itself_has_no_change(raw: Dataset) -> None:
    report = compare(raw, raw)
    assert (report.rows_changed, report.changes, report.notes, report.joined_on) == (0, 0, (), "text")
    words = score(report, "response_words")
    assert words.before == words.after
    assert words.changed_after.n == 0
    assert math.isnan(report.lengths.changed_ratio)
    assert report.lengths.ratio == 1.0


def test_rows_are_found_again_after_filter_shuffle_and_select(raw: Dataset, cleaned: Dataset) -> None:
    after = cleaned.shuffle(seed=3).filter(lambda row: row["output"] != "").select([3, 0, 1])
    report = compare(raw, after)
    assert (report.rows_after, report.rows_removed) == (3, 2)
    texts = {row["row_id"]: row["output"] for row in after}
    originals = {row["row_id"]: before["output"] for row, before in zip(cleaned, raw, strict=True)}
    assert report.changes >= 1
    for edit in report.edits:
        assert after[edit.index]["row_id"] == edit.row_id
        if edit.field == "output":
            assert (edit.before, edit.after) == (originals[edit.row_id], texts[edit.row_id])


def test_a_filter_without_a_record_is_joined_by_text(raw: Dataset) -> None:
    report = compare(raw, raw.select([4, 1]))
    assert (report.joined_on, report.rows_changed, report.rows_removed) == ("text", 0, 3)


def test_texts_changed_by_something_else_are_unrecorded(raw: Dataset) -> None:
    after = raw.map(lambda row: {"output": row["output"].replace("</s>", "")})
    report = compare(raw, after)
    assert report.joined_on == "position"
    assert [(e.rule, e.field) for e in report.edits] == [(UNRECORDED, "output"), (UNRECORDED, "output")]
    assert report.splits[0].elsewhere == 2
    assert "matched by position" in report.notes[0]
    assert "cannot undo" in report.notes[1]
    assert all(note in report.to_html().replace("&#39;", "'") for note in report.notes)


def test_shuffled_rows_that_changed_are_not_taken_by_position(raw: Dataset) -> None:
    after = raw.map(lambda row: {"output": row["output"].replace("</s>", "")}).select([4, 3, 2, 1, 0])
    report = compare(raw, after)
    assert (report.joined_on, report.rows_changed, report.rows_removed, report.rows_added) == ("text", 0, 2, 2)
    assert [row.index for row in report.added] == [2, 4]


def test_what_was_changed_after_hfclean_is_not_credited_to_a_rule(raw: Dataset, cleaned: Dataset) -> None:
    after = cleaned.map(
        lambda row: {"output": row["output"] + " Yes."} if row["instruction"] == "Name a colour." else {}
    )
    after = after.map(lambda row: {"output": row["output"]})
    report = compare(raw, after)
    mine = [e for e in report.edits if e.rule == UNRECORDED]
    assert [(e.before, e.after) for e in mine] == [("Red.", "Red. Yes.")]
    assert report.splits[0].elsewhere == 1
    assert cleaned[1]["response_words"] == 1.0  # the column is older than the text
    assert score(report, "response_words").changed_after.p0 == 2.0


def test_only_the_steps_since_the_first_dataset_count(cleaned: Dataset) -> None:
    @hfclean.rule("oaks", severity="low", meaning="speaks of oaks")
    def oaks(pair: Any) -> bool:
        return "oak" in pair.response

    @oaks.with_repair
    def oaks(pair: Any) -> Any:
        return pair.replace(response=pair.response.replace("oak", "elm"))

    after = cleaned.map(hfclean.RuleReviser(only=("oaks",), extra=(oaks,)))
    report = compare(cleaned, after, extra=(oaks,))
    assert [(e.rule, e.before, e.after) for e in report.edits] == [
        ("oaks", "An oak, for example.", "An elm, for example.")
    ]
    assert rule(report, "oaks").meaning == "speaks of oaks"
    assert report.joined_on == "row_id"


def test_a_record_that_starts_from_another_text_is_not_taken(raw: Dataset) -> None:
    kept = raw.map(hfclean.RuleReviser(only=("mojibake",)))
    edited = kept.map(lambda row: {"output": row["output"].replace("apple.", "apple!")})
    edits = compare(edited, kept.map(hfclean.revise)).edits
    assert (edits[0].field, edits[1].field) == ("input", "output")
    assert (edits[1].before, edits[1].after) == ("An apple!</s>", "An apple.")


def test_undoing_everything_is_a_change_like_any_other(raw: Dataset, cleaned: Dataset) -> None:
    report = compare(cleaned, hfclean.restore(cleaned))
    assert report.rows_changed == 2
    assert (report.joined_on, {e.rule for e in report.edits}) == ("row_id", {"restored"})
    assert "edit_history" in report.columns_removed
    assert compare(raw, hfclean.restore(cleaned)).rows_changed == 0


def test_after_one_rule_is_undone_the_changes_left_have_the_names_of_theirs() -> None:
    raw = Dataset.from_list([{"instruction": "Say it.", "input": "n/a", "output": "isnâ€™t it  \n</s>"}])
    cleaned = raw.map(hfclean.revise)
    assert {e.rule for e in hfclean.ledger(cleaned)} == {"mojibake", "chat_markers", "placeholder_input"}
    undone = hfclean.restore(cleaned, rule="chat_markers")
    assert undone[0]["edit_reason"] == "restored"
    for edits in (compare(raw, undone).edits, list(hfclean.ledger(undone))):
        assert {(e.field, e.rule) for e in edits} == {("output", "mojibake"), ("input", "placeholder_input")}
    assert "restored" not in compare(raw, undone).to_html()
    again = undone.map(hfclean.RuleReviser(only=("chat_markers",)))
    assert again[0]["output"] == cleaned[0]["output"]
    assert {e.rule for e in hfclean.ledger(again)} == {"mojibake", "chat_markers", "placeholder_input"}


@dataclass(frozen=True)
class Coach(Transform):
    """Stands for a model: rewrites, refuses and fails by what the row says."""

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        found = batch.rows([*view.columns, *own_columns(batch, self.prefix)])
        return record(self, found, view, [_outcome(row) for row in found])

    def settings(self) -> dict[str, Any]:
        return {"model": "org/coach", "base_url": "http://localhost/v1"}


def _outcome(row: dict[str, Any]) -> Outcome:
    if "tree" in row["instruction"]:
        return Outcome([FieldChange("coach", ("output",), row["output"], "An oak.")], model="coach-1")
    if "bird" in row["instruction"]:
        return Outcome((), "failed", ("timeout",))
    if "river" in row["instruction"]:
        return Outcome((), "reverted", ("numbers_changed", "too_long"), "coach-1")
    return Outcome(model="coach-1")


def test_refused_and_failed_revisions_are_counted_with_their_reasons(raw: Dataset) -> None:
    @hfclean.scorer("points")
    def points(pair: Any) -> float:
        return math.nan if "Red" in pair.response or "Nile" in pair.response else 1.0

    report = compare(raw, raw.map(points).map(Coach()))
    split = report.splits[0]
    assert (split.kept, split.revised, split.reverted, split.failed) == (2, 1, 1, 1)
    assert [(r.edit, r.reason, r.rows) for r in report.refusals] == [
        ("failed", "timeout", 1),
        ("reverted", "numbers_changed", 1),
        ("reverted", "too_long", 1),
    ]
    other = score(report, "points")
    assert (other.embedded, other.before, other.after.n, other.after.unscored) == (False, None, 2, 3)
    assert other.stale == 1  # the revised row; the others had no score to begin with
    assert [(e.rule, e.after) for e in report.edits] == [("coach", "An oak.")]


def test_models_are_told_with_what_they_took() -> None:
    raw = Dataset.from_list(
        [
            {"instruction": f"Name a {what}.", "input": "", "output": "a <b>thing</b> | of *sorts*"}
            for what in ("tree", "bird", "river", "stone")
        ]
    )
    usage = {"asked": 2, "cached": 1, "prompt_tokens": 100, "completion_tokens": 40, "reused_prompt_tokens": 10}
    told = {"by": "Coach", "version": 1, "settings": Coach().settings(), "prompt_version": "coach-1.1"}
    for transforms, words in (
        ((), []),
        (
            ({**told, "usage": {**usage, "cost": 0.5, "currency": "EUR"}},),
            ["coach-1.1", "2 asked for in this run, 1 already stored", "110 read, 40 written", "0.5000 EUR"],
        ),
        (({**told, "usage": {**usage, "estimated": 2}},), ["estimated in part", "no prices were given"]),
    ):
        report = compare(raw, raw.map(Coach(), batched=True), transforms=transforms)
        (use,) = report.models
        assert (use.kept, use.revised, use.reverted, use.failed) == (1, 1, 1, 1)
        assert [(r.name, r.rows) for r in use.reasons] == [("numbers_changed", 1), ("timeout", 1), ("too_long", 1)]
        assert Report.from_dict(report.to_dict()).to_dict() == report.to_dict()
        card, page, table = dataset_card(report), report.to_html(), report.summary()
        for shown in ("org/coach at http://localhost/v1", "coach-1", "numbers_changed 1", "1 reverted", *words):
            assert shown in table
            assert shown in page
            assert shown.replace("_", "\\_") in card
        assert "after / before" in card
        assert "a &lt;b&gt;thing&lt;/b&gt; \\| of \\*sorts\\*" in card  # an example, as it is
        assert "An oak." in card
    again = compare(raw, raw.map(Coach(), batched=True).map(Coach(), batched=True))
    assert sum(again.models[0].__dict__[name] for name in ("kept", "revised", "reverted", "failed")) == 4


# ------------------------------------------------------------------------------------------------- what is gone or new


def test_equal_rows_keep_their_order_and_numbers() -> None:
    raw = rows(("a", "x </s>"), ("b", "y"), ("a", "x </s>"), ("a", "x </s>"))
    done = clean(raw).dataset
    assert [name.partition("-")[2] for name in done["row_id"]] == ["", "", "2", "3"]
    report = compare(raw, done.select([3, 1]))
    assert [(e.index, e.row_id) for e in report.edits if e.rule == "chat_markers"] == [(0, done[3]["row_id"])]
    assert [(group.reason, group.rows) for group in report.removed] == [("exact duplicate of a row that stayed", 2)]
    assert [row.index for row in report.removed[0].examples] == [0, 2]
    assert [row.row_id for row in report.removed[0].examples] == [done[0]["row_id"], done[2]["row_id"]]


def test_marked_and_dropped_duplicates() -> None:
    raw = DatasetDict(train=rows(("a", "x"), ("a", "x </s>"), ("b", "y")), test=rows(("a", "x"), ("c", "z")))
    report = compare(raw, clean(raw).dataset)
    assert (report.duplicates, report.rows_removed) == (1, 0)
    dropped = clean(raw, drop_duplicates=True)
    assert [g.reason for g in compare(raw, dropped.dataset).removed] == ["no reason recorded"]
    report = compare(raw, dropped.dataset, removed=dropped.removed)
    assert [(g.reason, g.rows) for g in report.removed] == [("exact duplicate of another row", 1)]
    assert report.removed[0].examples[0].note.startswith("exact duplicate of ")
    with pytest.raises(ColumnError, match="removed= has no column 'row_id'"):
        compare(raw, dropped.dataset, removed=raw)


def test_reasons_of_removed_rows_as_columns_and_scores_tell() -> None:
    raw = rows(("a", "one two"), ("b", ""), ("c", "three"), ("d", "four")).add_column(
        "removed_reason", ["", "", "too short", ""]
    )
    report = compare(raw, raw.select([0]))
    assert [(g.reason, g.rows) for g in report.removed] == [
        ("no reason recorded", 1),
        ("no reason recorded (unscored: lexical_diversity)", 1),
        ("too short", 1),
    ]


def test_splits_are_joined_by_name_and_rows_that_moved_are_found() -> None:
    raw = DatasetDict(train=rows(("a", "x"), ("b", "y"), ("c", "z")), old=rows(("e", "w")))
    after = DatasetDict(train=rows(("b", "y")), test=rows(("c", "z"), ("new", "row")))
    report = compare(raw, after)
    found = {s.split: (s.before, s.after, s.matched, s.moved, s.added, s.removed) for s in report.splits}
    assert found == {"train": (3, 1, 1, 0, 0, 1), "test": (0, 2, 1, 1, 1, 0), "old": (1, 0, 0, 0, 0, 1)}
    assert [row.instruction for row in report.added] == ["new"]
    assert report.rows_changed == 0


def test_overlap_between_splits_counts_texts_and_rows() -> None:
    train = rows(("a", "x"), ("a", "x"), ("b", "y</s>"), ("c", "z"))
    test = rows(("a", "x"), ("b", "y"), ("d", "w"))
    raw = DatasetDict(train=train, test=test)
    assert compare(raw, raw).overlaps[0].texts == 1
    report = compare(raw, raw.map(hfclean.revise))
    (overlap,) = report.overlaps
    assert (overlap.first, overlap.second, overlap.texts, overlap.rows_first, overlap.rows_second) == (
        "train",
        "test",
        2,
        3,
        2,
    )
    assert [(row.index, row.note) for row in overlap.examples] == [(0, "test row 0"), (2, "test row 1")]


def test_two_datasets_that_share_nothing_are_said_to() -> None:
    report = compare(rows(("a", "x"), ("b", "y")), rows(("c", "z")))
    assert (report.rows_removed, report.rows_added) == (2, 1)
    assert "no row of the first dataset is in the second" in report.notes[0]


# ------------------------------------------------------------------------------------------------------------ numbers


def test_quantiles_of_both_sides_and_of_the_rows_that_changed(raw: Dataset, cleaned: Dataset) -> None:
    diversity = score(compare(raw, cleaned), "lexical_diversity")
    assert (diversity.before.n, diversity.before.unscored) == (4, 1)
    after = raw.map(lambda row: {"output": "one two three four"})
    words = score(compare(raw, after), "response_words")
    assert (words.before.p0, words.before.p50, words.before.p100, words.before.mean) == (0, 3.0, 5, 2.6)
    assert (words.after.p0, words.after.p100, words.changed_after.n) == (4, 4, 5)
    assert words.histogram.after == (0, 0, 0, 0, 5, 0)
    assert words.histogram.before == (1, 1, 0, 1, 1, 1)
    assert words.histogram.edges == (0, 1, 2, 3, 4, 5, 6)


def test_scores_are_the_same_from_columns_and_computed(raw: Dataset, cleaned: Dataset) -> None:
    with_columns, without = compare(raw, cleaned), compare(raw, raw.map(hfclean.revise))
    assert with_columns.scores == without.scores
    assert [(r.id, r.defects_before, r.defects_after) for r in with_columns.rules] == [
        (r.id, r.defects_before, r.defects_after) for r in without.rules
    ]
    assert with_columns.worst == without.worst


def test_an_unchanged_row_is_scored_once_at_most(raw: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[int] = []
    compute = hfclean.Score.scored

    def counting(self: hfclean.Score, rows: list[Any]) -> Any:
        scored.append(len(rows))
        return compute(self, rows)

    revised = raw.map(hfclean.revise)
    both = revised.map(hfclean.score)
    compare(raw, both)  # what is found out once per process is found out
    monkeypatch.setattr(hfclean.Score, "scored", counting)
    compare(raw, both)
    assert sum(scored) == 2  # the two rows that changed, as they were before
    scored.clear()
    compare(raw, revised)
    assert sum(scored) == 5 + 2
    undone = compare(raw, raw)
    scored.clear()
    assert compare(raw, raw, scored=both).to_dict() == undone.to_dict()
    assert sum(scored) == 2  # the others are told by the columns of the cleaned rows


def test_lengths_of_changed_and_of_all_responses() -> None:
    report = compare(rows(("a", "one two"), ("b", "one")), rows(("a", "one two three"), ("b", "one")))
    assert (report.lengths.ratio, report.lengths.changed_ratio) == (4 / 3, 1.5)


def test_tokens_are_estimated_unless_a_tokenizer_counts(raw: Dataset) -> None:
    report = compare(raw, raw, max_tokens=5)
    assert (report.tokens.estimated, report.tokens.counter) == (True, "4 bytes of UTF-8 a token")
    assert report.tokens.before.p100 == math.ceil(len("Name a tree.\nAn oak, for example.</s>") / 4)

    class Tokenizer:
        def encode(self, text: str) -> list[str]:
            return text.split()

    counted = compare(raw, raw, tokenizer=Tokenizer(), max_tokens=6).tokens
    assert (counted.estimated, counted.counter, counted.after.p100) == (False, "Tokenizer", 7)
    assert (counted.over_before, counted.over_after) == (2, 2)
    assert compare(raw, raw, tokenizer=len).tokens.after.p0 == len("Name a bird.\n")


@pytest.mark.parametrize("tokenizer", [3, lambda text: "many", lambda text: 2.5])
def test_a_tokenizer_that_does_not_count_is_refused(raw: Dataset, tokenizer: Any) -> None:
    with pytest.raises(HfcleanError, match="tokenizer"):
        compare(raw, raw, tokenizer=tokenizer)


def test_the_worst_rows_come_first() -> None:
    raw = rows(
        ("Name ten rivers.", "The Nile, the Amazon, the Rhine, the Danube and then of course the"),
        ("Say it.", "Fine."),
        ("Name a bird.", ""),
        ("Name a fish.", "   "),
    )
    report = compare(raw, raw)
    assert [row.index for row in report.worst][:2] == [2, 3] or [row.index for row in report.worst][:2] == [3, 2]
    assert report.worst[-1].note == "truncated_output"
    assert compare(raw, raw).to_dict() == report.to_dict()


# ---------------------------------------------------------------------------------------------------------- odd input


def test_streams_are_compared_like_the_rows_that_they_give(raw: Dataset) -> None:
    done = raw.map(hfclean.revise)
    stream = raw.to_iterable_dataset()
    assert isinstance(stream, IterableDataset)
    assert compare(stream, stream.map(hfclean.revise)).to_dict() == compare(raw, done).to_dict()
    assert [*hfclean.ledger(stream.map(hfclean.revise))] == [*hfclean.ledger(done)] != []
    with pytest.raises(HfcleanError, match="removed is streaming"):
        compare(raw, done, removed=stream)


def test_mixed_kinds_are_refused(raw: Dataset) -> None:
    with pytest.raises(HfcleanError, match="a DatasetDict and a Dataset"):
        compare(DatasetDict(train=raw), raw)
    with pytest.raises(HfcleanError, match="compare got list as the first dataset"):
        compare(ROWS, raw)


def test_rows_of_two_shapes_are_refused(raw: Dataset) -> None:
    chat = Dataset.from_list([{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}])
    with pytest.raises(SchemaError, match="the first dataset holds alpaca rows and the second messages"):
        compare(raw, chat)
    with pytest.raises(SchemaError, match="cannot read the split 'train' of the first dataset"):
        compare(Dataset.from_dict({"text": ["a"]}), Dataset.from_dict({"text": ["a"]}))


def test_empty_splits_may_lack_columns(raw: Dataset, cleaned: Dataset) -> None:
    before = DatasetDict(train=raw, test=raw.select([]), none=Dataset.from_dict({}))
    after = DatasetDict(train=cleaned, test=raw.select([]), none=Dataset.from_dict({}))
    report = compare(before, after)
    assert (report.rows_before, report.rows_changed, len(report.splits)) == (5, 2, 3)
    empty = compare(raw.select([]), raw.select([]))
    assert (empty.rows_before, empty.rows_after, empty.shape) == (0, 0, "")
    assert "0 rows before" in empty.summary()
    assert compare(raw, cleaned.select([])).rows_removed == 5
    assert compare(raw.select([]), cleaned).rows_added == 5


def test_only_scored_rows_have_no_edits(raw: Dataset) -> None:
    report = compare(raw, raw.map(hfclean.score))
    assert (report.joined_on, report.rows_changed, report.splits[0].kept) == ("text", 0, 0)


def test_nulls_formats_and_columns_of_ones_own() -> None:
    features = Features({"q": Value("string"), "a": Value("string"), "edit": Value("string")})
    raw = Dataset.from_list([{"q": "x", "a": None, "edit": "mine"}, {"q": "y", "a": "z</s>", "edit": None}], features)
    named = {"instruction": "q", "response": "a"}
    done = raw.map(hfclean.RuleReviser(columns=named, prefix="hf_"))
    report = compare(raw.with_format("numpy"), done.with_format("pandas"), prefix="hf_")
    assert [(e.field, e.before, e.after) for e in report.edits] == [("a", "z</s>", "z")]
    assert report.splits[0].revised == 1
    assert score(report, "hf_response_words").after.n == 2


def test_conversations_name_the_message_that_changed() -> None:
    def chat(answer: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answer}]}

    raw = Dataset.from_list([chat("Hello.</s>"), chat("Bye.")])
    report = compare(raw, raw.map(hfclean.revise))
    assert [(e.field, e.after) for e in report.edits] == [("messages/1/content", "Hello.")]
    assert rule(report, "chat_markers").fields[0].name == "messages/*/content"
    after = Dataset.from_list([chat("Hello."), {"messages": [{"role": "user", "content": "Hi"}]}])
    report = compare(raw, after)
    assert [(e.field, e.rule) for e in report.edits] == [("messages/1/content", UNRECORDED), ("messages", UNRECORDED)]
    assert json.loads(report.edits[1].after) == [{"role": "user", "content": "Hi"}]


def test_a_damaged_record_is_no_reason_to_fail(raw: Dataset) -> None:
    done = raw.map(hfclean.revise)
    broken = done.map(lambda row: {"original": '{"gone": "x", "output/7": 1}' if row["original"] else ""})
    report = compare(raw, broken)
    assert report.rows_changed == 2
    assert {e.rule for e in report.edits} == {"chat_markers placeholder_input", "chat_markers"}


def test_the_input_is_left_as_it_was(raw: Dataset, cleaned: Dataset) -> None:
    before, fingerprint = raw.to_list(), cleaned._fingerprint
    compare(raw, cleaned)
    assert raw.to_list() == before
    assert cleaned._fingerprint == fingerprint


text = st.text(max_size=12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(text, text), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_every_row_is_accounted_for(pairs: list[tuple[str, str]], random: Any) -> None:
    raw = rows(*[(a, b.encode("utf-8", "ignore").decode()) for a, b in pairs])
    done = raw.map(hfclean.revise)
    chosen = [k for k in range(len(raw)) if random.random() < 0.7]
    random.shuffle(chosen)
    report = compare(raw, done.select(chosen))
    split = report.splits[0]
    assert split.matched + split.removed == len(raw)
    assert split.matched + split.added == len(chosen)
    assert split.added == 0
    assert sum(group.rows for group in report.removed) == split.removed
    for edit in report.edits:
        assert done[chosen[edit.index]]["row_id"] == edit.row_id
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))).to_dict() == report.to_dict()


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["dolly_2k.jsonl", "alpaca_zh.jsonl", "sharegpt_conversations.jsonl", "sharegpt_preference_299.jsonl"]
)
def test_real_rows(name: str, realdata: Callable[[str], Path], work: Path) -> None:
    raw = Dataset.from_json(str(realdata(name)), cache_dir=str(work)).select(range(200))
    done = raw.map(hfclean.revise, batched=True).map(hfclean.score, batched=True)
    report = compare(raw, done)
    assert (report.rows_before, report.rows_after, report.rows_removed) == (200, 200, 0)
    assert report.rows_changed == sum(map(bool, done["original"]))
    assert report.splits[0].elsewhere == 0
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))).to_dict() == report.to_dict()
    assert report.to_html().count('<article class="row" data-r') == report.rows_changed
