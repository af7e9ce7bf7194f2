"""Train the detector: each object is the task of the cells around its centre, on the level of its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from tests.projects.yolo.data import HEIGHT, WIDTH, training
from tests.projects.yolo.model import BINS, CLASSES, Yolo, grid

STEPS, BATCH = 1500, 32
LARGE = 26.0
"""Longer side in pixels from which an object is on the coarse level."""


def train(out: Path) -> None:
    """Write the weights to `out`."""
    torch.manual_seed(0)
    data = training()
    points, strides = grid(HEIGHT, WIDTH)
    images = torch.from_numpy(np.stack([image for image, _ in data.samples])).permute(0, 3, 1, 2)
    pairs = [targets(boxes, points.T.numpy(), strides[0].numpy()) for _, boxes in data.samples]
    labels, sides = (torch.from_numpy(np.stack(column)) for column in zip(*pairs, strict=True))
    model = Yolo()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, STEPS)
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        chosen = torch.from_numpy(random.integers(0, len(images), BATCH))
        maps = model(images[chosen].float() / 255)
        rows = torch.cat([each.flatten(2) for each in maps], 2).transpose(1, 2)
        value = loss(rows, labels[chosen], sides[chosen].float())
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    save_file(model.state_dict(), out)


def targets(boxes: np.ndarray, points: np.ndarray, strides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class int64 [A] of each cell, -1 for none and -2 for either; and distances [A, 4] to the sides, in strides."""
    labels, sides = np.full(len(points), -1), np.zeros((len(points), 4))
    for label, x1, y1, x2, y2 in boxes:
        level = strides == (16 if max(x2 - x1, y2 - y1) >= LARGE else 8)
        off = np.abs(points - np.array([x1 + x2, y1 + y2]) / 2 / strides[:, None]).max(axis=1)
        own = level & (off <= 0.5 + 0.25)
        near = level & ~own & (off <= 1.25) & (labels < 0)
        labels[near], labels[own] = -2, int(label)
        low, high = points - np.array([[x1, y1]]) / strides[:, None], np.array([[x2, y2]]) / strides[:, None] - points
        sides[own] = np.concatenate([low, high], axis=1)[own]
    return labels, sides


def loss(rows: Tensor, labels: Tensor, sides: Tensor) -> Tensor:
    """Distribution focal loss and overlap of positives, cross-entropy of the classes of all cells."""
    positive = labels >= 0
    count = positive.sum().clamp(min=1)
    wanted = functional.one_hot(labels.clamp(min=0), CLASSES).float() * positive[..., None]
    entropy = functional.binary_cross_entropy_with_logits(rows[..., 4 * BINS :], wanted, reduction="none")
    scores = (entropy * (labels != -2)[..., None]).sum() / count
    bins = rows[positive][:, : 4 * BINS].reshape(-1, 4, BINS)
    target = sides[positive].clamp(0, BINS - 1.01)
    lower = target.floor().long()
    share = target - lower
    logarithms = bins.log_softmax(2)
    one, other = (logarithms.gather(2, (lower + step)[..., None])[..., 0] for step in (0, 1))
    distribution = -((1 - share) * one + share * other).mean(1).sum() / count
    distances = bins.softmax(2) @ torch.arange(BINS, dtype=torch.float32)
    shared = torch.minimum(distances, target)
    inner = (shared[:, 0] + shared[:, 2]) * (shared[:, 1] + shared[:, 3])
    areas = [(each[:, 0] + each[:, 2]) * (each[:, 1] + each[:, 3]) for each in (distances, target)]
    overlap = (1 - inner / (areas[0] + areas[1] - inner)).sum() / count
    return scores + 0.5 * distribution + 2 * overlap


if __name__ == "__main__":
    import sys

    train(Path(sys.argv[1]))
