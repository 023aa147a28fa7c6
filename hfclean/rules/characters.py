"""Rules about single characters: broken Unicode, wrong decoding, control characters, invisible characters.

They run first and in this order: lone surrogates would stop every encoder; wrongly decoded text can hold control
characters that decoding again turns into letters; only what is left then is junk.
"""

from __future__ import annotations

import re

from hfclean.rules.glance import Glance, Possible, not_plain
from hfclean.rules.rule import Rule, asked_about, text_rule
from hfclean.schema import Pair
from hfclean.text import outside_protected, protected_spans

# A text that asks about characters shows them on purpose.
ABOUT_CHARACTERS = re.compile(
    r"zero[- ]width|soft hyphen|byte[- ]order mark|invisible char|control char|escape (?:sequence|code)|"
    r"non[- ]?printable|unprintable|replacement character|\bmojibake|\bu\+[0-9a-f]{4}|\bansi\b|\butf-?8\b|"
    r"\bunicode\b|"
    r"\bencoding|garbled|"
    r"编码|乱码|不可见|零宽|"
    # the same in other languages, and tasks about where a word may be parted
    r"hyphenat|syllable|silbe|trenn(?:e|st|en|t|ung|strich|zeichen)|geschützt|breite null|nullbreit|"
    r"traits? d.union|césure|"
    r"insécable|largeur nulle|coupure|syllab|gui[oó]n|silab|sílab|ancho cero|sillab|trattino|larghezza zero|hífen|"
    r"largura zero|koppelteken|lettergre|afbreek|afbrek|bindestreg|bindestrek|bindestreck|stavelse|orddeling|"
    r"dzieleni|"
    r"sylab|przenosz|elválaszt|szótag|kötőjel|despărț|cratim|hecele|heceler|перенос|слог|неразрывн|кодиров|encodage|"
    r"kodier|codific|кодир|文字化け|エンコード|ハイフン|断字|連字|连字|软连|音节|인코딩|하이픈|음절|ترميز|"
    r"واصلة|مقطع|"
    r"अक्षरांश|एन्कोड",
    re.IGNORECASE,
)


PLAIN_ASCII = bytes((ord("\n"), *range(32, 127)))


def _has_odd(text: str) -> bool:
    # One C loop instead of a search for each odd character: controls, format characters, surrogates and unassigned
    # code points all count as not printable; line feeds too, hence the replace. Of bytes it takes half the time.
    if text.isascii():
        return bool(text.encode().translate(None, PLAIN_ASCII))
    return not text.isprintable() and not text.replace("\n", "").isprintable()


# ----------------------------------------------------------------------------------------------------- broken_unicode

SURROGATES = re.compile("[\ud800-\udfff]+")
ESCAPED_BYTES = re.compile("[\udc80-\udcff]+")


def _is_broken(pair: Pair) -> bool:
    for text in (pair.instruction, pair.input, pair.response):
        if text.isascii():
            continue
        if _has_surrogates(text):
            return True
        if "\ufffd" in text and not ABOUT_CHARACTERS.search(text):
            return not asked_about(ABOUT_CHARACTERS, pair.instruction)
    return False


def _join_surrogates(pair: Pair) -> Pair:
    # A lone surrogate is not text in any language, and no file format stores it: code blocks are not spared.
    changed = {
        name: SURROGATES.sub(_joined, text)
        for name in ("instruction", "input", "response")
        if _has_surrogates(text := getattr(pair, name))
    }
    return pair.replace(**changed) if changed else pair


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _joined(match: re.Match[str]) -> str:
    found = match.group()
    if ESCAPED_BYTES.fullmatch(found):  # bytes that Python smuggled through with "surrogateescape"
        try:
            return found.encode("utf-8", "surrogateescape").decode("utf-8")
        except UnicodeDecodeError:
            pass
    # Pairs become the character they stand for, what is left over becomes U+FFFD.
    return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# No row of the sets read here has it: what was decoded as UTF-8 holds no surrogates. Texts from PDF, from Windows
