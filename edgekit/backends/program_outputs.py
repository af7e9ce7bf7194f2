"""Outputs of a program, or of another function of tensors, on samples: one call a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgekit.backends.free_axes import model_tensor
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature
from edgekit.runner.model.sample_shapes import lengths_of
from edgekit.runner.model.tensors import Column, row


def program_outputs(program: Program, columns: Sequence[Column]) -> list[Array]:
    """Outputs of the program, [N, …] each, padded with 0 where samples are of different lengths."""
    return call_outputs(program.exported.module(), program.signature, columns)


def call_outputs(call: Callable[..., Any], signature: Signature, columns: Sequence[Column]) -> list[Array]:
    """Outputs of a function from tensors [1, …] to tensors, in any nesting, for every sample: as `program_outputs`."""
    import torch
    from torch.utils import _pytree as pytree

    with torch.no_grad():
        rows = [
            pytree.tree_leaves(call(*(torch.from_numpy(array) for array in row(columns, i))))
            for i in range(len(columns[0]))
        ]
    if not signature.lengths:
        return [torch.cat(outputs).numpy() for outputs in zip(*rows, strict=True)]
    tensors = tuple(map(model_tensor, signature.inputs))
    most = lengths_of(columns, tensors)
    return [
        filled([output.numpy() for output in outputs], spec.at(most))
        for outputs, spec in zip(zip(*rows, strict=True), signature.outputs, strict=True)
    ]


def filled(rows: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """Join arrays [1, …], each filled up with 0 to `shape`, to one [N, …]."""
    joined = np.zeros((len(rows), *shape[1:]), rows[0].dtype)
    for place, array in zip(joined, rows, strict=True):
        place[tuple(map(slice, array.shape[1:]))] = array[0]
    return joined
