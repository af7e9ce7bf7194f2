"""Train the face detector: MultiBox loss (Liu et al. 2016), a minute or two on one core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from edgekit.tasks.boxes import corners, iou
from edgekit.tasks.decoders.ssd import Ssd
from tests.projects.face.data import HEIGHT, WIDTH, training
from tests.projects.face.model import Face

DECODER = Ssd(strides=(8, 16), sizes=((12, 20), (30, 44)))
STEPS, BATCH = 800, 24


def train(out: Path) -> None:
    """Write the weights to `out`."""
    torch.manual_seed(0)
    data, priors = training(), DECODER.priors((HEIGHT, WIDTH))
    images = torch.from_numpy(np.stack([image for image, _ in data.samples])).permute(0, 3, 1, 2)
    pairs = [targets(boxes[:, 1:], priors) for _, boxes in data.samples]
    labels, offsets = (torch.from_numpy(np.stack(column)) for column in zip(*pairs, strict=True))
    model = Face()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, STEPS)
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        chosen = torch.from_numpy(random.integers(0, len(images), BATCH))
        logits, boxes = model.raw((images[chosen].float() / 255 - 0.5) / 0.25)
        value = loss(logits, boxes, labels[chosen], offsets[chosen].float())
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    save_file(model.state_dict(), out)


def targets(boxes: np.ndarray, priors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label int64 [A] of each prior: 1 for a face, 0 for none, -1 for neither; and its offsets [A, 4]."""
    labels, offsets = np.zeros(len(priors), np.int64), np.zeros((len(priors), 4))
    if not len(boxes):
        return labels, offsets
    overlaps = iou(corners(priors, "cxcywh"), boxes)
    labels[overlaps.max(axis=1) > 0.3] = -1
    labels[overlaps.max(axis=1) > 0.45] = 1
    own = overlaps.argmax(axis=1)
    best = overlaps.argmax(axis=0)
    labels[best], own[best] = 1, np.arange(len(boxes))
    centres, sides = (boxes[own, :2] + boxes[own, 2:]) / 2, boxes[own, 2:] - boxes[own, :2]
    offsets[:, :2] = (centres - priors[:, :2]) / priors[:, 2:] / 0.1
    offsets[:, 2:] = np.log(sides / priors[:, 2:]) / 0.2
    return labels, offsets


def loss(logits: Tensor, boxes: Tensor, labels: Tensor, offsets: Tensor) -> Tensor:
    """Smooth L1 of offsets, and cross-entropy of all positives and of the three hardest negatives for each."""
    positive, entropy = (
        labels == 1,
        functional.cross_entropy(logits.transpose(1, 2), labels.clamp(min=0), reduction="none"),
    )
    count = positive.sum()
    negatives = entropy[labels == 0]
    hard = negatives.topk(min(int(3 * count) + 16, len(negatives))).values
    place = functional.smooth_l1_loss(boxes[positive], offsets[positive], reduction="sum")
    return (place + entropy[positive].sum() + hard.sum()) / count.clamp(min=1)


if __name__ == "__main__":
    import sys

    train(Path(sys.argv[1]))
