"""What a build or a run found, as one versioned record: `report.json`, and what `--json` prints (docs/report.md)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.ir.artifact import Format
from edgekit.ir.record import Record
from edgekit.ir.signature import Signature
from edgekit.ir.stage_record import StageRecord
from edgekit.parity.cost import CostSummary
from edgekit.parity.endpoint_record import EndpointRecord
from edgekit.parity.gates import FloatRecord, GateResult, Verdict
from edgekit.parity.network_share import NetworkShare
from edgekit.parity.numeric import NumericParity
from edgekit.samples import Sampling


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
    gates: tuple[GateResult, ...]
    artifact: ArtifactRecord
    reference: EndpointRecord
    candidate: EndpointRecord
    sampling: Sampling | None = None
    """Which samples of the evaluation set both saw; left out where measurements were compared without one."""
    host_parity: NumericParity | None = None
    """Left out where the device is the host."""
    baseline_instructions: int | None = None
    """Of one inference, in the earlier run that was given to compare with."""
    float_file: FloatRecord | None = None
    """Left out where no gate asked for it."""
    network_share: NetworkShare | None = None
    """Of the median of the reference, if that is a server."""
    cost: CostSummary | None = None
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
