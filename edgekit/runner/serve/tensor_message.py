"""Tensors of the Open Inference Protocol, version 2, and of its extension for binary data, to arrays and back.

https://github.com/kserve/open-inference-protocol: tensor data types. Binary tensors follow the JSON, little-endian, in
row-major order, in the order of the JSON (Triton's protocol/extension_binary_data).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import RunnerError
from .tensor_metadata import ServedSignature, TensorMetadata, stored

if TYPE_CHECKING:
    from ..model.tensors import Array

ACCEPTED = {"b": "b", "u": "iu", "i": "iu", "f": "fiu"}
"""Kinds of numbers that JSON may have, by the kind of the tensor."""
MAX_ROWS = 1024
"""Largest batch of one request."""
SHOWN = 60


class InferRequest(NamedTuple):
    """A request: arrays in the order of the model's inputs, as the model stores them, and the answer that is wanted."""

    id: str | None
    columns: list[Array]
    outputs: tuple[tuple[int, bool], ...]
    """Outputs that are asked for, by place, each with whether it is sent as bytes."""


class _Plan(NamedTuple):
    """JSON of a request, checked against the signature."""

    id: str | None
    inputs: tuple[tuple[int, tuple[int, ...], int | None, Any], ...]
    """Place, shape, bytes behind the JSON or None, and the data in the JSON."""
    outputs: tuple[tuple[int, bool], ...]


class TensorMessages:
    """Reader of requests to one model, and writer of its answers."""

    def __init__(self, signature: ServedSignature, name: str, version: str) -> None:
        self.signature = signature
        self._named = {each.tensor.name: k for k, each in enumerate(signature.inputs)}
        self._wanted = {each.tensor.name: k for k, each in enumerate(signature.outputs)}
        self._head = {"model_name": name, "model_version": version}
        # Clients repeat themselves: where all numbers are behind the JSON, the JSON is the same every time.
        self._plan = lru_cache(maxsize=64)(self._parse)
        self._written = lru_cache(maxsize=64)(self._json)

    def read(self, body: memoryview, json_length: int | None) -> InferRequest:
        """Read a request. Raises RunnerError (data), whose message says what the model takes."""
        plan = self._parse(bytes(body)) if json_length is None else self._plan(bytes(body[:json_length]))
        rest = body[len(body) if json_length is None else json_length :]
        columns: list[Any] = [None] * len(self.signature.inputs)
        for k, shape, size, data in plan.inputs:
            served = self.signature.inputs[k]
            if size is None:
                values = _of_json(served, shape, data)
            else:
                values = np.frombuffer(rest[:size], served.dtype).reshape(shape)
                rest = rest[size:]
            columns[k] = stored(values, served.tensor)
        if len(rest):
            raise RunnerError("data", f"{len(rest):,} bytes follow the tensors")
        return InferRequest(plan.id, columns, plan.outputs)

    def write(self, request: InferRequest, outputs: Sequence[Array]) -> tuple[int | None, list[bytes]]:
        """Write an answer: bytes of its JSON, None if there is nothing else, and the parts of its body.

        outputs: real values, [N, …], in the order of the model. Raises RunnerError (run) for one that JSON cannot have.
        """
        tensors = [(k, binary, outputs[k]) for k, binary in request.outputs]
        if all(binary for _, binary, _ in tensors):
            head = self._written(request.id, tuple((k, array.shape) for k, _, array in tensors))
            return len(head), [head, *(_bytes(self.signature.outputs[k], array) for k, _, array in tensors)]
        written = [self._output(k, binary, array) for k, binary, array in tensors]
        head = _dump({**self._head, **({} if request.id is None else {"id": request.id}), "outputs": written})
        behind = [_bytes(self.signature.outputs[k], array) for k, binary, array in tensors if binary]
        return len(head) if behind else None, [head, *behind]

    def _output(self, k: int, binary: bool, array: Array) -> dict[str, Any]:
        served = self.signature.outputs[k]
        stated = {"name": served.tensor.name, "datatype": served.datatype, "shape": list(array.shape)}
        if binary:
            return {**stated, "parameters": {"binary_data_size": array.size * served.dtype.itemsize}}
        return {**stated, "data": array.reshape(-1).tolist()}

    def _json(self, id: str | None, shapes: tuple[tuple[int, tuple[int, ...]], ...]) -> bytes:
        written = [self._output(k, True, np.empty(shape, np.uint8)) for k, shape in shapes]
        return _dump({**self._head, **({} if id is None else {"id": id}), "outputs": written})

    def _parse(self, raw: bytes) -> _Plan:
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise RunnerError("data", "the request is no JSON") from error
        if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
            raise RunnerError("data", "the request has no list 'inputs'")
        given = [self._input(each) for each in document["inputs"]]
        missing = set(range(len(self.signature.inputs))) - {k for k, *_ in given}
        if missing or len(given) > len(self.signature.inputs):
            takes = ", ".join(f"'{each.tensor.name}' {each}" for each in self.signature.inputs)
            raise RunnerError("data", f"the model takes each of these once: {takes}")
        rows = {shape[0] for _, shape, _, _ in given}
        if len(rows) > 1 or not 1 <= max(rows) <= MAX_ROWS:
            raise RunnerError("data", f"all inputs have one batch axis, of 1 to {MAX_ROWS}")
        id, outputs = document.get("id"), document.get("outputs") or []
        if not (id is None or isinstance(id, str)) or not isinstance(outputs, list):
            raise RunnerError("data", "'id' is a text and 'outputs' a list, if they are there")
        default = _flag(document.get("parameters"), "binary_data_output", False)
        listed = tuple(self._asked(each, default) for each in outputs)
        return _Plan(id, tuple(given), listed or tuple((k, default) for k in range(len(self.signature.outputs))))

    def _input(self, stated: Any) -> tuple[int, tuple[int, ...], int | None, Any]:
        k = _place(stated, self._named, "input")
        served, shape = self.signature.inputs[k], stated.get("shape")
        if stated.get("datatype") != served.datatype or not served.fits(shape):
            raise RunnerError("data", f"'{served.tensor.name}' is {_shown(stated)}, the model takes {served}")
        size, wanted = _size(stated), math.prod(shape) * served.dtype.itemsize
        if size not in (None, wanted):
            raise RunnerError("data", f"'{served.tensor.name}' has {size:,} bytes, {_shown(stated)} has {wanted:,}")
        if size is None and "data" not in stated:
            raise RunnerError("data", f"'{served.tensor.name}' has no data")
        return k, tuple(shape), size, stated.get("data")

    def _asked(self, stated: Any, default: bool) -> tuple[int, bool]:
        k = _place(stated, self._wanted, "output")
        return k, _flag(stated.get("parameters"), "binary_data", default)


