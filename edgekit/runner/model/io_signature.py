"""Inputs and outputs of a bare model file, as far as the file says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import RunnerError
from ..files.flatbuffer import Table

# onnxruntime's names that are not numpy's.
ONNX_DTYPES = {"float": "float32", "double": "float64"}
DTYPES = {"bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"}
# ExecuTorch's schema/scalar_type.fbs and schema/program.fbs.
PROGRAM, TENSOR, STATIC = b"ET12", 5, 0
SCALARS = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
SCALAR_TYPES = {**dict(enumerate(SCALARS)), 11: "bool"}


class TensorInfo(NamedTuple):
    """One input or output of a model file. An axis whose length is free is None in `shape`."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    affine: dict[str, Any] | None = None


class IoSignature(NamedTuple):
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]


def of_onnx(session: Any) -> IoSignature:
    return IoSignature(
        [_of_onnx(value) for value in session.get_inputs()], [_of_onnx(value) for value in session.get_outputs()]
    )


def of_tflite(interpreter: Any) -> IoSignature:
    inputs = [_of_tflite(detail) for detail in interpreter.get_input_details()]
    return IoSignature(inputs, [_of_tflite(detail) for detail in interpreter.get_output_details()])


def of_pte(model: Path) -> IoSignature:
    """Read the signature off an ExecuTorch program itself: its runtime does not tell which axes are free.

    Raises RunnerError (load).
    """
    try:
        plans = {plan.text(0): plan for plan in Table.root(model.read_bytes(), PROGRAM).tables(1)}
        plan = plans["forward"]
        values = list(plan.tables(2))
        inputs = [_of_pte(values[at], f"input_{i}") for i, at in enumerate(plan.numbers(3))]
        return IoSignature(inputs, [_of_pte(values[at], f"output_{i}") for i, at in enumerate(plan.numbers(4))])
    except KeyError as error:
        raise RunnerError("load", "it has no method 'forward'") from error
    except (ValueError, IndexError) as error:
        raise RunnerError("load", f"it is not a whole program: {error}") from error


def _of_onnx(value: Any) -> TensorInfo:
    element = value.type[len("tensor(") : -1] if value.type.startswith("tensor(") else value.type
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    return TensorInfo(value.name, _checked(ONNX_DTYPES.get(element, element), value.name), shape)


def _of_tflite(detail: dict[str, Any]) -> TensorInfo:
    signature = detail.get("shape_signature")
    sizes = detail["shape"] if signature is None or not len(signature) else signature
    scale, zero_point = detail["quantization"]
    affine = {"scale": float(scale), "zero_point": int(zero_point)} if scale else None
    dtype = _checked(np.dtype(detail["dtype"]).name, detail["name"])
    return TensorInfo(detail["name"], dtype, tuple(int(size) if size > 0 else None for size in sizes), affine)


def _of_pte(value: Table, name: str) -> TensorInfo:
    tensor = value.table(1)
    if value.number(0, "B") != TENSOR or tensor is None:
        raise RunnerError("load", f"'{name}' is no tensor")
    number = tensor.number(0, "b")
    shape: Sequence[int | None] = tensor.numbers(2)
    if tensor.number(8, "b") != STATIC:
        # The file says how large it may become, and not which axes may. Of those that are served it is the batch.
        shape = [None, *shape[1:]]
    return TensorInfo(name, _checked(SCALAR_TYPES.get(number, f"of type {number}"), name), tuple(shape))


def _checked(dtype: str, name: str) -> str:
    if dtype not in DTYPES:
        raise RunnerError("load", f"'{name}' is {dtype}, which is no array of numbers")
    return dtype
