"""Train the super-resolution: mean absolute error of the pixels."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from tests.projects.fitting import fit
from tests.projects.superresolution.data import training
from tests.projects.superresolution.model import SuperResolution

if __name__ == "__main__":
    torch.manual_seed(0)
    small, large = (np.stack(column) for column in zip(*training(), strict=True))
    model = SuperResolution()

    def loss(inputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        return l1_loss(model(inputs[0]), labels)

    fit(model, loss, [small, large], Path(sys.argv[1]), 300, 16)
