"""Compiled models of LiteRT, by its C API and ctypes: on the CPU, on a GPU, or on both."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import byref, c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..model.manifest import ModelTensor, RunnerManifest
    from ..model.tensors import Array

LIBRARY = "libLiteRt.so"
KNOWN = "2.3."
"""Prefix of the versions of ai-edge-litert whose C structures are those below: another's would be read wrongly."""
# litert/c/litert_common.h, litert_tensor_buffer_types.h and litert_model_types.h, LiteRT 2.3.
CPU, GPU, READ, WRITE = 1, 2, 0, 1
TENSOR_TYPE_BYTES = 256
"""Size in bytes of a buffer that holds any LiteRtRankedTensorType: it is passed on and never read."""
# litert/c/litert_environment_options.h and litert_any.h
RUNTIME_FOLDER, STRING = 22, 8
Options = Mapping[str, str]
"""Options of a part of LiteRT in TOML, by the part's name: `xnnpack`, `gpu_options`, `runtime_options_string`."""


class _Value(ctypes.Union):
    _fields_ = (("number", c_int64), ("text", c_char_p))


class _EnvironmentOption(ctypes.Structure):
    """`LiteRtEnvOption`, 24 bytes: a tag, and a `LiteRtAny`."""

    _fields_ = (("tag", c_int), ("type", c_int64), ("value", _Value))


class CompiledModel:
    """A model that was compiled for some hardware. Its memory is freed with the process."""

    def __init__(
        self,
        library: Path,
        manifest: RunnerManifest,
        hardware: int,
        options: Options,
        names: tuple[list[str], list[str]],
        accelerators: Path | None = None,
    ) -> None:
        """Compile the model.

        library: LiteRT's. accelerators: folder of its accelerators' libraries, by default the same. hardware: bits of
        what may run it. names: those of the model's input and output tensors, in the manifest's order. Raises
        RuntimeError.
        """
        self._library = ctypes.CDLL(str(library))
        self._manifest = manifest
        place = _EnvironmentOption(RUNTIME_FOLDER, STRING, _Value(text=str(accelerators or library.parent).encode()))
        environment = self._create("CreateEnvironment", 1, byref(place))
        model = self._create("CreateModelFromFile", environment, str(manifest.model).encode())
        self._model = self._create("CreateCompiledModel", environment, model, self._options(hardware, options))
        signature = self._create("GetModelSignature", model, c_size_t(0))
        self._inputs, self._taken = self._buffers("Input", signature, environment, names[0])
        self._outputs, self._given = self._buffers("Output", signature, environment, names[1])

    @property
    def without_cpu(self) -> bool:
        """True if the CPU runs none of its operators. LiteRT's own "fully accelerated" counts XNNPACK, too."""
        answer = self._create("CompiledModelIsNonCpuFullyAccelerated", self._model, kind=c_bool)
        return bool(answer.value)

    def call(self, inputs: Sequence[Array]) -> list[Array]:
        for place, array in zip(self._taken, inputs):
            self._copy(self._inputs[place], np.ascontiguousarray(array), WRITE)
        counts = c_size_t(len(self._inputs)), c_size_t(len(self._outputs))
        self._call("RunCompiledModel", self._model, c_size_t(0), counts[0], self._inputs, counts[1], self._outputs)
        return [self._read(place, tensor) for place, tensor in zip(self._given, self._manifest.outputs)]

    def _options(self, hardware: int, options: Options) -> Any:
        created = self._create("CreateOptions")
        self._call("SetOptionsHardwareAccelerators", created, hardware)
        libc = ctypes.CDLL(None)
        libc.strdup.restype = c_void_p
        for identifier, toml in options.items():
            payload = c_void_p(libc.strdup(toml.encode()))
            opaque = self._create("CreateOpaqueOptions", identifier.encode(), payload, libc.free)
            self._call("AddOpaqueOptions", created, opaque)
        return created

    def _buffers(self, way: str, signature: c_void_p, environment: c_void_p, names: list[str]) -> tuple[Any, list[int]]:
        """Make a buffer for each tensor of the signature, and find the indices of those of `names`."""
        buffers, places = (c_void_p * len(names))(), {}
        for i in range(len(names)):
            tensor = self._create(f"GetSignature{way}TensorByIndex", signature, c_size_t(i))
            name = self._create("GetTensorName", tensor, kind=c_char_p)
            places[(name.value or b"").decode("utf-8", "replace")] = i
            type = ctypes.create_string_buffer(TENSOR_TYPE_BYTES)
            self._call("GetRankedTensorType", tensor, type)
            needed = self._create(f"GetCompiledModel{way}BufferRequirements", self._model, c_size_t(0), c_size_t(i))
            buffers[i] = self._create("CreateManagedTensorBufferFromRequirements", environment, type, needed).value
        if sorted(places) != sorted(names):
            raise RuntimeError(
                f"its first signature is of {sorted(places)}, the interpreter's tensors are {sorted(names)}"
            )
        return buffers, [places[name] for name in names]

    def _read(self, place: int, tensor: ModelTensor) -> Array:
        array = np.empty(tensor.shape, tensor.dtype)
        self._copy(self._outputs[place], array, READ)
        return array

    def _copy(self, buffer: int, array: Array, mode: int) -> None:
        handle = c_void_p(buffer)
        size = self._create("GetTensorBufferPackedSize", handle, kind=c_size_t).value
        if size != array.nbytes:
            raise RuntimeError(f"the model has a tensor of {size} bytes where its manifest has {array.nbytes}")
        address = self._create("LockTensorBuffer", handle, after=(mode,))
        source, target = (address, array.ctypes.data) if mode == READ else (array.ctypes.data, address)
        ctypes.memmove(target, source, array.nbytes)
        self._call("UnlockTensorBuffer", handle)

    def _create(self, name: str, *arguments: Any, kind: Any = c_void_p, after: tuple[int, ...] = ()) -> Any:
        """Call `LiteRt<name>`, and return the object that it writes through its last pointer but those of `after`."""
        result = kind()
        self._call(name, *arguments, byref(result), *after)
        return result

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, f"LiteRt{name}")(*arguments)
        if status:
            raise RuntimeError(f"LiteRt{name} failed: status {status}")
