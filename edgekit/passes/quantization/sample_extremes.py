"""Least and greatest value of each activation of a float program, sample by sample: what makes ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from edgekit.ir.measurement import Array
from edgekit.passes.base import one_thread
from edgekit.passes.module_patterns import module_path, operator

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample


def sample_extremes(program: Program, samples: Sequence[Sample]) -> tuple[tuple[str, ...], Array, Array]:
    """Names of the activations, and their least and greatest values on each sample, both float64 [N, T].

    samples: inputs of one call each. Activations are the inputs, and the results of operators that are real numbers,
    each by the module and the operator that makes it.
    """
    module = program.exported.module()
    assert isinstance(module, GraphModule)
    names: dict[str, str] = {}
    rows = []
    with torch.no_grad(), one_thread():
        for sample in samples:
            reader = _Extremes(module)
            reader.run(*sample)
            names |= {node.name: _title(node) for node in reader.seen}
            rows.append(reader.ends)
    lows, highs = ([[row[name][end] for name in names] for row in rows] for end in (0, 1))
    shape = (len(samples), len(names))
    return tuple(names.values()), np.array(lows, np.float64).reshape(shape), np.array(highs, np.float64).reshape(shape)


class _Extremes(Interpreter):
    """Interpreter that notes the ends of every activation."""

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self.seen: list[Node] = []
        self.ends: dict[str, tuple[float, float]] = {}

    def run_node(self, node: Node) -> Any:
        result = super().run_node(node)
        if node.op in ("placeholder", "call_function") and isinstance(result, Tensor) and result.numel():
            self._note(node, result)
        return result

    def _note(self, node: Node, result: Tensor) -> None:
        if not result.is_floating_point() and node.op != "placeholder":
            return
        if result.dtype == torch.bool:
            return
        self.seen.append(node)
        self.ends[node.name] = (float(result.min()), float(result.max()))


def _title(node: Node) -> str:
    if node.op == "placeholder":
        return f"input '{node.name}'"
    path = module_path(node)
    return f"{operator(node)} in '{path}'" if path else f"{operator(node)} ({node.name})"
