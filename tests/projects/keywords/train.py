"""Train the keyword spotter: cross-entropy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.projects.fitting import fit
from tests.projects.keywords.data import training
from tests.projects.keywords.model import Keywords

if __name__ == "__main__":
    torch.manual_seed(0)
    sounds, labels = (np.stack(column) for column in zip(*training(), strict=True))
    model = Keywords()

    def loss(inputs: Sequence[Tensor], classes: Tensor) -> Tensor:
        return cross_entropy(model(inputs[0]), classes)

    fit(model, loss, [sounds, labels], Path(sys.argv[1]), 600)
