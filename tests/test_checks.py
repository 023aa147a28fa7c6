"""The gate: what each check refuses, and the sound revisions that it lets pass."""

from __future__ import annotations

import pickle

import pytest

from hfclean.checks import CHECKS, Check, CheckError, accept, check, select_checks
from hfclean.checks.answers import _refuses
from hfclean.checks.check import Case, TextFacts
from hfclean.checks.ending import ENDING_WEIGHTS, breaks_off, ending_signs
from hfclean.checks.lengths import longest, shortest
from hfclean.checks.prompt_leaks import rubric_leak
from hfclean.schema import Pair, Turn
from hfclean.text.language import main_language

ASKED = "Tell me something about the rivers of Europe."
OLD = "The Danube is a long river. It flows through ten countries and ends in the Black Sea."
NEW = (
    "The Danube is the second longest river of Europe. It rises in the Black Forest, flows through ten countries and "
    "ends in the Black Sea, where it has built a wide delta."
)
BEFORE = Pair(ASKED, "", OLD)


def revised(text: str, instruction: str = ASKED, old: str = OLD, text_input: str = "") -> list[str]:
    """What the gate says to a new answer, the question staying as it was."""
    before = Pair(instruction, text_input, old)
    return accept(before, before.replace(response=text))


# --------------------------------------------------------------------------------------- revisions that are all right

SOUND = [
    (ASKED, OLD, NEW),
    (ASKED, OLD, f"{NEW}\n\nI hope this helps!"),
    ("Name a fruit.", "Apple", "An apple."),
    ("Name a fruit.", "Apple", "One fruit is the **apple**, which grows on trees."),
    (
        "Give three tips for staying healthy.",
        "Eat well, sleep, move.",
        "1. Eat well.\n2. Sleep enough.\n3. Move daily.",
    ),
    ("Write an apology to a customer.", "Sorry.", "Dear customer, we are sorry that your parcel came late."),
    ("What is 12 + 7?", "19", "12 + 7 = 19, so the answer is **19**."),
    ("Write a poem about rain.", "Rain falls.", "Rain falls\nOn the roof\nAnd on the garden wall"),
    ("Translate to German: Good morning.", "Morgen.", "Guten Morgen. Das ist die Übersetzung, die man sagt."),
    (
        "Write a Python function that adds two numbers.",
        "def add(a, b):\n    return a + b",
        "Here is a function:\n\n```python\ndef add(a, b):\n    return a + b\n```",
    ),
    ("Is a whale a fish? Answer yes or no.", "No", "No, a whale is a mammal."),
    (
        "Describe the worst holiday you had.",
        "It rained all week in the mountains and we stayed in the hut.",
        "As an AI, I have no holidays of my own, but a person might say: it rained all week in the mountains, and we "
        "stayed in the hut, played cards, and ate soup out of tins until the road was open again. On "
        "the last day the sun "
        "came out, and we walked up to the pass, where we could see the whole valley below us.",
    ),
    (
        "Why is the sky blue?",
        "Because of scattering.",
        "The sky is blue because air scatters short waves of light, which are blue, more than long "
        "ones, which are red.",
    ),
]


@pytest.mark.parametrize(("instruction", "old", "new"), SOUND)
def test_sound_revisions_pass(instruction: str, old: str, new: str) -> None:
    assert revised(new, instruction, old) == []


@pytest.mark.parametrize(("instruction", "old", "new"), SOUND)
def test_a_pair_left_as_it_is_passes(instruction: str, old: str, new: str) -> None:
    for text in (old, new):
        pair = Pair(instruction, "", text)
        assert accept(pair, pair) == []


# -------------------------------------------------------------------------------------------- what each check refuses

