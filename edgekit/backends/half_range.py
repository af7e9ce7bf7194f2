"""Values of a network that float16 does not hold, by layer, on samples: 65,504 is its largest number."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.backends.free_axes import model_tensor
from edgekit.errors import HalfOverflow
from edgekit.ir.program import WARNING, PassRecord, Program
from edgekit.runner.model.tensors import Column, read_columns, row
from edgekit.specs.compression import Quantize
from edgekit.specs.target import RuntimeSpec, Target

if TYPE_CHECKING:
    from torch.fx import Node

LARGEST = 65504.0
"""Largest finite number of float16 (IEEE 754, binary16)."""
NAMED = 4
"""Most layers that a sentence names."""
HALF = "float16"


@dataclass(frozen=True)
class Overflow:
    """Layer whose result float16 does not hold."""

    layer: str
    """Name of the module, and the operator in it."""
    largest: float
    """Largest magnitude that it gives."""
    sample: int
    """Place of the sample on which it gives that."""

    def __str__(self) -> str:
        return f"'{self.layer}' gives {self.largest:,.0f} on sample {self.sample}"


def overflows(program: Program, columns: Sequence[Column]) -> tuple[Overflow, ...]:
    """Layers that give more than 65,504 on a sample, in the order of the program, the largest value of each.

    columns: inputs, [N, …] each. Infinity in float32 is none of float16's making, and is left out.
    """
    import torch
    from torch.fx import Interpreter

    from edgekit.passes.module_patterns import OPERATOR, module_path, operator

    largest: dict[str, Overflow] = {}

    class Ranges(Interpreter):
        """Interpreter that keeps the largest magnitude of each layer's results."""

        def run_node(self, node: Node) -> Any:
            value = super().run_node(node)
            if node.op == "call_function" and isinstance(value, torch.Tensor) and value.is_floating_point():
                finite = torch.nan_to_num(value.abs(), nan=0.0, posinf=0.0)
                peak = float(finite.max()) if finite.numel() else 0.0
                path = module_path(node)
                name = f"{path}{OPERATOR}{operator(node)}" if path else operator(node)
                if peak > LARGEST and (name not in largest or peak > largest[name].largest):
                    largest[name] = Overflow(name, peak, index)
            return value

    ranges = Ranges(program.exported.module())
    with torch.no_grad():
        for index in range(len(columns[0])):
            ranges.run(*(torch.from_numpy(array) for array in row(columns, index)))
    return tuple(largest.values())


def check_half_range(
    program: Program, samples: Path, recipe: Quantize | None, target: Target, runtime: RuntimeSpec
) -> PassRecord | None:
    """Check a float program for the accelerators of the target that compute in float16.

    samples: folder with `<input>.npy`, [N, …] each. Returns a record with a warning where the device may still run the
    file on its CPU, as it finds by its own measurement. Raises HalfOverflow for a profile of float16 whose runtime
    computes in it at once. None if every value is held, or nothing computes in float16.
    """
    kinds = half_kinds(recipe, target, runtime)
    if not kinds:
        return None
    started = time.perf_counter()
    layers = overflows(program, read_columns(samples, [model_tensor(spec) for spec in program.signature.inputs]))
    if not layers:
        return None
    named = ", ".join(map(str, layers[:NAMED])) + (f" and {len(layers) - NAMED} more" if len(layers) > NAMED else "")
    told = f"float16 holds at most {LARGEST:,.0f}, and {named}"
    if recipe is not None and recipe.mode == HALF and set(kinds) & set(runtime.delegates):
        module = layers[0].layer.partition(":")[0]
        raise HalfOverflow(
            f"{', '.join(kinds)} of '{target.id}' computes in float16: {told}",
            hint=f"take a profile of float32, or scale the values down before '{module}' and up after it",
        )
    warning = f"{', '.join(kinds)} computes in float16, and this file will not do there: {told}; the CPU will run it"
    return PassRecord("float16-range", ((WARNING, warning),), time.perf_counter() - started, 0.0)


def half_kinds(recipe: Quantize | None, target: Target, runtime: RuntimeSpec) -> tuple[str, ...]:
    """Accelerators of the target that compute the backend's files of this recipe in float16.

    By the order in which the target states number formats: one that prefers float16 computes integers in it too; for a
    recipe of float16 also one that prefers it to float32; for others without static integers, one without float32.
    """

    def is_half(activations: Sequence[str]) -> bool:
        if HALF not in activations:
            return False
        before = activations[: activations.index(HALF)]
        if not before:
            return True
        if recipe is not None and recipe.mode == HALF:
            return "float32" not in before
        return (recipe is None or recipe.mode != "static") and "float32" not in activations

    return tuple(each.kind for each in target.accelerators(runtime.backend) if is_half(each.activations))
