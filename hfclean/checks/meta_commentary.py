"""The check for remarks about the revision itself, such as "Here is the revised response".

Those in common wordings are looked for by pattern, others by a rule that weighs words (`meta_phrases`).
"""

import re

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.checks.meta_phrases import ASIDE_LIMIT, strays
from hfclean.text.words import word_set

OBJECT = r"(?:instruction|response|answer|output|pair|input|prompt|reply|completion)s?"
REVISED = (
    r"(?:revised|improved|rewritten|re-written|updated|refined|polished|enhanced|edited|corrected|modified|reworked|"
    r"rephrased|better|optimi[sz]ed)"
)
MATTER = r"(?:version|text|pair|content)"
CHANGES_MADE = r"(?:changes|edits|improvements|corrections|revisions|adjustments)"
# What a model says about its own revising, in lower case.
REMARKS = (
    # "Here is the revised response", "below is an improved version of the text", "this is a revision of your answer"
    rf"\b(?:here|below|following|this)(?:['’]s| is| are| you (?:go|are)|)\b[^.!?\n:]{{0,30}}\b"
    rf"(?:{REVISED} (?:and \w+ )?(?:{OBJECT}|{MATTER})|{OBJECT} (?:{REVISED}|with (?:the )?{CHANGES_MADE})|"
    rf"revision of (?:the|your)|{MATTER} of (?:the|your) (?:original )?{OBJECT})\b",
    # "I revised the answer", "I've expanded on the response for clarity", "I corrected some typos"
    rf"\b(?:i|we)(?:['’]ve| have)? (?:also )?(?:{REVISED}|added more detail|expanded) "
    rf"(?:it |to |on |upon |the |your |both |some |a few |several )?[^.\n]{{0,40}}?\b"
    rf"(?:{OBJECT}|for clarity|readability|more detailed|grammar|grammatical|typos|spelling|punctuation)\b",
    rf"\b(?:i|we)(?:['’]ve| have)? made (?:the )?(?:following|some|several|a few|these|"
    rf"minor) (?:\w+ )?{CHANGES_MADE}\b",
    r"\b(?:i|we)(?:['’]ve| have)? (?:kept|preserved|maintained|retained) (?:the|your) original\b",
    # "the revised answer is", "the original response lacked", "the instruction was vague"
    rf"\b(?:the|my|this|your) (?:{REVISED} (?:{OBJECT}|{MATTER})|original (?:instruction|response|answer|output)) "
    r"(?:is|was|are|has|have|now|provides?|includes?|could|should|lacks?|lacked|contains?|fails|failed|did|does|"
    r"above|below)\b",
    r"\bthe (?:instruction|response|prompt) (?:was|is|should be|could be|needs?|lacks?|lacked|did not|"
    r"does not) (?:\w+ )?(?:vague|unclear|ambiguous|incomplete|more|improved|revised|specific|detail\w*|too|clear)\b",
    r"\b(?:my|this|the above|our) revis(?:ion|ed version)\b",
    r"\b(?:than|over) the original(?: (?:one|version|answer|"
    r"response))?(?=[.,;!\n]|\Z)",
    # headings of a form, alone on the first line; lists of changes; notes
    rf"\A\W*(?:the |final |my )?(?:{REVISED} )?(?:response|output|instruction)(?: \({REVISED}\))?(?: below)?[\W_]*\n",
    rf"\A\W*(?:the |final |my )?{REVISED}(?: {OBJECT}| {MATTER})?(?: below)?[\W_]*(?:\n|:)",
    rf"\b{OBJECT} \({REVISED}\)",
    r"^\W{0,5}(?:(?:explanation|summary|list) of (?:the )?(?:changes|edits|revisions|improvements)|"
    r"changes(?: i)? made|(?:key |main )?(?:improvements|revisions|changes|edits)(?: made)?|revision notes?|"
    r"notes? on (?:the )?revision|"
    rf"{REVISED} (?:{OBJECT}|{MATTER})|revised|edit(?:ed)?|critique)[ \t*_]{{0,4}}:",
    # "the response is accurate", "no changes needed", "let me know if you want further revisions"
    r"\bthe (?:response|answer|output) (?:is|was) (?:\w+,? ){0,3}(?:relevant|accurate|correct|helpful|clear|well|"
    r"detailed|complete|comprehensive|concise|appropriate)\b(?= and |, |\.)",
    r"\bno (?:changes|revisions?|improvements?) (?:is |are |were |was )?(?:needed|necessary|required|made)\b",
    r"\b(?:let me know|tell me|feel free to (?:ask|reach)|please (?:tell|let) me)\b[^.!?\n]{0,60}\b(?:further|more|"
    r"other|additional|any) (?:\w+ )?(?:revis\w+|edits?|adjust\w+|changes|modif\w+|improvements|tweaks|refinements)\b",
    r"\bas (?:an? )?(?:editor|reviser|revision assistant)\b",
    r"\b(?:sure|certainly|of course|okay)[,!.][^.\n]{0,20}\b"
    r"(?:revise|rewrite|improve) (?:the|this|your) (?:\w+ )?(?:instruction|response|answer|pair|output)\b",
    # a model that thinks aloud
    r"\A\W*(?:thinking|thoughts?|critique|reasoning):",
)
# Those that begin with a word behind one sign for that: the pattern needs half the time so.
AT_WORD = "|".join(remark[2:] for remark in REMARKS if remark[:2] == r"\b")
META = re.compile("|".join([rf"\b(?:{AT_WORD})", *(one for one in REMARKS if one[:2] != r"\b")]), re.MULTILINE)
# Words of which a text must have one of each of two sets before the pattern is run over it.
MADE_BETTER = word_set(
    """
    revised improved rewritten written updated refined polished enhanced edited corrected modified reworked rephrased
    optimized optimised better original revise rewrite improve
    """
)
OBJECTS = word_set(
    """
    instruction instructions response responses answer answers output outputs pair pairs input inputs prompt prompts
    reply replies completion version text content
    """
)
CHANGES = word_set(
    """
    changes change edits edit revisions revision improvements improvement corrections adjustments adjustment
    modifications tweaks refinements revised edited modified improved
    """
)
ABOUT_CHANGES = word_set(
    """
    made following explanation summary list key main notes note needed necessary required further additional know tell
    ask reach clarity readability grammar detailed response answer instruction output revision
    """
)
RATED = word_set("response responses answer answers output outputs")
RATINGS = word_set("relevant accurate correct helpful clear well detailed complete comprehensive concise appropriate")
EDITORS = word_set("editor reviser revision critique thinking vague unclear ambiguous typos original revised output")


