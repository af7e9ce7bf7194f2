"""Operator of an ONNX graph, as the functions that make torch of it see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import UnsupportedModelFile
from edgekit.specs.onnx_operators import edge_name

FIXED = "export it with its free axes dynamic (dynamic_axes, dynamic_shapes), or state one length in [inputs]"


@dataclass(frozen=True)
class GraphValue:
    """A tensor of the graph: its value for the example, which every run has if it is constant."""

    name: str
    example: Any
    """Tensor, or numbers where it is `sizes`; at the greatest lengths where some are free."""
    constant: bool
    shorter: Any = None
    """Value at the least lengths; None where it is the example's."""
    sizes: bool = False
    """It depends on free lengths alone: a number, or a list of numbers (`symbolic_sizes`)."""

    @property
    def at_least(self) -> Any:
        return self.example if self.shorter is None else self.shorter


@dataclass(frozen=True)
class Step:
    """Call of a function or layer on some of an operator's inputs, which gives its outputs in order."""

    call: Callable[..., Any] | nn.Module
    operands: tuple[GraphValue, ...]
    layer_of: str = ""
    """Name of the weight whose owner the layer is; "" for a function."""
    sizes: bool = False
    """It gives numbers, in a tuple of one, not tensors."""


@dataclass(frozen=True)
class OnnxOperator:
    """One node of an ONNX graph with its inputs; an optional input that is left out is None."""

    kind: str
    name: str
    opset: int
    inputs: tuple[GraphValue | None, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int) -> GraphValue:
        """Input by its index. Raises UnsupportedModelFile if it is left out."""
        value = self.inputs[index] if self.has(index) else None
        if value is None:
            raise self.refused(f"lacks its input {index}")
        return value

    def example(self, index: int) -> Tensor:
        tensor: Tensor = self.value(index).example
        return tensor

    def free_axes(self, index: int = 0) -> set[int]:
        """Axes of an input whose lengths are free."""
        value = self.value(index)
        return {
            axis
            for axis, sizes in enumerate(zip(value.example.shape, value.at_least.shape, strict=True))
            if sizes[0] != sizes[1]
        }

    def rank(self, index: int = 0) -> int:
        return self.example(index).dim()

    def is_constant(self, index: int) -> bool:
        value = self.inputs[index] if index < len(self.inputs) else None
        return value is not None and value.constant

    def numbers(self, index: int, name: str = "") -> list[Any] | None:
        """Constant numbers of an input, or of the attribute `name` that older opsets have; None if both are absent.

        Raises UnsupportedModelFile if the input depends on the data.
        """
        if not self.has(index):
            values = self.attributes.get(name)
            return None if values is None else list(values) if isinstance(values, list | tuple) else [values]
        if not self.is_constant(index):
            raise self.refused(f"takes '{name or index}' from the data: shapes would change from sample to sample")
        return list(self.example(index).reshape(-1).tolist())

    def call(self, function: Callable[..., Any], *indices: int) -> Step:
        """Step that calls `function` on the inputs with these indices."""
        return Step(function, tuple(self.value(index) for index in indices))

    def layer(self, layer: nn.Module, weight: int, index: int = 0) -> Step:
        """Step that calls a layer, made with the weight at index `weight`, on the input at `index`."""
        return Step(layer.train(False), (self.value(index),), self.value(weight).name)

    def refused(self, reason: str, hint: str = "") -> UnsupportedModelFile:
        """Error that names the node, by default with a hint to end the network before it."""
        names = [value.name for value in self.inputs if value is not None and not value.constant and not value.sizes]
        ends = ", ".join(f'"{edge_name(name)}"' for name in names)
        hint = hint or f"end the network before it: outputs = [{ends}] in [model], and let `decode` do the rest"
        return UnsupportedModelFile(f"node '{self.name}' ({self.kind}, opset {self.opset}) {reason}", hint=hint)


Maker = Callable[[OnnxOperator], Step]
MAKERS: dict[str, Maker] = {}
"""Function that makes a step of each kind of operator."""


def makes(*kinds: str) -> Callable[[Maker], Maker]:
    """Register a function as the maker of the steps of these operators."""

    def register(maker: Maker) -> Maker:
        MAKERS.update(dict.fromkeys(kinds, maker))
        return maker

    return register


def axes_of(numbers: Sequence[Any], rank: int) -> list[int]:
    """Axes as numbers from 0, sorted."""
    return sorted(int(axis) % rank for axis in numbers)


def parameter(tensor: Tensor) -> nn.Parameter:
    """Parameter of a layer; it is trained where its values are floating-point."""
    return nn.Parameter(tensor.detach().contiguous().clone(), tensor.is_floating_point())


DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip
"""Types of torch by the numbers of TensorProto.DataType."""
