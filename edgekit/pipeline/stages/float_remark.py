"""Sentence of a verdict on the operators whose weights stayed in float, where a gate on integers or on size failed."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.parity.gates import GateResult
from edgekit.pipeline.stages.compile import Compilation

INTEGERS = ("integer_share", "integer_macs_share", "size_ratio")
"""Gates that weights in float fail."""


def float_remarks(compilation: Compilation, judged: Iterable[GateResult]) -> tuple[str, ...]:
    """Sentence that names the operators with weights in float, and the next step; empty where no gate needs it.

    Only programs that are quantized before they are lowered are looked into.
    """
    recipe = compilation.request.recipe_before_lowering
    if recipe is None or not any(gate.name in INTEGERS and gate.outcome == "failed" for gate in judged):
        return ()
    from edgekit.frontend.store import load_program
    from edgekit.passes.float_weights import float_remark, float_weights

    weights = float_weights(load_program(compilation.quantized).exported)
    return (float_remark(weights),) if weights else ()