def _may_talk(words: frozenset[str]) -> bool:
    return not (
        (words.isdisjoint(MADE_BETTER) or words.isdisjoint(OBJECTS))
        and (words.isdisjoint(CHANGES) or words.isdisjoint(ABOUT_CHANGES))
        and (words.isdisjoint(RATED) or words.isdisjoint(RATINGS))
        and words.isdisjoint(EDITORS)
    )


# Rows that ask for a rewriting, where the answer may say so.
ABOUT_REVISING = re.compile(
    r"\b(?:revis|rewrit|re-writ|edit|polish|proofread|rephras|paraphras|reword|improv|correct|fix|modif|chang|updat|"
    r"enhanc|"
    r"refin|transform|adjust)\w* (?:the|this|that|these|following|given|my|a|any|it|sentence|text|paragraph)\b|"
    r"\b(?:errors?|mistakes?|grammar|better version|make (?:it|this|the))\b",
    re.IGNORECASE,
)
WINDOW = 600


def _says_meta(text: TextFacts, about: bool) -> bool:
    """Whether the ends of a text speak of its own revision; `about` where the row asks for a rewriting."""
    if not _may_talk(text.vocabulary):
        return False
    whole = text.lower
    ends = whole if len(whole) <= 2 * WINDOW else whole[:WINDOW] + "\n" + whole[-WINDOW:]
    return any(not about or ABOUT_PAIR.search(match.group()) for match in META.finditer(ends))


# In a row that asks for a rewriting, only these are not part of the task.
ABOUT_PAIR = re.compile(r"\b(?:instruction|response|pair|output|critique|thinking)\b", re.IGNORECASE)


def _talks(case: Case) -> bool:
    before, after = case.before, case.after
    if after.response != before.response and _says_meta(case.new, False) and _talks_in(case.new, case.old, case):
        return True
    if after.response != before.response and strays(case) > ASIDE_LIMIT:
        about = ABOUT_REVISING.search(case.asked.text[:2000]) is not None
        if not about or strays(case, about_texts=True) > ASIDE_LIMIT:
            return strays(case.as_it_was, about_texts=about) <= ASIDE_LIMIT
    if after.instruction == before.instruction:
        return False
    return _says_meta(case.instruction, False) and _talks_in(case.instruction, TextFacts(before.instruction), case)


def _talks_in(new: TextFacts, old: TextFacts, case: Case) -> bool:
    task = case.asked.text[:2000]
    about = ABOUT_REVISING.search(task) is not None
    if about and ABOUT_PAIR.search(task) and META.search(task.lower()):
        return False
    return _says_meta(new, about) and not _says_meta(old, about)


meta_talk = Check("meta_talk", "remarks about the revision itself, before or after the text", _talks, 2)
