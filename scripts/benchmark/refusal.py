"""Time from `edgekit build` to a refusal for a wrong task, wrong labels, or wrong inputs: seconds and CPU seconds."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.processes import ROOT

COUNT = 16
PROJECT = """
[model]
factory = "model.py:net"
task = "{task}"
classes = ["a", "b"]
{options}
[inputs.x]
{input}

[data]
calibration = {{ loader = "data.py:samples", licence = "made here", source = "zeros" }}
evaluation = {{ loader = "data.py:samples", licence = "made here", source = "zeros" }}
"""
MODEL = "import torch\n\n\ndef net():\n    torch.manual_seed(0)\n    return torch.nn.Conv2d(3, 2, 1)\n"
DATA = f"import numpy as np\n\n\ndef samples():\n    return [({{sample}}, {{label}})] * {COUNT}\n"
IMAGE = "shape = [3, 8, 8]"
ZEROS = "np.zeros((3, 8, 8), np.float32)"
BOXES = '\n[task]\nsize = [8, 8]\n\n[task.decoder]\nkind = "yolo-v8"\nstrides = [4]\n'


@dataclass(frozen=True)
class Mistake:
    """A project with one mistake."""

    task: str = "classification"
    input: str = IMAGE
    sample: str = ZEROS
    label: str = "0"
    options: str = ""

    def write(self, folder: Path) -> None:
        folder.mkdir()
        text = PROJECT.format(task=self.task, options=self.options, input=self.input)
        (folder / "edgekit.toml").write_text(text)
        (folder / "model.py").write_text(MODEL)
        (folder / "data.py").write_text(DATA.format(sample=self.sample, label=self.label))


@dataclass(frozen=True)
class Refusal:
    """Time until a build was refused, and its error."""

    seconds: float
    cpu_s: float
    error: str


MISTAKES = {
    "unknown task": Mistake(task="classify"),
    "labels of another task": Mistake(task="segmentation"),
    "class above the count": Mistake(label="7"),
    "box outside": Mistake(task="detection", label="[[0, 0, 0, 40, 4]]", options=BOXES),
    "box inverted": Mistake(task="detection", label="[[0, 5, 5, 1, 1]]", options=BOXES),
    "mask of another size": Mistake(task="segmentation", label="np.zeros((7, 8), np.int64)"),
    "token above the vocabulary": Mistake(
        input='shape = [6]\ndtype = "int64"\nvocabulary = 30', sample="np.full(6, 40)"
    ),
    "sample of another shape": Mistake(sample="np.zeros((3, 7, 8), np.float32)"),
}
"""Mistakes by name. Only the network says which size a mask must have: torch is imported for that one."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench refusal", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(argv)
    print(f"medians of {args.repeats} runs; CPU seconds tell on a busy machine")
    print(f"{'':28}{'seconds':>9}{'CPU':>8}  refused with")
    for name, mistake in MISTAKES.items():
        with tempfile.TemporaryDirectory() as scratch:
            mistake.write(Path(scratch) / "project")
            runs = [_refusal(Path(scratch)) for _ in range(args.repeats)]
        seconds, cpu = statistics.median(run.seconds for run in runs), statistics.median(run.cpu_s for run in runs)
        print(f"{name:28}{seconds:8.2f}s{cpu:7.2f}s  {runs[0].error}", flush=True)


def _refusal(scratch: Path) -> Refusal:
    """Build the project in `scratch`, which must be refused. Raises RuntimeError if it is not."""
    places = {f"EDGEKIT_{name}": f"{scratch}/{name}" for name in ("CACHE", "CONFIG", "DATA")}
    argv = [sys.executable, "-m", "edgekit.cli", "build", "--project", str(scratch / "project"), "--target", "host"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(
        [*argv, "--backend", "onnx", "--out", f"{scratch}/out"],
        env={**os.environ, **places, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    error = next((line for line in ended.stderr.splitlines() if line.startswith("error ")), "")
    if ended.returncode != 2 or not error:
        raise RuntimeError(f"it ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return Refusal(seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, error[:80])
