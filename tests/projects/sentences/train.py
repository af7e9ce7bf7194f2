"""Train the sentence encoder: of the runs of a batch, each has to find the other run of its passage (InfoNCE)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.projects.fitting import fit
from tests.projects.sentences.data import LENGTH, PASSAGE, run, words
from tests.projects.sentences.model import Sentences

PAIRS, STEPS, BATCH, SHARPNESS = 8_000, 300, 96, 16.0

if __name__ == "__main__":
    torch.manual_seed(0)
    text, random, model = words(False), np.random.default_rng(0), Sentences()
    starts = random.integers(0, len(text) - PASSAGE + 1, PAIRS)
    tokens, mask = np.zeros((PAIRS, 2, LENGTH), np.int64), np.zeros((PAIRS, 2, LENGTH), np.float32)
    for place, start in enumerate(starts):
        for side in range(2):
            drawn = run(text[start : start + PASSAGE], random)
            tokens[place, side, : len(drawn)], mask[place, side, : len(drawn)] = drawn, 1

    def loss(inputs: Sequence[Tensor], own: Tensor) -> Tensor:
        first, second = model(*(each.flatten(0, 1) for each in inputs)).unflatten(0, (-1, 2)).unbind(1)
        # Passages that overlap are no others.
        near = ((own[:, None] - own).abs() < PASSAGE) & ~torch.eye(len(own), dtype=torch.bool)
        scores = (SHARPNESS * first @ second.T).masked_fill(near, -1e4)
        target = torch.arange(len(own))
        return cross_entropy(scores, target) + cross_entropy(scores.T, target)

    fit(model, loss, [tokens, mask, starts], Path(sys.argv[1]), STEPS, BATCH)
