"""What a person reads of a report, in order, before it is text, Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.parity.gates import Verdict
from edgekit.parity.quantities import QUANTITIES, megabytes, milliseconds, percent, points, times
from edgekit.report.record import ArtifactRecord, EndpointRecord, Gate, LatencyRecord, Report

Row = tuple[str, ...]

NOT_THE_TARGET = "HOST, NOT THE TARGET: this machine ran the candidate, so no time or memory below is the target's."


EMULATED = (
    "The candidate ran on an emulated device, which counts instructions and has no time of its own: what it took to "
    "load and to run first is the emulator's time."
)


@dataclass(frozen=True)
class Section:
    """A table under a title, and sentences under the table. Every row is as long as the header."""

    title: str
    header: Row
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outline:
    """The verdict first, then why."""

    verdict: Verdict
    subject: str
    sentence: str
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]


def outline(report: Report) -> Outline:
    """The report in words and units. Every string is one printable line."""
    where = report.device or "no device"
    return Outline(
        verdict=report.verdict,
        subject=_line(", ".join((report.target, report.profile, report.backend, where))),
        sentence=_line(report.sentence),
        warnings=(*((NOT_THE_TARGET,) if report.host_stand_in else ()), *map(_line, report.warnings or ())),
        sections=(
            _gates(report.gates),
            _endpoints(report),
            _pairs(report),
            _artifact(report.artifact),
            _stages(report),
            _provenance(report),
        ),
    )


def _gates(gates: tuple[Gate, ...]) -> Section:
    rows = [(gate.name, _value(gate), _limit(gate), gate.outcome) for gate in gates]
    notes = [f"{gate.name} {gate.outcome}. {gate.meaning}" for gate in gates if gate.outcome != "passed"]
    return _section("Gates", ("gate", "measured", "limit", "outcome"), rows, notes)


def _value(gate: Gate) -> str:
    return "-" if gate.value is None else QUANTITIES[gate.name].show(gate.value)


def _limit(gate: Gate) -> str:
    return QUANTITIES[gate.name].limit(gate.min, gate.max)


def _endpoints(report: Report) -> Section:
    sides = (report.reference, report.candidate)
    rows = [(label, *map(show, sides)) for label, show in _ROWS]
    for name in ("p90", "p99"):
        if any(getattr(side.latency_ns, name) for side in sides):
            rows.append((f"latency {name}", *(_latency(side.latency_ns, name) for side in sides)))
    if any(side.instructions for side in sides):
        rows.append(("instructions", *map(_instructions, sides)))
    candidate = "candidate (host, not the target)" if report.host_stand_in else "candidate"
    notes = [
        f"The {label}'s latency is not valid: {side.latency_ns.reason}."
        for label, side in (("reference", sides[0]), ("candidate", sides[1]))
        if side.latency_ns.count and not side.latency_ns.valid
    ]
    if report.candidate.kind == "emulated":
        notes.append(EMULATED)
    return _section("Reference against candidate", ("", "reference", candidate), rows, notes)


def _runs_on(side: EndpointRecord) -> str:
    environment = side.environment
    where = environment.cpu or environment.machine or environment.runtime
    if environment.threads is None:
        return where
    return f"{where}, 1 thread" if environment.threads == 1 else f"{where}, {environment.threads} threads"


def _metric(side: EndpointRecord) -> str:
    metric = side.metric
    return f"{metric.name} {percent(metric.value)} ({_range(metric.low, metric.high)} %)"


def _range(low: float, high: float) -> str:
    return f"{100 * low:.2f} to {100 * high:.2f}"


def _latency(latency: LatencyRecord, name: str) -> str:
    value_ns = getattr(latency, name)
    if latency.count == 0:
        return "not measured"
    if value_ns is None:
        return f"too few ({latency.count:,} runs)"
    return f"{milliseconds(value_ns / 1e6)} ({latency.count:,} runs{'' if latency.valid else ', INVALID'})"


def _memory(side: EndpointRecord) -> str:
    return "unknown" if side.peak_rss_bytes is None else megabytes(side.peak_rss_bytes / 1e6)


def _instructions(side: EndpointRecord) -> str:
    return "not counted" if side.instructions is None else f"{side.instructions:,} an inference"


_ROWS = (
    ("kind", lambda side: side.kind),
    ("runs on", _runs_on),
    ("runtime", lambda side: side.environment.runtime),
    ("metric", _metric),
    ("samples", lambda side: f"{side.samples:,}"),
    ("load", lambda side: milliseconds(side.load_ns / 1e6)),
    ("first run", lambda side: milliseconds(side.first_ns / 1e6)),
    ("peak memory", _memory),
    ("latency p50", lambda side: _latency(side.latency_ns, "p50")),
)


def _pairs(report: Report) -> Section:
    bounds, flips = report.accuracy_drop_bounds, report.flips
    sure = f"{100 * bounds.confidence:g} % sure of each"
    rows = [
        *_sampled(report),
        ("accuracy drop", f"{points(report.accuracy_drop)} ({_range(bounds.low, bounds.high)}, {sure})"),
        ("agreement", percent(report.agreement)),
        ("right only in the reference", f"{flips.reference_only:,} samples"),
        ("right only in the candidate", f"{flips.candidate_only:,} samples"),
        ("McNemar's p", f"{report.mcnemar_p:.3g}"),
        ("SQNR of the outputs", "infinite" if report.sqnr_db is None else f"{report.sqnr_db:.1f} dB"),
    ]
    if report.host_parity:
        rows.append(("on the device and on the host", report.host_parity.sentence))
    if report.baseline_instructions and report.candidate.instructions:
        ratio = times(report.candidate.instructions / report.baseline_instructions)
        rows.append(("instructions", f"{ratio} the baseline's {report.baseline_instructions:,}"))
    rows += _against_float(report)
    return _section("Sample by sample", ("", "measured"), rows)


def _against_float(report: Report) -> Iterable[Row]:
    """What an answer takes of what the float file took on the same device."""
    file, candidate = report.float_file, report.candidate
    if file and file.instructions and candidate.instructions:
        ratio = times(candidate.instructions / file.instructions)
        yield ("instructions", f"{ratio} the float file's {file.instructions:,}")
    elif file and file.latency_ns.p50 and candidate.latency_ns.p50:
        ratio = times(candidate.latency_ns.p50 / file.latency_ns.p50)
        yield ("latency p50", f"{ratio} the float file's {milliseconds(file.latency_ns.p50 / 1e6)}")


def _sampled(report: Report) -> Iterable[Row]:
    """Which samples it was, where not all."""
    sampling = report.sampling
    if sampling is None or sampling.taken == sampling.total:
        return
    how = "stratified by class" if sampling.stratified else "spread over the set"
    yield ("samples", f"{sampling.taken:,} of {sampling.total:,}, {how}")


def _artifact(artifact: ArtifactRecord) -> Section:
    rows = [
        ("format", artifact.format),
        ("size", f"{artifact.size_bytes:,} bytes"),
        ("size against float", f"{times(artifact.size_ratio)} {artifact.float_size_bytes:,} bytes"),
        ("weights in integers", percent(artifact.integer_share)),
        ("arithmetic in integers", percent(artifact.integer_macs_share)),
        ("work delegated", percent(artifact.delegated_share)),
        ("work fallen back", percent(artifact.fallback_share)),
        ("multiply-accumulates", f"{artifact.macs:,}"),
        ("placement", artifact.placement_basis),
        *(("input", str(spec)) for spec in artifact.signature.inputs),
        *(("output", str(spec)) for spec in artifact.signature.outputs),
        *((file.path, f"{file.bytes:,} bytes, sha256 {file.sha256[:16]}") for file in artifact.files),
    ]
    return _section("Artifact", ("", "fact"), rows)


def _stages(report: Report) -> Section:
    rows = [(stage.name, f"{stage.seconds:.2f} s", "cached" if stage.cached else "ran") for stage in report.stages]
    total = sum(stage.seconds for stage in report.stages)
    return _section("Stages", ("stage", "time", ""), [*rows, ("total", f"{total:.2f} s", "")])


def _provenance(report: Report) -> Section:
    bundle = report.bundle
    rows = [("bundle", bundle.path), ("digest", bundle.digest), ("signer", bundle.signer)] if bundle else []
    return _section("Provenance", ("", "value"), [*rows, *report.versions.items()])


def _section(title: str, header: Row, rows: Iterable[Row], notes: Iterable[str] = ()) -> Section:
    cells = tuple(tuple(map(_line, row)) for row in rows)
    return Section(title, header, cells, tuple(map(_line, notes)))


def _line(text: str) -> str:
    """One printable line: devices and file names may hold line breaks and terminal escapes."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
