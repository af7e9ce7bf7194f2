"""Train the tagger: cross-entropy of the words' tags."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.projects.fitting import fit
from tests.projects.tagger.data import LENGTH, training
from tests.projects.tagger.model import Tagger

if __name__ == "__main__":
    torch.manual_seed(0)
    samples, model = training(), Tagger()
    tags = np.stack([np.pad(one, (0, LENGTH - len(one)), constant_values=-100) for _, one in samples])

    def loss(inputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        return cross_entropy(model(inputs[0]).transpose(1, 2), labels)

    fit(model, loss, [np.stack([tokens for tokens, _ in samples]), tags], Path(sys.argv[1]), 500)
