"""Patterns that XNNPACK's tools search for are traced only where a program may have them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.executorch.pattern_graphs import without_absent_patterns
from edgekit.backends.executorch.quantizer import quantizer
from edgekit.specs.compression import Quantize

pytestmark = [
    pytest.mark.lowers,
    # Of executorch, as it is imported and traces.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


class Resized(nn.Module):
    """Bilinear resizing, and attention in a branch of the program."""

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.cond(x.sum() > 0, lambda y: y.softmax(-1), lambda y: y + 1, (x,))
        return nn.functional.interpolate(scores, scale_factor=2.0, mode="bilinear")


def test_absent_patterns_are_not_traced_and_present_ones_are() -> None:
    from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa

    before = (bilinear_2d.get_graphs_dict, sdpa.get_graphs)
    x = torch.ones(1, 3, 4, 4)
    plain = torch.export.export(nn.Conv2d(3, 4, 1), (x,))
    with without_absent_patterns([plain]):
        assert (bilinear_2d.get_graphs_dict(), sdpa.get_graphs()) == ({}, [])
    resized = torch.export.export(Resized(), (x,))
    with without_absent_patterns([plain, resized]):
        assert (bilinear_2d.get_graphs_dict, sdpa.get_graphs) == before
    assert (bilinear_2d.get_graphs_dict, sdpa.get_graphs) == before


@pytest.mark.parametrize("normalized", [False, True])
def test_batch_norm_is_searched_for_only_in_a_program_that_has_one(normalized: bool) -> None:
    network = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3) if normalized else nn.Identity(), nn.Conv2d(3, 4, 1)).eval()
    module = torch.export.export(network, (torch.ones(1, 3, 4, 4),)).module()
    chosen = quantizer(Quantize())
    chosen.annotate(chosen.transform_for_annotation(module))
    assert any("_bn" in pattern.name for pattern in chosen.SUPPORTED_PATTERNS) is normalized
