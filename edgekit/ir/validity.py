"""Whether a latency may be quoted: the same rule for a device and for the reference."""

from __future__ import annotations

from edgekit.ir.measurement import Validity

NOT_ASKED = Validity(False, "latency was not asked for")
EMULATED = Validity(False, "an emulated device has no time of its own")
SLACK = 0.2
"""Cores that a quiet system's own housekeeping may take."""


def validity(count: int, min_count: int, background_cores: float | None, threads: int, cores: int) -> Validity:
    """Valid if enough was timed, and what others kept busy left a core for every thread that was timed."""
    if count < min_count:
        return Validity(False, f"{count} inferences were timed, {min_count} were asked for")
    if background_cores is not None and background_cores + threads > cores + SLACK:
        return Validity(False, f"the machine was busy: others took {background_cores:.1f} of its {cores} cores")
    return Validity(True)
