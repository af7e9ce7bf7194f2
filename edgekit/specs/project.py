"""Projects: a user's description of a model, its data and its reference (`edgekit.toml`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from edgekit.errors import SpecError
from edgekit.specs.factory import Factory
from edgekit.specs.reference import Reference
from edgekit.specs.release import Moment, check_floor
from edgekit.specs.spec import Real, Spec, Whole, parse, read_toml

FILE = "edgekit.toml"


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


class DataSet(Spec):
    """Source of samples, and their licence. Exactly one of `path` and `loader` is stated."""

    path: str | None = None
    """`.npz`, `.parquet`, or a folder of class folders of images; relative to the project."""
    loader: Factory | None = None
    """A function that returns a map-style data set: `len()` and `[i] -> (input, label)`."""
    licence: str
    source: str

    @model_validator(mode="after")
    def _one(self) -> DataSet:
        if (self.path is None) == (self.loader is None):
            raise ValueError("a data set needs exactly one of 'path' and 'loader'")
        return self


class DataSpec(Spec):
    training: DataSet | None = None
    calibration: DataSet | None = None
    evaluation: DataSet


class ModelSpec(Spec):
    factory: Factory
    task: str = "classification"
    classes: Factory | tuple[str, ...] | None = None
    outputs: tuple[Edge, ...] = ()
    """Names for the outputs, in order; `output`, or `output_0`, `output_1` … where none are given."""

    @field_validator("outputs")
    @classmethod
    def _distinct(cls, outputs: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(outputs)) < len(outputs):
            raise ValueError("two outputs have one name")
        return outputs


class Project(Spec):
    """A model, its inputs, its data, and what it is compared with."""

    name: str
    root: Path
    model: ModelSpec
    inputs: dict[InputEdge, Input] = Field(min_length=1)
    data: DataSpec
    reference: Reference = Reference()
    version: int = Field(default=0, ge=0)
    """Version of the model. Devices refuse versions below their floor (anti-rollback)."""
    floor: int = Field(default=0, ge=0)
    """Oldest version that a device may run once this one is committed (anti-rollback)."""
    expires: Moment | None = None
    """Expiry: last moment at which devices may install it, UTC; None for ever. A date counts to its end."""

    def __repr__(self) -> str:
        return f"<Project {self.name}>"

    @model_validator(mode="after")
    def _admits_itself(self) -> Project:
        check_floor(self.version, self.floor)
        return self

    @property
    def baseline(self) -> Path | None:
        """Folder of the earlier run that this project is compared with, if it names one."""
        return self.root / self.reference.baseline if self.reference.baseline else None

    @classmethod
    def read(cls, folder: Path) -> Project:
        """Read the project in `folder`. Raises SpecError if there is none, or if its file is wrong."""
        path = folder / FILE
        if not path.is_file():
            raise SpecError(
                f"no '{FILE}' in '{folder}'",
                hint="edgekit build --example digits, or --project DIR with a project in it",
            )
        root = folder.resolve()
        return parse(cls, read_toml(path), str(path), derived={"name": root.name, "root": root})
