"""Recurrent layers of an ONNX graph on integers: int8 weights, activations rounded as they come.

onnxruntime has such an operator for LSTM, `DynamicQuantizeLSTM`. For GRU it has none: the product with the input
becomes one `DynamicQuantizeMatMul` over all steps, the product with the state another inside a Scan over the steps.
Equations: those of ONNX's GRU with `linear_before_reset`, as torch has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgekit.backends.onnx.export import without_large_weights
from edgekit.passes.module_patterns import covers

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

    from edgekit.ir.measurement import Array

VENDOR = "com.microsoft"
"""Domain of onnxruntime's own operators."""
CELLS = ("LSTM", "GRU")
DIRECTIONS = {b"forward": (0,), b"reverse": (1,), b"bidirectional": (0, 1)}
"""Orders in which the steps are read, 1 for the last first, by the attribute `direction`."""


def quantize_recurrent(model: ModelProto, kept: Sequence[str]) -> None:
    """Quantize LSTM and GRU layers of a model, in place, dynamically: a scale for each output of each matrix.

    kept: patterns of modules that stay in float. Layers stay too whose weights are no constants, which have sequence
    lengths, projections or activations of their own, or no initial state.
    """
    import onnx

    layers = [node for node in model.graph.node if node.op_type in CELLS and _is_plain(node, model.graph)]
    layers = [node for node in layers if not covers(node.output[0].rpartition("/")[0], kept)]
    if not layers:
        return
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        replacement = _Layer(model.graph, node).nodes() if node in layers else (node,)
        nodes.extend(replacement)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _drop_unread(model.graph)
    if all(each.domain != VENDOR for each in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(VENDOR, 1))
    onnx.checker.check_model(without_large_weights(model))


def _is_plain(node: NodeProto, graph: GraphProto) -> bool:
    constants = {tensor.name for tensor in graph.initializer}
    names = [*node.input, *[""] * 8][:8]
    attributes = {attribute.name: attribute for attribute in node.attribute}
    special = {"activations", "activation_alpha", "activation_beta", "clip", "input_forget", "layout"} & set(attributes)
    if special or names[4] or names[7] or not names[5] or not constants.issuperset(names[1:4]):
        return False
    return node.op_type == "LSTM" or ("linear_before_reset" in attributes and attributes["linear_before_reset"].i == 1)


