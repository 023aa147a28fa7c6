"""Stated counts that are missed, items said twice, input given back, filled gaps; and what only looks like it."""

import pytest

from hfclean import verify
from hfclean.schema import Pair
from hfclean.verifiers import VERIFIERS, Finding, VerifierError

IDS = ("count_missed", "item_twice", "answer_is_input", "solved_input")


def found(id: str, instruction: str, response: str, input: str = "") -> list[Finding]:
    return verify(Pair(instruction, input, response), only=[id])


# -------------------------------------------------------------------------------------------------------- count_missed

FIVE = "One boat sails. Two boats sail. Three boats sail. Four boats sail. Five boats sail."
LINES = "The sea is wide\nThe sea is blue\nThe boats all ride\nAnd so do you"
WORDS = " ".join(["boat"] * 100)


def numbered(*items: str) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))


MISSED = [
    ("Describe the harbour in 3 sentences.", FIVE, "sentences"),
    ("Write a 2-3 sentence story.", FIVE, "sentences"),
    ("Describe it in less than 3 sentences.", FIVE, "sentences"),
    ("Describe it in at least seven sentences.", FIVE, "sentences"),
    ("Summarize the text in ten sentences.", FIVE, "sentences"),
    ("Describe it in 40 words or less.", WORDS, "words"),
    ("Write a story of at least 500 words.", WORDS, "words"),
    ("Write a 50-word article about boats.", WORDS, "words"),
    ("Describe boats in under 50 words.", WORDS, "words"),
    ("Describe boats in 400 words.", WORDS, "words"),
    ("Describe boats in about 20 words.", WORDS, "words"),
    ("Describe perfumes in about 20 words.", WORDS, "words"),
    ("Name three boats.", numbered("Ketch", "Sloop", "Yawl", "Brig"), "items"),
    ("Name three boats.", "1. Ketch*\n2. Sloop\n\n* a fast one", "items"),
    ("Name three boats.", "* Ketch\n\n* Sloop\n\n* Yawl\n\n* Brig", "items"),
    ("List 5 boats.", "- Ketch\n- Sloop\n- Yawl", "items"),
    ("Suggest two ways to sail.", "Here you are:\n- Fast ones\n- Slow ones\n- None", "items"),
    ("Generate a list of 4 boats.", numbered("Ketch", "Sloop"), "items"),
    ("Please give me five boats.", numbered("Ketch", "Sloop"), "items"),
    ("Write a poem with 8 lines.", LINES, "lines"),
    ("Write a two-line poem about the sea.", LINES, "lines"),
    ("Create a song of at least 10 lines about boats.", LINES, "lines"),
    ("Describe the boat in one word.", "It is very fast.", "one_word"),
    ("Name animals that begin with the letter B.", "- Bear\n- Badger\n- Otter", "letter"),
    ("Write a line that ends with the word 'boat'.", "The boat sails.", "ends"),
    ('Write a pun with the word "boat".', "The ship sails.", "uses"),
    ('Use the words "boat" and "sail" in a line.', "The boat floats.", "uses"),
    ("Sort the words in alphabetical order.", "Cat, Bear, Ant, Ape", "sorted"),
]


@pytest.mark.parametrize(("instruction", "response", "kind"), MISSED)
def test_a_stated_count_that_is_missed_is_found(instruction: str, response: str, kind: str) -> None:
    (finding,) = found("count_missed", instruction, response)
    sentence = f"the instruction asks {finding.expected!r}, which the response does not keep ({kind})"
    assert finding == Finding("count_missed", "response", 0, 0, kind, finding.expected, sentence)
    assert finding.expected in " ".join(instruction.split())


