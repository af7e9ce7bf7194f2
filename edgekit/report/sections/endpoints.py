"""Section that compares the reference and the candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edgekit.ir.plural import counted
from edgekit.parity.endpoint_record import EndpointRecord, LatencyRecord
from edgekit.parity.gate_texts import decimal, megabytes, metric_value, milliseconds, percent
from edgekit.report.record import ReportRecord
from edgekit.report.sections.section import Row, Section, section
from edgekit.tasks.metric import SHARE

_EMULATED = (
    "The candidate ran on an emulated device, which counts instructions and has no time of its own: what it took to "
    "load and to run first is the emulator's time."
)
_SERVED = "Of a server, 'load' is what it took to connect and to ask what the model is like."
_NOTES = {"emulated": _EMULATED, "serving": _SERVED}
"""Notes under the table, by kind of an endpoint."""


def endpoints(report: ReportRecord) -> Section:
    """Compare both endpoints: machine, metric, time and memory."""
    sides = (report.reference, report.candidate)
    rows = [*((label, *map(show, sides)) for label, show in _ROWS), *_where_known(sides)]
    notes = [note for kind, note in _NOTES.items() if kind in (sides[0].kind, sides[1].kind)]
    return section("Reference against candidate", ("", "reference", candidate_name(report)), rows, notes)


def candidate_name(report: ReportRecord) -> str:
    return "candidate (host, not the target)" if report.host_stand_in else "candidate"


def latency(record: LatencyRecord, percentile_ns: Callable[[LatencyRecord], int | None]) -> str:
    """A percentile of `record` in milliseconds, with the number of runs, and INVALID if it may not be quoted."""
    value_ns = percentile_ns(record)
    if record.count == 0:
        return "not measured"
    if value_ns is None:
        return f"too few ({counted(record.count, 'run')})"
    return f"{milliseconds(value_ns / 1e6)} ({counted(record.count, 'run')}{'' if record.valid else ', INVALID'})"


def confidence(low: float, high: float) -> str:
    return f"{100 * low:.2f} to {100 * high:.2f}"


def _where_known(sides: tuple[EndpointRecord, EndpointRecord]) -> Iterable[Row]:
    """Rows of the facts that only some endpoints can tell, where one of the two does."""
    rows: tuple[tuple[str, str, Callable[[EndpointRecord], str]], ...] = (
        ("answers a second, all samples", "samples_per_s", _rate),
        ("memory of the model alone", "model_rss_bytes", _model_memory),
        ("around an inference", "around", _around),
        ("energy of an answer", "energy", _energy),
        ("instructions", "instructions", _instructions),
    )
    for label, field, show in rows:
        if any(getattr(side, field) is not None for side in sides):
            yield (label, *map(show, sides))


def _runs_on(side: EndpointRecord) -> str:
    environment = side.environment
    where = environment.cpu or environment.machine or "unknown"
    if environment.threads is None:
        return where
    threads = "1 thread" if environment.threads == 1 else f"{environment.threads} threads"
    cores = f", bound to cores {', '.join(map(str, side.cpus))}" if side.cpus else ""
    return f"{where}, {threads}{cores}"


def _metric(side: EndpointRecord) -> str:
    metric = side.score
    if metric is None:
        return "no labels"
    if metric.unit == SHARE:
        return f"{metric.name} {percent(metric.value)} ({confidence(metric.low, metric.high)} %)"
    return f"{metric.name} {metric_value(metric.value, metric.unit)} ({metric.low:.4g} to {metric.high:.4g})"


def _memory(side: EndpointRecord) -> str:
    return _bytes(side.peak_rss_bytes)


def _model_memory(side: EndpointRecord) -> str:
    return _bytes(side.model_rss_bytes)


def _bytes(count: int | None) -> str:
    return "unknown" if count is None else megabytes(count / 1e6)


def _rate(side: EndpointRecord) -> str:
    return "unknown" if side.samples_per_s is None else decimal(side.samples_per_s, 1)


def _around(side: EndpointRecord) -> str:
    around = side.around
    if around is None:
        return "unknown"
    return f"{milliseconds(around.before_ns / 1e6)} before, {milliseconds(around.after_ns / 1e6)} after"


def _energy(side: EndpointRecord) -> str:
    energy = side.energy
    if energy is None:
        return "no sensor"
    idle = "" if energy.idle_watts is None else f", {decimal(energy.idle_watts, 2)} W at rest"
    sure = f"{decimal(1000 * energy.joules, 3)} mJ, give or take {percent(energy.uncertainty)}"
    return f"{sure} ({decimal(energy.watts, 2)} W{idle}; {energy.method})"


def _instructions(side: EndpointRecord) -> str:
    return "not counted" if side.instructions is None else f"{side.instructions:,} an inference"


_ROWS: tuple[tuple[str, Callable[[EndpointRecord], str]], ...] = (
    ("kind", lambda side: side.kind),
    ("runs on", _runs_on),
    ("runtime", lambda side: side.environment.runtime),
    ("metric", _metric),
    ("samples", lambda side: f"{side.samples:,}"),
    ("load", lambda side: milliseconds(side.load_ns / 1e6)),
    ("first run", lambda side: milliseconds(side.first_ns / 1e6)),
    ("peak memory", _memory),
    ("latency p50", lambda side: latency(side.latency, lambda record: record.p50_ns)),
)
