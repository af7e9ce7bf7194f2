"""Profiles: recipe of compression for a target, and the gates that must hold afterwards (`profiles/<id>.toml`)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from edgekit.errors import Misfit
from edgekit.specs.compression import Prune, Quantize, Recover
from edgekit.specs.cost import Cost
from edgekit.specs.monitor import MonitorSpec
from edgekit.specs.robustness import RobustnessSpec
from edgekit.specs.sparse_kernels import refusal
from edgekit.specs.spec import Flag, Real, Spec, Whole
from edgekit.specs.target import Precision, RuntimeSpec, Target

PlanName = Literal["quick", "standard", "full"]
PLANS: Mapping[str, tuple[int, float]] = MappingProxyType(
    {"quick": (128, 10.0), "standard": (1024, 60.0), "full": (6636, 600.0)}
)
"""Minimum count of inferences and minimum seconds, by plan."""
NOTHING: Mapping[Precision, str] = MappingProxyType({})


class Bound(Spec):
    """Limits of a measured value. `confidence` is one-sided, for values that are estimates from samples."""

    min: Real | None = None
    max: Real | None = None
    confidence: Real | None = Field(default=None, gt=0.5, lt=1)

    @model_validator(mode="after")
    def _bounded(self) -> Bound:
        if self.min is None and self.max is None:
            raise ValueError("a gate needs 'min' or 'max'")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("'min' is above 'max': nothing could pass")
        return self


def _instead_of_smaller(bound: Bound) -> str:
    limits = ", ".join(
        f"{name} = {value:g}" for name, value in (("min", bound.min), ("max", bound.max)) if value is not None
    )
    return f"gate 'smaller' is deprecated: write size_ratio = {{ {limits} }} under [gates], which is the same number"


class Gates(Spec):
    """Gates of the verdict. A gate that is not named is not checked, except the first two."""

    reference_accuracy: Bound | None = None
    """Metric of the reference. Where it is not named, it must be above what one constant answer reaches, at 99 %."""
    distinct_answers: Bound | None = None
    """Number of different answers of the reference or the candidate, whichever gives fewer; at least 2 if not named."""
    accuracy_drop: Bound | None = None
    """Reference metric minus candidate metric, on the same samples: 0.01 is one point. With `confidence` it is a test
    of non-inferiority: passed once the candidate is known to lose at most `max`."""
    accuracy_change: Bound | None = None
    """Candidate metric minus reference metric. With `min`, `max` and `confidence` it is a test of equivalence: passed
    once the metric is known to have neither fallen nor risen by more than the limits."""
    agreement: Bound | None = None
    """Share of samples on which reference and candidate answer the same."""
    size_ratio: Bound | None = None
    """Artifact bytes over the bytes of the float artifact of the same backend; both without what cannot be compressed,
    graph, biases and scales, as long as the file is smaller than the float file."""
    integer_share: Bound | None = None
    """Share of the elements of all weights stored as integers: embeddings and recurrent cells too, biases not."""
    integer_macs_share: Bound | None = None
    """Share of multiply-accumulates that integer kernels run."""
    fallback_share: Bound | None = None
    """Share of the multiply-accumulates that no delegate takes."""
    fallback_bytes_share: Bound | None = None
    """Share of the bytes read and written by operators that no delegate takes: the fragments between delegates."""
    fragments: Bound | None = None
    """Number of delegate calls and of kernels outside of delegates: 1 is a graph that one delegate runs as a whole."""
    smaller: Bound | None = None
    """Deprecated: the same number as `size_ratio`, which is to be written instead. `true` stands for a maximum of 1,
    `false` for no gate."""
    not_slower: Bound | None = None
    """Time of an answer over that of the float file on the same device, or instructions where those are counted; `true`
    asks for at most 1, `false` for nothing."""
    accelerated_share: Bound | None = None
    """Share of the model's operators that the chosen GPU or NPU runs itself. The device stays on its CPU where an
    accelerator misses this gate or one of the next two."""
    accelerator_not_slower: Bound | None = None
    """Time of an answer on the chosen GPU or NPU over that on the CPU of the same device; `true` asks for at most 1,
    `false` for nothing. At most 1 where it is not named, unless `accelerator.prefer` is energy."""
    accelerator_agreement: Bound | None = None
    """Share of samples on which the chosen GPU or NPU and the CPU answer the same, with the same file."""
    latency_p50_ms: Bound | None = None
    latency_p90_ms: Bound | None = None
    peak_rss_mb: Bound | None = None
    instructions_ratio: Bound | None = None
    """Instructions of one inference over those of an earlier run, the baseline; on an emulated device."""
    adversarial_drop: Bound | None = None
    """Share of right answers that compression adds to the loss under small changes against the answer (FGSM, PGD)."""
    poisoned_share: Bound | None = None
    """Share of the calibration samples that a screen for planted ones points at."""
    backdoor: Bound | None = None
    """Number of classes that a small patch flips other samples to: 0 is the limit that makes sense."""
    calibration_drop: Bound | None = None
    """Expected calibration error of the candidate minus the reference's, on the same samples: 0.01 is one point."""
    outside_auroc_drop: Bound | None = None
    """AUROC with which the reference tells the samples of `[data] outside` from the evaluation set, minus the
    candidate's, on the same samples: 0.01 is one point."""
    calibration_overlap: Bound | None = None
    """Share of the evaluation samples that are in the calibration set as well, as they are or nearly so. At most 0
    where it is not named: what was calibrated on the samples that judge it is judged too well."""
    training_overlap: Bound | None = None
    """The same with the training set, which is read for it."""
    licences: Bound | None = None
    """Number of data sets whose terms `[policy]` does not allow. At most 0 where it is not named."""
    mislabelled_share: Bound | None = None
    """Share of the evaluation samples whose label the reference contradicts with confidence."""
    worst_slice_drop: Bound | None = None
    """Loss of the slice of the evaluation set that lost most, stated or automatic. At 95 % unless a confidence is
    given, as the next two."""
    worst_class_drop: Bound | None = None
    """Loss of the class that lost most."""
    fairness_gap: Bound | None = None
    """Increase, by compression, of the difference between the error rates of the groups of a stated column."""
    robustness_drop: Bound | None = None
    """Loss that compression adds under the natural corruption where it adds most, in the mean over the severities,
    beside the reference's own loss: 0.01 is one point. Naming it has them measured (docs/robustness.md)."""
    systematic_drop: Bound | None = None
    """Loss that compression adds under the systematic perturbation where it adds most, such as another resize kernel;
    or the candidate's gain by one, as it then expects other pixels than it is given."""
    stability_drop: Bound | None = None
    """Share of the reference's answers that stay when the input moves by a pixel or a frame, less the candidate's."""

    @field_validator("smaller", "not_slower", "accelerator_not_slower", mode="before")
    @classmethod
    def _plain(cls, limit: Any) -> Any:
        return {True: {"max": 1.0}, False: None}.get(limit, limit) if isinstance(limit, bool) else limit

    @field_validator("smaller")
    @classmethod
    def _deprecated(cls, bound: Bound | None) -> Bound | None:
        if bound is not None:
            warnings.warn(_instead_of_smaller(bound), DeprecationWarning, stacklevel=2)
        return bound

    @property
    def deprecations(self) -> tuple[str, ...]:
        """A sentence for each gate that is deprecated, with what to write instead."""
        return (f"The {_instead_of_smaller(self.smaller)}.",) if self.smaller else ()

    def named(self) -> tuple[tuple[str, Bound], ...]:
        """The gates that are set, in the order above."""
        return tuple((name, getattr(self, name)) for name in type(self).model_fields if getattr(self, name))