KEPT = [
    # kept
    ("Describe the harbour in 5 sentences.", FIVE),
    ("Describe it in at most six sentences.", FIVE),
    ("Describe boats in 100 words.", WORDS),
    ("Describe boats in 200 words.", WORDS),
    ("Describe boats in at most 90 words.", WORDS),
    ("Name three boats.", numbered("Ketch", "Sloop", "Yawl")),
    ("Write a poem with 4 lines.", LINES),
    ("Describe it in one word.", "Fast"),
    ("Sort the words in alphabetical order.", "Ant, Ape, Bear, Cat"),
    # other lengths than that of the response
    ("Write three sentences about it.", numbered("The boat sails.", "The sea is blue.", "It rains.")),
    ("Given a set of two sentences, combine them.", FIVE),
    ("a) Describe it in two sentences. b) And in three sentences.", FIVE),
    ("Write a title of 20 words and a text.", WORDS),
    ("Give keywords in 50 words.", WORDS),
    ("Write a story (up to 300 words).", WORDS),
    ("Write each part in 50 words.", WORDS),
    ("You will answer in the form of 2000-word essays.", WORDS),
    ("Write a poem using 3 words.", LINES),
    # other lists
    ("List 3 pros and 3 cons.", "Pros\n- a\n- b\n- c\nCons\n- d\n- e\n- f"),
    ("Give two similarities and two differences.", "- a\n- b\n- c\n- d"),
    ("List 4 features.", "'- Pedals\n- Tires\n- Frame\n- Bars"),
    ("Name three boats.", "Ketch, sloop, yawl and brig."),
    ("List two steps for each boat.", numbered("a", "b", "c", "d")),
    # poems that are given, or written in one line
    ("Improve this poem of 20 lines.", LINES),
    ("Write a three line poem.", "A pyre / a wire / a choir / a lyre"),
    ("Write a 3-line film script.", FIVE),
    # words denied or quoted
    ('Rewrite it without using the word "boat".', "The ship sails."),
    ('Rewrite it so that it does not contain the word "boat".', "The ship sails."),
    ("Replace the gap with a word or phrase.", "a very long boat"),
    ("Answer in one word or phrase.", "a very long boat"),
    # programs
    ("Write a function that sorts names in alphabetical order.", "Use sorted: c, b, a, d"),
    ("Match a string that ends with 'b' by a regex.", "The pattern is a.*b$, or so."),
    ("Arrange the books in alphabetical order.", "Dracula, Emma, 1984, Ulysses, Beowulf"),
    # footnotes
    ("Name three fruits.", "1. Apple*\n2. Pear\n3. Fig\n\n* in season in autumn"),
    ("Name three fruits.", "- Apple*\n- Pear\n- Fig\n\n* in season in autumn\n"),
    ("Name three fruits.", "* Apple*\n* Pear\n* Fig\n\n* in season\n* in autumn"),
    ("Name three fruits.", "* Apple\n* Pear\n* Fig\n\n* All of them are ripe."),
    # denied, asked about, or one of two requests
    ("Do not write three sentences; write a poem.", FIVE),
    ("Don't list five boats; tell me your favourite.", numbered("Ketch", "Sloop")),
    ("What is a three-sentence summary?", "A summary of that length."),
    ("Write exactly two sentences.", 'He said: "Stop! Now!" and left. She stayed.'),
    ("Give me three tips. Then two more.", numbered("a", "b", "c", "d", "e")),
    ("Give three examples. Also list 2 exceptions.", numbered("a", "b", "c", "d", "e")),
    ("Write a poem with four lines in each stanza.", LINES + "\n\n" + LINES),
    ("Write a four-line poem and translate each line.", LINES + "\n" + LINES),
    ("Answer in one word, then explain.", "Yes, because it floats."),
    ("Say the same with one word changed.", "The fast boat floats."),
    ("Answer in one word and give a reason.", "Yes, because it floats."),
    ("Write a sentence using the word 'be'.", "She is here."),
    ("Write a sentence using the word 'go'.", "She went home."),
    # orders in which people differ
    ("Sort the list alphabetically in reverse order.", "cat, bee, ant"),
    ("Sort them alphabetically.", "eagle, éclair, zebra"),
    ("Sort them alphabetically.", "coop, co-op, cop"),
    ("Put them in alphabetical order.", "The order is apple, date, and fig."),
    ("Describe it in 3 sentences.", ""),
    ("Describe it.", FIVE),
]


@pytest.mark.parametrize(("instruction", "response"), KEPT)
def test_a_count_that_is_kept_or_not_surely_that_of_the_response_is_not(instruction: str, response: str) -> None:
    assert found("count_missed", instruction, response) == []


