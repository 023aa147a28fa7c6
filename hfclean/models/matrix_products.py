"""Products of matrices on a processor: the same numbers as torch's own way within rounding, and sooner.

Linear layers in float32 go to MKL by default, which leaves a third or more of some processors idle, most of all at the
wide head of a language model. oneDNN, which torch also brings, takes the weights as they lie and needs no more memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any


@cache
def _mode() -> Callable[[], AbstractContextManager[Any]]:
    import torch
    from torch.overrides import TorchFunctionMode

    linear, product, onednn = torch.nn.functional.linear, torch.addmm, torch.ops.mkldnn._linear_pointwise

    def fits(x: Any, weight: Any, bias: Any) -> bool:
        if not (weight.dtype == x.dtype == torch.float32 and weight.dim() == 2 <= x.dim() and x.numel()):
            return False
        return bias is None or (bias.dtype == torch.float32 and bias.dim() == 1)

    class ThroughOneDNN(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if not kwargs:
                if func is linear and len(args) > 1 and fits(args[0], args[1], args[2] if len(args) > 2 else None):
                    x, weight, bias = (*args, None)[:3]
                    return onednn(x, weight, bias, "none", [], "")
                if func is product and len(args) == 3 and fits(args[1], args[2], args[0]):
                    bias, x, weight = args
                    return onednn(x, weight.t(), bias, "none", [], "")
            return func(*args, **(kwargs or {}))

    return ThroughOneDNN


def through_onednn(wanted: bool = True) -> AbstractContextManager[Any]:
    """Within the block, and in this thread, linear layers in float32 are computed by oneDNN. For inference only.

    Raises:
        AttributeError: this torch comes without it.
    """
    return _mode()() if wanted else nullcontext()


@contextmanager
def fused_activations(model: Any) -> Iterator[Callable[[], None]]:
    """GELU by its tanh formula in one step instead of the eight in which transformers writes it out.

    Yields a function that keeps it so; without a call to it, the model is at the end of the block what it was before.
    """
    import torch
    from transformers.activations import NewGELUActivation

    found = [
        (module, name, child)
        for module in model.modules()
        for name, child in module.named_children()
        if type(child) is NewGELUActivation
    ]
    kept = False

    def keep() -> None:
        nonlocal kept
        kept = True

    for module, name, child in found:
        setattr(module, name, torch.nn.GELU(approximate="tanh").train(child.training))
    try:
        yield keep
    finally:
        if not kept:
            for module, name, child in found:
                setattr(module, name, child)
