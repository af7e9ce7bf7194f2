"""Model of a project: where it comes from, its task and its outputs (`[model]` in `edgekit.toml`)."""

from __future__ import annotations

from pydantic import field_validator

from edgekit.specs.factory import Factory
from edgekit.specs.model_source import ModelSource
from edgekit.specs.tensor_names import Edge


class ModelSpec(ModelSource):
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
