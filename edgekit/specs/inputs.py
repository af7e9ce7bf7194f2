"""Inputs of a project's model: names, shapes, dtypes and preprocessing (`[inputs]` in `edgekit.toml`)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import numpy as np
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
from edgekit.specs.lengths import (
    FreeSize,
    LengthSyntax,
    Size,
    checked_buckets,
    free_lengths,
    positive_sizes,
)
from edgekit.specs.log_mel import LogMel
from edgekit.specs.picture_steps import PictureSteps, Step
from edgekit.specs.signal import SignalSpec
from edgekit.specs.spec import Real, Spec, Whole
from edgekit.specs.tokenizer import TokenizerSpec


def _edge(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        raise ValueError(
            f"'{name}' cannot name a tensor: it names files too, so letters, digits, '_', '.' and '-' only"
        )
    return name


def _input(name: str) -> str:
    if name == "labels":
        raise ValueError("an input cannot be named 'labels': the labels of the samples are")
    return _edge(name)


Edge = Annotated[str, AfterValidator(_edge)]
InputEdge = Annotated[str, AfterValidator(_input)]
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


class Preprocess(PictureSteps):
    """Raw pixels to model input: the steps, then `(pixel * scale - mean) / std` by channel, and NHWC to NCHW."""

    from_: Literal["uint8 NHWC"] = Field(alias="from")
    scale: Real = Field(default=1.0, gt=0)
    mean: tuple[Real, ...] = (0.0,)
    std: tuple[Real, ...] = (1.0,)

    @field_validator("std")
    @classmethod
    def _positive(cls, std: tuple[float, ...]) -> tuple[float, ...]:
        if not all(value > 0 for value in std):
            raise ValueError("every 'std' must be above 0")
        return std


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

    @model_validator(mode="after")
    def _channels(self) -> Input:
        if self.preprocess is None:
            return self
        if self.dtype != "float32":
            raise ValueError("preprocessing gives float32: leave 'dtype' out")
        if len(self.shape) != 3:
            raise ValueError("preprocessing of 'uint8 NHWC' needs a shape of [channels, height, width]")
        if self.batch_axis != 0:
            raise ValueError("pixels of 'uint8 NHWC' have their batch axis first: leave 'batch_axis' out")
        for name in ("mean", "std"):
            if len(getattr(self.preprocess, name)) not in (1, self.shape[0]):
                count = f"1 or {self.shape[0]} values, one a channel"
                raise ValueError(
                    f"'{name}' needs {'1 value, as the input has one channel' if self.shape[0] == 1 else count}"
                )
        channels = {"BGR": 3, "grey": 1}.get(self.preprocess.colour or "", self.shape[0])
        if channels != self.shape[0]:
            raise ValueError(f"'{self.preprocess.colour}' has {channels} channels, 'shape' states {self.shape[0]}")
        if self.preprocess.steps and self.shape[0] not in (1, 3):
            raise ValueError(f"steps of 'preprocess' take pictures of 1 or 3 channels, 'shape' states {self.shape[0]}")
        self.preprocess.check_size(*self.shape[1:])
        return self

    @model_validator(mode="after")
    def _audio(self) -> Input:
        if self.log_mel is None:
            return self
        if self.preprocess:
            raise ValueError("an input has 'preprocess' or 'log_mel', not both")
        if self.dtype != "float32":
            raise ValueError("'log_mel' gives float32: leave 'dtype' out")
        self.log_mel.check_shape(self.shape)
        return self

    @model_validator(mode="after")
    def _recordings(self) -> Input:
        if self.audio is None:
            return self
        if self.preprocess or self.preprocess_function:
            raise ValueError("an input has 'preprocess' or 'audio', not both")
        if self.log_mel is None and (self.dtype != "float32" or any(size != 1 for size in self.shape[:-1])):
            raise ValueError("'audio' gives float32 [samples] or [1, samples], or feeds 'log_mel'")
        if self.batch_axis != 0:
            raise ValueError("'audio' has its batch axis first: leave 'batch_axis' out")
        stated = self.log_mel.rate if self.log_mel else None
        if not (self.audio.rate or stated):
            raise ValueError("'audio' needs the 'rate' that the network takes, in samples a second")
        if stated and self.audio.rate not in (None, stated):
            raise ValueError(f"'audio' states the rate {self.audio.rate}, 'log_mel' {stated}")
        if self.audio.fit != "exact" and any(isinstance(size, FreeSize) for size in self.shape):
            raise ValueError("recordings of any length need no 'fit': leave it out of 'audio'")
        return self

    @model_validator(mode="after")
    def _ids(self) -> Input:
        if self.tokenizer and self.dtype not in ("int32", "int64"):
            raise ValueError("'tokenizer' goes with token ids: dtype = 'int64' or 'int32'")
        return self

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
    def _lengths(self) -> Input:
        lengths = free_lengths({"": self.shape})
        for name, buckets in self.buckets.items():
            if name not in lengths:
                raise LengthSyntax(f"'{name}' is no free length of the input", hint=f"it has: {', '.join(lengths)}")
            if buckets:
                checked_buckets(lengths[name], buckets)
        if self.mask and not lengths:
            raise LengthSyntax("a mask tells padding apart, and the shape has no free length", hint="leave 'mask' out")
        if np.asarray(self.pad).astype(self.dtype) != self.pad:
            raise LengthSyntax(f"{self.dtype} cannot hold the padding {self.pad:g}", hint="pad = 0")
        if self.vocabulary and np.dtype(self.dtype).kind not in "iu":
            raise LengthSyntax(f"a vocabulary is of integers, the input is {self.dtype}", hint='dtype = "int64"')
        return self

    @model_validator(mode="after")
    def _chunks(self) -> Input:
        if not self.prefill:
            return self
        if self.shape != (1,) or self.dtype not in ("int32", "int64") or isinstance(self.shape[0], FreeSize):
            raise ValueError("'prefill' is of a decoder's tokens: shape = [1], and dtype = 'int64' or 'int32'")
        if self.batch_axis != 0:
            raise ValueError("with 'prefill' a network takes tokens [1, count]: leave 'batch_axis' out")
        if list(self.prefill) != sorted(set(self.prefill)):
            raise ValueError("the numbers of 'prefill' ascend: prefill = [16, 64]")
        return self

    @model_validator(mode="after")
    def _signal(self) -> Input:
        if self.signal is None:
            return self
        keys = ("preprocess", "audio", "log_mel", "tokenizer")
        key = next((key for key in keys if getattr(self, key) is not None), None)
        if key:
            raise ValueError(f"'{key}' tells already what the input holds: leave 'signal' out")
        if self.signal.rate and self.signal.kind != "recordings":
            raise ValueError(f"'rate' is of recordings, 'signal' states {self.signal.kind}")
        if self.signal.time is not None and self.signal.time >= len(self.shape):
            raise ValueError(f"the axis 'time' {self.signal.time} is beyond a shape of {len(self.shape)} axes")
        return self

    @model_validator(mode="after")
    def _batched(self) -> Input:
        if self.batch_axis != "none" and self.batch_axis > len(self.shape):
            raise ValueError(f"'batch_axis' {self.batch_axis} is beyond a shape of {len(self.shape)} axes")
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
