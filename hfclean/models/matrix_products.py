"""Products of matrices on a processor: the same numbers as torch's own way within rounding, and sooner.

Linear layers in float32 go to MKL by default, which leaves a third or more of some processors idle, most of all at the
wide head of a language model; on others it is oneDNN, which torch also brings, that is slower by as much or, with
weights as GPT-2 lays them out, by far more. So both are measured with each shape and layout of weights. Either takes
the weights as they lie and needs no more memory.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, NamedTuple

from hfclean.models.fastest import fastest

ROWS = 128  # of the matrix by which weights are multiplied when the ways are measured
WORK = 4_000_000  # weights that take part in that: a few milliseconds


class Product(NamedTuple):
    """A kind of linear layer: what torch is asked for, and how its weights lie."""

    call: str  # linear or addmm
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@cache
def _mode() -> Callable[..., AbstractContextManager[Any]]:
    import torch
    from torch.overrides import TorchFunctionMode

    linear, product, onednn = torch.nn.functional.linear, torch.addmm, torch.ops.mkldnn._linear_pointwise

    def fits(x: Any, weight: Any, bias: Any) -> bool:
        if not (weight.dtype == x.dtype == torch.float32 and weight.dim() == 2 <= x.dim() and x.numel()):
            return False
        return bias is None or (bias.dtype == torch.float32 and bias.dim() == 1)

    class ThroughOneDNN(TorchFunctionMode):
        def __init__(self, only: Collection[Product] | None, seen: dict[Product, Any]) -> None:
            self.only = only
            self.seen = seen

        def takes(self, call: str, x: Any, weight: Any, bias: Any) -> bool:
            if not fits(x, weight, bias):
                return False
            found = Product(call, tuple(weight.shape), weight.stride())
            if self.only is None:
                self.seen[found] = weight
            return self.only is None or found in self.only

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if not kwargs:
                if func is linear and len(args) > 1:
                    x, weight, bias = (*args, None)[:3]
                    if self.takes("linear", x, weight, bias):
                        return onednn(x, weight, bias, "none", [], "")
                if func is product and len(args) == 3:
                    bias, x, weight = args
                    if self.takes("addmm", x, weight, bias):
                        return onednn(x, weight.t(), bias, "none", [], "")
            return func(*args, **(kwargs or {}))

    return ThroughOneDNN


def through_onednn(
    only: Collection[Product] | None = None, seen: dict[Product, Any] | None = None
) -> AbstractContextManager[Any]:
    """Within the block, and in this thread, linear layers in float32 are computed by oneDNN. For inference only.

    Args:
        only: which of them; None for all.
        seen: is filled with those that came by and one of their weights, where all are meant.

    Raises:
        AttributeError: this torch comes without it.
    """
    if only is not None and not only:
        return nullcontext()
    return _mode()(only, {} if seen is None else seen)


def sooner_through_onednn(products: Mapping[Product, Any]) -> frozenset[Product]:
    """Those products, of these weights, that oneDNN computes sooner than torch by itself."""
    import torch

    linear, onednn = torch.nn.functional.linear, torch.ops.mkldnn._linear_pointwise

    def ways(call: str, weight: Any) -> dict[str, Callable[[], Any]]:
        wide = weight if call == "linear" else weight.t()  # outputs first
        wide = wide[: max(512, WORK // wide.shape[1])]
        x, bias = wide.new_ones(ROWS, wide.shape[1]), wide.new_zeros(wide.shape[0])
        own = {"linear": lambda: linear(x, wide), "addmm": lambda: torch.addmm(bias, x, wide.t())}[call]
        return {"torch": own, "oneDNN": lambda: onednn(x, wide, bias, "none", [], "")}

    named = {f"{p.call} {p.shape} as {p.stride}": p for p in products}
    with torch.inference_mode():
        found = fastest({name: ways(p.call, products[p]) for name, p in named.items()})
    return frozenset(p for name, p in named.items() if found[name] == "oneDNN")


def fused_is_faster() -> bool:
    """Whether GELU in one step takes less time than written out."""
    import torch
    from transformers.activations import NewGELUActivation

    x, written, fused = torch.ones(ROWS, 3072), NewGELUActivation(), torch.nn.GELU(approximate="tanh")
    question = "gelu"
    with torch.inference_mode():
        ways = {"written out": lambda: written(x), "fused": lambda: fused(x)}
        return fastest({question: ways})[question] == "fused"


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
