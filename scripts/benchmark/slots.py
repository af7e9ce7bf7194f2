"""Times and counts files that lie in slots, any vendor's as edgekit's, by what runs on a device: edgekit's runner."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from edgekit.ir.measurement import Array

BLOCK = 10
"""Inferences of one file before the next has its turn: the first pays for what the others left in the caches."""
VERSIONS = ("executorch", "torch", "onnxruntime", "ai-edge-litert", "numpy", "flatbuffers")
LIMIT_S = 900.0
COUNTED = 10


@dataclass(frozen=True)
class Timed:
    """One file on this machine."""

    minimum_ms: float
    sqnr_db: float
    """Against the network in eager torch, over all samples at once."""


def timed(slots: Sequence[Path], reference: Array, rounds: int) -> list[Timed]:
    """Minimum of one inference, one thread, the files taking turns. Raises RunnerError if one does not run."""
    from edgekit.ir.sqnr import sqnr_db
    from edgekit.runner.model.manifest import read_manifest
    from edgekit.runner.model.tensors import read_columns, real, row
    from edgekit.runner.runtimes.model import LoadedModel

    models, samples, quality = [], [], []
    for slot in slots:
        manifest = read_manifest(slot)
        columns = read_columns(slot / "inputs", manifest.inputs)
        rows = [row(columns, i) for i in range(len(columns[0]))]
        model = LoadedModel.load(manifest, 1, rows[0])
        quality.append(sqnr_db(reference, real(model.outputs(columns)[0], manifest.outputs[0])))
        models.append(model)
        samples.append(rows)
    least = [sys.maxsize] * len(models)
    for turn in range(rounds):
        for place, model in enumerate(models):
            call, sample = model.call, samples[place][turn % len(samples[place])]
            for _ in range(BLOCK):
                started = perf_counter_ns()
                call(sample)
                least[place] = min(least[place], perf_counter_ns() - started)
    return [Timed(ns / 1e6, db) for ns, db in zip(least, quality, strict=True)]


def counted(slots: Sequence[Path], target: str) -> list[int]:
    """Instructions of one inference of each, on a fresh emulated device of that target."""
    from edgekit.cache import Cache
    from edgekit.devices.emulation import registry
    from edgekit.devices.emulation.transport import reached
    from edgekit.specs.catalog import Catalog

    device = registry.started(Catalog.default().target(target), Cache.of_downloads())
    with device as (_, card), reached(card) as transport:
        return [_count(transport, slot) for slot in slots]


def _count(transport: Any, slot: Path) -> int:
    from edgekit.cache import tool_versions
    from edgekit.devices.measurement_protocol import InstructionAnswer
    from edgekit.devices.packs.equip import equip
    from edgekit.devices.runner_install import put_runner

    format = next(slot.glob("model.*")).suffix.removeprefix(".")
    versions = {name: version for name, version in tool_versions(VERSIONS).items() if version != "none"}
    runner, _ = put_runner(transport, equip(transport, format, versions))
    remote = PurePosixPath("/tmp/edgekit-bench")
    runner.remove(remote)
    for path in (*slot.glob("m*.*"), *(slot / "inputs").glob("*.npy")):
        folder = "inputs" if path.suffix == ".npy" else "slot"
        transport.push(path, remote / folder / path.name)
    folders = ("--inputs", remote / "inputs", "--out", remote / "out")
    runner.ask(InstructionAnswer, "instructions", remote / "slot", *folders, "--count", COUNTED, timeout=LIMIT_S)
    local = slot / "instructions.npy"
    transport.pull(remote / "out" / "instructions.npy", local)
    return int(np.load(local).min())
