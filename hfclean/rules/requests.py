"""What an instruction asks for, in seventeen languages and more: word lists for the guards of several rules.

A guard that knows only English takes a German song for a loop. Each list below is a set of word beginnings or phrases;
scripts that write words without spaces or with prefixes (Chinese, Japanese, Korean, Arabic, Hindi) are searched for
anywhere, all others at the beginning of a word. One word too many loses a report, one too few harms a row.
"""

from __future__ import annotations

import re

from hfclean.rules.rule import asked_about
from hfclean.text.request_language import language_of_request

# Languages whose words stand in every list, and those whose words are searched for anywhere.
UNSPACED = frozenset(("en", "zh", "ja", "ko", "ar", "hi"))
COVERED = UNSPACED.union(("de", "fr", "es", "it", "pt", "nl", "da", "pl", "hu", "ro", "tr", "ru"))


class _Subject:
    """One subject of instructions, with its words in each language; patterns are built when they are first needed."""

    def __init__(self, begins: dict[str, str], anywhere: str = "") -> None:
        self.begins = begins
        self.anywhere = anywhere
        self.patterns: dict[str, re.Pattern[str]] = {}

    def _pattern(self, language: str) -> re.Pattern[str]:
        if language not in self.patterns:
            known = language in self.begins or language in UNSPACED
            names = dict.fromkeys((language, "en", "any")) if known else self.begins
            lists = [self.begins[name] for name in names if name in self.begins]
            starts = "|".join(text.replace(" / ", "|") for text in lists)
            parts = [rf"(?<![^\W_])(?:{starts})" if starts else "", self.anywhere]
            self.patterns[language] = re.compile("|".join(filter(None, parts)), re.IGNORECASE)
        return self.patterns[language]

    def named_in(self, text: str, language: str | None = None) -> bool:
        """Whether a text names the subject in its own language or in English; in any one where its own is unknown.

        `language` settles the question beforehand; "" stands for all.
        """
        if not text:
            return False
        if language is None:
            language = language_of_request(text)
        return asked_about(self._pattern(language), text)


# --------------------------------------------------------------------------------- text that is said again on purpose

