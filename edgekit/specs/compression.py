"""Compression recipe of a profile: `[prune]`, `[recover]` and `[quantize]` of `profiles/<id>.toml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from edgekit.specs.spec import Flag, Real, Spec, Whole
from edgekit.specs.target import Precision

Granularity = Literal["per-tensor", "per-channel", "per-group"]
Observer = Literal["minmax", "percentile", "mse", "histogram", "auto"]
Rounding = Literal["nearest", "adaround", "gptq"]
MOST_IN_FLOAT = 0.5
"""Largest share of the work that repair may leave in float of what is int8 still."""


class Prune(Spec):
    """Takes channels, heads and MLP columns out of the network, or (2:4) zeroes weights for kernels that skip them.

    A structured recipe states exactly one of `ratio`, `macs` and `latency`.
    """

    pattern: Literal["structured", "2:4", "unstructured"] = "structured"
    ratio: Real | None = Field(default=None, gt=0, lt=1)
    """Share of the channels that are removed; of the weights, where the pattern is unstructured."""
    macs: Real | None = Field(default=None, gt=0, lt=1)
    """Share of the multiply-accumulates that may stay: 0.5 halves them."""
    latency: Real | None = Field(default=None, gt=0, lt=1)
    """Share of the time of one inference that may stay, in eager torch on one thread of the machine that builds."""
    importance: Literal["magnitude", "taylor", "bn-scale"] = "magnitude"
    round_to: Whole = Field(default=8, gt=0)
    """Remaining channels are a multiple of this, the block size of integer kernels."""
    skip: tuple[str, ...] = ()
    """Modules that keep their channels, by name or pattern."""

    @model_validator(mode="after")
    def _one_measure(self) -> Prune:
        stated = [name for name in ("ratio", "macs", "latency") if getattr(self, name) is not None]
        expected = {
            "structured": "one of 'ratio', 'macs' and 'latency'",
            "unstructured": "'ratio'",
            "2:4": "none of them",
        }
        allowed = {"structured": len(stated) == 1, "unstructured": stated == ["ratio"], "2:4": not stated}
        if not allowed[self.pattern]:
            raise ValueError(
                f"a {self.pattern} pattern takes {expected[self.pattern]}, not {' and '.join(stated) or 'none'}"
            )
        return self


class Recover(Spec):
    """Recovery: fine-tune the pruned network by knowledge distillation from the trained one (Hinton et al. 2015)."""

    epochs: Whole | None = Field(default=None, gt=0)
    minutes: Real | None = Field(default=None, gt=0)
    """Training ends when either budget is spent; at least one is stated."""
    batch: Whole = Field(default=128, gt=1)
    accumulate: Whole = Field(default=1, gt=0)
    """Batches whose gradients are added up before a step."""
    learning_rate: Real = Field(default=0.05, gt=0)
    weight_decay: Real = Field(default=5e-4, ge=0)
    distill: Real = Field(default=0.9, ge=0, le=1)
    """Share of the loss that follows the original's logits; the rest follows the labels."""
    temperature: Real = Field(default=4.0, gt=0)
    features: tuple[str, ...] = ()
    """Modules whose outputs are to be like the original's too; their shapes must not be pruned."""
    augment: tuple[Literal["flip", "shift"], ...] = ()
    """Augmentations that do not change the class of a training picture."""
    precision: Literal["float32", "bfloat16"] = "float32"
    validation: Real = Field(default=0.1, gt=0, lt=1)
    """Share of the training data, never of the evaluation data, that tells the best checkpoint."""
    seed: Whole = 0
    quantization_aware_epochs: Whole = Field(default=0, ge=0)
    """Epochs of quantization-aware training (QAT, fake quantization) that follow; needs a static [quantize]."""
    required: Flag = True
    """Refuse a project without training data; else recovery is skipped, and the report says so."""

    @model_validator(mode="after")
    def _bounded(self) -> Recover:
        if self.epochs is None and self.minutes is None:
            raise ValueError("a budget is needed: 'epochs', 'minutes', or both")
        return self


class Weights(Spec):
    dtype: Literal["int8", "int4"] = "int8"
    granularity: Granularity = "per-channel"
    group: Whole = Field(default=32, gt=0)
    """Weights that share a scale, where granularity is per-group."""
    symmetric: Flag = True
    rounding: Rounding = "nearest"


