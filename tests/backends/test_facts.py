"""Facts of files of many architectures, against what is counted by hand, on the three backends."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from edgekit.errors import LoweringError
from edgekit.ir.artifact import Artifact
from edgekit.passes.quantization.quantize import quantize
from edgekit.report.assemble import describe
from edgekit.specs.compression import Quantize
from edgekit.specs.target import RuntimeSpec
from tests.backends.architectures import ARCHITECTURES, Architecture, captured
from tests.backends.boards import board
from tests.backends.loaded_backend import loaded_backend
from tests.parity.gate_examples import facts, judged

pytestmark = pytest.mark.lowers

RUNTIMES = {
    "executorch": RuntimeSpec(backend="executorch", delegates=("xnnpack",)),
    "onnx": RuntimeSpec(backend="onnx", delegates=("cpu",), activations="uint8"),
    "tflite": RuntimeSpec(backend="tflite", delegates=("xnnpack",)),
}
LOOKUPS = ("aten::embedding.out", "Gather", "EMBEDDING_LOOKUP", "GATHER")
Lower = Callable[[str, str], Artifact]
"""Lower the architecture of the first name in float on the backend of the second."""


def lowered(made: Architecture, name: str, out: Path, recipe: Quantize | None = None) -> Artifact:
    backend, runtime = loaded_backend(name), RUNTIMES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        program = captured(made.make(), made.example())
        if recipe:
            samples = [(made.example(),) for _ in range(4)]
            program = quantize(program, recipe, lambda one: backend.quantization(one, runtime), samples, samples[:2])
        out.mkdir()
        artifact: Artifact = backend.lower(program, board(runtime), runtime, out)
    return artifact


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> Lower:
    root = tmp_path_factory.mktemp("facts")
    return cache(lambda name, backend: lowered(ARCHITECTURES[name], backend, root / f"{name}-{backend}"))


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_work_and_weights_are_those_counted_by_hand(lower: Lower, name: str, backend: str) -> None:
    if (name, backend) == ("conv3d", "executorch"):
        # Neither XNNPACK nor ExecuTorch's own kernel has volumes: the file loads, and fails as it runs.
        with pytest.raises(LoweringError, match=r"in module '0' failed .* 3-D or 4-D, but got, 5"):
            lower(name, backend)
        return
    artifact, expected = lower(name, backend), ARCHITECTURES[name]
    assert artifact.macs == expected.macs - (expected.folded if backend == "tflite" else 0)
    assert artifact.integer == 0
    # executorch's converter copies the weight that one layer reads transposed.
    copies = 2 if (name, backend) == ("tied", "executorch") else 1
    table = 4 * 500 * 32
    assert artifact.weight_bytes == 4 * expected.weights + (copies - 1) * table


@pytest.mark.parametrize("backend", RUNTIMES)
def test_an_embedding_that_the_profile_skips_is_in_float_and_fails_the_gate_on_size(
    lower: Lower, tmp_path: Path, backend: str
) -> None:
    made = ARCHITECTURES["embedding"]
    artifact = lowered(made, backend, tmp_path / "out", Quantize(skip=("embedding",)))
    assert artifact.integer == pytest.approx(32 * 8 / made.weights)
    assert artifact.weight_bytes == 4 * 500 * 32 + 32 * 8
    assert artifact.integer_macs == 1
    assert size_gate(artifact, lower("embedding", backend)) == "failed"


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_tied_table_is_in_int8_for_lookup_and_product_and_once_in_a_file_that_can_share_it(
    tmp_path: Path, backend: str
) -> None:
    artifact = lowered(ARCHITECTURES["tied"], backend, tmp_path / "out", Quantize())
    table, hidden = 500 * 32, 32 * 32
    assert artifact.integer == 1
    # XNNPACK packs the weights of a product into its own delegate.
    assert artifact.weight_bytes == (2 if backend == "executorch" else 1) * table + hidden
    assert artifact.integer_macs == 1
    lookups = bytes_of(artifact, LOOKUPS)
    rows, scales = 12 * 32, 12 * 4
    if backend == "tflite":  # one kernel gathers rows and multiplies by their scales
        assert len(lookups) == 1
    else:
        assert set(lookups) == {2 * scales + 12 * 8, 2 * rows + 12 * 8}


@pytest.mark.parametrize("backend", RUNTIMES)
def test_recurrent_matrices_are_integers(tmp_path: Path, backend: str) -> None:
    made = ARCHITECTURES["lstm"]
    artifact = lowered(made, backend, tmp_path / "out", Quantize())
    assert artifact.integer == 1
    assert artifact.integer_macs == 1


def test_fragments_between_delegates_show_in_bytes_and_not_in_arithmetic(lower: Lower) -> None:
    placement = lower("embedding", "executorch").placement
    moved = [(operator.delegate, operator.bytes or 0) for operator in placement.operators]
    outside = sum(size for delegate, size in moved if delegate is None)
    assert placement.fallback == 0
    assert placement.fallback_bytes == outside / sum(size for _, size in moved) > 0.1


@pytest.mark.parametrize("backend", RUNTIMES)
def test_the_gate_on_size_lets_graphs_and_biases_pass(lower: Lower, tmp_path: Path, backend: str) -> None:
    artifact = lowered(ARCHITECTURES["attention"], backend, tmp_path / "out", Quantize())
    assert size_gate(artifact, lower("attention", backend)) == "passed"


def size_gate(artifact: Artifact, floating: Artifact) -> str:
    """Outcome of the gate `size_ratio` for a file whose plain ratio is beyond it."""
    described = describe(artifact, floating.size_bytes, floating.weight_bytes)
    assert described.size_ratio > 0.45
    known = facts(size_ratio=described.size_ratio, weights_ratio=described.weights_ratio)
    outcome: str = judged("size_ratio", {"max": 0.35}, known).outcome
    return outcome


def bytes_of(artifact: Artifact, names: Iterable[str]) -> list[int | None]:
    return [operator.bytes for operator in artifact.placement.operators if operator.name in names]


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_lookup_reads_its_rows_and_no_more(lower: Lower, backend: str) -> None:
    lookups = bytes_of(lower("embedding", backend), LOOKUPS)
    rows, indices = 4 * 12 * 32, 12 * (4 if backend == "tflite" else 8)
    assert lookups in ([2 * rows + indices], [2 * rows + 12 * 8])


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_product_reads_weights_bias_and_input(tmp_path: Path, backend: str) -> None:
    made = Architecture(lambda: nn.Linear(32, 8), lambda: torch.randn(1, 32), 256, 256)
    artifact = lowered(made, backend, tmp_path / "out")
    assert bytes_of(artifact, ("FullyConnected", "FULLY_CONNECTED", "Gemm")) == [4 * (32 + 32 * 8 + 8 + 8)]
