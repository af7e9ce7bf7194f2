"""Keyword spotter on raw audio: strided convolutions over 2,048 samples at 4 kHz. Logits [N, 6]."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")


def block(channels_in: int, channels: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels_in, channels, kernel, stride, kernel // 2, bias=False), nn.BatchNorm1d(channels), nn.ReLU()
    )


class Keywords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(block(1, 24, 33, 8), block(24, 32, 9, 4), block(32, 48, 5, 2), block(48, 48, 5, 2))
        self.head = nn.Linear(48, 6)

    def forward(self, audio: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(audio).mean(2))
        return logits


def keywords() -> nn.Module:
    model = Keywords()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
