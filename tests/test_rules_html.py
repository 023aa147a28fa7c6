"""Tags and entities: what a page left behind goes; comparisons, answers in tags and tags spoken of stay."""

from __future__ import annotations

import pytest

from hfclean.rules import RULES, WATCHED, find_defects, mend, take_glance
from hfclean.rules.html import html_remnants
from hfclean.rules.rule import glanced_defects
from hfclean.rules.scrape import scrape_remnants
from hfclean.schema import Pair
from hfclean.scorers.indicators import read

ASKED = "Tell me something."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("It is <b>warm</b> today.", "It is warm today."),
        ("Es ist <strong>warm</strong> und <em>hell</em>.", "Es ist warm und hell."),
        ("今天<b>很热</b>。", "今天很热。"),
        ("One.<p>Two.", "One.\n\nTwo."),
        ("<p align=center>One.</p>", "One."),
        ("one <br> Two", "one\nTwo"),
        ("He said &quot;no&quot;.", 'He said "no".'),
        ("It costs 5 &euro;.", "It costs 5 €."),
        ("Caf&eacute; &amp; bar", "Café & bar"),
    ],
)
def test_what_a_page_left_is_repaired(before: str, after: str) -> None:
    assert html_remnants.repair is not None
    assert html_remnants.repair(Pair(ASKED, "", before)).response == after


HEALTHY = [
    # comparisons and types
    "Since a<b and b>c, b is the largest.",
    "Aus i<u und u>p folgt nichts.",
    "If x<i or i>y, then stop; so s<u and u>v.",
    "We know i<u>3 and a<b>c.",
    "for x <b and c> d",
    "List<a> and vector<i> are types, as is Map<String, List<b>>.",
    # spoken of
    "Put it between <strong> and </strong>.",
    "Setze <b> vor das Wort und </b> dahinter.",
    "Mettez <b> avant le mot et </b> après.",
    "Usa <em> y </em> para eso.",
    "<b> e </b> rendono il testo scuro.",
    "Coloque <u> antes e </u> depois.",
    "Gebruik <i> en </i> daarvoor.",
    "Brug <b> og </b> til det.",
    "Użyj <b> oraz </b>, proszę.",
    "Tedd a szót <b> és </b> közé.",
    "Folosește <b> și </b> aici.",
    "Kelimeyi <b> ve </b> arasına yaz.",
    "Поставьте <b> перед словом и </b> после него.",
    "使用<b>和</b>可以加粗。",
    "<strong> と </strong> で囲みます。",
    "<b>와 </b> 사이에 씁니다.",
    "ضع الكلمة بين <b> و </b> هنا.",
    "शब्द को <b> और </b> के बीच रखें।",
    "Der <em>-Tag und der <b>-Tag.",
    "They are <b>, <i> and <u>.",
    "Use <br> to break a line.",
    "<em>…</em> gives stress, <b></b> weight.",
    "Das Zeichen & schreibt man &amp;.",
    'Man schreibt "&auml;" für ä.',
    # grounding
    "<p>a cat</p><box>(1,2),(3,4)</box>",
    "<ref>the dog</ref><box>[[1, 2]]</box> <p>here</p>",
    "A cat <loc_12><loc_40> and <p>a dog</p>.",
    "<|image_1|> shows <p>a cat</p>.",
]


@pytest.mark.parametrize("text", HEALTHY)
def test_what_is_no_layout_stays(text: str) -> None:
    for pair in (Pair(ASKED, "", text), Pair(text, "", "Yes, it is.")):
        assert not html_remnants.detect(pair)
        assert mend(pair, RULES) == []


@pytest.mark.parametrize(
    "pair",
    [
        Pair("Make the key words bold.", "", "Water is <b>wet</b>."),
        Pair("Unterstreiche das Verb.", "Der Hund bellt laut.", "Hier: Der Hund <u>bellt</u> laut."),
        Pair("Mets le verbe en gras.", "", "Le chien <b>aboie</b> fort."),
        Pair("Pon el verbo en negrita.", "", "El perro <b>ladra</b> mucho."),
        Pair("Sottolinea il verbo.", "", "Il cane <u>abbaia</u> forte."),
        Pair("Sublinhe o verbo.", "", "O cão <u>ladra</u> muito."),
        Pair("Maak het werkwoord vetgedrukt.", "", "De hond <b>blaft</b> hard."),
        Pair("Podkreśl czasownik.", "", "Pies <u>szczeka</u> głośno."),
        Pair("Legyen félkövér az ige.", "", "A kutya <b>ugat</b> most."),
        Pair("Fiilin altını çiz.", "", "Köpek <u>havlıyor</u> şimdi."),
        Pair("Выдели глагол жирным.", "", "Собака <b>лает</b> громко."),
        Pair("把动词加粗。", "", "狗在<b>叫</b>。"),
        Pair("動詞を太字にしてください。", "", "犬が<b>吠える</b>。"),
        Pair("동사를 굵게 표시하세요.", "", "개가 <b>짖는다</b>."),
        Pair("ضع خط تحت الفعل.", "", "الكلب <u>ينبح</u> الآن."),
        Pair("क्रिया को बोल्ड करें।", "", "कुत्ता <b>भौंकता</b> है।"),
        # by structure, whatever the language
        Pair("Find it.", "The dog barks.", "The dog <b>barks</b>."),
        Pair("Haz lo tuyo con la frase: El perro ladra.", "", "El perro <i>ladra</i>."),
        Pair("Use <mark>, <b> or nothing.", "", "The dog <b>barks</b> loudly."),
    ],
)
def test_tags_that_are_the_answer_stay(pair: Pair) -> None:
    assert mend(pair, RULES) == []
    assert not html_remnants.detect(pair)


