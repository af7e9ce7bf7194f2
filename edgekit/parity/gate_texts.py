"""Title, unit and remedy of each gate, for people who did not build it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edgekit.tasks.metric import SHARE


@dataclass(frozen=True)
class Quantity:
    """One measured quantity that a gate can bound."""

    title: str
    show: Callable[[float], str]
    """The value with its unit."""
    remedy: str
    """The next step when its gate failed."""
    float_remedy: str | None = None
    """The next step where nothing was quantized; None if it is the same."""

    def limit(self, least: float | None, most: float | None) -> str:
        """Format a bound: `at least 98 %`."""
        parts = []
        if least is not None:
            parts.append(f"at least {self.show(least)}")
        if most is not None:
            parts.append(f"at most {self.show(most)}")
        return " and ".join(parts)


def decimal(value: float, places: int) -> str:
    """Format a number with thousands apart and no trailing zeros: `1,234.5`."""
    text = f"{value:,.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def percent(share: float) -> str:
    """Format a share: `98.65 %`. Three decimals, so that one sample in a hundred thousand shows."""
    return f"{decimal(100 * share, 3)} %"


def points(share: float) -> str:
    """`0.09 points`: a difference of two percentages."""
    text = decimal(100 * share, 3)
    return f"{text} point" if text in ("1", "-1") else f"{text} points"


def times(ratio: float) -> str:
    """Format a ratio: `0.2866 times`, and `once` for 1."""
    text = decimal(ratio, 4)
    return "once" if text == "1" else f"{text} times"


def noise(sqnr_db: float | None) -> str:
    """Format an SQNR: `31.2 dB`; None stands for infinite."""
    return "infinite" if sqnr_db is None else f"{sqnr_db:.1f} dB"


def milliseconds(value_ms: float) -> str:
    """Format milliseconds: to the microsecond, and below 0.1 ms to ten nanoseconds."""
    return f"{decimal(value_ms, 3 if value_ms >= 0.1 else 5)} ms"


def megabytes(value_mb: float) -> str:
    return f"{decimal(value_mb, 2)} MB"


def count(value: float) -> str:
    return f"{value:,.0f}"


_TRAINED = (
    "see that the factory loads the trained weights, that the preprocessing is that of the training, and that labels "
    "are indices into the classes; where the metric is low by nature, give its limit: [gates] reference_accuracy"
)
_IN_FLOAT = (
    "see which layers lose it: edgekit diagnose DIR; 'skip' under [quantize] in the profile keeps layers in float"
)
_NOT_QUANTIZED = (
    "nothing was quantized, so look at [prune] and [recover] of the profile; without them, at the data of both sides"
)
_SLICE = (
    "see which samples flipped: edgekit report DIR --flips csv; calibrate on more samples of that kind, or keep the "
    "layers that lose it in float: edgekit diagnose DIR"
)
_PLACEMENT = "see which operators it is: edgekit inspect BUNDLE --placement"
_FRAGMENTS = (
    "try another runtime of the target (--backend); which operators lie between the delegates: "
    "edgekit inspect BUNDLE --placement"
)
_FLOAT_IS_QUICKER = "let edgekit leave in float what is quicker there (--profile int8-mixed), or ship float"
_SURENESS = (
    'give the model a temperature: [task] temperature = "fit"; where the answers are worse too, see which layers lose '
    "it: edgekit diagnose DIR"
)
_SINCE = "see what changed since: the model, the profile, or the runtime's version"
_OFF_ACCELERATOR = "see which operators it leaves to the CPU: edgekit plan; --accelerator cpu does without it"
_HARDER = "train against such changes (adversarial training), or compress less: edgekit ablate says which step adds it"
_PLANTED = "look at the samples that the report names, and leave out of [data] calibration what nobody vouches for"
_BACKDOOR = (
    "look at the patch that the report names: train again on data that somebody vouches for, or show that the patch is "
    "what the class looks like"
)
_BRITTLE = (
    "have calibration samples that are as bad as those of the field, or keep layers in float: edgekit diagnose DIR "
    "(docs/robustness.md)"
)
_BRITTLE_FLOAT = "look at [prune] and [recover] of the profile: fine-tune on inputs as bad as those of the field"
_PREPROCESSING = (
    "make the device's decoder, kernel, colours, levels and sensors those of the training ([inputs] preprocess, "
    "docs/preprocessing.md), or train with both"
)
_QUICKER = "try another runtime of the target (--backend), or a smaller model"

_OVERLAP = (
    "take these samples out of one of the sets, or split the data by source (camera, speaker, day) first; "
    "a project that has but one set says so: [gates] {name} = {{ max = 1 }}"
)
_TERMS = "use other data, or state what is allowed: [policy] in edgekit.toml"
_LABELS = "look at the samples that the report names, and mend their labels"
_SIZE = Quantity("Size of the model's file against the float model's", times, _PLACEMENT)
QUANTITIES: Mapping[str, Quantity] = {
    "reference_accuracy": Quantity("Metric of the reference", percent, _TRAINED),
    "distinct_answers": Quantity("Different answers given", count, _TRAINED),
    "accuracy_drop": Quantity("Accuracy lost against the reference", points, _IN_FLOAT, _NOT_QUANTIZED),
    "accuracy_change": Quantity("Accuracy gained over the reference", points, _IN_FLOAT, _NOT_QUANTIZED),
    "agreement": Quantity("Agreement of the model's answers with the reference's", percent, _IN_FLOAT, _NOT_QUANTIZED),
    "size_ratio": _SIZE,
    "integer_share": Quantity("Weights stored as small integers", percent, _PLACEMENT),
    "integer_macs_share": Quantity("Arithmetic done on small integers", percent, _PLACEMENT),
    "fallback_share": Quantity("Arithmetic left to slow fallback code", percent, _PLACEMENT),
    "fallback_bytes_share": Quantity("Memory traffic of slow fallback code", percent, _FRAGMENTS),
    "fragments": Quantity("Parts that the runtime runs one after another", count, _FRAGMENTS),
    "smaller": _SIZE,
    "not_slower": Quantity("Time or work of an answer against the float model's", times, _FLOAT_IS_QUICKER),
    "accelerated_share": Quantity("Operators that the GPU or NPU runs itself", percent, _OFF_ACCELERATOR),
    "accelerator_not_slower": Quantity(
        "Time of an answer on the GPU or NPU against the CPU's", times, _OFF_ACCELERATOR
    ),
    "accelerator_agreement": Quantity(
        "Agreement of the GPU's or NPU's answers with the CPU's", percent, _OFF_ACCELERATOR
    ),
    "latency_p50_ms": Quantity("Time that half of all answers take at most", milliseconds, _QUICKER),
    "latency_p90_ms": Quantity("Time that nine of ten answers take at most", milliseconds, _QUICKER),
    "peak_rss_mb": Quantity("Memory needed at the peak", megabytes, _QUICKER),
    "instructions_ratio": Quantity("Work of the CPU against the earlier run", times, _SINCE),
    "adversarial_drop": Quantity("Right answers lost to compression under small changes", points, _HARDER),
    "poisoned_share": Quantity("Calibration samples that may have been planted", percent, _PLANTED),
    "backdoor": Quantity("Classes that a small patch flips other samples to", count, _BACKDOOR),
    "calibration_drop": Quantity("Calibration error added to the reference's", points, _SURENESS),
    "outside_auroc_drop": Quantity("AUROC lost at telling samples from outside", points, _IN_FLOAT, _NOT_QUANTIZED),
    "calibration_overlap": Quantity(
        "Evaluation samples that calibration has seen", percent, _OVERLAP.format(name="calibration_overlap")
    ),
    "training_overlap": Quantity(
        "Evaluation samples that training has seen", percent, _OVERLAP.format(name="training_overlap")
    ),
    "licences": Quantity("Data sets whose terms the policy does not allow", count, _TERMS),
    "mislabelled_share": Quantity("Labels of the evaluation set that look wrong", percent, _LABELS),
    "worst_slice_drop": Quantity("Accuracy lost in the worst slice", points, _SLICE),
    "worst_class_drop": Quantity("Accuracy lost in the worst class", points, _SLICE),
    "fairness_gap": Quantity("Increase of the difference between the error rates of groups", points, _SLICE),
    "robustness_drop": Quantity("Accuracy that compression costs on worse inputs", points, _BRITTLE, _BRITTLE_FLOAT),
    "systematic_drop": Quantity("Accuracy that a device costs which does otherwise", points, _PREPROCESSING),
    "stability_drop": Quantity("Answers that no longer stay when the input moves", points, _BRITTLE, _BRITTLE_FLOAT),
}
"""Quantities by the name of their gate in a profile."""


_RELATIVE = {
    "accuracy_drop": "Loss of the metric against the reference",
    "accuracy_change": "Gain of the metric over the reference",
    "worst_slice_drop": "Loss of scores in the worst slice",
    "worst_class_drop": "Loss of scores in the worst class",
    "robustness_drop": "Loss of the metric that compression adds on worse inputs",
    "systematic_drop": "Loss of the metric by a device that does otherwise",
}
"""Titles of the gates that bound a share of the reference's metric, where that has a unit."""


def quantity_of(name: str, unit: str) -> Quantity:
    """Quantity that a gate bounds, shown in the `unit` of the task's metric (`MetricRecord.unit`)."""
    quantity = QUANTITIES[name]
    if unit == SHARE or name not in ("reference_accuracy", *_RELATIVE):
        return quantity
    if name in _RELATIVE:
        return replace(quantity, title=_RELATIVE[name], show=percent)
    return replace(quantity, show=lambda value: metric_value(value, unit))


def metric_value(value: float, unit: str) -> str:
    """Format a metric: `98.65 %` of a share, else `31.2 dB`."""
    return percent(value) if unit == SHARE else f"{value:.4g} {unit}".rstrip()


def loss_value(loss: float, unit: str) -> str:
    """Format a loss of a metric: `0.09 points` of a share, else `0.9 %` of the reference's value."""
    return points(loss) if unit == SHARE else f"{percent(loss)} of the reference's"
