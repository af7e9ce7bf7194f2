"""Import of an ONNX graph: its nodes become calls of torch, folded where they depend on shapes and constants alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.frontend.onnx_import import control_flow, symbolic_sizes
from edgekit.frontend.onnx_import.network import Call, OnnxNetwork, free_path, layer_path, place_layer
from edgekit.frontend.onnx_import.operator import FIXED, MAKERS, GraphValue, OnnxOperator, Step
from edgekit.frontend.onnx_import.protobuf import attributes_of, tensors_of

NOISE = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")
TAKE_SIZES = {"Reshape", "Expand", "Tile", "ConstantOfShape", "Range", "Resize", "Upsample", "Slice"}
"""Operators whose makers take sizes that follow a free length as numbers."""
FAILURES = (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError)
"""Exceptions of torch, and of makers of operators, for what they cannot compute."""


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
            if op.kind in control_flow.CONTROL_FLOW:
                self._control_flow(op)
            else:
                self._import(op)

    def _control_flow(self, op: OnnxOperator) -> None:
        """Import the branch of an `If` whose condition is known, or each turn of a `Loop` or `Scan`."""
        if op.kind == "If":
            graph = control_flow.branch(op)
            results = self._subgraph(graph, op.name, {})
        elif op.kind == "Loop":
            results = self._loop(op)
        else:
            results = self._scan(op)
        for outer, value in zip(op.outputs, results, strict=False):
            self.known[outer] = value

    def _loop(self, op: OnnxOperator) -> list[GraphValue]:
        """Outputs of a `Loop`: what it carries at last, then what its turns give, one behind the other."""
        body, turns = op.attributes["body"], control_flow.turns(op)
        names = [each.name for each in body.input]
        carried: Sequence[GraphValue | None] = op.inputs[2:]
        rows: list[Sequence[GraphValue]] = []
        for turn in range(turns):
            number = GraphValue(f"{op.name}.{turn}", torch.tensor(turn), True)
            condition = GraphValue(f"{op.name}.go", torch.tensor(True), True)
            given = dict(zip(names, (number, condition, *carried), strict=True))
            goes_on, *results = self._subgraph(body, f"{op.name}.{turn}", given)
            carried, row = results[: len(carried)], results[len(carried) :]
            rows.append(row)
            if not goes_on.constant:
                raise op.refused("goes on as long as the data say", hint=control_flow.WAY_OUT)
            if not bool(goes_on.example):
                break
        stacked = [self._stacked(op, list(column), 0) for column in zip(*rows, strict=True)]
        if not rows and len(body.output) > 1 + len(carried):
            raise op.refused("makes no turn, and its outputs have no shape", hint=control_flow.WAY_OUT)
        return [*(value for value in carried if value is not None), *stacked]

    def _scan(self, op: OnnxOperator) -> list[GraphValue]:
        """Outputs of a `Scan`: its last states, then what its turns give, one behind the other."""
        scan = control_flow.Scan.of(op)
        states: Sequence[GraphValue | None] = op.inputs[: -scan.count]
        rows: list[Sequence[GraphValue]] = []
        for turn in range(scan.turns):
            parts = [self._part(op, i, axis, place) for i, axis, place in scan.parts(turn)]
            given = dict(zip(scan.names, (*states, *parts), strict=True))
            results = self._subgraph(scan.body, f"{op.name}.{turn}", given)
            states, row = results[: len(states)], results[len(states) :]
            rows.append(row)
        columns = [list(column) for column in zip(*rows, strict=True)]
        stacked = [
            self._stacked(op, column[::-1] if backwards else column, axis)
            for column, axis, backwards in zip(columns, scan.output_axes, scan.output_backwards, strict=True)
        ]
        return [*(value for value in states if value is not None), *stacked]

    def _subgraph(self, graph: Any, prefix: str, given: Mapping[str, GraphValue | None]) -> list[GraphValue]:
        """Outputs of a graph inside of this one, with its inputs by name; its own names get a prefix."""
        inner = control_flow.renamed(graph, prefix)
        self.known.update((f"{prefix}/{name}", value) for name, value in given.items() if value is not None)
        weights = tensors_of(inner).items()
        self.known.update((name, GraphValue(name, tensor, True)) for name, tensor in weights)
        # Its outputs have uses outside too: no bias behind one becomes a part of its layer.
        self._uses.update(output.name for output in inner.output)
        self.run(inner)
        return [self.known[output.name] for output in inner.output]

    def _part(self, op: OnnxOperator, index: int, axis: int, place: int) -> GraphValue:
        """Element of an input along an axis."""
        return self._made(f"{op.name}/{index}.{place}", lambda x: x.select(axis, place), [op.value(index)])

    def _stacked(self, op: OnnxOperator, values: list[GraphValue], axis: int) -> GraphValue:
        return self._made(f"{values[0].name} of all turns", lambda *turns: torch.stack(turns, axis), values)

    def _made(self, name: str, function: Callable[..., Tensor], operands: Sequence[GraphValue]) -> GraphValue:
        """Value that a function gives, which is no node's of the graph."""
        op = OnnxOperator("Identity", name, self.opset, tuple(operands), (name,), {})
        self._run_step(op, Step(function, tuple(operands)))
        return self.known[name]

    def _import(self, op: OnnxOperator) -> None:
        if op.kind in NOISE:
            raise op.refused("draws random numbers", hint="export the network in evaluation mode: network.eval()")
        self._run_step(op, self._step(op))

    def _run_step(self, op: OnnxOperator, step: Step) -> None:
        """Run a step on the examples; append its call where it depends on the input. Raises UnsupportedModelFile."""
        free = any(value.shorter is not None for value in step.operands)
        try:
            parts = _results(step, [value.example for value in step.operands])
            shorter = _results(step, [value.at_least for value in step.operands]) if free else [None] * len(parts)
        except FAILURES as error:
            if free:
                raise op.refused("fixes a length that the project has free", hint=FIXED) from error
            raise op.refused(f"cannot be computed by torch: {type(error).__name__}: {error}") from error
        if step.sizes and parts == shorter:
            self._keep(op, [symbolic_sizes.constant(part) for part in parts], [None], True)
            return
        constant = all(value.constant for value in step.operands)
        self._keep(op, parts, shorter, constant, step.sizes)
        if not constant and not self._joined(op):
            self._append(op, step)

    def _keep(
        self, op: OnnxOperator, parts: Sequence[Any], shorter: Sequence[Any], constant: bool, sizes: bool = False
    ) -> None:
        for name, part, least in zip(op.outputs, parts, shorter, strict=False):
            self.known[name] = GraphValue(name, part, constant, least, sizes)

    def _step(self, op: OnnxOperator) -> Step:
        """Step of an operator. Raises UnsupportedModelFile."""
        if op.kind in ("Shape", "Size") and not op.value(0).sizes and op.free_axes():
            return symbolic_sizes.shape_step(op)
        step = symbolic_sizes.sizes_step(op) if any(value is not None and value.sizes for value in op.inputs) else None
        if step is not None:
            return step
        maker = MAKERS.get(op.kind)
        if maker is None:
            raise op.refused("is an operator that edgekit's importer lacks")
        if op.kind not in TAKE_SIZES:
            op = replace(op, inputs=tuple(self._as_tensor(value) for value in op.inputs))
        try:
            return maker(op)
        except FAILURES as error:
            raise op.refused(f"cannot be computed by torch: {type(error).__name__}: {error}") from error

    def _as_tensor(self, value: GraphValue | None) -> GraphValue | None:
        """Value of the graph, as a tensor where it is sizes."""
        if value is None or not value.sizes:
            return value
        name = f"{value.name} as a tensor"
        if name not in self.known:
            convert = symbolic_sizes.as_tensor
            self.known[name] = GraphValue(name, convert(value.example), False, convert(value.at_least))
            self.network.calls.append(Call(convert, "", (value.name,), (name,)))
        return self.known[name]

    def _append(self, op: OnnxOperator, step: Step) -> None:
        for value in step.operands:
            if value.constant and value.name not in self.network.constants:
                self._store(value)
        path = ""
        if isinstance(step.call, nn.Module):
            path = free_path(self.network, layer_path(step.layer_of, op.name))
            place_layer(self.network, path, step.call)
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
        path = free_path(self.network, re.sub(r"\W", "_", value.name) or "constant")
        tensor = value.example.detach().clone()
        if tensor.is_floating_point() and tensor.dim() > 0:
            self.network.register_parameter(path, nn.Parameter(tensor))
        else:
            self.network.register_buffer(path, tensor)
        self.network.constants[value.name] = path


def _results(step: Step, operands: Sequence[Any]) -> Sequence[Any]:
    with torch.no_grad():
        results = step.call(*operands)
    return results if isinstance(results, tuple | list) else (results,)
