"""Buckets: static graphs of some lengths, in a model whose runtime takes no free length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from .manifest import RunnerManifest
from .sample_shapes import lengths_of, shape_at
from .tensors import Array, Call


def has_buckets(manifest: RunnerManifest) -> bool:
    """Tell whether the model has static graphs in place of free axes."""
    return any(length.buckets for length in manifest.lengths)


def buckets(manifest: RunnerManifest) -> list[dict[str, int]]:
    """Lengths of every static graph of the model, by name; the greatest last."""
    names = [length.name for length in manifest.lengths]
    return [dict(zip(names, sizes)) for sizes in product(*(length.buckets for length in manifest.lengths))]


def bucketed(manifest: RunnerManifest, load_graph: Callable[[int], Call]) -> Call:
    """Make a function of a model with buckets: it pads a sample to the smallest that holds it, and cuts the outputs.

    load_graph: function that loads the static graph with the number of a bucket, called once for each that is used.
    """
    graphs: dict[int, Call] = {}
    sizes = buckets(manifest)
    numbers = {tuple(bucket.values()): i for i, bucket in enumerate(sizes)}
    inputs, outputs = manifest.inputs, manifest.outputs
    ragged = [k for k, tensor in enumerate(outputs) if tensor.free]

    def call(arrays: Sequence[Array]) -> list[Array]:
        lengths = lengths_of(arrays, inputs)
        chosen = tuple(
            next(bucket for bucket in length.buckets if bucket >= lengths[length.name]) for length in manifest.lengths
        )
        number = numbers[chosen]
        if number not in graphs:
            graphs[number] = load_graph(number)
        bucket = sizes[number]
        if bucket == lengths:
            return graphs[number](arrays)
        padded = []
        for array, tensor in zip(arrays, inputs):
            if tensor.free:
                filled = np.full(shape_at(tensor, bucket), tensor.pad, array.dtype)
                filled[tuple(map(slice, array.shape))] = array
                array = filled
            padded.append(array)
        results = graphs[number](padded)
        for k in ragged:
            results[k] = np.ascontiguousarray(results[k][tuple(map(slice, shape_at(outputs[k], lengths)))])
        return results

    return call
