"""Put a report together from the facts of a build and of a probe."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.ir.artifact import Artifact, Operator
from edgekit.ir.stage_record import StageRecord
from edgekit.parity.calibration.paired_calibration import PairedCalibration
from edgekit.parity.comparison import Comparison
from edgekit.parity.cost import CostSummary, cost
from edgekit.parity.endpoint_record import EndpointRecord
from edgekit.parity.gate_inputs import FloatRecord
from edgekit.parity.gates import GateResult, verdict
from edgekit.parity.generation_record import GenerationRecord
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.network_time import network_share
from edgekit.parity.numeric import NumericParity
from edgekit.parity.outside.paired_outside import PairedOutside
from edgekit.parity.robustness.record import robustness_record
from edgekit.report.earlier_run import Earlier
from edgekit.report.record import ArtifactRecord, Bounds, BundleRecord, File, Flips, FragmentsRecord, OperatorGroup
from edgekit.report.report import Report
from edgekit.report.sentence import sentence
from edgekit.samples import Sampling
from edgekit.specs.cost import Cost
from edgekit.specs.profile import Profile
from edgekit.specs.target import Target


@dataclass(frozen=True)
class BuildFacts:
    """The build that a report is about."""

    target: Target
    profile: Profile
    backend: str
    artifact: ArtifactRecord
    stages: tuple[StageRecord, ...]
    bundle: BundleRecord | None
    versions: Mapping[str, str]
    """Versions of the packages that decided the bytes, by name."""
    training_s: float = 0.0
    """Seconds that pruning and recovery took, in this build or in an earlier one that it reuses."""


@dataclass(frozen=True)
class ProbeFacts:
    """The comparison that a report is about, and the results of its gates."""

    device: str | None
    """URL of the probed device; None for a build."""
    comparison: Comparison
    gates: Sequence[GateResult]
    """Results of `judge` for this comparison."""
    sampling: Sampling | None = None
    host_parity: NumericParity | None = None
    """The device against the host; None where the device is the host."""
    earlier: Earlier | None = None
    """The earlier run to compare instructions with."""
    float_file: FloatRecord | None = None
    """The float file on the same device."""
    remarks: tuple[str, ...] = ()
    """Notes of the compiler and of the flash, each a sentence."""
    generation: GenerationRecord | None = None
    """Text that a language model wrote on the device."""


def report(build: BuildFacts, probe: ProbeFacts) -> Report:
    """Assemble the report of one target. Raises pydantic's ValidationError for a number that is not finite."""
    target, profile, artifact = build.target, build.profile, build.artifact
    comparison, earlier = probe.comparison, probe.earlier
    candidate = comparison.candidate
    if candidate.latency.count:
        candidate = candidate.model_copy(update={"cpus": profile.probe.cpus})
    counted = candidate.instructions is not None
    unlike = earlier.warnings(candidate, artifact, build.bundle) if earlier and counted else ()
    bound = profile.gates.accuracy_drop
    confidence = (bound and bound.confidence) or 0.95
    stop = comparison.early_stop
    drop = comparison.drop_at((stop and stop.confidence(confidence)) or confidence)
    return Report(
        schema_version=1,
        verdict=verdict(probe.gates),
        sentence=sentence(target, profile, probe.device, artifact.size_ratio, comparison, probe.gates),
        target=target.id,
        profile=profile.id,
        backend=build.backend,
        device=probe.device,
        host_stand_in=candidate.environment.host_stand_in,
        warnings=(
            *_stand_in(target, candidate),
            *_other_provider(candidate),
            *unlike,
            *_unmeasured(comparison),
            *probe.remarks,
        )
        or None,
        gates=tuple(probe.gates),
        artifact=artifact,
        reference=comparison.reference,
        candidate=candidate,
        sampling=probe.sampling,
        host_parity=probe.host_parity,
        baseline_instructions=earlier.baseline.instructions if earlier else None,
        float_file=probe.float_file,
        network_share=network_share(comparison.reference.latency, comparison.reference.server),
        cost=_cost(comparison, profile, target, build.training_s),
        accuracy_drop=comparison.accuracy_drop,
        accuracy_drop_bounds=Bounds(low=drop.low, high=drop.high, confidence=confidence) if drop else None,
        agreement=comparison.agreement,
        also_measured=comparison.secondary or None,
        flips=Flips(
            reference_only=comparison.reference_only,
            candidate_only=comparison.candidate_only,
            samples=tuple(comparison.flipped.tolist()),
            examples=comparison.flip_examples,
        ),
        mcnemar_p=comparison.mcnemar_p,
        mcnemar_mid_p=comparison.mcnemar_mid_p,
        sqnr_db=_finite(comparison.sqnr_db),
        outputs_sqnr_db=(
            {name: _finite(value) for name, value in comparison.outputs_sqnr_db.items()}
            if len(comparison.outputs_sqnr_db) > 1
            else None
        ),
        drift=comparison.drift,
        tokens=comparison.tokens,
        generation=probe.generation,
        adversarial=comparison.adversarial,
        poisoning=comparison.poisoning,
        calibration=comparison.calibration.record if isinstance(comparison.calibration, PairedCalibration) else None,
        outside=comparison.outside.record if isinstance(comparison.outside, PairedOutside) else None,
        governance=comparison.governance,
        slices=comparison.slices,
        robustness=robustness_record(comparison.robustness),
        stages=build.stages,
        bundle=build.bundle,
        versions=dict(sorted(build.versions.items())),
        groups=comparison.group_count,
        early_stop=stop,
        confusion=comparison.confusion,
    )


