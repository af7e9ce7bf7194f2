"""Record of a build or a run, versioned: `report.json` and the output of `--json` (docs/report.md)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.ir.artifact import Format
from edgekit.ir.record import Record
from edgekit.ir.signature import Signature
from edgekit.ir.stage_record import StageRecord
from edgekit.parity.adversarial import AdversarialSensitivity
from edgekit.parity.calibration.record import CalibrationRecord
from edgekit.parity.comparison import FlipExample
from edgekit.parity.confusion import Confusion
from edgekit.parity.cost import CostSummary
from edgekit.parity.data.governance import DataGovernance
from edgekit.parity.drift import Drift
from edgekit.parity.early_stop import EarlyStop
from edgekit.parity.endpoint_record import EndpointRecord
from edgekit.parity.gate_inputs import FloatRecord
from edgekit.parity.gates import GateResult, Verdict
from edgekit.parity.generation_record import GenerationRecord
from edgekit.parity.network_time import NetworkShare
from edgekit.parity.numeric import NumericParity
from edgekit.parity.outside.record import OutsideRecord
from edgekit.parity.poisoning.record import PoisoningScreen
from edgekit.parity.robustness.record import RobustnessRecord
from edgekit.parity.slices.record import SliceParity
from edgekit.parity.token_parity import TokenParity
from edgekit.samples import Sampling
from edgekit.tasks.secondary import SecondaryFigure


class File(Record):
    """One file of the artifact."""

    path: str
    """Name of the file within the bundle."""
    bytes: int
    sha256: str


class FragmentsRecord(Record):
    """Parts into which delegates and the kernels outside of them split the graph."""

    delegates: int
    """Calls of a delegate in one inference."""
    kernels: int
    """Calls of kernels outside of all delegates; views of memory are none."""
    boundary_bytes: int
    """Bytes of the tensors that enter and leave delegates, the model's own inputs and outputs included."""


class OperatorGroup(Record):
    """Operators of one kind that one part of the runtime runs in one arithmetic."""

    name: str
    """Name that the runtime has for them, such as `CONV_2D`."""
    delegate: str | None
    """Delegate that runs them; null where the runtime's own kernels do."""
    integer: bool
    """True if they compute on integers."""
    count: int
    macs: int
    """Multiply-accumulates of one inference; 0 for operators that have none."""
    bytes: int | None = None
    """Bytes that they read and write; left out where they were not counted."""


class ArtifactRecord(Record):
    """The lowered model: its files, and the facts read off it."""

    format: Format
    files: tuple[File, ...] = Field(min_length=1)
    """Files of the model, the entry first."""
    size_bytes: int
    float_size_bytes: int
    """Size of the float model, lowered by the same backend."""
    size_ratio: float
    """`size_bytes` over `float_size_bytes`."""
    integer_share: float
    """Share of the elements of all weights stored as integers, in [0, 1]; biases, scales and indices are none."""
    integer_macs_share: float
    """Share of the multiply-accumulates that integer kernels run, in [0, 1]."""
    float_only_macs_share: float | None = None
    """Share of the multiply-accumulates of products of two activations that the delegate has in float only, in [0, 1];
    the gate on integer arithmetic leaves them out. Left out where there are none."""
    delegated_share: float
    """Share of the multiply-accumulates that a delegate runs, in [0, 1]: 1 minus `fallback_share`."""
    fallback_share: float
    """Share of the multiply-accumulates that no delegate takes, in [0, 1]; of the bytes in a network without any."""
    fallback_bytes_share: float | None = None
    """Share of the bytes read and written that operators outside of all delegates read and write, in [0, 1]; left out
    where bytes were not counted."""
    fragments: FragmentsRecord | None = None
    """Delegates and kernels that the runtime calls in turn; left out for a runtime without delegates."""
    weight_bytes: int | None = None
    """Bytes of the weights in the files: what compression makes smaller; left out where they are unknown."""
    float_weight_bytes: int | None = None
    """Bytes of the weights of the float model."""
    macs: int
    """Multiply-accumulates of one inference."""
    placement_basis: str
    """Source of the shares of arithmetic and of work: a reading, or a claim where the runtime cannot be had."""
    signature: Signature
    preprocessing: dict[str, str] | None = None
    """Steps in words that make a raw sample an input of the artifact, by input; left out where none is stated."""
    operators: tuple[OperatorGroup, ...] | None = None
    """Operators by kind and by who runs them, the most work first; left out in reports before version 0.3."""

    @property
    def weights_ratio(self) -> float | None:
        """`weight_bytes` over `float_weight_bytes`; None where one is unknown, or there are none."""
        if self.weight_bytes is None or not self.float_weight_bytes:
            return None
        return self.weight_bytes / self.float_weight_bytes