# Songs and poems, repetition by request, drills, prayers, patterns, code, tables.
SAID_AGAIN = _Subject(
    {
        "en": r"songs?\b / lyrics? / chorus / poems?\b / poetry / poetic / verses?\b / rhym / raps?\b / rapper / "
        r"chants? / "
        r"mantra / jingle / refrain / ballad / sonnet / haiku / limerick / villanelle / pantoum / hip-?hop / repeat / "
        r"repetiti / pattern / loops?\b / data ?set / sample data / test data / bingo / crossword / word search / "
        r"code\b / "
        r"program\b / script\b / function\b / html\b / sql\b / table\b / spreadsheet / schedule\b / itinerary / "
        r"music / "
        r"melody / notes\b / times tables?\b / multiplication / sequence\b / drills?\b / tongue[- ]twister / "
        r"anaphora / "
        r"monkey\b / parrot / quiz\b / multiple[- ]choice / sing\b / sings\b / singing / sung\b / hymn / psalm / "
        r"carol\b / "
        r"carols\b / lullab / nursery / choir / cheerlead / prayer / litan / liturg / punish / detention / "
        r"blackboard / "
        r"chalkboard / dictation / echo / recite / recitation / over and over / again and again / twice\b / "
        r"thrice\b / "
        r"(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|fifty|hundred|thousand|"
        r"dozen|"
        r"several|many|multiple|few)(?: ?x\b|[ -](?:times|repetitions|copies)\b) / "
        r"same (?:line|sentence|word|phrase) / "
        r"stutter / spell\b / incantation / affirmation / after me\b / worksheet / handwriting / dialogue tree",
        "de": r"lied\b / lieder / liedes\b / liedtext / songtext / gedicht / strophe / kehrreim / kehrvers / reim / "
        r"vers\b / verse\b / verses\b / versen\b / sonett / hymne / schlaflied / wiegenlied / kinderlied / "
        r"weihnachtslied / volkslied / abzählreim / sprechgesang / sing(?:e|en|t|st)\b / gesang / litanei / gebet / "
        r"wiederhol / zungenbrecher / strafarbeit / nachsitzen / zur strafe / als strafe / aufsag / "
        r"sprich .{0,20}nach\b / "
        r"abschreib / schreib .{0,40}\bab\b / diktat / anapher / "
        r"(?:\d+|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|"
        r"zwölf|zwanzig|dreißig|fünfzig|hundert|mehr|viel|ein paar |etliche )[ -]?mal\b / tabelle / programm\b / "
        r"skript / "
        r"musik / melodie / muster\b / schleife / abfolge / einmaleins",
        "fr": r"chanson / chant / paroles / poème / poésie / poétique / vers\b / strophe / couplet / comptine / "
        r"berceuse / "
        r"rime / rimer / slam\b / sonnet / hymne / cantique / litanie / prière / répét / répèt / redi[st] / recopi / "
        r"copie / punition / virelangue / dictée / anaphore / (?<!une )fois\b / programme / tableau / musique / "
        r"partition / "
        r"mélodie / boucle / séquence / récite / en chœur / scande / slogan",
        "es": r"canci[oó]n / canta / cantar / cante\b / canto / letra\b / poema / poesía / verso / estrofa / "
        r"estribillo / "
        r"copla / nana\b / rima / soneto / himno / letanía / oración\b / rezo / repet / repit / copia / castigo / "
        r"trabalenguas / villancico / anáfora / veces\b / código / programa\b / tabla / música / melodía / patrón / "
        r"secuencia / bucle / dictado / coro\b / recita / balada",
        "it": r"canzon / cant[aoi] / cantare / cantilena / poesia / poema / vers[io]\b / strof / ritornello / "
        r"filastrocc / "
        r"ninna / rim[ae]\b / ballata / sonetto / inno\b / litania / preghiera / ripet / copia / punizione / "
        r"castigo / "
        r"scioglilingua / anafora / volte\b / codice / programma\b / tabell / musica / melodia / ciclo / sequenza / "
        r"dettato / coro\b / recita",
        "pt": r"canç / cantig / cant[aeo]r?\b / letra\b / poema / poesia / verso / estrofe / refrão / rima / balada / "
        r"soneto / hino\b / ladainha / oração / prece / repet / repit / copie / copiar / castigo / trava-?língua / "
        r"anáfora / vezes\b / código / programa\b / tabela / música / melodia / sequência / ditado / coro\b / "
        r"quadrinha / "
        r"recite",
        "nl": r"lied\b / liedje / liederen / liedtekst / songtekst / dichten\b / strofe / refrein / rijm / vers\b / "
        r"versje / verzen / slaaplied / wiegelied / kinderlied / zing / gezang / gebed / herhaal / herhal / "
        r"strafregel / "
        r"strafwerk / als straf\b / overschrij / schrijf .{0,40}\bover\b / tongbreker / tongtwister / anafoor / "
        r"(?:\d+|twee|drie|vier|vijf|zes|zeven|acht|negen|tien|twaalf|twintig|vijftig|honderd|meerdere|enkele|paar)"
        r"[ -]?(?:keer|maal)\b / programma\b / tabel / muziek / reeks\b / dictee / nazeggen / zeg .{0,20}\bna\b",
        "da": r"sang\b / sange\b / sangen\b / sangtekst / vise\b / viser\b / digt / strofe / omkvæd / refræn / "
        r"rim\b / "
        r"rime\b / salme / vuggevise / børnesang / syng / remse / bøn\b / bønner\b / gentag / strafopgave / "
        r"til straf\b / "
        r"som straf\b / afskriv / skriv .{0,40}\baf\b / tungebrækker / tungevrider / anafor / gange\b / kode\b / "
        r"program\b / tabel / musik / melodi / løkke / diktat / dikt\b / diktet / sång / låt\b / låttext / upprepa / "
        r"gånger\b / gjenta / ganger\b / visa\b / vers\b / toista / laulu / runo / loru",
        "pl": r"piosen / piosnk / wiersz / poemat / poezj / zwrotk / refren / rym / ballad / sonet / hymn / "
        r"kołysank / "
        r"litani / mantr / modlitw / powtórz / powtarza / powtórz / przepisz / kar[aę]\b / łamaniec / łamańc / "
        r"anafor / "
        r"razy\b / krotnie / (?:dwu|trzy|cztero|pięcio|dziesięcio|wielo)krotnie / kod\b / program\b / skrypt / "
        r"muzyk / "
        r"melodi / pętl / sekwencj / dyktand / śpiew / zaśpiew / rymowank / wylicz",
        "hu": r"dal\b / dalt\b / dalok / dalszöveg / dalocsk / ének / vers\b / verset / verse\b / verses / versek / "
        r"költemény / strófa / versszak / refrén / rím / szonett / himnusz / altató / litánia / ima\b / imát / "
        r"ismétel / ismételd / másol / bünteté / nyelvtörő / anafora / mondóka / (?:két|három|négy|öt|hat|hét|nyolc|"
        r"kilenc|tíz|húsz|ötven|száz|több|sok|\d+[- ]?)sz[oeö]r / kód / táblázat / zene / zenét / dallam / ciklus / "
        r"sorozat / tollbamond / mondd utánam",
        "ro": r"cântec / cânt / versuri / poezi / poem / strof / rim[aăe]\b / imn\b / colind / rugăciun / repet / "
        r"copiaz / "
        r"pedeaps / frământ[aă]r / anafor / ori\b / cod\b / tabel / muzic / melodi / bucl / secvenț / secvenţ / "
        r"dictare / "
        r"numărătoare / recită",
        "tr": r"şarkı / türkü / şiir / dörtlük / kıta / nakarat / kafiye / mani\b / ninni / sone\b / ilahi / marş / "
        r"dua\b / duası / tekrar / yinele / ceza / kopyala / tekerleme / kez\b / kere\b / defa\b / kod\b / kodu\b / "
        r"tablo / "
        r"müzik / melodi / döngü / dikte / şarkı söyle",
        "ru": r"песн / песен / стих / поэм / поэз / куплет / припев / рефрен / рифм / рэп / баллад / сонет / гимн / "
        r"колыбельн / литани / мантр / молитв / повтор / перепиши / переписать / наказани / скороговор / анафор / "
        r"частушк / считалк / (?:\d+|два|две|три|четыре|пять|шесть|семь|восемь|девять|десять|двадцать|пятьдесят|сто|"
        r"много|несколько) раз / код\b / кода\b / программ / скрипт / таблиц / музык / мелоди / цикл / "
        r"последовательност / диктант / спой / пропой / напев / заклинан / вірш / пісн / повтори / пјесм / песма",
        "any": r"rap\b / refrain / mantra / ballade / kod\b / code\b / script / quiz / slogan / \d+ ?[x×]\b",
    },
    r"诗|歌|詞|词曲|曲|谣|謠|重複|重覆|抄寫|朗誦|背誦|程式|音樂|迴圈|顺口溜|绕口令|重复|反复|复述|抄写|罚抄|罚写|抄|背诵|朗诵|口号|咒|经文|祈祷|祷告|排比|代码|程序|"
    r"表格|脚本|音乐|旋律|循环|序列|听写|韵|对联|说唱|(?:\d+|[一二两三四五六七八九十百千多几])\s?(?:遍|次|行)|"
    r"詩|歌|うた|唄|ソング|サビ|リフレイン|ポエム|俳句|短歌|童謡|ラップ|韻|繰り返|くり返|くりかえ|リピート|反復|復唱|暗唱|"
    r"書き取り|罰|早口|呪文|お経|祈り|マントラ|コード|プログラム|スクリプト|音楽|メロディ|ループ|"
    r"[0-9０-９一二三四五六七八九十百何]+\s?回|"
    r"노래|가사|시를|시 한|시 하나|동시|동요|자장가|후렴|운율|랩|발라드|찬송|찬가|주문을|기도|만트라|반복|되풀이|"
    r"따라\s?(?:말|해|하|써|읽)|베껴|벌로|깜지|받아쓰|말놀이|잰말|코드|프로그램|스크립트|표로|표를|음악|멜로디|시조|구호|"
    r"(?:\d+|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무|오십|백|여러)\s?번|"
    r"[أا]غني|[أا]غان|نشيد|نشود|قصيد|شعر|ترانه|آهنگ|سرود|[أا]بيات|لازمة|قافي|راب|ترنيم|تهويد|دعاء|صلاة|تعويذ|مانترا|"
    r"كرر|كرّر|تكرار|"
    r"ردد|ردّد|مرات|مرّات|مرة|عقاب|عقوب|انسخ|[إا]ملاء|كود|برنامج|جدول|موسيق|لحن|موال|هتاف|"
    r"गीत|गान|गाण|कवित|शायरी|ग़ज़ल|गजल|गज़ल|छंद|दोह|लोरी|भजन|आरती|तुकबंद|मंत्र|मन्त्र|प्रार्थना|रैप|दुहरा|बार|सज़ा|"
    r"सजा|"
    r"नकल|"
    r"श्रुतलेख|कोड|प्रोग्राम|तालिका|संगीत|धुन|नारा|नारे|शेर|"
    r"שיר|חזור|פעמים|ποίημα|τραγούδι|φορές|เพลง|กลอน|ครั้ง|ซ้ำ",
)

