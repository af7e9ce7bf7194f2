"""Domain of an input: which kind of values a sample has there, and in which range."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.specs.inputs import Input
from edgekit.specs.project import Project

Kind = Literal["pictures", "recordings", "texts", "series"]
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

    @property
    def kind(self) -> Kind | None:
        """Kind of its samples; None where the project does not state it, such as arrays that a function made."""
        if self.spec.preprocess:
            return "pictures"
        if self.spec.sounds:
            return "recordings"
        if self.spec.tokenizer:
            return "texts"
        if self.spec.preprocess_function or self.spec.dtype in ("bool", "uint8", "int32", "int64"):
            return None
        return "series" if len(self.spec.shape) <= 2 else None

    @property
    def white(self) -> int:
        """Whitest value of a pixel: 255, or where `scale` makes fewer levels 1, as of 16 levels, their number."""
        scale = self.spec.preprocess.scale if self.spec.preprocess else 1.0
        levels = round(1 / scale)
        return levels if 1 < levels < LEVELS and abs(levels * scale - 1) < 1e-6 else LEVELS


def input_domains(project: Project) -> tuple[InputDomain, ...]:
    """Domains of all inputs of a project, in order."""
    return tuple(InputDomain(name, spec, project.root) for name, spec in project.inputs.items())
