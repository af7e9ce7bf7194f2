"""Steps of a profile's recipe, and the profile without each of them: what an ablation takes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.specs.compression import Quantize
from edgekit.specs.profile import Profile

ALL_STEPS = "all compression"
"""Name of the removal of every step at once, where there is more than quantization."""


@dataclass(frozen=True)
class RecipeStep:
    """One step of a recipe."""

    name: str
    """Name in the words of the field: `bias correction`."""
    change: str
    """Keys that take it out, as `--set` takes them."""
    without: Profile
    """Profile with every other step."""


def recipe_steps(profile: Profile) -> tuple[RecipeStep, ...]:
    """Steps of the profile that have an effect, in the order in which a build takes them.

    A step is taken out with what cannot be without it: quantization with its training (QAT), recovery with QAT, which
    goes on from it.
    """
    return (*_network_steps(profile), *_quantization_steps(profile), *_everything(profile))


def _network_steps(profile: Profile) -> Iterator[RecipeStep]:
    """Steps that change the network before it is captured."""
    if profile.prune:
        yield RecipeStep("pruning", "no [prune]", _with(profile, prune=None))
    recover = profile.recover
    if recover:
        yield RecipeStep("recovery", "no [recover]", _with(profile, recover=None))
    if recover and recover.quantization_aware_epochs:
        change = "recover.quantization_aware_epochs=0"
        yield RecipeStep("quantization-aware training", change, _unaware(profile))


def _quantization_steps(profile: Profile) -> Iterator[RecipeStep]:
    recipe = profile.quantize
    if recipe is None:
        return
    yield RecipeStep("quantization", "no [quantize]", _with(_unaware(profile), quantize=None))
    for name, changes in _options(recipe):
        keys = ", ".join(f"quantize.{key}={_shown(value)}" for key, value in changes)
        yield RecipeStep(name, keys, _with(profile, quantize=_recipe_with(recipe, changes)))


def _options(recipe: Quantize) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Options of a recipe beyond plain rounding to the nearest, each with the values that take it out."""
    static = recipe.mode == "static"
    if recipe.equalize:
        yield "equalization", [("equalize", False)]
    if recipe.smooth is not None:
        yield "smooth quant", [("smooth", None)]
    if static and recipe.activations.observer != "minmax":
        yield f"clipping ({recipe.activations.observer})", [("activations.observer", "minmax")]
    if recipe.weights.rounding != "nearest":
        yield f"rounding ({recipe.weights.rounding})", [("weights.rounding", "nearest")]
    if recipe.correct_bias:
        yield "bias correction", [("correct_bias", False)]
    if recipe.kept:
        in_int8 = {name: kind for name, kind in recipe.overrides.items() if kind != "float32"}
        yield "layers in float", [("skip", ()), ("overrides", in_int8)]
    if recipe.dynamic:
        static_only = {name: kind for name, kind in recipe.overrides.items() if kind != "dynamic-int8"}
        yield "ranges at run time", [("overrides", static_only)]
    if recipe.mixed:
        yield "mixed precision", [("mixed", None)]
    if recipe.repair and static and not recipe.mixed:
        yield "precision repair", [("repair", False)]


def _everything(profile: Profile) -> Iterator[RecipeStep]:
    if profile.prune or profile.recover:
        plain = _with(profile, prune=None, recover=None, quantize=None)
        yield RecipeStep(ALL_STEPS, "no [prune], [recover], [quantize]", plain)


def _with(profile: Profile, **parts: Any) -> Profile:
    return profile.model_copy(update=parts)


def _unaware(profile: Profile) -> Profile:
    """Profile without quantization-aware training."""
    recover = profile.recover
    if recover is None or not recover.quantization_aware_epochs:
        return profile
    return _with(profile, recover=recover.model_copy(update={"quantization_aware_epochs": 0}))


def _recipe_with(recipe: Quantize, changes: list[tuple[str, Any]]) -> Quantize:
    """Recipe with other values; a key may name a field of `weights` or `activations`."""
    for key, value in changes:
        table, dot, field = key.partition(".")
        inner = getattr(recipe, table).model_copy(update={field: value}) if dot else value
        recipe = recipe.model_copy(update={table: inner})
    return recipe


def _shown(value: Any) -> str:
    """Value as TOML writes it; nothing where the key is left out."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = '{kind}'" for name, kind in value.items()) + "}"
    return "[]" if value == () else "none" if value is None else str(value)
