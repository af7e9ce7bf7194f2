"""ExecuTorch without torch: the library in a runtime pack, called by ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunnerError
from ..model.entry_points import PREFILL, by_count, entry_manifest
from ..model.manifest import check_no_options
from ..model.sample_shapes import lengths_of, shape_at

if TYPE_CHECKING:
    from ..model.accelerator import AcceleratorFacts
    from ..model.io_signature import IoSignature
    from ..model.manifest import ModelTensor, RunnerManifest
    from ..model.tensors import Array, Call
    from .trace import Trace

ERROR_BYTES = 256
# ExecuTorch's ScalarType, which is torch's.
SCALAR_TYPES = {
    "uint8": 0,
    "int8": 1,
    "int16": 2,
    "int32": 3,
    "int64": 4,
    "float16": 5,
    "float32": 6,
    "float64": 7,
    "bool": 11,
}


class ExecuTorchNative:
    """ExecuTorch's C++ runtime. The library checks types and shapes of what the program takes and gives."""

    provider: str | None = None
    accelerator: AcceleratorFacts | None = None

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.edgekit_load.restype = ctypes.c_void_p
        self._library.edgekit_run.restype = ctypes.c_bool

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        decode, loaded = self._load_program(manifest, threads, self._library.edgekit_load)

        def load_prefill(count: int) -> Call:
            return self._method(loaded, entry_manifest(manifest, count), PREFILL.format(count))

        return by_count(manifest, decode, load_prefill)

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        from .executorch_trace import ExecuTorchTrace

        load, write_trace = self._library.edgekit_load_traced, self._library.edgekit_write_trace
        load.restype, write_trace.restype = ctypes.c_void_p, ctypes.c_bool
        call, loaded = self._load_program(manifest, threads, load)

        def write(path: Path) -> None:
            error = ctypes.create_string_buffer(ERROR_BYTES)
            if not write_trace(loaded, str(path).encode(), error):
                raise RunnerError("run", error.value.decode())

        return ExecuTorchTrace(call, write, manifest.model, scratch)

    def edges(self, model: Path) -> IoSignature:
        from ..model.io_signature import of_pte

        return of_pte(model)

    def _load_program(self, manifest: RunnerManifest, threads: int, load: Any) -> tuple[Call, ctypes.c_void_p]:
        check_no_options(manifest)
        error = ctypes.create_string_buffer(ERROR_BYTES)
        path = str(manifest.model).encode()
        loaded = ctypes.c_void_p(load(path, ctypes.c_uint32(threads), error))
        if not loaded:
            raise RuntimeError(error.value.decode())
        return self._method(loaded, manifest, "forward"), loaded

    def _method(self, loaded: ctypes.c_void_p, manifest: RunnerManifest, name: str) -> Call:
        error = ctypes.create_string_buffer(ERROR_BYTES)
        run, method = self._library.edgekit_run, name.encode()
        tensors = (*manifest.inputs, *manifest.outputs)
        static = _described(manifest.inputs), _described(manifest.outputs)
        counts = ctypes.c_size_t(len(manifest.inputs)), ctypes.c_size_t(len(manifest.outputs))

        def call(inputs: Sequence[Array]) -> list[Array]:
            inputs_described, outputs_described = static
            shapes = [tensor.shape for tensor in tensors]
            if manifest.lengths:
                lengths = lengths_of(inputs, manifest.inputs)
                shapes = [shape_at(tensor, lengths) for tensor in tensors]
                inputs_described = _described(manifest.inputs, shapes)
                outputs_described = _described(manifest.outputs, shapes[len(inputs) :])
            outputs: list[Array] = [
                np.empty(shape, tensor.dtype) for tensor, shape in zip(manifest.outputs, shapes[len(inputs) :])
            ]
            for described, array in zip((*inputs_described, *outputs_described), (*inputs, *outputs)):
                described.data = array.ctypes.data
            if not run(loaded, method, inputs_described, counts[0], outputs_described, counts[1], error):
                raise RunnerError("run", error.value.decode())
            return outputs

        return call


class _Tensor(ctypes.Structure):
    """Tensor descriptor, laid out as the struct `Tensor` in `devices/packs/executorch.cpp`."""

    _fields_ = (
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int32)),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_uint64),
    )


def _described(tensors: Sequence[ModelTensor], shapes: Sequence[tuple[int, ...]] | None = None) -> Any:
    """Descriptors of tensors without data. shapes: of the tensors at some lengths; None for their own."""
    described = (_Tensor * len(tensors))()
    for i, tensor in enumerate(tensors):
        shape = shapes[i] if shapes else tensor.shape
        described[i].dtype = SCALAR_TYPES[tensor.dtype]
        described[i].rank = len(shape)
        described[i].shape = (ctypes.c_int32 * len(shape))(*shape)
        described[i].bytes = np.dtype(tensor.dtype).itemsize * int(np.prod(shape))
    return described
