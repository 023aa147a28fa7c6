"""Indicators: what a program can see of one pair, as named numbers that a linear rule weighs.

They read the words of instruction, input and response and nothing else: no model, no network, no knowledge of the
world. A fluent wrong answer has the same indicators as a right one. Word lists are English; in other languages the
indicators that need them are 0 and the others keep their meaning (in scripts without spaces each character is a word).
Every indicator is finite for any text, and the time is linear in its length. Earlier turns are not read.

"Content words" are words that are not among the about 700 commonest of prose; they are compared by their first five
letters, so that "recycle" finds "recycling". `log` is the natural logarithm of one plus the count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, repeat
from operator import itemgetter
from typing import NamedTuple

from hfclean.rules.glance import signs_of
from hfclean.schema import Pair
from hfclean.text import is_cjk, words

__all__ = [
    "INDICATORS",
    "INDICATOR_NAMES",
    "Indicator",
    "PairFeatures",
    "indicator_values",
    "indicators",
    "read",
    "words_of",
]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One number about a pair: its name and what it means, with its range."""

    name: str
    meaning: str


INDICATORS: tuple[Indicator, ...] = tuple(
    Indicator(*row)
    for row in (
        # the task: what is asked
        ("asks_fact", "1 when the instruction asks for a fact: who, what, when, name, define, state; else 0"),
        ("asks_choice", "1 when it asks to classify, choose, detect or decide, or opens with is, does, can; else 0"),
        ("asks_computation", "1 when it asks to calculate, convert, count or solve; else 0"),
        ("asks_creation", "1 when it asks to write, create, generate or design; else 0"),
        ("about_mathematics", "log of instruction words from mathematics and measurement"),
        ("about_language", "log of instruction words about language: grammar, word, voice, tense, translate"),
        ("about_facts", "log of instruction words from geography, science, history and naming"),
        ("about_kinds", "log of instruction words such as type, kind, category"),
        ("about_fiction", "log of instruction words that name creative forms: story, poem, slogan, email"),
        ("about_issues", "log of instruction words for abstract matters: impact, benefits, society, strategy"),
        ("about_persons", "log of instruction words that make the answer personal: you, would, friend, opinion"),
        ("open_wording", "log of a, an, some, few, about, for and the like in the instruction: an open task"),
        ("input_words", "log of words in the input"),
        (
            "input_missing",
            "1 when a short instruction says this, given or following and there is nothing to follow; else 0",
        ),
        ("input_marker", "1 when the input only says that there is none, as in 'noinput' or 'N/A'; else 0"),
        ("sentences_asked", "1 when the instruction asks for a number of sentences; else 0"),
        # the amount of answer
        ("empty", "1 when the response has no word; else 0"),
        ("distinct_bigrams", "log of different pairs of neighbouring words in the response"),
        ("content_words", "content words of the response up to fifty, divided by fifty: 0 to 1"),
        ("beyond_150", "logarithm of words over 150, 0 up to 150 words"),
        ("new_content", "log of different content words in the response that the prompt does not have"),
        ("new_content_on_request", "new_content times instruction_coverage"),
        ("new_content_fact", "new_content where a fact is asked, else 0"),
        ("new_content_choice", "new_content where a choice is asked, else 0"),
        # repetition
        ("repeated_lines", "share of lines that repeat an earlier line, numbering apart: 0 to 1"),
        ("repeated_clauses", "share of clauses that repeat an earlier clause, numbering apart: 0 to 1"),
        ("repeated_trigrams", "share of runs of three words that repeat an earlier run: 0 to 1"),
        # layout
        ("paragraphs", "log of empty lines between paragraphs, of one per eight words and six at most"),
        ("bullets", "log of lines that start with a bullet"),
        ("numbered", "log of lines that start with a number"),
        ("introduced_list", "1 when a list of two items or more follows an introducing line; else 0"),
        ("explained_items", "log of list items that say more than a name"),
        ("listed_items", "log of list items where a list, ideas or suggestions are asked, else 0"),
        ("created_items", "log of list items where something is to be created, else 0"),
        ("bold", "log of pairs of bold marks, of one per eight words and six at most"),
        ("table", "1 when the response draws a table with bars; else 0"),
        # the surface
        ("untidy_spacing", "log of double spaces, spaces before a line end and before a full stop or comma"),
        ("capital_start", "1 when the response starts with a capital letter; else 0"),
        ("unfinished", "1 when prose of 12 words or more stops without a closing mark; else 0"),
        ("exclamations", "log of exclamation marks"),
        ("placeholder", "1 when a blank to fill in is left, as in '[name]'; else 0"),
        # phrases
        ("stock_phrases", "log of different stock phrases: 'in conclusion', 'feel free to', 'there are many'"),
        ("hollow_sentences", "log of sentences of 25 characters or more without a single content word"),
        ("refusal", "1 when the response opens by declining or by speaking of itself as an AI; else 0"),
        ("short_refusal", "1 when such a response has fewer than 60 words; else 0"),
        ("non_answer", "1 when the response is only 'noinput', 'N/A', 'none' or the like; else 0"),
        ("examples", "1 when the response says such as, for example, for instance or e.g.; else 0"),
        (
            "states_what",
            "1 when is, are, was or were stands in the first 70 characters: the answer is a statement; else 0",
        ),
        ("prepositions", "log of prepositions in the response"),
        ("auxiliaries", "log of can, may, would, should, have and the like in the response"),
        ("vague_words", "log of words such as more, various, improve, effective, provide in the response"),
        ("third_person", "log of it, they, she, their and the like in the response"),
        ("second_person", "log of you and your in the response"),
        # the answer beside the prompt
        (
            "instruction_coverage",
            "share of the instruction's content words found in the response: 0 to 1; 0.5 when it has none",
        ),
        (
            "prompt_coverage",
            "share of the content words of instruction and input found in the response: 0 to 1, or 0.5",
        ),
        (
            "early_coverage",
            "share of the instruction's content words in the first 14 words of the response: 0 to 1, or 0.5",
        ),
        ("off_topic", "1 when the response has none of the prompt's content words; else 0"),
        ("echo", "1 when the response is the instruction or the input again; else 0"),
        ("inside_input", "1 when the response is a stretch of the input; else 0"),
        ("inside_instruction", "1 when the response is a stretch of the instruction; else 0"),
        ("copied_bigrams", "share of the response's different word pairs that stand in the input: 0 to 1"),
        (
            "edited_length",
            "log ratio of response words to input words, -3 to 3, where an edit of the input is asked, else 0",
        ),
        # constraints
        ("count_met", "1 when as many items came as were asked; else 0"),
        ("count_missed", "1 when a list came with another number of items than asked; else 0"),
        ("count_restated", "1 when prose opens by restating the number asked, as in 'The three ...'; else 0"),
        ("word_count_gap", "distance from the number of words asked, as a log ratio: 0 to 2; 0 when none is asked"),
    )
)
INDICATOR_NAMES: tuple[str, ...] = tuple(indicator.name for indicator in INDICATORS)
UNTIDY = INDICATOR_NAMES.index("untidy_spacing")


