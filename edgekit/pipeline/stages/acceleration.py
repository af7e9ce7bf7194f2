"""Accelerators that a bundle asks its device to try, by the target and the gates of the profile."""

from __future__ import annotations

from edgekit.bundle.manifest_records import Acceleration
from edgekit.ir.artifact import Format
from edgekit.pipeline.request import BuildRequest
from edgekit.runner.model.accelerator import KINDS


def acceleration_of(request: BuildRequest, format: Format) -> Acceleration | None:
    """Accelerators that the device shall measure beside its CPU, with the profile's gates; None without any.

    TensorRT and CUDA are not among them: they are tried by the bundle's engine plan.
    """
    able = request.target.accelerators(request.runtime.backend)
    kinds = tuple(each.kind for each in able if each.kind in KINDS[format])
    if not kinds:
        return None
    gates = request.profile.gates
    share = gates.accelerated_share.min if gates.accelerated_share else None
    prefer = request.profile.accelerator.prefer
    unnamed = 1.0 if prefer == "latency" else None
    slower = gates.accelerator_not_slower.max if gates.accelerator_not_slower else unnamed
    return Acceleration(kinds=kinds, share=share, slower=slower, prefer=prefer)
