"""A digest of all that a network has learnt."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def weights_digest(network: nn.Module) -> str:
    """SHA-256 over the names, dtypes, shapes and bytes of parameters and buffers, in the order of the state."""
    sha = hashlib.sha256()
    for name, value in network.state_dict().items():
        if not isinstance(value, torch.Tensor):
            continue
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        sha.update(value.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
