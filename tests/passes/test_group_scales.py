"""Scales of int4 groups: none of a fine grid is better, and what int4 holds exactly stays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgekit.passes.quantization.group_scales import GroupedWeight, grouped_weight

GROUP = 32


def weight(outputs: int = 24, inputs: int = 96) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(outputs, inputs) / 10


def errors(weight: Tensor, real: Tensor) -> Tensor:
    """Squared error of each group, [outputs, groups]."""
    return ((weight - real) ** 2).reshape(len(weight), -1, GROUP).sum(-1)


def by_scale(weight: Tensor, divisor: float) -> Tensor:
    """Rounded by the largest magnitude of each group over `divisor`."""
    groups = weight.reshape(len(weight), -1, GROUP)
    scale = groups.abs().amax(-1, keepdim=True) / divisor
    return ((groups / scale).round().clamp(-8, 7) * scale).reshape(weight.shape)


def test_no_scale_of_a_fine_grid_is_much_better() -> None:
    values = weight()
    found = errors(values, grouped_weight(values, GROUP).real)
    tried = torch.stack([errors(values, by_scale(values, 1 + step / 50)) for step in range(600)])
    assert found.sum() < 1.01 * tried.amin(0).sum()
    for vendor in (7.0, 7.5):  # LiteRT's, torchao's
        assert (found <= 1.001 * errors(values, by_scale(values, vendor))).all()
        assert found.sum() < 0.9 * errors(values, by_scale(values, vendor)).sum()


@pytest.mark.parametrize("scale", [1.0, 0.0123, 3e-5, 700.0])
def test_a_weight_that_int4_holds_stays_as_it_is(scale: float) -> None:
    torch.manual_seed(1)
    scales = (torch.rand(24, 3) * scale + scale).bfloat16().half().float()
    integers = torch.randint(-8, 8, (24, 96)).to(torch.int8)
    held = GroupedWeight(integers, scales, GROUP).real
    assert torch.equal(grouped_weight(held, GROUP).real, held)


def test_scales_are_those_that_files_store() -> None:
    scales = grouped_weight(weight() * torch.logspace(-9, 9, 24)[:, None], GROUP).scales
    assert torch.equal(scales.half().float(), scales)
    assert torch.equal(scales.bfloat16().float(), scales)
    assert (scales > 0).all()


def test_zeros_and_a_short_last_group() -> None:
    values = weight(4, 44)
    values[1] = 0
    rounded = grouped_weight(values, GROUP)
    assert rounded.integers.shape == (4, 44)
    assert rounded.scales.shape == (4, 2)
    assert not rounded.real[1].any()
    assert torch.equal(rounded.real[:, 32:], grouped_weight(values[:, 32:], GROUP).real)


def test_large_weights_are_searched_in_parts_with_one_result(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = grouped_weight(weight(), GROUP)
    monkeypatch.setattr("edgekit.passes.quantization.group_scales.AT_ONCE", 200)
    parts = grouped_weight(weight(), GROUP)
    assert torch.equal(whole.real, parts.real)


def test_inputs_that_matter_more_are_rounded_better() -> None:
    values, importance = weight(), torch.ones(96)
    importance[::4] = 100.0
    plain, weighted = (grouped_weight(values, GROUP, each).real for each in (None, importance))
    assert (values - weighted)[:, ::4].square().sum() < 0.8 * (values - plain)[:, ::4].square().sum()
    assert ((values - weighted) ** 2 * importance).sum() <= ((values - plain) ** 2 * importance).sum()