def test_a_length_may_be_that_of_a_program_in_the_input() -> None:
    asked = "Describe it in 3 sentences."
    assert [each.found for each in found("count_missed", asked, FIVE, "A boat.")] == ["sentences"]
    assert found("count_missed", asked, FIVE, "A program.") == []


# ---------------------------------------------------------------------------------------------------------- item_twice

A, B, C = "Check the weather.", "Tie the boat up.", "Call the harbour."
TWICE = [
    (numbered(A, B, A), 2, 0),
    (numbered(A, A), 1, 0),
    (numbered(A, B, C, B), 3, 1),
    (f"- {A}\n- {B}\n- {A}", 2, 0),
    (f"* {A}\n* {B}\n* {A}", 2, 0),
    (f"• {A}\n• {A}", 1, 0),
    (f"Before you sail:\n\n- {A}\n- {A}\n\nGood luck!", 3, 2),
    (f"- {A}\n  - in the morning\n- {A}", 2, 0),
    (f"- {A}\n\n- {B}\n\n- {A}", 4, 0),
    (numbered(A.lower(), A.upper()), 1, 0),
    (f"2) {A}\n3) {A}", 1, 0),
    (f"10. {A}\n11. {A}", 1, 0),
    (f"- {A} \n- {A}", 1, 0),
    (f"– {A}\n– {A}", 1, 0),
    ("Bring:\n- red, white and blue\n- red, white and blue", 2, 1),
    (f"- {A}\n- {B}\n- {C}\n- {A}\n", 3, 0),
    ("- 9V battery with clip\n- 9V battery with clip", 1, 0),
    (f"First.\n- {A}\n- {B}\nThen.\n- {C}\n- {C}", 5, 4),
    (f"1. {A}\n2. {B}\n\n1. {C}\n2. {C}", 4, 3),
    ("1. 看 天气 预报\n2. 看 天气 预报", 1, 0),
]


@pytest.mark.parametrize(("response", "line", "first"), TWICE)
def test_an_item_said_twice_is_found(response: str, line: int, first: int) -> None:
    (finding,) = found("item_twice", "What should I keep in mind at sea?", response)
    sentence = f"the item in line {line + 1} stands in line {first + 1} already"
    assert finding == Finding("item_twice", "response", 0, line, finding.found, "", sentence)
    assert finding.found in response
    assert finding.found == finding.found.strip()


ONCE = [
    ("", numbered(A, B, C)),
    ("", numbered("Yes", "No", "Yes")),
    ("", numbered("Very good", "Very good")),
    ("", f"- {A}\n\nLater:\n- {A}"),
    ("", f"1. {A}\n2. {B}\n1. {A}\n2. {B}"),
    ("", f"- a boat\n  - {A}\n- a ship\n  - {A}"),
    ("", "- What is it for?\n- What is it for?"),
    ("", "- What is it for? \n- What is it for? "),
    ("", "- In the morning then:\n- In the morning then:"),
    ("", f"```\n- {A}\n- {A}\n```"),
    ("", "- a | b | c\n- a | b | c"),
    ("", f"{A}\n{A}"),
    ("", f"- {A} - {A}"),
    ("Repeat the item.", numbered(A, A)),
    ("Say it twice.", numbered(A, A)),
    ("Write a song.", numbered(A, A)),
    ("Write a poem.", numbered(A, A)),
    ("Make a schedule.", numbered(A, A)),
    ("Classify them.", numbered("a small boat", "a small boat")),
    ("Plan a workout.", numbered(A, A)),
    (f"What does {A} mean?", numbered(A, A)),
    ("Rate each of them.", numbered("not so good", "not so good")),
    ("How do I paint a boat?", numbered("Apply a coat of paint.", "Let it dry.", "Apply a coat of paint.")),
    ("Give instructions for a hat of paper.", numbered("Fold it in half.", "Turn it.", "Fold it in half.")),
    ("Translate.", numbered("I am very tired", "I am very tired")),
    ("Extract the dates.", "- May 3 2020\n- May 3 2020"),
    ("Answer the questions.", numbered("It is not known", "It is not known")),
    ("Give the sentiment of them.", numbered("This is positive.", "This is positive.")),
    ("List the prices.", "- 3 for 5 dollars\n- 3 for 5 dollars"),
    ("", ""),
]


