"""Judgement of the windows of one bundle: gates, a sentence, and what cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from edgekit.devices.windows import AnswerCounts, TimeCounts
from edgekit.monitor.accuracy_estimate import AccuracyNow, accuracy_now, contradiction
from edgekit.monitor.quiet_null import window_level
from edgekit.monitor.shifts import LEAST_ROWS, SignalShift, quantities, signal_shifts, signal_words
from edgekit.monitor.window_sum import WindowSum, judged_windows
from edgekit.parity.gate_texts import milliseconds, percent, points
from edgekit.parity.statistics.estimate import normal_quantile
from edgekit.runner.counts.bins import FrozenBins
from edgekit.runner.counts.exponential_histogram import ExponentialHistogram
from edgekit.specs.monitor import MonitorLimit, MonitorSpec

Outcome = Literal["passed", "failed", "undecided", "not measurable"]
BLIND = (
    "It cannot see labels that changed their meaning (concept drift), nor a class that the model was never taught and "
    "is sure of: both leave confidences as they are."
)
CERTAIN = 0.95
HISTORY = 200
"""Newest windows that are looked at for the time since when."""
LEAST_REQUESTS = 100
"""Requests without which neither a percentile nor a share of errors is told."""


@dataclass(frozen=True)
class LiveGate:
    """One gate on served requests."""

    name: str
    value: float | None
    max: float
    outcome: Outcome
    meaning: str
    since: int | None = None
    """Begin of the first of the windows that miss it now, in seconds since 1970 by the device's clock."""
    worst: str | None = None
    """Signal that decides, where there are several."""


@dataclass(frozen=True)
class Judgement:
    """Judgement of the windows of one bundle, of one device or several."""

    verdict: Literal["passed", "failed", "undecided"]
    sentence: str
    gates: tuple[LiveGate, ...]
    accuracy: AccuracyNow | None
    shifts: tuple[SignalShift, ...]
    """Shifts over the windows that are judged now, the largest first."""
    windows: int
    rows: int
    remarks: tuple[str, ...]

    def gate(self, name: str) -> LiveGate | None:
        return next((gate for gate in self.gates if gate.name == name), None)


@dataclass(frozen=True)
class _Judged:
    """A window, with what is beyond the bounds in it."""

    window: WindowSum
    drop: bool
    shift: bool


def judge(
    bins: FrozenBins | None, answers: Sequence[AnswerCounts], times: Sequence[TimeCounts], spec: MonitorSpec
) -> Judgement:
    """Judge windows of one bundle. bins: None of a bundle without. Raises ValueError if a window does not fit them."""
    judged, left = judged_windows(bins, answers, spec.rows) if bins else ([], 0)
    alike = WindowSum.of(bins, answers).alike if bins else 1.0
    last = judged[-spec.of :]
    now = _joined(last) if last else None
    gates: list[LiveGate] = []
    accuracy = accuracy_now(now, alike) if now else None
    shifts: tuple[SignalShift, ...] = ()
    if now:
        level = window_level(spec.false_alarms, spec.needed, quantities(now))
        shifts = signal_shifts(now, level, alike)
        beyond = [_judged(window, level, alike, spec) for window in judged[-HISTORY:]]
        gates += [_drop_gate(now, accuracy, beyond, spec)] if spec.estimated_drop else []
        gates += [_shift_gate(shifts, beyond, spec)] if spec.input_shift else []
    else:
        why = "the bundle holds no bins: build it anew with this edgekit" if bins is None else _too_few(left, spec)
        for name, limit in (("estimated_drop", spec.estimated_drop), ("input_shift", spec.input_shift)):
            gates += [LiveGate(name, None, limit.max, "not measurable", f"Cannot tell: {why}.")] if limit else []
    gates += _time_gates(times, spec)
    rows = sum(window.rows for window in answers)
    return _judgement(tuple(gates), accuracy, shifts, len(judged), rows, _remarks(now, alike, left, answers))


