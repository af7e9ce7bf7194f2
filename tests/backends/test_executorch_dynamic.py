"""Dynamic int8 for executorch: the layers that XNNPACK has kernels for, and only these."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from edgekit.backends.executorch import ExecuTorch
from edgekit.backends.executorch.dynamic_quantization import DynamicQuantizer
from edgekit.errors import PassError
from edgekit.ir.signature import TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.specs.compression import Quantize
from tests.backends.executorch_examples import RUNTIME, TARGET, Samples, capture, quantize, reference, run

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel:UserWarning"),
]


@pytest.mark.parametrize(
    ("layer", "has_kernel"),
    [
        (nn.Conv2d(3, 4, 3), True),
        (nn.Conv2d(3, 4, 3, padding="valid"), True),
        (nn.Conv2d(3, 4, 3, padding="same"), True),
        (nn.Conv2d(3, 4, 4, padding="same", dilation=2), True),
        (nn.Conv2d(3, 4, 4, padding="same"), False),
        (nn.Conv2d(3, 4, (3, 2), padding="same"), False),
        (nn.Conv2d(1, 4, 3), False),
        (nn.Conv2d(1, 4, 3, padding="same"), False),
        (nn.Conv2d(4, 4, 3, groups=2), False),
        (nn.Conv2d(3, 3, 3, groups=3), False),
        (nn.ConvTranspose2d(3, 4, 3), False),
        (nn.Conv1d(8, 4, 3), False),
        (nn.Linear(8, 4), True),
    ],
    ids=str,
)
def test_layers_that_xnnpack_computes_on_rounded_activations(layer: nn.Linear | nn.Conv2d, has_kernel: bool) -> None:
    shape = (1, getattr(layer, "in_channels", 8), *(8,) * (layer.weight.dim() - 2))
    module = torch.export.export(layer.eval(), (torch.zeros(shape),)).module()
    DynamicQuantizer(Quantize(mode="dynamic")).annotate(module)
    assert any(Q_ANNOTATION_KEY in node.meta for node in module.graph.nodes) == has_kernel


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 8), nn.LayerNorm((8, 8, 8))], ids=str)
def test_a_convolution_behind_a_norm_that_reshapes_stays_in_float(norm: nn.Module) -> None:
    """Its values come channels first: on XNNPACK the rounded ones were wrong (-2.6 dB), or the file did not run."""
    net = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), norm, nn.SiLU(), nn.Conv2d(8, 8, 3, padding=1))
    module = torch.export.export(net.eval(), (torch.zeros(1, 8, 8, 8),)).module()
    DynamicQuantizer(Quantize(mode="dynamic")).annotate(module)
    layers = [node for node in module.graph.nodes if node.target == torch.ops.aten.conv2d.default]
    assert [Q_ANNOTATION_KEY in node.meta for node in layers] == [True, False]


def test_a_network_without_such_layers_is_refused_with_the_way_out() -> None:
    program = capture(nn.Conv2d(3, 3, 3, groups=3), TensorSpec("image", "float32", (1, 3, 8, 8)))
    with pytest.raises(PassError, match="nothing was quantized") as caught:
        quantize(program, Quantize(mode="dynamic"), [(torch.zeros(1, 3, 8, 8),)])
    assert "--profile host-int8" in str(caught.value.hint)


class Greys(nn.Module):
    """Convolutions of one channel, of even kernels and of a tower that two inputs share, and a linear layer.

    A bottleneck with a stride rounds its input for two convolutions, of which XNNPACK scales one by the pixel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(nn.Conv2d(1, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding="same"))
        self.bottleneck = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1))
        self.shortcut = nn.Conv2d(8, 8, 1, 2)
        self.even = nn.Conv2d(8, 4, 2, padding="same")
        self.head = nn.Linear(4 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu(self.tower(x)) + self.tower(torch.flip(x, (3,)))
        features = self.bottleneck(features) + self.shortcut(features)
        output: Tensor = self.head(self.even(features).flatten(1))
        return output


@pytest.mark.lowers
def test_a_network_on_grey_pictures_is_built_and_its_other_layers_hold_integers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = TensorSpec("image", "float32", (1, 1, 8, 8))
    program = capture(Greys(), spec)
    samples: Samples = [(torch.rand(spec.shape),) for _ in range(4)]
    artifact = ExecuTorch().lower(quantize(program, Quantize(mode="dynamic"), samples), TARGET, RUNTIME, tmp_path)
    assert sqnr_db(reference(program, samples), run(artifact, samples)) > 35
    integer, floating = 2 * 8 * 8 * 9 + 2 * 8 * 8 + 4 * 16 * 5, 8 * 9 + 8 * 4 * 4
    assert artifact.integer == pytest.approx(integer / (integer + floating))


class Pyramid(nn.Module):
    """Two maps of a picture, of which the small one is enlarged by an operator that XNNPACK lacks.

    So the half of the large one that `mix` takes comes from another delegate: from there XNNPACK cannot transpose it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.large, self.small = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1, 2)
        self.mix, self.head = nn.Conv2d(4, 4, 1), nn.Conv2d(16, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        large = F.relu(self.large(x))
        small = F.interpolate(F.relu(self.small(large)), scale_factor=2.0)
        one, other = large.chunk(2, 1)
        answer: Tensor = self.head(torch.cat([one, self.mix(other), small], 1))
        return answer


@pytest.mark.lowers
def test_a_convolution_of_a_slice_from_another_delegate_stays_in_float(tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = TensorSpec("image", "float32", (1, 3, 8, 8))
    program = capture(Pyramid(), spec)
    samples: Samples = [(torch.rand(spec.shape),) for _ in range(4)]
    artifact = ExecuTorch().lower(quantize(program, Quantize(mode="dynamic"), samples), TARGET, RUNTIME, tmp_path)
    assert sqnr_db(reference(program, samples), run(artifact, samples)) > 35
    assert [(each.macs, each.integer) for each in artifact.placement.operators if each.macs] == [
        (3 * 8 * 64, True),
        (8 * 8 * 16, True),
        (4 * 4 * 64, False),
        (16 * 8 * 64, True),
    ]
