"""Trial of a vendor's plain recipe on a float program: does it do better where edgekit's int8 file is refused?"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.backends.artifact_run import runner_manifest
from edgekit.backends.base import Backend
from edgekit.backends.free_axes import model_tensor
from edgekit.backends.program_outputs import call_outputs
from edgekit.errors import LoweringError
from edgekit.ir.artifact import Artifact, Placement
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.signature import TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.runner.model.tensors import dequantize, read_columns
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.samples import Samples
from edgekit.specs.factory import in_a_line

if TYPE_CHECKING:
    from torch import Tensor

    from edgekit.passes.base import Sample

    Call = Callable[..., Sequence[Tensor]]

MODULE = "vendor_recipe"
"""Module of a backend's package that may have `vendor_file(program, samples, dynamic)`: it returns a file and its
signature."""
SAMPLES = 128
"""Largest number of calibration samples that the trial takes."""


def vendor_trial(
    backend: Backend, program: Program, samples: Path, checks: Path, dynamic: bool = False
) -> float | None:
    """SQNR, in dB, of the vendor's int8 file against the float program on the samples in `checks`.

    Parameters as for `vendor_outputs`. None if the backend has no vendor's recipe. Raises LoweringError if the vendor's
    tools fail.
    """
    answers = vendor_outputs(backend, program, samples, checks, dynamic, SAMPLES)
    if answers is None:
        return None
    expected = outputs_on(program.exported.module(), program, checks)
    return min(sqnr_db(one, other) for one, other in zip(expected, answers, strict=True))


def vendor_outputs(
    backend: Backend, program: Program, samples: Path, checks: Path, dynamic: bool = False, most: int | None = None
) -> list[Array] | None:
    """Outputs of the vendor's int8 file on the samples in `checks`, as real values, run by the device's runner.

    samples: folder of the calibration set, [N, …] in `<input>.npy`, as `checks` is; of a model with state as `Samples`
    saves them. dynamic: activations are rounded as they come, in place of static ranges. most: number of calibration
    samples at most. Returns one array [N, …] an output, [N, T, …] of sequences, without state; None if the backend has
    no vendor's recipe. Raises LoweringError if the vendor's tools fail, or the file does not run.
    """
    calibration = call_arguments(program, samples)[:most]
    with tempfile.TemporaryDirectory() as folder:
        artifact = vendor_artifact(backend, program, calibration, Path(folder), dynamic)
        if artifact is None:
            return None
        with _own_words():
            return outputs_on(artifact_call(artifact, calibration[0]), program, checks)


def vendor_artifact(
    backend: Backend, program: Program, calibration: Sequence[Sample], folder: Path, dynamic: bool = False
) -> Artifact | None:
    """Make the vendor's int8 file in `folder`; None if the backend has no vendor's recipe.

    The artifact has no placement. calibration: arguments of single calls. Raises LoweringError if the tools fail.
    """
    name = f"{type(backend).__module__}.{MODULE}"
    if not module_exists(name):
        return None
    path = folder / f"model.{backend.format}"
    with _own_words():
        content, edges = importlib.import_module(name).vendor_file(program, calibration, dynamic)
        path.write_bytes(content)
    return Artifact((path,), backend.format, edges, Placement(()), 0.0)


@contextlib.contextmanager
def _own_words() -> Iterator[None]:
    """Raise whatever a vendor's tool or file raises as LoweringError, in its words."""
    try:
        yield
    except Exception as error:
        raise LoweringError(in_a_line(_root(error))) from error


def call_arguments(program: Program, folder: Path) -> list[Sample]:
    """Arguments of single calls of the program, batch 1 each."""
    import torch

    from edgekit.frontend.sequences import program_arguments

    if program.signature.state:
        return program_arguments(program, Samples.read(folder))
    columns = [np.load(folder / f"{spec.name}.npy", mmap_mode="r") for spec in program.signature.inputs]
    return [tuple(torch.from_numpy(column[i : i + 1].copy()) for column in columns) for i in range(len(columns[0]))]


def outputs_on(call: Call, program: Program, folder: Path) -> list[Array]:
    """Outputs [N, …] of a call with the program's signature on the samples in `folder`; of sequences, without state."""
    from edgekit.frontend.sequences import sequence_outputs

    signature = program.signature
    if signature.state:
        return list(sequence_outputs(call, signature, Samples.read(folder)).values())
    return call_outputs(call, signature, read_columns(folder, list(map(model_tensor, signature.inputs))))


def artifact_call(artifact: Artifact, first: Sample) -> Call:
    """Function from tensors to tensors, real values both, that runs the file. first: sample that it is loaded with."""
    import torch

    edges = artifact.signature

    def arrays(arguments: Sample) -> list[Array]:
        return [stored(value.numpy(), spec) for value, spec in zip(arguments, edges.inputs, strict=True)]

    loaded = LoadedModel.load(runner_manifest(artifact), 1, arrays(first))

    def call(*arguments: Tensor) -> list[Tensor]:
        outputs = zip(loaded.call(arrays(arguments)), edges.outputs, strict=True)
        return [torch.from_numpy(np.array(_real(output, spec))) for output, spec in outputs]

    return call


def stored(values: Array, spec: TensorSpec) -> Array:
    """Values as the file takes them: integers, if it has a scale for them; of 32 bits, where its tool narrows them."""
    if spec.affine is None:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    steps = np.round(values / spec.affine.scale) + spec.affine.zero_point
    return np.clip(steps, limits.min, limits.max).astype(spec.dtype)


def _real(stored: Array, spec: TensorSpec) -> Array:
    if spec.affine is None:
        return stored
    return dequantize(stored, spec.affine.scale, spec.affine.zero_point).astype(np.float32)


def _root(error: BaseException) -> BaseException:
    """Innermost cause of an error that has words."""
    while error.__cause__ is not None and str(error.__cause__):
        error = error.__cause__
    return error


def module_exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the backend is a module, not a package
        return False
