"""What the runner tells of an accelerator, and the record in which the host keeps it, have the same fields."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import get_type_hints

from pydantic import TypeAdapter

from edgekit.ir.measurement import AcceleratorUse
from edgekit.runner.model.accelerator import AcceleratorFacts

FACTS = AcceleratorFacts("litert-gpu", "Mali", "1", False, "float16", 9, 8, (("CAST", 1),), True, "CAST: refused")


def test_runner_and_host_state_the_same_fields_types_and_defaults() -> None:
    """The runner, which is sent to devices, may not import `dataclasses`; the host checks answers by one."""
    theirs, ours = get_type_hints(AcceleratorFacts), get_type_hints(AcceleratorUse)
    assert list(theirs.items()) == list(ours.items())
    defaults = {field.name: field.default for field in fields(AcceleratorUse) if field.default is not MISSING}
    assert defaults == AcceleratorFacts._field_defaults


def test_what_the_runner_writes_the_host_reads() -> None:
    read = TypeAdapter(AcceleratorUse).validate_python(FACTS.written(), strict=False)
    assert tuple(getattr(read, field.name) for field in fields(read)) == tuple(FACTS)
