"""Weighted layers of a program (convolution, linear), and access to their constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.nn import functional as F
from torchao.quantization.pt2e import ObserverBase

from edgekit.passes.module_patterns import module_path

aten = torch.ops.aten
CONVOLUTIONS: dict[Any, int] = {aten.conv1d.default: 1, aten.conv2d.default: 2}
"""Convolutions, with their number of spatial axes."""


@dataclass(frozen=True)
class WeightedLayer:
    """A convolution (1-D or 2-D) or linear with a constant weight that no other layer shares."""

    node: Node
    weight: Node
    bias: Node | None
    observer: str | None
    """Name of the module that observes the weight; None in a program that was not prepared, or if it stays in float."""

    @property
    def name(self) -> str:
        return module_path(self.node) or self.node.name

    @property
    def source(self) -> Node:
        """Node whose activation the layer reads."""
        source = self.node.args[0]
        assert isinstance(source, Node)
        return source

    @property
    def is_linear(self) -> bool:
        return self.node.target is aten.linear.default

    @property
    def groups(self) -> int:
        return 1 if self.is_linear else int(_argument(self.node, 6, 1))


def layers(module: GraphModule) -> list[WeightedLayer]:
    """Weighted layers, in the order of computation."""
    candidates = [_layer(module, node) for node in module.graph.nodes if _is_weighted(node)]
    return [layer for layer in candidates if layer]


def _is_weighted(node: Node) -> bool:
    return node.op == "call_function" and (node.target in CONVOLUTIONS or node.target is aten.linear.default)


def _layer(module: GraphModule, node: Node) -> WeightedLayer | None:
    weight, observer = _constant(module, node.args[1])
    bias, _ = _constant(module, _argument(node, 2, None))
    return WeightedLayer(node, weight, bias, observer) if weight else None


def _constant(module: GraphModule, node: Any) -> tuple[Node | None, str | None]:
    """Constant behind an argument, and its observer; both None if another layer reads it too."""
    observer = None
    if isinstance(node, Node) and node.op == "call_module" and len(node.users) == 1:
        observer, node = str(node.target), node.args[0]
        if not isinstance(module.get_submodule(observer), ObserverBase):
            return None, None
    if not isinstance(node, Node) or node.op != "get_attr" or len(node.users) != 1:
        return None, None
    twins = [other for other in module.graph.nodes if other.op == "get_attr" and other.target == node.target]
    return (node, observer) if len(twins) == 1 else (None, None)


def _argument(node: Node, index: int, default: Any) -> Any:
    return node.args[index] if len(node.args) > index else default


def value(module: GraphModule, constant: Node) -> Tensor:
    """Tensor that a `get_attr` node reads."""
    path, _, name = str(constant.target).rpartition(".")
    tensor: Tensor = getattr(module.get_submodule(path), name)
    return tensor.detach()


def replace(module: GraphModule, constant: Node, tensor: Tensor) -> None:
    """Make `constant` read a new tensor, float32 of the same shape.

    The old one, which others may hold, is not changed.
    """
    path, _, name = str(constant.target).rpartition(".")
    owner = module.get_submodule(path)
    if name in owner._parameters:
        setattr(owner, name, nn.Parameter(tensor.contiguous(), requires_grad=False))
    else:
        setattr(owner, name, tensor.contiguous())


def rows(layer: WeightedLayer, weight: Tensor, x: Tensor) -> Tensor:
    """Vectors by which the layer multiplies its weights: float32 [groups, N * positions, inputs a weight row].

    x: the layer's input. A convolution reads one vector, an unfolded patch, at each position.
    """
    if layer.is_linear:
        return x.reshape(1, -1, x.shape[-1])
    axes = CONVOLUTIONS[layer.node.target]
    stride, padding, dilation = (
        _axes(_argument(layer.node, 3 + i, default), axes) for i, default in enumerate((1, 0, 1))
    )
    kernel = tuple(weight.shape[2:])
    if axes == 1:
        x, kernel = x.unsqueeze(2), (1, *kernel)
        stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
    patches = F.unfold(x, kernel, dilation, padding, stride)
    split = patches.reshape(len(x), layer.groups, -1, patches.shape[-1])
    return split.permute(1, 0, 3, 2).reshape(layer.groups, -1, split.shape[2])


def _axes(sizes: Any, axes: int) -> tuple[int, ...]:
    values = tuple(sizes) if isinstance(sizes, list | tuple) else (sizes,)
    return tuple(int(number) for number in (values * axes if len(values) == 1 else values))
