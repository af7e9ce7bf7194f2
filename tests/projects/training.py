"""Trained copies of the projects of this folder: weights are made by their own scripts, once, and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.command_line import environment

HERE = Path(__file__).parent
WEIGHTS = "weights.safetensors"


def trained(name: str, folder: Path, cache: Path) -> Path:
    """Copy the project of that name to `folder`, with weights from `cache`, where they are trained if they are not.

    The cache is by the digest of the project's scripts and the version of torch.
    """
    sources = [HERE / name / file for file in ("model.py", "data.py", "train.py")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + version("torch").encode()).hexdigest()
    weights = cache / f"{name}-{digest[:16]}.safetensors"
    if not weights.exists():
        part = cache / f"{name}-{os.getpid()}.part"
        command = [sys.executable, "-m", f"tests.projects.{name}.train", str(part)]
        subprocess.run(command, check=True, cwd=HERE.parents[1], env=environment({"OMP_NUM_THREADS": "1"}), timeout=580)
        part.rename(weights)
    shutil.copytree(HERE / name, folder, ignore=shutil.ignore_patterns("__pycache__", "train.py", "__init__.py"))
    shutil.copy(weights, folder / WEIGHTS)
    return folder
