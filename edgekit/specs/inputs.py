"""Inputs of a project's model: names, shapes, dtypes and preprocessing (`[inputs]` in `edgekit.toml`)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from edgekit.specs.log_mel import LogMel
from edgekit.specs.picture_steps import PictureSteps, Step
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
LATER = frozenset({"log_mel", "tokenizer"})
"""Keys that projects and caches of earlier versions have not."""
InputEdge = Annotated[str, AfterValidator(_input)]


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

    shape: tuple[Whole, ...]
    dtype: Literal["float32", "int32", "int64", "uint8", "bool"] = "float32"
    preprocess: Preprocess | None = None
    log_mel: LogMel | None = None
    tokenizer: TokenizerSpec | None = None

    @field_validator("preprocess", mode="before")
    @classmethod
    def _no_function(cls, preprocess: Any) -> Any:
        if isinstance(preprocess, str):
            raise ValueError(
                "a function is not shipped, as a device runs no code of a bundle: state steps in a table, or have the "
                "loader of [data] and the application call it"
            )
        return preprocess

    @field_validator("shape")
    @classmethod
    def _sizes(cls, shape: tuple[int, ...]) -> tuple[int, ...]:
        if not all(size > 0 for size in shape):
            raise ValueError("every size in 'shape' must be above 0")
        return shape

    @model_validator(mode="after")
    def _channels(self) -> Input:
        if self.preprocess is None:
            return self
        if self.dtype != "float32":
            raise ValueError("preprocessing gives float32: leave 'dtype' out")
        if len(self.shape) != 3:
            raise ValueError("preprocessing of 'uint8 NHWC' needs a shape of [channels, height, width]")
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
    def _ids(self) -> Input:
        if self.tokenizer and self.dtype not in ("int32", "int64"):
            raise ValueError("'tokenizer' goes with token ids: dtype = 'int64' or 'int32'")
        return self

    @model_serializer(mode="wrap")
    def _without_unstated(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what was added later and is not stated: what was built without it keeps its cache keys."""
        values: dict[str, Any] = written(self)
        return {name: value for name, value in values.items() if value is not None or name not in LATER}

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
        """Shape in which picture files are read: `raw_shape`, or [0, 0, channels] for any size, before the steps."""
        if not self.steps:
            return self.raw_shape
        return (0, 0, 3 if self.preprocess and self.preprocess.colour else self.shape[0])

    @property
    def raw_dtype(self) -> str:
        if self.log_mel:
            return self.log_mel.raw_dtype
        return "uint8" if self.preprocess else self.dtype
