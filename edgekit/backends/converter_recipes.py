"""Recipes that a converter carries out during lowering: the check that it can, and the record of it."""

from __future__ import annotations

from dataclasses import replace

from edgekit.errors import Misfit
from edgekit.ir.program import WARNING, PassRecord, Program
from edgekit.specs.compression import Quantize

NAME = "quantize"
"""Name of the record: that of the pass which quantizes before lowering."""


def check(recipe: Quantize) -> None:
    """Raise Misfit for options that need torch: here the converter rounds the weights, after torch."""
    options = {
        "quantize.equalize = true": recipe.equalize,
        "quantize.correct_bias = true": recipe.correct_bias,
        "quantize.smooth": recipe.smooth is not None,
        # int4 weights are rounded before: `passes/quantization/group_rounding`.
        f"quantize.weights.rounding = '{recipe.weights.rounding}'": recipe.weights.rounding != "nearest"
        and recipe.precision != "weight-int4",
        "quantize.weights.symmetric = false": not recipe.weights.symmetric,
    }
    unsupported = [option for option, is_set in options.items() if is_set]
    if unsupported:
        keys = " and ".join(option.partition(" =")[0] for option in unsupported)
        raise Misfit(
            f"{recipe.precision} is made by the converter, which cannot do {' and '.join(unsupported)}",
            hint=f"take {keys} out of the profile, or use mode = 'static'",
        )


def with_integer_tables(program: Program, recipe: Quantize) -> Program:
    """Store embedding tables in int8 before the converter sees them; `program` itself where nothing is in integers."""
    if recipe.mode == "float16":
        return program
    from edgekit.passes.quantization.embedding_tables import exported_with_integer_tables

    exported = exported_with_integer_tables(program.exported, recipe.kept)
    return replace(
        program, exported=exported, prefill=tuple(with_integer_tables(each, recipe) for each in program.prefill)
    )


def record(recipe: Quantize, seconds: float, sqnr_db: float, warning: str | None = None) -> PassRecord:
    """Record of the quantization during lowering, in the form of a pass record.

    warning: sentence for the report about the numbers.
    """
    options: list[tuple[str, str]] = [("mode", recipe.mode)]
    if recipe.mode != "float16":
        weights = recipe.weights
        group = f" {weights.group}" if weights.granularity == "per-group" else ""
        options.append(("weights", f"{weights.dtype} {weights.granularity}{group}"))
    options.append(("skip", " ".join(recipe.kept)))
    return PassRecord(NAME, (*options, *([(WARNING, warning)] if warning else ())), seconds, round(sqnr_db, 2))


def static_skip(program: Program) -> tuple[str, ...] | None:
    """Patterns of modules that the static recipe left in float; None for a program that was not quantized so."""
    options = [dict(record.options) for record in program.history if record.name == NAME]
    if not options or options[-1].get("mode") != "static":
        return None
    return tuple(options[-1].get("skip", "").split())
