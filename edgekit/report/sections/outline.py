"""Outline of a report for people, in order, before it is text, Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.parity.gate_texts import percent, quantity_of, times
from edgekit.parity.gates import GateResult, Verdict
from edgekit.report.record import ArtifactRecord, ReportRecord
from edgekit.report.sections.adversarial import adversarial
from edgekit.report.sections.calibration import calibration
from edgekit.report.sections.costs import costs
from edgekit.report.sections.endpoints import endpoints
from edgekit.report.sections.generation import generation
from edgekit.report.sections.governance import governance
from edgekit.report.sections.latencies import latencies
from edgekit.report.sections.outside import outside
from edgekit.report.sections.over_time import over_time
from edgekit.report.sections.pairs import pairs
from edgekit.report.sections.poisoning import poisoning
from edgekit.report.sections.robustness import robustness
from edgekit.report.sections.section import Row, Section, section, shown
from edgekit.report.sections.slices import slices
from edgekit.report.sections.timing import timing
from edgekit.report.sections.tokens import tokens
from edgekit.tasks.metric import SHARE

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
    unit = report.reference.score.unit if report.reference.score else SHARE
    return Outline(
        verdict=report.verdict,
        subject=shown(", ".join((report.target, report.profile, report.backend, where))),
        sentence=shown(report.sentence),
        warnings=(*((NOT_THE_TARGET,) if report.host_stand_in else ()), *map(shown, report.warnings or ())),
        invalid=tuple(map(shown, _invalid(report))),
        sections=tuple(
            part
            for part in (
                _gates(report.gates, unit),
                latencies(report),
                costs(report),
                endpoints(report),
                pairs(report),
                calibration(report.calibration),
                outside(report.outside),
                slices(report.slices, unit),
                tokens(report.tokens),
                generation(report.generation),
                over_time(report.drift, report.candidate.score),
                adversarial(report.adversarial),
                poisoning(report.poisoning),
                governance(report.governance),
                *robustness(report.robustness, unit),
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


def _gates(gates: tuple[GateResult, ...], unit: str) -> Section:
    rows = [(gate.name, _value(gate, unit), _limit(gate, unit), gate.outcome) for gate in gates]
    notes = [f"{gate.name} {gate.outcome}. {gate.meaning}" for gate in gates if gate.outcome != "passed"]
    return section("Gates", ("gate", "measured", "limit", "outcome"), rows, notes)


def _value(gate: GateResult, unit: str) -> str:
    return "-" if gate.value is None else quantity_of(gate.name, unit).show(gate.value)


def _limit(gate: GateResult, unit: str) -> str:
    return quantity_of(gate.name, unit).limit(gate.min, gate.max)


def _artifact(artifact: ArtifactRecord) -> Section:
    rows = [
        ("format", artifact.format),
        ("size", f"{artifact.size_bytes:,} bytes"),
        ("size against float", f"{times(artifact.size_ratio)} {artifact.float_size_bytes:,} bytes"),
        *_weights(artifact),
        ("weights in integers", percent(artifact.integer_share)),
        ("arithmetic in integers", percent(artifact.integer_macs_share)),
        *_float_only(artifact),
        ("arithmetic delegated", percent(artifact.delegated_share)),
        ("arithmetic fallen back", percent(artifact.fallback_share)),
        *_bytes_fallen_back(artifact),
        *_fragments(artifact),
        ("multiply-accumulates", f"{artifact.macs:,}"),
        ("placement", artifact.placement_basis),
        *(("input", str(spec)) for spec in artifact.signature.inputs),
        *((f"'{name}' is made of", each) for name, each in (artifact.preprocessing or {}).items()),
        *(("output", str(spec)) for spec in artifact.signature.outputs),
        *(("state", f"{pair.input} is {pair.output} of the step before") for pair in artifact.signature.state),
        *((file.path, f"{file.bytes:,} bytes, sha256 {file.sha256[:16]}") for file in artifact.files),
    ]
    return section("Artifact", ("", "fact"), rows)


def _weights(artifact: ArtifactRecord) -> Iterable[Row]:
    """Row of the bytes that compression makes smaller, where they are known."""
    if artifact.weight_bytes is not None and artifact.float_weight_bytes is not None and artifact.weights_ratio:
        ratio = times(artifact.weights_ratio)
        yield ("of that, weights", f"{artifact.weight_bytes:,} bytes, {ratio} {artifact.float_weight_bytes:,} bytes")


def _float_only(artifact: ArtifactRecord) -> Iterable[Row]:
    """Row of the arithmetic that the gate on integers leaves out; a float model has no such gate."""
    if artifact.float_only_macs_share and artifact.integer_macs_share:
        share = percent(artifact.float_only_macs_share)
        yield ("no integer kernel for", f"{share}: products of two activations, which the delegate has in float only")


def _bytes_fallen_back(artifact: ArtifactRecord) -> Iterable[Row]:
    if artifact.fallback_bytes_share is not None:
        yield ("bytes moved by what fell back", percent(artifact.fallback_bytes_share))


def _fragments(artifact: ArtifactRecord) -> Iterable[Row]:
    """Row of the parts that the runtime calls in turn, where it has delegates."""
    parts = artifact.fragments
    if parts is not None:
        counts = f"delegates: {parts.delegates:,}, kernels outside: {parts.kernels:,}"
        yield ("fragments", f"{counts}, {parts.boundary_bytes:,} bytes between")


def _stages(report: ReportRecord) -> Section:
    rows = [(stage.name, f"{stage.seconds:.2f} s", "cached" if stage.cached else "ran") for stage in report.stages]
    total = sum(stage.seconds for stage in report.stages)
    return section("Stages", ("stage", "time", ""), [*rows, ("total", f"{total:.2f} s", "")])


def _provenance(report: ReportRecord) -> Section:
    bundle = report.bundle
    rows = [("bundle", bundle.path), ("digest", bundle.digest), ("signer", bundle.signer)] if bundle else []
    return section("Provenance", ("", "value"), [*rows, *report.versions.items()])