def indicators(pair: Pair) -> dict[str, float]:
    """Every indicator of a pair, by name; meanings and ranges are in `INDICATORS`.

    >>> found = indicators(Pair("Name three colours.", "", "Red, green, blue"))
    >>> found["asks_fact"], found["count_met"], found["empty"]
    (1.0, 1.0, 0.0)
    """
    return dict(zip(INDICATOR_NAMES, indicator_values(pair), strict=True))


class PairFeatures(NamedTuple):
    """What one pass over a pair gives: the indicators' values in the order of `INDICATORS`; the response's words, the
    different ones among them, the pairs of neighbours, and its ASCII marks and controls; the instruction's words, and
    the different ones."""

    values: tuple[float, ...]
    words: list[str]
    vocabulary: set[str]
    bigrams: set[tuple[str, str]]
    signs: bytes
    asked: list[str]
    asked_vocabulary: set[str]

    @property
    def untidy(self) -> bool:
        """Whether the response has two blanks in a row, or one before a line end, a full stop or a comma."""
        return self.values[UNTIDY] > 0


def indicator_values(pair: Pair) -> tuple[float, ...]:
    """The same numbers in the order of `INDICATORS`: the fast form, for whole batches."""
    return read(pair).values


def read(pair: Pair) -> PairFeatures:
    """The indicators of a pair and the words of its response, which are split only once."""
    task = _Task(pair.instruction, pair.input)
    answer = _Answer(pair.response)
    shared = _Shared(answer, task)
    values = (
        *task.values(),
        *_amount(answer, task, shared),
        *_layout(answer, task),
        *_phrases(answer),
        *_relation(answer, task, shared),
    )
    return PairFeatures(
        values, answer.words, answer.vocabulary, answer.bigrams, answer.signs, task.words, task.vocabulary
    )


# -------------------------------------------------------------------------------------------------------- word lists


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases_of(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.strip().replace("\n", "|").split("|"))