REFUSED = {
    "empty_response": [
        "",
        "  \n",
        "N/A",
        "None",
        "null",
        "<noinput>",
        "...",
        "---",
        "<nooutput>",
        "\u200b",
        "[Your response]",
        "(blank)",
        "none.",
        "Response:",
        "[insert answer here]",
        "TODO",
        "No response.",
    ],
    "refusal": [
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "As an AI language model, I am not able to complete this task.",
        "Unfortunately, I am unable to provide this information.",
        "I won't be able to help with this one. If you have another question, I would be happy to answer it.",
        "I'm sorry, but as an AI I don't have access to the information needed to answer.",
        "I must decline to answer this. Please ask a professional.",
        "This request cannot be completed.",
        "I don't know.",
        "That's not something I can help with.",
        "As an AI assistant, I don't have feelings or preferences.",
        "Could you please provide more context?",
        "I'm sorry, there is no text provided.",
        "Unable to process the request.",
        "I can’t do that, as it is against my guidelines.",
        "很抱歉，我无法回答这个问题。",
        "Es tut mir leid, das kann ich nicht beantworten.",
        "My guidelines prevent me from answering.",
        "It would be inappropriate for me to respond to this.",
        "I'm not able to tell you something about the rivers of Europe.",
        "I don't have the information that would be required to tell you something about the rivers of Europe.",
        "Sorry, this falls outside the things I was built for. Maybe a search engine can help you.",
        "Which answer do you want me to revise? Please send it here.",
    ],
    "echo": [
        ASKED,
        f"{ASKED}\n\n{NEW}",
        f"Question: {ASKED}\n\n{NEW}",
        f"**{ASKED}**\n{NEW}",
        f"{ASKED} {NEW}",
    ],
    "repetition_loop": [
        f"{NEW} " + "It is a long river. " * 12,
        "\n\n".join([NEW] * 4),
        f"{NEW} " + "the river " * 30,
        f"{NEW} " + "no " * 40,
        f"{NEW} " + "ha" * 60,
        f"{NEW}\n" + "- The Danube flows.\n" * 8,
        f"{NEW} " + "It is long and wide and deep and cold. " * 5 + "It is long and",
    ],
    "rubric_leak": [
        f"Instruction: {ASKED}\nInput: \nResponse: {NEW}",
        f"Instruction: {ASKED} Response: {NEW}",
        f"### Response:\n{NEW}",
        f"Revised response: {NEW}",
        f"[Revised Response]\n{NEW}",
        f"<response>{NEW}</response>",
        f"{NEW}\n\nScore: 4.5/5",
        f"Readability: 85\nCorrectness: 90\nRelevance: 95\n\n{NEW}",
        f"{NEW}\n\nCriteria: readability, correctness, relevance, comprehensiveness, richness",
        f"Improve the following instruction, input and response so that they are more specific.\n\n{NEW}",
        f"Below is an instruction that describes a task. Write a response that appropriately completes it.\n{NEW}",
        f"{NEW}<|im_end|>\n<|im_start|>user",
        f"{NEW}\n\n{{{{response}}}}",
        f"User: {ASKED}\nAssistant: {NEW}",
        '{"instruction": "Tell me something.", "response": "The Danube is long."}',
        f'```json\n{{"revised_output": "{NEW}"}}\n```',
        f"{NEW}\n\n[End of revised output]",
        f"### Original response\n{OLD}\n\n### Improved response\n{NEW}",
        f"{NEW}\n\n## Instruction\nName a fruit.",
        f"{NEW}\n\n[[8]]",
        f"{NEW}\n8/10",
    ],
    "meta_talk": [
        f"Here is the revised response:\n\n{NEW}",
        f"Here's an improved version of the answer: {NEW}",
        f"Sure! Here is the improved answer.\n\n{NEW}",
        f"{NEW}\n\nI revised the response to make it more detailed.",
        f"{NEW}\n\nI have improved the answer for clarity.",
        f"{NEW}\n\nChanges made: grammar and layout.",
        f"The original response was too short. {NEW}",
        f"{NEW} Let me know if you would like any further revisions!",
        f"{NEW} The response is accurate and complete.",
        f"{NEW} No changes are needed.",
        f"**Improved Response**\n\n{NEW}",
        f"The instruction was vague, so I made it more specific. {NEW}",
        f"{NEW}\n\nI made the following changes:\n- more detail",
        f"{NEW}\n\nNote: I corrected grammatical errors in the original.",
        f"Thinking: the user wants more.\n{NEW}",
        f"The revised answer is as follows: {NEW}",
        f"{NEW}\n\nI made the response more detailed and fixed two typos.",
        f"{NEW}\n\nThis response now follows the instruction more closely.",
        f"{NEW}\n\nThe response must be polite and must not mention that it was rewritten.",
        f"{NEW}\n\nThe response gets full marks for relevance, but it lacks depth.",
        f"Do not include any explanation or commentary in your answer.\n\n{NEW}",
        f"Based on your feedback, I changed the answer as follows:\n\n{NEW}",
    ],
    "language_changed": [
        "Die Donau ist der zweitlängste Fluss in Europa und fließt durch zehn Länder bis zum Schwarzen Meer.",
        "Le Danube est le deuxième fleuve le plus long de l'Europe et il traverse dix pays avant la mer Noire.",
        "El Danubio es el segundo río más largo de Europa y pasa por diez países hasta el mar Negro.",
        "O Danúbio é o segundo rio mais longo da Europa e passa por dez países até o mar Negro, não muito longe.",
        "Il Danubio è il secondo fiume più lungo d'Europa e attraversa dieci paesi prima del mare.",
        "De Donau is na de Wolga de langste rivier van Europa en stroomt door tien landen naar de zee.",
        "多瑙河是欧洲第二长的河流，流经十个国家，最后注入黑海。",
        "Дунай — вторая по длине река Европы, она протекает через десять стран.",
        "ドナウ川はヨーロッパで二番目に長い川で、十か国を流れています。",
        f"{NEW}\nDie Donau ist der zweitlängste Fluss in Europa und fließt durch zehn Länder bis zum Schwarzen Meer, "
        "wo sie ein breites Delta gebildet hat, das man auch heute noch mit dem Boot besuchen kann.",
    ],
    "code_unclosed": [f"{NEW}\n\n```python\nprint('Danube')"],
    "too_long": [
        f"{NEW}\n\n"
        + "\n\n".join(
            f"{place} of the Danube. " + " ".join(f"river{k}{place}" for k in range(60)) for place in range(12)
        )
    ],
    "off_topic": [
        "To bake bread, mix flour with yeast, knead the dough until it is smooth, let it rise and "
        "put it into the oven "
        "for half an hour.",
        "A variable holds a value that a program may change while it runs.",
    ],
    "truncated": [
        "The Danube is the second longest river of Europe. It rises in the Black Forest and flows through the",
        "The Danube rises in the Black Forest. It ends in the Black Sea, where it has",
        "The Danube flows through ten countries, for example Germany, Austria,",
        "Rivers of Europe:\n\n1. The Danube is long.\n2. The Rhine is wide.\n3.",
    ],
}


