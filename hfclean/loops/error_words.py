"""What LLM2LLM asks for and trains with, as data: our words to the teacher, and which numbers are the paper's.

The wording is ours. The teacher sees the question that a student got wrong, its answer, and what the student said.
"""

from __future__ import annotations

from typing import Any, NamedTuple

TASKS = """A language model is trained on tasks like the one below, and needs more of its kind. Write new tasks that \
ask for the same knowledge and the same steps.

- Each is another task: other facts, names, numbers and words, so that its answer is another one.
- Each is as hard as the task below, and in the same form and language. It has one question and one right answer.
- It can be done as it stands. Nothing is left blank, and the answer is not in it."""

ROWS = """Write one row of training data for a language model: the task is given, and you add the rest, in the form \
of the row above it. Work it out with care, and check the result. Speak of the matter alone, never of this request."""

LONGEST_SHOWN = 500  # characters of what a student said


def note_of(key: str, answer: str | None, *, wrong: bool) -> str:
    """What stands beneath a task that is shown to the teacher: its answer, and a student's."""
    parts = [f'Its answer:\n"""\n{key}\n"""']
    if answer is not None:
        said = answer if len(answer) <= LONGEST_SHOWN else f"{answer[:LONGEST_SHOWN]} ..."
        parts.append(f'What the model answers{", which is wrong" if wrong else ""}:\n"""\n{said}\n"""')
    return "\n".join(parts)


class Option(NamedTuple):
    """One number or rule of the method.

    Attributes:
        name: what it is.
        value: ours where nothing else is asked for.
        source: `paper` where it is that of LLM2LLM's paper or scripts, else `ours`.
    """

    name: str
    value: Any
    source: str


ARGS = {
    "num_train_epochs": 3,
    "learning_rate": 2e-5,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.03,  # a share of the steps
    "weight_decay": 0.0,
    "max_length": 1024,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 32,
}
OPTIONS: tuple[Option, ...] = (
    Option("rounds", 10, "paper"),
    Option("the base is trained from scratch in every round", True, "paper"),
    Option("new rows are made after wrong seeds alone, never after made rows", True, "paper"),
    Option("new rows for each wrong seed", 1, "paper"),
    Option("ROUGE-L above which a new question is dropped", 0.95, "paper"),
    Option("the last round makes no rows", True, "paper"),
    Option("temperature of the teacher", 1.0, "paper"),
    Option("top-p of the teacher", 1.0, "paper"),
    Option("most tokens of the teacher", 2149, "paper"),
    *(Option(f"training: {name}", value, "paper") for name, value in ARGS.items()),
    Option("a new question is compared with the rows of earlier rounds as well", True, "ours"),
    Option("question and answer are asked for one after the other, the answer at temperature 0", True, "ours"),
    Option("requests for a wrong seed in one round", 1, "ours"),
    Option("most tokens of the student's answer", 512, "ours"),
    Option("a row of which it cannot be told whether it is right", "counted, and never augmented", "ours"),
    Option("rows of the test set count as a benchmark", True, "ours"),
    Option("a round that brings nothing new ends the loop", True, "ours"),
    Option("times that a wrong row is revised, where there is a reviser", 1, "ours"),
)
