"""Programs in canonical form: constants for weights, each batch norm folded once, no writes through a view."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

from edgekit.frontend.canonical import canonical
from edgekit.frontend.functionalization import is_write
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.base import outputs
from edgekit.passes.quantization.batch_norm_folding import FoldBatchNorm
from edgekit.passes.quantization.quantize import quantize
from edgekit.specs.compression import Quantize
from tests.passes.small_networks import one_by_one, onnx

aten = torch.ops.aten
PICTURES = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
ENOUGH_DB = 25.0
"""Eight bits on random weights; a batch norm folded twice, or a lost write, is below 10 dB."""


def settled(network: nn.Module) -> nn.Module:
    """`network` with batch norms that have seen something, in evaluation."""
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.uniform_(part.bias, -0.5, 0.5)
            statistics = dict(part.named_buffers())
            nn.init.uniform_(statistics["running_mean"], -0.2, 0.2)
            nn.init.uniform_(statistics["running_var"], 0.3, 1.0)
    return network.eval()


def exported(network: nn.Module) -> ExportedProgram:
    with torch.no_grad():
        return torch.export.export(network, (PICTURES[:1].clone(),))


def check(network: nn.Module) -> ExportedProgram:
    """The network's program in canonical form. As it is, folded and quantized it answers what the network answers."""
    samples = one_by_one(PICTURES)
    made = Program(canonical(exported(network)), Signature((), ()))
    with torch.no_grad():
        wanted = torch.cat([network(sample[0].clone()) for sample in samples]).numpy().ravel()
    assert sqnr_db(wanted, outputs(made.exported, samples)) > 100
    assert sqnr_db(wanted, outputs(FoldBatchNorm()(made, samples).exported, samples)) > 100
    rounded = quantize(made, Quantize(), onnx, samples, samples)
    assert sqnr_db(wanted, outputs(rounded.exported, samples)) > ENOUGH_DB
    return made.exported


