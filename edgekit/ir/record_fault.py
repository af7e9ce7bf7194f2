"""First fault that pydantic found in a record, in our words."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError


@dataclass(frozen=True)
class RecordFault:
    """Fault of a record and its place. As text: `'reports.0.target': Field required`."""

    place: str
    """Keys and indices from the outside in, with dots between; empty for the record as a whole."""
    message: str
    ours: bool
    """True if a validator of edgekit found it, and not the type of a field."""

    def __str__(self) -> str:
        return f"'{self.place}': {self.message}" if self.place else self.message


def first_fault(error: ValidationError) -> RecordFault:
    """Fault that pydantic names first."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return RecordFault(place, first["msg"].removeprefix("Value error, "), first["type"] == "value_error")
