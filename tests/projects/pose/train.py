"""Train the keypoint network: each heatmap is a small hill around its keypoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from tests.projects.pose.data import SIDE, training
from tests.projects.pose.model import Pose

STEPS, BATCH, CELL, WIDTH = 700, 32, 4, 0.7
"""Steps and batch, pixels of a cell, and standard deviation of a hill in cells."""


def train(out: Path) -> None:
    """Write the weights to `out`."""
    torch.manual_seed(0)
    data = training()
    images = torch.from_numpy(np.stack([image for image, _ in data.samples])).permute(0, 3, 1, 2)
    points = np.stack([label for _, label in data.samples])
    hills = torch.from_numpy(heatmaps(points)).float()
    model = Pose()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, STEPS)
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        chosen = torch.from_numpy(random.integers(0, len(images), BATCH))
        logits = model((images[chosen].float() / 255 - 0.4) / 0.25)
        weight = 1 + 20 * hills[chosen]
        loss = functional.binary_cross_entropy_with_logits(logits, hills[chosen], weight)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    save_file(model.state_dict(), out)


def heatmaps(points: np.ndarray) -> np.ndarray:
    """Hills [N, 7, 16, 16] of keypoints [N, 7, 3]; none where one is not visible."""
    centres = np.arange(SIDE // CELL) + 0.5
    x, y = (np.exp(-(((points[..., axis, None] / CELL - centres) / WIDTH) ** 2) / 2) for axis in (0, 1))
    return np.asarray(y[..., :, None] * x[..., None, :] * (points[..., 2] > 0)[..., None, None])


if __name__ == "__main__":
    import sys

    train(Path(sys.argv[1]))
