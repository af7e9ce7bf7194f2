"""Project → Model: the user's factory is called, and what it made is tried on the shapes the project states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import torch
from torch import Tensor, nn

from edgekit.errors import ForwardError, LoadError
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.program import PassRecord
from edgekit.samples import Samples
from edgekit.specs.factory import RAISED, in_a_line, place, resolve
from edgekit.specs.project import Project


@dataclass(frozen=True)
class Model:
    """A network with its preprocessing inside, in evaluation mode, and inputs it is known to take."""

    module: Deployed
    project: Project
    examples: tuple[Tensor, ...]
    """Raw inputs with batch 1, in the order of the project's `[inputs]`."""
    history: tuple[PassRecord, ...] = ()
    """What was done to the network since its factory made it."""


def load(project: Project) -> Model:
    """The project's model. Raises LoadError if its factory fails, ForwardError if its forward does."""
    made = _make(project)
    if not isinstance(made, nn.Module):
        raise LoadError(
            f"factory '{project.model.factory}' returned {type(made).__name__}, not a torch.nn.Module",
            hint="[model] factory must name a function that takes nothing and returns the trained network",
        )
    module = Deployed(made, project.inputs).eval()
    examples = _examples(project)
    try:
        with torch.no_grad():
            module(*examples)
    except RAISED as error:
        shapes = ", ".join(f"{name} {list(spec.shape)}" for name, spec in project.inputs.items())
        raise ForwardError(
            f"the model's forward failed on {shapes}{place(error, project.root)}: {in_a_line(error)}",
            hint="[inputs] states each shape without the batch axis, channels first",
        ) from error
    return Model(module, project, examples)


def _make(project: Project) -> object:
    factory = resolve(project.model.factory, project.root)
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        return factory
    try:
        return factory()
    except RAISED as error:
        raise LoadError(
            f"factory '{project.model.factory}' failed{place(error, project.root)}: {in_a_line(error)}",
            hint=_alone(project),
        ) from error


def _alone(project: Project) -> str:
    file, _, name = project.model.factory.partition(":")
    module = ".".join(PurePosixPath(file).with_suffix("").parts)
    return f"try it alone: cd '{project.root}' && python -c 'from {module} import {name}; {name}()'"


def _examples(project: Project) -> tuple[Tensor, ...]:
    random = np.random.default_rng(0)
    arrays = []
    for spec in project.inputs.values():
        shape = (1, *spec.raw_shape)
        # Zeros for plain integers: they are indices, and 0 is the one index every table has.
        pixels = random.integers(0, 256, shape) if spec.preprocess else random.random(shape)
        values = np.zeros(shape) if spec.dtype in ("int32", "int64", "bool") else pixels
        arrays.append(torch.from_numpy(values.astype(spec.raw_dtype)))
    return tuple(arrays)


def batches(samples: Samples, project: Project) -> list[tuple[Tensor, ...]]:
    """Every sample as the model's arguments, batch 1."""
    columns = [torch.from_numpy(np.ascontiguousarray(samples.inputs[name])) for name in project.inputs]
    return [tuple(column[i : i + 1] for column in columns) for i in range(len(samples))]
