"""What a tuning needs, before it starts: memory by counting, time by a short measurement on this machine."""

import time
from dataclasses import asdict, dataclass
from typing import Any

GB = 1e9
REACHED = 0.35  # share of the speed of matrix products that training usually reaches


@dataclass(frozen=True)
class TrainingEstimate:
    """The approximate needs of a tuning on each device, within a factor of two or so.

    Attributes:
        memory_gb: weights, gradients, optimizer and activations, in 10^9 bytes.
        minutes: at the speed of this machine; without saving and evaluating.
        steps: of the optimizer.
        tokens: of all passes.
    """

    memory_gb: float
    minutes: float
    steps: int
    tokens: int

    def __str__(self) -> str:
        memory = f"{self.memory_gb:.1f} GB" if self.memory_gb >= 0.1 else "under 0.1 GB"
        spent = f"{self.minutes / 60:.1f} h" if self.minutes >= 90 else f"{max(self.minutes, 0.1):.1f} min"
        return f"about {memory} of memory and {spent} for {self.steps:,} steps over {self.tokens:,} tokens"

    def as_dict(self) -> dict[str, float]:
        """The figures, rounded."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def estimate_training(
    model: Any, args: Any, *, trained: int, total: int, rows: int, tokens: int, longest: int
) -> TrainingEstimate:
    """Estimate memory and time.

    Args:
        model: as the trainer holds it.
        args: the `SFTConfig`.
        trained, total: weights that are trained, and all.
        rows, tokens: in one pass.
        longest: tokens of the longest row.
    """
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    states = 12 * trained  # a gradient and the two moments of Adam, in 32 bits
    batch = args.per_device_train_batch_size
    per_step = batch * args.gradient_accumulation_steps * args.world_size
    spare = bool(getattr(args, "activation_checkpointing", None) or args.gradient_checkpointing)
    steps = args.max_steps if args.max_steps > 0 else max(1, -(-rows // per_step)) * args.num_train_epochs
    seen = tokens * steps * per_step / max(rows, 1)
    work = (2 + 2 + 2 * trained / max(total, 1) + (2 if spare else 0)) * total * seen / args.world_size
    memory = weights + states + _activations(model, args, batch * longest, spare)
    seconds = work / (REACHED * _speed(model, args))
    return TrainingEstimate(memory / GB, seconds / 60, round(steps), round(seen))


def _activations(model: Any, args: Any, tokens: int, spare: bool) -> float:
    """Bytes that the backward pass keeps: some 34 half-precision values a token and layer, or two if it makes them
    again (Korthikanti et al., arXiv 2205.05198), and the logits."""
    config = model.config.get_text_config()
    width = 1 if args.bf16 or args.fp16 else 2
    layers = getattr(config, "num_hidden_layers", 1)
    hidden = getattr(config, "hidden_size", 1)
    kept = (2 * layers + 34) if spare else 34 * layers
    return float(width * kept * hidden * tokens + 4 * min(tokens, 4096) * getattr(config, "vocab_size", 0))


def _speed(model: Any, args: Any) -> float:
    """Operations a second of one matrix product, measured for a moment on the device that trains."""
    import torch

    size = 4096 if args.device.type == "cuda" else 384
    dtype = torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else torch.float32
    one = torch.ones(size, size, device=args.device, dtype=dtype)
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        total = float((one @ one)[0, 0])  # waits for the device
        spent = time.perf_counter() - started
        best = max(best, 2 * size**3 / max(spent, 1e-9) if total else 0.0)
    return best or 1.0
