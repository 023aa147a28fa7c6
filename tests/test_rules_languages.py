"""Guards hold in every language: what is said again on purpose, doubled words, tasks about words and about spaces."""

from __future__ import annotations

import pytest

from hfclean.rules import RULES, find_defects, mend
from hfclean.rules.requests import COVERED, SAID_AGAIN, numbers_in
from hfclean.schema import Pair, Turn
from hfclean.text.request_language import is_english, language_of_request

BY_ID = {rule.id: rule for rule in RULES}


def after(pair: Pair) -> Pair:
    changes = mend(pair, RULES)
    return changes[-1].after if changes else pair


# language -> a request for a song, its refrain, the line after it, a request for lines ten times over, a sentence
SONGS = {
    "en": (
        "Write a song about the harbour.",
        "The boats come home, the boats come home,",
        "and nobody sleeps alone.",
        "Write this out ten times as a punishment.",
        "I must not throw paper planes while the teacher is reading to us.",
    ),
    "de": (
        "Dichte ein Lied über den Hafen.",
        "Die Boote kommen heim, sie kommen heim,",
        "und keiner schläft allein.",
        "Schreib den Satz zehnmal als Strafarbeit ab.",
        "Ich soll keine Papierflieger werfen, während die Lehrerin uns etwas vorliest.",
    ),
    "fr": (
        "Compose une chanson sur le port.",
        "Les bateaux rentrent, les bateaux rentrent,",
        "et personne ne dort seul.",
        "Recopie la phrase dix fois.",
        "Je ne dois pas lancer des avions en papier pendant que la maîtresse nous lit un texte.",
    ),
    "es": (
        "Escribe una canción sobre el puerto.",
        "Los barcos vuelven, los barcos vuelven,",
        "y nadie duerme solo.",
        "Copia la frase diez veces como castigo.",
        "No debo lanzar aviones de papel mientras la maestra nos está leyendo un cuento.",
    ),
    "it": (
        "Scrivi una canzone sul porto.",
        "Le barche tornano, le barche tornano,",
        "e nessuno dorme solo.",
        "Copia la frase dieci volte per punizione.",
        "Non devo lanciare aeroplani di carta mentre la maestra ci sta leggendo un racconto.",
    ),
    "pt": (
        "Escreva uma canção sobre o porto.",
        "Os barcos voltam, os barcos voltam,",
        "e ninguém dorme só.",
        "Copie a frase dez vezes de castigo.",
        "Não devo atirar aviões de papel enquanto a professora nos está a ler um conto.",
    ),
    "nl": (
        "Schrijf een liedje over de haven.",
        "De boten komen thuis, de boten komen thuis,",
        "en niemand slaapt alleen.",
        "Schrijf de zin tien keer over als strafwerk.",
        "Ik mag geen papieren vliegtuigjes gooien terwijl de juf ons aan het voorlezen is.",
    ),
    "da": (
        "Skriv en sang om havnen.",
        "Bådene kommer hjem, bådene kommer hjem,",
        "og ingen sover alene.",
        "Skriv sætningen ti gange som straf.",
        "Jeg må ikke kaste med papirflyvere, mens læreren læser op for os i klassen.",
    ),
    "pl": (
        "Napisz piosenkę o porcie.",
        "Łodzie wracają, łodzie wracają,",
        "i nikt nie śpi sam.",
        "Przepisz to zdanie dziesięć razy za karę.",
        "Nie wolno mi rzucać papierowymi samolotami, kiedy pani czyta nam opowiadanie.",
    ),
    "hu": (
        "Írj egy dalt a kikötőről.",
        "A hajók hazajönnek, a hajók hazajönnek,",
        "és senki sem alszik egyedül.",
        "Másold le a mondatot tízszer büntetésből.",
        "Nem szabad papírrepülőt dobálnom, amíg a tanárnő felolvas nekünk egy mesét.",
    ),
    "ro": (
        "Scrie un cântec despre port.",
        "Bărcile se întorc, bărcile se întorc,",
        "și nimeni nu doarme singur.",
        "Copiază propoziția de zece ori ca pedeapsă.",
        "Nu trebuie să arunc avioane de hârtie în timp ce doamna ne citește o poveste.",
    ),
    "tr": (
        "Liman hakkında bir şarkı yaz.",
        "Tekneler dönüyor, tekneler dönüyor,",
        "ve kimse yalnız uyumuyor.",
        "Cümleyi ceza olarak on kez yaz.",
        "Öğretmenimiz bize bir hikâye okurken kâğıttan uçaklar fırlatmamam gerekiyor.",
    ),
    "ru": (
        "Напиши песню о гавани.",
        "Лодки вернулись, лодки вернулись,",
        "и никто не спит один.",
        "Перепиши предложение десять раз в наказание.",
        "Мне нельзя бросать бумажные самолётики, пока учительница читает нам рассказ.",
    ),
    "zh": (
        "写一首关于港口的歌。",
        "船儿都已经回到了家，船儿都已经回到了家，灯火还在水面上亮着，",
        "没有人独自入睡。",
        "把这句话抄写十遍。",
        "老师给我们朗读课文的时候，我不应该在教室里扔纸飞机，也不应该和同桌说话。",
    ),
    "ja": (
        "港についての歌を書いてください。",
        "船がみんな帰ってくる、船がみんな帰ってくる、灯りが水に揺れている、",
        "だれもひとりで眠らない。",
        "この文を十回書いてください。",
        "先生が本を読んでいるあいだは、教室で紙飛行機を投げてはいけません、静かに聞きます。",
    ),
    "ko": (
        "항구에 관한 노래를 써 줘.",
        "배들이 모두 돌아오네, 배들이 모두 돌아오네,",
        "아무도 혼자 잠들지 않네.",
        "이 문장을 열 번 써.",
        "선생님이 우리에게 책을 읽어 주시는 동안에는 교실에서 종이비행기를 던지지 않겠습니다.",
    ),
    "ar": (
        "اكتب أغنية عن الميناء.",
        "القوارب تعود إلى بيتها، القوارب تعود إلى بيتها،",
        "ولا أحد ينام وحيدا.",
        "اكتب الجملة عشر مرات عقابا.",
        "لا يجوز لي أن أرمي طائرات الورق بينما تقرأ لنا المعلمة قصة في الصف.",
    ),
    "hi": (
        "बंदरगाह पर एक गीत लिखो।",
        "नावें घर लौट आती हैं, नावें घर लौट आती हैं,",
        "और कोई अकेला नहीं सोता।",
        "इस वाक्य को दस बार लिखो।",
        "जब अध्यापिका हमें कहानी पढ़कर सुना रही हों तब मुझे काग़ज़ के जहाज़ नहीं उड़ाने चाहिए।",
    ),
}


