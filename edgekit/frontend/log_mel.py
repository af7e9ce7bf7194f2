"""Log-mel spectrogram as a part of the network, in real arithmetic: convolutions with fixed weights, kept in float."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit.specs.log_mel import LogMel

Array = npt.NDArray[np.float64]
FULL_SCALE = 1 << 15
"""Divisor of int16."""
# Slaney's Auditory Toolbox: linear below 1000 Hz, 27 logarithmic steps for a factor of 6.4 above.
LINEAR_HZ, KNEE_HZ, STEP = 200 / 3, 1000.0, math.log(6.4) / 27


class LogMelStage(nn.Module):
    """Raw audio [1, samples] to log-mel [1, mels, frames] or [1, 1, mels, frames].

    The name of its part tells every quantizer to leave it in float (`passes/module_patterns.FLOAT_PART`).
    """

    def __init__(self, spec: LogMel, rank: int) -> None:
        super().__init__()
        self.edgekit_spectrum = Spectrum(spec, rank)

    def forward(self, audio: Tensor) -> Tensor:
        features: Tensor = self.edgekit_spectrum(audio)
        return features


class Spectrum(nn.Module):
    """Short-time Fourier transform by two convolutions, cosine and sine, then filters by a matrix, and a logarithm."""

    def __init__(self, spec: LogMel, rank: int) -> None:
        super().__init__()
        self.spec, self.rank = spec, rank
        self.cosine: Tensor
        self.sine: Tensor
        self.filters: Tensor
        cosine, sine = fourier(spec)
        # The scale of int16 is in the weights; bins that no filter reads are not computed.
        filters = mel_filters(spec)
        read = np.flatnonzero(filters.any(0))
        span = slice(int(read[0]), int(read[-1]) + 1)
        full = 1 / FULL_SCALE if spec.raw_dtype == "int16" else 1.0
        self.register_buffer("cosine", torch.from_numpy(cosine[span] * full).float()[:, None])
        self.register_buffer("sine", torch.from_numpy(sine[span] * full).float()[:, None])
        self.register_buffer("filters", torch.from_numpy(filters[:, span]).float()[..., None])

        unit = 1 / math.log(10) if spec.log == "log10" else 1.0
        # Tensors: quantizers make constants of their own of plain numbers, outside the part that stays in float.
        self.gain: Tensor
        self.offset: Tensor
        self.register_buffer("gain", torch.full((1, 1, 1), unit / spec.std))
        self.register_buffer("offset", torch.full((1, 1, 1), -spec.mean / spec.std))

    def forward(self, audio: Tensor) -> Tensor:
        samples = audio.float().unsqueeze(1)
        real = F.conv1d(samples, self.cosine, stride=self.spec.hop)
        imaginary = F.conv1d(samples, self.sine, stride=self.spec.hop)
        energy = real * real + imaginary * imaginary
        bands = F.conv1d(energy if self.spec.power == 2 else energy.sqrt(), self.filters)
        if self.spec.log != "none":
            bands = bands.clamp(min=self.spec.floor).log()
        features = bands * self.gain + self.offset
        return features.unsqueeze(1) if self.rank == 3 else features


def fourier(spec: LogMel) -> tuple[Array, Array]:
    """Matrices of windowed cosines and sines, float64 [fft // 2 + 1, frame]."""
    # Angles by whole numbers: large products of floats lose digits. Zeros on the left of a frame would turn the phase
    # alone, which the power does not have.
    turns = np.outer(np.arange(spec.transform // 2 + 1), np.arange(spec.frame)) % spec.transform
    angles, shape = 2 * np.pi * turns / spec.transform, window(spec.window, spec.frame)
    return np.cos(angles) * shape, -np.sin(angles) * shape


def window(name: str, length: int) -> Array:
    """Periodic window, float64 [length]."""
    if name == "rectangular":
        return np.ones(length)
    mid = 0.5 if name == "hann" else 0.54
    shape: Array = mid - (1 - mid) * np.cos(2 * np.pi * np.arange(length) / length)
    return shape


def mel_filters(spec: LogMel) -> Array:
    """Triangular filters, float64 [mels, fft // 2 + 1], as torchaudio's `melscale_fbanks` and librosa define them."""
    ends = np.linspace(_mel(spec.low, spec.scale), _mel(spec.highest, spec.scale), spec.mels + 2)
    corners = np.array([_hertz(end, spec.scale) for end in ends])
    bins = np.arange(spec.transform // 2 + 1) * spec.rate / spec.transform
    rising = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    filters: Array = np.maximum(0, np.minimum(rising, falling))
    if spec.norm == "slaney":
        filters *= (2 / (corners[2:] - corners[:-2]))[:, None]
    return filters


def _mel(hertz: float, scale: str) -> float:
    if scale == "htk":
        return 2595 * math.log10(1 + hertz / 700)
    return hertz / LINEAR_HZ if hertz < KNEE_HZ else KNEE_HZ / LINEAR_HZ + math.log(hertz / KNEE_HZ) / STEP


def _hertz(mel: float, scale: str) -> float:
    if scale == "htk":
        return float(700 * (10 ** (mel / 2595) - 1))
    knee = KNEE_HZ / LINEAR_HZ
    return mel * LINEAR_HZ if mel < knee else KNEE_HZ * math.exp(STEP * (mel - knee))
