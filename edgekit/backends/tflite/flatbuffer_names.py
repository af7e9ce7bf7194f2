"""Names in a .tflite file: it is rewritten with the project's names for inputs and outputs, and none inside."""

from __future__ import annotations

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from edgekit.backends.tflite.appended_buffers import IDENTIFIER, inline
from edgekit.backends.tflite.constant_references import ConstantReferences
from edgekit.errors import LoweringError
from edgekit.ir.signature import Signature, TensorSpec

ALIGNMENT = 16
"""Alignment of buffers in bytes, by TensorFlow Lite's schema; flatbuffers' Python code ignores `force_align`."""


GRAPH_BYTES = 1 << 20
"""Room for the graph beside the values, in bytes; a larger one costs a copy."""


class Aligned(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers has no types
    """Builder that aligns every vector of bytes to `ALIGNMENT`."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        return super().StartVector(elemSize, numElems, ALIGNMENT if elemSize == 1 else alignment)


def with_names(
    content: bytes | memoryview, signature: Signature, references: ConstantReferences | None = None
) -> memoryview:
    """Rewrite the model with the signature's names, in the signature's order, and all values in the flatbuffer.

    The converter names every tensor after its classes and modules: an eighth of a small int8 file that no device needs.
    references: constants whose marks are in `content`.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    inline(model, content)
    if references:
        references.restore(model)
    definition, graph = model.signatureDefs[0], model.subgraphs[0]
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            tensor.name = None
    graph.inputs = _renamed(definition.inputs, "args_", signature.inputs, graph)
    graph.outputs = _renamed(definition.outputs, "output_", signature.outputs, graph)
    model.description = None
    return packed(model)


def packed(model: Any) -> memoryview:
    """Pack a model (ModelT) into the bytes of a file; they are held once."""
    data = sum(len(buffer.data) + ALIGNMENT for buffer in model.buffers if buffer.data is not None)
    builder = Aligned(data + GRAPH_BYTES)  # else it doubles, and copies what it has
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return memoryview(builder.Bytes)[builder.Head() :]


def _renamed(edges: list[Any], prefix: str, specs: tuple[TensorSpec, ...], graph: Any) -> list[int]:
    """Name inputs or outputs as the signature does. Returns their tensors' indices, in order."""
    numbered = {_text(edge.name): edge for edge in edges}
    if len(numbered) != len(specs):
        raise LoweringError(f"the converter made {len(numbered)} edges of {len(specs)}: {', '.join(sorted(numbered))}")
    ordered = [numbered[f"{prefix}{i}"] for i in range(len(specs))]
    for edge, spec in zip(ordered, specs, strict=True):
        edge.name = spec.name
        graph.tensors[edge.tensorIndex].name = spec.name
    edges[:] = ordered
    return [edge.tensorIndex for edge in ordered]


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
