"""Signature and placement of a model file, read off the optimized graph that onnxruntime loaded."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from edgekit.backends.free_axes import with_free_axes
from edgekit.backends.onnx.control_flow import CONTROL, deep_macs, inner_nodes
from edgekit.backends.onnx.macs import RULES
from edgekit.backends.onnx.scratch_weights import is_on_disk
from edgekit.errors import LoweringError, UnsupportedOperator
from edgekit.ir.artifact import Operator, Placement
from edgekit.ir.signature import Signature, TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto
    from onnxruntime import InferenceSession, NodeArg, SessionOptions

    from edgekit.ir.measurement import Array

Options = tuple[tuple[str, str], ...]

INTEGER_KERNELS = {
    "QGemm",
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "DynamicQuantizeLSTM",
}
"""Integer kernels, besides those called `QLinear…`."""
VALUES = "values.onnx"
"""File of the graph that gives the values of all its tensors."""
NOTHING: Mapping[str, int] = MappingProxyType({})
VIEWS = {"Constant", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
"""Operators that move nothing."""
PARTS = {"Gather", "GatherElements", "GatherND", "Slice", "Split"}
"""Operators that read a part of their first input, as large as what they write."""
DTYPES = {"float": "float32", "double": "float64"}
"""Names of data types: onnxruntime's and numpy's, if they differ."""


def read(
    model: Path, options: Options, delegate: str | None, expected: Signature | None = None
) -> tuple[Signature, Placement]:
    """Load `model`: its signature, and its operators in execution order, each on `delegate`.

    expected: signature of the program, which says how long free axes may be; None if none is free.

    Raises UnsupportedOperator if onnxruntime lacks a kernel, LoweringError if it cannot load or run the file.
    """
    import onnx

    # Beside the model, as large: temporary files may lie in memory.
    with tempfile.TemporaryDirectory(dir=model.parent) as name:
        folder = Path(name)
        path = folder / "optimized.onnx"
        program = expected or Signature((), ())
        most = _most(program)
        signature = _signature(_load(model, _settings(options, path)), most)
        operators = tuple(_operators(onnx.load(path, load_external_data=False), delegate, most, folder))
    return with_free_axes(signature, program), Placement(operators)


def _most(signature: Signature) -> dict[str, int]:
    """Greatest length of every free axis, by the axis's name in the file."""
    edges = (*signature.inputs, *signature.outputs)
    return {str(axis): edge.shape[axis.axis] for edge in edges for axis in edge.free}


