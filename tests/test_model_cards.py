"""The cards that are checked in are what code and measured figures give; the Hub would take them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from hfclean.cards import check_card, read_card
from hfclean.rules import RULES

FOLDER = Path(__file__).parent.parent / "model_cards"
CARDS = ("preference.md", "rating.md", "rule_reviser.md", "trained_reviser.md")


def test_the_cards_are_as_they_would_be_rendered() -> None:
    rendered = runpy.run_path(str(FOLDER / "render.py"))["render"]()
    assert sorted(rendered) == sorted(CARDS)
    for name, text in rendered.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run: python model_cards/render.py"


@pytest.mark.parametrize("name", CARDS)
def test_each_says_what_a_card_has_to(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    data, body = read_card(text)
    assert check_card(text) == []
    assert (data["license"], data["language"], data["library_name"]) == ("apache-2.0", ["en"], "hfclean")
    for heading in ("## Evaluation", "## Intended use", "## Limits"):
        assert heading in body


def test_the_recipe_is_that_of_the_presets() -> None:
    text = (FOLDER / "trained_reviser.md").read_text(encoding="utf-8")
    for line in ("| LoRA rank | 64 | 16 |", "| share of the most revised pairs (alpha) | 0.3 | all |", "2311.13246"):
        assert line in text


def test_the_figures_are_the_measured_ones() -> None:
    reviser = (FOLDER / "rule_reviser.md").read_text(encoding="utf-8")
    assert all(f"| `{rule.id}` |" in reviser for rule in RULES)
    assert "toward 34, away 11" in reviser
    assert "| 1,800 expert pairs | 0.899 [0.885, 0.911]" in (FOLDER / "preference.md").read_text(encoding="utf-8")
    assert "0.680 [0.657, 0.703]" in (FOLDER / "rating.md").read_text(encoding="utf-8")
