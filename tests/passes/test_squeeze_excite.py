"""Gates and hard-swish rewritten for integers compute what they did."""

from __future__ import annotations

import torch
import torch.ao.quantization.fx._decomposed  # it registers quantize_per_tensor
from torch import Tensor, fx, nn

from edgekit.passes.scale_folding import absorb
from edgekit.passes.squeeze_excite import HARD_TANH, drop_saturated, prepare_gates

aten = torch.ops.aten
IMAGE = (torch.randn((1, 4, 6, 6), generator=torch.Generator().manual_seed(1)) * 4,)


class Gated(nn.Module):
    """A hard-swish, and a gate without a bias, whose result a convolution reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(4, 8, 1), nn.Conv2d(8, 4, 1)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.hardswish(self.first(x))
        gate = nn.functional.hardsigmoid(self.excite(self.squeeze(x.mean((2, 3), keepdim=True))))
        out: Tensor = self.last(x * gate)
        return out


def captured(model: nn.Module) -> fx.GraphModule:
    torch.manual_seed(3)
    module = torch.export.export(model.eval(), IMAGE).module()
    assert isinstance(module, fx.GraphModule)
    return module


def named(model: fx.GraphModule, target: object) -> list[fx.Node]:
    return [node for node in model.graph.nodes if node.target is target]


def test_a_gate_becomes_a_clamp_and_a_hard_swish_sees_nothing_below_minus_3() -> None:
    model = captured(Gated())
    expected = model(*IMAGE)
    rewritten = prepare_gates(model, ())
    assert not named(rewritten, aten.hardsigmoid.default)
    assert [node.args[1] for node in named(rewritten, HARD_TANH)] == [-3.0, 0.0]
    torch.testing.assert_close(rewritten(*IMAGE), expected)


def test_modules_that_are_skipped_keep_their_gates() -> None:
    assert not named(prepare_gates(captured(Gated()), ("*",)), HARD_TANH)


def test_a_factor_goes_into_the_layers_that_read_it_past_averages_and_products() -> None:
    model = captured(Gated())
    expected = model(*IMAGE)
    (swish,) = named(model, aten.hardswish.default)
    assert absorb(swish, 1 / 6)
    with model.graph.inserting_after(swish):
        six = model.graph.call_function(aten.mul.Tensor, (swish, 6.0))
    swish.replace_all_uses_with(six, lambda user: user is not six)
    model.recompile()
    torch.testing.assert_close(model(*IMAGE), expected)


def test_a_factor_stays_where_something_else_reads_the_value() -> None:
    class Residual(Gated):
        def forward(self, x: Tensor) -> Tensor:
            y = nn.functional.hardswish(self.first(x))
            return y + super().forward(x).mean()

    model = captured(Residual())
    assert not absorb(named(model, aten.hardswish.default)[0], 1 / 6)


def test_a_square_takes_no_factor() -> None:
    class Square(Gated):
        def forward(self, x: Tensor) -> Tensor:
            y = nn.functional.hardswish(self.first(x))
            out: Tensor = self.last(y * y)
            return out

    assert not absorb(named(captured(Square()), aten.hardswish.default)[0], 1 / 6)


def test_only_clamps_that_rounding_does_are_dropped() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    quantize = torch.ops.quantized_decomposed.quantize_per_tensor.default
    done = graph.call_function(HARD_TANH, (x, 0.0, 1.0))
    needed = graph.call_function(HARD_TANH, (x, 0.0, 0.5))
    read = [graph.call_function(quantize, (clamp, 1 / 255, -128, -128, 127, torch.int8)) for clamp in (done, needed)]
    graph.output(read)
    model = drop_saturated(fx.GraphModule({}, graph))
    assert [node.args[2] for node in named(model, HARD_TANH)] == [0.5]
