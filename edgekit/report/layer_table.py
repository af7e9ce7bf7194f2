"""Sensitivity of the layers as `diagnose` leaves it beside a report: `layers.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgekit.errors import DataError
from edgekit.ir.layers import Layer
from edgekit.ir.record_fault import first_fault
from edgekit.untrusted import json_text

LAYERS = "layers.json"
MAX_VALUES = 2_000_000
"""Most values of a file that is read back."""


class LayerTable(BaseModel):
    """Layers of the network that a bundle was made of, in order, and what the diagnosis says of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="strings")

    schema_version: Literal[1] = Field(alias="schema")
    bundle: str
    """Digest of the bundle, as the report has it."""
    sentence: str
    nodes: tuple[str, ...]
    """Names in the graph of the layers that are blamed."""
    layers: tuple[Layer, ...]

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str) -> LayerTable:
        """Parse what `to_json` wrote, in the file `name`. Raises DataError for anything else."""
        try:
            return cls.model_validate(json_text.loads(text, MAX_VALUES))
        except ValueError as error:  # pydantic's is one
            fault = first_fault(error) if isinstance(error, ValidationError) else error
            hint = "edgekit diagnose DIR writes it anew"
            raise DataError(f"'{name}' is no table of layers: {fault}", hint=hint) from error
