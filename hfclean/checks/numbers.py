"""The check of figures: numbers of the question must not change, and sums must be right.

`LEVELS` sets how strictly, from surely wrong to possibly wrong. Experts who improve an answer
change a number in one of six, so the gate stops at a level that they hardly ever reach.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.checks.claims import ASKS_FOR_IT, KEPT, LONGEST, MOST, SENTENCE
from hfclean.checks.verified import mends
from hfclean.text.counting import SMALL
from hfclean.text.numbers import THOUSANDS, has_digit, plain_number
from hfclean.text.words import word_set

ORDINALS = "first second third fourth fifth"
TENS = "thirty forty fifty sixty seventy eighty ninety"
AS_WORD = {word: str(value) for value, word in enumerate(SMALL.split())}
AS_WORD |= {word: str(10 * value) for value, word in enumerate(TENS.split(), start=3)}
AS_WORD |= {word: str(value) for value, word in enumerate(ORDINALS.split(), start=1)}
AS_WORD |= {"hundred": "100", "thousand": "1000", "million": "1000000", "dozen": "12", "couple": "2", "pair": "2"}
AS_WORD |= {"single": "1", "once": "1", "twice": "2", "half": "0.5"}


def _also_words(numbers: frozenset[str], text: TextFacts) -> frozenset[str]:
    """The numbers, with those that the text writes as words."""
    return numbers | {AS_WORD[word] for word in text.vocabulary & AS_WORD.keys()}


# ---------------------------------------------------------------------------------------------- the question's numbers


def _question_replaced(case: Case) -> bool:
    """A number of the question is missing from the new question, and another was added."""
    if case.same_task:
        return False
    given, now = case.asked.numbers, case.asks.numbers
    if not given - now or not now - given:
        return False
    return bool(given - _also_words(now, case.asks)) and bool(now - _also_words(given, case.asked))


def _question_lost(case: Case) -> bool:
    """A number of the question is missing from the new question."""
    if case.same_task:
        return False
    given = case.asked.numbers
    return bool(given) and bool(given - _also_words(case.asks.numbers, case.asks))


def _repeated_replaced(case: Case) -> bool:
    """A number of the question that the old answer repeated is not in the new one, which has a different one."""
    given = case.asked.numbers
    repeated = given & case.old.numbers if given else given
    if not repeated:
        return False
    now = case.new.numbers
    lost = repeated - _also_words(now, case.new)
    return bool(lost) and _like_one(lost, now - given - case.old.numbers - case.asks.numbers)


def _given_replaced(case: Case) -> bool:
    """The new answer repeats some numbers of the question; in place of another it has a different one."""
    given = case.asked.numbers
    if len(given) < 2:
        return False
    now = case.new.numbers
    lost = given - _also_words(now, case.new)
    return bool(lost) and bool(given & now) and _like_one(lost, now - given - case.old.numbers)


def _like_one(lost: frozenset[str], foreign: frozenset[str]) -> bool:
    """Whether one of the new numbers could replace a lost one: as long, or nearly."""
    return any(abs(len(one) - len(other)) <= 1 for one in lost for other in foreign)


def _misread(case: Case) -> bool:
    """A number of the question is missing, and the new answer has one that differs from it in one digit."""
    given = case.asked.numbers
    return bool(given) and _one_digit_off(given, case.new.numbers, case.old.numbers, 2)


def _one_digit_off(given: frozenset[str], now: frozenset[str], old: frozenset[str], length: int) -> bool:
    lost = sorted(number for number in given - now if length <= len(number) <= LONGEST_OPERAND)
    foreign = now - given - old
    if not lost or not foreign:
        return False
    return any(
        f"{number[:place]}{digit}{number[place + 1 :]}" in foreign
        for number in lost[:50]
        for place in range(len(number))
        for digit in "0123456789"
    )


# ---------------------------------------------------------------------------------------------- numbers in their place

BESIDE = re.compile(
    r"(?:(?<![^\W\d_])([^\W\d_]{2,30})[^\w\n]{1,3})?(?<![\w.])(\d++(?:\.\d++)?)(?!\w)(?:[^\w\n]{1,3}([^\W\d_]{2,30}))?"
)
ROUNDING = 0.01
EMPTY_WORDS = word_set(
    """
    of in to and or the is at by for from with on as than are was be step chapter day item page no number figure part
    """
)


def _places(text: str, *, both: bool) -> dict[tuple[str, str], set[str]]:
    """Numbers by the words on both sides of them, or by the one that follows."""
    found: dict[tuple[str, str], set[str]] = {}
    if "," in text:
        text = THOUSANDS.sub("", text)
    for left, number, right in BESIDE.findall(text.lower()):
        if right and (left if both else right not in EMPTY_WORDS):
            found.setdefault((left if both else "", right), set()).add(plain_number(number))
    return found


def _out_of_place(given: TextFacts, new: TextFacts, *, both: bool) -> bool:
    """Whether the new text has another number in place of a given one, which is nowhere in it."""
    known, now = given.numbers, new.numbers
    if known <= now or now <= known:
        return False
    here, there = _places(given.text, both=both), _places(new.text, both=both)
    for place, numbers in here.items():
        others = there.get(place)
        if others and not (numbers & others or others <= known or numbers <= now or _same_rounded(numbers, others)):
            return True
    return False


def _same_rounded(numbers: set[str], others: set[str]) -> bool:
    """Whether a number with decimals is one of the others, but for rounding."""
    return any(
        ("." in one or "." in other) and abs(float(one) - float(other)) <= ROUNDING * float(one)
        for one in numbers
        for other in others
        if max(len(one), len(other)) <= LONGEST_OPERAND
    )


def _contradicts_question(case: Case) -> bool:
    """Where the question says "5 states", the new answer says "7 states" and nowhere 5."""
    return _out_of_place(case.asked, case.new, both=False) and not _out_of_place(case.asked, case.old, both=False)


def _contradicts_answer(case: Case) -> bool:
    """Between the same two words, the old answer has one number and the new answer another."""
    return _out_of_place(case.old, case.new, both=True)


# ------------------------------------------------------------------------------------ figures of a sentence that stays

TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[°%$£€]")
BULLET = re.compile(r"\W*\d{1,3}[.):]\s")
FEWEST_TOKENS = 3
# Each line is one unit in its spellings. Of units whose names have other meanings as well, none is here.
UNITS = """
    cup cups
    tablespoon tablespoons tbsp tbsps
    teaspoon teaspoons tsp tsps
    clove cloves
    pinch pinches
    ounce ounces oz
    pound pounds lb lbs
    gram grams g
    kilogram kilograms kg kgs
    milligram milligrams mg
    milliliter milliliters millilitre millilitres ml
    liter liters litre litres l
    pint pints
    quart quarts
    gallon gallons
    inch inches
    feet foot ft
    yard yards
    mile miles
    millimeter millimeters millimetre millimetres mm
    centimeter centimeters centimetre centimetres cm
    meter meters metre metres m
    kilometer kilometers kilometre kilometres km
    second seconds sec secs
    minute minutes min mins
    hour hours hr hrs
    day days
    week weeks
    month months
    year years yr yrs
    decade decades
    century centuries
    thousand
    million
    billion
    trillion
    celsius
    fahrenheit
    kelvin
