"""Buckets: static programs of one program with free lengths, for converters that take no free length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from edgekit.errors import Misfit
from edgekit.ir.signature import Signature

if TYPE_CHECKING:
    from edgekit.ir.program import Program

MOST_GRAPHS = 64
"""Largest number of static graphs in one file: each is converted by itself, in seconds."""


def bucket_lengths(signature: Signature) -> list[dict[str, int]]:
    """Lengths of every bucket, by name, in the order in which the runner numbers them; the greatest last.

    Raises Misfit if they are too many.
    """
    names = [length.name for length in signature.lengths]
    sizes = [dict(zip(names, each, strict=True)) for each in product(*(each.buckets for each in signature.lengths))]
    if len(sizes) > MOST_GRAPHS:
        counts = " x ".join(f"{len(length.buckets)} of '{length.name}'" for length in signature.lengths)
        raise Misfit(
            f"{counts} are {len(sizes)} static graphs, more than {MOST_GRAPHS}",
            hint="state fewer under [inputs]: buckets = { "
            + ", ".join(f"{name} = [{sizes[-1][name]}]" for name in names)
            + " }",
        )
    return sizes


def static_programs(program: Program) -> Iterator[Program]:
    """Programs of one length each, of the same weights, in the order of `bucket_lengths`."""
    import torch

    for lengths in bucket_lengths(program.signature):
        examples = tuple(
            torch.zeros(spec.at(lengths), dtype=getattr(torch, spec.dtype)) for spec in program.signature.inputs
        )
        with torch.no_grad():
            exported = torch.export.export(program.exported.module(), examples)
        yield replace(program, exported=exported, signature=static_signature(program.signature, lengths))


def static_signature(signature: Signature, lengths: dict[str, int]) -> Signature:
    """Signature where the free lengths are `lengths`, by name: none is free any more."""
    inputs, outputs = (
        tuple(replace(spec, shape=spec.at(lengths), free=()) for spec in specs)
        for specs in (signature.inputs, signature.outputs)
    )
    return Signature(inputs, outputs)
