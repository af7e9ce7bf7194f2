"""Verb `describe`: inputs and outputs of a bare model file, as a manifest has them.

The file is not trusted: whatever loading it does, it does to this process.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import RunnerError
from ..files.integrity import is_plain
from ..files.onnx_files import external_files
from ..model.io_signature import IoSignature, TensorInfo
from ..model.manifest import ModelTensor, RunnerManifest
from ..runtimes.base import load, load_errors
from ..runtimes.select_runtime import open_runtime

INPUT_BYTES = 1 << 30
"""Largest size of an input in bytes."""
NO_SHAPES: Mapping[str, tuple[int, ...]] = MappingProxyType({})


def stated_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Parse `NAME=1,3,224,224`. Raises ValueError."""
    name, _, sizes = text.partition("=")
    return name, tuple(int(size) for size in sizes.split(","))


def describe(model: Path, format: str, shapes: Mapping[str, tuple[int, ...]] = NO_SHAPES) -> dict[str, Any]:
    """Describe inputs and outputs, with a batch of one where that is free, and list the model's external data files.

    shapes: shapes of inputs by name, which say how long their free axes are.
    One inference, on zeros, gives the shapes of the outputs. Raises RunnerError: data if an external file is missing
    or lies outside of the model's folder, load if it is no model that can be served.
    """
    label, runtime = open_runtime(format)
    files = _external_data(model) if format == "onnx" else []
    blank = RunnerManifest(format, model, (), (), (), 0.0)
    with load_errors(blank):
        edges = _with_file_names(runtime.edges(model), format)
    inputs = tuple(_input_tensor(_at_shape(edge, shapes.get(edge.name), format)) for edge in edges.inputs)
    _check_batch(inputs)
    # Provisional shapes of the outputs: enough for one call.
    outputs = tuple(_tensor(edge, tuple(size or 1 for size in edge.shape)) for edge in edges.outputs)
    call = load(runtime, RunnerManifest(format, model, (), inputs, outputs, 0.0), 1)
    arrays = call([np.zeros(tensor.shape, tensor.dtype) for tensor in inputs])
    outputs = tuple(_output_tensor(edge, array, inputs[0].shape[0]) for edge, array in zip(edges.outputs, arrays))
    signature = {"inputs": list(map(_as_json, inputs)), "outputs": list(map(_as_json, outputs))}
    return {"format": format, "runtime": label, "signature": signature, "files": files}


def _external_data(model: Path) -> list[str]:
    """List the external data files of an ONNX model, each a plain path below the model's own folder."""
    try:
        with model.open("rb") as file:
            # Mapped, not read: it may be larger than the memory.
            names = external_files(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except ValueError as error:
        raise RunnerError("load", f"it is no ONNX model: {error}") from error
    home = model.parent.resolve()
    for name in names:
        path = (home / name).resolve()
        if not is_plain(name) or home not in path.parents:
            raise RunnerError("data", f"it keeps tensors in '{name}', which is outside of its folder")
        if not path.is_file():
            raise RunnerError("data", f"it keeps tensors in '{name}', and there is no such file beside it")
    return names


def _with_file_names(edges: IoSignature, format: str) -> IoSignature:
    """Rename tensors so that their names can be those of files; ONNX is called by name, so its must be such already."""
    if not edges.inputs or not edges.outputs:
        raise RunnerError("load", f"it {'gives' if edges.inputs else 'takes'} nothing")
    renamed = {}
    for way, tensors in zip(("input", "output"), edges):
        names = [edge.name for edge in tensors]
        if len(set(names)) == len(names) and all(map(is_plain, names)):
            renamed[way] = tensors
        elif format == "onnx":
            raise RunnerError("load", f"its {way}s are named {names}, which cannot be names of files")
        else:
            renamed[way] = [edge._replace(name=f"{way}_{i}") for i, edge in enumerate(tensors)]
    return IoSignature(renamed["input"], renamed["output"])


def _at_shape(edge: TensorInfo, shape: tuple[int, ...] | None, format: str) -> TensorInfo:
    """An input whose free axes have the stated lengths. Raises RunnerError (load) for another shape than it has."""
    if shape is None:
        return edge
    # A .pte file tells how long its axes may become, and not which of them are free.
    bounded = format == "pte" and None in edge.shape
    fits = len(shape) == len(edge.shape) and all(
        own in (None, size) or (bounded and size <= own) for size, own in zip(shape, edge.shape)
    )
    if not fits or min(shape) < 1:
        own = [size or "?" for size in edge.shape]
        raise RunnerError("load", f"input '{edge.name}' is {edge.dtype}{own}, and cannot have the shape {list(shape)}")
    return edge._replace(shape=shape)


def _input_tensor(edge: TensorInfo) -> ModelTensor:
    if not edge.shape:
        raise RunnerError("load", f"input '{edge.name}' has no batch axis")
    if None in edge.shape[1:] or 0 in edge.shape:
        free = edge.shape.index(None, 1) if None in edge.shape[1:] else edge.shape.index(0)
        own = ", ".join(str(size or "?") for size in edge.shape)
        raise RunnerError("load", f"axis {free} of input '{edge.name}' has no length: {edge.dtype}[{own}]")
    tensor = _tensor(edge, tuple(size or 1 for size in edge.shape))
    if np.prod(tensor.shape, dtype=float) * np.dtype(tensor.dtype).itemsize > INPUT_BYTES:
        raise RunnerError("load", f"input '{edge.name}' is {tensor}: more than {INPUT_BYTES >> 20} MiB")
    return tensor


def _check_batch(inputs: tuple[ModelTensor, ...]) -> None:
    if len({tensor.shape[0] for tensor in inputs}) > 1:
        raise RunnerError("load", f"its inputs have different first axes: {', '.join(map(str, inputs))}")


def _output_tensor(edge: TensorInfo, array: Any, batch: int) -> ModelTensor:
    if array.shape[:1] != (batch,):
        actual = f"{array.dtype}{list(array.shape)}"
        raise RunnerError("load", f"output '{edge.name}' is {actual}: its first axis is not the batch of {batch}")
    return _tensor(edge._replace(dtype=str(array.dtype)), array.shape)


def _tensor(edge: TensorInfo, shape: tuple[int, ...]) -> ModelTensor:
    affine = edge.affine or {"scale": None, "zero_point": 0}
    return ModelTensor(edge.name, edge.dtype, shape, affine["scale"], affine["zero_point"])


def _as_json(tensor: ModelTensor) -> dict[str, Any]:
    affine = None if tensor.scale is None else {"scale": tensor.scale, "zero_point": tensor.zero_point}
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape), "affine": affine}
