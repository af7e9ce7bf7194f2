"""Choice of the biases to correct: held-out calibration samples decide, by the error of the program's answers.

Bias correction makes the mean error of each layer zero. That is a promise on each layer alone: on a MobileNetV3 the
error of each layer fell by less than 0.1 dB, as it was noise and not a shift, and that of the answers grew by 1.4 dB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edgekit.passes.quantization.bias_correction import corrected_biases, unobserved
from edgekit.passes.quantization.simulate import answers, output_sqnr_db, simulated
from edgekit.passes.quantization.weighted_layers import layers, replace, value

if TYPE_CHECKING:
    from torch import Tensor
    from torch.fx import GraphModule, Node

    from edgekit.passes.base import Sample

Scope = Literal["all", "last", "none"]
SCOPES: tuple[Scope, ...] = ("all", "last", "none")
"""Layers whose biases are corrected: all, those behind which no other layer follows, or none."""
LEAST_DB = 0.1
"""Least gain over plain biases, in dB, for which biases are corrected: less is chance."""


@dataclass(frozen=True)
class BiasChoice:
    """Biases to set, by the constant that they replace, and what held-out samples said of each scope."""

    biases: dict[Node, Tensor]
    scope: Scope
    sqnr_db: dict[Scope, float]
    """SQNR of the answers on held-out samples, in dB; empty where there was none to hold out."""

    def __str__(self) -> str:
        if not self.sqnr_db:
            return f"{self.scope}: no sample is left to judge by"
        return f"{self.scope}; {', '.join(f'{scope} {sqnr:.2f} dB' for scope, sqnr in self.sqnr_db.items())}"


def chosen_biases(prepared: GraphModule, batches: Sequence[Sample]) -> BiasChoice:
    """Choose the layers whose biases are corrected, for a calibrated program, which is not changed.

    The first half of the batches corrects, the second judges the answers. What wins is corrected with all of them.
    A single batch cannot be divided: it is cut in two along its first axis; a single sample corrects nothing.
    """
    fitting, judging = _divided(batches)
    if not judging:
        return BiasChoice({}, "none", {})
    reference = answers(unobserved(prepared), judging)
    scores: dict[Scope, float] = {}
    for scope in SCOPES:
        biases = corrected_biases(prepared, fitting, in_scope(prepared, scope)) if scope != "none" else {}
        scores[scope] = output_sqnr_db(reference, answers(_with(prepared, biases), judging))
    best = max(SCOPES, key=lambda scope: scores[scope])
    chosen: Scope = best if scores[best] >= scores["none"] + LEAST_DB else "none"
    final = corrected_biases(prepared, batches, in_scope(prepared, chosen)) if chosen != "none" else {}
    return BiasChoice(final, chosen, scores)


def in_scope(prepared: GraphModule, scope: Scope) -> frozenset[str]:
    """Names of the nodes of the layers of a scope."""
    weighted = {layer.node for layer in layers(prepared)}
    if scope == "none":
        return frozenset()
    if scope == "all":
        return frozenset(node.name for node in weighted)
    followed: set[Node] = set()
    for node in reversed(prepared.graph.nodes):
        if any(user in weighted or user in followed for user in node.users):
            followed.add(node)
    return frozenset(node.name for node in weighted - followed)


def _divided(batches: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    if len(batches) != 1:
        middle = (len(batches) + 1) // 2
        return batches[:middle], batches[middle:]
    size = len(batches[0][0]) if batches[0] and batches[0][0].dim() else 1
    if size < 2:
        return batches, ()
    half = (size + 1) // 2
    (batch,) = batches
    return [tuple(value[:half] for value in batch)], [tuple(value[half:] for value in batch)]


def _with(prepared: GraphModule, biases: dict[Node, Tensor]) -> GraphModule:
    """Fake quantization of the program with other biases."""
    before = {constant: value(prepared, constant) for constant in biases}
    try:
        for constant, bias in biases.items():
            replace(prepared, constant, bias)
        return simulated(prepared)
    finally:
        for constant, bias in before.items():
            replace(prepared, constant, bias)
