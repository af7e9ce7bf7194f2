"""Train the siamese network: cross-entropy of ten times the cosine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity

from tests.projects.fitting import fit
from tests.projects.siamese.data import training
from tests.projects.siamese.model import Siamese

if __name__ == "__main__":
    torch.manual_seed(0)
    samples, model = training(), Siamese()
    columns = [np.stack([inputs[name] for inputs, _ in samples]) for name in ("left", "right")]

    def loss(inputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(10 * cosine_similarity(*model(*inputs)) - 5, labels)

    fit(model, loss, [*columns, np.array([label for _, label in samples], np.float32)], Path(sys.argv[1]), 800)
