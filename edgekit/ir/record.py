"""Base class of every record that a report holds."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Record(BaseModel):
    """Immutable, finite, and strict about unknown keys. A key whose default is null is left out when it is null."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields.items()
        optional = {key for name, field in fields if not field.is_required() for key in (name, field.alias)}
        return {key: value for key, value in handler(self).items() if value is not None or key not in optional}