# Forms in which a writer may say a thing twice for effect: a loop must be plainer than elsewhere.
CREATIVE = _Subject(
    {
        "en": r"stor(?:y|ies)\b / tale / speech / sermon / dialog / conversation / monologue / scene\b / joke / "
        r"fiction / "
        r"novel / play\b / fable / transcript / letter to santa / meditat / hypno",
        "de": r"geschicht / erzählung / märchen / rede\b / predigt / gespräch / witz / szene / roman\b / fabel / "
        r"hörspiel",
        "fr": r"histoire / conte\b / discours / sermon / dialogue / blague / scène / roman\b / fable / récit",
        "es": r"historia / cuento / discurso / sermón / diálogo / chiste / escena / novela / fábula / relato",
        "it": r"storia / racconto / fiaba / favola / discorso / predica / dialogo / barzelletta / scena / romanzo",
        "pt": r"história / conto\b / discurso / sermão / diálogo / piada / cena\b / romance / fábula",
        "nl": r"verhaal / sprookje / toespraak / preek / dialoog / gesprek / grap\b / scène / roman\b / fabel",
        "da": r"historie / eventyr / tale\b / prædiken / dialog / samtale / vits / scene / roman\b / fabel / "
        r"fortælling",
        "pl": r"opowiad / opowieś / histori / bajk / baśń / przemówien / kazani / dialog / rozmow / żart / scen / "
        r"powieś",
        "hu": r"történet / mese / mesét / beszéd / prédikáci / párbeszéd / vicc / jelenet / regény / elbeszél",
        "ro": r"povest / basm / discurs / predic / dialog / glum / scen / roman\b / fabul",
        "tr": r"hikâye / hikaye / öykü / masal / konuşma / vaaz / diyalog / şaka / fıkra / sahne / roman\b / fabl",
        "ru": r"рассказ / истори / сказк / речь / проповед / диалог / шутк / анекдот / сцен / роман\b / басн",
    },
    r"故事|童话|演讲|对话|笑话|寓言|小说|物語|話|スピーチ|会話|対話|冗談|小説|이야기|동화|연설|대화|농담|소설|"
    r"قصة|حكاية|خطاب|خطبة|حوار|نكتة|رواية|कहानी|भाषण|संवाद|चुटकुला|उपन्यास",
)