def test_a_step_that_is_said_twice_in_a_row_is_found() -> None:
    (finding,) = found("item_twice", "How do I get ready to sail?", numbered(A, B, C, C))
    assert (finding.line, finding.found) == (3, C)
    (finding,) = found("item_twice", "How do I get ready to sail?", f"- {A}\n- {B}\n- {A}")
    assert (finding.line, finding.found) == (2, A)


@pytest.mark.parametrize(("instruction", "response"), ONCE)
def test_other_repetition_is_not(instruction: str, response: str) -> None:
    assert found("item_twice", instruction, response) == []


# ----------------------------------------------------------------------------------------------------- answer_is_input

TEXT = "The boat  sails to\nGraz today."
ASKS = """
Rewrite the sentence. | Rephrase it. | Paraphrase the text. | Summarize the text. |
Summarise it. | Shorten the text. | Condense it. | Simplify the sentence. | Expand it. | Convert it to the past. |
Turn it into a question. | Change the tense. | Reverse the words. | Replace the verb. | Modify it. | Restate it. |
Reword the sentence. | Elaborate on it. | Revise the text.
"""


@pytest.mark.parametrize("instruction", [one.strip() for one in ASKS.split("|")])
def test_input_that_is_given_back_is_found(instruction: str) -> None:
    (finding,) = found("answer_is_input", instruction, " ".join(TEXT.split()), TEXT)
    assert finding == Finding(
        "answer_is_input",
        "response",
        0,
        0,
        "The boat sails to Graz today.",
        "",
        "the response is the input, though the instruction asks to change it",
    )


def test_a_translation_that_is_the_text_is_found_where_its_language_is_sure() -> None:
    text = "The boat sails to Graz today, and the people who live there will be glad to see what it brings with it."
    assert [one.found for one in found("answer_is_input", "Translate it into German.", text, text)] == [text[:80]]
    assert found("answer_is_input", "Translate it into English.", text, text) == []


MAY_STAY = [
    ("Correct the sentence.", TEXT, TEXT),
    ("Rewrite it with correct grammar.", TEXT, TEXT),
    ("Rewrite it and fix mistakes.", TEXT, TEXT),
    ("Rewrite it, if needed.", TEXT, TEXT),
    ("Edit the text.", TEXT, TEXT),
    ("Proofread and rewrite it.", TEXT, TEXT),
    ("Repeat it, or rewrite it.", TEXT, TEXT),
    ("Copy the text.", TEXT, TEXT),
    ("Identify the verb and replace it.", TEXT, TEXT),
    ("Change the punctuation.", TEXT, TEXT),
    ("Convert it to lower case.", TEXT, TEXT),
    ("Change the format.", TEXT, TEXT),
    ("Sort the words.", TEXT, TEXT),
    ("What is it?", TEXT, TEXT),
    ("Rewrite it.", "The boat sailed to Graz.", TEXT),
    ("Rewrite it.", TEXT.lower(), TEXT),
    ("Rewrite it.", TEXT + "!", TEXT),
    ("Translate it into English.", TEXT, TEXT),
    ("Translate it into English.", "Hello my friend", "Hello my friend"),
    ("Replace any profanity with stars.", TEXT, TEXT),
    ("Rewrite it in the third person.", TEXT, TEXT),
    ("Turn negative sentences into positive ones.", TEXT, TEXT),
    ("Convert it into the plural.", TEXT, TEXT),
    ("Shorten it to 10 words at most.", TEXT, TEXT),
    ("Reverse this palindrome.", "never odd or even", "never odd or even"),
    ("Turn it into a URI.", "a.example", "a.example"),
    ("Rewrite it.", "two words", "two words"),
    ("Rewrite it.", "", ""),
    ("Rewrite it.", TEXT, ""),
]


@pytest.mark.parametrize(("instruction", "response", "input"), MAY_STAY)
def test_input_that_may_stay_or_was_changed_is_not(instruction: str, response: str, input: str) -> None:
    assert found("answer_is_input", instruction, response, input) == []