@pytest.mark.parametrize("language", SONGS)
@pytest.mark.parametrize("shape", ["aaab", "ababab", "abaaba"])
def test_a_refrain_stays_and_is_not_reported(language: str, shape: str) -> None:
    request, refrain, line = SONGS[language][:3]
    pair = Pair(request, "", "\n".join(refrain if letter == "a" else line for letter in shape))
    assert after(pair) == pair
    assert "repeated_text" not in find_defects(pair, RULES)


@pytest.mark.parametrize("language", SONGS)
def test_lines_that_were_asked_for_ten_times_stay(language: str) -> None:
    request, sentence = SONGS[language][3:]
    pair = Pair(request, "", "\n".join([sentence] * 10))
    assert after(pair) == pair
    assert "repeated_text" not in find_defects(pair, RULES)


@pytest.mark.parametrize("language", SONGS)
def test_a_song_asked_for_earlier_stays(language: str) -> None:
    request, refrain, line = SONGS[language][:3]
    earlier = (Turn("user", request), Turn("assistant", line))
    pair = Pair("Continue.", "", "\n".join([refrain] * 3 + [line]), earlier)
    assert after(pair) == pair


@pytest.mark.parametrize("language", SONGS)
def test_the_language_of_a_request_is_known(language: str) -> None:
    request, _, _, drill, _ = SONGS[language]
    assert language_of_request(request) in (language, "")
    assert language_of_request(drill) in (language, "")
    assert language in COVERED
    assert SAID_AGAIN.named_in(request)
    assert 10 in numbers_in(drill)


