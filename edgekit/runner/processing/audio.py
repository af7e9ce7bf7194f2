"""Processing of audio: channels to one, samples of any dtype and rate to those of the model, and their number.

Settings, as the manifest of a bundle has them under `processing`:

    {"rate": 16000, "from": 48000, "channel": null, "samples": 15920, "fit": "start", "dtype": "int16"}
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import RunnerError
from .resample import Array, ratio, resample

LONGEST = 1 << 26
"""Most samples of a recording, over all channels."""
FITS = ("exact", "start", "centre")
KEYS = frozenset({"rate", "from", "channel", "samples", "fit", "dtype"})
SCALES = {"int16": 1.0, "int32": 1 / 65536, "float32": 32768.0, "float64": 32768.0}
"""Factors from a dtype to the scale of int16, all powers of two."""
PATTERN = 4001
"""Samples of the pattern of the golden digest."""


def process_audio(settings: Mapping[str, Any], pcm: Array, rate: int | None = None) -> Array:
    """Make a recording the input: int16 or float32 [samples], within -1 to 1 if real.

    pcm: [samples] or [samples, channels], uint8 (128 is silence), int16, int32, float32 or float64. rate: samples a
    second, where it is not the stated one. Raises RunnerError (data) for another array, or a length that does not fit.
    """
    mono = _mono(pcm, settings["channel"])
    wave = resample(mono, settings["from"] if rate is None else rate, settings["rate"])
    wave = _fitted(wave, settings["samples"], settings["fit"])
    if settings["dtype"] == "int16":
        return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)
    return (wave / 32768).astype(np.float32)


def check_audio(settings: Any) -> Mapping[str, Any]:
    """Check settings that a manifest states. Raises RunnerError (data) for others than this runner knows."""
    known = isinstance(settings, dict) and set(settings) == KEYS and settings["fit"] in FITS
    known = known and settings["dtype"] in ("int16", "float32")
    numbers = [settings[key] for key in ("rate", "from")] if known else []
    numbers += [settings[key] for key in ("samples",) if known and settings[key] is not None]
    channel = settings["channel"] if known else None
    if not known or not all(type(number) is int and 0 < number <= LONGEST for number in numbers):
        raise RunnerError("data", f"the runner knows no processing of audio {str(settings)[:80]}: use a newer edgekit")
    if channel is not None and not (type(channel) is int and 0 <= channel < 64):
        raise RunnerError("data", f"'{str(channel)[:20]}' is no channel")
    ratio(settings["from"], settings["rate"])
    checked: Mapping[str, Any] = settings
    return checked


def audio_digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 of what a fixed pattern of two channels becomes, at the stated rate and at two common ones."""
    sha = hashlib.sha256()
    times = np.arange(PATTERN)
    left = times * 7919 % 65536 - 32768
    right = times * times * 3 % 40000 - 20000
    pcm = np.stack([left, right], axis=1).astype(np.int16)
    whole = {
        **settings,
        "samples": None,
        "channel": None if settings["channel"] is None else min(1, settings["channel"]),
    }
    for rate in (settings["from"], 44100, 48000):
        sha.update(process_audio(whole, pcm, rate).tobytes())
    return sha.hexdigest()


def _mono(pcm: Array, channel: int | None) -> Array:
    """One channel in the scale of int16, float64 [samples]: the stated one, or the mean of all."""
    if pcm.ndim in (1, 2) and not pcm.size:
        raise RunnerError("data", f"audio is empty: it holds no sound, {pcm.dtype}{list(pcm.shape)}")
    if pcm.ndim not in (1, 2) or not 0 < pcm.size <= LONGEST or pcm.dtype.name not in {*SCALES, "uint8"}:
        raise RunnerError(
            "data",
            f"audio is [samples] or [samples, channels] of uint8, int16, int32 or float32, {LONGEST >> 20} million at "
            f"most, not {pcm.dtype}{list(pcm.shape)}",
        )
    if pcm.dtype.kind == "f" and not np.isfinite(pcm).all():
        raise RunnerError("data", "audio holds NaN or infinite values")
    wave = pcm.astype(np.float64)
    wave = (wave - 128) * 256 if pcm.dtype == np.uint8 else wave * SCALES[pcm.dtype.name]
    if wave.ndim == 1:
        return wave
    if channel is None:
        total = np.zeros(len(wave))
        for each in range(wave.shape[1]):  # one after another: the order of a sum over an axis differs
            total += wave[:, each]
        mean: Array = total / wave.shape[1]
        return mean
    if channel >= wave.shape[1]:
        raise RunnerError("data", f"audio has {wave.shape[1]} channels, number {channel} is stated")
    return np.ascontiguousarray(wave[:, channel])


def _fitted(wave: Array, samples: int | None, fit: str) -> Array:
    if samples is None or len(wave) == samples:
        return wave
    if fit == "exact":
        raise RunnerError("data", f"audio has {len(wave)} samples at the rate of the model, it takes {samples}")
    spare = len(wave) - samples
    start = spare // 2 if fit == "centre" else 0
    if spare >= 0:
        return wave[start : start + samples]
    filled = np.zeros(samples)
    before = -spare // 2 if fit == "centre" else 0
    filled[before : before + len(wave)] = wave
    return filled
