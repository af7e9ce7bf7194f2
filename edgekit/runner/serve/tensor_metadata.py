"""Inputs and outputs of a served model as its users see them: real values, with a batch axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import RunnerError

if TYPE_CHECKING:
    from ..model.manifest import ModelTensor, RunnerManifest
    from ..model.tensors import Array

DATATYPES = {"bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64"}
"""Datatypes of the protocol whose names are not numpy's in capitals."""


class TensorMetadata(NamedTuple):
    """An input or output as clients see it: real values, where the model has quantized integers."""

    tensor: ModelTensor
    datatype: str
    dtype: np.dtype[Any]
    """Dtype of the values that are sent, little-endian."""
    shape: tuple[int, ...]
    """Shape without the batch axis; -1 for a free length."""
    most: tuple[int, ...]
    """Greatest shape without the batch axis; -1 for a time axis, which any number of steps may have."""

    @classmethod
    def of(cls, tensor: ModelTensor, timed: bool) -> TensorMetadata:
        """Describe a tensor of the model. timed: each sample is a sequence, with a time axis."""
        free = {axis.axis for axis in tensor.free}
        time = (-1,) if timed else ()
        shape = (*time, *(-1 if i in free else tensor.shape[i] for i in range(1, len(tensor.shape))))
        name = "float32" if tensor.scale is not None else tensor.dtype
        dtype = np.dtype(name).newbyteorder("<")
        return cls(tensor, DATATYPES.get(name, name.upper()), dtype, shape, (*time, *tensor.shape[1:]))

    def fits(self, shape: Any) -> bool:
        """Tell whether a shape that a client states, batch axis included, is one that the model takes."""
        if not isinstance(shape, list) or len(shape) != len(self.shape) + 1:
            return False
        if not all(type(size) is int and 0 < size < 1 << 31 for size in shape):
            return False
        limits = zip(shape[1:], self.shape, self.most)
        return all(size == stated or (stated == -1 and (most == -1 or size <= most)) for size, stated, most in limits)

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata of the protocol: name, datatype, and shape with -1 for the batch axis."""
        return {"name": self.tensor.name, "datatype": self.datatype, "shape": [-1, *self.shape]}

    def __str__(self) -> str:
        return f"{self.datatype}{[-1, *self.shape]}"


class ServedSignature(NamedTuple):
    """Inputs and outputs of the served model."""

    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]

    @classmethod
    def of(cls, manifest: RunnerManifest) -> ServedSignature:
        timed = bool(manifest.state)
        inputs = tuple(TensorMetadata.of(tensor, timed) for tensor in manifest.sampled)
        return cls(inputs, tuple(TensorMetadata.of(tensor, timed) for tensor in manifest.reported))


def stored(values: Array, tensor: ModelTensor) -> Array:
    """Quantize real values for an input that is quantized; any other as it is. Raises RunnerError (data) for NaN."""
    if tensor.scale is None:
        return values.astype(tensor.dtype, copy=False)
    if not np.isfinite(values).all():
        raise RunnerError("data", f"'{tensor.name}' holds a value that is not finite")
    limits = np.iinfo(tensor.dtype)
    scaled = np.rint(values.astype(np.float64) / tensor.scale) + tensor.zero_point
    quantized: Array = np.clip(scaled, limits.min, limits.max).astype(tensor.dtype)
    return quantized
