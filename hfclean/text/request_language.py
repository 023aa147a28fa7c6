"""Which language a short request is in, as far as a rule must know: English beyond doubt, another, or unknown."""

from __future__ import annotations

import re

from hfclean.text.words import LETTERS_OR_CONTRACTION, word_set

# Words that no other language in Latin letters shares, at least not as a frequent word.
ENGLISH_ALONE = word_set(
    "the and with from that this which their your our they you were been would should could when what how "
    "there those it's its then into about because she them than who these not have had whose whom where while "
    "such other more most some any every each also only very through between before after during without my "
    "her him us if write describe explain give make list generate create tell find identify suggest summarize "
    "summarise rewrite provide classify calculate design answer why does did many much"
)
# Words that are English, and something else elsewhere.
ENGLISH_TOO = word_set(
    "a an as at by for of to in is was be or he we me no on his over will can are has but who it do so must i "
    "all am up out one name compose convert compare edit sort construct outline propose plan use need want "
    "like say said please continue translate choose select predict imagine come build add check read show "
    "state take think time good people are there was were two three four five six seven eight nine ten"
)
# Frequent words of others, and the first words of requests. What is English too counts for no one here.
OTHERS = {
    "de": "übersetze wiederhole sag sage dichte "
    "der die das und ist nicht ein eine einen einem einer mit für auf den dem sich von zu im auch wie als bei "
    "sind "
    "oder wird warum was welche welcher nenne schreib schreibe erkläre beschreibe gib ich wir sie er es aus nach zum "
    "zur "
    "sehr aber wenn über nenn erzähle erstelle mach mir du bitte wer kein keine liste finde vom unser",
    "fr": "traduis répète compose recopie récite "
    "le les des une est dans que qui avec pas sont cette ces vous nous aux être ou où et pourquoi quel quelle "
    "quels "
    "quelles elles ils leur leurs mais très par se ce donne donnez écris écrivez explique expliquez décris en de la "
    "un il "
    "elle au du ne sur pour mon ma mes je tu fais raconte nomme cite dis comment plus",
    "es": "traduce repite nombra copia "
    "el los las una por para con del que como más pero su sus esta este qué cómo también según muy fue porque "
    "sobre "
    "entre se al lo y está hay cuál cuáles dónde escribe explica describe dame haz di cuenta nombra en de la un es mi "
    "tu enumera genera crea quién",
    "it": "traduci ripeti "
    "il gli della che con sono non di una più nel dei delle alla questo anche si è perché quale quali scrivi "
    "descrivi "
    "spiega un la le al lo del da nella nelle nei dalla molto loro hanno fino e elenca dammi raccontami sulla sul per "
    "come mi dimmi chi crea un' uno",
    "pt": "traduza repita copie dez vezes frase "
    "os uma não são você mais da dos das em ao seu sua foi pelo pela também isso que para por com como se na "
    "nas nos "
    "até muito essa esse ou quando o de é e qual quais escreva explique descreva liste um dê conte sobre faça crie "
    "cite",
    "nl": "vertaal herhaal dit zeg "
    "het een en niet zijn voor ook maar naar deze wordt bij dat te er de waarom hoe welke schrijf geef noem leg "
    "beschrijf vertel maak wat over van met ik je mijn uit aan om zin",
    "da": "oversæt gentag "
    "og det er en et den som på til af med ikke jeg du vi han hun har kan skal vil fra om men eller hvad "
    "hvordan "
    "hvorfor skriv beskriv forklar giv nævn fortæl lav mig din der ett och att är inte jag hur vad varför skriva ge "
    "hva "
    "hvordan ikke også blev",
    "pl": "przetłumacz powtórz przepisz powiedz "
    "i w na z się nie to że jest jak ale lub oraz dla przez czy co dlaczego napisz opisz wyjaśnij podaj wymień "
    "opowiedz stwórz jaki jaka jakie o po od są być mi ten ta",
    "hu": "fordítsd ismételd másold mondd "
    "az és egy hogy nem van ez mint is de vagy meg csak már mi miért írj írd sorolj mondj magyarázd készíts adj "
    "milyen hogyan le el ha a mit ki",
    "ro": "tradu repetă copiază spune "
    "și şi în este nu de la cu pe un o că din care sunt mai pentru sau ce cum scrie descrie explică dă numește "
    "fă "
    "spune lista despre al ale ai să dintr",
    "tr": "çevir tekrarla anlat "
    "ve bir bu için ile da de ne nasıl neden yaz açıkla anlat ver listele söyle hakkında olan olarak çok daha "
    "gibi "
    "mi mı var bana şu oluştur",
    "sv": "och att det är som en på för med inte jag hur vad skriv ge om till av",
    "fi": "ja on ei se että kun mitä miten miksi kirjoita kerro anna ole",
    "cs": "a je se na že to jak proč napiš popiš vysvětli uveď co s v z",
    "id": "yang dan di untuk dengan adalah tulis jelaskan sebutkan apa bagaimana dari ini itu",
    "vi": "và là của một những các cho trong không hãy viết",
}
ENGLISH = ENGLISH_ALONE | ENGLISH_TOO
LOOK_UP: dict[str, tuple[str, ...]] = {}
for _language, _listed in OTHERS.items():
    for _word in set(_listed.split()) - ENGLISH_ALONE:
        LOOK_UP[_word] = (*LOOK_UP.get(_word, ()), _language)
