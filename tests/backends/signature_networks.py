"""Networks whose inputs and outputs are of every kind, as projects, for tests of signatures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from edgekit.backends.verify import verify
from edgekit.frontend.capture import capture
from edgekit.frontend.load import Model, load
from edgekit.ir.artifact import Artifact
from edgekit.runner.model.tensors import Array
from edgekit.specs.catalog import Catalog
from edgekit.specs.project import Project
from tests.backends.loaded_backend import loaded_backend

HOST = Catalog.default().target("host")
DATA = '[data]\nevaluation = { path = "data.npz", licence = "made here", source = "random numbers" }\n'


def signature_project(folder: Path, model: str, inputs: str, more: str = "") -> Project:
    """A project of `model.py:Net` with these tables of inputs; `more` goes into [model]."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(
        f"import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n{model}"
    )
    toml = f'[model]\nfactory = "model.py:Net"\ntask = "regression"\n{more}\n{inputs}\n{DATA}'
    (folder / "edgekit.toml").write_text(toml)
    return Project.read(folder)


def random_inputs(project: Project, count: int = 3) -> dict[str, Array]:
    """Random samples of what the project's inputs state, [count, …] each; integers are below 8."""
    random = np.random.default_rng(0)
    return {
        name: (random.integers(0, 2 if spec.dtype == "bool" else 8, (count, *spec.raw_shape)).astype(spec.raw_dtype))
        if np.dtype(spec.raw_dtype).kind in "iub"
        else random.normal(size=(count, *spec.raw_shape)).astype(spec.raw_dtype)
        for name, spec in project.inputs.items()
    }


def eager_outputs(model: Model, inputs: dict[str, Array]) -> list[Array]:
    """Outputs of the user's own network for every sample, in float, [N, …] each."""
    from torch.utils import _pytree as pytree

    columns = [torch.from_numpy(inputs[name]) for name in model.project.inputs]
    with torch.no_grad():
        rows = [
            pytree.tree_leaves(model.module(*(column[i : i + 1] for column in columns))) for i in range(len(columns[0]))
        ]
    return [torch.cat(row).numpy() for row in zip(*rows, strict=True)]


def lowered(project: Project, backend_name: str, inputs: dict[str, Array], folder: Path) -> tuple[Artifact, float]:
    """Lower the project's float network for the host and verify it on `inputs`: artifact, and SQNR in dB."""
    backend = loaded_backend(backend_name)
    program = capture(load(project))
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in inputs.items():
        np.save(folder / f"{name}.npy", array)
    artifact = backend.lower(program, HOST, HOST.select_runtime(backend_name), folder)
    return artifact, verify(artifact, program, folder, folder / "golden")
