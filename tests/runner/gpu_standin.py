"""A stand-in for LiteRT's libraries and Vulkan's loader, compiled of C, that fails as asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.devices.debian_programs import unavailable
from tests.runner.conftest import Answer

SOURCE = Path(__file__).with_name("gpu_standin.c")
LIBRARY, ACCELERATOR = "libLiteRt.so", "libLiteRtWebGpuAccelerator.so"
INTERPRETER = """
class Interpreter:
    def __init__(self, model_path): pass
    def get_input_details(self): return [{"name": "x"}]
    def get_output_details(self): return [{"name": "y"}]
    def _get_ops_details(self): return [{"op_name": name} for name in ("MUL", "CUMSUM", "ADD")]
"""


@dataclass(frozen=True)
class StandIn:
    """The runner as a bare folder, with stand-ins in place of ai-edge-litert and of a Vulkan driver."""

    folder: Path

    @property
    def package(self) -> Path:
        return self.folder / "ai_edge_litert"

    @property
    def vulkan(self) -> Path:
        return self.folder / "vulkan"

    def ask(self, mode: str, *options: str, verb: str = "accuracy") -> Answer:
        """Answer of `verb` for two samples, with the fault `mode` of `gpu_standin.c`."""
        words = [f"vulkan={self.vulkan}", *options]
        argv = [verb, self.folder / "probe/m", "--inputs", self.folder / "in", "--out", self.folder / "out"]
        argv += ["--accelerator", "litert-gpu", *(word for each in words for word in ("--accelerator-option", each))]
        if verb == "latency":
            argv += ["--min-count", "4", "--min-duration", "0"]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "STANDIN": mode}
        command = [sys.executable, "-m", "runner", *map(str, argv)]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        return Answer(done.returncode, done.stdout, done.stderr)


def stand_in(runner: Path, folder: Path) -> StandIn:
    """Stand-ins beside a copy of the runner's folder. Skips the test where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        unavailable("there is no C compiler here")
    made = StandIn(folder)
    shutil.copytree(runner, folder / "runner")
    for place in (made.package, made.vulkan, folder / "in", folder / "out", folder / "probe/m"):
        place.mkdir(parents=True)
    (folder / "ai_edge_litert-2.3.0.dist-info").mkdir()
    (made.package / "__init__.py").touch()
    (made.package / "interpreter.py").write_text(INTERPRETER)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made.package / LIBRARY, SOURCE], check=True, timeout=60)
    shutil.copy(made.package / LIBRARY, made.package / ACCELERATOR)
    shutil.copy(made.package / LIBRARY, made.vulkan / "libvulkan.so.1")
    (made.vulkan / "standin_icd.json").write_text("{}")
    np.save(folder / "in/x.npy", np.arange(8, dtype=np.float32).reshape(2, 4))
    tensors = [
        {"name": name, "dtype": "float32", "shape": [1, size], "affine": None} for name, size in (("x", 4), ("y", 3))
    ]
    manifest = {
        "format": "tflite",
        "model": ["model.tflite"],
        "options": [],
        "signature": {"inputs": tensors[:1], "outputs": tensors[1:]},
        "golden": {"count": 0, "tolerance": 0.0},
        "files": [],
    }
    (folder / "probe/m/manifest.json").write_text(json.dumps(manifest))
    (folder / "probe/m/model.tflite").write_bytes(b"\0\0\0\0TFL3")
    return made
