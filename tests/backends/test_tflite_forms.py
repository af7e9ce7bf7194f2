"""Forms in which LiteRT's XNNPACK delegate takes what it lacks: operators by name, values by torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.tflite.delegable_forms import UPSAMPLING, with_delegable_forms, with_forms
from edgekit.passes.quantization.simulate import unguarded
from tests.backends.operator_forms import Function, check_form, operators, uneven

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


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda mask: 1.0 - mask[:, None, None, :].to(torch.float32), "to unsqueeze unsqueeze rsub"),
        (lambda mask: mask.transpose(0, 1)[2:4].float(), "to transpose slice"),
        (lambda mask: (mask + 1)[:, None].float(), "add unsqueeze to"),
        (lambda mask: mask.float()[:, None], "to unsqueeze"),
    ],
)
def test_an_int64_mask_is_cast_before_its_entries_are_moved(call: Callable[[Tensor], Tensor], expected: str) -> None:
    mask = torch.tensor([[1, 1, 1, 0, 2**24 + 1]])
    exported = torch.export.export(Function(call), (mask,))
    rewritten = with_delegable_forms(exported.module())
    for check in [node for node in rewritten.graph.nodes if "_assert" in str(node.target)]:
        rewritten.graph.erase_node(check)  # it keeps what it checks
    rewritten.graph.eliminate_dead_code()
    assert operators(rewritten.graph) == expected
    assert torch.equal(rewritten(mask), call(mask))


def test_upsampling_that_is_chosen_before_calibration_takes_several_samples() -> None:
    exported = torch.export.export(nn.Upsample(scale_factor=2), (torch.randn(1, 3, 4, 5),))
    x = torch.randn(4, 3, 4, 5)
    upsampled = unguarded(with_forms(exported.module(), UPSAMPLING))
    torch.testing.assert_close(upsampled(x), nn.functional.interpolate(x, scale_factor=2))
