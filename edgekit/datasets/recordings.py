"""Read WAV files as samples with their rate, by the standard library: whole PCM of 8, 16, 24 or 32 bits."""

from __future__ import annotations

import io
import struct
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgekit.errors import RecordingError
from edgekit.ir.measurement import Array
from edgekit.runner.processing.audio import LONGEST

SUFFIXES = frozenset({".wav"})
EXTENSIBLE = 0xFFFE
"""Code of the format WAVE_FORMAT_EXTENSIBLE, which has its real one 24 bytes on (Microsoft, mmreg.h)."""
TYPES = {1: "|u1", 2: "<i2", 4: "<i4"}
"""Types of samples by their bytes; 24 bits are apart."""
EMPTY = "record it anew, or leave it out"
CONVERT = "convert it to 16 bits: ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav"


@dataclass(frozen=True)
class SoundRecording:
    """Samples of one file, and their rate. numpy converts it to its samples."""

    pcm: Array
    """Samples [samples, channels]: uint8, int16, or int32 for 24 and 32 bits."""
    rate: int
    """Samples a second."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.pcm, dtype) if copy else np.asarray(self.pcm, dtype)


def read_recording(file: Path | IO[bytes], where: str) -> SoundRecording:
    """Read a WAV file; `where` names it in errors. Raises RecordingError unless it is whole PCM, not too long."""
    try:
        content = file.read_bytes() if isinstance(file, Path) else file.read()
        with wave.open(io.BytesIO(_plain(content))) as source:
            frames, channels, width = source.getnframes(), source.getnchannels(), source.getsampwidth()
            if frames * channels > LONGEST:
                raise RecordingError(f"{where} has more than {LONGEST >> 20} million samples", hint="cut it into parts")
            raw = source.readframes(frames)
            rate = source.getframerate()
    except (wave.Error, EOFError, OSError, ValueError, struct.error, RuntimeError) as error:
        raise RecordingError(
            f"{where} cannot be read as WAV: {str(error) or 'it ends too early'}", hint=CONVERT
        ) from error
    if width not in (3, *TYPES):
        raise RecordingError(f"{where} has samples of {8 * width} bits", hint=CONVERT)
    if not raw and rate > 0:
        raise RecordingError(f"{where} holds no sound: 0 samples at {rate} Hz", hint=EMPTY)
    if not raw or len(raw) % (channels * width) or not 0 < rate <= 1 << 20:
        raise RecordingError(f"{where} holds no whole recording: {len(raw)} bytes at {rate} Hz", hint=CONVERT)
    return SoundRecording(_samples(raw, width).reshape(-1, channels), rate)


def _plain(content: bytes) -> bytes:
    """The file with the plain code of PCM where it has the extensible one, which older standard libraries refuse."""
    at = content.find(b"fmt ", 12, 4096)
    if at < 0 or len(content) < at + 34 or struct.unpack_from("<H", content, at + 8) != (EXTENSIBLE,):
        return content
    (real,) = struct.unpack_from("<H", content, at + 32)
    return content[: at + 8] + struct.pack("<H", real) + content[at + 10 :]


def _samples(raw: bytes, width: int) -> Array:
    if width == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.int32)
    stored = np.frombuffer(raw, np.dtype(TYPES[width]))
    native: Array = stored.astype(stored.dtype.newbyteorder("="))
    return native
