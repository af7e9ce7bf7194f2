"""Recipes that a backend carries out as it lowers: what it can honour of them, and what is written down."""

from __future__ import annotations

from edgekit.errors import Misfit
from edgekit.ir.program import PassRecord
from edgekit.specs.compression import Quantize

NAME = "quantize"
"""As the pass that does the same before lowering is called."""


def check(recipe: Quantize) -> None:
    """Raise Misfit for what needs a quantized program: the weights are rounded after torch has let go of them."""
    wishes = {
        "quantize.equalize = true": recipe.equalize,
        "quantize.correct_bias = true": recipe.correct_bias,
        "quantize.smooth": recipe.smooth is not None,
        f"quantize.weights.rounding = '{recipe.weights.rounding}'": recipe.weights.rounding != "nearest",
        "quantize.weights.symmetric = false": not recipe.weights.symmetric,
    }
    asked = [wish for wish, given in wishes.items() if given]
    if asked:
        keys = " and ".join(wish.partition(" =")[0] for wish in asked)
        raise Misfit(
            f"{recipe.precision} is made by the converter, which cannot do {' and '.join(asked)}",
            hint=f"take {keys} out of the profile, or use mode = 'static'",
        )


def record(recipe: Quantize, seconds: float, sqnr_db: float) -> PassRecord:
    """What was done to the program, as a pass would have written it down."""
    options: list[tuple[str, str]] = [("mode", recipe.mode)]
    if recipe.mode != "float16":
        weights = recipe.weights
        group = f" {weights.group}" if weights.granularity == "per-group" else ""
        options.append(("weights", f"{weights.dtype} {weights.granularity}{group}"))
    return PassRecord(NAME, (*options, ("skip", " ".join(recipe.kept))), seconds, round(sqnr_db, 2))
