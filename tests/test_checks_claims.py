"""A sentence that a revision turns round, and a verdict that it flips: what is refused, and what is none."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfclean.checks import CHECKS, accept, claims
from hfclean.checks.claims import OPPOSITES, PAIRS, claim_reversed
from hfclean.checks.closed_answers import label_flipped
from hfclean.schema import Pair

REVERSED = [
    (
        "Granite is harder than marble, so it scratches marble.",
        "Granite is easier than marble, so it scratches marble.",
    ),
    ("A bat is a mammal that flies.", "A bat is not a mammal that flies."),
    ("Spiders are not insects, because they have eight legs.", "Spiders are insects, because they have eight legs."),
    ("Copper conducts heat better than steel does.", "Copper conducts heat worse than steel does."),
    ("The price rises when supply is short.", "The price falls when supply is short."),
    ("Add the milk before the flour is mixed in.", "Add the milk after the flour is mixed in."),
    ("Norway lies in the northern part of Europe.", "Norway lies in the southern part of Europe."),
    ("This fish always swims against the stream.", "This fish never swims against the stream."),
    ("It is possible to divide a line into three parts.", "It is impossible to divide a line into three parts."),
    ("Plants absorb carbon dioxide during the day.", "Plants emit carbon dioxide during the day."),
    ("It is likely that the river floods in spring.", "It is unlikely that the river floods in spring."),
    ("The vaccine increases the number of antibodies.", "The vaccine decreases the number of antibodies."),
    ("Electrons carry a negative charge in every atom.", "Electrons carry a positive charge in every atom."),
    ("This password protects the whole folder.", "This password does not protect the whole folder."),
    ("Whales can't breathe under water for long.", "Whales can breathe under water for long."),
    ("Trains don't stop here on Sundays.", "Trains stop here on Sundays."),
    ("Tea holds less caffeine than coffee.", "Tea typically holds more caffeine than coffee."),
    ("Owls hunt at night. The western ones are larger.", "Owls hunt at night. The western ones are smaller."),
    ("- Sugar is safe for dogs to eat\n- Water is fine", "- Sugar is dangerous for dogs to eat\n- Water is fine"),
    ("Drink it with a meal; it is stronger then.", "Drink it with a meal; it is weaker then."),
]
SAID_AS_IT_WAS = [
    ("Granite is harder than marble.", "Marble is softer than granite."),
    ("Tea holds less caffeine than coffee.", "Coffee holds more caffeine than tea."),
    ("It is not uncommon to see deer here.", "It is common to see deer here."),
    ("The poor do not have the money for it.", "The poor lack the money for it."),
    ("Warm air rises and cold air falls.", "Cold air falls and warm air rises."),
    ("The higher you climb, the lower it gets.", "The lower you climb, the higher it gets."),
    ("She likes the sea.", "She likes the sea, and not only in summer."),
    ("He walks to work on most days.", "He walks to work on most days. He never drives."),
    ("It rains more in the north.", "It rains a lot more in the north of the country."),
    ("The shop opens at nine in the morning.", "The shop opens at ten in the morning."),
    ("Cats sleep for most of the day.", "Cats sleep for much of the day."),
    ("A cube has six equal faces.", "A cube has six equal faces and no round ones."),
    ("Take it before meals.", "Before each meal, take one."),
    ("It can not be said when it began.", "It cannot be said when it began."),
    ("That is very true of small towns.", "That is not true: many small towns grow, and some grow fast."),
    ("The lamp is on the left side.", "The lamp is on the left-hand side."),
    ("She is quite often ambitious.", "She is quite often ambitious.\nShe is not quite often ambitious."),
    ("It doesn't fail to impress the guests.", "It does impress the guests, without fail."),
    ("Open it.", "Close it."),
    ("Sales grew more slowly in spring than before.", "In spring, sales grew less quickly than they had before."),
]


@pytest.mark.parametrize(("old", "new"), REVERSED)
def test_a_sentence_turned_round_is_refused_either_way(old: str, new: str) -> None:
    before, after = Pair("Write a line about it.", "", old), Pair("Write a line about it.", "", new)
    assert claim_reversed(before, after) == "claim_reversed"
    assert claim_reversed(after, before) == "claim_reversed"
    assert "claim_reversed" in accept(before, after)
    assert "claim_reversed" in accept(before, after, trust="low")
    assert "claim_reversed" not in accept(before, after, trust="high")


@pytest.mark.parametrize(("old", "new"), SAID_AS_IT_WAS)
def test_other_words_are_no_contrary(old: str, new: str) -> None:
    assert not claim_reversed(Pair("Write a line about it.", "", old), Pair("Write a line about it.", "", new))


def test_each_kind_has_twenty_cases() -> None:
    assert len(REVERSED) == len(SAID_AS_IT_WAS) == 20


@pytest.mark.parametrize(
    "asked", ["Give the opposite of this sentence.", "Correct the mistake.", "Negate the sentence.", "What is wrong?"]
)
def test_where_the_contrary_may_be_asked_for_nothing_is_said(asked: str) -> None:
    old, new = REVERSED[0]
    assert not claim_reversed(Pair(asked, "", old), Pair(asked, "", new))


def test_a_changed_question_may_have_the_contrary_answer() -> None:
    old, new = REVERSED[0]
    assert not claim_reversed(Pair("Is it harder?", "", old), Pair("Is it easier?", "", new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Yes, the sentence holds an exaggeration.", "No, the sentence does not hold an exaggeration."),
        ("No. It has been closed since the year 1990, as the sign says.", "Yes. It is open."),
        ("**True**: water boils at 100 degrees at sea level.", "**False**: water boils at 90 degrees at sea level."),
        ("Incorrect, since a whale is a mammal and no fish at all.", "Correct."),
    ],
)
def test_a_verdict_at_the_beginning_is_a_label_however_long_the_answer(old: str, new: str) -> None:
    assert label_flipped(Pair("Judge this.", "", old), Pair("Judge this.", "", new)) == "label_flipped"
    assert not label_flipped(Pair("Judge this.", "", old), Pair("Judge that.", "", new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Yes, it does, as can be seen in the second line.", "Yes: it does, and the second line shows it."),
        ("Yes, it does, as can be seen in the second line.", "It does not, as the second line shows."),
        ("No man is an island, and no woman is one either.", "Yes, no man is an island, nor is any woman."),
        ("True love waits for as long as it takes to come.", "False. Love waits for as long as it takes."),
    ],
)
def test_a_word_that_is_no_verdict_is_no_label(old: str, new: str) -> None:
    assert not label_flipped(Pair("Judge this.", "", old), Pair("Judge this.", "", new))


def test_each_word_has_its_opposites_in_one_place() -> None:
    left = [pair.split("-")[0] for pair in PAIRS.split()]
    assert len(left) == len(set(left))
    assert all(word not in others for word, others in OPPOSITES.items())
    assert pickle.loads(pickle.dumps(claim_reversed)) == claim_reversed


def test_only_so_many_sentences_are_compared() -> None:
    lines = [f"Word number {'x' * k} is more than that one." for k in range(3 * claims.MOST)]
    old, new = "\n".join(lines), "\n".join([*lines[:-1], lines[-1].replace("more", "less")])
    assert claim_reversed(Pair("q", "", old), Pair("q", "", new))  # equal ones do not count
    new = "\n".join(
        [*(f"Wholly other words stand here {line}" for line in lines[:-1]), lines[-1].replace("more", "less")]
    )
    assert not claim_reversed(Pair("q", "", old), Pair("q", "", new))


@given(st.text(alphabet="no t.less more\n"), st.text(alphabet="no t.less more\n"))
def test_it_holds_for_any_text(old: str, new: str) -> None:
    one, other = Pair("q", "", old), Pair("q", "", new)
    assert not claim_reversed(one, one)
    assert claim_reversed(one, other) in ("", "claim_reversed")


# Every word counts: pairs that turn a sentence, helpers that come with a "not", words that deny already, and tasks.
TURNING = """
    more-less/fewer most-least/fewest higher-lower high-low highest-lowest above-below larger-smaller largest-smallest
    bigger-smaller greater-lesser/smaller/less greatest-least/smallest longer-shorter longest-shortest taller-shorter
    faster-slower fast-slow fastest-slowest quickly-slowly stronger-weaker strong-weak strongest-weakest
    better-worse best-worst earlier-later hotter-colder/cooler warmer-colder/cooler hottest-coldest heavier-lighter
    older-younger/newer oldest-youngest/newest easier-harder easy-hard/difficult richer-poorer
    increase-decrease/reduce increases-decreases/reduces increased-decreased/reduced increasing-decreasing/reducing
    rise-fall/drop rises-falls/drops rising-falling/dropping rose-fell/dropped grow-shrink grows-shrinks
    raise-lower raises-lowers raising-lowering improve-worsen improves-worsens expand-contract expands-contracts
    always-never often-rarely/seldom usually-rarely/seldom everyone-nobody everything-nothing everybody-nobody
    before-after maximum-minimum maximize-minimize maximizes-minimizes inside-outside internal-external
    north-south northern-southern east-west eastern-western left-right clockwise-counterclockwise/anticlockwise
    positive-negative true-false correct-incorrect valid-invalid legal-illegal safe-dangerous/unsafe able-unable
    possible-impossible visible-invisible direct-indirect dependent-independent efficient-inefficient
    complete-incomplete accurate-inaccurate sufficient-insufficient effective-ineffective active-inactive
    advantage-disadvantage advantages-disadvantages agree-disagree agrees-disagrees accept-reject accepts-rejects
    include-exclude includes-excludes allow-forbid/prevent allows-forbids/prevents encourage-discourage
    encourages-discourages gain-loss gains-losses profit-loss win-lose wins-loses won-lost buy-sell import-export
    absorb-emit/release absorbs-emits/releases acidic-alkaline/basic even-odd with-without presence-absence
