"""The form coach of benchmarks: its rows stand on one side each, its tags undo what they read, and its training goes
on after a stop to the same weights."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from extras import needs
from hypothesis import given
from hypothesis import strategies as st

from hfclean import Pair
from hfclean.training.pairs import Sides

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
BEFORE = "1. Run daily.\n2. Eat well,and sleep \n3. see friends"
AFTER = "1. Run daily.\n\n2. Eat well, and sleep.\n\n3. See friends."
TEXTS = st.text(alphabet="aB,. \n'-1", max_size=30)


@pytest.fixture(scope="module", autouse=True)
def _found() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def module(name: str) -> Any:
    return importlib.import_module(name)


def sides(instruction: str, before: str, after: str) -> Sides:
    return Sides(Pair(instruction, "", before), Pair(instruction, "", after))


# ------------------------------------------------------------------------------------------------------------- tags


def test_an_edit_is_tags_of_the_tokens_and_white_space_before_them() -> None:
    tags = module("edit_tags")
    raw = tags.tokens_of("see the the sea ,now")
    found = tags.tags_of(raw, tags.tokens_of("See the sea, now."))
    Tags, Token = tags.Tags, tags.Token
    assert [token.text for token in raw] == ["see", "the", "the", "sea", ",", "now", ""]
    assert found[0] == Tags("upper")
    assert sorted(tag.own for tag in found[1:3]) == ["", "delete"]
    assert found[4:] == [Tags(gap="="), Tags(gap="= "), Tags(before=(Token("", "."),))]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BEFORE, AFTER),
        ("", "Yes."),
        ("- a\n- b", "a, b"),
        ("don’t  stop", "don't stop"),
        ("it’s", "It's."),
        ("So so so.", "So."),
    ],
)
def test_tags_make_the_revised_text_again(before: str, after: str) -> None:
    tags = module("edit_tags")
    raw, revised = tags.tokens_of(before), tags.tokens_of(after)
    assert tags.apply_tags(raw, tags.tags_of(raw, revised)) == after
    assert tags.apply_tags(raw, [tags.Tags()] * len(raw)) == before.strip()


@given(TEXTS, TEXTS)
def test_whatever_tags_can_say_they_undo(before: str, after: str) -> None:
    tags = module("edit_tags")
    raw, revised = tags.tokens_of(before), tags.tokens_of(after)
    found = tags.tags_of(raw, revised)
    known = all(
        tag.before is not None and (tag.gap is not None or tag.own == tags.DELETE) and (token.text or not tag.gap)
        for tag, token in zip(found, raw, strict=True)
    )
    if known:
        assert tags.apply_tags(raw, found) == tags.text_of(revised)


def test_only_frequent_tags_are_learned_and_they_survive_a_file() -> None:
    tags = module("edit_tags")
    one = tags.tags_of(tags.tokens_of("a big cat"), tags.tokens_of("a large cat."))
    rare = tags.tags_of(tags.tokens_of("a big cat"), tags.tokens_of("a huge cat."))
    learned = tags.Vocabulary.of([one, one, rare], least=2, most=9)
    assert learned.own[4:] == ("=large",)
    assert learned.before == ((), (tags.Token("", "."),))
    assert learned.tags(learned.numbers(one)) == one
    assert learned.numbers(rare)[1] == (tags.UNKNOWN, 0, 0)
    assert tags.Vocabulary.from_json(learned.as_json()) == learned


# ------------------------------------------------------------------------------------------------------------- rows


def test_pairs_that_share_an_instruction_stand_on_one_side() -> None:
    data = module("form_data")
    pairs = [sides(f"Name {k % 20}.", f"a word {k}", f"A word {k}.") for k in range(60)]
    pairs += [sides(f"Say {k}.", f"so {k}", f"Something quite different, number {k}.") for k in range(20)]
    pairs += [sides(f"Keep {k}.", "Fine.", "Fine.") for k in range(5)]
    quota = {"test": {"minimal": 20, "larger": 5}, "validation": {"minimal": 10, "larger": 5}}
    found = data.split_people(pairs, quota)
    assert {part: {kind: len(rows) for kind, rows in kinds.items()} for part, kinds in found.items()} == {
        "test": {"minimal": 20, "larger": 5},
        "validation": {"minimal": 10, "larger": 5},
        "train": {"minimal": 27, "larger": 10},
    }
    asked = [{each.raw.instruction for rows in kinds.values() for each in rows} for kinds in found.values()]
    assert len(set().union(*asked)) == sum(map(len, asked))
    assert data.split_people(pairs[::-1], quota)["test"].keys() == found["test"].keys()


def test_rows_are_split_once_an_instruction_whatever_their_order() -> None:
    data = module("form_data")
    rows = [Pair(f"Name {k % 10}.", "", "x") for k in range(30)]
    found = data.split_rows(rows, {"test": 4, "validation": 3})
    assert [len(found[part]) for part in ("test", "validation", "train")] == [4, 3, 3]
    assert data.split_rows(rows[::-1], {"test": 4, "validation": 3}) == found


def test_damage_is_small_and_of_the_response_alone() -> None:
    data = module("form_data")
    text = "The sea is deep, and it is blue. I don't know how deep the sea is, but the fish in it do not mind at all."
    found = [data.damaged(Pair(f"Describe sea number {k}.", "", text)) for k in range(40)]
    hurt = [each.raw.response for each in found if each]
    assert len(set(hurt)) > 20
    assert all(each.revised.response == text and each.raw.response != text for each in found if each)
    assert all(data.stratum(each) == "minimal" for each in found if each)


# --------------------------------------------------------------------------------------------------------- training


def tagger(folder: Path, vocabulary: Any) -> Any:
    """A tiny encoder with random weights, always the same."""
    needs("models", "torch", "transformers", "tokenizers")
    import tokenizers
    import torch
    import transformers

    words = {word: k for k, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "dog", "."))}
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    encoder = transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **size))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return module("edit_tagger").Tagger(encoder, tokenizer, vocabulary)


LESSONS = [sides("Name a pet.", f"{a} {pet}", f"A {pet}.") for pet in ("cat", "dog") for a in ("a", "A")] * 4
LESSONS += [sides("Name a pet.", f"A {pet}.", f"A {pet}.") for pet in ("cat", "dog")] * 4


class Stopped(Exception):
    """The training was killed."""


@pytest.mark.needs_extra("models", "torch", "transformers", "tokenizers")
def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    import torch

    tags, made = module("edit_tags"), module("edit_tagger")
    read = [tags.tags_of(tags.tokens_of(a.response), tags.tokens_of(b.response)) for a, b in LESSONS]
    vocabulary = tags.Vocabulary.of(read, least=1, most=9)
    settings = made.Settings(epochs=10, batch=4, body_rate=1e-2, head_rate=1e-2, warmup=2, save_every=4)

    def stop(step: int, of: int, loss: float) -> None:
        if step == 18:
            raise Stopped

    whole, first, second = (tagger(tmp_path, vocabulary) for _ in range(3))
    assert made.train_tagger(whole, LESSONS, tmp_path / "whole", settings) == 0
    with pytest.raises(Stopped):
        made.train_tagger(first, LESSONS, tmp_path / "parts", settings, stop)
    assert made.train_tagger(second, LESSONS, tmp_path / "parts", settings) == 16
    assert len(made.order_of([1] * len(LESSONS), settings)) == 60
    for name, weight in whole.state().items():
        assert torch.equal(weight, second.state()[name]), name
    third = tagger(tmp_path, vocabulary)
    assert made.train_tagger(third, LESSONS, tmp_path / "parts", settings) == 60

    rows = [Pair("Name a pet.", "", "a cat"), Pair("Name a pet.", "", "A dog.")]
    found = list(made.tag(third, rows))
    assert [made.edited(each, vocabulary, made.Acts(0.5, 0.5)) for each in found] == ["A cat.", None]
    assert made.edited(found[0], vocabulary, made.Acts(0.5, 0.5, heads=2)) == "a cat."
    assert made.edited(found[0], vocabulary, made.Acts(0.5, 0.5, heads=1)) is None
    assert made.edited(found[0], vocabulary, made.Acts(1.1, 0.5)) is None


@pytest.mark.needs_extra("models", "torch", "transformers", "tokenizers")
def test_a_response_that_is_too_long_is_read_in_part(tmp_path: Path) -> None:
    tags, made = module("edit_tags"), module("edit_tagger")
    reader = tagger(tmp_path, tags.Vocabulary.of([], least=1, most=9))
    long = Pair("Name a pet.", "", "a cat " * 500)
    (found,) = made.tag(reader, [long])
    assert len(found.tokens) == len(found.edits) == len(found.chances) == 1001
    assert found.chances[-1] == (0, 0, 0)
    assert found.chances[0][0] > 0


# ---------------------------------------------------------------------------------------------------------- judging


@pytest.mark.needs_extra("models", "torch", "transformers", "safetensors")
def test_what_was_written_passes_the_gate_of_a_reviser_at_low_trust() -> None:
    coach = module("form_coach")
    rows = [Pair("Name pets.", "", "- A cat\n- A dog"), Pair("Name one.", "", "A cat."), Pair("Add 2 and 3.", "", "5")]
    assert coach.spaced(rows) == ["- A cat\n\n- A dog", "A cat.", "5"]
    reviser = coach.reviser_of(rows, ["- A cat\n\n- A dog", None, "6"])
    cells = [reviser({"instruction": row.instruction, "input": row.input, "output": row.response}) for row in rows]
    assert [(cell["edit"], cell["output"]) for cell in cells] == [
        ("revised", "- A cat\n\n- A dog"),
        ("kept", "A cat."),
        ("reverted", "5"),
    ]
    pairs = [Sides(rows[0], rows[0].replace(response="- A cat\n\n- A dog"))]
    found = coach.judged(reviser, pairs, rows[1:])
    assert (found["closer"].value, found["farther"].value, found["unchanged"].value) == (1.0, 0.0, 1.0)