def _unmeasured(comparison: Comparison) -> tuple[str, ...]:
    """Say why samples from outside, which the project states, tell nothing."""
    outside = comparison.outside
    return (f"Samples from outside were not judged: {outside.reason}.",) if isinstance(outside, MissingValue) else ()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def describe(
    artifact: Artifact,
    float_size_bytes: int,
    float_weight_bytes: int | None = None,
    preprocessing: Mapping[str, str] | None = None,
) -> ArtifactRecord:
    """The artifact's facts, and name, size and SHA-256 of its files.

    float_size_bytes, float_weight_bytes: size of the float artifact, and of the weights in it, if known. preprocessing:
    words on what makes a raw sample an input, by input.
    """
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
        float_only_macs_share=artifact.float_only_macs or None,
        delegated_share=placement.delegated,
        fallback_share=placement.fallback,
        fallback_bytes_share=placement.fallback_bytes,
        fragments=_fragments(artifact),
        weight_bytes=artifact.weight_bytes,
        float_weight_bytes=float_weight_bytes,
        macs=artifact.macs,
        placement_basis=artifact.basis,
        signature=artifact.signature,
        preprocessing=dict(preprocessing) if preprocessing else None,
        operators=_operators(artifact),
    )


def _operators(artifact: Artifact) -> tuple[OperatorGroup, ...]:
    """Operators by name, delegate and arithmetic: the most multiply-accumulates first, then the most bytes."""
    kinds: dict[tuple[str, str | None, bool], list[Operator]] = {}
    for operator in artifact.placement.operators:
        kinds.setdefault((operator.name, operator.delegate, operator.integer), []).append(operator)
    groups = (
        OperatorGroup(
            name=name,
            delegate=delegate,
            integer=integer,
            count=len(alike),
            macs=sum(operator.macs for operator in alike),
            bytes=None if any(each.bytes is None for each in alike) else sum(each.bytes or 0 for each in alike),
        )
        for (name, delegate, integer), alike in kinds.items()
    )
    return tuple(sorted(groups, key=lambda group: (-group.macs, -(group.bytes or 0), group.name)))


def _fragments(artifact: Artifact) -> FragmentsRecord | None:
    parts = artifact.fragments
    if parts is None:
        return None
    return FragmentsRecord(delegates=parts.delegates, kernels=parts.kernels, boundary_bytes=parts.boundary_bytes)


def _stand_in(target: Target, candidate: EndpointRecord) -> tuple[str, ...]:
    """Warn that another core than the target's was emulated, and say why."""
    emulation = target.emulation
    if candidate.kind != "emulated" or emulation is None:
        return ()
    core = candidate.environment.cpu or emulation.qemu_cpu
    # `emulated://NAME` may be a device of any target.
    other = f"the device is another target's, this one's has a {emulation.qemu_cpu}"
    why = emulation.stands_in if core == emulation.qemu_cpu else other
    return (f"AN EMULATED {core.upper()} STOOD IN FOR {target.title.upper()}: {why}.",) if why else ()


def _other_provider(candidate: EndpointRecord) -> tuple[str, ...]:
    """Warn that a device ran the model on another provider than planned; a host that stands in is known to."""
    where = candidate.environment
    if candidate.kind != "device" or where.missed_provider is None:
        return ()
    return (f"IT RAN ON {(where.provider or 'unknown').upper()}, NOT ON {where.missed_provider.upper()}.",)


def _cost(comparison: Comparison, profile: Profile, target: Target, training_s: float) -> CostSummary | None:
    if profile.cost is None and comparison.reference.environment.kind != "serving":
        return None
    return cost(comparison, profile.cost or Cost(), target.id, training_s)
