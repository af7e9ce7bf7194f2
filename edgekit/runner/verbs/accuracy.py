"""Verb `accuracy`: run the model of a slot on arrays in a folder, and write its outputs with their digests."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ..errors import RunnerError
from ..files.integrity import digest_of_file
from ..model.manifest import read_manifest
from ..model.sequences import read_samples, read_steps
from ..model.tensors import real, row, save
from ..runtimes.model import LoadedModel

if TYPE_CHECKING:
    from ..model.accelerator import Accelerator


def accuracy(
    slot: Path,
    inputs: Path,
    out: Path,
    threads: int,
    digests: dict[str, str],
    accelerator: Accelerator | None = None,
) -> dict[str, Any]:
    """Write `out/<output>.npy`, [N, …] real values, for every sample in `inputs`; of sequences [N, T, …].

    digests: SHA-256, in hex, that files in `inputs` must have, by name. Raises RunnerError (data) for one that has
    another.
    """
    for name, digest in digests.items():
        if digest_of_file(inputs / name) != digest:
            raise RunnerError("data", f"'{name}' did not arrive as it was sent")
    manifest = read_manifest(slot, accelerator)
    columns = read_samples(inputs, manifest)
    model = LoadedModel.load(manifest, threads, row(read_steps(inputs, manifest)[0], 0))
    started = perf_counter_ns()
    stored = model.outputs(columns)
    answered_ns = perf_counter_ns() - started
    digests_of_outputs = {}
    for k, tensor in enumerate(manifest.reported):
        path = out / f"{tensor.name}.npy"
        save(path, real(stored[k], tensor))
        digests_of_outputs[tensor.name] = digest_of_file(path)
    return {**model.facts, "count": len(columns[0]), "outputs": digests_of_outputs, "answered_ns": answered_ns}