# Words of the response, each in one class only: the first list that has it.
PREPOSITIONS = _list("to on in for with as at by from through")
AUXILIARIES = _list("would could should will can may might must has have had been shall cannot")
THIRD_PERSON = _list("their they them it its he she his her him theirs itself themselves")
SECOND_PERSON = _list("you your yours yourself you're you'll")
VAGUE_WORDS = _list(
    """
    more increase increased increasing improve improved improving better various several many other others level
    levels impact efficient efficiently effective effectively provide provides providing help helps helping ensure
    ensures ensuring new time make makes making way ways different variety able important reduce reducing quality
    create creating ability overall great
    """
)
FUNCTION_WORDS = _list(
    """
    i i'm i've i'd i'll my me mine myself we our us we're ours because therefore however additionally furthermore
    moreover thus hence finally first second third firstly secondly lastly then while although though since so
    consequently overall instead whereas meanwhile similarly ultimately also such including a an the of and or but if
    is are was were be being this that these those into about over than not no nor do does did done having there here
    what which who whom whose when where why how all any each every some most just only very too up out off one two
    don't doesn't isn't aren't it's that's
    """
)
GENERIC_WORDS = _list(
    """
    above according access account across act action actually add added adding addition additional after again
    against ago ahead allow allowed allows almost along already although always among amount another answer anyone
    anything appear appropriate approach area around ask asked asking aspect aspects available away back bad based
    basic become becomes before began begin behind believe below benefit benefits best between beyond big bit both
    bring brings broad build call called came care carefully case cases cause caused causes certain certainly change
    changed changes check choice choices choose clear clearly close come comes coming common commonly complete
    completely complex concern consider considered considering contain contains context continue course current
    currently day days deal decide decision depend depending depends detail details determine develop difference
    difficult directly discuss doing down due during early easily easy effect either else end enjoy enough entire
    especially essential etc even ever everyone everything exactly example examples experience explain extra
    extremely fact factor factors far feel few final find finding five focus follow following follows form four free
    full further future gain general generally get gets getting give given gives giving go goal goals goes going good
    got greatly group half happen happens hard having helped helpful high higher highly hope idea ideas identify
    importance improves include included includes increases increasingly indeed individual individuals information
    instance involve involved involves issue issues items keep keeping key kind kinds know knowledge known lack large
    larger last later lead leading leads learn learning least leave less let life like likely limited line list
    little live lives long longer look looking lot lots low lower made main mainly maintain major manage matter maybe
    mean meaning means method methods mind mostly move much multiple name near nearly necessary need needed needs
    never next nice none nothing now number numbers numerous offer offers often ok once ones open opportunity
    opportunities option options order otherwise own part particular particularly parts past people per perhaps
    person personal place plan plans play plays please point points positive possible possibly potential potentially
    present prevent previous problem problems process processes professional provided purpose put question questions
    quick quickly quite range rather reach read ready real really reason reasons receive recent regarding regular
    regularly related relevant remember require required requires research resources response result resulting
    results right role run said same save say see seek seem seems seen sense set share short show shows side
    significant significantly similar simple simply situation situations small someone something sometimes soon sort
    special specific spend stage start started starting state stay step steps still strong subject success successful
    successfully suggest support sure take taken takes taking talk task tasks tell term terms thank thing things
    think thought three throughout times tips today together top topic topics toward towards true try trying turn
    type types under understand understanding unique until upon use used useful user using usually value very via
    view want wants week well went whether whole wide wish within without wonderful word words work working works
    world years year yes yet
    """
)
CONTENT, PREPOSITION, AUXILIARY, THIRD, SECOND, VAGUE, FUNCTION, GENERIC = range(8)
CLASS_OF: dict[str, int] = {}
for _class, _words in enumerate(
    (PREPOSITIONS, AUXILIARIES, THIRD_PERSON, SECOND_PERSON, VAGUE_WORDS, FUNCTION_WORDS, GENERIC_WORDS), PREPOSITION
):
    for _word in _words:
        CLASS_OF.setdefault(_word, _class)
COMMON = frozenset(CLASS_OF)
# Words of the request itself, which an answer need not take up.
REQUEST_WORDS = COMMON | frozenset(
    _list(
        "sentence sentences write generate describe text input output instruction article statement paragraph rewrite "
        "summarize classify compose construct design"
    )
)

