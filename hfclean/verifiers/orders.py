"""Traces that claim an order of words, or a stack of brackets, held against what they say themselves.

An order is written as `"ant" < ["bee" ? "cat"] < "dog"`, a stack as `( ; stack: [ (`. Neither is looked for elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from hfclean.schema import Pair
from hfclean.text.thoughts import split_thought
from hfclean.verifiers.verifier import Finding, Verifier

# ------------------------------------------------------------------------------------------------- orders of words

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SORTED = re.compile(r"\b(?:sort|alphabet|letter)", re.IGNORECASE)
ORDER_PIECE = re.compile(
    r'"(?P<word>[^"\n]{1,60})"|(?P<sign>[\[\]<?])|\((?P<key>\d{1,2})\)|(?P<space>\s+)|(?P<other>\S)'
)
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()  # noqa: SIM905
LETTER_CLAIM = re.compile(r'"([^"\n]{1,60})": "([a-z])" \((\d{1,2})\)')
WHICH_LETTER = re.compile(rf"\bThe ({'|'.join(ORDINALS)}) letters?:")
QUOTED = re.compile(r'"([^"\n]{1,60})"')
ANSWER = re.compile(r"[Tt]he (?:answer|sorted list) is:? ([a-zA-Z' -]{3,2000})\.?$", re.MULTILINE)


class _Fault(NamedTuple):
    """What is wrong in a line, what would be right, and the sentence for people."""

    found: str
    expected: str
    sentence: str

    def finding(self, check: str, field: str, line: int) -> Finding:
        return Finding(check, field, 0, line, *self)


class Group(NamedTuple):
    """Words of which an order says that they stand together, with the number in front of them."""

    words: tuple[str, ...]
    key: int | None


def _key(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())


def _out_of_order(before: str, after: str) -> bool:
    """Whether the second of two words comes before the first in a dictionary, however it is sorted."""
    ordered = _key(before) <= _key(after) or before.casefold() <= after.casefold()
    return not ordered and (before + after).isascii()


def _orders(line: str) -> Iterator[list[Group]]:
    """Each `"a" < "b" < ["c" ? "d"]` of a line, as its groups."""
    groups: list[Group] = []
    words: list[str] = []
    key: int | None = None
    inside = joined = False
    for piece in ORDER_PIECE.finditer(line):
        kind, text = piece.lastgroup, piece.group()
        if kind == "space" or (text == "?" and inside):
            continue
        if kind == "key":
            key = int(piece["key"])
        elif kind == "word" and inside:
            words.append(piece["word"])
        elif text == "[" and not inside:
            inside, words = True, []
        elif kind == "word" or (text == "]" and inside):
            group = Group((piece["word"],) if kind == "word" else tuple(words), key)
            if groups and not joined:
                yield groups
                groups = []
            if group.words:
                groups.append(group)
            inside, joined, key = False, False, None
        elif text == "<" and groups and not inside:
            joined = True
        else:
            yield groups
            groups, words, key, inside, joined = [], [], None, False, False
    yield groups


def _wrong_letter(claims: list[tuple[str, str, str]], place: int) -> _Fault | None:
    """A claim about a letter that does not hold."""
    for word, letter, index in claims:
        right = word[place : place + 1].casefold()
        if right and right in LETTERS and (letter, int(index)) != (right, LETTERS.index(right) + 1):
            number = LETTERS.index(right) + 1
            return _Fault(
                f'"{word}": "{letter}" ({index})',
                f'"{word}": "{right}" ({number})',
                f'the {ORDINALS[place]} letter of "{word}" is {right}, number {number}, not {letter}, number {index}',
            )
    return None


def _wrong_order(groups: list[Group]) -> _Fault | None:
    """Two neighbours of an order that stand the wrong way round."""
    for before, after in pairwise(groups):
        last, first = max(before.words, key=_key), min(after.words, key=_key)
        if _out_of_order(last, first):
            return _Fault(
                f'"{last}" < "{first}"', f'"{first}" < "{last}"', f'"{first}" comes before "{last}" in the alphabet'
            )
    return None


def find_broken_orders(pair: Pair) -> list[Finding]:
    """The first claim about the order of words, or about a letter of one, that does not hold, in each field."""
    findings = []
    for field, text in _fields(pair):
        if '"' not in text or "<" not in text or not SORTED.search(text):
            continue
        wrong = next(_order_faults(text), None)
        if wrong is not None:
            findings.append(wrong[1].finding("order_broken", field, wrong[0]))
    return findings


def _order_faults(text: str) -> Iterator[tuple[int, _Fault]]:
    """Each line that says something wrong about an order, with what."""
    place, listed, subpart = 0, frozenset[str](), frozenset[str]()
    for number, line in enumerate(text.split("\n")):
        which = WHICH_LETTER.search(line)
        fault = None
        if which is not None:
            place = ORDINALS.index(which[1])
            claims = LETTER_CLAIM.findall(line, which.end())
            subpart = frozenset(word for word, _, _ in claims)
            listed = subpart if not place else listed
            fault = _wrong_letter(claims, place)
        orders = list(_orders(line)) if "<" in line else []
        part, split, whole = line.partition(" for the subpart")
        for groups in orders:
            fault = fault or _wrong_order(groups) or _wrong_key(groups, place)
        if split and listed:
            fault = (
                fault or _lost(_words(part), subpart) or _lost(_words(whole), listed) or _left_together(part, whole)
            )
        elif orders and not place and listed:
            fault = fault or _lost(_words(line), listed)
        answer = ANSWER.search(line)
        if answer and not fault:
            fault = _wrong_order([Group((word,), None) for word in answer[1].split()])
        if fault:
            yield number, fault


def _words(text: str) -> list[str]:
    return [word for word in QUOTED.findall(text) if not word.isspace()]


def _lost(words: list[str], listed: frozenset[str]) -> _Fault | None:
    """A word of the list that an order leaves out, or has twice."""
    if not words or not listed:
        return None
    lost, seen = sorted(listed.difference(words)), Counter(words)
    twice = [word for word, count in seen.items() if count > 1]
    if lost:
        return _Fault("", f'"{lost[0]}"', f'"{lost[0]}" is left out of the order')
    return _Fault(f'"{twice[0]}"', "", f'"{twice[0]}" stands in the order twice') if twice else None


def _left_together(part: str, whole: str) -> _Fault | None:
    """A group that the order of a part has split, and the order of the whole has not."""
    settled = frozenset(group.words for groups in _orders(part) for group in groups)
    words = frozenset(word for group in settled for word in group)
    if "?" in part and "[" not in part:
        return None
    for groups in _orders(whole):
        for group in groups:
            if len(group.words) > 1 and words.issuperset(group.words) and group.words not in settled:
                written = " ? ".join(f'"{word}"' for word in group.words)
                return _Fault(f"[{written}]", "", f"[{written}] is still to be sorted, though its part is")
    return None


def _wrong_key(groups: list[Group], place: int) -> _Fault | None:
    """A word under the number of a letter that it has neither there nor before."""
    for group in groups:
        for word in group.words:
            letters = word[: place + 1].casefold()
            if group.key is None or len(letters) <= place or any(letter not in LETTERS for letter in letters):
                continue
            numbers = [LETTERS.index(letter) + 1 for letter in letters]
            if group.key not in numbers:
                right = f'the {ORDINALS[place]} letter of "{word}" is {letters[-1]}, number {numbers[-1]}'
                found, expected = f'({group.key}) "{word}"', f'({numbers[-1]}) "{word}"'
                return _Fault(found, expected, f"{right}, not number {group.key}")
    return None


order_broken = Verifier("order_broken", "words whose order is said to be alphabetical and is not", find_broken_orders)

# ------------------------------------------------------------------------------------------------- stacks of brackets

CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}
BRACKETS = "()[]{}<>"
STEP = re.compile(r"\s*([()\[\]{}<>]) ?[;,:|] ?[Ss]tack: ?((?:[()\[\]{}<> ]+|empty))\s*")
START = re.compile(r"\s*[Ss]tack: ?empty\s*")
LISTED = r'("[()\[\]{}<>]"(?:(?: ?, ?| and |, and )"[()\[\]{}<>]")*)'
FINAL = re.compile(r"\bfinal stack is (\"[()\[\]{}<> ]*\"|empty)")
POPPED = re.compile(r"\bpop out " + LISTED)
NEEDED = re.compile(r"\bwe need " + LISTED)
ANSWERED = re.compile(r"\banswer is:? ([()\[\]{}<> ]+)$")


def find_broken_brackets(pair: Pair) -> list[Finding]:
    """The first step of a stack of brackets that does not follow from the one before, in each field."""
    findings = []
    asked = [line for line in pair.prompt.split("\n") if line.strip() and not line.strip(BRACKETS + " ")]
    sequence = "".join(asked[-1].split()) if asked else ""
    for field, text in _fields(pair):
        if "tack:" not in text:
            continue
        wrong = _first_broken_step(text.split("\n"), sequence)
        if wrong is not None:
            findings.append(wrong[1].finding("brackets_broken", field, wrong[0]))
    return findings


def _first_broken_step(lines: list[str], sequence: str) -> tuple[int, _Fault] | None:
    stack: str | None = None
    steps = 0
    for number, line in enumerate(lines):
        if START.fullmatch(line):
            stack = ""
        elif step := STEP.fullmatch(line):
            symbol, claimed = step[1], _brackets(step[2])
            if sequence and symbol != sequence[steps : steps + 1]:
                right = sequence[steps : steps + 1] or "none"
                return number, _Fault(symbol, right, f"bracket {steps + 1} is {right}, not {symbol}")
            steps += 1
            if stack is not None and claimed != _after(stack, symbol):
                return number, _differs(f"after {symbol} the stack is", claimed, _after(stack, symbol))
            stack = claimed
        elif stack is not None and steps:
            if steps < len(sequence) and "reached the end" in line:
                left = f"{steps} of {len(sequence)} brackets were taken"
                return number, _Fault("reached the end", _spaced(sequence[steps:]), left)
            fault = _wrong_end(line, stack)
            if fault is not None:
                return number, fault
    return None


def _wrong_end(line: str, stack: str) -> _Fault | None:
    """What a line says at the end that does not follow from the stack."""
    popped = stack[::-1]
    needed = "".join(CLOSING.get(bracket, bracket) for bracket in popped)
    for pattern, right in ((FINAL, stack), (POPPED, popped), (NEEDED, needed), (ANSWERED, needed)):
        said = pattern.search(line)
        if said and (claimed := _brackets(said.group())) != right:
            return _differs(f"from the stack {_spaced(stack)} follows", claimed, right)
    return None


def _differs(what: str, claimed: str, right: str) -> _Fault:
    return _Fault(_spaced(claimed), _spaced(right), f"{what} {_spaced(right)}, not {_spaced(claimed)}")


def _brackets(text: str) -> str:
    return "".join(character for character in text if character in BRACKETS)


def _spaced(stack: str) -> str:
    return " ".join(stack) or "empty"


def _after(stack: str, symbol: str) -> str:
    """The stack after one more bracket, which stays as it was where a closing one closes nothing."""
    if symbol in CLOSING:
        return stack + symbol
    return stack[:-1] if stack and CLOSING.get(stack[-1]) == symbol else stack


def _fields(pair: Pair) -> list[tuple[str, str]]:
    thought, response, _ = split_thought(pair)
    return [("response", response), ("thought", thought)]


brackets_broken = Verifier(
    "brackets_broken", "a stack of brackets that does not follow from the step before", find_broken_brackets
)