# Tasks with several items, to each of which the same may be said.
PER_ITEM = _Subject(
    {
        "en": r"each\b / every / both\b / respectively / identical / same\b / one by one / fill\b / item by item",
        "de": r"jede / jeweils / beide / gleich / identisch / füll",
        "fr": r"chaque / chacun / même / identique / rempli",
        "es": r"cada / ambos / ambas / mism / idéntic / llena",
        "it": r"ogni\b / ciascun / entrambi / stess / identic / riemp",
        "pt": r"cada / ambos / ambas / mesm / idêntic / preench / encha",
        "nl": r"elk / ieder / beide / zelfde / identiek / vul\b",
        "da": r"hver / begge / samme / ens\b / identisk / fyld",
        "pl": r"każd / obydw / oba\b / ten sam / tak[aie] sam / identyczn / wypełn",
        "hu": r"minden / mindegyik / mindkét / ugyanaz / azonos / tölts",
        "ro": r"fiecare / ambele / același / aceeași / identic / umple",
        "tr": r"her\b / her bir / ayn[ıi] / özdeş / doldur",
        "ru": r"кажд / обоих / оба\b / одинаков / одно и то же / тот же / заполни",
    },
    r"每|各|都|相同|一样|同样|填满|それぞれ|同じ|埋め|각각|마다|똑같|같은|채워|لكل|كل |نفس|املأ|"
    r"प्रत्येक|हर |एक ही|समान|भर",
)