class _Layer:
    """One recurrent layer with its constants, and the nodes that take its place."""

    def __init__(self, graph: GraphProto, node: NodeProto) -> None:
        from onnx import numpy_helper

        self.graph, self.node = graph, node
        values = {tensor.name: tensor for tensor in graph.initializer}
        self.weights, self.states, self.biases = (numpy_helper.to_array(values[name]) for name in node.input[1:4])
        self.directions = next((DIRECTIONS[a.s] for a in node.attribute if a.name == "direction"), (0,))
        self.stem = node.output[0] or next(filter(None, node.output))

    def nodes(self) -> Iterator[NodeProto]:
        """Yield the nodes in the place of the layer; their constants are added to the graph."""
        return self._lstm() if self.node.op_type == "LSTM" else self._gru()

    def _lstm(self) -> Iterator[NodeProto]:
        from onnx import helper

        integers, parameters = [], []
        for role, matrix in (("W", self.weights), ("R", self.states)):
            rounded = [_rounded(part) for part in matrix]
            integers.append(self._constant(f"{role}.q", np.stack([each for each, _ in rounded])))
            parameters.append(self._constant(f"{role}.scale", np.stack([scale for _, scale in rounded])))
            parameters.append(self._constant(f"{role}.zero_point", np.zeros(matrix.shape[:2], np.int8)))
        inputs = [self.node.input[0], *integers, *([*self.node.input[3:], *[""] * 5][:5]), *parameters]
        layer = helper.make_node("DynamicQuantizeLSTM", inputs, list(self.node.output), domain=VENDOR)
        layer.attribute.extend(self.node.attribute)
        yield layer

    def _gru(self) -> Iterator[NodeProto]:
        from onnx import helper

        sequences, ends = [], []
        for place, backward in enumerate(self.directions):
            state = f"{self.stem}.{place}.initial"
            index = self._constant(f"{place}.index", np.array(place, np.int64))
            yield helper.make_node("Gather", [self.node.input[5], index], [state])
            own_bias, state_bias = np.split(self.biases[place], 2)
            product = self._product(f"{place}.W", self.weights[place], own_bias, self.node.input[0])
            yield product
            sequence, end = f"{self.stem}.{place}.sequence", f"{self.stem}.{place}.end"
            scan = helper.make_node("Scan", [state, product.output[0]], [end, sequence], num_scan_inputs=1)
            scan.attribute.append(helper.make_attribute("body", self._step(place, state_bias)))
            if backward:
                for name in ("scan_input_directions", "scan_output_directions"):
                    scan.attribute.append(helper.make_attribute(name, [1]))
            yield scan
            sequences.append(sequence)
            ends.append(end)
        yield from self._joined(sequences, ends)

    def _step(self, place: int, bias: Array) -> GraphProto:
        """Body of the Scan: next state [N, hidden] of the state and the input's product [N, 3 * hidden]."""
        from onnx import TensorProto, helper

        width = self.states.shape[-1]
        stem, real = f"{self.stem}.{place}", TensorProto.FLOAT
        product = self._product(f"{place}.R", self.states[place], bias, f"{stem}.h")
        sizes = self._constant(f"{place}.sizes", np.array([2 * width, width], np.int64))

        def node(operator: str, inputs: str, outputs: str, *constants: str, **attributes: int) -> NodeProto:
            names = [[f"{stem}.{name}" for name in part.split()] for part in (inputs, outputs)]
            return helper.make_node(operator, [*names[0], *constants], names[1], **attributes)

        nodes = [
            product,
            node("Split", "x", "x_gates x_new", sizes, axis=-1),
            node("Split", "R", "h_gates h_new", sizes, axis=-1),
            node("Add", "x_gates h_gates", "summed"),
            node("Sigmoid", "summed", "gates"),
            node("Split", "gates", "update reset", axis=-1, num_outputs=2),
            node("Mul", "reset h_new", "remembered"),
            node("Add", "x_new remembered", "candidate"),
            node("Tanh", "candidate", "new"),
            node("Sub", "h new", "difference"),
            node("Mul", "update difference", "part"),
            node("Add", "new part", "next"),
            node("Identity", "next", "output"),
        ]
        edge = _edge(real)
        return helper.make_graph(
            nodes, "step", [edge(f"{stem}.h"), edge(f"{stem}.x")], [edge(f"{stem}.next"), edge(f"{stem}.output")]
        )

    def _joined(self, sequences: Sequence[str], ends: Sequence[str]) -> Iterator[NodeProto]:
        """Nodes from the states of each direction to the outputs of GRU, [T, directions, N, hidden] and its end."""
        from onnx import helper

        for axis, parts, output in ((1, sequences, self.node.output[0]), (0, ends, [*self.node.output, ""][1])):
            if not output:
                continue
            places = self._constant(f"axis_{axis}", np.array([axis], np.int64))
            expanded = [output] if len(parts) == 1 else [f"{part}.expanded" for part in parts]
            for part, name in zip(parts, expanded, strict=True):
                yield helper.make_node("Unsqueeze", [part, places], [name])
            if len(parts) > 1:
                yield helper.make_node("Concat", expanded, [output], axis=axis)

    def _product(self, role: str, matrix: Array, bias: Array, source: str) -> NodeProto:
        from onnx import helper

        integers, scale = _rounded(matrix)
        constants = [
            self._constant(f"{role}.q", integers),
            self._constant(f"{role}.scale", scale),
            self._constant(f"{role}.zero_point", np.zeros(scale.shape, np.int8)),
            self._constant(f"{role}.bias", bias),
        ]
        return helper.make_node("DynamicQuantizeMatMul", [source, *constants], [f"{self.stem}.{role}"], domain=VENDOR)

    def _constant(self, role: str, value: Array) -> str:
        from onnx import numpy_helper

        name = f"{self.stem}.{role}"
        self.graph.initializer.append(numpy_helper.from_array(value.copy(), name))
        return name


def _edge(element: int) -> Callable[[str], ValueInfoProto]:
    from onnx import helper

    return lambda name: helper.make_tensor_value_info(name, element, None)


def _rounded(matrix: Array) -> tuple[Array, Array]:
    """Transpose a matrix [outputs, inputs], and round it to int8 with a scale for each output."""
    scale = np.maximum(np.abs(matrix).max(axis=1) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    return np.clip(np.rint(matrix / scale[:, None]), -127, 127).astype(np.int8).T, scale


def _drop_unread(graph: GraphProto) -> None:
    """Drop constants that no node reads, of the graph or of one inside it."""
    read = {value.name for value in graph.output} | set(_reads(graph))
    remaining = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(remaining)


def _reads(graph: GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _reads(inner)