# Words of the instruction that tell what it is about; a word may be in several lists.
MATHEMATICS = _list(
    """
    equation equations calculate calculation compute area length perimeter circumference volume triangle square
    circle rectangle sphere cube cylinder polygon number numbers sum mean median mode average prime formula
    mathematical math maths arithmetic percent percentage fraction fractions decimal decimals radius diameter angle
    angles root roots binary ratio solve solution multiply multiplied divide divided subtract add plus minus integer
    integers polynomial derivative integral probability digit digits factor factors multiple multiples variable
    variables expression distance speed velocity acceleration height width weight temperature celsius fahrenheit
    kelvin miles mile km kilometers meters meter feet inches cm kg pounds lb ounces grams gallons liters notation
    roman numeral numerals hexadecimal exponent power logarithm sequence matrix vector slope graph geometric geometry
    algebra algebraic theorem total difference product quotient remainder even odd greater maximum minimum hours
    minutes seconds many
    """
)
LANGUAGE = _list(
    """
    grammar grammatical grammatically voice passive active noun nouns verb verbs adjective adjectives adverb adverbs
    tense plural singular synonym synonyms antonym antonyms opposite prefix suffix punctuation punctuate spelling
    spell misspelled pronoun pronouns clause phrase letters letter sentence word words syllables syllable preposition
    conjunction interjection vowel vowels consonant acronym abbreviation idiom homophone homonym capitalize uppercase
    lowercase alphabetical alphabetically contraction contractions comma apostrophe subject predicate object gerund
    infinitive participle comparative superlative rhyme rhymes anagram palindrome translate translation plagiarism
    part
    """
)
FACTS = _list(
    """
    capital country countries city cities river mountain mountains ocean sea continent continents island state states
    president king queen emperor war battle revolution century invented inventor invention discovered author wrote
    novel book film movie actor painter composer language currency population flag planet planets star solar moon
    earth sun element elements chemical symbol compound molecule atom atomic gas liquid metal acid cell cells organ
    organs bone bones blood heart brain muscle disease vitamin protein dna species animal animals mammal mammals bird
    birds insect reptile fish plant plants tree fruit fruits vegetable vegetables dinosaur energy force gravity light
    sound law theory definition term abbreviation mean means stand located longest largest smallest tallest highest
    fastest oldest deepest name named known founder founded year date
    """
)
KINDS = _list(
    """
    type types kind kinds category categories genre class classes sort classification categorize classify
    """
)
FICTION = _list(
    """
    story stories poem poems song lyrics haiku limerick sonnet joke tale novel essay article blog post speech letter
    script dialogue conversation slogan tagline caption ad advertisement advert scene riddle monologue tweet fable
    ending plot narrative anecdote rap verse stanza character fiction fictional imagine creative title headline
    review email message
    """
)
ISSUES = _list(
    """
    impact impacts effect effects benefit benefits importance important technology technologies global reduce improve
    society theme issue issues challenge challenges role future relationship concept advantages disadvantages
    potential pros cons significance implications cause causes argument arguments environment environmental climate
    change health healthy education media culture cultural economy economic political politics ethics ethical
    development industry process
    """
)
PERSONS = _list(
    """
    would your think opinion feel feeling feelings should could person people someone you yourself my friend friends
    family job career interview student students employee team life personal
    """
)
OPEN_WORDING = _list("a an some any few about for based on related topic")
TOPICS = (MATHEMATICS, LANGUAGE, FACTS, KINDS, FICTION, ISSUES, PERSONS, OPEN_WORDING)
TOPICS_OF: dict[str, tuple[int, ...]] = {}
for _topic, _words in enumerate(TOPICS):
    for _word in dict.fromkeys(_words):
        TOPICS_OF[_word] = (*TOPICS_OF.get(_word, ()), _topic)

