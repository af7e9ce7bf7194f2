"""Networks whose answer is an image: U-Net, super-resolution, autoencoder, a step of diffusion."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import noisy_photographs, photographs


class Double(nn.Sequential):
    """Two convolutions with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
        )  # fmt: skip


class UNet(nn.Module):
    """Two levels down and up by bilinear interpolation, with concatenations."""

    def __init__(self, aligned: bool) -> None:
        super().__init__()
        self.first, self.second, self.third = Double(3, 16), Double(16, 32), Double(32, 64)
        self.up, self.top, self.last = Double(64 + 32, 32), Double(32 + 16, 16), nn.Conv2d(16, 3, 1)
        self.pool, self.large = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="bilinear", align_corners=aligned)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(self.pool(first))
        y = self.up(torch.cat([self.large(self.third(self.pool(second))), second], 1))
        return self.last(self.top(torch.cat([self.large(y), first], 1)))


class SuperResolution(nn.Module):
    """Convolutions, pixel shuffle, and the image itself enlarged."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 12, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image) + interpolate(image, scale_factor=2.0)


class Autoencoder(nn.Module):
    """Convolutions to a vector of 128, and nearest-neighbour enlargement back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, 128),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(128, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)), nn.Upsample(scale_factor=2),
            nn.Conv2d(32, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(16, 3, 3, padding=1),
            nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        return self.decoder(self.encoder(image))


class Timed(nn.Module):
    """Residual block with group norm and SiLU, to whose middle an embedding of time is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.time = nn.Linear(64, width)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        y = self.conv1(silu(self.norm1(x))) + self.time(silu(time))[:, :, None, None]
        return x + self.conv2(silu(self.norm2(y)))


class DiffusionStep(nn.Module):
    """Noise in an image, by its time: sinusoids of time, residual blocks, attention at the coarse level."""

    frequencies: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, math.log(1000), 16))[None])
        self.embed = nn.Sequential(nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 64))
        self.enter, self.fine, self.down = nn.Conv2d(3, 32, 3, padding=1), Timed(32), nn.Conv2d(32, 32, 3, 2, 1)
        self.coarse, self.attend = Timed(32), nn.MultiheadAttention(32, 4, batch_first=True)
        self.up, self.last, self.leave = nn.Upsample(scale_factor=2), Timed(32), nn.Conv2d(32, 3, 3, padding=1)

    def forward(self, image: Tensor, time: Tensor) -> Tensor:
        angles = time * self.frequencies
        embedded = self.embed(torch.cat([angles.sin(), angles.cos()], 1))
        fine = self.fine(self.enter(image), embedded)
        coarse = self.coarse(self.down(fine), embedded)
        cells = coarse.flatten(2).transpose(1, 2)
        cells = cells + self.attend(cells, cells, cells, need_weights=False)[0]
        coarse = cells.transpose(1, 2).reshape(coarse.shape)
        return self.leave(silu(self.last(fine + self.up(coarse), embedded)))


ARCHITECTURES = (
    Architecture("unet-aligned", "width 16 to 64, align_corners, 32 × 32", lambda: UNet(True), photographs(32)),
    Architecture("unet-unaligned", "width 16 to 64, no align_corners, 32 × 32", lambda: UNet(False), photographs(32)),
    Architecture(
        "super-resolution", "3 convolutions of 32, × 2, pixel shuffle", SuperResolution, photographs(16, "enlarged"),
        "super-resolution", 200,
    ),
    Architecture("autoencoder", "16 × 16 to 128 numbers", Autoencoder, photographs(16, "same"), "denoising", 200),
    Architecture("diffusion-step", "width 32, two levels, 16 × 16", DiffusionStep, noisy_photographs(16)),
)  # fmt: skip
