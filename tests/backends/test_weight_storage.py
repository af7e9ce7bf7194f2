"""Weights in XNNPACK's part of a .pte: float16, or int8 by channel, multiplied by float activations in ExecuTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.executorch import ExecuTorch
from edgekit.backends.verify import verify
from edgekit.errors import LoweringError
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.embedding_tables import rounded_rows
from edgekit.specs.catalog import Catalog
from edgekit.specs.compression import Quantize

# Converters import modules that warn of their own deprecated calls.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.lowers,
]
HALF, INTEGER = Quantize(mode="float16"), Quantize(mode="weight-only")
HOST = Catalog.default().target("host")


class Convolutions(nn.Module):
    """Every kind of convolution that XNNPACK has, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.depthwise = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.grouped, self.transposed = nn.Conv2d(16, 16, 1, groups=2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.line, self.linear = nn.Conv1d(8, 8, 3), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.depthwise(torch.relu(self.plain(x))))
        x = self.line(self.transposed(self.grouped(x)).flatten(2)).mean(2)
        output: Tensor = self.linear(x)
        return output


class Words(nn.Module):
    """A table of words whose rows are looked up, and multiplied by a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(50, 24), nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.out(self.table(x).mean(1))
        return output


def lowered(net: nn.Module, x: Tensor, recipe: Quantize | None, folder: Path) -> tuple[Artifact, float]:
    """The network's file for the host, and its SQNR against the network in dB."""
    torch.manual_seed(0)
    dtype = str(x.dtype).removeprefix("torch.")
    with torch.no_grad():
        exported = torch.export.export(net.eval(), (x[:1],))
        answer = TensorSpec("y", "float32", tuple(net(x[:1]).shape))
    program = Program(exported, Signature((TensorSpec("x", dtype, tuple(x[:1].shape)),), (answer,)))
    out = folder / (recipe.precision if recipe else "float32")
    (out / "checks").mkdir(parents=True)
    np.save(out / "checks" / "x.npy", x.numpy())
    artifact = ExecuTorch().lower(program, HOST, HOST.select_runtime("executorch"), out, recipe)
    return artifact, verify(artifact, program, out / "checks", out / "golden", recipe)


def with_large_biases(net: nn.Module) -> nn.Module:
    """The network itself, with biases of 0.5 to 1.5, in place."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(0.5, 1.5)
    return net


def test_weights_of_every_layer_are_stored_in_half(tmp_path: Path) -> None:
    net = with_large_biases(Convolutions())
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    whole, _ = lowered(net, x, None, tmp_path)
    artifact, sqnr_db = lowered(net, x, HALF, tmp_path)
    assert whole.weight_bytes
    assert artifact.weight_bytes == whole.weight_bytes // 2
    assert sqnr_db > 55
    assert artifact.fragments == whole.fragments
    assert artifact.macs == whole.macs


def test_rows_of_tables_are_looked_up_in_half(tmp_path: Path) -> None:
    x = torch.randint(0, 50, (2, 6), generator=torch.Generator().manual_seed(1))
    artifact, sqnr_db = lowered(Words(), x, HALF, tmp_path)
    assert artifact.weight_bytes == 2 * (50 * 24 + 24 * 4)
    assert sqnr_db > 55


def test_modules_that_are_skipped_stay_in_float32(tmp_path: Path) -> None:
    x = torch.randint(0, 50, (2, 6), generator=torch.Generator().manual_seed(1))
    artifact, _ = lowered(Words(), x, HALF.model_copy(update={"skip": ("table",)}), tmp_path)
    assert artifact.weight_bytes == 4 * 50 * 24 + 2 * 24 * 4


@pytest.mark.parametrize("name", ["table", "out"])
def test_numbers_beyond_half_precision_are_refused_by_the_name_of_their_module(name: str, tmp_path: Path) -> None:
    net = Words()
    with torch.no_grad():
        net.get_submodule(name).weight[0, 0] = 1e5  # type: ignore[operator]
    with pytest.raises(LoweringError, match=f"'{name}'.* beyond 65504") as caught:
        lowered(net, torch.zeros(1, 6, dtype=torch.long), HALF, tmp_path)
    assert caught.value.hint == f"add '{name}' to [quantize] skip"


class Shared(nn.Module):
    """One bias behind two weights, and one that is added elsewhere, too."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Linear(16, 16) for _ in range(3))
        self.second.bias = self.first.bias

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.second(torch.tanh(self.first(x))))
        return torch.tanh(self.third(x) + self.third.bias)


class Recurrent(nn.Module):
    """A layer whose steps are written out as it is lowered."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell = kind(16, 16, batch_first=True)  # type: ignore[call-arg, arg-type]

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.cell(x)[0][:, -1]
        return answer


def test_integer_weights_are_multiplied_by_float_activations(tmp_path: Path) -> None:
    net = with_large_biases(nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 8)))
    x = torch.randn(4, 48, generator=torch.Generator().manual_seed(1))
    artifact, sqnr_db = lowered(net, x, INTEGER, tmp_path)
    assert (artifact.integer, artifact.integer_macs, artifact.weight_bytes) == (1.0, 0.0, 48 * 32 + 32 * 8)
    assert sqnr_db > 35
    with torch.no_grad():
        for layer in (net[0], net[2]):  # type: ignore[index]
            integers, scales = rounded_rows(layer.weight)
            layer.weight.copy_(integers * scales)
        expected = net(x).numpy()
    answers = np.load(tmp_path / "weight-int8" / "golden" / "outputs" / "y.npy")
    np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("net", "shape"),
    [(Recurrent(nn.GRU), (1, 3, 16)), (Recurrent(nn.LSTM), (1, 3, 16)), (Shared(), (1, 16))],
    ids=["gru", "lstm", "shared"],
)
def test_biases_of_integer_weights_keep_their_size(net: nn.Module, shape: tuple[int, ...], tmp_path: Path) -> None:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    artifact, sqnr_db = lowered(with_large_biases(net), x, INTEGER, tmp_path)
    assert sqnr_db > 35
    assert artifact.integer == 1.0


class Transposed(nn.Module):
    """The bias of a transposed convolution, which another layer and an addition read."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.mix = nn.ConvTranspose2d(1, 4, 2, 2), nn.Conv2d(4, 4, 1)
        self.mix.bias = self.up.bias

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = torch.tanh(self.mix(self.up(x))) + self.up.bias.reshape(1, 4, 1, 1)  # type: ignore[union-attr]
        return answer


@pytest.mark.parametrize(("net", "shape"), [(Shared(), (1, 16)), (Transposed(), (1, 1, 4, 4))])
def test_a_bias_that_is_added_elsewhere_too_ends_no_process(
    net: nn.Module, shape: tuple[int, ...], tmp_path: Path
) -> None:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    assert lowered(with_large_biases(net), x, None, tmp_path)[1] > 100