# and from Python's "surrogateescape" do.
broken_unicode = Rule(
    "broken_unicode",
    severity="high",
    meaning="halves of surrogate pairs, or replacement characters where letters were lost",
    detect=_is_broken,
    repair=_join_surrogates,
    example=("Well done \ud83d\ude00!", "Well done \U0001f600!"),
    scope="text",
    version=2,
    possible=not_plain,
)


# ----------------------------------------------------------------------------------------------------------- mojibake


# A letter decoded wrongly becomes two or more that are not ASCII, or one of these before a space.
NO_ASCII = bytes(32 if code < 128 else code for code in range(256))  # blanks for all ASCII, to split UTF-8 at
SUSPECTS = frozenset((*map(chr, range(0x80, 0xA0)), *"ÂÃâà"))


LETTER_ALONE = re.compile("(?<![^\\s\"'“„«‘(])[ÂÃ](?![^\\s.,;:!?\"'”“»’)])")
# A text that explains what goes wrong shows it.
OF_DECODING = re.compile(
    r"\b(?:de|en)cod(?:ed?|ing)|\butf-?8\b|\blatin-?1\b|iso[- ]?8859|windows-?125\d|mojibake|kodier|\bencodag|"
    r"\bcodific|кодиров|文字化け|编码|編碼|인코딩",
    re.IGNORECASE,
)


def _is_mojibake(text: str) -> bool:
    if text.isascii():
        return False
    for run in text.encode("utf-8", "surrogatepass").translate(NO_ASCII).split():
        characters = run.decode("utf-8", "surrogatepass")
        if len(characters) > 1 or characters in SUSPECTS:
            return _decoded_again(text) != text
    return False


def _may_be_mojibake(pair: Pair, glance: Glance) -> bool:
    return not glance.ascii


def _decoded_again(text: str) -> str:
    from ftfy.badness import is_bad

    if not is_bad(text) or OF_DECODING.search(text) or ("\x9b" in text and SEQUENCE.search(text)):
        return text
    # "Ã" and "Â" by themselves are letters of Portuguese and Vietnamese as well.
    alone = LETTER_ALONE.sub("", text)
    return outside_protected(text, _decode_stretch) if alone == text or is_bad(alone) else text


def _decode_stretch(text: str) -> str:
    if text.isascii():
        return text
    from ftfy import fix_encoding

    fixed = fix_encoding(text)
    # ftfy marks bytes that were lost on the way with U+FFFD; a guess that loses letters is left for people to see.
    return text if fixed.count("\ufffd") > text.count("\ufffd") else fixed


mojibake = text_rule(
    "mojibake",
    severity="high",
    meaning="letters that were decoded with the wrong encoding",
    detect=_is_mojibake,
    repair=_decoded_again,
    example=("The cafÃ© isnâ€™t open.", "The café isn’t open."),
    unless=ABOUT_CHARACTERS,
    version=2,
    possible=Possible(_may_be_mojibake),
)


# ------------------------------------------------------------------------------------------------- control_characters