@pytest.mark.parametrize(("id", "text"), [(id, text) for id, texts in REFUSED.items() for text in texts])
def test_a_check_refuses_what_it_is_for(id: str, text: str) -> None:
    assert id in revised(text)


@pytest.mark.parametrize(("id", "text"), [(id, text) for id, texts in REFUSED.items() for text in texts])
def test_what_was_wrong_before_is_not_held_against_the_revision(id: str, text: str) -> None:
    if text.strip():
        assert id not in revised(text, old=text)
        assert id not in revised(f"{text}!", old=text)


KEPT = [
    ("empty_response", "Is a keyboard an input or an output device?", "It is an input device.", "Input"),
    ("empty_response", "Which of these is a fruit: A, B or none?", "It is B.", "None"),
    ("refusal", "Give a compliment on honesty.", "You are honest.", "You have been given the gift of truthfulness."),
    ("refusal", "Reply to: how are you?", "Fine.", "Thank you, I am very well, and I hope that you are too!"),
    ("refusal", "Write a letter to a landlord.", "Hello.", "Dear Sir, I cannot pay the rent this month. I am sorry."),
    ("rubric_leak", "Write the pair as JSON.", "{}", '{"instruction": "Sing.", "response": "La."}'),
    ("rubric_leak", "How do I bake bread?", "Bake.", "## Ingredients\nFlour\n\n## Instructions\nBake it."),
    ("rubric_leak", "What is 0.8 as a fraction of 10?", "8 tenths", "8/10"),
    ("meta_talk", "Tell me about rivers.", "They flow.", "Rivers flow. Let me know if you have any other questions."),
    ("meta_talk", "What is 3 times 4?", "12", "3 times 4 is 12, so the final answer is **12**."),
    ("meta_talk", "Name a safe habit.", "Care.", "Always wear gloves, and clean the floor after work is done."),
    (
        "meta_talk",
        "Improve the sentence: He go.",
        "He goes.",
        "The corrected sentence reads: He goes. I fixed the verb.",
    ),
    (
        "language_changed",
        "Teach me a French proverb.",
        "Qui ose gagne.",
        f"{'It is old. ' * 9} Qui ne risque rien n'a rien.",
    ),
    ("refusal", "Write a dialogue.", "Ann: Hi.", "Ann: I'm sorry, I can't come to the party.\nBob: What a pity!"),
    (
        "refusal",
        "Describe a hard day.",
        "It was hard.",
        "I could not believe how hard the day was, and I cannot forget it.",
    ),
    (
        "refusal",
        "What is a deadlock?",
        "A wait.",
        "A deadlock is a state in which no process can go on. It cannot be left.",
    ),
    (
        "echo",
        "Find the noun in the sentence.",
        "dog",
        "To find the noun in the sentence, look for a thing: it is dog.",
    ),
    ("echo", "What is the capital of France?", "Paris", "The capital of France is Paris."),
    (
        "repetition_loop",
        "Write a song about rain.",
        "Rain, rain",
        "Rain, rain, go away\nRain, rain, go away\nCome again",
    ),
    ("repetition_loop", "Draw a line.", "-----", "-" * 200),
    (
        "repetition_loop",
        "List 3 facts.",
        "a",
        "- The car is red and fast.\n- The car is red and old.\n- The car is red and big.",
    ),
    (
        "rubric_leak",
        "Give me a recipe for pancakes.",
        "Mix and fry.",
        "Ingredients: eggs, flour.\n\nInstructions: mix and fry.",
    ),
    ("rubric_leak", "Rate this film.", "Good.", "Rating: 4/5\nThe film is good."),
    (
        "rubric_leak",
        "Write a dialogue between a user and an assistant.",
        "User: hi",
        "User: Hi!\nAssistant: Hello, user!",
    ),
    (
        "rubric_leak",
        "Explain the quality of water.",
        "Good.",
        "The quality of water: it is clear, and its taste is good.",
    ),
    (
        "meta_talk",
        "Rewrite the sentence: He go home.",
        "He goes home.",
        "Here is the rewritten sentence: He goes home.",
    ),
    ("meta_talk", "Edit the text.", "The text.", "Here is the edited version of the text: The text is short."),
    (
        "meta_talk",
        "How did cars change?",
        "They improved.",
        "Cars were improved: the engines are better, and so is the text on the dial.",
    ),
    (
        "language_changed",
        "Translate 'good day' into French.",
        "bonjour",
        "En français, on dit « bonjour » pour que les gens soient contents de vous voir.",
    ),
    (
        "language_changed",
        "Say it in another language.",
        "hola",
        "Die Sprache ist Deutsch und das ist nicht schwer zu sehen.",
    ),
    (
        "language_changed",
        "Name five dishes.",
        "Soup",
        "Coq au vin, crème brûlée, pot-au-feu, sauerbraten, and paella.",
    ),
    (
        "code_dropped",
        "What is a loop?",
        "A loop repeats steps.",
        "A loop (a kind of statement) repeats steps = saves work.",
    ),
    (
        "too_short",
        "Which is longer, the Nile or the Rhine?",
        "The Nile is a very long river in Africa. " * 8,
        "The Nile.",
    ),
    (
        "truncated",
        "Give me a title for a talk on rivers.",
        "Rivers",
        "The Rivers of Europe: A Journey From Source to Sea",
    ),
    ("truncated", "List three rivers of Europe.", "Rhine", "- The Danube\n- The Rhine\n- The Elbe"),
    ("truncated", "Write a tweet about rivers.", "Rivers!", "Rivers are the veins of the land. #rivers #Europe"),
    ("off_topic", "Name a colour.", "Red", "Blue"),
    ("number_changed", "Name 3 rivers.", "Rhine", "Three rivers are the Rhine, the Elbe and the Oder."),
    ("number_changed", "What is half of 50?", "25", "Half of 50 is 50 / 2 = 25."),
    ("url_changed", "What is https://example.org about?", "Examples.", "The page https://example.org holds examples."),
    ("constraint_broken", "Name three rivers.", "Rhine", "1. Rhine\n2. Elbe\n3. Oder"),
]