def _joined(last: Sequence[WindowSum]) -> WindowSum:
    """Sum of judged windows."""
    whole = last[0]
    for other in last[1:]:
        added = {
            field.name: getattr(whole, field.name) + getattr(other, field.name)
            for field in fields(whole)
            if field.name not in ("bins", "begun", "ended", "signals")
        }
        signals = {name: counts + other.signals[name] for name, counts in whole.signals.items()}
        whole = replace(whole, ended=max(whole.ended, other.ended), signals=signals, **added)
    return whole


def _judged(window: WindowSum, level: float, alike: float, spec: MonitorSpec) -> _Judged:
    estimate = accuracy_now(window, alike)
    drop = False
    if estimate and spec.estimated_drop:
        chance = normal_quantile(1 - level) * estimate.error
        drop = estimate.drop > max(spec.estimated_drop.max, chance)
    limit = spec.input_shift.max if spec.input_shift else 1.0
    shift = any(each.is_beyond(limit) for each in signal_shifts(window, level, alike))
    return _Judged(window, drop, shift)


def _drop_gate(now: WindowSum, accuracy: AccuracyNow | None, judged: Sequence[_Judged], spec: MonitorSpec) -> LiveGate:
    assert spec.estimated_drop
    limit = spec.estimated_drop
    if accuracy is None:
        why = contradiction(now) or "the bundle's bins know no accuracy"
        return LiveGate("estimated_drop", None, limit.max, "not measurable", f"No number: {why}.")
    outcome, since = _outcome([each.drop for each in judged], judged, spec)
    low, high = accuracy.accuracy.low, accuracy.accuracy.high
    meaning = (
        f"Estimated accuracy {percent(round(accuracy.accuracy.value, 4))}, between {percent(round(low, 4))} and "
        f"{percent(round(high, 4))} (ATC {percent(round(accuracy.atc, 4))}, DoC {percent(round(accuracy.doc, 4))}), "
        f"against {percent(round(accuracy.commit, 4))} at commit; at most {points(limit.max)} less are allowed."
    )
    return LiveGate("estimated_drop", accuracy.drop, limit.max, outcome, meaning, since)


def _shift_gate(shifts: Sequence[SignalShift], judged: Sequence[_Judged], spec: MonitorSpec) -> LiveGate:
    assert spec.input_shift
    limit = spec.input_shift
    if not shifts:
        why = f"no signal has {LEAST_ROWS} rows yet"
        return LiveGate("input_shift", None, limit.max, "not measurable", f"Cannot tell: {why}.")
    outcome, since = _outcome([each.shift for each in judged], judged, spec)
    worst = shifts[0]
    meaning = (
        f"The largest shift is that of {signal_words(worst.signal)}: {worst.distance:.3f} "
        f"(by chance up to {worst.chance:.3f}; PSI {worst.psi:.2f}); at most {limit.max:g} is allowed."
    )
    return LiveGate("input_shift", worst.distance, limit.max, outcome, meaning, since, worst.signal)


def _outcome(flags: Sequence[bool], judged: Sequence[_Judged], spec: MonitorSpec) -> tuple[Outcome, int | None]:
    """Outcome of the last windows; and since when they miss the gate, if they do."""
    last = flags[-spec.of :]
    if not any(last):
        return "passed", None
    if sum(last) < spec.needed:
        return "undecided", None
    place = len(flags) - 1
    # Back as long as it was an alarm already; then to the first of the windows that made it one.
    while place > 0 and sum(flags[max(0, place - spec.of) : place]) >= spec.needed:
        place -= 1
    first = next(k for k in range(max(0, place - spec.of + 1), place + 1) if flags[k])
    return "failed", judged[first].window.begun


def _time_gates(times: Sequence[TimeCounts], spec: MonitorSpec) -> list[LiveGate]:
    """Gates on the newest requests, as many as are judged together."""
    latency, rows, failed = ExponentialHistogram(), 0, 0
    for window in sorted(times, key=lambda each: (-each.begun, -each.number)):
        if rows >= max(spec.rows, LEAST_REQUESTS) * spec.of:
            break
        rows, failed = rows + window.rows - window.refused, failed + window.failed
        offset, counts = window.latency_ns.offset, window.latency_ns.bucket_counts
        latency.merge(ExponentialHistogram({offset + k: count for k, count in enumerate(counts) if count}))
    gates = []
    if spec.latency_p90_ms:
        gates.append(_latency_gate(latency, spec.latency_p90_ms))
    if spec.error_rate:
        gates.append(_error_gate(failed, rows, spec.error_rate))
    return gates


