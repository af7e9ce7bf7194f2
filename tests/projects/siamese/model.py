"""Siamese network: one tower for two scans [N, 1, 8, 8], and their two embeddings [N, 16]."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(
            nn.Conv2d(1, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 16, 64), nn.ReLU(), nn.Linear(64, 16),
        )  # fmt: skip

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        return self.tower(left), self.tower(right)


def siamese() -> nn.Module:
    model = Siamese()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