# English questions and requests whose answer is information, and never one line said over and over.
INFORMS = re.compile(
    r"\s*(?:please )?(?:what|why|how|who|when|where|which|can|could|is|are|do|does|did|was|were|should|list|describe|"
    r"explain|"
    r"tell|summari[sz]e|name|give|discuss|outline|suggest|provide|identify|compare|define|analy[sz]e)\b",
    re.IGNORECASE,
)
# Words, lines, sentences to be said: then even one line over and over may be right.
SAY_THIS = re.compile(
    r"\b(?:say|recite|type|print|output|copy|shout|yell|whisper|utter|lines?|sentences?|robot|record|log|sample|"
    r"stuck)\b",
    re.IGNORECASE,
)
# The same in other languages: what somebody says, shouts or sings, and what is written somewhere.
SAID_ABROAD = re.compile(
    r"\b(?:sag|sprich|spricht|ruf|schrei|sing|steht\b|lautet|dit\b|disent|cri(?:e|ent)\b|chant|écrit|dice|dicen|grit|cant|"
    r"escrit|scritt|dicon|diz\b|dizem|zeg|roep|zing|staat\b|sige|råb|syng|står\b|mówi|krzycz|śpiew|napisan|mond|kiált|ének|"
    r"spun|strig|cânt|scris|söyl|bağır|diyor|yazı|говор|крич|по[её]т|скандир|написан)|说|喊|叫|唱|写|言|歌|書|말하|외치|"
    r"부르|쓰여|يقول|يهتف|يغني|مكتوب|कह|चिल्ला|गा रह|लिखा",
    re.IGNORECASE,
)
QUESTION_ENDS = ("?", "？", "؟", "吗", "か")

# -------------------------------------------------------------------------- answers made from the instruction's words