class Probe(Spec):
    """Settings of latency and accuracy runs. Timing stops when both minima are met, as in MLPerf's SingleStream."""

    plan: PlanName = "quick"
    """Sets both minima, where they are not given: `quick` 128 and 10 s, `standard` 1,024 and 60 s, `full` 6,636 (what
    the 99.9th percentile needs) and 600 s."""
    min_count: Whole = Field(default=PLANS["quick"][0], gt=0)
    min_duration_s: Real = Field(default=PLANS["quick"][1], ge=0)
    processes: Whole = Field(default=3, gt=0)
    """Processes, each of which loads the model anew and times its share of the inferences."""
    threads: Whole = Field(default=1, gt=0, le=256)
    cpus: tuple[Whole, ...] | None = None
    """Cores that the model may run on (CPU affinity); all of them if None."""
    cool_down_s: Real = Field(default=60.0, ge=0)
    """Time to wait, at most, until the device is as cool as at the start, before the next process."""
    meter: str | None = None
    """A plug-in of `edgekit.meters`: it reads what the device draws from outside."""
    accuracy_limit_s: Real = Field(default=1800.0, gt=0)
    """A device that would take longer over the evaluation set is given a stratified sample of it."""

    @model_validator(mode="before")
    @classmethod
    def _planned(cls, fields: Any) -> Any:
        plan = fields.get("plan") if isinstance(fields, dict) else None
        if not isinstance(plan, str) or plan not in PLANS:
            return fields
        count, duration_s = PLANS[plan]
        return {"min_count": count, "min_duration_s": duration_s, **fields}


