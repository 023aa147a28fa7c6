"""The rule about HTML that was left in prose when a page was turned into text.

Most false tags are recognized by their form: an opener that nothing closes is a comparison, a type or
a word of the sentence; a pair whose text without tags is the input is the answer itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

from hfclean.rules.glance import has_mark
from hfclean.rules.markup_mentions import joins
from hfclean.rules.needed_words import found_in
from hfclean.rules.rule import Rule, asked_about, settled
from hfclean.schema import Pair
from hfclean.text import outside_protected, protected_spans

# Tags that only lay text out: without them the text says the same.
LAYOUT = r"(?:b|i|u|em|strong|span|font|small|big|center|p|div|br)"
OTHER = (
    r"(?:a(?=\s[^<>]{0,300}=|\s?>)|img|ul|ol|li|table|tbody|thead|tr|td|th|h[1-6]|hr|pre|code|"
    r"blockquote|dl|dt|dd|tt|cite|iframe|section)"
)
# A bare name is an attribute only where HTML has one: "a<b and b>c" compares.
ATTRIBUTES = (
    r"(?:\s+(?:nowrap|noshade|compact|reversed|hidden|controls|allowfullscreen|[\w:-]{1,30}\s?=\s?"
    r"(?:\"[^\"<>]{0,300}\"|'[^'<>]{0,300}'|[^\s\"'<>]{1,100}))){0,12}\s?/?"
)
TAG = re.compile(rf"<(?:/(?:{LAYOUT}|{OTHER})\s?|(?:{LAYOUT}|{OTHER}){ATTRIBUTES})>", re.IGNORECASE)
NAMED_TAG = re.compile(rf"<(/?)({LAYOUT}|{OTHER})(?:(?={ATTRIBUTES}>){ATTRIBUTES}|\s?)>", re.IGNORECASE)
OTHER_TAG = re.compile(rf"</?{OTHER}\b[^<>]{{0,300}}>", re.IGNORECASE)
ENTITY = re.compile(
    r"&(?:nbsp|amp|quot|apos|mdash|ndash|rsquo|lsquo|ldquo|rdquo|hellip|bull|middot|copy|reg|trade|deg|euro|pound|"
    r"laquo|raquo|times|eacute|egrave|agrave|aacute|oacute|iacute|uacute|ntilde|ccedil|auml|ouml|uuml|szlig|"
    r"lt|gt|#\d{2,6}|#[xX][0-9a-fA-F]{2,5});"
)
# Each is split at, never matched with the blanks before it: a search for those would be quadratic on a run of blanks.
BREAK = re.compile(r"<br\s?/?>[ \t]*\n?", re.IGNORECASE)
BLOCK = re.compile(rf"(?:<(?:/(?:p|div|center)\s?|(?:p|div|center){ATTRIBUTES})>\s*)+", re.IGNORECASE)
INLINE_NAME = r"(?:b|i|u|em|strong|span|font|small|big)"
INLINE = re.compile(rf"<(?:/{INLINE_NAME}\s?|{INLINE_NAME}{ATTRIBUTES})>", re.IGNORECASE)

ABOUT_HTML = re.compile(
    r"html|\bcss\b|\bxml\b|\bsvg\b|\bphp\b|\bjsp?x?\b|javascript|typescript|react|\bvue\b|angular|web ?pages?\b|"
    r"websites?\b|"
    r"web ?sites?|web develop|front-?end|markup|markdown|\btags?\b|\bcode\b|\bscript|\bprogram|snippet|\bentit(?:y|"
    r"ies)\b|"
    r"escap(?:e|ing)|\bformat\b|\bparse|\bdom\b|\bbrowser|\bjava\b|\bpython\b|\bregex|\bform\b|\bbutton|网页|"
    r"代码|标签|標籤|タグ|태그|тег|वेब|"
    r"line[- ]?breaks?\b|new ?lines?\b|non-?breaking|\bampersand|(?:less|greater)[- ]than sign|zeilenumbr|umbruch|"
    r"retour à la ligne|saut de ligne|insécable|salto de línea|\ba capo\b|quebra de linha|regeleinde|"
    r"linjeskift|sortörés|"
    r"nowej linii|linie nouă|satır sonu|yeni satır|перенос|换行|換行|"
    r"改行|줄\s?바꿈|سطر جديد|नई पंक्ति|telegram|\bslack\b|\banki\b|flash ?cards?\b|\bsubtitles?\b|\bsrt\b|"
    r"\bwiki(?:text)?\b|"
    r"wordpress|moodle|\bjira\b|confluence|"
    r"\bbalise|\betiqueta|\bmarcador|znacznik|auszeichn|quelltext|\bcódigo\b|\bcodice\b|\bkod[ue]?\b|\bкод",
    re.IGNORECASE,
)
# Requests for these get tags as the answer.
ASKS_FOR_STYLE = re.compile(
    r"\bbold|\bitalic|\bunderlin|\bhighlight|\bemphasi[sz]|\bstrike-?through|\bsuperscript|\bsubscript|"
    r"\bannotat|\bmark(?:ed|ing)? (?:up|all|each|every|the)\b|\bwrap\b|\bsurround|\benclose|"
    r"\bmarcad|\bmarcat|\bmarqué|gemarkeerd|\bmarkeret|\bmarkert|zaznacz|megjelöl|işaretl|отмечен|помечен|"
    r"标记|標記|マーク|표시|"
    r"\bfett|unterstr[ei]|kursiv|hervor(?:zu)?heb|hervorgehob|\bmarkier|auszeichn|"
    r"\bgras(?:se)?\b|soulign|italique|surlign|"
    r"negrit[ao]|subray|cursiv|resalt|grassett|sottoline|corsiv|evidenzi|sublinh|itálic|\bdestac|realç|"
    r"\bvet(?:gedrukt|te?)?\b|onderstre|cursief|\bmarkeer|\bfed(?:t|e|skrift)?\b|\bfet(?:t|stil)?\b|"
    r"understr[ye]|fremhæv|"
    r"uthev|framhäv|pogrub|podkreśl|kursyw|wyróżni|félkövér|aláhúz|dőlt|kiemel|îngroș|ingros|sublini|evidenți|"
    r"\bkalın|altını çiz|\bitalik|vurgula|tučn|podtrh|zvýrazn|lihavoi|alleviiv|έντον|υπογράμμισ|πλάγι|"
    r"жирн|подч[её]рк|курсив|выдел|напівжир|підкресл|in đậm|gạch chân|in nghiêng|\btebal\b|miring|garis bawah|"
    r"加粗|粗體|粗体|下划线|下劃線|底線|斜体|斜體|高亮|突出|强调|強調|标出|標出|标注|太字|下線|イタリック|"
    r"ハイライト|"
    r"굵|볼드|밑줄|기울임|이탤릭|강조|하이라이트|عريض|غامق|خط تحت|تحته خط|مائل|تمييز|تظليل|ميّز|ابرز|أبرز|"
    r"बोल्ड|मोटा|मोटे|रेखांकित|इटैलिक|तिरछ|हाइलाइट|מודגש|הדגש|קו תחתון|ตัวหนา|ตัวเอียง|ขีดเส้นใต้",
    re.IGNORECASE,
)
# An answer about markup, whatever was asked.
MARKUP_NAMED = re.compile(r"\bhtml\b|\bmarkup\b|\bampersand|\bescaped\b|\bentit(?:y|ies) (?:for|of)\b", re.IGNORECASE)
# Tags that say where something is in a picture; what stands around them is not a page.
GROUNDING = re.compile(
    r"</?(?:box|ref|delim|obj|object|quad|poly|grounding|phrase|bbox|point|points|region|seg|loc|det|"
    r"patch_index_\d+|"
    r"loc[_-]?\d+|bin_\d+|delimiter_of_multi_objects|image|img_\d+)\b[^<>]{0,60}>|<\|[a-z]|<\d{1,4}>",
    re.IGNORECASE,
)
# A closing tag that HTML does not have, or has for other things than layout: the text is XML, or another format.
FOREIGN = re.compile(
    rf"</(?!(?:{LAYOUT}|{OTHER}|s|sub|sup|del|ins|mark|strike|think|thought|html|body)\s?>)[A-Za-z][\w:.-]{{0,40}}>",
    re.IGNORECASE,
)
ALONE = re.compile(
    r"(?:(?<=[\s(\[\"'“”„«‘’])|^)&(?:amp|lt|gt|copy|reg|trade|[a-z]+(?:uml|acute|grave|lig|cedil|tilde)|"
    r"#x?[0-9a-f]+|nbsp|"
    r"euro|pound|times|deg|quot|apos|hellip|[mn]dash);(?=[\"'“”»’)\]]|[,.;:?](?:\s|$))",
    re.IGNORECASE | re.MULTILINE,
)
LONGEST_JOINT = 12
QUOTE_MARKS = frozenset(("&quot;", "&apos;", "&#39;", "&#34;", "&hellip;", "&nbsp;", "&deg;", "&euro;", "&pound;"))
# Buttons and boxes of a chat page: `scrape_remnants` reports them, and without its tags their text would stay.
CHAT_PAGE = re.compile(
    r"<(?:div|span|p)\s[^<>]{0,60}class=\"[^\"<>]{0,200}\b(?:flex|markdown|prose|rounded|text-)", re.I
)
# A text that is a program or a whole page, whoever asked for it.
IS_PROGRAM = re.compile(
    r"<(?:!doctype|html|head|body|script|style|template|form|input|button|svg|\?php|\?xml)\b|=>|\{\{|\bimport \w|"
    r"\bpublic \w|\bfunction\b ?\w*\(|</?T>|#include|-->|\[\[[^\[\]\n]{1,80}\]\]|\A\s*\{\s*\"|\A\s*\[\s*[\"{]",
    re.IGNORECASE,
)


@lru_cache(maxsize=64)  # a repair asks again
def _remnants(text: str) -> bool:
    """Whether a tag or an entity stands in the prose of a text that is not a program."""
    if not (("<" in text and TAG.search(text)) or ("&" in text and ENTITY.search(text))) or found_in(IS_PROGRAM, text):
        return False
    if "</" in text and FOREIGN.search(text):
        return False
    if "class=" in text and CHAT_PAGE.search(text):
        return False
    return any(TAG.search(part) or ENTITY.search(part) for part in _prose(text)) and not _speaks(text)


def _speaks(text: str) -> bool:
    """Whether a tag or an entity of the text is a word of its sentence, a comparison or a type, not layout."""
    return ("<" in text and (GROUNDING.search(text) is not None or _names_tags(text))) or (
        "&" in text and (any(_names_entity(text, match) for match in ALONE.finditer(text)) or _joins_entities(text))
    )


# An entity that is all of the text, one that would end it as a bare "&", letters that are not words, a space in words.
NAMED_ALONE = re.compile(
    r"\A\s*&#?\w{1,8};\s*\Z|\s&amp;\s*\Z|(?<=\s)&(?:[auo]uml|szlig|eacute|ntilde|ccedil|[aiu]acute);(?=\s)",
    re.IGNORECASE,
)
SPACE_ALONE = re.compile(r"\w &nbsp; [^\W\d_]")


def _joins_entities(text: str) -> bool:
    """Whether an entity is named by itself, or two are side by side: "&lt; or &gt;"."""
    if NAMED_ALONE.search(text) or (text.count("&nbsp;") == 1 and SPACE_ALONE.search(text)):
        return True
    last: re.Match[str] | None = None
    for match in ENTITY.finditer(text):
        if last is not None and match.start() - last.end() < LONGEST_JOINT and last.group() not in QUOTE_MARKS:
            between = text[last.end() : match.start()].removeprefix("amp;").strip()
            if between.isalpha() and joins(between):
                return True
        last = match
    return False


def _names_entity(text: str, match: re.Match[str]) -> bool:
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    if before in "([\"'“„«‘" and before and after in ")]\"'”“»’":
        return True
    # Words and prices end in some of them: "he said &quot;no&quot;." "5 &euro;."
    return match.group().lower() not in QUOTE_MARKS and before in " " and after in ",.;:?"


def _names_tags(text: str) -> bool:
    """Openers that nothing closes; pairs that hold only a joining word or stand like words of a sentence."""
    opened: list[re.Match[str]] = []
    for match in NAMED_TAG.finditer(text):
        closes, name = match[1] == "/", match[2].lower()
        if name == "br":
            if _is_word(text, match) and not _starts_sentence(text, match.end()):
                return True
            if text[match.start() - 1 : match.start()] > "\u2e7f" and text.lower().count("<br") == 1:
                before, after = text[match.start() - 1], text[match.end() : match.end() + 1]
                if before.isalpha() and after.isalpha() and after.lower() == after.upper():
                    return True  # in a script without blanks: "在行尾写<br>就可以换行"
            continue
        if not closes:
            opened.append(match)
            continue
        at = next((i for i in range(len(opened) - 1, -1, -1) if opened[i][2].lower() == name), None)
        if at is None:
            if _is_word(text, match):
                return True
            continue
        opener = opened.pop(at)
        between = text[opener.end() : match.start()]
        empty = "=" not in opener.group() and "\n" not in between and joins(between)
        if empty and between.isalpha() and between.lower() != between.upper():
            empty = False  # "<b>a</b>" sets a word of the sentence in bold, "<b> a </b>" names two tags
        if empty and (between.strip() or _is_word(text, opener) or name in INLINE_NAMES):
            return True
        if between[:1] in " -" and between[-1:] == " " and "\n" not in between and _is_word(text, opener):
            return True
        if between[:1] == " " == between[-1:] and between.lstrip()[:1].islower() and "\n" not in between:
            return True  # "<small> makes it small, and it ends with </small>"
        if between[:1] == "-" and between[1:2].isalpha():  # "das <b>-Tag"
            return True
    for match in opened:
        before = text[match.start() - 1 : match.start()]
        if match[2].lower() in OFTEN_OPEN:
            if len(opened) == 1 and (before.isalnum() or _is_word(text, match)):
                return True
            continue
        # "<p>" and "<div>" are often left open where a paragraph begins.
        if match[2].lower() in INLINE_NAMES or not (before in SENTENCE_END or before in ("", "\n")):
            return True
    return False


INLINE_NAMES = frozenset(("b", "i", "u", "em", "strong", "span", "font", "small", "big"))
OFTEN_OPEN = frozenset(("li", "tr", "td", "th", "dt", "dd", "hr", "img", "iframe", "tbody", "thead"))
SENTENCE_END = ".!?:;。！？>"


def _is_word(text: str, match: re.Match[str]) -> bool:
    """Whether the tag stands like a word: after a blank or a bracket, and before a blank, a comma or a stop."""
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    if not before or before not in " (\"'“„«‘":
        return False
    return after == "" or after in " ,.;:?!)-/\"'”“»’、，。"


def _starts_sentence(text: str, at: int) -> bool:
    rest = text[at : at + 3].lstrip()
    return rest[:1].isupper() or rest[:1].isdigit() or rest[:1] in "-*•<" or not rest


@lru_cache(maxsize=64)
def _is_styled(pair: Pair) -> bool:
    """Whether tags were asked for: by the words of the task, or because the answer is its text with tags."""
    if asked_about(ASKS_FOR_STYLE, pair.instruction) or _speaks(pair.instruction):
        return True
    if found_in(MARKUP_NAMED, pair.response[:2000]):
        return True
    if "<" in pair.input or "&" in pair.input:
        given = _bare(pair.input)
        if given and given == _bare(pair.response):
            return True  # to take the markup away, or to put it in, is the task
    if "<" not in pair.response:
        return False
    bare, given, asked = map(_bare, (pair.response, pair.input, pair.instruction))
    if bare and (bare == given or (len(bare) > 3 and bare in asked)):
        return True
    kept = sorted(INLINE.findall(pair.input)) if "<" in pair.input else []
    if kept and len(kept) % 2 == 0 and kept == sorted(INLINE.findall(pair.response)):
        return True  # a translation or an edit that keeps the tags of its text
    if TAG.search(pair.input) or TAG.search(pair.instruction):
        return False
    return any(
        len(line) > 9 and (line in given or line in asked)
        for line in (_bare(line) for line in pair.response.splitlines() if "<" in line and TAG.search(line))
    )


def _bare(text: str) -> str:
    plain = TAG.sub("", text)
    return "".join((unescape(plain) if "&" in plain else plain).split()).casefold()


def _prose(text: str) -> list[str]:
    parts, start = [], 0
    for begin, end in protected_spans(text):
        parts.append(text[start:begin])
        start = end
    return [*parts, text[start:]]


def _has_html(pair: Pair) -> bool:
    for text in (pair.instruction, pair.input, pair.response):
        if ("<" in text or "&" in text) and _remnants(text):
            return not (asked_about(ABOUT_HTML, pair.instruction) or _is_styled(pair))
    return False


def _without_html(pair: Pair) -> Pair:
    if asked_about(ABOUT_HTML, pair.instruction) or _is_styled(pair):
        return pair
    changed = {}
    for name in ("instruction", "input", "response"):
        text = getattr(pair, name)
        if ("<" in text or "&" in text) and _remnants(text):
            plain = settled(_plain, text)
            if plain != text and plain.strip():
                changed[name] = plain
    return pair.replace(**changed) if changed else pair


def _plain(text: str) -> str:
    # A link, a list or a table means more than its text: where one is left, people decide.
    if any(OTHER_TAG.search(part) for part in _prose(text)):
        return text
    spans = protected_spans(text)
    if not spans:
        return _plain_stretch(text)
    # A block tag beside code or a table would need to know what stands on the other side.
    return text if BLOCK.search(text) else outside_protected(text, _plain_stretch)


def _plain_stretch(text: str) -> str:
    if "<" in text and TAG.search(text):
        *lines, last = BREAK.split(text)
        text = "\n".join([*(line.rstrip(" \t") for line in lines), last])
        if BLOCK.search(text):
            text = "\n\n".join(part for part in map(str.strip, BLOCK.split(text)) if part)
        text = INLINE.sub("", text)
    for _ in range(3):  # "&amp;amp;" was escaped twice
        if "&" not in text:
            break
        text = ENTITY.sub(_character, text)
    return text


def _character(match: re.Match[str]) -> str:
    entity = match.group()
    character = unescape(entity)
    # "<" and ">" stay escaped: bare, they could turn text into tags.
    if character in "<>" or not (character.isprintable() or character == "\xa0"):
        return entity
    return " " if character == "\xa0" else character


html_remnants = Rule(
    "html_remnants",
    severity="medium",
    meaning="tags or entities of HTML left in prose",
    detect=_has_html,
    possible=has_mark("<&"),
    repair=_without_html,
    example=("Salt &amp; pepper.<br>Serve <b>warm</b>.", "Salt & pepper.\nServe warm."),
    scope="text",
    version=2,
)