# Besides the English and Chinese words of the rule about echoes: repeat, copy, translate, correct, complete, title.
SAME_WORDS_ABROAD = _Subject(
    {
        "de": r"übersetz / übertrag / korrigier / verbesser / umformulier / formulier / vervollständig / ergänz / "
        r"beend / "
        r"setze .{0,40}fort / fortsetz / abschreib / zitier / buchstabier / überschrift / titel\b / wandle / "
        r"umschreib / "
        r"schreib .{0,40}um\b / beginn",
        "fr": r"tradui / corrige / reformul / complèt / compléter / continue / termin / cite\b / épell / titre / "
        r"transform / "
        r"convert / commen[cç]",
        "es": r"traduc / traduz / corrige / corrig / reformul / complet / continúa / continua / termina / cita\b / "
        r"deletrea / título / transform / conviert / empie / comien",
        "it": r"traduc / traduz / corregg / riformul / complet / continua / termina / cita\b / sillab / titolo / "
        r"trasform / "
        r"convert / inizi",
        "pt": r"traduz / traduç / corrij / reformul / complet / continue / termin / cite\b / soletre / título / "
        r"transform / "
        r"convert / começ",
        "nl": r"vertaal / vertal / verbeter / corrig / herformul / vul .{0,40}aan / maak .{0,40}af / vervolg / "
        r"citeer / "
        r"spel\b / titel\b / zet .{0,40}om / begin",
        "da": r"oversæt / ret\b / rett / omformul / omskriv / fuldfør / fortsæt / citer / stav / titel\b / "
        r"overskrift / "
        r"begynd / översätt / oversett",
        "pl": r"przetłumacz / tłumacz / popraw / przeredag / uzupełn / dokończ / kontynuuj / zacytuj / przeliteruj / "
        r"tytuł / zamień / przekształ / zaczyn / rozpocz",
        "hu": r"fordít / javít / fogalmazd / egészít / folytasd / fejezd / idéz / betűz / cím / alakítsd / kezd",
        "ro": r"tradu / corect / reformul / complet / continu / termin / citea / titlu / transform / convert / încep",
        "tr": r"çevir / düzelt / tamamla / devam / alıntı / hecele / başlık / dönüştür / yeniden yaz / başla",
        "ru": r"перевед / перевод / исправ / перефраз / перепиш / дополн / продолж / закончи / процитир / заголов / "
        r"преобраз / начин / начни",
    },
    r"翻譯|訳|翻訳|修正|訂正|書き換|言い換|続け|完成させ|引用|タイトル|번역|고쳐|수정|바꿔|완성|이어|인용|제목|"
    r"ترجم|صحح|صحّح|[أا]عد|[أا]كمل|اقتبس|عنوان|حول|अनुवाद|सुधार|पूरा|जारी|उद्धृत|शीर्षक|बदल",
)

# Tasks about a word or a sign, in which an input such as "nada" or "-" is the matter.
WORDS_AS_MATTER = _Subject(
    {
        "en": r"translat / defin / synonym / antonym / pronounc / spell / mean(?:s|ing)?\b / language\b / word\b / "
        r"phrase\b",
        "de": r"übersetz / bedeut / definier / wort\b / synonym / satz / zeichen / ausdruck",
        "fr": r"tradui / signifi / définis / mot\b / synonyme / phrase / signe / ponctuation / expression",
        "es": r"traduc / significa / define / palabra / sinónimo / frase / signo / puntuación / expresión",
        "it": r"traduc / significa / definisci / parola / sinonimo / frase / segno / punteggiatura / espressione",
        "pt": r"traduz / significa / defin / palavra / sinónimo / sinônimo / frase / sinal / pontuação / expressão",
        "nl": r"vertaal / betekent / definieer / woord / synoniem / zin\b / teken / leesteken / uitdrukking",
        "da": r"oversæt / betyder / definer / ord\b / ordet / synonym / sætning / tegn / udtryk",
        "pl": r"przetłumacz / znaczy / oznacza / zdefiniuj / słow / synonim / zdani / znak / interpunk / wyraż",
        "hu": r"fordít / jelent / szó / szinonim / mondat / jel / írásjel / kifejez",
        "ro": r"tradu / înseamn / define / cuv[âa]nt / sinonim / propoz / semn / punctua / expresi",
        "tr": r"çevir / anlam / tanımla / kelime / sözcük / cümle / işaret / noktalama / ifade",
        "ru": r"перевед / перевод / значит / означает / значение / слов / синоним / предложен / знак / пунктуац / "
        r"выражен",
    },
    r"翻译|翻譯|单词|词|意思|含义|符号|标点|句読点|訳|単語|言葉|意味|記号|번역|단어|뜻|의미|문장|기호|부호|ترجم|كلمة|معنى|جملة|رمز|ترقيم|विराम|अनुवाद|शब्द|"
    r"अर्थ|वाक्य|चिह्न",
)

