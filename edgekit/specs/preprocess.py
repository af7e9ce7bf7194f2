"""Preprocessing of pictures that a project states as a table (`preprocess` under `[inputs]`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from edgekit.specs.picture_steps import PictureSteps
from edgekit.specs.spec import Real


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
