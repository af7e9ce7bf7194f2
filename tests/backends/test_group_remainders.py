"""Layers that groups of int4 weights do not fill are named in the report."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgekit.backends.group_remainders import remainder_warning
from edgekit.ir.artifact import Format
from edgekit.specs.compression import Quantize, Weights


def int4(group: int, skip: tuple[str, ...] = ()) -> Quantize:
    return Quantize(mode="weight-only", weights=Weights(dtype="int4", granularity="per-group", group=group), skip=skip)


@pytest.mark.parametrize(
    ("recipe", "format", "words"),
    [
        (int4(32), "tflite", "Groups of 32 do not divide the inputs of 'down' (172 inputs): weights are int8 there"),
        (int4(32), "pte", "'down' (172 inputs)"),
        (int4(128), "pte", "'up' (64 inputs), 'down' (172 inputs)"),
        (int4(32), "onnx", None),  # its last group is shorter
        (int4(32, ("down",)), "tflite", None),
        (int4(128, ("down",)), "tflite", "not int4; quantize.weights.group = 64 fits them all."),
        (Quantize(mode="dynamic"), "tflite", None),
    ],
)
def test_layers_that_groups_do_not_fill_are_named(recipe: Quantize, format: Format, words: str | None) -> None:
    class FeedForward(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = nn.Linear(64, 172), nn.Linear(172, 64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.down(self.up(x).relu())
            return output

    warning = remainder_warning(torch.export.export(FeedForward(), (torch.ones(1, 64),)), recipe, format)
    assert warning is None if words is None else words in (warning or "")
