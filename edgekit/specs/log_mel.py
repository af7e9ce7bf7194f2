"""Log-mel spectrogram of raw audio, as a part of the graph (`log_mel` of an input in `edgekit.toml`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgekit.specs.lengths import FreeSize, LengthSyntax
from edgekit.specs.spec import Real, Spec, Whole

Positive = Annotated[Whole, Field(gt=0)]
LONGEST = 1 << 12
"""Largest transform, in samples: its matrix has as many rows and columns, and is a part of the artifact."""


class LogMel(Spec):
    """Raw audio to log-mel: windowed frames, power of their Fourier transform, mel filters, logarithm, normalization.

    Frames begin at the first sample, `hop` apart; nothing is padded (Kaldi's snip_edges, `center=False` elsewhere).
    """

    from_: Literal["int16 PCM", "float32 PCM"] = Field(alias="from")
    """int16 is divided by 32768."""
    rate: Positive
    """Samples a second."""
    frame: Positive
    """Length of the window, in samples."""
    hop: Positive
    fft: Positive | None = None
    """Length of the transform, to which frames are filled up with zeros on both sides; `frame` if it is not stated."""
    window: Literal["hann", "hamming", "rectangular"] = "hann"
    """Window, periodic."""
    power: Literal[1, 2] = 2
    """1 takes the magnitude, 2 its square."""
    mels: Positive = 40
    low: Real = Field(default=0.0, ge=0)
    high: Real | None = Field(default=None, gt=0)
    """Ends of the filters in Hz; `high` is half the rate if it is not stated."""
    scale: Literal["htk", "slaney"] = "htk"
    norm: Literal["none", "slaney"] = "none"
    """`slaney` divides each filter by its width in Hz: triangles of one area."""
    log: Literal["natural", "log10", "none"] = "natural"
    floor: Real = Field(default=1e-6, gt=0)
    """Smallest value that the logarithm is taken of."""
    mean: Real = 0.0
    std: Real = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> LogMel:
        if self.transform < self.frame:
            raise ValueError(f"'fft' {self.transform} is shorter than 'frame' {self.frame}")
        if self.transform > LONGEST:
            raise ValueError(
                f"a transform of {self.transform} is longer than {LONGEST}: 'frame' and 'fft' are in samples"
            )
        if not self.low < self.highest <= self.rate / 2:
            raise ValueError(
                f"the filters reach from {self.low:g} to {self.highest:g} Hz; at a rate of {self.rate} there is 0 to "
                f"{self.rate / 2:g}"
            )
        if self.mels > self.transform // 2:
            raise ValueError(f"{self.mels} filters are more than a transform of {self.transform} can tell apart")
        return self

    @property
    def transform(self) -> int:
        """Length of the Fourier transform, in samples."""
        return self.fft or self.frame

    @property
    def highest(self) -> float:
        """Upper end of the filters, in Hz."""
        return self.rate / 2 if self.high is None else self.high

    @property
    def raw_dtype(self) -> Literal["int16", "float32"]:
        return "int16" if self.from_ == "int16 PCM" else "float32"

    def samples(self, frames: int) -> int:
        """Number of raw samples that so many frames take. A transform longer than a frame reads no more."""
        return self.frame + self.hop * (frames - 1)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless `shape` is [mels, frames] or [1, mels, frames], LengthSyntax if frames are free."""
        if len(shape) not in (2, 3) or shape[-2] != self.mels or (len(shape) == 3 and shape[0] != 1):
            raise ValueError(
                f"'log_mel' gives [{self.mels}, frames] or [1, {self.mels}, frames], 'shape' states {list(shape)}"
            )
        if isinstance(shape[-1], FreeSize):
            raise LengthSyntax(
                f"'log_mel' takes audio of one length, 'shape' states '{shape[-1]}' frames",
                hint=f"state the most, and pad the audio: shape = {[*shape[:-1], int(shape[-1])]}",
            )
