"""Small ONNX models for tests of the Hexagon NPU, and a manifest of each for the runner."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.runner.model.accelerator import QNN_HTP, Accelerator
from edgekit.runner.model.manifest import ModelTensor, RunnerManifest

NOTHING: Mapping[str, str] = {}
OPSET = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
SHAPE = (1, 3, 8, 8)


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, Any],
    pixels: bool = False,
    shape: tuple[int, ...] = SHAPE,
) -> Path:
    """Write a model from `x` to `y`, where `x` is of `shape`; `pixels`: of uint8, channels last."""
    shape = (1, 8, 8, 3) if pixels else shape
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8 if pixels else TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "model", inputs, outputs, initializers)
    model = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=OPSET, ir_version=9))
    path.write_bytes(model.SerializeToString())
    return path


def around(source: str, name: str, domain: str = "") -> list[onnx.NodeProto]:
    """QuantizeLinear and DequantizeLinear of `source`, which give `name`."""
    return [
        helper.make_node("QuantizeLinear", [source, "scale", "zero"], [f"{name}.q"], domain=domain),
        helper.make_node("DequantizeLinear", [f"{name}.q", "scale", "zero"], [name], domain=domain),
    ]


def convolution(path: Path, zero: np.generic, domain: str = "") -> Path:
    """Write a quantized convolution with ReLU, whose activations are of the type of `zero`."""
    weights = np.random.default_rng(0).integers(-127, 127, (4, 3, 3, 3)).astype(np.int8)
    steps = 32768 if zero.dtype == np.uint16 else 128
    nodes = [
        *around("x", "a", domain),
        helper.make_node("DequantizeLinear", ["weights", "weight.scale", "weight.zero"], ["w"], axis=0),
        helper.make_node("Conv", ["a", "w"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        *around("r", "y", domain),
    ]
    constants = {
        "scale": np.float32(4 / steps),
        "zero": zero,
        "weights": weights,
        "weight.scale": np.full(4, 0.004, np.float32),
        "weight.zero": np.zeros(4, np.int8),
    }
    return save(path, nodes, {name: np.asarray(value) for name, value in constants.items()})


def manifest(model: Path, *, pixels: bool = False, options: Mapping[str, str] = NOTHING) -> RunnerManifest:
    """Manifest of a model on the NPU, with options of the request."""
    shape = (1, 8, 8, 3) if pixels else SHAPE
    return RunnerManifest(
        "onnx",
        model,
        (),
        (ModelTensor("x", "uint8" if pixels else "float32", shape, None, 0),),
        (ModelTensor("y", "float32", (1, 4, 6, 6), None, 0),),
        0.0,
        accelerator=Accelerator(QNN_HTP, tuple(options.items())),
    )
