"""Rules about answers that claim actions that no model took: see a picture, attach a file, look something up."""

from __future__ import annotations

import re

from hfclean.rules.assistant import speaks_for_others
from hfclean.rules.glance import Glance, Possible
from hfclean.rules.rule import Rule, asked_about
from hfclean.schema import Pair

# ----------------------------------------------------------------------------------------------------- imagined_media

MEDIUM = (
    r"(?:image|picture|photo(?:graph)?|painting|drawing|sketch|sculpture|artwork|piece of art|chart|graph|diagram|"
    r"figure|video|clip|"
    r"audio|recording|screenshot|map|logo|comic|poster|illustration|infographic|cartoon|meme)"
)
ASKS_TO_LOOK = re.compile(
    rf"\b(?:this|the following|the given|the provided|the attached|the above|the shown|a given|given|provided|"
    rf"following)(?: \w+){{0,2}} "
    rf"{MEDIUM}\b|\b{MEDIUM} (?:below|above|provided|attached|shown|in the link)\b|\b(?:of|in|"
    rf"about) the {MEDIUM}\.?\W*\Z",
    re.IGNORECASE,
)
MAKES_MEDIUM = re.compile(
    r"\b(?:create|creates|make|draw|design|generate|produce|plot|write|build|suggest|draft|compose|caption|code|"
    r"program|algorithm|"
    r"classifier|model|detect|recogni[sz]e|script|named|titled|called|by [A-Z])\b|[\"“”‘]",
)
# An answer that itself stands in for a picture, a chart or a link.
STAND_IN = re.compile(
    rf"(?:^|\n)\W{{0,3}}[\[<(](?:an? |the |insert |link to |visual |your |see )*(?:[\w'’-]+ ){{0,4}}?(?:{MEDIUM}|"
    rf"playlist)"
    rf"(?: (?:of|for|with|showing|that|design|here|goes)\b[^\[\]<>()\n]{{0,80}})?[\])>]\W{{0,3}}(?:\n|\Z)"
    r"|\A\s*<img [^<>]{0,200}>\s*\Z|!\[[^\]\n]{0,80}\]\([^)\n]{1,200}\)\s*\Z",
    re.IGNORECASE,
)
STAND_IN_OPENERS = ("[", "<", "(", "!")
GIVER = r"(?:attached|provided|given|shared|uploaded|sent)"
SEES = re.compile(
    rf"\b(?:in|from|to|at) (?:the|this|your) {MEDIUM} (?:above|below|attached|shown|you(?: have)? {GIVER})\b"
    rf"|\b(?:in|from|to|at) (?:the|this|your) {GIVER} {MEDIUM}\b"
    rf"|\b(?:the|this|your) {MEDIUM} (?:above|below|attached|you(?: have)? {GIVER})\b"
    rf"|\bas (?:you can|can be|we can) (?:see|seen)(?: here)? (?:in|from) (?:the|this) "
    rf"(?:attached |above |following |provided )?{MEDIUM}\b"
    rf"|\bi (?:can )?(?:see|hear) (?:in|from|that) (?:the|this|your) {MEDIUM}\b",
    re.IGNORECASE,
)
DESCRIBES = re.compile(
    rf"\b(?:this|the|it is an?|in the|in this|of the)(?: [\w'’-]+){{0,2}} {MEDIUM}\b|\b(?:depict|portray|show|"
    rf"feature|convey)s?\b|\bcolou?rs?\b",
    re.IGNORECASE,
)
OWNS_UP = re.compile(
    r"\b(?:can(?:no|['’])t|unable|not able|do not have|don['’]t have|please (?:provide|share|upload|attach)|"
    r"without (?:seeing|access|the)|"
    r"no (?:image|picture|photo|painting)|not (?:provided|attached|visible))\b",
    re.IGNORECASE,
)
IS_LOCATOR = re.compile(
    r"\s*(?:https?://\S+|!\[[^\]\n]{0,80}\]\([^)\n]{1,300}\)|www\.\S+|<img\b[^<>]*>|\[[^\]\n]{0,60}\]|\S+\.(?:jpe?g|png|gif|mp[34]|wav|svg))\s*\Z",
    re.I,
)
MEDIA = (
    "image", "picture", "photo", "painting", "drawing", "sketch", "sculpture", "art", "graph", "diagram", "figure",
    "video", "clip", "audio", "recording", "screenshot", "map", "logo", "comic", "poster", "illustration", "meme",
)  # fmt: skip


