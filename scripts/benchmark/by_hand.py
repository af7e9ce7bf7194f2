"""The vendors' converters called by hand, in one script: float32 and static int8 of one project, by one backend.

What a user writes who has no edgekit: no cache, no verification, no facts, no bundle. `python -m
scripts.benchmark.by_hand PROJECT BACKEND OUT`.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import tomllib
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

SAMPLES = 512


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def call(root: Path, factory: str) -> Any:
    file, _, name = factory.partition(":")
    return getattr(module(root / file), name)()


def main(root: Path, backend: str, out: Path) -> None:
    import torch
    from torch import nn
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    project = tomllib.loads((root / "edgekit.toml").read_text())
    pre = next(iter(project["inputs"].values()))["preprocess"]

    class Deployed(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model
            self.mean = torch.tensor(pre["mean"]).reshape(1, -1, 1, 1)
            self.std = torch.tensor(pre["std"]).reshape(1, -1, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.model((x.permute(0, 3, 1, 2).float() * pre["scale"] - self.mean) / self.std)
            return output

    model = Deployed(call(root, project["model"]["factory"])).eval()
    data = call(root, project["data"]["calibration"]["loader"])
    samples = [(torch.from_numpy(np.array(data[i][0]))[None],) for i in range(min(SAMPLES, len(data)))]
    exported = torch.export.export(model, samples[0])
    lower = {"executorch": executorch, "onnx": onnx, "tflite": tflite}[backend]
    lower(exported, samples[0], out / "float")
    quantizer, fold = quantizer_of(backend)
    prepared = prepare_pt2e(exported.module(), quantizer)
    with torch.no_grad():
        for sample in samples:
            prepared(*sample)
    converted = convert_pt2e(prepared, fold_quantize=fold)
    lower(torch.export.export(converted, samples[0]), samples[0], out / "int8")


def quantizer_of(backend: str) -> tuple[Any, bool]:
    """The vendor's quantizer, with the observers that edgekit's profiles ask for: the same work on both sides."""
    from edgekit.backends.base import Backend
    from edgekit.backends.executorch import ExecuTorch
    from edgekit.backends.onnx import Onnx
    from edgekit.backends.tflite import TFLite
    from edgekit.specs.compression import Quantize
    from edgekit.specs.target import RuntimeSpec

    made: dict[str, Backend] = {"executorch": ExecuTorch(), "onnx": Onnx(), "tflite": TFLite()}
    quantization = made[backend].quantization(Quantize(), RuntimeSpec(backend=backend, delegates=("cpu",)))
    return quantization.quantizer, quantization.fold_weights


def executorch(exported: Any, sample: tuple[Any, ...], out: Path) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    out.with_suffix(".pte").write_bytes(lowered.to_executorch().buffer)


def onnx(exported: Any, sample: tuple[Any, ...], out: Path) -> None:
    import torch

    program = torch.onnx.export(exported, sample, dynamo=True, verbose=False)
    assert program is not None
    program.save(str(out.with_suffix(".onnx")))


def tflite(exported: Any, sample: tuple[Any, ...], out: Path) -> None:
    import litert_torch

    litert_torch.convert(exported.module(), sample).export(str(out.with_suffix(".tflite")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
