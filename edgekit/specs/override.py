"""`--set profile.gates.agreement.min=0.99`: one field of a spec, replaced."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.errors import OptionError, SpecError, suggest
from edgekit.specs.spec import S, parse

SPECS = ("project", "target", "profile")
QUANTIZE = "quantize"
"""Table of a profile that has a network quantized by being there."""


@dataclass(frozen=True)
class Override:
    """One changed value of a spec: the spec, the path of keys in it, and the new value as TOML reads it."""

    spec: str
    path: tuple[str, ...]
    value: Any

    @classmethod
    def parse(cls, text: str) -> Override:
        """Parse `SPEC.KEY[.KEY…]=VALUE`. Raises OptionError."""
        key, equals, value = text.partition("=")
        spec, *path = key.strip().split(".")
        if not equals or not path or not all(path):
            raise OptionError(f"--set '{text}' is not KEY=VALUE", hint="--set profile.gates.agreement.min=0.99")
        if spec not in SPECS:
            raise OptionError(
                f"--set '{text}': nothing is called '{spec}'", hint=suggest(spec, SPECS, f"one of {', '.join(SPECS)}")
            )
        return cls(spec, tuple(path), _value(value.strip()))

    def __str__(self) -> str:
        return f"{self.spec}.{'.'.join(self.path)}={self.value}"


def apply(spec: S, name: str, overrides: Sequence[Override]) -> S:
    """Apply those of the overrides that are for `name` to `spec`. Raises SpecError if one does not fit."""
    mine = [override for override in overrides if override.spec == name]
    if not mine:
        return spec
    values = spec.model_dump(by_alias=True, exclude_unset=True)
    _check_mode(values, mine)
    for override in mine:
        table = values
        for part in override.path[:-1]:
            inner = table.get(part)
            table[part] = dict(inner) if isinstance(inner, dict) else {}
            table = table[part]
        table[override.path[-1]] = override.value
    return parse(type(spec), values, f"--set {', '.join(map(str, mine))}")


def _check_mode(values: dict[str, Any], overrides: Sequence[Override]) -> None:
    """Raise SpecError if an option of quantization is set for a profile of float: that alone would quantize."""
    of_recipe = [each for each in overrides if each.spec == "profile" and each.path[0] == QUANTIZE]
    starts = any(each.path in ((QUANTIZE,), (QUANTIZE, "mode")) for each in of_recipe)
    if of_recipe and not starts and values.get(QUANTIZE) is None:
        raise SpecError(
            f"--set {of_recipe[0]}: the profile quantizes nothing, so that there is nothing to set",
            hint="leave it out, or say how to quantize: --set profile.quantize.mode=static",
        )


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # the first also bare, for a number of thousands of digits
        return text
