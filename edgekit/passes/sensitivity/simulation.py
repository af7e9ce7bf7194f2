"""Simulation of a recipe: the program with fake quantization, as a search judges it. Nothing is converted."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgekit.errors import PassError
from edgekit.ir.measurement import Array
from edgekit.passes.quantization.quantize import QuantizePass, with_equalized_ranges
from edgekit.passes.quantization.simulate import answers, batch_of, observers, simulated, stacked, unguarded
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization


def calibrated_program(
    program: Program, recipe: Quantize, quantization: Callable[[Quantize], Quantization], samples: Sequence[Sample]
) -> GraphModule:
    """Calibrated program of a recipe, with its biases corrected and weights rounded as the recipe asks.

    samples: calibrate, batch 1 each. Raises PassError if nothing is quantized, Misfit for a recipe that the backend
    cannot run.
    """
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    program = with_equalized_ranges(program, recipe, samples, samples[:1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao warns of its own deprecated observer attributes
        backend = quantization(recipe)
        prepared: GraphModule = prepare_pt2e(program.exported.module(), backend.quantizer)
        if not any(True for _ in observers(prepared)) and not backend.lowers_any(prepared.graph, recipe.kept):
            raise PassError("nothing was quantized", hint="check the patterns of [quantize] skip in the profile")
        QuantizePass(recipe, quantization, samples).fit(prepared, program.exported)
    return prepared


def simulated_outputs(program: Program, prepared: GraphModule, samples: Sequence[Sample]) -> dict[str, Array]:
    """Outputs of a calibrated program with fake quantization, [N, …] by name, on samples of batch 1 each.

    program: the float program that `prepared` was made from.
    """
    batches = stacked(samples, batch_of(unguarded(program.exported.module()), samples))
    names = [spec.name for spec in program.signature.outputs]
    values = answers(simulated(prepared), batches)
    return dict(zip(names, (value.numpy() for value in values), strict=True))