def _place(stated: Any, named: Mapping[str, int], what: str) -> int:
    name = stated.get("name") if isinstance(stated, dict) else None
    if not isinstance(name, str) or name not in named:
        raise RunnerError("data", f"the model has no {what} {str(name)[:SHOWN]!r}; it has {', '.join(named)}")
    return named[name]


def _flag(parameters: Any, name: str, default: bool) -> bool:
    value = parameters.get(name, default) if isinstance(parameters, dict) else default
    if not isinstance(value, bool):
        raise RunnerError("data", f"'{name}' is true or false")
    return value


def _size(stated: dict[str, Any]) -> int | None:
    parameters = stated.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None and (type(size) is not int or size < 0):
        raise RunnerError("data", "'binary_data_size' is a number of bytes")
    return size


def _of_json(served: TensorMetadata, shape: tuple[int, ...], data: Any) -> Array:
    """Array of numbers in JSON, flat or nested. Raises RunnerError (data) if they do not fit datatype or shape."""
    try:
        values = np.array(data)
        if values.size != math.prod(shape) or values.dtype.kind not in ACCEPTED[served.dtype.kind]:
            raise ValueError("other numbers")
        numbers = values.astype(served.dtype)
        if served.dtype.kind != "f" and not np.array_equal(numbers, values):
            raise ValueError("too large or too small")
        return numbers.reshape(shape)
    except (ValueError, TypeError, OverflowError) as error:
        message = f"the data of '{served.tensor.name}' are no {served.datatype}{list(shape)}"
        raise RunnerError("data", message) from error


def _bytes(served: TensorMetadata, array: Array) -> bytes:
    return array.astype(served.dtype, copy=False).tobytes()


def _dump(document: dict[str, Any]) -> bytes:
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise RunnerError("run", "an output is not finite, which JSON cannot say: ask for binary data") from error


def _shown(stated: dict[str, Any]) -> str:
    return f"{stated.get('datatype')}{stated.get('shape')}"[:SHOWN]
