"""Samples from outside that are made of evaluation samples: noise, and pictures that were blurred or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.samples import Samples
from edgekit.specs.inputs import Input
from edgekit.tasks.label_arrays import unlabelled

SEED = 20260105
Make = Callable[[np.random.Generator, Array, tuple[int, int] | None], Array]
"""Function from evaluation samples [N, …] and the axes of a picture's height and width to as many noisy ones."""


def noise_kinds(inputs: Mapping[str, Input], samples: Samples) -> tuple[str, ...]:
    """Names of the kinds that fit these inputs: `blurred` only where an input is a picture."""
    pictures = any(_picture_axes(spec, samples.inputs[name]) for name, spec in inputs.items())
    return ("uniform", "gaussian", "permuted", *(("blurred",) if pictures else ()))


def noise_samples(samples: Samples, inputs: Mapping[str, Input], count: int) -> tuple[Samples, tuple[str, ...]]:
    """Make `count` samples from outside, or a few less, in equal parts of every kind; the second result names each's.

    samples: of the evaluation set, more than one. Every input that `inputs` names is replaced; its lengths, and what
    the project does not state, stay. The same samples give the same noise.

    - `uniform`: values between the least and the largest of the set, each alike.
    - `gaussian`: values with the mean and deviation of the set, cut to the same range.
    - `permuted`: the values of a sample in another order; of a picture, its pixels.
    - `blurred`: a picture averaged over a quarter of its width, three times; other inputs stay.
    """
    kinds = noise_kinds(inputs, samples)
    each = max(1, count // len(kinds))
    chosen = np.linspace(0, len(samples) - 1, each).astype(np.int64)
    rng = np.random.default_rng(SEED)
    parts: dict[str, list[Array]] = {name: [] for name in samples.inputs}
    for kind in kinds:
        for name, array in samples.inputs.items():
            taken_from = np.asarray(array[chosen])
            spec = inputs.get(name)
            if spec is None:
                parts[name].append(taken_from)
                continue
            axes = _picture_axes(spec, array)
            parts[name].append(_KINDS[kind](rng, taken_from, axes).astype(array.dtype))
    whole = {name: np.concatenate(part) for name, part in parts.items()}
    total = each * len(kinds)
    length = None if samples.length is None else np.tile(samples.length[chosen], len(kinds))
    named = tuple(kind for kind in kinds for _ in range(each))
    return Samples(whole, unlabelled(total), length=length, initial=samples.initial), named


def _uniform(rng: np.random.Generator, array: Array, axes: tuple[int, int] | None) -> Array:
    if array.dtype.kind in "iub":
        return rng.integers(int(array.min()), int(array.max()) + 1, array.shape)
    return rng.uniform(float(array.min()), float(array.max()), array.shape)


def _gaussian(rng: np.random.Generator, array: Array, axes: tuple[int, int] | None) -> Array:
    drawn = rng.normal(float(array.mean()), float(array.std()), array.shape)
    cut = np.clip(drawn, float(array.min()), float(array.max()))
    return np.rint(cut) if array.dtype.kind in "iub" else cut


def _permuted(rng: np.random.Generator, array: Array, axes: tuple[int, int] | None) -> Array:
    """Shuffle the places of every sample: those of all axes, or of height and width alone."""
    first = array.ndim - len(axes) if axes else 1
    moved = np.moveaxis(array, axes, (-2, -1)) if axes else array
    flat = moved.reshape(*moved.shape[:first], -1)
    shuffled = np.stack([sample[..., rng.permutation(flat.shape[-1])] for sample in flat])
    back = shuffled.reshape(moved.shape)
    return np.moveaxis(back, (-2, -1), axes) if axes else back


def _blurred(rng: np.random.Generator, array: Array, axes: tuple[int, int] | None) -> Array:
    """Average pictures over a window of a quarter of their width, three times, which is nearly a Gaussian blur."""
    if axes is None:
        return array
    values = array.astype(np.float64)
    for axis in axes * 3:
        values = _box(values, axis, max(1, array.shape[axes[1]] // 8))
    return np.rint(values) if array.dtype.kind in "iub" else values


def _box(values: Array, axis: int, radius: int) -> Array:
    """Mean over 2 · radius + 1 neighbours along an axis; edges are continued."""
    width = [(radius + 1, radius) if k == axis else (0, 0) for k in range(values.ndim)]
    sums = np.cumsum(np.pad(values, width, mode="edge"), axis=axis)
    size = 2 * radius + 1
    last = np.take(sums, range(size, sums.shape[axis]), axis=axis)
    before = np.take(sums, range(sums.shape[axis] - size), axis=axis)
    return np.asarray((last - before) / size)


def _picture_axes(spec: Input, array: Array) -> tuple[int, int] | None:
    """Axes of height and width; None for an input that is no picture."""
    if array.ndim != 4:
        return None
    if spec.preprocess:
        return (1, 2)
    return (2, 3) if array.shape[1] in (1, 3, 4) else None


_KINDS: Mapping[str, Make] = {
    "uniform": _uniform,
    "gaussian": _gaussian,
    "permuted": _permuted,
    "blurred": _blurred,
}
