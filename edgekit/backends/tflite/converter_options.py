"""Options of litert-torch that it does not expose, set for the time of one conversion."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import fx

from edgekit.backends.tflite.constant_references import ConstantReferences, finite, writer
from edgekit.ir.measurement import Array

ENVIRONMENT = {
    "LAYOUT_OPTIMIZE_PARTITIONER": "DEFAULT",
    "LITERT_TORCH_SHOW_PROGRESS": "n",
    "RESOURCE_CONSTANT_NUMEL_THRESHOLD": str(1 << 20),
}
"""Environment variables that the converter reads; fixed, so that the bytes of a file do not depend on the caller's."""


@contextlib.contextmanager
def conversion(references: ConstantReferences | None = None) -> Iterator[None]:
    """Set options: quantize what is annotated and nothing else, pad channels last, and write into no weight.

    references: where the values of large constants go, which the converter's file then lacks.
    """
    from litert_converter.mlir._mlir_libs import converter_api_ext as api
    from litert_torch._convert.fx_passes.optimize_layout_transposes_pass.layout_rewrite import rewriters
    from litert_torch.backend import inline_consts

    pads = {torch.ops.aten.constant_pad_nd.default: pad_channels_last}
    config = {"ConvertToTFLConfig": strict(api.ConvertToTFLConfig)}
    clamp = {"_clamp_inf_values": finite}
    with (
        replaced(os.environ, ENVIRONMENT),
        replaced(rewriters, pads),
        replaced(vars(api), config),
        replaced(vars(inline_consts), clamp),
        _by_reference(references),
        _kept_shapes(),
    ):
        yield


@contextlib.contextmanager
def _kept_shapes() -> Iterator[None]:
    """Let the converter keep the shape of a rounded tensor that it transposes for one of its readers.

    litert-torch 0.10.0 overwrites it, and so fails at a second reader, such as a residual addition in float
    ("Attempting to convert non-NHWC compatible node to NHWC").
    """
    from litert_torch._convert.fx_passes.optimize_layout_transposes_pass.pass_body import OptimizeLayoutTransposesPass

    insert = OptimizeLayoutTransposesPass.insert_t_q_dq

    def insert_t_q_dq(self: Any, graph: fx.Graph, input_dq: fx.Node, *arguments: Any) -> Any:
        meta = dict(input_dq.meta)
        nodes = insert(self, graph, input_dq, *arguments)
        input_dq.meta = meta
        return nodes

    with patch.object(OptimizeLayoutTransposesPass, "insert_t_q_dq", insert_t_q_dq):
        yield


@contextlib.contextmanager
def _by_reference(references: ConstantReferences | None) -> Iterator[None]:
    """Let the converter write files without large constants, and fold constants with them."""
    if references is None:
        yield
        return
    from litert_converter.mlir import ir
    from litert_converter.mlir._mlir_libs import converter_api_ext as api
    from litert_converter.tools import model_utils
    from litert_torch._convert import runtime_fold
    from litert_torch.backend import inline_consts

    def run(_: Any, module: Any) -> list[Array]:
        return references.fold(model_utils.write_flatbuffer(module))

    numbered = SimpleNamespace(get_from_buffer=references.attribute)
    mlir = {"ir": SimpleNamespace(**{**vars(ir), "DenseResourceElementsAttr": numbered})}
    folding, write = runtime_fold.RuntimeFoldPass, "export_flatbuffer_to_bytes"
    original, folding._litert_run = folding._litert_run, run
    try:
        with (
            replaced(vars(inline_consts), mlir),
            replaced(vars(runtime_fold), mlir),
            replaced(vars(api), {write: writer(getattr(api, write), references)}),
        ):
            yield
    finally:
        folding._litert_run = original


@contextlib.contextmanager
def replaced(mapping: MutableMapping[Any, Any], values: Mapping[Any, Any]) -> Iterator[None]:
    """Set `values` in `mapping` while the context lasts, then restore the previous ones."""
    before = {key: mapping[key] for key in values if key in mapping}
    mapping.update(values)
    try:
        yield
    finally:
        for key in values:
            del mapping[key]
        mapping.update(before)


def strict(configuration: Callable[[], Any]) -> Callable[[], Any]:
    """Constructor of a configuration in strict Q/DQ mode.

    In its usual mode the converter also quantizes float weights between quantized activations.
    """

    def make() -> Any:
        config = configuration()
        config.strict_qdq_mode = True
        return config

    return make


def pad_channels_last(node: fx.Node) -> None:
    """Rewrite a constant pad of a 4-d tensor in a region that the converter turns to channels last.

    Without it every such pad would get two transposes around it.
    """
    source, pads, *value = node.args
    assert isinstance(pads, list | tuple)
    width, height, channels, batch = ([*pads, *[0] * 8][i : i + 2] for i in range(0, 8, 2))
    node.args = (source, [*channels, *width, *height, *batch], *value)
