"""Train the forecaster: mean absolute error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from tests.projects.fitting import fit
from tests.projects.forecaster.data import training
from tests.projects.forecaster.model import Forecaster

if __name__ == "__main__":
    torch.manual_seed(0)
    past, future = (np.stack(column) for column in zip(*training(), strict=True))
    model = Forecaster()

    def loss(inputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        return l1_loss(model(inputs[0]), labels)

    fit(model, loss, [past, future], Path(sys.argv[1]), 1500)
