"""Damage that is done to an answer on purpose, one injector a kind, so that a score can be asked whether it sees it.

An injector is data: a name, what it means, and a function `(pair, others, chance) -> Pair | None`, None where it does
not apply. It changes the answer only, runs in linear time, and takes every decision from `chance`.
"""

import random
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from hfclean.schema import Pair

_Injector = Callable[[Pair, Sequence[Pair], random.Random], Pair | None]

PIECE = re.compile(r"\S+\s*")
SENTENCE = re.compile(r"[^.!?。！？\n]*[.!?。！？\n]+\s*|[^.!?。！？\n]+")
# numbers that state something: not inside a name, and not the marker of a list's item
NUMBER = re.compile(r"(?<![\w.,])[0-9]+(?:[.,][0-9]+)*(?![\w])")
MARKER = re.compile(r"\s*[.):]\s")
TRIES = 20


@dataclass(frozen=True)
class Noise:
    """One kind of damage.

    Args:
        id: snake_case name, a row of the report.
        meaning: one line for people.
        function: the damaged pair, or None where the kind does not apply to this one.
        needs: what its `others` are: other pairs of the same rows, or `foreign` ones in another language.
    """

    id: str
    meaning: str
    function: _Injector
    needs: Literal["rows", "foreign"] = "rows"


def _swapped(pair: Pair, others: Sequence[Pair], chance: random.Random) -> Pair | None:
    for _ in range(TRIES):
        if not others:
            break
        other = others[chance.randrange(len(others))]
        if other.prompt != pair.prompt and other.response.strip() not in ("", pair.response.strip()):
            return pair.replace(response=other.response)
    return None


def _truncated(pair: Pair, others: Sequence[Pair], chance: random.Random) -> Pair | None:
    text = pair.response.strip()
    if len(text) < 10:
        return None
    return pair.replace(response=text[: max(1, int(len(text) * chance.uniform(0.3, 0.7)))].rstrip())


def _pieces(text: str) -> list[str]:
    """Words with the white space behind them; characters, where there are too few words to choose from."""
    pieces = PIECE.findall(text)
    return pieces if len(pieces) > 3 and len(text) < 30 * len(pieces) else list(text)


def _some(count: int, low: float, high: float, chance: random.Random) -> set[int]:
    """Places to work on: a share between low and high, at least one, never all."""
    share = min(count - 1, max(1, round(count * chance.uniform(low, high))))
    return set(chance.sample(range(count), share))


def _deleted(pair: Pair, others: Sequence[Pair], chance: random.Random) -> Pair | None:
    text = pair.response.strip()
    parts, low, high = SENTENCE.findall(text), 0.25, 0.5
    if len(parts) < 3 or chance.random() < 0.5:
        parts, low, high = _pieces(text), 0.15, 0.35
        if len(parts) < 4:
            return None
    dropped = _some(len(parts), low, high, chance)
    return pair.replace(response="".join(part for k, part in enumerate(parts) if k not in dropped).rstrip())


def _token_noise(pair: Pair, others: Sequence[Pair], chance: random.Random) -> Pair | None:
    parts = _pieces(pair.response.strip())
    if len(parts) < 4:
        return None
    other = others[chance.randrange(len(others))].response.strip() if others else ""
    words = [part.strip() for part in _pieces(other)] or [""]
    for k in sorted(_some(len(parts), 0.15, 0.3, chance)):
        bare = parts[k].rstrip()
        new = words[chance.randrange(len(words))] if chance.random() < 0.5 else ""
        parts[k] = (new or _scrambled(bare, chance)) + parts[k][len(bare) :]
    return pair.replace(response="".join(parts))


def _scrambled(word: str, chance: random.Random) -> str:
    """A word with about half of its characters replaced by random letters."""
    letters = string.ascii_lowercase
    out = [letters[chance.randrange(26)] if chance.random() < 0.5 else letter for letter in word]
    if out:
        out[chance.randrange(len(out))] = letters[chance.randrange(26)]
    return "".join(out)


def _repeated(pair: Pair, others: Sequence[Pair], chance: random.Random) -> Pair | None:
    text = pair.response.strip()
    if len(text) < 10:
        return None
    between = chance.choice((" ", "\n"))
    sentences = SENTENCE.findall(text)
    way = chance.randrange(3)
    if way == 0 or (way == 1 and len(sentences) < 2):
        return pair.replace(response=f"{text}{between}{text}")
    if way == 1:  # one or several sentences are said again, each where it stands
        again = _some(len(sentences), 0.3, 0.6, chance)
        doubled = [f"{part.rstrip()}{between}{part}" if k in again else part for k, part in enumerate(sentences)]
        return pair.replace(response="".join(doubled))
    parts = _pieces(text)
    tail = "".join(parts[-chance.randint(3, 10) :])
    return pair.replace(response=text + f"{between}{tail}" * chance.randint(2, 6))


def _corrupted(pair: Pair, others: Sequence[Pair], chance: random.Random) -> Pair | None:
    text = pair.response
    spans = [match for match in NUMBER.finditer(text) if not _is_marker(text, match)]
    if not spans:
        return None
    changed = {k for k in range(len(spans)) if chance.random() < 0.5} or {chance.randrange(len(spans))}
    out, end = [], 0
    for k, match in enumerate(spans):
        if k in changed:
            out += [text[end : match.start()], _other_number(match.group(), chance)]
            end = match.end()
    return pair.replace(response="".join([*out, text[end:]]))


def _is_marker(text: str, match: re.Match[str]) -> bool:
    """Whether a number opens a line as the marker of an item."""
    begin = match.start()
    while begin and text[begin - 1] in " \t":
        begin -= 1
        if match.start() - begin > 20:
            return False
    return (not begin or text[begin - 1] == "\n") and MARKER.match(text, match.end()) is not None


def _other_number(number: str, chance: random.Random) -> str:
    """Another number of the same length and form."""
    places = [k for k, letter in enumerate(number) if letter in string.digits]
    digits = list(number)
    for k in places:
        low = 1 if k == 0 and len(places) > 1 and number[0] != "0" else 0
        digits[k] = str(chance.randint(low, 9))
    if "".join(digits) == number:
        digits[places[-1]] = str((int(number[places[-1]]) + chance.randint(1, 9)) % 10)
    return "".join(digits)


NOISES: tuple[Noise, ...] = (
    Noise("swapped", "the answer of another row", _swapped),
    Noise("truncated", "cut off after 30 to 70 % of its characters", _truncated),
    Noise("deleted", "words (15 to 35 %) or sentences (25 to 50 %) dropped", _deleted),
    Noise("token_noise", "15 to 30 % of the words replaced, by other words or by random letters", _token_noise),
    Noise("foreign", "an answer in another language, of another row", _swapped, "foreign"),
    Noise("repeated", "said twice, sentences doubled, or the end in a loop", _repeated),
    Noise("corrupted_facts", "numbers changed into others of the same length", _corrupted),
)
