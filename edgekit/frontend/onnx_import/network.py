"""Network of an ONNX graph: its nodes become calls of torch, folded where they depend on shapes and constants alone."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.frontend.onnx_import.operator import MAKERS, GraphValue, OnnxOperator, Step
from edgekit.frontend.onnx_import.protobuf import attributes_of, tensors_of

NOISE = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")


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
        named: dict[str, Tensor] = dict(zip(self.inputs, values, strict=True))
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


class Importer:
    """Import of a graph's nodes, one by one: each runs once on the example, and stays if it depends on the input."""

    def __init__(self, network: OnnxNetwork, opset: int, known: Mapping[str, GraphValue]) -> None:
        """known: inputs with their examples, and initializers."""
        self.network, self.opset = network, opset
        self.known = dict(known)
        self._products: dict[str, nn.Linear] = {}
        """Linear layers without a bias, by their outputs."""
        self._aliases: dict[str, str] = {}
        self._uses: Counter[str] = Counter()

    def run(self, graph: Any) -> None:
        """Import the nodes of a GraphProto, or of a FunctionProto.

        Raises UnsupportedModelFile that names the node.
        """
        self._uses.update(name for node in graph.node for name in node.input)
        self._uses.update(output.name for output in graph.output)
        for number, node in enumerate(graph.node):
            name = node.name or f"{node.op_type}_{number}"
            inputs = tuple(self.known.get(each) for each in node.input)
            op = OnnxOperator(node.op_type, name, self.opset, inputs, tuple(node.output), attributes_of(node))
            if op.kind == "If" and op.is_constant(0):
                self._branch(op)
                continue
            self._import(op)

    def _branch(self, op: OnnxOperator) -> None:
        """Import the branch of an `If` whose condition is known."""
        graph = op.attributes["then_branch" if bool(op.example(0)) else "else_branch"]
        self.known.update((name, GraphValue(name, tensor, True)) for name, tensor in tensors_of(graph).items())
        self.run(graph)
        for outer, inner in zip(op.outputs, graph.output, strict=True):
            self.known[outer] = self.known[inner.name]

    def _import(self, op: OnnxOperator) -> None:
        if op.kind in NOISE:
            raise op.refused("draws random numbers", hint="export the network in evaluation mode: network.eval()")
        maker = MAKERS.get(op.kind)
        if maker is None:
            raise op.refused("is an operator that edgekit's importer lacks")
        try:
            step = maker(op)
            with torch.no_grad():
                results = step.call(*(value.example for value in step.operands))
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise op.refused(f"cannot be computed by torch: {type(error).__name__}: {error}") from error
        parts = tuple(results) if isinstance(results, tuple | list) else (results,)
        constant = all(value.constant for value in step.operands)
        for name, part in zip(op.outputs, parts, strict=False):
            self.known[name] = GraphValue(name, part, constant)
        if not constant and not self._joined(op):
            self._append(op, step)

    def _append(self, op: OnnxOperator, step: Step) -> None:
        for value in step.operands:
            if value.constant and value.name not in self.network.constants:
                self._store(value)
        path = ""
        if isinstance(step.call, nn.Module):
            path = _free_path(self.network, _layer_path(step.layer_of, op.name))
            _place(self.network, path, step.call)
            if isinstance(step.call, nn.Linear) and step.call.bias is None and self._uses[op.outputs[0]] == 1:
                self._products[op.outputs[0]] = step.call
        function = None if path else step.call
        operands = tuple(self.source(value.name) for value in step.operands)
        self.network.calls.append(Call(function, path, operands, op.outputs))

    def _joined(self, op: OnnxOperator) -> bool:
        """Make an `Add` of a constant behind a product the bias of its linear layer; True if it is one."""
        if op.kind != "Add":
            return False
        for first, second in ((0, 1), (1, 0)):
            product, bias = op.value(first).name, op.value(second)
            layer = self._products.pop(product, None)
            if layer is not None and bias.constant and bias.example.shape == (layer.out_features,):
                layer.bias = nn.Parameter(bias.example.clone())
                self._aliases[op.outputs[0]] = product
                return True
        return False

    def outputs(self, names: Iterable[str]) -> list[str]:
        """Names of values for the graph's outputs; a constant one is stored."""
        for name in names:
            if self.known[name].constant and self.known[name].name not in self.network.constants:
                self._store(self.known[name])
        return [self.source(self.known[name].name) for name in names]

    def source(self, name: str) -> str:
        """Name of the call's output that a value of the graph is."""
        return self._aliases.get(name, name)

    def _store(self, value: GraphValue) -> None:
        """Store a constant operand in the network: floating-point ones can be trained."""
        path = _free_path(self.network, re.sub(r"\W", "_", value.name) or "constant")
        tensor = value.example.detach().clone()
        if tensor.is_floating_point() and tensor.dim() > 0:
            self.network.register_parameter(path, nn.Parameter(tensor))
        else:
            self.network.register_buffer(path, tensor)
        self.network.constants[value.name] = path


def _layer_path(weight: str, node: str) -> str:
    """Path of a layer: the owner of its weight as torch named it, `block.conv` of `block.conv.weight`, or its node."""
    owner, _, last = weight.rpartition(".")
    if owner and last.startswith("weight") and re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", owner):
        return owner
    return re.sub(r"\W+", "_", node).strip("_") or "layer"


def _free_path(network: nn.Module, path: str) -> str:
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


def _place(network: nn.Module, path: str, layer: nn.Module) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        if parent not in network._modules:
            network.add_module(parent, nn.Module())
        network = network.get_submodule(parent)
    network.add_module(last, layer)
