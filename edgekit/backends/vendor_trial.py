"""Trial of a vendor's plain recipe on a float program: does it do better where edgekit's int8 file is refused?"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from pathlib import Path

import numpy as np

from edgekit.backends.base import Backend
from edgekit.backends.verify import file_outputs, program_outputs
from edgekit.errors import LoweringError
from edgekit.ir.artifact import Artifact, Placement
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.signature import TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.runner.model.tensors import dequantize
from edgekit.specs.factory import in_a_line

MODULE = "vendor_recipe"
"""Module of a backend's package that may have `vendor_file(program, samples)`: it returns a file and its signature."""
SAMPLES = 128
"""Largest number of calibration samples that the trial takes."""


def vendor_trial(backend: Backend, program: Program, samples: Path, checks: Path) -> float | None:
    """SQNR, in dB, of the vendor's int8 file against the float program on the samples in `checks`.

    samples: folder of the calibration set, [N, …] in `<input>.npy`, as `checks` is. None if the backend has no vendor's
    recipe. Raises LoweringError if the vendor's tools fail.
    """
    import torch

    name = f"{type(backend).__module__}.{MODULE}"
    if not _exists(name):
        return None
    specs = program.signature.inputs
    calibration = [np.load(samples / f"{spec.name}.npy", mmap_mode="r")[:SAMPLES] for spec in specs]
    rows = [
        tuple(torch.from_numpy(column[i : i + 1].copy()) for column in calibration) for i in range(len(calibration[0]))
    ]
    columns = [np.load(checks / f"{spec.name}.npy", allow_pickle=False) for spec in specs]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{backend.format}"
        try:
            content, edges = importlib.import_module(name).vendor_file(program, rows)
            path.write_bytes(content)
            artifact = Artifact((path,), backend.format, edges, Placement(()), 0.0)
            answers = file_outputs(artifact, list(map(_stored, columns, edges.inputs)))
        except Exception as error:
            raise LoweringError(in_a_line(_root(error))) from error
    expected, reals = program_outputs(program, columns), map(_real, answers, edges.outputs)
    return min(sqnr_db(one, other) for one, other in zip(expected, reals, strict=True))


def _stored(values: Array, spec: TensorSpec) -> Array:
    """Values as the file takes them: integers, if it has a scale for them."""
    if spec.affine is None:
        return values
    limits = np.iinfo(spec.dtype)
    steps = np.round(values / spec.affine.scale) + spec.affine.zero_point
    return np.clip(steps, limits.min, limits.max).astype(spec.dtype)


def _real(stored: Array, spec: TensorSpec) -> Array:
    return dequantize(stored, spec.affine.scale, spec.affine.zero_point) if spec.affine else stored


def _root(error: BaseException) -> BaseException:
    """Innermost cause of an error that has words."""
    while error.__cause__ is not None and str(error.__cause__):
        error = error.__cause__
    return error


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the backend is a module, not a package
        return False