# A loop that must go: the same sentence over and over, and nobody asked for it.
QUESTIONS = {
    "en": "Why are harbours important?",
    "de": "Warum sind Häfen wichtig?",
    "es": "¿Por qué son importantes los puertos?",
    "ru": "Почему гавани важны для городов?",
    "zh": "为什么港口很重要？",
}


@pytest.mark.parametrize("language", QUESTIONS)
def test_a_loop_still_goes(language: str) -> None:
    sentence = SONGS[language][4]
    pair = Pair(QUESTIONS[language], "", "\n".join([sentence] * 6))
    assert after(pair).response == sentence


LEFT_ALONE = [
    # languages without a list: reported, not repaired
    (
        "Kirjoita lause kymmenen kertaa.",
        "En saa heittää paperilennokkeja, kun opettaja lukee meille ääneen tarinaa.",
        10,
    ),
    (
        "Tulis kalimat itu sepuluh kali.",
        "Saya tidak boleh melempar pesawat kertas ketika guru sedang membaca cerita.",
        10,
    ),
    ("Rašyk.", "Man negalima mėtyti popierinių lėktuvėlių, kai mokytoja mums skaito pasaką.", 10),
    # the count that was asked for
    ("Give me 7 of them.", "I must not throw paper planes while the teacher is reading to all of us.", 7),
    ("Give me seven of them.", "I must not throw paper planes while the teacher is reading to all of us.", 7),
    # nothing but the one line, where words are to be said
    ("Say what the teacher wants to hear.", "I must not throw paper planes while the teacher reads.", 5),
    ("What did Anna type into the box?", "I must not throw paper planes while the teacher reads.", 5),
    # the same said of each item
    ("Who won each week?", "The team from the old town by the canal won the game again that week.", 3),
    ("Wer hat jede Woche gewonnen?", "Die Mannschaft aus der alten Stadt am Kanal hat das Spiel wieder gewonnen.", 3),
    ("Who won? And who won then? And then?", "The team from the old town by the canal won the game that week.", 3),
    # pages to be filled, machines that stammer, exercises
    ("Fülle die Seite mit diesem Satz.", "Die Lampen am alten Kanal brennen wieder, sobald der Abend kommt.", 9),
    (
        "Remplis la page avec cette phrase.",
        "Les lampes du vieux canal se rallument quand le soir tombe sur la ville.",
        9,
    ),
    ("Act as a machine that fails.", "The lamps along the old canal are lit again when the evening falls.", 4),
    ("Produce messages for the console.", "The lamps along the old canal are lit again when the evening falls.", 4),
    # speakers, quotations, stories
    ("Show how the two talk past each other.", "Anna: I did not hear what you said to me about the boat.", 4),
    ("Show how the two talk past each other.", '"I did not hear what you said to me about the boat," she said.', 4),
    ("Tell me a story about a stubborn king.", "And the king said no, as he had said on every day before.", 3),
    # an excerpt of code, a table, a form
    ("Show the log.", "2026-01-01 12:00 worker=3 retry the connection to the server again", 5),
    ("Make a form.", "Name of the applicant and of the firm ________________________________", 3),
]


@pytest.mark.parametrize(("request_", "line", "times"), LEFT_ALONE)
def test_what_may_be_meant_is_left_alone(request_: str, line: str, times: int) -> None:
    pair = Pair(request_, "", "\n".join([line] * times))
    assert after(pair) == pair


