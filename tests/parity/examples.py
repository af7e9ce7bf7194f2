"""Measurements and comparisons small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.ir.measurement import (
    Around,
    Array,
    Conditions,
    Energy,
    Environment,
    Kind,
    Measurement,
    Process,
    ServerTime,
    Validity,
    Watched,
    no_latency,
)
from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.tasks.classification import Classification

CLASSES = 10


def environment(kind: Kind = "device", *, host_stand_in: bool = False) -> Environment:
    return Environment(
        kind=kind,
        machine="aarch64",
        system="Linux 6.12",
        cpu="Cortex-A76",
        cores=4,
        ram_bytes=4 << 30,
        runtime="eager torch 2.13.0" if kind == "eager" else "executorch 1.5.1",
        python="3.11.7",
        threads=1,
        host_stand_in=host_stand_in,
    )


def logits(answers: Array) -> Array:
    """Outputs float32 [N, 10] that answer `answers`."""
    return np.eye(CLASSES, dtype=np.float32)[answers]


def measurement(answers: Array, labels: Array, where: Environment | None = None) -> Measurement:
    """One that says `answers`, and whose latency was not asked for."""
    return Measurement(
        outputs={"output": logits(answers)},
        labels=labels,
        samples_digest="ab" * 32,
        latency_ns=no_latency(),
        load_ns=12_000_000,
        first_ns=3_000_000,
        peak_rss_bytes=80_000_000,
        environment=where or environment(),
        validity=Validity(True),
    )


def timed(measurement: Measurement, latency_ns: Array, invalid: str | None = None) -> Measurement:
    return replace(measurement, latency_ns=latency_ns, validity=Validity(invalid is None, invalid))


COOL = Conditions(
    clock_mhz={"policy0": 1500.0},
    limit_mhz={"policy0": 2400.0},
    governor={"policy0": "ondemand"},
    temperature_c={"cpu-thermal": 48.5},
    throttled=(),
    load_1m=0.1,
    available_bytes=3_100_000_000,
)
WARM = replace(COOL, clock_mhz={"policy0": 2400.0}, temperature_c={"cpu-thermal": 55.0}, load_1m=0.9)
ENERGY = Energy(0.0125, 2.7, 5.0, "INA3221, VDD_IN, every 500 ms", 0.03)
SERVER = ServerTime(400_000, 150_000, 4_000_000, "triton 2.50.0")


def process(count: int, steady: bool = True, cooled: bool | None = True) -> Process:
    watched = (
        Watched(500_000_000, count // 2, 0.1, 0.004, {"policy0": 2400.0}, 54.0),
        Watched(1_000_000_000, count, 0.3, 0.001, {"policy0": 2380.0}, 55.5),
    )
    return Process(count, 12_000_000, 3_000_000, 24, 700_000_000, steady, COOL, WARM, watched, cooled)


def probed(measurement: Measurement) -> Measurement:
    """`measurement` by three processes, each of a third, with all that a board's sensors tell."""
    third, left = divmod(len(measurement.latency_ns), 3)
    return replace(
        measurement,
        processes=(process(third), process(third), process(third + left)),
        model_rss_bytes=9_500_000,
        around=Around(21_000, 4_000),
        energy=ENERGY,
        samples_per_s=395.0,
    )


def served_by(measurement: Measurement, server: ServerTime | None = None) -> Measurement:
    """`measurement` as a client of a server has it: of the machine behind it nothing is known."""
    where = Environment("serving", None, None, None, None, None, "triton 2.50.0", None, None, host_stand_in=False)
    return replace(measurement, environment=where, server=server or SERVER, samples_per_s=800.0, peak_rss_bytes=None)


def pair(count: int, reference_only: int, candidate_only: int, wrong: int = 0) -> tuple[Measurement, Measurement]:
    """A reference and a candidate of `count` samples with so many flips, and so many that both get wrong alike."""
    labels = np.arange(count) % CLASSES
    theirs, ours = labels.copy(), labels.copy()
    ours[:reference_only] = (ours[:reference_only] + 1) % CLASSES
    flipped = reference_only + candidate_only
    theirs[reference_only:flipped] = (theirs[reference_only:flipped] + 1) % CLASSES
    both = slice(flipped, flipped + wrong)
    theirs[both] = ours[both] = (labels[both] + 1) % CLASSES
    return measurement(theirs, labels, environment("eager")), measurement(ours, labels)


def comparison(count: int = 1000, reference_only: int = 6, candidate_only: int = 4, wrong: int = 100) -> Comparison:
    return compare(*pair(count, reference_only, candidate_only, wrong), Classification())
