"""The executorch backend on a small network: what is in the file, and who runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import edgekit
from edgekit.backends.executorch import ExecuTorch, xnnpack_blob
from edgekit.backends.executorch.convert import Conversion
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.specs.compression import Activations, Quantize, Weights
from tests import machine_identity as machine
from tests.backends.executorch_examples import (
    IMAGE,
    MACS,
    RUNTIME,
    TARGET,
    WEIGHTS,
    capture,
    images,
    named,
    net,
    quantize,
    reference,
    run,
)

Lower = Callable[[Program], Artifact]
pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.lowers]


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> Lower:
    return lambda program: ExecuTorch().lower(program, TARGET, RUNTIME, tmp_path_factory.mktemp("lowered"))


@pytest.fixture(scope="module")
def program() -> Program:
    return net()


@pytest.fixture(scope="module")
def floating(program: Program, lower: Lower) -> Artifact:
    return lower(program)


@pytest.fixture(scope="module")
def quantized(program: Program) -> Program:
    return quantize(program, Quantize(), images(16))


@pytest.fixture(scope="module")
def integer(quantized: Program, lower: Lower) -> Artifact:
    return lower(quantized)


def test_float_file_computes_what_torch_computes(program: Program, floating: Artifact) -> None:
    np.testing.assert_allclose(run(floating, images(8)), reference(program, images(8)), atol=1e-4)


def test_signature_is_what_the_loaded_file_takes_under_the_programs_names(floating: Artifact) -> None:
    assert floating.signature == Signature((IMAGE,), (TensorSpec("output", "float32", (1, 5)),))


def test_multiply_accumulates_are_those_of_the_network(floating: Artifact, integer: Artifact) -> None:
    for artifact in (floating, integer):
        assert [operator.macs for operator in artifact.placement.operators if operator.macs] == list(MACS.values())


def test_only_the_cast_from_uint8_to_float_falls_back(floating: Artifact, integer: Artifact) -> None:
    for artifact in (floating, integer):
        fallen = [operator.name for operator in artifact.placement.operators if operator.delegate is None]
        assert fallen == ["dim_order_ops::_to_dim_order_copy.out"]
        assert {operator.delegate for operator in artifact.placement.operators} == {"xnnpack", None}


def test_instruction_that_fails_is_named_with_its_operators_and_the_runtimes_reason(floating: Artifact) -> None:
    from executorch.exir._serialize._program import deserialize_pte_binary
    from executorch.exir.schema import DelegateCall

    from edgekit.backends.executorch.runtime_log import failed_instruction

    data = floating.files[0].read_bytes()
    program = deserialize_pte_binary(data).program
    calls = [each.instr_args for each in program.execution_plan[0].chains[0].instructions]
    number = next(number for number, call in enumerate(calls) if isinstance(call, DelegateCall))
    handles = xnnpack_blob.debug_handles(program.backend_delegate_data[0].data)
    converted = Conversion(data, {handles[0]: "'aten.first'", handles[-1]: "'aten.last'"}, {2: "head"})
    noise = "[cpuinfo_utils.cpp:71] Reading file /sys/devices/soc0/image_version\n"
    reason = f"{noise}[tensor_impl.cpp:135] Attempted to resize a static tensor.\n"
    failed = f"[method.cpp:1528] CALL_DELEGATE execute failed at instruction {number}: 0x10"
    assert failed_instruction(reason + failed, data, converted) == (
        f"XNNPACK failed at instruction {number}, from 'aten.first' to 'aten.last': "
        "Attempted to resize a static tensor."
    )
    kernel = "[method.cpp:1410] KernelCall failed at instruction 0:2 in operator aten::embedding.out: 0x12"
    assert failed_instruction(kernel, data, converted) == (
        "kernel 'aten::embedding.out' in module 'head' failed at instruction 2"
    )
    assert not failed_instruction("nothing of the kind", data, converted)


def test_float_file_holds_no_integers(floating: Artifact) -> None:
    assert (floating.integer, floating.integer_macs) == (0, 0)


def test_int8_file_stores_and_multiplies_integers(integer: Artifact) -> None:
    assert (integer.integer, integer.integer_macs) == (1, 1)
    assert integer.size_bytes > sum(WEIGHTS.values())


def test_int8_file_computes_nearly_what_torch_computes(program: Program, integer: Artifact) -> None:
    assert sqnr_db(reference(program, images(32)), run(integer, images(32))) > 20


def test_global_average_is_delegated_though_the_model_drops_its_axes(integer: Artifact) -> None:
    assert [operator.delegate for operator in named(integer, "GlobalAvgPooling2d")] == ["xnnpack"]


def test_residual_addition_is_integer_and_preprocessing_float(integer: Artifact) -> None:
    assert [operator.integer for operator in named(integer, "Multiply")] == [False]
    assert [operator.integer for operator in named(integer, "Add")] == [False, True]


def test_lowering_leaves_the_program_as_it_was(program: Program, floating: Artifact) -> None:
    untouched = net()
    assert program.exported.graph_module.code == untouched.exported.graph_module.code
    np.testing.assert_array_equal(reference(program, images(4)), reference(untouched, images(4)))


def test_skipped_modules_stay_in_float(program: Program, lower: Lower) -> None:
    artifact = lower(quantize(program, Quantize(skip=("depth*", "head")), images(4)))
    kept = [operator.macs for operator in artifact.placement.operators if operator.macs and not operator.integer]
    left, macs = ("depthwise", "head"), sum(MACS.values())
    assert kept == [MACS[layer] for layer in left]
    assert artifact.integer == pytest.approx(1 - sum(WEIGHTS[layer] for layer in left) / sum(WEIGHTS.values()))
    assert artifact.integer_macs == pytest.approx(1 - sum(kept) / macs)


def test_granularity_sets_the_number_of_weight_scales(program: Program, quantized: Program, lower: Lower) -> None:
    whole = quantize(program, Quantize(weights=Weights(granularity="per-tensor")), images(4))
    assert _targets(quantized).count("dequantize_per_channel") == len(WEIGHTS)
    assert _targets(whole).count("dequantize_per_channel") == 0
    artifact = lower(whole)
    assert (artifact.integer, artifact.integer_macs) == (1, 1)


def test_symmetric_activations_have_zero_points_of_zero(program: Program, quantized: Program) -> None:
    symmetric = quantize(program, Quantize(activations=Activations(symmetric=True)), images(8))
    assert {zero_point for _, zero_point in _activations(symmetric)} == {0}
    assert {zero_point for _, zero_point in _activations(quantized)} != {0}


def test_minmax_spans_the_long_tail_that_histogram_cuts_off() -> None:
    torch.manual_seed(0)
    program = capture(nn.Conv2d(3, 1, 3), TensorSpec("image", "float32", (1, 3, 128, 128)))
    samples: list[tuple[torch.Tensor, ...]] = [(torch.empty(1, 3, 128, 128).exponential_(),) for _ in range(8)]
    largest = max(float(sample.max()) for (sample,) in samples)
    minmax, histogram = (
        _activations(quantize(program, Quantize(activations=Activations(observer=observer)), samples))[0]
        for observer in ("minmax", "histogram")
    )
    assert minmax[0] == pytest.approx(largest / 255, rel=1e-5)
    assert minmax[1] == -128
    assert histogram[0] < 0.95 * minmax[0]


def test_file_tells_nothing_of_the_machine_that_made_it(floating: Artifact, integer: Artifact) -> None:
    traces = [str(Path(edgekit.__file__).parents[1]), sys.prefix, ".py", "site-packages", *machine.names()]
    for artifact in (floating, integer):
        data = artifact.files[0].read_bytes()
        assert [trace for trace in traces if trace.encode() in data] == []


def _targets(program: Program) -> list[str]:
    return [getattr(node.target, "_opname", "") for node in program.exported.graph.nodes]


def _activations(program: Program) -> list[tuple[float, int]]:
    """Scale and zero point of every quantized activation, in order."""
    quantizers = (node for node in program.exported.graph.nodes if "quantize_per_tensor.default" in str(node.target))
    return [tuple(node.args[1:3]) for node in quantizers if ".quantize_" in str(node.target)]


class _ReadWeight(nn.Module):
    """A layer whose weight is an operand too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.layer(x) * self.layer.weight.sum(1) + self.layer.weight[0]
        return mixed


def test_a_weight_that_other_operators_read_too_is_loaded(lower: Lower) -> None:
    program = capture(_ReadWeight(), TensorSpec("x", "float32", (1, 8)))
    torch.manual_seed(0)
    samples: list[tuple[Tensor, ...]] = [(torch.randn(1, 8),) for _ in range(4)]
    assert sqnr_db(reference(program, samples), run(lower(program), samples)) > 100


class _Signal(nn.Module):
    """Three convolutions in one dimension, of which the middle one may stay in float."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Conv1d(4, 8, 3), nn.Conv1d(8, 8, 3), nn.Conv1d(8, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        signal: Tensor = self.last(self.middle(self.first(x).relu()).relu())
        return signal


def test_a_float_convolution_of_signals_reads_integers_and_gives_them(lower: Lower) -> None:
    torch.manual_seed(0)
    program = capture(_Signal(), TensorSpec("x", "float32", (1, 4, 16)))
    samples: list[tuple[Tensor, ...]] = [(torch.randn(1, 4, 16),) for _ in range(4)]
    quantized = quantize(program, Quantize(skip=("middle",)), samples)
    assert sqnr_db(reference(program, samples), run(lower(quantized), samples)) > 30