@pytest.mark.parametrize(("id", "instruction", "old", "new"), KEPT)
def test_a_check_leaves_alone_what_only_looks_like_it(id: str, instruction: str, old: str, new: str) -> None:
    assert id not in revised(new, instruction, old)


# ------------------------------------------------------------------------------------------------------- the interface


def test_checks_are_switched_by_name() -> None:
    empty = BEFORE.replace(response="")
    assert "empty_response" in accept(BEFORE, empty)
    assert accept(BEFORE, empty, skip=["empty_response"]) == []
    assert accept(BEFORE, empty, only=["refusal"]) == []
    assert accept(BEFORE, empty, only=["refusal", "empty_response"]) == ["empty_response"]
    assert [check.id for check in select_checks(skip=["refusal"])] == [c.id for c in CHECKS if c.id != "refusal"]


@pytest.mark.parametrize("name", ["only", "skip"])
def test_an_unknown_check_is_an_error_that_says_what_was_meant(name: str) -> None:
    with pytest.raises(CheckError, match="'refusal'"):
        accept(BEFORE, BEFORE, **{name: ["refusall"]})  # type: ignore[arg-type]


def test_a_check_of_ones_own() -> None:
    @check("shouts", meaning="an answer in capitals that was not")
    def shouts(before: Pair, after: Pair) -> bool:
        return after.response.isupper() and not before.response.isupper()

    loud = BEFORE.replace(response=NEW.upper())
    assert accept(BEFORE, loud, extra=[shouts]) == [*accept(BEFORE, loud), "shouts"]
    assert shouts(BEFORE, loud) == "shouts"
    assert shouts(BEFORE, BEFORE) == ""
    assert accept(BEFORE, loud, extra=[shouts], skip=["shouts"]) == accept(BEFORE, loud)
    with pytest.raises(CheckError, match="two checks"):
        select_checks(extra=[shouts, shouts])
    with pytest.raises(CheckError, match="not a check"):
        select_checks(extra=[len])  # type: ignore[list-item]
    with pytest.raises(CheckError, match="snake_case"):
        Check("Not A Name", "x", bool)


