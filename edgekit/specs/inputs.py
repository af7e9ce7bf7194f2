"""Inputs of a project's model: names, shapes, dtypes and preprocessing (`[inputs]` in `edgekit.toml`)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

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
    dtype: Literal["float32", "int32", "int64", "uint8", "bool"] = "float32"
    preprocess: Preprocess | None = None

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
                raise ValueError(f"'{name}' needs 1 or {self.shape[0]} values, one a channel")
        return self

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