def _names_medium(asked: str) -> bool:
    # What points at something, then what it may be. A chain of "in", not any(): this runs on every row
    return (
        "this " in asked
        or " the " in asked
        or "given" in asked
        or "Given" in asked
        or "ollowing" in asked
        or "rovided" in asked
        or "ttached" in asked
        or "above" in asked
        or "below" in asked
        or "shown" in asked
    ) and any(word in asked for word in MEDIA)


def _imagines(pair: Pair) -> bool:
    text = pair.response
    if not text:
        return False
    if text[:60].lstrip(" \n*_")[:1] in STAND_IN_OPENERS and STAND_IN.search(text[:400]):
        return not asked_about(WANTS_MARKUP, pair.instruction)
    if (
        " above" in text
        or " below" in text
        or " you " in text
        or " see" in text
        or " hear" in text
        or "ttached" in text
        or "provided" in text
        or "shared" in text
    ) and _sees(text[:3000]):
        return _has_no_medium(pair)
    return _looks_at_nothing(pair)


def _sees(text: str) -> bool:
    folded = text.casefold()  # whatever SEES matches names a medium
    return any(word in folded for word in MEDIA) and SEES.search(text) is not None


def _may_imagine(pair: Pair, glance: Glance) -> bool:
    words = glance.words
    named = not MEDIUM_WORDS.isdisjoint(words)
    if not named and DESCRIBING_WORDS.isdisjoint(words) and ord("!") not in glance.marks:
        return False  # nearly every row ends here
    if named and not SEEING_WORDS.isdisjoint(words):
        return True
    if (named or ord("!") in glance.marks) and pair.response[:60].lstrip(" \n*_")[:1] in STAND_IN_OPENERS:
        return True
    return (named or not DESCRIBING_WORDS.isdisjoint(words)) and _names_medium(pair.instruction)


# One of these is in whatever SEES matches, ...
SEEING_WORDS = frozenset((
    "above", "below", "attached", "shown", "provided", "given", "shared", "uploaded", "sent", "see", "seen", "hear",
))  # fmt: skip
# ... and one of these in whatever it and STAND_IN match, but for a picture in Markdown, ...
MEDIUM_WORDS = frozenset((
    "image", "picture", "photo", "photograph", "painting", "drawing", "sketch", "sculpture", "artwork", "art", "chart",
    "graph", "diagram", "figure", "video", "clip", "audio", "recording", "screenshot", "map", "logo", "comic",
    "poster", "illustration", "infographic", "cartoon", "meme", "playlist", "img",
))  # fmt: skip
# ... and one of both in what DESCRIBES matches, which counts only where the instruction names a medium.
DESCRIBING_WORDS = frozenset((
    "depict", "depicts", "portray", "portrays", "show", "shows", "feature", "features", "convey", "conveys", "color",
    "colors", "colour", "colours",
))  # fmt: skip

WANTS_MARKUP = re.compile(
    r"html|markdown|\bcode\b|placeholder|template|web ?page|script|caption|stage direction|\bscene\b", re.IGNORECASE
)


def _has_no_medium(pair: Pair) -> bool:
    """Whether the answer itself does not contain what it points at: a chart made of lines, a table, code."""
    return (
        "|" not in pair.response
        and "```" not in pair.response
        and not speaks_for_others(pair.instruction)
        and not pair.input.strip()
        and not any(turn.role == "tool" for turn in pair.history)
    )


def _looks_at_nothing(pair: Pair) -> bool:
    asked = pair.instruction
    if len(asked) > 300 or pair.history or not _names_medium(asked):
        return False
    if pair.input and not IS_LOCATOR.match(pair.input):
        return False
    match = ASKS_TO_LOOK.search(asked)
    if match is None or MAKES_MEDIUM.search(asked) or ":" in asked[match.end() : -2]:
        return False
    head = pair.response[:600]
    return DESCRIBES.search(head) is not None and not OWNS_UP.search(head)


