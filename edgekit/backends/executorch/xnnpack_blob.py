"""Parser of an XNNPACK delegate's blob: nodes and tensors, as the runtime will build them."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgekit.backends.executorch.pte_facts import PteWeight, Ref
from edgekit.backends.executorch.reduction_weights import reduction_keys
from edgekit.ir.artifact import Operator

NONE = 2**32 - 1
"""XNN_INVALID_VALUE_ID: absence of a tensor, such as a bias."""
INTEGER = frozenset(
    f"xnn_datatype_{name}" for name in ("qint8", "quint8", "qcint8", "qdint8", "qpint8", "qcint4", "qbint4")
)
"""Data types of 8 bits or fewer, those of XNNPACK's integer kernels."""
WEIGHTS = {
    "fp32": "float32", "pfp32": "float32", "fp16": "float16", "bf16": "bfloat16",
    "qint8": "int8", "qcint8": "int8", "quint8": "uint8", "qcint4": "int4", "qbint4": "int4",
}  # fmt: skip
"""Names of the data types that a weight may have; 32-bit integers are biases."""
BITS = {
    "fp16": 16,
    "bf16": 16,
    "qint8": 8,
    "quint8": 8,
    "qcint8": 8,
    "qdint8": 8,
    "qpint8": 8,
    "qcint4": 4,
    "qbint4": 4,
}
"""Bits of an element, where they are not 32."""
PREFIX = "xnn_datatype_"
CONVOLUTIONS = ("XNNConv2d", "XNNDepthwiseConv2d")


@dataclass(frozen=True)
class Value:
    """Tensor of the delegate's graph."""

    datatype: str
    dims: tuple[int, ...]
    constant: str
    """Key of its data in the file; empty if it is computed."""
    ref: Ref
    """Reference to it, unique in the whole file."""

    @property
    def elements(self) -> int:
        return math.prod(self.dims)

    @property
    def bytes(self) -> int:
        return self.elements * BITS.get(self.datatype.removeprefix(PREFIX), 32) // 8

    @property
    def integer(self) -> bool:
        return self.datatype in INTEGER


@dataclass(frozen=True)
class XnnpackNode:
    """One call into XNNPACK. kind: its name in the schema; fields: its arguments."""

    kind: str
    fields: Mapping[str, Any]
    values: Mapping[int, Value]

    def value(self, field: str) -> Value | None:
        return self.values.get(self.fields.get(field, NONE))

    def all(self, prefix: str) -> tuple[Value, ...]:
        """Tensors whose fields begin with `prefix` and end in `_id`."""
        named = (field for field in self.fields if field.endswith("_id") and field.startswith(prefix))
        return tuple(value for value in map(self.value, named) if value)

    @property
    def outputs(self) -> tuple[Value, ...]:
        return self.all("output")

    @property
    def operator(self) -> Operator:
        elements = sum(value.elements for value in self.outputs)
        kind = self.kind.removeprefix("XNN")
        return Operator(kind, "xnnpack", self.macs, elements, self.integer, sum(value.bytes for value in self.all("")))

    @property
    def macs(self) -> int:
        """Multiply-accumulates, from the shapes of its tensors."""
        output = self.outputs[0].elements
        first = self.value("input1_id")
        if self.kind in CONVOLUTIONS:
            return output * self._window * int(self.fields["group_input_channels"])
        if self.kind == "XNNConvTranspose2d" and first:
            return first.elements * self._window * int(self.fields["group_output_channels"])
        if self.kind == "XNNFullyConnected" and first:
            return 0 if self._reduces else output * first.dims[-1]
        if self.kind == "XNNBatchMatrixMultiply" and first:
            return output * first.dims[-1]
        query, key = self.value("query_id"), self.value("key_id")
        if query and key:
            return (query.elements + output) * key.dims[-2]
        return 0

    @property
    def _reduces(self) -> bool:
        """True for a product that is a sum or a mean, in other runtimes an operator without multiply-accumulates."""
        weights = self.value("filter_id")
        return weights is not None and weights.dims[:-1] == (1,) and weights.constant in reduction_keys(weights.dims[1])

    @property
    def _window(self) -> int:
        return int(self.fields["kernel_height"]) * int(self.fields["kernel_width"])

    @property
    def integer(self) -> bool:
        """True if the kernel's arithmetic is on integers.

        A float output of an integer product is still an integer kernel (dynamic quantization); a float input of
        integer weights is not (they are dequantized inside).
        """
        filters = self.all("filter")
        if filters:
            return all(value.integer for value in (*self.all("input"), *filters))
        inputs = tuple(value for field in ("input", "query", "key", "value") for value in self.all(field))
        return all(value.integer for value in (*inputs, *self.outputs))

    @property
    def constants(self) -> Mapping[Ref, PteWeight]:
        stored = () if self._reduces else (value for value in self.all("") if value.constant)
        return {
            value.ref: PteWeight(value.constant, value.dims, WEIGHTS.get(value.datatype.removeprefix(PREFIX), ""))
            for value in stored
        }

    @property
    def reads(self) -> tuple[Ref, ...]:
        return tuple(value.ref for value in self.all("") if value not in self.outputs)

    @property
    def writes(self) -> tuple[Ref, ...]:
        return tuple(value.ref for value in self.outputs)

    @property
    def factors(self) -> tuple[Ref, ...]:
        named = (*self.all("input"), *self.all("filter"), *self.all("key"), *self.all("value")) if self.macs else ()
        return tuple(value.ref for value in named)


