"""The training signal: what a trainer writes of every step, whoever's trainer it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from extras import needs

from hfclean.errors import TrainingError
from hfclean.testing_models import tiny_model
from hfclean.training import read_signal, training_signal, tune
from hfclean.training import trainer as trainers

ROWS = [{"prompt": f"Say {k}:", "completion": f" {k} it is" + " so" * (k % 3)} for k in range(12)]
NAMES = [f"row-{k}" for k in range(len(ROWS))]
QUIET: dict[str, Any] = {
    "use_cpu": True,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "optim": "sgd",
    "lr_scheduler_type": "constant",
    "learning_rate": 0.05,
    "dataloader_pin_memory": False,
}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("train", "torch", "transformers", "accelerate", "peft", "trl")
    return tiny_model(tmp_path_factory.mktemp("models") / "base", context=64, spread=0.02)


def encoded(base: Path) -> list[dict[str, list[int]]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    found = []
    for row in ROWS:
        before = tokenizer(row["prompt"])["input_ids"]
        after = [*tokenizer(row["completion"], add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        found.append({"input_ids": before + after, "labels": [-100] * len(before) + after})
    return found


def plain_loop(base: Path, batches: list[list[int]], clip: float | None) -> list[tuple[float, float, int]]:
    """Loss, norm and tokens of every step of stochastic gradient descent, written out."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base).train()
    rows, told = encoded(base), []
    for batch in batches:
        model.zero_grad()
        loss, counted = torch.tensor(0.0), sum(label != -100 for k in batch for label in rows[k]["labels"][1:])
        for k in batch:
            ids, labels = torch.tensor([rows[k]["input_ids"]]), torch.tensor(rows[k]["labels"])
            logits = model(input_ids=ids).logits[0, :-1]
            loss = loss + torch.nn.functional.cross_entropy(logits, labels[1:], ignore_index=-100, reduction="sum")
        loss = loss / counted
        loss.backward()
        norm = torch.sqrt(sum((weight.grad**2).sum() for weight in model.parameters()))
        with torch.no_grad():
            for weight in model.parameters():
                weight -= QUIET["learning_rate"] * weight.grad * (min(1.0, clip / float(norm)) if clip else 1.0)
        told.append((loss.item(), norm.item(), sum(len(rows[k]["input_ids"]) for k in batch)))
    return told


def trainer_of(kind: str, base: Path, out: Path, **settings: Any) -> Any:
    """A trainer that is not ours, with rows in their order."""
    import transformers
    import trl

    settings = QUIET | {"train_sampling_strategy": "sequential", "output_dir": str(out)} | settings
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    if kind == "trl":
        with trainers.quiet():
            args = trl.SFTConfig(**{"max_length": None, "bf16": False} | settings)
        return trl.SFTTrainer(model, args, train_dataset=Dataset.from_list(encoded(base)), processing_class=tokenizer)
    return transformers.Trainer(
        model,
        transformers.TrainingArguments(**settings),
        train_dataset=Dataset.from_list(encoded(base)),
        data_collator=transformers.DataCollatorForSeq2Seq(tokenizer),
    )


@pytest.mark.parametrize(  # every pair of two settings is among them
    ("kind", "accumulated", "clip"),
    [
        ("transformers", 1, 0.5),
        ("transformers", 4, 0.0),
        ("transformers", 4, None),
        ("trl", 4, 0.5),
        ("trl", 1, 0.0),
        ("trl", 1, None),
    ],
)
def test_a_foreign_trainer_tells_what_a_plain_loop_computes(
    base: Path, tmp_path: Path, kind: str, accumulated: int, clip: float | None
) -> None:
    trainer = trainer_of(
        kind,
        base,
        tmp_path / "out",
        per_device_train_batch_size=2,
        gradient_accumulation_steps=accumulated,
        max_grad_norm=clip,
        num_train_epochs=2,
        logging_steps=500,
        include_num_input_tokens_seen="non_padding" if kind == "transformers" and clip else "no",
    )
    trainer.add_callback(training_signal(tmp_path / "signal.jsonl", row_ids=NAMES))
    trainer.train()
    width = 2 * accumulated
    epoch = [list(range(len(ROWS)))[k : k + width] for k in range(0, len(ROWS), width)]
    steps = read_signal(tmp_path / "signal.jsonl", known=NAMES)
    assert [step.step for step in steps] == list(range(1, 2 * len(epoch) + 1))
    assert [step.batch_id for step in steps] == [*range(len(epoch))] * 2
    assert [step.row_ids for step in steps] == [tuple(NAMES[k] for k in batch) for batch in epoch * 2]
    assert {step.lr for step in steps} == {QUIET["learning_rate"]}
    for step, (loss, norm, tokens) in zip(steps, plain_loop(base, epoch * 2, clip), strict=True):
        assert step.loss == pytest.approx(loss, rel=1e-5)
        assert step.grad_norm == pytest.approx(norm, rel=1e-4)
        assert step.tokens == (tokens if kind == "trl" or clip else None)


