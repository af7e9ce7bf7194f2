"""Inputs of a project's model: names, shapes, dtypes and preprocessing (`[inputs]` in `edgekit.toml`)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    field_validator,
    model_serializer,
    model_validator,
)

from edgekit.specs.spec import Real, Spec, Whole


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


LATER: dict[str, Any] = {"batch_axis": 0}
"""Keys of an input that came later than the first release, with their defaults."""


class Preprocess(Spec):
    """Raw pixels to model input: `(pixel * scale - mean) / std`, channel by channel, then NHWC to NCHW."""

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
    dtype: Literal["float16", "float32", "int32", "int64", "uint8", "bool"] = "float32"
    preprocess: Preprocess | None = None
    batch_axis: BatchAxis = 0
    """Axis that the network's forward has the samples on; `shape` is without it, and data sets have it first."""

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
        if self.batch_axis != 0:
            raise ValueError("pixels of 'uint8 NHWC' have their batch axis first: leave 'batch_axis' out")
        for name in ("mean", "std"):
            if len(getattr(self.preprocess, name)) not in (1, self.shape[0]):
                raise ValueError(f"'{name}' needs 1 or {self.shape[0]} values, one a channel")
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
        return {key: value for key, value in values.items() if key not in LATER or value != LATER[key]}

    @property
    def raw_shape(self) -> tuple[int, ...]:
        """The shape of one sample as the data set and the artifact have it: HWC where pixels are preprocessed."""
        if self.preprocess is None:
            return self.shape
        channels, height, width = self.shape
        return (height, width, channels)

    @property
    def raw_dtype(self) -> str:
        return "uint8" if self.preprocess else self.dtype
