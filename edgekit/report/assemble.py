"""Puts a report together from what the line made."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Process, Watched
from edgekit.parity.compare import Comparison, Latency, Side
from edgekit.parity.cost import CostSummary, cost
from edgekit.parity.gates import Floating, GateResult, verdict
from edgekit.parity.network_share import network_share
from edgekit.parity.numeric import NumericParity
from edgekit.report.baseline import Earlier
from edgekit.report.endpoint_record import During, EndpointRecord, LatencyRecord, MetricRecord, ProcessRecord
from edgekit.report.record import (
    ArtifactRecord,
    Bounds,
    BundleRecord,
    CostRecord,
    File,
    Flips,
    FloatRecord,
    Gate,
    HostParity,
    StageRecord,
)
from edgekit.report.report import Report
from edgekit.report.sentence import sentence
from edgekit.samples import Sampling
from edgekit.specs.cost import Cost
from edgekit.specs.profile import Profile
from edgekit.specs.target import Target


def report(
    *,
    target: Target,
    profile: Profile,
    backend: str,
    device: str | None,
    artifact: ArtifactRecord,
    comparison: Comparison,
    gates: Sequence[GateResult],
    stages: Sequence[StageRecord],
    bundle: BundleRecord | None,
    versions: Mapping[str, str],
    sampling: Sampling | None = None,
    host_parity: NumericParity | None = None,
    earlier: Earlier | None = None,
    floating: Floating | None = None,
    remarks: Sequence[str] = (),
    training_s: float = 0.0,
) -> Report:
    """The report of one target. `device` is None for a build; `gates` are what `judge` made of `comparison`.

    `remarks` are what the compiler noticed, each a sentence; `training_s` what pruning and recovery took.
    """
    candidate = _endpoint(comparison, comparison.candidate, profile.probe.cpus)
    counted = candidate.instructions is not None
    unlike = earlier.warnings(candidate, artifact, bundle) if earlier and counted else ()
    bound = profile.gates.accuracy_drop
    confidence = (bound and bound.confidence) or 0.95
    drop = comparison.drop_at(confidence)
    return Report(
        schema_version=1,
        verdict=verdict(gates),
        sentence=sentence(target, profile, device, artifact.size_ratio, comparison, gates),
        target=target.id,
        profile=profile.id,
        backend=backend,
        device=device,
        host_stand_in=comparison.candidate.environment.host_stand_in,
        warnings=(*_stand_in(target, candidate), *_other_provider(candidate), *unlike, *remarks) or None,
        gates=tuple(Gate(**asdict(gate)) for gate in gates),
        artifact=artifact,
        reference=_endpoint(comparison, comparison.reference),
        candidate=candidate,
        sampling=sampling,
        host_parity=HostParity(**asdict(host_parity), sentence=host_parity.sentence) if host_parity else None,
        baseline_instructions=earlier.baseline.instructions if earlier else None,
        float_file=_float_file(floating) if floating else None,
        network_share=network_share(comparison.reference.latency, comparison.reference.server),
        cost=_cost(comparison, profile, target, training_s),
        accuracy_drop=comparison.accuracy_drop,
        accuracy_drop_bounds=Bounds(low=drop.low, high=drop.high, confidence=confidence),
        agreement=comparison.agreement,
        flips=Flips(
            reference_only=comparison.reference_only,
            candidate_only=comparison.candidate_only,
            samples=tuple(comparison.flipped.tolist()),
        ),
        mcnemar_p=comparison.mcnemar_p,
        sqnr_db=comparison.sqnr_db if math.isfinite(comparison.sqnr_db) else None,
        stages=tuple(stages),
        bundle=bundle,
        versions=dict(sorted(versions.items())),
    )


def describe(artifact: Artifact, float_size_bytes: int) -> ArtifactRecord:
    """The artifact's facts, and name, size and SHA-256 of its files. `float_size_bytes` is the float artifact's."""
    placement = artifact.placement
    return ArtifactRecord(
        format=artifact.format,
        files=tuple(
            File(path=path.name, bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for path in artifact.files
        ),
        size_bytes=artifact.size_bytes,
        float_size_bytes=float_size_bytes,
        size_ratio=artifact.size_bytes / float_size_bytes,
        integer_share=artifact.integer,
        integer_macs_share=artifact.integer_macs,
        delegated_share=placement.delegated,
        fallback_share=placement.fallback,
        macs=artifact.macs,
        placement_basis=artifact.basis,
        signature=artifact.signature,
    )


def _stand_in(target: Target, candidate: EndpointRecord) -> tuple[str, ...]:
    """That another core than the target's was emulated, and why."""
    emulation = target.emulation
    if candidate.kind != "emulated" or emulation is None:
        return ()
    core = candidate.environment.cpu or emulation.qemu_cpu
    # `emulated://NAME` may be a device of any target.
    other = f"the device is another target's, this one's has a {emulation.qemu_cpu}"
    why = emulation.stands_in if core == emulation.qemu_cpu else other
    return (f"AN EMULATED {core.upper()} STOOD IN FOR {target.title.upper()}: {why}.",) if why else ()


