"""Measurements and comparisons small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.ir.measurement import Array, Environment, Kind, Measurement, Validity, no_latency
from edgekit.parity.compare import Comparison, compare
from edgekit.parity.metrics import TopOne

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


def timed(taken: Measurement, latency_ns: Array, invalid: str | None = None) -> Measurement:
    return replace(taken, latency_ns=latency_ns, validity=Validity(invalid is None, invalid))


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
    return compare(*pair(count, reference_only, candidate_only, wrong), TopOne())
