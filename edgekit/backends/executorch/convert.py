"""Conversion of a program to the bytes of a .pte file, and of the converter's errors to edgekit's."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from edgekit.backends.failed_node import failed_node
from edgekit.errors import LoweringError, UnsupportedOperator
from edgekit.passes.module_patterns import module_path
from edgekit.runner.model.entry_points import PREFILL
from edgekit.specs.factory import in_a_line

if TYPE_CHECKING:
    from executorch.exir import EdgeProgramManager, ExecutorchProgramManager
    from torch.export import ExportedProgram
    from torch.fx import Graph, GraphModule, Node

    from edgekit.ir.program import Program
    from edgekit.specs.compression import Quantize

HINT = "try another --backend, or rewrite that part of the model"
FLOAT_HINT = "name its module in [quantize] skip of the profile, or try another --backend"
SKIP_HINT = "xnnpack has no integer kernel for it: name its module in [quantize] skip of the profile"
# How executorch 1.5.1 words it: the edge verifier, twice, and the search for out variants.
REFUSALS = (
    re.compile(r"Operator torch\._ops\.(?P<name>[\w.]+) is not in Core ATen"),
    re.compile(r"<EdgeOpOverload: (?P<name>[\w.]+)>"),
    re.compile(r"Missing out variants: \{'(?P<name>[\w:.]+)'"),
)


@dataclass(frozen=True)
class Conversion:
    """File, and the places in the model that its numbers stand for."""

    data: bytes
    places: Mapping[int, str]
    """Operator and place of each debug handle, by which XNNPACK's errors name nodes."""
    modules: Mapping[int, str]
    """Module of each instruction that has one: kernels outside of delegates are instructions."""


def convert(program: Program) -> bytes:
    """Convert the program to a .pte file, with XNNPACK's partitions delegated. The program is not changed.

    Raises UnsupportedOperator, naming the operator and where the model calls it, or LoweringError.
    """
    return convert_with_places(program).data


def convert_with_places(program: Program, recipe: Quantize | None = None) -> Conversion:
    """Convert as `convert` does, and keep the places.

    recipe: how the delegate's weights are stored, of precision float16 or weight-int8; None leaves them as they are.
    """
    from edgekit.backends.executorch.attention_forms import with_attention_forms
    from edgekit.backends.executorch.conv1d_precision import conv1d_precision_by_weights
    from edgekit.backends.executorch.delegable_forms import with_delegable_forms
    from edgekit.backends.executorch.pattern_graphs import without_absent_patterns
    from edgekit.backends.executorch.retrace import without_idle_retraces
    from edgekit.backends.executorch.unshared_activations import with_unshared_activations
    from edgekit.backends.executorch.unshared_constants import with_own_weights, with_unshared_constants
    from edgekit.backends.executorch.weight_storage import weight_storage

    try:
        with warnings.catch_warnings():
            # torch and executorch warn of deprecated calls that are their own.
            for category in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            names = ("forward", *map(PREFILL.format, program.signature.prefill))
            methods = {
                name: with_unshared_activations(
                    with_unshared_constants(with_own_weights(with_attention_forms(entry.exported)))
                )
                for name, entry in zip(names, program.entries, strict=True)
            }
            absent = without_absent_patterns(entry.exported for entry in program.entries)
            with absent, weight_storage(recipe), without_idle_retraces(), conv1d_precision_by_weights():
                edge = _delegated({name: with_delegable_forms(method) for name, method in methods.items()}, methods)
            places = _places(edge.exported_program().graph_module)
            lowered = edge.to_executorch()
            data = bytes(lowered.buffer)
            return Conversion(data, places, _modules(lowered))
    except Exception as error:
        if told := next((cause for cause in _causes(error) if isinstance(cause, LoweringError)), None):
            raise told from error
        refused = _refused(str(error))
        if refused is None:
            raise _failed(error) from error
        raise UnsupportedOperator(
            f"executorch cannot run operator '{refused}'{place(refused, program.exported)}",
            hint=SKIP_HINT if refused.startswith("quantized_decomposed.") else HINT,
        ) from error