def _other_provider(candidate: EndpointRecord) -> tuple[str, ...]:
    """That a device ran the model elsewhere than it was built for. Of a host that stands in that is known already."""
    where = candidate.environment
    if candidate.kind != "device" or where.missed_provider is None:
        return ()
    return (f"IT RAN ON {(where.provider or 'unknown').upper()}, NOT ON {where.missed_provider.upper()}.",)


def _cost(comparison: Comparison, profile: Profile, target: Target, training_s: float) -> CostRecord | None:
    if profile.cost is None and comparison.reference.environment.kind != "serving":
        return None
    found: CostSummary = cost(comparison, profile.cost or Cost(), target.id, training_s)
    # Not `asdict`, which takes the assumptions apart.
    fields = {name: getattr(found, name) for name in CostRecord.model_fields}
    return CostRecord(**fields)


def _endpoint(comparison: Comparison, side: Side, cpus: tuple[int, ...] | None = None) -> EndpointRecord:
    score, latency = side.score, side.latency
    return EndpointRecord(
        kind=side.environment.kind,
        metric=MetricRecord(name=comparison.metric, value=score.value, low=score.low, high=score.high),
        samples=comparison.samples,
        samples_per_s=side.samples_per_s,
        load_ns=side.load_ns,
        first_ns=side.first_ns,
        latency_ns=_latency(latency),
        processes=tuple(map(_process, side.processes, side.medians_ns)) or None,
        cpus=cpus if latency.count else None,
        around=side.around,
        peak_rss_bytes=side.peak_rss_bytes,
        model_rss_bytes=side.model_rss_bytes,
        energy=side.energy,
        server=side.server,
        instructions=side.instructions,
        environment=side.environment,
    )


def _process(process: Process, median_ns: int | None) -> ProcessRecord:
    return ProcessRecord(
        count=process.count,
        p50=median_ns,
        load_ns=process.load_ns,
        first_ns=process.first_ns,
        warm_up_count=process.warm_up_count,
        warm_up_ns=process.warm_up_ns,
        steady=process.steady,
        cooled=process.cooled,
        before=process.before,
        after=process.after,
        during=_during(process.watched) if process.watched else None,
    )


def _during(spans: Sequence[Watched]) -> During:
    """The worst of what was seen."""
    clocks: dict[str, float] = {}
    for span in spans:
        clocks |= {name: min(mhz, clocks.get(name, mhz)) for name, mhz in span.clock_mhz.items()}
    return During(
        others_cores=_most(span.others_cores for span in spans),
        waited=_most(span.waited for span in spans),
        clock_mhz=clocks,
        temperature_c=_most(span.temperature_c for span in spans),
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _latency(latency: Latency) -> LatencyRecord:
    return LatencyRecord(
        count=latency.count,
        valid=latency.valid,
        reason=latency.reason,
        p50=latency.p50_ns,
        p90=latency.p90_ns,
        p95=latency.p95_ns,
        p99=latency.p99_ns,
        p99_9=latency.p999_ns,
        between_runs=latency.between_runs,
        histogram=latency.histogram,
    )


def _float_file(floating: Floating) -> FloatRecord:
    return FloatRecord(latency_ns=_latency(floating.latency), instructions=floating.instructions)