# -------------------------------------------------------------------------------------------------------- solved_input

SOLVED = [
    ("Fill in the blank.", "Paris", "The capital of France is Paris."),
    ("Fill in the blanks.", "paris", "The capital of France is Paris."),
    ("Fill in the blank with a city.", "Paris.", "The capital of France is Paris."),
    ("Please fill in the missing word.", "Paris", "Paris is the capital of France."),
    ("Fill in the gap.", "**Paris**", "The capital of France is Paris."),
    ("Fill-in the blank:", "Paris", "The capital of France is Paris"),
    ("Fill in the gaps in the sentence.", "the capital", "Paris is the capital of France."),
    ("Fill in the blank.", "The capital of France is Paris.", "The capital of France is Paris."),
    ("Filling in the blank is easy. Do it.", "Paris", "The capital of France is Paris."),
    ("Fill in the following blank.", "Paris", "The capital of France is: Paris"),
    ("Complete the sentence.", "Paris", "The capital of France is Paris."),
    ("Choose a word to complete this sentence", "Paris", "The capital of France is Paris."),
    ("Finish the sentence.", "Paris", "The capital of France is Paris."),
    ("Insert a word for the blank.", "Paris", "The capital of France is Paris."),
    ("Find the missing number.", "16", "10, 12, 14, 16, 18"),
    ("Fill in the blank.", "Paris", "Welcome to Paris!"),
]


@pytest.mark.parametrize(("instruction", "response", "input"), SOLVED)
@pytest.mark.parametrize("lead", ["", "Read it. "])
def test_a_gap_that_stands_filled_is_found(lead: str, instruction: str, response: str, input: str) -> None:
    (finding,) = found("solved_input", lead + instruction, response, input)
    assert (finding.check, finding.field, finding.turn, finding.line) == ("solved_input", "input", 0, 0)
    assert (finding.found, finding.expected) == (input, "")
    assert finding.sentence == f"the input has no gap to fill: the answer {response.strip()!r} stands in it already"


GAPS = ["____", "_", "[blank]", "[ ]", "( )", "...", "…", "<mask>", "---", "(blank)", "{city}", "***", "??", "[MASK]"]


@pytest.mark.parametrize("gap", GAPS)
def test_a_gap_is_a_gap_however_it_is_written(gap: str) -> None:
    assert found("solved_input", "Fill in the blank.", "Paris", f"Paris: the capital of France is {gap}") == []
    assert found("solved_input", f"Fill in the blank: it is {gap}", "Paris", "Paris is in France.") == []


UNSOLVED = [
    ("Fill in the blank.", "Paris", "The capital of France is"),
    ("Fill in the blank.", "Par", "The capital of France is Paris."),
    ("Fill in the blank.", "", "The capital of France is Paris."),
    ("Fill in the blank.", "Paris", ""),
    ("Fill in the blank.", "Paris", "Paris, London"),
    ("Name the capital.", "Paris", "The capital of France is Paris."),
    ("Complete the sentence.", "Paris", "The capital of France (Paris, Rome) is"),
    ("Complete the sentence.", "has", "She has/have gone."),
    ("Complete the sentence.", "has", "She has or have gone."),
    ("Fill in the blank.", "Paris", "Paris is the capital.\nA. Paris B. Rome"),
    ("Fill in the missing number.", "4", "2, 4, 6, 8, , 12"),
    ("Complete the sentence.", "and the dog", "the cat and the dog went"),
    ("Finish the sentence.", "I", "If I were rich enough then"),
    ("Complete the sentence with a word from the box.", "run", "run, walk, swim. I like to."),
    ("Find the missing word in the second sentence.", "blue", "The sky is blue. The sea is also."),
    ("Find the missing angle.", "60", "A triangle has angles 60 and 60."),
    ("Insert the missing comma.", "Hello", "Hello my friend, how are you."),
    ("Fill the boat.", "Paris", "The capital of France is Paris."),
    ("Fill in the form. Is a word missing?", "Paris", "The capital of France is Paris."),
]


