"""Figures of a slot's model on its CPU or on an accelerator: cost of loading, time, and the same answers.

Each trial is a process of its own with a time limit, so that a driver that hangs or crashes ends nothing else.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunnerError
from ..layout import PROBE
from ..machine.timed_child import in_child
from ..model.accelerator import CPU, Accelerator, accelerator_of
from ..model.manifest import RunnerManifest, read_manifest

if TYPE_CHECKING:
    from ..model.tensors import Array

MOST_COUNT, LEAST_COUNT, MIN_S = 32, 4, 0.25
TIMING_NS = 10_000_000_000
"""Time for the inferences of one kind beyond the warm-up: fewer are timed where one takes long."""
CPU_FACTOR = 10
"""The CPU may take so many times the limit of an accelerator: it has passed its self-test, and cannot hang."""
FOLDER = "accelerators"
MAX_WHY = 300
"""Largest length of a reason, in characters: it is kept in the device's state."""


def try_accelerators(
    root: Path, slot: str, kinds: Sequence[str], options: Sequence[str], threads: int, limit_s: float
) -> list[dict[str, Any]]:
    """Measure the CPU, then each kind: its figures, or `why` it has none, with `failed`, the kind of the error.

    Times are in nanoseconds, and `energy` is that of one inference where a sensor tells it
    (`timing/inference_energy`); the CPU is timed only if an accelerator runs. limit_s: seconds for each kind. Raises
    RunnerError if the model does not run on the CPU.
    """
    if not kinds:
        return [{"kind": CPU, "why": None}]
    with _scratch(root) as folder:
        run = partial(_figures, root / slot, folder=folder, threads=threads)
        cpu = in_child(partial(run, Accelerator(CPU), timed=False), CPU_FACTOR * limit_s)
        measured = []
        for kind in kinds:
            try:
                figures = in_child(partial(run, accelerator_of(kind, options)), limit_s)
                measured.append({"kind": kind, "why": None, **figures})
            except RunnerError as error:
                measured.append({"kind": kind, "why": str(error)[:MAX_WHY], "failed": error.kind})
        if not all("failed" in each for each in measured):
            cpu = in_child(partial(run, Accelerator(CPU)), CPU_FACTOR * limit_s)
        return [{"kind": CPU, "why": None, **cpu}, *measured]


def _figures(slot: Path, accelerator: Accelerator, folder: Path, threads: int, timed: bool = True) -> dict[str, Any]:
    """Run the golden samples; the CPU leaves its answers in `folder`, to which an accelerator's are compared."""
    import numpy as np

    from ..machine.energy import meter
    from ..model.sequences import read_samples, read_steps
    from ..model.tensors import cycled, real, save
    from ..runtimes.model import LoadedModel
    from ..timing.inference_energy import inference_energy
    from ..timing.loop import single_stream

    manifest = read_manifest(slot, accelerator)
    inputs = slot / "golden" / "inputs"
    columns, steps = read_steps(inputs, manifest)
    samples = cycled(columns)
    model = LoadedModel.load(manifest, threads, samples[0], steps=steps)
    stored = model.outputs(read_samples(inputs, manifest))
    answers = [real(array, tensor) for array, tensor in zip(stored, manifest.reported)]
    if not all(np.isfinite(answer).all() for answer in answers):
        raise RunnerError("nan", "its answers to the golden samples are not finite")
    if accelerator.kind == CPU:
        for k, answer in enumerate(answers):
            save(folder / f"{k}.npy", answer)
    facts, first_ns = model.loaded.get("accelerator") or {}, model.loaded["first_ns"]
    times: dict[str, int] = {}
    energy = None
    if timed:
        count = max(LEAST_COUNT, min(MOST_COUNT, TIMING_NS // max(1, first_ns)))
        latency_ns = single_stream(model.call, samples, count, MIN_S).latency_ns
        times = {name: int(np.percentile(latency_ns, percent)) for name, percent in (("p50_ns", 50), ("p90_ns", 90))}
        # What a stand-in draws is drawn by the CPU, and none of an accelerator's.
        energy = None if facts.get("software") else inference_energy(model.call, samples, meter())
    return {
        "load_ns": model.loaded["load_ns"],
        "first_ns": first_ns,
        **times,
        "energy": energy,
        "sqnr_db": None if accelerator.kind == CPU else _sqnr_db(manifest, answers, folder),
        "share": _share(facts),
        "device": facts.get("device"),
        "driver": facts.get("driver"),
        "software": bool(facts.get("software")),
    }


def _sqnr_db(manifest: RunnerManifest, answers: Sequence[Array], folder: Path) -> float | None:
    """Least signal-to-noise ratio over the outputs against the CPU's answers, in dB; None if all are equal."""
    import numpy as np

    ratios = []
    for k in range(len(manifest.reported)):
        wanted = np.load(folder / f"{k}.npy").astype(np.float64)
        noise, signal = float(np.square(answers[k] - wanted).sum()), float(np.square(wanted).sum())
        if noise:
            ratios.append(10 * float(np.log10(max(signal, 1e-30 * noise) / noise)))
    return min(ratios, default=None)


def _share(facts: dict[str, Any]) -> float | None:
    operators, accelerated = facts.get("operators"), facts.get("taken")
    return accelerated / operators if operators and accelerated is not None else None


@contextlib.contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A folder for the CPU's answers; the next flash removes what a power cut leaves of it."""
    folder = root / PROBE / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
