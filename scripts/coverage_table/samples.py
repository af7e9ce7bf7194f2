"""Samples of the architectures: digits and photographs of scikit-learn, and computed signals, tokens and points.

Each function returns a maker of samples by count and seed: an array [N, …] an input, and `labels` where there are any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_sample_images
from torch.nn.functional import interpolate

Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]
Samples = Callable[[int, int], Arrays]


def digits(side: int, channels: int = 3) -> Samples:
    """Scans of digits as float32 [N, channels, side, side] around 0; an odd seed takes another half than an even."""

    def samples(count: int, seed: int) -> Arrays:
        scans = load_digits()
        chosen = np.random.default_rng(seed).permutation(np.arange(seed % 2, len(scans.target), 2))[:count]
        small = torch.from_numpy(scans.images[chosen, None].astype(np.float32) / 8 - 1)
        large = interpolate(small, size=(side, side), mode="bilinear").expand(-1, channels, -1, -1)
        return {"image": large.contiguous().numpy(), "labels": scans.target[chosen].astype(np.int64)}

    return samples


def photographs(side: int, target: str = "") -> Samples:
    """Crops of photographs, float32 [N, 3, side, side] in [0, 1].

    target: `same` for the crop itself as label, `enlarged` for a crop of twice the side, which the input is the mean
    of; without any, the crops are around 0 and have no label.
    """

    def samples(count: int, seed: int) -> Arrays:
        random, pictures = np.random.default_rng(seed), load_sample_images().images
        size = 2 * side if target == "enlarged" else side
        crops = np.empty((count, 3, size, size), np.float32)
        for place in range(count):
            picture = pictures[place % 2]
            top, left = (int(random.integers(0, length - size)) for length in picture.shape[:2])
            crops[place] = picture[top : top + size, left : left + size].transpose(2, 0, 1) / 255
        if target == "enlarged":
            return {"image": crops.reshape(count, 3, side, 2, side, 2).mean((3, 5)), "labels": crops}
        return {"image": crops, "labels": crops} if target else {"image": (crops - 0.45) / 0.25}

    return samples


def tones(steps: int, features: int, classes: int = 4) -> Samples:
    """Noisy oscillations, float32 [N, steps, features], labelled by their frequency."""

    def samples(count: int, seed: int) -> Arrays:
        random = np.random.default_rng(seed)
        labels = np.arange(count) % classes
        time = np.arange(steps)[None, :, None] / steps
        phase = random.uniform(0, 6.28, (count, 1, features))
        wave = np.sin(2 * np.pi * (labels[:, None, None] + 1) * 2 * time + phase)
        noisy = wave + 0.3 * random.standard_normal(wave.shape)
        return {"x": noisy.astype(np.float32), "labels": labels.astype(np.int64)}

    return samples


def topics(length: int, words: int, masked: bool = True, classes: int = 4) -> Samples:
    """Tokens int64 [N, length], labelled by the quarter of the vocabulary that most are of, and a mask of 1 and 0."""

    def samples(count: int, seed: int) -> Arrays:
        random = np.random.default_rng(seed)
        labels = np.arange(count) % classes
        tokens = random.integers(1, words, (count, length))
        width = words // classes
        theme = labels[:, None] * width + random.integers(1, width, (count, length))
        tokens = np.where(random.random((count, length)) < 0.5, theme, tokens)
        if not masked:
            return {"tokens": tokens, "labels": labels.astype(np.int64)}
        mask = np.arange(length) < random.integers(length // 2, length + 1, (count, 1))
        return {"tokens": tokens * mask, "mask": mask.astype(np.int64), "labels": labels.astype(np.int64)}

    return samples


def tokens(**lengths: int) -> Samples:
    """Random tokens below 256, int64 [N, length], of each name."""

    def samples(count: int, seed: int) -> Arrays:
        random = np.random.default_rng(seed)
        return {name: random.integers(0, 256, (count, length)) for name, length in lengths.items()}

    return samples


def normal(**shapes: tuple[int, ...]) -> Samples:
    """Normal random numbers, float32 [N, *shape], of each name."""

    def samples(count: int, seed: int) -> Arrays:
        random = np.random.default_rng(seed)
        return {name: random.standard_normal((count, *shape)).astype(np.float32) for name, shape in shapes.items()}

    return samples


def noisy_photographs(side: int) -> Samples:
    """Photographs with normal noise of a share that `time` states, float32 [N, 1] from 0 to 1."""

    def samples(count: int, seed: int) -> Arrays:
        random = np.random.default_rng(seed)
        time = random.random((count, 1)).astype(np.float32)
        clean, share = photographs(side)(count, seed)["image"], time[:, :, None, None]
        noise = random.standard_normal(clean.shape).astype(np.float32)  # type: ignore[attr-defined]
        return {"image": np.sqrt(1 - share) * clean + np.sqrt(share) * noise, "time": time}

    return samples


def clouds(points: int) -> Samples:
    """Points float32 [N, 3, points] of spheres, cubes, discs and rods, labelled by the shape."""

    def samples(count: int, seed: int) -> Arrays:
        random = np.random.default_rng(seed)
        labels = np.arange(count) % 4
        spread = random.standard_normal((count, 3, points))
        sphere = spread / np.linalg.norm(spread, axis=1, keepdims=True)
        cube = random.uniform(-1, 1, spread.shape)
        disc, rod = sphere * [[1], [1], [0.1]], cube * [[0.1], [0.1], [1]]
        shapes = np.stack([sphere, cube, disc, rod])
        chosen = shapes[labels, np.arange(count)] + 0.05 * random.standard_normal(spread.shape)
        return {"points": chosen.astype(np.float32), "labels": labels.astype(np.int64)}

    return samples


def graphs(nodes: int, features: int) -> Samples:
    """Features float32 [N, nodes, features] and normalized adjacencies [N, nodes, nodes], labelled by density."""

    def samples(count: int, seed: int) -> Arrays:
        random = np.random.default_rng(seed)
        labels = np.arange(count) % 2
        edges = np.triu(random.random((count, nodes, nodes)) < np.array([0.1, 0.4])[labels, None, None], 1)
        joined = edges + edges.transpose(0, 2, 1) + np.eye(nodes)
        scale = joined.sum(2) ** -0.5
        adjacency = joined * scale[:, :, None] * scale[:, None, :]
        values = 1 + random.standard_normal((count, nodes, features)) * 0.3
        return {
            "features": values.astype(np.float32),
            "adjacency": adjacency.astype(np.float32),
            "labels": labels.astype(np.int64),
        }

    return samples


def tumours() -> Samples:
    """Rows of the table of breast tumours, float32 [N, 30], standardized, labelled 0 or 1; odd seeds take odd rows."""

    def samples(count: int, seed: int) -> Arrays:
        table = load_breast_cancer()
        rows = (table.data - table.data.mean(0)) / table.data.std(0)
        chosen = np.random.default_rng(seed).permutation(np.arange(seed % 2, len(rows), 2))[:count]
        return {"row": rows[chosen].astype(np.float32), "labels": table.target[chosen].astype(np.int64)}

    return samples


def sequences(samples: Samples, steps: int) -> Samples:
    """Sequences [N, steps, …] of what `samples` gives for single steps; labels are left out."""

    def joined(count: int, seed: int) -> Arrays:
        flat = samples(count * steps, seed)
        return {name: array.reshape(count, steps, *array.shape[1:]) for name, array in flat.items() if name != "labels"}

    return joined