class Activations(Spec):
    dtype: Literal["int8", "int16"] = "int8"
    """Type of activations. For int8 the runtime chooses signed or unsigned (`RuntimeSpec.activations`)."""
    granularity: Literal["per-tensor"] = "per-tensor"
    symmetric: Flag = False
    observer: Observer = "minmax"
    """Observer of ranges; `auto` takes the one that does best on held-out calibration data."""
    percentile: Real = Field(default=99.99, gt=50, lt=100)
    """Per cent of the values that the range holds, where observer is `percentile`."""


class Mixed(Spec):
    """Keeps the fewest layers in float with which the gates of accuracy hold on held-out calibration data."""

    evaluations: Whole = Field(default=8, gt=0)
    """Quantized programs that the search may try."""
    quicker: Flag = True
    """Also leave whole kinds of layers in float where the machine that builds measures that to be quicker."""


class Quantize(Spec):
    """Post-training quantization. Static ranges are observed on the project's calibration set."""

    mode: Literal["static", "dynamic", "weight-only", "float16"] = "static"
    weights: Weights = Weights()
    activations: Activations = Activations()
    samples: Whole = Field(default=512, gt=0)
    """Number of calibration samples, at most."""
    equalize: Flag = False
    """Cross-layer equalization (Nagel et al. 2019) first."""
    smooth: Real | None = Field(default=None, gt=0, lt=1)
    """SmoothQuant's alpha (Xiao et al. 2022): how much of the activations' range moves into the weights."""
    correct_bias: Flag = False
    """Bias correction: subtract the mean error of every layer from its bias (Nagel et al. 2019)."""
    skip: tuple[str, ...] = ()
    """Modules that stay in float, by name or pattern: `features.0`, `classifier.*`; `layer1.0:add` names the additions
    that a module itself computes."""
    overrides: dict[str, Literal["float32", "int8", "dynamic-int8"]] = Field(default_factory=dict)
    """Precision of a layer, by module name or pattern, whatever else the recipe says; float32 before all others.
    `dynamic-int8` has linear layers of a static recipe round their inputs by the range of each at run time."""
    mixed: Mixed | None = None
    repair: Flag = False
    """Repairs static int8 that misses the gates on answers on held-out calibration data: tries other ranges, and leaves
    the operators in float that lose most. Of no effect in other modes, and beside [quantize.mixed]."""

    @property
    def precision(self) -> Precision:
        if self.mode == "static":
            return "static-int8" if self.activations.dtype == "int8" else "static-int16"
        if self.mode == "dynamic":
            return "dynamic-int8"
        if self.mode == "float16":
            return "float16"
        return "weight-int8" if self.weights.dtype == "int8" else "weight-int4"

    @property
    def calibrated(self) -> bool:
        """True if the recipe needs a calibration set."""
        return self.mode == "static" or self.smooth is not None or self.weights.rounding != "nearest"

    @property
    def kept(self) -> tuple[str, ...]:
        """Patterns of the modules that stay in float."""
        return (*self.skip, *(name for name, precision in self.overrides.items() if precision == "float32"))

    @property
    def dynamic(self) -> tuple[str, ...]:
        """Patterns of the modules whose linear layers round their inputs at run time, in static quantization."""
        return tuple(name for name, precision in self.overrides.items() if precision == "dynamic-int8")

    @model_validator(mode="after")
    def _consistent(self) -> Quantize:
        if self.mode == "static" and self.weights.dtype == "int4":
            raise ValueError("static quantization takes int8 weights: int4 goes with mode = 'weight-only'")
        if self.mode != "static" and self.activations.dtype == "int16":
            raise ValueError("int16 activations go with mode = 'static'")
        if self.weights.granularity == "per-group" and self.mode != "weight-only":
            raise ValueError("scales per group go with mode = 'weight-only'")
        if self.dynamic and self.mode != "static":
            raise ValueError("'dynamic-int8' names layers of static quantization: mode = 'static'")
        if self.mixed and self.mode != "static":
            raise ValueError("[quantize.mixed] searches in static quantization only: mode = 'static'")
        return self
