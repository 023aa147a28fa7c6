"""The verifiers as rules: what a program can prove wrong is a defect, and is repaired by nobody here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hfclean.rules.glance import Glance, Possible, has_mark, has_word
from hfclean.rules.rule import Rule
from hfclean.schema import Pair
from hfclean.text.thoughts import may_think
from hfclean.verifiers import VERIFIERS
from hfclean.verifiers.counts import COUNT_HINTS, FORM_HINTS, NUMBER_WORDS, may_state_a_count
from hfclean.verifiers.thoughts import THOUGHT_VERIFIERS
from hfclean.verifiers.verifier import Finding


@dataclass(frozen=True)
class _Proves:
    """Whether a verifier finds anything; a class, so that it pickles."""

    find: Callable[[Pair], Iterable[Finding]]

    def __call__(self, pair: Pair) -> bool:
        for _ in self.find(pair):
            return True
        return False


def _has_input(pair: Pair, glance: Glance) -> bool:
    return bool(pair.input)


def _has_lines(pair: Pair, glance: Glance) -> bool:
    return "\n" in pair.response


def _states_a_form(pair: Pair, glance: Glance) -> bool:
    return may_state_a_count(glance.asked, pair.instruction)


EQUAL_MARKS = frozenset(b"=\\")  # and the sign of near equality, which is not plain
EQUALITIES = frozenset(("equal", "equals"))


def _states_equality(pair: Pair, glance: Glance) -> bool:
    return not EQUAL_MARKS.isdisjoint(glance.marks) or not EQUALITIES.isdisjoint(glance.words)


def _may_think(pair: Pair, glance: Glance) -> bool:
    return bool(pair.thought) or (not MARKERS.isdisjoint(glance.marks) and may_think(pair.response))


def _states_answers(pair: Pair, glance: Glance) -> bool:
    return bool(pair.thought) or not ANSWER_MARKS.isdisjoint(glance.marks)


MARKERS, ANSWER_MARKS = frozenset(b"<["), frozenset(b"\\#<")
POSSIBLE = {
    "wrong_sum": Possible(_states_equality, EQUALITIES),
    "order_broken": has_mark("<"),
    "brackets_broken": has_word("stack"),
    "syntax_error": has_mark("`~{["),
    "answers_disagree": Possible(_states_answers),
    "count_missed": Possible(_states_a_form, COUNT_HINTS | FORM_HINTS | NUMBER_WORDS),
    "item_twice": Possible(_has_lines),
    "answer_is_input": Possible(_has_input),
    "solved_input": Possible(_has_input),
    **{verifier.id: Possible(_may_think) for verifier in THOUGHT_VERIFIERS},
}
EXAMPLES = {
    "wrong_sum": "There are 3 * 4 = 15 apples in the boxes.",
    "order_broken": 'The words sorted: "bee" < "ant" < "cat"',
    "brackets_broken": "[ ; stack: [\n( ; stack: [ [",
    "syntax_error": "```python\ndef add(a, b:\n    return a + b\n```",
    "answers_disagree": "<think>So the answer is 12.</think>\n\nIt is \\boxed{15}.",
    "option_disagrees": "The answer is (B) Oslo.",
    "count_missed": "One sentence. And a second one.",
    "item_twice": "1. Eat plenty of fruit\n2. Sleep well at night\n3. Eat plenty of fruit",
    "answer_is_input": "The boat sails to Graz today.",
    "solved_input": "Paris",
    "thought_unclosed": "<think>They ask for the capital of France. Paris.",
    "answer_missing_after_thought": "<think>They ask for the capital of France.</think>",
    "thought_cut": "<think>They ask for the capital of France, which has been Paris since the</think>\n\nParis.",
    "thought_loops": f"<think>{'Wait, I should look at that once more before I go on. ' * 6}</think>\n\nParis.",
    "thought_language": "<think>法国的首都是巴黎，所以答案是巴黎，可以直接写出来，不需要更多的解释，"
    "因为问题很清楚。</think>\n\nParis has been the capital for a long time.",
}
PROVEN: tuple[Rule, ...] = tuple(
    Rule(
        verifier.id,
        severity=verifier.severity,
        meaning=verifier.meaning,
        detect=_Proves(verifier.find),
        example=(EXAMPLES[verifier.id], ""),
        version=verifier.version,
        possible=POSSIBLE.get(verifier.id),
    )
    for verifier in VERIFIERS
)
