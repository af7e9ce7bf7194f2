"""Domain of an input: which kind of values a sample has there, and in which range."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.cache import digest_of
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project

Kind = Literal["pictures", "recordings", "spectrograms", "texts", "series"]
"""Kind of the samples of an input, which decides what may happen to them in the field."""
LEVELS = 255
"""Whitest value of a pixel, where the project's `scale` says no other."""


@dataclass(frozen=True)
class InputDomain:
    """One input of a project, as its samples are: raw pixels, samples of sound, token ids, or readings of sensors."""

    name: str
    """Name in `Samples.inputs`."""
    spec: Input
    """Statement of `[inputs]`: `raw_shape` and `raw_dtype` are those of one sample."""
    root: Path
    """Folder of the project: files that the statement names, such as a tokenizer's, are relative to it."""
    task: str = ""
    """Task of the project, such as `forecasting`."""

    @property
    def kind(self) -> Kind | None:
        """Kind of its samples; None where the project does not state it, such as arrays that a function made.

        Shapes alone do not tell: 64 numbers may be a wave, readings of 64 seconds, or a picture in a row.
        """
        if self.spec.preprocess:
            return "pictures"
        if self.spec.signal:
            return None if self.spec.signal.kind == "none" else self.spec.signal.kind
        if self.spec.sounds:
            return "recordings"
        if self.spec.tokenizer:
            return "texts"
        real = self.spec.dtype in ("float16", "float32") and len(self.spec.shape) <= 2
        return "series" if self.forecasts and real else None

    @property
    def evidence(self) -> str:
        """Words on what tells its kind: `as 'audio' states`; empty where it is not known."""
        if self.kind is None:
            return ""
        keys = ("preprocess", "signal", "log_mel", "audio", "tokenizer")
        key = next((key for key in keys if getattr(self.spec, key) is not None), None)
        return f"as '{key}' states" if key else f"as the task is {self.task}"

    @property
    def identity(self) -> str:
        """Text that changes with what perturbations know of it."""
        signal = self.spec.signal.model_dump(mode="json") if self.spec.signal else None
        return digest_of([self.kind, self.white, self.rate, self.hop, self.task, signal])

    @property
    def forecasts(self) -> bool:
        """True if answers go on where a sample ends."""
        return self.task == "forecasting"

    @property
    def rate(self) -> int | None:
        """Samples a second of recordings; None where the project does not state it."""
        settings = self.spec.audio_settings
        stated = self.spec.signal.rate if self.spec.signal else None
        return int(settings["rate"]) if settings else self.spec.log_mel.rate if self.spec.log_mel else stated

    @property
    def hop(self) -> int | None:
        """Hop of the frames of recordings, in samples; None where the project states none."""
        return self.spec.log_mel.hop if self.spec.log_mel else None

    @property
    def white(self) -> int:
        """Whitest value of a pixel: 255, or where `scale` makes fewer levels 1, as of 16 levels, their number."""
        scale = self.spec.preprocess.scale if self.spec.preprocess else 1.0
        levels = round(1 / scale)
        return levels if 1 < levels < LEVELS and abs(levels * scale - 1) < 1e-6 else LEVELS


def input_domains(project: Project) -> tuple[InputDomain, ...]:
    """Domains of the inputs of a project, in order, without masks.

    The task tells of the first one alone: further inputs are no signal unless the project says so.
    """
    masks = {spec.mask for spec in project.inputs.values()}
    first = next(iter(project.inputs))
    return tuple(
        InputDomain(name, spec, project.root, project.model.task if name == first or spec.tokenizer else "")
        for name, spec in project.inputs.items()
        if name not in masks
    )
