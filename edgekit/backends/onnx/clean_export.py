"""Clean-up of an exported ONNX model: common-subexpression and dead-code elimination, and no traces of the host."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from edgekit.backends.onnx.decompose import decompose
from edgekit.backends.onnx.root_mean_square import divide_by_root
from edgekit.backends.onnx.value_names import rename
from edgekit.backends.onnx.views import join_views

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import ModelProto
    from onnx_ir import Model, Node

    from edgekit.backends.onnx.scratch_weights import ScratchWeights
    from edgekit.ir.signature import Signature

SILENT = {"doc_string", "metadata_props", "value_info", "producer_name", "producer_version"}
"""Silent fields, which no runtime reads: source paths, stack traces, versions, shapes that it infers itself."""


def clean(
    model: Model,
    signature: Signature,
    integer_forms: bool,
    scratch: ScratchWeights | None = None,
    kept: Container[str] = (),
) -> ModelProto:
    """Remove duplicates, defaults and silent fields of `model`, and give it the user's names. `model` is changed.

    integer_forms: decompose functions for onnxruntime's integer kernels, and write norms and permutations as it runs
    them best. scratch: where large weights go; None puts them into the result. kept: types of operators that are not
    decomposed.
    """
    import onnx_ir as ir
    from onnx_ir.passes import common

    if integer_forms:
        decompose(model, kept)
        if not kept:  # an accelerator has forms of its own, which were tried one by one
            divide_by_root(model.graph)
            join_views(model.graph)
    for node in model.graph.all_nodes():
        _drop_defaults(node, model.opset_imports)
    common.DeduplicateInitializersPass(size_limit=2**31)(model)
    common.CommonSubexpressionEliminationPass()(model)
    common.RemoveUnusedNodesPass()(model)
    rename(model.graph, signature)
    if scratch:
        scratch.take(model)
    proto: ModelProto = ir.serde.serialize_model(model)
    _silence(proto)
    return proto


def _drop_defaults(node: Node, opsets: dict[str, int]) -> None:
    """Remove attributes equal to the operator's defaults: a tenth of a small quantized file."""
    import onnx
    import onnx_ir as ir

    if not onnx.defs.has(node.op_type, node.domain):
        return
    schema = onnx.defs.get_schema(node.op_type, opsets[node.domain], node.domain)
    for name, attribute in list(node.attributes.items()):
        default = schema.attributes[name].default_value if name in schema.attributes else None
        if default is not None and default.name and ir.serde.deserialize_attribute(default).value == attribute.value:
            del node.attributes[name]
    # An int32 bias has no other zero point than 0.
    if node.op_type == "DequantizeLinear" and node.inputs[0] and node.inputs[0].dtype is ir.DataType.INT32:
        node.resize_inputs(2)


def _silence(message: Message) -> None:
    """Clear the silent fields of `message` and of everything inside it."""
    for field, value in message.ListFields():
        if field.name in SILENT:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                _silence(part)
