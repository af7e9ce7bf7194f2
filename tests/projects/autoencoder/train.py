"""Train the autoencoder: its own output, on scans without damage."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.projects.autoencoder.data import training
from tests.projects.autoencoder.model import Autoencoder
from tests.projects.fitting import fit

if __name__ == "__main__":
    torch.manual_seed(0)
    scans, labels = (np.stack(column) for column in zip(*training(), strict=True))
    model = Autoencoder()

    def loss(inputs: Sequence[Tensor], _: Tensor) -> Tensor:
        errors: Tensor = model(inputs[0])
        return errors.mean()

    fit(model, loss, [scans, labels], Path(sys.argv[1]), 1500)
