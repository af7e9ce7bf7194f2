"""Weights of large models on disk while an ONNX graph is worked on.

A protobuf never gives back the memory of a field that is replaced: a graph whose weights are transposed and then
quantized would hold them in float twice to its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.frontend.allocator import is_large
from edgekit.frontend.program_size import LARGE_BYTES

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto
    from onnx_ir import Model

    from edgekit.ir.measurement import Array
    from edgekit.ir.program import Program

NAME = "scratch.bin"
LEAST_BYTES = 1 << 16
"""Size from which a constant goes to the file: graphs are read for the values of smaller ones."""


@dataclass(frozen=True)
class ScratchWeights:
    """File that constants of a graph are written to, each once; the graph refers to it."""

    path: Path

    def take(self, model: Model) -> None:
        """Write the large constants of `model` to the file, one at a time, and let it refer to them, in place."""
        import onnx_ir as ir

        with self.path.open("ab") as file:
            for value in model.graph.initializers.values():
                tensor = value.const_value
                if tensor is None or tensor.nbytes < LEAST_BYTES:
                    continue
                offset = file.tell()
                array = np.ascontiguousarray(tensor.numpy())
                file.write(array.reshape(-1).view(np.uint8).data)
                file.flush()
                value.const_value = ir.ExternalTensor(
                    str(self.path), offset, array.nbytes, tensor.dtype, shape=tensor.shape, name=value.name
                )

    def store(self, tensor: TensorProto, values: Array, name: str) -> None:
        """Let `tensor` be the constant `name` with these values, in place; they are written to the file."""
        from onnx import helper

        with self.path.open("ab") as file:
            offset = file.tell()
            file.write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        tensor.Clear()
        tensor.name = name
        tensor.data_type = helper.np_dtype_to_tensor_dtype(values.dtype)
        tensor.dims.extend(values.shape)
        refer(tensor, str(self.path), offset, values.nbytes)


@contextlib.contextmanager
def scratch_weights(program: Program, folder: Path) -> Iterator[ScratchWeights | None]:
    """Yield a file in `folder`, there for as long, for the weights of a large program; None for others."""
    if not is_large(program):
        yield None
        return
    scratch = ScratchWeights(folder / NAME)
    try:
        yield scratch
    finally:
        scratch.path.unlink(missing_ok=True)


def refer(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    """Let the values of `tensor` be `length` bytes of the file `location`, in place."""
    from onnx import TensorProto

    tensor.ClearField("raw_data")
    tensor.ClearField("external_data")
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    tensor.data_location = TensorProto.EXTERNAL


def is_on_disk(tensor: TensorProto) -> bool:
    """True if the values of `tensor` lie in a file."""
    from onnx import TensorProto

    return bool(tensor.data_location == TensorProto.EXTERNAL)


def place_of(tensor: TensorProto) -> Path:
    """File that the values of `tensor` lie in."""
    return Path(_place(tensor)["location"])


def values_of(tensor: TensorProto) -> Array:
    """Values of a constant; those on disk are mapped."""
    from onnx import numpy_helper

    return _mapped(tensor) if is_on_disk(tensor) else numpy_helper.to_array(tensor)


def bytes_of(tensor: TensorProto) -> memoryview:
    """Bytes of a constant as a file stores them; those on disk are mapped."""
    return _mapped(tensor, raw=True).data if is_on_disk(tensor) else memoryview(tensor.raw_data)


def size_of(tensor: TensorProto) -> int:
    """Size of a constant in bytes, without reading it."""
    return int(_place(tensor)["length"]) if is_on_disk(tensor) else len(tensor.raw_data)


def read_into(model: ModelProto) -> ModelProto:
    """Put the constants of `model` that are on disk into it, in place; returns it."""
    for tensor in model.graph.initializer:
        if is_on_disk(tensor):
            tensor.raw_data = bytes(bytes_of(tensor))
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return model


def needs_file(model: ModelProto) -> bool:
    """True if the constants of `model` together are large: they then stay beside the graph in the artifact too."""
    return sum(map(size_of, model.graph.initializer)) >= LARGE_BYTES


def _place(tensor: TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _mapped(tensor: TensorProto, raw: bool = False) -> Array:
    from onnx import helper

    place = _place(tensor)
    dtype = np.dtype(np.uint8) if raw else helper.tensor_dtype_to_np_dtype(tensor.data_type)
    shape = (int(place["length"]),) if raw else tuple(tensor.dims)
    return np.memmap(place["location"], dtype, "r", int(place["offset"]), shape)
