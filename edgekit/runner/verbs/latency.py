"""Verb `latency`: time single inferences of a slot's model, and record the conditions of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ..machine import system
from ..machine.conditions import conditions
from ..machine.energy import idle_watts, meter
from ..model.manifest import read_manifest
from ..model.sequences import read_steps
from ..model.tensors import cycled, real, row, save
from ..runtimes.model import LoadedModel
from ..timing.affinity import pin
from ..timing.cooling import cool_down
from ..timing.disturbance import DisturbanceWatch
from ..timing.loop import single_stream

if TYPE_CHECKING:
    from ..model.accelerator import Accelerator
    from ..model.tensors import Array

IDLE_S = 1.0
"""Seconds for which idle power is measured."""
AROUND_COUNT = 64
"""Largest count of samples whose preparation and dequantization are timed."""


def latency(
    slot: Path,
    inputs: Path,
    out: Path,
    min_count: int,
    min_duration_s: float,
    threads: int,
    cpus: Sequence[int] = (),
    cool: tuple[float, float] | None = None,
    accelerator: Accelerator | None = None,
) -> dict[str, Any]:
    """Write `out/latency_ns.npy`, int64 [M]: one inference each, over the first samples in `inputs`, cycled.

    With state, an inference is one step, and the state is carried through the steps of each sequence.

    cpus: cores to pin the program to; all if empty. cool: temperature in °C to wait for before the run, and the
    longest wait in seconds. Raises RunnerError.
    """
    pin(cpus)
    cooled = cool_down(*cool) if cool else None
    before = conditions()
    power = meter()
    idle = idle_watts(IDLE_S) if power else None
    manifest = read_manifest(slot, accelerator)
    columns, steps = read_steps(inputs, manifest)
    samples = cycled(columns)
    model = LoadedModel.load(manifest, threads, samples[0], steps=steps)
    watch = DisturbanceWatch(power)
    timed = single_stream(model.call, samples, min_count, min_duration_s, watch.look, started=watch.start)
    energy, after = watch.energy(), conditions()
    peak_rss_bytes = system.peak_rss_bytes()
    save(out / "latency_ns.npy", timed.latency_ns)
    return {
        **model.facts,
        "peak_rss_bytes": peak_rss_bytes,
        "count": len(timed.latency_ns),
        "warm_up_count": timed.warm_up_count,
        "warm_up_ns": timed.warm_up_ns,
        "steady": timed.steady,
        "before": before,
        "after": after,
        "watched": watch.spans,
        "cooled": cooled,
        "around": _around(model, columns),
        "energy": energy and {**energy, "idle_watts": idle},
    }


def _around(model: LoadedModel, columns: list[Array]) -> dict[str, int]:
    """Time the work before and after an inference by itself: medians, in whole nanoseconds."""
    count = min(AROUND_COUNT, len(columns[0]))
    before, after = [], []
    outputs = model.call(row(columns, 0))
    for i in range(count):
        started = perf_counter_ns()
        row(columns, i)
        sliced = perf_counter_ns()
        for output, tensor in zip(outputs, model.manifest.outputs):
            real(output, tensor)
        ended = perf_counter_ns()
        before.append(sliced - started)
        after.append(ended - sliced)
    return {"before_ns": int(median(before)), "after_ns": int(median(after))}