# --------------------------------------------------------------------------------------------------------- chat pages


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Try this:\n\npythonCopy code\nprint(1)", "Try this:\n\npython\nprint(1)"),
        ("Try this:\n\nbash\nCopy code\nls", "Try this:\n\nbash\nls"),
        ("Versuche:\n\nrust\nCode kopieren\nlet x = 1;", "Versuche:\n\nrust\nlet x = 1;"),
        ("试试：\n\npython\n复制代码\nprint(1)", "试试：\n\npython\nprint(1)"),
        ("Try this:\n\n```python\nCopy code\nprint(1)\n```", "Try this:\n\n```python\nprint(1)\n```"),
        ("Try this:\n\nCopy code\n```\nls\n```", "Try this:\n\n```\nls\n```"),
        ("It is warm.\n\nRegenerate response", "It is warm."),
    ],
)
def test_a_button_that_is_certain_goes(before: str, after: str) -> None:
    pair = Pair(ASKED, "", before)
    assert find_defects(pair, [scrape_remnants]) == ["scrape_remnants"]
    assert mend(pair, [scrape_remnants])[-1].after.response == after
    assert mend(Pair(ASKED, "", after), [scrape_remnants]) == []


@pytest.mark.parametrize(
    "text",
    [
        "Copy code",
        "Some words\nCopy code",
        "python\nCopy code\nx = 1\n\nMore:\nCopy code",
        "1 / 2\n\nHello there, friend.",
        "ChatGPT\n1 / 3\nHello there.",
        "It is warm.\n2 / 2",
        "Share Prompt\nHello there.",
        "Model: Default (GPT-3.5)\nHello there.",
        "Hello there.\nSave & Submit\nCancel",
        'Hello.\n<div class="flex items-center"><span>python</span><button class="ml-auto">Copy code</button></div>',
        '<div class="markdown prose w-full"><p>Hello there.</p></div>',
        "<button><svg><path d='M1'></path></svg>Copy code</button>",
        "You said:\nHello there.",
    ],
)
def test_what_is_less_certain_is_reported_and_left(text: str) -> None:
    pair = Pair(ASKED, "", text)
    assert scrape_remnants.detect(pair)
    assert mend(pair, RULES) == []


@pytest.mark.parametrize(
    "pair",
    [
        Pair("Which label fits a button that copies code?", "", "Copy code"),
        Pair("Write a chat page in HTML.", "", '<div class="flex"><button>Copy code</button></div>'),
        Pair("Translate into English: Code kopieren", "", "Copy code"),
        Pair("How do I copy?", "", "Press Copy code to copy it, or Regenerate response to try again."),
        Pair("What is one half?", "", "1 / 2"),
        Pair("What is one half?", "", "It is:\n\n1 / 2"),
        Pair("Add them.", "", "1 / 4 + 1 / 4 = 1 / 2"),
        Pair("Who made it?", "", "ChatGPT was made by OpenAI."),
    ],
)
def test_a_row_about_it_is_no_scrape(pair: Pair) -> None:
    assert not scrape_remnants.detect(pair)
    assert mend(pair, [scrape_remnants]) == []


BUTTONS = (
    "Copy code", "Code kopieren", "Copier le code", "Copiar código", "Copia codice", "Code kopiëren", "Kopier kode",
    "Kopiera kod", "Kopiuj kod", "Копировать код", "Kodu kopyala", "复制代码", "複製程式碼", "コードをコピーする",
    "코드 복사", "نسخ الكود",
)  # fmt: skip
LINES = (
    *BUTTONS, *(f"python{button}" for button in BUTTONS), "Regenerate response", "Stop generating",
    "Continue generating", "Share Prompt", "Save & Submit", "Save &amp; Submit", "Model: Default (GPT-3.5)",
    "Model: GPT-4", "Upgrade to Plus", "ChatGPT said", "You said:", "Free Research Preview. It may be wrong.",
    "Send a message...", "This content may violate our content policy. Tell us.",
)  # fmt: skip


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("text", ["{}\nThen add salt to it.", "Boil the water first.\n{}\nThen add salt."])
def test_each_line_of_a_chat_page_is_found_and_no_glance_rules_it_out(line: str, text: str) -> None:
    pair = Pair("How is pasta made well by a beginner at home?", "", text.format(line))
    assert find_defects(pair, [scrape_remnants]) == ["scrape_remnants"]
    glance = take_glance(pair, read(pair), WATCHED)
    assert glance is None or glanced_defects(pair, [scrape_remnants], glance) == ["scrape_remnants"]