@pytest.mark.parametrize(("instruction", "response", "input"), UNSOLVED)
def test_what_is_not_a_filled_gap_is_not_found(instruction: str, response: str, input: str) -> None:
    assert found("solved_input", instruction, response, input) == []


# ---------------------------------------------------------------------------------------------------- bounds


LISTS = ("- a b c\n" * 20_000, "\t- x\n" * 30_000)


@pytest.mark.usefixtures("ending")
@pytest.mark.parametrize(
    "text",
    [
        *LISTS,
        "\n" * 200_000,
        " " * 200_000,
        "_" * 200_000,
        "fill in " * 20_000,
        "1. " * 50_000,
        "." * 200_000,
        "Name three " * 20_000,
        "- " * 100_000,
        "<" * 200_000,
        "[ " * 100_000,
    ],
)
def test_hostile_texts_are_read_in_linear_time(text: str) -> None:
    three = [id for id in IDS if found(id, "Name three boats in 3 sentences.", text, text)]
    assert three == (["count_missed"] if text in LISTS else [])
    assert [id for id in IDS if found(id, f"Fill in the blank. {text}", "a b c", text)] == []


def test_the_choice_of_verifiers_is_a_list_of_ids() -> None:
    with pytest.raises(VerifierError, match=r"only='item_twice' is one string; expected a list of ids"):
        verify(Pair("a", "", "b"), only="item_twice")
    with pytest.raises(VerifierError, match=r"unknown verifier 'x'\. Known: wrong_sum, "):
        verify(Pair("a", "", "b"), only=["x"])


# ------------------------------------------------------------------------------------------------- every word counts

# The words of an instruction after which nothing is sure any more, each in the place of *.
UNSURE = [
    (
        "count_missed",
        "Name three boats, *.",
        numbered("Ketch", "Sloop", "Yawl", "Brig"),
        "pros|cons|similarities|differences|advantages|disadvantages|strengths|weaknesses|both|each|every|"
        "and 2|and two|and three|and four|and five|and six|questions|steps|a step|then|also|plus|another|"
        "two more|three more|2 more|function|program|code|script|algorithm|regex|query|```",
    ),
    (
        "count_missed",
        "Write a poem with 8 lines, *.",
        LINES,
        "improve|edit|given|following|this|analyze|analyse|rewrite|continue|complete|add|each|every|per|"
        "stanza|stanzas|verses|translate",
    ),
    (
        "count_missed",
        "Describe it in 3 sentences, *",
        FIVE,
        "a)|b)|you will|keyword|keywords|tag|tags|starter|starters|each|every|per|title|name|slogan|"
        "headline|phrase|phrases",
    ),
    (
        "count_missed",
        "Describe the boat in one word, *.",
        "It is fast.",
        "explain|explained|explanation|reason|reasons|why|then|because|elaborate|justify|followed|phrase",
    ),
    (
        "count_missed",
        "Sort the words in alphabetical order, *.",
        "Cat, Bear, Ant, Ape",
        "reverse|reversed|descending|backward|backwards|last|Z to A|Z-A",
    ),
    (
        "count_missed",
        "Tell me of boats, * in 3 sentences.",
        FIVE,
        "not|without|avoid|avoiding|n't|never|no|don't",
    ),
    (
        "item_twice",
        "Tell me, *.",
        numbered("The boat is fast", "The boat is fast"),
        "repeat|repeated|again|twice|times|song|lyrics|poem|chant|refrain|chorus|rap|verse|loop|sequence|"
        "pattern|schedule|plan|dialogue|dialog|conversation|script|label|classify|categorize|categorise|"
        "identify|each|every|rate|score|true or false|sort|code|program|function|list of lists|table|chart|"
        "itinerary|menu|workout|playlist|ballad|hymn|mantra|translate|extract|answer|answers|questions|"
        "sentiment|sentiments|evaluate|assess|predict|transcribe|commit|commits|log|logs|simulate|dice|"
        "move|moves|game|quiz|price|prices|day|week|these",
    ),
    (
        "item_twice",
        "Tell me, *.",
        numbered("Paint the boat red", "Let it dry well", "Paint the boat red"),
        "how do|how to|how can|how would|how should|how does|step|steps|instruction|instructions|instruct|"
        "direction|directions|guide|recipe|process|procedure|tutorial|method|solve|yoga|exercise|exercises|"
        "knit|fold|origami",
    ),
    (
        "count_missed",
        'Write a pun with the word "*".',
        "The ship sails.",
        "be|become|begin|bring|buy|catch|come|do|drink|eat|fall|feel|find|get|give|go|good|have|know|leave|"
        "make|see|speak|take|teach|think|write",
    ),
]


