"""Weights of a quantized program that stay in float, by module: recurrent cells, narrow tables, and others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.passes.module_patterns import FLOAT_PART, module_path

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

FLOAT = (
    "leave the gates on integers out (--set profile.gates.integer_share=false --set "
    "profile.gates.integer_macs_share=false), or ship --profile float32"
)
"""Next step for operators that no backend computes on integers, and for tables of rows too narrow to round."""
RECURRENT = ("gru", "lstm")
MINOR = 0.1
"""Share of the largest operator's weights below which another one is not named."""


@dataclass(frozen=True)
class FloatWeights:
    """Weights in float of one operator."""

    module: str
    """User's name of its module; empty for the network itself."""
    kind: str
    """Name of the operator in torch: `embedding`, `gru`, `lstm with projections`."""
    share: float
    """Share of the elements of all weights of the program, in [0, 1]."""


def float_weights(exported: ExportedProgram) -> tuple[FloatWeights, ...]:
    """Find operators whose weights are float tensors with more than one axis longer than 1, the largest first."""
    signature = exported.graph_signature
    constants = {*signature.inputs_to_parameters, *signature.inputs_to_buffers}
    constants |= {*signature.inputs_to_lifted_tensor_constants}
    total, elements, seen = 0, dict[tuple[str, str], int](), set[str]()
    for node in exported.graph.nodes:
        # A weight that is rounded in the graph, as one kept unfolded, is none in float.
        if str(node.target).startswith("quantized_decomposed.quantize"):
            continue
        for source in node.all_input_nodes:
            value = source.meta.get("val")
            if source.name not in constants or source.name in seen or FLOAT_PART in module_path(node).split("."):
                continue
            if value is None or sum(size > 1 for size in value.shape) < 2:
                continue
            seen.add(source.name)
            total += math.prod(value.shape)
            if value.is_floating_point():
                place = module_path(node), _kind(node)
                elements[place] = elements.get(place, 0) + math.prod(value.shape)
    largest = [FloatWeights(*place, count / total) for place, count in elements.items()]
    return tuple(sorted(largest, key=lambda each: -each.share))


def _kind(node: Node) -> str:
    """Name of the operator, with what keeps a recurrent layer in float on every backend."""
    _, name, *overload = str(node.target).split(".")
    name = name.rstrip("_")
    if name not in RECURRENT:
        return name
    if overload == ["data"]:
        return f"{name} over packed sequences"
    arguments: Any = node.args
    _, _, weights, biased, layers, _, _, both, *_ = arguments
    plain = layers * (2 if both else 1) * (4 if biased else 2)
    return f"{name} with projections" if len(weights) > plain else name


def float_remark(weights: tuple[FloatWeights, ...]) -> str:
    """Sentence on the operators that keep weights in float, and the next step for them."""
    # Without what is small beside it: a table of positions that is added is no reason for a missed gate.
    large = [each for each in weights if each.share >= MINOR * weights[0].share]
    named = [f"'{each.module or 'the network'}' ({each.kind}, {each.share:.0%} of all weights)" for each in large[:3]]
    more = f", and {len(large) - 3} more" if len(large) > 3 else ""
    return f"In float stay {', '.join(named)}{more}: the backend quantizes no such operator; next: {FLOAT}."
