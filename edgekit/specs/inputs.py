"""Inputs of a project's model: names, shapes, dtypes and preprocessing (`[inputs]` in `edgekit.toml`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from edgekit.specs.audio import Audio
from edgekit.specs.factory import Factory, is_factory
from edgekit.specs.input_checks import CHECKS
from edgekit.specs.lengths import FreeSize, LengthSyntax, Size, positive_sizes
from edgekit.specs.log_mel import LogMel
from edgekit.specs.picture_steps import Step
from edgekit.specs.preprocess import Preprocess
from edgekit.specs.signal import SignalSpec
from edgekit.specs.spec import Real, Spec, Whole
from edgekit.specs.tensor_names import InputEdge
from edgekit.specs.tokenizer import TokenizerSpec

BatchAxis = Annotated[int, Strict(), Field(ge=0)] | Literal["none"]
"""Axis of an input that counts the samples, or `none`: one sample is the whole input."""


LATER: dict[str, Any] = {
    "preprocess_function": None,
    "audio": None,
    "log_mel": None,
    "tokenizer": None,
    "batch_axis": 0,
    "pad": 0.0,
    "mask": None,
    "buckets": {},
    "vocabulary": None,
    "prefill": (),
    "signal": None,
}
"""Keys of an input that came later than the first release, with their defaults."""


class Input(Spec):
    """One input of the model, without the batch axis."""

    shape: Annotated[tuple[Size, ...], AfterValidator(positive_sizes)]
    """Sizes of the axes of one sample; a free length is its greatest, a `lengths.FreeSize`."""
    dtype: Literal["float16", "float32", "int32", "int64", "uint8", "bool"] = "float32"
    preprocess: Preprocess | None = None
    preprocess_function: Factory | None = None
    """Function that makes a raw sample this input (`specs/array_functions`); stated as `preprocess`."""
    log_mel: LogMel | None = None
    audio: Audio | None = None
    tokenizer: TokenizerSpec | None = None
    batch_axis: BatchAxis = 0
    """Axis that the network's forward has the samples on; `shape` is without it, and data sets have it first."""
    pad: Real = 0.0
    """Value beyond the end of a sample, where it is padded to a bucket of free lengths."""
    mask: InputEdge | None = None
    """Input that is 1 within a sample and 0 where it is padded; made where the data set has none."""
    buckets: dict[str, tuple[Whole, ...]] = Field(default_factory=dict)
    """Lengths of static graphs by the name of a free length, for backends that take no free length."""
    vocabulary: Annotated[int, Strict(), Field(gt=0)] | None = None
    """Number of tokens: integers of the input are from 0 to one less."""
    prefill: tuple[Annotated[int, Strict(), Field(gt=1)], ...] = ()
    """Numbers of tokens that a decoder also reads at once, by an entry point each: chunks of a prompt."""

    signal: SignalSpec | None = None
    """Kind of the signal that the input holds, where the other keys do not tell it."""

    @field_validator("signal", mode="before")
    @classmethod
    def _signal_kind(cls, signal: Any) -> Any:
        return {"kind": signal} if isinstance(signal, str) else signal

    @model_validator(mode="before")
    @classmethod
    def _function(cls, values: Any) -> Any:
        """Set a function, `preprocess = "file.py:name"`, apart from a table of steps."""
        if not isinstance(values, dict) or not isinstance(values.get("preprocess"), str):
            return values
        stated = values["preprocess"]
        if not is_factory(stated):
            raise ValueError(f"'preprocess' is a table, or a function 'file.py:name', not '{stated}'")
        return {**values, "preprocess": None, "preprocess_function": stated}

    @field_validator("buckets", mode="before")
    @classmethod
    def _of_the_only_length(cls, buckets: Any, info: ValidationInfo) -> Any:
        """Give `buckets = [16, 32]` the name of the input's only free length."""
        if not isinstance(buckets, list | tuple):
            return buckets
        names = {size.length.name for size in info.data.get("shape", ()) if isinstance(size, FreeSize)}
        if len(names) != 1:
            hint = "buckets = { h = [128, 256], w = [128, 256] }" if names else "leave 'buckets' out"
            raise LengthSyntax(f"the input has {len(names) or 'no'} free lengths, and one list of buckets", hint=hint)
        return {names.pop(): buckets}

    @model_validator(mode="after")
    def _together(self) -> Input:
        for check in CHECKS:
            check(self)
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out later keys that are not used: cache keys of older projects stay as they were."""
        values: dict[str, Any] = written(self)
        return {key: value for key, value in values.items() if key not in LATER or getattr(self, key) != LATER[key]}

    @property
    def raw_shape(self) -> tuple[int, ...]:
        """The shape of one sample as the data set and the artifact have it: HWC for pixels, [samples] for audio."""
        if self.log_mel:
            return (self.log_mel.samples(self.shape[-1]),)
        if self.preprocess is None:
            return self.shape
        channels, height, width = self.shape
        return (height, width, channels)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Steps that give a picture of any size `raw_shape` (`runner/processing/geometry`); none where it has it."""
        return self.preprocess.steps if self.preprocess else ()

    @property
    def picture_shape(self) -> tuple[int, ...]:
        """Shape in which picture files are read: `raw_shape`, or [0, 0, channels] for any size, before the steps.

        A function takes pictures in colour.
        """
        if self.preprocess_function:
            return (0, 0, 3)
        if not self.steps:
            return self.raw_shape
        return (0, 0, 3 if self.preprocess and self.preprocess.colour else self.shape[0])

    @property
    def sounds(self) -> bool:
        """True if files of samples are recordings."""
        return self.audio is not None or self.log_mel is not None

    @property
    def audio_settings(self) -> dict[str, Any] | None:
        """Settings by which recordings become `raw_shape` (`runner/processing/audio`); None where arrays have it."""
        if self.audio is None:
            return None
        count = self.raw_shape[-1]
        samples = None if isinstance(count, FreeSize) else int(count)
        return self.audio.settings(self.log_mel.rate if self.log_mel else 0, samples, self.raw_dtype)

    @property
    def raw_dtype(self) -> str:
        if self.log_mel:
            return self.log_mel.raw_dtype
        return "uint8" if self.preprocess else self.dtype