@pytest.mark.parametrize("at_once", [None, 3])
def test_batches_are_steps_and_rows_that_do_not_fit_fall_out(base: Path, tmp_path: Path, at_once: int | None) -> None:
    rows = [*ROWS, {"prompt": "Long:", "completion": "x " * 90}, {"prompt": "Empty:", "completion": ""}]
    batches = [[4, 0, 12], [12, 13], [7], [3, 1, 2, 11]]
    args = QUIET | {"num_train_epochs": 2} | ({"per_device_train_batch_size": at_once} if at_once else {})
    tuned = tune(rows, base, tmp_path / "out", args=args, batches=batches, signal=tmp_path / "signal.jsonl")
    steps = read_signal(tmp_path / "signal.jsonl")
    assert [(step.batch_id, step.row_ids) for step in steps] == [
        (0, ("4", "0")),
        (2, ("7",)),
        (3, ("3", "1", "2", "11")),
    ] * 2
    assert (tuned.facts["batches"], tuned.facts["batches_left_out"]) == (3, 1)
    assert tuned.tokens == sum(step.tokens or 0 for step in steps)
    told = plain_loop(base, [[4, 0], [7], [3, 1, 2, 11]] * 2, 1.0)
    assert [step.loss for step in steps] == pytest.approx([each[0] for each in told], rel=1e-4)
    assert [step.grad_norm for step in steps] == pytest.approx([each[1] for each in told], rel=1e-4)


def stopped_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    guarded = trainers._class()[0]
    training_step = guarded.training_step

    def stop(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == step:
            raise KeyboardInterrupt
        return training_step(self, *args, **kwargs)

    monkeypatch.setattr(guarded, "training_step", stop)


def test_a_run_that_goes_on_has_every_step_once(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = {"num_train_epochs": 2, "save_strategy": "steps", "save_steps": 2, "disable_tqdm": True}
    batches = [[0, 1], [5, 4, 3], [9]]
    settings: dict[str, Any] = {"args": args, "batches": batches, "row_ids": NAMES}
    tune(ROWS, base, tmp_path / "whole", **settings, signal=tmp_path / "whole.jsonl")
    for step in (1, 3):  # before the first checkpoint, and behind it
        file, cut = tmp_path / f"{step}.jsonl", tmp_path / str(step)
        with monkeypatch.context() as patch:
            stopped_at(patch, step)
            with pytest.raises(KeyboardInterrupt):
                tune(ROWS, base, cut, **settings, signal=file)
        assert len(read_signal(file)) == step
        with file.open("ab") as out:
            out.write(b'{"step": 4, "loss": 1.')  # what a kill in the middle of a line leaves
        tune(ROWS, base, cut, resume=True, **settings, signal=file)
        assert file.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert tune(ROWS, base, cut, resume=True, **settings, signal=file).steps == 6
    with pytest.raises(TrainingError, match="of another kind: other batches"):
        tune(ROWS, base, cut, resume=True, **settings | {"batches": batches[::-1]}, signal=file)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(TrainingError, match="has 5 of the 6 steps"):
        tune(ROWS, base, cut, resume=True, **settings, signal=file)


def test_rows_in_no_known_order_have_no_names(base: Path, tmp_path: Path) -> None:
    tune(ROWS, base, tmp_path / "out", args={"max_steps": 2, "disable_tqdm": True}, signal=tmp_path / "signal.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "signal.jsonl").read_text().splitlines()]
    assert [(line["step"], line["batch_id"], line["row_ids"]) for line in lines] == [(1, None, None), (2, None, None)]


def test_batches_in_order_train_as_reading_in_order_does(base: Path, tmp_path: Path) -> None:
    args: dict[str, Any] = {"num_train_epochs": 2, "disable_tqdm": True, "per_device_train_batch_size": 5}
    batches = [list(range(12))[k : k + 5] for k in range(0, 12, 5)]

    def trained(name: str, args: dict[str, Any], batches: list[list[int]] | None) -> Any:
        signal = tmp_path / f"{name}.jsonl"
        return tune(ROWS, base, tmp_path / name, args=args, batches=batches, row_ids=NAMES, signal=signal)

    one = trained("one", args, batches)
    two = trained("two", args | {"train_sampling_strategy": "sequential"}, None)
    assert (one.steps, one.tokens, one.train_loss) == (two.steps, two.tokens, two.train_loss)
    weights = [(tuned.folder / "model.safetensors").read_bytes() for tuned in (one, two)]
    assert weights[0] == weights[1]
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"batches": []}, "batches is empty; expected one list of indices for every step"),
        ({"batches": [[0], []]}, r"batches\[1\] is empty; expected one index at least"),
        ({"batches": [[0, 12]]}, r"batches\[0\] has 12; expected indices of the 12 rows, 0 to 11"),
        ({"batches": [[-1]]}, r"batches\[0\] has -1"),
        ({"batches": [[True]]}, r"batches\[0\] has True"),
        ({"batches": ["01"]}, r"batches\[0\] is '01'; expected a list of indices"),
        ({"batches": 3}, "batches=3; expected lists of indices"),
        ({"batches": [3]}, r"batches\[0\] is 3; expected a list of indices"),
        ({"batches": [[0]], "args": {"packing": True, "max_length": 64}}, "packing=True does not go with batches="),
        (
            {"batches": [[0]], "args": {"gradient_accumulation_steps": 4}},
            "gradient_accumulation_steps=4 does not go with batches=.*per_device_train_batch_size says how many rows",
        ),
        (
            {"batches": [[0]], "args": {"train_sampling_strategy": "group_by_length"}},
            "train_sampling_strategy='group_by_length' does not go with batches=",
        ),
        ({"batches": [[0]], "args": {"max_length": 3}}, "nothing to train on"),
        ({"row_ids": NAMES}, "row_ids= names rows in the training signal; name its file as well"),
        ({"row_ids": NAMES[1:], "signal": "s.jsonl"}, "row_ids: 11 for 12 rows"),
        ({"row_ids": ["a"] * 12, "signal": "s.jsonl"}, r"row_ids\[1\] is 'a', as is row_ids\[0\]"),
        ({"row_ids": range(12), "signal": "s.jsonl"}, r"row_ids\[0\] is 0; expected a text"),
        (
            {"row_ids": NAMES, "signal": "s.jsonl"},
            "rows that are shuffled have no known step; give batches=",
        ),
    ],
)
def test_what_would_make_batches_or_names_untrue_is_refused(
    base: Path, tmp_path: Path, how: dict[str, Any], said: str
) -> None:
    if "signal" in how:
        how = how | {"signal": tmp_path / how["signal"]}
    with pytest.raises(TrainingError, match=said):
        tune(ROWS, base, tmp_path / "out", **{"args": {"disable_tqdm": True}} | how)


