"""Readings of the gates on time, memory and instructions of the device."""

from __future__ import annotations

from dataclasses import replace

from edgekit.ir.plural import counted, verb
from edgekit.parity.endpoint_record import LatencyRecord
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.statistics.estimate import Estimate, exact
from edgekit.parity.statistics.percentiles import needed_count

_PROBE_IT = "edgekit run --device URL"
_EMULATE_IT = "edgekit run --device emulated"


def on_device(name: str, facts: GateInputs) -> Estimate | MissingValue:
    candidate = facts.comparison.candidate
    if facts.device == "none":
        return MissingValue(f"no device was probed; {_PROBE_IT} decides it", "undecided")
    if facts.device == "emulated" and name != "peak_rss_mb":
        return MissingValue(f"an emulated device has no time of its own; {_PROBE_IT} of a board tells")
    if candidate.environment.host_stand_in:
        reason = f"the host stood in for the target, and says nothing of its time or memory; {_PROBE_IT} on the target"
        return MissingValue(reason, "undecided")
    if name != "peak_rss_mb":
        return _latency(50 if name == "latency_p50_ms" else 90, candidate.latency)
    if candidate.peak_rss_bytes is None:
        return MissingValue("the device does not say how much memory a process used")
    return exact(candidate.peak_rss_bytes / 1e6)


def instructions_ratio(facts: GateInputs) -> Estimate | MissingValue:
    """Ratio of instructions to the baseline's: not measurable without a baseline, undecided if that has no count."""
    counted, baseline = facts.comparison.candidate.instructions, facts.baseline
    if counted is None:
        return MissingValue(f"only an emulated device counts instructions; {_EMULATE_IT}")
    if baseline is None:
        reason = f"{counted:,} instructions were counted, and there is no earlier run to compare with; keep this one's "
        return MissingValue(f"{reason}report, and give it to the next: --baseline REPORT")
    if not baseline.instructions:
        return MissingValue(f"the baseline {baseline.reason or 'counted no instructions'}; {_EMULATE_IT}", "undecided")
    return exact(counted / baseline.instructions)


def against_float(facts: GateInputs) -> Estimate | MissingValue:
    """Ratio to the float file: of instructions where they are counted, else of the median latencies."""
    candidate, float_file = facts.comparison.candidate, facts.float_file
    if facts.device == "none":
        return MissingValue(f"no device was probed; {_PROBE_IT} tells")
    if candidate.environment.host_stand_in:
        return MissingValue(f"the host stood in for the target; {_PROBE_IT} on the target, or an emulated one")
    if float_file is None:
        return MissingValue("the model is the float model")
    if facts.device == "emulated":
        if not candidate.instructions or not float_file.instructions:
            return MissingValue("this device counts no instructions")
        return exact(candidate.instructions / float_file.instructions)
    ours, theirs = (_latency(50, latency) for latency in (candidate.latency, float_file.latency))
    if isinstance(ours, MissingValue):
        return replace(ours, value=None)  # its value is milliseconds, not a ratio
    if isinstance(theirs, MissingValue):
        return replace(theirs, value=None)
    return exact(ours.value / theirs.value)


def _latency(percent: int, latency: LatencyRecord) -> Estimate | MissingValue:
    value_ns = latency.p50_ns if percent == 50 else latency.p90_ns
    value_ms = None if value_ns is None else value_ns / 1e6
    if not latency.valid:
        return MissingValue(
            f"the latency is not valid: {latency.reason or 'no reason was given'}", "undecided", value_ms
        )
    if value_ms is None:
        needed = needed_count(percent)
        timed = f"{counted(latency.count, 'answer')} {verb(latency.count, 'was', 'were')} timed, {needed} are needed"
        return MissingValue(f"{timed}; --set profile.probe.min_count={needed}", "undecided")
    return exact(value_ms)
