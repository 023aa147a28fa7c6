"""Linear layers in eight bits on a processor, by torch's own dynamic quantization: not exact.

Weights have one scale for each output; inputs get theirs when they are computed, one for all that goes through a layer
at once. Whatever else is in the same forward would therefore change a row's numbers: each sequence goes by itself.
Embeddings, norms, attention and the head stay in float32.
"""

import warnings
from typing import Any

from hfclean.models.failures import ModelError

INT8 = "int8"  # as a `dtype`


def in_eight_bits(model: Any, name: str) -> Any:
    """The model, with its linear layers replaced. Its weights must be in float32 on a processor.

    Raises:
        ModelError: it lies elsewhere, or has no such layers.
    """
    import torch

    if (device := next(model.parameters()).device.type) != "cpu":
        raise ModelError(f"dtype='int8' runs on a processor, and {name} is on {device}; add device='cpu'")
    _plain_linear(model)
    head = model.get_output_embeddings()
    layers = [n for n, m in model.named_modules() if type(m) is torch.nn.Linear and m is not head]
    if not layers:
        raise ModelError(f"dtype='int8': {name} has no linear layers beside its head; leave dtype out")
    ways: Any = torch.ao.quantization
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says where this will move to
        return ways.quantize_dynamic(model, dict.fromkeys(layers, ways.per_channel_dynamic_qconfig), inplace=True)


def is_in_eight_bits(model: Any) -> bool:
    """Whether a model has such layers."""
    import torch

    return any(isinstance(module, torch.ao.nn.quantized.dynamic.Linear) for module in model.modules())


def _plain_linear(model: Any) -> None:
    """GPT-2 keeps the weights of its linear layers the other way around, as layers of another name."""
    import torch
    from transformers.pytorch_utils import Conv1D

    found = [(m, name, c) for m in model.modules() for name, c in m.named_children() if type(c) is Conv1D]
    for module, name, layer in found:
        linear = torch.nn.Linear(*layer.weight.shape)
        linear.weight = torch.nn.Parameter(layer.weight.detach().t().contiguous(), requires_grad=False)
        linear.bias = layer.bias
        setattr(module, name, linear.eval())