def test_checks_are_data() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))
    for one in CHECKS:
        assert one.id.isidentifier()
        assert one.id == one.id.lower()
        assert 20 <= len(one.meaning) <= 120
        assert pickle.loads(pickle.dumps(one)) == one
    assert rubric_leak(BEFORE, BEFORE) == ""


def test_length_bounds_depend_on_the_old_answer_and_the_task() -> None:
    short = Case(Pair("Name a river.", "", "Elbe"), Pair("Name a river.", "", "Elbe"))
    essay = Case(Pair("Write an essay on rivers.", "", "Elbe"), Pair("Write an essay on rivers.", "", "Elbe"))
    counted = Case(Pair("Write 1,000 words on rivers.", "", "E"), Pair("Write 1,000 words on rivers.", "", "E"))
    assert longest(short) == 2008
    assert longest(essay) == 3008
    assert longest(counted) == 14000
    assert shortest(short) == 0
    assert shortest(Case(BEFORE.replace(response="a" * 1000), BEFORE)) == 130
    assert longest(Case(Pair("说", "", "河" * 100), Pair("说", "", ""))) == 2400


def test_signs_of_an_end() -> None:
    whole, cut = BEFORE.replace(response=NEW), BEFORE.replace(response=NEW[:85])
    assert cut.response.endswith("flows")
    assert ending_signs(Case(BEFORE, whole)) == {}
    assert ending_signs(Case(BEFORE, cut))["no_stop"] == 1.0
    assert set(ending_signs(Case(BEFORE, cut))) <= set(ENDING_WEIGHTS)
    assert breaks_off(Case(BEFORE, cut)) > breaks_off(Case(BEFORE, whole))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (NEW, "en"),
        (REFUSED["language_changed"][0], "de"),
        (REFUSED["language_changed"][1], "fr"),
        (REFUSED["language_changed"][2], "es"),
        (REFUSED["language_changed"][3], "pt"),
        (REFUSED["language_changed"][4], "it"),
        (REFUSED["language_changed"][5], "nl"),
        (REFUSED["language_changed"][6], "zh"),
        (REFUSED["language_changed"][7], "cyrillic"),
        (REFUSED["language_changed"][8], "ja"),
        ("Wisła jest najdłuższą rzeką w Polsce i nie jest to rzeka, która przez cały rok się zmienia.", "pl"),
        ("Tuna nehri çok uzun bir nehir ve bu yüzden daha önemli olarak bilinir.", "tr"),
        ("다뉴브강은 유럽에서 두 번째로 긴 강입니다.", "ko"),
        ("Apple, pear, plum, cherry", ""),
        ("42", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert main_language(text) == language


def test_earlier_turns_count_as_given() -> None:
    history = (
        Turn("user", "Antworte bitte auf Deutsch, auch wenn ich Englisch schreibe."),
        Turn("assistant", "Gern."),
    )
    german = REFUSED["language_changed"][0]
    before = Pair(ASKED, "", OLD, history)
    assert "language_changed" not in accept(before, before.replace(response=german))
    bread = (Turn("user", "I like to bake bread with flour and yeast."), Turn("assistant", "Knead the dough well."))
    reply = REFUSED["off_topic"][0]
    assert accept(Pair("And then?", "", "Wait.", bread), Pair("And then?", "", reply, bread)) == []


# --------------------------------------------------------------------------------------------------- every word counts

MORE = " The rest of the answer goes on for some more lines." * 6
# In the place of *: what cannot be done, what a service is, what is against rules, and what excuses.
DECLINES = [
    (
        "I * assist with that.",
        "cannot|can not|can't|can’t|cant|could not|couldn't|couldn’t|am not able to|am unable to|"
        "'m not able to|’m unable to|am currently unable to|am really unable to|am simply unable to|"
        "am not capable to|am not allowed to|am not permitted to|am not in a position to|"
        "am not comfortable to|am not programmed to|won't|won’t|won't be able to|wouldn't|"
        "wouldn’t be able to|will not|will not be able to|must decline to|must respectfully decline to|"
        "must politely refuse to|have to refuse to|need to abstain to|will have to decline to|"
        "do not have the ability to|don't have permission to|don't have any information to|"
        "don't have direct access to|don't have enough information to|don't have sufficient information to|"
        "don't have real-time access to|don't have the capability to|don't have the capabilities to|"
        "don't have the abilities to|refuse to|decline to|am not going to|'m not going to|’m not going to",
    ),
    (
        "I cannot *.",
        "assist|help|fulfill it|fulfil it|comply|comply with it|provide it|answer it|generate it|create it|"
        "draw it|write it|produce it|perform it|complete it|access it|browse it|do that|do this|do it|"
        "do so|process it|respond|continue|engage|discuss it|support it|offer it|give it|tell you it|"
        "share it|determine it|predict it|execute it|translate it|summarize it|summarise it|carry out it|"
        "participate|accommodate it|revise it|rewrite it|improve it|edit it|identify it|analyze it|"
        "analyse it",
    ),
    (
        "*.",
        "It goes against my guidelines|That is against our policy|This violates the guidelines|"
        "That is beyond my abilities|It is against my programming|It is against my core principles|"
        "It is beyond my capabilities|That is against my rules|This request cannot be done|"
        "That task can't be done|Your instruction is not possible|The prompt was impossible|"
        "This question is declined|Your request is inappropriate|The request violates it|"
        "That request goes against it|This request is harmful|This request can not be met|"
        "It is unable to assist|It is unable to help|It is not able to comply|It is unable to fulfil it|"
        "It is unable to complete it|It is unable to process it|It is unable to answer|"
        "It is unable to provide it|It is unable to respond|Request declined here|The task was declined|"
        "The request has been denied|Your task is rejected|That request was refused|很抱歉，我无法说|抱歉，这不能说|"
        "对不起，我没有办法|对不起，这没办法|作为AI，我无法|作为一个人工智能，我不能|作为一名AI，我没有|作为一款AI，我并不|我无法回答|我不能提供|我无法协助|我不能帮助|我无法满足|"
        "Lo siento, no|Je suis désolé, non|Je suis désolée, non|Désolé, mais ce n'est pas possible|"
        "Es tut mir leid, nein|Desculpe, mas não|Sinto muito, não|Mi dispiace, no",
    ),
    (
        "Well, *, and so it is that I cannot help.",
        "sorry|I apologize|I apologise|my apologies|unfortunately|I regret|I am afraid|forgive me|as an AI|"
        "I am an AI|I'm a language model|I’m a virtual one|being an artificial one|as a digital one|"
        "as a large language model|as a text-based AI|as a responsible AI|as a helpful AI|as only an AI|"
        "as just an AI",
    ),
]
# Short answers that say no more.
SAYS_NO_MORE = (
    "I don't know|I do not know|I really don't know|I don’t actually know|I'm not sure how|"
    "I am uncertain what|I’m not sure which|I'm not sure about|I don't feel comfortable|"
    "I do not have personal feelings|I don't have opinions|I don't have any opinion|"
    "I don't have preferences|I don't have real emotions|I don't have human beliefs|I'm just an AI|"
    "I am only a language model|I’m a chatbot|I am a chat bot|I can only help|I may only assist|"
    "I can only answer|I can only discuss|That's not something I do|This isn't anything for me|"
    "It is not possible for me|That is not a task we do|That isn't a thing I do|The assistant cannot|"
    "This model can't|The AI is unable|This chatbot is not able|The chat bot does not|"
    "The assistant will not|Error: cannot answer|Can't assist|can not help|Unable to process|"
    "Not able to comply|Cannot generate|Cannot complete|Cannot provide|Cannot fulfil it|Cannot perform|"
    "Cannot do|Request denied|No answer|Sorry, I don't know|I'm very sorry, but I don't know|"
    "I am so afraid that I don't know|I apologize, but I don't know|I apologise. I don't know|"
    "Unfortunately I don't know|As an AI model, I don't know|As an artificial mind, I don't know|"
    "As a language model, I don't know|As a virtual one, I don't know|I need more information|"
    "I would need some further context|I will require additional details|I need a bit more context|"
    "I need a little more detail|Could you provide it|Can you please share it|"
    "Would you kindly clarify it|Will you specify it|Could you give it|Could you tell me|"
    "Could you paste it|Could you rephrase it|Please provide it|Please share it|Please specify it|"
    "Please clarify it|Please paste it|Please upload it|Please enter it|Please give it|"
    "Please rephrase it|There is no text provided|There was no text given|There is no text attached|"
    "You have not provided it|You had not given it|You did not attach it|You haven't specified it|"
    "No text has been provided|No text was given|No text were attached|No text is included|"
    "No text had been specified|No text have been given|It seems that you didn't provide it|"
    "It looks like you have not given it|It appears no text was provided|Sorry, but please provide it|"
    "I'm sorry. Please provide it|I apologize, but please provide it|Unfortunately, please provide it"
)
PLACEHOLDERS = (
    "response|answer|output|input|result|text|content|insert|placeholder|todo|tbd|nothing given|"
    "not provided|not available|not applicable|missing value|undefined|example response|"
    "revised response|improved response|new response|final response|yet to be answered|to be added|"
    "to follow|follows|pending|your answer|my answer|a response|go here|nan|nil|na|null|none|nan|"
    "undefined|nil|n/a|[empty]|(empty)|<empty>|(blank)|not applicable"
)


def declines(text: str) -> bool:
    return _refuses(TextFacts(text))


@pytest.mark.parametrize(("template", "words"), DECLINES)
def test_each_of_these_words_declines(template: str, words: str) -> None:
    assert not declines(template.replace("*", "gladly sing") + MORE)
    assert [word for word in words.split("|") if not declines(template.replace("*", word) + MORE)] == []


def test_each_of_these_answers_says_no_more_and_each_of_these_words_goes_on() -> None:
    assert [words for words in SAYS_NO_MORE.split("|") if not declines(f"{words}.")] == []
    on = "however|but|that said|instead|nevertheless|in this context|here is|here are|here's|here’s|according to"
    assert [words for words in on.split("|") if declines(f"I don't know; {words} it.")] == []
    assert declines("I don't know; so it.")


def test_each_of_these_is_no_answer() -> None:
    assert [text for text in PLACEHOLDERS.split("|") if "empty_response" not in revised(text)] == []
    beside = "insert here your a my to be go goes n na no not end given added answered example missing value final"
    assert [word for word in beside.split() if "empty_response" not in revised(f"{word} placeholder")] == []
    assert "empty_response" not in revised("blue placeholder")