# ------------------------------------------------------------------------------------------------------- tasks wanted

# Instructions that ask for instructions: a series of tasks is then the answer.
TASKS_WANTED = _Subject(
    {
        "en": r"instructions?\b / tasks?\b / prompts?\b / exercises\b / few-?shot / self-?instruct / "
        r"training examples / "
        r"data ?set / quiz / worksheet / test questions / exam\b / series of / list of questions",
        "de": r"aufgaben?\b / anweisung / instruktion / übung / fragenkatalog",
        "fr": r"tâche / consigne / instruction / exercice / questionnaire",
        "es": r"tareas?\b / instruccion / instrucción / ejercicio / cuestionario / consigna",
        "it": r"compit / istruzion / esercizi / questionario / consegn",
        "pt": r"tarefa / instruç / exercício / questionário",
        "nl": r"taken\b / taak\b / opdracht / instructie / oefening / vragenlijst",
        "da": r"opgave / instruktion / øvelse / spørgeskema / uppgift / oppgave",
        "pl": r"zadani / zadań / poleceni / instrukcj / ćwicze",
        "hu": r"feladat / utasítás / gyakorlat / kérdőív",
        "ro": r"sarcin / instrucț / instrucţ / exerciți / exerciţi / chestionar",
        "tr": r"görev / talimat / yönerge / alıştırma / ödev",
        "ru": r"задани / задач / инструкц / упражнен / поручен",
    },
    r"任务|指令|题目|练习|タスク|指示|課題|問題集|작업|지시|과제|명령|مهام|مهمة|تعليم|تمارين|कार्य|निर्देश|अभ्यास",
)

# -------------------------------------------------------------------------------------------------------- white space

ABOUT_SPACING = _Subject(
    {
        "de": r"leerzeichen / leerraum / leerzeile / einrück / einzug / ausricht / zeilenumbr / abstand / abständ / "
        r"tabulator / zeichen / formatier / spalte",
        "fr": r"espaces?\b / espacement / indent / align / saut / sauts / ligne vide / lignes vides / tabul / "
        r"caractère / "
        r"ponctuation / mise en forme / colonne",
        "es": r"espaci / sangr / alinea / salto / línea en blanco / líneas en blanco / tabul / caracter / carácter / "
        r"puntuación / formate / columna",
        "it": r"spazi / rientr / alline / a capo / riga vuota / righe vuote / tabul / caratter / punteggiatura / "
        r"formatt / "
        r"colonn",
        "pt": r"espaç / recuo / indent / alinh / quebra / linha em branco / linhas em branco / tabul / caracter / "
        r"pontuação / formatar / formatação / coluna",
        "nl": r"spatie / witruimte / inspring / uitlijn / regeleinde / lege regel / teken / opmaak / kolom",
        "da": r"mellemrum / blanktegn / indryk / justér / juster / linjeskift / tom linje / tomme linjer / tegn / "
        r"kolonne / "
        r"mellanslag / mellomrom",
        "pl": r"spacj / odstęp / wcięci / wyrówna / akapit / pust[ey] lini / pust[ey] wiersz / znak / kolumn / "
        r"biał[ey] znak",
        "hu": r"szóköz / behúz / igazít / sortör / üres sor / tabulátor / karakter / formáz / oszlop",
        "ro": r"spați / spaţi / indent / alini / rând gol / rânduri goale / linie goal / caracter / formata / coloan",
        "tr": r"boşluk / girinti / hizala / satır / sekme / karakter / biçim / sütun",
        "ru": r"пробел / отступ / выровн / выравн / пуст[а-я]+ строк / перенос / табуляц / символ / форматир / "
        r"столб / "
        r"пропуск",
        "any": r"ascii / tabul",
    },
    r"缩进|對齊|对齐|制表|空行|字符|格式化|スペース|余白|字下げ|インデント|揃え|改行|文字|空行|공백|띄어쓰기|들여쓰기|줄\s?바꿈|정렬|문자|"
    r"مساف|فراغ|محاذاة|سطر فارغ|[أا]سطر فارغة|حروف|تنسيق|रिक्त|खाली|स्पेस|हाशिय|पंक्ति|अक्षर|प्रारूप",
)

