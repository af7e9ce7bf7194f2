"""Free axes of a lowered file, checked against those of its program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.ir.signature import Signature, TensorSpec
from edgekit.runner.model.lengths import LengthRange, ModelAxis
from edgekit.runner.model.manifest import ModelTensor


def with_free_axes(loaded: Signature, program: Signature, buckets: bool = False) -> Signature:
    """Add to the signature of a loaded file the free axes of its program, which file formats tell incompletely.

    loaded: edges with the greatest lengths. buckets: the file has a static graph for each bucket.
    """
    if not program.lengths:
        return loaded
    lengths = program.lengths if buckets else program.without_buckets().lengths
    return Signature(
        _edges(loaded.inputs, program.inputs), _edges(loaded.outputs, program.outputs), loaded.state, lengths
    )


def model_tensor(spec: TensorSpec) -> ModelTensor:
    """An input or output as the runner has it."""
    scale, zero_point = (spec.affine.scale, spec.affine.zero_point) if spec.affine else (None, 0)
    free = tuple(ModelAxis(each.axis, each.length, each.scale, each.offset, each.divisor) for each in spec.free)
    return ModelTensor(spec.name, spec.dtype, spec.shape, scale, zero_point, free, spec.pad)


def runner_lengths(signature: Signature) -> tuple[LengthRange, ...]:
    """Free lengths as the runner has them."""
    return tuple(LengthRange(each.name, each.least, each.most, each.step, each.buckets) for each in signature.lengths)


def _edges(loaded: Sequence[TensorSpec], program: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    by_name = {spec.name: spec for spec in program}
    return tuple(
        replace(spec, free=by_name[spec.name].free, pad=by_name[spec.name].pad) if spec.name in by_name else spec
        for spec in loaded
    )
