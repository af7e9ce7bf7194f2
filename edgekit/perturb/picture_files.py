"""Picture files of samples: what a device has before any preprocessing, where a project states pictures by a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.datasets.pictures import read_picture
from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.perturb.input_domain import LEVELS, InputDomain
from edgekit.runner.processing.steps import process
from edgekit.samples import Samples
from edgekit.specs.project import Project

PIXELS = 400_000_000
"""Most pixels of all files: one core takes 17 million a second, and nine conditions make each anew: four minutes."""

Step = dict[str, Any]


@dataclass(frozen=True)
class PictureFile:
    """One picture file, read as the data set reads it."""

    path: Path
    shape: tuple[int, ...]
    """Shape in which it is read: [height, width, channels], of 0 where any size is taken."""

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @property
    def pixels(self) -> Array:
        """Pixels at the file's own size, uint8 [height, width, channels]. Raises DataError if it cannot be read."""
        return read_picture(self.path, self.shape, f"'{self.path.name}'").pixels


@dataclass(frozen=True)
class PictureFiles:
    """Files of N samples, in their order, and the steps that make them a model's input."""

    name: str
    """Name of the input."""
    files: tuple[PictureFile, ...]
    steps: tuple[Step, ...]
    """Declared preprocessing (`runner/processing/geometry`)."""
    digest: str
    """SHA-256 over the contents of all files."""

    @property
    def colours(self) -> bool:
        return self.files[0].shape[-1] == 3


def picture_files(project: Project, samples: Samples, domain: InputDomain) -> PictureFiles | str:
    """Find the files of evaluation samples, or say why there are none, a clause.

    A file counts if the declared steps still make of it what the samples hold: it is decoded once for that.
    """
    declared, spec = project.data.evaluation, domain.spec
    folder = (project.root / str(declared.path)).resolve() if declared and declared.path else None
    if folder is None or not folder.is_dir() or samples.metadata is None:
        return "the evaluation data are no folder of files"
    if domain.white != LEVELS:
        return f"white is {domain.white}, and that of a file is {LEVELS}"
    sizes = samples.metadata.sizes
    if sizes is None or not np.isfinite(sizes).all():
        return "the sizes of the files are not known"
    if sizes.sum() > PIXELS:
        fewer = max(1, int(PIXELS / sizes.mean()))
        return (
            f"the files have {sizes.sum() / 1e6:,.0f} million pixels, more than {PIXELS / 1e6:,.0f}: perturb "
            f"{counted(fewer, 'sample')} by --set profile.robustness.samples={fewer}"
        )
    files = tuple(PictureFile(folder / each, spec.picture_shape) for each in samples.metadata.ids)
    if not all(file.path.is_file() and folder in file.path.resolve().parents for file in files):
        return "the files do not lie where the names of the samples say"
    digest = _digest(files, samples.inputs[domain.name], spec.steps)
    if digest is None:
        return "the files are no longer those that the samples were made of"
    return PictureFiles(domain.name, files, tuple(dict(step) for step in spec.steps), digest)


def _digest(files: Sequence[PictureFile], inputs: Array, steps: Sequence[Any]) -> str | None:
    """SHA-256 over the files; None if the steps make anything else of one than the sample that is of it."""
    sha = hashlib.sha256()
    for file, sample in zip(files, inputs, strict=True):
        made = process(steps, file.pixels)
        if made.shape != sample.shape or not np.array_equal(made, sample):
            return None
        sha.update(hashlib.sha256(file.content).digest())
    return sha.hexdigest()
