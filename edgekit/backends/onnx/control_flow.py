"""Multiply-accumulates inside the loops and branches of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from edgekit.backends.onnx.macs import macs

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

    from edgekit.ir.measurement import Array

    Values = Mapping[str, Array]
    Run = Callable[[ModelProto], dict[str, Array]]

CONTROL = {"If", "Loop", "Scan"}


def deep_macs(node: NodeProto, values: Values, model: ModelProto, run: Run) -> int:
    """Multiply-accumulates of one run of `node`, with those of the graphs inside it.

    A loop counts its largest number of steps, one if the file states none; a branch the larger side. values: of every
    tensor that the graph of `node` knows. run: computes all tensors of a model without inputs.
    """
    if node.op_type not in CONTROL:
        return macs(node, {name: value.shape for name, value in values.items()})
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "If":
        sides = (attributes[side].g for side in ("then_branch", "else_branch"))
        return max(_graph_macs(side, {}, values, model, run) for side in sides)
    body = attributes["body"].g
    names = [value.name for value in body.input]
    if node.op_type == "Loop":
        steps = int(values[node.input[0]].item()) if node.input[0] else 1
        state = [np.int64(0), np.array(True), *(values[name] for name in node.input[2:])]
        return steps * _graph_macs(body, dict(zip(names, map(np.asarray, state), strict=True)), values, model, run)
    count = int(attributes["num_scan_inputs"].i)
    axes = list(attributes["scan_input_axes"].ints) if "scan_input_axes" in attributes else [0] * count
    carried, scanned = node.input[: len(node.input) - count], node.input[len(node.input) - count :]
    parts = [np.take(values[name], 0, axis) for name, axis in zip(scanned, axes, strict=True)]
    bound = dict(zip(names, [*(values[name] for name in carried), *parts], strict=True))
    return int(values[scanned[0]].shape[axes[0]]) * _graph_macs(body, bound, values, model, run)


def inner_nodes(node: NodeProto) -> Iterator[NodeProto]:
    """Yield the nodes of the graphs inside `node`, and of those inside these."""
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for each in graph.node:
                yield each
                yield from inner_nodes(each)


def _graph_macs(body: GraphProto, bound: Values, outer: Values, model: ModelProto, run: Run) -> int:
    """Multiply-accumulates of one run of `body`. bound: values of its inputs. outer: values that it may capture."""
    values = {**outer, **bound, **run(_closed(body, {**outer, **bound}, model))}
    return sum(deep_macs(node, values, model, run) for node in body.node)


def _closed(body: GraphProto, values: Values, model: ModelProto) -> ModelProto:
    """Model of `body` alone, in which every value from outside is a constant."""
    import onnx
    from onnx import numpy_helper

    closed = onnx.ModelProto.FromString(model.SerializeToString())
    closed.graph.CopyFrom(body)
    del closed.graph.input[:]
    own = {tensor.name for tensor in body.initializer} | {name for node in body.node for name in node.output}
    needed = _names(body) - own
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(values[name]), name) for name in sorted(needed) if name in values
    ]
    closed.graph.initializer.extend(constants)
    return closed


def _names(graph: GraphProto) -> set[str]:
    """Names that a graph reads, and those that the graphs inside it read."""
    read = {name for node in graph.node for name in node.input if name} | {value.name for value in graph.output}
    inner = [part for node in graph.node for attribute in node.attribute for part in (attribute.g, *attribute.graphs)]
    return read.union(*(_names(part) for part in inner if part.node))