CHOICE, FACT, COMPUTATION, EDIT, LISTING, EXPLANATION, CREATION, OTHER = range(8)
# The first of these words anywhere in the instruction tells what is asked ...
ASKED_BY = {
    word: kind
    for kind, verbs in {
        CHOICE: "classify categorize categorise choose select determine detect identify pick decide evaluate check "
        "verify label rate rank match sort predict assign spot classified",
        FACT: "name tell define state find mention cite locate specify recall",
        COMPUTATION: "calculate convert count compute solve multiply add divide estimate subtract simplify factor "
        "round",
        EDIT: "rewrite edit paraphrase correct translate change rearrange reword transform reverse insert replace "
        "rephrase fix modify remove delete punctuate capitalize proofread shorten revise reformat substitute "
        "restructure reorganize update turn combine complete expand improve rewritten merge adapt",
        LISTING: "list suggest brainstorm give provide propose recommend enumerate come outline",
        EXPLANATION: "explain describe compare analyze analyse discuss elaborate contrast summarize summarise "
        "interpret clarify differentiate critique argue review illustrate",
        CREATION: "write create compose generate design construct develop make build draft produce invent devise "
        "formulate imagine craft plan tweet",
    }.items()
    for word in verbs.split()
}
# ... unless it opens with one of these.
OPENED_BY = {
    word: kind
    for kind, openers in {
        CHOICE: "is are was were does do did can should has have will which would could",
        FACT: "what who when where whom whose",
        EXPLANATION: "how why",
    }.items()
    for word in openers.split()
}
NUMBERS = {
    word: value
    for value, word in enumerate(
        _list(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty"
        )
    )
}
# The numbers of items that can be asked for: an instruction without any of them needs no search.
ITEM_NUMBERS = (
    frozenset(word for word, value in NUMBERS.items() if value > 1)
    | {f"{n:02}" for n in range(2, 31)}
    | {str(n) for n in range(2, 10)}
)
# A number before one of these is a size, not a number of items.
UNITS = frozenset(
    _list(
        "sentence sentences word words paragraph paragraphs line lines syllables stanzas letters characters minute "
        "minutes hour hours day days week weeks month months year years percent dollars people degrees miles"
    )
)
POINTING = frozenset(("given", "following", "this", "these"))
NO_INPUT = frozenset(
    ("noinput", "no input", "none", "n a", "nan", "null", "no input required", "no input needed", "no input provided")
)
STOCK_PHRASES = _phrases_of(
    """
    important to note | important to remember | important to consider | in conclusion | hope this helps
    hope that helps | let me know | feel free to | if you have any | there are many | there are several
    there are various | there are a number of | plays a role | play a role | your own research | consult with
    consult a | happy to help | mentioned above | is different. | all in all | to sum up | needless to say
    at the end of the day | great question | don't hesitate | thank you for asking | many things to | many factors
    """
)
# How refusals begin, with what follows: a beginning that is not there needs no further search.
REFUSALS = {
    "as an ai": ("",),
    "an ai language": ("",),
    "language model": ("",),
    "i'm ": ("sorry", "afraid", "unable", "not able"),
    "i am ": ("sorry", "afraid", "unable", "not able"),
    "i can": ("not", "'t", " not"),
    "i could": ("n't", " not"),
    "i won't": ("",),
    "i do": ("n't have", " not have"),
    "i apologi": ("",),
    "unable to ": ("assist", "help", "answer", "complete", "provide"),
    "cannot ": ("answer", "assist", "provide", "help", "be answered"),
    "not possible to answer": ("",),
}
# One of these words is in every phrase: a response without any of them needs no search.
STOCK_WORDS = frozenset(
    _list(
        "important conclusion hope know free any many several various number role research consult happy above "
        "different all sum needless day great don't thank"
    )
)
REFUSAL_WORDS = frozenset(_list("i i'm ai model unable cannot possible"))
# Which word or stem must be there before a phrase is looked for. The last word of a phrase begins a word of every text
# that has the phrase: a common word, or one of that stem. A word inside the phrase is a word of the text. Phrases that
# offer neither are looked for always.
STEM = 5
STOCK_AT: dict[str, list[str]] = {}
STOCK_ANYWHERE: list[str] = []
for _phrase in STOCK_PHRASES:
    *_inside, _last = _phrase.rstrip(".").split()[1:]
    if len(_last) >= STEM:
        _keys = {_last[:STEM], *(_word for _word in COMMON if _word.startswith(_last))}
    else:  # the rarest word inside, as far as the lists of words tell
        _keys = set(sorted(_inside, key=lambda word: (CLASS_OF.get(word, GENERIC) == GENERIC, len(word)))[-1:])
    for _key in _keys:
        STOCK_AT.setdefault(_key, []).append(_phrase)
    if not _keys:
        STOCK_ANYWHERE.append(_phrase)
STOCK_KEYS = frozenset(STOCK_AT)
REFUSAL_REACH = 400  # a refusal is said at the start

# ---------------------------------------------------------------------------------------------------------- patterns

# One pass turns every mark into a space, the end of a sentence into a line feed and a comma into a vertical tab.
MARKS = str.maketrans(
    {
        **dict.fromkeys('"#$%&()*+/:<=>@[\\]^_`{|}~-“”„«»–—…•·、（）「」‘¿¡\t', " "),
        **dict.fromkeys(".!?;\r\n。！？；", "\n"),
        **dict.fromkeys(",，", "\v"),
        "’": "'",
    }
)
# The same for bytes of UTF-8, which need a tenth of the time; it lowers ASCII letters too. Marks beyond ASCII are few,
# and replaced one by one before.
ASCII_MARKS = bytes(ord(MARKS.get(code, chr(code))) if code < 128 else code for code in range(256)).lower()
OTHER_MARKS = {chr(code): turned for code, turned in MARKS.items() if code > 127}
ORDER = " 0123456789"  # what stands before a numbered item once the marks are gone
CLOSING = frozenset(",;:-")
BULLETS = "-*•"
BLANK = re.compile(r"\[[A-Za-z][^\]\n]{0,40}\]|<[a-z ]{0,20}(?:input|output)>|\bxxx|lorem ipsum", re.IGNORECASE)
SENTENCES_ASKED = re.compile(
    r"\b(?:\d{1,2}|one|an?|single|two|three|four|five|six|seven|eight|ten)[ -](?:\w{1,20} )?sentences?\b",
    re.IGNORECASE,
)
WORDS_ASKED = re.compile(r"\b(\d{2,4})[ -]words?\b")
STEM_OF = itemgetter(slice(STEM))
OPENING_WORDS = 14
STATEMENT_REACH = 70
HOLLOW_CHARACTERS = 24
USUAL_REACH = 7  # words in which nearly every sentence has shown that it is not hollow
UNKNOWN_COVERAGE = 0.5