# -------------------------------------------------------------------------------------------------------- code blocks

CODE_BLOCKS = re.compile(
    r"\bmarkdown|\bfence|\bbacktick|\bcode ?blo[ck]k?|\bcode-?blok|\bbloc[s]? de code|\bbloques? de código|"
    r"\bblocc?hi? di codice|\bblocos? de código|\bkodeblok|\bbloki? kodu|\bkódblokk|\bbloc(?:uri)? de cod|"
    r"\bkod bloğu|\bblok kodu|\bблок(?:и|а|е)? кода|маркдаун|"
    r"代码块|程式碼區塊|コードブロック|코드 ?블록|كتلة الكود|कोड ब्लॉक",
    re.IGNORECASE,
)

# ------------------------------------------------------------------------------------------------------------ numbers

_NUMBER_WORDS = {
    2: "two twice zwei zweimal deux dos due due duas dois twee to dwa dwukrotnie dwa két kettő kétszer două iki два "
    "дважды "
    "两 二 둘 두 二回 اثنان مرتين مرتان दो",
    3: "three thrice drei dreimal trois tres tre três drie tre trzy trzykrotnie három háromszor trei üç три трижды 三 "
    "셋 세 "
    "ثلاث ثلاثة तीन",
    4: "four vier viermal quatre cuatro quattro quatro fire cztery négy négyszer patru dört четыре 四 넷 네 أربع "
    "أربعة चार",
    5: "five fünf fünfmal cinq cinco cinque vijf fem pięć pięciokrotnie öt ötször cinci beş пять 五 다섯 خمس خمسة पाँच "
    "पांच",
    6: "six sechs sechsmal seis sei zes seks sześć hat hatszor șase şase altı шесть 六 여섯 ست ستة छह छः",
    7: "seven sieben siebenmal sept siete sette sete zeven syv siedem hét hétszer șapte şapte yedi семь 七 일곱 سبع "
    "سبعة सात",
    8: "eight acht achtmal huit ocho otto oito otte osiem nyolc nyolcszor opt sekiz восемь 八 여덟 ثمان ثماني "
    "ثمانية आठ",
    9: "nine neun neunmal neuf nueve nove negen ni dziewięć kilenc kilencszer nouă dokuz девять 九 아홉 تسع تسعة नौ",
    10: "ten zehn zehnmal dix diez dieci dez tien ti dziesięć dziesięciokrotnie tíz tízszer zece on десять 十 열 عشر "
    "عشرة दस",
    12: "twelve dozen zwölf douze doce dodici doze twaalf tolv dwanaście tizenkét doisprezece двенадцать 十二 बारह",
    15: "fifteen fünfzehn quinze quince quindici vijftien femten piętnaście tizenöt cincisprezece пятнадцать 十五 "
    "पंद्रह",
    20: "twenty zwanzig zwanzigmal vingt veinte venti vinte twintig tyve dwadzieścia húsz húszszor douăzeci yirmi "
    "двадцать "
    "二十 스무 스물 عشرون عشرين बीस",
}
_NUMBER_OF = {word: number for number, listed in _NUMBER_WORDS.items() for word in listed.split()}
_SHORT = sorted((word for word in _NUMBER_OF if not word.isascii() and len(word) <= 2), key=len, reverse=True)
_TOKEN = re.compile(r"\d+|[^\W\d_]+")


def numbers_in(text: str) -> set[int]:
    """The whole numbers that a text names, in figures of any script or in words of many languages."""
    found = set()
    for token in _TOKEN.findall(text[:2000].lower()):
        if token.isdecimal():
            found.add(int(token[:9]))
        elif token in _NUMBER_OF:
            found.add(_NUMBER_OF[token])
        elif not token.isascii():
            found.update(_NUMBER_OF[word] for word in _SHORT if word in token)
    return found
