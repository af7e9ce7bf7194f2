"""Traces of LiteRT's compiled models, by its C API and ctypes: its interpreter cannot be traced."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .trace import Inference, OperatorRun, numbered

if TYPE_CHECKING:
    from ..model.manifest import ModelTensor, RunnerManifest
    from ..model.tensors import Array

LIBRARY = "libLiteRt.so"
KNOWN = "2.3."
"""Prefix of the versions of ai-edge-litert whose C structures are those below: another's would be read wrongly."""
NOTE = (
    "LiteRT traces its compiled models, not the interpreter that latency is timed by; XNNPACK counts whole "
    "microseconds: each of its operators may have taken up to one more"
)
# litert/c/litert_common.h, litert_tensor_buffer_types.h and litert_model_types.h, LiteRT 2.3.
CPU, READ, WRITE = 1, 0, 1
TENSOR_TYPE_BYTES = 256
"""Size in bytes of a buffer that holds any LiteRtRankedTensorType: it is passed on and never read."""
# litert/c/litert_profiler_event.h
DEFAULT, OPERATOR, INNER, DELEGATED = 1, 1 << 1, 1 << 2, 1 << 3
WHOLE = b"Invoke"


class _Event(ctypes.Structure):
    """`ProfiledEventData`: 104 bytes, each of the two records of memory 24 of them."""

    _fields_ = (
        ("tag", c_char_p),
        ("type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory", c_int64 * 6),
        ("metadata", c_uint64 * 2),
        ("source", c_int),
    )


class LiteRtTrace:
    """A model compiled for the CPU by XNNPACK, with its profiler on. Its memory is freed with the process."""

    note = NOTE

    def __init__(
        self, library: Path, manifest: RunnerManifest, threads: int, names: tuple[list[str], list[str]]
    ) -> None:
        """Compile the model and start its profiler.

        `names`: those of the model's input and output tensors, in the manifest's order. Raises RuntimeError.
        """
        self._library = ctypes.CDLL(str(library))
        self._manifest = manifest
        environment = self._create("CreateEnvironment", 0, None)
        model = self._create("CreateModelFromFile", environment, str(manifest.model).encode())
        self._model = self._create("CreateCompiledModel", environment, model, self._options(threads))
        signature = self._create("GetModelSignature", model, c_size_t(0))
        self._inputs, self._taken = self._buffers("Input", signature, environment, names[0])
        self._outputs, self._given = self._buffers("Output", signature, environment, names[1])
        self._profiler = self._create("CompiledModelGetProfiler", self._model)
        self._call("StartProfiler", self._profiler)

    def call(self, inputs: Sequence[Array]) -> list[Array]:
        for place, array in zip(self._taken, inputs):
            self._copy(self._inputs[place], np.ascontiguousarray(array), WRITE)
        counts = c_size_t(len(self._inputs)), c_size_t(len(self._outputs))
        self._call("RunCompiledModel", self._model, c_size_t(0), counts[0], self._inputs, counts[1], self._outputs)
        return [self._read(place, tensor) for place, tensor in zip(self._given, self._manifest.outputs)]

    def inferences(self) -> list[Inference]:
        self._call("StopProfiler", self._profiler)
        count = c_int()
        self._call("GetNumProfilerEvents", self._profiler, byref(count))
        events = (_Event * count.value)()
        self._call("GetProfilerEvents", self._profiler, count, events)
        inferences: list[Inference] = []
        for event in events:
            if event.type == DEFAULT and event.tag == WHOLE:
                inferences.append(Inference(event.elapsed_us * 1000, []))
            if inferences and event.type in (OPERATOR, INNER, DELEGATED):
                delegate = None if event.type == OPERATOR else "xnnpack"
                inferences[-1].operators.append(OperatorRun(event.tag.decode(), "", delegate, event.elapsed_us * 1000))
        return [Inference(whole_ns, numbered(operators)) for whole_ns, operators in inferences]

    def _options(self, threads: int) -> Any:
        options = self._create("CreateOptions")
        self._call("SetOptionsHardwareAccelerators", options, CPU)
        libc = ctypes.CDLL(None)
        libc.strdup.restype = c_void_p
        for identifier, toml in (
            (b"runtime_options_string", b"enable_profiling = true\n"),
            (b"xnnpack", b"num_threads = %d\n" % threads),
        ):
            payload = c_void_p(libc.strdup(toml))
            self._call("AddOpaqueOptions", options, self._create("CreateOpaqueOptions", identifier, payload, libc.free))
        return options

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
