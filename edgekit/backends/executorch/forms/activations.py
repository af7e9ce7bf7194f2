"""PReLU away from pictures, and GELU by tanh, of the activations that XNNPACK has."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from edgekit.backends.executorch.forms.form import Form, Rule, arguments, is_float
from edgekit.frontend.computed_weights import tensor

aten = torch.ops.aten
PICTURE = 4
"""Number of axes of the tensors for which XNNPACK has a PReLU."""


def prelu(x: Tensor, slopes: Tensor) -> Tensor:
    """PReLU (He et al. 2015); slopes: broadcast against `x`."""
    return torch.relu(x) - slopes * torch.relu(-x)


def gelu_by_tanh(x: Tensor) -> Tensor:
    """GELU's approximation by tanh (Hendrycks and Gimpel 2016), 4.8e-4 from GELU at most.

    Written out because executorch 1.5.1 runs XNNPACK's other GELU, by the error function, in its place.
    """
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
    return 0.5 * x * (1.0 + torch.tanh(inner))


def _prelu(module: GraphModule, node: Node) -> Form | None:
    x, weight = node.args[:2]
    if not isinstance(x, Node) or not isinstance(weight, Node) or weight.op != "get_attr" or not is_float(x):
        return None
    rank = x.meta["val"].dim()
    if rank in (1, PICTURE):
        return None
    return Form(prelu, (x, tensor(module, weight).reshape(-1, *[1] * (rank - 2))))


def _gelu(module: GraphModule, node: Node) -> Form | None:
    values = arguments(node)
    return Form(gelu_by_tanh, (values["self"],)) if values["approximate"] == "tanh" and is_float(node) else None


RULES: dict[object, Rule] = {aten.prelu.default: _prelu, aten.gelu.default: _gelu}
