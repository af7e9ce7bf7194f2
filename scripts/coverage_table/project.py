"""Project of an architecture: its folder with `edgekit.toml`, factory, weights and data, written once."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import Arrays
from scripts.coverage_table.weights import weighted

HERE = Path(__file__).parent
CALIBRATION_SEED, EVALUATION_SEED = 4, 5
"""Odd seeds take samples that even ones never take, where samples are of a set."""
FACTORY = """from pathlib import Path

from safetensors.torch import load_file

from scripts.coverage_table.registry import ARCHITECTURES


def network():
    made = ARCHITECTURES["{name}"].make()
    made.load_state_dict(load_file(Path(__file__).with_name("weights.safetensors")))
    return made.eval()
"""


def digest(architecture: Architecture) -> str:
    """Digest of what the folder is made from, without layout: the architecture's module, what is shared, and torch."""
    module = HERE / "architectures" / f"{architecture.make.__module__.rpartition('.')[2]}.py"
    shared = [HERE / f"{name}.py" for name in ("samples", "weights", "architecture", "architectures/attention")]
    content = [ast.dump(ast.parse(path.read_text("utf-8"))) for path in (module, *shared)]
    return hashlib.sha256(repr((content, architecture.name, version("torch"))).encode()).hexdigest()[:16]


def write_project(architecture: Architecture, folder: Path) -> Path:
    """Write the project to `folder`, unless it is there; once for all cells that ask at the same time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        if not folder.exists():
            _write(architecture, folder)
    return folder


def _write(architecture: Architecture, folder: Path) -> None:
    """Write the project, with weights that may be trained first, beside `folder`, and move it there."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    torch.set_num_threads(1)
    network = weighted(architecture)
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in network.state_dict().items()},
        part / "weights.safetensors",
    )
    samples = {
        "calibration": architecture.samples(architecture.calibration, CALIBRATION_SEED),
        "evaluation": architecture.samples(architecture.evaluation, EVALUATION_SEED),
    }
    for name, arrays in samples.items():
        np.savez(part / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    (part / "model.py").write_text(FACTORY.format(name=architecture.name))
    (part / "edgekit.toml").write_text(_text(architecture, samples["evaluation"]))
    part.rename(folder)


def _text(architecture: Architecture, samples: Arrays) -> str:
    """Content of `edgekit.toml`."""
    labelled = architecture.task != "none"
    lines = ["[model]", 'factory = "model.py:network"', f'task = "{architecture.task if labelled else "regression"}"']
    if architecture.outputs:
        lines.append(f"outputs = {list(architecture.outputs)}")
    axes = 2 if architecture.state else 1
    for name, array in samples.items():
        if name != "labels":
            lines += ["", f"[inputs.{name}]", f"shape = {list(array.shape[axes:])}", f'dtype = "{array.dtype}"']
    if architecture.state:
        lines += ["", "[state]", *architecture.state]
    lines += ["", "[data]"]
    for name in ("calibration", "evaluation"):
        known = "true" if labelled else "false"
        lines.append(
            f'{name} = {{ path = "{name}.npz", labelled = {known}, licence = "CC BY 4.0", source = "computed" }}'
        )
    return "\n".join(lines) + "\n"