class AcceleratorPreference(Spec):
    """Preference of a device between its CPU, GPU and NPU."""

    prefer: Literal["latency", "energy"] = "latency"
    """`latency` is the quickest; `energy` the one that draws the least for an inference, if a sensor of the device
    covers the whole machine, however slow, unless the gate `accelerator_not_slower` is named."""


def _takes_uint16(target: Target, runtime: RuntimeSpec) -> bool:
    """True if `runtime` may use an NPU of the target that computes on activations of 16 bits."""
    return any(
        each.kind in runtime.delegates and "uint16" in each.activations for each in target.accelerators(runtime.backend)
    )


class Profile(Spec):
    """A recipe of compression and gates."""

    schema_version: Literal[1] = Field(alias="schema")
    id: str
    summary: str
    families: tuple[str, ...] = Field(min_length=1)
    default: Flag = False
    """Use this profile for its families when none is named."""
    prune: Prune | None = None
    recover: Recover | None = None
    quantize: Quantize | None = None
    probe: Probe = Probe()
    accelerator: AcceleratorPreference = AcceleratorPreference()
    robustness: RobustnessSpec = RobustnessSpec()
    gates: Gates = Gates()
    monitor: MonitorSpec = MonitorSpec()
    cost: Cost | None = None
    """Prices for the report; a report against a server shows the cost of answers even without them."""

    @model_validator(mode="after")
    def _aware_of_something(self) -> Profile:
        aware = self.recover is not None and self.recover.quantization_aware_epochs > 0
        if aware and (self.quantize is None or self.quantize.mode != "static"):
            raise ValueError("'recover.quantization_aware_epochs' needs a static [quantize] to be aware of")
        return self

    def __repr__(self) -> str:
        return f"<Profile {self.id}: {self.precision}>"

    @property
    def precision(self) -> Precision:
        return self.quantize.precision if self.quantize else "float32"

    @property
    def compresses(self) -> bool:
        """True if the profile makes another model than the trained one in float."""
        return bool(self.prune or self.recover or self.quantize)

    def check(self, target: Target, runtime: RuntimeSpec, refuses: Mapping[Precision, str] = NOTHING) -> None:
        """Raise Misfit, naming every reason, if this profile cannot serve `runtime` of `target`.

        `refuses` holds what the runtime's backend cannot make, and why.
        """
        problems = []
        if target.family not in self.families:
            problems.append(f"it is written for {', '.join(self.families)}, and '{target.id}' is of '{target.family}'")
        if self.precision not in runtime.precisions:
            problems.append(f"'{runtime.backend}' on '{target.id}' cannot run {self.precision}")
        wide = self.precision == "static-int16" and _takes_uint16(target, runtime)
        if self.precision in refuses and not wide:
            problems.append(f"'{runtime.backend}' cannot run {self.precision}: {refuses[self.precision]}")
        sparse = self.prune and refusal(self.prune, target, runtime)
        if sparse:
            problems.append(sparse)
        if problems:
            raise Misfit(
                f"profile '{self.id}' does not fit target '{target.id}': {'; '.join(problems)}",
                hint=f"edgekit profiles --family {target.family}",
            )
