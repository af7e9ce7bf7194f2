"""Answers of an accelerator beside those of the CPU of the same device, for the same file and samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgekit.devices.flash import Installation
from edgekit.ir.measurement import Measurement
from edgekit.ir.sqnr import sqnr_db
from edgekit.measure.device.installed_bundle import Installed
from edgekit.measure.shards import Shards
from edgekit.runner.model.accelerator import CPU, Accelerator
from edgekit.samples import Samples


@dataclass(frozen=True)
class AgainstCpu:
    """Difference of an accelerator's answers from the CPU's."""

    sqnr_db: Mapping[str, float]
    """Signal to noise in dB by output, the CPU's answers the signal; infinite where they are equal."""
    agreement: float | None
    """Share of the samples with the same largest element, of the first output [N, C]; None without such an output."""
    samples: int


def against_cpu(installation: Installation, shards: Shards, samples: Samples, measured: Measurement) -> AgainstCpu:
    """Have the CPU of the device answer `samples`, and compare. Raises as `Installed.measure` does."""
    there = replace(installation, accelerator=Accelerator(CPU))
    return compared(Installed(there, shards).measure(samples, None), measured)


def compared(reference: Measurement, measured: Measurement) -> AgainstCpu:
    """Compare two measurements of the same samples."""
    pairs = {name: (reference.outputs[name], output) for name, output in measured.outputs.items()}
    scores = [(a, b) for a, b in pairs.values() if a.ndim == 2 and a.shape[1] > 1]
    agreement = float(np.mean(scores[0][0].argmax(1) == scores[0][1].argmax(1))) if scores else None
    return AgainstCpu({name: sqnr_db(a, b) for name, (a, b) in pairs.items()}, agreement, len(measured))
