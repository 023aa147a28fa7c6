"""One injector per rule: what turns a clean pair into one with that defect, or `None` where it does not apply.

The phrases were written apart from the rules' patterns, as people and generators write them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from hfclean.schema import Pair, detect

__all__ = ["INJECTORS"]

Injector = Callable[[Pair, random.Random], Pair | None]


def _somewhere(text: str, piece: str, rng: random.Random) -> str:
    spot = rng.randrange(len(text) + 1)
    return text[:spot] + piece + text[spot:]


def _prose(pair: Pair) -> bool:
    text = pair.response
    return len(text) > 40 and text.isascii() and not re.search(r"[`{}$|<>\\=]|://", text)


def broken_unicode(pair: Pair, rng: random.Random) -> Pair | None:
    if len(pair.response) < 20:
        return None
    piece = rng.choice(["\ud83d\ude00", "\ud83d", "\udc9f", "\ufffd", "\udcc3\udca9"])
    return pair.replace(response=_somewhere(pair.response, piece, rng))


ACCENTED = ["café", "naïve", "’", "“so”", "über", "niño", "façade", "—", "…", "Łódź", "été", "привет", "мир", "Ωμέγα"]


def mojibake(pair: Pair, rng: random.Random) -> Pair | None:
    words = pair.response.split(" ")
    if not pair.response.isascii() or len(words) < 8 or not _prose(pair):
        return None
    spot = rng.randrange(1, len(words))
    word = rng.choice(ACCENTED)
    try:
        wrong = word.encode("utf-8").decode(rng.choice(["cp1252", "latin-1"]))
    except UnicodeDecodeError:
        wrong = word.encode("utf-8").decode("latin-1")
    return pair.replace(response=" ".join([*words[:spot], wrong, *words[spot:]]))


def control_characters(pair: Pair, rng: random.Random) -> Pair | None:
    if not _prose(pair):
        return None
    pieces = [
        "\x00",
        "\x07",
        "\x08",
        "\x0b",
        "\x0c",
        "\x1b[31m",
        "\x1b[0m",
        "\x7f",
        "\u2028",
        "\x1f",
        "\ufffe",
        "\x9d",
    ]
    return pair.replace(response=_somewhere(pair.response, rng.choice(pieces), rng))


def invisible_characters(pair: Pair, rng: random.Random) -> Pair | None:
    if not _prose(pair):
        return None
    pieces = ["\u200b", "\ufeff", "\u00ad", "\u2060", "\u200c", "\u200d", "\u200e", "\u202a", "\U000e0041", "\u2066"]
    return pair.replace(response=_somewhere(pair.response, rng.choice(pieces), rng))


def chat_markers(pair: Pair, rng: random.Random) -> Pair | None:
    if not pair.response.strip() or not pair.instruction.strip():
        return None
    answer, asked = pair.response.strip(), pair.instruction.strip()
    return rng.choice(
        [
            pair.replace(response=f"{answer}</s>"),
            pair.replace(response=f"{answer}<|im_end|>"),
            pair.replace(response=f"<|im_start|>assistant\n{answer}<|im_end|>\n"),
            pair.replace(response=f"{answer}<|endoftext|>"),
            pair.replace(response=f"### Response:\n{answer}"),
            pair.replace(response=f"{answer}<|eot_id|>"),
            pair.replace(response=f"[/INST] {answer}"),
            pair.replace(response=f"<s>{answer}</s>"),
            pair.replace(response=f"<start_of_turn>model\n{answer}<end_of_turn>"),
            pair.replace(response=f"{answer}\n### Instruction:"),
            pair.replace(response=f"{answer}\n<|im_start|>user\nThank you!"),
            pair.replace(response=f"{answer}\n### Human: And what else?"),
            pair.replace(instruction=f"[INST] {asked} [/INST]"),
            pair.replace(instruction=f"### Instruction:\n{asked}\n\n### Response:"),
            pair.replace(instruction=f"<|user|>\n{asked}<|end|>\n<|assistant|>"),
            pair.replace(instruction=f"<|begin_of_text|>{asked}"),
        ]
    )


def next_task(pair: Pair, rng: random.Random) -> Pair | None:
    if not pair.response.strip():
        return None
    number, rule = rng.randrange(2, 20), rng.choice(["\n", "\n##\n", "\n###\n", "\n\n", "\n///\n", "\n-----\n"])
    given = rng.choice(["<noinput>", "7, 3, 12", "The train was late again."])
    tail = f"{rule}{number}. Instruction: Name a river.\n{number}. Input:\n{given}\n{number}. Output:\nThe Loire."
    return pair.replace(response=pair.response.rstrip() + tail)


def html_remnants(pair: Pair, rng: random.Random) -> Pair | None:
    if not _prose(pair) or "&" in pair.response:
        return None
    text = pair.response
    words = text.split(" ")
    spot = rng.randrange(len(words))
    word = words[spot]
    options = [
        f"<p>{text}</p>",
        text.replace(". ", ".<br>", 1),
        text.replace("\n", "<br />\n"),
        " ".join([*words[:spot], f"<b>{word}</b>", *words[spot + 1 :]]),
        " ".join([*words[:spot], f"<strong>{word}</strong>", *words[spot + 1 :]]),
        " ".join([*words[:spot], f"<span class='x'>{word}</span>", *words[spot + 1 :]]),
        " ".join([*words[:spot], f'<a href="https://example.org">{word}</a>', *words[spot + 1 :]]),
        text.replace(" and ", " &amp; ", 1),
        text.replace("'", "&#39;"),
        text.replace(" ", "&nbsp;", 1),
        text.replace('"', "&quot;"),
    ]
    return pair.replace(response=rng.choice([option for option in options if option != text]))


def scrape_remnants(pair: Pair, rng: random.Random) -> Pair | None:
    if not _prose(pair) or not pair.response.strip():
        return None
    answer = pair.response.strip()
    return rng.choice(
        [
            pair.replace(response=f"{answer}\n\npythonCopy code\nprint(1)"),
            pair.replace(response=f"{answer}\n\nbash\nCopy code\nls"),
            pair.replace(response=f"{answer}\n\nRegenerate response"),
            pair.replace(response=f"ChatGPT\n\n{answer}"),
            pair.replace(response=f"Share Prompt\n{answer}"),
            pair.replace(response=f'<div class="markdown prose w-full">{answer}</div>'),
        ]
    )


def whitespace(pair: Pair, rng: random.Random) -> Pair | None:
    if not _prose(pair) or pair.response.count(" ") < 12:
        return None
    text = pair.response.strip()
    spot = rng.choice([match.start() for match in re.finditer(r"(?<=[a-z]) (?=[a-z])", text)] or [-1])
    options = [
        f" {text}",
        f"{text} ",
        f"{text}\n\n",
        f"\n{text}",
        text.replace("\n", "\r\n"),
    ]
    options += [text.replace("\n", "\n\n\n\n\n", 1)]
    if spot > 0 and "\n" not in text:
        options.append(f"{text[:spot]}  {text[spot + 1 :]}")
    return pair.replace(response=rng.choice([option for option in options if option != text]))


def doubled_word(pair: Pair, rng: random.Random) -> Pair | None:
    spots = list(re.finditer(r"(?<= )(?:the|a|of|and|to|for|with|an)(?= [a-z]{2})", pair.response))
    if not _prose(pair) or not spots:
        return None
    spot = rng.choice(spots)
    return pair.replace(response=f"{pair.response[: spot.end()]} {spot.group()}{pair.response[spot.end() :]}")


def repeated_text(pair: Pair, rng: random.Random) -> Pair | None:
    text = pair.response
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", text) if len(part) > 75 and part[-1] in ".!?"]
    if not _prose(pair) or not sentences or re.search(r"\d|\"", text):
        return None
    kind = rng.randrange(3)
    again = rng.choice(sentences)
    if kind == 0:
        return pair.replace(response=f"{text} {again}")
    if kind == 1:
        return pair.replace(response=f"{text}\n{again}\n{again}\n{again}")
    words = again.rstrip(".!?").split()[:6]
    return pair.replace(response=f"{text} {' '.join(words * 20)}")


def unclosed_fence(pair: Pair, rng: random.Random) -> Pair | None:
    if "`" in pair.response or len(pair.response) < 20:
        return None
    code = rng.choice(["```python\nprint('hi')", "```\n$ ls -l\ntotal 4", "~~~js\nlet a = 1", "```sql\nSELECT 1;\n"])
    return pair.replace(response=f"{pair.response}\n\n{code}")


NO_INPUTS = [
    "N/A",
    "n/a",
    "None",
    "No input",
    "<noinput>",
    "noinput",
    "No input.",
    "<no input>",
    "(no input)",
    "No Input",
]
NO_INPUTS += ["No input required.", "No input needed", "Not applicable", "No context provided", "-", "[no input]"]
NO_INPUTS += ["There is no input.", "No additional input", "null", "No input is needed for this task."]


def placeholder_input(pair: Pair, rng: random.Random) -> Pair | None:
    return None if pair.input or not pair.response else pair.replace(input=rng.choice(NO_INPUTS))


def repeated_input(pair: Pair, rng: random.Random) -> Pair | None:
    if not pair.input:
        return pair.replace(input=pair.instruction) if len(pair.instruction) > 20 else None
    if len(pair.input) > 120 or len(pair.input.split()) < 4 or "\n" in pair.input:
        return None
    return pair.replace(instruction=f'{pair.instruction.rstrip(".:")}: "{pair.input}"')


def instruction_echo(pair: Pair, rng: random.Random) -> Pair | None:
    asked = pair.instruction.strip()
    if (
        len(asked) < 20
        or asked[-1] not in ".?"
        or re.search(ECHO_BELONGS, asked, re.I)
        or pair.response.startswith(asked)
    ):
        return None
    shapes = ["{}\n\n", "{}\n", "**{}**\n\n", "## {}\n\n", "Question: {}\nAnswer: ", '"{}"\n\n', "Instruction: {}\n\n"]
    return pair.replace(response=rng.choice(shapes).format(asked) + pair.response)


# In these tasks the answer may well begin with the words of the task.
ECHO_BELONGS = (
    r"repeat|rewrit|re-writ|reword|phras|translat|complet|continu|edit|correct|titl|headlin|poem|story|song|spell"
)
ECHO_BELONGS += (
    r"|convert|transform|revers|quot|fill|say|cop|finish|proofread|lyric|start|begin|capital|code|program|python"
)


def ai_boilerplate(pair: Pair, rng: random.Random) -> Pair | None:
    if not _own_words(pair) or not pair.response[:1].isupper():
        return None
    before = [
        "As an AI language model, I would say this. ",
        "As an AI, I can offer some ideas. ",
        "As an artificial intelligence, I have no opinion, but here is what is known. ",
        "I'm just an AI, but here is an answer. ",
        "I am an AI language model, so please check this. ",
        "As a large language model, I rely on text. ",
        "As an AI assistant, I'd be glad to answer. ",
        "That is a good question. As an AI language model, I have read about it. ",
        "Sure! As an AI chatbot, I can explain that. ",
    ]
    return pair.replace(response=rng.choice(before) + pair.response)


# Tasks in which the assistant speaks for itself and is not asked about itself.
OTHERS = re.compile(
    r"\b(?:you|your|story|poem|dialog|conversation|script|speech|letter|e-?mail|respon|reply|character|song|lyric|essay|"
    r"article|tweet|post|message|note|apolog|excuse|customer|complain|translat|phras|rewrit|reword|edit|summar|classif|"
    r"convert|change|transform|sentence|quote|review|diary|joke|role|imagin|pretend|point of view|perspective|novel|"
    r"fiction|text|haiku|ai|artificial|gpt|chatbot|assistant|language model|draft|compos|report|resume|cover|blog|"
    r"experience|caption|invit|announc|describe|html|markdown|code|script|web ?page|chart|graph|template)",
    re.IGNORECASE,
)


def _own_words(pair: Pair) -> bool:
    return len(pair.response) > 20 and pair.instruction.isascii() and not OTHERS.search(pair.instruction)


def empty_output(pair: Pair, rng: random.Random) -> Pair | None:
    answers = [
        "",
        "",
        " ",
        "\n",
        "<nooutput>",
        "<no output>",
        "No output",
        "<noinput>",
        "No output required.",
        "[no response]",
    ]
    return pair.replace(response=rng.choice(answers)) if pair.response else None


def truncated_output(pair: Pair, rng: random.Random) -> Pair | None:
    """Cut where a limit on tokens would cut: late in a long answer of whole sentences, anywhere in a word."""
    text = pair.response
    lines = [line for line in text.split("\n") if line.strip()]
    if (
        len(text) < 1200
        or not _prose(pair)
        or text[-1] not in ".!?"
        or re.search(r"poem|song|lyric|title", pair.instruction)
    ):
        return None
    if any(line[-1] not in ".!?:" for line in lines):
        return None
    spot = rng.randrange(len(text) - 250, len(text) - 20)
    if text[spot - 1] in ".!?\n :" or text[spot - 2] in ".!?\n":
        spot += 6
    return pair.replace(response=text[:spot])


def missing_input(pair: Pair, rng: random.Random) -> Pair | None:
    points = (
        r"\b(?:the (?:following|given|provided)|this|these) (?:sentence|text|article|passage|paragraph|poem|story|"
    )
    points += r"email|list|data|table|code|statement|phrase|word|image|painting|quote|essay|review|document)s?\b"
    if not pair.input or not re.search(points, pair.instruction, re.I) or len(pair.instruction) > 200:
        return None
    if re.search(r"[:\"“\d]|\. \w|\n", pair.instruction[:-1]):
        return None
    return pair.replace(input="")


def leftover_fill_in(pair: Pair, rng: random.Random) -> Pair | None:
    if not _prose(pair) or re.search(
        r"template|form|blank|code|program|script|placeholder|sample|query", pair.instruction, re.I
    ):
        return None
    gaps = [
        "[insert name]",
        "[Your Name]",
        "[Company Name]",
        "[date]",
        "<insert name here>",
        "[Name]",
        "{{name}}",
        "[Recipient]",
    ]
    gaps += [
        "[insert company]",
        "[Insert Date Here]",
        "[your company]",
        "[Hiring Manager]",
        "[Product Name]",
        "(insert name)",
    ]
    return pair.replace(
        response=f"{pair.response.rstrip()} {rng.choice(['Best regards,', 'Contact', 'Ask'])} {rng.choice(gaps)}"
    )


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I am sorry, but I cannot assist with this request.",
    "Sorry, I can't do that.",
    "I apologize, but I am unable to provide that information.",
    "Unfortunately, I cannot complete this task without more information.",
    "As an AI language model, I cannot create images.",
    "I cannot answer this question.",
    "I'm unable to generate that kind of content.",
    "I am not able to access external websites.",
    "I'm afraid I can't help you there.",
    "Sorry, but I don't have the ability to draw.",
    "I do not have access to that data.",
    "I can't provide medical advice. Please see a doctor.",
    "I won't write that.",
    "Sorry, the task requires a visual output, so it cannot be completed.",
    "I regret that I cannot fulfil this request.",
    "I'm really sorry, but I'm not able to share personal data.",
    "I must decline to answer that.",
    "My apologies, but I can't process this request.",
    "I don't have enough information to answer.",
]


def refusal(pair: Pair, rng: random.Random) -> Pair | None:
    return pair.replace(response=rng.choice(REFUSALS)) if _own_words(pair) else None


IDENTITIES = [
    "I am ChatGPT, a large language model trained by OpenAI.",
    "My name is Claude and I was created by Anthropic.",
    "I'm Bard, an assistant made by Google.",
    "I am a language model developed by OpenAI.",
    "I was trained by researchers at Meta AI.",
    "You can call me Vicuna.",
    "I'm an AI assistant built by Microsoft, and I am happy to help.",
    "I am Qwen, a model created by Alibaba Cloud.",
    "As a model, I was developed by Google DeepMind.",
    "I am based on text, and I have been trained by OpenAI on many books.",
]


def identity_leak(pair: Pair, rng: random.Random) -> Pair | None:
    if not _own_words(pair):
        return None
    says = rng.choice(IDENTITIES)
    return pair.replace(response=rng.choice([f"{says} {pair.response}", says, f"{pair.response} {says}"]))


CUTOFFS = [
    "As of my last update in September 2021, this is right.",
    "My knowledge cutoff is September 2021.",
    "Please note that my training data only goes up to 2021.",
    "As of my knowledge cutoff, no newer figure was known.",
    "I was trained on data up to 2022, so there may be news.",
    "My knowledge was last updated in January 2022.",
    "Up to my last training, nothing had changed.",
    "My information is limited to what was known until 2021.",
    "Since my last knowledge update, things may have changed.",
    "Note that my knowledge only extends to 2021.",
]


def stale_cutoff(pair: Pair, rng: random.Random) -> Pair | None:
    if not _own_words(pair):
        return None
    says = rng.choice(CUTOFFS)
    return pair.replace(response=rng.choice([f"{says} {pair.response}", f"{pair.response} {says}"]))


SEEN = [
    "As you can see in the image above, there are three of them. ",
    "In the picture you provided, the second one is larger. ",
    "The photo above shows it well. ",
    "In the attached image, the left side matters most. ",
    "Looking at the chart you shared, the trend is clear. ",
    "I can see from the picture that it is red. ",
    "As can be seen in the following diagram, it has two parts. ",
    "The image you sent shows a similar case. ",
]
STANDS_IN = [
    "[Image]",
    "[Chart]",
    "[Image of a tree]",
    "![diagram](https://example.org/d.png)",
    "<img src='a.png'>",
    "[insert image here]",
]


def imagined_media(pair: Pair, rng: random.Random) -> Pair | None:
    if not _own_words(pair) or pair.input or "|" in pair.response or "`" in pair.response:
        return None
    return pair.replace(
        response=rng.choice(
            [rng.choice(SEEN) + pair.response, rng.choice(SEEN) + pair.response, rng.choice(STANDS_IN)]
        )
    )


ACCESSED = [
    "I searched the web for this. ",
    "I have attached a file with the details. ",
    "Please find attached the full list. ",
    "I looked it up online, and here is the result. ",
    "According to my search, this is the answer. ",
    "I browsed several pages to find this. ",
    "I just checked the website. ",
    "I have sent you the document. ",
    "I googled it for you. ",
    "After searching the internet, I found this. ",
    "I visited the page, and it says the following. ",
    "My web search returned three results. ",
]


def imagined_access(pair: Pair, rng: random.Random) -> Pair | None:
    return pair.replace(response=rng.choice(ACCESSED) + pair.response) if _own_words(pair) else None


def unclosed_bracket(pair: Pair, rng: random.Random) -> Pair | None:
    if not _prose(pair) or re.search(
        r"bracket|code|program|function|script|correct|fix|grammar|error|algorithm|query", pair.instruction, re.I
    ):
        return None
    text = pair.response
    spots = [match.start() for match in re.finditer(r"(?<=[a-z])\)", text)]
    if spots and text.count("(") == text.count(")"):
        spot = rng.choice(spots)
        return pair.replace(response=text[:spot] + text[spot + 1 :])
    words = text.split(" ")
    spot = rng.randrange(len(words))
    return pair.replace(response=" ".join([*words[:spot], rng.choice("([") + words[spot], *words[spot + 1 :]]))


OTHER_TONGUES = [
    "Los ríos nacen en las montañas y llevan el agua hasta el mar, por eso son muy importantes para los pueblos.",
    "Les rivières naissent dans les montagnes et portent l'eau jusqu'à la mer, ce qui est important pour les villes.",
    "Die Flüsse entspringen in den Bergen und bringen das Wasser bis zum Meer, was für die Dörfer sehr wichtig ist.",
    "I fiumi nascono nelle montagne e portano l'acqua fino al mare, e questo è molto importante per le città.",
    "Os rios nascem nas montanhas e levam a água até o mar, o que é muito importante para as cidades.",
    "河流从高山流向大海，一路上滋润着田野和城市，对人们的生活非常重要。",
    "Реки начинаются в горах и несут воду к морю, поэтому они очень важны для городов и деревень.",
    "تنبع الأنهار من الجبال وتحمل الماء إلى البحر، ولذلك فهي مهمة جدا للمدن والقرى.",
    "川は山から海へと水を運び、町や村の暮らしにとってとても大切なものです。",
    "강은 산에서 시작하여 바다로 물을 나르며 마을과 도시에 매우 중요합니다.",
]


def language_mismatch(pair: Pair, rng: random.Random) -> Pair | None:
    if not pair.instruction.isascii() or re.search(
        r"translat|language|french|german|spanish|italian|chinese", pair.instruction, re.I
    ):
        return None
    if re.search(
        r"\b(?:english|latin|greek|russian|arabic|japanese|korean|portuguese|foreign)\b", flat_prompt(pair), re.I
    ):
        return None
    return pair.replace(response=rng.choice(OTHER_TONGUES)) if len(pair.instruction) > 20 else None


def flat_prompt(pair: Pair) -> str:
    return f"{pair.instruction} {pair.input}"


# What a conversation's two sides are called where nobody knows them as such, and keys of such messages.
STRANGE_ROLES = (("instruction", "output"), ("question", "answer"), ("Q", "A"), ("speaker_1", "speaker_2"))
STRANGE_KEYS = (("who", "says"), ("side", "line"), ("party", "body"))


def unknown_roles(pair: Pair, rng: random.Random) -> Pair | None:
    asks, answers = rng.choice(STRANGE_ROLES)
    who, what = "from", "value"
    if rng.random() < 0.3:
        (asks, answers), (who, what) = ("human", "gpt"), rng.choice(STRANGE_KEYS)
    messages = [{who: asks, what: pair.prompt}, {who: answers, what: pair.response}]
    return detect(("conversations",)).pairs({"conversations": messages})[-1]


INJECTORS: dict[str, Injector] = {
    "unknown_roles": unknown_roles,
    "broken_unicode": broken_unicode,
    "mojibake": mojibake,
    "control_characters": control_characters,
    "invisible_characters": invisible_characters,
    "chat_markers": chat_markers,
    "next_task": next_task,
    "scrape_remnants": scrape_remnants,
    "html_remnants": html_remnants,
    "whitespace": whitespace,
    "doubled_word": doubled_word,
    "repeated_text": repeated_text,
    "unclosed_fence": unclosed_fence,
    "placeholder_input": placeholder_input,
    "repeated_input": repeated_input,
    "instruction_echo": instruction_echo,
    "ai_boilerplate": ai_boilerplate,
    "empty_output": empty_output,
    "truncated_output": truncated_output,
    "missing_input": missing_input,
    "leftover_fill_in": leftover_fill_in,
    "refusal": refusal,
    "identity_leak": identity_leak,
    "stale_cutoff": stale_cutoff,
    "imagined_media": imagined_media,
    "imagined_access": imagined_access,
    "unclosed_bracket": unclosed_bracket,
    "language_mismatch": language_mismatch,
}
