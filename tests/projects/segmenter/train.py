"""Train the segmenter: cross-entropy of the pixels."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.projects.fitting import fit
from tests.projects.segmenter.data import training
from tests.projects.segmenter.model import Segmenter

if __name__ == "__main__":
    torch.manual_seed(0)
    images, masks = (np.stack(column) for column in zip(*training(), strict=True))
    model = Segmenter()

    def loss(inputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        return cross_entropy(model((inputs[0] / 255 - 0.5) / 0.25), labels)

    fit(
        model,
        loss,
        [images.transpose(0, 3, 1, 2).astype(np.float32), masks.astype(np.int64)],
        Path(sys.argv[1]),
        400,
        32,
    )
