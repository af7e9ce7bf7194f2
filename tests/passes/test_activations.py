"""Which modules only bend or gate values."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgekit.ir.program import Program
from edgekit.ir.signature import Signature
from edgekit.passes.float_candidates import float_candidates


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = x * self.gate(x)
        return output


def program(module: nn.Module) -> Program:
    return Program(torch.export.export(module.eval(), (torch.zeros(1, 4, 6, 6),)), Signature((), ()))


def test_functions_and_gates_are_told_apart() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Hardswish(), Gate(), nn.Conv2d(4, 4, 1), nn.SiLU(), nn.Flatten())
    assert float_candidates(program(network), ()) == [("1", "4"), ("2",), ("1", "4", "2")]


def test_what_is_in_float_already_is_no_candidate() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Hardswish(), Gate())
    assert float_candidates(program(network), ("1",)) == [("2",)]
    assert float_candidates(program(network), ("*",)) == []


def test_a_module_with_layers_of_its_own_is_not_left_in_float_for_a_function_that_it_calls() -> None:
    class Bend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.hardswish(self.conv(x))

    assert float_candidates(program(nn.Sequential(Bend(), nn.ReLU())), ()) == []


def test_a_constant_factor_is_no_gate() -> None:
    class Scaled(nn.Module):
        gain: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("gain", torch.ones(1, 4, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x) * self.gain

    assert float_candidates(program(nn.Sequential(Scaled(), nn.Conv2d(4, 4, 1))), ()) == []