def nodes(
    blob: bytes, call: int, outside: Sequence[Ref], stored: Mapping[Ref, str] = MappingProxyType({})
) -> tuple[XnnpackNode, ...]:
    """Nodes of a delegate's blob, in execution order.

    call: number of this delegate call in the file. outside: the values with which it is called. stored: keys of those
    that are constants of the file. Raises ValueError if the blob is not one of XNNPACK's.
    """
    graph = _parse(blob)
    keys = [entry["named_key"] for entry in graph["constant_data"]]
    values = dict(_value(entry["xvalue_union"], keys, call, outside, stored) for entry in graph["xvalues"])
    return tuple(XnnpackNode(entry["xnode_union_type"], entry["xnode_union"], values) for entry in graph["xnodes"])


def debug_handles(blob: bytes) -> list[int]:
    """Debug handle of every node, in execution order."""
    return [entry["debug_handle"] for entry in _parse(blob)["xnodes"]]


def users(blob: bytes, tensor: int) -> list[tuple[int, int]]:
    """Number of the tensor's axes, and debug handle, of every node that reads or writes the tensor of this number."""
    graph = _parse(blob)
    values = (entry["xvalue_union"].get("tensor_value", entry["xvalue_union"]) for entry in graph["xvalues"])
    ranks = {value["id_out"]: len(value.get("dims", ())) for value in values}
    return [
        (ranks.get(tensor, 0), entry["debug_handle"])
        for entry in graph["xnodes"]
        if any(field.endswith("_id") and number == tensor for field, number in entry["xnode_union"].items())
    ]


def _value(
    entry: Mapping[str, Any], keys: Sequence[str], call: int, outside: Sequence[Ref], stored: Mapping[Ref, str]
) -> tuple[int, Value]:
    tensor = entry.get("tensor_value", entry)
    index, number, external = tensor["constant_buffer_idx"], tensor["id_out"], tensor["external_id"]
    ref = (call, number) if external == NONE else outside[external]
    key = keys[index] if index else stored.get(ref, "")
    return number, Value(tensor["datatype"], tuple(tensor.get("dims", ())), key, ref)


def _parse(blob: bytes) -> dict[str, Any]:
    """Decode the flatbuffer inside, with the schema and the `flatc` of executorch's wheel."""
    from executorch.backends.xnnpack import serialization
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    header = XNNHeader.from_bytes(blob[: XNNHeader.EXPECTED_LENGTH])
    start = header.flatbuffer_offset
    with tempfile.TemporaryDirectory() as folder:
        schema, binary = Path(folder, "schema.fbs"), Path(folder, "graph.bin")
        schema.write_bytes(resources.files(serialization).joinpath("schema.fbs").read_bytes())
        binary.write_bytes(blob[start : start + header.flatbuffer_size])
        _flatc_decompile(folder, str(schema), str(binary))
        text = Path(folder, "graph.json").read_text()
    # An unbounded output is written as a bare inf, which is not JSON.
    graph: dict[str, Any] = json.loads(re.sub(r"(: *-?)inf\b", r"\1Infinity", text))
    return graph
