"""What the executorch backend refuses, and how it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.executorch import ExecuTorch, xnnpack_blob
from edgekit.errors import LoweringError, Misfit, UnsupportedOperator
from edgekit.ir.signature import TensorSpec
from edgekit.specs.compression import Quantize, Weights
from edgekit.specs.target import RuntimeSpec
from tests.backends.executorch_examples import RUNTIME, TARGET, capture

pytestmark = pytest.mark.lowers

VECTOR = TensorSpec("x", "float32", (1, 8))
VISITORS = "executorch.backends.xnnpack.operators"


@torch.library.custom_op("edgekit_tests::odd", mutates_args=())
def odd(x: Tensor) -> Tensor:
    """An operator that no runtime has, and no out variant."""
    return x * 2


@odd.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Tail(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = odd(x) if self.name == "odd" else getattr(torch, self.name)(x)
        return output


class Net(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.body = nn.Linear(8, 8)
        self.tail = Tail(name)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.tail(self.body(x))
        return output


@pytest.mark.parametrize(("name", "operator"), [("lgamma", "aten.lgamma"), ("odd", "edgekit_tests.odd")])
def test_unsupported_operator_is_named_with_module_and_line(name: str, operator: str, tmp_path: Path) -> None:
    program = capture(Net(name), VECTOR)
    with pytest.raises(UnsupportedOperator) as caught:
        ExecuTorch().lower(program, TARGET, RUNTIME, tmp_path)
    assert f"'{operator}' in module 'tail', at test_executorch_refusals.py:" in str(caught.value)
    assert str(caught.value).endswith("in forward")
    assert caught.value.__cause__ is not None
    assert not list(tmp_path.iterdir())


def test_operator_that_the_runtime_lacks_is_named_although_the_converter_took_it(tmp_path: Path) -> None:
    library: Any = torch.library.Library("edgekit_tests_out", "DEF")  # type: ignore[no-untyped-call]  # torch's own
    library.define("twice(Tensor x) -> Tensor")
    library.define("twice.out(Tensor x, *, Tensor(a!) out) -> Tensor(a!)")
    library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
    program = capture(_Twice(), VECTOR)
    with pytest.raises(UnsupportedOperator, match=r"no kernel for 'edgekit_tests_out::twice\.out' at test_exec"):
        ExecuTorch().lower(program, TARGET, RUNTIME, tmp_path)


class _Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        doubled: Tensor = torch.ops.edgekit_tests_out.twice(x + 1)
        return doubled


def test_what_the_converter_refuses_otherwise_is_a_lowering_error_from_its_cause(tmp_path: Path) -> None:
    program = capture(nn.Linear(8, 8), VECTOR)
    program.exported.graph.erase_node(list(program.exported.graph.nodes)[-1])
    with pytest.raises(LoweringError, match="executorch could not lower the program: ") as caught:
        ExecuTorch().lower(program, TARGET, RUNTIME, tmp_path)
    assert type(caught.value) is LoweringError
    assert caught.value.__cause__ is not None


def test_what_the_converter_refuses_at_an_operator_names_it_and_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_weights(*_: object) -> None:
        raise RuntimeError("Weight and Input should both be quantized")

    monkeypatch.setattr(f"{VISITORS}.quant_params.QuantParams.from_weights", from_weights)
    program = capture(nn.Sequential(nn.Linear(8, 8)), VECTOR)
    with pytest.raises(LoweringError, match=r"could not lower 'aten\.linear' in module '0', at .*: .*Weight") as caught:
        ExecuTorch().lower(program, TARGET, RUNTIME, tmp_path)
    assert "[quantize] skip" in (caught.value.hint or "")


def test_delegate_other_than_xnnpack_is_a_misfit(tmp_path: Path) -> None:
    runtime = RuntimeSpec(backend="executorch", delegates=("vulkan",))
    with pytest.raises(Misfit, match="'board' states delegates vulkan"):
        ExecuTorch().lower(capture(nn.Linear(8, 8), VECTOR), TARGET, runtime, tmp_path)


def test_asymmetric_weights_are_a_misfit() -> None:
    with pytest.raises(Misfit, match="symmetric weights only"):
        ExecuTorch().quantization(Quantize(weights=Weights(symmetric=False)), RUNTIME)


def test_uint8_activations_are_a_misfit() -> None:
    runtime = RuntimeSpec(backend="executorch", delegates=("xnnpack",), activations="uint8")
    with pytest.raises(Misfit, match="int8 activations"):
        ExecuTorch().quantization(Quantize(), runtime)


def test_blob_that_is_no_xnnpack_graph_is_not_read() -> None:
    with pytest.raises(ValueError, match="Invalid XNNHeader"):
        xnnpack_blob.nodes(bytes(64), 0, ())
