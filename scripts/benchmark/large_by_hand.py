"""Weight-only quantization of a perceptron by a vendor's own tools: as a user calls them who has no edgekit.

`python -m scripts.benchmark.large_by_hand BACKEND WEIGHTS LAYERS`, measured from outside.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from scripts.benchmark.memory import MODEL, WIDTH


def main(backend: str, weights: str, layers: int) -> None:
    import torch

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    space: dict[str, Any] = {}
    exec(MODEL.format(width=WIDTH, layers=layers), space)
    network, example = space["net"]().eval(), (torch.zeros(1, WIDTH),)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        {"executorch": executorch, "onnx": onnx, "tflite": tflite}[backend](network, example, weights, Path(folder))


def executorch(network: Any, example: tuple[Any, ...], weights: str, out: Path) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
    from torchao.quantization.granularity import PerAxis, PerGroup

    granularity = PerGroup(32) if weights == "int4" else PerAxis(0)
    dtype = getattr(torch, weights)
    quantize_(network, Int8DynamicActivationIntxWeightConfig(dtype, weight_granularity=granularity))
    lowered = to_edge_transform_and_lower(torch.export.export(network, example), partitioner=[XnnpackPartitioner()])
    with (out / "model.pte").open("wb") as file:
        lowered.to_executorch().write_to_file(file)


def onnx(network: Any, example: tuple[Any, ...], weights: str, out: Path) -> None:
    import torch
    from onnxruntime.quantization import matmul_nbits_quantizer

    program = torch.onnx.export(network, example, dynamo=True, verbose=False)
    assert program is not None
    program.save(str(out / "float.onnx"))
    bits = int(weights.removeprefix("int"))
    tool = matmul_nbits_quantizer.MatMulNBitsQuantizer(str(out / "float.onnx"), bits, block_size=32, is_symmetric=True)
    tool.process()
    tool.model.save_model_to_file(str(out / "model.onnx"))


def tflite(network: Any, example: tuple[Any, ...], weights: str, out: Path) -> None:
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe

    litert_torch.convert(network, example).export(str(out / "float.tflite"))
    wanted = recipe.dynamic_wi4_afp32() if weights == "int4" else recipe.weight_only_wi8_afp32()
    tool = quantizer.Quantizer(str(out / "float.tflite"), wanted)
    tool.quantize().export_model(str(out / "model.tflite"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