class Normed(nn.Module):
    """A convolution and its batch norm, then a head."""

    def __init__(self, conv: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = conv or nn.Conv2d(3, 8, 3, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(F.relu(self.bn(self.conv(x))).mean((2, 3)))
        return output


class Standardized(nn.Conv2d):
    """Weight standardization (Qiao et al. 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5), self.bias)


class Equalized(nn.Conv2d):
    """An equalized learning rate (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * (2 / self.weight[0].numel()) ** 0.5, self.bias)


def orthogonal(how: str) -> nn.Module:
    return parametrizations.orthogonal(nn.Conv2d(3, 8, 3), orthogonal_map=how)


def spectral(conv: nn.Module) -> nn.Module:
    """Spectral norm that has found its largest singular value, as training leaves it."""
    made = parametrizations.spectral_norm(conv, n_power_iterations=15)
    made.train()(PICTURES)
    return made


def hooked_spectral(conv: nn.Module) -> nn.Module:
    made = nn.utils.spectral_norm(conv, n_power_iterations=15)
    made.train()(PICTURES)
    return made


l1_unstructured: Callable[..., nn.Module] = prune.l1_unstructured
COMPUTED: dict[str, Callable[[], nn.Module]] = {
    "weight norm": lambda: parametrizations.weight_norm(nn.Conv2d(3, 8, 3)),
    "weight norm, by hook": lambda: nn.utils.weight_norm(nn.Conv2d(3, 8, 3)),
    "spectral norm": lambda: spectral(nn.Conv2d(3, 8, 3)),
    "spectral norm, by hook": lambda: hooked_spectral(nn.Conv2d(3, 8, 3)),
    "orthogonal, matrix exponential": lambda: orthogonal("matrix_exp"),
    "orthogonal, Cayley": lambda: orthogonal("cayley"),
    "orthogonal, Householder": lambda: orthogonal("householder"),
    "pruning mask": lambda: l1_unstructured(nn.Conv2d(3, 8, 3), "weight", amount=0.3),
    "weight standardization": lambda: Standardized(3, 8, 3),
    "equalized learning rate": lambda: Equalized(3, 8, 3),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning", "ignore:The tensor attr:UserWarning")
@pytest.mark.parametrize("conv", COMPUTED.values(), ids=COMPUTED.keys())
def test_a_weight_that_is_computed_is_a_constant(conv: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    program = check(settled(Normed(conv())))
    (layer,) = (node for node in program.module().graph.nodes if node.target is aten.conv2d.default)
    assert layer.args[1].op == "get_attr"
    assert sum(value.numel() for value in program.state_dict.values()) < 400  # what it was computed of is gone


class Siamese(Normed):
    """One branch, twice."""

    def forward(self, x: Tensor) -> Tensor:
        left, right = (F.relu(self.bn(self.conv(view))).mean((2, 3)) for view in (x, x.flip(3) * 0.5))
        output: Tensor = self.head(left + right)
        return output


class Scales(Normed):
    """One convolution on two scales, each with a batch norm of its own, as detection heads have it."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        large, small = self.bn(self.conv(x)), self.other(self.conv(F.avg_pool2d(x, 2)))
        output: Tensor = self.head(F.relu(large).mean((2, 3)) + F.relu(small).mean((2, 3)))
        return output


class Shortcut(Normed):
    """What the convolution gives is read before the batch norm too."""

    def forward(self, x: Tensor) -> Tensor:
        before = self.conv(x)
        output: Tensor = self.head(F.relu(self.bn(before) + before).mean((2, 3)))
        return output


class Bare(Normed):
    """One convolution, once with its batch norm and once without."""

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(F.relu(self.bn(self.conv(x))).mean((2, 3)) + self.conv(x * 0.5).mean((2, 3)))
        return output


class Dense(nn.Module):
    """A linear layer and its batch norm, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.bn, self.head = nn.Linear(192, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        left, right = (F.relu(self.bn(self.body(view.flatten(1)))) for view in (x, x * 0.5))
        output: Tensor = self.head(left + right)
        return output


@pytest.mark.parametrize("network", [Siamese, Scales, Shortcut, Bare, Dense])
def test_a_batch_norm_is_folded_once_into_weights_that_others_read(network: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    check(settled(network()))


def test_equal_pairs_share_their_folded_weights() -> None:
    torch.manual_seed(0)
    program = check(settled(Siamese()))
    assert set(program.state_dict) == {"conv.weight", "conv.weight_bias", "head.weight", "head.bias"}


class Strip(Normed):
    """Writes into a part of a value, as decoders of boxes do."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn(self.conv(x)))
        y[:, :4] *= 3
        y[:, 4] = 1.0
        output: Tensor = self.head(y.mean((2, 3)))
        return output


class Centred(Normed):
    """Writes into a copy of its input, which it reads again."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.clone()
        y.sub_(0.3).mul_(2)
        return super().forward(y) + x.mean((1, 2, 3))[:, None]


@pytest.mark.parametrize("network", [Strip, Centred])
def test_a_write_reaches_all_who_read(network: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    program = check(settled(network()))
    assert not any(map(is_write, program.graph.nodes))
    assert not any(node.target is aten.clone.default for node in program.graph.nodes)


class Plain(Normed):
    """Writes into values that nobody else reads."""

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(F.relu(self.bn(self.conv(x)), inplace=True).mean((2, 3)))
        return output


def test_a_program_that_is_in_canonical_form_stays_the_same() -> None:
    program = exported(settled(Plain()))
    assert canonical(program) is program


class Tied(nn.Module):
    """A table that is read once as it is, and once turned."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.table = nn.Linear(192, 8), nn.Parameter(torch.rand(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.body(x.flatten(1)), self.table.t()) @ self.table.t() @ self.table


def test_a_tied_weight_is_not_stored_twice() -> None:
    program = canonical(exported(Tied().eval()))
    shapes = [tuple(tensor.shape) for tensor in program.state_dict.values()]
    assert shapes.count((8, 4)) == 1
    assert (4, 8) not in shapes