def test_no_row_of_any_batch_fits(base: Path, tmp_path: Path) -> None:
    rows = [*ROWS, {"prompt": "Long:", "completion": "x " * 90}]
    with pytest.raises(
        TrainingError, match=r"batches: none of their rows can be trained on \(12 rows that fit are in"
    ):
        tune(rows, base, tmp_path / "out", args={"disable_tqdm": True}, batches=[[12]])


@pytest.mark.parametrize(
    ("settings", "names", "said"),
    [
        ({"train_sampling_strategy": "random"}, NAMES, "train_sampling_strategy is 'random'"),
        ({"shuffle_dataset": True}, NAMES, "args.shuffle_dataset is on"),
        ({"packing": True, "packing_strategy": "wrapped", "max_length": 64}, NAMES, "args.packing is on"),
        ({}, NAMES[:5], "5 names were given and the trainer has 12 rows"),
    ],
)
def test_names_that_could_be_wrong_are_refused_and_left_out_when_not_given(
    base: Path, tmp_path: Path, settings: dict[str, Any], names: list[str], said: str
) -> None:
    trainer = trainer_of("trl", base, tmp_path / "out", max_steps=1, **settings)
    trainer.add_callback(training_signal(tmp_path / "signal.jsonl", row_ids=names))
    with pytest.raises(TrainingError, match=f"row_ids: {said}, so it is not certain which rows a step has"):
        trainer.train()
    assert not (tmp_path / "signal.jsonl").exists()
    trainer = trainer_of("trl", base, tmp_path / "out", max_steps=1, **settings)
    trainer.add_callback(training_signal(tmp_path / "signal.jsonl"))
    trainer.train()
    assert [step.row_ids for step in read_signal(tmp_path / "signal.jsonl")] == [None]