"""
UNIT_OF = {word: line.split()[0] for line in UNITS.strip().splitlines() for word in line.split()}
UNITS_KNOWN = frozenset(UNIT_OF)


def _figure_replaced(case: Case) -> bool:
    """A sentence of the old answer stays, but for a number, which the question does not give, or for a unit."""
    old, new = case.old, case.new
    if not case.same_task or old.text == new.text or not old.numbers or not new.numbers:
        return False
    asked = case.asked
    lost, come = old.numbers - new.numbers, new.numbers - old.numbers
    if asked.numbers:
        lost = come = frozenset()  # what follows from them may have been worked out wrong
    units = new.vocabulary & UNITS_KNOWN - asked.vocabulary
    if not (lost and come) and (not units or old.vocabulary.isdisjoint(UNITS_KNOWN)):
        return False
    before, after = (dict.fromkeys(SENTENCE.split(text.lower)) for text in (old, new))
    gone = _with_figures(part for part in before if part not in after)
    now = _with_figures(part for part in after if part not in before) if gone else []
    replaced = any(
        _is_other_unit(figure, instead, units)
        or (figure in lost and instead in come and not _same_rounded({figure}, {instead}))
        for one in gone
        for other in now
        for figure, instead in _replaced(one, other)
    )
    return (
        replaced
        and not ASKS_FOR_IT.search(case.before.instruction[:3000])
        and not mends(case, "wrong_sum", "answers_disagree")
    )


def _is_other_unit(figure: str, instead: str, allowed: frozenset[str]) -> bool:
    return figure in UNIT_OF and instead in allowed and UNIT_OF[figure] != UNIT_OF[instead]


def _with_figures(parts: Iterable[str]) -> list[tuple[list[str], list[str]]]:
    """The tokens of each sentence that has a number, and the same with a sign for each number and its unit."""
    found = []
    for part in parts:
        if has_digit(part):
            mark = BULLET.match(part)
            tokens: list[str] = TOKEN.findall(part, mark.end() if mark else 0)
            tokens = [plain_number(token.replace(",", "")) if token[0].isdecimal() else token for token in tokens]
            signs = ["#" if token[0].isdecimal() else token for token in tokens]
            for place, (one, other) in enumerate(pairwise(signs)):
                if one == "#" and other in UNIT_OF:
                    signs[place + 1] = "@"
            if FEWEST_TOKENS <= len(tokens) <= LONGEST and "#" in signs:
                found.append((tokens, signs))
    return found[:MOST]


def _replaced(one: tuple[list[str], list[str]], other: tuple[list[str], list[str]]) -> Iterator[tuple[str, str]]:
    """Numbers of one unit, and units of one number, that differ in sentences that are the same but for some words."""
    (old, signs), (new, others) = one, other
    need = KEPT * max(len(signs), len(others))
    if len(set(signs) & set(others)) < need / 2:
        return
    same = [op for op in Levenshtein.opcodes(signs, others) if op.tag == "equal"]
    if sum(op.src_end - op.src_start for op in same) < need:
        return
    for op in same:
        for place, instead in zip(range(op.src_start, op.src_end), range(op.dest_start, op.dest_end), strict=True):
            if old[place] == new[instead]:
                continue
            if old[place - 1] == new[instead - 1] if signs[place] == "@" else _unit(old, place) == _unit(new, instead):
                yield old[place], new[instead]


def _unit(tokens: list[str], place: int) -> tuple[str, str]:
    """What the number at a place is a number of: the sign of money before it, the unit or the degrees behind it."""
    money = tokens[place - 1] if place and tokens[place - 1] in "$£€" else ""
    behind, further = [*tokens[place + 1 : place + 3], "", ""][:2]
    return money, f"°{further[:1]}" if behind in ("°", "degree", "degrees") else UNIT_OF.get(behind, "")


# ------------------------------------------------------------------------------------ numbers that do not fit together

LIST_NUMBER = re.compile(r"^[ \t]*(\d{1,3})[.)][ \t]", re.MULTILINE)


def _list_out_of_order(text: str) -> bool:
    """Whether the numbering of a list skips or repeats a number once or twice."""
    if "2" not in text and "3" not in text:
        return False
    marks = list(map(int, LIST_NUMBER.findall(text)))
    if len(marks) < 3:
        return False
    wrong = sum(after not in (1, before + 1) for before, after in pairwise(marks))
    wrong += marks[0] != 1 and marks[1] != marks[0] + 1
    return 0 < wrong <= 2


def _list_disordered(case: Case) -> bool:
    """The numbering of a list has gaps that it did not have before."""
    return _list_out_of_order(case.new.text) and not _list_out_of_order(case.old.text)


OPERAND = r"[$£€]?\d++(?:\.\d++)?"
SUM = re.compile(
    # not within a longer one: an operator, a bracket or a power before it would change what it comes to
    r"(?<![\w.)\]^/*×·÷+\-−=%$£€])(?<![.)\]^/*×·÷x+\-−%(] )"
    rf"{OPERAND}(?: ?[+\-−*×x/÷] ?{OPERAND}){{1,12}} ?= ?{OPERAND}"
    r"(?![\w%^]| ?[/*×+\-−÷^(]| x \d| R\b| ?rem| with rem)"
)
TERM = re.compile(r"([+\-−*×x/÷=]?) ?[$£€]?(\d+(?:\.\d+)?)")
TIMES, OVER, MINUS = frozenset("*×x"), frozenset("/÷"), frozenset("-−")
LONGEST_OPERAND = 14


def _comes_out(sum_: str) -> bool:
    """Whether a sum of plain numbers is right, with rounding where it applies; True when in doubt."""
    *terms, (_, stated) = TERM.findall(sum_)
    numbers = [stated, *(number for _, number in terms)]
    if max(map(len, numbers)) > LONGEST_OPERAND:
        return True
    products: list[float] = []
    for sign, number in terms:
        value = float(number)
        if products and sign in TIMES:
            products[-1] *= value
        elif products and sign in OVER:
            if value == 0:
                return True
            products[-1] /= value
        else:
            products.append(-value if sign in MINUS else value)
    total = sum(products)
    if not any(sign in OVER for sign, _ in terms) and not any("." in number for number in numbers):
        return total == float(stated)
    decimals = len(stated.partition(".")[2])
    return abs(total - float(stated)) <= 0.51 * 10.0**-decimals + 0.005 * abs(total)


def _false_sums(text: str) -> int:
    """Number of wrong sums of plain numbers."""
    if "=" not in text:
        return 0
    if "," in text:
        text = THOUSANDS.sub("", text)
    return sum(not _comes_out(sum_) for sum_ in SUM.findall(text))


def _sums_wrong(case: Case) -> bool:
    """A wrong sum, where the old answer had none."""
    return _false_sums(case.new.text) > _false_sums(case.old.text)


# -------------------------------------------------------------------------------------------- the old answer's numbers


def _one_digit_changed(case: Case) -> bool:
    """A number of the old answer of three digits or more is missing, and another differs from it in one digit."""
    old = case.old.numbers
    return bool(old) and _one_digit_off(old, case.new.numbers, case.asked.numbers, 3)


def _any_replaced(case: Case) -> bool:
    """A number of the old answer is not in the new one, which has a different one."""
    old, now = case.old.numbers, case.new.numbers
    return bool(old - _also_words(now, case.new)) and bool(now - old - case.asked.numbers)


def _any_lost(case: Case) -> bool:
    """A number of the old answer is not in the new one."""
    return bool(case.old.numbers - _also_words(case.new.numbers, case.new))


# Each refuses what those before it refuse, and more.
LEVELS: tuple[tuple[str, Callable[[Case], bool]], ...] = (
    ("question_replaced", _question_replaced),
    ("list_disordered", _list_disordered),
    ("sums_wrong", _sums_wrong),
    ("repeated_replaced", _repeated_replaced),
    ("given_replaced", _given_replaced),
    ("misread", _misread),
    ("contradicts_question", _contradicts_question),
    ("question_lost", _question_lost),
    ("contradicts_answer", _contradicts_answer),
    ("figure_replaced", _figure_replaced),
    ("one_digit_changed", _one_digit_changed),
    ("any_replaced", _any_replaced),
    ("any_lost", _any_lost),
)
KEPT_LEVELS = 10


def _number_changed(case: Case) -> bool:
    if not case.new.numbers and case.same_task:
        return False
    return any(level(case) for _, level in LEVELS[:KEPT_LEVELS])


number_changed = Check(
    "number_changed",
    "a number of the question, a sum, or a figure of a sentence that stays, which is not what it was",
    _number_changed,
    version=2,
)
