"""What declines a task, asks back or says nothing: every word that such answers are known by, and what is none."""

from __future__ import annotations

import pytest

from hfclean.checks import CHECKS, accept
from hfclean.checks.answers import _refuses
from hfclean.checks.check import TextFacts
from hfclean.schema import Pair

ASKED = "Name a river that flows into the North Sea."
RIVER = "The Rhine flows into the North Sea, and so does the Elbe."


def declines(answer: str, asked: str = "") -> bool:
    """Whether the words alone say it; what an answer leaves out is another sign of `refusal`."""
    return _refuses(TextFacts(answer), asked=asked)


# In the place of * each of the words declines, and the word in front of them does not.
DECLINED = [
    (
        "I * share that with you.",
        "gladly",
        "can not|cannot|can't|can’t|cant|could not|couldn't|couldn’t|couldnt|am not able to|'m not able to|"
        "’m not able to|am currently not able to|am really unable to|am simply unable to|am not capable to|"
        "am not allowed to|am not permitted to|am not in a position to|am not comfortable to|am not programmed to|"
        "won't|won’t|wouldn't|wouldn’t|won't be able to|will not|will not be able to|must decline to|"
        "have to decline to|need to decline to|will have to decline to|must respectfully decline to|"
        "must politely refuse to|must abstain from|refuse to|decline to|am not going to|'m not going to|"
        "’m not going to|really cannot|am afraid I cannot|regret that I cannot|feel I cannot|am afraid, cannot",
    ),
    ("* cannot share that.", "They", "I|We|It|I am afraid I|we regret that I"),
    ("We are * to share that.", "happy", "not able|unable|not capable|not allowed|not permitted|not comfortable"),
    ("I * the means to share that.", "found", "do not have|don't have|don’t have|do not possess|don't possess|"
     "do not currently have|don't actually have|don’t actually possess"),
    ("I do not have * access to share that.", "her", "the|any|direct|enough|sufficient|real-time"),
    ("I do not have the * to share that.", "tea", "capability|capabilities|ability|abilities|access|permission|"
     "information|means"),
    ("I do not have the information * it.", "in", "about|for|on|regarding|needed for|required for"),
    (
        "I cannot * it.",
        "sing",
        "assist|help|fulfil|fulfill|comply|complying with|provide|answer|generate|create|draw|write|produce|perform|"
        "complete|access|browse|do that for|do this for|do it for|do so for|process|respond to|continue|engage in|"
        "discuss|support|offer|give|tell you|share|determine|predict|execute|translate|summarise|summarize|"
        "carry out|participate in|accommodate|revise|rewrite|improve|edit|identify|analyse|analyze",
    ),
    ("I am not able * it.", "over", "to share|in helping with|with that|with this|with your|with the|to gladly share"),
    ("I *.", "swim", "cannot|can't|will not|refuse|decline"),
    (
        "A fine task. *, I cannot share it.",
        "Friends",
        "Sorry|I apologise|I apologize|My apologies|Unfortunately|And I regret|I'm afraid|Forgive me|As an AI|"
        "I am an AI|I'm an AI|I’m an AI|Being an AI|As a language model|As an artificial mind|As a virtual helper|"
        "As a digital helper|As only an AI|As just an AI|As a large language model|As a text-based AI|"
        "As a responsible AI|As a helpful AI",
    ),
    ("It would be against * guidelines to say it.", "her", "my|our|the|openai's|openai’s|its|my own very strict"),
    (
        "It would be against my * to say it.",
        "dog",
        "policy|policies|guideline|guidelines|programming|principles|capability|capabilities|scope|abilities|rules",
    ),
    ("To say it * my rules.", "knows", "goes against|violates|would violate|is outside|is outside of|is beyond"),
    ("That is * of what I do here.", "the end", "beyond the scope|outside the scope|outside of the scope"),
    ("That is * .", "the river", "out of scope|outside of scope|beyond scope|out of my scope|beyond our scope"),
    ("* out of scope.", "Mine is", "That is|It's|This is|It falls|Your question is|The request falls|This task is"),
    ("It is out of scope*, and I like it.", " of EU law", "| for me| for us| of what I do| of my work| of our work"),
    ("Well: * cannot be answered.", "a river", "this request|that task|your instruction|the prompt|this question"),
    (
        "Well: this request *.",
        "is fine",
        "can not stand|cannot stand|can't stand|can’t stand|is impossible|was inappropriate|violates it|"
        "goes against it|is harmful|is declined|is not possible|impossible",
    ),
    ("One is unable to * here.", "swim", "assist|help|comply|fulfil|fulfill|complete|process|answer|provide|respond"),
    ("One is not able to * here.", "swim", "help|answer"),
    ("A * here.", "good request", "request has been declined|task was denied|request is rejected|task refused"),
    ("*。", "莱茵河", "很抱歉，我无法说|抱歉,这里不能说|对不起，我没有办法说|对不起，我没办法说|"
     "作为AI，我无法说|作为一个AI我不能说|"
     "作为一名人工智能，我没有河|作为一款人工智能，我并不知道|我无法回答|我不能提供|我无法协助|我无法帮助|我不能满足"),
    ("*, monsieur, señor, caro €.", "Merci", "Lo siento|Je suis désolé|Désolée|Es tut mir leid|Tut mir leid|Desculpe|"
     "Sinto muito|Mi dispiace"),
    (
        "* the river there.",
        "I like",
        "I don't know|I don’t know|I dont know|I do not know|I really do not know|I don't actually know|"
        "I'm not sure what is|I’m not sure how is|I am uncertain which is|I am not sure about|I'm an AI|"
        "I am a language model|I’m just a chatbot|I am only a chat bot|I don't feel comfortable with|"
        "I don't have feelings|I dont have any opinion|I don’t have opinions|I do not have personal preferences|"
        "I do not have real emotions|I do not have human beliefs|I can only help with|I may only assist with|"
        "I can only answer|I can only discuss|That's not something I know:|This is not anything for me:|"
        "It isn't possible for me:|It is not a task for me:|That isn’t a thing I know:|The assistant cannot say|"
        "This model can not say|The AI can't say|The chatbot can’t say|The chat bot is unable to say|"
        "The AI is not able to say|The assistant does not say|The model will not say|Cannot answer:|Can't assist:|"
        "Can’t help:|Can not process:|Unable to comply:|Not able to generate:|Cannot complete:|Cannot provide:|"
        "Cannot fulfil:|Cannot perform:|Cannot do:|Error: cannot answer:|Request denied:|No answer:|"
        "I'm sorry, but I don't know|I am very sorry, I don't know|I'm so afraid that I don't know|"
        "I apologize, but I don't know|I apologise. I don't know|Unfortunately, I don't know|"
        "As an AI model, I don't know|As a language model, I don't know|As an artificial mind, I don't know|"
        "As a virtual helper, I don't know",
    ),
    (
        "* the river?",
        "I like",
        "I need more information on|I require some additional context for|I would need a bit more details on|"
        "I will need a little further detail on|Could you provide|Can you please share|Would you kindly clarify|"
        "Will you specify|Could you give|Could you tell me|Could you paste|Could you rephrase|Please provide|"
        "Please share|Please specify|Please clarify|Please paste|Please upload|Please enter|Please give|"
        "Please rephrase|There is no text provided:|There was no text given:|There was no file attached:|"
        "You have not provided|You had not given|You did not provide|You didn't specify|You didn’t attach|"
        "You were not given|No text has been provided:|No text have been given:|No file was attached:|"
        "No texts were included:|No text is specified:|No text had been given:|It seems that you have not provided|"
        "It looks like you did not give|It appears you didn't include|You haven't specify|Sorry, please provide|"
        "I'm sorry, but please provide|I am sorry. Please provide|I apologise, but please provide|"
        "I apologize. Please provide|Unfortunately, no text was provided:",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("template", "other", "words"), DECLINED)
def test_each_of_these_words_declines(template: str, other: str, words: str) -> None:
    assert not declines(template.replace("*", other))
    assert [word for word in words.split("|") if not declines(template.replace("*", word))] == []


def test_an_answer_that_is_called_one_is_no_refusal() -> None:
    for answer, refused in (
        ("The answer is a heron.", False),
        ("The correct answer was a heron.", False),
        ("The answer is not something I can provide.", True),
        ("I cannot answer this question.", True),
    ):
        row = Pair("Which bird is it?", "", "")
        assert accept(row, row.replace(response=answer), only=["refusal"]) == ["refusal"] * refused, answer


def test_what_comes_behind_makes_a_refusal_an_answer() -> None:
    turns = "however|but|that said|instead|nevertheless|in this context|here is|here are|here's|here’s|according to"
    long = "the Rhine flows into the North Sea. " * 6
    for words in turns.split("|"):
        assert not declines(f"I don't know. {words} the Rhine is one."), words
        assert not declines(f"I cannot share all of them; {words} {long}"), words
        assert declines(f"I cannot share all of them; {words} the Rhine is one."), words
    assert declines("I don't know. So the Rhine is one.")
    assert declines(f"I cannot share all of them; {long}")
    assert not declines(f"I cannot share all of them; {long * 4}")


def test_a_question_of_somebody_in_a_story_is_no_refusal() -> None:
    assert declines("Could you give me the address, please?", "Which way is it?")
    assert not declines("Could you give me the address, please?", "Write a dialogue in a taxi.")
    assert not declines("Dear Ann, I cannot share that with you.")
    assert not declines("Subject: I cannot share that with you.")


def test_each_of_these_stands_for_a_missing_answer() -> None:
    def empty(answer: str, asked: str = "Name rivers.", old: str = RIVER) -> bool:
        return accept(Pair(asked, "", old), Pair(asked, "", answer), only=["empty_response"]) == ["empty_response"]

    printed = "null|none|nan|undefined|nil|n/a|[empty]|(empty)|<empty>|(blank)|not applicable"
    for word in printed.split("|"):
        assert empty(word.upper()), word
        assert not empty(word, f"When is it {word}?"), word
        assert not empty(word, old=f"{word}."), word
    for edge in (".", "(", ")", "[", "]", "<", ">"):
        assert empty(f"{edge}NaN{edge}"), edge
    certain = (
        "response answer output input result text content here insert goes placeholder todo tbd provided available "
        "applicable value given added follow follows pending revised improved end answered go yet"
    )
    for word in certain.split():
        assert empty(f"insert {word}"), word
        assert not empty(f"insert {word} Rhine"), word
    unclear = "a n no not none nothing the to be my your here yet new final of empty blank example missing"
    for word in unclear.split():
        assert empty(f"insert {word}"), word
        assert word in ("none", "nothing") or not empty(f"{word} no"), word
    assert not empty("the answer", "What is the answer?")
    assert not empty("no answer yet", old="the answer")


def test_what_is_found_differently_than_before_has_another_version() -> None:
    versions = {check.id: check.version for check in CHECKS}
    names = ("unfinished", "empty_response", "empty_instruction", "refusal", "echo")
    assert [versions[name] for name in names] == [1, 3, 1, 4, 1]
