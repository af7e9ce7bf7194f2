"""TensorRT without onnxruntime: the engine that trtexec built, run by TensorRT's Python module and libcudart.

Written from NVIDIA's documentation, never run by us (docs/jetson.md).
https://docs.nvidia.com/deeplearning/tensorrt/latest/_static/python-api/infer/Core/ExecutionContext.html
https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__MEMORY.html
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunnerError
from ..model.engine_store import ENGINE

if TYPE_CHECKING:
    from ..model.accelerator import AcceleratorFacts
    from ..model.io_signature import IoSignature
    from ..model.manifest import ModelTensor, RunnerManifest
    from ..model.tensors import Array, Call
    from .trace import Trace

CUDART = ("libcudart.so", "libcudart.so.12", "libcudart.so.11.0", "/usr/local/cuda/lib64/libcudart.so")
TO_DEVICE, TO_HOST = 1, 2
"""Values of cudaMemcpyKind."""


class TensorRT:
    """TensorRT's Python module; buffers on the GPU are ours."""

    provider: str | None = "tensorrt"
    accelerator: AcceleratorFacts | None = None

    def __init__(self) -> None:
        self._tensorrt = import_module("tensorrt")
        self._cuda = _Cuda()

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        """Load the engine; `threads` has no meaning on a GPU."""
        engine = self._deserialized(manifest)
        context, cuda = engine.create_execution_context(), self._cuda
        if context is None:
            raise RunnerError("load", "TensorRT makes no execution context: did the GPU's memory run out?")
        inputs = [self._allocate(engine, context, tensor) for tensor in manifest.inputs]
        outputs = [self._allocate(engine, context, tensor) for tensor in manifest.outputs]
        stream = cuda.stream()

        def call(arrays: Sequence[Array]) -> list[Array]:
            for (_, address), array in zip(inputs, arrays):
                cuda.copy(address, np.ascontiguousarray(array), TO_DEVICE)
            if not context.execute_async_v3(stream):
                raise RunnerError("run", "TensorRT did not run the engine")
            cuda.wait(stream)
            results = [np.empty(tensor.shape, tensor.dtype) for tensor, _ in outputs]
            for (_, address), array in zip(outputs, results):
                cuda.copy(address, array, TO_HOST)
            return results

        return call

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        from .trace import Untraced

        return Untraced(self.load(manifest, threads), "a TensorRT engine is one operator: the whole is all there is")

    def edges(self, model: Path) -> IoSignature:
        raise RunnerError("runtime", "TensorRT describes no ONNX file: install onnxruntime")

    def _deserialized(self, manifest: RunnerManifest) -> Any:
        path = manifest.engine / ENGINE if manifest.engine else None
        if path is None or not path.is_file():
            raise RunnerError("runtime", "no engine was built here, and there is no onnxruntime: flash it again")
        # The runtime must outlive its engines.
        self._runtime = self._tensorrt.Runtime(self._tensorrt.Logger(self._tensorrt.Logger.WARNING))
        engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise RunnerError("load", "this TensorRT does not take the engine, is it another version? flash it again")
        return engine

    def _allocate(self, engine: Any, context: Any, tensor: ModelTensor) -> tuple[ModelTensor, int]:
        """Allocate a buffer on the GPU for the tensor, which stays until the process ends; its address."""
        dtype = np.dtype(self._tensorrt.nptype(engine.get_tensor_dtype(tensor.name)))
        shape = tuple(engine.get_tensor_shape(tensor.name))
        if dtype != np.dtype(tensor.dtype) or shape != tensor.shape:
            raise RunnerError("load", f"the engine has '{tensor.name}' as {dtype}{list(shape)}, not as {tensor}")
        address = self._cuda.allocate(int(np.prod(shape)) * dtype.itemsize)
        context.set_tensor_address(tensor.name, address)
        return tensor, address


class _Cuda:
    """Functions of the CUDA runtime that an engine needs. Raises RunnerError (run) where one reports an error."""

    def __init__(self) -> None:
        self._library = _library()

    def allocate(self, size: int) -> int:
        address = ctypes.c_void_p()
        self._check(self._library.cudaMalloc(ctypes.byref(address), ctypes.c_size_t(size)), "cudaMalloc")
        return int(address.value or 0)

    def stream(self) -> int:
        stream = ctypes.c_void_p()
        self._check(self._library.cudaStreamCreate(ctypes.byref(stream)), "cudaStreamCreate")
        return int(stream.value or 0)

    def wait(self, stream: int) -> None:
        self._check(self._library.cudaStreamSynchronize(ctypes.c_void_p(stream)), "cudaStreamSynchronize")

    def copy(self, address: int, array: Array, kind: int) -> None:
        """Copy the array to the GPU, or from the GPU into the array, as `kind` says; the array must be contiguous."""
        host, device = ctypes.c_void_p(array.ctypes.data), ctypes.c_void_p(address)
        to, source = (device, host) if kind == TO_DEVICE else (host, device)
        self._check(self._library.cudaMemcpy(to, source, ctypes.c_size_t(array.nbytes), kind), "cudaMemcpy")

    @staticmethod
    def _check(code: int, name: str) -> None:
        if code:
            raise RunnerError("run", f"{name} failed with CUDA error {code}")


def _library() -> ctypes.CDLL:
    for name in CUDART:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    raise RunnerError("runtime", "there is no libcudart here")
