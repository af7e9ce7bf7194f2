"""Train the sentence encoder: cross-entropy of the cosines with one centre a description."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from tests.projects.fitting import fit
from tests.projects.sentences.data import LENGTH, NAMES, training
from tests.projects.sentences.model import WIDTH, Sentences

if __name__ == "__main__":
    torch.manual_seed(0)
    samples, model = training(), Sentences()
    lengths = np.array([len(inputs["tokens"]) for inputs, _ in samples])
    tokens = np.stack([np.pad(inputs["tokens"], (0, LENGTH - len(inputs["tokens"]))) for inputs, _ in samples])
    mask = (np.arange(LENGTH) < lengths[:, None]).astype(np.float32)
    centres = torch.linalg.qr(torch.randn(WIDTH, len(NAMES)))[0].T

    def loss(inputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        return cross_entropy(10 * normalize(model(*inputs)) @ centres.T, labels)

    fit(model, loss, [tokens, mask, np.array([label for _, label in samples])], Path(sys.argv[1]), 200, 48)
