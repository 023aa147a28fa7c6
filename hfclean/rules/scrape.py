"""The rule about pieces of a chat page (buttons, pagers, headers) that were copied together with the conversation."""

from __future__ import annotations

import re

from hfclean.rules.glance import Glance, Possible
from hfclean.rules.rule import Rule, asked_about
from hfclean.schema import Pair

COPY = (
    r"(?:Copy code|Code kopieren|Copier le code|Copiar código|Copia codice|Code kopiëren|Kopier kode|Kopiera kod|"
    r"Kopiuj kod|Копировать код|Kodu kopyala|复制代码|複製程式碼|コードをコピーする|코드 복사|نسخ الكود)"
)
LANGUAGE = (
    r"(?:python|java|javascript|js|typescript|ts|jsx|tsx|c|c\+\+|cpp|c#|csharp|go|golang|rust|ruby|php|perl|r|lua|"
    r"swift|kotlin|scala|dart|julia|matlab|haskell|elixir|clojure|bash|shell|sh|zsh|powershell|sql|mysql|html|"
    r"css|scss|"
    r"xml|json|yaml|yml|toml|ini|diff|makefile|dockerfile|latex|markdown|vbnet|vb|assembly|plaintext|solidity|scss|"
    r"graphql|objectivec|fsharp|groovy|less|csharp|arduino|verilog|fortran|cobol|pascal|lisp|scheme|vim|nginx|http)"
)
COPY_LINE = re.compile(rf"^[ \t]*(?:{LANGUAGE}[ \t]*)?{COPY}[ \t]*$", re.MULTILINE)
# Where the button is certain: under or right behind the name of the language, and over code.
BUTTON = re.compile(
    rf"^([ \t]*{LANGUAGE})(?:[ \t]*\n[ \t]*|[ \t]?){COPY}[ \t]*\n+(?=[ \t]*\S)", re.MULTILINE | re.IGNORECASE
)
GLUED = re.compile(rf"^[ \t]*{LANGUAGE}Copy code\b", re.MULTILINE)
OVER_FENCE = re.compile(rf"^[ \t]*{COPY}[ \t]*\n+(?=[ \t]*```)", re.MULTILINE)
IN_FENCE = re.compile(rf"(^[ \t]*```[\w+#-]*[ \t]*\n)[ \t]*{COPY}[ \t]*\n(?=[ \t]*\S)", re.MULTILINE)
LAST_BUTTON = re.compile(r"\n[ \t]*(?:Regenerate response|Stop generating|Continue generating)[ \t]*\s*\Z")
PAGE_LINE = re.compile(
    r"^[ \t]*(?:Regenerate response|Stop generating|Continue generating|Share Prompt|Save & Submit|"
    r"Save &amp; Submit|"
    r"Model: Default(?: \((?:Legacy )?GPT-[\d.]+\))?|Model: GPT-[\d.]+|Upgrade to Plus|"
    r"ChatGPT (?:said|can make mistakes)\b[^\n]{0,80}|You said:|Free Research Preview[^\n]{0,200}|"
    r"Was this response better or worse\?.{0,40}|"
    r"Send a message\.{0,3}|This content may violate our content policy\.[^\n]{0,200})[ \t]*$",
    re.MULTILINE,
)
HEADER = re.compile(
    r"\A\s*(?:ChatGPT|Share Prompt|User|You)[ \t]*\n\s*(?:ChatGPT|\d{1,2} / \d{1,2}|Share Prompt)?[ \t]*\n"
)
# The names over both turns.
SPEAKERS = re.compile(r"\A\s*(?:User|You|You said:|Anonymous)[ \t]*\n")
ANSWERS = re.compile(r"^(?:ChatGPT|ChatGPT said:)[ \t]*\n", re.MULTILINE)
# As a last line only after a sentence: after "It is" it would be a fraction.
PAGER = re.compile(
    r"\A\s*(?:< ?)?([1-9]\d?) / ([1-9]\d?)(?: ?>)?[ \t]*\n+[ \t]*[^\W\d_]"
    r"|[.!?。！？`)”\"][ \t]*\n\s*(?:< ?)?([1-9]\d?) / ([1-9]\d?)(?: ?>)?\s*\Z"
)
PAGE_HTML = re.compile(
    r"<button\b[^<>]{0,400}>(?:[^<>]{0,80}|<(?!/?button)[^<>]{0,2000}>){0,20}\s*"
    rf"(?:{COPY}|Copy|Regenerate response|Share)\s*</button>|"
    r"<svg\s[^<>]{0,80}stroke=\"currentColor\"|"
    r"<(?:div|span|p|pre|code)\s[^<>]{0,60}class=\"[^\"<>]{0,200}(?:\b|(?=!))(?:flex|markdown prose|prose|"
    r"rounded-md|text-token|"
    r"bg-black|items-center|hljs|overflow-y-auto|!?whitespace-pre-wrap|min-h-\[\d+px\])\b",
    re.IGNORECASE,
)
NUMBERS = re.compile(r"[=+×÷%]|\d\s?/\s?\d")
ABOUT_PAGES = re.compile(
    r"\bbuttons?\b|\buser interface|\b[ug]ui\b|\bhtml\b|\bcss\b|\btailwind|\bweb ?(?:page|site)|\bscrap|\bclipboard|"
    r"\breact\b|\bvue\b|copy code|regenerate|share prompt|save & submit|\bchatgpt\b|\btranslat|\bschaltfläche|"
    r"\bübersetz|\bbouton|\btradui|\bbotón|\btraduc|\bbotão|\btraduz|\bpulsante|\bknop\b|\bprzycisk|\bкнопк|"
    r"\bперевед|按钮|按鈕|翻译|翻譯|ボタン|翻訳|버튼|번역|\bfractions?\b|\bslides?\b|\bpages?\b|\bpager\b|"
    r"\bmenu\b|\blabels?\b|"
    r"\bhal(?:f|ves)\b|\bratios?\b|\bscored?\b|\bhälfte|\bmoitié|\bmitad|\bmetade|\bmetà\b|\bhelft\b|\bpołow|"
    r"половин|一半|半分",
    re.IGNORECASE,
)
SHORT = 40


