"""Perturbations of picture files in the place of those that imitate them on the pixels that the model takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import PIL

from edgekit.perturb.condition import Condition
from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain, Kind
from edgekit.perturb.perturbation import Family, Perturbation
from edgekit.perturb.picture_files import PictureFiles
from edgekit.perturb.pictures import file_changes
from edgekit.perturb.pictures.systematic import QUALITIES
from edgekit.samples import Samples


@dataclass(frozen=True)
class FilePerturbation:
    """Perturbation of the files of N samples, before the declared preprocessing."""

    on_pixels: Perturbation
    """Perturbation of the model's pixels in whose place it stands, and whose name it has."""
    files: PictureFiles
    kind: Kind = "pictures"
    version: int = 2

    @property
    def name(self) -> str:
        return self.on_pixels.name

    @property
    def family(self) -> Family:
        return self.on_pixels.family

    @property
    def severities(self) -> tuple[int, ...]:
        return self.on_pixels.severities

    @property
    def parameters(self) -> str:
        return f"on the files, {QUALITIES}, Pillow {PIL.__version__}"

    @property
    def source(self) -> str:
        """Digest of the files, which decide its samples beside their pixels."""
        return self.files.digest

    def unfit(self, samples: Samples, domain: InputDomain) -> str | None:
        return file_changes.unfit(self.name, self.files)

    def apply(self, samples: Samples, domain: InputDomain, severity: int, draws: Draws) -> Samples:
        """Make the samples anew of their files, in the same order. Raises DataError for a file that is gone."""
        change, steps = file_changes.FILE_CHANGES[self.name], self.files.steps
        made = np.stack([change(file, steps, severity) for file in self.files.files])
        return replace(samples, inputs={**samples.inputs, domain.name: made}, sampling=None, raw={})


def on_files(condition: Condition, files: PictureFiles) -> Condition:
    """The condition with the files perturbed, where that is another thing than the pixels; else as it is."""
    made = condition.perturbation
    if made.family != "systematic" or made.name not in file_changes.FILE_CHANGES or condition.domain.name != files.name:
        return condition
    if file_changes.unfit(made.name, files) is not None:
        return condition
    return replace(condition, perturbation=FilePerturbation(made, files))
