"""Sentence of a verdict on whose loss a failed gate on answers is: of quantization, or of converter and runtime."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.parity.gates import GateResult
from edgekit.pipeline.stages.compile import Compilation, Compiled
from edgekit.pipeline.stages.vendor_comparison import ANSWERS
from edgekit.runner.model.tensors import dequantize

if TYPE_CHECKING:
    from edgekit.backends.float_yardstick import Losses
    from edgekit.ir.measurement import Array
    from edgekit.ir.signature import TensorSpec


def loss_remarks(compilation: Compilation, compiled: Compiled, judged: Iterable[GateResult]) -> tuple[str, ...]:
    """Sentence on the distances of quantized program and file from float, on the golden samples.

    Empty where no gate on answers failed, nothing was quantized before lowering, or samples are sequences or of free
    lengths.
    """
    signature = compiled.artifact.signature
    failed = any(gate.name in ANSWERS and gate.outcome == "failed" for gate in judged)
    if not failed or compilation.request.recipe_before_lowering is None or signature.state or signature.lengths:
        return ()
    worst = min(_losses(compilation, compiled), key=lambda losses: losses.file_db, default=None)
    return (loss_remark(worst),) if worst else ()


def loss_remark(losses: Losses) -> str:
    """Sentence on whose loss it is."""
    loser = "the converter or its runtime loses the rest" if losses.file_db < losses.least_db else "that is all of it"
    return (
        f"Of the loss that failed a gate, on the golden samples: quantization leaves the program "
        f"{losses.quantization_db:.1f} dB from float, the file is {losses.file_db:.1f}; {loser}."
    )


def _losses(compilation: Compilation, compiled: Compiled) -> Iterable[Losses]:
    from edgekit.backends.float_yardstick import FloatYardstick
    from edgekit.backends.program_outputs import program_outputs
    from edgekit.frontend.store import load_program

    program, artifact = load_program(compilation.quantized), compiled.artifact
    columns = [np.load(compiled.golden / "inputs" / f"{spec.name}.npy") for spec in program.signature.inputs]
    yardstick = FloatYardstick(lambda: load_program(compilation.captured), columns)
    for index, expected in enumerate(program_outputs(program, columns)):
        values = _values(compiled.golden, artifact.signature.outputs[index])
        losses = yardstick.losses(index, expected, values) if values.shape == expected.shape else None
        if losses:
            yield losses


def _values(golden: Path, spec: TensorSpec) -> Array:
    stored: Array = np.load(golden / "outputs" / f"{spec.name}.npy")
    return dequantize(stored, spec.affine.scale, spec.affine.zero_point) if spec.affine else stored