log1p = math.log1p


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation; in scripts without spaces, each character."""
    if not text.isascii() and is_cjk(text):
        return words(text.lower())
    return _marked(text).split()


def _marked(text: str) -> str:
    """The text in lower case with its marks turned into white space; see `MARKS`."""
    if text.isascii():
        return text.encode().translate(ASCII_MARKS).decode("ascii")
    text = text.lower()
    for mark, turned in OTHER_MARKS.items():
        if mark in text:
            text = text.replace(mark, turned)
    return text.encode("utf-8", "surrogatepass").translate(ASCII_MARKS).decode("utf-8", "surrogatepass")


def _stems(found: Iterable[str]) -> set[str]:
    return set(map(STEM_OF, found))


# -------------------------------------------------------------------------------------------------------------- task


class _Task:
    """What instruction and input say, read once."""

    __slots__ = (
        "input_lower",
        "input_marker",
        "input_words",
        "instruction",
        "instruction_stems",
        "kind",
        "may_count",
        "may_count_words",
        "prompt_stems",
        "sentences_asked",
        "vocabulary",
        "words",
    )

    def __init__(self, instruction: str, context: str) -> None:
        self.instruction = instruction.strip()
        self.words = words_of(instruction)
        self.vocabulary = set(self.words)
        self.input_words: list[str] = []
        self.input_lower = ""
        self.input_marker = False
        if context:
            found = words_of(context)
            if len(found) <= 3 and " ".join(found) in NO_INPUT:
                self.input_marker = True
            else:
                self.input_words = found
                self.input_lower = context.strip().lower()
        self.kind = self._kind()
        # other scripts have digits of their own, and "02" is a number too
        self.may_count = not (instruction.isascii() and ITEM_NUMBERS.isdisjoint(self.vocabulary))
        self.may_count_words = "words" in self.vocabulary or "word" in self.vocabulary
        self.sentences_asked = (
            ("sentence" in self.vocabulary or "sentences" in self.vocabulary)
            and (not self.input_words or "following" not in self.vocabulary)
            and SENTENCES_ASKED.search(instruction) is not None
        )
        self.instruction_stems = _stems(self.vocabulary - REQUEST_WORDS)
        if self.input_words:
            self.prompt_stems = self.instruction_stems | _stems(set(self.input_words) - COMMON)
        else:
            self.prompt_stems = self.instruction_stems

    def _kind(self) -> int:
        asked = self.words
        if asked and asked[0] in OPENED_BY:
            return OPENED_BY[asked[0]]
        asked_by = ASKED_BY
        for word in asked:
            if word in asked_by:
                return asked_by[word]
        return OTHER

    def values(self) -> tuple[float, ...]:
        kind, text, topics_of = self.kind, self.instruction, TOPICS_OF
        topics = [0] * len(TOPICS)
        for word in self.words:
            if word in topics_of:
                for topic in topics_of[word]:
                    topics[topic] += 1
        missing = (
            not self.input_words
            and len(self.words) < 15
            and not POINTING.isdisjoint(self.vocabulary)
            and not (":" in text or '"' in text or "'" in text or "“" in text or "\n" in text)
        )
        return (
            float(kind == FACT),
            float(kind == CHOICE),
            float(kind == COMPUTATION),
            float(kind == CREATION),
            *map(log1p, topics),
            log1p(len(self.input_words)),
            float(missing),
            float(self.input_marker),
            float(self.sentences_asked),
        )


# ------------------------------------------------------------------------------------------------------------ answer


class _Answer:
    """What the response says, read once."""

    __slots__ = (
        "bigrams",
        "bullets",
        "classes",
        "content",
        "explained",
        "introduced",
        "lines",
        "lower",
        "marked",
        "numbered",
        "signs",
        "size",
        "stems",
        "text",
        "vocabulary",
        "words",
    )

    def __init__(self, response: str) -> None:
        self.text = text = response.strip()
        self.lower = text.lower()
        self.marked = marked = _marked(text)
        self.signs = signs_of(response)
        if text.isascii():
            found = marked.split()
        else:
            self.lower = self.lower.replace("’", "'")
            found = words(self.lower) if is_cjk(text) else marked.split()
        self.words = found
        self.size = len(found)
        self.classes = bytes(map(CLASS_OF.get, found, repeat(CONTENT)))
        self.vocabulary = vocabulary = set(found)
        self.content = content = vocabulary - COMMON
        self.stems = _stems(content)
        self.bigrams = set(pairwise(found))
        self.lines, self.bullets, self.numbered, self.explained, self.introduced = 1, 0, 0, 0, False
        if "\n" in text:
            self._read_lines()

    def _read_lines(self) -> None:
        lines = [line for part in self.text.split("\n") if (line := part.strip())]
        bullets = numbered = explained = 0
        for line in lines:
            first = line[0]
            if first in BULLETS:
                bullets += 1
            elif first.isdigit() and (line[1:2] in (".", ")") or (line[2:3] in (".", ")") and line[1].isdigit())):
                numbered += 1
            else:
                continue
            if ": " in line or line.count(" ") > 8:
                explained += 1
        first = lines[0][0]
        self.introduced = not (first in BULLETS or first == "#" or first.isdigit())
        self.lines, self.bullets, self.numbered, self.explained = len(lines), bullets, numbered, explained


class _Shared:
    """The content words that answer and prompt share, counted once."""

    __slots__ = ("instruction_coverage", "new", "prompt_coverage")

    def __init__(self, answer: _Answer, task: _Task) -> None:
        stems, asked, prompt = answer.stems, task.instruction_stems, task.prompt_stems
        hits = len(prompt & stems)
        self.new = len(stems) - hits
        self.prompt_coverage = hits / len(prompt) if prompt else UNKNOWN_COVERAGE
        if asked is prompt:  # there is no input
            self.instruction_coverage = self.prompt_coverage
        else:
            self.instruction_coverage = len(asked & stems) / len(asked) if asked else UNKNOWN_COVERAGE


def _amount(answer: _Answer, task: _Task, shared: _Shared) -> tuple[float, ...]:
    """How much there is, and how much of it twice."""
    found, size, bigrams = answer.words, answer.size, len(answer.bigrams)
    new = log1p(shared.new)
    trigrams = 0.0
    if bigrams < size - 2:  # no run of three repeats unless two runs of two do
        trigrams = 1 - len(set(zip(found, found[1:], found[2:], strict=False))) / (size - 2)
    clauses = [
        clause for part in answer.marked.replace("\v", "\n").split("\n") if len(clause := part.strip(ORDER)) > 2
    ]
    lines = 0.0
    if "\n" in answer.text:
        parts = [
            part.strip(" \t\r-*•0123456789.)") for part in answer.lower.split("\n") if part and not part.isspace()
        ]
        lines = 1 - len(set(parts)) / len(parts)
    return (
        1.0 if not size else 0.0,
        log1p(bigrams),
        min(answer.classes.count(CONTENT), 50) / 50,
        math.log(size / 150) if size > 150 else 0.0,
        new,
        new * shared.instruction_coverage,
        new if task.kind == FACT else 0.0,
        new if task.kind == CHOICE else 0.0,
        lines,
        1 - len(set(clauses)) / len(clauses) if clauses else 0.0,
        trigrams,
    )


# The indicators from paragraphs to created items where there is one line only.
ONE_LINE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def _layout(answer: _Answer, task: _Task) -> tuple[float, ...]:
    """How it is set out, and how tidily."""
    text, size, signs = answer.text, answer.size, answer.signs
    items = answer.bullets + answer.numbered
    last = text[-1:]
    lines, bold, untidy = ONE_LINE, 0.0, text.count("  ")
    if b"\n" in signs or b"*" in signs:
        marks_allowed = min(size // 8, 6)  # layout without words to lay out is worth nothing
        bold = log1p(min(text.count("**") / 2, marks_allowed))
        if "\n" in text:
            untidy += text.count(" \n")
            lines = (
                log1p(min(text.count("\n\n"), marks_allowed)),
                log1p(answer.bullets),
                log1p(answer.numbered),
                1.0 if answer.introduced and items > 1 else 0.0,
                log1p(answer.explained),
                log1p(items) if task.kind == LISTING else 0.0,
                log1p(items) if task.kind == CREATION else 0.0,
            )
    if b"," in signs:  # one character is found much faster than two
        untidy += text.count(" ,")
    if b"." in signs:
        untidy += text.count(" .")
    blank = b"[" in signs or b"<" in signs or "xxx" in answer.lower or "lorem" in answer.lower
    return (
        *lines,
        bold,
        1.0 if signs.count(b"|") > 3 else 0.0,
        log1p(untidy) if untidy else 0.0,
        1.0 if text[:1].isupper() else 0.0,
        1.0 if size >= 12 and not items and (last.isalpha() or last in CLOSING) else 0.0,
        log1p(signs.count(b"!")) if b"!" in signs else 0.0,
        1.0 if blank and BLANK.search(text) else 0.0,
    )


def _phrases(answer: _Answer) -> tuple[float, ...]:
    """How it is said."""
    lower, content = answer.lower, answer.content
    hollow = 0
    for sentence in answer.marked.split("\n"):
        if len(sentence) <= HOLLOW_CHARACTERS or not content.isdisjoint(sentence.split(None, USUAL_REACH)):
            continue
        if content.isdisjoint(sentence.split()):
            hollow += 1
    vocabulary, stock, refusal = answer.vocabulary, 0, False
    if not STOCK_WORDS.isdisjoint(vocabulary):
        phrases = {phrase for phrase in STOCK_ANYWHERE if phrase in lower}
        for key in (STOCK_KEYS & vocabulary) | (STOCK_KEYS & answer.stems):
            phrases.update([phrase for phrase in STOCK_AT[key] if phrase in lower])
        stock = len(phrases)
    if not REFUSAL_WORDS.isdisjoint(vocabulary):
        opening = lower[:REFUSAL_REACH]
        refusal = any(
            begun in opening and any(begun + end in opening for end in ends) for begun, ends in REFUSALS.items()
        )
    opening = lower[:STATEMENT_REACH]
    classes = answer.classes
    return (
        log1p(stock) if stock else 0.0,
        log1p(hollow) if hollow else 0.0,
        1.0 if refusal else 0.0,
        1.0 if refusal and answer.size < 60 else 0.0,
        1.0 if answer.size <= 3 and " ".join(answer.words) in NO_INPUT else 0.0,
        1.0 if "such as" in lower or "for example" in lower or "for instance" in lower or "e.g." in lower else 0.0,
        1.0 if " is " in opening or " are " in opening or " was " in opening or " were " in opening else 0.0,
        log1p(classes.count(PREPOSITION)),
        log1p(classes.count(AUXILIARY)),
        log1p(classes.count(VAGUE)),
        log1p(classes.count(THIRD)),
        log1p(classes.count(SECOND)),
    )


# ---------------------------------------------------------------------------------------------------------- relation


def _relation(answer: _Answer, task: _Task, shared: _Shared) -> tuple[float, ...]:
    """The answer beside what was asked."""
    size, lower, given = answer.size, answer.lower, task.input_words
    instruction = task.instruction.lower()
    core = lower.rstrip(".")
    copied = edited = 0.0
    if given:
        if answer.bigrams:
            copied = len(answer.bigrams.intersection(pairwise(given))) / len(answer.bigrams)
        if task.kind == EDIT:
            edited = max(-3.0, min(3.0, math.log((size + 1) / (len(given) + 1))))
    return (
        shared.instruction_coverage,
        shared.prompt_coverage,
        _early_coverage(answer, task),
        1.0 if size > 0 and shared.prompt_coverage == 0 else 0.0,
        1.0 if size > 0 and lower in (instruction, task.input_lower) else 0.0,
        1.0 if 0 < size <= len(given) and core in task.input_lower else 0.0,
        1.0 if 0 < size <= len(task.words) and core in instruction else 0.0,
        copied,
        edited,
        *(_constraints(answer, task) if task.may_count or task.may_count_words else UNCONSTRAINED),
    )


def _early_coverage(answer: _Answer, task: _Task) -> float:
    wanted = task.instruction_stems
    if not wanted:
        return UNKNOWN_COVERAGE
    return len(wanted & _stems(answer.words[:OPENING_WORDS])) / len(wanted)


UNCONSTRAINED = (0.0, 0.0, 0.0, 0.0)


def _constraints(answer: _Answer, task: _Task) -> tuple[float, float, float, float]:
    """Numbers asked and kept."""
    asked, text = task.words, answer.text
    met = missed = restated = gap = 0.0
    if task.kind != COMPUTATION and task.may_count:
        for place, (word, after) in enumerate(pairwise(asked)):
            number = NUMBERS.get(word) or (int(word) if len(word) < 3 and word.isdecimal() else 0)
            if 1 < number <= 30 and after not in UNITS:
                listed = answer.bullets + answer.numbered
                items = listed
                if listed < 2:
                    items = text.count(", ") + 1 if answer.lines == 1 else answer.lines
                met = float(items == number)
                missed = float(listed > 1 and items != number)
                restated = float(place < 6 and word in answer.words[:3] and not text[:1].isdigit())
                break
    if task.may_count_words and (found := WORDS_ASKED.search(task.instruction)):
        gap = min(abs(math.log((answer.size + 1) / (int(found[1]) + 1))), 2.0)
    return met, missed, restated, gap
