"""Training of the projects of this folder: Adam over batches of a whole set in memory, with a fixed seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

Loss = Callable[[Sequence[Tensor], Tensor], Tensor]
"""Loss of inputs and labels of a batch."""


def fit(model: nn.Module, loss: Loss, columns: Sequence[np.ndarray], out: Path, steps: int, batch: int = 64) -> None:
    """Train `model` and write its weights to `out`. columns: arrays [N, …] of the inputs, and of the labels last."""
    tensors = [torch.from_numpy(column) for column in columns]
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, steps)
    random = np.random.default_rng(0)
    torch.set_num_threads(1)  # the networks are too small for more
    model.train()
    for _ in range(steps):
        chosen = torch.from_numpy(random.integers(0, len(tensors[-1]), batch))
        *inputs, labels = (column[chosen] for column in tensors)
        value = loss(inputs, labels)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    save_file(model.state_dict(), out)