def _failed(error: Exception) -> LoweringError:
    """Error in the converter's words, with the operator that it was at, if it was at one."""
    node = failed_node(error)
    if node is None:
        return LoweringError(f"executorch could not lower the program: {in_a_line(error)}", hint=HINT)
    return LoweringError(
        f"executorch could not lower '{_operator(node)}'{_described(node)}: {in_a_line(error)}", hint=FLOAT_HINT
    )


def _delegated(methods: dict[str, ExportedProgram], otherwise: dict[str, ExportedProgram]) -> EdgeProgramManager:
    """Methods with XNNPACK's partitions delegated; `otherwise`, with its layouts as they are, if that cannot be.

    executorch 1.5.1 fails ("KeyError: 'val'" in its ChannelsLastTaggedReshapePass) where a quantized tensor that a
    convolution wrote is read by a product, or a slice, and leaves the partition too.
    """
    from executorch.exir import to_edge_transform_and_lower

    from edgekit.backends.executorch.global_average import KeepAveragedAxes
    from edgekit.backends.executorch.layout_operators import DelegableLayouts
    from edgekit.backends.executorch.partition import partitioner

    try:
        return to_edge_transform_and_lower(methods, [KeepAveragedAxes(), DelegableLayouts()], [partitioner()])
    except Exception as error:
        if not any(isinstance(cause, KeyError) for cause in _causes(error)):
            raise
        return to_edge_transform_and_lower(otherwise, [KeepAveragedAxes()], [partitioner()])


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def place(operator: str, exported: ExportedProgram) -> str:
    """Place of an operator's first call, such as ` in module 'head', at model.py:12 in forward`; empty if not known."""
    for graph in _graphs(exported):
        for node in graph.nodes:
            if _is_call(node, operator):
                return _described(node)
    return ""


def _places(module: GraphModule) -> dict[int, str]:
    """Operator and place of each debug handle: `'aten.add' in module 'head', at model.py:12 in forward`."""
    places = {}
    for node in module.graph.nodes:
        handle = node.meta.get("debug_handle")
        if node.op == "call_function" and handle and "quantized_decomposed" not in str(node.target):
            places[handle] = f"'{_operator(node)}'{_described(node)}"
    for part in module.children():
        original = getattr(part, "original_module", None)
        if original is not None:
            places |= _places(original.graph_module)
    return places


def _modules(lowered: ExecutorchProgramManager) -> dict[int, str]:
    """Module of each instruction of the file: emission made the debug handles of kernels numbers of instructions."""
    nodes = lowered.exported_program().graph_module.graph.nodes
    kernels = (node for node in nodes if node.op == "call_function" and not node.name.startswith("getitem"))
    paths = {node.meta.get("debug_handle"): module_path(node) for node in kernels}
    return {number: path for number, path in paths.items() if number is not None and path}


def _operator(node: Node) -> str:
    """Name of an operator of the edge dialect, `aten.add`, without its overload."""
    match = re.search(r"([a-z]\w*)[.:]+(\w+)(?:[.]\w+)?[')>]*$", str(getattr(node.target, "_op", node.target)))
    return f"{match[1]}.{match[2]}" if match else str(node.target)


def _refused(message: str) -> str | None:
    """Operator that the converter's message names, such as `aten.lgamma`; None if it names none."""
    for pattern in REFUSALS:
        match = pattern.search(message)
        if match:
            return ".".join(match["name"].replace("::", ".").split(".")[:2])
    return None


def _graphs(exported: ExportedProgram) -> Iterator[Graph]:
    yield exported.graph
    # The operator may be one that the model's own was decomposed into.
    yield exported.run_decompositions().graph


def _is_call(node: Node, operator: str) -> bool:
    return node.op == "call_function" and f"{node.target}.".startswith(f"{operator}.")


def _described(node: Node) -> str:
    module = module_path(node)
    frames = re.findall(r'File "(.+?)", line (\d+), in (\w+)', node.meta.get("stack_trace") or "")
    where = [f" in module '{module}'"] if module else []
    if frames:
        file, line, function = frames[-1]
        where.append(f" at {PurePath(file).name}:{line} in {function}")
    return ",".join(where)
