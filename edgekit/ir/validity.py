"""Validity of a latency: one rule for devices, the reference, and servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgekit.ir.measurement import Array, Process, Validity

NOT_ASKED = Validity(False, "latency was not asked for")
EMULATED = Validity(False, "an emulated device has no time of its own")
SLACK = 0.2
"""Cores that the housekeeping of an idle system may take."""
BUSY_SHARE = 0.1
"""Largest share of the spans of a run in which other programs may leave no free core."""
WAITED_SHARE = 0.02
"""Largest share of the time that the program may wait for a core."""
CLOCK_MOVED = 0.1
"""Largest distance of the 5th and 95th percentile of the clock, as a share of the higher."""
TREND = 0.1
"""Largest difference of the last third of a process from its first, as a share of the first."""
TREND_COUNT = 36
"""Least number of inferences in a process that shows a trend. The quick plan times 43 of a slow model."""


def software(device: str | None) -> Validity:
    """Validity of a time on an accelerator in software, by its device's name: it has no time of its own."""
    return Validity(False, f"{device or 'its device'} is software: no accelerator has this time")


def validity(processes: Sequence[Process], latency_ns: Array, min_count: int, threads: int, cores: int) -> Validity:
    """Judge latencies: valid if enough was timed, on an idle machine, at a constant clock and pace.

    latency_ns: int64 [M], the inferences of `processes` in order. min_count: least number of inferences. threads: of
    the runtime. cores: of the machine. The reason names every cause.
    """
    reasons = (
        *_too_few(len(latency_ns), min_count),
        *_busy(processes, threads, cores),
        *_waiting(processes),
        *_throttled(processes),
        *_clocks(processes),
        *_warm(processes),
        *_trends(processes, latency_ns),
    )
    return Validity(not reasons, "; ".join(reasons) or None)


def _too_few(count: int, min_count: int) -> Iterator[str]:
    if count < min_count:
        yield f"too few: {count} inferences were timed, {min_count} were asked for"


def _busy(processes: Sequence[Process], threads: int, cores: int) -> Iterator[str]:
    """Reason if other programs and the timed threads need more cores than there are."""
    needed = min(threads, cores)
    others = [span.others_cores for process in processes for span in process.watched if span.others_cores is not None]
    busy = [used for used in others if used + needed > cores + SLACK]
    if len(busy) > BUSY_SHARE * len(others):
        share = len(busy) / len(others)
        yield f"the machine was busy {share:.0%} of the time: others took up to {max(busy):.1f} of its {cores} cores"


def _waiting(processes: Sequence[Process]) -> Iterator[str]:
    """Reason if the program waited for a core; spans count by length, for the last of a process may be short."""
    waited, lengths = [], []
    for process in processes:
        began = 0
        for span in process.watched:
            if span.waited is not None:
                waited.append(span.waited)
                lengths.append(max(1, span.at_ns - began))
            began = span.at_ns
    share = float(np.average(waited, weights=lengths)) if waited else 0.0
    if share > WAITED_SHARE:
        yield f"the program waited for a core {share:.0%} of the time"


def _throttled(processes: Sequence[Process]) -> Iterator[str]:
    flags = {
        flag for process in processes for moment in (process.before, process.after) for flag in moment.throttled or ()
    }
    if flags:
        yield f"the machine was throttled: {', '.join(sorted(flags))}"
        return
    for process in processes:
        before, after = process.before.throttle_events, process.after.throttle_events
        if before is not None and after is not None and after > before:
            yield f"the machine was throttled {after - before} times meanwhile"
            return


def _clocks(processes: Sequence[Process]) -> Iterator[str]:
    """Reason if the highest clock of all groups of cores moved; groups that idle clock as they please."""
    spans = [span for process in processes for span in process.watched if span.clock_mhz]
    if not spans:
        return
    low, high = np.percentile([max(span.clock_mhz.values()) for span in spans], (5, 95))
    if high - low > CLOCK_MOVED * high:
        yield f"the clock moved between {low:.0f} and {high:.0f} MHz"


def _warm(processes: Sequence[Process]) -> Iterator[str]:
    if any(process.cooled is False for process in processes):
        yield "the machine did not cool down to the temperature it started at"


def _trends(processes: Sequence[Process], latency_ns: Array) -> Iterator[str]:
    """Reason if the median of the last third of a process differs from that of its first."""
    start = 0
    for process in processes:
        times, start = latency_ns[start : start + process.count], start + process.count
        third = len(times) // 3
        if len(times) < TREND_COUNT:
            if not process.steady:
                yield "the times had not settled when the warm-up ended, and too few were timed to tell a trend"
                return
            continue
        first, last = (float(np.median(part)) for part in (times[:third], times[-third:]))
        if abs(last - first) > TREND * first:
            how = "slower" if last > first else "quicker"
            yield f"it became {how} while it was timed: from {first / 1e6:.3g} to {last / 1e6:.3g} ms"
            return
