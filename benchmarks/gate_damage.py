"""Damaged revisions for `gate.py`: an expert's good text made bad in one known way.

The texts that are put in are in `gate_wordings.py`. Every choice is seeded by the row and the kind of damage, so that
the order of rows and kinds does not matter. `None` where a kind does not apply to a row.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gate_wordings import HELD_BACK, SEEN, Wordings

from hfclean.schema import Pair

__all__ = ["KINDS", "SEED", "Kind", "Pool", "Revision", "damaged", "without_code"]

SEED = 20240607

Revision = tuple[Pair, Pair]


@dataclass(frozen=True)
class Pool:
    """Texts of other rows: answers with the instructions they belong to, and Chinese answers."""

    responses: Sequence[str]
    instructions: Sequence[str]
    chinese: Sequence[str]

    def other(self, pair: Pair, rng: random.Random) -> tuple[str, str]:
        """The instruction and answer of another task."""
        while True:
            spot = rng.randrange(len(self.responses))
            instruction, response = self.instructions[spot], self.responses[spot]
            if instruction != pair.instruction and response.strip() and response != pair.response:
                return instruction, response


Make = Callable[[Pair, Pair, Pool, random.Random], Pair | None]


@dataclass(frozen=True)
class Kind:
    """One way of being bad, and the share of it that the gate may let through (nan: a curve is published instead)."""

    id: str
    at_most: float
    make: Make


def damaged(revisions: Iterable[Revision], kind: Kind, pool: Pool) -> list[Revision]:
    """Each revision with its second half made bad, without those that the kind does not apply to."""
    found = []
    for before, after in revisions:
        if after.response.strip():
            bad = kind.make(before, after, pool, _dice(kind.id, after))
            if bad is not None:
                found.append((before, bad))
    return found


def _dice(id: str, pair: Pair) -> random.Random:
    return random.Random("\0".join((str(SEED), id, pair.instruction, pair.input, pair.response)))


def _lower(text: str) -> str:
    """The text with a small first letter, where that is not the word I or an abbreviation."""
    first = text.split(" ", 1)[0]
    return text if first.startswith("I'") or first == "I" or not first[1:].islower() else text[0].lower() + text[1:]


# -------------------------------------------------------------------------------------------------------------- empty

NOTHING = ["", "", " ", "\n", "\n\n \n", "\t", "\u200b", "\ufeff\n", "\u00a0", "\r\n"]
STAND_INS = """
...|N/A|n/a|None|none.|null|-|--|[]|{}|""|''|```|(empty)|<empty>|[no response]|No response.|Response:|Output:|TODO|
[insert answer here]|<response>|No output|NaN|.|…|No answer|undefined|[Your response]|(blank)|<answer></answer>
""".replace("\n", "").split("|")


def empty(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair:
    return after.replace(response=rng.choice(NOTHING))


def stand_in(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    filler = rng.choice([*STAND_INS, "```\n```"])
    return None if len(after.response) < 30 else after.replace(response=filler)


# ------------------------------------------------------------------------------------------------------------- refusal


def refusal(said: Wordings, pair: Pair, rng: random.Random) -> str:
    return rng.choice(said.refusals)


def sorry_refusal(said: Wordings, pair: Pair, rng: random.Random) -> str:
    return rng.choice(said.apologies) + _lower(rng.choice(said.refusals))


def refusal_but(said: Wordings, pair: Pair, rng: random.Random) -> str:
    no = rng.choice([sorry_refusal(said, pair, rng), rng.choice(said.refusals)])
    more = rng.choice(said.buts)
    return rng.choice([f"{no[:-1]}, but {more}", f"{no} However, {more}", f"{no} {more[0].upper()}{more[1:]}"])


def worded(say: Callable[[Wordings, Pair, random.Random], str | None], said: Wordings) -> Make:
    """A way of being bad that puts other words in the answer's place, or around it."""

    def make(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
        text = say(said, after, rng)
        return None if text is None else after.replace(response=text)

    return make


IMPERATIVE = re.compile(
    r"(?:write|describe|explain|give|name|list|create|generate|find|identify|classify|compare|summari[sz]e|suggest|"
    r"provide|design|make|rewrite|edit|calculate|tell|construct|compose|analy[sz]e|convert|discuss|outline|develop|"
    r"propose|choose|sort|determine|translate|add|come up|think|rank|categori[sz]e|predict|evaluate|state|what)\b",
    re.IGNORECASE,
)


def refusal_of_task(said: Wordings, pair: Pair, rng: random.Random) -> str | None:
    task = re.split(r"(?<=[.?!:])\s|\n", pair.instruction.strip())[0].rstrip(".?!: ")
    if not IMPERATIVE.match(task) or len(task) > 150:
        return None
    if task.lower().startswith("what"):
        task = f"say {task[0].lower()}{task[1:]}"
    return rng.choice(said.cannot).format(_lower(task))


def refusal_speech(said: Wordings, pair: Pair, rng: random.Random) -> str:
    return rng.choice(said.speeches)


def asks_back(said: Wordings, pair: Pair, rng: random.Random) -> str:
    return rng.choice(said.asks_back)


# ---------------------------------------------------------------------------------------------------- repetition loops

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def _sentences(text: str) -> list[str]:
    return [part for part in SENTENCE_END.split(text.strip()) if part]


def _beginning(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    return " ".join(words[: max(1, int(len(words) * rng.uniform(0.1, 0.9)))])


def word_loop(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    words = after.response.split()
    if len(words) < 6:
        return None
    spot = rng.randrange(3, len(words))
    looped = rng.choice([words[spot - 1 : spot], words[spot - 2 : spot], words[spot - 3 : spot]])
    return after.replace(response=" ".join(words[:spot] + looped * rng.randrange(10, 120)))


def sentence_loop(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    sentences = _sentences(after.response)
    if len(sentences) < 2:
        return None
    spot = rng.randrange(1, len(sentences))
    looped = sentences[spot - rng.choice([1, min(2, spot)]) : spot]
    return after.replace(response=" ".join(sentences[:spot] + looped * rng.randrange(4, 30)))


def line_loop(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    lines = [line for line in re.split(r"\n+", after.response) if len(line.split()) > 1]
    if not lines:
        return None
    spot = rng.randrange(1, len(lines) + 1)
    line, first = lines[spot - 1], spot
    times = rng.randrange(5, 40)
    match = re.match(r"(\d+)([.)] )(.*)", line)
    if match and rng.random() < 0.7:  # the numbers go on, the lines are the same
        first = int(match[1])
        looped = [f"{first + k}{match[2]}{match[3]}" for k in range(times)]
    else:
        looped = [line] * times
    return after.replace(response="\n".join(lines[: spot - 1] + looped))


def tail_loop(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    if len(after.response) < 80:
        return None
    begun = _beginning(after.response, rng)
    subject = rng.choice(re.findall(r"[^\W\d_]{4,}", begun) or ["thing"])
    tails = [
        f" and the {subject}" * rng.randrange(15, 80),
        "!" * rng.randrange(60, 400),
        f" {subject}," * rng.randrange(15, 100),
        " It is very, very" + ", very" * rng.randrange(20, 90),
        f"\n\nThe {subject} is important. The {subject} is important for everyone." * rng.randrange(5, 20),
        "\n- " * rng.randrange(30, 100),
        "0" * rng.randrange(80, 300),
        "".join(f" of the {subject} of the" for _ in range(rng.randrange(12, 60))),
        "ha" * rng.randrange(60, 200),
        "\n\nThank you." * rng.randrange(8, 40),
        " I hope this helps!" * rng.randrange(6, 40),
        "\\n" * rng.randrange(40, 200),
    ]
    return after.replace(response=begun + rng.choice(tails))


def whole_loop(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    if len(after.response) < 40:
        return None
    gap = rng.choice(["\n\n", "\n", " "])
    return after.replace(response=gap.join([after.response.strip()] * rng.randrange(3, 8)))


# ------------------------------------------------------------------------------------------ prompt, rubric, meta talk


def prompt_words(said: Wordings, pair: Pair, rng: random.Random) -> str:
    words, text = rng.choice(said.prompts), pair.response
    return rng.choice([f"{words}\n\n{text}", f"{text}\n\n{words}", f"{words} {text}", words])


def prompt_markers(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair:
    asked, text, old = after.instruction, after.response, before.response
    other, answer = pool.other(after, rng)
    forms = [
        f"### Instruction:\n{asked}\n\n### Response:\n{text}",
        f"### Response:\n{text}",
        f"### Original response\n{old}\n\n### Improved response\n{text}",
        f"Instruction: {asked}\nInput: {after.input}\nResponse: {text}",
        f"Instruction: {asked}\nResponse: {text}",
        f"[INSTRUCTION]\n{asked}\n[RESPONSE]\n{text}",
        f"<instruction>{asked}</instruction>\n<response>{text}</response>",
        f"<revised_response>\n{text}\n</revised_response>",
        json.dumps({"instruction": asked, "input": after.input, "response": text}),
        json.dumps({"revised_output": text}, indent=2),
        f"{text}\n\n### Human: {other}\n### Assistant: {answer}",
        f"{text}\n\nUser: {other}\nAssistant: {answer}",
        f"{text}<|im_end|>",
        f"{text} [/INST]",
        f"{text}</s>",
        f"<|assistant|>\n{text}",
        f"{text}\n\n[End of revised output]",
        f"=== REVISED ===\n{text}",
        f"{text}\n---END OF RESPONSE---",
        f"**Instruction:** {asked}\n\n**Response:** {text}",
        f"{text}\n\n## Instruction\n{other}",
        f"[Revised Instruction]: {asked}\n[Revised Response]: {text}",
        f"{text}<|endoftext|>{other}",
        f"Human: {asked}\n\nAssistant: {text}",
    ]
    return after.replace(response=rng.choice(forms))


def question_again(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    asked = "\n".join(part for part in (after.instruction, after.input) if part.strip())
    if len(asked) < 20:
        return None
    return after.replace(response=rng.choice([asked, after.instruction, f"{asked}\n"]))


def _graded(said: str, rng: random.Random) -> str:
    return said.format(n=rng.randrange(5, 11), d=rng.randrange(2, 6))


def rubric(said: Wordings, pair: Pair, rng: random.Random) -> str:
    words, text = _graded(rng.choice(said.rubrics), rng), pair.response
    return rng.choice([f"{words}\n\n{text}", f"{text}\n\n{words}", f"{text}\n{words}"])


def only_rubric(said: Wordings, pair: Pair, rng: random.Random) -> str:
    return "\n\n".join(_graded(words, rng) for words in rng.sample(said.rubrics, rng.randrange(1, 3)))


def preface(said: Wordings, pair: Pair, rng: random.Random) -> str:
    return f"{rng.choice(said.prefaces)}{rng.choice([chr(10), chr(10) * 2, ' '])}{pair.response}"


def afterword(said: Wordings, pair: Pair, rng: random.Random) -> str:
    return f"{pair.response}{rng.choice([chr(10), chr(10) * 2])}{rng.choice(said.afterwords)}"


# ------------------------------------------------------------------------------------------------ over-long, cut, swap

PADDING = [
    "It is also worth noting that there are many different aspects to consider.",
    "In addition, everyone's situation is different, and what works for one person may not work for another.",
    "Many people have written about this over the years, and opinions vary.",
    "With a bit of patience and the right attitude, good results can be achieved.",
    "There are of course exceptions, and it always helps to look at the details.",
    "As time goes on, new developments will certainly change the picture.",
    "It is important to keep the bigger context in mind at all times.",
    "Experts agree that a balanced approach is usually the best one.",
    "On the other hand, some would argue that the opposite is true.",
    "For this reason, careful planning should never be neglected.",
    "Communication plays a key role here as well, as it does in so many areas of life.",
    "Last but not least, one should not forget the human side of the matter.",
    "To put it in another way, quality matters more than quantity.",
    "Further research is needed before a final conclusion can be drawn.",
    "Small steps, taken every day, add up to something great.",
    "Technology has changed the way in which we look at such questions.",
    "The history of this goes back further than most of us would think.",
    "By being open to new ideas, we can learn a great deal from each other.",
    "Those who want to know more can find plenty of material in libraries and on the internet.",
    "Finally, it never hurts to ask a friend or a colleague for advice.",
    "All in all, it can be said that the advantages outweigh the disadvantages.",
    "Of course, money and time are limited, so priorities have to be set.",
    "Some countries have rules of their own, which should be respected.",
    "Being aware of the risks is the first step towards avoiding them.",
]


def over_long(times: int) -> Make:
    def make(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
        if len(after.response) < SHORTEST_TO_CUT:
            return None  # some sentences more make such an answer no long one
        goes_on = rng.choice(["answers", "tasks", "padding"])
        parts, length = [after.response.rstrip()], len(after.response)
        filler = rng.sample(PADDING, len(PADDING)) if goes_on == "padding" else []
        while length < times * len(after.response):
            asked, answer = pool.other(after, rng)
            if filler:
                gap, piece = " ", filler.pop()
            elif goes_on == "tasks":
                gap, piece = "\n\n", f"{asked}\n{answer}"
            else:
                gap, piece = "\n\n", answer
            parts += [gap, piece]
            length += len(gap) + len(piece)
        return after.replace(response="".join(parts))

    return make


SHORTEST_TO_CUT = 60


def cut_anywhere(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    text = after.response.strip()
    if len(text) < SHORTEST_TO_CUT:
        return None
    kept = text[: int(len(text) * rng.uniform(0.2, 0.97))].rstrip()
    return None if kept.endswith((".", "!", "?")) else after.replace(response=kept)


def cut_at_word(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    text = after.response.strip()
    spots = [match.start() for match in re.finditer(r"(?<=[\w,;:]) +(?=\w)", text)]
    spots = [spot for spot in spots if spot > 0.2 * len(text)]
    if len(text) < SHORTEST_TO_CUT or not spots:
        return None
    return after.replace(response=text[: rng.choice(spots)])


def cut_at_sentence(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    text = after.response.strip()
    spots = [match.start() for match in re.finditer(r"(?<=[^\d\W][.!?])\s+(?=\S)", text)]
    spots = [spot for spot in spots if spot > 0.2 * len(text)]
    if len(text) < SHORTEST_TO_CUT or not spots:
        return None
    return after.replace(response=text[: rng.choice(spots)])


def swapped(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair:
    return after.replace(response=pool.other(after, rng)[1])


# ---------------------------------------------------------------------------------------------------------- translated

FOREIGN = {
    "German": [
        "Zunächst sollte man sich einen Überblick über die Lage verschaffen.",
        "Dabei spielt vor allem die Erfahrung der Beteiligten eine wichtige Rolle.",
        "In vielen Fällen genügt schon eine kleine Änderung.",
        "Außerdem ist es ratsam, regelmäßig Pausen einzulegen.",
        "Die Kosten hängen davon ab, wie groß das Vorhaben ist.",
        "Kinder lernen so etwas meist schneller als Erwachsene.",
        "Wer früh anfängt, hat am Ende mehr Zeit für die Einzelheiten.",
        "Das Wetter kann einem dabei leicht einen Strich durch die Rechnung machen.",
        "Zum Schluss wird alles noch einmal gründlich geprüft.",
        "Es gibt mehrere Möglichkeiten, mit dieser Schwierigkeit umzugehen.",
        "Ein gutes Beispiel dafür ist der Garten meiner Großmutter.",
        "Nicht jeder ist mit dieser Lösung einverstanden.",
    ],
    "French": [
        "Il faut d'abord bien comprendre la situation avant de prendre une décision.",
        "Cette méthode présente plusieurs avantages, notamment pour les débutants.",
        "Les enfants peuvent aussi y participer sans difficulté.",
        "Ensuite, on laisse reposer le mélange pendant une heure.",
        "Le prix dépend surtout de la qualité des matériaux utilisés.",
        "La plupart des gens préfèrent la première solution.",
        "Il est conseillé de faire une pause toutes les deux heures.",
        "Au printemps, les jours deviennent plus longs et plus chauds.",
        "Un bon exemple est celui de la petite ville où j'ai grandi.",
        "En fin de compte, chacun doit trouver ce qui lui convient.",
        "On peut y arriver avec un peu de patience et beaucoup de travail.",
        "Personne ne sait exactement quand cela a commencé.",
    ],
    "Spanish": [
        "Primero hay que entender bien la situación antes de tomar una decisión.",
        "Este método tiene varias ventajas, sobre todo para los principiantes.",
        "Los niños también pueden participar sin dificultad.",
        "Después se deja reposar la mezcla durante una hora.",
        "El precio depende de la calidad de los materiales.",
        "La mayoría de la gente prefiere la primera solución.",
        "Es recomendable hacer una pausa cada dos horas.",
        "En primavera los días son más largos y hace más calor.",
        "Un buen ejemplo es el pequeño pueblo donde crecí.",
        "Al final, cada uno debe encontrar lo que le conviene.",
        "Con un poco de paciencia y mucho trabajo se puede lograr.",
        "Nadie sabe exactamente cuándo empezó todo esto.",
    ],
    "Italian": [
        "Prima di tutto bisogna capire bene la situazione.",
        "Questo metodo ha diversi vantaggi, soprattutto per chi comincia.",
        "Anche i bambini possono partecipare senza difficoltà.",
        "Il prezzo dipende dalla qualità dei materiali.",
        "Alla fine ognuno deve trovare quello che gli conviene.",
        "Nessuno sa esattamente quando sia cominciato tutto questo.",
    ],
    "Portuguese": [
        "Primeiro é preciso entender bem a situação.",
        "Este método tem várias vantagens, principalmente para quem está começando.",
        "As crianças também podem participar sem dificuldade.",
        "O preço depende da qualidade dos materiais.",
        "No fim, cada um deve encontrar aquilo que lhe convém.",
        "Ninguém sabe exatamente quando tudo isso começou.",
    ],
    "Dutch": [
        "Eerst moet je goed begrijpen wat er aan de hand is.",
        "Deze manier van werken heeft verschillende voordelen.",
        "Ook kinderen kunnen er zonder moeite aan meedoen.",
        "De prijs hangt af van de kwaliteit van het materiaal.",
        "Uiteindelijk moet iedereen vinden wat bij hem past.",
        "Niemand weet precies wanneer het allemaal begonnen is.",
    ],
    "Russian": [
        "Сначала нужно хорошо понять, в чём дело.",
        "У этого способа есть несколько преимуществ.",
        "Дети тоже могут участвовать без труда.",
        "Цена зависит от качества материалов.",
        "В конце концов каждый находит то, что ему подходит.",
        "Никто точно не знает, когда всё это началось.",
    ],
    "Japanese": [
        "まず状況をよく理解する必要があります。",
        "この方法にはいくつかの利点があります。",
        "子どもたちも簡単に参加できます。",
        "値段は材料の質によって変わります。",
        "結局、自分に合ったものを見つけることが大切です。",
        "いつ始まったのか、正確には誰も知りません。",
    ],
    "Polish": [
        "Najpierw trzeba dobrze zrozumieć, o co chodzi.",
        "Ta metoda ma kilka zalet, zwłaszcza dla początkujących.",
        "Dzieci też mogą w tym uczestniczyć bez trudu.",
        "Cena zależy od jakości materiałów.",
        "W końcu każdy musi znaleźć to, co mu odpowiada.",
        "Nikt dokładnie nie wie, kiedy to wszystko się zaczęło.",
    ],
}
OTHER_TONGUES = ("Italian", "Portuguese", "Dutch", "Russian", "Japanese", "Polish")
ASKS_TONGUE = re.compile(
    r"translat|language|french|german|spanish|chinese|italian|japanese|russian|portuguese|dutch|polish|latin|"
    r"mandarin|korean|arabic|hindi|foreign|[^\x00-\u024f\u2000-\u22ff]",
    re.IGNORECASE,
)


def _foreign(tongue: str, length: int, rng: random.Random) -> str:
    sentences = rng.sample(FOREIGN[tongue], len(FOREIGN[tongue]))
    kept = sentences[:1]
    for sentence in sentences[1:]:
        if sum(map(len, kept)) + len(sentence) > length:
            break
        kept.append(sentence)
    return rng.choice([" ", "\n", "\n\n"]).join(kept)


def translated(*tongues: str) -> Make:
    def make(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
        if ASKS_TONGUE.search(f"{after.instruction}\n{after.input}\n{after.response}"):
            return None
        tongue = rng.choice(tongues)
        if tongue == "Chinese":
            return after.replace(response=rng.choice(pool.chinese))
        return after.replace(response=_foreign(tongue, len(after.response), rng))

    return make


def half_translated(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    sentences = _sentences(after.response)
    kept = " ".join(sentences[: max(1, len(sentences) // 2)])
    if ASKS_TONGUE.search(f"{after.instruction}\n{after.input}\n{after.response}") or not 60 <= len(kept) <= 500:
        return None
    tongue = rng.choice(["Chinese", *FOREIGN])
    rest = rng.choice(pool.chinese) if tongue == "Chinese" else _foreign(tongue, max(120, len(kept)), rng)
    return after.replace(response=f"{kept}\n{rest}")


# ------------------------------------------------------------------------------------------------------------- numbers

NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?!\w|[.,]\d)")


def _other_number(number: str, rng: random.Random) -> str:
    """Another number that looks like it: near, with one digit wrong, with two digits swapped, or ten times as much."""
    value = number.replace(",", "")
    spot = rng.randrange(len(value))
    digit = value[:spot] + rng.choice("123456789") + value[spot + 1 :] if value[spot].isdigit() else value
    turned = value[0] + value[2:3] + value[1:2] + value[3:] if value[1:3].isdigit() else value
    whole, point, decimals = value.partition(".")
    near = f"{max(0, int(whole) + rng.choice([-3, -2, -1, 1, 2, 3]))}{point}{decimals}"
    tens = f"{whole}0{point}{decimals}"
    for other in rng.sample([digit, turned, near, near, tens], 5):
        if other != value:
            return f"{int(other):,}" if "," in number and other.isdigit() else other
    return f"{int(whole) + 1}{point}{decimals}"


def _everywhere(text: str, number: str, other: str) -> str:
    return NUMBER.sub(lambda match: other if match[0] == number else match[0], text)


def number_in_question(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    given = set(NUMBER.findall(f"{before.instruction}\n{before.input}"))
    numbers = sorted(given & set(NUMBER.findall(f"{after.instruction}\n{after.input}")))
    if not numbers:
        return None
    number = rng.choice(numbers)
    other = _other_number(number, rng)
    return after.replace(
        instruction=_everywhere(after.instruction, number, other), input=_everywhere(after.input, number, other)
    )


def number_of_question(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    given = set(NUMBER.findall(f"{after.instruction}\n{after.input}"))
    numbers = sorted(given & set(NUMBER.findall(after.response)))
    if not numbers:
        return None
    number = rng.choice(numbers)
    return after.replace(response=_everywhere(after.response, number, _other_number(number, rng)))


def number_in_answer(before: Pair, after: Pair, pool: Pool, rng: random.Random) -> Pair | None:
    spots = list(NUMBER.finditer(after.response))
    if not spots:
        return None
    spot = rng.choice(spots)
    text = after.response
    return after.replace(response=text[: spot.start()] + _other_number(spot[0], rng) + text[spot.end() :])


# -------------------------------------------------------------------------------------------------------- code dropped

FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
CODE_LINE = re.compile(
    r"[;{}]\s*$|^\s*(?:def|class|import|from|return|for|while|if|elif|else|try|except|print|var|let|const|function|"
    r"public|private|static|int|void|#include|using|SELECT|INSERT|UPDATE|DELETE|CREATE|FROM|WHERE|GROUP|ORDER|JOIN|"
    r"echo|end|do|puts|console|document|margin|padding|color|font|background|\$|//|#|/\*|\*|--|@|<)(?=[\s(.:\[{<]|$)|"
    r"</?\w+[^>]*>|\w+\([^)]*\)|\w\s*(?:=|\+=|==|=>|->|:=)\s*\S|^\s*[\])}]",
)
PROMISES = [
    "The code for this is straightforward and can be written in a few lines.",
    "[code omitted]",
    "You can write a small function which takes the input, goes through it step by step and returns the result.",
    "The program first reads the input, then loops over all elements, and finally prints the result.",
    "See the code above.",
    "To solve this, use the standard library and follow the usual approach.",
    "Here is the code:",
    "This can be done with a query that selects the expected columns and filters the rows by the given condition.",
    "The following code does what was asked. It is well structured and easy to read.",
    "A page like this needs a heading, a paragraph of text and a bit of styling; nothing else is required.",
    "I have written the program, tested it and made sure that it works for all inputs.",
    "... (the rest stays the same)",
    "This is a good exercise for beginners. Start with an empty list, and add one element after another to it.",
]


def without_code(code_rows: Iterable[Pair], revisions: Iterable[Revision], pool: Pool) -> list[Revision]:
    """Pairs whose answer has code, each with a revision that has lost it: its prose is kept, or it is told in words.

    Also experts' revisions of such answers, as long as there is code in a fence that can be taken away.
    """
    found = []
    for pair in code_rows:
        bad = _no_code(pair, pool, _dice("code dropped", pair))
        if bad != pair.response:
            found.append((pair, pair.replace(response=bad)))
    for before, after in revisions:
        if "```" in before.response and "```" in after.response:
            found.append((before, after.replace(response=_no_code(after, pool, _dice("code dropped", after)))))
    return found


def _no_code(pair: Pair, pool: Pool, rng: random.Random) -> str:
    lines = FENCED.sub("", pair.response).split("\n")
    prose = "\n".join(line for line in lines if not CODE_LINE.search(line) and len(line.split()) > 3).strip()
    promise = rng.choice(PROMISES)
    if not prose:
        return rng.choice([promise, f"{promise}\n\n{rng.choice(PROMISES)}"])
    return rng.choice([prose, f"{prose}\n\n{promise}", f"{promise} {prose}"])


# --------------------------------------------------------------------------------------------------------------- kinds

CURVE = math.nan
WORDED: dict[str, Callable[[Wordings, Pair, random.Random], str | None]] = {
    "refusal: bare": refusal,
    "refusal: with an apology": sorry_refusal,
    "refusal: but little more": refusal_but,
    "refusal: names the task": refusal_of_task,
    "refusal: a speech": refusal_speech,
    "refusal: asks back": asks_back,
    "prompt leak: its words": prompt_words,
    "prompt leak: rubric": rubric,
    "prompt leak: rubric only": only_rubric,
    "prompt leak: preface": preface,
    "prompt leak: afterword": afterword,
}
KINDS: tuple[Kind, ...] = (
    Kind("empty: blank", 0.02, empty),
    Kind("empty: a stand-in", 0.02, stand_in),
    *(Kind(id, 0.02, worded(say, SEEN)) for id, say in WORDED.items()),
    *(Kind(f"{id}, held back", 0.02, worded(say, HELD_BACK)) for id, say in WORDED.items()),
    Kind("repetition loop: words", 0.02, word_loop),
    Kind("repetition loop: sentences", 0.02, sentence_loop),
    Kind("repetition loop: lines", 0.02, line_loop),
    Kind("repetition loop: tail", 0.02, tail_loop),
    Kind("repetition loop: whole answer", 0.02, whole_loop),
    Kind("prompt leak: markers", 0.02, prompt_markers),
    Kind("prompt leak: the question again", 0.02, question_again),
    Kind("over-long: x5", 0.02, over_long(5)),
    Kind("over-long: x3", CURVE, over_long(3)),
    Kind("translated: Chinese", 0.02, translated("Chinese")),
    Kind("translated: German, French, Spanish", 0.02, translated("German", "French", "Spanish")),
    Kind("translated: other languages", 0.02, translated(*OTHER_TONGUES)),
    Kind("translated: from the middle on", CURVE, half_translated),
    Kind("truncated: anywhere", CURVE, cut_anywhere),
    Kind("truncated: at a word", CURVE, cut_at_word),
    Kind("truncated: at a sentence", CURVE, cut_at_sentence),
    Kind("swapped answer", CURVE, swapped),
    Kind("number: in the question", CURVE, number_in_question),
    Kind("number: of the question, in the answer", CURVE, number_of_question),
    Kind("number: anywhere in the answer", CURVE, number_in_answer),
)
