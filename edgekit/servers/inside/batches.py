"""The model of a slot, for batches of a server's requests."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from runner.model.manifest import ModelTensor, read_manifest
from runner.model.tensors import read_columns, real, row
from runner.runtimes.model import LoadedModel

Array = npt.NDArray[Any]

THREADS = 1
"""Count of threads of the runtime: clients that need more throughput send batches in parallel."""


class Batches:
    """The model of the slot at `slot`, loaded, one batch at a time. Raises RunnerError if it cannot be."""

    def __init__(self, slot: Path) -> None:
        manifest = read_manifest(slot)
        self.inputs: tuple[ModelTensor, ...] = manifest.inputs
        self.outputs: tuple[ModelTensor, ...] = manifest.outputs
        golden = read_columns(slot / "golden" / "inputs", manifest.inputs)
        self._model = LoadedModel.load(manifest, THREADS, row(golden, 0))
        self._lock = threading.Lock()  # not every runtime may be called by two threads at once

    def answer(self, columns: list[Array]) -> list[Array]:
        """Run the model on every sample: one array [N, …] an output, real values."""
        with self._lock:
            stored = self._model.outputs(columns)
        return [real(array, tensor) for array, tensor in zip(stored, self.outputs)]

    def output_dtype(self, tensor: ModelTensor) -> np.dtype[Any]:
        """Dtype of the array that `answer` returns for an output."""
        return np.dtype(tensor.dtype if tensor.scale is None else "float32")
