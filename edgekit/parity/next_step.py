"""Next steps: options of the command line that change a recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence

from edgekit.ir.layers import Layer
from edgekit.specs.compression import Quantize


def setting(key: str, value: str | bool) -> str:
    """`--set profile.quantize.KEY=VALUE`, as `specs.override` reads it."""
    text = value if isinstance(value, str) else str(value).lower()
    return f"--set profile.quantize.{key}={text}"


def kept_in_float(layers: Sequence[Layer]) -> tuple[str, ...]:
    """The modules of these layers that can be named; an addition in a block has no name but the block's."""
    names = {layer.name for layer in layers if layer.name and layer.kind != "input"}
    single = [name for name in names if not any(other != name and other.startswith(f"{name}.") for other in names)]
    return tuple(sorted(single))


def overridden(recipe: Quantize, kept: Sequence[str]) -> str:
    """The option that leaves these modules in float, beside those that the recipe names already."""
    if not kept:
        return "edgekit diagnose --write FILE.toml searches the layers to leave in float"
    overrides = {**recipe.overrides, **dict.fromkeys(kept, "float32")}
    table = ",".join(f"{json.dumps(name)}={json.dumps(precision)}" for name, precision in overrides.items())
    return f"--set 'profile.quantize.overrides={{{table}}}'"
