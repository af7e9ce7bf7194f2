"""Several .tflite files as one: a subgraph and a signature for each, and every buffer of weights once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit.backends.tflite.flatbuffer_names import packed
from edgekit.errors import LoweringError

SUBGRAPHS = (
    "subgraph",
    "thenSubgraphIndex",
    "elseSubgraphIndex",
    "condSubgraphIndex",
    "bodySubgraphIndex",
    "initSubgraphIndex",
    "decompositionSubgraphIndex",
)
"""Fields of operators' options that are numbers of subgraphs."""


def merged(contents: Sequence[memoryview], keys: Sequence[str]) -> memoryview:
    """Merge files into one, with the signatures `keys`: the subgraph of the first file is the primary one.

    Buffers and operator codes that are equal are stored once. Raises LoweringError for a file without one signature.
    """
    whole = schema.ModelT.InitFromPackedBuf(contents[0], 0)
    whole.subgraphs, whole.operatorCodes, whole.signatureDefs = [], [], []
    whole.buffers, whole.metadata, whole.metadataBuffer = [schema.BufferT()], None, None
    pool = _Pool(whole)
    for content, key in zip(contents, keys, strict=True):
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        if len(model.signatureDefs or ()) != 1:
            raise LoweringError(
                "LiteRT's converter made a file without one signature", hint="report it, with the model"
            )
        first = len(whole.subgraphs)
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                tensor.buffer = pool.buffer(model.buffers[tensor.buffer])
            for operator in graph.operators or ():
                operator.opcodeIndex = pool.code(model.operatorCodes[operator.opcodeIndex])
                for options in _options(operator):
                    for field in SUBGRAPHS:
                        if getattr(options, field, -1) >= 0 and hasattr(options, field):
                            setattr(options, field, getattr(options, field) + first)
        signature = model.signatureDefs[0]
        signature.signatureKey, signature.subgraphIndex = key, signature.subgraphIndex + first
        whole.subgraphs += model.subgraphs
        whole.signatureDefs.append(signature)
    return packed(whole)


class _Pool:
    """Buffers and operator codes of the merged file, each once."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole
        self._buffers: dict[bytes, int] = {}
        self._codes: dict[tuple[object, ...], int] = {}

    def buffer(self, buffer: Any) -> int:
        """Number of an equal buffer; 0, the empty one, for the buffer of a value that is computed."""
        if buffer.data is None or not len(buffer.data):
            return 0
        data = np.asarray(buffer.data, np.uint8).tobytes()
        if data not in self._buffers:
            self._buffers[data] = len(self._whole.buffers)
            self._whole.buffers.append(buffer)
        return self._buffers[data]

    def code(self, code: Any) -> int:
        """Number of an equal operator code."""
        key = (code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version)
        if key not in self._codes:
            self._codes[key] = len(self._whole.operatorCodes)
            self._whole.operatorCodes.append(code)
        return self._codes[key]


def _options(operator: Any) -> Iterator[Any]:
    yield from (each for each in (operator.builtinOptions, operator.builtinOptions2) if each is not None)
