"""Recurrent layers of ONNX: LSTM, GRU and RNN with the gates in torch's order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgekit.frontend.onnx_import.operator import GraphValue, OnnxOperator, Step, makes, parameter

GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Order of the gates of torch: ONNX has input, output, forget, cell, and update, reset, hidden."""
KINDS: dict[str, Callable[..., nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
USUAL = {"LSTM": [b"Sigmoid", b"Tanh", b"Tanh"], "GRU": [b"Sigmoid", b"Tanh"], "RNN": [b"Tanh"]}


class Recurrent(nn.Module):
    """Recurrent layer that takes and gives what the operator does: X, h, c → Y, Y_h, Y_c."""

    def __init__(self, layer: nn.RNNBase, directions: int) -> None:
        super().__init__()
        self.layer, self.directions = layer, directions

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        first = state if isinstance(self.layer, nn.LSTM) else state[0] if state else None
        answers, last = self.layer(x, first) if state else self.layer(x)
        time, batch = answers.shape[:2]
        # torch has the directions side by side, the operator on an axis of their own.
        sequence = answers.reshape(time, batch, self.directions, -1).transpose(1, 2)
        return (sequence, *(last if isinstance(last, tuple) else (last,)))


@makes(*GATES)
def _recurrent(op: OnnxOperator) -> Step:
    hidden, direction = op.attribute("hidden_size"), _text(op.attribute("direction", "forward"))
    directions = 2 if direction == "bidirectional" else 1
    _check(op, direction, directions)
    weights, states = op.example(1), op.example(2)
    biases = op.example(3) if op.has(3) else torch.zeros(directions, 2 * weights.shape[1])
    layer = KINDS[op.kind](weights.shape[2], hidden, bidirectional=directions == 2)
    for i, suffix in enumerate(("", "_reverse")[:directions]):
        parts = (weights[i], states[i], *biases[i].chunk(2))
        for name, part in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), parts, strict=True):
            blocks = part.chunk(len(GATES[op.kind]))
            setattr(layer, f"{name}_l0{suffix}", parameter(torch.cat([blocks[gate] for gate in GATES[op.kind]])))
    operands = [op.value(0), *(op.value(index) for index in (5, 6) if op.has(index))]
    if op.kind == "LSTM" and len(operands) == 2:
        operands.append(GraphValue(f"{op.name}_cell", torch.zeros_like(operands[1].example), True))
    return Step(Recurrent(layer, directions).train(False), tuple(operands), op.value(1).name)


def _check(op: OnnxOperator, direction: str, directions: int) -> None:
    """Raise UnsupportedModelFile for what torch's layers lack."""
    usual = USUAL[op.kind] * directions
    names = [name if isinstance(name, bytes) else name.encode() for name in op.attribute("activations", usual)]
    if direction == "reverse" or op.attribute("layout", 0) or op.attribute("clip") or op.attribute("input_forget", 0):
        raise op.refused("runs backwards alone, with the batch first, clipped or with coupled gates")
    if op.kind == "GRU" and not op.attribute("linear_before_reset", 0):
        raise op.refused("resets before the linear layer, torch's GRU behind it")
    if names != usual or op.has(7) or not all(op.is_constant(index) for index in (1, 2)):
        raise op.refused("has other activations than torch's layer, or peepholes, or computes its weights")
    if op.has(4) and set(op.numbers(4) or ()) != {op.example(0).shape[0]}:
        raise op.refused("takes sequences of other lengths than the input's")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
