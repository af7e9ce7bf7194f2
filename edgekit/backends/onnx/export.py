"""Export of a program to an ONNX file: convert, clean up, check, serialize."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Container, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from edgekit.backends.onnx.clean_export import clean
from edgekit.backends.onnx.dynamic_products import dynamic_roundings, with_dynamic_products
from edgekit.backends.onnx.hexagon import name_sixteen_bits
from edgekit.errors import LoweringError, UnsupportedOperator
from edgekit.passes.module_patterns import module_path
from edgekit.specs.factory import in_a_line

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import ModelProto
    from torch.export import ExportedProgram
    from torch.fx import Node

    from edgekit.backends.onnx.scratch_weights import ScratchWeights
    from edgekit.ir.program import Program
    from edgekit.ir.signature import Signature

# What the exporter's function library is written in: 18 needs no conversion, and every onnxruntime since 1.14 reads it.
OPSET = 18
LARGE = 1 << 16
"""Number of elements from which a weight is left out of a check: no size or index list is as long."""


def to_onnx(
    program: Program,
    integer_forms: bool = True,
    scratch: ScratchWeights | None = None,
    kept: Container[str] = (),
) -> ModelProto:
    """Export `program` to an ONNX model with the signature's names. The same program gives the same bytes.

    integer_forms: decompose functions for onnxruntime's integer kernels; not for TensorRT, which takes zero points of 0
    only. scratch: where large weights go, so that the model only refers to them; None puts them into it.
    kept: types of ONNX operators that are not decomposed, as the target has kernels of its own for them.

    Raises UnsupportedOperator for an operator that ONNX lacks, LoweringError for whatever else the exporter refuses.
    """
    import onnx
    import torch

    from edgekit.passes.attention.forms import rewritten
    from edgekit.passes.attention.scaled_dot_product import decompose_attention, has_attention

    names = program.signature
    try:
        with _quiet():
            source = program.exported
            if has_attention(source.graph):
                # The exporter's own decomposition leaves views that its memory layout does not admit (torch 2.13).
                source = rewritten(source, (decompose_attention,))
            exported = torch.onnx.export(
                source,
                dynamo=True,
                opset_version=OPSET,
                input_names=[spec.name for spec in names.inputs],
                output_names=[spec.name for spec in names.outputs],
                verbose=False,
                custom_translation_table=dynamic_roundings(),
            )
    except Exception as error:
        raise _refusal(error, program.exported) from error
    assert exported is not None
    proto = with_dynamic_products(clean(exported.model, names, integer_forms, scratch, kept))
    name_free_axes(proto, names)
    name_sixteen_bits(proto)
    try:
        onnx.checker.check_model(without_large_weights(proto), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise LoweringError(f"the exported graph is not a valid ONNX model: {error}") from error
    return proto


def without_large_weights(model: ModelProto) -> ModelProto:
    """Copy of a model whose large weights are inputs of the same type and shape: checks make further copies of all.

    So are weights on disk: a check refuses the path of a file that is none beside the model. Small weights stay: shapes
    are inferred from their values.
    """
    import onnx

    from edgekit.backends.onnx.scratch_weights import is_on_disk

    copy = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name != "graph":
            _set(copy, field.name, value)
    for field, value in model.graph.ListFields():
        if field.name != "initializer":
            _set(copy.graph, field.name, value)
    for tensor in model.graph.initializer:
        if prod(tensor.dims) < LARGE and not is_on_disk(tensor):
            copy.graph.initializer.add().CopyFrom(tensor)
        else:
            copy.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return copy


def _set(message: Message, name: str, value: Any) -> None:
    """Copy a field of a message: its list, its message or its number."""
    current = getattr(message, name)
    if hasattr(current, "MergeFrom"):
        current.MergeFrom(value)
    else:
        setattr(message, name, value)


def name_free_axes(model: ModelProto, signature: Signature) -> None:
    """Name the free axes of inputs and outputs as the project does, such as `t` or `4*h`, in place."""
    values = (*model.graph.input, *model.graph.output)
    for value, spec in zip(values, (*signature.inputs, *signature.outputs), strict=True):
        for axis in spec.free:
            value.type.tensor_type.shape.dim[axis.axis].dim_param = str(axis)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's notes on torchvision, which we do not need, and on torch's own deprecations."""
    registry = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registry.level
    registry.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        registry.setLevel(level)


def _refusal(error: Exception, exported: ExportedProgram) -> LoweringError:
    """Error for a failed export; it names the operator and its place, if the chain of causes names one."""
    causes = list(_causes(error))
    reasons = [str(cause) for cause in causes]
    missing = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", "\n".join(reasons))
    if missing:
        return UnsupportedOperator(
            f"ONNX has no operator for '{missing[1]}'{_place(exported, missing[1])}",
            hint="try another backend, or rewrite that part",
        )
    node = re.search(r"Error when translating node %(\w+) ", "\n".join(reasons))
    if node:
        return LoweringError(
            f"the ONNX exporter failed at node '{node[1]}'{_node_place(exported, node[1])}: {in_a_line(causes[-1])}",
            hint="try another backend, or rewrite that part",
        )
    return LoweringError(f"the ONNX exporter failed: {in_a_line(causes[-1] if reasons[-1] else causes[0])}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _place(exported: ExportedProgram, operator: str) -> str:
    """Module and source line of the first use of `operator`, as far as they are known."""
    # The exporter decomposes before it converts: 'aten.special_bessel_j0' is refused as 'prims.bessel_j0'.
    tail = operator.rpartition(".")[2].lstrip("_")
    calls = (node for node in exported.graph.nodes if node.op == "call_function")
    node = next((node for node in calls if str(node.target).rpartition(".")[0].endswith(tail)), None)
    return _described(node) if node is not None else ""


def _node_place(exported: ExportedProgram, name: str) -> str:
    """Module and source line of the node that the exporter names: one of the program after its decompositions."""
    for graph in (exported.graph, exported.run_decompositions().graph):
        node = next((node for node in graph.nodes if node.name == name), None)
        if node is not None:
            return _described(node)
    return ""


def _described(node: Node) -> str:
    module = module_path(node)
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    line = f" ({PurePath(frames[-1][0]).name}, line {frames[-1][1]})" if frames else ""
    return (f" in module '{module}'" if module else "") + line
