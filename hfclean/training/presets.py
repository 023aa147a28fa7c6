"""Published settings, and a reasonable start, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from hfclean.errors import TrainingError
from hfclean.reviser.prompts import Wording


@dataclass(frozen=True)
class Preset:
    """Settings for `train_reviser`; the caller's come first.

    Attributes:
        name: of the preset.
        source: where they come from.
        args: fields of `trl.SFTConfig`.
        peft: fields of `peft.LoraConfig`; none for tuning all weights.
        alpha, distance_at_most, near_identity, patience, revise, wording: as `train_reviser` takes them.
    """

    name: str
    source: str
    args: Mapping[str, Any] = field(default_factory=dict)
    peft: Mapping[str, Any] | None = None
    alpha: float | None = None
    distance_at_most: float | None = None
    near_identity: float = 0.0
    patience: int | None = None
    revise: Literal["pair", "response"] = "pair"
    wording: Wording = "full"


def _preset(name: str, source: str, *, args: dict[str, Any], peft: dict[str, Any], **more: Any) -> Preset:
    return Preset(name, source, MappingProxyType(args), MappingProxyType(peft), **more)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "coachlm": _preset(
            "coachlm",
            "CoachLM, arXiv 2311.13246, and the README and training code of lunyiliu/CoachLM: LoRA of rank 64, alpha "
            "32 and dropout 0.1 on all linear modules of the blocks, 2e-4 with a cosine, 7 epochs of batches of 32, "
            "the 30 % most revised pairs. Its 512 + 512 tokens cut texts; here longer pairs are left out and counted.",
            args={
                "learning_rate": 2e-4,
                "lr_scheduler_type": "cosine",
                "num_train_epochs": 7,
                "per_device_train_batch_size": 32,
                "gradient_accumulation_steps": 1,
            },
            peft={"r": 64, "lora_alpha": 32, "lora_dropout": 0.1, "target_modules": "all-linear"},
            alpha=0.3,
        ),
        "modern": _preset(
            "modern",
            "A start of hfclean's own, measured on no published set: LoRA of rank 16 on all linear modules, 2e-4 with "
            "warm-up and a cosine, at most 3 epochs of 16 pairs a step, all pairs, one training pair in five left as "
            "it is, and an end when the held-out loss rises.",
            args={
                "learning_rate": 2e-4,
                "lr_scheduler_type": "cosine",
                "warmup_steps": 0.03,
                "num_train_epochs": 3,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 4,
            },
            peft={"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"},
            near_identity=0.2,
            patience=1,
        ),
        "form": _preset(
            "form",
            "A start of hfclean's own for small edits of form, which a base of 135M did not learn well enough "
            "(benchmarks/README.md). The response alone, pairs in which at most 30 % of it changed, three training "
            "pairs in ten left as they are, the short prompt, LoRA of rank 16 on all linear modules, 2e-4 with "
            "warm-up and a cosine, at most 3 epochs of 16 pairs a step, and an end when the held-out loss rises.",
            args={
                "learning_rate": 2e-4,
                "lr_scheduler_type": "cosine",
                "warmup_steps": 0.03,
                "num_train_epochs": 3,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 4,
            },
            peft={"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"},
            distance_at_most=0.3,
            near_identity=0.3,
            patience=1,
            revise="response",
            wording="short",
        ),
    }
)


def preset_of(name: str | None) -> Preset:
    """The preset of this name; an empty one for None.

    Raises:
        TrainingError: an unknown name.
    """
    if name is None:
        return Preset("", "")
    if name not in PRESETS:
        raise TrainingError(f"preset={name!r}: expected one of {', '.join(PRESETS)}, or none")
    return PRESETS[name]
