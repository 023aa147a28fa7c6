"""Word lists by which scores, checks and rules read English. Weights and limits were fitted to them as they stand.

A changed list changes the numbers of what reads it, whose version goes up then. What reads a list is said beside it.
"""

from __future__ import annotations

from hfclean.text.words import word_set


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.strip().replace("\n", "|").split("|"))


# ------------------------------------------------------------------------------------------------------- indicators

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
STOCK_PHRASES = _phrases(
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

# ----------------------------------------------------------------------------------------------------------- checks

# Words that say nothing about what a text is about, function words and the words in which tasks are put.
HOLLOW = word_set(
    """
    the and for with that this are was were you your they them their have has had not but from can will would should
    could may might its his her our who what when where which how why all any each other more most some such than
    then there these those into about over also been being out one two three four five six seven eight nine ten
    following given using use used based provide provided generate create write describe list make example examples
    name explain identify find suggest sentence text input output word words between does did very many much only
    own same through while because both new good help important different need include including like people way
    ways time things number
    """
)
ENDING_FUNCTION_WORDS = word_set(
    """
    the a an of to in on for with by from at and or as that which it this these their its his her our your you we
    they
    """
)
TOPIC_FUNCTION_WORDS = word_set(
    """
    the a an of to in on for with by from at and or as that which it its this these are is be i me my you your
    please
    """
)
META_FUNCTION_WORDS = word_set("the a an my your this of for and in with is are to it")