@pytest.mark.parametrize(("id", "instruction", "response", "words"), UNSURE)
def test_each_of_these_words_of_an_instruction_leaves_it_unsure(
    id: str, instruction: str, response: str, words: str
) -> None:
    assert found(id, instruction.replace("*", "boat"), response) != []
    assert [word for word in words.split("|") if found(id, instruction.replace("*", word), response)] == []


STAYS = (
    "correct|correctly|fix|grammar|grammatically|error|errors|mistake|mistakes|proofread|spelling|"
    "punctuation|if needed|where necessary|if required|where possible|if there|if it|where any|repeat|"
    "copy|echo|identify|whether|check|edit|verify|detect|format|capitalize|capitalised|upper case|"
    "uppercase|lower case|lowercase|any|all|every|first-person|second person|third person|plural|"
    "singular|active|passive|positive|negative|palindrome|profanity|decimal|decimals|fraction|metric|"
    "duplicates|list|pronoun|abbreviations|acronym|name|names|number|numbers|at most|or less|or fewer|"
    "under|no more than|fewer than"
)
ASKED = (
    "rewrite|re-write|rephrase|reword|paraphrase|translate|summarise|summarize|shorten|condense|"
    "simplify|expand|convert|transform|turn|change|reverse|replace|modify|reformulate|restate|"
    "elaborate|revise"
)


def test_each_of_these_words_asks_for_a_change_or_lets_the_input_stay() -> None:
    assert [
        word for word in ASKED.split("|") if not found("answer_is_input", f"Please {word} this.", TEXT, TEXT)
    ] == []
    assert [word for word in STAYS.split("|") if found("answer_is_input", f"Rewrite it, {word}.", TEXT, TEXT)] == []


FILL = "Fill in the blank"
CAPITAL = "The capital * of France is Paris."
ELSEWHERE = (
    "from the box|of the list|in the text|from the passage|in the bank|in the story|first sentence|"
    "second blank|last blank|angle|angles|side|sides|length|lengths|value|values|letter|letters|comma|"
    "commas|punctuation"
)
ALL_FILLS = (
    "Fill in the blank|Fill in the gap|Fill-in the missing|Filling in the blanks|Complete the sentence|"
    "Completing this sentence|Finish a sentence|Insert the blank|Find the gaps|Infer the missing|"
    "Supply the missing|Provide the missing"
)


def test_each_of_these_words_asks_to_fill_a_gap_or_is_one() -> None:
    text = CAPITAL.replace(" *", "")
    assert [words for words in ALL_FILLS.split("|") if not found("solved_input", f"{words}.", "Paris", text)] == []
    elsewhere = [words for words in ELSEWHERE.split("|") if found("solved_input", f"{FILL}, {words}.", "Paris", text)]
    assert elsewhere == []
    gaps = [
        *[
            "_",
            "[ ]",
            "( )",
            "[blank]",
            "[mask]",
            "[gap 1]",
            "<x>",
            "..",
            "…",
            "---",
            "***",
            "blank",
            "{x}",
            "??",
            "＿",
            "—",
            ", ,",
        ],
        "/",
        "(x",
        ";",
        "or",
        "A.",
        "A)",
        "A:",
    ]
    assert [gap for gap in gaps if found("solved_input", f"{FILL}.", "Paris", CAPITAL.replace("*", gap))] == []


def test_what_is_found_differently_than_before_has_another_version() -> None:
    versions = {each.id: (each.version, each.severity) for each in VERIFIERS if each.id in IDS}
    assert versions == {**dict.fromkeys(IDS, (1, "high")), "count_missed": (2, "high")}
