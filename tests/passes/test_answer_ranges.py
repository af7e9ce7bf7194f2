"""Ranges of answers: extended where later answers would exceed them, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.fx import Graph, GraphModule
from torchao.quantization.pt2e import MinMaxObserver

from edgekit.passes.quantization.answer_ranges import SampleExtremes, answers_extended, extended_range


def extremes(highs: list[float], values: int, lows: list[float] | None = None) -> SampleExtremes:
    return SampleExtremes(lows or [0.0] * len(highs), highs, values)


def test_a_scattered_maximum_is_extended_and_holds_later_samples() -> None:
    draws = torch.randn(24, 2, generator=torch.Generator().manual_seed(0))
    later = torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
    low, high = extended_range(SampleExtremes(draws.amin(1).tolist(), draws.amax(1).tolist(), 2), 255)
    clipped = [((later - later.clamp(*ends)) ** 2).sum() for ends in ((low, high), (draws.min(), draws.max()))]
    assert clipped[0] < clipped[1] / 10
    assert 2 * draws.min() <= low < draws.min()
    assert draws.max() < high <= 2 * draws.max()


def test_a_maximum_that_every_sample_has_stays() -> None:
    assert extended_range(extremes([1.0] * 24, 64), 255) == (0.0, 1.0)


def test_many_values_a_sample_weigh_against_an_extension() -> None:
    highs = torch.linspace(0.9, 1, 24).tolist()
    few, many = (extended_range(extremes(highs, values), 255)[1] for values in (2, 200_000))
    assert many < few


def test_the_larger_end_decides_a_symmetric_range() -> None:
    """An extension of the smaller end costs no resolution, so it is free."""
    highs, lows = torch.linspace(4, 5, 24).tolist(), (-torch.linspace(0.5, 1, 24)).tolist()
    low, _ = extended_range(extremes(highs, 10_000, lows), 254, symmetric=True)
    assert low == pytest.approx(-2.0)


class Prepared(GraphModule):
    """Two observed values: the first is answered through a reshape, or clamped before."""

    def __init__(self, operator: Callable[..., Any]) -> None:
        root = nn.Module()
        root.inner, root.answer = MinMaxObserver(), MinMaxObserver()
        graph = Graph()
        inner = graph.call_module("inner", (graph.placeholder("x"),))
        value = graph.call_function(operator, (inner,) if operator is torch.ops.aten.relu6.default else (inner, 1.0))
        observed = graph.call_module("answer", (value,))
        graph.output((graph.call_function(torch.ops.aten.reshape.default, (observed, [-1])),))
        super().__init__(root, graph)


@pytest.mark.parametrize(
    ("operator", "samples", "extends"),
    [
        (torch.ops.aten.add.Tensor, 24, True),
        (torch.ops.aten.add.Tensor, 4, False),  # too few to know a distribution
        (torch.ops.aten.relu6.default, 24, False),  # bounded by nature
    ],
)
def test_answers_alone_are_extended(operator: Callable[..., Any], samples: int, extends: bool) -> None:
    prepared = Prepared(operator)
    draws = torch.randn(samples, 1, 2, generator=torch.Generator().manual_seed(0))
    with answers_extended(prepared):
        plain = torch.cat([prepared(draw)[0] for draw in draws]).max()
    ends = {name: getattr(prepared, name).max_val for name in ("inner", "answer")}
    assert ends["inner"] == draws.max()
    assert (ends["answer"] > plain) == extends
