"""What a text must have for a pattern to match: no text that matches is without it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfclean.rules import characters, html, markers, prompts, scrape, whitespace
from hfclean.rules.needed_words import FOLDED, found_in, needed_words
from hfclean.rules.rule import asked_about

SUBJECTS = [
    html.ABOUT_HTML,
    html.ASKS_FOR_STYLE,
    markers.ABOUT_MARKERS,
    scrape.ABOUT_PAGES,
    characters.ABOUT_CHARACTERS,
    whitespace.ABOUT_CODE,
    prompts.WANTED,
]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("tags?", ("tag",)),
        ("colou?rs", ("colo",)),
        ("ab+c", ("ab",)),
        (r"lines?\b|\bbreak", ("line", "break")),
        ("(?:chat|prompt)[- ](?:template|format)", ("template", "format")),
        ("(?:line|page)?[- ]breaks", ("breaks",)),
        ("(?:up|down) the", (" the",)),
        ("(?P<name>up|down)", ("up", "down")),
        ("(?<!no )token(?! of)", ("token",)),
        (r"a\.b|\(c\)", ("a.b", "(c)")),
        ("x{2}y{0,3}", ("x",)),
        ("代码|code", ("code",)),
        ("(?:代|co)de", ("co",)),
        ("kalın", ("kalin",)),
        ("Straſse", ("strasse",)),
        (r"\w+|code", None),
        ("(?:code)?", None),
        ("co(?i:d)(?=e)", ("co",)),
        ("(?i)code", None),
        ("(a)(?P=a)", None),
    ],
)
def test_the_words_that_a_pattern_needs(pattern: str, words: tuple[str, ...] | None) -> None:
    assert needed_words(re.compile(pattern.replace("(a)", "(?P<a>a)"), re.IGNORECASE)) == words


def test_a_pattern_with_blanks_for_the_reader_is_not_read() -> None:
    assert needed_words(re.compile("co de", re.VERBOSE)) is None


def test_no_other_character_stands_for_an_ascii_letter() -> None:
    letters = re.compile("[a-z]", re.IGNORECASE)
    folded = {code for code in range(128, 0x11000) if letters.fullmatch(chr(code))}
    assert folded == set(FOLDED)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.pattern[:12])
def test_a_text_that_matches_has_one_of_the_words(subject: re.Pattern[str]) -> None:
    words = needed_words(subject)
    assert words

    @settings(max_examples=40, database=None, deadline=None)
    @given(st.from_regex(subject, fullmatch=True))
    def check(text: str) -> None:
        assert not text.isascii() or any(word in text.lower() for word in words)
        assert asked_about(subject, text) == (subject.search(text) is not None)

    check()


def test_the_subject_is_looked_for_at_both_ends_of_a_long_task() -> None:
    subject, matter = re.compile("commas", re.IGNORECASE), "x " * 2000
    assert asked_about(subject, f"Remove the COMMAS. {matter}")
    assert asked_about(subject, f"{matter}Remove the commas.")
    assert not asked_about(subject, f"{matter}Remove the commas.{matter}")


@pytest.mark.parametrize("text", ["A TAG here", "none", "étag", "a tagging"])
def test_found_is_what_a_search_finds(text: str) -> None:
    pattern = re.compile(r"\btags?\b", re.IGNORECASE)
    assert found_in(pattern, text) == (pattern.search(text) is not None)
