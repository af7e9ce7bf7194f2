"""Free lengths of all inputs of a project together, with their buckets and masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgekit.ir.signature import FreeLength
from edgekit.specs.inputs import Input
from edgekit.specs.lengths import FreeSize, LengthSyntax, default_buckets, free_lengths


def lengths_of(inputs: Mapping[str, Input]) -> tuple[FreeLength, ...]:
    """Free lengths of a project's inputs, in their order, each with the buckets that a static backend makes of it.

    Raises LengthSyntax if one name has two ranges or two lists of buckets, or a mask is no such input.
    """
    lengths = free_lengths({name: spec.shape for name, spec in inputs.items()})
    buckets: dict[str, tuple[int, ...]] = {}
    for spec in inputs.values():
        for name, stated in spec.buckets.items():
            if stated and buckets.setdefault(name, stated) != stated:
                raise LengthSyntax(f"two inputs state other buckets of '{name}'", hint="state them at one of the two")
    for name, spec in inputs.items():
        _check_mask(name, spec, inputs)
    return tuple(
        replace(length, buckets=buckets.get(name) or default_buckets(length)) for name, length in lengths.items()
    )


def _check_mask(name: str, spec: Input, inputs: Mapping[str, Input]) -> None:
    if spec.mask is None:
        return
    mask = inputs.get(spec.mask)
    if mask is None:
        raise LengthSyntax(f"the mask of '{name}', '{spec.mask}', is no input", hint=f"state it: [inputs.{spec.mask}]")
    own, masked = (set(free_lengths({"": each.shape})) for each in (mask, spec))
    if not own or not own <= masked:
        raise LengthSyntax(
            f"the mask '{spec.mask}' does not have the free lengths of '{name}'",
            hint=f'give it the same: shape = ["{next(size for size in spec.shape if isinstance(size, FreeSize))}"]',
        )
    if mask.pad:
        raise LengthSyntax(f"the mask '{spec.mask}' is padded with {mask.pad:g}", hint="leave 'pad' of a mask out")
