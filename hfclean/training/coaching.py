"""Train a reviser from pairs, as CoachLM did, with everything needed to load it.

coach = hfclean.train_reviser("expert_revisions.jsonl", "org/base", folder="coach", preset="modern")
ds = ds.map(coach, batched=True)
hfclean.push_reviser(coach, "me/coach")
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hfclean.errors import TrainingError
from hfclean.records.reviser import write_reviser
from hfclean.reviser.coach import Reviser, coach_conversation
from hfclean.reviser.codec import FIELDS, encode
from hfclean.reviser.prompts import WORDINGS, Wording
from hfclean.reviser.proposals import Task
from hfclean.reviser.taught_pairs import pair_hash
from hfclean.schema import Target
from hfclean.training.choice import Chosen, choose_pairs
from hfclean.training.pairs import Revisions, Sides, pair_of, revision_pairs
from hfclean.training.presets import Preset, preset_of
from hfclean.training.tuning import Tuned, is_main_process, tune

HELDOUT = 0.1


def train_reviser(
    pairs: Any,
    base_model: str | Path,
    args: Any = None,
    peft_config: Any = None,
    alpha: float | None = None,
    preset: str | None = None,
    *,
    folder: str | Path,
    distance_at_most: float | None = None,
    near_identity: float | None = None,
    heldout: Any = HELDOUT,
    patience: int | None = None,
    seed: int = 0,
    resume: bool = False,
    revise: Literal["pair", "response"] | None = None,
    instructions: str | None = None,
    wording: Wording | None = None,
    revision: str | None = None,
    chat_template: str | None = None,
    **settings: Any,
) -> Reviser:
    """Tune a model to revise as people did, and return it as a `Reviser`.

    The model is asked in training exactly as `Reviser` asks it, and only its answer counts in the loss. The folder
    holds weights or adapter, tokenizer, and `hfclean.json` with what the reviser needs and how it was trained: counts,
    thresholds, settings, versions, losses, and the hashes of the pairs that taught it, which it then leaves alone.

    In a run over several GPUs every process calls this: `accelerate launch -m hfclean train ...`.

    Args:
        pairs: the input of `revision_pairs`, or its result.
        base_model: a folder or a Hub id, of model and tokenizer. One without a chat template gets a plain one.
        args: a `trl.SFTConfig`, or a dict of its fields, over those of the preset; see `hfclean.training.tuning.tune`.
        peft_config: a `peft.LoraConfig`, a dict of its fields, or False for none despite the preset.
        alpha: the share of pairs to train on, the most revised first; by default the preset's, or all.
        preset: `coachlm`, the published recipe, `modern`, or `form` for small edits of responses; see
            `hfclean.training.presets`.
        folder: where checkpoints and the reviser go.
        distance_at_most: leave out pairs that were revised more than this share of their raw text, such as 0.3; by
            default the preset's, or none.
        near_identity: the share of training pairs that leave a text as it is. Published pairs have none, and a reviser
            that never saw one rewrites everything.
        heldout: the share of pairs to hold out, by instruction, or your own pairs; 0 for none.
        patience: stop after this many evaluations without a lower held-out loss; see `tune`.
        seed: random seed of the choice of pairs, their order, and new weights.
        resume: go on from the last checkpoint in `folder`, or return the finished result there.
        revise: `"pair"` to teach revising instruction, input and response together, `"response"` the response alone;
            by default the preset's, or `"pair"`.
        instructions: the prompt before each pair, instead of ours.
        wording: `"full"` for our prompt, or `"short"`, which leaves some 150 tokens more for the text; by default the
            preset's, or `"full"`. It travels with the reviser.
        revision: git ref of a Hub id.
        chat_template: for a base without one; see `tune`.
        settings: of the `Reviser`, such as `max_new_tokens`.

    Raises:
        TrainingError: pairs or settings that cannot be used, or a training that stopped; see `tune`.
        ColumnError, SourceError: see `revision_pairs`.
        ModelError: the base cannot be loaded.
    """
    defaults = preset_of(preset)
    revise = defaults.revise if revise is None else revise
    if revise not in ("pair", "response"):
        raise TrainingError(f"revise={revise!r}: expected 'pair' or 'response'")
    wording = wording or ("full" if instructions else defaults.wording)
    if wording not in WORDINGS or (instructions and wording != "full"):
        raise TrainingError(
            f"wording={wording!r}: expected {' or '.join(map(repr, WORDINGS))}, and none beside instructions="
        )
    choice = partial(
        choose_pairs,
        alpha=defaults.alpha if alpha is None else alpha,
        distance_at_most=defaults.distance_at_most if distance_at_most is None else distance_at_most,
        seed=seed,
        revise=revise,
    )
    chosen = _chosen(pairs, choice, defaults.near_identity if near_identity is None else near_identity, heldout)
    if patience is None or (heldout and not chosen.heldout):  # too few pairs to hold any out is not a mistake
        patience = defaults.patience if chosen.heldout else None
    written = partial(as_rows, revise=revise, instructions=instructions, wording=wording)
    tuned = tune(
        written(chosen.train),
        base_model,
        folder,
        args=_over(defaults.args, args),
        peft_config=None if peft_config is False else _over(defaults.peft, peft_config),
        heldout=written(chosen.heldout) if chosen.heldout else None,
        seed=seed,
        resume=resume,
        revision=revision,
        chat_template=chat_template or "auto",
        patience=patience,
    )
    reviser = Reviser(
        str(Path(folder).expanduser()),
        instructions=instructions,
        wording=wording,
        revise=revise,
        trained_on=tuple(sorted({pair_hash(sides.raw) for sides in chosen.train})),
        **settings,
    )
    if is_main_process():
        write_reviser(reviser.about(_facts(chosen, defaults, tuned, base_model)), Path(folder).expanduser())
    return reviser


def as_rows(
    pairs: Iterable[Sides | Mapping[str, Any]],
    *,
    revise: str = "pair",
    instructions: str | None = None,
    wording: Wording = "full",
) -> list[dict[str, Any]]:
    """Pairs as prompts and completions: the question of `Reviser`, and the right answer."""
    fields = FIELDS if revise == "pair" else ("response",)
    rows = []
    for pair in pairs:
        sides = pair if isinstance(pair, Sides) else pair_of(pair)
        task = Task(sides.raw, fields, Target(sides.raw))
        prompt = [turn.as_dict() for turn in coach_conversation(task, instructions, wording)]
        rows.append({"prompt": prompt, "completion": encode(sides.revised, fields)})
    return rows


def training_lines(facts: Mapping[str, Any]) -> dict[str, str]:
    """The facts of a training that `hfclean.json` holds, as lines for a card."""
    pairs, run = facts.get("pairs", {}), facts.get("run", {})
    settings, peft = run.get("settings", {}), run.get("peft", {})
    left = {**pairs.get("left_out", {}), **run.get("left_out", {})}
    lines = {
        "pairs given": pairs.get("given"),
        "pairs trained on": run.get("rows"),
        "of those left as they are": pairs.get("near_identity_rows"),
        "pairs held out": run.get("heldout_rows"),
        "left out": ", ".join(f"{count} {reason}" for reason, count in left.items()),
        "alpha": _alpha(pairs),
        "revised at most": _at_most(pairs),
        "distance of raw and revised text": ", ".join(
            f"{name} {value}" for name, value in pairs.get("distance", {}).items()
        ),
        "preset": facts.get("preset"),
        "adapter": _adapter(peft) if peft else "none: all weights",
        "learning rate": _rate(settings),
        "pairs a step": _step(settings, run),
        "steps": facts.get("steps"),
        "tokens": facts.get("tokens"),
        "training loss": _number(facts.get("train_loss")),
        "held-out loss": _number(facts.get("heldout_loss")),
        "seed": settings.get("seed"),
        "device": run.get("device"),
        "versions": ", ".join(f"{name} {version}" for name, version in run.get("versions", {}).items()),
    }
    return {name: str(value) for name, value in lines.items() if value not in (None, "", {})}


def _chosen(pairs: Any, choice: Callable[..., Chosen], still: Any, heldout: Any) -> Chosen:
    if not isinstance(still, (int, float)):
        raise TrainingError(f"near_identity={still!r}: expected a share of at least 0 and below 1")
    share = heldout if isinstance(heldout, (int, float)) and not isinstance(heldout, bool) else 0.0
    found = choice(_rows(pairs, still > 0), near_identity=still, heldout=share)
    if heldout is None or heldout is False or (isinstance(heldout, (int, float)) and heldout is not True):
        return found
    given_heldout = tuple(pair_of(row) for row in _rows(heldout, True))
    taught = {pair_hash(sides.raw) for sides in found.train}
    both = sum(pair_hash(sides.raw) in taught for sides in given_heldout)
    if both:
        raise TrainingError(
            f"heldout=: {both} of its {len(given_heldout)} pairs are also trained on, and would prove nothing; remove "
            "them from one of the two, or give a share: heldout=0.1"
        )
    return replace(found, heldout=given_heldout, facts={**found.facts, "heldout": len(given_heldout)})


def _rows(pairs: Any, unchanged: bool) -> Iterable[Mapping[str, Any]]:
    given = pairs if isinstance(pairs, Revisions) else revision_pairs(pairs, unchanged=unchanged)
    if not len(given.rows) and given.left_out:
        why = ", ".join(f"{count} {reason}" for reason, count in given.left_out.items())
        raise TrainingError(f"none of the rows is a pair to learn from ({why}); see hfclean.revision_pairs")
    rows: Iterable[Mapping[str, Any]] = given.rows
    return rows


def _over(preset: Mapping[str, Any] | None, given: Any) -> Any:
    """The caller's settings over the preset's; a whole configuration replaces the preset."""
    if given is None:
        return dict(preset) if preset else None
    return {**(preset or {}), **given} if isinstance(given, Mapping) else given


def _facts(chosen: Chosen, defaults: Preset, tuned: Tuned, base_model: str | Path) -> dict[str, Any]:
    """How the reviser was trained, with nothing about this machine but its devices."""
    run = {key: value for key, value in tuned.facts.items() if not key.endswith("_digest")}
    if Path(base_model).expanduser().is_dir():
        run["base"] = Path(base_model).expanduser().resolve().name
    run["peft"] = {key: value for key, value in run["peft"].items() if key != "base_model_name_or_path"}
    found = {
        "preset": defaults.name,
        "pairs": chosen.facts,
        "run": run,
        "steps": tuned.steps,
        "tokens": tuned.tokens,
        "train_loss": tuned.train_loss,
        "heldout_loss": None if math.isnan(tuned.heldout_loss) else tuned.heldout_loss,
        "seconds": tuned.seconds,
    }
    return found if defaults.name else {key: value for key, value in found.items() if key != "preset"}


def _alpha(pairs: Mapping[str, Any]) -> str:
    if pairs.get("alpha") is None:
        return ""
    return f"{pairs['alpha']}: pairs with a distance of at least {pairs.get('alpha_threshold')} characters"


def _at_most(pairs: Mapping[str, Any]) -> str:
    share = pairs.get("distance_at_most")
    return "" if share is None else f"{share} of the raw text"


def _adapter(peft: Mapping[str, Any]) -> str:
    settings = {"rank": peft.get("r"), "alpha": peft.get("lora_alpha"), "dropout": peft.get("lora_dropout")}
    listed = ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None)
    return f"{peft.get('peft_type', 'adapter')}, {listed}, on {peft.get('target_modules')}"


def _rate(settings: Mapping[str, Any]) -> str:
    schedule = re.sub(r".*\.", "", str(settings.get("lr_scheduler_type", ""))).lower()
    return f"{settings['learning_rate']}, {schedule}" if "learning_rate" in settings else ""


def _step(settings: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    batch = settings.get("per_device_train_batch_size")
    return str(batch * settings.get("gradient_accumulation_steps", 1) * run.get("processes", 1)) if batch else ""


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) and math.isfinite(value) else ""
