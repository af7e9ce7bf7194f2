"""Control flow of ONNX graphs that is known beforehand: branches, and the turns of loops with names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.frontend.onnx_import.operator import OnnxOperator

CONTROL_FLOW = {"If", "Loop", "Scan"}
MOST_TURNS = 1024
"""Limit of the turns that a loop is unrolled to: each is in the program with all its operators."""
WAY_OUT = (
    "write it without a loop, or give the network of one turn, its state as [state] (docs/state.md): "
    "the runner then carries it"
)


def branch(op: OnnxOperator) -> Any:
    """Branch of an `If`, a GraphProto. Raises UnsupportedModelFile if the condition depends on the data."""
    if not op.is_constant(0):
        raise op.refused(
            "takes its branch by the data",
            hint="export the branch that is meant, or compute both and choose with Where (torch.where)",
        )
    return op.attributes["then_branch" if bool(op.example(0)) else "else_branch"]


def turns(op: OnnxOperator) -> int:
    """Greatest number of turns of a `Loop`. Raises UnsupportedModelFile if it depends on the data or is too large."""
    if op.has(0) and not op.is_constant(0):
        raise op.refused("makes as many turns as the data, or a free length, say", hint=WAY_OUT)
    if op.has(1) and not op.is_constant(1):
        raise op.refused("begins if the data say so", hint=WAY_OUT)
    if op.has(1) and not bool(op.example(1)):
        return 0
    if not op.has(0):
        raise op.refused("states no number of turns", hint=WAY_OUT)
    return _limited(op, int(op.example(0)))


@dataclass(frozen=True)
class Scan:
    """Attributes of a `Scan` of opset 9 or later."""

    body: Any
    """GraphProto of one turn."""
    count: int
    """Number of inputs that are gone through, the last ones."""
    turns: int
    first: int
    """Index of the first of them."""
    axes: tuple[int, ...]
    backwards: tuple[bool, ...]
    output_axes: tuple[int, ...]
    output_backwards: tuple[bool, ...]

    @classmethod
    def of(cls, op: OnnxOperator) -> Scan:
        """Read them. Raises UnsupportedModelFile for opset 8, a free length and too many turns."""
        if op.opset < 9:
            raise op.refused("is of opset 8, which scans with a batch", hint="export it with opset 17")
        body, count = op.attributes["body"], int(op.attribute("num_scan_inputs"))
        first = len(op.inputs) - count
        outputs = len(body.output) - first
        ranks = [op.rank(first + i) for i in range(count)]
        axes = [axis % rank for axis, rank in zip(op.attribute("scan_input_axes", [0] * count), ranks, strict=True)]
        if axes[0] in op.free_axes(first):
            raise op.refused("makes as many turns as a free length has", hint=WAY_OUT)
        return cls(
            body,
            count,
            _limited(op, op.example(first).shape[axes[0]]),
            first,
            tuple(axes),
            tuple(map(bool, op.attribute("scan_input_directions", [0] * count))),
            tuple(op.attribute("scan_output_axes", [0] * outputs)),
            tuple(map(bool, op.attribute("scan_output_directions", [0] * outputs))),
        )

    @property
    def names(self) -> list[str]:
        """Names of the body's inputs: states, then elements."""
        return [each.name for each in self.body.input]

    def parts(self, turn: int) -> Iterator[tuple[int, int, int]]:
        """Index, axis and place of each element that a turn takes."""
        for i, (axis, backwards) in enumerate(zip(self.axes, self.backwards, strict=True)):
            yield self.first + i, axis, self.turns - 1 - turn if backwards else turn


def renamed(graph: Any, prefix: str) -> Any:
    """Copy of a GraphProto whose own names, and those of its nodes, begin with a prefix."""
    copy = type(graph).FromString(graph.SerializeToString())
    own = {each.name for each in (*copy.input, *copy.initializer)} | {
        name for node in copy.node for name in node.output
    }
    _rename(copy, own - {""}, prefix)
    return copy


def _rename(graph: Any, own: set[str], prefix: str) -> None:
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = f"{prefix}/{value.name}" if value.name in own else value.name
    for number, node in enumerate(graph.node):
        node.name = f"{prefix}/{node.name or f'{node.op_type}_{number}'}"
        for names in (node.input, node.output):
            names[:] = [f"{prefix}/{name}" if name in own else name for name in names]
        for attribute in node.attribute:
            for inner in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
                hidden = {each.name for each in (*inner.input, *inner.initializer)}
                hidden |= {name for each in inner.node for name in each.output}
                _rename(inner, own - hidden, prefix)


def _limited(op: OnnxOperator, count: int) -> int:
    if count > MOST_TURNS:
        raise op.refused(f"makes {count:,} turns, edgekit unrolls {MOST_TURNS:,} at most", hint=WAY_OUT)
    return count
