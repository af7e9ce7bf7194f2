"""Recurrent cells as the products that they consist of, so that a quantizer sees their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

MOST_STEPS = 32
"""Largest number of time steps of one call of a recurrent layer that are written out, one after another."""


class RecurrentCells(TorchFunctionMode):
    """Mode in which GRU and LSTM cells, and recurrent layers over a few steps, are computed by linear operators.

    torch.export keeps such a cell as one operator, whose weights no quantizer annotates. Equations: those of
    torch.nn.GRUCell and torch.nn.LSTMCell. Layers with projections, of both directions, or over packed or many steps
    are left as they are.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name, named = getattr(func, "__name__", ""), kwargs or {}
        if name == "gru_cell" and not named:
            return gru_cell(*args)
        if name == "lstm_cell" and not named:
            return lstm_cell(*args)
        if name in ("gru", "lstm") and not named and _writable(args):
            return _layers(name, *args)
        return func(*args, **named)


def gru_cell(x: Tensor, h: Tensor, w_x: Tensor, w_h: Tensor, b_x: Any = None, b_h: Any = None) -> Tensor:
    """Next state of a gated recurrent unit, [N, hidden], from its input [N, features] and state [N, hidden]."""
    reset_x, update_x, new_x = functional.linear(x, w_x, b_x).chunk(3, -1)
    reset_h, update_h, new_h = functional.linear(h, w_h, b_h).chunk(3, -1)
    reset, update = torch.sigmoid(reset_x + reset_h), torch.sigmoid(update_x + update_h)
    new = torch.tanh(new_x + reset * new_h)
    return new + update * (h - new)


def lstm_cell(
    x: Tensor, state: Sequence[Tensor], w_x: Tensor, w_h: Tensor, b_x: Any = None, b_h: Any = None
) -> tuple[Tensor, Tensor]:
    """Next output and cell state of a long short-term memory, [N, hidden] each, from its input and last two."""
    h, c = state
    gates = functional.linear(x, w_x, b_x) + functional.linear(h, w_h, b_h)
    input_gate, forget, new, output = gates.chunk(4, -1)
    cell = torch.sigmoid(forget) * c + torch.sigmoid(input_gate) * torch.tanh(new)
    return torch.sigmoid(output) * torch.tanh(cell), cell


def _writable(args: Sequence[Any]) -> bool:
    """True for a call (input, state, weights, bias?, layers, dropout, train, both directions?, batch first?)."""
    if len(args) != 9 or not isinstance(args[0], Tensor) or args[0].dim() != 3:
        return False
    x, _, weights, bias, layers, dropout, train, both, batch_first = args
    steps = x.shape[1 if batch_first else 0]
    plain = len(weights) == layers * (4 if bias else 2)  # with projections there are more
    return bool(plain and not both and not (train and dropout) and steps <= MOST_STEPS)


def _layers(
    kind: str, x: Tensor, state: Any, weights: Sequence[Tensor], bias: bool, layers: int, *rest: Any
) -> tuple[Tensor, ...]:
    """Outputs and last states of a stack of layers, as torch.gru and torch.lstm give them."""
    batch_first = rest[-1]
    per_layer = 4 if bias else 2
    sequence = list(x.unbind(1 if batch_first else 0))
    ends = []
    for layer in range(layers):
        own = weights[layer * per_layer : (layer + 1) * per_layer]
        carried: Any = state[layer] if kind == "gru" else (state[0][layer], state[1][layer])
        for t, value in enumerate(sequence):
            if kind == "gru":
                carried = sequence[t] = gru_cell(value, carried, *own)
            else:
                carried = lstm_cell(value, carried, *own)
                sequence[t] = carried[0]
        ends.append((carried,) if kind == "gru" else carried)
    outputs = torch.stack(sequence, 1 if batch_first else 0)
    return (outputs, *(torch.stack(column) for column in zip(*ends, strict=True)))
