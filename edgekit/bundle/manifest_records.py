"""Parts of a manifest: files, golden vectors, facts, passes, data, and what is done to each input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator

from edgekit.ir.artifact import Artifact
from edgekit.ir.program import PassRecord
from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.array_function import parse_function
from edgekit.runner.processing.audio import check_audio
from edgekit.runner.processing.geometry import check_steps, words
from edgekit.specs.spec import Spec
from edgekit.untrusted.paths import is_inside

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Option = tuple[str, str]
Role = Literal["calibration", "evaluation", "training"]


class ManifestRecord(Spec):
    """A part of the manifest. The plain dataclasses in it are checked as strictly: no unknown key, no NaN."""

    model_config = ConfigDict(allow_inf_nan=False, revalidate_instances="always")


class BundleFile(ManifestRecord):
    """One file of the bundle: path, size in bytes and SHA-256, in hex."""

    path: str
    bytes: Count
    sha256: Sha256

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if not is_inside(path):
            raise ValueError(f"{path!r} is no plain relative path")
        return path


class Golden(ManifestRecord):
    """Golden vectors, which the device must reproduce before a commit."""

    count: int = Field(gt=0)
    """Samples in every file under `golden/`."""
    tolerance: float = Field(ge=0)
    """Largest allowed difference, as a share of (max - min) of the golden output."""


class Acceleration(ManifestRecord):
    """Accelerators that the device measures beside its CPU when the bundle is tried, and the gates they must pass."""

    kinds: tuple[Text, ...] = Field(min_length=1)
    """Kinds that the target has and that run a file of this format, the preferred one first."""
    share: Share | None = None
    """Least share of the operators that an accelerator must run itself; None for any."""
    slower: float | None = Field(default=1.0, gt=0)
    """Largest ratio of its median time to the CPU's; None for any."""
    prefer: Literal["latency", "energy"] = "latency"
    """Figure of an inference that the best of them has least of. Absent from the file if it is latency."""


class ArtifactFacts(ManifestRecord):
    """Facts that were read off the artifact; shares are of weights, of MACs and of work."""

    size_bytes: Count
    float_size_bytes: Count
    integer_share: Share
    integer_macs_share: Share
    delegated_share: Share
    fallback_share: Share
    macs: Count
    placement_basis: Text
    """Basis of the placement, and of every share but the first: measured, or by which rules."""

    @classmethod
    def of(cls, artifact: Artifact, float_size_bytes: int) -> ArtifactFacts:
        return cls(
            size_bytes=artifact.size_bytes,
            float_size_bytes=float_size_bytes,
            integer_share=artifact.integer,
            integer_macs_share=artifact.integer_macs,
            delegated_share=artifact.placement.delegated,
            fallback_share=artifact.placement.fallback,
            macs=artifact.macs,
            placement_basis=artifact.basis,
        )


class PassStep(ManifestRecord):
    """One pass that the program went through. Its seconds are left out: they are not reproducible."""

    name: Text
    options: tuple[Option, ...]
    sqnr_db: float | None
    """Signal to quantization noise of the pass, in dB; None if the outputs stayed equal: the ratio is infinite."""

    @classmethod
    def of(cls, record: PassRecord) -> PassStep:
        sqnr_db = None if record.sqnr_db == math.inf else record.sqnr_db
        return cls(name=record.name, options=record.options, sqnr_db=sqnr_db)


class DataProvenance(ManifestRecord):
    """A data set that the model was made or measured with, and its terms."""

    role: Role
    licence: str
    source: str
    samples: Count | None
    sha256: Sha256 | None


class InputProcessing(ManifestRecord):
    """Steps from a picture of any size to an input of the artifact, in the order and form of `runner/processing`."""

    steps: tuple[dict[str, Any], ...] = Field(min_length=1)
    channels: Literal[1, 3]
    """Channels of the picture."""
    golden: Sha256
    """Digest of what the steps make of fixed patterns; a device that gets another fails its self-test."""

    @field_validator("steps")
    @classmethod
    def _known(cls, steps: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        try:
            check_steps(list(steps))
        except RunnerError as error:
            raise ValueError(str(error)) from error
        return steps

    @property
    def words(self) -> str:
        """Steps for people, in one line."""
        colours = "red, green and blue" if self.channels == 3 else "grey"
        return f"pictures of any size, upright as EXIF says, {colours}; {words(self.steps)}"


class InputFunction(ManifestRecord):
    """Function that makes a raw sample an input of the artifact: text, which devices evaluate and never execute."""

    function: Text
    """Source of the function, as `runner/processing/array_function` takes it."""
    raw: tuple[str, ...] = Field(min_length=1)
    """Paths of raw samples, `golden/raw/NAME.I.npy`: the function makes the golden input I of each."""

    @field_validator("function")
    @classmethod
    def _known(cls, function: str) -> str:
        try:
            parse_function(function)
        except RunnerError as error:
            raise ValueError(str(error)) from error
        return function

    @property
    def words(self) -> str:
        """The function's kind for people: its text is in the manifest."""
        return "a function of the project, evaluated alike on host and device"


class InputAudio(ManifestRecord):
    """Settings by which a recording becomes an input of the artifact, in the form of `runner/processing/audio`."""

    audio: dict[str, Any]
    golden: Sha256
    """Digest of what a fixed pattern becomes; a device that gets another fails its self-test."""

    @field_validator("audio")
    @classmethod
    def _known(cls, audio: dict[str, Any]) -> dict[str, Any]:
        try:
            check_audio(audio)
        except RunnerError as error:
            raise ValueError(str(error)) from error
        return audio

    @property
    def words(self) -> str:
        """Settings for people, in one line."""
        settings = self.audio
        channel = "the mean of the channels" if settings["channel"] is None else f"channel {settings['channel']}"
        return f"recordings, {channel}, resampled from {settings['from']} to {settings['rate']} samples a second"


class InputTokenizer(ManifestRecord):
    """Tokenizer that the token ids of an input come from: a file of the bundle, whose digest is among its files."""

    path: Text
    size: int = Field(gt=0)
    """Number of token ids."""
    golden: Mapping[str, tuple[Count, ...]]
    """Token ids of some texts, special tokens included: what an application's own tokenizer must give."""
