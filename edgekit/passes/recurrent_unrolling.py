"""Recurrent layers written out as linear layers and gates, step by step, so that a quantizer sees their weights.

The product with the inputs is one linear layer over all steps, the product with the state one in each step, of the same
weights. Gates stay in float. Equations: those of torch.nn.GRU and torch.nn.LSTM.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.node_insertion import NodeInsertion

aten = torch.ops.aten
CELLS: dict[Any, int] = {aten.gru.input: 3, aten.lstm.input: 4}
"""Operators over a whole sequence, with their number of gates."""
MARK = "edgekit_recurrent"
"""Key in the metadata of nodes that such an operator became."""
JOINED = 4
"""Most parts that one concatenation joins: XNNPACK takes no more, its fifth would end its partition."""


def with_unrolled_recurrence(model: fx.GraphModule, skip: Sequence[str]) -> fx.GraphModule:
    """Write out GRU and LSTM layers of a fixed number of steps with constant weights, in place.

    skip: patterns of modules that stay as they are. Layers with projections stay too, and those that train.
    """
    for node in list(model.graph.nodes):
        if node.target in CELLS and not is_skipped(node, skip) and _is_plain(node):
            _Unrolling(model, node).replace()
    model.graph.eliminate_dead_code()
    model.recompile()
    return model


def is_recurrent(node: fx.Node) -> bool:
    """True for a node that `with_unrolled_recurrence` made."""
    return MARK in node.meta


def annotate_recurrent(node: fx.Node, activation: Any, weight: Any) -> None:
    """Annotate a node of a layer that was written out: linear layers for integers, gates for floats.

    activation, weight: torchao's specifications of what a linear layer reads and gives, and of its weight.
    """
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    node.meta.pop(Q_ANNOTATION_KEY, None)
    if node.target is aten.linear.default:
        source, matrix = node.args[:2]
        annotation = QuantizationAnnotation({source: activation, matrix: weight}, activation, _annotated=True)
        node.meta[Q_ANNOTATION_KEY] = annotation


def _is_plain(node: fx.Node) -> bool:
    arguments: tuple[Any, ...] = node.args
    x, _, weights, biased, layers, _, train, both, _ = arguments
    own = layers * (2 if both else 1) * (4 if biased else 2)  # with projections there are more
    constant = all(isinstance(weight, fx.Node) and weight.op == "get_attr" for weight in weights)
    fixed = all(isinstance(size, int) for size in x.meta["val"].shape)
    return bool(constant and fixed and len(weights) == own and not train)


class _Unrolling:
    """One recurrent layer, or a stack of them, on its way to products and gates."""

    def __init__(self, model: fx.GraphModule, node: fx.Node) -> None:
        arguments: tuple[Any, ...] = node.args
        self.x, states, self.weights, self.biased, self.layers, _, _, both, first = arguments
        self.states = [states] if node.target is aten.gru.input else list(states)
        self.ways = 2 if both else 1
        self.time, self.batch = (1, 0) if first else (0, 1)
        self.node, self.gates, self.before = node, CELLS[node.target], NodeInsertion(model, node)

    def replace(self) -> None:
        sequence, ends = self.x, []
        for layer in range(self.layers):
            ways = [self._way(sequence, layer * self.ways + way, bool(way)) for way in range(self.ways)]
            sequence = ways[0][0] if self.ways == 1 else self.call(aten.cat.default, [way[0] for way in ways], 2)
            ends += [way[1] for way in ways]
        columns = [self._stacked(column) for column in zip(*ends, strict=True)]
        for user in list(self.node.users):
            index: Any = user.args[1]
            user.replace_all_uses_with([sequence, *columns][index])
            user.graph.erase_node(user)
        self.node.graph.erase_node(self.node)

    def call(self, target: Any, *args: Any) -> fx.Node:
        new = self.before.call(target, *args)
        new.meta[MARK] = True
        return new

    def _way(self, sequence: fx.Node, index: int, backward: bool) -> tuple[fx.Node, list[fx.Node]]:
        """Answers of one direction of one layer for all steps, and its last states [1, N, hidden] or [N, 1, hidden]."""
        count = 4 if self.biased else 2
        w_x, w_h, *biases = self.weights[index * count : (index + 1) * count]
        b_x, b_h = biases or (None, None)
        products = self.call(aten.linear.default, sequence, w_x, b_x)
        carried = [self._initial(state, index) for state in self.states]
        steps = range(sequence.meta["val"].shape[self.time])
        answers = {}
        for step in reversed(steps) if backward else steps:
            own = self.call(aten.slice.Tensor, products, self.time, step, step + 1)
            remembered = self.call(aten.linear.default, carried[0], w_h, b_h)
            carried = self._cell(own, remembered, carried)
            answers[step] = carried[0]
        return self._joined([answers[step] for step in steps]), carried

    def _initial(self, state: fx.Node, index: int) -> fx.Node:
        """Initial state [1, N, hidden], or [N, 1, hidden] where the batch comes first."""
        own = self.call(aten.slice.Tensor, state, 0, index, index + 1)
        return own if self.batch else self.call(aten.permute.default, own, [1, 0, 2])

    def _stacked(self, states: Sequence[fx.Node]) -> fx.Node:
        """Last states of all layers and directions, [layers * directions, N, hidden]."""
        turned = states if self.batch else [self.call(aten.permute.default, state, [1, 0, 2]) for state in states]
        return turned[0] if len(turned) == 1 else self.call(aten.cat.default, list(turned), 0)

    def _joined(self, parts: Sequence[fx.Node]) -> fx.Node:
        """Join parts along the steps, four at a time."""
        while len(parts) > 1:
            groups = [list(parts[first : first + JOINED]) for first in range(0, len(parts), JOINED)]
            parts = [group[0] if len(group) == 1 else self.call(aten.cat.default, group, self.time) for group in groups]
        return parts[0]

    def _cell(self, own: fx.Node, remembered: fx.Node, carried: Sequence[fx.Node]) -> list[fx.Node]:
        return (self._gru if self.gates == 3 else self._lstm)(own, remembered, *carried)

    def _gru(self, own: fx.Node, remembered: fx.Node, h: fx.Node) -> list[fx.Node]:
        width = h.meta["val"].shape[-1]
        own_gates, own_new = (self._part(own, first, last) for first, last in ((0, 2 * width), (2 * width, 3 * width)))
        gates = self.call(aten.add.Tensor, own_gates, self._part(remembered, 0, 2 * width))
        gates = self.call(aten.sigmoid.default, gates)
        reset, update = (self._part(gates, first, first + width) for first in (0, width))
        history = self.call(aten.mul.Tensor, reset, self._part(remembered, 2 * width, 3 * width))
        new = self.call(aten.tanh.default, self.call(aten.add.Tensor, own_new, history))
        difference = self.call(aten.sub.Tensor, h, new)
        return [self.call(aten.add.Tensor, new, self.call(aten.mul.Tensor, update, difference))]

    def _lstm(self, own: fx.Node, remembered: fx.Node, h: fx.Node, c: fx.Node) -> list[fx.Node]:
        width = h.meta["val"].shape[-1]
        gates = self.call(aten.add.Tensor, own, remembered)
        parts = [self._part(gates, first * width, (first + 1) * width) for first in range(4)]
        functions = (aten.sigmoid.default, aten.sigmoid.default, aten.tanh.default, aten.sigmoid.default)
        enter, forget, new, leave = (self.call(f, part) for f, part in zip(functions, parts, strict=True))
        kept = self.call(aten.mul.Tensor, forget, c)
        cell = self.call(aten.add.Tensor, kept, self.call(aten.mul.Tensor, enter, new))
        return [self.call(aten.mul.Tensor, leave, self.call(aten.tanh.default, cell)), cell]

    def _part(self, value: fx.Node, first: int, last: int) -> fx.Node:
        return self.call(aten.slice.Tensor, value, 2, first, last)
