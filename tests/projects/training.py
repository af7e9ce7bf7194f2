"""Trained copies of the projects of this folder: weights are made by their own scripts, once, and kept.

They are in the projects' folders; `python -m tests.projects.training NAME …` writes them.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.command_line import environment

HERE = Path(__file__).parent
WEIGHTS = "weights.safetensors"
SCRIPTS = "scripts"
"""Key of the digest of a project's scripts in the metadata of its weights."""


def trained(name: str, folder: Path, cache: Path) -> Path:
    """Copy the project of that name to `folder`, with the weights of its scripts as they are now.

    Weights in the project's folder count if their digest is that of its scripts. Else they come from `cache`, where
    they are by that digest and the version of torch, and are trained if they are not.
    """
    weights = HERE / name / WEIGHTS
    if kept_digest(name) != scripts_digest(name):
        digest = hashlib.sha256((scripts_digest(name) + version("torch")).encode()).hexdigest()
        weights = cache / f"{name}-{digest[:16]}.safetensors"
        with (cache / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the tests may be at it
            if not weights.exists():
                part = cache / f"{name}.part"
                train(name, part)
                part.rename(weights)
    shutil.copytree(HERE / name, folder, ignore=shutil.ignore_patterns("__pycache__", "train.py", "__init__.py"))
    shutil.copy(weights, folder / WEIGHTS)
    return folder


def train(name: str, out: Path) -> None:
    """Train the project of that name, in a process of its own, and write its weights to `out`."""
    command = [sys.executable, "-m", f"tests.projects.{name}.train", str(out)]
    subprocess.run(command, check=True, cwd=HERE.parents[1], env=environment({"OMP_NUM_THREADS": "1"}), timeout=580)


def scripts_digest(name: str) -> str:
    """Digest of what a project's weights follow from."""
    sources = [HERE / name / file for file in ("model.py", "data.py", "train.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def kept_digest(name: str) -> str | None:
    """Digest of the scripts that made the weights in a project's folder; None if there are none, or it is not known."""
    path = HERE / name / WEIGHTS
    if not path.exists():
        return None
    with safe_open(path, "np") as file:
        metadata: dict[str, str] = file.metadata() or {}
    return metadata.get(SCRIPTS)


def main(names: list[str]) -> None:
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / WEIGHTS
            train(name, part)
            save_file(load_file(part), HERE / name / WEIGHTS, {SCRIPTS: scripts_digest(name)})


if __name__ == "__main__":
    main(sys.argv[1:])