def _hints(text: str) -> bool:
    # What one of the lines or the header needs; a chain of "in", not any(): this runs on many texts of many rows. One
    # character is found much faster than several.
    return (
        "opy code" in text
        or ("/" in text and " / " in text)
        or "ChatGPT" in text
        or ("enerat" in text and (" generating" in text or "Regenerate r" in text))
        or "Share Prompt" in text
        or ("&" in text and "Save &" in text)
        or (":" in text and ("Model: " in text or "You said:" in text))
        or ("U" in text and "Upgrade to" in text)
        or ("F" in text and "Free Res" in text)
        or "Send a mess" in text
        or ("W" in text and "Was this r" in text)
        or "This content may" in text
        or ("opi" in text and ("Copi" in text or "Kopi" in text or "kopi" in text))
        or "kopyala" in text
        or (not text.isascii() and any(hint in text for hint in ABROAD))
    )


ABROAD = ("Копировать", "复制代码", "複製程式碼", "コピーする", "코드 복사", "نسخ الكود")


def _found(text: str) -> bool:
    html = "<" in text
    if not html and len(text) > SHORT and "\n" not in text:
        return False  # a text of one line that is long holds none of the lines
    if _hints(text):
        if COPY_LINE.search(text) or PAGE_LINE.search(text) or ("opy code" in text and GLUED.search(text)):
            return True
        if "ChatGPT" in text and (HEADER.match(text) or (SPEAKERS.match(text) and ANSWERS.search(text))):
            return True
    if html and PAGE_HTML.search(text):
        return True
    return _pager(text) is not None


def _pager(text: str) -> re.Match[str] | None:
    """The line "1 / 2" that begins or ends a text which holds no other figures of that kind."""
    if " / " not in text or (match := PAGER.search(text)) is None:
        return None
    page, pages = int(match[1] or match[3]), int(match[2] or match[4])
    rest = text[match.end() - 1 :] if match[1] else text[: match.start()]
    return match if page <= pages > 1 and len(rest.split()) > 1 and not NUMBERS.search(rest) else None


def _has_scraps(pair: Pair) -> bool:
    return (_found(pair.response) or _found(pair.instruction)) and not _is_about(pair)


def _may_have_scraps(pair: Pair, glance: Glance) -> bool:
    marks = glance.marks
    if not SIGNS.isdisjoint(marks):
        return True
    if LINE_FEED not in marks and len(pair.response) > SHORT and len(pair.instruction) > SHORT:
        return False
    return not (LINE_WORDS.isdisjoint(glance.words) and LINE_WORDS.isdisjoint(glance.asked)) or (
        "ChatGPT" in pair.response or "ChatGPT" in pair.instruction
    )


SIGNS, LINE_FEED = frozenset(b"</"), ord("\n")
# One of these is in whatever COPY_LINE and PAGE_LINE match in a plain text, by itself: the language may be glued to
# the first word of the button.
LINE_WORDS = frozenset((
    "code", "kopieren", "código", "codice", "kopiëren", "kode", "kod", "kopyala", "regenerate", "generating", "share",
    "submit", "model", "upgrade", "chatgpt", "said", "preview", "message", "policy",
    "worse",
))  # fmt: skip


def _is_about(pair: Pair) -> bool:
    # A line of the instruction that is the button itself is not a mention of it.
    return asked_about(ABOUT_PAGES, PAGE_LINE.sub("", COPY_LINE.sub("", pair.instruction)))


def _without_scraps(pair: Pair) -> Pair:
    if _is_about(pair):
        return pair
    changed = {}
    for name in ("instruction", "response"):
        text = getattr(pair, name)
        if _found(text) and not PAGE_HTML.search(text):
            plain = _plain(text, name)
            if plain != text and plain.strip():
                changed[name] = plain
    return pair.replace(**changed) if changed else pair


def _plain(text: str, name: str) -> str:
    plain = IN_FENCE.sub(r"\1", OVER_FENCE.sub("", BUTTON.sub(r"\1\n", text)))
    last = LAST_BUTTON.search(plain) if name == "response" else None
    if last and plain[: last.start()].rstrip()[-1:] not in ":：,，;":  # "Press:\nRegenerate response" names it
        plain = plain[: last.start()].rstrip()
        if (pager := _pager(plain)) is not None:  # beside the button, certainly the number of the page
            begin, end = pager.span()
            plain = plain[end - 1 :].lstrip() if pager[1] else plain[: begin + 1].rstrip()
    # All buttons of a kind or none: one that stays shows that they are not buttons.
    return text if COPY_LINE.search(plain) or PAGE_LINE.search(plain) else plain


scrape_remnants = Rule(
    "scrape_remnants",
    severity="medium",
    meaning="buttons, pagers or headers of a chat page copied together with the text",
    detect=_has_scraps,
    possible=Possible(_may_have_scraps, LINE_WORDS),
    repair=_without_scraps,
    example=("Try this:\n\npython\nCopy code\nprint(1)", "Try this:\n\npython\nprint(1)"),
    scope="text",
)