def _latency_gate(latency: ExponentialHistogram, limit: MonitorLimit) -> LiveGate:
    value_ns = latency.quantile(0.9)
    if value_ns is None or latency.count < LEAST_REQUESTS:
        why = f"Cannot tell: of {latency.count} requests, {LEAST_REQUESTS} are needed."
        return LiveGate("latency_p90_ms", None, limit.max, "not measurable", why)
    value = value_ns / 1e6
    meaning = (
        f"Nine of ten of {latency.count:,} requests were answered within {milliseconds(value)}; "
        f"at most {milliseconds(limit.max)} is allowed."
    )
    return LiveGate("latency_p90_ms", value, limit.max, "failed" if value > limit.max else "passed", meaning)


def _error_gate(failed: int, rows: int, limit: MonitorLimit) -> LiveGate:
    if rows < LEAST_REQUESTS:
        why = f"Cannot tell: of {rows} requests, {LEAST_REQUESTS} are needed."
        return LiveGate("error_rate", None, limit.max, "not measurable", why)
    share = failed / rows
    z = normal_quantile(CERTAIN)
    middle, half = share + z * z / (2 * rows), z * (share * (1 - share) / rows + z * z / (4 * rows * rows)) ** 0.5
    low = (middle - half) / (1 + z * z / rows)
    outcome: Outcome = "passed" if share <= limit.max else "failed" if low > limit.max else "undecided"
    meaning = (
        f"{failed:,} of {rows:,} requests, {percent(round(share, 5))}, were not answered through no fault of the "
        f"client's; at most {percent(limit.max)} is allowed."
    )
    return LiveGate("error_rate", share, limit.max, outcome, meaning)


def _too_few(left: int, spec: MonitorSpec) -> str:
    return f"{left:,} answers were counted, {spec.rows:,} are judged together"


def _remarks(now: WindowSum | None, alike: float, left: int, answers: Sequence[AnswerCounts]) -> tuple[str, ...]:
    lost = max((window.lost_rows for window in answers), default=0)
    return tuple(
        filter(
            None,
            (
                f"{left:,} answers wait for the next window." if now and left else "",
                f"Successive answers are alike: {alike:.1f} tell as much as one." if alike > 1.5 else "",
                f"{now.unusable:,} answers held NaN or infinite values." if now and now.unusable else "",
                f"The counts of {lost:,} requests could not be written on the device." if lost else "",
                BLIND if now else "",
            ),
        )
    )


def _judgement(
    gates: tuple[LiveGate, ...],
    accuracy: AccuracyNow | None,
    shifts: tuple[SignalShift, ...],
    windows: int,
    rows: int,
    remarks: tuple[str, ...],
) -> Judgement:
    outcomes = {gate.outcome for gate in gates}
    missed = [gate for gate in gates if gate.outcome == "failed"]
    if missed:
        sentence = f"ALARM by {' and '.join(gate.name for gate in missed)}: {missed[0].meaning}"
        return Judgement("failed", sentence, gates, accuracy, shifts, windows, rows, remarks)
    if not gates or "passed" not in outcomes or "undecided" in outcomes or (windows == 0 and rows == 0):
        open_gate = next((gate for gate in gates if gate.outcome != "passed"), None)
        sentence = f"Cannot tell yet: {open_gate.meaning}" if open_gate else "Nothing was counted yet."
        return Judgement("undecided", sentence, gates, accuracy, shifts, windows, rows, remarks)
    unknown = [gate.name for gate in gates if gate.outcome == "not measurable"]
    without = f" Not measurable: {', '.join(unknown)}." if unknown else ""
    sentence = f"No alarm over {rows:,} answers.{without}"
    if accuracy:
        sentence = (
            f"It answers about {percent(round(accuracy.accuracy.value, 3))} right, "
            f"{percent(round(accuracy.commit, 3))} at commit: no alarm over {rows:,} answers.{without}"
        )
    return Judgement("passed", sentence, gates, accuracy, shifts, windows, rows, remarks)