def test_a_step_that_comes_again_in_a_plan_stays() -> None:
    steps = [
        "Warm up for a while.",
        *["Do ten push-ups and then rest for one minute."] * 3,
        "Stretch your arms and legs.",
    ]
    pair = Pair("Give me a short workout.", "", "\n".join(steps))
    assert after(pair) == pair


def test_verse_is_left_alone_though_nobody_said_song() -> None:
    lines = ["Come down to the water with me tonight,", "the lamps are low and the moon is bright,"]
    pair = Pair("Give me something for the campfire.", "", "\n".join([lines[0], lines[0], lines[0], lines[1]]))
    assert after(pair) == pair


def test_verse_in_an_unknown_language_is_not_even_reported() -> None:
    lines = ["Laivat palaavat kotiin, palaavat kotiin,", "eikä kukaan nuku yksin,", "valot loistavat vedessä,"]
    pair = Pair("Tee minulle jotain kaunista.", "", "\n".join([lines[0], lines[1], lines[0], lines[2], lines[0]]))
    assert find_defects(pair, RULES) == []


def test_what_the_input_asks_for_counts_too() -> None:
    pair = Pair("Do what it says.", "Write the line twelve times.", "\n".join([SONGS["en"][4]] * 11))
    assert after(pair) == pair


# ---------------------------------------------------------------------------------------------------- doubled words

GRAMMATICAL = [
    ("hu", "Mondd el.", "Ez a a legfontosabb betű, az a a szó elején áll."),
    ("hu", "Say it in Hungarian.", "Nem tudom, hogy a a betű mire való ebben a szóban."),
    ("de", "Schreib weiter.", "Sie schaute ihn an an jenem Tag, als das Boot kam."),
    ("nl", "Schrijf verder.", "Hij weet niet of of en of en samen gaan, an an."),
    ("da", "Skriv videre.", "Det er for for tidligt at at sige noget om det, by by."),
    ("fr", "Continue.", "Tu as as de pique et il y a a priori deux cartes."),
    ("pt", "Continue a frase.", "Ela foi a a praia com as as amigas, e eu fui for for."),
    ("pl", "Powiedz to.", "Co to to za łódź, gdyby by to wiedział?"),
    ("ro", "Spune.", "A fost a a lui carte de la început."),
    ("tr", "Anlat.", "O da da gelmiş, an an bekledik limanda."),
    ("it", "Racconta.", "Vado a a casa con la barca di mio zio."),
    ("es", "Cuenta.", "Voy a a Cádiz con la barca de mi tío, as as."),
    ("cy", "Say it in Welsh.", "Mae hi a a fo yn mynd i Fangor."),
]


@pytest.mark.parametrize(("language", "request_", "text"), GRAMMATICAL)
def test_pairs_of_other_languages_are_no_slips(language: str, request_: str, text: str) -> None:
    pair = Pair(request_, "", text)
    assert BY_ID["doubled_word"].detect(pair) is False, language
    assert after(pair) == pair


FOREIGN_IN_ENGLISH = [
    "In English it is the important thing; in Hungarian: az a a fontos, and that is all.",
    "The line is: ez a a ház, which means that this is the house by the sea.",
    "They say co to to jest when they do not know what the thing in front of them is.",
]


@pytest.mark.parametrize("text", FOREIGN_IN_ENGLISH)
def test_a_quotation_in_english_text_stays(text: str) -> None:
    assert after(Pair("What does it mean?", "", text)).response == text


