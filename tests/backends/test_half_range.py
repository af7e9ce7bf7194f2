"""Layers whose values float16 does not hold: found on samples, named, refused or told by the target's accelerators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.half_range import check_half_range, half_kinds, overflows
from edgekit.errors import HalfOverflow
from edgekit.ir.program import WARNING, Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.specs.catalog import Catalog, builtin_root
from edgekit.specs.compression import Quantize

CATALOG = Catalog((builtin_root(),))
PHONE, JETSON, BOARD = (CATALOG.target(name) for name in ("pixel-8", "jetson-orin-nano", "raspberry-pi-5"))
HALF = Quantize(mode="float16")


class Wide(nn.Module):
    """A layer whose results are a hundred thousand times its inputs, between two of plain ones."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        layers = [nn.Linear(4, 4) for _ in range(3)]
        for layer, scale in zip(layers, (1.0, factor, 1e-5), strict=True):
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)
            layer.weight.data.mul_(scale)
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.model(x)
        return scores


def program(factor: float) -> Program:
    edges = Signature((TensorSpec("x", "float32", (1, 4)),), (TensorSpec("y", "float32", (1, 4)),))
    with torch.no_grad():
        return Program(torch.export.export(Wide(factor).eval(), (torch.ones(1, 4),)), edges)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Three samples, the second of which is the largest."""
    np.save(tmp_path / "x.npy", np.array([[0.1] * 4, [0.5, -0.9, 0.5, 0.5], [0.0] * 4], np.float32))
    return tmp_path


def test_the_layer_and_the_sample_with_its_largest_value_are_named(samples: Path) -> None:
    (layer,) = overflows(program(1e5), [np.load(samples / "x.npy")])
    assert (layer.layer, layer.sample) == ("1:linear", 1)
    assert layer.largest == pytest.approx(90_000)
    assert overflows(program(7e4), [np.load(samples / "x.npy")]) == ()


def test_a_profile_of_float16_is_refused_where_the_runtime_computes_in_it(samples: Path) -> None:
    (onnx, *_) = JETSON.runtime
    with pytest.raises(
        HalfOverflow, match=r"tensorrt of 'jetson-orin-nano' .* '1:linear' gives 90,000 on sample 1"
    ) as e:
        check_half_range(program(1e5), samples, HALF, JETSON, onnx)
    assert e.value.code == "EK429"
    assert e.value.hint
    assert "before '1'" in e.value.hint
    assert check_half_range(program(1e4), samples, HALF, JETSON, onnx) is None
    assert check_half_range(program(1e5), samples, None, JETSON, onnx) is None


@pytest.mark.parametrize("recipe", [None, HALF, Quantize()])
def test_a_gpu_that_computes_in_float16_is_warned_of_and_the_cpu_stays(samples: Path, recipe: Quantize | None) -> None:
    record = check_half_range(program(1e5), samples, recipe, PHONE, PHONE.select_runtime("tflite"))
    assert record
    assert dict(record.options)[WARNING] == (
        "litert-gpu computes in float16, and this file will not do there: float16 holds at most 65,504, and '1:linear' "
        "gives 90,000 on sample 1; the CPU will run it"
    )


def test_which_accelerators_compute_in_float16() -> None:
    snapdragon = CATALOG.target("snapdragon-8-gen-3")
    onnx = snapdragon.select_runtime("onnx")
    assert half_kinds(None, snapdragon, onnx) == ("qnn-htp",)
    assert half_kinds(Quantize(), snapdragon, onnx) == ()
    assert half_kinds(Quantize(mode="weight-only"), snapdragon, onnx) == ("qnn-htp",)
    assert half_kinds(HALF, BOARD, BOARD.select_runtime("executorch")) == ()
    assert half_kinds(HALF, JETSON, JETSON.runtime[0]) == ("tensorrt",)
