"""Short answers that say nothing: the assistant speaks of itself and of the request, and no content is left.

The whole answer is read for words of a few kinds, and for what it has besides them and the words of the
question. A rule weighs that; it was fitted to short answers, and to refusals in many wordings (`benchmarks/gate.py`).
"""

import math

from hfclean.checks.check import Case, TextFacts
from hfclean.text.code_lines import code_lines
from hfclean.text.words import word_set

# Fitted: the weight of each sign of an empty answer, and the threshold.
NOTHING_WEIGHTS: dict[str, float] = {
    "able": -1.3, "able_denial": 1.3, "ai": -0.2, "asks": 0.9, "declines": 1.4, "denial": -1.0, "denial_request": 0.6,
    "excuse": 0.4, "i": 2.7, "i_denial": 1.9, "names_task": 2.5, "of_old": -5.6, "of_question": -5.2, "own": -4.1,
    "polite": -1.3, "request": 1.9, "serve": 0.1, "serve_denial": 0.3, "share": 2.6, "size": -1.4, "sorts": 1.6,
    "thing": 1.4, "you": -0.1,
}  # fmt: skip
NOTHING_OFFSET = -0.7
NOTHING_LIMIT = -1.74

SORTS: dict[str, frozenset[str]] = {
    "i": word_set("i i'm i'd i've i'll my me myself we"),
    "you": word_set("you your you're you'd you'll yours"),
    "denial": word_set(
        """
        not no can't cannot won't don't couldn't wouldn't isn't doesn't unable nothing never without neither nor
        impossible haven't didn't aren't shouldn't unclear missing lack lacks
        """
    ),
    "able": word_set(
        """
        able capable allowed permitted position comfortable ability possible capability power qualified supported
        designed trained programmed built made supposed equipped appropriate inappropriate willing
        """
    ),
    "declines": word_set(
        """
        decline refuse refused denied declined restricted prevent prevents violates violate against beyond outside pass
        regret prohibited rejected avoid
        """
    ),
    "excuse": word_set(
        "sorry apologize apologise apologies unfortunately regrettably afraid sadly however but pardon"
    ),
    "ai": word_set(
        """
        ai assistant model artificial intelligence machine computer program bot chatbot programming guidelines policy
        rules principles ethical developed text-based purpose harmful harmless safe guidance safety
        """
    ),
    "serve": word_set(
        """
        help assist provide answer respond complete generate produce create fulfil fulfill process discuss write
        comply revise improve share rephrase paste clarify send offer give tell explain talk speak say ask look
        consult recommend suggest
        """
    ),
    "request": word_set(
        """
        request question questions task information instruction prompt input topic subject content answer response
        details context message conversation data text document matter requirements
        """
    ),
    "thing": word_set("this that it anything something"),
    "polite": word_set(
        """
        please thank thanks hello hi sure happy glad gladly course understanding understand hope else welcome know feel
        free let
        """
    ),
}
SORT_OF: dict[str, tuple[str, ...]] = {}
for _name, _sort in SORTS.items():
    for _word in sorted(_sort):
        SORT_OF[_word] = (*SORT_OF.get(_word, ()), _name)
BARE = str.maketrans("’", "'")
# No refusal comes without one of these.
CORE = ("able", "declines", "excuse", "ai", "serve", "request")
LONGEST, MANY, FEW_WORDS = 420, 8, 40


def nothing_signs(case: Case) -> dict[str, float]:
    """The signs of a short new answer, from 0 to about 1; empty for one that is long or about other things."""
    new, asked = case.new, case.given
    text = new.text
    if len(text) > LONGEST:
        return {}
    words = TextFacts(text.translate(BARE)).words if "’" in text else new.words
    if named := [k for k, word in enumerate(words[:-1]) if word == "answer" and words[k + 1] in ("is", "was")]:
        words = [word for k, word in enumerate(words) if k not in named]  # "The answer is Rome": it names what it says
    counts: dict[str, int] = {}
    common = 0
    for word in words:
        names = SORT_OF.get(word, ())
        common += bool(names)
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    if case.new.numbers - case.asked.numbers:
        return {}  # that is content
    asks = text.rstrip().endswith("?")
    if len(counts) < 2 or not (asks or any(name in counts for name in CORE)) or code_lines(text):
        return {}
    signs = {name: count / (count + 1) for name, count in counts.items()}
    plain = new.terms - SORT_TERMS
    signs["sorts"] = len(counts) / len(SORTS)
    signs["share"] = common / (len(words) + 2)
    signs["own"] = min(len(plain - asked), MANY) / MANY  # content that is not from the question
    signs["of_question"] = len(plain & asked) / (len(plain) + 1)
    signs["of_old"] = min(len(plain & (case.old.terms - asked)), 4) / 4
    signs["size"] = math.log1p(len(words)) / 6
    signs["i_denial"] = float("i" in counts and "denial" in counts)
    signs["able_denial"] = float("able" in counts and "denial" in counts)
    signs["serve_denial"] = float("serve" in counts and "denial" in counts)
    signs["denial_request"] = float("request" in counts and "denial" in counts)
    denies = "denial" in counts and any(name in counts for name in ("able", "excuse", "ai", "serve"))
    if (
        (denies or "declines" in counts)
        and "i" in counts
        and signs["own"] <= 1 / MANY
        and plain & asked
        and not signs["of_old"]
    ):
        signs["names_task"] = float(len(words) <= FEW_WORDS)  # "I cannot", and then the question's own words
    signs["asks"] = float(asks)
    return signs


SORT_TERMS = frozenset(word[:5] for word in SORT_OF)


def says_nothing(case: Case) -> float:
    """How certain it is that the new answer says nothing: above `NOTHING_LIMIT` it is refused."""
    signs = nothing_signs(case)
    if not signs:
        return -math.inf
    return NOTHING_OFFSET + sum(NOTHING_WEIGHTS.get(name, 0.0) * value for name, value in signs.items())
