"""What a build or a run found, as one versioned record: `report.json`, and what `--json` prints (docs/report.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from edgekit.ir.artifact import Format
from edgekit.ir.signature import Signature
from edgekit.parity.assumptions import Assumption
from edgekit.parity.gate_texts import QUANTITIES
from edgekit.parity.gates import Outcome, Verdict
from edgekit.parity.network_share import NetworkShare
from edgekit.report.base import Record
from edgekit.report.endpoint_record import EndpointRecord, LatencyRecord
from edgekit.samples import Sampling


def _gate(name: str) -> str:
    if name not in QUANTITIES:
        raise ValueError(f"no gate is named '{name}'")
    return name


class Gate(Record):
    """One thing the profile asks for, and whether it holds."""

    name: Annotated[str, AfterValidator(_gate)]
    """As a profile names it under [gates]."""
    value: float | None
    """What was measured; null where nothing could be. Shares and drops in [0, 1], times in ms, memory in MB."""
    min: float | None = None
    max: float | None = None
    outcome: Outcome
    meaning: str
    """A plain sentence: what it is, what was measured, what the limit is, and what to do if it is not met."""


class File(Record):
    """One file of the artifact."""

    path: str
    """Its name within the bundle."""
    bytes: int
    sha256: str


class ArtifactRecord(Record):
    """The lowered model: its files, and the facts read off it."""

    format: Format
    files: tuple[File, ...] = Field(min_length=1)
    """The entry first."""
    size_bytes: int
    float_size_bytes: int
    """Of the float model, lowered by the same backend."""
    size_ratio: float
    """`size_bytes` over `float_size_bytes`."""
    integer_share: float
    """Share of the weight elements stored as integers, in [0, 1]."""
    integer_macs_share: float
    """Share of the multiply-accumulates that integer kernels run, in [0, 1]."""
    delegated_share: float
    """Share of the work that a delegate runs, in [0, 1]."""
    fallback_share: float
    """Share of the work that no delegate takes, in [0, 1]."""
    macs: int
    """Multiply-accumulates of one inference."""
    placement_basis: str
    """What the shares of arithmetic and of work stand on: a reading, or a claim where the runtime cannot be had."""
    signature: Signature


class Flips(Record):
    """Samples that one endpoint gets right and the other does not."""

    reference_only: int
    candidate_only: int
    samples: tuple[int, ...]
    """Their indices in the samples measured."""


class Bounds(Record):
    """Two one-sided bounds of an estimate, each at `confidence`."""

    low: float
    high: float
    confidence: float


class HostParity(Record):
    """How far the artifact's outputs on the device are from those of the same artifact on the host."""

    sentence: str
    """For someone who is no engineer."""
    samples: int
    equal_share: float
    """Share of the output values that are equal."""
    within_one_step_share: float | None
    """Share of the values at most one quantization step apart; null where an output is not quantized."""
    worst: float
    """The largest difference, in real units."""
    worst_steps: int | None
    """The same in quantization steps; null where an output is not quantized."""
    value_range: float
    """From the smallest to the largest value on the host, of the output that `worst` is in."""
    same_answers: float
    """Share of the samples to which both give the same answer."""


class FloatRecord(Record):
    """What the float file of the same backend took on the same device."""

    latency_ns: LatencyRecord
    instructions: int | None = Field(None, ge=1)


class CostRecord(Record):
    """Money per million answers, and when a device has paid for itself. What cannot be told is null (docs/cost.md)."""

    currency: str
    edge_per_million: float | None
    """The device and its electricity."""
    device_per_million: float | None
    energy_per_million: float | None
    cloud_per_million: float | None
    build: float
    """Pruning and training it again, once for all devices."""
    upfront: float | None
    """One device and the build."""
    capacity: int | None
    """Answers that one device gives before it is written off."""
    break_even: int | None
    """The fewest answers for which one device, with the whole build, costs no more than the cloud; null if never."""
    sentences: tuple[str, ...]
    """For someone who is no engineer."""
    assumptions: tuple[Assumption, ...]
    """Every number that was reckoned with: measured, stated in the profile, or a default and its source."""


class StageRecord(Record):
    """One step of the line."""

    name: str
    seconds: float
    cached: bool


class BundleRecord(Record):
    """The bundle that was built or run."""

    path: str
    digest: str
    """SHA-256 of its manifest, by which devices know it too."""
    signer: str


class ReportRecord(Record):
    """One model, one target, one profile: what was built, what it measured, and the verdict."""

    schema_version: Literal[1] = Field(alias="schema")
    verdict: Verdict
    """failed if any gate failed, else undecided if any is undecided, else passed."""
    sentence: str
    """The verdict for someone who is no engineer."""
    target: str
    profile: str
    backend: str
    device: str | None
    """What was probed; null for a build."""
    host_stand_in: bool
    """Whether the candidate ran on the host instead of the target: its latency then says nothing of the target's."""
    warnings: tuple[str, ...] | None = None
    """What must be known before the numbers are believed, each a plain sentence; left out where there is none."""
    gates: tuple[Gate, ...]
    artifact: ArtifactRecord
    reference: EndpointRecord
    candidate: EndpointRecord
    sampling: Sampling | None = None
    """Which samples of the evaluation set both saw; left out where measurements were compared without one."""
    host_parity: HostParity | None = None
    """Left out where the device is the host."""
    baseline_instructions: int | None = None
    """Of one inference, in the earlier run that was given to compare with."""
    float_file: FloatRecord | None = None
    """Left out where no gate asked for it."""
    network_share: NetworkShare | None = None
    """Of the median of the reference, if that is a server."""
    cost: CostRecord | None = None
    """Where the profile has a `[cost]` table, or the reference is a server."""
    accuracy_drop: float
    """Metric of the reference minus metric of the candidate, on the same samples."""
    accuracy_drop_bounds: Bounds
    """From a paired bootstrap, at the confidence the gate asks for, or 0.95."""
    agreement: float
    """Share of the samples that both answer alike."""
    flips: Flips
    mcnemar_p: float
    """How likely flips this lopsided are if neither is better (exact, two-sided)."""
    sqnr_db: float | None
    """Signal to quantization noise of the candidate's worst output; null when infinite: no noise, or no signal."""
    stages: tuple[StageRecord, ...]
    bundle: BundleRecord | None
    """Null where measurements were compared without one."""
    versions: dict[str, str]
    """Versions of the packages that decided the bytes."""
