"""Names in a .tflite file: it is rewritten with the project's names for inputs and outputs, and none inside."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit.errors import LoweringError
from edgekit.ir.signature import Signature, TensorSpec

IDENTIFIER = b"TFL3"
ALIGNMENT = 16
"""Alignment of buffers in bytes, by TensorFlow Lite's schema; flatbuffers' Python code ignores `force_align`."""


class Aligned(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers has no types
    """Builder that aligns every vector of bytes to `ALIGNMENT`."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        return super().StartVector(elemSize, numElems, ALIGNMENT if elemSize == 1 else alignment)


def with_names(content: bytes, signature: Signature) -> bytes:
    """Rewrite the model with the signature's names, in the signature's order.

    The converter names every tensor after its classes and modules: an eighth of a small int8 file that no device needs.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    _inline(model, content)
    definition, graph = model.signatureDefs[0], model.subgraphs[0]
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            tensor.name = None
    graph.inputs = _renamed(definition.inputs, "args_", signature.inputs, graph)
    graph.outputs = _renamed(definition.outputs, "output_", signature.outputs, graph)
    model.description = None
    builder = Aligned(len(content))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _inline(model: Any, content: bytes) -> None:
    """Move into the model the buffers that ai-edge-quantizer appends to it, at an offset in the file."""
    for buffer in model.buffers:
        if buffer.offset:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


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
