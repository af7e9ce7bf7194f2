"""onnxruntime's own recipes for int8, on the exported file.

They are `quantize_static` in Q/DQ form, by minimum and maximum, and `quantize_dynamic`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from edgekit.ir.program import Program
from edgekit.ir.signature import Signature


class SampleReader(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Reader of samples, one call's inputs each, under the names of the inputs."""

    def __init__(self, names: Sequence[str], samples: Sequence[tuple[Tensor, ...]]) -> None:
        self._names, self._rest = names, iter(samples)

    def get_next(self) -> dict[str, Any] | None:
        sample = next(self._rest, None)
        if sample is None:
            return None
        return {name: value.numpy() for name, value in zip(self._names, sample, strict=True)}


def vendor_file(
    program: Program, samples: Sequence[tuple[Tensor, ...]], dynamic: bool = False
) -> tuple[bytes, Signature]:
    """Export a float program and quantize it with onnxruntime's tools.

    dynamic: activations are rounded as they come. Returns the file and its signature. Raises whatever its tools raise.
    """
    names = [spec.name for spec in program.signature.inputs]
    # Shape inference that fails leaves its files in the working directory.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        plain, ready, quantized = (Path(folder) / f"{step}.onnx" for step in ("float", "ready", "int8"))
        exported = torch.onnx.export(
            program.exported,
            dynamo=True,
            verbose=False,
            input_names=names,
            output_names=[spec.name for spec in program.signature.outputs],
        )
        assert exported is not None
        exported.save(str(plain))
        quant_pre_process(str(plain), str(ready))
        if dynamic:
            quantization.quantize_dynamic(ready, quantized, per_channel=True)
        else:
            quantization.quantize_static(ready, quantized, SampleReader(names, samples), per_channel=True)
        return quantized.read_bytes(), program.signature.without_buckets()