class Flips(Record):
    """Samples that one endpoint answers better than the other: for classification, that it alone gets right."""

    reference_only: int
    candidate_only: int
    samples: tuple[int, ...]
    """Indices of these samples in the measurement. Without labels, of those that the two do not answer alike."""
    examples: tuple[FlipExample, ...] = ()
    """The first of them, in words."""


class Bounds(Record):
    """Two one-sided bounds of an estimate, each at `confidence`."""

    low: float
    high: float
    confidence: float


class BundleRecord(Record):
    """The bundle that was built or run."""

    path: str
    digest: str
    """SHA-256 of its manifest, which devices name it by."""
    signer: str


class ReportRecord(Record):
    """Report of one model, one target, one profile: the build, its measurements, and the verdict."""

    schema_version: Literal[1] = Field(alias="schema")
    verdict: Verdict
    """Worst outcome of the gates: failed if any gate failed, else undecided if any is undecided, else passed."""
    sentence: str
    """The verdict for someone who is no engineer."""
    target: str
    profile: str
    backend: str
    device: str | None
    """URL of the probed device; null for a build."""
    host_stand_in: bool
    """True if the candidate ran on the host instead of the target: its latency then says nothing of the target's."""
    warnings: tuple[str, ...] | None = None
    """Warnings about the numbers, each a plain sentence; left out where there is none."""
    gates: tuple[GateResult, ...]
    artifact: ArtifactRecord
    reference: EndpointRecord
    candidate: EndpointRecord
    sampling: Sampling | None = None
    """Selection of the evaluation samples that both saw; left out where there was no data set."""
    host_parity: NumericParity | None = None
    """Comparison of the device with the host; left out where the device is the host."""
    baseline_instructions: int | None = None
    """Instructions of one inference in the baseline, an earlier run."""
    float_file: FloatRecord | None = None
    """The float file on the same device; left out where no gate needs it."""
    network_share: NetworkShare | None = None
    """Share of the network in the median of the reference, if that is a server."""
    cost: CostSummary | None = None
    """Cost of the answers, if the profile has a `[cost]` table, or the reference is a server."""
    accuracy_drop: float | None
    """Loss of the candidate's metric on the same samples: metric of the reference minus metric of the candidate; of a
    metric with a unit, relative to the reference's. Null where the samples have no labels."""
    accuracy_drop_bounds: Bounds | None
    """Bounds at the confidence of the gate, or 0.95: Tango's score bounds where answers are right or wrong, else by a
    bootstrap (docs/statistics.md)."""
    agreement: float
    """Agreement of both, right or wrong: for classification, the share of the samples that they answer alike."""
    also_measured: tuple[SecondaryFigure, ...] | None = None
    """Figures of the task beside the metric, which no gate bounds; left out where it has none."""
    flips: Flips
    mcnemar_p: float
    """Probability of flips this lopsided if neither is better (McNemar's exact test, two-sided)."""
    mcnemar_mid_p: float | None = None
    """Mid-p of the same test, which errs about as often as it says; the exact one errs less often."""
    sqnr_db: float | None
    """Signal to quantization noise of the candidate's worst output; null when infinite: no noise, or no signal."""
    outputs_sqnr_db: dict[str, float | None] | None = None
    """The same of each output, by name; left out where there is one output."""
    drift: Drift | None = None
    """Error over time of a model with state; left out for samples that are no sequences."""
    tokens: TokenParity | None = None
    """Parity of language models, token by token (docs/language-models.md); left out for another task."""
    generation: GenerationRecord | None = None
    """Text that a language model wrote on the device, its pace and its memory; left out where none was asked for."""
    adversarial: AdversarialSensitivity | None = None
    """Sensitivity to changes against the answer (docs/sensitivity.md); left out where no gate asks for it."""
    poisoning: PoisoningScreen | None = None
    """Screen for planted calibration samples and backdoors; left out where no gate asks for it."""
    calibration: CalibrationRecord | None = None
    """Calibration of the probabilities (docs/calibration.md); left out where there are none, or no labels."""
    outside: OutsideRecord | None = None
    """Detection of samples from outside (docs/calibration.md); left out where the project states none."""
    governance: DataGovernance | None = None
    """Data sets, what they have in common, suspicious labels and terms (docs/data-governance.md)."""
    slices: SliceParity | None = None
    """Parity slice by slice (docs/slices.md); left out where the samples themselves were not at hand."""
    robustness: RobustnessRecord | None = None
    """Losses of both endpoints on perturbed samples (docs/robustness.md); left out where none were measured."""
    stages: tuple[StageRecord, ...]
    bundle: BundleRecord | None
    """The bundle; null where measurements were compared without one."""
    versions: dict[str, str]
    """Versions of the packages that decided the bytes."""
    groups: int | None = None
    """Number of groups that the samples come in, such as videos; left out where they are independent."""
    early_stop: EarlyStop | None = None
    """Looks at the answers after which no more samples were asked; left out where all were asked at once."""
    confusion: Confusion | None = None
    """Confusion of classes by both endpoints; left out without labels, and where an answer is no single class."""
