"""Network that an ONNX graph is imported as: calls of torch's functions and of layers, in order."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Call:
    """Call of a layer by its path in the network, or of a function, with the names of its operands and outputs."""

    function: Callable[..., Any] | None
    layer: str
    operands: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxNetwork(nn.Module):
    """Network that runs calls in order. It returns a dict of its outputs by name."""

    def __init__(self, inputs: Sequence[str]) -> None:
        """inputs: names in the graph, in the order in which the network takes them."""
        super().__init__()
        self.inputs = tuple(inputs)
        self.outputs: dict[str, str] = {}
        """Names in the graph by the names that the network gives its outputs."""
        self.calls: list[Call] = []
        self.constants: dict[str, str] = {}
        """Paths of parameters and buffers by their names in the graph."""

    def forward(self, *values: Tensor) -> dict[str, Tensor]:
        named: dict[str, Any] = dict(zip(self.inputs, values, strict=True))
        named.update((name, self._tensor(path)) for name, path in self.constants.items())
        left = Counter(name for call in self.calls for name in call.operands)
        left.update(self.outputs.values())
        for call in self.calls:
            operands = [named[name] for name in call.operands]
            function = call.function or self.get_submodule(call.layer)
            results = function(*operands)
            parts = results if isinstance(results, tuple | list) else (results,)
            named.update(zip(call.outputs, parts, strict=False))
            left.subtract(call.operands)
            for name in set(call.operands):
                if not left[name]:
                    del named[name]  # so that activations are not held to the end
        return {name: named[inner] for name, inner in self.outputs.items()}

    def _tensor(self, path: str) -> Tensor:
        tensor: Tensor = getattr(self, path)
        return tensor


def layer_path(weight: str, node: str) -> str:
    """Path of a layer: the owner of its weight as torch named it, `block.conv` of `block.conv.weight`, or its node."""
    owner, _, last = weight.rpartition(".")
    if owner and last.startswith("weight") and re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", owner):
        return owner
    return re.sub(r"\W+", "_", node).strip("_") or "layer"


def free_path(network: nn.Module, path: str) -> str:
    """Path at which nothing stands: `path`, or one with a number behind it."""
    candidates = itertools.chain([path], (f"{path}_{number}" for number in itertools.count(2)))
    return next(each for each in candidates if not _occupied(network, each))


def _occupied(network: nn.Module, path: str) -> bool:
    for part in path.split("."):
        if not hasattr(network, part):
            return False
        network = getattr(network, part)
        if type(network) is not nn.Module:
            return True
    return True


def place_layer(network: nn.Module, path: str, layer: nn.Module) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        if parent not in network._modules:
            network.add_module(parent, nn.Module())
        network = network.get_submodule(parent)
    network.add_module(last, layer)