def test_a_foreign_trainer_stops_early_and_goes_on(base: Path, tmp_path: Path) -> None:
    import transformers

    class Stop(transformers.TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            control.should_training_stop = state.global_step == 5

    def train(name: str, *callbacks: Any, resume: Any = None) -> bytes:
        out = tmp_path / name
        settings = {"save_strategy": "steps", "save_steps": 2, "num_train_epochs": 2}
        trainer = trainer_of("transformers", base, out, per_device_train_batch_size=3, **settings)
        for callback in (training_signal(out / "signal.jsonl", row_ids=NAMES), *callbacks):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=resume and str(out / resume))
        return (out / "signal.jsonl").read_bytes()

    whole, cut = train("whole"), train("cut", Stop())
    assert len(cut.splitlines()) == 5
    assert whole.startswith(cut)
    assert train("cut", resume="checkpoint-2") == whole


def test_a_tuning_that_stops_early_has_the_steps_that_it_took(base: Path, tmp_path: Path) -> None:
    signal, batches = tmp_path / "signal.jsonl", [[0, 1, 2], [3, 4, 5, 6]]
    settings: dict[str, Any] = {"args": {"num_train_epochs": 8, "learning_rate": 3.0, "disable_tqdm": True}}
    settings |= {"peft_config": {"r": 2}, "heldout": ROWS[7:9], "patience": 1, "batches": batches, "signal": signal}
    tuned = tune(ROWS, base, tmp_path / "out", **settings)
    steps = read_signal(signal, known=[str(k) for k in range(7)])
    assert tuned.facts["stopped_early"]
    assert [step.step for step in steps] == list(range(1, tuned.steps + 1))
    assert [step.batch_id for step in steps] == [0, 1] * (tuned.steps // 2)
    assert all(step.grad_norm and step.loss for step in steps)
    assert tune(ROWS, base, tmp_path / "out", **settings, resume=True).steps == tuned.steps


def test_a_batch_is_not_taken_apart_where_its_loss_cannot_be(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = trainers._class()[0]
    monkeypatch.setattr(guarded, "_get_num_items_in_batch", lambda *_: None)
    args = {"disable_tqdm": True, "per_device_train_batch_size": 1}
    with pytest.raises(TrainingError, match="a batch cannot be taken in parts; leave per_device_train_batch_size out"):
        tune(ROWS, base, tmp_path / "out", args=args, batches=[[0, 1]])


def test_a_loss_that_is_no_number_is_null(base: Path, tmp_path: Path) -> None:
    import torch

    trainer = trainer_of("transformers", base, tmp_path / "out", max_steps=1)
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(float("nan"))
    trainer.add_callback(training_signal(tmp_path / "signal.jsonl"))
    trainer.train()
    (step,) = read_signal(tmp_path / "signal.jsonl")
    assert (step.loss, step.grad_norm) == (None, None)


@pytest.mark.parametrize(
    ("rows", "width", "accumulated", "drop_last", "cut"),
    [(11, 2, 4, True, 0), (9, 4, 2, False, 1), (7, 3, 2, True, 2)],
)
def test_the_named_rows_are_those_that_the_model_was_given(
    base: Path, tmp_path: Path, rows: int, width: int, accumulated: int, drop_last: bool, cut: int
) -> None:
    of_tokens = {tuple(row["input_ids"]): name for row, name in zip(encoded(base), NAMES, strict=True)}
    given: dict[int, list[str]] = {}

    def train(resume: Path | None = None, steps: int = -1) -> None:
        trainer = trainer_of(
            "transformers",
            base,
            tmp_path / "out",
            per_device_train_batch_size=width,
            gradient_accumulation_steps=accumulated,
            dataloader_drop_last=drop_last,
            num_train_epochs=3,
            max_steps=steps,
            save_strategy="steps",
            save_steps=1,
        )
        trainer.train_dataset = trainer.train_dataset.select(range(rows))
        training_step = trainer.training_step

        def watched(model: Any, inputs: Any, *args: Any) -> Any:
            for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True):
                given.setdefault(trainer.state.global_step + 1, []).append(of_tokens[tuple(ids[mask.bool()].tolist())])
            return training_step(model, inputs, *args)

        trainer.training_step = watched
        trainer.add_callback(training_signal(tmp_path / "signal.jsonl", row_ids=NAMES[:rows]))
        trainer.train(resume_from_checkpoint=resume and str(resume))

    if cut:
        train(steps=cut)
        train(tmp_path / "out" / f"checkpoint-{cut}")
    else:
        train()
    steps = read_signal(tmp_path / "signal.jsonl", known=NAMES)
    assert len(steps) >= 3
    assert {step.step: list(step.row_ids or ()) for step in steps} == given