"""
HELPING = "do|does|did|is|are|was|were|be|has|have|had|will|would|can|could|may|might|should|must"
DENYING = "lack|lacks|lacked|without|avoid|avoids|fail|fails|failed|hardly|barely|neither|nor|none|nothing|few"
ASKING = (
    "opposite|opposites|antonym|antonyms|negate|negation|contrary|reverse|reversed|contradict|"
    "counterargument|counter-arguments|edit|correct|fix|error|errors|mistake|mistakes|wrong"
)
LABELS = """
yes/no true/false positive/negative positive/neutral correct/incorrect right/wrong spam/ham fact/opinion agree/disagree
entailment/contradiction entailment/neutral formal/informal safe/unsafe toxic/non-toxic active/passive valid/invalid
grammatical/ungrammatical subjective/objective living/nonliving singular/plural male/female hot/cold odd/even
"""
CHOOSING = (
    "classify this as red or blue|categorize it as red or blue|categorise it as red or blue|"
    "label it as red or blue|identify it as red or blue|determine it as red or blue|"
    "decide it as red or blue|tell it as red or blue|say it as red or blue|state it as red or blue|"
    "choose it as red or blue|select it as red or blue|pick it as red or blue|answer it as red or blue|"
    "is it seen as red or blue|is this seen as red or blue|is that seen as red or blue|"
    "is the boat seen as red or blue|whether it counts as red or blue|sort it into red or blue|"
    "respond with red or blue|reply with red or blue|classify it as either red or blue|"
    "classify it as one of red or blue|decide between red and blue|choose from red or blue|"
    "say if it is red or blue|say if they are red or blue|say either red or blue|"
    "sort by category: red or blue|sort by categories red or blue|sort it: red or blue|"
    "sort it (red or blue)"
)


def test_what_is_refused_differently_than_before_has_another_version() -> None:
    assert {check.id: check.version for check in CHECKS if check.version > 1} == {
        "empty_response": 3, "refusal": 4, "rubric_leak": 2, "meta_talk": 2, "language_changed": 3, "label_flipped": 2,
        "thought_lost": 2,
        "answers_disagree": 2, "count_missed": 2, "number_changed": 2, "truncated": 3, "drifts": 2,
    }  # fmt: skip


def turns(old: str, new: str, asked: str = "Write a line about it.") -> bool:
    return claim_reversed(Pair(asked, "", old), Pair(asked, "", new)) != ""


def flips(old: str, new: str, asked: str = "Judge this.") -> bool:
    return label_flipped(Pair(asked, "", old), Pair(asked, "", new)) != ""


def test_un_turns_words_of_five_letters_or_more() -> None:
    for word, expected in (("steady", True), ("wrapped", True), ("even", False), ("less", False)):
        one, other = (f"The road is {each} in every season here." for each in (word, f"un{word}"))
        assert bool(claim_reversed(Pair("Write.", "", one), Pair("Write.", "", other))) is expected, word


def test_each_of_these_words_turns_a_sentence_or_does_not() -> None:
    line = "They say the {} one stays here today."
    pairs = [
        (one, other)
        for pair in TURNING.split()
        for one, *others in [pair.replace("-", "/").split("/")]
        for other in others
    ]
    assert [pair for pair in pairs if not turns(line.format(pair[0]), line.format(pair[1]))] == []
    assert not turns(line.format("red"), line.format("blue"))
    sail = "Boats {} not sail north today."
    assert [word for word in HELPING.split("|") if not turns("Boats sail north today.", sail.format(word))] == []
    assert not turns("Boats sail north today.", sail.format("gladly"))
    dry, wet = "There is no water in the lake.", "There is water in the lake."
    assert turns(dry, wet)
    assert turns(wet, dry)
    assert turns("Whales can’t breathe there for long.", "Whales can breathe there for long.")
    old, new = "The people there {} money for bread.", "The people there do not have money for bread."
    assert [word for word in DENYING.split("|") if turns(old.format(word), new)] == []
    old, new = REVERSED[1]
    assert [word for word in ASKING.split("|") if turns(old, new, f"Give it, {word}.")] == []


def test_each_of_these_labels_is_one_and_each_of_these_tasks_offers_some() -> None:
    pairs = [pair.split("/") for pair in LABELS.split()]
    assert [pair for pair in pairs if not flips(f"It is {pair[0]}.", f"It is {pair[1]}.")] == []
    denials = "not|isn't|isn’t|no|never|neither|nor|both|cannot|can't"
    assert [word for word in denials.split("|") if flips("It is hot.", f"It is {word} cold.")] == []
    assert [asked for asked in CHOOSING.split("|") if not flips("It is red.", "It is blue.", asked)] == []
    assert not flips("It is red.", "It is blue.", "Look at red or blue.")
    assert not flips("It is red.", "It is blue.", "Choose from _ or __.")
    assert flips("Yes", "No. It has not been open since 1990.")


def test_an_option_is_known_by_each_of_these_words() -> None:
    for word in ("answer", "option", "choice", "answer is", "option is", "choice is", "answer:", "option is:"):
        assert flips(f"So the {word} A.", f"So the {word} B.", "Pick.\nA) Oslo\nB) Bergen"), word
    assert not flips("So the plan A.", "So the plan B.", "Pick.\nA) Oslo\nB) Bergen")
    assert not flips("So the answer is Axel.", "So the answer is Ben.", "Pick.\nA) Oslo\nB) Bergen")
    assert flips("It is red.", "It is blue.", "Classify it as red / blue.")
    assert not flips("It is green.", "It is blue.", "Classify it as red / blue.")


def test_a_label_has_at_most_six_words_around_it() -> None:
    assert flips("It is very hot in here.", "It is very cold in here.")
    assert not flips("It is very hot in here now.", "It is very cold in here now.")


def test_an_option_of_two_letters_is_not_looked_for_within_words() -> None:
    assert not flips("We all know it now, as it is so.", "Give some more of it to them all.", "Pick.\nA) no\nB) me")
