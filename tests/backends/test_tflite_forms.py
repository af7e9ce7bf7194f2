"""Forms in which LiteRT's XNNPACK delegate takes what it lacks: operators by name, values by torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgekit.backends.tflite.delegable_forms import UPSAMPLING, with_delegable_forms, with_forms
from edgekit.passes.quantization.simulate import unguarded
from tests.backends.operator_forms import Function, check_form, uneven

BLOCKS = "slice reshape slice reshape"
CASES = {
    "every second": (Function(lambda x: x[:, 1::2]), (2, 8, 3), "reshape slice reshape"),
    "every third, where no blocks fit": (Function(lambda x: x[:, 1::3]), (2, 8, 3), "slice"),
    "every third from the second": (Function(lambda x: x[:, 1:8:3]), (2, 10, 3), BLOCKS),
    "blocks that begin before the first": (Function(lambda x: x[:, 2:7:2]), (1, 7), BLOCKS),
    "one after the other": (Function(lambda x: x[:, 2:5]), (1, 7), "slice"),
    "group norm": (uneven(nn.GroupNorm(2, 6)), (2, 6, 4, 5), "reshape layer_norm reshape mul add"),
    "group norm without gain": (nn.GroupNorm(3, 6, affine=False), (1, 6, 5), "reshape layer_norm reshape"),
    "nearest": (
        nn.Upsample(scale_factor=2), (2, 3, 4, 5), "permute cat reshape cat reshape permute",
    ),
    "nearest of rows": (nn.Upsample((8, 5)), (1, 3, 4, 5), "permute reshape cat reshape permute"),
    "nearest of half steps": (nn.Upsample((6, 5)), (1, 3, 4, 5), "upsample_nearest2d"),
    "selection": (Function(lambda x: torch.where(x > 0, x / 2, -1e4)), (2, 9), "gt to sub div mul mul add"),
    "selection of quotients": (Function(lambda x: torch.where(x > 0, x / x, -1e4)), (2, 9), "gt div where"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operators_have_forms_that_compute_the_same(name: str) -> None:
    module, shape, expected = CASES[name]
    check_form(module, shape, expected, lambda exported: with_delegable_forms(exported.module()))


def test_upsampling_that_is_chosen_before_calibration_takes_several_samples() -> None:
    exported = torch.export.export(nn.Upsample(scale_factor=2), (torch.randn(1, 3, 4, 5),))
    x = torch.randn(4, 3, 4, 5)
    upsampled = unguarded(with_forms(exported.module(), UPSAMPLING))
    torch.testing.assert_close(upsampled(x), nn.functional.interpolate(x, scale_factor=2))