SCRIPTS = (
    ("ja", re.compile("[぀-ヿ]")),
    ("ko", re.compile("[가-힣]")),
    ("zh", re.compile("[㐀-䶿一-鿿]")),
    ("ru", re.compile("[Ѐ-ӿ]")),
    ("ar", re.compile("[؀-ۿ]")),
    ("hi", re.compile("[ऀ-ॿ]")),
)
NOT_LATIN = re.compile("[^\x00-\u024f\u1e00-\u1eff\u2000-\u2bff]")
SAMPLE = 800
FULL_SCORE = 4


def language_of_request(text: str) -> str:
    """The code of the language of a request ("en", "de", "zh", ...), or "" where it is unknown."""
    text = text[:SAMPLE]
    if text.isascii():
        first, _, rest = text.partition(" ")
        if first.lower() in ENGLISH_ALONE and (" the " in rest or "a " in rest[:2] or " of " in rest or " a " in rest):
            return "en"  # most requests of most datasets
    else:
        for name, pattern in SCRIPTS:
            if 4 * len(pattern.findall(text)) > sum(map(str.isalpha, text)):
                return name
    scores: dict[str, int] = {}
    alone: set[str] = set()
    for word in set(LETTERS_OR_CONTRACTION.findall(text.lower())):
        if word in ENGLISH_ALONE:
            scores["en"] = scores.get("en", 0) + 2
            alone.add("en")
            continue
        if word in ENGLISH_TOO:
            scores["en"] = scores.get("en", 0) + 1
        names = LOOK_UP.get(word, ())
        for name in names:
            scores[name] = scores.get(name, 0) + 1
        if len(names) == 1 and word not in ENGLISH_TOO:
            alone.update(names)
        if not word.isascii() and not names:
            scores[""] = scores.get("", 0) + 1
    unknown = scores.pop("", 0)
    if not scores:
        return ""
    best = max(scores, key=lambda name: scores[name])
    if list(scores.values()).count(scores[best]) > 1 or (best == "en" and unknown >= scores["en"]):
        return ""
    # Words that several languages share tell nothing for sure.
    return best if best in alone or (best == "en" and not alone) else ""


def may_be_english(text: str) -> bool:
    """Whether nothing in a request speaks against English."""
    language = language_of_request(text)
    return language == "en" or (language == "" and text.isascii())


def is_english(text: str) -> bool:
    """Whether a stretch of text is English beyond doubt: enough of its small words, and few of any other language."""
    if not text.isascii() and NOT_LATIN.search(text):
        return False
    english = foreign = 0
    alone = False
    for word in set(LETTERS_OR_CONTRACTION.findall(text.lower())):
        if word in ENGLISH_ALONE:
            english += 2
            alone = True
        elif word in ENGLISH_TOO:
            english += 1
        elif word in LOOK_UP or not word.isascii():
            foreign += 1
    return alone and english >= FULL_SCORE and english > 2 * foreign
