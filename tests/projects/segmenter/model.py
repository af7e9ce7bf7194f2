"""Portrait segmenter in small: encoder, decoder and the ways across (Ronneberger et al. 2015). Logits [N, 2, H, W]."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate

WEIGHTS = Path(__file__).with_name("weights.safetensors")


def block(channels_in: int, channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
    )


class Segmenter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.middle = block(3, 12), block(12, 24, 2)
        self.quarter = nn.Sequential(block(24, 48, 2), block(48, 48))
        self.up_half, self.up_full = block(48 + 24, 24), block(24 + 12, 12)
        self.head = nn.Conv2d(12, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        full = self.stem(image)
        half = self.middle(full)
        deep = interpolate(self.quarter(half), scale_factor=2.0)
        deep = interpolate(self.up_half(torch.cat([deep, half], 1)), scale_factor=2.0)
        logits: Tensor = self.head(self.up_full(torch.cat([deep, full], 1)))
        return logits


def segmenter() -> nn.Module:
    model = Segmenter()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