# Terminal sequences. A string (a title, a link, a picture) runs to its terminator: BEL, ESC \\ or C1's ST.
STRING_START = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f](?=[\d;$+]))"
STRING = STRING_START + r"[^\x07\x1b\x9c\r\n]*+(?:\x07|\x1b\\|\x9c)"
SEQUENCE = re.compile(
    STRING
    + r"|(?:\x1b\[[0-?]{0,60}[ -/]{0,4}[@-~]|\x9b[\d;?]{1,60}[A-Za-z])"
    + r"|\x1b(?:[#%()*+./-][0-~]|[78=>]|[DEHMNOZcn](?![a-z]))"
)
# The rest of a cut sequence: nobody knows where its text begins.
BROKEN_SEQUENCE = re.compile(STRING_START + r"|\x1b(?!\s|\Z)")
CONTROL = re.compile(
    # noncharacters: 34 at the ends of planes and a block of 32
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr((plane << 16) + low) for plane in range(1, 17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
BREAKS = {"\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n\n"}
STARTS_SEQUENCE = re.compile("[\x1b\x90\x98\x9b\x9d-\x9f]")


def _has_controls(text: str) -> bool:
    return _has_odd(text) and CONTROL.search(text) is not None


def _without_controls(text: str) -> str:
    if STARTS_SEQUENCE.search(text):
        plain = _without_sequences(text)
        if plain is None:
            return text
        text = plain
    return outside_protected(text, lambda part: CONTROL.sub(lambda m: BREAKS.get(m.group(), ""), part))


def _without_sequences(text: str) -> str | None:
    """The text without its terminal sequences outside code; None when one of them breaks off, in code or out of it.

    Sequences go before anything else is looked at, since a link between two of them swallows the second.
    """
    code = [(begin, end) for begin, end in protected_spans(text) if text[begin] in "`~$\\|"]
    parts, start, protected = [], 0, 0
    for match in SEQUENCE.finditer(text):
        begin, end = match.span()
        while protected < len(code) and code[protected][1] <= begin:
            protected += 1
        if protected < len(code) and code[protected][0] < end:
            continue
        parts.append(text[start:begin])
        start = end
    rest = "".join([*parts, text[start:]])
    return None if any(not SEQUENCE.match(rest, m.start()) for m in BROKEN_SEQUENCE.finditer(rest)) else rest


control_characters = text_rule(
    "control_characters",
    severity="medium",
    meaning="control characters, terminal escape sequences or code points that are not characters",
    detect=_has_controls,
    repair=_without_controls,
    example=("\x1b[1mDone\x1b[0m\x07", "Done"),
    unless=ABOUT_CHARACTERS,
    version=2,
    possible=not_plain,
)


# ----------------------------------------------------------------------------------------------- invisible_characters

RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
# Scripts whose letters join or stack: (non-)joiners after one of their letters spell words.
JOINING = "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\u1b00-\u1c7f\ua8e0-\uaaff\ufb50-\ufdff\ufe70-\ufefc"
# Scripts without spaces between words: a zero-width space says where a line may break.
SPACELESS = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
EMOJI = "\u00a9\u00ae\u203c-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff"
# In any context: soft hyphens, word joiners, invisible operators, byte-order marks. Then, each with the
# neighbours that give it a meaning: zero-width space, non-joiner, joiner, Mongolian vowel separator.
NEEDLESS = re.compile(
    "[\u00ad\u2060-\u2064\u206a-\u206f\ufeff]"
    f"|(?<![{SPACELESS}])\u200b(?![{SPACELESS}])"
    f"|(?<![{JOINING}])\u200c"
    f"|(?<![{JOINING}{EMOJI}])\u200d|(?<![{JOINING}])\u200d(?![{EMOJI}])"
    "|(?<![\u1820-\u18aa])\u180e"
)
BIDI = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
# Tags spell the flags of regions after a black flag; anywhere else they smuggle invisible text.
FLAG_OR_TAG = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,10}\U000e007f)|[\U000e0000-\U000e007f]+")


def _has_invisible(text: str) -> bool:
    if text.isascii() or not _has_odd(text):
        return False
    if NEEDLESS.search(text) or (BIDI.search(text) and not RTL.search(text)):
        return True
    return any(match.group(1) is None for match in FLAG_OR_TAG.finditer(text))


def _without_invisible(text: str) -> str:
    left_to_right = not RTL.search(text)

    def clean(part: str) -> str:
        part = FLAG_OR_TAG.sub(r"\1", NEEDLESS.sub("", part))
        return BIDI.sub("", part) if left_to_right else part

    return outside_protected(text, clean)


invisible_characters = text_rule(
    "invisible_characters",
    severity="medium",
    meaning="characters without width that neither emoji nor any script needs (zero-width spaces, soft hyphens)",
    detect=_has_invisible,
    repair=_without_invisible,
    example=("in\u00adstruc\u00adtion\u200b", "instruction"),
    unless=ABOUT_CHARACTERS,
    version=2,
    possible=not_plain,
)