def _settings(options: Options, optimized: Path) -> SessionOptions:
    """Session options that load as the target does, and write the optimized graph to `optimized`."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    # The level above only rearranges memory for this host's vector units: same kernels, same arithmetic.
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    settings.optimized_model_filepath = str(optimized)
    # Large weights go beside that file: inside of it, they would be held three times as it is written.
    settings.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
    settings.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "65536")
    # Kernels would copy all weights into their own layout, to run none of them.
    settings.add_session_config_entry("session.disable_prepacking", "1")
    for key, value in options:
        settings.add_session_config_entry(key, value)
    return settings


def _load(model: Path | bytes, settings: SessionOptions) -> InferenceSession:
    import onnxruntime

    settings.intra_op_num_threads = 1
    settings.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    except Exception as error:
        missing = re.search(r"Could not find an implementation for (\w+)\((\d+)\)", str(error))
        if missing:
            raise UnsupportedOperator(
                f"onnxruntime has no kernel for '{missing[1]}' ({missing[2]}){_modules(model, missing[1])}",
                hint="try another backend, or rewrite that part with other operators or types",
            ) from error
        raise LoweringError(f"onnxruntime cannot load the model: {error}") from error


def _modules(model: Path | bytes, operator: str) -> str:
    """Modules of the nodes of this operator, ` in module 'head'`: the exported file names results by them."""
    import onnx

    content = model if isinstance(model, bytes) else model.read_bytes()
    nodes = (node for node in onnx.load_from_string(content).graph.node if node.op_type == operator)
    modules = dict.fromkeys(node.output[0].rpartition("/")[0] for node in nodes)
    named = [f"'{module}'" for module in modules if module]
    return f" in module {', '.join(named[:3])}{' …' if len(named) > 3 else ''}" if named else ""


def _signature(session: InferenceSession, most: Mapping[str, int]) -> Signature:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    return Signature(tuple(_spec(each, most) for each in inputs), tuple(_spec(each, most) for each in outputs))


def _spec(arg: NodeArg, most: Mapping[str, int]) -> TensorSpec:
    element = arg.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(most.get(size, size) for size in arg.shape)
    return TensorSpec(arg.name, DTYPES.get(element, element), shape)


def _operators(
    optimized: ModelProto, delegate: str | None, most: Mapping[str, int], folder: Path
) -> Iterable[Operator]:
    values = tensors(optimized, most, folder)
    small = {name for name, tensor in values.items() if tensor.dtype.name in ("int8", "uint8")}
    for node in optimized.graph.node:
        elements = sum(values[name].size for name in node.output if name)
        moved = bytes_moved(node, values)
        work = deep_macs(node, values, optimized, partial(tensors, folder=folder))
        yield Operator(node.op_type, delegate, work, elements, _is_integer(node, small), moved)


def bytes_moved(node: NodeProto, values: Mapping[str, Array]) -> int:
    """Bytes that `node` reads and writes: of a table or a slice, what is read of it; 0 for a view."""
    if node.op_type in VIEWS:
        return 0
    written = sum(values[name].nbytes for name in node.output if name)
    read = [values[name].nbytes for name in node.input if name]
    if read and node.op_type in PARTS:
        read[0] = min(read[0], written)
    return sum(read) + written


def tensors(model: ModelProto, most: Mapping[str, int] = NOTHING, folder: Path | None = None) -> dict[str, Array]:
    """Values of all tensors of a graph, by name, in one run on zeros, of the lengths `most` where axes are free.

    folder: where constants lie that are not in the model itself; these come as zeros.

    onnxruntime keeps no shapes in the graph that it writes, and onnx infers none through its fused operators.
    """
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    graph = model.graph
    known = {value.name for value in graph.output}
    names = [name for node in graph.node for name in node.output if name]
    # Serialized messages that follow one another are merged as they are parsed: a copy would hold all weights again.
    outputs = [onnx.ValueInfoProto(name=name) for name in names if name not in known]
    more = onnx.ModelProto(graph=onnx.GraphProto(output=outputs))
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.add_session_config_entry("session.disable_prepacking", "1")
    content = model.SerializeToString() + more.SerializeToString()
    if folder:
        (folder / VALUES).write_bytes(content)
    session = _load(folder / VALUES if folder else content, settings)
    zeros = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in _signature(session, most).inputs}
    constants = {
        tensor.name: _zeros(tensor) if is_on_disk(tensor) else numpy_helper.to_array(tensor)
        for tensor in graph.initializer
    }
    return {**constants, **zeros, **dict(zip(names, session.run(names, zeros), strict=True))}


def _zeros(tensor: TensorProto) -> Array:
    """Array of the dtype and shape of `tensor` that has no memory of its own."""
    from onnx import helper

    return np.broadcast_to(np.zeros((), helper.tensor_dtype_to_np_dtype(tensor.data_type)), tuple(tensor.dims))


def _is_integer(node: NodeProto, small: set[str]) -> bool:
    """True if `node` computes on integers: an integer kernel or a loop of such, or it moves 8-bit values."""
    if node.op_type in CONTROL:
        products = [each for each in inner_nodes(node) if each.op_type in RULES]
        return bool(products) and all(_is_integer(each, small) for each in products)
    if node.op_type.startswith("QLinear") or node.op_type in INTEGER_KERNELS:
        return True
    return bool(node.input) and node.input[0] in small and set(node.output) <= small
