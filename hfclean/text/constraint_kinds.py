"""The kinds of constraint that an instruction states and a program can verify, as data."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from hfclean.text import constraint_tests as tests
from hfclean.text.counting import AFTER, QUANTITY, may_quantify

_Met = Callable[[str, re.Match[str]], bool | None]


@dataclass(frozen=True)
class Kind:
    """One kind of constraint.

    Attributes:
        id: its name.
        hints: words of which the instruction must have one, in lower case; they spare the search.
        asks: the pattern that states it in an instruction.
        met: answer, match of `asks` -> whether it is met; None where a program cannot tell.
        counts: whether `asks` holds `QUANTITY`.
    """

    id: str
    hints: frozenset[str]
    asks: re.Pattern[str]
    met: _Met
    counts: bool = False


def _kind(id: str, hints: str, asks: str, met: _Met) -> Kind:
    return Kind(id, frozenset(hints.split()), re.compile(asks, re.IGNORECASE), met, QUANTITY in asks)


MAKE = (
    r"(?:write|generate|create|compose|construct|provide|give(?: me)?|produce|come up with|list|name|suggest|"
    r"identify|find|tell(?: me)?|state|propose|describe|explain|outline|make(?: up)?|think of|offer|mention|present|"
    r"brainstorm|summari[sz]e|answer|respond|output|return|rewrite|draft|design|develop|formulate|invent|show|"
    r"enumerate|recommend|select|pick|choose)"
)
IN = r"(?:in|into|using|within|with|of|to|has|have|having|as|containing|contains|contain|be|for|is|that are|,)"
LANGUAGES = "|".join(sorted(tests.BY_NAME, key=lambda name: (-len(name), name)))
QUOTE = r"[\"“'‘](?P<text>[^\"“”\n]{1,80}?)[\"”'’](?!\w)"

KINDS: tuple[Kind, ...] = (
    _kind(
        "sentences",
        "sentences sentence",
        rf"\b(?:{MAKE}|{IN})\s(?:a |me )?{QUANTITY}(?:[ -](?!words?\b)\w+)?[ -]sentences?\b{AFTER}",
        tests.sentences,
    ),
    _kind(
        "one_sentence",
        "sentence",
        r"\bin (?:a|one|a single|1|exactly one|just one) (?:\w+ )?sentence\b|\b(?:be|into) (?:a|"
        r"one) single sentence\b|\bone[- ]sentence (?:summary|description|answer|response|explanation|definition)\b",
        tests.one_sentence,
    ),
    _kind(
        "words",
        "words word",
        rf"(?<!list of )\b(?:{IN}|{MAKE}|<)\s?(?:a |an )?{QUANTITY}(?:(?:[ -])words?\b{AFTER})(?! (?:that|which|"
        rf"related|to describe|for|from|with|describing|combinations|pairs|games?|problems|puzzles|associations)\b)",
        tests.words,
    ),
    _kind(
        "one_word",
        "word",
        r"\b(?:in|with|using|as|into|just|only) (?:a |one |just one |exactly one |only one )?(?:single |"
        r"one )?word\b(?! ?(?:list|art|search|from|that|in))(?! (?:changed|different|replaced|removed|added|missing|"
        r"altered|substituted|swapped)\b)|\b(?:one|single)[- ]word (?:answer|response|reply|"
        r"output|summary)\b",
        tests.one_word,
    ),
    _kind(
        "characters",
        "characters",
        rf"\b{QUANTITY}[ -]characters?\b(?! (?:in|from|of|who|and|named|profile)){AFTER}",
        tests.characters,
    ),
    _kind(
        "tweet",
        "tweet",
        r"\b(?:write|compose|create|generate|craft|make|draft)\b[^.]{0,40}\b(?:tweet|"
        r"post for twitter)\b(?! (?:thread|series))",
        tests.tweet,
    ),
    _kind(
        "items",
        "list name give provide generate suggest identify describe write come explain state propose create find "
        "think tell offer mention outline brainstorm make recommend enumerate",
        rf"(?:\A|[.!?:]\s|\bplease |\band )(?:please )?{MAKE} (?:a (?:list|set|series) of |me |us |the |any |only |"
        rf"top |an? )*{QUANTITY}"
        r" (?!(?:sentence|word|line|paragraph|percent|year|day|hour|minute|dollar|people|page|time|stanza|"
        r"verse)s?\b)(?:[\w'’-]+ ){0,4}?[\w'’-]+s\b",
        tests.item_count,
    ),
    _kind(
        "lines",
        "lines line",
        rf"\b(?:poem|song|verse|rap|script|story|{IN}|{MAKE})\b[^.]{{0,40}}?\b{QUANTITY}[ -]lines?\b{AFTER}(?! "
        rf"(?:segment|graph))",
        tests.lines,
    ),
    _kind(
        "haiku",
        "haiku",
        r"\b(?:write|compose|create|generate|make|come up with)\b[^.]{0,30}\bhaiku\b(?!s)",
        tests.haiku,
    ),
    _kind(
        "limerick",
        "limerick",
        r"\b(?:write|compose|create|generate|make|come up with)\b[^.]{0,30}\blimerick\b(?!s)",
        tests.limerick,
    ),
    _kind(
        "paragraphs",
        "paragraphs paragraph",
        rf"\b(?:{IN}|{MAKE})\s(?:a |an )?{QUANTITY}[ -]paragraphs?\b{AFTER}",
        tests.paragraphs,
    ),
    _kind(
        "json",
        "json",
        r"\b(?:in|as|to|into|a|output|return|generate|create|write|valid)\s(?:an? )?(?:valid )?json\b",
        tests.is_json,
    ),
    _kind(
        "csv",
        "csv",
        r"\b(?:in|as|to|into|output|return)\s(?:an? )?(?:valid )?csv\b|\bcomma[- ]separated\b",
        tests.is_csv,
    ),
    _kind(
        "table",
        "table",
        r"\b(?:create|make|build|draw|generate|produce|construct|design|in|as|into|output|using)\s(?:an? |"
        r"the )?(?:\w+ ){0,2}table\b(?! (?:of contents|tennis|manners|setting|lamp|top))",
        tests.table,
    ),
    _kind(
        "bullets",
        "bullet bullets bulleted",
        r"\b(?:in|as|with|using|into|of)\b[^.]{0,20}\bbullet(?:ed)?(?:[- ]?(?:points?|list|form|format))?\b",
        tests.bullets,
    ),
    _kind(
        "numbered",
        "numbered enumerated",
        r"\b(?:numbered|enumerated) (?:list|steps|items|points)\b",
        tests.numbered,
    ),
    _kind(
        "code",
        "code program function script query sql python javascript html css java php regex loop",
        r"\b(?:write|create|implement|generate|construct|develop|code|provide|design|produce|build|make) (?:me |"
        r"us )?(?:an? |the |some )?(?:\w+[ -]){0,3}?"
        r"(?:code|sql query|query in sql|sql statement|regular expression|regex|html page|css|(?:for|while) loop"
        r"|(?:python|java|javascript|php|ruby|bash|shell|c\+\+|typescript|go|rust|perl|r) (?:code|function|script|"
        r"program|class|method)"
        r"|(?:function|script|program|class|method)\b[^.\n]{0,80}\bin (?:python|java|javascript|php|ruby|bash|c\+\+|"
        r"c#|typescript|go|rust|perl))(?! (?:of (?:conduct|ethics)|names?|word))",
        tests.code,
    ),
    _kind(
        "markup",
        "html xml",
        r"\b(?:in|as|to|into|using|valid|write|create|generate) (?:an? |the |some |simple |basic )*(?:html|xml)\b",
        tests.markup,
    ),
    _kind(
        "language",
        " ".join(tests.BY_NAME),
        rf"\b(?:translate\b[^.\n]{{0,200}}\b(?:in)?to|(?:write|answer|respond|reply|say|written|compose|"
        rf"output)\b[^.\n]{{0,60}}\bin) (?P<language>{LANGUAGES})\b",
        tests.language,
    ),
    _kind(
        "starts",
        "start starts starting begin begins beginning",
        rf"\b(?:start|begin)(?:s|ning|ing|ting)? (?:with|by) (?:the )?(?:following )?(?:words? |phrase |sentence |"
        rf"line )?{QUOTE}",
        tests.starts,
    ),
    _kind(
        "ends",
        "end ends ending finish",
        rf"\b(?:end|finish|conclude)(?:s|es|ing)? (?:with|in) (?:the )?(?:following )?(?:words? |phrase |sentence |"
        rf"line )?{QUOTE}",
        tests.ends,
    ),
    _kind(
        "letter",
        "letter",
        r"\b(?:start|begin)(?:s|ning|ing|ting)? with (?:the )?letter [\"“'‘]?(?P<letter>[A-Za-z])\b",
        tests.letter,
    ),
    _kind("yes_no", "yes", r"\b(?:yes or no|yes/no|\"yes\" or \"no\"|'yes' or 'no')\b(?! questions?)", tests.yes_no),
    _kind("true_false", "true", r"\btrue or false\b(?! questions?)|\btrue/false\b(?! questions?)", tests.true_false),
    _kind(
        "upper",
        "caps uppercase capitals capital",
        r"\b(?:in|to|into|use|using|as) (?:all )?(?:caps|upper ?case|capitals|capital letters|all capitals)\b",
        tests.upper_case,
    ),
    _kind(
        "lower",
        "lowercase lower",
        r"\b(?:in|to|into|use|using|as) (?:all )?lower ?case(?: letters)?\b",
        tests.lower_case,
    ),
    _kind(
        "uses",
        "word words phrase term expression",
        r"\b(?:us(?:e|es|ing)|contain(?:s|ing)?|includ(?:e|es|ing)|with|featur(?:es|ing)|incorporat(?:e|es|"
        r"ing)) (?:the |all |these |following |both )*(?:words?|phrases?|terms?|"
        r"expressions?)[:,]? (?P<words>[\"“'‘].{1,200})",
        tests.uses,
    ),
    _kind(
        "avoids",
        "without avoid not",
        r"\b(?:without|avoid|do not use|don['’]t use|not|never)(?: using| use| the use of)? (?:the )?(?:word|phrase|"
        r"term) [\"“'‘](?P<word>[^\"“”\n]{1,40}?)[\"”'’]",
        tests.avoids,
    ),
    _kind(
        "question",
        "question",
        r"\b(?:as|into|to|in the form of) a question\b|\b(?:end|finish)(?:s|ing)? with a question\b",
        tests.question,
    ),
    _kind(
        "sorted",
        "alphabetical alphabetically",
        r"\b(?:in|into) alphabetical order\b|\balphabetically\b",
        tests.alphabetical,
    ),
    _kind(
        "hashtag",
        "hashtag hashtags",
        r"\b(?:includ\w+|with|us(?:e|ing)|add\w*|creat\w+|generat\w+)\b[^.]{0,30}\bhashtags?\b",
        tests.hashtag,
    ),
    _kind(
        "options",
        "classify whether as label either categorize",
        r"\b(?:as|is|are|either|into) (?:either |being )?(?:an? )?[\"“'‘]?(?P<one>[a-z]{4,20})[\"”'’]?(?:, "
        r"[\"“'‘]?(?P<three>[a-z]{4,20})[\"”'’]?,?)? or (?:an? )?[\"“'‘]?(?P<two>[a-z]{4,20})[\"”'’]?[.?:]?\s*\Z",
        tests.options,
    ),
    _kind("decimals", "decimal decimals", rf"\b{QUANTITY} decimal(?: places?|s| points?)\b", tests.decimals),
    _kind("percent", "percentage percent", r"\b(?:as|in) (?:a )?percent(?:age)?\b", tests.percent),
    _kind("number", "many much calculate compute", r"\A(?:how many|how much|calculate|compute)\b", tests.has_number),
    _kind(
        "between",
        "number rate rating scale random",
        r"\b(?:number|rate|rating|scale|integer)\b[^.\n]{0,60}?\b(?:between|from) (?P<low>\d{1,6}) (?:and|to|"
        r"-) (?P<high>\d{1,6})\b",
        tests.between,
    ),
    _kind(
        "binary",
        "binary",
        r"\b(?:to|in|into) (?:its )?binary\b(?! (?:tree|search|star|class|option|file))|\bbinary (?:representation|"
        r"form|equivalent|number) of\b",
        tests.binary,
    ),
    _kind("roman", "roman", r"\b(?:to|in|into|as|using) (?:a )?roman numerals?\b", tests.roman),
    _kind(
        "emoji",
        "emoji emojis",
        r"\b(?:with|using|use|include|includes|including|add|containing) (?:at least )?(?:an? |some |one |two |"
        r"three |\d )?(?:\w+ )?emojis?\b",
        tests.emoji,
    ),
)

PLACES: dict[str, list[int]] = {}
for _place, _each in enumerate(KINDS):
    for _word in _each.hints:
        PLACES.setdefault(_word, []).append(_place)
HINTS = frozenset(PLACES)
LONGEST_TASK = 1500


def stated(
    text: str, vocabulary: frozenset[str], only: Collection[str] | None = None
) -> list[tuple[Kind, re.Match[str]]]:
    """The constraints that an instruction with these words states, and where it does, in the order of the kinds."""
    hints = vocabulary & HINTS
    if not hints:
        return []
    text = text[:LONGEST_TASK]
    quantified = may_quantify(text)
    found = []
    for place in sorted({place for word in hints for place in PLACES[word]}):
        kind = KINDS[place]
        if (only is not None and kind.id not in only) or (kind.counts and not quantified):
            continue
        match = kind.asks.search(text)
        if match:
            found.append((kind, match))
    return found
