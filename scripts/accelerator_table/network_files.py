"""Files of architectures, quantized by a profile's plain recipe and lowered in this process.

They have neither the stages nor the gates of a build: no repair either, so that a table shows what an accelerator adds.
"""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from edgekit import plugins
from edgekit.api.builds import load_project
from edgekit.backends.free_axes import model_tensor
from edgekit.backends.program_outputs import program_outputs
from edgekit.backends.store import save_artifact
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.frontend.sequences import network_arguments
from edgekit.ir.program import Program
from edgekit.passes.quantization.quantize import quantize
from edgekit.runner.model.tensors import Column, read_columns
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project
from scripts.accelerator_table.cell import CATALOG
from scripts.accelerator_table.networks import Network, Variant
from scripts.coverage_table.project import digest, write_project
from scripts.coverage_table.registry import ARCHITECTURES

CALIBRATION = 24


@dataclass
class NetworkFiles:
    """Program and files of one architecture; projects, whose weights may be trained first, are kept below `work`."""

    network: Network
    work: Path

    @contextmanager
    def lowered(self, variant: Variant) -> Iterator[tuple[Path, Path]]:
        """Folder of the variant's artifact with the float network's outputs, and that of its samples, in the block.

        Raises what edgekit raises where it refuses to build.
        """
        with tempfile.TemporaryDirectory(dir=self.work) as scratch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out, samples = Path(scratch) / "artifact", Path(scratch) / "samples"
            for folder in (out, out / "float", samples):
                folder.mkdir()
            self._samples("evaluation").save(samples)
            self._lower(variant, out)
            for index, array in enumerate(program_outputs(self._program, self._columns(samples))):
                np.save(out / "float" / f"{index}.npy", array)
            yield out, samples

    @cached_property
    def _project(self) -> Project:
        architecture = ARCHITECTURES[self.network.name]
        folder = self.work / "projects" / f"{architecture.name}-{digest(architecture)}"
        return load_project(write_project(architecture, folder))

    @cached_property
    def _program(self) -> Program:
        model = load(self._project)
        return capture(model, network_arguments(model, self._samples("evaluation")))

    def _samples(self, role: str) -> Samples:
        return load_samples(self._project, role, {"evaluation": self.network.samples}.get(role, CALIBRATION))

    def _columns(self, samples: Path) -> list[Column]:
        return read_columns(samples, [model_tensor(spec) for spec in self._program.signature.inputs])

    def _lower(self, variant: Variant, out: Path) -> None:
        backend, program = plugins.load("backends", variant.backend)(), self._program
        for module in backend.preload:
            importlib.import_module(module)
        recipe = CATALOG.profile(variant.profile).quantize
        if recipe:
            program = quantize(
                program,
                recipe,
                lambda changed: backend.quantization(changed, variant.runtime),
                batches(self._samples("calibration"), self._project),
                batches(self._samples("evaluation"), self._project),
            )
        save_artifact(backend.lower(program, variant.target, variant.runtime, out), out)
