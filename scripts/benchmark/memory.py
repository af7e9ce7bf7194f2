"""Peak memory of a build beside the size of its float model: how many copies of the weights are held at once.

Of the largest process by stage, and of all processes together; both beside those of a small model, whose memory is
Python's and the libraries'.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from edgekit.ir.measurement import Array
from scripts.benchmark.processes import ROOT, Cost, cost

WIDTH = 2048
LAYER_BYTES = 4 * WIDTH * WIDTH
BOUND = 2.5
"""Largest memory of a process of a build, as a multiple of the float model, beside that of a small model's build."""
LIMIT_S = 3600.0
"""Longest build of a gigabyte, on a machine that has other work."""
INT8 = ("quantize.weights.dtype=int8", "quantize.weights.granularity=per-channel")
RECIPES: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "executorch": {"int8": ("dynamic-int8", ()), "int4": ("weight-only-int4", ())},
    "onnx": {"int8": ("weight-only-int4", INT8), "int4": ("weight-only-int4", ())},
    "tflite": {"int8": ("weight-only-int4", INT8), "int4": ("weight-only-int4", ())},
}
"""Profile, and changes to it, by backend and kind of weights. int8 is dynamic with executorch only."""
MODEL = """
from torch import nn


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm({width})
        self.linear = nn.Linear({width}, {width})

    def forward(self, x):
        return x + self.linear(self.norm(x)).relu()


def net():
    return nn.Sequential(*(Residual() for _ in range({layers})), nn.Linear({width}, 4))
"""
PROJECT = """
[model]
factory = "model.py:net"
weights = "weights.safetensors"
classes = ["a", "b", "c", "d"]

[inputs.features]
shape = [{width}]

[data]
calibration = {{ path = "data.npz", licence = "made here", source = "random numbers" }}
evaluation = {{ path = "data.npz", licence = "made here", source = "random numbers" }}
"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench memory", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=300, help="size of the float model (default: 300)")
    parser.add_argument("--backend", action="append", choices=RECIPES)
    parser.add_argument("--weights", action="append", choices=("int8", "int4"))
    parser.add_argument("--by-hand", action="store_true", help="measure the vendor's converter alone too")
    args = parser.parse_args(argv)
    print(f"memory above a small model's build, as multiples of the float model; bound of a process: {BOUND}")
    for backend in args.backend or RECIPES:
        for weights in args.weights or RECIPES[backend]:
            _report(backend, weights, args.megabytes, args.by_hand)


def _report(backend: str, weights: str, megabytes: int, by_hand: bool) -> None:
    layers = max(1, megabytes * 1_000_000 // LAYER_BYTES)
    small, _ = build(backend, weights, 1)
    large, size = build(backend, weights, layers)
    base = small.largest_bytes
    ratio = (large.largest_bytes - base) / size
    both = (large.peak_bytes - small.peak_bytes) / size
    print(f"{backend} {weights}: model {size / 1e6:.0f} MB, {large.seconds:.0f} s", flush=True)
    print(f"  largest process {ratio:6.2f}{' <- too much' * (ratio > BOUND)}   (a small model's: {base / 1e6:.0f} MB)")
    print(f"  all processes   {both:6.2f}   (a small model's: {small.peak_bytes / 1e6:.0f} MB)")
    for stage, peak in large.stages.items():
        print(f"    {stage:22}{max(0, peak - small.stages.get(stage, base)) / size:6.2f}")
    if by_hand:
        print(f"  by hand         {vendor_ratio(backend, weights, layers):6.2f}   (the vendor's converter alone)")


def vendor_ratio(backend: str, weights: str, layers: int) -> float:
    """Memory of the vendor's converter called by hand, above that for a small model, as a multiple of the model."""
    argv = [sys.executable, "-m", "scripts.benchmark.large_by_hand", backend, weights]
    environment = {"PYTHONPATH": str(ROOT)}
    small, large = (cost([*argv, str(count)], environment) for count in (1, layers))
    return (large.peak_bytes - small.peak_bytes) / (layers * LAYER_BYTES)


def build(backend: str, weights: str, layers: int) -> tuple[Cost, int]:
    """Build a perceptron of so many residual layers. Returns the cost, and the size of its weights in bytes."""
    profile, changes = RECIPES[backend][weights]
    # Not below /tmp where that is memory: its files would count as the build's.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write_project(folder / "project", layers)
        places = {f"EDGEKIT_{place}": f"{name}/{place}" for place in ("CACHE", "CONFIG", "DATA")}
        environment = {**places, "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-m", "edgekit.cli", "build", "--project", str(folder / "project"), "--target", "host"]
        argv += [
            "--backend",
            backend,
            "--profile",
            profile,
            "--out",
            f"{name}/out",
            "--set",
            "target.memory.ram_mb=65536",
        ]
        # Random weights miss gates of accuracy: those are no matter here.
        argv += [word for change in changes for word in ("--set", f"profile.{change}")]
        made = cost(argv, environment, (0, 1), LIMIT_S)
        shutil.rmtree(folder)
        folder.mkdir()
        return made, size


def write_project(folder: Path, layers: int) -> int:
    """Write the project of a perceptron with random weights. Returns the size of its weights in bytes."""
    folder.mkdir()
    random = np.random.default_rng(0)
    tensors: dict[str, Array] = {}
    for index in range(layers):
        tensors[f"{index}.norm.weight"] = np.ones(WIDTH, np.float32)
        tensors[f"{index}.norm.bias"] = np.zeros(WIDTH, np.float32)
        tensors[f"{index}.linear.weight"] = _weights(random, WIDTH)
        tensors[f"{index}.linear.bias"] = np.zeros(WIDTH, np.float32)
    tensors |= {f"{layers}.weight": _weights(random, 4), f"{layers}.bias": np.zeros(4, np.float32)}
    save_file(tensors, folder / "weights.safetensors")
    (folder / "model.py").write_text(MODEL.format(width=WIDTH, layers=layers))
    (folder / "edgekit.toml").write_text(PROJECT.format(width=WIDTH))
    samples = random.standard_normal((64, WIDTH), np.float32)
    np.savez(folder / "data.npz", features=samples, labels=np.arange(64) % 4)
    return sum(tensor.nbytes for tensor in tensors.values())


def _weights(random: np.random.Generator, rows: int) -> Array:
    return random.standard_normal((rows, WIDTH), np.float32) * np.float32(WIDTH**-0.5)