imagined_media = Rule(
    "imagined_media",
    severity="high",
    meaning="an answer that claims to see or hear what nobody showed, or stands in for a picture",
    detect=_imagines,
    possible=Possible(_may_imagine, SEEING_WORDS | MEDIUM_WORDS | DESCRIBING_WORDS),
    example=("As you can see in the image above, the bridge has three arches.", ""),
)


# ---------------------------------------------------------------------------------------------------- imagined_access

CLAIMS = re.compile(
    r"\b(?:i have|i['’]ve|i) (?:just |already |now |also )?(?:attached|uploaded|emailed|e-mailed|browsed|googled|"
    r"downloaded|"
    r"searched (?:the|online|for|google|through|on)|looked (?:it|this|that|them|online|up)|checked (?:the (?:web|"
    r"internet|site|website)|online)|"
    r"visited (?:the|your|his|this|their) (?:\w+ ){0,2}(?:web ?site|site|web ?page|home ?page|link|page)|"
    r"opened (?:the|your) (?:link|file|url|attachment)|"
    r"sent (?:you |it |the (?:file|e-?mail|message|document))|read (?:the|your) (?:attached|linked)|"
    r"(?:placed|submitted|booked|ordered|scheduled|set) (?:the|your|an?) (?:order|booking|flight|ticket|reminder|"
    r"alarm|meeting|reservation|appointment))\b"
    r"|\b(?:please (?:find|see) (?:the )?attach(?:ed|ment)|attached (?:is|you will find|please find) (?:the|a|my|"
    r"your)|see the attached|in the attached)\b"
    r"|\baccording to my (?:search|web search|internet search|browsing|online research)\b|\bmy (?:web |internet |"
    r"online |google )search (?:shows|found|returned|"
    r"results|indicates|reveals)\b|\bafter (?:searching|browsing) (?:the (?:web|internet)|online)\b",
    re.IGNORECASE,
)
CLAIM_HINTS = (
    "ttached",
    "earch",
    "uploaded",
    "mailed",
    "rowsed",
    "rowsing",
    "oogled",
    "ownloaded",
    "looked",
    "checked",
    "visited",
    "opened",
    "sent",
    "placed",
    "booked",
    "submitted",
    "ordered",
    "scheduled",
    "have set",
    "I set",
    "ttachment",
    "I read",
)


def _claims_access(pair: Pair) -> bool:
    text = pair.response
    if not ("I " in text or "I'" in text or "I’" in text or "ttach" in text or "search" in text or "brows" in text):
        return False
    if not any(hint in text for hint in CLAIM_HINTS):
        return False
    if CLAIMS.search(text[:6000]) is None:
        return False
    if any(turn.role in ("tool", "tool_call") for turn in pair.history):
        return False  # it did look
    return not speaks_for_others(pair.instruction) and not asked_about(FIRST_PERSON, pair.instruction)


FIRST_PERSON = re.compile(
    r"\b(?:cover|resume|cv|memo|describe (?:a|an|your|the (?:last|first|best))|tell me about (?:a|your)|experience|"
    r"past tense|proposal|"
    r"announcement|invitation|first[- ]person|report|blog|caption|personal|business|professional|draft|compose)\b",
    re.IGNORECASE,
)


def _may_claim_access(pair: Pair, glance: Glance) -> bool:
    words = glance.words
    return not CLAIMANTS.isdisjoint(words) and not DONE.isdisjoint(words)


# One of each is in every alternative of CLAIMS.
CLAIMANTS = frozenset(("i", "my", "attached", "attachment", "searching", "browsing"))
DONE = frozenset((
    "attached", "attachment", "uploaded", "emailed", "mailed", "browsed", "googled", "downloaded", "searched",
    "looked", "checked", "visited", "opened", "sent", "read", "placed", "submitted", "booked", "ordered", "scheduled",
    "set", "search", "searching", "browsing", "research",
))  # fmt: skip


# The sets read here hold such claims only in letters and stories, where they belong; answers written with tools,
# and kept without the calls, are full of them.
imagined_access = Rule(
    "imagined_access",
    severity="high",
    meaning="an answer that claims to have browsed, sent, booked or attached something",
    detect=_claims_access,
    possible=Possible(_may_claim_access, CLAIMANTS | DONE),
    example=("I searched the web and found three good hotels for you.", ""),
)
