"""Outline of a report for people, in order, before it is text, Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.parity.gate_texts import QUANTITIES, milliseconds, percent, points, times
from edgekit.parity.gates import GateResult, Verdict
from edgekit.report.record import ArtifactRecord, ReportRecord
from edgekit.report.sections.costs import costs
from edgekit.report.sections.endpoints import confidence, endpoints
from edgekit.report.sections.latencies import latencies
from edgekit.report.sections.section import Row, Section, section, shown
from edgekit.report.sections.timing import timing

NOT_THE_TARGET = "HOST, NOT THE TARGET: this machine ran the candidate, so no time or memory below is the target's."


@dataclass(frozen=True)
class Outline:
    """Outline: the verdict first, then the reasons."""

    verdict: Verdict
    subject: str
    sentence: str
    invalid: tuple[str, ...]
    """Sentences on the latencies that may not be quoted, with the reason."""
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]


def outline(report: ReportRecord) -> Outline:
    """Outline of a report in words and units. Every string is one printable line."""
    where = report.device or "no device"
    return Outline(
        verdict=report.verdict,
        subject=shown(", ".join((report.target, report.profile, report.backend, where))),
        sentence=shown(report.sentence),
        warnings=(*((NOT_THE_TARGET,) if report.host_stand_in else ()), *map(shown, report.warnings or ())),
        invalid=tuple(map(shown, _invalid(report))),
        sections=tuple(
            part
            for part in (
                _gates(report.gates),
                latencies(report),
                costs(report),
                endpoints(report),
                _pairs(report),
                timing(report),
                _artifact(report.artifact),
                _stages(report),
                _provenance(report),
            )
            if part
        ),
    )


def _invalid(report: ReportRecord) -> Iterable[str]:
    """Yield a sentence for every latency that was measured and may not be quoted."""
    for name, side in (("reference", report.reference), ("candidate", report.candidate)):
        if side.latency.count and not side.latency.valid:
            yield f"INVALID: the {name}'s latency may not be quoted. {_reason(side.latency.reason)}"


def _reason(reason: str | None) -> str:
    return f"Why: {reason}. Mend that, and run again." if reason else "No reason was given."


def _gates(gates: tuple[GateResult, ...]) -> Section:
    rows = [(gate.name, _value(gate), _limit(gate), gate.outcome) for gate in gates]
    notes = [f"{gate.name} {gate.outcome}. {gate.meaning}" for gate in gates if gate.outcome != "passed"]
    return section("Gates", ("gate", "measured", "limit", "outcome"), rows, notes)


def _value(gate: GateResult) -> str:
    return "-" if gate.value is None else QUANTITIES[gate.name].show(gate.value)


def _limit(gate: GateResult) -> str:
    return QUANTITIES[gate.name].limit(gate.min, gate.max)


def _pairs(report: ReportRecord) -> Section:
    bounds, flips = report.accuracy_drop_bounds, report.flips
    sure = f"{100 * bounds.confidence:g} % sure of each"
    rows = [
        *_sampled(report),
        ("accuracy drop", f"{points(report.accuracy_drop)} ({confidence(bounds.low, bounds.high)}, {sure})"),
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
    changes = [f"{change}." for change in report.sampling.changes] if report.sampling else []
    return section("Sample by sample", ("", "measured"), rows, changes)


def _against_float(report: ReportRecord) -> Iterable[Row]:
    """Row of the ratio to the float file on the same device."""
    file, candidate = report.float_file, report.candidate
    if file and file.instructions and candidate.instructions:
        ratio = times(candidate.instructions / file.instructions)
        yield ("instructions", f"{ratio} the float file's {file.instructions:,}")
    elif file and file.latency.p50_ns and candidate.latency.p50_ns:
        ratio = times(candidate.latency.p50_ns / file.latency.p50_ns)
        yield ("latency p50", f"{ratio} the float file's {milliseconds(file.latency.p50_ns / 1e6)}")


def _sampled(report: ReportRecord) -> Iterable[Row]:
    """Row of the selection of samples, where not all were taken."""
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
    return section("Artifact", ("", "fact"), rows)


def _stages(report: ReportRecord) -> Section:
    rows = [(stage.name, f"{stage.seconds:.2f} s", "cached" if stage.cached else "ran") for stage in report.stages]
    total = sum(stage.seconds for stage in report.stages)
    return section("Stages", ("stage", "time", ""), [*rows, ("total", f"{total:.2f} s", "")])


def _provenance(report: ReportRecord) -> Section:
    bundle = report.bundle
    rows = [("bundle", bundle.path), ("digest", bundle.digest), ("signer", bundle.signer)] if bundle else []
    return section("Provenance", ("", "value"), [*rows, *report.versions.items()])