ALLOWED = [
    "The shop that I went to to buy the rope was closed on that day.",
    "What she asked for for her birthday was a boat, and we had none.",
    "It is the place which they looked at at noon from the bridge.",
    "He is regarded as as good a sailor as there is in the town.",
    'She whispered, "I saw the the light," and he was pale when he heard it.',
    "The word the the stands there twice, and this is what you see.",
    "You can take vitamin a a day after the meal if you want to.",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_pairs_that_english_allows_are_not_changed(text: str) -> None:
    assert after(Pair("Tell me something.", "", text)).response == text


SLIPS = [
    ("She gave a a talk to the club.", "She gave a talk to the club."),
    ("This fjord is an arm of of the sea.", "This fjord is an arm of the sea."),
    ("This is the end and and the beginning of it.", "This is the end and the beginning of it."),
    ("They have access to to the data on this server.", "They have access to the data on this server."),
    ("Look at their their boats when you are in the harbour.", "Look at their boats when you are in the harbour."),
]


@pytest.mark.parametrize(("text", "single"), SLIPS)
def test_slips_in_english_still_go(text: str, single: str) -> None:
    assert after(Pair("Tell me something.", "", text)).response == single


def test_a_slip_is_left_where_the_instruction_is_in_another_language() -> None:
    pair = Pair("Schreibe den Satz so ab, wie er ist.", "", "It lies in the the north of the country.")
    assert after(pair) == pair


def test_english_is_told_by_its_small_words() -> None:
    assert is_english("They went from the harbour to the town.")
    assert not is_english("Az a a fontos, hogy itt vagy.")
    assert not is_english("Det er for tidligt at sige.")
    assert not is_english("лодки")
    assert not is_english("")


# ------------------------------------------------------------------------------------------ tasks about words, spaces

NOTHING_IS_THE_MATTER = [
    ("Was bedeutet das Wort?", "nichts"),
    ("Was bedeutet das Wort?", "keine"),
    ("Übersetze ins Englische.", "keine"),
    ("Traduce la palabra al inglés.", "nada"),
    ("Traduis le mot en anglais.", "aucun"),
    ("Traduci la parola in inglese.", "nessun input"),
    ("Qual é o significado da palavra?", "nada"),
    ("Vertaal het woord.", "none"),
    ("Oversæt ordet til engelsk.", "none"),
    ("Przetłumacz słowo.", "null"),
    ("Fordítsd le a szót.", "null"),
    ("Tradu cuvântul.", "nimic"),
    ("Kelimeyi çevir.", "none"),
    ("Переведи слово на русский.", "none"),
    ("この単語を訳してください。", "none"),
    ("이 단어를 번역해 주세요.", "none"),
    ("ترجم الكلمة.", "none"),
    ("इस शब्द का अनुवाद करो।", "none"),
    ("Welches Satzzeichen ist das?", "-"),
    ("Quel est ce signe de ponctuation ?", "..."),
    ("Translate the phrase.", "sin entrada"),
    ("Käännä tämä.", "none"),
]


@pytest.mark.parametrize(("request_", "given"), NOTHING_IS_THE_MATTER)
def test_a_word_that_is_the_matter_stays(request_: str, given: str) -> None:
    assert after(Pair(request_, given, "Fine.")).input == given


@pytest.mark.parametrize(
    ("request_", "given"),
    [("Nenne eine Frucht.", "keine"), ("Nomme un fruit.", "Aucune entrée"), ("Nombra una fruta.", "<noinput>")],
)
def test_a_placeholder_still_goes(request_: str, given: str) -> None:
    assert after(Pair(request_, given, "Fine.")).input == ""


ABOUT_SPACES = [
    "Entferne die überflüssigen Leerzeichen.",
    "Supprime les espaces en trop.",
    "Quita los espacios de más.",
    "Togli gli spazi doppi.",
    "Remova os espaços a mais.",
    "Haal de dubbele spaties weg.",
    "Fjern de ekstra mellemrum.",
    "Usuń zbędne spacje.",
    "Töröld a fölösleges szóközöket.",
    "Elimină spațiile în plus.",
    "Fazla boşlukları sil.",
    "Убери лишние пробелы.",
    "删除多余的空格。",
    "余分なスペースを消してください。",
    "불필요한 공백을 지워 줘.",
    "احذف المسافات الزائدة.",
    "फ़ालतू रिक्त स्थान हटाओ।",
    "Poista ylimääräiset välilyönnit.",
]


@pytest.mark.parametrize("request_", ABOUT_SPACES)
def test_spaces_that_are_the_matter_stay(request_: str) -> None:
    pair = Pair(request_, "The boat  is old and it   lies in the  harbour of the town.", "The boat is old.")
    assert after(pair) == pair


@pytest.mark.parametrize(
    "request_",
    [
        "Übersetze den Satz.",
        "Traduis ceci.",
        "Traduce esto.",
        "Переведи это.",
        "翻訳してください。",
        "Vertaal dit nu.",
    ],
)
def test_an_echo_is_no_defect_where_the_words_are_to_be_used(request_: str) -> None:
    pair = Pair(request_, "", f"{request_}\n\nTranslate this.")
    assert after(pair) == pair


# ---------------------------------------------------------------------------------------- disclaimers and next tasks

REFUSALS = [
    "As an AI language model, I cannot order food for you.",
    "As an AI, I don't have opinions, but I can list some facts.",
    "I'm sorry, but as an AI assistant, I am unable to see the picture.",
    "As an AI, I can only write text. Here is a description.",
    "The price is high. As an AI assistant, I won't say more about it.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_not_merely_shortened(text: str) -> None:
    pair = Pair("Order a pizza.", "", text)
    assert after(pair) == pair
    assert "ai_boilerplate" in find_defects(pair, RULES)


def test_a_disclaimer_is_cut_whole_or_not_at_all() -> None:
    once = "As an AI assistant, I suggest the ferry. It leaves at noon."
    assert after(Pair("How do I get there?", "", once)).response == "I suggest the ferry. It leaves at noon."
    twice = f"{once} I am an AI and enjoy such questions."
    assert after(Pair("How do I get there?", "", twice)).response == twice


def test_a_disclaimer_stays_where_the_instruction_is_in_a_language_without_guards() -> None:
    pair = Pair("Erzähle eine Geschichte von einem Roboter.", "", "As an AI, I love the rain.")
    assert after(pair) == pair


NEXT = "\n9. Instruction: Name a town.\n9. Input:\n<noinput>\n9. Output:\nGraz"


@pytest.mark.parametrize("between", ["", "\n###", "\n#", "\n\n##\n\n#\n", "\n---", "\n===\n", " ###", "\n-"])
def test_what_parts_two_tasks_goes_with_the_second(between: str) -> None:
    assert after(Pair("Name a fish.", "", f"A trout.{between}{NEXT}")).response == "A trout."


@pytest.mark.parametrize(
    "kept",
    ["A trout.\n111", "A trout.\nTask 2", "A trout.\n### Task 2:", "A trout. #", "42", "Here they are:", "1.", "#"],
)
def test_a_cut_that_cannot_be_clean_is_not_made(kept: str) -> None:
    pair = Pair("Name a fish.", "", kept + NEXT)
    assert after(pair) == pair
    assert "next_task" in find_defects(pair, RULES)


@pytest.mark.parametrize(
    "request_",
    [
        "Write three tasks with input and output.",
        "Erstelle drei Aufgaben mit Lösung.",
        "Crée trois exercices.",
        "Crea tres tareas.",
        "写三个任务。",
        "Придумай три задания.",
    ],
)
def test_a_series_that_was_asked_for_stays(request_: str) -> None:
    pair = Pair(request_, "", f"Gladly.{NEXT}")
    assert after(pair) == pair
    assert find_defects(pair, RULES) == []


def test_a_series_that_begins_with_one_is_not_cut() -> None:
    pair = Pair("Go on.", "", f"Gladly.{NEXT.replace('9.', '1.')}")
    assert after(pair) == pair
