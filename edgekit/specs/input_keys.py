"""Keys of an input of a project's model (`[inputs]` in `edgekit.toml`), each checked alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from edgekit.specs.audio import Audio
from edgekit.specs.factory import Factory, is_factory
from edgekit.specs.lengths import FreeSize, LengthSyntax, Size, positive_sizes
from edgekit.specs.log_mel import LogMel
from edgekit.specs.preprocess import Preprocess
from edgekit.specs.signal import SignalSpec
from edgekit.specs.spec import Real, Spec, Whole
from edgekit.specs.tensor_names import InputEdge
from edgekit.specs.tokenizer import TokenizerSpec

BatchAxis = Annotated[int, Strict(), Field(ge=0)] | Literal["none"]
"""Axis of an input that counts the samples, or `none`: one sample is the whole input."""


class InputKeys(Spec):
    """Keys of one input of the model, without the batch axis."""

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
