"""The pre-experience of Cherry LLM: a base tuned briefly on a few rows, so that `hfclean.IFD` uses a model that
understands instructions.

    ds = ds.map(hfclean.scorers.Embed("org/base", text="prompt"), batched=True)
    ds = ds.map(hfclean.scorers.Perplexity("org/base", of="prompt"), batched=True)
    picked = ds.select(hfclean.selection.pre_experience(ds, ppl="ppl_prompt"))
    folder = hfclean.training.tune_on_experience(picked, "org/base", folder="experienced")
    ds = ds.map(hfclean.IFD(str(folder), variant="cherry"), batched=True)

The model is tuned on prompts in Alpaca's form, and `variant="cherry"` asks it in the same.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfclean.errors import TrainingError
from hfclean.layout import Layout
from hfclean.schema import Columns
from hfclean.scorers.likelihood_scorer import fill_template
from hfclean.training.tuning import tune

TEMPLATE = "alpaca"  # the prompt that Alpaca's and Cherry's models are tuned with
RECIPE = {
    "num_train_epochs": 1,
    "learning_rate": 2e-5,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.03,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 32,
    "save_strategy": "no",
}


def experience_rows(ds: Any, *, columns: Columns = None) -> list[dict[str, str]]:
    """Rows as prompts in Alpaca's form and completions.

    Raises:
        SchemaError: rows of no known shape.
        TrainingError: rows with earlier turns or a system prompt, which that form cannot hold.
    """
    if isinstance(ds, list):
        from datasets import Dataset

        ds = Dataset.from_list(ds)
    if not len(ds):
        raise TrainingError(
            "no rows were picked; expected some, such as ds.select(hfclean.selection.pre_experience(ds, ...))"
        )
    rows = []
    view = Layout(columns).view(ds.column_names)
    for number, row in enumerate(ds.with_format(None)):
        targets = view.targets(row)
        if len(targets) != 1 or targets[0].pair.history or targets[0].pair.system:
            raise TrainingError(
                f"row {number} has several turns or a system prompt, but Alpaca's form holds one question and "
                "one answer; pick other rows"
            )
        pair = targets[0].pair
        rows.append({"prompt": fill_template(TEMPLATE, pair), "completion": targets[0].answer})
    return rows


def tune_on_experience(
    ds: Any,
    base_model: str | Path,
    *,
    folder: str | Path,
    args: Any = None,
    peft_config: Any = None,
    seed: int = 0,
    resume: bool = False,
    revision: str | None = None,
    columns: Columns = None,
) -> Path:
    """Tune a base for one epoch on a few picked rows, as Cherry LLM does before it scores; returns the folder.

    Prompts are in Alpaca's form with its preamble, which is also that of `hfclean.IFD(folder, variant="cherry")`.
    Cherry's own later work omits this step from LLaMA-2 on: a base that follows instructions needs none.

    Args:
        ds: the picked rows, some 1,000 of them.
        base_model: a folder or a Hub id.
        folder: where the model goes; `hfclean.IFD(folder, variant="cherry")` takes it.
        args: fields of `trl.SFTConfig` over the recipe's (one epoch, 2e-5 with warm-up and a cosine, 128 rows a step),
            or a whole `SFTConfig`.
        peft_config, seed, resume, revision: as `hfclean.training.tuning.tune`.
        columns: of the rows, as every transform takes them.

    Raises:
        TrainingError: see `tune`; or rows of several turns.

    Source: Cherry LLM, arXiv 2308.12032, and tianyi-lab/Cherry_LLM.
    """
    settings = {**RECIPE, **(args or {})} if args is None or isinstance(args, Mapping) else args
    tuned = tune(
        experience_rows(ds, columns=columns),
        base_model,
        folder,
        args=settings,
        peft_config=peft_config,
        seed=seed,
        resume=resume,
        revision=revision,
    )
    return tuned.folder
