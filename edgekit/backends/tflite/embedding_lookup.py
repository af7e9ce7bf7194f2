"""EMBEDDING_LOOKUP of LiteRT on int8 tables: one kernel that gathers rows and multiplies each by its scale.

The converter makes it of lookups in float tables only. So it is given the dequantized table, and the file then gets the
integers and the scales of the rows in its place: the kernel computes what the program does, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from torch.fx import GraphModule

from edgekit.backends.tflite.constant_references import ConstantReferences
from edgekit.errors import LoweringError
from edgekit.ir.measurement import Array
from edgekit.passes.quantization.embedding_tables import integer_lookups, value

aten = torch.ops.aten
TABLE = 1
"""Index of the table among the inputs of EMBEDDING_LOOKUP."""


@dataclass(frozen=True)
class IntegerTable:
    """Table of a program: int8 [rows, width], and float32 [rows, 1] scales."""

    integers: Array
    scales: Array

    @property
    def real(self) -> Array:
        """Table in float32, as the program computes each of its rows."""
        real: Array = self.integers.astype(np.float32) * self.scales
        return real


def fused_lookups(module: GraphModule) -> Iterator[IntegerTable]:
    """Make each embedding in an integer table one lookup in the dequantized one, in place. Yields the tables."""
    names: dict[object, str] = {}
    for each in list(integer_lookups(module)):
        node, source = each.lookup.node, each.lookup.table
        if node.target is not aten.embedding.default:
            continue
        name = names.get(source.target)
        if name is None:
            name = names[source.target] = f"real_table_{len(names)}"
            table = IntegerTable(value(module, source).numpy(), value(module, each.scales.table).numpy())
            module.register_buffer(name, torch.from_numpy(table.real))
            yield table
        with module.graph.inserting_before(node):
            real = module.graph.get_attr(name)
            lookup = module.graph.call_function(node.target, (real, *node.args[1:]))
        real.meta, lookup.meta = {"val": torch.empty(1)}, dict(each.result.meta)
        each.result.replace_all_uses_with(lookup)
    if names:
        module.graph.eliminate_dead_code()
        module.recompile()


def with_integer_tables(
    content: bytes, tables: Sequence[IntegerTable], references: ConstantReferences | None = None
) -> bytes:
    """Store `tables` in the file, in the place of the dequantized ones that its lookups read.

    references: constants whose marks are in `content`; marks of others stay.

    A table whose rows are constant, such as those of places at a fixed length, is no longer one: the converter has put
    the rows themselves into the graph. Raises LoweringError if a lookup reads a table that is left in float.
    """
    if not tables:
        return content
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if references:
        references.restore(model)
    for graph in model.subgraphs:
        _store(model, graph, tables, references)
    left = [name for graph in model.subgraphs for name in _left_in_float(model, graph, tables, references)]
    if left:
        raise LoweringError(
            f"the converted file has {len(left)} of the program's {len(tables)} embedding tables in float: '{left[0]}'",
            hint="try another --backend, or keep the embeddings in float: [quantize] skip",
        )
    clear_unread(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _store(model: Any, graph: Any, tables: Sequence[IntegerTable], references: ConstantReferences | None) -> None:
    """Store the tables that lookups of `graph` read, in place."""
    lookup = schema.BuiltinOperator.EMBEDDING_LOOKUP
    for tensor, table in _float_tables(model, graph, lookup, TABLE, tables, references):
        tensor.type, tensor.quantization = schema.TensorType.INT8, _quantization(table)
        tensor.buffer = integer_buffer(model, table.integers)


def _left_in_float(
    model: Any, graph: Any, tables: Sequence[IntegerTable], references: ConstantReferences | None
) -> list[str]:
    """Names of the tables that a gather, which has no form for integers with a scale a row, reads in float."""
    gathered = _float_tables(model, graph, schema.BuiltinOperator.GATHER, 0, tables, references)
    return [tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name) for tensor, _ in gathered]


def _float_tables(
    model: Any,
    graph: Any,
    code: int,
    place: int,
    tables: Sequence[IntegerTable],
    references: ConstantReferences | None,
) -> Iterator[tuple[Any, IntegerTable]]:
    """Float tensors that operators of that code read as input `place`, each with the table that it is."""
    used = {op.inputs[place] for op in graph.operators if model.operatorCodes[op.opcodeIndex].builtinCode == code}
    for tensor in (graph.tensors[index] for index in sorted(used)):
        data = model.buffers[tensor.buffer].data
        if data is None or tensor.type != schema.TensorType.FLOAT32:
            continue
        real = np.frombuffer(memoryview(data), "<f4").reshape(tensor.shape)
        table = next((table for table in tables if np.array_equal(table.real, real)), None)
        if table is not None:
            yield tensor, table


def clear_unread(model: Any) -> None:
    """Drop the data that no tensor reads any more, in place; buffers keep their numbers."""
    read = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    read |= {entry.buffer for entry in model.metadata or ()}
    for number, buffer in enumerate(model.buffers):
        if number not in read:
            buffer.data = None


def _quantization(table: IntegerTable) -> Any:
    """Scales along axis 0, the default of `quantizedDimension`."""
    parameters = schema.QuantizationParametersT()
    parameters.scale = table.scales.ravel()
    parameters.zeroPoint = np.zeros(len(table.scales), np.int64)
    return parameters


def integer_buffer(model: Any, integers: Array) -> int:
    """Number of a buffer that holds `integers`: one that is there already, as of a tied output layer, or a new one."""
    data = np.frombuffer(integers.tobytes(), np.uint8)
    for number, buffer in enumerate(model.buffers):
        if buffer.data is not None and len(buffer.data) == len(data) and np.array_equal(buffer.data, data):
            return number
    buffer = schema.BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    return len(model.buffers) - 1
